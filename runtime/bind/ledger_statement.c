/* What of feira.ledger the stdlib and plugins share beside moving amounts: statements, how a hold stands, flags of an account. */
#include "bind/ledger_int.h"
#include "ledger/statement.h"
#include <stdio.h>

enum { LIMIT = 50, LIMIT_MAX = 1000 };

/* --- statements ------------------------------------------------------------------------------------------------------------- */

static int64_t limit_of(lua_State *L, int options)
{
    int64_t limit = bind_field_int(L, options, "limit", false, LIMIT);
    if (limit < 0 || limit > LIMIT_MAX)
        luaL_error(L, "limit is 0 to %d", LIMIT_MAX);
    return limit;
}

/* 1 to 18 digits. */
static bool read_number(const char **text, int64_t *out)
{
    const char *first = *text;
    for (*out = 0; **text >= '0' && **text <= '9' && *text - first < 18; (*text)++)
        *out = *out * 10 + (**text - '0');
    return *text > first;
}

static void read_after(lua_State *L, int options, struct ledger_period *p)
{
    struct slice after = bind_field_slice(L, options, "after", false);
    if (after.len == 0)
        return;
    const char *text = after.data, *end = after.data + after.len; /* a Lua string ends in NUL */
    if (!read_number(&text, &p->after_ms) || *text++ != '.' || !read_number(&text, &p->after_seq) || text != end || p->after_seq == 0)
        luaL_error(L, "after is what a statement gave as next");
}

static void read_period(lua_State *L, int options, struct ledger_period *p)
{
    *p = (struct ledger_period){ .to_ms = INT64_MAX, .limit = LIMIT };
    if (lua_isnoneornil(L, options))
        return;
    luaL_checktype(L, options, LUA_TTABLE);
    p->from_ms = bind_field_int(L, options, "from", false, 0);
    p->to_ms = bind_field_int(L, options, "to", false, INT64_MAX);
    p->limit = (size_t)limit_of(L, options);
    read_after(L, options, p);
    if (p->from_ms < 0 || p->to_ms < p->from_ms)
        luaL_error(L, "a statement is from a moment to the same or a later one");
}

static void set_text(lua_State *L, const char *name, struct slice text)
{
    if (text.len == 0)
        return;
    bind_push_slice(L, text);
    lua_setfield(L, -2, name);
}

static void set_int(lua_State *L, const char *name, int64_t n)
{
    lua_pushinteger(L, n);
    lua_setfield(L, -2, name);
}

static void push_entry(lua_State *L, const struct ledger_entry *e)
{
    lua_createtable(L, 0, 8); /* entry */
    set_text(L, "id", e->id);
    set_text(L, "kind", slice_str(e->kind == LEDGER_POST ? "post" : "transfer"));
    set_text(L, "other", e->other);
    set_text(L, "reference", e->reference);
    set_text(L, "hold", e->hold);
    set_int(L, "at", e->at_ms);
    set_int(L, "amount", e->amount);
    set_int(L, "balance", e->balance);
}

static void push_next(lua_State *L, const struct ledger_statement *s)
{
    char next[48];
    if (!s->more || s->count == 0)
        return;
    const struct ledger_entry *last = &s->entries[s->count - 1];
    snprintf(next, sizeof next, "%lld.%lld", (long long)last->at_ms, (long long)last->seq);
    lua_pushstring(L, next);
    lua_setfield(L, -2, "next");
}

int ledger_push_statement(lua_State *L, struct bind_context *c, struct slice account, int options)
{
    struct ledger_period p;
    struct ledger_statement s;
    struct err err = { 0 };
    read_period(L, options, &p);
    vm_charge(L, 1000 + 50 * (int64_t)p.limit);
    int rc = ledger_statement(c->conn, account, &p, c->arena, &s, &err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return bind_raise(L, &err);
    lua_createtable(L, 0, 8); /* statement */
    set_text(L, "account", s.account);
    set_text(L, "unit", s.unit);
    set_int(L, "opening", s.opening);
    set_int(L, "debits", s.debits);
    set_int(L, "credits", s.credits);
    set_int(L, "closing", s.closing);
    lua_createtable(L, (int)s.count, 0); /* statement entries */
    for (size_t i = 0; i < s.count; i++) {
        push_entry(L, &s.entries[i]); /* statement entries entry */
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "entries"); /* statement */
    push_next(L, &s);
    return 1;
}

/* --- what is left -------------------------------------------------------------------------------------------------------------- */

static int left_in_ledger(struct bind_context *c, struct slice account, struct ledger_balance *b, struct err *err)
{
    int64_t id;
    int rc = ledger_find(c->ledger, account, &id, err);
    return rc < 0 ? rc : ledger_balance(c->ledger, id, b, err);
}

int ledger_left(struct bind_context *c, struct slice account, int64_t *left, struct err *err)
{
    struct ledger_balance b;
    if (c->phase != BIND_PHASE_PROCEDURE && c->left && c->left(c->left_ctx, account, left))
        return 0;
    int rc = c->phase == BIND_PHASE_PROCEDURE || c->ledger ? left_in_ledger(c, account, &b, err)
                                                           : ledger_balance_read(c->conn, account, &b, err);
    if (rc == 0)
        *left = b.flags & (LEDGER_CLOSED | LEDGER_FROZEN) ? 0 : ledger_available(&b);
    return rc;
}

static int ask_left(lua_State *L, struct bind_context *c, struct slice account, int64_t *left)
{
    struct err err = { 0 };
    vm_charge(L, 100);
    int rc = ledger_left(c, account, left, &err);
    return rc < 0 && rc != ERR_NOT_FOUND ? bind_raise(L, &err) : rc;
}

int ledger_push_left(lua_State *L, struct bind_context *c, struct slice account)
{
    int64_t left;
    if (ask_left(L, c, account, &left) < 0)
        return 0;
    lua_pushinteger(L, left);
    return 1;
}

/* false for an account that was never made: whoever takes from it says what is wrong. */
int ledger_push_exhausted(lua_State *L, struct bind_context *c, struct slice account)
{
    int64_t left, need = lua_isnoneornil(L, 2) ? 1 : bind_check_int(L, 2, "what is needed");
    int rc = ask_left(L, c, account, &left);
    lua_pushboolean(L, rc == 0 && left < need);
    return 1;
}

/* --- holds ------------------------------------------------------------------------------------------------------------------- */

int ledger_push_hold(lua_State *L, struct bind_context *c, struct slice id)
{
    static const char *const standings[] = {
        [LEDGER_OPEN] = "open", [LEDGER_POSTED] = "posted", [LEDGER_VOIDED] = "voided", [LEDGER_EXPIRED] = "expired"
    };
    struct ledger_hold h;
    struct err err = { 0 };
    vm_charge(L, 300);
    int rc = ledger_hold_read(c->conn, id, c->now_ms, &h, &err);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc < 0)
        return bind_raise(L, &err);
    lua_pushstring(L, standings[h.standing]);
    lua_pushinteger(L, h.amount);
    lua_pushinteger(L, h.posted);
    return 3;
}

/* --- flags -------------------------------------------------------------------------------------------------------------------- */

static void read_flag(lua_State *L, int table, const char *name, unsigned flag, unsigned *set, unsigned *clear)
{
    int type = lua_getfield(L, table, name);
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        luaL_error(L, "%s is true or false", name);
    if (type == LUA_TBOOLEAN)
        *(lua_toboolean(L, -1) ? set : clear) |= flag;
    lua_pop(L, 1);
}

int ledger_change(lua_State *L, struct bind_context *c, int64_t account, int flags, struct slice reason, struct slice who)
{
    unsigned set = 0, clear = 0;
    struct err err = { 0 };
    luaL_checktype(L, flags, LUA_TTABLE);
    read_flag(L, flags, "frozen", LEDGER_FROZEN, &set, &clear);
    read_flag(L, flags, "closed", LEDGER_CLOSED, &set, &clear);
    vm_charge(L, 300);
    if (ledger_change_flags(c->ledger, account, set, clear, reason, who, c->now_ms, &err) < 0)
        return bind_raise(L, &err);
    return 0;
}
