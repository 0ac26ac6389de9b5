#include "bind/bind.h"
#include "bind/bind_int.h"
#include "bind/measure.h"
#include "bind/plugins.h"
#include "base/log.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

static const struct bind_module modules[] = {
    { "feira.money", bind_open_money },
    { "feira.json", bind_open_json },
    { "feira.time", bind_open_time },
    { "feira.ids", bind_open_ids },
    { "feira.log", bind_open_log },
    { "feira.fail", bind_open_fail },
    { "feira.sql", bind_open_sql },
    { "feira.ledger", bind_open_ledger },
    { "feira.timers", bind_open_timers },
    { "feira.quote", bind_open_quote },
    { "feira.catalogue", bind_open_catalogue },
    { "feira.events", bind_open_events },
    { "feira.checks", bind_open_checks },
    { "feira.crypto", bind_open_crypto },
    { "feira.shop", bind_open_shop },
};

/* How much memory one call may add to its state. What is collected between requests stays small by it. */
enum { RULE_GROWTH_BYTES = 16 << 20 };

/* --- opening ----------------------------------------------------------------------------------------------------- */
struct opening {
    struct vm *vm;
    struct bind_context *ctx;
};

static int open_body(lua_State *L) /* (opening) */
{
    struct opening *o = lua_touserdata(L, 1);
    struct bind_state *st = lua_newuserdatauv(L, sizeof *st, 0); /* lives as long as the Lua state */
    memset(st, 0, sizeof *st);
    st->ctx = o->ctx;
    st->vm = o->vm;
    luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    st->rules = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    st->hooks = luaL_ref(L, LUA_REGISTRYINDEX);
    vm_set_context(o->vm, st);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
        modules[i].open(L);
        vm_provide(L, modules[i].name);
    }
    bind_open_cart(L);
    return 0;
}

int bind_open(const struct vm_options *o, struct bind_context *ctx, struct vm **out, struct err *err)
{
    *out = NULL;
    struct vm *v;
    int rc = vm_open(o, &v, err);
    if (rc < 0)
        return rc;
    struct opening opening = { v, ctx };
    lua_State *L = vm_lua(v);
    lua_pushcfunction(L, open_body);
    lua_pushlightuserdata(L, &opening);
    rc = vm_pcall(v, 1, 0, err);
    if (rc == 0) {
        vm_set_resolver(v, bind_resolve, NULL);
        struct bind_state *st = vm_context(L);
        rc = vm_run(v, SLICE_LIT("return require"), "stdlib/require.lua", &st->require, err);
    }
    if (rc < 0) {
        vm_close(v);
        return rc;
    }
    *out = v;
    return 0;
}

struct bind_context *bind_context_of(struct vm *vm)
{
    return bind_state(vm_lua(vm))->ctx;
}

/* --- calls by name -------------------------------------------------------------------------------------------------- */
static struct slice copy_of_body(lua_State *L, int body, struct arena *arena)
{
    if (lua_isnil(L, body))
        return slice_str("");
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, arena);
    json_writer_init(&w, &b.buf);
    bind_write_json(L, body, &w, arena);
    bind_buf_check(L, &b);
    return buf_slice(&b.buf);
}

static void take_topic(lua_State *L, struct bind_calling *c, struct arena *arena) /* result body */
{
    lua_getfield(L, 1, "topic"); /* result body topic */
    if (lua_isnil(L, 3))
        return;
    *c->topic = arena_copy(arena, bind_check_topic(L, 3));
    if (!c->topic->data)
        luaL_error(L, "out of memory for an answer");
}

/* (nil, why, code?) -> { why, code } in the place of the nil; stays as it is when it is not said. */
static void push_why(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return;
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, "why");
    if (lua_type(L, 3) == LUA_TSTRING) {
        lua_pushvalue(L, 3);
        lua_setfield(L, -2, "code");
    }
    lua_replace(L, 1);
}

static int call_ended(lua_State *L, int resumed, lua_KContext k) /* result */
{
    struct bind_calling *c = (struct bind_calling *)k;
    const struct bind_context *ctx = bind_state(L)->ctx;
    (void)resumed;
    if (ctx->broken)
        return luaL_error(L, "a procedure or subscriber that was called failed, and its caller went on; everything is taken back");
    if (c->why && lua_isnil(L, 1))
        push_why(L);
    if (c->value)
        *c->value = copy_of_body(L, 1, ctx->arena);
    if (!c->out)
        return 0;
    if (lua_isnil(L, 1)) {
        *c->out = (struct bind_answer){ 200, slice_str("") };
        return 0;
    }
    if (!lua_istable(L, 1))
        return luaL_error(L, "%s returns { status, body }, not a %s", lua_tostring(L, lua_upvalueindex(2)), luaL_typename(L, 1));
    int64_t status = bind_field_int(L, 1, "status", true, 0);
    if (status < 200 || status > 299)
        return luaL_error(L, "%s answers with status %d; failures go through feira.fail", lua_tostring(L, lua_upvalueindex(2)),
                          (int)status);
    lua_getfield(L, 1, "body"); /* result body */
    *c->out = (struct bind_answer){ (int)status, copy_of_body(L, 2, ctx->arena) };
    if (c->topic)
        take_topic(L, c, ctx->arena);
    return 0;
}

/* (calling); upvalues: the function, its name. Its own closure for each name, so that vm/ can tell the slow ones apart. */
static int call_body(lua_State *L)
{
    struct bind_calling *c = lua_touserdata(L, 1);
    struct bind_context *ctx = bind_state(L)->ctx;
    lua_settop(L, 0);
    ctx->broken = false;
    lua_pushvalue(L, lua_upvalueindex(1)); /* fn */
    if (c->args)
        vm_push_json_nulls(L, c->args); /* fn args */
    else
        lua_newtable(L);
    if (ctx->quote) {
        bind_push_quote(L);
        lua_setfield(L, 2, "quote");
    }
    lua_callk(L, 1, c->why ? 3 : 1, (lua_KContext)c,
              call_ended); /* result, why, code; a task may wait in it, and goes on in call_ended() */
    return call_ended(L, LUA_OK, (lua_KContext)c);
}
void bind_push_stdlib(lua_State *L, struct slice name)
{
    const char *dot = memchr(name.data, '.', name.len);
    size_t module_len = dot ? (size_t)(dot - name.data) : 0;
    const char *whole = lua_pushlstring(L, name.data, name.len); /* name */
    int at = lua_gettop(L);
    if (!dot || module_len == 0)
        luaL_error(L, "a procedure is named module.function, not \"%s\"", whole);
    luaL_checkstack(L, 4, "a procedure");
    vm_push_ref(bind_state(L)->vm, bind_state(L)->require);
    lua_pushfstring(L, "feira.%s", lua_pushlstring(L, name.data, module_len)); /* name require module_name full_name */
    lua_remove(L, at + 2);                                                     /* name require full_name */
    lua_call(L, 1, 1);                                                         /* name module */
    lua_pushlstring(L, dot + 1, name.len - module_len - 1);                    /* name module function_name */
    lua_gettable(L, at + 1);                                                   /* name module function */
    if (!lua_isfunction(L, -1))
        luaL_error(L, "there is no procedure \"%s\"", whole);
    lua_replace(L, at); /* function module */
    lua_settop(L, at);
}

/* "orders.place": function `place` of module "feira.orders". */
static int find_body(lua_State *L) /* (calling) */
{
    struct bind_calling *c = lua_touserdata(L, 1);
    bind_push_stdlib(L, c->name);
    lua_pushlstring(L, c->name.data, c->name.len); /* calling function name */
    lua_pushcclosure(L, call_body, 2);             /* calling call */
    c->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

static int find_call(struct vm *v, struct bind_state *st, struct bind_calling *c, struct err *err)
{
    for (size_t i = 0; i < st->call_count; i++) {
        if (slice_is(c->name, st->calls[i].name)) {
            c->ref = st->calls[i].call;
            return 0;
        }
    }
    if (st->call_count == BIND_CALLS_MAX || c->name.len >= BIND_NAME_MAX)
        return err_set(err, ERR_INTERNAL, "Too many different procedures are called by name; raise BIND_CALLS_MAX.");
    lua_State *L = vm_lua(v);
    lua_pushcfunction(L, find_body);
    lua_pushlightuserdata(L, c);
    int rc = vm_pcall(v, 1, 0, err);
    if (rc < 0)
        return rc;
    memcpy(st->calls[st->call_count].name, c->name.data, c->name.len);
    st->calls[st->call_count].name[c->name.len] = 0;
    st->calls[st->call_count++].call = c->ref;
    return 0;
}

int bind_prepare(struct vm *v, struct slice name, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct bind_calling c = { .name = name };
    vm_set_undo(v, NULL, NULL);
    return find_call(v, st, &c, err);
}

static void nothing_to_undo(void *ctx)
{
    (void)ctx;
}

/* Pops nothing: the call is c's, its closure is on the stack. */
static int run_call(struct vm *v, struct bind_state *st, struct bind_calling *c, struct err *err)
{
    struct bind_context *ctx = st->ctx;
    if (ctx->phase == BIND_PHASE_HANDLER)
        vm_set_undo(v, nothing_to_undo, NULL);
    else if (ctx->undo)
        vm_set_undo(v, ctx->undo, ctx->host_ctx);
    st->serial++;
    size_t string_max = vm_set_string_max(v, c->name.len ? BIND_STRING_MAX : 0);
    lua_pushlightuserdata(vm_lua(v), c);
    int rc = vm_pcall(v, 1, 0, err);
    vm_set_string_max(v, string_max);
    st->serial++; /* handles of this call are dead */
    vm_set_undo(v, NULL, NULL);
    return rc;
}

void bind_begin(struct bind_context *ctx, enum bind_phase phase, struct store_conn *conn, struct arena *arena)
{
    ctx->phase = phase;
    ctx->conn = conn;
    ctx->now_ms = clock_wall_ms(ctx->clock);
    ctx->arena = arena;
    ctx->quote = NULL;
}

void bind_end(struct bind_context *ctx)
{
    ctx->phase = BIND_PHASE_LOAD;
    ctx->quote = NULL;
}

int bind_call(struct vm *v, struct slice name, const struct json_value *args, struct bind_answer *out, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct bind_context *ctx = st->ctx;
    assert(ctx->phase == BIND_PHASE_HANDLER || ctx->phase == BIND_PHASE_PROCEDURE);
    assert(ctx->arena && ctx->conn);
    *out = (struct bind_answer){ 0, { "", 0 } };
    struct bind_calling c = { .name = name, .args = args, .out = out };
    vm_set_undo(v, NULL, NULL); /* a module that is loaded half can't be taken back */
    int rc = find_call(v, st, &c, err);
    if (rc < 0)
        return rc;
    vm_push_ref(v, c.ref);
    struct bind_measure m;
    bind_measure_begin(&m, v, st, NULL, false, 0);
    rc = run_call(v, st, &c, err);
    bind_measure_end(&m, v, st, rc, true, err);
    return rc;
}

static int make_hook(lua_State *L) /* (hooks, number, function) -> closure */
{
    int fn = (int)lua_tointeger(L, 2);
    lua_pushfstring(L, "function %d of the plugins", fn);
    lua_pushcclosure(L, call_body, 2); /* hooks number closure */
    lua_pushvalue(L, 3);
    lua_rawseti(L, 1, fn);
    return 1;
}

int bind_push_hook(struct vm *v, int fn, struct err *err)
{
    lua_State *L = vm_lua(v);
    const struct bind_state *st = vm_context(L);
    if (!lua_checkstack(L, 8))
        return err_set(err, ERR_MEMORY_CAP, "There is no memory left to call a plugin.");
    lua_rawgeti(L, LUA_REGISTRYINDEX, st->hooks);
    bool made = lua_rawgeti(L, -1, fn) == LUA_TFUNCTION;
    lua_remove(L, made ? -2 : -1);
    if (!made) { /* hooks */
        vm_ref ref = vm_function(v, fn);
        if (!ref) {
            lua_pop(L, 1);
            return err_set(err, ERR_INTERNAL, "A plugin names function %d, which this Lua state does not have.", fn);
        }
        vm_set_undo(v, NULL, NULL);
        lua_pushcfunction(L, make_hook);
        lua_insert(L, -2);
        lua_pushinteger(L, fn);
        vm_push_ref(v, ref); /* make_hook hooks number function */
        return vm_pcall(v, 3, 1, err);
    }
    return 0;
}

static int call_hook(struct vm *v, int fn, struct bind_calling *c, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    assert(st->ctx->arena && st->ctx->conn);
    int rc = bind_push_hook(v, fn, err);
    if (rc < 0)
        return rc;
    struct bind_measure m;
    bind_measure_begin(&m, v, st, bind_function_of(st, fn), false, BIND_PLUGIN_GROWTH_BYTES);
    rc = run_call(v, st, c, err);
    bind_measure_end(&m, v, st, rc, true, err);
    return rc;
}

int bind_call_function(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct err *err)
{
    struct bind_calling c = { .args = args, .out = out };
    if (out)
        *out = (struct bind_answer){ 0, { "", 0 } };
    return call_hook(v, fn, &c, err);
}

int bind_call_stream(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct slice *topic, struct err *err)
{
    struct bind_calling c = { .args = args, .out = out, .topic = topic };
    *out = (struct bind_answer){ 0, { "", 0 } };
    *topic = slice_str("");
    return call_hook(v, fn, &c, err);
}

int bind_call_stdlib(struct vm *v, struct slice name, const struct json_value *args, struct slice *value, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct bind_calling c = { .name = name, .args = args, .value = value };
    *value = slice_str("");
    vm_set_undo(v, NULL, NULL); /* as in bind_call() */
    int rc = find_call(v, st, &c, err);
    if (rc < 0)
        return rc;
    vm_push_ref(v, c.ref);
    return run_call(v, st, &c, err);
}

int bind_call_value(struct vm *v, int fn, const struct json_value *args, struct slice *value, struct err *err)
{
    struct bind_calling c = { .args = args, .value = value };
    *value = slice_str("");
    return call_hook(v, fn, &c, err);
}

/* --- functions of campaigns ------------------------------------------------------------------------------------------
 *
 * A rule runs free of counting at first. When that proves slow, vm/ would run it again at once, but what it did to the cart has to
 * be taken back before, and that is the kernel's: so the second run does nothing, ERR_RETRY tells the kernel to undo and call
 * again, and that call is counted. A rule that then uses much fuel is counted from the start as long as this state lives; one
 * that only had a bad moment is not. */
enum { SLOW_FUEL = 200000 }; /* as vm/ judges the calls it repeats itself: some 0.8 ms */
struct ruling {
    bool *holds;               /* NULL for an action */
    void (*ask)(lua_State *L); /* for what is no campaign's: gets the function, and tells the kernel what it gives */
    bool abandoned;            /* the free run was too slow */
};

static void abandon(void *ctx)
{
    ((struct ruling *)ctx)->abandoned = true;
}

static int rule_body(lua_State *L) /* (ruling); upvalue: the function. One closure for each, so that vm/ can tell the slow ones apart */
{
    struct ruling *r = lua_touserdata(L, 1);
    if (r->abandoned)
        return 0;
    lua_settop(L, 0);
    if (r->ask) {
        lua_pushvalue(L, lua_upvalueindex(1));
        r->ask(L);
        return 0;
    }
    lua_pushvalue(L, lua_upvalueindex(1)); /* fn */
    bind_push_cart(L);                     /* fn cart */
    lua_call(L, 1, 1);                     /* result */
    if (r->holds)
        *r->holds = lua_toboolean(L, 1);
    return 0;
}

static int make_rule(lua_State *L) /* (rules, fn number, body, function) */
{
    lua_pushcclosure(L, lua_tocfunction(L, 3), 1); /* rules number body rule */
    lua_rawseti(L, 1, lua_tointeger(L, 2));
    return 0;
}

int bind_push_rule(struct vm *v, int fn, lua_CFunction body, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct bind_state *st = vm_context(L);
    if (!lua_checkstack(L, 8))
        return err_set(err, ERR_MEMORY_CAP, "There is no memory left to run a rule.");
    for (int attempt = 0; attempt < 2; attempt++) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, st->rules); /* rules */
        if (lua_rawgeti(L, -1, fn) == LUA_TFUNCTION) {
            lua_remove(L, -2); /* rule */
            return 0;
        }
        lua_pop(L, 2);
        vm_ref ref = vm_function(v, fn);
        if (!ref)
            break;
        lua_pushcfunction(L, make_rule);
        lua_rawgeti(L, LUA_REGISTRYINDEX, st->rules);
        lua_pushinteger(L, fn);
        lua_pushcfunction(L, body);
        vm_push_ref(v, ref);
        int rc = vm_pcall(v, 4, 0, err);
        if (rc < 0)
            return rc;
    }
    return err_set(err, ERR_INTERNAL, "The rulebook names function %d, which this Lua state does not have.", fn);
}

void bind_report(struct bind_state *st, const char *event, int rc, const struct err *err)
{
    struct bind_context *ctx = st->ctx;
    if (!ctx->log || !ctx->clock || !err || rc == ERR_RETRY)
        return;
    int64_t now_ns = clock_mono_ns(ctx->clock);
    if (st->reported_ns && now_ns - st->reported_ns < 1000000000) {
        st->unreported++;
        return;
    }
    log_warn(ctx->log, event, err->text, LOG_STR("reason", err_name(rc)), LOG_INT("more_since_last", st->unreported));
    st->reported_ns = now_ns;
    st->unreported = 0;
}

static bool is_slow(const struct bind_state *st, int fn)
{
    return fn < BIND_SLOW_MAX && st->slow_rules[fn / 64] >> (fn % 64) & 1;
}

static void remember_slow(struct bind_state *st, int fn)
{
    if (fn < BIND_SLOW_MAX)
        st->slow_rules[fn / 64] |= (uint64_t)1 << (fn % 64);
}

static int run_rule(struct vm *v, int fn, struct quote_eval *e, struct ruling ruling, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(v));
    struct bind_context *ctx = st->ctx;
    assert(ctx->arena && fn >= 0);
    int rc = bind_push_rule(v, fn, rule_body, err);
    if (rc < 0)
        return rc;
    enum bind_phase phase = ctx->phase;
    bool counted = st->count_next || is_slow(st, fn);
    uint64_t fuel = vm_stats(v).fuel;
    ctx->phase = BIND_PHASE_RULE;
    ctx->eval = e;
    st->serial++;
    if (!counted)
        vm_set_undo(v, abandon, &ruling);
    struct bind_measure m;
    struct bind_function *f = ruling.ask ? bind_function_of(st, fn) : bind_function_of_campaign(st, quote_eval_campaign(e));
    bind_measure_begin(&m, v, st, f, true, RULE_GROWTH_BYTES);
    lua_pushlightuserdata(vm_lua(v), &ruling);
    rc = vm_pcall(v, 1, 0, err);
    bind_measure_end(&m, v, st, rc, !ruling.abandoned, err);
    vm_set_undo(v, NULL, NULL);
    st->serial++; /* a kept handle is dead */
    ctx->eval = NULL;
    ctx->phase = phase;
    st->count_next = ruling.abandoned;
    if (ruling.abandoned)
        return err_reason(err, ERR_RETRY, "slow", "The rule took longer than a free run may; it runs again, counted.");
    if (counted && vm_stats(v).fuel - fuel > SLOW_FUEL)
        remember_slow(st, fn);
    if (rc < 0)
        bind_report(st, "campaign.failed", rc, err);
    return rc;
}

static int hook_condition(void *ctx, int fn, struct quote_eval *e, bool *holds, struct err *err)
{
    return run_rule(ctx, fn, e, (struct ruling){ .holds = holds }, err);
}

static int hook_action(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    return run_rule(ctx, fn, e, (struct ruling){ 0 }, err);
}

static int hook_pricing(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    return run_rule(ctx, fn, e, (struct ruling){ .ask = bind_ask_prices }, err);
}

static int hook_shipping_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    return run_rule(ctx, fn, e, (struct ruling){ .ask = bind_ask_shipping_rates }, err);
}

static int hook_tax_rates(void *ctx, int fn, struct quote_eval *e, struct err *err)
{
    return run_rule(ctx, fn, e, (struct ruling){ .ask = bind_ask_tax_rates }, err);
}

static bool hook_left(void *ctx, struct slice account, int64_t *left)
{
    const struct bind_context *c = bind_context_of(ctx);
    return c->left && c->left(c->left_ctx, account, left);
}

struct quote_hooks bind_quote_hooks(struct vm *v)
{
    return (struct quote_hooks){ .ctx = v,
                                 .condition = hook_condition,
                                 .action = hook_action,
                                 .pricing = hook_pricing,
                                 .shipping_rates = hook_shipping_rates,
                                 .tax_rates = hook_tax_rates,
                                 .left = hook_left };
}
