/* feira.sql: prepared statements for the stdlib. Never for plugins: a statement can be declared only in a file of the
 * stdlib, whose chunk name no shop can have. Reading needs a handler or a procedure, writing a procedure (and the
 * connections of workers are read-only besides). Results are read to their end inside the call: no statement is left open. */
#include "bind/bind_int.h"
#include <string.h>

#define SQL_CLASS "feira.sql.statement"
static const char HOME[] = "@stdlib/";
enum { ROWS_MAX = 100000 };

static void check_home(lua_State *L)
{
    lua_Debug ar;
    for (int level = 1; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (*ar.what == 'C')
            continue;
        if (strncmp(ar.source, HOME, sizeof HOME - 1) == 0)
            return;
        break;
    }
    luaL_error(L, "feira.sql is for the standard library only; plugins keep data in their collections");
}

static int l_statement(lua_State *L) /* (sql) -> statement */
{
    check_home(L);
    bind_check_slice(L, 1, "the statement");
    lua_settop(L, 1);
    lua_newuserdatauv(L, 1, 1); /* sql box */
    lua_insert(L, 1);           /* box sql */
    lua_setiuservalue(L, 1, 1); /* box */
    luaL_setmetatable(L, SQL_CLASS);
    return 1;
}

/* Values from index 2 on, as many as the statement has parameters. */
static struct store_stmt *bind_values(lua_State *L, unsigned phases, const char *what)
{
    struct bind_context *c = bind_require_wait(L, phases, what);
    luaL_checkudata(L, 1, SQL_CLASS);
    lua_getiuservalue(L, 1, 1);
    const char *sql = lua_tostring(L, -1);
    lua_pop(L, 1); /* alive: the box holds it */
    struct store_stmt *s;
    struct err err = { 0 };
    if (store_prepare(c->conn, sql, &s, &err) < 0)
        bind_raise(L, &err);
    int n = lua_gettop(L) - 1;
    if (n != store_stmt_params(s))
        luaL_error(L, "the statement takes %d values, %d were given", store_stmt_params(s), n);
    /* All values are looked at before the first is bound, so that an error leaves nothing bound. */
    for (int i = 1; i <= n; i++) {
        int t = lua_type(L, i + 1);
        bool fine = t == LUA_TNIL || t == LUA_TBOOLEAN || t == LUA_TSTRING || lua_isinteger(L, i + 1);
        if (!fine)
            luaL_error(L, "value %d of the statement is a %s; it takes integers, strings, booleans and nil", i,
                       t == LUA_TNUMBER ? "float" : luaL_typename(L, i + 1));
    }
    vm_charge(L, 200);
    for (int i = 1; i <= n; i++) {
        size_t len;
        switch (lua_type(L, i + 1)) {
        case LUA_TNUMBER:
            store_bind_int(s, i, lua_tointeger(L, i + 1));
            break;
        case LUA_TBOOLEAN:
            store_bind_int(s, i, lua_toboolean(L, i + 1));
            break;
        case LUA_TSTRING: {
            const char *text = lua_tolstring(L, i + 1, &len);
            store_bind_text(s, i, slice_of(text, len));
            break;
        }
        default:
            store_bind_null(s, i);
        }
    }
    return s;
}

/* Memory may run out while values are pushed; the statement must be reset then too. So reading runs under vm_try(). */
struct reading {
    struct store_stmt *s;
    enum { READ_ROW, READ_ROWS, READ_VALUES } how;
    int rc;
    struct err err;
};

static void push_column(lua_State *L, struct store_stmt *s, int i)
{
    switch (store_column_type(s, i)) {
    case STORE_NULL:
        lua_pushnil(L);
        break;
    case STORE_INT:
        lua_pushinteger(L, store_column_int(s, i));
        break;
    default:
        bind_push_slice(L, store_column_text(s, i));
    }
}

static void push_row(lua_State *L, struct store_stmt *s)
{
    int n = store_columns(s);
    lua_createtable(L, 0, n); /* row */
    for (int i = 0; i < n; i++) {
        push_column(L, s, i);
        lua_setfield(L, -2, store_column_name(s, i));
    }
}

static int read_body(lua_State *L) /* (reading) -> results */
{
    struct reading *r = lua_touserdata(L, 1);
    lua_settop(L, 0);
    if (r->how == READ_ROWS)
        lua_newtable(L); /* rows */
    lua_Integer n = 0;
    while ((r->rc = store_step(r->s, &r->err)) == 1) {
        if (r->how == READ_VALUES) {
            int columns = store_columns(r->s);
            luaL_checkstack(L, columns, "columns");
            for (int i = 0; i < columns; i++)
                push_column(L, r->s, i);
            store_reset(r->s);
            r->rc = 0;
            return columns;
        }
        push_row(L, r->s); /* rows row */
        if (r->how == READ_ROW) {
            store_reset(r->s);
            r->rc = 0;
            return 1;
        }
        if (++n > ROWS_MAX)
            luaL_error(L, "the statement gives more than %d rows; page through them", ROWS_MAX);
        vm_charge(L, 100);
        lua_rawseti(L, -2, n); /* rows */
    }
    if (r->rc < 0)
        return 0;
    if (r->how == READ_ROW)
        lua_pushnil(L);
    return lua_gettop(L);
}

static int read_results(lua_State *L, int how)
{
    struct reading r = { .s = bind_values(L, BIND_STORE, "reading from the store"), .how = (unsigned)how };
    int top = lua_gettop(L);
    lua_pushcfunction(L, read_body);
    lua_pushlightuserdata(L, &r);
    if (vm_try(L, 1, LUA_MULTRET) != LUA_OK) {
        store_reset(r.s);
        return vm_rethrow(L);
    }
    if (r.rc < 0)
        return bind_raise(L, &r.err);
    return lua_gettop(L) - top;
}

static int l_row(lua_State *L) /* (statement, values...) -> { column = value } | nil: the first row */
{
    return read_results(L, READ_ROW);
}

static int l_rows(lua_State *L) /* (statement, values...) -> list of rows */
{
    return read_results(L, READ_ROWS);
}

static int l_values(lua_State *L) /* (statement, values...) -> the columns of the first row; nothing when there is none */
{
    return read_results(L, READ_VALUES);
}

static int l_run(lua_State *L) /* (statement, values...) -> changed rows */
{
    struct store_stmt *s = bind_values(L, BIND_PROCEDURE, "writing to the store");
    int64_t changed = 0;
    struct err err = { 0 };
    if (store_run(s, &changed, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, changed);
    return 1;
}

static int l_insert(lua_State *L) /* (statement, values...) -> integer key of the row: for INSERT of one */
{
    struct store_stmt *s = bind_values(L, BIND_PROCEDURE, "writing to the store");
    int64_t id = 0;
    struct err err = { 0 };
    if (store_insert(s, &id, &err) < 0)
        return bind_raise(L, &err);
    lua_pushinteger(L, id);
    return 1;
}

void bind_open_sql(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "run", l_run }, { "insert", l_insert }, { "row", l_row }, { "rows", l_rows }, { "values", l_values }, { NULL, NULL },
    };
    static const luaL_Reg functions[] = { { "statement", l_statement }, { NULL, NULL } };
    bind_class(L, SQL_CLASS, methods, NULL);
    luaL_newlib(L, functions);
}
