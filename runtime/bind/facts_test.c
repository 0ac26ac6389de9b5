/* Facts: functions over a customer's rows, and what a change of a row does to the customer's version. */
#include "bind/facts.h"
#include "bind/collections.h"
#include "bind/fixture.h"

#define ANY_INT .min = INT64_MIN, .max = INT64_MAX
static const struct collection_field member_fields[] = {
    { .name = "customer", .type = FIELD_CUSTOMER, .optional = true, .max = 64 },
    { .name = "friend", .type = FIELD_CUSTOMER, .optional = true, .max = 64 },
    { .name = "points", .type = FIELD_INTEGER, ANY_INT },
};
static const struct collection_index member_indexes[] = { { .fields = { 0, 2 }, .count = 2 }, { .fields = { 1 }, .count = 1 } };
static const struct collection members = { "members", "p_club__members", member_fields, 3, member_indexes, 2, false, false, 0, 0 };

static const uint16_t projected[] = { 0, 1 };
static const struct bind_grant made_of[] = { { "club", &members, true, true, projected, 2 } };
static const struct bind_grants watched = { "club", made_of, 1 };
static const struct bind_grant plain[] = { { .plugin = "club", .shape = &members, .read = true, .write = true } };
static const struct bind_grants unwatched = { "club", plain, 1 };

struct world {
    struct fixture f;
    vm_ref watched, unwatched;
    struct quote_cart cart;
    struct quote_fact out;
    struct bind_fact fact;
};

static void sql(struct fixture *f, const char *text)
{
    struct store_stmt *s;
    if (store_prepare(f->conn, text, &s, &f->err) < 0 || store_run(s, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fixture *f = &w->f;
    fixture_open(f, ":memory:");
    sql(f, "CREATE TABLE p_club__members (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT, friend TEXT, points INTEGER)");
    sql(f, "CREATE INDEX members_1 ON p_club__members (customer, points)");
    sql(f, "INSERT INTO customers (customer, tags, version, orders, created_at, updated_at) VALUES ('ana', '[]', 1, 0, 0, 0), "
           "('bob', '[]', 1, 0, 0, 0)");
    if (bind_store(f->vm, &watched, &w->watched, &f->err) < 0 || bind_store(f->vm, &unwatched, &w->unwatched, &f->err) < 0)
        fail_msg("%s", f->err.text);
    w->cart = (struct quote_cart){ .customer = SLICE_LIT("ana"), .at_ms = 1750000000000 };
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fixture_close(&w->f);
    free(w);
    return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------------ */

/* body: of a function (rows, about). */
static int ask(struct world *w, enum field_type type, const char *body)
{
    struct fixture *f = &w->f;
    struct json_value *tree;
    char *text;
    vm_ref fn;
    int64_t n = 0;
    arena_reset(&f->arena);
    err_clear(&f->err);
    if (asprintf(&text, "return { function(rows, about)\n%s\nend }", body) < 0)
        abort();
    if (vm_run(f->vm, slice_str(text), "plugins/club/rules.lua", &fn, &f->err) < 0 || vm_to_json(f->vm, fn, &f->kept, &tree, &f->err) < 0)
        fail_msg("%s", f->err.text);
    free(text);
    json_is_int(json_get(tree->first, "fn"), &n);
    w->fact = (struct bind_fact){ .name = "club.level",
                                  .symbol = symbols_intern(f->symbols, SLICE_LIT("club.level")),
                                  .fn = (int)n,
                                  .type = type,
                                  .rows = &members,
                                  .by = &member_fields[0] };
    assert_int_equal(store_begin(f->conn, NULL), 0);
    int rc = bind_fact(f->vm, &w->fact, &w->cart, f->symbols, &w->out, &f->err);
    store_rollback(f->conn);
    return rc;
}

static int64_t number(struct world *w, enum field_type type, const char *body)
{
    if (ask(w, type, body) != 1 || w->out.kind == QUOTE_FACT_FAILED)
        fail_msg("%s: %s", body, w->f.err.text);
    return w->out.number;
}

static void failed(struct world *w, enum field_type type, const char *body)
{
    assert_int_equal(ask(w, type, body), 1);
    if (w->out.kind != QUOTE_FACT_FAILED)
        fail_msg("%s went through", body);
}

static void a_function_sees_the_customers_rows_in_order_of_id_and_whom_it_is_about(void **state)
{
    struct world *w = *state;
    sql(&w->f, "INSERT INTO p_club__members (customer, points) VALUES ('ana', 30), ('bob', 500), ('ana', 20), ('ana', NULL)");
    assert_int_equal(number(w, FIELD_INTEGER, "local n = 0 for i, row in ipairs(rows) do n = n * 100 + (row.points or 1) end return n"),
                     302001);
    assert_int_equal(number(w, FIELD_INTEGER, "return rows[1].id * 10 + rows[2].id"), 13);
    assert_int_equal(number(w, FIELD_INTEGER, "return #about.tags"), 0);
    symbol tags[] = { symbols_intern(w->f.symbols, SLICE_LIT("vip")), symbols_intern(w->f.symbols, SLICE_LIT("staff")) };
    w->cart.customer_tags = tags;
    w->cart.customer_tag_count = 2;
    assert_int_equal(number(w, FIELD_BOOLEAN, "return about.customer == 'ana' and about.tags[2] == 'staff' and rows[1].customer == 'ana'"),
                     1);
    assert_int_equal(w->out.kind, QUOTE_FACT_BOOL);
    assert_int_equal(number(w, FIELD_TIME, "return about.now + 1"), 1750000000001);
    assert_int_equal(w->out.name, symbols_find(w->f.symbols, SLICE_LIT("club.level")));
    w->cart.customer = SLICE_LIT("nobody");
    assert_int_equal(number(w, FIELD_INTEGER, "return #rows"), 0);
}

static void a_value_has_the_type_that_was_declared(void **state)
{
    struct world *w = *state;
    assert_int_equal(ask(w, FIELD_INTEGER, "return nil"), 0);
    assert_int_equal(number(w, FIELD_MONEY, "return '12.50'"), 1250);
    assert_int_equal(number(w, FIELD_MONEY, "return 1250"), 1250);
    assert_int_equal(number(w, FIELD_PERCENT, "return 125000"), 125000);
    assert_int_equal(number(w, FIELD_BOOLEAN, "return false"), 0);
    assert_int_equal(ask(w, FIELD_STRING, "return 'gold'"), 1);
    assert_int_equal(w->out.kind, QUOTE_FACT_STRING);
    assert_true(slice_is(w->out.text, "gold"));
    failed(w, FIELD_INTEGER, "return 1.0");
    failed(w, FIELD_INTEGER, "return '1'");
    failed(w, FIELD_INTEGER, "return true");
    failed(w, FIELD_MONEY, "return 0.5");
    failed(w, FIELD_MONEY, "return 'much'");
    failed(w, FIELD_MONEY, "return {}");
    failed(w, FIELD_BOOLEAN, "return 1");
    failed(w, FIELD_STRING, "return 5");
    failed(w, FIELD_STRING, "return ('x'):rep(201)");
    failed(w, FIELD_STRING, "return '\\xff'");
    failed(w, FIELD_TIME, "return '2026-01-01'");
}

static void a_function_that_fails_is_a_fact_that_failed(void **state)
{
    struct world *w = *state;
    failed(w, FIELD_INTEGER, "error 'no level today'");
    failed(w, FIELD_INTEGER, "while true do end");
    failed(w, FIELD_INTEGER, "local t = {} while true do t[#t + 1] = ('x'):rep(100000) end");
    failed(w, FIELD_INTEGER, "require('feira.fail').conflict('x', 'y')");
    assert_int_equal(number(w, FIELD_INTEGER, "return 3"), 3); /* the state is as good as before */
}

static void a_function_is_a_rule(void **state)
{
    struct world *w = *state;
    failed(w, FIELD_INTEGER, "return require('feira.time').now()");
    failed(w, FIELD_INTEGER, "return #require('feira.sql').statement('SELECT 1'):rows()");
    vm_push_ref(w->f.vm, w->watched);
    assert_int_equal(number(w, FIELD_BOOLEAN, "return not pcall(require('feira.time').now)"), 1);
}

/* The first run is thrown away when it is slow, and the second must find what the first found. */
static void a_slow_function_is_run_again_with_rows_as_they_were(void **state)
{
    struct world *w = *state;
    sql(&w->f, "INSERT INTO p_club__members (customer, points) VALUES ('ana', 30), ('ana', 20)");
    assert_int_equal(number(w, FIELD_INTEGER,
                            "local n = 0 for i, row in ipairs(rows) do n = n + row.points row.points = 0 end "
                            "rows[1] = nil about.now = nil for i = 1, 3000000 do end return n"),
                     50);
}

static void more_rows_than_the_bound_fail_the_fact(void **state)
{
    struct world *w = *state;
    sql(&w->f, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
               "INSERT INTO p_club__members (customer, points) SELECT 'ana', i FROM n");
    assert_int_equal(number(w, FIELD_INTEGER, "return #rows"), BIND_FACT_ROWS_MAX);
    sql(&w->f, "INSERT INTO p_club__members (customer, points) VALUES ('ana', 0)");
    failed(w, FIELD_INTEGER, "return 1");
}

static void without_a_collection_there_are_no_rows(void **state)
{
    struct world *w = *state;
    sql(&w->f, "INSERT INTO p_club__members (customer, points) VALUES ('ana', 30)");
    assert_int_equal(number(w, FIELD_INTEGER, "return #rows"), 1);
    w->fact.rows = NULL;
    assert_int_equal(bind_fact(w->f.vm, &w->fact, &w->cart, w->f.symbols, &w->out, &w->f.err), 1);
    assert_int_equal(w->out.number, 0);
}

/* What happened to the store is no fact of the customer: there is no quote. */
static void a_store_that_fails_is_an_error(void **state)
{
    struct world *w = *state;
    sql(&w->f, "DROP TABLE p_club__members");
    assert_true(ask(w, FIELD_INTEGER, "return 1") < 0);
}

/* --- versions ---------------------------------------------------------------------------------------------------------- */

static int64_t version(struct fixture *f, const char *customer)
{
    struct store_stmt *s;
    assert_int_equal(store_prepare(f->conn, "SELECT version FROM customers WHERE customer = ?1", &s, &f->err), 0);
    store_bind_text(s, 1, slice_str(customer));
    assert_int_equal(store_step(s, &f->err), 1);
    int64_t v = store_column_int(s, 0);
    store_reset(s);
    return v;
}

/* Runs body with store, and gives by how much the versions of ana and bob grew. */
static void moves(struct world *w, vm_ref store, const char *body, int64_t ana, int64_t bob)
{
    struct fixture *f = &w->f;
    int64_t was[] = { version(f, "ana"), version(f, "bob") };
    char *text;
    vm_ref fn;
    arena_reset(&f->arena);
    if (asprintf(&text, "return function(store)\n%s\nend", body) < 0)
        abort();
    if (vm_run(f->vm, slice_str(text), "plugins/club/events.lua", &fn, &f->err) < 0)
        fail_msg("%s", f->err.text);
    free(text);
    f->ctx.phase = BIND_PHASE_PROCEDURE;
    vm_push_ref(f->vm, store);
    if (vm_call(f->vm, fn, 1, NULL, NULL, &f->err) < 0)
        fail_msg("%s: %s", body, f->err.text);
    f->ctx.phase = BIND_PHASE_LOAD;
    vm_release(f->vm, fn);
    int64_t by[] = { version(f, "ana") - was[0], version(f, "bob") - was[1] };
    if (by[0] != ana || by[1] != bob)
        fail_msg("%s: ana %lld, bob %lld", body, (long long)by[0], (long long)by[1]);
}

static void a_change_of_a_row_is_a_change_of_its_customer(void **state)
{
    struct world *w = *state;
    moves(w, w->watched, "store.members:insert { customer = 'ana', points = 1 }", 1, 0);
    moves(w, w->watched, "store.members:insert { customer = 'stranger', points = 1 }", 0, 0);
    moves(w, w->watched, "store.members:insert { points = 1 }", 0, 0);
    moves(w, w->watched, "store.members:update(1, { points = 2 })", 1, 0);
    moves(w, w->watched, "store.members:update(1, { points = 2 })", 0, 0); /* nothing changed */
    moves(w, w->watched, "store.members:update(1, { customer = 'bob' })", 1, 1);
    moves(w, w->watched, "store.members:update(1, { friend = 'bob' })", 0, 1); /* named twice, one change */
    moves(w, w->watched, "store.members:update(1, { friend = 'ana' })", 1, 1);
    moves(w, w->watched, "store.members:get(1) store.members:find()", 0, 0);
    moves(w, w->watched, "store.members:delete(1)", 1, 1);
    moves(w, w->watched, "store.members:delete(1)", 0, 0);
}

static void rows_that_no_fact_is_made_of_change_nobody(void **state)
{
    struct world *w = *state;
    moves(w, w->unwatched,
          "store.members:insert { customer = 'ana', points = 1 } store.members:update(1, { points = 2 }) "
          "store.members:delete(1)",
          0, 0);
}

/* Under newer rules facts may be made of them. */
static void a_call_of_before_changes_every_customer_that_a_row_names(void **state)
{
    struct world *w = *state;
    w->f.ctx.outdated = true;
    moves(w, w->unwatched, "store.members:insert { customer = 'ana', friend = 'bob', points = 1 }", 1, 1);
    moves(w, w->unwatched, "store.members:update(1, { friend = 'ana' })", 1, 1);
    moves(w, w->unwatched, "store.members:delete(1)", 1, 0);
}

#define WORLD(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(a_function_sees_the_customers_rows_in_order_of_id_and_whom_it_is_about),
        WORLD(a_value_has_the_type_that_was_declared),
        WORLD(a_function_that_fails_is_a_fact_that_failed),
        WORLD(a_function_is_a_rule),
        WORLD(a_slow_function_is_run_again_with_rows_as_they_were),
        WORLD(more_rows_than_the_bound_fail_the_fact),
        WORLD(without_a_collection_there_are_no_rows),
        WORLD(a_store_that_fails_is_an_error),
        WORLD(a_change_of_a_row_is_a_change_of_its_customer),
        WORLD(rows_that_no_fact_is_made_of_change_nobody),
        WORLD(a_call_of_before_changes_every_customer_that_a_row_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
