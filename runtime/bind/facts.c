#include "bind/facts.h"
#include "base/utf8.h"
#include "bind/collections_int.h"
#include "bind/plugins.h"
#include "bind/measure.h"
#include <assert.h>

struct asking {
    const struct bind_fact *fact;
    const struct fact_about *about;
    struct quote_fact *out;
    bool found;
};

static void push_about(lua_State *L, const struct fact_about *who)
{
    lua_createtable(L, 0, 3); /* about */
    bind_push_slice(L, who->customer);
    lua_setfield(L, -2, "customer");
    lua_pushinteger(L, who->now_ms);
    lua_setfield(L, -2, "now");
    lua_createtable(L, (int)who->tag_count, 0); /* about tags */
    vm_mark_array(L, -1);
    for (size_t i = 0; i < who->tag_count; i++) {
        bind_push_slice(L, who->tags[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "tags");
}

static void push_rows(lua_State *L, struct bind_context *c, const struct asking *a)
{
    if (a->fact->rows) {
        collection_push_rows(L, c, a->fact->rows, a->fact->by, a->about->customer, BIND_FACT_ROWS_MAX);
        return;
    }
    lua_newtable(L);
    vm_mark_array(L, -1);
}

/* --- what comes back --------------------------------------------------------------------------------------------------- */

static int wrong(lua_State *L, const struct bind_fact *f, const char *what)
{
    return luaL_error(L, "the fact %s is %s, and its function gave %s; give that, or nil when there is none", f->name, what,
                      lua_type(L, -1) == LUA_TNUMBER ? lua_isinteger(L, -1) ? "an integer" : "a float" : luaL_typename(L, -1));
}

static int take_text(lua_State *L, struct bind_context *c, const struct asking *a)
{
    struct slice s = bind_check_slice(L, -1, a->fact->name);
    if (s.len > BIND_FACT_TEXT_MAX)
        return luaL_error(L, "the fact %s is a text of %d bytes; it may have %d", a->fact->name, (int)s.len, BIND_FACT_TEXT_MAX);
    for (size_t i = 0, n; i < s.len; i += n)
        if ((n = utf8_at(s.data + i, s.data + s.len)) == 0)
            return luaL_error(L, "the fact %s is no text: it must be UTF-8", a->fact->name);
    a->out->text = arena_copy(c->arena, s);
    if (!a->out->text.data)
        return luaL_error(L, "out of memory for the fact %s", a->fact->name);
    a->out->kind = QUOTE_FACT_STRING;
    return 0;
}

static bool is_name(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.data[i] <= ' ' || (unsigned char)s.data[i] >= 0x7f)
            return false;
    return s.len > 0 && s.len <= BIND_FACT_NAME_MAX;
}

/* The list on top of the stack. */
static int take_names(lua_State *L, struct bind_context *c, const struct asking *a)
{
    const char *name = a->fact->name;
    lua_Integer n = luaL_len(L, -1);
    if (n > BIND_FACT_ROWS_MAX)
        return luaL_error(L, "the fact %s has %d names; it may have %d", name, (int)n, BIND_FACT_ROWS_MAX);
    size_t used = 0;
    char *text = arena_alloc(c->arena, (size_t)n * (BIND_FACT_NAME_MAX + 1) + 1);
    if (!text)
        return luaL_error(L, "out of memory for the fact %s", name);
    for (lua_Integer i = 1; i <= n; i++) {
        bool is_text = lua_rawgeti(L, -1, i) == LUA_TSTRING;
        struct slice s = is_text ? bind_check_slice(L, -1, name) : slice_str("");
        if (!is_name(s))
            return luaL_error(L, "the fact %s is a list of names, 1 to %d ASCII characters without blanks each; entry %d is none", name,
                              BIND_FACT_NAME_MAX, (int)i);
        memcpy(text + used, s.data, s.len);
        text[used + s.len] = '\n';
        used += s.len + 1;
        lua_pop(L, 1);
    }
    vm_charge(L, (int)n);
    a->out->text = slice_of(text, used);
    a->out->kind = QUOTE_FACT_STRING;
    return 0;
}

/* The value on top of the stack. */
static int take_value(lua_State *L, struct bind_context *c, const struct asking *a)
{
    const struct bind_fact *f = a->fact;
    struct quote_fact *out = a->out;
    switch (f->type) {
    case FIELD_STRING:
        return lua_type(L, -1) == LUA_TSTRING ? take_text(L, c, a) : wrong(L, f, "a string");
    case FIELD_JSON:
        return lua_istable(L, -1) ? take_names(L, c, a) : wrong(L, f, "a list of names");
    case FIELD_BOOLEAN:
        if (!lua_isboolean(L, -1))
            return wrong(L, f, "true or false");
        out->kind = QUOTE_FACT_BOOL;
        out->number = lua_toboolean(L, -1);
        return 0;
    case FIELD_MONEY:
        if (!lua_isinteger(L, -1) && lua_type(L, -1) != LUA_TSTRING)
            return wrong(L, f, "an amount: an integer of minor units, or a string like \"12.50\"");
        out->number = bind_check_money(L, lua_gettop(L), f->name);
        break;
    default:
        if (!lua_isinteger(L, -1))
            return wrong(L, f,
                         f->type == FIELD_TIME      ? "a time: an integer of milliseconds"
                         : f->type == FIELD_PERCENT ? "a percentage: an integer of parts per million"
                                                    : "an integer");
        out->number = lua_tointeger(L, -1);
    }
    out->kind = QUOTE_FACT_INT;
    return 0;
}

static void call_function(lua_State *L, struct asking *a) /* fn -> */
{
    struct bind_context *c = bind_state(L)->ctx;
    a->found = false;
    push_rows(L, c, a);
    push_about(L, a->about); /* fn rows about */
    lua_call(L, 2, 1);       /* value */
    if (!lua_isnil(L, -1)) {
        take_value(L, c, a);
        a->found = true;
    }
    lua_pop(L, 1);
}

/* (asking); upvalue: the function. What it is given is made here, so that a second run gets it as it was. */
static int fact_body(lua_State *L)
{
    struct asking *a = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1)); /* fn */
    call_function(L, a);
    return 0;
}

/* --- asking ------------------------------------------------------------------------------------------------------------ */

static void nothing_to_undo(void *ctx)
{
    (void)ctx;
}

static int call(struct vm *v, struct bind_state *st, int fn, lua_CFunction body, enum bind_phase as, void *what, struct err *err)
{
    struct bind_context *ctx = st->ctx;
    int rc = bind_push_rule(v, fn, body, err);
    if (rc < 0)
        return rc;
    enum bind_phase phase = ctx->phase;
    ctx->phase = as;
    ctx->eval = NULL; /* there is no cart yet */
    st->serial++;
    vm_set_undo(v, nothing_to_undo, NULL);
    struct bind_measure m;
    bind_measure_begin(&m, v, st, bind_function_of(st, fn), true, 0);
    lua_pushlightuserdata(vm_lua(v), what);
    rc = vm_pcall(v, 1, 0, err);
    bind_measure_end(&m, v, st, rc, true, err);
    vm_set_undo(v, NULL, NULL);
    st->serial++;
    ctx->phase = phase;
    return rc;
}

/* Ours, or the machine's: with such a failure nobody can say that the function is to blame. */
static bool is_the_functions(int rc)
{
    return rc != ERR_NOMEM && rc != ERR_INTERNAL && rc != ERR_IO && rc != ERR_BUSY && rc != ERR_CORRUPT && rc != ERR_FULL;
}

bool fact_next_name(struct slice *rest, struct slice *name)
{
    const char *end = rest->len ? memchr(rest->data, '\n', rest->len) : NULL;
    if (!end)
        return false;
    *name = slice_of(rest->data, (size_t)(end - rest->data));
    *rest = slice_of(end + 1, rest->len - name->len - 1);
    return true;
}

int bind_fact(struct vm *v, const struct bind_fact *f, const struct quote_cart *cart, const struct symbols *symbols, struct quote_fact *out,
              struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct slice *tags = arena_array(st->ctx->arena, cart->customer_tag_count, sizeof *tags);
    assert(st->ctx->arena && st->ctx->conn && cart->customer.len);
    if (!tags)
        return err_set(err, ERR_NOMEM, "out of memory for the tags of a customer");
    for (size_t i = 0; i < cart->customer_tag_count; i++)
        tags[i] = symbols_name(symbols, cart->customer_tags[i]);
    const struct fact_about about = { cart->customer, cart->at_ms, tags, cart->customer_tag_count };
    struct asking a = { .fact = f, .about = &about, .out = out };
    *out = (struct quote_fact){ .name = f->symbol, .text = { "", 0 } };
    int rc = call(v, st, f->fn, fact_body, BIND_PHASE_RULE, &a, err);
    if (rc == 0)
        return a.found;
    if (!is_the_functions(rc))
        return rc;
    err_wrap(err, "fact %s", f->name);
    bind_report(st, "fact.failed", rc, err);
    out->kind = QUOTE_FACT_FAILED;
    out->number = 0;
    return 1;
}

/* --- codes --------------------------------------------------------------------------------------------------------------- */

struct looking {
    const struct bind_fact *fact;
    const struct quote_cart *cart;
    struct slice code;
    struct bind_code *out;
    bool found;
};

static const char *const refusals[] = { "expired", "not_yet", "used_up",  "already_used", "not_yours",
                                        "sign_in", "stopped", "mistyped", "claim_first",  NULL };

static int64_t take_time(lua_State *L, const struct bind_fact *f, const char *name) /* of the table on top */
{
    int64_t at = 0;
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        if (!lua_isinteger(L, -1))
            luaL_error(L, "the fact %s gives a time as an integer of milliseconds in %s", f->name, name);
        at = lua_tointeger(L, -1);
    }
    lua_pop(L, 1);
    return at;
}

static void take_code(lua_State *L, struct bind_context *c, struct looking *l) /* the table on top */
{
    const struct bind_fact *f = l->fact;
    if (!lua_istable(L, -1))
        luaL_error(L, "the fact %s says of a code { stands_for = CAMPAIGN } or { refused = \"expired\" }, or nothing", f->name);
    if (lua_getfield(L, -1, "stands_for") == LUA_TSTRING) {
        struct slice id = bind_check_slice(L, -1, f->name);
        if (!is_name(id))
            luaL_error(L, "the fact %s says that a code stands for something that is no campaign's id", f->name);
        l->out->stands_for = arena_copy(c->arena, id);
        if (!l->out->stands_for.data)
            luaL_error(L, "out of memory for the fact %s", f->name);
    }
    lua_pop(L, 1);
    if (lua_getfield(L, -1, "refused") == LUA_TSTRING) {
        struct slice why = bind_check_slice(L, -1, f->name);
        for (size_t i = 0; refusals[i] && !l->out->refused; i++)
            l->out->refused = slice_is(why, refusals[i]) ? refusals[i] : NULL;
        if (!l->out->refused)
            luaL_error(L,
                       "the fact %s refuses a code with a word that there is not; there are expired, not_yet, used_up, already_used, "
                       "not_yours, sign_in, stopped, mistyped and claim_first",
                       f->name);
    }
    lua_pop(L, 1);
    l->out->from_ms = take_time(L, f, "from");
    l->out->to_ms = take_time(L, f, "to");
    if (!l->out->refused == (l->out->stands_for.len == 0))
        luaL_error(L, "the fact %s says of a code either what it stands for or why it is refused", f->name);
    l->found = true;
}

static int code_body(lua_State *L) /* (looking); upvalue: the function */
{
    struct looking *l = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_pushvalue(L, lua_upvalueindex(1)); /* fn */
    l->found = false;
    bind_push_slice(L, l->code);
    lua_createtable(L, 0, 2); /* fn code about */
    if (l->cart->customer.len) {
        bind_push_slice(L, l->cart->customer);
        lua_setfield(L, -2, "customer");
    }
    lua_pushinteger(L, l->cart->at_ms);
    lua_setfield(L, -2, "now");
    lua_call(L, 2, 1); /* said */
    if (!lua_isnil(L, -1))
        take_code(L, bind_state(L)->ctx, l);
    lua_pop(L, 1);
    return 0;
}

int bind_code(struct vm *v, const struct bind_fact *f, struct slice code, const struct quote_cart *cart, struct bind_code *out,
              struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct looking l = { .fact = f, .cart = cart, .code = code, .out = out };
    *out = (struct bind_code){ .stands_for = { "", 0 } };
    int rc = call(v, st, f->fn, code_body, BIND_PHASE_CHECK, &l, err);
    if (rc == 0)
        return l.found;
    if (!is_the_functions(rc))
        return rc;
    err_wrap(err, "fact %s", f->name);
    bind_report(st, "fact.failed", rc, err);
    *out = (struct bind_code){ .stands_for = { "", 0 }, .refused = "failed" };
    return 1;
}

/* --- inside of a procedure --------------------------------------------------------------------------------------------- */

static int inside_body(lua_State *L) /* (asking) */
{
    struct asking *a = lua_touserdata(L, 1);
    lua_settop(L, 0);
    vm_push_ref(bind_state(L)->vm, vm_function(bind_state(L)->vm, a->fact->fn));
    call_function(L, a);
    return 0;
}

bool fact_ask_inside(lua_State *L, struct bind_context *c, const struct bind_fact *f, const struct fact_about *about,
                     struct quote_fact *out)
{
    struct asking a = { .fact = f, .about = about, .out = out };
    enum bind_phase phase = c->phase;
    *out = (struct quote_fact){ .name = f->symbol, .text = { "", 0 } };
    luaL_checkstack(L, 6, "facts");
    vm_charge(L, 100);
    lua_pushcfunction(L, inside_body);
    lua_pushlightuserdata(L, &a);
    c->phase = BIND_PHASE_RULE;
    int before = c->plugins->enter(c->plugins_ctx, f->fn), status = bind_try_function(L, f->fn, 1, 0);
    bool says = status != LUA_OK && lua_type(L, -1) == LUA_TSTRING;
    c->plugins->leave(c->plugins_ctx, before, status != LUA_OK, says ? bind_check_slice(L, -1, "the error") : slice_str(""));
    c->phase = phase;
    vm_charge(L, 10); /* a budget that has ended goes on to its end here */
    if (status == LUA_OK)
        return a.found;
    lua_pop(L, 1);
    out->kind = QUOTE_FACT_FAILED;
    return true;
}
