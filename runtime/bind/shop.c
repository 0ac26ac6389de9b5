/* feira.shop: what shop.lua says of orders, for the stdlib, whoever calls it: a route, a timer or a plugin. */
#include "bind/bind_int.h"

static int l_complete_after(lua_State *L) /* () -> ms or nil */
{
    struct bind_context *c = bind_require(L, BIND_STORE, "shop.complete_after()");
    if (c->complete_after_ms > 0)
        lua_pushinteger(L, c->complete_after_ms);
    else
        lua_pushnil(L);
    return 1;
}

void bind_open_shop(lua_State *L)
{
    static const luaL_Reg functions[] = { { "complete_after", l_complete_after }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
