/* A share of the customers: a campaign that begins with some of them. Who is in is a matter of a number that the cart carries for each such
 * campaign, so the same cart gives the same price; what it is made from, and how large the share is now, is the host's. */
#include "quote/run_int.h"

/* 5, or { percent = 5, up_to = 50 }. */
int customer_share_compile(struct spec *s, const struct spec_node *n, struct quote_campaign *c)
{
    static const char *const known[] = { "percent", "up_to", NULL };
    struct spec_node percent = spec_member(n, "percent"), up_to = spec_member(n, "up_to");
    if (!n->v)
        return 0;
    if (n->v->type != JSON_OBJECT) {
        int rc = spec_percent(s, n, &c->share_ppm);
        c->share_up_to_ppm = c->share_ppm;
        return rc;
    }
    int rc = spec_object(s, n, known);
    if (rc == 0 && !percent.v)
        rc = spec_error(s, n, "it has no percent; write share = { percent = 5, up_to = 50 }");
    if (rc == 0)
        rc = spec_percent(s, &percent, &c->share_ppm);
    c->share_up_to_ppm = c->share_ppm;
    if (rc == 0 && up_to.v)
        rc = spec_percent(s, &up_to, &c->share_up_to_ppm);
    if (rc == 0 && c->share_up_to_ppm < c->share_ppm)
        rc = spec_error(s, &up_to, "it is less than percent, with which it begins");
    return rc;
}

int shares_link(struct spec *s, struct quote_rules *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->count; i++)
        n += r->campaigns[i].share_ppm > 0;
    if (n == 0)
        return 0;
    r->shares = spec_array(s, n, sizeof *r->shares);
    if (!r->shares)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->campaigns[i].share_ppm)
            r->shares[r->share_count++] = i;
    return 0;
}

size_t quote_rules_shares(const struct quote_rules *r)
{
    return r->share_count;
}

struct quote_share_range quote_rules_share(const struct quote_rules *r, size_t i)
{
    const struct quote_campaign *c = &r->campaigns[r->shares[i]];
    return (struct quote_share_range){ c->id, c->share_ppm, c->share_up_to_ppm };
}

static bool is_in(const struct quote_cart *cart, const struct quote_campaign *c)
{
    for (size_t i = 0; i < cart->share_count; i++)
        if (slice_eq(cart->shares[i].campaign, c->id))
            return cart->shares[i].bucket_ppm < cart->shares[i].share_ppm;
    return false; /* nobody in particular is in no share */
}

void share_mark(struct quote_eval *e)
{
    for (size_t i = 0; e->rules->share_count && i < e->active_count; i++) {
        const struct quote_campaign *c = &e->rules->campaigns[e->active[i]];
        if (c->share_ppm && !e->slots[i].reason && !is_in(e->cart, c))
            e->slots[i].reason = "not_in_share";
    }
}
