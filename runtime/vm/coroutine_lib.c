/* Coroutines that share the budget of the call that runs them. There is no close(): a chain of them crashes Lua 5.4.4. */
#include "vm/vm_int.h"

static lua_State *check_thread(lua_State *L)
{
    lua_State *co = lua_tothread(L, 1);
    luaL_argexpected(L, co, 1, "coroutine");
    return co;
}

static int create(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    vm_charge(L, VM_THREAD_UNITS);
    lua_State *co = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, co, 1);
    return 1;
}

/* Moves nargs values to co and runs it; returns the number of results on L, or -1 with the error on L. */
static int resume(lua_State *L, lua_State *co, int nargs)
{
    struct vm *v = vm_of(L);
    vm_charge(L, VM_CALL_UNITS);
    if (!lua_checkstack(co, nargs)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    if (co == L || (lua_status(co) == LUA_OK && lua_gettop(co) == 0)) {
        lua_pushfstring(L, "cannot resume %s coroutine", co == L ? "non-suspended" : "dead");
        return -1;
    }
    lua_xmove(L, co, nargs);
    vm_budget_thread(v, co);
    int nresults;
    v->running = co;
    const char *callback = v->callback;
    int status = lua_resume(co, L, nargs, &nresults);
    v->running = L;
    v->callback = callback;
    if (status == LUA_ERRMEM && v->end == VM_GOES_ON)
        v->end = VM_OUT_OF_MEMORY;
    if (v->end != VM_GOES_ON)
        vm_raise_end(L);
    vm_budget_thread(v, L); /* an alarm may have rung on either side */
    if (v->overdue || v->over_soft || v->too_long || v->fuel_left < 0)
        vm_check(L);
    if (status != LUA_OK && status != LUA_YIELD) {
        vm_charge(L, VM_ERROR_UNITS);
        lua_xmove(co, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, nresults + 1)) {
        lua_pop(co, nresults);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(co, L, nresults);
    return nresults;
}

static int co_resume(lua_State *L)
{
    lua_State *co = check_thread(L);
    int n = resume(L, co, lua_gettop(L) - 1);
    if (n < 0) {
        lua_pushboolean(L, 0);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_insert(L, -(n + 1));
    return n + 1;
}

static int wrapped(lua_State *L)
{
    lua_State *co = lua_tothread(L, lua_upvalueindex(1));
    int n = resume(L, co, lua_gettop(L));
    if (n >= 0)
        return n;
    if (lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int wrap(lua_State *L)
{
    create(L);
    lua_pushcclosure(L, wrapped, 1);
    return 1;
}

static int yield(lua_State *L)
{
    if (vm_is_task(L)) /* only the host's functions leave it, to wait for something */
        return luaL_error(L, "attempt to yield from outside a coroutine");
    return lua_yield(L, lua_gettop(L));
}

static int status(lua_State *L)
{
    lua_State *co = check_thread(L);
    const char *s = "dead";
    lua_Debug ar;
    if (co == L)
        s = "running";
    else if (lua_status(co) == LUA_YIELD)
        s = "suspended";
    else if (lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar))
        s = "normal";
    else if (lua_status(co) == LUA_OK && lua_gettop(co) > 0)
        s = "suspended";
    lua_pushstring(L, s);
    return 1;
}

static int isyieldable(lua_State *L)
{
    lua_pushboolean(L, lua_isyieldable(L) && !vm_is_task(L));
    return 1;
}

static const luaL_Reg functions[] = { { "create", create },    { "isyieldable", isyieldable },
                                      { "resume", co_resume }, { "status", status },
                                      { "wrap", wrap },        { "yield", yield },
                                      { NULL, NULL } };

void vm_open_coroutine(lua_State *L)
{
    luaL_newlib(L, functions);
}
