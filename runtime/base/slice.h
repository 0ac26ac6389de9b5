/* base/slice.h - a borrowed run of bytes. Never NUL-terminated by contract, never owned. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
    const char *data;
    size_t len;
};

#define SLICE_LIT(s) ((struct slice){ (s), sizeof(s) - 1 })
#define SLICE_FMT(s) (int)(s).len, (s).data /* for "%.*s" */

static inline struct slice slice_of(const char *data, size_t len)
{
    return (struct slice){ data, len };
}

static inline struct slice slice_str(const char *s) /* NULL gives the empty slice */
{
    return (struct slice){ s ? s : "", s ? strlen(s) : 0 };
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool slice_is(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Orders by bytes, shorter first when one is the beginning of the other. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.data, b.data, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
