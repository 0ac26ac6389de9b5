/* The modules as Lua code meets them: chunks that assert, run in a phase. */
#include "bind/fixture.h"
#include "base/alloc_fault.h"
#include <unistd.h>

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

/* Runs text as a file of the stdlib, or of a shop. */
static int run_as(struct fixture *f, const char *file, enum bind_phase phase, const char *text)
{
    vm_ref ref;
    f->ctx.phase = phase;
    f->ctx.now_ms = clock_wall_ms(&f->clock.face);
    arena_reset(&f->arena);
    err_clear(&f->err);
    int rc = vm_run(f->vm, slice_str(text), file, &ref, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    return rc;
}

static void holds(struct fixture *f, const char *text)
{
    if (run_as(f, "stdlib/test.lua", BIND_PHASE_PROCEDURE, text) < 0)
        fail_msg("%s", f->err.text);
}

static void fails(struct fixture *f, const char *text, const char *because)
{
    assert_true(run_as(f, "stdlib/test.lua", BIND_PHASE_PROCEDURE, text) < 0);
    if (!strstr(f->err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, because);
}

static void money_is_exact_and_refuses_floats(void **state)
{
    struct fixture *f = *state;
    holds(
        f,
        "local m = require 'feira.money'\n"
        "assert(m.parse '50.00' == 5000 and m.parse '0.5' == 50 and m.format(-5) == '-0.05')\n"
        "assert(m.add(1, 2) == 3 and m.sub(1, 2) == -1 and m.mul(3, 4) == 12)\n"
        "assert(m.ratio(10, 1, 3) == 3 and m.ratio(10, 1, 4) == 3 and m.ratio(10, 1, 4, 'half_even') == 2 and m.rate(999, 125000) == 125)\n"
        "assert(m.percent '12.5' == 125000 and m.percent(12.5) == 125000 and m.percent(20) == 200000)\n"
        "local p = m.allocate(100, { 1, 1, 1 }) assert(p[1] == 34 and p[2] == 33 and p[3] == 33)\n"
        "p = m.allocate(11, { 0, 0 }, 'evenly') assert(p[1] == 6 and p[2] == 5)\n"
        "p = m.allocate(11, { 1, 0 }, 'evenly') assert(p[1] == 11 and p[2] == 0)\n"
        "assert(m.currency() == 'GBP')");
    fails(f, "require('feira.money').add(math.maxinteger, 1)", "too large");
    assert_int_equal(f->err.code, ERR_OVERFLOW);
    fails(f, "require('feira.money').ratio(math.maxinteger, 3, 2)", "too large");
    fails(f, "require('feira.money').add(1.0, 1)", "float");
    fails(f, "require('feira.money').add('1', 1)", "not a string");
    fails(f, "require('feira.money').parse '1.234'", "the amount");
    fails(f, "require('feira.money').percent(1/3)", "exact");
    fails(f, "require('feira.money').ratio(1, 1, 1, 'sideways')", "sideways");
    fails(f, "require('feira.money').allocate(1, {})", "weights");
    fails(f, "require('feira.money').allocate(1, { 0 })", "");
    fails(f, "require('feira.money').allocate(1, { 0 }, 'evenyl')", "evenly");
}

static void json_is_the_same_for_the_same_values(void **state)
{
    struct fixture *f = *state;
    holds(
        f,
        "local j = require 'feira.json'\n"
        "assert(j.encode { b = 1, a = { 2, 'x', true } } == '{\"a\":[2,\"x\",true],\"b\":1}')\n"
        "assert(j.encode {} == '{}' and j.encode(j.array {}) == '[]' and j.encode(j.null) == 'null' and j.encode 'é\"' == '\"é\\\\\"\"')\n"
        "assert(j.encode { j.null, j.raw '[1]' } == '[null,[1]]')\n"
        "local o = j.object('z', 1, 'a', nil, j.raw '{\"m\":2}', 'n', j.null, j.raw '{}', 'l', j.array {})\n"
        "assert(j.text(o) == '{\"z\":1,\"m\":2,\"n\":null,\"l\":[]}')\n"
        "assert(j.encode { o } == '[{\"z\":1,\"m\":2,\"n\":null,\"l\":[]}]')\n"
        "local d = j.decode '{\"a\":[1,null,{}],\"b\":null,\"c\":[]}'\n"
        "assert(d.a[1] == 1 and d.a[2] == j.null and d.b == j.null)\n"
        "assert(j.encode(d) == '{\"a\":[1,null,{}],\"b\":null,\"c\":[]}')\n"
        "local v, why = j.decode '{' assert(v == nil and #why > 0)\n"
        "local n, dup = j.decode '{\"a\":1,\"a\":2}' assert(n == nil and #dup > 0)");
    fails(f, "require('feira.json').encode { 1.5 }", "float");
    fails(f, "require('feira.json').encode { 1, a = 2 }", "mixture");
    fails(f, "require('feira.json').encode { [2] = 2 }", "mixture");
    fails(f, "require('feira.json').encode { print or error }", "");
    fails(f, "local t = {} t.t = t require('feira.json').encode(t)", "nested");
    fails(f, "local j = require 'feira.json' j.object(j.raw '[1]')", "not the JSON of an object");
}

static void time_is_the_calls_and_the_shops(void **state)
{
    struct fixture *f = *state;
    holds(f, "local t = require 'feira.time'\n"
             "assert(t.now() == 1763769600000 and t.format(t.now()) == '2025-11-22T00:00:00Z')\n"
             "assert(t.parse '2025-11-22T01:00:00+01:00' == t.now() and t.duration '30m' == 1800000)\n"
             "local ms, why = t.parse 'tomorrow' assert(ms == nil and #why > 0)\n"
             "local c = t.civil(t.parse '2025-07-01T12:00:00Z') assert(c.hour == 13 and c.weekday == 2 and c.year == 2025)\n"
             "assert(t.resolve '2025-07-01 13:00' == t.parse '2025-07-01T12:00:00Z')");
    fails(f, "require('feira.time').format(math.maxinteger)", "milliseconds");
    fails(f, "require('feira.time').format(1.5)", "float");
}

static void only_the_stdlib_writes_sql(void **state)
{
    struct fixture *f = *state;
    holds(f, "local sql = require 'feira.sql'\n"
             "local put, get = sql.statement 'INSERT INTO meta (name, value) VALUES (?1, ?2)', sql.statement 'SELECT name, value FROM meta "
             "WHERE name = ?1'\n"
             "assert(put:run('a', 'x') == 1 and get:row('a').value == 'x' and get:row 'b' == nil and #get:rows 'a' == 1)\n"
             "local name, value = get:values 'a' assert(name == 'a' and value == 'x' and get:values 'b' == nil)\n"
             "local ok, e = pcall(put.run, put, 'a', 'y') assert(not ok)\n"
             "local same = sql.statement 'SELECT ?1 IS NULL, ?2, ?3'\n"
             "local a, b, c = same:values(nil, true, -5) assert(a == 1 and b == 1 and c == -5)");
    fails(f, "require('feira.sql').statement('SELECT ?1'):row()", "takes 1 values");
    fails(f, "require('feira.sql').statement('SELECT ?1'):row(1.5)", "float");
    fails(f, "require('feira.sql').statement('SELECT ?1'):row({})", "table");
    fails(f, "require('feira.sql').statement('SELEC'):row()", "");
    fails(f, "require('feira.sql').statement('SELECT 1; SELECT 2'):row()", "");
    const char *const files[] = { "campaigns/stdlib/x.lua", "plugins/x/events.lua", "shop.lua" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run_as(f, files[i], BIND_PHASE_PROCEDURE, "require('feira.sql').statement 'SELECT 1'"), ERR_SCRIPT);
        assert_non_null(strstr(f->err.text, "standard library only"));
        assert_true(
            run_as(
                f, files[i], BIND_PHASE_PROCEDURE,
                "pcall(require('feira.sql').statement, 'SELECT 1') error(select(2, pcall(require('feira.sql').statement, 'SELECT 1')))") <
            0);
    }
}

static void each_phase_has_its_functions(void **state)
{
    struct fixture *f = *state;
    const char *const writes[] = {
        "require('feira.ids').new 'ord'",
        "require('feira.timers').set('a.b', 'k', 1)",
        "require('feira.catalogue').changed 'A'",
        "require('feira.ledger').apply {}",
        "require('feira.sql').statement('DELETE FROM meta'):run()",
    };
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        holds(f, writes[i]);
        for (enum bind_phase p = BIND_PHASE_LOAD; p < BIND_PHASE_PROCEDURE; p++)
            assert_int_equal(run_as(f, "stdlib/test.lua", p, writes[i]), ERR_SCRIPT);
    }
    assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_LOAD, "require('feira.time').now()"), ERR_SCRIPT);
    assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_RULE, "require('feira.sql').statement('SELECT 1'):row()"), ERR_SCRIPT);
    assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_RULE, "require('feira.log').info('a', 'b')"), ERR_SCRIPT);
}

static void a_failure_arrives_as_it_was_meant(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *call;
        int code;
    } cases[] = {
        { "invalid('/a', 'Because.', 'why')", ERR_INVALID },
        { "conflict('why', 'Because.', '/a')", ERR_CONFLICT },
        { "raise { status = 409, reason = 'why', field = '/a', detail = 'Because.' }", ERR_CONFLICT },
        { "raise { status = 404, reason = 'why', field = '/a', detail = 'Because.' }", ERR_NOT_FOUND },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        snprintf(text, sizeof text, "require('feira.fail').%s", cases[i].call);
        assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_PROCEDURE, text), cases[i].code);
        assert_string_equal(f->err.reason, "why");
        assert_string_equal(f->err.field, "/a");
        assert_string_equal(f->err.text, "Because.");
    }
    assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_PROCEDURE, "require('feira.fail').retry 'x'"), ERR_RETRY);
    assert_int_equal(run_as(f, "stdlib/test.lua", BIND_PHASE_PROCEDURE, "require('feira.fail').raise { status = 200, detail = 'x' }"),
                     ERR_SCRIPT);
    assert_int_equal(fixture_try(f, "orders.nothing", "{}"), ERR_SCRIPT);
    assert_int_equal(fixture_try(f, "nothing.at_all", "{}"), ERR_SCRIPT);
    assert_int_equal(fixture_try(f, "nothing", "{}"), ERR_SCRIPT);
}

static void log_lines_take_plain_fields(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    f->ctx.log = log_open(ends[1], LOG_JSON, LOG_INFO, &f->clock.face);
    holds(f, "require('feira.log').warn('stock.low', 'Few are left.', { sku = 'A', left = 3, urgent = true })");
    char line[512];
    ssize_t n = read(ends[0], line, sizeof line - 1);
    assert_true(n > 0);
    line[n] = 0;
    assert_non_null(strstr(line, "\"stock.low\""));
    assert_non_null(strstr(line, "\"left\":3"));
    fails(f, "require('feira.log').info('a', 'b', { x = {} })", "integer");
    log_close(f->ctx.log);
    f->ctx.log = NULL;
    close(ends[0]);
    close(ends[1]);
}

static void the_whole_stdlib_loads(void **state)
{
    struct fixture *f = *state;
    holds(f, "for _, name in ipairs { 'orders', 'order_rows', 'order_refunds', 'order_states', 'order_blocks', 'order_fulfilments', "
             "'order_pieces', 'order_shares', 'checkouts', 'payments', 'products', 'stock', "
             "'customers', 'page',\n"
             "                       'check', 'caller', 'signatures' } do assert(type(require('feira.' .. name)) == 'table', name) end");
    fails(f, "require 'feira.no_such'", "no module");
    fails(f, "require 'feira.store'", "is for plugins");
    fails(f, "require('feira.orders').place = 1", "");
}

/* Working directory: the root of the tree. */
static char *twin_of(struct fixture *f, const char *module)
{
    char path[128];
    snprintf(path, sizeof path, "stdlib/meta/%s.lua", module);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s has no twin %s for editors", module, path);
    char *text = arena_zalloc(&f->kept, 1 << 16);
    assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
    fclose(file);
    return text;
}

static void every_function_has_a_twin_for_editors(void **state)
{
    struct fixture *f = *state;
    static const char *const modules[] = { "feira.money",     "feira.json",   "feira.time",       "feira.ids",    "feira.log",
                                           "feira.fail",      "feira.sql",    "feira.ledger",     "feira.timers", "feira.quote",
                                           "feira.catalogue", "feira.crypto", "feira.signatures", "feira.shop" };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        char chunk[256], wanted[128];
        snprintf(chunk, sizeof chunk,
                 "local names = { 'x' } for k, v in pairs(require '%s') do if type(v) == 'function' then names[#names + 1] = k end end "
                 "return names",
                 modules[i]);
        vm_ref ref;
        struct json_value *names;
        assert_int_equal(vm_run(f->vm, slice_str(chunk), "stdlib/test.lua", &ref, &f->err), 0);
        assert_int_equal(vm_to_json(f->vm, ref, &f->kept, &names, &f->err), 0);
        const char *twin = twin_of(f, modules[i]);
        size_t n = 0;
        for (const struct json_value *m = names->first->next; m; m = m->next, n++) {
            snprintf(wanted, sizeof wanted, "\nfunction %s.%.*s(", strchr(modules[i], '.') + 1, SLICE_FMT(m->string));
            if (!strstr(twin, wanted))
                fail_msg("stdlib/meta/%s.lua lacks %.*s", modules[i], SLICE_FMT(m->string));
        }
        assert_true(n > 0 || strcmp(modules[i], "feira.quote") == 0);
        vm_release(f->vm, ref);
    }
}

/* Refuses the k-th allocation of the Lua state and all after it (Lua tries again after one), for every k: an error each time, never a
 * crash, and the state is good afterwards. */
static void a_refused_allocation_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct alloc_fault fault;
    alloc_fault_init(&fault, 0, false);
    vm_close(f->vm);
    assert_int_equal(bind_open(&(struct vm_options){ .alloc = &fault.face }, &f->ctx, &f->vm, &f->err), 0);
    fixture_product(f, "TEA", 1000, 1000000);
    const char *cart = "{'lines':[{'sku':'TEA','qty':2,'price':1000},{'sku':'TEA','qty':1,'price':900}],'customer':'ann','final':true}";
    const char *id = fixture_order(f, cart);
    char args[256];
    snprintf(args, sizeof args, "{" SK ",'params':{'id':'%s'}}", id);
    assert_int_equal(fixture_read(f, "orders.get", args), 0);
    int64_t placed = 1;
    size_t refused = 0;
    for (size_t k = 1;; k++) {
        fault.requests = 0;
        fault.refused = false;
        fault.fail_at = k;
        fault.fail_after = true;
        int rc = fixture_place(f, cart, "{" SK ",'body':{}}");
        fault.fail_at = 0;
        placed += rc == 0;
        if (!fault.refused)
            break;
        refused += rc < 0;
        if (rc < 0 && f->err.code != ERR_MEMORY_CAP && f->err.code != ERR_NOMEM)
            fail_msg("%d %s", f->err.code, f->err.text);
    }
    assert_true(refused > 50);
    fixture_stock_is(f, "TEA", 1000000, 3 * placed);
    fixture_books_balance(f);
    vm_close(f->vm);
    f->vm = NULL;
    assert_int_equal(fault.live_bytes, 0);
    assert_int_equal(bind_open(&(struct vm_options){ 0 }, &f->ctx, &f->vm, &f->err), 0);
}

static void opening_survives_every_refused_allocation(void **state)
{
    struct fixture *f = *state;
    struct vm *v;
    for (size_t k = 1;; k++) {
        struct alloc_fault fault;
        alloc_fault_init(&fault, k, false);
        int rc = bind_open(&(struct vm_options){ .alloc = &fault.face }, &f->ctx, &v, &f->err);
        vm_close(v);
        assert_int_equal(fault.live_bytes, 0);
        if (!fault.refused) {
            assert_int_equal(rc, 0);
            break;
        }
    }
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(money_is_exact_and_refuses_floats),
        SHOP_TEST(json_is_the_same_for_the_same_values),
        SHOP_TEST(time_is_the_calls_and_the_shops),
        SHOP_TEST(only_the_stdlib_writes_sql),
        SHOP_TEST(each_phase_has_its_functions),
        SHOP_TEST(a_failure_arrives_as_it_was_meant),
        SHOP_TEST(log_lines_take_plain_fields),
        SHOP_TEST(the_whole_stdlib_loads),
        SHOP_TEST(every_function_has_a_twin_for_editors),
        SHOP_TEST(a_refused_allocation_is_an_error),
        SHOP_TEST(opening_survives_every_refused_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
