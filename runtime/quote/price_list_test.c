#include "quote/fixture.h"
#include "quote/rules_int.h"
#include "quote/index.h"

#define LIST "{'id': 'trade', 'when': {'channel': 'trade'}, 'give': {'price_list': {'prices': {'A': '8.00', 'B': '5.50', 'C': '99.00'}}}}"
#define CART                                                                                                                               \
    "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}, {'sku': 'B', 'price': 600}, {'sku': 'C', 'price': 100}, {'sku': 'D', 'price': "     \
    "100}], 'channel': '%s'}"

static void price(struct fixture *f, const char *channel)
{
    char cart[400];
    snprintf(cart, sizeof cart, CART, channel);
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
}

static void units_cost_what_the_list_says(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[" LIST "]");
    price(f, "trade");
    const struct quote_line *l = f->cart.lines;
    assert_int_equal(l[0].unit_price_minor, 800);
    assert_int_equal(l[0].compare_at_minor, 1000);
    assert_int_equal(l[0].total_minor, 2400);
    assert_null(l[0].discounts);
    assert_int_equal(l[1].unit_price_minor, 550);
    assert_int_equal(l[2].unit_price_minor, 100); /* what costs less stays */
    assert_int_equal(l[2].compare_at_minor, 0);
    assert_int_equal(f->result.total_minor, 2400 + 550 + 100 + 100);
    assert_int_equal(fixture_outcome(f, "trade")->amount_minor, 600 + 50);
    price(f, "web");
    assert_int_equal(f->result.total_minor, 3000 + 600 + 100 + 100);
    assert_string_equal(fixture_reason(f, "trade"), "channel_differs");
}

static void rows_are_the_same(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f,
                  "[{'id': 'trade', 'give': {'price_list': {'prices': [{'sku': 'B', 'price': '5.50'}, {'sku': 'A', 'price': '8.00'}]}}}]");
    price(f, "web");
    assert_int_equal(f->result.total_minor, 2400 + 550 + 100 + 100);
}

static void discounts_come_after(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[" LIST ", {'id': 'half', 'when': {'subtotal': {'at_most': '31.50'}}, 'give': {'percent_off': {'percent': 50}}}]");
    price(f, "trade");
    assert_int_equal(f->result.total_minor, (2400 + 550 + 100 + 100) / 2);
    price(f, "web");
    assert_string_equal(fixture_reason(f, "half"), "subtotal_above");
}

static void only_lines_of_the_scope(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'trade', 'scope': {'sku': 'B'}, 'give': {'price_list': {'prices': {'A': '8.00', 'B': '5.50'}}}}]");
    price(f, "web");
    assert_int_equal(f->result.total_minor, 3000 + 550 + 100 + 100);
}

static void ten_thousand_prices_are_looked_up_not_through(void **state)
{
    enum { ROWS = 10000 };
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, NULL);
    buf_add_str(&b, "[{'id': 'trade', 'give': {'price_list': {'prices': {");
    for (int i = 0; i < ROWS; i++)
        buf_printf(&b, "%s'SKU-%d': '%d.%02d'", i ? "," : "", i * 7919 % ROWS, i * 7919 % ROWS / 100, i * 7919 % ROWS % 100);
    buf_add_str(&b, "}}}}]");
    fixture_rules(f, arena_strdup(&f->arena, buf_slice(&b)));
    buf_release(&b);
    assert_int_equal(index_always(f->rules->index), 0); /* carts with none of them do not look at it */
    for (int i = 0; i < ROWS; i += 37) {
        char cart[200];
        snprintf(cart, sizeof cart, "{'lines': [{'sku': 'SKU-%d', 'price': 100000, 'qty': 2}, {'sku': 'OTHER', 'price': 7}]}", i);
        assert_int_equal(fixture_try(f, cart), 0);
        assert_int_equal(f->result.total_minor, 2 * i + 7);
    }
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *more, *prices, *said;
    } cases[] = {
        { "", "{}", "give.price_list.prices: is empty; name at least one price, or leave the campaign out" },
        { "", "'x'", "give.price_list.prices: says no prices; write prices = { [\"TEA\"] = \"9.90\" }, or rows with sku and price" },
        { "", "{'A': 9}", "give.price_list.prices.A: a bare number can't be money; write \"9.00\" in quotes" },
        { "", "{'A': '-9.00'}", "give.price_list.prices.A: \"-9.00\" is negative; amounts here are never below zero" },
        { "", "[{'sku': 'A', 'price': '1.00'}, {'sku': 'B'}]",
          "give.price_list.prices[2].price: is missing; give an amount such as \"50.00\"" },
        { "", "[{'sku': 'A', 'price': '1.00'}, 7]",
          "give.price_list.prices[2]: has no sku; each row has sku = \"TEA\" and price = \"9.90\"" },
        { "", "[{'sku': 'A', 'price': '1.00'}, {'sku': 'B', 'price': '1.00'}, {'sku': 'A', 'price': '2.00'}]",
          "give.price_list.prices[3]: \"A\" has a price already, in row 1; leave one of them out" },
        { "'stage': 'item',", "{'A': '1.00'}", "stage: a price list says what a unit costs before anything is taken off; leave stage out" },
        { "'when': {'subtotal': {'at_least': '1.00'}},", "{'A': '1.00'}",
          "stage: prices are found before it is known what the cart comes to; leave conditions on amounts, units and functions out" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rules[400], said[300];
        snprintf(rules, sizeof rules, "[{'id': 'a', 'at': 'x.lua:3', %s 'give': {'price_list': {'prices': %s}}}]", cases[i].more,
                 cases[i].prices);
        snprintf(said, sizeof said, "x.lua:3: %s", cases[i].said);
        assert_int_equal(fixture_build(f, rules, NULL, NULL), ERR_INVALID);
        assert_string_equal(f->err.text, said);
    }
    assert_int_equal(
        fixture_build(f, "[{'id': 'a', 'give': [{'price_list': {'prices': {'A': '1.00'}}}, {'gift': {'sku': 'G'}}]}]", NULL, NULL),
        ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(units_cost_what_the_list_says),
        TEST(rows_are_the_same),
        TEST(discounts_come_after),
        TEST(only_lines_of_the_scope),
        TEST(ten_thousand_prices_are_looked_up_not_through),
        TEST(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
