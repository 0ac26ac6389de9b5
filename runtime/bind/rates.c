/* Functions that are asked for a price, for ways to send a cart, for the tax rate of a line. Each gets its function at index 1 and tells
 * the kernel what it gives. */
#include "bind/bind_int.h"
#include <string.h>

static struct quote_eval *eval_of(lua_State *L)
{
    return bind_state(L)->ctx->eval;
}

static void raise_if(lua_State *L, int rc, const struct err *err)
{
    if (rc < 0)
        bind_raise(L, err);
}

/* fn cart -> fn cart answer: what the function says of one line. */
static void ask_line(lua_State *L, uint32_t line)
{
    vm_charge(L, 20);
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    bind_push_line(L, line); /* fn cart fn line */
    lua_pushvalue(L, 2);
    lua_call(L, 2, 1);
}

void bind_ask_prices(lua_State *L) /* (fn(line, cart) -> amount | nil) */
{
    struct quote_eval *e = eval_of(L);
    size_t n = quote_eval_cart(e)->line_count;
    bind_push_cart(L); /* fn cart */
    for (uint32_t i = 0; i < n; i++) {
        struct err err = { 0 };
        if (!quote_eval_may_propose(e, i))
            continue;
        ask_line(L, i);
        if (!lua_isnil(L, 3))
            raise_if(L, quote_eval_propose(e, i, bind_check_money(L, 3, "the price"), &err), &err);
    }
}

void bind_ask_tax_rates(lua_State *L) /* (fn(line, cart) -> rate in parts per million | nil) */
{
    struct quote_eval *e = eval_of(L);
    size_t n = quote_eval_cart(e)->line_count;
    bind_push_cart(L); /* fn cart */
    for (uint32_t i = 0; i < n; i++) {
        struct err err = { 0 };
        if (!quote_eval_may_tax(e, i))
            continue;
        ask_line(L, i);
        if (!lua_isnil(L, 3))
            raise_if(L, quote_eval_tax(e, i, bind_check_int(L, 3, "the tax rate"), &err), &err);
    }
}

static void offer_one(lua_State *L) /* fn list offer -> fn list */
{
    struct err err = { 0 };
    if (!lua_istable(L, 3))
        luaL_error(L, "a shipping rule gives a list of { id = ..., title = ..., price = ... }, not of %s", luaL_typename(L, 3));
    struct slice id = bind_field_slice(L, 3, "id", true), title = bind_field_slice(L, 3, "title", false);
    lua_getfield(L, 3, "price"); /* fn list offer price */
    if (lua_isnil(L, 4))
        luaL_error(L, "the shipping option '%s' has no price", id.data);
    int64_t price = bind_check_money(L, 4, "price");
    raise_if(L, quote_eval_offer(eval_of(L), id, title.len ? title : id, price, &err), &err);
    lua_settop(L, 2);
}

void bind_ask_shipping_rates(lua_State *L) /* (fn(cart) -> { { id, title?, price }... } | nil) */
{
    lua_pushvalue(L, 1);
    bind_push_cart(L); /* fn fn cart */
    lua_call(L, 1, 1); /* fn list */
    if (lua_isnil(L, 2))
        return;
    if (!lua_istable(L, 2))
        luaL_error(L, "a shipping rule gives a list of options, or nil; not %s", luaL_typename(L, 2));
    for (lua_Integer i = 1; i <= QUOTE_OFFERS_MAX + 1; i++) {
        vm_charge(L, 20);
        if (lua_rawgeti(L, 2, i) == LUA_TNIL)
            return;
        offer_one(L);
    }
}
