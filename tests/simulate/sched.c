#include "tests/simulate/sched.h"
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 64, CREEP_NS = 40000, WEIGHTS = 4 };

enum turn_state { MAY_RUN, WAITS, ENDED };

struct thread {
    struct sched *sched;
    pthread_t real;
    sem_t turn;
    enum turn_state state;
    const void *channel;
    int64_t until_ns;
    bool woken;
    unsigned weight; /* how often it has a turn, beside others: threads are not equally quick */
    void *(*fn)(void *);
    void *arg;
};

struct sched {
    struct thread *threads[THREADS_MAX];
    size_t count;
    struct random_seeded random;
    int64_t now_ns;
    uint64_t turns, hash;
    void *owner;
};

/* The one thing that the calls below can find their sched by. */
static _Thread_local struct thread *me;

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __real_pthread_join(pthread_t t, void **result);
int __real_pthread_mutex_lock(pthread_mutex_t *m);
int __real_pthread_mutex_unlock(pthread_mutex_t *m);
int __real_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __real_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __real_pthread_cond_signal(pthread_cond_t *c);
int __real_pthread_cond_broadcast(pthread_cond_t *c);
int __real_clock_gettime(clockid_t which, struct timespec *out);

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg);
int __wrap_pthread_join(pthread_t t, void **result);
int __wrap_pthread_mutex_lock(pthread_mutex_t *m);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *m);
int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m);
int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until);
int __wrap_pthread_cond_signal(pthread_cond_t *c);
int __wrap_pthread_cond_broadcast(pthread_cond_t *c);
int __wrap_clock_gettime(clockid_t which, struct timespec *out);

/* --- turns ------------------------------------------------------------------------------------------------------------------ */

static uint64_t roll(struct sched *s, uint64_t n)
{
    return random_seeded_next(&s->random) % n;
}

static void deadlock(struct sched *s)
{
    fprintf(stderr, "simulate: all %zu threads wait for each other\n", s->count);
    for (size_t i = 0; i < s->count; i++)
        fprintf(stderr, "  thread %zu waits for %p\n", i, s->threads[i]->channel);
    abort();
}

static void wake_thread(struct thread *t, bool woken)
{
    t->state = MAY_RUN;
    t->channel = NULL;
    t->woken = woken;
}

/* Threads whose moment has come may run; gives the earliest moment of the others. */
static int64_t wake_due(struct sched *s)
{
    int64_t next = SCHED_NEVER_NS;
    for (size_t i = 0; i < s->count; i++) {
        struct thread *t = s->threads[i];
        if (t->state != WAITS || t->until_ns == SCHED_NEVER_NS)
            continue;
        if (t->until_ns <= s->now_ns)
            wake_thread(t, false);
        else if (next == SCHED_NEVER_NS || t->until_ns < next)
            next = t->until_ns;
    }
    return next;
}

static struct thread *choose(struct sched *s)
{
    for (;;) {
        int64_t next = wake_due(s);
        uint64_t sum = 0;
        for (size_t i = 0; i < s->count; i++)
            sum += s->threads[i]->state == MAY_RUN ? s->threads[i]->weight : 0;
        if (sum == 0 && next == SCHED_NEVER_NS)
            deadlock(s);
        if (sum == 0) {
            s->now_ns = next;
            continue;
        }
        uint64_t at = roll(s, sum);
        for (size_t i = 0; i < s->count; i++) {
            struct thread *t = s->threads[i];
            uint64_t weight = t->state == MAY_RUN ? t->weight : 0;
            if (at < weight) {
                s->hash = (s->hash ^ i) * 1099511628211u;
                return t;
            }
            at -= weight;
        }
    }
}

static void await_turn(struct thread *t)
{
    while (sem_wait(&t->turn) != 0)
        continue;
}

/* Whoever calls has said before what it waits for. */
static void give_turn(void)
{
    struct thread *self = me;
    struct sched *s = self->sched;
    s->turns++;
    s->now_ns += 1 + (int64_t)roll(s, CREEP_NS);
    struct thread *next = choose(s);
    if (next == self)
        return;
    bool ended = self->state == ENDED; /* then self may be freed by the next one */
    sem_post(&next->turn);
    if (!ended)
        await_turn(self);
}

void sched_point(void)
{
    if (me)
        give_turn();
}

bool sched_wait(const void *channel, int64_t until_ns)
{
    struct thread *self = me;
    self->state = WAITS;
    self->channel = channel;
    self->until_ns = until_ns;
    give_turn();
    return self->woken;
}

void sched_sleep(int64_t ns)
{
    if (me)
        sched_wait(&me, sched_now_ns() + ns);
}

void sched_wake(const void *channel)
{
    struct sched *s = me->sched;
    for (size_t i = 0; i < s->count; i++)
        if (s->threads[i]->state == WAITS && s->threads[i]->channel == channel)
            wake_thread(s->threads[i], true);
}

static void wake_one(const void *channel)
{
    struct sched *s = me->sched;
    struct thread *found[THREADS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->threads[i]->state == WAITS && s->threads[i]->channel == channel)
            found[n++] = s->threads[i];
    if (n)
        wake_thread(found[roll(s, n)], true);
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

static struct thread *add(struct sched *s)
{
    static const unsigned weights[WEIGHTS] = { 1, 2, 4, 16 };
    struct thread *t = calloc(1, sizeof *t);
    if (!t || s->count == THREADS_MAX)
        abort();
    t->sched = s;
    t->weight = weights[roll(s, WEIGHTS)];
    sem_init(&t->turn, 0, 0);
    s->threads[s->count++] = t;
    return t;
}

static void drop(struct sched *s, struct thread *t)
{
    size_t i = 0;
    while (s->threads[i] != t)
        i++;
    for (s->count--; i < s->count; i++)
        s->threads[i] = s->threads[i + 1];
    sem_destroy(&t->turn);
    free(t);
}

struct sched *sched_begin(uint64_t seed, void *owner)
{
    assert(!me);
    struct sched *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    random_seeded_init(&s->random, seed);
    s->owner = owner;
    s->hash = 14695981039346656037u;
    s->now_ns = 1000000000;
    me = add(s);
    me->real = pthread_self();
    return s;
}

void sched_end(struct sched *s)
{
    assert(s->count == 1 && s->threads[0] == me);
    drop(s, me);
    me = NULL;
    free(s);
}

bool sched_here(void)
{
    return me != NULL;
}

void *sched_owner(void)
{
    return me ? me->sched->owner : NULL;
}

int64_t sched_now_ns(void)
{
    return me->sched->now_ns;
}

uint64_t sched_roll(uint64_t n)
{
    return roll(me->sched, n);
}

uint64_t sched_hash(void)
{
    return me->sched->hash;
}

uint64_t sched_turns(void)
{
    return me->sched->turns;
}

/* --- pthreads, as the runtime calls them ---------------------------------------------------------------------------------------- */

static void *run(void *arg)
{
    struct thread *t = me = arg;
    await_turn(t);
    void *result = t->fn(t->arg);
    t->state = ENDED;
    sched_wake(t);
    give_turn();
    return result;
}

int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    if (!me)
        return __real_pthread_create(t, a, fn, arg);
    struct thread *new = add(me->sched);
    new->fn = fn;
    new->arg = arg;
    if (__real_pthread_create(&new->real, a, run, new) != 0)
        abort(); /* a machine without threads is not what is tried here */
    *t = new->real;
    sched_point();
    return 0;
}

int __wrap_pthread_join(pthread_t t, void **result)
{
    struct thread *found = NULL;
    for (size_t i = 0; me && i < me->sched->count; i++)
        if (pthread_equal(me->sched->threads[i]->real, t))
            found = me->sched->threads[i];
    if (!found)
        return __real_pthread_join(t, result);
    while (found->state != ENDED)
        sched_wait(found, SCHED_NEVER_NS);
    int rc = __real_pthread_join(t, result);
    drop(me->sched, found);
    return rc;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *m)
{
    if (!me)
        return __real_pthread_mutex_lock(m);
    if (roll(me->sched, 4) == 0)
        sched_point();
    int rc;
    while ((rc = pthread_mutex_trylock(m)) == EBUSY)
        sched_wait(m, SCHED_NEVER_NS);
    return rc;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *m)
{
    int rc = __real_pthread_mutex_unlock(m);
    if (me)
        sched_wake(m);
    return rc;
}

static int wait_cond(pthread_cond_t *c, pthread_mutex_t *m, int64_t until_ns)
{
    /* Nobody else has a turn between these two, so no signal is missed. */
    __wrap_pthread_mutex_unlock(m);
    bool woken = sched_wait(c, until_ns);
    __wrap_pthread_mutex_lock(m);
    return woken ? 0 : ETIMEDOUT;
}

int __wrap_pthread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m)
{
    return me ? wait_cond(c, m, SCHED_NEVER_NS) : __real_pthread_cond_wait(c, m);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *until)
{
    if (!me)
        return __real_pthread_cond_timedwait(c, m, until);
    return wait_cond(c, m, (int64_t)until->tv_sec * 1000000000 + until->tv_nsec);
}

int __wrap_pthread_cond_signal(pthread_cond_t *c)
{
    if (!me)
        return __real_pthread_cond_signal(c);
    wake_one(c);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *c)
{
    if (!me)
        return __real_pthread_cond_broadcast(c);
    sched_wake(c);
    return 0;
}

/* Every clock of the runtime that is not handed in is a monotonic one or counts the CPU. */
int __wrap_clock_gettime(clockid_t which, struct timespec *out)
{
    if (!me)
        return __real_clock_gettime(which, out);
    *out = (struct timespec){ .tv_sec = me->sched->now_ns / 1000000000, .tv_nsec = me->sched->now_ns % 1000000000 };
    return 0;
}
