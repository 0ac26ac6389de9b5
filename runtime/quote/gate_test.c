#include "quote/fixture.h"

#define CART                                                                                                                               \
    "{'lines': [{'sku': 'CUP', 'price': 1000, 'qty': 2, 'g': 100}, {'sku': 'NEW', 'price': 5000, 'g': 4000, 'tags': ['beta']}],"           \
    "'option': 'post' %s}"
#define TAX  "{'prices': 'exclude', 'rates': [{'title': 'VAT', 'percent': 10}]}"
#define POST "[{'id': 'post', 'rates': [{'up_to_g': 500, 'price': '5.00'}, {'price': '20.00'}]}]"

static const char *cart(struct fixture *f, const char *more)
{
    return arena_printf(&f->arena, CART, more).data;
}

/* The answer has this text. */
static void answer_has(struct fixture *f, const char *text)
{
    char *wanted = arena_strdup(&f->arena, slice_str(text));
    for (char *p = wanted; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (!strstr(fixture_answer(f), wanted))
        fail_msg("%s is not in %s", wanted, fixture_answer(f));
}

static const char *refusal(struct fixture *f)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    quote_refusal_write(f->rules, &f->result, &(struct quote_voice){ 0 }, &w);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static void build(struct fixture *f, const char *campaigns)
{
    if (fixture_build(f, campaigns, NULL, POST) < 0)
        fail_msg("%s", f->err.text);
}

static void a_closed_gate_refuses_the_cart_and_says_why(void **state)
{
    struct fixture *f = *state;
    build(f, "[{'gate': true, 'id': 'early', 'title': 'Early access', 'scope': {'tag': 'beta'}, 'when': {'customer_tag': 'gold'},"
             "  'reason': 'Gold members first.'}]");
    assert_int_equal(fixture_try(f, cart(f, "")), ERR_INVALID);
    assert_string_equal(f->err.reason, "gate_closed");
    assert_string_equal(f->err.field, "/lines/1");
    assert_string_equal(f->err.text, "Gold members first.");
    assert_string_equal(refusal(f), "{\"id\":\"early\",\"title\":\"Early access\",\"sku\":\"NEW\","
                                    "\"reason\":{\"code\":\"customer_tag_missing\",\"wanted\":\"gold\"}}");
    assert_int_equal(fixture_try(f, cart(f, ", 'customer_tags': ['gold']")), 0);
    assert_int_equal(f->result.total_minor, 7000 + 2000);
    answer_has(f, "'gates':[{'id':'early','title':'Early access','open':true}]");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'CUP', 'price': 1000}]}"), 0); /* nothing of its scope: it is nobody's business */
    answer_has(f, "'open':true,'reason':{'code':'no_lines'}}");
    assert_int_equal(quote_require_open(&f->result, &f->err), 0);
}

static void what_is_hidden_costs_and_counts_nothing(void **state)
{
    struct fixture *f = *state;
    build(f, "[{'gate': true, 'id': 'early', 'scope': {'tag': 'beta'}, 'when': {'customer_tag': 'gold'}, 'effect': 'hide',"
             "  'reason': 'Gold members first.'},"
             " {'id': 'big', 'when': {'subtotal': {'at_least': '30.00'}}, 'give': {'percent_off': {'percent': 50}}},"
             " {'id': 'many', 'when': {'qty': {'at_least': 3}}, 'give': {'percent_off': {'percent': 50}}},"
             " {'id': 'new', 'when': {'tag': 'beta'}, 'give': {'percent_off': {'percent': 50}}},"
             " {'id': 'on', 'give': {'percent_off': {'percent': 50, 'on': {'sku': 'NEW'}}}},"
             " {'id': 'all', 'give': {'amount_off': {'amount': '1.00'}}}]");
    assert_int_equal(fixture_try(f, cart(f, "")), 0);
    assert_string_equal(fixture_reason(f, "big"), "subtotal_below");
    assert_int_equal(fixture_param(f, "big", "seen"), 2000);
    assert_string_equal(fixture_reason(f, "many"), "qty_below");
    assert_string_equal(fixture_reason(f, "new"), "not_in_cart");
    assert_string_equal(fixture_reason(f, "on"), "nothing_to_discount");
    assert_int_equal(f->result.subtotal_minor, 2000);
    assert_int_equal(f->result.shipping_minor, 500); /* 200 g, not 4200 */
    assert_int_equal(f->result.total_minor, 2000 - 100 + 500);
    answer_has(f,
               "{'sku':'NEW','title':'NEW','qty':1,'unit_price':5000,'subtotal':0,'discounts':[],'total':0,'unavailable':{'gate':'early',"
               "'because':'Gold members first.','reason':{'code':'customer_tag_missing','wanted':'gold'}}}");
    assert_int_equal(quote_require_open(&f->result, &f->err), ERR_INVALID);
    assert_string_equal(f->err.reason, "gate_closed");
    assert_string_equal(f->err.field, "/lines/1");
    assert_non_null(strstr(refusal(f), "\"sku\":\"NEW\""));
    assert_int_equal(fixture_try(f, cart(f, ", 'customer_tags': ['gold']")), 0);
    assert_string_equal(fixture_reason(f, "big"), "applied");
    assert_null(strstr(fixture_answer(f), "unavailable"));
}

static void a_cart_of_nothing_but_hidden_lines_costs_nothing(void **state)
{
    struct fixture *f = *state;
    build(f, "[{'gate': true, 'id': 'g', 'when': {'customer_tag': 'gold'}, 'effect': 'hide', 'reason': 'Members only.'},"
             " {'id': 'c', 'give': {'percent_off': {'percent': 50}}}]");
    assert_int_equal(fixture_try(f, cart(f, "")), 0);
    assert_int_equal(f->result.total_minor, 0);
    assert_false(f->result.has_shipping);
    assert_string_equal(fixture_reason(f, "c"), "no_lines");
}

static void gates_are_asked_about_the_whole_cart_and_before_any_price(void **state)
{
    struct fixture *f = *state;
    /* If `hides` took its line out before `most` looked, two cups would be left, and `most` would be open. */
    build(f, "[{'gate': true, 'id': 'hides', 'priority': 5, 'scope': {'tag': 'beta'}, 'when': {'customer_tag': 'gold'}, 'effect': 'hide',"
             "  'reason': 'Members only.'},"
             " {'gate': true, 'id': 'most', 'when': {'subtotal': {'at_most': '69.99'}}, 'reason': 'Not more than 69.99 at once.'},"
             " {'id': 'half', 'priority': 100, 'give': {'percent_off': {'percent': 50}}}]");
    assert_int_equal(fixture_try(f, cart(f, "")), ERR_INVALID);
    assert_string_equal(f->err.text, "Not more than 69.99 at once.");
    assert_string_equal(f->err.field, "/lines/0");
    assert_non_null(strstr(refusal(f), "{\"code\":\"subtotal_above\",\"limit\":6999,\"seen\":7000}"));
}

static void of_several_gates_priority_and_then_the_id_decide_which_speaks(void **state)
{
    struct fixture *f = *state;
    build(
        f,
        "[{'gate': true, 'id': 'b', 'effect': 'hide', 'when': {'customer_tag': 'gold'}, 'reason': 'b'},"
        " {'gate': true, 'id': 'a', 'effect': 'hide', 'when': {'customer_tag': 'gold'}, 'reason': 'a'},"
        " {'gate': true, 'id': 'z', 'effect': 'hide', 'priority': 1, 'scope': {'sku': 'CUP'}, 'when': {'channel': 'app'}, 'reason': 'z'}]");
    assert_int_equal(fixture_try(f, cart(f, "")), 0);
    assert_true(slice_is(f->cart.lines[0].closed->because, "z"));
    assert_true(slice_is(f->cart.lines[1].closed->because, "a"));
    build(f, "[{'gate': true, 'id': 'b', 'priority': 7, 'effect': 'hide', 'when': {'customer_tag': 'gold'}, 'reason': 'b'},"
             " {'gate': true, 'id': 'y', 'when': {'customer_tag': 'gold'}, 'reason': 'y'},"
             " {'gate': true, 'id': 'x', 'when': {'customer_tag': 'gold'}, 'reason': 'x'}]");
    assert_int_equal(fixture_try(f, cart(f, "")), ERR_INVALID); /* refusing goes before hiding */
    assert_string_equal(f->err.text, "x");
}

static void outside_of_its_window_and_stopped_it_stands_open(void **state)
{
    struct fixture *f = *state;
    build(f, "[{'gate': true, 'id': 'early', 'window': {'to': '2026-01-01'}, 'when': {'customer_tag': 'gold'}, 'reason': 'Soon.'}]");
    assert_int_equal(fixture_try(f, cart(f, ", 'at': 1750000000000")), ERR_INVALID);
    assert_int_equal(fixture_try(f, cart(f, ", 'at': 1800000000000")), 0);
    answer_has(f, "'open':true,'reason':{'code':'over'");
    struct slice stopped[] = { SLICE_LIT("early") };
    fixture_cart(f, cart(f, ", 'at': 1750000000000"));
    f->cart.stopped = stopped;
    f->cart.stopped_count = 1;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), 0);
    answer_has(f, "'open':true,'reason':{'code':'stopped'}}");
    f->cart.stopped_count = 0;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, NULL), ERR_INVALID);
    f->cart.no_campaigns = true; /* an import of what was sold: it has happened */
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), 0);
}

static void a_code_can_open_it_and_is_used_by_that(void **state)
{
    struct fixture *f = *state;
    build(f, "[{'gate': true, 'id': 'g', 'effect': 'hide', 'when': {'coupon': 'FRIENDS'}, 'reason': 'Friends only.'}]");
    assert_int_equal(fixture_try(f, cart(f, ", 'codes': ['x', 'friends']")), 0);
    assert_null(f->cart.lines[0].closed);
    assert_int_equal(f->result.unused_code_count, 1);
    assert_int_equal(fixture_try(f, cart(f, ", 'codes': ['x']")), 0);
    assert_non_null(f->cart.lines[0].closed);
}

/* --- functions ----------------------------------------------------------------------------------------------------------- */

enum { FN_YES = 1, FN_NO, FN_BROKEN, FN_TAKES, FN_HALF_PRICE, FN_SEES_5000 };

static int condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    int *calls = ctx;
    ++*calls;
    *holds = fn == FN_YES || fn == FN_TAKES;
    if (fn == FN_TAKES)
        assert_int_equal(quote_eval_line_discount(e, 0, 1, 0, slice_str(""), err), ERR_STATE);
    if (fn == FN_SEES_5000)
        *holds = quote_eval_subtotal(e, quote_eval_scope(e)) == 5000;
    err_clear(err);
    return fn == FN_BROKEN ? err_set(err, ERR_SCRIPT, "x.lua:1: broken") : 0;
}

static int half_price(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    (void)ctx;
    assert_int_equal(fn, FN_HALF_PRICE);
    int rc = 0;
    for (uint32_t i = 0; i < quote_eval_cart(e)->line_count && rc == 0; i++)
        if (quote_eval_may_propose(e, i))
            rc = quote_eval_propose(e, i, quote_eval_cart(e)->lines[i].unit_price_minor / 2, err);
    return rc;
}

static void functions_decide_and_one_that_fails_closes(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    f->hooks = (struct quote_hooks){ .ctx = &calls, .condition = condition };
    static const struct {
        int fn;
        const char *on_failure;
        bool open;
    } cases[] = { { FN_YES, "refuse", true },     { FN_NO, "skip", false },    { FN_TAKES, "refuse", true },
                  { FN_BROKEN, "refuse", false }, { FN_BROKEN, "skip", true }, { FN_BROKEN, NULL, false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct slice failing = cases[i].on_failure ? arena_printf(&f->arena, ", 'on_failure': '%s'", cases[i].on_failure) : slice_str("");
        build(f, arena_printf(&f->arena,
                              "[{'gate': true, 'id': 'g', 'effect': 'hide', 'scope': {'sku': 'NEW'}, 'when': {'fn': %d}, "
                              "'reason': 'No.' %.*s}]",
                              cases[i].fn, SLICE_FMT(failing))
                     .data);
        assert_int_equal(fixture_try(f, cart(f, "")), 0);
        assert_int_equal(f->cart.lines[1].closed == NULL, cases[i].open);
        if (cases[i].fn == FN_BROKEN)
            assert_string_equal(f->result.gates[0].reason, "failed");
        uint32_t number;
        assert_true(quote_campaign_find(f->rules, slice_str("g"), &number));
        assert_int_equal(quote_campaign_refuses(f->rules, number), !cases[i].on_failure || strcmp(cases[i].on_failure, "refuse") == 0);
    }
    assert_int_equal(calls, sizeof cases / sizeof *cases);
    fixture_try(f, "{'lines': [{'sku': 'CUP', 'price': 1}]}");
    assert_int_equal(calls, sizeof cases / sizeof *cases); /* nothing of its scope: not called */
}

static void gates_see_list_prices_even_when_evidence_is_priced_again(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    f->hooks = (struct quote_hooks){ .ctx = &calls, .condition = condition, .pricing = half_price };
    struct quote_rule pricing = { .fn = FN_HALF_PRICE, .name = "test.half" };
    struct quote_rules_options o = { .pricing = { &pricing, 1 } };
    const char *gates =
        "[{'gate': true, 'id': 'g', 'scope': {'sku': 'NEW'}, 'when': {'fn': 6}, 'reason': 'No.'},"
        " {'gate': true, 'id': 'h', 'scope': {'sku': 'CUP'}, 'when': {'channel': 'app'}, 'effect': 'hide', 'reason': 'No.'}]";
    assert_int_equal(fixture_build_with(f, gates, o), 0);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'CUP', 'price': 1000}, {'sku': 'NEW', 'price': 5000}]}"), 0);
    assert_int_equal(f->result.total_minor, 2500);
    assert_int_equal(f->cart.lines[0].total_minor, 0);
    assert_int_equal(f->cart.lines[0].unit_price_minor, 1000); /* nobody found a price for what is not sold */
    struct buf b;
    struct json_value *v;
    struct quote_cart again;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    assert_int_equal(json_parse(buf_slice(&b), NULL, &f->run, &v, &f->err), 0);
    assert_int_equal(quote_evidence_read(f->symbols, v, &f->run, &again, &f->err), 0);
    assert_int_equal(again.lines[1].unit_price_minor, 2500);
    assert_int_equal(quote_price(f->rules, &again, &f->hooks, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.total_minor, 2500);
    buf_release(&b);
}

static int sees_no_hidden_line(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    (void)fn;
    (void)err;
    ++*(int *)ctx;
    assert_int_equal(quote_eval_weight_g(e), 200);
    assert_int_equal(quote_eval_qty(e, quote_eval_scope(e)), 2);
    assert_false(quote_eval_may_tax(e, 1));
    return 0;
}

static void what_is_hidden_is_not_taxed_and_no_rule_sees_it(void **state)
{
    struct fixture *f = *state;
    int calls = 0;
    f->hooks = (struct quote_hooks){ .ctx = &calls, .shipping_rates = sees_no_hidden_line, .tax_rates = sees_no_hidden_line };
    struct quote_rule rule = { .fn = 1, .name = "test.rates" };
    struct quote_rules_options o = { .shipping = fixture_json(&f->arena, POST),
                                     .tax = fixture_json(&f->arena, TAX),
                                     .shipping_rates = { &rule, 1 },
                                     .tax_rates = { &rule, 1 } };
    const char *gate =
        "[{'gate': true, 'id': 'g', 'scope': {'tag': 'beta'}, 'when': {'channel': 'app'}, 'effect': 'hide', 'reason': 'No.'}]";
    assert_int_equal(fixture_build_with(f, gate, o), 0);
    if (fixture_try(f, "{'lines': [{'sku': 'CUP', 'price': 1000, 'qty': 2, 'g': 100},"
                       " {'sku': 'NEW', 'price': 5000, 'g': 4000, 'tags': ['beta']}]}") < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(f->result.tax.amount_minor, 200);
    assert_int_equal(f->result.total_minor, 2200);
    assert_int_equal(f->result.shipping_choices[0].amount_minor, 500);
    assert_int_equal(calls, 2);
    answer_has(f, "'total':0,'tax':0,'payable':0,'unavailable':{");
}

/* --- mistakes ------------------------------------------------------------------------------------------------------------ */

static void mistakes_are_found_when_the_rules_are_built(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *spec, *says;
    } wrong[] = {
        { "{'gate': true, 'id': 'g', 'reason': 'x'}", "when: is missing" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}}", "reason: is missing" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}, 'reason': ''}", "reason: is empty" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}, 'reason': 'x', 'effect': 'hid'}", "did you mean \"hide\"" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}, 'reason': 'x', 'give': {'free_shipping': {}}}", "unknown key \"give\"" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}, 'reason': 'x', 'stage': 'item'}", "unknown key \"stage\"" },
        { "{'gate': true, 'id': 'g', 'when': {'channel': 'a'}, 'reason': 'x', 'on_failure': 'open'}", "on_failure" },
        { "{'gate': false, 'id': 'g', 'when': {'channel': 'a'}, 'reason': 'x'}", "gate: a gate says true here" },
        { "{'id': 'g', 'effect': 'hide', 'give': {'free_shipping': {}}}", "unknown key \"effect\"" },
        { "{'gate': true, 'id': 'c', 'when': {'channel': 'a'}, 'reason': 'x'}", "is already the id" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *list = arena_printf(&f->arena, "[{'id': 'c', 'give': {'free_shipping': {}}}, %s]", wrong[i].spec).data;
        assert_int_equal(fixture_build(f, list, NULL, NULL), ERR_INVALID);
        if (!strstr(f->err.text, wrong[i].says))
            fail_msg("%s does not say %s", f->err.text, wrong[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_closed_gate_refuses_the_cart_and_says_why),
        TEST(what_is_hidden_costs_and_counts_nothing),
        TEST(a_cart_of_nothing_but_hidden_lines_costs_nothing),
        TEST(gates_are_asked_about_the_whole_cart_and_before_any_price),
        TEST(of_several_gates_priority_and_then_the_id_decide_which_speaks),
        TEST(outside_of_its_window_and_stopped_it_stands_open),
        TEST(a_code_can_open_it_and_is_used_by_that),
        TEST(functions_decide_and_one_that_fails_closes),
        TEST(gates_see_list_prices_even_when_evidence_is_priced_again),
        TEST(what_is_hidden_is_not_taxed_and_no_rule_sees_it),
        TEST(mistakes_are_found_when_the_rules_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
