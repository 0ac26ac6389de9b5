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
};

int errands_open(struct shop *s, struct errands **out, struct err *err)
{
    struct errands *e = *out = calloc(1, sizeof *e);
    if (!e)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    e->shop = s;
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
static int start(struct errands *e, struct call *c, errand_fn fn)
{
    if (e->running || e->stopping)
        return err_reason(&c->err, ERR_BUSY, e->stopping ? "stopping" : "errand_running",
                          e->stopping ? "The shop is stopping; try again in a moment."
                                      : "A check or a backup is on its way; try again when it is done.");
    if (e->started)
        pthread_join(e->thread, NULL);
    e->started = false;
    e->call = c;
    e->fn = fn;
    if (pthread_create(&e->thread, NULL, run, e) != 0)
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
    int rc = start(e, c, fn);
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
    pthread_mutex_destroy(&e->lock);
    free(e);
}
