/* Pricing rules: before any campaign they find what a line costs per unit. The price of the catalogue stays beside it, as compare_at. */
#include "quote/run_int.h"

bool quote_eval_may_propose(const struct quote_eval *e, uint32_t line)
{
    return e->proposed && line < e->cart->line_count && !e->cart->lines[line].own_price && !e->cart->lines[line].closed &&
           !(e->add_on && e->add_on[line]);
}

int quote_eval_propose(struct quote_eval *e, uint32_t line, int64_t unit_price_minor, struct err *err)
{
    int64_t ignored;
    if (!e->proposed)
        return err_set(err, ERR_STATE, "prices are proposed by pricing rules only");
    if (!quote_eval_may_propose(e, line))
        return err_field(err, ERR_INVALID, "line", "line %u has no price that a rule may change", line + 1);
    if (unit_price_minor < 0)
        return err_field(err, ERR_INVALID, "price", "a price can't be negative (%lld)", (long long)unit_price_minor);
    if (!money_mul(unit_price_minor, e->cart->lines[line].qty, &ignored))
        return err_field(err, ERR_OVERFLOW, "price", "the price times the quantity is more than can be counted");
    e->proposed[line] = unit_price_minor;
    return 0;
}

void prices_reset(struct quote_cart *cart)
{
    for (size_t i = 0; i < cart->line_count; i++)
        if (!cart->lines[i].own_price)
            cart->lines[i].unit_price_minor = cart->lines[i].product.price_minor;
}

static void fill(struct quote_eval *e)
{
    for (size_t i = 0; i < e->cart->line_count; i++)
        e->proposed[i] = e->cart->lines[i].unit_price_minor;
}

/* A function that fails half-way has proposed nothing. */
static int rule_run(struct quote_eval *e, const struct quote_rule *p, struct err *err)
{
    const struct rule_ask ask = { "pricing rule", e->hooks ? e->hooks->pricing : NULL, fill };
    bool skipped;
    int rc = rule_ask(e, p, &ask, &skipped, err);
    for (size_t i = 0; i < e->cart->line_count && rc == 0 && !skipped; i++)
        e->cart->lines[i].unit_price_minor = e->proposed[i];
    return rc;
}

/* The lines as they will be charged. */
static int settle(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    out->subtotal_minor = 0;
    for (size_t i = 0; i < e->cart->line_count; i++) {
        struct quote_line *l = &e->cart->lines[i];
        if (l->closed)
            continue;
        int rc = line_begin(l, i, err);
        if (rc < 0)
            return rc;
        if (!l->own_price && l->unit_price_minor < l->product.price_minor && l->compare_at_minor < l->product.price_minor)
            l->compare_at_minor = l->product.price_minor;
        e->remaining[i] = l->subtotal_minor;
        e->tails[i] = &l->discounts;
        if (!money_add(out->subtotal_minor, l->subtotal_minor, &out->subtotal_minor))
            return err_field(err, ERR_OVERFLOW, "/lines", "the cart costs more than can be counted; order less at once");
    }
    return 0;
}

int prices_find(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    struct err own;
    struct err *cause = err ? err : &own;
    int rc = 0;
    e->campaign = NULL;
    e->proposed = arena_array(e->arena, e->cart->line_count, sizeof *e->proposed);
    if (!e->proposed)
        return eval_nomem(e, cause);
    for (size_t i = 0; i < e->rules->pricing.count && rc == 0; i++)
        rc = rule_run(e, &e->rules->pricing.items[i], cause);
    e->proposed = NULL;
    return rc < 0 ? rc : settle(e, out, cause);
}
