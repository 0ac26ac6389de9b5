/* What campaigns name that somebody must sell, for those who look rules through. */
#include "quote/rules_int.h"

struct telling {
    const struct quote_campaign *c;
    quote_sku_fn fn;
    void *ctx;
};

static void one(const struct telling *t, const char *field, symbol sku, int64_t price_minor)
{
    t->fn(t->ctx, &(struct quote_named_sku){ t->c->id, t->c->at, field, sku, price_minor });
}

static void actions(const struct telling *t, const struct action *list, uint32_t count);

static void action(const struct telling *t, const struct action *a)
{
    if (a->type == &gift_type) {
        one(t, "gift.sku", a->gift.sku, -1);
        if (a->gift.substitute)
            one(t, "gift.substitute", a->gift.substitute, -1);
    } else if (a->type == &add_on_price_type) {
        for (uint32_t i = 0; i < a->add_on.skus.count; i++)
            one(t, "add_on_price.sku", a->add_on.skus.items[i], a->add_on.price_minor);
    } else if (a->type == &price_list_type) {
        for (uint32_t i = 0; i < a->prices->skus.names.count; i++)
            one(t, "price_list.prices", a->prices->skus.names.items[i], a->prices->prices_minor[i]);
    } else if (a->type == &tiered_type) {
        for (uint32_t k = 0; k < a->tiered.count; k++)
            actions(t, a->tiered.steps[k].give, a->tiered.steps[k].give_count);
        actions(t, a->tiered.below, a->tiered.below_count);
    }
}

static void actions(const struct telling *t, const struct action *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        action(t, &list[i]);
}

bool quote_gate_before(const struct quote_rules *r, const struct quote_product *p)
{
    struct marks marks;
    marks_of(p, &marks);
    for (size_t i = 0; i < r->gate_count; i++) {
        const struct quote_campaign *g = &r->campaigns[i];
        if (g->scope && g->when_count && selector_match(g->scope, p, &marks)) /* one without `when` bounds what is bought */
            return true;
    }
    return false;
}

void quote_rules_skus(const struct quote_rules *r, quote_sku_fn fn, void *ctx)
{
    for (size_t i = r->gate_count; i < r->count; i++) {
        const struct telling t = { &r->campaigns[i], fn, ctx };
        actions(&t, t.c->give, t.c->give_count);
    }
}
