/* What is within reach: campaigns that would hold if one threshold saw a little more, and the next step of those that get better by steps.
 * Asked before each turn, when the cart costs what that turn will see; takes nothing off, calls no function, decides nothing. */
#include "quote/run_int.h"
#include <stdlib.h>

struct miss {                          /* the one threshold that is not reached */
    const struct condition *condition; /* NULL: a step of an action */
    bool found, money;
    int64_t needed, seen;
};

/* --- conditions ---------------------------------------------------------------------------------------------------------- */

static bool is_group(const struct condition *c)
{
    return c->kind == WHEN_ALL || c->kind == WHEN_ANY || c->kind == WHEN_NONE;
}

/* Who buys more could break it: it holds up to a bound, or forbids what a threshold says. */
static bool may_break(const struct condition *c, bool forbidden)
{
    bool threshold = c->kind == WHEN_SUBTOTAL || c->kind == WHEN_QTY, breaks = threshold && (forbidden || c->bounds.at_most != INT64_MAX);
    for (uint32_t i = 0; is_group(c) && i < c->child_count && !breaks; i++)
        breaks = may_break(&c->children[i], forbidden || c->kind == WHEN_NONE);
    return breaks || (c->kind == WHEN_IN_CART && forbidden);
}

static bool step_missed(struct miss *m, const struct condition *c, bool money, int64_t needed, int64_t seen)
{
    if (m->found)
        return false; /* two at once are not within reach */
    *m = (struct miss){ c, true, money, needed, seen };
    return true;
}

/* It holds, or would but for the one threshold. */
static bool holds_nearly(struct quote_eval *e, const struct condition *c, struct miss *m)
{
    bool holds = false, money = c->kind == WHEN_SUBTOTAL;
    if (money || c->kind == WHEN_QTY) {
        struct quote_set set = e->scope;
        if (c->bounds.of)
            set = eval_select(e, c->bounds.of, eval_every(e), e->target_lines);
        int64_t seen = money ? eval_threshold(e, set) : quote_eval_qty(e, set);
        return seen >= c->bounds.at_least || step_missed(m, c, money, c->bounds.at_least, seen);
    }
    for (uint32_t i = 0; c->kind == WHEN_ALL && i < c->child_count; i++)
        if (!holds_nearly(e, &c->children[i], m))
            return false;
    return c->kind == WHEN_ALL || (condition_holds(e, c, &holds, NULL) == 0 && holds);
}

/* --- steps of actions ------------------------------------------------------------------------------------------------------ */

static int64_t units_that_cost(const struct quote_eval *e, struct quote_set set)
{
    int64_t units = 0;
    for (size_t i = 0; i < set.count; i++)
        if (e->remaining[set.lines[i]] > 0)
            units += e->cart->lines[set.lines[i]].qty;
    return units;
}

/* The next multiple of `size` above seen; false when max of them are there already. */
static bool next_set(int64_t size, int64_t max, int64_t seen, int64_t *needed)
{
    *needed = (seen / size + 1) * size;
    return max == 0 || seen / size < max;
}

struct step {
    bool is_reached; /* it gives something already */
    bool has_next, money;
    int64_t needed, seen;
    const struct action *gives;
};

static struct step step_of_tiers(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    struct step s = { .money = a->tiered.by_amount };
    uint32_t i = 0;
    s.seen = s.money ? eval_threshold(e, set) : quote_eval_qty(e, set);
    while (i < a->tiered.count && a->tiered.steps[i].at <= s.seen)
        i++;
    s.is_reached = i > 0;
    s.has_next = i < a->tiered.count;
    if (s.has_next) {
        s.needed = a->tiered.steps[i].at;
        s.gives = a->tiered.steps[i].give;
    }
    return s;
}

static struct step step_of_gift(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    struct quote_extra x;
    bool there = extra_peek(e, a->gift.sku, &x) || (a->gift.substitute && extra_peek(e, a->gift.substitute, &x));
    struct step s = { .is_reached = there, .money = a->gift.every_minor > 0, .gives = a };
    int64_t size = s.money ? a->gift.every_minor : a->gift.every_qty;
    if (size == 0)
        return s;
    s.seen = s.money ? eval_threshold(e, set) : quote_eval_qty(e, set);
    s.is_reached = there && s.seen >= size;
    s.has_next = there && set.count > 0 && next_set(size, a->gift.max_sets, s.seen, &s.needed);
    return s;
}

enum { ADD_ONS_NAMED = 20 }; /* of the SKUs of one action */

static bool is_cheaper(const struct quote_eval *e, const struct action *a, symbol sku, struct quote_extra *x)
{
    return extra_peek(e, sku, x) && x->product.price_minor > a->add_on.price_minor;
}

static bool any_add_on(const struct quote_eval *e, const struct action *a)
{
    struct quote_extra x;
    for (uint32_t i = 0; i < a->add_on.skus.count && i < ADD_ONS_NAMED; i++)
        if (is_cheaper(e, a, a->add_on.skus.items[i], &x))
            return true;
    return false;
}

static struct step step_of(struct quote_eval *e, const struct action *a)
{
    struct quote_set set = eval_target(e, a);
    struct step s = { .is_reached = set.count > 0, .gives = a };
    if (a->type == &tiered_type)
        return step_of_tiers(e, a, set);
    if (a->type == &gift_type)
        return step_of_gift(e, a, set);
    if (a->type == &add_on_price_type)
        s.is_reached = any_add_on(e, a);
    if (a->type == &buy_get_type || a->type == &n_for_type) {
        bool sets = a->type == &n_for_type;
        int64_t size = sets ? a->set.size : a->units.buy + a->units.get;
        s.seen = units_that_cost(e, set);
        s.is_reached = s.seen >= size;
        s.has_next = set.count > 0 && !e->campaign->policies->units_once &&
                     next_set(size, sets ? a->set.max_sets : a->units.max_sets, s.seen, &s.needed);
    } else if (a->type == &amount_off_type && a->amount.every_minor > 0) {
        int64_t most = a->amount.cap_minor / a->amount.amount_minor + (a->amount.cap_minor % a->amount.amount_minor > 0);
        s.money = true;
        s.seen = eval_threshold(e, set);
        s.is_reached = s.seen >= a->amount.every_minor;
        s.has_next = set.count > 0 && next_set(a->amount.every_minor, most, s.seen, &s.needed);
    } else if (a->type == &nth_unit_type || a->type == &bundle_type) {
        s.is_reached = false; /* which units are missing is not said */
    }
    return s;
}

static bool is_within(const struct quote_eval *e, const struct miss *m)
{
    int64_t more = m->needed - m->seen, reach = 0;
    money_rate(m->needed, e->rules->policies.offers_within_ppm, ROUND_FLOOR, &reach);
    if (!m->money && reach < 1)
        reach = 1;
    return more > 0 && more <= reach;
}

/* --- asking ---------------------------------------------------------------------------------------------------------------- */

static bool is_out(const struct quote_eval *e, uint32_t number)
{
    const struct quote_campaign *c = &e->rules->campaigns[number];
    const struct quote_outcome *slot = slot_of(e, number);
    if (quote_campaign_calls(e->rules, number) || quote_standing_of(e->cart, c->owner) != QUOTE_WORKS)
        return true;
    for (size_t i = 0; i < e->cart->stopped_count; i++)
        if (slice_eq(e->cart->stopped[i], c->id))
            return true;
    return slot && slot->reason &&
           (strcmp(slot->reason, "lost") == 0 || strcmp(slot->reason, "stopped") == 0 || strcmp(slot->reason, "not_in_share") == 0);
}

static int keep(struct quote_eval *e, const struct quote_near *one, struct err *err)
{
    struct near_run *n = e->near;
    if (n->count == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 16;
        struct quote_near *list = arena_array(e->arena, cap, sizeof *list);
        if (!list)
            return eval_nomem(e, err);
        if (n->count)
            memcpy(list, n->list, n->count * sizeof *list);
        n->list = list;
        n->cap = cap;
    }
    n->list[n->count++] = *one;
    return 0;
}

/* What of an action may be added now. */
static int offer_add_on(struct quote_eval *e, uint32_t number, const struct action *a, struct err *err)
{
    int64_t due = add_on_left(e, a);
    int rc = 0;
    for (uint32_t i = 0; due > 0 && i < a->add_on.skus.count && i < ADD_ONS_NAMED && rc == 0; i++) {
        struct quote_extra x;
        if (!is_cheaper(e, a, a->add_on.skus.items[i], &x))
            continue;
        struct quote_near one = { .campaign = number, .needed = 1, .seen = 1, .gives = a };
        one.sku = x.product.sku;
        one.title = x.product.title;
        one.price_minor = a->add_on.price_minor;
        one.max_units = due;
        rc = keep(e, &one, err);
    }
    return rc;
}

static int offer_add_ons(struct quote_eval *e, uint32_t number, struct err *err)
{
    const struct quote_campaign *c = e->campaign;
    int rc = 0;
    for (uint32_t i = 0; i < c->give_count && rc == 0; i++)
        if (c->give[i].type == &add_on_price_type && !limits_used_up(e))
            rc = offer_add_on(e, number, &c->give[i], err);
    return rc;
}

/* All that it asks for holds but one threshold, and its actions find what they need. */
static bool nearly(struct quote_eval *e, struct miss *m, const struct action **gives, bool *holds)
{
    const struct quote_campaign *c = e->campaign;
    bool any = false;
    for (uint32_t i = 0; i < c->when_count; i++)
        if (!holds_nearly(e, &c->when[i], m))
            return false;
    *holds = !m->found;
    *gives = &c->give[0];
    for (uint32_t i = 0; i < c->give_count; i++) {
        struct step s = step_of(e, &c->give[i]);
        if (!any && m->condition && s.is_reached)
            *gives = &c->give[i];
        any = any || s.is_reached;
        if (m->found || !s.has_next)
            continue;
        *m = (struct miss){ NULL, true, s.money, s.needed, s.seen };
        *gives = s.gives;
    }
    return m->found && (any || !m->condition);
}

static int ask(struct quote_eval *e, uint32_t number, struct err *err)
{
    struct miss m = { 0 };
    const struct action *gives;
    if (is_out(e, number))
        return 0;
    campaign_begin(e, number);
    const struct quote_campaign *c = e->campaign;
    if (!campaign_stands(e) || (e->any_settled && settle_filter(e, e->scope, e->target_lines).count < e->scope.count))
        return 0;
    bool holds = false, near = nearly(e, &m, &gives, &holds);
    if (holds && !e->broken) {
        int rc = offer_add_ons(e, number, err);
        if (rc < 0)
            return rc;
    }
    if (!near || !is_within(e, &m))
        return e->broken;
    for (uint32_t i = 0; i < c->when_count; i++)
        if (&c->when[i] != m.condition && may_break(&c->when[i], false))
            return 0;
    struct quote_near one = { .campaign = number, .money = m.money, .needed = m.needed, .seen = m.seen, .gives = gives };
    return limits_used_up(e) ? e->broken : keep(e, &one, err);
}

int near_begin(struct quote_eval *e, const uint32_t *list, size_t count, struct err *err)
{
    e->near = arena_zalloc(e->arena, sizeof *e->near);
    if (!e->near)
        return eval_nomem(e, err);
    e->near->further = list;
    e->near->further_count = count;
    return 0;
}

int near_turn(struct quote_eval *e, uint32_t number, struct err *err)
{
    struct near_run *n = e->near;
    int rc = 0;
    if (!n)
        return 0;
    while (n->at < n->further_count && n->further[n->at] < number && rc == 0)
        rc = slot_of(e, n->further[n->at]) ? 0 : ask(e, n->further[n->at], err), n->at++;
    return rc == 0 && number != UINT32_MAX ? ask(e, number, err) : rc;
}

/* The nearest first: by the part of what is needed that is missing, compared as fractions; then in the order of application. */
static int nearest(const void *a, const void *b)
{
    const struct quote_near *x = a, *y = b;
    __int128 left = (__int128)(x->needed - x->seen) * y->needed, right = (__int128)(y->needed - y->seen) * x->needed;
    if (left != right)
        return left < right ? -1 : 1;
    return (x->campaign > y->campaign) - (x->campaign < y->campaign);
}

void near_finish(struct quote_eval *e, struct quote_result *out)
{
    if (!e->near)
        return;
    if (e->near->count)
        qsort(e->near->list, e->near->count, sizeof *e->near->list, nearest);
    out->near = e->near->list;
    out->near_count = e->near->count < QUOTE_NEAR_MAX ? e->near->count : QUOTE_NEAR_MAX;
}

/* --- what is said ------------------------------------------------------------------------------------------------------------ */

static void gives_write(const struct quote_rules *r, const struct action *a, struct json_writer *w)
{
    const struct {
        const char *key;
        const struct action_type *type;
        int64_t value;
    } said[] = {
        { "rate_ppm", &percent_off_type, a->percent.rate_ppm },
        { "amount", &amount_off_type, a->amount.amount_minor },
        { "units", &buy_get_type, a->units.get },
        { "rate_ppm", &buy_get_type, a->units.rate_ppm },
        { "price", &n_for_type, a->set.price_minor },
        { "price", &fixed_price_type, a->fixed.price_minor },
        { "qty", &gift_type, a->gift.qty },
        { "price", &add_on_price_type, a->add_on.price_minor },
    };
    json_key(w, "gives");
    json_object(w);
    json_key(w, "action");
    json_str(w, a->type->key);
    if (acts_apart(a)) {
        json_key(w, "sku");
        json_string(w, symbols_name(r->symbols, a->type == &gift_type ? a->gift.sku : a->add_on.skus.items[0]));
    }
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (said[i].type == a->type) {
            json_key(w, said[i].key);
            json_int(w, said[i].value);
        }
    json_object_end(w);
}

static void near_write(const struct quote_rules *r, const struct quote_near *n, const struct quote_voice *voice, struct json_writer *w)
{
    const char *code = n->sku ? "add_on" : n->money ? "subtotal_more" : "qty_more";
    struct quote_param max_units = { NULL, "max_units", QUOTE_PARAM_INT, n->max_units, { "", 0 } };
    struct quote_param price = { &max_units, "price", QUOTE_PARAM_MONEY, n->price_minor, { "", 0 } };
    struct quote_param name = { &price, "name", QUOTE_PARAM_TEXT, 0, n->title };
    struct quote_param sku = { &name, "sku", QUOTE_PARAM_TEXT, 0, n->sku ? symbols_name(r->symbols, n->sku) : slice_str("") };
    struct quote_param seen = { NULL, "seen", n->money ? QUOTE_PARAM_MONEY : QUOTE_PARAM_INT, n->seen, { "", 0 } };
    struct quote_param needed = { &seen, "needed", seen.kind, n->needed, { "", 0 } };
    struct quote_param more = { &needed, "more", seen.kind, n->needed - n->seen, { "", 0 } };
    const struct quote_param *params = n->sku ? &sku : &more;
    struct buf text;
    json_object(w);
    json_key(w, "campaign");
    json_raw(w, r->campaigns[n->campaign].id_json);
    json_key(w, "title");
    json_raw(w, r->campaigns[n->campaign].title_json);
    json_key(w, "code");
    json_str(w, code);
    for (const struct quote_param *p = params; p; p = p->next) {
        json_key(w, p->name);
        if (p->kind == QUOTE_PARAM_TEXT)
            json_string(w, p->text);
        else
            json_int(w, p->number);
    }
    gives_write(r, n->gives, w);
    buf_init(&text, w->out->alloc);
    if (voice->words && quote_offer_say(voice, code, params, &text)) {
        json_key(w, "text");
        json_string(w, buf_slice(&text));
    }
    w->out->failed = w->out->failed || text.failed;
    buf_release(&text);
    json_object_end(w);
}

void near_all_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w)
{
    json_key(w, "offers");
    json_array(w);
    for (size_t i = 0; i < q->near_count; i++)
        near_write(r, &q->near[i], voice, w);
    json_array_end(w);
}
