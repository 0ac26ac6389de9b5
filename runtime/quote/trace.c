/* What a quote came to, as short as it can be said: which campaigns applied and with how much, why the others did not, what it uses up. */
#include "quote/quote.h"

enum { NOT_APPLIED_MAX = 50 };

static void member_write(struct json_writer *w, const struct quote_param *p)
{
    if (p->kind == QUOTE_PARAM_TEXT)
        json_string(w, p->text);
    else
        json_int(w, p->number);
}

static void outcome_write(const struct quote_rules *r, const struct quote_outcome *o, struct json_writer *w)
{
    json_array(w);
    json_string(w, quote_campaign_id(r, o->campaign));
    if (o->applied) {
        json_int(w, o->amount_minor);
    } else {
        json_str(w, o->reason);
        for (const struct quote_param *p = o->params; p; p = p->next)
            member_write(w, p);
    }
    json_array_end(w);
}

static void takes_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    json_key(w, "u");
    json_array(w);
    for (size_t i = 0; i < q->take_count; i++) {
        json_array(w);
        json_string(w, quote_campaign_id(r, q->takes[i].campaign));
        json_str(w, q->takes[i].limit);
        json_int(w, q->takes[i].amount);
        json_array_end(w);
    }
    json_array_end(w);
}

void quote_trace_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    int64_t kept = 0, all = 0;
    json_object(w);
    json_key(w, "total");
    json_int(w, q->total_minor);
    json_key(w, "c");
    json_array(w);
    for (size_t i = 0; i < q->outcome_count; i++) {
        const struct quote_outcome *o = &q->outcomes[i];
        all += !o->applied;
        if (!o->applied && kept == NOT_APPLIED_MAX)
            continue;
        kept += !o->applied;
        outcome_write(r, o, w);
    }
    json_array_end(w);
    if (all > kept) {
        json_key(w, "m");
        json_int(w, all - kept);
    }
    if (q->take_count)
        takes_write(r, q, w);
    if (q->searched) {
        json_key(w, "p");
        json_bool(w, q->proven);
    }
    json_object_end(w);
}
