/* bind/measure.h - inside bind/: calls of functions that the host has limits for, and wants figures of. */
#pragma once
#include "bind/bind_int.h"
#include "bind/functions.h"

struct bind_function *bind_function_of(const struct bind_state *st, int fn); /* NULL: no limits of its own, not measured */
struct bind_function *bind_function_of_campaign(const struct bind_state *st, uint32_t campaign);

struct bind_measure {
    struct bind_function *f;
    int64_t fuel_was, begin_ns;
    size_t memory_was;
    bool goes_on;          /* set when the call only waits: it is counted when it ends */
    uint64_t spent, times; /* times: what the time of this call counts for; 0 = it is not taken */
};
/* Around one vm_pcall(). f may be NULL: then it may take memory_bytes, and nothing is written down. counts false: the run was thrown away
 * and comes again. An end of the budget is given the name of the limit in err. */
void bind_measure_begin(struct bind_measure *m, struct vm *v, struct bind_state *st, struct bind_function *f, bool rule,
                        size_t memory_bytes);
void bind_measure_end(const struct bind_measure *m, struct vm *v, struct bind_state *st, int rc, bool counts, struct err *err);

/* vm_try() of function number fn, within its own limit and what is left of the caller's. */
int bind_try_function(lua_State *L, int fn, int nargs, int nresults);
