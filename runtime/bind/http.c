/* feira.http of a plugin: requests to the hosts that its needs name. Secrets go into headers, the query and forms as handles: their bytes
 * are written down in memory of the task, outside of Lua's heap, and wiped when the request was sent. */
#include "base/schema.h"
#include "bind/keys.h"
#include "bind/tasks_int.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    REQUEST_UNITS = 20000, /* a request is no loop's business: 500 of them use up a call's fuel */
    TIMEOUT_MS = 10000,
    TIMEOUT_MAX_MS = 30000,
    ANSWER_BYTES = 262144,
    ANSWER_BYTES_MAX = 1000000, /* a string of Lua may have a mebibyte */
    BODY_MAX = 1000000,
    URL_MAX = 8000,
    PAIRS_MAX = 100,
};

static const struct bind_plugin *plugin_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* lua_next() without what the sandbox itself keeps in a table that is frozen. */
static int next_member(lua_State *L, int table)
{
    while (lua_next(L, table)) {
        if (!lua_islightuserdata(L, -2))
            return 1;
        lua_pop(L, 1);
    }
    return 0;
}

/* --- pieces of text, some of them secrets -------------------------------------------------------------------------------------- */

/* The value on top of the stack: text, an integer or a secret. */
static struct slice check_piece(lua_State *L, const char *what)
{
    if (bind_is_secret(L, -1))
        return bind_check_secret(L, -1, what);
    if (lua_isinteger(L, -1)) {
        lua_tostring(L, -1);
    } else if (lua_isboolean(L, -1)) {
        lua_pushstring(L, lua_toboolean(L, -1) ? "true" : "false");
        lua_replace(L, -2);
    }
    return bind_check_slice(L, -1, what);
}

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~';
}

static size_t encoded_len(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += is_plain(s.data[i]) ? 1 : 3;
    return n;
}

static char *encode(char *out, struct slice s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (is_plain(s.data[i])) {
            *out++ = s.data[i];
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    return out;
}

/* { name = value, ... } as name=value&..., in the order of the names, behind `head`. The table is at `index`. */
static struct slice write_pairs(lua_State *L, struct bind_task *t, int index, struct slice head, size_t max, const char *what)
{
    luaL_checktype(L, index, LUA_TTABLE);
    vm_unwrap(L, index);
    size_t size = head.len;
    struct slice names[PAIRS_MAX];
    size_t n = 0;
    luaL_checkstack(L, 6, what);
    lua_pushnil(L);
    while (next_member(L, index)) { /* key value */
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "%s has names and values", what);
        if (n == PAIRS_MAX)
            luaL_error(L, "%s has at most %d names", what, PAIRS_MAX);
        lua_pushvalue(L, -2);
        names[n++] = bind_check_slice(L, -1, what); /* stays alive: it is a key of the table */
        lua_pop(L, 1);
        size += encoded_len(names[n - 1]) + encoded_len(check_piece(L, what)) + 2;
        lua_pop(L, 1);
    }
    if (size > max)
        luaL_error(L, "%s is longer than %d bytes", what, (int)max);
    vm_charge(L, (int64_t)(size / 2));
    for (size_t i = 1; i < n; i++) { /* few: insertion */
        struct slice name = names[i];
        size_t k = i;
        for (; k > 0 && slice_cmp(names[k - 1], name) > 0; k--)
            names[k] = names[k - 1];
        names[k] = name;
    }
    char *start = bind_wiped_alloc(L, t, size + 1), *out = start;
    memcpy(out, head.data, head.len);
    out += head.len;
    for (size_t i = 0; i < n; i++) {
        bind_push_slice(L, names[i]);
        lua_rawget(L, index);
        if (i)
            *out++ = '&';
        out = encode(out, names[i]);
        *out++ = '=';
        out = encode(out, check_piece(L, what));
        lua_pop(L, 1);
    }
    return slice_of(start, (size_t)(out - start));
}

/* --- the request ---------------------------------------------------------------------------------------------------------------- */

static void add_header(lua_State *L, struct bind_task *t, struct slice name, struct slice value)
{
    struct outbound_request *r = &t->request;
    for (size_t i = 0; i < r->header_count; i++)
        if (t->headers[i].name.len == name.len && strncasecmp(t->headers[i].name.data, name.data, name.len) == 0)
            luaL_error(L, "the header %s is there twice", lua_pushlstring(L, name.data, name.len));
    if (r->header_count == sizeof t->headers / sizeof *t->headers)
        luaL_error(L, "headers: at most %d", (int)(sizeof t->headers / sizeof *t->headers));
    t->headers[r->header_count++] = (struct http_header){ name, value };
    r->headers = t->headers;
}

static bool has_header(const struct bind_task *t, const char *name)
{
    for (size_t i = 0; i < t->request.header_count; i++)
        if (t->headers[i].name.len == strlen(name) && strncasecmp(t->headers[i].name.data, name, strlen(name)) == 0)
            return true;
    return false;
}

/* A piece of text as one that lives as long as the task's request. */
static struct slice keep(lua_State *L, struct bind_task *t, const char *head, struct slice s)
{
    size_t n = strlen(head);
    vm_charge(L, (int64_t)(s.len / 16));
    char *out = bind_wiped_alloc(L, t, n + s.len + 1);
    memcpy(out, head, n);
    memcpy(out + n, s.data, s.len);
    return slice_of(out, n + s.len);
}

static void read_headers(lua_State *L, struct bind_task *t)
{
    if (lua_getfield(L, 1, "headers") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TTABLE);
        int table = lua_gettop(L);
        vm_unwrap(L, table);
        lua_pushnil(L);
        while (next_member(L, table)) {
            if (lua_type(L, -2) != LUA_TSTRING)
                luaL_error(L, "headers has names and values");
            lua_pushvalue(L, -2);
            struct slice name = keep(L, t, "", bind_check_slice(L, -1, "the name of a header"));
            lua_pop(L, 1);
            add_header(L, t, name, keep(L, t, "", check_piece(L, "the value of a header")));
            lua_pop(L, 1);
        }
    }
    if (lua_getfield(L, 1, "bearer") != LUA_TNIL)
        add_header(L, t, SLICE_LIT("Authorization"), keep(L, t, "Bearer ", check_piece(L, "bearer")));
}

/* basic = { user = "...", password = secret } */
static void read_basic(lua_State *L, struct bind_task *t)
{
    if (lua_getfield(L, 1, "basic") == LUA_TNIL)
        return;
    luaL_checktype(L, -1, LUA_TTABLE);
    int table = lua_gettop(L);
    lua_getfield(L, table, "user");
    struct slice user = check_piece(L, "basic.user");
    lua_getfield(L, table, "password");
    struct slice password = check_piece(L, "basic.password");
    size_t n = user.len + 1 + password.len;
    char *pair = bind_wiped_alloc(L, t, n + 1);
    memcpy(pair, user.data, user.len);
    pair[user.len] = ':';
    memcpy(pair + user.len + 1, password.data, password.len);
    char *value = bind_wiped_alloc(L, t, 6 + base64_len(n) + 1);
    memcpy(value, "Basic ", 6);
    base64_encode(pair, n, value + 6);
    add_header(L, t, SLICE_LIT("Authorization"), slice_of(value, 6 + base64_len(n)));
}

static void set_body(lua_State *L, struct bind_task *t, struct slice body, const char *type)
{
    if (t->request.has_body)
        luaL_error(L, "write one of body, json and form");
    if (body.len > BODY_MAX)
        luaL_error(L, "the body is longer than %d bytes", BODY_MAX);
    t->request.body = body;
    t->request.has_body = true;
    if (type && !has_header(t, "Content-Type"))
        add_header(L, t, SLICE_LIT("Content-Type"), slice_str(type));
}

static void read_body(lua_State *L, struct bind_task *t, struct arena *arena)
{
    if (lua_getfield(L, 1, "body") != LUA_TNIL)
        set_body(L, t, keep(L, t, "", bind_check_slice(L, -1, "body")), NULL);
    if (lua_getfield(L, 1, "json") != LUA_TNIL) {
        struct bind_buf b;
        struct json_writer w;
        bind_buf_init(&b, arena);
        json_writer_init(&w, &b.buf);
        bind_write_json(L, lua_gettop(L), &w, arena);
        bind_buf_check(L, &b);
        set_body(L, t, buf_slice(&b.buf), "application/json");
    }
    if (lua_getfield(L, 1, "form") != LUA_TNIL)
        set_body(L, t, write_pairs(L, t, lua_gettop(L), slice_str(""), BODY_MAX, "form"), "application/x-www-form-urlencoded");
}

static void read_url(lua_State *L, struct bind_task *t)
{
    struct slice url = bind_field_slice(L, 1, "url", true);
    if (url.len > URL_MAX)
        luaL_error(L, "url is longer than %d bytes", URL_MAX);
    if (lua_getfield(L, 1, "query") == LUA_TNIL) {
        t->request.url = keep(L, t, "", url);
        return;
    }
    if (memchr(url.data, '?', url.len))
        luaL_error(L, "url has a ? in it already; put all of it into query");
    char *with = bind_wiped_alloc(L, t, url.len + 2);
    memcpy(with, url.data, url.len);
    with[url.len] = '?';
    t->request.url = write_pairs(L, t, lua_gettop(L), slice_of(with, url.len + 1), URL_MAX, "query");
}

/* "5s" or milliseconds */
static int64_t read_timeout(lua_State *L)
{
    int64_t ms = TIMEOUT_MS;
    struct err err = { 0 };
    if (lua_getfield(L, 1, "timeout") == LUA_TSTRING) {
        if (duration_parse(bind_check_slice(L, -1, "timeout"), &ms, &err) < 0)
            bind_raise(L, &err);
    } else if (!lua_isnil(L, -1)) {
        ms = bind_check_int(L, -1, "timeout");
    }
    if (ms < 1 || ms > TIMEOUT_MAX_MS)
        luaL_error(L, "timeout is 1 to %d milliseconds, or text like \"5s\"", TIMEOUT_MAX_MS);
    return ms;
}

static const char *read_method(lua_State *L)
{
    static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", NULL };
    if (lua_getfield(L, 1, "method") == LUA_TNIL)
        return "GET";
    struct slice m = bind_check_slice(L, -1, "method");
    for (size_t i = 0; methods[i]; i++)
        if (slice_is(m, methods[i]))
            return methods[i];
    luaL_error(L, "there is no method %s; write one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS", lua_tostring(L, -1));
    return NULL;
}

static void check_names(lua_State *L)
{
    static const char *const names[] = { "method", "url",  "query", "headers", "bearer",    "basic",
                                         "json",   "form", "body",  "timeout", "max_bytes", NULL };
    lua_pushnil(L);
    while (next_member(L, 1)) {
        bool known = false;
        struct slice name = lua_type(L, -2) == LUA_TSTRING ? slice_str(lua_tostring(L, -2)) : slice_str("");
        for (size_t i = 0; names[i] && !known; i++)
            known = slice_is(name, names[i]);
        const char *near = known ? NULL : nearest_word(name, names);
        if (!known && near)
            luaL_error(L, "a request has no '%s'; did you mean '%s'?", name.data, near);
        if (!known)
            luaL_error(L, "a request has no '%s'; it has method, url, query, headers, bearer, basic, json, form, body, timeout, max_bytes",
                       name.data);
        lua_pop(L, 1);
    }
}

/* --- what comes back ---------------------------------------------------------------------------------------------------------- */

static int failed(lua_State *L, const struct err *err)
{
    lua_pushnil(L);
    lua_pushstring(L, err->text);
    lua_pushstring(L, err->reason[0] ? err->reason : err_name(err->code));
    return 3;
}

/* Names in small letters; several values of one name are joined, as HTTP allows. */
static void push_headers(lua_State *L, const struct outbound_answer *a)
{
    lua_newtable(L);
    int table = lua_gettop(L);
    for (size_t i = 0; i < a->header_count; i++) {
        char name[128];
        size_t n = a->headers[i].name.len;
        if (n >= sizeof name)
            continue;
        for (size_t k = 0; k < n; k++) {
            char c = a->headers[i].name.data[k];
            name[k] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
        }
        lua_pushlstring(L, name, n);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, table) == LUA_TSTRING) { /* name before */
            lua_pushliteral(L, ", ");
            bind_push_slice(L, a->headers[i].value);
            lua_concat(L, 3);
        } else {
            lua_pop(L, 1);
            bind_push_slice(L, a->headers[i].value);
        }
        lua_rawset(L, table);
    }
}

static int request_done(lua_State *L, int status, lua_KContext k)
{
    struct bind_task *t = (struct bind_task *)k;
    (void)status;
    t->waits = BIND_WAITS_FOR_NOTHING;
    if (t->rc == ERR_INVALID) /* a mistake of whoever wrote it, not of whoever called */
        return luaL_error(L, "%s", t->err.text);
    if (t->rc < 0 || !t->answer)
        return failed(L, &t->err);
    const struct outbound_answer *a = t->answer;
    vm_charge(L, (int64_t)(a->body.len / 8));
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, a->status);
    lua_setfield(L, -2, "status");
    push_headers(L, a);
    lua_setfield(L, -2, "headers");
    bind_push_slice(L, a->body);
    lua_setfield(L, -2, "body");
    return 1;
}

static void check_target(lua_State *L, const struct bind_context *c, const struct bind_plugin *p, struct slice url)
{
    struct outbound_target to;
    struct err err = { 0 };
    if (outbound_target(url, &to, &err) < 0)
        luaL_error(L, "%s", err.text);
    if (c->plugins && c->plugins->may_call(c->plugins_ctx, p, slice_str(to.host), to.port))
        return;
    char port[16] = "";
    if (to.port != 443)
        snprintf(port, sizeof port, ":%d", to.port);
    luaL_error(L, "the plugin %s may not call %s%s; add \"%s%s\" to needs.http in its plugin.lua", p->name, to.host, port, to.host, port);
}

static int request(lua_State *L) /* the table at 1 */
{
    struct bind_task *t = bind_check_task(L, "http.request()");
    const struct bind_plugin *p = plugin_of(L);
    struct bind_context *c = bind_state(L)->ctx;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    vm_unwrap(L, 1);
    luaL_checkstack(L, 40, "a request");
    vm_charge(L, REQUEST_UNITS);
    bind_task_sent(t); /* one that raised half way may have left something */
    check_names(L);
    t->request.method = read_method(L);
    read_url(L, t);
    check_target(L, c, p, t->request.url);
    read_headers(L, t);
    read_basic(L, t);
    read_body(L, t, c->arena);
    t->request.timeout_ms = read_timeout(L);
    int64_t max = bind_field_int(L, 1, "max_bytes", false, ANSWER_BYTES);
    luaL_argcheck(L, max >= 1 && max <= ANSWER_BYTES_MAX, 1, "max_bytes is 1 to 1000000");
    t->request.answer_bytes_max = (size_t)max;
    t->waits = BIND_WAITS_FOR_HTTP;
    lua_settop(L, 0);
    return lua_yieldk(L, 0, (lua_KContext)t, request_done);
}

static int l_request(lua_State *L) /* (request) -> { status, headers, body } or nil, sentence, code; upvalue: the plugin */
{
    return request(L);
}

/* (url, request?) -> the same */
static int with_method(lua_State *L, const char *method)
{
    bind_check_slice(L, 1, "the url");
    lua_settop(L, 2);
    lua_newtable(L); /* url given request */
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        vm_unwrap(L, 2);
        lua_pushnil(L);
        while (next_member(L, 2)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 3);
        }
    }
    lua_pushvalue(L, 1);
    lua_setfield(L, 3, "url");
    lua_pushstring(L, method);
    lua_setfield(L, 3, "method");
    lua_replace(L, 1);
    return request(L);
}

static int l_get(lua_State *L)
{
    return with_method(L, "GET");
}

static int l_post(lua_State *L)
{
    return with_method(L, "POST");
}

int bind_plugin_http(struct vm *v, const struct bind_plugin *p, vm_ref *out, struct err *err)
{
    static const luaL_Reg functions[] = { { "request", l_request }, { "get", l_get }, { "post", l_post }, { NULL, NULL } };
    return bind_plugin_module(v, p, functions, out, err);
}
