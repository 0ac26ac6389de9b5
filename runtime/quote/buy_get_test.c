#include "quote/fixture.h"

static void rules(struct fixture *f, const char *action)
{
    char text[300];
    snprintf(text, sizeof text, "[{'id': 'x', 'scope': {'tag': 'in'}, 'give': {'buy_get': %s}}]", action);
    fixture_rules(f, text);
}

#define L(price, qty) "{'sku': 'A', 'tags': ['in'], 'price': " #price ", 'qty': " #qty "}"
#define CART(lines)   "{'lines': [" lines "]}"

static void the_cheapest_units_of_whole_sets_are_free(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'buy': 2, 'get': 1}");
    assert_int_equal(fixture_discount(f, CART(L(1000, 2))), 0);
    assert_string_equal(fixture_reason(f, "x"), "qty_below");
    assert_int_equal(fixture_param(f, "x", "needed"), 3);
    assert_int_equal(fixture_param(f, "x", "seen"), 2);
    assert_int_equal(fixture_discount(f, CART(L(1000, 3))), 1000);
    assert_int_equal(f->cart.lines[0].discounts->units, 1);
    assert_int_equal(fixture_discount(f, CART(L(1000, 2) "," L(700, 2) "," L(300, 1) ",{'sku': 'OUT', 'price': 1}")), 300);
    assert_int_equal(fixture_discount(f, CART(L(1000, 2) "," L(700, 2) "," L(300, 1) "," L(5, 1))), 305);
}

static void ties_go_to_the_earlier_line(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'buy': 1, 'get': 1}");
    assert_int_equal(fixture_discount(f, CART(L(500, 1) "," L(500, 1) "," L(500, 2))), 1000);
    assert_int_equal(f->cart.lines[0].discount_minor, 500);
    assert_int_equal(f->cart.lines[1].discount_minor, 500);
    assert_null(f->cart.lines[2].discounts);
}

static void a_percentage_and_a_number_of_sets_bound_the_reward(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'buy': 1, 'get': 1, 'percent': 50, 'max_sets': 2}");
    assert_int_equal(fixture_discount(f, CART(L(333, 10))), 333); /* two units, half of each, rounded once */
    rules(f, "{'buy': 1, 'get': 1, 'percent': 50}");
    assert_int_equal(fixture_discount(f, CART(L(333, 2))), 167);
}

static void units_are_priced_by_what_their_line_still_costs(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'priority': 9, 'give': {'percent_off': {'percent': 90, 'on': {'sku': 'DEAR'}}}},"
                     " {'id': 'x', 'give': {'buy_get': {'buy': 1, 'get': 1}}}]");
    assert_int_equal(fixture_discount(f, CART("{'sku': 'DEAR', 'price': 1000}, {'sku': 'CHEAP', 'price': 200}")), 900 + 100);
    assert_int_equal(f->cart.lines[0].total_minor, 0);
}

static void what_costs_nothing_is_neither_bought_nor_rewarded(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'buy': 1, 'get': 1}");
    assert_int_equal(fixture_discount(f, CART(L(0, 5) "," L(500, 1))), 0);
    assert_int_equal(fixture_param(f, "x", "seen"), 1);
    assert_int_equal(fixture_discount(f, CART(L(0, 5) "," L(500, 2))), 500);
}

static void a_line_that_does_not_divide_evenly_gives_its_share_rounded(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'priority': 9, 'give': {'amount_off': {'amount': '1.00'}}, 'stage': 'item'},"
                     " {'id': 'x', 'give': {'buy_get': {'buy': 2, 'get': 1}}}]");
    assert_int_equal(fixture_discount(f, CART("{'sku': 'A', 'price': 200, 'qty': 3}")), 100 + 167); /* 500 / 3 */
    rules(f, "{'buy': 1, 'get': 1000000}");
    assert_int_equal(fixture_discount(f, CART(L(9000000000000, 1000000) "," L(9000000000000, 1))), INT64_C(9000000000000000000));
}

static void two_thousand_lines_are_sorted_right(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    buf_init(&b, NULL);
    buf_add_str(&b, "{'lines': [");
    int64_t expected = 0;
    for (int i = 0; i < 2000; i++) {
        int price = i * 7919 % 2000 + 1; /* every price from 1 to 2000 once */
        buf_printf(&b,
                   "%s"
                   "{'sku': 'A', 'tags': ['in'], 'price': %d}",
                   i ? "," : "", price);
        expected += price <= 1000 ? price : 0;
    }
    buf_add(&b, "]}", 3);
    rules(f, "{'buy': 1, 'get': 1}");
    assert_int_equal(fixture_discount(f, b.data), expected);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_cheapest_units_of_whole_sets_are_free),
        TEST(ties_go_to_the_earlier_line),
        TEST(a_percentage_and_a_number_of_sets_bound_the_reward),
        TEST(units_are_priced_by_what_their_line_still_costs),
        TEST(what_costs_nothing_is_neither_bought_nor_rewarded),
        TEST(a_line_that_does_not_divide_evenly_gives_its_share_rounded),
        TEST(two_thousand_lines_are_sorted_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
