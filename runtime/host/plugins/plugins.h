/* host/plugins/plugins.h - plugins at work: what a Lua state gives them, who may call what, their routes, timers and events. Everything
 * here belongs to one Lua state, so to one generation. */
#pragma once
#include "bind/facts.h"
#include "bind/plugins.h"
#include "host/api/routes.h"
#include "host/care/stops.h"
#include "rulebook/manifest.h"
#include "host/care/tally.h"

/* What the host keeps with a Lua state; bind is what bind_context_of() finds. */
struct plugin_state {
    struct bind_context bind;
    struct arena arena;            /* as long as the state */
    struct generation *generation; /* borrowed: whoever has the state holds it */
    struct plugin_route *routes;
    size_t route_count;
    struct stops_view stops;
    struct tally *tally;     /* of the command of the writer that runs in it; NULL = nobody counts */
    struct bind_fact *facts; /* of its plugins, as plugin_set_hooks() orders them */
    size_t fact_count;
    const struct schema *quote_body, *batch_body, *order_body, *checkout_body; /* with what its plugins take from a client */
    struct figures_part *figures; /* of the functions in this state; NULL until it is opened for a shop */
    struct http_router *router;   /* core routes and those of the plugins; NULL until plugin_routes_open() */
    struct secrets *secrets;      /* that the settings of its plugins name */
    struct webhooks *webhooks;    /* endpoints that hear what it emits; NULL until it is opened for a shop */
};
struct plugin_state *plugin_state_new(void); /* NULL: out of memory */
void plugin_state_free(struct plugin_state *s);
struct plugin_state *plugin_state_of(struct vm *vm);

extern const char *const plugin_modules[]; /* of the stdlib, ended by NULL */
/* rulebook_options.know_shop: money and times of what is loaded from here on are the shop's. */
void plugins_know_shop(void *ctx, struct vm *vm, const struct generation *g);
/* For rulebook_options. */
int plugins_open_one(void *shop, struct vm *vm, struct generation *g, const struct generation_plugin *plugin, vm_ref *settings,
                     struct err *err);

/* Once the state is open: events of the shop are heard, also where there are no plugins. */
void plugins_attach(struct vm *vm, struct generation *g, struct webhooks *webhooks);
/* Then the routes of its generation. */
int plugin_routes_open(struct vm *vm, struct generation *g, struct err *err);
int plugin_facts_open(struct vm *vm, struct generation *g, struct symbols *symbols, struct err *err); /* facts.c */
/* For bind: see bind_plugin_host.facts. */
const struct bind_fact *const *plugin_facts_of(void *state, const char *plugin, const struct collection *rows, struct arena *arena,
                                               size_t *count);
bool plugin_looks_at_codes(void *state, const char *plugin);                  /* for bind */
int plugin_inputs_open(struct vm *vm, struct generation *g, struct err *err); /* inputs.c */
/* The body of a route under these rules: quotes and orders have `inputs` of plugins. NULL = none. */
const struct schema *plugin_body(const struct plugin_state *s, const struct route *r);
/* For bind: does the manifest of the plugin describe this input? */
int plugin_input(void *state, struct slice plugin, struct slice name, struct err *err);
bool plugin_route_streams(const struct route *r);                            /* its answer may go on */
const struct route *plugin_route_at(const struct plugin_state *s, size_t i); /* NULL after the last */

/* The tables of the plugins' collections become what the generation names; on the writing connection, in a transaction of its own. */
int plugins_grow(struct store_conn *conn, const struct generation *g, struct err *err);

/* The checks of things of a kind, in their order. The list lives in the arena. */
int plugin_checks(const struct generation *g, enum hook_at at, struct slice kind, struct arena *arena, struct bind_check **out,
                  size_t *count, struct err *err);
/* For bind_plugin_host; ctx is the plugin_state. One whose plugin is stopped has function 0. */
int plugin_checks_at_runtime(void *ctx, struct slice kind, struct arena *arena, const struct bind_check **out, size_t *count,
                             struct err *err);

/* A timer of the journal that stands for a plugin's. */
bool plugin_timer_is(struct slice procedure);
struct slice plugin_timer_owner(struct slice procedure); /* the name of the plugin; also of a subscriber in journal/events.h */
/* What it runs; false when the plugin is not there, or has it no more. */
struct hook_ref;
bool plugin_timer_hook(const struct generation *g, struct slice procedure, struct hook_ref *out);
int plugin_timer_run(struct vm *vm, struct slice procedure, struct slice key, int64_t due_ms, struct err *err);

/* What of the plugin hears this event; false when nothing does any more, and then nothing is run. */
bool plugin_event_hook(const struct generation *g, struct slice subscriber, struct slice event, struct hook_ref *out);
int plugin_event_run(struct vm *vm, struct slice subscriber, struct slice event, struct slice payload, struct err *err);
