/* quote/fixture.h - for the tests of this folder: rules and carts from JSON. In the texts ' stands for ". */
#pragma once
#include "quote/quote.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct symbols *symbols;
    struct zone *zone;
    struct arena arena; /* rules' texts and carts */
    struct arena run;
    struct quote_rules *rules;
    struct quote_cart cart;
    struct quote_result result;
    struct quote_hooks hooks;
    struct err err;
};

static inline struct json_value *fixture_json(struct arena *a, const char *text)
{
    struct json_value *v;
    struct err err;
    char *copy = arena_strdup(a, slice_str(text));
    for (char *p = copy; *p; p++)
        if (*p == '\'')
            *p = '"';
    if (json_parse(slice_str(copy), NULL, a, &v, &err) < 0)
        fail_msg("%s in %s", err.text, copy);
    return v;
}

static inline struct slice fixture_text(const struct json_value *v, const char *key)
{
    struct slice s = slice_str("");
    json_is_string(json_get(v, key), &s);
    return s;
}

static inline int64_t fixture_int(const struct json_value *v, const char *key, int64_t otherwise)
{
    int64_t i = otherwise;
    json_is_int(json_get(v, key), &i);
    return i;
}

static inline symbol fixture_symbol(struct fixture *f, struct slice name)
{
    return name.len ? symbols_intern(f->symbols, name) : 0;
}

static inline const symbol *fixture_symbols(struct fixture *f, const struct json_value *list, uint32_t *count)
{
    symbol *out = arena_array(&f->arena, 20, sizeof *out);
    *count = 0;
    for (const struct json_value *m = list ? list->first : NULL; m; m = m->next)
        out[(*count)++] = symbols_intern(f->symbols, m->string);
    return out;
}

/* "tea/green" and then "tea". */
static inline const symbol *fixture_categories(struct fixture *f, struct slice path, uint32_t *count)
{
    symbol *out = arena_array(&f->arena, 20, sizeof *out);
    *count = 0;
    while (path.len) {
        out[(*count)++] = symbols_intern(f->symbols, path);
        while (path.len && path.data[path.len - 1] != '/')
            path.len--;
        path.len -= path.len > 0;
    }
    return out;
}

static inline void fixture_init(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->symbols = symbols_new(NULL);
    assert_int_equal(zone_load(slice_str("Asia/Shanghai"), &f->zone, &f->err), 0);
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->run, NULL, 0);
}

static inline void fixture_release(struct fixture *f)
{
    quote_rules_free(f->rules);
    symbols_free(f->symbols);
    zone_free(f->zone);
    arena_release(&f->arena);
    arena_release(&f->run);
}

/* What campaigns of the tests may ask for. */
static const struct quote_fact_type fixture_fact_types[] = {
    { "club.adult", FIELD_BOOLEAN, true }, { "club.level", FIELD_INTEGER, true }, { "club.share", FIELD_PERCENT, true },
    { "club.since", FIELD_TIME, true },    { "club.spent", FIELD_MONEY, true },   { "club.town", FIELD_STRING, false },
};
enum { FIXTURE_FACTS = sizeof fixture_fact_types / sizeof fixture_fact_types[0] };

/* {'club.level': 3, 'club.town': 'Lima', 'club.adult': null}: null for one that could not be found out. */
static inline void fixture_facts(struct fixture *f, const struct json_value *v, struct quote_cart *c)
{
    struct quote_fact *facts = arena_array(&f->arena, v ? v->count + 1 : 1, sizeof *facts);
    c->facts = facts;
    for (const struct json_value *m = v ? v->first : NULL; m; m = m->next) {
        bool yes = false;
        struct quote_fact *fact = &facts[c->fact_count++];
        *fact = (struct quote_fact){ .name = symbols_intern(f->symbols, m->key), .kind = QUOTE_FACT_FAILED, .text = slice_str("") };
        if (json_is_int(m, &fact->number))
            fact->kind = QUOTE_FACT_INT;
        else if (json_is_string(m, &fact->text))
            fact->kind = QUOTE_FACT_STRING;
        else if (json_is_bool(m, &yes))
            fact->kind = QUOTE_FACT_BOOL;
        fact->number = yes ? 1 : fact->number;
    }
}

static inline int fixture_build_with(struct fixture *f, const char *campaigns, struct quote_rules_options o)
{
    o.zone = f->zone;
    o.symbols = f->symbols;
    o.facts = fixture_fact_types;
    o.fact_count = FIXTURE_FACTS;
    assert_int_equal(currency_find(slice_str("CNY"), &o.currency, &f->err), 0);
    quote_rules_free(f->rules);
    f->rules = NULL;
    err_clear(&f->err);
    return quote_rules_build(campaigns ? fixture_json(&f->arena, campaigns) : NULL, &o, &f->rules, &f->err);
}

static inline int fixture_build(struct fixture *f, const char *campaigns, const char *policies, const char *shipping)
{
    struct quote_rules_options o = { 0 };
    o.policies = policies ? fixture_json(&f->arena, policies) : NULL;
    o.shipping = shipping ? fixture_json(&f->arena, shipping) : NULL;
    return fixture_build_with(f, campaigns, o);
}

static inline void fixture_rules(struct fixture *f, const char *campaigns)
{
    if (fixture_build(f, campaigns, NULL, NULL) < 0)
        fail_msg("%s", f->err.text);
}

/* {'lines': [{'sku', 'qty', 'price', 'category', 'tags', 'brand', 'g', 'from'}], 'codes', 'customer', 'customer_tags', 'facts', 'channel',
 * 'region', 'payment_method', 'store', 'option', 'at'} */
static inline struct quote_cart *fixture_cart(struct fixture *f, const char *text)
{
    struct json_value *v = fixture_json(&f->arena, text);
    const struct json_value *lines = json_get(v, "lines"), *codes = json_get(v, "codes");
    struct quote_cart *c = &f->cart;
    uint32_t tags;
    *c = (struct quote_cart){ .line_count = lines->count, .at_ms = fixture_int(v, "at", 1750000000000), .explain_all = true };
    c->lines = arena_array(&f->arena, c->line_count + 1, sizeof *c->lines);
    struct quote_line *l = c->lines;
    for (const struct json_value *m = lines->first; m; m = m->next, l++) {
        l->qty = fixture_int(m, "qty", 1);
        l->unit_price_minor = l->product.price_minor = fixture_int(m, "price", 0);
        l->product.weight_g = fixture_int(m, "g", 0);
        l->product.sku = fixture_symbol(f, fixture_text(m, "sku"));
        l->product.brand = fixture_symbol(f, fixture_text(m, "brand"));
        l->product.title = fixture_text(m, "sku");
        l->from = fixture_text(m, "from");
        l->product.categories = fixture_categories(f, fixture_text(m, "category"), &l->product.category_count);
        l->product.tags = fixture_symbols(f, json_get(m, "tags"), &l->product.tag_count);
    }
    for (const struct json_value *m = codes ? codes->first : NULL; m; m = m->next)
        c->codes[c->code_count++] = m->string;
    c->customer = fixture_text(v, "customer");
    fixture_facts(f, json_get(v, "facts"), c);
    c->customer_tags = fixture_symbols(f, json_get(v, "customer_tags"), &tags);
    c->customer_tag_count = tags;
    c->channel = fixture_symbol(f, fixture_text(v, "channel"));
    c->payment_method = fixture_symbol(f, fixture_text(v, "payment_method"));
    c->store = fixture_symbol(f, fixture_text(v, "store"));
    c->region = fixture_symbol(f, fixture_text(v, "region"));
    c->shipping_option = fixture_text(v, "option");
    return c;
}

static inline int fixture_try(struct fixture *f, const char *cart)
{
    arena_reset(&f->run);
    err_clear(&f->err);
    return quote_price(f->rules, fixture_cart(f, cart), &f->hooks, &f->run, &f->result, &f->err);
}

static inline int64_t fixture_discount(struct fixture *f, const char *cart) /* of the lines */
{
    if (fixture_try(f, cart) < 0)
        fail_msg("%s", f->err.text);
    return f->result.discount_minor;
}

static inline const struct quote_outcome *fixture_outcome(struct fixture *f, const char *id)
{
    for (size_t i = 0; i < f->result.outcome_count; i++)
        if (slice_is(quote_campaign_id(f->rules, f->result.outcomes[i].campaign), id))
            return &f->result.outcomes[i];
    fail_msg("no outcome of %s", id);
    return NULL;
}

static inline const struct quote_param *fixture_find_param(struct fixture *f, const char *id, const char *name)
{
    for (const struct quote_param *p = fixture_outcome(f, id)->params; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

static inline const char *fixture_reason(struct fixture *f, const char *id)
{
    const struct quote_outcome *o = fixture_outcome(f, id);
    return o->applied ? "applied" : o->reason;
}

static inline int64_t fixture_param(struct fixture *f, const char *id, const char *name)
{
    for (const struct quote_param *p = fixture_outcome(f, id)->params; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p->number;
    fail_msg("%s has no %s", id, name);
    return 0;
}

/* The whole answer with every outcome, in f->arena. */
static inline const char *fixture_answer(struct fixture *f)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    quote_result_write(f->rules, &f->result, &(struct quote_telling){ .full = true }, &w);
    json_object_end(&w);
    assert_false(b.failed);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    return text;
}

/* Changes one to four bytes of text, which stays as long; for tests of what damage does. */
static inline void fixture_damage(char *text, uint64_t *seed)
{
    static const char bytes[] = "{}[]:,\"0123456789-.eatfn \\";
    size_t len = strlen(text);
    for (int i = 0, n = 1 + (int)(*seed >> 62); i < n; i++) {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(*seed >> 33) % len, from = (size_t)(*seed >> 13) % len;
        text[at] = *seed >> 60 & 1 ? text[from] : bytes[(size_t)(*seed >> 23) % (sizeof bytes - 1)];
    }
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_init(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    fixture_release(*state);
    free(*state);
    return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)
