/* Balances of long ago and entries by time.
 *
 * What an account had at a moment is what moved before: whole hours from ledger_hours, the rest of the hour from the index, and the last
 * transfers, which are not in ledger_hours yet, one by one. Sums by hours are right in whatever order entries were made, so a clock that
 * was set back does no harm; and they are caught up with from the transfers alone, so it does not matter which program wrote those. */
#include "ledger/statement.h"
#include "ledger/ledger_int.h"
#include <inttypes.h>

enum { HOUR_MS = 3600000 };

struct moved {
    int64_t debits, credits;
};

/* --- what moved before a moment -------------------------------------------------------------------------------------------- */

/* Adds what the first row of a statement says. */
static int add_row(struct store_stmt *s, struct moved *to, struct err *err)
{
    int rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    to->debits += store_column_int(s, 0);
    to->credits += store_column_int(s, 1);
    store_reset(s);
    return 0;
}

static int add_hours(struct store_conn *c, int64_t account, int64_t hour, struct moved *to, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(
        c, "SELECT coalesce(sum(debits), 0), coalesce(sum(credits), 0) FROM ledger_hours WHERE account = ?1 AND hour < ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, account);
    store_bind_int(s, 2, hour);
    return add_row(s, to, err);
}

/* From `from_ms` on, before the entry (before_ms, before_seq) in their order. */
static int add_entries(struct store_conn *c, int64_t account, int64_t from_ms, int64_t before_ms, int64_t before_seq, struct moved *to,
                       struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT (SELECT coalesce(sum(amount), 0) FROM ledger_transfers WHERE debit = ?1 AND kind IN (0, 2)"
                           " AND at_ms >= ?2 AND (at_ms, seq) < (?3, ?4)),"
                           " (SELECT coalesce(sum(amount), 0) FROM ledger_transfers WHERE credit = ?1 AND kind IN (0, 2)"
                           " AND at_ms >= ?2 AND (at_ms, seq) < (?3, ?4))",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, account);
    store_bind_int(s, 2, from_ms);
    store_bind_int(s, 3, before_ms);
    store_bind_int(s, 4, before_seq);
    return add_row(s, to, err);
}

/* What is before `before_ms` and not in the hours yet. "+": by seq, not by the account's index, which holds a million. */
static int add_latest(struct store_conn *c, int64_t account, int64_t before_ms, struct moved *to, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT coalesce(sum(CASE WHEN debit = ?1 THEN amount END), 0), coalesce(sum(CASE WHEN credit = ?1 THEN amount"
                           " END), 0) FROM ledger_transfers WHERE seq > (SELECT seq FROM ledger_summed) AND +kind IN (0, 2)"
                           " AND (+debit = ?1 OR +credit = ?1) AND +at_ms < ?2",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, account);
    store_bind_int(s, 2, before_ms);
    return add_row(s, to, err);
}

static int moved_before(struct store_conn *c, int64_t account, int64_t before_ms, int64_t before_seq, struct moved *out, struct err *err)
{
    int64_t hour = before_ms / HOUR_MS;
    *out = (struct moved){ 0 };
    int rc = add_hours(c, account, hour, out, err);
    if (rc == 0)
        rc = add_entries(c, account, hour * HOUR_MS, before_ms, before_seq, out, err);
    return rc < 0 ? rc : add_latest(c, account, hour * HOUR_MS, out, err);
}

/* --- a page ----------------------------------------------------------------------------------------------------------------- */

#define PAGE_OF(side)                                                                                                                      \
    "SELECT * FROM (SELECT seq, at_ms, id, kind, debit, credit, amount, reference, pending FROM ledger_transfers WHERE " side              \
    " = ?1 AND kind IN (0, 2) AND at_ms >= ?2 AND at_ms < ?3 AND (at_ms, seq) > (?4, ?5) ORDER BY at_ms, seq LIMIT ?6)"

static const char page_sql[] =
    "SELECT e.seq, e.at_ms, e.kind, e.debit = ?1, e.amount, e.id, e.reference, h.id, o.name FROM (" PAGE_OF("debit") " UNION ALL " PAGE_OF(
        "credit") ") e LEFT JOIN ledger_transfers h ON h.seq = e.pending JOIN ledger_accounts o"
                  " ON o.id = CASE e.debit WHEN ?1 THEN e.credit ELSE e.debit END ORDER BY e.at_ms, e.seq LIMIT ?6";

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory for a statement; ask for fewer entries at once.");
}

static int copy_text(struct arena *a, struct store_stmt *s, int column, struct slice *out, struct err *err)
{
    *out = SLICE_LIT("");
    if (store_column_type(s, column) == STORE_NULL)
        return 0;
    *out = arena_copy(a, store_column_text(s, column));
    return out->data ? 0 : no_memory(err);
}

static int read_entry(struct store_stmt *s, struct arena *a, struct ledger_entry *e, struct err *err)
{
    e->seq = store_column_int(s, 0);
    e->at_ms = store_column_int(s, 1);
    e->kind = (enum ledger_kind)store_column_int(s, 2);
    e->amount = store_column_int(s, 3) ? -store_column_int(s, 4) : store_column_int(s, 4);
    int rc = copy_text(a, s, 5, &e->id, err);
    if (rc == 0)
        rc = copy_text(a, s, 6, &e->reference, err);
    if (rc == 0)
        rc = copy_text(a, s, 7, &e->hold, err);
    return rc < 0 ? rc : copy_text(a, s, 8, &e->other, err);
}

static int read_page(struct store_conn *c, int64_t account, const struct ledger_period *p, struct arena *a, struct ledger_statement *out,
                     struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, page_sql, &s, err);
    if (rc < 0)
        return rc;
    out->entries = arena_array(a, p->limit + 1, sizeof *out->entries);
    if (!out->entries)
        return no_memory(err);
    store_bind_int(s, 1, account);
    store_bind_int(s, 2, p->from_ms);
    store_bind_int(s, 3, p->to_ms);
    store_bind_int(s, 4, p->after_seq ? p->after_ms : INT64_MIN);
    store_bind_int(s, 5, p->after_seq);
    store_bind_int(s, 6, (int64_t)p->limit + 1);
    while ((rc = store_step(s, err)) > 0) {
        rc = read_entry(s, a, &out->entries[out->count], err);
        if (rc < 0) {
            store_reset(s);
            return rc;
        }
        out->count++;
    }
    out->more = out->count > p->limit;
    out->count -= out->more;
    return rc;
}

static int add_balances(struct store_conn *c, int64_t account, const struct ledger_period *p, struct ledger_statement *out, struct err *err)
{
    struct moved m = { 0 };
    int64_t balance = out->opening;
    if (p->after_seq && out->count > 0) {
        int rc = moved_before(c, account, out->entries[0].at_ms, out->entries[0].seq, &m, err);
        if (rc < 0)
            return rc;
        balance = m.credits - m.debits;
    }
    for (size_t i = 0; i < out->count; i++)
        out->entries[i].balance = balance += out->entries[i].amount;
    return 0;
}

/* --- the statement ------------------------------------------------------------------------------------------------------------ */

static int find_account(struct store_conn *c, struct slice name, struct arena *a, int64_t *id, struct ledger_statement *out,
                        struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM "
                           "ledger_accounts WHERE name = ?1",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, name);
    rc = store_step(s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "There is no ledger account %.*s.", SLICE_FMT(name));
    *id = store_column_int(s, 0);
    out->now = balance_of_row(s, 3);
    rc = copy_text(a, s, 1, &out->account, err);
    if (rc == 0)
        rc = copy_text(a, s, 2, &out->unit, err);
    store_reset(s);
    return rc;
}

static int read_all(struct store_conn *c, struct slice account, const struct ledger_period *p, struct arena *a,
                    struct ledger_statement *out, struct err *err)
{
    int64_t id = 0;
    struct moved before, until;
    int rc = find_account(c, account, a, &id, out, err);
    if (rc == 0)
        rc = moved_before(c, id, p->from_ms, 0, &before, err);
    if (rc == 0)
        rc = moved_before(c, id, p->to_ms, 0, &until, err);
    if (rc < 0)
        return rc;
    out->opening = before.credits - before.debits;
    out->closing = until.credits - until.debits;
    out->debits = until.debits - before.debits;
    out->credits = until.credits - before.credits;
    if (p->limit == 0)
        return 0;
    rc = read_page(c, id, p, a, out, err);
    return rc < 0 ? rc : add_balances(c, id, p, out, err);
}

int ledger_statement(struct store_conn *c, struct slice account, const struct ledger_period *p, struct arena *a,
                     struct ledger_statement *out, struct err *err)
{
    *out = (struct ledger_statement){ 0 };
    if (p->from_ms < 0 || p->to_ms < p->from_ms)
        return err_field(err, ERR_INVALID, "to", "A period ends when it begins, or later; from and to are the wrong way round.");
    bool mine = !store_in_transaction(c); /* sums and entries must be of one snapshot */
    int rc = mine ? store_begin(c, err) : 0;
    if (rc < 0)
        return rc;
    rc = read_all(c, account, p, a, out, err);
    if (mine)
        store_rollback(c);
    return rc;
}

/* --- sums by hours --------------------------------------------------------------------------------------------------------------- */

static int one_number(struct store_conn *c, const char *sql, int64_t *out, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc == 0)
        rc = store_step(s, err);
    if (rc < 0)
        return rc;
    *out = store_column_int(s, 0);
    store_reset(s);
    return 0;
}

int ledger_not_summed(struct store_conn *c, int64_t *rows, struct err *err)
{
    return one_number(c, "SELECT coalesce((SELECT max(seq) FROM ledger_transfers), 0) - (SELECT seq FROM ledger_summed)", rows, err);
}

static int sum_between(struct store_conn *c, int64_t after, int64_t last, struct err *err)
{
    struct store_stmt *add, *note;
    int rc =
        store_prepare(c,
                      "INSERT INTO ledger_hours (account, hour, debits, credits)"
                      " SELECT account, hour, sum(debits), sum(credits) FROM ("
                      "  SELECT debit AS account, at_ms / 3600000 AS hour, amount AS debits, 0 AS credits"
                      "  FROM ledger_transfers WHERE seq > ?1 AND seq <= ?2 AND +kind IN (0, 2)"
                      "  UNION ALL SELECT credit, at_ms / 3600000, 0, amount"
                      "  FROM ledger_transfers WHERE seq > ?1 AND seq <= ?2 AND +kind IN (0, 2)"
                      " ) WHERE true GROUP BY account, hour"
                      " ON CONFLICT (account, hour) DO UPDATE SET debits = debits + excluded.debits, credits = credits + excluded.credits",
                      &add, err);
    if (rc == 0)
        rc = store_prepare(c, "UPDATE ledger_summed SET seq = ?1", &note, err);
    if (rc < 0)
        return rc;
    store_bind_int(add, 1, after);
    store_bind_int(add, 2, last);
    rc = store_run(add, NULL, err);
    if (rc < 0)
        return rc;
    store_bind_int(note, 1, last);
    return store_run(note, NULL, err);
}

int ledger_sum_hours(struct store_conn *c, int64_t rows, int64_t *left, struct err *err)
{
    int64_t summed = 0;
    int rc = ledger_not_summed(c, left, err);
    if (rc == 0)
        rc = one_number(c, "SELECT seq FROM ledger_summed", &summed, err);
    if (rc < 0 || *left <= 0)
        return rc;
    int64_t n = *left < rows ? *left : rows;
    *left -= n;
    return sum_between(c, summed, summed + n, err);
}
