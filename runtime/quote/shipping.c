#include "base/utf8.h"
#include "quote/run_int.h"
#include <stdio.h>

enum { ID_MAX = 64, TITLE_MAX = 200 };

/* --- the table of shop.lua -------------------------------------------------------------------------------------------- */

static int rate_compile(struct spec *s, const struct spec_node *n, struct shipping_rate *out)
{
    static const char *const known[] = { "price", "up_to_g", "over", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node price = spec_member(n, "price"), up_to = spec_member(n, "up_to_g"), over = spec_member(n, "over");
    *out = (struct shipping_rate){ .up_to_g = -1, .over_minor = -1 };
    rc = spec_money(s, &price, 0, &out->price_minor);
    if (rc == 0 && up_to.v)
        rc = spec_int(s, &up_to, 0, INT64_MAX, &out->up_to_g);
    if (rc == 0 && over.v)
        rc = spec_money(s, &over, 0, &out->over_minor);
    return rc;
}

static int rates_compile(struct spec *s, const struct spec_node *n, struct shipping_option *out)
{
    int rc = spec_list(s, n);
    if (rc < 0)
        return rc;
    struct shipping_rate *rates = spec_array(s, n->v->count, sizeof *rates);
    if (!rates)
        return ERR_NOMEM;
    size_t i = 0;
    for (const struct json_value *m = n->v->first; m && rc == 0; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i + 1);
        rc = rate_compile(s, &e, &rates[i]);
    }
    out->rates = rates;
    out->rate_count = n->v->count;
    return rc;
}

static int option_compile(struct spec *s, const struct spec_node *n, struct shipping_option *out)
{
    static const char *const known[] = { "id", "title", "regions", "rates", NULL };
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    struct spec_node id = spec_member(n, "id"), title = spec_member(n, "title");
    struct spec_node regions = spec_member(n, "regions"), rates = spec_member(n, "rates");
    if ((rc = spec_text(s, &id, ID_MAX, &out->id)) < 0)
        return rc;
    out->title = out->id;
    if (title.v && (rc = spec_text(s, &title, TITLE_MAX, &out->title)) < 0)
        return rc;
    if (regions.v && (rc = spec_names(s, &regions, &out->regions)) < 0)
        return rc;
    return rates_compile(s, &rates, out);
}

int shipping_compile(struct spec *s, const struct json_value *v, const struct shipping_option **out, uint32_t *count)
{
    struct spec_node root = spec_root(NULL);
    struct spec_node n = { .up = &root, .v = v, .key = "shipping" };
    *out = NULL;
    *count = 0;
    if (!v || (v->type == JSON_ARRAY && v->count == 0))
        return 0;
    int rc = spec_list(s, &n);
    if (rc < 0)
        return rc;
    struct shipping_option *options = spec_array(s, v->count, sizeof *options);
    if (!options)
        return ERR_NOMEM;
    size_t i = 0;
    for (const struct json_value *m = v->first; m; m = m->next, i++) {
        struct spec_node e = spec_element(&n, m, i + 1);
        rc = option_compile(s, &e, &options[i]);
        for (size_t k = 0; k < i && rc == 0; k++)
            if (slice_eq(options[k].id, options[i].id))
                rc = spec_error(s, &e, "there are two options \"%.*s\"; give each its own id", SLICE_FMT(options[i].id));
        if (rc < 0)
            return rc;
    }
    *out = options;
    *count = v->count;
    return 0;
}

/* --- a cart's rates ---------------------------------------------------------------------------------------------------- */

int cart_weight(const struct quote_cart *cart, int64_t *out, struct err *err)
{
    int64_t sum = 0;
    for (size_t i = 0; i < cart->line_count; i++) {
        int64_t g;
        if (cart->lines[i].closed)
            continue;
        if (!money_mul(cart->lines[i].product.weight_g, cart->lines[i].qty, &g) || !money_add(sum, g, &sum)) {
            char field[48];
            snprintf(field, sizeof field, "/lines/%zu/qty", i);
            return err_field(err, ERR_OVERFLOW, field, "the cart weighs more than can be counted; order less at once");
        }
    }
    *out = sum;
    return 0;
}

static const struct shipping_rate *rate_find(const struct shipping_option *o, int64_t weight_g, int64_t cost_minor)
{
    for (uint32_t i = 0; i < o->rate_count; i++) {
        const struct shipping_rate *r = &o->rates[i];
        if ((r->up_to_g < 0 || weight_g <= r->up_to_g) && (r->over_minor < 0 || cost_minor >= r->over_minor))
            return r;
    }
    return NULL;
}

static bool serves(const struct shipping_option *o, symbol region)
{
    return o->regions.count == 0 || (region && names_have(&o->regions, region));
}

static int not_offered(const struct quote_eval *e, const struct shipping_option *o, int64_t weight_g, struct err *err)
{
    if (!serves(o, e->cart->region) && e->cart->region == 0)
        return err_field(err, ERR_INVALID, "/shipping/region",
                         "the shipping option \"%.*s\" is for some regions only, and the cart names none of them", SLICE_FMT(o->id));
    if (!serves(o, e->cart->region))
        return err_field(err, ERR_INVALID, "/shipping/option", "the shipping option \"%.*s\" does not go to that region; choose another",
                         SLICE_FMT(o->id));
    return err_field(err, ERR_INVALID, "/shipping/option",
                     "the shipping option \"%.*s\" is not offered for this cart (%lld g); choose another", SLICE_FMT(o->id),
                     (long long)weight_g);
}

static int take(struct quote_eval *e, struct slice id, int64_t price_minor, struct quote_result *out)
{
    e->has_shipping = true;
    e->shipping_minor = e->shipping_remaining = price_minor;
    out->shipping_option = id;
    return 0;
}

static int choose(struct quote_eval *e, int64_t weight_g, int64_t cost_minor, struct quote_result *out, struct err *err)
{
    const struct quote_rules *r = e->rules;
    struct offers offers;
    for (uint32_t i = 0; i < r->shipping_count; i++) {
        const struct shipping_option *o = &r->shipping[i];
        if (!slice_eq(o->id, e->cart->shipping_option))
            continue;
        const struct shipping_rate *rate = serves(o, e->cart->region) ? rate_find(o, weight_g, cost_minor) : NULL;
        return rate ? take(e, o->id, rate->price_minor, out) : not_offered(e, o, weight_g, err);
    }
    int rc = offers_collect(e, e->cart->shipping_option, &offers, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < offers.count; i++)
        if (slice_eq(offers.list[i].id, e->cart->shipping_option))
            return take(e, offers.list[i].id, offers.list[i].amount_minor, out);
    int shown = (int)utf8_cut(e->cart->shipping_option, 40);
    return err_field(err, ERR_INVALID, "/shipping/option",
                     "there is no shipping option \"%.*s\" for this cart; quote without one to see the options", shown,
                     e->cart->shipping_option.data);
}

static int list(struct quote_eval *e, int64_t weight_g, int64_t cost_minor, struct quote_result *out, struct err *err)
{
    const struct quote_rules *r = e->rules;
    struct offers offers;
    int rc = offers_collect(e, slice_str(""), &offers, err);
    if (rc < 0)
        return rc;
    struct quote_shipping_choice *choices = arena_array(e->arena, r->shipping_count + offers.count + 1, sizeof *choices);
    if (!choices)
        return eval_nomem(e, err);
    size_t n = 0;
    for (uint32_t i = 0; i < r->shipping_count; i++) {
        const struct shipping_option *o = &r->shipping[i];
        const struct shipping_rate *rate = serves(o, e->cart->region) ? rate_find(o, weight_g, cost_minor) : NULL;
        if (rate)
            choices[n++] = (struct quote_shipping_choice){ o->id, o->title, rate->price_minor };
    }
    for (size_t i = 0; i < offers.count; i++)
        choices[n++] = offers.list[i];
    out->shipping_choices = choices;
    out->shipping_choice_count = n;
    return 0;
}

int shipping_price(struct quote_eval *e, struct quote_result *out, struct err *err)
{
    const struct quote_rules *r = e->rules;
    int64_t weight_g = 0, cost_minor = eval_still_costs(e, eval_every(e));
    bool chosen = e->cart->shipping_option.len > 0;
    if ((r->shipping_count + r->shipping_rates.count == 0 && !chosen) || eval_sale(e).count == 0) /* nothing is for sale: nothing is sent */
        return 0;
    int rc = cart_weight(e->cart, &weight_g, err);
    if (rc < 0)
        return rc;
    return chosen ? choose(e, weight_g, cost_minor, out, err) : list(e, weight_g, cost_minor, out, err);
}
