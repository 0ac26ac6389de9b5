/* The pipeline: subtotals, gates, prices, item and order stages, the shipping rate, the shipping stage, tax, outcomes. */
#include "quote/heap.h"
#include "quote/run_int.h"
#include <stdio.h>

/* --- what comes in --------------------------------------------------------------------------------------------------- */

static int line_error(struct err *err, int code, size_t line, const char *member, const char *sentence)
{
    char field[64];
    snprintf(field, sizeof field, "/lines/%zu/%s", line, member);
    return err_field(err, code, field, "%s", sentence);
}

int line_begin(struct quote_line *l, size_t i, struct err *err)
{
    if (l->qty < 1 || l->qty > QUOTE_QTY_MAX)
        return line_error(err, ERR_INVALID, i, "qty", "a quantity is a whole number from 1 to 1000000");
    if (l->unit_price_minor < 0)
        return line_error(err, ERR_INVALID, i, "unit_price", "a price can't be negative");
    if (l->product.weight_g < 0)
        return line_error(err, ERR_INVALID, i, "sku", "the product's weight is negative; correct it in the catalogue");
    if (!money_mul(l->unit_price_minor, l->qty, &l->subtotal_minor))
        return line_error(err, ERR_OVERFLOW, i, "qty", "the price times the quantity is more than can be counted; order less at once");
    l->compare_at_minor = l->product.compare_at_minor;
    l->discounts = NULL;
    l->discount_minor = 0;
    l->total_minor = l->subtotal_minor;
    return 0;
}

static int cart_start(struct quote_cart *cart, struct quote_result *out, struct err *err)
{
    cart->line_count -= cart->gift_count; /* of an earlier run */
    cart->gift_count = 0;
    if (cart->line_count == 0)
        return err_field(err, ERR_INVALID, "/lines", "a cart has at least one line");
    if (cart->line_count > QUOTE_LINES_MAX)
        return err_field(err, ERR_INVALID, "/lines", "a cart has at most %d lines; this one has %zu", QUOTE_LINES_MAX, cart->line_count);
    if (cart->code_count > QUOTE_CODES_MAX)
        return err_field(err, ERR_INVALID, "/codes", "a cart has at most %d codes; this one has %zu", QUOTE_CODES_MAX, cart->code_count);
    for (size_t i = 0; i < cart->line_count; i++) {
        int rc = line_begin(&cart->lines[i], i, err);
        cart->lines[i].closed = NULL;
        cart->lines[i].origin = 0;
        if (rc < 0)
            return rc;
        if (!money_add(out->subtotal_minor, cart->lines[i].subtotal_minor, &out->subtotal_minor))
            return err_field(err, ERR_OVERFLOW, "/lines", "the cart costs more than can be counted; order less at once");
    }
    return 0;
}

/* One piece of the arena for all that a run keeps per line. */
static int run_room(struct quote_eval *e, size_t n, struct err *err)
{
    char *p = arena_alloc(e->arena, n * (sizeof *e->marks + 4 * sizeof *e->remaining + sizeof *e->tails + 5 * sizeof *e->every));
    if (!p)
        return eval_nomem(e, err);
    e->marks = (void *)p, p += n * sizeof *e->marks;
    e->remaining = (void *)p, p += n * sizeof *e->remaining;
    e->weights = (void *)p, p += n * sizeof *e->weights;
    e->shares = (void *)p, p += n * sizeof *e->shares;
    e->scratch.rests = (void *)p, p += n * sizeof *e->scratch.rests;
    e->tails = (void *)p, p += n * sizeof *e->tails;
    e->every = (void *)p, p += n * sizeof *e->every;
    e->scope_lines = (void *)p, p += n * sizeof *e->scope_lines;
    e->target_lines = (void *)p, p += n * sizeof *e->target_lines;
    e->settled = (void *)p, p += n * sizeof *e->settled;
    e->scratch.order = (void *)p;
    return 0;
}

static int run_lines(struct quote_eval *e, struct err *err)
{
    size_t n = e->cart->line_count;
    if (run_room(e, n, err) < 0)
        return ERR_NOMEM;
    e->every_count = n;
    for (size_t i = 0; i < n; i++) {
        struct quote_line *l = &e->cart->lines[i];
        marks_of(&l->product, &e->marks[i]);
        for (unsigned k = 0; k < SELECT_LEAVES; k++)
            e->cart_marks.bits[k] |= e->marks[i].bits[k];
        e->remaining[i] = l->subtotal_minor;
        e->tails[i] = &l->discounts;
        e->every[i] = (uint32_t)i;
        e->settled[i] = 0;
    }
    if (e->rules->any_units_once)
        e->used = arena_array(e->arena, n, sizeof *e->used);
    return e->rules->any_units_once && !e->used ? eval_nomem(e, err) : 0;
}

int lines_more(struct quote_eval *e, size_t count, struct err *err)
{
    const struct quote_eval was = *e;
    size_t n = e->cart->line_count;
    struct quote_line *lines = arena_array(e->arena, n + count, sizeof *lines);
    if (!lines || run_room(e, n + count, err) < 0)
        return eval_nomem(e, err);
    memcpy(lines, e->cart->lines, n * sizeof *lines);
    memcpy(e->marks, was.marks, n * sizeof *e->marks);
    memcpy(e->remaining, was.remaining, n * sizeof *e->remaining);
    memcpy(e->every, was.every, was.every_count * sizeof *e->every);
    memset(e->settled, 0, (n + count) * sizeof *e->settled);
    for (size_t i = 0; i < n + count; i++)
        e->tails[i] = NULL; /* nothing is taken off any more */
    e->cart->lines = lines;
    return 0;
}

static void run_customer(struct quote_eval *e)
{
    const struct quote_cart *cart = e->cart;
    for (size_t i = 0; i < cart->customer_tag_count; i++)
        e->customer_bloom |= symbol_bit(cart->customer_tags[i]);
    for (size_t i = 0; i < cart->code_count; i++) {
        char buf[CODE_MAX];
        struct slice code = code_normal(cart->codes[i], e->rules->policies.fold_codes, buf);
        e->codes[i] = code.len ? symbols_find(e->rules->symbols, code) : 0;
        if (e->codes[i])
            e->codes_bloom |= symbol_bit(e->codes[i]);
    }
}

/* --- one campaign ---------------------------------------------------------------------------------------------------- */

static void wish_grant(struct quote_eval *e, struct wish *w)
{
    struct quote_outcome *slot = slot_of(e, w->discount.campaign);
    int64_t amount = shipping_part_of(w->ship, e->shipping_remaining, e->rules->policies.rounding);
    amount = limits_shipping(e, w->discount.campaign, slot->amount_minor, amount);
    if (amount == 0) {
        if (!slot->applied) {
            slot->reason = !e->has_shipping ? "no_shipping" : e->shipping_remaining ? "limit_used_up" : "nothing_to_discount";
            slot->params = NULL;
            slot->at = (struct quote_place){ 0 };
        }
        return;
    }
    w->discount.amount_minor = amount;
    *e->shipping_tail = &w->discount;
    e->shipping_tail = &w->discount.next;
    e->shipping_remaining -= amount;
    slot->amount_minor += amount;
    slot->applied = true;
    slot->reason = NULL;
    slot->params = NULL;
}

static int wish_make(struct quote_eval *e, const struct effect *f, struct err *err)
{
    struct wish *w = arena_alloc(e->arena, sizeof *w);
    if (!w)
        return eval_nomem(e, err);
    *w = (struct wish){ .discount = f->discount, .ship = f->ship };
    if (e->shipping_stage) {
        wish_grant(e, w);
        return 0;
    }
    *e->wishes_tail = w;
    e->wishes_tail = &w->next;
    return 0;
}

int effects_merge(struct quote_eval *e, struct err *err)
{
    struct quote_outcome *slot = slot_of(e, e->campaign_number);
    struct effect *first = NULL;
    settle_after(e);
    for (struct effect *f = e->effects, *before; f; f = before) {
        before = f->before;
        f->before = first; /* now: the one after it */
        first = f;
        slot->amount_minor += f->discount.amount_minor;
    }
    e->effects = NULL;
    slot->applied = slot->amount_minor > 0;
    e->slot_codes[slot - e->slots] = e->codes_taken;
    int rc = slot->applied ? 0 : why_keep(e, slot, err);
    for (struct effect *f = first; f && rc == 0; f = f->before) {
        if (f->granted) {
            granted_keep(e, f->granted, slot);
            continue;
        }
        if (f->gift) {
            *e->gifts_tail = f->gift;
            e->gifts_tail = &f->gift->next;
            continue;
        }
        if (f->line == EFFECT_SHIPPING) {
            rc = wish_make(e, f, err);
            continue;
        }
        if (e->remaining[f->line] < 0)
            return err_set(err, ERR_INTERNAL, "line %u would cost less than nothing", f->line + 1);
        *e->tails[f->line] = &f->discount;
        e->tails[f->line] = &f->discount.next;
    }
    return rc;
}

bool campaign_stands(struct quote_eval *e)
{
    const struct quote_campaign *c = e->campaign;
    e->condition = NULL;
    if (!window_holds(e, &c->window))
        return false;
    e->scope = eval_every(e);
    if (c->scope)
        e->scope = eval_select(e, c->scope, e->scope, e->scope_lines);
    if (e->scope.count == 0)
        why_set(e, "no_lines");
    return e->scope.count > 0;
}

int campaign_conditions(struct quote_eval *e, bool *holds, struct err *err)
{
    const struct quote_campaign *c = e->campaign;
    *holds = true;
    for (uint32_t i = 0; i < c->when_count && *holds; i++) {
        int rc = condition_holds(e, &c->when[i], holds, err);
        if (rc < 0)
            return rc;
    }
    e->condition = NULL;
    return 0;
}

/* What is settled is not its any more. In the shipping stage nobody touches lines. */
static bool scope_left(struct quote_eval *e)
{
    uint32_t by = e->settled_all ? e->settled_all : e->settled[e->scope.lines[0]];
    if (e->campaign->stage == STAGE_SHIPPING && !e->settled_all)
        return true;
    e->scope = settle_filter(e, e->scope, e->scope_lines);
    if (e->scope.count > 0 && !e->settled_all)
        return true;
    settle_why(e, by);
    return false;
}

int campaign_run(struct quote_eval *e, bool *holds, struct err *err)
{
    const struct quote_campaign *c = e->campaign;
    *holds = campaign_stands(e);
    int rc = *holds ? campaign_conditions(e, holds, err) : 0;
    if (rc < 0 || !*holds)
        return rc;
    why_clear(e);
    if (!limits_stand(e) || (e->any_settled && !scope_left(e))) {
        *holds = false;
        return 0;
    }
    for (uint32_t i = 0; i < c->give_count && rc >= 0; i++) {
        e->action = i + 1;
        rc = c->give[i].type->apply(e, &c->give[i], err);
    }
    return rc < 0 ? rc : limits_trim(e, holds, err);
}

void campaign_begin(struct quote_eval *e, uint32_t number)
{
    e->campaign = &e->rules->campaigns[number];
    e->campaign_number = number;
    e->uses_begun = e->uses;
    e->effects = NULL;
    e->codes_taken = 0;
    e->function_failed = false;
    e->failed_fact = 0;
    e->condition = NULL;
    e->action = 0;
    why_clear(e);
}

/* Its effects are then in e->effects; who does not hold, or failed and may, has its reason. */
int campaign_try(struct quote_eval *e, bool *holds, struct err *err)
{
    struct err own; /* a caller that passes NULL still has its rules skipped by the same code */
    struct err *cause = err ? err : &own;
    struct quote_outcome *slot = slot_of(e, e->campaign_number);
    *holds = false;
    int rc = stopped_turn(e, cause);
    if (rc == 1)
        return why_keep(e, slot, cause);
    if (rc == 0)
        rc = campaign_run(e, holds, cause);
    if (rc < 0 && e->function_failed && !e->campaign->refuse_on_failure) {
        *holds = false;
        eval_undo(e, NULL);
        why_failed(e, rc);
        err_clear(cause);
        return why_keep(e, slot, cause);
    }
    if (rc == 0 && !*holds)
        rc = why_keep(e, slot, cause);
    if (rc < 0 && rc != ERR_NOMEM)
        err_wrap(cause, "campaign %.*s", SLICE_FMT(e->campaign->id));
    return rc;
}

static int campaign_turn(struct quote_eval *e, size_t place, struct err *err)
{
    bool holds;
    if (e->slots[place].reason) /* stopped, or it lost; nothing else has a reason before its turn */
        return 0;
    campaign_begin(e, e->active[place]);
    int rc = campaign_try(e, &holds, err);
    return rc == 0 && holds ? effects_merge(e, err) : rc;
}

static const struct quote_campaign *active_at(const struct quote_eval *e, size_t place)
{
    return &e->rules->campaigns[e->active[place]];
}

int price_turns(struct quote_eval *e, size_t from, size_t to, struct err *err)
{
    int rc = 0;
    if (e->rules->policies.best_of_price)
        return lane_run(e, from, to, err);
    for (size_t k = from; k < to && rc == 0; k++)
        rc = campaign_turn(e, k, err);
    return rc;
}

/* All of one lane; *i is then what comes after it. */
static int lane_turns(struct quote_eval *e, size_t *i, struct err *err)
{
    size_t from = *i;
    int rc = 0;
    while (*i < e->active_count && active_at(e, *i)->lane == active_at(e, from)->lane && active_at(e, *i)->stage < STAGE_SHIPPING)
        ++*i;
    for (size_t k = from; k < *i && e->rules->policies.best_of_lane && rc == 0; k++)
        rc = near_turn(e, e->active[k], err); /* all of a lane see the cart as the lane found it */
    if (e->rules->policies.best_of_lane)
        return rc < 0 ? rc : lane_run(e, from, *i, err);
    for (size_t k = from; k < *i && rc == 0; k++)
        if ((rc = near_turn(e, e->active[k], err)) == 0)
            rc = campaign_turn(e, k, err);
    return rc;
}

static int campaigns_run(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    int rc = price_stage(e, out, err);
    size_t i = e->active_priced;
    if (rc == 0)
        rc = campaigns_choose(e, out, err);
    while (i < e->active_count && active_at(e, i)->stage < STAGE_SHIPPING && rc == 0)
        rc = lane_turns(e, &i, err);
    if (rc == 0)
        rc = shipping_price(e, out, err);
    if (rc < 0)
        return rc;
    e->shipping_stage = true;
    for (struct wish *w = e->wishes; w; w = w->next)
        wish_grant(e, w);
    for (; i < e->active_count && rc == 0; i++)
        if ((rc = near_turn(e, e->active[i], err)) == 0)
            rc = campaign_turn(e, i, err);
    if (rc == 0)
        rc = near_turn(e, UINT32_MAX, err);
    near_finish(e, out);
    return rc;
}

/* --- what comes out -------------------------------------------------------------------------------------------------- */

static int sums_check(const struct quote_eval *e, size_t line, struct err *err)
{
    const struct quote_line *l = &e->cart->lines[line];
    const struct quote_discount *last = NULL;
    int64_t sum = 0;
    for (const struct quote_discount *d = l->discounts; d; d = d->next) {
        sum += d->amount_minor;
        last = d;
    }
    if (l->total_minor >= 0 && sum == l->discount_minor)
        return 0;
    struct slice id = last ? quote_campaign_id(e->rules, last->campaign) : slice_str("none");
    return err_set(err, ERR_INTERNAL, "the discounts of line %zu do not add up (last campaign: %.*s)", line + 1, SLICE_FMT(id));
}

static int lines_finish(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    for (size_t i = 0; i < e->cart->line_count; i++) {
        struct quote_line *l = &e->cart->lines[i];
        l->total_minor = e->remaining[i];
        l->discount_minor = l->subtotal_minor - e->remaining[i];
        out->discount_minor += l->discount_minor;
        int rc = sums_check(e, i, err);
        if (rc < 0)
            return rc;
    }
    out->has_shipping = e->has_shipping;
    out->shipping_minor = e->shipping_minor;
    out->shipping_discount_minor = e->shipping_minor - e->shipping_remaining;
    out->shipping_discounts = e->shipping_discounts;
    if (!money_add(out->subtotal_minor - out->discount_minor, e->shipping_remaining, &out->total_minor))
        return err_field(err, ERR_OVERFLOW, "/shipping/option",
                         "the cart with its shipping costs more than can be counted; order less at once");
    return 0;
}

static bool ranks_after(const void *eval, uint32_t a, uint32_t b)
{
    const struct quote_eval *e = eval;
    return e->rules->rank[e->active[a]] > e->rules->rank[e->active[b]];
}

static int outcomes_finish(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    size_t count = e->active_count - e->active_gates, applied = 0, others_count = 0;
    struct quote_outcome *list = arena_alloc(e->arena, count * sizeof *list);
    uint32_t *others = arena_alloc(e->arena, count * sizeof *others);
    if (!list || !others)
        return eval_nomem(e, err);
    for (size_t i = e->active_gates; i < e->active_count; i++) {
        e->slots[i].campaign = e->active[i];
        if (e->slots[i].applied)
            list[applied++] = e->slots[i];
        else
            others[others_count++] = (uint32_t)i;
    }
    heap_sort(others, others_count, ranks_after, e);
    for (size_t i = 0; i < others_count; i++)
        list[applied + i] = e->slots[others[i]];
    out->outcomes = list;
    out->outcome_count = count;
    return 0;
}

int quote_price(const struct quote_rules *r, struct quote_cart *cart, const struct quote_hooks *hooks, struct arena *arena,
                struct quote_result *out, struct err *err)
{
    *out = (struct quote_result){ .cart = cart };
    struct quote_eval e = { .rules = r, .cart = cart, .hooks = hooks, .arena = arena };
    e.wishes_tail = &e.wishes;
    e.shipping_tail = &e.shipping_discounts;
    e.gifts_tail = &e.gifts;
    e.granted_tail = &e.granted;
    if ((r->pricing.count || r->price_stage) && !cart->no_campaigns)
        prices_reset(cart); /* so that gates and price rules see the price of the catalogue */
    int rc = cart_start(cart, out, err);
    if (rc == 0)
        rc = run_lines(&e, err);
    if (rc == 0)
        rc = add_ons_begin(&e, err);
    if (rc == 0 && !cart->no_campaigns)
        rc = floors_find(&e, err);
    if (rc < 0)
        return rc;
    run_customer(&e);
    if (!cart->no_campaigns && ((rc = active_gates(&e, err)) < 0 || (rc = gates_ask(&e, out, err)) < 0))
        return rc;
    if ((rc = add_ons_part(&e, err)) < 0)
        return rc;
    if (r->pricing.count && !cart->no_campaigns && (rc = prices_find(&e, out, err)) < 0)
        return rc;
    if (!cart->no_campaigns && ((rc = active_campaigns(&e, err)) < 0 || (rc = limits_look(&e, e.active_gates, err)) < 0))
        return rc;
    if ((rc = campaigns_run(&e, out, err)) < 0 || (rc = gifts_grant(&e, out, err)) < 0 || (rc = lines_finish(&e, out, err)) < 0 ||
        (rc = tax_price(&e, out, err)) < 0 || (rc = outcomes_finish(&e, out, err)) < 0 || (rc = grants_finish(&e, out, err)) < 0 ||
        (rc = limits_finish(&e, out, err)) < 0)
        return rc;
    add_ons_finish(&e);
    return codes_finish(&e, out, err);
}

/* --- trying out ------------------------------------------------------------------------------------------------------------ */

bool quote_campaign_calls(const struct quote_rules *r, uint32_t campaign)
{
    const struct quote_campaign *c = &r->campaigns[campaign];
    bool calls = false;
    for (uint32_t i = 0; i < c->when_count && !calls; i++)
        calls = condition_calls(&c->when[i]);
    for (uint32_t i = 0; i < c->give_count && !calls; i++)
        calls = c->give[i].type == &function_type;
    return calls;
}

bool quote_campaign_wants(const struct quote_rules *r, uint32_t campaign, const struct quote_product *p)
{
    const struct selector *scope = r->campaigns[campaign].scope;
    struct marks marks;
    marks_of(p, &marks);
    return !scope || selector_match(scope, p, &marks);
}

int quote_try(const struct quote_rules *r, uint32_t campaign, struct quote_cart *cart, const struct quote_hooks *hooks, struct arena *arena,
              struct err *err)
{
    struct quote_result out = { .cart = cart };
    struct quote_eval e = { .rules = r, .cart = cart, .hooks = hooks, .arena = arena };
    int rc = cart_start(cart, &out, err);
    if (rc == 0)
        rc = run_lines(&e, err);
    if (rc < 0)
        return rc;
    run_customer(&e);
    e.active = &campaign;
    e.active_count = 1;
    e.slots = arena_array(arena, 1, sizeof *e.slots);
    e.slot_codes = arena_array(arena, 1, sizeof *e.slot_codes);
    if (!e.slots || !e.slot_codes)
        return eval_nomem(&e, err);
    campaign_begin(&e, campaign);
    const struct quote_campaign *c = e.campaign;
    e.scope = c->scope ? eval_select(&e, c->scope, eval_every(&e), e.scope_lines) : eval_every(&e);
    e.shipping_stage = c->stage == STAGE_SHIPPING;
    for (uint32_t i = 0; e.scope.count && i < c->when_count && rc >= 0; i++) {
        bool ignored;
        rc = condition_holds(&e, &c->when[i], &ignored, err);
    }
    for (uint32_t i = 0; e.scope.count && i < c->give_count && rc >= 0; i++)
        rc = c->give[i].type->apply(&e, &c->give[i], err);
    return rc < 0 ? rc : e.scope.count > 0;
}
