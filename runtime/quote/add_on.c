/* An add-on: something that the client takes from a campaign (line.from) for a price of its own, once the campaign's conditions hold. Gates
 * are asked about it as about any line; then it is in no set of lines, so no threshold counts it and no other campaign has it. */
#include "quote/run_int.h"
#include <stdio.h>

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "sku", "price", "max_units", "every", "on", NULL };
    struct spec_node sku = spec_member(n, "sku"), price = spec_member(n, "price"), max_units = spec_member(n, "max_units");
    struct spec_node every = spec_member(n, "every"), on = spec_member(n, "on");
    int rc = spec_object(s, n, known);
    if (rc == 0 && !sku.v)
        return spec_error(s, &sku, "is missing; name what can be added");
    if (rc < 0 || (rc = spec_names(s, &sku, &out->add_on.skus)) < 0 || (rc = spec_money(s, &price, 0, &out->add_on.price_minor)) < 0)
        return rc;
    out->add_on.max_units = 1;
    if (max_units.v && (rc = spec_int(s, &max_units, 1, QUOTE_QTY_MAX, &out->add_on.max_units)) < 0)
        return rc;
    if (every.v && (rc = spec_money(s, &every, 1, &out->add_on.every_minor)) < 0)
        return rc;
    if (on.v && !every.v)
        return spec_error(s, &on, "is what every measures; say every, or leave it out");
    return action_on(s, n, out);
}

static bool is_of(const struct quote_eval *e, const struct action *a, uint32_t line)
{
    return e->add_on[line] == e->campaign_number + 1 && names_have(&a->add_on.skus, e->cart->lines[line].product.sku);
}

static int64_t multiply(int64_t units, int64_t times)
{
    return times > QUOTE_QTY_MAX / units ? QUOTE_QTY_MAX : units * times;
}

/* How many it is for; 0, and why. */
static int64_t units_of(struct quote_eval *e, const struct action *a)
{
    if (a->add_on.every_minor == 0)
        return a->add_on.max_units;
    int64_t seen = eval_threshold(e, eval_target(e, a)), times = seen / a->add_on.every_minor;
    if (times == 0) {
        why_set(e, "subtotal_below");
        why_money(e, "needed", a->add_on.every_minor);
        why_money(e, "seen", seen);
    }
    return multiply(a->add_on.max_units, times);
}

int64_t add_on_left(struct quote_eval *e, const struct action *a)
{
    int64_t due = units_of(e, a);
    for (size_t i = 0; e->add_on && i < e->sale.count && due > 0; i++)
        if (is_of(e, a, e->sale.lines[i]))
            due -= e->cart->lines[e->sale.lines[i]].qty;
    return due > 0 ? due : 0;
}

static int64_t take_line(struct quote_eval *e, const struct action *a, uint32_t line, int64_t due, struct err *err, int *rc)
{
    const struct quote_line *l = &e->cart->lines[line];
    int64_t units = l->qty < due ? l->qty : due, off = (l->unit_price_minor - a->add_on.price_minor) * units;
    if (off > e->remaining[line])
        off = e->remaining[line]; /* two actions of one campaign may name the SKU */
    if (off > 0)
        *rc = eval_take(e, line, off, units, slice_str(""), err);
    return units;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    int64_t due = units_of(e, a);
    bool any = due == 0; /* then that is why */
    int rc = 0;
    for (size_t i = 0; e->add_on && i < e->sale.count && due > 0 && rc == 0; i++) {
        uint32_t line = e->sale.lines[i];
        if (!is_of(e, a, line))
            continue;
        any = true;
        due -= take_line(e, a, line, due, err, &rc);
    }
    if (!any) {
        why_set(e, "add_on_not_taken");
        why_text(e, "sku", symbols_name(e->rules->symbols, a->add_on.skus.items[0]));
        why_money(e, "price", a->add_on.price_minor);
    }
    return rc;
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    int64_t sum = 0;
    uint32_t number = (uint32_t)(e->campaign - e->rules->campaigns);
    (void)set;
    for (size_t i = 0; e->add_on && i < e->sale.count; i++) {
        uint32_t line = e->sale.lines[i];
        if (e->add_on[line] == number + 1 && names_have(&a->add_on.skus, e->cart->lines[line].product.sku))
            sum += e->remaining[line];
    }
    return sum;
}

/* Who pays less for what is measured gets fewer of them. */
static bool steady(const struct action *a)
{
    return a->add_on.every_minor == 0;
}

static bool measures(const struct action *a)
{
    return a->add_on.every_minor > 0;
}

const struct action_type add_on_price_type = { "add_on_price", STAGE_ORDER, false, compile, apply, most, steady, measures };

/* --- lines ------------------------------------------------------------------------------------------------------------------- */

static bool offers(const struct quote_campaign *c, symbol sku)
{
    for (uint32_t i = 0; i < c->give_count; i++)
        if (c->give[i].type == &add_on_price_type && names_have(&c->give[i].add_on.skus, sku))
            return true;
    return false;
}

static int refuse(const struct quote_eval *e, size_t line, struct err *err)
{
    const struct quote_line *l = &e->cart->lines[line];
    char field[32];
    snprintf(field, sizeof field, "/lines/%zu/from", line);
    int shown = l->from.len < 64 ? (int)l->from.len : 64;
    if (e->cart->no_campaigns)
        return err_field(err, ERR_INVALID, field, "The prices of this cart are final, so no line of it is an add-on; leave from out.");
    err_reason(err, ERR_INVALID, "unknown_add_on", "No campaign \"%.*s\" offers \"%.*s\" as an add-on; leave from out to buy it as it is.",
               shown, l->from.data, SLICE_FMT(symbols_name(e->rules->symbols, l->product.sku)));
    if (err)
        snprintf(err->field, sizeof err->field, "%s", field);
    return ERR_INVALID;
}

int add_ons_begin(struct quote_eval *e, struct err *err)
{
    const struct quote_cart *cart = e->cart;
    for (size_t i = 0; i < cart->line_count; i++) {
        uint32_t number;
        if (cart->lines[i].from.len == 0)
            continue;
        if (!e->add_on && !(e->add_on = arena_array(e->arena, cart->line_count, sizeof *e->add_on)))
            return eval_nomem(e, err);
        if (cart->no_campaigns || !quote_campaign_find(e->rules, cart->lines[i].from, &number) ||
            !offers(&e->rules->campaigns[number], cart->lines[i].product.sku))
            return refuse(e, i, err);
        e->add_on[i] = number + 1;
    }
    return 0;
}

int add_ons_part(struct quote_eval *e, struct err *err)
{
    size_t left = 0;
    if (!e->add_on)
        return 0;
    uint32_t *sale = arena_array(e->arena, e->every_count, sizeof *sale);
    if (!sale)
        return eval_nomem(e, err);
    e->sale = (struct quote_set){ sale, e->every_count };
    memset(&e->cart_marks, 0, sizeof e->cart_marks);
    for (size_t i = 0; i < e->sale.count; i++) {
        uint32_t line = sale[i] = e->every[i];
        if (e->add_on[line])
            continue;
        e->every[left++] = line;
        for (unsigned k = 0; k < SELECT_LEAVES; k++)
            e->cart_marks.bits[k] |= e->marks[line].bits[k];
    }
    e->every_count = left;
    return 0;
}

void add_ons_finish(struct quote_eval *e)
{
    for (size_t i = 0; e->add_on && i < e->sale.count; i++) {
        struct quote_line *l = &e->cart->lines[e->sale.lines[i]];
        for (const struct quote_discount *d = l->discounts; d; d = d->next)
            if (d->campaign + 1 == e->add_on[e->sale.lines[i]])
                l->origin = e->add_on[e->sale.lines[i]];
    }
}
