/* Values on their way from Lua to a collection: each against the type of its field, in one sentence when it does not fit. */
#include "base/schema.h"
#include "base/utf8.h"
#include "bind/collections_int.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int door_fail(const struct door *d, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return luaL_error(d->L, "%s:%s: %s", d->shape->name, d->method, text);
}

void *door_alloc(const struct door *d, size_t count, size_t size)
{
    void *p = arena_array(d->ctx->arena, count, size);
    if (!p)
        door_fail(d, "there is not enough memory for a row");
    return p;
}

const struct json_value *door_table(const struct door *d, int arg, const char *what)
{
    if (lua_type(d->L, arg) != LUA_TTABLE)
        door_fail(d, "%s must be a table, not a %s", what, luaL_typename(d->L, arg));
    const struct json_value *v = vm_check_json(d->L, arg, d->ctx->arena);
    if (v->type != JSON_OBJECT)
        door_fail(d, "%s must have names, like { %s = ... }", what, d->shape->fields[0].name);
    return v;
}

size_t door_field(const struct door *d, struct slice name)
{
    const char *words[COLLECTION_FIELDS_MAX + 1], *near;
    char quoted[JSON_QUOTE_MAX];
    for (size_t i = 0; i < d->shape->field_count; i++) {
        words[i] = d->shape->fields[i].name;
        if (slice_is(name, words[i]))
            return i;
    }
    words[d->shape->field_count] = NULL;
    near = nearest_word(name, words);
    door_fail(d, "there is no field %s%s%s%s", json_quote(quoted, name), near ? "; did you mean \"" : "", near ? near : "",
              near ? "\"?" : "");
    return 0;
}

/* --- one value ---------------------------------------------------------------------------------------------------------- */

static void wrong(const struct door *d, const struct collection_field *f, const struct json_value *v, const char *what)
{
    door_fail(d, "%s must be %s, not %s", f->name, what, v->type == JSON_REAL ? "a float" : json_type_name(v->type));
}

static const struct cell nothing = { .kind = CELL_NULL };

static struct cell integer_cell(const struct door *d, const struct collection_field *f, int64_t n)
{
    if ((n < f->min || n > f->max) && d->seeks)
        return nothing;
    if (n < f->min || n > f->max)
        door_fail(d, "%s is %" PRId64 "; it must be from %" PRId64 " to %" PRId64, f->name, n, f->min, f->max);
    return (struct cell){ .kind = CELL_INT, .integer = n };
}

static struct cell money_cell(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    int64_t minor = 0;
    struct err err = { 0 };
    if (v->type == JSON_STRING) {
        if (money_parse(v->string, d->ctx->currency.exponent, &minor, &err) < 0)
            door_fail(d, "%s: %s", f->name, err.text);
    } else if (!json_is_int(v, &minor)) {
        wrong(d, f, v, "an integer of minor units, or a string like \"50.00\"");
    }
    return integer_cell(d, f, minor);
}

static struct cell percent_cell(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    int64_t ppm = 0;
    struct err err = { 0 };
    if (v->type == JSON_STRING) {
        if (rate_parse_percent(v->string, &ppm, &err) < 0)
            door_fail(d, "%s: %s", f->name, err.text);
    } else if (!json_is_int(v, &ppm)) {
        wrong(d, f, v, "an integer of parts per million, or a string like \"12.5\"");
    }
    return integer_cell(d, f, ppm);
}

static bool is_id(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr("_.:-", c))
            return false;
    }
    return s.len > 0 && s.len <= 64 && !memchr(s.data, '\0', s.len);
}

static bool is_revision(struct slice s)
{
    if (s.len != 18 || s.data[0] != 'r' || s.data[1] != '_')
        return false;
    for (size_t i = 2; i < s.len; i++)
        if (!(s.data[i] >= '0' && s.data[i] <= '9') && !(s.data[i] >= 'a' && s.data[i] <= 'f'))
            return false;
    return true;
}

static bool is_utf8(struct slice s)
{
    for (size_t i = 0, n; i < s.len; i += n)
        if ((n = utf8_at(s.data + i, s.data + s.len)) == 0 || s.data[i] == '\0')
            return false;
    return true;
}

static bool is_id_field(const struct collection_field *f)
{
    return f->type == FIELD_CUSTOMER || f->type == FIELD_ORDER || f->type == FIELD_CAMPAIGN;
}

/* Can a row have it? */
static bool text_fits(const struct collection_field *f, struct slice s)
{
    return is_utf8(s) && (!is_id_field(f) || is_id(s)) && (f->type != FIELD_REVISION || is_revision(s)) && (int64_t)utf8_count(s) <= f->max;
}

static struct cell text_cell(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    if (v->type != JSON_STRING)
        wrong(d, f, v, "a string");
    struct slice s = v->string;
    bool id = is_id_field(f);
    if (d->seeks && !text_fits(f, s))
        return nothing;
    if (!is_utf8(s))
        door_fail(d, "%s is no text: it must be UTF-8 without zero bytes", f->name);
    if (id && !is_id(s))
        door_fail(d, "%s must be the id of %s %s: 1 to 64 of the characters A-Z a-z 0-9 _ . : -", f->name,
                  f->type == FIELD_ORDER ? "an" : "a", field_type_name(f->type));
    if (f->type == FIELD_REVISION && !is_revision(s))
        door_fail(d, "%s must be what plugin.revision() gives", f->name);
    if ((int64_t)utf8_count(s) > f->max)
        door_fail(d, "%s has %zu characters; it may have %" PRId64, f->name, utf8_count(s), f->max);
    if (f->type == FIELD_SKU && (s.len == 0 || s.data[0] == ' ' || s.data[s.len - 1] == ' '))
        door_fail(d, "%s must be a SKU, without spaces at its ends", f->name);
    return (struct cell){ .kind = CELL_TEXT, .text = s };
}

static struct cell json_cell(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    struct bind_buf b;
    struct json_writer w;
    bind_buf_init(&b, d->ctx->arena);
    json_writer_init(&w, &b.buf);
    json_value_write(&w, v);
    bind_buf_check(d->L, &b);
    vm_charge(d->L, (int64_t)b.buf.len / 16);
    if ((int64_t)b.buf.len > f->max)
        door_fail(d, "%s has %zu bytes as JSON; it may have %" PRId64, f->name, b.buf.len, f->max);
    return (struct cell){ .kind = CELL_TEXT, .text = buf_slice(&b.buf) };
}

struct cell cell_check(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    bool truth = false;
    int64_t n = 0;
    switch (f->type) {
    case FIELD_BOOLEAN:
        if (!json_is_bool(v, &truth))
            wrong(d, f, v, "true or false");
        return (struct cell){ .kind = CELL_INT, .integer = truth };
    case FIELD_MONEY:
        return money_cell(d, f, v);
    case FIELD_PERCENT:
        return percent_cell(d, f, v);
    case FIELD_INTEGER:
    case FIELD_TIME:
        if (!json_is_int(v, &n))
            wrong(d, f, v, f->type == FIELD_TIME ? "a time: an integer of milliseconds" : "an integer");
        return integer_cell(d, f, n);
    case FIELD_JSON:
        return json_cell(d, f, v);
    default:
        return text_cell(d, f, v);
    }
}

struct cell cell_sought(const struct door *d, const struct collection_field *f, const struct json_value *v)
{
    struct door seeking = *d;
    seeking.seeks = true;
    return cell_check(&seeking, f, v);
}

int64_t cell_check_id(const struct door *d, const struct json_value *v)
{
    int64_t id = 0;
    if (!json_is_int(v, &id))
        door_fail(d, "the id must be an integer, not %s", v->type == JSON_REAL ? "a float" : json_type_name(v->type));
    return id;
}

/* --- rows ------------------------------------------------------------------------------------------------------------------ */

static struct cell default_cell(const struct collection_field *f)
{
    if (!f->has_default)
        return (struct cell){ .kind = CELL_NULL };
    if (field_is_text(f->type))
        return (struct cell){ .kind = CELL_TEXT, .text = f->default_text };
    return (struct cell){ .kind = CELL_INT, .integer = f->default_int };
}

struct cell *cells_for_insert(const struct door *d, const struct json_value *row)
{
    const struct collection *c = d->shape;
    struct cell *cells = door_alloc(d, c->field_count, sizeof *cells);
    for (const struct json_value *m = row->first; m; m = m->next) {
        size_t i = door_field(d, m->key);
        if (m->type != JSON_NULL)
            cells[i] = cell_check(d, &c->fields[i], m);
    }
    for (size_t i = 0; i < c->field_count; i++) {
        if (cells[i].kind == CELL_NULL)
            cells[i] = default_cell(&c->fields[i]);
        if (cells[i].kind == CELL_NULL && !c->fields[i].optional)
            door_fail(d, "%s is missing; give %s = ... (%s)", c->fields[i].name, c->fields[i].name, field_type_name(c->fields[i].type));
    }
    return cells;
}

static bool same(const struct cell *a, const struct cell *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == CELL_NULL || (a->kind == CELL_INT ? a->integer == b->integer : slice_eq(a->text, b->text));
}

size_t cells_change(const struct door *d, const struct json_value *row, struct cell *cells, size_t *last)
{
    size_t changed = 0;
    for (const struct json_value *m = row->first; m; m = m->next) {
        size_t i = door_field(d, m->key);
        const struct collection_field *f = &d->shape->fields[i];
        struct cell fresh = { .kind = CELL_NULL };
        if (m->type != JSON_NULL)
            fresh = cell_check(d, f, m);
        else if (!f->optional)
            door_fail(d, "%s can't be taken away; it is not optional", f->name);
        if (same(&fresh, &cells[i]))
            continue;
        cells[i] = fresh;
        *last = i;
        changed++;
    }
    return changed;
}

/* --- which row --------------------------------------------------------------------------------------------------------------- */

static bool names_exactly(const struct collection *c, const struct collection_index *x, const struct json_value *where)
{
    if (where->count != x->count)
        return false;
    for (int i = 0; i < x->count; i++)
        if (!json_get(where, c->fields[x->fields[i]].name))
            return false;
    return true;
}

static void locate_by_table(const struct door *d, const struct json_value *where, struct locator *out)
{
    const struct collection *c = d->shape;
    const struct json_value *id = json_get(where, "id");
    if (id && where->count == 1) {
        out->cells[0] = (struct cell){ .kind = CELL_INT, .integer = cell_check_id(d, id) };
        return;
    }
    for (size_t i = 0; i < c->index_count; i++) {
        const struct collection_index *x = &c->indexes[i];
        if (!x->unique || !names_exactly(c, x, where))
            continue;
        out->index = x;
        for (int k = 0; k < x->count; k++) {
            const struct collection_field *f = &c->fields[x->fields[k]];
            out->cells[k] = cell_sought(d, f, json_get(where, f->name));
        }
        return;
    }
    for (const struct json_value *m = where->first; m; m = m->next)
        door_field(d, m->key);
    door_fail(d, "these fields do not name one row; give the id, or exactly the fields of the key or of a unique");
}

void locate(const struct door *d, int arg, struct locator *out)
{
    const struct collection *c = d->shape;
    *out = (struct locator){ .index = NULL };
    if (lua_isnoneornil(d->L, arg))
        door_fail(d, "which row is missing; give its %s", c->has_key ? "key" : "id");
    if (lua_type(d->L, arg) == LUA_TTABLE) {
        locate_by_table(d, door_table(d, arg, "the row's key"), out);
        return;
    }
    const struct json_value *v = vm_check_json(d->L, arg, d->ctx->arena);
    if (!c->has_key) {
        out->cells[0] = (struct cell){ .kind = CELL_INT, .integer = cell_check_id(d, v) };
        return;
    }
    if (c->indexes[0].count > 1)
        door_fail(d, "the key has %d fields; name them in a table", c->indexes[0].count);
    out->index = &c->indexes[0];
    out->cells[0] = cell_sought(d, &c->fields[c->indexes[0].fields[0]], v);
}
