#include "quote/run_int.h"

static const struct action_type *const types[] = {
    &percent_off_type,  &amount_off_type, &fixed_price_type, &buy_get_type,       &nth_unit_type,     &cheapest_free_type,
    &n_for_type,        &bundle_type,     &tiered_type,      &free_shipping_type, &shipping_off_type, &gift_type,
    &add_on_price_type, &price_list_type, &grant_type,       &function_type,
};
enum { TYPES = sizeof types / sizeof types[0] };

static int action_compile(struct spec *s, const struct spec_node *n, struct action *out)
{
    const char *known[TYPES + 1];
    for (size_t i = 0; i < TYPES; i++)
        known[i] = types[i]->key;
    known[TYPES] = NULL;
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    if (n->v->count != 1)
        return spec_error(s, n, "is %s; an action has one name, such as percent_off; put several in a list",
                          n->v->count ? "several actions in one table" : "empty");
    for (size_t i = 0; i < TYPES; i++) {
        struct spec_node m = spec_member(n, known[i]);
        if (m.v) {
            out->type = types[i];
            out->stage = types[i]->stage;
            out->touches_lines = !types[i]->in_shipping_stage;
            return types[i]->compile(s, &m, out);
        }
    }
    return 0;
}

int action_list(struct spec *s, const struct spec_node *n, struct action **out, uint32_t *count)
{
    if (!n->v)
        return spec_error(s, n, "is missing: the campaign gives nothing; add an action, such as percent_off");
    bool list = n->v->type == JSON_ARRAY;
    int rc = list ? spec_list(s, n) : 0;
    if (rc < 0)
        return rc;
    *count = list ? n->v->count : 1;
    *out = spec_array(s, *count, sizeof **out);
    if (!*out)
        return ERR_NOMEM;
    if (!list)
        return action_compile(s, n, *out);
    size_t i = 0;
    for (const struct json_value *m = n->v->first; m; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i + 1);
        rc = action_compile(s, &e, &(*out)[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int action_on(struct spec *s, const struct spec_node *n, struct action *out)
{
    struct spec_node on = spec_member(n, "on");
    if (!on.v)
        return 0;
    struct selector *sel = spec_array(s, 1, sizeof *sel);
    if (!sel)
        return ERR_NOMEM;
    out->on = sel;
    return selector_compile(s, &on, sel);
}
