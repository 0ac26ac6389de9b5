/* Applying a set of operations: all or nothing, also inside a command that goes on after a refusal.
 *
 * First every operation is carried out on the accounts in memory, in order, so that later ones see earlier ones; only when
 * all are possible are their rows written. The common case asks the store nothing: that an id is new is found out by
 * inserting it. When that fails, or something is refused, the set runs once more carefully, looking up each id first:
 * a repeated set must count as done even if there would not be enough for doing it again. */
#include "ledger/ledger_int.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* --- life --------------------------------------------------------------------------------------------------------------- */

static int prepare_all(struct ledger *l, struct err *err)
{
    const struct {
        struct store_stmt **stmt;
        const char *sql;
    } list[] = {
        { &l->account_by_id, "SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM "
                             "ledger_accounts WHERE id = ?1" },
        { &l->account_by_name, "SELECT id, name, unit, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM "
                               "ledger_accounts WHERE name = ?1" },
        { &l->account_insert, "INSERT INTO ledger_accounts (name, unit, flags) VALUES (?1, ?2, ?3) RETURNING id" },
        { &l->account_update, "UPDATE ledger_accounts SET flags = ?1, debits_posted = ?2, credits_posted = ?3, debits_pending = ?4, "
                              "credits_pending = ?5 WHERE id = ?6" },
        { &l->transfer_by_id, "SELECT seq, kind, debit, credit, amount, pending, reference, expires_ms FROM ledger_transfers WHERE "
                              "id = ?1" },
        { &l->transfer_insert, "INSERT INTO ledger_transfers (seq, id, kind, debit, credit, amount, pending, at_ms, expires_ms, reference)"
                               " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING" },
        { &l->transfer_delete_from, "DELETE FROM ledger_transfers WHERE seq >= ?1" },
        { &l->resolution_of, "SELECT kind, id LIKE '~expired/%' FROM ledger_transfers WHERE pending = ?1" },
        { &l->expiry_insert, "INSERT INTO ledger_expiries (expires_ms, hold) VALUES (?1, ?2)" },
        { &l->expiry_delete, "DELETE FROM ledger_expiries WHERE expires_ms = ?1 AND hold = ?2" },
        { &l->expiry_of, "SELECT 1 FROM ledger_expiries WHERE expires_ms = ?1 AND hold = ?2" },
        { &l->expiries_due, "SELECT e.hold, t.id, e.expires_ms FROM ledger_expiries e JOIN ledger_transfers t ON t.seq = e.hold WHERE "
                            "e.expires_ms <= ?1 ORDER BY e.expires_ms, e.hold LIMIT ?2" },
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        int rc = store_prepare(l->conn, list[i].sql, list[i].stmt, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int read_next_seq(struct ledger *l, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(l->conn, "SELECT max(seq) FROM ledger_transfers", &s, err);
    if (rc == 0)
        rc = store_step(s, err);
    if (rc < 0)
        return rc;
    l->next_seq = l->committed_next_seq = store_column_int(s, 0) + 1;
    store_reset(s);
    return 0;
}

int ledger_open(struct store *s, struct ledger **out, struct err *err)
{
    *out = NULL;
    struct ledger *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "Out of memory while opening the ledger; try again later.");
    l->conn = store_writer_conn(s);
    assert(l->conn); /* a ledger lives on the writer; from a read-only store use ledger_balance_read() */
    int rc = accounts_open(l, err);
    if (rc == 0)
        rc = prepare_all(l, err);
    if (rc == 0)
        rc = read_next_seq(l, err);
    if (rc < 0) {
        ledger_close(l);
        return rc;
    }
    l->savepoint = undo_mark(l);
    *out = l;
    return 0;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    accounts_close(l);
    free(l->steps);
    free(l);
}

/* --- what is in the store already ------------------------------------------------------------------------------------------ */

struct row {
    int64_t seq, debit, credit, amount, pending, expires_ms;
    int kind;
    bool same_reference; /* as the operation it was looked up for */
};

/* 1 = found, 0 = not. */
static int find_row(struct ledger *l, struct slice id, struct slice reference, struct row *row, struct err *err)
{
    struct store_stmt *s = l->transfer_by_id;
    store_bind_text(s, 1, id);
    int rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    row->seq = store_column_int(s, 0);
    row->kind = (int)store_column_int(s, 1);
    row->debit = store_column_int(s, 2);
    row->credit = store_column_int(s, 3);
    row->amount = store_column_int(s, 4);
    row->pending = store_column_int(s, 5);
    row->same_reference = slice_eq(store_column_text(s, 6), reference);
    row->expires_ms = store_column_int(s, 7);
    store_reset(s);
    return 1;
}

static int no_hold(struct slice id, struct err *err)
{
    return err_field(err, ERR_NOT_FOUND, "pending", "There is no hold %.*s in the ledger.", SLICE_FMT(id));
}

static int hold_expired(struct slice id, struct err *err)
{
    return err_reason(err, ERR_STATE, "hold_expired", "The hold %.*s is past its time and is given back; take a new one.", SLICE_FMT(id));
}

static int hold_is_over(struct slice id, int how, struct err *err)
{
    return err_reason(err, ERR_STATE, how == LEDGER_POST ? "hold_posted" : "hold_voided", "The hold %.*s was already %s.", SLICE_FMT(id),
                      how == LEDGER_POST ? "posted" : "voided");
}

static int check_open(struct ledger *l, int64_t hold_seq, struct slice id, struct err *err)
{
    store_bind_int(l->resolution_of, 1, hold_seq);
    int rc = store_step(l->resolution_of, err);
    if (rc <= 0)
        return rc;
    int how = (int)store_column_int(l->resolution_of, 0);
    bool by_time = store_column_int(l->resolution_of, 1) != 0;
    store_reset(l->resolution_of);
    return by_time ? hold_expired(id, err) : hold_is_over(id, how, err);
}

/* Whether the ledger itself is to give the hold back at its expiry. Holds of older programs have a time too, but a timer of their maker. */
static int gives_back(struct ledger *l, int64_t expires_ms, int64_t hold_seq, struct err *err)
{
    if (!expires_ms)
        return 0;
    store_bind_int(l->expiry_of, 1, expires_ms);
    store_bind_int(l->expiry_of, 2, hold_seq);
    int rc = store_step(l->expiry_of, err);
    if (rc > 0)
        store_reset(l->expiry_of);
    return rc;
}

/* --- one operation in memory ------------------------------------------------------------------------------------------------- */

static int add_checked(int64_t *to, int64_t amount, const struct account *a, struct err *err)
{
    if (__builtin_add_overflow(*to, amount, to))
        return err_field(err, ERR_OVERFLOW, "amount",
                         "The sums of the account %.*s would leave the range of numbers; use a smaller amount.", SLICE_FMT(a->name));
    return 0;
}

/* What has left and what is held must fit together, so that ledger_available() can't overflow. */
static int check_outgoing(const struct account *a, struct err *err)
{
    int64_t out = a->balance.debits_posted;
    return add_checked(&out, a->balance.debits_pending, a, err);
}

static int insufficient(const struct account *a, int64_t amount, struct err *err)
{
    int64_t available = ledger_available(&a->balance);
    err_field(err, ERR_CONFLICT, a->name.data, "There is not enough in %.*s: %lld %.*s needed, %lld available.", SLICE_FMT(a->name),
              (long long)amount, SLICE_FMT(a->unit), (long long)available);
    if (err)
        snprintf(err->reason, sizeof err->reason, "insufficient");
    return ERR_CONFLICT;
}

static int refuse_closed(const struct account *a, struct err *err)
{
    return err_reason(err, ERR_STATE, "account_closed", "The account %.*s is closed; nothing can be moved from or to it.",
                      SLICE_FMT(a->name));
}

static int check_flags(const struct account *debit, const struct account *credit, struct err *err)
{
    if (debit->balance.flags & LEDGER_CLOSED)
        return refuse_closed(debit, err);
    if (credit->balance.flags & LEDGER_CLOSED)
        return refuse_closed(credit, err);
    if (debit->balance.flags & LEDGER_FROZEN)
        return err_reason(err, ERR_STATE, "account_frozen", "The account %.*s is frozen; nothing can be taken from it.",
                          SLICE_FMT(debit->name));
    return 0;
}

static int touch_both(struct ledger *l, struct step *st, struct err *err)
{
    int rc = account_touch(l, st->debit, err);
    return rc < 0 ? rc : account_touch(l, st->credit, err);
}

static int check_new(const struct ledger_op *op, const struct step *st, struct err *err)
{
    if (op->amount <= 0)
        return err_field(err, ERR_INVALID, "amount", "The amount of a transfer must be above zero.");
    if (op->pending.len)
        return err_field(err, ERR_INVALID, "pending", "Only a post or a void names a hold.");
    if (st->debit == st->credit)
        return err_field(err, ERR_INVALID, "credit", "A transfer needs two different accounts; both are %.*s.", SLICE_FMT(st->debit->name));
    if (!slice_eq(st->debit->unit, st->credit->unit))
        return err_field(err, ERR_INVALID, "credit", "A transfer stays in one unit: %.*s is kept in %.*s, %.*s in %.*s.",
                         SLICE_FMT(st->debit->name), SLICE_FMT(st->debit->unit), SLICE_FMT(st->credit->name), SLICE_FMT(st->credit->unit));
    return check_flags(st->debit, st->credit, err);
}

static int do_new(struct ledger *l, const struct ledger_op *op, struct step *st, struct err *err)
{
    int rc = account_get(l, op->debit, &st->debit, err);
    if (rc == 0)
        rc = account_get(l, op->credit, &st->credit, err);
    if (rc == 0)
        rc = check_new(op, st, err);
    if (rc < 0)
        return rc;
    struct ledger_balance *d = &st->debit->balance, *c = &st->credit->balance;
    if ((d->flags & LEDGER_NO_OVERDRAFT) && ledger_available(d) < op->amount)
        return insufficient(st->debit, op->amount, err);
    bool hold = op->kind == LEDGER_HOLD;
    rc = touch_both(l, st, err);
    if (rc == 0)
        rc = add_checked(hold ? &d->debits_pending : &d->debits_posted, op->amount, st->debit, err);
    if (rc == 0)
        rc = add_checked(hold ? &c->credits_pending : &c->credits_posted, op->amount, st->credit, err);
    st->amount = op->amount;
    return rc < 0 ? rc : check_outgoing(st->debit, err);
}

/* Finds the hold of a POST or VOID, in the set itself or in the store; it must be open. That it is, the store says when the row is
 * written, which the index of resolutions refuses otherwise; only the careful look asks before. */
static int find_hold(struct ledger *l, const struct ledger_op *ops, size_t i, bool careful, struct step *st, struct err *err)
{
    const struct ledger_op *op = &ops[i];
    struct row row;
    for (size_t k = 0; k < i; k++) {
        if (ops[k].kind == LEDGER_HOLD && !l->steps[k].done_before && slice_eq(ops[k].id, op->pending)) {
            const struct step *hold = &l->steps[k];
            st->debit = hold->debit;
            st->credit = hold->credit;
            st->held = hold->amount;
            st->pending_seq = hold->seq;
            st->expires_ms = ops[k].expires_ms;
            break;
        }
    }
    if (!st->pending_seq) {
        int rc = find_row(l, op->pending, SLICE_LIT(""), &row, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || row.kind != LEDGER_HOLD)
            return no_hold(op->pending, err);
        rc = careful ? check_open(l, row.seq, op->pending, err) : 0;
        int gives = rc == 0 ? gives_back(l, row.expires_ms, row.seq, err) : rc;
        st->expires_ms = gives > 0 ? row.expires_ms : 0;
        rc = gives < 0 ? gives : account_get(l, row.debit, &st->debit, err);
        if (rc == 0)
            rc = account_get(l, row.credit, &st->credit, err);
        if (rc < 0)
            return rc;
        st->held = row.amount;
        st->pending_seq = row.seq;
    }
    for (size_t k = 0; k < i; k++) {
        if (!l->steps[k].done_before && l->steps[k].pending_seq == st->pending_seq)
            return hold_is_over(op->pending, ops[k].kind, err);
    }
    return 0;
}

static bool names_other_accounts(const struct ledger_op *op, int64_t debit, int64_t credit)
{
    return (op->debit && op->debit != debit) || (op->credit && op->credit != credit);
}

static int do_resolution(struct ledger *l, const struct ledger_op *ops, size_t i, int64_t now_ms, bool careful, struct step *st,
                         struct err *err)
{
    const struct ledger_op *op = &ops[i];
    int rc = find_hold(l, ops, i, careful, st, err);
    if (rc < 0)
        return rc;
    if (names_other_accounts(op, st->debit->id, st->credit->id))
        return err_field(err, ERR_INVALID, "debit", "The hold %.*s is between other accounts; leave them out.", SLICE_FMT(op->pending));
    if (op->kind == LEDGER_POST && st->expires_ms && now_ms >= st->expires_ms)
        return hold_expired(op->pending, err);
    st->amount = op->kind == LEDGER_VOID || op->amount == INT64_MAX ? st->held : op->amount;
    if (st->amount <= 0 || st->amount > st->held)
        return err_field(err, ERR_INVALID, "amount", "A post is between 1 and what the hold %.*s has, %lld.", SLICE_FMT(op->pending),
                         (long long)st->held);
    /* A void only gives back, so it is allowed on closed and frozen accounts. */
    rc = op->kind == LEDGER_POST ? check_flags(st->debit, st->credit, err) : 0;
    if (rc == 0)
        rc = touch_both(l, st, err);
    if (rc < 0)
        return rc;
    struct ledger_balance *d = &st->debit->balance, *c = &st->credit->balance;
    d->debits_pending -= st->held;
    c->credits_pending -= st->held;
    if (op->kind == LEDGER_VOID)
        return 0;
    rc = add_checked(&d->debits_posted, st->amount, st->debit, err);
    return rc < 0 ? rc : add_checked(&c->credits_posted, st->amount, st->credit, err);
}

/* --- done before? ---------------------------------------------------------------------------------------------------------------- */

static int mismatch(struct slice id, struct err *err)
{
    return err_field(err, ERR_MISMATCH, "id", "The transfer %.*s was done before with other content; use a new id for a new transfer.",
                     SLICE_FMT(id));
}

static bool same_op(const struct ledger_op *a, const struct ledger_op *b)
{
    return a->kind == b->kind && a->debit == b->debit && a->credit == b->credit && a->amount == b->amount &&
           slice_eq(a->pending, b->pending) && slice_eq(a->reference, b->reference);
}

/* 1 = the row is what op asks for. Times are not content: a repetition comes later. */
static int same_as_row(struct ledger *l, const struct ledger_op *op, const struct row *row, struct err *err)
{
    if (row->kind != (int)op->kind || !row->same_reference || names_other_accounts(op, row->debit, row->credit))
        return 0;
    if (op->kind == LEDGER_TRANSFER || op->kind == LEDGER_HOLD)
        return op->debit && op->credit && op->amount == row->amount;
    struct row hold;
    int rc = find_row(l, op->pending, SLICE_LIT(""), &hold, err);
    if (rc <= 0)
        return rc;
    if (hold.seq != row->pending)
        return 0;
    return op->kind == LEDGER_VOID || row->amount == (op->amount == INT64_MAX ? hold.amount : op->amount);
}

/* 1 = done before, 0 = new. */
static int done_before(struct ledger *l, const struct ledger_op *ops, size_t i, struct err *err)
{
    for (size_t k = 0; k < i; k++) {
        if (slice_eq(ops[k].id, ops[i].id))
            return same_op(&ops[k], &ops[i]) ? 1 : mismatch(ops[i].id, err);
    }
    struct row row;
    int rc = find_row(l, ops[i].id, ops[i].reference, &row, err);
    if (rc <= 0)
        return rc;
    rc = same_as_row(l, &ops[i], &row, err);
    return rc == 0 ? mismatch(ops[i].id, err) : rc;
}

/* --- the set ------------------------------------------------------------------------------------------------------------------------ */

static int check_op(const struct ledger_op *op, struct err *err)
{
    if (op->id.len == 0 || op->id.len > LEDGER_ID_MAX)
        return err_field(err, ERR_INVALID, "id", "The id of a transfer has 1 to %d bytes.", LEDGER_ID_MAX);
    if ((op->kind == LEDGER_POST || op->kind == LEDGER_VOID) && op->pending.len == 0)
        return err_field(err, ERR_INVALID, "pending", "A post or a void must name its hold.");
    return 0;
}

static int do_in_memory(struct ledger *l, const struct ledger_op *ops, size_t i, int64_t now_ms, bool careful, struct err *err)
{
    struct step *st = &l->steps[i];
    *st = (struct step){ 0 };
    int rc = check_op(&ops[i], err);
    if (rc == 0 && careful)
        rc = done_before(l, ops, i, err);
    if (rc < 0)
        return rc;
    if (rc == 1) {
        st->done_before = true;
        return 0;
    }
    st->seq = l->next_seq++;
    switch (ops[i].kind) {
    case LEDGER_TRANSFER:
    case LEDGER_HOLD:
        return do_new(l, &ops[i], st, err);
    case LEDGER_POST:
    case LEDGER_VOID:
        return do_resolution(l, ops, i, now_ms, careful, st, err);
    }
    return err_field(err, ERR_INVALID, "kind", "A transfer is a transfer, a hold, a post or a void.");
}

/* 1 = written, 0 = its id (or its hold's resolution) is already there. */
static int write_transfer(struct ledger *l, const struct ledger_op *op, const struct step *st, int64_t now_ms, struct err *err)
{
    struct store_stmt *s = l->transfer_insert;
    store_bind_int(s, 1, st->seq);
    store_bind_text(s, 2, op->id);
    store_bind_int(s, 3, op->kind);
    store_bind_int(s, 4, st->debit->id);
    store_bind_int(s, 5, st->credit->id);
    store_bind_int(s, 6, st->amount);
    if (st->pending_seq)
        store_bind_int(s, 7, st->pending_seq);
    store_bind_int(s, 8, now_ms);
    if (op->kind == LEDGER_HOLD && op->expires_ms)
        store_bind_int(s, 9, op->expires_ms);
    if (op->reference.len)
        store_bind_text(s, 10, op->reference);
    int64_t changed = 0;
    int rc = store_run(s, &changed, err);
    return rc < 0 ? rc : changed == 1;
}

/* Takes back the rows of a set that failed half-way: they are the last of the table. */
static void unwrite(struct ledger *l, int64_t first_seq)
{
    store_bind_int(l->transfer_delete_from, 1, first_seq);
    if (store_run(l->transfer_delete_from, NULL, NULL) < 0)
        l->broken = true;
}

static int write_set(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (l->steps[i].done_before)
            continue;
        *failed = i;
        int rc = write_transfer(l, &ops[i], &l->steps[i], now_ms, err);
        if (rc <= 0)
            return rc;
    }
    return 1;
}

/* Which holds the ledger is to give back. After the transfers: when this fails, the store does, and the savepoint must not be kept. */
static int write_expiries(struct ledger *l, const struct ledger_op *ops, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct step *st = &l->steps[i];
        bool begins = ops[i].kind == LEDGER_HOLD && ops[i].expires_ms;
        if (st->done_before || (!begins && !st->expires_ms))
            continue;
        struct store_stmt *s = begins ? l->expiry_insert : l->expiry_delete;
        store_bind_int(s, 1, begins ? ops[i].expires_ms : st->expires_ms);
        store_bind_int(s, 2, begins ? st->seq : st->pending_seq);
        int rc = store_run(s, NULL, err);
        if (rc < 0) {
            l->broken = true;
            return rc;
        }
    }
    return 0;
}

/* 1 = done; 0 = an id is already there, so be careful; negative = refused. When not done, nothing remains of it. */
static int apply_set(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, bool careful, size_t *failed, struct err *err)
{
    struct mark mark = undo_mark(l);
    for (size_t i = 0; i < n; i++) {
        int rc = do_in_memory(l, ops, i, now_ms, careful, err);
        if (rc < 0) {
            *failed = i;
            undo_to(l, mark);
            return rc;
        }
    }
    int rc = write_set(l, ops, n, now_ms, failed, err), written = rc;
    if (rc > 0 && (rc = write_expiries(l, ops, n, err)) == 0)
        rc = written;
    if (rc <= 0) {
        unwrite(l, mark.next_seq);
        undo_to(l, mark);
    }
    return rc;
}

static int need_steps(struct ledger *l, size_t n, struct err *err)
{
    if (n <= l->steps_cap)
        return 0;
    struct step *grown = realloc(l->steps, n * sizeof *grown);
    if (!grown)
        return err_set(err, ERR_NOMEM, "Out of memory in the ledger; try again later.");
    l->steps = grown;
    l->steps_cap = n;
    return 0;
}

/* What a second, careful look can turn into "done before". An error of the store can't. */
static bool worth_a_second_look(int rc)
{
    return rc == 0 || rc == ERR_CONFLICT || rc == ERR_STATE || rc == ERR_INVALID || rc == ERR_NOT_FOUND || rc == ERR_OVERFLOW;
}

int ledger_apply(struct ledger *l, const struct ledger_op *ops, size_t n, int64_t now_ms, size_t *failed, struct err *err)
{
    size_t ignored;
    if (!failed)
        failed = &ignored;
    *failed = 0;
    if (l->broken)
        return err_set(err, ERR_IO, "The ledger could not take back a transfer that failed; try the request again.");
    int rc = need_steps(l, n, err);
    if (rc < 0)
        return rc;
    rc = apply_set(l, ops, n, now_ms, false, failed, err);
    if (rc <= 0 && worth_a_second_look(rc)) {
        rc = apply_set(l, ops, n, now_ms, true, failed, err);
        if (rc == 0)
            rc = err_set(err, ERR_INTERNAL, "A transfer was refused as a repetition, yet is not there; please report this.");
    }
    if (rc < 0)
        return rc;
    if (err)
        err_clear(err); /* the first look may have left its complaint */
    return 0;
}

/* --- the rest ------------------------------------------------------------------------------------------------------------------------ */

static bool is_empty(const struct ledger_balance *b)
{
    return b->credits_posted == b->debits_posted && b->debits_pending == 0 && b->credits_pending == 0;
}

int ledger_set_flags(struct ledger *l, int64_t account, unsigned flags, struct err *err)
{
    struct account *a;
    int rc = account_get(l, account, &a, err);
    if (rc < 0)
        return rc;
    rc = check_flags_of(flags, err);
    if (rc < 0)
        return rc;
    if ((flags & LEDGER_NO_OVERDRAFT) && ledger_available(&a->balance) < 0)
        return err_reason(err, ERR_STATE, "overdrawn", "The account %.*s is overdrawn; bring it to zero before forbidding overdrafts.",
                          SLICE_FMT(a->name));
    if ((flags & LEDGER_CLOSED) && !(a->balance.flags & LEDGER_CLOSED) && !is_empty(&a->balance))
        return err_reason(err, ERR_STATE, "not_empty", "The account %.*s has a balance or holds; empty it before it is closed.",
                          SLICE_FMT(a->name));
    rc = account_touch(l, a, err);
    if (rc == 0)
        a->balance.flags = flags;
    return rc;
}

int ledger_balance(struct ledger *l, int64_t account, struct ledger_balance *out, struct err *err)
{
    struct account *a;
    int rc = account_get(l, account, &a, err);
    if (rc == 0)
        *out = a->balance;
    return rc;
}

int ledger_balance_read(struct store_conn *c, struct slice name, struct ledger_balance *out, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(
        c, "SELECT flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts WHERE name = ?1", &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, name);
    rc = store_step(s, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "There is no ledger account %.*s.", SLICE_FMT(name));
    *out = balance_of_row(s, 0);
    store_reset(s);
    return 0;
}
