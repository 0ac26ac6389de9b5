/* The follower's thread.
 *
 *   AWAY ----the folder is there----> JOIN --the log shows where the chain ended--> SHIPPING
 *    ^                                  |                                              |
 *    |                                  +-- else: a new chain, and its snapshot -------+
 *    +----------- the folder is full, gone, another one: what was taken waits ---------+
 *
 * A snapshot is copied by a thread of its own, from a reader whose moment is that of a known commit, while shipping goes on. */
#include "store/follow.h"
#include "store/follow_folder.h"
#include "store/segments.h"
#include "store/store_int.h"
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TICK_MS = 500,        /* how often a folder that is away, and the clock, are looked at */
    COLLECT_MS = 50,      /* a segment is synced at most that often: commits of many batches go together */
    SHIP_BYTES = 8 << 20, /* at once */
    SEGMENT_BYTES = 16 << 20,
    SEGMENT_MS = 3600 * 1000,
    PRUNE_MS = 60 * 1000,
    COPY_AGAIN_MS = 10 * 1000,
};

struct follow {
    struct follow_options o;
    char dir[SEGMENT_PATH];
    char whose[128];
    struct tap *tap;
    pthread_t thread;
    _Atomic bool stopping;

    /* The thread's own. */
    int marker_fd; /* of the folder that is used; -1 = away */
    struct stat marker;
    char chain[CHAIN_NAME + 1]; /* "" = none is open */
    int64_t chain_ms;
    int segment_fd;
    int64_t segment_size, segment_ms;
    uint64_t segment_first;
    unsigned char hash[HASH_BYTES]; /* of the last record that was made */
    uint64_t number;                /* the last commit that is in the folder */
    struct tap_place place;         /* where it ends */
    struct buf batch;               /* [hash before] records: taken, and not written yet */
    bool batch_open;                /* there are records in it */
    uint64_t batch_count;
    uint64_t batch_last;
    struct tap_place batch_end;
    int64_t batch_last_ms;
    int64_t pruned_ms;
    int64_t snapshot_ms;      /* when the last one was made */
    uint64_t snapshot_number; /* of which commit */

    /* The snapshot on its way. */
    pthread_t copier;
    bool copying;
    _Atomic bool copied, copy_stop;
    int64_t copy_after_ms; /* a failed one is tried again, not before */
    struct store_conn *copy_conn;
    struct snapshot_name copy;
    int copy_rc;
    struct err copy_err;

    pthread_mutex_t lock;
    struct follow_stats stats;
    int64_t
        missing_ms; /* since when a restore would miss something for want of a snapshot or of commits that were let go; 0 = it would not */
    uint64_t batch_bytes;
    int64_t batch_since_ms;
};

/* --- what others see ------------------------------------------------------------------------------------------------------- */

static void problem(struct follow *f, const char *event, const char *text)
{
    pthread_mutex_lock(&f->lock);
    bool news = strncmp(f->stats.problem, text, sizeof f->stats.problem - 1) != 0;
    snprintf(f->stats.problem, sizeof f->stats.problem, "%s", text);
    pthread_mutex_unlock(&f->lock);
    if (news)
        log_error(f->o.log, event, text);
}

static void all_well(struct follow *f)
{
    pthread_mutex_lock(&f->lock);
    bool news = f->stats.problem[0] != '\0';
    f->stats.problem[0] = '\0';
    pthread_mutex_unlock(&f->lock);
    if (news)
        log_info(f->o.log, "follow.well", "The folder of the follower can be written again.");
}

static void missing_since(struct follow *f, int64_t ms)
{
    pthread_mutex_lock(&f->lock);
    if (ms == 0 || f->missing_ms == 0 || ms < f->missing_ms)
        f->missing_ms = ms;
    f->stats.restorable = f->missing_ms == 0;
    pthread_mutex_unlock(&f->lock);
}

void follow_stats(struct follow *f, struct follow_stats *out)
{
    struct tap_left left;
    int64_t oldest = 0, now = clock_wall_ms(f->o.clock);
    pthread_mutex_lock(&f->lock);
    tap_left(f->tap, &left);
    *out = f->stats;
    const int64_t times[] = { f->missing_ms, f->batch_since_ms, left.oldest_ms };
    out->lag_bytes = f->batch_bytes + left.bytes;
    pthread_mutex_unlock(&f->lock);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (times[i] && (oldest == 0 || times[i] < oldest))
            oldest = times[i];
    out->lag_ms = oldest == 0 ? 0 : now > oldest ? now - oldest : 1;
}

/* --- the folder -------------------------------------------------------------------------------------------------------------- */

static void close_segment(struct follow *f)
{
    if (f->segment_fd >= 0)
        close(f->segment_fd);
    f->segment_fd = -1;
}

static void go_away(struct follow *f)
{
    close_segment(f);
    if (f->marker_fd >= 0)
        close(f->marker_fd);
    f->marker_fd = -1;
}

/* Only with the marker in it: the empty folder in which a disk is mounted at other times is not taken for the disk. Locked, so that two
 * processes never write into one. */
static int come_back(struct follow *f, struct err *err)
{
    char path[SEGMENT_PATH];
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    follow_marker_path(path, f->dir);
    f->marker_fd = open(path, O_RDWR | O_CLOEXEC);
    if (f->marker_fd < 0)
        return errno == ENOENT
                   ? err_set(err, ERR_NOT_FOUND, "%.200s is not there, or is not the folder it was: is its disk mounted?", f->dir)
                   : follow_folder_error(err, path);
    int rc = follow_marker_check(f->marker_fd, f->dir, f->whose, err);
    if (rc == 0 && fcntl(f->marker_fd, F_OFD_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES))
        rc = err_set(err, ERR_LOCKED, "Another process writes into %.200s; stop it, or name another folder.", f->dir);
    if (rc == 0 && fstat(f->marker_fd, &f->marker) < 0)
        rc = follow_folder_error(err, path);
    if (rc < 0)
        go_away(f);
    return rc;
}

/* A file that was removed, or whose disk was unmounted behind us, can still be written, and nobody would find it again. */
static bool still_there(struct follow *f)
{
    char path[SEGMENT_PATH];
    struct stat st, ours;
    follow_marker_path(path, f->dir);
    if (stat(path, &st) < 0 || st.st_dev != f->marker.st_dev || st.st_ino != f->marker.st_ino)
        return false;
    if (f->segment_fd < 0)
        return true;
    return segment_path(path, f->dir, f->chain, f->segment_first) && stat(path, &st) == 0 && fstat(f->segment_fd, &ours) == 0 &&
           st.st_ino == ours.st_ino && st.st_dev == ours.st_dev;
}

/* --- segments ---------------------------------------------------------------------------------------------------------------- */

static int begin_segment(struct follow *f, struct err *err)
{
    char path[SEGMENT_PATH], folder[SEGMENT_PATH], head[SEGMENT_HEAD];
    f->segment_first = f->number + 1;
    if (!chain_path(folder, f->dir, f->chain) || !segment_path(path, f->dir, f->chain, f->segment_first))
        return err_set(err, ERR_INVALID, "The path of the folder is too long; name a shorter one.");
    /* One that is there already has no whole record, or this number would not be the next one. */
    f->segment_fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (f->segment_fd < 0)
        return follow_folder_error(err, path);
    segment_write_head(f->segment_first, &f->place, f->hash, head);
    int rc = write_whole(f->segment_fd, head, sizeof head, 0) < 0 ? follow_folder_error(err, path) : follow_folder_sync(folder, err);
    if (rc < 0) {
        close_segment(f);
        unlink(path);
    }
    f->segment_size = SEGMENT_HEAD;
    f->segment_ms = clock_wall_ms(f->o.clock);
    return rc;
}

static bool segment_is_over(const struct follow *f)
{
    return f->segment_size > SEGMENT_HEAD && (f->segment_size >= SEGMENT_BYTES || clock_wall_ms(f->o.clock) - f->segment_ms >= SEGMENT_MS);
}

/* Each record's hash is that of the hash before it and the record, which lie in one piece. */
static void hash_batch(struct follow *f)
{
    f->batch_count = 0;
    for (size_t at = HASH_BYTES; at < f->batch.len;) {
        struct record r;
        bool whole = record_read_head(f->batch.data + at, &r);
        assert(whole); /* we wrote it */
        (void)whole;
        size_t len = RECORD_HEAD + (size_t)record_body(&r);
        f->o.sha256(slice_of(f->batch.data + at - HASH_BYTES, HASH_BYTES + len), (unsigned char *)f->batch.data + at + len);
        f->batch_last = r.number;
        f->batch_end = r.end;
        f->batch_count++;
        f->batch_last_ms = r.ms;
        at += len + HASH_BYTES;
    }
}

/* lock is held. */
static void empty_batch(struct follow *f)
{
    buf_clear(&f->batch);
    if (f->batch.cap > 4 * (size_t)SHIP_BYTES) {
        buf_release(&f->batch);
        buf_init(&f->batch, NULL);
    }
    f->batch_open = false;
    f->batch_bytes = 0;
    f->batch_since_ms = 0;
}

/* Takes what the writer committed, when nothing waits to be written. Under the lock, so that what is taken is seen to wait all the time. */
static int fill_batch(struct follow *f, struct err *err)
{
    if (f->batch_open)
        return 0;
    buf_clear(&f->batch);
    buf_add(&f->batch, f->hash, HASH_BYTES);
    pthread_mutex_lock(&f->lock);
    int rc = f->batch.failed ? err_set(err, ERR_NOMEM, "Out of memory.") : tap_take(f->tap, &f->batch, SHIP_BYTES, err);
    struct record first;
    f->batch_open = rc == 0 && f->batch.len > HASH_BYTES;
    if (f->batch_open && record_read_head(f->batch.data + HASH_BYTES, &first)) {
        f->batch_bytes = f->batch.len - HASH_BYTES;
        f->batch_since_ms = first.ms;
    }
    pthread_mutex_unlock(&f->lock);
    if (f->batch_open)
        hash_batch(f);
    return rc;
}

/* Nothing of it counts before it is synced; then it is tried again from the same place. */
static int write_batch(struct follow *f, struct err *err)
{
    int rc = 0;
    if (!f->batch_open)
        return 0;
    if (f->segment_fd >= 0 && segment_is_over(f))
        close_segment(f);
    if (f->segment_fd < 0)
        rc = begin_segment(f, err);
    size_t len = f->batch.len - HASH_BYTES;
    if (rc == 0 && (write_whole(f->segment_fd, f->batch.data + HASH_BYTES, len, f->segment_size) < 0 || fdatasync(f->segment_fd) < 0)) {
        rc = follow_folder_error(err, f->dir);
        if (rc != ERR_FULL || ftruncate(f->segment_fd, f->segment_size) < 0)
            go_away(f); /* what of it is there is looked at when the folder is opened again */
    }
    if (rc < 0)
        return rc;
    f->segment_size += (int64_t)len;
    f->number = f->batch_last;
    f->place = f->batch_end;
    memcpy(f->hash, f->batch.data + f->batch.len - HASH_BYTES, HASH_BYTES);
    pthread_mutex_lock(&f->lock);
    f->stats.commits += f->batch_count;
    f->stats.bytes += len;
    f->stats.shipped_ms = f->batch_last_ms;
    empty_batch(f);
    pthread_mutex_unlock(&f->lock);
    return 0;
}

/* --- snapshots --------------------------------------------------------------------------------------------------------------- */

static bool copy_is_to_stop(void *ctx)
{
    struct follow *f = ctx;
    return f->copy_stop;
}

static int write_sum(const char *file, const char *path, sha256_fn sha256, struct err *err)
{
    unsigned char hash[HASH_BYTES];
    char sum[SEGMENT_PATH + 8];
    int from = open(file, O_RDONLY | O_CLOEXEC);
    int rc = from < 0 ? follow_folder_error(err, file) : snapshot_hash(from, -1, sha256, hash, err);
    if (from >= 0)
        close(from);
    snprintf(sum, sizeof sum, "%s.sum", path);
    int fd = rc < 0 ? -1 : open(sum, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (rc == 0 && (fd < 0 || write_whole(fd, (char *)hash, sizeof hash, 0) < 0 || fsync(fd) < 0))
        rc = follow_folder_error(err, sum);
    if (fd >= 0)
        close(fd);
    return rc;
}

static void *copier(void *arg)
{
    struct follow *f = arg;
    char path[SEGMENT_PATH], part[SEGMENT_PATH + 8];
    struct store_copy how = { .migrations = f->o.migrations, .also = f->o.also, .stop = copy_is_to_stop, .stop_ctx = f };
    snapshot_path(path, f->dir, f->chain, &f->copy);
    snprintf(part, sizeof part, "%s.part", path);
    f->copy_rc = store_copy_part(f->copy_conn, part, &how, &f->copy_err);
    if (f->copy_rc == 0)
        f->copy_rc = write_sum(part, path, f->o.sha256, &f->copy_err);
    if (f->copy_rc == 0)
        f->copy_rc = store_publish_part(part, path, &f->copy_err);
    unlink(part);
    f->copied = true;
    tap_wake(f->tap);
    return NULL;
}

/* The moment of a reader is that of its first look. */
static int begin_reading(void *ctx, struct err *err)
{
    struct follow *f = ctx;
    int64_t tables;
    int rc = store_begin(f->copy_conn, err);
    return rc < 0 ? rc : store_pragma_int(f->copy_conn, "SELECT count(*) FROM sqlite_schema", &tables, err);
}

static void drop_copy(struct follow *f)
{
    if (f->copying) {
        f->copy_stop = true;
        pthread_join(f->copier, NULL);
    }
    f->copying = f->copied = f->copy_stop = false;
    if (f->copy_conn)
        store_rollback(f->copy_conn);
    store_reader_close(f->copy_conn);
    f->copy_conn = NULL;
}

static int start_copier(struct follow *f, struct err *err)
{
    f->copied = f->copy_stop = false;
    f->copying = pthread_create(&f->copier, NULL, copier, f) == 0;
    return f->copying ? 0 : err_set(err, ERR_NOMEM, "The system gives no thread for a snapshot.");
}

static void copy_failed(struct follow *f, const char *why)
{
    char text[256];
    f->copy_after_ms = clock_wall_ms(f->o.clock) + COPY_AGAIN_MS;
    snprintf(text, sizeof text, "No snapshot can be written (%.190s); it is tried again.", why);
    pthread_mutex_lock(&f->lock);
    snprintf(f->stats.snapshot_problem, sizeof f->stats.snapshot_problem, "%s", text);
    pthread_mutex_unlock(&f->lock);
    log_warn(f->o.log, "follow.snapshot_failed", text);
}

static void begin_copy(struct follow *f)
{
    struct err err = { 0 };
    int rc = store_reader_open(f->o.store, &f->copy_conn, &err);
    if (rc == 0)
        rc = tap_at_rest(f->tap, begin_reading, f, &f->copy.number, &f->copy.ms, &err);
    if (rc == 0)
        rc = start_copier(f, &err);
    if (rc == 0)
        return;
    drop_copy(f);
    if (rc != ERR_BUSY)
        copy_failed(f, err.text);
}

static void end_copy(struct follow *f)
{
    int rc = f->copy_rc;
    pthread_join(f->copier, NULL);
    f->copying = false;
    drop_copy(f);
    if (rc < 0) {
        copy_failed(f, f->copy_err.text);
        return;
    }
    f->snapshot_number = f->copy.number;
    f->snapshot_ms = f->copy.ms;
    pthread_mutex_lock(&f->lock);
    f->stats.snapshots++;
    f->stats.snapshot_problem[0] = '\0';
    pthread_mutex_unlock(&f->lock);
    missing_since(f, 0);
    f->pruned_ms = 0; /* it may let older ones go */
    log_info(f->o.log, "follow.snapshot", "A snapshot was written and checked.", LOG_INT("commit", (int64_t)f->copy.number));
}

static void look_after_snapshots(struct follow *f)
{
    int64_t now = clock_wall_ms(f->o.clock);
    if (f->copying && f->copied)
        end_copy(f);
    if (f->copying || now < f->copy_after_ms)
        return;
    bool first = f->snapshot_ms == 0;
    if (first || (now - f->snapshot_ms >= f->o.snapshot_ms && f->number > f->snapshot_number))
        begin_copy(f);
}

/* --- chains ------------------------------------------------------------------------------------------------------------------- */

static void leave_chain(struct follow *f)
{
    drop_copy(f);
    close_segment(f);
    pthread_mutex_lock(&f->lock);
    tap_stop(f->tap);
    empty_batch(f);
    pthread_mutex_unlock(&f->lock);
    f->chain[0] = '\0';
    f->snapshot_ms = 0;
    f->snapshot_number = f->number = 0;
}

/* The last whole record of a chain; before its first one, with the number 0, where it begins. ERR_NOT_FOUND: not even that. */
static int read_tail(struct follow *f, const struct chain *c, struct record *last, unsigned char hash[HASH_BYTES], struct err *err)
{
    for (size_t i = c->nsegments; i-- > 0;) {
        char path[SEGMENT_PATH];
        struct segment_reader r;
        segment_path(path, f->dir, c->name, c->segments[i]);
        int rc = segment_open(path, f->o.sha256, &r, err);
        if (rc == ERR_CORRUPT)
            continue; /* only begun */
        if (rc < 0)
            return rc;
        *last = (struct record){ .number = r.first - 1, .end = r.begins };
        while ((rc = segment_next(&r, err)) == 1)
            *last = r.record;
        memcpy(hash, r.hash, HASH_BYTES);
        segment_close(&r);
        if (rc < 0 && rc != ERR_CORRUPT)
            return rc;
        if (last->ms || last->number == 0)
            return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "The chain has no commit yet.");
}

/* Whether the log shows that nothing was committed behind our back since the newest chain ended; then it goes on. */
static int join_chain(struct follow *f, const struct chain *c, struct err *err)
{
    struct record last;
    unsigned char hash[HASH_BYTES];
    if (c->nsnapshots == 0)
        return err_set(err, ERR_NOT_FOUND, "The chain has no snapshot yet.");
    int rc = read_tail(f, c, &last, hash, err);
    if (rc == 0)
        rc = tap_start(f->tap, &last.end, last.number, last.ms, NULL, NULL, err);
    if (rc < 0)
        return rc;
    memcpy(f->chain, c->name, sizeof f->chain);
    memcpy(f->hash, hash, HASH_BYTES);
    f->number = last.number;
    f->place = last.end;
    f->snapshot_number = c->snapshots[c->nsnapshots - 1].number;
    f->snapshot_ms = c->snapshots[c->nsnapshots - 1].ms;
    pthread_mutex_lock(&f->lock);
    f->stats.shipped_ms = last.ms ? last.ms : f->snapshot_ms;
    pthread_mutex_unlock(&f->lock);
    missing_since(f, 0);
    log_info(f->o.log, "follow.goes_on", "The follower goes on where it was.", LOG_STR("chain", f->chain));
    return 0;
}

static int make_chain_folder(struct follow *f, const struct chains *there, struct err *err)
{
    char path[SEGMENT_PATH];
    int64_t ms = clock_wall_ms(f->o.clock);
    chain_name(ms, f->chain);
    while (there->count && strcmp(f->chain, there->list[there->count - 1].name) <= 0)
        chain_name(++ms, f->chain); /* the clock was set back, or two in a moment: the newest must sort last */
    if (!chain_path(path, f->dir, f->chain) || mkdir(path, 0700) < 0) {
        int rc = follow_folder_error(err, f->dir);
        f->chain[0] = '\0';
        return rc;
    }
    return follow_folder_sync(f->dir, err);
}

static int begin_chain(struct follow *f, const struct chains *there, struct err *err)
{
    int rc = make_chain_folder(f, there, err);
    memset(f->hash, 0, HASH_BYTES);
    f->copy = (struct snapshot_name){ .number = 0, .ms = clock_wall_ms(f->o.clock) };
    if (rc == 0)
        rc = store_reader_open(f->o.store, &f->copy_conn, err);
    if (rc == 0)
        rc = tap_start(f->tap, NULL, 0, f->copy.ms, begin_reading, f, err);
    if (rc == 0)
        rc = start_copier(f, err);
    f->place = tap_began(f->tap);
    if (rc == 0)
        rc = begin_segment(f, err);
    if (rc < 0) {
        char path[SEGMENT_PATH];
        bool made = f->chain[0] && chain_path(path, f->dir, f->chain);
        leave_chain(f);
        if (made)
            rmdir(path); /* it is tried twice a second */
        return rc;
    }
    missing_since(f, f->copy.ms);
    pthread_mutex_lock(&f->lock);
    f->stats.chains++;
    pthread_mutex_unlock(&f->lock);
    log_info(f->o.log, "follow.began", "A new chain was begun; its snapshot is being written.", LOG_STR("chain", f->chain));
    return 0;
}

/* Snapshots that were broken off when a follower died. */
static void remove_parts(struct follow *f, const char *chain)
{
    char path[SEGMENT_PATH], file[2 * SEGMENT_PATH];
    DIR *d = chain_path(path, f->dir, chain) ? opendir(path) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *part = strstr(e->d_name, ".db.part");
        if (strncmp(e->d_name, "snapshot-", 9) != 0 || !part)
            continue;
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        unlink(file);
    }
    if (d)
        closedir(d);
}

static int enter_chain(struct follow *f, struct err *err)
{
    struct chains there;
    int rc = chains_read(f->dir, &there, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < there.count; i++)
        remove_parts(f, there.list[i].name);
    rc = there.count ? join_chain(f, &there.list[there.count - 1], err) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND) {
        err_clear(err);
        rc = begin_chain(f, &there, err);
    }
    chains_free(&there);
    return rc;
}

/* After the folder was away: does it end with what we wrote last? */
static bool chain_is_as_left(struct follow *f, struct err *err)
{
    struct chains there;
    struct record last;
    unsigned char hash[HASH_BYTES];
    bool same = false;
    if (chains_read(f->dir, &there, err) < 0)
        return false;
    const struct chain *c = there.count ? &there.list[there.count - 1] : NULL;
    if (c && strcmp(c->name, f->chain) == 0) {
        int rc = read_tail(f, c, &last, hash, err);
        same = rc == 0 && last.number == f->number && memcmp(hash, f->hash, HASH_BYTES) == 0;
        same = same && (f->snapshot_ms == 0 || c->nsnapshots > 0);
    }
    chains_free(&there);
    return same;
}

/* --- what is old goes ----------------------------------------------------------------------------------------------------------- */

static void remove_snapshot(struct follow *f, const struct chain *c, const struct snapshot_name *s)
{
    char path[SEGMENT_PATH], sum[SEGMENT_PATH + 8];
    snapshot_path(path, f->dir, c->name, s);
    snprintf(sum, sizeof sum, "%s.sum", path);
    unlink(path);
    unlink(sum);
}

static void remove_segment(struct follow *f, const struct chain *c, uint64_t first)
{
    char path[SEGMENT_PATH];
    segment_path(path, f->dir, c->name, first);
    unlink(path);
}

static void remove_chain(struct follow *f, const struct chain *c)
{
    char path[SEGMENT_PATH];
    for (size_t i = 0; i < c->nsnapshots; i++)
        remove_snapshot(f, c, &c->snapshots[i]);
    for (size_t i = 0; i < c->nsegments; i++)
        remove_segment(f, c, c->segments[i]);
    chain_path(path, f->dir, c->name);
    rmdir(path);
}

/* What the oldest moment that is kept needs stays: the snapshot before it, and all from there on. */
static void prune(struct follow *f)
{
    struct chains there;
    int64_t now = clock_wall_ms(f->o.clock), horizon = now - f->o.keep_ms;
    if (now - f->pruned_ms < PRUNE_MS || chains_read(f->dir, &there, NULL) < 0)
        return;
    f->pruned_ms = now;
    size_t at = there.count;
    while (at-- > 0)
        if (there.list[at].nsnapshots && there.list[at].snapshots[0].ms <= horizon)
            break;
    for (size_t i = 0; at < there.count && i < at; i++)
        remove_chain(f, &there.list[i]);
    const struct chain *c = at < there.count ? &there.list[at] : NULL;
    size_t base = 0;
    while (c && base + 1 < c->nsnapshots && c->snapshots[base + 1].ms <= horizon)
        base++;
    for (size_t i = 0; c && i < base; i++)
        remove_snapshot(f, c, &c->snapshots[i]);
    for (size_t i = 0; c && i + 1 < c->nsegments && c->segments[i + 1] <= c->snapshots[base].number + 1; i++)
        remove_segment(f, c, c->segments[i]);
    chains_free(&there);
}

/* --- the thread ------------------------------------------------------------------------------------------------------------------ */

static int come_back_to_chain(struct follow *f, struct err *err)
{
    int rc = come_back(f, err);
    if (rc < 0 || !f->chain[0])
        return rc;
    if (chain_is_as_left(f, err))
        return 0;
    log_warn(f->o.log, "follow.changed", "The folder of the follower is not as it was left; a new chain is begun.");
    missing_since(f, f->stats.shipped_ms ? f->stats.shipped_ms : clock_wall_ms(f->o.clock));
    leave_chain(f);
    return 0;
}

static int ship(struct follow *f, struct err *err)
{
    for (;;) {
        int rc = write_batch(f, err);
        if (rc == 0)
            rc = fill_batch(f, err);
        if (rc == ERR_STATE) { /* all of the old chain is written; what came after it is not in the log any more */
            log_warn(f->o.log, "follow.gap", err->text);
            missing_since(f, f->stats.shipped_ms ? f->stats.shipped_ms : clock_wall_ms(f->o.clock));
            leave_chain(f);
            err_clear(err);
            rc = enter_chain(f, err);
            if (rc == 0)
                continue;
        }
        if (rc < 0 || !f->batch_open)
            return rc;
    }
}

static int work(struct follow *f, struct err *err)
{
    if (f->marker_fd >= 0 && !still_there(f))
        go_away(f);
    int rc = f->marker_fd < 0 ? come_back_to_chain(f, err) : 0;
    if (rc == 0 && !f->chain[0])
        rc = enter_chain(f, err);
    if (rc == 0)
        rc = ship(f, err);
    if (rc < 0)
        return rc;
    if (!f->stopping) {
        look_after_snapshots(f);
        prune(f);
    }
    return 0;
}

static void *follower(void *arg)
{
    struct follow *f = arg;
    for (bool last = false; !last;) {
        struct err err = { 0 };
        char text[256];
        last = f->stopping;
        int rc = work(f, &err);
        if (rc < 0) {
            snprintf(text, sizeof text, "Nothing is shipped (%.180s); the shop goes on.", err.text);
            problem(f, "follow.stopped", text);
        } else {
            all_well(f);
        }
        if (last)
            break;
        tap_wait(f->tap, TICK_MS, rc < 0);
        if (rc == 0 && !f->stopping)
            usleep(COLLECT_MS * 1000);
    }
    return NULL;
}

int follow_open(const struct follow_options *o, struct follow **out, struct err *err)
{
    struct follow *f = *out = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    f->o = *o;
    snprintf(f->dir, sizeof f->dir, "%s", o->dir);
    snprintf(f->whose, sizeof f->whose, "%s", o->whose);
    f->tap = writer_tap(o->writer);
    f->marker_fd = f->segment_fd = -1;
    buf_init(&f->batch, NULL);
    pthread_mutex_init(&f->lock, NULL);
    f->missing_ms = clock_wall_ms(o->clock);
    if (pthread_create(&f->thread, NULL, follower, f) == 0)
        return 0;
    pthread_mutex_destroy(&f->lock);
    free(f);
    *out = NULL;
    return err_set(err, ERR_NOMEM, "The system gives no thread for the follower; try again later.");
}

void follow_close(struct follow *f)
{
    if (!f)
        return;
    f->stopping = true;
    f->copy_stop = true;
    tap_wake(f->tap);
    pthread_join(f->thread, NULL);
    drop_copy(f);
    tap_stop(f->tap);
    go_away(f);
    buf_release(&f->batch);
    pthread_mutex_destroy(&f->lock);
    free(f);
}
