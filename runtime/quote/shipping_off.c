/* Takes a part off what shipping costs; before the rate is known it is kept as a wish. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "percent", "amount", "cap", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node percent = spec_member(n, "percent"), amount = spec_member(n, "amount"), cap = spec_member(n, "cap");
    if (!percent.v == !amount.v)
        return spec_error(s, n,
                          percent.v ? "has a percent and an amount; give one of them" : "has neither a percent nor an amount; give one");
    if (percent.v && (rc = spec_percent(s, &percent, &out->shipping.rate_ppm)) < 0)
        return rc;
    if (amount.v && (rc = spec_money(s, &amount, 1, &out->shipping.amount_minor)) < 0)
        return rc;
    if (cap.v && amount.v)
        return spec_error(s, &cap, "bounds a percent; an amount is its own bound");
    return cap.v ? spec_money(s, &cap, 1, &out->shipping.cap_minor) : 0;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    return eval_ship(e, a->shipping, err);
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    (void)e, (void)a, (void)set;
    return 0; /* off the lines */
}

static bool steady(const struct action *a)
{
    (void)a;
    return true;
}

int64_t shipping_part_of(struct shipping_part p, int64_t price_minor, enum rounding mode)
{
    int64_t off = p.amount_minor;
    if (p.rate_ppm)
        money_rate(price_minor, p.rate_ppm, mode, &off);
    if (p.cap_minor && off > p.cap_minor)
        off = p.cap_minor;
    return off < price_minor ? off : price_minor;
}

const struct action_type shipping_off_type = { "shipping_off", STAGE_SHIPPING, true, compile, apply, most, steady, NULL };
