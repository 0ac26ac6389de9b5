#include "host/api/pricing.h"
#include "host/api/routes.h"
#include "host/worker.h"

/* ?explain=: "applied", "full", or one campaign or gate by its id. */
static int read_explain(struct call *c, struct pricing *p)
{
    struct slice explain;
    uint32_t one;
    int rc = http_query(c->req, "explain", &explain, &c->err);
    if (rc <= 0 || slice_is(explain, "applied"))
        return rc;
    if (slice_is(explain, "full")) {
        p->cart.explain_all = p->telling.full = true;
        return 0;
    }
    if (!quote_campaign_find(generation_rules(p->seat->generation), explain, &one))
        return err_field(&c->err, ERR_INVALID, "explain", "explain is \"full\", \"applied\", or the id of a live campaign or gate.");
    p->cart.explain_one = p->telling.only = one + 1;
    return 0;
}

static int read_offers(struct call *c, struct pricing *p)
{
    struct slice offers;
    int rc = http_query(c->req, "offers", &offers, &c->err);
    if (rc <= 0)
        return rc;
    if (!slice_is(offers, "1") && !slice_is(offers, "0"))
        return err_field(&c->err, ERR_INVALID, "offers", "offers is 1 or 0.");
    p->cart.wants_offers = slice_is(offers, "1");
    return 0;
}

int pricing_asked(struct call *c, struct pricing *p)
{
    int rc = pricing_language(c, p);
    if (rc >= 0)
        rc = read_explain(c, p);
    return rc >= 0 ? read_offers(c, p) : rc;
}

static int price(struct call *c, struct pricing *p)
{
    int rc = pricing_from_said(c, c->said, p);
    if (rc == 0)
        rc = pricing_asked(c, p);
    return rc < 0 ? rc : pricing_run(c, p);
}

void handle_quote(struct call *c)
{
    struct pricing p;
    struct buf *out = &c->worker->out;
    struct slice gate = { 0 };
    c->rc = price(c, &p);
    if (c->rc == 0) {
        buf_clear(out);
        pricing_write(c, &p, out);
        if (out->failed)
            c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    }
    if (c->rc < 0)
        gate = pricing_refusal(c, &p);
    if (c->rc < 0)
        call_fail(c, gate.data ? "gate" : NULL, gate);
    else
        call_answer_json(c, 200, buf_slice(out));
    pricing_release(&p);
}
