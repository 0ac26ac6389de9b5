#include "quote/run_int.h"
#include <assert.h>

enum { REASON_MAX = 200 };

/* --- what a run sees -------------------------------------------------------------------------------------------------- */

const struct quote_cart *quote_eval_cart(const struct quote_eval *e)
{
    return e->cart;
}

struct symbols *quote_eval_symbols(const struct quote_eval *e)
{
    return e->rules->symbols;
}

uint32_t quote_eval_campaign(const struct quote_eval *e)
{
    return e->campaign_number;
}

struct slice quote_eval_owner(const struct quote_eval *e)
{
    return e->rule ? slice_str(e->rule->owner) : e->campaign ? e->campaign->owner : slice_str("");
}

int64_t quote_eval_now_ms(const struct quote_eval *e)
{
    return e->cart->at_ms;
}

struct quote_set quote_eval_scope(const struct quote_eval *e)
{
    return e->scope;
}

int64_t quote_eval_remaining(const struct quote_eval *e, uint32_t line)
{
    return line < e->cart->line_count ? e->remaining[line] : 0;
}

int64_t eval_still_costs(const struct quote_eval *e, struct quote_set set)
{
    int64_t sum = 0; /* the whole cart's sum was checked */
    for (size_t i = 0; i < set.count; i++)
        sum += e->remaining[set.lines[i]];
    return sum;
}

int64_t quote_eval_subtotal(const struct quote_eval *e, struct quote_set set)
{
    return eval_still_costs(e, set);
}

int64_t eval_threshold(const struct quote_eval *e, struct quote_set set)
{
    if (e->campaign->policies->thresholds == BASE_REMAINING)
        return eval_still_costs(e, set);
    int64_t sum = 0;
    for (size_t i = 0; i < set.count; i++)
        sum += e->cart->lines[set.lines[i]].subtotal_minor;
    return sum;
}

int64_t quote_eval_qty(const struct quote_eval *e, struct quote_set set)
{
    int64_t sum = 0;
    for (size_t i = 0; i < set.count; i++)
        sum += e->cart->lines[set.lines[i]].qty;
    return sum;
}

struct quote_set eval_select(const struct quote_eval *e, const struct selector *sel, struct quote_set from, uint32_t *lines)
{
    struct quote_set set = { lines, 0 };
    if (!selector_possible(sel, &e->cart_marks))
        return set;
    for (size_t i = 0; i < from.count; i++) {
        uint32_t line = from.lines[i];
        if (selector_match(sel, &e->cart->lines[line].product, &e->marks[line]))
            lines[set.count++] = line;
    }
    return set;
}

struct quote_set eval_every(const struct quote_eval *e)
{
    return (struct quote_set){ e->every, e->every_count };
}

struct quote_set eval_sale(const struct quote_eval *e)
{
    return e->add_on ? e->sale : eval_every(e);
}

struct quote_set eval_target(struct quote_eval *e, const struct action *a)
{
    if (!a->on)
        return e->scope;
    struct quote_set set = eval_select(e, a->on, eval_every(e), e->target_lines);
    return e->any_settled ? settle_filter(e, set, e->target_lines) : set;
}

int eval_nomem(struct quote_eval *e, struct err *err)
{
    e->broken = ERR_NOMEM;
    return err_set(err, ERR_NOMEM, "out of memory while pricing a cart; try again");
}

/* --- effects: kept aside until the campaign's last action has succeeded ------------------------------------------------ */

void eval_undo(struct quote_eval *e, struct effect *keep)
{
    for (; e->effects != keep; e->effects = e->effects->before)
        if (on_line(e->effects))
            e->remaining[e->effects->line] += e->effects->discount.amount_minor;
        else if (e->effects->gift)
            gift_give_back(e, e->effects->gift);
    if (!keep)
        eval_unuse(e, e->uses_begun);
}

void eval_unuse(struct quote_eval *e, struct use *keep)
{
    for (; e->uses && e->uses != keep; e->uses = e->uses->before) {
        e->used[e->uses->line].units -= e->uses->units;
        e->used[e->uses->line].cost -= e->uses->cost;
    }
}

int effect_add(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason, struct err *err)
{
    struct effect *f = arena_alloc(e->arena, sizeof *f);
    if (f && reason.len)
        reason = arena_copy(e->arena, reason);
    if (!f || !reason.data)
        return eval_nomem(e, err);
    *f = (struct effect){
        .before = e->effects,
        .discount = { .campaign = e->campaign_number, .amount_minor = amount_minor, .units = units, .reason = reason },
        .line = line,
    };
    e->effects = f;
    return 0;
}

int eval_take(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason, struct err *err)
{
    if (amount_minor > 0 && e->floors && amount_minor > eval_room(e, line))
        amount_minor = eval_room(e, line);
    if (amount_minor == 0)
        return 0;
    if (amount_minor < 0 || amount_minor > e->remaining[line])
        return err_set(err, ERR_INTERNAL, "an action took %lld off line %u, which costs %lld", (long long)amount_minor, line + 1,
                       (long long)e->remaining[line]);
    int rc = effect_add(e, line, amount_minor, units, reason, err);
    if (rc == 0)
        e->remaining[line] -= amount_minor;
    return rc;
}

/* --- functions ---------------------------------------------------------------------------------------------------------- */

static int call_once(struct quote_eval *e, int fn, bool *holds, struct err *err)
{
    const struct quote_hooks *h = e->hooks;
    e->calls++;
    if (!holds)
        return h->action(h->ctx, fn, e, err);
    e->in_condition = true;
    int rc = h->condition(h->ctx, fn, e, holds, err);
    e->in_condition = false;
    return rc;
}

static int call_twice(struct quote_eval *e, int fn, bool *holds, struct err *err)
{
    if (!e->hooks || (holds ? !e->hooks->condition : !e->hooks->action))
        return err_set(err, ERR_INTERNAL, "the rules have functions, and nothing was given that runs them");
    struct effect *mark = e->effects;
    err_clear(err);
    int rc = call_once(e, fn, holds, err);
    if (rc == ERR_RETRY && !e->broken) { /* the run was thrown away: once more */
        eval_undo(e, mark);
        err_clear(err);
        rc = call_once(e, fn, holds, err);
    }
    if (e->broken) /* even if the function hid it: what it would have done can't be known */
        return eval_nomem(e, err);
    if (rc < 0) {
        eval_undo(e, mark);
        /* Where memory ran out or we have a bug, leaving the campaign out would make the amount depend on luck. */
        e->function_failed = rc != ERR_NOMEM && rc != ERR_INTERNAL;
        if (err->code == 0)
            err_set(err, rc, "function %d failed (%s) and did not say why", fn, err_name(rc));
    }
    return rc < 0 ? rc : 0;
}

int eval_call(struct quote_eval *e, int fn, bool *holds, struct err *err)
{
    struct quote_outcome *slot = e->cart->explain_all || e->cart->explain_one ? slot_of(e, e->campaign_number) : NULL;
    if (!slot || !e->hooks || !e->hooks->spent)
        return call_twice(e, fn, holds, err);
    uint64_t ns = 0, fuel = 0, ns_after = 0, fuel_after = 0;
    e->hooks->spent(e->hooks->ctx, &ns, &fuel);
    int rc = call_twice(e, fn, holds, err);
    e->hooks->spent(e->hooks->ctx, &ns_after, &fuel_after);
    slot->spent.calls++;
    slot->spent.ns += ns_after - ns;
    slot->spent.fuel += fuel_after - fuel;
    return rc;
}

static int may_act(const struct quote_eval *e, bool lines, struct slice reason, struct err *err)
{
    if (!e->campaign)
        return err_set(err, ERR_STATE, "a rule that gives prices or rates takes nothing off; that is a campaign's business");
    if (e->in_condition)
        return err_set(err, ERR_STATE, "a condition can't take anything off; do it in give");
    if (lines && e->shipping_stage)
        return err_set(err, ERR_STATE, "lines can't change in the shipping stage: its rate was found from them; use an earlier stage");
    if (reason.len > REASON_MAX)
        return err_field(err, ERR_INVALID, "reason", "a reason has at most %d bytes; this one has %zu", REASON_MAX, reason.len);
    return 0;
}

/* Discounts are taken from the campaign's scope, whoever takes them. */
static int scope_check(const struct quote_eval *e, uint32_t line, struct err *err)
{
    if (line >= e->cart->line_count)
        return err_field(err, ERR_INVALID, "line", "the cart has no line %u", line + 1);
    if (e->add_on && e->add_on[line])
        return err_field(err, ERR_INVALID, "line", "line %u is an add-on; only the campaign that offers it gives it a price", line + 1);
    if (e->campaign && e->settled[line])
        return err_field(err, ERR_INVALID, "line", "line %u is settled by a campaign that stops later ones; select from the scope",
                         line + 1);
    if (e->campaign && e->campaign->scope && !selector_match(e->campaign->scope, &e->cart->lines[line].product, &e->marks[line]))
        return err_field(err, ERR_INVALID, "line", "line %u is not in the campaign's scope; widen the scope, or select from it", line + 1);
    return 0;
}

static int set_check(const struct quote_eval *e, struct quote_set set, struct err *err)
{
    if (set.count > e->cart->line_count)
        return err_set(err, ERR_INVALID, "a set names more lines than the cart has");
    int rc = 0;
    for (size_t i = 0; i < set.count && rc == 0; i++) {
        if (i > 0 && set.lines[i] <= set.lines[i - 1])
            return err_set(err, ERR_INVALID, "a set names lines each once, in their order");
        rc = scope_check(e, set.lines[i], err);
    }
    return rc;
}

int quote_eval_select(struct quote_eval *e, struct quote_set from, const struct json_value *selector, struct quote_set *out,
                      struct err *err)
{
    struct spec s = {
        .arena = e->arena, .symbols = e->rules->symbols, .find_only = true, .exponent = e->rules->currency.exponent, .err = err
    };
    struct spec_node n = spec_root(selector);
    struct selector sel;
    int rc = set_check(e, from, err);
    if (rc == 0)
        rc = selector_compile(&s, &n, &sel);
    uint32_t *lines = rc == 0 ? arena_alloc(e->arena, from.count * sizeof *lines) : NULL;
    if (rc == ERR_NOMEM || (rc == 0 && !lines))
        return eval_nomem(e, err);
    if (rc == 0)
        *out = eval_select(e, &sel, from, lines);
    return rc;
}

int quote_eval_line_discount(struct quote_eval *e, uint32_t line, int64_t amount_minor, int64_t units, struct slice reason, struct err *err)
{
    int rc = may_act(e, true, reason, err);
    if (rc == 0)
        rc = scope_check(e, line, err);
    if (rc < 0)
        return rc;
    if (amount_minor < 0)
        return err_field(err, ERR_INVALID, "amount", "a discount can't be negative (%lld)", (long long)amount_minor);
    if (amount_minor > e->remaining[line])
        return err_field(err, ERR_INVALID, "amount", "a discount of %lld is more than line %u still costs (%lld)", (long long)amount_minor,
                         line + 1, (long long)e->remaining[line]);
    if (units < 0 || units > e->cart->lines[line].qty)
        return err_field(err, ERR_INVALID, "units", "a discount can't touch %lld units of line %u, which has %lld", (long long)units,
                         line + 1, (long long)e->cart->lines[line].qty);
    return eval_take(e, line, amount_minor, units, reason, err);
}

int quote_eval_percent_off(struct quote_eval *e, struct quote_set set, int64_t rate_ppm, int64_t cap_minor, struct slice reason,
                           struct err *err)
{
    int rc = may_act(e, true, reason, err);
    if (rc == 0)
        rc = set_check(e, set, err);
    if (rc < 0)
        return rc;
    if (rate_ppm < 0 || rate_ppm > RATE_ONE_PPM)
        return err_field(err, ERR_INVALID, "percent", "a percentage is from 0 to 100");
    if (cap_minor < 0)
        return err_field(err, ERR_INVALID, "cap", "a cap can't be negative");
    return percent_take(e, set,
                        (struct percent){ rate_ppm, cap_minor, e->campaign->policies->percent_base, e->campaign->policies->round_at, NULL },
                        reason, err);
}

int quote_eval_amount_off(struct quote_eval *e, struct quote_set set, int64_t amount_minor, struct slice reason, struct err *err)
{
    int rc = may_act(e, true, reason, err);
    if (rc == 0)
        rc = set_check(e, set, err);
    if (rc < 0)
        return rc;
    if (amount_minor < 0)
        return err_field(err, ERR_INVALID, "amount", "an amount can't be negative (%lld)", (long long)amount_minor);
    return amount_take(e, set, amount_minor, reason, err);
}

int quote_eval_free_shipping(struct quote_eval *e, struct err *err)
{
    return eval_ship(e, (struct shipping_part){ .rate_ppm = RATE_ONE_PPM }, err);
}

int eval_ship(struct quote_eval *e, struct shipping_part part, struct err *err)
{
    int rc = may_act(e, false, slice_str(""), err);
    if (rc == 0)
        rc = effect_add(e, EFFECT_SHIPPING, 0, 0, slice_str(""), err);
    if (rc == 0)
        e->effects->ship = part;
    return rc;
}
