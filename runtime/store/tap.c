#include "store/segments.h"
#include "store/store_int.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* The head of SQLite's write-ahead log (fileformat2, "The Write-Ahead Log"): what is needed of it. */
enum { LOG_HEAD = 32, LOG_MAGIC = 0x377f0682, AT_ONCE_BYTES = 4 << 20 };

struct notice {     /* a commit that is to be taken */
    uint32_t frame; /* its last */
    int64_t ms;
};

struct tap {
    struct store *store;
    const struct clock *clock;
    struct store_conn *conn; /* a reader, for its handle of the log; used under lock only */
    sqlite3_file *file;
    size_t taken_max;
    int64_t log_kept_pages;

    pthread_mutex_t commit_lock; /* held while a commit is on its way; before lock */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool on, woken, waiting;
    const char *broken; /* why the log can't be gone on with; NULL = it can */
    struct tap_place began, place;
    uint32_t committed; /* frames of this log that are */
    uint32_t page_size;
    bool big_words;
    struct notice *notices;
    size_t notice, nnotices, notices_cap; /* notice: the first that is not taken yet */
    uint32_t unknown;                     /* up to that frame nobody told us of the commits: they are from before a crash */
    int64_t unknown_ms;                   /* what they get */
    uint64_t number;
    int64_t last_ms;
    struct buf taken;
    int64_t taken_oldest_ms;
};

/* --- the log -------------------------------------------------------------------------------------------------------------- */

struct log_head {
    uint32_t page_size, salt[2], sum[2];
    bool big_words;
};

static void add_sums(bool big_words, const void *data, size_t len, uint32_t sum[2])
{
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i += 8) {
        uint32_t x[2];
        if (big_words) {
            x[0] = big32(p + i);
            x[1] = big32(p + i + 4);
        } else {
            x[0] = (uint32_t)p[i] | (uint32_t)p[i + 1] << 8 | (uint32_t)p[i + 2] << 16 | (uint32_t)p[i + 3] << 24;
            x[1] = (uint32_t)p[i + 4] | (uint32_t)p[i + 5] << 8 | (uint32_t)p[i + 6] << 16 | (uint32_t)p[i + 7] << 24;
        }
        sum[0] += x[0] + sum[1];
        sum[1] += x[1] + sum[0];
    }
}

static int64_t frame_offset(const struct tap *t, uint32_t frame) /* from 1 */
{
    return LOG_HEAD + (int64_t)(frame - 1) * (FRAME_HEAD + t->page_size);
}

static bool read_at(struct tap *t, void *out, int len, int64_t offset)
{
    return t->file && t->file->pMethods && t->file->pMethods->xRead(t->file, out, len, offset) == SQLITE_OK;
}

/* False: there is no log, or none that has begun. */
static bool read_head(struct tap *t, struct log_head *h)
{
    unsigned char b[LOG_HEAD];
    uint32_t sum[2] = { 0, 0 };
    if (!read_at(t, b, sizeof b, 0) || (big32(b) & ~1U) != LOG_MAGIC)
        return false;
    h->big_words = big32(b) & 1U;
    h->page_size = big32(b + 8);
    h->salt[0] = big32(b + 16);
    h->salt[1] = big32(b + 20);
    h->sum[0] = big32(b + 24);
    h->sum[1] = big32(b + 28);
    add_sums(h->big_words, b, 24, sum);
    return sum[0] == h->sum[0] && sum[1] == h->sum[1] && h->page_size >= 512 && h->page_size <= 65536;
}

static bool same_log(const struct tap_place *p, const struct log_head *h)
{
    return p->salt[0] == h->salt[0] && p->salt[1] == h->salt[1];
}

static void begin_log(struct tap *t, const struct log_head *h)
{
    t->place = (struct tap_place){ .salt = { h->salt[0], h->salt[1] }, .sum = { h->sum[0], h->sum[1] } };
    t->page_size = h->page_size;
    t->big_words = h->big_words;
    t->committed = 0;
}

/* The frame behind `at`, read into `out` (head and page) and held against the sums; false: it is not one of this log. */
static bool read_frame(struct tap *t, struct tap_place *at, unsigned char *out)
{
    uint32_t sum[2] = { at->sum[0], at->sum[1] };
    if (!read_at(t, out, (int)(FRAME_HEAD + t->page_size), frame_offset(t, at->frame + 1)))
        return false;
    if (big32(out + 8) != at->salt[0] || big32(out + 12) != at->salt[1])
        return false;
    add_sums(t->big_words, out, 8, sum);
    add_sums(t->big_words, out + FRAME_HEAD, t->page_size, sum);
    if (sum[0] != big32(out + 16) || sum[1] != big32(out + 20))
        return false;
    at->sum[0] = sum[0];
    at->sum[1] = sum[1];
    at->frame++;
    return true;
}

/* The end of the last whole commit, found as SQLite finds it after a crash. */
static bool find_end(struct tap *t, struct tap_place *end, struct err *err)
{
    unsigned char *frame = malloc(FRAME_HEAD + t->page_size);
    struct tap_place at = *end;
    if (!frame)
        return err_set(err, ERR_NOMEM, "Out of memory."), false;
    while (read_frame(t, &at, frame))
        if (big32(frame + 4) != 0)
            *end = at;
    free(frame);
    return true;
}

/* The place after `frame` frames of the log, by what its head says of it. */
static bool place_at(struct tap *t, uint32_t frame, struct tap_place *p)
{
    unsigned char head[FRAME_HEAD];
    if (frame == 0)
        return true; /* the beginning, which *p is */
    if (!read_at(t, head, sizeof head, frame_offset(t, frame)) || big32(head + 8) != p->salt[0] || big32(head + 12) != p->salt[1])
        return false;
    p->sum[0] = big32(head + 16);
    p->sum[1] = big32(head + 20);
    p->frame = frame;
    return true;
}

/* --- life ------------------------------------------------------------------------------------------------------------------- */

int tap_open(struct store *s, const struct clock *clock, struct tap **out, struct err *err)
{
    struct tap *t = *out = calloc(1, sizeof *t);
    pthread_condattr_t attr;
    if (!t)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    t->store = s;
    t->clock = clock;
    t->taken_max = TAP_TAKEN_MAX;
    t->log_kept_pages = TAP_LOG_KEPT_PAGES;
    buf_init(&t->taken, NULL);
    pthread_mutex_init(&t->commit_lock, NULL);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    return 0;
}

static void forget(struct tap *t)
{
    t->on = false;
    t->broken = NULL;
    t->notice = t->nnotices = 0;
    t->committed = 0;
    t->taken_oldest_ms = 0;
    buf_clear(&t->taken);
    t->place = (struct tap_place){ 0 };
}

void tap_close(struct tap *t)
{
    if (!t)
        return;
    store_conn_close(t->conn);
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    pthread_mutex_destroy(&t->commit_lock);
    buf_release(&t->taken);
    free(t->notices);
    free(t);
}

void tap_set_bounds(struct tap *t, size_t taken_max, int64_t log_kept_pages)
{
    t->taken_max = taken_max;
    t->log_kept_pages = log_kept_pages;
}

/* A reader's handle of the log: it is opened with the first thing that is read. */
static int open_file(struct tap *t, struct err *err)
{
    int64_t tables;
    if (t->conn)
        return 0;
    int rc = store_conn_open(t->store, false, &t->conn, err);
    if (rc == 0 && t->conn->borrowed)
        rc = err_set(err, ERR_STATE, "A store in memory has no log to follow.");
    if (rc == 0)
        rc = store_pragma_int(t->conn, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (rc == 0 && sqlite3_file_control(t->conn->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &t->file) != SQLITE_OK)
        rc = err_set(err, ERR_INTERNAL, "The log of the store can't be reached; please report this.");
    if (rc < 0) {
        store_conn_close(t->conn);
        t->conn = NULL;
        t->file = NULL;
    }
    return rc;
}

/* Both locks are held. Where the log ends now: by what the writer's last commit said, or, before its first, by looking. */
static int find_now(struct tap *t, struct err *err)
{
    struct log_head head;
    struct tap_place end;
    t->place = (struct tap_place){ 0 };
    t->committed = t->unknown = 0;
    if (!read_head(t, &head))
        return 0;
    begin_log(t, &head);
    end = t->place;
    int64_t known = store_wal_pages(t->store->conn);
    bool found = known > 0 ? place_at(t, (uint32_t)known, &end) : find_end(t, &end, err);
    if (!found)
        return err_set(err, ERR_IO, "The log of the store can't be read; check the disk.");
    t->place = end;
    t->committed = t->unknown = end.frame;
    return 0;
}

static int go_back_to(struct tap *t, const struct tap_place *from, struct err *err)
{
    struct log_head head;
    struct tap_place p;
    bool known = read_head(t, &head) && same_log(from, &head) && from->frame <= t->committed;
    if (known) {
        p = (struct tap_place){ .salt = { head.salt[0], head.salt[1] }, .sum = { head.sum[0], head.sum[1] } };
        known = place_at(t, from->frame, &p) && p.sum[0] == from->sum[0] && p.sum[1] == from->sum[1];
    }
    if (!known)
        return err_set(err, ERR_NOT_FOUND, "The log has gone on since, and was reset.");
    t->place = p;
    return 0;
}

int tap_start(struct tap *t, const struct tap_place *from, uint64_t number, int64_t last_ms, int (*at_rest)(void *ctx, struct err *err),
              void *ctx, struct err *err)
{
    int rc;
    pthread_mutex_lock(&t->commit_lock);
    pthread_mutex_lock(&t->lock);
    forget(t);
    t->number = number;
    t->last_ms = last_ms;
    t->unknown_ms = clock_wall_ms(t->clock);
    rc = open_file(t, err);
    if (rc == 0)
        rc = find_now(t, err);
    if (rc == 0 && from)
        rc = go_back_to(t, from, err);
    t->on = rc == 0;
    t->began = t->place;
    pthread_mutex_unlock(&t->lock);
    if (rc == 0 && at_rest && (rc = at_rest(ctx, err)) < 0)
        tap_stop(t);
    pthread_mutex_unlock(&t->commit_lock);
    return rc;
}

struct tap_place tap_began(struct tap *t)
{
    pthread_mutex_lock(&t->lock);
    struct tap_place p = t->began;
    pthread_mutex_unlock(&t->lock);
    return p;
}

void tap_stop(struct tap *t)
{
    pthread_mutex_lock(&t->lock);
    forget(t);
    pthread_mutex_unlock(&t->lock);
}

/* --- taking ------------------------------------------------------------------------------------------------------------------ */

static int64_t time_of(struct tap *t, uint32_t frame)
{
    while (t->notice < t->nnotices && t->notices[t->notice].frame < frame)
        t->notice++;
    bool known = t->notice < t->nnotices;
    int64_t ms = frame <= t->unknown || !known ? t->unknown_ms : t->notices[t->notice].ms;
    if (known && t->notices[t->notice].frame == frame)
        t->notice++;
    if (t->notice == t->nnotices)
        t->notice = t->nnotices = 0;
    return ms > t->last_ms ? ms : t->last_ms; /* a clock that was set back must not change the order */
}

/* One commit as a record; false: it is not as it was committed, or there is no memory, and nothing was added. */
static bool take_commit(struct tap *t)
{
    size_t began = t->taken.len;
    struct tap_place at = t->place;
    struct record r = { .number = t->number + 1, .page_size = t->page_size };
    unsigned char *frame = NULL;
    if (!buf_reserve(&t->taken, RECORD_HEAD))
        goto no;
    t->taken.len += RECORD_HEAD;
    while (!frame || r.pages == 0) {
        frame = at.frame < t->committed ? (unsigned char *)buf_reserve(&t->taken, FRAME_HEAD + t->page_size) : NULL;
        if (!frame || !read_frame(t, &at, frame))
            goto no;
        t->taken.len += FRAME_HEAD + t->page_size;
        r.pages = big32(frame + 4);
        r.frames++;
    }
    if (!buf_reserve(&t->taken, HASH_BYTES))
        goto no;
    r.ms = time_of(t, at.frame);
    r.end = at;
    record_write_head(&r, t->taken.data + began);
    memset(t->taken.data + t->taken.len, 0, HASH_BYTES);
    t->taken.len += HASH_BYTES;
    t->place = at;
    t->number = r.number;
    t->last_ms = r.ms;
    if (t->taken_oldest_ms == 0)
        t->taken_oldest_ms = r.ms;
    return true;
no:
    t->taken.len = began;
    t->taken.failed = false;
    t->broken = "the log could not be read";
    return false;
}

static uint64_t untaken(const struct tap *t)
{
    return (uint64_t)(t->committed - t->place.frame) * (FRAME_HEAD + t->page_size);
}

/* lock is held. */
static void take(struct tap *t, size_t most)
{
    while (!t->broken && t->place.frame < t->committed && t->taken.len < most)
        take_commit(t);
}

int tap_take(struct tap *t, struct buf *out, size_t most, struct err *err)
{
    int rc = 0;
    pthread_mutex_lock(&t->lock);
    take(t, most < AT_ONCE_BYTES ? most : AT_ONCE_BYTES);
    if (t->taken.len) { /* also what came before it broke */
        buf_add_slice(out, buf_slice(&t->taken));
        if (out->failed)
            rc = err_set(err, ERR_NOMEM, "Out of memory.");
        buf_clear(&t->taken);
        if (t->taken.cap > 2 * (size_t)AT_ONCE_BYTES) {
            buf_release(&t->taken);
            buf_init(&t->taken, NULL);
        }
        t->taken_oldest_ms = 0;
    } else if (t->broken) {
        rc = err_set(err, ERR_STATE, "%s", t->broken);
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

int tap_at_rest(struct tap *t, int (*fn)(void *ctx, struct err *err), void *ctx, uint64_t *number, int64_t *ms, struct err *err)
{
    pthread_mutex_lock(&t->commit_lock);
    pthread_mutex_lock(&t->lock);
    bool room = t->taken.len + untaken(t) <= t->taken_max;
    if (room)
        take(t, SIZE_MAX);
    bool all = t->on && !t->broken && t->place.frame == t->committed;
    *number = t->number;
    *ms = t->last_ms;
    pthread_mutex_unlock(&t->lock);
    int rc = all ? fn(ctx, err) : err_set(err, ERR_BUSY, "There is too much that waits.");
    pthread_mutex_unlock(&t->commit_lock);
    return rc;
}

void tap_wait(struct tap *t, int64_t ms, bool whatever_waits)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&t->lock);
    t->waiting = true;
    int rc = 0;
    while (rc == 0 && !t->woken && (whatever_waits || (!t->broken && t->place.frame == t->committed && t->taken.len == 0)))
        rc = pthread_cond_timedwait(&t->wake, &t->lock, &until);
    t->waiting = t->woken = false;
    pthread_mutex_unlock(&t->lock);
}

void tap_wake(struct tap *t)
{
    pthread_mutex_lock(&t->lock);
    t->woken = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void tap_left(struct tap *t, struct tap_left *out)
{
    pthread_mutex_lock(&t->lock);
    out->bytes = t->taken.len + untaken(t);
    out->oldest_ms = t->taken_oldest_ms        ? t->taken_oldest_ms
                     : t->nnotices             ? t->notices[t->notice].ms
                     : out->bytes || t->broken ? t->unknown_ms
                                               : 0;
    pthread_mutex_unlock(&t->lock);
}

/* --- the writer ---------------------------------------------------------------------------------------------------------------- */

void tap_commit_begin(struct tap *t)
{
    pthread_mutex_lock(&t->commit_lock);
}

/* lock is held. The log is reset by the first commit after a checkpoint that moved all of it, before which all of it was taken. */
static void note_commit(struct tap *t, uint32_t frame)
{
    struct log_head head;
    if (!read_head(t, &head)) {
        t->broken = "the log could not be read";
        return;
    }
    if (!same_log(&t->place, &head)) {
        if (t->place.frame < t->committed) {
            t->broken = "the log was reset";
            return;
        }
        begin_log(t, &head);
        t->unknown = 0;
    }
    if (t->nnotices == t->notices_cap) {
        size_t cap = t->notices_cap ? 2 * t->notices_cap : 256;
        struct notice *more = realloc(t->notices, cap * sizeof *more);
        if (!more) {
            t->broken = "there was no memory";
            return;
        }
        t->notices = more;
        t->notices_cap = cap;
    }
    t->committed = frame;
    t->notices[t->nnotices++] = (struct notice){ .frame = frame, .ms = clock_wall_ms(t->clock) };
}

void tap_commit_end(struct tap *t, bool committed)
{
    pthread_mutex_lock(&t->lock);
    if (t->on && committed && !t->broken) {
        note_commit(t, (uint32_t)store_wal_pages(t->store->conn));
        if (t->waiting)
            pthread_cond_signal(&t->wake);
    }
    pthread_mutex_unlock(&t->lock);
    pthread_mutex_unlock(&t->commit_lock);
}

bool tap_may_checkpoint(struct tap *t)
{
    pthread_mutex_lock(&t->lock);
    bool may = true;
    if (t->on && !t->broken) {
        if (t->taken.len == 0 || t->taken.len + untaken(t) <= t->taken_max)
            take(t, t->taken_max);
        may = t->broken || t->place.frame == t->committed;
        if (!may && t->committed >= t->log_kept_pages) {
            t->broken = "the log became too long while nothing could be written";
            may = true;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return may;
}

void tap_let_go(struct tap *t)
{
    pthread_mutex_lock(&t->lock);
    if (t->on && !t->broken && t->place.frame < t->committed)
        t->broken = "the disk of the shop became full, and the log could not be kept";
    pthread_mutex_unlock(&t->lock);
}
