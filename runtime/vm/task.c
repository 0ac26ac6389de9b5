/* A call that may wait: a coroutine that the host runs, and whose C functions can leave it for a while. Its fuel is that of one call,
 * however often it waits; time that passes while it waits is nobody's. */
#include "vm/vm_int.h"
#include <assert.h>

/* (function) -> nothing: makes the coroutine, with the function and its argument on it */
static int open_body(lua_State *L)
{
    struct vm_task *t = lua_touserdata(L, 2);
    lua_State *co = lua_newthread(L); /* function task co */
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    lua_pushlightuserdata(co, t->arg);
    t->lua = co;
    t->thread = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_settop(L, 1);
    if (!t->fn)
        t->fn = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

/* The function is on top. */
static int make_thread(struct vm *v, struct vm_task *t, struct err *err)
{
    lua_State *L = v->main;
    lua_pushcfunction(L, open_body);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 2, 0, 0) == LUA_OK)
        return 0;
    lua_pop(L, 1);
    return err_set(err, ERR_MEMORY_CAP, "there is no memory to begin a call");
}

int vm_task_open(struct vm *v, void *arg, struct vm_task *t, struct err *err)
{
    assert(v->depth == 0);
    lua_State *L = v->main;
    *t = (struct vm_task){ .arg = arg, .fuel_left = v->fuel_limit, .fuel_limit = v->fuel_limit };
    if (!lua_checkstack(L, 8)) {
        lua_pop(L, 1);
        return err_set(err, ERR_MEMORY_CAP, "there is no memory to begin a call");
    }
    t->counted = v->fuel_limit < VM_FREE_FUEL_MIN || vm_is_slow(L, lua_gettop(L));
    v->stats.calls++;
    return make_thread(v, t, err);
}

void vm_task_close(struct vm *v, struct vm_task *t)
{
    vm_release(v, t->thread); /* a coroutine that waits is garbage like any other: nothing of it can run any more */
    vm_release(v, t->fn);
    *t = (struct vm_task){ 0 };
}

static void run(struct vm *v, struct vm_task *t, bool counted, int *status)
{
    int results;
    lua_State *co = t->lua;
    vm_budget_begin(v, co, counted);
    v->fuel_left = t->fuel_left;
    v->cpu_begin_ns -= t->cpu_ns; /* what it used before it waited */
    v->depth = 1;
    v->task = t;
    v->timed = vm_deadline_arm(v, counted ? vm_stuck_ns(v) - t->cpu_ns : VM_FREE_RUN_NS);
    if (!v->timed && !counted) {
        vm_budget_begin(v, co, true); /* uncounted without a timer would be unbounded */
        counted = true;
    }
    *status = lua_resume(co, v->main, lua_status(co) == LUA_YIELD ? 0 : 1, &results);
    vm_deadline_disarm(v);
    v->depth = 0;
    v->task = NULL;
    t->fuel_left = v->fuel_left;
    t->cpu_ns = counted ? vm_cpu_ns() - v->cpu_begin_ns : 0;
    vm_budget_finish(v, co);
    if (*status == LUA_YIELD)
        lua_pop(co, results);
}

/* Nothing was done yet that others could have seen: it waits first and then acts. So the first stretch can be thrown away. */
static int run_again(struct vm *v, struct vm_task *t, int *status, struct err *err)
{
    lua_State *L = v->main;
    vm_release(v, t->thread);
    t->thread = 0;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory to begin a call");
    lua_rawgeti(L, LUA_REGISTRYINDEX, t->fn);
    int rc = make_thread(v, t, err);
    if (rc < 0)
        return rc;
    t->fuel_left = t->fuel_limit;
    t->cpu_ns = 0;
    t->counted = true;
    run(v, t, true, status);
    return 0;
}

static int failure(struct vm *v, struct vm_task *t, int status, struct err *err)
{
    lua_State *L = v->main;
    if (v->end != VM_GOES_ON || status == LUA_ERRMEM) {
        if (v->end == VM_GOES_ON)
            v->end = VM_OUT_OF_MEMORY;
        int rc = vm_end_error(v, err);
        v->end = VM_GOES_ON;
        lua_gc(L, LUA_GCCOLLECT);
        return rc;
    }
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory for an error");
    lua_xmove(t->lua, L, 1);
    return vm_error_of(L, status, err);
}

int vm_task_run(struct vm *v, struct vm_task *t, bool *waits, struct err *err)
{
    assert(v->depth == 0 && t->thread);
    int status, rc = 0;
    int64_t limit = v->fuel_limit, had = t->fuel_left;
    size_t begin = v->used_bytes, peak = v->peak_bytes;
    v->peak_bytes = begin;
    *waits = false;
    v->fuel_limit = t->fuel_limit;
    vm_limit_memory(v);
    run(v, t, t->counted, &status);
    if (v->end == VM_OVERDUE) {
        bool slow = t->fuel_limit - t->fuel_left > VM_SLOW_FUEL;
        rc = run_again(v, t, &status, err);
        if (rc == 0 && (slow || t->fuel_limit - t->fuel_left > VM_SLOW_FUEL))
            vm_mark_slow(v, t->fn);
    }
    t->counted = true; /* from now on others have seen what it did */
    v->stats.fuel += (uint64_t)(had - t->fuel_left);
    v->call_peak = v->peak_bytes - begin;
    v->peak_bytes = peak > v->peak_bytes ? peak : v->peak_bytes;
    if (rc == 0 && status == LUA_YIELD && v->end == VM_GOES_ON)
        *waits = true;
    else if (rc == 0 && (status != LUA_OK || v->end != VM_GOES_ON))
        rc = failure(v, t, status, err);
    v->call_bytes = v->soft_bytes;
    v->over_soft = v->used_bytes > v->soft_bytes;
    v->fuel_limit = limit;
    v->stats.errors += rc < 0;
    return rc;
}

bool vm_can_wait(lua_State *L)
{
    const struct vm_task *t = vm_of(L)->task;
    return t && t->lua == L && lua_isyieldable(L);
}

bool vm_is_task(lua_State *L)
{
    const struct vm_task *t = vm_of(L)->task;
    return t && t->lua == L;
}
