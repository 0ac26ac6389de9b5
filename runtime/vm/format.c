/* string.format: C's conversions of numbers, checked before snprintf sees them; no %p, because addresses differ in every run. */
#include "vm/vm_int.h"
#include <math.h>
#include <stdio.h>

enum { SPEC_MAX = 24, NUMBER_MAX = 420 /* "%99.99f" of the largest double: sign, 309 digits, point, 99 digits */ };

/* Copies "%-08.3" (flags, at most two digits of width and of precision) from f; returns where the conversion letter is. */
static const char *read_spec(lua_State *L, const char *f, const char *end, const char *flags, bool precision, char *spec)
{
    char *out = spec;
    *out++ = '%';
    int n = 0;
    while (f < end && *f && strchr("-+ #0", *f)) {
        if (!strchr(flags, *f) || ++n > 5)
            luaL_error(L, "format: flag '%c' is not for this conversion", *f);
        *out++ = *f++;
    }
    for (n = 0; f < end && *f >= '0' && *f <= '9'; n++) {
        if (n == 2)
            luaL_error(L, "format: a width has at most two digits");
        *out++ = *f++;
    }
    if (f < end && *f == '.') {
        if (!precision)
            luaL_error(L, "format: this conversion has no precision");
        *out++ = *f++;
        for (n = 0; f < end && *f >= '0' && *f <= '9'; n++) {
            if (n == 2)
                luaL_error(L, "format: a precision has at most two digits");
            *out++ = *f++;
        }
    }
    *out = '\0';
    return f;
}

static const char *find_letter(const char *f, const char *end)
{
    while (f < end && *f && strchr("-+ #0123456789.", *f))
        f++;
    return f;
}

/* "%d", "%5d", "%03d": what rules write into sentences, without the way through snprintf. False: another form. */
static bool add_plain_integer(lua_State *L, luaL_Buffer *b, const char *spec, lua_Integer n)
{
    char digits[24], *p = digits + sizeof digits;
    bool zeros = spec[1] == '0';
    int width = 0;
    for (const char *s = spec + 1 + zeros; *s; s++) {
        if (*s < '0' || *s > '9')
            return false;
        width = width * 10 + (*s - '0'); /* two digits at most */
    }
    lua_Unsigned left = n < 0 ? 0u - (lua_Unsigned)n : (lua_Unsigned)n;
    do
        *--p = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    int len = (int)(digits + sizeof digits - p), fill = width - len - (n < 0);
    char *out = luaL_prepbuffsize(b, 128), *to = out;
    if (!zeros)
        for (; fill > 0; fill--)
            *to++ = ' ';
    if (n < 0)
        *to++ = '-';
    for (; fill > 0; fill--)
        *to++ = '0';
    memcpy(to, p, (size_t)len);
    luaL_addsize(b, (size_t)(to - out + len));
    vm_take(L, 8);
    return true;
}

static void add_number(lua_State *L, luaL_Buffer *b, const char *spec, const char *length, char letter, lua_Integer integer,
                       lua_Number real, bool is_real)
{
    char full[SPEC_MAX + 8];
    snprintf(full, sizeof full, "%s%s%c", spec, length, letter);
    char *out = luaL_prepbuffsize(b, NUMBER_MAX);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    int n = is_real ? snprintf(out, NUMBER_MAX, full, real) : snprintf(out, NUMBER_MAX, full, (long long)integer);
#pragma GCC diagnostic pop
    if (n < 0 || n >= NUMBER_MAX)
        luaL_error(L, "format: the number does not fit");
    luaL_addsize(b, (size_t)n);
    vm_charge(L, is_real ? 100 + n * 2 : 40 + n / 4);
}

static void add_quoted(lua_State *L, luaL_Buffer *b, int arg)
{
    switch (lua_type(L, arg)) {
    case LUA_TSTRING: {
        size_t len;
        const char *s = lua_tolstring(L, arg, &len);
        vm_charge_bytes(L, len * 8);
        luaL_addchar(b, '"');
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)s[i];
            if (c == '"' || c == '\\' || c == '\n') {
                luaL_addchar(b, '\\');
                luaL_addchar(b, (char)c);
            } else if (c < 0x20 || c == 0x7F) {
                char code[8];
                bool digit_follows = i + 1 < len && s[i + 1] >= '0' && s[i + 1] <= '9';
                snprintf(code, sizeof code, digit_follows ? "\\%03d" : "\\%d", c);
                luaL_addstring(b, code);
            } else {
                luaL_addchar(b, (char)c);
            }
        }
        luaL_addchar(b, '"');
        break;
    }
    case LUA_TNUMBER:
        if (lua_isinteger(L, arg)) {
            lua_Integer n = lua_tointeger(L, arg);
            /* The smallest integer has no decimal form that reads back as one. */
            add_number(L, b, n == LUA_MININTEGER ? "0x%" : "%", "ll", n == LUA_MININTEGER ? 'x' : 'd', n, 0, false);
        } else {
            lua_Number n = lua_tonumber(L, arg);
            if (isnan(n))
                luaL_addstring(b, "(0/0)");
            else if (isinf(n))
                luaL_addstring(b, n > 0 ? "1e9999" : "-1e9999");
            else
                add_number(L, b, "%", "", 'a', 0, n, true);
        }
        break;
    case LUA_TNIL:
    case LUA_TBOOLEAN:
        vm_push_tostring(L, arg);
        luaL_addvalue(b);
        break;
    default:
        luaL_argerror(L, arg, "value has no literal form");
    }
}

/* Adds the string on top, cut to the precision and filled to the width of spec; by hand, as the text may be long and may
 * contain NUL. */
static void add_padded(lua_State *L, luaL_Buffer *b, const char *spec)
{
    size_t len, width = 0;
    const char *s = lua_tolstring(L, -1, &len);
    vm_charge_bytes(L, len);
    if (spec[1] == '\0') {
        luaL_addvalue(b);
        return;
    }
    bool left = spec[1] == '-';
    size_t max = len;
    const char *p = spec + 1 + left;
    for (; *p >= '0' && *p <= '9'; p++)
        width = width * 10 + (size_t)(*p - '0');
    if (*p == '.')
        for (p++, max = 0; *p >= '0' && *p <= '9'; p++)
            max = max * 10 + (size_t)(*p - '0');
    if (len > max)
        len = max;
    char spaces[100];
    memset(spaces, ' ', sizeof spaces);
    lua_pushlstring(L, spaces, width > len ? width - len : 0); /* text fill */
    lua_pushlstring(L, s, len);                                /* text fill cut */
    if (left)
        lua_insert(L, -2);
    lua_concat(L, 2);
    lua_remove(L, -2);
    luaL_addvalue(b);
}

int vm_string_format(lua_State *L)
{
    int top = lua_gettop(L), arg = 1;
    size_t len;
    const char *f = luaL_checklstring(L, 1, &len), *end = f + len;
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (f < end) {
        const char *percent = memchr(f, '%', (size_t)(end - f));
        const char *stop = percent ? percent : end;
        vm_charge_bytes(L, (size_t)(stop - f));
        luaL_addlstring(&b, f, (size_t)(stop - f));
        if (!percent)
            break;
        f = percent + 1;
        if (f < end && *f == '%') {
            luaL_addchar(&b, '%');
            f++;
            continue;
        }
        vm_take(L, 8);
        const char *at = find_letter(f, end);
        char letter = at < end ? *at : '\0', spec[SPEC_MAX];
        if (at - f > 12)
            return luaL_error(L, "format: too many flags and digits after '%%'");
        if (++arg > top && letter)
            return luaL_argerror(L, arg, "no value");
        switch (letter) {
        case 'c':
            f = read_spec(L, f, end, "-", false, spec);
            lua_pushlstring(L, &(char){ (char)luaL_checkinteger(L, arg) }, 1);
            add_padded(L, &b, spec);
            break;
        case 'd':
        case 'i':
            f = read_spec(L, f, end, "-+0 ", true, spec);
            if (!add_plain_integer(L, &b, spec, luaL_checkinteger(L, arg)))
                add_number(L, &b, spec, "ll", letter, luaL_checkinteger(L, arg), 0, false);
            break;
        case 'u':
            f = read_spec(L, f, end, "-0", true, spec);
            add_number(L, &b, spec, "ll", letter, luaL_checkinteger(L, arg), 0, false);
            break;
        case 'o':
        case 'x':
        case 'X':
            f = read_spec(L, f, end, "-#0", true, spec);
            add_number(L, &b, spec, "ll", letter, luaL_checkinteger(L, arg), 0, false);
            break;
        case 'a':
        case 'A':
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
            f = read_spec(L, f, end, "-+#0 ", true, spec);
            add_number(L, &b, spec, "", letter, 0, luaL_checknumber(L, arg), true);
            break;
        case 'q':
            if (at != f)
                return luaL_error(L, "format: %%q takes no flags, width or precision");
            add_quoted(L, &b, arg);
            break;
        case 's':
            f = read_spec(L, f, end, "-", true, spec);
            luaL_checkany(L, arg);
            if (spec[1] == '\0' && lua_type(L, arg) == LUA_TSTRING) {
                size_t n;
                const char *text = lua_tolstring(L, arg, &n);
                vm_charge_bytes(L, n);
                luaL_addlstring(&b, text, n);
                break;
            }
            vm_push_tostring(L, arg);
            add_padded(L, &b, spec);
            break;
        case 'p':
            return luaL_error(L, "format: %%p is not available; an address differs in every run");
        default:
            return luaL_error(L, "format: '%%%s' is no conversion; %%s, %%d, %%x, %%q, %%%% and %%.2f are",
                              letter ? (char[2]){ letter, 0 } : "");
        }
        f = at + 1;
    }
    luaL_pushresult(&b);
    return 1;
}
