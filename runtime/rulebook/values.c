/* Descriptions of values, read from a manifest. */
#include "rulebook/values.h"
#include "base/zone.h"
#include "rulebook/values_int.h"
#include <stdio.h>

enum { FIELDS_MAX = 64, CHOICES_MAX = 64, NESTING_MAX = 4 };

static const char *const names[VALUE_TYPES + 1] = { "integer", "money",  "percent",  "string", "boolean",  "choice", "duration", "time",
                                                    "list",    "record", "campaign", "sku",    "customer", "order",  "secret",   NULL };

const char *value_type_name(enum value_type t)
{
    return names[t];
}

static bool allowed(enum value_type t, enum value_use use)
{
    bool settings_only = t == VALUE_DURATION || t == VALUE_SECRET, wire_only = t == VALUE_CUSTOMER || t == VALUE_ORDER;
    return use == VALUES_SETTINGS ? !wire_only : !settings_only;
}

/* Which of the members that depend on the type it has. */
static bool has_bounds(const struct value_spec *s, enum value_use use)
{
    switch (s->type) {
    case VALUE_INTEGER:
    case VALUE_STRING:
    case VALUE_LIST:
    case VALUE_MONEY:
    case VALUE_PERCENT:
        return true;
    case VALUE_DURATION:
        return use == VALUES_SETTINGS;
    default:
        return false;
    }
}

struct job {
    const struct reader *r;
    enum value_use use;
    int depth;
};

static int read_spec(const struct job *j, const struct place *at, const struct json_value *v, struct slice name, struct value_spec *s);
static int read_fields(const struct job *j, const struct place *at, const struct json_value *v, const struct value_spec **out,
                       size_t *count);

static int read_type(const struct job *j, const struct place *at, const struct json_value *type, struct value_spec *s)
{
    char list[200], hint[64], quoted[JSON_QUOTE_MAX];
    const char *usable[VALUE_TYPES + 1];
    size_t n = 0;
    for (int t = 0; t < VALUE_TYPES; t++)
        if (allowed(t, j->use))
            usable[n++] = names[t];
    usable[n] = NULL;
    reader_list_words(list, sizeof list, usable);
    if (!type)
        return reader_fail(j->r, at, "lacks type; write type = \"...\" with one of %s", list);
    if (type->type != JSON_STRING)
        return reader_fail(j->r, at, "type must be a string, one of %s", list);
    for (int t = 0; t < VALUE_TYPES; t++) {
        if (slice_is(type->string, names[t]) && allowed(t, j->use)) {
            s->type = (enum value_type)t;
            return 0;
        }
    }
    return reader_fail(j->r, at, "has the type %s; it can be %s%s", json_quote(quoted, type->string), list,
                       reader_hint(hint, type->string, usable));
}

/* One bound: an integer, or what the type is written as. */
static int read_bound(const struct job *j, const struct place *at, const struct json_value *v, const char *key, struct value_spec *s,
                      bool *given, int64_t *out, struct slice *text)
{
    const struct json_value *m = json_get(v, key);
    struct place here = place_in(at, key);
    if (!m)
        return 0;
    if (!has_bounds(s, j->use))
        return reader_fail(j->r, &here, "has no meaning for the type %s; remove it", names[s->type]);
    *given = true;
    bool written = j->use == VALUES_SETTINGS && (s->type == VALUE_MONEY || s->type == VALUE_PERCENT || s->type == VALUE_DURATION);
    if (!written)
        return json_is_int(m, out) ? 0 : reader_fail(j->r, &here, "must be an integer, not %s", json_type_name(m->type));
    *text = m->type == JSON_STRING ? m->string : (struct slice){ "", 0 };
    struct settle form = { .reader = *j->r, .exponent = MONEY_EXPONENT_ANY };
    return value_scalar(&form, &here, s->type, m, out);
}

static int read_bounds(const struct job *j, const struct place *at, const struct json_value *v, struct value_spec *s)
{
    int rc = read_bound(j, at, v, "min", s, &s->has_min, &s->min, &s->min_text);
    if (rc == 0)
        rc = read_bound(j, at, v, "max", s, &s->has_max, &s->max, &s->max_text);
    if (rc < 0)
        return rc;
    if (s->has_min && s->has_max && s->min > s->max)
        return reader_fail(j->r, at, "has a min above its max; exchange them");
    bool sized = s->type == VALUE_STRING || s->type == VALUE_LIST;
    int64_t limit = s->type == VALUE_STRING ? VALUE_STRING_MAX : VALUE_LIST_MAX;
    if (sized && ((s->has_min && s->min < 0) || (s->has_max && (s->max < 1 || s->max > limit))))
        return reader_fail(j->r, at, "has a size out of range; min is at least 0 and max from 1 to %lld", (long long)limit);
    return 0;
}

static int read_choices(const struct job *j, const struct place *at, const struct json_value *v, struct value_spec *s)
{
    const struct json_value *m = json_get(v, "choices");
    struct place here = place_in(at, "choices");
    if ((m != NULL) != (s->type == VALUE_CHOICE))
        return m ? reader_fail(j->r, &here, "goes with type = \"choice\" only")
                 : reader_fail(j->r, at, "lacks choices; write choices = { \"one\", \"two\" }");
    if (!m)
        return 0;
    const struct json_value *c;
    uint32_t n, i = 0;
    if (reader_list(j->r, &here, m, CHOICES_MAX, &c, &n) < 0)
        return ERR_INVALID;
    const char **words = arena_array(j->r->arena, n + 1, sizeof *words);
    if (!words)
        return reader_nomem(j->r);
    for (; c; c = c->next, i++) {
        struct place nth = place_nth(&here, i + 1);
        int rc = reader_sentence(j->r, &nth, c, &words[i]);
        if (rc < 0)
            return rc;
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(words[k], words[i]) == 0)
                return reader_fail(j->r, &nth, "is named twice; remove one");
    }
    s->choices = words;
    return n ? 0 : reader_fail(j->r, &here, "is empty; name at least one");
}

static int read_inside(const struct job *j, const struct place *at, const struct json_value *v, struct value_spec *s)
{
    const struct json_value *of = json_get(v, "of"), *fields = json_get(v, "fields");
    struct job deeper = { j->r, j->use, j->depth + 1 };
    if (deeper.depth > NESTING_MAX)
        return reader_fail(j->r, at, "is nested too deep; lists and records go %d deep", NESTING_MAX);
    if ((of != NULL) != (s->type == VALUE_LIST))
        return of ? reader_fail(j->r, at, "has `of`, which goes with type = \"list\" only")
                  : reader_fail(j->r, at, "lacks of; write of = { type = \"...\" } for its entries");
    if ((fields != NULL) != (s->type == VALUE_RECORD))
        return fields ? reader_fail(j->r, at, "has `fields`, which goes with type = \"record\" only")
                      : reader_fail(j->r, at, "lacks fields; write fields = { name = { type = \"...\" } }");
    if (of) {
        struct place here = place_in(at, "of");
        struct value_spec *item = arena_zalloc(j->r->arena, sizeof *item);
        if (!item)
            return reader_nomem(j->r);
        s->item = item;
        int rc = read_spec(&deeper, &here, of, slice_str(""), item);
        if (rc == 0 && (item->optional || item->fallback))
            return reader_fail(j->r, &here, "is each entry of a list: it is there or not, so it has neither optional nor default");
        return rc;
    }
    if (fields) {
        struct place here = place_in(at, "fields");
        return read_fields(&deeper, &here, fields, &s->fields, &s->field_count);
    }
    return 0;
}

static int check_default(const struct job *j, const struct place *at, const struct value_spec *s)
{
    struct place here = place_in(at, "default");
    if (!s->fallback)
        return 0;
    if (s->optional)
        return reader_fail(j->r, at, "has a default and is optional; with a default it is never missing, so remove optional");
    if (j->use == VALUES_WIRE)
        return reader_fail(j->r, &here, "is for settings; what comes from outside is `optional` instead");
    struct buf b;
    struct json_writer w;
    struct settle form = { .reader = *j->r, .exponent = MONEY_EXPONENT_ANY };
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    int rc = value_settle(&form, &here, s, s->fallback, &w);
    buf_release(&b);
    return rc;
}

static int read_spec(const struct job *j, const struct place *at, const struct json_value *v, struct slice name, struct value_spec *s)
{
    static const char *const known[] = { "type", "about", "optional", "default", "min", "max", "choices", "of", "fields", NULL };
    *s = (struct value_spec){ .name = arena_strdup(j->r->arena, name) };
    if (!s->name)
        return reader_nomem(j->r);
    bool item = name.len == 0;
    if (v->type == JSON_STRING && (item || j->use == VALUES_WIRE)) {
        int rc = read_type(j, at, v, s);
        if (rc == 0)
            rc = read_choices(j, at, v, s); /* the types that need more than a name say so */
        return rc < 0 ? rc : read_inside(j, at, v, s);
    }
    int rc = reader_known(j->r, at, v, known);
    if (rc == 0)
        rc = read_type(j, at, json_get(v, "type"), s);
    if (rc == 0)
        rc = reader_text(j->r, at, v, "about", j->use == VALUES_SETTINGS && !item, &s->about);
    if (rc == 0)
        rc = reader_bool(j->r, at, v, "optional", &s->optional);
    if (rc == 0)
        rc = read_bounds(j, at, v, s);
    if (rc == 0)
        rc = read_choices(j, at, v, s);
    if (rc == 0)
        rc = read_inside(j, at, v, s);
    s->fallback = json_get(v, "default");
    return rc < 0 ? rc : check_default(j, at, s);
}

static int read_fields(const struct job *j, const struct place *at, const struct json_value *v, const struct value_spec **out,
                       size_t *count)
{
    int rc = reader_table(j->r, at, v);
    if (rc < 0)
        return rc;
    if (v->count > FIELDS_MAX)
        return reader_fail(j->r, at, "has %u members; at most %d are possible", v->count, FIELDS_MAX);
    struct value_spec *list = arena_array(j->r->arena, v->count ? v->count : 1, sizeof *list);
    if (!list)
        return reader_nomem(j->r);
    size_t n = 0;
    for (const struct json_value *m = v->first; m && rc == 0; m = m->next, n++) {
        struct place here = place_named(at, m->key);
        if (!name_is(m->key, '_', 40))
            return reader_fail(j->r, &here, "is no name; use small letters, digits and single _, like max_friends");
        rc = read_spec(j, &here, m, m->key, &list[n]);
    }
    *out = list;
    *count = n;
    return rc;
}

int values_read(const struct reader *r, const struct place *at, const struct json_value *v, enum value_use use,
                const struct value_spec **out, size_t *count)
{
    struct job j = { r, use, 0 };
    return read_fields(&j, at, v, out, count);
}
