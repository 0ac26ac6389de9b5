/* The sockets of runtime/loop/loop.h as memory, and the clients' ends of them. */
#include "tests/simulate/net_int.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 256 * 1024, SMALL_READ = 40, LISTENERS_MAX = 64 };

static void tell_world(struct net *n)
{
    n->news = true;
    sched_wake(n);
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

bool stream_ready(const struct stream *s)
{
    const struct conn *c = s->conn;
    if (s->gone || !s->events)
        return false;
    if (!c || c->hung_up || (s->was_queued && s->queue.len == 0) || (s->shutting_down && s->queue.len == 0 && !c->closed))
        return true;
    return s->reading && (c->up_read < c->up.len || (c->finished && !s->told_end));
}

void stream_turn(struct stream *s)
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

bool listener_ready(const struct listener *s)
{
    for (const struct conn *c = s->loop->net->conns; c && !s->gone; c = c->next)
        if (c->waits_at == s)
            return true;
    return false;
}

void listener_turn(struct listener *s)
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
