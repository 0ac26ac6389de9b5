#include "host/admin/hasher.h"
#include "host/worker.h"
#include <pthread.h>
#include <stdlib.h>

enum { WAITING_MAX = 32 }; /* some three seconds of work */

struct waiting {
    struct call *call;
    int (*work)(struct call *c, struct err *err);
};

struct hashers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool started, stopping;
    struct waiting ring[WAITING_MAX];
    size_t first, count;
};

int hashers_open(struct hashers **out, struct err *err)
{
    struct hashers *h = *out = calloc(1, sizeof *h);
    if (!h)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    return 0;
}

static void carry_out(const struct waiting *w, bool stopping)
{
    struct call *c = w->call;
    err_clear(&c->err);
    c->rc = stopping ? err_reason(&c->err, ERR_BUSY, "stopping", "The shop is stopping; try again in a moment.") : w->work(c, &c->err);
    call_resume(c); /* not a byte of the call may be touched from here */
}

static void *run(void *ctx)
{
    struct hashers *h = ctx;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping || h->count) {
        if (!h->count) {
            pthread_cond_wait(&h->wake, &h->lock);
            continue;
        }
        struct waiting next = h->ring[h->first];
        bool stopping = h->stopping;
        h->first = (h->first + 1) % WAITING_MAX;
        h->count--;
        pthread_mutex_unlock(&h->lock);
        carry_out(&next, stopping);
        pthread_mutex_lock(&h->lock);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* With the lock. */
static int add(struct hashers *h, struct call *c, int (*work)(struct call *c, struct err *err), struct err *err)
{
    if (h->stopping)
        return err_reason(err, ERR_BUSY, "stopping", "The shop is stopping; try again in a moment.");
    if (h->count == WAITING_MAX)
        return err_reason(err, ERR_BUSY, "sign_in_busy", "Very many sign in at this moment; try again in a few seconds.");
    if (!h->started && pthread_create(&h->thread, NULL, run, h) != 0)
        return err_set(err, ERR_NOMEM, "The system gives no thread for this; try again later.");
    h->started = true;
    h->ring[(h->first + h->count++) % WAITING_MAX] = (struct waiting){ c, work };
    pthread_cond_signal(&h->wake);
    return 0;
}

bool hasher_send(struct call *c, int (*work)(struct call *c, struct err *err))
{
    struct hashers *h = c->shop->hashers;
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    struct err err = { 0 };
    call_wait(c);
    pthread_mutex_lock(&h->lock);
    int rc = add(h, c, work, &err);
    pthread_mutex_unlock(&h->lock);
    if (rc == 0)
        return true;
    worker_let_go(w, seat);
    c->rc = rc;
    c->err = err;
    return false;
}

void hashers_finish(struct hashers *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    bool join = h->started;
    h->started = false;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    if (join)
        pthread_join(h->thread, NULL);
}

void hashers_close(struct hashers *h)
{
    if (!h)
        return;
    hashers_finish(h);
    pthread_cond_destroy(&h->wake);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
