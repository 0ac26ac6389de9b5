/* host/soldout.h - which SKUs have nothing left, for workers: what the last commit left, asked without a lock and without a query. An order
 * of something sold out is answered on the worker, so that the losers of a flash sale cost the other carts nothing. It only ever refuses
 * what the writer would refuse, too; what is not marked is decided there. */
#pragma once
#include "base/symbols.h"
#include "store/store.h"

struct ledger;
struct soldout;

/* Reads what has nothing left, and follows the ledger's commits from here; conn: the writer's. Before the writer starts. */
int soldout_open(struct symbols *symbols, struct store_conn *conn, struct ledger *l, struct soldout **out, struct err *err);
void soldout_close(struct soldout *s); /* after the writer has stopped, before the ledger; NULL is fine */

/* Any thread. Pieces of the SKU that is counted: none at any place. */
bool soldout_has(const struct soldout *s, symbol sku);
