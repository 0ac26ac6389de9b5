/* Serving: W workers on threads of their own, the keeper (signals, timers) on the calling one. */
#include "host/admin/due.h"
#include "host/admin/hasher.h"
#include "host/descriptors.h"
#include "host/care/errand.h"
#include "host/care/follower.h"
#include "host/handover.h"
#include "host/publish/publish.h"
#include "host/api/routes.h"
#include "host/care/sweep.h"
#include "host/plugins/task.h"
#include "host/care/totals.h"
#include "host/publish/watch.h"
#include "host/webhooks/webhook_send.h"
#include "host/worker.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WORKERS_MAX = 16, DRAIN_DEFAULT_MS = 10000 };

struct running { /* one worker's thread */
    pthread_t thread;
    struct worker *worker;
    struct keeper *keeper;
    struct loop_post drain;      /* keeper → worker: finish */
    struct loop_post drained;    /* worker → keeper: finished */
    struct loop_timer *patience; /* the worker's: its server has finished, its webhooks have not */
    int64_t patient_until_ms;
    bool started, ended; /* ended: it has stopped its loop by itself */
};

struct keeper {
    struct shop *shop;
    struct loop *loop;
    struct timer_pump *timers;
    struct webhook_sender *webhooks;
    struct sweep *sweep;
    struct due *due;
    struct loop_timer *second;
    struct watch *watch;
    const struct serve_options *options;
    uint64_t requests_seen;
    struct worker *workers[WORKERS_MAX];
    struct running running[WORKERS_MAX];
    int count, left;
    int64_t drain_ms;
    struct handover_check *check;
    struct handover *handover;
};

static void *run_worker(void *arg)
{
    struct running *r = arg;
    loop_run(r->worker->loop);
    return NULL;
}

/* --- draining: each worker finishes what has begun, then tells the keeper ------------------------------------------- */

static void on_drained(struct loop_post *post)
{
    struct running *r = (struct running *)((char *)post - offsetof(struct running, drained));
    if (--r->keeper->left == 0)
        loop_stop(r->keeper->loop);
}

static void stop_worker(struct running *r)
{
    loop_timer_free(r->patience);
    r->patience = NULL;
    r->drained.fn = on_drained;
    r->ended = true;
    loop_post(r->keeper->loop, &r->drained);
    loop_stop(r->worker->loop);
}

/* Webhooks that are under way would come a second time after the start: those that are answered soon are waited for. */
enum { PATIENCE_MS = 2000, LOOKS_MS = 50 };

static void look_at_webhooks(void *ctx)
{
    struct running *r = ctx;
    if (outbound_under_way(r->worker->webhooks) == 0 || loop_now_ms(r->worker->loop) >= r->patient_until_ms)
        stop_worker(r);
}

static void server_drained(void *ctx)
{
    struct running *r = ctx;
    struct worker *w = r->worker;
    if (w->webhooks && outbound_under_way(w->webhooks))
        r->patience = loop_timer_new(w->loop, look_at_webhooks, r);
    if (!r->patience) {
        stop_worker(r);
        return;
    }
    r->patient_until_ms = loop_now_ms(w->loop) + PATIENCE_MS;
    loop_timer_start(r->patience, LOOKS_MS, LOOKS_MS);
}

static void drain_worker(struct loop_post *post)
{
    struct running *r = (struct running *)((char *)post - offsetof(struct running, drain));
    http_server_drain(r->worker->server, r->keeper->drain_ms, server_drained, r);
}

static void drain(struct keeper *k)
{
    if (atomic_exchange(&k->shop->draining, true))
        return;
    log_info(k->shop->options.log, "serve.draining",
             k->handover->wanted ? "Finishing what has begun, then handing over." : "Finishing what has begun, then stopping.");
    k->left = k->count;
    for (int i = 0; i < k->count; i++) {
        k->running[i].drain.fn = drain_worker;
        loop_post(k->running[i].worker->loop, &k->running[i].drain);
    }
}

static void on_signal(void *ctx, int signum)
{
    (void)signum;
    drain(ctx);
}

/* --- handing over ------------------------------------------------------------------------------------------------------- */

static void successor_checked(void *ctx, bool ok)
{
    struct keeper *k = ctx;
    handover_check_close(k->check);
    k->check = NULL;
    if (!ok) {
        log_error(k->shop->options.log, "handover.refused",
                  "The new program can't read the shop (see what it printed above); this one goes on serving.");
        return;
    }
    if (atomic_load(&k->shop->draining))
        return;
    k->handover->wanted = true;
    for (int i = 0; i < k->count; i++) /* before the workers close theirs: from here on connections wait in these queues */
        k->handover->count +=
            http_server_copy_listeners(k->workers[i]->server, k->handover->fds + k->handover->count, HANDED_OVER_MAX - k->handover->count);
    drain(k);
}

static void on_handover(void *ctx, int signum)
{
    struct keeper *k = ctx;
    struct err err = { 0 };
    (void)signum;
    if (k->check || atomic_load(&k->shop->draining))
        return;
    if (!k->options->successor)
        err_set(&err, ERR_STATE, "This process was not started in a way that lets another take over; restart it.");
    else
        handover_check_start(k->shop, k->loop, k->options->successor, successor_checked, k, &k->check, &err);
    if (err.code)
        log_error(k->shop->options.log, "handover.refused", err.text);
    else
        log_info(k->shop->options.log, "handover.checking", "Asking the new program whether it can read the shop.");
}

/* --- publishing without a request: SIGHUP, a saved file ---------------------------------------------------------------- */

struct unasked {
    struct publish_job job;
    const struct serve_options *options;
};

static void say_result(const struct serve_options *o, const struct publish_job *job)
{
    char text[128];
    if (!o->published || (job->rc == 0 && !job->changed && !job->drafted))
        return;
    if (job->drafted)
        snprintf(text, sizeof text, "draft: %s; it goes live when it is approved (feira submit)", job->saved);
    else
        snprintf(text, sizeof text, "live: %s, %zu campaigns, after %lld ms", job->live, job->campaigns, (long long)job->took_ms);
    o->published(o->ctx, job->rc == 0, job->rc == 0 ? text : job->err.text);
}

static void unasked_done(struct publish_job *job)
{
    struct unasked *u = (struct unasked *)((char *)job - offsetof(struct unasked, job));
    say_result(u->options, job);
    free(u);
}

static void publish_unasked(struct keeper *k, const char *how)
{
    struct err err = { 0 };
    struct unasked *u = calloc(1, sizeof *u);
    if (!u)
        return;
    u->options = k->options;
    u->job.kind = PUBLISH_FOLDER;
    u->job.how = how;
    u->job.done = unasked_done;
    snprintf(u->job.author, sizeof u->job.author, "operator");
    if (publisher_submit(k->shop->publisher, &u->job, &err) == 0)
        return;
    log_warn(k->shop->options.log, "publish.refused", err.text, LOG_STR("how", how));
    free(u);
}

static void on_hangup(void *ctx, int signum)
{
    (void)signum;
    publish_unasked(ctx, "sighup");
}

static void on_saved(void *ctx)
{
    publish_unasked(ctx, "dev");
}

static void every_second(void *ctx)
{
    struct keeper *k = ctx;
    struct http_stats h;
    shop_http_stats(k->shop, &h);
    atomic_store(&k->shop->metrics.requests_per_second, h.requests - k->requests_seen);
    k->requests_seen = h.requests;
}

/* --- start and stop --------------------------------------------------------------------------------------------------- */

static int worker_number(const struct serve_options *o)
{
    long n = o->workers > 0 ? o->workers : sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > WORKERS_MAX ? WORKERS_MAX : (int)n;
}

static int listen_operator(struct keeper *k, struct err *err)
{
    return http_server_listen(k->workers[0]->server, &(struct listen_options){ .path = k->shop->socket_path, .mode = 0600 }, err);
}

/* Each socket has its own queue, so each must have somebody who accepts from it; and no worker is to be idle. */
static int listen_inherited(struct keeper *k, const struct serve_options *o, struct err *err)
{
    int turns = o->inherited_count > k->count ? o->inherited_count : k->count;
    int rc = 0;
    for (int i = 0; i < turns && rc == 0; i++) {
        struct listen_options one = { .inherited = o->inherited[i % o->inherited_count] };
        rc = http_server_listen(k->workers[i % k->count]->server, &one, err);
    }
    return rc;
}

/* All workers share one address; the first one learns the port when it was left open, and has the operator's socket. */
static int listen_all(struct keeper *k, const struct serve_options *o, int *port, struct err *err)
{
    *port = o->port;
    if (o->inherited_count) {
        int rc = listen_inherited(k, o, err);
        *port = http_server_port(k->workers[0]->server);
        return rc < 0 ? rc : listen_operator(k, err);
    }
    for (int i = 0; i < k->count; i++) {
        struct listen_options tcp = { .host = o->host, .port = *port, .reuse_port = true, .must_be_free = i == 0 };
        int rc = http_server_listen(k->workers[i]->server, &tcp, err);
        if (rc < 0)
            return rc;
        *port = http_server_port(k->workers[0]->server);
    }
    return listen_operator(k, err);
}

static int open_keeper(struct keeper *k, const struct serve_options *o, int *port, struct err *err)
{
    int rc = loop_open(&k->loop, err);
    int want = worker_number(o);
    k->shop->connections = descriptors_share(want);
    for (; rc == 0 && k->count < want; k->count++) {
        if ((rc = worker_open(k->shop, k->count, WORKER_FOR_CLIENTS, &k->workers[k->count], err)) < 0)
            break;
        k->running[k->count] = (struct running){ .worker = k->workers[k->count], .keeper = k };
    }
    if (rc == 0)
        rc = listen_all(k, o, port, err);
    if (rc == 0)
        rc = loop_on_signal(k->loop, SIGTERM, on_signal, k, err);
    if (rc == 0)
        rc = loop_on_signal(k->loop, SIGINT, on_signal, k, err);
    if (rc == 0)
        rc = loop_on_signal(k->loop, SIGHUP, on_hangup, k, err);
    if (rc == 0)
        rc = loop_on_signal(k->loop, SIGUSR2, on_handover, k, err);
    if (rc == 0 && o->watch)
        rc = watch_open(k->loop, k->shop->dir, on_saved, k, &k->watch, err);
    if (rc == 0)
        rc = timer_pump_open(k->shop, k->loop, &k->timers, err);
    if (rc == 0)
        rc = sweep_open(k->shop, k->loop, &k->sweep, err);
    if (rc == 0)
        rc = due_open(k->shop, k->loop, &k->due, err);
    if (rc == 0) {
        k->second = loop_timer_new(k->loop, every_second, k);
        rc = k->second ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    }
    if (rc == 0)
        loop_timer_start(k->second, 1000, 1000);
    k->shop->workers = k->workers;
    k->shop->worker_count = k->count;
    if (rc == 0)
        rc = webhook_sender_open(k->shop, k->loop, &k->webhooks, err);
    return rc;
}

static int start_threads(struct keeper *k, struct err *err)
{
    for (int i = 0; i < k->count; i++) {
        if (pthread_create(&k->running[i].thread, NULL, run_worker, &k->running[i]) != 0)
            return err_set(err, ERR_NOMEM, "A worker thread could not be started; try fewer --workers.");
        k->running[i].started = true;
    }
    return 0;
}

static void stop_here(struct loop_post *post)
{
    struct running *r = (struct running *)((char *)post - offsetof(struct running, drain));
    loop_stop(r->worker->loop);
}

/* Answers that the writer posted after the worker's thread had ended: runs them here, so that their calls are finished and freed. */
static void finish_posts(struct running *r)
{
    r->drain.fn = stop_here;
    loop_post(r->worker->loop, &r->drain);
    loop_run(r->worker->loop);
    tasks_end(r->worker); /* what still waits for the outside */
}

static void close_keeper(struct keeper *k)
{
    for (int i = 0; i < k->count; i++) {
        if (!k->running[i].started)
            continue;
        if (!k->running[i].ended) /* a stop that nobody waits for would end the run in finish_posts() before it began */
            loop_stop(k->workers[i]->loop);
        pthread_join(k->running[i].thread, NULL);
    }
    handover_check_close(k->check);
    watch_close(k->watch);
    errands_finish(k->shop->errands);
    hashers_finish(k->shop->hashers);
    publisher_stop(k->shop->publisher); /* before the writer, which it waits for */
    writer_stop(k->shop->writer);
    follower_finish(k->shop->follower);
    for (int i = 0; i < k->count; i++)
        if (k->running[i].started)
            finish_posts(&k->running[i]);
    if (k->webhooks)
        webhook_sender_stop(k->webhooks);
    if (k->timers)
        timer_pump_finish(k->timers);
    webhook_sender_close(k->webhooks);
    sweep_close(k->sweep);
    due_close(k->due);
    timer_pump_close(k->timers);
    loop_timer_free(k->second);
    k->shop->worker_count = 0;
    for (int i = 0; i < k->count; i++)
        worker_close(k->workers[i]);
    if (k->loop)
        loop_close(k->loop);
    unlink(k->shop->socket_path);
}

int shop_serve(struct shop *s, const struct serve_options *o, struct handover *handover, struct err *err)
{
    struct keeper *k = calloc(1, sizeof *k);
    int port = 0;
    if (!k)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    k->shop = s;
    k->options = o;
    k->handover = handover;
    *handover = (struct handover){ 0 };
    k->drain_ms = o->drain_ms ? o->drain_ms : DRAIN_DEFAULT_MS;
    signal(SIGPIPE, SIG_IGN);
    int rc = open_keeper(k, o, &port, err);
    if (rc == 0)
        rc = start_threads(k, err);
    if (rc == 0) {
        follower_start(s->follower);
        if (o->ready)
            o->ready(o->ctx, port);
        loop_run(k->loop);
        log_info(s->options.log, "serve.stopped", "Stopped.");
    }
    close_keeper(k);
    free(k);
    return rc;
}
