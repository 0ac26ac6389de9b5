#include "journal/journal.h"
#include "journal/journal_int.h"

/* The key of an idempotency record is the millisecond it was made in, shifted, plus a count. So records lie in order of
 * time, the oldest can be swept without an index, and one stamped by a clock that was wrong does not hold up the others. */
enum { MS_SHIFT = 20, SWEEP_MAX = 10000 };

const char *journal_schema_sql(void)
{
    /* (key, scope) and not the other way round: keys that sort by time then append to the index whoever sends them.
     * AUTOINCREMENT: the id of a timer that is gone must never name another one. */
    return "CREATE TABLE journal_idempotency ("
           " seq INTEGER PRIMARY KEY,"
           " key TEXT NOT NULL,"
           " scope TEXT NOT NULL,"
           " request_hash BLOB NOT NULL,"
           " status INTEGER NOT NULL,"
           " body BLOB NOT NULL,"
           " UNIQUE (key, scope)"
           ");"
           "CREATE TABLE journal_timers ("
           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " procedure TEXT NOT NULL,"
           " key TEXT NOT NULL,"
           " due_ms INTEGER NOT NULL,"
           " UNIQUE (procedure, key)"
           ");"
           "CREATE INDEX journal_timers_due ON journal_timers(due_ms);";
}

/* --- idempotency ----------------------------------------------------------------------------------------------------- */

static int check_key(struct slice key, struct err *err)
{
    if (key.len >= 1 && key.len <= IDEMPOTENCY_KEY_MAX)
        return 0;
    return err_field(err, ERR_INVALID, "Idempotency-Key",
                     "The Idempotency-Key has 1 to %d characters; choose a new random one for each new request.", IDEMPOTENCY_KEY_MAX);
}

int idempotency_find(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32],
                     struct idempotency_answer *out, struct err *err)
{
    struct store_stmt *s;
    int rc = check_key(key, err);
    if (rc == 0)
        rc = store_prepare(c, "SELECT request_hash, status, body FROM journal_idempotency WHERE key = ?1 AND scope = ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, key);
    store_bind_text(s, 2, scope);
    rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    if (!slice_eq(store_column_text(s, 0), slice_of((const char *)request_hash, 32))) {
        store_reset(s);
        return err_field(err, ERR_MISMATCH, "Idempotency-Key", "This Idempotency-Key was used with another request; use a new one.");
    }
    out->status = (int)store_column_int(s, 1);
    /* Copied, so that no reader keeps a snapshot open while the answer is being sent. */
    rc = store_keep(c, store_column_text(s, 2), &out->body, err);
    store_reset(s);
    return rc < 0 ? rc : 1;
}

int idempotency_store(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32], int status,
                      struct slice body, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = check_key(key, err);
    if (rc == 0)
        rc = store_prepare(c,
                           "INSERT INTO journal_idempotency (seq, key, scope, request_hash, status, body) VALUES ("
                           " coalesce((SELECT seq FROM journal_idempotency WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq DESC LIMIT 1) + 1, ?1),"
                           " ?3, ?4, ?5, ?6, ?7)",
                           &s, err);
    if (rc < 0)
        return rc;
    int64_t first = now_ms << MS_SHIFT;
    store_bind_int(s, 1, first);
    store_bind_int(s, 2, first | ((1 << MS_SHIFT) - 1));
    store_bind_text(s, 3, key);
    store_bind_text(s, 4, scope);
    store_bind_blob(s, 5, slice_of((const char *)request_hash, 32));
    store_bind_int(s, 6, status);
    store_bind_blob(s, 7, body);
    return store_run(s, NULL, err);
}

int idempotency_sweep(struct store_conn *c, int64_t older_than_ms, int limit, int64_t *removed, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(
        c, "DELETE FROM journal_idempotency WHERE seq IN (SELECT seq FROM journal_idempotency WHERE seq < ?1 ORDER BY seq LIMIT ?2)", &s,
        err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, older_than_ms << MS_SHIFT);
    store_bind_int(s, 2, limit > 0 && limit < SWEEP_MAX ? limit : SWEEP_MAX);
    return store_run(s, removed, err);
}

/* --- timers ------------------------------------------------------------------------------------------------------------- */

int timer_set(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO journal_timers (procedure, key, due_ms) VALUES (?1, ?2, ?3)"
                           " ON CONFLICT (procedure, key) DO UPDATE SET due_ms = excluded.due_ms",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, procedure);
    store_bind_text(s, 2, key);
    store_bind_int(s, 3, due_ms < JOURNAL_PARKED_MS ? due_ms : JOURNAL_PARKED_MS - 1);
    return store_run(s, NULL, err);
}

int timer_cancel(struct store_conn *c, struct slice procedure, struct slice key, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "DELETE FROM journal_timers WHERE procedure = ?1 AND key = ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, procedure);
    store_bind_text(s, 2, key);
    return store_run(s, NULL, err);
}

/* sql: ?1 = the end of what is not parked; the earliest first. */
int journal_next_due(struct store_conn *c, const char *sql, int64_t *due_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, JOURNAL_PARKED_MS);
    rc = store_step(s, err);
    if (rc > 0) {
        *due_ms = store_column_int(s, 0);
        store_reset(s);
    }
    return rc;
}

int timer_next_due(struct store_conn *c, int64_t *due_ms, struct err *err)
{
    return journal_next_due(c, "SELECT due_ms FROM journal_timers WHERE due_ms < ?1 ORDER BY due_ms LIMIT 1", due_ms, err);
}

int timer_each_due(struct store_conn *c, int64_t now_ms, int limit, int (*fn)(void *ctx, const struct timer_due *t), void *ctx,
                   struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(c, "SELECT id, due_ms, procedure, key FROM journal_timers WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, now_ms);
    store_bind_int(s, 2, limit);
    while ((rc = store_step(s, err)) > 0) {
        struct timer_due t = { .id = store_column_int(s, 0),
                               .due_ms = store_column_int(s, 1),
                               .procedure = store_column_text(s, 2),
                               .key = store_column_text(s, 3) };
        rc = fn(ctx, &t);
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

/* sql: ?1 = id, ?2 = due_ms. */
static int with_timer(struct store_conn *c, const char *sql, int64_t id, int64_t due_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    store_bind_int(s, 2, due_ms);
    int64_t changed = 0;
    rc = store_run(s, &changed, err);
    if (rc == 0 && changed == 0)
        rc = err_reason(err, ERR_NOT_FOUND, "timer_gone",
                        "The timer was moved, cancelled or carried out meanwhile; there is nothing to do.");
    return rc;
}

int timer_done(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err)
{
    return with_timer(c, "DELETE FROM journal_timers WHERE id = ?1 AND due_ms = ?2", id, due_ms, err);
}

int timer_park(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err)
{
    return with_timer(c, "UPDATE journal_timers SET due_ms = due_ms + (1 << 52) WHERE id = ?1 AND due_ms = ?2", id, due_ms, err);
}

int timer_any_parked(struct store_conn *c, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT 1 FROM journal_timers WHERE due_ms >= ?1 LIMIT 1", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, JOURNAL_PARKED_MS);
    rc = store_step(s, err);
    store_reset(s);
    return rc;
}

int timer_unpark(struct store_conn *c, struct slice from, struct slice end, int limit, int64_t *moved, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "UPDATE journal_timers SET due_ms = due_ms - ?1 WHERE id IN (SELECT id FROM journal_timers"
                           " WHERE procedure >= ?2 AND procedure < ?3 AND due_ms >= ?1 ORDER BY due_ms, id LIMIT ?4)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, JOURNAL_PARKED_MS);
    store_bind_text(s, 2, from);
    store_bind_text(s, 3, end);
    store_bind_int(s, 4, limit);
    return store_run(s, moved, err);
}
