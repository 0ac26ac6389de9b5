/* vm/bytecode.h - reads the compiled form of a Lua function: nothing in it is run, and nothing of it is loaded. What a file assigns and
 * which globals it names is written there exactly, after all the scopes of the text were resolved. Known is the form of Lua 5.4. */
#pragma once
#include "vm/vm_int.h"

enum bytecode_op { /* the opcodes that are asked for; an instruction's lowest seven bits */
                   BYTECODE_LOADK = 3,
                   BYTECODE_GETUPVAL = 9,
                   BYTECODE_SETUPVAL = 10, /* UpValue[B] := R[A] */
                   BYTECODE_GETTABUP = 11, /* R[A] := UpValue[B][K[C]] */
                   BYTECODE_GETTABLE = 12,
                   BYTECODE_SETTABUP = 15, /* UpValue[A][K[B]] := RK[C] */
};

struct bytecode_reader {
    const unsigned char *p, *end;
    bool bad; /* not the format we know */
};

struct bytecode_function {
    int depth; /* 0 = the one that was asked about */
    long first_line;
    const unsigned char *code;
    size_t count;     /* instructions */
    const int *outer; /* which upvalue of the outermost function an upvalue is; -1 = a local that is made anew in each call */
    size_t upvalues;
    struct bytecode_reader constants, absolute; /* each stands before its count */
    const unsigned char *deltas;
    size_t lines;
};

struct bytecode_instruction {
    unsigned op, a, b, c, bx;
};

/* Inner functions come before those around them. true ends the walk. */
typedef bool (*bytecode_fn)(const struct bytecode_function *f, void *ctx);

/* The function at `fn`. Charges for its size; raises when there is no memory or the form is not known. */
void bytecode_walk(lua_State *L, int fn, bytecode_fn visit, void *ctx);
bool bytecode_read(struct slice compiled, bytecode_fn visit, void *ctx); /* what lua_dump() gave; false: a form that is not known */
struct bytecode_instruction bytecode_at(const struct bytecode_function *f, size_t pc); /* op 127 beyond the end */
long bytecode_line(const struct bytecode_function *f, size_t pc);
bool bytecode_string(const struct bytecode_function *f, size_t constant, struct slice *out); /* false: it is no string */
