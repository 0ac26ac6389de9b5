#include "host/soldout.h"
#include "ledger/ledger.h"
#include <stdatomic.h>
#include <stdlib.h>

/* One bit per symbol, in pieces that are made when a bit in them is first set. */
enum { PIECE_BITS = 1 << 16, PIECES = 1 << 12 };

struct piece {
    atomic_uint_fast64_t words[PIECE_BITS / 64];
};

struct soldout {
    struct symbols *symbols;
    struct store_conn *conn;
    struct ledger *ledger;   /* that is followed */
    struct store_stmt *left; /* whether any place of a SKU has something */
    struct piece *_Atomic pieces[PIECES];
};

bool soldout_has(const struct soldout *s, symbol sku)
{
    const struct piece *p = sku / PIECE_BITS < PIECES ? atomic_load_explicit(&s->pieces[sku / PIECE_BITS], memory_order_acquire) : NULL;
    symbol bit = sku % PIECE_BITS;
    return p && (atomic_load_explicit(&p->words[bit / 64], memory_order_relaxed) >> (bit % 64) & 1);
}

/* The writer alone sets. Without memory the mark is not made, and the writer goes on refusing by itself. */
static void mark(struct soldout *s, symbol sku, bool sold_out)
{
    if (sku == 0 || sku / PIECE_BITS >= PIECES)
        return;
    struct piece *p = atomic_load_explicit(&s->pieces[sku / PIECE_BITS], memory_order_relaxed);
    if (!p && sold_out && (p = calloc(1, sizeof *p)))
        atomic_store_explicit(&s->pieces[sku / PIECE_BITS], p, memory_order_release);
    if (!p)
        return;
    symbol bit = sku % PIECE_BITS;
    uint_fast64_t word = (uint_fast64_t)1 << (bit % 64);
    if (sold_out)
        atomic_fetch_or_explicit(&p->words[bit / 64], word, memory_order_relaxed);
    else
        atomic_fetch_and_explicit(&p->words[bit / 64], ~word, memory_order_relaxed);
}

/* --- following the ledger ------------------------------------------------------------------------------------------------- */

/* "stock/SKU/LOCATION" → SKU; a SKU may have slashes of its own, a location has none. */
static bool sku_of(struct slice account, struct slice *sku)
{
    static const char head[] = "stock/";
    size_t h = sizeof head - 1, end = account.len;
    if (account.len <= h || memcmp(account.data, head, h) != 0)
        return false;
    while (end > h && account.data[end - 1] != '/')
        end--;
    if (end <= h + 1)
        return false;
    *sku = slice_of(account.data + h, end - h - 1);
    return true;
}

/* 1, 0, or a failure of the store. */
static int something_left(struct soldout *s, struct slice sku)
{
    store_bind_text(s->left, 1, sku);
    int rc = store_step(s->left, NULL);
    store_reset(s->left);
    return rc;
}

static void changed(void *ctx, struct slice name, const struct ledger_balance *now)
{
    struct soldout *s = ctx;
    struct slice sku;
    if (!sku_of(name, &sku))
        return;
    symbol known = symbols_find(s->symbols, sku);
    bool marked = known && soldout_has(s, known), empty = ledger_available(now) <= 0;
    if (empty == marked)
        return;
    if (!empty)
        mark(s, known, false);
    else if (something_left(s, sku) == 0) /* another place may have it */
        mark(s, symbols_intern(s->symbols, sku), true);
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

#define SOMETHING                                                                                                                          \
    "SELECT 1 FROM stock s JOIN ledger_accounts a ON a.id = s.account WHERE s.product = p.id AND "                                         \
    "a.credits_posted - a.debits_posted - a.debits_pending > 0"

static int read_all(struct soldout *s, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        s->conn, "SELECT p.sku FROM products p WHERE EXISTS (SELECT 1 FROM stock s WHERE s.product = p.id) AND NOT EXISTS (" SOMETHING ")",
        &q, err);
    while (rc == 0 && (rc = store_step(q, err)) == 1) {
        mark(s, symbols_intern(s->symbols, store_column_text(q, 0)), true);
        rc = 0;
    }
    return rc < 0 ? rc : 0;
}

int soldout_open(struct symbols *symbols, struct store_conn *conn, struct ledger *l, struct soldout **out, struct err *err)
{
    struct soldout *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    s->symbols = symbols;
    s->conn = conn;
    int rc = store_prepare(conn, "SELECT 1 FROM products p WHERE p.sku = ?1 AND EXISTS (" SOMETHING ")", &s->left, err);
    if (rc == 0)
        rc = read_all(s, err);
    if (rc == 0)
        ledger_watch(s->ledger = l, changed, s);
    return rc;
}

void soldout_close(struct soldout *s)
{
    if (s && s->ledger)
        ledger_unwatch(s->ledger, s);
    for (size_t i = 0; s && i < PIECES; i++)
        free(atomic_load(&s->pieces[i]));
    free(s);
}
