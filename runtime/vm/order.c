/* pairs() in an order that depends on the keys alone: numbers ascending, then strings by their bytes, then false and true.
 * The keys are those of the moment when the loop begins. */
#include "vm/vm_int.h"

struct key {
    enum { KEY_NUMBER, KEY_STRING, KEY_BOOLEAN } kind;
    bool is_float;
    union {
        lua_Integer integer;
        lua_Number real;
        struct slice text; /* Lua does not move strings; the table of keys keeps them alive */
    };
    lua_Integer slot; /* where the key is in the table of keys */
};

static int number_cmp(const struct key *a, const struct key *b)
{
    if (!a->is_float && !b->is_float)
        return (a->integer > b->integer) - (a->integer < b->integer);
    if (a->is_float && b->is_float)
        return (a->real > b->real) - (a->real < b->real);
    /* A float key is never integral, or it would be an integer key: compare with its floor, which fits unless it is huge. */
    const struct key *f = a->is_float ? a : b, *i = a->is_float ? b : a;
    int c; /* the float against the integer */
    if (f->real >= 9223372036854775808.0)
        c = 1;
    else if (f->real < -9223372036854775808.0)
        c = -1;
    else {
        lua_Integer whole = (lua_Integer)f->real; /* towards zero */
        if (f->real < 0)
            whole--;
        c = whole >= i->integer ? 1 : -1;
    }
    return a->is_float ? c : -c;
}

static int key_cmp(const struct key *a, const struct key *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->kind == KEY_STRING)
        return slice_cmp(a->text, b->text);
    return a->kind == KEY_NUMBER ? number_cmp(a, b) : (a->integer > b->integer) - (a->integer < b->integer);
}

static void sift(struct key *k, size_t root, size_t n)
{
    struct key moving = k[root];
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && key_cmp(&k[child], &k[child + 1]) < 0)
            child++;
        if (key_cmp(&moving, &k[child]) >= 0)
            break;
        k[root] = k[child];
    }
    k[root] = moving;
}

/* A heap sort: no memory, no bad case. */
static void sort_keys(struct key *k, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(k, i, n);
    for (size_t i = n; i-- > 1;) {
        struct key last = k[i];
        k[i] = k[0];
        k[0] = last;
        sift(k, 0, i);
    }
}

static bool read_key(lua_State *L, int index, struct key *k)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER:
        k->kind = KEY_NUMBER;
        k->is_float = !lua_isinteger(L, index);
        if (k->is_float)
            k->real = lua_tonumber(L, index);
        else
            k->integer = lua_tointeger(L, index);
        return true;
    case LUA_TSTRING:
        k->kind = KEY_STRING;
        k->text.data = lua_tolstring(L, index, &k->text.len);
        return true;
    case LUA_TBOOLEAN:
        k->kind = KEY_BOOLEAN;
        k->integer = lua_toboolean(L, index);
        return true;
    default:
        return false;
    }
}

/* upvalues: real table, keys or number of elements, order or nil, position */
static int next_pair(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(4));
    for (;;) {
        at++;
        if (lua_type(L, lua_upvalueindex(3)) == LUA_TNIL) {
            if (at > lua_tointeger(L, lua_upvalueindex(2)))
                return 0;
            lua_pushinteger(L, at);
        } else {
            size_t count = lua_rawlen(L, lua_upvalueindex(3)) / sizeof(struct key);
            if ((size_t)at > count)
                return 0;
            const struct key *order = lua_touserdata(L, lua_upvalueindex(3));
            lua_rawgeti(L, lua_upvalueindex(2), order[at - 1].slot);
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
            break;
        lua_pop(L, 2); /* it was removed during the loop */
        vm_charge(L, 2);
    }
    lua_pushinteger(L, at);
    lua_replace(L, lua_upvalueindex(4));
    return 2;
}

/* --- few keys: they stand in the iterator itself ---------------------------------------------------------------------------- */

enum { FEW = 32, FEW_FIRST = 3 /* upvalues: real table, position, number of keys, the keys */ };

static int next_of_few(lua_State *L)
{
    int at = (int)lua_tointeger(L, lua_upvalueindex(2)), n = (int)lua_tointeger(L, lua_upvalueindex(3));
    while (at < n) {
        at++;
        lua_pushvalue(L, lua_upvalueindex(FEW_FIRST + at));
        lua_pushvalue(L, -1);
        if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL) {
            lua_pushinteger(L, at);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_pop(L, 2); /* it was removed during the loop */
    }
    return 0;
}

static void insert_sorted(struct key *order, int n, struct key k)
{
    int i = n;
    for (; i > 0 && key_cmp(&order[i - 1], &k) > 0; i--)
        order[i] = order[i - 1];
    order[i] = k;
}

/* Leaves the iterator of the table at t, or nothing when it has more keys than that. */
static bool push_few(lua_State *L, int t)
{
    struct key order[FEW];
    int n = 0, first = lua_gettop(L);
    luaL_checkstack(L, 2 * FEW + FEW_FIRST + 4, "pairs");
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
            continue; /* the sandbox's own */
        if (n == FEW) {
            lua_settop(L, first);
            return false;
        }
        struct key k;
        if (!read_key(L, -1, &k))
            luaL_error(L, "pairs: a %s is no key that has an order; use numbers and strings as keys", luaL_typename(L, -1));
        k.slot = first + 1 + n; /* on the stack */
        insert_sorted(order, n++, k);
        lua_pushvalue(L, -1); /* one stays, one leads to the next */
    }
    vm_take(L, 10 + n * 8);
    lua_pushvalue(L, t);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, n);
    for (int i = 0; i < n; i++)
        lua_pushvalue(L, (int)order[i].slot);
    lua_pushcclosure(L, next_of_few, FEW_FIRST + n);
    lua_insert(L, first + 1);
    lua_settop(L, first + 1);
    return true;
}

/* --- many ---------------------------------------------------------------------------------------------------------------- */

/* True when the keys are 1..n; n in any case. */
static bool count_keys(lua_State *L, int t, lua_Integer *n)
{
    bool list = true;
    *n = 0;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
            continue; /* the sandbox's own */
        if (++*n % 256 == 0)
            vm_charge(L, 2 * 256);
        if (!lua_isinteger(L, -1) || lua_tointeger(L, -1) != *n)
            list = false;
    }
    return list;
}

int vm_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs") != LUA_TNIL) {
        lua_pushvalue(L, 1);
        const char *was = vm_callback_begin(L, "pairs");
        lua_call(L, 1, 3);
        vm_callback_end(L, was);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, 1);
    vm_unwrap(L, 2);
    if (push_few(L, 2)) {
        lua_pushvalue(L, 1);
        lua_pushnil(L);
        return 3;
    }
    lua_Integer n;
    bool list = count_keys(L, 2, &n);
    vm_charge(L, 10 + n % 256 * 2);
    lua_pushvalue(L, 2);
    if (list) {
        lua_pushinteger(L, n);
        lua_pushnil(L);
    } else {
        int64_t log2_n = 64 - __builtin_clzll((unsigned long long)n | 1);
        vm_charge(L, n * (8 + 4 * log2_n));
        lua_createtable(L, (int)n, 0);                                          /* t real real keys */
        struct key *order = lua_newuserdatauv(L, (size_t)n * sizeof *order, 0); /* t real real keys order */
        lua_Integer i = 0;
        lua_pushnil(L);
        while (lua_next(L, 2)) {
            lua_pop(L, 1);
            if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
                continue;
            if (!read_key(L, -1, &order[i]))
                return luaL_error(L, "pairs: a %s is no key that has an order; use numbers and strings as keys", luaL_typename(L, -1));
            lua_pushvalue(L, -1);
            order[i].slot = i + 1;
            lua_rawseti(L, 4, ++i);
        }
        sort_keys(order, (size_t)n);
    }
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_pair, 4);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}
