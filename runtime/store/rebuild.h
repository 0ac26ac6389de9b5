/* store/rebuild.h - a store out of what a follower wrote (follow.h): the newest snapshot before a moment, and the commits after it. Reads
 * only. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

struct rebuild_options {
    const char *dir;
    const char *path;   /* a file that is not there yet */
    int64_t at_ms;      /* the last commit not after it; INT64_MAX = the newest */
    bool accept_damage; /* where a segment is damaged, go up to there */
    void (*sha256)(struct slice data, unsigned char out[32]);
};

struct rebuild_report {
    uint64_t commits;  /* applied to the snapshot */
    int64_t ms;        /* when the last of them was committed */
    int64_t oldest_ms; /* how far DIR goes back */
    char missing[400]; /* what damage took, as a sentence; "" = nothing */
};

/* ERR_NOT_FOUND: nothing in it reaches so far back; ERR_CORRUPT: a segment is damaged, and the sentence says what is missing. The file is
 * synced, and is not yet looked into: that is store_check()'s. */
int store_rebuild(const struct rebuild_options *o, struct rebuild_report *report, struct err *err);
