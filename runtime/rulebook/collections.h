/* rulebook/collections.h - from the collections of a manifest to tables. Pure: strings in, strings out; the host keeps the record (what
 * the tables of a plugin look like), runs the statements in one transaction, and stores the new record in the same one.
 *
 * Tables only grow. What a manifest no longer names stays, hidden, until it is pruned, so that an earlier revision can always come back:
 * the record remembers the shapes that were live, and a manifest with one of these is never refused. */
#pragma once
#include "rulebook/manifest.h"

struct collections_plan {
    const char *const *statements; /* in order; each one SQL statement, NUL-terminated */
    const char *const *uniques;    /* beside each, what it fails on when rows are equal: collections.links.unique: { "a" }; or NULL */
    size_t count;
    struct slice record;       /* what to remember once they have run */
    const char *const *hidden; /* "links", "links.note": tables and columns that the manifest does not name */
    size_t hidden_count;
};

/* record: what was remembered for this plugin; empty when it is new. ERR_INVALID when the manifest takes something back (a type changed,
 * a key or unique gone, a required field added without a default), in one sentence; ERR_CORRUPT when the record can't be read. All that
 * the plan points to is in the arena. */
int collections_plan(const struct manifest *m, struct slice record, struct arena *arena, struct collections_plan *out, struct err *err);

/* Statements that drop what is hidden, and indexes that only earlier shapes had. m = NULL: the plugin is gone, everything is hidden. After
 * it the earlier revisions that need these can't come back, so it must not be run while one is pinned. */
int collections_prune(const struct manifest *m, const char *plugin, struct slice record, struct arena *arena, struct collections_plan *out,
                      struct err *err);
