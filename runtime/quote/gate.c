/* Gates: who may buy what, and when. All of them are asked about the cart as it came in, at the prices of the catalogue, so that it does
 * not matter which is asked first; then those that are closed refuse it, or hide lines from everything that follows. */
#include "quote/run_int.h"
#include <stdio.h>

/* A function that fails leaves the gate closed, or open where its author said "skip". */
static int answer(struct quote_eval *e, struct quote_gate *g, bool holds, int rc, struct err *err)
{
    g->open = holds;
    if (rc < 0 && !e->function_failed)
        return rc;
    if (rc < 0) {
        g->open = !e->campaign->refuse_on_failure;
        why_failed(e, rc);
        err_clear(err);
    } else if (holds) {
        e->slot_codes[slot_of(e, g->campaign) - e->slots] = e->codes_taken;
        return 0;
    }
    g->reason = e->why.reason;
    g->at = e->why.at;
    return why_params(e, &g->params, err);
}

static int ask(struct quote_eval *e, struct quote_gate *g, struct err *err)
{
    bool holds = true;
    struct err own; /* a caller that passes NULL still has its rules skipped by the same code */
    struct err *cause = err ? err : &own;
    if (slot_of(e, g->campaign)->reason) {
        g->reason = slot_of(e, g->campaign)->reason; /* stopped: it stands open */
        return 0;
    }
    campaign_begin(e, g->campaign);
    if (!campaign_stands(e)) {
        g->reason = e->why.reason;
        return why_params(e, &g->params, err);
    }
    int rc = stopped_turn(e, cause);
    if (rc < 0)
        return rc;
    rc = campaign_conditions(e, &holds, cause);
    if (rc == 0 && holds)
        rc = limits_gate(e, &holds, cause);
    rc = answer(e, g, holds, rc, cause);
    return rc < 0 && rc != ERR_NOMEM ? err_wrap(cause, "gate %.*s", SLICE_FMT(e->campaign->id)) : rc;
}

/* Its lines, once more: asking the next one used their place. */
static struct quote_set behind(struct quote_eval *e, const struct quote_gate *g)
{
    const struct selector *scope = e->rules->campaigns[g->campaign].scope;
    return scope ? eval_select(e, scope, eval_every(e), e->scope_lines) : eval_every(e);
}

static int refuse(struct quote_result *q, const struct quote_gate *g, uint32_t line, struct err *err)
{
    char field[32];
    q->refused_by = g;
    q->refused_line = line;
    err_reason(err, ERR_INVALID, "gate_closed", "%.*s", SLICE_FMT(g->because));
    snprintf(field, sizeof field, "/lines/%u", line);
    if (err)
        snprintf(err->field, sizeof err->field, "%s", field);
    return ERR_INVALID;
}

static void hide(struct quote_eval *e, const struct quote_gate *g)
{
    struct quote_set set = behind(e, g);
    for (size_t i = 0; i < set.count; i++) {
        struct quote_line *l = &e->cart->lines[set.lines[i]];
        if (!l->closed) /* of several gates the first speaks */
            l->closed = g;
    }
}

/* What is left is the cart. */
static void take_out(struct quote_eval *e, struct quote_result *out)
{
    size_t left = 0;
    memset(&e->cart_marks, 0, sizeof e->cart_marks);
    for (uint32_t i = 0; i < e->cart->line_count; i++) {
        struct quote_line *l = &e->cart->lines[i];
        if (!l->closed) {
            e->every[left++] = i;
            for (unsigned k = 0; k < SELECT_LEAVES; k++)
                e->cart_marks.bits[k] |= e->marks[i].bits[k];
            continue;
        }
        out->subtotal_minor -= l->subtotal_minor;
        l->subtotal_minor = l->total_minor = e->remaining[i] = 0;
    }
    e->every_count = left;
}

int gates_ask(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    const struct quote_rules *r = e->rules;
    size_t count = e->active_gates;
    if (count == 0)
        return 0;
    out->gates = arena_array(e->arena, count, sizeof *out->gates);
    if (!out->gates)
        return eval_nomem(e, err);
    out->gate_count = count;
    int rc = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        const struct quote_campaign *c = &r->campaigns[e->active[i]];
        out->gates[i] = (struct quote_gate){ .campaign = e->active[i], .open = true, .hides = c->hides, .because = c->because };
        rc = ask(e, &out->gates[i], err);
    }
    for (uint32_t i = 0; i < count && rc == 0; i++)
        if (!out->gates[i].open && !out->gates[i].hides)
            rc = refuse(out, &out->gates[i], behind(e, &out->gates[i]).lines[0], err);
    bool hidden = false;
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        if (out->gates[i].open)
            continue;
        hide(e, &out->gates[i]);
        hidden = true;
    }
    if (hidden)
        take_out(e, out);
    return rc;
}

int quote_require_open(struct quote_result *q, struct err *err)
{
    for (uint32_t i = 0; i < q->cart->line_count; i++)
        if (q->cart->lines[i].closed)
            return refuse(q, q->cart->lines[i].closed, i, err);
    return 0;
}
