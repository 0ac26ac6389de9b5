/* Values across the border of a state: trees to tables and back, and calls with them, for who does not see lua.h. */
#include "vm/vm_int.h"

struct tree_args {
    struct arena *arena;
    struct json_value *tree;
    vm_ref ref;
};

static int tree_body(lua_State *L)
{
    struct tree_args *a = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, a->ref);
    a->tree = vm_tree(L, lua_gettop(L), VM_TREE_FUNCTIONS, a->arena);
    return 0;
}

int vm_to_json(struct vm *v, vm_ref ref, struct arena *arena, struct json_value **out, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct tree_args a = { .arena = arena, .ref = ref };
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_NOMEM, "there is no memory to read a table");
    lua_pushcfunction(L, tree_body);
    lua_pushlightuserdata(L, &a);
    size_t before = v->function_count;
    int rc = vm_pcall(v, 1, 0, err);
    *out = rc < 0 ? NULL : a.tree;
    while (rc < 0 && v->function_count > before)
        vm_release(v, v->functions[--v->function_count]);
    return rc;
}

size_t vm_function_count(const struct vm *v)
{
    return v->function_count;
}

vm_ref vm_function(const struct vm *v, int fn)
{
    return fn >= 1 && (size_t)fn <= v->function_count ? v->functions[fn - 1] : 0;
}

struct push_args {
    const struct json_value *tree;
    struct slice text;
};

static int push_body(lua_State *L)
{
    struct push_args *a = lua_touserdata(L, 1);
    if (a->tree)
        vm_push_json_value(L, a->tree);
    else
        lua_pushlstring(L, a->text.data, a->text.len);
    return 1;
}

static void push(struct vm *v, struct push_args a)
{
    lua_State *L = vm_lua(v);
    if (!lua_checkstack(L, 8)) {
        v->push_failed = true;
        return;
    }
    lua_pushcfunction(L, push_body);
    lua_pushlightuserdata(L, &a);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        v->push_failed = true;
        lua_pop(L, 1);
        lua_pushnil(L);
    }
}

void vm_push_json(struct vm *v, const struct json_value *value)
{
    push(v, (struct push_args){ .tree = value });
}

void vm_push_string(struct vm *v, struct slice s)
{
    push(v, (struct push_args){ .text = s });
}

void vm_push_int(struct vm *v, int64_t n)
{
    lua_State *L = vm_lua(v);
    if (lua_checkstack(L, 4))
        lua_pushinteger(L, n);
    else
        v->push_failed = true;
}

void vm_push_ref(struct vm *v, vm_ref ref)
{
    lua_State *L = vm_lua(v);
    if (!lua_checkstack(L, 4))
        v->push_failed = true;
    else if (ref > 0)
        lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    else
        lua_pushnil(L);
}

static int result_body(lua_State *L)
{
    struct tree_args *a = lua_touserdata(L, lua_gettop(L));
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    a->tree = vm_tree(L, lua_gettop(L), VM_TREE_DATA, a->arena);
    return 0;
}

static int keep_tree(lua_State *L) /* (push_args) -> ref */
{
    struct push_args *a = lua_touserdata(L, 1);
    vm_push_json_value(L, a->tree);
    lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
    return 1;
}

int vm_keep_json(struct vm *v, const struct json_value *value, vm_ref *out, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct push_args a = { .tree = value };
    *out = 0;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_MEMORY_CAP, "there is no memory to keep a value");
    lua_pushcfunction(L, keep_tree);
    lua_pushlightuserdata(L, &a);
    int rc = vm_pcall(v, 1, 1, err);
    if (rc == 0) {
        *out = (vm_ref)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    return rc;
}

static int keep_body(lua_State *L) /* function, args..., (tree_args) */
{
    struct tree_args *a = lua_touserdata(L, lua_gettop(L));
    lua_pop(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    if (!lua_isnil(L, 1))
        a->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int vm_call_keep(struct vm *v, vm_ref fn, int nargs, vm_ref *out, struct err *err)
{
    lua_State *L = vm_lua(v);
    struct tree_args a = { 0 };
    *out = 0;
    if (v->push_failed || fn <= 0 || !lua_checkstack(L, 4)) {
        v->push_failed = false;
        lua_pop(L, nargs);
        return err_set(err, ERR_MEMORY_CAP, "the arguments of a function do not fit into its memory");
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
    lua_insert(L, -1 - nargs);
    lua_pushcfunction(L, keep_body);
    lua_insert(L, -2 - nargs);
    lua_pushlightuserdata(L, &a);
    int rc = vm_pcall(v, nargs + 2, 0, err);
    *out = a.ref;
    return rc;
}

int vm_call(struct vm *v, vm_ref fn, int nargs, struct arena *arena, struct json_value **result, struct err *err)
{
    lua_State *L = vm_lua(v);
    if (result)
        *result = NULL;
    if (v->push_failed || fn <= 0 || !lua_checkstack(L, 4)) {
        bool failed = v->push_failed;
        v->push_failed = false;
        lua_settop(L, lua_gettop(L) >= nargs ? lua_gettop(L) - nargs : 0);
        return failed ? err_set(err, ERR_MEMORY_CAP, "the arguments of a function do not fit into its memory")
                      : err_set(err, ERR_INTERNAL, "a call names no function");
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, fn);
    lua_insert(L, -1 - nargs);
    if (!result)
        return vm_pcall(v, nargs, 0, err);
    struct tree_args a = { .arena = arena };
    lua_pushcfunction(L, result_body);
    lua_insert(L, -2 - nargs);
    lua_pushlightuserdata(L, &a);
    int rc = vm_call_known(v, nargs + 2, 0, lua_gettop(L) - nargs - 1, err);
    *result = rc < 0 ? NULL : a.tree;
    return rc;
}
