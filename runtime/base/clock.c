#include "base/clock.h"
#include <stddef.h>
#include <time.h>

static int64_t system_wall_ms(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t system_mono_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const struct clock *clock_system(void)
{
    static const struct clock face = { system_wall_ms, system_mono_ns, NULL };
    return &face;
}

static int64_t virtual_wall_ms(void *ctx)
{
    return ((struct clock_virtual *)ctx)->wall_now_ms;
}

static int64_t virtual_mono_ns(void *ctx)
{
    return ((struct clock_virtual *)ctx)->mono_now_ns;
}

void clock_virtual_init(struct clock_virtual *v, int64_t wall_ms)
{
    *v = (struct clock_virtual){ .wall_now_ms = wall_ms, .face = { virtual_wall_ms, virtual_mono_ns, v } };
}

void clock_virtual_advance(struct clock_virtual *v, int64_t ms)
{
    v->wall_now_ms += ms;
    v->mono_now_ns += ms * 1000000;
}
