#include "host/past/explanation.h"

static int find_order(struct store_conn *conn, struct slice id, struct arena *arena, struct past_order *out, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT " PAST_ORDER_COLUMNS " FROM " PAST_ORDER_TABLES " WHERE o.order_id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, id);
    rc = store_step(q, err);
    if (rc == 1)
        rc = past_order_read(q, arena, out, err);
    else if (rc == 0)
        rc = err_reason(err, ERR_NOT_FOUND, "no_such_order", "There is no order \"%.*s\".", SLICE_FMT(id));
    store_reset(q);
    return rc;
}

static void text_member(struct json_writer *w, const char *key, struct slice text)
{
    if (text.len == 0)
        return;
    json_key(w, key);
    json_string(w, text);
}

static void time_member(struct json_writer *w, const char *key, int64_t ms)
{
    char text[TIMESTAMP_MAX];
    json_key(w, key);
    json_string(w, slice_of(text, timestamp_format(ms, text)));
}

static void facts_write(const struct symbols *symbols, const struct quote_cart *cart, struct json_writer *w)
{
    json_key(w, "facts");
    json_object(w);
    for (size_t i = 0; i < cart->fact_count; i++) {
        const struct quote_fact *f = &cart->facts[i];
        json_key_slice(w, symbols_name(symbols, f->name));
        if (f->kind == QUOTE_FACT_STRING)
            json_string(w, f->text);
        else if (f->kind == QUOTE_FACT_BOOL)
            json_bool(w, f->number != 0);
        else if (f->kind == QUOTE_FACT_INT)
            json_int(w, f->number);
        else
            json_null(w); /* it could not be found out */
    }
    json_object_end(w);
}

static void seen_write(const struct symbols *symbols, const struct past_cart *past, struct json_writer *w)
{
    const struct quote_cart *cart = &past->cart;
    const struct record *r = &past->record;
    json_key(w, "seen");
    json_object(w);
    time_member(w, "at", cart->at_ms);
    json_key(w, "customer");
    json_bool(w, cart->customer.len > 0);
    json_key(w, "tags");
    json_array(w);
    for (size_t i = 0; i < cart->customer_tag_count; i++)
        json_string(w, symbols_name(symbols, cart->customer_tags[i]));
    json_array_end(w);
    facts_write(symbols, cart, w);
    json_key(w, "codes");
    json_array(w);
    for (size_t i = 0; i < cart->code_count; i++)
        json_string(w, cart->codes[i]);
    json_array_end(w);
    const struct {
        const char *key;
        symbol name;
    } names[] = {
        { "channel", cart->channel }, { "region", cart->region }, { "payment_method", cart->payment_method }, { "store", cart->store }
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].name)
            text_member(w, names[i].key, symbols_name(symbols, names[i].name));
    json_key(w, "kernel");
    json_int(w, r->kernel);
    text_member(w, "stdlib", r->stdlib);
    text_member(w, "zone_data", r->zone);
    json_object_end(w);
}

struct telling { /* what it takes */
    struct shop *shop;
    struct store_conn *conn;
    struct arena arena;
    struct past_rules *rules;
    struct stands stands;
};

static void agreement_write(int agrees, const struct difference *d, struct json_writer *w)
{
    json_key(w, "agrees");
    json_bool(w, agrees == 1);
    if (agrees == 1)
        return;
    json_key(w, "difference");
    json_object(w);
    json_key(w, "field");
    json_str(w, d->field);
    json_key(w, "was");
    json_string(w, d->was);
    json_key(w, "now");
    json_string(w, d->now);
    json_object_end(w);
}

static int not_explicable(struct err *err)
{
    struct err why = *err;
    return why.code == ERR_NOMEM || why.code == ERR_IO
               ? why.code
               : err_reason(err, ERR_CONFLICT, "not_explicable", "This order can't be computed again: %s", why.text);
}

static int tell(struct telling *t, const struct past_order *o, const struct quote_words *words, struct json_writer *w, struct err *err)
{
    struct past_cart past;
    struct quote_result result;
    struct record ignored;
    struct difference d;
    struct stand *stand;
    int rc = past_cart_read(t->shop, o, &t->arena, &past, err);
    if (rc == 0)
        rc = stands_find(&t->stands, t->conn, o->generation, &stand, err);
    if (rc < 0)
        return not_explicable(err);
    int agrees = again(t->shop, &t->stands, t->conn, o, &t->arena, &ignored, &d, err);
    if (agrees < 0)
        return agrees;
    past.cart.explain_all = true;
    rc = stand_price(stand, &past.cart, NULL, NULL, &t->arena, &result, err);
    if (rc < 0)
        return not_explicable(err);
    struct generation *g = stand_generation(stand);
    const struct quote_telling how = {
        .full = true,
        .voice = { .words = words, .zone = generation_zone(g), .currency = quote_rules_currency(generation_rules(g)) },
    };
    json_object(w);
    text_member(w, "order", o->order_id);
    time_member(w, "placed_at", o->placed_at_ms);
    quote_result_write(generation_rules(g), &result, &how, w);
    text_member(w, "generation", o->generation);
    seen_write(t->shop->symbols, &past, w);
    agreement_write(agrees, &d, w);
    json_object_end(w);
    return 0;
}

int explanation_write(struct shop *s, struct store_conn *conn, struct slice order, const struct quote_words *words, struct json_writer *w,
                      struct err *err)
{
    struct telling t = { .shop = s, .conn = conn };
    struct past_order o;
    arena_init(&t.arena, NULL, 0);
    int rc = find_order(conn, order, &t.arena, &o, err);
    if (rc == 0)
        rc = past_rules_open(s, &t.rules, err);
    if (rc == 0) {
        t.stands = (struct stands){ .shop = s, .rules = t.rules };
        rc = tell(&t, &o, words, w, err);
    }
    stands_release(&t.stands);
    past_rules_close(t.rules);
    arena_release(&t.arena);
    return rc;
}
