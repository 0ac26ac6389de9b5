/* bind/bind_int.h - shared by the nouns of this folder: who is calling, in which phase, and the small checks that every
 * function given to Lua needs. All of it may raise a Lua error, so callers own no C memory: scratch is in the call's arena. */
#pragma once
#include "bind/bind.h"
#include "vm/vm_lua.h"

enum { BIND_NAME_MAX = 48, BIND_CALLS_MAX = 64, BIND_SLOW_MAX = 4096 };

struct bind_function;
struct bind_functions;

/* The stdlib writes documents: an order of two thousand lines, a page of orders. What it makes is bounded by what was sent. */
enum { BIND_STRING_MAX = 32 << 20 };
enum { BIND_PLUGIN_GROWTH_BYTES = 32 << 20 };

/* A call on its way. */
struct bind_calling {
    struct slice name;
    const struct json_value *args;
    struct bind_answer *out;
    struct slice *topic; /* of an answer that goes on; NULL = it can't */
    struct slice *value; /* what comes back as it is, as JSON; NULL = not wanted */
    bool why;            /* nil, a sentence and a code come back as { why, code } */
    vm_ref ref;
};

/* One per Lua state, found from L with bind_state(). */
struct bind_state {
    struct bind_context *ctx;
    struct vm *vm;
    struct bind_task *task; /* that runs; NULL: what runs can't wait */
    uint64_t serial;        /* of the running call; a handle made under another one is dead */
    vm_ref require;         /* the sandbox's require() */
    struct {
        char name[BIND_NAME_MAX];
        vm_ref call;
    } calls[BIND_CALLS_MAX]; /* functions of the stdlib that were called by name */
    size_t call_count;
    uint64_t slow_rules[BIND_SLOW_MAX / 64]; /* by number: functions that are counted from the start */
    bool count_next;                         /* the rule that was abandoned comes again */
    vm_ref hooks;                            /* table: number of a plugin's function -> the closure that calls it */
    vm_ref rules;                            /* table: number of a function -> the closure that runs it */
    const struct bind_functions *functions;  /* limits and figures; NULL = none */
    const struct bind_function *blamed;      /* of a call within the running one: its own limit ended all of it */
    int64_t reported_ns, unreported;         /* failures of rules: when one was last logged, how many were not since */
};
static inline struct bind_state *bind_state(lua_State *L)
{
    return vm_context(L);
}

enum {
    BIND_LOAD = 1u << BIND_PHASE_LOAD,
    BIND_RULE = 1u << BIND_PHASE_RULE,
    BIND_HANDLER = 1u << BIND_PHASE_HANDLER,
    BIND_PROCEDURE = 1u << BIND_PHASE_PROCEDURE,
    BIND_CHECK = 1u << BIND_PHASE_CHECK,
    BIND_SUBMISSION = 1u << BIND_PHASE_SUBMISSION,
    BIND_STORE = BIND_HANDLER | BIND_PROCEDURE | BIND_CHECK,
};
/* The context when the running phase is one of `phases`; raises otherwise. The first line of every function with a moment. */
struct bind_context *bind_require(lua_State *L, unsigned phases, const char *what);
/* The same for what may have to wait for the store on some engine: it raises where nothing can wait, on all of them. */
struct bind_context *bind_require_wait(lua_State *L, unsigned phases, const char *what);

/* Pushes function `place` of module "feira.orders" for "orders.place"; raises when there is none. */
void bind_push_stdlib(lua_State *L, struct slice name);

int bind_raise(lua_State *L, const struct err *err);
/* Pushes what calls function number fn of a plugin: it takes a struct bind_calling. */
int bind_push_hook(struct vm *v, int fn, struct err *err);
struct bind_plugin;
int bind_call_and_wait(lua_State *L, const struct bind_plugin *p); /* plugin.call() in handlers and jobs; tasks.c */

/* Arguments and members. Strings are not turned into numbers, floats not into integers: 0.5 * 6 is not an amount. */
int64_t bind_check_int(lua_State *L, int arg, const char *what);
struct slice bind_check_slice(lua_State *L, int arg, const char *what); /* lives as long as the value on the stack */
int64_t bind_field_int(lua_State *L, int table, const char *name, bool required, int64_t otherwise);
struct slice bind_field_slice(lua_State *L, int table, const char *name, bool required); /* lives as long as the table */
struct bind_plugin;
void bind_plugin_made(lua_State *L, const struct bind_plugin *p); /* made.c: into the table on top */
void bind_plugin_sign(lua_State *L, const struct bind_plugin *p); /* sign.c, likewise */
struct slice bind_check_topic(lua_State *L, int arg);             /* stream.c; lives as long as the value on the stack */
void bind_push_slice(lua_State *L, struct slice s);
/* The shop's currency; raises while it is not known: only shop.lua is read before that. */
struct currency bind_currency(lua_State *L);
/* An amount in minor units (integer) or in major units (decimal string of the shop's currency). */
int64_t bind_check_money(lua_State *L, int arg, const char *what);
/* 20, 12.5 or "12.5" percent in parts per million; refuses what has no exact value. */
int64_t bind_check_percent(lua_State *L, int arg, const char *what);

/* Buffers whose memory is the arena's: nothing leaks when an error flies past. */
struct bind_buf {
    struct alloc alloc;
    struct buf buf;
};
void bind_buf_init(struct bind_buf *b, struct arena *arena);
void bind_buf_check(lua_State *L, const struct bind_buf *b); /* raises when memory ran out */

/* A userdata class: metatable `name` with the methods, and `index` (may be NULL) asked first for fields. */
void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction index);

/* A value of Lua as JSON; raw boxes are spliced, frozen tables read through. */
void bind_write_json(lua_State *L, int index, struct json_writer *w, struct arena *scratch);

/* The nouns: each leaves its module on the stack. */
struct bind_module {
    const char *name;
    void (*open)(lua_State *L);
};
void bind_open_money(lua_State *L);
void bind_open_json(lua_State *L);
void bind_open_time(lua_State *L);
void bind_open_ids(lua_State *L);
void bind_open_log(lua_State *L);
void bind_open_fail(lua_State *L);
void bind_open_sql(lua_State *L);
void bind_open_ledger(lua_State *L);
void bind_open_timers(lua_State *L);
void bind_open_catalogue(lua_State *L);
void bind_open_quote(lua_State *L);
void bind_open_events(lua_State *L);
void bind_open_checks(lua_State *L);
/* vm_try() of a plugin's function number fn, with its one argument on the stack. What the stdlib (fn -1) does for a plugin counts as the
 * plugin's. */
int bind_try_plugin(lua_State *L, const struct bind_context *c, int fn, int nresults);
int bind_plugin_check(lua_State *L); /* plugin.check(subject) */
struct bind_plugin;
/* A module whose functions have the plugin as their upvalue: what require() of it gives there. */
int bind_plugin_module(struct vm *v, const struct bind_plugin *p, const luaL_Reg *functions, vm_ref *out, struct err *err);
void bind_plugin_pins(lua_State *L, const struct bind_plugin *p); /* plugin.revision and plugin.rules, into the table on top */
void bind_open_crypto(lua_State *L);
void bind_open_shop(lua_State *L);
void bind_open_cart(lua_State *L); /* classes only; no module */

/* Pushes the closure that runs a rule's function, `body` with the function as its upvalue, made at its first call; nothing on failure. */
int bind_push_rule(struct vm *v, int fn, lua_CFunction body, struct err *err);
/* What a failing rule says is for the merchant's log, not for the shopper; once a second is enough to read. */
void bind_report(struct bind_state *st, const char *event, int rc, const struct err *err);

struct bind_event;
/* Tells the subscribers of an event of the shop, or of a plugin by its whole name: now, or after the commit. */
void bind_tell(lua_State *L, struct slice event, const struct bind_event *e, const struct json_value *payload);

void bind_push_quote(lua_State *L); /* the order being placed, for this call only */
void bind_push_cart(lua_State *L);  /* the cart being priced, for this call only */
void bind_push_line(lua_State *L, uint32_t line);
/* (fn) ->: what fn gives reaches the kernel. rates.c */
void bind_ask_prices(lua_State *L);
void bind_ask_shipping_rates(lua_State *L);
void bind_ask_tax_rates(lua_State *L);

/* The stdlib as it was compiled in; stdlib_embed.c is made from stdlib/ by the build. */
extern const struct bind_embedded bind_embedded_lua[];
extern const struct bind_embedded bind_embedded_sql[];
int bind_resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk_name, struct err *err);
