#include "host/care/health.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOON = 1700000000 };

/* How many calls it takes until it is over the limit; every `each`-th fails. 0: never within `calls`. */
static int calls_until(struct health *h, uint32_t campaign, int calls, int each, int64_t at_ms, int64_t step_ms)
{
    struct health_sum sum;
    for (int n = 1; n <= calls; n++, at_ms += step_ms)
        if (health_note(h, campaign, n % each == 0, at_ms, &sum))
            return n;
    return 0;
}

static void twenty_failures_of_which_one_in_three_are_enough(void **state)
{
    (void)state;
    struct health *h = health_new(2);
    assert_int_equal(calls_until(h, 1, 1000, 3, NOON, 10), 60);
    health_free(h);
}

static void seldom_failures_are_never_enough(void **state)
{
    (void)state;
    struct health *h = health_new(1);
    assert_int_equal(calls_until(h, 0, 10000, 4, NOON, 1), 0);
    health_free(h);
}

static void failures_of_more_than_a_minute_ago_do_not_count(void **state)
{
    (void)state;
    struct health *h = health_new(1);
    assert_int_equal(calls_until(h, 0, 19, 1, NOON, 1), 0);
    assert_int_equal(calls_until(h, 0, 19, 1, NOON + HEALTH_WINDOW_MS + 10000, 1), 0);
    assert_int_equal(calls_until(h, 0, 1, 1, NOON + HEALTH_WINDOW_MS + 11000, 1), 1);
    /* One each four seconds is too slow to be seen as twenty a minute. */
    assert_int_equal(calls_until(h, 0, 200, 1, NOON + 10 * HEALTH_WINDOW_MS, 4000), 0);
    health_free(h);
}

static void campaigns_are_counted_apart_and_can_begin_again(void **state)
{
    (void)state;
    struct health_sum sum;
    struct health *h = health_new(3);
    assert_int_equal(calls_until(h, 0, 19, 1, NOON, 1), 0);
    assert_int_equal(calls_until(h, 2, 19, 1, NOON, 1), 0);
    health_reset(h, 0);
    assert_false(health_note(h, 0, true, NOON + 30, &sum));
    assert_int_equal(sum.failures, 1);
    assert_int_equal(sum.calls, 1);
    assert_true(health_note(h, 2, true, NOON + 30, &sum));
    assert_false(health_note(h, 3, true, NOON, &sum)); /* one that the rules do not have */
    health_reset(h, 3);
    health_free(h);
}

static void *fail_often(void *h)
{
    struct health_sum sum;
    for (int i = 0; i < 10000; i++)
        health_note(h, 0, i % 2, NOON, &sum);
    return NULL;
}

static void no_call_of_many_threads_is_lost_within_ten_seconds(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct health_sum sum;
    struct health *h = health_new(1);
    health_note(h, 0, false, NOON, &sum); /* so that the slot is this time's */
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fail_often, h), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(health_note(h, 0, true, NOON, &sum));
    assert_int_equal(sum.calls, 40002);
    assert_int_equal(sum.failures, 20001);
    health_free(h);
}

static void what_keeps_failing_is_told_once_in_a_window(void **state)
{
    (void)state;
    struct health *h = health_new(2);
    assert_true(health_say(h, 0, NOON));
    assert_false(health_say(h, 0, NOON + HEALTH_WINDOW_MS - 1));
    assert_true(health_say(h, 1, NOON));
    assert_true(health_say(h, 0, NOON + HEALTH_WINDOW_MS));
    health_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_failures_of_which_one_in_three_are_enough),
        cmocka_unit_test(seldom_failures_are_never_enough),
        cmocka_unit_test(failures_of_more_than_a_minute_ago_do_not_count),
        cmocka_unit_test(campaigns_are_counted_apart_and_can_begin_again),
        cmocka_unit_test(what_keeps_failing_is_told_once_in_a_window),
        cmocka_unit_test(no_call_of_many_threads_is_lost_within_ten_seconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
