#include "quote/fixture.h"

/* What is between the first id and the closing brace of the only campaign; the error that must come. */
static void refused(struct fixture *f, const char *campaigns, const char *expected)
{
    int rc = fixture_build(f, campaigns, NULL, NULL);
    if (rc != ERR_INVALID || strcmp(f->err.text, expected) != 0)
        fail_msg("%s\n  gives %d: %s\n  not        %s", campaigns, rc, f->err.text, expected);
    assert_null(f->rules);
}

#define GIVE   "'give': {'free_shipping': {}}"
#define ONE(x) "[{'id': 'x', 'at': 'campaigns/x.lua:7', " x "}]"

static void an_unknown_key_names_the_nearest_known_one(void **state)
{
    struct fixture *f = *state;
    refused(f, ONE("'gives': {'free_shipping': {}}"), "campaigns/x.lua:7: unknown key \"gives\"; did you mean \"give\"?");
    refused(f, ONE(GIVE ", 'scope': {'categroy': ['tea']}"),
            "campaigns/x.lua:7: scope: unknown key \"categroy\"; did you mean \"category\"?");
    refused(f, ONE("'give': [{'free_shipping': {}}, {'percent_of': {'percent': 1}}]"),
            "campaigns/x.lua:7: give[2]: unknown key \"percent_of\"; did you mean \"percent_off\"?");
    refused(f, ONE("'give': {'free_shipping': {'everywhere': true}}"),
            "campaigns/x.lua:7: give.free_shipping: unknown key \"everywhere\"; known here: none");
    refused(f, ONE(GIVE ", 'window': {'until': '2026-01-01'}"), "campaigns/x.lua:7: window: unknown key \"until\"; known here: from, to");
}

static void money_is_a_decimal_string(void **state)
{
    struct fixture *f = *state;
    refused(f, ONE("'give': {'amount_off': {'amount': 50}}"),
            "campaigns/x.lua:7: give.amount_off.amount: a bare number can't be money; write \"50.00\" in quotes");
    refused(f, ONE("'give': {'amount_off': {'amount': 19.9}}"),
            "campaigns/x.lua:7: give.amount_off.amount: a bare number can't be money; write \"19.90\" in quotes");
    refused(f, ONE("'give': {'amount_off': {'amount': '-5.00'}}"),
            "campaigns/x.lua:7: give.amount_off.amount: \"-5.00\" is negative; amounts here are never below zero");
    refused(f, ONE("'give': {'amount_off': {'amount': '0.00'}}"),
            "campaigns/x.lua:7: give.amount_off.amount: \"0.00\" must be more than zero");
    refused(f, ONE("'give': {'amount_off': {}}"),
            "campaigns/x.lua:7: give.amount_off.amount: is missing; give an amount such as \"50.00\"");
    refused(f, ONE("'give': {'amount_off': {'amount': '60.00', 'every': '50.00'}}"),
            "campaigns/x.lua:7: give.amount_off.amount: is more than every: all of it would be free; make amount the smaller one");
    refused(f, ONE(GIVE ", 'when': {'subtotal': {'at_least': 100}}"),
            "campaigns/x.lua:7: when.subtotal.at_least: a bare number can't be money; write \"100.00\" in quotes");
    assert_int_equal(fixture_build(f, ONE("'give': {'amount_off': {'amount': '1.005'}}"), NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "decimals"));
    assert_string_equal(f->err.field, "give.amount_off.amount");
    assert_int_equal(fixture_build(f, ONE("'give': {'amount_off': {'amount': '92233720368547758.08'}}"), NULL, NULL), ERR_INVALID);
}

static void a_percentage_is_more_than_0_up_to_100(void **state)
{
    struct fixture *f = *state;
    static const char *const wrong[] = { "-20", "0", "101", "100.0001", "'-1'", "1e1", "12.34567", "true", "'abc'" };
    char text[128];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        snprintf(text, sizeof text, ONE("'give': {'percent_off': {'percent': %s}}"), wrong[i]);
        assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
        assert_non_null(strstr(f->err.text, "campaigns/x.lua:7: give.percent_off.percent: "));
    }
    static const char *const right[] = { "20", "12.5", "'12.5'", "100", "0.0001", "20.0" };
    for (size_t i = 0; i < sizeof right / sizeof right[0]; i++) {
        snprintf(text, sizeof text, ONE("'give': {'percent_off': {'percent': %s}}"), right[i]);
        assert_int_equal(fixture_build(f, text, NULL, NULL), 0);
    }
}

static void a_condition_that_can_never_hold_is_refused(void **state)
{
    struct fixture *f = *state;
    refused(f, ONE(GIVE ", 'window': {'from': '2026-11-23', 'to': '2026-11-20'}"),
            "campaigns/x.lua:7: window: ends before it starts, so it is never open; \"to\" must be later than \"from\"");
    refused(f, ONE(GIVE ", 'when': {'window': {'from': '2026-11-20', 'to': '2026-11-20'}}"),
            "campaigns/x.lua:7: when.window: ends before it starts, so it is never open; \"to\" must be later than \"from\"");
    refused(f, ONE(GIVE ", 'when': {'qty': {'at_least': 3, 'at_most': 2}}"),
            "campaigns/x.lua:7: when.qty: can never hold: at_least is more than at_most");
    refused(f, ONE(GIVE ", 'when': {'subtotal': {}}"), "campaigns/x.lua:7: when.subtotal: has neither at_least nor at_most; give one");
    refused(f, ONE(GIVE ", 'window': {}"), "campaigns/x.lua:7: window: has neither from nor to; give one, or leave the window out");
    assert_int_equal(fixture_build(f, ONE(GIVE ", 'window': {'from': '2026-02-30'}"), NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "campaigns/x.lua:7: window.from: "));
}

static void lists_are_not_empty_and_hold_texts(void **state)
{
    struct fixture *f = *state;
    refused(f, ONE(GIVE ", 'scope': {'tag': []}"), "campaigns/x.lua:7: scope.tag: is empty; name at least one, or leave it out");
    refused(f, ONE(GIVE ", 'scope': {'sku': ['A', 7]}"), "campaigns/x.lua:7: scope.sku[2]: expected a text, got an integer");
    refused(f, ONE(GIVE ", 'scope': {'sku': ['']}"), "campaigns/x.lua:7: scope.sku[1]: is empty; write something or leave it out");
    refused(f, ONE(GIVE ", 'scope': {'sku': true}"), "campaigns/x.lua:7: scope.sku: expected a list, got true");
    refused(f, ONE(GIVE ", 'scope': {}"), "campaigns/x.lua:7: scope: selects by nothing; name a sku, category, tag or brand");
    refused(f, ONE(GIVE ", 'when': {'any': []}"), "campaigns/x.lua:7: when.any: is empty; name at least one, or leave it out");
    refused(f, ONE(GIVE ", 'codes': ['  ']"), "campaigns/x.lua:7: codes[1]: is only spaces; write the code");
    refused(f, ONE("'give': []"), "campaigns/x.lua:7: give: is empty; name at least one, or leave it out");
}

static void a_campaign_gives_something_and_has_an_id(void **state)
{
    struct fixture *f = *state;
    refused(f, "[{'id': 'x', 'at': 'a.lua:1'}]",
            "a.lua:1: give: is missing: the campaign gives nothing; add an action, such as percent_off");
    refused(f, "[{'at': 'a.lua:1', " GIVE "}]", "a.lua:1: id: is missing; give a text");
    refused(f, "[{'id': 'tea weekend', 'at': 'a.lua:1', " GIVE "}]",
            "a.lua:1: id: \"tea weekend\" has a character that ids can't have; use letters, digits and _ . : -");
    refused(f, "[{'id': 'ok', " GIVE "}, {'id': 5}]", "campaign 2: id: expected a text, got an integer");
    refused(f, "[7]", "campaign 1: expected a table with names, got an integer");
    refused(f, ONE("'give': {'free_shipping': {}, 'fn': 1}"),
            "campaigns/x.lua:7: give: is several actions in one table; an action has one name, such as percent_off; put several in a list");
}

static void two_campaigns_with_one_id_are_refused_at_the_later(void **state)
{
    struct fixture *f = *state;
    refused(f,
            "[{'id': 'b', 'at': 'b.lua:2', " GIVE "}, {'id': 'a', 'at': 'a.lua:1', " GIVE
            "}, {'id': 'b', 'at': 'c.lua:9', 'priority': 5, " GIVE "}]",
            "c.lua:9: id: \"b\" is already the id of the campaign at b.lua:2; give each campaign its own");
}

static void a_stage_that_comes_too_late_is_refused(void **state)
{
    struct fixture *f = *state;
    refused(f, ONE("'stage': 'shipping', 'give': {'percent_off': {'percent': 5}}"),
            "campaigns/x.lua:7: stage: percent_off changes lines, and they are settled before the shipping stage; leave stage out");
    refused(f, ONE("'stage': 'items', " GIVE), "campaigns/x.lua:7: stage: there is no \"items\"; did you mean \"item\"?");
    refused(f, ONE("'on_failure': 'explode', " GIVE), "campaigns/x.lua:7: on_failure: there is no \"explode\"; choose one of skip, refuse");
    refused(f, ONE("'priority': 10000000, " GIVE),
            "campaigns/x.lua:7: priority: 10000000 is out of range; it goes from -1000000 to 1000000");
    refused(f, ONE("'priority': 1.5, " GIVE),
            "campaigns/x.lua:7: priority: expected a whole number, got a number with a fraction or exponent");
}

static void conditions_nest_only_so_deep(void **state)
{
    struct fixture *f = *state;
    char text[2000] = "[{'id': 'x', 'give': {'free_shipping': {}}, 'when': ";
    for (int i = 0; i < 30; i++)
        strcat(text, "{'all': [");
    strcat(text, "{'fn': 1}");
    for (int i = 0; i < 30; i++)
        strcat(text, "]}");
    strcat(text, "}]");
    assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "nested too deeply"));
}

static void campaigns_stand_in_the_order_of_application(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f,
                  "[{'id': 'd', 'give': {'amount_off': {'amount': '1.00'}}}, {'id': 'ship', 'priority': 99, 'give': {'free_shipping': {}}},"
                  "{'id': 'c', 'give': {'percent_off': {'percent': 1}}}, {'id': 'b', 'give': {'percent_off': {'percent': 1}}},"
                  "{'id': 'z', 'priority': 3, 'title': 'Z!', 'give': [{'free_shipping': {}}, {'buy_get': {'buy': 1, 'get': 1}}]}]");
    static const char *const order[] = { "z", "b", "c", "d", "ship" };
    assert_int_equal(quote_rules_count(f->rules), 5);
    for (uint32_t i = 0; i < 5; i++)
        assert_true(slice_is(quote_campaign_id(f->rules, i), order[i]));
    assert_true(slice_is(quote_campaign_title(f->rules, 0), "Z!"));
    assert_true(slice_is(quote_campaign_title(f->rules, 1), "b"));
    assert_string_equal(quote_rules_currency(f->rules).code, "CNY");
    assert_ptr_equal(quote_rules_symbols(f->rules), f->symbols);
}

static void no_campaigns_are_rules_too(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[]");
    assert_int_equal(quote_rules_count(f->rules), 0);
    assert_int_equal(fixture_build(f, NULL, NULL, NULL), 0);
    assert_int_equal(fixture_build(f, "{'id': 'x'}", NULL, NULL), ERR_INVALID);
    assert_int_equal(fixture_build(f, "{}", NULL, NULL), 0); /* an empty table of Lua */
}

static void what_is_watched_is_checked(void **state)
{
    struct fixture *f = *state;
    fixture_rules(
        f, "[{'id': 'a', 'watch': {'discount_share': 30}, 'give': {'free_shipping': {}}},"
           "{'id': 'b', 'watch': {'discount_share': {'stop': '60.5', 'orders': 3}, 'per_hour': {'alarm': '50.00', 'stop': '100.00'}},"
           " 'give': {'free_shipping': {}}}, {'id': 'c', 'give': {'free_shipping': {}}}]");
    const struct quote_watch *a = quote_campaign_watch(f->rules, 0), *b = quote_campaign_watch(f->rules, 1);
    assert_true(a->share_ppm.alarm == 300000 && a->share_ppm.stop == 0 && a->orders == 10 && a->hour_minor.alarm == 0);
    assert_true(b->share_ppm.alarm == 0 && b->share_ppm.stop == 605000 && b->orders == 3);
    assert_true(b->hour_minor.alarm == 5000 && b->hour_minor.stop == 10000);
    assert_null(quote_campaign_watch(f->rules, 2));
    assert_null(quote_rules_watch(f->rules));
    quote_rules_free(f->rules);
    f->rules = NULL;
    refused(f, ONE("'watch': {}, " GIVE), "campaigns/x.lua:7: watch: it watches nothing; write discount_share, per_hour or both");
    refused(f, ONE("'watch': {'discount_share': {}}, " GIVE),
            "campaigns/x.lua:7: watch.discount_share: it has no bound; write alarm, stop or both");
    refused(f, ONE("'watch': {'discount_share': {'alarm': 60, 'stop': 30}}, " GIVE),
            "campaigns/x.lua:7: watch.discount_share.stop: the stop comes before the alarm; write a higher one");
    refused(f, ONE("'watch': {'discount_share': {'alarm': 60, 'order': 3}}, " GIVE),
            "campaigns/x.lua:7: watch.discount_share: unknown key \"order\"; did you mean \"orders\"?");
    refused(f, ONE("'watch': {'per_hour': 50}, " GIVE),
            "campaigns/x.lua:7: watch.per_hour: a bare number can't be money; write \"50.00\" in quotes");
}

static void policies_and_shipping_are_checked(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *policies, *shipping, *expected;
    } wrong[] = {
        { "{'stacking': 'priorty'}", NULL, "shop.lua: policies.stacking: there is no \"priorty\"; did you mean \"priority\"?" },
        { "{'roundings': 'up'}", NULL, "shop.lua: policies: unknown key \"roundings\"; did you mean \"rounding\"?" },
        { "{'rounding': 'bankers'}", NULL,
          "shop.lua: policies.rounding: there is no \"bankers\"; choose one of half_away, half_even, half_down, down, up, floor, ceiling" },
        { "[1]", NULL, "shop.lua: policies: expected a table with names, got an array" },
        { NULL, "[{'id': 's'}]", "shop.lua: shipping[1].rates: is missing; give a list" },
        { NULL, "[{'id': 's', 'rates': [{'price': 4}]}]",
          "shop.lua: shipping[1].rates[1].price: a bare number can't be money; write \"4.00\" in quotes" },
        { NULL, "[{'id': 's', 'rates': [{'price': '4', 'up_to_kg': 1}]}]",
          "shop.lua: shipping[1].rates[1]: unknown key \"up_to_kg\"; did you mean \"up_to_g\"?" },
        { NULL, "[{'id': 's', 'rates': [{'price': '4'}]}, {'id': 's', 'rates': [{'price': '5'}]}]",
          "shop.lua: shipping[2]: there are two options \"s\"; give each its own id" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fixture_build(f, NULL, wrong[i].policies, wrong[i].shipping), ERR_INVALID);
        assert_string_equal(f->err.text, wrong[i].expected);
    }
}

static void texts_are_utf_8_without_control_characters(void **state)
{
    struct fixture *f = *state;
    struct quote_rules_options o = { .zone = f->zone, .symbols = f->symbols, .currency = { "CNY", 2 } };
    struct json_value *v = fixture_json(&f->arena, ONE("'title': 'ok', " GIVE));
    struct json_value *title = (struct json_value *)(uintptr_t)json_get(v->first, "title");
    title->string = SLICE_LIT("caf\xe9"); /* as a table of Lua could have it */
    assert_int_equal(quote_rules_build(v, &o, &f->rules, &f->err), ERR_INVALID);
    assert_string_equal(f->err.text, "campaigns/x.lua:7: title: is not UTF-8; save the file as UTF-8");
    title->string = SLICE_LIT("a\nb");
    assert_int_equal(quote_rules_build(v, &o, &f->rules, &f->err), ERR_INVALID);
    assert_string_equal(f->err.text, "campaigns/x.lua:7: title: has a control character; remove it");
}

static void damaged_specs_are_refused_or_priced_and_never_do_harm(void **state)
{
    struct fixture *f = *state;
    static const char whole[] = "[{\"id\":\"a\",\"at\":\"a.lua:1\",\"window\":{\"from\":\"2020-01-01\",\"to\":\"2030-01-01 "
                                "10:00\"},\"scope\":{\"any\":[{\"tag\":[\"t\"]},{\"sku\":\"A\"}]},"
                                "\"codes\":[\"X\"],\"when\":[{\"subtotal\":{\"at_least\":\"1.00\",\"of\":{\"none\":[{\"category\":\"tea\"}]"
                                "}}},{\"all\":[{\"qty\":{\"at_most\":9}}]}],"
                                "\"give\":[{\"percent_off\":{\"percent\":12.5,\"cap\":\"5.00\",\"base\":\"list\"}},{\"amount_off\":{"
                                "\"amount\":\"1.00\",\"every\":\"2.00\"}},"
                                "{\"buy_get\":{\"buy\":1,\"get\":1,\"max_sets\":2}},{\"free_shipping\":{}}],\"priority\":3,\"stage\":"
                                "\"order\",\"on_failure\":\"refuse\"}]";
    uint64_t seed = 11;
    int built = 0, refused_count = 0;
    for (int round = 0; round < 20000; round++) {
        struct quote_rules_options o = { .zone = f->zone, .symbols = f->symbols, .currency = { "CNY", 2 } };
        struct json_value *v;
        char *text = arena_strdup(&f->arena, slice_str(whole));
        fixture_damage(text, &seed);
        if (json_parse(slice_str(text), NULL, &f->arena, &v, &f->err) == 0) {
            int rc = quote_rules_build(v, &o, &f->rules, &f->err);
            assert_true(rc == 0 || (rc == ERR_INVALID && f->err.text[0]));
            built += rc == 0;
            refused_count += rc < 0;
            if (rc == 0 && fixture_try(f, "{'lines': [{'sku': 'A', 'price': 700, 'qty': 3, 'tags': ['t']}], 'codes': ['x']}") < 0)
                assert_int_equal(f->err.code, ERR_INTERNAL); /* the damage made a function of it, and there is none */
            quote_rules_free(f->rules);
            f->rules = NULL;
        }
        arena_reset(&f->arena);
    }
    assert_true(built > 100 && refused_count > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_unknown_key_names_the_nearest_known_one),
        TEST(money_is_a_decimal_string),
        TEST(a_percentage_is_more_than_0_up_to_100),
        TEST(a_condition_that_can_never_hold_is_refused),
        TEST(lists_are_not_empty_and_hold_texts),
        TEST(a_campaign_gives_something_and_has_an_id),
        TEST(two_campaigns_with_one_id_are_refused_at_the_later),
        TEST(a_stage_that_comes_too_late_is_refused),
        TEST(conditions_nest_only_so_deep),
        TEST(campaigns_stand_in_the_order_of_application),
        TEST(no_campaigns_are_rules_too),
        TEST(what_is_watched_is_checked),
        TEST(policies_and_shipping_are_checked),
        TEST(texts_are_utf_8_without_control_characters),
        TEST(damaged_specs_are_refused_or_priced_and_never_do_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
