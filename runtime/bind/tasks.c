#include "bind/tasks_int.h"
#include "bind/functions.h"
#include "bind/measure.h"
#include "crypto/crypto.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { STEP_UNITS = 1000, STEP_KEY_MAX = 200 };

int bind_task_open(struct vm *v, int fn, const struct json_value *args, struct bind_answer *out, struct bind_task **task, struct err *err)
{
    *task = NULL;
    struct bind_task *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "There is no memory to call a plugin.");
    t->vm = v;
    t->calling = (struct bind_calling){ .args = args, .out = out };
    if (out)
        *out = (struct bind_answer){ 0, { "", 0 } };
    struct bind_state *st = vm_context(vm_lua(v));
    t->function = bind_function_of(st, fn);
    int rc = bind_push_hook(v, fn, err);
    int64_t fuel_was = t->function ? vm_set_fuel(v, t->function->fuel) : 0;
    if (rc == 0)
        rc = vm_task_open(v, &t->calling, &t->lua, err);
    if (t->function)
        vm_set_fuel(v, fuel_was);
    if (rc < 0) {
        bind_task_close(t);
        return rc;
    }
    t->serial = ++st->serial;
    *task = t;
    return 0;
}

void bind_task_want(struct bind_task *t, struct slice *value)
{
    *value = slice_str("");
    t->calling.value = value;
    t->calling.out = NULL; /* it is no answer */
    t->calling.why = true;
}

int bind_task_run(struct bind_task *t, struct err *err)
{
    struct bind_state *st = vm_context(vm_lua(t->vm));
    uint64_t serial = st->serial;
    bool waits;
    assert(st->ctx->phase == BIND_PHASE_HANDLER && st->ctx->arena && st->ctx->conn && !st->task);
    st->task = t;
    st->serial = t->serial; /* its handles live as long as it does */
    vm_set_undo(t->vm, NULL, NULL);
    struct bind_measure m;
    bind_measure_begin(&m, t->vm, st, t->function, false, BIND_PLUGIN_GROWTH_BYTES);
    int rc = vm_task_run(t->vm, &t->lua, &waits, err);
    m.goes_on = rc == 0 && waits;
    bind_measure_end(&m, t->vm, st, rc, true, err);
    st->task = NULL;
    st->serial = serial + 1;
    t->answer = NULL;
    if (rc < 0 || !waits)
        t->waits = BIND_WAITS_FOR_NOTHING;
    return rc;
}

static void wipe(struct bind_task *t)
{
    for (struct bind_wiped *w = t->wiped, *next; w; w = next) {
        next = w->next;
        crypto_wipe(w->bytes, w->size);
        free(w);
    }
    t->wiped = NULL;
}

void bind_task_close(struct bind_task *t)
{
    if (!t)
        return;
    wipe(t);
    vm_task_close(t->vm, &t->lua);
    free(t);
}

enum bind_wait bind_task_waits(const struct bind_task *t)
{
    return t->waits;
}

const struct outbound_request *bind_task_request(const struct bind_task *t)
{
    return &t->request;
}

void bind_task_sent(struct bind_task *t)
{
    wipe(t);
    t->request = (struct outbound_request){ 0 };
}

const struct bind_step *bind_task_step(const struct bind_task *t)
{
    return &t->step;
}

static void came_back(struct bind_task *t, int rc, const struct err *err)
{
    t->rc = rc;
    err_clear(&t->err);
    if (rc < 0 && err)
        t->err = *err;
}

void bind_task_answered(struct bind_task *t, int rc, const struct outbound_answer *answer, const struct err *err)
{
    came_back(t, rc, err);
    t->answer = answer;
}

void bind_task_stepped(struct bind_task *t, int rc, struct slice value, const struct err *err)
{
    came_back(t, rc, err);
    t->value = value;
}

struct bind_task *bind_check_task(lua_State *L, const char *what)
{
    struct bind_task *t = bind_state(L)->task;
    bind_require(L, BIND_HANDLER, what);
    if (!t)
        luaL_error(L, "%s waits, and what runs here can't; use it in a route with as = \"handler\", or in a job", what);
    if (!vm_can_wait(L))
        luaL_error(L, "%s can't wait here: not in a coroutine of your own, nor inside of sort, gsub or a metamethod of C", what);
    return t;
}

char *bind_wiped_alloc(lua_State *L, struct bind_task *t, size_t size)
{
    struct bind_wiped *w = malloc(sizeof *w + size);
    if (!w)
        luaL_error(L, "out of memory for a request");
    *w = (struct bind_wiped){ t->wiped, size };
    t->wiped = w;
    return w->bytes;
}

/* --- plugin.call() in handlers and jobs --------------------------------------------------------------------------------------- */

static int call_done(lua_State *L, int status, lua_KContext k)
{
    struct bind_task *t = (struct bind_task *)k;
    struct err err = { 0 };
    (void)status;
    t->waits = BIND_WAITS_FOR_NOTHING;
    if (t->rc < 0)
        return vm_fail(L, &t->err);
    if (t->value.len == 0)
        return 0;
    struct json_value *value;
    vm_charge(L, (int64_t)(t->value.len / 8));
    if (json_parse(t->value, NULL, bind_state(L)->ctx->arena, &value, &err) < 0)
        return bind_raise(L, &err);
    vm_push_json_nulls(L, value);
    return 1;
}

static struct slice check_key(lua_State *L) /* of the table at 3 */
{
    if (lua_isnoneornil(L, 3))
        return slice_str("");
    luaL_checktype(L, 3, LUA_TTABLE);
    struct slice key = bind_field_slice(L, 3, "key", true);
    if (key.len == 0 || key.len > STEP_KEY_MAX)
        luaL_error(L, "key has 1 to %d bytes: what tells this step from others, and is the same when it is done again", STEP_KEY_MAX);
    return key;
}

int bind_call_and_wait(lua_State *L, const struct bind_plugin *p) /* (name, args?, { key }?) */
{
    struct bind_task *t = bind_check_task(L, "plugin.call()");
    struct bind_context *c = bind_state(L)->ctx;
    struct slice name = bind_check_slice(L, 1, "the procedure's name");
    struct bind_procedure found = { 0 };
    struct err err = { 0 };
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    struct slice key = check_key(L);
    if (!c->plugins)
        return luaL_error(L, "there are no plugins here");
    if (c->plugins->procedure(c->plugins_ctx, p, name, &found, &err) < 0)
        return bind_raise(L, &err);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    struct json_value *args = vm_check_json(L, 2, c->arena);
    if (found.args && schema_check(found.args, args, &err) < 0)
        return luaL_error(L, "%s: %s%s%s", lua_tostring(L, 1), err.field, err.field[0] ? ": " : "", err.text);
    t->step = (struct bind_step){ p, arena_copy(c->arena, name), args, arena_copy(c->arena, key) };
    if (!t->step.name.data || !t->step.key.data)
        return luaL_error(L, "out of memory for a call");
    vm_charge(L, STEP_UNITS);
    t->waits = BIND_WAITS_FOR_PROCEDURE;
    return lua_yieldk(L, 0, (lua_KContext)t, call_done);
}
