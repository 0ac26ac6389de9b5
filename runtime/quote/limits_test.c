/* What limits of campaigns and gates do to a quote; what was used is played by a table of balances. */
#include "quote/fixture.h"

struct books {
    const char *account[6];
    int64_t balance[6]; /* as in the ledger: -3 is three used */
    int asked;
};

static bool left(void *ctx, struct slice account, int64_t *out)
{
    struct books *b = ctx;
    b->asked++;
    for (int i = 0; i < 6 && b->account[i]; i++)
        if (slice_is(account, b->account[i])) {
            *out = b->balance[i];
            return true;
        }
    return false;
}

static int try_with(struct fixture *f, struct books *b, const char *cart)
{
    fixture_cart(f, cart);
    const struct quote_hooks hooks = { .ctx = b, .left = left };
    return quote_price(f->rules, &f->cart, &hooks, &f->arena, &f->result, &f->err);
}

static int64_t discount(struct fixture *f, struct books *b, const char *cart)
{
    if (try_with(f, b, cart) < 0)
        fail_msg("%s", f->err.text);
    return f->result.discount_minor;
}

static const struct quote_take *take(struct fixture *f, const char *account)
{
    for (size_t i = 0; i < f->result.take_count; i++)
        if (slice_is(f->result.takes[i].account, account))
            return &f->result.takes[i];
    return NULL;
}

static void takes(struct fixture *f, const char *account, int64_t amount)
{
    const struct quote_take *t = take(f, account);
    if (!t)
        fail_msg("nothing is taken from %s", account);
    assert_int_equal(t->amount, amount);
}

#define LINE            "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}]}"
#define LINE_OF         "{'customer': 'ann', 'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}]}"
#define TEN_OFF         "'give': {'percent_off': {'percent': 10}}"
#define LIMITED(limits) "[{'id': 'a', " TEN_OFF ", 'limits': " limits "}]"

static void the_last_use_is_given_and_then_none(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/uses" }, { -4 }, 0 };
    fixture_rules(f, LIMITED("{'uses': 5}"));
    assert_int_equal(discount(f, &b, LINE), 300);
    assert_int_equal(f->result.take_count, 1);
    takes(f, "campaign/a/uses", 1);
    assert_int_equal(take(f, "campaign/a/uses")->max, 5);
    b.balance[0] = -5;
    assert_int_equal(discount(f, &b, LINE), 0);
    assert_string_equal(fixture_reason(f, "a"), "limit_used_up");
    assert_true(slice_is(fixture_find_param(f, "a", "limit")->text, "uses"));
    assert_int_equal(f->result.take_count, 0);
    b.balance[0] = -50; /* it was lowered */
    assert_int_equal(discount(f, &b, LINE), 0);
    b.account[0] = NULL; /* never used */
    assert_int_equal(discount(f, &b, LINE), 300);
}

static void of_units_the_earlier_lines_get_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/units" }, { -96 }, 0 };
    fixture_rules(f, LIMITED("{'units': 100}"));
    const char *two = "{'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}, {'sku': 'B', 'price': 500, 'qty': 2}]}";
    assert_int_equal(discount(f, &b, two), 350); /* three at 1.00 off, one of two at 0.50 */
    assert_int_equal(f->cart.lines[1].total_minor, 950);
    takes(f, "campaign/a/units", 4);
    b.balance[0] = -98;
    assert_int_equal(discount(f, &b, two), 200);
    assert_int_equal(f->cart.lines[1].total_minor, 1000);
    takes(f, "campaign/a/units", 2);
}

static void a_budget_is_used_to_its_end_or_left(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/budget" }, { -9800 }, 0 };
    fixture_rules(f, LIMITED("{'budget': '100.00'}"));
    assert_int_equal(discount(f, &b, LINE), 200);
    takes(f, "campaign/a/budget", 200);
    fixture_rules(f, LIMITED("{'budget': '100.00', 'partial_budget': 'skip'}"));
    assert_int_equal(discount(f, &b, LINE), 0);
    assert_string_equal(fixture_reason(f, "a"), "limit_used_up");
    assert_int_equal(fixture_param(f, "a", "needed"), 300);
    assert_int_equal(fixture_param(f, "a", "left"), 200);
    assert_int_equal(f->cart.lines[0].total_minor, 3000);
    b.balance[0] = -9700;
    assert_int_equal(discount(f, &b, LINE), 300);
}

static void free_shipping_counts_on_the_budget(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/budget" }, { -9700 }, 0 };
    const char *cart = "{'option': 'post', 'lines': [{'sku': 'A', 'price': 1000}]}";
    assert_int_equal(fixture_build(f, "[{'id': 'a', 'give': {'free_shipping': {}}, 'limits': {'budget': '100.00'}}]", NULL,
                                   "[{'id': 'post', 'title': 'Post', 'rates': [{'price': '5.00'}]}]"),
                     0);
    discount(f, &b, cart);
    assert_int_equal(f->result.shipping_discount_minor, 300);
    takes(f, "campaign/a/budget", 300);
    b.balance[0] = -10000;
    discount(f, &b, cart);
    assert_int_equal(f->result.shipping_discount_minor, 0);
    assert_string_equal(fixture_reason(f, "a"), "limit_used_up");
}

static void a_customer_has_his_own_and_a_guest_has_none(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/uses/bob" }, { -1 }, 0 };
    fixture_rules(f, LIMITED("{'per_customer': 1}"));
    assert_int_equal(discount(f, &b, LINE_OF), 300);
    takes(f, "campaign/a/uses/ann", 1);
    assert_true(take(f, "campaign/a/uses/ann")->of_customer);
    b.account[0] = "campaign/a/uses/ann";
    assert_int_equal(discount(f, &b, LINE_OF), 0);
    assert_string_equal(fixture_reason(f, "a"), "customer_limit_reached");
    assert_int_equal(discount(f, &b, LINE), 0);
    assert_string_equal(fixture_reason(f, "a"), "sign_in");
    assert_true(slice_is(fixture_find_param(f, "a", "limit")->text, "per_customer"));
}

/* 2026-11-19T16:30Z is half past midnight of the 20th in Shanghai, a Friday. */
static void periods_begin_at_midnight_of_the_shop(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a~2/uses@2026-11-19" }, { -2 }, 0 };
    fixture_rules(f, LIMITED("{'uses': [{'max': 2, 'per': 'day'}, {'max': 9, 'per': 'week'}, {'max': 9, 'per': 'month'},"
                             " {'max': 9, 'per': 'year'}, 9], 'round': '2'}"));
    assert_int_equal(discount(f, &b, "{'at': 1795105800000, 'lines': [{'sku': 'A', 'price': 1000}]}"), 100);
    takes(f, "campaign/a~2/uses@2026-11-20", 1);
    takes(f, "campaign/a~2/uses@w2026-11-16", 1);
    takes(f, "campaign/a~2/uses@2026-11", 1);
    takes(f, "campaign/a~2/uses@2026", 1);
    takes(f, "campaign/a~2/uses", 1);
    assert_int_equal(discount(f, &b, "{'at': 1795103999999, 'lines': [{'sku': 'A', 'price': 1000}]}"), 0);
    assert_string_equal(fixture_reason(f, "a"), "limit_used_up");
}

static void what_takes_nothing_off_uses_nothing(void **state)
{
    struct fixture *f = *state;
    struct books b = { 0 };
    fixture_rules(f, "[{'id': 'all', 'priority': 9, 'give': {'percent_off': {'percent': 100}}},"
                     " {'id': 'a', " TEN_OFF ", 'limits': {'uses': 5, 'budget': '10.00'}, 'pay_within': '5m'}]");
    assert_int_equal(discount(f, &b, LINE), 3000);
    assert_int_equal(f->result.take_count, 0);
    assert_int_equal(f->result.pay_within_ms, 0);
    fixture_rules(f, "[{'id': 'a', " TEN_OFF ", 'pay_within': '5m'}, {'id': 'b', " TEN_OFF ", 'pay_within': '2m'}]");
    discount(f, &b, LINE);
    assert_int_equal(f->result.pay_within_ms, 120000);
}

/* Who is out of its window, or has no line here, is not asked about. */
static void only_candidates_are_looked_up_once_and_kept_as_evidence(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/uses" }, { -1 }, 0 };
    fixture_rules(f, "[{'id': 'a', " TEN_OFF ", 'limits': {'uses': 5}, 'alone': true},"
                     " {'id': 'b', 'scope': {'sku': 'B'}, " TEN_OFF ", 'limits': {'uses': 5}},"
                     " {'id': 'c', 'window': {'to': '2001-01-01 00:00'}, " TEN_OFF ", 'limits': {'uses': 5}}]");
    assert_int_equal(discount(f, &b, LINE), 300);
    assert_int_equal(b.asked, 1);
    assert_int_equal(f->cart.left_count, 1);
    const struct quote_left was[] = { { SLICE_LIT("campaign/a/uses"), true, -5 } };
    fixture_cart(f, LINE);
    f->cart.left = was;
    f->cart.left_count = 1;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->arena, &f->result, &f->err), 0);
    assert_int_equal(f->result.discount_minor, 0);
}

static void the_cheapest_set_knows_what_is_left(void **state)
{
    struct fixture *f = *state;
    struct books b = { { "campaign/a/budget" }, { -9900 }, 0 };
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'a', 'group': 'g', 'give': {'percent_off': {'percent': 50}}, 'limits': {'budget': '100.00'}},"
                                   " {'id': 'b', 'group': 'g', " TEN_OFF "}]",
                                   "{'stacking': 'best'}", NULL),
                     0);
    assert_int_equal(discount(f, &b, LINE), 300); /* b: of a only 1.00 is left */
    assert_int_equal(f->result.take_count, 0);
    b.balance[0] = 0;
    assert_int_equal(discount(f, &b, LINE), 1500);
}

static void the_cheapest_set_knows_what_is_left_for_shipping(void **state)
{
    static const char *const stages[] = { "shipping", "item" };
    struct fixture *f = *state;
    for (size_t i = 0; i < 2; i++) {
        struct books b = { { "campaign/a/budget" }, { -9900 }, 0 };
        char rules[400];
        snprintf(rules, sizeof rules,
                 "[{'id': 'a', 'group': 'g', 'stage': '%s', 'give': {'free_shipping': {}}, 'limits': {'budget': '100.00'}},"
                 " {'id': 'b', 'group': 'g', " TEN_OFF "}]",
                 stages[i]);
        const char *shipping = "[{'id': 'post', 'title': 'Post', 'rates': [{'price': '5.00'}]}]";
        const char *cart = "{'option': 'post', 'lines': [{'sku': 'A', 'price': 1000, 'qty': 3}]}";
        assert_int_equal(fixture_build(f, rules, "{'stacking': 'best'}", shipping), 0);
        assert_int_equal(discount(f, &b, cart), 300); /* of a only 1.00 is left */
        assert_int_equal(f->result.shipping_discount_minor, 0);
        b.balance[0] = -9500;
        assert_int_equal(discount(f, &b, cart), 0);
        assert_int_equal(f->result.shipping_discount_minor, 500);
    }
}

#define PURCHASE "[{'gate': true, 'id': 'one', 'scope': {'sku': 'A'}, 'limits': {'units_per_customer': 3}, 'reason': 'Three each.'}]"

static void a_purchase_limit_refuses_as_a_gate_does(void **state)
{
    struct fixture *f = *state;
    struct books b = { 0 };
    fixture_rules(f, PURCHASE);
    assert_int_equal(try_with(f, &b, LINE_OF), 0);
    takes(f, "campaign/one/units/ann", 3);
    b.account[0] = "campaign/one/units/ann";
    b.balance[0] = -1;
    assert_int_equal(try_with(f, &b, LINE_OF), ERR_INVALID);
    assert_string_equal(f->err.reason, "gate_closed");
    assert_string_equal(f->result.refused_by->reason, "customer_limit_reached");
    assert_int_equal(try_with(f, &b, LINE), ERR_INVALID);
    assert_string_equal(f->result.refused_by->reason, "sign_in");
    assert_int_equal(try_with(f, &b, "{'lines': [{'sku': 'B', 'price': 1000}]}"), 0);
    assert_int_equal(f->result.take_count, 0);
}

static void what_is_kept_after_an_order_is_said_of_each_take(void **state)
{
    struct fixture *f = *state;
    struct books b = { 0 };
    static const struct {
        const char *words;
        bool kept, kept_when_cancelled;
    } cases[] = {
        { "", false, false },
        { ", 'after_refund': 'keep', 'after_cancel': 'give_back'", true, false },
        { ", 'after_cancel': 'keep'", false, true },
        { ", 'after_refund': 'keep', 'after_cancel': 'keep'", true, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "[{'id': 'a', " TEN_OFF ", 'limits': {'uses': 5%s}}]", cases[i].words);
        fixture_rules(f, text);
        assert_int_equal(try_with(f, &b, LINE), 0);
        assert_int_equal(f->result.take_count, 1);
        assert_int_equal(f->result.takes[0].kept, cases[i].kept);
        assert_int_equal(f->result.takes[0].kept_when_cancelled, cases[i].kept_when_cancelled);
    }
}

static void mistakes_are_found_when_they_are_loaded(void **state)
{
    static const struct {
        const char *rules, *says;
    } cases[] = {
        { LIMITED("{}"), "limits nothing" },
        { LIMITED("{'use': 5}"), "did you mean" },
        { LIMITED("{'uses': -1}"), "limits.uses" },
        { LIMITED("{'budget': 100}"), "limits.budget" },
        { LIMITED("{'uses': {'max': 5, 'per': 'dya'}}"), "day" },
        { LIMITED("{'uses': {'per': 'day'}}"), "limits.uses.max: is missing" },
        { LIMITED("{'uses': [5, 6]}"), "one for that period already" },
        { LIMITED("{'uses': 5, 'round': 'a/b'}"), "limits.round" },
        { LIMITED("{'uses': 5, 'after_cancel': 'kept'}"), "limits.after_cancel" },
        { "[{'id': 'a', " TEN_OFF ", 'pay_within': 'soon'}]", "pay_within: \"soon\" is no time" },
        { "[{'gate': true, 'id': 'a', 'reason': 'No.', 'limits': {'uses': 5}}]", "a purchase limit is of units" },
        { "[{'gate': true, 'id': 'a', 'reason': 'No.'}]", "when: is missing" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(fixture_build(f, cases[i].rules, NULL, NULL), ERR_INVALID);
        if (!strstr(f->err.text, cases[i].says))
            fail_msg("%s does not say: %s", f->err.text, cases[i].says);
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(the_last_use_is_given_and_then_none),         CASE(of_units_the_earlier_lines_get_what_is_left),
        CASE(a_budget_is_used_to_its_end_or_left),         CASE(free_shipping_counts_on_the_budget),
        CASE(a_customer_has_his_own_and_a_guest_has_none), CASE(periods_begin_at_midnight_of_the_shop),
        CASE(what_takes_nothing_off_uses_nothing),         CASE(only_candidates_are_looked_up_once_and_kept_as_evidence),
        CASE(the_cheapest_set_knows_what_is_left),         CASE(the_cheapest_set_knows_what_is_left_for_shipping),
        CASE(a_purchase_limit_refuses_as_a_gate_does),     CASE(what_is_kept_after_an_order_is_said_of_each_take),
        CASE(mistakes_are_found_when_they_are_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
