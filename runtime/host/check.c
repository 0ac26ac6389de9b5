#include "host/check.h"
#include "host/plugins.h"
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

static int check_shop(const struct rulebook_options *o, const char *dir, struct slice only, struct check_report *r, struct err *err)
{
    struct sources *src;
    int rc = sources_read(dir, &src, err);
    if (rc < 0)
        return rc;
    rc = check_sources(o, src, only, r, err);
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
    struct rulebook_options o = { .symbols = symbols,
                                  .open_vm = open_vm,
                                  .open_plugin = plugins_open_one,
                                  .plugin_modules = plugin_modules,
                                  .know_shop = plugins_know_shop,
                                  .close_vm = close_vm };
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
