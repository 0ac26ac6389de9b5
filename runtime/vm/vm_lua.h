/* vm/vm_lua.h - for bind/ only: the lua_State inside a vm, and the rules for C functions that plugins can call. */
#pragma once
#include "vm/vm.h"
#include <lauxlib.h>
#include <lua.h>

lua_State *vm_lua(struct vm *v);
struct vm *vm_of(lua_State *L);

/* Anything a binding wants to find again from L: one pointer per vm. */
void vm_set_context(struct vm *v, void *context);
void *vm_context(lua_State *L);

/* Takes `units` of the budget of the running call; raises the (uncatchable) budget error when it is used up. Every C function whose
 * work grows with its input calls this in proportion. */
void vm_charge(lua_State *L, int64_t units);

/* A space of its own in the middle of a call: pushes its require(). Nobody finds it by name; the collector takes it when nobody has
 * anything of it any more. o lives in the userdata at `anchor`, which it keeps; require(module) gives there what stands at `given`. */
void vm_space_push(lua_State *L, const struct vm_space_options *o, int anchor, const char *module, int given);

/* Calls the function at fn_index with nargs values above it; like lua_pcall with fuel, memory cap and error conversion. */
int vm_pcall(struct vm *v, int nargs, int nresults, struct err *err);

/* A call that may wait. Its C functions leave it with lua_yieldk() where vm_can_wait() allows, after noting down what they wait for; the
 * caller sees that it waits, sees to it, and runs it again. One that waits can be closed at any time. Many of a state may wait at once. */
struct vm_task {
    vm_ref thread, fn;
    lua_State *lua;
    void *arg;
    int64_t fuel_left, fuel_limit, cpu_ns;
    bool counted;
};
/* The function on top of the stack, for a call with `arg` as light userdata; pops it. Fuel is what vm_set_fuel() said. */
int vm_task_open(struct vm *v, void *arg, struct vm_task *t, struct err *err);
/* Until it waits or ends; what it returns is dropped. The first stretch may run twice (uncounted, then counted), the others can't: so
 * nothing may be done before the first wait that can't be done again. */
int vm_task_run(struct vm *v, struct vm_task *t, bool *waits, struct err *err);
void vm_task_close(struct vm *v, struct vm_task *t);
bool vm_can_wait(lua_State *L); /* this is the task's own coroutine, and nothing is between that can't be left */
bool vm_is_task(lua_State *L);  /* this is the task's own coroutine */

/* A userdata whose __gc frees something outside of the Lua heap was made: closing the state has to run it. */
void vm_note_finalizer(lua_State *L);

/* Makes the module table on top of the stack what require(name) gives; freezes it; pops it. */
void vm_provide(lua_State *L, const char *name);
/* Replaces the table on top of the stack by a read-only view of it (recursively); writes raise. */
void vm_freeze(lua_State *L);

void vm_unwrap(lua_State *L, int index); /* replaces a view by what is behind it, for lua_next() and its like; index is absolute */

/* Raises err as a Lua error with position; for C functions. Does not return. Code, reason and field come out of vm_pcall() as they
 * went in, whatever Lua code did not catch them in between; Lua sees e.code, e.reason, e.field, e.text and tostring(e). */
int vm_raise(lua_State *L, const struct err *err);
/* The same without the position, for sentences that are meant for whoever called the API. */
int vm_fail(lua_State *L, const struct err *err);

/* C functions that call back into Lua use vm_try() where they would use lua_pcall(), and hand on with vm_rethrow() what they can't
 * deal with: an ended budget must not be swallowed. Plain lua_call() is fine, too. */
int vm_try(lua_State *L, int nargs, int nresults);
int vm_rethrow(lua_State *L);

/* The library function that called the code which runs now ("table.sort", "string.gsub"), or NULL. What may have to wait can't wait there,
 * on any engine: a C function is in between. */
const char *vm_callback(lua_State *L);
int vm_error_of(lua_State *L, int status, struct err *err); /* what vm_try() left on top, which it pops; runs no Lua code. Its code */
int vm_error_code(lua_State *L, int index);                 /* of an error value: what vm_raise() was given, ERR_SCRIPT for all others */

/* Around a vm_try(): what runs in it has at most `fuel` of what the whole call has left, and spends of that. When that ends it, it ends
 * the whole call, like any budget; vm_share_end() tells whether it was this limit. */
struct vm_share {
    int64_t before, given, share_was;
    bool counting_was;
    int64_t used; /* by vm_share_end() */
};
void vm_share_begin(lua_State *L, int64_t fuel, struct vm_share *s);
bool vm_share_end(lua_State *L, struct vm_share *s);

/* Tables to trees and back, see vm_to_json(). Raise on error. A JSON null is nil as a member of an object, where it can't be told from
 * an absent one, and vm_push_null() in an array; vm_push_json_nulls() uses vm_push_null() everywhere, for merging patches.
 * vm_check_json() writes that value as null. An array stays one when it is empty: it is marked as by vm_mark_array(). */
struct json_value *vm_check_json(lua_State *L, int index, struct arena *arena);
void vm_push_json_value(lua_State *L, const struct json_value *value);
void vm_push_json_nulls(lua_State *L, const struct json_value *value);
void vm_push_null(lua_State *L);
void vm_mark_array(lua_State *L, int index); /* what json.array{} does; the table must have no metatable */
