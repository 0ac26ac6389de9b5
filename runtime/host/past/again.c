#include "host/past/again.h"
#include <stdio.h>

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while an order is computed again.");
}

/* --- what was kept ------------------------------------------------------------------------------------------------------- */

int past_order_read(struct store_stmt *row, struct arena *arena, struct past_order *out, struct err *err)
{
    *out = (struct past_order){
        .id = store_column_int(row, 0),
        .placed_at_ms = store_column_int(row, 1),
        .total_minor = store_column_int(row, 2),
        .shipping_minor = store_column_int(row, 3),
        .pseudonym = store_column_int(row, 4),
        .state = (int)store_column_int(row, 5),
    };
    struct slice *const texts[] = { &out->order_id, &out->generation, &out->priced, &out->lines, &out->evidence };
    for (int i = 0; i < 5; i++) {
        *texts[i] = arena_copy(arena, store_column_type(row, 6 + i) == STORE_NULL ? slice_str("") : store_column_text(row, 6 + i));
        if (!texts[i]->data)
            return nomem(err);
    }
    return 0;
}

static int damaged(struct err *err, const char *what)
{
    return err_reason(err, ERR_CORRUPT, "order_damaged", "%s of the order can't be read.", what);
}

/* Titles are no evidence; those of gifts stand in the lines behind the cart's own. */
static void name_gifts(struct shop *s, const struct json_value *line, struct quote_cart *cart)
{
    struct slice sku, title;
    for (size_t i = 0; i < cart->extra_count; i++)
        cart->extras[i].product.title = slice_str("");
    for (; line; line = line->next) {
        if (!json_is_string(json_get(line, "sku"), &sku) || !json_is_string(json_get(line, "title"), &title))
            continue;
        symbol known = symbols_find(s->symbols, sku);
        for (size_t i = 0; i < cart->extra_count; i++)
            if (cart->extras[i].product.sku == known)
                cart->extras[i].product.title = title;
    }
}

int past_cart_read(struct shop *s, const struct past_order *o, struct arena *arena, struct past_cart *out, struct err *err)
{
    *out = (struct past_cart){ .lines = NULL };
    if (o->evidence.len == 0)
        return err_reason(err, ERR_CORRUPT, "no_evidence", "The order has no evidence.");
    int rc = record_read(s->auth, o->evidence, o->generation, arena, &out->record, err);
    if (rc == 0)
        rc = record_cart(&out->record, s->symbols, arena, &out->cart, err);
    if (rc < 0)
        return rc;
    if (json_parse(o->lines, NULL, arena, &out->lines, NULL) < 0 || out->lines->type != JSON_ARRAY)
        return damaged(err, "lines");
    const struct json_value *line = out->lines->first;
    for (size_t i = 0; i < out->cart.line_count; i++, line = line ? line->next : NULL)
        if (!json_is_string(json_get(line, "title"), &out->cart.lines[i].product.title))
            out->cart.lines[i].product.title = slice_str("");
    name_gifts(s, line, &out->cart);
    return 0;
}

/* --- comparing --------------------------------------------------------------------------------------------------------------- */

static struct slice shown(const struct json_value *v, struct arena *arena)
{
    enum { SHOWN_MAX = 400 };
    struct buf b;
    struct json_writer w;
    if (!v)
        return slice_str("(nothing)");
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    struct slice text = b.failed ? slice_str("?") : arena_copy(arena, slice_of(b.data, b.len < SHOWN_MAX ? b.len : SHOWN_MAX));
    buf_release(&b);
    return text.data ? text : slice_str("?");
}

static int differs(struct difference *d, const char *field, struct slice was, struct slice now)
{
    snprintf(d->field, sizeof d->field, "%s", field);
    d->was = was;
    d->now = now;
    return 0;
}

static int compare_numbers(struct difference *d, const char *field, int64_t was, int64_t now, struct arena *arena)
{
    return was == now ? 1 : differs(d, field, arena_printf(arena, "%lld", (long long)was), arena_printf(arena, "%lld", (long long)now));
}

static int compare_trees(struct difference *d, const char *field, const struct json_value *was, const struct json_value *now,
                         struct arena *arena)
{
    const struct json_value *a, *b;
    snprintf(d->field, sizeof d->field, "%s", field);
    if (!json_differ(was, now, d->field, sizeof d->field, &a, &b))
        return 1;
    d->was = shown(a, arena);
    d->now = shown(b, arena);
    return 0;
}

static int compare_texts(struct difference *d, const char *field, struct slice was, struct slice now, struct arena *arena, struct err *err)
{
    struct json_value *a, *b;
    if (slice_eq(was, now))
        return 1;
    if (json_parse(was, NULL, arena, &a, NULL) < 0)
        return differs(d, field, was, slice_str("(what was kept is no JSON)"));
    int rc = json_parse(now, NULL, arena, &b, err);
    if (rc < 0)
        return rc;
    rc = compare_trees(d, field, a, b, arena);
    return rc == 1 ? differs(d, field, was, now) : rc; /* the same values, written otherwise */
}

static int compare_trace(const struct record *r, const struct quote_rules *rules, const struct quote_result *q, struct arena *arena,
                         struct difference *d, struct err *err)
{
    struct buf b;
    struct json_writer w;
    struct json_value *now;
    if (!r->trace)
        return 1;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    quote_trace_write(rules, q, &w);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(arena, buf_slice(&b));
    buf_release(&b);
    int rc = text.data ? json_parse(text, NULL, arena, &now, err) : nomem(err);
    return rc < 0 ? rc : compare_trees(d, "trace", r->trace, now, arena);
}

static int64_t shipping_paid(const struct quote_result *q)
{
    return q->has_shipping ? q->shipping_minor - q->shipping_discount_minor + (q->tax.included ? 0 : q->tax.shipping_minor) : 0;
}

static int compare(struct stand *stand, const struct past_order *o, const struct record *r, const struct quote_result *q,
                   struct arena *arena, struct difference *d, struct err *err)
{
    const struct quote_rules *rules = generation_rules(stand_generation(stand));
    struct bind_quote written = { .rules = rules, .result = q };
    int rc = bind_quote_write(&written, arena, err);
    if (rc == 0)
        rc = compare_texts(d, "lines", o->lines, written.lines, arena, err);
    if (rc == 1)
        rc = compare_texts(d, "", o->priced, written.priced, arena, err);
    if (rc == 1)
        rc = compare_numbers(d, "shipping", o->shipping_minor, shipping_paid(q), arena);
    if (rc == 1)
        rc = compare_numbers(d, "total", o->total_minor, q->total_minor, arena);
    return rc == 1 ? compare_trace(r, rules, q, arena, d, err) : rc;
}

/* Whether it is the order that is at fault, and not the machine. */
static bool is_finding(int rc)
{
    return rc != ERR_NOMEM && rc != ERR_IO && rc != ERR_BUSY && rc != ERR_FULL;
}

static int found(struct difference *d, const char *field, const struct err *err, struct arena *arena)
{
    struct slice text = arena_copy(arena, slice_str(err->text));
    return differs(d, field, slice_str("(not comparable)"), text.data ? text : slice_str("?"));
}

int again(struct shop *s, struct stands *stands, struct store_conn *conn, const struct past_order *o, struct arena *arena,
          struct record *record, struct difference *d, struct err *err)
{
    struct past_cart past;
    struct quote_result result;
    struct stand *stand;
    const char *field = "evidence";
    int rc = past_cart_read(s, o, arena, &past, err);
    *record = past.record;
    if (rc == 0) {
        field = "generation";
        rc = stands_find(stands, conn, o->generation, &stand, err);
    }
    if (rc == 0) {
        field = "quote";
        rc = stand_price(stand, &past.cart, NULL, NULL, arena, &result, err);
    }
    if (rc < 0)
        return is_finding(rc) ? found(d, field, err, arena) : rc;
    return compare(stand, o, &past.record, &result, arena, d, err);
}
