/* base/clock.h - time as something handed in. Real shops use clock_system(); tests and the simulator own a virtual one. */
#pragma once
#include <stdint.h>

struct clock {
    int64_t (*wall_ms)(void *ctx); /* UTC, ms since 1970; may jump */
    int64_t (*mono_ns)(void *ctx); /* never goes back; for timeouts and measurements */
    void *ctx;
};

const struct clock *clock_system(void);
static inline int64_t clock_wall_ms(const struct clock *c)
{
    return c->wall_ms(c->ctx);
}
static inline int64_t clock_mono_ns(const struct clock *c)
{
    return c->mono_ns(c->ctx);
}

/* A clock that moves only when told. clock_virtual_clock() stays valid as long as *v does. */
struct clock_virtual {
    int64_t wall_now_ms, mono_now_ns;
    struct clock face;
};
void clock_virtual_init(struct clock_virtual *v, int64_t wall_ms);
void clock_virtual_advance(struct clock_virtual *v, int64_t ms);
