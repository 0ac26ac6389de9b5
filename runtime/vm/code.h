/* vm/code.h - compiled code, kept: the inside of vm_code_open(), for the files of vm/ only. What goes in was compiled from text by this
 * process, and nothing else ever does, because damaged bytecode crashes Lua. Debug information stays in it: an error names file and line
 * wherever the code came from. */
#pragma once
#include "vm/vm_int.h"

struct code_entry;

/* What was compiled from exactly this text under this chunk name, or NULL. To be released. */
struct code_entry *vm_code_find(struct vm_code *c, struct slice chunk, struct slice source);
void vm_code_release(struct vm_code *c, struct code_entry *e);
struct slice code_compiled(const struct code_entry *e);
struct vm_chunk code_known(const struct code_entry *e);
/* Copies. Without memory it keeps nothing. */
void vm_code_keep(struct vm_code *c, struct slice chunk, struct slice source, struct slice compiled, struct vm_chunk known);
