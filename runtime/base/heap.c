#include "base/heap.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Classes: every 16 bytes up to 512, then four to each doubling. A block never changes its class, so free blocks of one size are not
 * joined to make larger ones; what that can waste is bounded by the region. */
enum { STEP = 16, SMALL_MAX = 512, SMALL_CLASSES = SMALL_MAX / STEP, CLASS_MAX = SMALL_MAX << ((HEAP_CLASSES - SMALL_CLASSES) / 4) };

static unsigned class_of(size_t size)
{
    if (size <= SMALL_MAX)
        return (unsigned)((size - 1) / STEP);
    unsigned bits = 63 - (unsigned)__builtin_clzll(size - 1); /* 2^bits < size <= 2^(bits + 1) */
    return SMALL_CLASSES + (bits - 9) * 4 + (unsigned)((size - 1) >> (bits - 2) & 3);
}

static size_t size_of_class(unsigned c)
{
    if (c < SMALL_CLASSES)
        return (c + 1) * STEP;
    unsigned k = c - SMALL_CLASSES;
    return ((size_t)SMALL_MAX << k / 4) / 4 * (k % 4 + 5);
}

static bool is_inside(const struct heap *h, const void *p)
{
    return (uintptr_t)p - (uintptr_t)h->base < h->size;
}

static void *take(struct heap *h, size_t size)
{
    if (size <= CLASS_MAX) {
        unsigned c = class_of(size);
        void *p = h->free[c];
        if (p) {
            memcpy(&h->free[c], p, sizeof p);
            return p;
        }
        size_t whole = size_of_class(c);
        if (whole <= h->size - h->taken) {
            p = h->base + h->taken;
            h->taken += whole;
            return p;
        }
    }
    void *p = alloc_resize(h->outside, NULL, 0, size);
    h->outside_blocks += p != NULL;
    return p;
}

static void give_back(struct heap *h, void *p, size_t size)
{
    if (is_inside(h, p)) {
        unsigned c = class_of(size);
        memcpy(p, &h->free[c], sizeof p);
        h->free[c] = p;
        return;
    }
    alloc_resize(h->outside, p, size, 0);
    h->outside_blocks--;
}

static void *heap_resize(void *ctx, void *ptr, size_t old_size, size_t size)
{
    struct heap *h = ctx;
    if (!ptr || old_size == 0)
        return size ? take(h, size) : NULL;
    if (size == 0) {
        give_back(h, ptr, old_size);
        return NULL;
    }
    bool inside = is_inside(h, ptr);
    if (inside && size <= CLASS_MAX && class_of(size) == class_of(old_size))
        return ptr;
    if (!inside && size > CLASS_MAX)
        return alloc_resize(h->outside, ptr, old_size, size);
    void *fresh = take(h, size);
    if (!fresh && !inside)
        return alloc_resize(h->outside, ptr, old_size, size);
    if (!fresh) /* less is never refused: the block goes on, as one of a smaller class */
        return size <= old_size ? ptr : NULL;
    memcpy(fresh, ptr, old_size < size ? old_size : size);
    give_back(h, ptr, old_size);
    return fresh;
}

void heap_open(struct heap *h, size_t size, const struct alloc *outside)
{
    *h = (struct heap){ .face = { heap_resize, h }, .outside = outside };
    char *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base != MAP_FAILED) {
        h->base = base;
        h->size = size;
    }
}

bool heap_is_whole(const struct heap *h)
{
    return h->outside_blocks == 0;
}

void heap_release(struct heap *h)
{
    assert(h->outside_blocks == 0);
    if (h->base)
        munmap(h->base, h->size);
    h->base = NULL;
    h->size = h->taken = 0;
}
