#include "host/care/access.h"
#include "base/zone.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define DAY_MS INT64_C(86400000)
enum { ROWS_MAX = 10000 };

struct kind {
    struct kind *next;
    struct field_reads reads;
    char *plugin, *field, *purpose; /* behind the struct */
};

struct access_log {
    const struct clock *clock;
    pthread_mutex_t lock; /* of the list; its members are never taken out */
    struct kind *first;
    size_t count;
    bool overflowed;
};

struct access_log *access_new(const struct clock *clock)
{
    struct access_log *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->clock = clock;
    pthread_mutex_init(&a->lock, NULL);
    return a;
}

void access_free(struct access_log *a)
{
    if (!a)
        return;
    for (struct kind *k = a->first, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    pthread_mutex_destroy(&a->lock);
    free(a);
}

static struct kind *find(struct access_log *a, const char *plugin, const char *field, const char *purpose)
{
    struct kind *k = a->first;
    while (k && (strcmp(k->plugin, plugin) != 0 || strcmp(k->field, field) != 0 || strcmp(k->purpose, purpose) != 0))
        k = k->next;
    return k;
}

static struct kind *add(struct access_log *a, const char *plugin, const char *field, const char *purpose)
{
    size_t p = strlen(plugin) + 1, f = strlen(field) + 1, u = strlen(purpose) + 1;
    struct kind *k = a->count < ACCESS_KINDS_MAX ? calloc(1, sizeof *k + p + f + u) : NULL;
    if (!k)
        return NULL;
    k->plugin = memcpy((char *)(k + 1), plugin, p);
    k->field = memcpy(k->plugin + p, field, f);
    k->purpose = memcpy(k->field + f, purpose, u);
    k->reads.clock = a->clock;
    k->next = a->first;
    a->first = k;
    a->count++;
    return k;
}

struct field_reads *access_reads(struct access_log *a, const char *plugin, const char *field, const char *purpose)
{
    pthread_mutex_lock(&a->lock);
    struct kind *k = find(a, plugin, field, purpose);
    if (!k)
        k = add(a, plugin, field, purpose);
    a->overflowed = a->overflowed || !k;
    pthread_mutex_unlock(&a->lock);
    return k ? &k->reads : NULL;
}

bool access_overflowed(struct access_log *a)
{
    pthread_mutex_lock(&a->lock);
    bool yes = a->overflowed;
    pthread_mutex_unlock(&a->lock);
    return yes;
}

static struct kind *first_of(struct access_log *a)
{
    pthread_mutex_lock(&a->lock);
    struct kind *k = a->first;
    pthread_mutex_unlock(&a->lock);
    return k;
}

static int keep_one(struct store_conn *c, const struct kind *k, int64_t reads, int64_t last_ms, struct err *err)
{
    struct store_stmt *s;
    int rc =
        store_prepare(c,
                      "INSERT INTO personal_access (day, plugin, field, purpose, reads, last_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON "
                      "CONFLICT (day, plugin, field, purpose) DO UPDATE SET reads = reads + excluded.reads, last_ms = excluded.last_ms",
                      &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, last_ms / DAY_MS);
    store_bind_text(s, 2, slice_str(k->plugin));
    store_bind_text(s, 3, slice_str(k->field));
    store_bind_text(s, 4, slice_str(k->purpose));
    store_bind_int(s, 5, reads);
    store_bind_int(s, 6, last_ms);
    return store_run(s, NULL, err);
}

int access_keep(struct access_log *a, struct store_conn *c, int64_t now_ms, int64_t keep_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = 0;
    for (struct kind *k = first_of(a); k && rc == 0; k = k->next) {
        int64_t reads = (int64_t)atomic_exchange(&k->reads.count, 0);
        if (reads == 0)
            continue;
        rc = keep_one(c, k, reads, atomic_load(&k->reads.last_ms), err);
        if (rc < 0)
            atomic_fetch_add(&k->reads.count, (uint_fast64_t)reads); /* the next time */
    }
    if (rc == 0)
        rc = store_prepare(c, "DELETE FROM personal_access WHERE day < ?1", &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, (now_ms - keep_ms) / DAY_MS);
    return store_run(s, NULL, err);
}

/* --- for those who look --------------------------------------------------------------------------------------------------- */

static void write_one(struct json_writer *w, struct slice plugin, struct slice field, struct slice purpose, int64_t reads, int64_t last_ms)
{
    char at[TIMESTAMP_MAX];
    size_t n = timestamp_format(last_ms, at);
    json_object(w);
    json_key(w, "plugin");
    json_string(w, plugin);
    json_key(w, "field");
    json_string(w, field);
    json_key(w, "purpose");
    json_string(w, purpose);
    json_key(w, "day");
    json_string(w, slice_of(at, 10));
    json_key(w, "reads");
    json_int(w, reads);
    json_key(w, "last_at");
    json_string(w, slice_of(at, n));
    json_object_end(w);
}

int access_write(struct access_log *a, struct store_conn *c, struct json_writer *w, struct err *err)
{
    struct store_stmt *s;
    json_array(w);
    for (struct kind *k = first_of(a); k; k = k->next) {
        int64_t reads = (int64_t)atomic_load(&k->reads.count);
        if (reads)
            write_one(w, slice_str(k->plugin), slice_str(k->field), slice_str(k->purpose), reads, atomic_load(&k->reads.last_ms));
    }
    int rc = store_prepare(
        c, "SELECT plugin, field, purpose, reads, last_ms FROM personal_access ORDER BY day DESC, plugin, field, purpose LIMIT ?1", &s,
        err);
    if (rc == 0)
        store_bind_int(s, 1, ROWS_MAX);
    while (rc == 0 && (rc = store_step(s, err)) == 1) {
        write_one(w, store_column_text(s, 0), store_column_text(s, 1), store_column_text(s, 2), store_column_int(s, 3),
                  store_column_int(s, 4));
        rc = 0;
    }
    json_array_end(w);
    return rc;
}
