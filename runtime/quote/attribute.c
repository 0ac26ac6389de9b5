/* Attributes of products: named values of the catalogue. One stands among the tags of its product as "@NAME=VALUE", so that it is filed in
 * the index, marked and kept in evidence as they are; "@" keeps the two apart. Numbers are whole ones. */
#include "quote/run_int.h"

enum { NAME_MAX = 64, VALUE_MAX = 100 };

struct slice quote_attribute_text(struct arena *arena, struct slice name, const struct json_value *v)
{
    struct slice text;
    bool yes;
    if (json_is_string(v, &text))
        return arena_printf(arena, "@%.*s=%.*s", SLICE_FMT(name), SLICE_FMT(text));
    if (json_is_bool(v, &yes))
        return arena_printf(arena, "@%.*s=%s", SLICE_FMT(name), yes ? "true" : "false");
    return arena_printf(arena, "@%.*s=%lld", SLICE_FMT(name), (long long)v->integer);
}

/* --- compiling ------------------------------------------------------------------------------------------------------- */

static int value_add(struct spec *s, const struct spec_node *n, struct slice name, symbol *items, uint32_t *count)
{
    bool number = n->v->type == JSON_INT, yes;
    struct slice text;
    if (!number && !json_is_bool(n->v, &yes) && !json_is_string(n->v, &text))
        return spec_error(s, n, "expected a text, a whole number, true or false, got %s", json_type_name(n->v->type));
    int rc = n->v->type == JSON_STRING ? spec_text(s, n, VALUE_MAX, &text) : 0;
    if (rc < 0)
        return rc;
    text = quote_attribute_text(s->arena, name, n->v);
    if (!text.data)
        return spec_nomem(s);
    symbol one = s->find_only ? symbols_find(s->symbols, text) : symbols_intern(s->symbols, text);
    if (one)
        items[(*count)++] = one;
    return one || s->find_only ? 0 : spec_nomem(s);
}

static int values_compile(struct spec *s, const struct spec_node *n, struct slice name, struct selector *out)
{
    static const struct json_value yes = { .type = JSON_TRUE };
    struct spec_node is = spec_member(n, "is"), any_of = spec_member(n, "any_of");
    int rc = any_of.v ? spec_list(s, &any_of) : 0;
    if (rc < 0)
        return rc;
    uint32_t count = 0;
    symbol *items = spec_array(s, any_of.v ? any_of.v->count : 1, sizeof *items);
    size_t i = 0;
    *out = (struct selector){ .kind = SELECT_TAG, .is_attribute = true };
    if (!items)
        return ERR_NOMEM;
    if (!any_of.v && !is.v)
        is.v = &yes; /* what has no value to be compared is true */
    if (!any_of.v)
        rc = value_add(s, &is, name, items, &count);
    for (const struct json_value *m = any_of.v ? any_of.v->first : NULL; m && rc == 0; m = m->next) {
        struct spec_node e = spec_element(&any_of, m, ++i);
        rc = value_add(s, &e, name, items, &count);
    }
    names_sort(items, count, &out->names);
    return rc;
}

static int bounds_compile(struct spec *s, const struct spec_node *n, struct slice name, struct selector *out)
{
    struct spec_node least = spec_member(n, "at_least"), most = spec_member(n, "at_most");
    *out = (struct selector){
        .kind = SELECT_NUMBER, .is_attribute = true, .at_least = INT64_MIN, .at_most = INT64_MAX, .symbols = s->symbols
    };
    int rc = least.v ? spec_int(s, &least, INT64_MIN, INT64_MAX, &out->at_least) : 0;
    if (rc == 0 && most.v)
        rc = spec_int(s, &most, INT64_MIN, INT64_MAX, &out->at_most);
    if (rc == 0 && out->at_least > out->at_most)
        return spec_error(s, n, "can never hold: at_least is more than at_most");
    out->prefix = arena_printf(s->arena, "@%.*s=", SLICE_FMT(name));
    return rc == 0 && !out->prefix.data ? spec_nomem(s) : rc;
}

int attribute_compile(struct spec *s, const struct spec_node *n, struct selector *out)
{
    static const char *const known[] = { "name", "is", "any_of", "at_least", "at_most", NULL };
    struct slice text;
    int rc = spec_object(s, n, known);
    struct spec_node name = spec_member(n, "name");
    if (rc == 0)
        rc = spec_text(s, &name, NAME_MAX, &text);
    if (rc < 0)
        return rc;
    bool bounds = json_get(n->v, "at_least") || json_get(n->v, "at_most"), is = json_get(n->v, "is"), any_of = json_get(n->v, "any_of");
    if (is + any_of + bounds > 1)
        return spec_error(s, n, "says what it is in two ways; give is, any_of, or at_least and at_most");
    return bounds ? bounds_compile(s, n, text, out) : values_compile(s, n, text, out);
}

/* --- evaluating ------------------------------------------------------------------------------------------------------ */

struct slice attribute_shown(struct slice name)
{
    return name.len > 1 && name.data[0] == '@' ? slice_of(name.data + 1, name.len - 1) : name;
}

static bool number_read(struct slice text, int64_t *out)
{
    bool minus = text.len && text.data[0] == '-';
    size_t i = minus;
    int64_t v = 0;
    for (; i < text.len; i++) {
        int digit = text.data[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
            return false;
    }
    if (i == (size_t)minus || (!minus && v == INT64_MIN))
        return false;
    *out = minus ? v : -v;
    return true;
}

bool attribute_within(const struct selector *sel, const struct quote_product *p)
{
    for (uint32_t i = 0; i < p->tag_count; i++) {
        struct slice text = symbols_name(sel->symbols, p->tags[i]);
        int64_t v;
        if (text.len > sel->prefix.len && memcmp(text.data, sel->prefix.data, sel->prefix.len) == 0 &&
            number_read(slice_of(text.data + sel->prefix.len, text.len - sel->prefix.len), &v))
            return v >= sel->at_least && v <= sel->at_most;
    }
    return false;
}
