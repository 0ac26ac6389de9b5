#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vm/vm.h"
#include <string.h>

struct file {
    const char *name, *text;
};
struct world {
    struct vm *vm;
    struct arena arena;
    struct err err;
};

static int shared_modules(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    (void)ctx;
    *source = slice_str("return { open = true }");
    *chunk = slice_str("lib.lua");
    return slice_is(name, "feira.open") || slice_is(name, "feira.hidden") ? 0 : err_set(err, ERR_NOT_FOUND, "there is no such module");
}

static int find(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    (void)err;
    for (const struct file *f = ctx; f->name; f++) {
        if (slice_is(name, f->name)) {
            *source = slice_str(f->text);
            *chunk = slice_str("own.lua");
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

static const char *const shared[] = { "feira.open", NULL };
static const struct file of_a[] = {
    { "rules", "local lib = require 'lib'\nmine = 'a'\nlocal R = {}\n"
               "function R.sum(x, settings) return { lib.twice(x), settings and settings.plus } end\n"
               "function R.mine() return mine end\n"
               "function R.stays() mine = 'changed' end\n"
               "function R.changes_lib() lib.twice = nil end\n"
               "function R.sees(what) local ok, e = pcall(require, what) return { ok, ok and 'yes' or tostring(e) } end\n"
               "function R.given() return require('gift').n end\n"
               "function R.spoils() string.len = nil end\n"
               "function R.env() return { tostring(_G), tostring((getmetatable(_ENV))) } end\n"
               "return R" },
    { "lib", "return { twice = function(x) return 2 * x end }" },
    { "nothing", "local x = 1" },
    { "broken", "return {\n  oops" },
    { "circle", "return require 'circle'" },
    { 0 },
};
static const struct file of_b[] = { { "rules", "return { mine = function() return mine == nil and 'nothing' or 'seen' end }" }, { 0 } };
static const struct vm_space_options a = { "plugins/a", shared, find, (void *)(uintptr_t)of_a },
                                     b = { "plugins/b", shared, find, (void *)(uintptr_t)of_b };

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    assert_int_equal(vm_open(&(struct vm_options){ .fuel = 1000000 }, &w.vm, &w.err), 0);
    vm_set_resolver(w.vm, shared_modules, NULL);
    arena_init(&w.arena, NULL, 0);
    assert_int_equal(vm_space_open(w.vm, &a, &w.err), 0);
    assert_int_equal(vm_space_open(w.vm, &b, &w.err), 0);
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

static vm_ref value(struct world *w, const char *text)
{
    vm_ref ref;
    if (vm_run(w->vm, slice_str(text), "t.lua", &ref, &w->err) < 0)
        fail_msg("%s", w->err.text);
    return ref;
}

/* What a function of a space gives, as JSON; its error when it fails. */
static const char *call(struct world *w, const char *space, const char *function, const char *argument, vm_ref last)
{
    int fn;
    struct json_value *out;
    if (vm_space_function(w->vm, space, slice_str("rules"), slice_str(function), last, &fn, &w->err) < 0)
        return w->err.text;
    vm_ref ref = argument ? value(w, argument) : 0;
    if (ref)
        vm_push_ref(w->vm, ref);
    if (vm_call(w->vm, vm_function(w->vm, fn), ref ? 1 : 0, &w->arena, &out, &w->err) < 0)
        return w->err.text;
    struct buf text;
    struct json_writer jw;
    buf_init(&text, NULL);
    json_writer_init(&jw, &text);
    json_value_write(&jw, out);
    const char *copy = arena_strdup(&w->arena, buf_slice(&text));
    buf_release(&text);
    return copy;
}

#define SAYS(text, part)                                                                                                                   \
    do {                                                                                                                                   \
        const char *said_ = (text);                                                                                                        \
        if (!strstr(said_, part))                                                                                                          \
            fail_msg("expected %s in: %s", part, said_);                                                                                   \
    } while (0)

static void a_function_gets_its_arguments_and_then_the_last(void **state)
{
    struct world *w = *state;
    assert_string_equal(call(w, "plugins/a", "sum", "return 21", value(w, "return { plus = 'x' }")), "[42,\"x\"]");
    assert_string_equal(call(w, "plugins/a", "sum", "return 21", 0), "[42]");
}

static void two_spaces_do_not_see_each_other(void **state)
{
    struct world *w = *state;
    assert_string_equal(call(w, "plugins/a", "mine", NULL, 0), "\"a\"");
    assert_string_equal(call(w, "plugins/b", "mine", NULL, 0), "\"nothing\"");
    SAYS(call(w, "plugins/b", "sum", NULL, 0), "plugins/b/rules.lua:1: there is no function sum");
    SAYS(call(w, "plugins/a", "sees", "return 'plugins/b/rules'", 0), "[false");
}

static void only_what_is_named_can_be_required(void **state)
{
    struct world *w = *state;
    assert_string_equal(call(w, "plugins/a", "sees", "return 'feira.open'", 0), "[true,\"yes\"]");
    SAYS(call(w, "plugins/a", "sees", "return 'feira.hidden'", 0), "plugins/a may not require");
    SAYS(call(w, "plugins/a", "sees", "return 'gift'", 0), "plugins/a has no file gift.lua");
    assert_int_equal(vm_space_give(w->vm, "plugins/a", "gift", value(w, "return { n = 7 }"), &w->err), 0);
    assert_string_equal(call(w, "plugins/a", "given", NULL, 0), "7");
    SAYS(call(w, "plugins/a", "sees", "return 'circle'", 0), "requires itself");
    SAYS(call(w, "plugins/a", "sees", "return 'nothing'", 0), "the file returns nothing");
    SAYS(call(w, "plugins/a", "sees", "return 'broken'", 0), "own.lua:2:");
}

static void nothing_is_remembered_and_nothing_spoilt(void **state)
{
    struct world *w = *state;
    SAYS(call(w, "plugins/a", "stays", NULL, 0), "nothing is remembered between calls");
    SAYS(call(w, "plugins/a", "changes_lib", NULL, 0), "read-only");
    SAYS(call(w, "plugins/a", "spoils", NULL, 0), "read-only");
    assert_string_equal(call(w, "plugins/a", "env", NULL, 0), "[\"nil\",\"nil\"]");
    assert_string_equal(call(w, "plugins/a", "mine", NULL, 0), "\"a\"");
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(a_function_gets_its_arguments_and_then_the_last),
        WORLD(two_spaces_do_not_see_each_other),
        WORLD(only_what_is_named_can_be_required),
        WORLD(nothing_is_remembered_and_nothing_spoilt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
