#include "quote/units.h"
#include "quote/heap.h"

static __int128 times_other(const struct quote_eval *e, uint32_t of, uint32_t other)
{
    return (__int128)e->remaining[of] * e->cart->lines[other].qty;
}

bool unit_cheaper(const struct quote_eval *e, uint32_t a, uint32_t b)
{
    __int128 left = times_other(e, a, b), right = times_other(e, b, a);
    return left != right ? left < right : a < b;
}

bool unit_dearer(const struct quote_eval *e, uint32_t a, uint32_t b)
{
    __int128 left = times_other(e, a, b), right = times_other(e, b, a);
    return left != right ? left > right : a < b;
}

struct order {
    const struct quote_eval *e;
    bool (*before)(const struct quote_eval *, uint32_t, uint32_t);
};

static bool comes_after(const void *order, uint32_t a, uint32_t b)
{
    const struct order *o = order;
    return o->before(o->e, b, a);
}

void units_sort(const struct quote_eval *e, uint32_t *lines, size_t count, bool (*before)(const struct quote_eval *, uint32_t, uint32_t))
{
    heap_sort(lines, count, comes_after, &(struct order){ e, before });
}

uint32_t *units_sorted(struct quote_eval *e, struct quote_set set, bool (*before)(const struct quote_eval *, uint32_t, uint32_t),
                       size_t *count, int64_t *units)
{
    uint32_t *list = e->scratch.order;
    *count = 0;
    *units = 0;
    for (size_t i = 0; i < set.count; i++) {
        if (e->remaining[set.lines[i]] == 0) /* what costs nothing is neither bought nor rewarded */
            continue;
        list[(*count)++] = set.lines[i];
        *units += e->cart->lines[set.lines[i]].qty;
    }
    units_sort(e, list, *count, before);
    return list;
}

static int64_t cost_below(const struct quote_eval *e, uint32_t line, int64_t units)
{
    int64_t cost = 0; /* at most what the line costs */
    money_ratio(e->remaining[line], units, e->cart->lines[line].qty, ROUND_HALF_AWAY, &cost);
    return cost;
}

int64_t units_cost(const struct quote_eval *e, uint32_t line, int64_t from, int64_t to)
{
    return cost_below(e, line, to) - cost_below(e, line, from);
}

int64_t units_share(const struct quote_eval *e, uint32_t line, int64_t units, int64_t rate_ppm)
{
    int64_t off = 0; /* at most what the line costs, so it fits */
    money_ratio(e->remaining[line], units * rate_ppm, e->cart->lines[line].qty * RATE_ONE_PPM, e->campaign->policies->rounding, &off);
    return off;
}

int haul_begin(struct quote_eval *e, struct haul *h, struct err *err)
{
    size_t n = e->cart->line_count;
    int64_t *p = arena_array(e->arena, n, 3 * sizeof *p);
    *h = (struct haul){ e, p, p ? p + n : NULL, p ? p + 2 * n : NULL };
    return p ? 0 : eval_nomem(e, err);
}

int haul_take(struct haul *h, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < h->e->cart->line_count && rc == 0; i++)
        if (h->off[i])
            rc = eval_take(h->e, i, h->off[i], h->units[i], slice_str(""), err);
    return rc;
}

int haul_set_price(struct haul *h, const struct part *parts, size_t count, int64_t times, int64_t price_minor, struct err *err)
{
    struct quote_eval *e = h->e;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        int64_t *used = &h->used[parts[i].line], units = parts[i].units * times;
        e->weights[i] = units_cost(e, parts[i].line, *used, *used + units);
        sum += e->weights[i]; /* at most what the cart costs */
        *used += units;
    }
    int64_t price;
    if (!money_mul(price_minor, times, &price) || sum <= price) /* never raises a price */
        return 0;
    int rc = allocate(&e->scratch, sum - price, e->weights, count, e->shares, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        h->off[parts[i].line] += e->shares[i];
        h->units[parts[i].line] += parts[i].units * times;
    }
    return rc;
}
