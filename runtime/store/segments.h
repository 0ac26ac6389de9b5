/* store/segments.h - the form of what a follower writes. Between the files of store/ only.
 *
 *   DIR/feira-follow                       whose folder it is
 *   DIR/20261122T194300.120Z/              a chain: commits without a gap, numbered from 1; named by when it began
 *     snapshot-NUMBER-MS.db                the store as of that commit (a database by itself); 0 = as the chain began
 *     snapshot-NUMBER-MS.db.sum            its hash, written first
 *     log-NUMBER.seg                       commits from NUMBER on
 *
 * A segment is SEGMENT_HEAD bytes, which end with the hash of the record before, then records, each followed by its hash: SHA-256 of the
 * hash before and the record, which lie in one piece. So a record that was changed, left out or torn shows, and so does a segment that is
 * missing. A torn record at the end of a segment is what a crash leaves; the next segment begins with the same commit. Integers are
 * big-endian. */
#pragma once
#include "store/tap.h"

enum {
    HASH_BYTES = 32,
    RECORD_HEAD = 64,
    SEGMENT_HEAD = 64 + HASH_BYTES,
    FRAME_HEAD = 24, /* of SQLite's log: page number, pages of the database after a commit (else 0), salts, sums */
    CHAIN_NAME = 24,
    SEGMENT_PATH = 4096,
};

typedef void (*sha256_fn)(struct slice data, unsigned char out[HASH_BYTES]);

struct record {
    uint64_t number;
    int64_t ms;     /* when it was committed */
    uint32_t pages; /* of the database after it */
    uint32_t frames, page_size;
    struct tap_place end;
};
static inline uint64_t record_body(const struct record *r)
{
    return (uint64_t)r->frames * (FRAME_HEAD + r->page_size);
}
void record_write_head(const struct record *r, char out[RECORD_HEAD]);
bool record_read_head(const char *in, struct record *r); /* false: it is none */

uint32_t big32(const void *p);
uint64_t big64(const void *p);
void put_big32(void *p, uint32_t v);
void put_big64(void *p, uint64_t v);

void segment_write_head(uint64_t first, const struct tap_place *begins, const unsigned char before[HASH_BYTES], char out[SEGMENT_HEAD]);

/* --- reading a segment --------------------------------------------------------------------------------------------------- */
struct segment_reader {
    int fd;
    sha256_fn sha256;
    uint64_t first;
    struct tap_place begins;        /* where the record before its first one ends */
    unsigned char hash[HASH_BYTES]; /* after the last whole record; at the start, of the one before */
    int64_t offset, size;           /* where the next record begins */
    struct buf piece;               /* [hash before][record][its hash] */
    struct record record;
    const char *frames; /* record.frames of them, until the next call */
};
int segment_open(const char *path, sha256_fn sha256, struct segment_reader *r, struct err *err); /* ERR_CORRUPT: not a segment */
/* 1: a whole record; 0: the end; ERR_CORRUPT: it is torn or changed, at r->offset; else the disk's error. */
int segment_next(struct segment_reader *r, struct err *err);
void segment_close(struct segment_reader *r);
/* After ERR_CORRUPT: whether this may be a record that was not written to its end, and nothing else. */
bool segment_is_torn(struct segment_reader *r);
/* Looks through what lies behind for records that can still be told; the last of them. False: none. */
bool segment_find_last(struct segment_reader *r, struct record *last);

int write_whole(int fd, const char *data, size_t len, int64_t offset); /* -1 and errno */
/* Of all that `from` has, written to `to` on the way (-1: nowhere). */
int snapshot_hash(int from, int to, sha256_fn sha256, unsigned char out[HASH_BYTES], struct err *err);

/* --- what is in a folder -------------------------------------------------------------------------------------------------- */
struct snapshot_name {
    uint64_t number;
    int64_t ms;
};
struct chain { /* one folder */
    char name[CHAIN_NAME + 1];
    struct snapshot_name *snapshots; /* by number */
    size_t nsnapshots;
    uint64_t *segments; /* first commits, ascending */
    size_t nsegments;
};
struct chains {
    struct chain *list; /* the oldest first */
    size_t count;
};
int chains_read(const char *dir, struct chains *out, struct err *err);
void chains_free(struct chains *c);
void chain_name(int64_t ms, char out[CHAIN_NAME + 1]);
bool chain_path(char out[SEGMENT_PATH], const char *dir, const char *chain); /* false: too long */
bool snapshot_path(char out[SEGMENT_PATH], const char *dir, const char *chain, const struct snapshot_name *s);
bool segment_path(char out[SEGMENT_PATH], const char *dir, const char *chain, uint64_t first);
