/* The world in Lua: a bare state (no sandbox, nothing of the runtime's) in which the clients and the model are written. Its `sim`: */
#include "base/json.h"
#include "crypto/crypto.h"
#include "store/store.h"
#include "ledger/ledger.h"
#include "tests/simulate/sim.h"
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct sim *sim_of(lua_State *L)
{
    return *(struct sim **)lua_getextraspace(L);
}

/* --- time and chance -------------------------------------------------------------------------------------------------------------- */

static int l_roll(lua_State *L) /* roll(n) -> 1 .. n */
{
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n > 0, 1, "nothing to choose from");
    lua_pushinteger(L, 1 + (lua_Integer)sched_roll((uint64_t)n));
    return 1;
}

static int l_now(lua_State *L) /* now() -> wall ms */
{
    lua_pushinteger(L, sim_wall_ms(sim_of(L)));
    return 1;
}

static int l_mono(lua_State *L) /* mono() -> ms that only grow */
{
    lua_pushinteger(L, sched_now_ns() / 1000000);
    return 1;
}

static int l_jump(lua_State *L) /* jump(ms): the clock on the wall is set */
{
    sim_of(L)->wall_ahead_ms += luaL_checkinteger(L, 1);
    return 0;
}

static int l_wait(lua_State *L) /* wait(until): until something comes, or until that moment of mono() */
{
    net_wait(sim_of(L)->net, luaL_checkinteger(L, 1) * 1000000);
    return 0;
}

static int l_hash(lua_State *L)
{
    char text[40];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)sched_hash());
    lua_pushstring(L, text);
    lua_pushinteger(L, (lua_Integer)sched_turns());
    return 2;
}

/* --- connections -------------------------------------------------------------------------------------------------------------------- */

static int l_connect(lua_State *L) /* connect(operator?) -> number or nil */
{
    int c = net_connect(sim_of(L)->net, lua_toboolean(L, 1));
    if (c)
        lua_pushinteger(L, c);
    else
        lua_pushnil(L);
    return 1;
}

static int l_send(lua_State *L)
{
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    net_send(sim_of(L)->net, (int)luaL_checkinteger(L, 1), data, len);
    return 0;
}

static int l_finish(lua_State *L)
{
    net_finish(sim_of(L)->net, (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_hang_up(lua_State *L)
{
    net_hang_up(sim_of(L)->net, (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_window(lua_State *L)
{
    net_window(sim_of(L)->net, (int)luaL_checkinteger(L, 1), (size_t)luaL_checkinteger(L, 2));
    return 0;
}

static int l_receive(lua_State *L) /* receive(conn) -> bytes, whether more may come */
{
    struct buf b;
    buf_init(&b, NULL);
    bool open = net_receive(sim_of(L)->net, (int)luaL_checkinteger(L, 1), &b);
    lua_pushlstring(L, b.data ? b.data : "", b.len);
    buf_release(&b);
    lua_pushboolean(L, open);
    return 2;
}

/* --- the machine --------------------------------------------------------------------------------------------------------------------- */

static int l_start(lua_State *L)
{
    sim_start(sim_of(L), (int)luaL_checkinteger(L, 1));
    return 0;
}

static int l_state(lua_State *L) /* state() -> ready, ended, cut, why it did not start or "" */
{
    const struct sim *s = sim_of(L);
    lua_pushboolean(L, s->ready && !s->ended);
    lua_pushboolean(L, s->ended || !s->serving);
    lua_pushboolean(L, faultvfs_is_cut(s->disk));
    lua_pushstring(L, s->rc < 0 ? s->err.text : "");
    return 4;
}

static int l_stop(lua_State *L) /* SIGTERM */
{
    net_signal(sim_of(L)->net, SIGTERM);
    return 0;
}

static int l_cut_at(lua_State *L) /* cut_at(n): the power fails at the n-th change of the disk from now */
{
    faultvfs_cut_at(sim_of(L)->disk, (uint64_t)luaL_checkinteger(L, 1));
    return 0;
}

static int l_fail(
    lua_State *L) /* fail("full"|"write"|"sync"|"read", n, times): the n-th such call of the disk from now, and those after it */
{
    static const char *const kinds[] = { "full", "write", "sync", "read", NULL };
    int kind = luaL_checkoption(L, 1, NULL, kinds);
    faultvfs_fail(sim_of(L)->disk, (enum faultvfs_kind)kind, (uint64_t)luaL_checkinteger(L, 2), (uint64_t)luaL_checkinteger(L, 3));
    return 0;
}

static int l_power_off(lua_State *L)
{
    sim_power_off(sim_of(L));
    return 0;
}

static int l_join(lua_State *L)
{
    sim_join(sim_of(L));
    return 0;
}

static int l_power_on(lua_State *L)
{
    faultvfs_restart(sim_of(L)->disk);
    return 0;
}

static int l_write_file(lua_State *L) /* write_file(path in the shop's folder, text) */
{
    char path[200];
    size_t len;
    const char *name = luaL_checkstring(L, 1), *text = luaL_checklstring(L, 2, &len);
    snprintf(path, sizeof path, "%s/%s", sim_of(L)->dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700);
    *slash = '/';
    FILE *f = fopen(path, "w");
    if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0)
        return luaL_error(L, "%s can't be written", path);
    return 0;
}

/* --- what is seen -----------------------------------------------------------------------------------------------------------------------
 */

static int l_note(lua_State *L) /* note() -> kind, name, key, status, body, wall_ms; or nothing */
{
    static const char *const kinds[] = { "ran", "timer", "set", "call", "commit", "doubt" };
    struct note *n = notes_take(sim_of(L));
    if (!n)
        return 0;
    lua_pushstring(L, kinds[n->kind]);
    lua_pushstring(L, n->name);
    lua_pushstring(L, n->key);
    lua_pushinteger(L, n->status);
    lua_pushlstring(L, n->body, n->body_len);
    lua_pushinteger(L, n->wall_ms);
    note_free(n);
    return 6;
}

static void push_json(lua_State *L, const struct json_value *v)
{
    luaL_checkstack(L, 6, "too deep");
    switch (v->type) {
    case JSON_NULL:
        lua_pushboolean(L, 0); /* absent or null: the model does not tell them apart */
        break;
    case JSON_FALSE:
    case JSON_TRUE:
        lua_pushboolean(L, v->type == JSON_TRUE);
        break;
    case JSON_INT:
        lua_pushinteger(L, v->integer);
        break;
    case JSON_REAL:
    case JSON_STRING:
        lua_pushlstring(L, v->string.data, v->string.len);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        lua_createtable(L, 0, 0);
        lua_Integer i = 0;
        for (const struct json_value *m = v->first; m && v->count; m = m->next) {
            if (v->type == JSON_ARRAY)
                lua_pushinteger(L, ++i);
            else
                lua_pushlstring(L, m->key.data, m->key.len);
            push_json(L, m);
            lua_rawset(L, -3);
        }
        break;
    }
}

static int l_json(lua_State *L) /* json(text) -> value, or nil and why */
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct arena a;
    struct json_value *v;
    struct err err;
    arena_init(&a, NULL, 0);
    if (json_parse(slice_of(text, len), NULL, &a, &v, &err) < 0) {
        arena_release(&a);
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    push_json(L, v); /* raises only without memory */
    arena_release(&a);
    return 1;
}

static int l_outside(lua_State *L) /* outside() -> number, method, url, body; or nothing */
{
    struct outside_request r;
    int64_t number = outside_next(sim_of(L), &r);
    if (!number)
        return 0;
    lua_pushinteger(L, number);
    lua_pushstring(L, r.method);
    lua_pushlstring(L, r.url.data, r.url.len);
    lua_pushlstring(L, r.body.data ? r.body.data : "", r.body.len);
    return 4;
}

static int l_outside_answer(lua_State *L) /* outside_answer(number, status, body), or (number, nil, reason) */
{
    size_t len;
    lua_Integer number = luaL_checkinteger(L, 1);
    const char *text = luaL_checklstring(L, 3, &len);
    if (lua_isnil(L, 2))
        outside_fail(sim_of(L), number, text);
    else
        outside_answer(sim_of(L), number, (int)luaL_checkinteger(L, 2), slice_of(text, len));
    return 0;
}

static int l_hmac(lua_State *L) /* hmac(key, text) -> SHA-256, in hex */
{
    size_t key_len, len;
    const char *key = luaL_checklstring(L, 1, &key_len), *text = luaL_checklstring(L, 2, &len);
    unsigned char mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1] = { 0 };
    struct hmac_key *k = hmac_key_new(slice_of(key, key_len));
    if (!k)
        return luaL_error(L, "out of memory");
    hmac_sha256(k, slice_of(text, len), mac);
    hmac_key_free(k);
    hex_encode(mac, sizeof mac, hex);
    lua_pushstring(L, hex);
    return 1;
}

/* --- the data, when nobody serves them
 * ----------------------------------------------------------------------------------------------------- */

struct reading {
    struct store *store;
    struct store_conn *conn;
};

static int open_data(struct sim *s, struct reading *r, struct err *err)
{
    char path[128];
    snprintf(path, sizeof path, "%s/shop.db", s->data);
    *r = (struct reading){ 0 };
    int rc = store_open(&(struct store_options){ .path = path, .vfs = s->disk_name, .read_only = true }, &r->store, err);
    return rc < 0 ? rc : store_reader_open(r->store, &r->conn, err);
}

static void close_data(struct reading *r)
{
    if (r->conn)
        store_reader_close(r->conn);
    if (r->store)
        store_close(r->store);
}

static void push_row(lua_State *L, struct store_stmt *q)
{
    int n = store_columns(q);
    lua_createtable(L, n, 0);
    for (int i = 0; i < n; i++) {
        if (store_column_type(q, i) == STORE_INT) {
            lua_pushinteger(L, store_column_int(q, i));
        } else {
            struct slice text = store_column_type(q, i) == STORE_NULL ? slice_str("") : store_column_text(q, i);
            lua_pushlstring(L, text.data, text.len);
        }
        lua_rawseti(L, -2, i + 1);
    }
}

static int l_rows(lua_State *L) /* rows(sql) -> { { ... } ... }, or nil and why */
{
    const char *sql = luaL_checkstring(L, 1);
    struct reading r;
    struct store_stmt *q;
    struct err err = { 0 };
    int rc = open_data(sim_of(L), &r, &err);
    if (rc == 0)
        rc = store_prepare(r.conn, sql, &q, &err);
    lua_newtable(L);
    for (lua_Integer i = 1; rc == 0 && (rc = store_step(q, &err)) == 1; i++, rc = 0) {
        push_row(L, q);
        lua_rawseti(L, -2, i);
    }
    close_data(&r);
    if (rc == 0)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, err.text);
    return 2;
}

static int l_books(lua_State *L) /* books() -> nothing, or what is wrong with the file or the ledger */
{
    struct reading r;
    struct err err = { 0 };
    int rc = open_data(sim_of(L), &r, &err);
    if (rc == 0)
        rc = store_check(r.conn, true, &err);
    if (rc == 0)
        rc = ledger_verify(r.conn, &err);
    close_data(&r);
    if (rc == 0)
        return 0;
    lua_pushstring(L, err.text);
    return 1;
}

/* --- one seed
 * ------------------------------------------------------------------------------------------------------------------------------ */

static const luaL_Reg functions[] = {
    { "roll", l_roll },
    { "now", l_now },
    { "mono", l_mono },
    { "jump", l_jump },
    { "wait", l_wait },
    { "hash", l_hash },
    { "connect", l_connect },
    { "send", l_send },
    { "finish", l_finish },
    { "hang_up", l_hang_up },
    { "window", l_window },
    { "receive", l_receive },
    { "start", l_start },
    { "state", l_state },
    { "stop", l_stop },
    { "cut_at", l_cut_at },
    { "fail", l_fail },
    { "power_off", l_power_off },
    { "power_on", l_power_on },
    { "join", l_join },
    { "write_file", l_write_file },
    { "note", l_note },
    { "json", l_json },
    { "outside", l_outside },
    { "outside_answer", l_outside_answer },
    { "rows", l_rows },
    { "hmac", l_hmac },
    { "books", l_books },
    { NULL, NULL },
};

static int traceback(lua_State *L)
{
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int script_run(struct sim *s, const char *folder, const char *setting)
{
    char path[4200];
    lua_State *L = luaL_newstate();
    if (!L)
        return -1;
    *(struct sim **)lua_getextraspace(L) = s;
    luaL_openlibs(L);
    luaL_newlib(L, functions);
    lua_pushinteger(L, (lua_Integer)s->seed);
    lua_setfield(L, -2, "seed");
    lua_pushstring(L, folder);
    lua_setfield(L, -2, "folder");
    lua_pushstring(L, setting);
    lua_setfield(L, -2, "setting");
    lua_setglobal(L, "sim");
    snprintf(path, sizeof path, "%s/main.lua", folder);
    lua_pushcfunction(L, traceback);
    int rc = luaL_loadfilex(L, path, "t");
    if (rc == LUA_OK)
        rc = lua_pcall(L, 0, 0, 1);
    if (rc != LUA_OK)
        fprintf(stderr, "%s\n", lua_tostring(L, -1));
    lua_close(L);
    return rc == LUA_OK ? 0 : -1;
}
