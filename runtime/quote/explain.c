#include "quote/run_int.h"
#include <assert.h>

const char *const quote_reason_codes[] = {
    "weekday_differs",
    "time_of_day_differs",
    "payment_method_differs",
    "store_differs",
    "not_yet",
    "over",
    "no_lines",
    "code_missing",
    "customer_tag_missing",
    "not_in_cart",
    "excluded",
    "channel_differs",
    "region_differs",
    "subtotal_below",
    "subtotal_above",
    "qty_below",
    "qty_above",
    "sign_in",
    "fact_missing",
    "fact_below",
    "fact_above",
    "fact_differs",
    "customer_not_new",
    "not_first_order",
    "order_number_differs",
    "order_number_not_every",
    "bought_below",
    "condition_false",
    "failed",
    "nothing_to_discount",
    "no_shipping",
    "bundle_incomplete",
    "gift_sold_out",
    "add_on_not_taken",
    "limit_used_up",
    "customer_limit_reached",
    "lost",
    "stopped",
    "not_in_share",
    NULL,
};

void why_clear(struct quote_eval *e)
{
    e->why.reason = NULL;
    e->why.param_count = 0;
}

void why_set(struct quote_eval *e, const char *reason)
{
    e->why.reason = reason;
    e->why.at = (struct quote_place){ e->condition, e->action };
    e->why.param_count = 0;
}

static struct quote_param *param(struct quote_eval *e, const char *name)
{
    assert(e->why.param_count < WHY_PARAMS);
    struct quote_param *p = &e->why.params[e->why.param_count++];
    p->name = name;
    return p;
}

void why_money(struct quote_eval *e, const char *name, int64_t minor)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_MONEY;
    p->number = minor;
}

void why_int(struct quote_eval *e, const char *name, int64_t v)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_INT;
    p->number = v;
}

void why_minute(struct quote_eval *e, const char *name, int64_t minute)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_MINUTE;
    p->number = minute;
}

void why_percent(struct quote_eval *e, const char *name, int64_t ppm)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_PERCENT;
    p->number = ppm;
}

void why_time(struct quote_eval *e, const char *name, int64_t ms)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_TIME;
    p->number = ms;
}

void why_text(struct quote_eval *e, const char *name, struct slice text)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_TEXT;
    p->text = text;
}

void why_failed(struct quote_eval *e, int rc)
{
    why_set(e, "failed");
    why_text(e, "error", slice_str(err_name(rc)));
    if (e->failed_fact)
        why_text(e, "fact", symbols_name(e->rules->symbols, e->failed_fact));
}

void why_bool(struct quote_eval *e, const char *name, bool v)
{
    struct quote_param *p = param(e, name);
    p->kind = QUOTE_PARAM_BOOL;
    p->number = v;
}

int why_keep(struct quote_eval *e, struct quote_outcome *out, struct err *err)
{
    out->reason = e->why.reason ? e->why.reason : "nothing_to_discount";
    out->at = e->why.reason ? e->why.at : (struct quote_place){ 0 };
    return why_params(e, &out->params, err);
}

int why_params(struct quote_eval *e, struct quote_param **out, struct err *err)
{
    const struct why *w = &e->why;
    *out = NULL;
    if (w->param_count == 0)
        return 0;
    struct quote_param *kept = arena_alloc(e->arena, w->param_count * sizeof *kept);
    if (!kept)
        return eval_nomem(e, err);
    for (unsigned i = 0; i < w->param_count; i++) {
        kept[i] = w->params[i];
        kept[i].next = i + 1 < w->param_count ? &kept[i + 1] : NULL;
    }
    *out = kept;
    return 0;
}
