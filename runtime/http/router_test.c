/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http/http.h"

static struct arena arena;
static char allow[64];

static int route(struct http_router *r, struct http_request *req, enum http_method m, const char *path)
{
    *req = (struct http_request){ .method = m, .raw_path = slice_str(path), .arena = &arena };
    return http_route(r, req, allow);
}

static void add(struct http_router *r, enum http_method m, const char *pattern, int *route_mark)
{
    struct err err = { 0 };
    assert_int_equal(http_router_add(r, m, pattern, route_mark, &err), 0);
}

static int orders, order, mine, payments, root;

static struct http_router *sample(void)
{
    struct http_router *r = http_router_new();
    assert_non_null(r);
    add(r, HTTP_METHOD_GET, "/", &root);
    add(r, HTTP_METHOD_POST, "/v1/orders", &orders);
    add(r, HTTP_METHOD_GET, "/v1/orders/{id}", &order);
    add(r, HTTP_METHOD_GET, "/v1/orders/mine", &mine);
    add(r, HTTP_METHOD_POST, "/v1/orders/{id}/payments/{payment}", &payments);
    return r;
}

static void parameters_come_in_their_order_and_decoded(void **state)
{
    (void)state;
    struct http_router *r = sample();
    struct http_request req;
    assert_int_equal(route(r, &req, HTTP_METHOD_POST, "/v1/orders/ord_1/payments/a%2Fb%20c"), 200);
    assert_ptr_equal(req.route, &payments);
    assert_int_equal(req.param_count, 2);
    assert_true(slice_is(req.params[0], "ord_1"));
    assert_true(slice_is(req.params[1], "a/b c"));
    http_router_free(r);
}

static void a_literal_wins_and_a_dead_end_goes_back_to_the_parameter(void **state)
{
    (void)state;
    struct http_router *r = sample();
    struct http_request req;
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1/orders/mine"), 200);
    assert_ptr_equal(req.route, &mine);
    assert_int_equal(req.param_count, 0);
    assert_int_equal(route(r, &req, HTTP_METHOD_POST, "/v1/orders/mine/payments/x"), 200);
    assert_true(slice_is(req.params[0], "mine"));
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1/orders/m%69ne"), 200);
    assert_ptr_equal(req.route, &mine);
    http_router_free(r);
}

static void unknown_paths_and_methods_are_told_apart(void **state)
{
    (void)state;
    struct http_router *r = sample();
    struct http_request req;
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1"), 404);
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1/orders/"), 404);
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1/orders/x/payments"), 404);
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "*"), 404);
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/"), 200);
    assert_int_equal(route(r, &req, HTTP_METHOD_DELETE, "/v1/orders/x"), 405);
    assert_string_equal(allow, "GET, HEAD, OPTIONS");
    assert_int_equal(route(r, &req, HTTP_METHOD_GET, "/v1/orders"), 405);
    assert_string_equal(allow, "POST, OPTIONS");
    assert_int_equal(route(r, &req, HTTP_METHOD_OPTIONS, "/v1/orders"), 204);
    assert_string_equal(allow, "POST, OPTIONS");
    assert_int_equal(route(r, &req, HTTP_METHOD_HEAD, "/v1/orders/x"), 200);
    assert_ptr_equal(req.route, &order);
    http_router_free(r);
}

static void bad_and_doubled_patterns_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "v1",
                                       "//",
                                       "/a/",
                                       "/a//b",
                                       "/{",
                                       "/{}",
                                       "/{a",
                                       "/a{b}",
                                       "/{a}b",
                                       "/a b",
                                       "/%41",
                                       "/.",
                                       "/a/..",
                                       "/a?b",
                                       "/{a-b}",
                                       "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}" };
    struct http_router *r = sample();
    struct err err = { 0 };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(http_router_add(r, HTTP_METHOD_GET, bad[i], NULL, &err), ERR_INVALID);
    assert_int_equal(http_router_add(r, HTTP_METHOD_GET, "/v1/orders/{other}", NULL, &err), ERR_INVALID);
    assert_int_equal(http_router_add(r, HTTP_METHOD_PUT, "/v1/orders/{other}", NULL, &err), 0);
    struct http_request req;
    assert_int_equal(route(r, &req, HTTP_METHOD_PUT, "/v1/orders/x"), 200); /* a NULL route is one, too */
    http_router_free(r);
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
        cmocka_unit_test(parameters_come_in_their_order_and_decoded),
        cmocka_unit_test(a_literal_wins_and_a_dead_end_goes_back_to_the_parameter),
        cmocka_unit_test(unknown_paths_and_methods_are_told_apart),
        cmocka_unit_test(bad_and_doubled_patterns_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
