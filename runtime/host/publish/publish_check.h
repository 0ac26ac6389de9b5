/* host/publish/publish_check.h - what is said of rules before they are live: plugins' checks, sample carts, and SKUs that nobody sells. */
#pragma once
#include "host/shop.h"
#include "host/publish/submission.h"

/* On the publisher's thread; reader is its connection. findings: a JSON array, as long as `found` lives, or no data when there are none.
 * On a refusal it says what was found, too. */
int publish_check(struct shop *s, struct store_conn *reader, struct generation *g, const struct generation *live, struct submission *found,
                  struct slice *findings, struct err *err);
/* Plugins' checks of the rules that a shop starts with, unless they were live last. */
int publish_check_start(struct shop *s, struct generation *first, struct err *err);
