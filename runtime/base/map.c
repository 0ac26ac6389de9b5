#include "base/map.h"
#include <assert.h>

enum { FIRST_CAP = 8 };

void map_init(struct map *m, const struct alloc *alloc)
{
    *m = (struct map){ .alloc = alloc };
}

static void key_free(const struct map *m, struct slice key)
{
    alloc_resize(m->alloc, (char *)(uintptr_t)key.data, key.len + 1, 0);
}

void map_clear(struct map *m)
{
    for (size_t i = 0; i < m->count; i++)
        key_free(m, m->entries[i].key);
    m->count = 0;
    if (m->index_cap)
        memset(m->index, 0, m->index_cap * sizeof *m->index);
}

void map_release(struct map *m)
{
    map_clear(m);
    if (m->entries)
        alloc_resize(m->alloc, m->entries, m->cap * sizeof *m->entries, 0);
    if (m->index)
        alloc_resize(m->alloc, m->index, m->index_cap * sizeof *m->index, 0);
    map_init(m, m->alloc);
}

/* The slot that holds the key, or the empty one where its search ends. index_cap > 0. */
static size_t slot_of(const struct map *m, struct slice key, uint64_t hash)
{
    size_t mask = m->index_cap - 1, at = (size_t)hash & mask;
    for (; m->index[at]; at = (at + 1) & mask) {
        const struct map_entry *e = &m->entries[m->index[at] - 1];
        if (e->hash == hash && slice_eq(e->key, key))
            break;
    }
    return at;
}

void *map_get(const struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    size_t at = slot_of(m, key, hash_bytes(key.data, key.len));
    return m->index[at] ? m->entries[m->index[at] - 1].value : NULL;
}

static void index_put(uint32_t *index, size_t cap, uint64_t hash, uint32_t number)
{
    size_t at = (size_t)hash & (cap - 1);
    while (index[at])
        at = (at + 1) & (cap - 1);
    index[at] = number;
}

/* Room for one more entry, at most three quarters of the index in use. On failure nothing has changed. */
static bool make_room(struct map *m)
{
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : FIRST_CAP;
        if (cap >= UINT32_MAX)
            return false;
        struct map_entry *entries = alloc_resize(m->alloc, m->entries, m->cap * sizeof *entries, cap * sizeof *entries);
        if (!entries)
            return false;
        m->entries = entries;
        m->cap = cap;
    }
    if ((m->count + 1) * 4 > m->index_cap * 3) {
        size_t cap = m->index_cap ? m->index_cap * 2 : FIRST_CAP * 2;
        uint32_t *index = alloc_resize(m->alloc, NULL, 0, cap * sizeof *index);
        if (!index)
            return false;
        memset(index, 0, cap * sizeof *index);
        for (size_t i = 0; i < m->count; i++)
            index_put(index, cap, m->entries[i].hash, (uint32_t)i + 1);
        if (m->index)
            alloc_resize(m->alloc, m->index, m->index_cap * sizeof *index, 0);
        m->index = index;
        m->index_cap = cap;
    }
    return true;
}

bool map_set(struct map *m, struct slice key, void *value)
{
    uint64_t hash = hash_bytes(key.data, key.len);
    if (m->count) {
        size_t at = slot_of(m, key, hash);
        if (m->index[at]) {
            m->entries[m->index[at] - 1].value = value;
            return true;
        }
    }
    if (key.len == SIZE_MAX || !make_room(m))
        return false;
    char *copy = alloc_resize(m->alloc, NULL, 0, key.len + 1);
    if (!copy)
        return false;
    if (key.len)
        memcpy(copy, key.data, key.len);
    copy[key.len] = '\0';
    m->entries[m->count] = (struct map_entry){ slice_of(copy, key.len), hash, value };
    m->count++;
    index_put(m->index, m->index_cap, hash, (uint32_t)m->count);
    return true;
}

/* Empties a slot and moves later ones of the same run back, so that every search still ends at an empty slot. */
static void index_remove(struct map *m, size_t hole)
{
    size_t mask = m->index_cap - 1;
    for (size_t at = (hole + 1) & mask; m->index[at]; at = (at + 1) & mask) {
        size_t home = (size_t)m->entries[m->index[at] - 1].hash & mask;
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            m->index[hole] = m->index[at];
            hole = at;
        }
    }
    m->index[hole] = 0;
}

void *map_remove(struct map *m, struct slice key)
{
    if (m->count == 0)
        return NULL;
    size_t at = slot_of(m, key, hash_bytes(key.data, key.len));
    if (!m->index[at])
        return NULL;
    struct map_entry *gone = &m->entries[m->index[at] - 1], *last = &m->entries[m->count - 1];
    struct map_entry removed = *gone;
    index_remove(m, at);
    if (gone != last) {
        size_t slot = slot_of(m, last->key, last->hash);
        assert(m->index[slot] == m->count);
        m->index[slot] = (uint32_t)(gone - m->entries) + 1;
        *gone = *last;
    }
    m->count--;
    key_free(m, removed.key);
    return removed.value;
}
