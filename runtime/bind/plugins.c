#include "bind/plugins.h"
#include "base/log.h"
#include "bind/bind_int.h"
#include "bind/measure.h"
#include "journal/events.h"
#include "journal/journal.h"
#include <stdio.h>
#include <string.h>

enum { PAYLOAD_MAX = 16384 };

static const struct bind_plugin *plugin_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

static int checked(lua_State *L, const struct schema *schema, const struct json_value *v, const char *what)
{
    struct err err = { 0 };
    if (!schema || schema_check(schema, v, &err) == 0)
        return 0;
    return luaL_error(L, "%s: %s%s%s", what, err.field, err.field[0] ? ": " : "", err.text);
}

/* --- procedures --------------------------------------------------------------------------------------------------------- */

static int no_procedure(lua_State *L, const struct err *err)
{
    return bind_raise(L, err);
}

/* The value at `index` in another world: plugins hand each other copies, never tables. */
static void push_copy(lua_State *L, int index, struct arena *arena)
{
    if (lua_istable(L, index))
        vm_push_json_nulls(L, vm_check_json(L, index, arena));
    else
        lua_pushvalue(L, index);
}

/* What failed inside of a call has perhaps written already, and the caller can't take it back: his failure goes on to the end of the
 * procedure, whether he catches it or not. */
static int failed_inside(lua_State *L)
{
    bind_state(L)->ctx->broken = true;
    return vm_rethrow(L);
}

int bind_try_plugin(lua_State *L, const struct bind_context *c, int fn, int nresults)
{
    int before = fn >= 0 ? c->plugins->enter(c->plugins_ctx, fn) : 0;
    size_t string_max = vm_set_string_max(bind_state(L)->vm, fn >= 0 ? 0 : BIND_STRING_MAX);
    int rc = fn >= 0 ? bind_try_function(L, fn, 1, nresults) : vm_try(L, 1, nresults);
    vm_set_string_max(bind_state(L)->vm, string_max);
    bool says = rc != LUA_OK && lua_type(L, -1) == LUA_TSTRING;
    if (fn >= 0)
        c->plugins->leave(c->plugins_ctx, before, rc != LUA_OK, says ? bind_check_slice(L, -1, "the error") : slice_str(""));
    return rc;
}

struct json_value *bind_shop_call_args(const struct bind_plugin *caller, const struct json_value *args, struct arena *arena)
{
    struct json_value *out = json_new(arena, JSON_OBJECT), *who = json_new_string(arena, slice_str(caller->name));
    if (!out || !who)
        return NULL;
    /* In front: whatever the arguments hold, this is the one that is found. */
    who->key = SLICE_LIT("plugin");
    who->next = args->first;
    out->first = who;
    out->count = args->count + 1;
    return out;
}

static int l_call(lua_State *L) /* (name, args?, { key }?) -> what it returns; upvalue: the plugin */
{
    const struct bind_plugin *p = plugin_of(L);
    struct bind_context *c = bind_require_wait(L, BIND_STORE, "plugin.call()");
    if (c->phase == BIND_PHASE_HANDLER)
        return bind_call_and_wait(L, p);
    struct slice name = bind_check_slice(L, 1, "the procedure's name");
    struct bind_procedure found = { 0 };
    struct err err = { 0 };
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (!c->plugins)
        return luaL_error(L, "there are no plugins here");
    if (c->plugins->procedure(c->plugins_ctx, p, name, &found, &err) < 0)
        return no_procedure(L, &err);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    struct json_value *args = vm_check_json(L, 2, c->arena);
    checked(L, found.args, args, lua_tostring(L, 1));
    vm_charge(L, 100);
    if (found.stdlib && !(args = bind_shop_call_args(p, args, c->arena)))
        return luaL_error(L, "out of memory for a call");
    if (found.stdlib)
        bind_push_stdlib(L, slice_str(found.stdlib));
    else
        vm_push_ref(bind_state(L)->vm, vm_function(bind_state(L)->vm, found.fn));
    vm_push_json_nulls(L, args);
    if (bind_try_plugin(L, c, found.stdlib ? -1 : found.fn, 1) != LUA_OK)
        return failed_inside(L);
    push_copy(L, 3, c->arena);
    return 1;
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

static struct slice payload_text(lua_State *L, const struct json_value *payload, struct arena *arena)
{
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, arena);
    json_writer_init(&w, &b.buf);
    json_value_write(&w, payload);
    bind_buf_check(L, &b);
    if (b.buf.len > PAYLOAD_MAX)
        luaL_error(L, "an event carries at most %d bytes", PAYLOAD_MAX);
    return buf_slice(&b.buf);
}

/* What goes by the same key is heard in its order: "order ord_..."; "" when it has none. */
static struct slice order_key(lua_State *L, const struct bind_event *e, const struct json_value *payload, struct arena *arena)
{
    static const char *const usual[] = { "order", "customer", "sku", "campaign", NULL };
    const char *const named[] = { e->key, NULL };
    struct slice value, key = slice_str("");
    int64_t number;
    for (const char *const *name = e->key ? named : usual; *name && key.len == 0; name++) {
        const struct json_value *v = json_get(payload, *name);
        if (json_is_string(v, &value))
            key = arena_printf(arena, "%s %.*s", *name, SLICE_FMT(value));
        else if (json_is_int(v, &number))
            key = arena_printf(arena, "%s %lld", *name, (long long)number);
        if (!key.data)
            luaL_error(L, "out of memory for an event");
    }
    return key;
}

/* Kept in the transaction: so it comes after the commit, and also after a crash. */
static void run_later(lua_State *L, struct bind_context *c, const struct bind_subscriber *s, struct slice event, struct slice key,
                      const struct json_value *payload)
{
    struct err err = { 0 };
    struct slice text = payload_text(L, payload, c->arena), who = arena_printf(c->arena, BIND_PLUGIN_TIMER "%s", s->plugin);
    if (!who.data)
        luaL_error(L, "out of memory for an event");
    if (event_add(c->conn, who, event, key, text, c->now_ms, &err) < 0)
        bind_raise(L, &err);
}

static void run_now(lua_State *L, const struct bind_subscriber *s, const struct json_value *payload)
{
    vm_charge(L, 100);
    luaL_checkstack(L, 4, "events");
    vm_push_ref(bind_state(L)->vm, vm_function(bind_state(L)->vm, s->fn));
    vm_push_json_value(L, payload);
    if (bind_try_plugin(L, bind_state(L)->ctx, s->fn, 0) != LUA_OK)
        failed_inside(L);
}

/* ["TEN", ...], as they were typed. */
static struct json_value *codes_of(lua_State *L, struct bind_context *c, const struct quote_cart *cart)
{
    struct json_value *out = json_new(c->arena, JSON_ARRAY), *last = NULL;
    for (size_t i = 0; out && i < cart->code_count; i++) {
        struct json_value *one = json_new_string(c->arena, cart->codes[i]);
        if (!one)
            luaL_error(L, "out of memory for an event");
        json_append(out, last, one);
        last = one;
    }
    if (!out)
        luaL_error(L, "out of memory for an event");
    out->key = SLICE_LIT("codes");
    return out;
}

/* What the client sent with the order that is being placed, for the plugin that hears of it: each gets its own only. */
static const struct json_value *with_inputs(lua_State *L, struct bind_context *c, const struct json_value *payload, const char *plugin)
{
    const struct quote_cart *cart = c->quote->result->cart;
    const struct json_value *own = json_get(cart->inputs, plugin);
    bool codes = cart->code_count && c->plugins->looks_at_codes && c->plugins->looks_at_codes(c->plugins_ctx, plugin);
    if (!own && !codes)
        return payload;
    struct json_value *out = json_new(c->arena, JSON_OBJECT), *last = NULL, *copy;
    for (const struct json_value *m = payload->first; out && m; m = m->next, last = copy) {
        if (!(copy = arena_alloc(c->arena, sizeof *copy)))
            break;
        *copy = *m;
        copy->next = NULL;
        json_append(out, last, copy);
    }
    if (!out || out->count != payload->count)
        luaL_error(L, "out of memory for an event");
    if (own) {
        if (!(copy = arena_alloc(c->arena, sizeof *copy)))
            luaL_error(L, "out of memory for an event");
        *copy = *own;
        copy->next = NULL;
        copy->key = SLICE_LIT("inputs");
        json_append(out, last, copy);
        last = copy;
    }
    if (codes)
        json_append(out, last, codes_of(L, c, cart));
    return out;
}

void bind_tell(lua_State *L, struct slice event, const struct bind_event *e, const struct json_value *payload)
{
    struct bind_context *c = bind_state(L)->ctx;
    bool inputs = c->quote && (c->quote->result->cart->inputs || c->quote->result->cart->code_count) && slice_is(event, "order.placed");
    for (size_t i = 0; i < e->count; i++) {
        const struct json_value *its = inputs ? with_inputs(L, c, payload, e->list[i].plugin) : payload;
        if (e->list[i].after_commit)
            run_later(L, c, &e->list[i], event, order_key(L, e, payload, c->arena), its);
        else
            run_now(L, &e->list[i], its);
    }
    struct err err = { 0 };
    if (e->published && c->plugins->publish(c->plugins_ctx, event, order_key(L, e, payload, c->arena), payload, &err) < 0)
        bind_raise(L, &err);
}

static int emit(lua_State *L, const struct bind_plugin *from) /* (event, payload) */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "emitting an event");
    struct slice name = bind_check_slice(L, 1, "the event's name");
    struct bind_event e = { 0 };
    struct err err = { 0 };
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    if (!c->plugins)
        return 0;
    if (c->plugins->event(c->plugins_ctx, from, name, c->arena, &e, &err) < 0)
        return bind_raise(L, &err);
    struct json_value *payload = vm_check_json(L, 2, c->arena);
    if (from) /* the stdlib's payloads are tested; an order must not depend on it */
        checked(L, e.payload, payload, lua_tostring(L, 1));
    struct slice whole = from ? arena_printf(c->arena, "%s.%.*s", from->name, SLICE_FMT(name)) : name;
    bind_tell(L, whole, &e, payload);
    return 0;
}

static int l_emit(lua_State *L) /* (event, payload); upvalue: the plugin */
{
    return emit(L, plugin_of(L));
}

static int l_heard(lua_State *L) /* (event) -> boolean: whether a plugin or an endpoint hears this event of the shop */
{
    struct bind_context *c = bind_require(L, BIND_PROCEDURE, "emitting an event");
    struct slice name = bind_check_slice(L, 1, "the event's name");
    struct bind_event e = { 0 };
    struct err err = { 0 };
    if (c->plugins && c->plugins->event(c->plugins_ctx, NULL, name, c->arena, &e, &err) < 0)
        return bind_raise(L, &err);
    lua_pushboolean(L, e.count > 0 || e.published);
    return 1;
}

static int l_emit_core(lua_State *L)
{
    return emit(L, NULL);
}

void bind_open_events(lua_State *L)
{
    static const luaL_Reg functions[] = { { "emit", l_emit_core }, { "heard", l_heard }, { NULL, NULL } };
    luaL_newlib(L, functions);
}

/* --- timers --------------------------------------------------------------------------------------------------------------- */

static struct slice timer_name(lua_State *L, struct bind_context *c)
{
    const struct bind_plugin *p = plugin_of(L);
    struct slice name = bind_check_slice(L, 1, "the timer's name");
    for (size_t i = 0; p->timers[i]; i++)
        if (slice_is(name, p->timers[i]))
            return arena_printf(c->arena, BIND_PLUGIN_TIMER "%s.%s", p->name, p->timers[i]);
    const char *near = nearest_word(name, p->timers);
    if (near)
        luaL_error(L, "the plugin %s has no timer '%s'; did you mean '%s'?", p->name, lua_tostring(L, 1), near);
    luaL_error(L, "the plugin %s has no timer '%s'; add it to timers in its plugin.lua", p->name, lua_tostring(L, 1));
    return slice_str("");
}

static int l_timer_set(lua_State *L) /* (name, key, due_ms); upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "timers.set()");
    struct slice procedure = timer_name(L, c), key = bind_check_slice(L, 2, "the key");
    struct err err = { 0 };
    vm_charge(L, 200);
    if (timer_set(c->conn, procedure, key, bind_check_int(L, 3, "the time"), &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

static int l_timer_cancel(lua_State *L) /* (name, key); upvalue: the plugin */
{
    struct bind_context *c = bind_require_wait(L, BIND_PROCEDURE, "timers.cancel()");
    struct slice procedure = timer_name(L, c), key = bind_check_slice(L, 2, "the key");
    struct err err = { 0 };
    vm_charge(L, 200);
    if (timer_cancel(c->conn, procedure, key, &err) < 0)
        return bind_raise(L, &err);
    return 0;
}

/* --- the modules ------------------------------------------------------------------------------------------------------------ */

struct making {
    const struct bind_plugin *plugin;
    vm_ref settings, out[2];
};

static void method(lua_State *L, const struct bind_plugin *p, const char *name, lua_CFunction f)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    lua_pushcclosure(L, f, 1);
    lua_setfield(L, -2, name);
}

static int modules_body(lua_State *L) /* (making) */
{
    struct making *m = lua_touserdata(L, 1);
    const struct bind_plugin *p = m->plugin;
    lua_newtable(L);
    lua_pushstring(L, p->name);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, p->version);
    lua_setfield(L, -2, "version");
    vm_push_ref(bind_state(L)->vm, m->settings);
    lua_setfield(L, -2, "settings");
    method(L, p, "call", l_call);
    method(L, p, "emit", l_emit);
    method(L, p, "check", bind_plugin_check);
    bind_plugin_pins(L, p);
    bind_plugin_made(L, p);
    bind_plugin_sign(L, p);
    m->out[0] = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_newtable(L);
    method(L, p, "set", l_timer_set);
    method(L, p, "cancel", l_timer_cancel);
    m->out[1] = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int bind_plugin_modules(struct vm *v, const struct bind_plugin *p, vm_ref settings, vm_ref *plugin, vm_ref *timers, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct making m = { .plugin = p, .settings = settings };
    lua_pushcfunction(L, modules_body);
    lua_pushlightuserdata(L, &m);
    int rc = vm_pcall(v, 1, 0, err);
    *plugin = m.out[0];
    *timers = m.out[1];
    return rc;
}

struct module {
    const struct bind_plugin *plugin;
    const luaL_Reg *functions;
    vm_ref out;
};

static int module_body(lua_State *L) /* (module) */
{
    struct module *m = lua_touserdata(L, 1);
    lua_newtable(L);
    lua_pushlightuserdata(L, (void *)(uintptr_t)m->plugin);
    luaL_setfuncs(L, m->functions, 1);
    m->out = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int bind_plugin_module(struct vm *v, const struct bind_plugin *p, const luaL_Reg *functions, vm_ref *out, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct module m = { .plugin = p, .functions = functions };
    *out = 0;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory for a plugin");
    lua_pushcfunction(L, module_body);
    lua_pushlightuserdata(L, &m);
    int rc = vm_pcall(v, 1, 0, err);
    *out = m.out;
    return rc;
}
