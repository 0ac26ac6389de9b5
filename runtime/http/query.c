/* http/query.c - what can be looked up in a request: headers, media type, query parameters. */
#include "base/utf8.h"
#include "http/http_int.h"
#include <strings.h>

struct slice http_header(const struct http_request *req, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < req->header_count; i++)
        if (req->headers[i].name.len == n && strncasecmp(req->headers[i].name.data, name, n) == 0)
            return req->headers[i].value;
    return (struct slice){ 0 };
}

bool http_content_type_is(const struct http_request *req, const char *media_type)
{
    struct slice v = http_header(req, "content-type");
    size_t n = strlen(media_type);
    if (v.len < n || strncasecmp(v.data, media_type, n) != 0)
        return false;
    while (n < v.len && (v.data[n] == ' ' || v.data[n] == '\t'))
        n++;
    return n == v.len || v.data[n] == ';';
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* '+' is a space here, as forms send it. */
static int decode(struct arena *a, struct slice raw, struct slice *out, const char *name, struct err *err)
{
    char *p = arena_alloc(a, raw.len + 1);
    if (!p)
        return err_set(err, ERR_NOMEM, "There is no memory for this request now; try again.");
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        char c = raw.data[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex(raw.data[i + 1]) : -1, low = i + 2 < raw.len ? hex(raw.data[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_field(err, ERR_INVALID, name, "The query parameter \"%s\" has a '%%' that two hexadecimal digits do not follow.",
                                 name);
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        p[n++] = c;
    }
    for (size_t i = 0, step; i < n; i += step) {
        step = utf8_at(p + i, p + n);
        if (step == 0 || (unsigned char)p[i] < 0x20 || p[i] == 0x7f)
            return err_field(err, ERR_INVALID, name, "The query parameter \"%s\" must be UTF-8 text without control characters.", name);
    }
    *out = slice_of(p, n);
    return 0;
}

/* Names are compared decoded, so that a name can't hide from the check for "given twice". */
static bool name_is(struct slice raw, const char *name)
{
    size_t i = 0;
    for (; *name; name++) {
        if (i >= raw.len)
            return false;
        char c = raw.data[i];
        if (c == '%' && i + 2 < raw.len && hex(raw.data[i + 1]) >= 0 && hex(raw.data[i + 2]) >= 0) {
            c = (char)(hex(raw.data[i + 1]) << 4 | hex(raw.data[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c != *name)
            return false;
        i++;
    }
    return i == raw.len;
}

int http_query(struct http_request *req, const char *name, struct slice *out, struct err *err)
{
    struct slice rest = req->query, found = { 0 };
    *out = (struct slice){ 0 };
    while (rest.len > 0) {
        const char *amp = memchr(rest.data, '&', rest.len);
        struct slice pair = slice_of(rest.data, amp ? (size_t)(amp - rest.data) : rest.len);
        rest = slice_of(rest.data + pair.len + (amp ? 1 : 0), rest.len - pair.len - (amp ? 1 : 0));
        const char *eq = pair.len ? memchr(pair.data, '=', pair.len) : NULL;
        struct slice key = eq ? slice_of(pair.data, (size_t)(eq - pair.data)) : pair;
        if (pair.len == 0 || !name_is(key, name))
            continue;
        if (found.data)
            return err_field(err, ERR_INVALID, name, "The query parameter \"%s\" is given twice; give it once.", name);
        found = eq ? slice_of(eq + 1, (size_t)(pair.data + pair.len - eq - 1)) : slice_of(pair.data + pair.len, 0);
    }
    if (!found.data)
        return 0;
    int rc = decode(req->arena, found, out, name, err);
    return rc < 0 ? rc : 1;
}
