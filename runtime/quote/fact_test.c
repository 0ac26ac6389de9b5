#include "quote/fixture.h"

static void build_with(struct fixture *f, const char *when)
{
    char text[1000];
    snprintf(text, sizeof text, "[{'id': 'x', 'when': %s, 'give': {'percent_off': {'percent': 10}}}]", when);
    fixture_rules(f, text);
}

#define CART(x)  "{'lines': [{'sku': 'A', 'price': 1000}]" x "}"
#define KNOWN(x) CART(", 'customer': 'cus_1', 'facts': {" x "}")

static void is(struct fixture *f, const char *when, const char *cart, const char *reason)
{
    build_with(f, when);
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(fixture_reason(f, "x"), reason);
    assert_int_equal(f->result.discount_minor, strcmp(reason, "applied") == 0 ? 100 : 0);
}

static void param_is_text(struct fixture *f, const char *name, const char *text)
{
    const struct quote_param *p = fixture_find_param(f, "x", name);
    assert_non_null(p);
    assert_int_equal(p->kind, QUOTE_PARAM_TEXT);
    assert_true(slice_is(p->text, text));
}

static void refused(struct fixture *f, const char *when, const char *field, const char *words)
{
    char text[1000];
    snprintf(text, sizeof text, "[{'id': 'x', 'when': %s, 'give': {'percent_off': {'percent': 10}}}]", when);
    assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
    assert_string_equal(f->err.field, field);
    if (!strstr(f->err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, words);
}

static void a_number_is_held_against_bounds_and_the_reason_says_what_was_needed_and_seen(void **state)
{
    struct fixture *f = *state;
    is(f, "{'fact': {'name': 'club.level', 'at_least': 3}}", KNOWN("'club.level': 3"), "applied");
    is(f, "{'fact': {'name': 'club.level', 'at_least': 3}}", KNOWN("'club.level': 2"), "fact_below");
    param_is_text(f, "fact", "club.level");
    assert_int_equal(fixture_param(f, "x", "needed"), 3);
    assert_int_equal(fixture_param(f, "x", "seen"), 2);
    is(f, "{'fact': {'name': 'club.level', 'at_most': 3}}", KNOWN("'club.level': 3"), "applied");
    is(f, "{'fact': {'name': 'club.level', 'at_most': 3}}", KNOWN("'club.level': 4"), "fact_above");
    assert_int_equal(fixture_param(f, "x", "limit"), 3);
    assert_int_equal(fixture_param(f, "x", "seen"), 4);
    is(f, "{'fact': {'name': 'club.level', 'below': 3}}", KNOWN("'club.level': 2"), "applied");
    is(f, "{'fact': {'name': 'club.level', 'below': 3}}", KNOWN("'club.level': 3"), "fact_above");
    assert_int_equal(fixture_param(f, "x", "limit"), 2);
    is(f, "{'fact': {'name': 'club.level', 'at_least': -2, 'below': 1}}", KNOWN("'club.level': -2"), "applied");
    is(f, "{'fact': {'name': 'club.level', 'at_least': -2, 'below': 1}}", KNOWN("'club.level': -3"), "fact_below");
    is(f, "{'fact': {'name': 'club.level', 'any_of': [1, 5]}}", KNOWN("'club.level': 5"), "applied");
    is(f, "{'fact': {'name': 'club.level', 'any_of': [1, 5]}}", KNOWN("'club.level': 3"), "fact_differs");
    assert_int_equal(fixture_param(f, "x", "needed"), 1);
    assert_int_equal(fixture_param(f, "x", "seen"), 3);
    is(f, "{'fact': {'name': 'club.level', 'is': 0}}", KNOWN("'club.level': 0"), "applied");
}

static void each_type_is_written_as_it_is_everywhere(void **state)
{
    struct fixture *f = *state;
    is(f, "{'fact': {'name': 'club.spent', 'at_least': '12.50'}}", KNOWN("'club.spent': 1250"), "applied");
    is(f, "{'fact': {'name': 'club.spent', 'at_least': '12.50'}}", KNOWN("'club.spent': 1249"), "fact_below");
    assert_int_equal(fixture_find_param(f, "x", "needed")->kind, QUOTE_PARAM_MONEY);
    is(f, "{'fact': {'name': 'club.share', 'at_least': 12.5}}", KNOWN("'club.share': 125000"), "applied");
    is(f, "{'fact': {'name': 'club.share', 'below': '12.5'}}", KNOWN("'club.share': 125000"), "fact_above");
    is(f, "{'fact': {'name': 'club.share', 'is': 0}}", KNOWN("'club.share': 0"), "applied");
    is(f, "{'fact': {'name': 'club.since', 'below': '2026-01-01 00:00'}}", KNOWN("'club.since': 1767196799999"), "applied");
    is(f, "{'fact': {'name': 'club.since', 'below': '2026-01-01 00:00'}}", KNOWN("'club.since': 1767196800000"), "fact_above");
    assert_int_equal(fixture_find_param(f, "x", "seen")->kind, QUOTE_PARAM_TIME);
    is(f, "{'fact': {'name': 'club.town', 'is': 'Lima'}}", KNOWN("'club.town': 'Lima'"), "applied");
    is(f, "{'fact': {'name': 'club.town', 'any_of': ['Rome', 'Lima']}}", KNOWN("'club.town': 'Lima'"), "applied");
    is(f, "{'fact': {'name': 'club.town', 'any_of': ['Rome', 'Lima']}}", KNOWN("'club.town': 'lima'"), "fact_differs");
    param_is_text(f, "needed", "Rome");
    param_is_text(f, "seen", "lima");
    is(f, "{'fact': {'name': 'club.adult'}}", KNOWN("'club.adult': true"), "applied");
    is(f, "{'fact': {'name': 'club.adult'}}", KNOWN("'club.adult': false"), "fact_differs");
    assert_int_equal(fixture_find_param(f, "x", "needed")->kind, QUOTE_PARAM_BOOL);
    assert_non_null(strstr(fixture_answer(f), "\"needed\":true,\"seen\":false"));
    is(f, "{'fact': {'name': 'club.adult', 'is': false}}", KNOWN("'club.adult': false"), "applied");
}

static void a_guest_is_asked_to_sign_in_and_a_customer_without_the_fact_is_told_so(void **state)
{
    struct fixture *f = *state;
    is(f, "{'fact': {'name': 'club.level', 'at_least': 3}}", CART(""), "sign_in");
    param_is_text(f, "fact", "club.level");
    assert_int_equal(fixture_param(f, "x", "needed"), 3);
    is(f, "{'fact': {'name': 'club.level', 'at_least': 3}}", KNOWN(""), "fact_missing");
    assert_int_equal(fixture_param(f, "x", "needed"), 3);
    is(f, "{'fact': {'name': 'club.level'}}", KNOWN(""), "fact_missing");
    is(f, "{'fact': {'name': 'club.level'}}", KNOWN("'club.level': 0"), "applied");    /* no bound: it is there */
    is(f, "{'fact': {'name': 'club.adult', 'is': false}}", KNOWN(""), "fact_missing"); /* unknown is not false */
    is(f, "{'none': [{'fact': {'name': 'club.level', 'at_least': 3}}]}", CART(""), "applied");
    is(f, "{'none': [{'fact': {'name': 'club.level', 'at_least': 3}}]}", KNOWN("'club.level': 3"), "excluded");
}

/* Absent would let `none` take something off that the value may forbid. */
static void a_fact_that_failed_fails_whoever_asks_for_it(void **state)
{
    struct fixture *f = *state;
    is(f, "{'fact': {'name': 'club.level', 'at_least': 3}}", KNOWN("'club.level': null"), "failed");
    param_is_text(f, "fact", "club.level");
    is(f, "{'none': [{'fact': {'name': 'club.level', 'at_least': 3}}]}", KNOWN("'club.level': null"), "failed");
    is(f, "{'any': [{'sku': 'A'}, {'fact': {'name': 'club.level'}}]}", KNOWN("'club.level': null"), "applied"); /* was not asked */
    is(f, "{'fact': {'name': 'club.town', 'is': 'Lima'}}", KNOWN("'club.level': null, 'club.town': 'Lima'"), "applied");
    fixture_rules(f, "[{'id': 'x', 'on_failure': 'refuse', 'when': {'fact': {'name': 'club.level'}}, "
                     "'give': {'percent_off': {'percent': 10}}}]");
    assert_int_equal(fixture_try(f, KNOWN("'club.level': null")), ERR_SCRIPT);
    assert_non_null(strstr(f->err.text, "club.level"));
    assert_int_equal(fixture_try(f, KNOWN("'club.level': 1")), 0);
}

static void mistakes_are_named(void **state)
{
    struct fixture *f = *state;
    refused(f, "{'fact': {'name': 'club.levle', 'at_least': 3}}", "when.fact.name", "did you mean \"club.level\"?");
    refused(f, "{'fact': {'name': 'bargain.rank', 'at_least': 3}}", "when.fact.name", "shop.lua turns on");
    refused(f, "{'fact': {'at_least': 3}}", "when.fact.name", "is missing");
    refused(f, "{'fact': {'name': 'club.level', 'atleast': 3}}", "when.fact", "did you mean \"at_least\"?");
    refused(f, "{'fact': {'name': 'club.level', 'at_least': '3'}}", "when.fact.at_least", "whole number");
    refused(f, "{'fact': {'name': 'club.level', 'at_least': 3.5}}", "when.fact.at_least", "whole number");
    refused(f, "{'fact': {'name': 'club.spent', 'at_least': 50}}", "when.fact.at_least", "write \"50.00\"");
    refused(f, "{'fact': {'name': 'club.town', 'at_least': 3}}", "when.fact", "is or any_of");
    refused(f, "{'fact': {'name': 'club.adult', 'below': true}}", "when.fact", "no order");
    refused(f, "{'fact': {'name': 'club.adult', 'is': 1}}", "when.fact.is", "true or false");
    refused(f, "{'fact': {'name': 'club.level', 'any_of': []}}", "when.fact.any_of", "empty");
    refused(f, "{'fact': {'name': 'club.level', 'any_of': [1, 'x']}}", "when.fact.any_of[2]", "whole number");
    refused(f, "{'fact': {'name': 'club.level', 'is': 1, 'any_of': [1]}}", "when.fact", "give one");
    refused(f, "{'fact': {'name': 'club.level', 'is': 1, 'at_least': 1}}", "when.fact", "values and bounds");
    refused(f, "{'fact': {'name': 'club.level', 'at_least': 4, 'at_most': 3}}", "when.fact", "can never hold");
    refused(f, "{'fact': {'name': 'club.level', 'at_least': 3, 'below': 3}}", "when.fact", "can never hold");
    refused(f, "{'fact': {'name': 'club.level', 'at_most': 3, 'below': 3}}", "when.fact", "give one");
    refused(f, "{'fact': {'name': 'club.since', 'below': 'tomorrow'}}", "when.fact.below", "");
    refused(f, "{'fact': {'name': 'club.share', 'below': true}}", "when.fact.below", "percentage");
}

static void only_facts_that_rules_can_ask_for_are_wanted(void **state)
{
    struct fixture *f = *state;
    size_t n;
    build_with(f, "{'any': [{'sku': 'A'}, {'none': [{'fact': {'name': 'club.level'}}]}]}");
    const uint32_t *list = quote_rules_facts(f->rules, false, &n);
    assert_int_equal(n, 1);
    assert_string_equal(fixture_fact_types[list[0]].name, "club.level");
    quote_rules_facts(f->rules, true, &n);
    assert_int_equal(n, 0);
    build_with(f, "{'sku': 'A'}");
    quote_rules_facts(f->rules, false, &n);
    assert_int_equal(n, 0);
    build_with(f, "{'fn': 1}"); /* it may ask for any */
    quote_rules_facts(f->rules, false, &n);
    assert_int_equal(n, FIXTURE_FACTS - 1); /* but for the one whose name stands nowhere */
    fixture_rules(f, "[{'id': 'x', 'give': {'fn': 1}}]");
    quote_rules_facts(f->rules, false, &n);
    assert_int_equal(n, FIXTURE_FACTS - 1);
    build_with(f, "[{'fn': 1}, {'fact': {'name': 'club.town', 'is': 'Lima'}}]");
    quote_rules_facts(f->rules, false, &n);
    assert_int_equal(n, FIXTURE_FACTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_number_is_held_against_bounds_and_the_reason_says_what_was_needed_and_seen),
        TEST(each_type_is_written_as_it_is_everywhere),
        TEST(a_guest_is_asked_to_sign_in_and_a_customer_without_the_fact_is_told_so),
        TEST(a_fact_that_failed_fails_whoever_asks_for_it),
        TEST(mistakes_are_named),
        TEST(only_facts_that_rules_can_ask_for_are_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
