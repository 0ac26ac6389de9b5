#include "host/past/candidate.h"
#include "host/past/stand.h"
#include "host/publish/publish.h"
#include "rulebook/check.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHANGES_MAX = 4000, FILE_MAX_BYTES = 1 << 20 };

struct making {
    struct arena arena;
    struct sources *base; /* a whole folder, or NULL: what is live */
    struct source_file *files;
    size_t count;
    struct slice *without;
    size_t without_count;
    struct err *err;
};

static int nomem(struct making *m)
{
    return err_set(m->err, ERR_NOMEM, "Out of memory while the candidate is read.");
}

static int add(struct making *m, const char *folder, struct slice path, struct slice text)
{
    if (m->count == CHANGES_MAX)
        return err_set(m->err, ERR_TOO_LARGE, "The candidate has more than %d files.", CHANGES_MAX);
    struct slice whole = arena_printf(&m->arena, "%s%.*s", folder, SLICE_FMT(path)), copy = arena_copy(&m->arena, text);
    for (size_t i = 0; i < m->count; i++)
        if (slice_eq(m->files[i].path, whole))
            return err_set(m->err, ERR_INVALID, "The candidate has %.*s twice.", SLICE_FMT(whole));
    m->files[m->count++] = (struct source_file){ whole, copy };
    return whole.data && copy.data ? 0 : nomem(m);
}

static int drop(struct making *m, struct slice prefix)
{
    if (m->without_count == CHANGES_MAX)
        return err_set(m->err, ERR_TOO_LARGE, "The candidate drops more than %d files.", CHANGES_MAX);
    m->without[m->without_count++] = prefix;
    return prefix.data ? 0 : nomem(m);
}

static bool has(const char *dir, const char *file)
{
    char path[4300];
    return snprintf(path, sizeof path, "%s/%s", dir, file) < (int)sizeof path && access(path, R_OK) == 0;
}

static const char *last_part(char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int add_plugin(struct making *m, char *dir)
{
    struct sources *src;
    struct slice folder = arena_printf(&m->arena, "plugins/%s/", last_part(dir));
    int rc = folder.data ? check_read_plugin(dir, &src, m->err) : nomem(m);
    if (rc < 0)
        return rc;
    rc = drop(m, folder);
    for (size_t i = 0; i < sources_count(src) && rc == 0; i++)
        rc = add(m, folder.data, sources_at(src, i)->path, sources_at(src, i)->text);
    sources_free(src);
    return rc;
}

static int add_file(struct making *m, char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char *text = fd < 0 ? NULL : arena_alloc(&m->arena, FILE_MAX_BYTES + 1);
    size_t len = 0;
    ssize_t n = 1;
    while (text && n > 0 && len <= FILE_MAX_BYTES) {
        n = read(fd, text + len, FILE_MAX_BYTES + 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (fd < 0 || n < 0)
        return err_set(m->err, ERR_NOT_FOUND, "%s can't be read: %s.", path, strerror(saved));
    if (!text)
        return nomem(m);
    if (len > FILE_MAX_BYTES)
        return err_set(m->err, ERR_TOO_LARGE, "%s is larger than 1 MiB; split it.", path);
    const char *name = last_part(path);
    return add(m, strcmp(name, "shop.lua") == 0 ? "" : "campaigns/", slice_str(name), slice_of(text, len));
}

static int add_path(struct making *m, struct slice given)
{
    struct stat st;
    char path[4096];
    if (given.len == 0 || given.len >= sizeof path || given.data[0] != '/')
        return err_field(m->err, ERR_INVALID, "/candidates", "Name a candidate by its whole path, from / on.");
    snprintf(path, sizeof path, "%.*s", SLICE_FMT(given));
    if (stat(path, &st) != 0)
        return err_set(m->err, ERR_NOT_FOUND, "%s can't be opened: %s.", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return add_file(m, path);
    if (has(path, "plugin.lua"))
        return add_plugin(m, path);
    if (!has(path, "shop.lua"))
        return err_set(m->err, ERR_INVALID,
                       "%s has neither a shop.lua nor a plugin.lua; a candidate is a shop's folder, a plugin's, or a file.", path);
    if (m->base)
        return err_set(m->err, ERR_INVALID, "There are two whole shops among the candidates; name one.");
    return sources_read(path, &m->base, m->err);
}

static int collect(struct making *m, const struct json_value *body)
{
    const struct json_value *paths = json_get(body, "candidates"), *files = json_get(body, "files"), *without = json_get(body, "without");
    int rc = 0;
    m->files = arena_array(&m->arena, CHANGES_MAX, sizeof *m->files);
    m->without = arena_array(&m->arena, CHANGES_MAX, sizeof *m->without);
    if (!m->files || !m->without)
        return nomem(m);
    for (const struct json_value *v = paths ? paths->first : NULL; v && rc == 0; v = v->next)
        rc = add_path(m, v->string);
    for (const struct json_value *v = files ? files->first : NULL; v && rc == 0; v = v->next)
        rc = add(m, "", json_get(v, "path")->string, json_get(v, "text")->string);
    for (const struct json_value *v = without ? without->first : NULL; v && rc == 0; v = v->next)
        rc = drop(m, v->string);
    if (rc == 0 && !m->count && !m->without_count && !m->base)
        rc = err_field(m->err, ERR_INVALID, "/candidates", "Say what the candidate is: a file, a plugin's folder, or a whole shop.");
    return rc;
}

static int change_live(struct shop *s, struct making *m, struct sources **out)
{
    const struct source_change change = { m->files, m->count, m->without, m->without_count };
    struct edition *live = publisher_live(s->publisher);
    int rc = sources_change(m->base ? m->base : generation_sources(live->generation), &change, out, m->err);
    edition_unref(live);
    return rc;
}

int candidate_build(struct shop *s, const struct json_value *body, struct generation **out, struct err *err)
{
    struct making m = { .err = err };
    struct sources *src = NULL;
    arena_init(&m.arena, NULL, 0);
    int rc = collect(&m, body);
    if (rc == 0)
        rc = change_live(s, &m, &src);
    if (rc == 0 && (rc = past_rules_build(s, src, out, err)) < 0)
        sources_free(src);
    if (m.base)
        sources_free(m.base);
    arena_release(&m.arena);
    return rc;
}
