#include "host/api/guesses.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

/* A caller is in one of NEAR places; the one with the fewest guesses makes room. So who makes up customers loses his own count only after
 * as many guesses as everybody near it has. */
enum { PLACES = 8192, NEAR = 8, RECENT = 8 };
#define HOUR_MS INT64_C(3600000)

struct place {
    uint64_t caller; /* 0: free */
    int64_t since_ms, count;
    uint32_t recent[RECENT]; /* hashes; the k-th guess is at k % RECENT */
};

struct guesses {
    pthread_mutex_t lock;
    struct place places[PLACES];
};

struct guesses *guesses_new(void)
{
    struct guesses *g = calloc(1, sizeof *g);
    if (g)
        pthread_mutex_init(&g->lock, NULL);
    return g;
}

void guesses_free(struct guesses *g)
{
    if (!g)
        return;
    pthread_mutex_destroy(&g->lock);
    free(g);
}

static bool is_over(const struct place *p, int64_t now_ms)
{
    return p->caller == 0 || now_ms - p->since_ms >= HOUR_MS || now_ms < p->since_ms;
}

static struct place *find(struct guesses *g, uint64_t caller, int64_t now_ms)
{
    for (size_t i = 0; i < NEAR; i++) {
        struct place *p = &g->places[(caller + i) % PLACES];
        if (p->caller == caller && !is_over(p, now_ms))
            return p;
    }
    return NULL;
}

static struct place *make_room(struct guesses *g, uint64_t caller, int64_t now_ms)
{
    struct place *least = NULL;
    for (size_t i = 0; i < NEAR; i++) {
        struct place *p = &g->places[(caller + i) % PLACES];
        if (is_over(p, now_ms))
            p->count = 0;
        if (!least || p->count < least->count)
            least = p;
    }
    *least = (struct place){ .caller = caller, .since_ms = now_ms };
    return least;
}

static uint64_t name_of(struct slice caller)
{
    uint64_t h = hash_bytes(caller.data, caller.len);
    return h ? h : 1;
}

int64_t guesses_of(struct guesses *g, struct slice caller, int64_t now_ms)
{
    pthread_mutex_lock(&g->lock);
    const struct place *p = find(g, name_of(caller), now_ms);
    int64_t count = p ? p->count : 0;
    pthread_mutex_unlock(&g->lock);
    return count;
}

static bool is_recent(const struct place *p, uint32_t code)
{
    for (size_t i = 0; i < RECENT && (int64_t)i < p->count; i++)
        if (p->recent[i] == code)
            return true;
    return false;
}

void guesses_add(struct guesses *g, struct slice caller, struct slice code, int64_t now_ms)
{
    uint64_t name = name_of(caller);
    uint32_t hash = (uint32_t)hash_bytes(code.data, code.len);
    pthread_mutex_lock(&g->lock);
    struct place *p = find(g, name, now_ms);
    if (!p)
        p = make_room(g, name, now_ms);
    if (!is_recent(p, hash))
        p->recent[p->count++ % RECENT] = hash;
    pthread_mutex_unlock(&g->lock);
}
