/* A price of the whole set; or a price per unit, of all units or of so many, the dearest first; a unit that costs less stays as it is. */
#include "quote/units.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "price", "max_units", "per", "on", NULL }, *const pers[] = { "unit", "set", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node price = spec_member(n, "price"), max_units = spec_member(n, "max_units");
    if ((rc = spec_money(s, &price, 0, &out->fixed.price_minor)) < 0)
        return rc;
    if (max_units.v && (rc = spec_int(s, &max_units, 1, QUOTE_QTY_MAX, &out->fixed.max_units)) < 0)
        return rc;
    struct spec_node per = spec_member(n, "per");
    unsigned chosen = 0;
    if (per.v && (rc = spec_choice(s, &per, pers, &chosen)) < 0)
        return rc;
    out->fixed.of_set = chosen == 1;
    if (out->fixed.of_set && max_units.v)
        return spec_error(s, &max_units, "counts units, and the price is of the set as a whole; leave one of them out");
    return action_on(s, n, out);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    if (a->fixed.of_set) {
        struct quote_set set = eval_target(e, a);
        return amount_take(e, set, eval_still_costs(e, set) - a->fixed.price_minor, slice_str(""), err);
    }
    size_t count;
    int64_t units, due = a->fixed.max_units ? a->fixed.max_units : INT64_MAX;
    const uint32_t *lines = units_sorted(e, eval_target(e, a), unit_dearer, &count, &units);
    int rc = 0;
    for (size_t i = 0; i < count && due > 0 && rc == 0; i++) {
        int64_t qty = e->cart->lines[lines[i]].qty, k = qty < due ? qty : due, cost = units_cost(e, lines[i], 0, k), price;
        if (!money_mul(a->fixed.price_minor, k, &price) || cost <= price)
            break; /* the rest is cheaper still */
        due -= k;
        rc = eval_take(e, lines[i], cost - price, k, slice_str(""), err);
    }
    return rc;
}

static bool steady(const struct action *a)
{
    return a->fixed.max_units == 0 && !a->fixed.of_set;
}

const struct action_type fixed_price_type = { "fixed_price", STAGE_ITEM, false, compile, apply, NULL, steady, NULL };
