/* feira.ledger: accounts and transfers for procedures; balances also for handlers, as of their snapshot. */
#include "bind/ledger_int.h"
#include <string.h>

unsigned ledger_check_flags(lua_State *L, int arg)
{
    if (lua_isnoneornil(L, arg))
        return 0;
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_getfield(L, arg, "no_overdraft");
    unsigned flags = lua_toboolean(L, -1) ? LEDGER_NO_OVERDRAFT : 0;
    lua_getfield(L, arg, "published");
    flags |= lua_toboolean(L, -1) ? LEDGER_PUBLISHED : 0;
    lua_pop(L, 2);
    return flags;
}

static int l_account(lua_State *L) /* (name, unit, { no_overdraft = true }?) -> account */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.account()");
    struct slice name = bind_check_slice(L, 1, "the account's name"), unit = bind_check_slice(L, 2, "the unit");
    unsigned flags = ledger_check_flags(L, 3);
    int64_t id;
    struct err err = { 0 };
    vm_charge(L, 100);
    if (ledger_account(c->ledger, name, unit, flags, &id, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, id);
    return 1;
}

enum ledger_kind ledger_check_kind(lua_State *L, int table)
{
    struct slice kind = bind_field_slice(L, table, "kind", true);
    if (slice_is(kind, "transfer"))
        return LEDGER_TRANSFER;
    if (slice_is(kind, "hold"))
        return LEDGER_HOLD;
    if (slice_is(kind, "post"))
        return LEDGER_POST;
    if (!slice_is(kind, "void"))
        luaL_error(L, "kind is transfer, hold, post or void, not \"%s\"", kind.data);
    return LEDGER_VOID;
}

static void read_op(lua_State *L, int table, struct ledger_op *op, void *ctx)
{
    (void)ctx;
    enum ledger_kind kind = ledger_check_kind(L, table);
    bool moves = kind == LEDGER_TRANSFER || kind == LEDGER_HOLD;
    *op = (struct ledger_op){
        .kind = kind,
        .id = bind_field_slice(L, table, "id", true),
        .debit = bind_field_int(L, table, "debit", moves, 0),
        .credit = bind_field_int(L, table, "credit", moves, 0),
        .amount = bind_field_int(L, table, "amount", moves, kind == LEDGER_POST ? INT64_MAX : 0),
        .pending = bind_field_slice(L, table, "pending", !moves),
        .expires_ms = bind_field_int(L, table, "expires", false, 0),
        .reference = bind_field_slice(L, table, "reference", false),
    };
}

/* -> true | nil, index, account */
static int apply(lua_State *L, const struct ledger_op *ops, size_t n)
{
    struct bind_context *c = bind_state(L)->ctx;
    size_t failed = 0;
    struct err err = { 0 };
    int rc = ledger_apply(c->ledger, ops, n, c->now_ms, &failed, &err);
    if (rc == ERR_CONFLICT && strcmp(err.reason, "insufficient") == 0) {
        lua_pushnil(L);
        lua_pushinteger(L, (lua_Integer)failed + 1);
        lua_pushstring(L, err.field);
        return 3;
    }
    if (rc < 0)
        return bind_raise(L, &err);
    lua_pushboolean(L, true);
    return 1;
}

int ledger_apply_ops(lua_State *L, ledger_read_fn read, void *ctx)
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.apply()");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Unsigned n = lua_rawlen(L, 1);
    luaL_argcheck(L, n <= LEDGER_OPS_MAX, 1, "too many operations at once");
    if (n == 0) {
        lua_pushboolean(L, true);
        return 1;
    }
    vm_charge(L, 200 * (int64_t)n);
    struct ledger_op *ops = arena_array(c->arena, n, sizeof *ops);
    if (!ops)
        return luaL_error(L, "out of memory for %d operations", (int)n);
    for (lua_Unsigned i = 0; i < n; i++) {
        lua_rawgeti(L, 1, (lua_Integer)i + 1); /* ops op */
        luaL_checktype(L, -1, LUA_TTABLE);
        read(L, lua_gettop(L), &ops[i], ctx);
        lua_pop(L, 1); /* ops: its tables hold the strings */
    }
    return apply(L, ops, n);
}

/* (ops) -> true | nil, index, account: the first operation that there is not enough for. Everything else that can go wrong raises. */
static int l_apply(lua_State *L)
{
    return ledger_apply_ops(L, read_op, NULL);
}

/* (holds, id, kind) -> true | nil, index, account. Posts or voids ("post", "void") the holds ID/1 to ID/n; holds is a JSON list of n. What
 * an order holds, without a table for each piece of it. */
static int l_settle(lua_State *L)
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.settle()");
    struct slice holds = bind_check_slice(L, 1, "the holds"), id = bind_check_slice(L, 2, "the id"),
                 kind = bind_check_slice(L, 3, "the kind");
    struct json_value *list;
    struct err err = { 0 };
    luaL_argcheck(L, slice_is(kind, "post") || slice_is(kind, "void"), 3, "post or void");
    vm_charge(L, 10 + (int64_t)holds.len / 4);
    if (json_parse(holds, NULL, c->arena, &list, &err) < 0)
        return bind_raise(L, &err);
    luaL_argcheck(L, list->type == JSON_ARRAY && list->count > 0, 1, "a list of holds");
    vm_charge(L, 200 * (int64_t)list->count);
    struct ledger_op *ops = arena_array(c->arena, list->count, sizeof *ops);
    for (uint32_t i = 0; ops && i < list->count; i++) {
        ops[i] = (struct ledger_op){
            .kind = slice_is(kind, "post") ? LEDGER_POST : LEDGER_VOID,
            .amount = slice_is(kind, "post") ? INT64_MAX : 0,
            .id = arena_printf(c->arena, "%.*s/%u/%.*s", SLICE_FMT(id), i + 1, SLICE_FMT(kind)),
            .reference = id,
        };
        if (ops[i].id.data)
            ops[i].pending = slice_of(ops[i].id.data, ops[i].id.len - kind.len - 1);
        else
            ops = NULL;
    }
    if (!ops)
        return luaL_error(L, "out of memory for %d holds", (int)list->count);
    return apply(L, ops, list->count);
}

int ledger_push_balance(lua_State *L, const struct ledger_balance *b)
{
    lua_pushinteger(L, b->credits_posted - b->debits_posted);
    lua_pushinteger(L, b->debits_pending);
    lua_pushinteger(L, ledger_available(b));
    return 3;
}

/* (account, name) -> posted, held, available; nothing when no such account was made. A procedure asks by account and sees its
 * own changes; a handler by name, as of its snapshot. Code that serves both gives both. */
static int l_balance(lua_State *L)
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.balance()");
    struct ledger_balance b;
    struct err err = { 0 };
    int rc;
    vm_charge(L, 100);
    if (c->phase == BIND_PHASE_PROCEDURE)
        rc = ledger_balance(c->ledger, bind_check_int(L, 1, "the account"), &b, &err);
    else
        rc = ledger_balance_read(c->conn, bind_check_slice(L, 2, "the account's name"), &b, &err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return bind_raise(L, &err);
    return ledger_push_balance(L, &b);
}

static int l_statement(lua_State *L) /* (name, { from, to, limit, after }?) -> statement, or nothing */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.statement()");
    return ledger_push_statement(L, c, bind_check_slice(L, 1, "the account's name"), 2);
}

static int l_left(lua_State *L) /* (name) -> left, or nothing */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.left()");
    return ledger_push_left(L, c, bind_check_slice(L, 1, "the account's name"));
}

static int l_exhausted(lua_State *L) /* (name, need?) -> boolean */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.exhausted()");
    return ledger_push_exhausted(L, c, bind_check_slice(L, 1, "the account's name"));
}

static int l_hold(lua_State *L) /* (id) -> standing, amount, posted, or nothing */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.hold()");
    return ledger_push_hold(L, c, bind_check_slice(L, 1, "the hold's id"));
}

static int l_change(lua_State *L) /* (account, { frozen, closed }, reason, who) */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.change()");
    int64_t account = bind_check_int(L, 1, "the account");
    struct slice reason = bind_check_slice(L, 3, "the reason");
    return ledger_change(L, c, account, 2, reason, bind_check_slice(L, 4, "who changes it"));
}

static int l_replace_name(lua_State *L) /* (from, to) -> accounts */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.replace_name()");
    struct slice from = bind_check_slice(L, 1, "the name"), to = bind_check_slice(L, 2, "the new name");
    int64_t n;
    struct err err = { 0 };
    if (ledger_replace_name(c->ledger, from, to, &n, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, n);
    return 1;
}

static int l_name_has(lua_State *L) /* (name, part) -> boolean */
{
    lua_pushboolean(L, ledger_name_has(bind_check_slice(L, 1, "the account's name"), bind_check_slice(L, 2, "the part")));
    return 1;
}

void bind_open_ledger(lua_State *L)
{
    static const luaL_Reg functions[] = { { "account", l_account },   { "apply", l_apply },
                                          { "balance", l_balance },   { "statement", l_statement },
                                          { "hold", l_hold },         { "change", l_change },
                                          { "left", l_left },         { "exhausted", l_exhausted },
                                          { "settle", l_settle },     { "replace_name", l_replace_name },
                                          { "name_has", l_name_has }, { NULL, NULL } };
    luaL_newlib(L, functions);
}
