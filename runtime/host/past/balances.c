#include "host/past/balances.h"
#include "base/map.h"
#include <pthread.h>
#include <stdlib.h>

struct balances {
    pthread_rwlock_t lock;
    struct arena arena;
    struct map by_account; /* → int64_t in the arena */
};

struct balances *balances_new(void)
{
    struct balances *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    pthread_rwlock_init(&b->lock, NULL);
    arena_init(&b->arena, NULL, 0);
    map_init(&b->by_account, NULL);
    return b;
}

void balances_free(struct balances *b)
{
    if (!b)
        return;
    map_release(&b->by_account);
    arena_release(&b->arena);
    pthread_rwlock_destroy(&b->lock);
    free(b);
}

bool balances_find(struct balances *b, struct slice account, int64_t *balance)
{
    pthread_rwlock_rdlock(&b->lock);
    const int64_t *found = map_get(&b->by_account, account);
    if (found)
        *balance = *found;
    pthread_rwlock_unlock(&b->lock);
    return found != NULL;
}

static bool add(struct balances *b, struct slice account, int64_t balance)
{
    int64_t *cell = arena_alloc(&b->arena, sizeof *cell);
    struct slice key = arena_copy(&b->arena, account);
    if (!cell || !key.data)
        return false;
    *cell = balance;
    return map_set(&b->by_account, key, cell);
}

int balances_set(struct balances *b, struct slice account, int64_t balance, struct err *err)
{
    pthread_rwlock_wrlock(&b->lock);
    int64_t *found = map_get(&b->by_account, account);
    bool ok = true;
    if (found)
        *found = balance;
    else
        ok = add(b, account, balance);
    pthread_rwlock_unlock(&b->lock);
    return ok ? 0 : err_set(err, ERR_NOMEM, "Out of memory for what is left of limits.");
}
