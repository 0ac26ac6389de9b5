/* host/host.h - the conductor. A process hosts a shop; the shop owns its parts (store, ledger, catalogue, rulebook,
 * writer, workers). Two ways in: shop_serve() answers over HTTP until told to stop; shop_request() answers one request
 * in-process, through the same routes, for commands of a shop that is not being served. */
#pragma once
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "http/outbound.h"
#include "base/slice.h"

struct shop;
struct store_conn;
struct vm_code;

struct shop_options {
    const char *dir;      /* the shop's folder */
    const char *data_dir; /* NULL = dir/data; made at first start, mode 0700 */
    const char *vfs;      /* storage layer of a test, else NULL */
    bool unsafe_sync;     /* commits do not wait for the disk: the negative control of a test */
    const struct clock *clock;
    const struct random_source *random;
    struct log *log;                  /* may be NULL */
    struct outbound_options outbound; /* how plugins call out: feira.http */
    size_t streams_max;               /* who may listen at once, on each worker; 0 = 4,000 */
    bool webhooks_may_be_local;       /* webhooks may go to this machine and to private networks, also without TLS */
    /* For specs: stands for the outside, which is not there then. The answer lives until the next call. NULL = the real one. */
    int (*outside)(void *ctx, const struct outbound_request *r, struct outbound_answer *answer, struct err *err);
    void *outside_ctx;
    bool made_up_secrets; /* for specs: every secret is there, and its value is "secret NAME" */
    struct vm_code *code; /* for tests that open many shops: compiled texts that outlive each of them. NULL = the shop's own */
    /* For commands without a server, whose environment is another one: using a secret that is not there fails then. */
    bool may_lack_secrets;
    /* For them, too: where the folder's rules are broken, those that were live last are used, so that a campaign can always be stopped and
     * the data looked at. */
    bool or_live_rules;
};

/* Takes data/lock, opens the store, loads the rulebook. ERR_LOCKED when somebody serves the shop; a broken file is
 * ERR_SCRIPT or ERR_INVALID with file, line and reason. */
int shop_open(const struct shop_options *o, struct shop **out, struct err *err);
void shop_close(struct shop *s);

struct serve_options {
    const char *host;
    int port;         /* 0 = any free one */
    int workers;      /* 0 = one per core, 16 at most */
    int64_t drain_ms; /* how long requests may finish after SIGTERM; 0 = 10,000 */
    /* Called once, when the shop answers; port is the real one. */
    void (*ready)(void *ctx, int port);
    /* The folder is watched, and published when something in it was saved. */
    bool watch;
    /* TCP sockets that listen already (from systemd, or from the process that this one replaces): host and port are then not looked at. */
    const int *inherited;
    int inherited_count;
    /* The program that SIGUSR2 hands over to, as execvp() finds it. It is first asked to check the shop; when it can't, this one goes on.
     * NULL: SIGUSR2 is refused. */
    const char *successor;
    /* After each attempt that nobody asked for over HTTP (watch, SIGHUP); from another thread. text is for a person. May be NULL. */
    void (*published)(void *ctx, bool live, const char *text);
    void *ctx;
};
enum { HANDED_OVER_MAX = 128 };
struct handover { /* after SIGUSR2: sockets on which connections wait for the successor. The caller's, close-on-exec */
    bool wanted;
    int fds[HANDED_OVER_MAX], count;
};
/* Until SIGTERM, SIGINT or SIGUSR2; SIGHUP publishes. Also listens on data/feira.sock for the operator. */
int shop_serve(struct shop *s, const struct serve_options *o, struct handover *handover, struct err *err);

/* One request as the operator. body is the answer's. */
int shop_request(struct shop *s, const char *method, const char *target, struct slice body, int *status, struct buf *answer,
                 struct err *err);
/* The same as whoever has this key ("pk_…", "ct_…", "sk_…"); "" = the operator. */
int shop_request_as(struct shop *s, struct slice key, const char *method, const char *target, struct slice body, int *status,
                    struct buf *answer, struct err *err);

/* Where many requests are handed in, one after the other: a worker of the shop without a socket. Several desks may be open, one thread
 * each. */
struct desk;
struct desk_request {
    const char *method, *target;
    struct slice key; /* as above; "" = the operator */
    struct slice body;
    struct slice idempotency_key; /* "" = a new one */
    struct slice headers;         /* further ones, each with its line's end; "" = none */
};
int desk_open(struct shop *s, struct desk **out, struct err *err);
int desk_ask(struct desk *d, const struct desk_request *r, int *status, struct buf *answer, struct err *err);
/* All at once, each on a connection of its own: for harnesses that want many requests under way on one worker. status and answers have room
 * for `count`; 0 = this one got no answer. */
int desk_ask_all(struct desk *d, const struct desk_request *requests, size_t count, int *status, struct buf *answers, struct err *err);
struct store_conn *desk_conn(struct desk *d); /* what it reads with; for harnesses that look at the data */
void desk_close(struct desk *d);              /* before its shop */

struct restore_source {
    const char *file;   /* a backup; or: */
    const char *dir;    /* a second copy (store/follow.h), ... */
    int64_t at_ms;      /* ... as of that moment; INT64_MAX = the newest */
    bool accept_damage; /* where it is damaged, up to there */
};
struct restored {
    char replaced[4096]; /* the folder in the data folder that has what was there; "" when there was nothing */
    int64_t as_of_ms;    /* of a second copy: when the last commit was made that is in it */
    uint64_t commits;    /* that were applied to its snapshot */
    char missing[400];   /* what damage took, as a sentence; "" = nothing */
};
/* What `from` names becomes the shop's data, after it was brought up to this program's tables, read whole and checked. ERR_LOCKED while
 * somebody serves the shop. Nothing that is there is removed. */
int shop_restore(const struct shop_options *o, const struct restore_source *from, struct restored *out, struct err *err);

/* First start: makes one storefront and one server key and writes them to data/keys.txt (0600). *made tells whether it did. */
int shop_first_keys(struct shop *s, char path[4096], bool *made, struct err *err);
