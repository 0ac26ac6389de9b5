/* So many of this and so many of that, together for a price, or so many percent off: whole bundles, of each kind the dearest units that are
 * left. What a unit is in one bundle for it is not in another. */
#include "quote/units.h"

enum { ITEMS_MAX = 20 };

static int item_compile(struct spec *s, const struct spec_node *n, struct bundle_item *out)
{
    struct spec_node of = spec_member(n, "of"), qty = spec_member(n, "qty");
    static const char *const known[] = { "of", "qty", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    out->qty = 1;
    if (!of.v)
        return spec_error(s, &of, "is missing; name the lines that this part of the bundle is taken from");
    if (qty.v && (rc = spec_int(s, &qty, 1, QUOTE_QTY_MAX, &out->qty)) < 0)
        return rc;
    return selector_compile(s, &of, &out->of);
}

static int items_compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    int rc = spec_list(s, n);
    if (rc < 0)
        return rc;
    if (n->v->count > ITEMS_MAX)
        return spec_error(s, n, "a bundle has at most %d items", ITEMS_MAX);
    struct bundle_item *items = spec_array(s, n->v->count, sizeof *items);
    if (!items)
        return ERR_NOMEM;
    for (const struct json_value *m = n->v->first; m && rc == 0; m = m->next) {
        struct spec_node e = spec_element(n, m, out->bundle.count + 1);
        rc = item_compile(s, &e, &items[out->bundle.count++]);
    }
    out->bundle.items = items;
    return rc;
}

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "items", "price", "percent", "max_sets", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node items = spec_member(n, "items"), price = spec_member(n, "price"), percent = spec_member(n, "percent");
    struct spec_node max_sets = spec_member(n, "max_sets");
    if ((rc = items_compile(s, &items, out)) < 0)
        return rc;
    if (!price.v == !percent.v)
        return spec_error(s, n, price.v ? "has a price and a percent; give one of them" : "has neither a price nor a percent; give one");
    if (price.v && (rc = spec_money(s, &price, 0, &out->bundle.price_minor)) < 0)
        return rc;
    if (percent.v && (rc = spec_percent(s, &percent, &out->bundle.rate_ppm)) < 0)
        return rc;
    return max_sets.v ? spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->bundle.max_sets) : 0;
}

struct packing {
    struct quote_eval *e;
    struct haul haul;
    const uint32_t *lines; /* of the scope, the dearest first */
    size_t count;
    struct part *parts;
    size_t part_count;
    int64_t *planned; /* per line: units of the bundle that is being put together */
};

static int64_t left_of(const struct packing *p, uint32_t line)
{
    return p->e->cart->lines[line].qty - p->haul.used[line] - p->planned[line];
}

static bool item_pick(struct packing *p, const struct bundle_item *item)
{
    int64_t due = item->qty;
    for (size_t i = 0; i < p->count && due > 0; i++) {
        uint32_t line = p->lines[i];
        int64_t left = left_of(p, line), units = left < due ? left : due;
        if (units == 0 || !selector_match(&item->of, &p->e->cart->lines[line].product, &p->e->marks[line]))
            continue;
        p->planned[line] += units;
        due -= units;
    }
    return due == 0;
}

/* One bundle, as parts, each line once; how often it can be made just so is *times. */
static bool bundle_pick(struct packing *p, const struct action *a, int64_t *times)
{
    bool whole = true;
    for (uint32_t i = 0; i < a->bundle.count && whole; i++)
        whole = item_pick(p, &a->bundle.items[i]);
    p->part_count = 0;
    for (size_t i = 0; i < p->count; i++) {
        uint32_t line = p->lines[i];
        int64_t units = p->planned[line];
        if (units == 0)
            continue;
        int64_t fits = (p->e->cart->lines[line].qty - p->haul.used[line]) / units;
        *times = fits < *times ? fits : *times;
        p->parts[p->part_count++] = (struct part){ line, units };
        p->planned[line] = 0;
    }
    return whole;
}

static int bundle_reduce(struct packing *p, const struct action *a, int64_t times, struct err *err)
{
    if (a->bundle.rate_ppm == 0)
        return haul_set_price(&p->haul, p->parts, p->part_count, times, a->bundle.price_minor, err);
    for (size_t i = 0; i < p->part_count; i++) {
        uint32_t line = p->parts[i].line;
        p->haul.units[line] += p->parts[i].units * times;
        p->haul.used[line] += p->parts[i].units * times;
    }
    return 0;
}

/* So many percent of the units that are in bundles, rounded once per line. */
static void bundles_percent(struct packing *p, const struct action *a)
{
    for (size_t i = 0; i < p->count && a->bundle.rate_ppm; i++) {
        uint32_t line = p->lines[i];
        p->haul.off[line] = units_share(p->e, line, p->haul.units[line], a->bundle.rate_ppm);
    }
}

static int packing_begin(struct packing *p, const struct action *a, struct err *err)
{
    struct quote_eval *e = p->e;
    int64_t units;
    const uint32_t *sorted = units_sorted(e, eval_target(e, a), unit_dearer, &p->count, &units);
    uint32_t *lines = arena_alloc(e->arena, p->count * sizeof *lines); /* splitting uses the scratch */
    p->parts = arena_array(e->arena, p->count + 1, sizeof *p->parts);
    p->planned = arena_array(e->arena, e->cart->line_count, sizeof *p->planned);
    if (!lines || !p->parts || !p->planned)
        return eval_nomem(e, err);
    memcpy(lines, sorted, p->count * sizeof *lines);
    p->lines = lines;
    return haul_begin(e, &p->haul, err);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    struct packing p = { .e = e };
    int64_t left = a->bundle.max_sets ? a->bundle.max_sets : INT64_MAX, times = left;
    int rc = packing_begin(&p, a, err);
    bool any = false;
    while (rc == 0 && left > 0 && bundle_pick(&p, a, &times)) {
        rc = bundle_reduce(&p, a, times, err);
        left -= times;
        times = left;
        any = true;
    }
    if (rc == 0)
        bundles_percent(&p, a);
    if (rc == 0 && !any)
        why_set(e, "bundle_incomplete");
    return rc < 0 ? rc : haul_take(&p.haul, err);
}

const struct action_type bundle_type = { "bundle", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
