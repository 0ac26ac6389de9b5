/* Which of the campaigns that may apply do. `priority` takes them by priority, then id, each that those before it permit; `best` has
 * search.c find the set that costs least, for each component of the graph of who can touch whose amounts. */
#include "quote/choose_int.h"
#include <stdlib.h>

/* --- a turn that is taken back ------------------------------------------------------------------------------------------------ */

static bool effect_counts(const struct choice *ch, const struct effect *f)
{
    const struct quote_eval *e = ch->e;
    if (f->line != EFFECT_SHIPPING) /* a gift is something, too */
        return true;
    return e->cart->shipping_option.len && !ch->wishes && (!e->shipping_stage || e->shipping_remaining > 0);
}

int turn_try(struct choice *ch, const struct candidate *c, bool *does, struct err *err)
{
    struct quote_eval *e = ch->e;
    bool holds = false;
    *does = false;
    ch->work += c->work;
    campaign_begin(e, c->number);
    int rc = stopped_turn(e, err);
    if (rc == 1)
        return 0;
    if (rc == 0)
        rc = campaign_run(e, &holds, err);
    if (rc < 0 && e->function_failed && !e->campaign->refuse_on_failure) {
        eval_undo(e, NULL); /* it is left out when its turn comes, and said to have failed */
        why_failed(e, rc);
        err_clear(err);
        return 0;
    }
    if (rc < 0 && rc != ERR_NOMEM)
        err_wrap(err, "campaign %.*s", SLICE_FMT(e->campaign->id));
    for (const struct effect *f = e->effects; f && rc == 0; f = f->before)
        *does = *does || effect_counts(ch, f);
    if (rc == 0)
        settle_after(e);
    return rc;
}

void turn_undo(struct quote_eval *e, struct effect *effects)
{
    e->effects = effects;
    settle_undo(e, effects);
    eval_undo(e, NULL);
}

struct turn_mark turn_mark(const struct quote_eval *e)
{
    return (struct turn_mark){ arena_mark(e->arena), e->calls };
}

void turn_forget(struct quote_eval *e, struct turn_mark m)
{
    if (e->calls == m.calls)
        arena_rewind(e->arena, m.memory);
}

/* --- who is asked --------------------------------------------------------------------------------------------------------------- */

/* What others do can change whether it holds. */
static bool moves(const struct quote_campaign *c, const struct condition *when)
{
    if (when->kind == WHEN_FUNCTION || (when->kind == WHEN_SUBTOTAL && c->policies->thresholds == BASE_REMAINING))
        return true;
    bool has_children = when->kind == WHEN_ALL || when->kind == WHEN_ANY || when->kind == WHEN_NONE;
    for (uint32_t i = 0; has_children && i < when->child_count; i++)
        if (moves(c, &when->children[i]))
            return true;
    return false;
}

/* Whether it could hold when its turn comes, as far as is known before anything is taken off: no threshold will ever see more than now.
 * What needs a part that is missing can't, as the index sees it: who is looked at must not change who is a candidate. */
static int could_hold(struct quote_eval *e, const struct quote_campaign *c, const struct condition *when, bool *could, struct err *err)
{
    bool parts = when->kind == WHEN_ALL || when->kind == WHEN_ANY, all = when->kind == WHEN_ALL;
    if (!moves(c, when) || (when->kind == WHEN_SUBTOTAL && when->bounds.at_most == INT64_MAX))
        return condition_holds(e, when, could, err);
    *could = true;
    if (when->kind == WHEN_SUBTOTAL) {
        struct condition least = *when;
        least.bounds.at_most = INT64_MAX;
        int rc = condition_holds(e, &least, could, err);
        return rc < 0 || *could ? rc : condition_holds(e, when, could, err); /* its reason names the real one */
    }
    for (uint32_t i = 0; parts && i < when->child_count; i++) {
        int rc = could_hold(e, c, &when->children[i], could, err);
        if (rc < 0 || *could != all)
            return rc;
    }
    return 0;
}

/* 1: it may apply. 0: it can't, whatever the others do, and has its reason. Its lines are then e->scope. */
static int may_apply(struct quote_eval *e, uint32_t number, struct err *err)
{
    const struct quote_campaign *c = &e->rules->campaigns[number];
    campaign_begin(e, number);
    int rc = stopped_turn(e, err);
    if (rc < 0)
        return rc;
    bool holds = rc == 0 && campaign_stands(e);
    for (uint32_t i = 0; holds && i < c->when_count; i++) {
        rc = could_hold(e, c, &c->when[i], &holds, err);
        if (rc < 0 && !e->function_failed)
            return rc;
        if (rc < 0) { /* a fact that could not be found out: its turn says so */
            err_clear(err);
            break;
        }
    }
    return holds ? 1 : why_keep(e, slot_of(e, number), err);
}

static int reach_find(struct quote_eval *e, struct candidate *c, struct err *err)
{
    const struct quote_campaign *campaign = e->campaign;
    struct reach *of = arena_array(e->arena, campaign->give_count, sizeof *of);
    c->of = of;
    /* What a limit leaves may go to other lines; so may what rounding leaves, where it is not by line. */
    c->steady = campaign->stop == STOP_NOT && !campaign->limits && campaign->policies->round_at == ROUND_AT_LINE;
    c->work = WORK_OF_TURN;
    for (uint32_t i = 0; of && i < campaign->give_count; i++) {
        const struct action *a = &campaign->give[i];
        struct quote_set set = a->type == &tiered_type && a->tiered.wanders ? eval_every(e) : eval_target(e, a);
        uint32_t *lines = arena_alloc(e->arena, set.count * sizeof *lines);
        if (!lines)
            return eval_nomem(e, err);
        memcpy(lines, set.lines, set.count * sizeof *lines);
        bool calls = a->type == &function_type;
        of[i] = (struct reach){ lines, a->stage == STAGE_SHIPPING || acts_apart(a) ? 0 : set.count };
        c->ships = c->ships || a->stage == STAGE_SHIPPING || a->type == &tiered_type || calls;
        c->steady = c->steady && a->type->steady && a->type->steady(a);
        c->work += (int64_t)e->cart->line_count + (calls ? WORK_OF_FUNCTION : 0);
    }
    if (!of)
        return eval_nomem(e, err);
    for (uint32_t i = 0; i < campaign->when_count; i++) {
        c->steady = c->steady && !moves(campaign, &campaign->when[i]);
        c->work += (int64_t)e->cart->line_count;
    }
    return 0;
}

static int candidates_find(struct choice *ch, struct err *err)
{
    struct quote_eval *e = ch->e;
    size_t most = e->active_count - e->active_priced;
    ch->list = arena_array(e->arena, most, sizeof *ch->list);
    ch->standing = arena_array(e->arena, most, 1);
    if (!ch->list || !ch->standing)
        return eval_nomem(e, err);
    for (size_t i = e->active_priced; i < e->active_count; i++) {
        if (e->slots[i].reason) /* stopped */
            continue;
        int rc = may_apply(e, e->active[i], err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        ch->list[ch->count].number = e->active[i];
        if ((rc = reach_find(e, &ch->list[ch->count++], err)) < 0)
            return rc;
    }
    return 0;
}

/* It excludes somebody, or somebody names it. */
static bool is_choosy(const struct quote_campaign *c)
{
    return c->alone || c->group || c->self || c->not_with.count;
}

static const struct quote_campaign *campaign_of(const struct choice *ch, size_t i)
{
    return &ch->e->rules->campaigns[ch->list[i].number];
}

/* --- components ------------------------------------------------------------------------------------------------------------------- */

static uint32_t find(struct choice *ch, uint32_t i)
{
    while (ch->list[i].component != i)
        i = ch->list[i].component = ch->list[ch->list[i].component].component;
    return i;
}

static void join(struct choice *ch, uint32_t a, uint32_t b)
{
    a = find(ch, a);
    b = find(ch, b);
    ch->list[a > b ? a : b].component = a > b ? b : a;
}

enum { NOBODY = UINT32_MAX };

struct lines_of { /* by line, the first candidate that takes from it */
    uint32_t *taker;
};

static void join_takers(struct choice *ch, const struct lines_of *l)
{
    for (uint32_t i = 0; i < ch->count; i++) {
        const struct candidate *c = &ch->list[i];
        for (uint32_t k = 0; k < campaign_of(ch, i)->give_count; k++)
            for (size_t n = 0; n < c->of[k].count; n++) {
                uint32_t *taker = &l->taker[c->of[k].lines[n]];
                if (*taker == NOBODY)
                    *taker = i;
                else
                    join(ch, *taker, i);
            }
    }
}

static void join_reader(struct choice *ch, const struct lines_of *l, uint32_t reader, struct quote_set set)
{
    for (size_t n = 0; n < set.count; n++)
        if (l->taker[set.lines[n]] != NOBODY)
            join(ch, l->taker[set.lines[n]], reader);
}

static void join_condition(struct choice *ch, const struct lines_of *l, uint32_t reader, const struct condition *when)
{
    struct quote_eval *e = ch->e;
    const struct quote_campaign *c = campaign_of(ch, reader);
    if (!moves(c, when))
        return;
    if (when->kind == WHEN_SUBTOTAL) {
        const struct selector *of = when->bounds.of ? when->bounds.of : c->scope;
        join_reader(ch, l, reader, of ? eval_select(e, of, eval_every(e), e->target_lines) : eval_every(e));
    } else {
        for (uint32_t i = 0; when->kind != WHEN_FUNCTION && i < when->child_count; i++)
            join_condition(ch, l, reader, &when->children[i]);
    }
}

/* After it lines are settled; who has none of his own left does not apply, wherever he takes from. */
static bool any_settles(const struct choice *ch)
{
    bool any = false;
    for (uint32_t i = 0; i < ch->count && !any; i++)
        any = campaign_of(ch, i)->stop == STOP_LINES;
    return any;
}

static void join_readers(struct choice *ch, const struct lines_of *l)
{
    bool settles = any_settles(ch);
    for (uint32_t i = 0; i < ch->count; i++) {
        const struct quote_campaign *c = campaign_of(ch, i);
        bool all = false;
        for (uint32_t k = 0; k < c->give_count; k++) {
            const struct action *a = &c->give[k];
            const struct selector *of = a->on ? a->on : c->scope;
            all = all || a->type == &function_type;
            if (a->type->measures && a->type->measures(a))
                join_reader(ch, l, i, of ? eval_select(ch->e, of, eval_every(ch->e), ch->e->target_lines) : eval_every(ch->e));
        }
        for (uint32_t k = 0; k < c->when_count; k++) {
            all = all || condition_calls(&c->when[k]); /* functions look where they like */
            join_condition(ch, l, i, &c->when[k]);
        }
        if (settles)
            join_reader(ch, l, i, c->scope ? eval_select(ch->e, c->scope, eval_every(ch->e), ch->e->target_lines) : eval_every(ch->e));
        if (all)
            join_reader(ch, l, i, eval_every(ch->e));
    }
}

/* Who excludes whom, and who makes shipping cheaper; where its price moves with the lines, everybody. */
static void join_rivals(struct choice *ch)
{
    uint32_t ships = NOBODY;
    for (uint32_t i = 0; i < ch->count; i++) {
        const struct quote_campaign *c = campaign_of(ch, i);
        for (uint32_t k = 0; k < ch->count && c->stop == STOP_ORDER; k++)
            join(ch, i, k);
        for (uint32_t k = 0; k < ch->count && is_choosy(c); k++)
            if (k != i && (c->alone || is_choosy(campaign_of(ch, k))) && excludes(c, campaign_of(ch, k)))
                join(ch, i, k);
        if (!ch->list[i].ships && !ch->ships_by_amount)
            continue;
        if (ships != NOBODY)
            join(ch, ships, i);
        ships = i;
    }
}

static bool shipping_moves(const struct quote_eval *e)
{
    const struct quote_rules *r = e->rules;
    if (e->cart->shipping_option.len == 0)
        return false;
    bool moves = r->shipping_rates.count > 0;
    for (uint32_t i = 0; i < r->shipping_count; i++)
        for (uint32_t k = 0; k < r->shipping[i].rate_count && slice_eq(r->shipping[i].id, e->cart->shipping_option); k++)
            moves = moves || r->shipping[i].rates[k].over_minor >= 0;
    return moves;
}

/* Not left out: nobody excludes it, and nobody after it can make of a lower price a higher one. */
static void mark_certain(struct choice *ch)
{
    for (size_t i = 0; i < ch->count; i++) {
        struct candidate *c = &ch->list[i];
        c->certain = !ch->ships_by_amount && campaign_of(ch, i)->stop == STOP_NOT;
        for (size_t k = 0; k < ch->count && c->certain; k++)
            if (k != i && ch->list[k].component == c->component)
                c->certain = (k < i || ch->list[k].steady) && !excludes(campaign_of(ch, i), campaign_of(ch, k));
    }
}

static int components_find(struct choice *ch, struct err *err)
{
    struct quote_eval *e = ch->e;
    struct lines_of l = { arena_alloc(e->arena, e->cart->line_count * sizeof *l.taker) };
    if (!l.taker)
        return eval_nomem(e, err);
    for (size_t i = 0; i < e->cart->line_count; i++)
        l.taker[i] = NOBODY;
    for (uint32_t i = 0; i < ch->count; i++)
        ch->list[i].component = i;
    ch->ships_by_amount = shipping_moves(e);
    join_takers(ch, &l);
    join_readers(ch, &l);
    join_rivals(ch);
    for (uint32_t i = 0; i < ch->count; i++)
        ch->list[i].component = find(ch, i);
    mark_certain(ch);
    return 0;
}

/* --- by priority ------------------------------------------------------------------------------------------------------------------- */

static int in_rank(const void *a, const void *b, void *choice)
{
    const struct quote_campaign *x = campaign_of(choice, *(const uint32_t *)a), *y = campaign_of(choice, *(const uint32_t *)b);
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return slice_cmp(x->id, y->id);
}

/* By rank, each that those which are in already permit. Who is IDLE stays so. False: nobody had to go. Only the choosy are compared. */
static bool admit(struct choice *ch, const uint32_t *rank, uint32_t *choosy)
{
    bool any_in = false, alone_in = false, any_out = false;
    size_t choosy_count = 0;
    for (size_t i = 0; i < ch->count; i++) {
        const struct quote_campaign *c = campaign_of(ch, rank[i]);
        uint8_t *standing = &ch->standing[rank[i]];
        if (*standing == IDLE)
            continue;
        *standing = alone_in || (c->alone && any_in) ? OUT : IN;
        for (size_t k = 0; is_choosy(c) && k < choosy_count && *standing == IN; k++)
            if (excludes(campaign_of(ch, choosy[k]), c))
                *standing = OUT;
        if (*standing == IN && is_choosy(c))
            choosy[choosy_count++] = rank[i];
        any_in = any_in || *standing == IN;
        alone_in = alone_in || (*standing == IN && c->alone);
        any_out = any_out || *standing == OUT;
    }
    return any_out;
}

/* Shipping has no price yet; that it has one is enough to know who would do something. */
static int trial_turn(struct choice *ch, size_t i, bool *does, struct err *err)
{
    struct quote_eval *e = ch->e;
    e->shipping_stage = campaign_of(ch, i)->stage == STAGE_SHIPPING;
    e->shipping_remaining = e->shipping_stage;
    int rc = turn_try(ch, &ch->list[i], does, err);
    e->shipping_stage = false;
    e->shipping_remaining = 0;
    return rc;
}

/* Those that are in have their turns. Who does nothing must not have kept others out: the first of them is IDLE from now on, with its
 * reason. 1: there was one. */
static int idle_find(struct choice *ch, struct effect **effects, struct err *err)
{
    struct quote_eval *e = ch->e;
    struct use *uses = e->uses;
    size_t turns = 0, idle = SIZE_MAX;
    int rc = 0;
    for (size_t i = 0; i < ch->count && rc == 0 && idle == SIZE_MAX; i++) {
        bool does;
        if (ch->standing[i] != IN)
            continue;
        rc = trial_turn(ch, i, &does, err);
        effects[turns++] = e->effects;
        if (rc == 0 && !does) {
            idle = i;
            rc = why_keep(e, slot_of(e, ch->list[i].number), err);
            ch->standing[i] = IDLE;
        }
    }
    while (turns > 0)
        turn_undo(e, effects[--turns]);
    eval_unuse(e, uses);
    return rc < 0 ? rc : idle != SIZE_MAX;
}

static int choose_by_priority(struct choice *ch, struct err *err)
{
    struct quote_eval *e = ch->e;
    uint32_t *rank = arena_array(e->arena, ch->count, sizeof *rank), *choosy = arena_array(e->arena, ch->count, sizeof *choosy);
    struct effect **effects = arena_array(e->arena, ch->count, sizeof *effects);
    if (!rank || !choosy || !effects)
        return eval_nomem(e, err);
    for (uint32_t i = 0; i < ch->count; i++)
        rank[i] = i;
    qsort_r(rank, ch->count, sizeof *rank, in_rank, ch);
    memset(ch->standing, IN, ch->count);
    int rc = 1;
    while (rc > 0 && admit(ch, rank, choosy)) {
        struct turn_mark mark = turn_mark(e);
        rc = idle_find(ch, effects, err);
        if (rc == 0)
            turn_forget(e, mark);
    }
    return rc < 0 ? rc : 0;
}

static int choose_best(struct choice *ch, struct err *err)
{
    if (ch->count > SEARCH_CANDIDATES_MAX) {
        ch->proven = false;
        return choose_by_priority(ch, err);
    }
    int rc = components_find(ch, err);
    memset(ch->standing, IN, ch->count);
    for (uint32_t i = 0; i < ch->count && rc == 0; i++)
        if (ch->list[i].component == i)
            rc = search_component(ch, i, err);
    return rc;
}

/* --- what is said ---------------------------------------------------------------------------------------------------------------- */

static int lost(struct choice *ch, size_t loser, struct err *err)
{
    struct quote_eval *e = ch->e;
    e->condition = NULL;
    e->action = 0;
    why_set(e, "lost");
    for (size_t i = 0; i < ch->count; i++) {
        const char *rule = ch->standing[i] == IN ? excludes(campaign_of(ch, i), campaign_of(ch, loser)) : NULL;
        if (!rule)
            continue;
        why_text(e, "to", campaign_of(ch, i)->id);
        why_text(e, "by", slice_str(rule));
        return why_keep(e, slot_of(e, ch->list[loser].number), err);
    }
    why_text(e, "by", slice_str("best"));
    return why_keep(e, slot_of(e, ch->list[loser].number), err);
}

int campaigns_choose(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    const struct quote_rules *r = e->rules;
    bool best = r->policies.stacking == STACKING_BEST;
    if ((!best && !r->any_exclusion) || e->active_count == e->active_priced)
        return 0;
    struct err own; /* a caller that passes NULL still has its rules skipped by the same code */
    struct choice ch = { .e = e, .proven = true };
    int rc = candidates_find(&ch, err ? err : &own);
    if (rc == 0 && ch.count > 0)
        rc = best ? choose_best(&ch, err ? err : &own) : choose_by_priority(&ch, err ? err : &own);
    for (size_t i = 0; i < ch.count && rc == 0; i++)
        if (ch.standing[i] == OUT)
            rc = lost(&ch, i, err ? err : &own);
    out->searched = best;
    out->proven = best && ch.proven;
    return rc;
}
