/* journal/journal.h - what must be remembered beside the data itself: answers under idempotency keys, and timers that
 * survive a restart. All calls that write are for the writer thread, inside its savepoint. */
#pragma once
#include "store/store.h"

const char *journal_schema_sql(void);

/* --- idempotency ------------------------------------------------------------------------------------------------
 * scope: who sent it (key id or customer); the same key of two callers are two keys. request_hash: of method, path and body. */
struct idempotency_answer {
    int status;
    struct slice body; /* valid until the connection's next idempotency_find or store_keep */
};
enum { IDEMPOTENCY_KEY_MAX = 255 };
/* For the writer and for readers. 1 = answered before, *out filled; 0 = new; ERR_MISMATCH = the key was used with another request; ERR_* of
 * the store. */
int idempotency_find(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32],
                     struct idempotency_answer *out, struct err *err);
int idempotency_store(struct store_conn *c, struct slice scope, struct slice key, const unsigned char request_hash[32], int status,
                      struct slice body, int64_t now_ms, struct err *err);
/* At most `limit` of the oldest, so that a commit stays short; call again while *removed equals it. removed may be NULL. */
int idempotency_sweep(struct store_conn *c, int64_t older_than_ms, int limit, int64_t *removed, struct err *err);

/* --- timers ------------------------------------------------------------------------------------------------------
 * Due by wall clock. (procedure, key) is unique: setting it again moves it. A timer is removed in the same transaction in
 * which its procedure ran, so it fires once; one that was due while the server was down fires at start. */
struct timer_due {
    int64_t id;
    int64_t due_ms;
    struct slice procedure; /* "orders.expire" */
    struct slice key;       /* "ord_..." */
};
int timer_set(struct store_conn *c, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);
int timer_cancel(struct store_conn *c, struct slice procedure, struct slice key, struct err *err);
int timer_next_due(struct store_conn *c, int64_t *due_ms, struct err *err); /* 1 = there is one, 0 = none */
/* Calls fn for up to `limit` timers due at now_ms, earliest first; fn must not change timers. Slices are valid during the call.
 * fn returning other than 0 ends the walk, and is what comes back. */
int timer_each_due(struct store_conn *c, int64_t now_ms, int limit, int (*fn)(void *ctx, const struct timer_due *t), void *ctx,
                   struct err *err);
/* Removes the timer before its procedure runs, in the same transaction (so the procedure may set it anew). ERR_NOT_FOUND with
 * reason "timer_gone" when it was moved, cancelled or carried out meanwhile: then the procedure must not run. */
int timer_done(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err);

/* A timer whose owner does not work for now waits aside: nobody finds it due, and nothing of it is lost. Setting or cancelling it works
 * as ever. ERR_NOT_FOUND as timer_done(). */
int timer_park(struct store_conn *c, int64_t id, int64_t due_ms, struct err *err);
int timer_any_parked(struct store_conn *c, struct err *err); /* 1 = there are some; also for readers */
/* Up to `limit` of the parked timers, those first that were due first, whose procedure is from <= p < end are due again when they were;
 * *moved says how many. */
int timer_unpark(struct store_conn *c, struct slice from, struct slice end, int limit, int64_t *moved, struct err *err);
