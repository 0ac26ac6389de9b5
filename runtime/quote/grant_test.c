#include "quote/fixture.h"

#define GRANT(what) "'give': {'grant': {'to': 'coupons', 'what': {'campaign': '" what "'}}}"
#define BUYER       ", 'customer': 'ann'"
#define CART(more)  "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 2}, {'sku': 'B', 'price': 500}]" more "}"

static void a_grant_takes_nothing_off_and_says_what_comes_when(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'g', 'give': [{'grant': {'to': 'points', 'what': {'percent': 200}, 'on': {'sku': 'A'}}}, {'grant': {'to': "
                     "'coupons', 'what': {'campaign': 'x', 'n': [1, {'a': true}]}, 'after': 'completed'}}]},"
                     " {'id': 'ten', 'stage': 'order', 'priority': -1, 'give': {'percent_off': {'percent': 10}}}]");
    assert_int_equal(fixture_discount(f, CART(BUYER)), 250);
    assert_string_equal(fixture_reason(f, "g"), "applied");
    assert_int_equal(fixture_outcome(f, "g")->amount_minor, 0);
    assert_int_equal(f->result.grant_count, 2);
    assert_true(slice_is(f->result.grants[0].to, "points"));
    assert_string_equal(f->result.grants[0].after, "paid");
    assert_int_equal(f->result.grants[0].amount_minor, 1800); /* after all discounts, also those that came later */
    assert_int_equal(f->result.grants[1].amount_minor, 2250);
    assert_non_null(strstr(fixture_answer(f),
                           "\"grants\":[{\"campaign\":\"g\",\"to\":\"points\",\"what\":{\"percent\":200},\"after\":\"paid\","
                           "\"amount\":1800},{\"campaign\":\"g\",\"to\":\"coupons\",\"what\":{\"campaign\":\"x\",\"n\":[1,{"
                           "\"a\":true}]},\"after\":\"completed\",\"amount\":2250}]"));
}

static void a_guest_is_asked_to_sign_in(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'g', " GRANT("x") "}]");
    assert_int_equal(fixture_discount(f, CART("")), 0);
    assert_string_equal(fixture_reason(f, "g"), "sign_in");
    assert_int_equal(f->result.grant_count, 0);
    assert_null(strstr(fixture_answer(f), "grants"));
}

/* It is no reason to leave a cheaper set alone, and of sets that cost the same it is more. */
static void the_cheapest_set_counts_it_for_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        fixture_build(f,
                      "[{'id': 'a', 'group': 'g', 'priority': 9, " GRANT("x") "}, {'id': 'b', 'group': 'g', 'give': {'amount_off': "
                                                                              "{'amount': '0.01'}}}, {'id': 'c', " GRANT("y") "}]",
                      "{'stacking': 'best'}", NULL),
        0);
    assert_int_equal(fixture_discount(f, CART(BUYER)), 1);
    assert_string_equal(fixture_reason(f, "a"), "lost");
    assert_string_equal(fixture_reason(f, "c"), "applied");
    assert_true(f->result.proven);
    assert_int_equal(f->result.grant_count, 1);
}

static void limits_count_it_as_a_use(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'g', 'limits': {'uses': 5}, " GRANT("x") "}]");
    assert_int_equal(fixture_discount(f, CART(BUYER)), 0);
    assert_int_equal(f->result.take_count, 1);
    assert_int_equal(f->result.takes[0].amount, 1);
}

static void what_is_granted_is_found_in_steps_too(void **state)
{
    struct fixture *f = *state;
    struct slice to, at;
    fixture_rules(f, "[{'id': 'g', 'at': 'x.lua:3', 'give': [{'percent_off': {'percent': 1}}, {'tiered': {'by': 'qty', 'steps': [{'at': 1, "
                     "'give': {'percent_off': {'percent': 1}}}, {'at': 2, 'give': {'grant': {'to': 'deep', 'what': {}}}}]}}]}]");
    assert_true(quote_campaign_grants(f->rules, 0, 0, &to, &at));
    assert_true(slice_is(to, "deep") && slice_is(at, "x.lua:3"));
    assert_false(quote_campaign_grants(f->rules, 0, 1, &to, &at));
    assert_int_equal(fixture_discount(f, CART(BUYER)) > 0, 1);
    assert_int_equal(f->result.grant_count, 1);
}

static void mistakes_are_found_when_rules_are_built(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *grant, *says;
    } cases[] = {
        { "{'what': {}}", "grant.to" },
        { "{'to': 'coupons'}", "grant.what: is what the plugin is told" },
        { "{'to': 'coupons', 'what': 'new20'}", "grant.what" },
        { "{'to': 'coupons', 'what': {}, 'after': 'sent'}", "paid" },
        { "{'to': 'coupons', 'what': {}, 'count': 2}", "unknown key" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[200];
        snprintf(text, sizeof text, "[{'id': 'g', 'give': {'grant': %s}}]", cases[i].grant);
        assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
        if (!strstr(f->err.text, cases[i].says))
            fail_msg("%s does not say %s", f->err.text, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_grant_takes_nothing_off_and_says_what_comes_when),
        TEST(a_guest_is_asked_to_sign_in),
        TEST(the_cheapest_set_counts_it_for_nothing),
        TEST(limits_count_it_as_a_use),
        TEST(what_is_granted_is_found_in_steps_too),
        TEST(mistakes_are_found_when_rules_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
