/* host/past/costs.h - what products cost the shop, as it is known today: nobody noted it with the orders. */
#pragma once
#include "quote/quote.h"
#include "store/store.h"

struct costs;
int costs_open(const struct symbols *symbols, struct store_conn *conn, struct costs **out, struct err *err);
void costs_close(struct costs *c);
/* All goods of the cart together; false: the cost of one of them is not known. Any thread. */
bool costs_of(const struct costs *c, const struct quote_cart *cart, int64_t *minor);
