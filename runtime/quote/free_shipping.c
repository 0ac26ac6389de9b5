/* Takes off what the chosen shipping option still costs; before the rate is known it is kept as a wish. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { NULL };
    (void)out;
    return spec_object(s, n, known);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    (void)a;
    return quote_eval_free_shipping(e, err);
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

const struct action_type free_shipping_type = { "free_shipping", STAGE_SHIPPING, true, compile, apply, most, steady, NULL };
