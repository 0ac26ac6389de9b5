/* Placing an order: priced on the worker, placed on the writer, priced again when what was read has moved meanwhile. */
#include "host/api/placing.h"
#include "host/publish/publish.h"
#include "host/api/routes.h"
#include "host/soldout.h"
#include "host/care/stops.h"
#include "host/worker.h"
#include <stdio.h>

enum { PRICE_AGAIN_MAX = 3 };

struct placing {
    struct pricing pricing;
    struct bind_quote quote;
    struct placing_options o;
    bool from_token;
    bool is_fresh; /* pricing holds what a fresh quote would say */
    int attempts;
    struct publish_job reopen; /* of the rules that the token's quote was made under */
    struct call *call;
};

/* Before the answer: handing that over frees the call's arena. */
static void end(struct call *c)
{
    struct placing *p = c->state;
    pricing_release(&p->pricing);
}

/* A conflict comes with a fresh quote of the same cart, so that the client can show what would hold now. */
static void fail_with_fresh_quote(struct call *c)
{
    struct placing *p = c->state;
    struct err cause = c->err;
    struct slice fresh = { 0 };
    struct pricing now = { 0 };
    int rc = 0;
    if (p->is_fresh) {
        fresh = pricing_document(c, &p->pricing);
        rc = ERR_CONFLICT;
    } else if (p->o.fresh) {
        rc = p->o.fresh(c, p->o.args, &now);
    } else if (p->from_token) {
        /* The token's cart at today's catalogue and clock. */
        now.catalogue = catalogue_acquire(c->shop->catalogue);
        rc = pricing_refresh(c, &p->pricing.cart, &now);
    } else {
        rc = pricing_from_body(c, c->body, &now);
    }
    if (rc == 0)
        rc = pricing_run(c, &now);
    if (rc == 0)
        fresh = pricing_document(c, &now);
    pricing_release(&now);
    c->err = cause;
    metric_add(&c->shop->metrics.orders_refused, 1);
    if (strcmp(cause.reason, "out_of_stock") == 0 || strcmp(cause.reason, "limit_used_up") == 0)
        http_yield(c->req);
    end(c);
    call_fail(c, fresh.data ? "quote" : NULL, fresh);
}

static void fail(struct call *c)
{
    if (c->rc == ERR_CONFLICT || c->rc == ERR_RETRY) {
        fail_with_fresh_quote(c);
        return;
    }
    struct placing *p = c->state;
    metric_add(&c->shop->metrics.orders_refused, 1);
    struct slice gate = pricing_refusal(c, &p->pricing);
    end(c);
    call_fail(c, gate.data ? "gate" : NULL, gate);
}

static int check_expected_total(struct call *c)
{
    struct placing *p = c->state;
    int64_t expected;
    if (!json_is_int(json_get(c->body, "expected_total"), &expected) || expected == p->pricing.result.total_minor)
        return 0;
    err_reason(&c->err, ERR_CONFLICT, "price_changed",
               "The total is %lld, not the expected %lld (in minor units); the fresh quote says why.",
               (long long)p->pricing.result.total_minor, (long long)expected);
    snprintf(c->err.field, sizeof c->err.field, "/expected_total");
    return ERR_CONFLICT;
}

static int rules_changed(struct call *c)
{
    return err_reason(&c->err, ERR_CONFLICT, "rules_changed",
                      "The shop's rules have changed since this quote; see the fresh one beside this message.");
}

static void reopened(struct publish_job *job);

/* PRICING_ELSEWHERE: the publisher has the call, reopened_here() goes on with it. */
static int reopen_rules(struct call *c, struct slice generation)
{
    struct placing *p = c->state;
    if (p->reopen.kind == PUBLISH_REOPEN || generation.len == 0 || generation.len >= sizeof p->reopen.generation)
        return rules_changed(c); /* they were asked for already */
    struct err err;
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    p->call = c;
    p->reopen.kind = PUBLISH_REOPEN;
    p->reopen.done = reopened;
    memcpy(p->reopen.generation, generation.data, generation.len);
    call_wait(c);
    int rc = publisher_submit(c->shop->publisher, &p->reopen, &err);
    if (rc == 0)
        return PRICING_ELSEWHERE;
    worker_let_go(w, seat);
    c->err = err;
    return rc;
}

/* What is gone is answered here: the writer would say the same. The busiest line has the order's share of its queue. */
static int check_sold_out(struct call *c)
{
    struct placing *p = c->state;
    const struct quote_cart *cart = &p->pricing.cart;
    for (size_t i = 0; i < cart->line_count; i++) {
        symbol sku = cart->lines[i].product.sku;
        const struct catalogue_product *product = catalogue_find(p->pricing.catalogue, sku);
        if (!product || !product->track_stock || !soldout_has(c->shop->soldout, sku))
            continue;
        metric_add(&c->shop->metrics.orders_sold_out, 1);
        p->is_fresh = !p->from_token && !cart->lines[i].gift; /* of what is given there may still be another */
        err_reason(&c->err, ERR_CONFLICT, "out_of_stock", "There is not enough of \"%.*s\" for this order.",
                   SLICE_FMT(symbols_name(c->shop->symbols, sku)));
        snprintf(c->err.field, sizeof c->err.field, "/lines/%zu/qty", i);
        return ERR_CONFLICT;
    }
    c->share = cart->lines[0].product.sku;
    return 0;
}

/* A token of a checkout places an order through that checkout and nowhere else, or there would be two. */
static int check_checkout(struct call *c)
{
    struct placing *p = c->state;
    struct slice is = p->pricing.checkout, wanted = p->o.checkout;
    if (slice_eq(is, wanted))
        return 0;
    const char *colon = wanted.len ? memchr(wanted.data, ':', wanted.len) : NULL;
    size_t id = colon ? (size_t)(colon - wanted.data) + 1 : 0;
    if (id && is.len >= id && memcmp(is.data, wanted.data, id) == 0) {
        err_reason(&c->err, ERR_CONFLICT, "checkout_changed", "The checkout has changed since this quote; see the fresh one.");
        snprintf(c->err.field, sizeof c->err.field, "/quote_token");
        return ERR_CONFLICT;
    }
    err_reason(&c->err, ERR_INVALID, "token_invalid",
               wanted.len ? "This quote token is not one of this checkout's; take the one of its last answer."
                          : "This quote token is a checkout's; send it to POST /v1/checkouts/{id}/complete.");
    snprintf(c->err.field, sizeof c->err.field, "/quote_token");
    return ERR_INVALID;
}

static int price(struct call *c)
{
    struct placing *p = c->state;
    struct slice token;
    struct slice generation = { "", 0 };
    p->from_token = json_is_string(json_get(c->body, "quote_token"), &token);
    int rc = p->from_token ? pricing_from_token(c, token, &p->pricing, &generation) : pricing_from_body(c, c->body, &p->pricing);
    if (rc == PRICING_ELSEWHERE)
        return reopen_rules(c, generation);
    c->quote_seat = p->pricing.seat != c->seat ? p->pricing.seat : NULL;
    if (rc == 0 && p->from_token)
        rc = check_checkout(c);
    if (rc == 0)
        rc = pricing_run(c, &p->pricing);
    if (rc == 0)
        rc = pricing_require_open(c, &p->pricing);
    if (rc == 0)
        rc = check_expected_total(c);
    if (rc == 0)
        rc = check_sold_out(c);
    if (rc < 0)
        return rc;
    rc = pricing_evidence(c, &p->pricing);
    p->quote = (struct bind_quote){
        .rules = generation_rules(p->pricing.seat->generation),
        .result = &p->pricing.result,
        .evidence = p->pricing.evidence,
        .generation = slice_str(generation_id(p->pricing.seat->generation)),
    };
    c->quote = &p->quote;
    return rc < 0 ? rc : bind_quote_write(&p->quote, c->arena, &c->err);
}

static void placed(struct call *c);

static int still_true(struct call *c, struct err *err)
{
    struct placing *p = c->state;
    if (p->pricing.stops_version == stops_version(c->shop->stops))
        return 0;
    int rc = pricing_check_stops(c, &p->pricing, err);
    return rc == ERR_CONFLICT && !p->from_token ? (err->code = ERR_RETRY) : rc;
}

static void try_to_place(struct call *c)
{
    struct placing *p = c->state;
    int rc = price(c);
    if (rc == PRICING_ELSEWHERE)
        return; /* not a byte of the call may be touched here */
    c->rc = rc;
    if (rc < 0) {
        fail(c);
        return;
    }
    c->done = placed;
    c->still_true = still_true;
    if (!call_submit(c, p->o.procedure, p->o.args))
        fail(c);
}

static void placed(struct call *c)
{
    struct placing *p = c->state;
    if (c->rc == ERR_RETRY && !p->from_token && ++p->attempts < PRICE_AGAIN_MAX) {
        pricing_release(&p->pricing);
        err_clear(&c->err);
        try_to_place(c);
        return;
    }
    if (c->rc == ERR_RETRY)
        err_reason(&c->err, ERR_CONFLICT, "facts_changed",
                   "Something about this customer changed while the order was placed; see the fresh quote.");
    if (c->rc < 0) {
        fail(c);
        return;
    }
    if (!c->replayed && c->answer.status == 201)
        metric_add(&c->shop->metrics.orders_placed, 1);
    end(c);
    call_answer(c);
}

/* On the worker again: with a seat under the token's rules, or without. */
static void reopened_here(struct call *c)
{
    struct placing *p = c->state;
    if (p->reopen.seat)
        worker_add_seat(c->worker, p->reopen.seat);
    pricing_release(&p->pricing);
    if (p->reopen.rc == 0) {
        err_clear(&c->err);
        try_to_place(c);
        return;
    }
    c->err = p->reopen.err;
    c->rc = c->err.code == ERR_NOMEM || c->err.code == ERR_BUSY || c->err.code == ERR_IO ? c->err.code : rules_changed(c);
    fail(c);
}

static void reopened(struct publish_job *job)
{
    struct placing *p = (struct placing *)((char *)job - offsetof(struct placing, reopen));
    p->call->done = reopened_here;
    call_resume(p->call);
}

/* Either a token or lines with the total the client showed. */
static int check_form(struct call *c)
{
    const struct json_value *token = json_get(c->body, "quote_token");
    if (token) {
        static const char *const priced[] = { "/lines",    "/codes",     "/shipping",  "/channel",        "/inputs", "/expected_total",
                                              "/customer", "/placed_at", "/campaigns", "/payment_method", "/store",  NULL };
        for (size_t i = 0; priced[i]; i++)
            if (json_get(c->body, priced[i] + 1))
                return err_field(&c->err, ERR_INVALID, priced[i], "The quote token already says this; send one or the other.");
        if (json_get(c->body, "reference") && !call_may(c, 0))
            return err_field(&c->err, ERR_DENIED, "/reference", "Only a server (an sk_ key) may send reference.");
        return 0;
    }
    if (!json_get(c->body, "lines"))
        return err_field(&c->err, ERR_INVALID, "/quote_token", "An order needs either quote_token, or lines and expected_total.");
    if (!json_get(c->body, "expected_total"))
        return err_field(&c->err, ERR_INVALID, "/expected_total",
                         "Send quote_token, or as expected_total the total that the buyer was shown.");
    return 0;
}

void placing_begin(struct call *c, const struct placing_options *o)
{
    struct placing *p = arena_zalloc(c->arena, sizeof *p);
    if (!p) {
        c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    c->state = p;
    p->o = *o;
    try_to_place(c);
}

/* Without what the quote already holds: of all that its procedure is given the writer makes tables of Lua. */
static struct json_value *body_for_writer(struct call *c)
{
    struct json_value *body = json_new(c->arena, JSON_OBJECT), *last = NULL;
    for (const struct json_value *v = c->body->first; v && body; v = v->next) {
        if (slice_is(v->key, "lines") || slice_is(v->key, "codes") || slice_is(v->key, "quote_token"))
            continue;
        struct json_value *copy = arena_alloc(c->arena, sizeof *copy);
        if (!copy)
            return NULL;
        *copy = *v;
        copy->next = NULL;
        json_append(body, last, copy);
        last = copy;
    }
    return body;
}

void handle_order_place(struct call *c)
{
    if (call_answer_again(c))
        return;
    struct json_value *body = body_for_writer(c);
    c->rc = body ? check_form(c) : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    const struct json_value *args = call_args_with(c, body);
    if (args)
        placing_begin(c, &(struct placing_options){ .procedure = c->route->procedure, .args = args });
}
