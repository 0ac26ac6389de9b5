#include "base/zone.h"
#include "tests/crash/crash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int ask(struct desk *desk, const char *method, const char *target, const char *body, const char *key, struct buf *answer)
{
    int status = 0;
    struct err err;
    answer->len = 0;
    struct desk_request r = { .method = method, .target = target, .body = slice_str(body), .idempotency_key = slice_str(key) };
    return desk_ask(desk, &r, &status, answer, &err) < 0 ? 0 : status;
}

/* --- the model: what an answer promises -------------------------------------------------------------------------------------- */

static void learn_order(struct order *o, struct slice answer)
{
    struct arena a;
    struct json_value *v;
    struct slice s;
    arena_init(&a, NULL, 0);
    if (json_parse(answer, NULL, &a, &v, NULL) == 0) {
        if (json_is_string(json_get(v, "id"), &s))
            snprintf(o->id, sizeof o->id, "%.*s", SLICE_FMT(s));
        json_is_int(json_get(v, "total"), &o->total);
        json_is_int(json_get(v, "refunded"), &o->refunded);
        if (json_is_string(json_get(v, "expires_at"), &s))
            timestamp_parse(s, &o->expires_ms, NULL);
    }
    arena_release(&a);
}

static void promise(struct buyer *b, struct deed *d, struct slice answer)
{
    struct order *o = d->order;
    switch (d->kind) {
    case DEED_PLACE:
        learn_order(o, answer);
        o->state = ORDER_PLACED;
        break;
    case DEED_PAY:
        o->state = ORDER_PAID;
        break;
    case DEED_CANCEL:
        if (o->state == ORDER_PAID) { /* goes back whole */
            o->refunded = o->total;
            for (int i = 0; i < o->line_count; i++)
                o->lines[i].returned = o->lines[i].qty;
        }
        o->state = ORDER_CANCELLED;
        break;
    case DEED_REFUND:
        learn_order(o, answer);
        o->lines[d->line].returned += d->qty;
        break;
    case DEED_STOCK:
        b->brought[d->sku] += d->qty;
        break;
    case DEED_KINDS:
        break;
    }
}

/* Refused or not known: a request that was refused did nothing, and one without an answer is asked again later. */
static void learn(struct world *w, struct buyer *b, struct deed *d, int status, struct slice answer)
{
    bool success = status >= 200 && status < 300, refused = status >= 400 && status < 500;
    if (d->status) { /* answered before */
        if (status != d->status || !slice_eq(answer, slice_str(d->answer)))
            complain(w, &w->tally->violated, "%s under key %s was answered %d %s, and now %d %.*s", d->target, d->key, d->status, d->answer,
                     status, SLICE_FMT(answer));
    } else if (success) {
        d->status = status;
        d->answer = strndup(answer.data, answer.len);
        b->acknowledged[d->kind]++;
        promise(b, d, answer);
    } else if (refused && d->kind == DEED_PLACE) {
        d->order->state = ORDER_REFUSED;
        d->order = NULL;
        d->kind = DEED_STOCK; /* nothing is to be sent again */
        d->key[0] = '\0';
    } else if (refused) {
        d->key[0] = '\0';
    }
}

void errands_send(struct world *w, const struct errand *errands, size_t count)
{
    struct desk_request requests[AT_ONCE_MAX] = { 0 };
    struct buf answers[AT_ONCE_MAX];
    int status[AT_ONCE_MAX] = { 0 };
    struct err err;
    for (size_t i = 0; i < count; i++) {
        const struct deed *d = errands[i].deed;
        requests[i] = (struct desk_request){
            .method = "POST", .target = d->target, .body = slice_str(d->body), .idempotency_key = slice_str(d->key)
        };
        buf_init(&answers[i], NULL);
    }
    desk_ask_all(w->desk, requests, count, status, answers, &err); /* who got no answer has status 0 */
    for (size_t i = 0; i < count; i++) {
        learn(w, errands[i].buyer, errands[i].deed, status[i], buf_slice(&answers[i]));
        buf_release(&answers[i]);
    }
}

/* --- wishes ------------------------------------------------------------------------------------------------------------------- */

static struct deed *new_deed(struct buyer *b, enum deed_kind kind, struct order *o)
{
    struct deed *d = &b->deeds[b->deed_count++];
    *d = (struct deed){ .kind = kind, .order = o };
    snprintf(d->key, sizeof d->key, "b%d-%llu", b->number, (unsigned long long)b->next_key++);
    return d;
}

/* The campaign of the shop takes a tenth off SKU-1, rounded per line. */
static int64_t price_of(int sku, int qty)
{
    int64_t subtotal = (int64_t)PRICE_STEP * (sku + 1) * qty;
    return sku == 1 ? subtotal - (subtotal + 5) / 10 : subtotal;
}

static void wish_order(struct buyer *b, struct deed **out)
{
    struct order *o = &b->orders[b->order_count++];
    struct deed *d = new_deed(b, DEED_PLACE, o);
    char *p = d->body, *end = d->body + sizeof d->body;
    int64_t total = 0;
    snprintf(o->reference, sizeof o->reference, "r%d-%zu", b->number, b->order_count);
    o->line_count = 1 + (int)world_roll(&b->random, LINES_MAX);
    p += snprintf(p, (size_t)(end - p), "{\"reference\":\"%s\",\"lines\":[", o->reference);
    for (int i = 0; i < o->line_count; i++) {
        int sku = (int)world_roll(&b->random, SKUS), qty = 1 + (int)world_roll(&b->random, 3);
        o->lines[i].sku = sku;
        o->lines[i].qty = qty;
        total += price_of(sku, qty);
        p += snprintf(p, (size_t)(end - p), "%s{\"sku\":\"SKU-%d\",\"qty\":%d}", i ? "," : "", sku, qty);
    }
    snprintf(p, (size_t)(end - p), "],\"expected_total\":%lld}", (long long)total);
    snprintf(d->target, sizeof d->target, "/v1/orders");
    *out = d;
}

static struct deed *wish_about(struct buyer *b, struct order *o)
{
    struct deed *d = NULL;
    uint64_t roll = world_roll(&b->random, 10);
    if (o->state == ORDER_PLACED) {
        d = new_deed(b, roll < 7 ? DEED_PAY : DEED_CANCEL, o);
        snprintf(d->target, sizeof d->target, "/v1/orders/%s/%s", o->id, roll < 7 ? "payments" : "cancel");
        snprintf(d->body, sizeof d->body, "%s", roll < 7 ? "{\"provider\":\"test\"}" : "{}");
    } else if (o->state == ORDER_PAID && roll < 8) {
        int line = (int)world_roll(&b->random, (uint64_t)o->line_count), left = o->lines[line].qty - o->lines[line].returned;
        if (left == 0)
            return NULL;
        d = new_deed(b, DEED_REFUND, o);
        d->line = line;
        d->qty = 1 + (int)world_roll(&b->random, (uint64_t)left);
        snprintf(d->target, sizeof d->target, "/v1/orders/%s/refunds", o->id);
        snprintf(d->body, sizeof d->body, "{\"lines\":[{\"line\":%d,\"qty\":%d}]}", line + 1, d->qty);
    } else if (o->state == ORDER_PAID) {
        d = new_deed(b, DEED_CANCEL, o);
        snprintf(d->target, sizeof d->target, "/v1/orders/%s/cancel", o->id);
        snprintf(d->body, sizeof d->body, "{}");
    }
    return d;
}

static struct deed *wish_stock(struct buyer *b)
{
    struct deed *d = new_deed(b, DEED_STOCK, NULL);
    d->sku = (int)world_roll(&b->random, SKUS);
    d->qty = 1 + (int)world_roll(&b->random, 5);
    snprintf(d->target, sizeof d->target, "/v1/stock");
    snprintf(d->body, sizeof d->body, "{\"sku\":\"SKU-%d\",\"delta\":%d,\"reason\":\"delivery\"}", d->sku, d->qty);
    return d;
}

bool buyer_wish(struct buyer *b, struct errand *out)
{
    struct deed *d = NULL;
    if (b->deed_count == DEEDS_MAX || b->order_count == ORDERS_MAX)
        return false;
    uint64_t roll = world_roll(&b->random, 10);
    if (roll == 0)
        d = wish_stock(b);
    else if (roll < 6 && b->order_count) /* of the latest ones */
        d = wish_about(b, &b->orders[b->order_count - 1 - world_roll(&b->random, b->order_count < 8 ? b->order_count : 8)]);
    if (!d)
        wish_order(b, &d);
    *out = (struct errand){ b, d };
    return true;
}
