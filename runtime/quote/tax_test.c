#include "quote/fixture.h"

#define RATES                                                                                                                              \
    "[{'title': 'books', 'percent': 0, 'scope': {'category': 'books'}}, {'title': 'GB', 'percent': 20, 'regions': ['GB']},"                \
    " {'title': 'DE', 'percent': '7.5', 'regions': ['DE']}, {'title': 'sent', 'percent': 10, 'shipping': true}]"

static int build(struct fixture *f, const char *campaigns, const char *tax)
{
    return fixture_build_with(
        f, campaigns,
        (struct quote_rules_options){ .tax = fixture_json(&f->arena, tax),
                                      .shipping = fixture_json(&f->arena, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]") });
}

static void setup_tax(struct fixture *f, const char *campaigns, const char *prices)
{
    char tax[1024];
    snprintf(tax, sizeof tax, "{'prices': '%s', 'region': 'GB', 'rates': %s}", prices, RATES);
    if (build(f, campaigns, tax) < 0)
        fail_msg("%s", f->err.text);
}

static void price(struct fixture *f, const char *cart)
{
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
}

static void tax_that_prices_include_changes_no_total(void **state)
{
    struct fixture *f = *state;
    setup_tax(f, NULL, "include");
    price(f, "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}, {'sku': 'B', 'price': 500, 'category': 'books/old'}], 'option': 'post'}");
    assert_int_equal(f->result.total_minor, 3000 + 500 + 500);
    assert_int_equal(f->cart.lines[0].tax_minor, 500); /* 3000 - 3000 / 1.2 */
    assert_int_equal(f->cart.lines[1].tax_minor, 0);
    assert_int_equal(f->result.tax.shipping_minor, 45); /* 500 - 500 / 1.1 = 45.45 */
    assert_int_equal(f->result.tax.amount_minor, 545);
    assert_int_equal(f->result.tax.sum_count, 3);
    assert_true(slice_is(f->result.tax.sums[1].title, "books"));
    assert_int_equal(f->result.tax.sums[1].net_minor, 500);
    assert_int_equal(f->result.tax.sums[0].net_minor + f->result.tax.sums[0].tax_minor, 3000);
}

static void tax_that_is_added_is_of_what_is_left_after_discounts(void **state)
{
    struct fixture *f = *state;
    setup_tax(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10}}}]", "exclude");
    price(f, "{'lines': [{'sku': 'A', 'price': 1005}], 'option': 'post', 'region': 'DE'}");
    assert_int_equal(f->cart.lines[0].total_minor, 904); /* 1005 - 101 (100.5, half away) */
    assert_int_equal(f->cart.lines[0].tax_minor, 68);    /* 67.8 */
    assert_int_equal(f->result.tax.shipping_minor, 50);
    assert_int_equal(f->result.total_minor, 904 + 68 + 500 + 50);
    assert_non_null(strstr(fixture_answer(f), "\"total\":904,\"tax\":68,\"payable\":972,"));
    assert_non_null(strstr(fixture_answer(f), "\"total\":500,\"tax\":50,\"payable\":550}"));
    assert_non_null(strstr(fixture_answer(f), "{\"title\":\"DE\",\"rate_ppm\":75000,\"net\":904,\"tax\":68}"));
}

static void a_cart_without_a_region_has_the_shop_s(void **state)
{
    struct fixture *f = *state;
    setup_tax(f, NULL, "exclude");
    price(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
    assert_int_equal(f->result.total_minor, 1200);
    price(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'region': 'FR'}"); /* no rate is for it */
    assert_int_equal(f->result.total_minor, 1000);
    assert_int_equal(f->result.tax.sum_count, 0);
}

static void by_unit_each_piece_is_rounded(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(build(f, NULL, "{'prices': 'exclude', 'round': 'unit', 'rates': [{'title': 'x', 'percent': 10}]}"), 0);
    price(f, "{'lines': [{'sku': 'A', 'price': 14, 'qty': 10}]}");
    assert_int_equal(f->cart.lines[0].tax_minor, 10); /* 1.4 -> 1, ten times; by line it is 14 */
    assert_int_equal(build(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '0.03'}}}]",
                           "{'prices': 'exclude', 'round': 'unit', 'rates': [{'title': 'x', 'percent': 10}]}"),
                     0);
    price(f, "{'lines': [{'sku': 'A', 'price': 15, 'qty': 4}]}");
    assert_int_equal(f->cart.lines[0].tax_minor, 5); /* 57 = 15 + 14 + 14 + 14: 2 + 1 + 1 + 1 */
}

static void prices_that_are_final_have_the_tax_within(void **state)
{
    struct fixture *f = *state;
    setup_tax(f, NULL, "exclude");
    arena_reset(&f->run);
    struct quote_cart *cart = fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1200}]}");
    cart->no_campaigns = true;
    assert_int_equal(quote_price(f->rules, cart, NULL, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.total_minor, 1200);
    assert_int_equal(f->cart.lines[0].tax_minor, 200);
}

static void a_shop_without_tax_says_nothing_of_it(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, NULL);
    price(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
    assert_null(strstr(fixture_answer(f), "tax"));
}

static void a_total_beyond_counting_is_refused(void **state)
{
    struct fixture *f = *state;
    setup_tax(f, NULL, "exclude");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 9000000000000000000}]}"), ERR_OVERFLOW);
    assert_non_null(strstr(f->err.text, "with its tax"));
}

static void mistakes_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *tax, *says;
    } wrong[] = {
        { "{'prices': 'net', 'rates': [{'title': 'a', 'percent': 1}]}", "tax.prices: " },
        { "{'rates': [{'title': 'a', 'percent': 1}]}", "tax.prices: " },
        { "{'prices': 'include'}", "tax.rates: " },
        { "{'prices': 'include', 'rates': []}", "tax.rates: " },
        { "{'prices': 'include', 'rates': [{'percent': 1}]}", "tax.rates[1].title: " },
        { "{'prices': 'include', 'rates': [{'title': 'a', 'percent': 101}]}", "tax.rates[1].percent: " },
        { "{'prices': 'include', 'rates': [{'title': 'a', 'percent': 1, 'region': 'GB'}]}",
          "tax.rates[1]: unknown key \"region\"; did you mean \"regions\"?" },
        { "{'prices': 'include', 'rates': [{'title': 'a', 'percent': 1, 'shipping': 1}]}", "tax.rates[1].shipping: " },
        { "{'prices': 'include', 'rates': [{'title': 'a', 'percent': 1, 'shipping': true, 'scope': {'tag': 'x'}}]}",
          "tax.rates[1].scope: " },
        { "{'prices': 'include', 'round': 'order', 'rates': [{'title': 'a', 'percent': 1}]}", "tax.round: " },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(build(f, NULL, wrong[i].tax), ERR_INVALID);
        if (!strstr(f->err.text, wrong[i].says))
            fail_msg("%s says: %s", wrong[i].tax, f->err.text);
    }
}

/* Whatever the cart: parts add up, and including differs from adding by the same tax when nothing is rounded away. */
static void parts_add_up(void **state)
{
    struct fixture *f = *state;
    uint64_t seed = 7;
    for (int round = 0; round < 2000; round++) {
        char cart[1024], *p = cart;
        setup_tax(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '7.77'}}}]", round % 2 ? "include" : "exclude");
        p += sprintf(p, "{'option': 'post', 'lines': [");
        for (int i = 0; i < 5; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            p += sprintf(p, "%s{'sku': 'S%d', 'price': %d, 'qty': %d%s}", i ? "," : "", i, (int)(seed >> 50), 1 + (int)(seed >> 40 & 7),
                         seed >> 30 & 1 ? ", 'category': 'books'" : "");
        }
        sprintf(p, "]}");
        price(f, cart);
        const struct quote_result *r = &f->result;
        int64_t lines = 0, sums = 0, net = 0, goods = 0;
        for (size_t i = 0; i < f->cart.line_count; i++) {
            lines += f->cart.lines[i].tax_minor;
            goods += f->cart.lines[i].total_minor;
        }
        for (size_t i = 0; i < r->tax.sum_count; i++) {
            sums += r->tax.sums[i].tax_minor;
            net += r->tax.sums[i].net_minor;
        }
        assert_int_equal(lines + r->tax.shipping_minor, r->tax.amount_minor);
        assert_int_equal(sums, r->tax.amount_minor);
        assert_int_equal(net + sums, r->total_minor);
        assert_int_equal(goods + 500 + (r->tax.included ? 0 : sums), r->total_minor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tax_that_prices_include_changes_no_total),
        TEST(tax_that_is_added_is_of_what_is_left_after_discounts),
        TEST(a_cart_without_a_region_has_the_shop_s),
        TEST(by_unit_each_piece_is_rounded),
        TEST(prices_that_are_final_have_the_tax_within),
        TEST(a_shop_without_tax_says_nothing_of_it),
        TEST(a_total_beyond_counting_is_refused),
        TEST(mistakes_are_refused_with_their_place),
        TEST(parts_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
