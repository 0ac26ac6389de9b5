#include "journal/webhooks.h"

const char *journal_webhooks_schema_sql(void)
{
    /* The numbers of endpoints and messages are never used again: an answer that comes late must not be taken for another's. */
    return "CREATE TABLE webhook_endpoints ("
           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " endpoint_id TEXT NOT NULL UNIQUE,"
           " state INTEGER NOT NULL,"
           " url TEXT NOT NULL,"
           " label TEXT NOT NULL,"
           " events TEXT NOT NULL,"
           " personal TEXT NOT NULL,"
           " ordered INTEGER NOT NULL,"
           " why TEXT NOT NULL DEFAULT '',"
           " created_ms INTEGER NOT NULL,"
           " failures INTEGER NOT NULL DEFAULT 0,"
           " failing_since_ms INTEGER NOT NULL DEFAULT 0,"
           " rests INTEGER NOT NULL DEFAULT 0,"
           " rests_until_ms INTEGER NOT NULL DEFAULT 0"
           ");"
           "CREATE TABLE webhook_secrets ("
           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " endpoint INTEGER NOT NULL,"
           " secret BLOB NOT NULL,"
           " until_ms INTEGER NOT NULL DEFAULT 0" /* 0 = no end */
           ");"
           "CREATE INDEX webhook_secrets_endpoint ON webhook_secrets(endpoint);"
           "CREATE TABLE webhook_messages ("
           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " message_id TEXT NOT NULL UNIQUE,"
           " event TEXT NOT NULL,"
           " body TEXT NOT NULL,"
           " made_ms INTEGER NOT NULL"
           ");"
           "CREATE TABLE webhook_deliveries ("
           " endpoint INTEGER NOT NULL,"
           " message INTEGER NOT NULL,"
           " standing INTEGER NOT NULL,"
           " line TEXT NOT NULL,"
           " due_ms INTEGER," /* NULL unless it waits */
           " tries INTEGER NOT NULL DEFAULT 0,"
           " attempts INTEGER NOT NULL DEFAULT 0,"
           " PRIMARY KEY (endpoint, message)"
           ") WITHOUT ROWID;"
           "CREATE INDEX webhook_due ON webhook_deliveries(endpoint, due_ms, message) WHERE due_ms IS NOT NULL;"
           "CREATE INDEX webhook_open ON webhook_deliveries(endpoint, message) WHERE standing <= 2;"
           "CREATE INDEX webhook_line ON webhook_deliveries(endpoint, line, message) WHERE standing <= 2 AND line <> '';"
           "CREATE INDEX webhook_given_up ON webhook_deliveries(endpoint, message) WHERE standing = 4;"
           "CREATE TABLE webhook_attempts ("
           " endpoint INTEGER NOT NULL,"
           " message INTEGER NOT NULL,"
           " number INTEGER NOT NULL,"
           " at_ms INTEGER NOT NULL,"
           " took_ms INTEGER NOT NULL,"
           " status INTEGER NOT NULL,"
           " why TEXT NOT NULL,"
           " PRIMARY KEY (endpoint, message, number)"
           ") WITHOUT ROWID;";
}

static void bind_endpoint(struct store_stmt *s, const struct webhook_endpoint *e)
{
    store_bind_text(s, 1, e->url);
    store_bind_text(s, 2, e->label);
    store_bind_text(s, 3, e->events);
    store_bind_text(s, 4, e->personal);
    store_bind_int(s, 5, e->ordered);
}

int webhook_endpoint_add(struct store_conn *c, const struct webhook_endpoint *e, int64_t *id, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO webhook_endpoints (url, label, events, personal, ordered, endpoint_id, state, created_ms)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7)",
                           &s, err);
    if (rc < 0)
        return rc;
    bind_endpoint(s, e);
    store_bind_text(s, 6, e->name);
    store_bind_int(s, 7, e->created_ms);
    rc = store_run(s, NULL, err);
    return rc < 0 ? rc : webhook_endpoint_id(c, e->name, id, err);
}

int webhook_endpoint_change(struct store_conn *c, int64_t id, const struct webhook_endpoint *e, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "UPDATE webhook_endpoints SET url = ?1, label = ?2, events = ?3, personal = ?4, ordered = ?5 WHERE id = ?6",
                           &s, err);
    if (rc < 0)
        return rc;
    bind_endpoint(s, e);
    store_bind_int(s, 6, id);
    return store_run(s, NULL, err);
}

static int run_with(struct store_conn *c, const char *sql, int64_t id, int64_t n, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    if (store_stmt_params(s) > 1)
        store_bind_int(s, 2, n);
    return store_run(s, NULL, err);
}

int webhook_endpoint_set_state(struct store_conn *c, int64_t id, enum webhook_state state, struct slice why, int64_t now_ms,
                               struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(c,
                      "UPDATE webhook_endpoints SET state = ?2, why = ?3, failures = 0, failing_since_ms = 0, rests = 0, rests_until_ms = 0"
                      " WHERE id = ?1",
                      &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    store_bind_int(s, 2, state);
    store_bind_text(s, 3, why);
    rc = store_run(s, NULL, err);
    if (rc == 0 && state == WEBHOOK_ACTIVE)
        rc = run_with(c, "UPDATE webhook_deliveries SET due_ms = ?2, tries = 0 WHERE endpoint = ?1 AND due_ms > ?2", id, now_ms, err);
    if (rc == 0 && state == WEBHOOK_REMOVED)
        rc = run_with(c, "DELETE FROM webhook_secrets WHERE endpoint = ?1", id, 0, err);
    if (rc == 0 && state == WEBHOOK_REMOVED)
        rc = run_with(c, "UPDATE webhook_endpoints SET url = '', personal = '[]' WHERE id = ?1", id, 0, err);
    return rc;
}

int webhook_endpoint_each(struct store_conn *c, int (*fn)(void *ctx, const struct webhook_endpoint *e), void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT id, state, created_ms, endpoint_id, url, label, events, personal, ordered, why, failures,"
                           " failing_since_ms, rests_until_ms FROM webhook_endpoints WHERE state <> 4 ORDER BY id",
                           &s, err);
    if (rc < 0)
        return rc;
    while ((rc = store_step(s, err)) == 1) {
        struct webhook_endpoint e = { .id = store_column_int(s, 0),
                                      .state = (enum webhook_state)store_column_int(s, 1),
                                      .created_ms = store_column_int(s, 2),
                                      .name = store_column_text(s, 3),
                                      .url = store_column_text(s, 4),
                                      .label = store_column_text(s, 5),
                                      .events = store_column_text(s, 6),
                                      .personal = store_column_text(s, 7),
                                      .ordered = store_column_int(s, 8) != 0,
                                      .why = store_column_text(s, 9),
                                      .failures = store_column_int(s, 10),
                                      .failing_since_ms = store_column_int(s, 11),
                                      .rests_until_ms = store_column_int(s, 12) };
        rc = fn(ctx, &e);
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

int webhook_endpoint_id(struct store_conn *c, struct slice name, int64_t *id, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT id FROM webhook_endpoints WHERE endpoint_id = ?1 AND state <> 4", &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, name);
    rc = store_step(s, err);
    *id = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    if (rc == 0)
        return err_reason(err, ERR_NOT_FOUND, "no_such_webhook",
                          "There is no such webhook; GET /v1/webhooks and feira webhooks list them.");
    return rc < 0 ? rc : 0;
}

/* --- secrets ------------------------------------------------------------------------------------------------------------------ */

static int count_secrets(struct store_conn *c, int64_t endpoint, int64_t *n, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT count(*) FROM webhook_secrets WHERE endpoint = ?1", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    rc = store_step(s, err);
    *n = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    return rc < 0 ? rc : 0;
}

int webhook_secret_add(struct store_conn *c, int64_t endpoint, struct slice secret, int64_t now_ms, int64_t earlier_end_ms, struct err *err)
{
    int64_t there = 0;
    struct store_stmt *s;
    int rc = run_with(c, "DELETE FROM webhook_secrets WHERE endpoint = ?1 AND until_ms <> 0 AND until_ms <= ?2", endpoint, now_ms, err);
    if (rc == 0 && earlier_end_ms > now_ms)
        rc = run_with(c, "UPDATE webhook_secrets SET until_ms = ?2 WHERE endpoint = ?1 AND until_ms = 0", endpoint, earlier_end_ms, err);
    else if (rc == 0)
        rc = run_with(c, "DELETE FROM webhook_secrets WHERE endpoint = ?1", endpoint, 0, err);
    if (rc == 0)
        rc = count_secrets(c, endpoint, &there, err);
    if (rc == 0 && there >= WEBHOOK_SECRETS_MAX)
        rc = err_reason(err, ERR_STATE, "too_many_secrets",
                        "%d secrets of this webhook still sign; wait until one of them ends, or end all earlier ones now with keep_for 0.",
                        WEBHOOK_SECRETS_MAX);
    if (rc == 0)
        rc = store_prepare(c, "INSERT INTO webhook_secrets (endpoint, secret) VALUES (?1, ?2)", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_blob(s, 2, secret);
    return store_run(s, NULL, err);
}

int webhook_secret_each(struct store_conn *c, int64_t endpoint, int64_t now_ms, int (*fn)(void *ctx, struct slice secret, int64_t until_ms),
                        void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT secret, until_ms FROM webhook_secrets WHERE endpoint = ?1 AND (until_ms = 0 OR until_ms > ?2)"
                           " ORDER BY id DESC",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, now_ms);
    while ((rc = store_step(s, err)) == 1) {
        rc = fn(ctx, store_column_text(s, 0), store_column_int(s, 1));
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}
