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

/* Calls the function at fn_index with nargs values above it; like lua_pcall with fuel, memory cap and error conversion. */
int vm_pcall(struct vm *v, int nargs, int nresults, struct err *err);

/* Makes the module table on top of the stack what require(name) gives; freezes it; pops it. */
void vm_provide(lua_State *L, const char *name);
/* Replaces the table on top of the stack by a read-only view of it (recursively); writes raise. */
void vm_freeze(lua_State *L);

/* Raises err as a Lua error with position; for C functions. Does not return. */
int vm_raise(lua_State *L, const struct err *err);

/* Tables to trees and back, see vm_to_json(). Raise on error. */
struct json_value *vm_check_json(lua_State *L, int index, struct arena *arena);
void vm_push_json_value(lua_State *L, const struct json_value *value);
