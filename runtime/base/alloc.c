#include "base/alloc.h"
#include <stdlib.h>

static void *default_resize(void *ctx, void *ptr, size_t old_size, size_t size)
{
    (void)ctx;
    (void)old_size;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

const struct alloc *alloc_default(void)
{
    static const struct alloc system_alloc = { default_resize, NULL };
    return &system_alloc;
}
