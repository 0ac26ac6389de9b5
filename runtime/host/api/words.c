#include "host/api/words.h"
#include "bind/bind.h"
#include <stdlib.h>
#include <strings.h>

enum { LANGUAGES_MAX = 16 };

struct words {
    struct arena arena;
    size_t count;
    struct {
        const char *name;
        struct quote_words *words;
    } list[LANGUAGES_MAX];
};

int words_open(struct words **out, struct err *err)
{
    struct words *w = calloc(1, sizeof *w);
    int rc = 0;
    *out = w;
    if (!w)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    arena_init(&w->arena, NULL, 0);
    for (const struct bind_embedded *e = bind_embedded_locales; e->name && rc == 0 && w->count < LANGUAGES_MAX; e++) {
        struct json_value *v;
        w->list[w->count].name = e->name;
        rc = json_parse(slice_of(e->text, e->len), NULL, &w->arena, &v, err);
        if (rc == 0)
            rc = quote_words_read(v, &w->arena, &w->list[w->count++].words, err);
        if (rc < 0)
            err_wrap(err, "%s", e->path);
    }
    return rc;
}

void words_close(struct words *w)
{
    if (!w)
        return;
    arena_release(&w->arena);
    free(w);
}

static size_t primary(const char *name, size_t len)
{
    const char *dash = memchr(name, '-', len);
    return dash ? (size_t)(dash - name) : len;
}

const struct quote_words *words_of(const struct words *w, struct slice language)
{
    const struct quote_words *near = NULL;
    for (size_t i = 0; i < w->count; i++) {
        const char *name = w->list[i].name;
        size_t len = strlen(name), first = primary(name, len);
        if (len == language.len && strncasecmp(name, language.data, len) == 0)
            return w->list[i].words;
        if (!near && first == primary(language.data, language.len) && strncasecmp(name, language.data, first) == 0)
            near = w->list[i].words;
    }
    return near;
}

static struct slice trim(struct slice s)
{
    while (s.len && (*s.data == ' ' || *s.data == '\t'))
        s = slice_of(s.data + 1, s.len - 1);
    while (s.len && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static struct slice cut(struct slice *rest, char at)
{
    const char *end = memchr(rest->data, at, rest->len);
    struct slice one = slice_of(rest->data, end ? (size_t)(end - rest->data) : rest->len);
    *rest = end ? slice_of(end + 1, rest->len - one.len - 1) : slice_of(rest->data + rest->len, 0);
    return trim(one);
}

/* "q=0.8" in thousandths; 1000 when it is not said, 0 when it can't be read. */
static int64_t weight_of(struct slice s)
{
    int64_t q = 1000;
    if (s.len < 3 || (s.data[0] != 'q' && s.data[0] != 'Q') || s.data[1] != '=')
        return s.len ? 0 : 1000;
    return money_parse(slice_of(s.data + 2, s.len - 2), 3, &q, NULL) < 0 ? 0 : q;
}

const struct quote_words *words_accepted(const struct words *w, struct slice header)
{
    const struct quote_words *best = NULL;
    int64_t most = 0;
    while (header.len) {
        struct slice one = cut(&header, ','), name = cut(&one, ';');
        int64_t weight = weight_of(trim(one));
        const struct quote_words *words = name.len ? words_of(w, name) : NULL;
        if (words && weight > most) {
            best = words;
            most = weight;
        }
    }
    return best;
}
