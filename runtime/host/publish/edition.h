/* host/publish/edition.h - a generation in service. An edition is what the whole shop shares of it: the rules, the writer's Lua
 * state, how its campaigns and plugins are doing. A seat is one worker's Lua state under it.
 *
 * A call keeps the seat it began with, also while it waits for another thread; so it sees one generation from its first byte
 * to its answer, on the worker and on the writer. A worker changes seats between calls; the seat it left is closed when the
 * last call in it has ended, the edition when the last seat is. Closing is the publisher's work: it takes time. */
#pragma once
#include "host/shop.h"

struct edition_guard;
struct rescue;

struct edition {
    atomic_uint refs;
    struct shop *shop;
    struct generation *generation;
    struct vm *vm; /* the writer's: only its thread enters it */
    struct bind_context *bind;
    struct edition_guard *guard; /* how its campaigns and plugins are doing */
    struct rescue *rescue;       /* how quotes and orders are */
    atomic_bool replaced;        /* another one is live */
    atomic_bool retired;         /* too many are draining: what still waits under this one is refused */
    struct edition *next;        /* publisher */
};

struct catalogue_snapshot;

struct seat {
    struct shop *shop;
    struct edition *edition;       /* counted; NULL: rules of an earlier generation, opened again for the quotes it gave */
    struct generation *generation; /* counted */
    struct vm *vm;
    struct bind_context *bind;
    struct quote_hooks hooks, functions;        /* what the kernel calls; what runs the function */
    const struct catalogue_snapshot *catalogue; /* while a cart is priced: where products that campaigns add are looked up; or NULL */
    unsigned held;                              /* calls that wait in it for another thread */
    uint64_t serial;                            /* of the swap that brought it */
    uint64_t last_used;
    /* What of it is stopped, as of stops_version; for cart.stopped. */
    uint64_t stops_version;
    struct arena stopped_arena;
    struct slice *stopped;
    size_t stopped_count;
    struct seat *next;
};

/* With the writer's Lua state; counts g up. */
int edition_open(struct shop *s, struct generation *g, struct edition **out, struct err *err);
struct edition *edition_ref(struct edition *e);
void edition_unref(struct edition *e); /* any thread; NULL is fine. The last one gives it to the publisher */
void edition_close(struct edition *e); /* at once: for the publisher, and for what was never live */

/* e NULL: g without an edition. Both are counted up. */
int seat_open(struct shop *s, struct edition *e, struct generation *g, struct seat **out, struct err *err);
void seat_close(struct seat *seat);
/* What of its rules is stopped now, for cart.stopped, in the arena; 0 or ERR_NOMEM. Worker's thread. */
int seat_stopped(struct seat *seat, struct arena *arena, const struct slice **ids, size_t *count, struct err *err);
