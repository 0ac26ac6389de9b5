/* feira.log: one event a line. Fields are strings, integers and booleans; no secret and no personal field belongs there. */
#include "bind/bind_int.h"
#include "base/log.h"

enum { FIELDS_MAX = 16, EVENT_MAX = 64 };

/* (event, text, fields?) */
static int log_at(lua_State *L, enum log_level level)
{
    struct bind_context *c = bind_require(L, BIND_STORE | BIND_SUBMISSION, "feira.log");
    struct slice event = bind_check_slice(L, 1, "the event"), text = bind_check_slice(L, 2, "the text");
    luaL_argcheck(L, event.len > 0 && event.len <= EVENT_MAX, 1, "an event is a dotted name of at most 64 characters");
    struct log_field fields[FIELDS_MAX];
    size_t n = 0;
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        lua_pushnil(L);          /* ... key */
        while (lua_next(L, 3)) { /* ... key value */
            if (lua_type(L, -2) != LUA_TSTRING || n == FIELDS_MAX)
                return luaL_error(L, "fields of a log line are at most %d named values", FIELDS_MAX);
            const char *key = lua_tostring(L, -2);
            if (lua_type(L, -1) == LUA_TSTRING)
                fields[n++] = LOG_SLICE(key, bind_check_slice(L, -1, key)); /* alive: the table holds it */
            else if (lua_isboolean(L, -1))
                fields[n++] = LOG_STR(key, lua_toboolean(L, -1) ? "true" : "false");
            else
                fields[n++] = LOG_INT(key, bind_check_int(L, -1, key));
            lua_pop(L, 1); /* ... key */
        }
    }
    vm_charge(L, 100 + (int64_t)text.len / 8);
    log_event(c->log, level, event.data, text.data, fields, n);
    return 0;
}

static int l_info(lua_State *L)
{
    return log_at(L, LOG_INFO);
}

static int l_warn(lua_State *L)
{
    return log_at(L, LOG_WARN);
}

static int l_error(lua_State *L)
{
    return log_at(L, LOG_ERROR);
}

void bind_open_log(lua_State *L)
{
    static const luaL_Reg functions[] = { { "info", l_info }, { "warn", l_warn }, { "error", l_error }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
