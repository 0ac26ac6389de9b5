/* tests/simulate/sim.h - one simulated machine: its clock, its disk, its network, the shop that is served on it, and what is seen of it
 * from outside. README.md says what of it is real. */
#pragma once
#include "base/buf.h"
#include "base/random.h"
#include "host/host.h"
#include "store/faultvfs.h"
#include "tests/simulate/net.h"
#include "tests/simulate/sched.h"
#include <pthread.h>

enum breakage { /* what --break plants; each must be found */
                BREAK_NOTHING,
                BREAK_SKIP_VOID,      /* an order that ends keeps what it held */
                BREAK_FORGET_ANSWERS, /* no answer is kept under its key */
                BREAK_LOSE_TIMERS,    /* one of four timers is not set */
                BREAK_EARLY_ANSWER,   /* commits do not wait for the disk */
                BREAK_OVERSELL,       /* accounts may be overdrawn */
                BREAK_LOSE_REFUNDS,   /* money of a refund is not booked */
                BREAK_OLD_RULES,      /* a worker goes on with the rules it has */
                BREAK_LOSE_MONEY,     /* what a provider says when it is asked is not recorded */
                BREAKAGES
};
extern const char *const breakage_names[BREAKAGES];

/* What the writer did, in its order. Those of one transaction come together when it is committed; what a power cut left open is in doubt.
 */
enum note_kind { NOTE_RAN, NOTE_TIMER, NOTE_SET, NOTE_CALL, NOTE_COMMIT, NOTE_DOUBT };
struct note {
    enum note_kind kind;
    const void *conn;
    char *name, *key,
        *body; /* RAN: scope, key, answer. TIMER, and SET for a plugin's: procedure, key, when due. CALL: procedure, nothing, arguments */
    size_t body_len;
    int status; /* RAN: of the answer. COMMIT: whether it wrote anything */
    int64_t wall_ms;
    struct note *next;
};
struct notes {
    struct note *first, **last;
};

/* A request of a plugin to the outside, waiting for what the world says. */
struct outbound_call;

struct sim {
    uint64_t seed;
    enum breakage breakage;
    struct sched *sched;
    struct net *net;
    struct faultvfs *disk;
    struct random_seeded random; /* of the shop */
    struct clock clock;
    int64_t wall_ahead_ms; /* of the monotonic clock */
    char disk_name[32], dir[64], data[96];
    struct log *log;

    struct shop *shop;
    pthread_t server;
    bool serving, ready, ended; /* started; answers; its thread is done */
    int workers, rc;
    struct err err; /* why it did not start */

    struct notes open, done; /* of transactions that are not committed yet; to be read by the world */
    struct outbound_call *outside;
    int64_t last_outside;
    uint64_t injected; /* faults of the planted kind */
};

struct sim *sim_here(void);
int sim_begin(struct sim *s, uint64_t seed, const char *dir, struct err *err); /* a machine with an empty disk; the caller has the turn */
void sim_end(struct sim *s);
int64_t sim_wall_ms(const struct sim *s);
void sim_start(struct sim *s, int workers); /* the server begins to start */
void sim_join(struct sim *s);               /* until its thread has ended; after a signal or a cut */
void sim_power_off(struct sim *s);          /* now: connections are gone, nothing more reaches the disk */

void notes_drop(struct notes *n, const void *conn); /* NULL: all */
void note_free(struct note *n);
struct note *notes_take(struct sim *s); /* the oldest, the caller's; NULL = none */
void notes_doubt(struct sim *s);        /* after a cut: what is left of open transactions is in doubt, or never was */

/* outbound.c: answers and failures are the world's. */
struct outside_request {
    const char *method;
    struct slice url, body;
    const struct http_header *headers;
    size_t header_count;
};
int64_t outside_next(struct sim *s, struct outside_request *out); /* one that was not told of yet; 0 = none */
void outside_answer(struct sim *s, int64_t number, int status, struct slice body);
void outside_fail(struct sim *s, int64_t number, const char *reason);

/* script.c: the world's side, in Lua; 0 = nothing diverged. */
int script_run(struct sim *s, const char *folder, const char *setting);
