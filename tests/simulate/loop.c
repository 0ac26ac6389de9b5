/* runtime/loop/loop.h on tests/simulate/sched.h. One turn of a loop is what a turn of libuv is: timers, the idle callback, then what has
 * come (posts, connections, bytes, signals) in an order that the seed says, then the closed ones. */
#include "loop/loop.h"
#include "tests/simulate/net.h"
#include "tests/simulate/sched.h"
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 64 * 1024, WINDOW = 256 * 1024, SMALL_READ = 40, LOOPS_MAX = 64, LISTENERS_MAX = 64, SLICES_MAX = 16 };

struct loop {
    struct net *net;
    struct loop_post *posts, **posts_tail;
    bool stop;
    void (*idle)(void *ctx);
    void *idle_ctx;
    int64_t now_ms;
    struct loop_timer *timers;
    struct loop_slice *slices;
    struct listener *listeners;
    struct stream *streams;
    struct loop_signal *signals;
    struct loop_watch *watches;
    struct loop_poll *polls;
    bool reaping; /* something was closed */
    char read_buffer[READ_MAX];
};

struct loop_timer {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    int64_t due_ms, repeat_ms;
    bool active, gone;
    struct loop_timer *next;
};

struct loop_slice {
    struct loop *loop;
    void (*fn)(void *ctx);
    void *ctx;
    bool wanted, gone;
    struct loop_slice *next;
};

struct loop_signal {
    int signum;
    bool raised;
    void (*fn)(void *ctx, int signum);
    void *ctx;
    struct loop *loop;
    struct loop_signal *next;
};

struct loop_watch {
    struct loop_watch *next;
};

struct loop_poll {
    struct loop_poll *next;
};

struct listener {
    struct loop *loop;
    int port; /* 0: the operator's */
    void (*accepted)(void *ctx, struct stream *s);
    void *ctx;
    bool gone;
    struct listener *next, *next_in_net;
};

/* Both ends of a connection. */
struct conn {
    int number;
    struct listener *waits_at; /* not accepted yet */
    struct stream *server;     /* NULL before that, and when its side is gone */
    struct buf up, down;       /* to the server, to the client */
    size_t up_read, window;
    bool finished, hung_up; /* by the client */
    bool closed;            /* by the server */
    struct conn *next;
};

struct stream {
    struct loop *loop;
    struct conn *conn; /* NULL when the client is gone and forgotten */
    const struct stream_events *events;
    void *ctx;
    struct peer peer;
    struct buf queue; /* what the client has no room for */
    bool reading, told_end, shutting_down, gone, was_queued;
    uint64_t accepted_bytes;
    struct stream *next;
};

struct net {
    struct conn *conns;
    struct listener *listeners;
    struct loop *loops[LOOPS_MAX];
    size_t loop_count;
    int last_number, last_port;
    bool news;
};

static void tell_world(struct net *n)
{
    n->news = true;
    sched_wake(n);
}

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

/* --- streams: the server's end ---------------------------------------------------------------------------------------------------- */

void stream_start(struct stream *s, const struct stream_events *events, void *ctx)
{
    assert(!s->events);
    s->events = events;
    s->ctx = ctx;
    stream_read_resume(s);
}

const struct peer *stream_peer(const struct stream *s)
{
    return &s->peer;
}

void stream_read_pause(struct stream *s)
{
    s->reading = false;
}

void stream_read_resume(struct stream *s)
{
    s->reading = !s->gone;
}

static size_t down_room(const struct conn *c)
{
    return c->down.len < c->window ? c->window - c->down.len : 0;
}

/* What is queued goes where there is room by now. */
static void push(struct stream *s)
{
    size_t n = s->conn ? down_room(s->conn) : s->queue.len;
    if (n > s->queue.len)
        n = s->queue.len;
    if (n == 0)
        return;
    if (s->conn)
        buf_add(&s->conn->down, s->queue.data, n);
    memmove(s->queue.data, s->queue.data + n, s->queue.len - n);
    s->queue.len -= n;
    tell_world(s->loop->net);
}

long stream_write(struct stream *s, const struct slice *parts, size_t n)
{
    if (s->gone || s->shutting_down)
        return -1;
    for (size_t i = 0; i < n; i++) {
        buf_add_slice(&s->queue, parts[i]);
        s->accepted_bytes += parts[i].len;
    }
    push(s);
    s->was_queued = s->was_queued || s->queue.len > 0;
    return (long)s->queue.len;
}

size_t stream_queued(const struct stream *s)
{
    return s->queue.len;
}

uint64_t stream_sent_bytes(const struct stream *s)
{
    return s->accepted_bytes - s->queue.len;
}

void stream_bound_kernel(struct stream *s, size_t bytes)
{
    if (s->conn && s->conn->window > bytes)
        s->conn->window = bytes;
}

void stream_shutdown(struct stream *s)
{
    s->shutting_down = true;
}

static void end_server_side(struct stream *s)
{
    struct conn *c = s->conn;
    if (s->gone)
        return;
    s->gone = true;
    s->reading = false;
    s->loop->reaping = true;
    if (c) {
        c->closed = true;
        c->server = NULL;
        s->conn = NULL;
        tell_world(s->loop->net);
    }
}

void stream_close(struct stream *s)
{
    buf_clear(&s->queue);
    end_server_side(s);
}

void stream_reset(struct stream *s)
{
    if (s->conn)
        buf_clear(&s->conn->down);
    stream_close(s);
}

static bool stream_ready(const struct stream *s)
{
    const struct conn *c = s->conn;
    if (s->gone || !s->events)
        return false;
    if (!c || c->hung_up || (s->was_queued && s->queue.len == 0) || (s->shutting_down && s->queue.len == 0 && !c->closed))
        return true;
    return s->reading && (c->up_read < c->up.len || (c->finished && !s->told_end));
}

static void stream_turn(struct stream *s)
{
    struct conn *c = s->conn;
    if (!stream_ready(s))
        return;
    if (!c || c->hung_up) {
        stream_close(s);
        return;
    }
    if (s->shutting_down && s->queue.len == 0 && !c->closed) {
        c->closed = true;
        tell_world(s->loop->net);
    }
    if (s->was_queued && s->queue.len == 0) {
        s->was_queued = false;
        s->events->drained(s->ctx);
        return;
    }
    if (!s->reading)
        return;
    size_t len = c->up.len - c->up_read, most = sched_roll(8) == 0 ? 1 + sched_roll(SMALL_READ) : READ_MAX;
    if (len > most)
        len = most;
    if (len == 0) {
        s->told_end = c->finished;
        s->reading = s->reading && !c->finished;
        if (c->finished)
            s->events->received(s->ctx, "", 0);
        return;
    }
    memcpy(s->loop->read_buffer, c->up.data + c->up_read, len);
    c->up_read += len;
    if (c->up_read == c->up.len) {
        buf_clear(&c->up);
        c->up_read = 0;
    }
    s->events->received(s->ctx, s->loop->read_buffer, len);
}

/* --- listeners -------------------------------------------------------------------------------------------------------------------- */

int listener_open(struct loop *l, const struct listen_options *o, void (*accepted)(void *ctx, struct stream *s), void *ctx,
                  struct listener **out, struct err *err)
{
    struct listener *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "There is no memory for a listener.");
    int port = o->path ? 0 : o->port ? o->port : ++l->net->last_port + 20000;
    *s = (struct listener){
        .loop = l, .port = port, .accepted = accepted, .ctx = ctx, .next = l->listeners, .next_in_net = l->net->listeners
    };
    l->listeners = l->net->listeners = s;
    return 0;
}

int listener_port(const struct listener *s)
{
    return s->port;
}

int listener_copy(const struct listener *s)
{
    (void)s;
    return -1;
}

uint64_t listener_shed(const struct listener *s)
{
    (void)s;
    return 0;
}

void listener_close(struct listener *s)
{
    struct net *n = s->loop->net;
    struct listener **at = &n->listeners;
    while (*at != s)
        at = &(*at)->next_in_net;
    *at = s->next_in_net;
    for (struct conn *c = n->conns; c; c = c->next) {
        if (c->waits_at != s)
            continue;
        c->waits_at = NULL;
        c->closed = true;
    }
    s->gone = true;
    s->loop->reaping = true;
    tell_world(n);
}

static bool listener_ready(const struct listener *s)
{
    for (const struct conn *c = s->loop->net->conns; c && !s->gone; c = c->next)
        if (c->waits_at == s)
            return true;
    return false;
}

static void listener_turn(struct listener *s)
{
    struct conn *c = s->loop->net->conns;
    while (c && c->waits_at != s)
        c = c->next;
    if (!c || s->gone)
        return;
    c->waits_at = NULL;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        abort();
    stream->loop = s->loop;
    stream->conn = c;
    buf_init(&stream->queue, NULL);
    stream->peer = (struct peer){ .local_socket = s->port == 0 };
    memcpy(stream->peer.address, s->port ? "192.0.2.7" : "unix", s->port ? 10 : 5);
    stream->next = s->loop->streams;
    s->loop->streams = stream;
    c->server = stream;
    s->accepted(s->ctx, stream);
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

/* --- the clients' end ---------------------------------------------------------------------------------------------------------------- */

struct net *net_new(void)
{
    struct net *n = calloc(1, sizeof *n);
    if (!n)
        abort();
    return n;
}

static void free_conn(struct net *n, struct conn *c)
{
    struct conn **at = &n->conns;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    if (c->server) {
        sched_wake(c->server->loop);
        c->server->conn = NULL;
    }
    buf_release(&c->up);
    buf_release(&c->down);
    free(c);
}

void net_cut(struct net *n)
{
    while (n->conns)
        free_conn(n, n->conns);
}

void net_free(struct net *n)
{
    assert(n->loop_count == 0);
    net_cut(n);
    free(n);
}

void net_tell(struct net *n)
{
    tell_world(n);
}

void net_wait(struct net *n, int64_t until_ns)
{
    if (!n->news)
        sched_wait(n, until_ns);
    else
        sched_point();
    n->news = false;
}

static struct conn *find(struct net *n, int number)
{
    struct conn *c = n->conns;
    while (c && c->number != number)
        c = c->next;
    return c;
}

int net_connect(struct net *n, bool operator_socket)
{
    struct listener *found[LISTENERS_MAX];
    size_t count = 0;
    for (struct listener *s = n->listeners; s && count < LISTENERS_MAX; s = s->next_in_net)
        if ((s->port == 0) == operator_socket)
            found[count++] = s;
    struct conn *c = count ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return 0;
    *c = (struct conn){ .number = ++n->last_number, .waits_at = found[sched_roll(count)], .window = WINDOW, .next = n->conns };
    buf_init(&c->up, NULL);
    buf_init(&c->down, NULL);
    n->conns = c;
    sched_wake(c->waits_at->loop);
    return c->number;
}

static void wake_server(struct conn *c)
{
    if (c->server)
        sched_wake(c->server->loop);
}

void net_send(struct net *n, int conn, const char *data, size_t len)
{
    struct conn *c = find(n, conn);
    if (!c || c->closed)
        return;
    buf_add(&c->up, data, len);
    wake_server(c);
}

void net_finish(struct net *n, int conn)
{
    struct conn *c = find(n, conn);
    if (!c)
        return;
    c->finished = true;
    wake_server(c);
}

void net_hang_up(struct net *n, int conn)
{
    struct conn *c = find(n, conn);
    if (c)
        free_conn(n, c);
}

void net_window(struct net *n, int conn, size_t bytes)
{
    struct conn *c = find(n, conn);
    if (c)
        c->window = bytes;
}

size_t net_pending(struct net *n, int conn)
{
    struct conn *c = find(n, conn);
    return c ? c->down.len : 0;
}

bool net_receive(struct net *n, int conn, struct buf *to)
{
    struct conn *c = find(n, conn);
    if (!c)
        return false;
    buf_add(to, c->down.data, c->down.len);
    buf_clear(&c->down);
    if (c->server && c->server->queue.len) {
        push(c->server);
        wake_server(c);
    }
    if (!c->closed || c->down.len)
        return true;
    free_conn(n, c);
    return false;
}
