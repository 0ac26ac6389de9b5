#include "quote/fixture.h"

/* What the functions of a test do, by number. */
enum {
    FN_TRUE = 1,
    FN_FALSE,
    FN_FAIL,
    FN_FAIL_AFTER_DISCOUNT,
    FN_DISCOUNT,
    FN_TOO_MUCH,
    FN_RETRY_ONCE,
    FN_RETRY_ALWAYS,
    FN_NOTHING,
    FN_SELECT,
    FN_SHIPPING,
    FN_NO_MEMORY,
    FN_SEES,
    FN_BAD_SETS,
};

struct calls {
    struct fixture *f;
    int count;
    int refused; /* what quote_eval_* answered to the last wrong call */
};

static int condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    struct calls *c = ctx;
    c->count++;
    *holds = fn == FN_TRUE;
    if (fn == FN_DISCOUNT) {
        c->refused = quote_eval_line_discount(e, 0, 1, 0, slice_str(""), err);
        err_clear(err);
        *holds = true;
    }
    return fn == FN_FAIL ? err_set(err, ERR_SCRIPT, "x.lua:3: attempt to index a nil value") : 0;
}

static int bad_sets(struct calls *c, struct quote_eval *e, struct err *err)
{
    static const uint32_t twice[] = { 0, 0 }, beyond[] = { 7 }, both[] = { 0, 1 };
    struct quote_set out;
    struct json_value *v = fixture_json(&c->f->arena, "{'sku': 'A', 'skew': 'B'}");
    struct slice none = slice_str("");
    assert_int_equal(quote_eval_percent_off(e, (struct quote_set){ twice, 2 }, 1000, 0, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_amount_off(e, (struct quote_set){ beyond, 1 }, 10, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_select(e, (struct quote_set){ both, 2 }, v, &out, err), ERR_INVALID);
    assert_non_null(strstr(err->text, "did you mean \"sku\"?"));
    assert_int_equal(quote_eval_percent_off(e, (struct quote_set){ both, 2 }, 1000001, 0, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_percent_off(e, (struct quote_set){ both, 2 }, 1000, -1, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_amount_off(e, (struct quote_set){ both, 2 }, -1, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_line_discount(e, 9, 1, 0, none, err), ERR_INVALID);
    assert_int_equal(quote_eval_line_discount(e, 0, 1, 99, none, err), ERR_INVALID);
    err_clear(err);
    return 0;
}

static int select_and_discount(struct calls *c, struct quote_eval *e, struct err *err)
{
    struct quote_set tea, unknown;
    int rc = quote_eval_select(e, quote_eval_scope(e), fixture_json(&c->f->arena, "{'tag': 'tea'}"), &tea, err);
    if (rc == 0)
        rc = quote_eval_select(e, tea, fixture_json(&c->f->arena, "{'tag': ['never-heard-of']}"), &unknown, err);
    if (rc < 0)
        return rc;
    assert_int_equal(unknown.count, 0);
    assert_int_equal(symbols_find(quote_eval_symbols(e), slice_str("never-heard-of")), 0); /* a quote does not grow the table */
    assert_int_equal(quote_eval_qty(e, tea), 3);
    assert_int_equal(quote_eval_subtotal(e, tea), 3000);
    rc = quote_eval_percent_off(e, tea, 500000, 1000, slice_str("half, at most 10"), err);
    assert_int_equal(quote_eval_subtotal(e, tea), 2000);
    return rc < 0 ? rc : quote_eval_amount_off(e, tea, 99999999, slice_str(""), err);
}

static int action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct calls *c = ctx;
    struct slice why = slice_str("because");
    int rc;
    c->count++;
    switch (fn) {
    case FN_DISCOUNT:
        return quote_eval_line_discount(e, 0, 100, 1, why, err);
    case FN_TOO_MUCH:
        return quote_eval_line_discount(e, 0, quote_eval_remaining(e, 0) + 1, 0, why, err);
    case FN_FAIL_AFTER_DISCOUNT:
        rc = quote_eval_line_discount(e, 0, 100, 0, why, err);
        assert_int_equal(rc, 0);
        assert_int_equal(quote_eval_free_shipping(e, err), 0);
        return err_set(err, ERR_FUEL, "x.lua:9: ran out of fuel");
    case FN_RETRY_ONCE:
    case FN_RETRY_ALWAYS:
        assert_int_equal(quote_eval_remaining(e, 0), 1000);
        rc = quote_eval_line_discount(e, 0, 300, 0, why, err);
        return rc == 0 && (fn == FN_RETRY_ALWAYS || c->count == 1) ? err_set(err, ERR_RETRY, "overran") : rc;
    case FN_SELECT:
        return select_and_discount(c, e, err);
    case FN_SHIPPING:
        c->refused = quote_eval_line_discount(e, 0, 1, 0, why, err);
        err_clear(err);
        return quote_eval_free_shipping(e, err);
    case FN_NO_MEMORY:
        return err_set(err, ERR_NOMEM, "out of memory");
    case FN_SEES:
        assert_int_equal(quote_eval_now_ms(e), 42);
        assert_int_equal(quote_eval_cart(e)->line_count, 2);
        assert_int_equal(quote_eval_scope(e).count, 1);
        assert_int_equal(quote_eval_remaining(e, 1), 2000);
        assert_int_equal(quote_eval_remaining(e, 99), 0);
        assert_int_equal(quote_eval_line_discount(e, 0, 1, 0, why, err), ERR_INVALID); /* seen, but outside the scope */
        err_clear(err);
        return quote_eval_line_discount(e, 1, 7, 0, slice_str(""), err);
    case FN_BAD_SETS:
        return bad_sets(c, e, err);
    default:
        return 0;
    }
}

#define CART "{'lines': [{'sku': 'A', 'price': 1000}, {'sku': 'B', 'price': 1000, 'qty': 2, 'tags': ['tea']}], 'at': 42}"

static int run(struct fixture *f, struct calls *c, const char *campaigns, const char *cart)
{
    *c = (struct calls){ .f = f };
    f->hooks = (struct quote_hooks){ .ctx = c, .condition = condition, .action = action };
    if (fixture_build(f, campaigns, NULL, "[{'id': 'post', 'rates': [{'price': '5.00'}]}]") < 0)
        fail_msg("%s", f->err.text);
    return fixture_try(f, cart);
}

static void a_function_may_be_the_condition(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c,
                         "[{'id': 'x', 'when': {'fn': 1}, 'give': {'percent_off': {'percent': 10}}},"
                         "{'id': 'y', 'when': {'fn': 2}, 'give': {'percent_off': {'percent': 10}}}]",
                         CART),
                     0);
    assert_int_equal(c.count, 2);
    assert_string_equal(fixture_reason(f, "x"), "applied");
    assert_string_equal(fixture_reason(f, "y"), "condition_false");
}

static void a_condition_takes_nothing_off(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'when': {'fn': 5}, 'give': {'percent_off': {'percent': 10}}}]", CART), 0);
    assert_int_equal(c.refused, ERR_STATE);
    assert_int_equal(f->result.discount_minor, 300);
}

static void a_function_may_be_the_action(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 5}}]", CART), 0);
    const struct quote_discount *d = f->cart.lines[0].discounts;
    assert_int_equal(d->amount_minor, 100);
    assert_int_equal(d->units, 1);
    assert_true(slice_is(d->reason, "because"));
    assert_null(d->next);
}

static void a_failure_drops_everything_the_campaign_did(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(
        run(f, &c,
            "[{'id': 'x', 'give': [{'percent_off': {'percent': 50}}, {'fn': 4}]}, {'id': 'y', 'give': {'amount_off': {'amount': '1.00'}}}]",
            "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'post'}"),
        0);
    assert_string_equal(fixture_reason(f, "x"), "failed");
    assert_true(slice_is(fixture_outcome(f, "x")->params->text, "fuel"));
    assert_int_equal(f->result.discount_minor, 100);
    assert_int_equal(f->result.shipping_discount_minor, 0);
    assert_int_equal(f->err.code, 0);
}

static void on_failure_refuse_ends_the_quote(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'on_failure': 'refuse', 'give': {'fn': 4}}]", CART), ERR_FUEL);
    assert_string_equal(f->err.text, "campaign x: x.lua:9: ran out of fuel");
    assert_int_equal(run(f, &c, "[{'id': 'x', 'on_failure': 'refuse', 'when': {'fn': 3}, 'give': {'free_shipping': {}}}]", CART),
                     ERR_SCRIPT);
    assert_int_equal(run(f, &c, "[{'id': 'x', 'when': {'fn': 3}, 'give': {'free_shipping': {}}}]", CART), 0);
    assert_string_equal(fixture_reason(f, "x"), "failed");
}

static int try_out(struct fixture *f, uint32_t campaign)
{
    err_clear(&f->err);
    return quote_try(f->rules, campaign, &f->cart, &f->hooks, &f->run, &f->err);
}

static void a_campaign_is_tried_on_its_lines_whatever_else_it_asks_for(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(
        run(f, &c,
            "[{'id': 'a', 'window': {'from': '2099-01-01 00:00'}, 'codes': 'NO', 'give': {'fn': 4}},"
            "{'id': 'b', 'scope': {'sku': 'NOTHING'}, 'give': {'fn': 4}}, {'id': 'c', 'give': {'percent_off': {'percent': 10}}},"
            "{'id': 'd', 'when': {'any': [{'qty': {'at_least': 99}}, {'fn': 3}]}, 'give': {'percent_off': {'percent': 10}}}]",
            CART),
        0);
    int64_t before = f->result.discount_minor;
    assert_int_equal(try_out(f, 0), ERR_FUEL);
    assert_string_equal(f->err.text, "x.lua:9: ran out of fuel");
    assert_int_equal(try_out(f, 1), 0);
    assert_int_equal(try_out(f, 2), 1);
    assert_int_equal(try_out(f, 3), ERR_SCRIPT);
    assert_int_equal(f->result.discount_minor, before);
    assert_true(quote_campaign_calls(f->rules, 0) && quote_campaign_calls(f->rules, 1) && quote_campaign_calls(f->rules, 3));
    assert_false(quote_campaign_calls(f->rules, 2));
    assert_true(quote_campaign_wants(f->rules, 0, &f->cart.lines[0].product));
    assert_false(quote_campaign_wants(f->rules, 1, &f->cart.lines[0].product));
}

static void a_failing_condition_within_none_is_a_failure_too(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'when': {'none': [{'fn': 3}]}, 'give': {'percent_off': {'percent': 10}}}]", CART), 0);
    assert_string_equal(fixture_reason(f, "x"), "failed");
    assert_int_equal(f->result.discount_minor, 0);
}

static void too_much_is_refused_with_what_the_line_costs(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'on_failure': 'refuse', 'give': {'fn': 6}}]", CART), ERR_INVALID);
    assert_string_equal(f->err.text, "campaign x: a discount of 1001 is more than line 1 still costs (1000)");
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 14}}]", CART), 0);
    assert_string_equal(fixture_reason(f, "x"), "nothing_to_discount");
}

static void a_run_that_was_thrown_away_is_repeated_once(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 7}}]", CART), 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(f->result.discount_minor, 300);
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 8}}]", CART), 0);
    assert_int_equal(c.count, 2);
    assert_string_equal(fixture_reason(f, "x"), "failed");
    assert_int_equal(f->result.discount_minor, 0);
}

static void sets_are_selected_within_the_scope_and_discounted(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 10}}]",
                         "{'lines': [{'sku': 'A', 'price': 500}, {'sku': 'B', 'price': 1000, 'tags': ['tea']}, {'sku': 'C', 'price': 1000, "
                         "'qty': 2, 'tags': ['tea']}]}"),
                     0);
    assert_string_equal(fixture_reason(f, "x"), "applied");
    assert_int_equal(f->result.total_minor, 500);
    assert_int_equal(f->cart.lines[1].discounts->amount_minor, 333);
    assert_true(slice_is(f->cart.lines[2].discounts->reason, "half, at most 10"));
}

static void a_function_sees_the_cart_the_clock_and_its_scope(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'scope': {'tag': 'tea'}, 'give': {'fn': 13}}]", CART), 0);
    assert_int_equal(f->cart.lines[1].discount_minor, 7);
}

static void lines_are_settled_in_the_shipping_stage(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(
        run(f, &c, "[{'id': 'x', 'stage': 'shipping', 'give': {'fn': 11}}]", "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'post'}"),
        0);
    assert_int_equal(c.refused, ERR_STATE);
    assert_int_equal(f->result.shipping_discount_minor, 500);
    assert_int_equal(f->result.total_minor, 1000);
}

static void running_out_of_memory_ends_the_quote_whatever_on_failure_says(void **state)
{
    struct fixture *f = *state;
    struct calls c;
    assert_int_equal(run(f, &c, "[{'id': 'x', 'give': {'fn': 12}}]", CART), ERR_NOMEM);
}

static void rules_with_functions_need_hooks(void **state)
{
    struct fixture *f = *state;
    fixture_rules(f, "[{'id': 'x', 'give': {'fn': 5}}]");
    assert_int_equal(quote_price(f->rules, fixture_cart(f, CART), NULL, &f->run, &f->result, &f->err), ERR_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_function_may_be_the_condition),
        TEST(a_condition_takes_nothing_off),
        TEST(a_function_may_be_the_action),
        TEST(a_failure_drops_everything_the_campaign_did),
        TEST(on_failure_refuse_ends_the_quote),
        TEST(a_campaign_is_tried_on_its_lines_whatever_else_it_asks_for),
        TEST(a_failing_condition_within_none_is_a_failure_too),
        TEST(too_much_is_refused_with_what_the_line_costs),
        TEST(a_run_that_was_thrown_away_is_repeated_once),
        TEST(sets_are_selected_within_the_scope_and_discounted),
        TEST(a_function_sees_the_cart_the_clock_and_its_scope),
        TEST(lines_are_settled_in_the_shipping_stage),
        TEST(running_out_of_memory_ends_the_quote_whatever_on_failure_says),
        TEST(rules_with_functions_need_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
