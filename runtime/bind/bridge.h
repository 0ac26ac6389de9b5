/* bind/bridge.h - feira.bridge: the functions that a spec has of the shop it tests; feira.test makes them pleasant. There only where the
 * host opens it. */
#pragma once
#include "base/buf.h"
#include "bind/bind.h"

struct bind_bridge {
    void *ctx;
    struct arena *arena; /* of one test: what its requests and answers take */
    int (*request)(void *ctx, const char *method, const char *target, struct slice body, int *status, struct buf *answer, struct err *err);
    int (*advance)(void *ctx, int64_t ms, struct err *err); /* what comes due on the way happens */
    int64_t (*now_ms)(void *ctx);
    int (*fresh)(void *ctx, struct err *err);    /* an empty shop, and the clock at its beginning */
    void (*enter)(void *ctx, struct slice name); /* a group of tests */
    void (*leave)(void *ctx);
    void (*result)(void *ctx, struct slice name, bool passed, struct slice message);
};

/* Gives v the module; *b must outlive it. */
int bind_bridge_open(struct vm *v, const struct bind_bridge *b, struct err *err);
