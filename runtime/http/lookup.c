#include "http/lookup.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lookup {
    pthread_mutex_t lock;
    bool abandoned, posted; /* under the lock: who of the two is last frees it */
    struct loop *loop;
    struct loop_post post;
    lookup_done_fn done;
    void *ctx;
    int rc;
    struct addrinfo *list;
    bool literal; /* "[::1]", which getaddrinfo() knows without the brackets */
    char host[256], port[8];
};

static void destroy(struct lookup *k)
{
    if (k->list)
        freeaddrinfo(k->list);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

static void deliver(struct loop_post *post)
{
    struct lookup *k = (struct lookup *)((char *)post - offsetof(struct lookup, post));
    struct addrinfo *list = k->list;
    if (!k->abandoned) { /* the loop's thread is the one that abandons */
        k->list = NULL;
        k->done(k->ctx, k->rc, list);
    }
    pthread_mutex_lock(&k->lock); /* the thread may still hold it */
    pthread_mutex_unlock(&k->lock);
    destroy(k);
}

static void *look_up(void *arg)
{
    struct lookup *k = arg;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | (k->literal ? AI_NUMERICHOST : AI_ADDRCONFIG) };
    k->rc = getaddrinfo(k->host, k->port, &hints, &k->list);
    pthread_mutex_lock(&k->lock);
    bool abandoned = k->abandoned;
    if (!abandoned) {
        k->posted = true;
        k->post.fn = deliver;
        loop_post(k->loop, &k->post); /* under the lock: after an abandon the loop may be gone */
    }
    pthread_mutex_unlock(&k->lock);
    if (abandoned)
        destroy(k);
    return NULL;
}

struct lookup *lookup_start(struct loop *l, const char *host, int port, lookup_done_fn done, void *ctx)
{
    struct lookup *k = calloc(1, sizeof *k);
    pthread_t thread;
    pthread_attr_t detached;
    if (!k)
        return NULL;
    pthread_mutex_init(&k->lock, NULL);
    k->loop = l;
    k->done = done;
    k->ctx = ctx;
    k->literal = host[0] == '[';
    snprintf(k->host, sizeof k->host, "%.*s", (int)(strlen(host) - (k->literal ? 2 : 0)), host + k->literal);
    snprintf(k->port, sizeof k->port, "%d", port);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&thread, &detached, look_up, k);
    pthread_attr_destroy(&detached);
    if (rc == 0)
        return k;
    destroy(k);
    return NULL;
}

void lookup_abandon(struct lookup *k)
{
    pthread_mutex_lock(&k->lock);
    k->abandoned = true; /* posted: the post finds it, and frees it */
    pthread_mutex_unlock(&k->lock);
}
