/* host/past/doubts.h - what a backtest can't know, said plainly: what always holds, and what these orders lack of what this candidate asks.
 */
#pragma once
#include "host/past/again.h"

struct doubts;
struct doubts *doubts_new(struct shop *s, struct generation *candidate); /* NULL: out of memory */
void doubts_free(struct doubts *d);
/* wanted_to_sign: see stand.h. */
int doubts_add(struct doubts *d, const struct past_order *o, const struct quote_cart *cart, bool wanted_to_sign, struct err *err);
/* "cannot_know": [{"code", "text", "orders"?}]. Builds the rules that the orders were made under, to see what they noted. */
int doubts_write(struct doubts *d, struct store_conn *conn, struct json_writer *w, struct err *err);
