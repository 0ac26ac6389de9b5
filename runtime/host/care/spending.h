/* host/care/spending.h - who uses the writer, and who waits for it meanwhile. There is one writer: an owner (a plugin) that takes most of
 * its time makes everybody else wait. The writer's thread only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SPENDING_WINDOW_MS = 10000,
    SPENDING_PERCENT = 50,  /* of the window is too much, when ... */
    SPENDING_LATE_MS = 100, /* ... commands of others waited longer than this, */
    SPENDING_LATE_COUNT = 5 /* so many of them */
};
#define SPENDING_NOBODY SIZE_MAX /* the shop's own */

struct spending;
struct spending *spending_new(size_t owners); /* NULL when out of memory */
void spending_free(struct spending *s);

struct spending_sum {
    int64_t used_ms, late; /* within the window: used by the owner, late commands of others */
};
void spending_waited(struct spending *s, size_t owner, int64_t waited_ms, int64_t now_ms);                       /* a command of his */
bool spending_used(struct spending *s, size_t owner, int64_t used_ns, int64_t now_ms, struct spending_sum *sum); /* true: too much */
void spending_reset(struct spending *s, size_t owner); /* as if he had used nothing */
