/* shop.lua `policies`, and what a campaign says otherwise. */
#include "quote/rules_int.h"

enum { FLOORS_MAX = 10000 };

enum { OFFERS_WITHIN_PPM = 300000 };

static const char *const stackings[] = { "priority", "best", NULL };
static const char *const roundings[] = { "half_away", "half_even", "half_down", "down", "up", "floor", "ceiling", NULL };
static const char *const bases[] = { "remaining", "list", NULL };
static const char *const lanes[] = { "all", "best_per_line", NULL };
static const char *const cases[] = { "ignore", "exact", NULL };
static const char *const rounds[] = { "line", "unit", "order", "carry", NULL };
static const char *const remainders[] = { "largest_remainder", "first_lines", "last_line", "carry", NULL };
static const char *const eaches[] = { "line", "unit", NULL };
static const char *const earliers[] = { "evenly", "same_units", NULL };
static const char *const units[] = { "shared", "once", NULL };
static const char *const orders[] = { "stage", "priority", NULL };
static const char *const taxes[] = { "line", "unit", NULL };

/* What is not said stays as it is. */
static int choice(struct spec *s, const struct spec_node *n, const char *key, const char *const *choices, unsigned *out)
{
    struct spec_node m = spec_member(n, key);
    return m.v ? spec_choice(s, &m, choices, out) : 0;
}

static int flag(struct spec *s, const struct spec_node *n, const char *key, const char *const *choices, bool *out)
{
    unsigned chosen = *out;
    int rc = choice(s, n, key, choices, &chosen);
    *out = chosen == 1;
    return rc;
}

static int rounding(struct spec *s, const struct spec_node *n, const char *key, enum rounding *out)
{
    struct spec_node m = spec_member(n, key);
    unsigned chosen = 0;
    int rc = m.v ? spec_choice(s, &m, roundings, &chosen) : 0;
    return m.v && rc == 0 ? rounding_find(slice_str(roundings[chosen]), out) : rc;
}

/* Those that make sense for one campaign. */
static int amounts(struct spec *s, const struct spec_node *n, struct policies *out)
{
    unsigned base = out->percent_base, thresholds = out->thresholds, round = out->round_at, remainder = out->remainder;
    int rc;
    if ((rc = choice(s, n, "percent_base", bases, &base)) < 0 || (rc = choice(s, n, "thresholds", bases, &thresholds)) < 0 ||
        (rc = choice(s, n, "round", rounds, &round)) < 0 || (rc = choice(s, n, "remainder", remainders, &remainder)) < 0 ||
        (rc = rounding(s, n, "rounding", &out->rounding)) < 0 || (rc = flag(s, n, "each", eaches, &out->each_is_unit)) < 0 ||
        (rc = flag(s, n, "earlier", earliers, &out->same_units_first)) < 0 || (rc = flag(s, n, "units", units, &out->units_once)) < 0)
        return rc;
    out->percent_base = (enum base)base;
    out->thresholds = (enum base)thresholds;
    out->round_at = (enum round_at)round;
    if (out->remainder != (enum remainder)remainder) /* each has a rounding of its own until another is said */
        out->share_rounding = remainder == REMAINDER_FIRST_LINES ? ROUND_DOWN : out->rounding;
    out->remainder = (enum remainder)remainder;
    struct spec_node share = spec_member(n, "share_rounding");
    if (share.v && out->remainder == REMAINDER_LARGEST)
        return spec_error(s, &share,
                          "says how shares are rounded, and with remainder = \"largest_remainder\" they are rounded down; leave it out");
    return rounding(s, n, "share_rounding", &out->share_rounding);
}

static int floor_compile(struct spec *s, const struct spec_node *n, struct floor_price *out)
{
    static const char *const known[] = { "scope", "price", NULL };
    int rc = spec_object(s, n, known);
    struct spec_node scope = spec_member(n, "scope"), price = spec_member(n, "price");
    if (rc == 0)
        rc = selector_compile(s, &scope, &out->scope);
    return rc < 0 ? rc : spec_money(s, &price, 0, &out->price_minor);
}

static int floors_compile(struct spec *s, const struct spec_node *n, struct policies *out)
{
    struct spec_node list = spec_member(n, "floors");
    if (!list.v)
        return 0;
    int rc = spec_list(s, &list);
    if (rc == 0 && list.v->count > FLOORS_MAX)
        return spec_error(s, &list, "there are at most %d floors", FLOORS_MAX);
    struct floor_price *floors = rc == 0 ? spec_array(s, list.v->count, sizeof *floors) : NULL;
    if (!floors)
        return rc < 0 ? rc : ERR_NOMEM;
    uint32_t i = 0;
    for (const struct json_value *m = list.v->first; m && rc == 0; m = m->next, i++) {
        struct spec_node e = spec_element(&list, m, i + 1);
        rc = floor_compile(s, &e, &floors[i]);
    }
    out->floors = floors;
    out->floor_count = i;
    return rc;
}

#define AMOUNTS "percent_base", "thresholds", "round", "remainder", "share_rounding", "rounding", "each", "earlier", "units"

int policies_own(struct spec *s, const struct spec_node *n, struct policies *out)
{
    static const char *const known[] = { AMOUNTS, NULL };
    int rc = spec_object(s, n, known);
    return rc < 0 ? rc : amounts(s, n, out);
}

int policies_compile(struct spec *s, const struct json_value *v, struct policies *out)
{
    static const char *const known[] = { AMOUNTS,  "stacking",  "lanes",  "code_case",     "order",
                                         "prices", "tax_round", "floors", "offers_within", NULL };
    struct spec_node root = spec_root(NULL);
    struct spec_node n = { .up = &root, .v = v, .key = "policies" };
    unsigned stacking = 0, code_case = 0;
    *out = (struct policies){ .share_rounding = ROUND_DOWN, .offers_within_ppm = OFFERS_WITHIN_PPM, .fold_codes = true };
    int rc = rounding_find(slice_str(roundings[0]), &out->rounding);
    if (!v || rc < 0)
        return rc;
    if ((rc = spec_object(s, &n, known)) < 0 || (rc = amounts(s, &n, out)) < 0 || (rc = floors_compile(s, &n, out)) < 0 ||
        (rc = choice(s, &n, "stacking", stackings, &stacking)) < 0 || (rc = flag(s, &n, "lanes", lanes, &out->best_of_lane)) < 0 ||
        (rc = flag(s, &n, "prices", lanes, &out->best_of_price)) < 0 || (rc = choice(s, &n, "code_case", cases, &code_case)) < 0 ||
        (rc = flag(s, &n, "order", orders, &out->priority_alone)) < 0 || (rc = flag(s, &n, "tax_round", taxes, &out->tax_per_unit)) < 0)
        return rc;
    if (out->best_of_lane && out->units_once)
        return spec_error(
            s, &n,
            "units = \"once\" needs campaigns that follow one another, lanes = \"best_per_line\" lets them bid at once; take one of them");
    if (stacking == STACKING_BEST && out->best_of_lane)
        return spec_error(
            s, &n,
            "stacking = \"best\" looks for a set for the whole cart, lanes = \"best_per_line\" chooses line by line; take one of them");
    struct spec_node within = spec_member(&n, "offers_within");
    if (within.v && (rc = spec_percent(s, &within, &out->offers_within_ppm)) < 0)
        return rc;
    out->stacking = (enum stacking)stacking;
    out->fold_codes = code_case == 0;
    return 0;
}
