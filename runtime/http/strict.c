#include "http/strict.h"

enum { TOKEN = 1, TEXT = 2, TARGET = 4, METHOD = 8 };
enum { METHOD_MAX = 20 };

/* TOKEN: tchar of RFC 9110. TEXT: HT, SP, visible and obs-text. TARGET: visible ASCII less what no URI has raw ('#' is a
 * fragment, which is never sent). METHOD: upper case and '-'; methods are case-sensitive and all registered ones look so. */
static const uint8_t classes[256] = {
    ['\t'] = TEXT,
    [' '] = TEXT,
    ['!'] = TOKEN | TEXT | TARGET,
    ['"'] = TEXT,
    ['#'] = TOKEN | TEXT,
    ['$' ... '\''] = TOKEN | TEXT | TARGET,
    ['('] = TEXT | TARGET,
    [')'] = TEXT | TARGET,
    ['*'] = TOKEN | TEXT | TARGET,
    ['+'] = TOKEN | TEXT | TARGET,
    [','] = TEXT | TARGET,
    ['-'] = TOKEN | TEXT | TARGET | METHOD,
    ['.'] = TOKEN | TEXT | TARGET,
    ['/'] = TEXT | TARGET,
    ['0' ... '9'] = TOKEN | TEXT | TARGET,
    [':'] = TEXT | TARGET,
    [';'] = TEXT | TARGET,
    ['<'] = TEXT,
    ['='] = TEXT | TARGET,
    ['>'] = TEXT,
    ['?'] = TEXT | TARGET,
    ['@'] = TEXT | TARGET,
    ['A' ... 'Z'] = TOKEN | TEXT | TARGET | METHOD,
    ['['] = TEXT | TARGET,
    ['\\'] = TEXT | TARGET,
    [']'] = TEXT | TARGET,
    ['^'] = TOKEN | TEXT | TARGET,
    ['_'] = TOKEN | TEXT | TARGET,
    ['`'] = TOKEN | TEXT | TARGET,
    ['a' ... 'z'] = TOKEN | TEXT | TARGET,
    ['{'] = TEXT | TARGET,
    ['|'] = TOKEN | TEXT | TARGET,
    ['}'] = TEXT | TARGET,
    ['~'] = TOKEN | TEXT | TARGET,
    [0x80 ... 0xff] = TEXT,
};

bool strict_is_token(char c)
{
    return classes[(unsigned char)c] & TOKEN;
}

bool strict_is_text(char c)
{
    return classes[(unsigned char)c] & TEXT;
}

void strict_begin(struct strict_scan *s)
{
    *s = (struct strict_scan){ .state = STRICT_START };
}

void strict_begin_trailers(struct strict_scan *s)
{
    *s = (struct strict_scan){ .state = STRICT_HEADER };
}

static bool refuse(struct strict_verdict *v, int status, const char *type, const char *detail)
{
    v->status = status;
    v->type = type;
    v->detail = detail;
    return false;
}

static bool bad(struct strict_verdict *v, const char *detail)
{
    return refuse(v, 400, "malformed_request", detail);
}

/* "HTTP/d.d"; whatever has this shape is a version, known or not. */
static bool version_byte(const struct strict_scan *s, unsigned char b)
{
    static const char shape[] = "HTTP/0.0";
    if (s->token_len >= sizeof shape - 1)
        return false;
    char want = shape[s->token_len];
    return want == '0' ? b >= '0' && b <= '9' : b == (unsigned char)want;
}

static bool version_end(struct strict_scan *s, struct strict_verdict *v)
{
    if (s->token_len != 8)
        return bad(v, "The request line must end with HTTP/1.1 or HTTP/1.0.");
    if (s->version[5] != '1' || (s->version[7] != '1' && s->version[7] != '0'))
        return refuse(v, 505, "version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are spoken here.");
    s->state = STRICT_LINE_LF;
    return true;
}

static bool start_byte(struct strict_scan *s, unsigned char b, struct strict_verdict *v)
{
    if (b == '\r' && !s->skipped_line) {
        s->skipped_line = true;
        s->state = STRICT_START_LF;
        return true;
    }
    if (!(classes[b] & METHOD))
        return bad(v, "A request begins with a method in upper-case letters.");
    s->line_start = s->offset;
    s->token_len = 1;
    s->state = STRICT_METHOD;
    return true;
}

static bool method_byte(struct strict_scan *s, unsigned char b, struct strict_verdict *v)
{
    if (b == ' ') {
        s->method_end = s->offset;
        s->state = STRICT_TARGET;
        return true;
    }
    if (!(classes[b] & METHOD) || ++s->token_len > METHOD_MAX)
        return bad(v, "A request begins with a method in upper-case letters, then one space.");
    return true;
}

static bool target_byte(struct strict_scan *s, unsigned char b, struct strict_verdict *v)
{
    if (b == ' ' && s->offset > s->method_end + 1) {
        s->target_end = s->offset;
        s->token_len = 0;
        s->state = STRICT_VERSION;
        return true;
    }
    if (!(classes[b] & TARGET))
        return bad(v, b == '#' ? "A request target has no fragment ('#')."
                               : "The request target holds a byte that must be percent-encoded, or a second space.");
    return true;
}

static bool version_state_byte(struct strict_scan *s, unsigned char b, struct strict_verdict *v)
{
    if (b == '\r')
        return version_end(s, v);
    if (!version_byte(s, b))
        return bad(v, "The request line must end with HTTP/1.1 or HTTP/1.0 and CRLF.");
    s->version[s->token_len++] = (char)b;
    return true;
}

static bool header_start_byte(struct strict_scan *s, const struct strict_limits *l, unsigned char b, struct strict_verdict *v)
{
    if (b == '\r') {
        s->state = STRICT_END_LF;
        return true;
    }
    if (b == ' ' || b == '\t')
        return bad(v, "A header line must not begin with a space: folded lines are not accepted.");
    if (!(classes[b] & TOKEN))
        return bad(v, "A header line must begin with the header's name.");
    if (s->header_count >= l->header_count)
        return refuse(v, 431, "too_many_headers", "The request has too many header lines.");
    s->header_count++;
    s->state = STRICT_NAME;
    return true;
}

static bool lf(struct strict_scan *s, unsigned char b, enum strict_state next, struct strict_verdict *v)
{
    if (b != '\n')
        return bad(v, "A carriage return must be followed by a line feed.");
    s->state = (uint8_t)next;
    return true;
}

static bool one_byte(struct strict_scan *s, const struct strict_limits *l, unsigned char b, struct strict_verdict *v)
{
    switch ((enum strict_state)s->state) {
    case STRICT_START:
        return start_byte(s, b, v);
    case STRICT_START_LF:
        return lf(s, b, STRICT_START, v);
    case STRICT_METHOD:
        return method_byte(s, b, v);
    case STRICT_TARGET:
        return target_byte(s, b, v);
    case STRICT_VERSION:
        return version_state_byte(s, b, v);
    case STRICT_LINE_LF:
        s->line_end = s->offset + 1;
        return lf(s, b, STRICT_HEADER, v);
    case STRICT_HEADER:
        return header_start_byte(s, l, b, v);
    case STRICT_NAME:
        if (b == ':')
            s->state = STRICT_VALUE;
        else if (!(classes[b] & TOKEN))
            return bad(v, "A header's name holds a byte that is not allowed, or is not followed by a colon at once.");
        return true;
    case STRICT_VALUE:
        if (b == '\r')
            s->state = STRICT_VALUE_LF;
        else if (!(classes[b] & TEXT))
            return bad(v, "A header's value holds a control character; lines end with CRLF.");
        return true;
    case STRICT_VALUE_LF:
        return lf(s, b, STRICT_HEADER, v);
    case STRICT_END_LF:
        return lf(s, b, STRICT_DONE, v);
    case STRICT_DONE:
        break;
    }
    return true;
}

/* How many bytes from p on only continue the token at hand; they need no decision. */
static size_t plain_run(const struct strict_scan *s, const char *p, size_t len)
{
    unsigned mask = s->state == STRICT_VALUE ? TEXT : s->state == STRICT_NAME ? TOKEN : s->state == STRICT_TARGET ? TARGET : 0;
    size_t n = 0;
    if (mask)
        while (n < len && classes[(unsigned char)p[n]] & mask)
            n++;
    return n;
}

/* Bytes that may still come before a limit is passed. */
static size_t room(const struct strict_scan *s, const struct strict_limits *l, struct strict_verdict *over)
{
    if (s->state < STRICT_HEADER) {
        refuse(over, 414, "uri_too_long", "The request line is too long.");
        size_t seen = s->offset - s->line_start;
        return seen < l->line_bytes ? l->line_bytes - seen : 0;
    }
    refuse(over, 431, "headers_too_large", "The request's headers are too large.");
    size_t seen = s->offset - s->line_end;
    return seen < l->header_bytes ? l->header_bytes - seen : 0;
}

size_t strict_feed(struct strict_scan *s, const struct strict_limits *l, const char *data, size_t len, struct strict_verdict *v)
{
    size_t i = 0;
    v->status = 0;
    while (i < len && s->state != STRICT_DONE) {
        struct strict_verdict over;
        size_t left = room(s, l, &over);
        if (left == 0) {
            *v = over;
            return i;
        }
        size_t n = plain_run(s, data + i, len - i < left ? len - i : left);
        i += n;
        s->offset += (uint32_t)n;
        if (n == left || i == len)
            continue;
        if (!one_byte(s, l, (unsigned char)data[i], v))
            return i;
        i++;
        s->offset++;
    }
    return i;
}
