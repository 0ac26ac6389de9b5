/* plugin.sign(text) and plugin.verify(signed): text that goes out (a link) and comes back unchanged, or is not believed. The key is made of
 * the shop's secret and the plugin's name; nothing has to be set up for it. The text can be read by anybody. */
#include "bind/bind_int.h"
#include "bind/plugins.h"
#include "crypto/crypto.h"

/* 128 bits of the hash: as much as anybody will ever guess at, in a link that people paste. */
enum { TEXT_MAX = 1000, MAC_BYTES = 16, MAC_CHARS = 22 };

static const struct bind_plugin *signer(lua_State *L, const char *what)
{
    struct bind_context *c = bind_require(L, BIND_STORE | BIND_RULE, what);
    if (!c->sign)
        luaL_error(L, "there is no secret here for %s", what);
    vm_charge(L, 500);
    return lua_touserdata(L, lua_upvalueindex(1));
}

static void mac_of(lua_State *L, const struct bind_plugin *p, struct slice text, char out[MAC_CHARS + 3])
{
    const struct bind_context *c = bind_state(L)->ctx;
    unsigned char mac[32];
    c->sign(c->sign_ctx, p->name, text, mac);
    base64url_encode(mac, MAC_BYTES, out);
}

static int l_sign(lua_State *L) /* (text) -> text.mac; upvalue: the plugin */
{
    const struct bind_plugin *p = signer(L, "plugin.sign()");
    struct bind_context *c = bind_state(L)->ctx;
    if (c->signs_nothing) {
        c->wanted_to_sign = true;
        return luaL_error(L,
                          "rules that are only being tried sign nothing: a signature could be read off their prices; ask plugin.verify() "
                          "whether a text was signed");
    }
    struct slice text = bind_check_slice(L, 1, "the text");
    char mac[MAC_CHARS + 3];
    if (text.len == 0 || text.len > TEXT_MAX)
        return luaL_error(L, "what is signed has 1 to %d bytes", TEXT_MAX);
    mac_of(L, p, text, mac);
    lua_settop(L, 1);
    lua_pushliteral(L, ".");
    lua_pushlstring(L, mac, MAC_CHARS);
    lua_concat(L, 3);
    return 1;
}

static int l_verify(lua_State *L) /* (signed) -> text, or nil; upvalue: the plugin */
{
    const struct bind_plugin *p = signer(L, "plugin.verify()");
    struct slice all = bind_check_slice(L, 1, "the signed text");
    char mac[MAC_CHARS + 3];
    if (all.len < MAC_CHARS + 2 || all.len > TEXT_MAX + MAC_CHARS + 1 || all.data[all.len - MAC_CHARS - 1] != '.')
        return 0;
    struct slice text = slice_of(all.data, all.len - MAC_CHARS - 1);
    mac_of(L, p, text, mac);
    if (!crypto_equal(mac, text.data + text.len + 1, MAC_CHARS))
        return 0;
    bind_push_slice(L, text);
    return 1;
}

void bind_plugin_sign(lua_State *L, const struct bind_plugin *p)
{
    static const luaL_Reg functions[] = { { "sign", l_sign }, { "verify", l_verify }, { NULL, NULL } };
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    luaL_setfuncs(L, functions, 1);
}
