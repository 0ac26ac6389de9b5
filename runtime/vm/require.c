/* require(): what files of the sandbox get from one another, each loaded once per state. */
#include "vm/vm_int.h"

void vm_provide(lua_State *L, const char *name)
{
    vm_freeze(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_loaded);
    lua_insert(L, -2);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static int load_module(lua_State *L) /* name -> module */
{
    struct vm *v = vm_of(L);
    size_t len;
    const char *name = lua_tolstring(L, 1, &len);
    struct slice source, chunk;
    struct err err = { 0 };
    int rc = v->resolve ? v->resolve(v->resolve_ctx, slice_of(name, len), &source, &chunk, &err) : ERR_NOT_FOUND;
    if (rc == ERR_NOT_FOUND)
        err.code = ERR_SCRIPT; /* not a thing that a caller of the shop looked for */
    if (rc < 0 && !err.text[0])
        err_set(&err, ERR_SCRIPT, "there is no module \"%s\" to require", name);
    if (rc < 0)
        return vm_raise_at(L, 2, &err); /* 1 is require() */
    const char *chunk_name = lua_pushlstring(L, chunk.data, chunk.len);
    lua_pushvalue(L, 1);
    vm_load_with_globals(L, source, chunk_name, 1); /* name chunk module */
    if (lua_isnil(L, -1))
        return luaL_error(L, "module '%s' returns nothing; end it with `return` and its table", name);
    vm_freeze_value(L);
    return 1;
}

/* require(name): a module is loaded once per state. While it loads, `false` stands in its place. */
int vm_require(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    vm_charge(L, VM_ERROR_UNITS);                      /* most that are repeated fail */
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_loaded); /* name loaded */
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 2) != LUA_TNIL) {
        if (lua_type(L, -1) == LUA_TBOOLEAN && !lua_toboolean(L, -1))
            return luaL_error(L, "module '%s' requires itself, by way of another; break the circle", lua_tostring(L, 1));
        return 1;
    }
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 0);
    lua_rawset(L, 2);
    lua_pushcfunction(L, load_module);
    lua_pushvalue(L, 1);
    int status = vm_try(L, 1, 1); /* name loaded module|error */
    lua_pushvalue(L, 1);
    if (status == LUA_OK)
        lua_pushvalue(L, 3);
    else
        lua_pushnil(L);
    lua_rawset(L, 2);
    lua_settop(L, 3);
    return status == LUA_OK ? 1 : vm_rethrow(L);
}
