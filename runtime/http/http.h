/* http/http.h - a strict HTTP/1.1 server. Bytes come from a stream or from a test; every request is checked by our own
 * layer above llhttp (see README.md for the list) before anybody sees it. Requests on a connection are answered in order.
 *
 * Life of a request: head and whole body are read within the limits → on_request(req) once → http_respond() once, at any
 * later time on the same thread. Everything reached from req lives in its arena until the response was handed over. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "loop/loop.h"

enum http_method {
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    HTTP_METHOD_PATCH,
    HTTP_METHOD_DELETE,
    HTTP_METHOD_OPTIONS,
    HTTP_METHODS
};
const char *http_method_name(enum http_method m);

struct http_header {
    struct slice name;  /* as sent */
    struct slice value; /* without surrounding space */
};

struct http_request {
    enum http_method method;
    struct slice target;   /* as sent */
    struct slice path;     /* percent-decoded, valid UTF-8, no NUL, no control characters, no "." or ".." segment, no empty segment */
    struct slice raw_path; /* as sent, without the query: routes split it into segments before decoding, so that %2F stays in its segment */
    struct slice query;    /* as sent, without '?' */
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
    struct arena *arena; /* freed when the response has been handed over */
    const struct peer *peer;
    struct slice client_ip; /* the peer, or what trusted proxies say */
    int64_t received_ns;    /* monotonic, when the first byte came */
    void *route;            /* set by http_route() */
    struct slice params[8]; /* path parameters in their order, decoded */
    size_t param_count;
    void *user; /* the host's, free to use */
    /* The host's: the client has gone. The request must be answered all the same, here or later; that only frees it. */
    void (*gone)(struct http_request *req);
};

/* Case-insensitive; data is NULL when the header is absent. */
struct slice http_header(const struct http_request *req, const char *name);
/* True when Content-Type is this media type (case-insensitive, parameters such as charset=utf-8 allowed). */
bool http_content_type_is(const struct http_request *req, const char *media_type);
/* One query parameter, percent-decoded into the arena. Returns 1 when present, 0 when absent, ERR_INVALID when malformed or given twice. */
int http_query(struct http_request *req, const char *name, struct slice *out, struct err *err);

struct http_response {
    int status;
    const char *content_type;          /* NULL = application/json when there is a body */
    const struct http_header *headers; /* extra ones; a CR, LF or NUL in a name or value makes it a 500 */
    size_t header_count;
    struct slice body; /* copied or sent before the call returns */
};
/* Before the answer: who asked for what is gone asks again, very many of them at once. What this connection sends next is served after what
 * the others have sent by then, a little in each turn of the loop, so that they do not wait for it. */
void http_yield(struct http_request *req);
void http_respond(struct http_request *req, const struct http_response *res);
void http_respond_json(struct http_request *req, int status, struct slice json);

/* RFC 9457. type is the last part of the stable URI ("out_of_stock" → "/problems/out_of_stock"); field may be "". */
void http_problem(struct http_request *req, int status, const char *type, const char *field, const char *detail);
void http_problem_retry(struct http_request *req, int status, const char *type, const char *detail, int retry_after_s);
const char *http_status_text(int status);

/* --- an answer that goes on: server-sent events ------------------------------------------------------------------------------ */
struct http_stream;
struct http_stream_options {
    const char *content_type;
    const struct http_header *headers; /* as in http_response */
    size_t header_count;
    /* A client that has not taken this much is cut off: nothing is kept for it beyond. The kernel keeps as much again, at most. */
    size_t queue_bytes;
    /* The last call ever, also from within http_stream_send() and http_stream_end(), but not from within http_stream_begin(). */
    void (*closed)(void *ctx);
    void *ctx;
};
/* Answers with 200 and a body that goes on (chunked; to HTTP/1.0 until the connection ends), and is the last answer of its connection:
 * what the client still sends is a breach, and ends it. NULL: the request was answered otherwise (HEAD, a request behind it on the
 * connection, a header that is not allowed), or its client has gone. Either way the request is gone. */
struct http_stream *http_stream_begin(struct http_request *req, const struct http_stream_options *o);
/* One piece of the body, sent at once. false: the client was too slow, or has gone; closed() has been called. */
bool http_stream_send(struct http_stream *s, struct slice data);
void http_stream_end(struct http_stream *s); /* in good order: the client sees that it is whole */

struct http_limits {
    size_t line_bytes;        /* 8,192: request line → 414 */
    size_t header_bytes;      /* 16,384 in all → 431 */
    size_t header_count;      /* 100 → 431 */
    size_t body_bytes;        /* 1 MiB → 413 */
    size_t local_body_bytes;  /* 256 MiB: over the unix socket */
    size_t held_body_bytes;   /* 256 MiB: bodies in memory at once, of one server, over TCP → 503 */
    size_t connections;       /* 10,000 per server → shed */
    size_t pipeline;          /* 64 requests read ahead on one connection; reading pauses beyond */
    size_t write_queue_bytes; /* 1 MiB of unsent answers; reading pauses beyond */
    int64_t head_timeout_ms;  /* 10,000: first byte to end of head → 408, close */
    int64_t body_timeout_ms;  /* 30,000: end of head to end of body → 408, close */
    int64_t idle_timeout_ms;  /* 60,000: between requests → close */
    int64_t write_timeout_ms; /* 30,000 without progress of a client that does not read → abort */
};
void http_limits_default(struct http_limits *l);

struct http_server_options {
    struct http_limits limits;
    void (*on_request)(void *ctx, struct http_request *req);
    void *ctx;
    /* CIDR blocks whose X-Forwarded-For is believed (rightmost address not in the list is the client); strings, NULL-terminated. May be
     * NULL. */
    const char *const *trusted_proxies;
    /* Origins that browsers may call from ("https://shop.example", or "*"); preflights are answered here. May be NULL. */
    const char *const *cors_origins;
    const struct clock *clock;
};

struct http_server;
int http_server_open(struct loop *l, const struct http_server_options *o, struct http_server **out, struct err *err);
/* Accept on an address or unix socket; may be called several times. */
int http_server_listen(struct http_server *s, const struct listen_options *o, struct err *err);
int http_server_port(const struct http_server *s);                              /* of the first TCP listener */
int http_server_copy_listeners(const struct http_server *s, int *fds, int max); /* of its TCP listeners, see listener_copy(); how many */
/* Other proxies and origins, for requests whose head comes from now on; cors_origins must stay as long as they are used. The server's
 * thread. */
int http_server_set_trust(struct http_server *s, const char *const *trusted_proxies, const char *const *cors_origins, struct err *err);
int http_trust_check(const char *const *trusted_proxies, struct err *err); /* would they be accepted? */
/* Stop accepting, answer what has begun with "Connection: close", close idle connections; done() when none is left or after grace_ms. */
void http_server_drain(struct http_server *s, int64_t grace_ms, void (*done)(void *ctx), void *ctx);
/* Hangs up on everybody. Before loop_close(). Requests that are still with the host may be answered later: that frees them. */
void http_server_close(struct http_server *s);

/* Looks at the deadlines now. The loop does so by itself; for a simulator that owns the clock. */
void http_server_tick(struct http_server *s);

struct http_stats {
    uint64_t requests, accepted, refused_by_strict_layer, timeouts, shed, open_connections, bytes_in, bytes_out;
    uint64_t streams_cut;  /* answers that went on, to a client that did not read */
    uint64_t by_status[6]; /* index = hundreds */
};
void http_server_stats(const struct http_server *s, struct http_stats *out); /* any thread; relaxed */

/* The seam for tests and the simulator: a connection without a socket. `out` gets what would be sent; closed tells that the server hung up.
 */
struct http_conn;
struct http_conn *http_conn_open_detached(struct http_server *s, void (*out)(void *ctx, const char *data, size_t len),
                                          void (*closed)(void *ctx), void *ctx);
/* Who a connection without a socket claims to be; default a stranger at 127.0.0.1. *peer must outlive the connection. */
void http_conn_set_peer(struct http_conn *c, const struct peer *peer);
void http_conn_feed(struct http_conn *c, const char *data, size_t len); /* len 0 = FIN */

/* --- routes ----------------------------------------------------------------------------------------------------- */
struct http_router;
struct http_router *http_router_new(void);
void http_router_free(struct http_router *r);
/* pattern: "/v1/orders/{id}/payments"; a parameter is one whole segment. ERR_INVALID for a bad or ambiguous pattern. route is the caller's.
 */
int http_router_add(struct http_router *r, enum http_method m, const char *pattern, void *route, struct err *err);
/* 200: req->route and params are set. 404. 405: allow gets "GET, HEAD, POST". HEAD finds GET's route. OPTIONS on a known path gives 204 and
 * allow. */
int http_route(const struct http_router *r, struct http_request *req, char allow[64]);

/* --- a small blocking client for commands that speak to a served shop ------------------------------------------ */
struct http_client_response {
    int status;
    struct buf body;
};
/* libcurl inside. unix_path may be NULL (then url's host is used). headers NULL-terminated "Name: value". */
int http_call(const char *unix_path, const char *method, const char *url, const char *const *headers, struct slice body, int64_t timeout_ms,
              struct http_client_response *out, struct err *err);
