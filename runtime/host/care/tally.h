/* host/care/tally.h - what ran inside one command of the writer: which functions of plugins, for how long, and in whose hands it failed.
 * Time is counted for whoever runs, not for those who called him. One per command; filled while it runs, read when its batch is over: a
 * batch may run twice, then its calls count once and its time as often as it was spent. */
#pragma once
#include "base/clock.h"
#include "base/slice.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    TALLY_WHY_MAX = 256,
    TALLY_MAX = 16,  /* functions in one command; the time and the calls of others are nobody's */
    TALLY_SHOP = -1, /* the shop's own code, in place of a function's number */
};

struct tally_entry {
    int fn;
    unsigned calls;
    int64_t ns;
};

struct tally {
    const struct clock *clock; /* NULL: nothing ran */
    int owner;                 /* whose command it is: the function of a plugin's route or timer, or TALLY_SHOP */
    int running, culprit;
    int64_t since_ns, waited_ms;
    char why[TALLY_WHY_MAX]; /* what the culprit said, when he was called by another; "" otherwise */
    size_t count;
    struct tally_entry of[TALLY_MAX];
};

void tally_begin(struct tally *t, const struct clock *clock, int owner, int64_t queued_ns);
/* Function number fn begins; returns which ran until now, for tally_leave(). failed: it raised, and said why. */
int tally_enter(struct tally *t, int fn);
void tally_leave(struct tally *t, int before, bool failed, struct slice why);
void tally_end(struct tally *t,
               bool failed); /* culprit: in whose hands it failed first; TALLY_SHOP when it did not, or was the shop's own */
