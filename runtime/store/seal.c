#include "store/seal.h"
#include "store/segments.h"
#include "store/store_int.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEAL_BYTES = 64, LOG_HEAD = 32, LOG_MAGIC = 0x377f0682, FIRST_BYTES = 512, PATH_SIZE = 4096 };
static const char magic[8] = "FEIRAsl1";

enum seal_state { SEAL_CLOSED = 1, SEAL_OPEN, SEAL_MOVING };

struct seal_text {
    uint32_t state;
    bool log_known;
    uint32_t salt[2];
    uint64_t first; /* hash of the beginning of the database */
};

struct seal_log {
    uint32_t resets, salt[2];
};

struct seal {
    char db[PATH_SIZE], log[PATH_SIZE], path[PATH_SIZE];
    struct seal_text text;
};

/* --- the file ------------------------------------------------------------------------------------------------------------- */

static void write_text(const struct seal_text *t, char out[SEAL_BYTES])
{
    memset(out, 0, SEAL_BYTES);
    memcpy(out, magic, sizeof magic);
    put_big32(out + 8, t->state);
    put_big32(out + 12, t->log_known);
    put_big32(out + 16, t->salt[0]);
    put_big32(out + 20, t->salt[1]);
    put_big64(out + 24, t->first);
    put_big64(out + SEAL_BYTES - 8, hash_bytes(out, SEAL_BYTES - 8));
}

static bool read_text(const char *path, struct seal_text *t)
{
    char in[SEAL_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, in, sizeof in);
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof in || memcmp(in, magic, sizeof magic) != 0 || big64(in + SEAL_BYTES - 8) != hash_bytes(in, SEAL_BYTES - 8))
        return false;
    *t = (struct seal_text){
        .state = big32(in + 8), .log_known = big32(in + 12) != 0, .salt = { big32(in + 16), big32(in + 20) }, .first = big64(in + 24)
    };
    return true;
}

/* One sector, written in place. Where that fails (a full disk), what the file said must not stay: it would no longer be true. */
static void write_seal(struct seal *s)
{
    char out[SEAL_BYTES];
    write_text(&s->text, out);
    int fd = open(s->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    bool written = fd >= 0 && pwrite(fd, out, sizeof out, 0) == (ssize_t)sizeof out && fdatasync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!written)
        unlink(s->path);
}

/* --- what is there ---------------------------------------------------------------------------------------------------------- */

/* A log that was never reset gets other salts when its first commit is torn: they say nothing. */
static bool was_reset(const struct seal_log *log)
{
    return log->resets > 0;
}

/* False: there is no log, or none that SQLite would replay. No lock of SQLite's is on this file, so it may be opened and closed. */
static bool read_log(const struct seal *s, struct seal_log *log)
{
    char head[LOG_HEAD];
    int fd = open(s->log, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    struct stat st;
    bool frames = fd >= 0 && fstat(fd, &st) == 0 && st.st_size > LOG_HEAD;
    if (fd >= 0)
        close(fd);
    if (n != (ssize_t)sizeof head || !frames || (big32(head) & ~1U) != LOG_MAGIC)
        return false;
    *log = (struct seal_log){ .resets = big32(head + 12), .salt = { big32(head + 16), big32(head + 20) } };
    return true;
}

/* Only while SQLite does not have the file: closing a descriptor of it would take SQLite's locks away. */
static uint64_t first_of_file(const struct seal *s)
{
    char first[FIRST_BYTES];
    int fd = open(s->db, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, first, sizeof first);
    if (fd >= 0)
        close(fd);
    return n == (ssize_t)sizeof first ? hash_bytes(first, sizeof first) : 0;
}

static uint64_t first_of_conn(struct store_conn *c)
{
    char first[FIRST_BYTES];
    sqlite3_file *f = NULL;
    if (sqlite3_file_control(c->db, "main", SQLITE_FCNTL_FILE_POINTER, &f) != SQLITE_OK || !f || !f->pMethods ||
        f->pMethods->xRead(f, first, sizeof first, 0) != SQLITE_OK)
        return 0;
    return hash_bytes(first, sizeof first);
}

static int refuse(const struct seal *s, const char *why, struct err *err)
{
    return err_set(
        err, ERR_CORRUPT,
        "%.140s-wal is not the log of the database beside it (%s). Move it aside, with the file -shm, or restore a backup. If it is its "
        "log all the same, because an older program was killed here, remove %.140s and start again.",
        s->db, why, s->path);
}

static int compare(const struct seal *s, const struct seal_text *was, struct err *err)
{
    struct seal_log log;
    if (!read_log(s, &log))
        return 0;
    if (was->state == SEAL_CLOSED)
        return refuse(s, "when the shop was stopped there was none", err);
    if (was->log_known && !(log.salt[0] == was->salt[0] && log.salt[1] == was->salt[1]) && log.salt[0] != was->salt[0] + 1)
        return refuse(s, "it is of another shop, or of another time", err);
    if (was->state == SEAL_OPEN && was->first && was->first != first_of_file(s))
        return refuse(s, "the file was replaced", err);
    return 0;
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

int seal_open(const char *db_path, struct seal **out, struct err *err)
{
    struct seal_text was;
    struct seal *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    snprintf(s->db, sizeof s->db, "%s", db_path);
    int n = snprintf(s->log, sizeof s->log, "%s-wal", db_path);
    snprintf(s->path, sizeof s->path, "%s-seal", db_path);
    if (n >= (int)sizeof s->log - 8 || !read_text(s->path, &was))
        return 0;
    int rc = compare(s, &was, err);
    if (rc < 0) {
        free(s);
        *out = NULL;
    }
    return rc;
}

static void seal_as_open(struct seal *s, uint64_t first)
{
    struct seal_log log;
    s->text = (struct seal_text){ .state = SEAL_OPEN, .first = first };
    s->text.log_known = read_log(s, &log) && was_reset(&log);
    if (s->text.log_known)
        memcpy(s->text.salt, log.salt, sizeof log.salt);
    write_seal(s);
}

void seal_begin(struct seal *s, struct store_conn *conn)
{
    seal_as_open(s, first_of_conn(conn));
}

void seal_moving(struct seal *s)
{
    s->text.state = SEAL_MOVING;
    write_seal(s);
}

void seal_moved(struct seal *s, struct store_conn *conn)
{
    seal_as_open(s, first_of_conn(conn));
}

void seal_close(struct seal *s, bool opened)
{
    struct seal_log log;
    if (!s)
        return;
    if (opened && read_log(s, &log)) {
        seal_as_open(s, first_of_file(s));
    } else if (opened) {
        s->text = (struct seal_text){ .state = SEAL_CLOSED };
        write_seal(s);
    }
    free(s);
}
