#include "host/stops.h"
#include "base/arena.h"
#include "base/map.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct stops_snapshot {
    atomic_uint refs;
    struct arena arena;
    size_t count;
    struct stop *stops;
};

struct stops {
    const struct clock *clock;
    pthread_mutex_t lock;        /* guards all below but version */
    struct stops_snapshot *rows; /* as they are in the store */
    struct map quarantined;      /* campaign → when, in ms */
    char generation[STOP_GENERATION_MAX];
    struct stops_snapshot *live; /* both */
    atomic_uint_fast64_t version;
};

/* --- snapshots ------------------------------------------------------------------------------------------------------------ */

static struct stops_snapshot *snapshot_new(size_t room)
{
    struct stops_snapshot *v = calloc(1, sizeof *v);
    if (!v)
        return NULL;
    atomic_init(&v->refs, 1);
    arena_init(&v->arena, NULL, 0);
    v->stops = arena_array(&v->arena, room + 1, sizeof *v->stops);
    if (!v->stops) {
        stops_release(v);
        return NULL;
    }
    return v;
}

void stops_release(struct stops_snapshot *v)
{
    if (!v || atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&v->arena);
    free(v);
}

static bool snapshot_add(struct stops_snapshot *v, const struct stop *s)
{
    struct stop copy = { arena_copy(&v->arena, s->campaign), arena_copy(&v->arena, s->reason), arena_copy(&v->arena, s->author), s->at_ms,
                         s->quarantined };
    if (!copy.campaign.data || !copy.reason.data || !copy.author.data)
        return false;
    v->stops[v->count++] = copy;
    return true;
}

size_t stops_count(const struct stops_snapshot *v)
{
    return v->count;
}

const struct stop *stops_at(const struct stops_snapshot *v, size_t i)
{
    return i < v->count ? &v->stops[i] : NULL;
}

static int by_campaign(const void *a, const void *b)
{
    return slice_cmp(((const struct stop *)a)->campaign, ((const struct stop *)b)->campaign);
}

bool stops_have(const struct stops_snapshot *v, struct slice campaign)
{
    struct stop wanted = { .campaign = campaign };
    return v->count && bsearch(&wanted, v->stops, v->count, sizeof *v->stops, by_campaign);
}

/* --- the live one ---------------------------------------------------------------------------------------------------------- */

/* With the lock. Out of memory: the old snapshot stays, and the caller says so. */
static bool publish(struct stops *s)
{
    struct stops_snapshot *next = snapshot_new(s->rows->count + s->quarantined.count);
    bool ok = next != NULL;
    for (size_t i = 0; ok && i < s->rows->count; i++)
        ok = snapshot_add(next, &s->rows->stops[i]);
    for (size_t i = 0; ok && i < s->quarantined.count; i++) {
        const struct map_entry *q = &s->quarantined.entries[i];
        if (!stops_have(s->rows, q->key))
            ok = snapshot_add(
                next, &(struct stop){ q->key, SLICE_LIT("it failed too often"), SLICE_LIT("feira"), (int64_t)(intptr_t)q->value, true });
    }
    if (!ok) {
        stops_release(next);
        return false;
    }
    if (next->count)
        qsort(next->stops, next->count, sizeof *next->stops, by_campaign);
    stops_release(s->live);
    s->live = next;
    atomic_fetch_add_explicit(&s->version, 1, memory_order_release);
    return true;
}

struct stops_snapshot *stops_acquire(struct stops *s)
{
    pthread_mutex_lock(&s->lock);
    struct stops_snapshot *v = s->live;
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&s->lock);
    return v;
}

uint64_t stops_version(const struct stops *s)
{
    return atomic_load_explicit(&s->version, memory_order_acquire);
}

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while reading what is stopped.");
}

static int count_rows(struct store_conn *conn, size_t *out, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT count(*) FROM stops", &q, err);
    if (rc < 0 || (rc = store_step(q, err)) < 0)
        return rc;
    *out = (size_t)store_column_int(q, 0);
    store_reset(q);
    return 0;
}

static int read_rows(struct store_conn *conn, struct stops_snapshot **out, struct err *err)
{
    size_t room = 0;
    struct store_stmt *q;
    int rc = count_rows(conn, &room, err);
    if (rc == 0)
        rc = store_prepare(conn, "SELECT campaign, reason, author, at FROM stops ORDER BY campaign", &q, err);
    if (rc < 0)
        return rc;
    struct stops_snapshot *v = snapshot_new(room);
    if (!v)
        return nomem(err);
    while ((rc = store_step(q, err)) == 1) {
        struct stop s = { store_column_text(q, 0), store_column_text(q, 1), store_column_text(q, 2), store_column_int(q, 3), false };
        if (v->count == room || !snapshot_add(v, &s)) {
            store_reset(q);
            rc = nomem(err);
            break;
        }
    }
    if (rc < 0)
        stops_release(v);
    else
        *out = v;
    return rc;
}

int stops_reload(struct stops *s, struct store_conn *conn, struct err *err)
{
    struct stops_snapshot *rows = NULL;
    int rc = read_rows(conn, &rows, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&s->lock);
    struct stops_snapshot *old = s->rows;
    s->rows = rows;
    bool ok = publish(s);
    if (!ok)
        s->rows = old;
    pthread_mutex_unlock(&s->lock);
    stops_release(ok ? old : rows);
    return ok ? 0 : nomem(err);
}

int stops_insert(struct store_conn *conn, struct slice campaign, struct slice reason, struct slice author, int64_t now_ms, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "INSERT INTO stops (campaign, reason, author, at) VALUES (?1, ?2, ?3, ?4) "
                           "ON CONFLICT (campaign) DO NOTHING",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, campaign);
    store_bind_text(q, 2, reason);
    store_bind_text(q, 3, author);
    store_bind_int(q, 4, now_ms);
    return store_run(q, NULL, err);
}

int stops_delete(struct store_conn *conn, struct slice campaign, struct err *err)
{
    struct store_stmt *q;
    int64_t changed;
    int rc = store_prepare(conn, "DELETE FROM stops WHERE campaign = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, campaign);
    if ((rc = store_run(q, &changed, err)) < 0)
        return rc;
    return changed ? 0 : err_set(err, ERR_NOT_FOUND, "This campaign is not stopped; GET /v1/stops lists those that are.");
}

/* --- quarantine -------------------------------------------------------------------------------------------------------------- */

void stops_set_generation(struct stops *s, const char *generation)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->generation, sizeof s->generation, "%s", generation);
    if (s->quarantined.count) {
        map_clear(&s->quarantined);
        publish(s); /* when it fails, the old snapshot stops a campaign of the same name for longer; the next change mends it */
    }
    pthread_mutex_unlock(&s->lock);
}

bool stops_quarantine(struct stops *s, struct slice campaign, const char *generation)
{
    bool done = false;
    void *now = (void *)(intptr_t)clock_wall_ms(s->clock);
    pthread_mutex_lock(&s->lock);
    if (strcmp(s->generation, generation) == 0 && !map_get(&s->quarantined, campaign) && map_set(&s->quarantined, campaign, now)) {
        done = publish(s);
        if (!done)
            map_remove(&s->quarantined, campaign); /* its next failure tries again */
    }
    pthread_mutex_unlock(&s->lock);
    return done;
}

bool stops_free(struct stops *s, struct slice campaign)
{
    pthread_mutex_lock(&s->lock);
    bool was = map_remove(&s->quarantined, campaign) != NULL;
    if (was)
        publish(s);
    pthread_mutex_unlock(&s->lock);
    return was;
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

int stops_open(struct store_conn *conn, const struct clock *clock, struct stops **out, struct err *err)
{
    *out = NULL;
    struct stops *s = calloc(1, sizeof *s);
    if (!s)
        return nomem(err);
    s->clock = clock;
    pthread_mutex_init(&s->lock, NULL);
    map_init(&s->quarantined, NULL);
    atomic_init(&s->version, 0);
    s->rows = snapshot_new(0);
    int rc = s->rows ? stops_reload(s, conn, err) : nomem(err);
    if (rc < 0) {
        stops_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void stops_close(struct stops *s)
{
    if (!s)
        return;
    stops_release(s->rows);
    stops_release(s->live);
    map_release(&s->quarantined);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
