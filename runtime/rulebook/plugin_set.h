/* rulebook/plugin_set.h - the plugins that a shop has turned on, in their one order, with their hooks in theirs. The order depends on
 * what the manifests say and on names, on nothing else: who is needed comes first, then `after` and `before`, then the name. */
#pragma once
#include "rulebook/manifest.h"

struct plugin_set;

struct hook_ref {
    const struct manifest *plugin;
    const struct hook *hook;
};

/* list: in any order; the manifests must outlive the set. ERR_INVALID names the plugin and what to do: two of one name, something needed
 * that is not there, a circle. `after` and `before` of plugins that are not there mean nothing. */
int plugin_set_make(const struct manifest *const *list, size_t count, const struct alloc *alloc, struct plugin_set **out, struct err *err);
void plugin_set_free(struct plugin_set *s); /* NULL is fine */

size_t plugin_set_count(const struct plugin_set *s);
const struct manifest *plugin_set_at(const struct plugin_set *s, size_t i); /* in their order */
const struct manifest *plugin_set_find(const struct plugin_set *s, struct slice name);

/* All hooks of a kind: by plugin in the order for this kind (after and before of hooks count, too), then by the hook's name. */
const struct hook_ref *plugin_set_hooks(const struct plugin_set *s, enum hook_kind kind, size_t *count);
/* The subscribers of one event, those in the transaction and those after it, in order. */
const struct hook_ref *plugin_set_subscribers(const struct plugin_set *s, struct slice event, size_t *count);

/* --- capabilities, asked at each call ------------------------------------------------------------------------------------- */
/* May `m` touch the collection of `plugin` (own: always)? part "" asks for all of it. */
bool needs_collection(const struct manifest *m, struct slice plugin, struct slice part, bool write);
bool needs_procedure(const struct manifest *m, struct slice plugin, struct slice procedure);
bool needs_ledger(const struct manifest *m, struct slice account, bool write); /* account: its whole name, "points/cus_1" */
bool needs_http(const struct manifest *m, struct slice host, int port);
bool needs_personal(const struct manifest *m, struct slice field); /* "customer.phone" */

/* The text of `feira needs SHOP`: what every plugin may touch, and why. settings: by plugin in the set's order, canonical; NULL, or NULL
 * inside, leaves out which secrets they name. */
void plugin_set_write_needs(const struct plugin_set *s, const struct json_value *const *settings, struct buf *out);
/* The same as an array: [{ "plugin", "version", "title", "needs": [{ "may": "reads", "what": "customers", "detail"?, "why"? }] }]. */
void plugin_set_write_needs_json(const struct plugin_set *s, const struct json_value *const *settings, struct json_writer *w);
