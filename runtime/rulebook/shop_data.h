/* rulebook/shop_data.h - what belongs to the shop itself and plugins may reach when their needs name it: collections to read
 * ("customers:read") and procedures to call ("orders.cancel"). As data: manifests are checked against it, the host makes grants from it. */
#pragma once
#include "base/collection.h"
#include "rulebook/manifest.h"

#define SHOP_STORE "shop" /* store.of("shop").customers; no plugin can have that name */

struct shop_collection {
    struct collection shape;     /* over a view of stdlib/schema/ */
    const char *const *personal; /* by field: "customer.name", or NULL where it is not personal */
};
const struct shop_collection *shop_collections(size_t *count);
const struct shop_collection *shop_collection(struct slice name); /* NULL when there is none */

/* Its shape as plugin m may see it: without the personal fields that its needs do not name. In the arena; NULL when out of memory. */
struct shop_view {
    const struct json_value *privacy; /* of shop.lua; may be NULL */
    /* Where reads of a personal field are to be counted; NULL = nowhere. */
    struct field_reads *(*reads)(void *ctx, const char *plugin, const char *field, const char *purpose);
    void *ctx;
};
const struct collection *shop_collection_for(const struct shop_collection *c, const struct manifest *m, const struct shop_view *view,
                                             struct arena *arena);

struct shop_procedure {
    const char *name; /* "orders.cancel" */
    const char *about;
    const char *stdlib; /* the function that does it: "shop_calls.orders_cancel" */
    const struct schema *args;
};
const struct shop_procedure *shop_procedures(size_t *count);
const struct shop_procedure *shop_procedure(struct slice noun, struct slice verb); /* NULL when there is none */
