/* feira.time: the time of this call, never the machine's clock, and the shop's zone. Milliseconds UTC. */
#include "bind/bind_int.h"
#include "base/zone.h"

static int l_now(lua_State *L) /* () -> ms */
{
    lua_pushinteger(L, bind_require(L, BIND_STORE, "time.now()")->now_ms);
    return 1;
}

/* Years 0001 to 9999: what a timestamp can say. */
enum { DAY_MS = 86400000 };
static int64_t check_ms(lua_State *L, int arg)
{
    int64_t ms = bind_check_int(L, arg, "the time");
    luaL_argcheck(L, ms >= civil_days(1, 1, 1) * DAY_MS && ms < civil_days(10000, 1, 1) * DAY_MS, arg, "the time is in milliseconds UTC");
    return ms;
}

static int l_format(lua_State *L) /* (ms) -> "2026-11-20T00:00:00Z" */
{
    char out[TIMESTAMP_MAX];
    size_t n = timestamp_format(check_ms(L, 1), out);
    lua_pushlstring(L, out, n);
    return 1;
}

static int l_parse(lua_State *L) /* (RFC 3339) -> ms | nil, sentence */
{
    int64_t ms;
    struct err err = { 0 };
    if (timestamp_parse(bind_check_slice(L, 1, "the time"), &ms, &err) < 0) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    lua_pushinteger(L, ms);
    return 1;
}

static int l_duration(lua_State *L) /* ("30m") -> ms */
{
    int64_t ms;
    struct err err = { 0 };
    if (duration_parse(bind_check_slice(L, 1, "the duration"), &ms, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, ms);
    return 1;
}

static const struct zone *check_zone(lua_State *L)
{
    const struct zone *z = bind_state(L)->ctx->zone;
    if (!z)
        luaL_error(L, "the shop's time zone is not known yet");
    return z;
}

static int l_civil(lua_State *L) /* (ms) -> { year, month, day, hour, minute, second, ms, weekday } in the shop's zone */
{
    struct civil c;
    zone_from_utc(check_zone(L), check_ms(L, 1), &c, NULL);
    const struct {
        const char *name;
        int value;
    } fields[] = {
        { "year", c.year },     { "month", c.month },   { "day", c.day }, { "hour", c.hour },
        { "minute", c.minute }, { "second", c.second }, { "ms", c.ms },   { "weekday", civil_weekday(civil_days(c.year, c.month, c.day)) },
    };
    lua_createtable(L, 0, 8); /* civil */
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        lua_pushinteger(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
    return 1;
}

static int l_resolve(lua_State *L) /* ("2026-11-20 00:00") -> ms: a local time of the shop, as campaign windows mean it */
{
    struct civil c;
    struct err err = { 0 };
    if (civil_parse(bind_check_slice(L, 1, "the local time"), &c, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, zone_resolve(check_zone(L), &c));
    return 1;
}

void bind_open_time(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "now", l_now },     { "format", l_format },   { "parse", l_parse }, { "duration", l_duration },
        { "civil", l_civil }, { "resolve", l_resolve }, { NULL, NULL },
    };
    luaL_newlib(L, functions);
}
