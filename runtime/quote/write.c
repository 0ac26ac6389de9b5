#include "quote/rules_int.h"

static void discounts_write(const struct quote_rules *r, const struct quote_discount *first, struct json_writer *w)
{
    json_key(w, "discounts");
    json_array(w);
    for (const struct quote_discount *d = first; d; d = d->next) {
        json_object(w);
        json_key(w, "campaign");
        json_raw(w, r->campaigns[d->campaign].id_json);
        json_key(w, "amount");
        json_int(w, d->amount_minor);
        if (d->units) {
            json_key(w, "units");
            json_int(w, d->units);
        }
        if (d->reason.len) {
            json_key(w, "reason");
            json_string(w, d->reason);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void line_write(const struct quote_rules *r, const struct quote_line *l, struct json_writer *w)
{
    json_object(w);
    json_key(w, "sku");
    json_string(w, symbols_name(r->symbols, l->product.sku));
    json_key(w, "title");
    json_string(w, l->product.title);
    json_key(w, "qty");
    json_int(w, l->qty);
    json_key(w, "unit_price");
    json_int(w, l->unit_price_minor);
    if (l->product.compare_at_minor) {
        json_key(w, "compare_at");
        json_int(w, l->product.compare_at_minor);
    }
    json_key(w, "subtotal");
    json_int(w, l->subtotal_minor);
    discounts_write(r, l->discounts, w);
    json_key(w, "total");
    json_int(w, l->total_minor);
    json_object_end(w);
}

static void shipping_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    json_key(w, "shipping");
    if (q->has_shipping) {
        json_object(w);
        json_key(w, "option");
        json_string(w, q->shipping_option);
        json_key(w, "amount");
        json_int(w, q->shipping_minor);
        discounts_write(r, q->shipping_discounts, w);
        json_key(w, "total");
        json_int(w, q->shipping_minor - q->shipping_discount_minor);
        json_object_end(w);
    } else {
        json_null(w);
    }
    if (q->shipping_choice_count == 0)
        return;
    json_key(w, "shipping_options");
    json_array(w);
    for (size_t i = 0; i < q->shipping_choice_count; i++) {
        json_object(w);
        json_key(w, "id");
        json_string(w, q->shipping_choices[i].id);
        json_key(w, "title");
        json_string(w, q->shipping_choices[i].title);
        json_key(w, "amount");
        json_int(w, q->shipping_choices[i].amount_minor);
        json_object_end(w);
    }
    json_array_end(w);
}

static void reason_write(const struct quote_outcome *o, struct json_writer *w)
{
    json_key(w, "reason");
    json_object(w);
    json_key(w, "code");
    json_str(w, o->reason);
    for (const struct quote_param *p = o->params; p; p = p->next) {
        json_key(w, p->name);
        if (p->kind == QUOTE_PARAM_TEXT) {
            json_string(w, p->text);
        } else if (p->kind == QUOTE_PARAM_TIME) {
            char text[TIMESTAMP_MAX];
            json_string(w, slice_of(text, timestamp_format(p->number, text)));
        } else {
            json_int(w, p->number);
        }
    }
    json_object_end(w);
}

static void outcome_write(const struct quote_rules *r, const struct quote_outcome *o, struct json_writer *w)
{
    json_object(w);
    json_key(w, "id");
    json_raw(w, r->campaigns[o->campaign].id_json);
    json_key(w, "title");
    json_raw(w, r->campaigns[o->campaign].title_json);
    json_key(w, "applied");
    json_bool(w, o->applied);
    if (o->applied) {
        json_key(w, "amount");
        json_int(w, o->amount_minor);
    } else {
        reason_write(o, w);
    }
    json_object_end(w);
}

void quote_result_write(const struct quote_rules *r, const struct quote_result *q, bool full, struct json_writer *w)
{
    json_key(w, "currency");
    json_str(w, r->currency.code);
    json_key(w, "lines");
    json_array(w);
    for (size_t i = 0; i < q->cart->line_count; i++)
        line_write(r, &q->cart->lines[i], w);
    json_array_end(w);
    json_key(w, "subtotal");
    json_int(w, q->subtotal_minor);
    json_key(w, "discount");
    json_int(w, q->discount_minor);
    shipping_write(r, q, w);
    json_key(w, "total");
    json_int(w, q->total_minor);
    json_key(w, "campaigns");
    json_array(w);
    for (size_t i = 0; i < q->outcome_count; i++) {
        const struct quote_outcome *o = &q->outcomes[i];
        /* A campaign that broke is always said: the shopper may have counted on it. */
        if (o->applied || full || strcmp(o->reason, "failed") == 0)
            outcome_write(r, o, w);
    }
    json_array_end(w);
    if (q->unused_code_count == 0)
        return;
    json_key(w, "unused_codes");
    json_array(w);
    for (size_t i = 0; i < q->unused_code_count; i++)
        json_string(w, q->unused_codes[i]);
    json_array_end(w);
}
