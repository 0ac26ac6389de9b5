/* host/admin/throttle.h - who guesses is slowed down. Counted by name and by address, in memory of a fixed size, whatever names are tried:
 * an attempt counts when it begins, so that many at once gain nothing, and a good one takes the count of its name back. After FREE_TRIES
 * of a name (FREE_TRIES_ADDRESS of an address) each further one has to wait for PAUSE_MS after the one before. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

enum { THROTTLE_FREE_NAME = 5, THROTTLE_FREE_ADDRESS = 20, THROTTLE_PAUSE_MS = 30000 };

struct throttle;
struct throttle *throttle_new(uint64_t salt); /* NULL when out of memory */
void throttle_free(struct throttle *t);
/* Any thread. 0: the attempt may be made, and is counted. Else how many milliseconds to wait. address "": not counted by it. */
int64_t throttle_try(struct throttle *t, struct slice name, struct slice address, int64_t now_ms);
void throttle_good(struct throttle *t, struct slice name, struct slice address);
