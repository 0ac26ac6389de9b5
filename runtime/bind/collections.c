/* feira.store: what plugins call. Each function asks first whether this is the moment, then whether the plugin may; only then it looks at
 * values. Statements are read to their end inside the call, so none is left open; while they are, Lua runs under vm_try(), because a
 * statement must be reset whatever flies past. */
#include "bind/collections_int.h"
#include "base/schema.h"
#include <stdio.h>

#define STORE_CLASS      "feira.store"
#define COLLECTION_CLASS "feira.collection"
enum { FIND_MAX = 1000, PAGE = 50 };

struct store_box {
    const struct bind_grants *grants;
    const char *of; /* whose collections */
};

struct collection_box {
    const struct bind_grants *grants;
    const struct bind_grant *grant;
};

/* --- store.links, store.of("coupons").codes ------------------------------------------------------------------------------ */

static void push_store(lua_State *L, const struct bind_grants *grants, const char *of)
{
    struct store_box *b = lua_newuserdatauv(L, sizeof *b, 0);
    *b = (struct store_box){ grants, of };
    luaL_setmetatable(L, STORE_CLASS);
}

static int l_of(lua_State *L) /* (plugin) -> store; upvalue: the store it was taken from */
{
    const struct store_box *b = lua_touserdata(L, lua_upvalueindex(1));
    struct slice name = bind_check_slice(L, 1, "the plugin's name");
    if (slice_is(name, BIND_SHOP)) {
        push_store(L, b->grants, BIND_SHOP);
        return 1;
    }
    for (size_t i = 0; i < b->grants->count; i++) {
        if (slice_is(name, b->grants->list[i].plugin)) {
            push_store(L, b->grants, b->grants->list[i].plugin);
            return 1;
        }
    }
    return luaL_error(L, "the plugin %s may touch no collection of %s; add \"%s:read\" to needs.collections in its plugin.lua",
                      b->grants->plugin, lua_tostring(L, 1), lua_tostring(L, 1));
}

static int no_collection(lua_State *L, const struct store_box *b, const char *name)
{
    const char *words[COLLECTIONS_MAX + 1], *near;
    size_t n = 0;
    for (size_t i = 0; i < b->grants->count && n < COLLECTIONS_MAX; i++)
        if (strcmp(b->grants->list[i].plugin, b->of) == 0)
            words[n++] = b->grants->list[i].shape->name;
    words[n] = NULL;
    near = nearest_word(slice_str(name), words);
    if (strcmp(b->of, BIND_SHOP) == 0)
        return luaL_error(L, "the plugin %s may not read the shop's %s; add \"%s:read\" to needs.collections in its plugin.lua",
                          b->grants->plugin, name, name);
    if (strcmp(b->of, b->grants->plugin) != 0)
        return luaL_error(L, "the plugin %s may not touch %s.%s; add \"%s.%s:read\" to needs.collections in its plugin.lua",
                          b->grants->plugin, b->of, name, b->of, name);
    if (near)
        return luaL_error(L, "the plugin %s has no collection '%s'; did you mean '%s'?", b->of, name, near);
    return luaL_error(L, "the plugin %s has no collection '%s'; add it to collections in its plugin.lua", b->of, name);
}

static int store_index(lua_State *L) /* (store, name) -> collection | of */
{
    const struct store_box *b = luaL_checkudata(L, 1, STORE_CLASS);
    struct slice name = bind_check_slice(L, 2, "the name of a collection");
    if (slice_is(name, "of")) {
        lua_settop(L, 1);
        lua_pushcclosure(L, l_of, 1);
        return 1;
    }
    for (size_t i = 0; i < b->grants->count; i++) {
        const struct bind_grant *g = &b->grants->list[i];
        if (strcmp(g->plugin, b->of) != 0 || !slice_is(name, g->shape->name))
            continue;
        struct collection_box *c = lua_newuserdatauv(L, sizeof *c, 0);
        *c = (struct collection_box){ b->grants, g };
        luaL_setmetatable(L, COLLECTION_CLASS);
        return 1;
    }
    return no_collection(L, b, lua_tostring(L, 2));
}

/* --- the door ------------------------------------------------------------------------------------------------------------- */

static struct door door_to(lua_State *L, const struct collection_box *b, const char *method, bool write)
{
    char what[80];
    const struct bind_grant *g = b->grant;
    snprintf(what, sizeof what, "%s:%s()", g->shape->name, method);
    struct door d = { L, bind_require_wait(L, write ? BIND_PROCEDURE : BIND_STORE, what), b->grants, g, g->shape, method, false };
    if (write && strcmp(g->plugin, BIND_SHOP) == 0)
        luaL_error(L, "%s belong to the shop, whose procedures change them: name those in needs.procedures", g->shape->name);
    if (!(write ? g->write : g->read))
        luaL_error(L, "the plugin %s may not %s %s.%s; add \"%s.%s:%s\" to needs.collections in its plugin.lua", b->grants->plugin,
                   write ? "change" : "read", g->plugin, g->shape->name, g->plugin, g->shape->name, write ? "write" : "read");
    return d;
}

static struct door open_door(lua_State *L, const char *method, bool write)
{
    const struct collection_box *b = luaL_testudata(L, 1, COLLECTION_CLASS);
    if (!b)
        luaL_error(L, "%s() is called on a collection; write store.NAME:%s(...), with a colon", method, method);
    return door_to(L, b, method, write);
}

struct running {
    struct door *d;
    struct store_stmt *s;
    struct err err;
    int rc;
    /* what read_cells() leaves */
    int64_t id;
    struct cell *cells;
    /* for pages */
    const struct query *q;
    int rows;
    struct cell last[COLLECTION_INDEX_FIELDS_MAX + 1];
};

/* Runs body(running) over the statement; it is reset whatever happens. A failure of the store is raised unless it is "unique". */
static int run(struct running *r, lua_CFunction body)
{
    lua_State *L = r->d->L;
    int top = lua_gettop(L);
    if (!lua_checkstack(L, 4)) {
        store_reset(r->s);
        return luaL_error(L, "the stack is full");
    }
    lua_pushcfunction(L, body);
    lua_pushlightuserdata(L, r);
    int status = vm_try(L, 1, LUA_MULTRET);
    store_reset(r->s);
    if (status != LUA_OK)
        return vm_rethrow(L);
    if (r->rc < 0 && !(r->rc == ERR_CONFLICT && strcmp(r->err.reason, "unique") == 0))
        return bind_raise(L, &r->err);
    return lua_gettop(L) - top;
}

static int not_unique(const struct door *d)
{
    lua_pushnil(d->L);
    lua_pushfstring(d->L, "%s has a row with this key or unique value already", d->shape->name);
    lua_pushliteral(d->L, "unique");
    return 3;
}

/* --- bodies ------------------------------------------------------------------------------------------------------------------ */

static int read_row(lua_State *L) /* (running) -> row | nil */
{
    struct running *r = lua_touserdata(L, 1);
    r->rc = store_step(r->s, &r->err);
    if (r->rc == 1) {
        push_row(r->d, r->s);
        r->rc = 0;
    } else {
        lua_pushnil(L);
    }
    return 1;
}

static int read_cells(lua_State *L) /* (running): the row's id and cells; cells = NULL when there is none */
{
    struct running *r = lua_touserdata(L, 1);
    r->cells = NULL;
    r->rc = store_step(r->s, &r->err);
    if (r->rc != 1)
        return 0;
    size_t n = r->d->shape->field_count;
    struct cell *cells = door_alloc(r->d, n, sizeof *cells);
    r->id = store_column_int(r->s, 0);
    for (size_t i = 0; i < n; i++)
        cells[i] = column_cell(r->d, r->s, (int)i + 1);
    r->cells = cells;
    r->rc = 0;
    return 0;
}

static int read_id(lua_State *L) /* (running) -> id; the statement must come to its end to take effect */
{
    struct running *r = lua_touserdata(L, 1);
    while ((r->rc = store_step(r->s, &r->err)) == 1)
        r->id = store_column_int(r->s, 0);
    lua_pushinteger(L, r->id);
    return r->rc < 0 ? 0 : 1;
}

static int run_change(lua_State *L) /* (running) */
{
    struct running *r = lua_touserdata(L, 1);
    r->rc = store_run(r->s, NULL, &r->err);
    return 0;
}

/* Column of the k-th value of a cursor: the rest of the index, then the id. */
static int cursor_column(const struct query *q, int k)
{
    return k < query_rest(q) ? q->index->fields[q->equal + k] + 1 : 0;
}

static void push_cursor(struct running *r)
{
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, r->d->ctx->arena);
    json_writer_init(&w, &b.buf);
    json_array(&w);
    for (int k = 0; k <= query_rest(r->q); k++) {
        r->last[k] = column_cell(r->d, r->s, cursor_column(r->q, k));
        if (r->last[k].kind == CELL_INT)
            json_int(&w, r->last[k].integer);
        else
            json_string(&w, r->last[k].text);
    }
    json_array_end(&w);
    bind_buf_check(r->d->L, &b);
    bind_push_slice(r->d->L, buf_slice(&b.buf));
}

static int read_page(lua_State *L) /* (running) -> { row, cursor, row, cursor ... } */
{
    struct running *r = lua_touserdata(L, 1);
    lua_createtable(L, PAGE * 2, 0); /* page */
    while ((r->rc = store_step(r->s, &r->err)) == 1) {
        push_row(r->d, r->s); /* page row */
        lua_rawseti(L, -2, 2 * r->rows + 1);
        push_cursor(r); /* page cursor */
        lua_rawseti(L, -2, 2 * r->rows + 2);
        r->rows++;
    }
    return 1;
}

static int read_list(lua_State *L) /* (running) -> { row ... } */
{
    struct running *r = lua_touserdata(L, 1);
    lua_newtable(L); /* rows */
    vm_mark_array(L, -1);
    while ((r->rc = store_step(r->s, &r->err)) == 1) {
        push_row(r->d, r->s); /* rows row */
        lua_rawseti(L, -2, ++r->rows);
    }
    return 1;
}

int door_list(struct door *d, struct store_stmt *s)
{
    struct running r = { .d = d, .s = s };
    run(&r, read_list);
    return r.rows;
}

/* --- one row ------------------------------------------------------------------------------------------------------------------ */

static int l_insert(lua_State *L) /* (collection, row) -> id | nil, sentence, "unique" */
{
    struct door d = open_door(L, "insert", true);
    struct cell *cells = cells_for_insert(&d, door_table(&d, 2, "the row"));
    struct facts_watch *watch = facts_watch(&d, (struct facts_named){ 0 }, facts_touched(&d, cells));
    struct running r = { .d = &d, .s = insert_statement(&d, cells) };
    int n = run(&r, read_id);
    if (r.rc < 0)
        return not_unique(&d);
    facts_done(&d, watch);
    return n;
}

static int l_get(lua_State *L) /* (collection, key) -> row | nil */
{
    struct door d = open_door(L, "get", false);
    struct locator at;
    locate(&d, 2, &at);
    struct running r = { .d = &d, .s = locate_statement(&d, &at) };
    return run(&r, read_row);
}

/* The row for a change of it. false: there is none. */
static bool find_row(struct door *d, struct running *r)
{
    struct locator at;
    locate(d, 2, &at);
    *r = (struct running){ .d = d, .s = locate_statement(d, &at) };
    run(r, read_cells);
    return r->cells != NULL;
}

static int l_update(lua_State *L) /* (collection, key, changes) -> true | nil, sentence, "not_found" | "unique" */
{
    struct door d = open_door(L, "update", true);
    struct running r;
    size_t last = 0;
    const struct json_value *changes = door_table(&d, 3, "the changes");
    if (!find_row(&d, &r)) {
        lua_pushnil(L);
        lua_pushfstring(L, "%s has no such row", d.shape->name);
        lua_pushliteral(L, "not_found");
        return 3;
    }
    struct cell *cells = r.cells;
    struct facts_named before = facts_touched(&d, cells);
    size_t changed = cells_change(&d, changes, cells, &last);
    if (changed > 0) {
        struct facts_watch *watch = facts_watch(&d, before, facts_touched(&d, cells));
        r = (struct running){ .d = &d, .s = update_statement(&d, r.id, cells, changed == 1 ? last : SIZE_MAX) };
        run(&r, run_change);
        if (r.rc < 0)
            return not_unique(&d);
        facts_done(&d, watch);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int l_delete(lua_State *L) /* (collection, key) -> whether there was such a row */
{
    struct door d = open_door(L, "delete", true);
    struct running r;
    bool there = find_row(&d, &r);
    if (there) {
        struct facts_watch *watch = facts_watch(&d, facts_touched(&d, r.cells), (struct facts_named){ 0 });
        r = (struct running){ .d = &d, .s = delete_statement(&d, r.id) };
        run(&r, run_change);
        facts_done(&d, watch);
    }
    lua_pushboolean(L, there);
    return 1;
}

/* --- many rows ---------------------------------------------------------------------------------------------------------------- */

static bool made_of(const struct door *d, const struct collection_index *x, const struct json_value *where)
{
    for (int i = 0; i < x->count && where->count == x->count; i++)
        if (!json_get(where, d->shape->fields[x->fields[i]].name))
            return false;
    return where->count == x->count;
}

static int no_index(const struct door *d, const struct json_value *where)
{
    char names[200] = "";
    size_t n = 0;
    for (const struct json_value *m = where->first; m && n < sizeof names; m = m->next) {
        door_field(d, m->key);
        int k = snprintf(names + n, sizeof names - n, "%s\"%.*s\"", m == where->first ? "" : ", ", SLICE_FMT(m->key));
        n += k < 0 ? 0 : (size_t)k;
    }
    return door_fail(d, "no index is made of just these fields; add { %s } to index of the collection in plugin.lua", names);
}

static void set_equal(const struct door *d, struct query *q, const struct json_value *where)
{
    for (q->equal = 0; where && q->equal < (int)where->count; q->equal++) {
        const struct collection_field *f = &d->shape->fields[q->index->fields[q->equal]];
        const struct json_value *v = json_get(where, f->name);
        if (!v || v->type == JSON_NULL)
            door_fail(d, "with this index, where must name its first fields: %s is missing", f->name);
        q->cells[q->equal] = cell_sought(d, f, v);
    }
}

/* Without a named index: one made of exactly these fields, in any order; or all rows, by id. */
static void choose_index(const struct door *d, struct query *q, const struct json_value *where)
{
    if (!where || where->count == 0)
        return;
    for (size_t i = 0; i < d->shape->index_count; i++) {
        if (made_of(d, &d->shape->indexes[i], where)) {
            q->index = &d->shape->indexes[i];
            set_equal(d, q, where);
            return;
        }
    }
    no_index(d, where);
}

static void check_options(const struct door *d, const struct json_value *options, const char *const *known)
{
    char quoted[JSON_QUOTE_MAX];
    for (const struct json_value *m = options->first; m; m = m->next) {
        bool found = false;
        for (size_t i = 0; known[i] && !found; i++)
            found = slice_is(m->key, known[i]);
        const char *near = found ? NULL : nearest_word(m->key, known);
        if (!found)
            door_fail(d, "there is no option %s%s%s%s", json_quote(quoted, m->key), near ? "; did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "");
    }
}

static void common_options(const struct door *d, const struct json_value *options, struct query *q, int64_t max)
{
    const struct json_value *reverse = json_get(options, "reverse"), *limit = json_get(options, "limit");
    if (reverse && !json_is_bool(reverse, &q->reverse))
        door_fail(d, "reverse must be true or false");
    if (limit && (!json_is_int(limit, &q->limit) || q->limit < 1 || q->limit > max))
        door_fail(d, "limit must be an integer from 1 to %d", (int)max);
}

static int l_find(lua_State *L) /* (collection, where?, { limit, reverse }?) -> rows, by id */
{
    static const char *const known[] = { "limit", "reverse", NULL };
    struct door d = open_door(L, "find", false);
    struct query q = { .limit = FIND_MAX + 1 };
    if (!lua_isnoneornil(L, 2))
        choose_index(&d, &q, door_table(&d, 2, "where"));
    if (!lua_isnoneornil(L, 3)) {
        const struct json_value *options = door_table(&d, 3, "the options");
        check_options(&d, options, known);
        common_options(&d, options, &q, FIND_MAX);
    }
    struct running r = { .d = &d, .s = query_statement(&d, &q), .q = &q };
    int n = run(&r, read_list);
    if (r.rows > FIND_MAX)
        return door_fail(&d, "there are more than %d rows; give a limit, or go through them with each", FIND_MAX);
    return n;
}

/* --- each ----------------------------------------------------------------------------------------------------------------------- */

struct each_box {
    struct collection_box who;
    uint64_t serial; /* of the call it was made in: cells live in that call's arena */
    struct query q;
    int64_t left; /* rows that may still be given */
    int at, rows; /* in the page, which is user value 1 */
    bool last_page;
};

static bool names_index(const struct door *d, const struct collection_index *x, const struct json_value *names)
{
    struct slice name;
    if (json_is_string(names, &name))
        return x->count == 1 && slice_is(name, d->shape->fields[x->fields[0]].name);
    if (names->type != JSON_ARRAY || names->count != x->count)
        return false;
    int i = 0;
    for (const struct json_value *m = names->first; m; m = m->next, i++)
        if (!json_is_string(m, &name) || !slice_is(name, d->shape->fields[x->fields[i]].name))
            return false;
    return true;
}

static void take_index(const struct door *d, struct query *q, const struct json_value *names, const struct json_value *where)
{
    for (size_t i = 0; i < d->shape->index_count && !q->index; i++)
        if (names_index(d, &d->shape->indexes[i], names))
            q->index = &d->shape->indexes[i];
    if (!q->index)
        door_fail(d, "there is no such index; write its fields as plugin.lua does, like index = { \"%s\" }", d->shape->fields[0].name);
    if (where && (int)where->count > q->index->count)
        door_fail(d, "where names more fields than the index has");
    set_equal(d, q, where);
}

/* A bound or a cursor may lie outside of what the field takes. */
static struct cell check_bound(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    struct collection_field any = *f;
    if (!field_is_text(f->type)) {
        any.min = INT64_MIN;
        any.max = INT64_MAX;
    }
    return cell_check(d, &any, v);
}

static void take_range(const struct door *d, struct query *q, const struct json_value *options)
{
    const struct json_value *from = json_get(options, "from"), *to = json_get(options, "to");
    if (!from && !to)
        return;
    if (query_rest(q) == 0)
        door_fail(d, "from and to go with an index that has a field behind those in where; name it with index = ...");
    const struct collection_field *f = &d->shape->fields[q->index->fields[q->equal]];
    if (from)
        q->from = check_bound(d, f, from);
    if (to)
        q->to = check_bound(d, f, to);
}

static void take_cursor(const struct door *d, struct query *q, const struct json_value *after)
{
    struct json_value *list;
    struct slice text;
    int rest = query_rest(q), k = 0;
    if (!json_is_string(after, &text))
        door_fail(d, "after must be a cursor that each() gave");
    if (json_parse(text, NULL, d->ctx->arena, &list, NULL) < 0 || list->type != JSON_ARRAY || (int)list->count != rest + 1)
        door_fail(d, "after is no cursor of this index");
    for (const struct json_value *m = list->first; m; m = m->next, k++) {
        if (k == rest) {
            q->last[k] = (struct cell){ .kind = CELL_INT, .integer = cell_check_id(d, m) };
            continue;
        }
        const struct collection_field *f = &d->shape->fields[q->index->fields[q->equal + k]];
        struct json_value truth = { .type = m->type == JSON_INT && m->integer ? JSON_TRUE : JSON_FALSE };
        q->last[k] = check_bound(d, f, f->type == FIELD_BOOLEAN && m->type == JSON_INT ? &truth : m);
    }
    q->paged = true;
}

static void load_page(const struct door *d, struct each_box *e, int box)
{
    struct door here = *d;
    struct running r = { .d = &here, .q = &e->q };
    e->q.limit = e->left < PAGE ? e->left : PAGE;
    r.s = query_statement(&here, &e->q);
    run(&r, read_page); /* page */
    lua_setiuservalue(d->L, box, 1);
    e->at = 0;
    e->rows = r.rows;
    e->last_page = r.rows < e->q.limit;
    e->left -= r.rows;
    memcpy(e->q.last, r.last, sizeof r.last);
    e->q.paged = true;
    /* Of two bounds at one end an engine follows one, maybe the outer: then each page would go through all before it again. */
    if (e->q.reverse)
        e->q.to.kind = CELL_NULL;
    else
        e->q.from.kind = CELL_NULL;
}

static int l_each_next(lua_State *L) /* () -> row, cursor | nil; upvalue: the box */
{
    struct each_box *e = lua_touserdata(L, lua_upvalueindex(1));
    lua_settop(L, 0);
    if (e->serial != bind_state(L)->serial)
        return luaL_error(L, "this each() belongs to a call that is over; begin a new one, with after = its last cursor");
    struct door d = door_to(L, &e->who, "each", false);
    lua_pushvalue(L, lua_upvalueindex(1)); /* box */
    if (e->at == e->rows && !e->last_page && e->left > 0)
        load_page(&d, e, 1);
    if (e->at == e->rows)
        return 0;
    vm_charge(L, 10);
    lua_getiuservalue(L, 1, 1); /* box page */
    lua_rawgeti(L, 2, 2 * e->at + 1);
    lua_rawgeti(L, 2, 2 * e->at + 2); /* box page row cursor */
    e->at++;
    return 2;
}

static int l_each(lua_State *L) /* (collection, { where, index, from, to, after, limit, reverse }?) -> iterator of row, cursor */
{
    static const char *const known[] = { "where", "index", "from", "to", "after", "limit", "reverse", NULL };
    struct door d = open_door(L, "each", false);
    struct query q = { .limit = INT64_MAX };
    if (!lua_isnoneornil(L, 2)) {
        const struct json_value *options = door_table(&d, 2, "the options");
        const struct json_value *where = json_get(options, "where"), *index = json_get(options, "index"),
                                *after = json_get(options, "after");
        check_options(&d, options, known);
        if (where && where->type != JSON_OBJECT)
            door_fail(&d, "where must be a table with names, like { %s = ... }", d.shape->fields[0].name);
        if (index)
            take_index(&d, &q, index, where);
        else
            choose_index(&d, &q, where);
        common_options(&d, options, &q, INT32_MAX);
        take_range(&d, &q, options);
        if (after)
            take_cursor(&d, &q, after);
    }
    struct each_box *e = lua_newuserdatauv(L, sizeof *e, 1);
    *e = (struct each_box){ .who = { d.grants, d.grant }, .serial = bind_state(L)->serial, .q = q, .left = q.limit };
    lua_pushcclosure(L, l_each_next, 1);
    return 1;
}

/* --- opening ---------------------------------------------------------------------------------------------------------------------- */

static void open_classes(lua_State *L)
{
    static const luaL_Reg none[] = { { NULL, NULL } };
    static const luaL_Reg methods[] = { { "insert", l_insert }, { "get", l_get },       { "find", l_find }, { "each", l_each },
                                        { "update", l_update }, { "delete", l_delete }, { NULL, NULL } };
    if (luaL_getmetatable(L, STORE_CLASS) == LUA_TNIL) {
        bind_class(L, STORE_CLASS, none, store_index);
        bind_class(L, COLLECTION_CLASS, methods, NULL);
    }
    lua_pop(L, 1);
}

static int open_body(lua_State *L) /* (grants, ref) */
{
    const struct bind_grants *grants = lua_touserdata(L, 1);
    vm_ref *ref = lua_touserdata(L, 2);
    open_classes(L);
    push_store(L, grants, grants->plugin);
    *ref = luaL_ref(L, LUA_REGISTRYINDEX);
    return 0;
}

int bind_store(struct vm *v, const struct bind_grants *grants, vm_ref *out, struct err *err)
{
    lua_State *L = vm_lua(v);
    *out = 0;
    if (!lua_checkstack(L, 4))
        return err_set(err, ERR_NOMEM, "there is no memory for the collections of %s", grants->plugin);
    lua_pushcfunction(L, open_body);
    lua_pushlightuserdata(L, (void *)grants);
    lua_pushlightuserdata(L, out);
    return vm_pcall(v, 2, 0, err);
}
