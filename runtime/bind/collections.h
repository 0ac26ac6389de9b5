/* bind/collections.h - the typed door from a plugin's Lua to its collections, and to those of others that its manifest names. The host
 * makes the grants from the manifests and gives each plugin's files, in their own environment, the value of bind_store(); it is the
 * only way to the rows, so what is not granted can't be reached. Values are checked in C; what is asked must follow an index, so that
 * no call costs more than the rows it gives. stdlib/meta/feira.store.lua describes it for authors. */
#pragma once
#include "base/collection.h"
#include "vm/vm.h"

struct bind_grant {
    const char *plugin; /* whose collection it is; BIND_SHOP: the shop's own, which nobody writes here */
    const struct collection *shape;
    bool read, write;
    /* Positions of fields by which facts are made of the rows: a change of a row is one of those customers. */
    const uint16_t *projected;
    size_t projected_count;
};

#define BIND_SHOP "shop"

struct bind_grants {
    const char *plugin; /* who holds them: own collections are those with the same name */
    const struct bind_grant *list;
    size_t count;
};

/* The value that `require "feira.store"` is to give to the plugin. grants and everything it points to must outlive the state. Works with
 * the conn, phase and arena of the state's bind_context: reads in handlers and procedures, writes in procedures. */
int bind_store(struct vm *v, const struct bind_grants *grants, vm_ref *out, struct err *err);
