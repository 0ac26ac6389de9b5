#include "rulebook/check.h"
#include "base/utf8.h"
#include "rulebook/catalogue.h"
#include "rulebook/locate.h"
#include "rulebook/plugin_set.h"
#include "rulebook/rulebook_int.h"
#include "rulebook/uses.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SOURCE_LINE_MAX = 160, SOURCE_FILES_MAX = 10000 };

void check_report_init(struct check_report *r)
{
    *r = (struct check_report){ 0 };
    arena_init(&r->arena, NULL, 0);
}

void check_report_release(struct check_report *r)
{
    arena_release(&r->arena);
    free(r->list);
    *r = (struct check_report){ 0 };
}

/* --- problems --------------------------------------------------------------------------------------------------------- */

struct checking {
    const struct rulebook_options *options;
    const struct sources *sources;
    struct check_report *report;
    struct vm *vm; /* for reading files that are not run */
    struct slice file;
};

static struct slice line_text(const struct sources *src, struct slice path, long line)
{
    const struct source_file *f = sources_find(src, path);
    struct slice text = { "", 0 };
    if (line > 0 && f && excerpt_line(f->text, line, &text))
        text.len = utf8_cut(text, SOURCE_LINE_MAX);
    if (text.len && text.data[text.len - 1] == '\r')
        text.len--;
    return text;
}

static void add(struct checking *c, bool is_warning, struct slice path, long line, struct slice text)
{
    struct check_report *r = c->report;
    if (r->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 32;
        struct check_problem *grown = realloc(r->list, cap * sizeof *grown);
        r->failed = r->failed || !grown;
        if (!grown)
            return;
        r->list = grown;
        r->cap = cap;
    }
    struct check_problem p = { is_warning, arena_copy(&r->arena, path), line, arena_copy(&r->arena, text),
                               arena_copy(&r->arena, line_text(c->sources, path, line)) };
    if (!p.path.data || !p.text.data || !p.source_line.data) {
        r->failed = true;
        return;
    }
    r->list[r->count++] = p;
    *(is_warning ? &r->warnings : &r->errors) += 1;
}

__attribute__((format(printf, 5, 6))) static void addf(struct checking *c, bool is_warning, struct slice path, long line, const char *fmt,
                                                       ...)
{
    char text[600];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    add(c, is_warning, path, line, slice_str(text));
}

/* "campaigns/tea.lua:7: what to do\n    7 | the line" in its parts; without a place it is about `file`. */
static void add_err(struct checking *c, struct slice file, const struct err *err)
{
    struct slice path, text = slice_str(err->text);
    long line = 0;
    if (excerpt_place(err->text, &path, &line) && sources_find(c->sources, path)) {
        const char *rest = path.data + path.len + 1;
        rest += strcspn(rest, ":") + 1;
        while (*rest == ' ')
            rest++;
        text = slice_str(rest);
    } else {
        path = file;
        line = 0;
        if (text.len > file.len + 2 && memcmp(text.data, file.data, file.len) == 0 && text.data[file.len] == ':')
            text = slice_of(text.data + file.len + 2, text.len - file.len - 2);
    }
    const char *excerpt = memchr(text.data, '\n', text.len);
    if (excerpt)
        text.len = (size_t)(excerpt - text.data);
    for (size_t i = 0; i < c->report->count; i++)
        if (line > 0 && c->report->list[i].line == line && slice_eq(c->report->list[i].path, path))
            return; /* a global that nobody made, and then what it led to */
    add(c, false, path, line, text);
}

/* Of the machine, not of a file. */
static bool is_ours(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_INTERNAL || rc == ERR_IO;
}

static int by_place(const void *a, const void *b)
{
    const struct check_problem *p = a, *q = b;
    int d = slice_cmp(p->path, q->path);
    return d ? d : (p->line > q->line) - (p->line < q->line);
}

static int finish(struct check_report *r, int rc, struct err *err)
{
    if (r->count)
        qsort(r->list, r->count, sizeof *r->list, by_place);
    return rc == 0 && r->failed ? err_set(err, ERR_NOMEM, "out of memory while listing problems") : rc;
}

int check_report_add(struct check_report *r, const struct sources *src, bool is_warning, struct slice at, struct slice text,
                     struct err *err)
{
    struct checking c = { .sources = src, .report = r };
    const char *colon = memchr(at.data, ':', at.len);
    add(&c, is_warning, slice_of(at.data, colon ? (size_t)(colon - at.data) : at.len), colon ? atol(colon + 1) : 0, text);
    return finish(r, 0, err);
}

/* --- what can be seen without running -------------------------------------------------------------------------------- */

static bool is_lua(struct slice path)
{
    return path.len > 4 && memcmp(path.data + path.len - 4, ".lua", 4) == 0;
}

static bool is_campaign(struct slice path)
{
    return is_lua(path) && path.len > 10 && memcmp(path.data, "campaigns/", 10) == 0;
}

static const char *instead_of(struct slice name)
{
    static const struct {
        const char *name, *instead;
    } known[] = {
        { "print", "try rules in a spec (feira test); a procedure may log with require(\"feira.log\").info(...)" },
        { "os", "a rule's clock is cart.now, that of other code require(\"feira.time\").now()" },
        { "io", "files can't be read; a table beside a campaign is promo.data \"name.csv\"" },
        { "next", "to look whether a table is empty write a loop with pairs()" },
        { "load", "code can't make code" },
        { "loadstring", "code can't make code" },
        { "dofile", "use require, of the stdlib and of a plugin's own files" },
        { "loadfile", "use require, of the stdlib and of a plugin's own files" },
        { "xpcall", "use pcall" },
        { "debug", "there is nothing to look at from inside" },
        { "package", "use require, of the stdlib and of a plugin's own files" },
        { "collectgarbage", "memory looks after itself" },
        { "unpack", "write table.unpack" },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (slice_is(name, known[i].name))
            return known[i].instead;
    return NULL;
}

static void on_global(void *ctx, const struct vm_global *g)
{
    struct checking *c = ctx;
    const char *instead = instead_of(g->name);
    if (g->is_write)
        addf(c, false, c->file, g->line,
             "global '%.*s' is assigned inside of a function; nothing is remembered between calls, write `local %.*s = ...`",
             SLICE_FMT(g->name), SLICE_FMT(g->name));
    else if (instead)
        addf(c, false, c->file, g->line, "there is no '%.*s' in the sandbox; %s", SLICE_FMT(g->name), instead);
    else if (g->near)
        addf(c, false, c->file, g->line, "there is no global '%.*s'; did you mean '%s'?", SLICE_FMT(g->name), g->near);
    else
        addf(c, false, c->file, g->line, "there is no global '%.*s'; write `local %.*s = ...` above, or require what has it",
             SLICE_FMT(g->name), SLICE_FMT(g->name));
}

/* Syntax and globals. */
static int read_file(struct checking *c, const struct source_file *f, struct err *err)
{
    char *name = arena_strdup(&c->report->arena, f->path);
    if (!name)
        return err_set(err, ERR_NOMEM, "out of memory while reading a file");
    c->file = f->path;
    c->report->files++;
    int rc = vm_unknown_globals(c->vm, f->text, name, on_global, c, err);
    if (rc < 0 && !is_ours(rc)) {
        add_err(c, f->path, err);
        rc = 0;
    }
    return rc;
}

static bool has_error(const struct check_report *r, struct slice path)
{
    for (size_t i = 0; i < r->count; i++)
        if (!r->list[i].is_warning && slice_eq(r->list[i].path, path))
            return true;
    return false;
}

/* --- what a server would do ------------------------------------------------------------------------------------------- */

/* The shop with no campaign but `path` ("": none); each is built alone, so that one that is broken does not hide the others. */
static int build_with(struct checking *c, struct slice path, struct generation **out, struct err *err)
{
    size_t n = 0, count = sources_count(c->sources);
    struct source_file *files = calloc(count ? count : 1, sizeof *files);
    struct sources *some = NULL;
    *out = NULL;
    if (!files)
        return err_set(err, ERR_NOMEM, "out of memory while checking");
    for (size_t i = 0; i < count; i++) {
        const struct source_file *f = sources_at(c->sources, i);
        if (!is_campaign(f->path) || slice_eq(f->path, path))
            files[n++] = *f;
    }
    int rc = sources_make(files, n, &some, err);
    free(files);
    struct rulebook_options partial = *c->options;
    partial.partial = true;
    if (rc == 0)
        rc = generation_build(&partial, some, out, err);
    if (rc < 0)
        sources_free(some);
    return rc;
}

static int try_build(struct checking *c, struct slice path, struct slice blame, struct err *err)
{
    struct generation *g;
    int rc = build_with(c, path, &g, err);
    generation_unref(g);
    if (rc < 0 && !is_ours(rc)) {
        add_err(c, blame, err);
        rc = 0;
    }
    return rc;
}

static int try_all(struct checking *c, struct err *err)
{
    struct source_file *files = calloc(sources_count(c->sources) + 1, sizeof *files);
    struct sources *copy = NULL;
    struct generation *g = NULL;
    if (!files)
        return err_set(err, ERR_NOMEM, "out of memory while checking");
    for (size_t i = 0; i < sources_count(c->sources); i++)
        files[i] = *sources_at(c->sources, i);
    int rc = sources_make(files, sources_count(c->sources), &copy, err);
    free(files);
    if (rc == 0 && (rc = generation_build(c->options, copy, &g, err)) < 0)
        sources_free(copy);
    generation_unref(g);
    if (rc < 0 && !is_ours(rc)) {
        add_err(c, SLICE_LIT("shop.lua"), err);
        rc = 0;
    }
    return rc;
}

/* --- campaigns that are functions ---------------------------------------------------------------------------------------- */

static bool is_function(const struct json_value *v)
{
    return v && v->type == JSON_OBJECT && json_get(v, "fn");
}

static bool has_function(const struct json_value *v)
{
    if (is_function(v))
        return true;
    for (const struct json_value *m = v && v->type == JSON_ARRAY ? v->first : NULL; m; m = m->next)
        if (is_function(m))
            return true;
    return false;
}

/* Some condition that the index can ask without calling a function. */
static bool is_narrowed(const struct json_value *campaign)
{
    if (json_get(campaign, "scope") || json_get(campaign, "codes") || json_get(campaign, "window"))
        return true;
    const struct json_value *when = json_get(campaign, "when");
    if (!when || is_function(when))
        return false;
    if (when->type != JSON_ARRAY)
        return true;
    for (const struct json_value *m = when->first; m; m = m->next)
        if (!is_function(m))
            return true;
    return false;
}

static void look_at_campaign(struct checking *c, const struct source_file *f, const struct json_value *campaign)
{
    if (campaign->type != JSON_OBJECT || is_narrowed(campaign) ||
        !(has_function(json_get(campaign, "give")) || has_function(json_get(campaign, "when"))))
        return;
    struct slice at = { "", 0 }, id = SLICE_LIT("?");
    json_is_string(json_get(campaign, "at"), &at);
    json_is_string(json_get(campaign, "id"), &id);
    long line = at.len > f->path.len + 1 ? atol(at.data + f->path.len + 1) : 1;
    addf(c, true, f->path, line,
         "campaign \"%.*s\" calls a function for every cart there is; give it a scope, codes or a when that is no function, so that carts "
         "it "
         "does not concern cost nothing",
         SLICE_FMT(id));
}

static int look_at_functions(struct checking *c, const struct source_file *f, struct err *err)
{
    struct vm *vm;
    struct arena arena;
    struct json_value *v = NULL;
    vm_ref ref = 0;
    int rc = c->options->open_vm(c->options->ctx, &vm, err);
    if (rc < 0)
        return rc;
    arena_init(&arena, NULL, 0);
    char *name = arena_strdup(&arena, f->path);
    vm_set_data(vm, table_read, (void *)(uintptr_t)c->sources);
    /* It loaded before: what it can't do alone is the business of the build. */
    if (name && vm_run(vm, f->text, name, &ref, NULL) == 0 && vm_to_json(vm, ref, &arena, &v, NULL) == 0 && v->type == JSON_ARRAY)
        for (const struct json_value *m = v->first; m; m = m->next)
            look_at_campaign(c, f, m);
    else if (v)
        look_at_campaign(c, f, v);
    if (c->options->close_vm)
        c->options->close_vm(c->options->ctx, vm);
    else
        vm_close(vm);
    arena_release(&arena);
    return 0;
}

/* --- what code of plugins touches ---------------------------------------------------------------------------------------- */

static void on_use(void *ctx, long line, const char *text)
{
    struct checking *c = ctx;
    addf(c, false, c->file, line, "%s", text);
}

/* Its own files lie beside plugin.lua: "" or "plugins/invite/". Of those that can't be read there is something else to say. */
static void check_uses(struct checking *c, const struct manifest *m, struct slice folder)
{
    for (size_t i = 0; i < sources_count(c->sources); i++) {
        const struct source_file *f = sources_at(c->sources, i);
        if (!is_lua(f->path) || f->path.len <= folder.len || memcmp(f->path.data, folder.data, folder.len) != 0)
            continue;
        struct slice name = slice_of(f->path.data + folder.len, f->path.len - folder.len);
        if (memchr(name.data, '/', name.len) || slice_is(name, "plugin.lua") || has_error(c->report, f->path))
            continue;
        c->file = f->path;
        uses_check(m, f->text, on_use, c);
    }
}

/* The plugins of a shop; what is wrong with a manifest is said where it is read. */
static void check_uses_of_all(struct checking *c)
{
    static const char head[] = "plugins/", tail[] = "/plugin.lua";
    for (size_t i = 0; i < sources_count(c->sources); i++) {
        const struct source_file *f = sources_at(c->sources, i);
        size_t n = f->path.len, t = sizeof tail - 1;
        char path[256];
        struct manifest *m;
        if (n <= sizeof head + t || n >= sizeof path || memcmp(f->path.data, head, sizeof head - 1) != 0 ||
            memcmp(f->path.data + n - t, tail, t) != 0)
            continue;
        snprintf(path, sizeof path, "%.*s", SLICE_FMT(f->path));
        if (manifest_read(f->text, path, NULL, &m, NULL) < 0)
            continue;
        check_uses(c, m, slice_of(f->path.data, n - t + 1));
        manifest_free(m);
    }
}

/* --- a shop -------------------------------------------------------------------------------------------------------------- */

static int check_campaigns(struct checking *c, struct slice only, struct err *err)
{
    bool whole = true;
    int rc = 0;
    for (size_t i = 0; i < sources_count(c->sources) && rc == 0; i++) {
        const struct source_file *f = sources_at(c->sources, i);
        if (!is_campaign(f->path) || (only.len && !slice_eq(f->path, only)))
            continue;
        rc = try_build(c, f->path, f->path, err);
        if (rc == 0 && !has_error(c->report, f->path))
            rc = look_at_functions(c, f, err);
        whole = whole && !has_error(c->report, f->path);
    }
    return rc == 0 && whole && !only.len ? try_all(c, err) : rc; /* what is wrong only between files: two of one id */
}

static void close_reader(struct checking *c)
{
    if (!c->vm)
        return;
    if (c->options->close_vm)
        c->options->close_vm(c->options->ctx, c->vm);
    else
        vm_close(c->vm);
}

int check_sources(const struct rulebook_options *o, const struct sources *src, struct slice only, struct check_report *r, struct err *err)
{
    struct checking c = { .options = o, .sources = src, .report = r };
    int rc = o->open_vm(o->ctx, &c.vm, err);
    for (size_t i = 0; i < sources_count(src) && rc == 0; i++) {
        const struct source_file *f = sources_at(src, i);
        if (is_lua(f->path) && (!only.len || !is_campaign(f->path) || slice_eq(f->path, only)))
            rc = read_file(&c, f, err);
    }
    close_reader(&c);
    if (rc == 0 && !only.len)
        check_uses_of_all(&c);
    if (rc == 0)
        rc = try_build(&c, (struct slice){ "", 0 }, SLICE_LIT("shop.lua"), err);
    /* Without the shop's currency and zone nobody can say whether a campaign's amounts and times are right. */
    if (rc == 0 && !has_error(r, SLICE_LIT("shop.lua")))
        rc = check_campaigns(&c, only, err);
    return finish(r, rc, err);
}

/* --- a plugin ------------------------------------------------------------------------------------------------------------ */

/* run = "events.create_link" needs a file events.lua. */
static void check_hooks(struct checking *c, const struct manifest *m)
{
    for (size_t i = 0; i < m->hook_count; i++) {
        const struct hook *h = &m->hooks[i];
        char path[256];
        snprintf(path, sizeof path, "%.*s.lua", SLICE_FMT(h->module));
        if (!sources_find(c->sources, slice_str(path)))
            addf(c, false, SLICE_LIT("plugin.lua"), excerpt_line_of_key(c->sources, "plugin.lua", hook_section(h->kind)),
                 "%s[\"%s\"] names %.*s.%.*s, but there is no file %s; write it, or name a function of a file that is there",
                 hook_section(h->kind), h->name, SLICE_FMT(h->module), SLICE_FMT(h->function), path);
    }
}

static void check_events(struct checking *c, const struct manifest *m)
{
    for (size_t i = m->hook_first[HOOK_SUBSCRIBER]; i < m->hook_first[HOOK_SUBSCRIBER + 1]; i++) {
        const struct catalogue_event *e = catalogue_event(slice_str(m->hooks[i].name));
        struct place on = { .name = SLICE_LIT("on") }, at = place_in(&on, m->hooks[i].name);
        if (e && e->reserved)
            addf(c, true, SLICE_LIT("plugin.lua"), locate_line(sources_find(c->sources, SLICE_LIT("plugin.lua"))->text, &at),
                 "on[\"%s\"] is never called: this version of the shop does not emit that event yet; see: feira help events", e->name);
    }
}

static int check_manifest(struct checking *c, struct slice name, struct err *err)
{
    const struct source_file *f = sources_find(c->sources, SLICE_LIT("plugin.lua"));
    struct manifest *m = NULL;
    char path[128];
    if (!f) {
        addf(c, false, SLICE_LIT("plugin.lua"), 0, "there is no plugin.lua; it says what the plugin is, needs and contributes");
        return 0;
    }
    /* The name it has in a shop, because there it must be that of the folder. */
    snprintf(path, sizeof path, "plugins/%.*s/plugin.lua", SLICE_FMT(name));
    int rc = manifest_read(f->text, path, NULL, &m, err);
    if (rc < 0 && is_ours(rc))
        return rc;
    if (rc < 0) {
        size_t prefix = strlen(path) - strlen("plugin.lua");
        if (strncmp(err->text, path, prefix) == 0)
            memmove(err->text, err->text + prefix, strlen(err->text + prefix) + 1);
        add_err(c, f->path, err);
        return 0;
    }
    check_hooks(c, m);
    check_events(c, m);
    check_uses(c, m, slice_str(""));
    manifest_free(m);
    return 0;
}

int check_plugin(const struct rulebook_options *o, const struct sources *src, struct slice name, struct check_report *r, struct err *err)
{
    struct checking c = { .options = o, .sources = src, .report = r };
    int rc = o->open_vm(o->ctx, &c.vm, err);
    for (size_t i = 0; i < sources_count(src) && rc == 0; i++) {
        const struct source_file *f = sources_at(src, i);
        if (is_lua(f->path) && !slice_is(f->path, "plugin.lua")) /* that one is data, and says so itself */
            rc = read_file(&c, f, err);
    }
    close_reader(&c);
    r->files++;
    if (rc == 0)
        rc = check_manifest(&c, name, err);
    return finish(r, rc, err);
}
