#include "quote/fixture.h"
#include "quote/rules_int.h"

/* Which lines of the cart a selector takes, as a string of 0 and 1. */
static const char *taken(struct fixture *f, const char *selector, const char *cart, char out[20])
{
    struct quote_cart *c = fixture_cart(f, cart);
    struct json_value *v = fixture_json(&f->arena, selector);
    struct spec s = { .arena = &f->arena, .symbols = f->symbols, .err = &f->err };
    struct spec_node n = spec_root(v);
    struct selector sel;
    struct marks all = { 0 };
    bool any = false;
    if (selector_compile(&s, &n, &sel) < 0)
        fail_msg("%s", f->err.text);
    for (size_t i = 0; i < c->line_count; i++) {
        struct marks m;
        marks_of(&c->lines[i].product, &m);
        for (unsigned k = 0; k < SELECT_LEAVES; k++)
            all.bits[k] |= m.bits[k];
        bool match = selector_match(&sel, &c->lines[i].product, &m);
        out[i] = match ? '1' : '0';
        any = any || match;
    }
    out[c->line_count] = '\0';
    if (any)
        assert_true(selector_possible(&sel, &all)); /* the quick look never loses a line */
    return out;
}

#define CART                                                                                                                               \
    "{'lines': [{'sku': 'A', 'category': 'tea/green/dragon', 'tags': ['new', 'gift']}, {'sku': 'B', 'category': 'tea', 'brand': 'Leaf'},"  \
    " {'sku': 'C', 'category': 'teapots', 'tags': ['gift']}, {'sku': 'D'}]}"

static void a_category_takes_its_own_lines_and_those_below_it(void **state)
{
    char out[20];
    assert_string_equal(taken(*state, "{'category': ['tea']}", CART, out), "1100");
    assert_string_equal(taken(*state, "{'category': ['tea/green']}", CART, out), "1000");
    assert_string_equal(taken(*state, "{'category': ['tea/green/dragon', 'teapots']}", CART, out), "1010");
    assert_string_equal(taken(*state, "{'category': ['dragon']}", CART, out), "0000");
}

static void skus_brands_and_tags_take_any_of_their_names(void **state)
{
    char out[20];
    assert_string_equal(taken(*state, "{'sku': ['D', 'B', 'B']}", CART, out), "0101");
    assert_string_equal(taken(*state, "{'brand': 'Leaf'}", CART, out), "0100");
    assert_string_equal(taken(*state, "{'tag': ['gift', 'none']}", CART, out), "1010");
    assert_string_equal(taken(*state, "{'sku': ['a']}", CART, out), "0000");
}

static void sets_combine(void **state)
{
    char out[20];
    assert_string_equal(taken(*state, "{'all': [{'tag': 'gift'}, {'category': 'tea'}]}", CART, out), "1000");
    assert_string_equal(taken(*state, "{'tag': 'gift', 'category': 'tea'}", CART, out), "1000");
    assert_string_equal(taken(*state, "{'any': [{'tag': 'gift'}, {'sku': 'D'}]}", CART, out), "1011");
    assert_string_equal(taken(*state, "{'none': [{'tag': 'gift'}, {'sku': 'D'}]}", CART, out), "0100");
    assert_string_equal(taken(*state, "{'none': [{'none': [{'sku': 'D'}]}]}", CART, out), "0001");
    assert_string_equal(taken(*state, "{'category': 'tea', 'none': [{'tag': 'new'}]}", CART, out), "0100");
}

static void long_lists_of_names_are_searched_right(void **state)
{
    struct fixture *f = *state;
    struct buf b;
    char out[20];
    buf_init(&b, NULL);
    buf_add_str(&b, "{'sku': [");
    for (int i = 0; i < 500; i++)
        buf_printf(&b, "%s'S%d'", i ? "," : "", i * 2);
    buf_add(&b, "]}", 3);
    for (int i = 0; i < 1000; i += 7) {
        char cart[60];
        snprintf(cart, sizeof cart, "{'lines': [{'sku': 'S%d'}]}", i);
        assert_string_equal(taken(f, b.data, cart, out), i % 2 ? "0" : "1");
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_category_takes_its_own_lines_and_those_below_it),
        TEST(skus_brands_and_tags_take_any_of_their_names),
        TEST(sets_combine),
        TEST(long_lists_of_names_are_searched_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
