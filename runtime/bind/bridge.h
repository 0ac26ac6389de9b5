/* bind/bridge.h - feira.bridge: the functions that a spec has of the shop it tests; feira.test makes them pleasant. There only where the
 * host opens it. */
#pragma once
#include "base/buf.h"
#include "bind/bind.h"

struct bind_bridge {
    void *ctx;
    struct arena *arena; /* of one test: what its requests and answers take */
    const char *plugin;  /* whose specs these are; NULL: a shop's */
    /* caller: a key or token, "" = the operator */
    int (*request)(void *ctx, const char *method, const char *target, struct slice caller, struct slice body, int *status,
                   struct buf *answer, struct err *err);
    /* The same as it came over the wire, from somebody without a key: headers are whole lines */
    int (*raw)(void *ctx, const char *method, const char *target, struct slice headers, struct slice body, int *status, struct buf *answer,
               struct err *err);
    /* A procedure of a plugin, on its own; what it returned as JSON text in the arena */
    int (*call)(void *ctx, struct slice name, const struct json_value *args, struct slice *value, struct err *err);
    /* What the made-up shop of a plugin's specs is; keep: the shop goes on with its data, and the new files wait for a publish */
    int (*stage)(void *ctx, const struct json_value *shop, bool keep, struct err *err);
    /* What answers in the place of the outside, until the test ends; taken over. 0: nobody. */
    void (*outside)(void *ctx, vm_ref fn);
    int (*streamed)(void *ctx, struct buf *out, struct err *err); /* what was sent to listeners since it was asked last: a JSON list */
    int (*advance)(void *ctx, int64_t ms, struct err *err);       /* what comes due on the way happens */
    int (*now)(void *ctx, int64_t *ms, struct err *err);
    int (*fresh)(void *ctx, struct err *err);    /* an empty shop, and the clock at its beginning */
    void (*enter)(void *ctx, struct slice name); /* a group of tests */
    void (*leave)(void *ctx);
    void (*result)(void *ctx, struct slice name, bool passed, struct slice message);
};

/* Gives v the module; *b must outlive it. */
int bind_bridge_open(struct vm *v, const struct bind_bridge *b, struct err *err);
