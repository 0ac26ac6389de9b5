/* A fixed amount off a set of lines, once or for each full `every`, split over what the lines still cost. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "amount", "every", "cap", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node amount = spec_member(n, "amount"), every = spec_member(n, "every"), cap = spec_member(n, "cap");
    if ((rc = spec_money(s, &amount, 1, &out->amount.amount_minor)) < 0)
        return rc;
    if (every.v && (rc = spec_money(s, &every, 1, &out->amount.every_minor)) < 0)
        return rc;
    if (cap.v && (rc = spec_money(s, &cap, 1, &out->amount.cap_minor)) < 0)
        return rc;
    if (every.v && out->amount.amount_minor > out->amount.every_minor)
        return spec_error(s, &amount, "is more than every: all of it would be free; make amount the smaller one");
    return action_on(s, n, out);
}

int amount_take(struct quote_eval *e, struct quote_set set, int64_t amount_minor, struct slice reason, struct err *err)
{
    int64_t left = eval_still_costs(e, set);
    if (amount_minor > left)
        amount_minor = left;
    if (amount_minor <= 0)
        return 0;
    for (size_t i = 0; i < set.count; i++)
        e->weights[i] = e->remaining[set.lines[i]];
    int rc = allocate(&e->scratch, amount_minor, e->weights, set.count, e->shares, err);
    for (size_t i = 0; i < set.count && rc == 0; i++)
        rc = eval_take(e, set.lines[i], e->shares[i], 0, reason, err);
    return rc;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct quote_set set = eval_target(e, a);
    int64_t amount = a->amount.amount_minor;
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
