/* Policy lanes = best_per_line: all campaigns of a lane look at the cart as the lane found it, and of each line only the one that takes
 * most off it does; of equals the earlier one. */
#include "quote/run_int.h"

enum { NOBODY = UINT32_MAX };

struct bid { /* what one campaign would do */
    struct effect *effects;
    uint32_t codes_taken;
    bool holds;
};

struct auction {
    struct quote_eval *e;
    struct bid *bids;
    int64_t *best;    /* per line */
    uint32_t *winner; /* per line: the campaign */
    int64_t *sums;    /* scratch */
};

static void bid_keep(struct auction *l, struct bid *b, uint32_t number)
{
    struct quote_eval *e = l->e;
    b->effects = e->effects;
    b->codes_taken = e->codes_taken;
    for (const struct effect *f = b->effects; f; f = f->before)
        if (on_line(f))
            l->sums[f->line] += f->discount.amount_minor;
    for (const struct effect *f = b->effects; f; f = f->before) {
        if (!on_line(f))
            continue;
        if (l->sums[f->line] > l->best[f->line]) {
            l->best[f->line] = l->sums[f->line];
            l->winner[f->line] = number;
        }
        l->sums[f->line] = 0;
    }
    eval_undo(e, NULL);
}

static int bids_collect(struct auction *l, size_t from, size_t to, struct err *err)
{
    struct quote_eval *e = l->e;
    for (size_t i = from; i < to; i++) {
        struct bid *b = &l->bids[i - from];
        if (e->slots[i].reason)
            continue;
        campaign_begin(e, e->active[i]);
        int rc = campaign_try(e, &b->holds, err);
        if (rc == 0 && b->holds && !e->effects) {
            rc = why_keep(e, &e->slots[i], err);
            b->holds = false;
        }
        if (rc < 0)
            return rc;
        if (b->holds)
            bid_keep(l, b, e->active[i]);
    }
    return 0;
}

/* What it won, taken off again; the rest of its effects is forgotten. */
static uint32_t bid_apply(struct auction *l, const struct bid *b, uint32_t number)
{
    struct quote_eval *e = l->e;
    struct effect *first = NULL, *kept = NULL;
    uint32_t lost_to = NOBODY;
    for (struct effect *f = b->effects, *before; f; f = before) { /* turned round: the first first */
        before = f->before;
        f->before = first;
        first = f;
    }
    for (struct effect *f = first, *next; f; f = next) {
        next = f->before;
        if (on_line(f) && l->winner[f->line] != number) {
            lost_to = l->winner[f->line];
            continue;
        }
        if (f->gift && !gift_take(e, f->gift))
            continue; /* another one of the lane had the last */
        f->before = kept;
        kept = f;
        if (on_line(f))
            e->remaining[f->line] -= f->discount.amount_minor;
    }
    e->effects = kept;
    return lost_to;
}

int lane_run(struct quote_eval *e, size_t from, size_t to, struct err *err)
{
    size_t n = e->cart->line_count;
    struct auction l = { e, arena_array(e->arena, to - from, sizeof *l.bids), arena_array(e->arena, n, sizeof *l.best),
                         arena_array(e->arena, n, sizeof *l.winner), arena_array(e->arena, n, sizeof *l.sums) };
    if (!l.bids || !l.best || !l.winner || !l.sums)
        return eval_nomem(e, err);
    for (size_t i = 0; i < n; i++)
        l.winner[i] = NOBODY;
    int rc = bids_collect(&l, from, to, err);
    for (size_t i = from; i < to && rc == 0; i++) {
        const struct bid *b = &l.bids[i - from];
        if (!b->holds)
            continue;
        campaign_begin(e, e->active[i]);
        e->codes_taken = b->codes_taken;
        uint32_t lost_to = bid_apply(&l, b, e->active[i]);
        if (!e->effects && lost_to != NOBODY) {
            why_set(e, "lost");
            why_text(e, "to", e->rules->campaigns[lost_to].id);
            why_text(e, "by", slice_str("lane"));
        }
        rc = effects_merge(e, err);
    }
    return rc;
}
