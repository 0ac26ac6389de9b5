/* store/store.h - the durable state of one shop. SQLite today; nothing above sees it: named statements, transactions,
 * snapshots. WAL, synchronous=FULL: when commit returns, the data is on disk. Exactly one connection writes and
 * checkpoints (the writer's); every worker has a read-only one. A connection belongs to one thread at a time. */
#pragma once
#include "base/alloc.h"
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

struct store;
struct store_conn;
struct store_stmt;
struct clock;

enum store_sync {
    STORE_SYNC_FULL,
    STORE_SYNC_NORMAL /* loses acknowledged commits on power loss: only for the negative control of tests */
};

struct store_migration {
    int number; /* 1, 2, 3 ... without gaps */
    const char *name;
    const char *sql; /* additive within a major version */
};

struct store_options {
    const char *path; /* file, or ":memory:" (then one connection serves all) */
    const char *vfs;  /* NULL, or the name of another storage layer: one of a test, or one without locks */
    enum store_sync sync;
    bool read_only;                           /* do not create, migrate or take part in checkpoints */
    const struct store_migration *migrations; /* ended by number 0; applied in one transaction each */
};

/* Opens or creates the file (mode 0600), checks that it is ours and not corrupt, runs migrations. On failure *out is NULL.
 * Refused with a clear message: a file of another program, of a newer major version, or damaged (the whole file is read up
 * to 64 MiB; of a larger one only the head and the schema, see store_check()). A file with more migrations than ours of the
 * same major version is opened: migrations only add, so the previous binary still works on it. */
int store_open(const struct store_options *o, struct store **out, struct err *err);
void store_close(struct store *s); /* after all its connections are closed */
/* The log stays when the store is closed, instead of being moved into the file: whoever follows it then sees that nothing was left out. */
void store_keep_log(struct store *s, bool keep);

struct store_conn *store_writer_conn(struct store *s); /* the one writing connection, owned by the store */
int store_reader_open(struct store *s, struct store_conn **out, struct err *err);
void store_reader_close(struct store_conn *c);

/* Reads the pages of the file and says whether it is whole; thorough compares indexes with tables as well. ERR_CORRUPT. */
int store_check(struct store_conn *c, bool thorough, struct err *err);
int store_schema_number(const struct store *s); /* of the last migration in the file; may be above ours, see store_open() */

/* Copies the store as it is at this moment into a new file of mode 0600, while others go on writing; c: a reader, of this thread. The copy
 * is read whole and checked, also by `also` (may be NULL), before the file has its name. ERR_CONFLICT when the file exists. */
int store_backup(struct store_conn *c, const char *path, const struct store_migration *migrations,
                 int (*also)(struct store_conn *c, struct err *err), struct err *err);

/* Copies bytes into memory of the connection; they stay until its next store_keep(). For a column that must outlive its statement. */
int store_keep(struct store_conn *c, struct slice bytes, struct slice *kept, struct err *err);

/* --- statements ------------------------------------------------------------------------------------------------
 * Prepared once per connection and text. The text is copied and the cache goes by content, not by address: a string of
 * Lua may be freed and its address used again. Statements stay for the life of the connection, so the number of different
 * texts must be bounded: only SQL of our own modules comes here, never text of a plugin or a client.
 * Asking again for a text whose statement is in the middle of its rows gives a second statement, so queries may nest. */
int store_prepare(struct store_conn *c, const char *sql, struct store_stmt **out, struct err *err);
/* Index from 1. Text and blobs are not copied: they must live until the statement is reset, which also forgets all values bound. */
void store_bind_int(struct store_stmt *s, int i, int64_t v);
void store_bind_text(struct store_stmt *s, int i, struct slice v);
void store_bind_blob(struct store_stmt *s, int i, struct slice v);
void store_bind_null(struct store_stmt *s, int i);
int store_stmt_params(const struct store_stmt *s);     /* number of ?1 .. ?n */
int store_step(struct store_stmt *s, struct err *err); /* 1 = a row, 0 = done (reset by itself), negative = error (reset too) */
int store_run(struct store_stmt *s, int64_t *changed_rows, struct err *err); /* for statements without rows; changed_rows may be NULL */
int store_insert(struct store_stmt *s, int64_t *id, struct err *err); /* INSERT of one row into a table with an integer key: its key */
/* Needed only when leaving before step gave 0. A reader outside of a transaction keeps its snapshot until then; inside, the end of
 * the transaction resets what was forgotten. */
void store_reset(struct store_stmt *s);
int store_columns(const struct store_stmt *s);
const char *store_column_name(const struct store_stmt *s, int i);
enum store_type { STORE_NULL, STORE_INT, STORE_TEXT, STORE_BLOB };
enum store_type store_column_type(const struct store_stmt *s, int i); /* column from 0; a REAL is an error in our schema and asserts */
int64_t store_column_int(const struct store_stmt *s, int i);
struct slice store_column_text(const struct store_stmt *s, int i); /* valid until the next step or reset */

/* --- transactions ----------------------------------------------------------------------------------------------
 * Errors: ERR_CONFLICT with reason "unique" when a uniqueness constraint refuses, ERR_FULL disk full, ERR_IO, ERR_CORRUPT, ERR_BUSY. */
int store_begin(struct store_conn *c, struct err *err); /* writer: BEGIN IMMEDIATE. Reader: a snapshot; hold it for one request at most */
int store_commit(struct store_conn *c, struct err *err);
void store_rollback(struct store_conn *c);
int store_savepoint(struct store_conn *c, struct err *err); /* one level; ends with release or rollback_to, which also removes it */
int store_release(struct store_conn *c, struct err *err);
int store_rollback_to(struct store_conn *c, struct err *err);
/* false after an error that ended the whole transaction. Until store_rollback() every further statement of the connection then
 * fails with reason "transaction_lost": else code that swallows the error would go on outside of any transaction. */
bool store_in_transaction(const struct store_conn *c);
uint64_t store_version(const struct store_conn *c); /* grows with every commit of the writer; read it before the data it is to guard */

/* Moves committed pages from the log into the file; writer thread only. wal_pages_left tells what readers still pin. */
int store_checkpoint(struct store_conn *c, int *wal_pages_left, struct err *err);

/* --- lock -------------------------------------------------------------------------------------------------------
 * data/lock: whoever holds it may write. ERR_LOCKED says which process id has it. Released on close and on exit of the process. */
struct store_lock;
int store_lock_take(const char *path, struct store_lock **out, struct err *err);
void store_lock_free(struct store_lock *l);
