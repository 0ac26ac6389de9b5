/* runtime/loop/loop.h on tests/simulate/sched.h. One turn of a loop is what a turn of libuv is: timers, the idle callback, then what has
 * come (posts, connections, bytes, signals) in an order that the seed says, then the closed ones. */
#include "tests/simulate/net_int.h"
#include <assert.h>
#include <stdlib.h>

enum { SLICES_MAX = 16 };

/* --- the loop ------------------------------------------------------------------------------------------------------------------ */

int loop_open(struct loop **out, struct err *err)
{
    struct loop *l = *out = calloc(1, sizeof *l);
    struct net *n = net_here();
    if (!l || n->loop_count == LOOPS_MAX)
        return err_set(err, ERR_NOMEM, "There is no memory for an event loop.");
    l->net = n;
    l->posts_tail = &l->posts;
    l->now_ms = sched_now_ns() / 1000000;
    n->loops[n->loop_count++] = l;
    return 0;
}

void loop_post(struct loop *l, struct loop_post *item)
{
    item->next = NULL;
    *l->posts_tail = item;
    l->posts_tail = &item->next;
    sched_wake(l);
    if (sched_roll(4) == 0)
        sched_point();
}

void loop_stop(struct loop *l)
{
    l->stop = true;
    sched_wake(l);
}

void loop_on_idle(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    l->idle = fn;
    l->idle_ctx = ctx;
}

int64_t loop_now_ms(const struct loop *l)
{
    return l->now_ms;
}

static void run_posts(struct loop *l)
{
    struct loop_post *item = l->posts;
    l->posts = NULL;
    l->posts_tail = &l->posts;
    for (struct loop_post *next; item; item = next) {
        next = item->next; /* fn may free the item or post it again */
        item->fn(item);
    }
}

/* --- timers ---------------------------------------------------------------------------------------------------------------------- */

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_timer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct loop_timer){ .loop = l, .fn = fn, .ctx = ctx, .next = l->timers };
    l->timers = t;
    return t;
}

void loop_timer_start(struct loop_timer *t, int64_t after_ms, int64_t repeat_ms)
{
    t->due_ms = sched_now_ns() / 1000000 + after_ms;
    t->repeat_ms = repeat_ms;
    t->active = true;
    sched_wake(t->loop); /* it may sleep for longer */
}

void loop_timer_stop(struct loop_timer *t)
{
    t->active = false;
}

void loop_timer_free(struct loop_timer *t)
{
    if (!t)
        return;
    t->active = false;
    t->gone = true;
    t->loop->reaping = true;
}

static struct loop_timer *earliest(struct loop *l, int64_t due_ms)
{
    struct loop_timer *found = NULL;
    for (struct loop_timer *t = l->timers; t; t = t->next)
        if (t->active && t->due_ms <= due_ms && (!found || t->due_ms < found->due_ms))
            found = t;
    return found;
}

static void run_timers(struct loop *l)
{
    struct loop_timer *t;
    while ((t = earliest(l, l->now_ms)) != NULL) {
        t->active = t->repeat_ms > 0;
        t->due_ms = l->now_ms + t->repeat_ms;
        t->fn(t->ctx);
    }
}

static int64_t next_timer_ns(struct loop *l)
{
    struct loop_timer *t = earliest(l, INT64_MAX);
    return t ? t->due_ms * 1000000 : SCHED_NEVER_NS;
}

/* --- slices ---------------------------------------------------------------------------------------------------------------------- */

struct loop_slice *loop_slice_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
    struct loop_slice *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    *s = (struct loop_slice){ .loop = l, .fn = fn, .ctx = ctx, .next = l->slices };
    return l->slices = s;
}

void loop_slice_want(struct loop_slice *s)
{
    s->wanted = true;
}

void loop_slice_free(struct loop_slice *s)
{
    if (!s)
        return;
    s->wanted = false;
    s->gone = true;
    s->loop->reaping = true;
}

/* Those that are wanted by now; what they want again is for the next turn. */
static bool slices_turn(struct loop *l, bool run)
{
    struct loop_slice *due[SLICES_MAX];
    size_t n = 0;
    for (struct loop_slice *s = l->slices; s && n < SLICES_MAX; s = s->next)
        if (s->wanted)
            due[n++] = s;
    for (size_t i = 0; i < n && run; i++) {
        if (!due[i]->wanted)
            continue;
        due[i]->wanted = false;
        due[i]->fn(due[i]->ctx);
    }
    return n > 0;
}

/* --- signals, folders, descriptors of others ---------------------------------------------------------------------------------------- */

int loop_on_signal(struct loop *l, int signum, void (*fn)(void *ctx, int signum), void *ctx, struct err *err)
{
    struct loop_signal *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "There is no memory for a signal handler.");
    *s = (struct loop_signal){ .signum = signum, .fn = fn, .ctx = ctx, .loop = l, .next = l->signals };
    l->signals = s;
    return 0;
}

void net_signal(struct net *n, int signum)
{
    for (size_t i = 0; i < n->loop_count; i++) {
        for (struct loop_signal *s = n->loops[i]->signals; s; s = s->next) {
            s->raised = s->raised || s->signum == signum;
            sched_wake(s->loop);
        }
    }
}

/* Nothing is told of folders here: publishing is asked for over HTTP. */
int loop_watch_open(struct loop *l, const char *folder, void (*fn)(void *ctx), void *ctx, struct loop_watch **out, struct err *err)
{
    (void)folder;
    (void)fn;
    (void)ctx;
    struct loop_watch *w = *out = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "There is no memory for watching a folder.");
    w->next = l->watches;
    l->watches = w;
    return 0;
}

void loop_watch_close(struct loop_watch *w)
{
    (void)w; /* freed with its loop */
}

/* No library here has descriptors of its own: outbound.c stands for libcurl. */
struct loop_poll *loop_poll_new(struct loop *l, int fd, void (*fn)(void *ctx, int fd, int events), void *ctx)
{
    (void)l;
    (void)fd;
    (void)fn;
    (void)ctx;
    return NULL;
}

void loop_poll_want(struct loop_poll *p, int events)
{
    (void)p;
    (void)events;
}

void loop_poll_free(struct loop_poll *p)
{
    (void)p;
}

/* --- one turn ---------------------------------------------------------------------------------------------------------------------- */

static bool signal_turn(struct loop *l, bool run)
{
    for (struct loop_signal *s = l->signals; s; s = s->next) {
        if (!s->raised)
            continue;
        if (run) {
            s->raised = false;
            s->fn(s->ctx, s->signum);
        }
        return true;
    }
    return false;
}

static bool something_came(struct loop *l)
{
    if (l->posts || l->stop || l->reaping || slices_turn(l, false) || signal_turn(l, false))
        return true;
    for (struct listener *s = l->listeners; s; s = s->next)
        if (listener_ready(s))
            return true;
    for (struct stream *s = l->streams; s; s = s->next)
        if (stream_ready(s))
            return true;
    return false;
}

/* Streams are visited from a place that the seed says, so that none is always first. New ones are put in front, and none goes before
 * reap(). */
static void streams_turn(struct loop *l)
{
    size_t n = 0, skip;
    for (struct stream *s = l->streams; s; s = s->next)
        n++;
    if (n == 0)
        return;
    skip = sched_roll(n);
    struct stream *from = l->streams;
    while (skip--)
        from = from->next;
    struct stream *s = from;
    do {
        stream_turn(s);
        s = s->next ? s->next : l->streams;
    } while (s != from);
}

static void take_what_came(struct loop *l)
{
    bool posts_first = sched_roll(2);
    if (posts_first)
        run_posts(l);
    signal_turn(l, true);
    for (struct listener *s = l->listeners; s; s = s->next)
        if (listener_ready(s))
            listener_turn(s);
    streams_turn(l);
    if (!posts_first)
        run_posts(l);
}

#define REAP(type, list)                                                                                                                   \
    for (type **at = &(list); *at;) {                                                                                                      \
        type *one = *at;                                                                                                                   \
        if (!one->gone) {                                                                                                                  \
            at = &one->next;                                                                                                               \
            continue;                                                                                                                      \
        }                                                                                                                                  \
        *at = one->next;                                                                                                                   \
        free(one);                                                                                                                         \
    }

static void forget_stream(struct stream *s)
{
    if (s->events)
        s->events->closed(s->ctx);
    buf_release(&s->queue);
}

static void reap(struct loop *l)
{
    while (l->reaping) { /* closed() may close something */
        l->reaping = false;
        struct stream *gone = NULL;
        for (struct stream **at = &l->streams; *at;) {
            struct stream *s = *at;
            if (!s->gone) {
                at = &s->next;
                continue;
            }
            *at = s->next;
            s->next = gone;
            gone = s;
        }
        for (struct stream *s = gone, *next; s; s = next) {
            next = s->next;
            forget_stream(s);
            free(s);
        }
        REAP(struct loop_timer, l->timers)
        REAP(struct listener, l->listeners)
        REAP(struct loop_slice, l->slices)
    }
}

void loop_run(struct loop *l)
{
    if (l->stop) {
        l->stop = false;
        return;
    }
    for (bool over = false; !over;) {
        l->now_ms = sched_now_ns() / 1000000;
        run_timers(l);
        if (l->idle)
            l->idle(l->idle_ctx);
        if (something_came(l))
            sched_point();
        else
            sched_wait(l, next_timer_ns(l));
        l->now_ms = sched_now_ns() / 1000000;
        over = l->stop;
        slices_turn(l, true);
        take_what_came(l);
        over = over || l->stop;
        reap(l);
    }
    l->stop = false;
}

void loop_close(struct loop *l)
{
    if (!l)
        return;
    struct net *n = l->net;
    run_posts(l); /* an item that was handed over is always run, so that its owner can free it */
    for (struct loop_timer *t = l->timers; t; t = t->next)
        t->gone = true;
    for (struct loop_slice *s = l->slices; s; s = s->next)
        s->gone = true;
    for (struct listener *s = l->listeners; s; s = s->next)
        if (!s->gone)
            listener_close(s);
    for (struct stream *s = l->streams; s; s = s->next)
        stream_close(s);
    l->reaping = true;
    reap(l);
    run_posts(l);
    for (struct loop_signal *s = l->signals, *next; s; s = next) {
        next = s->next;
        free(s);
    }
    for (struct loop_watch *w = l->watches, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    size_t i = 0;
    while (n->loops[i] != l)
        i++;
    n->loops[i] = n->loops[--n->loop_count];
    free(l);
}
