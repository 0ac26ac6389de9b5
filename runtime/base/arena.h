/* base/arena.h - memory that is freed all at once. One arena per request; after arena_reset() the blocks are kept
 * and reused, so a warm arena does not allocate. Belongs to one thread. */
#pragma once
#include "base/alloc.h"
#include "base/slice.h"

struct arena_block;

struct arena {
    const struct alloc *alloc;
    struct arena_block *first, *current;
    size_t used_bytes;  /* handed out since the last reset */
    size_t limit_bytes; /* 0 = none; an allocation beyond it returns NULL */
};

void arena_init(struct arena *a, const struct alloc *alloc, size_t limit_bytes);
enum { ARENA_KEPT = 256 * 1024 };
void arena_reset(struct arena *a); /* everything handed out is gone; blocks above ARENA_KEPT in all go back to the allocator */
size_t arena_reset_keeping(struct arena *a, size_t bytes); /* the same with another bound; gives how many it keeps */
void arena_release(struct arena *a);                       /* everything goes back */

/* An allocator that takes from the arena, for a buf or a table that is gone with it. What is given back, or outgrown, stays until then. */
struct alloc arena_as_alloc(struct arena *a);

/* What was handed out after a mark is taken back by a rewind to it, newest mark first. A reset or release makes marks void. */
struct arena_mark {
    struct arena_block *current;
    size_t block_used, used_bytes;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark m);

void *arena_alloc(struct arena *a, size_t size);               /* 16-byte aligned, not zeroed; NULL when out of memory */
void *arena_zalloc(struct arena *a, size_t size);              /* zeroed */
void *arena_array(struct arena *a, size_t count, size_t size); /* zeroed; NULL also when count * size overflows */
char *arena_strdup(struct arena *a, struct slice s);           /* NUL-terminated copy; NULL when out of memory */
struct slice arena_copy(struct arena *a, struct slice s);      /* data is NULL when out of memory */
struct slice arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
