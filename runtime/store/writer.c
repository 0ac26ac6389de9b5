/* The writer: a queue, a thread, and what happens to a batch.
 *
 *   take batch -> BEGIN -> for each: run -> before_commit -> COMMIT -> committed -> answers
 *                   |             |                |            |
 *                   |             |                +-- failed --+--> ROLLBACK, aborted, each command alone
 *                   |             +-- the transaction is gone: the same
 *                   |             +-- failed after it wrote: ROLLBACK, aborted, all again with a savepoint for each
 *                   +-- can't begin: all are answered with the error
 */
#include "store/writer.h"
#include "store/store_int.h"
#include "store/tap.h"
#include "base/clock.h"
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    QUEUE_MAX = 4096,
    BATCH_MAX = 256,
    /* In a gap between batches whoever comes next waits for the checkpoint: few pages, so that it is short. While there is no gap, many, of
     * which those that changed again and again are moved once. */
    CHECKPOINT_PAGES = 1000,
    CHECKPOINT_URGENT_PAGES = 16000,
    CHECKPOINT_URGENT = 4, /* of a number that was given */
    SAMPLES = 1024,
    GUARDED_BATCHES = 32,
    SHARES = 1024,
    SHARE_PART = 4
};

struct samples {
    uint64_t ns[SAMPLES];
    uint64_t count;
};

struct writer {
    struct store_conn *conn;
    const struct clock *clock;
    struct tap *tap;
    size_t queue_max, batch_max;
    int64_t checkpoint_pages, urgent_pages;
    int (*thread_begin)(void *ctx, struct err *err);
    void (*thread_end)(void *ctx);
    void *thread_ctx;
    struct writer_hooks hooks[WRITER_HOOKS_MAX];
    size_t nhooks;

    /* The queue: any thread, under lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;  /* something was queued, or stop */
    pthread_cond_t ready; /* thread_begin has returned */
    struct writer_command *head, **tail;
    size_t depth;
    bool stopping, sleeping, began;
    int begin_rc;
    struct err begin_err;
    uint64_t refused_full, refused_share, depth_max;
    uint32_t waiting[SHARES]; /* by share; two that fall together get half each, which is fair enough */

    pthread_t thread;
    bool threaded;

    /* The writer thread alone. */
    struct writer_command **batch;
    int64_t checkpointed_pages;                                    /* of the current log, how many are in the file already */
    int guarded_batches;                                           /* how many of the next ones get a savepoint for each command at once */
    int64_t last_try_pages;                                        /* length of the log at the last checkpoint */
    bool full;                                                     /* the last commit found no room */
    enum { FORGET_NOTHING, FORGET_MOVE, FORGET_RESET } forgetting; /* what the log is to be rid of; see cut_log() */
    int64_t forget_pages;                                          /* length of the log when all of it had been moved */

    pthread_mutex_t stats_lock;
    struct writer_stats stats;
    struct samples commit, wait;
};

/* --- hooks: called in the order added, undone in reverse ---------------------------------------------------------- */

static void hooks_savepoint(struct writer *w)
{
    for (size_t i = 0; i < w->nhooks; i++) {
        if (w->hooks[i].savepoint)
            w->hooks[i].savepoint(w->hooks[i].ctx);
    }
}

static void hooks_release(struct writer *w)
{
    for (size_t i = 0; i < w->nhooks; i++) {
        if (w->hooks[i].release)
            w->hooks[i].release(w->hooks[i].ctx);
    }
}

static void hooks_rollback_to(struct writer *w)
{
    for (size_t i = w->nhooks; i-- > 0;) {
        if (w->hooks[i].rollback_to)
            w->hooks[i].rollback_to(w->hooks[i].ctx);
    }
}

static int hooks_before_commit(struct writer *w, struct err *err)
{
    for (size_t i = 0; i < w->nhooks; i++) {
        int rc = w->hooks[i].before_commit ? w->hooks[i].before_commit(w->hooks[i].ctx, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void hooks_committed(struct writer *w)
{
    for (size_t i = 0; i < w->nhooks; i++) {
        if (w->hooks[i].committed)
            w->hooks[i].committed(w->hooks[i].ctx);
    }
}

static void hooks_aborted(struct writer *w)
{
    for (size_t i = w->nhooks; i-- > 0;) {
        if (w->hooks[i].aborted)
            w->hooks[i].aborted(w->hooks[i].ctx);
    }
}

/* --- one batch ----------------------------------------------------------------------------------------------------- */

static void sample(struct samples *s, int64_t ns)
{
    s->ns[s->count++ % SAMPLES] = ns > 0 ? (uint64_t)ns : 0;
}

static int abandon(struct writer *w, int rc)
{
    w->full = w->full || rc == ERR_FULL;
    store_rollback(w->conn);
    hooks_aborted(w);
    return rc;
}

static int commit(struct writer *w, struct err *err)
{
    uint64_t written = w->conn->written;
    int rc = hooks_before_commit(w, err);
    /* A hook that swallowed an error must not commit half of what the commands did. */
    if (rc == 0 && !store_in_transaction(w->conn))
        rc = err_reason(err, ERR_IO, "transaction_lost",
                        "The store gave up the transaction before it was committed; try the request again.");
    int64_t start = clock_mono_ns(w->clock);
    if (rc == 0) {
        tap_commit_begin(w->tap);
        rc = store_commit(w->conn, err);
        tap_commit_end(w->tap, rc == 0 && w->conn->written != written);
    }
    if (rc < 0)
        return abandon(w, rc);
    if (w->conn->written != written) { /* commands that only read pay no fsync and are no commit */
        int64_t took = clock_mono_ns(w->clock) - start;
        pthread_mutex_lock(&w->stats_lock);
        w->stats.commits++;
        w->stats.wal_pages = (uint64_t)w->conn->wal_pages;
        sample(&w->commit, took);
        pthread_mutex_unlock(&w->stats_lock);
    }
    hooks_committed(w);
    return 0;
}

enum ran { RAN_WELL, RAN_UNDOABLE /* it failed, and what it wrote is still there */ };

/* Runs a command; its own answer is in cmd->rc. Negative only when the whole transaction can't go on. A savepoint costs a
 * copy of every page the command touches, a third of the time of a small one; without `guarded` there is none, and a command
 * that failed after it wrote something is reported instead of undone. */
static int run_one(struct writer *w, struct writer_command *cmd, bool guarded, struct err *err)
{
    int rc = guarded ? store_savepoint(w->conn, err) : 0;
    if (rc < 0)
        return rc;
    hooks_savepoint(w);
    err_clear(&cmd->err);
    w->conn->touched = false;
    cmd->rc = cmd->run(cmd, w->conn, &cmd->err);
    if (!store_in_transaction(w->conn))
        return cmd->rc < 0 ? cmd->rc
                           : err_reason(err, ERR_IO, "transaction_lost", "The store gave up the transaction; try the request again.");
    if (cmd->rc < 0) {
        hooks_rollback_to(w);
        if (!guarded)
            return w->conn->touched ? RAN_UNDOABLE : RAN_WELL;
        return store_rollback_to(w->conn, err);
    }
    hooks_release(w);
    return guarded ? store_release(w->conn, err) : 0;
}

/* A batch of one, or one of a batch that failed: its own transaction, so that its error is its own. */
static void run_alone(struct writer *w, struct writer_command *cmd)
{
    struct err err;
    err_clear(&err);
    int rc = store_begin(w->conn, &err);
    if (rc < 0) {
        cmd->rc = rc;
        cmd->err = err;
        return;
    }
    rc = run_one(w, cmd, false, &err); /* the transaction is its savepoint */
    if (rc >= 0 && cmd->rc < 0) {
        abandon(w, cmd->rc);
        return;
    }
    if (rc == 0)
        rc = commit(w, &err);
    else
        abandon(w, rc);
    if (rc < 0 && cmd->rc >= 0) {
        cmd->rc = rc;
        cmd->err = err;
    }
}

static void answer_all_with(struct writer *w, size_t n, int rc, const struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        w->batch[i]->rc = rc;
        w->batch[i]->err = *err;
    }
}

/* 0 when every command has its answer; RAN_UNDOABLE or negative when nothing of the batch remains. */
static int run_together(struct writer *w, size_t n, bool guarded, struct err *err)
{
    size_t good = 0;
    int rc = store_begin(w->conn, err);
    if (rc < 0) {
        answer_all_with(w, n, rc, err); /* alone each would wait as long for the same refusal */
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        rc = run_one(w, w->batch[i], guarded, err);
        if (rc != 0)
            return abandon(w, rc);
        good += w->batch[i]->rc >= 0;
    }
    if (good == 0) {
        abandon(w, 0); /* else pages that savepoints touched would be written, and an fsync paid, for nothing */
        return 0;
    }
    return commit(w, err);
}

static void run_batch(struct writer *w, size_t n)
{
    struct err err;
    err_clear(&err);
    if (n == 1) {
        run_alone(w, w->batch[0]);
        return;
    }
    bool guarded = w->guarded_batches > 0;
    w->guarded_batches -= guarded;
    int rc = run_together(w, n, guarded, &err);
    if (rc == RAN_UNDOABLE) {
        /* Most refusals come before the first write. Where one does not, others like it are on their way. */
        w->guarded_batches = GUARDED_BATCHES;
        rc = run_together(w, n, true, &err);
    }
    if (rc == 0)
        return;
    for (size_t i = 0; i < n; i++)
        run_alone(w, w->batch[i]);
    pthread_mutex_lock(&w->stats_lock);
    w->stats.retried_alone += n;
    pthread_mutex_unlock(&w->stats_lock);
}

static void answer(struct writer *w, size_t n)
{
    uint64_t failed = 0;
    for (size_t i = 0; i < n; i++)
        failed += w->batch[i]->rc < 0;
    pthread_mutex_lock(&w->stats_lock);
    w->stats.commands += n;
    w->stats.rolled_back += failed;
    pthread_mutex_unlock(&w->stats_lock);
    for (size_t i = 0; i < n; i++) {
        struct writer_command *cmd = w->batch[i];
        cmd->done(cmd, cmd->rc, &cmd->err); /* cmd may be gone after this */
    }
}

/* --- the queue ------------------------------------------------------------------------------------------------------ */

static size_t take_batch_locked(struct writer *w)
{
    size_t n = 0;
    while (w->head && n < w->batch_max) {
        w->batch[n] = w->head;
        if (w->head->share)
            w->waiting[w->head->share % SHARES]--;
        w->head = w->head->next;
        w->batch[n++]->next = NULL;
    }
    if (!w->head)
        w->tail = &w->head;
    w->depth -= n;
    return n;
}

int writer_submit(struct writer *w, struct writer_command *cmd, struct err *err)
{
    cmd->queued_ns = clock_mono_ns(w->clock);
    cmd->next = NULL;
    pthread_mutex_lock(&w->lock);
    if (w->stopping) {
        pthread_mutex_unlock(&w->lock);
        return err_reason(err, ERR_BUSY, "stopping", "The shop is stopping; try again in a moment.");
    }
    if (w->depth >= w->queue_max) {
        w->refused_full++;
        pthread_mutex_unlock(&w->lock);
        return err_reason(err, ERR_BUSY, "queue_full", "The shop has more to do than it can; try again in a moment.");
    }
    uint32_t *waiting = cmd->share ? &w->waiting[cmd->share % SHARES] : NULL;
    if (waiting && *waiting >= (w->queue_max + SHARE_PART - 1) / SHARE_PART) {
        w->refused_share++;
        pthread_mutex_unlock(&w->lock);
        return err_reason(err, ERR_BUSY, "share_full", "Very many ask for the same thing; try again in a moment.");
    }
    if (waiting)
        ++*waiting;
    *w->tail = cmd;
    w->tail = &cmd->next;
    if (++w->depth > w->depth_max)
        w->depth_max = w->depth;
    bool sleeping = w->sleeping;
    pthread_mutex_unlock(&w->lock);
    if (sleeping)
        pthread_cond_signal(&w->wake);
    return 0;
}

size_t writer_depth(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    size_t depth = w->depth;
    pthread_mutex_unlock(&w->lock);
    return depth;
}

static void note_waits(struct writer *w, size_t n)
{
    int64_t now = clock_mono_ns(w->clock);
    pthread_mutex_lock(&w->stats_lock);
    for (size_t i = 0; i < n; i++)
        sample(&w->wait, now - w->batch[i]->queued_ns);
    pthread_mutex_unlock(&w->stats_lock);
}

static void do_batch(struct writer *w, size_t n)
{
    note_waits(w, n);
    run_batch(w, n);
    answer(w, n);
}

/* The disk is full: what the log has is moved into the file, which mostly has room for it, and the log begins anew in its place. It is not
 * kept for a follower then: the shop goes first. */
static void make_room(struct writer *w)
{
    int left = 0;
    struct err err;
    w->full = false;
    if (!tap_may_checkpoint(w->tap))
        tap_let_go(w->tap);
    if (store_checkpoint(w->conn, &left, &err) == 0)
        w->checkpointed_pages = w->last_try_pages = w->conn->wal_pages - left;
}

/* What was deleted is still in the log, until that begins anew: all of it is moved into the file, and the next commit that finds no reader
 * in the way starts at the front and cuts off the rest. */
static void cut_log(struct writer *w)
{
    int64_t pages = w->conn->wal_pages;
    int left = 0;
    struct err err;
    if (w->forgetting == FORGET_RESET && pages < w->forget_pages) {
        store_cut_log(w->conn, false);
        w->checkpointed_pages = w->last_try_pages = 0;
        w->forgetting = FORGET_NOTHING;
        return;
    }
    if (!tap_may_checkpoint(w->tap) || store_checkpoint(w->conn, &left, &err) < 0 || left > 0)
        return;
    store_cut_log(w->conn, true);
    w->checkpointed_pages = w->last_try_pages = w->forget_pages = pages;
    w->forgetting = FORGET_RESET;
}

void writer_forget(struct writer *w)
{
    w->forgetting = w->conn->store->memory ? FORGET_NOTHING : FORGET_MOVE;
}

bool writer_forgets(const struct writer *w)
{
    return w->forgetting != FORGET_NOTHING;
}

/* Moves the log into the file while nobody waits, or when the log has become large. A page that a reader pins stays, and
 * is tried again only when the log has grown. */
static void maybe_checkpoint(struct writer *w, bool idle)
{
    int64_t pages = w->conn->wal_pages;
    if (w->full) {
        make_room(w);
        return;
    }
    if (w->forgetting) {
        cut_log(w);
        return;
    }
    if (pages < w->last_try_pages)
        w->checkpointed_pages = w->last_try_pages = 0; /* the log has started from its beginning */
    int64_t due = idle ? w->checkpoint_pages : w->urgent_pages;
    if (pages - w->checkpointed_pages < due || pages - w->last_try_pages < w->checkpoint_pages / 4)
        return;
    if (!tap_may_checkpoint(w->tap))
        return;
    int left = 0;
    struct err err;
    w->last_try_pages = pages;
    /* A failure costs nothing: the log still has the pages, and what is wrong with the disk shows at the next commit. */
    if (store_checkpoint(w->conn, &left, &err) == 0)
        w->checkpointed_pages = pages - left;
}

static void *writer_main(void *arg)
{
    struct writer *w = arg;
    int rc = w->thread_begin ? w->thread_begin(w->thread_ctx, &w->begin_err) : 0;
    pthread_mutex_lock(&w->lock);
    w->begin_rc = rc;
    w->began = true;
    pthread_cond_signal(&w->ready);
    while (rc == 0) {
        while (!w->head && !w->stopping) {
            w->sleeping = true;
            pthread_cond_wait(&w->wake, &w->lock);
        }
        w->sleeping = false;
        size_t n = take_batch_locked(w);
        if (n == 0)
            break; /* stopping, and the queue is empty */
        pthread_mutex_unlock(&w->lock);
        do_batch(w, n);
        pthread_mutex_lock(&w->lock);
        bool idle = !w->head;
        pthread_mutex_unlock(&w->lock);
        maybe_checkpoint(w, idle);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    if (rc == 0 && w->thread_end)
        w->thread_end(w->thread_ctx);
    return NULL;
}

static int step_begin(struct writer *w)
{
    if (!w->began) {
        w->began = true;
        w->begin_rc = w->thread_begin ? w->thread_begin(w->thread_ctx, &w->begin_err) : 0;
    }
    return w->begin_rc;
}

int writer_step(struct writer *w)
{
    assert(!w->threaded);
    pthread_mutex_lock(&w->lock);
    size_t n = take_batch_locked(w);
    bool idle = !w->head;
    pthread_mutex_unlock(&w->lock);
    if (n == 0)
        return 0;
    if (step_begin(w) < 0) {
        answer_all_with(w, n, w->begin_rc, &w->begin_err);
        answer(w, n);
        return (int)n;
    }
    do_batch(w, n);
    maybe_checkpoint(w, idle);
    return (int)n;
}

/* --- life ------------------------------------------------------------------------------------------------------------ */

int writer_open(const struct writer_options *o, struct writer **out, struct err *err)
{
    *out = NULL;
    struct writer *w = calloc(1, sizeof *w);
    size_t batch_max = o->batch_max ? o->batch_max : BATCH_MAX;
    const struct clock *clock = o->clock ? o->clock : clock_system();
    if (w)
        w->batch = calloc(batch_max, sizeof *w->batch);
    if (!w || !w->batch || tap_open(o->store, clock, &w->tap, NULL) < 0) {
        if (w)
            free(w->batch);
        free(w);
        return err_set(err, ERR_NOMEM, "Out of memory while opening the writer; try again later.");
    }
    w->conn = store_writer_conn(o->store);
    assert(w->conn); /* a read-only store has no writer */
    w->clock = clock;
    w->queue_max = o->queue_max ? o->queue_max : QUEUE_MAX;
    w->batch_max = batch_max;
    w->checkpoint_pages = o->checkpoint_pages ? o->checkpoint_pages : CHECKPOINT_PAGES;
    w->urgent_pages = o->checkpoint_pages ? CHECKPOINT_URGENT * o->checkpoint_pages : CHECKPOINT_URGENT_PAGES;
    w->thread_begin = o->thread_begin;
    w->thread_end = o->thread_end;
    w->thread_ctx = o->thread_ctx;
    w->tail = &w->head;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    pthread_cond_init(&w->ready, NULL);
    pthread_mutex_init(&w->stats_lock, NULL);
    *out = w;
    return 0;
}

void writer_add_hooks(struct writer *w, const struct writer_hooks *h)
{
    assert(w->nhooks < WRITER_HOOKS_MAX && !w->threaded);
    w->hooks[w->nhooks++] = *h;
}

int writer_start(struct writer *w, struct err *err)
{
    assert(!w->threaded && !w->began);
    int rc = pthread_create(&w->thread, NULL, writer_main, w);
    if (rc != 0)
        return err_set(err, ERR_NOMEM, "The writer's thread can't be started (%s); raise the limit on threads or free some memory.",
                       strerror(rc));
    w->threaded = true;
    pthread_mutex_lock(&w->lock);
    while (!w->began)
        pthread_cond_wait(&w->ready, &w->lock);
    rc = w->begin_rc;
    w->stopping = rc < 0;
    pthread_mutex_unlock(&w->lock);
    if (rc == 0)
        return 0;
    pthread_join(w->thread, NULL);
    w->threaded = false;
    if (err)
        *err = w->begin_err;
    return rc;
}

struct tap *writer_tap(struct writer *w)
{
    return w->tap;
}

void writer_stop(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_mutex_unlock(&w->lock);
    if (!w->threaded) {
        while (writer_step(w) > 0)
            continue;
        return;
    }
    pthread_cond_signal(&w->wake);
    pthread_join(w->thread, NULL);
    w->threaded = false;
    w->began = false;
}

void writer_free(struct writer *w)
{
    if (!w)
        return;
    if (w->threaded)
        writer_stop(w);
    else if (w->began && w->begin_rc == 0 && w->thread_end)
        w->thread_end(w->thread_ctx);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    pthread_cond_destroy(&w->ready);
    pthread_mutex_destroy(&w->stats_lock);
    tap_close(w->tap);
    free(w->batch);
    free(w);
}

/* --- figures ---------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void percentiles(struct samples *s, uint64_t *p50, uint64_t *p99)
{
    size_t n = s->count < SAMPLES ? (size_t)s->count : SAMPLES;
    if (n == 0)
        return;
    qsort(s->ns, n, sizeof s->ns[0], by_size);
    *p50 = s->ns[n / 2];
    *p99 = s->ns[n * 99 / 100];
}

void writer_stats(struct writer *w, struct writer_stats *out)
{
    struct samples commits, waits;
    pthread_mutex_lock(&w->stats_lock);
    *out = w->stats;
    commits = w->commit;
    waits = w->wait;
    pthread_mutex_unlock(&w->stats_lock);
    pthread_mutex_lock(&w->lock);
    out->queue_depth = w->depth;
    out->queue_max = w->depth_max;
    out->refused_full = w->refused_full;
    out->refused_share = w->refused_share;
    pthread_mutex_unlock(&w->lock);
    percentiles(&commits, &out->commit_ns_p50, &out->commit_ns_p99);
    percentiles(&waits, &out->wait_ns_p50, &out->wait_ns_p99);
}
