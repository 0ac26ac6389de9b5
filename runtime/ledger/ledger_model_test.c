/* The ledger against a slow, obvious model: random sets of operations inside commands, with savepoints undone,
 * transactions aborted, commits that fail, accounts evicted from memory and the store opened again. After every call the
 * answer and all balances must be the same. */
#include "ledger/statement.h"
#include "store/faultvfs.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { ACCOUNTS = 12, ENTRIES = 1400, SET = 5 };

static struct store_migration schema[] = { { 1, "ledger", NULL }, { 2, "statements", NULL }, { 0 } };

/* --- the model --------------------------------------------------------------------------------------------------------------- */

struct entry {
    int id, kind, debit, credit, pending, reference; /* accounts by their place in the model; pending: id, -1 = none */
    int64_t amount, at_ms, expires_ms;
};

struct model {
    struct ledger_balance accounts[ACCOUNTS];
    bool exists[ACCOUNTS];
    struct entry entries[ENTRIES];
    int n;
};

static const char *unit_of(int account)
{
    return account % 3 == 2 ? "points" : "CNY";
}

static unsigned flags_of(int account)
{
    return account % 4 == 1 ? LEDGER_NO_OVERDRAFT : 0;
}

static const struct entry *model_find(const struct model *m, int id)
{
    for (int i = 0; i < m->n; i++) {
        if (m->entries[i].id == id)
            return &m->entries[i];
    }
    return NULL;
}

static bool model_resolved(const struct model *m, int hold)
{
    for (int i = 0; i < m->n; i++) {
        if (m->entries[i].pending == hold)
            return true;
    }
    return false;
}

static int model_flags(const struct model *m, int debit, int credit)
{
    if ((m->accounts[debit].flags | m->accounts[credit].flags) & LEDGER_CLOSED)
        return ERR_STATE;
    return m->accounts[debit].flags & LEDGER_FROZEN ? ERR_STATE : 0;
}

static int model_new(struct model *m, const struct entry *e)
{
    if (e->amount <= 0 || e->debit == e->credit || strcmp(unit_of(e->debit), unit_of(e->credit)) != 0)
        return ERR_INVALID;
    int rc = model_flags(m, e->debit, e->credit);
    if (rc < 0)
        return rc;
    struct ledger_balance *d = &m->accounts[e->debit], *c = &m->accounts[e->credit];
    if ((d->flags & LEDGER_NO_OVERDRAFT) && ledger_available(d) < e->amount)
        return ERR_CONFLICT;
    *(e->kind == LEDGER_HOLD ? &d->debits_pending : &d->debits_posted) += e->amount;
    *(e->kind == LEDGER_HOLD ? &c->credits_pending : &c->credits_posted) += e->amount;
    return 0;
}

static bool model_is_expired(const struct entry *hold, int64_t now_ms)
{
    return hold->expires_ms && now_ms >= hold->expires_ms;
}

static int model_resolve(struct model *m, struct entry *e)
{
    const struct entry *h = model_find(m, e->pending);
    if (!h || h->kind != LEDGER_HOLD)
        return ERR_NOT_FOUND;
    if (model_resolved(m, e->pending))
        return ERR_STATE;
    e->debit = h->debit;
    e->credit = h->credit;
    if (e->kind == LEDGER_POST && model_is_expired(h, e->at_ms))
        return ERR_STATE;
    if (e->kind == LEDGER_VOID || e->amount == INT64_MAX)
        e->amount = h->amount;
    if (e->amount <= 0 || e->amount > h->amount)
        return ERR_INVALID;
    int rc = e->kind == LEDGER_POST ? model_flags(m, h->debit, h->credit) : 0;
    if (rc < 0)
        return rc;
    m->accounts[h->debit].debits_pending -= h->amount;
    m->accounts[h->credit].credits_pending -= h->amount;
    if (e->kind == LEDGER_POST) {
        m->accounts[h->debit].debits_posted += e->amount;
        m->accounts[h->credit].credits_posted += e->amount;
    }
    return 0;
}

static bool model_same(const struct model *m, const struct entry *done, const struct entry *e)
{
    if (done->kind != e->kind || done->reference != e->reference || done->pending != e->pending)
        return false;
    if (e->kind == LEDGER_VOID)
        return true;
    if (e->kind == LEDGER_POST)
        return done->amount == (e->amount == INT64_MAX ? model_find(m, e->pending)->amount : e->amount);
    return done->debit == e->debit && done->credit == e->credit && done->amount == e->amount;
}

static int model_apply(struct model *m, const struct entry *set, int n, size_t *failed)
{
    static struct model before;
    before = *m;
    for (int i = 0; i < n; i++) {
        struct entry e = set[i];
        const struct entry *done = model_find(m, e.id);
        int rc;
        if ((e.kind == LEDGER_POST || e.kind == LEDGER_VOID) && e.pending < 0)
            rc = ERR_INVALID;
        else if (done)
            rc = model_same(m, done, &e) ? 1 : ERR_MISMATCH;
        else
            rc = e.kind == LEDGER_TRANSFER || e.kind == LEDGER_HOLD ? model_new(m, &e) : model_resolve(m, &e);
        if (rc == 0)
            m->entries[m->n++] = e;
        if (rc < 0) {
            *m = before;
            *failed = (size_t)i;
            return rc;
        }
    }
    return 0;
}

/* --- the world: the model and the real one side by side -------------------------------------------------------------------------- */

struct world {
    struct random_seeded random;
    struct faultvfs *disk;
    const char *name;
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks hooks;
    struct model now, savepoint, committed;
    int64_t ids[ACCOUNTS]; /* of the real accounts; valid where the model has the account */
    struct entry made[ENTRIES * 4];
    int nmade, next_id;
    uint64_t calls, refusals, repeats, aborts, undone, expired, pages;
    int64_t now_ms; /* mostly forward, sometimes back */
};

static uint64_t roll(struct world *w, uint64_t n)
{
    return random_seeded_next(&w->random) % n;
}

static void account_name(int i, char out[32])
{
    snprintf(out, 32, "account/%d", i);
}

static void open_world(struct world *w)
{
    struct err err;
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    if (store_open(&(struct store_options){ .path = "shop.db", .vfs = w->name, .migrations = schema }, &w->store, &err) < 0)
        fail_msg("%s", err.text);
    w->conn = store_writer_conn(w->store);
    assert_int_equal(ledger_open(w->store, &w->ledger, &err), 0);
    ledger_cache_max(w->ledger, 4);
    w->hooks = ledger_hooks(w->ledger);
}

static void close_world(struct world *w)
{
    ledger_close(w->ledger);
    store_close(w->store);
}

static void compare(struct world *w)
{
    __int128 posted = 0, pending = 0;
    for (int i = 0; i < ACCOUNTS; i++) {
        struct ledger_balance b, *m = &w->now.accounts[i];
        if (!w->now.exists[i])
            continue;
        assert_int_equal(ledger_balance(w->ledger, w->ids[i], &b, NULL), 0);
        assert_true(b.debits_posted == m->debits_posted && b.credits_posted == m->credits_posted);
        assert_true(b.debits_pending == m->debits_pending && b.credits_pending == m->credits_pending && b.flags == m->flags);
        assert_true(!(flags_of(i) & LEDGER_NO_OVERDRAFT) || ledger_available(&b) >= 0);
        posted += (__int128)b.credits_posted - b.debits_posted;
        pending += (__int128)b.credits_pending - b.debits_pending;
    }
    assert_true(posted == 0 && pending == 0);
}

static struct entry invent(struct world *w)
{
    w->now_ms += (int64_t)roll(w, 600000);
    if (roll(w, 40) == 0)
        w->now_ms -= (int64_t)roll(w, (uint64_t)(w->now_ms < 9000000 ? w->now_ms + 1 : 9000000));
    if (w->nmade && roll(w, 5) == 0) { /* again, sometimes not quite the same */
        struct entry e = w->made[roll(w, (uint64_t)w->nmade)];
        if (roll(w, 4) == 0)
            e.amount = 1 + (int64_t)roll(w, 50);
        if (roll(w, 8) == 0)
            e.kind = (int)roll(w, 4);
        if (e.kind == LEDGER_TRANSFER || e.kind == LEDGER_HOLD) {
            e.pending = -1;
            e.amount = e.amount == INT64_MAX ? 1 : e.amount; /* "all" is for posts */
        }
        return e;
    }
    static const int kinds[] = { LEDGER_TRANSFER, LEDGER_TRANSFER, LEDGER_HOLD, LEDGER_HOLD, LEDGER_POST, LEDGER_VOID };
    struct entry e = { .id = w->next_id++, .kind = kinds[roll(w, 6)], .pending = -1, .reference = (int)roll(w, 3) };
    e.debit = (int)roll(w, ACCOUNTS);
    e.credit = roll(w, 8) ? (e.debit + 3) % ACCOUNTS : (int)roll(w, ACCOUNTS);
    e.amount = roll(w, 20) ? 1 + (int64_t)roll(w, 50) : 0;
    if (e.kind == LEDGER_POST || e.kind == LEDGER_VOID) {
        e.pending = w->now.n ? w->now.entries[w->now.n - 1 - (int)roll(w, (uint64_t)(w->now.n > 15 ? 15 : w->now.n))].id : 0;
        if (roll(w, 4) == 0 && w->nmade)
            e.pending = w->made[w->nmade - 1].id; /* perhaps of the same set */
        if (roll(w, 3) == 0)
            e.amount = INT64_MAX;
    }
    if (e.kind == LEDGER_HOLD && roll(w, 2))
        e.expires_ms = w->now_ms + (int64_t)roll(w, 4000000);
    if (w->nmade < ENTRIES * 4)
        w->made[w->nmade++] = e;
    return e;
}

struct texts {
    char id[24], pending[24], reference[24];
};

static struct ledger_op op_of(struct world *w, const struct entry *e, struct texts *t)
{
    snprintf(t->id, sizeof t->id, "t%d", e->id);
    snprintf(t->pending, sizeof t->pending, "t%d", e->pending);
    snprintf(t->reference, sizeof t->reference, "ord_%d", e->reference);
    bool resolves = e->kind == LEDGER_POST || e->kind == LEDGER_VOID;
    return (struct ledger_op){
        .kind = (enum ledger_kind)e->kind,
        .id = slice_str(t->id),
        .debit = resolves ? 0 : w->ids[e->debit],
        .credit = resolves ? 0 : w->ids[e->credit],
        .amount = e->amount,
        .pending = e->pending >= 0 ? slice_str(t->pending) : slice_of(NULL, 0),
        .reference = e->reference ? slice_str(t->reference) : slice_of(NULL, 0),
        .expires_ms = e->expires_ms,
    };
}

static void need_account(struct world *w, int i)
{
    char name[32];
    account_name(i, name);
    assert_int_equal(ledger_account(w->ledger, slice_str(name), slice_str(unit_of(i)), flags_of(i), &w->ids[i], NULL), 0);
    if (!w->now.exists[i])
        w->now.accounts[i] = (struct ledger_balance){ .flags = flags_of(i) };
    w->now.exists[i] = true;
}

static void one_set(struct world *w)
{
    struct entry set[SET];
    struct ledger_op ops[SET];
    struct texts texts[SET];
    int n = roll(w, 3) ? 1 : 1 + (int)roll(w, SET);
    for (int i = 0; i < n; i++) {
        set[i] = invent(w);
        need_account(w, set[i].debit);
        need_account(w, set[i].credit);
    }
    for (int i = 0; i < n; i++) {
        set[i].at_ms = w->now_ms;
        ops[i] = op_of(w, &set[i], &texts[i]);
    }
    size_t expected_at = 0, at = 0;
    struct err err;
    int entries = w->now.n;
    int expected = model_apply(&w->now, set, n, &expected_at);
    int rc = ledger_apply(w->ledger, ops, (size_t)n, w->now_ms, &at, &err);
    if (rc != expected)
        fail_msg("call %llu: the model says %d, the ledger %d (%s)", (unsigned long long)w->calls, expected, rc, rc < 0 ? err.text : "");
    if (rc < 0)
        assert_int_equal(at, expected_at);
    w->calls++;
    w->refusals += rc < 0;
    w->repeats += rc == 0 && w->now.n < entries + n;
    compare(w);
}

static void one_flag(struct world *w)
{
    int i = (int)roll(w, ACCOUNTS);
    if (!w->now.exists[i])
        return;
    static const unsigned extra[] = { 0, 0, 0, 0, 0, 0, 0, 0, LEDGER_FROZEN, LEDGER_CLOSED };
    unsigned flags = flags_of(i) | extra[roll(w, 10)];
    struct ledger_balance *b = &w->now.accounts[i];
    bool empty = b->credits_posted == b->debits_posted && !b->debits_pending && !b->credits_pending;
    bool allowed = empty || !(flags & LEDGER_CLOSED) || (b->flags & LEDGER_CLOSED);
    assert_int_equal(ledger_set_flags(w->ledger, w->ids[i], flags, NULL), allowed ? 0 : ERR_STATE);
    if (allowed)
        b->flags = flags;
}

/* --- expiry ------------------------------------------------------------------------------------------------------------------- */

/* All that is due, in the model; what was done is an entry that nobody can name. */
static int model_expire(struct model *m, int64_t now_ms)
{
    int n = m->n, voided = 0;
    for (int i = 0; i < n; i++) {
        struct entry hold = m->entries[i];
        if (hold.kind != LEDGER_HOLD || !model_is_expired(&hold, now_ms) || model_resolved(m, hold.id))
            continue;
        struct entry end = { .id = -1000 - hold.id, .kind = LEDGER_VOID, .pending = hold.id, .at_ms = now_ms };
        assert_int_equal(model_resolve(m, &end), 0);
        m->entries[m->n++] = end;
        voided++;
    }
    return voided;
}

static void one_expiry(struct world *w)
{
    struct err err;
    int voided = 0, expected = model_expire(&w->now, w->now_ms);
    if (ledger_expire(w->ledger, w->now_ms, ENTRIES, &voided, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(voided, expected);
    w->expired += (uint64_t)voided;
    compare(w);
}

/* --- statements --------------------------------------------------------------------------------------------------------------- */

static const struct model *sorted_model; /* for qsort alone */

static int by_time(const void *x, const void *y)
{
    int a = *(const int *)x, b = *(const int *)y;
    int64_t at = sorted_model->entries[a].at_ms, bt = sorted_model->entries[b].at_ms;
    return at != bt ? (at > bt) - (at < bt) : a - b;
}

/* The entries of an account in their order; gives their number. */
static int model_entries(const struct model *m, int account, int *out)
{
    int n = 0;
    for (int i = 0; i < m->n; i++) {
        const struct entry *e = &m->entries[i];
        if ((e->kind == LEDGER_TRANSFER || e->kind == LEDGER_POST) && (e->debit == account || e->credit == account))
            out[n++] = i;
    }
    sorted_model = m;
    qsort(out, (size_t)n, sizeof *out, by_time);
    return n;
}

static int64_t signed_amount(const struct entry *e, int account)
{
    return e->debit == account ? -e->amount : e->amount;
}

/* One page against those entries of the model that come next; gives how many there were. */
static int compare_page(struct world *w, int account, struct ledger_period *p, const int *entries, int n, int64_t balance, struct arena *a)
{
    struct ledger_statement s;
    struct err err;
    char name[32], id[24];
    account_name(account, name);
    if (ledger_statement(w->conn, slice_str(name), p, a, &s, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(s.count, n < (int)p->limit ? n : (int)p->limit);
    assert_int_equal(s.more, n > (int)p->limit);
    for (size_t i = 0; i < s.count; i++) {
        const struct entry *e = &w->now.entries[entries[i]];
        snprintf(id, sizeof id, "t%d", e->id);
        assert_true(slice_is(s.entries[i].id, id) && s.entries[i].at_ms == e->at_ms && (int)s.entries[i].kind == e->kind);
        assert_int_equal(s.entries[i].amount, signed_amount(e, account));
        account_name(e->debit == account ? e->credit : e->debit, name);
        assert_true(slice_is(s.entries[i].other, name) && s.entries[i].balance == (balance += s.entries[i].amount));
        p->after_ms = s.entries[i].at_ms;
        p->after_seq = s.entries[i].seq;
    }
    w->pages++;
    return (int)s.count;
}

static void one_statement(struct world *w)
{
    int account = (int)roll(w, ACCOUNTS), entries[ENTRIES], first = 0, last;
    if (!w->now.exists[account])
        return;
    int64_t x = (int64_t)roll(w, (uint64_t)w->now_ms + 2000000), y = (int64_t)roll(w, (uint64_t)w->now_ms + 2000000);
    struct ledger_period p = { .from_ms = x < y ? x : y, .to_ms = roll(w, 4) ? (x < y ? y : x) : INT64_MAX, .limit = 1 + roll(w, 9) };
    int n = model_entries(&w->now, account, entries);
    int64_t opening = 0, closing, debits = 0, credits = 0;
    for (; first < n && w->now.entries[entries[first]].at_ms < p.from_ms; first++)
        opening += signed_amount(&w->now.entries[entries[first]], account);
    closing = opening;
    for (last = first; last < n && w->now.entries[entries[last]].at_ms < p.to_ms; last++) {
        const struct entry *e = &w->now.entries[entries[last]];
        *(e->debit == account ? &debits : &credits) += e->amount;
        closing += signed_amount(e, account);
    }
    struct ledger_statement s;
    struct arena a;
    char name[32];
    arena_init(&a, NULL, 0);
    account_name(account, name);
    struct ledger_period sums = { .from_ms = p.from_ms, .to_ms = p.to_ms };
    assert_int_equal(ledger_statement(w->conn, slice_str(name), &sums, &a, &s, NULL), 0);
    assert_true(s.opening == opening && s.closing == closing && s.debits == debits && s.credits == credits && s.count == 0);
    for (int64_t balance = opening; first < last || p.after_seq == 0;) {
        int read = compare_page(w, account, &p, entries + first, last - first, balance, &a);
        for (; read > 0; read--)
            balance += signed_amount(&w->now.entries[entries[first++]], account);
        if (first == last)
            break;
    }
    arena_release(&a);
}

static void one_sum(struct world *w)
{
    int64_t before = 0, left = 0, after = 0, rows = 1 + (int64_t)roll(w, 40);
    assert_int_equal(ledger_not_summed(w->conn, &before, NULL), 0);
    assert_int_equal(ledger_sum_hours(w->conn, rows, &left, NULL), 0);
    assert_int_equal(ledger_not_summed(w->conn, &after, NULL), 0);
    assert_true(after == left && after == (before < rows ? 0 : before - rows));
}

static void one_command(struct world *w)
{
    struct err err;
    w->savepoint = w->now;
    assert_int_equal(store_savepoint(w->conn, &err), 0);
    w->hooks.savepoint(w->hooks.ctx);
    for (uint64_t n = roll(w, 4); n > 0; n--)
        one_set(w);
    if (roll(w, 10) == 0)
        one_flag(w);
    if (roll(w, 6) == 0)
        one_expiry(w);
    if (roll(w, 5) == 0)
        one_sum(w);
    one_statement(w);
    if (roll(w, 4)) {
        assert_int_equal(store_release(w->conn, &err), 0);
        return;
    }
    w->hooks.rollback_to(w->hooks.ctx);
    assert_int_equal(store_rollback_to(w->conn, &err), 0);
    w->now = w->savepoint;
    w->undone++;
    compare(w);
}

static void one_transaction(struct world *w)
{
    struct err err;
    assert_int_equal(store_begin(w->conn, &err), 0);
    for (uint64_t n = 1 + roll(w, 6); n > 0; n--)
        one_command(w);
    uint64_t fate = roll(w, 8);
    if (fate == 0)
        faultvfs_fail(w->disk, FAULTVFS_FULL, 1, 1); /* the commit fails */
    int rc = fate == 1 ? -1 : w->hooks.before_commit(w->hooks.ctx, &err);
    if (rc == 0)
        rc = store_commit(w->conn, &err);
    faultvfs_fail(w->disk, FAULTVFS_FULL, 0, 0);
    if (rc == 0) {
        w->hooks.committed(w->hooks.ctx);
        w->committed = w->now;
    } else {
        store_rollback(w->conn);
        w->hooks.aborted(w->hooks.ctx);
        w->now = w->committed;
        w->aborts++;
    }
    compare(w);
    if (ledger_verify(w->conn, &err) < 0)
        fail_msg("%s", err.text);
}

static void run_world(uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    random_seeded_init(&w->random, seed);
    w->name = "ledger_model";
    assert_int_equal(faultvfs_open(w->name, seed, &w->disk, NULL), 0);
    open_world(w);
    while (w->now.n < ENTRIES / 2 - 6 * 4 * SET && /* each hold may expire in one more entry */
           w->calls < 2500) {
        one_transaction(w);
        if (roll(w, 30) == 0) {
            close_world(w);
            open_world(w);
            compare(w); /* the same balances after opening again */
        }
    }
    print_message("seed %llu: %llu sets, %llu refused, %llu repeated, %llu commands undone, %llu transactions aborted, %llu expired, %llu "
                  "pages, %d entries\n",
                  (unsigned long long)seed, (unsigned long long)w->calls, (unsigned long long)w->refusals, (unsigned long long)w->repeats,
                  (unsigned long long)w->undone, (unsigned long long)w->aborts, (unsigned long long)w->expired,
                  (unsigned long long)w->pages, w->now.n);
    assert_true(w->refusals > 50 && w->repeats > 5 && w->aborts > 5 && w->undone > 20 && w->now.n > 100 && w->expired > 5 && w->pages > 50);
    close_world(w);
    faultvfs_close(w->disk);
    free(w);
}

static void test_the_ledger_does_what_the_model_does(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++)
        run_world(seed);
}

/* --- power cuts --------------------------------------------------------------------------------------------------------------------- */

enum { ORDERS = 4000 };

struct order {
    struct writer_command base;
    struct cuts *cuts;
    int number;
    char hold[24], end[24];
};

struct cuts {
    struct random_seeded random;
    struct faultvfs *disk;
    struct store *store;
    struct ledger *ledger;
    struct writer *writer;
    int64_t stock, sold;
    struct order orders[ORDERS];
    bool answered[ORDERS];
    int next;
};

/* Holds, and posts or voids in a second set, as an order does. */
static int order_run(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct order *o = (struct order *)base;
    struct ledger_op hold = {
        .kind = LEDGER_HOLD, .id = slice_str(o->hold), .debit = o->cuts->stock, .credit = o->cuts->sold, .amount = 1 + o->number % 3
    };
    struct ledger_op end = { .kind = o->number % 2 ? LEDGER_POST : LEDGER_VOID, .id = slice_str(o->end), .amount = 1, .pending = hold.id };
    int rc = ledger_apply(o->cuts->ledger, &hold, 1, 0, NULL, err);
    return rc < 0 || o->number % 5 == 0 ? rc : ledger_apply(o->cuts->ledger, &end, 1, 0, NULL, err);
}

static void order_done(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct order *o = (struct order *)base;
    o->cuts->answered[o->number] = rc == 0;
}

static int stock_up(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct cuts *c = ((struct order *)base)->cuts;
    int64_t supplier = 0;
    int rc = ledger_account(c->ledger, SLICE_LIT("stock"), SLICE_LIT("pcs"), LEDGER_NO_OVERDRAFT, &c->stock, err);
    if (rc == 0)
        rc = ledger_account(c->ledger, SLICE_LIT("sold"), SLICE_LIT("pcs"), 0, &c->sold, err);
    if (rc == 0)
        rc = ledger_account(c->ledger, SLICE_LIT("supplier"), SLICE_LIT("pcs"), 0, &supplier, err);
    struct ledger_op in = { .kind = LEDGER_TRANSFER, .id = SLICE_LIT("in"), .debit = supplier, .credit = c->stock, .amount = 1000000 };
    return rc < 0 ? rc : ledger_apply(c->ledger, &in, 1, 0, NULL, err);
}

static void ignore(struct writer_command *base, int rc, const struct err *err)
{
    (void)base;
    (void)rc;
    (void)err;
}

static bool cuts_open(struct cuts *c)
{
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    if (store_open(&(struct store_options){ .path = "shop.db", .vfs = "ledger_cuts", .migrations = schema }, &c->store, NULL) < 0)
        return false;
    if (ledger_open(c->store, &c->ledger, NULL) < 0) {
        store_close(c->store);
        return false;
    }
    struct err err;
    assert_int_equal(writer_open(&(struct writer_options){ .store = c->store, .checkpoint_pages = 20 }, &c->writer, &err), 0);
    struct writer_hooks h = ledger_hooks(c->ledger);
    writer_add_hooks(c->writer, &h);
    return true;
}

static void cuts_close(struct cuts *c)
{
    writer_free(c->writer);
    ledger_close(c->ledger);
    store_close(c->store);
}

static void cuts_work(struct cuts *c)
{
    struct order first = { .base = { .run = stock_up, .done = ignore }, .cuts = c };
    writer_submit(c->writer, &first.base, NULL);
    writer_step(c->writer);
    while (!faultvfs_is_cut(c->disk) && c->next < ORDERS - 32) {
        for (uint64_t n = 1 + random_seeded_next(&c->random) % 30; n > 0; n--) {
            struct order *o = &c->orders[c->next];
            *o = (struct order){ .base = { .run = order_run, .done = order_done }, .cuts = c, .number = c->next++ };
            snprintf(o->hold, sizeof o->hold, "o%d", o->number);
            snprintf(o->end, sizeof o->end, "o%d-end", o->number);
            writer_submit(c->writer, &o->base, NULL);
        }
        writer_step(c->writer);
    }
}

static void cuts_check(struct cuts *c)
{
    struct err err;
    struct store_stmt *s;
    struct store_conn *conn = store_writer_conn(c->store);
    if (ledger_verify(conn, &err) < 0)
        fail_msg("%s", err.text);
    for (int i = 0; i < c->next; i++) {
        assert_int_equal(store_prepare(conn, "SELECT count(*) FROM ledger_transfers WHERE id = ?1 OR id = ?1 || '-end'", &s, &err), 0);
        char id[16];
        snprintf(id, sizeof id, "o%d", i);
        store_bind_text(s, 1, slice_str(id));
        assert_int_equal(store_step(s, &err), 1);
        int64_t rows = store_column_int(s, 0), whole = i % 5 == 0 ? 1 : 2;
        store_reset(s);
        if ((rows != 0 && rows != whole) || (c->answered[i] && rows != whole))
            fail_msg("order %d has %d of %d rows%s", i, (int)rows, (int)whole, c->answered[i] ? " and was answered" : "");
    }
}

static void test_no_transfer_that_was_answered_is_lost_in_a_power_cut_and_the_books_agree(void **state)
{
    (void)state;
    int answered = 0;
    for (uint64_t disk = 0; disk < 15; disk++) {
        struct cuts *c = calloc(1, sizeof *c);
        assert_non_null(c);
        random_seeded_init(&c->random, disk);
        assert_int_equal(faultvfs_open("ledger_cuts", disk, &c->disk, NULL), 0);
        for (int cycle = 0; cycle < 15; cycle++) {
            faultvfs_cut_at(c->disk, 1 + random_seeded_next(&c->random) % 150);
            if (cuts_open(c)) {
                cuts_work(c);
                cuts_close(c);
            }
            faultvfs_restart(c->disk);
            if (!cuts_open(c))
                fail_msg("the store was refused after a power cut");
            cuts_check(c);
            cuts_close(c);
        }
        for (int i = 0; i < c->next; i++)
            answered += c->answered[i];
        faultvfs_close(c->disk);
        free(c);
    }
    assert_true(answered > 1000);
}

/* --- damage -------------------------------------------------------------------------------------------------------------------------- */

struct file_bytes {
    unsigned char *data;
    size_t len;
};

static void make_books(const char *path)
{
    struct cuts c = { 0 };
    struct err err;
    schema[0].sql = ledger_schema_sql();
    schema[1].sql = ledger_statements_schema_sql();
    assert_int_equal(store_open(&(struct store_options){ .path = path, .migrations = schema }, &c.store, &err), 0);
    assert_int_equal(ledger_open(c.store, &c.ledger, &err), 0);
    struct writer_hooks h = ledger_hooks(c.ledger);
    struct store_conn *conn = store_writer_conn(c.store);
    assert_int_equal(store_begin(conn, &err), 0);
    struct order first = { .cuts = &c };
    assert_int_equal(stock_up(&first.base, conn, &err), 0);
    for (int i = 0; i < 300; i++) {
        struct order o = { .cuts = &c, .number = i };
        snprintf(o.hold, sizeof o.hold, "o%d", i);
        snprintf(o.end, sizeof o.end, "o%d-end", i);
        assert_int_equal(order_run(&o.base, conn, &err), 0);
    }
    assert_int_equal(h.before_commit(h.ctx, &err), 0);
    assert_int_equal(store_commit(conn, &err), 0);
    h.committed(h.ctx);
    ledger_close(c.ledger);
    store_close(c.store);
}

static struct file_bytes read_file(const char *path)
{
    struct file_bytes b = { 0 };
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    b.len = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.len);
    assert_non_null(b.data);
    assert_int_equal(fread(b.data, 1, b.len, f), b.len);
    fclose(f);
    return b;
}

static void write_file(const char *path, const struct file_bytes *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    fclose(f);
}

static const char *const book_names[] = { "stock", "sold", "supplier" };

static bool same_books(struct store_conn *c, const struct ledger_balance right[3])
{
    for (int i = 0; i < 3; i++) {
        struct ledger_balance b;
        if (ledger_balance_read(c, slice_str(book_names[i]), &b, NULL) < 0)
            return false;
        if (memcmp(&b.debits_posted, &right[i].debits_posted, 4 * sizeof(int64_t)) != 0)
            return false;
    }
    return true;
}

/* True when the damage was refused or found. */
static bool found(const char *path, const struct ledger_balance right[3], bool *books_differ)
{
    struct store *s;
    if (store_open(&(struct store_options){ .path = path, .migrations = schema }, &s, NULL) < 0)
        return true;
    struct store_conn *c = store_writer_conn(s);
    bool noticed = store_check(c, true, NULL) < 0 || ledger_verify(c, NULL) < 0;
    *books_differ = !same_books(c, right);
    store_close(s);
    return noticed;
}

static void test_no_flipped_bit_changes_a_balance_unnoticed(void **state)
{
    (void)state;
    char dir[] = "/tmp/ledger-test-XXXXXX", path[64], other[80];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/shop.db", dir);
    make_books(path);
    struct file_bytes whole = read_file(path);
    struct ledger_balance right[3];
    struct store *s;
    assert_int_equal(store_open(&(struct store_options){ .path = path, .migrations = schema, .read_only = true }, &s, NULL), 0);
    struct store_conn *c;
    assert_int_equal(store_reader_open(s, &c, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ledger_balance_read(c, slice_str(book_names[i]), &right[i], NULL), 0);
    store_reader_close(c);
    store_close(s);
    struct random_seeded random;
    random_seeded_init(&random, 11);
    int noticed = 0, harmless = 0;
    for (int i = 0; i < 1200; i++) {
        /* Every page, and more often the heads of pages, where the structure is. */
        size_t page = random_seeded_next(&random) % (whole.len / 4096);
        size_t at = page * 4096 + random_seeded_next(&random) % (i % 2 ? 4096 : 110);
        unsigned char bit = (unsigned char)(1u << random_seeded_next(&random) % 8);
        whole.data[at] ^= bit;
        write_file(path, &whole);
        bool differ = false;
        if (found(path, right, &differ))
            noticed++;
        else if (!differ)
            harmless++;
        else
            fail_msg("bit %d of byte %zu changes a balance and nobody noticed", bit, at);
        whole.data[at] ^= bit;
        static const char *const rest[] = { "-wal", "-shm", "-journal", "" };
        for (int k = 0; k < 4; k++) {
            snprintf(other, sizeof other, "%s%s", path, rest[k]);
            unlink(other);
        }
    }
    print_message("%d flipped bits: %d noticed, %d without effect on the books\n", noticed + harmless, noticed, harmless);
    assert_true(noticed > 300);
    free(whole.data);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ledger_does_what_the_model_does),
        cmocka_unit_test(test_no_transfer_that_was_answered_is_lost_in_a_power_cut_and_the_books_agree),
        cmocka_unit_test(test_no_flipped_bit_changes_a_balance_unnoticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
