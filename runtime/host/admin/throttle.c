#include "host/admin/throttle.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

enum { SLOTS = 4096 }; /* two names may share one: then they wait for each other */

struct slot {
    uint32_t tries;
    int64_t last_ms;
};

struct throttle {
    pthread_mutex_t lock;
    uint64_t salt;
    struct slot names[SLOTS], addresses[SLOTS];
};

struct throttle *throttle_new(uint64_t salt)
{
    struct throttle *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    pthread_mutex_init(&t->lock, NULL);
    t->salt = salt;
    return t;
}

void throttle_free(struct throttle *t)
{
    if (!t)
        return;
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct slot *slot_of(const struct throttle *t, struct slot *slots, struct slice text)
{
    uint64_t h = hash_bytes(text.data, text.len) ^ t->salt;
    return &slots[(h ^ h >> 29) % SLOTS];
}

static int64_t left(const struct slot *s, uint32_t free_tries, int64_t now_ms)
{
    int64_t until = s->last_ms + THROTTLE_PAUSE_MS;
    return s->tries >= free_tries && now_ms < until ? until - now_ms : 0;
}

static void count(struct slot *s, int64_t now_ms)
{
    s->tries += s->tries < UINT32_MAX;
    s->last_ms = now_ms;
}

int64_t throttle_try(struct throttle *t, struct slice name, struct slice address, int64_t now_ms)
{
    pthread_mutex_lock(&t->lock);
    struct slot *by_name = slot_of(t, t->names, name), *by_address = address.len ? slot_of(t, t->addresses, address) : NULL;
    int64_t wait = left(by_name, THROTTLE_FREE_NAME, now_ms), other = by_address ? left(by_address, THROTTLE_FREE_ADDRESS, now_ms) : 0;
    wait = other > wait ? other : wait;
    if (wait == 0) {
        count(by_name, now_ms);
        if (by_address)
            count(by_address, now_ms);
    }
    pthread_mutex_unlock(&t->lock);
    return wait;
}

void throttle_good(struct throttle *t, struct slice name, struct slice address)
{
    pthread_mutex_lock(&t->lock);
    slot_of(t, t->names, name)->tries = 0;
    struct slot *s = address.len ? slot_of(t, t->addresses, address) : NULL;
    if (s && s->tries) /* its other failures stay counted: one good account does not buy guesses at the rest */
        s->tries--;
    pthread_mutex_unlock(&t->lock);
}
