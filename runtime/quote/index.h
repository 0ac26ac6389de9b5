/* quote/index.h - which campaigns can apply to a cart at all, without looking at the others. Inside quote/ only.
 *
 * Each campaign is filed under the most selective thing that it requires: one of some names that a line, the typed codes, the customer's
 * tags, the channel or the region must have. Under a name its campaigns are sorted by the amount from which they hold, or, where they have
 * a window, stand in an interval tree. So a quote costs what its own names bring up, however many campaigns are live. Built once with the
 * rules; about 50 bytes a campaign and name. */
#pragma once
#include "base/arena.h"
#include <stdbool.h>
#include <stdint.h>

struct quote_eval;
struct quote_rules;
struct err;
struct index;

/* Campaigns from .. to - 1. Gates are filed by their lines and windows only: what their conditions ask for keeps them closed. */
int index_build(const struct quote_rules *r, struct arena *keep, uint32_t from, uint32_t to, struct index **out, struct err *err);
/* Those that can apply, ascending, each once; in the arena of the run. most_minor: no threshold will see more than that. */
int index_find(const struct index *ix, struct quote_eval *e, int64_t most_minor, uint32_t **out, size_t *count, struct err *err);
/* Those that a name of the cart brings up at any time and for any amount, as they come: of typed codes first, some perhaps twice. */
int index_find_named(const struct index *ix, struct quote_eval *e, uint32_t **out, size_t *count, struct err *err);
/* The amount that the cart must come to, whatever lines a threshold of the campaign measures. */
int64_t index_least(const struct quote_rules *r, uint32_t campaign);
/* Campaigns that every cart looks at, because nothing that they require can be filed. */
uint32_t index_always(const struct index *ix);
