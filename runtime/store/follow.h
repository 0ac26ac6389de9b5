/* store/follow.h - a second copy of a store, always a moment behind: a thread ships what the writer commits into a folder on another disk,
 * as segments of log frames that carry a chain of hashes (segments.h), and snapshots to begin from. store_rebuild() makes a store of it.
 *
 * Nothing the folder does holds the shop up: when it is full or gone, commits wait in the log (up to a bound, see tap.h; after that a new
 * chain begins with a new snapshot once the folder is back), and follow_stats() says how far behind it is. In normal operation that is less
 * than FOLLOW_BOUND_MS. After a restart the chain goes on when the log shows that nothing was committed unseen; else a new one begins. */
#pragma once
#include "base/log.h"
#include "store/writer.h"

enum { FOLLOW_BOUND_MS = 1000 };

struct follow_options {
    struct store *store;
    struct writer *writer;
    const char *dir;     /* made by follow_prepare() */
    const char *whose;   /* names the shop: as given there */
    int64_t keep_ms;     /* how long every moment can be brought back; older segments and snapshots go */
    int64_t snapshot_ms; /* a new snapshot is due so long after the last one, when something was committed since */
    const struct clock *clock;
    struct log *log;
    const struct store_migration *migrations;
    int (*also)(struct store_conn *c, struct err *err); /* what a snapshot must stand besides the store's own check; may be NULL */
    void (*sha256)(struct slice data, unsigned char out[32]);
};

/* Makes the folder (mode 0700) and marks it as this shop's. ERR_STATE: it is another shop's, or has files that are none of ours. */
int follow_prepare(const char *dir, const char *whose, struct err *err);

struct follow;
/* Starts the thread. A folder that is not there is no error: it may come back. */
int follow_open(const struct follow_options *o, struct follow **out, struct err *err);
/* Ships what is left, once the writer has stopped or is to be followed no more, and ends the thread. NULL is fine. */
void follow_close(struct follow *f);

struct follow_stats {
    bool restorable;                            /* there is a snapshot that the newest segments go on from */
    char problem[256];                          /* why nothing is written now; "" = nothing is wrong */
    char snapshot_problem[256];                 /* why the last try to make a snapshot failed; "" = it did not */
    int64_t lag_ms;                             /* age of the oldest commit that a restore would miss; 0 = none */
    uint64_t lag_bytes;                         /* committed and not in the folder */
    uint64_t commits, bytes, snapshots, chains; /* written since the start */
    int64_t shipped_ms;                         /* when the last commit that is there was committed; 0 = none yet */
};
void follow_stats(struct follow *f, struct follow_stats *out); /* any thread */
