#include "host/left.h"
#include "ledger/ledger.h"
#include <stdatomic.h>
#include <stdlib.h>

/* One number per symbol, in pieces that are made when one in them is first set. */
enum { PIECE = 1 << 12, PIECES = 1 << 16, ACCOUNTS_MAX = 1 << 18 };
#define UNKNOWN INT64_MAX /* no account can have so much left: its sums would leave their range */

struct piece {
    _Atomic int64_t left[PIECE];
};

struct left {
    struct symbols *symbols;
    struct ledger *ledger; /* that is followed */
    size_t count;          /* accounts that are told; beyond ACCOUNTS_MAX the writer alone knows, so that no plugin fills the memory */
    struct piece *_Atomic pieces[PIECES];
};

bool left_of(const struct left *l, struct slice account, int64_t *left)
{
    symbol s = symbols_find(l->symbols, account);
    const struct piece *p = s && s / PIECE < PIECES ? atomic_load_explicit(&l->pieces[s / PIECE], memory_order_acquire) : NULL;
    *left = p ? atomic_load_explicit(&p->left[s % PIECE], memory_order_relaxed) : UNKNOWN;
    return *left != UNKNOWN;
}

bool left_exhausted(const struct left *l, struct slice account, int64_t need)
{
    int64_t left;
    return left_of(l, account, &left) && left < need;
}

static struct piece *piece_new(void)
{
    struct piece *p = malloc(sizeof *p);
    for (size_t i = 0; p && i < PIECE; i++)
        atomic_init(&p->left[i], UNKNOWN);
    return p;
}

/* The writer alone sets. Without memory nothing is told, and the writer goes on refusing by itself. */
static void tell(struct left *l, struct slice account, const struct ledger_balance *b)
{
    symbol s = symbols_find(l->symbols, account);
    if (!s && l->count < ACCOUNTS_MAX) {
        s = symbols_intern(l->symbols, account);
        l->count++;
    }
    if (s == 0 || s / PIECE >= PIECES)
        return;
    struct piece *p = atomic_load_explicit(&l->pieces[s / PIECE], memory_order_relaxed);
    if (!p && (p = piece_new()))
        atomic_store_explicit(&l->pieces[s / PIECE], p, memory_order_release);
    if (p)
        atomic_store_explicit(&p->left[s % PIECE], b->flags & (LEDGER_CLOSED | LEDGER_FROZEN) ? 0 : ledger_available(b),
                              memory_order_relaxed);
}

static void changed(void *ctx, struct slice name, const struct ledger_balance *now)
{
    if (now->flags & LEDGER_PUBLISHED)
        tell(ctx, name, now);
}

static int read_all(struct left *l, struct store_conn *conn, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn, "SELECT name, flags, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts WHERE flags & 8", &q,
        err);
    while (rc == 0 && (rc = store_step(q, err)) == 1) {
        struct ledger_balance b = { .flags = (unsigned)store_column_int(q, 1),
                                    .debits_posted = store_column_int(q, 2),
                                    .credits_posted = store_column_int(q, 3),
                                    .debits_pending = store_column_int(q, 4),
                                    .credits_pending = store_column_int(q, 5) };
        tell(l, store_column_text(q, 0), &b);
        rc = 0;
    }
    return rc;
}

int left_open(struct symbols *symbols, struct store_conn *conn, struct ledger *ledger, struct left **out, struct err *err)
{
    struct left *l = *out = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    l->symbols = symbols;
    int rc = read_all(l, conn, err);
    if (rc == 0)
        ledger_watch(l->ledger = ledger, changed, l);
    return rc;
}

void left_close(struct left *l)
{
    if (l && l->ledger)
        ledger_unwatch(l->ledger, l);
    for (size_t i = 0; l && i < PIECES; i++)
        free(atomic_load(&l->pieces[i]));
    free(l);
}
