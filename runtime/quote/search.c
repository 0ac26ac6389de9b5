/* The set of campaigns that costs the customer least: branch and bound over the campaigns of one component, in their order of
 * application. So what those before have done is known to the unit at every step, and only what is still to come has to be bounded.
 *
 * Of equal costs the one with fewer campaigns that take something off wins, then the one that gives more besides (gifts), then the one
 * whose ids come first. When the work is used up the best so far stands, and is not called proven. */
#include "quote/choose_int.h"
#include <stdlib.h>

struct score {
    int64_t cost; /* what the lines and shipping come to, before tax that is added */
    uint32_t taking, giving;
};

struct search {
    struct choice *ch;
    struct quote_eval *e;
    const uint32_t *list; /* candidates of the component */
    size_t count;
    uint8_t *now, *best; /* standing, by place in the list */
    struct effect **effects;
    int64_t *group_most; /* scratch of the bound, by place */
    uint32_t *by_id;     /* places in the order of their ids: for ties */
    struct score so_far, best_score;
    bool found;
};

static const struct candidate *at(const struct search *s, size_t place)
{
    return &s->ch->list[s->list[place]];
}

static const struct quote_campaign *campaign_at(const struct search *s, size_t place)
{
    return &s->e->rules->campaigns[at(s, place)->number];
}

/* --- what a leaf is worth --------------------------------------------------------------------------------------------------- */

static bool earlier_ids(const struct search *s)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t place = s->by_id[i];
        if ((s->now[place] == IN) != (s->best[place] == IN))
            return s->now[place] == IN;
    }
    return false;
}

static bool better(const struct search *s, const struct score *a)
{
    const struct score *b = &s->best_score;
    if (!s->found || a->cost != b->cost)
        return !s->found || a->cost < b->cost;
    if (a->taking != b->taking)
        return a->taking < b->taking;
    return a->giving != b->giving ? a->giving > b->giving : earlier_ids(s);
}

/* --- the bound ---------------------------------------------------------------------------------------------------------------- */

static int64_t most_of(struct search *s, size_t place)
{
    struct quote_eval *e = s->e;
    const struct candidate *c = at(s, place);
    const struct quote_campaign *campaign = campaign_at(s, place);
    int64_t sum = 0;
    e->campaign = campaign;
    for (uint32_t i = 0; i < campaign->give_count; i++) {
        const struct action *a = &campaign->give[i];
        struct quote_set set = { c->of[i].lines, c->of[i].count };
        sum += a->type->most ? a->type->most(e, a, set) : eval_still_costs(e, set);
    }
    return sum;
}

static bool permitted(const struct search *s, size_t place)
{
    for (size_t i = 0; i < place; i++)
        if (s->now[i] == IN && excludes(campaign_at(s, i), campaign_at(s, place)))
            return false;
    return true;
}

/* Of a group at most one applies, so it counts with the most that one of it can take. */
static int64_t most_to_come(struct search *s, size_t from)
{
    int64_t sum = 0;
    for (size_t i = from; i < s->count; i++) {
        s->ch->work += at(s, i)->work;
        s->group_most[i] = 0;
        if (!permitted(s, i))
            continue;
        int64_t most = most_of(s, i), more = most;
        symbol group = campaign_at(s, i)->group;
        size_t first = from;
        while (group && first < i && campaign_at(s, first)->group != group)
            first++;
        if (group && first < i)
            more = most > s->group_most[first] ? most - s->group_most[first] : 0;
        s->group_most[group ? first : i] += more;
        if (__builtin_add_overflow(sum, more, &sum))
            return INT64_MAX;
    }
    return sum;
}

static bool hopeless(struct search *s, size_t from)
{
    if (!s->found)
        return false;
    int64_t cost = eval_still_costs(s->e, eval_sale(s->e)), most = most_to_come(s, from);
    int64_t least = most >= cost ? 0 : cost - most; /* shipping costs nothing or more */
    if (s->e->shipping_stage)
        least = cost;
    return least > s->best_score.cost || (least == s->best_score.cost && s->so_far.taking > s->best_score.taking);
}

/* --- the way down --------------------------------------------------------------------------------------------------------------- */

static int descend(struct search *s, size_t place, struct err *err);

static int leaf(struct search *s, struct err *err)
{
    (void)err;
    struct score score = s->so_far;
    score.cost = eval_still_costs(s->e, eval_sale(s->e)) + s->e->shipping_remaining;
    if (better(s, &score)) {
        s->found = true;
        s->best_score = score;
        memcpy(s->best, s->now, s->count);
    }
    return 0;
}

/* Effects stand the last first. Gives what the campaign has taken off so far, for its budget. */
static int64_t grant(struct quote_eval *e, const struct effect *f)
{
    if (!f)
        return 0;
    int64_t taken = grant(e, f->before), amount = f->discount.amount_minor;
    if (f->line == EFFECT_SHIPPING) {
        amount = shipping_part_of(f->ship, e->shipping_remaining, e->rules->policies.rounding);
        amount = limits_shipping(e, f->discount.campaign, taken, amount);
        e->shipping_remaining -= amount;
    }
    return taken + amount;
}

/* Lines are settled: what does shipping cost? A set with which the chosen option is not offered is none. */
static int settle(struct search *s, size_t place, struct err *err)
{
    struct quote_eval *e = s->e;
    struct quote_result ignored = { .cart = e->cart };
    struct turn_mark mark = turn_mark(e);
    struct err own = { 0 };
    const struct quote_campaign *campaign = e->campaign;
    e->campaign = NULL; /* shipping rules are no campaign's */
    int rc = e->cart->shipping_option.len ? shipping_price(e, &ignored, &own) : 0;
    e->campaign = campaign;
    e->shipping_stage = true;
    for (size_t i = 0; i < place; i++)
        if (s->now[i] == IN)
            grant(e, s->effects[i]);
    s->ch->work += e->rules->shipping_rates.count ? WORK_OF_FUNCTION : 0;
    if (rc == 0)
        rc = descend(s, place, err);
    else if (own.field[0]) /* not offered at this amount; what is wrong with the cart anyway is said when it is priced */
        rc = 0;
    else if (err)
        *err = own;
    e->shipping_stage = e->has_shipping = false;
    e->shipping_minor = e->shipping_remaining = 0;
    turn_forget(e, mark);
    return rc;
}

static int with(struct search *s, size_t place, bool *did, struct err *err)
{
    struct quote_eval *e = s->e;
    struct turn_mark mark = turn_mark(e);
    struct use *uses = e->uses;
    struct score before = s->so_far;
    uint32_t wishes = s->ch->wishes;
    int64_t shipping = e->shipping_remaining;
    int rc = turn_try(s->ch, at(s, place), did, err);
    struct effect *effects = e->effects;
    if (rc == 0 && *did) {
        bool takes = false;
        for (const struct effect *f = effects; f; f = f->before) {
            takes = takes || f->discount.amount_minor > 0 || f->line == EFFECT_SHIPPING;
            s->ch->wishes += !e->shipping_stage && f->line == EFFECT_SHIPPING && f->ship.rate_ppm == RATE_ONE_PPM && !f->ship.cap_minor &&
                             !e->campaign->limits;
        }
        if (e->shipping_stage)
            grant(e, effects);
        s->effects[place] = effects;
        s->so_far.taking += takes;
        s->so_far.giving += !takes;
        s->now[place] = IN;
        rc = descend(s, place + 1, err);
    }
    turn_undo(e, effects);
    eval_unuse(e, uses);
    e->shipping_remaining = shipping;
    s->ch->wishes = wishes;
    s->so_far = before;
    turn_forget(e, mark);
    return rc;
}

static int descend(struct search *s, size_t place, struct err *err)
{
    if (s->ch->work >= SEARCH_WORK_MAX && s->found) {
        s->ch->proven = false;
        return 0;
    }
    bool settled = s->e->shipping_stage;
    if (!settled && (place == s->count || campaign_at(s, place)->stage == STAGE_SHIPPING))
        return settle(s, place, err);
    if (place == s->count)
        return leaf(s, err);
    if (hopeless(s, place))
        return 0;
    bool did = false, may = permitted(s, place);
    int rc = may ? with(s, place, &did, err) : 0;
    if (rc < 0 || (did && at(s, place)->certain))
        return rc;
    /* What wishes for shipping that is free already does nothing, and would still stop what comes after it. */
    bool stops = at(s, place)->ships && campaign_at(s, place)->stop != STOP_NOT;
    s->now[place] = may && !did && !stops ? IDLE : OUT;
    return descend(s, place + 1, err);
}

/* --- one component -------------------------------------------------------------------------------------------------------------- */

static int by_id(const void *a, const void *b, void *search)
{
    const struct search *s = search;
    return slice_cmp(campaign_at(s, *(const uint32_t *)a)->id, campaign_at(s, *(const uint32_t *)b)->id);
}

static int search_begin(struct search *s, uint32_t component, struct err *err)
{
    struct choice *ch = s->ch;
    uint32_t *list = arena_array(ch->e->arena, ch->count, sizeof *list);
    if (!list)
        return eval_nomem(ch->e, err);
    for (uint32_t i = 0; i < ch->count; i++)
        if (ch->list[i].component == component)
            list[s->count++] = i;
    s->list = list;
    s->now = arena_array(ch->e->arena, s->count, 1);
    s->best = arena_array(ch->e->arena, s->count, 1);
    s->effects = arena_array(ch->e->arena, s->count, sizeof *s->effects);
    s->group_most = arena_array(ch->e->arena, s->count, sizeof *s->group_most);
    s->by_id = arena_array(ch->e->arena, s->count, sizeof *s->by_id);
    if (!s->now || !s->best || !s->effects || !s->group_most || !s->by_id)
        return eval_nomem(ch->e, err);
    for (uint32_t i = 0; i < s->count; i++)
        s->by_id[i] = i;
    qsort_r(s->by_id, s->count, sizeof *s->by_id, by_id, s);
    return 0;
}

int search_component(struct choice *ch, uint32_t component, struct err *err)
{
    struct search s = { .ch = ch, .e = ch->e };
    struct turn_mark mark = turn_mark(ch->e);
    int rc = search_begin(&s, component, err);
    if (rc == 0)
        rc = descend(&s, 0, err);
    for (size_t i = 0; rc == 0 && i < s.count; i++)
        ch->standing[s.list[i]] = s.found ? s.best[i] : IN;
    turn_forget(ch->e, mark);
    return rc;
}
