/* What the compiled form of a chunk tells: whether it can change its globals, and whether a function of it remembers, which is refused. A
 * function that outlives the loading of its file and assigns a variable from outside of itself would give other answers the second time,
 * and others again in another thread's state. */
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

/* The environment is the main function's only upvalue. */
static bool is_env(const struct bytecode_function *fn, unsigned upvalue)
{
    return upvalue < fn->upvalues && fn->outer[upvalue] == 0;
}

static bool look(const struct bytecode_function *fn, void *ctx)
{
    struct vm_chunk *known = ctx;
    for (size_t pc = 0; pc < fn->count; pc++) {
        struct bytecode_instruction i = bytecode_at(fn, pc);
        bool moves_env = (i.op == BYTECODE_GETUPVAL || i.op == BYTECODE_SETUPVAL) && is_env(fn, i.b);
        bool writes_env = i.op == BYTECODE_SETTABUP && fn->depth > 0 && is_env(fn, i.a); /* the file's own body is done by then */
        known->remembers |= i.op == BYTECODE_SETUPVAL;
        known->keeps_env &= !moves_env && !writes_env;
    }
    return false;
}

struct vm_chunk vm_look_through(struct slice compiled)
{
    struct vm_chunk known = { .remembers = false, .keeps_env = true };
    return bytecode_read(compiled, look, &known) ? known : (struct vm_chunk){ .remembers = true, .keeps_env = false };
}

/* --- what is known of a chunk, so that each of its functions need not be looked through ------------------------------------ */

static void push_forgetful(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_forgetful) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 8);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_forgetful);
}

void vm_note_chunk(lua_State *L, const char *source, bool remembers)
{
    luaL_checkstack(L, 4, "loading");
    push_forgetful(L);
    if (lua_getfield(L, -1, source) == LUA_TNIL || remembers) { /* one that remembers is enough, whatever else has its name */
        lua_pushboolean(L, !remembers);
        lua_setfield(L, -3, source);
    }
    lua_pop(L, 2);
}

static bool is_forgetful(lua_State *L, int fn)
{
    lua_Debug ar;
    lua_pushvalue(L, fn);
    lua_getinfo(L, ">S", &ar);
    push_forgetful(L);
    lua_pushlstring(L, ar.source, ar.srclen);
    lua_rawget(L, -2);
    bool forgetful = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return forgetful;
}

void vm_refuse_memory(lua_State *L, int fn)
{
    struct finding f = { 0 };
    if (is_forgetful(L, fn))
        return;
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
