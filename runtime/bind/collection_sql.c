/* Statements over a collection. Their texts follow from the shape of the collection and the form of the question, never from values, so
 * there are few of them. Names come from a checked manifest: letters, digits and _, always quoted. */
#include "bind/collections_int.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

/* On the C stack: a call may make thousands of them. The limits of a collection (48 fields with names of 24 bytes) come to less than half.
 */
struct text {
    const struct door *d;
    char sql[8192];
    size_t len;
    int params;
};

static void begin(struct text *t, const struct door *d)
{
    t->d = d;
    t->len = 0;
    t->params = 0;
}

static void put(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(t->sql + t->len, sizeof t->sql - t->len, fmt, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < sizeof t->sql - t->len);
    t->len += (size_t)n;
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
    vm_charge(t->d->L, 2000); /* what a row that is written costs, some ten microseconds */
    if (store_prepare(t->d->ctx->conn, t->sql, &s, &err) < 0)
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
    put(t, "SELECT \"id\"");
    for (size_t i = 0; i < t->d->shape->field_count; i++)
        put(t, ", \"%s\"", field_name(t->d, i));
    put(t, " FROM \"%s\" WHERE 1 = 1", t->d->shape->table);
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
    put(t, " AND (");
    for (int i = 0; i < rest; i++)
        put(t, "\"%s\", ", index_field(t->d, q->index, q->equal + i));
    put(t, "\"id\") %c (", q->reverse ? '<' : '>');
    for (int i = 0; i <= rest; i++)
        put(t, "%s?%d", i ? ", " : "", ++t->params);
    put(t, ")");
}

static void add_order(struct text *t, const struct query *q)
{
    const char *way = q->reverse ? " DESC" : "";
    put(t, " ORDER BY ");
    for (int i = 0; i < query_rest(q); i++)
        put(t, "\"%s\"%s, ", index_field(t->d, q->index, q->equal + i), way);
    put(t, "\"id\"%s LIMIT ?%d", way, ++t->params);
}

struct store_stmt *query_statement(const struct door *d, const struct query *q)
{
    struct text t;
    begin(&t, d);
    select_all(&t);
    for (int i = 0; i < q->equal; i++)
        put(&t, " AND \"%s\" = ?%d", index_field(d, q->index, i), ++t.params);
    for (int i = q->equal; q->index && i < q->index->count; i++)
        put(&t, " AND \"%s\" IS NOT NULL", index_field(d, q->index, i)); /* no order, and no place for a cursor, among those */
    if (q->from.kind)
        put(&t, " AND \"%s\" >= ?%d", index_field(d, q->index, q->equal), ++t.params);
    if (q->to.kind)
        put(&t, " AND \"%s\" < ?%d", index_field(d, q->index, q->equal), ++t.params);
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

struct store_stmt *owned_statement(const struct door *d, const char *by, struct slice customer, int64_t limit)
{
    struct text t;
    begin(&t, d);
    select_all(&t);
    put(&t, " AND \"%s\" = ?1 ORDER BY \"id\" LIMIT ?2", by);
    struct store_stmt *s = prepare(&t);
    store_bind_text(s, 1, customer);
    store_bind_int(s, 2, limit);
    return s;
}

struct store_stmt *locate_statement(const struct door *d, const struct locator *at)
{
    struct text t;
    int n = at->index ? at->index->count : 1;
    begin(&t, d);
    select_all(&t);
    for (int i = 0; i < n; i++)
        put(&t, " AND \"%s\" = ?%d", at->index ? index_field(d, at->index, i) : "id", i + 1);
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
    put(&t, "INSERT INTO \"%s\" (", d->shape->table);
    for (size_t i = 0; i < n; i++)
        put(&t, "%s\"%s\"", i ? ", " : "", field_name(d, i));
    put(&t, ") VALUES (");
    for (size_t i = 0; i < n; i++)
        put(&t, "%s?%zu", i ? ", " : "", i + 1);
    put(&t, ") RETURNING \"id\"");
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
    put(&t, "UPDATE \"%s\" SET ", d->shape->table);
    for (size_t i = 0; i < count; i++) {
        if (only != SIZE_MAX && only != i)
            continue;
        put(&t, "%s\"%s\" = ?%d", n ? ", " : "", field_name(d, i), n + 1);
        n++;
    }
    put(&t, " WHERE \"id\" = ?%d", n + 1);
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
    put(&t, "DELETE FROM \"%s\" WHERE \"id\" = ?1", d->shape->table);
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

static void push_pseudonym(const struct door *d, struct slice text)
{
    char hash[65];
    if (!d->ctx->pseudonym)
        door_fail(d, "there is no secret here to make pseudonyms with");
    vm_charge(d->L, 100);
    d->ctx->pseudonym(d->ctx->pseudonym_ctx, text, hash);
    lua_pushstring(d->L, hash);
}

/* Whoever the row is about must have consented, in the words of now; of a minor his guardian must have. A guest has consented to nothing.
 */
static bool is_consented(const struct door *d, struct store_stmt *row, const struct collection_field *f)
{
    const struct collection *c = d->shape;
    struct store_stmt *s;
    struct err err = { 0 };
    size_t i = 0;
    while (i < c->field_count && c->fields[i].type != FIELD_CUSTOMER)
        i++;
    if (i == c->field_count || store_column_type(row, (int)i + 1) == STORE_NULL)
        return false;
    vm_charge(d->L, 1000);
    if (store_prepare(d->ctx->conn,
                      "SELECT 1 FROM consents k JOIN customers c ON c.id = k.customer WHERE c.customer = ?1 AND k.purpose = ?2 AND "
                      "k.share = ?3 AND k.version = ?4 AND k.withdrawn_at IS NULL AND (c.minor = 0 OR k.given_by = 'guardian')",
                      &s, &err) < 0)
        bind_raise(d->L, &err);
    store_bind_text(s, 1, store_column_text(row, (int)i + 1));
    store_bind_text(s, 2, slice_str(f->consent));
    store_bind_int(s, 3, f->share);
    store_bind_text(s, 4, f->consent_version);
    int rc = store_step(s, &err);
    store_reset(s);
    if (rc < 0)
        bind_raise(d->L, &err);
    return rc == 1;
}

static void note_read(const struct collection_field *f)
{
    if (!f->reads)
        return;
    atomic_fetch_add_explicit(&f->reads->count, 1, memory_order_relaxed);
    atomic_store_explicit(&f->reads->last_ms, clock_wall_ms(f->reads->clock), memory_order_relaxed);
}

static bool push_field(const struct door *d, struct store_stmt *s, int column, const struct collection_field *f)
{
    if (store_column_type(s, column) == STORE_NULL)
        return push_default(d, f);
    if (f->consent && !is_consented(d, s, f))
        return false;
    note_read(f);
    if (f->pseudonym) {
        push_pseudonym(d, store_column_text(s, column));
    } else if (f->type == FIELD_JSON) {
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
    vm_charge(d->L, 100 + 20 * (int64_t)c->field_count);
    lua_createtable(d->L, 0, (int)c->field_count + 1); /* row */
    lua_pushinteger(d->L, store_column_int(s, 0));
    lua_setfield(d->L, -2, "id");
    for (size_t i = 0; i < c->field_count; i++)
        if (push_field(d, s, (int)i + 1, &c->fields[i])) /* row value */
            lua_setfield(d->L, -2, c->fields[i].name);
}
