#include "quote/fixture.h"

static void the_answer_has_the_members_of_the_api(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        fixture_build(f,
                      "[{'id': 'b2g1', 'title': 'Tea \\u8336', 'scope': {'tag': 'tea'}, 'give': {'buy_get': {'buy': 2, 'get': 1}}},"
                      " {'id': 'big', 'when': {'subtotal': {'at_least': '500.00'}}, 'give': {'free_shipping': {}}},"
                      " {'id': 'soon', 'window': {'from': '2026-11-20'}, 'give': {'free_shipping': {}}},"
                      " {'id': 'ship', 'give': {'free_shipping': {}}}]",
                      NULL, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]"),
        0);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'T\\\"1', 'price': 1000, 'qty': 3, 'tags': ['tea']}, {'sku': 'M', 'price': 5}],"
                                    " 'codes': ['nope'], 'option': 'post'}"),
                     0);
    f->cart.lines[0].product.title = slice_str("Dragon well \xe9\xbe\x99\xe4\xba\x95, a very \"fine\" one");
    f->cart.lines[1].compare_at_minor = 9;
    assert_string_equal(
        fixture_answer(f),
        "{\"currency\":\"CNY\",\"lines\":["
        "{\"sku\":\"T\\\"1\",\"title\":\"Dragon well \xe9\xbe\x99\xe4\xba\x95, a very \\\"fine\\\" "
        "one\",\"qty\":3,\"unit_price\":1000,\"subtotal\":3000,"
        "\"discounts\":[{\"campaign\":\"b2g1\",\"amount\":1000,\"units\":1}],\"discount\":1000,\"total\":2000,"
        "\"units\":[{\"qty\":1,\"discount\":1000,\"total\":0},{\"qty\":2,\"discount\":0,\"total\":1000}]},"
        "{\"sku\":\"M\",\"title\":\"M\",\"qty\":1,\"unit_price\":5,\"compare_at\":9,\"subtotal\":5,\"discounts\":[],\"total\":5}],"
        "\"subtotal\":3005,\"discount\":1000,"
        "\"shipping\":{\"option\":\"post\",\"amount\":500,\"discounts\":[{\"campaign\":\"ship\",\"amount\":500}],\"discount\":500,"
        "\"total\":0},\"lines_total\":2005,\"total\":"
        "2005,"
        "\"campaigns\":[{\"id\":\"b2g1\",\"title\":\"Tea "
        "\xe8\x8c\xb6\",\"applied\":true,\"amount\":1000,\"lines\":[{\"line\":0,\"amount\":1000,\"units\":1}]},"
        "{\"id\":\"ship\",\"title\":\"ship\",\"applied\":true,\"amount\":500,\"lines\":[],\"shipping\":500},"
        "{\"id\":\"big\",\"title\":\"big\",\"applied\":false,\"reason\":{\"code\":\"subtotal_below\",\"needed\":50000,\"seen\":2005},"
        "\"at\":\"when.subtotal\"},"
        "{\"id\":\"soon\",\"title\":\"soon\",\"applied\":false,\"reason\":{\"code\":\"not_yet\",\"from\":\"2026-11-19T16:00:00Z\"}}],"
        "\"codes\":[{\"code\":\"nope\",\"status\":\"unknown\"}],\"unused_codes\":[\"nope\"]}");
}

static const char *brief(struct fixture *f, const char *cart)
{
    struct buf b;
    struct json_writer w;
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    quote_result_write(f->rules, &f->result, &(struct quote_telling){ 0 }, &w);
    json_object_end(&w);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static void without_full_only_what_applied_is_told(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_build(f, "[{'id': 'big', 'when': {'qty': {'at_least': 5}}, 'give': {'percent_off': {'percent': 5}}}]", NULL,
                                   "[{'id': 'post', 'title': 'By post', 'rates': [{'price': '5.00'}]}]"),
                     0);
    assert_string_equal(
        brief(f, "{'lines': [{'sku': 'A', 'price': 100}]}"),
        "{\"currency\":\"CNY\",\"lines\":[{\"sku\":\"A\",\"title\":\"A\",\"qty\":1,\"unit_price\":100,\"subtotal\":100,\"discounts\":[],"
        "\"total\":100}],\"subtotal\":100,\"discount\":0,\"shipping\":null,"
        "\"shipping_options\":[{\"id\":\"post\",\"title\":\"By post\",\"amount\":500}],\"total\":100,\"campaigns\":[]}");
}

static int broken(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    (void)ctx, (void)fn, (void)e;
    return err_set(err, ERR_SCRIPT, "no");
}

static void a_campaign_that_broke_is_always_told(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'fn': 1}}]");
    f->hooks.action = broken;
    assert_non_null(
        strstr(brief(f, "{'lines': [{'sku': 'A', 'price': 100}]}"),
               "\"campaigns\":[{\"id\":\"x\",\"title\":\"x\",\"applied\":false,\"reason\":{\"code\":\"failed\",\"error\":\"script\"}}]"));
}

static int reasoned(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    (void)ctx, (void)fn;
    int rc = quote_eval_line_discount(e, 0, 3, 0, slice_str("third \"one\" is on us \xe8\x8c\xb6"), err);
    return rc < 0 ? rc : quote_eval_line_discount(e, 0, 4, 2, slice_str(""), err);
}

static void reasons_of_functions_are_escaped(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'fn': 1}}]");
    f->hooks.action = reasoned;
    assert_non_null(strstr(brief(f, "{'lines': [{'sku': 'A', 'price': 100, 'qty': 2}]}"),
                           "\"discounts\":[{\"campaign\":\"x\",\"amount\":3,\"reason\":\"third \\\"one\\\" is on us \xe8\x8c\xb6\"},"
                           "{\"campaign\":\"x\",\"amount\":4,\"units\":2}],\"total\":193"));
}

/* A buffer that may grow only so often: the writer stops, and says so. */
struct budget {
    int left;
};

static void *limited(void *ctx, void *ptr, size_t old_size, size_t size)
{
    struct budget *b = ctx;
    (void)old_size;
    if (size && b->left-- <= 0)
        return NULL;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static void running_out_of_memory_is_remembered_in_the_buffer(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10}}}]");
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 100}, {'sku': '\\u8336', 'price': 100}]}");
    size_t failures = 0;
    for (int allowed = 0;; allowed++) {
        struct budget budget = { allowed };
        struct alloc alloc = { limited, &budget };
        struct buf b;
        struct json_writer w;
        buf_init(&b, &alloc);
        json_writer_init(&w, &b);
        json_object(&w);
        quote_result_write(f->rules, &f->result, &(struct quote_telling){ .full = true }, &w);
        json_object_end(&w);
        quote_evidence_write(f->symbols, &f->cart, &b);
        bool failed = b.failed;
        buf_release(&b);
        if (!failed)
            break;
        failures++;
    }
    assert_true(failures > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_answer_has_the_members_of_the_api),
        TEST(without_full_only_what_applied_is_told),
        TEST(a_campaign_that_broke_is_always_told),
        TEST(reasons_of_functions_are_escaped),
        TEST(running_out_of_memory_is_remembered_in_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
