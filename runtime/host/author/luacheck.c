#include "host/author/luacheck.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OUTPUT_MAX = 4 << 20 };

/* Names that nobody made are told already, and better (1xx). How lines are laid out (6xx) is the business of whoever has settings for it.
 */
static const char *const always[] = { "luacheck", "--formatter", "plain", "--codes", "--no-color", "--no-cache", "--ignore", "1..", "--" };
static const char *const without_settings[] = { "luacheck", "--formatter", "plain",       "--codes", "--no-color", "--no-cache",
                                                "--ignore", "[16]..",      "--no-config", "--std",   "lua54",      "--no-max-line-length",
                                                "--" };

static bool belongs_to_folder(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && stat(path, &st) == 0;
}

static bool wanted(const struct source_file *f, struct slice only, const char *dir)
{
    char path[600];
    if (f->path.len < 5 || memcmp(f->path.data + f->path.len - 4, ".lua", 4) != 0 || (only.len && !slice_eq(f->path, only)))
        return false;
    snprintf(path, sizeof path, "%.*s", SLICE_FMT(f->path));
    return belongs_to_folder(dir, path); /* what ships with the program is not there */
}

/* Ended by NULL; in the arena of the report. */
static char **arguments(const char *dir, const struct sources *src, struct slice only, struct check_report *r, size_t *files)
{
    bool settings = belongs_to_folder(dir, ".luacheckrc");
    const char *const *head = settings ? always : without_settings;
    size_t n = settings ? sizeof always / sizeof *always : sizeof without_settings / sizeof *without_settings;
    char **list = arena_array(&r->arena, n + sources_count(src) + 1, sizeof *list);
    *files = 0;
    if (!list)
        return NULL;
    for (size_t i = 0; i < n; i++)
        list[i] = (char *)(uintptr_t)head[i];
    for (size_t i = 0; i < sources_count(src); i++)
        if (wanted(sources_at(src, i), only, dir) && (list[n + *files] = arena_strdup(&r->arena, sources_at(src, i)->path)))
            *files += 1;
    list[n + *files] = NULL;
    return list;
}

static pid_t start(const char *dir, char **list, int *out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (chdir(dir) == 0 && null >= 0 && dup2(null, 0) >= 0 && dup2(ends[1], 1) >= 0 && dup2(null, 2) >= 0)
            execvp(list[0], list);
        _exit(127); /* there is none */
    }
    close(ends[1]);
    if (child < 0)
        close(ends[0]);
    else
        *out = ends[0];
    return child;
}

static void read_all(int fd, struct buf *out)
{
    for (;;) {
        char *room = out->len < OUTPUT_MAX ? buf_reserve(out, 65536) : NULL;
        ssize_t n = room ? read(fd, room, 65536) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        out->len += (size_t)n;
    }
}

/* "rules.lua:12:7: (W211) unused variable 'x'" */
static int take_line(struct slice line, const struct sources *src, struct check_report *r, struct err *err)
{
    char text[400], place[600];
    const char *end = line.data + line.len, *p = memchr(line.data, ':', line.len);
    if (!p || p + 1 == end || !isdigit((unsigned char)p[1]))
        return 0;
    const char *number_end = p + 1;
    while (number_end < end && isdigit((unsigned char)*number_end))
        number_end++;
    const char *open = memchr(number_end, '(', (size_t)(end - number_end));
    if (!open || open + 1 == end || open[1] != 'W') /* E: syntax, which we have told */
        return 0;
    const char *close = memchr(open, ')', (size_t)(end - open));
    if (!close || close + 2 >= end)
        return 0;
    snprintf(place, sizeof place, "%.*s", (int)(number_end - line.data), line.data);
    snprintf(text, sizeof text, "%.*s (luacheck %.*s)", (int)(end - close - 2), close + 2, (int)(close - open - 1), open + 1);
    return check_report_add(r, src, true, slice_str(place), slice_str(text), err);
}

static int take(struct slice all, const struct sources *src, struct check_report *r, struct err *err)
{
    int rc = 0;
    while (all.len && rc == 0) {
        const char *end = memchr(all.data, '\n', all.len);
        size_t n = end ? (size_t)(end - all.data) : all.len;
        rc = take_line(slice_of(all.data, n), src, r, err);
        all = slice_of(all.data + n + (end != NULL), all.len - n - (end != NULL));
    }
    return rc;
}

int luacheck_folder(const char *dir, const struct sources *src, struct slice only, struct check_report *r, struct err *err)
{
    size_t files;
    int fd = -1, status = 0;
    char **list = arguments(dir, src, only, r, &files);
    struct buf out;
    if (!list)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    pid_t child = files ? start(dir, list, &fd) : -1;
    if (child < 0)
        return 0;
    buf_init(&out, NULL);
    read_all(fd, &out);
    close(fd);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    int rc = WIFEXITED(status) && WEXITSTATUS(status) <= 1 ? take(buf_slice(&out), src, r, err) : 0; /* 1: there are warnings */
    buf_release(&out);
    return rc;
}
