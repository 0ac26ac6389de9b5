/* http/rules.c - what the headers of a well-formed head may say together. Everything here that two programs could read
 * differently is refused, because a proxy in front of us may be the other program. */
#include "http/http_int.h"
#include <strings.h>

static bool refuse(struct strict_verdict *v, int status, const char *type, const char *detail)
{
    *v = (struct strict_verdict){ status, type, detail };
    return false;
}

static bool bad(struct strict_verdict *v, const char *detail)
{
    return refuse(v, 400, "malformed_request", detail);
}

static bool same(struct slice s, const char *lower)
{
    size_t n = strlen(lower);
    return s.len == n && strncasecmp(s.data, lower, n) == 0;
}

/* The headers that decide how a request is read, found in one pass. */
struct found {
    const struct http_header *host, *length, *coding, *expect;
    unsigned hosts, lengths, codings, expects, authorizations, keys, types;
    bool says_close, says_keep_alive;
};

static struct slice next_token(struct slice *list)
{
    const char *p = list->data, *end = p + list->len;
    while (p < end && (*p == ',' || *p == ' ' || *p == '\t'))
        p++;
    const char *start = p;
    while (p < end && *p != ',')
        p++;
    *list = slice_of(p, (size_t)(end - p));
    while (p > start && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    return slice_of(start, (size_t)(p - start));
}

static void read_connection(struct found *f, struct slice value)
{
    struct slice token;
    while ((token = next_token(&value)).len > 0) {
        f->says_close |= same(token, "close");
        f->says_keep_alive |= same(token, "keep-alive");
    }
}

static struct found find(const struct http_request *req)
{
    struct found f = { 0 };
    for (size_t i = 0; i < req->header_count; i++) {
        const struct http_header *h = &req->headers[i];
        switch (h->name.len) { /* most headers are told apart by their length */
        case 4:
            if (same(h->name, "host"))
                f.host = h, f.hosts++;
            break;
        case 6:
            if (same(h->name, "expect"))
                f.expect = h, f.expects++;
            break;
        case 10:
            if (same(h->name, "connection"))
                read_connection(&f, h->value);
            break;
        case 12:
            f.types += same(h->name, "content-type");
            break;
        case 13:
            f.authorizations += same(h->name, "authorization");
            break;
        case 15:
            f.keys += same(h->name, "idempotency-key");
            break;
        case 14:
            if (same(h->name, "content-length"))
                f.length = h, f.lengths++;
            break;
        case 17:
            if (same(h->name, "transfer-encoding"))
                f.coding = h, f.codings++;
            break;
        default:
            break;
        }
    }
    return f;
}

/* --- Host ------------------------------------------------------------------------------------------------------- */

static bool port_is_sound(struct slice p)
{
    unsigned n = 0;
    if (p.len == 0 || p.len > 5)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        if (p.data[i] < '0' || p.data[i] > '9')
            return false;
        n = n * 10 + (unsigned)(p.data[i] - '0');
    }
    return n <= 65535;
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool authority_is_sound(struct slice a)
{
    size_t n = 0;
    if (a.len > 0 && a.data[0] == '[') {
        n = 1;
        while (n < a.len && (is_alnum(a.data[n]) || a.data[n] == ':' || a.data[n] == '.'))
            n++;
        if (n < 4 || n >= a.len || a.data[n] != ']')
            return false;
        n++;
    } else {
        while (n < a.len && (is_alnum(a.data[n]) || strchr("-._~", a.data[n])))
            n++;
        if (n == 0 || n > 255)
            return false;
    }
    return n == a.len || (a.data[n] == ':' && port_is_sound(slice_of(a.data + n + 1, a.len - n - 1)));
}

static bool check_host(const struct request *r, const struct found *f, struct slice authority, struct strict_verdict *v)
{
    if (f->hosts > 1)
        return bad(v, "The request has more than one Host header.");
    if (f->hosts == 0 && !r->http10)
        return bad(v, "A request in HTTP/1.1 needs a Host header.");
    if (f->host && !authority_is_sound(f->host->value))
        return bad(v, "The Host header must be a host name or address, with a port or without.");
    if (!authority.data)
        return true;
    if (!authority_is_sound(authority))
        return bad(v, "The request target names no sound host.");
    if (f->host && (authority.len != f->host->value.len || strncasecmp(authority.data, f->host->value.data, authority.len) != 0))
        return bad(v, "The request target and the Host header name different hosts.");
    return true;
}

/* --- body ------------------------------------------------------------------------------------------------------- */

static bool read_length(struct slice s, uint64_t *out, struct strict_verdict *v)
{
    uint64_t n = 0;
    if (s.len == 0 || s.len > 19)
        return bad(v, "Content-Length must be a decimal number below 2^63.");
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < '0' || s.data[i] > '9')
            return bad(v, "Content-Length must be a decimal number below 2^63.");
        n = n * 10 + (uint64_t)(s.data[i] - '0');
    }
    if (n > INT64_MAX)
        return bad(v, "Content-Length must be a decimal number below 2^63.");
    *out = n;
    return true;
}

/* A list of codings that ends in chunked is correct, only not supported; anything else has no sound length at all. */
static bool refuse_coding(struct slice value, struct strict_verdict *v)
{
    struct slice token, last = { 0 };
    unsigned chunked = 0;
    while ((token = next_token(&value)).len > 0) {
        last = token;
        chunked += same(token, "chunked");
    }
    if (chunked == 1 && same(last, "chunked"))
        return refuse(v, 501, "coding_not_supported", "Of transfer codings only \"chunked\" alone is supported.");
    return bad(v, "Transfer-Encoding must be \"chunked\" or absent.");
}

static bool check_framing(const struct request *r, const struct found *f, struct framing *out, struct strict_verdict *v)
{
    *out = (struct framing){ 0 };
    if (f->codings > 0) {
        if (f->lengths > 0)
            return bad(v, "The request has both Content-Length and Transfer-Encoding.");
        if (f->codings > 1)
            return bad(v, "The request has more than one Transfer-Encoding header.");
        if (r->http10)
            return bad(v, "A request in HTTP/1.0 has no Transfer-Encoding.");
        if (!same(f->coding->value, "chunked"))
            return refuse_coding(f->coding->value, v);
        out->chunked = true;
    }
    if (f->lengths > 1)
        return bad(v, "The request has more than one Content-Length header.");
    return !f->length || read_length(f->length->value, &out->content_length, v);
}

/* Who is asking, for what attempt, in what form: with two answers to one of these, which is meant is a guess that a proxy and we
 * may make differently. */
static bool check_singles(const struct found *f, struct strict_verdict *v)
{
    if (f->authorizations > 1)
        return bad(v, "The request has more than one Authorization header.");
    if (f->keys > 1)
        return bad(v, "The request has more than one Idempotency-Key header.");
    return f->types <= 1 || bad(v, "The request has more than one Content-Type header.");
}

bool rules_check(struct request *r, struct slice authority, struct framing *f, struct strict_verdict *v)
{
    struct found found = find(&r->pub);
    if (!check_host(r, &found, authority, v) || !check_framing(r, &found, f, v) || !check_singles(&found, v))
        return false;
    r->keep_alive = !found.says_close && (!r->http10 || found.says_keep_alive);
    if (found.expects > 0 && !r->http10) {
        if (found.expects > 1 || !same(found.expect->value, "100-continue"))
            return refuse(v, 417, "expectation_failed", "The only expectation that is understood is 100-continue.");
        r->expects_continue = f->chunked || f->content_length > 0;
    }
    return true;
}
