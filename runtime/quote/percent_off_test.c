#include "quote/fixture.h"

static void each_line_is_rounded_half_away_from_zero(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 12.5}}}]");
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 100}, {'sku': 'B', 'price': 4}, {'sku': 'C', 'price': 3}]}"),
                     14);
    assert_int_equal(f->cart.lines[0].discount_minor, 13); /* 12.5 */
    assert_int_equal(f->cart.lines[1].discount_minor, 1);  /* 0.5 */
    assert_int_equal(f->cart.lines[2].discount_minor, 0);  /* 0.375 */
}

static void the_shops_policy_chooses_the_rounding(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *policies;
        int64_t expected; /* 50 % of 1, 3 and 5 */
    } modes[] = {
        { "{'rounding': 'half_away'}", 1 + 2 + 3 }, { "{'rounding': 'half_even'}", 0 + 2 + 2 }, { "{'rounding': 'half_down'}", 0 + 1 + 2 },
        { "{'rounding': 'down'}", 0 + 1 + 2 },      { "{'rounding': 'up'}", 1 + 2 + 3 },
    };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(fixture_build(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 50}}}]", modes[i].policies, NULL), 0);
        assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 1}, {'sku': 'B', 'price': 3}, {'sku': 'C', 'price': 5}]}"),
                         modes[i].expected);
    }
}

static void percentages_compound_unless_the_base_is_the_list_amount(void **state)
{
    struct fixture *f = *state;
    static const char cart[] = "{'lines': [{'sku': 'A', 'price': 10000}]}";
    fixture_rules(f, "[{'id': 'a', 'give': {'percent_off': {'percent': 60}}}, {'id': 'b', 'give': {'percent_off': {'percent': 60}}}]");
    assert_int_equal(fixture_discount(f, cart), 6000 + 2400);
    fixture_rules(
        f,
        "[{'id': 'a', 'give': {'percent_off': {'percent': 60}}}, {'id': 'b', 'give': {'percent_off': {'percent': 60, 'base': 'list'}}}]");
    assert_int_equal(fixture_discount(f, cart), 10000); /* never more than it still costs */
    assert_int_equal(
        fixture_build(f, "[{'id': 'a', 'give': {'percent_off': {'percent': 10}}}, {'id': 'b', 'give': {'percent_off': {'percent': 10}}}]",
                      "{'percent_base': 'list'}", NULL),
        0);
    assert_int_equal(fixture_discount(f, cart), 2000);
}

static void a_cap_is_split_in_proportion(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 20, 'cap': '50.00'}}}]");
    assert_int_equal(
        fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 10000}, {'sku': 'B', 'price': 20000}, {'sku': 'C', 'price': 0}]}"), 5000);
    assert_int_equal(f->cart.lines[0].discount_minor, 1667);
    assert_int_equal(f->cart.lines[1].discount_minor, 3333);
    assert_null(f->cart.lines[2].discounts);
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 25000}]}"), 5000);
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 24999}]}"), 5000); /* 4999.8 */
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 24990}]}"), 4998);
}

static void amounts_at_the_edge_of_int64_are_exact(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 50}}}]");
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 9223372036854775807}]}"), INT64_C(4611686018427387904));
    assert_int_equal(f->result.total_minor, INT64_C(4611686018427387903));
    fixture_rules(f, "[{'id': 'x', 'give': {'percent_off': {'percent': 100}}}]");
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 9223372036854775807}]}"), INT64_MAX);
    assert_int_equal(f->result.total_minor, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_line_is_rounded_half_away_from_zero),
        TEST(the_shops_policy_chooses_the_rounding),
        TEST(percentages_compound_unless_the_base_is_the_list_amount),
        TEST(a_cap_is_split_in_proportion),
        TEST(amounts_at_the_edge_of_int64_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
