/* host/past/changed.h - the orders that a backtest changes most, each with why: as it was, and explained under the candidate. */
#pragma once
#include "host/past/sums.h"

enum { CHANGED_MAX = 20 };
struct changed;
struct changed *changed_new(struct generation *candidate); /* NULL: out of memory */
void changed_free(struct changed *c);
bool changed_wants(const struct changed *c, const struct sums_order *o); /* it is among the most changed so far */
/* cart: as it was before it was priced, and its own to write into; left: what it found of limits. */
int changed_add(struct changed *c, const struct sums_order *o, struct stand *stand, struct quote_cart cart, stand_left left, void *ctx,
                struct arena *arena, struct err *err);
/* "most_changed": [{"order", "placed_at", "was", "now", "campaigns_was": [{"id", "title", "amount"}], "quote": an explained quote}]. */
void changed_write(const struct changed *c, struct json_writer *w);
