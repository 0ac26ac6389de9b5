/* The second one at half price: units from the dearest down, in groups of n; of each whole group the last is reduced. Among the units of
 * one SKU, or of all lines together. */
#include "quote/units.h"

static const char *const amongs[] = { "same_sku", "scope", NULL };

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "n", "percent", "among", "max_sets", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node nth = spec_member(n, "n"), percent = spec_member(n, "percent"), among = spec_member(n, "among");
    struct spec_node max_sets = spec_member(n, "max_sets");
    unsigned chosen = 0;
    if ((rc = spec_int(s, &nth, 2, QUOTE_QTY_MAX, &out->nth.n)) < 0 || (rc = spec_percent(s, &percent, &out->nth.rate_ppm)) < 0)
        return rc;
    if (among.v && (rc = spec_choice(s, &among, amongs, &chosen)) < 0)
        return rc;
    if (max_sets.v && (rc = spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->nth.max_sets)) < 0)
        return rc;
    out->nth.same_sku = chosen == 0;
    return action_on(s, n, out);
}

static bool by_sku(const struct quote_eval *e, uint32_t a, uint32_t b)
{
    symbol x = e->cart->lines[a].product.sku, y = e->cart->lines[b].product.sku;
    return x != y ? x < y : unit_dearer(e, a, b);
}

/* The most units that a group of lines has: what is needed is seen there. */
static int64_t largest(const struct quote_eval *e, const uint32_t *lines, size_t count, bool same_sku)
{
    int64_t most = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (same_sku && i > 0 && e->cart->lines[lines[i]].product.sku != e->cart->lines[lines[i - 1]].product.sku)
            sum = 0;
        sum += e->cart->lines[lines[i]].qty;
        most = sum > most ? sum : most;
    }
    return most;
}

struct places {            /* how many units of its group have passed */
    const uint32_t *group; /* per line: the first line of its group */
    int64_t *passed;       /* per line; counted at the group's first */
};

/* lines are sorted by group. */
static int places_begin(struct quote_eval *e, struct places *p, const uint32_t *lines, size_t count, bool same_sku, struct err *err)
{
    uint32_t *group = arena_array(e->arena, e->cart->line_count, sizeof *group);
    *p = (struct places){ group, arena_array(e->arena, e->cart->line_count, sizeof *p->passed) };
    if (!group || !p->passed)
        return eval_nomem(e, err);
    for (size_t i = 0; i < count; i++) {
        bool joins = i > 0 && (!same_sku || e->cart->lines[lines[i]].product.sku == e->cart->lines[lines[i - 1]].product.sku);
        group[lines[i]] = joins ? group[lines[i - 1]] : lines[i];
    }
    return 0;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    size_t count;
    struct places p;
    struct quote_set target = eval_target(e, a);
    int64_t units, left = a->nth.max_sets ? a->nth.max_sets : INT64_MAX, n = a->nth.n;
    const uint32_t *lines = units_sorted(e, target, a->nth.same_sku ? by_sku : unit_dearer, &count, &units);
    int64_t seen = largest(e, lines, count, a->nth.same_sku);
    if (seen < n) {
        why_set(e, "qty_below");
        why_int(e, "needed", n);
        why_int(e, "seen", seen);
        return 0;
    }
    int rc = places_begin(e, &p, lines, count, a->nth.same_sku, err);
    /* Sets are counted from the dearest reduced unit down: what symbols SKUs have must not show. */
    lines = units_sorted(e, target, unit_dearer, &count, &units);
    for (size_t i = 0; i < count && rc == 0; i++) {
        const struct quote_line *l = &e->cart->lines[lines[i]];
        int64_t *passed = &p.passed[p.group[lines[i]]];
        int64_t hits = (*passed + l->qty) / n - *passed / n;
        *passed += l->qty;
        hits = hits < left ? hits : left;
        left -= hits;
        rc = eval_take(e, lines[i], units_share(e, lines[i], hits, a->nth.rate_ppm), hits, slice_str(""), err);
    }
    return rc;
}

const struct action_type nth_unit_type = { "nth_unit", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
