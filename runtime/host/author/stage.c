#include "host/author/stage.h"
#include "base/buf.h"
#include "host/author/scratch.h"
#include "rulebook/catalogue.h"
#include "rulebook/check.h"
#include "rulebook/manifest.h"
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PLUGINS_MAX = 64 };

struct stage {
    char dir[SCRATCH_MAX];
    char parent[PATH_MAX];    /* where the plugins beside it are */
    char *names[PLUGINS_MAX]; /* the plugin first, then those that are needed */
    size_t count;
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory.");
}

/* --- files --------------------------------------------------------------------------------------------------------------- */

static bool is_file(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return snprintf(path, sizeof path, "%s/%s", dir, name) < (int)sizeof path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool stage_is_plugin(const char *dir)
{
    return is_file(dir, "plugin.lua");
}

static int write_file(const struct stage *s, const char *path, struct slice text, struct err *err)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s/%s", s->dir, path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "%s: the path is too long.", path);
    FILE *f = fopen(full, "we");
    if (!f)
        return err_set(err, ERR_IO, "%s can't be written: %s.", full, strerror(errno));
    bool whole = fwrite(text.data, 1, text.len, f) == text.len;
    return (fclose(f) == 0) & whole ? 0 : err_set(err, ERR_IO, "%s can't be written: %s.", full, strerror(errno));
}

static int make_folder(const struct stage *s, const char *path, struct err *err)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s/%s", s->dir, path) >= (int)sizeof full)
        return err_set(err, ERR_INVALID, "%s: the path is too long.", path);
    if (mkdir(full, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "The folder %s can't be made: %s.", full, strerror(errno));
    return 0;
}

static int make_root(struct stage *s, struct err *err)
{
    int rc = scratch_make(s->dir, err);
    return rc < 0 ? rc : make_folder(s, "plugins", err);
}

/* --- the plugin, and those that it needs ---------------------------------------------------------------------------------- */

static int add_name(struct stage *s, struct slice name, struct err *err)
{
    for (size_t i = 0; i < s->count; i++)
        if (slice_is(name, s->names[i]))
            return 0;
    if (s->count == PLUGINS_MAX)
        return err_set(err, ERR_INVALID, "The plugin needs more than %d others.", PLUGINS_MAX - 1);
    s->names[s->count] = strndup(name.data, name.len);
    return s->names[s->count++] ? 0 : nomem(err);
}

static bool is_of_plugin(const struct need *n)
{
    return n->kind != NEED_HTTP && n->kind != NEED_PERSONAL && !catalogue_is_core(n->target);
}

static int add_needed(struct stage *s, const struct sources *src, const char *name, struct err *err)
{
    const struct source_file *f = sources_find(src, SLICE_LIT("plugin.lua"));
    struct manifest *m;
    char file[128];
    snprintf(file, sizeof file, "plugins/%s/plugin.lua", name);
    if (!f)
        return err_set(err, ERR_NOT_FOUND, "%s is missing.", file);
    int rc = manifest_read(f->text, file, NULL, &m, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < m->need_count && rc == 0; i++)
        if (is_of_plugin(&m->needs[i]) && !slice_is(m->needs[i].target, m->name))
            rc = add_name(s, m->needs[i].target, err);
    manifest_free(m);
    return rc;
}

static int copy_files(struct stage *s, const struct sources *src, const char *name, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "plugins/%s", name);
    int rc = make_folder(s, path, err);
    for (size_t i = 0; i < sources_count(src) && rc == 0; i++) {
        const struct source_file *f = sources_at(src, i);
        if (memchr(f->path.data, '/', f->path.len))
            continue; /* its specs: a plugin's own files lie beside plugin.lua */
        snprintf(path, sizeof path, "plugins/%s/%.*s", name, SLICE_FMT(f->path));
        rc = write_file(s, path, f->text, err);
    }
    return rc;
}

/* A plugin that is not beside this one ships with the program, or the shop says that it is not there. */
static int take_plugin(struct stage *s, const char *name, struct err *err)
{
    char dir[PATH_MAX];
    struct sources *src;
    if (snprintf(dir, sizeof dir, "%s/%s", s->parent, name) >= (int)sizeof dir)
        return err_set(err, ERR_INVALID, "The path \"%.60s...\" is too long.", s->parent);
    if (!stage_is_plugin(dir))
        return 0;
    int rc = check_read_plugin(dir, &src, err);
    if (rc < 0)
        return rc;
    rc = copy_files(s, src, name, err);
    if (rc == 0)
        rc = add_needed(s, src, name, err);
    sources_free(src);
    return rc;
}

/* --- shop.lua ------------------------------------------------------------------------------------------------------------- */

static void write_text(struct buf *out, struct slice s)
{
    buf_add_char(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c < 0x20 || c == '"' || c == '\\')
            buf_printf(out, "\\%03d", c);
        else
            buf_add_char(out, (char)c);
    }
    buf_add_char(out, '"');
}

static void write_value(struct buf *out, const struct json_value *v)
{
    switch (v->type) {
    case JSON_OBJECT:
    case JSON_ARRAY:
        buf_add_str(out, "{ ");
        for (const struct json_value *m = v->first; m; m = m->next) {
            if (v->type == JSON_OBJECT) {
                buf_add_char(out, '[');
                write_text(out, m->key);
                buf_add_str(out, "] = ");
            }
            write_value(out, m);
            buf_add_str(out, ", ");
        }
        buf_add_char(out, '}');
        return;
    case JSON_STRING:
        write_text(out, v->string);
        return;
    case JSON_TRUE:
        buf_add_str(out, "true");
        return;
    case JSON_FALSE:
        buf_add_str(out, "false");
        return;
    case JSON_NULL:
        buf_add_str(out, "nil");
        return;
    case JSON_INT:
        buf_printf(out, "%lld", (long long)v->integer);
        return;
    case JSON_REAL:
        buf_add_slice(out, v->string); /* as it was written */
    }
}

static void write_key(struct buf *out, struct slice key, const struct json_value *v)
{
    buf_add_str(out, "  [");
    write_text(out, key);
    buf_add_str(out, "] = ");
    write_value(out, v);
    buf_add_str(out, ",\n");
}

static void write_plugins(const struct stage *s, const struct json_value *given, struct buf *out)
{
    buf_add_str(out, "  plugins = {\n");
    for (size_t i = 0; i < s->count; i++)
        if (!json_get(given, s->names[i]))
            buf_printf(out, "    [\"%s\"] = {},\n", s->names[i]);
    for (const struct json_value *m = given && given->type == JSON_OBJECT ? given->first : NULL; m; m = m->next) {
        buf_add_str(out, "  ");
        write_key(out, m->key, m);
    }
    buf_add_str(out, "  },\n");
}

static int write_shop(struct stage *s, const struct json_value *shop, struct err *err)
{
    static const struct {
        const char *key, *value;
    } unless_said[] = { { "name", "\"Trial\"" }, { "currency", "\"EUR\"" }, { "zone", "\"UTC\"" }, { "test_payments", "true" } };
    struct buf out;
    buf_init(&out, NULL);
    buf_add_str(&out, "return {\n");
    for (size_t i = 0; i < sizeof unless_said / sizeof *unless_said; i++)
        if (!json_get(shop, unless_said[i].key))
            buf_printf(&out, "  %s = %s,\n", unless_said[i].key, unless_said[i].value);
    for (const struct json_value *m = shop ? shop->first : NULL; m; m = m->next)
        if (!slice_is(m->key, "plugins") && !slice_is(m->key, "campaigns"))
            write_key(&out, m->key, m);
    write_plugins(s, json_get(shop, "plugins"), &out);
    buf_add_str(&out, "}\n");
    int rc = out.failed ? nomem(err) : write_file(s, "shop.lua", buf_slice(&out), err);
    buf_release(&out);
    return rc;
}

/* --- campaigns -------------------------------------------------------------------------------------------------------------- */

static bool is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!isalnum((unsigned char)name.data[i]) && !(i && strchr("-_.", name.data[i])))
            return false;
    return name.len > 0 && name.len <= 64;
}

static int write_campaign(struct stage *s, const struct json_value *m, struct err *err)
{
    char path[128];
    if (m->type != JSON_STRING || !is_name(m->key))
        return err_field(err, ERR_INVALID, "campaigns",
                         "campaigns of a made-up shop are texts by name, like { tea = [[return promo.campaign { ... }]] }.");
    snprintf(path, sizeof path, "campaigns/%.*s.lua", SLICE_FMT(m->key));
    return write_file(s, path, m->string, err);
}

static int write_campaigns(struct stage *s, const struct json_value *list, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/campaigns", s->dir);
    scratch_remove(path);
    if (list && list->type != JSON_OBJECT)
        return err_field(err, ERR_INVALID, "campaigns", "campaigns of a made-up shop are texts by name.");
    int rc = make_folder(s, "campaigns", err);
    for (const struct json_value *m = list ? list->first : NULL; m && rc == 0; m = m->next)
        rc = write_campaign(s, m, err);
    return rc;
}

int stage_set(struct stage *s, const struct json_value *shop, struct err *err)
{
    int rc = write_campaigns(s, json_get(shop, "campaigns"), err);
    return rc < 0 ? rc : write_shop(s, shop, err);
}

/* --- opening ------------------------------------------------------------------------------------------------------------------ */

int stage_open(const char *plugin_dir, struct stage **out, struct err *err)
{
    *out = NULL;
    struct stage *s = calloc(1, sizeof *s);
    if (!s)
        return nomem(err);
    int rc = realpath(plugin_dir, s->parent) ? 0 : err_set(err, ERR_NOT_FOUND, "There is no folder \"%s\".", plugin_dir);
    char *name = rc == 0 ? strrchr(s->parent, '/') : NULL;
    if (name) {
        *name++ = '\0';
        rc = add_name(s, slice_str(name), err);
    }
    if (rc == 0)
        rc = make_root(s, err);
    for (size_t i = 0; i < s->count && rc == 0; i++) /* the list grows on the way */
        rc = take_plugin(s, s->names[i], err);
    if (rc < 0) {
        stage_close(s);
        return rc;
    }
    *out = s;
    return 0;
}

void stage_close(struct stage *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        free(s->names[i]);
    scratch_remove(s->dir);
    free(s);
}

const char *stage_dir(const struct stage *s)
{
    return s->dir;
}

const char *stage_plugin(const struct stage *s)
{
    return s->names[0];
}
