#include "quote/rules_int.h"

const char *const selector_leaf_keys[SELECT_LEAVES] = { "sku", "brand", "category", "tag" };
static const char *const known[] = { "sku", "brand", "category", "tag", "all", "any", "none", "unit_price", "reduced", "attribute", NULL };

static int children_compile(struct spec *s, const struct spec_node *n, enum selector_kind kind, struct selector *out)
{
    int rc = spec_list(s, n);
    if (rc < 0)
        return rc;
    struct selector *children = spec_array(s, n->v->count, sizeof *children);
    if (!children)
        return ERR_NOMEM;
    *out = (struct selector){ .kind = kind, .child_count = n->v->count, .children = children };
    size_t i = 0;
    for (const struct json_value *m = n->v->first; m; m = m->next, i++) {
        struct spec_node e = spec_element(n, m, i + 1);
        rc = selector_compile(s, &e, &children[i]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int unit_price_compile(struct spec *s, const struct spec_node *n, struct selector *out)
{
    static const char *const bounds[] = { "at_least", "at_most", NULL };
    struct spec_node least = spec_member(n, "at_least"), most = spec_member(n, "at_most");
    int rc = spec_object(s, n, bounds);
    *out = (struct selector){ .kind = SELECT_UNIT_PRICE, .at_least = INT64_MIN, .at_most = INT64_MAX };
    if (rc == 0 && !least.v && !most.v)
        return spec_error(s, n, "has neither at_least nor at_most; give one");
    if (rc == 0 && least.v)
        rc = spec_money(s, &least, 0, &out->at_least);
    if (rc == 0 && most.v)
        rc = spec_money(s, &most, 0, &out->at_most);
    if (rc == 0 && out->at_least > out->at_most)
        return spec_error(s, n, "can never hold: at_least is more than at_most");
    return rc;
}

static int reduced_compile(struct spec *s, const struct spec_node *n, struct selector *out)
{
    static const char *const none[] = { NULL };
    *out = (struct selector){ .kind = SELECT_REDUCED };
    return spec_object(s, n, none);
}

int selector_member(struct spec *s, const struct spec_node *n, struct selector *out)
{
    for (unsigned kind = 0; kind < SELECT_LEAVES; kind++) {
        if (strcmp(n->key, selector_leaf_keys[kind]) == 0) {
            *out = (struct selector){ .kind = (enum selector_kind)kind };
            return spec_names(s, n, &out->names);
        }
    }
    if (strcmp(n->key, "unit_price") == 0)
        return unit_price_compile(s, n, out);
    if (strcmp(n->key, "reduced") == 0)
        return reduced_compile(s, n, out);
    if (strcmp(n->key, "attribute") == 0)
        return attribute_compile(s, n, out);
    if (strcmp(n->key, "all") == 0)
        return children_compile(s, n, SELECT_ALL, out);
    return children_compile(s, n, strcmp(n->key, "any") == 0 ? SELECT_ANY : SELECT_NONE, out);
}

int selector_compile(struct spec *s, const struct spec_node *n, struct selector *out)
{
    int rc = spec_object(s, n, known);
    if (rc < 0)
        return rc;
    if (n->v->count == 0)
        return spec_error(s, n, "selects by nothing; name a sku, category, tag or brand");
    struct selector *parts = n->v->count == 1 ? out : spec_array(s, n->v->count, sizeof *parts);
    if (!parts)
        return ERR_NOMEM;
    size_t count = 0;
    for (size_t i = 0; known[i]; i++) {
        struct spec_node m = spec_member(n, known[i]);
        if (!m.v)
            continue;
        rc = selector_member(s, &m, &parts[count++]);
        if (rc < 0)
            return rc;
    }
    if (count > 1)
        *out = (struct selector){ .kind = SELECT_ALL, .child_count = (uint32_t)count, .children = parts };
    return 0;
}

void marks_of(const struct quote_product *p, struct marks *out)
{
    uint64_t categories = 0, tags = 0;
    for (uint32_t i = 0; i < p->category_count; i++)
        categories |= symbol_bit(p->categories[i]);
    for (uint32_t i = 0; i < p->tag_count; i++)
        tags |= symbol_bit(p->tags[i]);
    out->bits[SELECT_SKU] = symbol_bit(p->sku);
    out->bits[SELECT_BRAND] = p->brand ? symbol_bit(p->brand) : 0;
    out->bits[SELECT_CATEGORY] = categories;
    out->bits[SELECT_TAG] = tags;
    out->price_minor = p->price_minor;
    out->compare_at_minor = p->compare_at_minor;
}

static bool any_of(const struct names *n, const symbol *items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (names_have(n, items[i]))
            return true;
    return false;
}

bool selector_match(const struct selector *sel, const struct quote_product *p, const struct marks *m)
{
    if (sel->kind < SELECT_LEAVES && !(sel->names.bloom & m->bits[sel->kind]))
        return false;
    switch (sel->kind) {
    case SELECT_SKU:
        return names_have(&sel->names, p->sku);
    case SELECT_BRAND:
        return names_have(&sel->names, p->brand);
    case SELECT_CATEGORY:
        return any_of(&sel->names, p->categories, p->category_count);
    case SELECT_TAG:
        return any_of(&sel->names, p->tags, p->tag_count);
    case SELECT_UNIT_PRICE:
        return m->price_minor >= sel->at_least && m->price_minor <= sel->at_most;
    case SELECT_REDUCED:
        return m->compare_at_minor > m->price_minor;
    case SELECT_NUMBER:
        return attribute_within(sel, p);
    case SELECT_ALL:
    case SELECT_ANY:
    case SELECT_NONE:
        break;
    }
    bool stop_at = sel->kind != SELECT_ALL; /* the first child that says this decides */
    for (uint32_t i = 0; i < sel->child_count; i++)
        if (selector_match(&sel->children[i], p, m) == stop_at)
            return sel->kind == SELECT_ANY;
    return sel->kind != SELECT_ANY;
}

bool selector_possible(const struct selector *sel, const struct marks *cart)
{
    if (sel->kind < SELECT_LEAVES)
        return sel->names.bloom & cart->bits[sel->kind];
    if (sel->kind >= SELECT_NONE)
        return true;
    bool stop_at = sel->kind == SELECT_ANY;
    for (uint32_t i = 0; i < sel->child_count; i++)
        if (selector_possible(&sel->children[i], cart) == stop_at)
            return stop_at;
    return !stop_at;
}
