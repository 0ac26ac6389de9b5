/* quote/choose_int.h - which of the campaigns that may apply do. Inside quote/ only.
 *
 * campaigns_choose() is asked when prices are known and nothing is taken off yet. It leaves a reason with each campaign that must not
 * apply, and takes everything else back; the pipeline then gives the rest their turns. What it looked at is decided by counts, never by a
 * clock. */
#pragma once
#include "quote/run_int.h"

/* Campaigns that are tried, in lines and a few more for each: the bound on the work of one quote. About 10 ms. */
enum { SEARCH_WORK_MAX = 2000000, WORK_OF_TURN = 8, WORK_OF_FUNCTION = 4000, SEARCH_CANDIDATES_MAX = 1000 };

struct reach { /* what one action may take from */
    const uint32_t *lines;
    size_t count;
};

struct candidate {
    uint32_t number;        /* of the campaign */
    uint32_t component;     /* those of one component may touch one another's amounts, those of two can't */
    const struct reach *of; /* by action */
    int64_t work;           /* of one turn */
    bool ships;             /* may make shipping cheaper */
    bool steady;            /* lower prices before it never mean a higher one after it */
    bool certain;           /* with it is never dearer than without it: it is not left out */
};

enum standing { IDLE, IN, OUT }; /* IDLE: had its turn and did nothing, so that it hinders nobody */

struct choice {
    struct quote_eval *e;
    struct candidate *list; /* in the order of application */
    size_t count;
    uint8_t *standing;    /* of each in the set that was chosen */
    bool ships_by_amount; /* what shipping costs may change with what the lines cost */
    uint32_t wishes;      /* before the shipping stage: those that leave nothing of it to pay */
    int64_t work;
    bool proven;
};

/* One turn without keeping its effects: they stay in e->effects for turn_undo(). *does: it has some. */
int turn_try(struct choice *ch, const struct candidate *c, bool *does, struct err *err);
void turn_undo(struct quote_eval *e, struct effect *effects);

/* Memory of turns that were taken back. What functions were given may be kept by them (sets) or by the quote (left.c): it stays. */
struct turn_mark {
    struct arena_mark memory;
    uint64_t calls;
};
struct turn_mark turn_mark(const struct quote_eval *e);
void turn_forget(struct quote_eval *e, struct turn_mark m);

/* search.c: the cheapest permitted set of one component, into standing. */
int search_component(struct choice *ch, uint32_t component, struct err *err);
