#include "host/publish/rescue.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static enum rescue_verdict judge(int64_t failures, int64_t calls, int64_t failures_before, int64_t calls_before)
{
    return rescue_judge((struct rescue_counts){ calls, failures }, (struct rescue_counts){ calls_before, failures_before });
}

static void new_rules_that_fail_often_go_back(void **state)
{
    (void)state;
    assert_int_equal(judge(30, 30, 0, 0), RESCUE_BACK); /* nothing is known of before */
    assert_int_equal(judge(30, 150, 0, 10000), RESCUE_BACK);
    assert_int_equal(judge(30, 150, 100, 10000), RESCUE_BACK); /* one in a hundred before, one in five now */
}

static void few_failures_and_seldom_ones_are_fine(void **state)
{
    (void)state;
    assert_int_equal(judge(29, 29, 0, 10000), RESCUE_FINE);
    assert_int_equal(judge(30, 151, 0, 10000), RESCUE_FINE);
    assert_int_equal(judge(0, 100000, 0, 0), RESCUE_FINE);
}

static void what_failed_as_much_before_is_no_fault_of_the_new_rules(void **state)
{
    (void)state;
    assert_int_equal(judge(50, 150, 3333, 10000), RESCUE_AS_BEFORE);
    assert_int_equal(judge(150, 150, 5000, 10000), RESCUE_AS_BEFORE); /* not three times as often */
    assert_int_equal(judge(150, 150, 40, 60), RESCUE_AS_BEFORE);
    assert_int_equal(judge(40, 40, 1, 1), RESCUE_BACK); /* one call says little */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_rules_that_fail_often_go_back),
        cmocka_unit_test(few_failures_and_seldom_ones_are_fine),
        cmocka_unit_test(what_failed_as_much_before_is_no_fault_of_the_new_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
