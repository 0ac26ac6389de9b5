#include "quote/fixture.h"
#include "quote/rules_int.h"

#define CART                                                                                                                               \
    "{'lines': [{'sku': 'A', 'price': 1000, 'tags': ['@color=red', '@size=25', '@organic=true', 'color=blue']},"                           \
    " {'sku': 'B', 'price': 1000, 'tags': ['@color=blue', '@size=-3', '@organic=false', '@code=12x']},"                                    \
    " {'sku': 'C', 'price': 1000, 'tags': ['@size=9223372036854775807', '@sizes=25', '@code=99999999999999999999']}]}"

/* Which of the three lines. */
static void selects(struct fixture *f, const char *attribute, const char *skus)
{
    char text[400], seen[4] = "", *end = seen;
    snprintf(text, sizeof text, "[{'id': 'x', 'scope': {'attribute': %s}, 'give': {'percent_off': {'percent': 10}}}]", attribute);
    fixture_rules(f, text);
    if (fixture_try(f, CART) < 0)
        fail_msg("%s", f->err.text);
    for (size_t i = 0; i < 3; i++)
        if (f->cart.lines[i].discount_minor)
            *end++ = (char)('A' + i);
    *end = 0;
    if (strcmp(seen, skus) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", attribute, seen, skus);
}

static void values_are_compared_as_they_are_written(void **state)
{
    struct fixture *f = *state;
    selects(f, "{'name': 'color', 'is': 'red'}", "A");
    selects(f, "{'name': 'color', 'is': 'blue'}", "B"); /* a tag of that name is no attribute */
    selects(f, "{'name': 'color', 'any_of': ['red', 'blue', 'red']}", "AB");
    selects(f, "{'name': 'color', 'is': 'green'}", "");
    selects(f, "{'name': 'size', 'is': 25}", "A");
    selects(f, "{'name': 'size', 'any_of': [25, -3]}", "AB");
    selects(f, "{'name': 'organic'}", "A");
    selects(f, "{'name': 'organic', 'is': true}", "A");
    selects(f, "{'name': 'organic', 'is': false}", "B");
}

static void numbers_have_bounds(void **state)
{
    struct fixture *f = *state;
    selects(f, "{'name': 'size', 'at_least': 25}", "AC");
    selects(f, "{'name': 'size', 'at_least': 26}", "C");
    selects(f, "{'name': 'size', 'at_most': 25}", "AB");
    selects(f, "{'name': 'size', 'at_least': -3, 'at_most': -3}", "B");
    selects(f, "{'name': 'size', 'at_least': -2, 'at_most': 24}", "");
    selects(f, "{'name': 'size', 'at_least': 9223372036854775807}", "C");
    selects(f, "{'name': 'code', 'at_least': 0}", ""); /* no number, and one that is none of 64 bits */
    selects(f, "{'name': 'weight', 'at_least': 0}", "");
}

static void an_attribute_is_written_as_a_tag(void **state)
{
    struct fixture *f = *state;
    const struct json_value *v = fixture_json(&f->arena, "{'color': 'red', 'size': -25, 'organic': true, 'sold': false}");
    static const char *const texts[] = { "@color=red", "@size=-25", "@organic=true", "@sold=false" };
    size_t i = 0;
    for (const struct json_value *m = v->first; m; m = m->next)
        assert_true(slice_is(quote_attribute_text(&f->arena, m->key, m), texts[i++]));
    assert_int_equal(i, 4);
}

static void refused(struct fixture *f, const char *attribute, const char *words)
{
    char text[400];
    snprintf(text, sizeof text, "[{'id': 'x', 'scope': {'attribute': %s}, 'give': {'percent_off': {'percent': 10}}}]", attribute);
    assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
    if (!strstr(f->err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", f->err.text, words);
}

static void mistakes_are_found_when_rules_are_built(void **state)
{
    struct fixture *f = *state;
    refused(f, "{'is': 'red'}", "scope.attribute.name");
    refused(f, "{'name': 'color', 'is': 'red', 'any_of': ['red']}", "in two ways");
    refused(f, "{'name': 'color', 'is': 3, 'at_least': 2}", "in two ways");
    refused(f, "{'name': 'color', 'is': 2.5}", "a whole number");
    refused(f, "{'name': 'color', 'any_of': []}", "any_of");
    refused(f, "{'name': 'color', 'at_least': 4, 'at_most': 3}", "can never hold");
    refused(f, "{'name': 'color', 'at_least': '4'}", "at_least");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_are_compared_as_they_are_written),
        TEST(numbers_have_bounds),
        TEST(an_attribute_is_written_as_a_tag),
        TEST(mistakes_are_found_when_rules_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
