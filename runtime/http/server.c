/* http/server.c - a server: its listeners, its connections as a whole, the tick that looks at deadlines, drain and end. */
#include "http/http_int.h"
#include <stdlib.h>

#define MS_NS INT64_C(1000000)

void http_limits_default(struct http_limits *l)
{
    *l = (struct http_limits){
        .line_bytes = 8192,
        .header_bytes = 16384,
        .header_count = 100,
        .body_bytes = 1u << 20,
        .local_body_bytes = 256u << 20,
        .held_body_bytes = 256u << 20,
        .connections = 10000,
        .pipeline = 64,
        .write_queue_bytes = 1u << 20,
        .head_timeout_ms = 10000,
        .body_timeout_ms = 30000,
        .idle_timeout_ms = 60000,
        .write_timeout_ms = 30000,
    };
}

int64_t server_now(struct http_server *s)
{
    s->now_ns = clock_mono_ns(s->o.clock);
    return s->now_ns;
}

/* --- deadlines -------------------------------------------------------------------------------------------------- */

void http_server_tick(struct http_server *s)
{
    server_now(s);
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next; /* only c itself may go meanwhile */
        conn_tick(c);
    }
}

/* Copied, because other threads read the figures and must not meet a listener that is being closed. */
static void count_shed(struct http_server *s)
{
    uint64_t n = s->shed_before;
    for (size_t i = 0; i < s->listener_count; i++)
        n += listener_shed(s->listeners[i]);
    atomic_store_explicit(&s->stats.shed_by_listeners, n, memory_order_relaxed);
}

static void on_tick(void *ctx)
{
    struct http_server *s = ctx;
    count_shed(s);
    if (!s->conns) {
        loop_timer_stop(s->tick); /* a process without connections sleeps */
        s->ticking = false;
        return;
    }
    http_server_tick(s);
}

/* Coarse: a timeout may come up to a quarter late. */
static int64_t tick_length(const struct http_limits *l)
{
    int64_t least = l->head_timeout_ms;
    if (l->body_timeout_ms < least)
        least = l->body_timeout_ms;
    if (l->idle_timeout_ms < least)
        least = l->idle_timeout_ms;
    if (l->write_timeout_ms < least)
        least = l->write_timeout_ms;
    return least / 4 > 500 ? 500 : least / 4 < 10 ? 10 : least / 4;
}

/* --- connections ------------------------------------------------------------------------------------------------ */

static void finish_drain(struct http_server *s)
{
    void (*drained)(void *ctx) = s->drained;
    s->drained = NULL;
    loop_timer_free(s->grace);
    s->grace = NULL;
    if (drained)
        drained(s->drained_ctx); /* may close the server */
}

void server_conn_came(struct http_server *s)
{
    s->open_conns++;
    atomic_store_explicit(&s->stats.open, s->open_conns, memory_order_relaxed);
    if (!s->ticking) {
        s->ticking = true;
        loop_timer_start(s->tick, s->tick_ms, s->tick_ms);
    }
}

void server_conn_gone(struct http_server *s)
{
    s->open_conns--;
    atomic_store_explicit(&s->stats.open, s->open_conns, memory_order_relaxed);
    if (s->closing)
        server_maybe_free(s);
    else if (s->draining && s->open_conns == 0)
        finish_drain(s);
}

/* To who comes when there are far too many, or no descriptor is left: it costs no memory. */
static const struct slice farewell =
    SLICE_LIT("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

static void on_accepted(void *ctx, struct stream *stream)
{
    struct http_server *s = ctx;
    size_t limit = s->o.limits.connections, open = s->open_conns;
    bool local = stream_peer(stream)->local_socket; /* the operator gets in when the shop is full */
    bool full = open >= limit && !local;
    stat_add(&s->stats.accepted, 1);
    if (full)
        stat_add(&s->stats.shed, 1);
    struct http_conn *c = full && open >= limit + limit / 8 + 16 ? NULL : conn_open(s, stream);
    if (!c) {
        stream_write(stream, &farewell, 1);
        stream_close(stream);
    } else if (full)
        conn_shed(c);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

int http_server_open(struct loop *l, const struct http_server_options *o, struct http_server **out, struct err *err)
{
    *out = NULL;
    struct http_server *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "There is no memory for an HTTP server.");
    s->o = *o;
    s->loop = l;
    if (!s->o.clock)
        s->o.clock = clock_system();
    buf_init(&s->spare_out, NULL);
    buf_init(&s->scratch, NULL);
    buf_init(&s->problem, NULL);
    head_settings_init(s);
    int rc = proxies_open(o->trusted_proxies, &s->proxies, err);
    if (rc < 0) {
        free(s);
        return rc;
    }
    s->tick_ms = tick_length(&s->o.limits);
    s->tick = loop_timer_new(l, on_tick, s);
    s->back = loop_slice_new(l, conn_serve_back, s);
    if (!s->tick || !s->back) {
        loop_timer_free(s->tick);
        loop_slice_free(s->back);
        proxies_close(s->proxies);
        free(s);
        return err_set(err, ERR_NOMEM, "There is no memory for an HTTP server.");
    }
    *out = s;
    return 0;
}

int http_server_listen(struct http_server *s, const struct listen_options *o, struct err *err)
{
    if (s->listener_count == sizeof s->listeners / sizeof s->listeners[0])
        return err_set(err, ERR_INVALID, "A server listens on at most %zu addresses.", s->listener_count);
    struct listener *l;
    struct listen_options with = *o;
    with.farewell = farewell;
    int rc = listener_open(s->loop, &with, on_accepted, s, &l, err);
    if (rc < 0)
        return rc;
    s->listeners[s->listener_count++] = l;
    if (!o->path && !s->first_port)
        s->first_port = listener_port(l);
    return 0;
}

int http_server_set_trust(struct http_server *s, const char *const *trusted_proxies, const char *const *cors_origins, struct err *err)
{
    struct proxies *next;
    int rc = proxies_open(trusted_proxies, &next, err);
    if (rc < 0)
        return rc;
    proxies_close(s->proxies);
    s->proxies = next;
    s->o.cors_origins = cors_origins;
    return 0;
}

int http_trust_check(const char *const *trusted_proxies, struct err *err)
{
    struct proxies *p;
    int rc = proxies_open(trusted_proxies, &p, err);
    if (rc == 0)
        proxies_close(p);
    return rc;
}

int http_server_port(const struct http_server *s)
{
    return s->first_port;
}

int http_server_copy_listeners(const struct http_server *s, int *fds, int max)
{
    int n = 0;
    for (size_t i = 0; i < s->listener_count && n < max; i++) {
        int fd = listener_copy(s->listeners[i]);
        if (fd >= 0)
            fds[n++] = fd;
    }
    return n;
}

static void stop_listening(struct http_server *s)
{
    count_shed(s);
    s->shed_before = atomic_load_explicit(&s->stats.shed_by_listeners, memory_order_relaxed);
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(s->listeners[i]);
    s->listener_count = 0;
}

static void hang_up_on_all(struct http_server *s)
{
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        conn_abort(c);
    }
}

static void on_grace_over(void *ctx)
{
    struct http_server *s = ctx;
    if (s->conns)
        hang_up_on_all(s); /* the last one that goes finishes the drain */
    else
        finish_drain(s);
}

void http_server_drain(struct http_server *s, int64_t grace_ms, void (*done)(void *ctx), void *ctx)
{
    s->draining = true;
    s->drained = done;
    s->drained_ctx = ctx;
    stop_listening(s);
    server_now(s);
    for (struct http_conn *c = s->conns, *next; c; c = next) {
        next = c->next;
        conn_drain(c);
    }
    s->grace = loop_timer_new(s->loop, on_grace_over, s);
    if (!s->grace)
        on_grace_over(s);
    else
        loop_timer_start(s->grace, s->conns ? grace_ms : 0, 0); /* done() never comes within this call */
}

void server_maybe_free(struct http_server *s)
{
    if (!s->closing || s->open_conns > 0 || s->requests_out > 0)
        return;
    buf_release(&s->spare_out);
    buf_release(&s->scratch);
    buf_release(&s->problem);
    proxies_close(s->proxies);
    free(s);
}

void http_server_close(struct http_server *s)
{
    if (!s)
        return;
    s->requests_out++; /* keeps the server while its connections go */
    s->closing = true;
    s->drained = NULL;
    stop_listening(s);
    loop_timer_free(s->tick);
    loop_timer_free(s->grace);
    loop_slice_free(s->back);
    s->tick = s->grace = NULL;
    s->back = NULL;
    hang_up_on_all(s);
    while (s->spare) {
        struct request *r = s->spare;
        s->spare = r->next;
        request_destroy(r);
    }
    s->requests_out--;
    server_maybe_free(s);
}

void http_server_stats(const struct http_server *s, struct http_stats *out)
{
    *out = (struct http_stats){
        .requests = atomic_load_explicit(&s->stats.requests, memory_order_relaxed),
        .accepted = atomic_load_explicit(&s->stats.accepted, memory_order_relaxed),
        .refused_by_strict_layer = atomic_load_explicit(&s->stats.refused, memory_order_relaxed),
        .timeouts = atomic_load_explicit(&s->stats.timeouts, memory_order_relaxed),
        .shed = atomic_load_explicit(&s->stats.shed, memory_order_relaxed) +
                atomic_load_explicit(&s->stats.shed_by_listeners, memory_order_relaxed),
        .open_connections = atomic_load_explicit(&s->stats.open, memory_order_relaxed),
        .streams_cut = atomic_load_explicit(&s->stats.cut, memory_order_relaxed),
        .bytes_in = atomic_load_explicit(&s->stats.bytes_in, memory_order_relaxed),
        .bytes_out = atomic_load_explicit(&s->stats.bytes_out, memory_order_relaxed),
    };
    for (size_t i = 0; i < 6; i++)
        out->by_status[i] = atomic_load_explicit(&s->stats.by_status[i], memory_order_relaxed);
}
