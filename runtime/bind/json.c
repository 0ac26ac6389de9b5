/* feira.json: JSON in and out. What is written depends on the values alone: members are sorted by key, or stand in the
 * order they were given to json.object(). json.raw() wraps text that is JSON already, so that it is spliced, not parsed. */
#include "bind/bind_int.h"
#include <stdlib.h>
#include <string.h>

#define RAW_CLASS "feira.json.raw"
enum { DEPTH_MAX = 64 };
static const char array_key, null_key; /* registry: the mark of arrays, the value that stands for null */

/* --- out ------------------------------------------------------------------------------------------------------- */
static const char *raw_text(lua_State *L, int index, size_t *len)
{
    if (!luaL_testudata(L, index, RAW_CLASS))
        return NULL;
    lua_getiuservalue(L, index, 1); /* text */
    const char *s = lua_tolstring(L, -1, len);
    lua_pop(L, 1); /* alive: the box holds it */
    return s;
}

struct writing {
    lua_State *L;
    struct json_writer *w;
    struct arena *scratch;
};

static int compare_keys(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static void write_value(struct writing *x, int index, int depth);

static void write_array(struct writing *x, int table, lua_Unsigned n, int depth)
{
    json_array(x->w);
    for (lua_Unsigned i = 1; i <= n; i++) {
        lua_rawgeti(x->L, table, (lua_Integer)i); /* value */
        write_value(x, lua_gettop(x->L), depth + 1);
        lua_pop(x->L, 1);
    }
    json_array_end(x->w);
}

static void write_object(struct writing *x, int table, int depth)
{
    lua_State *L = x->L;
    size_t n = 0, cap = 16;
    struct slice *keys = arena_array(x->scratch, cap, sizeof *keys);
    lua_pushnil(L);              /* key */
    while (lua_next(L, table)) { /* key value */
        lua_pop(L, 1);           /* key */
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "a table for JSON has either the keys 1 to n or names, not a mixture");
        if (n == cap) {
            struct slice *more = arena_array(x->scratch, cap * 2, sizeof *keys);
            if (more)
                memcpy(more, keys, cap * sizeof *keys);
            keys = more;
            cap *= 2;
        }
        if (!keys)
            luaL_error(L, "out of memory for the text of an answer");
        keys[n++] = bind_check_slice(L, -1, "key"); /* alive: the table holds it */
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    json_object(x->w);
    for (size_t i = 0; i < n; i++) {
        bind_push_slice(L, keys[i]);
        lua_rawget(L, table); /* value */
        json_key_slice(x->w, keys[i]);
        write_value(x, lua_gettop(L), depth + 1);
        lua_pop(L, 1);
    }
    json_object_end(x->w);
}

static bool is_registered(lua_State *L, int index, const void *key)
{
    index = lua_absindex(L, index);
    lua_rawgetp(L, LUA_REGISTRYINDEX, key);
    bool same = lua_rawequal(L, index, -1);
    lua_pop(L, 1);
    return same;
}

static void write_table(struct writing *x, int table, int depth)
{
    lua_State *L = x->L;
    bool array = false;
    if (depth > DEPTH_MAX)
        luaL_error(L, "a table for JSON is nested deeper than %d, or contains itself", DEPTH_MAX);
    luaL_checkstack(L, 8, "nested JSON");
    if (lua_getmetatable(L, table)) { /* meta */
        array = is_registered(L, -1, &array_key);
        lua_pop(L, 1);
        if (!array) { /* frozen: what is behind the view is for vm/ to walk */
            json_value_write(x->w, vm_check_json(L, table, x->scratch));
            return;
        }
    }
    lua_Unsigned n = lua_rawlen(L, table);
    vm_charge(L, 20 + (int64_t)n);
    if (n == 0 && !array) {
        write_object(x, table, depth);
        return;
    }
    lua_Unsigned seen = 0;
    lua_pushnil(L);              /* key */
    while (lua_next(L, table)) { /* key value */
        lua_pop(L, 1);
        seen++;
    }
    if (seen != n)
        luaL_error(L, "a table for JSON has either the keys 1 to n or names, not a mixture");
    write_array(x, table, n, depth);
}

static void write_value(struct writing *x, int index, int depth)
{
    lua_State *L = x->L;
    size_t len;
    const char *s;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        json_null(x->w);
        return;
    case LUA_TBOOLEAN:
        json_bool(x->w, lua_toboolean(L, index));
        return;
    case LUA_TNUMBER:
        json_int(x->w, bind_check_int(L, index, "a number in JSON"));
        return;
    case LUA_TSTRING:
        s = lua_tolstring(L, index, &len);
        vm_charge(L, (int64_t)(len / 16));
        json_string(x->w, slice_of(s, len));
        return;
    case LUA_TTABLE:
        write_table(x, index, depth);
        return;
    case LUA_TLIGHTUSERDATA:
    case LUA_TUSERDATA:
        if (is_registered(L, index, &null_key)) {
            json_null(x->w);
            return;
        }
        s = raw_text(L, index, &len);
        if (s) {
            vm_charge(L, (int64_t)(len / 16));
            json_raw(x->w, slice_of(s, len));
            return;
        }
        break;
    default:
        break;
    }
    luaL_error(L, "a %s can't be written as JSON", luaL_typename(L, index));
}

void bind_write_json(lua_State *L, int index, struct json_writer *w, struct arena *scratch)
{
    struct writing x = { L, w, scratch };
    write_value(&x, lua_absindex(L, index), 0);
}

/* --- functions -------------------------------------------------------------------------------------------------- */
static void push_raw(lua_State *L) /* text -> raw */
{
    lua_newuserdatauv(L, 1, 1);  /* text raw */
    lua_insert(L, -2);           /* raw text */
    lua_setiuservalue(L, -2, 1); /* raw */
    luaL_setmetatable(L, RAW_CLASS);
}

static int l_raw(lua_State *L) /* (text) -> raw: the caller vouches that text is JSON */
{
    bind_check_slice(L, 1, "the text");
    lua_settop(L, 1);
    push_raw(L);
    return 1;
}

static int l_encode(lua_State *L) /* (value) -> text */
{
    struct bind_context *c = bind_require(L, BIND_STORE | BIND_SUBMISSION, "json.encode()");
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, c->arena);
    json_writer_init(&w, &b.buf);
    bind_write_json(L, 1, &w, c->arena);
    bind_buf_check(L, &b);
    bind_push_slice(L, buf_slice(&b.buf));
    return 1;
}

/* (name, value, name, value ... | raw ...) -> raw. Members in the order given; a nil value leaves its member out; a raw
 * object in the place of a name gives its members. */
static int l_object(lua_State *L)
{
    struct bind_context *c = bind_require(L, BIND_STORE | BIND_SUBMISSION, "json.object()");
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, c->arena);
    buf_reserve(&b.buf, 1024);
    json_writer_init(&w, &b.buf);
    json_object(&w);
    for (int i = 1, top = lua_gettop(L); i <= top;) {
        size_t len;
        const char *raw = lua_type(L, i) == LUA_TSTRING ? NULL : raw_text(L, i, &len); /* nearly always it is a name */
        if (raw) {
            if (len < 2 || raw[0] != '{' || raw[len - 1] != '}')
                return luaL_error(L, "argument %d is not the JSON of an object", i);
            if (len > 2) {
                if (w.need_comma)
                    buf_add_char(&b.buf, ',');
                buf_add(&b.buf, raw + 1, len - 2);
                w.need_comma = true;
            }
            i++;
            continue;
        }
        struct slice name = bind_check_slice(L, i, "the name of a member");
        if (i + 1 <= top && !lua_isnil(L, i + 1)) {
            json_key_slice(&w, name);
            bind_write_json(L, i + 1, &w, c->arena);
        }
        i += 2;
    }
    json_object_end(&w);
    bind_buf_check(L, &b);
    vm_charge(L, (int64_t)b.buf.len / 16);
    bind_push_slice(L, buf_slice(&b.buf)); /* text */
    push_raw(L);                           /* raw */
    return 1;
}

static int l_decode(lua_State *L) /* (text) -> value | nil, sentence */
{
    struct bind_context *c = bind_require(L, BIND_STORE | BIND_SUBMISSION, "json.decode()");
    struct slice text = bind_check_slice(L, 1, "the text");
    vm_charge(L, 10 + (int64_t)text.len / 4);
    struct json_value *v;
    struct err err = { 0 };
    if (json_parse(text, &(struct json_limits){ .depth = DEPTH_MAX }, c->arena, &v, &err) < 0) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    vm_push_json_nulls(L, v);
    return 1;
}

static int l_text(lua_State *L) /* (raw) -> its text */
{
    size_t len;
    const char *s = raw_text(L, 1, &len);
    luaL_argcheck(L, s, 1, "a raw JSON value is expected");
    lua_pushlstring(L, s, len);
    return 1;
}

static int l_array(lua_State *L) /* (table) -> table, an array also when it is empty */
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) { /* a mark in the place of what makes a shared table read-only would open it */
        lua_rawgetp(L, LUA_REGISTRYINDEX, &array_key);
        luaL_argcheck(L, lua_rawequal(L, -1, -2), 1,
                      "a plain table is expected, neither a read-only one nor one with a metatable; copy it");
        lua_settop(L, 1);
        return 1;
    }
    vm_mark_array(L, 1);
    return 1;
}

void bind_open_json(lua_State *L)
{
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg functions[] = {
        { "encode", l_encode }, { "decode", l_decode }, { "raw", l_raw }, { "object", l_object },
        { "text", l_text },     { "array", l_array },   { NULL, NULL },
    };
    bind_class(L, RAW_CLASS, none, NULL);
    luaL_newlib(L, functions); /* json */
    vm_push_null(L);           /* json null */
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &null_key);
    lua_setfield(L, -2, "null"); /* json */
    lua_newtable(L);             /* json array */
    vm_mark_array(L, -1);
    if (!lua_getmetatable(L, -1)) /* json array mark */
        luaL_error(L, "arrays carry no mark");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &array_key);
    lua_pop(L, 1); /* json */
}
