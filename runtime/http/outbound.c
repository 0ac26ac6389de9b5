#include "http/outbound.h"
#include "http/lookup.h"
#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

enum {
    AT_ONCE_DEFAULT = 128,
    CONNECT_WITHIN_MS = 5000,
    HEADERS_MAX = 100,
    HEADER_BYTES_MAX = 65536,
    KNOWN_MAX = 32,        /* names whose addresses are remembered, */
    KNOWN_FOR_MS = 30000,  /* and for how long */
    ADDRESSES_MAX = 16,    /* of one name */
    IDLE_CONNECTIONS = 16, /* kept open for the next request */
};

struct addresses {
    struct sockaddr_storage list[ADDRESSES_MAX];
    size_t count;
};

struct known {
    char host[256];
    struct addresses addresses;
    int64_t until_ms;
};

struct outbound {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer *timer;
    struct outbound_options options;
    size_t under_way;
    struct known known[KNOWN_MAX];
};

struct outbound_call {
    struct outbound *owner;
    outbound_done_fn done;
    void *ctx;
    struct outbound_target target;
    char *url, *method, *body;
    size_t url_len, body_len;
    int64_t timeout_ms;
    size_t answer_bytes_max;
    struct curl_slist *headers, *resolve;
    CURL *easy;
    bool added; /* to the multi handle */
    struct lookup *lookup;
    struct loop_timer *deadline;
    struct buf head, answer; /* lines of the answer's head; its body */
    bool too_large, refused_address;
    bool may_cut, cut; /* a long body: hung up on, and that is well */
    char detail[CURL_ERROR_SIZE];
};

/* --- where a URL leads ------------------------------------------------------------------------------------------------- */

static int bad_url(struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "url %s; write it like \"https://api.example.com/path\"", why);
}

static char *url_part(CURLU *u, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(u, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static int read_target(CURLU *u, struct outbound_target *out, struct err *err)
{
    char *scheme = url_part(u, CURLUPART_SCHEME, 0), *host = url_part(u, CURLUPART_HOST, 0);
    char *port = url_part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    char *user = url_part(u, CURLUPART_USER, 0), *password = url_part(u, CURLUPART_PASSWORD, 0);
    char *fragment = url_part(u, CURLUPART_FRAGMENT, 0);
    int rc = 0;
    if (!scheme || !host || !port || !host[0] || strlen(host) >= sizeof out->host)
        rc = bad_url(err, "has no host");
    else if (strcmp(scheme, "https") != 0 && strcmp(scheme, "http") != 0)
        rc = bad_url(err, "is neither https nor http");
    else if (user || password)
        rc = bad_url(err, "has a user or a password in it");
    else if (fragment)
        rc = bad_url(err, "has a fragment (#...), which is not sent");
    for (size_t i = 0; rc == 0 && host[i]; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]", host[i]))
            rc = bad_url(err, "has a host that is no plain name");
    if (rc == 0) {
        size_t n = strlen(host);
        for (size_t i = 0; i <= n; i++)
            out->host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
        if (n > 1 && out->host[n - 1] == '.')
            rc = bad_url(err, "has a host with a dot at its end");
        out->port = atoi(port);
        out->tls = strcmp(scheme, "https") == 0;
    }
    char *const parts[] = { scheme, host, port, user, password, fragment };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        curl_free(parts[i]);
    return rc;
}

/* libcurl would also take one slash or three, decode a host and take the zone of an address, and others read a \ as a slash: what looks
 * like one host must not be another. */
static bool begins_plainly(struct slice url)
{
    const char *host = memmem(url.data, url.len, "://", 3), *end = url.data + url.len;
    if (!host || host + 3 == end || strchr("/?#@:", host[3]) || memchr(url.data, '\\', url.len))
        return false;
    for (host += 3; host < end && *host != '/' && *host != '?'; host++)
        if (*host == '%')
            return false;
    return true;
}

int outbound_target(struct slice url, struct outbound_target *out, struct err *err)
{
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.data[i] <= 0x20 || (unsigned char)url.data[i] >= 0x7f)
            return bad_url(err, "holds a blank, a control character or a letter that is not ASCII; encode it with %");
    if (!begins_plainly(url))
        return bad_url(err, "has no host, or one that is not plain (a \\, a % or a zone is in it)");
    char *text = strndup(url.data, url.len);
    CURLU *u = curl_url();
    int rc;
    if (!text || !u)
        rc = err_set(err, ERR_NOMEM, "There is no memory for a request.");
    else if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK)
        rc = bad_url(err, "can't be read");
    else
        rc = read_target(u, out, err);
    curl_url_cleanup(u);
    free(text);
    return rc;
}

/* As the name servers' library reads it: also "0x7f.1", "2130706433" and "[::ffff:127.0.0.1]". */
static bool is_written_out(const char *host, bool *is_public)
{
    char bare[256];
    size_t n = strlen(host);
    bool brackets = n > 2 && host[0] == '[' && host[n - 1] == ']';
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM }, *list;
    snprintf(bare, sizeof bare, "%.*s", (int)(brackets ? n - 2 : n), brackets ? host + 1 : host);
    if (getaddrinfo(bare, NULL, &hints, &list) != 0)
        return false;
    *is_public = outbound_is_public(list->ai_addr);
    freeaddrinfo(list);
    return true;
}

int outbound_may_call(const struct outbound_options *o, struct slice url, struct err *err)
{
    struct outbound_target t;
    bool is_public;
    int rc = outbound_target(url, &t, err);
    if (rc < 0 || o->may_be_local)
        return rc;
    if (!t.tls)
        return bad_url(err, "is not https");
    if (is_written_out(t.host, &is_public) && !is_public)
        return err_set(err, ERR_INVALID, "url leads to an address that is not public");
    return 0;
}

/* --- the end of a call --------------------------------------------------------------------------------------------------- */

static void wipe(char *text, size_t len)
{
    if (text)
        explicit_bzero(text, len); /* a secret may have stood in it */
    free(text);
}

static void free_list(struct curl_slist *list)
{
    for (struct curl_slist *s = list; s; s = s->next)
        explicit_bzero(s->data, strlen(s->data));
    curl_slist_free_all(list);
}

static void free_call(struct outbound_call *c)
{
    if (c->lookup)
        lookup_abandon(c->lookup);
    if (c->added)
        curl_multi_remove_handle(c->owner->multi, c->easy);
    curl_easy_cleanup(c->easy);
    free_list(c->headers);
    free_list(c->resolve);
    loop_timer_free(c->deadline);
    wipe(c->url, c->url_len);
    wipe(c->body, c->body_len);
    free(c->method);
    buf_release(&c->head);
    buf_release(&c->answer);
    c->owner->under_way--;
    free(c);
}

/* The call is gone before done runs, which may begin another one. */
static void fail(struct outbound_call *c, const struct err *err)
{
    outbound_done_fn done = c->done;
    void *ctx = c->ctx;
    free_call(c);
    done(ctx, err->code, NULL, err);
}

static void fail_with(struct outbound_call *c, const char *reason, const char *text)
{
    struct err err = { 0 };
    err_reason(&err, ERR_IO, reason, "%s %s", c->target.host, text);
    fail(c, &err);
}

static void on_deadline(void *ctx)
{
    struct outbound_call *c = ctx;
    char text[64];
    snprintf(text, sizeof text, "did not answer within %lld ms", (long long)c->timeout_ms);
    fail_with(c, "timeout", text);
}

size_t outbound_under_way(const struct outbound *o)
{
    return o->under_way;
}

void outbound_cancel(struct outbound_call *c)
{
    free_call(c);
}

/* "Name: value" lines in a buffer that ends with NUL, one after the other; the last head of the answer only (100 Continue has one, too). */
static size_t read_head(struct outbound_call *c, struct http_header out[HEADERS_MAX])
{
    size_t n = 0;
    const char *p = c->head.data, *end = p ? p + c->head.len : NULL;
    while (p < end && n < HEADERS_MAX) {
        const char *line_end = memchr(p, '\n', (size_t)(end - p));
        size_t len = line_end ? (size_t)(line_end - p) : (size_t)(end - p);
        const char *colon = memchr(p, ':', len), *next = p + len + (line_end != NULL);
        while (len && (p[len - 1] == '\r' || p[len - 1] == ' ' || p[len - 1] == '\t'))
            len--;
        if (colon && colon < p + len) {
            const char *value = colon + 1;
            while (value < p + len && (*value == ' ' || *value == '\t'))
                value++;
            out[n++] = (struct http_header){ slice_of(p, (size_t)(colon - p)), slice_of(value, (size_t)(p + len - value)) };
        } else if (colon) {
            out[n++] = (struct http_header){ slice_of(p, (size_t)(colon - p)), slice_of("", 0) };
        }
        p = next;
    }
    return n;
}

static void answered(struct outbound_call *c)
{
    struct http_header headers[HEADERS_MAX];
    long status = 0;
    curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    /* What is handed over must outlive the call, which is freed first only when it failed. */
    struct outbound_answer a = { (int)status, headers, read_head(c, headers), buf_slice(&c->answer) };
    c->done(c->ctx, 0, &a, NULL);
    free_call(c);
}

static void transfer_failed(struct outbound_call *c, CURLcode rc)
{
    if (c->too_large)
        fail_with(c, "too_large", "answers with more than is taken");
    else if (c->refused_address)
        fail_with(c, "address_refused", "is at an address that is not public");
    else if (rc == CURLE_OPERATION_TIMEDOUT)
        fail_with(c, "timeout", "did not take the connection in time");
    else if (rc == CURLE_COULDNT_CONNECT)
        fail_with(c, "unreachable", "does not take connections");
    else if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CONNECT_ERROR || rc == CURLE_SSL_CACERT_BADFILE)
        fail_with(c, "certificate", "has no certificate that is trusted, or no TLS");
    else if (rc == CURLE_OUT_OF_MEMORY)
        fail(c, &(struct err){ .code = ERR_NOMEM, .text = "There is no memory for a request." });
    else
        fail_with(c, "broken_off", "broke the answer off, or did not speak HTTP");
}

static void take_finished(struct outbound *o)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(o->multi, &left))) {
        struct outbound_call *c;
        CURLcode rc = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&c);
        if (rc == CURLE_OK || c->cut)
            answered(c);
        else
            transfer_failed(c, rc);
    }
}

/* --- libcurl on the loop --------------------------------------------------------------------------------------------------- */

static void on_ready(void *ctx, int fd, int events)
{
    struct outbound *o = ctx;
    int running, mask = (events & LOOP_READABLE ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITABLE ? CURL_CSELECT_OUT : 0);
    curl_multi_socket_action(o->multi, fd, mask, &running);
    take_finished(o);
}

static void on_time(void *ctx)
{
    struct outbound *o = ctx;
    int running;
    curl_multi_socket_action(o->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_finished(o);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct outbound *o = ctx;
    struct loop_poll *p = socket_ctx;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        loop_poll_free(p); /* libcurl closes the socket after this, not before */
        curl_multi_assign(o->multi, fd, NULL);
        return 0;
    }
    if (!p) {
        p = loop_poll_new(o->loop, fd, on_ready, o);
        if (!p)
            return -1;
        curl_multi_assign(o->multi, fd, p);
    }
    loop_poll_want(p, (what & CURL_POLL_IN ? LOOP_READABLE : 0) | (what & CURL_POLL_OUT ? LOOP_WRITABLE : 0));
    return 0;
}

static int set_timer(CURLM *multi, long ms, void *ctx)
{
    struct outbound *o = ctx;
    (void)multi;
    if (ms < 0)
        loop_timer_stop(o->timer);
    else
        loop_timer_start(o->timer, ms, 0); /* never from inside of libcurl, which would not bear it */
    return 0;
}

/* The last look, at the address that is really about to be called. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct outbound_call *c = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN || (!c->owner->options.may_be_local && !outbound_is_public(&a->addr))) {
        c->refused_address = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_head(char *data, size_t size, size_t n, void *ctx)
{
    struct outbound_call *c = ctx;
    if (size * n >= 5 && memcmp(data, "HTTP/", 5) == 0) {
        buf_clear(&c->head);
        return size * n;
    }
    c->too_large = c->head.len + size * n > HEADER_BYTES_MAX;
    if (c->too_large)
        return 0;
    buf_add(&c->head, data, size * n);
    return c->head.failed ? 0 : size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct outbound_call *c = ctx;
    bool too_large = c->answer.len + size * n > c->answer_bytes_max;
    if (too_large && c->may_cut) {
        buf_add(&c->answer, data, c->answer_bytes_max - c->answer.len);
        c->cut = !c->answer.failed;
        return 0;
    }
    c->too_large = too_large;
    if (c->too_large)
        return 0;
    buf_add(&c->answer, data, size * n);
    return c->answer.failed ? 0 : size * n;
}

static bool set_options(struct outbound_call *c)
{
    CURL *h = c->easy;
    const struct outbound_options *o = &c->owner->options;
    CURLcode bad = CURLE_OK;
#define SET(option, value) bad = bad != CURLE_OK ? bad : curl_easy_setopt(h, option, value)
    SET(CURLOPT_PRIVATE, (void *)c);
    SET(CURLOPT_NOSIGNAL, 1L); /* a library's timer signals would meet our own */
    SET(CURLOPT_URL, c->url);
    SET(CURLOPT_PROTOCOLS_STR, o->may_be_local ? "http,https" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, ""); /* whatever the environment says */
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (o->ca_file)
        SET(CURLOPT_CAINFO, o->ca_file);
    SET(CURLOPT_USERAGENT, "feira");
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_WITHIN_MS);
    SET(CURLOPT_ERRORBUFFER, c->detail);
    SET(CURLOPT_RESOLVE, c->resolve);
    SET(CURLOPT_HTTPHEADER, c->headers);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)c);
    SET(CURLOPT_HEADERFUNCTION, on_head);
    SET(CURLOPT_HEADERDATA, (void *)c);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)c);
    if (strcmp(c->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (c->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
        SET(CURLOPT_POSTFIELDS, c->body);
    }
    SET(CURLOPT_CUSTOMREQUEST, c->method);
    /* libcurl sends again, by itself, what got no answer on a connection that was kept: only what changes nothing may go there. */
    if (strcmp(c->method, "GET") != 0 && strcmp(c->method, "HEAD") != 0)
        SET(CURLOPT_FRESH_CONNECT, 1L);
#undef SET
    return bad == CURLE_OK;
}

/* --- addresses ------------------------------------------------------------------------------------------------------------ */

static void keep_public(const struct outbound *o, const struct addrinfo *list, struct addresses *out)
{
    out->count = 0;
    for (; list && out->count < ADDRESSES_MAX; list = list->ai_next) {
        bool fits = (list->ai_family == AF_INET || list->ai_family == AF_INET6) && list->ai_addrlen <= sizeof out->list[0];
        if (fits && (o->options.may_be_local || outbound_is_public(list->ai_addr)))
            memcpy(&out->list[out->count++], list->ai_addr, list->ai_addrlen);
    }
}

static bool write_address(const struct sockaddr_storage *a, char out[64])
{
    char text[INET6_ADDRSTRLEN];
    bool v6 = a->ss_family == AF_INET6;
    const void *bytes = v6 ? (const void *)&((const struct sockaddr_in6 *)a)->sin6_addr : &((const struct sockaddr_in *)a)->sin_addr;
    if (!inet_ntop(a->ss_family, bytes, text, sizeof text))
        return false;
    snprintf(out, 64, v6 ? "[%s]" : "%s", text);
    return true;
}

/* libcurl looks nothing up by itself: it is told what the name means. */
static bool pin(struct outbound_call *c, const struct addresses *a)
{
    char text[256 + 16 + ADDRESSES_MAX * 64];
    int n = snprintf(text, sizeof text, "+%s:%d:", c->target.host, c->target.port);
    for (size_t i = 0; i < a->count; i++) {
        char one[64];
        if (write_address(&a->list[i], one))
            n += snprintf(text + n, sizeof text - (size_t)n, "%s%s", i ? "," : "", one);
    }
    c->resolve = curl_slist_append(NULL, text);
    return c->resolve != NULL;
}

static void start_transfer(struct outbound_call *c, const struct addresses *a)
{
    if (a->count == 0) {
        fail_with(c, "address_refused", "is at an address that is not public");
        return;
    }
    c->easy = curl_easy_init();
    if (!c->easy || !pin(c, a) || !set_options(c) || curl_multi_add_handle(c->owner->multi, c->easy) != CURLM_OK) {
        fail(c, &(struct err){ .code = ERR_NOMEM, .text = "There is no memory for a request." });
        return;
    }
    c->added = true;
}

static struct known *place_for(struct outbound *o, const char *host)
{
    struct known *oldest = &o->known[0];
    for (size_t i = 0; i < KNOWN_MAX; i++) {
        if (strcmp(o->known[i].host, host) == 0)
            return &o->known[i];
        if (o->known[i].until_ms < oldest->until_ms)
            oldest = &o->known[i];
    }
    return oldest;
}

static void looked_up(void *ctx, int rc, struct addrinfo *list)
{
    struct outbound_call *c = ctx;
    struct outbound *o = c->owner;
    c->lookup = NULL;
    if (rc != 0) {
        fail_with(c, "name_unknown", "is not known to the name servers");
        return;
    }
    struct known *k = place_for(o, c->target.host);
    keep_public(o, list, &k->addresses);
    freeaddrinfo(list);
    snprintf(k->host, sizeof k->host, "%s", c->target.host);
    k->until_ms = k->addresses.count ? loop_now_ms(o->loop) + KNOWN_FOR_MS : 0;
    struct addresses copy = k->addresses;
    start_transfer(c, &copy);
}

/* "api.example.com:443:192.0.2.1" among those that were handed in. */
static bool handed_in(const struct outbound *o, const struct outbound_target *t, struct addresses *out)
{
    char head[300];
    size_t n = (size_t)snprintf(head, sizeof head, "%s:%d:", t->host, t->port);
    for (const char *const *r = o->options.resolve; r && *r; r++) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&out->list[0];
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->list[0];
        if (strncasecmp(*r, head, n) != 0)
            continue;
        memset(out, 0, sizeof *out);
        if (inet_pton(AF_INET, *r + n, &v4->sin_addr) == 1)
            v4->sin_family = AF_INET;
        else if (inet_pton(AF_INET6, *r + n, &v6->sin6_addr) == 1)
            v6->sin6_family = AF_INET6;
        else
            continue;
        bool allowed = o->options.may_be_local || outbound_is_public((struct sockaddr *)&out->list[0]);
        out->count = allowed ? 1 : 0;
        return true;
    }
    return false;
}

/* On the first turn of its timer, so that done never runs inside of outbound_send(). */
static void begin(void *ctx)
{
    struct outbound_call *c = ctx;
    struct outbound *o = c->owner;
    struct addresses a;
    loop_timer_free(c->deadline);
    c->deadline = loop_timer_new(o->loop, on_deadline, c);
    if (!c->deadline) {
        fail(c, &(struct err){ .code = ERR_NOMEM, .text = "There is no memory for a request." });
        return;
    }
    loop_timer_start(c->deadline, c->timeout_ms, 0);
    const struct known *k = place_for(o, c->target.host);
    if (handed_in(o, &c->target, &a)) {
        start_transfer(c, &a);
        return;
    }
    if (strcmp(k->host, c->target.host) == 0 && k->until_ms > loop_now_ms(o->loop)) {
        a = k->addresses;
        start_transfer(c, &a);
        return;
    }
    c->lookup = lookup_start(o->loop, c->target.host, c->target.port, looked_up, c);
    if (!c->lookup)
        fail(c, &(struct err){ .code = ERR_NOMEM, .text = "There is no memory for a request." });
}

/* --- beginning ------------------------------------------------------------------------------------------------------------- */

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char ch = s.data[i];
        bool letter = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9');
        if (!letter && !strchr("!#$%&'*+-.^_`|~", ch))
            return false;
        if (!ch)
            return false;
    }
    return s.len > 0 && s.len <= 128;
}

static bool is_value(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] == '\r' || s.data[i] == '\n' || s.data[i] == '\0')
            return false;
    return s.len <= 16384;
}

static int check_header(const struct http_header *h, struct err *err)
{
    static const char *const ours[] = { "host",    "content-length", "transfer-encoding", "connection", "upgrade", "keep-alive", "te",
                                        "trailer", "expect",         "accept-encoding" };
    if (!is_token(h->name))
        return err_set(err, ERR_INVALID, "the name of a header is letters, digits and -");
    if (!is_value(h->value))
        return err_set(err, ERR_INVALID, "the header %.*s holds a line end or a NUL, or is longer than 16 KiB", SLICE_FMT(h->name));
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (h->name.len == strlen(ours[i]) && strncasecmp(h->name.data, ours[i], h->name.len) == 0)
            return err_set(err, ERR_INVALID, "the header %.*s is set by the shop itself; leave it out", SLICE_FMT(h->name));
    return 0;
}

static bool add_line(struct curl_slist **list, const char *line)
{
    struct curl_slist *more = curl_slist_append(*list, line);
    *list = more ? more : *list;
    return more != NULL;
}

/* "Name: value"; libcurl wants "Name;" for an empty one. */
static int add_headers(struct outbound_call *c, const struct outbound_request *r, struct err *err)
{
    bool kept = add_line(&c->headers, "Expect:"); /* a round trip for a body that is small */
    int rc = 0;
    for (size_t i = 0; i < r->header_count && rc == 0 && kept; i++) {
        const struct http_header *h = &r->headers[i];
        size_t size = h->name.len + h->value.len + 3;
        char *line = (rc = check_header(h, err)) == 0 ? malloc(size) : NULL;
        if (line && h->value.len)
            snprintf(line, size, "%.*s: %.*s", SLICE_FMT(h->name), SLICE_FMT(h->value));
        else if (line)
            snprintf(line, size, "%.*s;", SLICE_FMT(h->name));
        if (rc == 0)
            kept = line && add_line(&c->headers, line);
        wipe(line, line ? size : 0);
    }
    return rc < 0 ? rc : kept ? 0 : err_set(err, ERR_NOMEM, "There is no memory for a request.");
}

static int prepare(struct outbound_call *c, const struct outbound_request *r, struct err *err)
{
    int rc = outbound_target(r->url, &c->target, err);
    if (rc == 0 && !c->target.tls && !c->owner->options.may_be_local)
        rc = bad_url(err, "is not https");
    if (rc == 0)
        rc = add_headers(c, r, err);
    if (rc < 0)
        return rc;
    c->url_len = r->url.len;
    c->url = strndup(r->url.data, r->url.len);
    c->method = strdup(r->method);
    c->body_len = r->body.len;
    if (r->has_body && (c->body = malloc(r->body.len + 1)) && r->body.len)
        memcpy(c->body, r->body.data, r->body.len);
    c->deadline = loop_timer_new(c->owner->loop, begin, c);
    if (!c->url || !c->method || (r->has_body && !c->body) || !c->deadline)
        return err_set(err, ERR_NOMEM, "There is no memory for a request.");
    return 0;
}

int outbound_send(struct outbound *o, const struct outbound_request *r, outbound_done_fn done, void *ctx, struct outbound_call **out,
                  struct err *err)
{
    *out = NULL;
    if (o->under_way >= o->options.at_once)
        return err_reason(err, ERR_BUSY, "busy", "%zu requests to the outside are under way; try again.", o->under_way);
    struct outbound_call *c = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "There is no memory for a request.");
    c->owner = o;
    c->done = done;
    c->ctx = ctx;
    c->timeout_ms = r->timeout_ms;
    c->answer_bytes_max = r->answer_bytes_max;
    c->may_cut = r->cut_long_answers;
    buf_init(&c->head, NULL);
    buf_init(&c->answer, NULL);
    o->under_way++;
    int rc = prepare(c, r, err);
    if (rc < 0) {
        free_call(c);
        return rc;
    }
    loop_timer_start(c->deadline, 0, 0);
    *out = c;
    return 0;
}

int outbound_open(struct loop *l, const struct outbound_options *options, struct outbound **out, struct err *err)
{
    *out = NULL;
    struct outbound *o = calloc(1, sizeof *o);
    if (!o)
        return err_set(err, ERR_NOMEM, "There is no memory for requests to the outside.");
    o->loop = l;
    o->options = *options;
    if (!o->options.at_once)
        o->options.at_once = AT_ONCE_DEFAULT;
    o->multi = curl_multi_init();
    o->timer = loop_timer_new(l, on_time, o);
    if (!o->multi || !o->timer) {
        outbound_close(o);
        return err_set(err, ERR_NOMEM, "There is no memory for requests to the outside.");
    }
    curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o);
    curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o);
    curl_multi_setopt(o->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    curl_multi_setopt(o->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    *out = o;
    return 0;
}

void outbound_close(struct outbound *o)
{
    if (!o)
        return;
    assert(o->under_way == 0);
    if (o->multi)
        curl_multi_cleanup(o->multi); /* hangs up idle connections; their sockets are unwatched on the way */
    loop_timer_free(o->timer);
    free(o);
}
