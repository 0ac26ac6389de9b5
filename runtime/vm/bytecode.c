#include "vm/bytecode.h"
#include "base/buf.h"

enum {
    HEADER_BYTES = 4 + 1 + 1 + 6 + 3 + 8 + 8,
    UPVALUES_MAX = 256,
    LINE_IS_ABSOLUTE = -128,
    DEPTH_MAX = 220,
};

static unsigned byte(struct bytecode_reader *r)
{
    if (r->p >= r->end) {
        r->bad = true;
        return 0;
    }
    return *r->p++;
}

static size_t number(struct bytecode_reader *r)
{
    size_t n = 0;
    for (unsigned b = 0; !(b & 0x80) && !r->bad;) {
        b = byte(r);
        n = n << 7 | (b & 0x7F);
    }
    return n;
}

static const unsigned char *skip(struct bytecode_reader *r, size_t n)
{
    const unsigned char *at = r->p;
    if (n > (size_t)(r->end - r->p)) {
        r->bad = true;
        return at;
    }
    r->p += n;
    return at;
}

static struct slice string(struct bytecode_reader *r)
{
    size_t n = number(r);
    if (n == 0)
        return (struct slice){ "", 0 };
    const unsigned char *at = skip(r, n - 1);
    return r->bad ? (struct slice){ "", 0 } : slice_of((const char *)at, n - 1);
}

/* true: it is a string, and *out is it. */
static bool constant(struct bytecode_reader *r, struct slice *out)
{
    switch (byte(r)) {
    case 0x00: /* nil, false, true */
    case 0x01:
    case 0x11:
        return false;
    case 0x03: /* integer, float */
    case 0x13:
        skip(r, 8);
        return false;
    case 0x04: /* short and long string */
    case 0x14:
        *out = string(r);
        return !r->bad;
    default:
        r->bad = true;
        return false;
    }
}

bool bytecode_string(const struct bytecode_function *f, size_t wanted, struct slice *out)
{
    struct bytecode_reader r = f->constants;
    size_t n = number(&r);
    bool is_string = false;
    for (size_t i = 0; i <= wanted && i < n && !r.bad; i++)
        is_string = constant(&r, out);
    return wanted < n && is_string;
}

/* The deltas are added up, with absolute lines in between. */
long bytecode_line(const struct bytecode_function *f, size_t wanted)
{
    struct bytecode_reader absolute = f->absolute;
    long line = f->first_line;
    number(&absolute); /* how many */
    for (size_t pc = 0; pc < f->lines && pc <= wanted; pc++) {
        if ((signed char)f->deltas[pc] == LINE_IS_ABSOLUTE) {
            number(&absolute);
            line = (long)number(&absolute);
        } else {
            line += (signed char)f->deltas[pc];
        }
    }
    return line;
}

struct bytecode_instruction bytecode_at(const struct bytecode_function *f, size_t pc)
{
    uint32_t i;
    if (pc >= f->count)
        return (struct bytecode_instruction){ .op = 127 };
    memcpy(&i, f->code + pc * 4, 4);
    return (struct bytecode_instruction){ .op = i & 0x7F, .a = i >> 7 & 0xFF, .b = i >> 16 & 0xFF, .c = i >> 24, .bx = i >> 15 };
}

struct walk {
    struct bytecode_reader r;
    bytecode_fn visit;
    void *ctx;
    bool ended;
};

/* Which upvalue of the outermost function is upvalue i of the enclosing one: outer[i]. */
static void read_function(struct walk *w, const int *outer, int depth)
{
    struct bytecode_reader *r = &w->r;
    if (depth > DEPTH_MAX) {
        r->bad = true;
        return;
    }
    struct bytecode_function f = { .depth = depth };
    string(r); /* source */
    f.first_line = (long)number(r);
    number(r);
    skip(r, 3); /* parameters, vararg, stack */
    f.count = number(r);
    f.code = skip(r, f.count * 4);
    f.constants = *r;
    struct slice ignored;
    for (size_t n = number(r); n > 0 && !r->bad; n--)
        constant(r, &ignored);
    int mine[UPVALUES_MAX];
    f.outer = mine;
    f.upvalues = number(r);
    if (r->bad || f.upvalues > UPVALUES_MAX) {
        r->bad = true;
        return;
    }
    for (size_t i = 0; i < f.upvalues; i++) {
        unsigned in_stack = byte(r), index = byte(r);
        byte(r);
        mine[i] = !outer ? (int)i : in_stack ? -1 : outer[index];
    }
    for (size_t n = number(r); n > 0 && !r->bad && !w->ended; n--)
        read_function(w, mine, depth + 1);
    if (r->bad || w->ended)
        return;
    f.lines = number(r);
    f.deltas = skip(r, f.lines);
    f.absolute = *r;
    for (size_t n = number(r); n > 0 && !r->bad; n--) {
        number(r);
        number(r);
    }
    for (size_t n = number(r); n > 0 && !r->bad; n--) { /* locals */
        string(r);
        number(r);
        number(r);
    }
    for (size_t n = number(r); n > 0 && !r->bad; n--)
        string(r);
    if (!r->bad)
        w->ended = w->visit(&f, w->ctx);
}

static int add_part(lua_State *L, const void *p, size_t n, void *ctx)
{
    (void)L;
    struct buf *b = ctx;
    buf_add(b, p, n);
    return b->failed;
}

bool bytecode_read(struct slice compiled, bytecode_fn visit, void *ctx)
{
    const unsigned char *data = (const unsigned char *)compiled.data;
    struct walk w = { .r = { data, data + compiled.len, false }, .visit = visit, .ctx = ctx };
    skip(&w.r, HEADER_BYTES + 1);
    if (!w.r.bad)
        read_function(&w, NULL, 0);
    return !w.r.bad;
}

void bytecode_walk(lua_State *L, int fn, bytecode_fn visit, void *ctx)
{
    struct buf b;
    buf_init(&b, vm_of(L)->alloc);
    lua_pushvalue(L, fn);
    lua_dump(L, add_part, &b, 0); /* raises nothing, and takes no memory of Lua's */
    lua_pop(L, 1);
    size_t len = b.len;
    bool failed = b.failed, known = !failed && bytecode_read(buf_slice(&b), visit, ctx);
    buf_release(&b);
    vm_charge_bytes(L, len * 4);
    if (failed)
        luaL_error(L, "there is no memory to look at a function");
    if (!known)
        luaL_error(L, "a function is compiled to a form that is not known here; this build needs another Lua 5.4");
}
