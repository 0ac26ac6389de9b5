/* Campaigns of the stage price: before anything is taken off, they change what one unit costs, and what it cost stays beside it. While they
 * run, each line stands for one unit. Lines with a price of their own are left alone: it is nobody else's. */
#include "quote/run_int.h"

struct priced { /* what the line was */
    int64_t qty, floor;
};

static void one_unit(struct quote_eval *e, struct priced *was)
{
    size_t count = 0;
    for (size_t i = 0; i < e->cart->line_count; i++) {
        struct quote_line *l = &e->cart->lines[i];
        was[i] = (struct priced){ l->qty, e->floors ? e->floors[i] : 0 };
        if (e->floors)
            e->floors[i] = e->floors[i] == INT64_MAX ? INT64_MAX : e->floors[i] / l->qty; /* it was a price times the quantity */
        l->qty = 1;
        l->subtotal_minor = e->remaining[i] = l->unit_price_minor;
    }
    for (size_t i = 0; i < e->every_count; i++)
        if (!e->cart->lines[e->every[i]].own_price)
            e->target_lines[count++] = e->every[i];
    memcpy(e->every, e->target_lines, count * sizeof *e->every);
    e->every_count = count;
}

/* What a campaign took off one unit, it took off each. */
static int all_units(struct quote_eval *e, size_t i, const struct priced *was, struct quote_result *out, struct err *err)
{
    struct quote_line *l = &e->cart->lines[i];
    for (const struct quote_discount *d = l->discounts; d; d = d->next)
        slot_of(e, d->campaign)->amount_minor += d->amount_minor * (was->qty - 1); /* at most what the line cost */
    int64_t before = l->compare_at_minor > l->unit_price_minor ? l->compare_at_minor : l->unit_price_minor;
    bool changed = e->remaining[i] < l->unit_price_minor;
    l->unit_price_minor = e->remaining[i];
    l->qty = was->qty;
    int64_t shown = changed ? before : l->compare_at_minor;
    int rc = line_begin(l, i, err);
    l->compare_at_minor = shown;
    e->marks[i].price_minor = l->unit_price_minor;
    e->marks[i].compare_at_minor = shown;
    e->remaining[i] = l->subtotal_minor;
    e->tails[i] = &l->discounts;
    e->settled[i] = 0; /* what stops there stops prices, not discounts */
    if (e->floors)
        e->floors[i] = was->floor;
    if (!l->closed)
        out->subtotal_minor += l->subtotal_minor; /* less than it was */
    else
        e->remaining[i] = l->subtotal_minor = l->total_minor = 0;
    return rc;
}

int price_stage(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    size_t to = e->active_gates, n = e->cart->line_count, every_count = e->every_count;
    while (to < e->active_count && e->rules->campaigns[e->active[to]].stage == STAGE_PRICE)
        to++;
    e->active_priced = to;
    if (to == e->active_gates)
        return 0;
    struct priced *was = arena_array(e->arena, n, sizeof *was);
    uint32_t *every = arena_array(e->arena, n, sizeof *every);
    if (!was || !every)
        return eval_nomem(e, err);
    memcpy(every, e->every, every_count * sizeof *every);
    one_unit(e, was);
    e->price_stage = true;
    int rc = price_turns(e, e->active_gates, to, err);
    e->price_stage = false;
    memcpy(e->every, every, every_count * sizeof *every);
    e->every_count = every_count;
    e->settled_all = 0;
    e->any_settled = false;
    out->subtotal_minor = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = all_units(e, i, &was[i], out, err);
    return rc;
}
