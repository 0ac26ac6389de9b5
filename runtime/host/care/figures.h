/* host/care/figures.h - figures of the functions that plugins and campaigns contribute: calls, errors, fuel, time, memory. Each Lua state
 * counts for itself, without a lock; what it counted is added up when somebody looks, and kept when the state is closed, so that the
 * figures of a shop only grow, whatever is published. The number of functions that are told apart is bounded; the rest is one. */
#pragma once
#include "base/json.h"
#include "rulebook/rulebook.h"

enum { FIGURES_FUNCTIONS_MAX = 500 };

struct figures;
struct figures *figures_new(void); /* NULL: out of memory */
void figures_free(struct figures *t);

/* The part of one state: its functions get their limits and are counted from here. */
struct figures_part;
int figures_open(struct figures *t, struct vm *vm, struct generation *g, struct figures_part **out, struct err *err);
void figures_close(struct figures_part *p); /* after the state; NULL is fine */

/* Any thread. */
void figures_write_metrics(struct figures *t, struct buf *out);                    /* Prometheus text */
void figures_write_json(struct figures *t, size_t at_most, struct json_writer *w); /* an array; those that took the most time first */
