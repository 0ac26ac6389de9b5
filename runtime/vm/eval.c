/* The console: pieces of code typed by a person, one after the other, in one environment that keeps the globals they make. */
#include "base/buf.h"
#include "vm/vm_int.h"

static const char key_console; /* registry: the environment */

struct eval {
    struct slice source;
    struct arena *arena;
    struct buf *out;
    bool *incomplete;
};

static void push_environment(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key_console) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_createtable(L, 0, 8);
    lua_createtable(L, 0, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_globals);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_console);
}

/* Leaves a function or a message; true: a function. Only text, as everywhere. */
static bool compile(lua_State *L, const char *text, size_t len)
{
    vm_charge(L, (int64_t)(len / 4));
    return luaL_loadbufferx(L, text, len, "=typed", "t") == LUA_OK;
}

static bool is_unfinished(lua_State *L)
{
    size_t len;
    const char *message = lua_tolstring(L, -1, &len);
    return message && len >= 5 && memcmp(message + len - 5, "<eof>", 5) == 0;
}

static int table_body(lua_State *L) /* (value, arena, out) */
{
    struct json_writer w;
    json_writer_init(&w, lua_touserdata(L, 3));
    json_value_write(&w, vm_check_json(L, 1, lua_touserdata(L, 2)));
    return 0;
}

/* Data as JSON; what is none as a word. */
static void show(lua_State *L, struct eval *e, int index)
{
    if (lua_type(L, index) == LUA_TTABLE) {
        size_t before = e->out->len;
        lua_pushcfunction(L, table_body);
        lua_pushvalue(L, index);
        lua_pushlightuserdata(L, e->arena);
        lua_pushlightuserdata(L, e->out);
        if (vm_try(L, 3, 0) == LUA_OK)
            return;
        if (vm_of(L)->end != VM_GOES_ON)
            vm_rethrow(L);
        lua_pop(L, 1);
        e->out->len = before;
    }
    size_t len;
    vm_push_tostring(L, index);
    const char *s = lua_tolstring(L, -1, &len);
    buf_add(e->out, s, len);
    lua_pop(L, 1);
}

/* Specs raise tables with a `text`, for whoever catches them; at the console nobody does, and a person wants the sentence. */
static int fail_in_words(lua_State *L)
{
    if (vm_of(L)->end == VM_GOES_ON && lua_type(L, -1) == LUA_TTABLE) {
        lua_pushliteral(L, "text");
        if (lua_rawget(L, -2) != LUA_TSTRING)
            lua_pop(L, 1);
    }
    return vm_of(L)->end == VM_GOES_ON ? lua_error(L) : (vm_rethrow(L), 0);
}

static int eval_body(lua_State *L)
{
    struct eval *e = lua_touserdata(L, 1);
    lua_settop(L, 1);
    lua_pushliteral(L, "return ");
    lua_pushlstring(L, e->source.data, e->source.len);
    lua_concat(L, 2);
    size_t len;
    const char *text = lua_tolstring(L, 2, &len);
    if (!compile(L, text, len)) { /* no expression, so it is statements, or not all of it is there */
        *e->incomplete = is_unfinished(L);
        lua_settop(L, 2);
        if (!compile(L, text + 7, len - 7)) {
            *e->incomplete = *e->incomplete || is_unfinished(L);
            return *e->incomplete ? 0 : lua_error(L);
        }
        *e->incomplete = false;
    }
    push_environment(L);
    if (!lua_setupvalue(L, 3, 1))
        lua_pop(L, 1);
    if (vm_try(L, 0, LUA_MULTRET) != LUA_OK)
        return fail_in_words(L);
    luaL_checkstack(L, 8, "too many values");
    for (int i = 3, n = lua_gettop(L); i <= n; i++) {
        if (i > 3)
            buf_add_char(e->out, '\t');
        show(L, e, i);
    }
    return 0;
}

int vm_eval(struct vm *v, struct slice source, struct arena *arena, struct buf *out, bool *incomplete, struct err *err)
{
    struct eval e = { source, arena, out, incomplete };
    lua_State *L = vm_lua(v);
    *incomplete = false;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_NOMEM, "there is no memory to run what was typed");
    lua_pushcfunction(L, eval_body);
    lua_pushlightuserdata(L, &e);
    return vm_pcall(v, 1, 0, err);
}
