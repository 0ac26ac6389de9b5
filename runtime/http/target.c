/* http/target.c - from a request target to a path that can be trusted: decoded once, valid UTF-8, no way up or around. */
#include "base/utf8.h"
#include "http/http_int.h"

static bool bad(struct strict_verdict *v, const char *detail)
{
    *v = (struct strict_verdict){ 400, "bad_path", detail };
    return false;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_escape(const char *p, const char *end)
{
    return end - p >= 3 && p[0] == '%' && hex(p[1]) >= 0 && hex(p[2]) >= 0;
}

static bool decoded_is_sound(struct slice s, struct strict_verdict *v)
{
    const char *p = s.data, *end = s.data + s.len;
    while (p < end) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return bad(v, "The path holds an encoded control character.");
        if (is_escape(p, end))
            return bad(v, "The path is percent-encoded twice.");
        size_t n = utf8_at(p, end);
        if (n == 0)
            return bad(v, "The path is not UTF-8.");
        p += n;
    }
    return true;
}

struct slice target_decode(struct arena *a, struct slice raw, struct strict_verdict *v)
{
    const struct slice none = { 0 };
    if (!memchr(raw.data, '%', raw.len))
        return raw; /* raw 8-bit bytes and control characters never pass the strict layer */
    char *out = arena_alloc(a, raw.len + 1);
    if (!out) {
        *v = (struct strict_verdict){ 503, "overloaded", "There is no memory for this request now; try again." };
        return none;
    }
    size_t n = 0;
    for (const char *p = raw.data, *end = p + raw.len; p < end; p++) {
        if (*p != '%') {
            out[n++] = *p;
            continue;
        }
        if (!is_escape(p, end)) {
            bad(v, "A '%' in the path must be followed by two hexadecimal digits.");
            return none;
        }
        out[n++] = (char)(hex(p[1]) << 4 | hex(p[2]));
        p += 2;
    }
    struct slice decoded = slice_of(out, n);
    return decoded_is_sound(decoded, v) ? decoded : none;
}

/* One segment at a time, because an encoded '/' belongs to its segment and must not make two of it. */
static bool segments_are_sound(struct arena *a, struct slice path, struct strict_verdict *v)
{
    const char *p = path.data + 1, *end = path.data + path.len;
    if (p == end)
        return true; /* "/" */
    for (;;) {
        const char *slash = memchr(p, '/', (size_t)(end - p));
        struct slice raw = slice_of(p, (size_t)((slash ? slash : end) - p));
        if (raw.len == 0)
            return bad(v, "The path has an empty segment: no '//' and no '/' at the end.");
        struct slice segment = target_decode(a, raw, v);
        if (!segment.data)
            return false;
        if (slice_is(segment, ".") || slice_is(segment, ".."))
            return bad(v, "The path must not hold '.' or '..' segments.");
        if (!slash)
            return true;
        p = slash + 1;
    }
}

static bool path_read(struct http_request *req, struct slice rest, struct strict_verdict *v)
{
    const char *mark = memchr(rest.data, '?', rest.len);
    struct slice path = mark ? slice_of(rest.data, (size_t)(mark - rest.data)) : rest;
    if (mark)
        req->query = slice_of(mark + 1, (size_t)(rest.data + rest.len - mark - 1));
    if (path.len == 0)
        path = SLICE_LIT("/"); /* http://host?query */
    for (size_t i = 0; i < path.len; i++)
        if (strchr("\\^`{|}[]", path.data[i]))
            return bad(v, "The path holds a character that must be percent-encoded.");
    if (!segments_are_sound(req->arena, path, v))
        return false;
    req->raw_path = path;
    req->path = target_decode(req->arena, path, v);
    return req->path.data != NULL;
}

static bool after_scheme(struct slice t, struct slice *rest)
{
    static const char *const schemes[] = { "http://", "https://" };
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (t.len > n && strncasecmp(t.data, schemes[i], n) == 0) {
            *rest = slice_of(t.data + n, t.len - n);
            return true;
        }
    }
    return false;
}

bool target_read(struct http_request *req, struct slice *authority, struct strict_verdict *v)
{
    struct slice t = req->target, rest;
    *authority = (struct slice){ 0 };
    if (t.data[0] == '/')
        return path_read(req, t, v);
    if (slice_is(t, "*")) {
        if (req->method != HTTP_METHOD_OPTIONS)
            return bad(v, "The target '*' is for OPTIONS only.");
        req->path = req->raw_path = t;
        return true;
    }
    if (!after_scheme(t, &rest))
        return bad(v, "The request target must be a path that begins with '/'.");
    size_t n = 0;
    while (n < rest.len && rest.data[n] != '/' && rest.data[n] != '?')
        n++;
    *authority = slice_of(rest.data, n);
    return path_read(req, slice_of(rest.data + n, rest.len - n), v);
}
