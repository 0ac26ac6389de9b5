/* http/http_int.h - what the files of http/ share. Nobody outside includes it. */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "http/chunk.h"
#include "http/http.h"
#include "http/strict.h"
#include <llhttp.h>
#include <stdatomic.h>

/* A request and its place in the queue of its connection. Recycled by the server, with its arena. */
struct request {
    struct http_request pub; /* first: the host holds a pointer to it */
    struct http_server *server;
    struct http_conn *conn; /* NULL: the client is gone, the answer will be thrown away */
    struct request *next;
    struct arena arena;
    struct peer peer; /* a copy: the connection may go first */
    struct buf body;
    struct buf answer;   /* serialised before its turn */
    size_t body_charged; /* bytes of body counted against the server's budget */
    size_t extra;        /* of a spare one: bytes it keeps beyond the usual */
    struct slice origin; /* of a cross-origin call that is allowed */
    bool in_use, answered, http10, keep_alive, close_after, expects_continue, goes_on;
};

/* What the strict layer and llhttp found out about how the body is framed. */
struct framing {
    bool chunked;
    uint64_t content_length;
};

/*   IDLE --byte--> HEAD --CRLFCRLF--> BODY or CHUNKED --last byte--> IDLE
 *   any --refusal, "Connection: close"--> LAST (nothing more is read) --answers sent--> LINGER --FIN, time--> CLOSED
 *   IDLE, LAST --an answer that goes on--> STREAM (to see the client go; nothing may come) --its end--> LINGER */
enum conn_phase { CONN_IDLE, CONN_HEAD, CONN_BODY, CONN_CHUNKED, CONN_STREAM, CONN_LAST, CONN_LINGER, CONN_CLOSED };

/* An answer that goes on. It outlives its request, which is recycled as soon as the head has gone out. */
struct http_stream {
    struct http_conn *conn;
    void (*closed)(void *ctx);
    void *ctx;
    size_t queue_bytes;
    bool chunked;
};

struct http_conn {
    struct http_server *server;
    struct http_conn *prev, *next;
    struct stream *stream; /* NULL: detached, or already closed */
    void (*detached_out)(void *ctx, const char *data, size_t len);
    void (*detached_closed)(void *ctx);
    void *detached_ctx;
    const struct peer *detached_peer;

    enum conn_phase phase;
    bool read_paused, peer_finished, doomed;
    bool yields;  /* what comes next is for the back of the line */
    bool in_back; /* stands there, with what came in `pending` */
    struct http_conn *back_next, *back_prev;
    int busy; /* depth of calls that are using this connection; it is freed at 0 only */
    struct strict_scan scan;
    size_t scanned;          /* bytes of the head at hand that were scanned */
    struct buf pending;      /* what could not be used yet: a partial head, or requests that must wait */
    struct request *reading; /* its body is on the way */
    struct chunk_reader chunks;
    llhttp_t parser; /* reads each head, and a chunked body, a second time: both readers must agree */
    uint64_t parser_body_bytes;
    bool parser_complete;
    uint64_t body_left; /* of a body with Content-Length */

    size_t behind;                /* bytes that came with the end of the last request, and belong to the next */
    struct http_stream *endless;  /* phase STREAM */
    struct request *first, *last; /* not yet answered in full, in order */
    size_t in_flight, held_bytes; /* held: answers that wait for an earlier one */
    struct buf out;               /* answers of one turn, sent in one write */
    bool corked;

    int64_t received_ns;      /* first byte of the request at hand */
    int64_t read_deadline_ns; /* 0 = none */
    int64_t write_deadline_ns;
    uint64_t sent_seen;
};

struct proxies; /* proxy.c */

struct http_server {
    struct http_server_options o;
    struct loop *loop;
    struct loop_timer *tick;
    int64_t tick_ms;
    bool ticking;
    struct listener *listeners[8];
    size_t listener_count;
    int first_port;
    struct http_conn *conns;
    struct http_conn *back_first, *back_last; /* those whose turn comes after everybody else's */
    struct loop_slice *back;
    size_t open_conns, requests_out; /* conns incl. detached; requests in the hands of the host or a queue */
    struct request *spare;
    size_t spare_count, spare_extra;
    struct buf spare_out;
    struct buf scratch; /* head of an answer that is sent at once */
    struct buf problem; /* body of a problem document */
    size_t body_bytes_held;
    struct proxies *proxies;
    llhttp_settings_t head_settings, chunk_settings;
    int64_t now_ns;
    int64_t date_until_ns;
    char date[40]; /* "Date: ...\r\n" */
    size_t date_len;
    uint64_t shed_before; /* by listeners that are closed */
    bool draining, closing;
    struct loop_timer *grace;
    void (*drained)(void *ctx);
    void *drained_ctx;
    struct {
        _Atomic uint64_t requests, accepted, refused, timeouts, shed, shed_by_listeners, open, cut, bytes_in, bytes_out, by_status[6];
    } stats;
};

/* Only the loop's thread writes them: a plain add is enough, other threads may read a moment later. */
static inline void stat_add(_Atomic uint64_t *v, uint64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline struct request *request_of(struct http_request *req)
{
    return (struct request *)(void *)req;
}

static inline const struct request *request_of_const(const struct http_request *req)
{
    return (const struct request *)(const void *)req;
}

/* request.c */
struct request *request_new(struct http_conn *c); /* NULL when out of memory */
void request_free(struct request *r);
void request_destroy(struct request *r);                   /* of the spare list */
bool request_charge_body(struct request *r, size_t bytes); /* false: the server holds too much already */

/* status.c */
bool method_find(struct slice name, enum http_method *out);

/* head.c: fills r->pub from the bytes of a scanned head, which must live in r's arena */
bool head_read(struct http_conn *c, struct request *r, struct slice head, struct framing *f, struct strict_verdict *v);
void head_settings_init(struct http_server *s);

/* rules.c: what the headers of a well-formed head must not say */
bool rules_check(struct request *r, struct slice authority, struct framing *f, struct strict_verdict *v);

/* target.c */
bool target_read(struct http_request *req, struct slice *authority, struct strict_verdict *v);
/* Decodes one part of a path. NULL data: malformed. */
struct slice target_decode(struct arena *a, struct slice raw, struct strict_verdict *v);

/* proxy.c */
int proxies_open(const char *const *blocks, struct proxies **out, struct err *err);
void proxies_close(struct proxies *p);
struct slice proxies_client(const struct proxies *p, const struct http_request *req); /* the address to believe */

/* cors.c */
struct slice cors_allowed(const char *const *origins, const struct http_request *req); /* what to answer; data NULL = nothing */
bool cors_is_preflight(const struct http_request *req);
void cors_preflight(struct request *r);

/* conn.c */
struct http_conn *conn_open(struct http_server *s, struct stream *stream); /* NULL when out of memory; stream is then still the caller's */
void conn_shed(struct http_conn *c);                                       /* says 503 and hangs up */
void conn_enter(struct http_conn *c);
void conn_leave(struct http_conn *c);
void conn_tick(struct http_conn *c);
void conn_serve_back(void *server); /* a few of those who stand at the back */
void conn_abort(struct http_conn *c);
void conn_drain(struct http_conn *c);
void conn_send(struct http_conn *c, const struct slice *parts, size_t n);
bool conn_is_last(const struct http_conn *c, const struct request *r); /* nothing behind r has begun */
void conn_leave_answered(struct http_conn *c);
void conn_make_last(struct http_conn *c, struct request *r); /* r's answer will say so */
const struct peer *conn_peer(const struct http_conn *c);
void conn_refuse(struct http_conn *c, struct request *r, const struct strict_verdict *v);

void conn_begin_stream(struct http_conn *c, struct http_stream *s); /* its head is sent */
bool conn_keeps_up(struct http_conn *c, size_t queue_bytes);        /* false: it did not, and was reset */
void conn_end_stream(struct http_conn *c);                          /* hangs up in good order */

/* respond.c */
bool respond_is_sound(struct http_request *req, const struct http_response *res);                /* false: it was answered with a 500 */
void respond_send_head(struct http_conn *c, struct request *r, const struct http_response *res); /* and gives r back */

/* stream.c */
void stream_is_over(struct http_conn *c); /* tells its owner, once */

/* server.c */
void server_conn_came(struct http_server *s);
void server_conn_gone(struct http_server *s);
void server_maybe_free(struct http_server *s);
int64_t server_now(struct http_server *s);
