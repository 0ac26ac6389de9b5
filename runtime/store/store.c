/* Opening and closing a store: is it ours, is it whole, is it of a version we know. */
#include "store/store_int.h"
#include "store/seal.h"
#include "store/segments.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Checking every page takes about a second per GiB; up to this size nobody notices. Larger files are checked by store_check(). */
enum { CHECK_AT_OPEN_BYTES = 64 << 20 };

/* SQLite would create the file with the usual mode; it holds customers' data. The log takes over the mode of the file. */
static int create_private(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return store_open_failed(path, errno, err);
    close(fd);
    return 0;
}

/* SQLite takes what is missing of the last page for zeros. With a log beside it a file may be shorter than its head says: a checkpoint was
 * on its way. */
static int check_length(const char *path, struct err *err)
{
    enum { HEAD = 100 };
    unsigned char head[HEAD];
    char log[4096];
    struct stat st, log_st;
    snprintf(log, sizeof log, "%s-wal", path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 || fstat(fd, &st) < 0 ? -1 : read(fd, head, sizeof head);
    if (fd >= 0)
        close(fd);
    if (n != HEAD || memcmp(head, "SQLite format 3", 16) != 0 || (stat(log, &log_st) == 0 && log_st.st_size > 0))
        return 0;
    int64_t page = head[16] << 8 | head[17], pages = (int64_t)big32(head + 28) * (big32(head + 24) == big32(head + 92));
    page = page == 1 ? 65536 : page;
    if (st.st_size >= pages * page && (page == 0 || st.st_size % page == 0))
        return 0;
    return err_set(err, ERR_CORRUPT, "%s is damaged: it has %lld bytes, and should have %lld; restore a backup (feira restore).", path,
                   (long long)st.st_size, (long long)(pages * page));
}

static int refuse(struct err *err, const struct store *s, const char *why)
{
    return err_set(err, ERR_CORRUPT, "%s %s", s->path, why);
}

struct identity {
    int64_t application_id, user_version, tables;
};

static int read_identity(struct store_conn *c, struct identity *id, struct err *err)
{
    int rc = store_pragma_int(c, "PRAGMA application_id", &id->application_id, err);
    if (rc == 0)
        rc = store_pragma_int(c, "PRAGMA user_version", &id->user_version, err);
    if (rc == 0)
        rc = store_pragma_int(c, "SELECT count(*) FROM sqlite_schema", &id->tables, err);
    return rc;
}

static int check_identity(struct store *s, const struct identity *id, struct err *err)
{
    bool empty = id->application_id == 0 && id->user_version == 0 && id->tables == 0;
    if (empty)
        return 0;
    if (id->application_id != STORE_APPLICATION_ID)
        return refuse(err, s, "belongs to another program, not to Feira; name another folder, or move the file away.");
    int64_t major = id->user_version / STORE_MAJOR_STEP;
    if (major > STORE_MAJOR)
        return refuse(err, s, "was written by a newer major version of Feira; start that version.");
    if (major < STORE_MAJOR)
        return refuse(err, s, "carries a version that Feira never wrote; restore a backup.");
    s->schema = (int)(id->user_version % STORE_MAJOR_STEP);
    return 0;
}

/* "*** in database main ***\nPage 4: ..." */
static const char *last_line(const char *text)
{
    const char *line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

int store_check(struct store_conn *c, bool thorough, struct err *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(c->db, thorough ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    int code = 0;
    if (rc != SQLITE_ROW) {
        code = store_fail(c, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "checking the store", err);
    } else {
        const char *said = (const char *)sqlite3_column_text(st, 0);
        if (!said || strcmp(said, "ok") != 0)
            code = err_set(err, ERR_CORRUPT, "%s is damaged (%s); stop the shop and restore a backup (feira restore).", c->store->path,
                           said ? last_line(said) : "no answer");
    }
    sqlite3_finalize(st);
    return code;
}

static bool small_enough_to_check(struct store_conn *c)
{
    int64_t pages = 0, size = 0;
    if (store_pragma_int(c, "PRAGMA page_count", &pages, NULL) < 0 || store_pragma_int(c, "PRAGMA page_size", &size, NULL) < 0)
        return true;
    return pages <= CHECK_AT_OPEN_BYTES / (size > 0 ? size : 4096);
}

static int newest(const struct store_migration *list)
{
    int n = 0;
    for (; list && list->number; list++)
        n = list->number;
    return n;
}

static int mode_is_wal(void *ctx, int columns, char **values, char **names)
{
    (void)names;
    *(bool *)ctx = columns == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/* The switch to WAL is itself a commit in the old mode, whose journal is deleted at the end. EXTRA makes that deletion durable:
 * a journal that comes back after a power cut would undo the switch, and with it everything in the log. */
static int enter_wal(struct store_conn *c, struct err *err)
{
    bool has_log = false;
    int rc = store_exec(c, "PRAGMA synchronous=EXTRA", err);
    if (rc == 0 && sqlite3_exec(c->db, "PRAGMA journal_mode=WAL", mode_is_wal, &has_log, NULL) != SQLITE_OK)
        rc = store_fail(c, sqlite3_extended_errcode(c->db), "setting up the store", err);
    if (rc == 0 && !has_log)
        rc = err_set(err, ERR_IO, "The store can't keep a write-ahead log on this disk; put the data folder on a local disk.");
    return rc < 0 ? rc : store_exec(c, c->store->sync == STORE_SYNC_NORMAL ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", err);
}

static int open_checked(struct store *s, const struct store_options *o, struct err *err)
{
    struct identity id = { 0, 0, 0 };
    int rc = store_conn_open(s, !s->read_only, &s->conn, err);
    if (rc == 0)
        rc = read_identity(s->conn, &id, err);
    if (rc == 0)
        rc = check_identity(s, &id, err);
    if (rc == 0 && !s->memory && small_enough_to_check(s->conn))
        rc = store_check(s->conn, false, err);
    if (rc < 0)
        return rc;
    if (s->read_only) {
        if (s->schema < newest(o->migrations))
            return err_set(
                err, ERR_STATE,
                "%s is of an older version than this program; let the new program serve the shop once, which brings it up to date.",
                s->path);
        return 0;
    }
    if (!s->memory)
        rc = enter_wal(s->conn, err);
    if (rc == 0 && s->seal) {
        seal_begin(s->seal, s->conn);
        s->sealed = true;
    }
    return rc < 0 ? rc : store_migrate(s->conn, o->migrations, s->schema, err);
}

int store_open(const struct store_options *o, struct store **out, struct err *err)
{
    *out = NULL;
    store_engine_init();
    struct store *s = calloc(1, sizeof *s);
    if (s) {
        s->path = strdup(o->path);
        s->vfs = o->vfs ? strdup(o->vfs) : NULL;
    }
    if (!s || !s->path || (o->vfs && !s->vfs)) {
        store_close(s);
        return err_set(err, ERR_NOMEM, "Out of memory while opening the store; try again later.");
    }
    s->sync = o->sync;
    s->memory = strcmp(o->path, ":memory:") == 0;
    s->read_only = o->read_only && !s->memory;
    struct err local;
    err_clear(&local);
    bool plain = !s->memory && !s->read_only && !s->vfs;
    int rc = plain ? create_private(s->path, &local) : 0;
    if (rc == 0 && !s->memory && !s->vfs)
        rc = check_length(s->path, &local);
    if (rc == 0 && plain)
        rc = seal_open(s->path, &s->seal, &local);
    if (rc == 0)
        rc = open_checked(s, o, &local);
    if (rc < 0) {
        if (!strstr(local.text, s->path))
            err_wrap(&local, "%s", s->path);
        if (err)
            *err = local;
        store_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    store_conn_close(s->conn);
    seal_close(s->seal, s->sealed);
    free(s->path);
    free(s->vfs);
    free(s);
}

void store_keep_log(struct store *s, bool keep)
{
    if (s->conn && !s->memory)
        sqlite3_db_config(s->conn->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep, NULL);
}

struct store_conn *store_writer_conn(struct store *s)
{
    return s->read_only ? NULL : s->conn;
}

int store_schema_number(const struct store *s)
{
    return s->schema;
}

int store_reader_open(struct store *s, struct store_conn **out, struct err *err)
{
    return store_conn_open(s, false, out, err);
}

void store_reader_close(struct store_conn *c)
{
    store_conn_close(c);
}
