#include "host/publish/pins.h"
#include "host/plugins/plugins.h"
#include "host/publish/revisions.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>

enum { SHOWN_MAX = 100 };

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- keeping ------------------------------------------------------------------------------------------------------------------ */

static struct slice text_of(const struct json_value *v, struct arena *a)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    struct slice out = b.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return out;
}

static int find_rules(struct store_conn *conn, const char *plugin, struct slice revision, int64_t *id, struct err *err) /* 1: there */
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT id FROM plugin_rules WHERE plugin = ?1 AND revision = ?2", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(plugin));
    store_bind_text(q, 2, revision);
    rc = store_step(q, err);
    if (rc == 1)
        *id = store_column_int(q, 0);
    store_reset(q);
    return rc;
}

/* "plugins/invite/rules.lua" -> rules */
static struct slice file_name(struct slice path)
{
    size_t from = path.len;
    while (from > 0 && path.data[from - 1] != '/')
        from--;
    return slice_of(path.data + from, path.len - from - 4);
}

static int insert_rules(struct store_conn *conn, const struct generation_plugin *p, struct slice settings, int64_t now_ms, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "INSERT INTO plugin_rules (plugin, revision, version, settings, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(p->manifest->name));
    store_bind_text(q, 2, slice_str(p->revision));
    store_bind_text(q, 3, slice_str(p->manifest->version_text));
    store_bind_text(q, 4, settings);
    store_bind_int(q, 5, now_ms);
    return store_run(q, NULL, err);
}

static int insert_file(struct store_conn *conn, int64_t rules, const struct source_file *f, struct err *err)
{
    struct store_stmt *q;
    int64_t text = 0;
    int rc = revision_text(conn, f->text, &text, err);
    if (rc < 0 || (rc = store_prepare(conn, "INSERT INTO plugin_rule_files (rules, name, text) VALUES (?1, ?2, ?3)", &q, err)) < 0)
        return rc;
    store_bind_int(q, 1, rules);
    store_bind_text(q, 2, file_name(f->path));
    store_bind_int(q, 3, text);
    return store_run(q, NULL, err);
}

static int keep_one(struct store_conn *conn, const struct generation_plugin *p, int64_t now_ms, struct err *err)
{
    int64_t id = 0;
    struct arena arena;
    int rc = find_rules(conn, p->manifest->name, slice_str(p->revision), &id, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    arena_init(&arena, NULL, 0);
    struct slice settings = text_of(p->settings, &arena);
    rc = settings.data ? insert_rules(conn, p, settings, now_ms, err) : nomem(err);
    if (rc == 0)
        rc = find_rules(conn, p->manifest->name, slice_str(p->revision), &id, err);
    for (size_t i = 0; rc >= 0 && i < p->rules_count; i++)
        rc = insert_file(conn, id, p->rules[i], err);
    arena_release(&arena);
    return rc < 0 ? rc : 0;
}

int pins_keep(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err)
{
    const struct plugin_set *set = generation_plugins(g);
    int rc = 0;
    for (size_t i = 0; i < plugin_set_count(set) && rc == 0; i++) {
        const struct generation_plugin *p = generation_plugin(g, plugin_set_at(set, i));
        if (p->revision)
            rc = keep_one(conn, p, now_ms, err);
    }
    return rc;
}

static bool any(const struct generation *g)
{
    const struct plugin_set *set = generation_plugins(g);
    bool found = false;
    for (size_t i = 0; i < plugin_set_count(set); i++)
        found = found || generation_plugin(g, plugin_set_at(set, i))->revision;
    return found;
}

int pins_keep_alone(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err)
{
    int rc = any(g) ? store_begin(conn, err) : 1;
    if (rc == 1)
        return 0;
    if (rc < 0)
        return rc;
    rc = pins_keep(conn, g, now_ms, err);
    if (rc == 0)
        rc = store_commit(conn, err);
    if (rc < 0)
        store_rollback(conn);
    return rc;
}

/* --- finding them again --------------------------------------------------------------------------------------------------------- */

static int live_rules(const struct generation_plugin *p, struct arena *arena, struct bind_rules *out, struct err *err)
{
    struct bind_rules_file *files = arena_array(arena, p->rules_count, sizeof *files);
    if (!files)
        return nomem(err);
    for (size_t i = 0; i < p->rules_count; i++)
        files[i] = (struct bind_rules_file){ file_name(p->rules[i]->path), p->rules[i]->text };
    *out = (struct bind_rules){ files, p->rules_count, slice_str(p->manifest->version_text), p->settings };
    return 0;
}

static int read_head(struct store_conn *conn, int64_t id, struct arena *arena, struct bind_rules *out, struct err *err)
{
    struct store_stmt *q;
    struct json_value *settings;
    struct slice text = { 0 };
    int rc =
        store_prepare(conn,
                      "SELECT r.version, r.settings, (SELECT count(*) FROM plugin_rule_files f WHERE f.rules = r.id) FROM plugin_rules r "
                      "WHERE r.id = ?1",
                      &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    rc = store_step(q, err);
    if (rc == 1) {
        out->version = arena_copy(arena, store_column_text(q, 0));
        text = arena_copy(arena, store_column_text(q, 1));
        out->count = (size_t)store_column_int(q, 2);
    }
    store_reset(q);
    if (rc < 0)
        return rc;
    if (!out->version.data || !text.data)
        return nomem(err);
    rc = json_parse(text, NULL, arena, &settings, err);
    out->settings = settings;
    return rc;
}

static int read_files(struct store_conn *conn, int64_t id, struct arena *arena, struct bind_rules *out, struct err *err)
{
    struct store_stmt *q;
    struct bind_rules_file *files = arena_array(arena, out->count + 1, sizeof *files);
    size_t n = 0;
    if (!files)
        return nomem(err);
    int rc = store_prepare(conn, "SELECT f.name, t.text FROM plugin_rule_files f JOIN source_texts t ON t.id = f.text WHERE f.rules = ?1",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    bool fine = true;
    while ((rc = store_step(q, err)) == 1) {
        if (n == out->count || !fine)
            continue;
        files[n] = (struct bind_rules_file){ arena_copy(arena, store_column_text(q, 0)), arena_copy(arena, store_column_text(q, 1)) };
        fine = files[n].name.data && files[n].text.data;
        n++;
    }
    out->files = files;
    out->count = n;
    return rc < 0 ? rc : fine ? 0 : nomem(err);
}

int pins_rules(void *ctx, const struct bind_plugin *caller, struct store_conn *conn, struct slice revision, struct arena *arena,
               struct bind_rules *out, struct err *err)
{
    const struct plugin_state *s = ctx;
    const struct generation_plugin *p = generation_plugin(s->generation, caller->host);
    int64_t id = 0;
    if (p->revision && slice_is(revision, p->revision))
        return live_rules(p, arena, out, err);
    int rc = find_rules(conn, caller->name, revision, &id, err);
    if (rc == 0)
        return err_set(err, ERR_SCRIPT, "the plugin %s had no rules of the revision %.*s here; keep what plugin.revision() gives, as it is",
                       caller->name, SLICE_FMT(revision));
    if (rc > 0)
        rc = read_head(conn, id, arena, out, err);
    return rc < 0 ? rc : read_files(conn, id, arena, out, err);
}

/* --- moving rows ------------------------------------------------------------------------------------------------------------------ */

struct moving {
    struct store_conn *conn;
    const struct generation *g;
    const struct generation_plugin *plugin;
    const struct repin *asked;
    struct slice to;
    int64_t now_ms, moved;
    int shown;
    struct json_writer *w;
    struct err *err;
};

struct column {
    const struct collection *c;
    const char *field;
};

/* ?1: the new revision; ?2: the old one, or NULL. Names come from a checked manifest. */
#define OTHERS "\"%s\" IS NOT NULL AND \"%s\" <> ?1 AND (?2 IS NULL OR \"%s\" = ?2)"

static int prepare(struct moving *m, struct store_stmt **q, const char *sql)
{
    int rc = store_prepare(m->conn, sql, q, m->err);
    if (rc < 0)
        return rc;
    store_bind_text(*q, 1, m->to);
    if (m->asked->from)
        store_bind_text(*q, 2, slice_str(m->asked->from));
    else
        store_bind_null(*q, 2);
    return 0;
}

static int show(struct moving *m, const struct column *at)
{
    char sql[512];
    struct store_stmt *q;
    const char *f = at->field;
    snprintf(sql, sizeof sql, "SELECT \"id\", \"%s\", count(*) OVER () FROM \"%s\" WHERE " OTHERS " ORDER BY \"id\" LIMIT ?3", f,
             at->c->table, f, f, f);
    int rc = prepare(m, &q, sql);
    if (rc < 0)
        return rc;
    store_bind_int(q, 3, SHOWN_MAX + 1);
    int64_t all = 0;
    while ((rc = store_step(q, m->err)) == 1) {
        all = store_column_int(q, 2);
        if (m->shown++ >= SHOWN_MAX)
            continue;
        json_object(m->w);
        json_key(m->w, "collection");
        json_str(m->w, at->c->name);
        json_key(m->w, "id");
        json_int(m->w, store_column_int(q, 0));
        json_key(m->w, "field");
        json_str(m->w, f);
        json_key(m->w, "from");
        json_string(m->w, store_column_text(q, 1));
        json_object_end(m->w);
    }
    m->moved += all;
    return rc;
}

static int note(struct moving *m, const struct column *at)
{
    char sql[700];
    struct store_stmt *q;
    const char *f = at->field;
    snprintf(sql, sizeof sql,
             "INSERT INTO plugin_repins (plugin, collection, row, field, from_revision, to_revision, author, at) "
             "SELECT ?3, ?4, \"id\", ?5, \"%s\", ?1, ?6, ?7 FROM \"%s\" WHERE " OTHERS,
             f, at->c->table, f, f, f);
    int rc = prepare(m, &q, sql);
    if (rc < 0)
        return rc;
    store_bind_text(q, 3, slice_str(m->plugin->manifest->name));
    store_bind_text(q, 4, slice_str(at->c->name));
    store_bind_text(q, 5, slice_str(f));
    store_bind_text(q, 6, slice_str(m->asked->author));
    store_bind_int(q, 7, m->now_ms);
    return store_run(q, NULL, m->err);
}

/* What rules may know of a customer is made of such rows, so quotes that were priced before are priced again. */
static int touch_customers(struct moving *m, const struct column *at)
{
    const struct manifest *of = m->plugin->manifest;
    int rc = 0;
    for (size_t i = of->hook_first[HOOK_FACT]; i < of->hook_first[HOOK_FACT + 1] && rc == 0; i++) {
        char sql[700];
        struct store_stmt *q;
        const char *f = at->field;
        if (!of->hooks[i].from || strcmp(of->hooks[i].from, at->c->name) != 0)
            continue;
        snprintf(sql, sizeof sql,
                 "UPDATE customers SET version = version + 1 WHERE customer IN (SELECT \"%s\" FROM \"%s\" WHERE " OTHERS ")",
                 of->hooks[i].by, at->c->table, f, f, f);
        rc = prepare(m, &q, sql);
        if (rc == 0)
            rc = store_run(q, NULL, m->err);
    }
    return rc;
}

static int move(struct moving *m, const struct column *at)
{
    char sql[512];
    struct store_stmt *q;
    const char *f = at->field;
    int rc = note(m, at);
    if (rc == 0)
        rc = touch_customers(m, at);
    if (rc < 0)
        return rc;
    snprintf(sql, sizeof sql, "UPDATE \"%s\" SET \"%s\" = ?1 WHERE " OTHERS, at->c->table, f, f, f, f);
    rc = prepare(m, &q, sql);
    if (rc == 0)
        rc = store_run(q, NULL, m->err);
    if (rc == ERR_CONFLICT)
        return err_reason(m->err, ERR_CONFLICT, "not_unique",
                          "%s.%s is part of a key or unique, and the moved rows would have equal ones; name "
                          "fewer of them with from or collection.",
                          at->c->name, f);
    return rc;
}

static int move_all(struct moving *m)
{
    const struct manifest *of = m->plugin->manifest;
    bool any = false;
    int rc = 0;
    for (size_t i = 0; i < of->collection_count && rc == 0; i++) {
        const struct collection *c = &of->collections[i];
        if (m->asked->collection && strcmp(m->asked->collection, c->name) != 0)
            continue;
        for (size_t k = 0; k < c->field_count && rc == 0; k++) {
            struct column at = { c, c->fields[k].name };
            if (c->fields[k].type != FIELD_REVISION)
                continue;
            any = true;
            rc = show(m, &at);
            if (rc == 0 && !m->asked->dry_run)
                rc = move(m, &at);
        }
    }
    if (rc == 0 && !any)
        return err_field(m->err, ERR_INVALID, m->asked->collection ? "/collection" : "",
                         m->asked->collection ? "The plugin %s has no collection %s with a field of the type revision; nothing was moved."
                                              : "The plugin %s has no field of the type revision, so nothing goes by earlier rules.%s",
                         of->name, m->asked->collection ? m->asked->collection : "");
    return rc;
}

static int check_target(struct moving *m)
{
    const struct repin *r = m->asked;
    int64_t id;
    if (!r->to && !m->plugin->revision)
        return 0; /* move_all() says it */
    m->to = slice_str(r->to ? r->to : m->plugin->revision);
    if (m->plugin->revision && slice_is(m->to, m->plugin->revision))
        return 0;
    int rc = find_rules(m->conn, r->plugin, m->to, &id, m->err);
    if (rc == 0)
        return err_field(m->err, ERR_INVALID, "/to",
                         "The plugin %s had no rules of the revision \"%.*s\" here; leave it out for the live ones.", r->plugin,
                         SLICE_FMT(m->to));
    return rc < 0 ? rc : 0;
}

int pins_move(struct store_conn *conn, const struct generation *g, const struct repin *r, int64_t now_ms, struct json_writer *w,
              int64_t *moved, struct err *err)
{
    struct moving m = { .conn = conn, .g = g, .asked = r, .now_ms = now_ms, .w = w, .err = err };
    const struct manifest *of = plugin_set_find(generation_plugins(g), slice_str(r->plugin));
    if (!of)
        return err_set(err, ERR_NOT_FOUND, "There is no plugin \"%s\" turned on here.", r->plugin);
    m.plugin = generation_plugin(g, of);
    int rc = check_target(&m);
    if (rc < 0)
        return rc;
    json_object(w);
    json_key(w, "plugin");
    json_str(w, r->plugin);
    json_key(w, "to");
    json_string(w, m.to);
    json_key(w, "dry_run");
    json_bool(w, r->dry_run);
    json_key(w, "rows");
    json_array(w);
    rc = move_all(&m);
    json_array_end(w);
    json_key(w, "moved");
    json_int(w, r->dry_run ? 0 : m.moved);
    json_key(w, "found");
    json_int(w, m.moved);
    json_object_end(w);
    *moved = r->dry_run ? 0 : m.moved;
    return rc;
}

/* --- before something is dropped --------------------------------------------------------------------------------------------------- */

static int none_in(struct store_conn *conn, const struct generation_plugin *p, const struct collection *c, const char *field,
                   struct err *err)
{
    char sql[400];
    struct store_stmt *q;
    snprintf(sql, sizeof sql, "SELECT count(*), min(\"%s\") FROM \"%s\" WHERE \"%s\" <> ?1", field, c->table, field);
    int rc = store_prepare(conn, sql, &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(p->revision));
    rc = store_step(q, err);
    int64_t n = rc == 1 ? store_column_int(q, 0) : 0;
    if (n > 0)
        rc = err_reason(
            err, ERR_CONFLICT, "rules_pinned",
            "%lld rows of %s.%s go by earlier rules of their plugin (%.*s and maybe others), which may need what would go; wait until "
            "they end, or move them with feira repin.",
            (long long)n, p->manifest->name, c->name, SLICE_FMT(store_column_text(q, 1)));
    store_reset(q);
    return rc < 0 ? rc : 0;
}

int pins_none(struct store_conn *conn, const struct generation *g, struct err *err)
{
    const struct plugin_set *set = generation_plugins(g);
    int rc = 0;
    for (size_t i = 0; i < plugin_set_count(set) && rc == 0; i++) {
        const struct generation_plugin *p = generation_plugin(g, plugin_set_at(set, i));
        for (size_t k = 0; p->revision && k < p->manifest->collection_count && rc == 0; k++) {
            const struct collection *c = &p->manifest->collections[k];
            for (size_t f = 0; f < c->field_count && rc == 0; f++)
                if (c->fields[f].type == FIELD_REVISION)
                    rc = none_in(conn, p, c, c->fields[f].name, err);
        }
    }
    return rc;
}
