#include "quote/emit.h"
#include "quote/run_int.h"

enum { NUMBERS_ROOM = 160 }; /* the keys and numbers of a line, or of a discount, without its texts */

static void discounts_emit(const struct quote_rules *r, const struct quote_discount *first, struct emit *e)
{
    emit_room(e, NUMBERS_ROOM);
    EMIT(e, "\"discounts\":[");
    for (const struct quote_discount *d = first; d; d = d->next) {
        struct slice id = r->campaigns[d->campaign].id_json;
        emit_room(e, id.len + NUMBERS_ROOM);
        if (d != first)
            EMIT(e, ",");
        EMIT(e, "{\"campaign\":");
        emit_raw(e, id.data, id.len);
        EMIT(e, ",\"amount\":");
        emit_int(e, d->amount_minor);
        if (d->units) {
            EMIT(e, ",\"units\":");
            emit_int(e, d->units);
        }
        if (d->reason.len) {
            EMIT(e, ",\"reason\":");
            emit_string(e, d->reason, NUMBERS_ROOM);
        }
        EMIT(e, "}");
    }
    EMIT(e, "]");
}

/* `amount`: what is owed before the tax. Nothing is said of tax where the shop has none. */
static void tax_emit(const struct quote_tax *t, int64_t amount, int64_t tax, struct emit *e)
{
    if (!t->known)
        return;
    emit_room(e, NUMBERS_ROOM);
    EMIT(e, ",\"tax\":");
    emit_int(e, tax);
    if (t->included)
        return;
    EMIT(e, ",\"payable\":");
    emit_int(e, amount + tax);
}

void params_write(const struct quote_param *p, struct json_writer *w)
{
    for (; p; p = p->next) {
        json_key(w, p->name);
        if (p->kind == QUOTE_PARAM_TEXT) {
            json_string(w, p->text);
        } else if (p->kind == QUOTE_PARAM_TIME) {
            char text[TIMESTAMP_MAX];
            json_string(w, slice_of(text, timestamp_format(p->number, text)));
        } else if (p->kind == QUOTE_PARAM_BOOL) {
            json_bool(w, p->number != 0);
        } else {
            json_int(w, p->number);
        }
    }
}

static void text_write(const struct quote_voice *voice, const char *code, const struct quote_param *params, struct json_writer *w)
{
    struct buf b;
    if (!voice->words)
        return;
    buf_init(&b, w->out->alloc);
    if (quote_reason_say(voice, code, params, &b)) {
        json_key(w, "text");
        json_string(w, buf_slice(&b));
    }
    w->out->failed = w->out->failed || b.failed;
    buf_release(&b);
}

static void reason_write(const struct quote_voice *voice, const char *code, const struct quote_param *params, struct json_writer *w)
{
    json_key(w, "reason");
    json_object(w);
    json_key(w, "code");
    json_str(w, code);
    params_write(params, w);
    text_write(voice, code, params, w);
    json_object_end(w);
}

/* Rare, so it is written the plain way. */
static void closed_emit(const struct quote_rules *r, const struct quote_gate *g, const struct quote_voice *voice, struct emit *e)
{
    struct json_writer w;
    EMIT(e, ",\"unavailable\":");
    emit_end(e);
    json_writer_init(&w, e->buf);
    json_object(&w);
    json_key(&w, "gate");
    json_raw(&w, r->campaigns[g->campaign].id_json);
    json_key(&w, "because");
    json_string(&w, g->because);
    reason_write(voice, g->reason, g->params, &w);
    json_object_end(&w);
    e->at = buf_reserve(e->buf, NUMBERS_ROOM);
}

/* Who gave the line, or an add-on its price. */
static void origin_emit(const struct quote_rules *r, const struct quote_line *l, struct emit *e)
{
    struct slice id = r->campaigns[l->origin - 1].id_json;
    emit_room(e, id.len + NUMBERS_ROOM);
    EMIT(e, ",\"origin\":");
    emit_raw(e, id.data, id.len);
    if (l->gift)
        EMIT(e, ",\"gift\":true");
}

/* Off unit k: a discount is split evenly over its units, the first of them taking what is left over. */
static int64_t unit_discount(const struct quote_line *l, int64_t k)
{
    int64_t sum = 0;
    for (const struct quote_discount *d = l->discounts; d; d = d->next) {
        int64_t units = d->units ? d->units : l->qty;
        if (k < units)
            sum += d->amount_minor / units + (k < d->amount_minor % units);
    }
    return sum;
}

static int64_t next_change(const struct quote_line *l, int64_t k)
{
    int64_t next = l->qty;
    for (const struct quote_discount *d = l->discounts; d; d = d->next) {
        int64_t units = d->units ? d->units : l->qty, ends[] = { units, d->amount_minor % units };
        for (size_t i = 0; i < 2; i++)
            next = ends[i] > k && ends[i] < next ? ends[i] : next;
    }
    return next;
}

/* Runs of units that came to the same. */
static void units_emit(const struct quote_line *l, struct emit *e)
{
    if (!l->discounts)
        return;
    EMIT(e, ",\"units\":[");
    for (int64_t k = 0, next; k < l->qty; k = next) {
        int64_t off = unit_discount(l, k);
        next = next_change(l, k);
        emit_room(e, NUMBERS_ROOM);
        if (k)
            EMIT(e, ",");
        EMIT(e, "{\"qty\":");
        emit_int(e, next - k);
        EMIT(e, ",\"discount\":");
        emit_int(e, off);
        EMIT(e, ",\"total\":");
        emit_int(e, l->unit_price_minor - off);
        EMIT(e, "}");
    }
    emit_room(e, NUMBERS_ROOM);
    EMIT(e, "]");
}

static void line_emit(const struct quote_rules *r, const struct quote_line *l, const struct quote_tax *tax, const struct quote_telling *how,
                      struct emit *e)
{
    emit_room(e, NUMBERS_ROOM);
    EMIT(e, "{\"sku\":");
    emit_string(e, symbols_name(r->symbols, l->product.sku), NUMBERS_ROOM);
    EMIT(e, ",\"title\":");
    emit_string(e, l->product.title, NUMBERS_ROOM);
    EMIT(e, ",\"qty\":");
    emit_int(e, l->qty);
    EMIT(e, ",\"unit_price\":");
    emit_int(e, l->unit_price_minor);
    if (l->compare_at_minor) {
        EMIT(e, ",\"compare_at\":");
        emit_int(e, l->compare_at_minor);
    }
    EMIT(e, ",\"subtotal\":");
    emit_int(e, l->subtotal_minor);
    EMIT(e, ",");
    discounts_emit(r, l->discounts, e);
    emit_room(e, NUMBERS_ROOM);
    if (how->full && l->discount_minor) {
        EMIT(e, ",\"discount\":");
        emit_int(e, l->discount_minor);
    }
    EMIT(e, ",\"total\":");
    emit_int(e, l->total_minor);
    tax_emit(tax, l->total_minor, l->tax_minor, e);
    emit_room(e, NUMBERS_ROOM);
    if (how->full)
        units_emit(l, e);
    if (l->closed)
        closed_emit(r, l->closed, &how->voice, e);
    if (l->origin)
        origin_emit(r, l, e);
    EMIT(e, "}");
}

static void lines_write(const struct quote_rules *r, const struct quote_cart *cart, const struct quote_tax *tax,
                        const struct quote_telling *how, struct json_writer *w)
{
    json_key(w, "lines");
    json_array(w);
    struct emit e = emit_begin(w->out);
    for (size_t i = 0; i < cart->line_count; i++) {
        if (i)
            EMIT(&e, ",");
        line_emit(r, &cart->lines[i], tax, how, &e);
        emit_room(&e, 1);
    }
    emit_end(&e);
    json_array_end(w);
}

static void both_write(struct json_writer *w, const char *key, int64_t amount, int64_t tax, bool included)
{
    json_key(w, key);
    json_object(w);
    json_key(w, "net");
    json_int(w, included ? amount - tax : amount);
    json_key(w, "gross");
    json_int(w, included ? amount : amount + tax);
    json_object_end(w);
}

/* For those who show prices with tax, or without, whichever the shop has. */
static void net_and_gross_write(const struct quote_result *q, struct json_writer *w)
{
    const struct quote_tax *t = &q->tax;
    int64_t lines = q->subtotal_minor - q->discount_minor;
    if (!t->known)
        return;
    json_key(w, "net");
    json_int(w, t->net_minor);
    both_write(w, "lines", lines, t->lines_minor, t->included);
    both_write(w, "discount", q->discount_minor, t->discount_minor, t->included);
}

static void shipping_write(const struct quote_rules *r, const struct quote_result *q, bool full, struct json_writer *w)
{
    json_key(w, "shipping");
    if (q->has_shipping) {
        json_object(w);
        struct emit e = emit_begin(w->out);
        emit_room(&e, NUMBERS_ROOM);
        EMIT(&e, "\"option\":");
        emit_string(&e, q->shipping_option, NUMBERS_ROOM);
        EMIT(&e, ",\"amount\":");
        emit_int(&e, q->shipping_minor);
        EMIT(&e, ",");
        discounts_emit(r, q->shipping_discounts, &e);
        emit_room(&e, NUMBERS_ROOM);
        if (full && q->shipping_discount_minor) {
            EMIT(&e, ",\"discount\":");
            emit_int(&e, q->shipping_discount_minor);
        }
        EMIT(&e, ",\"total\":");
        emit_int(&e, q->shipping_minor - q->shipping_discount_minor);
        tax_emit(&q->tax, q->shipping_minor - q->shipping_discount_minor, q->tax.shipping_minor, &e);
        emit_end(&e);
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

static void tax_write(const struct quote_tax *t, const struct quote_result *q, struct json_writer *w)
{
    if (!t->known)
        return;
    json_key(w, "tax");
    json_object(w);
    json_key(w, "included");
    json_bool(w, t->included);
    json_key(w, "amount");
    json_int(w, t->amount_minor);
    if (q)
        net_and_gross_write(q, w);
    json_key(w, "rates");
    json_array(w);
    for (size_t i = 0; i < t->sum_count; i++) {
        json_object(w);
        json_key(w, "title");
        json_string(w, t->sums[i].title);
        json_key(w, "rate_ppm");
        json_int(w, t->sums[i].rate_ppm);
        json_key(w, "net");
        json_int(w, t->sums[i].net_minor);
        json_key(w, "tax");
        json_int(w, t->sums[i].tax_minor);
        json_object_end(w);
    }
    json_array_end(w);
    json_object_end(w);
}

void quote_tax_write(const struct quote_tax *t, struct json_writer *w)
{
    tax_write(t, NULL, w);
}

static void title_write(const struct quote_rules *r, uint32_t campaign, struct json_writer *w)
{
    json_key(w, "id");
    json_raw(w, r->campaigns[campaign].id_json);
    json_key(w, "title");
    json_raw(w, r->campaigns[campaign].title_json);
}

static void place_write(const struct quote_rules *r, uint32_t campaign, const struct quote_place *at, struct json_writer *w)
{
    struct buf b;
    buf_init(&b, w->out->alloc);
    if (place_say(&r->campaigns[campaign], at, &b)) {
        json_key(w, "at");
        json_string(w, buf_slice(&b));
    }
    w->out->failed = w->out->failed || b.failed;
    buf_release(&b);
}

static void share_write(int64_t line, const struct quote_discount *d, struct json_writer *w)
{
    json_object(w);
    json_key(w, "line");
    json_int(w, line);
    json_key(w, "amount");
    json_int(w, d->amount_minor);
    if (d->units) {
        json_key(w, "units");
        json_int(w, d->units);
    }
    json_object_end(w);
}

/* Its lines, counted from 0 as in the cart, and what it took off shipping. */
static void shares_write(const struct quote_result *q, uint32_t campaign, struct json_writer *w)
{
    int64_t shipping = 0;
    json_key(w, "lines");
    json_array(w);
    for (size_t i = 0; i < q->cart->line_count; i++)
        for (const struct quote_discount *d = q->cart->lines[i].discounts; d; d = d->next)
            if (d->campaign == campaign)
                share_write((int64_t)i, d, w);
    json_array_end(w);
    for (const struct quote_discount *d = q->shipping_discounts; d; d = d->next)
        shipping += d->campaign == campaign ? d->amount_minor : 0;
    if (shipping) {
        json_key(w, "shipping");
        json_int(w, shipping);
    }
}

static void spent_write(const struct quote_spent *s, struct json_writer *w)
{
    if (s->calls == 0)
        return;
    json_key(w, "functions");
    json_object(w);
    json_key(w, "calls");
    json_int(w, (int64_t)s->calls);
    json_key(w, "ns");
    json_int(w, (int64_t)s->ns);
    json_key(w, "fuel");
    json_int(w, (int64_t)s->fuel);
    json_object_end(w);
}

static bool is_asked(const struct quote_telling *how, uint32_t campaign)
{
    return how->full || how->only == campaign + 1;
}

static void outcome_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_outcome *o,
                          const struct quote_telling *how, struct json_writer *w)
{
    bool asked = is_asked(how, o->campaign);
    json_object(w);
    title_write(r, o->campaign, w);
    json_key(w, "applied");
    json_bool(w, o->applied);
    if (o->applied) {
        json_key(w, "amount");
        json_int(w, o->amount_minor);
        if (asked)
            shares_write(q, o->campaign, w);
    } else {
        reason_write(&how->voice, o->reason, o->params, w);
        if (asked)
            place_write(r, o->campaign, &o->at, w);
    }
    if (asked)
        spent_write(&o->spent, w);
    json_object_end(w);
}

static bool gate_is_told(const struct quote_gate *g, const struct quote_telling *how)
{
    return is_asked(how, g->campaign) || (g->open && g->reason && strcmp(g->reason, "failed") == 0);
}

static void gates_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_telling *how, struct json_writer *w)
{
    bool any = false;
    for (size_t i = 0; i < q->gate_count; i++)
        any = any || gate_is_told(&q->gates[i], how);
    if (!any)
        return;
    json_key(w, "gates");
    json_array(w);
    for (size_t i = 0; i < q->gate_count; i++) {
        const struct quote_gate *g = &q->gates[i];
        if (!gate_is_told(g, how))
            continue;
        json_object(w);
        title_write(r, g->campaign, w);
        json_key(w, "open");
        json_bool(w, g->open);
        if (g->reason) {
            reason_write(&how->voice, g->reason, g->params, w);
            place_write(r, g->campaign, &g->at, w);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

void quote_refusal_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w)
{
    const struct quote_gate *g = q->refused_by;
    json_object(w);
    title_write(r, g->campaign, w);
    json_key(w, "sku");
    json_string(w, symbols_name(r->symbols, q->cart->lines[q->refused_line].product.sku));
    reason_write(voice, g->reason, g->params, w);
    json_object_end(w);
}

/* Nothing in the cart has to do with it, or it is not its time. */
static bool is_far(const struct quote_outcome *o)
{
    static const char *const far[] = { "no_lines", "not_in_cart", "not_yet", "over" };
    for (size_t i = 0; i < sizeof far / sizeof *far; i++)
        if (strcmp(o->reason, far[i]) == 0)
            return true;
    return false;
}

/* Of very many that did not apply, those which have to do with this cart are told first. */
static void campaigns_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_telling *how,
                            struct json_writer *w)
{
    size_t near = 0, applied = 0, told = 0, all = q->cart->no_campaigns ? 0 : r->count - r->gate_count;
    for (size_t i = 0; i < q->outcome_count; i++) {
        applied += q->outcomes[i].applied;
        near += !q->outcomes[i].applied && !is_far(&q->outcomes[i]);
    }
    size_t far_left = near >= QUOTE_TOLD_MAX ? 0 : QUOTE_TOLD_MAX - near, near_left = QUOTE_TOLD_MAX;
    json_key(w, "campaigns");
    json_array(w);
    for (size_t i = 0; i < q->outcome_count; i++) {
        const struct quote_outcome *o = &q->outcomes[i];
        /* A campaign that broke is always said: the shopper may have counted on it. */
        bool is_said = o->applied || how->only == o->campaign + 1 || strcmp(o->reason, "failed") == 0;
        if (!is_said && how->full) {
            size_t *left = is_far(o) ? &far_left : &near_left;
            is_said = *left > 0;
            *left -= is_said;
        }
        if (!is_said)
            continue;
        told += !o->applied;
        outcome_write(r, q, o, how, w);
    }
    json_array_end(w);
    if (how->full && applied + told < all) {
        json_key(w, "campaigns_left_out");
        json_int(w, (int64_t)(all - applied - told));
    }
    if (how->full && q->outcome_count < all) {
        json_key(w, "campaigns_not_looked_at");
        json_int(w, (int64_t)(all - q->outcome_count));
    }
}

void quote_result_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_telling *how, struct json_writer *w)
{
    json_key(w, "currency");
    json_str(w, r->currency.code);
    lines_write(r, q->cart, &q->tax, how, w);
    json_key(w, "subtotal");
    json_int(w, q->subtotal_minor);
    json_key(w, "discount");
    json_int(w, q->discount_minor);
    shipping_write(r, q, how->full, w);
    tax_write(&q->tax, how->full ? q : NULL, w);
    if (how->full) {
        json_key(w, "lines_total");
        json_int(w, q->subtotal_minor - q->discount_minor);
    }
    json_key(w, "total");
    json_int(w, q->total_minor);
    campaigns_write(r, q, how, w);
    if (q->cart->wants_offers)
        near_all_write(r, q, &how->voice, w);
    if (q->searched) {
        json_key(w, "proven");
        json_bool(w, q->proven);
    }
    gates_write(r, q, how, w);
    if (q->grant_count) {
        json_key(w, "grants");
        quote_grants_write(r, q, w);
    }
    codes_write(r, q, &how->voice, w);
    if (q->unused_code_count == 0)
        return;
    json_key(w, "unused_codes");
    json_array(w);
    for (size_t i = 0; i < q->unused_code_count; i++)
        json_string(w, q->unused_codes[i]);
    json_array_end(w);
}
