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

static bool mark_one(uint64_t *marks, uint32_t i)
{
    uint64_t bit = UINT64_C(1) << (i & 63);
    bool is_new = !(marks[i >> 6] & bit);
    marks[i >> 6] |= bit;
    return is_new;
}

static size_t mark(uint64_t *marks, uint32_t from, const uint32_t *list, size_t count, size_t room)
{
    size_t marked = 0;
    for (size_t i = 0; i < count && marked < room; i++)
        marked += mark_one(marks, list[i] - from);
    return marked;
}

/* Of very many: all that can apply, and as many more as may be looked at, first those that have a name with the cart in common. */
static int nearest(struct quote_eval *e, const struct index *ix, uint32_t from, uint32_t to, uint32_t **list, size_t *count,
                   struct err *err)
{
    uint32_t *named, *out;
    size_t named_count, marked, n = 0;
    uint64_t *marks = arena_array(e->arena, ((size_t)(to - from) >> 6) + 1, sizeof *marks);
    if (!marks)
        return eval_nomem(e, err);
    int rc = index_find_named(ix, e, &named, &named_count, err);
    if (rc < 0)
        return rc;
    marked = mark(marks, from, *list, *count, *count);
    size_t room = marked < QUOTE_EXPLAINED_MAX ? QUOTE_EXPLAINED_MAX - marked : 0;
    size_t more = mark(marks, from, named, named_count, room);
    marked += more;
    for (uint32_t i = 0; i < to - from && more < room; i++) {
        bool is_new = mark_one(marks, i);
        more += is_new;
        marked += is_new;
    }
    out = arena_alloc(e->arena, marked * sizeof *out);
    if (!out)
        return eval_nomem(e, err);
    for (uint32_t i = 0; i < to - from; i++)
        if (marks[i >> 6] >> (i & 63) & 1)
            out[n++] = from + i;
    *list = out;
    *count = n;
    return 0;
}

/* Those that do not apply, whatever the cart has. */
static void mark_out(struct quote_eval *e)
{
    stopped_mark(e);
    share_mark(e);
}

static int activate(struct quote_eval *e, const struct index *ix, uint32_t from, uint32_t to, struct err *err)
{
    uint32_t *list;
    size_t count;
    if (from == to)
        return 0;
    if (e->cart->explain_all && to - from <= QUOTE_EXPLAINED_MAX) {
        int rc = everybody(e, from, to, err);
        if (rc == 0)
            mark_out(e);
        return rc;
    }
    int rc = index_find(ix, e, eval_still_costs(e, eval_every(e)), &list, &count, err);
    if (rc == 0 && e->cart->explain_all)
        rc = nearest(e, ix, from, to, &list, &count, err);
    if (rc == 0)
        rc = add_asked(e, from, to, &list, &count, err);
    if (rc == 0)
        rc = grow(e, list, count, err);
    if (rc == 0)
        mark_out(e);
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
