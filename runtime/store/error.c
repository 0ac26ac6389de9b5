#include "store/store_int.h"
#include <errno.h>

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
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_set(err, ERR_CORRUPT, "The store is damaged (%s, found while %s); stop the shop and restore a backup.", detail, doing);
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
