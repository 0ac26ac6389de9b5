/* string: the simple half. Patterns are in pattern.c, format in format.c, pack in pack.c. No dump. */
#include "vm/vm_int.h"

static size_t from_position(lua_Integer i, size_t len) /* 1-based, at least 1 */
{
    if (i > 0)
        return (size_t)i;
    if (i == 0 || i < -(lua_Integer)len)
        return 1;
    return len + (size_t)i + 1;
}

static size_t to_position(lua_Integer i, size_t len) /* 1-based, at most len */
{
    if (i > (lua_Integer)len)
        return len;
    if (i >= 0)
        return (size_t)i;
    return i < -(lua_Integer)len ? 0 : len + (size_t)i + 1;
}

static int s_len(lua_State *L)
{
    size_t len;
    luaL_checklstring(L, 1, &len);
    lua_pushinteger(L, (lua_Integer)len);
    return 1;
}

static int s_sub(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    size_t from = from_position(luaL_checkinteger(L, 2), len), to = to_position(luaL_optinteger(L, 3, -1), len);
    if (from > to) {
        lua_pushliteral(L, "");
        return 1;
    }
    vm_charge_bytes(L, to - from + 1);
    lua_pushlstring(L, s + from - 1, to - from + 1);
    return 1;
}

/* Copies the string through `map`. */
static int mapped(lua_State *L, char first, char last)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, len);
    vm_charge_bytes(L, len * 4);
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(s[i] >= first && s[i] <= last ? s[i] ^ 0x20 : s[i]);
    luaL_pushresultsize(&b, len);
    return 1;
}

static int s_lower(lua_State *L)
{
    return mapped(L, 'A', 'Z');
}

static int s_upper(lua_State *L)
{
    return mapped(L, 'a', 'z');
}

static int s_reverse(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, len);
    vm_charge_bytes(L, len * 4);
    for (size_t i = 0; i < len; i++)
        out[i] = s[len - 1 - i];
    luaL_pushresultsize(&b, len);
    return 1;
}

static int s_rep(lua_State *L)
{
    size_t len, sep_len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &sep_len);
    if (n <= 0 || len + sep_len == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    /* The size is known, so what can't fit is refused before any memory is asked for. */
    size_t max = vm_of(L)->string_max;
    if ((size_t)n > max / (len + sep_len))
        return luaL_error(L, "rep: the result would be longer than %d KiB", (int)(max / 1024));
    size_t total = (size_t)n * len + ((size_t)n - 1) * sep_len;
    vm_charge_bytes(L, total);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, total);
    /* One copy and its separator, then what is there is doubled. */
    memcpy(out, s, len);
    if (n > 1)
        memcpy(out + len, sep, sep_len);
    for (size_t done = len + sep_len; done < total; done *= 2)
        memcpy(out + done, out, done < total - done ? done : total - done);
    luaL_pushresultsize(&b, total);
    return 1;
}

static int s_byte(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    lua_Integer i = luaL_optinteger(L, 2, 1);
    size_t from = from_position(i, len), to = to_position(luaL_optinteger(L, 3, (lua_Integer)from), len);
    if (from > to)
        return 0;
    if (to - from >= 100000 || !lua_checkstack(L, (int)(to - from) + 1))
        return luaL_error(L, "byte: string slice too long");
    vm_charge(L, (int64_t)(to - from) / 2);
    for (size_t k = from; k <= to; k++)
        lua_pushinteger(L, (unsigned char)s[k - 1]);
    return (int)(to - from) + 1;
}

static int s_char(lua_State *L)
{
    int n = lua_gettop(L);
    luaL_Buffer b;
    char *out = luaL_buffinitsize(L, &b, (size_t)n);
    vm_charge(L, n / 2);
    for (int i = 1; i <= n; i++) {
        lua_Integer c = luaL_checkinteger(L, i);
        luaL_argcheck(L, c >= 0 && c <= 255, i, "a byte is from 0 to 255");
        out[i - 1] = (char)c;
    }
    luaL_pushresultsize(&b, (size_t)n);
    return 1;
}

static const luaL_Reg functions[] = {
    { "byte", s_byte },
    { "char", s_char },
    { "find", vm_string_find },
    { "format", vm_string_format },
    { "gmatch", vm_string_gmatch },
    { "gsub", vm_string_gsub },
    { "len", s_len },
    { "lower", s_lower },
    { "match", vm_string_match },
    { "pack", vm_string_pack },
    { "packsize", vm_string_packsize },
    { "rep", s_rep },
    { "reverse", s_reverse },
    { "sub", s_sub },
    { "unpack", vm_string_unpack },
    { "upper", s_upper },
    { NULL, NULL },
};

void vm_open_string(lua_State *L)
{
    luaL_newlib(L, functions);
}
