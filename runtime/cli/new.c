/* Begins a shop, a campaign or a plugin: writes files with comments that work as they are. Nothing that exists is written over. */
#include "cli/new.h"
#include "cli/cli.h"
#include "base/money.h"
#include "base/schema.h"
#include "base/zone.h"
#include "rulebook/catalogue.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_MAX_BYTES = 64 };

struct making {
    const char *name, *currency, *zone;
    bool may_replace; /* files that are the program's own */
    struct err *err;
};

/* --- files ------------------------------------------------------------------------------------------------------------ */

static bool exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int make_folder(struct making *m, const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    if (errno == ENOENT)
        return err_set(m->err, ERR_NOT_FOUND, "The folder \"%s\" can't be made: there is no folder above it; make that first.", path);
    return err_set(m->err, ERR_IO, "The folder \"%s\" can't be made: %s.", path, strerror(errno));
}

static void fill_in(const struct making *m, struct slice text, struct buf *out)
{
    const struct {
        const char *mark, *value;
    } marks[] = { { "@NAME@", m->name }, { "@CURRENCY@", m->currency }, { "@ZONE@", m->zone } };
    for (size_t i = 0; i < text.len;) {
        size_t k = 0, n = 0;
        for (; k < sizeof marks / sizeof *marks; k++) {
            n = strlen(marks[k].mark);
            if (marks[k].value && text.len - i >= n && memcmp(text.data + i, marks[k].mark, n) == 0)
                break;
        }
        if (k < sizeof marks / sizeof *marks) {
            buf_add_str(out, marks[k].value);
            i += n;
        } else {
            buf_add_char(out, text.data[i++]);
        }
    }
}

static int write_file(struct making *m, const char *path, struct slice text)
{
    struct buf out;
    buf_init(&out, NULL);
    fill_in(m, text, &out);
    int fd = out.failed ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (m->may_replace ? O_TRUNC : O_EXCL), 0666);
    int rc = 0;
    if (out.failed)
        rc = err_set(m->err, ERR_NOMEM, "Out of memory.");
    else if (fd < 0 && errno == EEXIST)
        rc = err_set(m->err, ERR_CONFLICT, "\"%s\" is there already and is left as it is; take another name.", path);
    else if (fd < 0)
        rc = err_set(m->err, ERR_IO, "\"%s\" can't be written: %s.", path, strerror(errno));
    for (size_t done = 0; rc == 0 && done < out.len;) {
        ssize_t n = write(fd, out.data + done, out.len - done);
        if (n < 0 && errno != EINTR)
            rc = err_set(m->err, ERR_IO, "\"%s\" can't be written: %s.", path, strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    if (fd >= 0 && close(fd) < 0 && rc == 0)
        rc = err_set(m->err, ERR_IO, "\"%s\" can't be written: %s.", path, strerror(errno));
    buf_release(&out);
    return rc;
}

/* Everything below `from` of what is compiled in, into the folder `to`; folders are made as they come. */
static int write_tree(struct making *m, const char *from, const char *to)
{
    size_t n = strlen(from);
    int rc = 0;
    for (const struct new_file *f = new_files; f->path && rc == 0; f++) {
        char path[PATH_MAX];
        if (strncmp(f->path, from, n) != 0)
            continue;
        const char *name = strcmp(f->path + n, "gitignore") == 0 ? ".gitignore" : f->path + n;
        if (snprintf(path, sizeof path, "%s/%s", to, name) >= (int)sizeof path)
            return err_set(m->err, ERR_INVALID, "The path \"%.60s...\" is too long.", to);
        char *slash = strrchr(path, '/');
        *slash = '\0';
        rc = make_folder(m, path);
        *slash = '/';
        if (rc == 0)
            rc = write_file(m, path, slice_of(f->text, f->len));
    }
    return rc;
}

static int write_one(struct making *m, const char *from, const char *to)
{
    for (const struct new_file *f = new_files; f->path; f++)
        if (strcmp(f->path, from) == 0)
            return write_file(m, to, slice_of(f->text, f->len));
    return err_set(m->err, ERR_INTERNAL, "The program lacks its file %s.", from);
}

/* Beside the sources or installed, the declarations may be anywhere or nowhere; a copy in the folder is always there, and is that of the
 * program that serves the shop. */
static int write_editor(struct making *m, const char *dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/.feira", dir);
    int rc = make_folder(m, path);
    snprintf(path, sizeof path, "%s/.feira/meta", dir);
    m->may_replace = true;
    if (rc == 0)
        rc = write_tree(m, "meta/", path);
    m->may_replace = false;
    snprintf(path, sizeof path, "%s/.luarc.json", dir);
    if (rc == 0 && !exists(path)) /* it may hold somebody's own settings */
        rc = write_one(m, "luarc.json", path);
    snprintf(path, sizeof path, "%s/.luacheckrc", dir);
    if (rc == 0 && !exists(path))
        rc = write_one(m, "luacheckrc", path);
    return rc;
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

/* The last part of the path, without a closing slash; NULL when there is none. path is changed. */
static char *last_part(char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        path[--n] = '\0';
    char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int check_name(const char *name, bool is_plugin, struct err *err)
{
    size_t n = strlen(name);
    bool fine = n > 0 && n <= (is_plugin ? 32 : NAME_MAX_BYTES) && isalnum((unsigned char)name[0]);
    for (size_t i = 0; fine && i < n; i++)
        fine = is_plugin ? islower((unsigned char)name[i]) || isdigit((unsigned char)name[i]) || name[i] == '-'
                         : isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
    if (fine)
        return 0;
    return err_set(
        err, ERR_INVALID,
        is_plugin ? "\"%s\" can't be the name of a plugin; it is 1 to 32 of a-z, 0-9 and -, like \"member-tiers\"."
                  : "\"%s\" can't be the name; it is 1 to 64 of A-Z a-z 0-9 _ . - and begins with a letter or digit, like \"tea-shop\".",
        name);
}

static int check_money_and_zone(struct making *m)
{
    struct currency currency;
    struct zone *zone;
    int rc = currency_find(slice_str(m->currency), &currency, m->err);
    if (rc == 0 && (rc = zone_load(slice_str(m->zone), &zone, m->err)) == 0)
        zone_free(zone);
    return rc;
}

/* --- the kinds ---------------------------------------------------------------------------------------------------------- */

static int new_shop(struct making *m, char *path)
{
    m->name = last_part(path);
    int rc = check_name(m->name, false, m->err);
    if (rc == 0)
        rc = check_money_and_zone(m);
    if (rc == 0 && exists(path))
        rc = err_set(m->err, ERR_CONFLICT, "\"%s\" is there already and is left as it is; take another name.", path);
    if (rc == 0)
        rc = make_folder(m, path);
    if (rc == 0)
        rc = write_tree(m, "shop/", path);
    if (rc == 0)
        rc = write_editor(m, path);
    if (rc == 0)
        printf("%1$s is a shop. Next:\n\n  feira check %1$s\n  feira test %1$s\n  feira import %1$s %1$s/catalogue.csv\n"
               "  feira quote %1$s %1$s/cart.json\n  feira serve %1$s\n",
               path);
    return rc;
}

/* SHOP/NAME, and also SHOP/campaigns/NAME.lua as a shell completes it. *shop and *name are cut out of path. */
static int split_place(char *path, const char *folder, const char *ending, char **shop, char **name, struct err *err)
{
    size_t n = strlen(path), e = strlen(ending);
    if (e && n > e && strcmp(path + n - e, ending) == 0)
        path[n - e] = '\0';
    *name = last_part(path);
    if (*name == path)
        return err_set(err, ERR_INVALID, "\"%s\" names no shop; write SHOP/%s, where SHOP is a shop's folder.", path, path);
    (*name)[-1] = '\0';
    *shop = *path ? path : "/";
    char *last = strrchr(path, '/');
    if (last && strcmp(last + 1, folder) == 0) {
        *last = '\0';
    } else if (strcmp(path, folder) == 0) {
        *shop = ".";
    }
    return 0;
}

static int is_shop(const char *shop, struct err *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/shop.lua", shop);
    return exists(path)
               ? 0
               : err_set(err, ERR_NOT_FOUND, "\"%s\" has no shop.lua, so it is no shop; begin one with: feira new shop %s", shop, shop);
}

static int new_campaign(struct making *m, char *path)
{
    char *shop = NULL, *name = NULL, file[PATH_MAX];
    int rc = split_place(path, "campaigns", ".lua", &shop, &name, m->err);
    if (rc == 0)
        rc = check_name(name, false, m->err);
    if (rc == 0)
        rc = is_shop(shop, m->err);
    if (rc < 0)
        return rc;
    m->name = name;
    snprintf(file, sizeof file, "%s/campaigns", shop);
    rc = make_folder(m, file);
    if (snprintf(file, sizeof file, "%s/campaigns/%s.lua", shop, name) >= (int)sizeof file)
        return err_set(m->err, ERR_INVALID, "The path \"%.60s...\" is too long.", shop);
    if (rc == 0)
        rc = write_one(m, "campaign.lua", file);
    if (rc == 0)
        printf("%1$s is a campaign. Change it, then:\n\n  feira check %1$s\n  feira test %2$s\n", file, shop);
    return rc;
}

/* SHOP/plugins, when the path is SHOP/plugins/NAME and the shop has no plugin yet. */
static int make_plugins_folder(struct making *m, const char *path)
{
    char folder[PATH_MAX], shop[PATH_MAX + 16];
    size_t n = (size_t)(m->name - path);
    snprintf(folder, sizeof folder, "%.*s", (int)(n ? n - 1 : 0), path);
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder;
    if (strcmp(last, "plugins") != 0 || exists(folder))
        return 0;
    snprintf(shop, sizeof shop, "%.*sshop.lua", (int)(last - folder), folder);
    return exists(shop) ? make_folder(m, folder) : 0;
}

static int check_plugin_name(const char *name, struct err *err)
{
    int rc = check_name(name, true, err);
    if (rc == 0 && catalogue_is_core(slice_str(name)))
        return err_set(err, ERR_INVALID, "\"%s\" is the name of a part of the shop itself; choose another.", name);
    return rc;
}

static int new_plugin(struct making *m, char *path)
{
    m->name = last_part(path);
    int rc = check_plugin_name(m->name, m->err);
    if (rc == 0 && exists(path))
        rc = err_set(m->err, ERR_CONFLICT, "\"%s\" is there already and is left as it is; take another name.", path);
    if (rc == 0)
        rc = make_plugins_folder(m, path);
    if (rc == 0)
        rc = make_folder(m, path);
    if (rc == 0)
        rc = write_tree(m, "plugin/", path);
    if (rc == 0)
        rc = write_editor(m, path);
    if (rc == 0)
        printf("%1$s is a plugin. Next:\n\n  feira check %1$s\n  feira test %1$s\n\n"
               "A shop has it when its folder is SHOP/plugins/%2$s, and shop.lua says plugins = { [\"%2$s\"] = {} }.\n",
               path, m->name);
    return rc;
}

static int new_editor(struct making *m, char *path)
{
    last_part(path);
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return err_set(m->err, ERR_NOT_FOUND, "There is no folder \"%s\"; name the folder of a shop or plugin.", path);
    int rc = write_editor(m, path);
    if (rc == 0)
        printf("%s/.feira/meta has the declarations of this version.\n", path);
    return rc;
}

/* What can't be accepted here is a word of the command line, not a file. */
static int new_fail(const struct err *err)
{
    int code = cli_fail(err);
    return code == EXIT_BROKEN ? EXIT_USAGE : code;
}

int cmd_new(const struct cli_args *a)
{
    static const struct {
        const char *name;
        int (*make)(struct making *m, char *path);
    } kinds[] = { { "shop", new_shop }, { "campaign", new_campaign }, { "plugin", new_plugin }, { "editor", new_editor } };
    const char *names[] = { "shop", "campaign", "plugin", "editor", NULL };
    struct err err = { 0 };
    struct making m = { .currency = a->values[0] ? a->values[0] : "EUR", .zone = a->values[1] ? a->values[1] : "UTC", .err = &err };
    char path[PATH_MAX - 64]; /* what is put behind it fits */
    if (snprintf(path, sizeof path, "%s", a->positional[1]) >= (int)sizeof path)
        return new_fail((err_set(&err, ERR_INVALID, "The path is too long."), &err));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(a->positional[0], kinds[i].name) == 0)
            return kinds[i].make(&m, path) < 0 ? new_fail(&err) : EXIT_DONE;
    const char *near = nearest_word(slice_str(a->positional[0]), names);
    fprintf(stderr, "feira new: there is no kind \"%s\"%s%s%s; there are shop, campaign, plugin and editor\n", a->positional[0],
            near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    return EXIT_USAGE;
}
