/* The cheapest units, free or reduced: so many of all, whatever else is bought. */
#include "quote/units.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "units", "percent", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node units = spec_member(n, "units"), percent = spec_member(n, "percent");
    out->units.get = 1;
    out->units.rate_ppm = RATE_ONE_PPM;
    if (units.v && (rc = spec_int(s, &units, 1, QUOTE_QTY_MAX, &out->units.get)) < 0)
        return rc;
    if (percent.v && (rc = spec_percent(s, &percent, &out->units.rate_ppm)) < 0)
        return rc;
    return action_on(s, n, out);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    size_t count;
    int64_t units, due = a->units.get;
    const uint32_t *lines = units_sorted(e, eval_target(e, a), unit_cheaper, &count, &units);
    int rc = 0;
    for (size_t i = 0; i < count && due > 0 && rc == 0; i++) {
        int64_t qty = e->cart->lines[lines[i]].qty, k = qty < due ? qty : due;
        due -= k;
        rc = eval_take(e, lines[i], units_share(e, lines[i], k, a->units.rate_ppm), k, slice_str(""), err);
    }
    return rc;
}

const struct action_type cheapest_free_type = { "cheapest_free", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
