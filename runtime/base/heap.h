/* base/heap.h - the memory of one owner that makes and drops many small blocks and then ends (a Lua state): a region of its own, lists of
 * free blocks by size, no lock, and at the end the region goes back whole, without a look at its blocks. What does not fit comes from
 * `outside`. Belongs to one thread at a time. */
#pragma once
#include "base/alloc.h"
#include <stdbool.h>

enum { HEAP_CLASSES = 64 };

struct heap {
    struct alloc face; /* ctx is the heap: it must not be moved */
    const struct alloc *outside;
    char *base;
    size_t size, taken;
    size_t outside_blocks;
    void *free[HEAP_CLASSES];
};

/* size: of the region. Its pages cost nothing until they are used. Where the system gives none, everything is outside. */
void heap_open(struct heap *h, size_t size, const struct alloc *outside);
/* false: some blocks are outside, and each must be given back before heap_release(). */
bool heap_is_whole(const struct heap *h);
void heap_release(struct heap *h);
