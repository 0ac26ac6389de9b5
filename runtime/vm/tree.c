/* Lua values to JSON trees and back. The tree is built in the caller's arena, so an error on the way leaks nothing. */
#include "vm/vm_int.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH_MAX = 64, PATH_MAX_BYTES = 200 };

struct walk {
    lua_State *L;
    struct arena *arena;
    enum vm_tree_mode mode;
    int depth;
    const void *inside[DEPTH_MAX]; /* the tables that we are in, to see a cycle */
    struct slice names[DEPTH_MAX]; /* how we came there: a member, or an index when data is NULL */
    lua_Integer indexes[DEPTH_MAX];
};

static void path_of(const struct walk *w, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < w->depth && n + 1 < cap; i++) {
        int k = w->names[i].data ? snprintf(out + n, cap - n, "%s%.*s", n ? "." : "", SLICE_FMT(w->names[i]))
                                 : snprintf(out + n, cap - n, "[%lld]", (long long)w->indexes[i]);
        n += k < 0 ? 0 : (size_t)k;
    }
    if (!out[0])
        snprintf(out, cap, "the value");
}

static int refuse(struct walk *w, const char *what)
{
    char path[PATH_MAX_BYTES];
    path_of(w, path, sizeof path);
    return luaL_error(w->L, "%s: %s", path, what);
}

static void *need(struct walk *w, void *p)
{
    if (!p)
        luaL_error(w->L, "there is not enough memory to read this table");
    return p;
}

static struct slice copy(struct walk *w, const char *s, size_t len)
{
    vm_charge_bytes(w->L, len);
    struct slice c = arena_copy(w->arena, slice_of(s, len));
    need(w, (void *)c.data);
    return c;
}

/* The shortest decimal that reads back as the same double, always with a point or an exponent. */
static struct slice real_text(struct walk *w, double d)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    if (!strpbrk(text, ".e"))
        memcpy(text + strlen(text), ".0", 3);
    return copy(w, text, strlen(text));
}

static struct json_value *value_at(struct walk *w, int index);

int vm_keep_function(lua_State *L, int index)
{
    struct vm *v = vm_of(L);
    if (v->function_count == v->function_cap) {
        size_t cap = v->function_cap ? v->function_cap * 2 : 16;
        vm_ref *grown = alloc_resize(v->alloc, v->functions, v->function_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            luaL_error(L, "out of memory for the functions of the rules");
        v->functions = grown;
        v->function_cap = cap;
    }
    lua_pushvalue(L, index);
    vm_freeze_value(L); /* what it captures may not change between calls */
    v->functions[v->function_count] = luaL_ref(L, LUA_REGISTRYINDEX);
    return (int)++v->function_count;
}

/* Tables are walked in the order of their hashes, which differs in every state. So functions are numbered as they come and,
 * once all members are sorted, numbered again in the order of the tree. `came` holds the refs in the order they came. */
static void number_functions(struct vm *v, struct json_value *t, size_t before, const vm_ref *came, size_t *next)
{
    for (struct json_value *m = t->type == JSON_ARRAY || t->type == JSON_OBJECT ? t->first : NULL; m; m = m->next) {
        if (slice_is(m->key, "fn") && m->type == JSON_INT) { /* only ours: no table may have such a member */
            v->functions[*next] = came[(size_t)m->integer - 1 - before];
            m->integer = (int64_t)++ * next;
        } else {
            number_functions(v, m, before, came, next);
        }
    }
}

/* Sorted by bytes. A merge sort over the list: no recursion deeper than the logarithm. */
static struct json_value *sorted(struct json_value *list, uint32_t n)
{
    if (n < 2)
        return list;
    struct json_value *a = list, *b = list;
    for (uint32_t i = 0; i < n / 2; i++)
        b = b->next;
    a = sorted(a, n / 2);
    b = sorted(b, n - n / 2);
    uint32_t left_a = n / 2, left_b = n - n / 2;
    struct json_value *first = NULL, **end = &first;
    while (left_a || left_b) {
        bool take_a = left_a && (!left_b || slice_cmp(a->key, b->key) <= 0);
        struct json_value **from = take_a ? &a : &b;
        *end = *from;
        *from = (*from)->next;
        end = &(*end)->next;
        left_a -= take_a;
        left_b -= !take_a;
    }
    return first;
}

static void sort_members(struct json_value *object)
{
    object->first = sorted(object->first, object->count);
    struct json_value *m = object->first;
    for (uint32_t i = 1; i < object->count; i++)
        m = m->next;
    if (m)
        m->next = NULL;
}

static bool is_array(lua_State *L, int t, lua_Integer *n)
{
    bool list = true, any = false;
    *n = (lua_Integer)lua_rawlen(L, t);
    lua_Integer count = 0;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TLIGHTUSERDATA)
            continue;
        any = true;
        count++;
        lua_Integer k = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (k < 1 || k > *n)
            list = false;
    }
    if (any)
        return list && count == *n;
    *n = 0;
    if (!lua_getmetatable(L, t))
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_array);
    bool marked = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return marked;
}

static void array_members(struct walk *w, int t, lua_Integer n, struct json_value *out)
{
    struct json_value *last = NULL;
    for (lua_Integer i = 1; i <= n; i++) {
        w->names[w->depth - 1] = (struct slice){ NULL, 0 };
        w->indexes[w->depth - 1] = i;
        lua_rawgeti(w->L, t, i);
        struct json_value *v = value_at(w, lua_gettop(w->L));
        lua_pop(w->L, 1);
        json_append(out, last, v);
        last = v;
    }
}

static void object_members(struct walk *w, int t, struct json_value *out)
{
    lua_State *L = w->L;
    struct json_value *last = NULL;
    lua_pushnil(L);
    while (lua_next(L, t)) {
        int type = lua_type(L, -2);
        if (type == LUA_TLIGHTUSERDATA) {
            lua_pop(L, 1);
            continue;
        }
        if (type != LUA_TSTRING) {
            w->names[w->depth - 1] = (struct slice){ NULL, 0 };
            w->indexes[w->depth - 1] = type == LUA_TNUMBER ? lua_tointeger(L, -2) : 0;
            refuse(w, type == LUA_TNUMBER ? "a table has either names or numbers 1..n without gaps as keys, not both"
                                          : "keys are strings, or numbers from 1 to n");
        }
        size_t len;
        const char *s = lua_tolstring(L, -2, &len);
        struct slice key = copy(w, s, len);
        w->names[w->depth - 1] = key;
        if (w->mode == VM_TREE_FUNCTIONS && slice_is(key, "fn"))
            refuse(w, "the name fn is taken; give the function itself");
        struct json_value *v = value_at(w, lua_gettop(L));
        lua_pop(L, 1);
        v->key = key;
        json_append(out, last, v);
        last = v;
    }
    sort_members(out);
}

static struct json_value *table_at(struct walk *w, int index)
{
    lua_State *L = w->L;
    luaL_checkstack(L, 8, "a table");
    lua_pushvalue(L, index);
    int t = lua_gettop(L);
    const void *self = lua_topointer(L, t);
    if (vm_is_view(L, t)) {
        vm_unwrap(L, t);
        self = lua_topointer(L, t);
    }
    for (int i = 0; i < w->depth; i++)
        if (w->inside[i] == self)
            refuse(w, "the table contains itself; give a copy without that member");
    if (w->depth == DEPTH_MAX)
        refuse(w, "tables are nested too deep");
    lua_Integer n;
    bool list = is_array(L, t, &n);
    struct json_value *out = need(w, json_new(w->arena, list ? JSON_ARRAY : JSON_OBJECT));
    w->inside[w->depth++] = self;
    if (list)
        array_members(w, t, n, out);
    else
        object_members(w, t, out);
    w->depth--;
    lua_settop(L, t - 1);
    return out;
}

static struct json_value *value_at(struct walk *w, int index)
{
    lua_State *L = w->L;
    struct json_value *out = NULL;
    vm_charge(L, 8);
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return need(w, json_new(w->arena, JSON_NULL));
    case LUA_TBOOLEAN:
        return need(w, json_new(w->arena, lua_toboolean(L, index) ? JSON_TRUE : JSON_FALSE));
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            return need(w, json_new_int(w->arena, lua_tointeger(L, index)));
        if (!isfinite(lua_tonumber(L, index)))
            refuse(w, "the number is not finite; look for a division by zero");
        out = need(w, json_new(w->arena, JSON_REAL));
        out->string = real_text(w, lua_tonumber(L, index));
        return out;
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, index, &len);
        return need(w, json_new_string(w->arena, copy(w, s, len)));
    }
    case LUA_TTABLE:
        return table_at(w, index);
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, index))
            return need(w, json_new(w->arena, JSON_NULL));
        break;
    case LUA_TFUNCTION:
        if (w->mode == VM_TREE_FUNCTIONS) {
            out = need(w, json_new(w->arena, JSON_OBJECT));
            struct json_value *fn = need(w, json_new_int(w->arena, vm_keep_function(w->L, index)));
            fn->key = SLICE_LIT("fn");
            json_append(out, NULL, fn);
            return out;
        }
        break;
    default:
        break;
    }
    char what[80];
    snprintf(what, sizeof what, "a %s can't be written as data", luaL_typename(L, index));
    refuse(w, what);
    return NULL;
}

struct json_value *vm_tree(lua_State *L, int index, enum vm_tree_mode mode, struct arena *arena)
{
    struct walk w = { .L = L, .arena = arena, .mode = mode };
    struct vm *v = vm_of(L);
    size_t before = v->function_count;
    struct json_value *tree = value_at(&w, lua_absindex(L, index));
    if (v->function_count > before) {
        size_t n = v->function_count - before;
        vm_ref *came = need(&w, arena_array(arena, n, sizeof *came));
        memcpy(came, v->functions + before, n * sizeof *came);
        size_t next = before;
        number_functions(v, tree, before, came, &next);
    }
    return tree;
}

struct json_value *vm_check_json(lua_State *L, int index, struct arena *arena)
{
    return vm_tree(L, index, VM_TREE_DATA, arena);
}

/* --- trees to tables ------------------------------------------------------------------------------------------------- */

void vm_push_null(lua_State *L)
{
    lua_pushlightuserdata(L, NULL);
}

void vm_mark_array(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_array);
    lua_setmetatable(L, index);
}

static void push_value(lua_State *L, const struct json_value *v, bool nulls)
{
    vm_charge(L, 6);
    luaL_checkstack(L, 4, "a deep value");
    switch (v->type) {
    case JSON_NULL:
        vm_push_null(L);
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        lua_pushboolean(L, v->type == JSON_TRUE);
        break;
    case JSON_INT:
        lua_pushinteger(L, v->integer);
        break;
    case JSON_REAL:
        lua_pushlstring(L, v->string.data, v->string.len);
        if (!lua_stringtonumber(L, lua_tostring(L, -1)))
            luaL_error(L, "a number in the data can't be read");
        lua_remove(L, -2);
        break;
    case JSON_STRING:
        vm_charge_bytes(L, v->string.len);
        lua_pushlstring(L, v->string.data, v->string.len);
        break;
    case JSON_ARRAY: {
        lua_createtable(L, (int)v->count, 0);
        lua_Integer i = 0;
        for (const struct json_value *m = v->first; m; m = m->next) {
            push_value(L, m, nulls);
            lua_rawseti(L, -2, ++i);
        }
        if (v->count == 0)
            vm_mark_array(L, -1);
        break;
    }
    case JSON_OBJECT:
        lua_createtable(L, 0, (int)v->count);
        for (const struct json_value *m = v->first; m; m = m->next) {
            if (m->type == JSON_NULL && !nulls)
                continue;
            lua_pushlstring(L, m->key.data, m->key.len);
            push_value(L, m, nulls);
            lua_rawset(L, -3);
        }
        break;
    }
}

void vm_push_json_value(lua_State *L, const struct json_value *value)
{
    if (value->type == JSON_NULL)
        lua_pushnil(L);
    else
        push_value(L, value, false);
}

void vm_push_json_nulls(lua_State *L, const struct json_value *value)
{
    push_value(L, value, true);
}
