#include "quote/limits.h"
#include "quote/rules_int.h"
#include <assert.h>
#include <stdlib.h>

enum { ID_MAX = 64, TITLE_MAX = 200, AT_MAX = 200, OWNER_MAX = 64, REASON_MAX = 200, PRIORITY_MAX = 1000000 };

static const char *const campaign_keys[] = { "id",   "at",   "title",      "priority",   "stage",    "window",   "scope", "codes",
                                             "when", "give", "on_failure", "owner",      "watch",    "alone",    "group", "not_with",
                                             "lane", "stop", "limits",     "pay_within", "policies", "declares", "share", NULL };
static const char *const gate_keys[] = { "gate", "id",     "at",     "title",      "priority", "window", "scope",
                                         "when", "reason", "effect", "on_failure", "owner",    "limits", NULL };
static const char *const stages[] = { "price", "item", "order", "shipping", NULL };
static const char *const lanes[] = { "pre", "default", "post", NULL };
static const char *const stops[] = { "lines", "order", NULL };
static const char *const failures[] = { "skip", "refuse", NULL };
static const char *const effects[] = { "refuse", "hide", NULL };

/* --- one campaign ------------------------------------------------------------------------------------------------------ */

static bool id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.:-", c));
}

static int id_compile(struct spec *s, const struct spec_node *n, struct slice *out)
{
    int rc = spec_text(s, n, ID_MAX, out);
    for (size_t i = 0; rc == 0 && i < out->len; i++)
        if (!id_char(out->data[i]))
            rc = spec_error(s, n, "\"%.*s\" has a character that ids can't have; use letters, digits and _ . : -", SLICE_FMT(*out));
    return rc;
}

/* `codes` stands before the conditions of `when`, as if it had been written there. */
static int when_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node codes = spec_member(n, "codes"), when = spec_member(n, "when");
    struct condition *list = NULL;
    int rc = 0;
    if (when.v && (rc = condition_list(s, &when, &list, &c->when_count)) < 0)
        return rc;
    c->when = list;
    if (!codes.v)
        return 0;
    struct condition *all = spec_array(s, c->when_count + 1, sizeof *all);
    if (!all)
        return ERR_NOMEM;
    all[0].kind = WHEN_COUPON;
    if (c->when_count)
        memcpy(all + 1, list, c->when_count * sizeof *all);
    c->when = all;
    c->when_count++;
    return spec_codes(s, &codes, &all[0].names);
}

/* There each line stands for one unit, and no shopper is known to have more of them. */
static int price_stage_check(struct spec *s, const struct spec_node *stage, const struct quote_campaign *c)
{
    for (uint32_t i = 0; i < c->give_count; i++) {
        const struct action *a = &c->give[i];
        bool fits = a->type == &percent_off_type
                        ? a->percent.round != ROUND_AT_ORDER && !chosen_any(&a->percent.chosen) && !a->percent.cap_minor
                    : a->type == &amount_off_type  ? a->amount.per == PER_UNIT && !chosen_any(&a->amount.chosen) && !a->amount.cap_minor
                    : a->type == &fixed_price_type ? !a->fixed.max_units
                                                   : a->type == &price_list_type;
        if (!fits)
            return spec_error(s, stage,
                              "a campaign of this stage changes the price of every unit: it gives price_list, percent_off, amount_off with "
                              "per = \"unit\" or fixed_price, without a cap or so many units");
    }
    for (uint32_t i = 0; i < c->when_count; i++)
        if (c->when[i].kind == WHEN_SUBTOTAL || c->when[i].kind == WHEN_QTY || c->when[i].kind == WHEN_FUNCTION)
            return spec_error(
                s, stage,
                "prices are found before it is known what the cart comes to; leave conditions on amounts, units and functions out");
    return 0;
}

static int own_policies(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node own = spec_member(n, "policies");
    if (!own.v)
        return 0;
    struct policies *p = spec_array(s, 1, sizeof *p);
    if (!p)
        return ERR_NOMEM;
    *p = *c->policies;
    c->policies = p;
    return policies_own(s, &own, p);
}

static int stage_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node stage = spec_member(n, "stage");
    unsigned chosen;
    c->stage = STAGE_SHIPPING;
    for (uint32_t i = 0; i < c->give_count; i++)
        if (c->give[i].stage < c->stage)
            c->stage = c->give[i].stage;
    int rc = stage.v ? spec_choice(s, &stage, stages, &chosen) : 0;
    if (rc < 0)
        return rc;
    if (stage.v)
        c->stage = (enum stage)(STAGE_PRICE + chosen);
    if (c->stage == STAGE_PRICE)
        return price_stage_check(s, &stage, c);
    for (uint32_t i = 0; i < c->give_count; i++)
        if (c->give[i].type == &price_list_type)
            return spec_error(s, &stage, "a price list says what a unit costs before anything is taken off; leave stage out");
    for (uint32_t i = 0; i < c->give_count && stage.v; i++)
        if (c->stage == STAGE_SHIPPING && c->give[i].touches_lines)
            return spec_error(s, &stage, "%s changes lines, and they are settled before the shipping stage; leave stage out",
                              c->give[i].type->key);
    return 0;
}

static int turn_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node lane = spec_member(n, "lane"), stop = spec_member(n, "stop");
    unsigned chosen = LANE_DEFAULT, stops_what = 0;
    int rc = lane.v ? spec_choice(s, &lane, lanes, &chosen) : 0;
    if (rc == 0 && stop.v)
        rc = spec_choice(s, &stop, stops, &stops_what);
    c->lane = (enum lane)chosen;
    c->stop = stop.v ? (enum stop)(STOP_LINES + stops_what) : STOP_NOT;
    return rc;
}

static int scope_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node scope = spec_member(n, "scope");
    if (!scope.v)
        return 0;
    struct selector *sel = spec_array(s, 1, sizeof *sel);
    if (!sel)
        return ERR_NOMEM;
    c->scope = sel;
    return selector_compile(s, &scope, sel);
}

static int quoted(struct spec *s, struct slice text, struct slice *out)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_string(&w, text);
    *out = arena_copy(s->arena, buf_slice(&b));
    bool failed = b.failed || !out->data;
    buf_release(&b);
    return failed ? spec_nomem(s) : 0;
}

static int give_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node give = spec_member(n, "give"), on_failure = spec_member(n, "on_failure"), watch = spec_member(n, "watch");
    struct spec_node share = spec_member(n, "share");
    struct action *actions;
    unsigned chosen = 0;
    int rc = action_list(s, &give, &actions, &c->give_count);
    if (rc < 0)
        return rc;
    c->give = actions;
    if (!c->scope && c->give_count == 1 && actions->type == &price_list_type)
        c->scope = &actions->prices->skus; /* so that only carts with one of them look at it */
    if ((rc = stage_compile(s, n, c)) < 0 || (rc = watch_compile(s, &watch, true, &c->watch)) < 0 ||
        (rc = customer_share_compile(s, &share, c)) < 0)
        return rc;
    if (on_failure.v && (rc = spec_choice(s, &on_failure, failures, &chosen)) < 0)
        return rc;
    c->refuse_on_failure = chosen == 1;
    return 0;
}

/* What only gates have. */
static int gate_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    struct spec_node gate = spec_member(n, "gate"), when = spec_member(n, "when"), reason = spec_member(n, "reason");
    struct spec_node effect = spec_member(n, "effect"), on_failure = spec_member(n, "on_failure");
    bool is_gate;
    unsigned chosen = 0, failing = 1;
    if (!json_is_bool(gate.v, &is_gate) || !is_gate)
        return spec_error(s, &gate, "a gate says true here");
    if (!when.v && !spec_member(n, "limits").v)
        return spec_error(s, &when, "is missing; a gate says what must hold to buy");
    if (!reason.v)
        return spec_error(s, &reason, "is missing; write for the shopper why this can't be bought");
    int rc = spec_text(s, &reason, REASON_MAX, &c->because);
    if (rc == 0 && effect.v)
        rc = spec_choice(s, &effect, effects, &chosen);
    if (rc == 0 && on_failure.v)
        rc = spec_choice(s, &on_failure, failures, &failing);
    c->stage = STAGE_GATE;
    c->hides = chosen == 1;
    c->refuse_on_failure = failing == 1; /* whoever can't be asked lets nobody through */
    return rc;
}

static int pay_within_compile(struct spec *s, const struct spec_node *n, int64_t *out)
{
    struct slice text;
    struct err why;
    if (!n->v)
        return 0;
    int rc = spec_text(s, n, 16, &text);
    if (rc == 0 && duration_parse(text, out, &why) < 0)
        rc = spec_error(s, n, "\"%.*s\" is no time; write it like \"5m\" or \"48h\"", SLICE_FMT(text));
    return rc;
}

static int campaign_compile(struct spec *s, const struct json_value *v, size_t number, struct quote_campaign *c)
{
    struct spec_node n = spec_root(v);
    struct slice at;
    s->at = slice_str("");
    s->at = json_is_string(json_get(v, "at"), &at) && at.len && at.len <= AT_MAX ? arena_copy(s->arena, at)
                                                                                 : arena_printf(s->arena, "campaign %zu", number);
    c->at = s->at;
    if (!s->at.data)
        return spec_nomem(s);
    bool is_gate = json_get(v, "gate") != NULL;
    int rc = spec_object(s, &n, is_gate ? gate_keys : campaign_keys);
    if (rc < 0)
        return rc;
    struct spec_node id = spec_member(&n, "id"), title = spec_member(&n, "title"), priority = spec_member(&n, "priority");
    struct spec_node window = spec_member(&n, "window");
    struct spec_node owner = spec_member(&n, "owner");
    if ((rc = id_compile(s, &id, &c->id)) < 0)
        return rc;
    c->title = c->id;
    if (title.v && (rc = spec_text(s, &title, TITLE_MAX, &c->title)) < 0)
        return rc;
    if (priority.v && (rc = spec_int(s, &priority, -PRIORITY_MAX, PRIORITY_MAX, &c->priority)) < 0)
        return rc;
    c->window = (struct window){ INT64_MIN, INT64_MAX };
    if (window.v && (rc = window_compile(s, &window, &c->window)) < 0)
        return rc;
    if ((rc = scope_compile(s, &n, c)) < 0 || (rc = when_compile(s, &n, c)) < 0)
        return rc;
    if ((rc = is_gate ? gate_compile(s, &n, c) : give_compile(s, &n, c)) < 0)
        return rc;
    c->owner = slice_str("");
    if (owner.v && (rc = spec_text(s, &owner, OWNER_MAX, &c->owner)) < 0)
        return rc;
    if (!is_gate && ((rc = exclusions_compile(s, &n, c)) < 0 || (rc = turn_compile(s, &n, c)) < 0 || (rc = own_policies(s, &n, c)) < 0))
        return rc;
    struct spec_node limits = spec_member(&n, "limits"), pay_within = spec_member(&n, "pay_within");
    if ((rc = limits_compile(s, &limits, is_gate, &c->limits)) < 0 || (rc = pay_within_compile(s, &pay_within, &c->pay_within_ms)) < 0)
        return rc;
    rc = quoted(s, c->id, &c->id_json);
    return rc < 0 ? rc : quoted(s, c->title, &c->title_json);
}

/* --- all of them --------------------------------------------------------------------------------------------------------- */

static int in_order(const void *a, const void *b)
{
    const struct quote_campaign *x = a, *y = b;
    static const int phases[] = { [STAGE_GATE] = 0, [STAGE_PRICE] = 1, [STAGE_ITEM] = 2, [STAGE_ORDER] = 2, [STAGE_SHIPPING] = 3 };
    int x_phase = phases[x->stage], y_phase = phases[y->stage];
    if (x_phase != y_phase)
        return x_phase < y_phase ? -1 : 1;
    if (x->lane != y->lane)
        return x->lane < y->lane ? -1 : 1;
    if (x->stage != y->stage && !x->policies->priority_alone)
        return x->stage < y->stage ? -1 : 1;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    return slice_cmp(x->id, y->id);
}

static int by_id(const void *a, const void *b, void *campaigns)
{
    const struct quote_campaign *c = campaigns;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = slice_cmp(c[x].id, c[y].id);
    return order ? order : (x > y) - (x < y);
}

/* While campaigns stand as they were given: of two with one id, the later is at fault. */
static int ids_check(struct spec *s, struct quote_rules *r)
{
    for (size_t i = 1; i < r->count; i++) {
        const struct quote_campaign *first = &r->campaigns[r->by_id[i - 1]], *second = &r->campaigns[r->by_id[i]];
        if (!slice_eq(first->id, second->id))
            continue;
        struct spec_node root = spec_root(NULL);
        struct spec_node id = { .up = &root, .key = "id" };
        s->at = second->at;
        return spec_error(s, &id, "\"%.*s\" is already the id of the campaign at %.*s; give each campaign its own", SLICE_FMT(second->id),
                          SLICE_FMT(first->at));
    }
    return 0;
}

static void sort_ids(struct quote_rules *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        r->by_id[i] = i;
    qsort_r(r->by_id, r->count, sizeof *r->by_id, by_id, r->campaigns);
}

static int campaigns_compile(struct spec *s, const struct json_value *campaigns, struct quote_rules *r)
{
    if (!campaigns || campaigns->count == 0)
        return 0;
    if (campaigns->type != JSON_ARRAY)
        return err_set(s->err, ERR_INVALID, "campaigns are a list, not %s", json_type_name(campaigns->type));
    r->count = campaigns->count;
    r->campaigns = spec_array(s, r->count, sizeof *r->campaigns);
    r->by_id = spec_array(s, r->count, sizeof *r->by_id);
    if (!r->campaigns || !r->by_id)
        return ERR_NOMEM;
    size_t number = 0;
    for (const struct json_value *m = campaigns->first; m; m = m->next, number++) {
        r->campaigns[number].policies = &r->policies;
        int rc = campaign_compile(s, m, number + 1, &r->campaigns[number]);
        if (rc < 0)
            return rc;
    }
    sort_ids(r);
    if (ids_check(s, r) < 0)
        return ERR_INVALID;
    qsort(r->campaigns, r->count, sizeof *r->campaigns, in_order);
    for (size_t i = 0; i < r->count; i++)
        r->price_stage = r->price_stage || r->campaigns[i].stage == STAGE_PRICE;
    while (r->gate_count < r->count && r->campaigns[r->gate_count].stage == STAGE_GATE)
        r->gate_count++;
    sort_ids(r);
    r->rank = spec_array(s, r->count, sizeof *r->rank);
    if (!r->rank)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < r->count; i++)
        r->rank[r->by_id[i]] = i;
    int rc = shares_link(s, r);
    if (rc == 0)
        rc = exclusions_link(s, r);
    if (rc == 0)
        rc = codes_link(s, r);
    uint32_t gates = (uint32_t)r->gate_count, all = (uint32_t)r->count;
    if (rc == 0)
        rc = index_build(r, s->arena, 0, gates, &r->gate_index, s->err);
    return rc < 0 ? rc : index_build(r, s->arena, gates, all, &r->index, s->err);
}

static int rules_copy(const struct quote_rule_list *from, struct quote_rules *r, struct quote_rule_list *to, struct err *err)
{
    struct quote_rule *list = arena_array(&r->arena, from->count + 1, sizeof *list);
    for (size_t i = 0; list && i < from->count; i++) {
        list[i] = from->items[i];
        list[i].name = arena_strdup(&r->arena, slice_str(from->items[i].name));
        list[i].owner = arena_strdup(&r->arena, slice_str(from->items[i].owner ? from->items[i].owner : ""));
        if (!list[i].name || !list[i].owner)
            list = NULL;
    }
    if (!list)
        return err_set(err, ERR_NOMEM, "out of memory while reading the rules; try again");
    *to = (struct quote_rule_list){ list, from->count };
    return 0;
}

static int all_rules_copy(const struct quote_rules_options *o, struct quote_rules *r, struct err *err)
{
    int rc = rules_copy(&o->pricing, r, &r->pricing, err);
    if (rc == 0)
        rc = rules_copy(&o->shipping_rates, r, &r->shipping_rates, err);
    return rc < 0 ? rc : rules_copy(&o->tax_rates, r, &r->tax_rates, err);
}

static int facts_keep(struct spec *s, const struct quote_rules_options *o, struct quote_rules *r)
{
    uint32_t *list = spec_array(s, o->fact_count, sizeof *list);
    if (!list && o->fact_count)
        return ERR_NOMEM;
    bool any = s->functions || o->pricing.count + o->shipping_rates.count + o->tax_rates.count > 0;
    for (uint32_t i = 0; i < o->fact_count; i++)
        if (s->facts_used[i] || (any && o->facts[i].named))
            list[r->fact_count++] = i;
    r->facts = list;
    r->questions = s->questions;
    r->question_count = s->question_count;
    return 0;
}

static int facts_begin(struct spec *s, const struct quote_rules_options *o, struct quote_rules *r)
{
    s->facts = o->facts;
    s->fact_count = o->fact_count;
    r->fact_types = o->facts;
    r->fact_type_count = o->fact_count;
    s->facts_used = spec_array(s, o->fact_count, sizeof *s->facts_used);
    return s->facts_used || o->fact_count == 0 ? 0 : ERR_NOMEM;
}

int quote_rules_build(const struct json_value *campaigns, const struct quote_rules_options *o, struct quote_rules **out, struct err *err)
{
    *out = NULL;
    struct quote_rules *r = calloc(1, sizeof *r);
    if (!r)
        return err_set(err, ERR_NOMEM, "out of memory while reading the rules; try again");
    arena_init(&r->arena, NULL, 0);
    r->currency = o->currency;
    r->zone = o->zone;
    r->symbols = o->symbols;
    struct spec s = { .at = SLICE_LIT("shop.lua"),
                      .arena = &r->arena,
                      .symbols = o->symbols,
                      .exponent = o->currency.exponent,
                      .zone = o->zone,
                      .err = err };
    int rc = policies_compile(&s, o->policies, &r->policies);
    if (rc == 0)
        rc = shipping_compile(&s, o->shipping, &r->shipping, &r->shipping_count);
    s.fold_codes = r->policies.fold_codes;
    struct spec_node root = spec_root(NULL), watch = { .up = &root, .v = o->watch, .key = "watch" };
    if (rc == 0)
        rc = watch_compile(&s, &watch, false, &r->watch);
    if (rc == 0)
        rc = tax_compile(&s, o->tax, o->tax_rates.count > 0, r->policies.tax_per_unit, &r->taxes);
    if (rc == 0)
        rc = all_rules_copy(o, r, err);
    if (rc == 0)
        rc = facts_begin(&s, o, r);
    if (rc == 0)
        rc = campaigns_compile(&s, campaigns, r);
    if (rc == 0)
        rc = facts_keep(&s, o, r);
    if (rc < 0) {
        quote_rules_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void quote_rules_free(struct quote_rules *r)
{
    if (!r)
        return;
    arena_release(&r->arena);
    free(r);
}

size_t quote_rules_count(const struct quote_rules *r)
{
    return r->count;
}

struct slice quote_campaign_id(const struct quote_rules *r, uint32_t campaign)
{
    assert(campaign < r->count);
    return r->campaigns[campaign].id;
}

struct slice quote_campaign_title(const struct quote_rules *r, uint32_t campaign)
{
    assert(campaign < r->count);
    return r->campaigns[campaign].title;
}

bool quote_campaign_find(const struct quote_rules *r, struct slice id, uint32_t *campaign)
{
    size_t low = 0, high = r->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = slice_cmp(r->campaigns[r->by_id[mid]].id, id);
        if (order == 0) {
            *campaign = r->by_id[mid];
            return true;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

bool quote_campaign_refuses(const struct quote_rules *r, uint32_t campaign)
{
    assert(campaign < r->count);
    return r->campaigns[campaign].refuse_on_failure;
}

struct slice quote_campaign_owner(const struct quote_rules *r, uint32_t campaign)
{
    assert(campaign < r->count);
    return r->campaigns[campaign].owner;
}

/* Ways to send a cart and tax rates are found for final prices, too. */
bool quote_rules_leave_final(const struct quote_rules *r)
{
    return r->shipping_rates.count + r->tax_rates.count == 0;
}

const uint32_t *quote_rules_facts(const struct quote_rules *r, bool no_campaigns, size_t *count)
{
    *count = no_campaigns && quote_rules_leave_final(r) ? 0 : r->fact_count;
    return r->facts;
}

struct currency quote_rules_currency(const struct quote_rules *r)
{
    return r->currency;
}

struct symbols *quote_rules_symbols(const struct quote_rules *r)
{
    return r->symbols;
}
