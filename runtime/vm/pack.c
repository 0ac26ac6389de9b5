/* string.pack, packsize and unpack. Sizes are those of a 64-bit little-endian machine everywhere (short 2, int 4, long and
 * size_t 8), so that what one machine packs another unpacks. */
#include "vm/vm_int.h"

enum { SIZE_MAX_TOTAL = 1 << 30, INT_BYTES_MAX = 16, ALIGN_DEFAULT_MAX = 8 };

enum kind { PACK_INT, PACK_UINT, PACK_FLOAT, PACK_DOUBLE, PACK_CHARS, PACK_PREFIXED, PACK_ZERO, PACK_PAD, PACK_ALIGN, PACK_NOTHING };

struct format {
    lua_State *L;
    const char *p, *end;
    bool little;
    size_t max_align;
};

struct item {
    enum kind kind;
    size_t size; /* bytes of the value, of the length prefix for PACK_PREFIXED */
    size_t pad;  /* bytes before it */
};

static size_t digits(struct format *f, size_t otherwise)
{
    if (f->p >= f->end || *f->p < '0' || *f->p > '9')
        return otherwise;
    size_t n = 0;
    while (f->p < f->end && *f->p >= '0' && *f->p <= '9') {
        n = n * 10 + (size_t)(*f->p++ - '0');
        if (n > SIZE_MAX_TOTAL)
            luaL_error(f->L, "pack: a size in the format is too large");
    }
    return n;
}

static size_t int_size(struct format *f, size_t otherwise)
{
    size_t n = digits(f, otherwise);
    if (n < 1 || n > INT_BYTES_MAX)
        luaL_error(f->L, "pack: integral size (%d) out of limits [1,%d]", (int)n, INT_BYTES_MAX);
    return n;
}

static struct item one_option(struct format *f)
{
    char c = *f->p++;
    switch (c) {
    case 'b':
        return (struct item){ PACK_INT, 1, 0 };
    case 'B':
        return (struct item){ PACK_UINT, 1, 0 };
    case 'h':
        return (struct item){ PACK_INT, 2, 0 };
    case 'H':
        return (struct item){ PACK_UINT, 2, 0 };
    case 'i':
        return (struct item){ PACK_INT, int_size(f, 4), 0 };
    case 'I':
        return (struct item){ PACK_UINT, int_size(f, 4), 0 };
    case 'l':
    case 'j':
        return (struct item){ PACK_INT, 8, 0 };
    case 'L':
    case 'J':
    case 'T':
        return (struct item){ PACK_UINT, 8, 0 };
    case 'f':
        return (struct item){ PACK_FLOAT, 4, 0 };
    case 'd':
    case 'n':
        return (struct item){ PACK_DOUBLE, 8, 0 };
    case 's':
        return (struct item){ PACK_PREFIXED, int_size(f, 8), 0 };
    case 'c': {
        size_t n = digits(f, SIZE_MAX);
        if (n == SIZE_MAX)
            luaL_error(f->L, "pack: missing size for format option 'c'");
        return (struct item){ PACK_CHARS, n, 0 };
    }
    case 'z':
        return (struct item){ PACK_ZERO, 0, 0 };
    case 'x':
        return (struct item){ PACK_PAD, 1, 0 };
    case 'X':
        return (struct item){ PACK_ALIGN, 0, 0 };
    case '<':
    case '=':
        f->little = true;
        break;
    case '>':
        f->little = false;
        break;
    case '!':
        f->max_align = int_size(f, ALIGN_DEFAULT_MAX);
        break;
    case ' ':
        break;
    default:
        luaL_error(f->L, "pack: invalid format option '%c'", c);
    }
    return (struct item){ PACK_NOTHING, 0, 0 };
}

/* The next item, with the padding that its alignment asks for at offset `at`. */
static struct item next_item(struct format *f, size_t at)
{
    vm_charge(f->L, 4);
    struct item it = one_option(f);
    size_t align = it.size;
    if (it.kind == PACK_ALIGN) {
        if (f->p >= f->end)
            luaL_error(f->L, "pack: invalid next option for option 'X'");
        struct item next = one_option(f);
        align = next.size;
        if (next.kind == PACK_CHARS || align == 0)
            luaL_error(f->L, "pack: invalid next option for option 'X'");
    } else if (it.kind > PACK_DOUBLE && it.kind != PACK_PREFIXED) {
        return it;
    }
    if (align > f->max_align)
        align = f->max_align;
    if (align > 1) {
        if (align & (align - 1))
            luaL_error(f->L, "pack: format asks for alignment not power of 2");
        it.pad = (align - (at & (align - 1))) & (align - 1);
    }
    return it;
}

static struct format begin(lua_State *L)
{
    size_t len;
    const char *s = luaL_checklstring(L, 1, &len);
    return (struct format){ .L = L, .p = s, .end = s + len, .little = true, .max_align = 1 };
}

static void add_bytes(luaL_Buffer *b, const unsigned char *little_endian, size_t n, bool little)
{
    for (size_t i = 0; i < n; i++)
        luaL_addchar(b, (char)little_endian[little ? i : n - 1 - i]);
}

static void add_int(luaL_Buffer *b, lua_Unsigned v, size_t size, bool negative, bool little)
{
    unsigned char out[INT_BYTES_MAX];
    for (size_t i = 0; i < size && i < INT_BYTES_MAX; i++)
        out[i] = (unsigned char)(i < 8 ? v >> (8 * i) : negative ? 0xFFu : 0u);
    add_bytes(b, out, size, little);
}

static lua_Unsigned bits_of(double d)
{
    lua_Unsigned u;
    memcpy(&u, &d, sizeof u);
    return u;
}

static lua_Unsigned bits_of_float(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static void fill(luaL_Buffer *b, size_t n, lua_State *L)
{
    vm_charge(L, (int64_t)n);
    while (n--)
        luaL_addchar(b, '\0');
}

int vm_string_pack(lua_State *L)
{
    struct format f = begin(L);
    int arg = 1;
    size_t at = 0;
    luaL_Buffer b;
    lua_pushnil(L); /* what luaL_checklstring() may convert lies below */
    luaL_buffinit(L, &b);
    while (f.p < f.end) {
        struct item it = next_item(&f, at);
        fill(&b, it.pad, L);
        at += it.pad + it.size;
        switch (it.kind) {
        case PACK_INT: {
            lua_Integer n = luaL_checkinteger(L, ++arg);
            if (it.size < 8) {
                lua_Integer limit = (lua_Integer)1 << (it.size * 8 - 1);
                luaL_argcheck(L, -limit <= n && n < limit, arg, "integer overflow");
            }
            add_int(&b, (lua_Unsigned)n, it.size, n < 0, f.little);
            break;
        }
        case PACK_UINT: {
            lua_Unsigned n = (lua_Unsigned)luaL_checkinteger(L, ++arg);
            if (it.size < 8)
                luaL_argcheck(L, n < (lua_Unsigned)1 << (it.size * 8), arg, "unsigned overflow");
            add_int(&b, n, it.size, false, f.little);
            break;
        }
        case PACK_FLOAT:
            add_int(&b, bits_of_float((float)luaL_checknumber(L, ++arg)), 4, false, f.little);
            break;
        case PACK_DOUBLE:
            add_int(&b, bits_of(luaL_checknumber(L, ++arg)), 8, false, f.little);
            break;
        case PACK_CHARS: {
            size_t len;
            const char *s = luaL_checklstring(L, ++arg, &len);
            luaL_argcheck(L, len <= it.size, arg, "string longer than given size");
            vm_charge_bytes(L, len);
            luaL_addlstring(&b, s, len);
            fill(&b, it.size - len, L);
            break;
        }
        case PACK_PREFIXED: {
            size_t len;
            const char *s = luaL_checklstring(L, ++arg, &len);
            luaL_argcheck(L, it.size >= 8 || len < (size_t)1 << (it.size * 8), arg, "string length does not fit in given size");
            add_int(&b, len, it.size, false, f.little);
            vm_charge_bytes(L, len);
            luaL_addlstring(&b, s, len);
            at += len;
            break;
        }
        case PACK_ZERO: {
            size_t len;
            const char *s = luaL_checklstring(L, ++arg, &len);
            luaL_argcheck(L, !memchr(s, 0, len), arg, "string contains zeros");
            vm_charge_bytes(L, len);
            luaL_addlstring(&b, s, len + 1);
            at += len + 1;
            break;
        }
        case PACK_PAD:
            luaL_addchar(&b, '\0');
            break;
        case PACK_ALIGN:
        case PACK_NOTHING:
            break;
        }
    }
    luaL_pushresult(&b);
    return 1;
}

int vm_string_packsize(lua_State *L)
{
    struct format f = begin(L);
    size_t at = 0;
    while (f.p < f.end) {
        struct item it = next_item(&f, at);
        luaL_argcheck(L, it.kind != PACK_PREFIXED && it.kind != PACK_ZERO, 1, "variable-length format");
        at += it.pad + it.size;
        luaL_argcheck(L, at <= SIZE_MAX_TOTAL, 1, "format result too large");
    }
    lua_pushinteger(L, (lua_Integer)at);
    return 1;
}

static lua_Unsigned read_int(lua_State *L, const char *s, size_t size, bool little, bool is_signed)
{
    lua_Unsigned v = 0;
    size_t low = size < 8 ? size : 8;
    for (size_t i = low; i-- > 0;)
        v = v << 8 | (unsigned char)s[little ? i : size - 1 - i];
    if (size < 8 && is_signed) {
        lua_Unsigned top = (lua_Unsigned)1 << (size * 8 - 1);
        v = (v ^ top) - top;
    }
    for (size_t i = 8; i < size; i++) {
        unsigned char c = (unsigned char)s[little ? i : size - 1 - i];
        if (c != (is_signed && (lua_Integer)v < 0 ? 0xFF : 0))
            luaL_error(L, "unpack: a %d-byte integer does not fit into a Lua integer", (int)size);
    }
    return v;
}

int vm_string_unpack(lua_State *L)
{
    struct format f = begin(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    lua_Integer init = luaL_optinteger(L, 3, 1);
    size_t at = init > 0 ? (size_t)init - 1 : init == 0 ? 0 : init < -(lua_Integer)len ? 0 : len - (size_t)-init;
    luaL_argcheck(L, at <= len, 3, "initial position out of string");
    int n = 0;
    while (f.p < f.end) {
        struct item it = next_item(&f, at);
        luaL_argcheck(L, it.pad <= len - at && it.size <= len - at - it.pad, 2, "data string too short");
        at += it.pad;
        luaL_checkstack(L, 2, "too many results");
        n++;
        const char *s = data + at;
        switch (it.kind) {
        case PACK_INT:
        case PACK_UINT:
            lua_pushinteger(L, (lua_Integer)read_int(L, s, it.size, f.little, it.kind == PACK_INT));
            break;
        case PACK_FLOAT: {
            uint32_t u = (uint32_t)read_int(L, s, 4, f.little, false);
            float x;
            memcpy(&x, &u, sizeof x);
            lua_pushnumber(L, (lua_Number)x);
            break;
        }
        case PACK_DOUBLE: {
            lua_Unsigned u = read_int(L, s, 8, f.little, false);
            double d;
            memcpy(&d, &u, sizeof d);
            lua_pushnumber(L, d);
            break;
        }
        case PACK_CHARS:
            vm_charge_bytes(L, it.size);
            lua_pushlstring(L, s, it.size);
            break;
        case PACK_PREFIXED: {
            lua_Unsigned size = read_int(L, s, it.size, f.little, false);
            luaL_argcheck(L, size <= len - at - it.size, 2, "data string too short");
            vm_charge_bytes(L, size);
            lua_pushlstring(L, s + it.size, size);
            at += size;
            break;
        }
        case PACK_ZERO: {
            const char *zero = memchr(s, 0, len - at);
            luaL_argcheck(L, zero, 2, "unfinished string for format 'z'");
            vm_charge_bytes(L, (size_t)(zero - s) * 2);
            lua_pushlstring(L, s, (size_t)(zero - s));
            at += (size_t)(zero - s) + 1;
            break;
        }
        case PACK_PAD:
        case PACK_ALIGN:
        case PACK_NOTHING:
            n--;
            break;
        }
        at += it.size;
    }
    lua_pushinteger(L, (lua_Integer)at + 1);
    return n + 1;
}
