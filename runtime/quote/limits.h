/* quote/limits.h - what a campaign may use up in all, and of one customer. Inside quote/ only.
 *
 * What was used stands in accounts of the ledger, one for each limit (limits_account), that go below zero: -3 is three used. The limit
 * itself is in the rules, so a new one holds with the rules that say it, and no account is touched. A run asks for the accounts of each
 * campaign that stands (window, scope) once, before anything is chosen; the answers are in the cart (left.c). */
#pragma once
#include "quote/rules_int.h"

enum limit_kind { LIMIT_USES, LIMIT_UNITS, LIMIT_BUDGET };
enum limit_period { PERIOD_NONE, PERIOD_DAY, PERIOD_WEEK, PERIOD_MONTH, PERIOD_YEAR };

struct limit {
    enum limit_kind kind;
    enum limit_period per;
    bool of_customer;
    int64_t max;
    const char *key; /* as it is written: "units_per_customer" */
};

struct limits {
    const struct limit *list;
    uint32_t count;
    struct slice round;       /* empty: the first */
    bool partial;             /* a budget that is too small is used to its end; otherwise the campaign does not apply */
    bool kept;                /* what a refunded order used stays used */
    bool kept_when_cancelled; /* what one used that was cancelled or has expired, too */
    bool for_customers;       /* one at least is of each customer */
    bool bounds;              /* one at least is of units or money: it can make a discount smaller */
    const struct zone *zone;
};

/* The member `limits` of a campaign or gate; *out NULL when there is none. A gate's are of units. */
int limits_compile(struct spec *s, const struct spec_node *n, bool of_gate, const struct limits **out);
