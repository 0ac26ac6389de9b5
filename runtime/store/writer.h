/* store/writer.h - the one thread that changes a shop. It takes commands from a bounded queue, runs each as if in a
 * savepoint of one shared transaction, commits once for the whole batch (what arrived during the last commit, 256 at most), and
 * only then answers all of them. So an answer means: on disk.
 *
 * When an error has ended the whole transaction, or the commit fails, memory is reset to the last commit (hooks) and
 * each command of the batch runs again alone in a transaction of its own. A command that fails after it wrote something makes
 * its batch run once more, then with real savepoints, which the common case does not pay for: refuse before the first write
 * where that is possible. run() must therefore be repeatable: everything it changes outside the store is changed in
 * committed(), not in run(). */
#pragma once
#include "store/store.h"

struct writer_command {
    /* On the writer thread, inside the transaction. 0 keeps the changes; a negative code rolls them back and is the answer. */
    int (*run)(struct writer_command *cmd, struct store_conn *conn, struct err *err);
    /* On the writer thread, after the commit (or after the failure): rc of run, or of the commit. Posts the answer to its owner. */
    void (*done)(struct writer_command *cmd, int rc, const struct err *err);
    uint32_t share;              /* whose command it is (a product, a plugin), hashed; 0 = nobody's. One of them can't fill the queue */
    int64_t queued_ns;           /* set by writer_submit */
    struct writer_command *next; /* internal */
    struct err err;              /* internal */
    int rc;                      /* internal */
};

/* What lives in memory beside the store and must follow its transactions (ledger, catalogue). All on the writer thread; any may be NULL. */
struct writer_hooks {
    void *ctx;
    void (*savepoint)(void *ctx);
    void (*rollback_to)(void *ctx); /* undo to the savepoint */
    void (*release)(void *ctx);
    int (*before_commit)(void *ctx, struct err *err); /* write what was held back (hot accounts) */
    void (*committed)(void *ctx);                     /* publish: catalogue, exhausted accounts */
    void (*aborted)(void *ctx);                       /* forget everything since the last commit */
};
enum { WRITER_HOOKS_MAX = 8 };

struct writer_options {
    struct store *store;
    size_t queue_max; /* 0 = 4,096 */
    size_t batch_max; /* 0 = 256 */
    const struct clock *clock;
    /* On the writer thread: once before the first command and once after the last (open and close a Lua state). May be NULL. */
    int (*thread_begin)(void *ctx, struct err *err);
    void (*thread_end)(void *ctx);
    void *thread_ctx;
    int64_t checkpoint_pages; /* checkpoint in a gap when the log has this many pages, four times as many when there is none; 0 = 1,000 and
                                 16,000 */
};

struct writer;
int writer_open(const struct writer_options *o, struct writer **out, struct err *err);
void writer_add_hooks(struct writer *w,
                      const struct writer_hooks *h); /* before writer_start(); called in the order added, undone in reverse */
int writer_start(struct writer *w, struct err *err); /* starts the thread; returns after thread_begin succeeded or failed */
/* Any thread. ERR_BUSY at once when the queue is full, a quarter of it is of this share, or the writer is stopping (reason "queue_full",
 * "share_full", "stopping"). */
int writer_submit(struct writer *w, struct writer_command *cmd, struct err *err);
size_t writer_depth(struct writer *w); /* commands that wait; any thread */
void writer_stop(struct writer *w);    /* finishes what is queued, joins the thread */
void writer_free(struct writer *w);

/* Inside a command, which has deleted what nobody may find any more: the log is rid of it as soon as all of it is in the file and a later
 * commit finds no reader in the way. Until then writer_forgets(); somebody should commit something now and then. */
void writer_forget(struct writer *w);
bool writer_forgets(const struct writer *w); /* inside a command */

/* What follows the store (follow.h) takes the log from here. */
struct tap;
struct tap *writer_tap(struct writer *w);

/* The simulator's way: no thread; runs one batch of what is queued and returns how many commands it answered. */
int writer_step(struct writer *w);

struct writer_stats {
    uint64_t commands, commits, rolled_back, retried_alone, refused_full, refused_share, queue_depth, queue_max;
    uint64_t commit_ns_p50, commit_ns_p99, wait_ns_p50, wait_ns_p99; /* over the last 1,024 */
    uint64_t wal_pages;
};
void writer_stats(struct writer *w, struct writer_stats *out); /* any thread */
