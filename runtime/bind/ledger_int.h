/* bind/ledger_int.h - shared by ledger.c (the stdlib's feira.ledger, whose accounts are numbers) and plugin_ledger.c (that of plugins,
 * whose accounts are names, because each use is asked for); what both give is in ledger_statement.c. */
#pragma once
#include "bind/bind_int.h"

enum { LEDGER_OPS_MAX = 100000 };

unsigned ledger_check_flags(lua_State *L, int arg); /* { no_overdraft = true, published = true }, or nothing */
enum ledger_kind ledger_check_kind(lua_State *L, int table);

/* Reads the table at `table` into op; raises what is wrong with it. Strings may be borrowed from the table. */
typedef void (*ledger_read_fn)(lua_State *L, int table, struct ledger_op *op, void *ctx);
/* (ops) -> true | nil, index, account */
int ledger_apply_ops(lua_State *L, ledger_read_fn read, void *ctx);
/* What both faces give, in ledger_statement.c. (options at the index `options`: { from, to, limit, after }) -> statement, or nothing when
 * there is no such account. */
int ledger_push_statement(lua_State *L, struct bind_context *c, struct slice account, int options);
/* What can be taken from the account, into *left: in a procedure after its own changes, elsewhere as of the last commit. ERR_NOT_FOUND. */
int ledger_left(struct bind_context *c, struct slice account, int64_t *left, struct err *err);
int ledger_push_left(lua_State *L, struct bind_context *c, struct slice account);      /* -> left, or nothing */
int ledger_push_exhausted(lua_State *L, struct bind_context *c, struct slice account); /* (.., need at 2) -> boolean */
int ledger_push_hold(lua_State *L, struct bind_context *c, struct slice id); /* -> standing, amount, posted; nothing when there is none */
/* { frozen, closed } at the index `flags` */
int ledger_change(lua_State *L, struct bind_context *c, int64_t account, int flags, struct slice reason, struct slice who);
int ledger_push_balance(lua_State *L, const struct ledger_balance *b); /* posted, held, available */
