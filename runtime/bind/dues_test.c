/* What an order owes, in one payment or in many, and what becomes of the money when a deadline passes. */
#include "bind/fixture.h"

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    fixture_product(f, "TEA", 1000, 100);
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    struct fixture *f = *state;
    fixture_books_balance(f);
    fixture_close(f);
    free(f);
    return 0;
}

#define TEN     "{'lines':[{'sku':'TEA','qty':10,'price':1000}]}"
#define TWO     "{" SK ",'body':{'dues':[{'label':'deposit','amount':3000,'within':'30m'},{'label':'balance','amount':7000,'within':'72h'}]}}"
#define MINUTES 60000

static const char *presale(struct fixture *f)
{
    if (fixture_place(f, TEN, TWO) < 0)
        fail_msg("%s (%s)", f->err.text, f->err.field);
    return fixture_text(f, "id");
}

static int pay(struct fixture *f, const char *id, const char *body)
{
    char args[256];
    snprintf(args, sizeof args, "'body':{'provider':'test'%s%s},'shop':{'test_payments':true}", *body ? "," : "", body);
    return fixture_on(f, "orders.pay", id, args);
}

static int expire(struct fixture *f, const char *id)
{
    char args[128];
    snprintf(args, sizeof args, "{'principal':{'kind':'system'},'key':'%s'}", id);
    return fixture_try(f, "orders.expire", args);
}

static int64_t sales(struct fixture *f)
{
    struct ledger_balance b;
    assert_int_equal(ledger_balance_read(f->conn, slice_str("sales"), &b, &f->err), 0);
    return ledger_available(&b);
}

static int64_t timer(struct fixture *f)
{
    int64_t due = 0;
    return timer_next_due(f->conn, &due, NULL) == 1 ? due : 0;
}

static void an_order_owes_its_total_unless_it_says_otherwise(void **state)
{
    struct fixture *f = *state;
    fixture_order(f, TEN);
    assert_string_equal(fixture_text(f, "dues/0/label"), "total");
    assert_int_equal(fixture_int(f, "dues/0/amount"), 10000);
    assert_int_equal(fixture_int(f, "dues/0/paid"), 0);
    assert_string_equal(fixture_text(f, "dues/0/deadline"), fixture_text(f, "expires_at"));
    assert_null(fixture_at(f->body, "dues/1"));
    fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':0}]}");
    assert_null(fixture_at(f->body, "dues/0"));
}

static void several_payments_meet_one_due(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, TEN);
    int64_t deadline = timer(f);
    assert_int_equal(pay(f, id, "'amount':4000"), 0);
    assert_string_equal(fixture_text(f, "state"), "placed");
    assert_int_equal(fixture_int(f, "paid"), 4000);
    assert_int_equal(fixture_int(f, "dues/0/paid"), 4000);
    assert_int_equal(timer(f), deadline);
    fixture_stock_is(f, "TEA", 100, 10);
    assert_int_equal(pay(f, id, "'amount':6001"), ERR_INVALID);
    assert_int_equal(pay(f, id, "'amount':1"), 0);
    assert_int_equal(pay(f, id, ""), 0);
    assert_string_equal(fixture_text(f, "state"), "paid");
    assert_int_equal(fixture_int(f, "payments/2/amount"), 5999);
    fixture_stock_is(f, "TEA", 90, 0);
    assert_int_equal(sales(f), 10000);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':5}]}"), 0); /* through two of them */
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), 0);
    assert_int_equal(sales(f), 0);
}

static void the_deposit_moves_the_deadline_to_that_of_the_balance(void **state)
{
    struct fixture *f = *state;
    const char *id = presale(f);
    int64_t placed = f->clock.wall_now_ms;
    assert_int_equal(timer(f), placed + 30 * MINUTES);
    assert_string_equal(fixture_text(f, "dues/1/label"), "balance");
    clock_virtual_advance(&f->clock, 10 * MINUTES);
    assert_int_equal(pay(f, id, ""), 0);
    assert_int_equal(fixture_int(f, "dues/0/paid"), 3000);
    assert_int_equal(fixture_int(f, "dues/1/paid"), 0);
    assert_string_equal(fixture_text(f, "state"), "placed");
    assert_string_equal(fixture_text(f, "expires_at"), fixture_text(f, "dues/1/deadline"));
    assert_int_equal(timer(f), placed + 72 * 60 * MINUTES);
    assert_int_equal(pay(f, id, "'due':'deposit'"), ERR_STATE);
    assert_string_equal(f->err.reason, "due_met");
    assert_int_equal(pay(f, id, "'due':'tip'"), ERR_INVALID);
    clock_virtual_advance(&f->clock, 71 * 60 * MINUTES);
    assert_int_equal(pay(f, id, "'due':'balance','amount':7000"), 0);
    assert_string_equal(fixture_text(f, "state"), "paid");
    assert_int_equal(timer(f), 0);
    fixture_stock_is(f, "TEA", 90, 0);
}

static void the_balance_may_come_first(void **state)
{
    struct fixture *f = *state;
    const char *id = presale(f);
    int64_t deadline = timer(f);
    assert_int_equal(pay(f, id, "'due':'balance'"), 0);
    assert_string_equal(fixture_text(f, "state"), "placed");
    assert_int_equal(timer(f), deadline); /* the deposit's still */
    assert_int_equal(pay(f, id, ""), 0);
    assert_string_equal(fixture_text(f, "state"), "paid");
}

static void a_deadline_that_passes_gives_back_what_was_paid(void **state)
{
    struct fixture *f = *state;
    const char *id = presale(f);
    assert_int_equal(pay(f, id, ""), 0);
    assert_int_equal(pay(f, id, "'amount':500"), 0);
    clock_virtual_advance(&f->clock, 72 * 60 * MINUTES - 1);
    assert_int_equal(expire(f, id), 0);
    assert_int_equal(fixture_on(f, "orders.get", id, ""), 0);
    assert_string_equal(fixture_text(f, "state"), "placed");
    clock_virtual_advance(&f->clock, 1);
    assert_int_equal(pay(f, id, ""), ERR_STATE);
    assert_int_equal(expire(f, id), 0);
    assert_string_equal(fixture_text(f, "state"), "expired");
    assert_int_equal(fixture_int(f, "refunded"), 3500);
    assert_int_equal(fixture_int(f, "refunds/0/amount"), 3500);
    assert_string_equal(fixture_text(f, "refunds/0/state"), "succeeded");
    assert_string_equal(fixture_text(f, "refunds/0/reason"), "expired");
    assert_int_equal(sales(f), 0);
    fixture_stock_is(f, "TEA", 100, 0);
    assert_int_equal(timer(f), 0);
    assert_int_equal(expire(f, id), 0);
    assert_int_equal(sales(f), 0);
}

static void an_unpaid_deposit_expires_the_order(void **state)
{
    struct fixture *f = *state;
    const char *id = presale(f);
    clock_virtual_advance(&f->clock, 30 * MINUTES);
    assert_int_equal(expire(f, id), 0);
    assert_string_equal(fixture_text(f, "state"), "expired");
    assert_null(fixture_at(f->body, "refunds/0"));
    fixture_stock_is(f, "TEA", 100, 0);
}

static void cancelling_gives_a_deposit_back(void **state)
{
    struct fixture *f = *state;
    const char *id = presale(f);
    assert_int_equal(pay(f, id, ""), 0);
    assert_int_equal(fixture_on(f, "orders.cancel", id, "'body':{'reason':'sold out'}"), 0);
    assert_string_equal(fixture_text(f, "state"), "cancelled");
    assert_int_equal(fixture_int(f, "refunded"), 3000);
    assert_string_equal(fixture_text(f, "refunds/0/reason"), "sold out");
    assert_int_equal(sales(f), 0);
    fixture_stock_is(f, "TEA", 100, 0);
}

static void dues_must_make_sense(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *dues, *field;
    } wrong[] = {
        { "[]", "/dues" },
        { "[{'label':'a','amount':9999,'within':'1h'}]", "/dues" },
        { "[{'label':'a','amount':5000,'within':'1h'},{'label':'b','amount':5001,'within':'2h'}]", "/dues" },
        { "[{'label':'a','amount':10000,'within':'soon'}]", "/dues/0/within" },
        { "[{'label':'a','amount':10000,'within':'0m'}]", "/dues/0/within" },
        { "[{'label':'a','amount':10000,'within':'9999d'}]", "/dues/0/within" },
        { "[{'label':'a','amount':10000}]", "/dues/0/within" },
        { "[{'amount':10000,'within':'1h'}]", "/dues/0/label" },
        { "[{'label':'a','amount':0,'within':'1h'},{'label':'b','amount':10000,'within':'2h'}]", "/dues/0/amount" },
        { "[{'label':'a','amount':-1,'within':'1h'},{'label':'b','amount':10001,'within':'2h'}]", "/dues/0/amount" },
        { "[{'label':'a','amount':5000,'within':'2h'},{'label':'b','amount':5000,'within':'2h'}]", "/dues/1/within" },
        { "[{'label':'a','amount':9223372036854775807,'within':'1h'},{'label':'b','amount':10,'within':'2h'}]", NULL },
    };
    char args[512];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(args, sizeof args, "{" SK ",'body':{'dues':%s}}", wrong[i].dues);
        assert_true(fixture_place(f, TEN, args) < 0);
        if (wrong[i].field)
            assert_string_equal(f->err.field, wrong[i].field);
    }
    assert_int_equal(fixture_place(f, TEN, "{'principal':{'kind':'pk'},'body':{'dues':[{'label':'a','amount':10000,'within':'1h'}]}}"),
                     ERR_DENIED);
    fixture_stock_is(f, "TEA", 100, 0);
}

static void payments_of_any_size_in_any_order_add_up(void **state)
{
    struct fixture *f = *state;
    struct random_seeded r;
    random_seeded_init(&r, 11);
    for (int round = 0; round < 40; round++) {
        const char *id = presale(f);
        int64_t left[2] = { 3000, 7000 };
        while (left[0] + left[1] > 0) {
            int n = left[0] == 0 || (left[1] > 0 && random_seeded_next(&r) % 2);
            int64_t part = 1 + (int64_t)(random_seeded_next(&r) % (uint64_t)left[n]);
            char body[96];
            snprintf(body, sizeof body, "'due':'%s','amount':%lld", n ? "balance" : "deposit", (long long)part);
            assert_int_equal(pay(f, id, body), 0);
            left[n] -= part;
            assert_int_equal(fixture_int(f, "paid"), 10000 - left[0] - left[1]);
            assert_string_equal(fixture_text(f, "state"), left[0] + left[1] ? "placed" : "paid");
        }
        assert_int_equal(sales(f), 10000);
        assert_int_equal(fixture_on(f, "orders.cancel", id, ""), 0);
        assert_int_equal(sales(f), 0);
    }
    fixture_stock_is(f, "TEA", 100, 0);
}

#define SHOP_TEST(name) cmocka_unit_test_setup_teardown(name, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(an_order_owes_its_total_unless_it_says_otherwise),
        SHOP_TEST(several_payments_meet_one_due),
        SHOP_TEST(the_deposit_moves_the_deadline_to_that_of_the_balance),
        SHOP_TEST(the_balance_may_come_first),
        SHOP_TEST(a_deadline_that_passes_gives_back_what_was_paid),
        SHOP_TEST(an_unpaid_deposit_expires_the_order),
        SHOP_TEST(cancelling_gives_a_deposit_back),
        SHOP_TEST(dues_must_make_sense),
        SHOP_TEST(payments_of_any_size_in_any_order_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
