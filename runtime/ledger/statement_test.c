#include "ledger/statement.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { HOUR = 3600000 };

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks hooks;
    struct arena arena;
    struct err err;
    int64_t till, bank;
};

static void run(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    if (store_prepare(f->conn, sql, &s, &f->err) < 0 || store_run(s, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static int setup(void **state)
{
    static struct store_migration schema[] = { { 1, "ledger", NULL }, { 2, "statements", NULL }, { 0 } };
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    struct fixture *f = *state = calloc(1, sizeof *f);
    assert_int_equal(store_open(&(struct store_options){ .path = ":memory:", .migrations = schema }, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    assert_int_equal(ledger_open(f->store, &f->ledger, &f->err), 0);
    f->hooks = ledger_hooks(f->ledger);
    arena_init(&f->arena, NULL, 0);
    assert_int_equal(store_begin(f->conn, &f->err), 0);
    assert_int_equal(ledger_account(f->ledger, SLICE_LIT("till"), SLICE_LIT("EUR"), 0, &f->till, &f->err), 0);
    assert_int_equal(ledger_account(f->ledger, SLICE_LIT("bank"), SLICE_LIT("EUR"), 0, &f->bank, &f->err), 0);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->hooks.before_commit(f->hooks.ctx, &f->err), 0);
    if (ledger_verify(f->conn, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(store_commit(f->conn, &f->err), 0);
    ledger_close(f->ledger);
    store_close(f->store);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static void apply(struct fixture *f, struct ledger_op op, int64_t at_ms)
{
    if (ledger_apply(f->ledger, &op, 1, at_ms, NULL, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void pay_in(struct fixture *f, const char *id, int64_t amount, int64_t at_ms)
{
    struct ledger_op op = { .id = slice_str(id), .debit = f->till, .credit = f->bank, .amount = amount, .reference = SLICE_LIT("ord_1") };
    apply(f, op, at_ms);
}

static struct ledger_statement read(struct fixture *f, struct ledger_period p)
{
    struct ledger_statement s;
    if (ledger_statement(f->conn, SLICE_LIT("bank"), &p, &f->arena, &s, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return s;
}

static void a_statement_opens_lists_and_closes(void **state)
{
    struct fixture *f = *state;
    pay_in(f, "a", 5, 10);
    pay_in(f, "b", 7, 20);
    apply(f, (struct ledger_op){ .kind = LEDGER_HOLD, .id = SLICE_LIT("h"), .debit = f->bank, .credit = f->till, .amount = 4 }, 25);
    apply(f, (struct ledger_op){ .kind = LEDGER_POST, .id = SLICE_LIT("p"), .pending = SLICE_LIT("h"), .amount = 3 }, 30);
    pay_in(f, "c", 1, 40);
    struct ledger_statement s = read(f, (struct ledger_period){ .from_ms = 20, .to_ms = 40, .limit = 10 });
    assert_true(s.opening == 5 && s.credits == 7 && s.debits == 3 && s.closing == 9 && !s.more);
    assert_int_equal(s.count, 2);
    assert_true(slice_is(s.entries[0].id, "b") && slice_is(s.entries[0].other, "till") && slice_is(s.entries[0].reference, "ord_1"));
    assert_true(s.entries[0].amount == 7 && s.entries[0].balance == 12 && s.entries[0].hold.len == 0);
    assert_true(slice_is(s.entries[1].id, "p") && slice_is(s.entries[1].hold, "h") && s.entries[1].kind == LEDGER_POST);
    assert_true(s.entries[1].amount == -3 && s.entries[1].balance == 9 && s.entries[1].at_ms == 30);
    assert_true(slice_is(s.unit, "EUR") && slice_is(s.account, "bank"));
}

static void pages_continue_where_the_one_before_ended_also_within_a_moment(void **state)
{
    struct fixture *f = *state;
    char id[16];
    for (int i = 0; i < 7; i++) {
        snprintf(id, sizeof id, "t%d", i);
        pay_in(f, id, 1, 10 + i / 4);
    }
    struct ledger_period p = { .to_ms = INT64_MAX, .limit = 3 };
    int n = 0;
    for (bool more = true; more;) {
        struct ledger_statement s = read(f, p);
        for (size_t i = 0; i < s.count; i++) {
            snprintf(id, sizeof id, "t%d", n++);
            assert_true(slice_is(s.entries[i].id, id) && s.entries[i].balance == n);
        }
        assert_int_equal(s.closing, 7);
        more = s.more;
        p.after_ms = s.entries[s.count - 1].at_ms;
        p.after_seq = s.entries[s.count - 1].seq;
    }
    assert_int_equal(n, 7);
}

static void a_clock_that_was_set_back_changes_the_order_but_no_sum(void **state)
{
    struct fixture *f = *state;
    int64_t left;
    pay_in(f, "late", 100, 5 * HOUR);
    assert_int_equal(ledger_sum_hours(f->conn, 10, &left, &f->err), 0);
    pay_in(f, "early", 1, 2 * HOUR + 5);
    struct ledger_statement s = read(f, (struct ledger_period){ .from_ms = 2 * HOUR, .to_ms = INT64_MAX, .limit = 9 });
    assert_true(s.opening == 0 && s.closing == 101 && slice_is(s.entries[0].id, "early") && s.entries[1].balance == 101);
    assert_int_equal(ledger_sum_hours(f->conn, 10, &left, &f->err), 0);
    s = read(f, (struct ledger_period){ .from_ms = 3 * HOUR, .to_ms = 4 * HOUR, .limit = 9 });
    assert_true(s.opening == 1 && s.closing == 1 && s.count == 0);
}

static void what_can_not_be_stated_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ledger_statement s;
    struct ledger_period p = { .from_ms = 20, .to_ms = 10 };
    assert_int_equal(ledger_statement(f->conn, SLICE_LIT("bank"), &p, &f->arena, &s, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "to");
    p.to_ms = 30;
    assert_int_equal(ledger_statement(f->conn, SLICE_LIT("nobody"), &p, &f->arena, &s, &f->err), ERR_NOT_FOUND);
}

static void sums_that_are_wrong_are_found(void **state)
{
    struct fixture *f = *state;
    int64_t left;
    pay_in(f, "a", 5, 10);
    pay_in(f, "b", 5, HOUR + 10);
    assert_int_equal(ledger_sum_hours(f->conn, 10, &left, &f->err), 0);
    assert_int_equal(f->hooks.before_commit(f->hooks.ctx, &f->err), 0);
    static const char *const wrong[] = { "UPDATE ledger_hours SET credits = credits + 1 WHERE hour = 1 AND credits > 0",
                                         "UPDATE ledger_hours SET hour = 9 WHERE hour = 1", "DELETE FROM ledger_hours WHERE hour = 0",
                                         "UPDATE ledger_summed SET seq = 1" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(store_savepoint(f->conn, &f->err), 0);
        assert_int_equal(ledger_verify(f->conn, &f->err), 0);
        run(f, wrong[i]);
        if (ledger_verify(f->conn, &f->err) != ERR_CORRUPT)
            fail_msg("nobody noticed: %s", wrong[i]);
        assert_int_equal(store_rollback_to(f->conn, &f->err), 0);
    }
}

/* --- cost -------------------------------------------------------------------------------------------------------------------- */

static int64_t took_ns(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    struct arena a;
    int64_t best = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        struct ledger_statement st;
        struct ledger_period p = { .from_ms = 40 * (int64_t)HOUR + 77, .to_ms = 160 * (int64_t)HOUR + 99, .limit = 50 };
        int64_t began = clock_mono_ns(clock_system());
        if (sql) {
            assert_int_equal(store_prepare(f->conn, sql, &s, &f->err), 0);
            assert_int_equal(store_step(s, &f->err), 1);
            store_reset(s);
        } else {
            arena_init(&a, NULL, 0);
            assert_int_equal(ledger_statement(f->conn, SLICE_LIT("bank"), &p, &a, &st, &f->err), 0);
            assert_int_equal(st.count, 50);
            arena_release(&a);
        }
        int64_t took = clock_mono_ns(clock_system()) - began;
        best = took < best ? took : best;
    }
    return best;
}

static void of_an_account_with_very_many_entries_only_a_few_are_read(void **state)
{
    struct fixture *f = *state;
    int64_t left = 1;
    char text[400];
    /* 200,000 in 200 hours. The rows are made without the ledger, so its memory is told by opening it again. */
    snprintf(text, sizeof text,
             "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 200000) INSERT INTO ledger_transfers (seq, id, "
             "kind, debit, credit, amount, at_ms) SELECT i, 't' || i, 0, %lld, %lld, 1, i * 3600 FROM n",
             (long long)f->till, (long long)f->bank);
    run(f, text);
    run(f, "UPDATE ledger_accounts SET credits_posted = 200000 WHERE name = 'bank'");
    run(f, "UPDATE ledger_accounts SET debits_posted = 200000 WHERE name = 'till'");
    while (left > 0)
        assert_int_equal(ledger_sum_hours(f->conn, 50000, &left, &f->err), 0);
    int64_t statement = took_ns(f, NULL), sum = took_ns(f, "SELECT sum(amount) FROM ledger_transfers WHERE credit > 0");
    print_message("a statement of 50 entries: %lld us; adding all entries up: %lld us\n", (long long)statement / 1000,
                  (long long)sum / 1000);
    assert_true(statement * 3 < sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_statement_opens_lists_and_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(pages_continue_where_the_one_before_ended_also_within_a_moment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_clock_that_was_set_back_changes_the_order_but_no_sum, setup, teardown),
        cmocka_unit_test_setup_teardown(what_can_not_be_stated_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(sums_that_are_wrong_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(of_an_account_with_very_many_entries_only_a_few_are_read, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
