#include "quote/rules_int.h"

static const char *const stackings[] = { "priority", "best", NULL };
static const char *const roundings[] = { "half_away", "half_even", "half_down", "down", "up", "floor", "ceiling", NULL };
static const char *const bases[] = { "remaining", "list", NULL };
static const char *const lanes[] = { "all", "best_per_line", NULL };
static const char *const cases[] = { "ignore", "exact", NULL };

static int choice(struct spec *s, const struct spec_node *n, const char *key, const char *const *choices, unsigned *out)
{
    struct spec_node m = spec_member(n, key);
    *out = 0; /* the first is the default */
    return m.v ? spec_choice(s, &m, choices, out) : 0;
}

int policies_compile(struct spec *s, const struct json_value *v, struct policies *out)
{
    static const char *const known[] = { "stacking", "lanes", "rounding", "percent_base", "thresholds", "code_case", NULL };
    struct spec_node root = spec_root(NULL);
    struct spec_node n = { .up = &root, .v = v, .key = "policies" };
    unsigned stacking = 0, lane = 0, rounding = 0, percent_base = 0, thresholds = 0, code_case = 0;
    if (v) {
        int rc;
        if ((rc = spec_object(s, &n, known)) < 0 || (rc = choice(s, &n, "stacking", stackings, &stacking)) < 0 ||
            (rc = choice(s, &n, "lanes", lanes, &lane)) < 0 || (rc = choice(s, &n, "rounding", roundings, &rounding)) < 0 ||
            (rc = choice(s, &n, "percent_base", bases, &percent_base)) < 0 || (rc = choice(s, &n, "thresholds", bases, &thresholds)) < 0 ||
            (rc = choice(s, &n, "code_case", cases, &code_case)) < 0)
            return rc;
        if (stacking == STACKING_BEST && lane == 1)
            return spec_error(
                s, &n,
                "stacking = \"best\" looks for a set for the whole cart, lanes = \"best_per_line\" chooses line by line; take one of them");
    }
    *out = (struct policies){
        .stacking = (enum stacking)stacking,
        .best_of_lane = lane == 1,
        .percent_base = (enum base)percent_base,
        .thresholds = (enum base)thresholds,
        .fold_codes = code_case == 0,
    };
    return rounding_find(slice_str(roundings[rounding]), &out->rounding);
}
