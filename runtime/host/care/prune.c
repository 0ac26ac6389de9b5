#include "host/care/prune.h"
#include "base/zone.h"
#include "host/publish/edition.h"
#include "host/publish/pins.h"
#include "host/plugins/plugin_data.h"
#include "host/publish/publish.h"

enum { GENERATIONS_MAX = 1000 }; /* that are named; nobody reads more */

struct item { /* "invite.links" or "invite.links.note" */
    struct slice whole, plugin, collection, field;
};

struct pruning {
    const struct plugin_set *set;
    const struct generation *generation; /* the live one */
    const char *live;
    struct arena arena;
    struct item *items;
    size_t count;
    struct map generations; /* those that are listed already */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- what is hidden -------------------------------------------------------------------------------------------------------- */

/* No part has a point in it. */
static struct item item_of(struct slice line)
{
    struct slice parts[3] = { { "", 0 }, { "", 0 }, { "", 0 } };
    size_t n = 0, from = 0;
    for (size_t i = 0; i <= line.len && n < 3; i++) {
        if (i == line.len || line.data[i] == '.') {
            parts[n++] = slice_of(line.data + from, i - from);
            from = i + 1;
        }
    }
    return (struct item){ line, parts[0], parts[1], parts[2] };
}

static int list_items(struct pruning *p, struct store_conn *conn, struct err *err)
{
    struct buf report;
    buf_init(&report, NULL);
    int rc = plugin_tables_prune(conn, p->set, false, &report, err);
    struct slice text = arena_copy(&p->arena, buf_slice(&report));
    if (rc == 0 && (report.failed || !text.data))
        rc = nomem(err);
    buf_release(&report);
    size_t lines = 0;
    for (size_t i = 0; rc == 0 && i < text.len; i++)
        lines += text.data[i] == '\n';
    if (rc == 0 && !(p->items = arena_array(&p->arena, lines + 1, sizeof *p->items)))
        rc = nomem(err);
    while (rc == 0 && p->count < lines) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = (size_t)(end - text.data);
        p->items[p->count++] = item_of(slice_of(text.data, n));
        text = slice_of(end + 1, text.len - n - 1);
    }
    return rc;
}

/* Names of plugins, collections and fields are letters, digits, - and _: they need no quoting beyond the quotes. */
static int count_values(struct pruning *p, struct store_conn *conn, const struct item *it, int64_t *n, struct err *err)
{
    struct store_stmt *q;
    struct slice plugin = arena_copy(&p->arena, it->plugin);
    for (size_t i = 0; plugin.data && i < plugin.len; i++)
        if (plugin.data[i] == '-')
            ((char *)(uintptr_t)plugin.data)[i] = '_';
    struct slice sql = it->field.len
                           ? arena_printf(&p->arena, "SELECT count(\"%.*s\") FROM \"p_%.*s__%.*s\"", SLICE_FMT(it->field),
                                          SLICE_FMT(plugin), SLICE_FMT(it->collection))
                           : arena_printf(&p->arena, "SELECT count(*) FROM \"p_%.*s__%.*s\"", SLICE_FMT(plugin), SLICE_FMT(it->collection));
    if (!plugin.data || !sql.data)
        return nomem(err);
    int rc = store_prepare(conn, sql.data, &q, err);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    *n = rc == 1 ? store_column_int(q, 0) : 0;
    store_reset(q);
    return rc < 0 ? rc : 0;
}

static int write_items(struct pruning *p, struct store_conn *conn, struct json_writer *w, struct err *err)
{
    json_key(w, "items");
    json_array(w);
    for (size_t i = 0; i < p->count; i++) {
        int64_t values = 0;
        int rc = count_values(p, conn, &p->items[i], &values, err);
        if (rc < 0)
            return rc;
        json_object(w);
        json_key(w, "what");
        json_string(w, p->items[i].whole);
        json_key(w, "kind");
        json_str(w, p->items[i].field.len ? "field" : "collection");
        json_key(w, "values");
        json_int(w, values);
        json_object_end(w);
    }
    json_array_end(w);
    return 0;
}

/* --- which generations had it ------------------------------------------------------------------------------------------------- */

static bool has_field(const struct collection *c, struct slice name)
{
    for (size_t i = 0; i < c->field_count; i++)
        if (slice_is(name, c->fields[i].name))
            return true;
    return false;
}

static bool names_it(const struct pruning *p, const struct manifest *m)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct item *it = &p->items[i];
        const struct collection *c = slice_is(it->plugin, m->name) ? manifest_collection(m, it->collection) : NULL;
        if (c && (it->field.len == 0 || has_field(c, it->field)))
            return true;
    }
    return false;
}

/* Generations with this text of the plugin's manifest, whose shop.lua has its name in it: what is not named there is not turned on. */
static int write_generations(struct pruning *p, struct store_conn *conn, int64_t text, struct slice path, struct slice plugin,
                             struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT g.generation, max(g.at) FROM revision_files f JOIN generations g ON g.revision = f.revision "
                           "WHERE f.path = ?1 AND f.text = ?2 AND g.generation <> ?3 AND EXISTS (SELECT 1 FROM revision_files s "
                           "JOIN source_texts t ON t.id = s.text WHERE s.revision = f.revision AND s.path = 'shop.lua' "
                           "AND instr(t.text, CAST(?4 AS BLOB)) > 0) GROUP BY g.generation ORDER BY 2 DESC LIMIT ?5",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, path);
    store_bind_int(q, 2, text);
    store_bind_text(q, 3, slice_str(p->live));
    store_bind_text(q, 4, plugin);
    store_bind_int(q, 5, GENERATIONS_MAX);
    while ((rc = store_step(q, err)) == 1) {
        char at[TIMESTAMP_MAX];
        struct slice id = arena_copy(&p->arena, store_column_text(q, 0));
        if (!id.data || map_get(&p->generations, id))
            continue;
        map_set(&p->generations, id, p);
        json_object(w);
        json_key(w, "generation");
        json_string(w, id);
        json_key(w, "at");
        json_string(w, slice_of(at, timestamp_format(store_column_int(q, 1), at)));
        json_object_end(w);
    }
    return rc;
}

struct text { /* of a manifest that was live once */
    int64_t id;
    struct slice source;
    struct text *next;
};

static int list_texts(struct pruning *p, struct store_conn *conn, struct slice path, struct text **out, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT t.id, t.text FROM source_texts t WHERE t.id IN (SELECT text FROM revision_files WHERE path = ?1) "
                           "ORDER BY t.id",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, path);
    while ((rc = store_step(q, err)) == 1) {
        struct text *t = arena_zalloc(&p->arena, sizeof *t);
        if (!t || !(t->source = arena_copy(&p->arena, store_column_text(q, 1))).data) {
            store_reset(q);
            return nomem(err);
        }
        t->id = store_column_int(q, 0);
        t->next = *out;
        *out = t;
    }
    return rc;
}

static int write_of_plugin(struct pruning *p, struct store_conn *conn, struct slice plugin, struct json_writer *w, struct err *err)
{
    struct text *texts = NULL;
    const char *path = arena_strdup(&p->arena, arena_printf(&p->arena, "plugins/%.*s/plugin.lua", SLICE_FMT(plugin)));
    if (!path)
        return nomem(err);
    int rc = list_texts(p, conn, slice_str(path), &texts, err);
    for (const struct text *t = texts; t && rc == 0; t = t->next) {
        struct manifest *m;
        if (manifest_read(t->source, path, NULL, &m, NULL) < 0)
            continue; /* of a folder that was not turned on, or of a program that knew other words */
        if (names_it(p, m))
            rc = write_generations(p, conn, t->id, slice_str(path), plugin, w, err);
        manifest_free(m);
    }
    return rc;
}

static int write_all_generations(struct pruning *p, struct store_conn *conn, struct json_writer *w, struct err *err)
{
    int rc = 0;
    json_key(w, "generations");
    json_array(w);
    for (size_t i = 0; i < p->count && rc == 0; i++) /* those of one plugin stand together */
        if (i == 0 || !slice_eq(p->items[i].plugin, p->items[i - 1].plugin))
            rc = write_of_plugin(p, conn, p->items[i].plugin, w, err);
    json_array_end(w);
    return rc;
}

/* --- dropping ----------------------------------------------------------------------------------------------------------------- */

static int drop_all(void *ctx, struct store_conn *conn, struct err *err)
{
    struct pruning *p = ctx;
    struct buf ignored;
    buf_init(&ignored, NULL);
    int rc = pins_none(conn, p->generation, err);
    if (rc == 0)
        rc = plugin_tables_prune(conn, p->set, true, &ignored, err);
    buf_release(&ignored);
    return rc;
}

static int drop_and_say(struct shop *s, struct pruning *p, bool drop, struct json_writer *w, struct err *err)
{
    int rc = drop && p->count ? publisher_write(s->publisher, drop_all, p, err) : 0;
    json_key(w, "dropped");
    json_bool(w, drop && p->count > 0);
    return rc;
}

int prune_tables(struct shop *s, struct store_conn *reader, bool drop, struct json_writer *w, struct err *err)
{
    struct publish_stats st;
    publisher_stats(s->publisher, &st);
    if (drop && st.draining)
        return err_reason(err, ERR_CONFLICT, "rules_draining",
                          "Calls that began under earlier rules have not ended, and may use what would go; try again in a moment.");
    struct edition *live = publisher_live(s->publisher);
    struct pruning p = { .set = generation_plugins(live->generation),
                         .generation = live->generation,
                         .live = generation_id(live->generation) };
    arena_init(&p.arena, NULL, 0);
    map_init(&p.generations, NULL);
    json_object(w);
    int rc = list_items(&p, reader, err);
    if (rc == 0)
        rc = write_items(&p, reader, w, err);
    if (rc == 0)
        rc = write_all_generations(&p, reader, w, err);
    if (rc == 0)
        rc = drop_and_say(s, &p, drop, w, err);
    if (rc == 0)
        json_object_end(w);
    map_release(&p.generations);
    arena_release(&p.arena);
    edition_unref(live);
    return rc;
}
