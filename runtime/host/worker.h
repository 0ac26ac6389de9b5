/* host/worker.h - one thread: a loop, an HTTP server on the shared address, a read-only connection, a seat (its Lua state under the
 * live rules). */
#pragma once
#include "host/publish/edition.h"
#include "http/outbound.h"

struct worker {
    struct shop *shop;
    int number;
    struct loop *loop;
    struct http_server *server;
    struct store_conn *conn;
    struct seat *seat;            /* of calls that begin now */
    struct seat *left;            /* seats of before, with calls that still wait for another thread */
    struct seat *reopened;        /* for quotes of earlier generations; the last used first */
    _Atomic(struct seat *) offer; /* from the publisher: the seat to take next */
    struct loop_post offer_post;
    atomic_uint_fast64_t seat_serial;
    struct id_source ids;
    struct outbound *outbound;   /* NULL: nobody may call out */
    struct outbound *webhooks;   /* requests of webhooks, apart from those of plugins; opened with the first */
    struct listeners *listeners; /* to what procedures say; NULL at a desk, where nobody stays */
    struct batches *batches;     /* carts that came many at once; made with the first */
    struct task *tasks;          /* functions of plugins that are under way */
    size_t task_count;
    bool ending;                          /* no more of them */
    bool waited_for;                      /* somebody runs the loop until none is left */
    struct buf out;                       /* the answer being written; reused */
    struct catalogue_snapshot *catalogue; /* refreshed when its version moved */
    uint64_t catalogue_version;
};

enum worker_for {
    WORKER_FOR_CLIENTS,
    WORKER_FOR_A_DESK, /* asked one thing after the other, by somebody in this process */
};
int worker_open(struct shop *s, int number, enum worker_for use, struct worker **out, struct err *err);
void worker_close(struct worker *w);
struct catalogue_snapshot *worker_catalogue(struct worker *w); /* borrowed until the next call */

/* Publisher's thread: hands over a seat, and gives back the one that was offered before and not taken (or NULL). */
struct seat *worker_offer(struct worker *w, struct seat *seat);
/* A call in this seat begins, and ends, to wait for another thread. */
void worker_hold(struct seat *seat);
void worker_let_go(struct worker *w, struct seat *seat);
/* The seat with the rules of an earlier generation, if this worker has one; and one more, which is the worker's from here. */
struct seat *worker_find_seat(struct worker *w, struct slice generation);
void worker_add_seat(struct worker *w, struct seat *seat);
