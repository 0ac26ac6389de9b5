#include "journal/events.h"
#include "journal/journal.h"
#include "journal/journal_int.h"
#include "journal/tries.h"

#define PARKED "due_ms >= 4503599627370496" /* JOURNAL_PARKED_MS */

const char *journal_events_schema_sql(void)
{
    /* AUTOINCREMENT: a dead letter comes back under its id. What earlier versions kept as timers whose key is an id and the payload moves
     * here, each in a line of its own, as it was. */
    return "CREATE TABLE journal_events ("
           " id INTEGER PRIMARY KEY AUTOINCREMENT,"
           " subscriber TEXT NOT NULL,"
           " event TEXT NOT NULL,"
           " key TEXT NOT NULL,"
           " payload TEXT NOT NULL,"
           " made_ms INTEGER NOT NULL,"
           " due_ms INTEGER," /* NULL: behind an earlier one of its line */
           " tries INTEGER NOT NULL DEFAULT 0,"
           " why TEXT NOT NULL DEFAULT ''"
           ");"
           "CREATE INDEX journal_events_line ON journal_events(subscriber, key);"
           "CREATE INDEX journal_events_due ON journal_events(due_ms) WHERE due_ms IS NOT NULL;"
           "CREATE INDEX journal_events_parked ON journal_events(subscriber, due_ms) WHERE " PARKED ";"
           "CREATE TABLE journal_dead ("
           " id INTEGER PRIMARY KEY,"
           " subscriber TEXT NOT NULL,"
           " event TEXT NOT NULL,"
           " key TEXT NOT NULL,"
           " payload TEXT NOT NULL,"
           " made_ms INTEGER NOT NULL,"
           " died_ms INTEGER NOT NULL,"
           " tries INTEGER NOT NULL,"
           " why TEXT NOT NULL"
           ");"
           "INSERT INTO journal_events (subscriber, event, key, payload, made_ms, due_ms)"
           " SELECT substr(procedure, 1, instr(procedure, '/') - 1), substr(procedure, instr(procedure, '/') + 1), '',"
           " substr(key, instr(key, ' ') + 1), due_ms & ((1 << 52) - 1), due_ms"
           " FROM journal_timers WHERE procedure GLOB 'plugin:*/*' ORDER BY id;"
           "DELETE FROM journal_timers WHERE procedure GLOB 'plugin:*/*';";
}

/* Index of the key in each line: rowids stand behind it, so a line is in the order of its ids. */
#define LINE "subscriber = ?1 AND key = ?2 AND key <> ''"

int event_add(struct store_conn *c, struct slice subscriber, struct slice event, struct slice key, struct slice payload, int64_t now_ms,
              struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO journal_events (subscriber, key, event, payload, made_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?5,"
                           " CASE WHEN EXISTS (SELECT 1 FROM journal_events WHERE " LINE ") THEN NULL ELSE ?5 END)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, subscriber);
    store_bind_text(s, 2, key);
    store_bind_text(s, 3, event);
    store_bind_text(s, 4, payload);
    store_bind_int(s, 5, now_ms < JOURNAL_PARKED_MS ? now_ms : JOURNAL_PARKED_MS - 1);
    return store_run(s, NULL, err);
}

/* --- looking -------------------------------------------------------------------------------------------------------------- */

#define COLUMNS "id, made_ms, due_ms, tries, subscriber, event, key, payload, why"

static void read_row(struct store_stmt *s, bool dead, struct event_row *e)
{
    bool behind = !dead && store_column_type(s, 2) == STORE_NULL;
    int64_t due_ms = behind ? 0 : store_column_int(s, 2);
    bool parked = !dead && due_ms >= JOURNAL_PARKED_MS;
    *e = (struct event_row){ .id = store_column_int(s, 0),
                             .made_ms = store_column_int(s, 1),
                             .due_ms = due_ms,
                             .tries = (int)store_column_int(s, 3),
                             .standing = dead     ? EVENT_DEAD
                                         : behind ? EVENT_BEHIND
                                         : parked ? EVENT_PARKED
                                                  : EVENT_WAITS,
                             .subscriber = store_column_text(s, 4),
                             .event = store_column_text(s, 5),
                             .key = store_column_text(s, 6),
                             .payload = store_column_text(s, 7),
                             .why = store_column_text(s, 8) };
}

static int walk(struct store_stmt *s, bool dead, event_fn fn, void *ctx, struct err *err)
{
    int rc;
    while ((rc = store_step(s, err)) > 0) {
        struct event_row e;
        read_row(s, dead, &e);
        rc = fn(ctx, &e);
        if (rc != 0) {
            store_reset(s);
            return rc;
        }
    }
    return rc;
}

int event_next_due(struct store_conn *c, int64_t *due_ms, struct err *err)
{
    return journal_next_due(c, "SELECT due_ms FROM journal_events WHERE due_ms < ?1 ORDER BY due_ms LIMIT 1", due_ms, err);
}

int event_each_due(struct store_conn *c, int64_t now_ms, int limit, event_fn fn, void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT " COLUMNS " FROM journal_events WHERE due_ms <= ?1 ORDER BY due_ms, id LIMIT ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, now_ms);
    store_bind_int(s, 2, limit);
    return walk(s, false, fn, ctx, err);
}

int event_each(struct store_conn *c, bool dead, int64_t after, int limit, event_fn fn, void *ctx, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           dead ? "SELECT id, made_ms, died_ms, tries, subscriber, event, key, payload, why FROM journal_dead"
                                  " WHERE id > ?1 ORDER BY id LIMIT ?2"
                                : "SELECT " COLUMNS " FROM journal_events WHERE id > ?1 ORDER BY id LIMIT ?2",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, after);
    store_bind_int(s, 2, limit);
    return walk(s, dead, fn, ctx, err);
}

int event_count(struct store_conn *c, bool dead, int at_most, int64_t *count, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           dead ? "SELECT count(*) FROM (SELECT 1 FROM journal_dead LIMIT ?1)"
                                : "SELECT count(*) FROM (SELECT 1 FROM journal_events LIMIT ?1)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, at_most);
    rc = store_step(s, err);
    *count = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    return rc < 0 ? rc : 0;
}

/* --- what becomes of one ----------------------------------------------------------------------------------------------------- */

static int gone(struct err *err)
{
    return err_reason(err, ERR_NOT_FOUND, "event_gone", "The event was heard, moved or given up meanwhile; there is nothing to do.");
}

/* sql: ?1 = id; ?2 = due_ms and ?3 = n where it has them. ERR_NOT_FOUND when it changes nothing. */
static int with_event(struct store_conn *c, const char *sql, int64_t id, int64_t due_ms, int64_t n, struct err *err)
{
    const int64_t values[] = { id, due_ms, n };
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    for (int i = 0; i < store_stmt_params(s); i++)
        store_bind_int(s, i + 1, values[i]);
    int64_t changed = 0;
    rc = store_run(s, &changed, err);
    return rc == 0 && changed == 0 ? gone(err) : rc;
}

/* Who stands behind it is due. Before it is removed: it knows the line. */
static int next_in_line(struct store_conn *c, int64_t id, int64_t due_ms, int64_t now_ms, struct err *err)
{
    int rc = with_event(c,
                        "UPDATE journal_events SET due_ms = ?3 WHERE id = (SELECT n.id FROM journal_events e JOIN journal_events n"
                        " ON n.subscriber = e.subscriber AND n.key = e.key AND n.id > e.id"
                        " WHERE e.id = ?1 AND e.due_ms = ?2 AND e.key <> '' ORDER BY n.id LIMIT 1)",
                        id, due_ms, now_ms, err);
    return rc == ERR_NOT_FOUND ? 0 : rc;
}

int event_done(struct store_conn *c, int64_t id, int64_t due_ms, int64_t now_ms, struct err *err)
{
    int rc = next_in_line(c, id, due_ms, now_ms, err);
    return rc < 0 ? rc : with_event(c, "DELETE FROM journal_events WHERE id = ?1 AND due_ms = ?2", id, due_ms, 0, err);
}

static int tries_of(struct store_conn *c, int64_t id, int64_t due_ms, int *tries, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT tries FROM journal_events WHERE id = ?1 AND due_ms = ?2", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    store_bind_int(s, 2, due_ms);
    rc = store_step(s, err);
    *tries = rc == 1 ? (int)store_column_int(s, 0) : 0;
    store_reset(s);
    return rc == 0 ? gone(err) : rc < 0 ? rc : 0;
}

/* ?1 = id, ?2 = a time, ?3 = tries, ?4 = why */
static int note_failure(struct store_conn *c, const char *sql, int64_t id, int64_t ms, int tries, struct slice why, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    store_bind_int(s, 2, ms);
    store_bind_int(s, 3, tries);
    store_bind_text(s, 4, why);
    return store_run(s, NULL, err);
}

int event_failed(struct store_conn *c, int64_t id, int64_t due_ms, int64_t now_ms, struct slice why, bool *dead, struct err *err)
{
    int tries;
    *dead = false;
    int rc = tries_of(c, id, due_ms, &tries, err);
    if (rc < 0)
        return rc;
    *dead = ++tries >= TRIES_MAX;
    if (!*dead)
        return note_failure(c, "UPDATE journal_events SET due_ms = ?2, tries = ?3, why = ?4 WHERE id = ?1", id,
                            now_ms + tries_again_after_ms(tries), tries, why, err);
    rc = note_failure(c,
                      "INSERT INTO journal_dead (id, subscriber, event, key, payload, made_ms, died_ms, tries, why)"
                      " SELECT id, subscriber, event, key, payload, made_ms, ?2, ?3, ?4 FROM journal_events WHERE id = ?1",
                      id, now_ms, tries, why, err);
    return rc < 0 ? rc : event_done(c, id, due_ms, now_ms, err);
}

/* Among the events it gets its number, so that no other dead letter has it. */
int event_bury_job(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, int64_t now_ms, int64_t tries,
                   struct slice why, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "INSERT INTO journal_events (subscriber, event, key, payload, made_ms, due_ms, tries, why)"
                           " VALUES (?1, '', ?2, '{}', ?3, NULL, ?4, ?5) RETURNING id",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_text(s, 1, procedure);
    store_bind_text(s, 2, key);
    store_bind_int(s, 3, due_ms);
    store_bind_int(s, 4, tries);
    store_bind_text(s, 5, why);
    rc = store_step(s, err);
    int64_t id = rc == 1 ? store_column_int(s, 0) : 0;
    store_reset(s);
    if (rc < 0)
        return rc;
    rc = with_event(c,
                    "INSERT INTO journal_dead (id, subscriber, event, key, payload, made_ms, died_ms, tries, why)"
                    " SELECT id, subscriber, event, key, payload, made_ms, ?2, tries, why FROM journal_events WHERE id = ?1",
                    id, now_ms, 0, err);
    return rc < 0 ? rc : with_event(c, "DELETE FROM journal_events WHERE id = ?1", id, 0, 0, err);
}

int event_postpone(struct store_conn *c, int64_t id, int64_t due_ms, int64_t again_ms, struct err *err)
{
    return with_event(c, "UPDATE journal_events SET due_ms = ?3 WHERE id = ?1 AND due_ms = ?2", id, due_ms, again_ms, err);
}

int event_park(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err)
{
    return event_postpone(c, id, due_ms, due_ms + JOURNAL_PARKED_MS, err);
}

int event_any_parked(struct store_conn *c, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, "SELECT 1 FROM journal_events WHERE " PARKED " LIMIT 1", &s, err);
    if (rc < 0)
        return rc;
    rc = store_step(s, err);
    store_reset(s);
    return rc;
}

int event_unpark(struct store_conn *c, struct slice subscriber, int limit, int64_t *moved, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "UPDATE journal_events SET due_ms = due_ms - ?1 WHERE id IN"
                           " (SELECT id FROM journal_events WHERE subscriber = ?2 AND " PARKED " ORDER BY due_ms LIMIT ?3)",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, JOURNAL_PARKED_MS);
    store_bind_text(s, 2, subscriber);
    store_bind_int(s, 3, limit);
    return store_run(s, moved, err);
}

/* --- by hand ------------------------------------------------------------------------------------------------------------------ */

static int no_such_event(struct err *err)
{
    return err_reason(err, ERR_NOT_FOUND, "no_such_event", "There is no such event: it was heard, or dropped, or never was.");
}

/* 1 = the dead letter is a job: its timer is due, and it is gone. */
static int replay_job(struct store_conn *c, int64_t id, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    struct slice both, procedure, key;
    int rc = store_prepare(c, "SELECT subscriber || char(10) || key FROM journal_dead WHERE id = ?1 AND event = ''", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    rc = store_keep(c, store_column_text(s, 0), &both, err);
    store_reset(s);
    if (rc < 0)
        return rc;
    const char *cut = memchr(both.data, '\n', both.len); /* the name of a procedure has none */
    procedure = slice_of(both.data, (size_t)(cut - both.data));
    key = slice_of(cut + 1, both.len - procedure.len - 1);
    rc = timer_set(c, procedure, key, now_ms, err);
    if (rc == 0)
        rc = event_drop(c, id, err);
    return rc < 0 ? rc : 1;
}

static int replay_dead(struct store_conn *c, int64_t id, int64_t now_ms, struct err *err)
{
    int job = replay_job(c, id, now_ms, err);
    if (job != 0)
        return job < 0 ? job : 0;
    /* It may be older than all that stand in its line: then who was the first is behind it now. */
    int rc = with_event(c,
                        "UPDATE journal_events SET due_ms = NULL WHERE id > ?1 AND id = (SELECT min(n.id) FROM journal_dead d"
                        " JOIN journal_events n ON n.subscriber = d.subscriber AND n.key = d.key WHERE d.id = ?1 AND d.key <> '')",
                        id, 0, 0, err);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    rc = with_event(c,
                    "INSERT INTO journal_events (id, subscriber, event, key, payload, made_ms, due_ms, why)"
                    " SELECT id, subscriber, event, key, payload, made_ms,"
                    " CASE WHEN EXISTS (SELECT 1 FROM journal_events n WHERE n.subscriber = d.subscriber AND n.key = d.key AND d.key <> ''"
                    " AND n.id < d.id) THEN NULL ELSE ?2 END, why FROM journal_dead d WHERE id = ?1",
                    id, now_ms, 0, err);
    return rc < 0 ? rc : event_drop(c, id, err);
}

static int replay_waiting(struct store_conn *c, int64_t id, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c,
                           "SELECT due_ms, (SELECT min(n.id) FROM journal_events n WHERE n.subscriber = e.subscriber AND n.key = e.key)"
                           " FROM journal_events e WHERE id = ?1",
                           &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, id);
    rc = store_step(s, err);
    if (rc <= 0)
        return rc < 0 ? rc : no_such_event(err);
    bool behind = store_column_type(s, 0) == STORE_NULL;
    int64_t due_ms = behind ? 0 : store_column_int(s, 0), first = store_column_int(s, 1);
    store_reset(s);
    if (behind)
        return err_reason(err, ERR_STATE, "event_behind", "It waits for event %lld, which has the same key and is older; replay that one.",
                          (long long)first);
    if (due_ms >= JOURNAL_PARKED_MS)
        return err_reason(err, ERR_STATE, "event_parked", "Its plugin is stopped; it is heard when the plugin is resumed.");
    return event_postpone(c, id, due_ms, now_ms, err);
}

int event_replay(struct store_conn *c, int64_t id, int64_t now_ms, struct err *err)
{
    int rc = replay_dead(c, id, now_ms, err);
    return rc == ERR_NOT_FOUND ? replay_waiting(c, id, now_ms, err) : rc;
}

static int keep_id(void *ctx, const struct event_row *e)
{
    int64_t *ids = ctx;
    ids[1 + ids[0]++] = e->id;
    return 0;
}

int event_replay_dead(struct store_conn *c, int limit, int64_t now_ms, int64_t *replayed, struct err *err)
{
    enum { AT_ONCE = 500 };
    int64_t ids[1 + AT_ONCE] = { 0 }; /* how many, and which */
    int rc = event_each(c, true, 0, limit < AT_ONCE ? limit : AT_ONCE, keep_id, ids, err);
    for (int64_t i = 0; i < ids[0] && rc == 0; i++)
        rc = replay_dead(c, ids[1 + i], now_ms, err);
    *replayed = ids[0];
    return rc;
}

int event_drop(struct store_conn *c, int64_t id, struct err *err)
{
    int rc = with_event(c, "DELETE FROM journal_dead WHERE id = ?1", id, 0, 0, err);
    return rc == ERR_NOT_FOUND ? no_such_event(err) : rc;
}
