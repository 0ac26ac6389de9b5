/* Lua patterns, with every step paid for: the matcher tries possibilities one after the other, and some patterns of ten
 * characters have more of them than there are atoms. Semantics are those of the Lua 5.4 manual, §6.4.1. */
#include "vm/vm_int.h"

enum {
    CAPTURES_MAX = 32,
    DEPTH_MAX = 180, /* of the C stack */
    STEPS_PER_CHARGE = 512,
    CAPTURE_OPEN = -1,
    CAPTURE_POSITION = -2,
};

struct matcher {
    lua_State *L;
    const char *text, *text_end, *pattern_end;
    int depth, captures;
    unsigned steps;
    struct {
        const char *at;
        ptrdiff_t len;
    } capture[CAPTURES_MAX];
};

static inline void step(struct matcher *m, unsigned n)
{
    m->steps += n;
    if (m->steps >= STEPS_PER_CHARGE) {
        unsigned steps = m->steps;
        m->steps = 0;
        vm_charge(m->L, steps);
    }
}

static int class_holds(int c, int class)
{
    int lower = class | 0x20;
    bool r;
    switch (lower) { /* ASCII, whatever the locale */
    case 'a':
        r = (c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80;
        break;
    case 'c':
        r = c < 0x20 || c == 0x7F;
        break;
    case 'd':
        r = c >= '0' && c <= '9';
        break;
    case 'g':
        r = c > 0x20 && c < 0x7F;
        break;
    case 'l':
        r = c >= 'a' && c <= 'z';
        break;
    case 'p':
        r = c > 0x20 && c < 0x7F && !((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'));
        break;
    case 's':
        r = c == ' ' || (c >= '\t' && c <= '\r');
        break;
    case 'u':
        r = c >= 'A' && c <= 'Z';
        break;
    case 'w':
        r = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z' && c < 0x80);
        break;
    case 'x':
        r = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f' && c < 0x80);
        break;
    default:
        return class == c;
    }
    bool inverted = class >= 'A' && class <= 'Z';
    return r != inverted;
}

/* The end of the single-character item at p: a character, %x, or [set]. */
static const char *item_end(struct matcher *m, const char *p)
{
    if (*p == '%') {
        if (p + 1 >= m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p != '[')
        return p + 1;
    const char *set = p++;
    if (p < m->pattern_end && *p == '^')
        p++;
    bool first = true;
    for (;; first = false) { /* a ']' that comes first stands for itself */
        if (p >= m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p == ']' && !first) {
            step(m, (unsigned)(p - set) / 4); /* looked through again and again, also where no text is left */
            return p + 1;
        }
        if (*p == '%') {
            p++;
            if (p >= m->pattern_end)
                luaL_error(m->L, "malformed pattern (missing ']')");
        }
        p++;
    }
}

/* set is "[...]", end just behind the ']'. */
static bool set_holds(struct matcher *m, int c, const char *set, const char *end)
{
    const char *p = set + 1, *last = end - 1;
    bool holds = true;
    step(m, (unsigned)(end - set) / 4 + 1);
    if (*p == '^') {
        holds = false;
        p++;
    }
    while (p < last) {
        if (*p == '%') {
            p++;
            if (class_holds(c, (unsigned char)*p))
                return holds;
            p++;
        } else if (p + 2 < last && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return holds;
            p += 3;
        } else {
            if ((unsigned char)*p == c)
                return holds;
            p++;
        }
    }
    return !holds;
}

static bool item_holds(struct matcher *m, const char *s, const char *p, const char *end)
{
    step(m, 1);
    if (s >= m->text_end)
        return false;
    int c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case '%':
        return class_holds(c, (unsigned char)p[1]);
    case '[':
        return set_holds(m, c, p, end);
    default:
        return (unsigned char)*p == c;
    }
}

static const char *run(struct matcher *m, const char *s, const char *p);

/* %bxy: from an x to its y. */
static const char *balanced(struct matcher *m, const char *s, const char *p)
{
    if (p + 1 >= m->pattern_end)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (s >= m->text_end || *s != *p)
        return NULL;
    int open = 1;
    for (const char *q = s + 1; q < m->text_end; q++) {
        step(m, 1);
        if (*q == p[1]) {
            if (--open == 0)
                return q + 1;
        } else if (*q == *p) {
            open++;
        }
    }
    return NULL;
}

static const char *most(struct matcher *m, const char *s, const char *p, const char *end)
{
    ptrdiff_t n = 0;
    while (item_holds(m, s + n, p, end))
        n++;
    for (; n >= 0; n--) {
        const char *r = run(m, s + n, end + 1);
        if (r)
            return r;
    }
    return NULL;
}

static const char *fewest(struct matcher *m, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *r = run(m, s, end + 1);
        if (r)
            return r;
        if (!item_holds(m, s, p, end))
            return NULL;
    }
}

static const char *open_capture(struct matcher *m, const char *s, const char *p, ptrdiff_t what)
{
    if (m->captures >= CAPTURES_MAX)
        luaL_error(m->L, "too many captures in a pattern; %d are possible", CAPTURES_MAX);
    m->capture[m->captures].at = s;
    m->capture[m->captures].len = what;
    m->captures++;
    const char *r = run(m, s, p);
    if (!r)
        m->captures--;
    return r;
}

static const char *close_capture(struct matcher *m, const char *s, const char *p)
{
    int i = m->captures - 1;
    while (i >= 0 && m->capture[i].len != CAPTURE_OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern (a ')' without its '(')");
    m->capture[i].len = s - m->capture[i].at;
    const char *r = run(m, s, p);
    if (!r)
        m->capture[i].len = CAPTURE_OPEN;
    return r;
}

static const char *back_reference(struct matcher *m, const char *s, char digit)
{
    int i = digit - '1';
    if (i < 0 || i >= m->captures || m->capture[i].len == CAPTURE_OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    ptrdiff_t len = m->capture[i].len;
    if (len == CAPTURE_POSITION)
        return NULL; /* a place has no text that could come again */
    step(m, 1 + (unsigned)(len / VM_BYTES_PER_UNIT));
    return m->text_end - s >= len && memcmp(m->capture[i].at, s, (size_t)len) == 0 ? s + len : NULL;
}

static bool in_set(struct matcher *m, const char *s, const char *set, const char *end)
{
    int c = s >= m->text && s < m->text_end ? (unsigned char)*s : 0;
    return set_holds(m, c, set, end);
}

/* Matches from p on at s: the end of the match, or NULL. */
static const char *run(struct matcher *m, const char *s, const char *p)
{
    if (++m->depth > DEPTH_MAX)
        luaL_error(m->L, "pattern too complex");
    const char *result = NULL;
    for (;;) {
        step(m, 1);
        if (p >= m->pattern_end) {
            result = s;
            break;
        }
        if (*p == '(') {
            bool position = p + 1 < m->pattern_end && p[1] == ')';
            result = open_capture(m, s, position ? p + 2 : p + 1, position ? CAPTURE_POSITION : CAPTURE_OPEN);
            break;
        }
        if (*p == ')') {
            result = close_capture(m, s, p + 1);
            break;
        }
        if (*p == '$' && p + 1 == m->pattern_end) {
            result = s == m->text_end ? s : NULL;
            break;
        }
        if (*p == '%' && p + 1 < m->pattern_end) {
            if (p[1] == 'b') {
                s = balanced(m, s, p + 2);
                if (!s)
                    break;
                p += 4;
                continue;
            }
            if (p[1] == 'f') {
                p += 2;
                if (p >= m->pattern_end || *p != '[')
                    luaL_error(m->L, "missing '[' after '%%f' in pattern");
                const char *end = item_end(m, p);
                if (in_set(m, s - 1, p, end) || !in_set(m, s, p, end))
                    break;
                p = end;
                continue;
            }
            if (p[1] >= '0' && p[1] <= '9') {
                s = back_reference(m, s, p[1]);
                if (!s)
                    break;
                p += 2;
                continue;
            }
        }
        const char *end = item_end(m, p);
        char suffix = end < m->pattern_end ? *end : '\0';
        if (suffix == '*') {
            result = most(m, s, p, end);
            break;
        }
        if (suffix == '+') {
            result = item_holds(m, s, p, end) ? most(m, s + 1, p, end) : NULL;
            break;
        }
        if (suffix == '-') {
            result = fewest(m, s, p, end);
            break;
        }
        bool holds = item_holds(m, s, p, end);
        if (suffix == '?') {
            if (holds && (result = run(m, s + 1, end + 1)) != NULL)
                break;
            p = end + 1;
            continue;
        }
        if (!holds)
            break;
        s++;
        p = end;
    }
    m->depth--;
    return result;
}

static void begin(struct matcher *m, lua_State *L, struct slice text, struct slice pattern)
{
    *m = (struct matcher){ .L = L, .text = text.data, .text_end = text.data + text.len, .pattern_end = pattern.data + pattern.len };
}

static const char *match_at(struct matcher *m, const char *s, const char *p)
{
    m->captures = 0;
    m->depth = 0;
    return run(m, s, p);
}

static void push_capture(struct matcher *m, int i, const char *s, const char *e)
{
    if (i >= m->captures) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        vm_charge_bytes(m->L, (size_t)(e - s));
        lua_pushlstring(m->L, s, (size_t)(e - s));
        return;
    }
    ptrdiff_t len = m->capture[i].len;
    if (len == CAPTURE_OPEN)
        luaL_error(m->L, "unfinished capture");
    if (len == CAPTURE_POSITION) {
        lua_pushinteger(m->L, m->capture[i].at - m->text + 1);
    } else {
        vm_charge_bytes(m->L, (size_t)len);
        lua_pushlstring(m->L, m->capture[i].at, (size_t)len);
    }
}

/* All captures; the whole match when there are none and s is given. */
static int push_captures(struct matcher *m, const char *s, const char *e)
{
    int n = m->captures == 0 && s ? 1 : m->captures;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, s, e);
    return n;
}

static struct slice check_slice(lua_State *L, int i)
{
    struct slice s;
    s.data = luaL_checklstring(L, i, &s.len);
    return s;
}

static size_t start_position(lua_State *L, int index, size_t len)
{
    lua_Integer i = luaL_optinteger(L, index, 1);
    if (i > 0)
        return (size_t)i - 1;
    if (i == 0 || i < -(lua_Integer)len)
        return 0;
    return len - (size_t)-i;
}

static bool is_plain(struct slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (memchr("^$*+?.([%-", pattern.data[i], 10))
            return false;
    return true;
}

static int find_or_match(lua_State *L, bool find)
{
    struct slice text = check_slice(L, 1), pattern = check_slice(L, 2);
    vm_charge(L, (int64_t)pattern.len); /* is_plain() */
    size_t init = start_position(L, 3, text.len);
    if (init > text.len) {
        luaL_pushfail(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(pattern))) {
        /* glibc's memmem is linear: it pays for the text once. */
        vm_charge(L, 8 + (int64_t)((text.len - init + pattern.len) / 8));
        const char *at = pattern.len == 0                ? text.data + init
                         : pattern.len > text.len - init ? NULL
                                                         : memmem(text.data + init, text.len - init, pattern.data, pattern.len);
        if (!at) {
            luaL_pushfail(L);
            return 1;
        }
        lua_pushinteger(L, at - text.data + 1);
        lua_pushinteger(L, at - text.data + (ptrdiff_t)pattern.len);
        return 2;
    }
    vm_charge(L, 8);
    struct matcher m;
    begin(&m, L, text, pattern);
    const char *p = pattern.data, *s = text.data + init;
    bool anchored = pattern.len > 0 && *p == '^';
    p += anchored;
    do {
        const char *e = match_at(&m, s, p);
        if (e) {
            vm_charge(L, m.steps);
            if (!find)
                return push_captures(&m, s, e);
            lua_pushinteger(L, s - text.data + 1);
            lua_pushinteger(L, e - text.data);
            return push_captures(&m, NULL, NULL) + 2;
        }
    } while (s++ < m.text_end && !anchored);
    vm_charge(L, m.steps);
    luaL_pushfail(L);
    return 1;
}

int vm_string_find(lua_State *L)
{
    return find_or_match(L, true);
}

int vm_string_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* upvalues: text, pattern, next start, end of the last match or -1 */
static int next_match(lua_State *L)
{
    struct slice text, pattern;
    text.data = lua_tolstring(L, lua_upvalueindex(1), &text.len);
    pattern.data = lua_tolstring(L, lua_upvalueindex(2), &pattern.len);
    lua_Integer from = lua_tointeger(L, lua_upvalueindex(3)), last = lua_tointeger(L, lua_upvalueindex(4));
    struct matcher m;
    begin(&m, L, text, pattern);
    for (const char *s = text.data + from; s <= m.text_end; s++) {
        const char *e = match_at(&m, s, pattern.data);
        if (!e || e - text.data == last) /* an empty match right behind the last one is none */
            continue;
        vm_charge(L, m.steps + 8);
        lua_pushinteger(L, e - text.data);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return push_captures(&m, s, e);
    }
    vm_charge(L, m.steps);
    lua_pushinteger(L, (lua_Integer)text.len + 1);
    lua_replace(L, lua_upvalueindex(3));
    return 0;
}

int vm_string_gmatch(lua_State *L)
{
    struct slice text = check_slice(L, 1);
    check_slice(L, 2);
    size_t init = start_position(L, 3, text.len);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(init > text.len ? text.len + 1 : init));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

/* Adds the replacement string at 3, with %0..%9 and %%. */
static void add_expanded(struct matcher *m, luaL_Buffer *b, const char *s, const char *e)
{
    lua_State *L = m->L;
    size_t len;
    const char *r = lua_tolstring(L, 3, &len), *end = r + len;
    while (r < end) {
        const char *percent = memchr(r, '%', (size_t)(end - r));
        const char *stop = percent ? percent : end;
        vm_charge_bytes(L, (size_t)(stop - r));
        luaL_addlstring(b, r, (size_t)(stop - r));
        if (!percent)
            return;
        r = percent + 1;
        if (r < end && *r == '%') {
            luaL_addchar(b, '%');
        } else if (r < end && *r == '0') {
            vm_charge_bytes(L, (size_t)(e - s));
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (r < end && *r >= '1' && *r <= '9') {
            push_capture(m, *r - '1', s, e);
            lua_tostring(L, -1);
            luaL_addvalue(b);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string; write %%%% for a percent sign");
        }
        r++;
    }
}

/* What stands for the match; true when it changed something. */
static bool add_value(struct matcher *m, luaL_Buffer *b, const char *s, const char *e, int type)
{
    lua_State *L = m->L;
    vm_charge(L, 4);
    if (type == LUA_TFUNCTION) {
        vm_charge(L, VM_CALL_UNITS);
        lua_pushvalue(L, 3);
        int n = push_captures(m, s, e);
        const char *was = vm_callback_begin(L, "string.gsub");
        lua_call(L, n, 1);
        vm_callback_end(L, was);
    } else if (type == LUA_TTABLE) {
        push_capture(m, 0, s, e);
        const char *was = vm_callback_begin(L, "string.gsub");
        lua_gettable(L, 3);
        vm_callback_end(L, was);
    } else {
        add_expanded(m, b, s, e);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        vm_charge_bytes(L, (size_t)(e - s));
        luaL_addlstring(b, s, (size_t)(e - s));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s); give a string, a number, false or nil", luaL_typename(L, -1));
    size_t len;
    lua_tolstring(L, -1, &len);
    vm_charge_bytes(L, len);
    luaL_addvalue(b);
    return true;
}

int vm_string_gsub(lua_State *L)
{
    struct slice text = check_slice(L, 1), pattern = check_slice(L, 2);
    int type = lua_type(L, 3);
    luaL_argexpected(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3,
                     "string/function/table");
    lua_Integer limit = luaL_optinteger(L, 4, LUA_MAXINTEGER), count = 0;
    if (type == LUA_TNUMBER)
        lua_tostring(L, 3);
    const char *p = pattern.data, *s = text.data, *last = NULL;
    bool anchored = pattern.len > 0 && *p == '^', changed = false;
    p += anchored;
    struct matcher m;
    begin(&m, L, text, pattern);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    while (count < limit) {
        const char *e = match_at(&m, s, p);
        if (e && e != last) {
            count++;
            changed = add_value(&m, &b, s, e, type) || changed;
            s = last = e;
        } else if (s < m.text_end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    vm_charge(L, m.steps);
    if (!changed) {
        lua_pushvalue(L, 1);
    } else {
        vm_charge_bytes(L, (size_t)(m.text_end - s));
        luaL_addlstring(&b, s, (size_t)(m.text_end - s));
        luaL_pushresult(&b);
    }
    lua_pushinteger(L, count);
    return 2;
}
