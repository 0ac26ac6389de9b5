/* base/buf.h - a growing run of bytes. A failed allocation is remembered in `failed` and makes later appends do
 * nothing, so a writer checks once, at the end. */
#pragma once
#include "base/alloc.h"
#include "base/slice.h"
#include <stdint.h>

struct buf {
    char *data;
    size_t len, cap;
    const struct alloc *alloc;
    bool failed;
};

void buf_init(struct buf *b, const struct alloc *alloc);
void buf_clear(struct buf *b); /* len = 0, failed = false, memory kept */
void buf_release(struct buf *b);
char *buf_reserve(struct buf *b, size_t extra); /* room for `extra` more bytes after len; NULL and failed when there is none */
void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_slice(struct buf *b, struct slice s);
void buf_add_str(struct buf *b, const char *s);
void buf_add_char(struct buf *b, char c);
void buf_add_int(struct buf *b, int64_t v); /* decimal */
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->data ? b->data : "", b->len);
}
