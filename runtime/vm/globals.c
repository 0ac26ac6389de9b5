/* Which globals a file names. The text is compiled, not run. */
#include "base/buf.h"
#include "base/schema.h"
#include "vm/bytecode.h"

enum { NAMES_MAX = 1000, KNOWN_MAX = 100 };

struct naming {
    size_t at, len; /* in listing.text */
    long line;
    bool is_write, inside; /* inside of a function, not in the file's own body */
};

struct listing {
    struct buf text; /* the names, one after the other: the compiled form is gone before they are looked at */
    struct naming *list;
    size_t count;
};

static void add(struct listing *l, const struct bytecode_function *f, size_t pc, size_t constant, bool is_write)
{
    struct slice name;
    if (l->count == NAMES_MAX || !bytecode_string(f, constant, &name))
        return;
    l->list[l->count++] = (struct naming){ l->text.len, name.len, bytecode_line(f, pc), is_write, f->depth > 0 };
    buf_add_slice(&l->text, name);
}

/* The main function has one upvalue, its environment; a name that is no local and no upvalue is looked up there. */
static bool is_env(const struct bytecode_function *f, unsigned upvalue)
{
    return upvalue < f->upvalues && f->outer[upvalue] == 0;
}

static bool list_names(const struct bytecode_function *f, void *ctx)
{
    struct listing *l = ctx;
    for (size_t pc = 0; pc < f->count; pc++) {
        struct bytecode_instruction i = bytecode_at(f, pc);
        if (i.op == BYTECODE_GETTABUP && is_env(f, i.b))
            add(l, f, pc, i.c, false);
        else if (i.op == BYTECODE_SETTABUP && is_env(f, i.a))
            add(l, f, pc, i.b, true);
        else if (i.op == BYTECODE_GETUPVAL && is_env(f, i.b)) { /* behind 256 other constants the name takes three instructions */
            struct bytecode_instruction k = bytecode_at(f, pc + 1);
            if (k.op == BYTECODE_LOADK && bytecode_at(f, pc + 2).op == BYTECODE_GETTABLE)
                add(l, f, pc, k.bx, false);
        }
    }
    return false;
}

struct asking {
    struct slice source;
    const char *chunk_name;
    struct listing *listing;
    vm_global_fn fn;
    void *ctx;
};

static struct slice name_of(const struct listing *l, size_t i)
{
    return slice_of(l->text.data + l->list[i].at, l->list[i].len);
}

static bool is_made_by_file(const struct listing *l, struct slice name)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->list[i].is_write && !l->list[i].inside && slice_eq(name_of(l, i), name))
            return true;
    return false;
}

/* (globals on top) the names of the sandbox, for suggestions; the strings stay alive in the table. */
static void known_names(lua_State *L, const char *known[KNOWN_MAX + 1])
{
    size_t n = 0;
    lua_pushnil(L);
    while (lua_next(L, -2)) {
        lua_pop(L, 1);
        if (lua_type(L, -1) == LUA_TSTRING && n < KNOWN_MAX)
            known[n++] = lua_tostring(L, -1);
    }
    known[n] = NULL;
}

static void report(lua_State *L, const struct asking *a)
{
    const struct listing *l = a->listing;
    const char *known[KNOWN_MAX + 1];
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_globals);
    known_names(L, known);
    for (size_t i = 0; i < l->count; i++) {
        const struct naming *n = &l->list[i];
        struct slice name = name_of(l, i);
        lua_pushlstring(L, name.data, name.len);
        bool there = lua_rawget(L, -2) != LUA_TNIL;
        lua_pop(L, 1);
        if (n->is_write ? n->inside : !there && !is_made_by_file(l, name)) {
            struct vm_global g = { name, n->line, n->is_write, n->is_write ? NULL : nearest_word(name, known) };
            a->fn(a->ctx, &g);
        }
    }
}

static int ask_body(lua_State *L)
{
    struct asking *a = lua_touserdata(L, 1);
    struct listing *l = a->listing;
    vm_load_text(L, a->source, a->chunk_name); /* args main */
    bytecode_walk(L, lua_gettop(L), list_names, l);
    if (!l->text.failed)
        report(L, a);
    return 0;
}

int vm_unknown_globals(struct vm *v, struct slice source, const char *chunk_name, vm_global_fn fn, void *ctx, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct listing l = { .list = alloc_resize(v->alloc, NULL, 0, NAMES_MAX * sizeof *l.list) };
    struct asking a = { source, chunk_name, &l, fn, ctx };
    if (!l.list || !lua_checkstack(L, 4)) {
        alloc_resize(v->alloc, l.list, NAMES_MAX * sizeof *l.list, 0);
        return err_set(err, ERR_NOMEM, "there is no memory to look at %s", chunk_name);
    }
    buf_init(&l.text, v->alloc);
    lua_pushcfunction(L, ask_body);
    lua_pushlightuserdata(L, &a);
    int rc = vm_pcall(v, 1, 0, err);
    if (rc == 0 && l.text.failed)
        rc = err_set(err, ERR_NOMEM, "there is no memory to look at %s", chunk_name);
    buf_release(&l.text);
    alloc_resize(v->alloc, l.list, NAMES_MAX * sizeof *l.list, 0);
    return rc;
}
