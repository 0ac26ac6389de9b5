/* feira.store as plugins meet it: functions of a plugin's file, called with the handle that the host gives. */
#include "base/alloc_fault.h"
#include "bind/collections.h"
#include "bind/fixture.h"

static const struct collection_field code_fields[] = {
    { .name = "code", .type = FIELD_STRING, .max = 12 },
    { .name = "left", .type = FIELD_INTEGER, .min = 0, .max = 100, .has_default = true, .default_int = 1 },
};
static const struct collection_index code_indexes[] = { { .fields = { 0 }, .count = 1, .unique = true } };
static const struct collection codes = { "codes", "p_coupons__codes", code_fields, 2, code_indexes, 1, true, false, 0, 0 };

#define ANY_INT .min = INT64_MIN, .max = INT64_MAX
static const struct collection_field link_fields[] = {
    { .name = "amount", .type = FIELD_MONEY, .optional = true, .min = 0, .max = INT64_MAX },
    { .name = "campaign", .type = FIELD_CAMPAIGN, .optional = true, .max = 64 },
    { .name = "data", .type = FIELD_JSON, .has_default = true, .default_text = { "{\"a\":[1]}", 9 }, .max = 60 },
    { .name = "due", .type = FIELD_TIME, .optional = true, ANY_INT },
    { .name = "invitee", .type = FIELD_CUSTOMER, .max = 64 },
    { .name = "inviter", .type = FIELD_CUSTOMER, .max = 64 },
    { .name = "order", .type = FIELD_ORDER, .optional = true, .max = 64 },
    { .name = "rate", .type = FIELD_PERCENT, .optional = true, .min = 0, .max = INT64_MAX },
    { .name = "rewarded", .type = FIELD_BOOLEAN, .has_default = true },
    { .name = "sku", .type = FIELD_SKU, .optional = true, .max = 64 },
    { .name = "step", .type = FIELD_INTEGER, .optional = true, .min = 1, .max = 9 },
};
static const struct collection_index link_indexes[] = {
    { .fields = { 4 }, .count = 1, .unique = true },
    { .fields = { 5, 10 }, .count = 2, .unique = true },
    { .fields = { 5 }, .count = 1 },
    { .fields = { 8, 3 }, .count = 2 },
};
static const struct collection links = { "links", "p_invite__links", link_fields, 11, link_indexes, 4, false, false, 0, 0 };

static const struct bind_grant invite_list[] = { { "invite", &links, true, true, NULL, 0 }, { "coupons", &codes, true, false, NULL, 0 } };
static const struct bind_grants invite = { "invite", invite_list, 2 };
static const struct bind_grant coupons_list[] = { { "coupons", &codes, true, true, NULL, 0 } };
static const struct bind_grants coupons = { "coupons", coupons_list, 1 };

struct world {
    struct fixture f;
    vm_ref invite, coupons;
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
    vm_set_fuel(f->vm, 1000000000); /* the clock that backs it up goes by it, and valgrind is slow */
    sql(f, "CREATE TABLE p_coupons__codes (id INTEGER PRIMARY KEY AUTOINCREMENT, \"code\" TEXT, \"left\" INTEGER DEFAULT 1)");
    sql(f, "CREATE UNIQUE INDEX codes_1 ON p_coupons__codes (\"code\")");
    sql(f, "CREATE TABLE p_invite__links (id INTEGER PRIMARY KEY AUTOINCREMENT, amount INTEGER, campaign TEXT, data TEXT DEFAULT "
           "'{\"a\":[1]}', due INTEGER, "
           "invitee TEXT, inviter TEXT, \"order\" TEXT, rate INTEGER, rewarded INTEGER DEFAULT 0, sku TEXT, step INTEGER)");
    sql(f, "CREATE UNIQUE INDEX links_1 ON p_invite__links (invitee)");
    sql(f, "CREATE UNIQUE INDEX links_2 ON p_invite__links (inviter, step)");
    sql(f, "CREATE INDEX links_3 ON p_invite__links (inviter)");
    sql(f, "CREATE INDEX links_4 ON p_invite__links (rewarded, due)");
    if (bind_store(f->vm, &invite, &w->invite, &f->err) < 0 || bind_store(f->vm, &coupons, &w->coupons, &f->err) < 0)
        fail_msg("%s", f->err.text);
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

/* body: of a function that gets store, as a file of the plugin would. */
static int run_as(struct world *w, vm_ref store, enum bind_phase phase, const char *body)
{
    struct fixture *f = &w->f;
    char *text;
    vm_ref fn;
    arena_reset(&f->arena);
    err_clear(&f->err);
    if (asprintf(&text, "local json = require 'feira.json'\nreturn function(store)\n%s\nend", body) < 0)
        abort();
    if (vm_run(f->vm, slice_str(text), "plugins/invite/events.lua", &fn, &f->err) < 0)
        fail_msg("%s", f->err.text);
    free(text);
    f->ctx.phase = phase;
    vm_push_ref(f->vm, store);
    int rc = vm_call(f->vm, fn, 1, NULL, NULL, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    vm_release(f->vm, fn);
    return rc;
}

static void holds(struct world *w, const char *body)
{
    if (run_as(w, w->invite, BIND_PHASE_PROCEDURE, body) < 0)
        fail_msg("%s", w->f.err.text);
}

static void fails_as(struct world *w, vm_ref store, enum bind_phase phase, const char *body, const char *because)
{
    if (run_as(w, store, phase, body) == 0)
        fail_msg("%s went through", body);
    if (!strstr(w->f.err.text, because))
        fail_msg("%s\n  says: %s\n  not:  %s", body, w->f.err.text, because);
}

static void fails(struct world *w, const char *body, const char *because)
{
    fails_as(w, w->invite, BIND_PHASE_PROCEDURE, body, because);
}

static void a_row_comes_back_as_it_was_put(void **state)
{
    holds(*state, "local id = store.links:insert { inviter = 'cus_1', invitee = 'cus_2', amount = '12.50', campaign = 'welcome', data = { "
                  "list = { 1, 2 }, s = 'é' },\n"
                  "  due = 1700000000000, order = 'ord_1', rate = '12.5', rewarded = true, sku = 'A 1', step = 3 }\n"
                  "assert(id == 1)\n"
                  "local r = store.links:get(id)\n"
                  "assert(r.id == 1 and r.inviter == 'cus_1' and r.invitee == 'cus_2' and r.amount == 1250 and r.campaign == 'welcome')\n"
                  "assert(r.due == 1700000000000 and r.order == 'ord_1' and r.rate == 125000 and r.rewarded == true and r.sku == 'A 1' and "
                  "r.step == 3)\n"
                  "assert(r.data.list[2] == 2 and r.data.s == 'é')\n"
                  "assert(math.type(r.amount) == 'integer')");
}

static void what_is_left_out_is_nil_or_the_default(void **state)
{
    struct world *w = *state;
    holds(w, "local r = store.links:get(store.links:insert { inviter = 'a', invitee = 'b' })\n"
             "assert(r.amount == nil and r.order == nil and r.rewarded == false and r.data.a[1] == 1)\n"
             "r = store.links:get(store.links:insert { inviter = 'a', invitee = 'c', step = json.null, rewarded = json.null })\n"
             "assert(r.step == nil and r.rewarded == false)");
    /* A row of an earlier revision, or one written while the field was hidden. */
    sql(&w->f, "INSERT INTO p_invite__links (inviter, invitee, rewarded, data) VALUES ('x', 'y', NULL, NULL)");
    holds(w, "local r = store.links:get { invitee = 'y' } assert(r.rewarded == false and r.data.a[1] == 1)");
}

static void rows_are_found_by_id_key_and_unique(void **state)
{
    struct world *w = *state;
    holds(w, "local a = store.links:insert { inviter = 'a', invitee = 'b', step = 1 }\n"
             "local c = store.links:insert { inviter = 'a', invitee = 'c', step = 2 }\n"
             "assert(store.links:get(a).invitee == 'b' and store.links:get { id = c }.invitee == 'c')\n"
             "assert(store.links:get { invitee = 'c' }.id == c and store.links:get { step = 1, inviter = 'a' }.id == a)\n"
             "assert(store.links:get(99) == nil and store.links:get { invitee = 'z' } == nil)");
    fails(w, "store.links:get { inviter = 'a' }", "do not name one row");
    fails(w, "store.links:get { inviterr = 'a' }", "there is no field \"inviterr\"; did you mean \"inviter\"?");
    fails(w, "store.links:get()", "give its id");
    fails(w, "store.links:get('a')", "the id must be an integer, not a string");
    fails(w, "store.links:get(1.0)", "not a float");
    assert_int_equal(run_as(w, w->coupons, BIND_PHASE_PROCEDURE,
                            "store.codes:insert { code = 'TEA' } assert(store.codes:get('TEA').left == 1)\n"
                            "assert(store.codes:get { id = 1 }.code == 'TEA')\n"
                            "assert(store.codes:update('TEA', { left = 0 }) and store.codes:get('TEA').left == 0)\n"
                            "assert(store.codes:delete('TEA') and not store.codes:delete('TEA'))"),
                     0);
    /* An id that was given once is not given again. */
    assert_int_equal(run_as(w, w->coupons, BIND_PHASE_PROCEDURE, "assert(store.codes:insert { code = 'TEA' } == 2)"), 0);
}

static void a_second_row_of_a_unique_value_is_said_not_raised(void **state)
{
    holds(*state, "store.links:insert { inviter = 'a', invitee = 'b' }\n"
                  "local id, why, code = store.links:insert { inviter = 'c', invitee = 'b' }\n"
                  "assert(id == nil and why == 'links has a row with this key or unique value already' and code == 'unique')\n"
                  "local c = store.links:insert { inviter = 'c', invitee = 'd' }\n"
                  "local done, _, code = store.links:update(c, { invitee = 'b', step = 4 })\n"
                  "assert(done == nil and code == 'unique' and store.links:get(c).step == nil)\n"
                  "assert(store.links:update(c, { invitee = 'd', step = 4 }) and store.links:get(c).step == 4)");
}

static void updates_change_what_is_named_only(void **state)
{
    struct world *w = *state;
    holds(w, "local id = store.links:insert { inviter = 'a', invitee = 'b', amount = 5, order = 'o1' }\n"
             "assert(store.links:update(id, { rewarded = true }))\n"
             "assert(store.links:update(id, { amount = 7, order = json.null, data = { x = 1 } }))\n"
             "assert(store.links:update(id, {}))\n"
             "local r = store.links:get(id)\n"
             "assert(r.rewarded and r.amount == 7 and r.order == nil and r.inviter == 'a' and r.data.x == 1 and r.data.a == nil)\n"
             "local done, why, code = store.links:update(77, { amount = 1 })\n"
             "assert(done == nil and why == 'links has no such row' and code == 'not_found')");
    fails(w, "store.links:insert { inviter = 'c', invitee = 'd' } store.links:update({ invitee = 'd' }, { inviter = json.null })",
          "can't be taken away");
    fails(w, "store.links:update(1, { id = 4 })", "there is no field \"id\"");
    fails(w, "store.links:update(1)", "the changes must be a table");
}

static void each_wrong_value_is_named(void **state)
{
    static const struct {
        const char *row, *because;
    } cases[] = {
        { "{ invitee = 'b' }", "links:insert: inviter is missing; give inviter = ... (customer)" },
        { "{ inviter = 1, invitee = 'b' }", "inviter must be a string, not an integer" },
        { "{ inviter = 'a b', invitee = 'b' }", "inviter must be the id of a customer" },
        { "{ inviter = '', invitee = 'b' }", "inviter must be the id" },
        { "{ inviter = ('x'):rep(65), invitee = 'b' }", "inviter must be the id" },
        { "{ inviter = 'a', invitee = 'b', amount = 0.5 }",
          "amount must be an integer of minor units, or a string like \"50.00\", not a float" },
        { "{ inviter = 'a', invitee = 'b', amount = '0.505' }", "amount:" },
        { "{ inviter = 'a', invitee = 'b', amount = -1 }", "amount is -1" },
        { "{ inviter = 'a', invitee = 'b', rate = 12.5 }", "rate must be" },
        { "{ inviter = 'a', invitee = 'b', rewarded = 1 }", "rewarded must be true or false" },
        { "{ inviter = 'a', invitee = 'b', due = '2026-01-01' }", "due must be a time" },
        { "{ inviter = 'a', invitee = 'b', step = 10 }", "step is 10; it must be from 1 to 9" },
        { "{ inviter = 'a', invitee = 'b', step = 1.0 }", "step must be an integer, not a float" },
        { "{ inviter = 'a', invitee = 'b', order = 'a/b' }", "order must be the id of an order" },
        { "{ inviter = 'a', invitee = 'b', sku = ' x' }", "without spaces" },
        { "{ inviter = 'a', invitee = 'b', sku = '\\xff' }", "must be UTF-8" },
        { "{ inviter = 'a', invitee = 'b', sku = 'a\\0b' }", "without zero bytes" },
        { "{ inviter = 'a', invitee = 'b', data = ('x'):rep(70) }", "bytes as JSON; it may have 60" },
        { "{ inviter = 'a', invitee = 'b', data = function() end }", "can't be written as data" },
        { "{ inviter = 'a', invitee = 'b', stepp = 1 }", "there is no field \"stepp\"; did you mean \"step\"?" },
        { "{ 'a', 'b' }", "the row must have names" },
        { "7", "the row must be a table, not a number" },
        { "{ inviter = 'a', invitee = 'b', id = 7 }", "there is no field \"id\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char body[300];
        snprintf(body, sizeof body, "store.links:insert(%s)", cases[i].row);
        fails(*state, body, cases[i].because);
    }
    fails(*state, "store.links.insert { inviter = 'a', invitee = 'b' }", "with a colon");
    holds(*state, "assert(#store.links:find() == 0)");
}

/* Ids come from clients: one that can't be anybody's is nobody's, and no failure of the plugin. */
static void what_no_row_can_have_is_in_none(void **state)
{
    struct world *w = *state;
    holds(w, "store.links:insert { inviter = 'a', invitee = 'b', step = 3 }\n"
             "for _, id in ipairs { '', 'a b', ('x'):rep(65), ('x'):rep(5000), '\\xff', 'a\\0b', '../b' } do\n"
             "  assert(store.links:get { invitee = id } == nil, id)\n"
             "  assert(#store.links:find { inviter = id } == 0, id)\n"
             "  for _ in store.links:each { where = { inviter = id } } do error(id) end\n"
             "  assert(store.links:delete { invitee = id } == false, id)\n"
             "  local done, _, code = store.links:update({ invitee = id }, { step = 4 })\n"
             "  assert(done == nil and code == 'not_found', id)\n"
             "end\n"
             "assert(store.links:get { step = 10, inviter = 'a' } == nil and store.links:get { step = 3, inviter = 'a' }.invitee == 'b')");
    fails(w, "store.links:get { invitee = 7 }", "invitee must be a string");
    fails(w, "store.links:find { inviter = false }", "inviter must be a string");
}

static void find_follows_an_index(void **state)
{
    struct world *w = *state;
    holds(w, "for i = 1, 9 do store.links:insert { inviter = i % 2 == 0 and 'even' or 'odd', invitee = 'c' .. i, step = i } end\n"
             "local odd = store.links:find { inviter = 'odd' }\n"
             "assert(#odd == 5 and odd[1].step == 1 and odd[5].step == 9)\n"
             "assert(#store.links:find() == 9 and #store.links:find({}, { limit = 4 }) == 4)\n"
             "assert(store.links:find({ inviter = 'even' }, { reverse = true, limit = 1 })[1].step == 8)\n"
             "assert(#store.links:find { step = 3, inviter = 'odd' } == 1 and #store.links:find { inviter = 'none' } == 0)");
    fails(w, "store.links:find { step = 1 }",
          "no index is made of just these fields; add { \"step\" } to index of the collection in plugin.lua");
    fails(w, "store.links:find { stp = 1 }", "did you mean \"step\"?");
    fails(w, "store.links:find({}, { limt = 1 })", "did you mean \"limit\"?");
    fails(w, "store.links:find({}, { limit = 1001 })", "from 1 to 1000");
    sql(&w->f, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)"
               "INSERT INTO p_invite__links (inviter, invitee) SELECT 'many', 'm' || i FROM n");
    fails(w, "store.links:find { inviter = 'many' }", "more than 1000 rows");
    holds(w, "assert(#store.links:find({ inviter = 'many' }, { limit = 1000 }) == 1000)");
}

static void each_goes_through_all_in_order_and_a_cursor_goes_on(void **state)
{
    struct world *w = *state;
    holds(w, "local due = { 50, 20, 20, 90, 10, 70 }\n"
             "for i = 1, 240 do store.links:insert { inviter = 'a', invitee = 'c' .. i, due = due[i % 6 + 1] + (i % 3) * 100, rewarded = i "
             "% 4 == 0 } end\n"
             "for i = 1, 5 do store.links:insert { inviter = 'b', invitee = 'd' .. i } end\n"
             "local n, last = 0, 0\n"
             "for row in store.links:each() do n = n + 1 assert(row.id == last + 1) last = row.id end\n"
             "assert(n == 245)\n"
             "n = 0\n"
             "for row in store.links:each { reverse = true } do assert(row.id == 245 - n) n = n + 1 end\n"
             "assert(n == 245)\n"
             "n = 0\n"
             "for row in store.links:each { where = { inviter = 'b' } } do n = n + 1 end\n"
             "assert(n == 5)\n"
             /* Along an index: those without a due time are not in it. */
             "local order, cursors = {}, {}\n"
             "for row, cursor in store.links:each { index = { 'rewarded', 'due' }, where = { rewarded = false } } do\n"
             "  order[#order + 1] = row cursors[#cursors + 1] = cursor\n"
             "end\n"
             "assert(#order == 180)\n"
             "for i = 2, #order do local a, b = order[i - 1], order[i] assert(a.due < b.due or a.due == b.due and a.id < b.id) end\n"
             "for _, at in ipairs { 1, 49, 50, 51, 179, 180 } do\n"
             "  local i = at\n"
             "  for row in store.links:each { index = { 'rewarded', 'due' }, where = { rewarded = false }, after = cursors[at] } do i = i "
             "+ 1 assert(row.id == order[i].id) end\n"
             "  assert(i == 180)\n"
             "end\n"
             "n = #order + 1\n"
             "for row in store.links:each { index = { 'rewarded', 'due' }, where = { rewarded = false }, reverse = true } do n = n - 1 "
             "assert(row.id == order[n].id) end\n"
             "assert(n == 1)\n"
             "n = 0\n"
             "for row in store.links:each { index = { 'rewarded', 'due' }, where = { rewarded = true }, from = 20, to = 110 } do n = n + 1 "
             "assert(row.due >= 20 and row.due < 110) end\n"
             "assert(n > 0)\n"
             "local all = 0\n"
             "for row, cursor in store.links:each { index = { 'rewarded', 'due' } } do all = all + 1 end\n"
             "assert(all == 240)\n"
             "n = 0\n"
             "for row in store.links:each { limit = 60 } do n = n + 1 end\n"
             "assert(n == 60)\n"
             "for row in store.links:each { index = { 'rewarded', 'due' }, after = select(2, store.links:each { index = { 'rewarded', "
             "'due' } }()), limit = 1 } do n = n + 1 end\n"
             "assert(n == 61)");
    fails(w, "store.links:each { index = { 'due' } }", "there is no such index");
    fails(w, "store.links:each { index = { 'rewarded', 'due' }, where = { due = 1 } }", "rewarded is missing");
    fails(w, "store.links:each { from = 1 }", "name it with index");
    fails(w, "store.links:each { after = 'x' }", "no cursor of this index");
    fails(w, "store.links:each { after = '[\"a\"]' }", "the id must be an integer");
    fails(w, "store.links:each { index = { 'rewarded', 'due' }, after = '[1]' }", "no cursor of this index");
    fails(w, "store.links:each { wher = {} }", "did you mean \"where\"?");
}

static void rows_may_be_changed_while_going_through_them(void **state)
{
    holds(*state, "for i = 1, 120 do store.links:insert { inviter = 'a', invitee = 'c' .. i } end\n"
                  "local n = 0\n"
                  "for row in store.links:each { where = { inviter = 'a' } } do\n"
                  "  n = n + 1\n"
                  "  if n % 2 == 0 then store.links:delete(row.id) else store.links:update(row.id, { rewarded = true }) end\n"
                  "  if n == 10 then break end\n"
                  "end\n"
                  "assert(#store.links:find { inviter = 'a' } == 115)\n"
                  "for row in store.links:each() do store.links:delete(row.id) end\n"
                  "assert(#store.links:find() == 0)");
}

static void only_what_is_granted_can_be_touched(void **state)
{
    struct world *w = *state;
    holds(w, "assert(store.of('coupons').codes:get('TEA') == nil)");
    fails(w, "store.of('coupons').codes:insert { code = 'FREE' }",
          "the plugin invite may not change coupons.codes; add \"coupons.codes:write\" to needs.collections in its plugin.lua");
    fails(w, "store.of('coupons').grants:get(1)", "may not touch coupons.grants");
    fails(w, "store.of('points')", "may touch no collection of points");
    fails(w, "store.link:get(1)", "the plugin invite has no collection 'link'; did you mean 'links'?");
    fails(w, "store.zzz:get(1)", "add it to collections");
    fails(w, "store.codes:get(1)", "has no collection");
    fails_as(w, w->coupons, BIND_PHASE_PROCEDURE, "store.of('invite').links:get(1)", "may touch no collection of invite");
    fails(w, "store.links = nil", "");
    fails(w, "getmetatable(store).__index = nil", "");
    fails(w, "setmetatable(store, {})", "");
}

static void reading_and_writing_have_their_moments(void **state)
{
    struct world *w = *state;
    assert_int_equal(run_as(w, w->invite, BIND_PHASE_HANDLER, "assert(store.links:get(1) == nil and #store.links:find() == 0)"), 0);
    fails_as(w, w->invite, BIND_PHASE_HANDLER, "store.links:insert { inviter = 'a', invitee = 'b' }",
             "links:insert() can't be used in a handler");
    fails_as(w, w->invite, BIND_PHASE_HANDLER, "store.links:update(1, {})", "links:update() can't be used");
    fails_as(w, w->invite, BIND_PHASE_HANDLER, "store.links:delete(1)", "links:delete() can't be used");
    fails_as(w, w->invite, BIND_PHASE_RULE, "store.links:get(1)", "inside a rule");
    fails_as(w, w->invite, BIND_PHASE_LOAD, "store.links:find()", "while files are loaded");
}

static void going_on_costs_fuel_and_an_end_leaves_no_statement_open(void **state)
{
    struct world *w = *state;
    sql(&w->f, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)"
               "INSERT INTO p_invite__links (inviter, invitee) SELECT 'many', 'm' || i FROM n");
    vm_set_fuel(w->f.vm, 100000);
    assert_int_equal(run_as(w, w->invite, BIND_PHASE_PROCEDURE, "while true do store.links:find({}, { limit = 1000 }) end"), ERR_FUEL);
    assert_int_equal(run_as(w, w->invite, BIND_PHASE_PROCEDURE, "while true do store.links:get(1) end"), ERR_FUEL);
    vm_set_fuel(w->f.vm, 10000000);
    sql(&w->f, "DROP TABLE p_invite__links"); /* refused while a statement reads it */
}

/* The limits of a manifest, all at once: statements are written into a fixed space. */
static void the_widest_collection_fits(void **state)
{
    struct world *w = *state;
    static char names[COLLECTION_FIELDS_MAX][25];
    struct collection_field fields[COLLECTION_FIELDS_MAX];
    struct collection_index index = { .fields = { 0, 1, 2, 3 }, .count = 4 };
    struct collection wide = {
        "wide", "p_w234567890123456789012345678901__c23456789012345678901234", fields, COLLECTION_FIELDS_MAX, &index, 1, false
    };
    struct bind_grant grant = { "invite", &wide, true, true, NULL, 0 };
    struct bind_grants grants = { "invite", &grant, 1 };
    char text[4000] = "CREATE TABLE p_w234567890123456789012345678901__c23456789012345678901234 (id INTEGER PRIMARY KEY AUTOINCREMENT";
    for (int i = 0; i < COLLECTION_FIELDS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "f%02dxxxxxxxxxxxxxxxxxxxxx", i);
        fields[i] = (struct collection_field){ .name = names[i], .type = FIELD_INTEGER, .has_default = true, ANY_INT };
        sprintf(text + strlen(text), ", %s INTEGER", names[i]);
    }
    strcat(text, ")");
    sql(&w->f, text);
    vm_ref store;
    assert_int_equal(bind_store(w->f.vm, &grants, &store, &w->f.err), 0);
    snprintf(text, sizeof text,
             "local a, b, c, d = '%s', '%s', '%s', '%s'\n"
             "for i = 1, 3 do store.wide:insert { [a] = 1, [b] = i } end\n"
             "assert(store.wide:update(1, { [c] = 5, [d] = 6 }) and store.wide:get(1)[d] == 6)\n"
             "local n = 0\n"
             "for row, cursor in store.wide:each { index = { a, b, c, d }, where = { [a] = 1 }, from = 1, to = 9, limit = 2 } do\n"
             "  n = n + 1\n"
             "  for next in store.wide:each { index = { a, b, c, d }, from = 0, to = 9, after = '[1' .. cursor:gsub('^.', ',', 1), reverse "
             "= true } do n = n + 10 end\n"
             "end\n"
             "assert(n == 12, n)",
             names[0], names[1], names[2], names[3]);
    if (run_as(w, store, BIND_PHASE_PROCEDURE, text) < 0)
        fail_msg("%s", w->f.err.text);
}

static void every_method_has_a_twin_for_editors(void **state)
{
    static const char *const methods[] = { "insert", "get", "find", "each", "update", "delete" };
    char *text = calloc(1, 1 << 16), wanted[80];
    FILE *f = fopen("stdlib/meta/feira.store.lua", "r"); /* tests run at the root of the tree */
    assert_non_null(f);
    assert_true(fread(text, 1, (1 << 16) - 1, f) > 0);
    fclose(f);
    assert_non_null(strstr(text, "\nfunction store.of("));
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        snprintf(wanted, sizeof wanted, "\nfunction Collection:%s(", methods[i]);
        assert_non_null(strstr(text, wanted));
        snprintf(wanted, sizeof wanted, "assert(type(store.links.%s) == 'function')", methods[i]);
        holds(*state, wanted);
    }
    free(text);
}

/* Each allocation of the Lua state is refused once, with all behind it: an error, and no statement is left in the middle of its rows. */
static void a_refused_allocation_is_an_error(void **state)
{
    struct world *w = *state;
    struct fixture *f = &w->f;
    struct vm *first = f->vm;
    vm_ref first_store = w->invite;
    holds(w, "for i = 1, 60 do store.links:insert { inviter = 'a', invitee = 'c' .. i } end");
    int ends = 0;
    for (size_t k = 1; ends < 3; k += 3) {
        struct alloc_fault fault;
        alloc_fault_init(&fault, 0, true);
        if (bind_open(&(struct vm_options){ .alloc = &fault.face }, &f->ctx, &f->vm, &f->err) < 0 ||
            bind_store(f->vm, &invite, &w->invite, &f->err) < 0)
            fail_msg("%s", f->err.text);
        vm_ref fn;
        static const char text[] = "return function(store)\n"
                                   "local id = store.links:insert { inviter = 'x', invitee = 'y', data = { 1, 2 } }\n"
                                   "store.links:update(id, { amount = 5, order = 'o' })\n"
                                   "for row, cursor in store.links:each { index = 'inviter' } do assert(row.id and cursor) end\n"
                                   "assert(#store.links:find { inviter = 'a' } == 60 and store.links:get(id))\n"
                                   "store.links:delete(id) end";
        assert_int_equal(vm_run(f->vm, slice_str(text), "plugins/invite/events.lua", &fn, &f->err), 0);
        f->ctx.phase = BIND_PHASE_PROCEDURE;
        arena_reset(&f->arena);
        vm_push_ref(f->vm, w->invite);
        fault.fail_at = fault.requests + k;
        int rc = vm_call(f->vm, fn, 1, NULL, NULL, &f->err);
        ends += rc == 0 && !fault.refused;
        fault.fail_at = 0;
        f->ctx.phase = BIND_PHASE_LOAD;
        vm_close(f->vm);
        assert_int_equal(fault.live_bytes, 0);
        sql(f, "DELETE FROM p_invite__links WHERE inviter = 'x'");
        assert_true(rc == 0 || f->err.text[0]);
    }
    f->vm = first;
    w->invite = first_store;
    sql(f, "DROP TABLE p_invite__links"); /* refused while a statement reads it */
}

int main(void)
{
#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD(a_row_comes_back_as_it_was_put),
        WORLD(what_is_left_out_is_nil_or_the_default),
        WORLD(rows_are_found_by_id_key_and_unique),
        WORLD(a_second_row_of_a_unique_value_is_said_not_raised),
        WORLD(updates_change_what_is_named_only),
        WORLD(each_wrong_value_is_named),
        WORLD(what_no_row_can_have_is_in_none),
        WORLD(find_follows_an_index),
        WORLD(each_goes_through_all_in_order_and_a_cursor_goes_on),
        WORLD(rows_may_be_changed_while_going_through_them),
        WORLD(only_what_is_granted_can_be_touched),
        WORLD(reading_and_writing_have_their_moments),
        WORLD(going_on_costs_fuel_and_an_end_leaves_no_statement_open),
        WORLD(the_widest_collection_fits),
        WORLD(every_method_has_a_twin_for_editors),
        WORLD(a_refused_allocation_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
