/* The sandbox's own functions against Lua's: the same text in both gives the same text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "vm/vm_int.h"
#include <lualib.h>
#include <stdlib.h>

/* Small and the same everywhere; math.random is not in the sandbox. */
#define RANDOM "local seed = 7 local function random(n) seed = (seed * 1103515245 + 12345) % 2147483648 return seed // 65536 % n end "

static void same(const char *text)
{
    struct vm *v;
    struct err err = { 0 };
    assert_int_equal(vm_open(&(struct vm_options){ .fuel = 100000000 }, &v, &err), 0);
    vm_ref ref;
    if (vm_run(v, slice_str(text), "same.lua", &ref, &err) < 0)
        fail_msg("%s", err.text);
    lua_State *bare = luaL_newstate();
    luaL_openlibs(bare);
    if (luaL_loadstring(bare, text) != LUA_OK || lua_pcall(bare, 0, 1, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(bare, -1));
    vm_push_ref(v, ref);
    const char *ours = lua_tostring(vm_lua(v), -1), *theirs = lua_tostring(bare, -1);
    assert_non_null(ours);
    assert_true(strlen(ours) > 100); /* it did something */
    assert_string_equal(ours, theirs);
    lua_close(bare);
    vm_close(v);
}

static void numbers_are_written_alike(void **state)
{
    (void)state;
    same(RANDOM "local out, specs = {}, { '%d', '%5d', '%05d', '%0d', '%1d', '%-6d|', '%+d', '% d', '%.3d', '%20d', '%020d', '%i', '%x', "
                "'%X', '%#x' } "
                "local numbers = { 0, 1, -1, 9, 10, -10, 99999, -99999, math.maxinteger, math.mininteger, 7.0 } "
                "for i = 1, 50 do numbers[#numbers + 1] = random(1000000) - 500000 end "
                "for _, s in ipairs(specs) do for _, n in ipairs(numbers) do out[#out + 1] = string.format(s, n) end end "
                "for _, s in ipairs { '%s', '%5s', '%-5s|', '%.2s', '%q', '%g', '%.3f', '%%', '%c' } do "
                "for _, v in ipairs { '65', '10.5', '1e3' } do out[#out + 1] = string.format(s, s == '%c' and 65 or s == '%q' and v or "
                "(s:find '[gf]' and tonumber(v)) or v) end end "
                "return table.concat(out, ',')");
}

static void sorting_gives_what_lua_gives(void **state)
{
    (void)state;
    /* Pairs that compare equal are equal here: only ours keeps their order. */
    same(RANDOM "local out = {} for n = 0, 70 do "
                "local a, b, c, d = {}, {}, {}, {} "
                "for i = 1, n do a[i] = random(50) b[i] = 'k' .. random(40) .. ('\\0x'):rep(random(3)) c[i] = random(2) == 0 and random(9) "
                "or random(9) + 0.5 "
                "d[i] = { random(1000) * 1000 + i } end "
                "table.sort(a) table.sort(b) table.sort(c) table.sort(d, function(x, y) return x[1] > y[1] end) "
                "for i = 1, n do out[#out + 1] = a[i] .. b[i]:gsub('\\0', '0') .. c[i] .. d[i][1] end "
                "table.sort(a, function(x, y) return x > y end) out[#out + 1] = table.concat(a, ';') end "
                "out[#out + 1] = tostring((pcall(table.sort, { 1, 'x' }))) out[#out + 1] = tostring((pcall(table.sort, { 1, {} }))) "
                "return table.concat(out, ',')");
}

static void the_greatest_and_the_least_are_alike(void **state)
{
    (void)state;
    same(RANDOM "local out, v = {}, { 0, -1, 1, 2.5, -2.5, math.huge, -math.huge, math.maxinteger, math.mininteger, 3.0, 3 } "
                "for _, a in ipairs(v) do for _, b in ipairs(v) do out[#out + 1] = tostring(math.max(a, b)) .. tostring(math.min(a, b)) "
                "out[#out + 1] = tostring(math.max(a, b, 1)) .. tostring(math.min(a, 0, b)) end end return table.concat(out, ',')");
}

/* Ours has an order; what it visits is the same. */
static void pairs_visits_all_keys_once_whatever_their_number(void **state)
{
    (void)state;
    same(RANDOM "local out = {} for _, n in ipairs { 0, 1, 2, 5, 30, 31, 32, 33, 34, 64, 100, 300 } do for kind = 1, 4 do "
                "local t, seen = {}, {} for i = 1, n do "
                "local k = kind == 1 and i or kind == 2 and 'k' .. i or kind == 3 and i + 0.5 or ({ i, 'k' .. i, i + 0.5 })[i % 3 + 1] "
                "t[k] = i end "
                "for k, v in pairs(t) do seen[#seen + 1] = tostring(k) .. '=' .. v end table.sort(seen) out[#out + 1] = #seen .. ':' .. "
                "table.concat(seen, ' ') "
                "local left = 0 for k in pairs(t) do t[k] = nil left = left + 1 end out[#out + 1] = left "
                "for k in pairs(t) do out[#out + 1] = 'still there ' .. tostring(k) end end end return table.concat(out, ',')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_written_alike),
        cmocka_unit_test(sorting_gives_what_lua_gives),
        cmocka_unit_test(the_greatest_and_the_least_are_alike),
        cmocka_unit_test(pairs_visits_all_keys_once_whatever_their_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
