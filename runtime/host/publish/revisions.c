#include "host/publish/revisions.h"
#include "base/zone.h"
#include "crypto/crypto.h"
#include <stdio.h>

/* --- keeping ---------------------------------------------------------------------------------------------------------- */

int revision_text(struct store_conn *conn, struct slice text, int64_t *id, struct err *err)
{
    unsigned char hash[SHA256_BYTES];
    struct store_stmt *q;
    crypto_sha256(text, hash);
    struct slice key = slice_of((const char *)hash, sizeof hash);
    int rc = store_prepare(conn, "INSERT INTO source_texts (hash, text) VALUES (?1, ?2) ON CONFLICT (hash) DO NOTHING", &q, err);
    if (rc < 0)
        return rc;
    store_bind_blob(q, 1, key);
    store_bind_blob(q, 2, text);
    if ((rc = store_run(q, NULL, err)) < 0 || (rc = store_prepare(conn, "SELECT id FROM source_texts WHERE hash = ?1", &q, err)) < 0)
        return rc;
    store_bind_blob(q, 1, key);
    rc = store_step(q, err);
    if (rc == 1)
        *id = store_column_int(q, 0);
    store_reset(q);
    return rc < 0 ? rc : rc == 1 ? 0 : err_set(err, ERR_INTERNAL, "A text that was just kept is not there.");
}

static int find_revision(struct store_conn *conn, const char *hash, int64_t *id, struct err *err) /* 1: *id is set */
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT id FROM revisions WHERE hash = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(hash));
    rc = store_step(q, err);
    if (rc == 1)
        *id = store_column_int(q, 0);
    store_reset(q);
    return rc;
}

static int insert_file(struct store_conn *conn, int64_t revision, const struct source_file *f, struct err *err)
{
    struct store_stmt *q;
    int64_t text = 0;
    int rc = revision_text(conn, f->text, &text, err);
    if (rc < 0 || (rc = store_prepare(conn, "INSERT INTO revision_files (revision, path, text) VALUES (?1, ?2, ?3)", &q, err)) < 0)
        return rc;
    store_bind_int(q, 1, revision);
    store_bind_text(q, 2, f->path);
    store_bind_int(q, 3, text);
    return store_run(q, NULL, err);
}

int revision_keep(struct store_conn *conn, const struct sources *src, int64_t now_ms, int64_t *id, struct err *err)
{
    struct store_stmt *q;
    int rc = find_revision(conn, sources_hash(src), id, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = store_prepare(conn, "INSERT INTO revisions (hash, created_at) VALUES (?1, ?2)", &q, err)) < 0)
        return rc;
    store_bind_text(q, 1, slice_str(sources_hash(src)));
    store_bind_int(q, 2, now_ms);
    if ((rc = store_run(q, NULL, err)) < 0 || (rc = find_revision(conn, sources_hash(src), id, err)) < 0)
        return rc;
    rc = 0;
    for (size_t i = 0; i < sources_count(src) && rc == 0; i++)
        rc = insert_file(conn, *id, sources_at(src, i), err);
    return rc;
}

static void bind_text_or_null(struct store_stmt *q, int i, const char *text)
{
    if (text)
        store_bind_text(q, i, slice_str(text));
    else
        store_bind_null(q, i);
}

int revision_log(struct store_conn *conn, const struct revision_entry *e, struct err *err)
{
    struct store_stmt *q;
    int64_t revision = 0;
    int rc = e->sources ? revision_keep(conn, e->sources, e->at_ms, &revision, err) : 0;
    if (rc == 0)
        rc = store_prepare(conn,
                           "INSERT INTO generations (generation, revision, how, author, result, error, at, warrant) VALUES (?1, ?2, ?3, "
                           "?4, ?5, ?6, ?7, ?8)",
                           &q, err);
    if (rc < 0)
        return rc;
    bind_text_or_null(q, 1, e->generation);
    if (revision)
        store_bind_int(q, 2, revision);
    else
        store_bind_null(q, 2);
    store_bind_text(q, 3, slice_str(e->how));
    store_bind_text(q, 4, slice_str(e->author));
    store_bind_text(q, 5, e->error ? SLICE_LIT("refused") : SLICE_LIT("live"));
    bind_text_or_null(q, 6, e->error);
    store_bind_int(q, 7, e->at_ms);
    bind_text_or_null(q, 8, e->warrant && e->warrant[0] ? e->warrant : NULL);
    return store_run(q, NULL, err);
}

/* --- reading ---------------------------------------------------------------------------------------------------------- */

struct files { /* being collected; the texts are copied */
    struct arena arena;
    struct source_file *list;
    size_t count, cap;
};

static bool files_add(struct files *f, struct slice path, struct slice text)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 32;
        struct source_file *grown = arena_array(&f->arena, cap, sizeof *grown);
        if (!grown)
            return false;
        if (f->count)
            memcpy(grown, f->list, f->count * sizeof *grown);
        f->list = grown;
        f->cap = cap;
    }
    struct source_file one = { arena_copy(&f->arena, path), arena_copy(&f->arena, text) };
    f->list[f->count++] = one;
    return one.path.data && one.text.data;
}

/* The number of the revision of a generation that was live; 0: there is none. */
static int revision_of(struct store_conn *conn, struct slice generation, int64_t *id, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT revision FROM generations WHERE generation = ?1 AND revision IS NOT NULL ORDER BY id DESC LIMIT 1",
                           &q, err);
    *id = 0;
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, generation);
    rc = store_step(q, err);
    if (rc == 1)
        *id = store_column_int(q, 0);
    store_reset(q);
    return rc < 0 ? rc : 0;
}

static int read_files(struct store_conn *conn, int64_t revision, struct files *f, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn, "SELECT f.path, t.text FROM revision_files f JOIN source_texts t ON t.id = f.text WHERE f.revision = ?1 ORDER BY f.path", &q,
        err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, revision);
    while ((rc = store_step(q, err)) == 1) {
        if (!files_add(f, store_column_text(q, 0), store_column_text(q, 1))) {
            store_reset(q);
            return err_set(err, ERR_NOMEM, "Out of memory while reading a revision.");
        }
    }
    return rc;
}

int revision_load(struct store_conn *conn, struct slice generation, struct sources **out, struct err *err)
{
    int64_t id;
    *out = NULL;
    int rc = revision_of(conn, generation, &id, err);
    if (rc == 0 && id == 0)
        rc = err_reason(err, ERR_NOT_FOUND, "no_such_generation",
                        "No generation \"%.*s\" was ever live here; feira generations lists those that were.", SLICE_FMT(generation));
    return rc < 0 ? rc : revision_load_kept(conn, id, out, err);
}

int revision_load_kept(struct store_conn *conn, int64_t revision, struct sources **out, struct err *err)
{
    struct files f = { .count = 0 };
    *out = NULL;
    arena_init(&f.arena, NULL, 0);
    int rc = read_files(conn, revision, &f, err);
    if (rc == 0)
        rc = sources_make(f.list, f.count, out, err);
    arena_release(&f.arena);
    return rc;
}

int revision_warrant(struct store_conn *conn, const char *hash, char out[40], struct err *err)
{
    struct store_stmt *q;
    int rc =
        store_prepare(conn,
                      "SELECT g.warrant FROM generations g JOIN revisions r ON r.id = g.revision WHERE r.hash = ?1 AND g.warrant IS NOT "
                      "NULL AND g.result = 'live' ORDER BY g.id DESC LIMIT 1",
                      &q, err);
    out[0] = '\0';
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(hash));
    rc = store_step(q, err);
    if (rc == 1)
        snprintf(out, 40, "%.*s", SLICE_FMT(store_column_text(q, 0)));
    store_reset(q);
    return rc < 0 ? rc : 0;
}

int revision_before(struct store_conn *conn, const char *than, char out[32], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn, "SELECT generation FROM generations WHERE revision IS NOT NULL AND generation <> ?1 ORDER BY id DESC LIMIT 1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(than));
    rc = store_step(q, err);
    if (rc == 1)
        snprintf(out, 32, "%.*s", SLICE_FMT(store_column_text(q, 0)));
    store_reset(q);
    if (rc == 0)
        return err_reason(err, ERR_CONFLICT, "nothing_before",
                          "No other generation was live before this one; there is nothing to go back to.");
    return rc < 0 ? rc : 0;
}

int revision_is_last(struct store_conn *conn, const char *generation, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT generation FROM generations WHERE revision IS NOT NULL ORDER BY id DESC LIMIT 1", &q, err);
    if (rc < 0 || (rc = store_step(q, err)) != 1)
        return rc;
    rc = slice_is(store_column_text(q, 0), generation);
    store_reset(q);
    return rc;
}

static void write_row(struct store_stmt *q, bool live, struct json_writer *w)
{
    char at[TIMESTAMP_MAX];
    json_object(w);
    if (store_column_type(q, 0) != STORE_NULL) {
        json_key(w, "generation");
        json_string(w, store_column_text(q, 0));
    }
    json_key(w, "result");
    json_string(w, store_column_text(q, 1));
    json_key(w, "live");
    json_bool(w, live);
    json_key(w, "how");
    json_string(w, store_column_text(q, 2));
    json_key(w, "by");
    json_string(w, store_column_text(q, 3));
    json_key(w, "at");
    json_string(w, slice_of(at, timestamp_format(store_column_int(q, 4), at)));
    if (store_column_type(q, 5) != STORE_NULL) {
        json_key(w, "error");
        json_string(w, store_column_text(q, 5));
    }
    json_object_end(w);
}

int revisions_write(struct store_conn *conn, const char *live, int limit, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    bool found = false;
    int rc = store_prepare(conn, "SELECT generation, result, how, author, at, error FROM generations ORDER BY id DESC LIMIT ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, limit);
    while ((rc = store_step(q, err)) == 1) {
        bool is_live = !found && slice_is(store_column_text(q, 1), "live") && slice_is(store_column_text(q, 0), live);
        found = found || is_live;
        write_row(q, is_live, w);
    }
    return rc;
}
