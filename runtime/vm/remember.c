/* Refuses functions that remember. A function that outlives the loading of its file and assigns a variable from outside of
 * itself would give other answers the second time, and others again in another thread's state. */
#include "vm/bytecode.h"

struct finding {
    bool found;
    long line;
    int upvalue; /* of the outermost function */
};

static bool assigns_outside(const struct bytecode_function *fn, void *ctx)
{
    struct finding *f = ctx;
    for (size_t pc = 0; pc < fn->count; pc++) {
        struct bytecode_instruction i = bytecode_at(fn, pc);
        if (i.op == BYTECODE_SETUPVAL && i.b < fn->upvalues && fn->outer[i.b] >= 0) {
            *f = (struct finding){ true, bytecode_line(fn, pc), fn->outer[i.b] };
            return true;
        }
    }
    return false;
}

void vm_refuse_memory(lua_State *L, int fn)
{
    struct finding f = { 0 };
    bytecode_walk(L, fn, assigns_outside, &f);
    if (!f.found)
        return;
    lua_Debug ar;
    lua_pushvalue(L, fn);
    lua_getinfo(L, ">S", &ar);
    const char *name = lua_getupvalue(L, fn, f.upvalue + 1);
    luaL_error(L,
               "%s:%d: '%s' is assigned inside of a function, and was made outside of it; nothing is remembered between calls, so make it "
               "a local of the function",
               ar.short_src, (int)f.line, name ? name : "?");
}
