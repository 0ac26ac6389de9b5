/* What an order stores of its quote, as JSON: written on the worker that priced it, so that the writer only hands it on. */
#include "bind/bind.h"
#include "bind/bind_int.h"

static struct slice sku_of(const struct bind_quote *q, const struct quote_line *line)
{
    return symbols_name(quote_rules_symbols(q->rules), line->product.sku);
}

static void write_int(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

static void write_discounts(const struct bind_quote *q, const struct quote_discount *d, struct json_writer *w)
{
    json_key(w, "discounts");
    json_array(w);
    for (; d; d = d->next) {
        json_object(w);
        json_key(w, "campaign");
        json_string(w, quote_campaign_id(q->rules, d->campaign));
        write_int(w, "amount", d->amount_minor);
        if (d->units)
            write_int(w, "units", d->units);
        if (d->reason.len) {
            json_key(w, "reason");
            json_string(w, d->reason);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_tax(const struct bind_quote *q, int64_t amount, int64_t tax, struct json_writer *w)
{
    const struct quote_tax *t = &q->result->tax;
    if (t->known)
        write_int(w, "tax", tax);
    if (t->known && !t->included)
        write_int(w, "payable", amount + tax);
}

static void write_line(const struct bind_quote *q, size_t i, struct json_writer *w)
{
    const struct quote_line *l = &q->result->cart->lines[i];
    json_object(w);
    write_int(w, "line", (int64_t)i + 1);
    json_key(w, "sku");
    json_string(w, sku_of(q, l));
    json_key(w, "title");
    json_string(w, l->product.title);
    write_int(w, "qty", l->qty);
    write_int(w, "unit_price", l->unit_price_minor);
    if (l->compare_at_minor)
        write_int(w, "compare_at", l->compare_at_minor);
    write_int(w, "subtotal", l->subtotal_minor);
    write_discounts(q, l->discounts, w);
    write_int(w, "total", l->total_minor);
    write_tax(q, l->total_minor, l->tax_minor, w);
    if (l->origin) {
        json_key(w, "origin");
        json_string(w, quote_campaign_id(q->rules, l->origin - 1));
    }
    if (l->gift) {
        json_key(w, "gift");
        json_bool(w, true);
    }
    write_int(w, "refunded_qty", 0);
    write_int(w, "refunded", 0);
    json_object_end(w);
}

static void write_lines(const struct bind_quote *q, struct buf *out)
{
    struct json_writer w;
    buf_reserve(out, 256 * q->result->cart->line_count + 64);
    json_writer_init(&w, out);
    json_array(&w);
    for (size_t i = 0; i < q->result->cart->line_count; i++)
        write_line(q, i, &w);
    json_array_end(&w);
}

static void write_shipping(const struct bind_quote *q, struct json_writer *w)
{
    const struct quote_result *r = q->result;
    json_key(w, "shipping");
    if (!r->has_shipping) {
        json_null(w);
        return;
    }
    json_object(w);
    json_key(w, "option");
    json_string(w, r->shipping_option);
    write_int(w, "amount", r->shipping_minor);
    write_discounts(q, r->shipping_discounts, w);
    write_int(w, "total", r->shipping_minor - r->shipping_discount_minor);
    write_tax(q, r->shipping_minor - r->shipping_discount_minor, r->tax.shipping_minor, w);
    json_object_end(w);
}

static void write_applied(const struct bind_quote *q, struct json_writer *w)
{
    json_key(w, "campaigns");
    json_array(w);
    for (size_t i = 0; i < q->result->outcome_count; i++) {
        const struct quote_outcome *o = &q->result->outcomes[i];
        if (!o->applied)
            continue;
        json_object(w);
        json_key(w, "id");
        json_string(w, quote_campaign_id(q->rules, o->campaign));
        json_key(w, "title");
        json_string(w, quote_campaign_title(q->rules, o->campaign));
        json_key(w, "applied");
        json_bool(w, true);
        write_int(w, "amount", o->amount_minor);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_priced(const struct bind_quote *q, struct buf *out)
{
    struct json_writer w;
    buf_reserve(out, 512);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "currency");
    json_str(&w, quote_rules_currency(q->rules).code);
    write_int(&w, "subtotal", q->result->subtotal_minor);
    write_int(&w, "discount", q->result->discount_minor);
    write_shipping(q, &w);
    quote_tax_write(&q->result->tax, &w);
    write_applied(q, &w);
    json_object_end(&w);
}

int bind_quote_write(struct bind_quote *q, struct arena *arena, struct err *err)
{
    struct bind_buf lines, priced;
    bind_buf_init(&lines, arena);
    bind_buf_init(&priced, arena);
    write_lines(q, &lines.buf);
    write_priced(q, &priced.buf);
    if (lines.buf.failed || priced.buf.failed)
        return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    q->lines = buf_slice(&lines.buf);
    q->priced = buf_slice(&priced.buf);
    return 0;
}
