#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc_fault.h"
#include "vm/vm_int.h"
#include <pthread.h>
#include <stdio.h>

struct world {
    struct vm *vm;
    struct arena arena;
    struct err err;
};

static int resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    (void)ctx;
    static const struct {
        const char *name, *text;
    } modules[] = {
        { "good",
          "local M = { list = { 1, 2 }, deep = { a = { b = 1 } } }\nlocal count = {}\n"
          "function M.add() count.n = (count.n or 0) + 1 return count.n end\nfunction M.greet(x) return 'hello ' .. x end\nreturn M" },
        { "circle.a", "return require 'circle.b'" },
        { "circle.b", "return require 'circle.a'" },
        { "broken", "local x =\nreturn }" },
        { "failing", "error 'it does not want to'" },
    };
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        if (slice_is(name, modules[i].name)) {
            *source = slice_str(modules[i].text);
            *chunk = slice_str("lib/module.lua");
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, "there is no module \"%.*s\"", SLICE_FMT(name));
}

/* Valgrind makes everything some fifty times slower, and says in the environment that it is there. */
static int patience(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload") ? 50 : 1;
}

static void open_world(struct world *w, struct vm_options o)
{
    memset(w, 0, sizeof *w);
    o.patience = patience();
    assert_int_equal(vm_open(&o, &w->vm, &w->err), 0);
    vm_set_resolver(w->vm, resolve, NULL);
    arena_init(&w->arena, NULL, 0);
}

static int setup(void **state)
{
    static struct world w;
    open_world(&w, (struct vm_options){ .memory_soft_bytes = 8 << 20, .fuel = 5000000 });
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    vm_close(w->vm);
    arena_release(&w->arena);
    return 0;
}

/* Runs the text as file t.lua and gives its value as JSON text; NULL when it failed (w->err). */
static const char *run(struct world *w, const char *text)
{
    vm_ref ref;
    memset(&w->err, 0, sizeof w->err);
    if (vm_run(w->vm, slice_str(text), "t.lua", &ref, &w->err) < 0)
        return NULL;
    struct json_value *tree;
    if (vm_to_json(w->vm, ref, &w->arena, &tree, &w->err) < 0)
        return NULL;
    vm_release(w->vm, ref);
    struct buf out;
    buf_init(&out, NULL);
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_value_write(&writer, tree);
    const char *s = arena_strdup(&w->arena, buf_slice(&out));
    buf_release(&out);
    return s;
}

static void gives(struct world *w, const char *text, const char *json)
{
    const char *got = run(w, text);
    if (!got)
        fail_msg("%s\nfailed: %s", text, w->err.text);
    assert_string_equal(got, json);
}

static void fails(struct world *w, const char *text, int code, const char *part)
{
    const char *got = run(w, text);
    if (got)
        fail_msg("%s\ngave %s", text, got);
    if (w->err.code != code || !strstr(w->err.text, part))
        fail_msg("%s\nfailed with %d: %s", text, w->err.code, w->err.text);
}

static void a_loop_ends_when_its_budget_does(void **state)
{
    fails(*state, "\nwhile true do end", ERR_FUEL, "t.lua:2: it ran past its budget of 5000000 instructions");
    fails(*state, "for i = 1, math.huge do end", ERR_FUEL, "budget");
    fails(*state, "local function f() return f() end f()", ERR_FUEL, "budget");
    gives(*state, "local n = 0 for i = 1, 100000 do n = n + 1 end return n", "100000");
}

static void nothing_in_lua_catches_the_end_of_the_budget(void **state)
{
    fails(*state, "while true do pcall(function() while true do end end) end", ERR_FUEL, "budget");
    fails(*state, "local ok = pcall(function() while true do end end) return 'survived'", ERR_FUEL, "budget");
    fails(*state, "local co = coroutine.create(function() while true do end end) coroutine.resume(co) return 1", ERR_FUEL, "budget");
    fails(*state, "pcall(coroutine.wrap(function() pcall(function() while true do end end) end)) return 1", ERR_FUEL, "budget");
    fails(*state, "while true do coroutine.wrap(function() local x = 1 coroutine.yield() end)() end", ERR_FUEL, "budget");
    fails(*state, "local t = setmetatable({}, { __index = function() while true do end end }) pcall(function() return t.x end)", ERR_FUEL,
          "budget");
    fails(*state, "table.sort({ 3, 2, 1 }, function() pcall(function() while true do end end) return true end)", ERR_FUEL, "budget");
    fails(*state, "string.gsub('x', 'x', function() pcall(function() while true do end end) end)", ERR_FUEL, "budget");
    fails(*state, "local s = '' pcall(tostring, setmetatable({}, { __tostring = function() while true do end end }))", ERR_FUEL, "budget");
    gives(*state, "return 1", "1");
}

static void the_memory_cap_ends_the_call_and_can_not_be_caught(void **state)
{
    struct world *w = *state;
    fails(w, "local t = {} for i = 1, 1e9 do t[i] = { i } end", ERR_MEMORY_CAP, "t.lua:1: it needs more than its 8192 KiB");
    fails(w, "local s = 'x' while true do s = s .. s end", ERR_MEMORY_CAP, "a string of more than 1024 KiB");
    fails(w, "pcall(function() local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end end) return 1", ERR_MEMORY_CAP, "memory");
    assert_true(vm_memory_bytes(w->vm) < 1 << 20);
    gives(w, "return #('x'):rep(1000000)", "1000000");
}

static void coroutines_count_as_memory(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, (struct vm_options){ .memory_soft_bytes = 1 << 20 });
    fails(&w, "local t = {} while true do t[#t + 1] = coroutine.wrap(function() coroutine.yield() end) t[#t]() end", ERR_MEMORY_CAP,
          "memory");
    vm_close(w.vm);
    arena_release(&w.arena);
}

static void garbage_alone_does_not_meet_the_cap(void **state)
{
    gives(*state, "local n = 0 for i = 1, 30 do local s = ('x'):rep(500000) n = n + #s end return n", "15000000");
}

static void work_inside_one_c_function_takes_fuel(void **state)
{
    fails(*state, "return ('a'):rep(30):find(('a?'):rep(30) .. ('a'):rep(30))", ERR_FUEL, "budget");
    fails(*state, "return string.find(('a'):rep(20000), '.-.-.-.-b')", ERR_FUEL, "budget");
    fails(*state, "return ('('):rep(50000):find('%b()%b()') or ('('):rep(3000):gsub('%b()', '')", ERR_FUEL, "budget");
    fails(*state, "table.move({}, 1, math.maxinteger - 1, 2)", ERR_FUEL, "budget");
    fails(*state, "local t = {} for i = 1, 20000 do t[i] = -i end for i = 1, 1000 do table.sort(t) end", ERR_FUEL, "budget");
    fails(*state, "while true do local s = ('x'):rep(1000000) end", ERR_FUEL, "budget");
    fails(*state,
          "local f, n = {}, {} for i = 1, 100 do f[i] = '%99.99f' n[i] = 1e308 end f = table.concat(f) while true do "
          "f:format(table.unpack(n)) end",
          ERR_FUEL, "budget");
    fails(*state, "local t = {} for i = 1, 1024 do t['k' .. i] = i end for i = 1, 1e9 do t['k' .. i] = nil t['k' .. i + 1024] = 1 end",
          ERR_FUEL, "budget");
}

static void sizes_that_can_not_be_are_refused_before_they_are_tried(void **state)
{
    fails(*state, "return ('x'):rep(1 << 40)", ERR_SCRIPT, "rep: the result would be longer than 1024 KiB");
    gives(*state, "return (''):rep(1 << 60)", "\"\"");
    fails(*state, "return table.unpack({}, 1, 1e8)", ERR_SCRIPT, "too many results");
    fails(*state, "return string.pack('c' .. ((1 << 31) - 1), 'x')", ERR_SCRIPT, "a size in the format is too large");
    gives(*state, "local t = setmetatable({}, { __len = function() return math.maxinteger end }) table.insert(t, 1, 2) return t[1]", "2");
    gives(*state, "return table.concat(setmetatable({}, { __len = function() return 1 << 40 end }))", "\"\"");
}

static void pairs_goes_through_numbers_then_strings_in_order(void **state)
{
    gives(*state,
          "local o = {} for k in pairs { b = 1, a = 1, [10] = 1, [-3] = 1, [2.5] = 1, 'x', 'y', [true] = 1, aa = 1, [''] = 1 } do o[#o + "
          "1] = tostring(k) end return o",
          "[\"-3\",\"1\",\"2\",\"2.5\",\"10\",\"\",\"a\",\"aa\",\"b\",\"true\"]");
    gives(*state,
          "local n = 0 local t = {} for i = 1, 1000 do t['k' .. i] = i end local last = '' for k in pairs(t) do assert(last < k) last = k "
          "n = n + 1 end return n",
          "1000");
    gives(*state, "local t = { a = 1, b = 2, c = 3 } local o = {} for k in pairs(t) do o[#o + 1] = k t.b = nil end return o",
          "[\"a\",\"c\"]");
    gives(*state,
          "local o = {} for k, v in pairs(setmetatable({}, { __pairs = function(t) return function(_, i) if i < 3 then return i + 1, i end "
          "end, t, 0 end })) do o[k] = v end return o",
          "[0,1,2]");
    fails(*state, "for k in pairs { [{}] = 1 } do end", ERR_SCRIPT, "a table is no key that has an order");
    gives(*state,
          "local o = {} for k in pairs { [math.maxinteger] = 1, [2^53] = 1, [1e300] = 1, [-1e300] = 1, [math.mininteger] = 1 } do o[#o + "
          "1] = tostring(k) end return o",
          "[\"-1e+300\",\"-9223372036854775808\",\"9007199254740992\",\"9223372036854775807\",\"1e+300\"]");
}

static void errors_say_file_and_line(void **state)
{
    fails(*state, "local x\n\nx.y = 1", ERR_SCRIPT, "t.lua:3: attempt to index a nil value (local 'x')");
    fails(*state, "x = = 1", ERR_SCRIPT, "t.lua:1: unexpected symbol near '='");
    fails(*state, "\nerror('no tea', 1)", ERR_SCRIPT, "t.lua:2: no tea");
    fails(*state, "error({ 1 })", ERR_SCRIPT, "it raised a table instead of a sentence");
    fails(*state, "error(setmetatable({}, { __tostring = function() while true do end end }))", ERR_SCRIPT, "it raised a table");
    fails(*state, "error()", ERR_SCRIPT, "it raised a nil");
    fails(*state, "\nstring.format('%d', 'x')", ERR_SCRIPT, "t.lua:2: bad argument #2 to 'format' (number expected, got string)");
    fails(*state, "return \"50.00\" * 2", ERR_SCRIPT, "attempt to perform arithmetic on a string value");
}

static void strings_show_no_address(void **state)
{
    gives(*state, "return { tostring({}), tostring(print), tostring(pairs), tostring(coroutine.create(type)), string.format('%s', {}) }",
          "[\"table\",\"nil\",\"function\",\"thread\",\"table\"]");
    fails(*state, "return ('%p'):format({})", ERR_SCRIPT, "%p is not available");
    gives(*state, "local ok, e = pcall(function() return {} < {} end) return e", "\"t.lua:1: attempt to compare two table values\"");
}

static void finalizers_weak_tables_and_hidden_metatables_are_refused(void **state)
{
    fails(*state, "setmetatable({}, { __gc = function() end })", ERR_SCRIPT, "__gc is not available");
    fails(*state, "setmetatable({}, { __mode = 'k' })", ERR_SCRIPT, "__mode is not available");
    fails(*state, "setmetatable({}, { __close = function() end })", ERR_SCRIPT, "__close is not available");
    fails(*state, "setmetatable({}, { __metatable = 1 })", ERR_SCRIPT, "__metatable is not available");
    /* Added later it has no effect: the table keeps what it points to. */
    gives(
        *state,
        "local mt = {} local t = setmetatable({}, mt) mt.__mode = 'v' t[1] = {} for i = 1, 20000 do local x = { i } end return t[1] ~= nil",
        "true");
    gives(*state, "return { getmetatable('') == nil, getmetatable(string) == nil, getmetatable(setmetatable({}, { x = 1 })).x }",
          "[true,true,1]");
    fails(*state, "setmetatable(string, {})", ERR_SCRIPT, "read-only");
}

static void classes_work_as_in_plain_lua(void **state)
{
    gives(*state,
          "local Point = {} Point.__index = Point Point.__eq = function(a, b) return a.x == b.x end Point.__add = function(a, b) return "
          "Point.new(a.x + b.x) end\n"
          "function Point.new(x) return setmetatable({ x = x }, Point) end function Point:double() return Point.new(self.x * 2) end\n"
          "local p = Point.new(2) + Point.new(3) return { p.x, p:double().x, p == Point.new(5), getmetatable(p) == Point }",
          "[5,10,true,true]");
}

static void shared_tables_can_not_be_changed(void **state)
{
    fails(*state, "string.upper = function() end", ERR_SCRIPT, "'upper' can't be set: this table is read-only");
    fails(*state, "rawset(string, 'upper', 1)", ERR_SCRIPT, "read-only");
    fails(*state, "table.insert(math, 1)", ERR_SCRIPT, "read-only");
    fails(*state, "table.sort(table)", ERR_SCRIPT, "read-only");
    fails(*state, "require('good').list[3] = 1", ERR_SCRIPT, "read-only");
    fails(*state, "require('good').deep.a.b = 2", ERR_SCRIPT, "'b' can't be set");
    fails(*state, "return require('good').add()", ERR_SCRIPT, "lib/module.lua:3: 'n' can't be set");
    gives(*state,
          "pairs = nil local g = require 'good' local o = {} return { #g.list, g.list[2], g.deep.a.b, g.greet 'you', table.concat(g.list, "
          "'-') }",
          "[2,2,1,\"hello you\",\"1-2\"]");
    gives(*state, "local o = {} for k in pairs(require 'good') do o[#o + 1] = k end return o", "[\"add\",\"deep\",\"greet\",\"list\"]");
    gives(*state, "return type(pairs)", "\"function\"");
}

static void a_file_keeps_its_globals_and_functions_can_not_change_them(void **state)
{
    struct world *w = *state;
    gives(w, "helper = function(x) return x + 1 end return helper(1)", "2");
    gives(w, "return helper == nil", "true");
    vm_ref ref;
    assert_int_equal(vm_run(w->vm, slice_str("n = 1 limit = { 5 } return function() return n + limit[1] end"), "a.lua", &ref, &w->err), 0);
    struct json_value *result;
    assert_int_equal(vm_call(w->vm, ref, 0, &w->arena, &result, &w->err), 0);
    assert_int_equal(result->integer, 6);
    vm_release(w->vm, ref);
    assert_int_equal(vm_run(w->vm, slice_str("n = 1\nreturn function() n = n + 1 end"), "a.lua", &ref, &w->err), 0);
    assert_int_equal(vm_call(w->vm, ref, 0, &w->arena, NULL, &w->err), ERR_SCRIPT);
    assert_string_equal(
        w->err.text, "a.lua:2: global 'n' is assigned while a function runs; nothing is remembered between calls, write `local n = ...`");
    assert_int_equal(vm_run(w->vm, slice_str("t = {}\nreturn function() t.x = 1 end"), "a.lua", &ref, &w->err), 0);
    assert_int_equal(vm_call(w->vm, ref, 0, &w->arena, NULL, &w->err), ERR_SCRIPT);
}

static int undo_count;
static void undo(void *ctx)
{
    (void)ctx;
    undo_count++;
}

/* Hashes are seeded anew in every state, so what depended on them would show. */
static void the_same_program_gives_the_same_bytes_and_takes_the_same_fuel(void **state)
{
    (void)state;
    static const char program[] =
        "local t, log = {}, {} for i = 1, 300 do t['k' .. i * 7919 % 1000] = i t[i * 31 % 97] = i t[i / 8] = i end\n"
        "for k, v in pairs(t) do log[#log + 1] = tostring(k) .. '=' .. tostring(v) end\n"
        "local words = {} for w in ('the quick brown fox jumps over the lazy dog'):gmatch '%a+' do words[#words + 1] = w end\n"
        "table.sort(words, function(a, b) return #a < #b end) log[#log + 1] = table.concat(words, ' ')\n"
        "log[#log + 1] = tostring(t) .. tostring(print) .. tostring(function() end) .. tostring(coroutine.create(type))\n"
        "local co = coroutine.wrap(function(a) for i = 1, 100 do a = coroutine.yield(a * 31 % 1009) end return a end)\n"
        "local x = 7 for i = 1, 100 do x = co(x) end log[#log + 1] = x\n"
        "log[#log + 1] = select(2, pcall(function() return {} .. 'x' end)) log[#log + 1] = ('%.14g %q'):format(1 / 3, 0.1)\n"
        "return { log = log, t1 = { b = 1, a = 2, c = { z = 1, y = 2 } } }";
    const char *first = NULL;
    uint64_t fuel = 0;
    struct world w[40];
    for (int i = 0; i < 40; i++) {
        open_world(&w[i], (struct vm_options){ 0 });
        if (i % 2)
            vm_set_undo(w[i].vm, undo, NULL);
        uint64_t before = vm_stats(w[i].vm).fuel;
        vm_ref ref;
        assert_int_equal(vm_run(w[i].vm, slice_str(program), "p.lua", &ref, &w[i].err), 0);
        uint64_t used = vm_stats(w[i].vm).fuel - before;
        const char *got = run(&w[i], program);
        assert_non_null(got);
        if (i == 0) {
            first = got;
            fuel = used;
        }
        assert_string_equal(got, first);
        if (i % 2 == 0)
            assert_int_equal(used, fuel);
    }
    for (int i = 0; i < 40; i++) {
        vm_close(w[i].vm);
        arena_release(&w[i].arena);
    }
}

static void a_function_that_would_remember_is_refused(void **state)
{
    struct world *w = *state;
    fails(w, "local n = 0\nreturn { give = function()\n  n = n + 1\n  return n\nend }", ERR_SCRIPT,
          "t.lua:3: 'n' is assigned inside of a function");
    fails(w, "local function make()\n local n = 0\n return function()\n  n = n + 1 return n end\nend\nreturn { make() }", ERR_SCRIPT,
          "t.lua:4: 'n' is assigned");
    fails(w, "local n\nlocal function f()\n  return function()\n\n    n = 1\n  end\nend\nreturn { f }", ERR_SCRIPT,
          "t.lua:5: 'n' is assigned");
    fails(w, "local n local helper = { f = function() n = 1 end }\nreturn { function() return helper.f() end }", ERR_SCRIPT,
          "t.lua:1: 'n' is assigned");
    fails(w, "local n local t = setmetatable({}, { __index = function() n = 1 end })\nreturn { function() return t.x end }", ERR_SCRIPT,
          "t.lua:1: 'n' is assigned");
    fails(w, "return { function()\n _ENV = {} end }", ERR_SCRIPT, "t.lua:2: '_ENV' is assigned");
    vm_ref ref; /* a captured table is found when it is written to */
    assert_int_equal(vm_run(w->vm, slice_str("local t = {} return function()\n t.n = 1 end"), "t.lua", &ref, &w->err), 0);
    struct json_value *tree;
    assert_int_equal(vm_to_json(w->vm, ref, &w->arena, &tree, &w->err), 0);
    assert_int_equal(vm_call(w->vm, vm_function(w->vm, 1), 0, &w->arena, NULL, &w->err), ERR_SCRIPT);
    assert_non_null(strstr(w->err.text, "t.lua:2: 'n' can't be set: this table is read-only"));
}

static void a_function_may_do_with_its_own_what_it_likes(void **state)
{
    struct world *w = *state;
    gives(w, "local n = 0 local function load() n = n + 1 end load() return { n }", "[1]"); /* only while the file loads */
    gives(w, "return { function() local n = 0 local function add() n = n + 1 end add() return n end }", "[{\"fn\":1}]");
    gives(w, "local late late = function(i) return i == 0 and 0 or late(i - 1) end return { late }", "[{\"fn\":2}]");
    struct json_value *result;
    vm_push_int(w->vm, 5);
    assert_int_equal(vm_call(w->vm, vm_function(w->vm, 2), 1, &w->arena, &result, &w->err), 0);
    assert_int_equal(result->integer, 0);
    assert_int_equal(vm_call(w->vm, vm_function(w->vm, 1), 0, &w->arena, &result, &w->err), 0);
    assert_int_equal(result->integer, 1);
}

static void require_finds_modules_and_says_why_it_does_not(void **state)
{
    fails(*state, "require 'missing'", ERR_SCRIPT, "there is no module \"missing\"");
    fails(*state, "require 'circle.a'", ERR_SCRIPT, "requires itself");
    fails(*state, "require 'broken'", ERR_SCRIPT, "lib/module.lua:");
    fails(*state, "require 'failing'", ERR_SCRIPT, "lib/module.lua:1: it does not want to");
    fails(*state, "require 'failing'", ERR_SCRIPT, "it does not want to");
    gives(*state, "return require 'good' == require 'good'", "true");
    fails(*state, "require '../../etc/passwd'", ERR_SCRIPT, "there is no module");
}

static void values_become_json_in_a_fixed_order(void **state)
{
    struct world *w = *state;
    gives(w, "return { b = 1, a = { 1, 2.5, 'x', true }, c = {}, d = 0.1, e = 20.0, f = 1e100, g = -0.0 }",
          "{\"a\":[1,2.5,\"x\",true],\"b\":1,\"c\":{},\"d\":0.1,\"e\":20.0,\"f\":1e+100,\"g\":-0.0}");
    fails(w, "return { give = { { cap = 0 / 0 } } }", ERR_SCRIPT, "give[1].cap: the number is not finite");
    fails(w, "local t = {} t.self = { t } return t", ERR_SCRIPT, "self[1]: the table contains itself");
    fails(w, "return { 1, 2, a = 3 }", ERR_SCRIPT, "not both");
    fails(w, "return { a = coroutine.create(type) }", ERR_SCRIPT, "a: a thread can't be written as data");
    fails(w, "local t = {} local c = t for i = 1, 100 do c.x = {} c = c.x end return t", ERR_SCRIPT, "nested too deep");
    gives(w, "return { z = function() end, a = { function() end } }", "{\"a\":[{\"fn\":1}],\"z\":{\"fn\":2}}");
}

static void functions_get_the_same_numbers_in_every_state(void **state)
{
    struct world *w = *state, other;
    open_world(&other, (struct vm_options){ 0 });
    const char *text = "local out = {} for i = 1, 50 do out['k' .. i] = function() return i end end return out";
    const char *a = run(w, text), *b = run(&other, text);
    assert_non_null(a);
    /* The numbers follow the walk over hashed members only if that walk is ordered. */
    assert_string_equal(a, b);
    assert_int_equal(vm_function_count(w->vm), 50);
    for (int i = 1; i <= 50; i++) {
        struct json_value *x, *y;
        assert_int_equal(vm_call(w->vm, vm_function(w->vm, i), 0, &w->arena, &x, &w->err), 0);
        assert_int_equal(vm_call(other.vm, vm_function(other.vm, i), 0, &other.arena, &y, &other.err), 0);
        assert_int_equal(x->integer, y->integer);
    }
    assert_int_equal(vm_function(w->vm, 51), 0);
    vm_close(other.vm);
    arena_release(&other.arena);
}

static void arguments_go_in_and_results_come_out(void **state)
{
    struct world *w = *state;
    vm_ref ref;
    assert_int_equal(vm_run(w->vm, slice_str("return function(t, s, n, f) return { t.list[2], s .. n, f(), t.gone == nil, #t.none } end"),
                            "a.lua", &ref, &w->err),
                     0);
    vm_ref seven;
    assert_int_equal(vm_run(w->vm, slice_str("return function() return 7 end"), "b.lua", &seven, &w->err), 0);
    struct json_value *tree, *result;
    assert_int_equal(json_parse(SLICE_LIT("{\"list\":[1,2.5],\"gone\":null,\"none\":[]}"), NULL, &w->arena, &tree, &w->err), 0);
    for (int i = 0; i < 100; i++) {
        vm_push_json(w->vm, tree);
        vm_push_string(w->vm, SLICE_LIT("n="));
        vm_push_int(w->vm, 5);
        vm_push_ref(w->vm, seven);
        assert_int_equal(vm_call(w->vm, ref, 4, &w->arena, &result, &w->err), 0);
    }
    struct buf out;
    buf_init(&out, NULL);
    struct json_writer writer;
    json_writer_init(&writer, &out);
    json_value_write(&writer, result);
    assert_true(slice_is(buf_slice(&out), "[2.5,\"n=5\",7,true,0]"));
    buf_release(&out);
    assert_int_equal(lua_gettop(vm_lua(w->vm)), 0);
}

static int raise_conflict(lua_State *L)
{
    struct err e = { 0 };
    err_reason(&e, ERR_CONFLICT, "out_of_stock", "only %d are left", 3);
    return lua_toboolean(L, 1) ? vm_raise(L, &e) : vm_fail(L, &e);
}

static void errors_of_c_functions_keep_code_and_reason(void **state)
{
    struct world *w = *state;
    lua_State *L = vm_lua(w->vm);
    lua_newtable(L);
    lua_pushcfunction(L, raise_conflict);
    lua_setfield(L, -2, "take");
    vm_provide(L, "stock");
    fails(w, "\nrequire('stock').take(true)", ERR_CONFLICT, "t.lua:2: only 3 are left");
    assert_string_equal(w->err.reason, "out_of_stock");
    fails(w, "\nrequire('stock').take()", ERR_CONFLICT, "only 3 are left");
    assert_string_equal(w->err.text, "only 3 are left");
    gives(w, "local ok, e = pcall(require('stock').take) return { ok, e.code, e.reason, e.text, tostring(e) }",
          "[false,\"conflict\",\"out_of_stock\",\"only 3 are left\",\"only 3 are left\"]");
    fails(w, "local ok, e = pcall(require('stock').take) error(e)", ERR_CONFLICT, "only 3 are left");
}

static void a_located_function_knows_its_caller_even_in_a_tail_call(void **state)
{
    gives(*state, "local vm = require 'feira.vm'\nlocal f = vm.located(function(at, x) return { at, x } end)\n\nreturn f(5)",
          "[\"t.lua:4\",5]");
    gives(*state, "local vm = require 'feira.vm'\nlocal function f() return vm.where(2) .. '' end\nlocal x = f()\nreturn x", "\"t.lua:3\"");
}

static void a_slow_call_is_undone_and_counted_and_a_fast_one_is_not(void **state)
{
    struct world *w = *state;
    vm_set_undo(w->vm, undo, NULL);
    undo_count = 0;
    vm_ref ref;
    assert_int_equal(vm_run(w->vm, slice_str("return function(n) for i = 1, n do local x = i end return n end"), "a.lua", &ref, &w->err),
                     0);
    struct json_value *result;
    for (int i = 0; i < 200; i++) {
        vm_push_int(w->vm, 10);
        assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, &result, &w->err), 0);
    }
    assert_true(undo_count <= 2); /* none, unless the machine stalled */
    vm_push_int(w->vm, INT64_MAX);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, &result, &w->err), ERR_FUEL);
    bool timed = w->vm->timed; /* under the thread sanitizer there is no timer, and every call is counted */
    if (timed)
        assert_true(undo_count >= 1);
    int before = undo_count;
    vm_push_int(w->vm, INT64_MAX);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, &result, &w->err), ERR_FUEL);
    assert_int_equal(undo_count, before); /* it is counted from the start now */
    /* A slow one within its fuel comes to its result. */
    vm_set_fuel(w->vm, 100000000);
    assert_int_equal(
        vm_run(w->vm, slice_str("return function(n) local s = 0 for i = 1, n do s = s + i end return s end"), "b.lua", &ref, &w->err), 0);
    vm_push_int(w->vm, 5000000);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, &result, &w->err), 0);
    assert_int_equal(result->integer, 12500002500000);
    assert_int_equal(undo_count, timed ? before + 1 : before);
    vm_set_undo(w->vm, NULL, NULL);
    assert_int_equal(lua_gettop(vm_lua(w->vm)), 0);
}

/* A call within the call: given a share of its budget. */
static int64_t share_fuel;
static struct vm_share share;
static bool share_ended;

static int call_with_share(lua_State *L) /* (function, n) -> its value; an error goes on */
{
    vm_share_begin(L, share_fuel, &share);
    int status = vm_try(L, 1, 1);
    share_ended = vm_share_end(L, &share);
    return status == LUA_OK ? 1 : vm_rethrow(L);
}

static int with_share(struct world *w, int64_t fuel, int64_t n)
{
    vm_ref ref = 0;
    share_fuel = fuel;
    assert_int_equal(
        vm_run(w->vm, slice_str("return function(n) local s = 0 for i = 1, n do s = s + i end return s end"), "s.lua", &ref, &w->err), 0);
    lua_State *L = vm_lua(w->vm);
    lua_pushcfunction(L, call_with_share);
    vm_push_ref(w->vm, ref);
    lua_pushinteger(L, n);
    int rc = vm_pcall(w->vm, 2, 1, &w->err);
    lua_settop(L, 0);
    vm_release(w->vm, ref);
    return rc;
}

static void a_call_within_a_call_spends_of_the_same_budget_and_has_less(void **state)
{
    struct world *w = *state;
    for (int free_run = 0; free_run < 2; free_run++) { /* counted, and free: the verdicts are the same */
        vm_set_undo(w->vm, free_run ? undo : NULL, NULL);
        vm_set_fuel(w->vm, 10000000);
        assert_int_equal(with_share(w, 100000, 1000), 0);
        assert_true(share.used >= 1000 && share.used < 100000);
        assert_false(share_ended);
        assert_int_equal(with_share(w, 100000, 200000), ERR_FUEL);
        assert_true(share_ended);
        assert_non_null(strstr(w->err.text, "budget of 100000 instructions"));
        assert_int_equal(with_share(w, 100000, 1000), 0); /* nothing of it is left behind */
        /* A share that is more than what is left is no limit of its own. */
        vm_set_fuel(w->vm, 100000);
        assert_int_equal(with_share(w, 5000000, 200000), ERR_FUEL);
        assert_false(share_ended);
        assert_non_null(strstr(w->err.text, "budget of 100000 instructions"));
    }
    vm_set_undo(w->vm, NULL, NULL);
}

static void a_small_limit_is_counted_also_where_runs_are_free(void **state)
{
    struct world *w = *state;
    vm_ref ref;
    assert_int_equal(vm_run(w->vm, slice_str("return function(n) for i = 1, n do local x = i end end"), "a.lua", &ref, &w->err), 0);
    vm_set_undo(w->vm, undo, NULL);
    vm_set_fuel(w->vm, 20000);
    vm_push_int(w->vm, 100000); /* takes no more than a third of a free run */
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, NULL, &w->err), ERR_FUEL);
    vm_set_fuel(w->vm, 10000000);
    vm_push_int(w->vm, 100000);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, NULL, &w->err), 0);
    vm_set_undo(w->vm, NULL, NULL);
}

static void the_memory_of_a_call_is_what_it_added(void **state)
{
    struct world *w = *state;
    vm_ref ref;
    assert_int_equal(vm_run(w->vm, slice_str("return function(n) return #string.rep('x', n) end"), "a.lua", &ref, &w->err), 0);
    vm_push_int(w->vm, 500000);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, NULL, &w->err), 0);
    assert_in_range(vm_call_peak(w->vm), 500000, 3000000);
    vm_push_int(w->vm, 10);
    assert_int_equal(vm_call(w->vm, ref, 1, &w->arena, NULL, &w->err), 0);
    assert_in_range(vm_call_peak(w->vm), 0, 10000);
}

static int probe(lua_State *L) /* -> what stands in the way of a wait, or ""; whether Lua agrees */
{
    const char *callback = vm_callback(L);
    lua_pushstring(L, callback ? callback : "");
    lua_pushboolean(L, lua_isyieldable(L) == (callback == NULL));
    return 2;
}

/* In a coroutine Lua itself knows where nothing can wait: the two must agree. */
static void what_cannot_wait_is_known_and_errors_leave_nothing_behind(void **state)
{
    struct world *w = *state;
    lua_State *L = vm_lua(w->vm);
    lua_newtable(L);
    lua_pushcfunction(L, probe);
    lua_setfield(L, -2, "probe");
    vm_provide(L, "t");
    static const char head[] =
        "local probe = require('t').probe\n"
        "local function note() return probe() end\n"
        "local out = {}\n"
        "local function add(name, agrees) out[#out + 1] = agrees and name or 'WRONG ' .. name end\n"
        "local mt = setmetatable({}, { __index = function() add(note()) return 1 end, __add = function() add(note()) return 1 end,\n"
        "  __call = function() add(note()) end, __tostring = function() add(note()) return 'x' end,\n"
        "  __lt = function() add(note()) return true end, __pairs = function(t) add(note()) return pairs({}) end,\n"
        "  __concat = function() add(note()) return '' end, __eq = function() add(note()) return true end })\n"
        "local co = coroutine.wrap(function()\n";
    static const char tail[] = "\nend) co() return table.concat(out, ' ')";
    static const struct {
        const char *code, *seen;
    } cases[] = {
        { "add(note())", "\"\"" },
        { "pcall(function() add(note()) end)", "\"\"" },
        { "for _ in function(_, i) add(note()) return not i or nil end do end", "\" \"" },
        { "local x = mt.y + 1 mt() local y = mt + 1 local z = mt .. 'a'", "\"   \"" },
        { "table.sort({ 2, 1 }, function() add(note()) return false end)", "\"table.sort\"" },
        { "table.sort({ mt, mt })", "\"table.sort\"" },
        { "string.gsub('ab', '.', function() add(note()) end)", "\"string.gsub string.gsub\"" },
        { "string.gsub('a', '.', mt)", "\"string.gsub\"" },
        { "tostring(mt)", "\"tostring\"" },
        { "string.format('%s', mt)", "\"tostring\"" },
        { "for _ in pairs(mt) do end", "\"pairs\"" },
        { "for i in ipairs(mt) do if i == 2 then break end end", "\"ipairs ipairs\"" },
        /* What is behind a callback can wait again, also after an error that was caught in it or outside of it. */
        { "table.sort({ 2, 1 }, function() return false end) add(note())", "\"\"" },
        { "pcall(table.sort, { 2, 1 }, function() error('x') end) add(note())", "\"\"" },
        { "table.sort({ 2, 1 }, function() pcall(error, 'x') add(note()) return false end)", "\"table.sort\"" },
        { "table.sort({ 2, 1 }, function() pcall(string.gsub, 'a', '.', function() error('x') end) add(note()) return false end)",
          "\"table.sort\"" },
        { "local c = coroutine.create(function() string.gsub('a', '.', function() error('x') end) end) coroutine.resume(c) add(note())",
          "\"\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char code[4096];
        snprintf(code, sizeof code, "%s%s%s", head, cases[i].code, tail);
        gives(w, code, cases[i].seen);
    }
    fails(w, "table.sort({ 2, 1 }, function() error('x') end)", ERR_SCRIPT, "x");
    assert_null(w->vm->running);
    gives(w, "return require('t').probe()", "\"\"");
}

static void what_fuel_does_not_see_is_stopped_by_the_clock(void **state)
{
    struct world *w = *state;
    int64_t start = vm_mono_ns();
    /* Comparing long strings is one instruction. */
    vm_set_fuel(w->vm, 10000000);
    fails(w, "local a, b = ('x'):rep(1000000), ('x'):rep(1000000) local n = 0 while a == b do n = n + 1 end", ERR_FUEL, "");
    assert_true(vm_mono_ns() - start < INT64_C(60000000000)); /* its fuel alone would take hours */
}

static void each_vm_has_a_thread_of_its_own(void **state)
{
    (void)state;
    struct world w[4];
    for (int i = 0; i < 4; i++)
        open_world(&w[i], (struct vm_options){ .fuel = 1000000 });
    for (int i = 0; i < 4; i++) {
        fails(&w[i], "while true do end", ERR_FUEL, "budget");
        vm_close(w[i].vm);
        arena_release(&w[i].arena);
    }
}

static void *in_thread(void *arg)
{
    (void)arg;
    struct world w;
    open_world(&w, (struct vm_options){ .fuel = 3000000 });
    vm_set_undo(w.vm, undo, NULL);
    for (int i = 0; i < 5; i++) {
        vm_ref ref;
        assert_int_equal(vm_run(w.vm, slice_str("while true do local t = { 1 } end"), "t.lua", &ref, &w.err), ERR_FUEL);
    }
    vm_close(w.vm);
    arena_release(&w.arena);
    return NULL;
}

static void states_run_side_by_side_in_threads(void **state)
{
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, in_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
}

static const char everything[] =
    "local t = {} for i = 1, 30 do t[i] = ('x'):rep(i) .. i end table.sort(t)\n"
    "local C = {} C.__index = C function C:m() return #self end\n"
    "local o = setmetatable({}, C) local co = coroutine.wrap(function(a) local b = coroutine.yield(a) return b end)\n"
    "assert(co(1) == 1 and co(2) == 2) for k, v in pairs { a = 1, b = { 2 } } do t[k] = v end\n"
    "local g = require 'good' pcall(g.add) local ok, e = pcall(error, { 1 })\n"
    "return { n = o:m(), s = ('a,b'):gsub(',', ';'), f = function() return t[1] end, j = string.format('%5.2f|%q', 1.5, 'x'), u = "
    "utf8.char(8364) }";

/* There is one thread here, and the thread sanitizer keeps a trace of every allocation: 13 GB of them when all are refused in turn. */
#ifdef __SANITIZE_THREAD__
enum { REFUSAL_STEP = 53 };
#else
enum { REFUSAL_STEP = 1 };
#endif

static void any_allocation_may_be_refused(void **state)
{
    (void)state;
    for (int for_good = 0; for_good <= 1; for_good++) {
        bool refused = true;
        for (size_t k = 1; refused; k += REFUSAL_STEP) {
            struct alloc_fault fault;
            alloc_fault_init(&fault, k, for_good);
            struct err err = { 0 };
            struct vm *v;
            struct vm_options o = { .alloc = &fault.face };
            if (vm_open(&o, &v, &err) == 0) {
                vm_set_resolver(v, resolve, NULL);
                struct arena arena;
                arena_init(&arena, &fault.face, 0);
                vm_ref ref;
                struct json_value *tree;
                if (vm_run(v, slice_str(everything), "t.lua", &ref, &err) == 0 && vm_to_json(v, ref, &arena, &tree, &err) == 0) {
                    vm_push_json(v, tree);
                    vm_call(v, vm_function(v, 1), 1, &arena, &tree, &err);
                }
                if (fault.refused && err.code == 0)
                    err.code = 0; /* an emergency collection made room: the call may well succeed */
                arena_release(&arena);
                vm_close(v);
            } else {
                assert_true(err.code < 0);
            }
            refused = fault.refused;
            assert_int_equal(fault.live_bytes, 0);
        }
    }
}

/* Everything that Lua code can reach without require. A name that is new here was thought about first. */
static void the_globals_are_these_and_no_others(void **state)
{
    gives(*state,
          "local names = { 'assert', 'collectgarbage', 'coroutine', 'debug', 'dofile', 'error', 'getmetatable', 'io', 'ipairs', 'load', "
          "'loadfile', 'loadstring', 'math', 'next', 'os', "
          "'package', 'pairs', 'pcall', 'print', 'rawequal', 'rawget', 'rawlen', 'rawset', 'require', 'select', 'setmetatable', 'string', "
          "'table', 'tonumber', 'tostring', 'type', 'utf8', "
          "'warn', 'xpcall', '_G', '_VERSION' } local o = {}\n"
          "for _, n in ipairs(names) do if _ENV[n] ~= nil then o[#o + 1] = n end end return table.concat(o, ' ')",
          "\"assert coroutine error getmetatable ipairs math pairs pcall rawequal rawget rawlen rawset require select setmetatable string "
          "table tonumber tostring type utf8 _VERSION\"");
    gives(*state,
          "local o = {} for _, lib in ipairs { 'coroutine', 'math', 'string', 'table', 'utf8' } do for k in pairs(_ENV[lib]) do o[#o + 1] "
          "= lib .. '.' .. k end end return table.concat(o, ' ')",
          "\"coroutine.create coroutine.isyieldable coroutine.resume coroutine.status coroutine.wrap coroutine.yield math.abs math.ceil "
          "math.floor math.fmod math.huge math.max "
          "math.maxinteger math.min math.mininteger math.modf math.pi math.sqrt math.tointeger math.type math.ult string.byte string.char "
          "string.find string.format string.gmatch string.gsub "
          "string.len string.lower string.match string.pack string.packsize string.rep string.reverse string.sub string.unpack "
          "string.upper table.concat table.insert table.move table.pack "
          "table.remove table.sort table.unpack utf8.char utf8.charpattern utf8.codepoint utf8.codes utf8.len utf8.offset\"");
}

static void a_bare_state_has_nothing_but_values(void **state)
{
    (void)state;
    struct vm *v;
    struct err err;
    assert_int_equal(vm_open(&(struct vm_options){ .bare = true }, &v, &err), 0);
    static const char *const nothing[] = { "return pairs", "return string", "return _G", "return require", "return getmetatable" };
    vm_ref ref;
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        assert_int_equal(vm_run(v, slice_str(nothing[i]), "bare.lua", &ref, &err), 0);
        assert_int_equal(ref, 0);
    }
    assert_int_equal(vm_run(v, SLICE_LIT("return ('x'):rep(10)"), "bare.lua", &ref, &err), ERR_SCRIPT);
    assert_int_equal(vm_run(v, SLICE_LIT("return { a = 1 + 2 }"), "bare.lua", &ref, &err), 0);
    assert_int_not_equal(ref, 0);
    vm_close(v);
}

int main(void)
{
#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD(a_loop_ends_when_its_budget_does),
        WORLD(nothing_in_lua_catches_the_end_of_the_budget),
        WORLD(the_memory_cap_ends_the_call_and_can_not_be_caught),
        cmocka_unit_test(coroutines_count_as_memory),
        WORLD(garbage_alone_does_not_meet_the_cap),
        WORLD(work_inside_one_c_function_takes_fuel),
        WORLD(sizes_that_can_not_be_are_refused_before_they_are_tried),
        WORLD(pairs_goes_through_numbers_then_strings_in_order),
        WORLD(errors_say_file_and_line),
        WORLD(strings_show_no_address),
        WORLD(finalizers_weak_tables_and_hidden_metatables_are_refused),
        WORLD(classes_work_as_in_plain_lua),
        WORLD(shared_tables_can_not_be_changed),
        WORLD(a_file_keeps_its_globals_and_functions_can_not_change_them),
        cmocka_unit_test(the_same_program_gives_the_same_bytes_and_takes_the_same_fuel),
        WORLD(a_function_that_would_remember_is_refused),
        WORLD(a_function_may_do_with_its_own_what_it_likes),
        WORLD(require_finds_modules_and_says_why_it_does_not),
        WORLD(values_become_json_in_a_fixed_order),
        WORLD(functions_get_the_same_numbers_in_every_state),
        WORLD(arguments_go_in_and_results_come_out),
        WORLD(errors_of_c_functions_keep_code_and_reason),
        WORLD(a_located_function_knows_its_caller_even_in_a_tail_call),
        WORLD(a_slow_call_is_undone_and_counted_and_a_fast_one_is_not),
        WORLD(what_fuel_does_not_see_is_stopped_by_the_clock),
        WORLD(what_cannot_wait_is_known_and_errors_leave_nothing_behind),
        WORLD(a_call_within_a_call_spends_of_the_same_budget_and_has_less),
        WORLD(a_small_limit_is_counted_also_where_runs_are_free),
        WORLD(the_memory_of_a_call_is_what_it_added),
        cmocka_unit_test(each_vm_has_a_thread_of_its_own),
        cmocka_unit_test(states_run_side_by_side_in_threads),
        cmocka_unit_test(any_allocation_may_be_refused),
        WORLD(the_globals_are_these_and_no_others),
        cmocka_unit_test(a_bare_state_has_nothing_but_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
