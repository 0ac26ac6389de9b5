/* host/health.h - how the functions of an edition's campaigns are doing: calls and failures of the last minute, counted by
 * all workers without a lock. Sums are as exact as they need be: one at the edge of ten seconds may be lost. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEALTH_WINDOW_MS = 60000, HEALTH_FAILURES = 20, HEALTH_PERCENT = 30 };

struct health;
struct health *health_new(size_t campaigns); /* NULL when out of memory */
void health_free(struct health *h);

struct health_sum {
    int64_t calls, failures;
};
void health_reset(struct health *h, uint32_t campaign); /* as if it had never been called */
/* One call of a campaign's function. true: it has failed HEALTH_FAILURES times or more within the window, and in HEALTH_PERCENT of its
 * calls or more. */
bool health_note(struct health *h, uint32_t campaign, bool failed, int64_t now_ms, struct health_sum *sum);
