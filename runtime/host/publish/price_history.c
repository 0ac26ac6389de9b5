#include "host/publish/price_history.h"
#include "base/map.h"
#include "base/money.h"
#include "base/zone.h"
#include "store/store.h"
#include <stdlib.h>

/* EXAMINED_MAX: of one submission, a few seconds; very many campaigns whose scope is no list of SKUs, in a very large catalogue. */
enum { EXAMINED_MAX = 50000000, LOOKED_MAX = 60000 };
enum { DAYS = 92, LOOK_MAX = 20000, SHOWN_MAX = 100, STEPS_MAX = 40, RAISES_MAX = 5 };
#define DAY_MS  (INT64_C(24) * 3600 * 1000)
#define HOUR_MS (INT64_C(3600) * 1000)

struct looking {
    struct price_history *h;
    struct arena *arena;
    int64_t start_ms;
    struct store_stmt *find, *offers, *deals;
    struct json_value *first, *first_last; /* products that have something to be asked about */
    struct json_value *rest, *rest_last;
    size_t in_scope, left_out;
    bool claims;
    int64_t claimed; /* the highest amount that claims name: what never cost less has nothing to answer */
    struct err *err;
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while looking prices up.");
}

/* --- values -------------------------------------------------------------------------------------------------------------------- */

struct object {
    struct json_value *v, *last;
    struct arena *arena;
    bool failed;
};

static struct object object_begin(struct arena *a)
{
    struct object o = { json_new(a, JSON_OBJECT), NULL, a, false };
    o.failed = !o.v;
    return o;
}

static void put(struct object *o, const char *key, struct json_value *v)
{
    if (!v || o->failed) {
        o->failed = true;
        return;
    }
    v->key = slice_str(key);
    json_append(o->v, o->last, v);
    o->last = v;
}

static void put_int(struct object *o, const char *key, int64_t n)
{
    put(o, key, json_new_int(o->arena, n));
}

static void put_text(struct object *o, const char *key, struct slice text)
{
    struct slice kept = arena_copy(o->arena, text);
    put(o, key, kept.data ? json_new_string(o->arena, kept) : NULL);
}

static struct slice text_of(const struct json_value *v, const char *key)
{
    struct slice text = { "", 0 };
    json_is_string(json_get(v, key), &text);
    return text;
}

/* --- one product ------------------------------------------------------------------------------------------------------------------ */

struct product {
    int64_t id, price, compare_at, lowest; /* lowest: of offers and deals */
    bool raised;
    struct json_value *offers, *deals, *raises, *last_deal;
    int64_t known_since;
};

static bool step(struct json_value *list, struct json_value **last, struct object *o)
{
    if (o->failed || list->count >= STEPS_MAX)
        return !o->failed;
    json_append(list, *last, o->v);
    *last = o->v;
    return true;
}

/* Newest first. A row holds until the one after it; those of before the window are read on, for raises and the first of all. */
static int read_offers(struct looking *l, struct product *p)
{
    struct json_value *last = NULL, *last_raise = NULL;
    int64_t until = l->start_ms, lowest = INT64_MAX, after_price = -1, after_from = 0;
    int rc = 0;
    bool fine = true;
    store_bind_int(l->offers, 1, p->id);
    store_bind_int(l->offers, 2, l->start_ms);
    while (fine && (rc = store_step(l->offers, l->err)) == 1) {
        int64_t from = store_column_int(l->offers, 0), price = store_column_int(l->offers, 1);
        bool offered = store_column_int(l->offers, 2) != 0;
        p->known_since = from;
        if (after_price > price && after_from >= l->start_ms - DAYS * DAY_MS && p->raises->count < RAISES_MAX) {
            struct object raise = object_begin(l->arena);
            put_int(&raise, "at", after_from);
            put_int(&raise, "from", price);
            put_int(&raise, "to", after_price);
            fine = step(p->raises, &last_raise, &raise);
            p->raised = true;
        }
        if (offered && price < lowest && until > l->start_ms - DAYS * DAY_MS) {
            struct object o = object_begin(l->arena);
            put_int(&o, "until", until);
            put_int(&o, "price", price);
            fine = fine && step(p->offers, &last, &o);
            lowest = price;
        }
        after_price = price;
        after_from = until = from;
    }
    if (lowest < p->lowest)
        p->lowest = lowest;
    if (!fine)
        store_reset(l->offers);
    return fine ? rc : nomem(l->err);
}

/* Newest first. The first one is the last deal before the start, however long ago. */
static int read_deals(struct looking *l, struct product *p)
{
    struct json_value *last = NULL;
    int64_t lowest = INT64_MAX;
    bool fine = true;
    int rc = 0;
    store_bind_int(l->deals, 1, p->id);
    store_bind_int(l->deals, 2, l->start_ms);
    while (fine && (rc = store_step(l->deals, l->err)) == 1) {
        int64_t first_at = store_column_int(l->deals, 0), at = store_column_int(l->deals, 1), price = store_column_int(l->deals, 2);
        bool old = at < l->start_ms - DAYS * DAY_MS;
        at = at < l->start_ms ? at : first_at; /* what was sold at that price after the start says nothing of before */
        if (p->last_deal && (old || price >= lowest)) {
            if (!old)
                continue;
            store_reset(l->deals);
            rc = 0;
            break;
        }
        struct object o = object_begin(l->arena);
        put_int(&o, "at", at);
        put_int(&o, "price", price);
        put_text(&o, "order", store_column_text(l->deals, 3));
        if (!p->last_deal) {
            struct object again = object_begin(l->arena);
            put_int(&again, "at", at);
            put_int(&again, "price", price);
            put_text(&again, "order", store_column_text(l->deals, 3));
            p->last_deal = again.failed ? NULL : again.v;
            fine = !again.failed;
        }
        if (!old && fine) {
            fine = step(p->deals, &last, &o);
            lowest = price;
        }
    }
    if (lowest < p->lowest)
        p->lowest = lowest;
    if (!fine)
        store_reset(l->deals);
    return fine ? rc : nomem(l->err);
}

static int add_product(struct looking *l, struct slice sku, const struct product *p)
{
    struct object o = object_begin(l->arena);
    put_text(&o, "sku", sku);
    put_int(&o, "price", p->price);
    if (p->compare_at)
        put_int(&o, "compare_at", p->compare_at);
    put_int(&o, "known_since", p->known_since);
    put(&o, "offers", p->offers);
    put(&o, "deals", p->deals);
    if (p->last_deal)
        put(&o, "last_deal", p->last_deal);
    put(&o, "raises", p->raises);
    if (o.failed)
        return nomem(l->err);
    bool asked = p->compare_at > p->price || p->raised || p->lowest < p->price || p->lowest <= l->claimed || (l->claims && !p->last_deal);
    struct json_value *list = asked ? l->first : l->rest, **last = asked ? &l->first_last : &l->rest_last;
    if (list->count >= SHOWN_MAX) {
        l->left_out += asked;
        return 0;
    }
    json_append(list, *last, o.v);
    *last = o.v;
    return 0;
}

static int look_at(struct looking *l, struct slice sku)
{
    struct product p = { .lowest = INT64_MAX, .known_since = l->start_ms };
    l->in_scope++;
    if (l->in_scope > LOOK_MAX || l->h->looked >= LOOKED_MAX) {
        l->left_out++;
        return 0;
    }
    l->h->looked++;
    store_bind_text(l->find, 1, sku);
    int rc = store_step(l->find, l->err);
    if (rc <= 0)
        return rc;
    p.id = store_column_int(l->find, 0);
    p.price = store_column_int(l->find, 1);
    p.compare_at = store_column_int(l->find, 2);
    store_reset(l->find);
    p.offers = json_new(l->arena, JSON_ARRAY);
    p.deals = json_new(l->arena, JSON_ARRAY);
    p.raises = json_new(l->arena, JSON_ARRAY);
    if (!p.offers || !p.deals || !p.raises)
        return nomem(l->err);
    rc = read_offers(l, &p);
    if (rc == 0)
        rc = read_deals(l, &p);
    return rc < 0 ? rc : add_product(l, sku, &p);
}

/* Amounts of claims, in minor units; what is no amount ("price") names none. */
static void read_claims(struct looking *l, const struct generation *g, const struct json_value *claims)
{
    static const char *const amounts[] = { "was", "now" };
    int exponent = generation_settings(g)->currency.exponent;
    l->claims = claims != NULL;
    l->claimed = -1;
    for (const struct json_value *c = claims ? claims->first : NULL; c; c = c->next) {
        for (size_t i = 0; i < sizeof amounts / sizeof *amounts; i++) {
            int64_t minor;
            if (money_parse(text_of(c, amounts[i]), exponent, &minor, NULL) == 0 && minor > l->claimed)
                l->claimed = minor;
        }
    }
}

/* --- which products ------------------------------------------------------------------------------------------------------------------ */

static const struct json_value *declared_list(const struct json_value *spec, const char *key)
{
    const struct json_value *declares = json_get(spec, "declares");
    const struct json_value *list = declares ? json_get(declares, key) : NULL;
    return list && list->type == JSON_ARRAY ? list : NULL;
}

bool price_history_matters(const struct json_value *spec)
{
    return declared_list(spec, "claims") || declared_list(spec, "gifts");
}

static int look_at_claimed(struct looking *l, const struct generation *g, uint32_t campaign, bool is_campaign,
                           const struct json_value *claims)
{
    int rc = 0;
    for (const struct json_value *c = claims ? claims->first : NULL; c && rc == 0; c = c->next) {
        struct slice sku = text_of(c, "sku");
        symbol known = sku.len ? symbols_find(l->h->symbols, sku) : 0;
        const struct catalogue_product *p = known ? catalogue_find(l->h->catalogue, known) : NULL;
        if (p && !(is_campaign && quote_campaign_wants(generation_rules(g), campaign, &p->facts))) /* those come anyway */
            rc = look_at(l, sku);
    }
    return rc;
}

static bool is_wanted(const struct generation *g, uint32_t campaign, const struct catalogue_product *p)
{
    return p && p->status != PRODUCT_ARCHIVED && !p->has_variants && quote_campaign_wants(generation_rules(g), campaign, &p->facts);
}

/* scope = promo.sku { ... } and nothing else: those need not be searched for. */
static const struct json_value *named_skus(const struct json_value *spec)
{
    const struct json_value *scope = json_get(spec, "scope");
    bool names = scope && scope->type == JSON_OBJECT && scope->count == 1 && slice_is(scope->first->key, "sku");
    return names && scope->first->type == JSON_ARRAY ? scope->first : NULL;
}

static int look_at_scope(struct looking *l, const struct generation *g, uint32_t campaign, const struct json_value *spec)
{
    const struct json_value *names = named_skus(spec);
    const struct catalogue_product *p;
    symbol at = 0;
    int rc = 0;
    for (const struct json_value *v = names ? names->first : NULL; v && rc == 0; v = v->next) {
        symbol known = v->type == JSON_STRING ? symbols_find(l->h->symbols, v->string) : 0;
        if (known && is_wanted(g, campaign, catalogue_find(l->h->catalogue, known)))
            rc = look_at(l, v->string);
    }
    while (!names && rc == 0 && l->h->examined < EXAMINED_MAX && (p = catalogue_next(l->h->catalogue, &at))) {
        l->h->examined++;
        if (is_wanted(g, campaign, p))
            rc = look_at(l, symbols_name(l->h->symbols, p->facts.sku));
    }
    if (!names && l->h->examined >= EXAMINED_MAX)
        l->left_out++; /* one at least */
    return rc;
}

static bool moment(const struct generation *g, struct slice text, int64_t *out)
{
    struct civil local;
    if (text.len && timestamp_parse(text, out, NULL) == 0)
        return true;
    if (!text.len || civil_parse(text, &local, NULL) < 0)
        return false;
    *out = zone_resolve(generation_zone(g), &local);
    return true;
}

/* 1 with since when it is live with its claims; 0 when it is not. */
static int claimed_since(const struct price_history *h, struct slice id, int64_t *since_ms, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(h->conn, "SELECT since_ms FROM claim_starts WHERE campaign = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, id);
    rc = store_step(q, err);
    if (rc == 1) {
        *since_ms = store_column_int(q, 0);
        store_reset(q);
    }
    return rc;
}

static int find_start(const struct price_history *h, const struct generation *g, const struct json_value *spec, bool live, int64_t *out,
                      bool *known, struct err *err)
{
    const struct json_value *claims = declared_list(spec, "claims"), *window = json_get(spec, "window");
    bool claims_something = price_history_matters(spec);
    int64_t since_ms = h->now_ms;
    int rc = live && claims_something ? claimed_since(h, text_of(spec, "id"), &since_ms, err) : 0;
    if (rc < 0)
        return rc;
    bool said =
        (claims && claims->first && moment(g, text_of(claims->first, "from"), out)) || (window && moment(g, text_of(window, "from"), out));
    if (!said)
        *out = since_ms;
    if ((!live || claims_something) && *out < since_ms)
        *out = since_ms;
    *known = said || !live || claims_something;
    return 0;
}

static int prepare(struct looking *l)
{
    int rc = store_prepare(l->h->conn, "SELECT id, price, coalesce(compare_at, 0) FROM products WHERE sku = ?1", &l->find, l->err);
    if (rc == 0)
        rc = store_prepare(l->h->conn,
                           "SELECT from_ms, price, offered FROM product_prices WHERE product = ?1 AND from_ms < ?2 ORDER BY from_ms DESC "
                           "LIMIT 1000",
                           &l->offers, l->err);
    if (rc == 0)
        rc =
            store_prepare(l->h->conn,
                          "SELECT first_at, last_at, price, last_order FROM deal_prices WHERE product = ?1 AND hour < ?2 AND first_at < ?2 "
                          "ORDER BY hour DESC, last_at DESC",
                          &l->deals, l->err);
    l->first = json_new(l->arena, JSON_ARRAY);
    l->rest = json_new(l->arena, JSON_ARRAY);
    return rc < 0 ? rc : l->first && l->rest ? 0 : nomem(l->err);
}

static int finish(struct looking *l, bool known, struct json_value **out)
{
    struct object o = object_begin(l->arena);
    put_int(&o, "start", l->start_ms);
    put(&o, "start_known", json_new(l->arena, known ? JSON_TRUE : JSON_FALSE));
    put_int(&o, "now", l->h->now_ms);
    put_int(&o, "days", DAYS);
    put_int(&o, "in_scope", (int64_t)l->in_scope);
    for (struct json_value *v = l->rest->first, *next; v && l->first->count < SHOWN_MAX; v = next) {
        next = v->next;
        v->next = NULL;
        json_append(l->first, l->first_last, v);
        l->first_last = v;
    }
    put_int(&o, "left_out", (int64_t)l->left_out);
    put(&o, "products", l->first);
    *out = o.failed ? NULL : o.v;
    return o.failed ? nomem(l->err) : 0;
}

int price_history_of(struct price_history *h, const struct generation *g, const struct json_value *spec, bool live, struct arena *arena,
                     struct json_value **out, struct err *err)
{
    struct looking l = { .h = h, .arena = arena, .err = err };
    uint32_t campaign = 0;
    bool is_campaign = json_get(spec, "give") && quote_campaign_find(generation_rules(g), text_of(spec, "id"), &campaign);
    *out = NULL;
    if (!is_campaign && !price_history_matters(spec))
        return 0;
    bool known = false;
    int rc = find_start(h, g, spec, live, &l.start_ms, &known, err);
    if (rc == 0)
        rc = prepare(&l);
    read_claims(&l, g, declared_list(spec, "claims"));
    if (rc == 0)
        rc = look_at_claimed(&l, g, campaign, is_campaign, declared_list(spec, "claims"));
    if (rc == 0)
        rc = look_at_claimed(&l, g, campaign, is_campaign, declared_list(spec, "gifts"));
    if (rc == 0 && is_campaign)
        rc = look_at_scope(&l, g, campaign, spec);
    return rc < 0 ? rc : finish(&l, known, out);
}

/* --- since when something is claimed ------------------------------------------------------------------------------------------------- */

static int keep_claims(struct store_stmt *insert, const struct json_value *list, int64_t now_ms, struct map *seen, struct err *err)
{
    int rc = 0;
    for (const struct json_value *c = list->first; c && rc == 0; c = c->next) {
        if (!price_history_matters(c))
            continue;
        if (!map_set(seen, text_of(c, "id"), insert))
            return nomem(err);
        store_bind_text(insert, 1, text_of(c, "id"));
        store_bind_int(insert, 2, now_ms);
        rc = store_step(insert, err);
    }
    return rc;
}

/* A statement that is read must not be changed under it: first which, then away. */
static int forget_others(struct store_conn *conn, const struct map *seen, struct arena *arena, struct err *err)
{
    struct store_stmt *all, *forget;
    struct json_value *gone = json_new(arena, JSON_ARRAY), *last = NULL;
    int rc = store_prepare(conn, "SELECT campaign FROM claim_starts", &all, err);
    if (rc == 0)
        rc = store_prepare(conn, "DELETE FROM claim_starts WHERE campaign = ?1", &forget, err);
    if (rc < 0 || !gone)
        return rc < 0 ? rc : nomem(err);
    while ((rc = store_step(all, err)) == 1) {
        if (map_get(seen, store_column_text(all, 0)))
            continue;
        struct slice id = arena_copy(arena, store_column_text(all, 0));
        struct json_value *v = id.data ? json_new_string(arena, id) : NULL;
        if (!v) {
            store_reset(all);
            return nomem(err);
        }
        json_append(gone, last, v);
        last = v;
    }
    for (const struct json_value *v = gone->first; v && rc == 0; v = v->next) {
        store_bind_text(forget, 1, v->string);
        rc = store_step(forget, err);
    }
    return rc;
}

int price_history_keep(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err)
{
    struct store_stmt *insert;
    struct map seen;
    struct arena arena;
    int rc = store_prepare(conn, "INSERT INTO claim_starts (campaign, since_ms) VALUES (?1, ?2) ON CONFLICT (campaign) DO NOTHING", &insert,
                           err);
    if (rc < 0)
        return rc;
    map_init(&seen, NULL);
    arena_init(&arena, NULL, 0);
    rc = keep_claims(insert, generation_campaigns(g), now_ms, &seen, err);
    if (rc == 0)
        rc = keep_claims(insert, generation_announcements(g), now_ms, &seen, err);
    if (rc == 0)
        rc = forget_others(conn, &seen, &arena, err);
    arena_release(&arena);
    map_release(&seen);
    return rc;
}
