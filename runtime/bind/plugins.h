/* bind/plugins.h - what the files of a plugin may require beside the stdlib: feira.plugin (who it is, its settings, procedures of others,
 * its events), feira.timers (its own timers) and feira.ledger (accounts). And events: the stdlib and plugins emit them, subscribers run in
 * the same transaction. The host knows who may do what; here it is asked at each call. */
#pragma once
#include "base/schema.h"
#include "bind/bind.h"
#include "bind/checks.h"

struct bind_fact;
struct collection;

struct bind_plugin { /* must outlive the state */
    const char *name, *version;
    const char *const *timers;  /* those of its manifest, ended by NULL */
    const void *host;           /* the host's own */
    const char *revision;       /* of its rules now; NULL: it goes by no revisions */
    const char *const *modules; /* of the stdlib, that its files may require; ended by NULL */
};

/* The rules of a plugin as of a revision; everything lives in the arena of the call. */
struct bind_rules {
    const struct bind_rules_file {
        struct slice name, text; /* "rules" */
    } * files;
    size_t count;
    struct slice version;
    const struct json_value *settings;
};

struct bind_made { /* as long as the state */
    struct slice id;
    const char *type;
    const struct json_value *fields;
};

struct bind_procedure {
    int fn;                    /* number for vm_function() */
    const char *stdlib;        /* instead of fn: a function of the stdlib, "shop_calls.orders_cancel"; NULL = fn */
    const struct schema *args; /* NULL = any table */
};

struct bind_subscriber {
    int fn;
    const char *plugin;
    bool after_commit;
};

struct bind_event {
    const struct schema *payload;
    const char *key; /* the member of the payload by which it keeps its order; NULL = the first of order, customer, sku, campaign */
    const struct bind_subscriber *list;
    size_t count;
    bool published; /* endpoints of other systems are to hear it, too */
};

/* How the host answers; ctx is bind_context.plugins_ctx. */
struct bind_plugin_host {
    /* "grant" of its own, "coupons.grant" of another. ERR_DENIED when needs does not name it. */
    int (*procedure)(void *ctx, const struct bind_plugin *caller, struct slice name, struct bind_procedure *out, struct err *err);
    /* from NULL: an event of the shop, its whole name; otherwise one of the plugin's own. The list lives in the arena. */
    int (*event)(void *ctx, const struct bind_plugin *from, struct slice name, struct arena *arena, struct bind_event *out,
                 struct err *err);
    /* For an event that is published: kept for those endpoints, in the transaction that runs. */
    int (*publish)(void *ctx, struct slice event, struct slice key, const struct json_value *payload, struct err *err);
    /* Does plugin.lua describe this input? ERR_SCRIPT says what there is. */
    int (*input)(void *ctx, struct slice plugin, struct slice name, struct err *err);
    /* The checks at run time of things of this kind, in their order. The list lives in the arena. */
    int (*checks)(void *ctx, struct slice kind, struct arena *arena, const struct bind_check **list, size_t *count, struct err *err);
    /* Function number fn begins and ends inside of the one that runs. What enter gives is handed to leave. failed: it raised; why: what, ""
     * when that is no text. An error that ends everything may come without leave. */
    int (*enter)(void *ctx, int fn);
    void (*leave)(void *ctx, int before, bool failed, struct slice why);
    /* The rules of this revision, the live one or one that was kept. ERR_NOT_FOUND. */
    int (*rules)(void *ctx, const struct bind_plugin *caller, struct store_conn *conn, struct slice revision, struct arena *arena,
                 struct bind_rules *out, struct err *err);
    /* The facts that are made of these rows of a plugin, in the arena; none when it is stopped. NULL: there are none, or no memory. */
    /* Whether the plugin looks at codes that were typed: then it is told which an order was placed with. May be NULL. */
    bool (*looks_at_codes)(void *ctx, const char *plugin);
    const struct bind_fact *const *(*facts)(void *ctx, const char *plugin, const struct collection *rows, struct arena *arena,
                                            size_t *count);
    /* The campaign of this id, if promo.use of this plugin made it; false otherwise. */
    bool (*made)(void *ctx, const struct bind_plugin *caller, struct slice id, struct bind_made *out);
    /* The next one that it made, from number i on; i is its number then. */
    bool (*next_made)(void *ctx, const struct bind_plugin *caller, size_t *i, struct bind_made *out);
    /* May it call this host and port? */
    bool (*may_call)(void *ctx, const struct bind_plugin *caller, struct slice host, int port);
    /* May it read (write: move) the ledger's account of this name? ERR_SCRIPT says what to do. */
    int (*account)(void *ctx, const struct bind_plugin *caller, struct slice name, bool write, struct err *err);
};

/* The values that require "feira.plugin" and require "feira.timers" are to give to this plugin. settings: of bind_settings(); the ref stays
 * the caller's. */
int bind_plugin_modules(struct vm *v, const struct bind_plugin *p, vm_ref settings, vm_ref *plugin, vm_ref *timers, struct err *err);

/* The value that require "feira.ledger" is to give to it. */
/* The value that require "feira.stream" is to give to a plugin. */
int bind_plugin_stream(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err);
int bind_plugin_ledger(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err);

/* Calls function number fn as bind_call() calls one by name. out NULL: what it returns is left alone. */
int bind_call_function(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct err *err);
/* The same for a handler whose answer goes on: topic is what it names, "" when it does not. */
int bind_call_stream(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct slice *topic, struct err *err);
/* The same, and what it returns, whatever it is, comes as JSON text in the arena; "" for nil. */
int bind_call_value(struct vm *v, int fn, const struct json_value *args, struct slice *value, struct err *err);

/* What a procedure of the shop gets from a plugin: its arguments, and as "plugin" who calls. NULL when out of memory. */
struct json_value *bind_shop_call_args(const struct bind_plugin *caller, const struct json_value *args, struct arena *arena);

/* The same for a function of the stdlib by name. */
int bind_call_stdlib(struct vm *v, struct slice name, const struct json_value *args, struct slice *value, struct err *err);

/* Names of the durable timers that stand for a plugin's: "plugin:invite.expire"; and who hears an event after the commit, in
 * journal/events.h: "plugin:invite". */
#define BIND_PLUGIN_TIMER "plugin:"
