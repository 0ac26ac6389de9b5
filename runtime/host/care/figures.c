#include "host/care/figures.h"
#include "base/map.h"
#include "bind/functions.h"
#include "rulebook/plugin_set.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = 256 };

struct sums {
    uint64_t calls, errors, fuel, ns, peak_bytes;
};

struct link { /* a function of one state */
    struct slot *slot;
    const struct bind_meter *meter;
    struct link *next, **back;
};

struct slot { /* a function by its name, whatever state and generation it is in */
    const char *owner, *kind, *function;
    struct sums closed; /* of states that are gone */
    struct link *live;
};

struct figures {
    pthread_mutex_t lock;
    struct arena arena;
    struct map by_key;
    struct slot slots[FIGURES_FUNCTIONS_MAX + 1]; /* the last one is the rest */
    size_t count;
};

struct campaign { /* functions of one campaign, in one state */
    struct bind_function face;
    struct link link;
};

struct figures_part {
    struct figures *all;
    const struct generation *generation; /* held by whoever has the state */
    struct bind_functions functions;
    struct link *links; /* of functions.list */
    struct campaign **campaigns;
    size_t campaign_count;
};

struct figures *figures_new(void)
{
    struct figures *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    arena_init(&t->arena, NULL, 0);
    map_init(&t->by_key, NULL);
    t->slots[FIGURES_FUNCTIONS_MAX] = (struct slot){ "other", "other", "other", { 0 }, NULL };
    return t;
}

void figures_free(struct figures *t)
{
    if (!t)
        return;
    map_release(&t->by_key);
    arena_release(&t->arena);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* --- by name --------------------------------------------------------------------------------------------------------------- */

/* With the lock. */
static struct slot *slot_of(struct figures *t, const char *owner, const char *kind, struct slice function)
{
    char text[KEY_MAX];
    int n = snprintf(text, sizeof text, "%s\n%s\n%.*s", owner, kind, SLICE_FMT(function));
    struct slot *rest = &t->slots[FIGURES_FUNCTIONS_MAX];
    struct slice key = slice_of(text, n < KEY_MAX ? (size_t)n : KEY_MAX - 1);
    struct slot *s = map_get(&t->by_key, key);
    if (s || t->count == FIGURES_FUNCTIONS_MAX)
        return s ? s : rest;
    s = &t->slots[t->count];
    s->owner = arena_strdup(&t->arena, slice_str(owner));
    s->kind = arena_strdup(&t->arena, slice_str(kind));
    s->function = arena_strdup(&t->arena, function);
    key = arena_copy(&t->arena, key);
    if (!s->owner || !s->kind || !s->function || !key.data || !map_set(&t->by_key, key, s))
        return rest; /* short of memory: counted, without a name */
    t->count++;
    return s;
}

static void attach(struct figures *t, struct link *l, const struct bind_meter *meter, const char *owner, const char *kind,
                   struct slice function)
{
    pthread_mutex_lock(&t->lock);
    l->slot = slot_of(t, owner, kind, function);
    l->meter = meter;
    l->next = l->slot->live;
    l->back = &l->slot->live;
    if (l->next)
        l->next->back = &l->next;
    l->slot->live = l;
    pthread_mutex_unlock(&t->lock);
}

static void add(struct sums *f, const struct bind_meter *m)
{
    uint64_t peak = atomic_load_explicit(&m->peak_bytes, memory_order_relaxed);
    f->calls += atomic_load_explicit(&m->calls, memory_order_relaxed);
    f->errors += atomic_load_explicit(&m->errors, memory_order_relaxed);
    f->fuel += atomic_load_explicit(&m->fuel, memory_order_relaxed);
    f->ns += atomic_load_explicit(&m->ns, memory_order_relaxed);
    f->peak_bytes = peak > f->peak_bytes ? peak : f->peak_bytes;
}

/* With the lock. */
static void detach(struct link *l)
{
    add(&l->slot->closed, l->meter);
    *l->back = l->next;
    if (l->next)
        l->next->back = l->back;
}

/* --- a state ----------------------------------------------------------------------------------------------------------------- */

static void give_limit(struct bind_function *f, const char *owner, const struct limits *limits, enum limit_kind kind)
{
    f->owner = owner;
    f->kind = limit_kind_name(kind);
    f->fuel = limits->of[kind].fuel;
    f->memory_bytes = limits->of[kind].memory_bytes;
}

/* Asked at the first call of a campaign's function, and then for this one pointer. */
static struct bind_function *of_campaign(void *ctx, uint32_t n)
{
    struct figures_part *p = ctx;
    if (n >= p->campaign_count)
        return NULL;
    if (p->campaigns[n])
        return &p->campaigns[n]->face;
    struct campaign *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    const struct quote_rules *rules = generation_rules(p->generation);
    struct slice owner = quote_campaign_owner(rules, n), name = slice_of(owner.data, 0);
    size_t head = sizeof PLUGIN_OWNER - 1;
    if (owner.len > head && memcmp(owner.data, PLUGIN_OWNER, head) == 0)
        name = slice_of(owner.data + head, owner.len - head);
    const struct manifest *m = name.len ? plugin_set_find(generation_plugins(p->generation), name) : NULL;
    const struct limits *limits = m ? &generation_plugin(p->generation, m)->limits : generation_campaign_limits(p->generation);
    give_limit(&c->face, m ? m->name : LIMITS_CAMPAIGNS, limits, LIMIT_RULE);
    attach(p->all, &c->link, &c->face.meter, c->face.owner, "campaign", quote_campaign_id(rules, n));
    p->campaigns[n] = c;
    return &c->face;
}

static void open_plugin(struct figures_part *p, const struct manifest *m)
{
    const struct generation_plugin *g = generation_plugin(p->generation, m);
    for (size_t i = 0; i < m->hook_count; i++) {
        const struct hook *h = &m->hooks[i];
        enum limit_kind kind = limit_of_hook(h);
        size_t at = (size_t)g->first_fn - 1 + i;
        char name[KEY_MAX];
        if (kind == LIMIT_RULE)
            snprintf(name, sizeof name, "%s.%s", hook_section(h->kind), h->name);
        else
            snprintf(name, sizeof name, "%s", h->name);
        give_limit(&p->functions.list[at], m->name, &g->limits, kind);
        attach(p->all, &p->links[at], &p->functions.list[at].meter, m->name, limit_kind_name(kind), slice_str(name));
    }
}

int figures_open(struct figures *t, struct vm *vm, struct generation *g, struct figures_part **out, struct err *err)
{
    const struct plugin_set *set = generation_plugins(g);
    struct figures_part *p = calloc(1, sizeof *p);
    size_t n = 0;
    *out = NULL;
    for (size_t i = 0; i < plugin_set_count(set); i++)
        n += plugin_set_at(set, i)->hook_count;
    if (p) {
        p->all = t;
        p->generation = g;
        p->campaign_count = quote_rules_count(generation_rules(g));
        p->links = calloc(n + 1, sizeof *p->links);
        p->campaigns = calloc(p->campaign_count + 1, sizeof(struct campaign *));
        p->functions = (struct bind_functions){ p, calloc(n + 1, sizeof *p->functions.list), n, of_campaign };
    }
    if (!p || !p->links || !p->campaigns || !p->functions.list) {
        if (p)
            p->functions.count = 0;
        figures_close(p);
        return err_set(err, ERR_NOMEM, "Out of memory while loading the plugins.");
    }
    for (size_t i = 0; i < plugin_set_count(set); i++)
        open_plugin(p, plugin_set_at(set, i));
    bind_set_functions(vm, &p->functions);
    *out = p;
    return 0;
}

void figures_close(struct figures_part *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->all->lock);
    for (size_t i = 0; i < p->functions.count; i++)
        detach(&p->links[i]);
    for (size_t i = 0; p->campaigns && i < p->campaign_count; i++)
        if (p->campaigns[i])
            detach(&p->campaigns[i]->link);
    pthread_mutex_unlock(&p->all->lock);
    for (size_t i = 0; p->campaigns && i < p->campaign_count; i++)
        free(p->campaigns[i]);
    free(p->campaigns);
    free(p->functions.list);
    free(p->links);
    free(p);
}

/* --- looking ----------------------------------------------------------------------------------------------------------------- */

struct row {
    const struct slot *slot;
    struct sums f;
};

/* Those that were called. Names are never taken back, so they may be read without the lock. */
static size_t read_all(struct figures *t, struct row rows[FIGURES_FUNCTIONS_MAX + 1])
{
    size_t n = 0;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i <= FIGURES_FUNCTIONS_MAX; i++) {
        const struct slot *s = &t->slots[i];
        if (i >= t->count && i < FIGURES_FUNCTIONS_MAX)
            continue;
        struct sums f = s->closed;
        for (const struct link *l = s->live; l; l = l->next)
            add(&f, l->meter);
        if (f.calls)
            rows[n++] = (struct row){ s, f };
    }
    pthread_mutex_unlock(&t->lock);
    return n;
}

static void write_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s=\"", name);
    for (const char *c = value; *c; c++) {
        if (*c == '"' || *c == '\\')
            buf_add_char(out, '\\');
        buf_add_char(out, *c == '\n' ? ' ' : *c);
    }
    buf_add_char(out, '"');
}

enum { CALLS, ERRORS, FUEL, SECONDS, PEAK, METRICS };

static void write_value(struct buf *out, const struct sums *f, int metric)
{
    const uint64_t values[METRICS] = { f->calls, f->errors, f->fuel, f->ns / 1000000000, f->peak_bytes };
    buf_printf(out, "%llu", (unsigned long long)values[metric]);
    if (metric == SECONDS)
        buf_printf(out, ".%09llu", (unsigned long long)(f->ns % 1000000000));
}

void figures_write_metrics(struct figures *t, struct buf *out)
{
    static const char *const metrics[METRICS][3] = {
        { "function_calls_total", "counter", "Calls of functions of plugins and campaigns." },
        { "function_errors_total", "counter", "Of these, those that broke or were ended." },
        { "function_fuel_total", "counter", "Instructions of counted calls, and what C functions charged." },
        { "function_seconds_total", "counter", "Their time; of rules estimated." },
        { "function_peak_bytes", "gauge", "The most memory that one call took." },
    };
    struct row *rows = calloc(FIGURES_FUNCTIONS_MAX + 1, sizeof *rows);
    size_t n = rows ? read_all(t, rows) : 0;
    for (int m = 0; m < METRICS && n; m++) {
        buf_printf(out, "# HELP feira_%s %s\n# TYPE feira_%s %s\n", metrics[m][0], metrics[m][2], metrics[m][0], metrics[m][1]);
        for (size_t i = 0; i < n; i++) {
            buf_printf(out, "feira_%s{", metrics[m][0]);
            write_label(out, "owner", rows[i].slot->owner);
            buf_add_char(out, ',');
            write_label(out, "kind", rows[i].slot->kind);
            buf_add_char(out, ',');
            write_label(out, "function", rows[i].slot->function);
            buf_add_str(out, "} ");
            write_value(out, &rows[i].f, m);
            buf_add_char(out, '\n');
        }
    }
    free(rows);
}

static int by_time(const void *a, const void *b)
{
    const struct row *p = a, *q = b;
    return (p->f.ns < q->f.ns) - (p->f.ns > q->f.ns);
}

static void text(struct json_writer *w, const char *key, const char *value)
{
    json_key(w, key);
    json_str(w, value);
}

static void number(struct json_writer *w, const char *key, uint64_t value)
{
    json_key(w, key);
    json_int(w, (int64_t)value);
}

void figures_write_json(struct figures *t, size_t at_most, struct json_writer *w)
{
    struct row *rows = calloc(FIGURES_FUNCTIONS_MAX + 1, sizeof *rows);
    size_t n = rows ? read_all(t, rows) : 0;
    if (n)
        qsort(rows, n, sizeof *rows, by_time);
    json_array(w);
    for (size_t i = 0; i < n && i < at_most; i++) {
        const struct row *r = &rows[i];
        json_object(w);
        text(w, "owner", r->slot->owner);
        text(w, "kind", r->slot->kind);
        text(w, "function", r->slot->function);
        number(w, "calls", r->f.calls);
        number(w, "errors", r->f.errors);
        number(w, "fuel", r->f.fuel);
        number(w, "time_us", r->f.ns / 1000);
        number(w, "peak_bytes", r->f.peak_bytes);
        json_object_end(w);
    }
    json_array_end(w);
    free(rows);
}
