/* host/past/span.h - which orders of the past: those placed within a time, or one. */
#pragma once
#include "host/shop.h"

struct span {
    int64_t since_ms, until_ms; /* since <= placed_at < until */
    struct slice order;         /* empty: all of them */
};
/* {"since", "until", "order"}: a time is RFC 3339, a local date or time of the shop, or a duration before now ("30d"). */
int span_read(struct shop *s, const struct json_value *body, struct span *out, struct err *err);
/* The rows to go through: first <= id <= last; first > last: there are none. ERR_NOT_FOUND for an order that is not there. */
int span_rows(struct store_conn *conn, const struct span *span, int64_t *first, int64_t *last, struct err *err);
