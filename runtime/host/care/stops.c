#include "host/care/stops.h"
#include "base/arena.h"
#include "base/map.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { STOP_WHY_MAX = 640 };

struct stops_snapshot {
    atomic_uint refs;
    struct arena arena;
    size_t count;
    struct stop *stops;
};

struct quarantined {
    int64_t at_ms;
    char why[STOP_WHY_MAX];
};

struct stops {
    const struct clock *clock;
    pthread_mutex_t lock;        /* guards all below but version */
    struct stops_snapshot *rows; /* as they are in the store */
    struct map quarantined;      /* row_name() → struct quarantined */
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

/* In the table and in the map plugins stand beside campaigns, whose ids have no '/'. */
static const char plugin_prefix[] = "plugin/";
enum { PREFIX = sizeof plugin_prefix - 1, ROW_NAME_MAX = 160 };

static struct slice row_name(enum stop_kind kind, struct slice name, char buf[ROW_NAME_MAX])
{
    if (kind == STOP_CAMPAIGN)
        return name;
    int n = snprintf(buf, ROW_NAME_MAX, "%s%.*s", plugin_prefix, SLICE_FMT(name));
    return slice_of(buf, n < ROW_NAME_MAX ? (size_t)n : 0);
}

static enum stop_kind kind_of_row(struct slice row, struct slice *name)
{
    bool plugin = row.len > PREFIX && memcmp(row.data, plugin_prefix, PREFIX) == 0;
    *name = plugin ? slice_of(row.data + PREFIX, row.len - PREFIX) : row;
    return plugin ? STOP_PLUGIN : STOP_CAMPAIGN;
}

static bool snapshot_add(struct stops_snapshot *v, const struct stop *s)
{
    struct stop copy = *s;
    copy.name = arena_copy(&v->arena, s->name);
    copy.reason = arena_copy(&v->arena, s->reason);
    copy.author = arena_copy(&v->arena, s->author);
    if (!copy.name.data || !copy.reason.data || !copy.author.data)
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

static int in_order(const void *a, const void *b)
{
    const struct stop *x = a, *y = b;
    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : slice_cmp(x->name, y->name);
}

const struct stop *stops_find(const struct stops_snapshot *v, enum stop_kind kind, struct slice name)
{
    struct stop wanted = { .kind = kind, .name = name };
    return v && v->count ? bsearch(&wanted, v->stops, v->count, sizeof *v->stops, in_order) : NULL;
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
        const struct map_entry *entry = &s->quarantined.entries[i];
        const struct quarantined *q = entry->value;
        struct slice name;
        enum stop_kind kind = kind_of_row(entry->key, &name);
        if (!stops_find(s->rows, kind, name))
            ok = snapshot_add(next, &(struct stop){ kind, name, slice_str(q->why), SLICE_LIT("feira"), q->at_ms, true });
    }
    if (!ok) {
        stops_release(next);
        return false;
    }
    if (next->count)
        qsort(next->stops, next->count, sizeof *next->stops, in_order);
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
        struct stop s = { .reason = store_column_text(q, 1), .author = store_column_text(q, 2), .at_ms = store_column_int(q, 3) };
        s.kind = kind_of_row(store_column_text(q, 0), &s.name);
        if (v->count == room || !snapshot_add(v, &s)) {
            store_reset(q);
            rc = nomem(err);
            break;
        }
    }
    if (rc < 0) {
        stops_release(v);
        return rc;
    }
    qsort(v->stops, v->count, sizeof *v->stops, in_order);
    *out = v;
    return 0;
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

int stops_insert(struct store_conn *conn, enum stop_kind kind, struct slice name, struct slice reason, struct slice author, int64_t now_ms,
                 struct err *err)
{
    char buf[ROW_NAME_MAX];
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "INSERT INTO stops (campaign, reason, author, at) VALUES (?1, ?2, ?3, ?4) "
                           "ON CONFLICT (campaign) DO NOTHING",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, row_name(kind, name, buf));
    store_bind_text(q, 2, reason);
    store_bind_text(q, 3, author);
    store_bind_int(q, 4, now_ms);
    return store_run(q, NULL, err);
}

int stops_delete(struct store_conn *conn, enum stop_kind kind, struct slice name, struct err *err)
{
    char buf[ROW_NAME_MAX];
    struct store_stmt *q;
    int64_t changed;
    int rc = store_prepare(conn, "DELETE FROM stops WHERE campaign = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, row_name(kind, name, buf));
    if ((rc = store_run(q, &changed, err)) < 0)
        return rc;
    return changed ? 0
                   : err_reason(err, ERR_NOT_FOUND, "not_stopped",
                                "\"%.*s\" is not stopped; feira generations and GET /v1/stops list what is.", SLICE_FMT(name));
}

/* --- quarantine -------------------------------------------------------------------------------------------------------------- */

static void forget_quarantined(struct stops *s)
{
    for (size_t i = 0; i < s->quarantined.count; i++)
        free(s->quarantined.entries[i].value);
    map_clear(&s->quarantined);
}

void stops_set_generation(struct stops *s, const char *generation)
{
    pthread_mutex_lock(&s->lock);
    snprintf(s->generation, sizeof s->generation, "%s", generation);
    if (s->quarantined.count) {
        forget_quarantined(s);
        publish(s); /* when it fails, the old snapshot stops a campaign of the same name for longer; the next change mends it */
    }
    pthread_mutex_unlock(&s->lock);
}

/* With the lock. */
static bool quarantine(struct stops *s, struct slice row, const char *why)
{
    struct quarantined *q = calloc(1, sizeof *q);
    if (!q)
        return false;
    q->at_ms = clock_wall_ms(s->clock);
    snprintf(q->why, sizeof q->why, "%s", why);
    if (map_set(&s->quarantined, row, q) && publish(s))
        return true;
    map_remove(&s->quarantined, row); /* its next failure tries again */
    free(q);
    return false;
}

bool stops_quarantine(struct stops *s, enum stop_kind kind, struct slice name, const char *generation, const char *why)
{
    char buf[ROW_NAME_MAX];
    struct slice row = row_name(kind, name, buf);
    pthread_mutex_lock(&s->lock);
    bool done = strcmp(s->generation, generation) == 0 && !map_get(&s->quarantined, row) && quarantine(s, row, why);
    pthread_mutex_unlock(&s->lock);
    return done;
}

bool stops_free(struct stops *s, enum stop_kind kind, struct slice name)
{
    char buf[ROW_NAME_MAX];
    pthread_mutex_lock(&s->lock);
    struct quarantined *was = map_remove(&s->quarantined, row_name(kind, name, buf));
    if (was)
        publish(s);
    free(was);
    pthread_mutex_unlock(&s->lock);
    return was != NULL;
}

/* --- a thread's look ---------------------------------------------------------------------------------------------------------- */

const struct stops_snapshot *stops_look(struct stops_view *v)
{
    if (!v->stops)
        return NULL;
    uint64_t version = stops_version(v->stops);
    if (version != v->version) {
        stops_view_close(v);
        v->version = version; /* read first: a stop in between makes us look again */
        v->snapshot = stops_acquire(v->stops);
    }
    return v->snapshot;
}

void stops_view_close(struct stops_view *v)
{
    stops_release(v->snapshot);
    v->snapshot = NULL;
    v->version = 0;
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
    forget_quarantined(s);
    map_release(&s->quarantined);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
