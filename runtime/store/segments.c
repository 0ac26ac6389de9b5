#include "store/segments.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAGIC_BYTES = 8, PIECE = 1 << 20 };
static const char record_magic[MAGIC_BYTES] = "FEIRAcm1", segment_magic[MAGIC_BYTES] = "FEIRAsg1";

/* --- integers ------------------------------------------------------------------------------------------------------------ */

uint32_t big32(const void *p)
{
    const unsigned char *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t big64(const void *p)
{
    return (uint64_t)big32(p) << 32 | big32((const char *)p + 4);
}

void put_big32(void *p, uint32_t v)
{
    unsigned char *b = p;
    for (int i = 0; i < 4; i++)
        b[i] = (unsigned char)(v >> (24 - 8 * i));
}

void put_big64(void *p, uint64_t v)
{
    put_big32(p, (uint32_t)(v >> 32));
    put_big32((char *)p + 4, (uint32_t)v);
}

static void write_place(const struct tap_place *p, char out[20])
{
    put_big32(out, p->salt[0]);
    put_big32(out + 4, p->salt[1]);
    put_big32(out + 8, p->frame);
    put_big32(out + 12, p->sum[0]);
    put_big32(out + 16, p->sum[1]);
}

static struct tap_place read_place(const char *in)
{
    return (struct tap_place){ .salt = { big32(in), big32(in + 4) }, .frame = big32(in + 8), .sum = { big32(in + 12), big32(in + 16) } };
}

/* --- heads ----------------------------------------------------------------------------------------------------------------- */

void record_write_head(const struct record *r, char out[RECORD_HEAD])
{
    memset(out, 0, RECORD_HEAD);
    memcpy(out, record_magic, MAGIC_BYTES);
    put_big64(out + 8, r->number);
    put_big64(out + 16, (uint64_t)r->ms);
    put_big32(out + 24, r->pages);
    put_big32(out + 28, r->frames);
    put_big32(out + 32, r->page_size);
    write_place(&r->end, out + 36);
}

bool record_read_head(const char *in, struct record *r)
{
    if (memcmp(in, record_magic, MAGIC_BYTES) != 0)
        return false;
    *r = (struct record){
        .number = big64(in + 8),
        .ms = (int64_t)big64(in + 16),
        .pages = big32(in + 24),
        .frames = big32(in + 28),
        .page_size = big32(in + 32),
        .end = { .salt = { big32(in + 36), big32(in + 40) }, .frame = big32(in + 44), .sum = { big32(in + 48), big32(in + 52) } }
    };
    return r->frames > 0 && r->pages > 0 && r->page_size >= 512 && r->page_size <= 65536 && (r->page_size & (r->page_size - 1)) == 0 &&
           r->number > 0 && r->ms >= 0;
}

void segment_write_head(uint64_t first, const struct tap_place *begins, const unsigned char before[HASH_BYTES], char out[SEGMENT_HEAD])
{
    memset(out, 0, SEGMENT_HEAD);
    memcpy(out, segment_magic, MAGIC_BYTES);
    put_big64(out + 8, first);
    write_place(begins, out + 16);
    memcpy(out + SEGMENT_HEAD - HASH_BYTES, before, HASH_BYTES);
}

/* --- reading ----------------------------------------------------------------------------------------------------------------- */

static int read_error(const char *what, struct err *err)
{
    return err_set(err, ERR_IO, "%s can't be read: %s.", what, strerror(errno));
}

/* All of it, or what there is before the end; negative: the disk. */
static ssize_t read_whole(int fd, char *out, size_t len, int64_t offset)
{
    size_t n = 0;
    while (n < len) {
        ssize_t k = pread(fd, out + n, len - n, offset + (off_t)n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        if (k == 0)
            break;
        n += (size_t)k;
    }
    return (ssize_t)n;
}

int write_whole(int fd, const char *data, size_t len, int64_t offset)
{
    for (size_t n = 0; n < len;) {
        ssize_t k = pwrite(fd, data + n, len - n, offset + (off_t)n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            errno = k == 0 ? ENOSPC : errno;
            return -1;
        }
        n += (size_t)k;
    }
    return 0;
}

int segment_open(const char *path, sha256_fn sha256, struct segment_reader *r, struct err *err)
{
    char head[SEGMENT_HEAD];
    struct stat st;
    *r = (struct segment_reader){ .fd = open(path, O_RDONLY | O_CLOEXEC), .sha256 = sha256 };
    buf_init(&r->piece, NULL);
    if (r->fd < 0 || fstat(r->fd, &st) < 0) {
        int rc = read_error(path, err);
        segment_close(r);
        return rc;
    }
    ssize_t n = read_whole(r->fd, head, sizeof head, 0);
    if (n != (ssize_t)sizeof head || memcmp(head, segment_magic, MAGIC_BYTES) != 0) {
        int rc = n < 0 ? read_error(path, err) : err_set(err, ERR_CORRUPT, "%s has lost its beginning.", path);
        segment_close(r);
        return rc;
    }
    r->first = big64(head + 8);
    r->begins = read_place(head + 16);
    memcpy(r->hash, head + SEGMENT_HEAD - HASH_BYTES, HASH_BYTES);
    r->offset = SEGMENT_HEAD;
    r->size = st.st_size;
    return 0;
}

void segment_close(struct segment_reader *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    buf_release(&r->piece);
}

static int damaged(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "A record is not as it was written.");
}

int segment_next(struct segment_reader *r, struct err *err)
{
    unsigned char hash[HASH_BYTES];
    char head[RECORD_HEAD];
    if (r->offset == r->size)
        return 0;
    ssize_t n = read_whole(r->fd, head, sizeof head, r->offset);
    if (n < 0)
        return read_error("A segment", err);
    if (n != (ssize_t)sizeof head || !record_read_head(head, &r->record))
        return damaged(err);
    size_t body = (size_t)record_body(&r->record), len = RECORD_HEAD + body;
    if ((uint64_t)(r->size - r->offset) < len + HASH_BYTES)
        return damaged(err);
    buf_clear(&r->piece);
    if (!buf_reserve(&r->piece, HASH_BYTES + len + HASH_BYTES))
        return err_set(err, ERR_NOMEM, "Out of memory.");
    memcpy(r->piece.data, r->hash, HASH_BYTES);
    n = read_whole(r->fd, r->piece.data + HASH_BYTES, len + HASH_BYTES, r->offset);
    if (n != (ssize_t)(len + HASH_BYTES))
        return n < 0 ? read_error("A segment", err) : damaged(err);
    r->sha256(slice_of(r->piece.data, HASH_BYTES + len), hash);
    if (memcmp(hash, r->piece.data + HASH_BYTES + len, HASH_BYTES) != 0)
        return damaged(err);
    memcpy(r->hash, hash, HASH_BYTES);
    r->frames = r->piece.data + HASH_BYTES + RECORD_HEAD;
    r->offset += (int64_t)(len + HASH_BYTES);
    return 1;
}

bool segment_is_torn(struct segment_reader *r)
{
    char head[RECORD_HEAD], bytes[4096];
    struct record one;
    if (read_whole(r->fd, head, sizeof head, r->offset) == (ssize_t)sizeof head && record_read_head(head, &one) &&
        (uint64_t)(r->size - r->offset) <= RECORD_HEAD + record_body(&one) + HASH_BYTES)
        return true; /* nothing behind it */
    if (r->size - r->offset < RECORD_HEAD)
        return true;
    for (int64_t at = r->offset; at < r->size; at += (int64_t)sizeof bytes) { /* what a file system gives that lost power */
        ssize_t n = read_whole(r->fd, bytes, sizeof bytes, at);
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != 0)
                return false;
        if (n <= 0)
            return n == 0;
    }
    return true;
}

bool segment_find_last(struct segment_reader *r, struct record *last)
{
    enum { STEP = 1 << 20 };
    bool found = false;
    char *b = malloc(STEP + RECORD_HEAD);
    for (int64_t at = r->offset; b && at < r->size; at += STEP) {
        ssize_t n = read_whole(r->fd, b, STEP + RECORD_HEAD, at);
        for (ssize_t i = 0; i < STEP && i + RECORD_HEAD <= n; i++) {
            struct record one;
            if (b[i] == record_magic[0] && record_read_head(b + i, &one) && (!found || one.number > last->number)) {
                *last = one;
                found = true;
            }
        }
    }
    free(b);
    return found;
}

/* --- snapshots ----------------------------------------------------------------------------------------------------------------- */

int snapshot_hash(int from, int to, sha256_fn sha256, unsigned char out[HASH_BYTES], struct err *err)
{
    char *b = malloc(HASH_BYTES + PIECE);
    int64_t at = 0;
    int rc = b ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    memset(out, 0, HASH_BYTES);
    for (ssize_t n = 1; rc == 0 && n > 0; at += n) {
        if ((n = read_whole(from, b + HASH_BYTES, PIECE, at)) < 0)
            rc = read_error("A snapshot", err);
        else if (to >= 0 && n > 0 && write_whole(to, b + HASH_BYTES, (size_t)n, at) < 0)
            rc = err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "The file can't be written: %s.", strerror(errno));
        else if (n > 0) {
            memcpy(b, out, HASH_BYTES);
            sha256(slice_of(b, HASH_BYTES + (size_t)n), out);
        }
    }
    free(b);
    return rc;
}

/* --- names ------------------------------------------------------------------------------------------------------------------- */

void chain_name(int64_t ms, char out[CHAIN_NAME + 1])
{
    time_t s = (time_t)(ms / 1000);
    struct tm t;
    char text[32];
    gmtime_r(&s, &t);
    strftime(text, sizeof text, "%Y%m%dT%H%M%S", &t);
    snprintf(out, CHAIN_NAME + 1, "%.15s.%03dZ", text, (int)(ms % 1000));
}

bool chain_path(char out[SEGMENT_PATH], const char *dir, const char *chain)
{
    return snprintf(out, SEGMENT_PATH, "%s/%s", dir, chain) < SEGMENT_PATH;
}

bool snapshot_path(char out[SEGMENT_PATH], const char *dir, const char *chain, const struct snapshot_name *s)
{
    return snprintf(out, SEGMENT_PATH, "%s/%s/snapshot-%012llu-%013lld.db", dir, chain, (unsigned long long)s->number, (long long)s->ms) <
           SEGMENT_PATH;
}

bool segment_path(char out[SEGMENT_PATH], const char *dir, const char *chain, uint64_t first)
{
    return snprintf(out, SEGMENT_PATH, "%s/%s/log-%012llu.seg", dir, chain, (unsigned long long)first) < SEGMENT_PATH;
}

static bool is_chain(const char *name)
{
    if (strlen(name) != 20 || name[8] != 'T' || name[15] != '.' || name[19] != 'Z')
        return false;
    for (int i = 0; i < 19; i++)
        if (i != 8 && i != 15 && (name[i] < '0' || name[i] > '9'))
            return false;
    return true;
}

static int add_file(struct chain *c, const char *name, struct err *err)
{
    unsigned long long number;
    long long ms;
    int end = 0;
    if (sscanf(name, "snapshot-%llu-%lld.db%n", &number, &ms, &end) == 2 && end && name[end] == '\0') {
        struct snapshot_name *more = realloc(c->snapshots, (c->nsnapshots + 1) * sizeof *more);
        if (!more)
            return err_set(err, ERR_NOMEM, "Out of memory.");
        c->snapshots = more;
        c->snapshots[c->nsnapshots++] = (struct snapshot_name){ .number = number, .ms = ms };
    } else if (end = 0, sscanf(name, "log-%llu.seg%n", &number, &end) == 1 && end && name[end] == '\0') {
        uint64_t *more = realloc(c->segments, (c->nsegments + 1) * sizeof *more);
        if (!more)
            return err_set(err, ERR_NOMEM, "Out of memory.");
        c->segments = more;
        c->segments[c->nsegments++] = number;
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_snapshot(const void *a, const void *b)
{
    return by_number(&((const struct snapshot_name *)a)->number, &((const struct snapshot_name *)b)->number);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct chain *)a)->name, ((const struct chain *)b)->name);
}

static int read_chain(const char *dir, struct chain *c, struct err *err)
{
    char path[SEGMENT_PATH];
    DIR *d = chain_path(path, dir, c->name) ? opendir(path) : NULL;
    int rc = d ? 0 : read_error(path, err);
    for (struct dirent *e; rc == 0 && (errno = 0, e = readdir(d));)
        rc = add_file(c, e->d_name, err);
    if (rc == 0 && errno)
        rc = read_error(path, err);
    if (d)
        closedir(d);
    if (c->nsnapshots)
        qsort(c->snapshots, c->nsnapshots, sizeof *c->snapshots, by_snapshot);
    if (c->nsegments)
        qsort(c->segments, c->nsegments, sizeof *c->segments, by_number);
    return rc;
}

int chains_read(const char *dir, struct chains *out, struct err *err)
{
    *out = (struct chains){ 0 };
    DIR *d = opendir(dir);
    int rc = d ? 0 : read_error(dir, err);
    for (struct dirent *e; rc == 0 && (errno = 0, e = readdir(d));) {
        if (!is_chain(e->d_name))
            continue;
        struct chain *more = realloc(out->list, (out->count + 1) * sizeof *more);
        if (!more) {
            rc = err_set(err, ERR_NOMEM, "Out of memory.");
            break;
        }
        out->list = more;
        struct chain *c = &out->list[out->count++];
        *c = (struct chain){ 0 };
        memcpy(c->name, e->d_name, strlen(e->d_name) + 1);
        rc = read_chain(dir, c, err);
    }
    if (rc == 0 && errno)
        rc = read_error(dir, err);
    if (d)
        closedir(d);
    if (rc < 0)
        chains_free(out);
    else if (out->count)
        qsort(out->list, out->count, sizeof *out->list, by_name);
    return rc;
}

void chains_free(struct chains *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->list[i].snapshots);
        free(c->list[i].segments);
    }
    free(c->list);
    *c = (struct chains){ 0 };
}
