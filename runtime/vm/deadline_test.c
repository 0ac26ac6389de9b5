#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vm/vm_int.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* FEIRA_DEADLINE_ROUNDS: how often each thread arms; more for a long look. */
static long rounds(void)
{
    const char *given = getenv("FEIRA_DEADLINE_ROUNDS");
    return given ? atol(given) : 6000;
}

/* Late is a second: only a deadline that never comes is meant. The call that waits is one that every sanitizer lets signals through in. */
static bool comes(const struct vm *v)
{
    int64_t end_ns = vm_mono_ns() + 1000000000;
    while (!v->overdue && vm_mono_ns() < end_ns)
        nanosleep(&(struct timespec){ .tv_nsec = 1 }, NULL);
    return v->overdue;
}

/* Deadlines so short that the signal comes before, while, and right after the timer is set; each must still come, and none may be taken
 * for one that is yet to come. Some are taken back before. */
static void *arm_again_and_again(void *failed)
{
    struct vm *v;
    if (vm_open(&(struct vm_options){ .bare = true }, &v, NULL) < 0)
        return failed;
    unsigned random = 12345;
    for (long i = 0; i < rounds(); i++) {
        random = random * 1103515245 + 12345;
        int64_t ns = 1 + (random >> 16) % (i % 16 == 0 ? 200000 : 3000);
        v->overdue = 0;
        if (!vm_deadline_arm_timer(v, ns) && !v->overdue)
            return failed;
        if (i % 3 == 0) { /* a call that was quick; the next one finds whatever state that left */
            vm_deadline_disarm(v);
            continue;
        }
        if (!comes(v))
            return failed;
        vm_deadline_disarm(v);
    }
    vm_close(v);
    return NULL;
}

static void a_deadline_that_is_armed_comes_however_short_it_is(void **state)
{
    (void)state;
    static char failed;
    assert_null(arm_again_and_again(&failed));
}

static void each_thread_has_a_timer_of_its_own(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static char failed;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, arm_again_and_again, &failed), 0);
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

static void *arm_and_leave(void *arg)
{
    (void)arg;
    struct vm *v;
    if (vm_open(&(struct vm_options){ .bare = true }, &v, NULL) == 0) {
        vm_deadline_arm_timer(v, 50000);
        vm_close(v); /* disarms; the timer may fire when neither is there any more */
    }
    return NULL;
}

static void a_signal_that_comes_after_its_vm_or_its_thread_finds_nobody(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        pthread_t t;
        assert_int_equal(pthread_create(&t, NULL, arm_and_leave, NULL), 0);
        pthread_join(t, NULL);
    }
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

#ifndef __SANITIZE_THREAD__ /* no signals there while Lua runs, and its stack of calls grows with each error that Lua raises */
static void count(void *ctx)
{
    ++*(int *)ctx;
}

/* The whole way: calls that are ended by the signal wherever it finds them, thrown away, and counted. */
static void calls_without_end_are_ended_wherever_the_signal_finds_them(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "while true do end",
        "local t = {} while true do t[#t + 1] = {} if #t > 1000 then t = {} end end",
        "while true do pcall(function() while true do end end) end",
        "while true do local c = coroutine.wrap(function() while true do coroutine.yield() end end) for _ = 1, 10 do c() end end",
        "local s = 'x' while true do s = ('y'):rep(1000) .. s:sub(1, 10) end",
        "local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end while true do f(150) end",
        "while true do ('aaaaaaaaaaaaaaaaaaaaaaaa'):find('a?a?a?a?a?a?a?a?a?a?b') end",
        "local t = {} for i = 1, 300 do t[i] = -i end while true do table.sort(t, function(a, b) return a < b end) end",
    };
    enum { BODIES = sizeof bodies / sizeof *bodies, STATES = 6, FUEL = 2500000 };
    int undone = 0;
    for (int n = 0; n < STATES; n++) { /* a state remembers which functions are slow, and counts them from the start */
        struct vm *v;
        struct err err;
        assert_int_equal(vm_open(&(struct vm_options){ .fuel = FUEL, .patience = 200 }, &v, &err), 0); /* valgrind */
        for (size_t i = 0; i < BODIES; i++) {
            char text[512];
            vm_ref fn;
            snprintf(text, sizeof text, "return function() %s end", bodies[i]);
            assert_int_equal(vm_run(v, slice_str(text), "body.lua", &fn, &err), 0);
            vm_set_undo(v, count, &undone);
            assert_int_equal(vm_call(v, fn, 0, NULL, NULL, &err), ERR_FUEL);
            vm_set_undo(v, NULL, NULL); /* loading, too, may miss a deadline where the machine is busy */
            assert_non_null(strstr(err.text, "ran past its budget of 2500000"));
        }
        vm_close(v);
    }
    assert_int_equal(undone, STATES * BODIES);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_that_is_armed_comes_however_short_it_is),
        cmocka_unit_test(each_thread_has_a_timer_of_its_own),
        cmocka_unit_test(a_signal_that_comes_after_its_vm_or_its_thread_finds_nobody),
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test(calls_without_end_are_ended_wherever_the_signal_finds_them),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
