/* So many of this and so many of that, together for a price, or so many percent off: whole bundles, of each kind the dearest units that are
 * left. What a unit is in one bundle for it is not in another. */
#include "quote/units.h"
#include "quote/heap.h"

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

struct candidates { /* of an item: places of lines that it may be taken from, the dearest first */
    uint32_t *places;
    size_t count, next; /* before next all are used up */
};

struct packing {
    struct quote_eval *e;
    struct haul haul;
    const uint32_t *lines; /* of the scope, the dearest first; a place is where a line stands in it */
    size_t count;
    struct candidates items[ITEMS_MAX];
    struct part *parts;
    size_t part_count;
    int64_t *planned;  /* by place: units of the bundle that is being put together */
    uint32_t *touched; /* places that have some */
    size_t touched_count;
};

static int64_t unused(const struct packing *p, uint32_t place)
{
    uint32_t line = p->lines[place];
    return p->e->cart->lines[line].qty - p->haul.used[line];
}

static bool item_pick(struct packing *p, struct candidates *c, int64_t due)
{
    while (c->next < c->count && unused(p, c->places[c->next]) == 0)
        c->next++;
    for (size_t i = c->next; i < c->count && due > 0; i++) {
        uint32_t place = c->places[i];
        int64_t left = unused(p, place) - p->planned[place], units = left < due ? left : due;
        if (units == 0)
            continue;
        if (p->planned[place] == 0)
            p->touched[p->touched_count++] = place;
        p->planned[place] += units;
        due -= units;
    }
    return due == 0;
}

static bool comes_after(const void *ctx, uint32_t a, uint32_t b)
{
    (void)ctx;
    return a > b;
}

/* One bundle, as parts, each line once, the dearest first; how often it can be made just so is *times. Each one uses a line up, so there
 * are no more of them than lines. */
static bool bundle_pick(struct packing *p, const struct action *a, int64_t *times)
{
    bool whole = true;
    p->touched_count = 0;
    for (uint32_t i = 0; i < a->bundle.count && whole; i++)
        whole = item_pick(p, &p->items[i], a->bundle.items[i].qty);
    heap_sort(p->touched, p->touched_count, comes_after, NULL);
    p->part_count = 0;
    for (size_t i = 0; i < p->touched_count; i++) {
        uint32_t place = p->touched[i];
        int64_t units = p->planned[place], fits = unused(p, place) / units;
        *times = fits < *times ? fits : *times;
        p->parts[p->part_count++] = (struct part){ p->lines[place], units };
        p->planned[place] = 0;
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

static int candidates_find(struct packing *p, const struct bundle_item *item, struct candidates *out, struct err *err)
{
    const struct quote_eval *e = p->e;
    out->places = arena_alloc(e->arena, p->count * sizeof *out->places);
    if (!out->places)
        return eval_nomem(p->e, err);
    for (uint32_t place = 0; place < p->count; place++)
        if (selector_match(&item->of, &e->cart->lines[p->lines[place]].product, &e->marks[p->lines[place]]))
            out->places[out->count++] = place;
    return 0;
}

static int packing_begin(struct packing *p, const struct action *a, struct err *err)
{
    struct quote_eval *e = p->e;
    int64_t units;
    const uint32_t *sorted = units_sorted(e, eval_target(e, a), unit_dearer, &p->count, &units);
    uint32_t *lines = arena_alloc(e->arena, p->count * sizeof *lines); /* splitting uses the scratch */
    p->parts = arena_array(e->arena, p->count + 1, sizeof *p->parts);
    p->planned = arena_array(e->arena, p->count + 1, sizeof *p->planned);
    p->touched = arena_alloc(e->arena, (p->count + 1) * sizeof *p->touched);
    if (!lines || !p->parts || !p->planned || !p->touched)
        return eval_nomem(e, err);
    memcpy(lines, sorted, p->count * sizeof *lines);
    p->lines = lines;
    for (uint32_t i = 0; i < a->bundle.count; i++)
        if (candidates_find(p, &a->bundle.items[i], &p->items[i], err) < 0)
            return ERR_NOMEM;
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
