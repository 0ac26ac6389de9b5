#include "host/care/errand.h"
#include "host/worker.h"
#include <pthread.h>
#include <stdlib.h>

struct errands {
    struct shop *shop;
    pthread_mutex_t lock;
    pthread_t thread;
    bool running;  /* somebody's */
    bool started;  /* `thread` is to be joined */
    bool stopping; /* none begins any more */
    struct call *call;
    errand_fn fn;
    /* What was begun and is asked about. The thread alone writes to it while it runs. */
    const char *kind; /* NULL: nothing was begun yet */
    errand_work work;
    struct arena arena;
    const struct json_value *body;
    struct progress progress;
    struct buf result;
    struct err err;
    int rc;
};

int errands_open(struct shop *s, struct errands **out, struct err *err)
{
    struct errands *e = *out = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    e->shop = s;
    arena_init(&e->arena, NULL, 0);
    buf_init(&e->result, NULL);
    pthread_mutex_init(&e->lock, NULL);
    return 0;
}

static void *run(void *ctx)
{
    struct errands *e = ctx;
    struct call *c = e->call;
    struct store_conn *conn;
    c->rc = store_reader_open(e->shop->store, &conn, &c->err);
    if (c->rc == 0) {
        c->rc = e->fn(c, conn, &c->err);
        store_reader_close(conn);
    }
    call_resume(c); /* not a byte of the call may be touched from here */
    pthread_mutex_lock(&e->lock);
    e->running = false;
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* The lock is held; the thread of an earlier one has done its work, or is about to end. */
static int start(struct errands *e, void *(*thread)(void *), struct call *c, errand_fn fn)
{
    if (e->running || e->stopping)
        return err_reason(&c->err, ERR_BUSY, e->stopping ? "stopping" : "errand_running",
                          e->stopping ? "The shop is stopping; try again in a moment."
                                      : "A check, a backup, a replay or a backtest is on its way; try again when it is done.");
    if (e->started)
        pthread_join(e->thread, NULL);
    e->started = false;
    e->call = c;
    e->fn = fn;
    if (pthread_create(&e->thread, NULL, thread, e) != 0)
        return err_set(&c->err, ERR_NOMEM, "The system gives no thread for this; try again later.");
    return e->started = e->running = true, 0;
}

void errand_send(struct call *c, errand_fn fn)
{
    struct errands *e = c->shop->errands;
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    call_wait(c);
    pthread_mutex_lock(&e->lock);
    int rc = start(e, run, c, fn);
    pthread_mutex_unlock(&e->lock);
    if (rc == 0)
        return;
    worker_let_go(w, seat);
    c->rc = rc;
    call_fail(c, NULL, (struct slice){ 0 });
}

void errands_finish(struct errands *e)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    atomic_store(&e->progress.cancelled, true);
    bool join = e->started;
    e->started = false;
    pthread_mutex_unlock(&e->lock);
    if (join)
        pthread_join(e->thread, NULL);
}

void errands_close(struct errands *e)
{
    if (!e)
        return;
    errands_finish(e);
    arena_release(&e->arena);
    buf_release(&e->result);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

/* --- begun by one call, asked about by others ---------------------------------------------------------------------------------- */

static void *run_begun(void *ctx)
{
    struct errands *e = ctx;
    struct json_writer w;
    json_writer_init(&w, &e->result);
    int rc = e->work(e->shop, e->body, &e->progress, &w, &e->err);
    if (rc == 0 && e->result.failed)
        rc = err_set(&e->err, ERR_NOMEM, "The shop is short of memory; try again.");
    pthread_mutex_lock(&e->lock);
    e->rc = rc;
    e->running = false;
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

/* The body outlives its call. */
static int keep_body(struct errands *e, const struct call *c, struct err *err)
{
    struct buf b;
    struct json_writer w;
    struct json_value *v;
    arena_reset(&e->arena);
    e->body = NULL;
    if (!c->body)
        return 0;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, c->body);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(&e->arena, buf_slice(&b));
    buf_release(&b);
    int rc = text.data ? json_parse(text, NULL, &e->arena, &v, err) : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (rc == 0)
        e->body = v;
    return rc;
}

static int begin(struct errands *e, struct call *c, const char *kind, errand_work work)
{
    if (e->running || e->stopping)
        return start(e, run_begun, c, NULL);
    int rc = keep_body(e, c, &c->err);
    if (rc < 0)
        return rc;
    e->kind = kind;
    e->work = work;
    e->rc = 0;
    err_clear(&e->err);
    buf_clear(&e->result);
    atomic_store(&e->progress.done, 0);
    atomic_store(&e->progress.of, 0);
    atomic_store(&e->progress.cancelled, false);
    return start(e, run_begun, c, NULL);
}

void errand_begin(struct call *c, const char *kind, errand_work work)
{
    struct errands *e = c->shop->errands;
    pthread_mutex_lock(&e->lock);
    c->rc = begin(e, c, kind, work);
    pthread_mutex_unlock(&e->lock);
    if (c->rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else
        call_answer_json(c, 202, slice_str("{\"state\":\"running\",\"done\":0,\"of\":0}"));
}

static const char *state_of(struct errands *e, const char *kind)
{
    if (!e->kind || strcmp(e->kind, kind) != 0)
        return "none";
    if (e->running)
        return "running";
    return atomic_load(&e->progress.cancelled) && e->rc == 0 ? "cancelled" : e->rc < 0 ? "failed" : "done";
}

/* The lock is held. */
static void write_state(struct errands *e, const char *kind, struct json_writer *w)
{
    const char *state = state_of(e, kind);
    json_object(w);
    json_key(w, "state");
    json_str(w, state);
    if (strcmp(state, "none") != 0) {
        json_key(w, "done");
        json_int(w, (int64_t)atomic_load(&e->progress.done));
        json_key(w, "of");
        json_int(w, (int64_t)atomic_load(&e->progress.of));
    }
    if (strcmp(state, "done") == 0) {
        json_key(w, "result");
        json_raw(w, buf_slice(&e->result));
    }
    if (strcmp(state, "failed") == 0) {
        json_key(w, "problem");
        json_str(w, e->err.text);
    }
    json_object_end(w);
}

void errand_look(struct call *c, const char *kind)
{
    struct errands *e = c->shop->errands;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    pthread_mutex_lock(&e->lock);
    write_state(e, kind, &w);
    pthread_mutex_unlock(&e->lock);
    c->answer = (struct bind_answer){ 200, b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b)) };
    buf_release(&b);
    c->rc = c->answer.body.data ? 0 : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    call_answer(c);
}

void errand_cancel(struct call *c, const char *kind)
{
    struct errands *e = c->shop->errands;
    pthread_mutex_lock(&e->lock);
    if (e->running && e->kind && strcmp(e->kind, kind) == 0)
        atomic_store(&e->progress.cancelled, true);
    pthread_mutex_unlock(&e->lock);
    errand_look(c, kind);
}
