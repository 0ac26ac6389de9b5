/* The books, done again from the first entry. Slow and obvious on purpose: it shares nothing with what it checks. */
#include "ledger/ledger_int.h"
#include "base/map.h"
#include <inttypes.h>
#include <stdlib.h>

struct sums {
    int64_t id;
    char *name;
    unsigned flags;
    size_t unit;
    struct ledger_balance stored;
    __int128 debits_posted, credits_posted, debits_pending, credits_pending; /* recomputed */
};

struct unit {
    char *name;
    __int128 posted, pending; /* credits less debits */
};

/* Of all amounts by account and hour, in any order: two tables with the same checks have the same rows. */
struct check {
    uint64_t debits, credits;
};

struct books {
    int64_t summed; /* transfers up to this one are in the sums by hours */
    struct check from_transfers, from_hours;
    struct sums *accounts;
    size_t n, cap;
    struct map by_id; /* eight bytes -> index + 1 */
    struct unit *units;
    size_t nunits;
};

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while verifying the ledger; try again when less is running.");
}

static void books_release(struct books *b)
{
    for (size_t i = 0; i < b->n; i++)
        free(b->accounts[i].name);
    for (size_t i = 0; i < b->nunits; i++)
        free(b->units[i].name);
    free(b->accounts);
    free(b->units);
    map_release(&b->by_id);
}

static struct slice id_key(const int64_t *id)
{
    return slice_of((const char *)id, sizeof *id);
}

static struct sums *find(struct books *b, int64_t id)
{
    uintptr_t at = (uintptr_t)map_get(&b->by_id, id_key(&id));
    return at ? &b->accounts[at - 1] : NULL;
}

static int find_unit(struct books *b, struct slice name, size_t *at, struct err *err)
{
    for (*at = 0; *at < b->nunits; (*at)++) {
        if (slice_is(name, b->units[*at].name))
            return 0;
    }
    struct unit *grown = realloc(b->units, (b->nunits + 1) * sizeof *grown);
    if (!grown)
        return no_memory(err);
    b->units = grown;
    b->units[b->nunits] = (struct unit){ .name = strndup(name.data, name.len) };
    return b->units[b->nunits].name ? (b->nunits++, 0) : no_memory(err);
}

static int add_account(struct books *b, struct store_stmt *s, struct err *err)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 256;
        struct sums *grown = realloc(b->accounts, cap * sizeof *grown);
        if (!grown)
            return no_memory(err);
        b->accounts = grown;
        b->cap = cap;
    }
    struct sums *a = &b->accounts[b->n];
    *a = (struct sums){ .id = store_column_int(s, 0) };
    struct slice name = store_column_text(s, 1);
    int rc = find_unit(b, store_column_text(s, 2), &a->unit, err);
    if (rc < 0)
        return rc;
    a->name = strndup(name.data, name.len);
    if (!a->name || !map_set(&b->by_id, id_key(&a->id), (void *)(uintptr_t)(b->n + 1))) {
        free(a->name);
        return no_memory(err);
    }
    a->stored = balance_of_row(s, 3);
    b->n++;
    return 0;
}

static int each_row(struct store_conn *c, const char *sql, int (*fn)(struct books *, struct store_stmt *, struct err *), struct books *b,
                    struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    while ((rc = store_step(s, err)) > 0) {
        rc = fn(b, s, err);
        if (rc < 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

static int bad_row(int64_t seq, const char *why, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "The ledger is wrong: transfer %" PRId64 " %s; restore a backup, or have the books corrected.", seq,
                   why);
}

static uint64_t place(int64_t account, int64_t hour)
{
    uint64_t x = ((uint64_t)account * 0x9e3779b97f4a7c15u) ^ ((uint64_t)hour * 0xc2b2ae3d27d4eb4fu);
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static void count_hour(struct check *c, int64_t account, int64_t hour, int64_t debits, int64_t credits)
{
    c->debits += place(account, hour) * (uint64_t)debits;
    c->credits += place(account, hour) * (uint64_t)credits;
}

static int read_summed(struct books *b, struct store_stmt *s, struct err *err)
{
    (void)err;
    b->summed = store_column_int(s, 0);
    return 0;
}

static int add_hour(struct books *b, struct store_stmt *s, struct err *err)
{
    (void)err;
    count_hour(&b->from_hours, store_column_int(s, 0), store_column_int(s, 1), store_column_int(s, 2), store_column_int(s, 3));
    return 0;
}

/* Columns: seq, kind, debit, credit, amount, pending, kind, debit, credit and amount of the hold, whether this is an open hold,
 * the hour. */
static int add_transfer(struct books *b, struct store_stmt *s, struct err *err)
{
    int64_t seq = store_column_int(s, 0), kind = store_column_int(s, 1), amount = store_column_int(s, 4);
    struct sums *debit = find(b, store_column_int(s, 2)), *credit = find(b, store_column_int(s, 3));
    if (!debit || !credit || debit == credit)
        return bad_row(seq, "names an account that does not exist, or one twice", err);
    if (debit->unit != credit->unit)
        return bad_row(seq, "moves one unit into another", err);
    if (amount <= 0)
        return bad_row(seq, "has no amount", err);
    bool resolves = kind == LEDGER_POST || kind == LEDGER_VOID;
    if (resolves != (store_column_type(s, 5) != STORE_NULL))
        return bad_row(seq, "names a hold though it is none of its kind, or names none though it should", err);
    if (resolves && (store_column_type(s, 6) == STORE_NULL || store_column_int(s, 6) != LEDGER_HOLD ||
                     store_column_int(s, 7) != debit->id || store_column_int(s, 8) != credit->id || store_column_int(s, 9) < amount))
        return bad_row(seq, "does not agree with its hold", err);
    if (kind == LEDGER_TRANSFER || kind == LEDGER_POST) {
        debit->debits_posted += amount;
        credit->credits_posted += amount;
        if (seq <= b->summed) {
            count_hour(&b->from_transfers, debit->id, store_column_int(s, 11), amount, 0);
            count_hour(&b->from_transfers, credit->id, store_column_int(s, 11), 0, amount);
        }
    } else if (kind == LEDGER_HOLD) {
        if (store_column_int(s, 10)) {
            debit->debits_pending += amount;
            credit->credits_pending += amount;
        }
    } else if (kind != LEDGER_VOID) {
        return bad_row(seq, "is of an unknown kind", err);
    }
    return 0;
}

static int differs(const struct sums *a, const char *what, int64_t stored, __int128 computed, struct err *err)
{
    if (stored == computed)
        return 0;
    return err_field(err, ERR_CORRUPT, a->name,
                     "The ledger is wrong: %s of %s is recorded as %" PRId64 ", but its transfers add up to %" PRId64
                     "; restore a backup, or have the books corrected.",
                     what, a->name, stored, (int64_t)computed);
}

static int check_account(struct books *b, const struct sums *a, struct err *err)
{
    int rc = differs(a, "the posted debit", a->stored.debits_posted, a->debits_posted, err);
    if (rc == 0)
        rc = differs(a, "the posted credit", a->stored.credits_posted, a->credits_posted, err);
    if (rc == 0)
        rc = differs(a, "the pending debit", a->stored.debits_pending, a->debits_pending, err);
    if (rc == 0)
        rc = differs(a, "the pending credit", a->stored.credits_pending, a->credits_pending, err);
    if (rc == 0 && (a->stored.flags & LEDGER_NO_OVERDRAFT) && ledger_available(&a->stored) < 0)
        rc = err_field(err, ERR_CORRUPT, a->name, "The ledger is wrong: %s is below zero and must not be; have the books corrected.",
                       a->name);
    b->units[a->unit].posted += (__int128)a->stored.credits_posted - a->stored.debits_posted;
    b->units[a->unit].pending += (__int128)a->stored.credits_pending - a->stored.debits_pending;
    return rc;
}

static int verify(struct books *b, struct store_conn *c, struct err *err)
{
    int rc = each_row(c,
                      "SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts "
                      "NOT INDEXED ORDER BY id",
                      add_account, b, err);
    if (rc == 0)
        rc = each_row(c, "SELECT seq FROM ledger_summed", read_summed, b, err);
    if (rc == 0)
        rc = each_row(c, "SELECT account, hour, debits, credits FROM ledger_hours", add_hour, b, err);
    if (rc == 0)
        rc = each_row(c,
                      "SELECT t.seq, t.kind, t.debit, t.credit, t.amount, t.pending, h.kind, h.debit, h.credit, h.amount,"
                      " NOT EXISTS (SELECT 1 FROM ledger_transfers r WHERE r.pending = t.seq), t.at_ms / 3600000"
                      " FROM ledger_transfers t NOT INDEXED LEFT JOIN ledger_transfers h ON h.seq = t.pending ORDER BY t.seq",
                      add_transfer, b, err);
    if (rc == 0 && memcmp(&b->from_transfers, &b->from_hours, sizeof b->from_hours) != 0)
        rc = err_set(err, ERR_CORRUPT, "The ledger is wrong: its sums by hours are not those of its transfers; restore a backup.");
    for (size_t i = 0; rc == 0 && i < b->n; i++)
        rc = check_account(b, &b->accounts[i], err);
    for (size_t i = 0; rc == 0 && i < b->nunits; i++) {
        if (b->units[i].posted != 0 || b->units[i].pending != 0)
            rc = err_field(err, ERR_CORRUPT, b->units[i].name,
                           "The ledger is wrong: debits and credits in %s do not add up; restore a backup.", b->units[i].name);
    }
    return rc;
}

int ledger_verify(struct store_conn *c, struct err *err)
{
    struct books b = { 0 };
    map_init(&b.by_id, NULL);
    bool mine = !store_in_transaction(c); /* both tables must be of one snapshot */
    int rc = mine ? store_begin(c, err) : 0;
    if (rc == 0) {
        rc = verify(&b, c, err);
        if (mine)
            store_rollback(c);
    }
    books_release(&b);
    return rc;
}
