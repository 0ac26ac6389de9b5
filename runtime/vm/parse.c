/* Lua's parser takes no fuel and calls no hook, and some sources of a few hundred kilobytes keep it busy for minutes: each global name in
 * functions nested deeply is looked for among the locals of all of them. It is fed in small parts, and each is a safe point. */
#include "vm/vm_int.h"

enum { PART_BYTES = 256 };

struct feed {
    struct slice rest;
};

static const char *next_part(lua_State *L, void *ctx, size_t *size)
{
    struct feed *f = ctx;
    struct vm *v = vm_of(L);
    if (v->depth > 0 && !v->timed && vm_cpu_ns() - v->cpu_begin_ns > vm_stuck_ns(v))
        v->overdue = 1;
    if (v->overdue || v->over_soft || v->too_long)
        vm_check(L);
    *size = f->rest.len < PART_BYTES ? f->rest.len : PART_BYTES;
    const char *part = f->rest.data;
    f->rest = slice_of(part + *size, f->rest.len - *size);
    return *size ? part : NULL;
}

int vm_parse(lua_State *L, struct slice source, const char *name)
{
    struct feed f = { source };
    return lua_load(L, next_part, &f, name, "t");
}
