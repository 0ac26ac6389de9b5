/* host/care/follower.h - the shop's second copy (store/follow.h): which folder, and for how long, is said by an operator once and kept in
 * the data folder, so that every later start goes on with it. Not in shop.lua, which travels with the rules, and no option of `serve`,
 * which a start by hand would forget: it is a fact of this machine's disks. */
#pragma once
#include "base/json.h"
#include "host/shop.h"
#include "store/follow.h"

struct follower;
/* Reads what was said. A file that can't be read is no error: the shop serves, and follower_look() says what is wrong. */
int follower_open(struct shop *s, struct follower **out, struct err *err);
void follower_start(struct follower *f);  /* the shop is being served */
void follower_finish(struct follower *f); /* ships what is left, once the writer has stopped; before the store is closed */
void follower_close(struct follower *f);  /* NULL is fine */

struct follower_terms {
    char dir[4000];
    int64_t keep_ms, snapshot_ms;
};
#define FOLLOW_KEEP_MS     (INT64_C(7) * 24 * 3600 * 1000)
#define FOLLOW_SNAPSHOT_MS (INT64_C(24) * 3600 * 1000)
/* Makes the folder, marks it as this shop's, remembers it, and begins at once while the shop is served. */
int follower_set(struct follower *f, const struct follower_terms *t, struct err *err);
int follower_forget(struct follower *f, struct err *err); /* what is in the folder stays */

struct follower_view {
    struct follower_terms terms; /* dir "": no copy is kept */
    bool following;              /* stats are there */
    struct follow_stats stats;
    char problem[512]; /* a sentence that says what to do; "" = nothing is wrong */
};
void follower_look(struct follower *f, struct follower_view *out); /* any thread */
void follower_write(struct follower *f, struct json_writer *w);    /* an object */
void follower_write_metrics(struct follower *f, struct buf *out);
