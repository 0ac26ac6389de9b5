#include "base/utf8.h"
#include "vm/vm_int.h"
#include <stdio.h>

/* An error that carries a struct err through Lua: userdata, so Lua code can look (e.code, e.reason, e.field, e.text, tostring(e))
 * and not touch. */

static struct err *error_at(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
        return NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_error);
    bool ours = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return ours ? lua_touserdata(L, index) : NULL;
}

static int error_index(lua_State *L)
{
    struct err *e = error_at(L, 1);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (!e)
        return 0;
    if (strcmp(key, "code") == 0)
        lua_pushstring(L, err_name(e->code));
    else if (strcmp(key, "reason") == 0)
        lua_pushstring(L, e->reason[0] ? e->reason : err_name(e->code));
    else if (strcmp(key, "field") == 0 && e->field[0])
        lua_pushstring(L, e->field);
    else if (strcmp(key, "text") == 0)
        lua_pushstring(L, e->text);
    else
        lua_pushnil(L);
    return 1;
}

static int error_tostring(lua_State *L)
{
    struct err *e = error_at(L, 1);
    lua_pushstring(L, e ? e->text : "error");
    return 1;
}

void vm_open_errors(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, error_index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, error_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, "error");
    lua_setfield(L, -2, "__name");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_error);
}

int vm_fail(lua_State *L, const struct err *err)
{
    struct vm *v = vm_of(L);
    if (v->end != VM_GOES_ON && v->depth > 0)
        vm_raise_end(L); /* the budget ended somewhere inside; this error is its echo */
    struct err *e = lua_newuserdatauv(L, sizeof *e, 0);
    *e = *err;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_error);
    lua_setmetatable(L, -2);
    return lua_error(L);
}

int vm_raise(lua_State *L, const struct err *err)
{
    return vm_raise_at(L, 1, err);
}

int vm_raise_at(lua_State *L, int level, const struct err *err)
{
    struct err e = *err;
    luaL_where(L, level);
    const char *at = lua_tostring(L, -1);
    if (at[0])
        err_wrap(&e, "%.*s", (int)strlen(at) - 2, at); /* err_wrap() puts the ": " */
    return vm_fail(L, &e);
}

int vm_error_code(lua_State *L, int index)
{
    const struct err *e = error_at(L, index);
    return e ? e->code : ERR_SCRIPT;
}

/* Never runs Lua code: a __tostring of the plugin's could do anything, here outside of its budget. */
int vm_error_of(lua_State *L, int status, struct err *err)
{
    struct vm *v = vm_of(L);
    const struct err *e = error_at(L, -1);
    int rc;
    if (status == LUA_ERRMEM) {
        rc = v->depth == 0 ? err_set(err, ERR_NOMEM, "there is no memory for a Lua state")
                           : err_set(err, ERR_MEMORY_CAP, "not enough memory");
    } else if (e) {
        rc = e->code;
        if (err)
            *err = *e;
    } else if (lua_type(L, -1) == LUA_TSTRING) {
        size_t len;
        const char *s = lua_tolstring(L, -1, &len);
        size_t n = utf8_cut(slice_of(s, len), sizeof err->text - 1);
        rc = err_set(err, ERR_SCRIPT, "%.*s", (int)n, s);
    } else if (lua_type(L, -1) == LUA_TNUMBER) {
        rc = err_set(err, ERR_SCRIPT, "it raised the number %.14g; raise a sentence: error(\"what is wrong\")", lua_tonumber(L, -1));
    } else {
        rc = err_set(err, ERR_SCRIPT, "it raised a %s instead of a sentence; write error(\"what is wrong\")", luaL_typename(L, -1));
    }
    lua_pop(L, 1);
    return rc;
}
