#include "bind/secrets.h"
#include "bind/bind_int.h"
#include "bind/keys.h"
#include <stdlib.h>
#include <string.h>

#define SECRET_CLASS "feira.secret"

/* A secret as it is, or what one says in another form: then the bytes are the box's own, outside of Lua's heap. */
struct secret_box {
    const struct bind_secret *secret;
    unsigned char *own;
    size_t own_len;
};

static struct secret_box *new_box(lua_State *L, const struct bind_secret *s)
{
    struct secret_box *b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = (struct secret_box){ .secret = s };
    luaL_setmetatable(L, SECRET_CLASS);
    return b;
}

static int l_tostring(lua_State *L)
{
    const struct secret_box *b = luaL_checkudata(L, 1, SECRET_CLASS);
    lua_pushfstring(L, "secret %s", b->secret->name);
    return 1;
}

static int l_gc(lua_State *L)
{
    struct secret_box *b = luaL_checkudata(L, 1, SECRET_CLASS);
    if (b->own) {
        crypto_wipe(b->own, b->own_len);
        free(b->own);
    }
    b->own = NULL;
    return 0;
}

bool bind_is_secret(lua_State *L, int arg)
{
    return luaL_testudata(L, arg, SECRET_CLASS) != NULL;
}

struct slice bind_check_secret(lua_State *L, int arg, const char *what)
{
    const struct secret_box *b = luaL_testudata(L, arg, SECRET_CLASS);
    if (!b)
        luaL_error(L, "%s must be a secret (a setting of type secret), not a %s", what, luaL_typename(L, arg));
    if (!b->secret->known)
        luaL_error(L, "the value of the secret %s is not known here", b->secret->name);
    return b->own ? slice_of((char *)b->own, b->own_len) : b->secret->value;
}

/* (secret, "base64" or "hex", prefix?) -> secret: the bytes that it writes down in that form, behind the prefix. */
int bind_decode_secret(lua_State *L)
{
    bind_require(L, BIND_STORE, "crypto.decode_secret()");
    struct slice text = bind_check_secret(L, 1, "the secret"), form = bind_check_slice(L, 2, "the form");
    struct slice prefix = lua_isnoneornil(L, 3) ? (struct slice){ "", 0 } : bind_check_slice(L, 3, "the prefix");
    const struct secret_box *from = lua_touserdata(L, 1);
    bool base64 = slice_is(form, "base64");
    if (!base64 && !slice_is(form, "hex"))
        return luaL_error(L, "the form of a secret is \"base64\" or \"hex\", not \"%s\"", lua_tostring(L, 2));
    if (text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0)
        text = slice_of(text.data + prefix.len, text.len - prefix.len);
    struct secret_box *b = new_box(L, from->secret);
    vm_note_finalizer(L);
    b->own = malloc(text.len + 1); /* the box frees it, also when what follows raises */
    if (!b->own)
        return luaL_error(L, "out of memory for a secret");
    b->own_len = text.len + 1;
    long n = base64 ? base64_decode(text, b->own) : hex_decode(text, b->own);
    if (n < 0)
        return luaL_error(L, "the secret %s is not %s", from->secret->name, lua_tostring(L, 2));
    b->own_len = (size_t)n;
    return 1;
}

void bind_open_secrets(lua_State *L)
{
    static const luaL_Reg no_methods[] = { { NULL, NULL } };
    bind_class(L, SECRET_CLASS, no_methods, NULL);
    luaL_getmetatable(L, SECRET_CLASS);
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* --- in settings -------------------------------------------------------------------------------------------------------- */

struct settling {
    const struct json_value *settings;
    const struct bind_secret_at *secrets;
    size_t count;
    vm_ref out;
};

/* "gateways/2/key" of the table on top: settings and fields are identifiers, so what begins with a digit is a place in a list. */
static void push_key(lua_State *L, struct slice part)
{
    if (part.data[0] >= '0' && part.data[0] <= '9')
        lua_pushinteger(L, (lua_Integer)strtol(part.data, NULL, 10));
    else
        bind_push_slice(L, part);
}

static void put(lua_State *L, const struct bind_secret_at *at) /* settings -> settings */
{
    int top = lua_gettop(L);
    const char *p = at->path, *slash;
    lua_pushvalue(L, top);
    while ((slash = strchr(p, '/'))) {
        push_key(L, slice_of(p, (size_t)(slash - p)));
        lua_rawget(L, -2);
        if (!lua_istable(L, -1))
            luaL_error(L, "there is no setting %s", at->path);
        p = slash + 1;
    }
    push_key(L, slice_str(p));
    new_box(L, at->secret);
    lua_rawset(L, -3);
    lua_settop(L, top);
}

static int settle_body(lua_State *L) /* (settling) */
{
    struct settling *s = lua_touserdata(L, 1);
    vm_push_json_value(L, s->settings);
    for (size_t i = 0; i < s->count; i++)
        put(L, &s->secrets[i]);
    s->out = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int bind_settings(struct vm *v, const struct json_value *settings, const struct bind_secret_at *secrets, size_t count, vm_ref *out,
                  struct err *err)
{
    lua_State *L = vm_lua(v);
    struct settling s = { settings, secrets, count, 0 };
    *out = 0;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory for the settings of a plugin");
    lua_pushcfunction(L, settle_body);
    lua_pushlightuserdata(L, &s);
    int rc = vm_pcall(v, 1, 0, err);
    *out = s.out;
    return rc;
}
