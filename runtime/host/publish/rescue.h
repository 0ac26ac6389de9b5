/* host/publish/rescue.h - new rules under which the shop itself fails. Quarantine takes out what can be left out. Where quotes and orders
 * keep failing all the same (a rule that must not be left out, a fact, what the shop does in its own procedures), the generation goes back
 * to the one before: once, and never when it failed as much before. */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct edition;
struct rescue;

enum {
    RESCUE_FAILURES = 30,      /* of quotes, or of orders, within the window of health.h, ... */
    RESCUE_PERCENT = 20,       /* ... and of so many of them, ... */
    RESCUE_TIMES = 3,          /* ... and so many times as often as under the rules before */
    RESCUE_WITHIN_MS = 600000, /* how long new rules are looked at */
    RESCUE_PAUSE_MS = 600000,  /* from one rescue to the next */
};

int rescue_open(struct edition *e, struct err *err);
void rescue_close(struct edition *e);
/* Before e goes live in place of `before`; published: they are new rules. Those that somebody went back to are not left by themselves. */
void rescue_watch(struct edition *e, const struct edition *before, bool published);
/* One quote or one order (a procedure of orders) under these rules; they are counted apart, for there are many more quotes. rc as it ended:
 * an error, used-up fuel or memory is a failure, what the client did wrong does not count. Any thread; e may be NULL. */
enum rescue_kind { RESCUE_QUOTE, RESCUE_ORDER, RESCUE_KINDS };
void rescue_note(struct edition *e, enum rescue_kind kind, int rc, const struct err *err);
/* Something was taken out: whether that helps is seen from here. */
void rescue_begin_again(struct edition *e);

/* The rule itself. Rates of failure are of calls; what is known of before counts with its number. */
struct rescue_counts {
    int64_t calls, failures;
};
enum rescue_verdict { RESCUE_FINE, RESCUE_AS_BEFORE, RESCUE_BACK };
enum rescue_verdict rescue_judge(struct rescue_counts now, struct rescue_counts before);
