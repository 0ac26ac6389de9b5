#include "base/buf.h"
#include "base/schema.h"
#include "vm/code.h"
#include <stdio.h>
#include <stdlib.h>

const char vm_key_globals, vm_key_loaded, vm_key_sealed, vm_key_real, vm_key_view, vm_key_meta, vm_key_original, vm_key_array, vm_key_error,
    vm_key_slow, vm_key_provided, vm_key_spaces, vm_key_forgetful;

enum {
    HEAP_BYTES = 8 << 20,           /* a state with hundreds of plugins */
    COLLECT_ABOVE_BYTES = 64 << 10, /* grown this much since the last whole cycle: collect between requests */
    SOFT_DEFAULT = 64 << 20,
    FUEL_DEFAULT = 10000000,
    SOURCE_MAX = 1 << 20,
    STRING_REFUSED_TIMES = 8, /* string_max */
    STRING_HEAD = 64,         /* at most what Lua puts before the bytes */
    HUGE_BLOCK = 1 << 20,
    LARGE_BLOCK = 4096, /* from here on an allocation takes fuel by its size: one instruction can ask for a lot */
};

/* --- memory ------------------------------------------------------------------------------------------------------ */

/* What an allocation costs in fuel: one instruction can make an object, or ask for a lot. Short strings are free, because
 * whether one is allocated depends on what the collector has left. */
static int64_t price(const void *ptr, size_t kind, size_t size)
{
    if (!ptr && size < LARGE_BLOCK)
        return kind == LUA_TTABLE || kind == LUA_TFUNCTION || kind == LUA_TUSERDATA ? 16 : 0;
    if (size < LARGE_BLOCK)
        return 0;
    if (ptr) /* a stack or an array that has become this large is also looked through by the collector, again and again */
        return (int64_t)(size / (size < HUGE_BLOCK ? 16 : 8));
    /* A fresh block without a kind is the hash part of a table: all its members are about to be hashed again. A long string is hashed when
     * it becomes a key. */
    return (int64_t)(size / (kind == 0 ? 6 : kind == LUA_TSTRING ? 8 : 16));
}

/* Refuses only beyond the hard cap: Lua survives that badly, so the soft cap ends the call long before, at its next
 * safe point. */
static void *resize(void *ud, void *ptr, size_t old_size, size_t size)
{
    struct vm *v = ud;
    size_t had = ptr ? old_size : 0; /* for a new block Lua says its kind in old_size */
    if (size > had && !v->closing && v->used_bytes - had + size > v->hard_bytes)
        return NULL;
    bool string = !ptr && old_size == LUA_TSTRING && v->depth > 0;
    if (string && size > STRING_REFUSED_TIMES * v->string_max)
        return NULL; /* one instruction can join hundreds of long strings */
    void *p = v->lua->resize(v->lua->ctx, ptr, had, size);
    if (!p && size > 0)
        return NULL;
    v->used_bytes = v->used_bytes - had + size;
    if (size == 0)
        return NULL;
    if (v->used_bytes > v->peak_bytes)
        v->peak_bytes = v->used_bytes;
    if (size > had && v->used_bytes > v->call_bytes)
        v->over_soft = true;
    if (v->depth == 0)
        return p;
    v->fuel_left -= price(ptr, old_size, size);
    if (string && size > v->string_max + STRING_HEAD)
        v->too_long = true;
    if (v->over_soft || v->too_long || v->fuel_left < 0)
        vm_budget_alarm(v);
    return p;
}

size_t vm_memory_bytes(const struct vm *v)
{
    return v->used_bytes;
}

size_t vm_set_string_max(struct vm *v, size_t bytes)
{
    size_t before = v->string_max;
    v->string_max = bytes ? bytes : VM_STRING_MAX;
    return before;
}

void vm_collect_step(struct vm *v)
{
    /* A state that did nothing since the last whole cycle has nothing to collect; asking it anyway cost a bare request 5 %. */
    if (v->used_bytes < v->collected_bytes + COLLECT_ABOVE_BYTES)
        return;
    if (lua_gc(v->main, LUA_GCSTEP, 64))
        v->collected_bytes = v->used_bytes; /* the cycle is done */
}

struct vm_call_stats vm_stats(const struct vm *v)
{
    struct vm_call_stats s = v->stats;
    s.peak_bytes = v->peak_bytes;
    return s;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

struct vm *vm_of(lua_State *L)
{
    return *(struct vm **)lua_getextraspace(L);
}

lua_State *vm_lua(struct vm *v)
{
    return v->running ? v->running : v->main;
}

void vm_set_context(struct vm *v, void *context)
{
    v->context = context;
}

void *vm_context(lua_State *L)
{
    return vm_of(L)->context;
}

int vm_refuse_global(lua_State *L)
{
    return luaL_error(L, "global '%s' is assigned while a function runs; nothing is remembered between calls, write `local %s = ...`",
                      lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "?", lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "x");
}

/* A library goes into the globals as a read-only view; `real` stays reachable for C. */
static void add_library(lua_State *L, int globals, const char *name, void (*open)(lua_State *))
{
    open(L);
    vm_freeze(L);
    lua_setfield(L, globals, name);
}

static int where(lua_State *L)
{
    lua_Integer level = luaL_optinteger(L, 1, 1);
    luaL_argcheck(L, level >= 0 && level < 100, 1, "a level is from 0 to 99");
    luaL_where(L, (int)level);
    size_t len;
    const char *s = lua_tolstring(L, -1, &len);
    lua_pushlstring(L, s, len >= 2 ? len - 2 : 0); /* without the ": " */
    return 1;
}

static int located_done(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    return lua_gettop(L) - (int)ctx;
}

/* Calls the function behind it with its caller's position first. It is C so that even `return promo.campaign {...}`, a tail
 * call, leaves the caller's frame in place. */
static int located_call(lua_State *L)
{
    luaL_checkstack(L, 3, "too many arguments");
    lua_pushvalue(L, lua_upvalueindex(1)); /* args f */
    lua_insert(L, 1);                      /* f args */
    luaL_where(L, 1);
    size_t len;
    const char *s = lua_tolstring(L, -1, &len);
    lua_pushlstring(L, s, len >= 2 ? len - 2 : 0);
    lua_remove(L, -2); /* f args at */
    lua_insert(L, 2);  /* f at args */
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, located_done);
    return located_done(L, LUA_OK, 0);
}

static int located(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_pushcclosure(L, located_call, 1);
    return 1;
}

static int data_body(lua_State *L)
{
    struct vm *v = vm_of(L);
    struct arena *arena = lua_touserdata(L, 2);
    size_t len;
    const char *name = luaL_checklstring(L, 1, &len);
    struct json_value *tree = NULL;
    struct err err = { 0 };
    if (!v->data)
        return luaL_error(L, "there is no data here; only files of a shop that are being loaded may read it");
    if (v->data(v->data_ctx, slice_of(name, len), arena, &tree, &err) < 0) {
        if (err.code == ERR_NOT_FOUND || err.code == ERR_INVALID)
            err.code = ERR_SCRIPT;
        return vm_raise_at(L, 2, &err); /* 1 is data() */
    }
    vm_push_json_value(L, tree);
    return 1;
}

/* data(name): the arena is this function's own, and goes back however the body ends. */
static int data(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    struct arena arena;
    arena_init(&arena, vm_of(L)->alloc, 64 << 20);
    lua_pushcfunction(L, data_body);
    lua_insert(L, 1);
    lua_pushlightuserdata(L, &arena);
    int status = vm_try(L, 2, 1);
    arena_release(&arena);
    return status == LUA_OK ? 1 : vm_rethrow(L);
}

/* nearest(word, list): the string of the list that was probably meant, or nil. */
static int nearest(lua_State *L)
{
    enum { WORDS_MAX = 200 };
    const char *words[WORDS_MAX + 1];
    size_t len, n = 0;
    const char *word = luaL_checklstring(L, 1, &len);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    vm_unwrap(L, 2);
    luaL_checkstack(L, WORDS_MAX + 4, "too many words");
    vm_charge(L, 2000);
    for (lua_Integer i = 1; n < WORDS_MAX && lua_rawgeti(L, 2, i) == LUA_TSTRING; i++)
        words[n++] = lua_tostring(L, -1); /* the strings stay on the stack */
    words[n] = NULL;
    const char *found = len <= 64 ? nearest_word(slice_of(word, len), words) : NULL;
    if (found)
        lua_pushstring(L, found);
    else
        lua_pushnil(L);
    return 1;
}

static const luaL_Reg vm_module[] = {
    { "nearest", nearest }, { "where", where }, { "located", located }, { "data", data }, { NULL, NULL }
};

/* What the environments of files fall back on; `sealed` is the metatable of one whose file is loaded and has made no globals of its own. */
static void set_globals(lua_State *L, int globals)
{
    lua_pushvalue(L, globals);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_globals);
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, vm_refuse_global);
    lua_setfield(L, -2, "__newindex");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_sealed);
}

static int open_body(lua_State *L) /* (bare) */
{
    bool bare = lua_toboolean(L, 1);
    lua_createtable(L, 0, 32); /* loaded */
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_loaded);
    lua_createtable(L, 0, 8);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_slow);
    vm_open_errors(L);
    lua_createtable(L, 0, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &vm_key_array);

    lua_createtable(L, 0, 32); /* globals */
    int globals = lua_gettop(L);
    set_globals(L, globals);
    if (bare)
        return 0;
    vm_open_base(L);
    add_library(L, globals, "math", vm_open_math);
    add_library(L, globals, "table", vm_open_table);
    add_library(L, globals, "utf8", vm_open_utf8);
    add_library(L, globals, "coroutine", vm_open_coroutine);

    vm_open_string(L);        /* globals string */
    lua_createtable(L, 0, 1); /* globals string meta */
    lua_pushvalue(L, -2);
    lua_setfield(L, -2, "__index"); /* so ("x"):upper() works; no arithmetic on strings, they may be amounts */
    lua_pushliteral(L, "");
    lua_insert(L, -2);
    lua_setmetatable(L, -2); /* globals string "" */
    lua_pop(L, 1);
    vm_freeze(L);
    lua_setfield(L, globals, "string");

    lua_pushliteral(L, "Lua 5.4");
    lua_setfield(L, globals, "_VERSION");
    luaL_newlib(L, vm_module);
    vm_provide(L, "feira.vm");
    return 0;
}

/* An allocator that was handed in sees every request. Else each state has a heap of its own: no lock that other threads hold, and closing
 * it does not look at its objects. A sanitizer wants to see them come and go. */
static void open_heap(struct vm *v)
{
    v->lua = v->alloc ? v->alloc : alloc_default();
#ifndef __SANITIZE_ADDRESS__
    if (v->alloc)
        return;
    heap_open(&v->heap, HEAP_BYTES, NULL);
    v->lua = &v->heap.face;
#endif
}

static void close_state(struct vm *v)
{
    bool whole = v->lua == &v->heap.face && heap_is_whole(&v->heap);
    if (!whole || v->finalizers) /* else no finalizer waits for it: libraries have none, and files can't make any */
        lua_close(v->main);
    heap_release(&v->heap);
}

int vm_open(const struct vm_options *o, struct vm **out, struct err *err)
{
    *out = NULL;
    struct vm *v = alloc_resize(o->alloc, NULL, 0, sizeof *v);
    if (!v)
        return err_set(err, ERR_NOMEM, "there is no memory for a Lua state");
    *v = (struct vm){ .alloc = o->alloc,
                      .code = o->code,
                      .soft_bytes = o->memory_soft_bytes ? o->memory_soft_bytes : SOFT_DEFAULT,
                      .patience = o->patience > 0 ? o->patience : 1,
                      .fuel_limit = o->fuel ? o->fuel : FUEL_DEFAULT,
                      .string_max = VM_STRING_MAX };
    v->hard_bytes = o->memory_hard_bytes ? o->memory_hard_bytes : 4 * v->soft_bytes;
    v->call_bytes = v->soft_bytes;
    open_heap(v);
    v->main = lua_newstate(resize, v);
    if (!v->main) {
        heap_release(&v->heap);
        alloc_resize(o->alloc, v, sizeof *v, 0);
        return err_set(err, ERR_NOMEM, "there is no memory for a Lua state");
    }
    *(struct vm **)lua_getextraspace(v->main) = v;
    lua_pushcfunction(v->main, open_body);
    lua_pushboolean(v->main, o->bare);
    int status = lua_pcall(v->main, 1, 0, 0);
    if (status != LUA_OK) {
        int rc = vm_error_of(v->main, status, err);
        vm_close(v);
        return rc;
    }
    *out = v;
    return 0;
}

void vm_close(struct vm *v)
{
    if (!v)
        return;
    v->closing = true;
    vm_deadline_disarm(v);
    close_state(v);
    alloc_resize(v->alloc, v->functions, v->function_cap * sizeof *v->functions, 0);
    alloc_resize(v->alloc, v, sizeof *v, 0);
}

void vm_set_resolver(struct vm *v, vm_resolve_fn fn, void *ctx)
{
    v->resolve = fn;
    v->resolve_ctx = ctx;
}

void vm_set_data(struct vm *v, vm_data_fn fn, void *ctx)
{
    v->data = fn;
    v->data_ctx = ctx;
}

void vm_note_finalizer(lua_State *L)
{
    vm_of(L)->finalizers = true;
}

void vm_set_undo(struct vm *v, vm_undo_fn fn, void *ctx)
{
    v->undo = fn;
    v->undo_ctx = ctx;
}

int64_t vm_set_fuel(struct vm *v, int64_t fuel)
{
    int64_t was = v->fuel_limit;
    v->fuel_limit = fuel;
    return was;
}

size_t vm_set_growth(struct vm *v, size_t bytes)
{
    size_t was = v->growth_bytes;
    v->growth_bytes = bytes;
    return was;
}

size_t vm_call_peak(const struct vm *v)
{
    return v->call_peak;
}

/* --- protected calls ----------------------------------------------------------------------------------------------- */

/* Functions that missed the deadline of a free run are counted from the start, as long as this state lives. */
bool vm_is_slow(lua_State *L, int fn)
{
    if (vm_of(L)->slow_count == 0)
        return false;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_slow);
    lua_pushvalue(L, fn);
    bool slow = lua_rawget(L, -2) != LUA_TNIL;
    lua_pop(L, 2);
    return slow;
}

static int mark_slow(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_slow);
    lua_pushvalue(L, 1);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    vm_of(L)->slow_count++;
    return 0;
}

void vm_mark_slow(struct vm *v, vm_ref fn)
{
    lua_State *L = v->main;
    if (!lua_checkstack(L, 4))
        return;
    lua_pushcfunction(L, mark_slow);
    lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        lua_pop(L, 1); /* no memory to remember it: the next call finds out again */
}

/* Takes the function out of the stack at `index`. A deadline also passes when the machine is busy with something else:
 * only a function that used much of what fits into one is slow. */
static void remember_slow(struct vm *v, lua_State *L, int index)
{
    bool slow = v->fuel_limit - v->fuel_left > VM_SLOW_FUEL;
    if (slow) {
        lua_pushcfunction(L, mark_slow);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 0, 0) != LUA_OK)
            lua_pop(L, 1); /* no memory to remember it: the next call finds out again */
    }
    lua_remove(L, index);
}

static void run_body(struct vm *v, lua_State *L, bool counted, int nargs, int nresults, int *status)
{
    vm_budget_begin(v, L, counted);
    v->depth = 1;
    v->timed = vm_deadline_arm(v, counted ? vm_stuck_ns(v) : VM_FREE_RUN_NS);
    if (!v->timed && !counted)
        vm_budget_begin(v, L, true); /* uncounted without a timer would be unbounded */
    *status = lua_pcall(L, nargs, nresults, 0);
    vm_deadline_disarm(v);
    v->depth = 0;
    vm_budget_finish(v, L);
}

void vm_limit_memory(struct vm *v)
{
    v->call_bytes = v->soft_bytes;
    if (v->growth_bytes && v->used_bytes < v->soft_bytes && v->growth_bytes < v->soft_bytes - v->used_bytes)
        v->call_bytes = v->used_bytes + v->growth_bytes;
    v->over_soft = v->used_bytes > v->call_bytes;
}

/* A call from the outside: the budget begins and ends here. `key` is the index of the function that is remembered as slow. */
static int outer_call(struct vm *v, lua_State *L, int nargs, int nresults, int key, struct err *err)
{
    int fn = lua_gettop(L) - nargs, status;
    bool free_run = v->undo && v->fuel_limit >= VM_FREE_FUEL_MIN && nargs < 100 && lua_checkstack(L, nargs + 4) && !vm_is_slow(L, key);
    size_t begin = v->used_bytes, peak = v->peak_bytes;
    v->peak_bytes = begin;
    v->stats.calls++;
    vm_limit_memory(v);
    if (free_run) {
        /* The function and its arguments stay below for a second run. */
        for (int i = 0; i <= nargs; i++)
            lua_pushvalue(L, fn + i);
        run_body(v, L, false, nargs, nresults, &status);
        if (v->end == VM_OVERDUE) {
            lua_settop(L, fn + nargs);
            v->undo(v->undo_ctx);
            lua_pushvalue(L, key);
            lua_insert(L, fn); /* below the call, which uses up its own */
            run_body(v, L, true, nargs, nresults, &status);
            remember_slow(v, L, fn);
        } else {
            for (int i = 0; i <= nargs; i++)
                lua_remove(L, fn);
        }
    } else {
        run_body(v, L, true, nargs, nresults, &status);
    }
    v->stats.fuel += (uint64_t)(v->fuel_limit - v->fuel_left);
    v->call_peak = v->peak_bytes - begin;
    v->peak_bytes = peak > v->peak_bytes ? peak : v->peak_bytes;
    int rc = 0;
    if (v->end != VM_GOES_ON || status == LUA_ERRMEM) {
        lua_settop(L, fn - 1); /* also results: an end that C code swallowed is still no success */
        if (v->end == VM_GOES_ON)
            v->end = VM_OUT_OF_MEMORY;
        rc = vm_end_error(v, err);
        v->end = VM_GOES_ON;
        lua_gc(v->main, LUA_GCCOLLECT);
    } else if (status != LUA_OK) {
        rc = vm_error_of(L, status, err);
    }
    v->call_bytes = v->soft_bytes;
    v->over_soft = v->used_bytes > v->soft_bytes;
    v->stats.errors += rc < 0;
    return rc;
}

int vm_call_known(struct vm *v, int nargs, int nresults, int key, struct err *err)
{
    lua_State *L = vm_lua(v);
    int fn = lua_gettop(L) - nargs;
    if (v->depth == 0)
        return outer_call(v, L, nargs, nresults, key, err);
    /* A call within a call spends the same budget; when that ends, so does the outer call. */
    const char *callback = v->callback;
    v->depth++;
    int status = lua_pcall(L, nargs, nresults, 0);
    v->depth--;
    v->callback = callback;
    v->running = L;
    if (status == LUA_OK && v->end == VM_GOES_ON)
        return 0;
    if (status == LUA_ERRMEM && v->end == VM_GOES_ON)
        v->end = VM_OUT_OF_MEMORY;
    if (v->end == VM_GOES_ON)
        return vm_error_of(L, status, err);
    lua_settop(L, fn - 1);
    return vm_end_error(v, err);
}

int vm_pcall(struct vm *v, int nargs, int nresults, struct err *err)
{
    lua_State *L = vm_lua(v);
    int fn = lua_gettop(L) - nargs;
    /* A C function that is handed a function to call stands for that one. */
    bool stands_for = nargs > 0 && lua_iscfunction(L, fn) && lua_type(L, fn + 1) == LUA_TFUNCTION;
    return vm_call_known(v, nargs, nresults, stands_for ? fn + 1 : fn, err);
}

int vm_try(lua_State *L, int nargs, int nresults)
{
    struct vm *v = vm_of(L);
    const char *callback = v->callback;
    int status = lua_pcall(L, nargs, nresults, 0);
    v->callback = callback; /* an error may have left one */
    if (status == LUA_ERRMEM && v->end == VM_GOES_ON)
        v->end = VM_OUT_OF_MEMORY;
    return status;
}

const char *vm_callback(lua_State *L)
{
    return vm_of(L)->callback;
}

void vm_share_begin(lua_State *L, int64_t fuel, struct vm_share *s)
{
    struct vm *v = vm_of(L);
    s->before = v->fuel_left;
    s->share_was = v->share;
    s->counting_was = v->counting;
    if (fuel < VM_FREE_FUEL_MIN && !v->counted && !v->counting)
        vm_budget_count(v, L, true);
    s->given = fuel < s->before ? fuel : s->before;
    if (s->given < s->before)
        v->share = fuel;
    v->fuel_left = s->given;
}

bool vm_share_end(lua_State *L, struct vm_share *s)
{
    struct vm *v = vm_of(L);
    if (v->counting && !s->counting_was && v->end == VM_GOES_ON)
        vm_budget_count(v, L, false);
    s->used = s->given - v->fuel_left;
    v->fuel_left = s->before - s->used;
    bool own = s->given < s->before && v->end == VM_OUT_OF_FUEL;
    if (v->end == VM_GOES_ON)
        v->share = s->share_was; /* else the error says it */
    return own;
}

int vm_rethrow(lua_State *L)
{
    if (vm_of(L)->end != VM_GOES_ON && vm_of(L)->depth > 0)
        vm_raise_end(L);
    return lua_error(L);
}

/* --- files --------------------------------------------------------------------------------------------------------- */

/* Gives the file on top of the stack (its main function) an environment of its own, with `globals` behind it. */
static void give_environment(lua_State *L, int fn, int globals)
{
    fn = lua_absindex(L, fn);
    globals = lua_absindex(L, globals);
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    if (!lua_setupvalue(L, fn, 1))
        lua_pop(L, 1);
}

/* After the file ran: its functions share the upvalue, and from now on its globals can't change. */
static void seal_environment(lua_State *L, int fn, int globals, int sealed, bool keeps_env)
{
    fn = lua_absindex(L, fn);
    globals = lua_absindex(L, globals);
    sealed = lua_absindex(L, sealed);
    if (!lua_getupvalue(L, fn, 1))
        return;
    int env = lua_gettop(L);
    lua_pushnil(L);
    bool none = lua_next(L, env) == 0;
    lua_settop(L, env);
    if (none && keeps_env) {
        /* Its functions only read globals by their names: they may have the table itself, which saves a step each time. */
        lua_pushvalue(L, globals);
        lua_setupvalue(L, fn, 1);
        lua_settop(L, env - 1);
        return;
    }
    lua_createtable(L, 0, 0);
    if (none) {
        lua_pushvalue(L, sealed);
    } else {
        /* It made globals: tables among them are frozen, and lookups go through them to the sandbox's own. */
        lua_pushnil(L);
        while (lua_next(L, env)) {
            vm_freeze_value(L);
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, env);
        }
        lua_createtable(L, 0, 2);
        lua_pushvalue(L, env);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, vm_refuse_global);
        lua_setfield(L, -2, "__newindex");
    }
    lua_setmetatable(L, -2);
    lua_setupvalue(L, fn, 1);
    lua_settop(L, env - 1);
}

static int add_part(lua_State *L, const void *p, size_t n, void *ctx)
{
    (void)L;
    struct buf *b = ctx;
    buf_add(b, p, n);
    return b->failed;
}

/* The main function is on top. Raises nothing. */
static struct vm_chunk look_through(lua_State *L, struct slice chunk, struct slice source)
{
    struct vm_code *code = vm_of(L)->code;
    struct vm_chunk known = { .remembers = true };
    struct buf b;
    buf_init(&b, NULL);
    if (lua_dump(L, add_part, &b, 0) == 0) {
        known = vm_look_through(buf_slice(&b));
        if (code)
            vm_code_keep(code, chunk, source, buf_slice(&b), known);
    }
    buf_release(&b);
    return known;
}

/* Leaves the main function or a message. `name` is on the stack. */
static int compile(lua_State *L, struct slice source, const char *name, struct vm_chunk *known)
{
    struct vm_code *code = vm_of(L)->code;
    struct slice chunk = slice_str(name);
    struct code_entry *kept = code ? vm_code_find(code, chunk, source) : NULL;
    int status;
    if (kept) {
        struct slice compiled = code_compiled(kept);
        *known = code_known(kept);
        status = luaL_loadbufferx(L, compiled.data, compiled.len, name, "b"); /* raises nothing */
        vm_code_release(code, kept);
    } else {
        status = vm_parse(L, source, name);
        if (status == LUA_OK)
            *known = look_through(L, chunk, source);
    }
    if (status == LUA_OK)
        vm_note_chunk(L, name, known->remembers);
    return status;
}

/* Compiles; leaves the main function or raises. Only text: damaged bytecode crashes Lua. */
static struct vm_chunk load_text(lua_State *L, struct slice source, const char *chunk_name)
{
    struct vm_chunk known = { .remembers = true };
    if (source.len > SOURCE_MAX)
        luaL_error(L, "%s:1: the file is longer than %d bytes; move its data to a .csv file beside it", chunk_name, (int)SOURCE_MAX);
    if (source.len >= 3 && memcmp(source.data, "\xEF\xBB\xBF", 3) == 0)
        source = slice_of(source.data + 3, source.len - 3);
    if (source.len > 0 && source.data[0] == LUA_SIGNATURE[0])
        luaL_error(L, "%s:1: this is compiled code; only text is taken, so put the source here", chunk_name);
    vm_charge(L, (int64_t)(source.len / 4));
    const char *name = lua_pushfstring(L, "@%s", chunk_name);
    int64_t fuel_left = vm_of(L)->fuel_left;
    int status = compile(L, source, name, &known);
    vm_of(L)->fuel_left = fuel_left; /* the text is paid for; what is allocated depends on whether its code was kept */
    lua_remove(L, -2);
    if (status == LUA_ERRMEM && vm_of(L)->end == VM_GOES_ON)
        vm_of(L)->end = VM_OUT_OF_MEMORY;
    if (status != LUA_OK)
        lua_error(L);
    return known;
}

void vm_load_text(lua_State *L, struct slice source, const char *chunk_name)
{
    load_text(L, source, chunk_name);
}

void vm_load_file(lua_State *L, struct slice source, const char *chunk_name, int globals, int sealed, int nargs)
{
    int first = lua_gettop(L) - nargs + 1;
    globals = lua_absindex(L, globals);
    sealed = lua_absindex(L, sealed);
    struct vm_chunk known = load_text(L, source, chunk_name); /* args main */
    lua_insert(L, first);                                     /* main args */
    give_environment(L, first, globals);
    lua_pushvalue(L, first);
    lua_insert(L, first); /* main main args */
    lua_call(L, nargs, 1);
    seal_environment(L, first, globals, sealed, known.keeps_env);
    lua_remove(L, first); /* value */
}

void vm_load_with_globals(lua_State *L, struct slice source, const char *chunk_name, int nargs)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_globals);
    lua_insert(L, -1 - nargs);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &vm_key_sealed);
    lua_insert(L, -1 - nargs); /* globals sealed args */
    int globals = lua_gettop(L) - nargs - 1;
    vm_load_file(L, source, chunk_name, globals, globals + 1, nargs);
    lua_insert(L, globals);
    lua_settop(L, globals); /* value */
}

struct run_args {
    struct slice source;
    const char *chunk_name;
    vm_ref ref;
};

static int run_file(lua_State *L)
{
    struct run_args *a = lua_touserdata(L, 1);
    vm_load_with_globals(L, a->source, a->chunk_name, 0); /* args value */
    if (!lua_isnil(L, -1))
        a->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int vm_run(struct vm *v, struct slice source, const char *chunk_name, vm_ref *out, struct err *err)
{
    *out = 0;
    lua_State *L = vm_lua(v);
    struct run_args a = { .source = source, .chunk_name = chunk_name };
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_NOMEM, "there is no memory to load %s", chunk_name);
    lua_pushcfunction(L, run_file);
    lua_pushlightuserdata(L, &a);
    int rc = vm_pcall(v, 1, 0, err);
    *out = a.ref;
    if (rc < 0 && a.ref) {
        vm_release(v, a.ref);
        *out = 0;
    }
    return rc;
}

void vm_release(struct vm *v, vm_ref ref)
{
    if (ref > 0)
        luaL_unref(v->main, LUA_REGISTRYINDEX, ref);
}
