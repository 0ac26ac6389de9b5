#include "rulebook/reader.h"
#include "base/schema.h"
#include "rulebook/locate.h"
#include <stdarg.h>
#include <stdio.h>

enum { SENTENCE_MAX = 1000 };

static void place_append(const struct place *at, struct buf *b)
{
    if (!at)
        return;
    place_append(at->up, b);
    if (at->name.len == 0) {
        if (at->index)
            buf_printf(b, "[%u]", at->index);
    } else if (name_is_identifier(at->name)) {
        buf_printf(b, "%s%.*s", b->len ? "." : "", SLICE_FMT(at->name));
    } else {
        char quoted[JSON_QUOTE_MAX];
        buf_printf(b, "[%s]", json_quote(quoted, at->name));
    }
}

void place_write(const struct place *at, char out[PLACE_MAX])
{
    struct buf b;
    buf_init(&b, NULL);
    place_append(at, &b);
    size_t n = b.len < PLACE_MAX ? b.len : PLACE_MAX - 1;
    memcpy(out, buf_slice(&b).data, n);
    out[n] = '\0';
    buf_release(&b);
}

int reader_fail(const struct reader *r, const struct place *at, const char *fmt, ...)
{
    char text[400], path[PLACE_MAX], line[16] = "";
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    place_write(at, path);
    int n = locate_line(r->source, at);
    if (n > 0)
        snprintf(line, sizeof line, ":%d", n);
    return err_field(r->err, ERR_INVALID, path, "%s%s: %s%s%s", r->file, line, path, path[0] ? ": " : "", text);
}

int reader_nomem(const struct reader *r)
{
    return err_set(r->err, ERR_NOMEM, "%s: there is not enough memory to read it; make it smaller", r->file);
}

int reader_table(const struct reader *r, const struct place *at, const struct json_value *v)
{
    if (v->type == JSON_OBJECT)
        return 0;
    if (v->type == JSON_ARRAY)
        return reader_fail(r, at, "is a list; give its members names, as in { name = ... }");
    return reader_fail(r, at, "must be a table, not %s", json_type_name(v->type));
}

const char *reader_hint(char out[64], struct slice word, const char *const *words)
{
    const char *near = nearest_word(word, words);
    out[0] = '\0';
    if (near)
        snprintf(out, 64, " (did you mean \"%s\"?)", near);
    return out;
}

const char *reader_list_words(char *out, size_t cap, const char *const *words)
{
    size_t n = 0;
    out[0] = '\0';
    for (size_t i = 0; words[i] && n < cap; i++) {
        int k = snprintf(out + n, cap - n, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
        n += k < 0 ? 0 : (size_t)k;
    }
    return out;
}

int reader_known(const struct reader *r, const struct place *at, const struct json_value *v, const char *const *known)
{
    if (reader_table(r, at, v) < 0)
        return ERR_INVALID;
    for (const struct json_value *m = v->first; m; m = m->next) {
        bool found = false;
        for (size_t i = 0; known[i] && !found; i++)
            found = slice_is(m->key, known[i]);
        if (found)
            continue;
        struct place here = place_named(at, m->key);
        char hint[64], words[300];
        if (*reader_hint(hint, m->key, known))
            return reader_fail(r, &here, "is not known here%s", hint);
        return reader_fail(r, &here, "is not known here; write one of: %s", reader_list_words(words, sizeof words, known));
    }
    return 0;
}

int reader_list(const struct reader *r, const struct place *at, const struct json_value *v, uint32_t max, const struct json_value **first,
                uint32_t *count)
{
    bool empty = v->type == JSON_OBJECT && v->count == 0;
    if (v->type != JSON_ARRAY && !empty)
        return v->type == JSON_OBJECT ? reader_fail(r, at, "must be a list without names, as in { \"one\", \"two\" }")
                                      : reader_fail(r, at, "must be a list, not %s; put it in { }", json_type_name(v->type));
    if (v->count > max)
        return reader_fail(r, at, "has %u entries; at most %u are possible", v->count, max);
    *first = empty ? NULL : v->first;
    *count = v->count;
    return 0;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7f)
            return true;
    return false;
}

int reader_sentence(const struct reader *r, const struct place *at, const struct json_value *v, const char **out)
{
    if (v->type != JSON_STRING)
        return reader_fail(r, at, "must be a string, not %s", json_type_name(v->type));
    if (v->string.len == 0 || v->string.len > SENTENCE_MAX || has_control(v->string))
        return reader_fail(r, at, "must be 1 to %d bytes of text in one line", SENTENCE_MAX);
    *out = arena_strdup(r->arena, v->string);
    return *out ? 0 : reader_nomem(r);
}

int reader_text(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool required,
                const char **out)
{
    const struct json_value *m = json_get(v, key);
    if (m) {
        struct place here = place_in(at, key);
        return reader_sentence(r, &here, m, out);
    }
    return required ? reader_fail(r, at, "lacks %s; write %s = \"...\"", key, key) : 0;
}

int reader_bool(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool *out)
{
    const struct json_value *m = json_get(v, key);
    struct place here = place_in(at, key);
    if (m && !json_is_bool(m, out))
        return reader_fail(r, &here, "must be true or false, not %s", json_type_name(m->type));
    return 0;
}

int reader_int(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool *given, int64_t *out)
{
    const struct json_value *m = json_get(v, key);
    struct place here = place_in(at, key);
    if (m && !json_is_int(m, out))
        return reader_fail(r, &here, "must be an integer, not %s", json_type_name(m->type));
    *given = m != NULL;
    return 0;
}

int reader_choice(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool required,
                  const char *const *words, int *out)
{
    const struct json_value *m = json_get(v, key);
    char list[200], hint[64], quoted[JSON_QUOTE_MAX];
    reader_list_words(list, sizeof list, words);
    if (!m)
        return required ? reader_fail(r, at, "lacks %s; write %s = \"%s\" (one of %s)", key, key, words[0], list) : 0;
    struct place here = place_in(at, key);
    if (m->type != JSON_STRING)
        return reader_fail(r, &here, "must be a string, one of %s", list);
    for (int i = 0; words[i]; i++) {
        if (slice_is(m->string, words[i])) {
            *out = i;
            return 0;
        }
    }
    return reader_fail(r, &here, "is %s; it can be %s%s", json_quote(quoted, m->string), list, reader_hint(hint, m->string, words));
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool name_is(struct slice s, char joint, size_t max)
{
    if (s.len == 0 || s.len > max || !is_lower(s.data[0]))
        return false;
    for (size_t i = 1; i < s.len; i++) {
        bool word = is_lower(s.data[i]) || is_digit(s.data[i]);
        bool joins = s.data[i] == joint && s.data[i - 1] != joint && i + 1 < s.len;
        if (!word && !joins)
            return false;
    }
    return true;
}

bool name_is_identifier(struct slice s)
{
    if (s.len == 0 || s.len > 64 || is_digit(s.data[0]))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!is_lower(s.data[i]) && !is_digit(s.data[i]) && s.data[i] != '_' && !(s.data[i] >= 'A' && s.data[i] <= 'Z'))
            return false;
    return true;
}
