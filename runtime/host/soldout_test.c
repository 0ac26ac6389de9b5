#include "host/soldout.h"
#include "bind/bind.h"
#include "ledger/ledger.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks hooks;
    struct symbols *symbols;
    struct soldout *soldout;
    struct err err;
    int moves;
};

static void sql(struct fixture *f, const char *text)
{
    struct store_stmt *s;
    if (store_prepare(f->conn, text, &s, &f->err) < 0 || store_run(s, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void begin(struct fixture *f)
{
    assert_int_equal(store_begin(f->conn, &f->err), 0);
}

static void commit(struct fixture *f)
{
    assert_int_equal(f->hooks.before_commit(f->hooks.ctx, &f->err), 0);
    assert_int_equal(store_commit(f->conn, &f->err), 0);
    f->hooks.committed(f->hooks.ctx);
}

static void look_again(struct fixture *f)
{
    soldout_close(f->soldout);
    assert_int_equal(soldout_open(f->symbols, f->conn, f->ledger, &f->soldout, &f->err), 0);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    f->symbols = symbols_new(NULL);
    assert_int_equal(ledger_open(f->store, &f->ledger, &f->err), 0);
    f->hooks = ledger_hooks(f->ledger);
    begin(f);
    sql(f, "INSERT INTO products (id, sku, price, created_at, updated_at) VALUES (1, 'TEA', 1, 0, 0), (2, 'A/B', 1, 0, 0)");
    commit(f);
    look_again(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    soldout_close(f->soldout);
    ledger_close(f->ledger);
    store_close(f->store);
    symbols_free(f->symbols);
    free(f);
    return 0;
}

/* In one transaction; delta < 0 takes away. */
static void move(struct fixture *f, int product, const char *sku, const char *place, int64_t delta)
{
    char name[64], text[160], id[32];
    int64_t account, outside;
    snprintf(name, sizeof name, "stock/%s/%s", sku, place);
    assert_int_equal(ledger_account(f->ledger, slice_str(name), SLICE_LIT("pcs"), LEDGER_NO_OVERDRAFT, &account, &f->err), 0);
    assert_int_equal(ledger_account(f->ledger, SLICE_LIT("outside"), SLICE_LIT("pcs"), 0, &outside, &f->err), 0);
    snprintf(text, sizeof text, "INSERT INTO stock VALUES (%d, '%s', %lld) ON CONFLICT DO NOTHING", product, place, (long long)account);
    sql(f, text);
    snprintf(id, sizeof id, "t%d", f->moves++);
    struct ledger_op op = { .kind = LEDGER_TRANSFER,
                            .id = slice_str(id),
                            .debit = delta < 0 ? account : outside,
                            .credit = delta < 0 ? outside : account,
                            .amount = delta < 0 ? -delta : delta };
    if (ledger_apply(f->ledger, &op, 1, 0, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static bool sold_out(struct fixture *f, const char *sku)
{
    return soldout_has(f->soldout, symbols_find(f->symbols, slice_str(sku)));
}

static void what_runs_out_is_marked_with_the_commit_and_what_comes_in_is_not_any_more(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, 1, "TEA", "main", 5);
    move(f, 2, "A/B", "main", 1);
    commit(f);
    symbols_intern(f->symbols, SLICE_LIT("TEA"));
    symbols_intern(f->symbols, SLICE_LIT("A/B"));
    assert_false(sold_out(f, "TEA"));
    begin(f);
    move(f, 1, "TEA", "main", -5);
    move(f, 2, "A/B", "main", -1);
    assert_false(sold_out(f, "TEA"));
    commit(f);
    assert_true(sold_out(f, "TEA"));
    assert_true(sold_out(f, "A/B"));
    begin(f);
    move(f, 1, "TEA", "main", 1);
    commit(f);
    assert_false(sold_out(f, "TEA"));
    assert_true(sold_out(f, "A/B"));
}

static void what_is_undone_marks_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, 1, "TEA", "main", 5);
    commit(f);
    symbols_intern(f->symbols, SLICE_LIT("TEA"));
    begin(f);
    move(f, 1, "TEA", "main", -5);
    store_rollback(f->conn);
    f->hooks.aborted(f->hooks.ctx);
    assert_false(sold_out(f, "TEA"));
    begin(f);
    commit(f);
    assert_false(sold_out(f, "TEA"));
}

static void another_place_may_have_it(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, 1, "TEA", "main", 5);
    move(f, 1, "TEA", "north", 1);
    commit(f);
    symbols_intern(f->symbols, SLICE_LIT("TEA"));
    begin(f);
    move(f, 1, "TEA", "main", -5);
    commit(f);
    assert_false(sold_out(f, "TEA"));
    begin(f);
    move(f, 1, "TEA", "north", -1);
    commit(f);
    assert_true(sold_out(f, "TEA"));
}

static void a_start_finds_what_is_sold_out(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, 1, "TEA", "main", 5);
    move(f, 1, "TEA", "main", -5);
    commit(f);
    look_again(f);
    assert_true(sold_out(f, "TEA"));
    assert_false(sold_out(f, "A/B")); /* nothing ever came in: the writer says so */
    assert_false(soldout_has(f->soldout, 0));
    assert_false(soldout_has(f->soldout, UINT32_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_runs_out_is_marked_with_the_commit_and_what_comes_in_is_not_any_more, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_undone_marks_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(another_place_may_have_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_finds_what_is_sold_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
