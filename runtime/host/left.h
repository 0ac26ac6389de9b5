/* host/left.h - what is left of published accounts (LEDGER_PUBLISHED), for workers: as of the last commit, asked without a lock and without
 * a query. Who asks for what is used up is answered on the worker. It is never behind an answer: a commit is told here before whoever made
 * it hears of it, and so is what gives something back (a void, an expiry, a refund, a refill). */
#pragma once
#include "base/symbols.h"
#include "store/store.h"
#include <stdbool.h>

struct ledger;
struct left;

/* Reads the published accounts, and follows the ledger's commits from here; conn: the writer's. Before the writer starts. */
int left_open(struct symbols *symbols, struct store_conn *conn, struct ledger *l, struct left **out, struct err *err);
void left_close(struct left *l); /* after the writer has stopped, before the ledger; NULL is fine */

/* Any thread. false: the account is not published, and only the store knows. A frozen or closed account has nothing left. */
bool left_of(const struct left *l, struct slice account, int64_t *left);
/* true only when the writer would refuse to take `need` from it. */
bool left_exhausted(const struct left *l, struct slice account, int64_t need);
