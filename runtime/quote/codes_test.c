#include "quote/fixture.h"

#define OFF "'give': {'percent_off': {'percent': 10}}"

static const struct quote_code *code_of(struct fixture *f, const char *code)
{
    for (size_t i = 0; i < f->result.code_count; i++)
        if (slice_is(f->result.codes[i].code, code))
            return &f->result.codes[i];
    fail_msg("nothing is said of %s", code);
    return NULL;
}

/* Whether everything is explained or not makes no difference. */
static void status_is(struct fixture *f, const char *cart, const char *code, const char *status)
{
    for (int all = 0; all < 2; all++) {
        arena_reset(&f->run);
        struct quote_cart *c = fixture_cart(f, cart);
        c->explain_all = all;
        assert_int_equal(quote_price(f->rules, c, NULL, &f->run, &f->result, &f->err), 0);
        if (strcmp(code_of(f, code)->status, status) != 0)
            fail_msg("%s in %s is %s, not %s", code, cart, code_of(f, code)->status, status);
        assert_int_equal(f->result.code_count, c->code_count);
    }
}

#define WITH(code, more) "{'lines': [{'sku': 'A', 'price': 1000}], 'codes': ['" code "']" more "}"

static void each_code_says_what_became_of_it(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'ten', 'codes': ['TEN'], " OFF "},"
                     " {'id': 'old', 'codes': ['OLD'], 'window': {'to': '2025-01-01 00:00'}, 'scope': {'sku': 'A'}, " OFF "},"
                     " {'id': 'soon', 'codes': ['SOON'], 'window': {'from': '2026-01-01 00:00'}, 'scope': {'sku': 'Z'}, " OFF "},"
                     " {'id': 'big', 'codes': ['BIG'], 'when': {'subtotal': {'at_least': '50.00'}}, " OFF "},"
                     " {'id': 'many', 'codes': ['MANY'], 'when': {'qty': {'at_least': 3}}, " OFF "},"
                     " {'id': 'mine', 'codes': ['MINE'], 'when': {'customer_tag': 'vip'}, " OFF "},"
                     " {'id': 'first', 'codes': ['FIRST'], 'when': {'first_order': {}}, " OFF "},"
                     " {'id': 'else', 'codes': ['ELSE'], 'scope': {'sku': 'B'}, " OFF "},"
                     " {'id': 'any', 'when': {'any': [{'coupon': 'ANY'}, {'sku': 'Q'}]}, " OFF "}]");
    status_is(f, WITH("ten ", ""), "ten ", "applied");
    assert_int_equal(f->result.unused_code_count, 0);
    status_is(f, WITH("OLD", ""), "OLD", "expired");
    assert_int_equal(f->result.unused_code_count, 1);
    status_is(f, WITH("SOON", ""), "SOON", "not_yet");
    status_is(f, WITH("BIG", ""), "BIG", "minimum_not_met");
    assert_int_equal(fixture_param(f, "big", "needed"), 5000);
    status_is(f, WITH("MANY", ""), "MANY", "minimum_not_met");
    status_is(f, WITH("MINE", ""), "MINE", "not_yours");
    status_is(f, WITH("FIRST", ""), "FIRST", "sign_in");
    status_is(f, WITH("FIRST", ", 'customer': 'ann', 'facts': {'orders': 3}"), "FIRST", "not_yours");
    status_is(f, WITH("ELSE", ""), "ELSE", "not_for_this_cart");
    status_is(f, WITH("ANY", ""), "ANY", "applied");
    status_is(f, WITH("NONE", ""), "NONE", "unknown");
    status_is(f, WITH("   ", ""), "   ", "unknown");
}

static void of_several_campaigns_the_nearest_speaks(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'codes': ['X'], 'window': {'to': '2025-01-01 00:00'}, " OFF "},"
                     " {'id': 'b', 'codes': ['X'], 'when': {'subtotal': {'at_least': '50.00'}}, " OFF "},"
                     " {'id': 'c', 'codes': ['X'], 'scope': {'sku': 'B'}, " OFF "}]");
    status_is(f, WITH("X", ""), "X", "minimum_not_met");
    assert_int_equal(code_of(f, "X")->campaign - 1, code_of(f, "X")->outcome->campaign);
    assert_true(slice_is(quote_campaign_id(f->rules, code_of(f, "X")->campaign - 1), "b"));
}

/* A gate's code is known; and of two codes of one campaign one is enough. */
static void a_code_that_is_not_needed_is_not_unknown(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'gate': true, 'id': 'g', 'scope': {'sku': 'Z'}, 'when': {'coupon': 'DOOR'}, 'reason': 'No.'},"
                     " {'id': 'a', 'codes': ['ONE', 'TWO'], " OFF "}]");
    status_is(f, WITH("DOOR", ""), "DOOR", "not_for_this_cart");
    assert_true(quote_rules_take_code(f->rules, slice_str("door")));
    status_is(f, "{'lines': [{'sku': 'Z', 'price': 1000}], 'codes': ['DOOR']}", "DOOR", "applied");
    assert_int_equal(fixture_discount(f, WITH("ONE', 'TWO", "")), 100);
    size_t applied = 0, left = 0;
    for (size_t i = 0; i < f->result.code_count; i++) {
        applied += strcmp(f->result.codes[i].status, "applied") == 0;
        left += strcmp(f->result.codes[i].status, "nothing_left") == 0;
    }
    assert_int_equal(applied, 1);
    assert_int_equal(left, 1);
}

static void codes_that_do_not_combine_say_with_what(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'priority': 1, 'group': 'g', 'codes': ['A'], " OFF "}, {'id': 'b', 'group': 'g', 'codes': ['B'], " OFF
                     "}]");
    for (int turn = 0; turn < 2; turn++) {
        const char *cart = turn ? WITH("B', 'A", "") : WITH("A', 'B", "");
        status_is(f, cart, "A", "applied");
        status_is(f, cart, "B", "not_with");
        assert_true(slice_is(fixture_find_param(f, "b", "to")->text, "a"));
    }
}

/* What a plugin says of a code; and what nobody looked at. */
static void a_plugin_and_the_host_have_a_say(void **state)
{
    struct fixture *f = *state;
    uint32_t number;
    fixture_rules(f, "[{'id': 'new20', 'when': [{'customer_tag': 'coupons.typed:new20'}, {'subtotal': {'at_least': '50.00'}}], " OFF "},"
                     " {'id': 'old', 'window': {'to': '2025-01-01 00:00'}, 'when': {'customer_tag': 'coupons.typed:old'}, " OFF "}]");
    struct quote_cart *c = fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'codes': ['P', 'Q', 'R'], 'customer_tags': "
                                           "['coupons.typed:new20']}");
    struct quote_typed typed[3] = { { 0 }, { 0 }, { .refused = "expired", .to_ms = 5 } };
    static const struct slice blocked[] = { { "S", 1 } };
    assert_true(quote_campaign_find(f->rules, slice_str("new20"), &number));
    typed[0].campaign = number + 1;
    assert_true(quote_campaign_find(f->rules, slice_str("old"), &number));
    typed[1].campaign = number + 1;
    c->typed = typed;
    c->blocked = blocked;
    c->blocked_count = 1;
    c->explain_all = false;
    assert_int_equal(quote_price(f->rules, c, NULL, &f->run, &f->result, &f->err), 0);
    assert_string_equal(code_of(f, "P")->status, "minimum_not_met");
    assert_string_equal(code_of(f, "Q")->status, "expired");
    assert_string_equal(code_of(f, "R")->status, "expired");
    assert_string_equal(code_of(f, "S")->status, "too_many_guesses");
    assert_int_equal(f->result.unused_code_count, 4);
    c->lines[0].unit_price_minor = c->lines[0].product.price_minor = 6000;
    assert_int_equal(quote_price(f->rules, c, NULL, &f->run, &f->result, &f->err), 0);
    assert_string_equal(code_of(f, "P")->status, "applied");
    assert_int_equal(f->result.unused_code_count, 3);
    const char *answer = fixture_answer(f);
    if (!strstr(answer, "{\"code\":\"R\",\"status\":\"expired\",\"to\":\"1970-01-01T00:00:00.005Z\"}"))
        fail_msg("%s", answer);
}

static void whoever_counts_guesses_is_told_which_codes_there_are(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'codes': ['Ten'], " OFF "}, {'id': 'b', 'when': {'none': [{'coupon': 'BAD'}]}, " OFF "}]");
    assert_true(quote_rules_take_code(f->rules, slice_str(" ten ")));
    assert_false(quote_rules_take_code(f->rules, slice_str("te")));
    assert_false(quote_rules_take_code(f->rules, slice_str("BAD")));
    assert_false(quote_rules_take_code(f->rules, slice_str("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_code_says_what_became_of_it),         TEST(of_several_campaigns_the_nearest_speaks),
        TEST(a_code_that_is_not_needed_is_not_unknown), TEST(codes_that_do_not_combine_say_with_what),
        TEST(a_plugin_and_the_host_have_a_say),         TEST(whoever_counts_guesses_is_told_which_codes_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
