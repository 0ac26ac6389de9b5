/* Any n units for a price: whole sets, the dearest units first, and no set becomes dearer than it was. */
#include "quote/units.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "n", "price", "max_sets", "on", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node size = spec_member(n, "n"), price = spec_member(n, "price"), max_sets = spec_member(n, "max_sets");
    if ((rc = spec_int(s, &size, 1, QUOTE_QTY_MAX, &out->set.size)) < 0 || (rc = spec_money(s, &price, 0, &out->set.price_minor)) < 0)
        return rc;
    if (max_sets.v && (rc = spec_int(s, &max_sets, 1, QUOTE_QTY_MAX, &out->set.max_sets)) < 0)
        return rc;
    return action_on(s, n, out);
}

struct making { /* a set that is not full yet */
    struct haul *haul;
    struct part *parts;
    size_t count;
    int64_t have, size, price_minor, sets_left;
};

static int part_add(struct making *m, uint32_t line, int64_t units, struct err *err)
{
    m->parts[m->count++] = (struct part){ line, units };
    m->have += units;
    if (m->have < m->size)
        return 0;
    int rc = haul_set_price(m->haul, m->parts, m->count, 1, m->price_minor, err);
    m->count = 0;
    m->have = 0;
    m->sets_left--;
    return rc;
}

/* Fills what was begun, makes whole sets of the line's own units at once, begins the next. */
static int line_add(struct making *m, uint32_t line, int64_t units, struct err *err)
{
    int rc = 0;
    if (m->have) {
        int64_t fill = m->size - m->have < units ? m->size - m->have : units;
        rc = part_add(m, line, fill, err);
        units -= fill;
    }
    int64_t whole = units / m->size < m->sets_left ? units / m->size : m->sets_left;
    if (rc == 0 && whole > 0) {
        struct part own = { line, m->size };
        rc = haul_set_price(m->haul, &own, 1, whole, m->price_minor, err);
        m->sets_left -= whole;
    }
    units -= whole * m->size;
    return rc == 0 && units > 0 && m->sets_left > 0 ? part_add(m, line, units, err) : rc;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    size_t count;
    int64_t units;
    struct quote_set set = eval_target(e, a);
    const uint32_t *lines = units_sorted(e, set, unit_dearer, &count, &units);
    struct haul haul;
    struct making m = { .haul = &haul, .size = a->set.size, .price_minor = a->set.price_minor };
    m.sets_left = a->set.max_sets ? a->set.max_sets : INT64_MAX;
    if (units < a->set.size) {
        why_set(e, "qty_below");
        why_int(e, "needed", a->set.size);
        why_int(e, "seen", units);
        return 0;
    }
    uint32_t *order = arena_alloc(e->arena, count * sizeof *order); /* splitting uses the scratch */
    m.parts = arena_array(e->arena, count + 1, sizeof *m.parts);
    if (!order || !m.parts)
        return eval_nomem(e, err);
    memcpy(order, lines, count * sizeof *order);
    int rc = haul_begin(e, &haul, err);
    for (size_t i = 0; i < count && rc == 0 && m.sets_left > 0; i++)
        rc = line_add(&m, order[i], e->cart->lines[order[i]].qty, err);
    return rc < 0 ? rc : haul_take(&haul, err);
}

const struct action_type n_for_type = { "n_for", STAGE_ITEM, false, compile, apply, NULL, NULL, NULL };
