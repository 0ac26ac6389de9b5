#include "host/health.h"
#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 6, SLOT_MS = HEALTH_WINDOW_MS / SLOTS };

struct slot {
    atomic_int_fast64_t number; /* which ten seconds it holds */
    atomic_uint calls, failures;
};

struct health {
    size_t count;
    struct slot slots[][SLOTS];
};

struct health *health_new(size_t campaigns)
{
    struct health *h = calloc(1, sizeof *h + campaigns * sizeof h->slots[0]);
    if (h)
        h->count = campaigns;
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

void health_reset(struct health *h, uint32_t campaign)
{
    for (int i = 0; campaign < h->count && i < SLOTS; i++) {
        atomic_store_explicit(&h->slots[campaign][i].calls, 0, memory_order_relaxed);
        atomic_store_explicit(&h->slots[campaign][i].failures, 0, memory_order_relaxed);
    }
}

bool health_note(struct health *h, uint32_t campaign, bool failed, int64_t now_ms, struct health_sum *sum)
{
    if (campaign >= h->count)
        return false;
    int64_t number = now_ms / SLOT_MS + 1; /* 0 is a slot that was never used */
    struct slot *slots = h->slots[campaign], *now = slot_of(slots, number);
    atomic_fetch_add_explicit(&now->calls, 1, memory_order_relaxed);
    if (!failed)
        return false;
    atomic_fetch_add_explicit(&now->failures, 1, memory_order_relaxed);
    *sum = (struct health_sum){ 0, 0 };
    for (int i = 0; i < SLOTS; i++) {
        int64_t held = atomic_load_explicit(&slots[i].number, memory_order_relaxed);
        if (held == 0 || held <= number - SLOTS)
            continue;
        sum->calls += atomic_load_explicit(&slots[i].calls, memory_order_relaxed);
        sum->failures += atomic_load_explicit(&slots[i].failures, memory_order_relaxed);
    }
    return sum->failures >= HEALTH_FAILURES && sum->failures * 100 >= sum->calls * HEALTH_PERCENT;
}
