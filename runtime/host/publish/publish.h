/* host/publish/publish.h - the publisher: one thread that builds generations beside the live one, checks them, makes them live, and closes
 * what nobody uses any more. Jobs are done one after the other.
 *
 *   read the sources → same as live: nothing to do → build → plugins' checks → a Lua state for the writer and one for each worker
 *   → the revision is kept in the store → live: one pointer under a lock → each worker takes its seat between two calls
 *   → answered when all have
 *
 * Any failure before "live" leaves everything as it was. */
#pragma once
#include "host/publish/edition.h"

enum { GENERATION_ID_MAX = 32 };

struct publisher;
struct worker;

enum publish_kind {
    PUBLISH_FOLDER,   /* what is in the shop's folder now; where it has to be approved, it becomes a draft */
    PUBLISH_ROLLBACK, /* a generation that was live before */
    PUBLISH_SUBMIT,   /* what is in the folder becomes a draft that people approve */
    PUBLISH_DRAFT,    /* an approved draft, whose time has come */
    PUBLISH_REOPEN,   /* nothing goes live: a seat for the quotes of an earlier generation */
    PUBLISH_TASK,     /* nothing goes live: task(), which must not meet a publish */
};

struct publish_job {
    enum publish_kind kind;
    const char *how; /* for the log: "publish", "dev", "sighup", "rollback", "rescue" */
    char author[CALLER_ID_MAX];
    char actor[CALLER_ID_MAX + 8];      /* as the audit log names him; "" = the author, or who owns the machine */
    char generation[GENERATION_ID_MAX]; /* ROLLBACK: where to, "" = the one before the live one. REOPEN: which */
    char only_from[GENERATION_ID_MAX];  /* ROLLBACK: not when other rules than these are live by then; "" = whatever is */
    char draft[ID_MAX];                 /* DRAFT: which. SUBMIT: whose content it replaces; "" = a new one */
    struct slice note;                  /* SUBMIT: for those who approve */
    int64_t go_live_ms;                 /* SUBMIT: 0 = as soon as it is approved */
    /* Runs in the transaction that keeps the revision, so that an answer can be remembered with it. May be NULL. */
    int (*with)(struct publish_job *job, struct store_conn *conn, struct err *err);
    int (*task)(struct publish_job *job, struct store_conn *reader, struct err *err); /* TASK */
    void (*done)(struct publish_job *job); /* on the publisher's thread; the job may be gone when it returns */

    /* results */
    int rc;
    struct err err; /* ERR_INVALID, reason "rules_refused": the sources are wrong; the text has file, line, source line */
    bool changed;   /* false: they are what is live already, or became a draft */
    bool drafted;   /* `saved` names it */
    char saved[ID_MAX];
    char live[GENERATION_ID_MAX], previous[GENERATION_ID_MAX];
    size_t campaigns;
    struct slice findings; /* of the plugins' checks, a JSON array; good until done() returns; data NULL = none were made */
    int64_t took_ms;
    struct seat *seat;        /* REOPEN: the caller's now */
    struct publish_job *next; /* internal */
};

/* Makes `first` live (taken on success) and logs it as "start" when it was not the last one. */
int publisher_open(struct shop *s, struct generation *first, struct publisher **out, struct err *err);
int publisher_start(struct publisher *p, struct err *err);
void publisher_stop(struct publisher *p); /* waiting jobs are answered ERR_BUSY; before the writer stops. May be called again */
void publisher_free(struct publisher *p); /* after all workers and the writer: closes what is left */

/* A command on the writer, waited for; only on the publisher's thread. */
int publisher_write(struct publisher *p, int (*run)(void *ctx, struct store_conn *conn, struct err *err), void *ctx, struct err *err);

/* Any thread. ERR_BUSY when too many jobs wait, or it is stopping. */
int publisher_submit(struct publisher *p, struct publish_job *job, struct err *err);

/* The live edition, counted; any thread. */
struct edition *publisher_live(struct publisher *p);

/* A worker takes part from here: it is given a seat now, and one with each publish through worker_offer(). */
int publisher_enter(struct publisher *p, struct worker *w, struct seat **seat, struct err *err);
void publisher_leave(struct publisher *p, struct worker *w);
void publisher_took(struct publisher *p);                      /* a worker has taken a seat */
void publisher_bury_seat(struct publisher *p, struct seat *s); /* any thread: to be closed */
void publisher_bury_edition(struct publisher *p, struct edition *e);

struct publish_stats {
    uint64_t published, refused, draining;
    int64_t last_took_ms, live_since_ms;
};
void publisher_stats(struct publisher *p, struct publish_stats *out);
