#include "base/symbols.h"
#include "base/alloc.h"
#include "base/map.h"
#include <pthread.h>
#include <stdatomic.h>

/* Readers take no lock. What they reach is published in this order, each step with release:
 *   the name's bytes and its entry -> the slot of the index that holds the symbol -> (when grown) the index itself.
 * Nothing published is moved or freed before symbols_free(): an index that was outgrown stays, for readers still in it.
 * All of them together are no larger than the newest one. */

enum {
    FIRST_ENTRIES = 256, /* chunk k holds 256 << k entries: 24 chunks reach 2^32 */
    CHUNKS = 24,
    FIRST_SLOTS = 512,
    TEXT_CHUNK = 16 * 1024,
};

struct entry {
    const char *name;
    size_t len;
};

/* A slot is the upper half of the hash and the symbol; 0 is empty. */
struct index {
    struct index *older;
    size_t cap; /* a power of two */
    _Atomic uint64_t slots[];
};

struct text {
    struct text *next;
    size_t cap, used;
    char data[];
};

struct symbols {
    const struct alloc *alloc;
    _Atomic(struct index *) index;
    _Atomic(struct entry *) chunks[CHUNKS];
    /* The rest belongs to whoever holds the lock. */
    pthread_mutex_t lock;
    uint32_t count;
    struct text *texts;
};

/* Symbol 1 is the first entry of chunk 0. */
static void place(symbol sym, unsigned *chunk, size_t *offset)
{
    uint64_t n = (uint64_t)sym - 1 + FIRST_ENTRIES;
    unsigned top = 63u - (unsigned)__builtin_clzll(n);
    *chunk = top - 8;
    *offset = (size_t)(n - ((uint64_t)1 << top));
}

static size_t chunk_bytes(unsigned chunk)
{
    return ((size_t)FIRST_ENTRIES << chunk) * sizeof(struct entry);
}

static size_t index_bytes(size_t cap)
{
    return sizeof(struct index) + cap * sizeof(uint64_t);
}

static struct index *index_new(const struct alloc *alloc, size_t cap, struct index *older)
{
    struct index *x = alloc_resize(alloc, NULL, 0, index_bytes(cap));
    if (!x)
        return NULL;
    x->older = older;
    x->cap = cap;
    for (size_t i = 0; i < cap; i++)
        atomic_init(&x->slots[i], 0);
    return x;
}

struct symbols *symbols_new(const struct alloc *alloc)
{
    if (!alloc)
        alloc = alloc_default();
    struct symbols *s = alloc_resize(alloc, NULL, 0, sizeof *s);
    if (!s)
        return NULL;
    struct index *first = index_new(alloc, FIRST_SLOTS, NULL);
    if (!first) {
        alloc_resize(alloc, s, sizeof *s, 0);
        return NULL;
    }
    s->alloc = alloc;
    atomic_init(&s->index, first);
    for (unsigned i = 0; i < CHUNKS; i++)
        atomic_init(&s->chunks[i], NULL);
    pthread_mutex_init(&s->lock, NULL);
    s->count = 0;
    s->texts = NULL;
    return s;
}

void symbols_free(struct symbols *s)
{
    if (!s)
        return;
    for (struct index *x = atomic_load(&s->index), *older; x; x = older) {
        older = x->older;
        alloc_resize(s->alloc, x, index_bytes(x->cap), 0);
    }
    for (unsigned i = 0; i < CHUNKS; i++) {
        struct entry *chunk = atomic_load(&s->chunks[i]);
        if (chunk)
            alloc_resize(s->alloc, chunk, chunk_bytes(i), 0);
    }
    for (struct text *t = s->texts, *next; t; t = next) {
        next = t->next;
        alloc_resize(s->alloc, t, sizeof *t + t->cap, 0);
    }
    pthread_mutex_destroy(&s->lock);
    alloc_resize(s->alloc, s, sizeof *s, 0);
}

struct slice symbols_name(const struct symbols *s, symbol sym)
{
    if (sym == 0)
        return slice_str("");
    unsigned chunk;
    size_t offset;
    place(sym, &chunk, &offset);
    /* Whoever has the symbol got it after its entry was written; acquire is for the chunk's address. */
    const struct entry *e = &atomic_load_explicit(&s->chunks[chunk], memory_order_acquire)[offset];
    return slice_of(e->name, e->len);
}

static symbol find(const struct symbols *s, struct slice name, uint64_t hash)
{
    const struct index *x = atomic_load_explicit(&s->index, memory_order_acquire);
    size_t mask = x->cap - 1;
    for (size_t at = (size_t)hash & mask;; at = (at + 1) & mask) {
        uint64_t slot = atomic_load_explicit(&x->slots[at], memory_order_acquire);
        if (slot == 0)
            return 0;
        if (slot >> 32 == hash >> 32 && slice_eq(symbols_name(s, (symbol)slot), name))
            return (symbol)slot;
    }
}

symbol symbols_find(const struct symbols *s, struct slice name)
{
    return find(s, name, hash_bytes(name.data, name.len));
}

static void index_put(struct index *x, uint64_t hash, symbol sym)
{
    size_t mask = x->cap - 1, at = (size_t)hash & mask;
    while (atomic_load_explicit(&x->slots[at], memory_order_relaxed))
        at = (at + 1) & mask;
    atomic_store_explicit(&x->slots[at], (hash >> 32) << 32 | sym, memory_order_release);
}

/* Half of the slots at most are in use, so a reader of an index always meets an empty one. */
static struct index *index_with_room(struct symbols *s)
{
    struct index *x = atomic_load_explicit(&s->index, memory_order_relaxed);
    if (((size_t)s->count + 1) * 2 <= x->cap)
        return x;
    struct index *wider = index_new(s->alloc, x->cap * 2, x);
    if (!wider)
        return NULL;
    for (symbol sym = 1; sym <= s->count; sym++) {
        struct slice name = symbols_name(s, sym);
        index_put(wider, hash_bytes(name.data, name.len), sym);
    }
    atomic_store_explicit(&s->index, wider, memory_order_release);
    return wider;
}

static struct entry *entry_with_room(struct symbols *s, symbol sym)
{
    unsigned chunk;
    size_t offset;
    place(sym, &chunk, &offset);
    struct entry *entries = atomic_load_explicit(&s->chunks[chunk], memory_order_relaxed);
    if (!entries) {
        entries = alloc_resize(s->alloc, NULL, 0, chunk_bytes(chunk));
        if (!entries)
            return NULL;
        atomic_store_explicit(&s->chunks[chunk], entries, memory_order_release);
    }
    return entries + offset;
}

static char *copy_name(struct symbols *s, struct slice name)
{
    struct text *t = s->texts;
    if (!t || t->cap - t->used <= name.len) {
        size_t cap = name.len < TEXT_CHUNK ? (size_t)TEXT_CHUNK : name.len + 1;
        t = alloc_resize(s->alloc, NULL, 0, sizeof *t + cap);
        if (!t)
            return NULL;
        *t = (struct text){ .next = s->texts, .cap = cap };
        s->texts = t;
    }
    char *copy = t->data + t->used;
    if (name.len)
        memcpy(copy, name.data, name.len);
    copy[name.len] = '\0';
    t->used += name.len + 1;
    return copy;
}

static symbol add(struct symbols *s, struct slice name, uint64_t hash)
{
    if (s->count == UINT32_MAX - FIRST_ENTRIES)
        return 0;
    symbol sym = s->count + 1;
    struct index *x = index_with_room(s);
    struct entry *e = x ? entry_with_room(s, sym) : NULL;
    char *copy = e ? copy_name(s, name) : NULL;
    if (!copy)
        return 0;
    *e = (struct entry){ copy, name.len };
    s->count = sym;
    index_put(x, hash, sym);
    return sym;
}

symbol symbols_intern(struct symbols *s, struct slice name)
{
    uint64_t hash = hash_bytes(name.data, name.len);
    symbol sym = find(s, name, hash);
    if (sym)
        return sym;
    pthread_mutex_lock(&s->lock);
    sym = find(s, name, hash); /* another thread may have been first */
    if (!sym)
        sym = add(s, name, hash);
    pthread_mutex_unlock(&s->lock);
    return sym;
}
