/* A backup becomes the shop's data. Nothing is thrown away: what was there is moved aside first. */
#include "bind/bind.h"
#include "crypto/crypto.h"
#include "host/admin/act.h"
#include "host/admin/audit.h"
#include "host/host.h"
#include "ledger/ledger.h"
#include "store/rebuild.h"
#include "store/store.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

struct restoring {
    char data[PATH_SIZE], store[PATH_SIZE], part[PATH_SIZE], aside[PATH_SIZE];
};

static int path(char out[PATH_SIZE], struct err *err, const char *a, const char *b)
{
    int n = snprintf(out, PATH_SIZE, "%s/%s", a, b);
    return n < PATH_SIZE ? 0 : err_set(err, ERR_INVALID, "The path \"%.60s...\" is too long.", a);
}

static int io_error(struct err *err, const char *what)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s: %s. The data that was there is as it was.", what,
                   strerror(errno));
}

/* {"before": what data/audit.head said of the log that is replaced}; so that what a restore takes out of the log can be seen in it. */
static void write_before(const struct restoring *r, struct buf *out)
{
    char head[PATH_SIZE], text[AUDIT_HEAD_TEXT_MAX];
    struct json_writer w;
    int fd = path(head, NULL, r->data, "audit.head") == 0 ? open(head, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text) : 0;
    if (fd >= 0)
        close(fd);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "before");
    json_string(&w, slice_of(text, n > 0 ? (size_t)n : 0));
    json_object_end(&w);
}

static int note(const struct restoring *r, struct store_conn *conn, int64_t now_ms, struct err *err)
{
    char actor[CALLER_ID_MAX];
    struct buf details;
    buf_init(&details, NULL);
    write_before(r, &details);
    act_local_name(actor);
    int rc = details.failed ? err_set(err, ERR_NOMEM, "Out of memory.") : store_begin(conn, err);
    if (rc == 0) {
        rc = audit_append(conn, &(struct audit_entry){ actor, "data.restored", SLICE_LIT(""), buf_slice(&details), now_ms }, err);
        rc = rc < 0 ? rc : store_commit(conn, err);
        if (rc < 0)
            store_rollback(conn);
    }
    buf_release(&details);
    return rc;
}

/* The file is ours: what an older program wrote gets its tables as they are now. */
static int check(const struct restoring *r, int64_t now_ms, struct err *err)
{
    const char *file = r->part;
    struct store *s;
    int rc = store_open(&(struct store_options){ .path = file, .migrations = bind_core_migrations() }, &s, err);
    if (rc < 0)
        return rc;
    rc = store_check(store_writer_conn(s), true, err);
    if (rc == 0)
        rc = ledger_verify(store_writer_conn(s), err);
    if (rc == 0)
        rc = note(r, store_writer_conn(s), now_ms, err);
    store_close(s); /* moves the log into the file */
    return rc;
}

static int copy(const char *from, const char *to, struct err *err)
{
    static const size_t size = 1 << 20;
    char *buffer = malloc(size);
    int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ssize_t n = -1;
    if (buffer && in >= 0 && out >= 0)
        while ((n = read(in, buffer, size)) > 0)
            if (write(out, buffer, (size_t)n) != n) {
                n = -1;
                break;
            }
    int rc = n == 0 && fsync(out) == 0 ? 0 : io_error(err, "The backup can't be copied into the data folder");
    free(buffer);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return rc;
}

/* data/replaced-2026-11-22T10-00-00Z/: a name that sorts, and that no file of ours has. */
static int name_aside(struct restoring *r, const struct clock *clock, struct err *err)
{
    char name[64];
    time_t now = (time_t)(clock_wall_ms(clock) / 1000);
    struct tm t;
    gmtime_r(&now, &t);
    strftime(name, sizeof name, "replaced-%Y-%m-%dT%H-%M-%SZ", &t);
    return path(r->aside, err, r->data, name);
}

/* Log and index first: a database without its log would look whole and be old. A log without its database goes, too: it would be taken for
 * that of the new one. */
static int move_aside(struct restoring *r, struct err *err)
{
    static const char *const files[] = { "shop.db-wal", "shop.db-shm", "shop.db-seal", "audit.head", "shop.db" };
    char from[PATH_SIZE], to[PATH_SIZE];
    bool any = false;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        any = any || (path(from, err, r->data, files[i]) == 0 && access(from, F_OK) == 0);
    if (!any) {
        r->aside[0] = '\0';
        return 0;
    }
    if (mkdir(r->aside, 0700) < 0)
        return io_error(err, "No folder can be made for what is there now");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int rc = path(from, err, r->data, files[i]);
        if (rc == 0)
            rc = path(to, err, r->aside, files[i]);
        if (rc < 0)
            return rc;
        if (rename(from, to) < 0 && errno != ENOENT)
            return err_set(err, ERR_IO, "%s can't be moved to %s: %s. Move the files of that folder back, or the rest of them there.", from,
                           to, strerror(errno));
    }
    return 0;
}

static int sync_folder(const char *folder, struct err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : err_set(err, ERR_IO, "%s can't be written to the disk: %s.", folder, strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

static int sync_file(const char *file, struct err *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : io_error(err, "The data can't be written to the disk");
    if (fd >= 0)
        close(fd);
    return rc;
}

/* A file that belongs to something else is refused before it is copied: it may be large. */
static int check_head(const char *file, struct err *err)
{
    struct store *s;
    int rc = store_open(&(struct store_options){ .path = file, .read_only = true }, &s, err);
    if (rc < 0)
        return rc;
    if (store_schema_number(s) == 0)
        rc = err_set(err, ERR_CORRUPT, "%s is empty, and no backup of a shop; name another file.", file);
    store_close(s);
    return rc;
}

static int rebuild(struct restoring *r, const struct restore_source *from, struct restored *out, struct err *err)
{
    struct rebuild_report report;
    struct rebuild_options o = {
        .dir = from->dir, .path = r->part, .at_ms = from->at_ms, .accept_damage = from->accept_damage, .sha256 = crypto_sha256
    };
    int rc = store_rebuild(&o, &report, err);
    out->as_of_ms = report.ms;
    out->commits = report.commits;
    snprintf(out->missing, sizeof out->missing, "%s", report.missing);
    return rc;
}

/* SQLite's files beside it, when it could not be closed well. */
static void remove_part(const struct restoring *r)
{
    static const char *const endings[] = { "", "-wal", "-shm", "-journal", "-seal" };
    char path_of[PATH_SIZE + 16];
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(path_of, sizeof path_of, "%s%s", r->part, endings[i]);
        unlink(path_of);
    }
}

static int replace(struct restoring *r, const struct restore_source *from, const struct clock *clock, struct restored *out, struct err *err)
{
    remove_part(r); /* of one that was broken off */
    int rc = from->dir ? rebuild(r, from, out, err) : check_head(from->file, err);
    if (rc == 0 && !from->dir)
        rc = copy(from->file, r->part, err);
    if (rc == 0)
        rc = check(r, clock_wall_ms(clock), err);
    if (rc == 0)
        rc = sync_file(r->part, err);
    if (rc == 0)
        rc = name_aside(r, clock, err);
    if (rc == 0)
        rc = move_aside(r, err);
    bool stuck = rc == 0 && rename(r->part, r->store) < 0;
    if (stuck)
        rc = err_set(err, ERR_IO, "%s can't be renamed to %s: %s. Do it by hand, or move the files of %s back.", r->part, r->store,
                     strerror(errno), r->aside);
    if (!stuck)
        remove_part(r);
    return rc < 0 ? rc : sync_folder(r->data, err);
}

int shop_restore(const struct shop_options *o, const struct restore_source *from, struct restored *out, struct err *err)
{
    struct restoring *r = calloc(1, sizeof *r);
    struct store_lock *lock = NULL;
    char lock_path[PATH_SIZE];
    struct stat st;
    *out = (struct restored){ 0 };
    if (!r)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    int rc = o->data_dir ? path(r->data, err, o->data_dir, "") : path(r->data, err, o->dir, "data");
    if (rc == 0 && stat(o->dir, &st) < 0)
        rc = err_set(err, ERR_NOT_FOUND, "There is no folder \"%s\"; a shop is a folder with a shop.lua in it.", o->dir);
    if (rc == 0 && mkdir(r->data, 0700) < 0 && errno != EEXIST)
        rc = io_error(err, "The data folder can't be made");
    if (rc == 0)
        rc = path(r->store, err, r->data, "shop.db");
    if (rc == 0)
        rc = path(r->part, err, r->data, "shop.db.part");
    if (rc == 0)
        rc = path(lock_path, err, r->data, "lock");
    if (rc == 0)
        rc = store_lock_take(lock_path, &lock, err);
    if (rc == 0)
        rc = replace(r, from, o->clock, out, err);
    if (rc == 0)
        snprintf(out->replaced, sizeof out->replaced, "%s", r->aside);
    if (lock)
        store_lock_free(lock);
    free(r);
    return rc;
}
