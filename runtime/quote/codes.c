/* What became of each code that was typed. Campaigns that take one are looked at whatever the index says, also outside of their window, so
 * that a code is expired, not yet, or short of something, and unknown only when nobody knows it. */
#include "quote/run_int.h"
#include <assert.h>
#include <stdlib.h>

enum { ASKED_PER_CODE = 8 };

/* --- which campaigns take a code ------------------------------------------------------------------------------------- */

static int by_code(const void *a, const void *b)
{
    const struct coded *x = a, *y = b;
    return x->code != y->code ? (x->code > y->code) - (x->code < y->code) : (x->campaign > y->campaign) - (x->campaign < y->campaign);
}

/* The codes of a condition that forbids nothing; out NULL: only counted. */
static size_t collect(const struct condition *c, uint32_t campaign, struct coded *out)
{
    size_t n = 0;
    if (c->kind == WHEN_COUPON) {
        for (; n < c->names.count; n++)
            if (out)
                out[n] = (struct coded){ c->names.items[n], campaign };
        return n;
    }
    for (uint32_t i = 0; (c->kind == WHEN_ALL || c->kind == WHEN_ANY) && i < c->child_count; i++)
        n += collect(&c->children[i], campaign, out ? out + n : NULL);
    return n;
}

static size_t collect_all(const struct quote_rules *r, struct coded *out)
{
    size_t n = 0;
    for (uint32_t k = 0; k < r->count; k++)
        for (uint32_t i = 0; i < r->campaigns[k].when_count; i++)
            n += collect(&r->campaigns[k].when[i], k, out ? out + n : NULL);
    return n;
}

int codes_link(struct spec *s, struct quote_rules *r)
{
    r->coded_count = collect_all(r, NULL);
    struct coded *list = spec_array(s, r->coded_count, sizeof *list);
    if (!list && r->coded_count)
        return ERR_NOMEM;
    collect_all(r, list);
    if (r->coded_count)
        qsort(list, r->coded_count, sizeof *list, by_code);
    r->coded = list;
    return 0;
}

static size_t first_coded(const struct quote_rules *r, symbol code)
{
    size_t low = 0, high = r->coded_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (r->coded[mid].code < code)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool quote_rules_take_code(const struct quote_rules *r, struct slice typed)
{
    char buf[CODE_MAX];
    symbol code = symbols_find(r->symbols, code_normal(typed, r->policies.fold_codes, buf));
    size_t at = code ? first_coded(r, code) : 0;
    return code && at < r->coded_count && r->coded[at].code == code;
}

/* Those of code i: the campaigns of the rules, then the one that a plugin says it stands for. */
static size_t campaigns_of(const struct quote_eval *e, size_t i, uint32_t out[ASKED_PER_CODE + 1])
{
    const struct quote_rules *r = e->rules;
    size_t n = 0;
    for (size_t at = e->codes[i] ? first_coded(r, e->codes[i]) : r->coded_count;
         at < r->coded_count && r->coded[at].code == e->codes[i] && n < ASKED_PER_CODE; at++)
        if (r->coded[at].campaign >= r->gate_count) /* gates have a say of their own */
            out[n++] = r->coded[at].campaign;
    if (e->cart->typed && e->cart->typed[i].campaign)
        out[n++] = e->cart->typed[i].campaign - 1;
    return n;
}

size_t codes_asked(const struct quote_eval *e, uint32_t out[CODES_ASKED_MAX])
{
    size_t n = 0;
    static_assert(CODES_ASKED_MAX >= QUOTE_CODES_MAX * (ASKED_PER_CODE + 1), "room for all");
    for (size_t i = 0; i < e->cart->code_count; i++)
        n += campaigns_of(e, i, out + n);
    return n;
}

/* --- what became of it ----------------------------------------------------------------------------------------------- */

/* The nearest to being applied first: of several campaigns that take a code, it speaks. */
static const struct {
    const char *status;
    const char *reasons[8];
} statuses[] = {
    { "minimum_not_met", { "subtotal_below", "qty_below" } },
    { "not_with", { "lost" } },
    { "sign_in", { "sign_in" } },
    { "already_used", { "customer_limit_reached" } },
    { "used_up", { "limit_used_up" } },
    { "nothing_left", { "nothing_to_discount", "no_shipping" } },
    { "not_for_this_cart", { NULL } }, /* whatever else */
    { "not_yours",
      { "customer_tag_missing", "fact_missing", "fact_below", "fact_above", "fact_differs", "customer_not_new", "not_first_order" } },
    { "not_yours", { "order_number_differs", "order_number_not_every", "bought_below" } },
    { "not_yet", { "not_yet" } },
    { "expired", { "over" } },
    { "stopped", { "stopped" } },
    { "failed", { "failed" } },
};
enum { STATUSES = sizeof statuses / sizeof statuses[0], NOTHING_LEFT = 5, OTHERWISE };

static size_t status_of(const char *reason)
{
    for (size_t i = 0; i < STATUSES; i++)
        for (size_t k = 0; k < 8 && statuses[i].reasons[k]; k++)
            if (strcmp(statuses[i].reasons[k], reason) == 0)
                return i;
    return OTHERWISE;
}

static const struct quote_outcome *outcome_of(const struct quote_result *q, uint32_t campaign)
{
    for (size_t i = 0; i < q->outcome_count; i++)
        if (q->outcomes[i].campaign == campaign)
            return &q->outcomes[i];
    return NULL;
}

static void look(const struct quote_eval *e, const struct quote_result *q, size_t i, struct quote_code *out)
{
    uint32_t list[ASKED_PER_CODE + 1];
    size_t n = campaigns_of(e, i, list), best = STATUSES;
    for (size_t k = 0; k < n; k++) {
        const struct quote_outcome *o = outcome_of(q, list[k]);
        if (!o || o->applied) { /* applied without this code: another one of its codes was taken */
            if (o && best > NOTHING_LEFT) {
                best = NOTHING_LEFT;
                out->campaign = list[k] + 1;
            }
            continue;
        }
        size_t at = status_of(o->reason);
        if (at >= best)
            continue;
        best = at;
        out->campaign = list[k] + 1;
        out->outcome = o;
    }
    out->status = best < STATUSES                                                       ? statuses[best].status
                  : e->cart->no_campaigns || quote_rules_take_code(e->rules, out->code) ? statuses[OTHERWISE].status
                                                                                        : "unknown";
}

static uint32_t campaign_with(const struct quote_eval *e, const struct quote_result *q, size_t i)
{
    for (size_t k = 0; k < q->outcome_count; k++) {
        const struct quote_outcome *o = &q->outcomes[k];
        bool stands_for = e->cart->typed && e->cart->typed[i].campaign == o->campaign + 1;
        if (o->applied && (stands_for || e->slot_codes[slot_of(e, o->campaign) - e->slots] >> i & 1))
            return o->campaign + 1;
    }
    return 0;
}

static bool opens_a_gate(const struct quote_eval *e, const struct quote_result *q, size_t i)
{
    for (size_t k = 0; k < q->gate_count; k++)
        if (q->gates[k].open && e->slot_codes[slot_of(e, q->gates[k].campaign) - e->slots] >> i & 1)
            return true;
    return false;
}

int codes_finish(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    const struct quote_cart *cart = e->cart;
    size_t count = cart->code_count + cart->blocked_count;
    if (count == 0)
        return 0;
    struct slice *unused = arena_alloc(e->arena, count * sizeof *unused);
    struct quote_code *list = arena_array(e->arena, count, sizeof *list);
    if (!unused || !list)
        return eval_nomem(e, err);
    for (size_t i = 0; i < count; i++) {
        struct quote_code *c = &list[i];
        bool blocked = i >= cart->code_count;
        c->code = blocked ? cart->blocked[i - cart->code_count] : cart->codes[i];
        if (!blocked && ((c->campaign = campaign_with(e, out, i)) || opens_a_gate(e, out, i))) {
            c->status = "applied";
            continue;
        }
        unused[out->unused_code_count++] = c->code;
        if (blocked)
            c->status = "too_many_guesses";
        else if (cart->typed && cart->typed[i].refused && !quote_rules_take_code(e->rules, c->code))
            c->status = cart->typed[i].refused;
        else
            look(e, out, i, c);
        c->typed = !blocked && cart->typed ? &cart->typed[i] : NULL;
    }
    out->unused_codes = unused;
    out->codes = list;
    out->code_count = count;
    return 0;
}

/* --- telling --------------------------------------------------------------------------------------------------------- */

static const struct quote_param *param_of(const struct quote_outcome *o, const char *name)
{
    const struct quote_param *p = o ? o->params : NULL;
    while (p && strcmp(p->name, name) != 0)
        p = p->next;
    return p;
}

static void code_write(const struct quote_rules *r, const struct quote_code *c, const struct quote_voice *voice, struct json_writer *w)
{
    struct quote_param own[3], *params = c->outcome ? c->outcome->params : NULL;
    const struct quote_param *needed = param_of(c->outcome, "needed"), *seen = param_of(c->outcome, "seen");
    size_t n = 0;
    if (strcmp(c->status, "minimum_not_met") == 0 && needed && seen)
        own[n++] = (struct quote_param){ .name = "more", .kind = needed->kind, .number = needed->number - seen->number };
    if (c->typed && c->typed->from_ms && !param_of(c->outcome, "from"))
        own[n++] = (struct quote_param){ .name = "from", .kind = QUOTE_PARAM_TIME, .number = c->typed->from_ms };
    if (c->typed && c->typed->to_ms && !param_of(c->outcome, "to"))
        own[n++] = (struct quote_param){ .name = "to", .kind = QUOTE_PARAM_TIME, .number = c->typed->to_ms };
    for (size_t i = n; i-- > 0; params = &own[i])
        own[i].next = params;
    json_object(w);
    json_key(w, "code");
    json_string(w, c->code);
    json_key(w, "status");
    json_str(w, c->status);
    if (c->campaign) {
        json_key(w, "campaign");
        json_string(w, quote_campaign_id(r, c->campaign - 1));
        json_key(w, "title");
        json_string(w, quote_campaign_title(r, c->campaign - 1));
    }
    params_write(params, w);
    if (voice->words) {
        struct buf text;
        buf_init(&text, NULL);
        if (quote_code_say(voice, c->status, params, &text) && !text.failed) {
            json_key(w, "text");
            json_string(w, buf_slice(&text));
        }
        buf_release(&text);
    }
    json_object_end(w);
}

void codes_write(const struct quote_rules *r, const struct quote_result *q, const struct quote_voice *voice, struct json_writer *w)
{
    if (q->code_count == 0)
        return;
    json_key(w, "codes");
    json_array(w);
    for (size_t i = 0; i < q->code_count; i++)
        code_write(r, &q->codes[i], voice, w);
    json_array_end(w);
}
