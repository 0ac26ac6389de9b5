/* base/alloc.h - where memory comes from. Everything long-lived takes an allocator, so that a test can refuse the
 * k-th allocation and a plugin's memory can be capped. A NULL allocator means alloc_default() (malloc). */
#pragma once
#include <stddef.h>

struct alloc {
    /* realloc-like: size 0 frees and returns NULL; ptr NULL allocates. old_size is what was asked for before. */
    void *(*resize)(void *ctx, void *ptr, size_t old_size, size_t size);
    void *ctx;
};

const struct alloc *alloc_default(void);

static inline void *alloc_resize(const struct alloc *a, void *ptr, size_t old_size, size_t size)
{
    if (!a)
        a = alloc_default();
    return a->resize(a->ctx, ptr, old_size, size);
}
