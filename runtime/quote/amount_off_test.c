#include "quote/fixture.h"

#define LINE(price, qty) "{'sku': 'A', 'tags': ['double11'], 'price': " #price ", 'qty': " #qty "}"
#define CART(lines)      "{'lines': [" lines "]}"

static void each_full_300_takes_50_off_up_to_200(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'man300', 'scope': {'tag': 'double11'}, 'give': {'amount_off': {'amount': '50.00', 'every': '300.00', 'cap': "
                     "'200.00'}}}]");
    assert_int_equal(fixture_discount(f, CART(LINE(29999, 1))), 0);
    assert_string_equal(fixture_reason(f, "man300"), "subtotal_below");
    assert_int_equal(fixture_param(f, "man300", "needed"), 30000);
    assert_int_equal(fixture_param(f, "man300", "seen"), 29999);
    assert_int_equal(fixture_discount(f, CART(LINE(30000, 1))), 5000);
    assert_int_equal(fixture_discount(f, CART(LINE(65000, 1))), 10000);
    assert_int_equal(fixture_discount(f, CART(LINE(160000, 1))), 20000);
    assert_int_equal(fixture_discount(f, CART("{'sku': 'B', 'price': 99900}," LINE(10000, 3))), 5000);
    assert_int_equal(f->result.cart->lines[0].discount_minor, 0);
}

static void an_amount_is_split_by_largest_remainder_ties_to_the_earlier_line(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '1.00'}}}]");
    assert_int_equal(fixture_discount(f, CART(LINE(1000, 1) "," LINE(1000, 1) "," LINE(1000, 1))), 100);
    assert_int_equal(f->cart.lines[0].discount_minor, 34);
    assert_int_equal(f->cart.lines[1].discount_minor, 33);
    assert_int_equal(f->cart.lines[2].discount_minor, 33);
}

static void never_more_than_the_lines_cost(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f,
                  "[{'id': 'x', 'give': {'amount_off': {'amount': '50.00'}}}, {'id': 'y', 'give': {'amount_off': {'amount': '50.00'}}}]");
    assert_int_equal(fixture_discount(f, CART(LINE(1999, 1) "," LINE(0, 3) "," LINE(7, 1))), 2006);
    assert_int_equal(f->result.total_minor, 0);
    assert_string_equal(fixture_reason(f, "x"), "applied");
    assert_string_equal(fixture_reason(f, "y"), "nothing_to_discount");
}

static void on_takes_from_other_lines_than_the_scope(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f,
                  "[{'id': 'x', 'scope': {'tag': 'double11'}, 'give': {'amount_off': {'amount': '5.00', 'on': {'sku': ['MUG', 'CUP']}}}}]");
    assert_int_equal(fixture_discount(f, CART(LINE(1000, 1) ", {'sku': 'MUG', 'price': 3900}")), 500);
    assert_int_equal(f->cart.lines[1].discount_minor, 500);
    assert_int_equal(fixture_discount(f, CART("{'sku': 'MUG', 'price': 3900}")), 0);
    assert_string_equal(fixture_reason(f, "x"), "no_lines");
}

static void amounts_at_the_edge_of_int64_are_split_exactly(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '92233720368547758.06'}}}]");
    int64_t most = fixture_discount(f, CART(LINE(4611686018427387903, 1) "," LINE(4611686018427387904, 1)));
    assert_int_equal(most, INT64_MAX - 1);
    assert_int_equal(f->result.total_minor, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_full_300_takes_50_off_up_to_200),
        TEST(an_amount_is_split_by_largest_remainder_ties_to_the_earlier_line),
        TEST(never_more_than_the_lines_cost),
        TEST(on_takes_from_other_lines_than_the_scope),
        TEST(amounts_at_the_edge_of_int64_are_split_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
