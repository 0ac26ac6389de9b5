/* bind/fixture.h - for the tests of this folder: a shop in memory, with a clock that moves when told. In the texts ' stands for ". */
#pragma once
#include "bind/bind.h"
#include "base/log.h"
#include "base/zone.h"
#include "journal/journal.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct ledger *ledger;
    struct writer_hooks ledger_hooks;
    struct clock_virtual clock;
    struct random_seeded random;
    struct id_source ids;
    struct symbols *symbols;
    struct zone *zone;
    struct arena arena; /* of one call; answers live in it until the next */
    struct arena kept;  /* texts of the test */
    struct quote_rules *rules;
    struct bind_context ctx;
    struct vm *vm;
    struct quote_result result;
    struct bind_quote quote;
    size_t asked_places;
    struct bind_answer answer;
    struct json_value *body; /* of the answer */
    struct err err;
    size_t changed_skus;
    char rule_error[512]; /* of the last function that failed */
};

static inline int fixture_condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    struct fixture *f = ctx;
    struct quote_hooks h = bind_quote_hooks(f->vm);
    int rc = h.condition(h.ctx, fn, e, holds, err);
    if (rc < 0)
        snprintf(f->rule_error, sizeof f->rule_error, "%s", err->text);
    return rc;
}

static inline int fixture_action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    struct fixture *f = ctx;
    struct quote_hooks h = bind_quote_hooks(f->vm);
    int rc = h.action(h.ctx, fn, e, err);
    if (rc < 0)
        snprintf(f->rule_error, sizeof f->rule_error, "%s", err->text);
    return rc;
}

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

static inline void fixture_changed(void *ctx, struct slice sku)
{
    (void)sku;
    ((struct fixture *)ctx)->changed_skus++;
}

static const struct quote_fact_type fixture_fact_types[] = {
    { "club.level", FIELD_INTEGER, true },
    { "club.town", FIELD_STRING, true },
    { "club.secret", FIELD_STRING, false },
};

/* Rules from Lua text that returns a list of campaigns; NULL = none. Shipping: one option "standard" for 4.95 anywhere. */
static inline void fixture_rules(struct fixture *f, const char *lua)
{
    struct quote_rules_options o = {
        .currency = f->ctx.currency, .zone = f->zone, .symbols = f->symbols, .facts = fixture_fact_types, .fact_count = 3
    };
    o.shipping = fixture_json(&f->kept, "[{'id':'standard','title':'Standard','rates':[{'price':'4.95'}]}]");
    struct json_value *campaigns = NULL;
    if (lua) {
        vm_ref ref;
        if (vm_run(f->vm, slice_str(lua), "campaigns/test.lua", &ref, &f->err) < 0 ||
            vm_to_json(f->vm, ref, &f->kept, &campaigns, &f->err) < 0)
            fail_msg("%s", f->err.text);
    }
    quote_rules_free(f->rules);
    f->rules = NULL;
    if (quote_rules_build(campaigns, &o, &f->rules, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static inline void fixture_open(struct fixture *f, const char *path)
{
    memset(f, 0, sizeof *f);
    struct err *e = &f->err;
    struct store_options so = { .path = path, .migrations = bind_core_migrations() };
    if (store_open(&so, &f->store, e) < 0 || ledger_open(f->store, &f->ledger, e) < 0)
        fail_msg("%s", e->text);
    f->conn = store_writer_conn(f->store);
    f->ledger_hooks = ledger_hooks(f->ledger);
    clock_virtual_init(&f->clock, 1763769600000); /* 2025-11-22 */
    random_seeded_init(&f->random, 7);
    id_source_init(&f->ids, &f->clock.face, &f->random.face);
    f->symbols = symbols_new(NULL);
    assert_int_equal(zone_load(slice_str("Europe/London"), &f->zone, e), 0);
    arena_init(&f->arena, NULL, 0);
    arena_init(&f->kept, NULL, 0);
    f->ctx = (struct bind_context){ .phase = BIND_PHASE_LOAD,
                                    .conn = f->conn,
                                    .ledger = f->ledger,
                                    .clock = &f->clock.face,
                                    .ids = &f->ids,
                                    .random = &f->random.face,
                                    .zone = f->zone,
                                    .arena = &f->arena,
                                    .product_changed = fixture_changed,
                                    .host_ctx = f };
    assert_int_equal(currency_find(slice_str("GBP"), &f->ctx.currency, e), 0);
    /* Under valgrind all is slow, and fuel is what counts here. */
    if (bind_open(&(struct vm_options){ .patience = 100 }, &f->ctx, &f->vm, e) < 0)
        fail_msg("%s", e->text);
    fixture_rules(f, NULL);
}

static inline void fixture_close(struct fixture *f)
{
    quote_rules_free(f->rules);
    vm_close(f->vm);
    ledger_close(f->ledger);
    store_close(f->store);
    symbols_free(f->symbols);
    zone_free(f->zone);
    arena_release(&f->arena);
    arena_release(&f->kept);
}

/* One procedure as the writer runs it: a savepoint in a transaction, undone when it fails. */
static inline int fixture_run(struct fixture *f, const char *name, const struct json_value *args)
{
    struct writer_hooks *h = &f->ledger_hooks;
    err_clear(&f->err);
    f->ctx.now_ms = clock_wall_ms(&f->clock.face);
    assert_int_equal(store_begin(f->conn, NULL), 0);
    assert_int_equal(store_savepoint(f->conn, NULL), 0);
    if (h->savepoint)
        h->savepoint(h->ctx);
    f->ctx.phase = BIND_PHASE_PROCEDURE;
    int rc = bind_call(f->vm, slice_str(name), args, &f->answer, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    if (rc < 0) {
        store_rollback_to(f->conn, NULL);
        if (h->rollback_to)
            h->rollback_to(h->ctx);
    } else {
        store_release(f->conn, NULL);
        if (h->release)
            h->release(h->ctx);
    }
    if (h->before_commit)
        assert_int_equal(h->before_commit(h->ctx, NULL), 0);
    assert_int_equal(store_commit(f->conn, NULL), 0);
    if (h->committed)
        h->committed(h->ctx);
    return rc;
}

static inline int fixture_ran(struct fixture *f, int rc)
{
    f->body = NULL;
    if (rc == 0 && f->answer.body.len && json_parse(f->answer.body, NULL, &f->arena, &f->body, &f->err) < 0)
        fail_msg("%s in %.*s", f->err.text, SLICE_FMT(f->answer.body));
    return rc;
}

/* A procedure with its arguments as JSON; the answer's status, or the error's code. */
static inline int fixture_try(struct fixture *f, const char *name, const char *args)
{
    arena_reset(&f->arena);
    f->ctx.quote = NULL;
    return fixture_ran(f, fixture_run(f, name, fixture_json(&f->arena, args)));
}

static inline int fixture_read(struct fixture *f, const char *name, const char *args)
{
    arena_reset(&f->arena);
    f->ctx.quote = NULL;
    f->ctx.phase = BIND_PHASE_HANDLER;
    f->ctx.now_ms = clock_wall_ms(&f->clock.face);
    err_clear(&f->err);
    int rc = bind_call(f->vm, slice_str(name), fixture_json(&f->arena, args), &f->answer, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    return fixture_ran(f, rc);
}

static inline void fixture_do(struct fixture *f, const char *name, const char *args)
{
    if (fixture_try(f, name, args) < 0)
        fail_msg("%s: %s (%s %s)", name, f->err.text, f->err.reason, f->err.field);
}

/* A member by path: "lines/0/refunded". */
static inline const struct json_value *fixture_at(const struct json_value *v, const char *path)
{
    char part[64];
    while (v && *path) {
        size_t n = strcspn(path, "/");
        snprintf(part, sizeof part, "%.*s", (int)n, path);
        path += n + (path[n] == '/');
        if (v->type == JSON_ARRAY) {
            v = v->first;
            for (long i = strtol(part, NULL, 10); v && i > 0; i--)
                v = v->next;
        } else {
            v = json_get(v, part);
        }
    }
    return v;
}

static inline int64_t fixture_int(struct fixture *f, const char *path)
{
    int64_t n;
    if (!json_is_int(fixture_at(f->body, path), &n))
        fail_msg("no integer %s in %.*s", path, SLICE_FMT(f->answer.body));
    return n;
}

static inline const char *fixture_text(struct fixture *f, const char *path)
{
    struct slice s;
    if (!json_is_string(fixture_at(f->body, path), &s))
        fail_msg("no text %s in %.*s", path, SLICE_FMT(f->answer.body));
    return arena_strdup(&f->kept, s);
}

/* {'club.level': 3}: null for one that could not be found out. */
static inline void fixture_facts(struct fixture *f, const struct json_value *v, struct quote_cart *c)
{
    struct quote_fact *facts = arena_array(&f->arena, v ? v->count + 1 : 1, sizeof *facts);
    c->facts = facts;
    for (const struct json_value *m = v ? v->first : NULL; m; m = m->next) {
        struct quote_fact *fact = &facts[c->fact_count++];
        bool yes = false;
        *fact = (struct quote_fact){ .name = symbols_intern(f->symbols, m->key), .kind = QUOTE_FACT_FAILED };
        if (json_is_int(m, &fact->number))
            fact->kind = QUOTE_FACT_INT;
        else if (json_is_string(m, &fact->text))
            fact->kind = QUOTE_FACT_STRING;
        else if (json_is_bool(m, &yes))
            fact->kind = QUOTE_FACT_BOOL;
        fact->number = yes ? 1 : fact->number;
    }
}

/* {'lines': [{'sku','qty','price'}], 'customer', 'version', 'option', 'customer_tags': [...], 'facts', 'inputs'}: prices it into f->result.
 */
static inline int fixture_price(struct fixture *f, const char *text)
{
    const struct json_value *v = fixture_json(&f->arena, text), *m;
    struct quote_cart *c = arena_zalloc(&f->arena, sizeof *c);
    const struct json_value *lines = json_get(v, "lines"), *tags = json_get(v, "customer_tags");
    c->line_count = lines->count;
    c->lines = arena_array(&f->arena, lines->count, sizeof *c->lines);
    size_t i = 0;
    for (m = lines->first; m; m = m->next, i++) {
        struct slice sku, tag;
        assert_true(json_is_string(json_get(m, "sku"), &sku));
        c->lines[i].product.sku = symbols_intern(f->symbols, sku);
        c->lines[i].product.title = sku;
        json_is_int(json_get(m, "qty"), &c->lines[i].qty);
        json_is_int(json_get(m, "price"), &c->lines[i].unit_price_minor);
        c->lines[i].product.price_minor = c->lines[i].unit_price_minor;
        if (json_is_string(json_get(m, "tag"), &tag)) {
            symbol *s = arena_alloc(&f->arena, sizeof *s);
            *s = symbols_intern(f->symbols, tag);
            c->lines[i].product.tags = c->lines[i].product.categories = s;
            c->lines[i].product.tag_count = c->lines[i].product.category_count = 1;
        }
    }
    json_is_string(json_get(v, "customer"), &c->customer);
    json_is_int(json_get(v, "version"), &c->customer_version);
    json_is_string(json_get(v, "option"), &c->shipping_option);
    json_is_bool(json_get(v, "final"), &c->no_campaigns);
    fixture_facts(f, json_get(v, "facts"), c);
    c->inputs = json_get(v, "inputs");
    if (tags) {
        symbol *s = arena_array(&f->arena, tags->count + 1, sizeof *s);
        c->customer_tags = s;
        for (m = tags->first; m; m = m->next)
            s[c->customer_tag_count++] = symbols_intern(f->symbols, m->string);
    }
    c->at_ms = clock_wall_ms(&f->clock.face);
    struct quote_hooks hooks = { .ctx = f, .condition = fixture_condition, .action = fixture_action };
    f->rule_error[0] = 0;
    return quote_price(f->rules, c, &hooks, &f->arena, &f->result, &f->err);
}

static inline int fixture_place(struct fixture *f, const char *cart, const char *args)
{
    arena_reset(&f->arena);
    if (fixture_price(f, cart) < 0)
        fail_msg("%s", f->err.text);
    f->quote = (struct bind_quote){
        .rules = f->rules, .result = &f->result, .evidence = SLICE_LIT("{\"v\":1}"), .generation = SLICE_LIT("g_test")
    };
    if (bind_quote_write(&f->quote, &f->arena, &f->err) < 0)
        fail_msg("%s", f->err.text);
    f->ctx.quote = &f->quote;
    int rc = fixture_ran(f, fixture_run(f, "orders.place", fixture_json(&f->arena, args)));
    f->ctx.quote = NULL;
    return rc;
}

#define SK "'principal':{'kind':'sk'}"

/* Places as a server; gives the order's id. */
static inline const char *fixture_order(struct fixture *f, const char *cart)
{
    if (fixture_place(f, cart, "{" SK ",'body':{}}") < 0)
        fail_msg("orders.place: %s (%s %s)", f->err.text, f->err.reason, f->err.field);
    return fixture_text(f, "id");
}

/* args is everything behind the principal and the order's id: "'body':{...}". */
static inline int fixture_on(struct fixture *f, const char *name, const char *id, const char *args)
{
    char text[4096];
    snprintf(text, sizeof text, "{" SK ",'params':{'id':'%s'}%s%s}", id, *args ? "," : "", args);
    return fixture_try(f, name, text);
}

/* Stock as a server sees it: on_hand, held, available of a SKU at its first location. */
static inline void fixture_stock_is(struct fixture *f, const char *sku, int64_t on_hand, int64_t held)
{
    char text[256];
    snprintf(text, sizeof text, "{" SK ",'params':{'sku':'%s'}}", sku);
    if (fixture_read(f, "products.get", text) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(fixture_int(f, "stock/0/on_hand"), on_hand);
    assert_int_equal(fixture_int(f, "stock/0/held"), held);
    assert_int_equal(fixture_int(f, "stock/0/available"), on_hand - held);
}

static inline void fixture_product(struct fixture *f, const char *sku, int64_t price, int64_t stock)
{
    char text[512];
    snprintf(text, sizeof text, "{" SK ",'body':{'products':[{'sku':'%s','title':'T %s','price':%lld,'stock':%lld}]}}", sku, sku,
             (long long)price, (long long)stock);
    fixture_do(f, "products.import", text);
}

static inline void fixture_books_balance(struct fixture *f)
{
    struct err err;
    if (ledger_verify(f->conn, &err) < 0)
        fail_msg("%s", err.text);
}
