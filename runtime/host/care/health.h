/* host/care/health.h - how what an edition runs is doing, by subject (a campaign, a plugin, the shop): calls and failures of the last
 * minute, counted by all threads without a lock. Sums are as exact as they need be: one at the edge of ten seconds may be lost. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEALTH_WINDOW_MS = 60000, HEALTH_FAILURES = 20, HEALTH_PERCENT = 30 };

struct health;
struct health *health_new(size_t subjects); /* NULL when out of memory */
void health_free(struct health *h);

struct health_sum {
    int64_t calls, failures;
};
void health_reset(struct health *h, uint32_t subject); /* as if it had never been called */
/* One call. true: it has failed HEALTH_FAILURES times or more within the window, and in HEALTH_PERCENT of its calls or more. */
bool health_note(struct health *h, uint32_t subject, bool failed, int64_t now_ms, struct health_sum *sum);
struct health_sum health_sum(const struct health *h, uint32_t subject, int64_t now_ms);
/* Once in a window: whether it is time to say something of this subject again. */
bool health_say(struct health *h, uint32_t subject, int64_t now_ms);
