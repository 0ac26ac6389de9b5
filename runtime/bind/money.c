/* feira.money: exact amounts. Integers in minor units in, integers out; overflow is an error, floats are refused. */
#include "bind/bind_int.h"
#include <limits.h>

static int l_parse(lua_State *L) /* (text) -> minor */
{
    bind_check_slice(L, 1, "the amount");
    lua_pushinteger(L, bind_check_money(L, 1, "the amount"));
    return 1;
}

static int l_format(lua_State *L) /* (minor) -> "50.00" */
{
    char out[32];
    size_t n = money_format(bind_check_int(L, 1, "the amount"), bind_currency(L).exponent, out);
    lua_pushlstring(L, out, n);
    return 1;
}

static int push_checked(lua_State *L, bool fits, int64_t v)
{
    if (!fits) {
        struct err err = { 0 };
        err_set(&err, ERR_OVERFLOW, "The amount is too large to be counted exactly; check the numbers that go into it.");
        return bind_raise(L, &err);
    }
    lua_pushinteger(L, v);
    return 1;
}

static int l_add(lua_State *L) /* (a, b) -> a + b */
{
    int64_t v = 0;
    bool fits = money_add(bind_check_int(L, 1, "the first amount"), bind_check_int(L, 2, "the second amount"), &v);
    return push_checked(L, fits, v);
}

static int l_sub(lua_State *L) /* (a, b) -> a - b */
{
    int64_t v = 0;
    bool fits = money_sub(bind_check_int(L, 1, "the first amount"), bind_check_int(L, 2, "the second amount"), &v);
    return push_checked(L, fits, v);
}

static int l_mul(lua_State *L) /* (amount, count) -> amount * count */
{
    int64_t v = 0;
    bool fits = money_mul(bind_check_int(L, 1, "the amount"), bind_check_int(L, 2, "the count"), &v);
    return push_checked(L, fits, v);
}

static enum rounding check_rounding(lua_State *L, int arg)
{
    enum rounding mode = ROUND_HALF_AWAY;
    if (!lua_isnoneornil(L, arg) && rounding_find(bind_check_slice(L, arg, "the rounding"), &mode) < 0)
        luaL_error(L, "there is no rounding called \"%s\"; use half_away, half_even, half_down, down, up, floor or ceiling",
                   lua_tostring(L, arg));
    return mode;
}

static int l_ratio(lua_State *L) /* (amount, numerator, denominator, rounding?) -> minor */
{
    int64_t amount = bind_check_int(L, 1, "the amount"), num = bind_check_int(L, 2, "the numerator");
    int64_t den = bind_check_int(L, 3, "the denominator"), v = 0;
    luaL_argcheck(L, den > 0, 3, "the denominator is above zero");
    bool fits = money_ratio(amount, num, den, check_rounding(L, 4), &v);
    return push_checked(L, fits, v);
}

static int l_rate(lua_State *L) /* (amount, ppm, rounding?) -> minor */
{
    int64_t v = 0;
    bool fits = money_rate(bind_check_int(L, 1, "the amount"), bind_check_int(L, 2, "the rate"), check_rounding(L, 3), &v);
    return push_checked(L, fits, v);
}

static int l_percent(lua_State *L) /* (20 | 12.5 | "12.5") -> ppm */
{
    lua_pushinteger(L, bind_check_percent(L, 1, "the percentage"));
    return 1;
}

/* Of nothing but zeros: all alike, where that is asked for. */
static void weigh_alike(int64_t *weights, lua_Unsigned n)
{
    for (lua_Unsigned i = 0; i < n; i++)
        if (weights[i] != 0)
            return;
    for (lua_Unsigned i = 0; i < n; i++)
        weights[i] = 1;
}

static int l_allocate(lua_State *L) /* (total, weights, "evenly"?) -> parts */
{
    int64_t total = bind_check_int(L, 1, "the total");
    luaL_checktype(L, 2, LUA_TTABLE);
    bool evenly = !lua_isnoneornil(L, 3);
    luaL_argcheck(L, !evenly || strcmp(luaL_checkstring(L, 3), "evenly") == 0, 3, "only \"evenly\" says what to do when all weights are 0");
    lua_Unsigned n = lua_rawlen(L, 2);
    luaL_argcheck(L, n > 0 && n <= INT_MAX / 16, 2, "a list of weights is expected");
    vm_charge(L, (int64_t)n);
    /* A Lua buffer, not malloc: it is collected when an error flies past. */
    int64_t *weights = lua_newuserdatauv(L, n * 2 * sizeof *weights, 0), *parts = weights + n; /* total weights scratch */
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 2, (lua_Integer)i + 1);
        weights[i] = bind_check_int(L, -1, "a weight");
        lua_pop(L, 1);
    }
    if (evenly)
        weigh_alike(weights, n);
    struct err err = { 0 };
    if (money_allocate(total, weights, n, parts, &err) < 0)
        return bind_raise(L, &err);
    lua_createtable(L, (int)n, 0); /* ... parts */
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_pushinteger(L, parts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_currency(lua_State *L) /* () -> code, exponent */
{
    struct currency c = bind_currency(L);
    lua_pushstring(L, c.code);
    lua_pushinteger(L, c.exponent);
    return 2;
}

void bind_open_money(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "parse", l_parse },       { "format", l_format },     { "add", l_add },   { "sub", l_sub },
        { "mul", l_mul },           { "ratio", l_ratio },       { "rate", l_rate }, { "percent", l_percent },
        { "allocate", l_allocate }, { "currency", l_currency }, { NULL, NULL },
    };
    luaL_newlib(L, functions);
}
