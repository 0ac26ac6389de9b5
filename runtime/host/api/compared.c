#include "host/api/compared.h"

/* Since when it is compared with this price; then the lowest of the days before. ?2: those days in milliseconds, ?3: by deals. */
static const char LOWEST[] =
    "WITH c AS (SELECT p.id AS product, (SELECT min(h.from_ms) FROM product_prices h WHERE h.product = p.id AND h.from_ms > coalesce("
    "  (SELECT max(o.from_ms) FROM product_prices o WHERE o.product = p.id AND coalesce(o.compare_at, -1) <> p.compare_at), -1)) AS since"
    " FROM products p WHERE p.sku = ?1 AND p.compare_at IS NOT NULL) "
    "SELECT CASE WHEN ?3 = 1 THEN coalesce("
    "  (SELECT min(d.price) FROM deal_prices d WHERE d.product = c.product AND d.hour > c.since - ?2 - 3600000 AND d.hour < c.since"
    "     AND d.first_at < c.since AND d.last_at >= c.since - ?2),"
    "  (SELECT d.price FROM deal_prices d WHERE d.product = c.product AND d.hour < c.since AND d.first_at < c.since"
    "     ORDER BY d.hour DESC, d.last_at DESC LIMIT 1), 0)"
    " ELSE coalesce((SELECT min(h.price) FROM product_prices h WHERE h.product = c.product AND h.offered = 1 AND h.from_ms < c.since"
    "     AND h.from_ms >= coalesce((SELECT max(b.from_ms) FROM product_prices b WHERE b.product = c.product AND b.from_ms <= c.since - "
    "?2), 0)), 0)"
    " END FROM c";

int compared_price(struct store_conn *conn, const struct shop_settings *s, struct slice sku, int64_t *compare_at_minor, struct err *err)
{
    struct store_stmt *q;
    if (*compare_at_minor == 0 || s->compared_days == 0)
        return 0;
    int rc = store_prepare(conn, LOWEST, &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, sku);
    store_bind_int(q, 2, s->compared_days * INT64_C(86400000));
    store_bind_int(q, 3, s->compared_by_deals);
    rc = store_step(q, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || *compare_at_minor > store_column_int(q, 0))
        *compare_at_minor = 0;
    if (rc == 1)
        store_reset(q);
    return 0;
}
