#include "quote/spec.h"
#include "base/schema.h"
#include "base/utf8.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 40, NAME_MAX_BYTES = 200, LIST_MAX = 100000, SHOWN_MAX = 40 };

/* --- where a mistake is -------------------------------------------------------------------------------------------- */

static void path_write(const struct spec_node *n, char *out, size_t cap)
{
    if (!n || !n->up) { /* the root has no name */
        if (cap)
            out[0] = '\0';
        return;
    }
    path_write(n->up, out, cap);
    size_t len = strlen(out);
    if (n->key)
        snprintf(out + len, cap - len, "%s%s", len ? "." : "", n->key);
    else
        snprintf(out + len, cap - len, "[%zu]", n->index);
}

int spec_error(const struct spec *s, const struct spec_node *n, const char *fmt, ...)
{
    char path[128], sentence[384];
    path_write(n, path, sizeof path);
    va_list args;
    va_start(args, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    return err_field(s->err, ERR_INVALID, path, "%.*s%s%s%s%s", SLICE_FMT(s->at), s->at.len ? ": " : "", path, path[0] ? ": " : "",
                     sentence);
}

int spec_nomem(const struct spec *s)
{
    return err_set(s->err, ERR_NOMEM, "out of memory while reading a rule; try again");
}

void *spec_array(struct spec *s, size_t count, size_t size)
{
    void *p = arena_array(s->arena, count, size);
    if (!p)
        spec_nomem(s);
    return p;
}

struct spec_node spec_root(const struct json_value *v)
{
    return (struct spec_node){ .v = v };
}

struct spec_node spec_member(const struct spec_node *object, const char *key)
{
    return (struct spec_node){ .up = object, .v = json_get(object->v, key), .key = key, .depth = object->depth + 1 };
}

struct spec_node spec_element(const struct spec_node *list, const struct json_value *v, size_t index)
{
    return (struct spec_node){ .up = list, .v = v, .index = index, .depth = list->depth + 1 };
}

/* --- kinds of values ----------------------------------------------------------------------------------------------- */

static int expected(const struct spec *s, const struct spec_node *n, const char *what)
{
    if (!n->v)
        return spec_error(s, n, "is missing; give %s", what);
    return spec_error(s, n, "expected %s, got %s", what, json_type_name(n->v->type));
}

int spec_object(const struct spec *s, const struct spec_node *n, const char *const *known)
{
    if (!n->v || n->v->type != JSON_OBJECT) {
        /* An empty table of Lua may come as an empty list. */
        if (n->v && n->v->type == JSON_ARRAY && n->v->count == 0)
            return 0;
        return expected(s, n, "a table with names");
    }
    if (n->depth > DEPTH_MAX)
        return spec_error(s, n, "is nested too deeply; %d levels are the most", DEPTH_MAX);
    for (const struct json_value *m = n->v->first; m; m = m->next) {
        size_t i = 0;
        while (known[i] && !slice_is(m->key, known[i]))
            i++;
        if (known[i])
            continue;
        const char *near = nearest_word(m->key, known);
        int shown = (int)utf8_cut(m->key, SHOWN_MAX);
        if (near)
            return spec_error(s, n, "unknown key \"%.*s\"; did you mean \"%s\"?", shown, m->key.data, near);
        char list[200] = "";
        for (i = 0; known[i]; i++) {
            size_t len = strlen(list);
            snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", known[i]);
        }
        return spec_error(s, n, "unknown key \"%.*s\"; known here: %s", shown, m->key.data, list[0] ? list : "none");
    }
    return 0;
}

int spec_list(const struct spec *s, const struct spec_node *n)
{
    if (!n->v || n->v->type != JSON_ARRAY)
        return expected(s, n, "a list");
    if (n->v->count == 0)
        return spec_error(s, n, "is empty; name at least one, or leave it out");
    if (n->v->count > LIST_MAX)
        return spec_error(s, n, "has %u entries; %d are the most", n->v->count, LIST_MAX);
    return 0;
}

/* A number where money belongs: shows how to write it. */
static int bare_number(const struct spec *s, const struct spec_node *n)
{
    char written[32] = "50.00", plain[24];
    struct slice text = n->v->string;
    int64_t minor;
    if (n->v->type == JSON_INT)
        text = slice_of(plain, (size_t)snprintf(plain, sizeof plain, "%lld", (long long)n->v->integer));
    if (money_parse(text, s->exponent, &minor, NULL) == 0)
        money_format(minor, s->exponent, written);
    return spec_error(s, n, "a bare number can't be money; write \"%s\" in quotes", written);
}

int spec_money(const struct spec *s, const struct spec_node *n, int64_t least, int64_t *out)
{
    if (n->v && (n->v->type == JSON_INT || n->v->type == JSON_REAL))
        return bare_number(s, n);
    struct slice text;
    if (!json_is_string(n->v, &text))
        return expected(s, n, "an amount such as \"50.00\"");
    struct err cause;
    if (money_parse(text, s->exponent, out, &cause) < 0)
        return spec_error(s, n, "%s", cause.text);
    if (*out < 0)
        return spec_error(s, n, "\"%.*s\" is negative; amounts here are never below zero", SLICE_FMT(text));
    if (*out < least)
        return spec_error(s, n, "\"%.*s\" must be more than zero", SLICE_FMT(text));
    return 0;
}

int spec_int(const struct spec *s, const struct spec_node *n, int64_t min, int64_t max, int64_t *out)
{
    if (!json_is_int(n->v, out))
        return expected(s, n, "a whole number");
    if (*out < min || *out > max)
        return spec_error(s, n, "%lld is out of range; it goes from %lld to %lld", (long long)*out, (long long)min, (long long)max);
    return 0;
}

int spec_percent(const struct spec *s, const struct spec_node *n, int64_t *out_ppm)
{
    struct slice text;
    if (n->v && n->v->type == JSON_INT) {
        int64_t whole = n->v->integer;
        *out_ppm = whole < 0 ? -1 : whole > 100 ? RATE_ONE_PPM + 1 : whole * (RATE_ONE_PPM / 100);
    } else if (n->v && (n->v->type == JSON_REAL || n->v->type == JSON_STRING)) {
        text = n->v->string;
        struct err cause;
        int rc = rate_parse_percent(text, out_ppm, &cause);
        if (rc < 0)
            return spec_error(s, n, "%s", cause.text);
    } else {
        return expected(s, n, "a percentage such as 20 or 12.5");
    }
    if (*out_ppm <= 0)
        return spec_error(s, n, "a percentage is more than 0 here");
    if (*out_ppm > RATE_ONE_PPM)
        return spec_error(s, n, "a percentage is at most 100 here");
    return 0;
}

int spec_time(const struct spec *s, const struct spec_node *n, int64_t *out_ms)
{
    struct slice text;
    struct civil local;
    struct err cause;
    if (!json_is_string(n->v, &text))
        return expected(s, n, "a local time such as \"2026-11-20 00:00\"");
    if (civil_parse(text, &local, &cause) < 0)
        return spec_error(s, n, "%s", cause.text);
    *out_ms = zone_resolve(s->zone, &local);
    return 0;
}

int spec_choice(const struct spec *s, const struct spec_node *n, const char *const *choices, unsigned *out)
{
    struct slice text;
    if (!json_is_string(n->v, &text))
        return expected(s, n, "a word");
    for (unsigned i = 0; choices[i]; i++) {
        if (slice_is(text, choices[i])) {
            *out = i;
            return 0;
        }
    }
    const char *near = nearest_word(text, choices);
    int shown = (int)utf8_cut(text, SHOWN_MAX);
    if (near)
        return spec_error(s, n, "there is no \"%.*s\"; did you mean \"%s\"?", shown, text.data, near);
    char list[200] = "";
    for (size_t i = 0; choices[i]; i++) {
        size_t len = strlen(list);
        snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "", choices[i]);
    }
    return spec_error(s, n, "there is no \"%.*s\"; choose one of %s", shown, text.data, list);
}

static int text_check(const struct spec *s, const struct spec_node *n, size_t max, struct slice *out)
{
    if (!json_is_string(n->v, out))
        return expected(s, n, "a text");
    if (out->len == 0)
        return spec_error(s, n, "is empty; write something or leave it out");
    if (out->len > max)
        return spec_error(s, n, "is longer than %zu bytes; shorten it", max);
    const char *end = out->data + out->len;
    for (const char *p = out->data; p < end;) {
        size_t len = utf8_at(p, end);
        if (len == 0)
            return spec_error(s, n, "is not UTF-8; save the file as UTF-8");
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return spec_error(s, n, "has a control character; remove it");
        p += len;
    }
    return 0;
}

int spec_text(const struct spec *s, const struct spec_node *n, size_t max, struct slice *out)
{
    struct slice text;
    int rc = text_check(s, n, max, &text);
    if (rc < 0)
        return rc;
    *out = arena_copy(s->arena, text);
    return out->data ? 0 : spec_nomem(s);
}

/* --- names --------------------------------------------------------------------------------------------------------- */

struct slice code_normal(struct slice typed, bool fold, char buf[CODE_MAX])
{
    while (typed.len && (typed.data[0] == ' ' || typed.data[0] == '\t'))
        typed = slice_of(typed.data + 1, typed.len - 1);
    while (typed.len && (typed.data[typed.len - 1] == ' ' || typed.data[typed.len - 1] == '\t'))
        typed.len--;
    if (typed.len > CODE_MAX)
        return slice_of(buf, 0);
    for (size_t i = 0; i < typed.len; i++) {
        char c = typed.data[i];
        buf[i] = fold && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    return slice_of(buf, typed.len);
}

static int by_number(const void *a, const void *b)
{
    symbol x = *(const symbol *)a, y = *(const symbol *)b;
    return (x > y) - (x < y);
}

static int name_add(struct spec *s, const struct spec_node *n, bool code, symbol *items, uint32_t *count)
{
    struct slice text;
    char buf[CODE_MAX];
    int rc = text_check(s, n, code ? CODE_MAX : NAME_MAX_BYTES, &text);
    if (rc < 0)
        return rc;
    if (code) {
        text = code_normal(text, s->fold_codes, buf);
        if (text.len == 0)
            return spec_error(s, n, "is only spaces; write the code");
    }
    symbol sym = s->find_only ? symbols_find(s->symbols, text) : symbols_intern(s->symbols, text);
    if (sym == 0 && !s->find_only)
        return spec_nomem(s);
    if (sym)
        items[(*count)++] = sym;
    return 0;
}

void names_sort(symbol *items, uint32_t count, struct names *out)
{
    qsort(items, count, sizeof *items, by_number);
    *out = (struct names){ .items = items };
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || items[i] != items[i - 1])
            items[out->count++] = items[i];
    for (uint32_t i = 0; i < out->count; i++)
        out->bloom |= symbol_bit(items[i]);
}

static int names_read(struct spec *s, const struct spec_node *n, bool code, struct names *out)
{
    bool one = n->v && n->v->type == JSON_STRING;
    int rc = one ? 0 : spec_list(s, n);
    if (rc < 0)
        return rc;
    symbol *items = spec_array(s, one ? 1 : n->v->count, sizeof *items);
    if (!items)
        return ERR_NOMEM;
    uint32_t count = 0;
    if (one) {
        rc = name_add(s, n, code, items, &count);
    } else {
        size_t i = 1;
        for (const struct json_value *m = n->v->first; m && rc == 0; m = m->next, i++) {
            struct spec_node e = spec_element(n, m, i);
            rc = name_add(s, &e, code, items, &count);
        }
    }
    if (rc < 0)
        return rc;
    names_sort(items, count, out);
    return 0;
}

int spec_names(struct spec *s, const struct spec_node *n, struct names *out)
{
    return names_read(s, n, false, out);
}

int spec_codes(struct spec *s, const struct spec_node *n, struct names *out)
{
    return names_read(s, n, true, out);
}
