/* journal/tries.h - how often a job failed so far. A job is a timer whose work is done outside of the transaction that removes it, so a
 * crash must not make it forget that it failed before. Written by the writer thread, inside its savepoint. */
#pragma once
#include "store/store.h"

const char *journal_tries_schema_sql(void);

int tries_count(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err); /* also for readers */
int tries_add(struct store_conn *c, struct slice procedure, struct slice key, int64_t *count, struct err *err);   /* count: after it */
int tries_forget(struct store_conn *c, struct slice procedure, struct slice key, struct err *err);
