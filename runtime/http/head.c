/* http/head.c - llhttp reads a head that the strict layer has passed. It gives the headers; on method, version, count of
 * headers and framing it must agree with what we read ourselves, or the request is refused. */
#include "http/http_int.h"

struct head_reader {
    struct http_header *headers;
    size_t count, cap; /* count: headers whose value is complete */
};

static int extend(struct slice *s, const char *at, size_t len)
{
    if (len == 0)
        return 0;
    if (!s->data)
        *s = slice_of(at, len);
    else if (s->data + s->len == at)
        s->len += len;
    else
        return -1; /* a token in pieces: the strict layer lets none pass */
    return 0;
}

static int on_name(llhttp_t *p, const char *at, size_t len)
{
    struct head_reader *h = p->data;
    return h->count < h->cap ? extend(&h->headers[h->count].name, at, len) : -1;
}

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    struct head_reader *h = p->data;
    return h->count < h->cap ? extend(&h->headers[h->count].value, at, len) : -1;
}

static int on_value_complete(llhttp_t *p)
{
    struct head_reader *h = p->data;
    if (h->count >= h->cap)
        return -1;
    struct slice *v = &h->headers[h->count++].value;
    if (!v->data)
        *v = SLICE_LIT("");
    while (v->len > 0 && (v->data[0] == ' ' || v->data[0] == '\t'))
        *v = slice_of(v->data + 1, v->len - 1);
    while (v->len > 0 && (v->data[v->len - 1] == ' ' || v->data[v->len - 1] == '\t'))
        v->len--;
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    (void)p;
    return HPE_PAUSED; /* what follows is none of the head */
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    (void)at;
    ((struct http_conn *)p->data)->parser_body_bytes += len;
    return 0;
}

static int on_message_complete(llhttp_t *p)
{
    ((struct http_conn *)p->data)->parser_complete = true;
    return HPE_PAUSED;
}

void head_settings_init(struct http_server *s)
{
    llhttp_settings_init(&s->head_settings);
    s->head_settings.on_header_field = on_name;
    s->head_settings.on_header_value = on_value;
    s->head_settings.on_header_value_complete = on_value_complete;
    s->head_settings.on_headers_complete = on_headers_complete;
    llhttp_settings_init(&s->chunk_settings);
    s->chunk_settings.on_body = on_body;
    s->chunk_settings.on_message_complete = on_message_complete;
}

static bool refuse(struct strict_verdict *v, int status, const char *type, const char *detail)
{
    *v = (struct strict_verdict){ status, type, detail };
    return false;
}

static bool read_method(struct request *r, struct slice name, struct strict_verdict *v)
{
    if (method_find(name, &r->pub.method))
        return true;
    return refuse(v, 501, "method_not_supported", "This method is not supported; use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.");
}

static bool read_headers(struct http_conn *c, struct request *r, struct slice head, struct strict_verdict *v)
{
    const struct strict_scan *s = &c->scan;
    struct head_reader reader = { .cap = s->header_count };
    reader.headers = arena_array(&r->arena, reader.cap, sizeof *reader.headers);
    if (!reader.headers && reader.cap > 0)
        return refuse(v, 503, "overloaded", "There is no memory for this request now; try again.");
    llhttp_init(&c->parser, HTTP_REQUEST, &c->server->head_settings);
    c->parser.data = &reader;
    llhttp_errno_t rc = llhttp_execute(&c->parser, head.data + s->line_start, head.len - s->line_start);
    c->parser.data = c;
    if (rc != HPE_PAUSED || llhttp_get_error_pos(&c->parser) != head.data + head.len || reader.count != reader.cap)
        return refuse(v, 400, "malformed_request", "The head of the request can't be read.");
    r->pub.headers = reader.headers;
    r->pub.header_count = reader.count;
    return true;
}

static bool llhttp_agrees(const struct http_conn *c, const struct request *r, const struct framing *f)
{
    const llhttp_t *p = &c->parser;
    bool has_length = p->flags & F_CONTENT_LENGTH;
    return slice_is(slice_str(llhttp_method_name(p->method)), http_method_name(r->pub.method)) && p->http_major == 1 &&
           p->http_minor == (r->http10 ? 0 : 1) && !!(p->flags & F_CHUNKED) == f->chunked &&
           (has_length ? p->content_length == f->content_length : f->content_length == 0);
}

bool head_read(struct http_conn *c, struct request *r, struct slice head, struct framing *f, struct strict_verdict *v)
{
    const struct strict_scan *s = &c->scan;
    struct slice authority;
    r->http10 = s->version[7] == '0';
    r->pub.target = slice_of(head.data + s->method_end + 1, s->target_end - s->method_end - 1);
    if (!read_method(r, slice_of(head.data + s->line_start, s->method_end - s->line_start), v) || !read_headers(c, r, head, v) ||
        !target_read(&r->pub, &authority, v) || !rules_check(r, authority, f, v))
        return false;
    return llhttp_agrees(c, r, f) || refuse(v, 400, "malformed_request", "The head of the request can be read in two ways.");
}
