/* Runs the specs of a shop, with those of its own plugins, or of one plugin, and says how they went. */
#include "cli/cli.h"
#include "cli/report.h"
#include "base/log.h"
#include "host/author/check.h"
#include "host/author/trial.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { GROUPS_MAX = 16, WATCH_EVERY_US = 300000 };
enum { TEST_WATCH, TEST_TAP }; /* options */

struct run {
    struct report report;
    struct buf groups; /* "mugs: the blue one: " */
    size_t marks[GROUPS_MAX];
    int depth;
    struct log *log;
};

/* --- results ------------------------------------------------------------------------------------------------------------ */

static void on_result(void *ctx, struct slice name, bool passed, struct slice message)
{
    struct run *r = ctx;
    report_result(&r->report, buf_slice(&r->groups), name, passed, message);
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

/* where: a shop's or a plugin's folder; file: "test/first.lua" in it; shown: how the results name it. */
static int run_file(struct run *r, const char *where, const char *file, const char *shown, struct err *err)
{
    char path[PATH_MAX];
    struct buf source;
    struct trial_events events = { r, on_enter, on_leave, on_result };
    if (snprintf(path, sizeof path, "%s/%s", where, file) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "The path is too long.");
    buf_init(&source, NULL);
    buf_clear(&r->groups);
    r->depth = 0;
    r->report.file = shown;
    int rc = cli_read_file(path, &source, err);
    if (rc == 0 && (rc = trial_run(where, buf_slice(&source), file, &events, r->log, err)) < 0) {
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

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* prefix: "plugins/invite/" before the names of its specs, "" for those of the folder that was asked for. *count: how many there are. */
static int run_folder(struct run *r, const char *where, const char *prefix, int *count, struct err *err)
{
    char path[PATH_MAX];
    struct dirent **list = NULL;
    if (snprintf(path, sizeof path, "%s/test", where) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "The path is too long.");
    int n = scandir(path, &list, is_spec, alphasort), rc = 0;
    if (n < 0 && errno != ENOENT && errno != ENOTDIR)
        return err_set(err, ERR_IO, "\"%s\" can't be read: %s.", path, strerror(errno));
    for (int i = 0; i < n; i++) {
        char file[NAME_MAX + 8], shown[2 * NAME_MAX + 32];
        snprintf(file, sizeof file, "test/%s", list[i]->d_name);
        snprintf(shown, sizeof shown, "%s%s", prefix, file);
        if (rc == 0)
            rc = run_file(r, where, file, shown, err);
        free(list[i]);
    }
    free(list);
    *count += n > 0 ? n : 0;
    return rc;
}

/* The plugins of the shop's own, each in a shop made up for it. */
static int run_plugins(struct run *r, const char *shop, int *count, struct err *err)
{
    char path[PATH_MAX];
    struct dirent **list = NULL;
    if (snprintf(path, sizeof path, "%s/plugins", shop) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "The path is too long.");
    int n = scandir(path, &list, is_visible, alphasort), rc = 0;
    for (int i = 0; i < n; i++) {
        char where[PATH_MAX], prefix[NAME_MAX + 16];
        snprintf(prefix, sizeof prefix, "plugins/%s/", list[i]->d_name);
        if (rc == 0 && snprintf(where, sizeof where, "%s/plugins/%s", shop, list[i]->d_name) < (int)sizeof where)
            rc = run_folder(r, where, prefix, count, err);
        free(list[i]);
    }
    free(list);
    return rc;
}

static int run_all(struct run *r, const char *where, struct err *err)
{
    int count = 0;
    int rc = run_folder(r, where, "", &count, err);
    if (rc == 0)
        rc = run_plugins(r, where, &count, err);
    if (rc == 0 && count == 0)
        return err_set(err, ERR_NOT_FOUND, "There are no specs in \"%s\"; write test/first.lua there, see: feira help test", where);
    return rc;
}

/* What is broken has problems to read, not tests that fail. */
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

static int run_once(const char *shop, const char *only, bool tap, struct log *log)
{
    struct run r = { .log = log };
    struct err err = { 0 };
    bool whole = false;
    int rc = shop_is_whole(shop, &whole, &err);
    if (rc < 0)
        return cli_fail(&err);
    if (!whole) {
        fprintf(stderr, "feira: the files are broken; the specs did not run. See: feira check %s\n", shop);
        return EXIT_BROKEN;
    }
    buf_init(&r.groups, NULL);
    report_begin(&r.report, tap);
    rc = only ? run_file(&r, shop, only, only, &err) : run_all(&r, shop, &err);
    report_end(&r.report);
    buf_release(&r.groups);
    return rc < 0 ? cli_fail(&err) : r.report.failed ? EXIT_FAILED : EXIT_DONE;
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
        return cli_fail((err_set(&err, ERR_NOT_FOUND, "There is nothing at \"%s\"; name a shop's folder, a plugin's, or one of its specs.",
                                 a->positional[0]),
                         &err));
    char file[NAME_MAX + 8];
    if (!S_ISDIR(st.st_mode)) { /* SHOP/test/NAME.lua */
        char *name = strrchr(shop, '/');
        snprintf(file, sizeof file, "test/%s", name + 1);
        *name = '\0';
        char *folder = strrchr(shop, '/');
        if (!folder || strcmp(folder, "/test") != 0)
            return cli_fail(
                (err_set(&err, ERR_NOT_FOUND, "\"%s\" is no spec; those are in the folder test/ of a shop or a plugin.", a->positional[0]),
                 &err));
        *folder = '\0';
        only = file;
    }
    bool tap = report_wants_tap(a->values[TEST_TAP] != NULL);
    struct log *log = log_open(STDERR_FILENO, LOG_HUMAN, LOG_WARN, clock_system());
    int code = run_once(shop, only, tap, log);
    for (uint64_t before = signature(shop, 0); a->values[TEST_WATCH];) {
        usleep(WATCH_EVERY_US);
        uint64_t now = signature(shop, 0);
        if (now == before)
            continue;
        before = now;
        printf("\n");
        code = run_once(shop, only, tap, log);
    }
    log_close(log);
    return code;
}
