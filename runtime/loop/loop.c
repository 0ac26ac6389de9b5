/* loop/loop.c - the loop itself, posts between threads, timers and signals. */
#include "loop/loop.h"
#include "loop/loop_int.h"
#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

/* --- posts ------------------------------------------------------------------------------------------------------ */

static void run_posts(struct loop *l)
{
    struct loop_post *item = atomic_exchange_explicit(&l->posts, NULL, memory_order_acquire);
    struct loop_post *oldest = NULL;
    while (item) { /* newest first becomes oldest first */
        struct loop_post *next = item->next;
        item->next = oldest;
        oldest = item;
        item = next;
    }
    while (oldest) {
        struct loop_post *next = oldest->next; /* fn may free the item or post it again */
        oldest->fn(oldest);
        oldest = next;
    }
}

void loop_post(struct loop *l, struct loop_post *item)
{
    struct loop_post *head = atomic_load_explicit(&l->posts, memory_order_relaxed);
    do {
        item->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&l->posts, &head, item, memory_order_release, memory_order_relaxed));
    /* Whoever finds the list empty wakes the loop; the others ride along, because the list is taken whole. */
    if (!head)
        uv_async_send(&l->wake);
}

static void on_wake(uv_async_t *h)
{
    struct loop *l = h->data;
    run_posts(l);
    if (atomic_exchange(&l->stop, false))
        uv_stop(&l->uv);
}

void loop_stop(struct loop *l)
{
    atomic_store(&l->stop, true);
    uv_async_send(&l->wake);
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void on_prepare(uv_prepare_t *h)
{
    struct loop *l = h->data;
    l->idle(l->idle_ctx);
}

void loop_on_idle(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    l->idle = fn;
    l->idle_ctx = ctx;
    if (fn)
        uv_prepare_start(&l->prepare, on_prepare);
    else
        uv_prepare_stop(&l->prepare);
}

int loop_open(struct loop **out, struct err *err)
{
    *out = NULL;
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return err_set(err, ERR_NOMEM, "There is no memory for an event loop.");
    int rc = uv_loop_init(&l->uv);
    if (rc < 0) {
        free(l);
        return err_set(err, ERR_IO, "An event loop could not be made: %s. Raise the limit of open files (ulimit -n).", uv_strerror(rc));
    }
    rc = uv_async_init(&l->uv, &l->wake, on_wake);
    if (rc < 0) {
        uv_loop_close(&l->uv);
        free(l);
        return err_set(err, ERR_IO, "An event loop could not be made: %s. Raise the limit of open files (ulimit -n).", uv_strerror(rc));
    }
    uv_prepare_init(&l->uv, &l->prepare);
    l->wake.data = l->prepare.data = l;
    /* A peer that hangs up while we write must be an error of that write; left alone it would end the process. */
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
    *out = l;
    return 0;
}

void loop_run(struct loop *l)
{
    if (atomic_exchange(&l->stop, false)) /* stopped before it ran */
        return;
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

int64_t loop_now_ms(const struct loop *l)
{
    return (int64_t)uv_now(&l->uv);
}

static void timer_free_handle(uv_handle_t *h);
static void slice_free_handle(uv_handle_t *h);
static void watch_free_handle(uv_handle_t *h);
static void signal_free_handle(uv_handle_t *h);
static void poll_free_handle(uv_handle_t *h);

static void close_handle(uv_handle_t *h, void *ctx)
{
    (void)ctx;
    if (uv_is_closing(h))
        return;
    switch (h->type) {
    case UV_TIMER:
        uv_close(h, timer_free_handle);
        break;
    case UV_IDLE:
        uv_close(h, slice_free_handle);
        break;
    case UV_SIGNAL:
        uv_close(h, signal_free_handle);
        break;
    case UV_FS_EVENT:
        uv_close(h, watch_free_handle);
        break;
    case UV_POLL:
        if (h->data)
            listener_close_handle(h);
        else
            uv_close(h, poll_free_handle);
        break;
    case UV_TCP:
    case UV_NAMED_PIPE:
        stream_close_handle(h);
        break;
    default: /* wake and prepare live in the loop */
        uv_close(h, NULL);
    }
}

void loop_close(struct loop *l)
{
    if (!l)
        return;
    run_posts(l); /* an item that was handed over is always run, so that its owner can free it */
    uv_walk(&l->uv, close_handle, NULL);
    while (uv_run(&l->uv, UV_RUN_DEFAULT) != 0)
        uv_walk(&l->uv, close_handle, NULL); /* a callback may have opened something */
    run_posts(l);
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    (void)rc;
    free(l);
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

struct loop_timer {
    uv_timer_t uv;
    void (*fn)(void *ctx);
    void *ctx;
};

static void timer_free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_timer(uv_timer_t *h)
{
    struct loop_timer *t = h->data;
    t->fn(t->ctx);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    uv_timer_init(&l->uv, &t->uv);
    t->uv.data = t;
    t->fn = fn;
    t->ctx = ctx;
    return t;
}

void loop_timer_start(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    assert(after_ms >= 0 && repeat_ms >= 0);
    uv_timer_start(&t->uv, on_timer, (uint64_t)after_ms, (uint64_t)repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
    uv_timer_stop(&t->uv);
}

void loop_timer_free(struct loop_timer *t)
{
    if (t && !uv_is_closing((uv_handle_t *)&t->uv))
        uv_close((uv_handle_t *)&t->uv, timer_free_handle);
}

/* --- slices ------------------------------------------------------------------------------------------------------ */

struct loop_slice {
    uv_idle_t uv;
    void (*fn)(void *ctx);
    void *ctx;
};

static void slice_free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_slice(uv_idle_t *h)
{
    struct loop_slice *s = h->data;
    uv_idle_stop(h);
    sched_yield(); /* other threads, too, go before what may wait: not only when this one has used up its time */
    s->fn(s->ctx);
}

struct loop_slice *loop_slice_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_slice *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    uv_idle_init(&l->uv, &s->uv);
    s->uv.data = s;
    s->fn = fn;
    s->ctx = ctx;
    return s;
}

void loop_slice_want(struct loop_slice *s)
{
    uv_idle_start(&s->uv, on_slice);
}

void loop_slice_free(struct loop_slice *s)
{
    if (s && !uv_is_closing((uv_handle_t *)&s->uv))
        uv_close((uv_handle_t *)&s->uv, slice_free_handle);
}

/* --- signals ---------------------------------------------------------------------------------------------------- */

struct loop_signal {
    uv_signal_t uv;
    void (*fn)(void *ctx, int signum);
    void *ctx;
};

static void signal_free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct loop_signal *s = h->data;
    s->fn(s->ctx, signum);
}

int loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx, struct err *err)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "There is no memory for a signal handler.");
    uv_signal_init(&l->uv, &s->uv);
    s->uv.data = s;
    s->fn = fn;
    s->ctx = ctx;
    int rc = uv_signal_start(&s->uv, on_signal, signum);
    if (rc < 0) {
        uv_close((uv_handle_t *)&s->uv, signal_free_handle);
        return err_set(err, ERR_IO, "Signal %d can't be handled: %s.", signum, uv_strerror(rc));
    }
    return 0;
}

/* --- folders ---------------------------------------------------------------------------------------------------- */

struct loop_watch {
    uv_fs_event_t uv;
    void (*fn)(void *ctx);
    void *ctx;
};

static void watch_free_handle(uv_handle_t *h)
{
    free(h->data);
}

static void on_change(uv_fs_event_t *h, const char *name, int events, int status)
{
    struct loop_watch *w = h->data;
    (void)name; /* may be missing, and a later change may have overtaken it */
    (void)events;
    (void)status;
    w->fn(w->ctx);
}

int loop_watch_open(struct loop *l, const char *folder, void (*fn)(void *ctx), void *ctx, struct loop_watch **out, struct err *err)
{
    *out = NULL;
    struct loop_watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "There is no memory for watching a folder.");
    uv_fs_event_init(&l->uv, &w->uv);
    w->uv.data = w;
    w->fn = fn;
    w->ctx = ctx;
    int rc = uv_fs_event_start(&w->uv, on_change, folder, 0);
    if (rc < 0) {
        uv_close((uv_handle_t *)&w->uv, watch_free_handle);
        return err_set(err, ERR_IO, "The folder %s can't be watched: %s.", folder, uv_strerror(rc));
    }
    *out = w;
    return 0;
}

void loop_watch_close(struct loop_watch *w)
{
    if (w && !uv_is_closing((uv_handle_t *)&w->uv))
        uv_close((uv_handle_t *)&w->uv, watch_free_handle);
}

/* --- descriptors of others -------------------------------------------------------------------------------------- */

struct loop_poll {
    uv_poll_t uv; /* first; its data is NULL, which tells it from a listener */
    int fd;
    void (*fn)(void *ctx, int fd, int events);
    void *ctx;
};

static void poll_free_handle(uv_handle_t *h)
{
    free(h);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct loop_poll *p = (struct loop_poll *)h;
    int ready = (events & UV_READABLE ? LOOP_READABLE : 0) | (events & UV_WRITABLE ? LOOP_WRITABLE : 0);
    p->fn(p->ctx, p->fd, status < 0 ? LOOP_READABLE | LOOP_WRITABLE : ready);
}

struct loop_poll *loop_poll_new(struct loop *l, int fd, void (*fn)(void *ctx, int fd, int events), void *ctx)
{
    struct loop_poll *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    if (uv_poll_init(&l->uv, &p->uv, fd) < 0) {
        free(p); /* no handle was made */
        return NULL;
    }
    p->fd = fd;
    p->fn = fn;
    p->ctx = ctx;
    return p;
}

void loop_poll_want(struct loop_poll *p, int events)
{
    int uv = (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0);
    if (uv)
        uv_poll_start(&p->uv, uv, on_ready);
    else
        uv_poll_stop(&p->uv);
}

void loop_poll_free(struct loop_poll *p)
{
    if (p && !uv_is_closing((uv_handle_t *)&p->uv))
        uv_close((uv_handle_t *)&p->uv, poll_free_handle);
}
