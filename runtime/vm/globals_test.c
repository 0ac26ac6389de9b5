/* What is asked about code without running it, and the console. */
#include "base/buf.h"
#include "vm/vm.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

struct fixture {
    struct vm *vm;
    struct err err;
    char said[512];
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){ 0 };
    *state = &f;
    return vm_open(&(struct vm_options){ .patience = 100 }, &f.vm, &f.err); /* under valgrind all is slow, and fuel is what counts here */
}

static int tear_down(void **state)
{
    vm_close(((struct fixture *)*state)->vm);
    return 0;
}

static void note(void *ctx, const struct vm_global *g)
{
    struct fixture *f = ctx;
    size_t n = strlen(f->said);
    snprintf(f->said + n, sizeof f->said - n, "%.*s:%ld%s%s%s ", SLICE_FMT(g->name), g->line, g->is_write ? "=" : "", g->near ? "~" : "",
             g->near ? g->near : "");
}

static const char *globals_of(struct fixture *f, const char *text)
{
    f->said[0] = '\0';
    return vm_unknown_globals(f->vm, slice_str(text), "x.lua", note, f, &f->err) < 0 ? f->err.text : f->said;
}

static void globals_that_nobody_makes_are_named_with_their_line(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(globals_of(f, "local a = b\nreturn function() return function() return c end end"), "c:2 b:1 ");
    assert_string_equal(globals_of(f, "return pair, tostring, string.format"), "pair:1~pairs ");
    assert_string_equal(globals_of(f, "own = 1\nlocal function g() return own end return g()"), "");
    assert_string_equal(globals_of(f, "return function()\n  kept = 1\nend"), "kept:2= ");
    assert_string_equal(globals_of(f, "local b = 1 return function(c) local d = b return b + c + d, ({}).e end"), "");
}

static void text_that_does_not_compile_is_an_error_with_its_place(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(globals_of(f, "return\n{"), "x.lua:2:"));
    assert_non_null(strstr(globals_of(f, "\x1bLua"), "x.lua:1: this is compiled code"));
}

static void nothing_runs(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(globals_of(f, "while true do end"), "");
    assert_string_equal(globals_of(f, "error 'x'"), "");
}

static const char *eval(struct fixture *f, const char *text)
{
    struct arena arena;
    struct buf out;
    bool incomplete;
    arena_init(&arena, NULL, 0);
    buf_init(&out, NULL);
    int rc = vm_eval(f->vm, slice_str(text), &arena, &out, &incomplete, &f->err);
    snprintf(f->said, sizeof f->said, "%.*s", SLICE_FMT(rc < 0 ? slice_str(f->err.text) : incomplete ? slice_str("...") : buf_slice(&out)));
    buf_release(&out);
    arena_release(&arena);
    return f->said;
}

static void the_console_keeps_what_is_made_and_shows_values(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(eval(f, "x = 2"), "");
    assert_string_equal(eval(f, "x + 1, 'a', nil, {}, { 1, 2 }, { b = 1, a = 'q' }"), "3\ta\tnil\t{}\t[1,2]\t{\"a\":\"q\",\"b\":1}");
    assert_string_equal(eval(f, "function twice(n) return n * x end"), "");
    assert_string_equal(eval(f, "twice(21)"), "42");
    assert_string_equal(eval(f, "tostring"), "function");
}

static void the_console_tells_what_is_unfinished_from_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    assert_string_equal(eval(f, "for i = 1, 3 do"), "...");
    assert_string_equal(eval(f, "1 +"), "...");
    assert_string_equal(eval(f, ""), "");
    assert_non_null(strstr(eval(f, "end"), "typed:1:"));
    assert_non_null(strstr(eval(f, "error 'oops'"), "oops"));
    assert_string_equal(eval(f, "error { text = 'no such customer' }"), "no such customer");
    assert_non_null(strstr(eval(f, "error { text = {} }"), "it raised a table"));
    assert_non_null(strstr(eval(f, "error(setmetatable({}, { __index = { text = 'x' } }))"), "it raised a table"));
    assert_non_null(strstr(eval(f, "while true do end"), "budget"));
    assert_string_equal(eval(f, "1"), "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(globals_that_nobody_makes_are_named_with_their_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_that_does_not_compile_is_an_error_with_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_console_keeps_what_is_made_and_shows_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_console_tells_what_is_unfinished_from_what_is_wrong, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
