#include "base/buf.h"
#include "base/digits.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

enum { SMALLEST = 64 };

void buf_init(struct buf *b, const struct alloc *alloc)
{
    *b = (struct buf){ .alloc = alloc };
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

void buf_release(struct buf *b)
{
    if (b->data)
        alloc_resize(b->alloc, b->data, b->cap, 0);
    b->data = NULL;
    b->len = b->cap = 0;
    b->failed = false;
}

static bool grow(struct buf *b, size_t extra)
{
    size_t need;
    if (__builtin_add_overflow(b->len, extra, &need) || need > PTRDIFF_MAX)
        return false;
    size_t cap = b->cap < SMALLEST ? SMALLEST : b->cap * 2;
    if (cap < need)
        cap = need;
    char *data = alloc_resize(b->alloc, b->data, b->cap, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

char *buf_reserve(struct buf *b, size_t extra)
{
    if (b->failed)
        return NULL;
    if ((!b->data || extra > b->cap - b->len) && !grow(b, extra)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0)
        return;
    char *p = buf_reserve(b, len);
    if (!p)
        return;
    memcpy(p, data, len);
    b->len += len;
}

void buf_add_slice(struct buf *b, struct slice s)
{
    buf_add(b, s.data, s.len);
}

void buf_add_str(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_add_char(struct buf *b, char c)
{
    char *p = buf_reserve(b, 1);
    if (!p)
        return;
    *p = c;
    b->len++;
}

void buf_add_int(struct buf *b, int64_t v)
{
    char *p = buf_reserve(b, DIGITS_MAX);
    if (p)
        b->len += digits_put(p, v);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1); /* vsnprintf writes a NUL that is not counted */
    if (p) {
        vsnprintf(p, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else {
        b->failed = true;
    }
    va_end(again);
}
