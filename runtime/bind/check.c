/* The checks and small helpers that every noun uses. */
#include "bind/bind_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[] = {
    [BIND_PHASE_LOAD] = "while files are loaded", [BIND_PHASE_RULE] = "inside a rule", [BIND_PHASE_HANDLER] = "in a handler",
    [BIND_PHASE_PROCEDURE] = "in a procedure",    [BIND_PHASE_CHECK] = "in a check",   [BIND_PHASE_SUBMISSION] = "in a check at submission",
};

struct bind_context *bind_require(lua_State *L, unsigned phases, const char *what)
{
    struct bind_context *c = bind_state(L)->ctx;
    if (!(phases & 1u << c->phase))
        luaL_error(L, "%s can't be used %s", what, phase_names[c->phase]);
    return c;
}

struct bind_context *bind_require_wait(lua_State *L, unsigned phases, const char *what)
{
    const char *callback = vm_callback(L);
    struct bind_context *c = bind_require(L, phases, what);
    if (callback)
        luaL_error(
            L,
            "%s can't be used in a function that %s calls: it may have to wait for the store, and nothing can wait there; ask before, "
            "and use what it gave",
            what, callback);
    return c;
}

int bind_raise(lua_State *L, const struct err *err)
{
    return vm_raise(L, err);
}

int64_t bind_check_int(lua_State *L, int arg, const char *what)
{
    if (lua_type(L, arg) == LUA_TNUMBER) {
        int whole = 0;
        lua_Integer v = lua_isinteger(L, arg) ? lua_tointegerx(L, arg, &whole) : 0;
        if (whole)
            return v;
        luaL_error(L, "%s must be an integer, not the float %f", what, lua_tonumber(L, arg));
    }
    return luaL_error(L, "%s must be an integer, not a %s", what, luaL_typename(L, arg));
}

struct slice bind_check_slice(lua_State *L, int arg, const char *what)
{
    if (lua_type(L, arg) != LUA_TSTRING)
        luaL_error(L, "%s must be a string, not a %s", what, luaL_typename(L, arg));
    size_t len;
    const char *s = lua_tolstring(L, arg, &len);
    return slice_of(s, len);
}

int64_t bind_field_int(lua_State *L, int table, const char *name, bool required, int64_t otherwise)
{
    int64_t v = otherwise;
    if (lua_getfield(L, table, name) != LUA_TNIL) /* value */
        v = bind_check_int(L, -1, name);
    else if (required)
        luaL_error(L, "%s is missing", name);
    lua_pop(L, 1);
    return v;
}

struct slice bind_field_slice(lua_State *L, int table, const char *name, bool required)
{
    struct slice s = { "", 0 };
    if (lua_getfield(L, table, name) != LUA_TNIL) /* value */
        s = bind_check_slice(L, -1, name);
    else if (required)
        luaL_error(L, "%s is missing", name);
    lua_pop(L, 1);
    return s;
}

void bind_push_slice(lua_State *L, struct slice s)
{
    lua_pushlstring(L, s.data ? s.data : "", s.len);
}

struct currency bind_currency(lua_State *L)
{
    struct currency c = bind_state(L)->ctx->currency;
    if (!c.code[0])
        luaL_error(L, "the shop's currency is not known yet");
    return c;
}

int64_t bind_check_money(lua_State *L, int arg, const char *what)
{
    if (lua_type(L, arg) != LUA_TSTRING)
        return bind_check_int(L, arg, what);
    int64_t minor;
    struct err err = { 0 };
    if (money_parse(bind_check_slice(L, arg, what), bind_currency(L).exponent, &minor, &err) < 0) {
        err_wrap(&err, "%s", what);
        return bind_raise(L, &err);
    }
    return minor;
}

int64_t bind_check_percent(lua_State *L, int arg, const char *what)
{
    char text[40];
    struct slice s;
    if (lua_isinteger(L, arg)) {
        s = slice_of(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, arg)));
    } else if (lua_type(L, arg) == LUA_TNUMBER) {
        /* The shortest text that reads back as the same float: 12.5 is exact, a third is not. */
        lua_Number n = lua_tonumber(L, arg);
        s = slice_of(text, (size_t)snprintf(text, sizeof text, "%.15g", n));
        if (strtod(text, NULL) != n)
            luaL_error(L, "%s has no exact value; write it as a string, like \"12.5\"", what);
    } else {
        s = bind_check_slice(L, arg, what);
    }
    int64_t ppm;
    struct err err = { 0 };
    if (rate_parse_percent(s, &ppm, &err) < 0) {
        err_wrap(&err, "%s", what);
        return bind_raise(L, &err);
    }
    return ppm;
}

static void *arena_resize(void *ctx, void *ptr, size_t old_size, size_t size)
{
    if (size == 0)
        return NULL;
    void *fresh = arena_alloc(ctx, size);
    if (fresh && ptr)
        memcpy(fresh, ptr, old_size < size ? old_size : size);
    return fresh;
}

void bind_buf_init(struct bind_buf *b, struct arena *arena)
{
    b->alloc = (struct alloc){ arena_resize, arena };
    buf_init(&b->buf, &b->alloc);
}

void bind_buf_check(lua_State *L, const struct bind_buf *b)
{
    if (b->buf.failed)
        luaL_error(L, "out of memory for the text of an answer");
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction index)
{
    luaL_newmetatable(L, name);   /* class */
    lua_newtable(L);              /* class methods */
    luaL_setfuncs(L, methods, 0); /* class methods */
    if (index)
        lua_pushcclosure(L, index, 1);  /* class index: the methods are its upvalue */
    lua_setfield(L, -2, "__index");     /* class */
    lua_pushstring(L, name);            /* class name */
    lua_setfield(L, -2, "__metatable"); /* class: scripts see its name, never the table */
    lua_pop(L, 1);
}
