#include "rulebook/manifests.h"
#include "base/map.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { BUCKETS = 1024 };

struct shared_manifest {
    struct manifest *manifest;
    size_t refs;
    uint64_t hash;
    struct shared_manifest *next; /* of its bucket */
    size_t source_len;
    char source[];
};

struct manifests {
    pthread_mutex_t lock;
    struct shared_manifest *buckets[BUCKETS];
    size_t count;
};

int manifests_open(struct manifests **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERR_NOMEM, "there is not enough memory for the manifests of plugins");
    pthread_mutex_init(&(*out)->lock, NULL);
    return 0;
}

void manifests_close(struct manifests *all)
{
    if (!all)
        return;
    assert(all->count == 0); /* a generation is still there */
    pthread_mutex_destroy(&all->lock);
    free(all);
}

size_t manifests_count(struct manifests *all)
{
    pthread_mutex_lock(&all->lock);
    size_t n = all->count;
    pthread_mutex_unlock(&all->lock);
    return n;
}

/* With the lock; counted. */
static struct shared_manifest *find(struct manifests *all, uint64_t hash, struct slice source, const char *file)
{
    for (struct shared_manifest *s = all->buckets[hash % BUCKETS]; s; s = s->next) {
        if (s->hash == hash && slice_eq(source, slice_of(s->source, s->source_len)) && strcmp(s->manifest->file, file) == 0) {
            s->refs++;
            return s;
        }
    }
    return NULL;
}

static struct shared_manifest *share(struct manifest *m, uint64_t hash, struct slice source)
{
    struct shared_manifest *s = malloc(sizeof *s + source.len);
    if (!s)
        return NULL;
    *s = (struct shared_manifest){ .manifest = m, .refs = 1, .hash = hash, .source_len = source.len };
    if (source.len)
        memcpy(s->source, source.data, source.len);
    return s;
}

int manifests_take(struct manifests *all, struct slice source, const char *file, struct manifest **out, struct err *err)
{
    if (!all)
        return manifest_read(source, file, NULL, out, err);
    uint64_t hash = hash_bytes(source.data, source.len) ^ hash_bytes(file, strlen(file)) << 1;
    pthread_mutex_lock(&all->lock);
    struct shared_manifest *s = find(all, hash, source, file);
    pthread_mutex_unlock(&all->lock);
    if (s) {
        *out = s->manifest;
        return 0;
    }
    struct manifest *m;
    int rc = manifest_read(source, file, NULL, &m, err);
    *out = rc == 0 ? m : NULL;
    if (rc < 0 || !(m->shared = share(m, hash, source)))
        return rc;                  /* without memory it is not shared */
    pthread_mutex_lock(&all->lock); /* that another thread has read it, too, is no harm */
    m->shared->next = all->buckets[hash % BUCKETS];
    all->buckets[hash % BUCKETS] = m->shared;
    all->count++;
    pthread_mutex_unlock(&all->lock);
    return 0;
}

void manifests_give_back(struct manifests *all, struct manifest *m)
{
    struct shared_manifest *s = m ? m->shared : NULL;
    if (s) {
        pthread_mutex_lock(&all->lock);
        bool last = --s->refs == 0;
        if (last) {
            struct shared_manifest **at = &all->buckets[s->hash % BUCKETS];
            while (*at != s)
                at = &(*at)->next;
            *at = s->next;
            all->count--;
        }
        pthread_mutex_unlock(&all->lock);
        if (!last)
            return;
        free(s);
    }
    manifest_free(m);
}
