/* host/api/placing.h - placing an order, for the routes that do: priced on the worker, placed on the writer, priced again when what was
 * read has moved meanwhile, and refused with a fresh quote. */
#pragma once
#include "host/api/pricing.h"

struct placing_options {
    const char *procedure; /* "orders.place": gets the quote */
    const struct json_value *args;
    struct slice checkout; /* "chk_...:7": only a token of this version of it will do; empty: only one of no checkout */
    /* What a fresh quote is of, when not of what the request says: fills now, which pricing_run() takes, and answers nothing. NULL = the
     * request. */
    int (*fresh)(struct call *c, const struct json_value *args, struct pricing *now);
};
/* From here on the call is answered by itself. c->state is taken. */
void placing_begin(struct call *c, const struct placing_options *o);
