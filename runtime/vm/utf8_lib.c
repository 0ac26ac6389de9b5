/* utf8: strict (base/utf8.h), every byte paid for. Positions count bytes, as in Lua's own. */
#include "base/utf8.h"
#include "vm/vm_int.h"

static lua_Integer position(lua_Integer i, size_t len)
{
    if (i >= 0)
        return i;
    return 0u - (size_t)i > len ? 0 : (lua_Integer)len + i + 1;
}

static uint32_t decode(const char *p, size_t n)
{
    const unsigned char *s = (const unsigned char *)p;
    if (n == 1)
        return s[0];
    uint32_t c = s[0] & (0x3Fu >> (n - 1));
    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3F);
    return c;
}

static int u_char(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    vm_charge(L, n * 2);
    for (int i = 1; i <= n; i++) {
        lua_Integer c = luaL_checkinteger(L, i);
        luaL_argcheck(L, c >= 0 && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF), i, "not a Unicode character");
        char out[4];
        luaL_addlstring(&b, out, utf8_put(out, (uint32_t)c));
    }
    luaL_pushresult(&b);
    return 1;
}

static int u_len(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer i = position(luaL_optinteger(L, 2, 1), len), j = position(luaL_optinteger(L, 3, -1), len), n = 0;
    luaL_argcheck(L, i >= 1 && i - 1 <= (lua_Integer)len, 2, "initial position out of bounds");
    luaL_argcheck(L, j - 1 < (lua_Integer)len, 3, "final position out of bounds");
    if (j >= i)
        vm_charge(L, (j - i) / 4);
    for (i--; i < j; n++) {
        size_t step = utf8_at(s + i, s + len);
        if (!step) {
            luaL_pushfail(L);
            lua_pushinteger(L, i + 1);
            return 2;
        }
        i += (lua_Integer)step;
    }
    lua_pushinteger(L, n);
    return 1;
}

static int u_codepoint(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer i = position(luaL_optinteger(L, 2, 1), len), j = position(luaL_optinteger(L, 3, i), len);
    luaL_argcheck(L, i >= 1, 2, "out of bounds");
    luaL_argcheck(L, j <= (lua_Integer)len, 3, "out of bounds");
    if (i > j)
        return 0;
    if (j - i >= 100000 || !lua_checkstack(L, (int)(j - i) + 1))
        return luaL_error(L, "codepoint: string slice too long");
    vm_charge(L, j - i + 1);
    int n = 0;
    for (i--; i < j; n++) {
        size_t step = utf8_at(s + i, s + len);
        if (!step)
            return luaL_error(L, "invalid UTF-8 code");
        lua_pushinteger(L, decode(s + i, step));
        i += (lua_Integer)step;
    }
    return n;
}

static bool continues(const char *s, lua_Integer i)
{
    return ((unsigned char)s[i] & 0xC0) == 0x80;
}

static int u_offset(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2), i = position(luaL_optinteger(L, 3, n > 0 ? 1 : (lua_Integer)len + 1), len) - 1, start = i;
    luaL_argcheck(L, i >= 0 && i <= (lua_Integer)len, 3, "position out of bounds");
    if (n == 0) {
        while (i > 0 && continues(s, i))
            i--;
    } else {
        if (continues(s, i))
            return luaL_error(L, "initial position is a continuation byte");
        if (n < 0) {
            while (n < 0 && i > 0) {
                do
                    i--;
                while (i > 0 && continues(s, i));
                n++;
            }
        } else {
            n--;
            while (n > 0 && i < (lua_Integer)len) {
                do
                    i++;
                while (continues(s, i)); /* stops at the final NUL */
                n--;
            }
        }
    }
    vm_charge(L, (i > start ? i - start : start - i) / 4);
    if (n == 0)
        lua_pushinteger(L, i + 1);
    else
        luaL_pushfail(L);
    return 1;
}

static int next_code(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Unsigned i = (lua_Unsigned)luaL_checkinteger(L, 2);
    if (i > 0 && i <= len) { /* over the character that the loop is at */
        size_t step = utf8_at(s + i - 1, s + len);
        i += step ? step - 1 : 0;
    }
    if (i >= len)
        return 0;
    vm_charge(L, 8);
    size_t step = utf8_at(s + i, s + len);
    if (!step)
        return luaL_error(L, "invalid UTF-8 code");
    lua_pushinteger(L, (lua_Integer)i + 1);
    lua_pushinteger(L, decode(s + i, step));
    return 2;
}

static int u_codes(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_pushcfunction(L, next_code);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    return 3;
}

static const luaL_Reg functions[] = { { "char", u_char }, { "codepoint", u_codepoint }, { "codes", u_codes },
                                      { "len", u_len },   { "offset", u_offset },       { NULL, NULL } };

void vm_open_utf8(lua_State *L)
{
    luaL_newlib(L, functions);
    lua_pushlstring(L, "[\0-\x7F\xC2-\xFD][\x80-\xBF]*", 14);
    lua_setfield(L, -2, "charpattern");
}
