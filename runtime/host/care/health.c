#include "host/care/health.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 6, SLOT_MS = HEALTH_WINDOW_MS / SLOTS };

struct slot {
    atomic_int_fast64_t number; /* which ten seconds it holds */
    atomic_uint calls, failures;
};

struct subject {
    struct slot slots[SLOTS];
    atomic_int_fast64_t said_ms; /* 0 = never */
};

struct health {
    size_t count;
    struct subject subjects[];
};

struct health *health_new(size_t subjects)
{
    struct health *h = calloc(1, sizeof *h + subjects * sizeof h->subjects[0]);
    if (h)
        h->count = subjects;
    return h;
}

void health_free(struct health *h)
{
    free(h);
}

/* The slot of now, emptied when it still holds an older time. */
static struct slot *slot_of(struct slot slots[SLOTS], int64_t number)
{
    struct slot *s = &slots[number % SLOTS];
    int_fast64_t held = atomic_load_explicit(&s->number, memory_order_relaxed);
    if (held != number && atomic_compare_exchange_strong_explicit(&s->number, &held, number, memory_order_relaxed, memory_order_relaxed)) {
        atomic_store_explicit(&s->calls, 0, memory_order_relaxed);
        atomic_store_explicit(&s->failures, 0, memory_order_relaxed);
    }
    return s;
}

void health_reset(struct health *h, uint32_t subject)
{
    for (int i = 0; subject < h->count && i < SLOTS; i++) {
        atomic_store_explicit(&h->subjects[subject].slots[i].calls, 0, memory_order_relaxed);
        atomic_store_explicit(&h->subjects[subject].slots[i].failures, 0, memory_order_relaxed);
    }
}

static int64_t number_of(int64_t now_ms)
{
    return now_ms / SLOT_MS + 1; /* 0 is a slot that was never used */
}

struct health_sum health_sum(const struct health *h, uint32_t subject, int64_t now_ms)
{
    struct health_sum sum = { 0, 0 };
    for (int i = 0; subject < h->count && i < SLOTS; i++) {
        const struct slot *s = &h->subjects[subject].slots[i];
        int64_t held = atomic_load_explicit(&s->number, memory_order_relaxed);
        if (held == 0 || held <= number_of(now_ms) - SLOTS)
            continue;
        sum.calls += atomic_load_explicit(&s->calls, memory_order_relaxed);
        sum.failures += atomic_load_explicit(&s->failures, memory_order_relaxed);
    }
    return sum;
}

bool health_note(struct health *h, uint32_t subject, bool failed, int64_t now_ms, struct health_sum *sum)
{
    if (subject >= h->count)
        return false;
    struct slot *now = slot_of(h->subjects[subject].slots, number_of(now_ms));
    atomic_fetch_add_explicit(&now->calls, 1, memory_order_relaxed);
    if (!failed)
        return false;
    atomic_fetch_add_explicit(&now->failures, 1, memory_order_relaxed);
    *sum = health_sum(h, subject, now_ms);
    return sum->failures >= HEALTH_FAILURES && sum->failures * 100 >= sum->calls * HEALTH_PERCENT;
}

bool health_say(struct health *h, uint32_t subject, int64_t now_ms)
{
    atomic_int_fast64_t *said = &h->subjects[subject].said_ms;
    int_fast64_t before = atomic_load_explicit(said, memory_order_relaxed);
    if (subject >= h->count || (before && now_ms - before < HEALTH_WINDOW_MS))
        return false;
    return atomic_compare_exchange_strong_explicit(said, &before, now_ms ? now_ms : 1, memory_order_relaxed, memory_order_relaxed);
}
