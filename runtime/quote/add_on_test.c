#include "quote/shelf_fixture.h"

#define SHELF "{'MUG': {'price': 3900, 'left': 5, 'title': 'Mug'}, 'CUP': {'price': 2000}, 'DEAR': {'price': 100}}"
#define MUG                                                                                                                                \
    "{'id': 'mug-addon', 'scope': {'category': 'tea'}, 'when': {'subtotal': {'at_least': '99.00'}}, 'give': {'add_on_price': {'sku': "     \
    "'MUG', 'price': '9.90', 'max_units': 1}}}"
#define CART(tea, mugs, from)                                                                                                              \
    "{'lines': [{'sku': 'TEA', 'category': 'tea', 'price': " #tea "}, {'sku': 'MUG', 'price': 3900, 'qty': " #mugs from "}]}"
#define TAKEN ", 'from': 'mug-addon'"

static int64_t total(void **state, const char *campaigns, const char *cart)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f, campaigns);
    shelf_fill(&s, f, SHELF);
    shelf_price(f, cart);
    return f->result.total_minor;
}

static void it_has_its_price_when_the_conditions_hold(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(total(state, "[" MUG "]", CART(12000, 1, TAKEN)), 12990);
    assert_string_equal(shelf_given(f), "MUG 1 3900-2910 mug-addon");
    assert_int_equal(fixture_outcome(f, "mug-addon")->amount_minor, 2910);
    assert_non_null(strstr(fixture_answer(f), ",\"origin\":\"mug-addon\"}"));
    assert_null(strstr(fixture_answer(f), "\"gift\""));
    /* One at that price, the others as they are. */
    assert_int_equal(total(state, "[" MUG "]", CART(12000, 3, TAKEN)), 12990 + 2 * 3900);
    assert_int_equal(total(state, "[" MUG "]", CART(9000, 1, TAKEN)), 12900);
    assert_string_equal(fixture_reason(f, "mug-addon"), "subtotal_below");
    assert_string_equal(shelf_given(f), "");
    /* Who does not take it as an add-on buys it. */
    assert_int_equal(total(state, "[" MUG "]", CART(12000, 1, "")), 15900);
    assert_string_equal(fixture_reason(f, "mug-addon"), "add_on_not_taken");
    assert_int_equal(fixture_param(f, "mug-addon", "price"), 990);
}

static void it_is_outside_of_every_threshold_and_set(void **state)
{
    const char *others =
        "[" MUG ", {'id': 'amount', 'when': {'subtotal': {'at_least': '130.00'}}, 'give': {'percent_off': {'percent': 50}}},"
        " {'id': 'units', 'when': {'qty': {'at_least': 2}}, 'give': {'percent_off': {'percent': 50}}},"
        " {'id': 'name', 'when': {'sku': 'MUG'}, 'give': {'percent_off': {'percent': 50}}},"
        " {'id': 'of-it', 'scope': {'sku': 'MUG'}, 'give': {'percent_off': {'percent': 50}}},"
        " {'id': 'all', 'priority': -1, 'stage': 'order', 'give': {'percent_off': {'percent': 10}}}]";
    assert_int_equal(total(state, others, CART(12000, 1, TAKEN)), 10800 + 990);
    assert_string_equal(fixture_reason(*state, "amount"), "subtotal_below");
    assert_string_equal(fixture_reason(*state, "units"), "qty_below");
    assert_string_equal(fixture_reason(*state, "name"), "not_in_cart");
    assert_string_equal(fixture_reason(*state, "of-it"), "no_lines");
    /* Also where its campaign does not apply. */
    assert_int_equal(total(state, others, CART(9000, 1, TAKEN)), 8100 + 3900);
    /* Its own threshold may measure everything; the add-on is not in it. */
    assert_int_equal(
        total(
            state,
            "[{'id': 'mug-addon', 'when': {'subtotal': {'at_least': '99.00'}}, 'give': {'add_on_price': {'sku': 'MUG', 'price': '9.90'}}}]",
            CART(9000, 1, TAKEN)),
        12900);
}

static void gates_are_asked_about_it(void **state)
{
    struct fixture *f = *state;
    const char *gate =
        "[" MUG ", {'gate': true, 'id': 'g', 'scope': {'sku': 'MUG'}, 'when': {'channel': 'app'}, 'reason': 'In the app.'%s}]";
    char rules[800];
    struct shelf s;
    snprintf(rules, sizeof rules, gate, "");
    fixture_rules(f, rules);
    shelf_fill(&s, f, SHELF);
    assert_int_equal(fixture_try(f, CART(12000, 1, TAKEN)), ERR_INVALID);
    assert_string_equal(f->err.field, "/lines/1");
    snprintf(rules, sizeof rules, gate, ", 'effect': 'hide'");
    assert_int_equal(total(state, rules, CART(12000, 1, TAKEN)), 12000);
    assert_string_equal(fixture_reason(f, "mug-addon"), "add_on_not_taken");
    fixture_rules(f, "[" MUG ", {'gate': true, 'id': 'g', 'scope': {'sku': 'MUG'}, 'limits': {'units': 2}, 'reason': 'Two.'}]");
    assert_int_equal(fixture_try(f, CART(12000, 3, TAKEN)), ERR_INVALID);
    shelf_price(f, CART(12000, 2, TAKEN));
    assert_int_equal(f->result.take_count, 1);
    assert_int_equal(f->result.takes[0].amount, 2);
}

static void so_many_for_each(void **state)
{
    const char *rules =
        "[{'id': 'mug-addon', 'give': {'add_on_price': {'sku': ['MUG', 'CUP'], 'price': '9.90', 'max_units': 2, 'every': '50.00'}}}]";
    assert_int_equal(total(state, rules, CART(4999, 1, TAKEN)), 4999 + 3900);
    assert_string_equal(fixture_reason(*state, "mug-addon"), "subtotal_below");
    assert_int_equal(total(state, rules, CART(5000, 3, TAKEN)), 5000 + 2 * 990 + 3900);
    assert_int_equal(total(state, rules, CART(14999, 5, TAKEN)), 14999 + 4 * 990 + 3900);
    /* Lines share them, the earlier first. */
    assert_int_equal(total(state, rules,
                           "{'lines': [{'sku': 'TEA', 'price': 5000}, {'sku': 'CUP', 'price': 2000, 'from': 'mug-addon'},"
                           " {'sku': 'MUG', 'price': 3900, 'qty': 2, 'from': 'mug-addon'}]}"),
                     5000 + 990 + 990 + 3900);
}

static void what_costs_less_stays(void **state)
{
    assert_int_equal(
        total(state, "[{'id': 'mug-addon', 'give': {'add_on_price': {'sku': 'MUG', 'price': '50.00'}}}]", CART(5000, 1, TAKEN)), 8900);
    assert_string_equal(fixture_reason(*state, "mug-addon"), "nothing_to_discount");
    /* Two actions for one SKU never take more than it costs. */
    assert_int_equal(total(state,
                           "[{'id': 'mug-addon', 'give': [{'add_on_price': {'sku': 'MUG', 'price': '1.00'}}, {'add_on_price': {'sku': "
                           "'MUG', 'price': '2.00'}}]}]",
                           CART(5000, 1, TAKEN)),
                     5000);
}

static void who_names_what_nobody_offers_is_told(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f, "[" MUG ", {'id': 'sale', 'give': {'percent_off': {'percent': 10}}}]");
    shelf_fill(&s, f, SHELF);
    static const char *const carts[] = {
        "{'lines': [{'sku': 'TEA', 'price': 1}, {'sku': 'MUG', 'price': 1, 'from': 'nobody'}]}",
        "{'lines': [{'sku': 'TEA', 'price': 1}, {'sku': 'MUG', 'price': 1, 'from': 'sale'}]}",
        "{'lines': [{'sku': 'TEA', 'price': 1}, {'sku': 'CUP', 'price': 1, 'from': 'mug-addon'}]}",
    };
    for (size_t i = 0; i < sizeof carts / sizeof *carts; i++) {
        assert_int_equal(fixture_try(f, carts[i]), ERR_INVALID);
        assert_string_equal(f->err.reason, "unknown_add_on");
        assert_string_equal(f->err.field, "/lines/1/from");
    }
    fixture_cart(f, CART(12000, 1, TAKEN));
    f->cart.no_campaigns = true;
    assert_int_equal(quote_price(f->rules, &f->cart, NULL, &f->run, &f->result, &f->err), ERR_INVALID);
    assert_string_equal(f->err.field, "/lines/1/from");
}

static void the_best_set_counts_what_it_saves(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'mug-addon', 'group': 'g', 'give': {'add_on_price': {'sku': 'MUG', 'price': '9.90'}}},"
                                   " {'id': 'b', 'group': 'g', 'give': {'amount_off': {'amount': '29.00'}}}, {'id': 'c', 'give': "
                                   "{'percent_off': {'percent': 10}}}]",
                                   "{'stacking': 'best'}", NULL),
                     0);
    shelf_fill(&s, f, SHELF);
    shelf_price(f, CART(12000, 1, TAKEN));
    assert_int_equal(f->result.total_minor, 10800 + 990);
    assert_true(f->result.proven);
    shelf_price(f, CART(12000, 1, ""));
    assert_int_equal(f->result.total_minor, (12000 + 3900) / 10 * 9 - 2900);
}

static void the_best_set_knows_that_fewer_are_added_to_a_cheaper_cart(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'mug-addon', 'give': {'add_on_price': {'sku': 'MUG', 'price': '3.90', 'every': '100.00'}}},"
                                   " {'id': 'tenth', 'give': {'percent_off': {'percent': 10}}}]",
                                   "{'stacking': 'best'}", NULL),
                     0);
    shelf_fill(&s, f, SHELF);
    shelf_price(f, CART(10000, 1, TAKEN));
    assert_int_equal(f->result.total_minor, 10000 + 390);
    assert_true(f->result.proven);
    shelf_price(f, CART(12000, 1, TAKEN));
    assert_int_equal(f->result.total_minor, 10800 + 390);
}

static void it_is_sent_and_weighed(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    assert_int_equal(
        fixture_build(f, "[" MUG "]", NULL,
                      "[{'id': 'post', 'title': 'Post', 'rates': [{'over': '39.00', 'price': '0.00'}, {'up_to_g': 500, 'price': '4.00'},"
                      " {'price': '9.00'}]}]"),
        0);
    shelf_fill(&s, f, SHELF);
    shelf_price(f, "{'lines': [{'sku': 'MUG', 'price': 3900, 'g': 501, 'from': 'mug-addon'}], 'option': 'post'}");
    assert_int_equal(f->result.shipping_minor, 900); /* 39.00 of add-ons do not make it free */
    assert_int_equal(f->result.total_minor, 3900 + 900);
}

static void it_is_in_the_evidence(void **state)
{
    struct fixture *f = *state;
    struct quote_cart again;
    struct quote_result result;
    struct buf b;
    assert_int_equal(total(state, "[" MUG "]", CART(12000, 1, TAKEN)), 12990);
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    assert_non_null(strstr(text, "\"from\":[[1,\"mug-addon\"]]"));
    assert_int_equal(quote_evidence_read(f->symbols, fixture_json(&f->arena, text), &f->arena, &again, &f->err), 0);
    assert_int_equal(quote_price(f->rules, &again, NULL, &f->arena, &result, &f->err), 0);
    assert_int_equal(result.total_minor, 12990);
}

static const char *offers(struct fixture *f, const char *cart)
{
    struct quote_cart *c = fixture_cart(f, cart);
    arena_reset(&f->run);
    c->wants_offers = true;
    assert_int_equal(quote_price(f->rules, c, &f->hooks, &f->run, &f->result, &f->err), 0);
    return strstr(fixture_answer(f), "\"offers\":");
}

static void it_is_offered(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f, "[" MUG "]");
    shelf_fill(&s, f, SHELF);
    const char *alone = "{'lines': [{'sku': 'TEA', 'category': 'tea', 'price': 12000}]}";
    assert_non_null(strstr(offers(f, alone),
                           "[{\"campaign\":\"mug-addon\",\"title\":\"mug-addon\",\"code\":\"add_on\",\"sku\":\"MUG\",\"name\":\"Mug\","
                           "\"price\":990,\"max_units\":1,\"gives\":{\"action\":\"add_on_price\",\"sku\":\"MUG\",\"price\":990}}]"));
    assert_non_null(strstr(offers(f, "{'lines': [{'sku': 'TEA', 'category': 'tea', 'price': 9000}]}"),
                           "\"code\":\"subtotal_more\",\"more\":900,\"needed\":9900,\"seen\":9000,\"gives\":{\"action\":\"add_on_price\""));
    /* Taken already, not there, or not cheaper. */
    assert_non_null(strstr(offers(f, CART(12000, 1, TAKEN)), "\"offers\":[]"));
    shelf_fill(&s, f, "{'MUG': {'price': 3900, 'left': 0}}");
    assert_non_null(strstr(offers(f, alone), "\"offers\":[]"));
    shelf_fill(&s, f, "{'MUG': {'price': 990}}");
    assert_non_null(strstr(offers(f, alone), "\"offers\":[]"));
    assert_int_equal(f->cart.extra_count, 0);
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *give, *said;
    } cases[] = {
        { "{'add_on_price': {'price': '1.00'}}", "give.add_on_price.sku: is missing; name what can be added" },
        { "{'add_on_price': {'sku': 'A'}}", "give.add_on_price.price: is missing; give an amount such as \"50.00\"" },
        { "{'add_on_price': {'sku': 'A', 'price': 9}}", "give.add_on_price.price: a bare number can't be money; write \"9.00\" in quotes" },
        { "{'add_on_price': {'sku': 'A', 'price': '9.00', 'max_units': 0}}",
          "give.add_on_price.max_units: 0 is out of range; it goes from 1 to 1000000" },
        { "{'add_on_price': {'sku': 'A', 'price': '9.00', 'on': {'sku': 'B'}}}",
          "give.add_on_price.on: is what every measures; say every, or leave it out" },
        { "{'tiered': {'steps': [{'at': 2, 'give': {'add_on_price': {'sku': 'A', 'price': '9.00'}}}]}}",
          "give.tiered.steps[1].give: a step can't hold add_on_price; give it beside the steps, or in a campaign of its own" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rules[300], said[300];
        snprintf(rules, sizeof rules, "[{'id': 'a', 'at': 'x.lua:3', 'give': %s}]", cases[i].give);
        snprintf(said, sizeof said, "x.lua:3: %s", cases[i].said);
        assert_int_equal(fixture_build(f, rules, NULL, NULL), ERR_INVALID);
        assert_string_equal(f->err.text, said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_has_its_price_when_the_conditions_hold),
        TEST(it_is_outside_of_every_threshold_and_set),
        TEST(gates_are_asked_about_it),
        TEST(so_many_for_each),
        TEST(what_costs_less_stays),
        TEST(who_names_what_nobody_offers_is_told),
        TEST(the_best_set_counts_what_it_saves),
        TEST(the_best_set_knows_that_fewer_are_added_to_a_cheaper_cart),
        TEST(it_is_sent_and_weighed),
        TEST(it_is_in_the_evidence),
        TEST(it_is_offered),
        TEST(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
