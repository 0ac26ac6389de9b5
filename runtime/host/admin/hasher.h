/* host/admin/hasher.h - what takes a tenth of a second of a core and 64 MiB, on a thread beside the shop: passwords. One after the other,
 * so that many who guess at once wait for each other and not everybody for them. The thread is started with the first job. */
#pragma once
#include "host/api/call.h"

struct hashers;
int hashers_open(struct hashers **out, struct err *err);
void hashers_finish(struct hashers *h); /* what waits is answered ERR_BUSY; before the workers close. May be called again */
void hashers_close(struct hashers *h);  /* NULL is fine */

/* The call waits; work() runs beside the shop and touches nothing but the call; then c->done on the worker, with c->rc and c->err as work()
 * left them. false, with c->rc and c->err: too many wait. */
bool hasher_send(struct call *c, int (*work)(struct call *c, struct err *err));
