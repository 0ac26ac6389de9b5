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

/* --- sort: a stable merge sort: the same result on every machine and version, and a comparator, however inconsistent, gives some
 * permutation. What is moved are numbers of elements; the elements stand in a copy that no comparator can reach.
 * ------------------------------------- */

struct sorting {
    lua_State *L;
    int elements, compare; /* where the copy, and the function, are on the stack; 0 = by the language */
    enum { SORT_ANY, SORT_INTEGERS, SORT_STRINGS } kind;
    union sort_key {
        lua_Integer integer;
        struct slice text;
    } * keys; /* of plain kinds: [0] is that of element 1 */
};

static bool by_key(const struct sorting *s, uint32_t a, uint32_t b)
{
    const union sort_key *x = &s->keys[a - 1], *y = &s->keys[b - 1];
    vm_take(s->L, 4);
    if (s->kind == SORT_INTEGERS)
        return x->integer < y->integer;
    vm_take(s->L, VM_COMPARE_UNITS / 2);
    vm_charge_bytes(s->L, x->text.len < y->text.len ? x->text.len : y->text.len);
    return slice_cmp(x->text, y->text) < 0; /* by bytes, whatever the locale */
}

static bool sorts_before(const struct sorting *s, uint32_t a, uint32_t b)
{
    lua_State *L = s->L;
    if (s->kind != SORT_ANY)
        return by_key(s, a, b);
    vm_take(L, VM_CALL_UNITS);
    if (s->compare)
        lua_pushvalue(L, s->compare);
    lua_rawgeti(L, s->elements, a);
    lua_rawgeti(L, s->elements, b);
    bool before;
    if (s->compare) {
        lua_call(L, 2, 1);
        before = lua_toboolean(L, -1);
        lua_pop(L, 1);
    } else {
        before = lua_compare(L, -2, -1, LUA_OPLT);
        lua_pop(L, 2);
    }
    return before;
}

/* Merges from[lo..mid) and from[mid..hi) into to. */
static void merge(const struct sorting *s, const uint32_t *from, uint32_t *to, size_t lo, size_t mid, size_t hi)
{
    size_t a = lo, b = mid;
    for (size_t k = lo; k < hi; k++) {
        bool right = a == mid || (b < hi && sorts_before(s, from[b], from[a])); /* equal elements keep their order */
        to[k] = right ? from[b++] : from[a++];
    }
}

static const uint32_t *merge_sort(const struct sorting *s, uint32_t *from, uint32_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        from[i] = (uint32_t)i + 1;
    for (size_t width = 1; width < n; width *= 2) {
        vm_take(s->L, (int64_t)n);
        for (size_t lo = 0; lo < n; lo += 2 * width) {
            size_t mid = lo + width < n ? lo + width : n, hi = lo + 2 * width < n ? lo + 2 * width : n;
            merge(s, from, to, lo, mid, hi);
        }
        uint32_t *t = from;
        from = to;
        to = t;
    }
    return from;
}

/* The element on top, number i of those before it of the same kind. */
static void note_kind(struct sorting *s, size_t i)
{
    lua_State *L = s->L;
    bool integer = lua_isinteger(L, -1), string = lua_type(L, -1) == LUA_TSTRING;
    if (i == 0)
        s->kind = integer ? SORT_INTEGERS : string ? SORT_STRINGS : SORT_ANY;
    if (s->kind == SORT_INTEGERS && integer)
        s->keys[i].integer = lua_tointeger(L, -1);
    else if (s->kind == SORT_STRINGS && string)
        s->keys[i].text.data = lua_tolstring(L, -1, &s->keys[i].text.len); /* the copy keeps it alive */
    else
        s->kind = SORT_ANY;
}

static int t_sort(lua_State *L)
{
    lua_Integer count = writable(L, 1);
    luaL_argcheck(L, count < 100000000, 1, "too many elements to sort");
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    size_t n = (size_t)count;
    struct sorting s = { .L = L, .elements = 3, .compare = lua_isnil(L, 2) ? 0 : 2 };
    vm_take(L, count * 4);
    lua_createtable(L, (int)n, 0);
    uint32_t *order = lua_newuserdatauv(L, 2 * n * sizeof *order, 0);
    if (!s.compare)
        s.keys = lua_newuserdatauv(L, n * sizeof *s.keys, 0);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1);
        if (!s.compare && (i == 0 || s.kind != SORT_ANY))
            note_kind(&s, i);
        lua_rawseti(L, s.elements, (lua_Integer)i + 1);
    }
    const char *was = vm_callback_begin(L, "table.sort");
    const uint32_t *sorted = merge_sort(&s, order, order + n, n);
    vm_callback_end(L, was);
    for (size_t i = 0; i < n; i++) {
        lua_rawgeti(L, s.elements, sorted[i]);
        lua_rawseti(L, 1, (lua_Integer)i + 1);
    }
    return 0;
}

static const luaL_Reg functions[] = { { "concat", t_concat }, { "insert", t_insert }, { "move", t_move },     { "pack", t_pack },
                                      { "remove", t_remove }, { "sort", t_sort },     { "unpack", t_unpack }, { NULL, NULL } };

void vm_open_table(lua_State *L)
{
    luaL_newlib(L, functions);
}
