/* journal/events.h - events on their way to those who hear them after the commit. Each is a row for each of its subscribers, written in the
 * transaction that emitted it and removed in the one in which it was heard; so it comes at least once, whatever happens in between.
 *
 * Rows of one subscriber with the same key stand in a line: only the first of a line is ever due, the others have no time until it is
 * gone. So one of them is never heard before an earlier one, and a million of them cost nothing to whoever looks for what is due.
 *
 *   added → due → heard: removed, the next of its line is due
 *             ↘ failed: due again, later each time; after TRIES_MAX times (journal/tries.h) a dead letter, and the next of its line is due
 *             ↘ parked (its subscriber is stopped): due again when that is over, and it does not count
 *
 * A dead letter is kept until somebody replays or drops it. Replayed, it has its id and its place in the line again: before all that
 * are still waiting.
 *
 * A job that was given up (host/plugins/jobs.h) is kept among the dead letters, too: its event is "", its subscriber the procedure of its
 * timer, which is set again when it is replayed. All calls that write are for the writer thread, inside its savepoint. */
#pragma once
#include "store/store.h"

const char *journal_events_schema_sql(void);

struct event_row {
    int64_t id;
    int64_t made_ms;
    int64_t due_ms;                                                                       /* of a dead letter: when it was given up */
    int tries;                                                                            /* that failed */
    enum event_standing { EVENT_WAITS, EVENT_BEHIND, EVENT_PARKED, EVENT_DEAD } standing; /* behind: an earlier one of its line */
    struct slice subscriber;                                                              /* "plugin:invite" */
    struct slice event;                                                                   /* "order.paid"; of a job "" */
    struct slice key;                                                                     /* "order ord_..."; "" = it stands in no line */
    struct slice payload;                                                                 /* JSON */
    struct slice why;                                                                     /* what it said when it failed last; "" */
};

int event_add(struct store_conn *c, struct slice subscriber, struct slice event, struct slice key, struct slice payload, int64_t now_ms,
              struct err *err);

/* For readers. Slices are valid during the call of fn; fn returning other than 0 ends the walk, and is what comes back. */
typedef int (*event_fn)(void *ctx, const struct event_row *e);
int event_next_due(struct store_conn *c, int64_t *due_ms, struct err *err); /* 1 = there is one, 0 = none */
int event_each_due(struct store_conn *c, int64_t now_ms, int limit, event_fn fn, void *ctx, struct err *err);
/* In the order of their ids, from the one after `after`. */
int event_each(struct store_conn *c, bool dead, int64_t after, int limit, event_fn fn, void *ctx, struct err *err);
int event_count(struct store_conn *c, bool dead, int at_most, int64_t *count, struct err *err); /* counts no further than that */

/* What is done with one that was due. ERR_NOT_FOUND with reason "event_gone" when it is not due any more as it was: then the caller does
 * nothing, either. */
int event_done(struct store_conn *c, int64_t id, int64_t due_ms, int64_t now_ms, struct err *err); /* before it is heard */
int event_failed(struct store_conn *c, int64_t id, int64_t due_ms, int64_t now_ms, struct slice why, bool *dead, struct err *err);
int event_bury_job(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, int64_t now_ms, int64_t tries,
                   struct slice why, struct err *err);
int event_postpone(struct store_conn *c, int64_t id, int64_t due_ms, int64_t again_ms, struct err *err); /* that counts as no try */

/* A subscriber that is stopped for now: nobody finds what is parked due. */
int event_park(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err);
int event_any_parked(struct store_conn *c, struct err *err); /* 1 = there are some; also for readers */
/* Those first that were due first. */
int event_unpark(struct store_conn *c, struct slice subscriber, int limit, int64_t *moved, struct err *err);

/* By hand: a dead letter waits again and is due at once, with all its tries; one that waits is due at once. ERR_NOT_FOUND; ERR_STATE when
 * it is parked or stands behind another. */
int event_replay(struct store_conn *c, int64_t id, int64_t now_ms, struct err *err);
int event_replay_dead(struct store_conn *c, int limit, int64_t now_ms, int64_t *replayed, struct err *err); /* the oldest of them */
int event_drop(struct store_conn *c, int64_t id, struct err *err); /* a dead letter, for ever. ERR_NOT_FOUND */
