/* base/map.h - a hash map from byte strings to pointers. Keys are copied. Order of iteration is the order of insertion
 * while nothing was removed (a removal moves the last entry into the gap), so that output made from it does not depend on hashes. */
#pragma once
#include "base/alloc.h"
#include "base/slice.h"
#include <stdint.h>

struct map_entry {
    struct slice key;
    uint64_t hash;
    void *value;
};

struct map {
    const struct alloc *alloc;
    struct map_entry *entries; /* dense: 0 .. count-1 */
    size_t count, cap;
    uint32_t *index; /* open addressing, entry number + 1, 0 = empty */
    size_t index_cap;
};

void map_init(struct map *m, const struct alloc *alloc);
void map_release(struct map *m); /* keys are freed, values are the caller's */
void map_clear(struct map *m);
void *map_get(const struct map *m, struct slice key);       /* NULL when absent */
bool map_set(struct map *m, struct slice key, void *value); /* replaces; false when out of memory */
void *map_remove(struct map *m, struct slice key);          /* the value that was there, or NULL */

uint64_t hash_bytes(const void *data, size_t len); /* fast, not for secrets; the same in every process */
