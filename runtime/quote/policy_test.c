/* Policies on amounts: each told apart from the one that it is not. Numbers by hand. */
#include "quote/fixture.h"

static void rules(struct fixture *f, const char *campaigns, const char *policies)
{
    if (fixture_build(f, campaigns, policies, NULL) < 0)
        fail_msg("%s", f->err.text);
}

static void off(struct fixture *f, const char *cart, size_t count, const int64_t *due)
{
    fixture_discount(f, cart);
    for (size_t i = 0; i < count; i++)
        if (f->cart.lines[i].discount_minor != due[i])
            fail_msg("line %zu: %lld, not %lld\n%s", i + 1, (long long)f->cart.lines[i].discount_minor, (long long)due[i],
                     fixture_answer(f));
}
#define OFF(cart, ...) off(f, cart, sizeof(int64_t[]){ __VA_ARGS__ } / sizeof(int64_t), (const int64_t[]){ __VA_ARGS__ })

#define L(price, qty) "{'sku': 'S" #price "', 'price': " #price ", 'qty': " #qty "}"
#define CART(lines)   "{'lines': [" lines "]}"

static void a_percentage_is_rounded_once_for_something(void **state)
{
    struct fixture *f = *state;
    const char *tenth = "[{'id': 'x', 'give': {'percent_off': {'percent': 15}}}]";
    rules(f, tenth, NULL);
    OFF(CART(L(999, 10)), 1499); /* 1498.5 */
    rules(f, tenth, "{'round': 'unit'}");
    OFF(CART(L(999, 10)), 1500); /* 149.85, ten times */
    rules(f, tenth, "{'round': 'order'}");
    OFF(CART(L(10, 1) "," L(11, 1) "," L(12, 1)), 1, 2, 2); /* 4.95 */
    rules(f, tenth, NULL);
    OFF(CART(L(10, 1) "," L(11, 1) "," L(12, 1)), 2, 2, 2);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 50, 'round': 'carry'}}}]", NULL);
    OFF(CART(L(599, 1) "," L(1599, 1)), 300, 799); /* 299.5 gave half a cent too much */
    rules(f, "[{'id': 'x', 'policies': {'round': 'unit'}, 'give': {'percent_off': {'percent': 15}}}]", NULL);
    OFF(CART(L(999, 10)), 1500);
}

static void what_shares_leave_goes_where_it_is_said(void **state)
{
    struct fixture *f = *state;
    const char *three = "[{'id': 'x', 'give': {'amount_off': {'amount': '3.00'}}}]", *cart = CART(L(4300, 1) "," L(1400, 1) "," L(2300, 1));
    rules(f, three, NULL);
    OFF(cart, 161, 53, 86); /* 161.25, 52.5, 86.25 */
    rules(f, three, "{'remainder': 'first_lines'}");
    OFF(cart, 162, 52, 86);
    rules(f, three, "{'remainder': 'first_lines', 'share_rounding': 'half_down'}");
    OFF(cart, 162, 52, 86);
    rules(f, three, "{'remainder': 'last_line'}");
    OFF(cart, 161, 53, 86);
    rules(f, three, "{'remainder': 'last_line', 'share_rounding': 'down'}");
    OFF(cart, 161, 52, 87);
    rules(f, three, "{'remainder': 'carry'}");
    OFF(CART(L(1, 1) "," L(1, 1) "," L(1, 1)), 1, 1, 1);
    OFF(CART(L(700, 1) "," L(700, 1) "," L(0, 1) "," L(700, 1)), 100, 100, 0, 100);
    assert_int_equal(fixture_build(f, three, "{'share_rounding': 'down'}", NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "largest_remainder"));
}

static void amounts_go_off_each(void **state)
{
    struct fixture *f = *state;
    const char *each = "[{'id': 'x', 'give': {'amount_off': {'amount': '5.00', 'per': 'each', 'max_units_per_line': 2}}}]";
    rules(f, each, NULL);
    OFF(CART(L(1000, 3) "," L(200, 3)), 500, 400); /* two units of the second cost no more */
    rules(f, each, "{'each': 'unit'}");
    OFF(CART(L(1000, 3) "," L(200, 3)), 1000, 400);
    rules(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '1.13', 'further': '2.11', 'per': 'unit', 'max_units_per_line': 5}}}]", NULL);
    OFF(CART(L(10000, 10)), 957);
    assert_int_equal(fixture_build(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '1.00', 'max_units': 2}}}]", NULL, NULL),
                     ERR_INVALID);
}

static void some_units_of_the_lines(void **state)
{
    struct fixture *f = *state;
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 25, 'max_units': 5, 'pick': 'cheapest'}}}]", NULL);
    OFF(CART(L(10000, 4) "," L(5000, 2) "," L(6000, 3)), 0, 2500, 4500);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 25, 'max_units': 5, 'pick': 'dearest'}}}]", NULL);
    OFF(CART(L(10000, 4) "," L(5000, 2) "," L(6000, 3)), 10000, 0, 1500);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10, 'whole': 3}}}]", NULL);
    OFF(CART(L(1000, 3) "," L(2000, 2)), 300, 0);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10, 'whole_per_line': 2}}}]", NULL);
    OFF(CART(L(1000, 3) "," L(2000, 2)), 200, 400);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10, 'whole_per_line': 2, 'max_units_per_line': 5}}}]", NULL);
    OFF(CART(L(1000, 7) "," L(2000, 3)), 400, 400);
    const char *two = "[{'id': 'a', 'priority': 1, 'give': {'percent_off': {'percent': 30, 'max_units_per_line': 2}}},"
                      "{'id': 'b', 'give': {'percent_off': {'percent': 10, 'max_units_per_line': 1}}}]";
    rules(f, two, NULL);
    OFF(CART(L(5000, 3)), 3000 + 400);
    rules(f, two, "{'earlier': 'same_units'}");
    OFF(CART(L(5000, 3)), 3000 + 200);
}

static void a_percentage_rounded_once_of_nothing_is_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const remainders[] = { NULL, "{'remainder': 'first_lines'}", "{'remainder': 'last_line'}",
                                              "{'remainder': 'carry'}" };
    for (size_t i = 0; i < sizeof remainders / sizeof *remainders; i++) {
        rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 10, 'round': 'order'}}}]", remainders[i]);
        OFF(CART(L(0, 2)), 0);
        OFF(CART(L(0, 2) "," L(0, 1)), 0, 0);
        OFF(CART(L(0, 2) "," L(100, 1)), 0, 10);
    }
}

static void nothing_goes_below_its_floor(void **state)
{
    struct fixture *f = *state;
    const char *floors = "{'floors': [{'scope': {'sku': 'S5000'}, 'price': '45.00'}]}";
    rules(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '20.00'}}}]", floors);
    OFF(CART(L(5000, 2) "," L(2000, 3)), 1000, 1000);
    OFF(CART(L(5000, 2)), 1000);
    rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 50}}}]", floors);
    OFF(CART(L(5000, 1) "," L(2000, 1)), 500, 1000);
    rules(f, "[{'id': 'x', 'give': {'n_for': {'n': 2, 'price': '10.00'}}}]", floors);
    OFF(CART(L(5000, 2)), 1000);
    rules(f, "[{'id': 'x', 'stage': 'price', 'give': {'percent_off': {'percent': 50}}}]", floors);
    fixture_discount(f, CART(L(5000, 2)));
    assert_int_equal(f->cart.lines[0].unit_price_minor, 4500);
}

static void prices_that_campaigns_change(void **state)
{
    struct fixture *f = *state;
    rules(f,
          "[{'id': 'a', 'stage': 'price', 'priority': 2, 'give': {'percent_off': {'percent': 10}}},"
          "{'id': 'b', 'stage': 'price', 'priority': 1, 'give': {'amount_off': {'amount': '5.00', 'per': 'unit'}}},"
          "{'id': 'c', 'give': {'percent_off': {'percent': 50, 'on': {'reduced': {}}}}}]",
          "{'percent_base': 'list'}");
    OFF(CART(L(10000, 3) "," L(400, 1)), 12750, 0);
    assert_int_equal(f->cart.lines[0].unit_price_minor, 8500);
    assert_int_equal(f->cart.lines[0].compare_at_minor, 10000);
    assert_int_equal(f->cart.lines[0].subtotal_minor, 25500);
    assert_int_equal(f->cart.lines[1].unit_price_minor, 0); /* never below nothing: 360 less 500 */
    assert_int_equal(f->result.outcomes[0].amount_minor, 3000 + 40);
    assert_int_equal(f->result.subtotal_minor, 25500);
    static const char *const wrong[] = {
        "[{'id': 'x', 'stage': 'price', 'give': {'amount_off': {'amount': '5.00'}}}]",
        "[{'id': 'x', 'stage': 'price', 'give': {'buy_get': {'buy': 1, 'get': 1}}}]",
        "[{'id': 'x', 'stage': 'price', 'when': {'qty': {'at_least': 2}}, 'give': {'percent_off': {'percent': 5}}}]",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(fixture_build(f, wrong[i], NULL, NULL), ERR_INVALID);
}

static void bought_here_and_rewarded_there(void **state)
{
    struct fixture *f = *state;
    rules(f, "[{'id': 'x', 'give': {'buy_get': {'buy': 2, 'get': 1, 'of': {'sku': ['S900', 'S1000', 'S1100']}, 'on': {'sku': 'S900'}}}}]",
          NULL);
    OFF(CART(L(900, 1) "," L(1000, 1) "," L(1100, 1)), 900, 0, 0);
    OFF(CART(L(900, 1) "," L(1000, 1)), 0, 0);
    OFF(CART(L(900, 3)), 900);
    rules(f, "[{'id': 'x', 'give': {'buy_get': {'buy': 1, 'get': 5, 'per': 'line', 'partial': true}}}]", NULL);
    OFF(CART(L(2000, 6) "," L(1000, 4) "," L(500, 1)), 10000, 3000, 0);
    rules(f, "[{'id': 'x', 'give': {'buy_get': {'buy': 1, 'get': 2, 'amount': '3.00', 'max_units': 3, 'pick': 'dearest'}}}]", NULL);
    OFF(CART(L(2000, 2) "," L(200, 10)), 600, 200);
    const char *two = "[{'id': 'a', 'priority': 1, 'give': {'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1}}},"
                      "{'id': 'b', 'give': {'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1}}}]";
    rules(f, two, "{'units': 'once'}");
    OFF(CART(L(5000, 4)), 10000);
    OFF(CART(L(5000, 3)), 5000);
    assert_string_equal(fixture_reason(f, "b"), "qty_below");
    /* What was only tried, or lost, leaves its units to the others. */
    const char *tried =
        "[{'id': 'a', 'group': 'g', 'give': {'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1, 'percent': 10}}},"
        "{'id': 'b', 'group': 'g', 'priority': 1, 'give': [{'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1, 'percent': 20}}]},"
        "{'id': 'c', 'give': {'buy_get': {'buy': 1, 'get': 1, 'max_sets': 1}}}]";
    rules(f, tried, "{'units': 'once', 'stacking': 'best'}");
    OFF(CART(L(5000, 4)), 6000);
    rules(f, tried, "{'units': 'once'}");
    OFF(CART(L(5000, 4)), 6000);
    assert_int_equal(fixture_build(f, two, "{'units': 'once', 'lanes': 'best_per_line'}", NULL), ERR_INVALID);
    rules(f, two, NULL);
    OFF(CART(L(5000, 4)), 5000 + 3750); /* each of four costs 37.50 by then */
}

static void sets_prices_and_steps_from_nothing(void **state)
{
    struct fixture *f = *state;
    rules(f, "[{'id': 'x', 'give': {'fixed_price': {'price': '4.20', 'per': 'set'}}}]", NULL);
    OFF(CART(L(500, 2)), 580);
    OFF(CART(L(100, 2)), 0);
    rules(f,
          "[{'id': 'x', 'give': {'tiered': {'by': 'amount', 'below': {'percent_off': {'percent': 10}}, 'steps': [{'at': '20.00', 'give': "
          "{'percent_off': {'percent': 15}}}]}}}]",
          NULL);
    OFF(CART(L(1000, 1)), 100);
    OFF(CART(L(1000, 2)), 300);
    rules(f, "[{'id': 'x', 'when': {'qty': {'at_least': 3, 'per': 'line'}}, 'give': {'percent_off': {'percent': 10}}}]", NULL);
    OFF(CART(L(1000, 2) "," L(500, 2)), 0, 0);
    OFF(CART(L(1000, 2) "," L(500, 3)), 200, 150);
    rules(f, "[{'id': 'x', 'scope': {'unit_price': {'at_least': '5.00', 'at_most': '10.00'}}, 'give': {'percent_off': {'percent': 10}}}]",
          NULL);
    OFF(CART(L(499, 1) "," L(500, 1) "," L(1000, 1) "," L(1001, 1)), 0, 50, 100, 0);
}

static void whose_turn_it_is(void **state)
{
    struct fixture *f = *state;
    const char *two = "[{'id': 'first', 'priority': 2, 'give': {'amount_off': {'amount': '5.00'}}},"
                      "{'id': 'then', 'priority': 1, 'give': {'percent_off': {'percent': 10}}}]";
    rules(f, two, NULL);
    assert_int_equal(fixture_discount(f, CART(L(1000, 1))), 100 + 500);
    rules(f, two, "{'order': 'priority'}");
    assert_int_equal(fixture_discount(f, CART(L(1000, 1))), 500 + 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_percentage_is_rounded_once_for_something),
        TEST(what_shares_leave_goes_where_it_is_said),
        TEST(amounts_go_off_each),
        TEST(some_units_of_the_lines),
        TEST(a_percentage_rounded_once_of_nothing_is_nothing),
        TEST(nothing_goes_below_its_floor),
        TEST(prices_that_campaigns_change),
        TEST(bought_here_and_rewarded_there),
        TEST(sets_prices_and_steps_from_nothing),
        TEST(whose_turn_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
