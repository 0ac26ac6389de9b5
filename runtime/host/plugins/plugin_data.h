/* host/plugins/plugin_data.h - what plugins remember: their collections between the manifests (rulebook/), the tables (store/) and Lua
 * (bind/). The record of each plugin's tables is a row of `meta`, "collections/NAME", written in the transaction that changed them. */
#pragma once
#include "bind/collections.h"
#include "rulebook/collections.h"
#include "rulebook/plugin_set.h"
#include "rulebook/shop_data.h"
#include "store/store.h"

/* What `m` may touch: its own collections, and those of others that its needs name. In the arena, which must outlive the Lua state.
 * view: how it sees what is personal in the shop's rows; NULL in tests. */
int plugin_grants(const struct plugin_set *s, const struct manifest *m, const struct shop_view *view, struct arena *arena,
                  struct bind_grants *out, struct err *err);

/* Would the tables take these manifests? Reads only: for checks and dry runs. Rows that are not unique are found only by doing it. */
int plugin_tables_check(struct store_conn *c, const struct plugin_set *s, struct err *err);

/* Brings the tables to what the manifests name. Inside of the caller's transaction on the writing connection; on an error nothing of it may
 * be kept: the caller rolls back, and what was live stays live. `live` (may be NULL): plugins that are live, so their tables are there;
 * whose manifest is the same one is not asked again. *statements (may be NULL): how many ran. */
int plugin_tables_grow(struct store_conn *c, const struct plugin_set *s, const struct plugin_set *live, size_t *statements,
                       struct err *err);

/* Lists what no manifest of the set names (also of plugins that are gone), one line each; with `drop` drops it, inside of the caller's
 * transaction. Not while an earlier revision is pinned. */
int plugin_tables_prune(struct store_conn *c, const struct plugin_set *s, bool drop, struct buf *report, struct err *err);
