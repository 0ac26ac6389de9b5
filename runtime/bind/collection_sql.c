/* Statements over a collection. Their texts follow from the shape of the collection and the form of the question, never from values, so
 * there are few of them. Names come from a checked manifest: letters, digits and _, always quoted. */
#include "bind/collections_int.h"
#include <stdio.h>

struct text {
    const struct door *d;
    struct bind_buf b;
    int params;
};

static void begin(struct text *t, const struct door *d)
{
    t->d = d;
    t->params = 0;
    bind_buf_init(&t->b, d->ctx->arena);
    buf_reserve(&t->b.buf, 512);
}

static const char *field_name(const struct door *d, size_t i)
{
    return d->shape->fields[i].name;
}

static const char *index_field(const struct door *d, const struct collection_index *x, int i)
{
    return field_name(d, x->fields[i]);
}

static struct store_stmt *prepare(struct text *t)
{
    struct store_stmt *s;
    struct err err = { 0 };
    buf_add_char(&t->b.buf, '\0');
    bind_buf_check(t->d->L, &t->b);
    vm_charge(t->d->L, 300);
    if (store_prepare(t->d->ctx->conn, t->b.buf.data, &s, &err) < 0)
        bind_raise(t->d->L, &err);
    return s;
}

static void bind_cell(struct store_stmt *s, int i, const struct cell *c)
{
    if (c->kind == CELL_INT)
        store_bind_int(s, i, c->integer);
    else if (c->kind == CELL_TEXT)
        store_bind_text(s, i, c->text);
    else
        store_bind_null(s, i);
}

static void select_all(struct text *t)
{
    buf_add_str(&t->b.buf, "SELECT \"id\"");
    for (size_t i = 0; i < t->d->shape->field_count; i++)
        buf_printf(&t->b.buf, ", \"%s\"", field_name(t->d, i));
    buf_printf(&t->b.buf, " FROM \"%s\" WHERE 1 = 1", t->d->shape->table);
}

/* --- queries ----------------------------------------------------------------------------------------------------------------- */

int query_rest(const struct query *q)
{
    return q->index ? q->index->count - q->equal : 0;
}

/* ("b", "id") > (?3, ?4): a row value, which an index can follow. */
static void add_page(struct text *t, const struct query *q)
{
    int rest = query_rest(q);
    buf_add_str(&t->b.buf, " AND (");
    for (int i = 0; i < rest; i++)
        buf_printf(&t->b.buf, "\"%s\", ", index_field(t->d, q->index, q->equal + i));
    buf_printf(&t->b.buf, "\"id\") %c (", q->reverse ? '<' : '>');
    for (int i = 0; i <= rest; i++)
        buf_printf(&t->b.buf, "%s?%d", i ? ", " : "", ++t->params);
    buf_add_char(&t->b.buf, ')');
}

static void add_order(struct text *t, const struct query *q)
{
    const char *way = q->reverse ? " DESC" : "";
    buf_add_str(&t->b.buf, " ORDER BY ");
    for (int i = 0; i < query_rest(q); i++)
        buf_printf(&t->b.buf, "\"%s\"%s, ", index_field(t->d, q->index, q->equal + i), way);
    buf_printf(&t->b.buf, "\"id\"%s LIMIT ?%d", way, ++t->params);
}

struct store_stmt *query_statement(const struct door *d, const struct query *q)
{
    struct text t;
    begin(&t, d);
    select_all(&t);
    for (int i = 0; i < q->equal; i++)
        buf_printf(&t.b.buf, " AND \"%s\" = ?%d", index_field(d, q->index, i), ++t.params);
    for (int i = q->equal; q->index && i < q->index->count; i++)
        buf_printf(&t.b.buf, " AND \"%s\" IS NOT NULL", index_field(d, q->index, i)); /* no order, and no place for a cursor, among those */
    if (q->from.kind)
        buf_printf(&t.b.buf, " AND \"%s\" >= ?%d", index_field(d, q->index, q->equal), ++t.params);
    if (q->to.kind)
        buf_printf(&t.b.buf, " AND \"%s\" < ?%d", index_field(d, q->index, q->equal), ++t.params);
    if (q->paged)
        add_page(&t, q);
    add_order(&t, q);
    struct store_stmt *s = prepare(&t);
    int n = 0;
    for (int i = 0; i < q->equal; i++)
        bind_cell(s, ++n, &q->cells[i]);
    if (q->from.kind)
        bind_cell(s, ++n, &q->from);
    if (q->to.kind)
        bind_cell(s, ++n, &q->to);
    for (int i = 0; q->paged && i <= query_rest(q); i++)
        bind_cell(s, ++n, &q->last[i]);
    store_bind_int(s, ++n, q->limit);
    return s;
}

struct store_stmt *locate_statement(const struct door *d, const struct locator *at)
{
    struct text t;
    int n = at->index ? at->index->count : 1;
    begin(&t, d);
    select_all(&t);
    for (int i = 0; i < n; i++)
        buf_printf(&t.b.buf, " AND \"%s\" = ?%d", at->index ? index_field(d, at->index, i) : "id", i + 1);
    struct store_stmt *s = prepare(&t);
    for (int i = 0; i < n; i++)
        bind_cell(s, i + 1, &at->cells[i]);
    return s;
}

/* --- changes ------------------------------------------------------------------------------------------------------------------ */

struct store_stmt *insert_statement(const struct door *d, const struct cell *cells)
{
    struct text t;
    size_t n = d->shape->field_count;
    begin(&t, d);
    buf_printf(&t.b.buf, "INSERT INTO \"%s\" (", d->shape->table);
    for (size_t i = 0; i < n; i++)
        buf_printf(&t.b.buf, "%s\"%s\"", i ? ", " : "", field_name(d, i));
    buf_add_str(&t.b.buf, ") VALUES (");
    for (size_t i = 0; i < n; i++)
        buf_printf(&t.b.buf, "%s?%zu", i ? ", " : "", i + 1);
    buf_add_str(&t.b.buf, ") RETURNING \"id\"");
    struct store_stmt *s = prepare(&t);
    for (size_t i = 0; i < n; i++)
        bind_cell(s, (int)i + 1, &cells[i]);
    return s;
}

/* One field, or all of them: any subset would be too many texts. */
struct store_stmt *update_statement(const struct door *d, int64_t id, const struct cell *cells, size_t only)
{
    struct text t;
    int n = 0;
    size_t count = d->shape->field_count;
    begin(&t, d);
    buf_printf(&t.b.buf, "UPDATE \"%s\" SET ", d->shape->table);
    for (size_t i = 0; i < count; i++) {
        if (only != SIZE_MAX && only != i)
            continue;
        buf_printf(&t.b.buf, "%s\"%s\" = ?%d", n ? ", " : "", field_name(d, i), n + 1);
        n++;
    }
    buf_printf(&t.b.buf, " WHERE \"id\" = ?%d", n + 1);
    struct store_stmt *s = prepare(&t);
    n = 0;
    for (size_t i = 0; i < count; i++)
        if (only == SIZE_MAX || only == i)
            bind_cell(s, ++n, &cells[i]);
    store_bind_int(s, n + 1, id);
    return s;
}

struct store_stmt *delete_statement(const struct door *d, int64_t id)
{
    struct text t;
    begin(&t, d);
    buf_printf(&t.b.buf, "DELETE FROM \"%s\" WHERE \"id\" = ?1", d->shape->table);
    struct store_stmt *s = prepare(&t);
    store_bind_int(s, 1, id);
    return s;
}

/* --- rows -------------------------------------------------------------------------------------------------------------------------- */

struct cell column_cell(const struct door *d, struct store_stmt *s, int column)
{
    struct cell c = { .kind = CELL_NULL };
    enum store_type type = store_column_type(s, column);
    if (type == STORE_INT) {
        c = (struct cell){ .kind = CELL_INT, .integer = store_column_int(s, column) };
    } else if (type == STORE_TEXT) {
        c = (struct cell){ .kind = CELL_TEXT, .text = arena_copy(d->ctx->arena, store_column_text(s, column)) };
        if (!c.text.data)
            door_fail(d, "there is not enough memory for a row");
    }
    return c;
}

static void push_json(const struct door *d, struct slice text)
{
    struct json_value *v;
    struct err err = { 0 };
    struct slice kept = arena_copy(d->ctx->arena, text);
    vm_charge(d->L, (int64_t)text.len / 4);
    if (!kept.data || json_parse(kept, NULL, d->ctx->arena, &v, &err) < 0)
        door_fail(d, "a json value in the store can't be read: %s", kept.data ? err.text : "out of memory");
    vm_push_json_nulls(d->L, v);
}

/* A row that was there before the field was, or was written while it was hidden, lacks it: the default stands for it. */
static bool push_default(const struct door *d, const struct collection_field *f)
{
    if (!f->has_default)
        return false;
    if (f->type == FIELD_JSON)
        push_json(d, f->default_text);
    else if (field_is_text(f->type))
        bind_push_slice(d->L, f->default_text);
    else if (f->type == FIELD_BOOLEAN)
        lua_pushboolean(d->L, f->default_int != 0);
    else
        lua_pushinteger(d->L, f->default_int);
    return true;
}

static bool push_field(const struct door *d, struct store_stmt *s, int column, const struct collection_field *f)
{
    if (store_column_type(s, column) == STORE_NULL)
        return push_default(d, f);
    if (f->type == FIELD_JSON) {
        push_json(d, store_column_text(s, column));
    } else if (field_is_text(f->type)) {
        struct slice text = store_column_text(s, column);
        vm_charge(d->L, (int64_t)text.len / 16);
        bind_push_slice(d->L, text);
    } else if (f->type == FIELD_BOOLEAN) {
        lua_pushboolean(d->L, store_column_int(s, column) != 0);
    } else {
        lua_pushinteger(d->L, store_column_int(s, column));
    }
    return true;
}

void push_row(const struct door *d, struct store_stmt *s)
{
    const struct collection *c = d->shape;
    vm_charge(d->L, 20 + 5 * (int64_t)c->field_count);
    lua_createtable(d->L, 0, (int)c->field_count + 1); /* row */
    lua_pushinteger(d->L, store_column_int(s, 0));
    lua_setfield(d->L, -2, "id");
    for (size_t i = 0; i < c->field_count; i++)
        if (push_field(d, s, (int)i + 1, &c->fields[i])) /* row value */
            lua_setfield(d->L, -2, c->fields[i].name);
}
