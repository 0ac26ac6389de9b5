/* Buy so many, get so many: whole sets of units, the cheapest units of all rewarded. Works on units without making them:
 * a heap of lines gives the cheapest line, and takes as many of its units as are still due. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "buy", "get", "percent", "max_sets", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node buy = spec_member(n, "buy"), get = spec_member(n, "get");
    struct spec_node percent = spec_member(n, "percent"), max_sets = spec_member(n, "max_sets");
    out->units.rate_ppm = RATE_ONE_PPM;
    if ((rc = spec_int(s, &buy, 1, QUOTE_QTY_MAX, &out->units.buy)) < 0 || (rc = spec_int(s, &get, 1, QUOTE_QTY_MAX, &out->units.get)) < 0)
        return rc;
    if (percent.v && (rc = spec_percent(s, &percent, &out->units.rate_ppm)) < 0)
        return rc;
    if (max_sets.v && (rc = spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->units.max_sets)) < 0)
        return rc;
    return action_on(s, n, out);
}

/* By what one unit still costs (compared exactly, as fractions); of equals the earlier line. */
static bool cheaper(const void *run, uint32_t a, uint32_t b)
{
    const struct quote_eval *e = run;
    __int128 left = (__int128)e->remaining[a] * e->cart->lines[b].qty, right = (__int128)e->remaining[b] * e->cart->lines[a].qty;
    return left != right ? left < right : a < b;
}

static int reward(struct quote_eval *e, uint32_t line, int64_t units, int64_t rate_ppm, struct err *err)
{
    int64_t off = 0; /* at most what the line still costs, so it fits */
    money_ratio(e->remaining[line], units * rate_ppm, e->cart->lines[line].qty * RATE_ONE_PPM, e->campaign->policies->rounding, &off);
    return eval_take(e, line, off, units, slice_str(""), err);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct quote_set set = eval_target(e, a);
    uint32_t *heap = e->scratch.order;
    size_t count = 0;
    int64_t seen = 0;
    for (size_t i = 0; i < set.count; i++) {
        uint32_t line = set.lines[i];
        if (e->remaining[line] == 0) /* what costs nothing is neither bought nor rewarded */
            continue;
        heap[count++] = line;
        seen += e->cart->lines[line].qty;
    }
    int64_t set_size = a->units.buy + a->units.get, sets = seen / set_size;
    if (sets == 0) {
        why_set(e, "qty_below");
        why_int(e, "needed", set_size);
        why_int(e, "seen", seen);
        return 0;
    }
    if (a->units.max_sets > 0 && sets > a->units.max_sets)
        sets = a->units.max_sets;
    heap_make(heap, count, cheaper, e);
    for (int64_t due = sets * a->units.get; due > 0;) {
        uint32_t line = heap_take(heap, &count, cheaper, e); /* before its price changes under the heap */
        int64_t qty = e->cart->lines[line].qty, units = qty < due ? qty : due;
        due -= units;
        int rc = reward(e, line, units, a->units.rate_ppm, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

const struct action_type buy_get_type = { "buy_get", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
