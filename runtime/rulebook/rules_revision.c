/* The revision of a plugin's rules: what a long-lived thing of it goes by from its beginning to its end. A hash over rules.lua, the files
 * of the plugin that this requires, and the settings; so it changes with the rules, and not with the rest of the shop. */
#include "base/buf.h"
#include "crypto/crypto.h"
#include "rulebook/rulebook_int.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILES_MAX = 256 };

struct closure {
    const struct live_plugin *plugin;
    const struct source_file *files[FILES_MAX];
    size_t count;
};

static bool goes_by_revisions(const struct manifest *m)
{
    for (size_t i = 0; i < m->collection_count; i++)
        for (size_t k = 0; k < m->collections[i].field_count; k++)
            if (m->collections[i].fields[k].type == FIELD_REVISION)
                return true;
    return false;
}

static const struct source_file *file_of(const struct live_plugin *p, struct slice name)
{
    char path[160];
    if (!name_is_identifier(name) || slice_is(name, "plugin"))
        return NULL;
    snprintf(path, sizeof path, "%s/%.*s.lua", p->pub.space, SLICE_FMT(name));
    return sources_find(p->sources, slice_str(path));
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Behind "require", maybe "(", a name in quotes; empty when something else follows. */
static struct slice required_name(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '(' || *at == '\t'))
        at++;
    if (at == end || (*at != '"' && *at != '\''))
        return slice_str("");
    const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));
    return close ? slice_of(at + 1, (size_t)(close - at - 1)) : slice_str("");
}

static bool add(struct closure *c, const struct source_file *f)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->files[i] == f)
            return true;
    if (c->count == FILES_MAX)
        return false;
    c->files[c->count++] = f;
    return true;
}

/* What stands in a comment counts, too: a file too many makes a revision too many, which does no harm. A name that is put together while
 * the code runs is not seen; the pinned rules then miss that file, and say so. */
static bool add_required(struct closure *c, struct slice text)
{
    static const char word[] = "require";
    const char *end = text.data + text.len;
    for (const char *p = text.data; p && p < end; p++) {
        p = memmem(p, (size_t)(end - p), word, sizeof word - 1);
        if (!p)
            break;
        const char *behind = p + sizeof word - 1;
        if ((p > text.data && is_word(p[-1])) || (behind < end && is_word(*behind)))
            continue;
        const struct source_file *f = file_of(c->plugin, required_name(behind, end));
        if (f && !add(c, f))
            return false;
    }
    return true;
}

static int by_path(const void *a, const void *b)
{
    const struct source_file *const *x = a, *const *y = b;
    return slice_cmp((*x)->path, (*y)->path);
}

static void put_part(struct buf *b, struct slice s)
{
    buf_printf(b, "%zu:", s.len);
    buf_add(b, s.data, s.len);
}

static int name_it(struct live_plugin *p, const struct closure *c, struct arena *arena, struct err *err)
{
    struct buf b;
    struct json_writer w;
    unsigned char digest[SHA256_BYTES];
    char id[2 + 16 + 1] = "r_";
    buf_init(&b, NULL);
    put_part(&b, slice_str(p->manifest->name));
    for (size_t i = 0; i < c->count; i++) {
        put_part(&b, c->files[i]->path);
        put_part(&b, c->files[i]->text);
    }
    json_writer_init(&w, &b);
    json_value_write(&w, p->pub.settings);
    crypto_sha256(buf_slice(&b), digest);
    hex_encode(digest, 8, id + 2);
    id[sizeof id - 1] = '\0';
    p->pub.revision = b.failed ? NULL : arena_strdup(arena, slice_str(id));
    buf_release(&b);
    return p->pub.revision ? 0 : err_set(err, ERR_NOMEM, "out of memory while loading the plugins");
}

int rules_revision(struct live_plugin *p, struct arena *arena, struct err *err)
{
    struct closure c = { .plugin = p };
    if (!goes_by_revisions(p->manifest))
        return 0;
    const struct source_file *rules = file_of(p, SLICE_LIT("rules"));
    if (!rules)
        return err_set(
            err, ERR_INVALID,
            "%s: collections: a field of the type revision goes by the rules of its time, but there is no rules.lua; write it, or "
            "leave the field out",
            p->manifest->file);
    bool fits = add(&c, rules);
    for (size_t i = 0; i < c.count && fits; i++)
        fits = add_required(&c, c.files[i]->text);
    if (!fits)
        return err_set(err, ERR_INVALID, "%s: rules.lua requires more than %d files; put them together", p->manifest->file, FILES_MAX);
    qsort(c.files, c.count, sizeof c.files[0], by_path);
    const struct source_file **kept = arena_array(arena, c.count, sizeof *kept);
    if (!kept)
        return err_set(err, ERR_NOMEM, "out of memory while loading the plugins");
    memcpy(kept, c.files, c.count * sizeof *kept);
    p->pub.rules = kept;
    p->pub.rules_count = c.count;
    return name_it(p, &c, arena, err);
}
