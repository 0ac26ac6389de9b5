#include "quote/fixture.h"

/* --- where a reason lies ----------------------------------------------------------------------------------------------- */

static const char *told(struct fixture *f, const char *cart, const struct quote_telling *how)
{
    struct buf b;
    struct json_writer w;
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    quote_result_write(f->rules, &f->result, how, &w);
    json_object_end(&w);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

static void place_is(struct fixture *f, const char *campaign, const char *reason, const char *at)
{
    char spec[1024], wanted[256];
    snprintf(spec, sizeof spec, "[{'id': 'x', %s}]", campaign);
    fixture_rules(f, spec);
    const char *text = told(f, "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 2}]}", &(struct quote_telling){ .full = true });
    snprintf(wanted, sizeof wanted, "\"code\":\"%s", reason);
    if (!strstr(text, wanted))
        fail_msg("no %s in %s", wanted, text);
    snprintf(wanted, sizeof wanted, "\"at\":\"%s\"", at);
    if (at[0] ? !strstr(text, wanted) : strstr(text, "\"at\"") != NULL)
        fail_msg("%s: not %s in %s", campaign, at, text);
}

static void the_place_of_a_reason_is_told(void **state)
{
    struct fixture *f = *state;
    static const char give[] = "'give': {'percent_off': {'percent': 10}}";
    const struct {
        const char *when, *reason, *at;
    } cases[] = {
        { "'when': {'qty': {'at_least': 3}}", "qty_below", "when.qty" },
        { "'when': [{'qty': {'at_least': 1}}, {'subtotal': {'at_least': '90.00'}}]", "subtotal_below", "when[2].subtotal" },
        { "'when': {'qty': {'at_least': 1}, 'coupon': 'X'}", "code_missing", "when.coupon" },
        { "'when': [{'sku': 'A'}, {'any': [{'sku': 'B'}, {'qty': {'at_least': 9}}]}]", "not_in_cart", "when[2].any[1].sku" },
        { "'when': {'any': [{'all': [{'sku': 'A'}, {'channel': 'pos', 'qty': {'at_least': 1}}]}, {'sku': 'C'}]}", "channel_differs",
          "when.any[1].all[2].channel" },
        { "'when': {'none': [{'sku': 'B'}, {'sku': 'A'}]}", "excluded", "when.none[2].sku" },
        { "'scope': {'sku': 'Z'}", "no_lines", "" },
        { "'window': {'from': '2099-01-01 00:00'}", "not_yet", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char campaign[512];
        snprintf(campaign, sizeof campaign, "%s, %s", cases[i].when, give);
        place_is(f, campaign, cases[i].reason, cases[i].at);
    }
    place_is(f, "'give': {'buy_get': {'buy': 2, 'get': 1}}", "qty_below", "give");
    place_is(f, "'give': [{'buy_get': {'buy': 2, 'get': 1}}, {'amount_off': {'amount': '1.00', 'every': '90.00'}}]", "subtotal_below",
             "give[2]");
    place_is(f, "'give': [{'amount_off': {'amount': '1.00', 'every': '90.00'}}, {'free_shipping': {}}]", "no_shipping\"}", "");
}

static void what_was_taken_is_told_by_line(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'buy_get': {'buy': 2, 'get': 1}}}, {'id': 'y', 'give': {'amount_off': {'amount': '3.00'}}}]");
    const char *text =
        told(f, "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 2}, {'sku': 'B', 'price': 500}]}", &(struct quote_telling){ .full = true });
    assert_non_null(strstr(text, "\"id\":\"x\",\"title\":\"x\",\"applied\":true,\"amount\":500,\"lines\":[{\"line\":1,\"amount\":500,"
                                 "\"units\":1}]"));
    assert_non_null(strstr(text, "\"id\":\"y\",\"title\":\"y\",\"applied\":true,\"amount\":300,\"lines\":[{\"line\":0,\"amount\":300}]"));
    assert_null(strstr(told(f, "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 2}]}", &(struct quote_telling){ 0 }), "\"line\":"));
}

static void one_campaign_can_be_asked_about(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'a', 'scope': {'sku': 'Z'}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'b', 'scope': {'sku': 'Y'}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'c', 'scope': {'sku': 'A'}, 'give': {'percent_off': {'percent': 10}}}]");
    for (int i = 0; i < 3; i++) {
        uint32_t asked;
        const char *ids[] = { "a", "b", "c" };
        assert_true(quote_campaign_find(f->rules, slice_str(ids[i]), &asked));
        struct quote_cart *cart = fixture_cart(f, "{'lines': [{'sku': 'A', 'price': 1000}]}");
        cart->explain_all = false;
        cart->explain_one = asked + 1;
        arena_reset(&f->run);
        assert_int_equal(quote_price(f->rules, cart, &f->hooks, &f->run, &f->result, &f->err), 0);
        assert_int_equal(f->result.total_minor, 900);
        assert_int_equal(f->result.outcome_count, i == 2 ? 1 : 2);
        assert_string_equal(fixture_reason(f, ids[i]), i == 2 ? "applied" : "no_lines");
    }
}

/* So many for another SKU, then the others, whose ids come later. */
static void many_and(struct fixture *f, int many, const char *others)
{
    struct buf b;
    buf_init(&b, NULL);
    buf_add_char(&b, '[');
    for (int i = 0; i < many; i++) {
        char one[200];
        snprintf(one, sizeof one, "%s{'id': 'n%05d', 'scope': {'sku': 'Z'}, 'give': {'percent_off': {'percent': 10}}}", i ? "," : "", i);
        buf_add_str(&b, one);
    }
    buf_add_str(&b, others);
    buf_add_char(&b, '\0');
    fixture_rules(f, b.data);
    buf_release(&b);
}

static void very_many_are_left_out_and_counted(void **state)
{
    struct fixture *f = *state;
    many_and(f, QUOTE_TOLD_MAX + 50, ", {'id': 'z', 'when': {'qty': {'at_least': 5}}, 'give': {'percent_off': {'percent': 10}}}]");
    const char *text = told(f, "{'lines': [{'sku': 'A', 'price': 1000}]}", &(struct quote_telling){ .full = true });
    assert_non_null(strstr(text, "\"campaigns_left_out\":51"));
    assert_non_null(strstr(text, "\"id\":\"z\"")); /* it has to do with the cart, so it is not left out */
    assert_null(strstr(told(f, "{'lines': [{'sku': 'A', 'price': 1000}]}", &(struct quote_telling){ 0 }), "left_out"));
}

static void of_more_than_can_be_looked_at_those_near_the_cart_are(void **state)
{
    struct fixture *f = *state;
    const char *cart = "{'lines': [{'sku': 'A', 'price': 1000}], 'codes': ['LATE']}";
    many_and(f, QUOTE_EXPLAINED_MAX + 500,
             ", {'id': 'p', 'codes': ['LATE'], 'window': {'to': '2011-01-01'}, 'give': {'amount_off': {'amount': '1.00'}}}"
             ", {'id': 'q', 'scope': {'sku': 'A'}, 'when': {'subtotal': {'at_least': '999.00'}}, 'give': {'percent_off': {'percent': 1}}}"
             ", {'id': 'r', 'scope': {'sku': 'A'}, 'give': {'percent_off': {'percent': 10}}}"
             ", {'id': 's', 'scope': {'sku': 'Y'}, 'give': {'percent_off': {'percent': 10}}}]");
    const char *text = told(f, cart, &(struct quote_telling){ .full = true });
    assert_string_equal(fixture_reason(f, "p"), "over"); /* its code was typed; told of are those that are nearer */
    assert_non_null(strstr(text, "\"id\":\"q\",\"title\":\"q\",\"applied\":false,\"reason\":{\"code\":\"subtotal_below\""));
    assert_non_null(strstr(text, "\"id\":\"r\",\"title\":\"r\",\"applied\":true"));
    assert_null(strstr(text, "\"id\":\"s\""));
    assert_non_null(strstr(text, "\"total\":900"));
    assert_non_null(strstr(text, "\"campaigns_not_looked_at\":504")); /* of 10,504 */
    assert_non_null(strstr(text, "\"campaigns_left_out\":9503"));     /* one applied, 1000 are told */
    assert_int_equal(f->result.outcome_count, QUOTE_EXPLAINED_MAX);
    text = told(f, cart, &(struct quote_telling){ 0 });
    assert_non_null(strstr(text, "\"total\":900"));
    assert_null(strstr(text, "not_looked_at"));
}

/* --- what functions took ------------------------------------------------------------------------------------------------ */

struct meter {
    uint64_t ns, fuel;
};

static int works(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct meter *m = ctx;
    (void)fn;
    m->ns += 500;
    m->fuel += 7;
    return quote_eval_line_discount(e, 0, 5, 0, slice_str(""), err);
}

static void reads(void *ctx, uint64_t *ns, uint64_t *fuel)
{
    const struct meter *m = ctx;
    *ns = m->ns;
    *fuel = m->fuel;
}

static void what_functions_took_is_told(void **state)
{
    struct fixture *f = *state;
    struct meter m = { 1000, 1000 };
    fixture_rules(f, "[{'id': 'x', 'give': [{'fn': 1}, {'fn': 2}]}, {'id': 'y', 'give': {'percent_off': {'percent': 1}}}]");
    f->hooks = (struct quote_hooks){ .ctx = &m, .action = works, .spent = reads };
    const char *text = told(f, "{'lines': [{'sku': 'A', 'price': 1000}]}", &(struct quote_telling){ .full = true });
    const char *first = strstr(text, "\"functions\":{\"calls\":2,\"ns\":1000,\"fuel\":14}");
    assert_non_null(first);
    assert_null(strstr(first + 1, "\"functions\""));
}

/* --- sentences ---------------------------------------------------------------------------------------------------------- */

static const struct quote_words *words(struct fixture *f, const char *text)
{
    struct quote_words *w;
    assert_int_equal(quote_words_read(fixture_json(&f->arena, text), &f->arena, &w, &f->err), 0);
    return w;
}

static const char *said(struct fixture *f, const struct quote_words *w, const char *code, struct quote_param *p, size_t n)
{
    struct quote_voice voice = { .words = w, .zone = f->zone, .currency = { "CNY", 2 } };
    struct buf b;
    buf_init(&b, NULL);
    for (size_t i = 0; i + 1 < n; i++)
        p[i].next = &p[i + 1];
    const char *text = quote_reason_say(&voice, code, n ? p : NULL, &b) ? arena_strdup(&f->arena, buf_slice(&b)) : NULL;
    buf_release(&b);
    return text;
}

#define SAID(...) said(f, w, __VA_ARGS__)
#define P(NAME, KIND, ...)                                                                                                                 \
    {                                                                                                                                      \
        .name = NAME, .kind = QUOTE_PARAM_##KIND, __VA_ARGS__                                                                              \
    }

static void sentences_have_their_values_in_the_form_of_the_language(void **state)
{
    struct fixture *f = *state;
    const struct quote_words *w = words(
        f, "{'group': '.', 'decimal': ',', 'money': {'CNY': 'Y {n}', '*': '{n} {code}'}, 'time': '{day}/{month}/{year} {hour}h{minute}',"
           " 'yes': 'ja', 'no': 'nein', 'offers': {}, 'codes': {}, 'reasons': {'m': '<{x}>', 'two': ['{a} and {b}', 'only {a}', 'none'], "
           "'plain': 'P',"
           " 'lost': 'generic', 'lost/alone': 'alone to {to}'}}");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", MONEY, .number = 123456789) }, 1), "<Y 1.234.567,89>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", MONEY, .number = -12345) }, 1), "<Y -123,45>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", MONEY, .number = -100000) }, 1), "<Y -1.000,00>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", INT, .number = 1000) }, 1), "<1.000>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", INT, .number = 0) }, 1), "<0>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", PERCENT, .number = 125000) }, 1), "<12,5%>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", PERCENT, .number = 1000000) }, 1), "<100%>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", MINUTE, .number = 1265) }, 1), "<21:05>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", BOOL, .number = 1) }, 1), "<ja>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", TEXT, .text = SLICE_LIT("{x}")) }, 1), "<{x}>");
    assert_string_equal(SAID("m", (struct quote_param[]){ P("x", TIME, .number = 1763568000000) }, 1), "<20/11/2025 00h00>");
    struct quote_param both[] = { P("a", INT, .number = 1), P("b", INT, .number = 2) };
    assert_string_equal(SAID("two", both, 2), "1 and 2");
    assert_string_equal(SAID("two", (struct quote_param[]){ P("a", INT, .number = 1) }, 1), "only 1");
    assert_string_equal(SAID("two", NULL, 0), "none");
    struct quote_param lost[] = { P("to", TEXT, .text = SLICE_LIT("z")), P("by", TEXT, .text = SLICE_LIT("alone")) };
    assert_string_equal(SAID("lost", lost, 2), "alone to z");
    assert_string_equal(SAID("lost", (struct quote_param[]){ P("by", TEXT, .text = SLICE_LIT("lane")) }, 1), "generic");
    assert_null(SAID("m", NULL, 0));
    assert_null(SAID("unknown", NULL, 0));
}

static void a_file_without_its_parts_is_refused(void **state)
{
    struct fixture *f = *state;
    struct quote_words *w;
    assert_int_equal(quote_words_read(fixture_json(&f->arena, "{'reasons': {}, 'offers': {}}"), &f->arena, &w, &f->err), ERR_INVALID);
}

static void the_text_stands_beside_the_code(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'when': {'subtotal': {'at_least': '50.00'}}, 'give': {'percent_off': {'percent': 10}}}]");
    const struct quote_words *w = words(
        f, "{'group': ',', 'decimal': '.', 'money': {'*': '{n} {code}'}, 'time': '', 'yes': 'y', 'no': 'n', 'offers': {}, 'codes': {},"
           " 'reasons': {'subtotal_below': '{seen} of {needed}'}}");
    struct quote_telling how = { .full = true, .voice = { .words = w, .zone = f->zone, .currency = { "CNY", 2 } } };
    assert_non_null(strstr(told(f, "{'lines': [{'sku': 'A', 'price': 1000}]}", &how),
                           "\"needed\":5000,\"seen\":1000,\"text\":\"10.00 CNY of 50.00 CNY\"}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_place_of_a_reason_is_told),
        TEST(what_was_taken_is_told_by_line),
        TEST(one_campaign_can_be_asked_about),
        TEST(very_many_are_left_out_and_counted),
        TEST(of_more_than_can_be_looked_at_those_near_the_cart_are),
        TEST(what_functions_took_is_told),
        TEST(sentences_have_their_values_in_the_form_of_the_language),
        TEST(a_file_without_its_parts_is_refused),
        TEST(the_text_stands_beside_the_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
