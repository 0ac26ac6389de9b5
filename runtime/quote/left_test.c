/* What is left of accounts, asked by functions that C plays. */
#include "quote/fixture.h"

struct books {
    int64_t left;
    int asked;     /* of the host */
    int64_t heard; /* by the function; -1: not known */
    int64_t again; /* asked a second time in the same call */
    int many;      /* accounts beside the first */
    int rc;
};

static bool left(void *ctx, struct slice account, int64_t *out)
{
    struct books *b = ctx;
    b->asked++;
    *out = b->left--; /* others take meanwhile */
    return !slice_is(account, "hidden");
}

static int64_t ask(struct quote_eval *e, const char *name, int *rc)
{
    struct err err;
    int64_t n = 0;
    *rc = quote_eval_left(e, slice_str(name), &n, &err);
    return *rc == 1 ? n : -1;
}

static int action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct books *b = ctx;
    char name[16];
    (void)fn;
    (void)err;
    b->heard = ask(e, "coupons", &b->rc);
    b->again = ask(e, "coupons", &b->rc);
    for (int i = 0; i < b->many && b->rc >= 0; i++) {
        snprintf(name, sizeof name, "n%d", i);
        ask(e, name, &b->rc);
    }
    return b->heard > 0 ? quote_eval_amount_off(e, quote_eval_scope(e), 100, slice_str(""), err) : 0;
}

#define RULES "[{'id': 'a', 'give': {'fn': 1}}, {'id': 'b', 'give': {'fn': 2}}]"
#define CART  "{'lines': [{'sku': 'A', 'price': 1000}]}"

static void price(struct fixture *f, struct books *b)
{
    const struct quote_hooks hooks = { .ctx = b, .action = action, .left = left };
    if (quote_price(f->rules, &f->cart, &hooks, &f->arena, &f->result, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void all_functions_of_a_quote_hear_the_same(void **state)
{
    struct fixture *f = *state;
    struct books b = { .left = 5 };
    fixture_rules(f, RULES);
    fixture_cart(f, CART);
    price(f, &b);
    assert_int_equal(b.asked, 1);
    assert_int_equal(b.heard, 5);
    assert_int_equal(b.again, 5);
    assert_int_equal(f->cart.left_count, 1);
    assert_true(f->cart.left[0].is_known && f->cart.left[0].left == 5 && slice_is(f->cart.left[0].account, "coupons"));
}

static void what_the_evidence_has_is_not_asked_again(void **state)
{
    struct fixture *f = *state;
    struct books b = { .left = 5 };
    fixture_rules(f, RULES);
    fixture_cart(f, CART);
    const struct quote_left known[] = { { SLICE_LIT("coupons"), true, 0 } };
    f->cart.left = known;
    f->cart.left_count = 1;
    price(f, &b);
    assert_int_equal(b.asked, 0);
    assert_int_equal(b.heard, 0);
    assert_int_equal(f->result.discount_minor, 0);
    const struct quote_hooks nobody = { .ctx = &b, .action = action };
    fixture_cart(f, CART);
    assert_int_equal(quote_price(f->rules, &f->cart, &nobody, &f->arena, &f->result, &f->err), 0);
    assert_int_equal(b.heard, -1);
    assert_false(f->cart.left[0].is_known);
}

static void very_many_accounts_are_refused(void **state)
{
    struct fixture *f = *state;
    struct books b = { .left = 5, .many = QUOTE_LEFT_MAX - 1 };
    fixture_rules(f, RULES);
    fixture_cart(f, CART);
    price(f, &b);
    assert_true(b.rc >= 0);
    assert_int_equal(f->cart.left_count, QUOTE_LEFT_MAX);
    b.many = QUOTE_LEFT_MAX;
    fixture_cart(f, CART);
    price(f, &b);
    assert_int_equal(b.rc, ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_functions_of_a_quote_hear_the_same, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_the_evidence_has_is_not_asked_again, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(very_many_accounts_are_refused, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
