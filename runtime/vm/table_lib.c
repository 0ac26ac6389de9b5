/* table: raw lengths (a lying __len can't make it loop), ranges bounded, each element paid for. Views may be read. */
#include "vm/vm_int.h"

enum { UNPACK_MAX = 100000 };

/* A table to read: a view gives what is behind it. */
static lua_Integer readable(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    vm_unwrap(L, index);
    return (lua_Integer)lua_rawlen(L, index);
}

static lua_Integer writable(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TTABLE);
    if (vm_is_view(L, index))
        luaL_error(L, "this table is read-only; copy what you want to change into a table of your own");
    return (lua_Integer)lua_rawlen(L, index);
}

static int t_insert(lua_State *L)
{
    lua_Integer n = writable(L, 1), pos = n + 1;
    switch (lua_gettop(L)) {
    case 2:
        break;
    case 3:
        pos = luaL_checkinteger(L, 2);
        luaL_argcheck(L, pos >= 1 && pos <= n + 1, 2, "position out of bounds");
        vm_charge(L, (n + 1 - pos) * 4);
        for (lua_Integer i = n; i >= pos; i--) {
            lua_rawgeti(L, 1, i);
            lua_rawseti(L, 1, i + 1);
        }
        break;
    default:
        return luaL_error(L, "insert takes a table, a position if you like, and a value");
    }
    lua_rawseti(L, 1, pos);
    return 0;
}

static int t_remove(lua_State *L)
{
    lua_Integer n = writable(L, 1), pos = luaL_optinteger(L, 2, n);
    if (lua_gettop(L) >= 2)
        luaL_argcheck(L, (pos >= 1 && pos <= n + 1) || (n == 0 && pos == 0), 2, "position out of bounds");
    lua_rawgeti(L, 1, pos);
    if (pos < n)
        vm_charge(L, (n - pos) * 4);
    for (lua_Integer i = pos; i < n; i++) {
        lua_rawgeti(L, 1, i + 1);
        lua_rawseti(L, 1, i);
    }
    if (n > 0 && pos <= n) {
        lua_pushnil(L);
        lua_rawseti(L, 1, n);
    }
    return 1;
}

static int t_concat(lua_State *L)
{
    size_t sep_len;
    lua_Integer n = readable(L, 1);
    const char *sep = luaL_optlstring(L, 2, "", &sep_len);
    lua_Integer i = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, n);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (; i <= last; i++) {
        vm_charge(L, 4);
        lua_rawgeti(L, 1, i);
        size_t len;
        if (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER)
            return luaL_error(L, "concat: element %I is a %s, not a string or a number", (LUAI_UACINT)i, luaL_typename(L, -1));
        lua_tolstring(L, -1, &len);
        vm_charge_bytes(L, len + sep_len);
        luaL_addvalue(&b);
        if (i == last)
            break;
        luaL_addlstring(&b, sep, sep_len);
    }
    luaL_pushresult(&b);
    return 1;
}

static int t_pack(lua_State *L)
{
    int n = lua_gettop(L);
    vm_charge(L, n);
    lua_createtable(L, n, 1);
    lua_insert(L, 1);
    for (int i = n; i >= 1; i--)
        lua_rawseti(L, 1, i);
    lua_pushinteger(L, n);
    lua_setfield(L, 1, "n");
    return 1;
}

static int t_unpack(lua_State *L)
{
    lua_Integer n = readable(L, 1);
    lua_Integer i = luaL_optinteger(L, 2, 1), last = luaL_optinteger(L, 3, n);
    if (i > last)
        return 0;
    lua_Unsigned count = (lua_Unsigned)last - (lua_Unsigned)i;
    if (count >= UNPACK_MAX || !lua_checkstack(L, (int)count + 1))
        return luaL_error(L, "unpack: too many results");
    vm_charge(L, (int64_t)count + 1);
    for (; i < last; i++)
        lua_rawgeti(L, 1, i);
    lua_rawgeti(L, 1, last);
    return (int)count + 1;
}

static int t_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
    int target = lua_isnoneornil(L, 5) ? 1 : 5;
    writable(L, target);
    lua_settop(L, 5);
    if (target == 5)
        readable(L, 1);
    if (last >= from) {
        luaL_argcheck(L, from > 0 || last < LUA_MAXINTEGER + from, 3, "too many elements to move");
        lua_Integer n = last - from + 1;
        luaL_argcheck(L, to <= LUA_MAXINTEGER - n + 1, 4, "destination wraps around");
        bool forward = to > last || to <= from || target == 5;
        for (lua_Integer k = 0; k < n; k++) {
            /* Charged as it goes: the range may be far longer than the fuel. */
            if (k % 64 == 0)
                vm_charge(L, 64 * 4);
            lua_Integer i = forward ? k : n - 1 - k;
            lua_rawgeti(L, 1, from + i);
            lua_rawseti(L, target, to + i);
        }
    }
    lua_pushvalue(L, target);
    return 1;
}

/* a < b by the function at 2, or by the language. */
static bool sorts_before(lua_State *L, int a, int b)
{
    if (lua_isnil(L, 2)) {
        vm_charge(L, VM_COMPARE_UNITS);
        if (lua_type(L, a) != LUA_TSTRING || lua_type(L, b) != LUA_TSTRING)
            return lua_compare(L, a, b, LUA_OPLT);
        struct slice x, y; /* by bytes, whatever the locale */
        x.data = lua_tolstring(L, a, &x.len);
        y.data = lua_tolstring(L, b, &y.len);
        vm_charge(L, VM_COMPARE_UNITS);
        vm_charge_bytes(L, x.len < y.len ? x.len : y.len);
        return slice_cmp(x, y) < 0;
    }
    vm_charge(L, VM_CALL_UNITS);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, a);
    lua_pushvalue(L, b);
    lua_call(L, 2, 1);
    bool r = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return r;
}

/* Merges from[lo..mid) and from[mid..hi) into to. Any comparator, however inconsistent, gives some permutation. */
static void merge(lua_State *L, int from, int to, lua_Integer lo, lua_Integer mid, lua_Integer hi)
{
    lua_Integer a = lo, b = mid;
    for (lua_Integer k = lo; k < hi; k++) {
        if (a < mid && b < hi) {
            int top = lua_gettop(L);
            lua_rawgeti(L, from, a);
            lua_rawgeti(L, from, b);
            bool right = sorts_before(L, top + 2, top + 1); /* equal elements keep their order */
            lua_pop(L, right ? 0 : 1);
            lua_rawseti(L, to, k);
            lua_settop(L, top);
            if (right)
                b++;
            else
                a++;
        } else {
            vm_charge(L, 2);
            lua_rawgeti(L, from, a < mid ? a++ : b++);
            lua_rawseti(L, to, k);
        }
    }
}

/* A stable merge sort on copies: the same result on every machine and version, and a comparator can't break it. */
static int t_sort(lua_State *L)
{
    lua_Integer n = writable(L, 1);
    luaL_argcheck(L, n < 100000000, 1, "too many elements to sort");
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    vm_charge(L, n * 4);
    lua_createtable(L, (int)n, 0);
    lua_createtable(L, (int)n, 0);
    int from = 3, to = 4;
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, from, i);
    }
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer lo = 1; lo <= n; lo += 2 * width) {
            lua_Integer mid = lo + width <= n + 1 ? lo + width : n + 1, hi = lo + 2 * width <= n + 1 ? lo + 2 * width : n + 1;
            merge(L, from, to, lo, mid, hi);
        }
        int t = from;
        from = to;
        to = t;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

static const luaL_Reg functions[] = { { "concat", t_concat }, { "insert", t_insert }, { "move", t_move },     { "pack", t_pack },
                                      { "remove", t_remove }, { "sort", t_sort },     { "unpack", t_unpack }, { NULL, NULL } };

void vm_open_table(lua_State *L)
{
    luaL_newlib(L, functions);
}
