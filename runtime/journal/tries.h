/* journal/tries.h - how often something is tried, and how often a job failed so far. A job is a timer whose work is done outside of the
 * transaction that removes it, so a crash must not make it forget that it failed before. Written by the writer thread, inside its
 * savepoint. */
#pragma once
#include "store/store.h"

enum { TRIES_MAX = 10 }; /* of a job, or of an event by one subscriber; then it is given up */
/* How long after the failure number `tries`, from 1, it is due again: 5 s to 12 h, some 23 hours in all. */
int64_t tries_again_after_ms(int64_t tries);

const char *journal_tries_schema_sql(void);

int tries_count(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err); /* also for readers */
int tries_add(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err);   /* count: after it */
int tries_forget(struct store_conn *c, struct slice procedure, struct slice key, struct err *err);
