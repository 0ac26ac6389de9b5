/* vm/vm_int.h - shared by the files of vm/ only: what is behind struct vm, and the pieces of the sandbox. */
#pragma once
#include "base/heap.h"
#include "vm/vm_lua.h"
#include <signal.h>

/* Instructions between two looks of the count hook; the grain of the budget. */
enum { VM_HOOK_INTERVAL = 1000 };

/* The longest string that Lua code may make. Comparing, hashing or joining strings is one instruction, however long they are, and nothing
 * can end a call in the middle of one: this bounds how long one takes (a comparison of nothing but zero bytes: some 10 ms). */
enum { VM_STRING_MAX = 1 << 20 };

/* One unit of fuel is one instruction, some four nanoseconds. C functions charge in that coin: */
enum {
    VM_BYTES_PER_UNIT = 32, /* bytes copied or compared */
    VM_COMPARE_UNITS = 20,  /* one comparison of a sort, without a function */
    VM_CALL_UNITS = 20,     /* calling back into Lua from C */
    VM_THREAD_UNITS = 400,  /* a coroutine: it may also run most of a hook interval unseen */
    VM_ERROR_UNITS = 100,   /* an error that was caught: its sentence was written */
};

/* Why the running call has to end. Sticky: nothing in Lua can catch it, vm_pcall() of the outermost call clears it. */
enum vm_end {
    VM_GOES_ON,
    VM_OUT_OF_FUEL,
    VM_OUT_OF_MEMORY,
    VM_TOO_LONG, /* it made a string longer than it may */
    VM_OVERDUE,  /* a free run passed its deadline; it is thrown away and run again, counted */
    VM_STUCK,    /* far past any time that its fuel could take: something slow that fuel doesn't see */
};

struct vm_task;

struct vm {
    lua_State *main;
    lua_State *volatile running; /* the coroutine that runs now; NULL outside of calls */
    const struct alloc *alloc;   /* of the host's own bookkeeping */
    const struct alloc *lua;     /* of the state: alloc, or its own heap */
    struct heap heap;
    struct vm_code *code;
    size_t used_bytes, peak_bytes, soft_bytes, hard_bytes;
    size_t growth_bytes;    /* of one call; 0 = up to the soft cap */
    size_t call_bytes;      /* the soft cap of the running call */
    size_t collected_bytes; /* used when the last cycle between requests ended */
    bool closing;           /* lua_close() must never be refused memory */
    size_t slow_count;      /* functions remembered as slow */
    bool over_soft;         /* seen by the next safe point */
    bool too_long;          /* the same: a string longer than string_max was made */
    size_t string_max;

    int patience;
    int64_t fuel_limit, fuel_left;
    int64_t share;    /* the limit of the innermost call within the call that has less than what is left; 0 = fuel_limit holds */
    size_t call_peak; /* of the last call from outside, beyond what the state held before */
    bool counted;     /* the hook counts instructions */
    bool counting;    /* not the whole call, but what runs in it now */
    volatile sig_atomic_t overdue;
    bool timed;           /* a timer watches the call; without one the hook looks at the clock */
    int64_t cpu_begin_ns; /* of a counted call: the thread's CPU time when it began */
    enum vm_end end;
    char end_where[160];  /* "campaigns/tea.lua:3: " or "" */
    int depth;            /* calls within calls */
    const char *callback; /* the library function whose callback runs: "table.sort"; NULL = none */

    const struct vm_task *task; /* the task that runs */
    bool finalizers;            /* vm_note_finalizer() */
    vm_undo_fn undo;
    void *undo_ctx;
    void *context;
    vm_resolve_fn resolve;
    void *resolve_ctx;
    vm_data_fn data;
    void *data_ctx;

    vm_ref *functions;
    size_t function_count, function_cap;
    bool push_failed; /* a vm_push_* met the memory cap; vm_call() says so */
    struct vm_call_stats stats;
};

/* Keys (addresses) of what the sandbox hides in the registry and in tables. Light userdata, so no Lua code can name them. */
extern const char vm_key_globals, vm_key_loaded, vm_key_sealed, vm_key_real, vm_key_view, vm_key_meta, vm_key_original, vm_key_array,
    vm_key_error, vm_key_slow, vm_key_provided, vm_key_spaces, vm_key_forgetful;

/* A library function is about to call what it was given, or a metamethod: until vm_callback_end() nothing can wait. An error that flies
 * past is noticed where it is caught. */
static inline const char *vm_callback_begin(lua_State *L, const char *name)
{
    struct vm *v = vm_of(L);
    const char *was = v->callback;
    v->callback = name;
    return was;
}
static inline void vm_callback_end(lua_State *L, const char *was)
{
    vm_of(L)->callback = was;
}

/* budget.c */
void vm_budget_begin(struct vm *v, lua_State *L, bool counted);
void vm_budget_finish(struct vm *v, lua_State *L);
void vm_budget_count(struct vm *v, lua_State *L, bool on); /* in a free run */
void vm_budget_thread(struct vm *v, lua_State *co);        /* before co is resumed */
void vm_budget_alarm(struct vm *v);      /* the next instruction looks at the budget; from the allocator and the signal handler */
void vm_check(lua_State *L);             /* a safe point: raises when the call has to end */
int64_t vm_stuck_ns(const struct vm *v); /* of CPU */
int vm_end_error(struct vm *v, struct err *err);
bool vm_is_end(lua_State *L, int index);
void vm_raise_end(lua_State *L) __attribute__((noreturn));

/* deadline.c */
bool vm_deadline_arm(struct vm *v, int64_t ns);       /* false: the hook has to look at the clock */
bool vm_deadline_arm_timer(struct vm *v, int64_t ns); /* for its test: under every sanitizer */
void vm_deadline_disarm(struct vm *v);
int64_t vm_mono_ns(void);
int64_t vm_cpu_ns(void); /* of this thread; a system call */

/* error.c */
int vm_raise_at(lua_State *L, int level, const struct err *err); /* vm_raise() is level 1 */
void vm_open_errors(lua_State *L);

/* freeze.c */
bool vm_is_view(lua_State *L, int index);
void vm_freeze_value(lua_State *L);          /* like vm_freeze() for any value: captured tables of functions too */
void vm_refuse_memory(lua_State *L, int fn); /* remember.c; raises when the Lua function assigns what is outside of it */
/* What is known of a chunk after a look through its functions. */
struct vm_chunk {
    bool remembers; /* some function assigns a variable from outside of itself */
    bool keeps_env; /* all they do with globals is to read them by their names, so none can change the table they are in */
};
struct vm_chunk vm_look_through(struct slice compiled);
void vm_note_chunk(lua_State *L, const char *source, bool remembers); /* holds for all chunks of that name ("@a.lua") in this state */
int vm_set_metatable(lua_State *L);                                   /* setmetatable(t, mt) of the sandbox */
int vm_get_metatable(lua_State *L);

/* order.c */
int vm_pairs(lua_State *L);

/* parse.c: luaL_loadbufferx() of text that can be ended by the clock */
int vm_parse(lua_State *L, struct slice source, const char *name);

/* vm.c */
enum {
    VM_FREE_RUN_NS = 2000000,
    VM_SLOW_FUEL = 200000, /* some 0.8 ms */
    /* A smaller limit than what may fit into a free run, on a machine several times as fast as most, is counted from the start: else the
     * verdict would depend on the machine. */
    VM_FREE_FUEL_MIN = 2000000,
};
void vm_limit_memory(struct vm *v);    /* for a call that begins or goes on */
bool vm_is_slow(lua_State *L, int fn); /* it is counted from the start */
void vm_mark_slow(struct vm *v, vm_ref fn);
void vm_load_text(lua_State *L, struct slice source, const char *chunk_name); /* compiles; leaves the main function or raises */
int vm_require(lua_State *L);
int vm_refuse_global(lua_State *L);
/* Compiles, runs with the nargs values on top of the stack, which are replaced by the one value it returns. globals and sealed: indexes of
 * the table behind the file's environment, and of the metatable that the environment gets once it is loaded. */
void vm_load_file(lua_State *L, struct slice source, const char *chunk_name, int globals, int sealed, int nargs);

/* The libraries. Each leaves one table on the stack; base puts its functions into the table on top. */
void vm_open_base(lua_State *L);
void vm_open_coroutine(lua_State *L);
void vm_open_string(lua_State *L);
void vm_open_table(lua_State *L);
void vm_open_utf8(lua_State *L);
void vm_open_math(lua_State *L);
int vm_string_format(lua_State *L);
int vm_string_pack(lua_State *L);
int vm_string_packsize(lua_State *L);
int vm_string_unpack(lua_State *L);
int vm_string_find(lua_State *L);
int vm_string_match(lua_State *L);
int vm_string_gmatch(lua_State *L);
int vm_string_gsub(lua_State *L);
/* tostring() without addresses; pushes a string. */
void vm_push_tostring(lua_State *L, int index);

/* vm.c */
/* vm_pcall() of a body that stands for the function at stack index `key`, by which slow ones are remembered. */
int vm_call_known(struct vm *v, int nargs, int nresults, int key, struct err *err);
void vm_load_with_globals(lua_State *L, struct slice source, const char *chunk_name, int nargs); /* a file under the state's globals */

/* tree.c */
int vm_keep_function(lua_State *L, int index); /* gives its number; raises when memory runs out */
enum vm_tree_mode { VM_TREE_DATA, VM_TREE_FUNCTIONS };
struct json_value *vm_tree(lua_State *L, int index, enum vm_tree_mode mode, struct arena *arena);

/* vm_charge() for the functions of the sandbox, which charge often and little. */
static inline void vm_take(lua_State *L, int64_t units)
{
    struct vm *v = *(struct vm **)lua_getextraspace(L);
    v->fuel_left -= units;
    if (__builtin_expect(v->fuel_left < 0 || v->over_soft || v->too_long || v->overdue || v->end != VM_GOES_ON, 0))
        vm_check(L);
}

/* Charges for work on n bytes. */
static inline void vm_charge_bytes(lua_State *L, size_t n)
{
    if (n >= VM_BYTES_PER_UNIT)
        vm_take(L, (int64_t)(n / VM_BYTES_PER_UNIT));
}
