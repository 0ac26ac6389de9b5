#include "base/arena.h"
#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

/* With the address sanitizer, what was not handed out (or was taken back by a reset) is poisoned. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   __asan_poison_memory_region(p, n)
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, n)
#else
#define POISON(p, n)   ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_GROWTH = 64 * 1024 };

struct arena_block {
    struct arena_block *next;
    size_t cap, used; /* bytes of data[]; used is 0 in every block after `current` */
    _Alignas(ALIGN) char data[];
};

static void block_free(const struct arena *a, struct arena_block *b)
{
    UNPOISON(b->data, b->cap);
    alloc_resize(a->alloc, b, sizeof *b + b->cap, 0);
}

void arena_init(struct arena *a, const struct alloc *alloc, size_t limit_bytes)
{
    *a = (struct arena){ .alloc = alloc ? alloc : alloc_default(), .limit_bytes = limit_bytes };
}

size_t arena_reset_keeping(struct arena *a, size_t bytes)
{
    size_t kept = 0;
    struct arena_block **link = &a->first;
    while (*link) {
        struct arena_block *b = *link;
        if (kept + b->cap > bytes) {
            *link = b->next;
            block_free(a, b);
            continue;
        }
        kept += b->cap;
        b->used = 0;
        POISON(b->data, b->cap);
        link = &b->next;
    }
    a->current = a->first;
    a->used_bytes = 0;
    return kept;
}

void arena_reset(struct arena *a)
{
    arena_reset_keeping(a, ARENA_KEPT);
}

void arena_release(struct arena *a)
{
    struct arena_block *b = a->first;
    while (b) {
        struct arena_block *next = b->next;
        block_free(a, b);
        b = next;
    }
    a->first = a->current = NULL;
    a->used_bytes = 0;
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){ a->current, a->current ? a->current->used : 0, a->used_bytes };
}

void arena_rewind(struct arena *a, struct arena_mark m)
{
    for (struct arena_block *b = m.current ? m.current->next : a->first; b && b->used; b = b->next) {
        b->used = 0;
        POISON(b->data, b->cap);
    }
    if (m.current) {
        m.current->used = m.block_used;
        POISON(m.current->data + m.block_used, m.current->cap - m.block_used);
    }
    a->current = m.current;
    a->used_bytes = m.used_bytes;
}

/* Makes `current` a block with room for size bytes: the next kept one when it is large enough, else a new one. */
static bool next_block(struct arena *a, size_t size)
{
    struct arena_block *next = a->current ? a->current->next : a->first;
    if (next && next->cap >= size) {
        a->current = next;
        return true;
    }
    size_t cap = FIRST_BLOCK;
    if (a->current)
        cap = a->current->cap < LARGEST_GROWTH / 2 ? a->current->cap * 2 : LARGEST_GROWTH;
    if (cap < size)
        cap = size;
    if (cap > SIZE_MAX - sizeof(struct arena_block))
        return false;
    struct arena_block *b = alloc_resize(a->alloc, NULL, 0, sizeof *b + cap);
    if (!b)
        return false;
    b->cap = cap;
    b->used = 0;
    b->next = next;
    POISON(b->data, b->cap);
    if (a->current)
        a->current->next = b;
    else
        a->first = b;
    a->current = b;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (size > SIZE_MAX - ALIGN)
        return NULL;
    size_t rounded = size ? (size + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
    if (a->limit_bytes && (a->used_bytes > a->limit_bytes || rounded > a->limit_bytes - a->used_bytes))
        return NULL;
    if ((!a->current || a->current->cap - a->current->used < rounded) && !next_block(a, rounded))
        return NULL;
    char *p = a->current->data + a->current->used;
    a->current->used += rounded;
    a->used_bytes += rounded;
    UNPOISON(p, size);
    return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
    void *p = arena_alloc(a, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return arena_zalloc(a, total);
}

char *arena_strdup(struct arena *a, struct slice s)
{
    if (s.len == SIZE_MAX)
        return NULL;
    char *p = arena_alloc(a, s.len + 1);
    if (!p)
        return NULL;
    if (s.len)
        memcpy(p, s.data, s.len);
    p[s.len] = '\0';
    return p;
}

struct slice arena_copy(struct arena *a, struct slice s)
{
    char *p = arena_strdup(a, s);
    return slice_of(p, p ? s.len : 0);
}

struct slice arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return slice_of(p, p ? (size_t)n : 0);
}

static void *resize_in_arena(void *ctx, void *ptr, size_t old_size, size_t size)
{
    if (size <= old_size)
        return size ? ptr : NULL;
    void *p = arena_alloc(ctx, size);
    if (p && old_size)
        memcpy(p, ptr, old_size);
    return p;
}

struct alloc arena_as_alloc(struct arena *a)
{
    return (struct alloc){ resize_in_arena, a };
}
