/* host/plugins/jobs.h - timers of plugins with as = "job", and what the shop asks providers of payments: each is carried out on a worker,
 * as a task that may wait for the outside, and its timer is removed only when it has ended well. So a job runs at least once, whatever
 * happens in between.
 *
 *   due → on a worker → ended well → the timer is removed
 *                     → failed     → due again, later each time; after TRIES_MAX times (journal/tries.h) a dead letter (journal/events.h)
 *                     → cut off (stop, crash, rules retired, plugin stopped) → due again, and that does not count
 *
 * A job that its own procedures have moved or cancelled meanwhile stays as they left it. Of a provider (providers.h), what its function
 * gave, or why it gave nothing, is recorded in the transaction in which the timer goes; when it is due again, and whether, is said there.
 * All calls are for the keeper's thread. */
#pragma once
#include "host/shop.h"

struct jobs;
int jobs_open(struct shop *s, struct loop *loop, struct jobs **out, struct err *err);
void jobs_close(struct jobs *j); /* none may be under way; NULL is fine */

/* true: the timer is a job's, under the live rules; it runs, or will. Called while the timers are walked: nothing begins yet. */
bool jobs_take(struct jobs *j, const struct timer_due *t);
/* Begins what was taken: on the workers, or here and now when nobody serves (specs). */
void jobs_begin(struct jobs *j);
size_t jobs_under_way(const struct jobs *j);
