/* math: only what gives the same bits on every machine (IEEE 754 demands it of sqrt and fmod; sin and exp are anybody's guess).
 * Random numbers come from the evidence of the quote, not from here. */
#include "vm/vm_int.h"
#include <float.h>
#include <limits.h>
#include <math.h>

static void push_integral(lua_State *L, lua_Number d)
{
    if (d >= -9223372036854775808.0 && d < 9223372036854775808.0)
        lua_pushinteger(L, (lua_Integer)d);
    else
        lua_pushnumber(L, d);
}

static int m_floor(lua_State *L)
{
    if (lua_isinteger(L, 1))
        lua_settop(L, 1);
    else
        push_integral(L, floor(luaL_checknumber(L, 1)));
    return 1;
}

static int m_ceil(lua_State *L)
{
    if (lua_isinteger(L, 1))
        lua_settop(L, 1);
    else
        push_integral(L, ceil(luaL_checknumber(L, 1)));
    return 1;
}

static int m_abs(lua_State *L)
{
    if (lua_isinteger(L, 1)) {
        lua_Integer n = lua_tointeger(L, 1);
        lua_pushinteger(L, n < 0 ? (lua_Integer)(0u - (lua_Unsigned)n) : n);
    } else {
        lua_pushnumber(L, fabs(luaL_checknumber(L, 1)));
    }
    return 1;
}

static int m_fmod(lua_State *L)
{
    if (lua_isinteger(L, 1) && lua_isinteger(L, 2)) {
        lua_Integer d = lua_tointeger(L, 2);
        luaL_argcheck(L, d != 0, 2, "zero");
        lua_pushinteger(L, d == -1 ? 0 : lua_tointeger(L, 1) % d);
    } else {
        lua_pushnumber(L, fmod(luaL_checknumber(L, 1), luaL_checknumber(L, 2)));
    }
    return 1;
}

static int m_modf(lua_State *L)
{
    if (lua_isinteger(L, 1)) {
        lua_settop(L, 1);
        lua_pushnumber(L, 0);
        return 2;
    }
    lua_Number n = luaL_checknumber(L, 1), whole = n < 0 ? ceil(n) : floor(n);
    push_integral(L, whole);
    lua_pushnumber(L, n == whole ? 0.0 : n - whole);
    return 2;
}

static int m_sqrt(lua_State *L)
{
    lua_pushnumber(L, sqrt(luaL_checknumber(L, 1)));
    return 1;
}

static int m_tointeger(lua_State *L)
{
    int ok;
    lua_Integer n = lua_tointegerx(L, 1, &ok);
    if (ok && lua_type(L, 1) == LUA_TNUMBER) {
        lua_pushinteger(L, n);
    } else {
        luaL_checkany(L, 1);
        luaL_pushfail(L);
    }
    return 1;
}

static int m_type(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TNUMBER)
        lua_pushstring(L, lua_isinteger(L, 1) ? "integer" : "float");
    else
        luaL_pushfail(L);
    return 1;
}

static int m_ult(lua_State *L)
{
    lua_pushboolean(L, (lua_Unsigned)luaL_checkinteger(L, 1) < (lua_Unsigned)luaL_checkinteger(L, 2));
    return 1;
}

static int extreme(lua_State *L, bool largest)
{
    int n = lua_gettop(L), best = 1;
    if (n == 2 && lua_isinteger(L, 1) && lua_isinteger(L, 2)) {
        bool first_less = lua_tointeger(L, 1) < lua_tointeger(L, 2);
        lua_settop(L, first_less == largest ? 2 : 1);
        return 1;
    }
    luaL_checknumber(L, 1);
    vm_take(L, n / 4);
    for (int i = 2; i <= n; i++) {
        luaL_checknumber(L, i);
        if (largest ? lua_compare(L, best, i, LUA_OPLT) : lua_compare(L, i, best, LUA_OPLT))
            best = i;
    }
    lua_pushvalue(L, best);
    return 1;
}

static int m_max(lua_State *L)
{
    return extreme(L, true);
}

static int m_min(lua_State *L)
{
    return extreme(L, false);
}

static const luaL_Reg functions[] = { { "abs", m_abs },   { "ceil", m_ceil }, { "floor", m_floor },
                                      { "fmod", m_fmod }, { "max", m_max },   { "min", m_min },
                                      { "modf", m_modf }, { "sqrt", m_sqrt }, { "tointeger", m_tointeger },
                                      { "type", m_type }, { "ult", m_ult },   { NULL, NULL } };

void vm_open_math(lua_State *L)
{
    luaL_newlib(L, functions);
    lua_pushnumber(L, 3.141592653589793);
    lua_setfield(L, -2, "pi");
    lua_pushnumber(L, HUGE_VAL);
    lua_setfield(L, -2, "huge");
    lua_pushinteger(L, LUA_MAXINTEGER);
    lua_setfield(L, -2, "maxinteger");
    lua_pushinteger(L, LUA_MININTEGER);
    lua_setfield(L, -2, "mininteger");
}
