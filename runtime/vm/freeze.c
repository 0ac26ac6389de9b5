/* Read-only views. Lua tables can't be locked, so a view is an empty table whose metatable leads to the real one, which
 * Lua code no longer has. A table remembers its view, so that it has only one.
 *
 * Metatables of plugins are copied when they are set: only known metamethods count, so that no table becomes weak
 * (__mode) or gets a finalizer (__gc) by a later assignment; both crash or hang Lua 5.4.4 under a memory cap. */
#include "vm/vm_int.h"

static const char *const metamethods[] = { "__index",  "__newindex", "__call", "__tostring", "__eq",   "__lt",  "__le",  "__len",
                                           "__concat", "__pairs",    "__unm",  "__add",      "__sub",  "__mul", "__div", "__mod",
                                           "__pow",    "__idiv",     "__band", "__bor",      "__bxor", "__shl", "__shr", "__bnot" };
static const char *const refused[] = { "__gc", "__mode", "__close", "__metatable" };
enum { METAMETHODS = sizeof metamethods / sizeof *metamethods, REFUSED = sizeof refused / sizeof *refused };

static int refuse_write(lua_State *L)
{
    if (lua_type(L, 2) == LUA_TSTRING)
        return luaL_error(L, "'%s' can't be set: this table is read-only; copy what you want to change into a table of your own",
                          lua_tostring(L, 2));
    return luaL_error(L, "this table is read-only; copy what you want to change into a table of your own");
}

bool vm_is_view(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    bool view = lua_rawgetp(L, -1, &vm_key_real) != LUA_TNIL;
    lua_pop(L, 2);
    return view;
}

void vm_unwrap(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return;
    if (lua_rawgetp(L, -1, &vm_key_real) != LUA_TNIL)
        lua_replace(L, index);
    else
        lua_pop(L, 1);
    lua_pop(L, 1);
}

static int view_len(lua_State *L)
{
    lua_settop(L, 1);
    vm_unwrap(L, 1);
    lua_pushinteger(L, luaL_len(L, 1));
    return 1;
}

/* Pushes the view of the table at index, and true when it is new: then its content is still to be frozen. */
static bool push_view(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 8, "freezing");
    if (vm_is_view(L, index)) {
        lua_pushvalue(L, index);
        return false;
    }
    if (lua_rawgetp(L, index, &vm_key_view) != LUA_TNIL)
        return false;
    lua_pop(L, 1);
    vm_charge(L, 30);
    lua_createtable(L, 0, 0); /* view */
    lua_createtable(L, 0, 4); /* view meta */
    if (lua_getmetatable(L, index)) {
        /* What the table does with operators, its view does too. */
        for (int i = 0; i < METAMETHODS; i++) {
            lua_pushstring(L, metamethods[i]);
            if (lua_rawget(L, -2) != LUA_TNIL) {
                lua_setfield(L, -3, metamethods[i]);
            } else {
                lua_pop(L, 1);
            }
        }
        if (lua_rawgetp(L, -1, &vm_key_original) != LUA_TNIL)
            lua_rawsetp(L, -3, &vm_key_original);
        else
            lua_pop(L, 1);
        lua_pop(L, 1);
    }
    lua_pushvalue(L, index);
    lua_rawsetp(L, -2, &vm_key_real);
    lua_pushvalue(L, index);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, refuse_write);
    lua_setfield(L, -2, "__newindex");
    lua_pushcfunction(L, view_len);
    lua_setfield(L, -2, "__len");
    lua_setmetatable(L, -2); /* view */
    lua_pushvalue(L, -1);
    lua_rawsetp(L, index, &vm_key_view);
    return true;
}

/* Puts the value on top at the end of the list of what is still to be looked into. */
static void to_do(lua_State *L, int list)
{
    lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1);
}

/* Replaces the value on top by its frozen form. Functions keep their identity; they are looked into once. */
static void freeze_one(lua_State *L, int list, int seen)
{
    if (lua_type(L, -1) == LUA_TTABLE) {
        bool fresh = push_view(L, -1); /* real view */
        if (fresh) {
            lua_pushvalue(L, -2);
            to_do(L, list);
        }
        lua_remove(L, -2);
    } else if (lua_type(L, -1) == LUA_TFUNCTION) {
        lua_pushvalue(L, -1);
        if (lua_rawget(L, seen) == LUA_TNIL) {
            lua_pushvalue(L, -2);
            lua_pushboolean(L, 1);
            lua_rawset(L, seen);
            lua_pushvalue(L, -2);
            to_do(L, list);
        }
        lua_pop(L, 1);
    }
}

static void freeze_members(lua_State *L, int table, int list, int seen)
{
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int type = lua_type(L, -1);
        bool ours = lua_type(L, -2) == LUA_TLIGHTUSERDATA;
        vm_charge(L, 2);
        if (!ours && (type == LUA_TTABLE || type == LUA_TFUNCTION)) {
            freeze_one(L, list, seen);
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, table); /* the key is there: this does not disturb the walk */
        } else {
            lua_pop(L, 1);
        }
    }
    /* The class of an object is captured state, too, and so is what its metamethods capture. */
    if (lua_getmetatable(L, table)) {
        if (lua_rawgetp(L, -1, &vm_key_original) == LUA_TTABLE) { /* meta original */
            freeze_one(L, list, seen);
            lua_pushliteral(L, "__index");
            if (lua_rawget(L, -3) == LUA_TTABLE) {
                freeze_one(L, list, seen);
                lua_setfield(L, -3, "__index");
            } else {
                lua_pop(L, 1);
            }
        }
        lua_pop(L, 2);
    }
}

/* The environment of a file, shared by its functions, is sealed by vm.c and left alone here. Of a C function only the
 * functions behind it are looked into: its tables are its own. */
static void freeze_upvalues(lua_State *L, int fn, int list, int seen)
{
    bool is_c = lua_iscfunction(L, fn);
    if (!is_c)
        vm_refuse_memory(L, fn);
    const char *name;
    for (int i = 1; (name = lua_getupvalue(L, fn, i)) != NULL; i++) {
        int type = lua_type(L, -1);
        vm_charge(L, 4);
        if (strcmp(name, "_ENV") != 0 && (type == LUA_TFUNCTION || (type == LUA_TTABLE && !is_c))) {
            freeze_one(L, list, seen);
            lua_setupvalue(L, fn, i);
        } else {
            lua_pop(L, 1);
        }
    }
}

void vm_freeze_value(lua_State *L)
{
    luaL_checkstack(L, 16, "freezing");
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 0);
    int list = lua_gettop(L) - 1, seen = list + 1, at = seen + 1;
    lua_pushvalue(L, list - 1);
    freeze_one(L, list, seen);
    lua_replace(L, list - 1);
    for (lua_Integer next = 1; lua_rawgeti(L, list, next) != LUA_TNIL; next++) {
        if (lua_type(L, at) == LUA_TTABLE)
            freeze_members(L, at, list, seen);
        else
            freeze_upvalues(L, at, list, seen);
        lua_settop(L, seen);
    }
    lua_settop(L, list - 1);
}

void vm_freeze(lua_State *L)
{
    vm_freeze_value(L);
}

/* --- metatables ---------------------------------------------------------------------------------------------------- */

int vm_set_metatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, lua_isnil(L, 2) || lua_type(L, 2) == LUA_TTABLE, 2, "nil or table");
    lua_settop(L, 2);
    if (vm_is_view(L, 1))
        return luaL_error(L, "this table is read-only; its metatable can't be changed");
    if (lua_getmetatable(L, 1)) {
        if (lua_rawgetp(L, -1, &vm_key_original) == LUA_TNIL)
            return luaL_error(L, "the metatable of this table belongs to the runtime and can't be changed");
        lua_pop(L, 2);
    }
    if (lua_isnil(L, 2)) {
        lua_setmetatable(L, 1);
        return 1;
    }
    vm_charge(L, 150);
    lua_pushvalue(L, 2); /* t original source */
    vm_unwrap(L, 3);
    for (int i = 0; i < REFUSED; i++) {
        lua_pushstring(L, refused[i]);
        if (lua_rawget(L, 3) != LUA_TNIL)
            return luaL_error(L, "%s is not available to plugins%s", refused[i],
                              i == 0 || i == 2 ? "; clean up where the work ends"
                              : i == 1         ? "; tables here are not weak"
                                               : "");
        lua_pop(L, 1);
    }
    if (lua_rawgetp(L, 3, &vm_key_meta) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 4);
        lua_pushvalue(L, 2);
        lua_rawsetp(L, -2, &vm_key_original);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, 3, &vm_key_meta);
    }
    for (int i = 0; i < METAMETHODS; i++) {
        lua_pushstring(L, metamethods[i]);
        lua_pushvalue(L, -1);
        lua_rawget(L, 3);
        lua_rawset(L, 4);
    }
    lua_setmetatable(L, 1);
    lua_settop(L, 1);
    return 1;
}

/* Only what setmetatable() was given: the metatable of strings, views and handles is nobody's business. */
int vm_get_metatable(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (lua_type(L, 1) != LUA_TTABLE || !lua_getmetatable(L, 1))
        return 0;
    if (lua_rawgetp(L, 2, &vm_key_original) == LUA_TNIL)
        return 0;
    if (lua_rawgetp(L, 3, &vm_key_view) != LUA_TNIL)
        return 1;
    lua_settop(L, 3);
    return 1;
}
