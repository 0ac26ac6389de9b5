#include "host/plugins/plugin_data.h"
#include "rulebook/shop_data.h"
#include <stdio.h>

#define RECORD_PREFIX "collections/"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "there is not enough memory for the collections of the plugins");
}

/* --- grants -------------------------------------------------------------------------------------------------------------- */

/* What needs.collections names of the shop's own, each without the personal fields that needs.personal does not name. */
static int add_shops(const struct manifest *m, const struct shop_view *view, struct arena *arena, struct bind_grant *list, size_t *count,
                     struct err *err)
{
    size_t n;
    const struct shop_collection *all = shop_collections(&n);
    for (size_t i = 0; i < n; i++) {
        if (!needs_collection(m, slice_str(all[i].shape.name), slice_str(""), false))
            continue;
        const struct collection *shape = shop_collection_for(&all[i], m, view, arena);
        if (!shape)
            return nomem(err);
        list[(*count)++] = (struct bind_grant){ .plugin = BIND_SHOP, .shape = shape, .read = true };
    }
    return 0;
}

/* Asked of each pair of plugins: without a look at names where there is no need to. */
static bool may_touch(const struct manifest *m, const struct manifest *of)
{
    if (m == of)
        return true;
    for (size_t i = 0; i < m->need_count; i++)
        if (m->needs[i].kind == NEED_COLLECTION && slice_is(m->needs[i].target, of->name))
            return true;
    return false;
}

static bool is_listed(const uint16_t *list, size_t n, uint16_t field)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == field)
            return true;
    return false;
}

/* The fields by which facts of its plugin are made of a collection. */
static int projections(const struct manifest *of, struct bind_grant *g, struct arena *arena)
{
    size_t first = of->hook_first[HOOK_FACT], end = of->hook_first[HOOK_FACT + 1];
    uint16_t *list = arena_array(arena, end - first + 1, sizeof *list);
    for (size_t i = first; list && i < end; i++) {
        const struct hook *h = &of->hooks[i];
        if (!h->from || strcmp(h->from, g->shape->name) != 0)
            continue;
        uint16_t field = 0;
        while (strcmp(g->shape->fields[field].name, h->by) != 0)
            field++;
        if (!is_listed(list, g->projected_count, field))
            list[g->projected_count++] = field;
    }
    g->projected = list;
    return list ? 0 : ERR_NOMEM;
}

int plugin_grants(const struct plugin_set *s, const struct manifest *m, const struct shop_view *view, struct arena *arena,
                  struct bind_grants *out, struct err *err)
{
    size_t all = 0;
    shop_collections(&all);
    for (size_t p = 0; p < plugin_set_count(s); p++)
        all += may_touch(m, plugin_set_at(s, p)) ? plugin_set_at(s, p)->collection_count : 0;
    struct bind_grant *list = arena_array(arena, all + 1, sizeof *list);
    if (!list)
        return nomem(err);
    *out = (struct bind_grants){ .plugin = m->name, .list = list };
    for (size_t p = 0; p < plugin_set_count(s); p++) {
        const struct manifest *of = plugin_set_at(s, p);
        if (!may_touch(m, of))
            continue;
        for (size_t i = 0; i < of->collection_count; i++) {
            struct slice plugin = slice_str(of->name), part = slice_str(of->collections[i].name);
            struct bind_grant g = { .plugin = of->name,
                                    .shape = &of->collections[i],
                                    .read = needs_collection(m, plugin, part, false),
                                    .write = needs_collection(m, plugin, part, true) };
            if (g.write && projections(of, &g, arena) < 0)
                return nomem(err);
            if (g.read || g.write)
                list[out->count++] = g;
        }
    }
    return add_shops(m, view, arena, list, &out->count, err);
}

/* --- records --------------------------------------------------------------------------------------------------------------- */

static int read_record(struct store_conn *c, const char *plugin, struct arena *arena, struct slice *out, struct err *err)
{
    struct store_stmt *q;
    struct slice name = arena_printf(arena, RECORD_PREFIX "%s", plugin);
    *out = slice_str("");
    if (!name.data)
        return nomem(err);
    int rc = store_prepare(c, "SELECT value FROM meta WHERE name = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, name);
    rc = store_step(q, err);
    if (rc == 1) {
        *out = arena_copy(arena, store_column_text(q, 0));
        rc = out->data ? 0 : nomem(err);
    }
    store_reset(q);
    return rc;
}

static int write_record(struct store_conn *c, const char *plugin, struct slice record, struct arena *arena, struct err *err)
{
    struct store_stmt *q;
    struct slice name = arena_printf(arena, RECORD_PREFIX "%s", plugin);
    if (!name.data)
        return nomem(err);
    int rc =
        store_prepare(c, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, name);
    store_bind_text(q, 2, record);
    return store_run(q, NULL, err);
}

static int delete_record(struct store_conn *c, const char *plugin, struct arena *arena, struct err *err)
{
    struct store_stmt *q;
    struct slice name = arena_printf(arena, RECORD_PREFIX "%s", plugin);
    if (!name.data)
        return nomem(err);
    int rc = store_prepare(c, "DELETE FROM meta WHERE name = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, name);
    return store_run(q, NULL, err);
}

static int run_all(struct store_conn *c, const char *plugin, const struct collections_plan *p, struct err *err)
{
    int rc = 0;
    size_t i = 0;
    for (; i < p->count && rc == 0; i++) {
        struct store_stmt *q;
        rc = store_prepare(c, p->statements[i], &q, err);
        if (rc == 0)
            rc = store_run(q, NULL, err);
    }
    if (rc == ERR_CONFLICT)
        return err_field(err, ERR_INVALID, plugin,
                         "plugins/%s/plugin.lua: %s is new, and rows that are there have equal values; leave it out, or make these rows "
                         "differ first",
                         plugin, p->uniques[i - 1] ? p->uniques[i - 1] : "collections: a unique");
    return rc;
}

/* --- growing ------------------------------------------------------------------------------------------------------------------ */

/* Manifests are shared (manifests.h): the same one is the same pointer, mostly at the same place of the order. */
static bool is_live(const struct plugin_set *live, const struct manifest *m, size_t i)
{
    if (!live)
        return false;
    return (i < plugin_set_count(live) && plugin_set_at(live, i) == m) || plugin_set_find(live, slice_str(m->name)) == m;
}

/* Plans for all plugins before the first statement runs; nothing for those that are live. */
static int plan_all(struct store_conn *c, const struct plugin_set *s, const struct plugin_set *live, struct arena *arena,
                    struct collections_plan *plans, struct slice *records, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < plugin_set_count(s) && rc == 0; i++) {
        const struct manifest *m = plugin_set_at(s, i);
        if (is_live(live, m, i))
            continue;
        rc = read_record(c, m->name, arena, &records[i], err);
        if (rc == 0)
            rc = collections_plan(m, records[i], arena, &plans[i], err);
    }
    return rc;
}

static int grow(struct store_conn *c, const struct plugin_set *s, const struct plugin_set *live, bool run, size_t *statements,
                struct err *err)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    size_t n = plugin_set_count(s);
    struct collections_plan *plans = arena_array(&arena, n + 1, sizeof *plans);
    struct slice *records = arena_array(&arena, n + 1, sizeof *records);
    int rc = plans && records ? plan_all(c, s, live, &arena, plans, records, err) : nomem(err);
    *statements = 0;
    for (size_t i = 0; i < n && rc == 0 && run; i++) {
        const struct manifest *m = plugin_set_at(s, i);
        bool nothing = slice_eq(plans[i].record, records[i]) || (records[i].len == 0 && m->collection_count == 0);
        if (nothing)
            continue;
        rc = run_all(c, m->name, &plans[i], err);
        if (rc == 0)
            rc = write_record(c, m->name, plans[i].record, &arena, err);
        *statements += plans[i].count;
    }
    arena_release(&arena);
    return rc;
}

int plugin_tables_check(struct store_conn *c, const struct plugin_set *s, struct err *err)
{
    size_t none;
    return grow(c, s, NULL, false, &none, err);
}

int plugin_tables_grow(struct store_conn *c, const struct plugin_set *s, const struct plugin_set *live, size_t *statements, struct err *err)
{
    size_t n;
    return grow(c, s, live, true, statements ? statements : &n, err);
}

/* --- pruning ------------------------------------------------------------------------------------------------------------------- */

/* Names of all plugins that have a record, ended by NULL. */
static int list_recorded(struct store_conn *c, struct arena *arena, const char ***out, struct err *err)
{
    struct store_stmt *q;
    size_t n = 0, cap = 64;
    const char **names = arena_array(arena, cap, sizeof *names);
    int rc = store_prepare(c, "SELECT name FROM meta WHERE name >= '" RECORD_PREFIX "' AND name < 'collections0' ORDER BY name", &q, err);
    if (rc < 0)
        return rc;
    while (names && (rc = store_step(q, err)) == 1) {
        struct slice name = store_column_text(q, 0);
        if (n + 1 == cap) {
            const char **grown = arena_array(arena, cap *= 2, sizeof *names);
            if (grown)
                memcpy(grown, names, n * sizeof *names);
            names = grown;
        }
        if (names &&
            !(names[n++] = arena_strdup(arena, slice_of(name.data + sizeof RECORD_PREFIX - 1, name.len - (sizeof RECORD_PREFIX - 1)))))
            names = NULL;
    }
    store_reset(q);
    *out = names;
    return names ? rc : nomem(err);
}

static int prune_one(struct store_conn *c, const struct plugin_set *s, const char *plugin, bool drop, struct arena *arena,
                     struct buf *report, struct err *err)
{
    const struct manifest *m = plugin_set_find(s, slice_str(plugin));
    struct collections_plan p;
    struct slice record;
    int rc = read_record(c, plugin, arena, &record, err);
    if (rc == 0)
        rc = collections_prune(m, plugin, record, arena, &p, err);
    for (size_t i = 0; i < p.hidden_count && rc == 0; i++)
        buf_printf(report, "%s.%s\n", plugin, p.hidden[i]);
    if (rc < 0 || !drop)
        return rc;
    rc = run_all(c, plugin, &p, err);
    if (rc < 0)
        return rc;
    return m ? write_record(c, plugin, p.record, arena, err) : delete_record(c, plugin, arena, err);
}

int plugin_tables_prune(struct store_conn *c, const struct plugin_set *s, bool drop, struct buf *report, struct err *err)
{
    struct arena arena;
    const char **names = NULL;
    arena_init(&arena, NULL, 0);
    int rc = list_recorded(c, &arena, &names, err);
    for (size_t i = 0; rc == 0 && names[i]; i++)
        rc = prune_one(c, s, names[i], drop, &arena, report, err);
    arena_release(&arena);
    return rc;
}
