/* host/plugins/facts.h - what plugins know of a customer: read on the worker before the rules run, with the version that the writer
 * compares. */
#pragma once
#include "host/api/call.h"

/* Version, tags and the facts that the live rules can ask for, of cart->customer, in one snapshot. A guest has none. ERR_INVALID when there
 * is no such customer. What a function makes is for the clock value of the cart. */
int facts_load(struct call *c, struct quote_cart *cart);
/* The same with all facts there are. */
int facts_load_all(struct call *c, struct quote_cart *cart);
/* The members "facts" ({ name: value }) and, when some failed, "failed" ([name]), into an object that is open. */
void facts_write(const struct call *c, const struct quote_cart *cart, struct json_writer *w);
