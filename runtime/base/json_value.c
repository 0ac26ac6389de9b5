#include "base/json.h"
#include "base/utf8.h"

const struct json_value *json_get(const struct json_value *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    struct slice name = slice_str(key);
    for (const struct json_value *m = object->first; m; m = m->next)
        if (slice_eq(m->key, name))
            return m;
    return NULL;
}

bool json_is_int(const struct json_value *v, int64_t *out)
{
    if (!v || v->type != JSON_INT)
        return false;
    *out = v->integer;
    return true;
}

bool json_is_string(const struct json_value *v, struct slice *out)
{
    if (!v || v->type != JSON_STRING)
        return false;
    *out = v->string;
    return true;
}

bool json_is_bool(const struct json_value *v, bool *out)
{
    if (!v || (v->type != JSON_TRUE && v->type != JSON_FALSE))
        return false;
    *out = v->type == JSON_TRUE;
    return true;
}

const char *json_type_name(enum json_type t)
{
    static const char *const names[] = { "null",     "false",    "true",     "an integer", "a number with a fraction or exponent",
                                         "a string", "an array", "an object" };
    return names[t];
}

const char *json_quote(char out[JSON_QUOTE_MAX], struct slice s)
{
    enum { ROOM = JSON_QUOTE_MAX - 6 }; /* two quotes, three dots, NUL */
    size_t n = utf8_cut(s, ROOM), at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s.data[i];
        out[at++] = c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    if (n < s.len) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at++] = '"';
    out[at] = '\0';
    return out;
}

struct json_value *json_new(struct arena *a, enum json_type type)
{
    struct json_value *v = arena_zalloc(a, sizeof *v);
    if (v)
        v->type = type;
    return v;
}

struct json_value *json_new_int(struct arena *a, int64_t v)
{
    struct json_value *node = json_new(a, JSON_INT);
    if (node)
        node->integer = v;
    return node;
}

struct json_value *json_new_string(struct arena *a, struct slice s)
{
    struct json_value *node = json_new(a, JSON_STRING);
    if (node)
        node->string = s;
    return node;
}

void json_append(struct json_value *parent, struct json_value *last, struct json_value *child)
{
    if (last)
        last->next = child;
    else
        parent->first = child;
    parent->count++;
}
