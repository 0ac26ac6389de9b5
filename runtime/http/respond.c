/* http/respond.c - answers: serialised at once, sent when all earlier ones are. */
#include "http/http_int.h"
#include <assert.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

enum { COPY_BYTES = 16 * 1024, HEAD_FIXED = 512, DATE_CACHE_MS = 250 };

static void refresh_date(struct http_server *s)
{
    if (s->now_ns < s->date_until_ns)
        return;
    const struct clock *clock = s->o.clock;
    time_t now = (time_t)(clock_wall_ms(clock) / 1000);
    struct tm tm;
    gmtime_r(&now, &tm);
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec"; /* whatever the locale says */
    int n = snprintf(s->date, sizeof s->date, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday, tm.tm_mday,
                     months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    s->date_len = n > 0 && (size_t)n < sizeof s->date ? (size_t)n : 0;
    s->date_until_ns = s->now_ns + DATE_CACHE_MS * INT64_C(1000000);
}

/* --- checks ----------------------------------------------------------------------------------------------------- */

static bool named(struct slice name, const char *lower)
{
    return name.len == strlen(lower) && strncasecmp(name.data, lower, name.len) == 0;
}

/* What a plugin may not say: bytes that end the line, and the headers by which we frame the answer. */
static bool header_is_sound(const struct http_header *h)
{
    if (h->name.len == 0)
        return false;
    for (size_t i = 0; i < h->name.len; i++)
        if (!strict_is_token(h->name.data[i]))
            return false;
    for (size_t i = 0; i < h->value.len; i++)
        if (!strict_is_text(h->value.data[i]))
            return false;
    return !named(h->name, "content-length") && !named(h->name, "transfer-encoding") && !named(h->name, "connection") &&
           !named(h->name, "date");
}

static bool response_is_sound(const struct http_response *res)
{
    if (res->status < 200 || res->status > 599)
        return false;
    for (const char *p = res->content_type; p && *p; p++)
        if (!strict_is_text(*p))
            return false;
    for (size_t i = 0; i < res->header_count; i++)
        if (!header_is_sound(&res->headers[i]))
            return false;
    return true;
}

/* --- serialising ------------------------------------------------------------------------------------------------ */

static char *put(char *p, const char *s, size_t len)
{
    memcpy(p, s, len);
    return p + len;
}
#define PUT(p, literal) put(p, literal, sizeof(literal) - 1)

static char *put_number(char *p, size_t n)
{
    char digits[20];
    size_t i = sizeof digits;
    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return put(p, digits + i, sizeof digits - i);
}

static void add_cors(struct buf *b, const struct request *r)
{
    if (r->server->o.cors_origins)
        buf_add_str(b, "Vary: Origin\r\n");
    if (!r->origin.data)
        return;
    buf_add_str(b, "Access-Control-Allow-Origin: ");
    buf_add_slice(b, r->origin);
    buf_add_str(b, "\r\nAccess-Control-Expose-Headers: ETag, Location, Retry-After\r\n");
}

static void add_extra(struct buf *b, const struct http_response *res)
{
    for (size_t i = 0; i < res->header_count; i++) {
        buf_add_slice(b, res->headers[i].name);
        buf_add(b, ": ", 2);
        buf_add_slice(b, res->headers[i].value);
        buf_add(b, "\r\n", 2);
    }
}

static void add_head(struct buf *b, const struct request *r, const struct http_response *res)
{
    struct http_server *s = r->server;
    refresh_date(s);
    const char *text = http_status_text(res->status);
    const char *type = res->content_type ? res->content_type : "application/json";
    size_t text_len = strlen(text), type_len = strlen(type);
    char *start = buf_reserve(b, HEAD_FIXED + text_len + type_len);
    if (!start)
        return;
    char *p = PUT(start, "HTTP/1.1 ");
    p = put_number(p, (size_t)res->status);
    *p++ = ' ';
    p = put(p, text, text_len);
    p = PUT(p, "\r\n");
    p = put(p, s->date, s->date_len);
    if (res->body.len > 0 || res->content_type) {
        p = PUT(p, "Content-Type: ");
        p = put(p, type, type_len);
        p = PUT(p, "\r\n");
    }
    if (r->goes_on) {
        if (!r->http10)
            p = PUT(p, "Transfer-Encoding: chunked\r\n");
    } else if (res->status != 204 && res->status != 304) {
        p = PUT(p, "Content-Length: ");
        p = put_number(p, res->body.len);
        p = PUT(p, "\r\n");
    }
    if (r->close_after)
        p = PUT(p, "Connection: close\r\n");
    else if (r->http10)
        p = PUT(p, "Connection: keep-alive\r\n");
    b->len += (size_t)(p - start);
    if (s->o.cors_origins)
        add_cors(b, r);
    add_extra(b, res);
    buf_add(b, "\r\n", 2);
}

static bool has_body(const struct request *r, const struct http_response *res)
{
    return r->pub.method != HTTP_METHOD_HEAD && res->status != 204 && res->status != 304 && res->body.len > 0;
}

/* --- the queue -------------------------------------------------------------------------------------------------- */

static void pop_first(struct http_conn *c)
{
    struct request *r = c->first;
    c->first = r->next;
    if (!c->first)
        c->last = NULL;
    c->in_flight--;
    request_free(r);
}

static void send_now(struct http_conn *c, struct request *r, const struct http_response *res)
{
    struct buf *b = &r->server->scratch;
    buf_clear(b);
    add_head(b, r, res);
    bool body = has_body(r, res), joins = body && !c->corked && res->body.len <= COPY_BYTES; /* within a turn they are joined there */
    if (joins)
        buf_add_slice(b, res->body);
    if (b->failed) {
        conn_abort(c);
        return;
    }
    struct slice parts[2] = { buf_slice(b), res->body };
    conn_send(c, parts, body && !joins ? 2 : 1);
}

static void hold(struct http_conn *c, struct request *r, const struct http_response *res)
{
    add_head(&r->answer, r, res);
    if (has_body(r, res))
        buf_add_slice(&r->answer, res->body);
    r->answered = true;
    c->held_bytes += r->answer.len;
    if (r->answer.failed)
        conn_abort(c);
}

static void send_held(struct http_conn *c)
{
    while (c->phase != CONN_CLOSED && c->first && c->first->answered) {
        struct slice part = buf_slice(&c->first->answer);
        c->held_bytes -= part.len;
        conn_send(c, &part, 1);
        if (c->phase != CONN_CLOSED)
            pop_first(c);
    }
}

/* The answer goes on as a stream: what is left of the request is not needed. */
void respond_send_head(struct http_conn *c, struct request *r, const struct http_response *res)
{
    assert(r == c->first && r->goes_on);
    stat_add(&r->server->stats.by_status[2], 1);
    send_now(c, r, res);
    if (c->first == r)
        pop_first(c);
    else
        request_free(r); /* see deliver() */
}

static void deliver(struct http_conn *c, struct request *r, const struct http_response *res)
{
    if (r != c->first) {
        hold(c, r, res);
        return;
    }
    conn_enter(c);
    send_now(c, r, res);
    if (c->first == r)
        pop_first(c);
    else
        request_free(r); /* a detached connection was closed meanwhile and has let go of its requests */
    send_held(c);
    conn_leave_answered(c);
}

bool respond_is_sound(struct http_request *req, const struct http_response *res)
{
    if (response_is_sound(res))
        return true;
    http_problem(req, 500, "internal", "", "The answer to this request could not be sent: it had a header or status that is not allowed.");
    return false;
}

void http_respond(struct http_request *req, const struct http_response *res)
{
    struct request *r = request_of(req);
    assert(r->in_use && !r->answered); /* one answer to each request */
    struct http_server *s = r->server;
    struct http_conn *c = r->conn;
    if (!respond_is_sound(req, res))
        return;
    size_t class = (size_t)res->status / 100;
    stat_add(&s->stats.by_status[class], 1);
    if (!c) {
        request_free(r);
        return;
    }
    if (!c->busy) /* within a turn the time was just read */
        server_now(s);
    if (s->draining && conn_is_last(c, r))
        conn_make_last(c, r);
    deliver(c, r, res);
}

void http_respond_json(struct http_request *req, int status, struct slice json)
{
    http_respond(req, &(struct http_response){ .status = status, .body = json });
}

/* --- problem documents ------------------------------------------------------------------------------------------ */

static void problem(struct http_request *req, int status, const char *type, const char *field, const char *detail,
                    const struct http_header *headers, size_t n)
{
    struct buf *b = &request_of(req)->server->problem;
    buf_clear(b);
    struct json_writer w;
    json_writer_init(&w, b);
    json_object(&w);
    json_key(&w, "type");
    char uri[160];
    snprintf(uri, sizeof uri, "/problems/%s", type);
    json_str(&w, uri);
    json_key(&w, "title");
    json_str(&w, http_status_text(status));
    json_key(&w, "status");
    json_int(&w, status);
    json_key(&w, "detail");
    json_str(&w, detail);
    if (field && *field) {
        json_key(&w, "field");
        json_str(&w, field);
    }
    json_object_end(&w);
    struct slice body = b->failed ? (struct slice){ 0 } : buf_slice(b);
    http_respond(req,
                 &(struct http_response){
                     .status = status, .content_type = "application/problem+json", .headers = headers, .header_count = n, .body = body });
}

void http_problem(struct http_request *req, int status, const char *type, const char *field, const char *detail)
{
    problem(req, status, type, field, detail, NULL, 0);
}

void http_problem_retry(struct http_request *req, int status, const char *type, const char *detail, int retry_after_s)
{
    char seconds[16];
    int n = snprintf(seconds, sizeof seconds, "%d", retry_after_s);
    struct http_header h = { SLICE_LIT("Retry-After"), slice_of(seconds, (size_t)n) };
    problem(req, status, type, "", detail, &h, 1);
}
