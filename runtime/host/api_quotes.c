#include "host/pricing.h"
#include "host/routes.h"
#include "host/worker.h"

void handle_quote(struct call *c)
{
    struct pricing p;
    struct buf *out = &c->worker->out;
    struct slice explain;
    c->rc = http_query(c->req, "explain", &explain, &c->err);
    if (c->rc == 1 && !slice_is(explain, "full") && !slice_is(explain, "applied"))
        c->rc = err_field(&c->err, ERR_INVALID, "explain", "explain is \"full\" or \"applied\".");
    bool full = c->rc == 1 && slice_is(explain, "full");
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    struct slice gate = { 0 };
    c->rc = pricing_from_body(c, c->body, &p);
    p.cart.explain_all = full;
    if (c->rc == 0)
        c->rc = pricing_run(c, &p);
    if (c->rc == 0) {
        buf_clear(out);
        pricing_write(c, &p, full, out);
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
