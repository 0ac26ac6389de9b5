#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc_fault.h"
#include "base/buf.h"
#include "vm/code.h"
#include <pthread.h>
#include <stdio.h>

static struct vm_code *new_code(size_t limit_bytes)
{
    struct vm_code *c;
    assert_int_equal(vm_code_open(limit_bytes, &c, NULL), 0);
    return c;
}

static struct vm *new_vm(struct vm_code *code)
{
    struct vm *v;
    assert_int_equal(vm_open(&(struct vm_options){ .code = code }, &v, NULL), 0);
    return v;
}

/* What the file gives, as JSON, or its error; static. */
static const char *load(struct vm *v, const char *name, const char *text)
{
    static char out[600];
    struct err err = { 0 };
    struct arena arena;
    struct json_value *tree;
    vm_ref ref;
    arena_init(&arena, NULL, 0);
    int rc = vm_run(v, slice_str(text), name, &ref, &err);
    if (rc == 0)
        rc = vm_to_json(v, ref, &arena, &tree, &err);
    if (rc == 0) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_value_write(&w, tree);
        snprintf(out, sizeof out, "%.*s", SLICE_FMT(buf_slice(&b)));
        buf_release(&b);
    } else {
        snprintf(out, sizeof out, "%s", err.text);
    }
    arena_release(&arena);
    return out;
}

static const char *load_anew(struct vm_code *c, const char *name, const char *text)
{
    struct vm *v = new_vm(c);
    const char *out = load(v, name, text);
    vm_close(v);
    return out;
}

static void assert_stats(struct vm_code *c, uint64_t hits, uint64_t misses, size_t entries)
{
    struct vm_code_stats s = vm_code_stats(c);
    assert_int_equal(s.hits, hits);
    assert_int_equal(s.misses, misses);
    assert_int_equal(s.entries, entries);
}

static void one_state_compiles_and_the_others_load(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    static const char text[] = "local t = { 'a', 2, nested = function() return 1 end }\nreturn { list = { t[1], t[2] }, f = t.nested }";
    char first[600];
    snprintf(first, sizeof first, "%s", load_anew(c, "t.lua", text));
    assert_string_equal(first, "{\"f\":{\"fn\":1},\"list\":[\"a\",2]}");
    assert_stats(c, 0, 1, 1);
    assert_string_equal(load_anew(c, "t.lua", text), first);
    assert_string_equal(load_anew(NULL, "t.lua", text), first);
    assert_stats(c, 1, 1, 1);
    vm_code_close(c);
}

static void another_text_or_another_name_is_other_code(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    assert_string_equal(load_anew(c, "t.lua", "return { 1 }"), "[1]");
    assert_string_equal(load_anew(c, "t.lua", "return { 2 }"), "[2]");
    assert_string_equal(load_anew(c, "t.lua", "return { 1 }"), "[1]");
    assert_string_equal(load_anew(c, "a.lua", "error 'here'"), "a.lua:1: here");
    assert_string_equal(load_anew(c, "b.lua", "error 'here'"), "b.lua:1: here");
    assert_stats(c, 1, 4, 4);
    vm_code_close(c);
}

static void errors_of_kept_code_name_file_and_line(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    static const char text[] = "local cart = {}\nlocal function deep()\n  local x = 1\n  return cart.lines.first\nend\nreturn { deep() }";
    for (int i = 0; i < 3; i++)
        assert_string_equal(load_anew(c, "campaigns/tea.lua", text), "campaigns/tea.lua:4: attempt to index a nil value (field 'lines')");
    assert_stats(c, 2, 1, 1);
    for (int i = 0; i < 3; i++)
        assert_non_null(
            strstr(load_anew(c, "campaigns/tea.lua", "local x = 1\nreturn }"), "campaigns/tea.lua:2: unexpected symbol near '}'"));
    assert_stats(c, 2, 4, 1); /* what does not compile is not kept */
    vm_code_close(c);
}

static void a_function_that_remembers_is_refused_wherever_its_code_is_from(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    static const char remembers[] = "local n = 0\nreturn { f = function()\n  n = n + 1 return n end }";
    static const char counts[] = "return { f = function() local n = 0 local function add() n = n + 1 end add() return n end }";
    static const char forgets[] = "local n = 7\nreturn { f = function() return n end }";
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(load_anew(c, "t.lua", remembers), "t.lua:3: 'n' is assigned inside of a function"));
        assert_string_equal(load_anew(c, "t.lua", counts), "{\"f\":{\"fn\":1}}");
        assert_string_equal(load_anew(c, "t.lua", forgets), "{\"f\":{\"fn\":1}}");
    }
    struct vm *v = new_vm(c); /* nor does it help to come under the name of one that was fine, or after it */
    load(v, "t.lua", forgets);
    assert_non_null(strstr(load(v, "t.lua", remembers), "t.lua:3: 'n' is assigned inside of a function"));
    load(v, "t.lua", forgets);
    assert_non_null(strstr(load(v, "t.lua", remembers), "t.lua:3: 'n' is assigned inside of a function"));
    vm_close(v);
    vm_code_close(c);
}

/* Compiled code is what the cache is full of, and still nobody may bring any. */
static void bytecode_is_refused_as_ever(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    load_anew(c, "t.lua", "return { 1 }");
    struct code_entry *e = vm_code_find(c, SLICE_LIT("@t.lua"), SLICE_LIT("return { 1 }"));
    assert_non_null(e);
    struct slice compiled = code_compiled(e);
    assert_int_equal(compiled.data[0], LUA_SIGNATURE[0]);
    struct vm *v = new_vm(c);
    struct err err;
    vm_ref ref;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(vm_run(v, compiled, "t.lua", &ref, &err), ERR_SCRIPT);
        assert_non_null(strstr(err.text, "t.lua:1: this is compiled code"));
    }
    vm_code_release(c, e);
    vm_close(v);
    vm_code_close(c);
}

/* Else whether a file is within its budget would depend on who loaded it before. */
static void the_fuel_is_the_same(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    char text[8000];
    size_t n = (size_t)snprintf(text, sizeof text, "local t = {}\n");
    for (int i = 0; i < 80; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "t[%d] = function(a) return { a, %d, '%d' } end\n", i + 1, i, i);
    snprintf(text + n, sizeof text - n, "return t");
    uint64_t fuel[2];
    for (int i = 0; i < 2; i++) {
        struct vm *v = new_vm(c);
        load(v, "t.lua", text);
        fuel[i] = vm_stats(v).fuel;
        vm_close(v);
    }
    assert_stats(c, 1, 1, 1);
    assert_true(fuel[0] > 80);
    assert_int_equal(fuel[0], fuel[1]);
    vm_code_close(c);
}

static void what_was_used_longest_ago_makes_room(void **state)
{
    (void)state;
    struct vm_code *c = new_code(8 << 10);
    char text[64];
    for (int i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "return { %d }", i);
        load_anew(c, "t.lua", text);
        assert_string_equal(load_anew(c, "used.lua", "return { 'often' }"), "[\"often\"]");
    }
    struct vm_code_stats s = vm_code_stats(c);
    assert_true(s.bytes <= 8 << 10);
    assert_in_range(s.entries, 10, 99);
    assert_int_equal(s.hits, 99); /* what is used often stays */
    vm_code_close(c);

    c = new_code(100); /* nothing fits: everything is compiled each time */
    for (int i = 0; i < 2; i++)
        assert_string_equal(load_anew(c, "t.lua", "return { 1 }"), "[1]");
    assert_stats(c, 0, 2, 0);
    vm_code_close(c);
}

static void what_nobody_used_for_eight_times_is_forgotten(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    load_anew(c, "old.lua", "return { 1 }");
    load_anew(c, "used.lua", "return { 2 }");
    for (int i = 0; i < 8; i++) {
        vm_code_age(c);
        load_anew(c, "used.lua", "return { 2 }");
    }
    assert_int_equal(vm_code_stats(c).entries, 2);
    struct code_entry *held = vm_code_find(c, SLICE_LIT("@used.lua"), SLICE_LIT("return { 2 }"));
    vm_code_age(c);
    assert_int_equal(vm_code_stats(c).entries, 1);
    for (int i = 0; i < 9; i++)
        vm_code_age(c);
    assert_stats(c, 9, 2, 0);
    assert_int_equal(code_compiled(held).data[0], LUA_SIGNATURE[0]); /* who holds it still has it */
    vm_code_release(c, held);
    vm_code_close(c);
}

/* Every allocation in turn: with the code there already, and not. */
static void any_allocation_may_be_refused(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1 << 20);
    static const char text[] = "local n = 7\nlocal M = {}\nfunction M.f() return n end\nreturn { M.f, { 'a' } }";
    bool refused = true;
    for (size_t k = 1; refused; k++) {
        struct alloc_fault fault;
        struct err err = { 0 };
        struct vm *v;
        vm_ref ref;
        alloc_fault_init(&fault, k, false);
        if (k % 2)
            for (int i = 0; i < 9; i++)
                vm_code_age(c);
        if (vm_open(&(struct vm_options){ .alloc = &fault.face, .code = c }, &v, &err) == 0) {
            if (vm_run(v, slice_str(text), "t.lua", &ref, &err) == 0)
                assert_true(ref);
            vm_close(v);
        }
        assert_int_equal(fault.live_bytes, 0);
        refused = fault.refused;
    }
    vm_code_close(c);
}

static void *use_it(void *arg)
{
    struct vm_code *c = arg;
    char name[32], text[64];
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "%d.lua", i % 7);
        snprintf(text, sizeof text, "return { %d }", i % 7);
        struct vm *v = new_vm(c);
        vm_ref ref;
        assert_int_equal(vm_run(v, slice_str(text), name, &ref, NULL), 0);
        vm_close(v);
        if (i % 10 == 9)
            vm_code_age(c);
    }
    return NULL;
}

static void threads_share_it(void **state)
{
    (void)state;
    struct vm_code *c = new_code(1500); /* some four entries: they come and go */
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, c), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    struct vm_code_stats s = vm_code_stats(c);
    assert_int_equal(s.hits + s.misses, 240);
    assert_true(s.bytes <= 1500);
    vm_code_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_state_compiles_and_the_others_load),
        cmocka_unit_test(another_text_or_another_name_is_other_code),
        cmocka_unit_test(errors_of_kept_code_name_file_and_line),
        cmocka_unit_test(a_function_that_remembers_is_refused_wherever_its_code_is_from),
        cmocka_unit_test(bytecode_is_refused_as_ever),
        cmocka_unit_test(the_fuel_is_the_same),
        cmocka_unit_test(what_was_used_longest_ago_makes_room),
        cmocka_unit_test(what_nobody_used_for_eight_times_is_forgotten),
        cmocka_unit_test(any_allocation_may_be_refused),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
