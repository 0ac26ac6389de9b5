/* Functions that give prices, shipping options and tax rates, played by C. */
#include "quote/fixture.h"

enum behaviour { GIVES, FAILS, FAILS_HALF_WAY, IS_SLOW, RUNS_OUT, TAKES_OFF };

struct player {
    enum behaviour how;
    int calls;
    int64_t gives;
    const char *id;
    int rc; /* what the kernel said to the last thing that was given */
};

static int finish(struct player *p, struct err *err)
{
    switch (p->how) {
    case FAILS_HALF_WAY:
        return err_set(err, ERR_SCRIPT, "rules.lua:3: no");
    case IS_SLOW:
        p->how = GIVES;
        return ERR_RETRY;
    case RUNS_OUT:
        return err_set(err, ERR_NOMEM, "out of memory");
    default:
        return p->rc;
    }
}

static int begin(struct player *p, struct quote_eval *e, struct err *err)
{
    p->calls++;
    if (p->how == TAKES_OFF)
        return quote_eval_amount_off(e, quote_eval_scope(e), 100, slice_str(""), err);
    return p->how == FAILS ? err_set(err, ERR_SCRIPT, "rules.lua:1: no") : 0;
}

static int pricing(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct player *p = ctx;
    int rc = begin(p, e, err);
    for (uint32_t i = 0; i < quote_eval_cart(e)->line_count && rc == 0; i++)
        if (quote_eval_may_propose(e, i))
            rc = p->rc = quote_eval_propose(e, i, p->gives + fn, err);
    return rc < 0 ? rc : finish(p, err);
}

static int shipping_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct player *p = ctx;
    int rc = begin(p, e, err);
    (void)fn;
    if (rc == 0)
        rc = p->rc = quote_eval_offer(e, slice_str(p->id), slice_str("By bike"), p->gives, err);
    return rc < 0 ? rc : finish(p, err);
}

static int tax_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct player *p = ctx;
    int rc = begin(p, e, err);
    for (uint32_t i = 0; i < quote_eval_cart(e)->line_count && rc == 0; i++)
        if (quote_eval_may_tax(e, i) && (fn == 1 || i == 0)) /* number 2 knows the first line only */
            rc = p->rc = quote_eval_tax(e, i, p->gives, err);
    return rc < 0 ? rc : finish(p, err);
}

static const struct quote_rule strict[] = { { .fn = 1, .name = "bike.rates" } };
static const struct quote_rule lenient[] = { { .fn = 1, .name = "bike.rates", .skip_on_failure = true } };
static const struct quote_rule two[] = { { .fn = 2, .name = "first.x" }, { .fn = 1, .name = "second.x" } };
#define ONE(rules) ((struct quote_rule_list){ rules, sizeof(rules) / sizeof *(rules) })

static void setup_rules(struct fixture *f, struct player *p, struct quote_rules_options o)
{
    f->hooks = (struct quote_hooks){ .ctx = p, .pricing = pricing, .shipping_rates = shipping_rates, .tax_rates = tax_rates };
    if (fixture_build_with(f, NULL, o) < 0)
        fail_msg("%s", f->err.text);
}

#define CART   "{'lines': [{'sku': 'A', 'price': 1000, 'g': 200, 'qty': 3}, {'sku': 'B', 'price': 500}]}"
#define CHOSEN "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'bike.city'}"

static void options_of_rules_are_listed_behind_the_table_s(void **state)
{
    struct fixture *f = *state;
    struct player p = { .gives = 700, .id = "city" };
    setup_rules(f, &p,
                (struct quote_rules_options){ .shipping_rates = ONE(strict),
                                              .shipping = fixture_json(&f->arena, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]") });
    assert_int_equal(fixture_try(f, CART), 0);
    assert_int_equal(f->result.shipping_choice_count, 2);
    assert_true(slice_is(f->result.shipping_choices[1].id, "bike.city"));
    assert_int_equal(f->result.shipping_choices[1].amount_minor, 700);
    assert_int_equal(fixture_try(f, CHOSEN), 0);
    assert_int_equal(f->result.total_minor, 1700);
    assert_true(slice_is(f->result.shipping_option, "bike.city"));
}

static void only_the_owner_of_the_chosen_option_is_asked(void **state)
{
    struct fixture *f = *state;
    struct player p = { .gives = 700, .id = "city" };
    setup_rules(f, &p, (struct quote_rules_options){ .shipping_rates = ONE(two) });
    assert_int_equal(fixture_try(f, CHOSEN), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "no shipping option \"bike.city\""));
    assert_int_equal(p.calls, 0);
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'second.city'}"), 0);
    assert_int_equal(p.calls, 1);
}

static void an_offer_that_makes_no_sense_fails_its_rule(void **state)
{
    struct fixture *f = *state;
    struct player p = { .gives = -1, .id = "city" };
    setup_rules(f, &p, (struct quote_rules_options){ .shipping_rates = ONE(strict) });
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "shipping rule bike.rates: a price can't be negative"));
    p = (struct player){ .gives = 1, .id = "" };
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    p = (struct player){ .gives = 1, .id = "\xff" };
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    setup_rules(f, &p,
                (struct quote_rules_options){ .shipping_rates = ONE(strict),
                                              .shipping = fixture_json(&f->arena, "[{'id': 'bike.city', 'rates': [{'price': '5.00'}]}]") });
    p = (struct player){ .gives = 1, .id = "city" };
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "\"bike.city\" already"));
}

/* Per kind: what the rule gives when it works, in the answer. */
static void failing_rules_refuse_or_are_left_out(struct fixture *f, struct quote_rules_options with_strict,
                                                 struct quote_rules_options with_lenient, const char *given)
{
    struct player p = { .gives = 50000, .id = "city" };
    setup_rules(f, &p, with_strict);
    assert_int_equal(fixture_try(f, CART), 0);
    assert_non_null(strstr(fixture_answer(f), given));
    for (int how = FAILS; how <= FAILS_HALF_WAY; how++) {
        p.how = (enum behaviour)how;
        setup_rules(f, &p, with_strict);
        assert_int_equal(fixture_try(f, CART), ERR_SCRIPT);
        assert_non_null(strstr(f->err.text, "rule bike.rates: rules.lua:"));
        setup_rules(f, &p, with_lenient);
        assert_int_equal(fixture_try(f, CART), 0);
        assert_null(strstr(fixture_answer(f), given));
    }
    p = (struct player){ .gives = 50000, .id = "city", .how = IS_SLOW };
    assert_int_equal(fixture_try(f, CART), 0);
    assert_int_equal(p.calls, 2);
    assert_non_null(strstr(fixture_answer(f), given)); /* once: an offer of the first run would be in the way */
    p.how = RUNS_OUT;                                  /* luck is no reason to leave a rule out */
    assert_int_equal(fixture_try(f, CART), ERR_NOMEM);
    p.how = TAKES_OFF;
    setup_rules(f, &p, with_strict);
    assert_int_equal(fixture_try(f, CART), ERR_STATE);
}

static void failing_pricing_rules_refuse_or_are_left_out(void **state)
{
    failing_rules_refuse_or_are_left_out(*state, (struct quote_rules_options){ .pricing = ONE(strict) },
                                         (struct quote_rules_options){ .pricing = ONE(lenient) }, "\"unit_price\":50001");
}

static void failing_shipping_rules_refuse_or_are_left_out(void **state)
{
    failing_rules_refuse_or_are_left_out(*state, (struct quote_rules_options){ .shipping_rates = ONE(strict) },
                                         (struct quote_rules_options){ .shipping_rates = ONE(lenient) }, "bike.city");
}

static void failing_tax_rules_refuse_or_are_left_out(void **state)
{
    failing_rules_refuse_or_are_left_out(*state, (struct quote_rules_options){ .tax_rates = ONE(strict) },
                                         (struct quote_rules_options){ .tax_rates = ONE(lenient) }, "\"rate_ppm\":50000");
}

static void the_first_tax_rule_that_knows_decides_then_the_table(void **state)
{
    struct fixture *f = *state;
    struct player p = { .gives = 250000 };
    setup_rules(
        f, &p,
        (struct quote_rules_options){ .tax_rates = { two, 1 },
                                      .tax = fixture_json(&f->arena, "{'prices': 'exclude', 'rates': [{'title': 't', 'percent': 10}]}") });
    assert_int_equal(fixture_try(f, CART), 0);
    assert_int_equal(f->cart.lines[0].tax_minor, 750);
    assert_int_equal(f->cart.lines[1].tax_minor, 50);
    assert_int_equal(f->result.total_minor, 3500 + 800);
    p.gives = 1000001;
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "tax rule first.x: a tax rate is from 0"));
}

static void prices_see_the_list_price_and_leave_given_ones_alone(void **state)
{
    struct fixture *f = *state;
    struct player p = { .gives = 700 };
    setup_rules(f, &p, (struct quote_rules_options){ .pricing = ONE(two) });
    arena_reset(&f->run);
    struct quote_cart *cart = fixture_cart(f, CART);
    cart->lines[1].own_price = true;
    assert_int_equal(quote_price(f->rules, cart, &f->hooks, &f->run, &f->result, &f->err), 0);
    assert_int_equal(cart->lines[0].unit_price_minor, 701); /* of the last rule, number 1 */
    assert_int_equal(cart->lines[0].compare_at_minor, 1000);
    assert_int_equal(cart->lines[1].unit_price_minor, 500);
    assert_int_equal(f->result.subtotal_minor, 3 * 701 + 500);
    p.gives = -2;
    assert_int_equal(fixture_try(f, CART), ERR_INVALID);
    cart->no_campaigns = true;
    p.calls = 0;
    assert_int_equal(quote_price(f->rules, cart, &f->hooks, &f->run, &f->result, &f->err), 0);
    assert_int_equal(p.calls, 0);
}

static void rules_without_somebody_who_runs_them_are_a_fault(void **state)
{
    struct fixture *f = *state;
    struct player p = { 0 };
    setup_rules(f, &p, (struct quote_rules_options){ .tax_rates = ONE(strict) });
    f->hooks = (struct quote_hooks){ 0 };
    assert_int_equal(fixture_try(f, CART), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(options_of_rules_are_listed_behind_the_table_s),       TEST(only_the_owner_of_the_chosen_option_is_asked),
        TEST(an_offer_that_makes_no_sense_fails_its_rule),          TEST(failing_pricing_rules_refuse_or_are_left_out),
        TEST(failing_shipping_rules_refuse_or_are_left_out),        TEST(failing_tax_rules_refuse_or_are_left_out),
        TEST(the_first_tax_rule_that_knows_decides_then_the_table), TEST(prices_see_the_list_price_and_leave_given_ones_alone),
        TEST(rules_without_somebody_who_runs_them_are_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
