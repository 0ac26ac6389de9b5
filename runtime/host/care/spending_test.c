#include "host/care/spending.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOON = 1700000000, MS = 1000000 };

static void wait_late(struct spending *s, size_t owner, int n, int64_t at_ms)
{
    for (int i = 0; i < n; i++)
        spending_waited(s, owner, SPENDING_LATE_MS + 1, at_ms);
}

static void half_of_the_writer_while_others_wait_is_too_much(void **state)
{
    (void)state;
    struct spending_sum sum;
    struct spending *s = spending_new(3);
    wait_late(s, SPENDING_NOBODY, SPENDING_LATE_COUNT - 1, NOON);
    assert_false(spending_used(s, 1, (int64_t)5000 * MS, NOON, &sum)); /* one late command short */
    assert_int_equal(sum.late, SPENDING_LATE_COUNT - 1);
    wait_late(s, 2, 1, NOON);
    assert_false(spending_used(s, 0, (int64_t)4999 * MS, NOON, &sum)); /* one millisecond short */
    assert_true(spending_used(s, 1, 0, NOON, &sum));
    assert_int_equal(sum.used_ms, 5000);
    assert_int_equal(sum.late, SPENDING_LATE_COUNT);
    spending_reset(s, 1);
    assert_false(spending_used(s, 1, 0, NOON, &sum));
    spending_free(s);
}

static void who_waits_only_for_himself_harms_nobody(void **state)
{
    (void)state;
    struct spending_sum sum;
    struct spending *s = spending_new(1);
    wait_late(s, 0, 1000, NOON);
    assert_false(spending_used(s, 0, (int64_t)9000 * MS, NOON, &sum));
    spending_waited(s, SPENDING_NOBODY, SPENDING_LATE_MS, NOON); /* not late */
    assert_false(spending_used(s, 0, 0, NOON, &sum));
    assert_int_equal(sum.late, 0);
    spending_free(s);
}

static void what_was_used_earlier_does_not_count(void **state)
{
    (void)state;
    struct spending_sum sum;
    struct spending *s = spending_new(2);
    wait_late(s, SPENDING_NOBODY, 100, NOON);
    assert_false(spending_used(s, 0, (int64_t)4000 * MS, NOON, &sum));
    wait_late(s, SPENDING_NOBODY, 100, NOON + SPENDING_WINDOW_MS);
    assert_false(spending_used(s, 0, (int64_t)4000 * MS, NOON + SPENDING_WINDOW_MS, &sum));
    assert_int_equal(sum.used_ms, 4000);
    assert_true(spending_used(s, 0, (int64_t)1000 * MS, NOON + SPENDING_WINDOW_MS + 2000, &sum)); /* both are within ten seconds */
    assert_false(spending_used(s, 2, (int64_t)9000 * MS, NOON, &sum));                            /* nobody */
    spending_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_of_the_writer_while_others_wait_is_too_much),
        cmocka_unit_test(who_waits_only_for_himself_harms_nobody),
        cmocka_unit_test(what_was_used_earlier_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
