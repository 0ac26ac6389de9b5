#include "host/care/tally.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { A = 3, B = 7 };

static int64_t ns_of(const struct tally *t, int fn)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->of[i].fn == fn)
            return t->of[i].ns;
    return -1;
}

static unsigned calls_of(const struct tally *t, int fn)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->of[i].fn == fn)
            return t->of[i].calls;
    return 0;
}

static void pass(struct clock_virtual *c, int64_t ms)
{
    clock_virtual_advance(c, ms);
}

static void time_is_counted_for_whoever_runs(void **state)
{
    (void)state;
    struct clock_virtual c;
    struct tally t = { 0 };
    clock_virtual_init(&c, 1700000000000);
    int64_t queued = clock_mono_ns(&c.face);
    pass(&c, 7);
    tally_begin(&t, &c.face, TALLY_SHOP, queued);
    pass(&c, 5); /* the shop's own */
    int before = tally_enter(&t, A);
    pass(&c, 10);
    int inner = tally_enter(&t, B);
    pass(&c, 100);
    tally_leave(&t, inner, false, SLICE_LIT("why"));
    pass(&c, 20);
    tally_leave(&t, before, false, SLICE_LIT("why"));
    pass(&c, 3);
    before = tally_enter(&t, A);
    pass(&c, 1);
    tally_leave(&t, before, false, SLICE_LIT("why"));
    tally_end(&t, false);
    assert_int_equal(t.waited_ms, 7);
    assert_int_equal(ns_of(&t, A), 31 * 1000000);
    assert_int_equal(ns_of(&t, B), 100 * 1000000);
    assert_int_equal(calls_of(&t, A), 2);
    assert_int_equal(calls_of(&t, B), 1);
    assert_int_equal(t.culprit, TALLY_SHOP);
}

static void the_innermost_that_failed_is_to_blame_whoever_went_on(void **state)
{
    (void)state;
    struct clock_virtual c;
    struct tally t = { 0 };
    clock_virtual_init(&c, 1700000000000);
    tally_begin(&t, &c.face, A, 0);
    int before = tally_enter(&t, B);
    tally_leave(&t, before, true, SLICE_LIT("why"));
    tally_end(&t, true);
    assert_int_equal(t.culprit, B);
    assert_string_equal(t.why, "why");
    /* Once more, in a batch that runs again: this time its owner alone fails. */
    tally_begin(&t, &c.face, A, 0);
    tally_end(&t, true);
    assert_int_equal(t.culprit, A);
    assert_string_equal(t.why, "");
    assert_int_equal(calls_of(&t, A), 1);
    assert_int_equal(calls_of(&t, B), 0);
    /* An error that left several at once. */
    tally_begin(&t, &c.face, TALLY_SHOP, 0);
    tally_enter(&t, B);
    tally_end(&t, true);
    assert_int_equal(t.culprit, B);
    /* The shop's own fault. */
    tally_begin(&t, &c.face, TALLY_SHOP, 0);
    tally_leave(&t, tally_enter(&t, B), false, SLICE_LIT("why"));
    tally_end(&t, true);
    assert_int_equal(t.culprit, TALLY_SHOP);
}

static void time_of_a_batch_that_ran_twice_was_spent_twice(void **state)
{
    (void)state;
    struct clock_virtual c;
    struct tally t = { 0 };
    clock_virtual_init(&c, 1700000000000);
    int64_t queued = clock_mono_ns(&c.face);
    for (int i = 0; i < 2; i++) {
        tally_begin(&t, &c.face, A, queued);
        pass(&c, 4);
        tally_end(&t, false);
    }
    assert_int_equal(ns_of(&t, A), 8 * 1000000);
    assert_int_equal(calls_of(&t, A), 1);
    assert_int_equal(t.waited_ms, 0);
}

static void more_plugins_than_fit_are_nobodys(void **state)
{
    (void)state;
    struct clock_virtual c;
    struct tally t = { 0 };
    clock_virtual_init(&c, 1700000000000);
    tally_begin(&t, &c.face, TALLY_SHOP, 0);
    for (int i = 0; i < TALLY_MAX + 2; i++) {
        int before = tally_enter(&t, i);
        pass(&c, 1);
        tally_leave(&t, before, i == TALLY_MAX + 1, SLICE_LIT("why"));
    }
    tally_end(&t, true);
    assert_int_equal(t.count, TALLY_MAX);
    assert_int_equal(t.culprit, TALLY_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_is_counted_for_whoever_runs),
        cmocka_unit_test(the_innermost_that_failed_is_to_blame_whoever_went_on),
        cmocka_unit_test(time_of_a_batch_that_ran_twice_was_spent_twice),
        cmocka_unit_test(more_plugins_than_fit_are_nobodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
