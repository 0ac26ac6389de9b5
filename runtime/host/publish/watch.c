#include "host/publish/watch.h"
#include "base/buf.h"
#include "base/map.h"
#include "loop/loop.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The system's events only make us look sooner; what counts is a fingerprint of names, sizes, times and inodes of the files that can be
 * rules. So no kind of change can be missed for longer than LOOK_EVERY_MS: not the swap of a link above a watched folder, not a folder that
 * was replaced, not a filesystem without events. */
enum { QUIET_MS = 150, LOOK_EVERY_MS = 500, DEPTH_MAX = 4, FOLDERS_MAX = 256 };

struct folder {
    struct loop_watch *watch;
    ino_t inode; /* a folder of the same name may be another one */
    dev_t device;
};

struct watch {
    struct loop *loop;
    char root[PATH_MAX];
    void (*fn)(void *ctx);
    void *ctx;
    struct loop_timer *quiet, *look;
    bool waiting;       /* quiet is running */
    uint64_t seen;      /* the fingerprint of the last look */
    uint64_t told;      /* the one that fn was told of */
    struct map folders; /* path → struct folder */
};

/* Two looks that long apart that see the same are rest. Events do not put the second one off: they may come without end, from files that
 * are no rules. */
static void wait_for_rest(struct watch *w)
{
    w->waiting = true;
    loop_timer_start(w->quiet, QUIET_MS, 0);
}

static uint64_t fingerprint(struct watch *w, const char *path, int depth);

static void on_event(void *ctx)
{
    struct watch *w = ctx;
    if (w->waiting)
        return;
    w->seen = fingerprint(w, w->root, 0);
    wait_for_rest(w);
}

/* --- the fingerprint ------------------------------------------------------------------------------------------------------ */

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
    uint64_t parts[2] = { h, hash_bytes(data, len) };
    return hash_bytes(parts, sizeof parts);
}

/* "#x.lua#", ".x.lua.swp", "x.lua~", "4913" are editors' own. */
static bool is_rule_file(const char *name)
{
    size_t n = strlen(name);
    return name[0] != '.' && name[0] != '#' && n > 4 && (strcmp(name + n - 4, ".lua") == 0 || strcmp(name + n - 4, ".csv") == 0);
}

static bool is_rule_folder(const char *name, int depth)
{
    return name[0] != '.' && !(depth == 0 && strcmp(name, "data") == 0);
}

static void watch_folder(struct watch *w, const char *path, const struct stat *st)
{
    struct folder *f = map_get(&w->folders, slice_str(path));
    if (f && f->inode == st->st_ino && f->device == st->st_dev)
        return;
    if (!f) {
        if (w->folders.count >= FOLDERS_MAX || !(f = calloc(1, sizeof *f)))
            return;
        if (!map_set(&w->folders, slice_str(path), f)) {
            free(f);
            return;
        }
    }
    loop_watch_close(f->watch);
    f->watch = NULL;
    f->inode = st->st_ino;
    f->device = st->st_dev;
    loop_watch_open(w->loop, path, on_event, w, &f->watch, NULL); /* without it, the next look sees what changed */
}

/* The sum over the entries does not depend on the order in which they come. */
static uint64_t fingerprint(struct watch *w, const char *path, int depth)
{
    struct stat st;
    DIR *d = opendir(path);
    uint64_t sum = 0;
    if (!d)
        return 0;
    if (fstat(dirfd(d), &st) == 0)
        watch_folder(w, path, &st);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char below[PATH_MAX];
        if (snprintf(below, sizeof below, "%s/%s", path, e->d_name) >= (int)sizeof below || stat(below, &st) < 0)
            continue;
        uint64_t h = mix(0, e->d_name, strlen(e->d_name));
        if (S_ISDIR(st.st_mode) && is_rule_folder(e->d_name, depth) && depth < DEPTH_MAX) {
            uint64_t inside = fingerprint(w, below, depth + 1);
            sum += mix(h, &inside, sizeof inside);
        } else if (S_ISREG(st.st_mode) && is_rule_file(e->d_name)) {
            int64_t facts[] = { (int64_t)st.st_ino, (int64_t)st.st_dev, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec };
            sum += mix(h, facts, sizeof facts);
        }
    }
    closedir(d);
    return sum;
}

/* --- looking ---------------------------------------------------------------------------------------------------------------- */

static void at_rest(void *ctx)
{
    struct watch *w = ctx;
    uint64_t now = fingerprint(w, w->root, 0);
    w->waiting = false;
    if (now != w->seen) { /* it was still moving */
        w->seen = now;
        wait_for_rest(w);
        return;
    }
    if (now == w->told)
        return;
    w->told = now;
    w->fn(w->ctx);
}

static void look(void *ctx)
{
    struct watch *w = ctx;
    uint64_t now = fingerprint(w, w->root, 0);
    if (now == w->seen)
        return;
    w->seen = now;
    wait_for_rest(w);
}

int watch_open(struct loop *loop, const char *shop_dir, void (*fn)(void *ctx), void *ctx, struct watch **out, struct err *err)
{
    *out = NULL;
    struct watch *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    w->loop = loop;
    w->fn = fn;
    w->ctx = ctx;
    snprintf(w->root, sizeof w->root, "%s", shop_dir);
    map_init(&w->folders, NULL);
    w->quiet = loop_timer_new(loop, at_rest, w);
    w->look = loop_timer_new(loop, look, w);
    if (!w->quiet || !w->look) {
        watch_close(w);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    w->seen = w->told = fingerprint(w, w->root, 0);
    loop_timer_start(w->look, LOOK_EVERY_MS, LOOK_EVERY_MS);
    *out = w;
    return 0;
}

void watch_close(struct watch *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->folders.count; i++) {
        struct folder *f = w->folders.entries[i].value;
        loop_watch_close(f->watch);
        free(f);
    }
    map_release(&w->folders);
    loop_timer_free(w->quiet);
    loop_timer_free(w->look);
    free(w);
}
