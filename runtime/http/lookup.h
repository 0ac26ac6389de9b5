/* http/lookup.h - a name looked up beside the loop: getaddrinfo() may take seconds, so each lookup has a thread for itself. */
#pragma once
#include "loop/loop.h"
#include <netdb.h>

struct lookup;
/* rc is getaddrinfo()'s; the list is done's to free (freeaddrinfo). Called on the loop. */
typedef void (*lookup_done_fn)(void *ctx, int rc, struct addrinfo *list);
struct lookup *lookup_start(struct loop *l, const char *host, int port, lookup_done_fn done,
                            void *ctx); /* NULL: out of memory or threads */
void lookup_abandon(struct lookup *k);  /* done is not called; the thread frees what is left. The loop may be closed afterwards */
