/* feira.catalogue: tells the host which SKUs a procedure changed, so that the copy in memory follows after the commit. */
#include "bind/bind_int.h"

static int l_changed(lua_State *L) /* (sku) */
{
    struct bind_context *c = bind_require(L, BIND_PROCEDURE, "catalogue.changed()");
    struct slice sku = bind_check_slice(L, 1, "the SKU");
    if (c->product_changed)
        c->product_changed(c->host_ctx, sku);
    return 0;
}

void bind_open_catalogue(lua_State *L)
{
    static const luaL_Reg functions[] = { { "changed", l_changed }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
