/* http/conn.c - one connection: bytes in, requests out, answers back in order. The same code serves a socket and a test. */
#include "http/http_int.h"
#include <assert.h>
#include <stdlib.h>

enum { LINGER_MS = 2000, FIRST_REQUEST_MS = 1000, FLUSH_BYTES = 64 * 1024 };
enum {
    BACK_AT_ONCE = 8,       /* connections in a slice: some hundred microseconds */
    BACK_BYTES = 16 * 1024, /* what a connection may send while it stands at the back */
};
#define MS_NS INT64_C(1000000)

static const struct peer detached_peer = { .address = "127.0.0.1" };

const struct peer *conn_peer(const struct http_conn *c)
{
    return c->stream ? stream_peer(c->stream) : c->detached_peer ? c->detached_peer : &detached_peer;
}

/* --- end of life ------------------------------------------------------------------------------------------------ */

/* The host still has it; http_respond() frees it. */
static void orphan(struct request *r)
{
    r->conn = NULL;
    if (r->pub.gone)
        r->pub.gone(&r->pub);
}

static void orphan_requests(struct http_conn *c)
{
    struct request *r = c->first;
    c->first = c->last = NULL;
    c->in_flight = 0;
    while (r) {
        struct request *next = r->next;
        if (r->answered)
            request_free(r);
        else
            orphan(r);
        r = next;
    }
    if (c->reading)
        request_free(c->reading);
    c->reading = NULL;
}

static void leave_back(struct http_conn *c)
{
    struct http_server *s = c->server;
    if (!c->in_back)
        return;
    *(c->back_prev ? &c->back_prev->back_next : &s->back_first) = c->back_next;
    *(c->back_next ? &c->back_next->back_prev : &s->back_last) = c->back_prev;
    c->back_next = c->back_prev = NULL;
    c->in_back = false;
}

static void conn_free(struct http_conn *c)
{
    struct http_server *s = c->server;
    leave_back(c);
    orphan_requests(c);
    buf_release(&c->pending);
    buf_release(&c->out);
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    free(c);
    server_conn_gone(s);
}

void conn_enter(struct http_conn *c)
{
    c->busy++;
}

void conn_leave(struct http_conn *c)
{
    if (--c->busy == 0 && c->doomed)
        conn_free(c);
}

/* Hangs up at once. A socket's closed() comes later and frees the connection; a detached one goes when nobody uses it. */
void conn_abort(struct http_conn *c)
{
    if (c->phase == CONN_CLOSED)
        return;
    c->phase = CONN_CLOSED;
    conn_enter(c);
    stream_is_over(c);
    if (c->stream) {
        stream_close(c->stream);
        conn_leave(c);
        return;
    }
    c->doomed = true;
    orphan_requests(c);
    c->detached_closed(c->detached_ctx);
    conn_leave(c);
}

static void watch_writing(struct http_conn *c)
{
    if (stream_queued(c->stream) == 0 || c->write_deadline_ns)
        return;
    c->write_deadline_ns = c->server->now_ns + c->server->o.limits.write_timeout_ms * MS_NS;
    c->sent_seen = stream_sent_bytes(c->stream);
}

/* All answers are out: says FIN and reads on for a while, so that the client gets the last answer and no reset. */
static void conn_finish(struct http_conn *c)
{
    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER)
        return;
    if (!c->stream || (c->peer_finished && stream_queued(c->stream) == 0)) {
        conn_abort(c);
        return;
    }
    c->phase = CONN_LINGER;
    stream_is_over(c);
    buf_release(&c->pending);
    watch_writing(c);
    stream_shutdown(c->stream);
    c->read_deadline_ns = stream_queued(c->stream) > 0 ? 0 : c->server->now_ns + LINGER_MS * MS_NS;
    if (c->read_paused) {
        c->read_paused = false;
        stream_read_resume(c->stream);
    }
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

static void write_out(struct http_conn *c, const struct slice *parts, size_t n)
{
    if (c->phase == CONN_CLOSED)
        return;
    if (c->stream) {
        if (stream_write(c->stream, parts, n) < 0)
            conn_abort(c);
        return;
    }
    for (size_t i = 0; i < n && c->phase != CONN_CLOSED; i++)
        c->detached_out(c->detached_ctx, parts[i].data, parts[i].len);
}

static void flush(struct http_conn *c)
{
    if (c->out.len == 0)
        return;
    struct slice part = buf_slice(&c->out);
    write_out(c, &part, 1);
    buf_clear(&c->out);
}

void conn_send(struct http_conn *c, const struct slice *parts, size_t n)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += parts[i].len;
    stat_add(&c->server->stats.bytes_out, total);
    if (c->phase == CONN_CLOSED)
        return;
    if (c->corked && total < FLUSH_BYTES) {
        for (size_t i = 0; i < n; i++)
            buf_add_slice(&c->out, parts[i]);
        if (c->out.failed)
            conn_abort(c);
        else if (c->out.len >= FLUSH_BYTES)
            flush(c);
        return;
    }
    flush(c);
    write_out(c, parts, n);
}

/* The buffer for one turn's answers is lent by the server: an idle connection owns none. */
static void cork(struct http_conn *c)
{
    assert(!c->corked);
    c->corked = true;
    c->out = c->server->spare_out;
    buf_init(&c->server->spare_out, NULL);
}

static void uncork(struct http_conn *c)
{
    flush(c);
    c->corked = false;
    buf_release(&c->server->spare_out); /* another connection may have given its own back meanwhile */
    c->server->spare_out = c->out;
    buf_init(&c->out, NULL);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static void enqueue(struct http_conn *c, struct request *r)
{
    if (c->last)
        c->last->next = r;
    else
        c->first = r;
    c->last = r;
    c->in_flight++;
}

bool conn_is_last(const struct http_conn *c, const struct request *r)
{
    return !r->next && !c->reading && c->phase == CONN_IDLE && c->pending.len == 0;
}

/* Answers with a problem document, in its turn, and reads nothing more. r is the request at fault when it exists already. */
void conn_refuse(struct http_conn *c, struct request *r, const struct strict_verdict *v)
{
    struct http_server *s = c->server;
    stat_add(v->status == 408 ? &s->stats.timeouts : &s->stats.refused, 1);
    if (!r)
        r = request_new(c);
    c->phase = CONN_LAST;
    c->reading = NULL;
    c->read_deadline_ns = 0;
    if (!r) {
        conn_abort(c);
        return;
    }
    r->close_after = true;
    enqueue(c, r);
    if (v->status == 503)
        http_problem_retry(&r->pub, 503, v->type, v->detail, 1);
    else
        http_problem(&r->pub, v->status, v->type, "", v->detail);
}

static void refuse(struct http_conn *c, struct request *r, int status, const char *type, const char *detail)
{
    conn_refuse(c, r, &(struct strict_verdict){ status, type, detail });
}

static void dispatch(struct http_conn *c, struct request *r)
{
    struct http_server *s = c->server;
    c->reading = NULL;
    c->phase = r->keep_alive ? CONN_IDLE : CONN_LAST;
    c->read_deadline_ns = 0;
    r->close_after = !r->keep_alive;
    r->pub.body = buf_slice(&r->body);
    enqueue(c, r);
    stat_add(&s->stats.requests, 1);
    if (slice_is(r->pub.path, "*")) {
        struct http_header allow = { SLICE_LIT("Allow"), SLICE_LIT("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS") };
        http_respond(&r->pub, &(struct http_response){ .status = 204, .headers = &allow, .header_count = 1 });
    } else if (s->o.cors_origins && cors_is_preflight(&r->pub)) {
        cors_preflight(r);
    } else {
        s->o.on_request(s->o.ctx, &r->pub);
    }
}

static void say_continue(struct http_conn *c)
{
    struct slice line = SLICE_LIT("HTTP/1.1 100 Continue\r\n\r\n");
    c->reading->expects_continue = false;
    conn_send(c, &line, 1);
}

static size_t body_limit(const struct http_conn *c)
{
    return conn_peer(c)->local_socket ? c->server->o.limits.local_body_bytes : c->server->o.limits.body_bytes;
}

static void begin_body(struct http_conn *c, struct request *r, const struct framing *f)
{
    if (f->content_length > body_limit(c)) {
        refuse(c, r, 413, "body_too_large", "The body is larger than is accepted here; send it in smaller parts.");
        return;
    }
    c->reading = r;
    c->phase = f->chunked ? CONN_CHUNKED : CONN_BODY;
    c->body_left = f->content_length;
    c->read_deadline_ns = c->server->now_ns + c->server->o.limits.body_timeout_ms * MS_NS;
    if (f->chunked) {
        chunk_begin(&c->chunks);
        c->parser.settings = &c->server->chunk_settings;
        c->parser_body_bytes = 0;
        c->parser_complete = false;
        llhttp_resume(&c->parser);
    }
}

static void begin_request(struct http_conn *c, struct slice head)
{
    struct strict_verdict v;
    struct framing f;
    struct request *r = request_new(c);
    if (!r) {
        conn_abort(c);
        return;
    }
    head = arena_copy(&r->arena, head);
    if (!head.data) {
        refuse(c, r, 503, "overloaded", "There is no memory for this request now; try again.");
        return;
    }
    if (!head_read(c, r, head, &f, &v)) {
        conn_refuse(c, r, &v);
        return;
    }
    if (c->server->proxies)
        r->pub.client_ip = proxies_client(c->server->proxies, &r->pub);
    if (c->server->o.cors_origins)
        r->origin = cors_allowed(c->server->o.cors_origins, &r->pub);
    if (f.chunked || f.content_length > 0)
        begin_body(c, r, &f);
    else
        dispatch(c, r);
}

/* --- receiving -------------------------------------------------------------------------------------------------- */

static size_t queued_bytes(const struct http_conn *c)
{
    return (c->stream ? stream_queued(c->stream) : 0) + c->held_bytes;
}

/* Enough is begun or unsent: the next request waits, and with it the client. */
static bool must_wait(const struct http_conn *c)
{
    const struct http_limits *l = &c->server->o.limits;
    return c->in_flight >= l->pipeline || queued_bytes(c) > l->write_queue_bytes;
}

static size_t take_head(struct http_conn *c, const char *data, size_t len)
{
    const struct http_limits *l = &c->server->o.limits;
    struct strict_limits sl = { l->line_bytes, l->header_bytes, l->header_count };
    struct strict_verdict v;
    if (c->phase == CONN_IDLE) {
        strict_begin(&c->scan);
        c->scanned = 0;
        c->phase = CONN_HEAD;
        c->received_ns = c->server->now_ns;
        c->read_deadline_ns = c->received_ns + l->head_timeout_ms * MS_NS;
    }
    c->scanned += strict_feed(&c->scan, &sl, data + c->scanned, len - c->scanned, &v);
    if (v.status) {
        conn_refuse(c, NULL, &v);
        return len;
    }
    if (c->scan.state != STRICT_DONE)
        return 0;
    size_t n = c->scanned;
    c->behind = len - n;
    begin_request(c, slice_of(data, n));
    return n;
}

static bool body_fits(struct http_conn *c, struct request *r)
{
    if (r->body.failed || !request_charge_body(r, r->body.len)) {
        refuse(c, r, 503, "overloaded", "The server holds too many bodies at the moment; try again.");
        return false;
    }
    return true;
}

static size_t take_body(struct http_conn *c, const char *data, size_t len)
{
    struct request *r = c->reading;
    size_t n = c->body_left < len ? (size_t)c->body_left : len;
    buf_add(&r->body, data, n);
    c->body_left -= n;
    c->behind = len - n;
    r->expects_continue = false; /* the client did not wait for it */
    if (body_fits(c, r) && c->body_left == 0)
        dispatch(c, r);
    return n;
}

/* llhttp saw the same bytes: has it come to the same body? It can't read all extensions that are correct; from the first one
 * on our own reader, which is the stricter one, decides alone. */
static bool chunks_agree(struct http_conn *c, const char *data, size_t len)
{
    if (c->chunks.extension_bytes > 0)
        return true;
    llhttp_errno_t rc = llhttp_execute(&c->parser, data, len);
    bool done = chunk_done(&c->chunks);
    if (!done)
        return rc == HPE_OK && !c->parser_complete;
    return (rc == HPE_PAUSED || rc == HPE_PAUSED_UPGRADE) && c->parser_complete && c->parser_body_bytes == c->chunks.total &&
           llhttp_get_error_pos(&c->parser) == data + len;
}

static size_t take_chunks(struct http_conn *c, const char *data, size_t len)
{
    struct request *r = c->reading;
    struct strict_verdict v;
    r->expects_continue = false;
    size_t n = chunk_feed(&c->chunks, data, len, body_limit(c), &r->body, &v);
    c->behind = len - n;
    if (!chunks_agree(c, data, n)) /* before v: what it objects to came earlier, and the earlier offence is the one to name */
        refuse(c, r, 400, "malformed_request", "The chunks of the body can't be read.");
    else if (v.status)
        conn_refuse(c, r, &v);
    else if (body_fits(c, r) && chunk_done(&c->chunks))
        dispatch(c, r);
    return n;
}

/* Uses as many bytes as can be used now and returns how many. What is left is the beginning of a head, or must wait. */
static size_t process(struct http_conn *c, const char *data, size_t len)
{
    size_t at = 0;
    while (at < len) {
        size_t n = 0;
        switch (c->phase) {
        case CONN_IDLE:
            if (must_wait(c))
                return at;
            /* fallthrough */
        case CONN_HEAD:
            n = take_head(c, data + at, len - at);
            break;
        case CONN_BODY:
            n = take_body(c, data + at, len - at);
            break;
        case CONN_CHUNKED:
            n = take_chunks(c, data + at, len - at);
            break;
        case CONN_STREAM: /* it was told that this is the last answer */
            conn_finish(c);
            return len;
        default: /* nothing more is read from this client */
            return len;
        }
        if (n == 0)
            return at;
        at += n;
    }
    return at;
}

static void process_pending(struct http_conn *c)
{
    size_t used = process(c, c->pending.data, c->pending.len);
    if (used >= c->pending.len) {
        buf_release(&c->pending);
    } else if (used > 0) {
        memmove(c->pending.data, c->pending.data + used, c->pending.len - used);
        c->pending.len -= used;
    }
}

/* What follows from the state that was reached: continue, wait, time out, hang up. */
static void settle(struct http_conn *c)
{
    const struct http_limits *l = &c->server->o.limits;
    if (c->phase == CONN_CLOSED || c->phase == CONN_LINGER)
        return;
    if (c->phase == CONN_STREAM && c->peer_finished) {
        conn_finish(c);
        return;
    }
    if (c->peer_finished && !c->first && c->phase == CONN_IDLE && c->pending.len == 0)
        c->phase = CONN_LAST;
    else if (c->peer_finished && (c->phase == CONN_HEAD || c->reading))
        refuse(c, c->reading, 400, "incomplete_request", "The connection ended within a request.");
    /* The last answer may have been written, without "close", before the drain began, and waited for an earlier one. */
    if (c->server->draining && c->phase == CONN_IDLE && !c->first && c->pending.len == 0)
        c->phase = CONN_LAST;
    if (c->phase == CONN_LAST && !c->first) {
        conn_finish(c);
        return;
    }
    if (c->reading && c->reading->expects_continue && !c->first)
        say_continue(c);
    if (c->phase == CONN_IDLE)
        c->read_deadline_ns = c->first || c->pending.len > 0 || queued_bytes(c) > 0 ? 0 : c->server->now_ns + l->idle_timeout_ms * MS_NS;
    if (!c->stream)
        return;
    watch_writing(c);
    bool pause = c->phase == CONN_LAST || (c->phase == CONN_IDLE && must_wait(c));
    if (pause != c->read_paused && !c->peer_finished) {
        c->read_paused = pause;
        (pause ? stream_read_pause : stream_read_resume)(c->stream);
    }
}

/* Goes as far as it can; the answers of this turn leave in one write. */
static void go_on(struct http_conn *c, const char *data, size_t len)
{
    conn_enter(c);
    cork(c);
    if (c->pending.len > 0) {
        buf_add(&c->pending, data, len);
        if (c->pending.failed)
            conn_abort(c);
        else
            process_pending(c);
    } else if (len > 0) {
        size_t used = process(c, data, len);
        if (used < len && c->phase <= CONN_CHUNKED) {
            buf_add(&c->pending, data + used, len - used);
            if (c->pending.failed)
                conn_abort(c);
        }
    }
    uncork(c);
    settle(c);
    conn_leave(c);
}

/* --- the back of the line ------------------------------------------------------------------------------------------ */

void http_yield(struct http_request *req)
{
    struct request *r = request_of(req);
    if (r->conn)
        r->conn->yields = true;
}

static void stand_at_the_back(struct http_conn *c, const char *data, size_t len)
{
    struct http_server *s = c->server;
    buf_add(&c->pending, data, len);
    if (c->pending.failed) {
        conn_abort(c);
        return;
    }
    if (c->pending.len > BACK_BYTES && !c->read_paused && !c->peer_finished) {
        c->read_paused = true; /* settle() lets it go on */
        stream_read_pause(c->stream);
    }
    if (c->in_back)
        return;
    c->yields = false;
    c->in_back = true;
    c->back_prev = s->back_last;
    *(s->back_last ? &s->back_last->back_next : &s->back_first) = c;
    s->back_last = c;
    loop_slice_want(s->back);
}

/* A socket only: without one there is no loop whose turns there could be. And in the middle of a request nothing is gained. */
static bool goes_to_the_back(const struct http_conn *c)
{
    return c->in_back || (c->yields && c->stream && c->server->back && c->phase == CONN_IDLE && !c->first && c->pending.len == 0);
}

void conn_serve_back(void *server)
{
    struct http_server *s = server;
    server_now(s);
    for (int i = 0; i < BACK_AT_ONCE && s->back_first; i++) {
        struct http_conn *c = s->back_first;
        leave_back(c);
        if (c->phase != CONN_LINGER && c->phase != CONN_CLOSED)
            go_on(c, "", 0);
    }
    if (s->back_first && s->back)
        loop_slice_want(s->back);
}

void http_conn_feed(struct http_conn *c, const char *data, size_t len)
{
    struct http_server *s = c->server;
    server_now(s);
    stat_add(&s->stats.bytes_in, len);
    if (len == 0)
        c->peer_finished = true;
    if (c->phase == CONN_LINGER && len == 0 && stream_queued(c->stream) == 0)
        conn_abort(c);
    if (c->phase == CONN_LINGER || c->phase == CONN_CLOSED)
        return;
    if (goes_to_the_back(c))
        stand_at_the_back(c, data, len);
    else
        go_on(c, data, len);
}

/* Leaves like conn_leave(), and when no turn is under way that would do it, goes on with what had to wait for the answer. */
void conn_leave_answered(struct http_conn *c)
{
    if (c->busy == 1 && c->phase != CONN_CLOSED)
        go_on(c, "", 0);
    conn_leave(c);
}

void conn_make_last(struct http_conn *c, struct request *r)
{
    r->close_after = true;
    c->phase = CONN_LAST;
}

/* --- answers that go on ------------------------------------------------------------------------------------------- */

void conn_begin_stream(struct http_conn *c, struct http_stream *s)
{
    c->endless = s;
    c->phase = CONN_STREAM;
    c->read_deadline_ns = 0;
    if (!c->stream)
        return;
    stream_bound_kernel(c->stream, s->queue_bytes);
    if (c->read_paused && !c->peer_finished) { /* as after any last request; but here the client is seen to go */
        c->read_paused = false;
        stream_read_resume(c->stream);
    }
}

bool conn_keeps_up(struct http_conn *c, size_t queue_bytes)
{
    if (c->phase != CONN_STREAM)
        return false;
    if (!c->stream)
        return true;
    if (stream_queued(c->stream) > queue_bytes) {
        stat_add(&c->server->stats.cut, 1);
        stream_reset(c->stream);
        conn_abort(c);
        return false;
    }
    watch_writing(c);
    return true;
}

void conn_end_stream(struct http_conn *c)
{
    conn_finish(c);
}

/* --- timeouts and drain ----------------------------------------------------------------------------------------- */

static void read_timed_out(struct http_conn *c)
{
    c->read_deadline_ns = 0;
    conn_enter(c);
    if (c->phase == CONN_LINGER) {
        conn_abort(c);
    } else if (c->phase == CONN_IDLE) {
        stat_add(&c->server->stats.timeouts, 1);
        conn_finish(c);
    } else {
        refuse(c, c->reading, 408, "request_timeout", "The request did not arrive in time.");
        settle(c);
    }
    conn_leave(c);
}

static void write_timed_out(struct http_conn *c)
{
    uint64_t sent = stream_sent_bytes(c->stream);
    if (sent != c->sent_seen) { /* slow, but it reads */
        c->sent_seen = sent;
        c->write_deadline_ns = c->server->now_ns + c->server->o.limits.write_timeout_ms * MS_NS;
        return;
    }
    stat_add(&c->server->stats.timeouts, 1);
    stream_reset(c->stream); /* a plain close would leave megabytes with the kernel, for as long as the client likes */
    conn_abort(c);
}

void conn_tick(struct http_conn *c)
{
    int64_t now = c->server->now_ns;
    if (c->phase == CONN_CLOSED)
        return;
    if (c->write_deadline_ns && now >= c->write_deadline_ns)
        write_timed_out(c);
    else if (c->read_deadline_ns && now >= c->read_deadline_ns)
        read_timed_out(c);
}

/* Whoever has just connected has a request on the way, and would take a close for a refusal; he gets a second. */
void conn_drain(struct http_conn *c)
{
    if (c->phase == CONN_STREAM) {
        http_stream_end(c->endless);
        return;
    }
    if (c->phase != CONN_IDLE || c->first || c->pending.len > 0)
        return;
    if (c->received_ns == 0)
        c->read_deadline_ns = c->server->now_ns + FIRST_REQUEST_MS * MS_NS;
    else
        conn_finish(c);
}

void conn_shed(struct http_conn *c)
{
    struct strict_verdict v = { 503, "too_many_connections", "The server has too many connections at the moment; try again." };
    conn_enter(c);
    conn_refuse(c, NULL, &v);
    settle(c);
    conn_leave(c);
}

/* --- sockets and tests ------------------------------------------------------------------------------------------ */

static void on_received(void *ctx, const char *data, size_t len)
{
    http_conn_feed(ctx, data, len);
}

static void on_drained(void *ctx)
{
    struct http_conn *c = ctx;
    server_now(c->server);
    c->write_deadline_ns = 0;
    if (c->phase == CONN_LINGER) {
        c->read_deadline_ns = c->server->now_ns + LINGER_MS * MS_NS;
        if (c->peer_finished)
            conn_abort(c);
    } else if (c->phase != CONN_CLOSED) {
        go_on(c, "", 0);
    }
}

static void on_closed(void *ctx)
{
    struct http_conn *c = ctx;
    c->phase = CONN_CLOSED;
    c->stream = NULL;
    stream_is_over(c); /* the other side went, or an error ended it */
    conn_free(c);
}

static struct http_conn *conn_new(struct http_server *s)
{
    struct http_conn *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->server = s;
    buf_init(&c->pending, NULL);
    buf_init(&c->out, NULL);
    c->next = s->conns;
    if (c->next)
        c->next->prev = c;
    s->conns = c;
    c->read_deadline_ns = server_now(s) + s->o.limits.idle_timeout_ms * MS_NS;
    server_conn_came(s);
    return c;
}

struct http_conn *conn_open(struct http_server *s, struct stream *stream)
{
    static const struct stream_events events = { on_received, on_drained, on_closed };
    struct http_conn *c = conn_new(s);
    if (!c)
        return NULL;
    c->stream = stream;
    stream_start(stream, &events, c);
    return c;
}

struct http_conn *http_conn_open_detached(struct http_server *s, void (*out)(void *ctx, const char *data, size_t len),
                                          void (*closed)(void *ctx), void *ctx)
{
    struct http_conn *c = conn_new(s);
    if (!c)
        return NULL;
    c->detached_out = out;
    c->detached_closed = closed;
    c->detached_ctx = ctx;
    return c;
}

void http_conn_set_peer(struct http_conn *c, const struct peer *peer)
{
    c->detached_peer = peer;
}
