#include "host/worker.h"
#include "base/log.h"
#include "host/api/batches.h"
#include "host/plugins/listeners.h"
#include "host/publish/publish.h"
#include "host/plugins/task.h"
#include <stdlib.h>

static void on_request(void *ctx, struct http_request *req)
{
    call_begin(ctx, req);
}

static void between_requests(void *ctx)
{
    struct worker *w = ctx;
    vm_collect_step(w->seat->vm);
    if (w->catalogue && w->catalogue_version != catalogue_version(w->shop->catalogue)) {
        catalogue_release(w->catalogue); /* an idle worker must not keep old products alive */
        w->catalogue = NULL;
    }
}

struct catalogue_snapshot *worker_catalogue(struct worker *w)
{
    uint64_t version = catalogue_version(w->shop->catalogue);
    if (!w->catalogue || version != w->catalogue_version) {
        catalogue_release(w->catalogue);
        w->catalogue_version = version; /* read first: a publish in between makes us look again */
        w->catalogue = catalogue_acquire(w->shop->catalogue);
    }
    return w->catalogue;
}

/* --- seats --------------------------------------------------------------------------------------------------------- */

enum { REOPENED_MAX = 4 }; /* Lua states kept for quotes of earlier generations */

static void list_remove(struct seat **list, struct seat *seat)
{
    for (; *list; list = &(*list)->next) {
        if (*list == seat) {
            *list = seat->next;
            seat->next = NULL;
            return;
        }
    }
}

void worker_hold(struct seat *seat)
{
    seat->held++;
}

void worker_let_go(struct worker *w, struct seat *seat)
{
    if (--seat->held || seat == w->seat || !seat->edition)
        return;
    list_remove(&w->left, seat);
    publisher_bury_seat(w->shop->publisher, seat);
}

static void change_seat(struct worker *w, struct seat *next)
{
    struct seat *old = w->seat;
    const struct shop_settings *settings = generation_settings(next->generation);
    struct err err = { 0 };
    if (w->server && http_server_set_trust(w->server, settings->trusted_proxies, settings->cors_origins, &err) < 0) {
        /* The list was checked before, so memory is short. The old origins must not be read after their generation is gone. */
        log_error(w->shop->options.log, "worker.trust", err.text);
        http_server_set_trust(w->server, NULL, settings->cors_origins, &err);
    }
    w->seat = next;
    atomic_store(&w->seat_serial, next->serial);
    if (w->listeners)
        listeners_rules_changed(w->listeners, old->generation, next->generation);
    if (old->held) {
        old->next = w->left;
        w->left = old;
    } else {
        publisher_bury_seat(w->shop->publisher, old);
    }
    publisher_took(w->shop->publisher);
    tasks_retire(w);
}

static void take_offer(struct loop_post *post)
{
    struct worker *w = (struct worker *)((char *)post - offsetof(struct worker, offer_post));
    struct seat *next = atomic_exchange(&w->offer, NULL);
    if (next)
        change_seat(w, next);
}

struct seat *worker_offer(struct worker *w, struct seat *seat)
{
    struct seat *unused = atomic_exchange(&w->offer, seat);
    if (!unused) { /* else the post is on its way already */
        w->offer_post.fn = take_offer;
        loop_post(w->loop, &w->offer_post);
    }
    return unused;
}

static bool has_rules(const struct seat *seat, struct slice generation)
{
    return slice_is(generation, generation_id(seat->generation));
}

struct seat *worker_find_seat(struct worker *w, struct slice generation)
{
    if (has_rules(w->seat, generation))
        return w->seat;
    for (struct seat *s = w->left; s; s = s->next)
        if (has_rules(s, generation))
            return s;
    for (struct seat **at = &w->reopened; *at; at = &(*at)->next) {
        struct seat *s = *at;
        if (has_rules(s, generation)) {
            *at = s->next;
            s->next = w->reopened;
            w->reopened = s;
            return s;
        }
    }
    return NULL;
}

void worker_add_seat(struct worker *w, struct seat *seat)
{
    unsigned n = 0;
    seat->next = w->reopened;
    w->reopened = seat;
    for (struct seat **at = &w->reopened; *at;) {
        struct seat *s = *at;
        if (++n <= REOPENED_MAX || s->held) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        publisher_bury_seat(w->shop->publisher, s);
    }
}

static void close_seats(struct seat *list)
{
    for (struct seat *next; list; list = next) {
        next = list->next;
        seat_close(list);
    }
}

/* --- life ---------------------------------------------------------------------------------------------------------- */

static int server_open(struct worker *w, struct err *err)
{
    const struct shop_settings *settings = generation_settings(w->seat->generation);
    struct http_server_options o = {
        .on_request = on_request,
        .ctx = w,
        .trusted_proxies = settings->trusted_proxies,
        .cors_origins = settings->cors_origins,
        .clock = w->shop->options.clock,
    };
    http_limits_default(&o.limits);
    if (w->shop->connections)
        o.limits.connections = w->shop->connections;
    return http_server_open(w->loop, &o, &w->server, err);
}

int worker_open(struct shop *s, int number, enum worker_for use, struct worker **out, struct err *err)
{
    *out = NULL;
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    w->shop = s;
    w->number = number;
    id_source_init(&w->ids, s->options.clock, s->options.random);
    buf_init(&w->out, NULL);
    int rc = loop_open(&w->loop, err);
    if (rc == 0)
        rc = store_reader_open(s->store, &w->conn, err);
    if (rc == 0)
        rc = publisher_enter(s->publisher, w, &w->seat, err);
    if (rc == 0 && !s->options.outside)
        rc = outbound_open(w->loop, &s->options.outbound, &w->outbound, err);
    if (rc == 0 && use == WORKER_FOR_CLIENTS)
        rc = listeners_open(w, &w->listeners, err);
    if (rc == 0)
        rc = server_open(w, err);
    if (rc < 0) {
        worker_close(w);
        return rc;
    }
    loop_on_idle(w->loop, between_requests, w);
    *out = w;
    return 0;
}

void worker_close(struct worker *w)
{
    if (!w)
        return;
    publisher_leave(w->shop->publisher, w);
    if (w->server)
        http_server_close(w->server);
    w->server = NULL;
    batches_end(w->batches);
    if (w->tasks)
        tasks_end(w);
    outbound_close(w->outbound);
    outbound_close(w->webhooks);
    if (w->listeners)
        listeners_leave(w->listeners);
    if (w->loop)
        loop_close(w->loop); /* answers what other threads still hand over */
    listeners_close(w->listeners);
    if (w->seat)
        seat_close(w->seat);
    close_seats(w->left);
    close_seats(w->reopened);
    if (w->conn)
        store_reader_close(w->conn);
    catalogue_release(w->catalogue);
    buf_release(&w->out);
    free(w);
}
