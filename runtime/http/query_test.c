/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http/http.h"

static struct arena arena;

static int query(const char *text, const char *name, struct slice *out)
{
    struct http_request req = { .query = slice_str(text), .arena = &arena };
    struct err err = { 0 };
    int rc = http_query(&req, name, out, &err);
    if (rc < 0)
        assert_string_equal(err.field, name);
    return rc;
}

static void values_are_decoded(void **state)
{
    (void)state;
    struct slice v;
    assert_int_equal(query("a=1&b=x%20y+z&c", "b", &v), 1);
    assert_true(slice_is(v, "x y z"));
    assert_int_equal(query("a=1&b=x&c", "c", &v), 1);
    assert_int_equal(v.len, 0);
    assert_int_equal(query("a=b=c", "a", &v), 1);
    assert_true(slice_is(v, "b=c"));
    assert_int_equal(query("%61=%E8%8C%B6", "a", &v), 1);
    assert_true(slice_is(v, "\xe8\x8c\xb6"));
    assert_int_equal(query("&&a=1&", "a", &v), 1);
}

static void absent_is_not_empty(void **state)
{
    (void)state;
    struct slice v;
    assert_int_equal(query("", "a", &v), 0);
    assert_null(v.data);
    assert_int_equal(query("aa=1&b=a&A=2", "a", &v), 0);
    assert_int_equal(query("=1&=", "a", &v), 0);
}

static void a_doubled_or_malformed_value_is_an_error_that_names_it(void **state)
{
    (void)state;
    static const char *const bad[] = { "a=1&a=1", "a&a",   "a=1&%61=2", "a=%",   "a=%4",     "a=%4g",      "a=%zz",
                                       "a=%00",   "a=%0a", "a=%7f",     "a=%ff", "a=%c0%ae", "a=%ed%a0%80" };
    struct slice v;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(query(bad[i], "a", &v), ERR_INVALID);
}

static void headers_are_found_whatever_their_case(void **state)
{
    (void)state;
    const struct http_header headers[] = { { SLICE_LIT("X-A"), SLICE_LIT("1") },
                                           { SLICE_LIT("content-TYPE"), SLICE_LIT("Application/JSON ; charset=utf-8") } };
    struct http_request req = { .headers = headers, .header_count = 2 };
    assert_true(slice_is(http_header(&req, "x-a"), "1"));
    assert_null(http_header(&req, "x-").data);
    assert_true(http_content_type_is(&req, "application/json"));
    assert_false(http_content_type_is(&req, "application/jso"));
    assert_false(http_content_type_is(&req, "application/json5"));
}

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, NULL, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(absent_is_not_empty),
        cmocka_unit_test(a_doubled_or_malformed_value_is_an_error_that_names_it),
        cmocka_unit_test(headers_are_found_whatever_their_case),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
