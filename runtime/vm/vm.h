/* vm/vm.h - a Lua state that can't hurt its host: capped memory, an instruction budget, no dangerous libraries, every
 * entry protected. Users above bind/ never see lua.h; bind/ gets the state with vm_lua() of vm_lua.h.
 * One thread at a time. No C function here throws. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct vm;

/* Compiled code, kept for many states, of any threads: what one of them compiled from a text, the others load without compiling it again.
 * It is asked for with the whole text and made by this process only; bytecode is refused as ever. */
struct vm_code;
int vm_code_open(size_t limit_bytes, struct vm_code **out, struct err *err);
void vm_code_close(struct vm_code *c); /* after the states that use it; NULL is fine */
void vm_code_age(struct vm_code *c);   /* forgets what was not used since this was called eight times before */
struct vm_code_stats {
    uint64_t hits, misses;
    size_t entries, bytes;
};
struct vm_code_stats vm_code_stats(struct vm_code *c);

struct vm_options {
    size_t memory_soft_bytes;  /* raises a memory error at the next safe point; 0 = 64 MiB */
    size_t memory_hard_bytes;  /* beyond it an allocation fails; 0 = 4 × soft */
    int64_t fuel;              /* instructions per call unless vm_set_fuel() said otherwise; 0 = 10,000,000 */
    int patience;              /* how many times slower than a plain build calls may be before the clock stops them (valgrind); 0 = 1 */
    const struct alloc *alloc; /* NULL = malloc */
    struct vm_code *code;      /* must outlive the state; NULL = every text is compiled */
    bool bare;                 /* no globals at all, no methods on strings, no require(): for files that are data */
    uint64_t seed;             /* reserved: Lua 5.4 seeds its hashes itself, and nothing that Lua code can see depends on them */
};

int vm_open(const struct vm_options *o, struct vm **out, struct err *err);
void vm_close(struct vm *v);

/* A function or table kept alive in the state. 0 is "none". */
typedef int vm_ref;
void vm_release(struct vm *v, vm_ref ref);

/* require(): name is "feira.promo"; the resolver gives source text and the chunk name used in messages, or ERR_NOT_FOUND.
 * Modules are loaded once per state, run in the sandbox's environment, and what they return is frozen. */
typedef int (*vm_resolve_fn)(void *ctx, struct slice name, struct slice *source, struct slice *chunk_name, struct err *err);
void vm_set_resolver(struct vm *v, vm_resolve_fn fn, void *ctx);

/* What feira.vm's data("flash.csv") gives to files that are being loaded: a tree in the arena, or ERR_NOT_FOUND. Without one there is no
 * data. */
typedef int (*vm_data_fn)(void *ctx, struct slice name, struct arena *arena, struct json_value **out, struct err *err);
void vm_set_data(struct vm *v, vm_data_fn fn, void *ctx);

/* Compiles text (never bytecode) and runs it in a fresh environment (sandbox globals behind it, itself thrown away after):
 * chunk_name "campaigns/tea.lua". Keeps the one value it returns. Errors are ERR_SCRIPT / ERR_FUEL / ERR_MEMORY_CAP with
 * "campaigns/tea.lua:12: what was wrong". */
int vm_run(struct vm *v, struct slice source, const char *chunk_name, vm_ref *out, struct err *err);

/* Compiles and does not run: tells every global that the text reads and nobody makes, and every one that a function of it assigns (which
 * is refused when it happens). near: what of the sandbox was probably meant, or NULL. Errors of syntax are those of vm_run(). */
struct vm_global {
    struct slice name;
    long line;
    bool is_write;
    const char *near;
};
typedef void (*vm_global_fn)(void *ctx, const struct vm_global *g);
int vm_unknown_globals(struct vm *v, struct slice source, const char *chunk_name, vm_global_fn fn, void *ctx, struct err *err);

/* For a console: runs what was typed in an environment that keeps the globals it makes. The values of an expression come back as text:
 * data as JSON. *incomplete: it is the beginning of something, and nothing ran. */
struct buf;
int vm_eval(struct vm *v, struct slice source, struct arena *arena, struct buf *out, bool *incomplete, struct err *err);

/* The value as a JSON tree: tables with keys 1..n are arrays, other tables objects with members sorted by key, an empty
 * table is an empty object unless marked by json.array{}. Functions stand as {"fn": n}, numbered 1, 2, ... in the order of
 * the walk and kept: the same sources give the same numbers in every state. Floats are written exactly as shortest decimal; NaN and
 * infinities, cycles, other types are errors that name the path ("give[1].cap"). */
int vm_to_json(struct vm *v, vm_ref ref, struct arena *arena, struct json_value **out, struct err *err);
size_t vm_function_count(const struct vm *v);
vm_ref vm_function(const struct vm *v, int fn); /* by the number in {"fn": n} */

/* A call in three steps, for callers without lua.h: push arguments, call, read the result. Fuel is counted over the whole call. */
void vm_push_json(struct vm *v, const struct json_value *value); /* builds tables */
void vm_push_string(struct vm *v, struct slice s);
void vm_push_int(struct vm *v, int64_t n);
void vm_push_ref(struct vm *v, vm_ref ref);
int vm_call(struct vm *v, vm_ref fn, int nargs, struct arena *arena, struct json_value **result /* may be NULL */, struct err *err);

/* Like vm_call(), and keeps the value that comes back (0 when it is nil). */
int vm_call_keep(struct vm *v, vm_ref fn, int nargs, vm_ref *out, struct err *err);
int vm_keep_json(struct vm *v, const struct json_value *value, vm_ref *out, struct err *err);

/* A space: files that see the sandbox, each other and what they are given, and nothing of another space. require() in them finds the
 * space's own files, loaded once per state; what vm_space_give() put there; and those modules of all that `shared` names. */
struct vm_space_options {
    const char *name;          /* "plugins/invite": for messages, and to find it again */
    const char *const *shared; /* ended by NULL */
    vm_resolve_fn resolve;     /* the space's own files */
    void *ctx;
};
int vm_space_open(struct vm *v, const struct vm_space_options *o, struct err *err); /* o must outlive the state */
/* `value` is what require(module) gives there; the ref is taken, also on failure. */
int vm_space_give(struct vm *v, const char *space, const char *module, vm_ref value, struct err *err);
/* The function of that name in the table that the space's file returns, as number *fn of vm_function(). When it is called it gets `last`
 * (0 = nothing) behind its arguments. */
int vm_space_function(struct vm *v, const char *space, struct slice file, struct slice function, vm_ref last, int *fn, struct err *err);

int64_t vm_set_fuel(struct vm *v, int64_t fuel); /* for the calls that follow; gives what it was */
/* The longest string that may be made from now on, for code that is trusted with longer ones than others; 0 = the usual 1 MiB. Gives what
 * it was before. May change within a call. */
size_t vm_set_string_max(struct vm *v, size_t bytes);
/* How much more memory one call may take than the state held when it began, for the calls that follow; 0 = whatever the soft cap leaves.
 * Gives what it was. */
size_t vm_set_growth(struct vm *v, size_t bytes);
/* The CPU time after which the fuel of a call should long be used up: then the clock ends it. */
int64_t vm_deadline_ns(int64_t fuel);
size_t vm_memory_bytes(const struct vm *v);
size_t vm_call_peak(const struct vm *v); /* how much more memory the last call had at most than the state held when it began */
void vm_collect_step(struct vm *v);      /* a bounded step of garbage collection, between requests */

/* A call runs counted: every instruction takes fuel, which costs time. A caller whose calls can be undone may say how: they then run
 * uncounted under a deadline of a couple of milliseconds; one that misses it is ended, undone, and run again from the start,
 * counted. So the verdict depends on fuel alone and fast calls cost nothing. Such a function must leave its arguments as they were. A call
 * with a limit below 2,000,000 is always counted. */
typedef void (*vm_undo_fn)(void *ctx);
void vm_set_undo(struct vm *v, vm_undo_fn fn, void *ctx); /* NULL: every call is counted */

struct vm_call_stats {
    uint64_t calls, errors, fuel, ns, peak_bytes;
};                                                 /* fuel: of counted calls whole, of others what C functions charged */
struct vm_call_stats vm_stats(const struct vm *v); /* since it was opened; ns of CPU are not kept: 0 unless counted */
