/* feira.timers: durable timers. One that is due calls its procedure with { key, due_ms }, once, also after a restart. */
#include "bind/bind_int.h"
#include "journal/journal.h"

static int l_set(lua_State *L) /* (procedure, key, due_ms) */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "timers.set()");
    struct slice procedure = bind_check_slice(L, 1, "the procedure"), key = bind_check_slice(L, 2, "the key");
    struct err err = { 0 };
    vm_charge(L, 200);
    if (timer_set(c->conn, procedure, key, bind_check_int(L, 3, "the time"), &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

static int l_cancel(lua_State *L) /* (procedure, key) */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "timers.cancel()");
    struct slice procedure = bind_check_slice(L, 1, "the procedure"), key = bind_check_slice(L, 2, "the key");
    struct err err = { 0 };
    vm_charge(L, 200);
    if (timer_cancel(c->conn, procedure, key, &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

void bind_open_timers(lua_State *L)
{
    static const luaL_Reg functions[] = { { "set", l_set }, { "cancel", l_cancel }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
