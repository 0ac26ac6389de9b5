#include "base/err.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void a_failure_has_a_code_a_field_a_reason_and_a_sentence(void **state)
{
    (void)state;
    struct err e;
    assert_int_equal(err_set(&e, ERR_BUSY, "try again in %d s", 2), ERR_BUSY);
    assert_int_equal(e.code, ERR_BUSY);
    assert_string_equal(e.text, "try again in 2 s");
    assert_string_equal(e.field, "");
    err_field(&e, ERR_INVALID, "/lines/0/qty", "wrong");
    assert_string_equal(e.field, "/lines/0/qty");
    err_reason(&e, ERR_CONFLICT, "out_of_stock", "only %s left", "one");
    assert_string_equal(e.reason, "out_of_stock");
    assert_string_equal(e.field, "");
    err_clear(&e);
    assert_int_equal(e.code, ERR_OK);
    assert_string_equal(e.text, "");
}

static void a_caller_that_does_not_care_passes_null(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_IO, "x"), ERR_IO);
    assert_int_equal(err_field(NULL, ERR_INVALID, "a", "x"), ERR_INVALID);
    assert_true(err_wrap(NULL, "x") < 0);
    err_clear(NULL);
}

static void wrapping_puts_a_prefix_and_keeps_the_rest(void **state)
{
    (void)state;
    struct err e;
    err_field(&e, ERR_IO, "f", "disk gone");
    assert_int_equal(err_wrap(&e, "opening %s", "shop.db"), ERR_IO);
    assert_string_equal(e.text, "opening shop.db: disk gone");
    assert_string_equal(e.field, "f");
}

static void an_argument_may_point_into_the_error_itself(void **state)
{
    (void)state;
    struct err e;
    err_field(&e, ERR_INVALID, "/a", "inner");
    err_field(&e, ERR_STATE, e.field, "outer (%s)", e.text);
    assert_string_equal(e.text, "outer (inner)");
    assert_string_equal(e.field, "/a");
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    (void)state;
    struct err e;
    for (size_t pad = 0; pad < 4; pad++) {
        char text[800];
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE8\x8C\xB6", 4);
        err_set(&e, ERR_INVALID, "%s", text);
        size_t n = strlen(e.text);
        assert_in_range(n, sizeof e.text - 4, sizeof e.text - 1);
        assert_int_equal((n - pad) % 3, 0);
        err_field(&e, ERR_INVALID, text, "x");
        assert_int_equal((strlen(e.field) - pad) % 3, 0);
        err_set(&e, ERR_INVALID, "%s", text);
        err_wrap(&e, "prefix");
        assert_int_equal((strlen(e.text) - pad - strlen("prefix: ")) % 3, 0);
    }
}

static void every_code_has_its_own_name(void **state)
{
    (void)state;
    for (int a = 0; a >= ERR_INTERNAL; a--)
        for (int b = a - 1; b >= ERR_INTERNAL; b--)
            assert_string_not_equal(err_name(a), err_name(b));
    assert_string_equal(err_name(ERR_NOT_FOUND), "not_found");
    assert_string_equal(err_name(ERR_INTERNAL), "internal");
    assert_string_equal(err_name(-999), "internal");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_has_a_code_a_field_a_reason_and_a_sentence),
        cmocka_unit_test(a_caller_that_does_not_care_passes_null),
        cmocka_unit_test(wrapping_puts_a_prefix_and_keeps_the_rest),
        cmocka_unit_test(an_argument_may_point_into_the_error_itself),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(every_code_has_its_own_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
