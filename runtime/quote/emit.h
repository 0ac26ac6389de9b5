/* quote/emit.h - JSON written straight into a buffer, for the parts of an answer that repeat per line. The caller reserves
 * once for many members; json_string does what needs escaping. Inside quote/ only. */
#pragma once
#include "base/digits.h"
#include "base/json.h"
#include "base/word.h"

struct emit {
    struct buf *buf;
    char *at; /* within what was reserved; NULL once memory ran out, and then nothing is written */
};

static inline struct emit emit_begin(struct buf *b)
{
    return (struct emit){ b, buf_reserve(b, 1) };
}

static inline void emit_end(struct emit *e)
{
    if (e->at)
        e->buf->len = (size_t)(e->at - e->buf->data);
}

/* Makes room for so many bytes of emit_raw, emit_int and literals. */
static inline void emit_room(struct emit *e, size_t bytes)
{
    emit_end(e);
    if (e->at && bytes > e->buf->cap - e->buf->len)
        e->at = buf_reserve(e->buf, bytes);
}

/* Always inline, so that a literal's copy becomes a few moves. */
static inline __attribute__((always_inline)) void emit_raw(struct emit *e, const char *text, size_t len)
{
    if (!e->at)
        return;
    memcpy(e->at, text, len);
    e->at += len;
}
#define EMIT(e, literal) emit_raw(e, literal, sizeof(literal) - 1)

static inline void emit_int(struct emit *e, int64_t v)
{
    if (!e->at)
        return;
    if ((uint64_t)v < 10) /* most of what evidence holds */
        *e->at++ = (char)('0' + v);
    else
        e->at += digits_put(e->at, v);
}

/* Reserves for itself and for `after` more bytes. */
static inline void emit_string(struct emit *e, struct slice s, size_t after)
{
    emit_room(e, s.len + 2 + after);
    if (!e->at)
        return;
    const char *from = s.data, *end = s.data + s.len;
    char *to = e->at;
    *to++ = '"';
    for (; end - from >= 8 && !word_special(word_load(from)); from += 8, to += 8)
        memcpy(to, from, 8);
    for (; from < end && !byte_is_special((unsigned char)*from); from++)
        *to++ = *from;
    if (from == end) {
        *to++ = '"';
        e->at = to;
        return;
    }
    struct json_writer w; /* something needs care: from the start, the careful way */
    json_writer_init(&w, e->buf);
    json_string(&w, s);
    e->at = buf_reserve(e->buf, after);
}
