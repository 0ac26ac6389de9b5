/* The tax of lines and of shipping: its rate by rules of plugins, then by the table of shop.lua; within the prices, or on top of them.
 * Lines are settled: what campaigns take off lowers the tax. */
#include "quote/run_int.h"

enum { TITLE_MAX = 200, NOBODY = UINT32_MAX };

struct tax_run {
    int64_t *rates; /* per line, ppm; -1: nobody knows it yet */
    uint32_t *by;   /* per line: who knew; a rule, or behind all rules a row of the table */
    int64_t *asked; /* per line: what the rule that is asked says so far */
    struct quote_tax_sum *sums;
    uint32_t *sum_by;
    size_t sum_count;
};

/* --- the table of shop.lua -------------------------------------------------------------------------------------------- */

/* A rate of nothing is a rate: what is free of tax is listed as such. */
static int percent_compile(struct spec *s, const struct spec_node *n, int64_t *out)
{
    int64_t i;
    if (json_is_int(n->v, &i) && i == 0) {
        *out = 0;
        return 0;
    }
    return spec_percent(s, n, out);
}

static int rate_compile(struct spec *s, const struct spec_node *n, struct tax_rate *out)
{
    static const char *const known[] = { "title", "percent", "regions", "scope", "shipping", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node title = spec_member(n, "title"), percent = spec_member(n, "percent"), regions = spec_member(n, "regions");
    struct spec_node scope = spec_member(n, "scope"), shipping = spec_member(n, "shipping");
    *out = (struct tax_rate){ 0 };
    if ((rc = spec_text(s, &title, TITLE_MAX, &out->title)) < 0 || (rc = percent_compile(s, &percent, &out->rate_ppm)) < 0)
        return rc;
    if (regions.v && (rc = spec_names(s, &regions, &out->regions)) < 0)
        return rc;
    if (shipping.v && shipping.v->type != JSON_TRUE && shipping.v->type != JSON_FALSE)
        return spec_error(s, &shipping, "is true or false");
    out->shipping = shipping.v && shipping.v->type == JSON_TRUE;
    if (!scope.v)
        return 0;
    if (out->shipping)
        return spec_error(s, &scope, "shipping has no lines to choose from; give lines a rate of their own");
    struct selector *sel = spec_array(s, 1, sizeof *sel);
    out->scope = sel;
    return sel ? selector_compile(s, &scope, sel) : ERR_NOMEM;
}

static int rates_compile(struct spec *s, const struct spec_node *n, struct taxes *out)
{
    int rc = spec_list(s, n);
    struct tax_rate *rates = rc == 0 ? spec_array(s, n->v->count, sizeof *rates) : NULL;
    if (!rates)
        return rc < 0 ? rc : ERR_NOMEM;
    size_t i = 0;
    for (const struct json_value *m = n->v->first; m && rc == 0; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i + 1);
        rc = rate_compile(s, &e, &rates[i]);
    }
    out->rates = rates;
    out->rate_count = (uint32_t)n->v->count;
    return rc;
}

int tax_compile(struct spec *s, const struct json_value *v, bool has_rules, bool per_unit, struct taxes *out)
{
    static const char *const known[] = { "prices", "round", "region", "rates", NULL };
    static const char *const prices[] = { "include", "exclude", NULL }, *const rounds[] = { "line", "unit", NULL };
    struct spec_node root = spec_root(NULL);
    struct spec_node n = { .up = &root, .v = v, .key = "tax" };
    *out = (struct taxes){ .known = has_rules || v, .included = true, .per_unit = per_unit };
    if (!v)
        return 0;
    int rc = spec_object(s, &n, known);
    if (rc < 0)
        return rc;
    struct spec_node with = spec_member(&n, "prices"), round = spec_member(&n, "round"), region = spec_member(&n, "region");
    struct spec_node rates = spec_member(&n, "rates");
    unsigned choice = 0;
    if ((rc = spec_choice(s, &with, prices, &choice)) < 0)
        return rc;
    out->included = choice == 0;
    choice = out->per_unit;
    if (round.v && (rc = spec_choice(s, &round, rounds, &choice)) < 0)
        return rc;
    out->per_unit = choice == 1;
    struct slice name;
    if (region.v && (rc = spec_text(s, &region, TITLE_MAX, &name)) < 0)
        return rc;
    if (region.v)
        out->default_region = symbols_intern(s->symbols, name);
    if (!rates.v && has_rules)
        return 0;
    return rates_compile(s, &rates, out);
}

/* --- who knows the rate ------------------------------------------------------------------------------------------------ */

bool quote_eval_may_tax(const struct quote_eval *e, uint32_t line)
{
    return e->taxes && line < e->cart->line_count && e->taxes->rates[line] < 0 && !e->cart->lines[line].closed;
}

int quote_eval_tax(struct quote_eval *e, uint32_t line, int64_t rate_ppm, struct err *err)
{
    if (!e->taxes)
        return err_set(err, ERR_STATE, "tax rates are given by tax rules only");
    if (!quote_eval_may_tax(e, line))
        return err_field(err, ERR_INVALID, "line", "line %u has no rate that a rule may give", line + 1);
    if (rate_ppm < 0 || rate_ppm > RATE_ONE_PPM)
        return err_field(err, ERR_INVALID, "rate", "a tax rate is from 0 to 1000000 parts per million (%lld)", (long long)rate_ppm);
    e->taxes->asked[line] = rate_ppm;
    return 0;
}

static void reset(struct quote_eval *e)
{
    for (size_t i = 0; i < e->cart->line_count; i++)
        e->taxes->asked[i] = -1;
}

static int ask_rules(struct quote_eval *e, struct tax_run *t, struct err *err)
{
    const struct quote_rule_list *rules = &e->rules->tax_rates;
    const struct rule_ask ask = { "tax rule", e->hooks ? e->hooks->tax_rates : NULL, reset };
    bool skipped;
    int rc = 0;
    struct err own;
    e->campaign = NULL;
    e->taxes = t;
    for (uint32_t i = 0; i < rules->count && rc == 0; i++) {
        rc = rule_ask(e, &rules->items[i], &ask, &skipped, err ? err : &own);
        for (size_t k = 0; k < e->cart->line_count && rc == 0; k++) {
            if (t->rates[k] < 0 && t->asked[k] >= 0) {
                t->rates[k] = t->asked[k];
                t->by[k] = i;
            }
        }
    }
    e->taxes = NULL;
    return rc;
}

static bool rate_holds(const struct quote_eval *e, const struct tax_rate *rate)
{
    symbol region = e->cart->region ? e->cart->region : e->rules->taxes.default_region;
    return rate->regions.count == 0 || (region && names_have(&rate->regions, region));
}

static uint32_t row_of_line(const struct quote_eval *e, size_t line)
{
    for (uint32_t i = 0; i < e->rules->taxes.rate_count; i++) {
        const struct tax_rate *rate = &e->rules->taxes.rates[i];
        if (!rate->shipping && rate_holds(e, rate) &&
            (!rate->scope || selector_match(rate->scope, &e->cart->lines[line].product, &e->marks[line])))
            return i;
    }
    return NOBODY;
}

static uint32_t row_of_shipping(const struct quote_eval *e)
{
    for (uint32_t i = 0; i < e->rules->taxes.rate_count; i++)
        if (e->rules->taxes.rates[i].shipping && rate_holds(e, &e->rules->taxes.rates[i]))
            return i;
    return NOBODY;
}

static void ask_table(const struct quote_eval *e, struct tax_run *t)
{
    for (size_t i = 0; i < e->cart->line_count; i++) {
        uint32_t row = t->rates[i] < 0 && !e->cart->lines[i].closed ? row_of_line(e, i) : NOBODY;
        if (row == NOBODY)
            continue;
        t->rates[i] = e->rules->taxes.rates[row].rate_ppm;
        t->by[i] = (uint32_t)e->rules->tax_rates.count + row;
    }
}

/* --- how much ------------------------------------------------------------------------------------------------------------ */

static bool tax_of(int64_t amount, int64_t rate_ppm, bool included, enum rounding mode, int64_t *out)
{
    return money_ratio(amount, rate_ppm, included ? RATE_ONE_PPM + rate_ppm : RATE_ONE_PPM, mode, out);
}

/* By unit: the units of a line cost the same but for one minor unit, and each is rounded. */
static bool tax_of_units(int64_t amount, int64_t qty, int64_t rate_ppm, bool included, enum rounding mode, int64_t *out)
{
    int64_t low, high, some, rest;
    return tax_of(amount / qty, rate_ppm, included, mode, &low) && tax_of(amount / qty + 1, rate_ppm, included, mode, &high) &&
           money_mul(high, amount % qty, &some) && money_mul(low, qty - amount % qty, &rest) && money_add(some, rest, out);
}

int64_t tax_threshold(const struct quote_eval *e, struct quote_set set, bool with_tax)
{
    const struct taxes *t = &e->rules->taxes;
    int64_t sum = eval_threshold(e, set), tax;
    bool remaining = e->campaign->policies->thresholds == BASE_REMAINING;
    for (size_t i = 0; i < set.count && t->included != with_tax; i++) {
        uint32_t line = set.lines[i], row = row_of_line(e, line);
        if (row == NOBODY || !tax_of(remaining ? e->remaining[line] : e->cart->lines[line].subtotal_minor, t->rates[row].rate_ppm,
                                     t->included, e->rules->policies.rounding, &tax))
            continue;
        if (!money_add(sum, with_tax ? tax : -tax, &sum))
            return INT64_MAX;
    }
    return sum;
}

static struct slice title_of(const struct quote_eval *e, uint32_t by)
{
    const struct quote_rules *r = e->rules;
    return by < r->tax_rates.count ? slice_str(r->tax_rates.items[by].name) : r->taxes.rates[by - r->tax_rates.count].title;
}

/* `amount`: what is taxed, with the tax when prices include it. Sums can't overflow where their total does not. */
static void sum_add(struct quote_eval *e, struct tax_run *t, uint32_t by, int64_t rate_ppm, int64_t net, int64_t tax)
{
    size_t i = 0;
    while (i < t->sum_count && (t->sum_by[i] != by || t->sums[i].rate_ppm != rate_ppm))
        i++;
    if (i == t->sum_count) {
        t->sums[i] = (struct quote_tax_sum){ .title = title_of(e, by), .rate_ppm = rate_ppm };
        t->sum_by[i] = by;
        t->sum_count++;
    }
    t->sums[i].net_minor += net;
    t->sums[i].tax_minor += tax;
}

static int too_much(struct err *err)
{
    return err_field(err, ERR_OVERFLOW, "/lines", "the cart with its tax costs more than can be counted; order less at once");
}

static int lines_tax(struct quote_eval *e, struct tax_run *t, struct quote_tax *out, struct err *err)
{
    enum rounding mode = e->rules->policies.rounding;
    for (size_t i = 0; i < e->cart->line_count; i++) {
        struct quote_line *l = &e->cart->lines[i];
        if (t->rates[i] < 0)
            continue;
        bool fits = e->rules->taxes.per_unit ? tax_of_units(l->total_minor, l->qty, t->rates[i], out->included, mode, &l->tax_minor)
                                             : tax_of(l->total_minor, t->rates[i], out->included, mode, &l->tax_minor);
        int64_t before = 0;
        fits = fits && (e->rules->taxes.per_unit ? tax_of_units(l->subtotal_minor, l->qty, t->rates[i], out->included, mode, &before)
                                                 : tax_of(l->subtotal_minor, t->rates[i], out->included, mode, &before));
        out->discount_minor += before - l->tax_minor;
        if (!fits || !money_add(out->amount_minor, l->tax_minor, &out->amount_minor))
            return too_much(err);
        sum_add(e, t, t->by[i], t->rates[i], l->total_minor - (out->included ? l->tax_minor : 0), l->tax_minor);
    }
    return 0;
}

static int shipping_tax(struct quote_eval *e, struct tax_run *t, struct quote_tax *out, struct err *err)
{
    uint32_t row = e->has_shipping ? row_of_shipping(e) : NOBODY;
    if (row == NOBODY)
        return 0;
    int64_t rate_ppm = e->rules->taxes.rates[row].rate_ppm, amount = e->shipping_remaining;
    if (!tax_of(amount, rate_ppm, out->included, e->rules->policies.rounding, &out->shipping_minor) ||
        !money_add(out->amount_minor, out->shipping_minor, &out->amount_minor))
        return too_much(err);
    sum_add(e, t, (uint32_t)e->rules->tax_rates.count + row, rate_ppm, amount - (out->included ? out->shipping_minor : 0),
            out->shipping_minor);
    return 0;
}

static int run_begin(struct quote_eval *e, struct tax_run *t, struct err *err)
{
    size_t n = e->cart->line_count;
    t->rates = arena_array(e->arena, n, sizeof *t->rates);
    t->asked = arena_array(e->arena, n, sizeof *t->asked);
    t->by = arena_array(e->arena, n, sizeof *t->by);
    t->sums = arena_array(e->arena, n + 1, sizeof *t->sums);
    t->sum_by = arena_array(e->arena, n + 1, sizeof *t->sum_by);
    if (!t->rates || !t->asked || !t->by || !t->sums || !t->sum_by)
        return eval_nomem(e, err);
    for (size_t i = 0; i < n; i++) {
        t->rates[i] = -1;
        e->cart->lines[i].tax_minor = 0;
    }
    return 0;
}

int tax_price(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    if (!e->rules->taxes.known)
        return 0;
    struct tax_run t = { 0 };
    /* Prices that are final are what is paid, so the tax is within them. */
    out->tax = (struct quote_tax){ .known = true, .included = e->rules->taxes.included || e->cart->no_campaigns };
    int rc = run_begin(e, &t, err);
    if (rc == 0)
        rc = ask_rules(e, &t, err);
    if (rc < 0)
        return rc;
    ask_table(e, &t);
    rc = lines_tax(e, &t, &out->tax, err);
    out->tax.lines_minor = out->tax.amount_minor;
    if (rc == 0)
        rc = shipping_tax(e, &t, &out->tax, err);
    if (rc < 0)
        return rc;
    out->tax.sums = t.sums;
    out->tax.sum_count = t.sum_count;
    if (!out->tax.included && !money_add(out->total_minor, out->tax.amount_minor, &out->total_minor))
        return too_much(err);
    out->tax.net_minor = out->total_minor - out->tax.amount_minor;
    return 0;
}
