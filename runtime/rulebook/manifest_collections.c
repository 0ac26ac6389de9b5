/* `collections`: typed tables of a plugin. */
#include "rulebook/manifest_int.h"
#include "base/zone.h"
#include "rulebook/values_int.h"
#include <stdio.h>

enum { NAME_BYTES = 24, STRING_MAX = 16384, STRING_DEFAULT = 1000, JSON_MAX = 65536, JSON_DEFAULT = 16384 };

/* --- fields -------------------------------------------------------------------------------------------------------------- */

static int find_type(const struct reader *r, const struct place *at, struct slice word, enum field_type *out)
{
    const char *words[FIELD_TYPES + 1];
    char list[200], hint[64], quoted[JSON_QUOTE_MAX];
    for (int t = 0; t < FIELD_TYPES; t++) {
        words[t] = field_type_name((enum field_type)t);
        if (slice_is(word, words[t])) {
            *out = (enum field_type)t;
            return 0;
        }
    }
    words[FIELD_TYPES] = NULL;
    reader_list_words(list, sizeof list, words);
    return reader_fail(r, at, "has the type %s; it can be %s%s", json_quote(quoted, word), list, reader_hint(hint, word, words));
}

static void natural_bounds(struct collection_field *f)
{
    f->min = f->type == FIELD_INTEGER || f->type == FIELD_MONEY || f->type == FIELD_TIME ? INT64_MIN : 0;
    f->max = INT64_MAX;
    if (f->type == FIELD_STRING)
        f->max = STRING_DEFAULT;
    else if (f->type == FIELD_JSON)
        f->max = JSON_DEFAULT;
    else if (field_is_text(f->type))
        f->max = 64;
}

static int read_bounds(const struct reader *r, const struct place *at, const struct json_value *v, struct collection_field *f)
{
    bool has_min = false, has_max = false;
    int64_t min = f->min, max = f->max;
    int rc = reader_int(r, at, v, "min", &has_min, &min);
    if (rc == 0)
        rc = reader_int(r, at, v, "max", &has_max, &max);
    if (rc < 0)
        return rc;
    bool sized = f->type == FIELD_STRING || f->type == FIELD_JSON;
    int64_t limit = f->type == FIELD_STRING ? STRING_MAX : JSON_MAX;
    if (has_min && f->type != FIELD_INTEGER && !(f->type == FIELD_MONEY && min == 0))
        return reader_fail(r, at, "has a min; integers may, and money may have min = 0");
    if (has_max && f->type != FIELD_INTEGER && !sized)
        return reader_fail(r, at, "has a max; integers may (a value), strings (characters) and json (bytes)");
    if (has_max && sized && (max < 1 || max > limit))
        return reader_fail(r, at, "has a max of %lld; it can be from 1 to %lld", (long long)max, (long long)limit);
    if (min > max)
        return reader_fail(r, at, "has a min above its max; exchange them");
    f->min = min;
    f->max = max;
    return 0;
}

static int default_text(const struct reader *r, const struct place *at, const struct json_value *v, struct collection_field *f)
{
    if (f->type == FIELD_REVISION)
        return reader_fail(r, at,
                           "is the default of a revision; make the field optional, and take rows without one as rows under the live rules");
    if (f->type != FIELD_JSON) {
        if (v->type != JSON_STRING)
            return reader_fail(r, at, "must be a string, not %s", json_type_name(v->type));
        struct settle s = { .reader = *r };
        struct value_spec form = { .name = f->name,
                                   .type = f->type == FIELD_STRING ? VALUE_STRING
                                           : f->type == FIELD_SKU  ? VALUE_SKU
                                                                   : VALUE_CAMPAIGN,
                                   .has_max = true,
                                   .max = f->max };
        struct buf none;
        struct json_writer w;
        buf_init(&none, NULL);
        json_writer_init(&w, &none);
        int rc = value_settle(&s, at, &form, v, &w);
        buf_release(&none);
        f->default_text = v->string;
        return rc;
    }
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    f->default_text = b.failed ? (struct slice){ NULL, 0 } : arena_copy(r->arena, buf_slice(&b));
    buf_release(&b);
    if (!f->default_text.data)
        return reader_nomem(r);
    return (int64_t)f->default_text.len <= f->max ? 0 : reader_fail(r, at, "is longer than the field's max");
}

static int default_number(const struct reader *r, const struct place *at, const struct json_value *v, struct collection_field *f)
{
    bool truth;
    struct settle s = { .reader = *r };
    switch (f->type) {
    case FIELD_BOOLEAN:
        if (!json_is_bool(v, &truth))
            return reader_fail(r, at, "must be true or false, not %s", json_type_name(v->type));
        f->default_int = truth;
        return 0;
    case FIELD_PERCENT:
        return value_scalar(&s, at, VALUE_PERCENT, v, &f->default_int);
    case FIELD_TIME:
        return reader_fail(r, at, "is not possible for a time; make the field optional");
    case FIELD_MONEY:
        return json_is_int(v, &f->default_int) && f->default_int == 0 ? 0 : reader_fail(r, at, "of money can only be 0");
    default:
        if (!json_is_int(v, &f->default_int))
            return reader_fail(r, at, "must be an integer, not %s", json_type_name(v->type));
        return f->default_int >= f->min && f->default_int <= f->max ? 0 : reader_fail(r, at, "is outside of min and max");
    }
}

static int read_field_table(const struct reader *r, const struct place *at, const struct json_value *v, struct collection_field *f)
{
    static const char *const known[] = { "type", "optional", "default", "min", "max", "about", "personal", NULL };
    const char *type = NULL, *about = NULL;
    const struct json_value *given = json_get(v, "default");
    struct place here = place_in(at, "default");
    int rc = reader_known(r, at, v, known);
    if (rc == 0)
        rc = reader_text(r, at, v, "type", true, &type);
    if (rc == 0)
        rc = find_type(r, at, slice_str(type), &f->type);
    if (rc == 0)
        rc = reader_text(r, at, v, "about", false, &about); /* for readers of the file */
    if (rc == 0)
        rc = reader_bool(r, at, v, "optional", &f->optional);
    if (rc == 0)
        rc = reader_text(r, at, v, "personal", false, &f->personal);
    if (rc < 0)
        return rc;
    if (f->personal && !f->optional && !given)
        return reader_fail(r, at, "is personal, so it must be possible to empty it: make it optional, or give it a default");
    natural_bounds(f);
    rc = read_bounds(r, at, v, f);
    if (rc < 0 || !given)
        return rc;
    if (f->optional)
        return reader_fail(r, at, "has a default and is optional; with a default it is never missing, so remove optional");
    f->has_default = true;
    return field_is_text(f->type) ? default_text(r, &here, given, f) : default_number(r, &here, given, f);
}

static int read_field(const struct reader *r, const struct place *at, const struct json_value *v, struct collection_field *f)
{
    if (v->type != JSON_STRING)
        return read_field_table(r, at, v, f);
    struct slice word = v->string;
    if (word.len && word.data[word.len - 1] == '?') {
        f->optional = true;
        word.len--;
    }
    int rc = find_type(r, at, word, &f->type);
    natural_bounds(f);
    return rc;
}

static int read_fields(const struct reader *r, const struct place *at, const struct json_value *v, struct collection *c)
{
    static const char *const reserved[] = { "id", "rowid", "oid", "cursor", NULL };
    int rc = reader_table(r, at, v);
    if (rc < 0)
        return rc;
    if (v->count == 0 || v->count > COLLECTION_FIELDS_MAX)
        return reader_fail(r, at, "must have 1 to %d fields", COLLECTION_FIELDS_MAX);
    struct collection_field *fields = arena_array(r->arena, v->count, sizeof *fields);
    if (!fields)
        return reader_nomem(r);
    size_t n = 0;
    for (const struct json_value *m = v->first; m && rc == 0; m = m->next, n++) {
        struct place here = place_named(at, m->key);
        if (!name_is(m->key, '_', NAME_BYTES))
            return reader_fail(r, &here, "is no name of a field; use at most %d small letters, digits and single _", NAME_BYTES);
        for (size_t i = 0; reserved[i]; i++)
            if (slice_is(m->key, reserved[i]))
                return reader_fail(r, &here, "is a name that every collection uses itself; choose another");
        fields[n].name = arena_strdup(r->arena, m->key);
        rc = fields[n].name ? read_field(r, &here, m, &fields[n]) : reader_nomem(r);
    }
    c->fields = fields;
    c->field_count = n;
    return rc;
}

/* --- key, unique, index -------------------------------------------------------------------------------------------------- */

static int add_index_field(const struct reader *r, const struct place *at, const struct collection *c, const struct json_value *v,
                           bool is_key, struct collection_index *x)
{
    char quoted[JSON_QUOTE_MAX], hint[64];
    const char *words[COLLECTION_FIELDS_MAX + 1];
    if (v->type != JSON_STRING)
        return reader_fail(r, at, "must be the name of a field, not %s", json_type_name(v->type));
    for (size_t i = 0; i < c->field_count; i++) {
        words[i] = c->fields[i].name;
        if (!slice_is(v->string, words[i]))
            continue;
        if (c->fields[i].type == FIELD_JSON)
            return reader_fail(r, at, "is json, which can't be searched; keep what is searched in a field of its own");
        if (c->fields[i].personal)
            return reader_fail(r, at, "is personal: rows are not found along it, so that it can be emptied; keep a hash of it beside it");
        if (is_key && c->fields[i].optional)
            return reader_fail(r, at, "is optional, but a key is in every row; remove optional");
        for (int k = 0; k < x->count; k++)
            if (x->fields[k] == i)
                return reader_fail(r, at, "is named twice; remove one");
        x->fields[x->count++] = (uint16_t)i;
        return 0;
    }
    words[c->field_count] = NULL;
    return reader_fail(r, at, "names the field %s, which is not there%s", json_quote(quoted, v->string),
                       reader_hint(hint, v->string, words));
}

/* One index: "field" or { "field", "field" }. */
static int read_index(const struct reader *r, const struct place *at, const struct collection *c, const struct json_value *v, bool is_key,
                      struct collection_index *x)
{
    const struct json_value *f = NULL;
    uint32_t n = 0, i = 0;
    if (v->type == JSON_STRING)
        return add_index_field(r, at, c, v, is_key, x);
    int rc = reader_list(r, at, v, COLLECTION_INDEX_FIELDS_MAX, &f, &n);
    if (rc == 0 && n == 0)
        return reader_fail(r, at, "is empty; name a field");
    for (; f && rc == 0; f = f->next) {
        struct place nth = place_nth(at, ++i);
        rc = add_index_field(r, &nth, c, f, is_key, x);
    }
    return rc;
}

struct indexes {
    struct collection_index list[COLLECTION_INDEXES_MAX];
    size_t count;
};

static int add_index(const struct reader *r, const struct place *at, const struct collection *c, const struct json_value *v, bool is_key,
                     bool unique, struct indexes *all)
{
    if (all->count == COLLECTION_INDEXES_MAX)
        return reader_fail(r, at, "is one too many; a collection has at most %d of key, unique and index", COLLECTION_INDEXES_MAX);
    struct collection_index *x = &all->list[all->count];
    *x = (struct collection_index){ .unique = unique };
    int rc = read_index(r, at, c, v, is_key, x);
    for (size_t i = 0; i < all->count && rc == 0; i++)
        if (all->list[i].count == x->count && memcmp(all->list[i].fields, x->fields, x->count * sizeof *x->fields) == 0)
            return reader_fail(r, at, "is there already; remove one");
    all->count++;
    return rc;
}

static int read_index_list(const struct reader *r, const struct place *at, const struct collection *c, const struct json_value *v,
                           const char *key, struct indexes *all)
{
    const struct json_value *list = json_get(v, key), *e = NULL;
    struct place here = place_in(at, key);
    uint32_t n = 0, i = 0;
    int rc = list ? reader_list(r, &here, list, COLLECTION_INDEXES_MAX, &e, &n) : 0;
    for (; e && rc == 0; e = e->next) {
        struct place nth = place_nth(&here, ++i);
        rc = add_index(r, &nth, c, e, false, key[0] == 'u', all);
    }
    return rc;
}

static int read_indexes(const struct reader *r, const struct place *at, const struct json_value *v, struct collection *c)
{
    struct indexes all = { .count = 0 };
    const struct json_value *key = json_get(v, "key");
    struct place here = place_in(at, "key");
    int rc = key ? add_index(r, &here, c, key, true, true, &all) : 0;
    if (rc == 0)
        rc = read_index_list(r, at, c, v, "unique", &all);
    if (rc == 0)
        rc = read_index_list(r, at, c, v, "index", &all);
    if (rc < 0)
        return rc;
    struct collection_index *list = arena_array(r->arena, all.count ? all.count : 1, sizeof *list);
    if (!list)
        return reader_nomem(r);
    memcpy(list, all.list, all.count * sizeof *list);
    c->indexes = list;
    c->index_count = all.count;
    c->has_key = key != NULL;
    return 0;
}

/* --- the whole ------------------------------------------------------------------------------------------------------------ */

/* A plugin's name has no _, a collection's no __ and no -: no two can come to the same table. */
static const char *table_name(const struct reader *r, const char *plugin, struct slice collection)
{
    char text[80];
    int n = snprintf(text, sizeof text, "p_%s__%.*s", plugin, SLICE_FMT(collection));
    for (int i = 0; i < n; i++)
        if (text[i] == '-')
            text[i] = '_';
    return arena_strdup(r->arena, slice_of(text, (size_t)n));
}

/* keep = { field = "at", ["for"] = "400d" } */
static int read_keep(const struct reader *r, const struct place *up, const struct json_value *v, struct collection *c)
{
    static const char *const known[] = { "field", "for", NULL };
    struct place at = place_in(up, "keep");
    const char *field = NULL, *period = NULL;
    int rc = reader_known(r, &at, v, known);
    if (rc == 0)
        rc = reader_text(r, &at, v, "field", true, &field);
    if (rc == 0)
        rc = reader_text(r, &at, v, "for", true, &period);
    if (rc < 0)
        return rc;
    if (duration_parse(slice_str(period), &c->keep_ms, NULL) < 0)
        return reader_fail(r, &at, "has no period; write [\"for\"] = \"400d\"");
    for (size_t i = 0; i < c->field_count; i++) {
        if (strcmp(c->fields[i].name, field) != 0 || c->fields[i].type != FIELD_TIME)
            continue;
        c->keep_from = (uint16_t)i;
        return 0;
    }
    return reader_fail(r, &at, "names no field of the type time; rows go so long after it");
}

static int read_ends(const struct reader *r, const struct place *at, const struct json_value *v, struct collection *c)
{
    const struct json_value *keep = json_get(v, "keep");
    int rc = reader_bool(r, at, v, "erase", &c->erase);
    return rc == 0 && keep ? read_keep(r, at, keep, c) : rc;
}

static int read_collection(const struct reader *r, const struct place *at, const struct json_value *v, const char *plugin,
                           struct collection *c)
{
    static const char *const known[] = { "fields", "key", "unique", "index", "about", "erase", "keep", NULL };
    const struct json_value *fields = json_get(v, "fields");
    struct place here = place_in(at, "fields");
    const char *about = NULL;
    if (!name_is(v->key, '_', NAME_BYTES) || slice_is(v->key, "of"))
        return reader_fail(r, at, "is no name of a collection; use at most %d small letters, digits and single _, and not \"of\"",
                           NAME_BYTES);
    int rc = reader_known(r, at, v, known);
    if (rc == 0 && !fields)
        return reader_fail(r, at, "lacks fields; write fields = { name = \"string\" }");
    if (rc == 0)
        rc = reader_text(r, at, v, "about", false, &about);
    if (rc == 0)
        rc = read_fields(r, &here, fields, c);
    if (rc < 0)
        return rc;
    rc = read_ends(r, at, v, c);
    if (rc < 0)
        return rc;
    c->name = arena_strdup(r->arena, v->key);
    c->table = table_name(r, plugin, v->key);
    return c->name && c->table ? read_indexes(r, at, v, c) : reader_nomem(r);
}

int manifest_read_collections(const struct reader *r, const struct place *at, const struct json_value *v, struct manifest *m)
{
    int rc = reader_table(r, at, v);
    if (rc < 0)
        return rc;
    if (v->count > COLLECTIONS_MAX)
        return reader_fail(r, at, "has %u collections; at most %d are possible", v->count, COLLECTIONS_MAX);
    struct collection *list = arena_array(r->arena, v->count ? v->count : 1, sizeof *list);
    if (!list)
        return reader_nomem(r);
    size_t n = 0;
    for (const struct json_value *c = v->first; c && rc == 0; c = c->next, n++) {
        struct place here = place_named(at, c->key);
        rc = read_collection(r, &here, c, m->name, &list[n]);
    }
    m->collections = list;
    m->collection_count = n;
    return rc;
}
