/* feira.ledger as plugins have it. An account is its name, so that each use can be asked for: those whose names begin with the plugin's own
 * are its own, others are there when needs.ledger names them. The ids of transfers are the plugin's own, too: "invite/" is put before each,
 * so that nobody can post, void or block what another has begun. */
#include "bind/ledger_int.h"
#include "bind/plugins.h"
#include <string.h>

enum { TRANSFER_ID_MAX = 96 }; /* of the ledger */

static const struct bind_plugin *plugin_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static void require_account(lua_State *L, const struct bind_context *c, const struct bind_plugin *p, struct slice name, bool write)
{
    struct err err = { 0 };
    if (!c->plugins)
        luaL_error(L, "there are no plugins here");
    if (c->plugins->account(c->plugins_ctx, p, name, write, &err) < 0)
        bind_raise(L, &err);
}

static int l_account(lua_State *L) /* (name, unit, { no_overdraft = true }?) -> name; upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.account()");
    struct slice name = bind_check_slice(L, 1, "the account's name"), unit = bind_check_slice(L, 2, "the unit");
    unsigned flags = ledger_check_flags(L, 3);
    int64_t id;
    struct err err = { 0 };
    require_account(L, c, plugin_of(L), name, true);
    vm_charge(L, 100);
    /* The shop itself also counts below zero (limits of campaigns); of a plugin it is a slip. */
    if ((flags & LEDGER_PUBLISHED) && !(flags & LEDGER_NO_OVERDRAFT)) {
        err_field(&err, ERR_INVALID, "flags", "Only an account without overdraft runs out: say no_overdraft with published.");
        return bind_raise(L, &err);
    }
    if (ledger_account(c->ledger, name, unit, flags, &id, &err) < 0)
        return bind_raise(L, &err);
    lua_settop(L, 1);
    return 1;
}

static int64_t find_named(lua_State *L, struct slice name, const struct bind_plugin *p)
{
    struct bind_context *c = bind_state(L)->ctx;
    int64_t id = 0;
    struct err err = { 0 };
    require_account(L, c, p, name, true);
    vm_charge(L, 100);
    int rc = ledger_find(c->ledger, name, &id, &err);
    if (rc == ERR_NOT_FOUND)
        luaL_error(L, "there is no account %s yet; make it with ledger.account(name, unit)", name.data);
    if (rc < 0)
        bind_raise(L, &err);
    return id;
}

static int64_t find_account(lua_State *L, int table, const char *side, const struct bind_plugin *p)
{
    return find_named(L, bind_field_slice(L, table, side, true), p);
}

static struct slice own_id_of(lua_State *L, struct slice id, const char *field, const struct bind_plugin *p)
{
    struct slice whole = arena_printf(bind_state(L)->ctx->arena, "%s/%.*s", p->name, SLICE_FMT(id));
    if (!whole.data)
        luaL_error(L, "out of memory for a transfer");
    if (id.len == 0 || whole.len > TRANSFER_ID_MAX)
        luaL_error(L, "%s of a transfer has 1 to %d bytes", field, (int)(TRANSFER_ID_MAX - strlen(p->name) - 1));
    return whole;
}

static struct slice own_id(lua_State *L, int table, const char *field, bool required, const struct bind_plugin *p)
{
    struct slice id = bind_field_slice(L, table, field, required);
    return id.len == 0 && !required ? id : own_id_of(L, id, field, p);
}

static void read_op(lua_State *L, int table, struct ledger_op *op, void *ctx)
{
    const struct bind_plugin *p = ctx;
    enum ledger_kind kind = ledger_check_kind(L, table);
    bool moves = kind == LEDGER_TRANSFER || kind == LEDGER_HOLD;
    *op = (struct ledger_op){ .kind = kind,
                              .id = own_id(L, table, "id", true, p),
                              .amount = bind_field_int(L, table, "amount", moves, kind == LEDGER_POST ? INT64_MAX : 0),
                              .pending = own_id(L, table, "pending", !moves, p),
                              .expires_ms = bind_field_int(L, table, "expires", false, 0),
                              .reference = bind_field_slice(L, table, "reference", false) };
    if (moves) {
        op->debit = find_account(L, table, "debit", p);
        op->credit = find_account(L, table, "credit", p);
    }
}

static int l_apply(lua_State *L) /* (ops) -> true | nil, index, account; upvalue: the plugin */
{
    return ledger_apply_ops(L, read_op, (void *)(uintptr_t)plugin_of(L));
}

/* (name) -> posted, held, available; nothing when there is no such account; upvalue: the plugin. Rows lag behind a transaction, so where
 * there is a ledger it is asked. */
static int l_balance(lua_State *L)
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.balance()");
    struct slice name = bind_check_slice(L, 1, "the account's name");
    struct ledger_balance b;
    struct err err = { 0 };
    int64_t id;
    require_account(L, c, plugin_of(L), name, false);
    vm_charge(L, 100);
    int rc = c->ledger ? ledger_find(c->ledger, name, &id, &err) : ledger_balance_read(c->conn, name, &b, &err);
    if (rc == 0 && c->ledger)
        rc = ledger_balance(c->ledger, id, &b, &err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    return rc < 0 ? bind_raise(L, &err) : ledger_push_balance(L, &b);
}

static int l_statement(lua_State *L) /* (name, { from, to, limit, after }?) -> statement, or nothing; upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.statement()");
    struct slice name = bind_check_slice(L, 1, "the account's name");
    require_account(L, c, plugin_of(L), name, true); /* it shows whose transfers they were, which is more than a balance */
    return ledger_push_statement(L, c, name, 2);
}

static int l_left(lua_State *L) /* (name) -> left, or nothing; upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.left()");
    struct slice name = bind_check_slice(L, 1, "the account's name");
    require_account(L, c, plugin_of(L), name, false);
    return ledger_push_left(L, c, name);
}

static int l_exhausted(lua_State *L) /* (name, need?) -> boolean; upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.exhausted()");
    struct slice name = bind_check_slice(L, 1, "the account's name");
    require_account(L, c, plugin_of(L), name, false);
    return ledger_push_exhausted(L, c, name);
}

static int l_hold(lua_State *L) /* (id) -> standing, amount, posted, or nothing; upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "ledger.hold()");
    return ledger_push_hold(L, c, own_id_of(L, bind_check_slice(L, 1, "the hold's id"), "id", plugin_of(L)));
}

static int l_change(lua_State *L) /* (name, { frozen, closed }, reason); upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "ledger.change()");
    const struct bind_plugin *p = plugin_of(L);
    struct slice name = bind_check_slice(L, 1, "the account's name"), reason = bind_check_slice(L, 3, "the reason");
    return ledger_change(L, c, find_named(L, name, p), 2, reason, slice_str(p->name));
}

int bind_plugin_ledger(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err)
{
    static const luaL_Reg functions[] = { { "account", l_account },     { "apply", l_apply },         { "balance", l_balance },
                                          { "statement", l_statement }, { "hold", l_hold },           { "change", l_change },
                                          { "left", l_left },           { "exhausted", l_exhausted }, { NULL, NULL } };
    return bind_plugin_module(v, p, functions, out, err);
}
