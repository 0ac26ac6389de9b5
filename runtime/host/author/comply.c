#include "host/author/comply.h"
#include "base/buf.h"
#include "base/clock.h"
#include "bind/bind.h"
#include "host/author/check.h"
#include "host/publish/price_history.h"
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include "host/publish/submission.h"
#include "rulebook/plugin_set.h"
#include "store/store.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct desk {                                            /* a shop, as somebody has it before him */
    char dir[PATH_MAX], only[PATH_MAX], draft[PATH_MAX]; /* only: "campaigns/tea.lua"; draft: where that is, when not in the shop */
    struct rulebook_options rules;
    struct symbols *symbols;
    struct store *store;
    struct store_conn *conn;
    struct catalogue *catalogue;
    struct generation *before, *g;
};

void comply_report_init(struct comply_report *r)
{
    *r = (struct comply_report){ .history = "" };
    arena_init(&r->arena, NULL, 0);
    check_report_init(&r->files);
}

void comply_report_release(struct comply_report *r)
{
    check_report_release(&r->files);
    arena_release(&r->arena);
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory.");
}

/* --- where ------------------------------------------------------------------------------------------------------------------------ */

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int nothing_at(const char *path, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "There is nothing at \"%s\"; name a shop's folder, or a file of campaigns.", path);
}

/* SHOP/campaigns/tea.lua, or a draft with its shop beside it on the command line. */
static int find_file(struct desk *d, const char *real, const char *shop, struct err *err)
{
    const char *slash = strrchr(real, '/');
    int n = snprintf(d->only, sizeof d->only, "campaigns/%s", slash ? slash + 1 : real);
    if (n >= (int)sizeof d->only)
        return nothing_at(real, err);
    if (shop) {
        snprintf(d->draft, sizeof d->draft, "%s", real);
        return realpath(shop, d->dir) && is_folder(d->dir) ? 0 : nothing_at(shop, err);
    }
    snprintf(d->dir, sizeof d->dir, "%.*s", (int)(slash - real), real);
    char *folder = strrchr(d->dir, '/');
    if (!folder || strcmp(folder, "/campaigns") != 0)
        return err_set(err, ERR_NOT_FOUND, "%s is in no shop's folder campaigns/; say which shop it is for: --in SHOP.", real);
    *folder = '\0';
    return 0;
}

static int find(struct desk *d, const char *path, const char *shop, struct err *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return nothing_at(path, err);
    if (!is_folder(real))
        return find_file(d, real, shop, err);
    snprintf(d->dir, sizeof d->dir, "%s", real);
    return 0;
}

static int read_draft(const char *path, struct buf *out, struct err *err)
{
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return nothing_at(path, err);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && out->len < 2 << 20)
        buf_add(out, chunk, n);
    fclose(f);
    return out->failed ? nomem(err) : 0;
}

/* The shop's files, with the draft among them or in place of the file of its name. */
static int with_draft(const struct desk *d, struct sources *shop, struct sources **out, struct err *err)
{
    struct buf text;
    size_t n = 0, count = sources_count(shop);
    struct source_file *files = calloc(count + 1, sizeof *files);
    buf_init(&text, NULL);
    int rc = files ? read_draft(d->draft, &text, err) : nomem(err);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (!slice_is(sources_at(shop, i)->path, d->only))
            files[n++] = *sources_at(shop, i);
    if (rc == 0) {
        files[n++] = (struct source_file){ slice_str(d->only), buf_slice(&text) };
        rc = sources_make(files, n, out, err);
    }
    buf_release(&text);
    free(files);
    return rc;
}

static int read_sources(const struct desk *d, struct sources **out, struct err *err)
{
    struct sources *shop;
    int rc = sources_read(d->dir, &shop, err);
    if (rc < 0 || !d->draft[0]) {
        *out = rc < 0 ? NULL : shop;
        return rc;
    }
    rc = with_draft(d, shop, out, err);
    sources_free(shop);
    return rc;
}

/* --- what is known ---------------------------------------------------------------------------------------------------------------- */

static const char *say(struct comply_report *r, const char *fmt, const char *what)
{
    struct slice text = arena_printf(&r->arena, fmt, what);
    const char *kept = text.data ? arena_strdup(&r->arena, text) : NULL;
    return kept ? kept : "";
}

/* What was live last; none, or one that can't be built any more, is as if nothing was. */
static void read_live(struct desk *d)
{
    char id[GENERATION_ID_MAX];
    struct sources *src;
    struct err ignored;
    if (revision_before(d->conn, "", id, &ignored) < 0 || revision_load(d->conn, slice_str(id), &src, &ignored) < 0)
        return;
    if (generation_build(&d->rules, src, &d->before, &ignored) < 0) {
        sources_free(src);
        d->before = NULL;
    }
}

static int read_store(struct desk *d, const char *path, struct err *err)
{
    struct store_options o = { .path = path, .read_only = true, .migrations = bind_core_migrations() };
    int rc = store_open(&o, &d->store, err);
    if (rc == 0)
        rc = store_reader_open(d->store, &d->conn, err);
    if (rc == 0 && !(d->catalogue = catalogue_new(d->symbols)))
        rc = nomem(err);
    return rc < 0 ? rc : catalogue_load(d->catalogue, d->conn, err);
}

/* Data that can't be read is no reason not to look at the files. */
static int open_history(struct desk *d, const char *data_dir, struct comply_report *r, struct err *err)
{
    char path[PATH_MAX + 32];
    struct err why = { 0 };
    struct stat st;
    snprintf(path, sizeof path, data_dir ? "%.*s/shop.db" : "%.*s/data/shop.db", PATH_MAX, data_dir ? data_dir : d->dir);
    if (stat(path, &st) < 0) {
        r->history = say(r, "There is no data at %s: nothing is known of prices, and everything counts as new.", path);
        return 0;
    }
    int rc = read_store(d, path, &why);
    if (rc == ERR_NOMEM)
        return nomem(err);
    if (rc < 0) {
        r->history = say(r, "The shop's data could not be read, so nothing is known of prices: %s", why.text);
        return 0;
    }
    read_live(d);
    r->has_history = true;
    r->history = say(r, "Held against what was live last and the prices in %s.", path);
    return 0;
}

/* --- asking ----------------------------------------------------------------------------------------------------------------------- */

static struct slice text_of(const struct json_value *v, const char *key)
{
    struct slice text = { "", 0 };
    json_is_string(json_get(v, key), &text);
    return text;
}

static bool is_asked_for(const struct desk *d, const struct json_value *finding)
{
    struct slice at = text_of(finding, "at");
    size_t n = strlen(d->only);
    return n == 0 || (at.len > n && memcmp(at.data, d->only, n) == 0 && at.data[n] == ':');
}

static struct json_value *kept_copy(const struct json_value *v, struct arena *a)
{
    struct buf b;
    struct json_writer w;
    struct json_value *out = NULL;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    struct slice text = b.failed ? (struct slice){ 0 } : arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return text.data && json_parse(text, NULL, a, &out, NULL) == 0 ? out : NULL;
}

static int count(struct comply_report *r, const struct desk *d, const struct submission *found, struct err *err)
{
    struct json_value *last = NULL;
    r->findings = json_new(&r->arena, JSON_ARRAY);
    for (const struct json_value *f = found->found.list->first; f && r->findings; f = f->next) {
        struct slice level = text_of(f, "level");
        if (!is_asked_for(d, f))
            continue;
        struct json_value *copy = kept_copy(f, &r->arena);
        if (!copy)
            return nomem(err);
        json_append(r->findings, last, copy);
        last = copy;
        r->blocks += slice_is(level, "block");
        r->warnings += slice_is(level, "warn");
        r->labels += slice_is(level, "label");
    }
    return r->findings ? 0 : nomem(err);
}

static size_t count_checks(const struct generation *g)
{
    size_t n, all = 0;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_CHECK, &n);
    for (size_t i = 0; i < n; i++)
        all += refs[i].hook->at == AT_SUBMISSION;
    return all;
}

static int ask(struct desk *d, struct comply_report *r, struct err *err)
{
    struct submission found;
    const struct clock *clock = clock_system();
    struct price_history prices = {
        d->conn, d->catalogue ? catalogue_acquire(d->catalogue) : NULL, d->symbols, clock_wall_ms(clock), 0, 0
    };
    submission_init(&found);
    found.prices = r->has_history ? &prices : NULL;
    r->checks = count_checks(d->g);
    int rc = submission_check(d->g, d->before, &found, err);
    if (rc == 0)
        rc = count(r, d, &found, err);
    submission_release(&found);
    catalogue_release(prices.catalogue);
    return rc;
}

/* src is used up. What can't be built has its mistakes in the report. */
static int look(struct desk *d, struct sources *src, const char *data_dir, struct comply_report *r, struct err *err)
{
    int rc = check_sources(&d->rules, src, slice_str(d->only), &r->files, err);
    if (rc < 0 || r->files.errors) {
        sources_free(src);
        return rc;
    }
    rc = generation_build(&d->rules, src, &d->g, err);
    if (rc < 0) { /* another file than the one that was asked for is wrong */
        sources_free(src);
        return rc;
    }
    rc = open_history(d, data_dir, r, err);
    return rc < 0 ? rc : ask(d, r, err);
}

static void leave(struct desk *d)
{
    generation_unref(d->g);
    generation_unref(d->before);
    catalogue_free(d->catalogue);
    store_reader_close(d->conn);
    store_close(d->store);
    symbols_free(d->symbols);
}

int host_comply(const char *path, const char *shop, const char *data_dir, struct comply_report *r, struct err *err)
{
    struct desk *d = calloc(1, sizeof *d);
    struct sources *src;
    if (!d || !(d->symbols = symbols_new(NULL))) {
        free(d);
        return nomem(err);
    }
    d->rules = check_rules(d->symbols);
    int rc = find(d, path, shop, err);
    if (rc == 0)
        rc = read_sources(d, &src, err);
    if (rc == 0)
        rc = look(d, src, data_dir, r, err);
    leave(d);
    free(d);
    return rc;
}
