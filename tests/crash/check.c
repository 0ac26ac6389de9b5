#include "host/shop.h"
#include "ledger/ledger.h"
#include "tests/crash/crash.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void complain(struct world *w, uint64_t *count, const char *fmt, ...)
{
    va_list args;
    __atomic_fetch_add(count, 1, __ATOMIC_RELAXED);
    w->spoiled = true;
    if (w->quiet)
        return;
    fprintf(stderr, "cycle %llu: ", (unsigned long long)w->tally->cycles);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
}

/* --- orders ---------------------------------------------------------------------------------------------------------------- */

static const char *state_name(enum order_state s)
{
    static const char *const names[] = {
        [ORDER_PLACED] = "placed", [ORDER_PAID] = "paid", [ORDER_CANCELLED] = "cancelled", [ORDER_EXPIRED] = "expired"
    };
    return names[s];
}

/* An order that nobody paid in time is expired by the shop itself. */
static void expire(struct world *w, struct order *o)
{
    if (o->state != ORDER_PLACED || o->expires_ms > atomic_load(&w->now_ms))
        return;
    o->state = ORDER_EXPIRED;
    w->tally->expired++;
}

static void check_order(struct world *w, struct order *o, struct store_stmt *q)
{
    static const char *const states[] = { "", "placed", "paid", "fulfilling", "fulfilled", "completed", "cancelled", "expired" };
    int n = 0;
    expire(w, o);
    bool wanted = o->state >= ORDER_PLACED;
    store_bind_text(q, 1, slice_str(o->reference));
    while (store_step(q, NULL) > 0) {
        n++;
        if (!wanted)
            continue;
        const char *state = states[store_column_int(q, 0)];
        if (strcmp(state, state_name(o->state)) != 0 || store_column_int(q, 1) != o->total || store_column_int(q, 2) != o->refunded)
            complain(w, &w->tally->lost, "order %s (%s) is %s, total %lld, refunded %lld; promised were %s, %lld, %lld", o->reference,
                     o->id, state, (long long)store_column_int(q, 1), (long long)store_column_int(q, 2), state_name(o->state),
                     (long long)o->total, (long long)o->refunded);
    }
    if (n == 0 && wanted)
        complain(w, &w->tally->lost, "order %s (%s) was acknowledged and is not there", o->reference, o->id);
    if (n > 1)
        complain(w, &w->tally->doubled, "order %s is there %d times", o->reference, n);
    if (n == 1 && o->state == ORDER_REFUSED)
        complain(w, &w->tally->violated, "order %s was refused, and is there", o->reference);
}

static void check_orders(struct world *w, struct store_conn *conn)
{
    struct store_stmt *q;
    struct err err;
    if (store_prepare(conn, "SELECT state, total, refunded FROM orders WHERE reference = ?1", &q, &err) < 0) {
        complain(w, &w->tally->violated, "%s", err.text);
        return;
    }
    for (int i = 0; i < BUYERS; i++)
        for (size_t k = 0; k < w->buyers[i].order_count; k++)
            check_order(w, &w->buyers[i].orders[k], q);
}

/* --- pieces ------------------------------------------------------------------------------------------------------------------ */

static void check_stock(struct world *w, struct store_conn *conn)
{
    int64_t on_hand[SKUS], held[SKUS] = { 0 };
    for (int s = 0; s < SKUS; s++) {
        on_hand[s] = INITIAL_STOCK;
        for (int i = 0; i < BUYERS; i++)
            on_hand[s] += w->buyers[i].brought[s];
    }
    for (int i = 0; i < BUYERS; i++) {
        for (size_t k = 0; k < w->buyers[i].order_count; k++) {
            const struct order *o = &w->buyers[i].orders[k];
            for (int l = 0; l < o->line_count; l++) {
                if (o->state == ORDER_PLACED)
                    held[o->lines[l].sku] += o->lines[l].qty;
                if (o->state == ORDER_PAID)
                    on_hand[o->lines[l].sku] -= o->lines[l].qty - o->lines[l].returned;
            }
        }
    }
    for (int s = 0; s < SKUS; s++) {
        char name[64];
        struct ledger_balance b;
        struct err err;
        snprintf(name, sizeof name, "stock/SKU-%d/main", s);
        if (ledger_balance_read(conn, slice_str(name), &b, &err) < 0) {
            complain(w, &w->tally->lost, "%s", err.text);
            continue;
        }
        int64_t posted = b.credits_posted - b.debits_posted;
        if (ledger_available(&b) < 0)
            complain(w, &w->tally->violated, "%s is oversold: %lld on hand, %lld held", name, (long long)posted,
                     (long long)b.debits_pending);
        if (posted != on_hand[s] || b.debits_pending != held[s])
            complain(w, posted > on_hand[s] || b.debits_pending < held[s] ? &w->tally->lost : &w->tally->doubled,
                     "%s has %lld on hand and %lld held; by what was acknowledged it is %lld and %lld", name, (long long)posted,
                     (long long)b.debits_pending, (long long)on_hand[s], (long long)held[s]);
    }
}

static void check_books(struct world *w, struct store_conn *conn)
{
    struct err err;
    /* The file was looked through when it was opened; indexes are compared with their tables now and then, and before a disk is left. */
    if (ledger_verify(conn, &err) < 0 || (w->thorough && store_check(conn, true, &err) < 0))
        complain(w, &w->tally->violated, "%s", err.text);
}

/* --- all of it ------------------------------------------------------------------------------------------------------------- */

static void send_again(struct world *w, const struct errand *errands, size_t count)
{
    errands_send(w, errands, count);
    for (size_t i = 0; i < count; i++) {
        const struct deed *d = errands[i].deed;
        if (d->key[0] && d->status == 0)
            complain(w, &w->tally->violated, "%s under key %s has no answer although the power is back", d->target, d->key);
    }
}

/* First what was not answered: whatever became of it, now it has an answer. */
static void ask_again(struct world *w, bool answered)
{
    struct errand errands[AT_ONCE_MAX];
    size_t count = 0;
    for (int i = 0; i < BUYERS; i++) {
        struct buyer *b = &w->buyers[i];
        for (size_t k = 0; k < b->deed_count; k++) {
            struct deed *d = &b->deeds[k];
            if (d->key[0] && (d->status != 0) == answered)
                errands[count++] = (struct errand){ b, d };
            if (count == AT_ONCE_MAX) {
                send_again(w, errands, count);
                count = 0;
            }
        }
    }
    if (count)
        send_again(w, errands, count);
}

void check_all(struct world *w)
{
    ask_again(w, false);
    ask_again(w, true);
    check_orders(w, desk_conn(w->desk));
    check_stock(w, desk_conn(w->desk));
    check_books(w, desk_conn(w->desk));
}
