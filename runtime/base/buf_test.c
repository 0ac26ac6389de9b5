#include "base/alloc_fault.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void appends_join_up(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, NULL);
    assert_int_equal(buf_slice(&b).len, 0);
    assert_non_null(buf_slice(&b).data);
    buf_add_str(&b, "a");
    buf_add_char(&b, ' ');
    buf_add_slice(&b, SLICE_LIT("slice"));
    buf_add(&b, NULL, 0);
    buf_printf(&b, " %05d", 42);
    assert_true(slice_is(buf_slice(&b), "a slice 00042"));
    buf_clear(&b);
    assert_int_equal(b.len, 0);
    buf_release(&b);
}

static void integers_are_written_as_printf_writes_them(void **state)
{
    (void)state;
    int64_t values[] = { 0, 1, 9, 10, 99, 100, 101, 12345, 999999, 1000000, -1, -10, -99, -100, INT64_MAX, INT64_MIN, INT64_MIN + 1 };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char expected[32];
        struct buf b;
        buf_init(&b, NULL);
        buf_add_int(&b, values[i]);
        snprintf(expected, sizeof expected, "%lld", (long long)values[i]);
        assert_true(slice_is(buf_slice(&b), expected));
        buf_release(&b);
    }
}

static void a_long_run_of_appends_keeps_every_byte(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, NULL);
    for (int i = 0; i < 100000; i++)
        buf_add_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 100000);
    for (int i = 0; i < 100000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
    buf_release(&b);
}

static void too_much_is_a_failure_that_stays(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, NULL);
    buf_add_str(&b, "kept");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_add_str(&b, "ignored");
    assert_true(slice_is(buf_slice(&b), "kept"));
    buf_clear(&b);
    assert_false(b.failed);
    buf_release(&b);
}

static void a_refused_allocation_is_remembered_until_the_end(void **state)
{
    (void)state;
    for (size_t k = 1;; k++) {
        struct alloc_fault f;
        struct buf b;
        alloc_fault_init(&f, k, false);
        buf_init(&b, &f.face);
        for (int i = 0; i < 3000; i++)
            buf_add_int(&b, i);
        buf_printf(&b, "%5000d", 1);
        assert_int_equal(b.failed, f.refused);
        buf_release(&b);
        assert_int_equal(f.live_bytes, 0);
        if (!f.refused) {
            assert_true(k > 5);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_join_up),
        cmocka_unit_test(integers_are_written_as_printf_writes_them),
        cmocka_unit_test(a_long_run_of_appends_keeps_every_byte),
        cmocka_unit_test(too_much_is_a_failure_that_stays),
        cmocka_unit_test(a_refused_allocation_is_remembered_until_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
