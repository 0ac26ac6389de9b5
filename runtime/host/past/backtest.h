/* host/past/backtest.h - feira backtest: orders that were, priced once more under rules that are not live, in their order.
 *
 * Orders are taken in batches, priced on all cores with what is left of limits as it is at that moment, and then settled one batch after
 * the other in the order of placing: an order that saw more of a limit than was left when its turn came, and that this may have changed, is
 * priced again there. So the result is that of one thread going through them one by one. */
#pragma once
#include "base/json.h"
#include "host/past/crew.h"

/* body: what candidate_build() reads, {"since", "until", "threads", "orders": true}. README.md has the form of the result. */
int backtest_run(struct shop *s, const struct json_value *body, struct progress *p, struct json_writer *w, struct err *err);
