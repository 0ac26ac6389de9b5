#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc_fault.h"
#include "vm/vm_int.h"
#include <stdio.h>
#include <string.h>

/* wait(x) leaves the call; what the test puts into `given` comes back. */
struct waiting {
    int64_t asked, given;
    int waits;
    char said[256];
};

static int go_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx;
    struct waiting *w = vm_context(L);
    lua_pushinteger(L, w->given);
    return 1;
}

static int l_wait(lua_State *L)
{
    struct waiting *w = vm_context(L);
    if (!vm_can_wait(L))
        return luaL_error(L, "nothing can be waited for here");
    w->asked = lua_tointeger(L, 1);
    w->waits++;
    return lua_yieldk(L, 0, 0, go_on);
}

static int l_say(lua_State *L)
{
    struct waiting *w = vm_context(L);
    const char *text = luaL_tolstring(L, 1, NULL);
    snprintf(w->said + strlen(w->said), sizeof w->said - strlen(w->said), "%s;", text);
    return 0;
}

static int provide(lua_State *L)
{
    static const luaL_Reg functions[] = { { "wait", l_wait }, { "say", l_say }, { NULL, NULL } };
    luaL_newlib(L, functions);
    vm_provide(L, "test");
    return 0;
}

static struct vm *open_vm(struct vm_options o, struct waiting *w)
{
    struct vm *v;
    memset(w, 0, sizeof *w);
    assert_int_equal(vm_open(&o, &v, NULL), 0);
    vm_set_context(v, w);
    lua_pushcfunction(vm_lua(v), provide);
    assert_int_equal(vm_pcall(v, 0, 0, NULL), 0);
    return v;
}

/* The text is the body of the function. */
static void begin(struct vm *v, const char *text, struct vm_task *t)
{
    char whole[2048];
    struct err err = { 0 };
    vm_ref ref;
    snprintf(whole, sizeof whole, "local test = require 'test' local wait, say = test.wait, test.say return function() %s end", text);
    if (vm_run(v, slice_str(whole), "t.lua", &ref, &err) < 0)
        fail_msg("%s", err.text);
    vm_push_ref(v, ref);
    assert_int_equal(vm_task_open(v, NULL, t, &err), 0);
    vm_release(v, ref);
}

/* Runs it to its end; each wait is answered with ten times what was asked. */
static int run_through(struct vm *v, struct vm_task *t, struct err *err)
{
    struct waiting *w = vm_context(vm_lua(v));
    bool waits = true;
    int rc = 0;
    while (waits && rc == 0) {
        rc = vm_task_run(v, t, &waits, err);
        w->given = w->asked * 10;
    }
    return rc;
}

static void says(struct vm *v, const char *text, const char *expected)
{
    struct waiting *w = vm_context(vm_lua(v));
    struct vm_task t;
    struct err err = { 0 };
    w->said[0] = '\0';
    begin(v, text, &t);
    if (run_through(v, &t, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(w->said, expected);
    vm_task_close(v, &t);
}

static void fails(struct vm *v, const char *text, int code, const char *because)
{
    struct vm_task t;
    struct err err = { 0 };
    begin(v, text, &t);
    assert_int_equal(run_through(v, &t, &err), code);
    if (!strstr(err.text, because))
        fail_msg("\"%s\" does not say \"%s\"", err.text, because);
    vm_task_close(v, &t);
}

static void it_waits_and_goes_on_where_it_was(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ 0 }, &w);
    says(v, "say 'a' say(wait(1)) say(wait(2)) say 'b'", "a;10;20;b;");
    says(v, "say 'no wait'", "no wait;");
    says(v, "for i = 1, 3 do say(wait(i)) end", "10;20;30;");
    says(v, "local function deep(n) if n == 0 then return wait(7) end return (deep(n - 1)) end say(deep(50))", "70;");
    says(v, "say(select(2, pcall(wait, 3))) say(select(2, pcall(function() wait(1) error 'later' end)))", "30;t.lua:1: later;");
    says(v, "local t = setmetatable({}, { __index = function(_, k) return wait(k) end }) say(t[4])", "40;");
    vm_close(v);
}

static void it_waits_only_where_that_can_be_left(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ 0 }, &w);
    says(v, "say(select(2, pcall(table.sort, { 2, 1 }, function() wait(1) end)))", "t.lua:1: nothing can be waited for here;");
    says(v, "say(select(2, pcall(string.gsub, 'a', 'a', function() wait(1) end)))", "t.lua:1: nothing can be waited for here;");
    says(v, "say(select(2, coroutine.resume(coroutine.create(function() wait(1) end))))", "t.lua:1: nothing can be waited for here;");
    says(v, "say(select(2, pcall(coroutine.yield, 1))) say(coroutine.isyieldable())", "attempt to yield from outside a coroutine;false;");
    says(v, "local c = coroutine.wrap(function() coroutine.yield(5) return 6 end) say(c()) say(wait(1)) say(c())", "5;10;6;");
    fails(v, "coroutine.yield()", ERR_SCRIPT, "outside a coroutine");
    vm_ref ref;
    struct err err = { 0 };
    assert_int_equal(vm_run(v, SLICE_LIT("require('test').wait(1)"), "t.lua", &ref, &err), ERR_SCRIPT); /* no task at all */
    vm_close(v);
}

static void errors_come_out_as_of_any_call(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ 0 }, &w);
    fails(v, "error 'at once'", ERR_SCRIPT, "t.lua:1: at once");
    fails(v, "wait(1) error 'later'", ERR_SCRIPT, "t.lua:1: later");
    fails(v, "wait(1) error {}", ERR_SCRIPT, "raised a table");
    says(v, "say 'the state is as good as ever'", "the state is as good as ever;");
    vm_close(v);
}

static void fuel_is_one_over_all_waits(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ .fuel = 3000000 }, &w);
    fails(v, "while true do end", ERR_FUEL, "budget of 3000000");
    fails(v, "wait(1) while true do end", ERR_FUEL, "budget of 3000000");
    fails(v, "wait(1) pcall(function() while true do end end) say 'caught'", ERR_FUEL, "budget of 3000000");
    fails(v, "while true do wait(1) for i = 1, 5000 do end end", ERR_FUEL, "budget of 3000000");
    assert_string_equal(w.said, "");
    w.waits = 0;
    struct vm_task t;
    struct err err = { 0 };
    begin(v, "while true do wait(1) for i = 1, 100000 do end end", &t);
    assert_int_equal(run_through(v, &t, &err), ERR_FUEL);
    assert_in_range(w.waits, 10, 32); /* each round is 100,000 and some */
    vm_task_close(v, &t);
    says(v, "say(wait(1))", "10;");
    vm_close(v);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ .memory_soft_bytes = 8 << 20 }, &w);
    fails(v, "local t = {} wait(1) while true do t[#t + 1] = { 1 } end", ERR_MEMORY_CAP, "memory");
    says(v, "say(wait(1))", "10;");
    vm_close(v);
}

/* The first stretch is run again, counted, when it is slow; what comes after the first wait never is. */
static void what_follows_a_wait_happens_once(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ .fuel = 100000000 }, &w);
    says(v, "for i = 1, 3000000 do end wait(1) say 'after' for i = 1, 3000000 do end say 'end'", "after;end;");
    vm_close(v);
}

static void many_wait_at_once_and_end_in_any_order(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ 0 }, &w);
    struct vm_task tasks[MANY];
    struct err err = { 0 };
    bool waits;
    for (int i = 0; i < MANY; i++) {
        char text[128];
        snprintf(text, sizeof text, "local mine = %d assert(wait(mine) == mine + 1) assert(wait(mine) == mine + 2)", i);
        begin(v, text, &tasks[i]);
        assert_int_equal(vm_task_run(v, &tasks[i], &waits, &err), 0);
        assert_true(waits);
    }
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < MANY; i++) {
            int k = (i * 77 + round) % MANY;
            w.given = k + round;
            assert_int_equal(vm_task_run(v, &tasks[k], &waits, &err), 0);
            assert_int_equal(waits, round == 1);
        }
        vm_collect_step(v);
    }
    for (int i = 0; i < MANY; i++)
        vm_task_close(v, &tasks[i]);
    vm_close(v);
}

static void one_that_waits_can_be_closed_and_another_call_runs_in_between(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ 0 }, &w);
    struct vm_task t;
    struct err err = { 0 };
    bool waits;
    for (int i = 0; i < 300; i++) {
        vm_ref ref;
        begin(v, "local big = {} for i = 1, 1000 do big[i] = { i } end wait(1) say(#big)", &t);
        assert_int_equal(vm_task_run(v, &t, &waits, &err), 0);
        assert_true(waits);
        assert_int_equal(vm_run(v, SLICE_LIT("return 1 + 1"), "u.lua", &ref, &err), 0);
        vm_release(v, ref);
        if (i % 2)
            assert_int_equal(vm_task_run(v, &t, &waits, &err), 0);
        vm_task_close(v, &t);
    }
    assert_true(vm_memory_bytes(v) < 20 << 20);
    begin(v, "wait(1)", &t); /* and is there still when the state is closed */
    assert_int_equal(vm_task_run(v, &t, &waits, &err), 0);
    vm_close(v);
}

/* Two tasks side by side, with every allocation refused in turn, once and for good: nothing leaks, and each end is a code. */
static void any_allocation_may_fail(void **state)
{
    (void)state;
    static const char body[] = "local test = require 'test' return function() local t = {} for i = 1, 20 do t[i] = { i } end "
                               "local x = test.wait(1) pcall(test.wait, 2) pcall(error, {}) local s = ('x'):rep(100) .. x "
                               "for i = 1, 20 do t[i] = { s .. i, test.wait(i) } end if x == 70 then error('late ' .. s) end end";
    for (int for_good = 0; for_good < 2; for_good++) {
        bool refused = true;
        for (size_t k = 1; refused; k++) {
            struct alloc_fault fault;
            alloc_fault_init(&fault, k, for_good);
            struct waiting w = { .given = 70 };
            struct vm *v;
            struct err err = { 0 };
            struct vm_task tasks[2] = { { 0 } };
            vm_ref ref = 0;
            if (vm_open(&(struct vm_options){ .alloc = &fault.face }, &v, &err) == 0) {
                vm_set_context(v, &w);
                lua_pushcfunction(vm_lua(v), provide);
                int rc = vm_pcall(v, 0, 0, &err);
                if (rc == 0)
                    rc = vm_run(v, slice_str(body), "t.lua", &ref, &err);
                for (int i = 0; i < 2 && rc == 0; i++) {
                    vm_push_ref(v, ref);
                    rc = vm_task_open(v, NULL, &tasks[i], &err);
                }
                bool waits[2] = { true, true };
                for (int turn = 0; turn < 40 && rc == 0 && (waits[0] || waits[1]); turn++)
                    if (waits[turn % 2])
                        rc = vm_task_run(v, &tasks[turn % 2], &waits[turn % 2], &err);
                assert_true(rc == 0 || err.code == rc);
                vm_task_close(v, &tasks[0]);
                vm_task_close(v, &tasks[1]);
                vm_close(v);
            }
            refused = fault.refused;
            assert_int_equal(fault.live_bytes, 0);
        }
    }
}

/* What the sandbox promises holds after a wait: the time a call used before counts, too, and nothing slow hides behind it. */
static void a_stuck_call_ends_after_a_wait(void **state)
{
    (void)state;
    struct waiting w;
    struct vm *v = open_vm((struct vm_options){ .fuel = 1000000 }, &w);
    fails(v, "wait(1) local s = ('\\0'):rep(1 << 20) local t = ('\\0'):rep(1 << 20) while s == t do end", ERR_FUEL, "");
    vm_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_waits_and_goes_on_where_it_was),
        cmocka_unit_test(it_waits_only_where_that_can_be_left),
        cmocka_unit_test(errors_come_out_as_of_any_call),
        cmocka_unit_test(fuel_is_one_over_all_waits),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(what_follows_a_wait_happens_once),
        cmocka_unit_test(many_wait_at_once_and_end_in_any_order),
        cmocka_unit_test(one_that_waits_can_be_closed_and_another_call_runs_in_between),
        cmocka_unit_test(a_stuck_call_ends_after_a_wait),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
