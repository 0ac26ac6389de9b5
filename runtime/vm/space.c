/* Spaces: each is a table of globals of its own, whose require() knows what the space may see, and the modules that came of its files. */
#include "vm/vm_int.h"
#include <stdio.h>
#include <string.h>

enum { SPACE_GLOBALS = 1, SPACE_SEALED, SPACE_LOADED, SPACE_OPTIONS, SPACE_ANCHOR };

static const struct vm_space_options *options_of(lua_State *L, int space)
{
    lua_rawgeti(L, space, SPACE_OPTIONS);
    const struct vm_space_options *o = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return o;
}

static bool is_shared(const struct vm_space_options *o, const char *name)
{
    for (size_t i = 0; o->shared[i]; i++)
        if (strcmp(o->shared[i], name) == 0)
            return true;
    return false;
}

static int no_module(lua_State *L, const struct vm_space_options *o, const char *name, struct err *err)
{
    if (strncmp(name, "feira.", 6) == 0)
        err_set(err, ERR_SCRIPT,
                "%s may not require \"%s\": a plugin requires its own files, feira.store, feira.plugin, feira.ledger, feira.timers, "
                "feira.http, feira.stream, and those modules of the standard library that rules may use",
                o->name, name);
    err->code = ERR_SCRIPT;
    if (!err->text[0])
        err_set(err, ERR_SCRIPT, "%s has no file %s.lua to require", o->name, name);
    return vm_raise_at(L, 2, err); /* 1 is require() */
}

static int load_own(lua_State *L) /* (space name) -> module */
{
    const struct vm_space_options *o = options_of(L, 1);
    size_t len;
    const char *name = lua_tolstring(L, 2, &len);
    struct slice source, chunk;
    struct err err = { 0 };
    if (o->resolve(o->ctx, slice_of(name, len), &source, &chunk, &err) < 0)
        return no_module(L, o, name, &err);
    const char *chunk_name = lua_pushlstring(L, chunk.data, chunk.len);
    lua_rawgeti(L, 1, SPACE_GLOBALS);
    lua_rawgeti(L, 1, SPACE_SEALED); /* space name chunk globals sealed */
    vm_load_file(L, source, chunk_name, 4, 5, 0);
    if (lua_isnil(L, -1))
        return luaL_error(L, "%s:1: the file returns nothing; end it with `return` and its table of functions", chunk_name);
    vm_freeze_value(L);
    return 1;
}

/* (name) -> module; upvalue: the space. While a file loads, `false` stands in its place. */
static int space_require(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1)); /* name space */
    if (is_shared(options_of(L, 2), name)) {
        lua_pushcfunction(L, vm_require);
        lua_pushvalue(L, 1);
        lua_call(L, 1, 1);
        return 1;
    }
    lua_rawgeti(L, 2, SPACE_LOADED); /* name space loaded */
    lua_pushvalue(L, 1);
    if (lua_rawget(L, 3) != LUA_TNIL) {
        if (lua_type(L, 4) == LUA_TBOOLEAN && !lua_toboolean(L, 4))
            return luaL_error(L, "file '%s' requires itself, by way of another; break the circle", name);
        return 1;
    }
    lua_settop(L, 3);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 0);
    lua_rawset(L, 3);
    lua_pushcfunction(L, load_own);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, 1);
    int status = vm_try(L, 2, 1); /* name space loaded module|error */
    lua_pushvalue(L, 1);
    if (status == LUA_OK)
        lua_pushvalue(L, 4);
    else
        lua_pushnil(L);
    lua_rawset(L, 3);
    lua_settop(L, 4);
    return status == LUA_OK ? 1 : vm_rethrow(L);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void copy_globals(lua_State *L) /* -> a table with what the sandbox has */
{
    lua_createtable(L, 0, 32);
    int copy = lua_gettop(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_globals); /* copy globals */
    lua_pushnil(L);
    while (lua_next(L, copy + 1)) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, copy);
    }
    lua_settop(L, copy);
}

static void push_spaces(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_spaces) != LUA_TNIL)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_spaces);
}

static void push_space(lua_State *L, const char *name)
{
    push_spaces(L);
    if (lua_getfield(L, -1, name) == LUA_TNIL)
        luaL_error(L, "there is no space %s", name);
    lua_remove(L, -2);
}

static void make_space(lua_State *L, const struct vm_space_options *o) /* -> space */
{
    lua_createtable(L, SPACE_ANCHOR, 0);
    int space = lua_gettop(L);
    copy_globals(L); /* space globals */
    lua_pushvalue(L, space);
    lua_pushcclosure(L, space_require, 1);
    lua_setfield(L, space + 1, "require");
    lua_createtable(L, 0, 2); /* space globals sealed */
    lua_pushvalue(L, space + 1);
    lua_setfield(L, space + 2, "__index");
    lua_pushcfunction(L, vm_refuse_global);
    lua_setfield(L, space + 2, "__newindex");
    lua_rawseti(L, space, SPACE_SEALED);
    lua_rawseti(L, space, SPACE_GLOBALS);
    lua_newtable(L);
    lua_rawseti(L, space, SPACE_LOADED);
    lua_pushlightuserdata(L, (void *)(uintptr_t)o);
    lua_rawseti(L, space, SPACE_OPTIONS);
}

static int open_body(lua_State *L) /* (options) */
{
    const struct vm_space_options *o = lua_touserdata(L, 1);
    push_spaces(L);
    make_space(L, o); /* options spaces space */
    lua_setfield(L, 2, o->name);
    return 0;
}

void vm_space_push(lua_State *L, const struct vm_space_options *o, int anchor, const char *module, int given)
{
    anchor = lua_absindex(L, anchor);
    given = lua_absindex(L, given);
    luaL_checkstack(L, 8, "a space");
    make_space(L, o); /* space */
    lua_pushvalue(L, anchor);
    lua_rawseti(L, -2, SPACE_ANCHOR);
    lua_rawgeti(L, -1, SPACE_LOADED);
    lua_pushvalue(L, given);
    lua_setfield(L, -2, module);
    lua_pop(L, 1);
    lua_pushcclosure(L, space_require, 1); /* require */
}

int vm_space_open(struct vm *v, const struct vm_space_options *o, struct err *err)
{
    lua_State *L = vm_lua(v);
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory for %s", o->name);
    lua_pushcfunction(L, open_body);
    lua_pushlightuserdata(L, (void *)(uintptr_t)o);
    return vm_pcall(v, 1, 0, err);
}

/* --- what goes in and comes out --------------------------------------------------------------------------------------- */

struct giving {
    const char *space, *module;
    struct slice file, function;
    vm_ref value; /* what is given; the last argument */
    int fn;
};

static int give_body(lua_State *L) /* (giving) */
{
    const struct giving *g = lua_touserdata(L, 1);
    push_space(L, g->space);
    lua_rawgeti(L, 2, SPACE_LOADED);
    lua_rawgeti(L, LUA_REGISTRYINDEX, g->value);
    vm_freeze_value(L);
    lua_setfield(L, 3, g->module);
    return 0;
}

int vm_space_give(struct vm *v, const char *space, const char *module, vm_ref value, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct giving g = { .space = space, .module = module, .value = value };
    int rc = ERR_MEMORY_CAP;
    if (lua_checkstack(L, 4)) {
        lua_pushcfunction(L, give_body);
        lua_pushlightuserdata(L, &g);
        rc = vm_pcall(v, 1, 0, err);
    } else {
        err_set(err, rc, "there is no memory for %s", space);
    }
    vm_release(v, value);
    return rc;
}

static int after_call(lua_State *L, int status, lua_KContext ctx)
{
    (void)status, (void)ctx;
    return lua_gettop(L);
}

static int call_with_last(lua_State *L) /* args...; upvalues: the function, its last argument */
{
    luaL_checkstack(L, 2, "too many arguments");
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_pushvalue(L, lua_upvalueindex(2));
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, after_call);
    return lua_gettop(L);
}

static int function_body(lua_State *L) /* (giving) */
{
    struct giving *g = lua_touserdata(L, 1);
    lua_settop(L, 1);
    push_space(L, g->space);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, space_require, 1); /* giving space require */
    lua_pushlstring(L, g->file.data, g->file.len);
    lua_call(L, 1, 1); /* giving space module */
    const char *function = lua_pushlstring(L, g->function.data, g->function.len);
    const char *file = lua_pushlstring(L, g->file.data, g->file.len); /* giving space module function file */
    if (!lua_istable(L, 3))
        return luaL_error(L, "%s/%s.lua:1: the file returns a %s; end it with `return` and a table with the function %s", g->space, file,
                          luaL_typename(L, 3), function);
    vm_unwrap(L, 3);
    lua_pushvalue(L, 4);
    if (lua_rawget(L, 3) != LUA_TFUNCTION)
        return luaL_error(L, "%s/%s.lua:1: there is no function %s in the table that the file returns; add it", g->space, file, function);
    if (g->value) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, g->value);
        vm_freeze_value(L);
        lua_pushcclosure(L, call_with_last, 2);
    }
    g->fn = vm_keep_function(L, lua_gettop(L));
    return 0;
}

int vm_space_function(struct vm *v, const char *space, struct slice file, struct slice function, vm_ref last, int *fn, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct giving g = { .space = space, .file = file, .function = function, .value = last };
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory for %s", space);
    lua_pushcfunction(L, function_body);
    lua_pushlightuserdata(L, &g);
    int rc = vm_pcall(v, 1, 0, err);
    *fn = g.fn;
    return rc;
}
