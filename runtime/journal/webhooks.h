/* journal/webhooks.h - messages on their way to endpoints of other systems, and what became of each. A message is written in the
 * transaction in which its event happened, with the bytes that every try sends; for each endpoint that is to have it there is a delivery.
 *
 * Deliveries of one endpoint with the same line ("order ord_...") come in their order: only the first of a line that is still open is
 * ever due, the others have no time until it is taken or given up. A million of them cost nothing to whoever looks for what is due.
 *
 *   added → waits → taken (a 2xx, recorded after it came: so a message comes at least once)
 *             ↘ failed: waits again, later each time; after WEBHOOK_TRIES_MAX times given up, and the next of its line is due
 *   taken, given up → by hand: waits again, in its place in the line
 *
 * An endpoint that fails often in a row rests, longer each time, and between two rests one message tries it. One that failed for
 * WEBHOOK_DISABLED_AFTER_MS, or answered 410, is disabled; what it misses waits. Messages, deliveries and attempts are kept for a stated
 * time from when the event happened, whatever became of them.
 *
 * Secrets of endpoints lie in the store as they are, as the shop's own does (host/api/auth.h): whoever has the file has that one already,
 * and a key beside it would be copied along with it, or be missing when a backup is brought back.
 *
 * All calls that write are for the writer thread, inside its savepoint. */
#pragma once
#include "store/store.h"

const char *journal_webhooks_schema_sql(void);

/* --- endpoints --------------------------------------------------------------------------------------------------------------- */

enum webhook_state { WEBHOOK_ACTIVE = 1, WEBHOOK_PAUSED, WEBHOOK_DISABLED, WEBHOOK_REMOVED }; /* in the table: numbers are for ever */

struct webhook_endpoint {
    int64_t id; /* never used again */
    enum webhook_state state;
    int64_t created_ms;
    struct slice name; /* "whk_..." */
    struct slice url, label;
    struct slice events;   /* JSON: ["order.*", ...] */
    struct slice personal; /* JSON: ["order.address", ...] */
    bool ordered;
    struct slice why;         /* it is disabled; "" */
    int64_t failures;         /* in a row */
    int64_t failing_since_ms; /* the first of them; 0 = it works */
    int64_t rests_until_ms;   /* nothing is sent before; 0 = it does not rest */
};
enum { WEBHOOK_RESTS_FROM = 5 /* failures in a row */ };
#define WEBHOOK_DISABLED_AFTER_MS (72 * INT64_C(3600000))

/* name, url, label, events, personal, ordered, created_ms are taken; *id says its number. */
int webhook_endpoint_add(struct store_conn *c, const struct webhook_endpoint *e, int64_t *id, struct err *err);
/* url, label, events, personal, ordered as in e. */
int webhook_endpoint_change(struct store_conn *c, int64_t id, const struct webhook_endpoint *e, struct err *err);
/* To active: what failed before is forgotten, and what waits is due. Removed: its secrets are gone at once, the rest goes with
 * webhook_sweep(). */
int webhook_endpoint_set_state(struct store_conn *c, int64_t id, enum webhook_state state, struct slice why, int64_t now_ms,
                               struct err *err);
/* Those that are not removed, in order of their ids. For readers, too; slices live during the call; not 0 from fn ends it, and is what
 * comes back. */
int webhook_endpoint_each(struct store_conn *c, int (*fn)(void *ctx, const struct webhook_endpoint *e), void *ctx, struct err *err);
int webhook_endpoint_id(struct store_conn *c, struct slice name, int64_t *id, struct err *err); /* ERR_NOT_FOUND */

/* Secrets of an endpoint: the newest has no end, earlier ones sign as well until theirs. */
enum { WEBHOOK_SECRETS_MAX = 4, WEBHOOK_SECRET_BYTES_MAX = 64 };
int webhook_secret_add(struct store_conn *c, int64_t endpoint, struct slice secret, int64_t now_ms, int64_t earlier_end_ms,
                       struct err *err); /* ERR_STATE "too_many_secrets" */
/* Newest first; until_ms 0 = no end. */
int webhook_secret_each(struct store_conn *c, int64_t endpoint, int64_t now_ms, int (*fn)(void *ctx, struct slice secret, int64_t until_ms),
                        void *ctx, struct err *err);

/* --- messages ---------------------------------------------------------------------------------------------------------------- */

int webhook_message_add(struct store_conn *c, struct slice message_id, struct slice event, struct slice body, int64_t now_ms, int64_t *id,
                        struct err *err);
/* line "" = it keeps no order. Nothing when the endpoint was removed meanwhile. */
int webhook_delivery_add(struct store_conn *c, int64_t endpoint, int64_t message, struct slice line, int64_t now_ms, struct err *err);

enum webhook_standing { WEBHOOK_WAITS = 1, WEBHOOK_BEHIND, WEBHOOK_TAKEN, WEBHOOK_GIVEN_UP }; /* in the table: numbers are for ever */

struct webhook_delivery {
    int64_t message;         /* its number */
    struct slice message_id; /* "msg_...", the same in every try */
    struct slice event, body, line;
    int64_t made_ms;
    enum webhook_standing standing;
    int64_t due_ms;   /* WEBHOOK_WAITS */
    int64_t tries;    /* that failed since it was added or replayed */
    int64_t attempts; /* in all */
};
typedef int (*webhook_delivery_fn)(void *ctx, const struct webhook_delivery *d);
int webhook_each_due(struct store_conn *c, int64_t endpoint, int64_t now_ms, int limit, webhook_delivery_fn fn, void *ctx, struct err *err);
/* Newest first, those before the message number `before` (0 = all). standing 0: whatever became of them; WEBHOOK_WAITS: those behind, too.
 */
int webhook_each(struct store_conn *c, int64_t endpoint, enum webhook_standing standing, int64_t before, int limit, webhook_delivery_fn fn,
                 void *ctx, struct err *err);
/* ERR_NOT_FOUND. */
int webhook_find(struct store_conn *c, int64_t endpoint, struct slice message_id, webhook_delivery_fn fn, void *ctx, struct err *err);

/* How many are open, counted no further than at_most, and when the event of the oldest happened (0 = none). */
int webhook_backlog(struct store_conn *c, int64_t endpoint, int at_most, int64_t *open, int64_t *oldest_ms, struct err *err);
int webhook_given_up(struct store_conn *c, int64_t endpoint, int at_most, int64_t *count, struct err *err);

/* --- attempts ---------------------------------------------------------------------------------------------------------------- */

enum { WEBHOOK_TRIES_MAX = 10 };
/* How long after the failure number `tries`, from 1: 5 s to 24 h, some 75 hours in all. Those who record it add some chance. */
int64_t webhook_again_after_ms(int64_t tries);
int64_t webhook_rest_ms(int64_t rests); /* of an endpoint, number `rests` in a row, from 1: 10 s to 1 h */

struct webhook_attempt {
    int64_t endpoint, message;
    int64_t due_ms; /* as it was due when it was begun */
    int64_t at_ms, took_ms;
    int status;              /* 0 = there was no answer */
    struct slice why;        /* "" = it was taken */
    bool taken, gone;        /* gone: the endpoint wants nothing more, 410 */
    int64_t not_before_ms;   /* the endpoint asked for that; 0 = it did not */
    int64_t chance_permille; /* 0 to 1000: what is added to the wait, of a fifth of it */
};
struct webhook_result {
    bool given_up;       /* it was tried too often */
    bool disabled;       /* the endpoint is, with this attempt */
    bool health_changed; /* of the endpoint: who keeps it in memory reads it again */
    int64_t failures;    /* of the endpoint, in a row */
    int64_t tries, again_ms;
};
/* ERR_NOT_FOUND when the delivery or the endpoint is gone: then there is nothing to note. */
int webhook_record(struct store_conn *c, const struct webhook_attempt *a, int64_t now_ms, struct webhook_result *out, struct err *err);

struct webhook_attempt_row {
    int64_t number, at_ms, took_ms;
    int status;
    struct slice why;
};
int webhook_attempt_each(struct store_conn *c, int64_t endpoint, int64_t message, int (*fn)(void *ctx, const struct webhook_attempt_row *a),
                         void *ctx, struct err *err); /* oldest first */

/* --- by hand ----------------------------------------------------------------------------------------------------------------- */

/* It waits and is due, with all its tries, or behind those of its line that are older and open. ERR_NOT_FOUND. */
int webhook_replay(struct store_conn *c, int64_t endpoint, struct slice message_id, int64_t now_ms, struct err *err);
/* Messages of events since then, the oldest first, from the one after number *after on, which is moved: those that were given up; all:
 * those that were taken as well. Call again while *more. */
int webhook_replay_since(struct store_conn *c, int64_t endpoint, int64_t since_ms, bool all, int64_t *after, int limit, int64_t now_ms,
                         int64_t *replayed, bool *more, struct err *err);

/* Removes messages older than that with all that belongs to them, secrets that have ended, and what removed endpoints left; some `limit` of
 * each, so that a commit stays short. Call again while *more. *missed: deliveries among them that were still open. */
int webhook_sweep(struct store_conn *c, int64_t older_than_ms, int limit, int64_t now_ms, int64_t *missed, bool *more, struct err *err);
