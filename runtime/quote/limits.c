#include "quote/limits.h"
#include "quote/run_int.h"
#include <stdio.h>

enum { ROUND_MAX = 32, LIST_MAX = 8, PERIOD_TEXT = 32 };
#define NO_BOUND INT64_MAX

/* --- what is written ----------------------------------------------------------------------------------------------------- */

static const struct form {
    const char *key;
    enum limit_kind kind;
    bool of_customer, of_gates;
} forms[] = {
    { "uses", LIMIT_USES, false, false },
    { "units", LIMIT_UNITS, false, true },
    { "budget", LIMIT_BUDGET, false, false },
    { "per_customer", LIMIT_USES, true, false },
    { "units_per_customer", LIMIT_UNITS, true, true },
    { "budget_per_customer", LIMIT_BUDGET, true, false },
};
enum { FORMS = sizeof forms / sizeof forms[0] };

static const char *const periods[] = { "day", "week", "month", "year", NULL };
static const char *const partials[] = { "take_left", "skip", NULL };
static const char *const afterwards[] = { "give_back", "keep", NULL };

static int max_compile(struct spec *s, const struct spec_node *n, struct limit *out)
{
    return out->kind == LIMIT_BUDGET ? spec_money(s, n, 0, &out->max) : spec_int(s, n, 0, INT64_MAX / 2, &out->max);
}

/* 5000, or {"max": 5000, "per": "day"} */
static int limit_compile(struct spec *s, const struct spec_node *n, const struct form *form, struct limit *out)
{
    static const char *const known[] = { "max", "per", NULL };
    *out = (struct limit){ .kind = form->kind, .of_customer = form->of_customer, .key = form->key };
    if (n->v->type != JSON_OBJECT)
        return max_compile(s, n, out);
    int rc = spec_object(s, n, known);
    struct spec_node max = spec_member(n, "max"), per = spec_member(n, "per");
    unsigned chosen;
    if (rc == 0 && !max.v)
        return spec_error(s, &max, "is missing; write how much may be used");
    if (rc == 0)
        rc = max_compile(s, &max, out);
    if (rc == 0 && per.v && (rc = spec_choice(s, &per, periods, &chosen)) == 0)
        out->per = (enum limit_period)(PERIOD_DAY + chosen);
    return rc;
}

/* One, or a list with different periods. */
static int form_compile(struct spec *s, const struct spec_node *n, const struct form *form, struct limit *list, uint32_t *count)
{
    uint32_t first = *count;
    if (n->v->type != JSON_ARRAY)
        return limit_compile(s, n, form, &list[(*count)++]);
    int rc = spec_list(s, n);
    if (rc == 0 && n->v->count > LIST_MAX)
        return spec_error(s, n, "has more than %d entries; one for each period is enough", LIST_MAX);
    size_t i = 0;
    for (const struct json_value *v = rc == 0 ? n->v->first : NULL; v && rc == 0; v = v->next) {
        struct spec_node element = spec_element(n, v, ++i);
        rc = limit_compile(s, &element, form, &list[*count]);
        for (uint32_t k = first; k < *count && rc == 0; k++)
            if (list[k].per == list[*count].per)
                rc = spec_error(s, &element, "there is one for that period already; leave one out");
        ++*count;
    }
    return rc;
}

static int words_compile(struct spec *s, const struct spec_node *n, struct limits *l)
{
    struct spec_node round = spec_member(n, "round"), partial = spec_member(n, "partial_budget"), after = spec_member(n, "after_refund"),
                     cancel = spec_member(n, "after_cancel");
    unsigned partial_chosen = 0, after_chosen = 0, cancel_chosen = 0;
    int rc = round.v ? spec_text(s, &round, ROUND_MAX, &l->round) : 0;
    for (size_t i = 0; i < l->round.len && rc == 0; i++)
        if (memchr("/~@ ", l->round.data[i], 4))
            rc = spec_error(s, &round, "a round is written with letters, digits and _ . : -, such as \"2026-11\"");
    if (rc == 0 && partial.v)
        rc = spec_choice(s, &partial, partials, &partial_chosen);
    if (rc == 0 && after.v)
        rc = spec_choice(s, &after, afterwards, &after_chosen);
    if (rc == 0 && cancel.v)
        rc = spec_choice(s, &cancel, afterwards, &cancel_chosen);
    l->partial = partial_chosen == 0;
    l->kept = after_chosen == 1;
    l->kept_when_cancelled = cancel_chosen == 1;
    return rc;
}

int limits_compile(struct spec *s, const struct spec_node *n, bool of_gate, const struct limits **out)
{
    static const char *const known[] = {
        "uses",           "units",        "budget",       "per_customer", "units_per_customer", "budget_per_customer", "round",
        "partial_budget", "after_refund", "after_cancel", NULL,
    };
    *out = NULL;
    if (!n->v)
        return 0;
    int rc = spec_object(s, n, known);
    struct limits *l = spec_array(s, 1, sizeof *l);
    struct limit *list = spec_array(s, (size_t)FORMS * LIST_MAX, sizeof *list);
    if (rc < 0 || !l || !list)
        return rc < 0 ? rc : ERR_NOMEM;
    l->round = slice_str("");
    l->list = list;
    l->zone = s->zone;
    if ((rc = words_compile(s, n, l)) < 0)
        return rc;
    for (size_t i = 0; i < FORMS && rc == 0; i++) {
        struct spec_node m = spec_member(n, forms[i].key);
        if (m.v && of_gate && !forms[i].of_gates)
            return spec_error(s, &m, "a purchase limit is of units; write units or units_per_customer");
        if (m.v)
            rc = form_compile(s, &m, &forms[i], list, &l->count);
    }
    if (rc == 0 && l->count == 0)
        return spec_error(s, n, "limits nothing; write uses, units, budget, per_customer or units_per_customer");
    for (uint32_t i = 0; i < l->count; i++) {
        l->for_customers = l->for_customers || list[i].of_customer;
        l->bounds = l->bounds || list[i].kind != LIMIT_USES;
    }
    *out = l;
    return rc;
}

/* --- accounts ------------------------------------------------------------------------------------------------------------ */

static const char *const kind_names[] = { "uses", "units", "budget" };

static void period_text(const struct limits *l, enum limit_period per, int64_t at_ms, char out[PERIOD_TEXT])
{
    struct civil now;
    out[0] = 0;
    if (per == PERIOD_NONE)
        return;
    zone_from_utc(l->zone, at_ms, &now, NULL);
    if (per == PERIOD_WEEK) {
        int64_t day = civil_days(now.year, now.month, now.day);
        civil_from_days(day - civil_weekday(day) + 1, &now.year, &now.month, &now.day);
    }
    if (per == PERIOD_YEAR)
        snprintf(out, PERIOD_TEXT, "@%d", now.year);
    else if (per == PERIOD_MONTH)
        snprintf(out, PERIOD_TEXT, "@%d-%02d", now.year, now.month);
    else
        snprintf(out, PERIOD_TEXT, "@%s%d-%02d-%02d", per == PERIOD_WEEK ? "w" : "", now.year, now.month, now.day);
}

/* "campaign/tea~2026-11/uses@2026-11-20/cus_1"; ids have neither ~ nor /. */
static struct slice account_of(struct quote_eval *e, const struct quote_campaign *c, const struct limit *one)
{
    char period[PERIOD_TEXT];
    struct slice round = c->limits->round, customer = one->of_customer ? e->cart->customer : slice_str("");
    period_text(c->limits, one->per, e->cart->at_ms, period);
    return arena_printf(e->arena, "campaign/%.*s%s%.*s/%s%s%s%.*s", SLICE_FMT(c->id), round.len ? "~" : "", SLICE_FMT(round),
                        kind_names[one->kind], period, customer.len ? "/" : "", SLICE_FMT(customer));
}

/* --- what is left ---------------------------------------------------------------------------------------------------------- */

static int64_t left_of_limit(int64_t max, bool known, int64_t balance)
{
    int64_t left;
    if (!known)
        return max; /* nobody ever used any */
    if (__builtin_add_overflow(max, balance, &left))
        return NO_BOUND;
    return left > 0 ? left : 0; /* a limit that was lowered below what is used: used up */
}

/* Looks up what is left for the campaign whose turn it is. */
static int look(struct quote_eval *e, struct limits_left *out, struct err *err)
{
    const struct quote_campaign *c = e->campaign;
    *out =
        (struct limits_left){ .units = NO_BOUND, .budget = NO_BOUND, .is_guest = c->limits->for_customers && e->cart->customer.len == 0 };
    for (uint32_t i = 0; i < c->limits->count; i++) {
        const struct limit *one = &c->limits->list[i];
        int64_t balance = 0;
        if (one->of_customer && e->cart->customer.len == 0)
            continue;
        struct slice account = account_of(e, c, one);
        int rc = account.data ? left_ask(e, account, &balance, err) : eval_nomem(e, err);
        if (rc < 0)
            return rc;
        int64_t left = left_of_limit(one->max, rc == 1, balance);
        if (left == 0 && !out->gone)
            out->gone = one;
        if (one->kind == LIMIT_UNITS && left < out->units) {
            out->units = left;
            out->units_of = one;
        }
        if (one->kind == LIMIT_BUDGET && left < out->budget) {
            out->budget = left;
            out->budget_of = one;
        }
    }
    return 0;
}

int limits_look(struct quote_eval *e, size_t from, struct err *err)
{
    bool any = false;
    for (size_t i = from; i < e->active_count && !any; i++)
        any = e->rules->campaigns[e->active[i]].limits != NULL;
    if (!any)
        return 0;
    e->limits = arena_array(e->arena, e->active_count, sizeof *e->limits);
    if (!e->limits)
        return eval_nomem(e, err);
    int rc = 0;
    for (size_t i = from; i < e->active_count && rc == 0; i++) {
        if (!e->rules->campaigns[e->active[i]].limits || e->slots[i].reason)
            continue;
        campaign_begin(e, e->active[i]);
        if (campaign_stands(e))
            rc = look(e, &e->limits[i], err);
    }
    return rc;
}

static void why_gone(struct quote_eval *e, const struct limit *one)
{
    why_set(e, one->of_customer ? "customer_limit_reached" : "limit_used_up");
    e->why.at = (struct quote_place){ 0 };
    why_text(e, "limit", slice_str(one->key));
}

static bool hold(struct quote_eval *e, const struct limits_left *left)
{
    if (left->is_guest) {
        uint32_t i = 0;
        while (!e->campaign->limits->list[i].of_customer)
            i++;
        why_set(e, "sign_in");
        e->why.at = (struct quote_place){ 0 };
        why_text(e, "limit", slice_str(e->campaign->limits->list[i].key));
        return false;
    }
    if (left->gone)
        why_gone(e, left->gone);
    return !left->gone;
}

bool limits_used_up(struct quote_eval *e)
{
    const struct quote_campaign *c = e->campaign;
    for (uint32_t i = 0; c->limits && i < c->limits->count; i++) {
        const struct limit *one = &c->limits->list[i];
        int64_t balance = 0;
        if (one->of_customer && e->cart->customer.len == 0)
            return true;
        struct slice account = account_of(e, c, one);
        if (!account.data)
            return true;
        bool known = e->hooks && e->hooks->left && e->hooks->left(e->hooks->ctx, account, &balance);
        if (left_of_limit(one->max, known, balance) == 0)
            return true;
    }
    return false;
}

static const struct limits_left *left_here(const struct quote_eval *e)
{
    struct quote_outcome *slot = e->limits && e->campaign->limits ? slot_of(e, e->campaign_number) : NULL;
    return slot ? &e->limits[slot - e->slots] : NULL;
}

bool limits_stand(struct quote_eval *e)
{
    const struct limits_left *left = left_here(e);
    return !left || hold(e, left);
}

int limits_gate(struct quote_eval *e, bool *holds, struct err *err)
{
    struct limits_left left;
    if (!e->campaign->limits)
        return 0;
    int64_t qty = quote_eval_qty(e, e->scope);
    int rc = look(e, &left, err);
    if (rc < 0)
        return rc;
    *holds = hold(e, &left);
    if (*holds && left.units_of && qty > left.units) {
        *holds = false;
        why_gone(e, left.units_of);
        why_int(e, "left", left.units);
        why_int(e, "seen", qty);
    }
    return 0;
}

/* --- making discounts smaller ------------------------------------------------------------------------------------------------ */

static int64_t touched(const struct quote_eval *e, uint32_t line, const struct quote_discount *d)
{
    return d->units ? d->units : e->cart->lines[line].qty;
}

static void shrink(struct quote_eval *e, struct effect *f, int64_t amount)
{
    e->remaining[f->line] += f->discount.amount_minor - amount;
    f->discount.amount_minor = amount;
}

static void drop_empty(struct quote_eval *e)
{
    for (struct effect **at = &e->effects; *at;)
        if (on_line(*at) && (*at)->discount.amount_minor == 0)
            *at = (*at)->before;
        else
            at = &(*at)->before;
}

/* Units go to the earlier lines; of a discount that gets fewer than it touched its share remains, rounded down. */
static void trim_units(struct quote_eval *e, int64_t left)
{
    int64_t *units = e->weights;
    size_t n = e->cart->line_count;
    memset(units, 0, n * sizeof *units);
    for (const struct effect *f = e->effects; f; f = f->before)
        if (on_line(f) && touched(e, f->line, &f->discount) > units[f->line])
            units[f->line] = touched(e, f->line, &f->discount);
    for (size_t i = 0; i < n; i++) {
        units[i] = units[i] < left ? units[i] : left;
        left -= units[i];
    }
    for (struct effect *f = e->effects; f; f = f->before) {
        int64_t of = on_line(f) ? touched(e, f->line, &f->discount) : 0;
        if (!on_line(f) || of <= units[f->line])
            continue;
        f->discount.units = units[f->line];
        shrink(e, f, (int64_t)((__int128)f->discount.amount_minor * units[f->line] / of));
    }
    drop_empty(e);
}

static int trim_budget(struct quote_eval *e, int64_t budget, struct err *err)
{
    size_t n = 0;
    for (const struct effect *f = e->effects; f; f = f->before)
        n += on_line(f);
    struct split_scratch scratch = { arena_array(e->arena, n, sizeof *scratch.rests), arena_array(e->arena, n, sizeof *scratch.order) };
    int64_t *weights = arena_array(e->arena, n, sizeof *weights), *shares = arena_array(e->arena, n, sizeof *shares);
    if (!scratch.rests || !scratch.order || !weights || !shares)
        return eval_nomem(e, err);
    size_t i = n; /* the first effect first: ties go to it */
    for (const struct effect *f = e->effects; f; f = f->before)
        if (on_line(f))
            weights[--i] = f->discount.amount_minor;
    int rc = allocate(&scratch, budget, weights, n, shares, err);
    i = n;
    for (struct effect *f = e->effects; f && rc == 0; f = f->before)
        if (on_line(f))
            shrink(e, f, shares[--i]);
    drop_empty(e);
    return rc;
}

int limits_trim(struct quote_eval *e, bool *holds, struct err *err)
{
    const struct limits_left *left = left_here(e);
    int64_t sum = 0;
    if (!left || !e->campaign->limits->bounds || !e->effects)
        return 0;
    if (left->units < NO_BOUND)
        trim_units(e, left->units);
    for (const struct effect *f = e->effects; f; f = f->before)
        if (on_line(f))
            sum += f->discount.amount_minor;
    if (sum <= left->budget)
        return 0;
    if (e->campaign->limits->partial)
        return trim_budget(e, left->budget, err);
    eval_undo(e, NULL);
    *holds = false;
    why_gone(e, left->budget_of);
    why_money(e, "needed", sum);
    why_money(e, "left", left->budget);
    return 0;
}

int64_t limits_shipping(const struct quote_eval *e, uint32_t campaign, int64_t taken, int64_t amount)
{
    const struct limits *l = e->rules->campaigns[campaign].limits;
    if (!l || !e->limits)
        return amount;
    int64_t left = e->limits[slot_of(e, campaign) - e->slots].budget - taken;
    return amount <= left ? amount : l->partial ? left : 0;
}

static int64_t units_of_campaign(const struct quote_eval *e, uint32_t number)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < e->cart->line_count; i++) {
        int64_t most = 0;
        for (const struct quote_discount *d = e->cart->lines[i].discounts; d; d = d->next)
            if (d->campaign == number && touched(e, i, d) > most)
                most = touched(e, i, d);
        sum += most;
    }
    return sum;
}

int64_t limits_gift(const struct quote_eval *e, const struct gift *g, int64_t sets, int64_t price_minor)
{
    const struct limits *l = e->rules->campaigns[g->campaign].limits;
    const struct quote_outcome *slot = slot_of(e, g->campaign);
    int64_t qty = g->action->gift.qty, cost;
    if (!l || !e->limits || !l->bounds)
        return sets;
    const struct limits_left *left = &e->limits[slot - e->slots];
    int64_t of_units = left->units == NO_BOUND ? sets : (left->units - units_of_campaign(e, g->campaign)) / qty;
    if (of_units < sets)
        sets = of_units > 0 ? of_units : 0;
    if (left->budget == NO_BOUND || price_minor == 0)
        return sets;
    int64_t of_budget = money_mul(price_minor, qty, &cost) ? (left->budget - slot->amount_minor) / cost : 0;
    return of_budget >= sets ? sets : l->partial && of_budget > 0 ? of_budget : 0;
}

/* --- what is used ------------------------------------------------------------------------------------------------------------ */

static int64_t units_behind(struct quote_eval *e, uint32_t number)
{
    const struct selector *scope = e->rules->campaigns[number].scope;
    struct quote_set all = eval_sale(e);
    int64_t units = 0;
    for (size_t i = 0; i < all.count; i++)
        if (!scope || selector_match(scope, &e->cart->lines[all.lines[i]].product, &e->marks[all.lines[i]]))
            units += e->cart->lines[all.lines[i]].qty;
    return units;
}

static int takes_add(struct quote_eval *e, struct quote_result *out, uint32_t number, const int64_t used[3], struct err *err)
{
    const struct quote_campaign *c = &e->rules->campaigns[number];
    struct quote_take *list = arena_array(e->arena, out->take_count + c->limits->count, sizeof *list);
    if (!list)
        return eval_nomem(e, err);
    if (out->take_count)
        memcpy(list, out->takes, out->take_count * sizeof *list);
    out->takes = list;
    for (uint32_t i = 0; i < c->limits->count; i++) {
        const struct limit *one = &c->limits->list[i];
        if (used[one->kind] == 0)
            continue;
        struct slice account = account_of(e, c, one);
        if (!account.data)
            return eval_nomem(e, err);
        list[out->take_count++] = (struct quote_take){
            .campaign = number,
            .limit = one->key,
            .unit = one->kind == LIMIT_BUDGET ? e->rules->currency.code : kind_names[one->kind],
            .account = account,
            .amount = used[one->kind],
            .max = one->max,
            .of_customer = one->of_customer,
            .kept = c->limits->kept,
            .kept_when_cancelled = c->limits->kept_when_cancelled,
        };
    }
    return 0;
}

int limits_finish(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < out->outcome_count && rc == 0 && out->outcomes[i].applied; i++) {
        const struct quote_outcome *o = &out->outcomes[i];
        const struct quote_campaign *c = &e->rules->campaigns[o->campaign];
        if (c->pay_within_ms && (!out->pay_within_ms || c->pay_within_ms < out->pay_within_ms))
            out->pay_within_ms = c->pay_within_ms;
        if (c->limits)
            rc = takes_add(e, out, o->campaign, (int64_t[]){ 1, units_of_campaign(e, o->campaign), o->amount_minor }, err);
    }
    for (size_t i = 0; i < out->gate_count && rc == 0; i++) {
        const struct quote_gate *g = &out->gates[i];
        if (e->rules->campaigns[g->campaign].limits && g->open && !g->reason)
            rc = takes_add(e, out, g->campaign, (int64_t[]){ 0, units_behind(e, g->campaign), 0 }, err);
    }
    return rc;
}
