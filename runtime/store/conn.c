/* Connections: how one is opened and set, transactions, checkpoints. */
#include "store/seal.h"
#include "store/store_int.h"
#include <pthread.h>
#include <stdlib.h>

enum {
    WRITER_CACHE_KIB = 256 * 1024, /* an upper bound: grows with what is touched */
    READER_CACHE_KIB = 32 * 1024,
    WRITER_BUSY_MS = 5000,     /* only another process that ignores the lock file can make the writer wait */
    READER_BUSY_MS = 2000,     /* the first connection after a crash rebuilds the index of the log; others wait for it */
    WAL_KEEP_BYTES = 64 << 20, /* a log that grew beyond this is cut when it starts again */
};

/* These settings are for the process, constant, and must come before the library's first use. When another part of the
 * process was first they are refused; temp_store=MEMORY below does for statement journals what matters. */
static void engine_configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);       /* else each allocation takes a mutex shared by all threads */
    sqlite3_config(SQLITE_CONFIG_STMTJRNL_SPILL, -1); /* savepoint journals never go to disk */
    sqlite3_initialize();
}

void store_engine_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, engine_configure);
}

int store_exec(struct store_conn *c, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_fail(c, rc, "setting up the store", err);
}

int store_pragma_int(struct store_conn *c, const char *sql, int64_t *out, struct err *err)
{
    sqlite3_stmt *st = NULL;
    *out = 0;
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &st, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(st, 0);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_OK;
    }
    int code = rc == SQLITE_OK ? 0 : store_fail(c, rc, "reading the store", err);
    sqlite3_finalize(st);
    return code;
}

static int on_wal(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct store_conn *c = ctx;
    c->wal_pages = pages;
    c->written++;
    return SQLITE_OK;
}

/* Memory mapping stays off: an I/O error under it is a SIGBUS instead of an error, and our page cache serves as well. */
static int conn_settings(struct store_conn *c, struct err *err)
{
    char sql[512];
    sqlite3_busy_timeout(c->db, c->writer ? WRITER_BUSY_MS : READER_BUSY_MS);
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    if (!c->writer)
        sqlite3_db_config(c->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_snprintf(sizeof sql, sql,
                     "PRAGMA mmap_size=0; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-%d; PRAGMA cell_size_check=ON; "
                     "PRAGMA foreign_keys=OFF; PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=%s; PRAGMA journal_size_limit=%d;",
                     c->writer ? WRITER_CACHE_KIB : READER_CACHE_KIB, c->store->sync == STORE_SYNC_NORMAL ? "NORMAL" : "FULL",
                     WAL_KEEP_BYTES);
    int rc = store_exec(c, sql, err);
    if (rc < 0)
        return rc;
    rc = store_exec(c, "PRAGMA cache_spill=OFF", err); /* changed pages stay in memory until the commit */
    if (rc < 0)
        return rc;
    /* What is deleted is overwritten: else it stays in the file until its place is used again. */
    if (c->writer && (rc = store_exec(c, "PRAGMA secure_delete=ON", err)) < 0)
        return rc;
    if (c->writer)
        sqlite3_wal_hook(c->db, on_wal, c);
    else
        rc = store_exec(c, "PRAGMA query_only=ON", err);
    return rc;
}

static int conn_alloc(struct store *s, bool writer, struct store_conn **out, struct err *err)
{
    struct store_conn *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "Out of memory while opening the store; try again later.");
    c->store = s;
    c->writer = writer;
    map_init(&c->stmts, NULL);
    buf_init(&c->kept, NULL);
    *out = c;
    return 0;
}

static int conn_prepare_tx(struct store_conn *c, struct err *err)
{
    static const char *const sql[TX_STMTS] = {
        [TX_COMMIT] = "COMMIT",
        [TX_ROLLBACK] = "ROLLBACK",
        [TX_SAVEPOINT] = "SAVEPOINT feira",
        [TX_RELEASE] = "RELEASE feira",
        [TX_ROLLBACK_TO] = "ROLLBACK TO feira",
    };
    for (int i = 0; i < TX_STMTS; i++) {
        const char *text = i == TX_BEGIN ? (c->writer ? "BEGIN IMMEDIATE" : "BEGIN") : sql[i];
        int rc = sqlite3_prepare_v3(c->db, text, -1, SQLITE_PREPARE_PERSISTENT, &c->tx[i], NULL);
        if (rc != SQLITE_OK)
            return store_fail(c, rc, "opening the store", err);
    }
    return 0;
}

int store_conn_open(struct store *s, bool writer, struct store_conn **out, struct err *err)
{
    *out = NULL;
    struct store_conn *c = NULL;
    int rc = conn_alloc(s, writer, &c, err);
    if (rc < 0)
        return rc;
    if (!writer && s->memory) {
        c->borrowed = true;
        c->db = s->conn->db;
        *out = c;
        return 0;
    }
    int flags = s->memory ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;
    flags |= writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
    int lite = sqlite3_open_v2(s->path, &c->db, flags, s->vfs);
    if (lite != SQLITE_OK)
        rc = c->db ? store_fail(c, lite, "opening the store", err) : store_fail_db(NULL, lite, "opening the store", err);
    if (rc == 0)
        rc = conn_settings(c, err);
    if (rc == 0)
        rc = conn_prepare_tx(c, err);
    if (rc < 0) {
        store_conn_close(c);
        return rc;
    }
    *out = c;
    return 0;
}

void store_conn_close(struct store_conn *c)
{
    if (!c)
        return;
    store_stmts_free(c);
    for (int i = 0; i < TX_STMTS; i++)
        sqlite3_finalize(c->tx[i]);
    if (!c->borrowed)
        sqlite3_close_v2(c->db);
    buf_release(&c->kept);
    free(c);
}

/* --- transactions ------------------------------------------------------------------------------------------------ */

static int tx_run(struct store_conn *c, enum store_tx_stmt which, const char *doing, struct err *err)
{
    if (c->lost)
        return err_reason(err, ERR_IO, "transaction_lost",
                          "An earlier error of the store ended this transaction while %s; try the request again.", doing);
    int rc = sqlite3_step(c->tx[which]);
    int code = rc == SQLITE_DONE ? 0 : store_fail(c, rc, doing, err);
    sqlite3_reset(c->tx[which]);
    if (code < 0)
        store_notice_loss(c);
    return code;
}

int store_begin(struct store_conn *c, struct err *err)
{
    if (c->began)
        return err_set(err, ERR_INTERNAL, "A transaction was begun inside another; please report this.");
    if (!c->borrowed) {
        int rc = tx_run(c, TX_BEGIN, "beginning a transaction", err);
        if (rc < 0)
            return rc;
    }
    c->began = true;
    return 0;
}

int store_commit(struct store_conn *c, struct err *err)
{
    if (!c->began)
        return err_set(err, ERR_INTERNAL, "There is no transaction to commit; please report this.");
    store_stmts_settle(c);
    if (c->borrowed) {
        c->began = false;
        return 0;
    }
    int rc = tx_run(c, TX_COMMIT, "committing", err);
    if (rc < 0)
        return rc; /* the caller rolls back: whatever is left of it must go */
    c->began = false;
    if (c->writer)
        atomic_fetch_add(&c->store->version, 1);
    if (c->store->memory)
        c->written++; /* there is no log to tell */
    return 0;
}

void store_rollback(struct store_conn *c)
{
    store_stmts_settle(c);
    if (!c->borrowed && !sqlite3_get_autocommit(c->db)) {
        sqlite3_step(c->tx[TX_ROLLBACK]); /* whatever it says, SQLite leaves no transaction behind */
        sqlite3_reset(c->tx[TX_ROLLBACK]);
    }
    c->began = false;
    c->lost = false;
}

int store_savepoint(struct store_conn *c, struct err *err)
{
    return c->borrowed ? 0 : tx_run(c, TX_SAVEPOINT, "setting a savepoint", err);
}

int store_release(struct store_conn *c, struct err *err)
{
    return c->borrowed ? 0 : tx_run(c, TX_RELEASE, "releasing a savepoint", err);
}

int store_rollback_to(struct store_conn *c, struct err *err)
{
    if (c->borrowed)
        return 0;
    int rc = tx_run(c, TX_ROLLBACK_TO, "going back to a savepoint", err);
    return rc < 0 ? rc : tx_run(c, TX_RELEASE, "releasing a savepoint", err);
}

bool store_in_transaction(const struct store_conn *c)
{
    return c->began && !c->lost && (c->borrowed || !sqlite3_get_autocommit(c->db));
}

uint64_t store_version(const struct store_conn *c)
{
    if (!c->store->read_only)
        return atomic_load(&c->store->version);
    /* The writer is another process: ask the file. */
    int64_t v = 0;
    store_pragma_int((struct store_conn *)c, "PRAGMA data_version", &v, NULL);
    return (uint64_t)v;
}

int store_checkpoint(struct store_conn *c, int *wal_pages_left, struct err *err)
{
    int in_log = 0, moved = 0;
    /* PASSIVE never waits for a reader; what one pins stays for the next time. */
    if (c->store->seal)
        seal_moving(c->store->seal);
    int rc = sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &moved);
    if (c->store->seal)
        seal_moved(c->store->seal, c);
    if (wal_pages_left)
        *wal_pages_left = in_log > moved ? in_log - moved : 0;
    if (rc == SQLITE_OK || rc == SQLITE_BUSY)
        return 0;
    return store_fail(c, rc, "moving the log into the store", err);
}

void store_cut_log(struct store_conn *c, bool on)
{
    char sql[64];
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA journal_size_limit=%d", on ? 0 : WAL_KEEP_BYTES);
    store_exec(c, sql, NULL);
}

int64_t store_wal_pages(const struct store_conn *c)
{
    return c->wal_pages;
}

int store_keep(struct store_conn *c, struct slice bytes, struct slice *kept, struct err *err)
{
    buf_clear(&c->kept);
    buf_add_slice(&c->kept, bytes);
    if (c->kept.failed)
        return err_set(err, ERR_NOMEM, "Out of memory while reading the store; try again later.");
    *kept = buf_slice(&c->kept);
    return 0;
}
