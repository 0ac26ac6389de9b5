/* feira.ids: new ids that sort by time. Only a procedure makes them: a rule that could would not be repeatable. */
#include "bind/bind_int.h"
#include <ctype.h>

static int l_new(lua_State *L) /* (prefix) -> "ord_..." */
{
    struct bind_context *c = bind_require(L, BIND_PROCEDURE, "ids.new()");
    struct slice prefix = bind_check_slice(L, 1, "the prefix");
    luaL_argcheck(L, prefix.len >= 1 && prefix.len <= 8, 1, "a prefix is 1 to 8 letters");
    for (size_t i = 0; i < prefix.len; i++)
        luaL_argcheck(L, islower((unsigned char)prefix.data[i]), 1, "a prefix is small letters");
    char out[ID_MAX];
    id_make(c->ids, prefix.data, out);
    lua_pushstring(L, out);
    return 1;
}

static int l_valid(lua_State *L) /* (id, prefix) -> boolean: form only */
{
    struct slice id = bind_check_slice(L, 1, "the id"), prefix = bind_check_slice(L, 2, "the prefix");
    lua_pushboolean(L, id_valid(id, prefix.data));
    return 1;
}

void bind_open_ids(lua_State *L)
{
    static const luaL_Reg functions[] = { { "new", l_new }, { "valid", l_valid }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
