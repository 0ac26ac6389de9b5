#include "bind/functions.h"
#include "bind/bind_int.h"
#include "bind/measure.h"
#include <stdio.h>

enum { TIMED_OF_RULES = 8 }; /* looking at the clock twice would be a good part of what a small rule costs */

void bind_set_functions(struct vm *v, const struct bind_functions *f)
{
    struct bind_state *st = vm_context(vm_lua(v));
    st->functions = f;
}

struct bind_function *bind_function_of(const struct bind_state *st, int fn)
{
    const struct bind_functions *f = st->functions;
    return f && fn >= 1 && (size_t)fn <= f->count ? &f->list[fn - 1] : NULL;
}

struct bind_function *bind_function_of_campaign(const struct bind_state *st, uint32_t campaign)
{
    const struct bind_functions *f = st->functions;
    return f && f->campaign ? f->campaign(f->ctx, campaign) : NULL;
}

/* --- figures ------------------------------------------------------------------------------------------------------------- */

/* One thread writes: no locked instruction is needed. */
static uint64_t add(atomic_uint_fast64_t *n, uint64_t by)
{
    uint64_t sum = atomic_load_explicit(n, memory_order_relaxed) + by;
    atomic_store_explicit(n, sum, memory_order_relaxed);
    return sum;
}

static bool is_error(int rc)
{
    return rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
}

static int64_t now_ns(const struct bind_state *st)
{
    return st->ctx->clock ? clock_mono_ns(st->ctx->clock) : 0;
}

/* --- a call from outside ------------------------------------------------------------------------------------------------- */

void bind_measure_begin(struct bind_measure *m, struct vm *v, struct bind_state *st, struct bind_function *f, bool rule,
                        size_t memory_bytes)
{
    *m = (struct bind_measure){ .f = f };
    m->memory_was = vm_set_growth(v, f ? f->memory_bytes : memory_bytes);
    st->blamed = NULL;
    if (!f)
        return;
    m->fuel_was = vm_set_fuel(v, f->fuel);
    m->spent = vm_stats(v).fuel;
    m->times = !rule ? 1 : (atomic_load_explicit(&f->meter.calls, memory_order_relaxed) % TIMED_OF_RULES == 0) * TIMED_OF_RULES;
    if (m->times)
        m->begin_ns = now_ns(st);
}

/* Whose budget it was, and where it can be changed. */
static void name_limit(const struct bind_function *f, int rc, struct err *err)
{
    size_t n = strlen(err->text);
    snprintf(err->text + n, sizeof err->text - n, " (the limit: limits[\"%s\"].%s.%s of shop.lua)", f->owner, f->kind,
             rc == ERR_FUEL ? "fuel" : "memory_kib");
}

void bind_measure_end(const struct bind_measure *m, struct vm *v, struct bind_state *st, int rc, bool counts, struct err *err)
{
    struct bind_function *f = m->f;
    const struct bind_function *whose = st->blamed ? st->blamed : f;
    vm_set_growth(v, m->memory_was);
    if ((rc == ERR_FUEL || rc == ERR_MEMORY_CAP) && err && whose)
        name_limit(whose, rc, err);
    if (!f)
        return;
    vm_set_fuel(v, m->fuel_was);
    if (!counts)
        return;
    size_t peak = vm_call_peak(v);
    if (!m->goes_on)
        add(&f->meter.calls, 1);
    add(&f->meter.fuel, vm_stats(v).fuel - m->spent);
    if (is_error(rc))
        add(&f->meter.errors, 1);
    if (m->times)
        add(&f->meter.ns, (uint64_t)(now_ns(st) - m->begin_ns) * m->times);
    if (peak > atomic_load_explicit(&f->meter.peak_bytes, memory_order_relaxed))
        atomic_store_explicit(&f->meter.peak_bytes, peak, memory_order_relaxed);
}

/* --- a call within a call ---------------------------------------------------------------------------------------------------- */

int bind_try_function(lua_State *L, int fn, int nargs, int nresults)
{
    struct bind_state *st = bind_state(L);
    struct bind_function *f = bind_function_of(st, fn);
    struct vm_share share;
    if (!f)
        return vm_try(L, nargs, nresults);
    int64_t begin_ns = now_ns(st);
    vm_share_begin(L, f->fuel, &share);
    int status = vm_try(L, nargs, nresults);
    bool its_own = vm_share_end(L, &share);
    if (its_own && !st->blamed)
        st->blamed = f;
    add(&f->meter.calls, 1);
    add(&f->meter.fuel, (uint64_t)share.used);
    add(&f->meter.ns, (uint64_t)(now_ns(st) - begin_ns));
    if (status != LUA_OK && (its_own || is_error(vm_error_code(L, -1))))
        add(&f->meter.errors, 1);
    return status;
}
