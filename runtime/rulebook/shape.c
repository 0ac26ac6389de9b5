#include "rulebook/shape.h"
#include "crypto/crypto.h"
#include <stdio.h>
#include <stdlib.h>

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "there is not enough memory for the collections");
}

static int corrupt(struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the record of a plugin's tables is damaged; restore the store from a backup");
}

/* --- finding ---------------------------------------------------------------------------------------------------------------- */

struct shape_table *shape_find(const struct shape *s, struct slice name)
{
    for (size_t i = 0; i < s->table_count; i++)
        if (slice_eq(s->tables[i].name, name))
            return &s->tables[i];
    return NULL;
}

struct shape_field *shape_field(const struct shape_table *t, struct slice name)
{
    for (size_t i = 0; i < t->field_count; i++)
        if (slice_eq(t->fields[i].name, name))
            return &t->fields[i];
    return NULL;
}

bool shape_same_index(const struct shape_index *a, const struct shape_index *b)
{
    for (size_t i = 0; i < a->count && a->count == b->count; i++)
        if (!slice_eq(a->names[i], b->names[i]))
            return false;
    return a->count == b->count;
}

bool shape_has(const struct shape_indexes *all, const struct shape_index *x)
{
    for (size_t i = 0; i < all->count; i++)
        if (shape_same_index(&all->list[i], x))
            return true;
    return false;
}

bool shape_uses(const struct shape_index *x, struct slice field)
{
    for (size_t i = 0; i < x->count; i++)
        if (slice_eq(x->names[i], field))
            return true;
    return false;
}

static int by_names(const void *a, const void *b)
{
    const struct shape_index *x = a, *y = b;
    for (size_t i = 0; i < x->count && i < y->count; i++) {
        int c = slice_cmp(x->names[i], y->names[i]);
        if (c)
            return c;
    }
    return (x->count > y->count) - (x->count < y->count);
}

static int by_table(const void *a, const void *b)
{
    return slice_cmp(((const struct shape_table *)a)->name, ((const struct shape_table *)b)->name);
}

static int by_field(const void *a, const void *b)
{
    return slice_cmp(((const struct shape_field *)a)->name, ((const struct shape_field *)b)->name);
}

static void sort_table(struct shape_table *t)
{
    qsort(t->fields, t->field_count, sizeof *t->fields, by_field);
    qsort(t->uniques.list, t->uniques.count, sizeof *t->uniques.list, by_names);
    qsort(t->indexes.list, t->indexes.count, sizeof *t->indexes.list, by_names);
}

/* --- from a manifest --------------------------------------------------------------------------------------------------------- */

static bool table_of(const struct collection *c, struct arena *a, struct shape_table *t)
{
    t->name = slice_str(c->name);
    t->fields = arena_array(a, c->field_count + 1, sizeof *t->fields);
    t->uniques.list = arena_array(a, c->index_count + 1, sizeof *t->uniques.list);
    t->indexes.list = arena_array(a, c->index_count + 1, sizeof *t->indexes.list);
    if (!t->fields || !t->uniques.list || !t->indexes.list)
        return false;
    for (size_t i = 0; i < c->field_count; i++)
        t->fields[t->field_count++] = (struct shape_field){ slice_str(c->fields[i].name), c->fields[i].type, c->fields[i].optional };
    for (size_t i = 0; i < c->index_count; i++) {
        struct shape_index x = { .count = c->indexes[i].count };
        for (size_t k = 0; k < x.count; k++)
            x.names[k] = slice_str(c->fields[c->indexes[i].fields[k]].name);
        struct shape_indexes *to = c->indexes[i].unique ? &t->uniques : &t->indexes;
        if (i == 0 && c->has_key)
            t->key = x;
        else
            to->list[to->count++] = x;
    }
    sort_table(t);
    return true;
}

int shape_of(const struct manifest *m, struct arena *a, struct shape *out, struct err *err)
{
    size_t n = m ? m->collection_count : 0;
    *out = (struct shape){ .tables = arena_array(a, n + 1, sizeof *out->tables) };
    if (!out->tables)
        return nomem(err);
    for (; out->table_count < n; out->table_count++)
        if (!table_of(&m->collections[out->table_count], a, &out->tables[out->table_count]))
            return nomem(err);
    return 0;
}

/* --- text -------------------------------------------------------------------------------------------------------------------- */

static void write_index(struct json_writer *w, const struct shape_index *x)
{
    json_array(w);
    for (size_t i = 0; i < x->count; i++)
        json_string(w, x->names[i]);
    json_array_end(w);
}

static void write_indexes(struct json_writer *w, const char *key, const struct shape_indexes *all)
{
    json_key(w, key);
    json_array(w);
    for (size_t i = 0; i < all->count; i++)
        write_index(w, &all->list[i]);
    json_array_end(w);
}

static void write_table(struct json_writer *w, const struct shape_table *t)
{
    json_key_slice(w, t->name);
    json_object(w);
    json_key(w, "fields");
    json_object(w);
    for (size_t i = 0; i < t->field_count; i++) {
        char type[24];
        int n = snprintf(type, sizeof type, "%s%s", field_type_name(t->fields[i].type), t->fields[i].optional ? "?" : "");
        json_key_slice(w, t->fields[i].name);
        json_string(w, slice_of(type, (size_t)n));
    }
    json_object_end(w);
    json_key(w, "key");
    write_index(w, &t->key);
    write_indexes(w, "unique", &t->uniques);
    write_indexes(w, "index", &t->indexes);
    json_object_end(w);
}

static int write(const struct shape *s, bool seen, struct arena *a, struct slice *out, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "collections");
    json_object(&w);
    for (size_t i = 0; i < s->table_count; i++)
        write_table(&w, &s->tables[i]);
    json_object_end(&w);
    if (seen) {
        json_key(&w, "seen");
        json_array(&w);
        for (size_t i = 0; i < s->seen_count; i++)
            json_string(&w, s->seen[i]);
        json_array_end(&w);
    }
    json_object_end(&w);
    *out = b.failed ? (struct slice){ NULL, 0 } : arena_copy(a, buf_slice(&b));
    buf_release(&b);
    return out->data ? 0 : nomem(err);
}

int shape_write(const struct shape *s, struct arena *a, struct slice *out, struct err *err)
{
    return write(s, true, a, out, err);
}

int shape_hash(const struct shape *s, struct arena *a, char out[SHAPE_HASH + 1], struct err *err)
{
    struct slice text;
    unsigned char digest[SHA256_BYTES];
    int rc = write(s, false, a, &text, err);
    if (rc < 0)
        return rc;
    crypto_sha256(text, digest);
    hex_encode(digest, SHAPE_HASH / 2, out);
    out[SHAPE_HASH] = '\0';
    return 0;
}

static bool parse_type(const struct json_value *v, struct shape_field *f)
{
    struct slice word;
    if (!json_is_string(v, &word))
        return false;
    f->optional = word.len && word.data[word.len - 1] == '?';
    word.len -= f->optional;
    for (int t = 0; t < FIELD_TYPES; t++) {
        f->type = (enum field_type)t;
        if (slice_is(word, field_type_name(f->type)))
            return true;
    }
    return false;
}

static bool parse_index(const struct json_value *v, const struct shape_table *t, struct shape_index *x)
{
    if (!v || v->type != JSON_ARRAY || v->count > COLLECTION_INDEX_FIELDS_MAX)
        return false;
    for (const struct json_value *n = v->first; n; n = n->next)
        if (!json_is_string(n, &x->names[x->count++]) || !shape_field(t, n->string))
            return false;
    return true;
}

static bool parse_indexes(const struct json_value *v, const struct shape_table *t, struct arena *a, struct shape_indexes *all)
{
    if (!v || v->type != JSON_ARRAY || !(all->list = arena_array(a, v->count + 1, sizeof *all->list)))
        return false;
    for (const struct json_value *x = v->first; x; x = x->next)
        if (!parse_index(x, t, &all->list[all->count++]) || x->count == 0)
            return false;
    return true;
}

static bool parse_table(const struct json_value *v, struct arena *a, struct shape_table *t)
{
    const struct json_value *fields = json_get(v, "fields");
    t->name = v->key;
    if (!fields || fields->type != JSON_OBJECT || !(t->fields = arena_array(a, fields->count + 1, sizeof *t->fields)))
        return false;
    for (const struct json_value *f = fields->first; f; f = f->next) {
        t->fields[t->field_count].name = f->key;
        if (!parse_type(f, &t->fields[t->field_count++]))
            return false;
    }
    return parse_index(json_get(v, "key"), t, &t->key) && parse_indexes(json_get(v, "unique"), t, a, &t->uniques) &&
           parse_indexes(json_get(v, "index"), t, a, &t->indexes);
}

int shape_parse(struct slice record, struct arena *a, struct shape *out, struct err *err)
{
    struct json_value *v;
    struct slice text = arena_copy(a, record);
    *out = (struct shape){ 0 };
    if (!text.data)
        return nomem(err);
    if (record.len == 0)
        return 0;
    int rc = json_parse(text, NULL, a, &v, NULL);
    if (rc == ERR_NOMEM)
        return nomem(err);
    const struct json_value *tables = rc == 0 ? json_get(v, "collections") : NULL, *seen = rc == 0 ? json_get(v, "seen") : NULL;
    if (!tables || tables->type != JSON_OBJECT || !seen || seen->type != JSON_ARRAY)
        return corrupt(err);
    out->tables = arena_array(a, tables->count + 1, sizeof *out->tables);
    out->seen = arena_array(a, seen->count + 1, sizeof *out->seen);
    if (!out->tables || !out->seen)
        return nomem(err);
    for (const struct json_value *t = tables->first; t; t = t->next)
        if (!parse_table(t, a, &out->tables[out->table_count++]))
            return corrupt(err);
    for (const struct json_value *h = seen->first; h; h = h->next)
        if (!json_is_string(h, &out->seen[out->seen_count++]))
            return corrupt(err);
    return 0;
}

/* --- union ------------------------------------------------------------------------------------------------------------------- */

static bool merge_indexes(const struct shape_indexes *a, const struct shape_indexes *b, struct arena *arena, struct shape_indexes *out)
{
    out->count = 0;
    out->list = arena_array(arena, a->count + b->count + 1, sizeof *out->list);
    if (!out->list)
        return false;
    for (size_t i = 0; i < a->count; i++)
        out->list[out->count++] = a->list[i];
    for (size_t i = 0; i < b->count; i++)
        if (!shape_has(a, &b->list[i]))
            out->list[out->count++] = b->list[i];
    return true;
}

static bool merge_table(const struct shape_table *a, const struct shape_table *b, struct arena *arena, struct shape_table *out)
{
    *out = (struct shape_table){ .name = a->name, .key = a->key };
    out->fields = arena_array(arena, a->field_count + b->field_count + 1, sizeof *out->fields);
    if (!out->fields || !merge_indexes(&a->uniques, &b->uniques, arena, &out->uniques) ||
        !merge_indexes(&a->indexes, &b->indexes, arena, &out->indexes))
        return false;
    for (size_t i = 0; i < a->field_count; i++) {
        const struct shape_field *also = shape_field(b, a->fields[i].name);
        out->fields[out->field_count] = a->fields[i];
        out->fields[out->field_count++].optional |= !also || also->optional; /* rows without it may come to be */
    }
    for (size_t i = 0; i < b->field_count; i++)
        if (!shape_field(a, b->fields[i].name))
            out->fields[out->field_count++] = b->fields[i];
    sort_table(out);
    return true;
}

int shape_merge(const struct shape *a, const struct shape *b, struct arena *arena, struct shape *out, struct err *err)
{
    *out = (struct shape){ .tables = arena_array(arena, a->table_count + b->table_count + 1, sizeof *out->tables),
                           .seen = a->seen,
                           .seen_count = a->seen_count };
    if (!out->tables)
        return nomem(err);
    for (size_t i = 0; i < a->table_count; i++) {
        const struct shape_table *also = shape_find(b, a->tables[i].name);
        if (!also)
            out->tables[out->table_count++] = a->tables[i];
        else if (!merge_table(&a->tables[i], also, arena, &out->tables[out->table_count++]))
            return nomem(err);
    }
    for (size_t i = 0; i < b->table_count; i++)
        if (!shape_find(a, b->tables[i].name))
            out->tables[out->table_count++] = b->tables[i];
    qsort(out->tables, out->table_count, sizeof *out->tables, by_table);
    return 0;
}
