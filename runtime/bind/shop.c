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

static int l_checkout_ttl(lua_State *L) /* () -> ms */
{
    lua_pushinteger(L, bind_require(L, BIND_STORE, "shop.checkout_ttl()")->checkout_ttl_ms);
    return 1;
}

static int l_stock_low(lua_State *L) /* () -> pieces or nil */
{
    struct bind_context *c = bind_require(L, BIND_STORE, "shop.stock_low()");
    if (c->stock_low > 0)
        lua_pushinteger(L, c->stock_low);
    else
        lua_pushnil(L);
    return 1;
}

static int l_compare_at(lua_State *L) /* () -> days, by deals; or nil */
{
    struct bind_context *c = bind_require(L, BIND_STORE, "shop.compare_at()");
    if (c->compared_days > 0)
        lua_pushinteger(L, c->compared_days);
    else
        lua_pushnil(L);
    lua_pushboolean(L, c->compared_by_deals);
    return 2;
}

static int l_currency(lua_State *L) /* () -> "EUR" */
{
    lua_pushstring(L, bind_require(L, BIND_STORE, "shop.currency()")->currency.code);
    return 1;
}

static int l_privacy(lua_State *L) /* () -> the field catalogue */
{
    struct bind_context *c = bind_require(L, BIND_STORE, "shop.privacy()");
    if (!c->privacy)
        return luaL_error(L, "there is no field catalogue before the rules are whole");
    vm_push_json_value(L, c->privacy);
    return 1;
}

void bind_open_shop(lua_State *L)
{
    static const luaL_Reg functions[] = { { "complete_after", l_complete_after },
                                          { "checkout_ttl", l_checkout_ttl },
                                          { "stock_low", l_stock_low },
                                          { "compare_at", l_compare_at },
                                          { "privacy", l_privacy },
                                          { "currency", l_currency },
                                          { NULL, NULL } };
    luaL_newlib(L, functions);
}
