/* reference_price - prices carts for tests/reference/run: one JSON text per line in, one per line out, until the input ends.
 *
 *   in   {"rules": [CAMPAIGN...], "policies", "shipping", "tax", "carts": [CART...]}     as runtime/quote/README.md has them, in CNY and
 * UTC CART {"at" (ms), "lines": [{"sku", "qty", "price" (minor), "brand", "categories", "tags", "attributes", "g"}], "codes", "customer",
 * "customer_tags", "facts", "orders", "since" (ms), "bought" ([LINE with "amount", "paid" (ms)...]), "channel", "region", "payment_method",
 * "store", "option"} out  {"refused": "why"} when the rules are not, otherwise {"answers": [ANSWER...]}, amounts in minor units:
 * The shop also says "shelf": {SKU: {"price", "left"}}, what campaigns can give; a line of a cart may have "from"
 *        {"error": field} or {"lines": [[subtotal, total, tax, [[campaign, amount]...]]...], "shipping", "shipping_discounts", "total",
 *        "tax", "proven", "applied": {campaign: amount}, "failed": {campaign: reason}, "unused_codes"} */
#include "quote/quote.h"
#include <stdio.h>
#include <stdlib.h>

static const struct quote_fact_type fact_types[] = {
    { "club.adult", FIELD_BOOLEAN, true },
    { "club.level", FIELD_INTEGER, true },
    { "club.town", FIELD_STRING, true },
};

struct desk {
    struct zone *zone;
    struct symbols *symbols;
    struct arena input, run;
    struct buf out;
    const struct json_value *shelf;
};

static void stop(const char *what, const struct err *err)
{
    fprintf(stderr, "reference_price: %s: %s\n", what, err->text);
    exit(1);
}

static struct slice text_of(const struct json_value *v, const char *key)
{
    struct slice s = slice_str("");
    json_is_string(json_get(v, key), &s);
    return s;
}

static int64_t int_of(const struct json_value *v, const char *key, int64_t otherwise)
{
    json_is_int(json_get(v, key), &otherwise);
    return otherwise;
}

static symbol name_of(struct desk *d, const struct json_value *v, const char *key)
{
    struct slice name = text_of(v, key);
    return name.len ? symbols_intern(d->symbols, name) : 0;
}

static const symbol *names_of(struct desk *d, const struct json_value *v, const char *key, uint32_t *count)
{
    const struct json_value *list = json_get(v, key);
    symbol *names = arena_array(&d->input, list ? list->count + 1 : 1, sizeof *names);
    *count = 0;
    for (const struct json_value *m = list ? list->first : NULL; m; m = m->next)
        names[(*count)++] = symbols_intern(d->symbols, m->string);
    return names;
}

/* Attributes stand behind them. */
static const symbol *tags_of(struct desk *d, const struct json_value *v, uint32_t *count)
{
    const struct json_value *list = json_get(v, "tags"), *attributes = json_get(v, "attributes");
    symbol *names = arena_array(&d->input, (list ? list->count : 0) + (attributes ? attributes->count : 0) + 1, sizeof *names);
    *count = 0;
    for (const struct json_value *m = list ? list->first : NULL; m; m = m->next)
        names[(*count)++] = symbols_intern(d->symbols, m->string);
    for (const struct json_value *m = attributes ? attributes->first : NULL; m; m = m->next)
        names[(*count)++] = symbols_intern(d->symbols, quote_attribute_text(&d->input, m->key, m));
    return names;
}

static void line_read(struct desk *d, const struct json_value *v, struct quote_line *l)
{
    *l = (struct quote_line){ .qty = int_of(v, "qty", 1), .unit_price_minor = int_of(v, "price", 0) };
    l->product.price_minor = l->unit_price_minor;
    l->product.weight_g = int_of(v, "g", 0);
    l->product.sku = name_of(d, v, "sku");
    l->product.brand = name_of(d, v, "brand");
    l->product.title = text_of(v, "sku");
    l->from = text_of(v, "from");
    l->product.categories = names_of(d, v, "categories", &l->product.category_count);
    l->product.tags = tags_of(d, v, &l->product.tag_count);
}

/* As the host answers the questions of its rules; an item bought before is written as a line of a cart, with "amount" and "paid" (ms). */
static int64_t answer_of(struct desk *d, const struct json_value *cart, const struct quote_question *q, int64_t at_ms)
{
    int64_t sum = 0;
    if (q->kind == QUOTE_ASKS_ORDERS || q->kind == QUOTE_ASKS_SINCE)
        return int_of(cart, q->kind == QUOTE_ASKS_ORDERS ? "orders" : "since", 0);
    const struct json_value *bought = json_get(cart, "bought");
    for (const struct json_value *m = bought ? bought->first : NULL; m; m = m->next) {
        struct quote_line item;
        line_read(d, m, &item);
        if ((q->within_ms == 0 || int_of(m, "paid", 0) >= at_ms - q->within_ms) && quote_question_counts(q, &item.product))
            sum += q->kind == QUOTE_ASKS_UNITS ? item.qty : int_of(m, "amount", 0);
    }
    return sum;
}

static void facts_read(struct desk *d, const struct quote_rules *r, const struct json_value *cart, struct quote_cart *c)
{
    size_t questions;
    const struct quote_question *q = quote_rules_questions(r, false, &questions);
    const struct json_value *v = json_get(cart, "facts");
    struct quote_fact *facts = arena_array(&d->input, (v ? v->count : 0) + questions + 1, sizeof *facts);
    c->facts = facts;
    for (const struct json_value *m = v ? v->first : NULL; m; m = m->next) {
        struct quote_fact *f = &facts[c->fact_count++];
        bool yes = false;
        *f = (struct quote_fact){ .name = symbols_intern(d->symbols, m->key), .kind = QUOTE_FACT_INT, .text = slice_str("") };
        if (json_is_string(m, &f->text))
            f->kind = QUOTE_FACT_STRING;
        else if (json_is_bool(m, &yes))
            f->kind = QUOTE_FACT_BOOL;
        else
            json_is_int(m, &f->number);
        f->number = yes ? 1 : f->number;
    }
    for (size_t i = 0; i < questions && c->customer.len; i++)
        facts[c->fact_count++] = (struct quote_fact){ q[i].fact, QUOTE_FACT_INT, answer_of(d, cart, &q[i], c->at_ms), slice_str("") };
}

static void cart_read(struct desk *d, const struct quote_rules *r, const struct json_value *v, struct quote_cart *c)
{
    const struct json_value *lines = json_get(v, "lines"), *codes = json_get(v, "codes");
    uint32_t tags;
    *c = (struct quote_cart){ .line_count = lines->count, .at_ms = int_of(v, "at", 0), .explain_all = true };
    struct quote_line *l = c->lines = arena_array(&d->input, c->line_count + 1, sizeof *c->lines);
    for (const struct json_value *m = lines->first; m; m = m->next)
        line_read(d, m, l++);
    for (const struct json_value *m = codes ? codes->first : NULL; m && c->code_count < QUOTE_CODES_MAX; m = m->next)
        c->codes[c->code_count++] = m->string;
    c->customer = text_of(v, "customer");
    c->customer_tags = names_of(d, v, "customer_tags", &tags);
    c->customer_tag_count = tags;
    facts_read(d, r, v, c);
    c->channel = name_of(d, v, "channel");
    c->region = name_of(d, v, "region");
    c->payment_method = name_of(d, v, "payment_method");
    c->store = name_of(d, v, "store");
    c->shipping_option = text_of(v, "option");
    json_is_bool(json_get(v, "explain_all"), &c->explain_all);
}

static void discounts_write(const struct quote_rules *r, const struct quote_discount *first, struct json_writer *w)
{
    json_array(w);
    for (const struct quote_discount *d = first; d; d = d->next) {
        json_array(w);
        json_string(w, quote_campaign_id(r, d->campaign));
        json_int(w, d->amount_minor);
        json_array_end(w);
    }
    json_array_end(w);
}

static void lines_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    json_key(w, "lines");
    json_array(w);
    for (size_t i = 0; i < q->cart->line_count - q->cart->gift_count; i++) {
        const struct quote_line *l = &q->cart->lines[i];
        json_array(w);
        json_int(w, l->subtotal_minor);
        json_int(w, l->total_minor);
        json_int(w, l->tax_minor);
        discounts_write(r, l->discounts, w);
        json_array_end(w);
    }
    json_array_end(w);
}

static void outcomes_write(const struct quote_rules *r, const struct quote_result *q, bool applied, struct json_writer *w)
{
    json_object(w);
    for (size_t i = 0; i < q->outcome_count; i++) {
        const struct quote_outcome *o = &q->outcomes[i];
        if (o->applied != applied)
            continue;
        json_key_slice(w, quote_campaign_id(r, o->campaign));
        if (applied)
            json_int(w, o->amount_minor);
        else
            json_str(w, o->reason);
    }
    json_object_end(w);
}

/* What campaigns gave: [[sku, units, worth, campaign]...]. */
static void gifts_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    json_key(w, "gifts");
    json_array(w);
    for (size_t i = q->cart->line_count - q->cart->gift_count; i < q->cart->line_count; i++) {
        const struct quote_line *l = &q->cart->lines[i];
        json_array(w);
        json_string(w, symbols_name(quote_rules_symbols(r), l->product.sku));
        json_int(w, l->qty);
        json_int(w, l->discount_minor);
        json_string(w, quote_campaign_id(r, l->origin - 1));
        json_array_end(w);
    }
    json_array_end(w);
}

static void answer_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    lines_write(r, q, w);
    gifts_write(r, q, w);
    json_key(w, "subtotal");
    json_int(w, q->subtotal_minor);
    json_key(w, "discount");
    json_int(w, q->discount_minor);
    json_key(w, "shipping");
    if (q->has_shipping)
        json_int(w, q->shipping_minor);
    else
        json_null(w);
    json_key(w, "shipping_discounts");
    discounts_write(r, q->shipping_discounts, w);
    json_key(w, "tax");
    json_int(w, q->tax.known ? q->tax.amount_minor : 0);
    json_key(w, "total");
    json_int(w, q->total_minor);
    json_key(w, "proven");
    json_bool(w, !q->searched || q->proven);
    json_key(w, "applied");
    outcomes_write(r, q, true, w);
    json_key(w, "failed");
    outcomes_write(r, q, false, w);
    json_key(w, "unused_codes");
    json_array(w);
    for (size_t i = 0; i < q->unused_code_count; i++)
        json_string(w, q->unused_codes[i]);
    json_array_end(w);
}

static bool product(void *ctx, symbol sku, struct quote_extra *out)
{
    const struct desk *d = ctx;
    for (const struct json_value *v = d->shelf ? d->shelf->first : NULL; v; v = v->next) {
        if (symbols_find(d->symbols, v->key) != sku)
            continue;
        *out = (struct quote_extra){ .product = { .sku = sku, .title = v->key }, .for_sale = true };
        out->product.price_minor = int_of(v, "price", 0);
        out->left = int_of(v, "left", INT64_MAX);
        return true;
    }
    return false;
}

static void carts_price(struct desk *d, const struct quote_rules *r, const struct json_value *carts, struct json_writer *w)
{
    json_key(w, "answers");
    json_array(w);
    for (const struct json_value *v = carts ? carts->first : NULL; v; v = v->next) {
        struct quote_cart cart;
        struct quote_result q;
        struct err err;
        err_clear(&err);
        cart_read(d, r, v, &cart);
        arena_reset(&d->run);
        json_object(w);
        const struct quote_hooks hooks = { .ctx = d, .product = product };
        if (quote_price(r, &cart, &hooks, &d->run, &q, &err) < 0) {
            json_key(w, "error");
            json_str(w, err.field[0] ? err.field : err.text);
        } else {
            answer_write(r, &q, w);
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void desk_answer(struct desk *d, struct slice text)
{
    struct err err;
    struct json_value *v;
    struct json_writer w;
    struct quote_rules *rules = NULL;
    struct quote_rules_options o = { .facts = fact_types, .fact_count = sizeof fact_types / sizeof fact_types[0], .zone = d->zone };
    arena_reset(&d->input);
    buf_clear(&d->out);
    if (json_parse(text, NULL, &d->input, &v, &err) < 0 || currency_find(slice_str("CNY"), &o.currency, &err) < 0)
        stop("input", &err);
    d->symbols = o.symbols = symbols_new(NULL);
    o.policies = json_get(v, "policies");
    o.shipping = json_get(v, "shipping");
    o.tax = json_get(v, "tax");
    d->shelf = json_get(v, "shelf");
    json_writer_init(&w, &d->out);
    json_object(&w);
    if (quote_rules_build(json_get(v, "rules"), &o, &rules, &err) < 0) {
        json_key(&w, "refused");
        json_str(&w, err.text);
    } else {
        carts_price(d, rules, json_get(v, "carts"), &w);
    }
    json_object_end(&w);
    quote_rules_free(rules);
    symbols_free(d->symbols);
    buf_add_char(&d->out, '\n');
    fwrite(d->out.data, 1, d->out.len, stdout);
    fflush(stdout);
}

int main(void)
{
    struct desk d = { 0 };
    struct err err;
    char *text = NULL;
    size_t size = 0;
    ssize_t length;
    arena_init(&d.input, NULL, 0);
    arena_init(&d.run, NULL, 0);
    buf_init(&d.out, NULL);
    if (zone_load(slice_str("UTC"), &d.zone, &err) < 0)
        stop("the zone", &err);
    while ((length = getline(&text, &size, stdin)) > 0)
        desk_answer(&d, slice_of(text, (size_t)length));
    free(text);
    zone_free(d.zone);
    arena_release(&d.input);
    arena_release(&d.run);
    buf_release(&d.out);
    return 0;
}
