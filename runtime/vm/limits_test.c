#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "vm/vm_int.h"

static int run(struct vm *v, const char *text, struct err *err)
{
    vm_ref ref;
    int rc = vm_run(v, slice_str(text), "t.lua", &ref, err);
    if (rc == 0)
        vm_release(v, ref);
    return rc;
}

static struct vm *open_vm(struct vm_options o)
{
    struct vm *v;
    assert_int_equal(vm_open(&o, &v, NULL), 0);
    return v;
}

static void a_string_may_be_a_mebibyte_long_and_no_longer(void **state)
{
    (void)state;
    struct vm *v = open_vm((struct vm_options){ 0 });
    struct err err;
    assert_int_equal(run(v, "local s = ('x'):rep(1 << 20) assert(#s == 1 << 20) return {}", &err), 0);
    assert_int_equal(run(v, "local s = ('x'):rep(1 << 19) local t = s .. s assert(#t == 1 << 20) return {}", &err), 0);
    static const char *const too_long[] = {
        "local s = ('x'):rep(1 << 19) local t = s .. s .. ('y'):rep(100) return {}",
        "local s = ('x'):rep(1 << 19) while true do s = s .. s end",
        "local s = ('x'):rep(1 << 20) pcall(function() local t = s .. s end) return {}", /* it is not caught */
        "local t = {} for i = 1, 3 do t[i] = ('x'):rep(1 << 19) end local s = table.concat(t) return {}",
        "local s = ('x'):rep(1 << 20):gsub('x', 'yy') return {}",
        "local s = ('x'):rep(1 << 19) s = string.format('%s%s%s', s, s, s) return {}",
        "local c = coroutine.wrap(function() local s = ('x'):rep(1 << 20) .. 'more than sixty-four bytes, which is what the head of a "
        "string may take' end) c() return {}",
    };
    for (size_t i = 0; i < sizeof too_long / sizeof *too_long; i++) {
        assert_int_equal(run(v, too_long[i], &err), ERR_MEMORY_CAP);
        assert_non_null(strstr(err.text, "t.lua:1: it makes a string of more than 1024 KiB; work on its parts"));
    }
    /* Hundreds of long ones in one instruction are not even joined. */
    assert_int_equal(run(v, "local s = ('x'):rep(1 << 20) return s .. s .. s .. s .. s .. s .. s .. s .. s .. s", &err), ERR_MEMORY_CAP);
    assert_true(vm_stats(v).peak_bytes < 12 << 20);
    assert_int_equal(run(v, "return ('x'):rep(1 << 21)", &err), ERR_SCRIPT); /* known before it is tried: an error like others */
    vm_close(v);
}

static void a_call_may_grow_by_so_much_whatever_the_state_holds(void **state)
{
    (void)state;
    struct vm *v = open_vm((struct vm_options){ .memory_soft_bytes = 64 << 20 });
    struct err err;
    static const char filling[] = "local t = {} for i = 1, 100000 do t[i] = { i } end return t";
    vm_ref kept;
    assert_int_equal(vm_run(v, SLICE_LIT(filling), "kept.lua", &kept, &err), 0);
    size_t held = vm_memory_bytes(v);
    assert_true(held > 4 << 20);
    vm_set_growth(v, 4 << 20);
    assert_int_equal(run(v, filling, &err), ERR_MEMORY_CAP);
    assert_non_null(strstr(err.text, "needs more than its 4096 KiB"));
    assert_true(vm_stats(v).peak_bytes < held + (8 << 20));
    assert_int_equal(run(v, "local t = {} for i = 1, 10000 do t[i] = { i } end return t", &err), 0);
    /* Garbage is no growth. */
    assert_int_equal(run(v, "for i = 1, 300000 do local t = { i } end return {}", &err), 0);
    vm_set_growth(v, 0);
    assert_int_equal(run(v, filling, &err), 0);
    vm_release(v, kept);
    vm_close(v);
}

/* Functions in functions, each with two hundred locals, and inside of them names that are none of these. */
static void add_slow_source(struct buf *b, int depth, size_t names)
{
    for (int d = 0; d < depth; d++) {
        buf_add_str(b, "local function f() ");
        for (int i = 0; i < 190; i++)
            buf_printf(b, "local a%d;", i);
        buf_add_str(b, "\n");
    }
    for (size_t i = 0; i < names; i++)
        buf_add_str(b, "x=x ");
    for (int d = 0; d < depth; d++)
        buf_add_str(b, " end ");
}

static void a_source_that_keeps_the_parser_busy_is_stopped_by_the_clock(void **state)
{
    (void)state;
    struct buf source;
    buf_init(&source, NULL);
    add_slow_source(&source, 60, 150000);
    assert_false(source.failed);
    struct vm *v = open_vm((struct vm_options){ .fuel = 1000000 });
    struct err err;
    vm_ref ref;
    int64_t begin_ns = vm_cpu_ns();
    assert_int_equal(vm_run(v, buf_slice(&source), "slow.lua", &ref, &err), ERR_FUEL);
    int64_t took_ns = vm_cpu_ns() - begin_ns;
    assert_non_null(strstr(err.text, "it ran for"));
    assert_true(took_ns < 2 * vm_stuck_ns(v));
    assert_int_equal(run(v, "return {}", &err), 0);
    vm_close(v);
    buf_release(&source);
}

static void a_source_of_more_than_a_mebibyte_is_refused(void **state)
{
    (void)state;
    struct buf source;
    buf_init(&source, NULL);
    buf_add_str(&source, "return { --");
    while (source.len <= 1 << 20)
        buf_add_str(&source, "a comment that goes on and on, and on ");
    struct vm *v = open_vm((struct vm_options){ 0 });
    struct err err;
    vm_ref ref;
    assert_int_equal(vm_run(v, buf_slice(&source), "long.lua", &ref, &err), ERR_SCRIPT);
    assert_non_null(strstr(err.text, "long.lua:1: the file is longer than"));
    vm_close(v);
    buf_release(&source);
}

/* Files whose functions only read globals share the table they are in; these must not come near it. */
static void no_function_changes_the_globals_of_others(void **state)
{
    (void)state;
    static const char *const tries[] = {
        "return function() string = nil end",
        "return function() local e = _ENV e.string = nil end",
        "return function() _ENV.string = nil end",
        "return function() _ENV['string'] = nil end",
        "return function() rawset(_ENV, 'string', 1) end",
        "local e = _ENV return function() e.string = nil end",
        "local function f(_ENV) string = nil end return function() f(_ENV) end",
        "local _ENV = _ENV return function() string = nil end",
        "return function() for _, e in ipairs { _ENV } do e.math = nil end end",
        "return function() local function g() local function h() math = nil end h() end g() end",
        "local t = setmetatable({}, { __newindex = _ENV }) return function() t.string = nil end",
        "return coroutine.wrap(function() local e = _ENV while true do coroutine.yield() e.string = nil end end)",
        "KEEP = 1 return function() string = nil end",
        "function leak() string = nil end return leak",
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct vm *v = open_vm((struct vm_options){ 0 });
        struct err err;
        vm_ref fn, reader;
        static const char reading[] = "return function() return type(string) .. type(math) .. type(KEEP) .. type(leak) end";
        struct arena arena;
        arena_init(&arena, NULL, 0);
        assert_int_equal(vm_run(v, SLICE_LIT(reading), "reader.lua", &reader, &err), 0);
        if (vm_run(v, slice_str(tries[i]), "try.lua", &fn, &err) == 0) {
            vm_call(v, fn, 0, &arena, NULL, &err);
            vm_call(v, fn, 0, &arena, NULL, &err);
        }
        struct json_value *said;
        struct slice text = { 0 };
        assert_int_equal(vm_call(v, reader, 0, &arena, &said, &err), 0);
        assert_true(json_is_string(said, &text));
        if (!slice_is(text, "tabletablenilnil"))
            fail_msg("%s: %.*s", tries[i], SLICE_FMT(text));
        assert_int_equal(run(v, "assert(type(string) == 'table' and type(math) == 'table' and KEEP == nil) return {}", &err), 0);
        arena_release(&arena);
        vm_close(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_string_may_be_a_mebibyte_long_and_no_longer),
        cmocka_unit_test(a_call_may_grow_by_so_much_whatever_the_state_holds),
        cmocka_unit_test(a_source_that_keeps_the_parser_busy_is_stopped_by_the_clock),
        cmocka_unit_test(a_source_of_more_than_a_mebibyte_is_refused),
        cmocka_unit_test(no_function_changes_the_globals_of_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
