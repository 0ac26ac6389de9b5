/* Refuses functions that remember. A function that outlives the loading of its file and assigns a variable from outside of
 * itself would give other answers the second time, and others again in another thread's state. Which functions those are is
 * written in their compiled form, so that is what is read here: nothing in it is run, and nothing of it is loaded. */
#include "base/buf.h"
#include "vm/vm_int.h"
#include <stdio.h>

enum {
    OP_SETUPVAL = 10, /* of Lua 5.4: UpValue[B] := R[A]; the opcode is the lowest seven bits, B the third byte */
    HEADER_BYTES = 4 + 1 + 1 + 6 + 3 + 8 + 8,
    UPVALUES_MAX = 256,
    LINE_IS_ABSOLUTE = -128,
    DEPTH_MAX = 220,
};

struct reader {
    const unsigned char *p, *end;
    bool bad; /* not the format we know */
};

struct finding {
    bool found;
    long line;
    int upvalue; /* of the outermost function */
};

static unsigned byte(struct reader *r)
{
    if (r->p >= r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

static size_t number(struct reader *r)
{
    size_t n = 0;
    for (unsigned b = 0; !(b & 0x80) && !r->bad;) {
        b = byte(r);
        n = n << 7 | (b & 0x7F);
    }
    return n;
}

static const unsigned char *skip(struct reader *r, size_t n)
{
    const unsigned char *at = r->p;
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        return at;
    }
    r->p += n;
    return at;
}

static void skip_string(struct reader *r)
{
    size_t n = number(r);
    if (n > 0)
        skip(r, n - 1);
}

static void skip_constants(struct reader *r)
{
    for (size_t n = number(r); n > 0 && !r->bad; n--) {
        switch (byte(r)) {
        case 0x00: /* nil, false, true */
        case 0x01:
        case 0x11:
            break;
        case 0x03: /* integer, float */
        case 0x13:
            skip(r, 8);
            break;
        case 0x04: /* short and long string */
        case 0x14:
            skip_string(r);
            break;
        default:
            r->bad = true;
        }
    }
}

/* The line of instruction number `wanted`: the deltas are added up, with absolute lines in between. */
static long line_at(long line, const unsigned char *deltas, size_t n, struct reader absolute, size_t wanted)
{
    number(&absolute); /* how many */
    for (size_t pc = 0; pc < n && pc <= wanted; pc++) {
        if ((signed char)deltas[pc] == LINE_IS_ABSOLUTE) {
            number(&absolute);
            line = (long)number(&absolute);
        } else {
            line += (signed char)deltas[pc];
        }
    }
    return line;
}

/* outer[i]: which upvalue of the outermost function is upvalue i of the enclosing one; -1 = a local that is made anew in each call. */
static void read_function(struct reader *r, const int *outer, int depth, struct finding *f)
{
    if (depth > DEPTH_MAX) {
        r->bad = true;
        return;
    }
    skip_string(r); /* source */
    long first_line = (long)number(r);
    number(r);
    skip(r, 3); /* parameters, vararg, stack */
    size_t count = number(r);
    const unsigned char *code = skip(r, count * 4);
    skip_constants(r);
    int mine[UPVALUES_MAX];
    size_t upvalues = number(r);
    if (r->bad || upvalues > UPVALUES_MAX) {
        r->bad = true;
        return;
    }
    for (size_t i = 0; i < upvalues; i++) {
        unsigned in_stack = byte(r), index = byte(r);
        byte(r);
        mine[i] = !outer ? (int)i : in_stack ? -1 : outer[index];
    }
    for (size_t n = number(r); n > 0 && !r->bad && !f->found; n--)
        read_function(r, mine, depth + 1, f);
    if (r->bad || f->found)
        return;
    size_t lines = number(r);
    const unsigned char *deltas = skip(r, lines);
    struct reader absolute = *r;
    for (size_t n = number(r); n > 0 && !r->bad; n--) {
        number(r);
        number(r);
    }
    for (size_t n = number(r); n > 0 && !r->bad; n--) { /* locals */
        skip_string(r);
        number(r);
        number(r);
    }
    for (size_t n = number(r); n > 0 && !r->bad; n--)
        skip_string(r);
    for (size_t pc = 0; pc < count && !r->bad; pc++) {
        uint32_t instruction;
        memcpy(&instruction, code + pc * 4, 4);
        unsigned b = instruction >> 16 & 0xFF;
        if ((instruction & 0x7F) == OP_SETUPVAL && b < upvalues && mine[b] >= 0) {
            *f = (struct finding){ true, line_at(first_line, deltas, lines, absolute, pc), mine[b] };
            return;
        }
    }
}

static int add_part(lua_State *L, const void *p, size_t n, void *ctx)
{
    (void)L;
    struct buf *b = ctx;
    buf_add(b, p, n);
    return b->failed;
}

void vm_refuse_memory(lua_State *L, int fn)
{
    struct buf b;
    buf_init(&b, vm_of(L)->alloc);
    lua_pushvalue(L, fn);
    lua_dump(L, add_part, &b, 0); /* raises nothing, and takes no memory of Lua's */
    lua_pop(L, 1);
    size_t len = b.len;
    struct finding f = { 0 };
    struct reader r = { (const unsigned char *)b.data, (const unsigned char *)b.data + b.len, b.failed };
    skip(&r, HEADER_BYTES + 1);
    if (!r.bad)
        read_function(&r, NULL, 0, &f);
    bool failed = b.failed;
    buf_release(&b);
    vm_charge_bytes(L, len * 4);
    if (failed)
        luaL_error(L, "there is no memory to look at a function");
    if (r.bad)
        luaL_error(L, "a function is compiled to a form that is not known here; this build needs another Lua 5.4");
    if (!f.found)
        return;
    lua_Debug ar;
    lua_pushvalue(L, fn);
    lua_getinfo(L, ">S", &ar);
    const char *name = lua_getupvalue(L, fn, f.upvalue + 1);
    luaL_error(L,
               "%s:%d: '%s' is assigned inside of a function, and was made outside of it; nothing is remembered between calls, so make it "
               "a local of the function",
               ar.short_src, (int)f.line, name ? name : "?");
}
