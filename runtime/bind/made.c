/* plugin.campaign(id) and plugin.campaigns(): what the merchant wrote with promo.use of this plugin. Code that acts reads its terms there.
 */
#include "bind/bind_int.h"
#include "bind/plugins.h"

enum { PHASES = BIND_STORE | BIND_RULE };

static int l_campaign(lua_State *L) /* (id) -> { id, type, fields } or nil; upvalue: the plugin */
{
    const struct bind_plugin *p = lua_touserdata(L, lua_upvalueindex(1));
    struct bind_context *c = bind_require(L, PHASES, "plugin.campaign()");
    struct slice id = bind_check_slice(L, 1, "the campaign's id");
    struct bind_made made;
    vm_charge(L, 50);
    if (!c->plugins || !c->plugins->made(c->plugins_ctx, p, id, &made))
        return 0;
    lua_createtable(L, 0, 3);
    bind_push_slice(L, made.id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, made.type);
    lua_setfield(L, -2, "type");
    vm_push_json_value(L, made.fields);
    lua_setfield(L, -2, "fields");
    return 1;
}

static int l_campaigns(lua_State *L) /* () -> ids, in the order of the files; upvalue: the plugin */
{
    const struct bind_plugin *p = lua_touserdata(L, lua_upvalueindex(1));
    struct bind_context *c = bind_require(L, PHASES, "plugin.campaigns()");
    struct bind_made made;
    lua_Integer n = 0;
    lua_newtable(L);
    for (size_t i = 0; c->plugins && c->plugins->next_made(c->plugins_ctx, p, &i, &made); i++) {
        vm_charge(L, 20);
        bind_push_slice(L, made.id);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

void bind_plugin_made(lua_State *L, const struct bind_plugin *p)
{
    static const luaL_Reg functions[] = { { "campaign", l_campaign }, { "campaigns", l_campaigns }, { NULL, NULL } };
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    luaL_setfuncs(L, functions, 1);
}
