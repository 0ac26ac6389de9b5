#include "store/rebuild.h"
#include "store/segments.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct rebuild {
    const struct rebuild_options *o;
    struct rebuild_report *report;
    const struct chain *chain;
    int out;
    uint32_t page_size;
    uint64_t number; /* the last commit that is in the file */
    int64_t ms;
    bool hash_known; /* of the record before the next one */
    unsigned char hash[HASH_BYTES];
};

static void moment(int64_t ms, char out[40])
{
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    char text[32];
    gmtime_r(&s, &t);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &t);
    snprintf(out, 40, "%s.%03dZ", text, (int)(ms % 1000));
}

/* --- snapshots ------------------------------------------------------------------------------------------------------------ */

static int read_sum(const char *path, unsigned char sum[HASH_BYTES], struct err *err)
{
    char file[SEGMENT_PATH + 8];
    snprintf(file, sizeof file, "%s.sum", path);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, sum, HASH_BYTES);
    if (fd >= 0)
        close(fd);
    return n == HASH_BYTES ? 0 : err_set(err, ERR_CORRUPT, "The sum of %s is missing.", path);
}

static int copy_snapshot(struct rebuild *b, const struct snapshot_name *s, struct err *err)
{
    char path[SEGMENT_PATH];
    unsigned char hash[HASH_BYTES], sum[HASH_BYTES], size[2];
    snapshot_path(path, b->o->dir, b->chain->name, s);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? err_set(err, ERR_CORRUPT, "%s can't be read: %s.", path, strerror(errno)) : read_sum(path, sum, err);
    if (rc == 0 && ftruncate(b->out, 0) < 0)
        rc = err_set(err, ERR_IO, "%s can't be written: %s.", b->o->path, strerror(errno));
    if (rc == 0)
        rc = snapshot_hash(fd, b->out, b->o->sha256, hash, err);
    if (rc == 0 && memcmp(hash, sum, HASH_BYTES) != 0)
        rc = err_set(err, ERR_CORRUPT, "%s is not as it was written.", path);
    if (rc == 0 && pread(fd, size, 2, 16) != 2)
        rc = err_set(err, ERR_CORRUPT, "%s is no database.", path);
    if (fd >= 0)
        close(fd);
    if (rc < 0)
        return rc;
    b->page_size = (uint32_t)(size[0] << 8 | size[1]);
    if (b->page_size == 1)
        b->page_size = 65536;
    b->number = s->number;
    b->ms = s->ms;
    return 0;
}

/* The newest that is not after the moment and whole; an older one only means more commits to go through. */
static int begin_with_snapshot(struct rebuild *b, struct err *err)
{
    int rc = ERR_NOT_FOUND;
    for (size_t i = b->chain->nsnapshots; i-- > 0;) {
        const struct snapshot_name *s = &b->chain->snapshots[i];
        if (s->ms > b->o->at_ms)
            continue;
        rc = copy_snapshot(b, s, err);
        if (rc != ERR_CORRUPT)
            return rc;
    }
    return rc;
}

/* --- commits ---------------------------------------------------------------------------------------------------------------- */

static int apply(struct rebuild *b, const struct segment_reader *r, struct err *err)
{
    const struct record *c = &r->record;
    if (c->page_size != b->page_size)
        return err_set(err, ERR_CORRUPT, "The pages of a commit have another size than those of its snapshot.");
    for (uint32_t i = 0; i < c->frames; i++) {
        const char *frame = r->frames + (size_t)i * (FRAME_HEAD + c->page_size);
        uint32_t page = big32(frame);
        if (page == 0 || write_whole(b->out, frame + FRAME_HEAD, c->page_size, (int64_t)(page - 1) * c->page_size) < 0)
            return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s can't be written: %s.", b->o->path,
                           strerror(errno));
    }
    if (ftruncate(b->out, (int64_t)c->pages * c->page_size) < 0)
        return err_set(err, ERR_IO, "%s can't be written: %s.", b->o->path, strerror(errno));
    b->number = c->number;
    b->ms = c->ms;
    b->report->commits++;
    return 0;
}

/* 1 = the moment is reached; 0 = the segment is at its end. */
static int apply_segment(struct rebuild *b, struct segment_reader *r, struct err *err)
{
    int rc;
    while ((rc = segment_next(r, err)) == 1) {
        if (r->record.number <= b->number)
            continue;
        if (r->record.number != b->number + 1)
            return err_set(err, ERR_CORRUPT, "Commits are missing.");
        if (r->record.ms > b->o->at_ms)
            return 1;
        if ((rc = apply(b, r, err)) < 0)
            return rc;
    }
    return rc;
}

/* Which commits there were from here on, as far as what is left of the segments tells. */
static void say_missing(struct rebuild *b, size_t segment, struct segment_reader *damaged_one, const char *path, bool gap)
{
    struct record last = { 0 }, one;
    char from[40], to[40], until[100] = "", where[60] = "is damaged at its beginning";
    if (gap)
        snprintf(where, sizeof where, "does not go on where the segment before it ends");
    else if (damaged_one)
        snprintf(where, sizeof where, "is damaged at byte %lld", (long long)damaged_one->offset);
    bool found = damaged_one && segment_find_last(damaged_one, &last);
    for (size_t i = segment + 1; i < b->chain->nsegments; i++) {
        char next[SEGMENT_PATH];
        struct segment_reader r;
        segment_path(next, b->o->dir, b->chain->name, b->chain->segments[i]);
        if (segment_open(next, b->o->sha256, &r, NULL) < 0)
            continue;
        if (segment_find_last(&r, &one) && (!found || one.number > last.number)) {
            last = one;
            found = true;
        }
        segment_close(&r);
    }
    moment(b->ms, from);
    moment(last.ms, to);
    if (found && last.number > b->number)
        snprintf(until, sizeof until, " to %llu, the last of them of %s,", (unsigned long long)last.number, to);
    snprintf(b->report->missing, sizeof b->report->missing,
             "%.150s %s: the commits from %llu%s can't be brought back. What was before is whole: it goes until %s.", path, where,
             (unsigned long long)b->number + 1, until[0] ? until : " on", from);
}

/* The chain of hashes goes on from segment to segment; a record that was torn is there again in the next one. */
static bool goes_on(const struct rebuild *b, const struct segment_reader *r)
{
    return r->first <= b->number + 1 && (!b->hash_known || memcmp(r->hash, b->hash, HASH_BYTES) == 0);
}

static int damage(struct rebuild *b, size_t segment, struct segment_reader *r, const char *path, bool gap, struct err *err)
{
    say_missing(b, segment, r, path, gap);
    return b->o->accept_damage ? 1 : err_set(err, ERR_CORRUPT, "%s To have that: --accept-damage.", b->report->missing);
}

/* A record that was torn when the follower died is there again, whole, at the beginning of the next segment. */
static bool is_mended(struct rebuild *b, size_t segment, struct segment_reader *r)
{
    char path[SEGMENT_PATH];
    struct segment_reader next;
    if (segment + 1 == b->chain->nsegments)
        return segment_is_torn(r);
    segment_path(path, b->o->dir, b->chain->name, b->chain->segments[segment + 1]);
    if (segment_open(path, b->o->sha256, &next, NULL) < 0)
        return false;
    bool mended = goes_on(b, &next);
    segment_close(&next);
    return mended;
}

static int go_through(struct rebuild *b, struct err *err)
{
    const struct chain *c = b->chain;
    size_t i = 0;
    while (i + 1 < c->nsegments && c->segments[i + 1] <= b->number + 1)
        i++;
    for (; i < c->nsegments; i++) {
        char path[SEGMENT_PATH];
        struct segment_reader r;
        bool last = i + 1 == c->nsegments;
        segment_path(path, b->o->dir, c->name, c->segments[i]);
        int rc = segment_open(path, b->o->sha256, &r, err);
        if (rc == ERR_CORRUPT && last && r.size < SEGMENT_HEAD)
            return 0; /* it was only begun */
        if (rc < 0)
            return rc == ERR_CORRUPT ? damage(b, i, NULL, path, false, err) : rc;
        bool gap = !goes_on(b, &r);
        rc = gap ? ERR_CORRUPT : apply_segment(b, &r, err);
        b->hash_known = true;
        memcpy(b->hash, r.hash, HASH_BYTES);
        if (rc == ERR_CORRUPT && !gap && is_mended(b, i, &r))
            rc = 0;
        if (rc == ERR_CORRUPT)
            rc = damage(b, i, &r, path, gap, err);
        segment_close(&r);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return 0;
}

/* --- which chain -------------------------------------------------------------------------------------------------------------- */

/* The newest chain that has a snapshot not after the moment: what came before it was another life of the shop, or a gap. */
static const struct chain *choose(const struct chains *all, int64_t at_ms)
{
    for (size_t i = all->count; i-- > 0;)
        if (all->list[i].nsnapshots && all->list[i].snapshots[0].ms <= at_ms)
            return &all->list[i];
    return NULL;
}

static int64_t oldest(const struct chains *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->list[i].nsnapshots)
            return all->list[i].snapshots[0].ms;
    return 0;
}

static int not_so_far(const struct rebuild_options *o, int64_t oldest_ms, struct err *err)
{
    char when[40];
    moment(oldest_ms, when);
    return oldest_ms ? err_set(err, ERR_NOT_FOUND, "%s goes back to %s, not further; name a later moment.", o->dir, when)
                     : err_set(err, ERR_NOT_FOUND,
                               "There is no snapshot of a shop in %s; name the folder of: feira backup SHOP --follow DIR.", o->dir);
}

int store_rebuild(const struct rebuild_options *o, struct rebuild_report *report, struct err *err)
{
    struct chains all;
    struct rebuild b = { .o = o, .report = report };
    *report = (struct rebuild_report){ 0 };
    int rc = chains_read(o->dir, &all, err);
    if (rc < 0)
        return rc;
    report->oldest_ms = oldest(&all);
    b.chain = choose(&all, o->at_ms);
    rc = b.chain ? 0 : not_so_far(o, report->oldest_ms, err);
    if (rc == 0 && (b.out = open(o->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0)
        rc = err_set(err, errno == EEXIST ? ERR_CONFLICT : ERR_IO, "%s can't be made: %s.", o->path, strerror(errno));
    if (rc < 0) {
        chains_free(&all);
        return rc;
    }
    rc = begin_with_snapshot(&b, err);
    if (rc == 0)
        rc = go_through(&b, err);
    if (rc == 0 && fsync(b.out) < 0)
        rc = err_set(err, ERR_IO, "%s can't be written: %s.", o->path, strerror(errno));
    report->ms = b.ms;
    close(b.out);
    if (rc < 0)
        unlink(o->path);
    chains_free(&all);
    return rc;
}
