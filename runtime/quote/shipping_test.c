#include "quote/fixture.h"

#define TABLE                                                                                                                              \
    "[{'id': 'standard', 'title': 'Standard', 'regions': ['GB', 'IE'], 'rates': [{'over': '50.00', 'price': '0.00'}, {'up_to_g': 2000, "   \
    "'price': '4.95'}]},"                                                                                                                  \
    " {'id': 'express', 'rates': [{'up_to_g': 1000, 'over': '100.00', 'price': '5.00'}, {'price': '12.00'}]}]"

static void setup_rates(struct fixture *f, const char *campaigns)
{
    if (fixture_build(f, campaigns, NULL, TABLE) < 0)
        fail_msg("%s", f->err.text);
}

static int64_t shipping(struct fixture *f, const char *cart)
{
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    assert_true(f->result.has_shipping);
    return f->result.shipping_minor;
}

static void the_first_rate_whose_bounds_hold_gives_the_price(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, NULL);
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 4999, 'g': 2000}], 'option': 'standard', 'region': 'GB'}"), 495);
    assert_int_equal(f->result.total_minor, 4999 + 495);
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 2500, 'qty': 2, 'g': 90000}], 'option': 'standard', 'region': 'IE'}"),
                     0);
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 10000, 'g': 1000}], 'option': 'express'}"), 500);
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 10000, 'g': 1001}], 'option': 'express'}"), 1200);
}

static void rates_see_what_lines_cost_after_discounts(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, "[{'id': 'x', 'give': {'amount_off': {'amount': '0.01'}}}]");
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 5000}], 'option': 'standard', 'region': 'GB'}"), 495);
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 5001}], 'option': 'standard', 'region': 'GB'}"), 0);
}

static void without_an_option_the_offered_ones_are_listed_and_nothing_is_charged(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, NULL);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000, 'g': 500}], 'region': 'GB'}"), 0);
    assert_false(f->result.has_shipping);
    assert_int_equal(f->result.total_minor, 1000);
    assert_int_equal(f->result.shipping_choice_count, 2);
    assert_true(slice_is(f->result.shipping_choices[0].title, "Standard"));
    assert_int_equal(f->result.shipping_choices[0].amount_minor, 495);
    assert_true(slice_is(f->result.shipping_choices[1].title, "express"));
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000, 'g': 2001}], 'region': 'GB'}"), 0);
    assert_int_equal(f->result.shipping_choice_count, 1); /* too heavy for the first */
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000}]}"), 0);
    assert_int_equal(f->result.shipping_choice_count, 1); /* no region said */
}

static void an_option_that_is_not_there_or_not_offered_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *cart, *field;
    } wrong[] = {
        { "{'lines': [{'sku': 'A', 'price': 1}], 'option': 'drone'}", "/shipping/option" },
        { "{'lines': [{'sku': 'A', 'price': 1}], 'option': 'standard'}", "/shipping/region" },
        { "{'lines': [{'sku': 'A', 'price': 1}], 'option': 'standard', 'region': 'FR'}", "/shipping/option" },
        { "{'lines': [{'sku': 'A', 'price': 1, 'g': 2001}], 'option': 'standard', 'region': 'GB'}", "/shipping/option" },
    };
    setup_rates(f, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fixture_try(f, wrong[i].cart), ERR_INVALID);
        assert_string_equal(f->err.field, wrong[i].field);
    }
    assert_int_equal(fixture_build(f, NULL, NULL, NULL), 0);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1}], 'option': 'post'}"), ERR_INVALID);
    assert_string_equal(f->err.field, "/shipping/option");
}

static void a_weight_beyond_counting_is_refused(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, NULL);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1}, {'sku': 'B', 'price': 1, 'qty': 2, 'g': 4611686018427387904}]}"),
                     ERR_OVERFLOW);
    assert_string_equal(f->err.field, "/lines/1/qty");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'B', 'price': 1, 'g': -1}]}"), ERR_INVALID);
}

static void a_total_beyond_counting_is_refused(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, NULL);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 9223372036854775807, 'g': 1001}], 'option': 'express'}"),
                     ERR_OVERFLOW);
    assert_string_equal(f->err.field, "/shipping/option");
}

static void free_shipping_takes_off_the_rate_and_only_once(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, "[{'id': 'a', 'codes': ['SHIP'], 'give': {'free_shipping': {}}}, {'id': 'b', 'give': {'free_shipping': {}}}]");
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'express', 'codes': ['ship']}"), 1200);
    assert_int_equal(f->result.shipping_discount_minor, 1200);
    assert_int_equal(f->result.total_minor, 1000);
    assert_string_equal(fixture_reason(f, "a"), "applied");
    assert_int_equal(fixture_outcome(f, "a")->amount_minor, 1200);
    assert_string_equal(fixture_reason(f, "b"), "nothing_to_discount");
    assert_int_equal(f->result.unused_code_count, 0);
}

static void free_shipping_without_shipping_uses_nothing_up(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, "[{'id': 'a', 'codes': ['SHIP'], 'give': {'free_shipping': {}}}]");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'codes': ['ship']}"), 0);
    assert_string_equal(fixture_reason(f, "a"), "no_shipping");
    assert_int_equal(f->result.unused_code_count, 1);
}

static void free_shipping_of_an_earlier_stage_waits_for_the_rate(void **state)
{
    struct fixture *f = *state;
    setup_rates(f, "[{'id': 'late', 'priority': 9, 'give': {'free_shipping': {}}},"
                   " {'id': 'both', 'give': [{'free_shipping': {}}, {'percent_off': {'percent': 10}}]}]");
    assert_int_equal(shipping(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'express'}"), 1200);
    assert_int_equal(fixture_outcome(f, "both")->amount_minor, 100 + 1200);
    assert_string_equal(fixture_reason(f, "late"), "nothing_to_discount");
    assert_int_equal(f->result.total_minor, 900);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000}]}"), 0);
    assert_int_equal(fixture_outcome(f, "both")->amount_minor, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_rate_whose_bounds_hold_gives_the_price),
        TEST(rates_see_what_lines_cost_after_discounts),
        TEST(without_an_option_the_offered_ones_are_listed_and_nothing_is_charged),
        TEST(an_option_that_is_not_there_or_not_offered_is_refused),
        TEST(a_weight_beyond_counting_is_refused),
        TEST(a_total_beyond_counting_is_refused),
        TEST(free_shipping_takes_off_the_rate_and_only_once),
        TEST(free_shipping_without_shipping_uses_nothing_up),
        TEST(free_shipping_of_an_earlier_stage_waits_for_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
