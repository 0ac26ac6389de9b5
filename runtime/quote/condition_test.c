#include "quote/fixture.h"

static void build_with(struct fixture *f, const char *when)
{
    char text[1000];
    snprintf(text, sizeof text, "[{'id': 'x', 'when': %s, 'give': {'percent_off': {'percent': 10}}}]", when);
    fixture_rules(f, text);
}

#define TEA     "{'sku': 'T1', 'category': 'tea/green', 'tags': ['new'], 'brand': 'Leaf', 'price': 6000, 'qty': 2}"
#define MUG     "{'sku': 'M1', 'category': 'mugs', 'price': 3900}"
#define WITH(x) "{'lines': [" TEA ", " MUG "]" x "}"

static const char *reason(struct fixture *f, const char *cart)
{
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    return fixture_reason(f, "x");
}

static void holds(struct fixture *f, const char *when, const char *cart)
{
    build_with(f, when);
    assert_string_equal(reason(f, cart), "applied");
}

static void fails(struct fixture *f, const char *when, const char *cart, const char *why)
{
    build_with(f, when);
    assert_string_equal(reason(f, cart), why);
    assert_int_equal(f->result.discount_minor, 0);
}

static void a_selector_holds_when_the_cart_has_such_a_line(void **state)
{
    struct fixture *f = *state;
    holds(f, "{'sku': ['M1', 'M2']}", WITH(""));
    holds(f, "{'sku': 'M1'}", WITH(""));
    fails(f, "{'sku': ['M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8']}", WITH(""), "not_in_cart");
    holds(f, "{'sku': ['M2', 'M3', 'M4', 'M5', 'M6', 'M7', 'M8', 'M1']}", WITH(""));
    holds(f, "{'category': ['tea']}", WITH(""));
    holds(f, "{'category': ['tea/green']}", WITH(""));
    fails(f, "{'category': ['tea/black', 'te']}", WITH(""), "not_in_cart");
    holds(f, "{'tag': ['old', 'new']}", WITH(""));
    fails(f, "{'tag': ['tea']}", WITH(""), "not_in_cart");
    holds(f, "{'brand': ['Leaf']}", WITH(""));
    fails(f, "{'brand': ['leaf']}", WITH(""), "not_in_cart");
}

static void bounds_of_money_and_units_say_what_was_needed_and_seen(void **state)
{
    struct fixture *f = *state;
    holds(f, "{'subtotal': {'at_least': '159.00'}}", WITH(""));
    fails(f, "{'subtotal': {'at_least': '159.01'}}", WITH(""), "subtotal_below");
    assert_int_equal(fixture_param(f, "x", "needed"), 15901);
    assert_int_equal(fixture_param(f, "x", "seen"), 15900);
    fails(f, "{'subtotal': {'at_most': '158.99'}}", WITH(""), "subtotal_above");
    assert_int_equal(fixture_param(f, "x", "limit"), 15899);
    holds(f, "{'subtotal': {'at_least': '120.00', 'at_most': '120.00', 'of': {'category': ['tea']}}}", WITH(""));
    holds(f, "{'qty': {'at_least': 3, 'at_most': 3}}", WITH(""));
    fails(f, "{'qty': {'at_least': 2, 'of': {'category': ['mugs']}}}", WITH(""), "qty_below");
    assert_int_equal(fixture_param(f, "x", "needed"), 2);
    assert_int_equal(fixture_param(f, "x", "seen"), 1);
    fails(f, "{'qty': {'at_most': 2}}", WITH(""), "qty_above");
}

static void thresholds_measure_the_scope(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'scope': {'category': 'tea'}, 'when': {'subtotal': {'at_least': '120.01'}}, 'give': {'percent_off': "
                     "{'percent': 10}}}]");
    assert_string_equal(reason(f, WITH("")), "subtotal_below");
    assert_int_equal(fixture_param(f, "x", "seen"), 12000);
}

static void thresholds_see_what_lines_still_cost_unless_the_policy_says_list(void **state)
{
    struct fixture *f = *state;
    static const char rules[] = "[{'id': 'a', 'give': {'percent_off': {'percent': 50}}},"
                                "{'id': 'x', 'when': {'subtotal': {'at_least': '100.00'}}, 'give': {'amount_off': {'amount': '5.00'}}}]";
    fixture_rules(f, rules);
    assert_string_equal(reason(f, WITH("")), "subtotal_below");
    assert_int_equal(fixture_param(f, "x", "seen"), 7950);
    assert_int_equal(fixture_build(f, rules, "{'thresholds': 'list'}", NULL), 0);
    assert_string_equal(reason(f, WITH("")), "applied");
}

static void a_window_is_in_the_shops_zone_and_ends_before_its_end(void **state)
{
    struct fixture *f = *state;
    static const char window[] =
        "{'window': {'from': '2026-11-20 00:00', 'to': '2026-11-23 00:00'}}"; /* Shanghai: 16:00 UTC the day before */
    fails(f, window, WITH(", 'at': 1795103999999"), "not_yet");
    assert_int_equal(fixture_param(f, "x", "from"), 1795104000000);
    holds(f, window, WITH(", 'at': 1795104000000"));
    holds(f, window, WITH(", 'at': 1795363199999"));
    fails(f, window, WITH(", 'at': 1795363200000"), "over");
    assert_int_equal(fixture_param(f, "x", "to"), 1795363200000);
    fixture_rules(f, "[{'id': 'x', 'window': {'to': '2026-11-23'}, 'give': {'percent_off': {'percent': 10}}}]");
    assert_string_equal(reason(f, WITH(", 'at': 1795363199999")), "applied");
    assert_string_equal(reason(f, WITH(", 'at': 1795363200000")), "over");
}

static void the_customer_the_channel_and_the_region_are_asked(void **state)
{
    struct fixture *f = *state;
    holds(f, "{'customer_tag': ['vip', 'staff']}", WITH(", 'customer_tags': ['x', 'staff']"));
    fails(f, "{'customer_tag': ['vip', 'staff']}", WITH(", 'customer_tags': ['new']"), "customer_tag_missing");
    fails(f, "{'customer_tag': ['vip']}", WITH(""), "customer_tag_missing");
    holds(f, "{'channel': ['web', 'till']}", WITH(", 'channel': 'till'"));
    fails(f, "{'channel': ['web']}", WITH(""), "channel_differs");
    holds(f, "{'region': 'GB'}", WITH(", 'region': 'GB'"));
    fails(f, "{'region': 'GB'}", WITH(", 'region': 'FR'"), "region_differs");
}

static void codes_ignore_ascii_case_and_outer_spaces(void **state)
{
    struct fixture *f = *state;
    holds(f, "{'coupon': ['Welcome', 'HELLO']}", WITH(", 'codes': [' welCOME ']"));
    assert_int_equal(f->result.unused_code_count, 0);
    fails(f, "{'coupon': ['WELCOME']}", WITH(", 'codes': ['WELCOM', 'WELCOMEE', '']"), "code_missing");
    assert_int_equal(f->result.unused_code_count, 3);
    fails(f, "{'coupon': ['WELCOME']}", WITH(""), "code_missing");
    assert_null(fixture_outcome(f, "x")->params); /* a code is never told */
    assert_int_equal(
        fixture_build(f, "[{'id': 'x', 'codes': ['Abc'], 'give': {'percent_off': {'percent': 10}}}]", "{'code_case': 'exact'}", NULL), 0);
    assert_string_equal(reason(f, WITH(", 'codes': ['ABC']")), "code_missing");
    assert_string_equal(reason(f, WITH(", 'codes': [' Abc']")), "applied");
}

static void one_code_of_several_is_taken_whatever_the_order_of_typing(void **state)
{
    struct fixture *f = *state;
    build_with(f, "{'coupon': ['AAA', 'BBB']}");
    assert_string_equal(reason(f, WITH(", 'codes': ['bbb', 'aaa']")), "applied");
    assert_int_equal(f->result.unused_code_count, 1);
    struct slice unused = f->result.unused_codes[0];
    assert_true(slice_is(unused, "bbb"));
    assert_string_equal(reason(f, WITH(", 'codes': ['aaa', 'bbb']")), "applied");
    assert_true(slice_is(f->result.unused_codes[0], "bbb"));
    assert_string_equal(reason(f, WITH(", 'codes': ['aaa', 'AAA ']")), "applied"); /* one code, typed twice */
    assert_int_equal(f->result.unused_code_count, 0);
}

static void a_campaign_that_takes_nothing_off_uses_no_code(void **state)
{
    struct fixture *f = *state;
    build_with(f, "{'coupon': ['AAA']}");
    assert_string_equal(reason(f, "{'lines': [{'sku': 'A', 'price': 0}], 'codes': ['aaa']}"), "nothing_to_discount");
    assert_int_equal(f->result.unused_code_count, 1);
}

static void a_code_of_a_failed_branch_is_not_taken(void **state)
{
    struct fixture *f = *state;
    build_with(f, "{'any': [{'all': [{'coupon': 'AAA'}, {'qty': {'at_least': 100}}]}, {'qty': {'at_least': 1}}]}");
    assert_string_equal(reason(f, WITH(", 'codes': ['AAA']")), "applied");
    assert_int_equal(f->result.unused_code_count, 1);
}

static void all_any_and_none_combine(void **state)
{
    struct fixture *f = *state;
    holds(f, "{'all': [{'sku': 'T1'}, {'sku': 'M1'}]}", WITH(""));
    fails(f, "{'all': [{'sku': 'T1'}, {'sku': 'M2'}]}", WITH(""), "not_in_cart");
    holds(f, "{'any': [{'sku': 'M2'}, {'sku': 'M1'}]}", WITH(""));
    fails(f, "{'any': [{'qty': {'at_least': 9}}, {'sku': 'M2'}]}", WITH(""), "qty_below");
    holds(f, "{'none': [{'sku': 'M2'}, {'sku': 'M3'}]}", WITH(""));
    fails(f, "{'none': [{'sku': 'M2'}, {'sku': 'M1'}]}", WITH(""), "excluded");
    fails(f, "{'none': [{'coupon': 'NO'}]}", WITH(", 'codes': ['no']"), "excluded");
    holds(f, "[{'sku': 'T1'}, {'tag': 'new', 'brand': 'Leaf'}]", WITH(""));
    fails(f, "{'tag': 'new', 'brand': 'Stone'}", WITH(""), "not_in_cart");
    holds(f, "{'none': [{'all': [{'sku': 'T1'}, {'none': [{'sku': 'M1'}]}]}]}", WITH(""));
}

static bool applies_at(struct fixture *f, const char *utc)
{
    char cart[200];
    struct civil c;
    assert_int_equal(sscanf(utc, "%d-%d-%d %d:%d", &c.year, &c.month, &c.day, &c.hour, &c.minute), 5);
    long long at = (civil_days(c.year, c.month, c.day) * 1440 + c.hour * 60 + c.minute) * 60000LL;
    snprintf(cart, sizeof cart, "{'lines': [{'sku': 'A', 'price': 1000}], 'at': %lld}", at);
    return fixture_discount(f, cart) > 0;
}

static void days_and_times_are_those_of_the_shop(void **state) /* in Shanghai, eight hours ahead */
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'when': {'weekday': ['saturday', 'sunday']}, 'give': {'percent_off': {'percent': 10}}}]");
    assert_false(applies_at(f, "2026-11-20 15:59")); /* Friday 23:59 */
    assert_string_equal(fixture_reason(f, "x"), "weekday_differs");
    assert_true(applies_at(f, "2026-11-20 16:00"));
    assert_true(applies_at(f, "2026-11-22 15:59"));
    assert_false(applies_at(f, "2026-11-22 16:00"));
    assert_true(applies_at(f, "1969-12-27 12:00")); /* a Saturday before there was a clock */
    fixture_rules(f, "[{'id': 'x', 'when': {'time_of_day': {'from': '20:00', 'to': '02:30'}}, 'give': {'percent_off': {'percent': 10}}}]");
    assert_false(applies_at(f, "2026-11-20 11:59"));
    assert_string_equal(fixture_reason(f, "x"), "time_of_day_differs");
    assert_true(applies_at(f, "2026-11-20 12:00"));
    assert_true(applies_at(f, "2026-11-20 18:29"));
    assert_false(applies_at(f, "2026-11-20 18:30"));
    fixture_rules(f, "[{'id': 'x', 'when': {'time_of_day': {'from': '22:00', 'to': '24:00'}}, 'give': {'percent_off': {'percent': 10}}}]");
    assert_true(applies_at(f, "2026-11-20 15:59"));
    assert_false(applies_at(f, "2026-11-20 16:00"));
    assert_int_equal(
        fixture_build(f, "[{'id': 'x', 'when': {'time_of_day': {'from': '25:00', 'to': '24:00'}}, 'give': {'free_shipping': {}}}]", NULL,
                      NULL),
        ERR_INVALID);
    assert_int_equal(fixture_build(f, "[{'id': 'x', 'when': {'weekday': 'sonday'}, 'give': {'free_shipping': {}}}]", NULL, NULL),
                     ERR_INVALID);
    assert_non_null(strstr(f->err.text, "did you mean"));
}

static void payment_methods_and_stores_are_what_the_cart_says(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'p', 'when': {'payment_method': 'wechat'}, 'give': {'percent_off': {'percent': 10}}},"
                     "{'id': 's', 'when': {'store': ['north', 'south']}, 'give': {'percent_off': {'percent': 10}}}]");
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'payment_method': 'wechat', 'store': 'south'}"), 190);
    assert_int_equal(fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'payment_method': 'card'}"), 0);
    assert_string_equal(fixture_reason(f, "p"), "payment_method_differs");
    assert_string_equal(fixture_reason(f, "s"), "store_differs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_selector_holds_when_the_cart_has_such_a_line),
        TEST(bounds_of_money_and_units_say_what_was_needed_and_seen),
        TEST(thresholds_measure_the_scope),
        TEST(days_and_times_are_those_of_the_shop),
        TEST(payment_methods_and_stores_are_what_the_cart_says),
        TEST(thresholds_see_what_lines_still_cost_unless_the_policy_says_list),
        TEST(a_window_is_in_the_shops_zone_and_ends_before_its_end),
        TEST(the_customer_the_channel_and_the_region_are_asked),
        TEST(codes_ignore_ascii_case_and_outer_spaces),
        TEST(one_code_of_several_is_taken_whatever_the_order_of_typing),
        TEST(a_campaign_that_takes_nothing_off_uses_no_code),
        TEST(a_code_of_a_failed_branch_is_not_taken),
        TEST(all_any_and_none_combine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
