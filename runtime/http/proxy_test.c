/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http/http_int.h"

static const char *const blocks[] = { "10.0.0.0/8", "192.0.2.7", "2001:db8::/33", NULL };

static void client_is(const char *peer, const char *first, const char *second, const char *want)
{
    struct proxies *p;
    struct err err = { 0 };
    assert_int_equal(proxies_open(blocks, &p, &err), 0);
    struct peer from = { 0 };
    memcpy(from.address, peer, strlen(peer));
    const struct http_header headers[] = { { SLICE_LIT("X-Forwarded-For"), slice_str(first) },
                                           { SLICE_LIT("x-forwarded-for"), slice_str(second) } };
    struct http_request req = { .peer = &from, .headers = headers, .header_count = second ? 2 : first ? 1 : 0 };
    struct slice got = proxies_client(p, &req);
    assert_true(slice_is(got, want));
    proxies_close(p);
}

static void a_stranger_is_not_believed(void **state)
{
    (void)state;
    client_is("203.0.113.1", "1.2.3.4", NULL, "203.0.113.1");
    client_is("192.0.2.8", "1.2.3.4", NULL, "192.0.2.8");
    client_is("2001:db8:8000::1", "1.2.3.4", NULL, "2001:db8:8000::1");
    client_is("unix", "1.2.3.4", NULL, "unix");
}

static void the_rightmost_address_that_is_no_proxy_is_the_client(void **state)
{
    (void)state;
    client_is("10.1.2.3", NULL, NULL, "10.1.2.3");
    client_is("10.1.2.3", "1.2.3.4", NULL, "1.2.3.4");
    client_is("192.0.2.7", "6.6.6.6, 1.2.3.4 ,10.9.9.9", NULL, "1.2.3.4");
    client_is("2001:db8:7fff::1", "6.6.6.6", "1.2.3.4", "1.2.3.4");
    client_is("10.1.2.3", "1.2.3.4", "10.0.0.9", "1.2.3.4");
    client_is("10.1.2.3", "10.0.0.9, 10.0.0.8", NULL, "10.0.0.9");
    client_is("::ffff:10.1.2.3", "2001:db9::1", NULL, "2001:db9::1");
}

static void what_stands_left_of_nonsense_is_not_believed(void **state)
{
    (void)state;
    client_is("10.1.2.3", "1.2.3.4, nonsense", NULL, "10.1.2.3");
    client_is("10.1.2.3", "1.2.3.4, , 10.0.0.9", NULL, "10.0.0.9");
    client_is("10.1.2.3", "1.2.3.4:80", NULL, "10.1.2.3");
}

static void a_bad_block_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = { "", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "a.example", "10.0.0/8" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *const list[] = { bad[i], NULL };
        struct proxies *p;
        struct err err = { 0 };
        assert_int_equal(proxies_open(list, &p, &err), ERR_INVALID);
        assert_null(p);
        assert_string_equal(err.field, "trusted_proxies");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_is_not_believed),
        cmocka_unit_test(the_rightmost_address_that_is_no_proxy_is_the_client),
        cmocka_unit_test(what_stands_left_of_nonsense_is_not_believed),
        cmocka_unit_test(a_bad_block_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
