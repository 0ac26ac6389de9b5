/* journal/journal_int.h - what timers and events have in common. Inside journal/ only. */
#pragma once
#include "store/store.h"

/* What is parked is due that much later than it was: after the end of time, as the rest of the shop sees it. */
#define JOURNAL_PARKED_MS ((int64_t)1 << 52)

/* 1 = *due_ms is when the first of `sql` is due (?1: JOURNAL_PARKED_MS), 0 = none is. */
int journal_next_due(struct store_conn *c, const char *sql, int64_t *due_ms, struct err *err);
