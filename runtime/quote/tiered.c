/* The more, the more off: by units or by amount. `whole`: the highest step that is reached holds for all of it; `each`: every step for what
 * lies between it and the next, units from the dearest down. */
#include "quote/units.h"

enum { STEPS_MAX = 50 };

static const char *const bys[] = { "qty", "amount", NULL };
static const char *const modes[] = { "whole", "each", NULL };

static int gives_compile(struct spec *s, const struct spec_node *n, const char *key, struct action *out, struct tier_step *step)
{
    struct spec_node give = spec_member(n, key);
    struct action *actions;
    int rc = action_list(s, &give, &actions, &step->give_count);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < step->give_count; i++) {
        struct action *a = &actions[i];
        if (a->type == &tiered_type || a->type == &function_type)
            return spec_error(s, &give, "a step can't hold %s; give it beside the steps", a->type == &tiered_type ? "steps" : "a function");
        if (a->type == &add_on_price_type || a->type == &price_list_type)
            return spec_error(s, &give, "a step can't hold %s; give it beside the steps, or in a campaign of its own", a->type->key);
        if (out->tiered.each &&
            (a->type != &percent_off_type || step->give_count > 1 || a->percent.cap_minor || a->on || a->percent.base >= 0))
            return spec_error(s, &give, "with mode = \"each\" a step gives one percent_off with nothing but its percent");
        if (a->on)
            out->tiered.wanders = true;
        else
            a->on = out->on;
        out->stage = a->stage < out->stage ? a->stage : out->stage;
        out->touches_lines = out->touches_lines || a->touches_lines;
    }
    step->give = actions;
    return 0;
}

static int step_compile(struct spec *s, const struct spec_node *n, struct action *out, struct tier_step *step,
                        const struct tier_step *before)
{
    static const char *const known[] = { "at", "give", NULL };
    struct spec_node at = spec_member(n, "at");
    int rc = spec_object(s, n, known);
    if (rc == 0)
        rc = out->tiered.by_amount ? spec_money(s, &at, 1, &step->at)
                                   : spec_int(s, &at, 1, (int64_t)QUOTE_LINES_MAX * QUOTE_QTY_MAX, &step->at);
    if (rc == 0 && before && step->at <= before->at)
        rc = spec_error(s, &at, "is not above the step before it; write the steps from the lowest to the highest");
    return rc < 0 ? rc : gives_compile(s, n, "give", out, step);
}

/* A step from nothing on. */
static int below_compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    struct spec_node below = spec_member(n, "below");
    struct spec_node as_step = { .up = n->up, .v = n->v, .key = n->key };
    struct tier_step step = { 0 };
    if (!below.v)
        return 0;
    if (out->tiered.each)
        return spec_error(s, &below, "with mode = \"each\" a step holds for what lies above it; leave below out");
    int rc = gives_compile(s, &as_step, "below", out, &step);
    out->tiered.below = step.give;
    out->tiered.below_count = step.give_count;
    return rc;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "by", "mode", "steps", "below", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node by = spec_member(n, "by"), mode = spec_member(n, "mode"), list = spec_member(n, "steps");
    unsigned by_what = 0, how = 0;
    if ((by.v && (rc = spec_choice(s, &by, bys, &by_what)) < 0) || (mode.v && (rc = spec_choice(s, &mode, modes, &how)) < 0))
        return rc;
    out->tiered.by_amount = by_what == 1;
    out->tiered.each = how == 1;
    if ((rc = action_on(s, n, out)) < 0 || (rc = spec_list(s, &list)) < 0)
        return rc;
    if (list.v->count > STEPS_MAX)
        return spec_error(s, &list, "there are at most %d steps", STEPS_MAX);
    struct tier_step *steps = spec_array(s, list.v->count, sizeof *steps);
    if (!steps)
        return ERR_NOMEM;
    out->stage = STAGE_SHIPPING;
    for (const struct json_value *m = list.v->first; m && rc == 0; m = m->next) {
        uint32_t i = out->tiered.count++;
        struct spec_node e = spec_element(&list, m, i + 1);
        rc = step_compile(s, &e, out, &steps[i], i ? &steps[i - 1] : NULL);
    }
    out->tiered.steps = steps;
    return rc < 0 ? rc : below_compile(s, n, out);
}

static int whole(struct quote_eval *e, const struct tier_step *step, struct err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < step->give_count && rc >= 0; i++)
        rc = step->give[i].type->apply(e, &step->give[i], err);
    return rc;
}

static int64_t end_of(const struct action *a, uint32_t step)
{
    return step + 1 < a->tiered.count ? a->tiered.steps[step + 1].at : INT64_MAX;
}

static int64_t overlap(int64_t from, int64_t to, int64_t low, int64_t high)
{
    int64_t first = from > low ? from : low, last = to < high ? to : high;
    return last > first ? last - first : 0;
}

/* Step at = 3 begins with the third unit. */
static int each_unit(struct quote_eval *e, const struct action *a, struct quote_set set, struct err *err)
{
    size_t count;
    int64_t units, place = 0;
    const uint32_t *lines = units_sorted(e, set, unit_dearer, &count, &units);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        int64_t qty = e->cart->lines[lines[i]].qty, sum = 0, touched = 0, left = e->remaining[lines[i]];
        for (uint32_t k = 0; k < a->tiered.count; k++) {
            int64_t hits = overlap(place, place + qty, a->tiered.steps[k].at - 1, end_of(a, k) - 1);
            sum += units_share(e, lines[i], hits, a->tiered.steps[k].give[0].percent.rate_ppm);
            touched += hits;
        }
        place += qty;
        rc = eval_take(e, lines[i], sum < left ? sum : left, touched, slice_str(""), err);
    }
    return rc;
}

static int each_amount(struct quote_eval *e, const struct action *a, struct quote_set set, int64_t seen, struct err *err)
{
    int64_t sum = 0;
    for (uint32_t k = 0; k < a->tiered.count; k++) {
        int64_t off = 0;
        money_rate(overlap(0, seen, a->tiered.steps[k].at, end_of(a, k)), a->tiered.steps[k].give[0].percent.rate_ppm,
                   e->campaign->policies->rounding, &off);
        sum += off; /* at most what was seen */
    }
    return amount_take(e, set, sum, slice_str(""), err);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct quote_set set = eval_target(e, a);
    int64_t seen = a->tiered.by_amount ? eval_threshold(e, set) : quote_eval_qty(e, set);
    uint32_t reached = 0;
    while (reached < a->tiered.count && a->tiered.steps[reached].at <= seen)
        reached++;
    if (reached == 0 && a->tiered.below_count) {
        struct tier_step below = { .give = a->tiered.below, .give_count = a->tiered.below_count };
        return whole(e, &below, err);
    }
    if (reached == 0) {
        why_set(e, a->tiered.by_amount ? "subtotal_below" : "qty_below");
        (a->tiered.by_amount ? why_money : why_int)(e, "needed", a->tiered.steps[0].at);
        (a->tiered.by_amount ? why_money : why_int)(e, "seen", seen);
        return 0;
    }
    if (!a->tiered.each)
        return whole(e, &a->tiered.steps[reached - 1], err);
    return a->tiered.by_amount ? each_amount(e, a, set, seen, err) : each_unit(e, a, set, err);
}

static bool measures(const struct action *a)
{
    return a->tiered.by_amount;
}

const struct action_type tiered_type = { "tiered", STAGE_ITEM, true, compile, apply, NULL, NULL, measures };
