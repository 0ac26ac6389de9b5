/* host/past/again.h - one order of the past, computed again from its evidence and compared with what was kept, bit for bit. */
#pragma once
#include "host/past/record.h"
#include "host/past/stand.h"

struct past_order {                                                   /* a row; texts in the arena */
    int64_t id, placed_at_ms, total_minor, shipping_minor, pseudonym; /* pseudonym 0: a guest's */
    int state;
    struct slice order_id, generation, priced, lines, evidence; /* evidence empty: it has none */
};

#define PAST_ORDER_COLUMNS                                                                                                                 \
    "o.id, o.placed_at, o.total, o.shipping, ifnull(e.pseudonym, 0), o.state, o.order_id, o.generation, o.priced, o.lines, e.evidence"
/* The same without the document of the lines, which is by far the longest; their titles are then not known. */
#define PAST_ORDER_COLUMNS_SHORT                                                                                                           \
    "o.id, o.placed_at, o.total, o.shipping, ifnull(e.pseudonym, 0), o.state, o.order_id, o.generation, o.priced, '[]', e.evidence"
#define PAST_ORDER_TABLES "orders o LEFT JOIN order_evidence e ON e.order_id = o.id"
int past_order_read(struct store_stmt *row, struct arena *arena, struct past_order *out, struct err *err);

/* Its record, its cart with the titles that its lines were sold under, and the document of its lines. */
struct past_cart {
    struct record record;
    struct quote_cart cart;
    struct json_value *lines;
};
int past_cart_read(struct shop *s, const struct past_order *o, struct arena *arena, struct past_cart *out, struct err *err);

struct difference {
    char field[160];       /* "lines[2].total", "evidence" */
    struct slice was, now; /* JSON, or a sentence of why there is nothing to compare; in the arena */
};
/* 1: they agree. 0: *d says what differs first. Negative: the machine failed. */
int again(struct shop *s, struct stands *stands, struct store_conn *conn, const struct past_order *o, struct arena *arena,
          struct record *record, struct difference *d, struct err *err);

/* The first place where two values differ; false: nowhere. Exact: members in their order, texts byte by byte. */
bool json_differ(const struct json_value *was, const struct json_value *now, char *path, size_t size, const struct json_value **a,
                 const struct json_value **b);
