/* So many percent of each line, or of some of its units, bounded by a cap that is split in proportion to what the lines would have got. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "percent", "cap", "on", "base", "round", CHOSEN_KEYS, NULL };
    static const char *const bases[] = { "remaining", "list", NULL }, *const rounds[] = { "line", "unit", "order", "carry", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node percent = spec_member(n, "percent"), cap = spec_member(n, "cap"), base = spec_member(n, "base");
    struct spec_node round = spec_member(n, "round");
    unsigned chosen;
    out->percent.base = out->percent.round = -1;
    if ((rc = spec_percent(s, &percent, &out->percent.rate_ppm)) < 0)
        return rc;
    if (cap.v && (rc = spec_money(s, &cap, 1, &out->percent.cap_minor)) < 0)
        return rc;
    if (base.v) {
        if ((rc = spec_choice(s, &base, bases, &chosen)) < 0)
            return rc;
        out->percent.base = (int)chosen;
    }
    if (round.v) {
        if ((rc = spec_choice(s, &round, rounds, &chosen)) < 0)
            return rc;
        out->percent.round = (int)chosen;
    }
    if ((rc = chosen_compile(s, n, &out->percent.chosen)) < 0)
        return rc;
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

/* Units of a line cost the same but for one minor unit; each is rounded. */
static int64_t of_units(int64_t amount, int64_t units, int64_t rate_ppm, enum rounding mode)
{
    if (units == 0)
        return 0;
    int64_t dearer = amount % units;
    return rate_of(amount / units + 1, rate_ppm, mode) * dearer + rate_of(amount / units, rate_ppm, mode) * (units - dearer);
}

/* *error: what rounding made of the lines before, in millionths of a minor unit. */
static int64_t with_error(int64_t amount, int64_t rate_ppm, enum rounding mode, int64_t *error)
{
    int64_t whole = rate_of(amount, rate_ppm, ROUND_DOWN), rounded = 0;
    int64_t rest = (int64_t)((__int128)amount * rate_ppm - (__int128)whole * RATE_ONE_PPM) + *error;
    money_ratio(rest, 1, RATE_ONE_PPM, mode, &rounded);
    *error = rest - rounded * RATE_ONE_PPM;
    return whole + rounded > 0 ? whole + rounded : 0;
}

static int64_t cost_of(const struct quote_eval *e, struct percent p, uint32_t line, const int64_t *units, size_t i)
{
    if (units)
        return chosen_cost(e, line, units[i], p.base);
    return p.base == BASE_LIST ? e->cart->lines[line].subtotal_minor : e->remaining[line];
}

/* Rounded once for all. */
static int of_all(struct quote_eval *e, struct quote_set set, struct percent p, const int64_t *units, struct err *err)
{
    int64_t sum = 0, room = room_of(e, set);
    for (size_t i = 0; i < set.count; i++) {
        e->weights[i] = cost_of(e, p, set.lines[i], units, i);
        sum += e->weights[i]; /* at most what the cart costs */
    }
    int64_t total = rate_of(sum, p.rate_ppm, e->campaign->policies->rounding);
    total = p.cap_minor > 0 && total > p.cap_minor ? p.cap_minor : total;
    return split(e, set, total < room ? total : room, err);
}

static int of_each(struct quote_eval *e, struct quote_set set, struct percent p, const int64_t *units, struct err *err)
{
    enum rounding mode = e->campaign->policies->rounding;
    int64_t sum = 0, error = 0;
    for (size_t i = 0; i < set.count; i++) {
        uint32_t line = set.lines[i];
        int64_t cost = cost_of(e, p, line, units, i), left = eval_room(e, line), qty = units ? units[i] : e->cart->lines[line].qty;
        int64_t share = p.round_at == ROUND_AT_UNIT    ? of_units(cost, qty, p.rate_ppm, mode)
                        : p.round_at == ROUND_AT_CARRY ? with_error(cost, p.rate_ppm, mode, &error)
                                                       : rate_of(cost, p.rate_ppm, mode);
        e->shares[i] = share < left ? share : left;
        sum += e->shares[i]; /* at most what the cart costs */
    }
    if (p.cap_minor == 0 || sum <= p.cap_minor)
        return 0;
    memcpy(e->weights, e->shares, set.count * sizeof *e->weights);
    return split(e, set, p.cap_minor, err);
}

int percent_take(struct quote_eval *e, struct quote_set set, struct percent p, struct slice reason, struct err *err)
{
    int64_t *units;
    int rc = chosen_units(e, p.chosen, set, &units, err);
    if (rc == 0)
        rc = p.round_at == ROUND_AT_ORDER ? of_all(e, set, p, units, err) : of_each(e, set, p, units, err);
    for (size_t i = 0; i < set.count && rc == 0; i++)
        rc = eval_take(e, set.lines[i], e->shares[i], units ? units[i] : 0, reason, err);
    return rc;
}

static struct percent percent_of(const struct quote_eval *e, const struct action *a)
{
    const struct policies *p = e->campaign->policies;
    return (struct percent){ a->percent.rate_ppm, a->percent.cap_minor,
                             a->percent.base >= 0 ? (enum base)a->percent.base
                             : e->price_stage     ? BASE_REMAINING
                                                  : p->percent_base,
                             a->percent.round < 0 ? p->round_at : (enum round_at)a->percent.round, &a->percent.chosen };
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    return percent_take(e, eval_target(e, a), percent_of(e, a), slice_str(""), err);
}

/* Each unit, or the error of others, may add a minor unit: of so many lines all that they cost is bound enough. */
static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    struct percent p = percent_of(e, a);
    int64_t sum = 0;
    for (size_t i = 0; i < set.count; i++) {
        int64_t left = e->remaining[set.lines[i]];
        int64_t share = rate_of(p.base == BASE_LIST ? e->cart->lines[set.lines[i]].subtotal_minor : left, p.rate_ppm, ROUND_UP);
        share = p.round_at == ROUND_AT_LINE ? share : left;
        sum += share < left ? share : left;
    }
    return p.cap_minor > 0 && sum > p.cap_minor ? p.cap_minor : sum;
}

/* A cap is split over lines: what one gets less, another gets more. Which units are chosen, and where the error goes, goes by prices, too.
 */
static bool steady(const struct action *a)
{
    return a->percent.cap_minor == 0 && a->percent.round <= ROUND_AT_LINE && !chosen_any(&a->percent.chosen);
}

const struct action_type percent_off_type = { "percent_off", STAGE_ITEM, false, compile, apply, most, steady, NULL };
