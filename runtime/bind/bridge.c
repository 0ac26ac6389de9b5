#include "bind/bridge.h"
#include "bind/bind_int.h"

static const struct bind_bridge *bridge_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static void push_answer(lua_State *L, const struct bind_bridge *b, int status, struct slice answer) /* status, answer */
{
    struct json_value *tree = NULL;
    lua_pushinteger(L, status);
    if (answer.len && json_parse(answer, NULL, b->arena, &tree, NULL) == 0)
        vm_push_json_value(L, tree);
    else
        bind_push_slice(L, answer); /* /metrics is text */
}

/* (method, target, body?, key?) -> status, answer */
static int l_request(lua_State *L)
{
    const struct bind_bridge *b = bridge_of(L);
    const char *method = luaL_checkstring(L, 1), *target = luaL_checkstring(L, 2);
    struct slice caller = lua_isnoneornil(L, 4) ? slice_str("") : bind_check_slice(L, 4, "the key");
    struct bind_buf body, answer;
    struct err err = { 0 };
    int status = 0;
    bind_buf_init(&body, b->arena);
    bind_buf_init(&answer, b->arena);
    if (!lua_isnoneornil(L, 3)) {
        struct json_writer w;
        json_writer_init(&w, &body.buf);
        json_value_write(&w, vm_check_json(L, 3, b->arena));
        bind_buf_check(L, &body);
    }
    int rc = b->request(b->ctx, method, target, caller, buf_slice(&body.buf), &status, &answer.buf, &err);
    bind_buf_check(L, &answer);
    if (rc < 0)
        return bind_raise(L, &err);
    push_answer(L, b, status, buf_slice(&answer.buf));
    return 2;
}

static void add_header(lua_State *L, struct buf *lines) /* name and value are on the stack */
{
    size_t name_len, value_len;
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tolstring(L, -2, &name_len) : NULL;
    const char *value = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &value_len) : NULL;
    if (!name || !value || memchr(name, '\n', name_len) || memchr(value, '\n', value_len))
        luaL_error(L, "headers are texts by name, of one line each");
    buf_printf(lines, "%s: %s\r\n", name, value);
}

/* (method, target, body, headers?) -> status, answer */
static int l_raw(lua_State *L)
{
    const struct bind_bridge *b = bridge_of(L);
    const char *method = luaL_checkstring(L, 1), *target = luaL_checkstring(L, 2);
    struct slice body = bind_check_slice(L, 3, "the body");
    struct bind_buf headers, answer;
    struct err err = { 0 };
    int status = 0;
    bind_buf_init(&headers, b->arena);
    bind_buf_init(&answer, b->arena);
    if (!lua_isnoneornil(L, 4)) {
        luaL_checktype(L, 4, LUA_TTABLE);
        for (lua_pushnil(L); lua_next(L, 4); lua_pop(L, 1))
            add_header(L, &headers.buf);
    }
    bind_buf_check(L, &headers);
    int rc = b->raw(b->ctx, method, target, buf_slice(&headers.buf), body, &status, &answer.buf, &err);
    bind_buf_check(L, &answer);
    if (rc < 0)
        return bind_raise(L, &err);
    push_answer(L, b, status, buf_slice(&answer.buf));
    return 2;
}

/* Bodies as the world outside reads and writes them. */
static int l_encode(lua_State *L) /* (value) -> text */
{
    const struct bind_bridge *b = bridge_of(L);
    struct bind_buf text;
    struct json_writer w;
    luaL_checkany(L, 1);
    bind_buf_init(&text, b->arena);
    json_writer_init(&w, &text.buf);
    json_value_write(&w, vm_check_json(L, 1, b->arena));
    bind_buf_check(L, &text);
    bind_push_slice(L, buf_slice(&text.buf));
    return 1;
}

static int l_decode(lua_State *L) /* (text) -> value, or nil when it is no JSON */
{
    const struct bind_bridge *b = bridge_of(L);
    struct json_value *tree;
    if (json_parse(bind_check_slice(L, 1, "the text"), NULL, b->arena, &tree, NULL) < 0)
        return 0;
    vm_push_json_value(L, tree);
    return 1;
}

/* (name, args?) -> true, value | false, { reason, field?, detail } */
static int l_call(lua_State *L)
{
    const struct bind_bridge *b = bridge_of(L);
    struct slice name = bind_check_slice(L, 1, "the procedure's name"), text = { 0 };
    struct err err = { 0 };
    struct json_value *tree = NULL;
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    int rc = b->call(b->ctx, name, vm_check_json(L, 2, b->arena), &text, &err);
    lua_pushboolean(L, rc >= 0);
    if (rc < 0) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, err.reason[0] ? err.reason : err_name(rc));
        lua_setfield(L, -2, "reason");
        lua_pushstring(L, err.text);
        lua_setfield(L, -2, "detail");
        if (err.field[0]) {
            lua_pushstring(L, err.field);
            lua_setfield(L, -2, "field");
        }
    } else if (text.len && json_parse(text, NULL, b->arena, &tree, NULL) == 0) {
        vm_push_json_value(L, tree);
    } else {
        lua_pushnil(L);
    }
    return 2;
}

static int l_stage(lua_State *L) /* (shop, keep?) */
{
    const struct bind_bridge *b = bridge_of(L);
    struct err err = { 0 };
    luaL_checktype(L, 1, LUA_TTABLE);
    return b->stage(b->ctx, vm_check_json(L, 1, b->arena), lua_toboolean(L, 2), &err) < 0 ? bind_raise(L, &err) : 0;
}

static int l_streamed(lua_State *L) /* () -> list of { topic, event?, data, last? } */
{
    const struct bind_bridge *b = bridge_of(L);
    struct bind_buf list;
    struct json_value *tree = NULL;
    struct err err = { 0 };
    bind_buf_init(&list, b->arena);
    int rc = b->streamed(b->ctx, &list.buf, &err);
    bind_buf_check(L, &list);
    if (rc == 0)
        rc = json_parse(buf_slice(&list.buf), NULL, b->arena, &tree, &err);
    if (rc < 0)
        return bind_raise(L, &err);
    vm_push_json_value(L, tree);
    return 1;
}

static int l_outside(lua_State *L) /* (function or nil) */
{
    const struct bind_bridge *b = bridge_of(L);
    vm_ref fn = 0;
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TFUNCTION);
        lua_settop(L, 1);
        fn = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    b->outside(b->ctx, fn);
    return 0;
}

static int l_advance(lua_State *L) /* (ms) */
{
    const struct bind_bridge *b = bridge_of(L);
    struct err err = { 0 };
    int64_t ms = bind_check_int(L, 1, "the time");
    luaL_argcheck(L, ms >= 0, 1, "time does not go back");
    return b->advance(b->ctx, ms, &err) < 0 ? bind_raise(L, &err) : 0;
}

static int l_now(lua_State *L)
{
    struct err err = { 0 };
    int64_t ms;
    if (bridge_of(L)->now(bridge_of(L)->ctx, &ms, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, ms);
    return 1;
}

static int l_fresh(lua_State *L)
{
    struct err err = { 0 };
    return bridge_of(L)->fresh(bridge_of(L)->ctx, &err) < 0 ? bind_raise(L, &err) : 0;
}

static int l_enter(lua_State *L) /* (name) */
{
    bridge_of(L)->enter(bridge_of(L)->ctx, bind_check_slice(L, 1, "the name"));
    return 0;
}

static int l_leave(lua_State *L)
{
    bridge_of(L)->leave(bridge_of(L)->ctx);
    return 0;
}

static int l_result(lua_State *L) /* (name, passed, message?) */
{
    const struct bind_bridge *b = bridge_of(L);
    struct slice message = lua_isnoneornil(L, 3) ? slice_str("") : bind_check_slice(L, 3, "the message");
    b->result(b->ctx, bind_check_slice(L, 1, "the name"), lua_toboolean(L, 2), message);
    return 0;
}

static int open_body(lua_State *L) /* (bridge) */
{
    static const luaL_Reg functions[] = { { "request", l_request }, { "raw", l_raw },           { "encode", l_encode },
                                          { "decode", l_decode },   { "call", l_call },         { "stage", l_stage },
                                          { "advance", l_advance }, { "now", l_now },           { "fresh", l_fresh },
                                          { "enter", l_enter },     { "leave", l_leave },       { "result", l_result },
                                          { "outside", l_outside }, { "streamed", l_streamed }, { NULL, NULL } };
    const struct bind_bridge *b = lua_touserdata(L, 1);
    luaL_newlibtable(L, functions); /* bridge module */
    lua_pushvalue(L, 1);            /* bridge module bridge */
    luaL_setfuncs(L, functions, 1);
    lua_pushstring(L, b->plugin); /* NULL: nil */
    lua_setfield(L, -2, "plugin");
    vm_provide(L, "feira.bridge");
    return 0;
}

int bind_bridge_open(struct vm *v, const struct bind_bridge *b, struct err *err)
{
    lua_State *L = vm_lua(v);
    lua_pushcfunction(L, open_body);
    lua_pushlightuserdata(L, (void *)(uintptr_t)b);
    return vm_pcall(v, 1, 0, err);
}
