/* bind/functions.h - what the host wants of each function that a plugin or a campaign contributes: how much one call may use, and figures
 * of all its calls in this state. The figures are written by the state's thread and may be read by any; nobody waits for them. */
#pragma once
#include "base/slice.h"
#include "vm/vm.h"
#include <stdatomic.h>

struct bind_meter {
    atomic_uint_fast64_t calls, errors; /* an error: the function broke or was ended; what it refused is none */
    atomic_uint_fast64_t fuel;          /* of counted calls whole, of others what C functions charged */
    atomic_uint_fast64_t ns;            /* of rules estimated, from each eighth call */
    atomic_uint_fast64_t peak_bytes;    /* the most that one call made the state grow; of calls from outside */
};

struct bind_function {
    const char *owner; /* "invite", or "campaigns" */
    const char *kind;  /* "procedure": fuel and memory are limits[owner][kind] of shop.lua */
    int64_t fuel;
    size_t memory_bytes; /* that one call may make the state grow; 0 = up to what the state may hold */
    struct bind_meter meter;
};

struct bind_functions { /* must outlive the state */
    void *ctx;
    struct bind_function *list; /* those of the plugins, by number from 1 */
    size_t count;
    struct bind_function *(*campaign)(void *ctx, uint32_t campaign); /* for all functions of one campaign; NULL = not measured */
};
void bind_set_functions(struct vm *v, const struct bind_functions *f); /* NULL: none */
