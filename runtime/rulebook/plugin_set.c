#include "rulebook/plugin_set.h"
#include "base/schema.h"
#include "rulebook/catalogue.h"
#include <stdio.h>
#include <stdlib.h>

struct edge {
    uint32_t first, then; /* positions by name */
};

struct event_hooks {
    const char *event;
    struct hook_ref *refs;
    size_t count;
};

struct plugin_set {
    struct arena arena;
    const struct manifest **list; /* in their order */
    size_t count;
    struct hook_ref *hooks[HOOK_KINDS];
    size_t hook_count[HOOK_KINDS];
    struct event_hooks *events;
    size_t event_count;
};

struct sorting {
    struct plugin_set *set;
    const struct manifest **by_name;
    size_t count;
    struct edge *edges; /* of the plugins, then room for those of hooks */
    size_t edge_count, edge_cap;
    uint32_t *waits; /* scratch: how many must still come before */
    uint32_t *order; /* result: positions by name */
    bool *done;
    struct err *err;
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "there is not enough memory for the plugins");
}

/* --- names ------------------------------------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct manifest *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static bool position(const struct sorting *q, struct slice name, uint32_t *out)
{
    size_t low = 0, high = q->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp(name, slice_str(q->by_name[mid]->name));
        if (c == 0) {
            *out = (uint32_t)mid;
            return true;
        }
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return false;
}

/* --- needs ------------------------------------------------------------------------------------------------------------------ */

static bool offers(const struct manifest *m, const struct need *n, const char *const **words, struct arena *a, const char **what)
{
    const char **list = NULL;
    size_t count = 0;
    bool found = n->part.len == 0;
    *words = NULL;
    if (n->kind == NEED_COLLECTION) {
        *what = "collection";
        list = arena_array(a, m->collection_count + 1, sizeof *list);
        for (; list && count < m->collection_count; count++)
            list[count] = m->collections[count].name;
    } else if (n->kind == NEED_PROCEDURE) {
        *what = "procedure";
        size_t first = m->hook_first[HOOK_PROCEDURE], end = m->hook_first[HOOK_PROCEDURE + 1];
        list = arena_array(a, end - first + 1, sizeof *list);
        for (; list && count < end - first; count++)
            list[count] = m->hooks[first + count].name;
    } else if (n->kind == NEED_EVENT) {
        *what = "event";
        list = arena_array(a, m->event_count + 1, sizeof *list);
        for (; list && count < m->event_count; count++)
            list[count] = m->events[count].name;
    } else {
        return true;
    }
    for (size_t i = 0; list && i < count; i++)
        found = found || slice_is(n->part, list[i]);
    *words = list;
    return found;
}

static int add_edge(struct sorting *q, uint32_t first, uint32_t then)
{
    if (q->edge_count == q->edge_cap) {
        size_t cap = q->edge_cap ? q->edge_cap * 2 : 64;
        struct edge *grown = arena_array(&q->set->arena, cap, sizeof *grown);
        if (!grown)
            return nomem(q->err);
        if (q->edge_count)
            memcpy(grown, q->edges, q->edge_count * sizeof *grown);
        q->edges = grown;
        q->edge_cap = cap;
    }
    q->edges[q->edge_count++] = (struct edge){ first, then };
    return 0;
}

static int check_need(struct sorting *q, const struct manifest *m, uint32_t self, const struct need *n)
{
    static const char *const sections[NEED_KINDS] = { "plugins", "collections", "procedures", "events", "ledger", "http", "personal" };
    uint32_t target;
    char hint[64];
    const char *const *words, *what = "part";
    if (n->kind == NEED_HTTP || n->kind == NEED_PERSONAL || n->kind == NEED_LEDGER)
        return 0;
    if (!position(q, n->target, &target)) {
        if (n->kind != NEED_PLUGIN && n->kind != NEED_EVENT && catalogue_is_core(n->target))
            return 0;
        return err_field(q->err, ERR_INVALID, m->name, "%s: needs.%s: \"%s\" is not turned on; add [\"%.*s\"] = { } to plugins in shop.lua",
                         m->file, sections[n->kind], n->text, SLICE_FMT(n->target));
    }
    if (!offers(q->by_name[target], n, &words, &q->set->arena, &what))
        return err_field(q->err, ERR_INVALID, m->name, "%s: needs.%s: the plugin %.*s has no %s \"%.*s\"%s", m->file, sections[n->kind],
                         SLICE_FMT(n->target), what, SLICE_FMT(n->part), words ? reader_hint(hint, n->part, words) : "");
    return add_edge(q, target, self);
}

static int add_names(struct sorting *q, uint32_t self, const char *const *after, const char *const *before)
{
    uint32_t other;
    int rc = 0;
    for (size_t i = 0; after[i] && rc == 0; i++)
        if (position(q, slice_str(after[i]), &other))
            rc = add_edge(q, other, self);
    for (size_t i = 0; before[i] && rc == 0; i++)
        if (position(q, slice_str(before[i]), &other))
            rc = add_edge(q, self, other);
    return rc;
}

static int add_plugins(struct sorting *q)
{
    int rc = 0;
    for (uint32_t i = 0; i < q->count && rc == 0; i++) {
        const struct manifest *m = q->by_name[i];
        if (i > 0 && strcmp(m->name, q->by_name[i - 1]->name) == 0)
            return err_field(q->err, ERR_INVALID, m->name, "%s: there are two plugins of the name %s; rename one", m->file, m->name);
        for (size_t k = 0; k < m->need_count && rc == 0; k++)
            rc = check_need(q, m, i, &m->needs[k]);
        if (rc == 0)
            rc = add_names(q, i, m->after, m->before);
    }
    return rc;
}

/* --- sorting ---------------------------------------------------------------------------------------------------------------- */

/* Who is left waits for somebody who is left, so going backwards ends in a circle. */
static int name_circle(struct sorting *q, const char *of)
{
    uint32_t *seen = arena_array(&q->set->arena, q->count, sizeof *seen);
    char text[300] = "";
    uint32_t at = 0, step = 0;
    if (!seen)
        return nomem(q->err);
    while (q->done[at])
        at++;
    while (!seen[at]) {
        seen[at] = ++step;
        for (size_t e = 0; e < q->edge_count; e++) {
            if (q->edges[e].then == at && !q->done[q->edges[e].first]) {
                at = q->edges[e].first;
                break;
            }
        }
    }
    uint32_t first = at;
    size_t n = 0;
    do {
        int k = n < sizeof text ? snprintf(text + n, sizeof text - n, "%s after ", q->by_name[at]->name) : 0;
        n += k < 0 ? 0 : (size_t)k;
        for (size_t e = 0; e < q->edge_count; e++) {
            if (q->edges[e].then == at && !q->done[q->edges[e].first]) {
                at = q->edges[e].first;
                break;
            }
        }
    } while (at != first);
    return err_field(q->err, ERR_INVALID, q->by_name[first]->name,
                     "%s can't be put in order: %.250s%s; remove one of these needs, after or before", of, text, q->by_name[first]->name);
}

static int sort(struct sorting *q, const char *of)
{
    memset(q->waits, 0, q->count * sizeof *q->waits);
    memset(q->done, 0, q->count * sizeof *q->done);
    for (size_t e = 0; e < q->edge_count; e++)
        q->waits[q->edges[e].then]++;
    for (size_t n = 0; n < q->count; n++) {
        uint32_t next = 0;
        while (next < q->count && (q->done[next] || q->waits[next]))
            next++;
        if (next == q->count)
            return name_circle(q, of);
        q->done[next] = true;
        q->order[n] = next;
        for (size_t e = 0; e < q->edge_count; e++)
            if (q->edges[e].first == next)
                q->waits[q->edges[e].then]--;
    }
    return 0;
}

/* --- hooks ------------------------------------------------------------------------------------------------------------------ */

static bool is_of(const struct hook *h, const char *event)
{
    return !event || strcmp(h->name, event) == 0;
}

/* The hooks of one kind, or of one event. Their own after and before hold for this list only. */
static int order_hooks(struct sorting *q, const uint32_t *plugins, enum hook_kind kind, const char *event, struct hook_ref **out,
                       size_t *count)
{
    size_t plain = q->edge_count, n = 0;
    int rc = 0;
    for (uint32_t i = 0; i < q->count && rc == 0; i++) {
        const struct manifest *m = q->by_name[i];
        for (size_t k = m->hook_first[kind]; k < m->hook_first[kind + 1] && rc == 0; k++) {
            if (!is_of(&m->hooks[k], event))
                continue;
            n++;
            rc = add_names(q, i, m->hooks[k].after, m->hooks[k].before);
        }
    }
    bool own = q->edge_count > plain;
    if (rc == 0 && own)
        rc = sort(q, event ? event : hook_section(kind));
    q->edge_count = plain;
    if (rc < 0)
        return rc;
    *out = arena_array(&q->set->arena, n + 1, sizeof **out);
    if (!*out)
        return nomem(q->err);
    *count = 0;
    for (size_t i = 0; i < q->count; i++) {
        const struct manifest *m = q->by_name[own ? q->order[i] : plugins[i]];
        for (size_t k = m->hook_first[kind]; k < m->hook_first[kind + 1]; k++)
            if (is_of(&m->hooks[k], event))
                (*out)[(*count)++] = (struct hook_ref){ m, &m->hooks[k] };
    }
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int order_events(struct sorting *q, const uint32_t *plugins)
{
    struct plugin_set *s = q->set;
    size_t n = 0;
    for (size_t i = 0; i < q->count; i++)
        n += q->by_name[i]->hook_first[HOOK_SUBSCRIBER + 1] - q->by_name[i]->hook_first[HOOK_SUBSCRIBER];
    const char **names = arena_array(&s->arena, n + 1, sizeof *names);
    s->events = arena_array(&s->arena, n + 1, sizeof *s->events);
    if (!names || !s->events)
        return nomem(q->err);
    n = 0;
    for (size_t i = 0; i < q->count; i++)
        for (size_t k = q->by_name[i]->hook_first[HOOK_SUBSCRIBER]; k < q->by_name[i]->hook_first[HOOK_SUBSCRIBER + 1]; k++)
            names[n++] = q->by_name[i]->hooks[k].name;
    qsort(names, n, sizeof *names, by_text);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
            continue;
        struct event_hooks *e = &s->events[s->event_count++];
        e->event = names[i];
        rc = order_hooks(q, plugins, HOOK_SUBSCRIBER, names[i], &e->refs, &e->count);
    }
    return rc;
}

/* All subscribers: event by event. */
static int gather_subscribers(struct plugin_set *s, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < s->event_count; i++)
        n += s->events[i].count;
    struct hook_ref *all = arena_array(&s->arena, n + 1, sizeof *all);
    if (!all)
        return nomem(err);
    n = 0;
    for (size_t i = 0; i < s->event_count; i++) {
        memcpy(all + n, s->events[i].refs, s->events[i].count * sizeof *all);
        n += s->events[i].count;
    }
    s->hooks[HOOK_SUBSCRIBER] = all;
    s->hook_count[HOOK_SUBSCRIBER] = n;
    return 0;
}

static int order_all(struct sorting *q)
{
    struct plugin_set *s = q->set;
    int rc = add_plugins(q);
    if (rc == 0)
        rc = sort(q, "plugins");
    if (rc < 0)
        return rc;
    uint32_t *plugins = arena_array(&s->arena, q->count + 1, sizeof *plugins);
    if (!plugins)
        return nomem(q->err);
    for (size_t i = 0; i < q->count; i++) {
        plugins[i] = q->order[i];
        s->list[i] = q->by_name[q->order[i]];
    }
    for (int k = 0; k < HOOK_KINDS && rc == 0; k++)
        if (k != HOOK_SUBSCRIBER)
            rc = order_hooks(q, plugins, (enum hook_kind)k, NULL, &s->hooks[k], &s->hook_count[k]);
    if (rc == 0)
        rc = order_events(q, plugins);
    return rc < 0 ? rc : gather_subscribers(s, q->err);
}

int plugin_set_make(const struct manifest *const *list, size_t count, const struct alloc *alloc, struct plugin_set **out, struct err *err)
{
    *out = NULL;
    struct arena arena;
    arena_init(&arena, alloc, 0);
    struct plugin_set *s = arena_zalloc(&arena, sizeof *s);
    if (!s) {
        arena_release(&arena);
        return nomem(err);
    }
    s->arena = arena;
    s->count = count;
    struct sorting q = { .set = s, .count = count, .err = err };
    s->list = arena_array(&s->arena, count + 1, sizeof *s->list);
    q.by_name = arena_array(&s->arena, count + 1, sizeof *q.by_name);
    q.waits = arena_array(&s->arena, count + 1, sizeof *q.waits);
    q.order = arena_array(&s->arena, count + 1, sizeof *q.order);
    q.done = arena_array(&s->arena, count + 1, sizeof *q.done);
    int rc = s->list && q.by_name && q.waits && q.order && q.done ? 0 : nomem(err);
    if (rc == 0) {
        for (size_t i = 0; i < count; i++)
            q.by_name[i] = list[i];
        qsort(q.by_name, count, sizeof *q.by_name, by_name);
        rc = order_all(&q);
    }
    if (rc < 0) {
        plugin_set_free(s);
        return rc;
    }
    *out = s;
    return 0;
}

void plugin_set_free(struct plugin_set *s)
{
    if (!s)
        return;
    struct arena arena = s->arena; /* the set itself lives in it */
    arena_release(&arena);
}

size_t plugin_set_count(const struct plugin_set *s)
{
    return s->count;
}

const struct manifest *plugin_set_at(const struct plugin_set *s, size_t i)
{
    return s->list[i];
}

const struct manifest *plugin_set_find(const struct plugin_set *s, struct slice name)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_is(name, s->list[i]->name))
            return s->list[i];
    return NULL;
}

const struct hook_ref *plugin_set_hooks(const struct plugin_set *s, enum hook_kind kind, size_t *count)
{
    *count = s->hook_count[kind];
    return s->hooks[kind];
}

const struct hook_ref *plugin_set_subscribers(const struct plugin_set *s, struct slice event, size_t *count)
{
    for (size_t i = 0; i < s->event_count; i++) {
        if (slice_is(event, s->events[i].event)) {
            *count = s->events[i].count;
            return s->events[i].refs;
        }
    }
    *count = 0;
    return NULL;
}
