#include "host/api/catalogue.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A persistent array indexed by symbol: a directory of chunks of products, each counted on its own, so that publishing
 * one changed product copies one chunk and the directory. */
enum { CHUNK_BITS = 8, CHUNK_SIZE = 1 << CHUNK_BITS };

struct entry {
    atomic_uint refs;
    struct catalogue_product product; /* its arrays and title follow in the same allocation */
};

struct chunk {
    atomic_uint refs;
    struct entry *entries[CHUNK_SIZE];
};

struct catalogue_snapshot {
    atomic_uint refs;
    size_t chunk_count, product_count;
    struct chunk *chunks[];
};

struct catalogue {
    struct symbols *symbols;
    pthread_mutex_t lock; /* guards `live` while it is read and counted, or replaced */
    struct catalogue_snapshot *live;
    atomic_uint_fast64_t version;
};

static void entry_unref(struct entry *e)
{
    if (e && atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1)
        free(e);
}

static void chunk_unref(struct chunk *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < CHUNK_SIZE; i++)
        entry_unref(c->entries[i]);
    free(c);
}

void catalogue_release(struct catalogue_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->chunk_count; i++)
        chunk_unref(s->chunks[i]);
    free(s);
}

struct catalogue_snapshot *catalogue_acquire(struct catalogue *c)
{
    pthread_mutex_lock(&c->lock);
    struct catalogue_snapshot *s = c->live;
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&c->lock);
    return s;
}

struct catalogue_snapshot *catalogue_share(struct catalogue_snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

const struct catalogue_snapshot *catalogue_published(const struct catalogue *c)
{
    return c->live;
}

uint64_t catalogue_version(const struct catalogue *c)
{
    return atomic_load_explicit(&c->version, memory_order_acquire);
}

const struct catalogue_product *catalogue_find(const struct catalogue_snapshot *s, symbol sku)
{
    size_t i = sku >> CHUNK_BITS;
    if (sku == 0 || i >= s->chunk_count || !s->chunks[i])
        return NULL;
    struct entry *e = s->chunks[i]->entries[sku & (CHUNK_SIZE - 1)];
    return e ? &e->product : NULL;
}

const struct catalogue_product *catalogue_next(const struct catalogue_snapshot *s, symbol *after)
{
    for (size_t i = (size_t)*after + 1; i >> CHUNK_BITS < s->chunk_count; i++) {
        const struct chunk *c = s->chunks[i >> CHUNK_BITS];
        if (!c) {
            i |= CHUNK_SIZE - 1;
            continue;
        }
        if (c->entries[i & (CHUNK_SIZE - 1)]) {
            *after = (symbol)i;
            return &c->entries[i & (CHUNK_SIZE - 1)]->product;
        }
    }
    return NULL;
}

size_t catalogue_count(const struct catalogue_snapshot *s)
{
    return s->product_count;
}

static struct catalogue_snapshot *snapshot_new(size_t chunk_count)
{
    struct catalogue_snapshot *s = calloc(1, sizeof *s + chunk_count * sizeof(struct chunk *));
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    s->chunk_count = chunk_count;
    return s;
}

struct catalogue *catalogue_new(struct symbols *symbols)
{
    struct catalogue *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->symbols = symbols;
    pthread_mutex_init(&c->lock, NULL);
    c->live = snapshot_new(0);
    if (!c->live) {
        free(c);
        return NULL;
    }
    atomic_init(&c->version, 1);
    return c;
}

void catalogue_free(struct catalogue *c)
{
    if (!c)
        return;
    catalogue_release(c->live);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static void publish(struct catalogue *c, struct catalogue_snapshot *next)
{
    pthread_mutex_lock(&c->lock);
    struct catalogue_snapshot *old = c->live;
    c->live = next;
    pthread_mutex_unlock(&c->lock);
    atomic_fetch_add_explicit(&c->version, 1, memory_order_acq_rel);
    catalogue_release(old);
}

/* --- a snapshot that is being made ------------------------------------------------------------------------------ */

struct draft {
    struct catalogue *catalogue;
    struct catalogue_snapshot *next;
    bool *own; /* chunk i of `next` was copied and may be written */
};

static int draft_begin(struct draft *d, struct catalogue *c, bool empty, struct err *err)
{
    size_t n = empty ? 0 : c->live->chunk_count;
    *d = (struct draft){ c, snapshot_new(n), calloc(n + 1, sizeof(bool)) };
    if (!d->next || !d->own) {
        catalogue_release(d->next);
        free(d->own);
        return err_set(err, ERR_NOMEM, "Out of memory while publishing the catalogue.");
    }
    for (size_t i = 0; i < n; i++) {
        d->next->chunks[i] = c->live->chunks[i];
        if (d->next->chunks[i])
            atomic_fetch_add_explicit(&d->next->chunks[i]->refs, 1, memory_order_relaxed);
    }
    d->next->product_count = empty ? 0 : c->live->product_count;
    return 0;
}

static bool draft_grow(struct draft *d, size_t chunk)
{
    size_t have = d->next->chunk_count;
    if (chunk < have)
        return true;
    size_t want = have * 2 > chunk + 1 ? have * 2 : chunk + 1;
    struct catalogue_snapshot *bigger = realloc(d->next, sizeof *bigger + want * sizeof(struct chunk *));
    if (!bigger)
        return false;
    d->next = bigger;
    memset(bigger->chunks + have, 0, (want - have) * sizeof(struct chunk *));
    bool *own = realloc(d->own, want * sizeof(bool));
    if (!own)
        return false;
    memset(own + have, 0, (want - have) * sizeof(bool));
    d->own = own;
    bigger->chunk_count = want;
    return true;
}

static struct chunk *draft_chunk(struct draft *d, size_t i)
{
    if (!draft_grow(d, i))
        return NULL;
    if (d->own[i])
        return d->next->chunks[i];
    struct chunk *copy = calloc(1, sizeof *copy);
    if (!copy)
        return NULL;
    atomic_init(&copy->refs, 1);
    struct chunk *old = d->next->chunks[i];
    for (size_t k = 0; old && k < CHUNK_SIZE; k++) {
        copy->entries[k] = old->entries[k];
        if (copy->entries[k])
            atomic_fetch_add_explicit(&copy->entries[k]->refs, 1, memory_order_relaxed);
    }
    chunk_unref(old);
    d->next->chunks[i] = copy;
    d->own[i] = true;
    return copy;
}

static bool draft_set(struct draft *d, symbol sku, struct entry *e) /* takes e; NULL removes */
{
    struct chunk *c = draft_chunk(d, sku >> CHUNK_BITS);
    if (!c) {
        entry_unref(e);
        return false;
    }
    struct entry **slot = &c->entries[sku & (CHUNK_SIZE - 1)];
    d->next->product_count += (e != NULL);
    d->next->product_count -= (*slot != NULL);
    entry_unref(*slot);
    *slot = e;
    return true;
}

static void draft_end(struct draft *d, bool keep)
{
    if (keep)
        publish(d->catalogue, d->next);
    else
        catalogue_release(d->next);
    free(d->own);
}

/* --- reading products ------------------------------------------------------------------------------------------- */

/* A variant takes what it does not state from its parent; `v` counts those who name this SKU as their parent. */
#define PRODUCT_COLUMNS                                                                                                                    \
    "SELECT p.sku, coalesce(p.title, q.title, ''), p.price, coalesce(p.compare_at, 0), coalesce(p.category, q.category, ''),"              \
    " coalesce(p.tags, q.tags, '[]'), coalesce(p.brand, q.brand, ''), coalesce(p.weight_g, q.weight_g, 0), p.status, p.track_stock,"       \
    " EXISTS (SELECT 1 FROM products v WHERE v.variant_of = p.sku), (SELECT count(*) FROM stock s WHERE s.product = p.id),"                \
    " (SELECT s.account FROM stock s WHERE s.product = p.id LIMIT 1), (SELECT s.location FROM stock s WHERE s.product = p.id LIMIT 1),"    \
    " coalesce(p.attributes, q.attributes)"                                                                                                \
    " FROM products p LEFT JOIN products q ON q.sku = p.variant_of "

enum { TAGS_MAX = 64, ATTRIBUTES_MAX = 50, CATEGORY_DEPTH_MAX = 16 };

static uint32_t category_symbols(struct symbols *s, struct slice path, symbol out[CATEGORY_DEPTH_MAX])
{
    uint32_t n = 0;
    for (size_t end = path.len; end > 0 && n < CATEGORY_DEPTH_MAX;) {
        out[n++] = symbols_intern(s, slice_of(path.data, end));
        while (end > 0 && path.data[end - 1] != '/')
            end--;
        end -= end > 0;
    }
    return n;
}

static uint32_t tag_symbols(struct symbols *s, struct slice json, struct arena *arena, symbol out[TAGS_MAX])
{
    uint32_t n = 0;
    struct json_value *tags;
    if (json_parse(json, NULL, arena, &tags, NULL) < 0 || tags->type != JSON_ARRAY)
        return 0;
    for (const struct json_value *t = tags->first; t && n < TAGS_MAX; t = t->next)
        if (t->type == JSON_STRING)
            out[n++] = symbols_intern(s, t->string);
    return n;
}

/* Behind the tags. */
static uint32_t attribute_symbols(struct symbols *s, struct slice json, struct arena *arena, symbol out[ATTRIBUTES_MAX])
{
    uint32_t n = 0;
    struct json_value *all;
    if (json.len == 0 || json_parse(json, NULL, arena, &all, NULL) < 0 || all->type != JSON_OBJECT)
        return 0;
    for (const struct json_value *m = all->first; m && n < ATTRIBUTES_MAX; m = m->next) {
        struct slice text = quote_attribute_text(arena, m->key, m);
        if (text.data)
            out[n++] = symbols_intern(s, text);
    }
    return n;
}

static struct entry *entry_read(struct symbols *s, struct store_stmt *row, struct arena *scratch)
{
    symbol categories[CATEGORY_DEPTH_MAX], tags[TAGS_MAX + ATTRIBUTES_MAX];
    struct slice title = store_column_text(row, 1), brand = store_column_text(row, 6), status = store_column_text(row, 8);
    uint32_t category_count = category_symbols(s, store_column_text(row, 4), categories);
    uint32_t tag_count = tag_symbols(s, store_column_text(row, 5), scratch, tags);
    tag_count += attribute_symbols(s, store_column_text(row, 14), scratch, tags + tag_count);
    bool one_place = store_column_int(row, 11) == 1;
    struct slice location = one_place ? store_column_text(row, 13) : slice_str("");
    struct entry *e = calloc(1, sizeof *e + (category_count + tag_count) * sizeof(symbol) + title.len + location.len + 1);
    if (!e)
        return NULL;
    atomic_init(&e->refs, 1);
    symbol *arrays = (symbol *)(e + 1);
    memcpy(arrays, categories, category_count * sizeof(symbol));
    memcpy(arrays + category_count, tags, tag_count * sizeof(symbol));
    char *text = (char *)(arrays + category_count + tag_count);
    memcpy(text, title.data, title.len);
    memcpy(text + title.len, location.data, location.len);
    e->product = (struct catalogue_product){
        .facts = { .sku = symbols_intern(s, store_column_text(row, 0)),
                   .brand = brand.len ? symbols_intern(s, brand) : 0,
                   .categories = arrays,
                   .tags = arrays + category_count,
                   .category_count = category_count,
                   .tag_count = tag_count,
                   .price_minor = store_column_int(row, 2),
                   .compare_at_minor = store_column_int(row, 3),
                   .weight_g = store_column_int(row, 7),
                   .title = slice_of(text, title.len) },
        .status = slice_is(status, "active")  ? PRODUCT_ACTIVE
                  : slice_is(status, "draft") ? PRODUCT_DRAFT
                                              : PRODUCT_ARCHIVED,
        .track_stock = store_column_int(row, 9) != 0,
        .has_variants = store_column_int(row, 10) != 0,
        .places = (uint32_t)store_column_int(row, 11),
        .account = one_place ? store_column_int(row, 12) : 0,
        .location = slice_of(text + title.len, location.len),
    };
    if (e->product.facts.sku == 0) {
        free(e);
        return NULL;
    }
    return e;
}

/* Puts every row of the statement into the draft. */
static int draft_read(struct draft *d, struct store_stmt *stmt, struct arena *scratch, struct err *err)
{
    int rc;
    while ((rc = store_step(stmt, err)) == 1) {
        struct entry *e = entry_read(d->catalogue->symbols, stmt, scratch);
        symbol sku = e ? e->product.facts.sku : 0;
        if (!e || !draft_set(d, sku, e)) {
            store_reset(stmt);
            return err_set(err, ERR_NOMEM, "Out of memory while reading the catalogue.");
        }
        arena_reset(scratch);
    }
    return rc;
}

int catalogue_load(struct catalogue *c, struct store_conn *conn, struct err *err)
{
    struct store_stmt *all;
    int rc = store_prepare(conn, PRODUCT_COLUMNS, &all, err);
    if (rc < 0)
        return rc;
    struct draft d;
    if ((rc = draft_begin(&d, c, true, err)) < 0)
        return rc;
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    rc = draft_read(&d, all, &scratch, err);
    arena_release(&scratch);
    draft_end(&d, rc == 0);
    return rc;
}

/* The SKU itself, its variants, and its siblings' parent: whose inherited members or has_variants could have changed. */
static const char READ_AFFECTED[] =
    PRODUCT_COLUMNS "WHERE p.sku = ?1 OR p.variant_of = ?1 OR p.sku = (SELECT variant_of FROM products WHERE sku = ?1)";

int catalogue_update(struct catalogue *c, struct store_conn *conn, const struct slice *skus, size_t n, struct err *err)
{
    struct store_stmt *read;
    int rc = store_prepare(conn, READ_AFFECTED, &read, err);
    if (rc < 0)
        return rc;
    struct draft d;
    if ((rc = draft_begin(&d, c, false, err)) < 0)
        return rc;
    struct arena scratch;
    arena_init(&scratch, NULL, 0);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        store_bind_text(read, 1, skus[i]);
        rc = draft_read(&d, read, &scratch, err);
    }
    arena_release(&scratch);
    draft_end(&d, rc == 0);
    return rc;
}
