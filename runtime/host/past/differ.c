/* Where two JSON values differ first. */
#include "host/past/again.h"
#include <stdio.h>

static bool same_scalar(const struct json_value *a, const struct json_value *b)
{
    switch (a->type) {
    case JSON_INT:
        return a->integer == b->integer;
    case JSON_REAL:
    case JSON_STRING:
        return slice_eq(a->string, b->string);
    default:
        return true;
    }
}

static void step(char *path, size_t size, const struct json_value *member, bool in_list, uint32_t n)
{
    size_t len = strlen(path);
    if (in_list)
        snprintf(path + len, size - len, "[%u]", n);
    else
        snprintf(path + len, size - len, "%s%.*s", len ? "." : "", SLICE_FMT(member->key));
}

bool json_differ(const struct json_value *was, const struct json_value *now, char *path, size_t size, const struct json_value **a,
                 const struct json_value **b)
{
    size_t len = strlen(path);
    *a = was;
    *b = now;
    if (was->type != now->type)
        return true;
    if (was->type != JSON_ARRAY && was->type != JSON_OBJECT)
        return !same_scalar(was, now);
    uint32_t n = 1; /* lists count from 1, for people */
    const struct json_value *x = was->first, *y = now->first;
    for (; x && y; x = x->next, y = y->next, n++) {
        if (was->type == JSON_OBJECT && !slice_eq(x->key, y->key))
            break;
        step(path, size, x, was->type == JSON_ARRAY, n);
        if (json_differ(x, y, path, size, a, b))
            return true;
        path[len] = '\0';
    }
    if (!x && !y)
        return false;
    step(path, size, x ? x : y, was->type == JSON_ARRAY, n);
    *a = x;
    *b = x && y ? NULL : y; /* another member stands there: this one is gone */
    return true;
}
