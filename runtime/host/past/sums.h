/* host/past/sums.h - what a backtest adds up: orders as they were and as they would have been, by day, by campaign, by kind of customer. */
#pragma once
#include "base/map.h"
#include "host/past/again.h"

struct sides { /* minor units; of orders that could be placed */
    int64_t orders, touched;
    int64_t revenue_was, revenue_now, discount_was, discount_now, shipping_was, shipping_now, tax_was, tax_now;
    int64_t with_cost, cost, margin_was, margin_now; /* of the orders whose every line's cost is known: without shipping and tax */
};

struct was { /* of one order, as it is kept */
    int64_t total, discount, shipping,
        tax; /* shipping: after its discounts, with its tax where that is added; discount: of lines and shipping */
    const struct json_value *campaigns; /* those that applied: [{"id", "title", "amount"}] */
};
int was_read(const struct past_order *o, struct arena *arena, struct was *out, struct err *err);

struct sums;
struct sums *sums_new(const struct zone *zone); /* NULL: out of memory */
void sums_free(struct sums *s);

struct sums_order {
    const struct past_order *order;
    const struct was *was;
    const struct quote_cart *cart;
    const struct quote_rules *rules;
    const struct quote_result *now; /* NULL: it could not be placed */
    const char *why_not;            /* then: "gate", "failed" */
    bool has_cost;
    int64_t cost;
};
int sums_add(struct sums *s, const struct sums_order *o, struct err *err);
bool sums_touched(const struct sums_order *o); /* another total, or other campaigns */

/* The members "total", "by_day", "by_campaign", "by_customer", "not_placed", "limits" into an open object. */
void sums_write(const struct sums *s, struct json_writer *w);
