/* A copy of the whole store, as of one moment, while it is being written. */
#include "store/store_int.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PAGES_AT_ONCE = 1024 };

/* In one transaction of the reader: a copy in several would begin anew with every commit of the writer. The log can't be reset meanwhile.
 */
static int copy_pages(struct store_conn *c, sqlite3 *to, const struct store_copy *how, struct err *err)
{
    sqlite3_backup *b = sqlite3_backup_init(to, "main", c->db, "main");
    if (!b)
        return store_fail_db(to, sqlite3_errcode(to), "beginning a backup", err);
    int rc = SQLITE_OK;
    bool stopped = false;
    while (rc == SQLITE_OK && !stopped) {
        rc = sqlite3_backup_step(b, how->stop ? PAGES_AT_ONCE : -1);
        stopped = how->stop && how->stop(how->stop_ctx);
    }
    int done = sqlite3_backup_finish(b);
    if (rc == SQLITE_OK)
        return err_reason(err, ERR_BUSY, "stopping", "The copy was broken off.");
    return rc == SQLITE_DONE && done == SQLITE_OK ? 0 : store_fail_db(to, done != SQLITE_OK ? done : rc, "copying the store", err);
}

/* The copy is one file: no log beside it. */
static int write_copy(struct store_conn *c, const char *path, const struct store_copy *how, struct err *err)
{
    sqlite3 *to = NULL;
    /* Without locks: nobody else knows of it, and the folder may be on a file system that has none. */
    int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, "unix-none");
    if (rc != SQLITE_OK)
        rc = store_fail_db(to, rc, "opening the backup", err);
    else if (sqlite3_exec(to, "PRAGMA locking_mode=EXCLUSIVE", NULL, NULL, NULL) != SQLITE_OK) /* else a log would need shared memory */
        rc = store_fail_db(to, sqlite3_errcode(to), "opening the backup", err);
    else
        rc = copy_pages(c, to, how, err);
    if (rc == 0 && sqlite3_exec(to, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL) != SQLITE_OK)
        rc = store_fail_db(to, sqlite3_errcode(to), "finishing the backup", err);
    sqlite3_close(to);
    return rc;
}

static int sync_path(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL); /* EINVAL: a folder, where folders have no sync of their own */
    int rc = !synced ? err_set(err, ERR_IO, "%s can't be written to the disk: %s.", path, strerror(errno)) : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

static int check_copy(const char *path, const struct store_migration *migrations, int (*also)(struct store_conn *c, struct err *err),
                      struct err *err)
{
    struct store *copy;
    int rc =
        store_open(&(struct store_options){ .path = path, .vfs = "unix-none", .read_only = true, .migrations = migrations }, &copy, err);
    if (rc < 0)
        return rc;
    struct store_conn *c;
    if ((rc = store_reader_open(copy, &c, err)) == 0) {
        rc = store_check(c, true, err);
        if (rc == 0 && also)
            rc = also(c, err);
        store_reader_close(c);
    }
    store_close(copy);
    return rc;
}

/* On file systems without links: CIFS, FAT, some that are mounted over the network. */
static bool rename_instead(const char *part, const char *path)
{
    int cause = errno;
    bool can = (cause == EPERM || cause == EOPNOTSUPP || cause == ENOSYS) && access(path, F_OK) < 0 && rename(part, path) == 0;
    if (!can)
        errno = cause;
    return can;
}

int store_publish_part(const char *part, const char *path, struct err *err)
{
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", path);
    int rc = sync_path(part, err);
    if (rc == 0 && link(part, path) < 0 && !rename_instead(part, path)) /* unlike rename() it never replaces a file */
        rc = err_set(err, errno == EEXIST ? ERR_CONFLICT : ERR_IO, "The backup %s can't be made: %s.", path, strerror(errno));
    if (rc == 0)
        rc = sync_path(dirname(folder), err);
    return rc;
}

int store_copy_part(struct store_conn *c, const char *part, const struct store_copy *how, struct err *err)
{
    unlink(part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600); /* it holds customers' data */
    if (fd < 0)
        return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "The backup %s can't be written: %s.", part,
                       strerror(errno));
    close(fd);
    int rc = write_copy(c, part, how, err);
    if (c->began)
        store_rollback(c); /* the log need not wait for what follows */
    return rc < 0 ? rc : check_copy(part, how->migrations, how->also, err);
}

int store_backup(struct store_conn *c, const char *path, const struct store_migration *migrations,
                 int (*also)(struct store_conn *c, struct err *err), struct err *err)
{
    char part[4096];
    struct store_copy how = { .migrations = migrations, .also = also };
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "There is a file %s already; name another.", path);
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part)
        return err_set(err, ERR_INVALID, "The path of the backup is too long.");
    int rc = store_copy_part(c, part, &how, err);
    if (rc == 0)
        rc = store_publish_part(part, path, err);
    unlink(part);
    return rc;
}
