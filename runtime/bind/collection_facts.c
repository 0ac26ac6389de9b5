/* Where rows and facts meet: a fact is made of a customer's rows, so a change of such a row is a change of what rules may know of the
 * customer. Quotes remember the version they read; an order that was priced on an older one is priced again. */
#include "base/zone.h"
#include "bind/collections_int.h"
#include "bind/plugins.h"

/* The fields that name customers whose facts are made of the rows. A call that began under rules of before takes all that name any: newer
 * ones may make facts of them. */
static size_t projected(const struct door *d, uint16_t out[COLLECTION_FIELDS_MAX])
{
    const struct bind_grant *g = d->grant;
    size_t n = 0;
    for (uint16_t i = 0; d->ctx->outdated && i < d->shape->field_count; i++)
        if (d->shape->fields[i].type == FIELD_CUSTOMER)
            out[n++] = i;
    if (d->ctx->outdated)
        return n;
    for (; n < g->projected_count; n++)
        out[n] = g->projected[n];
    return n;
}

struct facts_named facts_touched(const struct door *d, const struct cell *cells)
{
    uint16_t fields[COLLECTION_FIELDS_MAX];
    struct facts_named out = { .count = projected(d, fields) };
    if (out.count == 0)
        return out;
    out.cells = door_alloc(d, out.count, sizeof *out.cells);
    for (size_t i = 0; i < out.count; i++)
        out.cells[i] = cells[fields[i]];
    return out;
}

/* A customer that the shop does not know has no version, and no quotes. */
static void bump(const struct door *d, struct slice customer)
{
    struct store_stmt *s;
    struct err err = { 0 };
    vm_charge(d->L, 200);
    int rc = store_prepare(d->ctx->conn, "UPDATE customers SET version = version + 1 WHERE customer = ?1", &s, &err);
    if (rc == 0) {
        store_bind_text(s, 1, customer);
        rc = store_run(s, NULL, &err);
    }
    if (rc < 0)
        bind_raise(d->L, &err);
}

/* --- who is told ------------------------------------------------------------------------------------------------------- */

struct value {
    bool there;
    struct quote_fact fact;
};

struct watched {
    struct slice customer;
    bool known;           /* to the shop */
    struct value *before; /* by fact */
};

struct facts_watch {
    struct watched *list;
    size_t count;
    struct bind_event event; /* its subscribers; none: nothing below is filled */
    const struct bind_fact *const *facts;
    size_t fact_count;
};

static void add(struct facts_watch *w, struct facts_named named)
{
    const struct cell *cells = named.cells;
    for (size_t i = 0; i < named.count; i++) {
        size_t k = 0;
        while (k < w->count && !slice_eq(w->list[k].customer, cells[i].text))
            k++;
        if (cells[i].kind == CELL_TEXT && k == w->count)
            w->list[w->count++] = (struct watched){ .customer = cells[i].text };
    }
}

/* The tags that the shop keeps of a customer; false: it does not know him. */
static bool read_tags(const struct door *d, struct fact_about *who)
{
    struct store_stmt *s;
    struct err err = { 0 };
    struct json_value *tags = NULL;
    struct slice text = { NULL, 0 };
    int rc = store_prepare(d->ctx->conn, "SELECT tags FROM customers WHERE customer = ?1", &s, &err);
    if (rc == 0) {
        store_bind_text(s, 1, who->customer);
        rc = store_step(s, &err);
        text = rc == 1 ? arena_copy(d->ctx->arena, store_column_text(s, 0)) : text;
        store_reset(s);
    }
    if (rc == 1 && text.len)
        rc = text.data && json_parse(text, NULL, d->ctx->arena, &tags, &err) == 0 ? 1 : ERR_NOMEM;
    if (rc < 0) {
        if (err.code == 0)
            err_set(&err, rc, "out of memory for the tags of a customer");
        bind_raise(d->L, &err);
    }
    struct slice *list = door_alloc(d, tags ? tags->count + 1 : 1, sizeof *list);
    for (const struct json_value *t = tags ? tags->first : NULL; t; t = t->next)
        if (t->type == JSON_STRING)
            list[who->tag_count++] = t->string;
    who->tags = list;
    return rc == 1;
}

static struct value *ask_all(const struct door *d, const struct facts_watch *w, struct watched *about)
{
    struct fact_about who = { .customer = about->customer, .now_ms = d->ctx->now_ms };
    struct value *out = door_alloc(d, w->fact_count, sizeof *out);
    about->known = read_tags(d, &who);
    for (size_t i = 0; i < w->fact_count && about->known; i++)
        out[i].there = fact_ask_inside(d->L, d->ctx, w->facts[i], &who, &out[i].fact);
    return out;
}

/* Whether anybody listens comes first: it costs nothing when nobody does. */
static void listen(const struct door *d, struct facts_watch *w)
{
    struct bind_context *c = d->ctx;
    struct err err = { 0 };
    if (!c->plugins)
        return;
    if (c->plugins->event(c->plugins_ctx, NULL, SLICE_LIT("fact.changed"), c->arena, &w->event, &err) < 0)
        bind_raise(d->L, &err);
    if (w->event.count == 0 && !w->event.published)
        return;
    w->facts = c->plugins->facts(c->plugins_ctx, d->grant->plugin, d->shape, c->arena, &w->fact_count);
    for (size_t i = 0; i < w->count && w->fact_count; i++)
        w->list[i].before = ask_all(d, w, &w->list[i]);
}

struct facts_watch *facts_watch(const struct door *d, struct facts_named before, struct facts_named after)
{
    if (before.count + after.count == 0)
        return NULL;
    struct facts_watch *w = door_alloc(d, 1, sizeof *w);
    w->list = door_alloc(d, before.count + after.count, sizeof *w->list);
    add(w, before);
    add(w, after);
    if (w->count)
        listen(d, w);
    return w;
}

static bool same(const struct value *a, const struct value *b)
{
    if (a->there != b->there || !a->there)
        return a->there == b->there;
    return a->fact.kind == b->fact.kind && a->fact.number == b->fact.number && slice_eq(a->fact.text, b->fact.text);
}

static void member(const struct door *d, struct json_value *object, struct json_value **last, const char *key, struct json_value *v)
{
    if (!v)
        door_fail(d, "there is not enough memory for an event");
    v->key = slice_str(key);
    json_append(object, *last, v);
    *last = v;
}

static struct json_value *names_json(const struct door *d, struct slice text)
{
    struct json_value *list = json_new(d->ctx->arena, JSON_ARRAY), *last = NULL, *one;
    struct slice name;
    for (; list && fact_next_name(&text, &name); last = one) {
        one = json_new_string(d->ctx->arena, name);
        if (!one)
            return NULL;
        json_append(list, last, one);
    }
    return list;
}

static struct json_value *value_json(const struct door *d, const struct bind_fact *f, const struct value *v)
{
    struct arena *a = d->ctx->arena;
    char text[TIMESTAMP_MAX];
    if (f->type == FIELD_JSON)
        return names_json(d, v->fact.text);
    if (v->fact.kind == QUOTE_FACT_STRING)
        return json_new_string(a, v->fact.text);
    if (v->fact.kind == QUOTE_FACT_BOOL)
        return json_new(a, v->fact.number ? JSON_TRUE : JSON_FALSE);
    if (f->type == FIELD_TIME)
        return json_new_string(a, arena_copy(a, slice_of(text, timestamp_format(v->fact.number, text))));
    return json_new_int(a, v->fact.number);
}

static void tell(const struct door *d, const struct facts_watch *w, struct slice customer, const struct bind_fact *f,
                 const struct value *old, const struct value *new)
{
    struct arena *a = d->ctx->arena;
    struct json_value *payload = json_new(a, JSON_OBJECT), *last = NULL;
    char at[TIMESTAMP_MAX];
    size_t n = timestamp_format(d->ctx->now_ms, at);
    if (!payload)
        door_fail(d, "there is not enough memory for an event");
    member(d, payload, &last, "customer", json_new_string(a, customer));
    member(d, payload, &last, "fact", json_new_string(a, slice_str(f->name)));
    if (old->there && old->fact.kind != QUOTE_FACT_FAILED)
        member(d, payload, &last, "old", value_json(d, f, old));
    if (new->there)
        member(d, payload, &last, "new", value_json(d, f, new));
    member(d, payload, &last, "at", json_new_string(a, arena_copy(a, slice_of(at, n))));
    bind_tell(d->L, SLICE_LIT("fact.changed"), &w->event, payload);
}

static void compare(const struct door *d, const struct facts_watch *w, struct watched *about)
{
    const struct value *after = ask_all(d, w, about);
    for (size_t i = 0; i < w->fact_count && about->known; i++) {
        bool failed = after[i].there && after[i].fact.kind == QUOTE_FACT_FAILED; /* nobody can say what it is */
        if (!failed && !same(&about->before[i], &after[i]))
            tell(d, w, about->customer, w->facts[i], &about->before[i], &after[i]);
    }
}

void facts_done(const struct door *d, struct facts_watch *w)
{
    for (size_t i = 0; w && i < w->count; i++)
        bump(d, w->list[i].customer);
    for (size_t i = 0; w && i < w->count && w->fact_count; i++)
        compare(d, w, &w->list[i]);
}

void collection_push_rows(lua_State *L, struct bind_context *c, const struct collection *rows, const struct collection_field *by,
                          struct slice customer, int max)
{
    struct door d = { .L = L, .ctx = c, .shape = rows, .method = "rows" };
    int n = door_list(&d, owned_statement(&d, by->name, customer, (int64_t)max + 1));
    if (n > max)
        door_fail(&d, "a fact is made of at most %d rows of a customer, and there are more; keep what it needs in fewer", max);
}
