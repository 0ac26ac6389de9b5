/* Asking a function for a price, for ways to send a cart, for a tax rate. Its failure is the quote's unless it may be left out. */
#include "quote/run_int.h"

static int ask_once(struct quote_eval *e, const struct quote_rule *rule, const struct rule_ask *ask, struct err *err)
{
    ask->reset(e);
    err_clear(err);
    e->rule = rule;
    e->calls++;
    int rc = ask->hook(e->hooks->ctx, rule->fn, e, err);
    e->rule = NULL;
    return rc;
}

int rule_ask(struct quote_eval *e, const struct quote_rule *rule, const struct rule_ask *ask, bool *skipped, struct err *err)
{
    enum quote_standing standing = quote_standing_of(e->cart, slice_str(rule->owner));
    *skipped = standing != QUOTE_WORKS && rule->skip_on_failure;
    if (*skipped)
        ask->reset(e);
    if (*skipped || standing == QUOTE_STOPPED)
        return *skipped ? 0 : stopped_refuse(slice_str(rule->owner), err);
    if (!e->hooks || !ask->hook)
        return err_set(err, ERR_INTERNAL, "the rules have a %s, and nothing was given that runs it", ask->kind);
    e->scope = eval_every(e);
    int rc = ask_once(e, rule, ask, err);
    if (rc == ERR_RETRY && !e->broken)
        rc = ask_once(e, rule, ask, err);
    if (e->broken)
        return eval_nomem(e, err);
    *skipped = rc < 0 && rule->skip_on_failure && rc != ERR_NOMEM && rc != ERR_INTERNAL;
    if (*skipped) {
        ask->reset(e);
        err_clear(err);
        return 0;
    }
    return rc < 0 ? err_wrap(err, "%s %s", ask->kind, rule->name) : 0;
}
