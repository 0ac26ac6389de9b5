#include "host/past/replay.h"
#include "host/past/again.h"
#include "host/past/span.h"
#include "host/publish/publish.h"
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 128, TOLD_MAX = 100, VERSIONS_MAX = 32, TEXT_MAX = 440 };

struct told {
    int64_t id;
    char order[ID_MAX + 1], field[160], was[TEXT_MAX], now[TEXT_MAX];
};

struct version {
    int64_t kernel, orders;
    char stdlib[40], zone[96];
};

struct hand { /* what one thread has found */
    uint64_t orders, agree, generations;
    struct told *told; /* TOLD_MAX, by id, the first ones */
    size_t told_count;
    struct version versions[VERSIONS_MAX + 1]; /* the last: all others */
    size_t version_count;
};

struct replay {
    struct shop *shop;
    struct span span;
    struct past_rules *rules;
    struct progress *progress;
    atomic_int_fast64_t next; /* row */
    int64_t last;
    struct hand hands[CREW_MAX];
};

/* --- one thread ------------------------------------------------------------------------------------------------------------ */

static void count_version(struct hand *h, const struct record *r)
{
    char stdlib[40], zone[96];
    snprintf(stdlib, sizeof stdlib, "%.*s", SLICE_FMT(r->stdlib));
    snprintf(zone, sizeof zone, "%.*s", SLICE_FMT(r->zone));
    size_t i = 0;
    while (i < h->version_count &&
           (h->versions[i].kernel != r->kernel || strcmp(h->versions[i].stdlib, stdlib) != 0 || strcmp(h->versions[i].zone, zone) != 0))
        i++;
    if (i == h->version_count && i < VERSIONS_MAX) {
        h->versions[i].kernel = r->kernel;
        snprintf(h->versions[i].stdlib, sizeof h->versions[i].stdlib, "%s", stdlib);
        snprintf(h->versions[i].zone, sizeof h->versions[i].zone, "%s", zone);
        h->version_count++;
    }
    h->versions[i].orders++;
}

static void text_into(char out[TEXT_MAX], struct slice s)
{
    size_t n = s.len < TEXT_MAX - 1 ? s.len : TEXT_MAX - 1;
    while (n < s.len && n > 0 && ((unsigned char)s.data[n] & 0xc0) == 0x80) /* not through a character */
        n--;
    memcpy(out, s.data, n);
    out[n] = '\0';
}

static void tell(struct hand *h, const struct past_order *o, const struct difference *d)
{
    if (h->told_count == TOLD_MAX)
        return; /* a thread goes upwards: what comes now is later than all that it has */
    struct told *t = &h->told[h->told_count++];
    t->id = o->id;
    snprintf(t->order, sizeof t->order, "%.*s", SLICE_FMT(o->order_id));
    snprintf(t->field, sizeof t->field, "%s", d->field);
    text_into(t->was, d->was);
    text_into(t->now, d->now);
}

struct page {
    struct past_order orders[CHUNK];
    size_t count;
};

/* Read whole before anything is computed, so that no statement is open for long. */
static int read_page(struct replay *r, struct store_conn *conn, int64_t from, struct arena *arena, struct page *page, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT " PAST_ORDER_COLUMNS " FROM " PAST_ORDER_TABLES
                           " WHERE o.id >= ?1 AND o.id <= ?2 AND o.placed_at >= ?3 AND o.placed_at < ?4 ORDER BY o.id",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, from);
    store_bind_int(q, 2, from + CHUNK - 1 < r->last ? from + CHUNK - 1 : r->last);
    store_bind_int(q, 3, r->span.since_ms);
    store_bind_int(q, 4, r->span.until_ms);
    page->count = 0;
    while ((rc = store_step(q, err)) == 1) {
        rc = past_order_read(q, arena, &page->orders[page->count++], err);
        if (rc < 0) {
            store_reset(q);
            return rc;
        }
    }
    return rc;
}

static int replay_page(struct replay *r, struct hand *h, struct stands *stands, struct store_conn *conn, const struct page *page,
                       struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < page->count; i++) {
        struct record record;
        struct difference d;
        struct arena_mark mark = arena_mark(arena);
        int rc = again(r->shop, stands, conn, &page->orders[i], arena, &record, &d, err);
        if (rc < 0)
            return rc;
        h->orders++;
        h->agree += rc == 1;
        count_version(h, &record);
        if (rc == 0)
            tell(h, &page->orders[i], &d);
        arena_rewind(arena, mark);
    }
    return 0;
}

static int work(void *ctx, int number, struct store_conn *conn, struct err *err)
{
    struct replay *r = ctx;
    struct hand *h = &r->hands[number];
    struct stands stands = { .shop = r->shop, .rules = r->rules };
    struct page *page = malloc(sizeof *page);
    struct arena arena;
    int rc = 0;
    arena_init(&arena, NULL, 0);
    h->told = calloc(TOLD_MAX, sizeof *h->told);
    if (!page || !h->told)
        rc = err_set(err, ERR_NOMEM, "Out of memory.");
    while (rc == 0 && !atomic_load_explicit(&r->progress->cancelled, memory_order_relaxed)) {
        int64_t from = atomic_fetch_add(&r->next, CHUNK);
        if (from > r->last)
            break;
        rc = read_page(r, conn, from, &arena, page, err);
        if (rc == 0)
            rc = replay_page(r, h, &stands, conn, page, &arena, err);
        atomic_fetch_add(&r->progress->done, (uint64_t)(r->last - from + 1 < CHUNK ? r->last - from + 1 : CHUNK));
        arena_reset(&arena);
    }
    stands_release(&stands);
    arena_release(&arena);
    free(page);
    return rc;
}

/* --- all of it --------------------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b)
{
    const struct told *x = *(const struct told *const *)a, *y = *(const struct told *const *)b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int write_told(const struct replay *r, int threads, struct json_writer *w, struct err *err)
{
    size_t count = 0;
    const struct told **all = calloc((size_t)threads * TOLD_MAX + 1, sizeof *all);
    if (!all)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    for (int i = 0; i < threads; i++)
        for (size_t k = 0; k < r->hands[i].told_count; k++)
            all[count++] = &r->hands[i].told[k];
    qsort(all, count, sizeof *all, by_id);
    json_key(w, "first");
    json_array(w);
    for (size_t i = 0; i < count && i < TOLD_MAX; i++) {
        json_object(w);
        json_key(w, "order");
        json_str(w, all[i]->order);
        json_key(w, "field");
        json_str(w, all[i]->field);
        json_key(w, "was");
        json_str(w, all[i]->was);
        json_key(w, "now");
        json_str(w, all[i]->now);
        json_object_end(w);
    }
    json_array_end(w);
    free(all);
    return 0;
}

static void write_version(const struct replay *r, const struct version *v, struct json_writer *w)
{
    struct versions now;
    struct edition *live = publisher_live(r->shop->publisher);
    versions_of(live->generation, &now);
    edition_unref(live);
    json_object(w);
    json_key(w, "kernel");
    json_int(w, v->kernel);
    json_key(w, "stdlib");
    json_str(w, v->stdlib);
    json_key(w, "zone");
    json_str(w, v->zone);
    json_key(w, "orders");
    json_int(w, v->orders);
    json_key(w, "same");
    json_bool(w, v->kernel == QUOTE_KERNEL_VERSION && strcmp(v->stdlib, now.stdlib) == 0 && strcmp(v->zone, now.zone) == 0);
    json_object_end(w);
}

static void write_versions(struct replay *r, int threads, struct json_writer *w)
{
    struct hand *sum = &r->hands[0];
    for (int i = 1; i < threads; i++) {
        for (size_t k = 0; k < r->hands[i].version_count; k++) {
            const struct version *v = &r->hands[i].versions[k];
            const struct record like = { .kernel = v->kernel, .stdlib = slice_str(v->stdlib), .zone = slice_str(v->zone) };
            count_version(sum, &like);
            for (size_t j = 0; j < sum->version_count; j++)
                if (sum->versions[j].kernel == v->kernel && strcmp(sum->versions[j].stdlib, v->stdlib) == 0 &&
                    strcmp(sum->versions[j].zone, v->zone) == 0)
                    sum->versions[j].orders += v->orders - 1;
        }
    }
    json_key(w, "versions");
    json_array(w);
    for (size_t i = 0; i < sum->version_count; i++)
        write_version(r, &sum->versions[i], w);
    json_array_end(w);
}

static void number(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_int(w, n);
}

static int write_result(struct replay *r, int threads, int64_t ns, struct json_writer *w, struct err *err)
{
    uint64_t orders = 0, agree = 0;
    for (int i = 0; i < threads; i++) {
        orders += r->hands[i].orders;
        agree += r->hands[i].agree;
    }
    json_object(w);
    number(w, "orders", (int64_t)orders);
    number(w, "agree", (int64_t)agree);
    number(w, "differ", (int64_t)(orders - agree));
    int rc = write_told(r, threads, w, err);
    write_versions(r, threads, w);
    number(w, "threads", threads);
    number(w, "ms", ns / 1000000);
    number(w, "per_second", ns > 0 ? (int64_t)((double)orders * 1e9 / (double)ns) : 0);
    json_object_end(w);
    return rc;
}

int replay_run(struct shop *s, const struct json_value *body, struct progress *p, struct json_writer *w, struct err *err)
{
    int64_t wanted = 0, first = 1, begin_ns = clock_mono_ns(s->options.clock);
    struct store_conn *conn;
    struct replay *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    r->shop = s;
    r->progress = p;
    json_is_int(json_get(body, "threads"), &wanted);
    struct crew crew = { .shop = s, .progress = p, .threads = crew_size((int)wanted) };
    int rc = span_read(s, body, &r->span, err);
    if (rc == 0 && (rc = store_reader_open(s->store, &conn, err)) == 0) {
        rc = span_rows(conn, &r->span, &first, &r->last, err);
        store_reader_close(conn);
    }
    if (rc == 0)
        rc = past_rules_open(s, &r->rules, err);
    if (rc == 0) {
        atomic_init(&r->next, first);
        atomic_store(&p->of, (uint64_t)(r->last - first + 1));
        rc = crew_run(&crew, work, r, err);
    }
    if (rc == 0)
        rc = write_result(r, crew.threads, clock_mono_ns(s->options.clock) - begin_ns, w, err);
    past_rules_close(r->rules);
    for (int i = 0; i < CREW_MAX; i++)
        free(r->hands[i].told);
    free(r);
    return rc;
}
