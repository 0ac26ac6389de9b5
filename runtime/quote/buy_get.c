/* Buy so many, get so many: whole sets of units, the cheapest units of all rewarded, or the dearest. What is bought may be other lines than
 * what is rewarded; a unit is one or the other. Works on units without making them. */
#include "quote/units.h"

static int reward_compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    struct spec_node percent = spec_member(n, "percent"), amount = spec_member(n, "amount");
    out->units.rate_ppm = amount.v ? 0 : RATE_ONE_PPM;
    if (percent.v && amount.v)
        return spec_error(s, &amount, "a reward is a percent or an amount; leave one of them out");
    if (percent.v)
        return spec_percent(s, &percent, &out->units.rate_ppm);
    return amount.v ? spec_money(s, &amount, 1, &out->units.amount_minor) : 0;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "buy", "get",     "percent", "amount", "max_sets", "max_units", "of",
                                         "on",  "partial", "pick",    "per",    "base",     NULL };
    static const char *const picks[] = { "cheapest", "dearest", NULL }, *const pers[] = { "set", "line", NULL };
    static const char *const bases[] = { "remaining", "list", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node buy = spec_member(n, "buy"), get = spec_member(n, "get"), of = spec_member(n, "of"),
                     partial = spec_member(n, "partial");
    struct spec_node max_sets = spec_member(n, "max_sets"), max_units = spec_member(n, "max_units");
    struct spec_node pick = spec_member(n, "pick"), per = spec_member(n, "per"), base = spec_member(n, "base");
    unsigned which = 0, where = 0, what = 0;
    if ((rc = spec_int(s, &buy, 1, QUOTE_QTY_MAX, &out->units.buy)) < 0 ||
        (rc = spec_int(s, &get, 1, QUOTE_QTY_MAX, &out->units.get)) < 0 || (rc = reward_compile(s, n, out)) < 0)
        return rc;
    if (max_sets.v && (rc = spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->units.max_sets)) < 0)
        return rc;
    if (max_units.v && (rc = spec_int(s, &max_units, 1, QUOTE_QTY_MAX, &out->units.max_units)) < 0)
        return rc;
    if ((pick.v && (rc = spec_choice(s, &pick, picks, &which)) < 0) || (per.v && (rc = spec_choice(s, &per, pers, &where)) < 0) ||
        (base.v && (rc = spec_choice(s, &base, bases, &what)) < 0))
        return rc;
    if (partial.v && !json_is_bool(partial.v, &out->units.partial))
        return spec_error(s, &partial, "is true or false");
    out->units.dearest = which == 1;
    out->units.per_line = where == 1;
    out->units.of_list = what == 1;
    if (of.v && out->units.per_line)
        return spec_error(s, &of, "with per = \"line\" a line's own units are bought; leave of out");
    if (of.v) {
        struct selector *sel = spec_array(s, 1, sizeof *sel);
        if (!sel)
            return ERR_NOMEM;
        out->units.of = sel;
        if ((rc = selector_compile(s, &of, sel)) < 0)
            return rc;
    }
    return action_on(s, n, out);
}

/* --- units that no other campaign has used up (policy `units`) ------------------------------------------------------------------ */

static int64_t used_of(const struct quote_eval *e, uint32_t line)
{
    return e->campaign->policies->units_once ? e->used[line].units : 0;
}

static int64_t free_units(const struct quote_eval *e, uint32_t line)
{
    return e->remaining[line] ? e->cart->lines[line].qty - used_of(e, line) : 0;
}

/* What the free units cost: those that are used up keep what they came to. */
static int64_t free_cost(const struct quote_eval *e, uint32_t line)
{
    int64_t used = used_of(e, line) ? e->used[line].cost : 0;
    return e->remaining[line] > used ? e->remaining[line] - used : 0;
}

static int use_up(struct quote_eval *e, uint32_t line, int64_t units, int64_t cost, struct err *err)
{
    if (!e->campaign->policies->units_once || units == 0)
        return 0;
    struct use *use = arena_alloc(e->arena, sizeof *use);
    if (!use)
        return eval_nomem(e, err);
    *use = (struct use){ e->uses, line, units, cost };
    e->uses = use;
    e->used[line].units += units;
    e->used[line].cost += cost;
    return 0;
}

static bool cheaper(const struct quote_eval *e, uint32_t a, uint32_t b)
{
    __int128 left = (__int128)free_cost(e, a) * free_units(e, b), right = (__int128)free_cost(e, b) * free_units(e, a);
    return left != right ? left < right : a < b;
}

static bool dearer(const struct quote_eval *e, uint32_t a, uint32_t b)
{
    __int128 left = (__int128)free_cost(e, a) * free_units(e, b), right = (__int128)free_cost(e, b) * free_units(e, a);
    return left != right ? left > right : a < b;
}

/* --- one pool of lines ------------------------------------------------------------------------------------------------------------ */

struct pool {
    struct quote_eval *e;
    const struct action *a;
    const uint32_t *lines; /* in the order in which they are rewarded */
    size_t count;
    const uint8_t *bought, *rewarded; /* by line of the cart; NULL: all are both */
    int64_t *given;                   /* by place in lines: units that are rewarded */
};

static bool is_bought(const struct pool *p, uint32_t line)
{
    return !p->bought || p->bought[line];
}

static bool is_rewarded(const struct pool *p, uint32_t line)
{
    return !p->rewarded || p->rewarded[line];
}

struct counts {
    int64_t bought, rewarded, either;
};

static struct counts count_units(const struct pool *p)
{
    struct counts c = { 0 };
    for (size_t i = 0; i < p->count; i++) {
        int64_t units = free_units(p->e, p->lines[i]);
        c.bought += is_bought(p, p->lines[i]) ? units : 0;
        c.rewarded += is_rewarded(p, p->lines[i]) ? units : 0;
        c.either += units;
    }
    return c;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How many units are bought, and how many rewarded for them. Whole sets; the last may be cut short where that is said. */
static void sets_of(const struct action *a, struct counts c, int64_t *buy, int64_t *get)
{
    int64_t size = a->units.buy + a->units.get;
    int64_t sets = least(least(c.bought / a->units.buy, c.rewarded / a->units.get), c.either / size), more = 0;
    if (a->units.partial && least(c.bought - sets * a->units.buy, c.either - sets * size) >= a->units.buy)
        more = least(least(c.rewarded - sets * a->units.get, c.either - sets * size - a->units.buy), a->units.get);
    if (a->units.max_sets && sets >= a->units.max_sets) {
        sets = a->units.max_sets;
        more = 0;
    }
    *get = sets * a->units.get + (more > 0 ? more : 0);
    *buy = sets * a->units.buy + (more > 0 ? a->units.buy : 0);
    if (a->units.max_units && *get > a->units.max_units) {
        *get = a->units.max_units;
        *buy = (*get + a->units.get - 1) / a->units.get * a->units.buy;
    }
}

static int reward(struct pool *p, uint32_t line, int64_t units, struct err *err)
{
    struct quote_eval *e = p->e;
    const struct quote_line *l = &e->cart->lines[line];
    int64_t off = 0, free = free_units(e, line), cost = free_cost(e, line), value = 0;
    money_ratio(cost, units, free, ROUND_HALF_AWAY, &value); /* at most what the line still costs, so it fits */
    if (p->a->units.amount_minor) {
        if (!money_mul(p->a->units.amount_minor, units, &off) || off > value)
            off = value;
    } else if (p->a->units.of_list) {
        money_rate(l->unit_price_minor * units, p->a->units.rate_ppm, e->campaign->policies->rounding, &off);
    } else {
        money_ratio(cost, units * p->a->units.rate_ppm, free * RATE_ONE_PPM, e->campaign->policies->rounding, &off);
    }
    off = off < e->remaining[line] ? off : e->remaining[line];
    int rc = use_up(e, line, units, value > off ? value - off : 0, err);
    return rc < 0 ? rc : eval_take(e, line, off, units, slice_str(""), err);
}

/* In their order, but of lines that are also bought only as many as leave enough to be bought. */
static int reward_all(struct pool *p, int64_t get, int64_t spare, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < p->count && get > 0 && rc == 0; i++) {
        uint32_t line = p->lines[i];
        if (!is_rewarded(p, line))
            continue;
        int64_t units = least(free_units(p->e, line), get);
        if (is_bought(p, line)) {
            units = least(units, spare);
            spare -= units;
        }
        get -= units;
        p->given[i] = units;
    }
    for (size_t i = 0; i < p->count && rc == 0; i++)
        rc = p->given[i] ? reward(p, p->lines[i], p->given[i], err) : 0;
    return rc;
}

/* Those that can't be rewarded first, then the others from the end of their order: they stand for nothing else any more. */
static int buy_all(struct pool *p, int64_t buy, struct err *err)
{
    int rc = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = p->count; i-- > 0 && buy > 0 && rc == 0;) {
            uint32_t line = p->lines[i];
            int64_t free = free_units(p->e, line), units = least(free, buy), cost = 0;
            if (!is_bought(p, line) || is_rewarded(p, line) != (pass == 1) || units == 0)
                continue;
            money_ratio(free_cost(p->e, line), units, free, ROUND_HALF_AWAY, &cost);
            rc = use_up(p->e, line, units, cost, err);
            buy -= units;
        }
    return rc;
}

static int pool_run(struct pool *p, bool *any, struct err *err)
{
    struct counts c = count_units(p);
    int64_t buy, get;
    sets_of(p->a, c, &buy, &get);
    if (get == 0)
        return 0;
    *any = true;
    int rc = reward_all(p, get, c.bought - buy, err);
    return rc == 0 && p->e->campaign->policies->units_once ? buy_all(p, buy, err) : rc;
}

/* --- the action --------------------------------------------------------------------------------------------------------------------- */

static size_t sort(struct quote_eval *e, struct quote_set set, bool dear, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < set.count; i++)
        if (free_units(e, set.lines[i]) > 0) /* what costs nothing is neither bought nor rewarded */
            out[count++] = set.lines[i];
    units_sort(e, out, count, dear ? dearer : cheaper);
    return count;
}

static void mark(uint8_t *marks, struct quote_set set)
{
    for (size_t i = 0; i < set.count; i++)
        marks[set.lines[i]] = 1;
}

/* The lines of either set. */
static int both(struct pool *p, struct quote_set rewarded, struct quote_set *all, struct err *err)
{
    struct quote_eval *e = p->e;
    size_t n = e->cart->line_count, count = 0;
    uint8_t *bought = arena_array(e->arena, n, sizeof *bought), *got = arena_array(e->arena, n, sizeof *got);
    uint32_t *lines = arena_array(e->arena, n, sizeof *lines);
    if (!bought || !got || !lines)
        return eval_nomem(e, err);
    mark(got, rewarded);
    mark(bought, eval_select(e, p->a->units.of, eval_every(e), lines));
    for (uint32_t i = 0; i < n; i++)
        if (bought[i] || got[i])
            lines[count++] = i;
    p->bought = bought;
    p->rewarded = got;
    *all = (struct quote_set){ lines, count };
    return 0;
}

static void why_not(struct quote_eval *e, const struct pool *p)
{
    struct counts c = count_units(p);
    why_set(e, "qty_below");
    why_int(e, "needed", p->bought ? p->a->units.buy : p->a->units.buy + p->a->units.get);
    why_int(e, "seen", p->bought ? c.bought : c.either);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct pool p = { .e = e, .a = a };
    struct quote_set set = eval_target(e, a);
    bool any = false;
    int rc = a->units.of ? both(&p, set, &set, err) : 0;
    uint32_t *lines = arena_array(e->arena, e->cart->line_count, sizeof *lines);
    p.given = arena_array(e->arena, e->cart->line_count, sizeof *p.given);
    if (rc < 0 || !lines || !p.given)
        return rc < 0 ? rc : eval_nomem(e, err);
    size_t count = sort(e, set, a->units.dearest, lines);
    size_t step = a->units.per_line ? 1 : count;
    p.lines = lines;
    p.count = count;
    for (size_t i = 0; i < count && rc == 0; i += step) {
        struct pool part = p;
        part.lines = lines + i;
        part.count = step;
        part.given = p.given + i;
        rc = pool_run(&part, &any, err);
    }
    if (rc == 0 && !any)
        why_not(e, &p);
    return rc;
}

const struct action_type buy_get_type = { "buy_get", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
