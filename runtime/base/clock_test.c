#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void a_virtual_clock_moves_only_when_told(void **state)
{
    (void)state;
    struct clock_virtual v;
    clock_virtual_init(&v, 1000);
    assert_int_equal(clock_wall_ms(&v.face), 1000);
    int64_t mono = clock_mono_ns(&v.face);
    assert_int_equal(clock_wall_ms(&v.face), 1000);
    clock_virtual_advance(&v, 250);
    assert_int_equal(clock_wall_ms(&v.face), 1250);
    assert_int_equal(clock_mono_ns(&v.face) - mono, 250000000);
    v.wall_now_ms -= 3600000; /* the wall may jump, the other may not */
    assert_int_equal(clock_mono_ns(&v.face) - mono, 250000000);
}

static void the_system_clock_is_in_this_century_and_never_goes_back(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    assert_true(clock_wall_ms(c) > INT64_C(1600000000000) && clock_wall_ms(c) < INT64_C(4102444800000));
    int64_t last = clock_mono_ns(c);
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_mono_ns(c);
        assert_true(now >= last);
        last = now;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_virtual_clock_moves_only_when_told),
        cmocka_unit_test(the_system_clock_is_in_this_century_and_never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
