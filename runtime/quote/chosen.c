/* Some units of a line: at most so many, in all or of each line, only whole groups, the first, the cheapest or the dearest of the set. */
#include "quote/units.h"
#include "quote/heap.h"

int chosen_compile(struct spec *s, const struct spec_node *n, struct chosen *out)
{
    static const char *const picks[] = { "first", "cheapest", "dearest", NULL };
    const struct {
        const char *key;
        int64_t *value;
    } bounds[] = {
        { "max_units", &out->max_units },
        { "max_units_per_line", &out->max_units_per_line },
        { "whole", &out->whole },
        { "whole_per_line", &out->whole_per_line },
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && rc == 0; i++) {
        struct spec_node m = spec_member(n, bounds[i].key);
        if (m.v)
            rc = spec_int(s, &m, 1, QUOTE_QTY_MAX, bounds[i].value);
    }
    struct spec_node pick = spec_member(n, "pick");
    unsigned chosen = 0;
    if (rc == 0 && pick.v)
        rc = spec_choice(s, &pick, picks, &chosen);
    if (rc == 0 && pick.v && !out->max_units && !out->whole)
        return spec_error(s, &pick, "says which units come first, and all are meant; add max_units, or leave it out");
    out->pick = (enum pick)chosen;
    return rc;
}

static int64_t of_line(const struct quote_eval *e, const struct chosen *c, uint32_t line)
{
    int64_t units = e->remaining[line] ? e->cart->lines[line].qty : 0; /* what costs nothing does not count */
    if (c->max_units_per_line && units > c->max_units_per_line)
        units = c->max_units_per_line;
    return c->whole_per_line ? units - units % c->whole_per_line : units;
}

struct order { /* of places in a set */
    const struct quote_eval *e;
    const uint32_t *lines;
    bool (*before)(const struct quote_eval *, uint32_t, uint32_t);
};

static bool comes_after(const void *order, uint32_t a, uint32_t b)
{
    const struct order *o = order;
    return o->before(o->e, o->lines[b], o->lines[a]);
}

/* The places of the set, in the order in which their units are taken. */
static int in_order(struct quote_eval *e, enum pick pick, struct quote_set set, uint32_t **out, struct err *err)
{
    const struct order order = { e, set.lines, pick == PICK_CHEAPEST ? unit_cheaper : unit_dearer };
    uint32_t *places = arena_array(e->arena, set.count, sizeof *places);
    if (!places)
        return eval_nomem(e, err);
    for (uint32_t i = 0; i < set.count; i++)
        places[i] = i;
    if (pick != PICK_FIRST)
        heap_sort(places, set.count, comes_after, &order);
    *out = places;
    return 0;
}

int chosen_units(struct quote_eval *e, const struct chosen *c, struct quote_set set, int64_t **out, struct err *err)
{
    *out = NULL;
    if (!c || !chosen_any(c))
        return 0;
    int64_t *units = arena_array(e->arena, set.count, sizeof *units), sum = 0;
    uint32_t *places;
    if (!units)
        return eval_nomem(e, err);
    for (size_t i = 0; i < set.count; i++) {
        units[i] = of_line(e, c, set.lines[i]);
        sum += units[i]; /* QUOTE_LINES_MAX × QUOTE_QTY_MAX at most */
    }
    int64_t left = c->whole ? sum - sum % c->whole : sum;
    left = c->max_units && left > c->max_units ? c->max_units : left;
    int rc = in_order(e, c->pick, set, &places, err);
    for (size_t i = 0; i < set.count && rc == 0; i++) {
        int64_t *u = &units[places[i]];
        *u = *u < left ? *u : left;
        left -= *u;
    }
    *out = units;
    return rc;
}

int64_t chosen_cost(const struct quote_eval *e, uint32_t line, int64_t units, enum base base)
{
    const struct quote_line *l = &e->cart->lines[line];
    int64_t list = l->unit_price_minor * units; /* units <= qty, and that product was checked */
    if (base == BASE_LIST)
        return list;
    if (units == l->qty || !e->campaign->policies->same_units_first)
        return units_cost(e, line, 0, units);
    int64_t gone = l->subtotal_minor - e->remaining[line];
    return list > gone ? list - gone : 0;
}
