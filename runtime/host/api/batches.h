/* host/api/batches.h - POST /v1/quotes/batch: many carts in one request, each answered on its own, in order, under one generation, with the
 * products of one moment, at one time.
 *
 * A worker has one line of batches. In each turn of its loop the first of them is worked on for about a millisecond, then the others who
 * ask have their turn: whoever asks for something small meanwhile waits for a slice, not for a batch. Of those in the line only the first
 * holds more than its body. A cart that can't be priced has a problem as its answer, the one that POST /v1/quotes would give. */
#pragma once
#include "host/api/call.h"

struct batches;                     /* of one worker */
void batches_end(struct batches *); /* NULL is fine. What is in the line is answered: the shop is being stopped */
