/* host/publish/pins.h - rules of plugins that long-lived things go by: a row with a field of the type revision keeps the rules and settings
 * it began under. Kept in the store with the publish that brings them, found again when a plugin asks, moved on by feira repin. */
#pragma once
#include "bind/plugins.h"
#include "rulebook/rulebook.h"
#include "store/store.h"

/* Keeps the rules of those plugins of g that go by revisions. Inside of the caller's transaction. */
int pins_keep(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err);
int pins_keep_alone(struct store_conn *conn, const struct generation *g, int64_t now_ms, struct err *err); /* in one of its own */

/* For bind_plugin_host; ctx is the plugin_state. */
int pins_rules(void *ctx, const struct bind_plugin *caller, struct store_conn *conn, struct slice revision, struct arena *arena,
               struct bind_rules *out, struct err *err);

struct repin {
    const char *plugin;
    const char *collection; /* NULL = all that have such a field */
    const char *from;       /* NULL = whatever they go by */
    const char *to;         /* NULL = the live one */
    bool dry_run;
    const char *author;
};
/* Moves rows, in the caller's transaction on the writer, or only says which. Writes { plugin, to, dry_run, moved, rows: [{ collection, id,
 * field, from }, ... the first 100 ] }. ERR_NOT_FOUND, ERR_INVALID in a sentence. */
int pins_move(struct store_conn *conn, const struct generation *g, const struct repin *r, int64_t now_ms, struct json_writer *w,
              int64_t *moved, struct err *err);

/* ERR_CONFLICT "rules_pinned" when rows go by other rules than the live ones: what these needed may not be dropped. */
int pins_none(struct store_conn *conn, const struct generation *g, struct err *err);
