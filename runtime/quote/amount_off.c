/* A fixed amount off a set of lines, once or for each full `every`, split over what the lines still cost; or off each line or unit. */
#include "quote/run_int.h"

static int combination_check(struct spec *s, const struct spec_node *n, const struct action *out)
{
    struct spec_node every = spec_member(n, "every"), further = spec_member(n, "further");
    bool each = out->amount.per != PER_SET;
    if (!each && chosen_any(&out->amount.chosen))
        return spec_error(s, n, "takes from the set as a whole, so units can't be chosen; say per = \"unit\" or per = \"line\"");
    if (each && every.v)
        return spec_error(s, &every, "multiplies what goes off the whole set; leave per out");
    if (further.v && out->amount.per != PER_UNIT)
        return spec_error(s, &further, "is what each unit after the first of a line gets; say per = \"unit\"");
    if (every.v && out->amount.amount_minor > out->amount.every_minor) {
        struct spec_node amount = spec_member(n, "amount");
        return spec_error(s, &amount, "is more than every: all of it would be free; make amount the smaller one");
    }
    return 0;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "amount", "every", "cap", "on", "per", "further", CHOSEN_KEYS, NULL };
    static const char *const pers[] = { "set", "line", "unit", "each", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node amount = spec_member(n, "amount"), every = spec_member(n, "every"), cap = spec_member(n, "cap");
    struct spec_node per = spec_member(n, "per"), further = spec_member(n, "further");
    unsigned chosen = 0;
    out->amount.further_minor = -1;
    if ((rc = spec_money(s, &amount, further.v ? 0 : 1, &out->amount.amount_minor)) < 0)
        return rc;
    if (every.v && (rc = spec_money(s, &every, 1, &out->amount.every_minor)) < 0)
        return rc;
    if (cap.v && (rc = spec_money(s, &cap, 1, &out->amount.cap_minor)) < 0)
        return rc;
    if (further.v && (rc = spec_money(s, &further, 0, &out->amount.further_minor)) < 0)
        return rc;
    if (per.v && (rc = spec_choice(s, &per, pers, &chosen)) < 0)
        return rc;
    out->amount.per = (enum per)chosen;
    if ((rc = chosen_compile(s, n, &out->amount.chosen)) < 0 || (rc = combination_check(s, n, out)) < 0)
        return rc;
    return action_on(s, n, out);
}

int amount_take(struct quote_eval *e, struct quote_set set, int64_t amount_minor, struct slice reason, struct err *err)
{
    int64_t left = room_of(e, set);
    if (amount_minor > left)
        amount_minor = left;
    if (amount_minor <= 0)
        return 0;
    for (size_t i = 0; i < set.count; i++)
        e->weights[i] = e->remaining[set.lines[i]];
    int rc = split(e, set, amount_minor, err);
    for (size_t i = 0; i < set.count && rc == 0; i++)
        rc = eval_take(e, set.lines[i], e->shares[i], 0, reason, err);
    return rc;
}

/* So much of one line; never more than those units cost. */
static int64_t of_line(const struct quote_eval *e, const struct action *a, bool by_unit, uint32_t line, int64_t units)
{
    int64_t first = a->amount.amount_minor, sum = first, more = 0;
    int64_t cost = chosen_cost(e, line, units, BASE_REMAINING), room = eval_room(e, line);
    if (units == 0)
        return 0;
    cost = cost < room ? cost : room;
    if (by_unit &&
        (!money_mul(a->amount.further_minor < 0 ? first : a->amount.further_minor, units - 1, &more) || !money_add(first, more, &sum)))
        return cost;
    return sum < cost ? sum : cost;
}

static int take_each(struct quote_eval *e, const struct action *a, struct quote_set set, struct err *err)
{
    bool by_unit = a->amount.per == PER_UNIT || (a->amount.per == PER_EACH && e->campaign->policies->each_is_unit);
    int64_t *units, sum = 0;
    int rc = chosen_units(e, &a->amount.chosen, set, &units, err);
    for (size_t i = 0; i < set.count && rc == 0; i++) {
        e->shares[i] = of_line(e, a, by_unit, set.lines[i], units ? units[i] : e->cart->lines[set.lines[i]].qty);
        sum += e->shares[i]; /* at most what the cart costs */
    }
    if (rc == 0 && a->amount.cap_minor > 0 && sum > a->amount.cap_minor) {
        memcpy(e->weights, e->shares, set.count * sizeof *e->weights);
        rc = split(e, set, a->amount.cap_minor, err);
    }
    for (size_t i = 0; i < set.count && rc == 0; i++)
        rc = eval_take(e, set.lines[i], e->shares[i], units ? units[i] : 0, slice_str(""), err);
    return rc;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct quote_set set = eval_target(e, a);
    int64_t amount = a->amount.amount_minor;
    if (a->amount.per != PER_SET)
        return take_each(e, a, set, err);
    if (a->amount.every_minor > 0) {
        int64_t seen = eval_threshold(e, set);
        int64_t times = seen / a->amount.every_minor;
        if (times == 0) {
            why_set(e, "subtotal_below");
            why_money(e, "needed", a->amount.every_minor);
            why_money(e, "seen", seen);
            return 0;
        }
        amount *= times; /* amount <= every, so it is at most what the lines come to */
    }
    if (a->amount.cap_minor > 0 && amount > a->amount.cap_minor)
        amount = a->amount.cap_minor;
    return amount_take(e, set, amount, slice_str(""), err);
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    int64_t left = eval_still_costs(e, set), amount = a->amount.amount_minor;
    if (a->amount.per != PER_SET)
        return a->amount.cap_minor > 0 && left > a->amount.cap_minor ? a->amount.cap_minor : left;
    if (a->amount.every_minor > 0)
        amount *= eval_threshold(e, set) / a->amount.every_minor;
    if (a->amount.cap_minor > 0 && amount > a->amount.cap_minor)
        amount = a->amount.cap_minor;
    return amount < left ? amount : left;
}

static bool measures(const struct action *a)
{
    return a->amount.every_minor > 0;
}

const struct action_type amount_off_type = { "amount_off", STAGE_ORDER, false, compile, apply, most, NULL, measures };
