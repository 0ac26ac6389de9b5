/* Bodies that come by the thousand are read in one pass: their bytes are looked at once, and land where they are used. What is rare (an
 * escape, a character beyond ASCII, a plugin's part) goes through the tree of that one value. */
#include "base/schema.h"
#include "base/word.h"

enum {
    DEPTH = 64,         /* as json_parse() */
    TEXT_MAX = 1999998, /* json_parse() has a limit of values, which no text of so many bytes reaches */
    FIRST_ITEMS = 32,
    FIELDS_MAX = 64,
};

struct filling {
    const char *end;
    struct arena *arena;
    unsigned depth; /* of open objects and arrays */
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "there is not enough memory to read this; try again");
}

/* --- what stands where ---------------------------------------------------------------------------------------------------- */

static size_t size_of(const struct schema *s)
{
    if (s->as_tree)
        return sizeof(struct json_value *);
    switch (s->type) {
    case SCHEMA_STRING:
        return sizeof(struct slice);
    case SCHEMA_INT:
    case SCHEMA_BOOL:
        return sizeof(struct schema_int);
    case SCHEMA_ARRAY:
        return sizeof(struct schema_list);
    case SCHEMA_OBJECT:
        return s->size;
    default:
        return 0; /* only a tree can hold it */
    }
}

/* A zeroed place for one more item, or NULL. */
static void *list_add(struct arena *a, struct schema_list *list, size_t *cap, size_t size, size_t most)
{
    if (list->count == *cap) {
        size_t more = *cap ? *cap * 2 : FIRST_ITEMS;
        more = more > most ? most : more;
        char *items = more > *cap ? arena_alloc(a, more * size) : NULL;
        if (!items)
            return NULL;
        if (list->count)
            memcpy(items, list->items, list->count * size);
        list->items = items;
        *cap = more;
    }
    return memset((char *)list->items + size * list->count++, 0, size);
}

static size_t most_items(const struct schema *s)
{
    return s->max ? (size_t)s->max : 1000; /* as in schema.c */
}

/* --- from a tree ----------------------------------------------------------------------------------------------------------- */

static int object_from(const struct schema *s, const struct json_value *v, struct arena *a, void *to, struct err *err);
static int value_from(const struct schema *s, const struct json_value *v, struct arena *a, void *to, struct err *err);

static int array_from(const struct schema *s, const struct json_value *v, struct arena *a, struct schema_list *to, struct err *err)
{
    size_t size = s->item ? size_of(s->item) : 0;
    if (v->type != JSON_ARRAY || size == 0)
        return 0;
    char *items = to->items = arena_array(a, v->count, size);
    if (!items)
        return nomem(err);
    for (const struct json_value *m = v->first; m; m = m->next, items += size) {
        int rc = value_from(s->item, m, a, items, err);
        if (rc < 0)
            return rc;
        to->count++;
    }
    return 0;
}

static int value_from(const struct schema *s, const struct json_value *v, struct arena *a, void *to, struct err *err)
{
    if (s->as_tree) {
        *(const struct json_value **)to = v->type == JSON_NULL ? NULL : v;
        return 0;
    }
    switch (s->type) {
    case SCHEMA_STRING:
        *(struct slice *)to = v->type == JSON_STRING ? v->string : slice_str("");
        return 0;
    case SCHEMA_INT:
        *(struct schema_int *)to = (struct schema_int){ v->type == JSON_INT ? v->integer : 0, v->type == JSON_INT };
        return 0;
    case SCHEMA_BOOL:
        *(struct schema_int *)to = (struct schema_int){ v->type == JSON_TRUE, v->type == JSON_TRUE || v->type == JSON_FALSE };
        return 0;
    case SCHEMA_ARRAY:
        return array_from(s, v, a, to, err);
    case SCHEMA_OBJECT:
        return object_from(s, v, a, to, err);
    default:
        return 0;
    }
}

static int object_from(const struct schema *s, const struct json_value *v, struct arena *a, void *to, struct err *err)
{
    if (v->type != JSON_OBJECT)
        return 0;
    for (const struct json_value *m = v->first; m; m = m->next) {
        const struct schema *f = s->fields;
        while (f->name && !slice_is(m->key, f->name))
            f++;
        int rc = f->name && f->into ? value_from(f, m, a, (char *)to + f->into - 1, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

int schema_fill_tree(const struct schema *s, const struct json_value *v, struct arena *arena, void *out, struct err *err)
{
    return v ? object_from(s, v, arena, out, err) : 0;
}

/* --- from text: each gives what follows the value, or NULL ------------------------------------------------------------------- */

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* The tree of this one value, checked, and kept as it is wanted. */
static const char *through_tree(struct filling *f, const char *p, const struct schema *s, void *to)
{
    struct json_value *v;
    struct slice rest;
    const struct json_limits limits = { .depth = DEPTH - f->depth };
    if (json_parse_first(slice_of(p, (size_t)(f->end - p)), &limits, f->arena, &v, &rest, NULL) < 0 || schema_check(s, v, NULL) < 0 ||
        value_from(s, v, f->arena, to, NULL) < 0)
        return NULL;
    return rest.data;
}

/* Where the text that begins at p ends: at a quote, or at the first byte that is not from ' ' to '~', or a backslash. */
static inline const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t word = word_load(p), delete = (word ^ WORD_ONES * 0x7F) - WORD_ONES; /* as in word_special() */
        uint64_t special = word_special(word) | (delete &WORD_TOPS);
        if (special)
            return p + word_first(special);
        p += 8;
    }
    while (p < end && !byte_is_special((unsigned char)*p) && *p != 0x7F)
        p++;
    return p;
}

static const char *fill_string(struct filling *f, const char *p, const struct schema *s, struct slice *to)
{
    if (*p != '"')
        return through_tree(f, p, s, to);
    const char *begin = p + 1, *close = skip_plain(begin, f->end);
    if (close == f->end || *close != '"')
        return through_tree(f, p, s, to);
    *to = slice_of(begin, (size_t)(close - begin));
    return schema_takes_ascii(s, *to) ? close + 1 : NULL;
}

static const char *fill_int(struct filling *f, const char *p, const struct schema *s, struct schema_int *to)
{
    enum { DIGITS = 18 }; /* what fits whatever they are */
    const char *digits = p, *last = f->end - p > DIGITS ? p + DIGITS : f->end;
    int64_t n = 0;
    for (; p < last && (unsigned)((unsigned char)*p - '0') < 10; p++)
        n = n * 10 + (*p - '0');
    bool is_plain = p > digits && (*digits != '0' || p == digits + 1) && p < f->end && (*p == ',' || *p == '}' || *p == ']');
    bool any = s->min == 0 && s->max == 0;
    if (!is_plain)
        return through_tree(f, digits, s, to);
    *to = (struct schema_int){ n, true };
    return any || (n >= s->min && n <= s->max) ? p : NULL;
}

static const char *fill_value(struct filling *f, const char *p, const struct schema *s, void *to);

static const char *fill_array(struct filling *f, const char *p, const struct schema *s, struct schema_list *to)
{
    size_t size = s->item ? size_of(s->item) : 0, cap = 0;
    if (*p != '[' || size == 0)
        return size ? through_tree(f, p, s, to) : NULL;
    *to = (struct schema_list){ NULL, 0 };
    p = skip_space(p + 1, f->end);
    f->depth++;
    for (bool more = p < f->end && *p != ']'; more;) {
        void *item = list_add(f->arena, to, &cap, size, most_items(s));
        if (!item || !(p = fill_value(f, p, s->item, item)))
            return NULL;
        p = skip_space(p, f->end);
        more = p < f->end && *p == ',';
        p += more;
    }
    f->depth--;
    if (!to->items && !(to->items = arena_alloc(f->arena, 0))) /* an empty one is there, too */
        return NULL;
    return p < f->end && *p == ']' && (int64_t)to->count >= s->min ? p + 1 : NULL;
}

/* What follows `"NAME"` at p, or NULL. */
static inline const char *skip_name(const char *p, const char *end, const char *name)
{
    for (; *name; name++, p++)
        if (p == end || *p != *name)
            return NULL;
    return p < end && *p == '"' ? p + 1 : NULL;
}

/* Members mostly come in the order in which a schema names them, so *next is tried first. */
static const char *find_field(const struct schema *s, const char *p, const char *end, const struct schema **next, size_t *number)
{
    const char *after = (*next)->name ? skip_name(p, end, (*next)->name) : NULL;
    const struct schema *field = *next;
    if (!after)
        for (field = s->fields; field->name && !(after = skip_name(p, end, field->name));)
            field++;
    if (!after)
        return NULL;
    *number = (size_t)(field - s->fields);
    *next = field + 1;
    return after;
}

static bool has_required(const struct schema *s, uint64_t seen)
{
    for (size_t i = 0; s->fields[i].name; i++)
        if (s->fields[i].required && !(seen >> i & 1))
            return false;
    return true;
}

static const char *fill_object(struct filling *f, const char *p, const struct schema *s, void *to)
{
    const struct schema *next = s->fields;
    uint64_t seen = 0;
    size_t n;
    if (*p != '{' || !next)
        return next ? through_tree(f, p, s, to) : NULL;
    p = skip_space(p + 1, f->end);
    f->depth++;
    for (bool more = p < f->end && *p != '}'; more;) {
        if (p == f->end || *p != '"' || !(p = find_field(s, p + 1, f->end, &next, &n)))
            return NULL;
        const struct schema *field = &s->fields[n];
        p = skip_space(p, f->end);
        if (n >= FIELDS_MAX || seen >> n & 1 || !field->into || p == f->end || *p != ':')
            return NULL;
        seen |= UINT64_C(1) << n;
        if (!(p = fill_value(f, p + 1, field, (char *)to + field->into - 1)))
            return NULL;
        p = skip_space(p, f->end);
        more = p < f->end && *p == ',';
        if (more)
            p = skip_space(p + 1, f->end);
    }
    f->depth--;
    return p < f->end && *p == '}' && has_required(s, seen) ? p + 1 : NULL;
}

static const char *fill_value(struct filling *f, const char *p, const struct schema *s, void *to)
{
    p = skip_space(p, f->end);
    if (p == f->end)
        return NULL;
    if (s->as_tree)
        return through_tree(f, p, s, to);
    switch (s->type) {
    case SCHEMA_STRING:
        return fill_string(f, p, s, to);
    case SCHEMA_INT:
        return fill_int(f, p, s, to);
    case SCHEMA_BOOL:
        return through_tree(f, p, s, to);
    case SCHEMA_ARRAY:
        return fill_array(f, p, s, to);
    case SCHEMA_OBJECT:
        return fill_object(f, p, s, to);
    default:
        return NULL;
    }
}

bool schema_fill(const struct schema *s, struct slice text, struct arena *arena, void *out)
{
    if (text.len == 0 || text.len > TEXT_MAX)
        return false;
    struct filling f = { .end = text.data + text.len, .arena = arena };
    const char *p = skip_space(text.data, f.end);
    if (p == f.end || s->type != SCHEMA_OBJECT || *p != '{' || !(p = fill_object(&f, p, s, out)))
        return false;
    return skip_space(p, f.end) == f.end;
}
