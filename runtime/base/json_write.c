#include "base/digits.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/word.h"
#include <assert.h>

/* objects: one bit per open level, 1 = object. Deeper than 64 levels nothing is asserted. */
__attribute__((unused)) static bool in_object(const struct json_writer *w) /* only asserts ask */
{
    return w->depth > 0 && w->depth <= 64 && (w->objects >> (w->depth - 1) & 1);
}

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){ .out = out };
}

/* Every value begins here: a comma where one is due, then room for `extra` bytes. NULL when out of memory. */
static char *value_begin(struct json_writer *w, size_t extra)
{
    assert(w->after_key || !in_object(w)); /* in an object a key comes first */
    bool comma = w->need_comma && !w->after_key;
    w->need_comma = true;
    w->after_key = false;
    char *p = buf_reserve(w->out, extra + 1);
    if (p && comma) {
        *p++ = ',';
        w->out->len++;
    }
    return p;
}

static void literal(struct json_writer *w, const char *text, size_t len)
{
    char *p = value_begin(w, len);
    if (!p)
        return;
    memcpy(p, text, len);
    w->out->len += len;
}

static void open_level(struct json_writer *w, char bracket, bool object)
{
    char *p = value_begin(w, 1);
    if (p) {
        *p = bracket;
        w->out->len++;
    }
    if (w->depth < 64) {
        uint64_t bit = (uint64_t)1 << w->depth;
        w->objects = object ? w->objects | bit : w->objects & ~bit;
    }
    w->depth++;
    w->need_comma = false;
}

static void close_level(struct json_writer *w, char bracket, bool object)
{
    assert(w->depth > 0 && !w->after_key);
    assert(w->depth > 64 || in_object(w) == object);
    (void)object;
    buf_add_char(w->out, bracket);
    w->depth--;
    w->need_comma = true;
}

void json_object(struct json_writer *w)
{
    open_level(w, '{', true);
}

void json_object_end(struct json_writer *w)
{
    close_level(w, '}', true);
}

void json_array(struct json_writer *w)
{
    open_level(w, '[', false);
}

void json_array_end(struct json_writer *w)
{
    close_level(w, ']', false);
}

/* Escapes one byte or character at *p and moves past it. out has room for six bytes. */
static size_t escape(char *out, const char **p, const char *end)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)**p;
    if (c >= 0x80) {
        size_t n = utf8_at(*p, end);
        if (n)
            memcpy(out, *p, n);
        *p += n ? n : 1;
        return n ? n : utf8_put(out, 0xFFFD);
    }
    ++*p;
    char name = 0;
    switch (c) {
    case '"':
    case '\\':
        name = (char)c;
        break;
    case '\b':
        name = 'b';
        break;
    case '\f':
        name = 'f';
        break;
    case '\n':
        name = 'n';
        break;
    case '\r':
        name = 'r';
        break;
    case '\t':
        name = 't';
        break;
    default:
        break;
    }
    out[0] = '\\';
    if (name) {
        out[1] = name;
        return 2;
    }
    memcpy(out + 1, "u00", 3);
    out[4] = hex[c >> 4];
    out[5] = hex[c & 15];
    return 6;
}

/* Appends s with what needs it escaped, no quotes. */
static void add_escaped(struct buf *b, struct slice s)
{
    const char *p = s.data, *end = s.data + s.len;
    while (p < end) {
        char *out = buf_reserve(b, (size_t)(end - p) + 8);
        if (!out)
            return;
        const char *limit = b->data + b->cap - 8; /* each step writes eight bytes at most */
        char *at = out;
        while (p < end && at <= limit) {
            if (end - p >= 8) {
                uint64_t word = word_load(p), special = word_special(word);
                memcpy(at, &word, 8); /* what lies past the special byte is overwritten by the next step */
                size_t plain = word_first(special);
                at += plain;
                p += plain;
                if (!special || at > limit)
                    continue;
            } else if (!byte_is_special((unsigned char)*p)) {
                *at++ = *p++;
                continue;
            }
            at += escape(at, &p, end);
        }
        b->len += (size_t)(at - out);
    }
}

/* The common case: short, nothing to escape. One reservation, one pass. False when something was special. */
static bool add_plain(struct buf *b, char *at, struct slice s, const char *after, size_t after_len)
{
    char *begin = at;
    const char *p = s.data, *end = s.data + s.len;
    *at++ = '"';
    for (; end - p >= 8; p += 8, at += 8) {
        uint64_t word = word_load(p);
        if (word_special(word))
            return false;
        memcpy(at, &word, 8);
    }
    for (; p < end; p++) {
        if (byte_is_special((unsigned char)*p))
            return false;
        *at++ = *p;
    }
    memcpy(at, after, after_len);
    b->len += (size_t)(at - begin) + after_len;
    return true;
}

/* A quoted string, then `after` (the closing quote, with the colon for a key). */
static void add_quoted(struct buf *b, char *at, struct slice s, const char *after, size_t after_len)
{
    if (!at || add_plain(b, at, s, after, after_len))
        return;
    buf_add_char(b, '"');
    add_escaped(b, s);
    buf_add(b, after, after_len);
}

static char *key_begin(struct json_writer *w, size_t extra)
{
    assert(!w->after_key);
    assert(w->depth > 0 && (w->depth > 64 || in_object(w)));
    bool comma = w->need_comma;
    w->after_key = true;
    char *p = buf_reserve(w->out, extra + 1);
    if (p && comma) {
        *p++ = ',';
        w->out->len++;
    }
    return p;
}

void json_key_plain(struct json_writer *w, const char *key, size_t len)
{
    char *p = key_begin(w, len + 3);
    if (!p)
        return;
    *p = '"';
    memcpy(p + 1, key, len);
    memcpy(p + 1 + len, "\":", 2);
    w->out->len += len + 3;
}

void json_key_slice(struct json_writer *w, struct slice key)
{
    add_quoted(w->out, key_begin(w, key.len + 3), key, "\":", 2);
}

void json_string(struct json_writer *w, struct slice s)
{
    add_quoted(w->out, value_begin(w, s.len + 2), s, "\"", 1);
}

void json_str(struct json_writer *w, const char *s)
{
    json_string(w, slice_str(s));
}

void json_int(struct json_writer *w, int64_t v)
{
    char *p = value_begin(w, DIGITS_MAX);
    if (p)
        w->out->len += digits_put(p, v);
}

void json_bool(struct json_writer *w, bool v)
{
    if (v)
        literal(w, "true", 4);
    else
        literal(w, "false", 5);
}

void json_null(struct json_writer *w)
{
    literal(w, "null", 4);
}

char *json_plain(struct json_writer *w, size_t len)
{
    char *p = value_begin(w, len + 2);
    if (!p)
        return NULL;
    p[0] = p[len + 1] = '"';
    w->out->len += len + 2;
    return p + 1;
}

void json_raw(struct json_writer *w, struct slice json)
{
    assert(json.len > 0);
    literal(w, json.data, json.len);
}

/* Recursive: as deep as the tree, which the reader's depth limit bounds. */
void json_value_write(struct json_writer *w, const struct json_value *v)
{
    switch (v->type) {
    case JSON_NULL:
        json_null(w);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        json_bool(w, v->type == JSON_TRUE);
        break;
    case JSON_INT:
        json_int(w, v->integer);
        break;
    case JSON_REAL:
        json_raw(w, v->string);
        break;
    case JSON_STRING:
        json_string(w, v->string);
        break;
    case JSON_ARRAY:
        json_array(w);
        for (const struct json_value *m = v->first; m; m = m->next)
            json_value_write(w, m);
        json_array_end(w);
        break;
    case JSON_OBJECT:
        json_object(w);
        for (const struct json_value *m = v->first; m; m = m->next) {
            json_key_slice(w, m->key);
            json_value_write(w, m);
        }
        json_object_end(w);
        break;
    }
}
