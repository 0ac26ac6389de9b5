/* plugin.revision() and plugin.rules(revision): rules as they were when something began. Each revision is loaded when it is asked for, in a
 * space of its own with the settings of its time, and stays until others push it out; whoever still has something of it keeps that alive.
 */
#include "bind/bind_int.h"
#include "bind/plugins.h"
#include <stdio.h>
#include <string.h>

enum { CACHED_MAX = 16, REVISION_MAX = 24 };

/* In one userdata, with the texts behind it: a file that is required late is loaded late. */
struct pinned {
    struct vm_space_options options;
    char space[80]; /* "plugins/invite@r_0123456789abcdef" */
    size_t count;
    struct pinned_file {
        struct slice name, text, chunk;
    } files[];
};

struct cache { /* user value 1: a table, { rules, settings } at slot + 1 */
    struct {
        char revision[REVISION_MAX];
        uint64_t used;
    } slots[CACHED_MAX];
    uint64_t tick;
};

static int resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    const struct pinned *p = ctx;
    for (size_t i = 0; i < p->count; i++) {
        if (slice_eq(p->files[i].name, name)) {
            *source = p->files[i].text;
            *chunk = p->files[i].chunk;
            return 0;
        }
    }
    return err_set(
        err, ERR_NOT_FOUND,
        "%s has no file %.*s.lua: rules keep those files that they require by a plain name; write require \"%.*s\" at the top of "
        "rules.lua",
        p->space, SLICE_FMT(name), SLICE_FMT(name));
}

static char *put(char *at, struct slice s, struct slice *out)
{
    memcpy(at, s.data ? s.data : "", s.len);
    *out = slice_of(at, s.len);
    return at + s.len;
}

static struct pinned *push_pinned(lua_State *L, const struct bind_plugin *p, struct slice revision,
                                  const struct bind_rules *r) /* -> userdata */
{
    char chunk[256];
    size_t bytes = sizeof(struct pinned) + r->count * sizeof(struct pinned_file);
    for (size_t i = 0; i < r->count; i++)
        bytes += r->files[i].name.len + r->files[i].text.len + sizeof chunk;
    vm_charge(L, (int64_t)bytes / 16);
    struct pinned *out = lua_newuserdatauv(L, bytes, 0);
    memset(out, 0, sizeof *out);
    snprintf(out->space, sizeof out->space, "plugins/%s@%.*s", p->name, SLICE_FMT(revision));
    out->options = (struct vm_space_options){ .name = out->space, .shared = p->modules, .resolve = resolve, .ctx = out };
    out->count = r->count;
    char *at = (char *)&out->files[r->count];
    for (size_t i = 0; i < r->count; i++) {
        int n = snprintf(chunk, sizeof chunk, "plugins/%s/%.*s.lua@%.*s", p->name, SLICE_FMT(r->files[i].name), SLICE_FMT(revision));
        at = put(at, r->files[i].name, &out->files[i].name);
        at = put(at, r->files[i].text, &out->files[i].text);
        at = put(at, slice_of(chunk, n < (int)sizeof chunk ? (size_t)n : sizeof chunk - 1), &out->files[i].chunk);
    }
    return out;
}

/* What require "feira.plugin" gives in there: who it was, and nothing that acts. */
static void push_self(lua_State *L, const struct bind_plugin *p, struct slice revision, const struct bind_rules *r, int settings)
{
    lua_createtable(L, 0, 4);
    lua_pushstring(L, p->name);
    lua_setfield(L, -2, "name");
    bind_push_slice(L, r->version);
    lua_setfield(L, -2, "version");
    bind_push_slice(L, revision);
    lua_setfield(L, -2, "rules_revision");
    lua_pushvalue(L, settings);
    lua_setfield(L, -2, "settings");
    vm_freeze(L);
}

/* (revision) -> its rules, its settings */
static void load(lua_State *L, const struct bind_plugin *p, struct slice revision)
{
    struct bind_context *c = bind_state(L)->ctx;
    struct bind_rules r = { 0 };
    struct err err = { 0 };
    int base = lua_gettop(L);
    luaL_checkstack(L, 8, "rules");
    if (!c->plugins || c->plugins->rules(c->plugins_ctx, p, c->conn, revision, c->arena, &r, &err) < 0)
        bind_raise(L, &err);
    vm_push_json_value(L, r.settings);
    vm_freeze(L);                                                           /* settings */
    const struct pinned *pinned = push_pinned(L, p, revision, &r);          /* settings pinned */
    push_self(L, p, revision, &r, base + 1);                                /* settings pinned self */
    vm_space_push(L, &pinned->options, base + 2, "feira.plugin", base + 3); /* settings pinned self require */
    lua_pushliteral(L, "rules");
    lua_call(L, 1, 1); /* settings pinned self rules */
    lua_replace(L, base + 2);
    lua_settop(L, base + 2); /* settings rules */
    lua_insert(L, base + 1); /* rules settings */
}

static int slot_of(const struct cache *cache, struct slice revision)
{
    for (int i = 0; i < CACHED_MAX; i++)
        if (cache->slots[i].used && slice_is(revision, cache->slots[i].revision))
            return i;
    return -1;
}

static int oldest(const struct cache *cache)
{
    int found = 0;
    for (int i = 1; i < CACHED_MAX; i++)
        if (cache->slots[i].used < cache->slots[found].used)
            found = i;
    return found;
}

static void keep(lua_State *L, struct cache *cache, struct slice revision) /* (..., rules, settings): both stay */
{
    int slot = oldest(cache);
    lua_getiuservalue(L, lua_upvalueindex(2), 1); /* rules settings table */
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -4);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -3);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, slot + 1);
    lua_pop(L, 1);
    snprintf(cache->slots[slot].revision, REVISION_MAX, "%.*s", SLICE_FMT(revision));
    cache->slots[slot].used = ++cache->tick;
}

static int l_rules(lua_State *L) /* (revision) -> table of functions, settings; upvalues: the plugin, its cache */
{
    bind_require_wait(L, BIND_STORE, "plugin.rules()");
    const struct bind_plugin *p = lua_touserdata(L, lua_upvalueindex(1));
    struct cache *cache = lua_touserdata(L, lua_upvalueindex(2));
    struct slice revision = bind_check_slice(L, 1, "the revision");
    vm_charge(L, 50);
    if (revision.len >= REVISION_MAX)
        return luaL_error(L, "a revision is what plugin.revision() gave, not \"%s\"", lua_tostring(L, 1));
    int slot = slot_of(cache, revision);
    if (slot < 0) {
        load(L, p, revision); /* revision rules settings */
        keep(L, cache, revision);
        return 2;
    }
    cache->slots[slot].used = ++cache->tick;
    lua_getiuservalue(L, lua_upvalueindex(2), 1);
    lua_rawgeti(L, -1, slot + 1); /* revision table both */
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    return 2;
}

static int l_revision(lua_State *L) /* () -> revision; upvalue: the plugin */
{
    const struct bind_plugin *p = lua_touserdata(L, lua_upvalueindex(1));
    if (!p->revision)
        return luaL_error(
            L, "the plugin %s keeps no revisions of its rules; give a collection in its plugin.lua a field of the type revision", p->name);
    lua_pushstring(L, p->revision);
    return 1;
}

void bind_plugin_pins(lua_State *L, const struct bind_plugin *p)
{
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    lua_pushcclosure(L, l_revision, 1);
    lua_setfield(L, -2, "revision");
    lua_pushlightuserdata(L, (void *)(uintptr_t)p);
    struct cache *cache = lua_newuserdatauv(L, sizeof *cache, 1);
    memset(cache, 0, sizeof *cache);
    lua_createtable(L, CACHED_MAX, 0);
    lua_setiuservalue(L, -2, 1);
    lua_pushcclosure(L, l_rules, 2);
    lua_setfield(L, -2, "rules");
}
