/* An action that is a function of the rulebook; it works through quote_eval_*. */
#include "quote/run_int.h"

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    int64_t fn;
    int rc = spec_int(s, n, 0, INT32_MAX, &fn);
    s->functions = true;
    if (rc == 0)
        out->fn = (int)fn;
    return rc;
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    return eval_call(e, a->fn, NULL, err);
}

const struct action_type function_type = { "fn", STAGE_ITEM, true, compile, apply, NULL, NULL, NULL };
