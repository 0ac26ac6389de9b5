/* The global functions. What is missing is missing on purpose: load dofile loadfile collectgarbage xpcall next print. */
#include "vm/vm_int.h"
#include <ctype.h>

void vm_push_tostring(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    if (luaL_getmetafield(L, index, "__tostring") != LUA_TNIL) {
        lua_pushvalue(L, index);
        const char *was = vm_callback_begin(L, "tostring");
        lua_call(L, 1, 1);
        vm_callback_end(L, was);
        if (!lua_isstring(L, -1))
            luaL_error(L, "__tostring must return a string");
        lua_tostring(L, -1);
        return;
    }
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        vm_charge(L, lua_isinteger(L, index) ? 30 : 120);
        lua_pushvalue(L, index);
        lua_tostring(L, -1);
        break;
    case LUA_TSTRING:
        lua_pushvalue(L, index);
        break;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "true" : "false");
        break;
    case LUA_TLIGHTUSERDATA:
        lua_pushstring(L, lua_touserdata(L, index) ? "userdata" : "null");
        break;
    case LUA_TUSERDATA:
        if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING)
            break;
        lua_pushliteral(L, "userdata");
        break;
    default: /* no address: it would differ in every run */
        lua_pushstring(L, luaL_typename(L, index));
    }
}

static int base_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_push_tostring(L, 1);
    return 1;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static int base_tonumber(lua_State *L)
{
    if (lua_isnoneornil(L, 2)) {
        luaL_checkany(L, 1);
        size_t len;
        if (lua_type(L, 1) == LUA_TNUMBER) {
            lua_settop(L, 1);
            return 1;
        }
        if (lua_type(L, 1) == LUA_TSTRING) {
            const char *s = lua_tolstring(L, 1, &len);
            vm_charge_bytes(L, len * 4);
            if (lua_stringtonumber(L, s) == len + 1)
                return 1;
        }
        luaL_pushfail(L);
        return 1;
    }
    lua_Integer base = luaL_checkinteger(L, 2);
    luaL_checktype(L, 1, LUA_TSTRING);
    luaL_argcheck(L, base >= 2 && base <= 36, 2, "base is from 2 to 36");
    size_t len;
    const char *s = lua_tolstring(L, 1, &len), *end = s + len;
    vm_charge_bytes(L, len * 4);
    while (s < end && isspace((unsigned char)*s))
        s++;
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    bool negative = s < end && *s == '-';
    s += negative;
    lua_Unsigned n = 0;
    bool ok = s < end;
    for (; ok && s < end; s++) {
        int d = digit_of(*s);
        ok = d < base;
        n = n * (lua_Unsigned)base + (lua_Unsigned)d;
    }
    if (ok)
        lua_pushinteger(L, (lua_Integer)(negative ? 0u - n : n));
    else
        luaL_pushfail(L);
    return 1;
}

static int base_type(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushstring(L, luaL_typename(L, 1));
    return 1;
}

static int base_error(lua_State *L)
{
    lua_Integer level = luaL_optinteger(L, 2, 1);
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TSTRING && level > 0 && level < 1000) {
        luaL_where(L, (int)level);
        lua_pushvalue(L, 1);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int base_assert(lua_State *L)
{
    if (lua_toboolean(L, 1))
        return lua_gettop(L);
    luaL_checkany(L, 1);
    lua_remove(L, 1);
    lua_pushliteral(L, "assertion failed!");
    lua_settop(L, 1);
    return lua_error(L);
}

/* What pcall() returns. The end of the budget, and of the memory, goes through it. */
static int pcall_done(lua_State *L, int status, lua_KContext callback)
{
    struct vm *v = vm_of(L);
    v->callback = (const char *)callback; /* of what it was called in; an error may have left another */
    if (status == LUA_ERRMEM && v->end == VM_GOES_ON)
        v->end = VM_OUT_OF_MEMORY;
    if (v->end != VM_GOES_ON)
        vm_raise_end(L);
    if (status != LUA_OK && status != LUA_YIELD) {
        vm_charge(L, VM_ERROR_UNITS);
        lua_pushboolean(L, 0);
        lua_pushvalue(L, -2);
        return 2;
    }
    return lua_gettop(L);
}

static int base_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    vm_charge(L, VM_CALL_UNITS);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    lua_KContext callback = (lua_KContext)vm_of(L)->callback;
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, callback, pcall_done);
    return pcall_done(L, status, callback);
}

static int base_rawequal(lua_State *L)
{
    luaL_checkany(L, 1);
    luaL_checkany(L, 2);
    lua_pushboolean(L, lua_rawequal(L, 1, 2));
    return 1;
}

static int base_rawlen(lua_State *L)
{
    int t = lua_type(L, 1);
    luaL_argexpected(L, t == LUA_TTABLE || t == LUA_TSTRING, 1, "table or string");
    lua_settop(L, 1);
    vm_unwrap(L, 1);
    lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
    return 1;
}

static int base_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    vm_unwrap(L, 1);
    if (lua_type(L, 2) == LUA_TLIGHTUSERDATA)
        lua_pushnil(L);
    else
        lua_rawget(L, 1);
    return 1;
}

static int base_rawset(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    lua_settop(L, 3);
    if (vm_is_view(L, 1))
        return luaL_error(L, "this table is read-only; copy what you want to change into a table of your own");
    luaL_argcheck(L, lua_type(L, 2) != LUA_TLIGHTUSERDATA, 2, "null can't be a key");
    lua_rawset(L, 1);
    return 1;
}

static int base_select(lua_State *L)
{
    int n = lua_gettop(L);
    if (lua_type(L, 1) == LUA_TSTRING && *lua_tostring(L, 1) == '#') {
        lua_pushinteger(L, n - 1);
        return 1;
    }
    lua_Integer i = luaL_checkinteger(L, 1);
    if (i < 0)
        i = n + i;
    else if (i > n)
        i = n;
    luaL_argcheck(L, i >= 1, 1, "index out of range");
    vm_charge(L, (n - i) / 4);
    return n - (int)i;
}

static int ipairs_next(lua_State *L)
{
    lua_Integer i = luaL_checkinteger(L, 2);
    i = luaL_intop(+, i, 1);
    lua_pushinteger(L, i);
    const char *was = vm_callback_begin(L, "ipairs");
    bool end = lua_geti(L, 1, i) == LUA_TNIL;
    vm_callback_end(L, was);
    return end ? 1 : 2;
}

static int base_ipairs(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushcfunction(L, ipairs_next);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static const luaL_Reg functions[] = {
    { "assert", base_assert },
    { "error", base_error },
    { "getmetatable", vm_get_metatable },
    { "ipairs", base_ipairs },
    { "pairs", vm_pairs },
    { "pcall", base_pcall },
    { "rawequal", base_rawequal },
    { "rawget", base_rawget },
    { "rawlen", base_rawlen },
    { "rawset", base_rawset },
    { "require", vm_require },
    { "select", base_select },
    { "setmetatable", vm_set_metatable },
    { "tonumber", base_tonumber },
    { "tostring", base_tostring },
    { "type", base_type },
    { NULL, NULL },
};

void vm_open_base(lua_State *L)
{
    luaL_setfuncs(L, functions, 0);
}
