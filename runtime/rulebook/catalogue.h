/* rulebook/catalogue.h - what plugins can hear and hook into, as data: names, payloads, moments. `feira help events|hooks` prints it, the
 * manifest is checked against it, and emitters check what they emit by it. Under api = 1 nothing here is removed or retyped. */
#pragma once
#include "base/buf.h"
#include "base/schema.h"

struct plugin_set;

struct catalogue_event {
    const char *name; /* "order.paid" */
    const char *about;
    bool in_transaction; /* subscribers may run in the emitting transaction; after the commit they always may */
    int since_api;
    const struct schema *payload; /* an object; money in minor units, times as RFC 3339 text */
    bool reserved;                /* named for good, and not emitted by this version */
};
const struct catalogue_event *catalogue_events(size_t *count);    /* in order of name */
const struct catalogue_event *catalogue_event(struct slice name); /* NULL when there is none */

struct catalogue_hook {
    const char *section; /* of plugin.lua: "pricing" */
    const char *about;   /* when it is called */
    const char *gets, *gives;
    const char *runs; /* "rule on a worker, inside a quote" */
    int since_api;
};
const struct catalogue_hook *catalogue_hooks(size_t *count);

/* Personal fields that a plugin may ask for. */
struct catalogue_field {
    const char *name; /* "customer.phone" */
    const char *about;
};
const struct catalogue_field *catalogue_personal(size_t *count);

/* Names of the shop itself: "customers", "orders" ... No plugin can have one of them. */
const char *const *catalogue_core(void); /* ended by NULL */
bool catalogue_is_core(struct slice name);

/* The text of `feira help events` and `feira help hooks`; with a set also the events of its plugins. set may be NULL. */
void catalogue_write_events(struct buf *out, const struct plugin_set *set);
void catalogue_write_hooks(struct buf *out, const struct plugin_set *set);
