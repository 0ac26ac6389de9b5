#include "host/past/span.h"
#include "host/publish/publish.h"
#include <stdio.h>

static int moment(struct shop *s, const struct json_value *body, const char *key, int64_t *out, struct err *err)
{
    struct slice text;
    struct civil local;
    struct err ignored;
    if (!json_is_string(json_get(body, key), &text))
        return 0;
    int64_t before;
    if (timestamp_parse(text, out, &ignored) == 0)
        return 0;
    if (duration_parse(text, &before, &ignored) == 0) {
        *out = clock_wall_ms(s->options.clock) - before;
        return 0;
    }
    if (civil_parse(text, &local, &ignored) < 0) {
        char field[16];
        snprintf(field, sizeof field, "/%s", key);
        return err_field(err, ERR_INVALID, field,
                         "\"%.*s\" is no time; write 2026-11-01 (the shop's zone), 2026-11-01T00:00:00Z, or 30d for the time since then.",
                         SLICE_FMT(text));
    }
    struct edition *live = publisher_live(s->publisher);
    *out = zone_resolve(generation_zone(live->generation), &local);
    edition_unref(live);
    return 0;
}

int span_read(struct shop *s, const struct json_value *body, struct span *out, struct err *err)
{
    *out = (struct span){ INT64_MIN, INT64_MAX, slice_str("") };
    json_is_string(json_get(body, "order"), &out->order);
    int rc = moment(s, body, "since", &out->since_ms, err);
    return rc < 0 ? rc : moment(s, body, "until", &out->until_ms, err);
}

int span_rows(struct store_conn *conn, const struct span *span, int64_t *first, int64_t *last, struct err *err)
{
    struct store_stmt *q;
    const char *sql = span->order.len ? "SELECT id, id FROM orders WHERE order_id = ?1" : "SELECT min(id), max(id) FROM orders";
    int rc = store_prepare(conn, sql, &q, err);
    if (rc < 0)
        return rc;
    if (span->order.len)
        store_bind_text(q, 1, span->order);
    *first = 1;
    *last = 0;
    rc = store_step(q, err);
    if (rc == 1 && store_column_type(q, 0) == STORE_INT) {
        *first = store_column_int(q, 0);
        *last = store_column_int(q, 1);
    }
    store_reset(q);
    if (rc == 0 && span->order.len)
        return err_reason(err, ERR_NOT_FOUND, "no_such_order", "There is no order \"%.*s\".", SLICE_FMT(span->order));
    return rc < 0 ? rc : 0;
}
