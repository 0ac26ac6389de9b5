/* http/outbound.h - requests to the outside, on a loop: the way of plugins' feira.http. Many at once, none of them blocks the loop; names
 * are looked up on threads of their own. libcurl inside.
 *
 * What is called is looked at after the name was resolved, and again when the socket is made: nothing but public addresses, so that neither
 * a name that points inwards nor one that changes its mind leads into the network behind the shop. No redirect is followed, no proxy
 * used, nothing compressed taken; certificates are checked. Nothing is sent twice, but for GET and HEAD on a connection that was kept and
 * turns out to be closed. */
#pragma once
#include "http/http.h"
#include <sys/socket.h>

struct outbound_options {
    /* For tests, and for nobody else: this machine and private networks may be called, and without TLS. */
    bool may_be_local;
    const char *ca_file;        /* certificates to trust; NULL = the system's */
    const char *const *resolve; /* "HOST:PORT:ADDRESS", as in a hosts file; NULL-terminated, must stay. May be NULL */
    size_t at_once;             /* 0 = 128; more are refused with ERR_BUSY */
};

struct outbound;
int outbound_open(struct loop *l, const struct outbound_options *o, struct outbound **out, struct err *err);
void outbound_close(struct outbound *o); /* nothing may be under way any more. NULL is fine */

/* Where a URL leads: the reading is libcurl's own, so nobody disagrees about it later. ERR_INVALID: no absolute http(s) URL, or one with a
 * user, a password or a fragment in it. */
struct outbound_target {
    char host[256]; /* small letters */
    int port;
    bool tls;
};
int outbound_target(struct slice url, struct outbound_target *out, struct err *err);
/* Whether a request there could be sent under these options, as far as that is known without looking the name up: ERR_INVALID for what
 * outbound_target() refuses, for plain http, and for an address that is written out and is not public. */
int outbound_may_call(const struct outbound_options *o, struct slice url, struct err *err);

struct outbound_request {
    const char *method;
    struct slice url;
    const struct http_header
        *headers; /* a CR, LF or NUL in one is ERR_INVALID, as is one that is not the caller's: Host, Content-Length ... */
    size_t header_count;
    struct slice body;
    bool has_body;
    int64_t timeout_ms;      /* from now to the last byte */
    size_t answer_bytes_max; /* of the body; its headers may have 64 KiB */
    bool cut_long_answers;   /* hang up on a longer body, and hand over its beginning with the status: then that is no error */
};

struct outbound_answer {
    int status;
    const struct http_header *headers;
    size_t header_count;
    struct slice body;
};

/* Once, on the loop, never from inside of outbound_send(). rc 0: the answer, valid during the call. ERR_IO: err says what went wrong, and
 * its reason is one of name_unknown, address_refused, unreachable, certificate, timeout, too_large, broken_off. */
typedef void (*outbound_done_fn)(void *ctx, int rc, const struct outbound_answer *answer, const struct err *err);

struct outbound_call;
/* Copies what it needs. On failure done is not called. */
int outbound_send(struct outbound *o, const struct outbound_request *r, outbound_done_fn done, void *ctx, struct outbound_call **out,
                  struct err *err);
size_t outbound_under_way(const struct outbound *o);
void outbound_cancel(struct outbound_call *c); /* hangs up; done is not called any more */

bool outbound_is_public(const struct sockaddr *address); /* outside of every private, local, shared, reserved and multicast range */
