#include "bind/fixture.h"

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    fixture_product(f, "TEA", 1000, 10);
    fixture_product(f, "CUP", 333, 5);
    *state = f;
    return 0;
}

/* As the host's catalogue knows it. */
static bool one_place(void *ctx, symbol sku, struct bind_place *out)
{
    struct fixture *f = ctx;
    struct store_stmt *s;
    struct slice name = symbols_name(f->symbols, sku);
    assert_int_equal(
        store_prepare(f->conn,
                      "SELECT p.track_stock, count(s.account), max(s.account), max(s.location) FROM products p LEFT JOIN stock s ON"
                      " s.product = p.id WHERE p.sku = ?1",
                      &s, NULL),
        0);
    store_bind_text(s, 1, name);
    assert_int_equal(store_step(s, NULL), 1);
    bool counted = store_column_int(s, 0) != 0, known = !counted || store_column_int(s, 1) == 1;
    *out = (struct bind_place){ counted ? store_column_int(s, 2) : 0, { "", 0 } };
    if (counted && known)
        out->location = arena_copy(&f->kept, store_column_text(s, 3));
    store_reset(s);
    f->asked_places++;
    return known;
}

static int open_shop_that_knows_places(void **state)
{
    int rc = open_shop(state);
    struct fixture *f = *state;
    f->ctx.place_of = one_place;
    return rc;
}

static int close_shop(void **state)
{
    struct fixture *f = *state;
    fixture_books_balance(f);
    fixture_close(f);
    free(f);
    return 0;
}

#define TEST_SHOP "'shop':{'test_payments':true}"

static int pay(struct fixture *f, const char *id)
{
    return fixture_on(f, "orders.pay", id, "'body':{'provider':'test'}," TEST_SHOP);
}

static void an_order_holds_stock_and_paying_sells_it(void **state)
{
    struct fixture *f = *state;
    const char *id =
        fixture_order(f, "{'lines':[{'sku':'TEA','qty':2,'price':1000},{'sku':'CUP','qty':1,'price':333}],'option':'standard'}");
    assert_int_equal(f->answer.status, 201);
    assert_string_equal(fixture_text(f, "state"), "placed");
    assert_int_equal(fixture_int(f, "total"), 2333 + 495);
    assert_int_equal(fixture_int(f, "lines/0/line"), 1);
    assert_int_equal(fixture_int(f, "shipping/total"), 495);
    assert_true(slice_eq(slice_of(f->answer.body.data, 6), SLICE_LIT("{\"id\":")));
    fixture_stock_is(f, "TEA", 10, 2);

    assert_int_equal(pay(f, id), 0);
    assert_int_equal(f->answer.status, 201);
    assert_string_equal(fixture_text(f, "state"), "paid");
    assert_int_equal(fixture_int(f, "paid"), 2828);
    assert_int_equal(fixture_int(f, "payments/0/amount"), 2828);
    fixture_stock_is(f, "TEA", 8, 0);

    assert_int_equal(pay(f, id), ERR_STATE);
    assert_string_equal(f->err.reason, "already_paid");
    struct ledger_balance sales;
    assert_int_equal(ledger_balance_read(f->conn, slice_str("sales"), &sales, &f->err), 0);
    assert_int_equal(ledger_available(&sales), 2828);
}

static void the_last_piece_is_sold_once(void **state)
{
    struct fixture *f = *state;
    fixture_order(f, "{'lines':[{'sku':'CUP','qty':4,'price':333}]}");
    assert_int_equal(
        fixture_place(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000},{'sku':'CUP','qty':2,'price':333}]}", "{" SK ",'body':{}}"),
        ERR_CONFLICT);
    assert_string_equal(f->err.reason, "out_of_stock");
    assert_string_equal(f->err.field, "/lines/1/qty");
    fixture_stock_is(f, "TEA", 10, 0); /* the refused order took nothing */
    fixture_order(f, "{'lines':[{'sku':'CUP','qty':1,'price':333}]}");
    fixture_stock_is(f, "CUP", 5, 5);
}

static void lines_of_one_sku_need_their_sum(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        fixture_place(f, "{'lines':[{'sku':'CUP','qty':3,'price':333},{'sku':'CUP','qty':3,'price':300}]}", "{" SK ",'body':{}}"),
        ERR_CONFLICT);
    assert_string_equal(f->err.field, "/lines/0/qty");
    fixture_order(f, "{'lines':[{'sku':'CUP','qty':3,'price':333},{'sku':'CUP','qty':2,'price':300}]}");
    fixture_stock_is(f, "CUP", 5, 5);
}

static void stock_of_several_places_is_taken_together(void **state)
{
    struct fixture *f = *state;
    fixture_do(f, "stock.change", "{" SK ",'body':{'sku':'CUP','delta':4,'reason':'delivery','location':'north'}}");
    assert_int_equal(fixture_int(f, "items/0/on_hand"), 4);
    const char *id = fixture_order(f, "{'lines':[{'sku':'CUP','qty':8,'price':333}]}");
    fixture_stock_is(f, "CUP", 5, 5);
    assert_int_equal(pay(f, id), 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':6}]}"), 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':2}]}"), 0);
    assert_int_equal(fixture_read(f, "products.get", "{" SK ",'params':{'sku':'CUP'}}"), 0);
    assert_int_equal(fixture_int(f, "stock/0/on_hand"), 5);
    assert_int_equal(fixture_int(f, "stock/1/on_hand"), 4);
}

static void stock_that_nobody_counts_never_runs_out(void **state)
{
    struct fixture *f = *state;
    fixture_do(f, "products.put", "{" SK ",'params':{'sku':'PDF'},'body':{'title':'Guide','price':500,'track_stock':false}}");
    const char *id = fixture_order(f, "{'lines':[{'sku':'PDF','qty':1000,'price':500}]}");
    assert_int_equal(pay(f, id), 0);
    assert_int_equal(fixture_on(f, "orders.cancel", id, "'body':{}"), 0);
    assert_int_equal(fixture_int(f, "refunded"), 500000);
}

static void cancelling_gives_back_what_was_held(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':3,'price':1000}],'customer':'ann'}");
    assert_int_equal(fixture_on(f, "orders.cancel", id, "'body':{'reason':'changed my mind'}"), 0);
    assert_string_equal(fixture_text(f, "state"), "cancelled");
    fixture_stock_is(f, "TEA", 10, 0);
    assert_int_equal(fixture_on(f, "orders.cancel", id, "'body':{}"), ERR_STATE);
    assert_int_equal(pay(f, id), ERR_STATE);
    assert_string_equal(f->err.reason, "order_cancelled");
    int64_t due;
    assert_int_equal(timer_next_due(f->conn, &due, NULL), 0);
}

static void cancelling_a_paid_order_refunds_what_is_left(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':3,'price':1000}],'option':'standard'}");
    assert_int_equal(pay(f, id), 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':1}]}"), 0);
    assert_int_equal(fixture_on(f, "orders.cancel", id, ""), 0);
    assert_string_equal(fixture_text(f, "state"), "cancelled");
    assert_int_equal(fixture_int(f, "refunded"), 3495);
    assert_int_equal(fixture_int(f, "refunds/1/amount"), 2495);
    fixture_stock_is(f, "TEA", 10, 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), ERR_STATE);
}

static void an_unpaid_order_expires_once(void **state)
{
    struct fixture *f = *state;
    char args[128];
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':3,'price':1000}]}");
    int64_t due;
    assert_int_equal(timer_next_due(f->conn, &due, NULL), 1);
    assert_int_equal(due, f->clock.wall_now_ms + 30 * 60000);

    snprintf(args, sizeof args, "{'principal':{'kind':'system'},'key':'%s'}", id);
    clock_virtual_advance(&f->clock, 30 * 60000 - 1);
    assert_int_equal(fixture_try(f, "orders.expire", args), 0); /* early: nothing happens */
    fixture_stock_is(f, "TEA", 10, 3);
    clock_virtual_advance(&f->clock, 1);
    assert_int_equal(pay(f, id), ERR_STATE); /* the timer is late, the deadline is not */
    assert_string_equal(f->err.reason, "order_expired");
    assert_int_equal(fixture_try(f, "orders.expire", args), 0);
    assert_string_equal(fixture_text(f, "state"), "expired");
    fixture_stock_is(f, "TEA", 10, 0);
    assert_int_equal(fixture_try(f, "orders.expire", args), 0);
    assert_int_equal(pay(f, id), ERR_STATE);
    fixture_stock_is(f, "TEA", 10, 0);
}

static void a_paid_order_does_not_expire(void **state)
{
    struct fixture *f = *state;
    char args[128];
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':3,'price':1000}]}");
    assert_int_equal(pay(f, id), 0);
    int64_t due;
    assert_int_equal(timer_next_due(f->conn, &due, NULL), 0);
    clock_virtual_advance(&f->clock, 86400000);
    snprintf(args, sizeof args, "{'key':'%s'}", id);
    assert_int_equal(fixture_try(f, "orders.expire", args), 0);
    assert_int_equal(fixture_on(f, "orders.get", id, ""), 0);
    assert_string_equal(fixture_text(f, "state"), "paid");
}

static void an_order_that_costs_nothing_is_paid_at_once(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':2,'price':0}]}");
    assert_string_equal(fixture_text(f, "state"), "paid");
    fixture_stock_is(f, "TEA", 8, 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), 0);
    assert_int_equal(fixture_int(f, "refunds/0/amount"), 0);
    fixture_stock_is(f, "TEA", 10, 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), ERR_CONFLICT);
}

static void refunds_of_parts_add_up_to_what_was_paid(void **state)
{
    struct fixture *f = *state;
    fixture_product(f, "MANY", 101, 1000000);
    struct random_seeded r;
    random_seeded_init(&r, 42);
    for (int round = 0; round < 60; round++) {
        int64_t qty = 1 + (int64_t)(random_seeded_next(&r) % 40), total = (int64_t)(random_seeded_next(&r) % 5000) + 1;
        char rules[256], cart[128], body[128];
        /* A discount that makes the line's total a number that its units don't divide. */
        snprintf(rules, sizeof rules, "return {{id='less',title='Less',give={{amount_off={amount='%lld.%02lld'}}}}}",
                 (long long)(total / 100), (long long)(total % 100));
        fixture_rules(f, rules);
        snprintf(cart, sizeof cart, "{'lines':[{'sku':'MANY','qty':%lld,'price':127}]}", (long long)qty);
        const char *id = fixture_order(f, cart);
        int64_t paid = fixture_int(f, "total"), sum = 0, left = qty;
        if (paid > 0)
            assert_int_equal(pay(f, id), 0);
        for (int n = 0; left > 0; n++) {
            int64_t part = 1 + (int64_t)(random_seeded_next(&r) % (uint64_t)left);
            snprintf(body, sizeof body, "'body':{'lines':[{'line':1,'qty':%lld}]}", (long long)part);
            assert_int_equal(fixture_on(f, "orders.refund", id, body), 0);
            left -= part;
            char path[32];
            snprintf(path, sizeof path, "refunds/%d/amount", n);
            sum += fixture_int(f, path);
            assert_int_equal(fixture_int(f, "refunded"), sum);
            assert_int_equal(fixture_int(f, "lines/0/refunded"), sum);
            assert_int_equal(fixture_int(f, "lines/0/refunded_qty"), qty - left);
            assert_int_equal(fixture_int(f, path) >= 0, 1);
        }
        assert_int_equal(sum, paid);
        assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':1}]}"), ERR_CONFLICT);
        assert_string_equal(f->err.reason, "refund_exceeds");
    }
    fixture_stock_is(f, "MANY", 1000000, 0);
    struct ledger_balance sales;
    assert_int_equal(ledger_balance_read(f->conn, slice_str("sales"), &sales, &f->err), 0);
    assert_int_equal(ledger_available(&sales), 0);
}

static void nothing_is_refunded_twice(void **state)
{
    struct fixture *f = *state;
    const char *id =
        fixture_order(f, "{'lines':[{'sku':'TEA','qty':3,'price':1000},{'sku':'CUP','qty':2,'price':333}],'option':'standard'}");
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), ERR_STATE); /* not paid */
    assert_int_equal(pay(f, id), 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[]}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'shipping':true}"), 0);
    assert_int_equal(fixture_int(f, "refunded"), 495);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'shipping':true}"), ERR_CONFLICT);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':2},{'line':1,'qty':2}]}"), ERR_CONFLICT);
    assert_string_equal(f->err.field, "/lines/1/qty");
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':3,'qty':1}]}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':0}]}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':-1}]}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':1.5}]}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{'lines':[{'line':1,'qty':2}],'restock':false,'reason':'broken'}"), 0);
    fixture_stock_is(f, "TEA", 7, 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), 0); /* all that is left */
    assert_int_equal(fixture_int(f, "refunded"), fixture_int(f, "paid"));
    fixture_stock_is(f, "TEA", 8, 0);
    fixture_stock_is(f, "CUP", 5, 0);
    assert_int_equal(fixture_on(f, "orders.refund", id, "'body':{}"), ERR_CONFLICT);
    assert_string_equal(f->err.reason, "refund_exceeds");
}

static void nobody_pays_more_than_is_due(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}]}");
    assert_int_equal(fixture_on(f, "orders.pay", id, "'body':{'provider':'test','amount':1001}," TEST_SHOP), ERR_INVALID);
    assert_string_equal(f->err.field, "/amount");
    assert_int_equal(fixture_on(f, "orders.pay", id, "'body':{'provider':'cash'}"), ERR_INVALID);
    assert_int_equal(fixture_on(f, "orders.pay", id, "'body':{'provider':'test'},'shop':{'test_payments':false}"), ERR_INVALID);
    assert_string_equal(f->err.field, "/provider");
    assert_int_equal(fixture_on(f, "orders.pay", id, "'body':{'provider':'test','amount':1000}," TEST_SHOP), 0);
}

static void others_orders_are_not_there(void **state)
{
    struct fixture *f = *state;
    const char *id = fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'ann'}");
    const char *const names[] = { "orders.get", "orders.pay", "orders.cancel", "orders.refund" };
    const char *const who[] = { "{'kind':'ct','customer':'bob'}", "{'kind':'pk'}", "{'kind':'ct'}" };
    char args[512];
    for (size_t n = 0; n < 4; n++) {
        for (size_t w = 0; w < 3; w++) {
            snprintf(args, sizeof args, "{'principal':%s,'params':{'id':'%s'},'body':{'provider':'test'}}", who[w], id);
            assert_int_equal(fixture_try(f, names[n], args), ERR_NOT_FOUND);
        }
    }
    snprintf(args, sizeof args, "{'principal':{'kind':'ct','customer':'ann'},'params':{'id':'%s'},'body':{}}", id);
    assert_int_equal(fixture_try(f, "orders.refund", args), ERR_DENIED);
    assert_int_equal(fixture_read(f, "orders.get", args), 0);
    assert_int_equal(fixture_read(f, "orders.list", "{'principal':{'kind':'ct','customer':'ann'},'query':{}}"), 0);
    assert_string_equal(fixture_text(f, "items/0/id"), id);
    assert_int_equal(fixture_read(f, "orders.list", "{'principal':{'kind':'ct','customer':'bob'},'query':{'customer':'ann'}}"), 0);
    assert_null(fixture_at(f->body, "items/0"));
    assert_int_equal(fixture_read(f, "orders.list", "{'principal':{'kind':'pk'},'query':{}}"), ERR_DENIED);
    assert_int_equal(fixture_try(f, "orders.cancel", args), 0);
}

static void an_order_priced_on_an_older_customer_is_priced_again(void **state)
{
    struct fixture *f = *state;
    const char *cart = "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'ann','version':0}";
    fixture_order(f, cart);
    assert_int_equal(fixture_place(f, cart, "{" SK ",'body':{}}"), ERR_RETRY);
    fixture_stock_is(f, "TEA", 10, 1);
    fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'ann','version':1}");
    fixture_do(f, "customers.put", "{" SK ",'params':{'id':'ann'},'body':{'tags':['vip'],'email':'ann@example.org'}}");
    assert_int_equal(fixture_int(f, "orders"), 2);
    assert_int_equal(fixture_place(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'ann','version':2}", "{" SK ",'body':{}}"),
                     ERR_RETRY);
}

static void an_order_with_final_prices_does_not_depend_on_its_customer(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++)
        fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}],'customer':'17850','version':0,'final':true}");
    assert_int_equal(fixture_read(f, "customers.get", "{" SK ",'params':{'id':'17850'}}"), 0);
    assert_int_equal(fixture_int(f, "orders"), 3);
}

static void only_a_server_says_who_when_and_under_which_number(void **state)
{
    struct fixture *f = *state;
    const char *cart = "{'lines':[{'sku':'TEA','qty':1,'price':1000}]}";
    assert_int_equal(fixture_place(f, cart, "{'principal':{'kind':'pk'},'body':{'placed_at':'2011-01-01T00:00:00Z'}}"), ERR_DENIED);
    assert_string_equal(f->err.field, "/placed_at");
    assert_int_equal(fixture_place(f, cart, "{'principal':{'kind':'ct','customer':'ann'},'body':{}}"), ERR_DENIED);
    assert_int_equal(
        fixture_place(f, cart, "{'principal':{'kind':'pk'},'body':{'contact':{'name':'Zoë','email':'z@example.org'},'note':'ring'}}"), 0);
    assert_string_equal(fixture_text(f, "contact/name"), "Zoë");
    assert_int_equal(fixture_place(f, cart, "{" SK ",'body':{'placed_at':'2011-01-01T00:00:00Z','reference':'536365'}}"), 0);
    assert_string_equal(fixture_text(f, "placed_at"), "2011-01-01T00:00:00Z");
    assert_int_equal(fixture_read(f, "orders.list", "{" SK ",'query':{'reference':'536365'}}"), 0);
    assert_string_equal(fixture_text(f, "items/0/reference"), "536365");
    assert_null(fixture_at(f->body, "items/1"));
    assert_int_equal(fixture_place(f, cart, "{" SK ",'body':{'expected_total':999}}"), ERR_CONFLICT);
    assert_string_equal(f->err.reason, "price_changed");
}

static void lists_go_page_by_page(void **state)
{
    struct fixture *f = *state;
    char args[256];
    for (int i = 0; i < 7; i++)
        fixture_order(f, "{'lines':[{'sku':'TEA','qty':1,'price':1000}]}");
    const char *cursor = "", *seen = "z";
    int n = 0;
    do {
        snprintf(args, sizeof args, "{" SK ",'query':{'limit':'3','state':'placed'%s%s%s}}", *cursor ? ",'cursor':'" : "", cursor,
                 *cursor ? "'" : "");
        assert_int_equal(fixture_read(f, "orders.list", args), 0);
        for (int i = 0;; i++, n++) {
            char path[32];
            snprintf(path, sizeof path, "items/%d/id", i);
            if (!fixture_at(f->body, path))
                break;
            const char *id = fixture_text(f, path);
            assert_true(strcmp(id, seen) < 0); /* newest first */
            seen = id;
        }
        cursor = fixture_at(f->body, "next_cursor")->type == JSON_NULL ? NULL : fixture_text(f, "next_cursor");
    } while (cursor);
    assert_int_equal(n, 7);
    assert_int_equal(fixture_read(f, "orders.list", "{" SK ",'query':{'cursor':'1 OR 1=1'}}"), ERR_INVALID);
    assert_int_equal(fixture_read(f, "orders.list", "{" SK ",'query':{'limit':'0'}}"), ERR_INVALID);
    assert_int_equal(fixture_read(f, "orders.list", "{" SK ",'query':{'state':'lost'}}"), ERR_INVALID);
}

static void store_run_sql(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    assert_int_equal(store_prepare(f->conn, sql, &s, NULL), 0);
    assert_int_equal(store_run(s, NULL, NULL), 0);
}

static struct slice written_for(struct fixture *f, const char *id)
{
    struct store_stmt *s;
    assert_int_equal(
        store_prepare(
            f->conn,
            "SELECT group_concat(substr(t.id, 31) || ' ' || t.kind || ' ' || t.debit || ' ' || t.credit || ' ' || t.amount || ' ' ||"
            " (t.reference = o.order_id) || ' ' || o.holds, '; ')"
            " FROM orders o LEFT JOIN ledger_transfers t ON t.reference = o.order_id WHERE o.order_id = ?1 ORDER BY t.seq",
            &s, NULL),
        0);
    store_bind_text(s, 1, slice_str(id));
    assert_int_equal(store_step(s, NULL), 1);
    struct slice all = arena_copy(&f->kept, store_column_text(s, 0));
    store_reset(s);
    return all;
}

static void what_lies_at_one_place_is_taken_as_what_is_chosen(void **state)
{
    struct fixture *f = *state;
    static const char cart[] =
        "{'lines':[{'sku':'CUP','qty':1,'price':333},{'sku':'AIR','qty':9,'price':1},{'sku':'TEA','qty':2,'price':1000},"
        "{'sku':'CUP','qty':1,'price':333}]}";
    static const char free_cart[] = "{'lines':[{'sku':'CUP','qty':1,'price':0},{'sku':'TEA','qty':1,'price':0}]}";
    static const char air[] = "{'lines':[{'sku':'AIR','qty':3,'price':5}]}";
    fixture_product(f, "AIR", 1, 0);
    assert_int_equal(fixture_try(f, "stock.change", "{" SK ",'body':{'sku':'CUP','delta':5,'reason':'found'}}"), 0);
    store_run_sql(f, "UPDATE products SET track_stock = 0 WHERE sku = 'AIR'");
    struct slice chosen[3], taken[3];
    const char *const carts[] = { cart, free_cart, air };
    for (int i = 0; i < 3; i++)
        chosen[i] = written_for(f, fixture_order(f, carts[i]));
    f->ctx.place_of = one_place;
    for (int i = 0; i < 3; i++) {
        taken[i] = written_for(f, fixture_order(f, carts[i]));
        assert_true(slice_eq(chosen[i], taken[i]));
    }
    assert_int_equal(f->asked_places, 3 + 2 + 1);
    assert_true(chosen[0].len > 40);
    fixture_stock_is(f, "CUP", 10 - 2, 4);

    /* The second place makes it a choice: the store is asked. */
    assert_int_equal(fixture_try(f, "stock.change", "{" SK ",'body':{'sku':'CUP','location':'back','delta':7,'reason':'found'}}"), 0);
    fixture_order(f, "{'lines':[{'sku':'CUP','qty':6,'price':333}]}");
}

static void a_handler_cannot_write(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_read(f, "stock.change", "{" SK ",'body':{'sku':'TEA','delta':1,'reason':'x'}}"), ERR_SCRIPT);
    assert_non_null(strstr(f->err.text, "in a handler"));
    fixture_stock_is(f, "TEA", 10, 0);
}

/* Each in a shop that knows where its products lie, and in one that asks the store: that must make no difference. */
#define SHOP_TEST(name)                                                                                                                    \
    cmocka_unit_test_setup_teardown(name, open_shop, close_shop),                                                                          \
        cmocka_unit_test_setup_teardown(name, open_shop_that_knows_places, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SHOP_TEST(an_order_holds_stock_and_paying_sells_it),
        SHOP_TEST(the_last_piece_is_sold_once),
        SHOP_TEST(lines_of_one_sku_need_their_sum),
        SHOP_TEST(stock_of_several_places_is_taken_together),
        SHOP_TEST(stock_that_nobody_counts_never_runs_out),
        SHOP_TEST(cancelling_gives_back_what_was_held),
        SHOP_TEST(cancelling_a_paid_order_refunds_what_is_left),
        SHOP_TEST(an_unpaid_order_expires_once),
        SHOP_TEST(a_paid_order_does_not_expire),
        SHOP_TEST(an_order_that_costs_nothing_is_paid_at_once),
        SHOP_TEST(refunds_of_parts_add_up_to_what_was_paid),
        SHOP_TEST(nothing_is_refunded_twice),
        SHOP_TEST(nobody_pays_more_than_is_due),
        SHOP_TEST(others_orders_are_not_there),
        SHOP_TEST(an_order_priced_on_an_older_customer_is_priced_again),
        SHOP_TEST(an_order_with_final_prices_does_not_depend_on_its_customer),
        SHOP_TEST(only_a_server_says_who_when_and_under_which_number),
        SHOP_TEST(lists_go_page_by_page),
        SHOP_TEST(a_handler_cannot_write),
        cmocka_unit_test_setup_teardown(what_lies_at_one_place_is_taken_as_what_is_chosen, open_shop, close_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
