/* base/alloc_fault.h - for tests: an allocator that refuses the k-th request and knows whether everything came back.
 * A sweep runs the same steps with fail_at = 1, 2, 3 ... until a run is not refused anything. */
#pragma once
#include "base/alloc.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct alloc_fault {
    struct alloc face;
    size_t requests, fail_at; /* fail_at counts from 1; 0 = never refuse */
    bool fail_after;          /* refuse the k-th and all later ones */
    bool refused;
    size_t live_bytes;
};

static inline void *alloc_fault_resize(void *ctx, void *ptr, size_t old_size, size_t size)
{
    struct alloc_fault *f = ctx;
    if (size == 0) {
        f->live_bytes -= ptr ? old_size : 0;
        free(ptr);
        return NULL;
    }
    f->requests++;
    if (f->fail_at && (f->fail_after ? f->requests >= f->fail_at : f->requests == f->fail_at)) {
        f->refused = true;
        return NULL;
    }
    /* Always a new place, so that a caller that keeps the old pointer is found by the address sanitizer. */
    char *fresh = malloc(size);
    if (!fresh)
        abort();
    if (ptr) {
        memcpy(fresh, ptr, old_size < size ? old_size : size);
        free(ptr);
    }
    f->live_bytes += size - (ptr ? old_size : 0);
    return fresh;
}

static inline void alloc_fault_init(struct alloc_fault *f, size_t fail_at, bool fail_after)
{
    *f = (struct alloc_fault){ .face = { alloc_fault_resize, f }, .fail_at = fail_at, .fail_after = fail_after };
}
