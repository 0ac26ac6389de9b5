/* So many percent of each line, bounded by a cap that is split in proportion to what the lines would have got. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "percent", "cap", "on", "base", NULL };
    static const char *const bases[] = { "remaining", "list", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node percent = spec_member(n, "percent"), cap = spec_member(n, "cap"), base = spec_member(n, "base");
    unsigned chosen;
    out->percent.base = -1;
    if ((rc = spec_percent(s, &percent, &out->percent.rate_ppm)) < 0)
        return rc;
    if (cap.v && (rc = spec_money(s, &cap, 1, &out->percent.cap_minor)) < 0)
        return rc;
    if (base.v) {
        if ((rc = spec_choice(s, &base, bases, &chosen)) < 0)
            return rc;
        out->percent.base = (int)chosen;
    }
    return action_on(s, n, out);
}

/* amount × rate, 0 <= rate <= 100 %: fits when it fits 64 bits before the division, which is nearly always. */
static int64_t rate_of(int64_t amount, int64_t rate_ppm, enum rounding mode)
{
    int64_t product, share = 0;
    if (mode == ROUND_HALF_AWAY && !__builtin_mul_overflow(amount, rate_ppm, &product) && product <= INT64_MAX - RATE_ONE_PPM / 2)
        return (product + RATE_ONE_PPM / 2) / RATE_ONE_PPM;
    money_rate(amount, rate_ppm, mode, &share); /* at most amount, so it fits */
    return share;
}

int percent_take(struct quote_eval *e, struct quote_set set, struct percent p, struct slice reason, struct err *err)
{
    enum rounding mode = e->campaign->policies->rounding;
    int64_t sum = 0;
    for (size_t i = 0; i < set.count; i++) {
        uint32_t line = set.lines[i];
        int64_t left = e->remaining[line];
        int64_t share = rate_of(p.base == BASE_LIST ? e->cart->lines[line].subtotal_minor : left, p.rate_ppm, mode);
        e->shares[i] = share < left ? share : left;
        sum += e->shares[i]; /* at most what the cart costs */
    }
    if (p.cap_minor > 0 && sum > p.cap_minor) {
        memcpy(e->weights, e->shares, set.count * sizeof *e->weights);
        int rc = allocate(&e->scratch, p.cap_minor, e->weights, set.count, e->shares, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < set.count; i++) {
        int rc = eval_take(e, set.lines[i], e->shares[i], 0, reason, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct percent p = { a->percent.rate_ppm, a->percent.cap_minor,
                         a->percent.base < 0 ? e->campaign->policies->percent_base : (enum base)a->percent.base };
    return percent_take(e, eval_target(e, a), p, slice_str(""), err);
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    const struct policies *p = e->campaign->policies;
    bool of_list = (a->percent.base < 0 ? p->percent_base : (enum base)a->percent.base) == BASE_LIST;
    int64_t sum = 0;
    for (size_t i = 0; i < set.count; i++) {
        int64_t left = e->remaining[set.lines[i]];
        int64_t share = rate_of(of_list ? e->cart->lines[set.lines[i]].subtotal_minor : left, a->percent.rate_ppm, p->rounding);
        sum += share < left ? share : left;
    }
    return a->percent.cap_minor > 0 && sum > a->percent.cap_minor ? a->percent.cap_minor : sum;
}

/* A cap is split over lines: what one gets less, another gets more. */
static bool steady(const struct action *a)
{
    return a->percent.cap_minor == 0;
}

const struct action_type percent_off_type = { "percent_off", STAGE_ITEM, false, compile, apply, most, steady, NULL };
