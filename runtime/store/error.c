#include "store/store_int.h"
#include <errno.h>
#include <libgen.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void name_of(uid_t id, char out[64])
{
    struct passwd p, *found = NULL;
    char text[1024];
    if (getpwuid_r(id, &p, text, sizeof text, &found) == 0 && found)
        snprintf(out, 64, "%.50s", found->pw_name);
    else
        snprintf(out, 64, "user %ld", (long)id);
}

static int denied(const char *path, struct err *err)
{
    char folder[4096], owner[64], we[64];
    struct stat st;
    snprintf(folder, sizeof folder, "%s", path);
    const char *of = stat(path, &st) == 0 ? path : dirname(folder);
    if (of != path && stat(of, &st) < 0)
        return err_set(err, ERR_IO,
                       "%.300s can't be opened: this user may not look into its folder; check the permissions of the folders above.", path);
    name_of(st.st_uid, owner);
    name_of(geteuid(), we);
    if (st.st_uid == geteuid())
        return err_set(err, ERR_IO, "%.200s can't be opened: its owner, %s, has no right to write there; chmod u+rwX %.200s.", path, owner,
                       of);
    return err_set(err, ERR_IO,
                   "%.150s can't be opened: %.150s belongs to %s, and this process runs as %s; run it as %s, or chown -R what is there.",
                   path, of, owner, we, owner);
}

int store_open_failed(const char *path, int cause, struct err *err)
{
    switch (cause) {
    case ENOSPC:
    case EDQUOT:
        return err_set(err, ERR_FULL, "%.400s can't be made: the disk is full; free some space.", path);
    case EROFS:
        return err_set(err, ERR_IO,
                       "%.300s can't be opened for writing: its disk is mounted read-only; mount it for writing, or name another "
                       "data folder with --data.",
                       path);
    case EACCES:
    case EPERM:
        return denied(path, err);
    case EISDIR:
        return err_set(err, ERR_IO, "%.400s is a folder where a file must be; move it away.", path);
    case EMFILE:
    case ENFILE:
        return err_reason(err, ERR_BUSY, "no_descriptors",
                          "%.300s can't be opened: no file descriptor is left; raise the limit (ulimit -n).", path);
    default:
        return err_set(err, ERR_IO, "%.300s can't be opened (%s); check the folder and its permissions.", path, strerror(cause));
    }
}

static bool disk_is_full(sqlite3 *db, int rc)
{
    if ((rc & 0xff) == SQLITE_FULL)
        return true;
    /* A delayed allocation may find out only at fsync; SQLite then says "I/O error", the system's code says why. */
    int os = db && (rc & 0xff) == SQLITE_IOERR ? sqlite3_system_errno(db) : 0;
    return os == ENOSPC || os == EDQUOT;
}

/* SQLite says that it can't open a file, or that the disk failed; the system's code says why. */
static bool out_of_descriptors(sqlite3 *db, int rc)
{
    int os = db && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_IOERR) ? sqlite3_system_errno(db) : 0;
    return os == EMFILE || os == ENFILE;
}

static int constraint(int rc, const char *detail, struct err *err)
{
    switch (rc) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return err_reason(err, ERR_CONFLICT, "unique", "There is already such a record (%s).", detail);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return err_reason(err, ERR_CONFLICT, "referenced",
                          "A record that this one refers to is missing, or one that refers to it exists (%s).", detail);
    default:
        return err_set(err, ERR_INTERNAL, "The store refused a record that breaks its own rules (%s); please report this.", detail);
    }
}

int store_fail_db(sqlite3 *db, int rc, const char *doing, struct err *err)
{
    const char *detail = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    if (disk_is_full(db, rc))
        return err_reason(err, ERR_FULL, "disk_full", "The disk is full while %s; free some space, then try again.", doing);
    if (out_of_descriptors(db, rc))
        return err_reason(err, ERR_BUSY, "no_descriptors",
                          "No file descriptor is left while %s; try again in a moment, or raise the limit (LimitNOFILE, ulimit -n).",
                          doing);
    if (rc == SQLITE_IOERR_NOMEM)
        return err_set(err, ERR_NOMEM, "Out of memory while %s; try again later.", doing);
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return constraint(rc, detail, err);
    case SQLITE_NOMEM:
        return err_set(err, ERR_NOMEM, "Out of memory while %s; try again later.", doing);
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT,
                       "It is no database, or its beginning is damaged; move the file away if it is not the shop's, else restore a backup "
                       "(feira restore).");
    case SQLITE_CORRUPT:
        return err_set(err, ERR_CORRUPT, "The store is damaged (%s, found while %s); stop the shop and restore a backup (feira restore).",
                       detail, doing);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_INTERRUPT:
        return err_reason(err, ERR_BUSY, "store_busy", "The store is in use (%s, while %s); try again.", detail, doing);
    case SQLITE_TOOBIG:
        return err_set(err, ERR_TOO_LARGE, "A value is too large for the store, found while %s; send a smaller one.", doing);
    case SQLITE_READONLY:
        return err_set(err, ERR_IO, "The store can't be written (%s, while %s); check the permissions of its folder and files.", detail,
                       doing);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_PROTOCOL:
        return err_set(err, ERR_IO, "The disk failed (%s, code %d, while %s); check the disk and the permissions of the folder.", detail,
                       rc, doing);
    default:
        return err_set(err, ERR_INTERNAL, "The store failed (%s, code %d) while %s; please report this.", detail, rc, doing);
    }
}

int store_fail(struct store_conn *c, int rc, const char *doing, struct err *err)
{
    int code = store_fail_db(c->db, rc, doing, err);
    store_notice_loss(c);
    return code;
}

void store_notice_loss(struct store_conn *c)
{
    if (c->began && !c->borrowed && sqlite3_get_autocommit(c->db))
        c->lost = true;
}
