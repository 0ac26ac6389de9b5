/* host/api/guesses.h - how many unknown codes a caller has typed within the last hour: each customer for himself, the guests of a
 * storefront together. In memory: it begins anew with the process, and old callers make room for new ones. Any thread. */
#pragma once
#include "base/slice.h"
#include <stdbool.h>
#include <stdint.h>

struct guesses;
struct guesses *guesses_new(void); /* NULL: out of memory */
void guesses_free(struct guesses *g);
int64_t guesses_of(struct guesses *g, struct slice caller, int64_t now_ms);
/* One of the last few that the caller typed is no new guess: a cart is priced again and again with what stands in it. */
void guesses_add(struct guesses *g, struct slice caller, struct slice code, int64_t now_ms);
