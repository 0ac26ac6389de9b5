/* Statements: prepared once per connection and text, bound, stepped, reset. */
#include "store/store_int.h"
#include <assert.h>
#include <stdlib.h>

static struct store_stmt *stmt_new(struct store_conn *c, const char *sql, struct err *err)
{
    struct store_stmt *s = calloc(1, sizeof *s);
    if (s)
        s->sql = strdup(sql);
    if (!s || !s->sql) {
        free(s);
        err_set(err, ERR_NOMEM, "Out of memory while preparing a statement; try again later.");
        return NULL;
    }
    const char *tail = NULL;
    int rc = sqlite3_prepare_v3(c->db, s->sql, -1, SQLITE_PREPARE_PERSISTENT, &s->raw, &tail);
    if (rc != SQLITE_OK || !s->raw || (tail && tail[strspn(tail, " \t\r\n;")])) {
        if (rc != SQLITE_OK)
            store_fail(c, rc, "preparing a statement", err);
        else
            err_set(err, ERR_INTERNAL, "A statement must be exactly one SQL command; please report this.");
        sqlite3_finalize(s->raw);
        free(s->sql);
        free(s);
        return NULL;
    }
    s->conn = c;
    s->params = sqlite3_bind_parameter_count(s->raw);
    s->writes = !sqlite3_stmt_readonly(s->raw);
    return s;
}

static void stmt_free(struct store_stmt *s)
{
    sqlite3_finalize(s->raw);
    free(s->sql);
    free(s);
}

int store_prepare(struct store_conn *c, const char *sql, struct store_stmt **out, struct err *err)
{
    *out = NULL;
    struct slice key = slice_str(sql);
    struct store_stmt *first = map_get(&c->stmts, key);
    /* A caller may walk the rows of a statement and, inside, run the same text again: that is a second statement. */
    for (struct store_stmt *s = first; s; s = s->next) {
        if (!sqlite3_stmt_busy(s->raw)) {
            *out = s;
            return 0;
        }
    }
    struct store_stmt *s = stmt_new(c, sql, err);
    if (!s)
        return err ? err->code : ERR_NOMEM;
    if (first) {
        s->next = first->next;
        first->next = s;
    } else if (!map_set(&c->stmts, key, s)) {
        stmt_free(s);
        return err_set(err, ERR_NOMEM, "Out of memory while preparing a statement; try again later.");
    }
    *out = s;
    return 0;
}

void store_stmts_free(struct store_conn *c)
{
    for (size_t i = 0; i < c->stmts.count; i++) {
        struct store_stmt *s = c->stmts.entries[i].value;
        while (s) {
            struct store_stmt *next = s->next;
            stmt_free(s);
            s = next;
        }
    }
    map_release(&c->stmts);
}

void store_stmts_settle(struct store_conn *c)
{
    for (size_t i = 0; c->midway && i < c->stmts.count; i++) {
        for (struct store_stmt *s = c->stmts.entries[i].value; s; s = s->next) {
            if (s->midway)
                store_reset(s);
        }
    }
}

static void bound(struct store_stmt *s, int rc)
{
    if (rc != SQLITE_OK && s->bind_rc == SQLITE_OK)
        s->bind_rc = rc;
}

void store_bind_int(struct store_stmt *s, int i, int64_t v)
{
    bound(s, sqlite3_bind_int64(s->raw, i, v));
}

void store_bind_text(struct store_stmt *s, int i, struct slice v)
{
    bound(s, sqlite3_bind_text64(s->raw, i, v.data ? v.data : "", v.len, SQLITE_STATIC, SQLITE_UTF8));
}

void store_bind_blob(struct store_stmt *s, int i, struct slice v)
{
    bound(s, sqlite3_bind_blob64(s->raw, i, v.data ? v.data : "", v.len, SQLITE_STATIC));
}

void store_bind_null(struct store_stmt *s, int i)
{
    bound(s, sqlite3_bind_null(s->raw, i));
}

int store_stmt_params(const struct store_stmt *s)
{
    return s->params;
}

void store_reset(struct store_stmt *s)
{
    sqlite3_reset(s->raw);
    /* Values are not copied: what was bound may be gone before the next use. */
    if (s->params)
        sqlite3_clear_bindings(s->raw);
    s->bind_rc = SQLITE_OK;
    s->conn->midway -= s->midway;
    s->midway = false;
}

int store_step(struct store_stmt *s, struct err *err)
{
    struct store_conn *c = s->conn;
    if (c->lost) {
        store_reset(s);
        return err_reason(
            err, ERR_IO, "transaction_lost",
            "An earlier error of the store ended this transaction, so nothing more can be done in it; try the request again.");
    }
    if (s->bind_rc != SQLITE_OK) {
        int rc = s->bind_rc;
        store_reset(s);
        return store_fail_db(NULL, rc, "binding a value", err);
    }
    if (s->writes)
        c->touched = true;
    int rc = sqlite3_step(s->raw);
    if (rc == SQLITE_ROW) {
        c->midway += !s->midway;
        s->midway = true;
        return 1;
    }
    if (rc == SQLITE_DONE) {
        bool alone = c->writer && !c->began && s->writes;
        store_reset(s);
        if (alone)
            atomic_fetch_add(&c->store->version, 1);
        return 0;
    }
    int code = store_fail(c, rc, "running a statement", err);
    store_reset(s);
    store_notice_loss(c);
    return code;
}

int store_run(struct store_stmt *s, int64_t *changed_rows, struct err *err)
{
    int rc;
    while ((rc = store_step(s, err)) > 0)
        continue;
    if (changed_rows)
        *changed_rows = rc == 0 ? sqlite3_changes64(s->conn->db) : 0;
    return rc;
}

int store_insert(struct store_stmt *s, int64_t *id, struct err *err)
{
    int rc = store_run(s, NULL, err);
    if (rc == 0)
        *id = sqlite3_last_insert_rowid(s->conn->db);
    return rc;
}

int store_columns(const struct store_stmt *s)
{
    return sqlite3_column_count(s->raw);
}

const char *store_column_name(const struct store_stmt *s, int i)
{
    return sqlite3_column_name(s->raw, i);
}

enum store_type store_column_type(const struct store_stmt *s, int i)
{
    switch (sqlite3_column_type(s->raw, i)) {
    case SQLITE_NULL:
        return STORE_NULL;
    case SQLITE_INTEGER:
        return STORE_INT;
    case SQLITE_TEXT:
        return STORE_TEXT;
    case SQLITE_BLOB:
        return STORE_BLOB;
    default:
        assert(!"no column of ours holds a floating-point number");
        return STORE_NULL;
    }
}

int64_t store_column_int(const struct store_stmt *s, int i)
{
    return sqlite3_column_int64(s->raw, i);
}

struct slice store_column_text(const struct store_stmt *s, int i)
{
    /* The pointer first, then the length: the other order may measure before a conversion. */
    const void *p = sqlite3_column_blob(s->raw, i);
    int n = sqlite3_column_bytes(s->raw, i);
    return slice_of(p ? p : "", p ? (size_t)n : 0);
}
