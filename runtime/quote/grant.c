/* Something that a customer gets later: the rules only say to which plugin it is told, what, and when. It takes nothing off, so the
 * cheapest set of campaigns does not know it, and the lines that it is measured by are added up when all have their prices. */
#include "quote/run_int.h"

enum { TO_MAX = 64, WHAT_MAX = 1000 };

static const char *const moments[] = { "paid", "completed", NULL };

static int compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    static const char *const known[] = { "to", "what", "after", "on", NULL };
    struct spec_node to = spec_member(n, "to"), what = spec_member(n, "what"), after = spec_member(n, "after");
    struct buf text;
    struct json_writer w;
    unsigned chosen = 0;
    int rc = spec_object(s, n, known);
    if (rc == 0)
        rc = spec_text(s, &to, TO_MAX, &out->grant.to);
    if (rc == 0 && (!what.v || what.v->type != JSON_OBJECT))
        rc = spec_error(s, &what, "is what the plugin is told: a table with names, such as { campaign = \"new20\" }");
    if (rc == 0 && after.v)
        rc = spec_choice(s, &after, moments, &chosen);
    if (rc < 0)
        return rc;
    out->grant.after = moments[chosen];
    buf_init(&text, NULL);
    json_writer_init(&w, &text);
    json_value_write(&w, what.v);
    if (!text.failed && text.len > WHAT_MAX)
        rc = spec_error(s, &what, "has more than %d bytes", WHAT_MAX);
    else if (text.failed || !(out->grant.what = arena_copy(s->arena, buf_slice(&text))).data)
        rc = spec_nomem(s);
    buf_release(&text);
    return rc < 0 ? rc : action_on(s, n, out);
}

static int apply(struct quote_eval *e, const struct action *a, struct err *err)
{
    if (e->cart->customer.len == 0) {
        why_set(e, "sign_in");
        return 0;
    }
    struct quote_set set = eval_target(e, a);
    if (set.count == 0)
        return 0;
    struct granted *g = arena_zalloc(e->arena, sizeof *g);
    uint32_t *lines = arena_alloc(e->arena, set.count * sizeof *lines);
    if (!g || !lines)
        return eval_nomem(e, err);
    memcpy(lines, set.lines, set.count * sizeof *lines);
    *g = (struct granted){ .campaign = e->campaign_number, .action = a, .lines = { lines, set.count } };
    int rc = effect_add(e, EFFECT_GRANT, 0, 0, slice_str(""), err);
    if (rc == 0)
        e->effects->granted = g;
    return rc;
}

static int64_t most(struct quote_eval *e, const struct action *a, struct quote_set set)
{
    (void)e, (void)a, (void)set;
    return 0;
}

static bool steady(const struct action *a)
{
    (void)a;
    return true;
}

const struct action_type grant_type = { "grant", STAGE_ORDER, false, compile, apply, most, steady, NULL };

void granted_keep(struct quote_eval *e, struct granted *g, struct quote_outcome *slot)
{
    *e->granted_tail = g;
    e->granted_tail = &g->next;
    slot->applied = true;
    slot->reason = NULL;
    slot->params = NULL;
    slot->at = (struct quote_place){ 0 };
}

int grants_finish(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    size_t count = 0;
    for (const struct granted *g = e->granted; g; g = g->next)
        count++;
    struct quote_grant *list = arena_array(e->arena, count, sizeof *list);
    if (!list && count)
        return eval_nomem(e, err);
    for (const struct granted *g = e->granted; g; g = g->next) {
        struct quote_grant *to = &list[out->grant_count++];
        *to = (struct quote_grant){ g->campaign, g->action->grant.to, g->action->grant.what, g->action->grant.after, 0 };
        for (size_t i = 0; i < g->lines.count; i++)
            to->amount_minor += e->cart->lines[g->lines.lines[i]].total_minor; /* at most what the cart comes to */
    }
    out->grants = list;
    return 0;
}

void quote_grants_write(const struct quote_rules *r, const struct quote_result *q, struct json_writer *w)
{
    json_array(w);
    for (size_t i = 0; i < q->grant_count; i++) {
        const struct quote_grant *g = &q->grants[i];
        json_object(w);
        json_key(w, "campaign");
        json_string(w, quote_campaign_id(r, g->campaign));
        json_key(w, "to");
        json_string(w, g->to);
        json_key(w, "what");
        json_raw(w, g->what);
        json_key(w, "after");
        json_str(w, g->after);
        json_key(w, "amount");
        json_int(w, g->amount_minor);
        json_object_end(w);
    }
    json_array_end(w);
}

static bool next_in(const struct action *list, uint32_t count, size_t *left, struct slice *to)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct action *a = &list[i];
        if (a->type == &grant_type && (*left)-- == 0) {
            *to = a->grant.to;
            return true;
        }
        for (uint32_t k = 0; a->type == &tiered_type && k < a->tiered.count; k++)
            if (next_in(a->tiered.steps[k].give, a->tiered.steps[k].give_count, left, to))
                return true;
        if (a->type == &tiered_type && a->tiered.below && next_in(a->tiered.below, a->tiered.below_count, left, to))
            return true;
    }
    return false;
}

bool quote_campaign_grants(const struct quote_rules *r, uint32_t campaign, size_t i, struct slice *to, struct slice *at)
{
    const struct quote_campaign *c = &r->campaigns[campaign];
    *at = c->at;
    return next_in(c->give, c->give_count, &i, to);
}
