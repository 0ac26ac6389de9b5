/* quote/heap.h - the first few of many, without sorting all: a heap of line numbers under any total order. And sorting in place: qsort_r()
 * asks for memory where the list is longer than a kilobyte. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Always inline, so that each use compares without a call. */
typedef bool (*heap_before_fn)(const void *ctx, uint32_t a, uint32_t b);

static inline __attribute__((always_inline)) void heap_sift(uint32_t *heap, size_t count, size_t i, heap_before_fn before, const void *ctx)
{
    for (;;) {
        size_t first = i, child = 2 * i + 1;
        if (child < count && before(ctx, heap[child], heap[first]))
            first = child;
        if (child + 1 < count && before(ctx, heap[child + 1], heap[first]))
            first = child + 1;
        if (first == i)
            return;
        uint32_t swap = heap[i];
        heap[i] = heap[first];
        heap[first] = swap;
        i = first;
    }
}

static inline __attribute__((always_inline)) void heap_make(uint32_t *heap, size_t count, heap_before_fn before, const void *ctx)
{
    for (size_t i = count / 2; i-- > 0;)
        heap_sift(heap, count, i, before, ctx);
}

/* Takes out the first of all; *count > 0. */
static inline __attribute__((always_inline)) uint32_t heap_take(uint32_t *heap, size_t *count, heap_before_fn before, const void *ctx)
{
    uint32_t first = heap[0];
    heap[0] = heap[--*count];
    heap_sift(heap, *count, 0, before, ctx);
    return first;
}

/* The whole list; `after` is the order the other way round. */
static inline __attribute__((always_inline)) void heap_sort(uint32_t *list, size_t count, heap_before_fn after, const void *ctx)
{
    enum { FEW = 24 };
    if (count <= FEW) {
        for (size_t i = 1; i < count; i++) {
            uint32_t one = list[i];
            size_t at = i;
            for (; at > 0 && after(ctx, list[at - 1], one); at--)
                list[at] = list[at - 1];
            list[at] = one;
        }
        return;
    }
    heap_make(list, count, after, ctx);
    while (count > 1) {
        uint32_t last = heap_take(list, &count, after, ctx);
        list[count] = last;
    }
}
