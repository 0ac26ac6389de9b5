#include "http/chunk.h"

enum state {
    SIZE,
    EXT_NAME_FIRST,
    EXT_NAME,
    EXT_VALUE_FIRST,
    EXT_VALUE,
    EXT_QUOTED,
    EXT_ESCAPE,
    EXT_QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS,
    DONE
};

enum { SIZE_DIGITS_MAX = 16, EXTENSION_BYTES_MAX = 1024 };
static const struct strict_limits trailer_limits = { .line_bytes = 1, .header_bytes = 4096, .header_count = 16 };

void chunk_begin(struct chunk_reader *c)
{
    *c = (struct chunk_reader){ .state = SIZE };
}

bool chunk_done(const struct chunk_reader *c)
{
    return c->state == DONE;
}

static bool bad(struct strict_verdict *v, const char *detail)
{
    *v = (struct strict_verdict){ 400, "malformed_request", detail };
    return false;
}

static int hex(unsigned char b)
{
    if (b >= '0' && b <= '9')
        return b - '0';
    b |= 0x20;
    return b >= 'a' && b <= 'f' ? b - 'a' + 10 : -1;
}

static bool size_byte(struct chunk_reader *c, unsigned char b, struct strict_verdict *v)
{
    int digit = hex(b);
    if (digit >= 0) {
        if (++c->digits > SIZE_DIGITS_MAX)
            return bad(v, "A chunk size has at most 16 hexadecimal digits.");
        c->left = c->left << 4 | (uint64_t)digit;
        return true;
    }
    if (c->digits == 0 || (b != '\r' && b != ';'))
        return bad(v, "A chunk size is hexadecimal digits, then CRLF.");
    c->state = b == ';' ? EXT_NAME_FIRST : SIZE_LF;
    return true;
}

static bool extension_byte(struct chunk_reader *c, unsigned char b, struct strict_verdict *v)
{
    static const char wrong[] = "A chunk extension must read ;name, ;name=value or ;name=\"value\".";
    if (++c->extension_bytes > EXTENSION_BYTES_MAX)
        return bad(v, "The chunk extensions are too long.");
    bool token = strict_is_token((char)b), end = b == '\r' || b == ';';
    enum state next = c->state;
    switch ((enum state)c->state) {
    case EXT_NAME_FIRST:
    case EXT_VALUE_FIRST:
        if (b == '"' && c->state == EXT_VALUE_FIRST)
            next = EXT_QUOTED;
        else if (token)
            next = c->state == EXT_NAME_FIRST ? EXT_NAME : EXT_VALUE;
        else
            return bad(v, wrong);
        break;
    case EXT_NAME:
        if (b == '=')
            next = EXT_VALUE_FIRST;
        else if (!token && !end)
            return bad(v, wrong);
        break;
    case EXT_VALUE:
        if (!token && !end)
            return bad(v, wrong);
        break;
    case EXT_QUOTED:
        if (!strict_is_text((char)b))
            return bad(v, wrong);
        next = b == '"' ? EXT_QUOTED_END : b == '\\' ? EXT_ESCAPE : EXT_QUOTED;
        break;
    case EXT_ESCAPE:
        if (!strict_is_text((char)b))
            return bad(v, wrong);
        next = EXT_QUOTED;
        break;
    default: /* EXT_QUOTED_END */
        if (!end)
            return bad(v, wrong);
    }
    if (end && c->state != EXT_QUOTED && c->state != EXT_ESCAPE)
        next = b == ';' ? EXT_NAME_FIRST : SIZE_LF;
    c->state = (uint8_t)next;
    return true;
}

static bool size_complete(struct chunk_reader *c, size_t limit, struct strict_verdict *v)
{
    if (c->left > limit || c->total > limit - c->left) {
        *v = (struct strict_verdict){ 413, "body_too_large", "The body is larger than is accepted here; send it in smaller parts." };
        return false;
    }
    c->digits = 0;
    c->state = c->left ? DATA : TRAILERS;
    if (c->state == TRAILERS)
        strict_begin_trailers(&c->trailers);
    return true;
}

static bool framing_byte(struct chunk_reader *c, unsigned char b, size_t limit, struct strict_verdict *v)
{
    switch ((enum state)c->state) {
    case SIZE:
        return size_byte(c, b, v);
    case SIZE_LF:
        return b == '\n' ? size_complete(c, limit, v) : bad(v, "A chunk size line must end with CRLF.");
    case DATA_CR:
        c->state = DATA_LF;
        return b == '\r' || bad(v, "Chunk data must be followed by CRLF.");
    case DATA_LF:
        c->state = SIZE;
        return b == '\n' || bad(v, "Chunk data must be followed by CRLF.");
    default:
        return extension_byte(c, b, v);
    }
}

static size_t data_run(struct chunk_reader *c, const char *data, size_t len, struct buf *body)
{
    size_t n = c->left < len ? (size_t)c->left : len;
    buf_add(body, data, n);
    c->left -= n;
    c->total += n;
    if (c->left == 0)
        c->state = DATA_CR;
    return n;
}

size_t chunk_feed(struct chunk_reader *c, const char *data, size_t len, size_t limit, struct buf *body, struct strict_verdict *v)
{
    size_t i = 0;
    v->status = 0;
    while (i < len && c->state != DONE) {
        if (c->state == DATA) {
            i += data_run(c, data + i, len - i, body);
        } else if (c->state == TRAILERS) {
            i += strict_feed(&c->trailers, &trailer_limits, data + i, len - i, v);
            if (v->status)
                return i;
            if (c->trailers.state == STRICT_DONE)
                c->state = DONE;
        } else {
            if (!framing_byte(c, (unsigned char)data[i], limit, v))
                return i;
            i++;
        }
    }
    return i;
}
