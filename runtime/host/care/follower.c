#include "host/care/follower.h"
#include "bind/bind.h"
#include "ledger/ledger.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WHOSE_BYTES = 16, FAR_BEHIND_MS = 10 * FOLLOW_BOUND_MS, FILE_MAX = 16384 };

struct follower {
    struct shop *shop;
    char path[4096]; /* of the file that remembers */
    char whose[2 * WHOSE_BYTES + 1];
    pthread_mutex_t lock;
    struct follower_terms terms;
    char broken[400]; /* why the file can't be read */
    bool serving;
    struct follow *follow;
};

/* --- what is remembered ----------------------------------------------------------------------------------------------------- */

static int64_t whole_number(const struct json_value *v, const char *key, int64_t otherwise)
{
    int64_t n = 0;
    return json_is_int(json_get(v, key), &n) && n > 0 ? n : otherwise;
}

static int parse_terms(struct slice text, struct follower_terms *t, struct err *err)
{
    struct arena a;
    struct json_value *v;
    struct slice dir = { 0 };
    arena_init(&a, NULL, 0);
    int rc = json_parse(text, NULL, &a, &v, err);
    if (rc == 0 && (!json_is_string(json_get(v, "dir"), &dir) || dir.len == 0 || dir.len >= sizeof t->dir || dir.data[0] != '/'))
        rc = err_set(err, ERR_INVALID, "\"dir\" is missing");
    if (rc == 0) {
        *t = (struct follower_terms){ .keep_ms = whole_number(v, "keep_ms", FOLLOW_KEEP_MS),
                                      .snapshot_ms = whole_number(v, "snapshot_ms", FOLLOW_SNAPSHOT_MS) };
        memcpy(t->dir, dir.data, dir.len);
    }
    arena_release(&a);
    return rc;
}

static void read_terms(struct follower *f)
{
    char text[FILE_MAX];
    struct err err = { 0 };
    int fd = open(f->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return;
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    if (n < 0)
        err_set(&err, ERR_IO, "%s", strerror(errno));
    else
        parse_terms(slice_of(text, (size_t)n), &f->terms, &err);
    if (err.code == 0)
        return;
    snprintf(f->broken, sizeof f->broken,
             "%.150s can't be read (%.100s); say again where the second copy is: feira backup SHOP --follow DIR.", f->path, err.text);
    log_error(f->shop->options.log, "follow.forgotten", f->broken);
}

static int write_failed(struct err *err, const char *path)
{
    return err_set(err, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "%s can't be written: %s.", path, strerror(errno));
}

static int sync_data_folder(struct follower *f, struct err *err)
{
    int fd = open(f->shop->data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : write_failed(err, f->shop->data_dir);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int write_terms(struct follower *f, const struct follower_terms *t, struct err *err)
{
    char part[4096 + 8];
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "dir");
    json_str(&w, t->dir);
    json_key(&w, "keep_ms");
    json_int(&w, t->keep_ms);
    json_key(&w, "snapshot_ms");
    json_int(&w, t->snapshot_ms);
    json_object_end(&w);
    buf_add_char(&b, '\n');
    snprintf(part, sizeof part, "%s.part", f->path);
    int rc = b.failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
    int fd = rc < 0 ? -1 : open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (rc == 0 && (fd < 0 || write(fd, b.data, b.len) != (ssize_t)b.len || fsync(fd) < 0 || rename(part, f->path) < 0)) {
        rc = write_failed(err, f->path);
        unlink(part);
    }
    if (fd >= 0)
        close(fd);
    buf_release(&b);
    return rc < 0 ? rc : sync_data_folder(f, err);
}

/* --- life -------------------------------------------------------------------------------------------------------------------- */

int follower_open(struct shop *s, struct follower **out, struct err *err)
{
    unsigned char mac[SHA256_BYTES];
    struct follower *f = *out = calloc(1, sizeof *f);
    if (!f)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    f->shop = s;
    pthread_mutex_init(&f->lock, NULL);
    snprintf(f->path, sizeof f->path, "%.4080s/follow.json", s->data_dir);
    auth_sign(s->auth, "follow", slice_str(""), mac); /* a restored shop is the same shop */
    hex_encode(mac, WHOSE_BYTES, f->whose);
    if (!s->options.vfs)
        read_terms(f);
    if (f->terms.dir[0])
        store_keep_log(s->store, true);
    return 0;
}

/* The lock is held. */
static int begin(struct follower *f, struct err *err)
{
    struct shop *s = f->shop;
    struct follow_options o = { .store = s->store,
                                .writer = s->writer,
                                .dir = f->terms.dir,
                                .whose = f->whose,
                                .keep_ms = f->terms.keep_ms,
                                .snapshot_ms = f->terms.snapshot_ms,
                                .clock = s->options.clock,
                                .log = s->options.log,
                                .migrations = bind_core_migrations(),
                                .also = ledger_verify,
                                .sha256 = crypto_sha256 };
    return follow_open(&o, &f->follow, err);
}

void follower_start(struct follower *f)
{
    struct err err = { 0 };
    pthread_mutex_lock(&f->lock);
    f->serving = true;
    if (f->terms.dir[0] && begin(f, &err) < 0)
        log_error(f->shop->options.log, "follow.stopped", err.text);
    pthread_mutex_unlock(&f->lock);
}

/* Whoever looks meanwhile must not wait for a disk. */
static void end(struct follower *f)
{
    pthread_mutex_lock(&f->lock);
    struct follow *old = f->follow;
    f->follow = NULL;
    pthread_mutex_unlock(&f->lock);
    follow_close(old);
}

void follower_finish(struct follower *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->serving = false;
    pthread_mutex_unlock(&f->lock);
    end(f);
}

void follower_close(struct follower *f)
{
    if (!f)
        return;
    follower_finish(f);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

int follower_set(struct follower *f, const struct follower_terms *t, struct err *err)
{
    int rc = follow_prepare(t->dir, f->whose, err);
    if (rc == 0)
        rc = write_terms(f, t, err);
    if (rc < 0)
        return rc;
    end(f);
    store_keep_log(f->shop->store, true);
    pthread_mutex_lock(&f->lock);
    f->terms = *t;
    f->broken[0] = '\0';
    if (f->serving)
        rc = begin(f, err);
    pthread_mutex_unlock(&f->lock);
    return rc;
}

int follower_forget(struct follower *f, struct err *err)
{
    if (unlink(f->path) < 0 && errno != ENOENT)
        return write_failed(err, f->path);
    end(f);
    store_keep_log(f->shop->store, false);
    pthread_mutex_lock(&f->lock);
    f->terms = (struct follower_terms){ 0 };
    f->broken[0] = '\0';
    pthread_mutex_unlock(&f->lock);
    return sync_data_folder(f, err);
}

/* --- how it is ----------------------------------------------------------------------------------------------------------------- */

static void say_problem(struct follower_view *v)
{
    const struct follow_stats *s = &v->stats;
    long long behind_s = (long long)(s->lag_ms + 999) / 1000;
    if (s->problem[0])
        snprintf(v->problem, sizeof v->problem,
                 "The second copy in %.150s is %lld s behind: %.200s Mount it, make room or repair it; it catches up by itself.",
                 v->terms.dir, behind_s, s->problem);
    else if (s->snapshot_problem[0])
        snprintf(v->problem, sizeof v->problem, "The second copy in %.150s lacks a snapshot: %.256s Make room or repair it.", v->terms.dir,
                 s->snapshot_problem);
    else if (s->lag_ms > FAR_BEHIND_MS && s->restorable)
        snprintf(v->problem, sizeof v->problem,
                 "The second copy in %.150s is %lld s behind: its disk is slower than the shop. Give it a faster one.", v->terms.dir,
                 behind_s);
}

void follower_look(struct follower *f, struct follower_view *out)
{
    *out = (struct follower_view){ 0 };
    pthread_mutex_lock(&f->lock);
    out->terms = f->terms;
    snprintf(out->problem, sizeof out->problem, "%s", f->broken);
    out->following = f->follow != NULL;
    if (f->follow)
        follow_stats(f->follow, &out->stats);
    bool lost = f->serving && f->terms.dir[0] && !f->follow;
    pthread_mutex_unlock(&f->lock);
    if (out->following)
        say_problem(out);
    else if (lost)
        snprintf(out->problem, sizeof out->problem, "The second copy could not be begun, see follow.stopped in the log; restart the shop.");
}

static void number(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

static void write_stats(const struct follow_stats *s, struct json_writer *w)
{
    char at[TIMESTAMP_MAX];
    json_key(w, "restorable");
    json_bool(w, s->restorable);
    number(w, "lag_ms", s->lag_ms);
    number(w, "lag_bytes", (int64_t)s->lag_bytes);
    number(w, "commits", (int64_t)s->commits);
    number(w, "bytes", (int64_t)s->bytes);
    number(w, "snapshots", (int64_t)s->snapshots);
    number(w, "chains", (int64_t)s->chains);
    if (s->shipped_ms) {
        json_key(w, "shipped");
        json_string(w, slice_of(at, timestamp_format(s->shipped_ms, at)));
    }
}

void follower_write(struct follower *f, struct json_writer *w)
{
    struct follower_view v;
    follower_look(f, &v);
    json_object(w);
    json_key(w, "following");
    json_bool(w, v.following);
    if (v.terms.dir[0]) {
        json_key(w, "dir");
        json_str(w, v.terms.dir);
        number(w, "keep_ms", v.terms.keep_ms);
        number(w, "snapshot_ms", v.terms.snapshot_ms);
    }
    if (v.following)
        write_stats(&v.stats, w);
    if (v.problem[0]) {
        json_key(w, "problem");
        json_str(w, v.problem);
    }
    json_object_end(w);
}

static void metric(struct buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
    buf_printf(out, "# HELP feira_follow_%s %s\n# TYPE feira_follow_%s %s\nfeira_follow_%s %llu\n", name, help, name, type, name,
               (unsigned long long)v);
}

void follower_write_metrics(struct follower *f, struct buf *out)
{
    struct follower_view v;
    follower_look(f, &v);
    metric(out, "configured", "gauge", "1 when a second copy is to be kept.", v.terms.dir[0] != '\0');
    if (!v.terms.dir[0])
        return;
    metric(out, "up", "gauge", "1 when the second copy is written; 0 when its folder is full, gone, or could not be begun.",
           v.following && !v.stats.problem[0]);
    if (!v.following)
        return;
    metric(out, "restorable", "gauge", "1 when all that is shipped can be brought back; 0 until the first snapshot is written.",
           v.stats.restorable);
    buf_printf(
        out,
        "# HELP feira_follow_lag_seconds Age of the oldest commit that the second copy lacks.\n# TYPE feira_follow_lag_seconds gauge\n"
        "feira_follow_lag_seconds %lld.%03d\n",
        (long long)(v.stats.lag_ms / 1000), (int)(v.stats.lag_ms % 1000));
    metric(out, "lag_bytes", "gauge", "Committed, and not in the second copy.", v.stats.lag_bytes);
    metric(out, "commits_total", "counter", "Commits shipped.", v.stats.commits);
    metric(out, "bytes_total", "counter", "Bytes of segments written.", v.stats.bytes);
    metric(out, "snapshots_total", "counter", "Snapshots written and checked.", v.stats.snapshots);
    metric(out, "chains_total", "counter", "Times it had to be begun anew, with a snapshot.", v.stats.chains);
}
