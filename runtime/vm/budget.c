#ifdef FEIRA_KNOWS_VALGRIND
#include <valgrind/valgrind.h>
#endif
#include "vm/vm_int.h"
#include <stdio.h>

/* The one value the sandbox's pcall and resume never hand to Lua. */
static const char end_marker;

enum { DEADLINE_LEAST_NS = 20000000 }; /* what has little fuel may still meet cold memory and a slow machine */

/* A unit of fuel is worth some four nanoseconds; on a machine half as fast, waiting for memory, ten. A free run comes before. */
int64_t vm_deadline_ns(int64_t fuel)
{
    int64_t ns = 2000000 + fuel * 10;
    return ns < DEADLINE_LEAST_NS ? DEADLINE_LEAST_NS : ns;
}

/* A call may take this much CPU time before it is ended whatever its fuel says: some single instructions (comparing two
 * long strings) cost what fuel can't see. Above what the fuel is worth, and CPU time, not that of the wall: a loaded
 * machine must not change a verdict. */
int64_t vm_stuck_ns(const struct vm *v)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    enum { SLOWER = 20 };
#elif defined(FEIRA_KNOWS_VALGRIND)
    const int SLOWER = v->patience == 1 && RUNNING_ON_VALGRIND ? 50 : 1; /* who has patience of his own knows */
#else
    enum { SLOWER = 1 };
#endif
    return vm_deadline_ns(v->fuel_limit) * SLOWER * v->patience;
}

static void remember_where(lua_State *L, struct vm *v)
{
    v->end_where[0] = '\0';
    lua_Debug ar;
    for (int level = 0; level < 20 && lua_getstack(L, level, &ar); level++) {
        if (lua_getinfo(L, "Sl", &ar) && ar.currentline > 0) {
            snprintf(v->end_where, sizeof v->end_where, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
}

static void on_count(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    struct vm *v = vm_of(L);
    if (v->counted || v->counting)
        v->fuel_left -= VM_HOOK_INTERVAL;
    if (!v->timed && vm_cpu_ns() - v->cpu_begin_ns > vm_stuck_ns(v))
        v->overdue = 1;
    vm_check(L);
    /* The alarm of an allocation shortened the interval; the call may go on, so it is counted as before. */
    if (lua_gethookcount(L) != VM_HOOK_INTERVAL) {
        if (v->counted || v->counting)
            lua_sethook(L, on_count, LUA_MASKCOUNT, VM_HOOK_INTERVAL);
        else
            lua_sethook(L, NULL, 0, 0);
    }
}

void vm_raise_end(lua_State *L)
{
    /* From here on each instruction of this coroutine raises again. */
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    lua_pushlightuserdata(L, (void *)&end_marker);
    lua_error(L);
    __builtin_unreachable();
}

static __attribute__((noreturn)) void end_call(lua_State *L, enum vm_end why)
{
    struct vm *v = vm_of(L);
    v->end = why;
    remember_where(L, v);
    vm_raise_end(L);
}

void vm_check(lua_State *L)
{
    struct vm *v = vm_of(L);
    if (v->depth == 0)
        return; /* the host itself builds something in the state */
    if (v->end != VM_GOES_ON)
        vm_raise_end(L);
    if (v->too_long)
        end_call(L, VM_TOO_LONG);
    if (v->over_soft) {
        /* Much of it may be garbage. A collection near the cap is slow, so code that lives there pays for each. */
        v->fuel_left -= (int64_t)(v->used_bytes / 16);
        lua_gc(L, LUA_GCCOLLECT);
        v->over_soft = false;
        /* Hardly anything was garbage: the next collections would come faster and faster. */
        if (v->used_bytes > v->call_bytes - v->call_bytes / 8)
            end_call(L, VM_OUT_OF_MEMORY);
    }
    if (v->fuel_left < 0)
        end_call(L, VM_OUT_OF_FUEL);
    if (!v->overdue)
        return;
    if (!v->counted)
        end_call(L, VM_OVERDUE);
    v->overdue = 0;
    int64_t left_ns = vm_stuck_ns(v) - (vm_cpu_ns() - v->cpu_begin_ns);
    if (left_ns <= 0)
        end_call(L, VM_STUCK);
    v->timed = vm_deadline_arm(v, left_ns);
}

void vm_charge(lua_State *L, int64_t units)
{
    struct vm *v = vm_of(L);
    v->fuel_left -= units;
    if (v->fuel_left < 0 || v->over_soft || v->too_long || v->overdue || v->end != VM_GOES_ON)
        vm_check(L);
}

void vm_budget_alarm(struct vm *v)
{
    if (v->running)
        lua_sethook(v->running, on_count, LUA_MASKCOUNT, 1);
}

void vm_budget_thread(struct vm *v, lua_State *co)
{
    /* A coroutine keeps the hook of the time it was made, and its own count. Only a wrong hook is replaced: setting it
     * anew would start its count anew, and one that yields early and often would never be counted. */
    bool counting = v->counted || v->counting;
    if (counting && (lua_gethook(co) != on_count || lua_gethookcount(co) != VM_HOOK_INTERVAL))
        lua_sethook(co, on_count, LUA_MASKCOUNT, VM_HOOK_INTERVAL);
    else if (!counting && lua_gethook(co))
        lua_sethook(co, NULL, 0, 0);
}

void vm_budget_begin(struct vm *v, lua_State *L, bool counted)
{
    v->counted = counted;
    v->fuel_left = v->fuel_limit;
    v->share = 0;
    v->counting = false;
    v->callback = NULL;
    v->end = VM_GOES_ON;
    v->end_where[0] = '\0';
    v->overdue = 0;
    v->too_long = false;
    v->cpu_begin_ns = counted ? vm_cpu_ns() : 0;
    v->running = L;
    if (counted)
        lua_sethook(L, on_count, LUA_MASKCOUNT, VM_HOOK_INTERVAL);
    else if (lua_gethook(L))
        lua_sethook(L, NULL, 0, 0);
}

/* A part of a free run has a limit that the deadline is no match for: it is counted, the rest is not. */
void vm_budget_count(struct vm *v, lua_State *L, bool on)
{
    v->counting = on;
    if (!v->counted)
        lua_sethook(L, on ? on_count : NULL, on ? LUA_MASKCOUNT : 0, on ? VM_HOOK_INTERVAL : 0);
}

void vm_budget_finish(struct vm *v, lua_State *L)
{
    v->running = NULL;
    v->overdue = 0;
    lua_sethook(L, NULL, 0, 0);
}

bool vm_is_end(lua_State *L, int index)
{
    return lua_touserdata(L, index) == (void *)&end_marker;
}

int vm_end_error(struct vm *v, struct err *err)
{
    switch (v->end) {
    case VM_OUT_OF_MEMORY:
        return err_set(err, ERR_MEMORY_CAP, "%sit needs more than its %zu KiB of memory; keep fewer or smaller tables and strings",
                       v->end_where, (v->growth_bytes && v->growth_bytes < v->soft_bytes ? v->growth_bytes : v->soft_bytes) / 1024);
    case VM_TOO_LONG:
        return err_set(err, ERR_MEMORY_CAP, "%sit makes a string of more than %zu KiB; work on its parts one by one", v->end_where,
                       v->string_max / 1024);
    case VM_STUCK:
        return err_set(err, ERR_FUEL, "%sit ran for %lld ms and was stopped; look for a loop that works on long strings or many arguments",
                       v->end_where, (long long)(vm_stuck_ns(v) / 1000000));
    case VM_GOES_ON:
    case VM_OUT_OF_FUEL:
    case VM_OVERDUE:
        break;
    }
    return err_set(err, ERR_FUEL, "%sit ran past its budget of %lld instructions; look for a loop that does not end", v->end_where,
                   (long long)(v->share ? v->share : v->fuel_limit));
}
