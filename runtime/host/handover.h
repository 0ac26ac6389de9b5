/* host/handover.h - one program takes over from another without a connection being refused. SIGUSR2: the successor (the new binary) is
 * asked whether it can read the shop; then the workers finish what has begun, while new connections wait in the queues of the listening
 * sockets, which go on to the successor. */
#pragma once
#include "host/shop.h"

struct handover_check;
/* Runs `successor check SHOP` and calls done once, on the loop: ok tells whether it came back with 0. At most one at a time per loop. */
int handover_check_start(struct shop *s, struct loop *loop, const char *successor, void (*done)(void *ctx, bool ok), void *ctx,
                         struct handover_check **out, struct err *err);
void handover_check_close(struct handover_check *c); /* NULL is fine; ends a check that is still running */
