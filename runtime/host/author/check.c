#include "host/author/check.h"
#include "host/author/luacheck.h"
#include "host/plugins/plugins.h"
#include "host/author/rehearse.h"
#include "host/publish/submission.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int open_vm(void *ctx, struct vm **out, struct err *err)
{
    struct plugin_state *s = plugin_state_new();
    (void)ctx;
    if (!s)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    s->bind.phase = BIND_PHASE_LOAD;
    int rc = bind_open(&(struct vm_options){ 0 }, &s->bind, out, err);
    if (rc < 0)
        plugin_state_free(s);
    return rc;
}

static void close_vm(void *ctx, struct vm *vm)
{
    struct plugin_state *s = plugin_state_of(vm);
    (void)ctx;
    vm_close(vm);
    plugin_state_free(s);
}

static bool is_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static struct slice text_of(const struct json_value *v, const char *key)
{
    struct slice text = { "", 0 };
    json_is_string(json_get(v, key), &text);
    return text;
}

static int add_finding(struct check_report *r, const struct sources *src, const struct json_value *f, struct slice only, struct err *err)
{
    char text[1800];
    struct slice at = text_of(f, "at"), field = text_of(f, "field"), satisfy = text_of(f, "satisfy"), level = text_of(f, "level"),
                 article = text_of(f, "article");
    if (only.len && !(at.len > only.len && memcmp(at.data, only.data, only.len) == 0 && at.data[only.len] == ':'))
        return 0;
    snprintf(text, sizeof text, "%.*s%s: %.*s%s%.*s%s%.*s%s%s%.*s", SLICE_FMT(text_of(f, "rule")),
             slice_is(level, "label") ? " (label)" : "", SLICE_FMT(field), field.len ? ": " : "", SLICE_FMT(text_of(f, "text")),
             article.len ? " (" : "", SLICE_FMT(article), article.len ? ")" : "", satisfy.len ? " " : "", SLICE_FMT(satisfy));
    return check_report_add(r, src, !submission_blocks(f), at, slice_str(text), err);
}

/* What the plugins' checks say of files in which nothing else is wrong; nothing was live before. Where only one file is asked for, others
 * may be wrong, and then nobody can be asked. src is used up. */
static int check_submitted(const struct rulebook_options *o, struct sources *src, struct slice only, struct check_report *r,
                           struct err *err)
{
    struct generation *g;
    struct submission found;
    int rc = generation_build(o, src, &g, err);
    if (rc < 0) {
        sources_free(src);
        return only.len && rc != ERR_NOMEM ? 0 : rc;
    }
    submission_init(&found);
    rc = submission_check(g, NULL, &found, err);
    for (const struct json_value *f = rc == 0 ? found.found.list->first : NULL; f && rc == 0; f = f->next)
        rc = add_finding(r, generation_sources(g), f, only, err);
    submission_release(&found);
    generation_unref(g);
    return rc;
}

static int check_shop(const struct rulebook_options *o, const char *dir, struct slice only, struct check_report *r, struct err *err)
{
    struct sources *src;
    int rc = sources_read(dir, &src, err);
    if (rc < 0)
        return rc;
    rc = check_sources(o, src, only, r, err);
    if (rc == 0 && r->errors == 0)
        rc = luacheck_folder(dir, src, only, r, err);
    if (rc == 0 && r->errors == 0)
        return check_submitted(o, src, only, r, err);
    sources_free(src);
    return rc;
}

static int check_plugin_folder(const struct rulebook_options *o, const char *dir, struct check_report *r, struct err *err)
{
    struct sources *src;
    int rc = check_read_plugin(dir, &src, err);
    if (rc < 0)
        return rc;
    rc = check_plugin(o, src, slice_str(strrchr(dir, '/') + 1), r, err);
    if (rc == 0 && r->errors == 0)
        rc = rehearse_plugin(o, dir, src, r, err);
    if (rc == 0 && r->errors == 0)
        rc = luacheck_folder(dir, src, slice_str(""), r, err);
    sources_free(src);
    return rc;
}

/* real is absolute: SHOP/campaigns/NAME.lua */
static int check_campaign(const struct rulebook_options *o, char *real, struct check_report *r, struct err *err)
{
    char *file = strrchr(real, '/');
    *file = '\0';
    char *folder = strrchr(real, '/');
    if (!folder || strcmp(folder, "/campaigns") != 0) {
        *file = '/';
        return err_set(err, ERR_NOT_FOUND,
                       "%s is no campaign: those are in the folder campaigns/ of a shop. Name a shop's folder, or one of its campaigns.",
                       real);
    }
    *folder = '\0';
    char only[NAME_MAX + 16];
    snprintf(only, sizeof only, "campaigns/%s", file + 1);
    return check_shop(o, real[0] ? real : "/", slice_str(only), r, err);
}

struct rulebook_options check_rules(struct symbols *symbols)
{
    return (struct rulebook_options){ .symbols = symbols,
                                      .open_vm = open_vm,
                                      .open_plugin = plugins_open_one,
                                      .plugin_modules = plugin_modules,
                                      .know_shop = plugins_know_shop,
                                      .close_vm = close_vm };
}

int host_check(const char *path, enum check_kind *kind, struct check_report *r, struct err *err)
{
    char real[PATH_MAX];
    struct stat st;
    struct symbols *symbols;
    if (!realpath(path, real) || stat(real, &st) < 0)
        return err_set(err, ERR_NOT_FOUND,
                       "There is nothing at \"%s\"; name a shop's folder, a file of its campaigns, or a plugin's folder.", path);
    symbols = symbols_new(NULL);
    if (!symbols)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    struct rulebook_options o = check_rules(symbols);
    int rc;
    if (!S_ISDIR(st.st_mode)) {
        *kind = CHECK_CAMPAIGN;
        rc = check_campaign(&o, real, r, err);
    } else if (is_file(real, "plugin.lua")) {
        *kind = CHECK_PLUGIN;
        rc = check_plugin_folder(&o, real, r, err);
    } else {
        *kind = CHECK_SHOP;
        rc = check_shop(&o, real, (struct slice){ "", 0 }, r, err);
    }
    symbols_free(symbols);
    return rc;
}
