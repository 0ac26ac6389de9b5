#include "quote/fixture.h"

#define CART(x)  "{'lines': [{'sku': 'A', 'price': 1000}]" x "}"
#define KNOWN(x) CART(", 'customer': 'cus_1', 'facts': {" x "}")
#define DAY_MS   86400000LL

static void build(struct fixture *f, const char *when)
{
    char text[1000];
    snprintf(text, sizeof text, "[{'id': 'x', 'when': %s, 'give': {'percent_off': {'percent': 10}}}]", when);
    fixture_rules(f, text);
}

static void is(struct fixture *f, const char *when, const char *cart, const char *reason)
{
    build(f, when);
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(fixture_reason(f, "x"), reason);
    assert_int_equal(f->result.discount_minor, strcmp(reason, "applied") == 0 ? 100 : 0);
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

static void the_number_of_an_order_is_one_more_than_those_before(void **state)
{
    struct fixture *f = *state;
    is(f, "{'first_order': {}}", KNOWN("'orders': 0"), "applied");
    is(f, "{'first_order': {}}", KNOWN("'orders': 1"), "not_first_order");
    assert_int_equal(fixture_param(f, "x", "seen"), 2);
    is(f, "{'nth_order': {'n': 5}}", KNOWN("'orders': 4"), "applied");
    is(f, "{'nth_order': {'n': 5}}", KNOWN("'orders': 5"), "order_number_differs");
    assert_int_equal(fixture_param(f, "x", "needed"), 5);
    assert_int_equal(fixture_param(f, "x", "seen"), 6);
    is(f, "{'nth_order': {'n': 5}}", KNOWN("'orders': 3"), "order_number_differs");
    is(f, "{'nth_order': {'n': 1}}", KNOWN("'orders': 0"), "applied");
    is(f, "{'nth_order': {'every': 5}}", KNOWN("'orders': 4"), "applied");
    is(f, "{'nth_order': {'every': 5}}", KNOWN("'orders': 9"), "applied");
    is(f, "{'nth_order': {'every': 5}}", KNOWN("'orders': 0"), "order_number_not_every");
    assert_int_equal(fixture_param(f, "x", "needed"), 5);
    assert_int_equal(fixture_param(f, "x", "seen"), 1);
}

static void a_customer_is_new_for_a_time_or_until_the_first_order(void **state)
{
    struct fixture *f = *state;
    char cart[200];
    const int64_t at = 1750000000000, thirty = 30 * DAY_MS;
    is(f, "{'new_customer': {}}", KNOWN("'orders': 0"), "applied");
    is(f, "{'new_customer': {}}", KNOWN("'orders': 3"), "not_first_order");
    assert_int_equal(fixture_param(f, "x", "seen"), 4);
    snprintf(cart, sizeof cart, KNOWN("'since': %lld"), (long long)(at - thirty));
    is(f, "{'new_customer': {'within': '30d'}}", cart, "applied");
    snprintf(cart, sizeof cart, KNOWN("'since': %lld"), (long long)(at - thirty - 1));
    is(f, "{'new_customer': {'within': '30d'}}", cart, "customer_not_new");
    assert_int_equal(fixture_param(f, "x", "needed"), at - thirty);
    assert_int_equal(fixture_param(f, "x", "seen"), at - thirty - 1);
}

/* The answer to the one question of these rules. */
static const struct quote_question *question(struct fixture *f)
{
    size_t n;
    const struct quote_question *q = quote_rules_questions(f->rules, false, &n);
    assert_int_equal(n, 1);
    return q;
}

static void answered(struct fixture *f, int64_t answer, const char *reason)
{
    arena_reset(&f->run);
    struct quote_cart *c = fixture_cart(f, KNOWN(""));
    struct quote_fact fact = { .name = question(f)->fact, .kind = QUOTE_FACT_INT, .number = answer, .text = { "", 0 } };
    c->facts = &fact;
    c->fact_count = 1;
    assert_int_equal(quote_price(f->rules, c, NULL, &f->run, &f->result, &f->err), 0);
    assert_string_equal(fixture_reason(f, "x"), reason);
}

static void what_was_bought_counts_by_units_or_by_what_was_paid(void **state)
{
    struct fixture *f = *state;
    build(f, "{'bought': {'sku': 'A'}}");
    assert_int_equal(question(f)->kind, QUOTE_ASKS_UNITS);
    assert_int_equal(question(f)->within_ms, 0);
    answered(f, 1, "applied");
    answered(f, 0, "bought_below");
    assert_int_equal(fixture_param(f, "x", "needed"), 1);
    build(f, "{'bought': {'category': 'tea', 'at_least': '500.00', 'within': '90d'}}");
    assert_int_equal(question(f)->kind, QUOTE_ASKS_SPENT);
    assert_int_equal(question(f)->within_ms, 90 * DAY_MS);
    answered(f, 50000, "applied");
    answered(f, 49999, "bought_below");
    assert_int_equal(fixture_find_param(f, "x", "seen")->kind, QUOTE_PARAM_MONEY);
    assert_int_equal(fixture_param(f, "x", "seen"), 49999);
    assert_int_equal(fixture_param(f, "x", "needed"), 50000);
}

static void a_question_counts_products_by_all_that_it_says(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *bought;
        bool counts[3];
    } cases[] = {
        { "{}", { true, true, true } },
        { "{'sku': ['A', 'B']}", { true, true, false } },
        { "{'category': 'tea'}", { true, true, false } },
        { "{'category': 'tea', 'tag': 'new'}", { true, false, false } },
        { "{'of': {'none': [{'tag': 'new'}]}}", { false, true, true } },
        { "{'brand': 'north', 'of': {'category': 'tea/green'}}", { false, true, false } },
    };
    const struct quote_cart *c = fixture_cart(
        f, "{'lines': [{'sku': 'A', 'category': 'tea/green', 'tags': ['new']}, {'sku': 'B', 'category': 'tea/green', 'brand': 'north'}, "
           "{'sku': 'C', 'brand': 'north'}]}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char when[200];
        snprintf(when, sizeof when, "{'bought': %s}", cases[i].bought);
        build(f, when);
        for (size_t k = 0; k < 3; k++)
            if (quote_question_counts(question(f), &c->lines[k].product) != cases[i].counts[k])
                fail_msg("%s and line %zu", cases[i].bought, k);
    }
}

/* However many campaigns ask it, and whatever answer each wants. */
static void a_question_is_asked_once(void **state)
{
    struct fixture *f = *state;
    size_t n;
    fixture_rules(f, "[{'id': 'a', 'when': {'bought': {'sku': 'A', 'at_least': 1}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'b', 'when': {'bought': {'sku': 'A', 'at_least': 9}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'c', 'when': {'bought': {'sku': 'B'}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'd', 'when': {'bought': {'sku': 'A', 'within': '1d'}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'e', 'when': {'bought': {'sku': 'A', 'at_least': '1.00'}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'f', 'when': {'bought': {'tag': 'A'}}, 'give': {'percent_off': {'percent': 10}}},"
                     " {'id': 'g', 'when': [{'first_order': {}}, {'nth_order': {'n': 3}}], 'give': {'percent_off': {'percent': 10}}}]");
    quote_rules_questions(f->rules, false, &n);
    assert_int_equal(n, 6);
    quote_rules_questions(f->rules, true, &n);
    assert_int_equal(n, 0);
    fixture_rules(f, "[{'id': 'a', 'give': {'percent_off': {'percent': 10}}}]");
    quote_rules_questions(f->rules, false, &n);
    assert_int_equal(n, 0);
}

/* Nor one that is made of it by turning it round. */
static void a_guest_meets_none_of_them_and_is_asked_to_sign_in(void **state)
{
    struct fixture *f = *state;
    static const char *const whens[] = {
        "{'first_order': {}}",
        "{'nth_order': {'every': 2}}",
        "{'new_customer': {}}",
        "{'new_customer': {'within': '5d'}}",
        "{'bought': {'sku': 'A'}}",
        "{'none': [{'bought': {'sku': 'A'}}]}",
        "{'none': [{'all': [{'sku': 'nothing'}, {'first_order': {}}]}]}",
        "{'none': [{'none': [{'first_order': {}}]}]}",
    };
    for (size_t i = 0; i < sizeof whens / sizeof *whens; i++)
        is(f, whens[i], CART(", 'facts': {'orders': 0}"), "sign_in");
    is(f, "{'any': [{'first_order': {}}, {'sku': 'A'}]}", CART(""), "applied");
    is(f, "{'none': [{'sku': 'nothing'}]}", CART(""), "applied");
    build(f, "{'none': [{'bought': {'sku': 'A'}}]}");
    answered(f, 0, "applied");
    answered(f, 1, "excluded");
}

static void what_evidence_does_not_answer_is_said(void **state)
{
    struct fixture *f = *state;
    is(f, "{'first_order': {}}", KNOWN("'since': 5"), "fact_missing");
}

static void evidence_keeps_the_answers(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    struct json_value *v;
    struct quote_cart back;
    build(f, "[{'nth_order': {'n': 5}}, {'bought': {'sku': 'A'}}]");
    size_t n;
    const struct quote_question *q = quote_rules_questions(f->rules, false, &n);
    struct quote_fact facts[] = { { q[0].fact, QUOTE_FACT_INT, 4, { "", 0 } }, { q[1].fact, QUOTE_FACT_INT, 1, { "", 0 } } };
    struct quote_cart *c = fixture_cart(f, KNOWN(""));
    c->facts = facts;
    c->fact_count = 2;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, c, &b);
    assert_false(b.failed);
    assert_int_equal(json_parse(buf_slice(&b), NULL, &f->arena, &v, &f->err), 0);
    assert_int_equal(quote_evidence_read(f->symbols, v, &f->arena, &back, &f->err), 0);
    assert_int_equal(quote_price(f->rules, &back, NULL, &f->run, &f->result, &f->err), 0);
    assert_int_equal(f->result.discount_minor, 100);
    buf_release(&b);
}

static void mistakes_are_found_when_rules_are_built(void **state)
{
    struct fixture *f = *state;
    refused(f, "{'nth_order': {}}", "when.nth_order", "does not say which order; write n = 5");
    refused(f, "{'nth_order': {'n': 2, 'every': 2}}", "when.nth_order", "has both n and every");
    refused(f, "{'nth_order': {'n': 0}}", "when.nth_order.n", "");
    refused(f, "{'nth_order': {'every': 1}}", "when.nth_order.every", "");
    refused(f, "{'first_order': {'n': 1}}", "when.first_order", "unknown key");
    refused(f, "{'new_customer': {'within': 'soon'}}", "when.new_customer.within", "\"soon\" is no time");
    refused(f, "{'new_customer': {'within': '0d'}}", "when.new_customer.within", "is no time");
    refused(f, "{'bought': {'sku': 'A', 'at_least': 0}}", "when.bought.at_least", "");
    refused(f, "{'bought': {'sku': 'A', 'at_least': '0.00'}}", "when.bought.at_least", "");
    refused(f, "{'bought': {'skus': 'A'}}", "when.bought", "did you mean");
    refused(f, "{'bought': {'of': {}}}", "when.bought.of", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_number_of_an_order_is_one_more_than_those_before),
        TEST(a_customer_is_new_for_a_time_or_until_the_first_order),
        TEST(what_was_bought_counts_by_units_or_by_what_was_paid),
        TEST(a_question_counts_products_by_all_that_it_says),
        TEST(a_question_is_asked_once),
        TEST(a_guest_meets_none_of_them_and_is_asked_to_sign_in),
        TEST(what_evidence_does_not_answer_is_said),
        TEST(evidence_keeps_the_answers),
        TEST(mistakes_are_found_when_rules_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
