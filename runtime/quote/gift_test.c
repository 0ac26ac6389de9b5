#include "quote/shelf_fixture.h"

#define SHELF                                                                                                                              \
    "{'MUG': {'price': 3900, 'compare_at': 9900, 'left': 3, 'g': 5000, 'category': 'mugs'}, 'CARD': {'price': 0}, 'PEN': {'price': 500, "  \
    "'left': 100}}"
#define TEA(price) "{'lines': [{'sku': 'TEA', 'price': " #price "}]}"
#define FROM_100   "'when': {'subtotal': {'at_least': '100.00'}}"

static void gives(void **state, const char *campaigns, const char *cart, const char *given)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f, campaigns);
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, cart), given);
}

static void a_gift_is_a_line_at_nought(void **state)
{
    struct fixture *f = *state;
    gives(state, "[{'id': 'cups', " FROM_100 ", 'give': {'gift': {'sku': 'MUG'}}}]", TEA(10000), "MUG 1 3900-3900 cups");
    assert_int_equal(f->result.subtotal_minor, 13900);
    assert_int_equal(f->result.discount_minor, 3900);
    assert_int_equal(f->result.total_minor, 10000);
    assert_int_equal(fixture_outcome(f, "cups")->amount_minor, 3900);
    assert_string_equal(fixture_reason(f, "cups"), "applied");
    /* What it is said to be worth is what it costs now. */
    assert_int_equal(f->cart.lines[1].compare_at_minor, 0);
    assert_int_equal(f->cart.lines[1].unit_price_minor, 3900);
    assert_non_null(strstr(fixture_answer(f), ",\"origin\":\"cups\",\"gift\":true}"));

    gives(state, "[{'id': 'cups', " FROM_100 ", 'give': {'gift': {'sku': 'MUG'}}}]", TEA(9999), "");
    assert_int_equal(f->result.total_minor, 9999);
    assert_string_equal(fixture_reason(f, "cups"), "subtotal_below");
    assert_int_equal(f->cart.gift_count, 0);
}

static void several_are_several_lines(void **state)
{
    gives(state, "[{'id': 'a', 'give': [{'gift': {'sku': 'MUG', 'qty': 2}}, {'gift': {'sku': 'CARD'}}, {'gift': {'sku': 'MUG'}}]}]", TEA(1),
          "MUG 3 11700-11700 a; CARD 1 0-0 a");
    gives(state, "[{'id': 'a', 'give': [{'percent_off': {'percent': 50}}, {'gift': {'sku': 'PEN'}}]}]", TEA(100), "PEN 1 500-500 a");
    assert_int_equal(((struct fixture *)*state)->result.total_minor, 50);
    assert_int_equal(fixture_outcome(*state, "a")->amount_minor, 550);
}

static void a_gift_that_costs_nothing_is_given_all_the_same(void **state)
{
    struct fixture *f = *state;
    gives(state, "[{'id': 'a', 'codes': ['YES'], 'give': {'gift': {'sku': 'CARD'}}}]",
          "{'lines': [{'sku': 'TEA', 'price': 1}], 'codes': ['yes']}", "CARD 1 0-0 a");
    assert_string_equal(fixture_reason(f, "a"), "applied");
    assert_int_equal(f->result.unused_code_count, 0);
    assert_null(f->cart.lines[1].discounts);
}

static void it_is_outside_of_every_threshold(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    assert_int_equal(
        fixture_build(
            f,
            "[{'id': 'cups', 'give': {'gift': {'sku': 'MUG', 'qty': 3}}},"
            " {'id': 'by-amount', 'stage': 'shipping', 'when': {'subtotal': {'at_least': '50.00'}}, 'give': {'free_shipping': {}}},"
            " {'id': 'by-units', 'stage': 'shipping', 'when': {'qty': {'at_least': 2}}, 'give': {'free_shipping': {}}},"
            " {'id': 'by-name', 'stage': 'shipping', 'when': {'category': 'mugs'}, 'give': {'free_shipping': {}}},"
            " {'id': 'of-mugs', 'stage': 'shipping', 'scope': {'category': 'mugs'}, 'give': {'free_shipping': {}}},"
            " {'id': 'late', 'priority': -9, 'give': {'percent_off': {'percent': 10}}}]",
            NULL, "[{'id': 'post', 'title': 'Post', 'rates': [{'over': '50.00', 'price': '0.00'}, {'up_to_g': 200, 'price': '4.00'}]}]"),
        0);
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, "{'lines': [{'sku': 'TEA', 'price': 1000, 'g': 200}], 'option': 'post'}"), "MUG 3 11700-11700 cups");
    /* Its weight of 15 kg is not charged, its worth of 117.00 does not make shipping free. */
    assert_int_equal(f->result.shipping_minor, 400);
    assert_int_equal(f->result.total_minor, 900 + 400);
    assert_string_equal(fixture_reason(f, "by-amount"), "subtotal_below");
    assert_int_equal(fixture_param(f, "by-amount", "seen"), 900);
    assert_string_equal(fixture_reason(f, "by-units"), "qty_below");
    assert_string_equal(fixture_reason(f, "by-name"), "not_in_cart");
    assert_string_equal(fixture_reason(f, "of-mugs"), "no_lines");
}

static void what_there_is_none_of(void **state)
{
    struct fixture *f = *state;
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 4}}}]", TEA(1), "");
    assert_string_equal(fixture_reason(f, "a"), "gift_sold_out");
    assert_string_equal(fixture_find_param(f, "a", "sku")->text.data, "MUG");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'NOBODY'}}}]", TEA(1), "");
    assert_string_equal(fixture_reason(f, "a"), "gift_sold_out");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 4, 'when_none': 'substitute', 'substitute': 'PEN'}}}]", TEA(1),
          "PEN 4 2000-2000 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 4, 'substitute': 'NOBODY'}}}]", TEA(1), "");
    /* Whole sets only: of five times two three pieces are one. */
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 2, 'every': '1.00'}}}]", TEA(599), "MUG 2 7800-7800 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 2, 'every': '1.00', 'substitute': 'CARD'}}}]", TEA(599),
          "MUG 2 7800-7800 a; CARD 8 0-0 a");
    /* The rest of the campaign is given. */
    gives(state, "[{'id': 'a', 'give': [{'gift': {'sku': 'NOBODY'}}, {'gift': {'sku': 'CARD'}}]}]", TEA(1), "CARD 1 0-0 a");
}

static void a_cart_can_be_refused_for_want_of_it(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f,
                  "[{'id': 'a', 'title': 'Two mugs', 'give': {'gift': {'sku': 'MUG', 'qty': 2, 'every_qty': 1, 'when_none': 'refuse'}}}]");
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, TEA(1)), "MUG 2 7800-7800 a");
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'TEA', 'price': 1, 'qty': 2}]}"), ERR_CONFLICT);
    assert_string_equal(f->err.reason, "gift_sold_out");
    assert_non_null(strstr(f->err.text, "\"Two mugs\" gives \"MUG\""));
    assert_int_equal(fixture_try(f, "{'lines': [{'sku': 'MUG', 'price': 1, 'qty': 1}, {'sku': 'MUG', 'price': 1}]}"), ERR_CONFLICT);
}

static void what_is_bought_comes_first(void **state)
{
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG'}}}]", "{'lines': [{'sku': 'MUG', 'price': 3900, 'qty': 2}]}",
          "MUG 1 3900-3900 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG'}}}]", "{'lines': [{'sku': 'MUG', 'price': 3900, 'qty': 3}]}", "");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG'}}}]",
          "{'lines': [{'sku': 'MUG', 'price': 3900, 'qty': 2}, {'sku': 'TEA', 'price': 1}, {'sku': 'MUG', 'price': 3900}]}", "");
    /* The one in the cart is bought: it costs what it did. */
    assert_int_equal(((struct fixture *)*state)->result.total_minor, 3 * 3900 + 1);
}

static void two_campaigns_share_what_there_is(void **state)
{
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG'}}}, {'id': 'b', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}]", TEA(1),
          "MUG 1 3900-3900 a; MUG 2 7800-7800 b");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}, {'id': 'b', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}]",
          TEA(1), "MUG 2 7800-7800 a");
    assert_string_equal(fixture_reason(*state, "b"), "gift_sold_out");
    gives(
        state,
        "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}, {'id': 'b', 'priority': 1, 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}]",
        TEA(1), "MUG 2 7800-7800 b");
    assert_string_equal(fixture_reason(*state, "a"), "gift_sold_out");
}

static void it_is_given_again_for_each(void **state)
{
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'qty': 2, 'every': '10.00'}}}]", TEA(3999), "PEN 6 3000-3000 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'every': '10.00', 'max_sets': 2}}}]", TEA(3999), "PEN 2 1000-1000 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'every': '10.00'}}}]", TEA(999), "");
    assert_string_equal(fixture_reason(*state, "a"), "subtotal_below");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'every_qty': 3, 'on': {'sku': 'TEA'}}}}]",
          "{'lines': [{'sku': 'TEA', 'price': 1, 'qty': 7}, {'sku': 'B', 'price': 1, 'qty': 9}]}", "PEN 2 1000-1000 a");
    gives(state, "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'every_qty': 3, 'on': {'sku': 'TEA'}}}}]",
          "{'lines': [{'sku': 'TEA', 'price': 1, 'qty': 2}, {'sku': 'B', 'price': 1, 'qty': 9}]}", "");
    assert_int_equal(fixture_param(*state, "a", "seen"), 2);
    /* After what takes off earlier, as thresholds see it. */
    gives(state,
          "[{'id': 'a', 'give': {'gift': {'sku': 'PEN', 'every': '10.00'}}}, {'id': 'half', 'give': {'percent_off': {'percent': 50}}}]",
          TEA(3999), "PEN 1 500-500 a");
}

static void steps_give_gifts(void **state)
{
    const char *rules = "[{'id': 'a', 'give': {'tiered': {'by': 'amount', 'steps': [{'at': '10.00', 'give': {'gift': {'sku': 'CARD'}}},"
                        " {'at': '20.00', 'give': [{'gift': {'sku': 'PEN'}}, {'percent_off': {'percent': 10}}]}]}}}]";
    gives(state, rules, TEA(999), "");
    gives(state, rules, TEA(1000), "CARD 1 0-0 a");
    gives(state, rules, TEA(2000), "PEN 1 500-500 a");
    assert_int_equal(((struct fixture *)*state)->result.total_minor, 1800);
}

static bool used(void *ctx, struct slice account, int64_t *left)
{
    (void)ctx;
    (void)account;
    *left = -2;
    return true;
}

static void limits_count_gifts(void **state)
{
    static const struct {
        const char *limits, *given, *reason;
    } cases[] = {
        { "{'uses': 3}", "PEN 5 2500-2500 a", "applied" },
        { "{'uses': 2}", "", "limit_used_up" },
        { "{'units': 5}", "PEN 3 1500-1500 a", "applied" },
        { "{'units': 2}", "", "limit_used_up" },
        { "{'budget': '12.00'}", "PEN 2 1000-1000 a", "applied" }, /* 0.02 of it was used: 11.98 is worth two */
        { "{'budget': '12.00', 'partial_budget': 'skip'}", "", "limit_used_up" },
        { "{'budget': '4.99'}", "", "limit_used_up" },
    };
    struct fixture *f = *state;
    struct shelf s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rules[400];
        snprintf(rules, sizeof rules, "[{'id': 'a', 'limits': %s, 'give': {'gift': {'sku': 'PEN', 'every': '10.00'}}}]", cases[i].limits);
        fixture_rules(f, rules);
        shelf_fill(&s, f, SHELF);
        f->hooks.left = used;
        assert_string_equal(shelf_price(f, TEA(5000)), cases[i].given);
        assert_string_equal(fixture_reason(f, "a"), cases[i].reason);
    }
    fixture_rules(
        f, "[{'id': 'a', 'limits': {'units': 5, 'budget': '100.00', 'uses': 9}, 'give': {'gift': {'sku': 'PEN', 'every': '10.00'}}}]");
    assert_string_equal(shelf_price(f, TEA(5000)), "PEN 3 1500-1500 a");
    const int64_t amounts[] = { 1, 3, 1500 };
    assert_int_equal(f->result.take_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct quote_take *t = &f->result.takes[i];
        assert_int_equal(t->amount, amounts[strcmp(t->limit, "uses") == 0 ? 0 : strcmp(t->limit, "units") == 0 ? 1 : 2]);
    }
}

static void who_gives_nothing_stands_in_nobodys_way(void **state)
{
    const char *rules = "[{'id': 'a', 'group': 'g', 'priority': 1, 'give': {'gift': {'sku': 'MUG', 'qty': %d}}},"
                        " {'id': 'b', 'group': 'g', 'give': {'amount_off': {'amount': '1.00'}}}]";
    char text[400];
    struct fixture *f = *state;
    snprintf(text, sizeof text, rules, 3);
    gives(state, text, TEA(1000), "MUG 3 11700-11700 a");
    assert_string_equal(fixture_reason(f, "b"), "lost");
    snprintf(text, sizeof text, rules, 4);
    gives(state, text, TEA(1000), "");
    assert_string_equal(fixture_reason(f, "a"), "gift_sold_out");
    assert_string_equal(fixture_reason(f, "b"), "applied");
    /* The last three are c's, which comes first: a would do nothing, and b is not kept out. */
    gives(state,
          "[{'id': 'a', 'group': 'g', 'priority': 1, 'give': {'gift': {'sku': 'MUG'}}}, {'id': 'b', 'group': 'g', 'give': {'amount_off': "
          "{'amount': '1.00'}}}, {'id': 'c', 'priority': 2, 'give': {'gift': {'sku': 'MUG', 'qty': 3}}}]",
          TEA(1000), "MUG 3 11700-11700 c");
    assert_string_equal(fixture_reason(f, "b"), "applied");
}

static void gifts_count_nothing_in_the_best_set(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    const char *best = "{'stacking': 'best'}";
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'a', 'group': 'g', 'priority': 1, 'give': {'gift': {'sku': 'MUG'}}},"
                                   " {'id': 'b', 'group': 'g', 'give': {'amount_off': {'amount': '0.01'}}}]",
                                   best, NULL),
                     0);
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, TEA(1000)), "");
    assert_string_equal(fixture_reason(f, "a"), "lost");
    assert_true(f->result.proven);
    /* Of equal costs the set that gives more. */
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'a', 'not_with': ['b', 'c'], 'give': {'gift': {'sku': 'MUG'}}},"
                                   " {'id': 'b', 'give': {'gift': {'sku': 'PEN'}}}, {'id': 'c', 'give': {'gift': {'sku': 'CARD'}}}]",
                                   best, NULL),
                     0);
    assert_string_equal(shelf_price(f, TEA(1000)), "PEN 1 500-500 b; CARD 1 0-0 c");
    /* What was only tried is there again. */
    assert_int_equal(
        fixture_build(f, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 3}}}, {'id': 'b', 'give': {'percent_off': {'percent': 1}}}]",
                      best, NULL),
        0);
    assert_string_equal(shelf_price(f, TEA(1000)), "MUG 3 11700-11700 a");
}

static void of_one_lane_the_first_has_the_last(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    assert_int_equal(
        fixture_build(f,
                      "[{'id': 'a', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}}, {'id': 'b', 'give': {'gift': {'sku': 'MUG', 'qty': 2}}},"
                      " {'id': 'c', 'give': {'percent_off': {'percent': 10}}}]",
                      "{'lanes': 'best_per_line'}", NULL),
        0);
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, TEA(1000)), "MUG 2 7800-7800 a");
    assert_int_equal(f->result.total_minor, 900);
    assert_string_equal(fixture_reason(f, "c"), "applied");
    assert_false(fixture_outcome(f, "b")->applied);
}

static void what_stops_the_order_stops_gifts(void **state)
{
    gives(state, "[{'id': 'a', 'stop': 'order', 'give': {'percent_off': {'percent': 10}}}, {'id': 'b', 'give': {'gift': {'sku': 'PEN'}}}]",
          TEA(1000), "");
    assert_string_equal(fixture_reason(*state, "b"), "lost");
    gives(state,
          "[{'id': 'a', 'stop': 'order', 'give': {'gift': {'sku': 'PEN'}}}, {'id': 'b', 'priority': -1, 'give': {'amount_off': {'amount': "
          "'1.00'}}}]",
          TEA(1000), "PEN 1 500-500 a");
    assert_string_equal(fixture_reason(*state, "b"), "lost");
}

static void the_evidence_knows_what_there_was(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    struct buf b;
    struct quote_cart again;
    struct quote_result result;
    fixture_rules(f, "[{'id': 'a', 'give': [{'gift': {'sku': 'MUG', 'qty': 2}}, {'gift': {'sku': 'CARD'}}, {'gift': {'sku': 'NOBODY'}}]}]");
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, TEA(1000)), "MUG 2 7800-7800 a; CARD 1 0-0 a");
    assert_int_equal(s.asked, 3);
    int64_t total = f->result.total_minor, subtotal = f->result.subtotal_minor;
    buf_init(&b, NULL);
    quote_evidence_write(f->symbols, &f->cart, &b);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    assert_non_null(strstr(text, "\"x\":["));
    assert_int_equal(quote_evidence_read(f->symbols, fixture_json(&f->arena, text), &f->arena, &again, &f->err), 0);
    assert_int_equal(again.line_count, 1);
    assert_int_equal(again.extra_count, 3);
    assert_int_equal(again.extras[0].left, 3);
    assert_int_equal(again.extras[1].left, INT64_MAX);
    assert_false(again.extras[2].for_sale);
    assert_int_equal(quote_price(f->rules, &again, NULL, &f->arena, &result, &f->err), 0);
    assert_int_equal(result.total_minor, total);
    assert_int_equal(result.subtotal_minor, subtotal);
    assert_int_equal(again.gift_count, 2);
    /* Twice over one cart: gifts are not given twice. */
    assert_int_equal(quote_price(f->rules, &again, NULL, &f->arena, &result, &f->err), 0);
    assert_int_equal(again.line_count, 3);
    assert_int_equal(result.subtotal_minor, subtotal);
    buf_clear(&b);
    quote_evidence_write(f->symbols, &again, &b);
    assert_string_equal(arena_strdup(&f->arena, buf_slice(&b)), text);
    buf_release(&b);
}

static void gifts_are_taxed_as_what_they_cost(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    struct quote_rules_options o = { .tax = fixture_json(&f->arena, "{'prices': 'exclude', 'rates': [{'title': 'VAT', 'percent': 20}]}") };
    assert_int_equal(fixture_build_with(f, "[{'id': 'a', 'give': {'gift': {'sku': 'MUG'}}}]", o), 0);
    shelf_fill(&s, f, SHELF);
    assert_string_equal(shelf_price(f, TEA(1000)), "MUG 1 3900-3900 a");
    assert_int_equal(f->result.total_minor, 1200);
    assert_int_equal(f->cart.lines[1].tax_minor, 0);
}

static void more_skus_than_a_quote_asks_for_are_sold_out(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    struct buf rules, shelf;
    buf_init(&rules, NULL);
    buf_init(&shelf, NULL);
    for (int i = 0; i < QUOTE_EXTRAS_MAX + 5; i++) {
        buf_printf(&rules, "%s{'id': 'c%03d', 'give': {'gift': {'sku': 'G%d'}}}", i ? "," : "[", i, i);
        buf_printf(&shelf, "%s'G%d': {'price': 1}", i ? "," : "{", i);
    }
    buf_add_str(&rules, "]");
    buf_add_str(&shelf, "}");
    fixture_rules(f, arena_strdup(&f->arena, buf_slice(&rules)));
    shelf_fill(&s, f, arena_strdup(&f->arena, buf_slice(&shelf)));
    shelf_price(f, TEA(1000));
    assert_int_equal(f->cart.gift_count, QUOTE_EXTRAS_MAX);
    assert_string_equal(fixture_reason(f, "c100"), "gift_sold_out");
    buf_release(&rules);
    buf_release(&shelf);
}

static void mistakes_are_told(void **state)
{
    static const struct {
        const char *gift, *said;
    } cases[] = {
        { "{}", "give.gift.sku: is missing; give a text" },
        { "{'sku': ''}", "give.gift.sku: is empty; write something or leave it out" },
        { "{'sku': 'A', 'qty': 0}", "give.gift.qty: 0 is out of range; it goes from 1 to 10000" },
        { "{'sku': 'A', 'qyt': 1}", "give.gift: unknown key \"qyt\"; did you mean \"qty\"?" },
        { "{'sku': 'A', 'every': 3}", "give.gift.every: a bare number can't be money; write \"3.00\" in quotes" },
        { "{'sku': 'A', 'every': '1.00', 'every_qty': 3}", "give.gift.every_qty: counts units, and every counts money; give one of them" },
        { "{'sku': 'A', 'max_sets': 3}",
          "give.gift.max_sets: bounds what every or every_qty multiplies; give one of them, or leave it out" },
        { "{'sku': 'A', 'when_none': 'cry'}", "give.gift.when_none: there is no \"cry\"; choose one of skip, refuse, substitute" },
        { "{'sku': 'A', 'when_none': 'substitute'}", "give.gift.when_none: names no substitute; write substitute = \"SKU\" beside it" },
        { "{'sku': 'A', 'when_none': 'skip', 'substitute': 'B'}", "give.gift.substitute: is given with when_none = \"substitute\" only" },
        { "{'sku': 'A', 'substitute': 'A'}", "give.gift.substitute: is the gift itself; name another SKU" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char rules[300], said[300];
        snprintf(rules, sizeof rules, "[{'id': 'a', 'at': 'x.lua:3', 'give': {'gift': %s}}]", cases[i].gift);
        snprintf(said, sizeof said, "x.lua:3: %s", cases[i].said);
        assert_int_equal(fixture_build(f, rules, NULL, NULL), ERR_INVALID);
        assert_string_equal(f->err.text, said);
    }
    assert_int_equal(fixture_build(f, "[{'id': 'a', 'stage': 'shipping', 'give': {'gift': {'sku': 'A'}}}]", NULL, NULL), ERR_INVALID);
    assert_int_equal(fixture_build(f, "[{'id': 'a', 'stage': 'price', 'give': {'gift': {'sku': 'A'}}}]", NULL, NULL), ERR_INVALID);
}

static const struct quote_near *offered(struct fixture *f, const char *cart)
{
    struct quote_cart *c = fixture_cart(f, cart);
    arena_reset(&f->run);
    c->wants_offers = true;
    assert_int_equal(quote_price(f->rules, c, &f->hooks, &f->run, &f->result, &f->err), 0);
    return f->result.near_count ? f->result.near : NULL;
}

static void a_gift_within_reach_is_offered_while_there_is_one(void **state)
{
    struct fixture *f = *state;
    struct shelf s;
    fixture_rules(f, "[{'id': 'cups', " FROM_100 ", 'give': {'gift': {'sku': 'MUG'}}}]");
    shelf_fill(&s, f, SHELF);
    const struct quote_near *n = offered(f, TEA(9000));
    assert_non_null(n);
    assert_int_equal(n->needed - n->seen, 1000);
    assert_non_null(strstr(fixture_answer(f), "\"gives\":{\"action\":\"gift\",\"sku\":\"MUG\",\"qty\":1}"));
    assert_int_equal(f->cart.extra_count, 0); /* what is only said is no evidence */
    shelf_fill(&s, f, "{'MUG': {'price': 1, 'left': 0}}");
    assert_null(offered(f, TEA(9000)));
    fixture_rules(f, "[{'id': 'cups', 'give': {'gift': {'sku': 'PEN', 'every': '10.00', 'max_sets': 2}}}]");
    shelf_fill(&s, f, SHELF);
    n = offered(f, TEA(1900));
    assert_non_null(n);
    assert_int_equal(n->needed - n->seen, 100);
    assert_null(offered(f, TEA(2900)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_gift_is_a_line_at_nought),
        TEST(several_are_several_lines),
        TEST(a_gift_that_costs_nothing_is_given_all_the_same),
        TEST(it_is_outside_of_every_threshold),
        TEST(what_there_is_none_of),
        TEST(a_cart_can_be_refused_for_want_of_it),
        TEST(what_is_bought_comes_first),
        TEST(two_campaigns_share_what_there_is),
        TEST(it_is_given_again_for_each),
        TEST(steps_give_gifts),
        TEST(limits_count_gifts),
        TEST(who_gives_nothing_stands_in_nobodys_way),
        TEST(gifts_count_nothing_in_the_best_set),
        TEST(of_one_lane_the_first_has_the_last),
        TEST(what_stops_the_order_stops_gifts),
        TEST(the_evidence_knows_what_there_was),
        TEST(gifts_are_taxed_as_what_they_cost),
        TEST(more_skus_than_a_quote_asks_for_are_sold_out),
        TEST(mistakes_are_told),
        TEST(a_gift_within_reach_is_offered_while_there_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
