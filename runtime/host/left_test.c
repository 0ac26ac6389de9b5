#include "host/left.h"
#include "bind/bind.h"
#include "ledger/ledger.h"
#include "store/writer.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define S(text) slice_str(text)

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks hooks;
    struct symbols *symbols;
    struct left *left;
    struct err err;
    int64_t coupons, given, many; /* accounts; `many` is not published */
    int moves;
};

static void begin(struct fixture *f)
{
    assert_int_equal(store_begin(f->conn, &f->err), 0);
    f->hooks.savepoint(f->hooks.ctx);
}

static void commit(struct fixture *f)
{
    assert_int_equal(f->hooks.before_commit(f->hooks.ctx, &f->err), 0);
    assert_int_equal(store_commit(f->conn, &f->err), 0);
    f->hooks.committed(f->hooks.ctx);
}

static void look_again(struct fixture *f)
{
    left_close(f->left);
    assert_int_equal(left_open(f->symbols, f->conn, f->ledger, &f->left, &f->err), 0);
}

static int64_t account(struct fixture *f, const char *name, unsigned flags)
{
    int64_t id;
    if (ledger_account(f->ledger, S(name), S("uses"), flags, &id, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return id;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    f->symbols = symbols_new(NULL);
    assert_int_equal(ledger_open(f->store, &f->ledger, &f->err), 0);
    f->hooks = ledger_hooks(f->ledger);
    assert_int_equal(left_open(f->symbols, f->conn, f->ledger, &f->left, &f->err), 0);
    begin(f);
    f->coupons = account(f, "launch/coupons", LEDGER_NO_OVERDRAFT | LEDGER_PUBLISHED);
    f->given = account(f, "launch/given", 0);
    f->many = account(f, "launch/ann", LEDGER_NO_OVERDRAFT);
    commit(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    left_close(f->left);
    ledger_close(f->ledger);
    store_close(f->store);
    symbols_free(f->symbols);
    free(f);
    return 0;
}

static void apply(struct fixture *f, struct ledger_op op)
{
    if (ledger_apply(f->ledger, &op, 1, 1000, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void move(struct fixture *f, int64_t from, int64_t to, int64_t amount)
{
    char id[16];
    snprintf(id, sizeof id, "m%d", f->moves++);
    apply(f, (struct ledger_op){ .kind = LEDGER_TRANSFER, .id = S(id), .debit = from, .credit = to, .amount = amount });
}

static int64_t left(struct fixture *f, const char *name)
{
    int64_t n;
    return left_of(f->left, S(name), &n) ? n : -1;
}

static void what_is_left_is_told_with_the_commit_and_what_comes_back_too(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(left(f, "launch/coupons"), 0); /* told though nothing moved yet */
    assert_true(left_exhausted(f->left, S("launch/coupons"), 1));
    begin(f);
    move(f, f->given, f->coupons, 5);
    assert_int_equal(left(f, "launch/coupons"), 0);
    commit(f);
    assert_int_equal(left(f, "launch/coupons"), 5);
    assert_false(left_exhausted(f->left, S("launch/coupons"), 5));
    assert_true(left_exhausted(f->left, S("launch/coupons"), 6));
    begin(f);
    apply(f, (struct ledger_op){
                 .kind = LEDGER_HOLD, .id = S("h"), .debit = f->coupons, .credit = f->given, .amount = 5, .expires_ms = 2000 });
    commit(f);
    assert_true(left_exhausted(f->left, S("launch/coupons"), 1));
    begin(f);
    int voided;
    assert_int_equal(ledger_expire(f->ledger, 2000, 10, &voided, &f->err), 0);
    commit(f);
    assert_int_equal(left(f, "launch/coupons"), 5);
}

static void what_is_not_published_is_not_known(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(left(f, "launch/ann"), -1);
    assert_int_equal(left(f, "nothing"), -1);
    assert_false(left_exhausted(f->left, S("launch/ann"), 1)); /* it has nothing, but that is for the store to say */
    begin(f);
    assert_int_equal(account(f, "launch/ann", LEDGER_NO_OVERDRAFT | LEDGER_PUBLISHED), f->many);
    commit(f);
    assert_int_equal(left(f, "launch/ann"), 0);
}

static void what_is_undone_is_not_told(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, f->given, f->coupons, 5);
    store_rollback(f->conn);
    f->hooks.aborted(f->hooks.ctx);
    begin(f);
    commit(f);
    assert_int_equal(left(f, "launch/coupons"), 0);
}

static void a_frozen_account_has_nothing_left_until_it_is_free(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, f->given, f->coupons, 5);
    commit(f);
    begin(f);
    assert_int_equal(ledger_change_flags(f->ledger, f->coupons, LEDGER_FROZEN, 0, S("odd"), S("me"), 1, &f->err), 0);
    commit(f);
    assert_int_equal(left(f, "launch/coupons"), 0);
    look_again(f);
    assert_int_equal(left(f, "launch/coupons"), 0);
    begin(f);
    assert_int_equal(ledger_change_flags(f->ledger, f->coupons, 0, LEDGER_FROZEN, S("not"), S("me"), 1, &f->err), 0);
    commit(f);
    assert_int_equal(left(f, "launch/coupons"), 5);
}

static void a_start_reads_what_is_left(void **state)
{
    struct fixture *f = *state;
    begin(f);
    move(f, f->given, f->coupons, 3);
    commit(f);
    left_close(f->left);
    ledger_close(f->ledger);
    symbols_free(f->symbols);
    f->symbols = symbols_new(NULL);
    assert_int_equal(ledger_open(f->store, &f->ledger, &f->err), 0);
    assert_int_equal(left_open(f->symbols, f->conn, f->ledger, &f->left, &f->err), 0);
    assert_int_equal(left(f, "launch/coupons"), 3);
    assert_int_equal(left(f, "launch/ann"), -1);
}

/* Limits of campaigns count down from zero: what is left of one is zero, or less by what was used. */
static void an_account_below_zero_is_told_too(void **state)
{
    struct fixture *f = *state;
    int64_t used;
    begin(f);
    assert_int_equal(ledger_account(f->ledger, S("launch/used"), S("uses"), LEDGER_PUBLISHED, &used, &f->err), 0);
    move(f, used, f->given, 2);
    commit(f);
    int64_t n = 0;
    assert_true(left_of(f->left, S("launch/used"), &n));
    assert_int_equal(n, -2);
}

/* --- a race ---------------------------------------------------------------------------------------------------------------------- */

enum { READERS = 3, ROUNDS = 3000 };

struct race {
    struct fixture *f;
    atomic_llong step; /* by four: something is left, changing, nothing is left, changing; -1: over */
    atomic_int wrong, asked;
};

/* What is told may not be older than the commit that the reader knows of. */
static void *ask(void *ctx)
{
    struct race *r = ctx;
    for (long long step; (step = atomic_load(&r->step)) >= 0;) {
        bool none = left_exhausted(r->f->left, S("launch/coupons"), 1);
        if (step % 2 == 1 || atomic_load(&r->step) != step)
            continue; /* both answers are right */
        atomic_fetch_add(&r->wrong, none != (step % 4 == 2));
        atomic_fetch_add(&r->asked, 1);
    }
    return NULL;
}

static void nobody_is_told_what_was_before_the_commit_that_he_knows_of(void **state)
{
    struct fixture *f = *state;
    struct race r = { .f = f };
    pthread_t readers[READERS];
    begin(f);
    move(f, f->given, f->coupons, 1);
    commit(f);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, ask, &r), 0);
    for (int i = 0; i < ROUNDS || atomic_load(&r.asked) < 100; i++) {
        bool take = i % 2 == 0;
        atomic_fetch_add(&r.step, 1);
        begin(f);
        move(f, take ? f->coupons : f->given, take ? f->given : f->coupons, 1);
        commit(f);
        atomic_fetch_add(&r.step, 1);
        if (i % 100 == 0)
            usleep(200);
    }
    atomic_store(&r.step, -1);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(r.wrong, 0);
    assert_true(r.asked >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_left_is_told_with_the_commit_and_what_comes_back_too, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_published_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_undone_is_not_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_frozen_account_has_nothing_left_until_it_is_free, setup, teardown),
        cmocka_unit_test_setup_teardown(a_start_reads_what_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(an_account_below_zero_is_told_too, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_is_told_what_was_before_the_commit_that_he_knows_of, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
