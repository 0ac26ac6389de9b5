/* A snapshot of a shop's files. It is read once, whole; what is built from it later can't mix two states of the folder. */
#include "base/buf.h"
#include "base/utf8.h"
#include "crypto/crypto.h"
#include "rulebook/check.h"
#include "rulebook/manifest_int.h"
#include "rulebook/rulebook_int.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20, FILES_MAX = 10000, TOTAL_MAX_BYTES = 256 << 20, PATH_MAX_BYTES = 512 };

struct sources {
    struct arena arena;
    struct source_file *files;
    size_t count, cap, total_bytes;
    char hash[2 * SHA256_BYTES + 1];
};

static struct sources *sources_new(struct err *err)
{
    struct sources *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, ERR_NOMEM, "out of memory while reading the shop's files");
        return NULL;
    }
    arena_init(&s->arena, NULL, 0);
    return s;
}

void sources_free(struct sources *s)
{
    if (!s)
        return;
    arena_release(&s->arena);
    free(s->files);
    free(s);
}

static bool name_is_clean(struct slice path)
{
    const char *p = path.data, *end = p + path.len;
    while (p < end) {
        size_t n = utf8_at(p, end);
        if (n == 0 || (unsigned char)*p < 0x20 || *p == 0x7F || *p == '\\')
            return false;
        p += n;
    }
    return path.len > 0 && path.len <= PATH_MAX_BYTES;
}

static int add(struct sources *s, struct slice path, struct slice text, struct err *err)
{
    if (!name_is_clean(path))
        return err_set(err, ERR_INVALID,
                       "a file of the shop has a name that is not plain UTF-8 text or has control characters or a backslash; rename it");
    if (text.len > FILE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%.*s: the file is larger than 1 MiB; split it", SLICE_FMT(path));
    if (s->count == FILES_MAX || s->total_bytes + text.len > TOTAL_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%.*s: the shop has more than %d files or %d MiB of rules; put many campaigns into one file",
                       SLICE_FMT(path), FILES_MAX, TOTAL_MAX_BYTES >> 20);
    if (s->count == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 32;
        struct source_file *grown = realloc(s->files, cap * sizeof *grown);
        if (!grown)
            return err_set(err, ERR_NOMEM, "out of memory while reading %.*s", SLICE_FMT(path));
        s->files = grown;
        s->cap = cap;
    }
    struct source_file f = { arena_copy(&s->arena, path), arena_copy(&s->arena, text) };
    if (!f.path.data || !f.text.data)
        return err_set(err, ERR_NOMEM, "out of memory while reading %.*s", SLICE_FMT(path));
    s->files[s->count++] = f;
    s->total_bytes += text.len;
    return 0;
}

static int by_path(const void *a, const void *b)
{
    return slice_cmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

/* Lengths go in with the contents, so that no two sets of files look alike. */
static int seal(struct sources *s, struct err *err)
{
    if (s->count)
        qsort(s->files, s->count, sizeof *s->files, by_path);
    for (size_t i = 1; i < s->count; i++)
        if (slice_eq(s->files[i - 1].path, s->files[i].path))
            return err_set(err, ERR_INVALID, "%.*s is given twice", SLICE_FMT(s->files[i].path));
    struct sha256 *h = sha256_new();
    if (!h)
        return err_set(err, ERR_NOMEM, "out of memory while hashing the shop's files");
    sha256_add(h, SLICE_LIT("feira sources 1\n"));
    for (size_t i = 0; i < s->count; i++) {
        char head[64];
        int n = snprintf(head, sizeof head, "%zu %zu\n", s->files[i].path.len, s->files[i].text.len);
        sha256_add(h, slice_of(head, (size_t)n));
        sha256_add(h, s->files[i].path);
        sha256_add(h, s->files[i].text);
    }
    unsigned char digest[SHA256_BYTES];
    sha256_end(h, digest);
    hex_encode(digest, sizeof digest, s->hash);
    s->hash[2 * SHA256_BYTES] = '\0';
    return 0;
}

int sources_make(const struct source_file *files, size_t n, struct sources **out, struct err *err)
{
    *out = NULL;
    struct sources *s = sources_new(err);
    if (!s)
        return ERR_NOMEM;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add(s, files[i].path, files[i].text, err);
    if (rc == 0)
        rc = seal(s, err);
    if (rc < 0)
        sources_free(s);
    else
        *out = s;
    return rc;
}

/* --- from a folder -------------------------------------------------------------------------------------------------- */

struct folder {
    char root[PATH_MAX]; /* real path */
    struct sources *sources;
    struct buf text;
};

/* A link is followed when what it leads to is in the folder. Asked of the open file, so that nobody can swap it in between. */
static bool is_inside(int fd, const char *root)
{
    char link[64], real[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, real, sizeof real - 1);
    size_t len = strlen(root);
    return n > 0 && (size_t)n > len && memcmp(real, root, len) == 0 && (real[len] == '/' || strcmp(root, "/") == 0);
}

static int read_fd(struct folder *f, int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return err_set(err, ERR_IO, "%s can't be read: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is not a regular file; remove it or rename it", path);
    if (!is_inside(fd, f->root))
        return err_set(err, ERR_DENIED, "%s is a link that leads out of the shop's folder; copy the file into the folder", path);
    buf_clear(&f->text);
    for (;;) {
        char *room = buf_reserve(&f->text, 65536);
        if (!room)
            return err_set(err, ERR_NOMEM, "out of memory while reading %s", path);
        ssize_t n = read(fd, room, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_IO, "%s can't be read: %s", path, strerror(errno));
        if (n == 0)
            break;
        f->text.len += (size_t)n;
        if (f->text.len > FILE_MAX_BYTES)
            break; /* add() says so */
    }
    return add(f->sources, slice_str(path), buf_slice(&f->text), err);
}

static int read_path(struct folder *f, const char *path, struct err *err)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s/%s", f->root, path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "%s: the path is too long", path);
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* not waiting for the other end of a pipe */
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s can't be read: %s", path, strerror(errno));
    int rc = read_fd(f, fd, path, err);
    close(fd);
    return rc;
}

/* Editors leave "#x.lua#", ".x.lua.swp", "x.lua~" behind; none of them is a campaign. */
static bool belongs(const char *name)
{
    size_t len = strlen(name);
    if (name[0] == '.' || name[0] == '#')
        return false;
    return (len > 4 && strcmp(name + len - 4, ".lua") == 0) || (len > 4 && strcmp(name + len - 4, ".csv") == 0);
}

static int read_campaigns(struct folder *f, struct err *err)
{
    char full[PATH_MAX + 16];
    snprintf(full, sizeof full, "%s/campaigns", f->root);
    DIR *d = opendir(full);
    if (!d && errno == ENOENT)
        return 0; /* a shop without campaigns is one */
    if (!d)
        return err_set(err, ERR_IO, "campaigns/ can't be read: %s", strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        char path[NAME_MAX + 32];
        if (!belongs(e->d_name))
            continue;
        snprintf(path, sizeof path, "campaigns/%s", e->d_name);
        rc = read_path(f, path, err);
    }
    closedir(d);
    return rc;
}

/* The .lua files of plugins/NAME/. Folders whose name no plugin can have are left alone. */
static int read_plugin(struct folder *f, const char *name, struct err *err)
{
    char full[PATH_MAX + NAME_MAX + 16];
    snprintf(full, sizeof full, "%s/plugins/%s", f->root, name);
    DIR *d = opendir(full);
    if (!d && errno == ENOTDIR)
        return 0;
    if (!d)
        return err_set(err, ERR_IO, "plugins/%s can't be read: %s", name, strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        char path[2 * NAME_MAX + 32];
        size_t len = strlen(e->d_name);
        if (!belongs(e->d_name) || strcmp(e->d_name + len - 4, ".lua") != 0)
            continue;
        snprintf(path, sizeof path, "plugins/%s/%s", name, e->d_name);
        rc = read_path(f, path, err);
    }
    closedir(d);
    return rc;
}

static int read_plugins(struct folder *f, struct err *err)
{
    char full[PATH_MAX + 16];
    snprintf(full, sizeof full, "%s/plugins", f->root);
    DIR *d = opendir(full);
    if (!d && errno == ENOENT)
        return 0;
    if (!d)
        return err_set(err, ERR_IO, "plugins/ can't be read: %s", strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;)
        if (plugin_name_is(slice_str(e->d_name)))
            rc = read_plugin(f, e->d_name, err);
    closedir(d);
    return rc;
}

static bool has_folder(const struct sources *s, struct slice prefix, size_t own)
{
    for (size_t i = 0; i < own; i++)
        if (s->files[i].path.len > prefix.len && memcmp(s->files[i].path.data, prefix.data, prefix.len) == 0)
            return true;
    return false;
}

/* A plugin that ships is part of the sources when shop.lua names it: whether it is turned on is known only once that file has run, and
 * what is not named there can't be. The shop's own plugin of that name goes first. */
static int add_shipped(struct sources *s, struct err *err)
{
    static const size_t head = sizeof "plugins/" - 1;
    size_t own = s->count;
    struct slice shop = { 0 };
    for (size_t i = 0; i < own; i++)
        if (slice_is(s->files[i].path, "shop.lua"))
            shop = s->files[i].text;
    for (const struct shipped_file *f = shipped_files; f->path; f++) {
        const char *slash = strchr(f->path + head, '/');
        struct slice prefix = slice_of(f->path, (size_t)(slash + 1 - f->path));
        if (!memmem(shop.data, shop.len, f->path + head, (size_t)(slash - f->path) - head) || has_folder(s, prefix, own))
            continue;
        int rc = add(s, slice_str(f->path), slice_of(f->text, f->len), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int sources_read(const char *shop_dir, struct sources **out, struct err *err)
{
    *out = NULL;
    struct folder f;
    if (!realpath(shop_dir, f.root))
        return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO, "the shop's folder %s can't be opened: %s",
                       shop_dir, strerror(errno));
    f.sources = sources_new(err);
    if (!f.sources)
        return ERR_NOMEM;
    buf_init(&f.text, NULL);
    int rc = read_path(&f, "shop.lua", err);
    if (rc == ERR_NOT_FOUND)
        err_set(err, rc, "%s has no shop.lua; a shop is a folder with a shop.lua that names it and its currency", shop_dir);
    if (rc == 0)
        rc = read_campaigns(&f, err);
    if (rc == 0)
        rc = read_plugins(&f, err);
    if (rc == 0)
        rc = add_shipped(f.sources, err);
    if (rc == 0)
        rc = seal(f.sources, err);
    buf_release(&f.text);
    if (rc < 0)
        sources_free(f.sources);
    else
        *out = f.sources;
    return rc;
}

static bool is_under(struct slice path, struct slice prefix)
{
    return path.len >= prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0;
}

/* A file of the base that stays: nothing under `without`, nothing that is written anew. */
static bool stays(struct slice path, const struct source_change *c)
{
    for (size_t i = 0; i < c->without_count; i++)
        if (is_under(path, c->without[i]))
            return false;
    for (size_t i = 0; i < c->count; i++)
        if (slice_eq(path, c->files[i].path))
            return false;
    return true;
}

int sources_change(const struct sources *base, const struct source_change *c, struct sources **out, struct err *err)
{
    *out = NULL;
    int rc = 0;
    struct sources *s = sources_new(err);
    if (!s)
        return ERR_NOMEM;
    for (size_t i = 0; base && i < base->count && rc == 0; i++)
        if (stays(base->files[i].path, c))
            rc = add(s, base->files[i].path, base->files[i].text, err);
    for (size_t i = 0; i < c->count && rc == 0; i++)
        rc = add(s, c->files[i].path, c->files[i].text, err);
    if (rc == 0)
        rc = add_shipped(s, err);
    if (rc == 0)
        rc = seal(s, err);
    if (rc < 0)
        sources_free(s);
    else
        *out = s;
    return rc;
}

/* --- a plugin's folder, for check.h ---------------------------------------------------------------------------------- */

static int read_plugin_folder(struct folder *f, const char *under, int depth, struct err *err)
{
    enum { DEPTH_MAX = 3 };
    char full[PATH_MAX + 600];
    snprintf(full, sizeof full, "%s/%s", f->root, under);
    DIR *d = opendir(full);
    if (!d)
        return err_set(err, ERR_IO, "%s can't be read: %s", full, strerror(errno));
    int rc = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)) != NULL;) {
        char path[PATH_MAX_BYTES];
        if (e->d_name[0] == '.' || snprintf(path, sizeof path, "%s%s", under, e->d_name) >= (int)sizeof path - 1)
            continue;
        if (e->d_type == DT_DIR && depth < DEPTH_MAX) {
            size_t len = strlen(path);
            memcpy(path + len, "/", 2);
            rc = read_plugin_folder(f, path, depth + 1, err);
        } else if (belongs(e->d_name)) {
            rc = read_path(f, path, err);
        }
    }
    closedir(d);
    return rc;
}

int check_read_plugin(const char *dir, struct sources **out, struct err *err)
{
    *out = NULL;
    struct folder f;
    if (!realpath(dir, f.root))
        return err_set(err, ERR_NOT_FOUND, "the plugin's folder %s can't be opened: %s", dir, strerror(errno));
    f.sources = sources_new(err);
    if (!f.sources)
        return ERR_NOMEM;
    buf_init(&f.text, NULL);
    int rc = read_plugin_folder(&f, "", 0, err);
    if (rc == 0)
        rc = seal(f.sources, err);
    buf_release(&f.text);
    if (rc < 0)
        sources_free(f.sources);
    else
        *out = f.sources;
    return rc;
}

/* --- looking ---------------------------------------------------------------------------------------------------------- */

size_t sources_count(const struct sources *s)
{
    return s->count;
}

const struct source_file *sources_at(const struct sources *s, size_t i)
{
    return i < s->count ? &s->files[i] : NULL;
}

const struct source_file *sources_find(const struct sources *s, struct slice path)
{
    struct source_file wanted = { .path = path };
    return s->count ? bsearch(&wanted, s->files, s->count, sizeof *s->files, by_path) : NULL;
}

const char *sources_hash(const struct sources *s)
{
    return s->hash;
}
