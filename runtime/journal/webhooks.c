#include "journal/webhooks.h"
#include <assert.h>

/* --- small helpers ------------------------------------------------------------------------------------------------------------- */

/* sql with ?1 .. ?n as integers; n at most 4. */
static int run_ints(struct store_conn *c, const char *sql, int64_t a, int64_t b, int64_t d, int64_t e, int64_t *changed, struct err *err)
{
    const int64_t values[] = { a, b, d, e };
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < store_stmt_params(s); i++)
        store_bind_int(s, i + 1, values[i]);
    return store_run(s, changed, err);
}

/* The first column of the first row; 1 = there is one. */
static int ask_int(struct store_conn *c, const char *sql, int64_t a, int64_t b, int64_t *out, struct err *err)
{
    const int64_t values[] = { a, b };
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < store_stmt_params(s); i++)
        store_bind_int(s, i + 1, values[i]);
    rc = store_step(s, err);
    bool there = rc == 1 && store_column_type(s, 0) != STORE_NULL;
    *out = there ? store_column_int(s, 0) : 0;
    store_reset(s);
    return rc < 0 ? rc : there;
}

static int gone(struct err *err)
{
    return err_reason(err, ERR_NOT_FOUND, "no_such_message",
                      "The webhook has no such message, or it is so old that it was forgotten; GET /v1/webhooks/{id}/messages lists them.");
}

/* --- adding -------------------------------------------------------------------------------------------------------------------- */

int webhook_message_add(struct store_conn *c, struct slice message_id, struct slice event, struct slice body, int64_t now_ms, int64_t *id,
                        struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(c, "INSERT INTO webhook_messages (message_id, event, body, made_ms) VALUES (?1, ?2, ?3, ?4) RETURNING id", &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, message_id);
    store_bind_text(s, 2, event);
    store_bind_text(s, 3, body);
    store_bind_int(s, 4, now_ms);
    rc = store_step(s, err);
    *id = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    return rc < 0 ? rc : 0;
}

/* INDEXED BY and CROSS JOIN in what follows: whoever plans without having counted might walk all that an endpoint ever had. */
#define OPEN_LINE "endpoint = ?1 AND line = ?3 AND line <> '' AND standing <= 2"

int webhook_delivery_add(struct store_conn *c, int64_t endpoint, int64_t message, struct slice line, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO webhook_deliveries (endpoint, message, line, standing, due_ms)"
                           " SELECT ?1, ?2, ?3, CASE WHEN behind THEN 2 ELSE 1 END, CASE WHEN behind THEN NULL ELSE ?4 END"
                           " FROM (SELECT EXISTS (SELECT 1 FROM webhook_deliveries INDEXED BY webhook_line WHERE " OPEN_LINE ") AS behind)"
                           " WHERE EXISTS (SELECT 1 FROM webhook_endpoints WHERE id = ?1 AND state <> 4)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, message);
    store_bind_text(s, 3, line);
    store_bind_int(s, 4, now_ms);
    return store_run(s, NULL, err);
}

/* The first of a line that is open waits, those behind it have no time. One that waited already keeps its time. */
static int settle_line(struct store_conn *c, int64_t endpoint, struct slice line, int64_t now_ms, struct err *err)
{
    static const char *const steps[] = {
        "UPDATE webhook_deliveries SET standing = 1, due_ms = ?2 WHERE standing = 2 AND endpoint = ?1 AND message ="
        " (SELECT message FROM webhook_deliveries INDEXED BY webhook_line WHERE " OPEN_LINE " ORDER BY message LIMIT 1)",
        "UPDATE webhook_deliveries INDEXED BY webhook_line SET standing = 2, due_ms = NULL WHERE standing = 1 AND " OPEN_LINE
        " AND message > (SELECT message FROM webhook_deliveries INDEXED BY webhook_line WHERE " OPEN_LINE " ORDER BY message LIMIT 1)",
    };
    for (size_t i = 0; i < 2 && line.len; i++) {
        struct store_stmt *s;
        int rc = store_prepare(c, steps[i], &s, err);
        if (rc < 0)
            return rc;
        store_bind_int(s, 1, endpoint);
        store_bind_int(s, 2, now_ms);
        store_bind_text(s, 3, line);
        if ((rc = store_run(s, NULL, err)) < 0)
            return rc;
    }
    return 0;
}

/* --- looking ------------------------------------------------------------------------------------------------------------------- */

#define COLUMNS        "m.id, m.message_id, m.event, m.body, d.line, m.made_ms, d.standing, d.due_ms, d.tries, d.attempts"
#define FROM_BOTH      FROM_INDEX("")
#define FROM_INDEX(by) " FROM webhook_deliveries d " by " CROSS JOIN webhook_messages m ON m.id = d.message"

static int walk(struct store_stmt *s, webhook_delivery_fn fn, void *ctx, size_t *rows, struct err *err)
{
    int rc;
    *rows = 0;
    while ((rc = store_step(s, err)) == 1) {
        ++*rows;
        struct webhook_delivery d = { .message = store_column_int(s, 0),
                                      .message_id = store_column_text(s, 1),
                                      .event = store_column_text(s, 2),
                                      .body = store_column_text(s, 3),
                                      .line = store_column_text(s, 4),
                                      .made_ms = store_column_int(s, 5),
                                      .standing = (enum webhook_standing)store_column_int(s, 6),
                                      .due_ms = store_column_type(s, 7) == STORE_NULL ? 0 : store_column_int(s, 7),
                                      .tries = store_column_int(s, 8),
                                      .attempts = store_column_int(s, 9) };
        rc = fn(ctx, &d);
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

int webhook_each_due(struct store_conn *c, int64_t endpoint, int64_t now_ms, int limit, webhook_delivery_fn fn, void *ctx, struct err *err)
{
    struct store_stmt *s;
    size_t rows;
    int rc = store_prepare(c,
                           "SELECT " COLUMNS FROM_INDEX("INDEXED BY webhook_due") " WHERE d.endpoint = ?1 AND d.due_ms <= ?2"
                                                                                  " ORDER BY d.due_ms, d.message LIMIT ?3",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, now_ms);
    store_bind_int(s, 3, limit);
    return walk(s, fn, ctx, &rows, err);
}

int webhook_each(struct store_conn *c, int64_t endpoint, enum webhook_standing standing, int64_t before, int limit, webhook_delivery_fn fn,
                 void *ctx, struct err *err)
{
    static const char *const sql[] = {
        [0] = "SELECT " COLUMNS FROM_BOTH " WHERE d.endpoint = ?1 AND d.message < ?2 ORDER BY d.message DESC LIMIT ?3",
        [WEBHOOK_WAITS] =
            "SELECT " COLUMNS FROM_INDEX("INDEXED BY webhook_open") " WHERE d.endpoint = ?1 AND d.message < ?2 AND d.standing <= 2"
                                                                    " ORDER BY d.message DESC LIMIT ?3",
        [WEBHOOK_BEHIND] = "SELECT " COLUMNS FROM_BOTH " WHERE d.endpoint = ?1 AND d.message < ?2 AND d.standing = 2"
                           " ORDER BY d.message DESC LIMIT ?3",
        [WEBHOOK_TAKEN] = "SELECT " COLUMNS FROM_BOTH " WHERE d.endpoint = ?1 AND d.message < ?2 AND d.standing = 3"
                          " ORDER BY d.message DESC LIMIT ?3",
        [WEBHOOK_GIVEN_UP] =
            "SELECT " COLUMNS FROM_INDEX("INDEXED BY webhook_given_up") " WHERE d.endpoint = ?1 AND d.message < ?2 AND d.standing = 4"
                                                                        " ORDER BY d.message DESC LIMIT ?3",
    };
    struct store_stmt *s;
    int rc = store_prepare(c, sql[standing], &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, before ? before : INT64_MAX);
    store_bind_int(s, 3, limit);
    size_t rows;
    return walk(s, fn, ctx, &rows, err);
}

int webhook_find(struct store_conn *c, int64_t endpoint, struct slice message_id, webhook_delivery_fn fn, void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT " COLUMNS " FROM webhook_messages m CROSS JOIN webhook_deliveries d ON d.message = m.id"
                           " WHERE m.message_id = ?2 AND d.endpoint = ?1",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_text(s, 2, message_id);
    size_t rows;
    rc = walk(s, fn, ctx, &rows, err);
    return rc < 0 ? rc : rows ? 0 : gone(err);
}

int webhook_backlog(struct store_conn *c, int64_t endpoint, int at_most, int64_t *open, int64_t *oldest_ms, struct err *err)
{
    int rc = ask_int(c,
                     "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries INDEXED BY webhook_open WHERE endpoint = ?1"
                     " AND standing <= 2 LIMIT ?2)",
                     endpoint, at_most, open, err);
    if (rc < 0)
        return rc;
    rc = ask_int(c,
                 "SELECT made_ms FROM webhook_messages WHERE id = (SELECT message FROM webhook_deliveries INDEXED BY webhook_open"
                 " WHERE endpoint = ?1 AND standing <= 2 ORDER BY message LIMIT 1)",
                 endpoint, 0, oldest_ms, err);
    return rc < 0 ? rc : 0;
}

int webhook_given_up(struct store_conn *c, int64_t endpoint, int at_most, int64_t *count, struct err *err)
{
    int rc = ask_int(c,
                     "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries INDEXED BY webhook_given_up WHERE"
                     " endpoint = ?1 AND standing = 4 LIMIT ?2)",
                     endpoint, at_most, count, err);
    return rc < 0 ? rc : 0;
}

/* --- attempts ------------------------------------------------------------------------------------------------------------------ */

int64_t webhook_again_after_ms(int64_t tries)
{
    static const int64_t seconds[WEBHOOK_TRIES_MAX - 1] = { 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400 };
    assert(tries >= 1);
    return seconds[tries < WEBHOOK_TRIES_MAX ? tries - 1 : WEBHOOK_TRIES_MAX - 2] * 1000;
}

int64_t webhook_rest_ms(int64_t rests)
{
    static const int64_t seconds[] = { 10, 30, 60, 300, 900, 1800, 3600 };
    enum { STEPS = sizeof seconds / sizeof *seconds };
    assert(rests >= 1);
    return seconds[rests <= STEPS ? rests - 1 : STEPS - 1] * 1000;
}

static int64_t with_chance(int64_t ms, const struct webhook_attempt *a)
{
    return ms + ms / 5 * a->chance_permille / 1000;
}

struct current { /* of a delivery */
    enum webhook_standing standing;
    int64_t due_ms, tries, attempts;
    struct slice line; /* in store_keep() */
};

static int read_current(struct store_conn *c, const struct webhook_attempt *a, struct current *out, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT standing, due_ms, tries, attempts, line FROM webhook_deliveries WHERE endpoint = ?1 AND message = ?2",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, a->endpoint);
    store_bind_int(s, 2, a->message);
    rc = store_step(s, err);
    if (rc <= 0)
        return rc < 0 ? rc : gone(err);
    *out = (struct current){ .standing = (enum webhook_standing)store_column_int(s, 0),
                             .due_ms = store_column_type(s, 1) == STORE_NULL ? -1 : store_column_int(s, 1),
                             .tries = store_column_int(s, 2),
                             .attempts = store_column_int(s, 3) };
    rc = store_keep(c, store_column_text(s, 4), &out->line, err);
    store_reset(s);
    return rc;
}

static int keep_attempt(struct store_conn *c, const struct webhook_attempt *a, int64_t number, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO webhook_attempts (endpoint, message, number, at_ms, took_ms, status, why)"
                           " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, a->endpoint);
    store_bind_int(s, 2, a->message);
    store_bind_int(s, 3, number);
    store_bind_int(s, 4, a->at_ms);
    store_bind_int(s, 5, a->took_ms);
    store_bind_int(s, 6, a->status);
    store_bind_text(s, 7, a->why);
    return store_run(s, NULL, err);
}

static int end_delivery(struct store_conn *c, const struct webhook_attempt *a, const struct current *now, enum webhook_standing standing,
                        int64_t now_ms, struct err *err)
{
    int rc = run_ints(c, "UPDATE webhook_deliveries SET standing = ?3, due_ms = NULL, tries = ?4 WHERE endpoint = ?1 AND message = ?2",
                      a->endpoint, a->message, standing, standing == WEBHOOK_TAKEN ? 0 : now->tries + 1, NULL, err);
    return rc < 0 ? rc : settle_line(c, a->endpoint, now->line, now_ms, err);
}

static int record_delivery(struct store_conn *c, const struct webhook_attempt *a, int64_t now_ms, struct webhook_result *out,
                           struct err *err)
{
    struct current now;
    int rc = read_current(c, a, &now, err);
    if (rc == 0)
        rc = keep_attempt(c, a, now.attempts + 1, err);
    if (rc == 0)
        rc = run_ints(c, "UPDATE webhook_deliveries SET attempts = attempts + 1 WHERE endpoint = ?1 AND message = ?2", a->endpoint,
                      a->message, 0, 0, NULL, err);
    if (rc < 0)
        return rc;
    if (a->taken)
        return end_delivery(c, a, &now, WEBHOOK_TAKEN, now_ms, err);
    if (now.standing != WEBHOOK_WAITS || now.due_ms != a->due_ms)
        return 0; /* moved by hand meanwhile: it waits as it was told to */
    out->tries = now.tries + 1;
    if (out->tries >= WEBHOOK_TRIES_MAX) {
        out->given_up = true;
        return end_delivery(c, a, &now, WEBHOOK_GIVEN_UP, now_ms, err);
    }
    out->again_ms = now_ms + with_chance(webhook_again_after_ms(out->tries), a);
    if (out->again_ms < a->not_before_ms)
        out->again_ms = a->not_before_ms;
    return run_ints(c, "UPDATE webhook_deliveries SET due_ms = ?3, tries = ?4 WHERE endpoint = ?1 AND message = ?2", a->endpoint,
                    a->message, out->again_ms, out->tries, NULL, err);
}

static int disable(struct store_conn *c, const struct webhook_attempt *a, const char *why, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "UPDATE webhook_endpoints SET state = 3, why = ?2 WHERE id = ?1", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, a->endpoint);
    store_bind_text(s, 2, slice_str(why));
    return store_run(s, NULL, err);
}

struct health {
    int64_t failures, since_ms, rests, rests_until_ms, state;
};

static int read_health(struct store_conn *c, int64_t endpoint, struct health *h, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT failures, failing_since_ms, rests, rests_until_ms, state FROM webhook_endpoints"
                           " WHERE id = ?1 AND state <> 4",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    if ((rc = store_step(s, err)) <= 0)
        return rc < 0 ? rc : gone(err);
    *h = (struct health){ store_column_int(s, 0), store_column_int(s, 1), store_column_int(s, 2), store_column_int(s, 3),
                          store_column_int(s, 4) };
    store_reset(s);
    return 0;
}

static int write_health(struct store_conn *c, int64_t endpoint, const struct health *h, struct err *err)
{
    const int64_t values[] = { endpoint, h->failures, h->since_ms, h->rests, h->rests_until_ms };
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "UPDATE webhook_endpoints SET failures = ?2, failing_since_ms = ?3, rests = ?4, rests_until_ms = ?5"
                           " WHERE id = ?1",
                           &s, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 5; i++)
        store_bind_int(s, i + 1, values[i]);
    return store_run(s, NULL, err);
}

/* Several requests may be under way, and fail at once: that is one rest, not several. */
static void failed_again(struct health *h, const struct webhook_attempt *a, int64_t now_ms)
{
    h->failures++;
    h->since_ms = h->since_ms ? h->since_ms : now_ms;
    if (h->failures >= WEBHOOK_RESTS_FROM && h->rests_until_ms <= now_ms)
        h->rests_until_ms = now_ms + with_chance(webhook_rest_ms(++h->rests), a);
    if (h->rests_until_ms < a->not_before_ms)
        h->rests_until_ms = a->not_before_ms;
}

static int record_health(struct store_conn *c, const struct webhook_attempt *a, int64_t now_ms, struct webhook_result *out, struct err *err)
{
    struct health h = { 0 };
    int rc = read_health(c, a->endpoint, &h, err);
    if (rc < 0 || (a->taken && h.failures == 0 && h.rests_until_ms == 0))
        return rc;
    if (a->taken)
        h = (struct health){ .state = h.state };
    else
        failed_again(&h, a, now_ms);
    rc = write_health(c, a->endpoint, &h, err);
    out->health_changed = true;
    out->failures = h.failures;
    bool too_long = h.failures >= WEBHOOK_TRIES_MAX && now_ms - h.since_ms >= WEBHOOK_DISABLED_AFTER_MS;
    out->disabled = rc == 0 && !a->taken && h.state != WEBHOOK_DISABLED && (a->gone || too_long);
    if (out->disabled)
        rc = disable(c, a, a->gone ? "It answered 410 Gone: it wants nothing more." : "It took nothing for three days.", err);
    return rc;
}

int webhook_record(struct store_conn *c, const struct webhook_attempt *a, int64_t now_ms, struct webhook_result *out, struct err *err)
{
    *out = (struct webhook_result){ 0 };
    int rc = record_delivery(c, a, now_ms, out, err);
    return rc < 0 ? rc : record_health(c, a, now_ms, out, err);
}

int webhook_attempt_each(struct store_conn *c, int64_t endpoint, int64_t message, int (*fn)(void *ctx, const struct webhook_attempt_row *a),
                         void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT number, at_ms, took_ms, status, why FROM webhook_attempts WHERE endpoint = ?1 AND message = ?2"
                           " ORDER BY number",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, message);
    while ((rc = store_step(s, err)) == 1) {
        struct webhook_attempt_row a = { .number = store_column_int(s, 0),
                                         .at_ms = store_column_int(s, 1),
                                         .took_ms = store_column_int(s, 2),
                                         .status = (int)store_column_int(s, 3),
                                         .why = store_column_text(s, 4) };
        rc = fn(ctx, &a);
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

/* --- by hand ------------------------------------------------------------------------------------------------------------------- */

static int replay_one(struct store_conn *c, int64_t endpoint, int64_t message, struct slice line, int64_t now_ms, struct err *err)
{
    int rc = run_ints(c, "UPDATE webhook_deliveries SET standing = 1, due_ms = ?3, tries = 0 WHERE endpoint = ?1 AND message = ?2",
                      endpoint, message, now_ms, 0, NULL, err);
    return rc < 0 ? rc : settle_line(c, endpoint, line, now_ms, err);
}

struct found {
    struct store_conn *conn;
    int64_t message;
    struct slice line;
};

static int note_found(void *ctx, const struct webhook_delivery *d)
{
    struct found *f = ctx;
    f->message = d->message;
    return store_keep(f->conn, d->line, &f->line, NULL);
}

int webhook_replay(struct store_conn *c, int64_t endpoint, struct slice message_id, int64_t now_ms, struct err *err)
{
    struct found f = { .conn = c };
    int rc = webhook_find(c, endpoint, message_id, note_found, &f, err);
    return rc < 0 ? rc : replay_one(c, endpoint, f.message, f.line, now_ms, err);
}

/* A row of message and line: 1, or 0 when there is none. The line stays until the next store_keep(). */
static int take_delivery(struct store_conn *c, struct store_stmt *s, int64_t *message, struct slice *line, struct err *err)
{
    int rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    *message = store_column_int(s, 0);
    rc = store_keep(c, store_column_text(s, 1), line, err);
    store_reset(s);
    return rc < 0 ? rc : 1;
}

/* The first delivery after *after that is to be replayed; 1 = there is one. */
static int next_to_replay(struct store_conn *c, int64_t endpoint, bool all, int64_t *after, struct slice *line, struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(c,
                      all ? "SELECT message, line FROM webhook_deliveries WHERE endpoint = ?1 AND message > ?2 AND standing >= 3"
                            " ORDER BY message LIMIT 1"
                          : "SELECT message, line FROM webhook_deliveries INDEXED BY webhook_given_up WHERE endpoint = ?1 AND message > ?2"
                            " AND standing = 4"
                            " ORDER BY message LIMIT 1",
                      &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, *after);
    return take_delivery(c, s, after, line, err);
}

/* The number of the first message since then, found by halves: they are numbered in their order, so no index is kept by time. */
static int first_since(struct store_conn *c, int64_t since_ms, int64_t *out, struct err *err)
{
    int64_t low = 0, high = 0, made_ms; /* what is sought is above low, and not above high + 1 */
    int rc = ask_int(c, "SELECT max(id) FROM webhook_messages", 0, 0, &high, err);
    if (rc > 0)
        rc = ask_int(c, "SELECT min(id) - 1 FROM webhook_messages", 0, 0, &low, err);
    while (rc >= 0 && low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        rc = ask_int(c, "SELECT made_ms FROM webhook_messages WHERE id <= ?1 ORDER BY id DESC LIMIT 1", middle, 0, &made_ms, err);
        if (rc >= 0 && made_ms < since_ms)
            low = middle;
        else
            high = middle - 1;
    }
    *out = low + 1;
    return rc < 0 ? rc : 0;
}

int webhook_replay_since(struct store_conn *c, int64_t endpoint, int64_t since_ms, bool all, int64_t *after, int limit, int64_t now_ms,
                         int64_t *replayed, bool *more, struct err *err)
{
    int64_t first = 0;
    *replayed = 0;
    *more = false;
    int rc = first_since(c, since_ms, &first, err);
    if (rc < 0)
        return rc;
    if (*after < first - 1)
        *after = first - 1;
    for (int n = 0; n < limit; n++) {
        struct slice line;
        rc = next_to_replay(c, endpoint, all, after, &line, err);
        if (rc <= 0)
            return rc;
        if ((rc = replay_one(c, endpoint, *after, line, now_ms, err)) < 0)
            return rc;
        ++*replayed;
    }
    *more = true;
    return 0;
}

/* --- forgetting ---------------------------------------------------------------------------------------------------------------- */

/* The number of the last of at most `limit` messages, from the oldest on, that are old enough; 0 = none is. */
static int last_old(struct store_conn *c, int64_t older_than_ms, int limit, int64_t *out, int64_t *count, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT id, made_ms FROM webhook_messages ORDER BY id LIMIT ?1", &s, err);
    *out = *count = 0;
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, limit);
    while ((rc = store_step(s, err)) == 1) {
        if (store_column_int(s, 1) >= older_than_ms) {
            store_reset(s);
            return 0;
        }
        *out = store_column_int(s, 0);
        ++*count;
    }
    return rc;
}

/* The line of an open delivery up to that message, after line `from`; 1 = there is one. */
static int open_line(struct store_conn *c, int64_t endpoint, int64_t upto, struct slice *line, int64_t *message, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(
        c,
        "SELECT message, line FROM webhook_deliveries INDEXED BY webhook_open WHERE endpoint = ?1 AND message <= ?2 AND message > ?3"
        " AND standing <= 2 ORDER BY message LIMIT 1",
        &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, endpoint);
    store_bind_int(s, 2, upto);
    store_bind_int(s, 3, *message);
    return take_delivery(c, s, message, line, err);
}

static int drop_upto(struct store_conn *c, int64_t endpoint, int64_t upto, int64_t now_ms, int64_t *missed, struct err *err)
{
    int64_t message = 0;
    struct slice line;
    int rc;
    /* One by one: whoever stood behind it is due. */
    while ((rc = open_line(c, endpoint, upto, &line, &message, err)) == 1) {
        rc = run_ints(c, "DELETE FROM webhook_deliveries WHERE endpoint = ?1 AND message = ?2", endpoint, message, 0, 0, NULL, err);
        if (rc == 0)
            rc = settle_line(c, endpoint, line, now_ms, err);
        if (rc < 0)
            return rc;
        ++*missed;
    }
    if (rc == 0)
        rc = run_ints(c, "DELETE FROM webhook_deliveries WHERE endpoint = ?1 AND message <= ?2", endpoint, upto, 0, 0, NULL, err);
    if (rc == 0)
        rc = run_ints(c, "DELETE FROM webhook_attempts WHERE endpoint = ?1 AND message <= ?2", endpoint, upto, 0, 0, NULL, err);
    return rc;
}

static int sweep_old(struct store_conn *c, int64_t older_than_ms, int limit, int64_t now_ms, int64_t *missed, bool *more, struct err *err)
{
    int64_t upto, count, endpoint = 0;
    int rc = last_old(c, older_than_ms, limit, &upto, &count, err);
    if (rc < 0 || upto == 0)
        return rc;
    while ((rc = ask_int(c, "SELECT min(endpoint) FROM webhook_deliveries WHERE endpoint > ?1", endpoint, 0, &endpoint, err)) == 1)
        if ((rc = drop_upto(c, endpoint, upto, now_ms, missed, err)) < 0)
            return rc;
    *more = *more || count == limit;
    return rc < 0 ? rc : run_ints(c, "DELETE FROM webhook_messages WHERE id <= ?1", upto, 0, 0, 0, NULL, err);
}

static int sweep_removed(struct store_conn *c, int limit, bool *more, struct err *err)
{
    int64_t endpoint, upto;
    int rc = ask_int(c, "SELECT id FROM webhook_endpoints WHERE state = 4 ORDER BY id LIMIT 1", 0, 0, &endpoint, err);
    if (rc <= 0)
        return rc;
    *more = true;
    rc = ask_int(c, "SELECT max(message) FROM (SELECT message FROM webhook_deliveries WHERE endpoint = ?1 ORDER BY message LIMIT ?2)",
                 endpoint, limit, &upto, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return run_ints(c, "DELETE FROM webhook_endpoints WHERE id = ?1", endpoint, 0, 0, 0, NULL, err);
    rc = run_ints(c, "DELETE FROM webhook_deliveries WHERE endpoint = ?1 AND message <= ?2", endpoint, upto, 0, 0, NULL, err);
    if (rc == 0)
        rc = run_ints(c, "DELETE FROM webhook_attempts WHERE endpoint = ?1 AND message <= ?2", endpoint, upto, 0, 0, NULL, err);
    return rc;
}

int webhook_sweep(struct store_conn *c, int64_t older_than_ms, int limit, int64_t now_ms, int64_t *missed, bool *more, struct err *err)
{
    *more = false;
    *missed = 0;
    int rc = run_ints(c, "DELETE FROM webhook_secrets WHERE until_ms <> 0 AND until_ms <= ?1", now_ms, 0, 0, 0, NULL, err);
    if (rc == 0)
        rc = sweep_old(c, older_than_ms, limit, now_ms, missed, more, err);
    return rc < 0 ? rc : sweep_removed(c, limit, more, err);
}
