#include "host/plugins/listeners.h"
#include "base/json.h"
#include "base/map.h"
#include "host/care/plugin_stops.h"
#include "host/plugins/streams.h"
#include "host/worker.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>
#include <stdlib.h>

/* A listener that is closed comes again after a while of its own, so that not all come at once. QUEUE_BYTES: what one may lag behind. */
enum {
    LISTENERS_MAX = 4000,
    QUEUE_BYTES = 64 << 10,
    SENDS_OF_A_TURN = 256,
    TICK_MS = 1000,
    QUIET_MS = 15000,        /* then a comment is sent, so that whoever is between keeps the connection, and we see who is gone */
    AGE_MAX_MS = 15 * 60000, /* then it must show again that it may listen */
    COME_AGAIN_MS = 1000,    /* at least */
    COME_AGAIN_WITHIN_MS = 4000
};

struct topic {
    struct listener *first;
    char name[]; /* "plugin/topic" */
};

struct listener {
    struct http_stream *stream;
    struct listeners *all;
    struct topic *topic;
    struct listener *next, *prev;     /* of its topic */
    struct listener *younger, *older; /* of all */
    uint64_t since;                   /* commits up to here are in what it was told first */
    int64_t begun_ms, quiet_until_ms;
};

struct listeners {
    struct worker *worker;
    struct stream_place place; /* place.listening counts those below and those that are being prepared */
    struct map topics;
    struct listener *youngest;
    struct loop_timer *tick;
    bool ticking;
    /* being sent */
    struct stream_delivery *first, *last;
    size_t offset;           /* of the message at hand, in the first of them */
    struct listener *cursor; /* who gets it next */
    bool begun;              /* cursor is set for the message at hand */
    bool going_on;           /* the post below is on its way */
    struct loop_post go_on;
};

static void look(void *ctx);
static void deliver(struct loop_post *post);
static void send_some(struct listeners *l);

/* --- life ------------------------------------------------------------------------------------------------------------------ */

int listeners_open(struct worker *w, struct listeners **out, struct err *err)
{
    struct listeners *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l)
        l->tick = loop_timer_new(w->loop, look, l);
    if (!l || !l->tick) {
        free(l);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    l->worker = w;
    map_init(&l->topics, NULL);
    l->place.loop = w->loop;
    l->place.deliver = deliver;
    streams_enter(w->shop->streams, &l->place);
    *out = l;
    return 0;
}

void listeners_leave(struct listeners *l)
{
    streams_leave(l->worker->shop->streams, &l->place);
    loop_timer_free(l->tick);
    l->tick = NULL;
}

void listeners_close(struct listeners *l)
{
    if (!l)
        return;
    map_release(&l->topics); /* empty: the server has hung up on all */
    free(l);
}

/* --- coming and going -------------------------------------------------------------------------------------------------------- */

static size_t limit(const struct listeners *l)
{
    size_t n = l->worker->shop->options.streams_max;
    return n ? n : LISTENERS_MAX;
}

int listeners_prepare(struct listeners *l, struct err *err)
{
    if (atomic_load(&l->place.listening) >= limit(l)) {
        metric_add(&l->worker->shop->metrics.streams_refused, 1);
        return err_reason(err, ERR_BUSY, "too_many_streams", "Too many are listening already; ask again, or ask without listening.");
    }
    atomic_fetch_add(&l->place.listening, 1); /* from here on the writer hands over; what it did not will be in the snapshot */
    return 0;
}

void listeners_never_mind(struct listeners *l)
{
    atomic_fetch_sub(&l->place.listening, 1);
}

static void unlink_listener(struct listener *it)
{
    struct listeners *l = it->all;
    if (l->cursor == it)
        l->cursor = it->next;
    if (it->prev)
        it->prev->next = it->next;
    else
        it->topic->first = it->next;
    if (it->next)
        it->next->prev = it->prev;
    if (it->younger)
        it->younger->older = it->older;
    else
        l->youngest = it->older;
    if (it->older)
        it->older->younger = it->younger;
}

static void forget_topic(struct listeners *l, struct topic *t)
{
    if (t->first)
        return;
    map_remove(&l->topics, slice_str(t->name));
    free(t);
}

static void stream_closed(void *ctx)
{
    struct listener *it = ctx;
    struct listeners *l = it->all;
    struct topic *t = it->topic;
    unlink_listener(it);
    free(it);
    forget_topic(l, t);
    listeners_never_mind(l);
    atomic_fetch_sub_explicit(&l->worker->shop->metrics.streams_open, 1, memory_order_relaxed);
}

static struct topic *topic_of(struct listeners *l, struct slice name)
{
    struct topic *t = map_get(&l->topics, name);
    if (t)
        return t;
    t = malloc(sizeof *t + name.len + 1);
    if (!t)
        return NULL;
    t->first = NULL;
    memcpy(t->name, name.data, name.len);
    t->name[name.len] = '\0';
    if (map_set(&l->topics, name, t))
        return t;
    free(t);
    return NULL;
}

static void link_listener(struct listeners *l, struct listener *it)
{
    it->next = it->topic->first;
    if (it->next)
        it->next->prev = it;
    it->topic->first = it;
    it->older = l->youngest;
    if (it->older)
        it->older->younger = it;
    l->youngest = it;
}

static bool send_to(struct listener *it, struct slice text)
{
    it->quiet_until_ms = loop_now_ms(it->all->worker->loop) + QUIET_MS;
    return http_stream_send(it->stream, text); /* false: it is gone */
}

static void send_first(struct listener *it, struct slice first, struct arena *arena)
{
    const struct random_source *random = it->all->worker->shop->options.random;
    uint32_t chance;
    random_fill(random, &chance, sizeof chance);
    struct slice text =
        arena_printf(arena, "retry: %u\ndata: %.*s\n\n", COME_AGAIN_MS + chance % (COME_AGAIN_WITHIN_MS - COME_AGAIN_MS), SLICE_FMT(first));
    if (text.data)
        send_to(it, text);
    else
        http_stream_end(it->stream);
}

static struct listener *listener_new(struct listeners *l, struct slice name, uint64_t since)
{
    struct listener *it = calloc(1, sizeof *it);
    struct topic *t = it && name.data ? topic_of(l, name) : NULL;
    if (!t) {
        free(it);
        return NULL;
    }
    *it = (struct listener){ .all = l, .topic = t, .since = since, .begun_ms = loop_now_ms(l->worker->loop) };
    return it;
}

void listeners_add(struct listeners *l, struct http_request *req, const char *plugin, struct slice topic, struct slice first,
                   uint64_t since)
{
    static const struct http_header headers[] = { { SLICE_LIT("Cache-Control"), SLICE_LIT("no-store") },
                                                  { SLICE_LIT("X-Accel-Buffering"), SLICE_LIT("no") } };
    struct arena scratch; /* that of the request goes with it */
    arena_init(&scratch, NULL, 0);
    struct slice name = arena_printf(&scratch, "%s/%.*s", plugin, SLICE_FMT(topic));
    struct slice text = arena_copy(&scratch, first);
    struct listener *it = text.data ? listener_new(l, name, since) : NULL;
    if (!it) {
        listeners_never_mind(l);
        http_problem_retry(req, 503, "overloaded", "The shop is short of memory; try again.", 1);
        arena_release(&scratch);
        return;
    }
    struct http_stream_options o = { .content_type = "text/event-stream",
                                     .headers = headers,
                                     .header_count = sizeof headers / sizeof *headers,
                                     .queue_bytes = QUEUE_BYTES,
                                     .closed = stream_closed,
                                     .ctx = it };
    it->stream = http_stream_begin(req, &o);
    if (!it->stream) {
        struct topic *t = it->topic;
        free(it);
        forget_topic(l, t);
        listeners_never_mind(l);
    } else {
        link_listener(l, it);
        metric_add(&l->worker->shop->metrics.streams_opened, 1);
        metric_add(&l->worker->shop->metrics.streams_open, 1);
        if (!l->ticking)
            loop_timer_start(l->tick, TICK_MS, TICK_MS);
        l->ticking = true;
        send_first(it, text, &scratch);
    }
    arena_release(&scratch);
}

/* --- what the writer says ---------------------------------------------------------------------------------------------------- */

static void deliver(struct loop_post *post)
{
    struct stream_delivery *d = (struct stream_delivery *)((char *)post - offsetof(struct stream_delivery, post));
    struct listeners *l = (struct listeners *)((char *)d->place - offsetof(struct listeners, place));
    if (l->last)
        l->last->next = d;
    else
        l->first = d;
    l->last = d;
    if (!l->going_on)
        send_some(l);
}

static void next_delivery(struct listeners *l)
{
    struct stream_delivery *d = l->first;
    l->first = d->next;
    if (!l->first)
        l->last = NULL;
    l->offset = 0;
    atomic_fetch_sub(&l->place.queued_bytes, d->batch->len);
    stream_batch_unref(d->batch);
    free(d);
}

static void send_on(struct loop_post *post)
{
    struct listeners *l = (struct listeners *)((char *)post - offsetof(struct listeners, go_on));
    l->going_on = false;
    send_some(l);
}

/* Sends the message at hand to those who are left; false when the turn is used up. */
static bool send_message(struct listeners *l, const struct stream_message *m, uint64_t serial, size_t *budget)
{
    if (!l->begun) {
        struct topic *t = map_get(&l->topics, m->topic);
        l->cursor = t ? t->first : NULL;
        l->begun = true;
    }
    while (l->cursor) {
        struct listener *it = l->cursor;
        if (*budget == 0)
            return false;
        l->cursor = it->next;
        if (serial <= it->since)
            continue; /* it was told first */
        --*budget;
        metric_add(&l->worker->shop->metrics.stream_events, 1);
        if (send_to(it, m->text) && m->last)
            http_stream_end(it->stream);
    }
    l->begun = false;
    return true;
}

/* A crowd on one topic must not hold up the requests of others: so many now, the rest after whatever has come meanwhile. */
static void send_some(struct listeners *l)
{
    size_t budget = SENDS_OF_A_TURN;
    struct stream_message m;
    while (l->first) {
        const struct stream_batch *b = l->first->batch;
        while (stream_message_at(b, l->offset, &m)) {
            if (!send_message(l, &m, b->serial, &budget)) {
                l->going_on = true;
                l->go_on.fn = send_on;
                loop_post(l->worker->loop, &l->go_on);
                return;
            }
            l->offset = m.next;
        }
        next_delivery(l);
    }
}

/* --- every second ------------------------------------------------------------------------------------------------------------ */

static struct slice plugin_of(const struct topic *t)
{
    return slice_of(t->name, strcspn(t->name, "/"));
}

static bool is_stopped(struct listeners *l, const struct topic *t)
{
    struct slice name = plugin_of(t);
    char text[64];
    snprintf(text, sizeof text, "%.*s", SLICE_FMT(name));
    return plugin_stopped(plugin_state_of(l->worker->seat->vm), text) != NULL;
}

static void look(void *ctx)
{
    struct listeners *l = ctx;
    int64_t now = loop_now_ms(l->worker->loop);
    bool anew = atomic_exchange(&l->place.overrun, false);
    for (struct listener *it = l->youngest, *older; it; it = older) {
        older = it->older; /* only `it` may go meanwhile */
        if (anew || now - it->begun_ms >= AGE_MAX_MS || is_stopped(l, it->topic))
            http_stream_end(it->stream);
        else if (now >= it->quiet_until_ms)
            send_to(it, SLICE_LIT(":\n\n"));
    }
    if (!l->youngest) {
        loop_timer_stop(l->tick);
        l->ticking = false;
    }
}

/* --- other rules --------------------------------------------------------------------------------------------------------------- */

static bool is_file_of(const struct source_file *f, struct slice folder)
{
    return f->path.len > folder.len && memcmp(f->path.data, folder.data, folder.len) == 0;
}

static size_t next_file(const struct sources *s, size_t i, struct slice folder)
{
    while (i < sources_count(s) && !is_file_of(sources_at(s, i), folder))
        i++;
    return i;
}

static bool same_files(const struct sources *a, const struct sources *b, struct slice folder)
{
    size_t i = next_file(a, 0, folder), j = next_file(b, 0, folder);
    while (i < sources_count(a) && j < sources_count(b)) {
        const struct source_file *f = sources_at(a, i), *g = sources_at(b, j);
        if (!slice_eq(f->path, g->path) || !slice_eq(f->text, g->text))
            return false;
        i = next_file(a, i + 1, folder);
        j = next_file(b, j + 1, folder);
    }
    return i == sources_count(a) && j == sources_count(b);
}

static const struct generation_plugin *find_plugin(const struct generation *g, struct slice name)
{
    const struct manifest *m = plugin_set_find(generation_plugins(g), name);
    return m ? generation_plugin(g, m) : NULL;
}

static bool same_settings(const struct json_value *a, const struct json_value *b)
{
    struct buf x, y;
    struct json_writer wx, wy;
    buf_init(&x, NULL);
    buf_init(&y, NULL);
    json_writer_init(&wx, &x);
    json_writer_init(&wy, &y);
    json_value_write(&wx, a);
    json_value_write(&wy, b);
    bool same = !x.failed && !y.failed && slice_eq(buf_slice(&x), buf_slice(&y));
    buf_release(&x);
    buf_release(&y);
    return same;
}

static bool same_plugin(const struct generation *before, const struct generation *now, struct slice name)
{
    char folder[80];
    const struct generation_plugin *a = find_plugin(before, name), *b = find_plugin(now, name);
    snprintf(folder, sizeof folder, "plugins/%.*s/", SLICE_FMT(name));
    return a && b && same_settings(a->settings, b->settings) &&
           same_files(generation_sources(before), generation_sources(now), slice_str(folder));
}

void listeners_rules_changed(struct listeners *l, const struct generation *before, const struct generation *now)
{
    struct topic *same = NULL; /* whose plugin was found to be as before: topics of one plugin mostly stand together */
    for (struct listener *it = l->youngest, *older; it; it = older) {
        older = it->older;
        if (same && slice_eq(plugin_of(same), plugin_of(it->topic)))
            continue;
        if (same_plugin(before, now, plugin_of(it->topic)))
            same = it->topic;
        else
            http_stream_end(it->stream);
    }
}
