#include "host/past/costs.h"
#include <stdlib.h>

struct costs {
    int64_t *by_sku; /* by symbol; -1 = not known */
    size_t count;
};

static bool put(struct costs *c, symbol sku, int64_t cost)
{
    if (sku >= c->count) {
        size_t count = sku + 1024u;
        int64_t *grown = realloc(c->by_sku, count * sizeof *grown);
        if (!grown)
            return false;
        for (size_t i = c->count; i < count; i++)
            grown[i] = -1;
        c->by_sku = grown;
        c->count = count;
    }
    c->by_sku[sku] = cost;
    return true;
}

int costs_open(const struct symbols *symbols, struct store_conn *conn, struct costs **out, struct err *err)
{
    struct store_stmt *q;
    struct costs *c = *out = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    int rc = store_prepare(conn, "SELECT sku, cost FROM products WHERE cost IS NOT NULL ORDER BY id", &q, err);
    if (rc < 0)
        return rc;
    while ((rc = store_step(q, err)) == 1) {
        symbol sku = symbols_find(symbols, store_column_text(q, 0));
        if (sku && !put(c, sku, store_column_int(q, 1))) {
            store_reset(q);
            return err_set(err, ERR_NOMEM, "Out of memory.");
        }
    }
    return rc;
}

void costs_close(struct costs *c)
{
    if (!c)
        return;
    free(c->by_sku);
    free(c);
}

bool costs_of(const struct costs *c, const struct quote_cart *cart, int64_t *minor)
{
    int64_t sum = 0, part;
    for (size_t i = 0; i < cart->line_count; i++) {
        symbol sku = cart->lines[i].product.sku;
        if (sku >= c->count || c->by_sku[sku] < 0 || __builtin_mul_overflow(c->by_sku[sku], cart->lines[i].qty, &part) ||
            __builtin_add_overflow(sum, part, &sum))
            return false;
    }
    *minor = sum;
    return true;
}
