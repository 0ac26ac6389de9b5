/* Runs the specs of a shop and says how they went, in the form that test runners read (TAP 13). */
#include "cli/cli.h"
#include "base/log.h"
#include "host/check.h"
#include "host/trial.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS_MAX = 16, WATCH_EVERY_US = 300000 };

struct run {
    const char *shop, *file; /* "test/first.lua" */
    long passed, failed;
    struct buf groups; /* "mugs: the blue one: " */
    size_t marks[GROUPS_MAX];
    int depth;
    struct log *log;
};

/* --- TAP --------------------------------------------------------------------------------------------------------------- */

static void print_comment(struct slice text)
{
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        printf("  # %.*s\n", (int)n, text.data);
        text = slice_of(text.data + n + (end ? 1 : 0), text.len - n - (end ? 1 : 0));
    }
}

/* A test's name is one line, and "#" would begin a directive. */
static void print_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '#')
            putchar('\\');
        putchar(c < 0x20 ? ' ' : c);
    }
}

static void on_result(void *ctx, struct slice name, bool passed, struct slice message)
{
    struct run *r = ctx;
    *(passed ? &r->passed : &r->failed) += 1;
    printf("%s %ld - %s: ", passed ? "ok" : "not ok", r->passed + r->failed, r->file);
    print_name(buf_slice(&r->groups));
    print_name(name);
    putchar('\n');
    print_comment(message);
    fflush(stdout);
}

static void on_enter(void *ctx, struct slice name)
{
    struct run *r = ctx;
    if (r->depth < GROUPS_MAX)
        r->marks[r->depth] = r->groups.len;
    r->depth++;
    if (r->depth <= GROUPS_MAX)
        buf_printf(&r->groups, "%.*s: ", SLICE_FMT(name));
}

static void on_leave(void *ctx)
{
    struct run *r = ctx;
    if (--r->depth < GROUPS_MAX)
        r->groups.len = r->marks[r->depth];
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

static int run_file(struct run *r, const char *file, struct err *err)
{
    char path[PATH_MAX];
    struct buf source;
    struct trial_events events = { r, on_enter, on_leave, on_result };
    if (snprintf(path, sizeof path, "%s/%s", r->shop, file) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "The path is too long.");
    buf_init(&source, NULL);
    buf_clear(&r->groups);
    r->depth = 0;
    r->file = file;
    int rc = cli_read_file(path, &source, err);
    if (rc == 0 && (rc = trial_run(r->shop, buf_slice(&source), file, &events, r->log, err)) < 0) {
        if (rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP || rc == ERR_INVALID) {
            buf_clear(&r->groups);
            on_result(r, SLICE_LIT("the file runs to its end"), false, slice_str(err->text));
            rc = 0;
        }
    }
    buf_release(&source);
    return rc;
}

static int is_spec(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return e->d_name[0] != '.' && n > 4 && strcmp(e->d_name + n - 4, ".lua") == 0;
}

static int run_folder(struct run *r, struct err *err)
{
    char path[PATH_MAX];
    struct dirent **list = NULL;
    snprintf(path, sizeof path, "%s/test", r->shop);
    int n = scandir(path, &list, is_spec, alphasort), rc = 0;
    if (n < 0 && errno != ENOENT)
        return err_set(err, ERR_IO, "\"%s\" can't be read: %s.", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char file[NAME_MAX + 8];
        snprintf(file, sizeof file, "test/%s", list[i]->d_name);
        if (rc == 0)
            rc = run_file(r, file, err);
        free(list[i]);
    }
    free(list);
    if (rc == 0 && n <= 0)
        return err_set(err, ERR_NOT_FOUND, "There are no specs in \"%s\"; write test/first.lua there, see: feira help test", r->shop);
    return rc;
}

/* A shop that is broken has problems to read, not tests that fail. */
static int shop_is_whole(const char *shop, bool *whole, struct err *err)
{
    struct check_report r;
    enum check_kind kind;
    check_report_init(&r);
    int rc = host_check(shop, &kind, &r, err);
    *whole = r.errors == 0;
    for (size_t i = 0; i < r.count && rc == 0; i++)
        if (!r.list[i].is_warning)
            fprintf(stderr, "%.*s:%ld: error: %.*s\n", SLICE_FMT(r.list[i].path), r.list[i].line, SLICE_FMT(r.list[i].text));
    check_report_release(&r);
    return rc;
}

static int run_once(const char *shop, const char *only, struct log *log)
{
    struct run r = { .shop = shop, .log = log };
    struct err err = { 0 };
    bool whole = false;
    int rc = shop_is_whole(shop, &whole, &err);
    if (rc < 0)
        return cli_fail(&err);
    if (!whole) {
        fprintf(stderr, "feira: the shop's files are broken; its specs did not run. See: feira check %s\n", shop);
        return EXIT_BROKEN;
    }
    buf_init(&r.groups, NULL);
    printf("TAP version 13\n");
    rc = only ? run_file(&r, only, &err) : run_folder(&r, &err);
    printf("1..%ld\n# %ld passed, %ld failed\n", r.passed + r.failed, r.passed, r.failed);
    fflush(stdout);
    buf_release(&r.groups);
    return rc < 0 ? cli_fail(&err) : r.failed ? EXIT_FAILED : EXIT_DONE;
}

/* --- watching ---------------------------------------------------------------------------------------------------------- */

/* Of everything an editor may have changed: names, sizes and times. What the shop writes itself is left out. */
static uint64_t signature(const char *folder, int depth)
{
    enum { DEPTH_MAX = 6 };
    uint64_t seen = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char path[PATH_MAX];
        struct stat st;
        if (e->d_name[0] == '.' || (depth == 0 && strcmp(e->d_name, "data") == 0) ||
            snprintf(path, sizeof path, "%s/%s", folder, e->d_name) >= (int)sizeof path || stat(path, &st) < 0)
            continue;
        uint64_t one = (uint64_t)st.st_ino * 31 + (uint64_t)st.st_size;
        if (S_ISDIR(st.st_mode))
            one = depth < DEPTH_MAX ? signature(path, depth + 1) : 0;
        else
            one = one * 1000003 + (uint64_t)st.st_mtim.tv_sec * 1000000007 + (uint64_t)st.st_mtim.tv_nsec;
        seen += one; /* whatever order the folder is read in */
    }
    if (d)
        closedir(d);
    return seen;
}

int cmd_test(const struct cli_args *a)
{
    char shop[PATH_MAX], *only = NULL;
    struct stat st;
    struct err err = { 0 };
    if (!realpath(a->positional[0], shop) || stat(shop, &st) < 0)
        return cli_fail((err_set(&err, ERR_NOT_FOUND, "There is nothing at \"%s\"; name a shop's folder.", a->positional[0]), &err));
    char file[NAME_MAX + 8];
    if (!S_ISDIR(st.st_mode)) { /* SHOP/test/NAME.lua */
        char *name = strrchr(shop, '/');
        snprintf(file, sizeof file, "test/%s", name + 1);
        *name = '\0';
        char *folder = strrchr(shop, '/');
        if (!folder || strcmp(folder, "/test") != 0)
            return cli_fail(
                (err_set(&err, ERR_NOT_FOUND, "\"%s\" is no spec; those are in the folder test/ of a shop.", a->positional[0]), &err));
        *folder = '\0';
        only = file;
    }
    struct log *log = log_open(STDERR_FILENO, LOG_HUMAN, LOG_WARN, clock_system());
    int code = run_once(shop, only, log);
    for (uint64_t before = signature(shop, 0); a->values[0];) {
        usleep(WATCH_EVERY_US);
        uint64_t now = signature(shop, 0);
        if (now == before)
            continue;
        before = now;
        printf("\n");
        code = run_once(shop, only, log);
    }
    log_close(log);
    return code;
}
