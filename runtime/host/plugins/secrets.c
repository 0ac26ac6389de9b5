#include "host/plugins/secrets.h"
#include "bind/secrets.h"
#include "crypto/crypto.h"
#include "host/shop.h"
#include "rulebook/manifest.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECRET_MAX = 65536 };

struct secrets { /* one of them; a list */
    struct bind_secret secret;
    struct secrets *next;
    size_t size;
    char name[80];
    char value[]; /* size bytes */
};

void secrets_free(struct secrets *s)
{
    for (struct secrets *next; s; s = next) {
        next = s->next;
        crypto_wipe(s->value, s->size);
        free(s);
    }
}

static struct secrets *keep(struct secrets **list, struct slice name, const char *value, size_t len)
{
    struct secrets *s = malloc(sizeof *s + len);
    if (!s)
        return NULL;
    *s = (struct secrets){ .next = *list, .size = len };
    snprintf(s->name, sizeof s->name, "%.*s", SLICE_FMT(name));
    memcpy(s->value, value, len);
    s->secret = (struct bind_secret){ s->name, slice_of(s->value, len), true };
    *list = s;
    return s;
}

/* --- where they are --------------------------------------------------------------------------------------------------------- */

static int check_file(int fd, const char *path, struct err *err)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "%s is no file; put the secret into a file of that name, with mode 0600.", path);
    if (st.st_mode & 077)
        return err_set(err, ERR_INVALID, "others may read the secret in %s (mode %04o); chmod 600 it.", path, (unsigned)st.st_mode & 07777);
    if (st.st_uid != geteuid())
        return err_set(err, ERR_INVALID, "%s belongs to another user; the one who serves the shop must own it.", path);
    return 0;
}

/* The bytes of the file without the line end that editors put there. */
static int read_value(int fd, const char *path, char *out, size_t *len, struct err *err)
{
    ssize_t n;
    *len = 0;
    while ((n = read(fd, out + *len, SECRET_MAX + 1 - *len)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_INVALID, "%s can't be read: %s.", path, strerror(errno));
        *len += (size_t)n;
        if (*len > SECRET_MAX)
            return err_set(err, ERR_INVALID, "%s is longer than %d bytes; that is no secret.", path, SECRET_MAX);
    }
    if (*len && out[*len - 1] == '\n')
        --*len;
    if (*len && out[*len - 1] == '\r')
        --*len;
    return *len ? 0 : err_set(err, ERR_INVALID, "%s is empty; put the secret into it.", path);
}

static int from_file(const char *path, struct secrets **list, struct slice name, struct secrets **out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? 0 : err_set(err, ERR_INVALID, "%s can't be read: %s.", path, strerror(errno));
    char *bytes = malloc(SECRET_MAX + 1);
    size_t len = 0;
    int rc = bytes ? check_file(fd, path, err) : err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc == 0)
        rc = read_value(fd, path, bytes, &len, err);
    if (rc == 0 && !(*out = keep(list, name, bytes, len)))
        rc = err_set(err, ERR_NOMEM, "Out of memory.");
    if (bytes)
        crypto_wipe(bytes, SECRET_MAX + 1);
    free(bytes);
    close(fd);
    return rc;
}

/* *out stays NULL when it is nowhere. */
static int look_up(struct shop *shop, struct secrets **list, struct slice name, struct secrets **out, struct err *err)
{
    char text[96], path[4300];
    snprintf(text, sizeof text, "FEIRA_SECRET_%.*s", SLICE_FMT(name));
    const char *set = getenv(text);
    if (set && set[0]) {
        *out = keep(list, name, set, strlen(set));
        return *out ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    }
    snprintf(path, sizeof path, "%s/secrets/%.*s", shop->data_dir, SLICE_FMT(name));
    return from_file(path, list, name, out, err);
}

static int find(struct shop *shop, struct secrets **list, struct slice name, const char *plugin, struct slice setting,
                const struct bind_secret **out, struct err *err)
{
    struct secrets *s = *list;
    while (s && !slice_is(name, s->name))
        s = s->next;
    int rc = 0;
    if (!s && !shop) {
        if ((s = keep(list, name, "", 0)))
            s->secret.known = false;
    } else if (!s && shop->options.made_up_secrets) {
        char made_up[80];
        s = keep(list, name, made_up, (size_t)snprintf(made_up, sizeof made_up, "secret %.*s", SLICE_FMT(name)));
    } else if (!s) {
        rc = look_up(shop, list, name, &s, err);
        if (rc < 0)
            return err_wrap(err, "shop.lua: plugins[\"%s\"].%.*s", plugin, SLICE_FMT(setting));
        if (!s && shop->options.may_lack_secrets && (s = keep(list, name, "", 0)))
            s->secret.known = false;
        if (!s)
            return err_set(err, ERR_INVALID,
                           "shop.lua: plugins[\"%s\"].%.*s: there is no secret %.*s; set FEIRA_SECRET_%.*s in the environment, or write it "
                           "into the file %s/secrets/%.*s, with mode 0600",
                           plugin, SLICE_FMT(setting), SLICE_FMT(name), SLICE_FMT(name), shop->data_dir, SLICE_FMT(name));
    }
    if (!s)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    *out = &s->secret;
    return 0;
}

/* --- into the settings --------------------------------------------------------------------------------------------------------- */

struct collecting {
    struct shop *shop;
    struct secrets **list;
    const char *plugin;
    struct arena *arena;
    struct bind_secret_at *at;
    size_t count, room;
    int rc;
    struct err *err;
};

static void count_one(void *ctx, struct slice setting, struct slice name)
{
    (void)setting;
    (void)name;
    ++*(size_t *)ctx;
}

static void collect(void *ctx, struct slice setting, struct slice name)
{
    struct collecting *c = ctx;
    if (c->rc < 0 || c->count == c->room)
        return;
    struct bind_secret_at *at = &c->at[c->count];
    at->path = arena_strdup(c->arena, setting);
    c->rc = at->path ? find(c->shop, c->list, name, c->plugin, setting, &at->secret, c->err) : err_set(c->err, ERR_NOMEM, "Out of memory.");
    c->count += c->rc == 0;
}

int secrets_settings(struct shop *shop, struct vm *vm, const struct generation_plugin *plugin, vm_ref *out, struct err *err)
{
    const struct manifest *m = plugin->manifest;
    struct plugin_state *state = plugin_state_of(vm);
    struct arena scratch;
    size_t n = 0;
    arena_init(&scratch, NULL, 0);
    values_secrets(m->settings, m->setting_count, plugin->settings, &scratch, count_one, &n);
    struct collecting c = { .shop = shop, .list = &state->secrets, .plugin = m->name, .arena = &scratch, .room = n, .err = err };
    c.at = arena_array(&scratch, n + 1, sizeof *c.at);
    c.rc = c.at ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    if (c.rc == 0)
        values_secrets(m->settings, m->setting_count, plugin->settings, &scratch, collect, &c);
    if (c.rc == 0)
        c.rc = bind_settings(vm, plugin->settings, c.at, c.count, out, err);
    arena_release(&scratch);
    return c.rc;
}
