/* store/tap.h - what the writer has committed, taken off its log as it is: for whoever keeps a second copy. Frames are read before the log
 * is reset, because the writer asks here before each checkpoint; what is only written but not committed is never seen. Between the files of
 * store/ only.
 *
 *   writer:   tap_commit_begin -> COMMIT -> tap_commit_end ...  tap_may_checkpoint -> checkpoint
 *   follower: tap_start -> (tap_wait -> tap_take)* -> tap_stop
 *
 * A record is a commit: RECORD_HEAD bytes (segments.h), its frames as they are in the log, and HASH_BYTES that the follower fills. */
#pragma once
#include "base/buf.h"
#include "base/clock.h"
#include "store/store.h"

struct tap;

struct tap_place {    /* how far, in which log */
    uint32_t salt[2]; /* of the log; both 0: one that has not begun */
    uint32_t sum[2];  /* of the last frame, which stands for all before it */
    uint32_t frame;   /* 0: its beginning */
};

int tap_open(struct store *s, const struct clock *clock, struct tap **out, struct err *err); /* off until tap_start() */
void tap_close(struct tap *t);                                                               /* NULL is fine */

/* --- the writer's thread ------------------------------------------------------------------------------------------------ */
void tap_commit_begin(struct tap *t);
void tap_commit_end(struct tap *t, bool committed); /* committed: and there was something to write */
/* Takes what is left into memory. False: there is too much of it, because the follower can't get rid of it; the log is kept for it until it
 * has LOG_KEPT_PAGES. Then the shop goes first: the answer is yes, and the follower is told by tap_take(). */
bool tap_may_checkpoint(struct tap *t);
enum { TAP_TAKEN_MAX = 64 << 20, TAP_LOG_KEPT_PAGES = 262144 /* 1 GiB of 4 KiB */ };
void tap_let_go(struct tap *t); /* the log is reset whether it was taken or not; the follower is told */
void tap_set_bounds(struct tap *t, size_t taken_max, int64_t log_kept_pages); /* for tests; before tap_start() */

/* --- the follower's thread ---------------------------------------------------------------------------------------------- */
/* From now on commits are taken and numbered number + 1, ..., with times from last_ms on. from: goes on there, in the log as it is;
 * ERR_NOT_FOUND when that place is not in it (any more). NULL: from now. at_rest (may be NULL) runs while no commit is on its way. */
int tap_start(struct tap *t, const struct tap_place *from, uint64_t number, int64_t last_ms, int (*at_rest)(void *ctx, struct err *err),
              void *ctx, struct err *err);
struct tap_place tap_began(struct tap *t); /* where the first commit that is taken begins */
void tap_stop(struct tap *t);
/* While no commit is on its way, and everything before is taken: number of the last commit, and its time. ERR_BUSY: too much is waiting. */
int tap_at_rest(struct tap *t, int (*fn)(void *ctx, struct err *err), void *ctx, uint64_t *number, int64_t *ms, struct err *err);
void tap_wait(struct tap *t, int64_t ms, bool whatever_waits); /* until something waits, tap_wake(), or so long; or only the latter two */
void tap_wake(struct tap *t);                                  /* any thread */
/* Appends records to out, about `most` bytes. ERR_STATE: the log was reset before it was read; only a new tap_start() helps. */
int tap_take(struct tap *t, struct buf *out, size_t most, struct err *err);

struct tap_left {
    uint64_t bytes;    /* committed and not taken away */
    int64_t oldest_ms; /* of the first of them; 0 = none */
};
void tap_left(struct tap *t, struct tap_left *out); /* any thread */
