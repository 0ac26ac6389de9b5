/* bind/ledger_int.h - shared by ledger.c (the stdlib's feira.ledger, whose accounts are numbers) and plugin_ledger.c (that of plugins,
 * whose accounts are names, because each use is asked for). */
#pragma once
#include "bind/bind_int.h"

enum { LEDGER_OPS_MAX = 100000 };

unsigned ledger_check_flags(lua_State *L, int arg); /* { no_overdraft = true }, or nothing */
enum ledger_kind ledger_check_kind(lua_State *L, int table);

/* Reads the table at `table` into op; raises what is wrong with it. Strings may be borrowed from the table. */
typedef void (*ledger_read_fn)(lua_State *L, int table, struct ledger_op *op, void *ctx);
/* (ops) -> true | nil, index, account */
int ledger_apply_ops(lua_State *L, ledger_read_fn read, void *ctx);
int ledger_push_balance(lua_State *L, const struct ledger_balance *b); /* posted, held, available */
