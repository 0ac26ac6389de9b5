/* rulebook/limits.h - how much one call may use, by kind of code: fuel (instructions, and what C functions charge) and memory (by how much
 * it may make its Lua state grow). shop.lua sets them for one plugin, or for the shop's own campaigns:
 *
 *   limits = { ["member-tiers"] = { procedure = { fuel = 5000000, memory_kib = 8192 } }, campaigns = { rule = { fuel = 200000 } } }
 *
 * PLUGINS.md has the table for authors. Two kinds have one limit for everybody: a plugin.lua (MANIFEST in manifest.c), a file of specs. */
#pragma once
#include "rulebook/reader.h"

struct hook;

enum limit_kind {
    LIMIT_RULE,       /* functions of campaigns, pricing, shipping_rates, tax_rates, facts */
    LIMIT_HANDLER,    /* a route that reads */
    LIMIT_PROCEDURE,  /* a route that writes, and what others call */
    LIMIT_SUBSCRIBER, /* in the transaction: of what the emitting call has left */
    LIMIT_TIMER,
    LIMIT_JOB,
    LIMIT_CHECK,
    LIMIT_LOAD, /* the files, when they are loaded, and promo.use */
    LIMIT_KINDS
};
enum { LIMIT_FUEL_MIN = 1000, LIMIT_MEMORY_MIN_KIB = 64, LIMIT_MEMORY_MAX_KIB = 49152 };

struct limit {
    int64_t fuel;
    size_t memory_bytes;
};
struct limits {
    struct limit of[LIMIT_KINDS];
};

#define LIMITS_CAMPAIGNS "campaigns" /* as the owner of the shop's own campaigns; no plugin can be called that */
const char *limit_kind_name(enum limit_kind kind);
enum limit_kind limit_of_hook(const struct hook *h);
void limits_default(struct limits *out);
/* given: `limits` of shop.lua, NULL = nothing. owners: names of the plugins that are turned on, ended by NULL. All of it is checked. */
int limits_check(const struct reader *r, const struct json_value *given, const char *const *owners);
/* Those of one owner, once they are checked. */
void limits_read(const struct json_value *given, const char *owner, struct limits *out);

/* Around calls into a state: they may use `l`, and an end of it names the limit in err. */
struct vm;
struct limits_hold {
    int64_t fuel;
    size_t memory_bytes;
};
void limits_hold(struct vm *v, const struct limit *l, struct limits_hold *hold);
int limits_let_go(struct vm *v, const struct limits_hold *hold, const char *owner, enum limit_kind kind, int rc, struct err *err); /* rc */
