/* base/symbols.h - names (categories, tags, SKUs, facts) as small integers, so that matching compares integers. Only
 * grows; a symbol lives as long as the table. Thread safe: readers never wait for one another. 0 is "no symbol". */
#pragma once
#include "base/slice.h"
#include <stdint.h>

typedef uint32_t symbol;
struct symbols;
struct alloc;

struct symbols *symbols_new(const struct alloc *alloc);
void symbols_free(struct symbols *s);
symbol symbols_intern(struct symbols *s, struct slice name);     /* 0 when out of memory */
symbol symbols_find(const struct symbols *s, struct slice name); /* 0 when it was never interned */
struct slice symbols_name(const struct symbols *s, symbol sym);  /* valid as long as the table; NUL-terminated */
