#include "ledger/ledger.h"
#include "store/faultvfs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>

static struct store_migration schema[] = { { 1, "ledger", NULL }, { 2, "statements", NULL }, { 0 } };

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks hooks;
    int64_t stock, buyer, shop, points; /* accounts; points is of another unit */
};

#define S(text) slice_str(text)

static int64_t account(struct ledger *l, const char *name, const char *unit, unsigned flags)
{
    int64_t id = 0;
    struct err err;
    if (ledger_account(l, S(name), S(unit), flags, &id, &err) < 0)
        fail_msg("%s", err.text);
    return id;
}

static void begin(struct fixture *f)
{
    struct err err;
    assert_int_equal(store_begin(f->conn, &err), 0);
    assert_int_equal(store_savepoint(f->conn, &err), 0);
    f->hooks.savepoint(f->hooks.ctx);
}

static void commit(struct fixture *f)
{
    struct err err;
    assert_int_equal(store_release(f->conn, &err), 0);
    assert_int_equal(f->hooks.before_commit(f->hooks.ctx, &err), 0);
    assert_int_equal(store_commit(f->conn, &err), 0);
    f->hooks.committed(f->hooks.ctx);
}

static void back_to_savepoint(struct fixture *f)
{
    struct err err;
    f->hooks.rollback_to(f->hooks.ctx);
    assert_int_equal(store_rollback_to(f->conn, &err), 0);
    assert_int_equal(store_savepoint(f->conn, &err), 0);
    f->hooks.savepoint(f->hooks.ctx);
}

static void setup(struct fixture *f)
{
    struct err err;
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    if (store_open(&(struct store_options){ .path = ":memory:", .migrations = schema }, &f->store, &err) < 0)
        fail_msg("%s", err.text);
    f->conn = store_writer_conn(f->store);
    assert_int_equal(ledger_open(f->store, &f->ledger, &err), 0);
    f->hooks = ledger_hooks(f->ledger);
    begin(f);
    f->stock = account(f->ledger, "stock/TEA", "pcs", LEDGER_NO_OVERDRAFT);
    f->buyer = account(f->ledger, "sold/TEA", "pcs", 0);
    f->shop = account(f->ledger, "supplier/TEA", "pcs", 0);
    f->points = account(f->ledger, "points/1", "points", 0);
    commit(f);
    begin(f);
}

static void teardown(struct fixture *f)
{
    struct err err;
    commit(f);
    if (ledger_verify(f->conn, &err) < 0)
        fail_msg("%s", err.text);
    ledger_close(f->ledger);
    store_close(f->store);
}

static struct ledger_op move(const char *id, int64_t from, int64_t to, int64_t amount)
{
    return (struct ledger_op){ .kind = LEDGER_TRANSFER, .id = S(id), .debit = from, .credit = to, .amount = amount };
}

static struct ledger_op hold(const char *id, int64_t from, int64_t to, int64_t amount)
{
    return (struct ledger_op){ .kind = LEDGER_HOLD, .id = S(id), .debit = from, .credit = to, .amount = amount, .expires_ms = 9000 };
}

static struct ledger_op post(const char *id, const char *pending, int64_t amount)
{
    return (struct ledger_op){ .kind = LEDGER_POST, .id = S(id), .amount = amount, .pending = S(pending) };
}

static struct ledger_op void_(const char *id, const char *pending)
{
    return (struct ledger_op){ .kind = LEDGER_VOID, .id = S(id), .pending = S(pending) };
}

static int apply1(struct fixture *f, struct ledger_op op, struct err *err)
{
    return ledger_apply(f->ledger, &op, 1, 1000, NULL, err);
}

static void ok(struct fixture *f, struct ledger_op op)
{
    struct err err;
    if (apply1(f, op, &err) < 0)
        fail_msg("%s", err.text);
}

static void refused(struct fixture *f, struct ledger_op op, int code, const char *reason_or_field)
{
    struct err err;
    assert_int_equal(apply1(f, op, &err), code);
    assert_int_equal(err.code, code);
    if (strcmp(err.reason, reason_or_field) != 0 && strcmp(err.field, reason_or_field) != 0)
        fail_msg("expected %s, got reason \"%s\", field \"%s\": %s", reason_or_field, err.reason, err.field, err.text);
}

static struct ledger_balance balance(struct fixture *f, int64_t id)
{
    struct ledger_balance b;
    struct err err;
    assert_int_equal(ledger_balance(f->ledger, id, &b, &err), 0);
    return b;
}

static int64_t available(struct fixture *f, int64_t id)
{
    struct ledger_balance b = balance(f, id);
    return ledger_available(&b);
}

static int64_t transfers(struct fixture *f)
{
    struct store_stmt *s;
    struct err err;
    assert_int_equal(store_prepare(f->conn, "SELECT count(*) FROM ledger_transfers", &s, &err), 0);
    assert_int_equal(store_step(s, &err), 1);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static void test_an_account_is_made_once_and_keeps_its_id_and_unit(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct err err;
    int64_t id;
    assert_int_equal(account(f.ledger, "stock/TEA", "pcs", 0), f.stock);
    assert_int_equal(balance(&f, f.stock).flags, LEDGER_NO_OVERDRAFT); /* flags apply when it is made */
    assert_int_equal(ledger_account(f.ledger, S("stock/TEA"), S("CNY"), 0, &id, &err), ERR_INVALID);
    assert_string_equal(err.field, "unit");
    assert_int_equal(ledger_account(f.ledger, S(""), S("CNY"), 0, &id, &err), ERR_INVALID);
    assert_int_equal(ledger_account(f.ledger, S("x"), S(""), 0, &id, &err), ERR_INVALID);
    assert_int_equal(ledger_account(f.ledger, S("x"), S("CNY"), 64, &id, &err), ERR_INVALID);
    int64_t undone = account(f.ledger, "later", "pcs", 0);
    back_to_savepoint(&f);
    struct ledger_balance b;
    assert_int_equal(ledger_balance(f.ledger, undone, &b, &err), ERR_NOT_FOUND);
    account(f.ledger, "later", "CNY", 0); /* as if the first had never been */
    teardown(&f);
}

static void test_the_last_one_is_sold_once(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 1));
    ok(&f, hold("a", f.stock, f.buyer, 1));
    refused(&f, hold("b", f.stock, f.buyer, 1), ERR_CONFLICT, "insufficient");
    refused(&f, hold("b", f.stock, f.buyer, 1), ERR_CONFLICT, "stock/TEA");
    assert_int_equal(available(&f, f.stock), 0);
    ok(&f, void_("a-void", "a"));
    ok(&f, hold("b", f.stock, f.buyer, 1));
    ok(&f, post("b-post", "b", INT64_MAX));
    assert_int_equal(balance(&f, f.stock).debits_posted, 1);
    assert_int_equal(balance(&f, f.stock).debits_pending, 0);
    assert_int_equal(balance(&f, f.buyer).credits_posted, 1);
    teardown(&f);
}

static void test_posting_less_than_was_held_releases_the_rest(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 10));
    ok(&f, hold("h", f.stock, f.buyer, 7));
    refused(&f, post("p", "h", 8), ERR_INVALID, "amount");
    refused(&f, post("p", "h", 0), ERR_INVALID, "amount");
    ok(&f, post("p", "h", 3));
    assert_int_equal(available(&f, f.stock), 7);
    assert_int_equal(balance(&f, f.buyer).credits_pending, 0);
    refused(&f, post("p2", "h", 4), ERR_STATE, "hold_posted");
    refused(&f, void_("v", "h"), ERR_STATE, "hold_posted");
    refused(&f, void_("v", "nothing"), ERR_NOT_FOUND, "pending");
    refused(&f, void_("v", "in"), ERR_NOT_FOUND, "pending");
    teardown(&f);
}

static void test_doing_it_twice_is_doing_it_once_even_when_nothing_is_left(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 1));
    ok(&f, hold("h", f.stock, f.buyer, 1));
    ok(&f, hold("h", f.stock, f.buyer, 1));
    ok(&f, post("p", "h", INT64_MAX));
    ok(&f, post("p", "h", INT64_MAX));
    ok(&f, post("p", "h", 1)); /* the same amount in figures */
    ok(&f, hold("h", f.stock, f.buyer, 1));
    assert_int_equal(balance(&f, f.stock).debits_posted, 1);
    assert_int_equal(transfers(&f), 3);
    commit(&f);
    begin(&f);
    ok(&f, move("in", f.shop, f.stock, 1));
    assert_int_equal(available(&f, f.stock), 0);
    teardown(&f);
}

static void test_the_same_id_with_other_content_is_a_mismatch(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 5));
    ok(&f, hold("h", f.stock, f.buyer, 1));
    ok(&f, hold("h2", f.stock, f.buyer, 1));
    ok(&f, post("p", "h", 1));
    refused(&f, move("in", f.shop, f.stock, 6), ERR_MISMATCH, "id");
    refused(&f, move("in", f.shop, f.buyer, 5), ERR_MISMATCH, "id");
    refused(&f, hold("in", f.shop, f.stock, 5), ERR_MISMATCH, "id");
    refused(&f, post("p", "h2", 1), ERR_MISMATCH, "id");
    refused(&f, void_("p", "h"), ERR_MISMATCH, "id");
    struct ledger_op other = move("in", f.shop, f.stock, 5);
    other.reference = S("ord_1");
    refused(&f, other, ERR_MISMATCH, "id");
    teardown(&f);
}

static void test_a_set_is_done_whole_or_not_at_all_and_the_command_may_go_on(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct err err;
    size_t failed = 99;
    ok(&f, move("in", f.shop, f.stock, 5));
    struct ledger_op set[] = { hold("a", f.stock, f.buyer, 3), hold("b", f.stock, f.buyer, 3) };
    assert_int_equal(ledger_apply(f.ledger, set, 2, 0, &failed, &err), ERR_CONFLICT);
    assert_int_equal(failed, 1);
    assert_int_equal(available(&f, f.stock), 5);
    assert_int_equal(transfers(&f), 1);
    /* The id of the second was done before with other content: found only when it is written. */
    ok(&f, move("b", f.shop, f.stock, 1));
    set[1] = hold("b", f.stock, f.buyer, 1);
    assert_int_equal(ledger_apply(f.ledger, set, 2, 0, &failed, &err), ERR_MISMATCH);
    assert_int_equal(failed, 1);
    assert_int_equal(available(&f, f.stock), 6);
    assert_int_equal(transfers(&f), 2);
    set[1] = hold("c", f.stock, f.buyer, 3);
    assert_int_equal(ledger_apply(f.ledger, set, 2, 0, NULL, &err), 0);
    assert_int_equal(available(&f, f.stock), 0);
    assert_int_equal(ledger_apply(f.ledger, set, 2, 0, NULL, &err), 0); /* again, whole */
    assert_int_equal(ledger_apply(f.ledger, NULL, 0, 0, NULL, &err), 0);
    teardown(&f);
}

static void test_operations_of_a_set_see_those_before_them(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct err err;
    struct ledger_op set[] = { move("in", f.shop, f.stock, 2), hold("h", f.stock, f.buyer, 2), post("p", "h", 1),
                               move("out", f.stock, f.shop, 1) };
    assert_int_equal(ledger_apply(f.ledger, set, 4, 0, NULL, &err), 0);
    assert_int_equal(ledger_apply(f.ledger, set, 4, 0, NULL, &err), 0);
    assert_int_equal(transfers(&f), 4);
    assert_int_equal(available(&f, f.stock), 0);
    size_t failed;
    struct ledger_op twice[] = { move("in2", f.shop, f.stock, 2), hold("h2", f.stock, f.buyer, 2), post("p2", "h2", 1), void_("v2", "h2") };
    assert_int_equal(ledger_apply(f.ledger, twice, 4, 0, &failed, &err), ERR_STATE);
    assert_int_equal(failed, 3);
    struct ledger_op same[] = { move("in3", f.shop, f.stock, 2), move("in3", f.shop, f.stock, 2) };
    assert_int_equal(ledger_apply(f.ledger, same, 2, 0, NULL, &err), 0);
    assert_int_equal(available(&f, f.stock), 2);
    same[0].id = same[1].id = S("in4");
    same[1].amount = 3;
    assert_int_equal(ledger_apply(f.ledger, same, 2, 0, &failed, &err), ERR_MISMATCH);
    assert_int_equal(failed, 1);
    teardown(&f);
}

static void test_wrong_operations_are_refused_by_name(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    char longest[98];
    memset(longest, 'x', 97);
    longest[97] = '\0';
    refused(&f, move("a", f.shop, f.stock, 0), ERR_INVALID, "amount");
    refused(&f, move("a", f.shop, f.stock, -1), ERR_INVALID, "amount");
    refused(&f, move("a", f.stock, f.stock, 1), ERR_INVALID, "credit");
    refused(&f, move("a", f.shop, f.points, 1), ERR_INVALID, "credit");
    refused(&f, move("", f.shop, f.stock, 1), ERR_INVALID, "id");
    refused(&f, move(longest, f.shop, f.stock, 1), ERR_INVALID, "id");
    refused(&f, post("p", "", 1), ERR_INVALID, "pending");
    refused(&f, move("a", 12345, f.stock, 1), ERR_NOT_FOUND, "");
    longest[96] = '\0';
    ok(&f, move(longest, f.shop, f.stock, 1));
    teardown(&f);
}

static void test_sums_never_leave_their_range(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    ok(&f, move("a", f.shop, f.buyer, INT64_MAX - 5));
    refused(&f, move("b", f.shop, f.buyer, 6), ERR_OVERFLOW, "amount");
    refused(&f, hold("c", f.shop, f.stock, 6), ERR_OVERFLOW, "amount"); /* what left and what is held must fit together */
    ok(&f, hold("d", f.shop, f.stock, 5));
    assert_true(available(&f, f.shop) == -INT64_MAX);
    teardown(&f);
}

static void test_closed_and_frozen_accounts_refuse_but_give_back_what_is_held(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 5));
    ok(&f, hold("h", f.stock, f.buyer, 1));
    ok(&f, hold("k", f.stock, f.buyer, 1));
    assert_int_equal(ledger_set_flags(f.ledger, f.stock, LEDGER_NO_OVERDRAFT | LEDGER_FROZEN, &err), 0);
    refused(&f, move("o", f.stock, f.buyer, 1), ERR_STATE, "account_frozen");
    refused(&f, post("p", "h", 1), ERR_STATE, "account_frozen");
    ok(&f, move("in2", f.shop, f.stock, 1));
    ok(&f, void_("v", "h"));
    int64_t spare = account(f.ledger, "spare", "pcs", 0);
    assert_int_equal(ledger_set_flags(f.ledger, spare, LEDGER_CLOSED, &err), 0);
    refused(&f, move("in3", f.shop, spare, 1), ERR_STATE, "account_closed");
    refused(&f, move("in4", spare, f.shop, 1), ERR_STATE, "account_closed");
    back_to_savepoint(&f); /* flags are undone as balances are */
    assert_int_equal(balance(&f, f.stock).flags, LEDGER_NO_OVERDRAFT);
    ok(&f, move("o", f.shop, f.buyer, 5));
    assert_int_equal(ledger_set_flags(f.ledger, f.shop, LEDGER_NO_OVERDRAFT, &err), ERR_STATE);
    teardown(&f);
}

static void test_readers_see_balances_after_the_commit(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct ledger_balance b;
    struct err err;
    ok(&f, move("in", f.shop, f.stock, 5));
    commit(&f);
    begin(&f);
    assert_int_equal(ledger_balance_read(f.conn, S("stock/TEA"), &b, &err), 0);
    assert_int_equal(b.credits_posted, 5);
    assert_int_equal(b.flags, LEDGER_NO_OVERDRAFT);
    assert_int_equal(ledger_balance_read(f.conn, S("stock/COFFEE"), &b, &err), ERR_NOT_FOUND);
    teardown(&f);
}

static void spoil(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    assert_int_equal(store_prepare(f->conn, sql, &s, &err), 0);
    assert_int_equal(store_run(s, NULL, &err), 0);
}

static void test_verify_finds_every_kind_of_wrong_entry(void **state)
{
    (void)state;
    static const char *const wrongs[] = {
        "UPDATE ledger_accounts SET credits_posted = credits_posted + 1 WHERE id = 1",
        "UPDATE ledger_accounts SET debits_pending = debits_pending + 1 WHERE id = 1",
        "UPDATE ledger_accounts SET unit = 'CNY' WHERE id = 1",
        "UPDATE ledger_transfers SET amount = amount + 1 WHERE seq = 1",
        "UPDATE ledger_transfers SET amount = 0 WHERE seq = 1",
        "UPDATE ledger_transfers SET credit = 99 WHERE seq = 2",
        "UPDATE ledger_transfers SET kind = 9 WHERE seq = 1",
        "UPDATE ledger_transfers SET kind = 0 WHERE seq = 3",
        "UPDATE ledger_transfers SET pending = 1 WHERE seq = 3",
        "DELETE FROM ledger_transfers WHERE seq = 3",
        "DELETE FROM ledger_transfers WHERE seq = 2",
        "DELETE FROM ledger_accounts WHERE id = 2",
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct fixture f;
        struct err err;
        setup(&f);
        ok(&f, move("in", f.shop, f.stock, 5));
        ok(&f, hold("h", f.stock, f.buyer, 3));
        ok(&f, post("p", "h", 2));
        ok(&f, hold("open", f.stock, f.buyer, 1));
        commit(&f);
        assert_int_equal(ledger_verify(f.conn, &err), 0);
        spoil(&f, wrongs[i]);
        if (ledger_verify(f.conn, &err) != ERR_CORRUPT)
            fail_msg("not found: %s", wrongs[i]);
        ledger_close(f.ledger);
        store_close(f.store);
    }
}

static void test_a_set_that_could_not_be_taken_back_spoils_its_savepoint_only(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    setup(&f);
    ok(&f, move("in", f.shop, f.stock, 5));
    commit(&f);
    begin(&f);
    /* Refuses the second row and also that the first is deleted. */
    spoil(&f, "CREATE TRIGGER no_second BEFORE INSERT ON ledger_transfers WHEN new.id = 'b' BEGIN SELECT raise(ABORT, 'no'); END");
    spoil(&f, "CREATE TRIGGER no_delete BEFORE DELETE ON ledger_transfers BEGIN SELECT raise(ABORT, 'no'); END");
    struct ledger_op set[] = { hold("a", f.stock, f.buyer, 1), hold("b", f.stock, f.buyer, 1) };
    assert_int_equal(ledger_apply(f.ledger, set, 2, 0, NULL, &err), ERR_INTERNAL);
    assert_int_equal(apply1(&f, hold("c", f.stock, f.buyer, 1), &err), ERR_IO);
    assert_int_equal(f.hooks.before_commit(f.hooks.ctx, &err), ERR_IO);
    back_to_savepoint(&f);
    ok(&f, hold("c", f.stock, f.buyer, 1));
    teardown(&f);
}

/* --- one writer, two readers ------------------------------------------------------------------------------------------------ */

enum { BUYERS = 600, STOCK = 400 };

struct shop {
    struct store *store;
    struct ledger *ledger;
    int64_t stock, sold;
    _Atomic int won, lost;
    _Atomic bool over;
};

struct buyer {
    struct writer_command base;
    struct shop *shop;
    char id[24];
};

static int buy(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct buyer *b = (struct buyer *)base;
    struct ledger_op op = hold(b->id, b->shop->stock, b->shop->sold, 1);
    return ledger_apply(b->shop->ledger, &op, 1, 5, NULL, err);
}

static void bought(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct buyer *b = (struct buyer *)base;
    if (rc == 0)
        b->shop->won++;
    else if (rc == ERR_CONFLICT)
        b->shop->lost++;
}

static void *watch(void *arg)
{
    struct shop *shop = arg;
    struct store_conn *r;
    struct ledger_balance stock, sold;
    int64_t last = 0;
    if (store_reader_open(shop->store, &r, NULL) < 0)
        return "no reader";
    const char *bad = NULL;
    while (!shop->over && !bad) {
        if (store_begin(r, NULL) < 0 || ledger_balance_read(r, S("stock/TEA"), &stock, NULL) < 0 ||
            ledger_balance_read(r, S("sold/TEA"), &sold, NULL) < 0)
            bad = "can't read";
        else if (ledger_available(&stock) < 0)
            bad = "oversold";
        else if (stock.debits_pending != sold.credits_pending)
            bad = "half a commit was seen";
        else if (stock.debits_pending < last)
            bad = "went back in time";
        last = stock.debits_pending;
        store_rollback(r);
    }
    store_reader_close(r);
    return (void *)bad;
}

static void test_while_readers_watch_nothing_is_oversold_and_no_half_commit_is_seen(void **state)
{
    (void)state;
    struct err err;
    struct faultvfs *disk;
    struct shop shop = { 0 };
    struct writer *w;
    assert_int_equal(faultvfs_open("ledger_readers", 1, &disk, &err), 0);
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    assert_int_equal(
        store_open(&(struct store_options){ .path = "shop.db", .vfs = "ledger_readers", .migrations = schema }, &shop.store, &err), 0);
    assert_int_equal(ledger_open(shop.store, &shop.ledger, &err), 0);
    struct fixture f = {
        .store = shop.store, .conn = store_writer_conn(shop.store), .ledger = shop.ledger, .hooks = ledger_hooks(shop.ledger)
    };
    begin(&f);
    shop.stock = account(f.ledger, "stock/TEA", "pcs", LEDGER_NO_OVERDRAFT);
    shop.sold = account(f.ledger, "sold/TEA", "pcs", 0);
    ok(&f, move("in", account(f.ledger, "supplier", "pcs", 0), shop.stock, STOCK));
    commit(&f);
    assert_int_equal(writer_open(&(struct writer_options){ .store = shop.store, .batch_max = 16, .checkpoint_pages = 40 }, &w, &err), 0);
    writer_add_hooks(w, &f.hooks);
    assert_int_equal(writer_start(w, &err), 0);
    pthread_t watchers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&watchers[i], NULL, watch, &shop), 0);
    struct buyer *buyers = calloc(BUYERS, sizeof *buyers);
    assert_non_null(buyers);
    for (int i = 0; i < BUYERS; i++) {
        buyers[i] = (struct buyer){ .base = { .run = buy, .done = bought }, .shop = &shop };
        snprintf(buyers[i].id, sizeof buyers[i].id, "hold-%d", i);
        assert_int_equal(writer_submit(w, &buyers[i].base, &err), 0);
    }
    writer_stop(w);
    shop.over = true;
    for (int i = 0; i < 2; i++) {
        void *bad;
        pthread_join(watchers[i], &bad);
        if (bad)
            fail_msg("%s", (const char *)bad);
    }
    assert_int_equal(shop.won, STOCK);
    assert_int_equal(shop.lost, BUYERS - STOCK);
    writer_free(w);
    assert_int_equal(ledger_verify(f.conn, &err), 0);
    ledger_close(shop.ledger);
    store_close(shop.store);
    faultvfs_close(disk);
    free(buyers);
}

/* --- holds that nobody ends ------------------------------------------------------------------------------------------------ */

static void expire(struct fixture *f, int64_t now_ms, int limit, int expected)
{
    struct err err;
    int voided = -1;
    if (ledger_expire(f->ledger, now_ms, limit, &voided, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(voided, expected);
}

static enum ledger_standing standing(struct fixture *f, const char *id, int64_t now_ms)
{
    struct ledger_hold h;
    assert_int_equal(ledger_hold_read(f->conn, S(id), now_ms, &h, NULL), 0);
    return h.standing;
}

static void test_a_hold_is_given_back_when_its_time_has_come_and_once(void **state)
{
    struct fixture f;
    int64_t next = 0;
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 10));
    struct ledger_op late = hold("late", f.stock, f.buyer, 3), never = hold("never", f.stock, f.buyer, 1);
    late.expires_ms = 9500;
    never.expires_ms = 0;
    ok(&f, hold("soon", f.stock, f.buyer, 2));
    ok(&f, late);
    ok(&f, never);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 1);
    assert_int_equal(next, 9000);
    expire(&f, 8999, 10, 0);
    assert_int_equal(available(&f, f.stock), 4);
    expire(&f, 9000, 10, 1);
    assert_int_equal(available(&f, f.stock), 6);
    assert_int_equal(standing(&f, "soon", 9000), LEDGER_EXPIRED);
    refused(&f, post("p", "soon", 1), ERR_STATE, "hold_expired");
    refused(&f, void_("v", "soon"), ERR_STATE, "hold_expired");
    expire(&f, 99999, 10, 1);
    expire(&f, 99999, 10, 0);
    assert_int_equal(available(&f, f.stock), 9);
    assert_int_equal(standing(&f, "never", 99999), LEDGER_OPEN);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 0);
    teardown(&f);
}

static void test_a_hold_past_its_time_is_not_posted_even_before_it_was_given_back(void **state)
{
    struct fixture f;
    struct ledger_op p = post("p", "h", INT64_MAX);
    struct err err;
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 10));
    ok(&f, hold("h", f.stock, f.buyer, 2));
    assert_int_equal(ledger_apply(f.ledger, &p, 1, 9000, NULL, &err), ERR_STATE);
    assert_string_equal(err.reason, "hold_expired");
    assert_int_equal(standing(&f, "h", 8999), LEDGER_OPEN);
    assert_int_equal(standing(&f, "h", 9000), LEDGER_EXPIRED);
    assert_int_equal(ledger_apply(f.ledger, &p, 1, 8999, NULL, &err), 0);
    assert_int_equal(standing(&f, "h", 9000), LEDGER_POSTED);
    expire(&f, 9000, 10, 0);
    assert_int_equal(available(&f, f.stock), 8);
    teardown(&f);
}

static void test_a_set_that_takes_and_ends_a_hold_leaves_no_expiry(void **state)
{
    struct fixture f;
    int64_t next = 0;
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 10));
    struct ledger_op set[] = { hold("h1", f.stock, f.buyer, 2), post("p1", "h1", 1), hold("h2", f.stock, f.buyer, 2), void_("v2", "h2") };
    assert_int_equal(ledger_apply(f.ledger, set, 4, 1000, NULL, NULL), 0);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 0);
    struct ledger_op too_much[] = { hold("h3", f.stock, f.buyer, 2), hold("h4", f.stock, f.buyer, 200) };
    assert_int_equal(ledger_apply(f.ledger, too_much, 2, 1000, NULL, NULL), ERR_CONFLICT);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 0);
    ok(&f, hold("h5", f.stock, f.buyer, 1));
    back_to_savepoint(&f);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 0);
    teardown(&f);
}

static void test_many_are_given_back_a_part_at_a_time_the_earliest_first(void **state)
{
    struct fixture f;
    char id[16];
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 100));
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "h%d", i);
        struct ledger_op h = hold(id, f.stock, f.buyer, 1);
        h.expires_ms = 9000 - i;
        ok(&f, h);
    }
    expire(&f, 9000, 4, 4);
    assert_int_equal(standing(&f, "h9", 1000), LEDGER_EXPIRED);
    assert_int_equal(standing(&f, "h5", 1000), LEDGER_OPEN);
    expire(&f, 9000, 4, 4);
    expire(&f, 9000, 4, 2);
    teardown(&f);
}

/* As after a time with an earlier program: the hold is over, its expiry still there. */
static void test_an_expiry_whose_hold_is_over_is_dropped(void **state)
{
    struct fixture f;
    struct store_stmt *s;
    int64_t next = 0;
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 10));
    ok(&f, hold("h", f.stock, f.buyer, 2));
    ok(&f, void_("v", "h"));
    assert_int_equal(store_prepare(f.conn, "INSERT INTO ledger_expiries SELECT 9000, seq FROM ledger_transfers WHERE id = 'h'", &s, NULL),
                     0);
    assert_int_equal(store_run(s, NULL, NULL), 0);
    expire(&f, 9000, 10, 1);
    assert_int_equal(ledger_next_expiry(f.conn, &next, NULL), 0);
    assert_int_equal(available(&f, f.stock), 10);
    teardown(&f);
}

static void test_an_account_is_closed_only_when_nothing_is_in_it(void **state)
{
    struct fixture f;
    struct err err;
    setup(&f);
    (void)state;
    ok(&f, move("in", f.shop, f.stock, 2));
    assert_int_equal(ledger_set_flags(f.ledger, f.stock, LEDGER_NO_OVERDRAFT | LEDGER_CLOSED, &err), ERR_STATE);
    assert_string_equal(err.reason, "not_empty");
    ok(&f, move("out", f.stock, f.shop, 2));
    ok(&f, hold("h", f.shop, f.stock, 1));
    assert_int_equal(ledger_set_flags(f.ledger, f.stock, LEDGER_NO_OVERDRAFT | LEDGER_CLOSED, &err), ERR_STATE);
    ok(&f, void_("v", "h"));
    assert_int_equal(ledger_set_flags(f.ledger, f.stock, LEDGER_NO_OVERDRAFT | LEDGER_CLOSED, &err), 0);
    refused(&f, move("in2", f.shop, f.stock, 2), ERR_STATE, "account_closed");
    assert_int_equal(ledger_set_flags(f.ledger, f.stock, LEDGER_NO_OVERDRAFT, &err), 0);
    ok(&f, move("in2", f.shop, f.stock, 2));
    teardown(&f);
}

static bool is_there(struct fixture *f, const char *name)
{
    int64_t id;
    return ledger_find(f->ledger, S(name), &id, NULL) == 0;
}

static int64_t transfers_with(struct fixture *f, const char *text)
{
    struct store_stmt *s;
    struct err err;
    assert_int_equal(store_prepare(f->conn, "SELECT count(*) FROM ledger_transfers WHERE instr(id, ?1) OR instr(reference, ?1)", &s, &err),
                     0);
    store_bind_text(s, 1, S(text));
    assert_int_equal(store_step(s, &err), 1);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static int64_t rename_all(struct fixture *f, const char *from, const char *to)
{
    struct err err;
    int64_t n = -1;
    if (ledger_replace_name(f->ledger, S(from), S(to), &n, &err) < 0)
        fail_msg("%s", err.text);
    return n;
}

/* "an" is also a part of other names, and a SKU; those stay. A rename that is taken back never was. */
static void test_a_name_in_names_becomes_another_and_can_be_taken_back(void **state)
{
    (void)state;
    struct fixture f;
    struct err err;
    setup(&f);
    static const char *const others[] = { "stock/an/main", "payments/an", "points/of/ann", "campaign/an/uses" };
    for (size_t i = 0; i < 4; i++)
        account(f.ledger, others[i], "x", 0);
    int64_t purse = account(f.ledger, "points/of/an", "points", LEDGER_NO_OVERDRAFT), wallet = account(f.ledger, "value/an/gift", "EUR", 0);
    account(f.ledger, "campaign/tea/uses/an", "uses", 0);
    struct ledger_op op = move("points/welcome/an", f.points, purse, 5);
    op.reference = S("an");
    ok(&f, op);
    ok(&f, move("ord_1/an", f.points, purse, 2));
    commit(&f);
    begin(&f);
    assert_int_equal(rename_all(&f, "an", "gone-1"), 3);
    account(f.ledger, "points/of/an", "points", 0); /* somebody of that name comes again at once */
    back_to_savepoint(&f);
    assert_true(is_there(&f, "points/of/an") && is_there(&f, "value/an/gift") && !is_there(&f, "points/of/gone-1"));
    assert_int_equal(transfers_with(&f, "gone-1"), 0);
    assert_int_equal(rename_all(&f, "an", "gone-1"), 3);
    ok(&f, move("points/more", f.points, purse, 1));
    assert_int_equal(rename_all(&f, "gone-1", "gone-2"), 3);
    commit(&f);
    begin(&f);
    assert_true(is_there(&f, "points/of/gone-2") && is_there(&f, "value/gone-2/gift") && is_there(&f, "campaign/tea/uses/gone-2"));
    assert_true(!is_there(&f, "points/of/an") && !is_there(&f, "points/of/gone-1"));
    for (size_t i = 0; i < 4; i++)
        assert_true(is_there(&f, others[i]));
    assert_int_equal(transfers_with(&f, "gone-2"), 1);
    assert_int_equal(transfers_with(&f, "ord_1/an"), 1);
    struct ledger_balance b;
    assert_int_equal(ledger_balance(f.ledger, purse, &b, &err), 0);
    assert_int_equal(b.credits_posted, 8);
    assert_int_equal(ledger_balance(f.ledger, wallet, &b, &err), 0);
    assert_true(ledger_name_has(S("points/of/an"), S("an")) && !ledger_name_has(S("stock/an/main"), S("an")));
    assert_int_equal(rename_all(&f, "an", "gone-3"), 0);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_account_is_made_once_and_keeps_its_id_and_unit),
        cmocka_unit_test(test_the_last_one_is_sold_once),
        cmocka_unit_test(test_posting_less_than_was_held_releases_the_rest),
        cmocka_unit_test(test_doing_it_twice_is_doing_it_once_even_when_nothing_is_left),
        cmocka_unit_test(test_the_same_id_with_other_content_is_a_mismatch),
        cmocka_unit_test(test_a_set_is_done_whole_or_not_at_all_and_the_command_may_go_on),
        cmocka_unit_test(test_operations_of_a_set_see_those_before_them),
        cmocka_unit_test(test_wrong_operations_are_refused_by_name),
        cmocka_unit_test(test_sums_never_leave_their_range),
        cmocka_unit_test(test_closed_and_frozen_accounts_refuse_but_give_back_what_is_held),
        cmocka_unit_test(test_readers_see_balances_after_the_commit),
        cmocka_unit_test(test_verify_finds_every_kind_of_wrong_entry),
        cmocka_unit_test(test_a_set_that_could_not_be_taken_back_spoils_its_savepoint_only),
        cmocka_unit_test(test_a_hold_is_given_back_when_its_time_has_come_and_once),
        cmocka_unit_test(test_a_hold_past_its_time_is_not_posted_even_before_it_was_given_back),
        cmocka_unit_test(test_a_set_that_takes_and_ends_a_hold_leaves_no_expiry),
        cmocka_unit_test(test_many_are_given_back_a_part_at_a_time_the_earliest_first),
        cmocka_unit_test(test_an_expiry_whose_hold_is_over_is_dropped),
        cmocka_unit_test(test_an_account_is_closed_only_when_nothing_is_in_it),
        cmocka_unit_test(test_a_name_in_names_becomes_another_and_can_be_taken_back),
        cmocka_unit_test(test_while_readers_watch_nothing_is_oversold_and_no_half_commit_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
