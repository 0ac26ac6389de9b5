/* Compiled code, kept. Entries are found by their whole text, so two texts never share code whatever their hashes are. */
#include "vm/code.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024, AGE_MAX = 8 };

struct code_entry {
    unsigned refs; /* readers; with the lock */
    bool dropped;  /* out of the list; freed with its last reader */
    struct vm_chunk known;
    uint64_t hash, age;
    size_t chunk_len, source_len, len;
    struct code_entry *chain;         /* of its bucket */
    struct code_entry *newer, *older; /* in the order of use */
    char bytes[];                     /* chunk name, text, compiled form */
};

struct vm_code {
    pthread_mutex_t lock; /* guards all below */
    struct code_entry *buckets[BUCKETS];
    struct code_entry *newest, *oldest;
    uint64_t age;
    size_t limit_bytes;
    struct vm_code_stats stats;
};

static size_t size_of(const struct code_entry *e)
{
    return sizeof *e + e->chunk_len + e->source_len + e->len;
}

static uint64_t hash_of(struct slice chunk, struct slice source)
{
    return hash_bytes(source.data, source.len) ^ (hash_bytes(chunk.data, chunk.len) << 1);
}

int vm_code_open(size_t limit_bytes, struct vm_code **out, struct err *err)
{
    struct vm_code *c = *out = calloc(1, sizeof *c);
    if (!c)
        return err_set(err, ERR_NOMEM, "there is no memory to keep compiled code");
    pthread_mutex_init(&c->lock, NULL);
    c->limit_bytes = limit_bytes;
    return 0;
}

/* --- the list, with the lock ------------------------------------------------------------------------------------------ */

static void unlink_used(struct vm_code *c, struct code_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
}

static void link_newest(struct vm_code *c, struct code_entry *e)
{
    e->age = c->age;
    e->newer = NULL;
    e->older = c->newest;
    *(c->newest ? &c->newest->newer : &c->oldest) = e;
    c->newest = e;
}

static void drop(struct vm_code *c, struct code_entry *e)
{
    struct code_entry **at = &c->buckets[e->hash % BUCKETS];
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    unlink_used(c, e);
    c->stats.entries--;
    c->stats.bytes -= size_of(e);
    e->dropped = true;
    if (e->refs == 0)
        free(e);
}

static struct code_entry *look(struct vm_code *c, uint64_t hash, struct slice chunk, struct slice source)
{
    for (struct code_entry *e = c->buckets[hash % BUCKETS]; e; e = e->chain)
        if (e->hash == hash && slice_eq(chunk, slice_of(e->bytes, e->chunk_len)) &&
            slice_eq(source, slice_of(e->bytes + e->chunk_len, e->source_len)))
            return e;
    return NULL;
}

/* --- use ---------------------------------------------------------------------------------------------------------------- */

struct code_entry *vm_code_find(struct vm_code *c, struct slice chunk, struct slice source)
{
    uint64_t hash = hash_of(chunk, source);
    pthread_mutex_lock(&c->lock);
    struct code_entry *e = look(c, hash, chunk, source);
    if (e) {
        unlink_used(c, e);
        link_newest(c, e);
        e->refs++;
        c->stats.hits++;
    } else {
        c->stats.misses++;
    }
    pthread_mutex_unlock(&c->lock);
    return e;
}

void vm_code_release(struct vm_code *c, struct code_entry *e)
{
    pthread_mutex_lock(&c->lock);
    if (--e->refs == 0 && e->dropped)
        free(e);
    pthread_mutex_unlock(&c->lock);
}

struct slice code_compiled(const struct code_entry *e)
{
    return slice_of(e->bytes + e->chunk_len + e->source_len, e->len);
}

struct vm_chunk code_known(const struct code_entry *e)
{
    return e->known;
}

static struct code_entry *make(struct slice chunk, struct slice source, struct slice compiled)
{
    struct code_entry *e = malloc(sizeof *e + chunk.len + source.len + compiled.len);
    if (!e)
        return NULL;
    *e = (struct code_entry){ .hash = hash_of(chunk, source), .chunk_len = chunk.len, .source_len = source.len, .len = compiled.len };
    char *p = e->bytes;
    struct slice parts[] = { chunk, source, compiled };
    for (int i = 0; i < 3; i++) {
        if (parts[i].len)
            memcpy(p, parts[i].data, parts[i].len);
        p += parts[i].len;
    }
    return e;
}

void vm_code_keep(struct vm_code *c, struct slice chunk, struct slice source, struct slice compiled, struct vm_chunk known)
{
    struct code_entry *e = make(chunk, source, compiled);
    if (!e)
        return; /* the next one compiles it again */
    e->known = known;
    size_t size = size_of(e);
    pthread_mutex_lock(&c->lock);
    if (size > c->limit_bytes || look(c, e->hash, chunk, source)) { /* another thread was first */
        pthread_mutex_unlock(&c->lock);
        free(e);
        return;
    }
    while (c->oldest && c->stats.bytes + size > c->limit_bytes)
        drop(c, c->oldest);
    e->chain = c->buckets[e->hash % BUCKETS];
    c->buckets[e->hash % BUCKETS] = e;
    link_newest(c, e);
    c->stats.entries++;
    c->stats.bytes += size;
    pthread_mutex_unlock(&c->lock);
}

void vm_code_age(struct vm_code *c)
{
    pthread_mutex_lock(&c->lock);
    c->age++;
    while (c->oldest && c->oldest->age + AGE_MAX < c->age)
        drop(c, c->oldest);
    pthread_mutex_unlock(&c->lock);
}

struct vm_code_stats vm_code_stats(struct vm_code *c)
{
    pthread_mutex_lock(&c->lock);
    struct vm_code_stats s = c->stats;
    pthread_mutex_unlock(&c->lock);
    return s;
}

void vm_code_close(struct vm_code *c)
{
    if (!c)
        return;
    while (c->oldest)
        drop(c, c->oldest);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
