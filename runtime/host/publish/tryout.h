/* host/publish/tryout.h - rules that are to go live, tried on sample carts beside the shop: products of its catalogue, a guest and a
 * customer. What fails every time it is called is found before anybody buys. On the publisher's thread; nothing is written, nobody waits
 * for it. */
#pragma once
#include "host/shop.h"
#include "host/publish/submission.h"

enum { TRYOUT_MS = 500 }; /* then what was not tried is left to the watch, see care/HEALTH.md */

/* Appends to `found`, with the rule "dry_run": a warning, or a block for what must not be left out. conn: any reader. 0, or an error of the
 * machine. */
int tryout(struct shop *s, struct generation *g, struct store_conn *conn, struct submission *found, struct err *err);
