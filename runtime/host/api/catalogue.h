/* host/api/catalogue.h - the products of a shop in memory: immutable snapshots that all workers share. A change makes a new
 * snapshot that shares what did not change; whoever holds the old one keeps it. Looked up by the SKU's symbol.
 *
 * catalogue_update() and catalogue_load() are for one thread at a time (the writer); views are for any. */
#pragma once
#include "quote/quote.h"
#include "store/store.h"

enum product_status { PRODUCT_ACTIVE, PRODUCT_DRAFT, PRODUCT_ARCHIVED };

struct catalogue_product {
    struct quote_product facts;
    enum product_status status;
    bool has_variants; /* others are variants of it: it can't be bought itself */
    bool track_stock;
    /* Where it is stocked, when that is one place; else places is another number, and the rest 0. */
    uint32_t places;
    int64_t account; /* of the ledger */
    struct slice location;
};

struct catalogue;
struct catalogue_snapshot;

struct catalogue *catalogue_new(struct symbols *symbols);
void catalogue_free(struct catalogue *c);
int catalogue_load(struct catalogue *c, struct store_conn *conn, struct err *err); /* everything, from the store */
/* Reads the named SKUs again (and the variants and parents that depend on them) and publishes. */
int catalogue_update(struct catalogue *c, struct store_conn *conn, const struct slice *skus, size_t n, struct err *err);

/* The live snapshot, counted. */
struct catalogue_snapshot *catalogue_acquire(struct catalogue *c);
/* The same, not counted: for the thread that publishes, until it publishes again. */
const struct catalogue_snapshot *catalogue_published(const struct catalogue *c);
struct catalogue_snapshot *catalogue_share(struct catalogue_snapshot *s); /* one more for a snapshot that is held */
void catalogue_release(struct catalogue_snapshot *s);                     /* NULL is fine */
uint64_t catalogue_version(const struct catalogue *c); /* changes with every publish; cheap to ask before acquiring again */
const struct catalogue_product *catalogue_find(const struct catalogue_snapshot *s, symbol sku); /* NULL when there is none */
/* The first product whose symbol is above *after, which becomes its; NULL at the end. Begin with 0. */
const struct catalogue_product *catalogue_next(const struct catalogue_snapshot *s, symbol *after);
size_t catalogue_count(const struct catalogue_snapshot *s);
