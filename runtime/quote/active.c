/* The gates and campaigns that are looked at: what the index brings up, in the order of application. */
#include "quote/run_int.h"
#include <stdlib.h>

/* Makes places for `count` more; the gates keep theirs. */
static int grow(struct quote_eval *e, const uint32_t *list, size_t count, struct err *err)
{
    size_t before = e->active_count, all = before + count;
    uint32_t *active = arena_alloc(e->arena, all * sizeof *active);
    struct quote_outcome *slots = arena_array(e->arena, all, sizeof *slots);
    uint32_t *codes = arena_array(e->arena, all, sizeof *codes);
    if (!active || !slots || !codes)
        return eval_nomem(e, err);
    if (before) {
        memcpy(active, e->active, before * sizeof *active);
        memcpy(slots, e->slots, before * sizeof *slots);
        memcpy(codes, e->slot_codes, before * sizeof *codes);
    }
    if (count)
        memcpy(active + before, list, count * sizeof *active);
    e->active = active;
    e->active_count = all;
    e->slots = slots;
    e->slot_codes = codes;
    return 0;
}

static int everybody(struct quote_eval *e, uint32_t from, uint32_t to, struct err *err)
{
    uint32_t *list = arena_alloc(e->arena, (to - from) * sizeof *list);
    if (!list)
        return eval_nomem(e, err);
    for (uint32_t i = from; i < to; i++)
        list[i - from] = i;
    return grow(e, list, to - from, err);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* The one that the cart asks about, and those that take a code that was typed, are looked at, too, whatever the index says of them. */
static int add_asked(struct quote_eval *e, uint32_t from, uint32_t to, uint32_t **list, size_t *count, struct err *err)
{
    uint32_t asked[CODES_ASKED_MAX + 1];
    size_t n = codes_asked(e, asked), all = 0;
    if (e->cart->explain_one)
        asked[n++] = e->cart->explain_one - 1;
    uint32_t *grown = n ? arena_alloc(e->arena, (*count + n) * sizeof *grown) : *list;
    if (!grown)
        return n ? eval_nomem(e, err) : 0;
    if (n == 0)
        return 0;
    if (*count)
        memcpy(grown, *list, *count * sizeof *grown);
    for (size_t i = 0; i < n; i++)
        if (asked[i] >= from && asked[i] < to)
            grown[(*count)++] = asked[i];
    if (*count)
        qsort(grown, *count, sizeof *grown, by_number);
    for (size_t i = 0; i < *count; i++)
        if (i == 0 || grown[i] != grown[i - 1])
            grown[all++] = grown[i];
    *list = grown;
    *count = all;
    return 0;
}

static int activate(struct quote_eval *e, const struct index *ix, uint32_t from, uint32_t to, struct err *err)
{
    uint32_t *list;
    size_t count;
    if (from == to)
        return 0;
    int rc;
    if (e->cart->explain_all)
        rc = everybody(e, from, to, err);
    else if ((rc = index_find(ix, e, eval_still_costs(e, eval_every(e)), &list, &count, err)) == 0 &&
             (rc = add_asked(e, from, to, &list, &count, err)) == 0)
        rc = grow(e, list, count, err);
    if (rc == 0)
        stopped_mark(e);
    return rc;
}

int active_gates(struct quote_eval *e, struct err *err)
{
    int rc = activate(e, e->rules->gate_index, 0, (uint32_t)e->rules->gate_count, err);
    e->active_gates = e->active_count;
    return rc;
}

/* Those whose thresholds are a little above what the cart comes to. They have no turn. */
static int look_further(struct quote_eval *e, struct err *err)
{
    int64_t most = eval_still_costs(e, eval_every(e)), further = INT64_MAX, kept = RATE_ONE_PPM - e->rules->policies.offers_within_ppm;
    uint32_t *list = NULL;
    size_t count = 0, left = 0;
    if (e->rules->gate_count == e->rules->count || e->cart->explain_all)
        return near_begin(e, NULL, 0, err);
    if (kept > 0)
        money_ratio(most, RATE_ONE_PPM, kept, ROUND_CEILING, &further);
    int rc = index_find(e->rules->index, e, further, &list, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (index_least(e->rules, list[i]) > most)
            list[left++] = list[i];
    return rc < 0 ? rc : near_begin(e, list, left, err);
}

int active_campaigns(struct quote_eval *e, struct err *err)
{
    int rc = e->cart->wants_offers ? look_further(e, err) : 0;
    if (rc < 0)
        return rc;
    return activate(e, e->rules->index, (uint32_t)e->rules->gate_count, (uint32_t)e->rules->count, err);
}

struct quote_outcome *slot_of(const struct quote_eval *e, uint32_t campaign)
{
    size_t low = 0, high = e->active_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (e->active[mid] == campaign)
            return &e->slots[mid];
        if (e->active[mid] < campaign)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}
