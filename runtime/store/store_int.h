/* store/store_int.h - shared between the files of store/ only: what a connection and a statement are made of. */
#pragma once
#include "store/store.h"
#include "base/buf.h"
#include "base/map.h"
#include <sqlite3.h>
#include <stdatomic.h>

enum {
    STORE_APPLICATION_ID = 0x46454952, /* "FEIR": tells our files from those of other programs */
    STORE_MAJOR = 1,                   /* a file of another major version is refused; within one, migrations only add */
    STORE_MAJOR_STEP = 1000,           /* user_version = STORE_MAJOR * STORE_MAJOR_STEP + number of the last migration */
};

struct store_stmt {
    struct store_conn *conn;
    sqlite3_stmt *raw;
    struct store_stmt *next; /* another statement of the same text, made because this one was in the middle of its rows */
    char *sql;               /* our copy */
    int bind_rc;             /* first failure of a bind; reported by the next step */
    int params;
    bool writes;
    bool midway; /* has given a row and was not reset */
};

enum store_tx_stmt { TX_BEGIN, TX_COMMIT, TX_ROLLBACK, TX_SAVEPOINT, TX_RELEASE, TX_ROLLBACK_TO, TX_STMTS };

struct store_conn {
    struct store *store;
    sqlite3 *db;
    bool writer;
    bool borrowed;    /* a reader of a ":memory:" store: uses the writer's db, its transactions are no-ops */
    bool began;       /* between store_begin() and its end, as the caller sees it */
    bool lost;        /* an error ended the transaction under the caller: nothing runs until he rolls back */
    struct map stmts; /* text of the SQL -> struct store_stmt list */
    sqlite3_stmt *tx[TX_STMTS];
    struct buf kept;   /* store_keep() */
    int64_t wal_pages; /* pages in the log after the last commit; writer only */
    size_t midway;     /* statements that are */
    bool touched;      /* a statement that may write was run since the writer cleared this */
    uint64_t written;  /* commits that had something to write; writer only */
};

struct store {
    char *path;
    char *vfs;
    enum store_sync sync;
    bool read_only, memory, sealed;
    int schema; /* number of the last migration in the file */
    _Atomic uint64_t version;
    struct seal *seal;       /* NULL: on a storage layer of a test, in memory, read only */
    struct store_conn *conn; /* the writer's; of a read-only store the one it was checked with */
};

/* A file that can't be opened: who may, what kind of disk it is on, what to do. cause: errno. */
int store_open_failed(const char *path, int cause, struct err *err);

void store_engine_init(void);
int store_conn_open(struct store *s, bool writer, struct store_conn **out, struct err *err);
void store_conn_close(struct store_conn *c);
int store_exec(struct store_conn *c, const char *sql, struct err *err);
int store_pragma_int(struct store_conn *c, const char *sql, int64_t *out, struct err *err);

/* Turns a result code of SQLite into ours, with a sentence. `doing` completes "... failed while <doing>". */
int store_fail(struct store_conn *c, int rc, const char *doing, struct err *err);
int store_fail_db(sqlite3 *db, int rc, const char *doing, struct err *err);

/* Called after each failed step: notices that the transaction went with it. */
void store_notice_loss(struct store_conn *c);

/* Resets what was left in the middle of its rows: it would keep the snapshot, and with it the log, beyond the transaction. */
void store_stmts_settle(struct store_conn *c);
void store_stmts_free(struct store_conn *c);

int store_migrate(struct store_conn *c, const struct store_migration *list, int at, struct err *err);
/* on: when the log begins anew, what is behind its new end is cut off at once; off: only what is beyond its usual length. */
void store_cut_log(struct store_conn *c, bool on);
int64_t store_wal_pages(const struct store_conn *c);

/* A backup in two steps, for what wants to do something in between (backup.c). c: a reader; in a transaction, the copy is as of its
 * beginning, and it is ended when the pages are copied. The file stays when it fails. */
struct store_copy {
    const struct store_migration *migrations;
    int (*also)(struct store_conn *c, struct err *err);
    bool (*stop)(void *ctx); /* asked between pages; NULL = never. ERR_BUSY then */
    void *stop_ctx;
};
int store_copy_part(struct store_conn *c, const char *part, const struct store_copy *how, struct err *err);
int store_publish_part(const char *part, const char *path, struct err *err); /* synced, and never over a file that is there */
