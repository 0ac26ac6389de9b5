/* Actions on units: what their authors were promised, and a model that makes every unit a thing of its own. */
#include "quote/fixture.h"

static void rules(struct fixture *f, const char *give)
{
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "[{'id': 'x', 'scope': {'tag': 'in'}, 'give': %s}]", give);
    const char *text = arena_strdup(&f->arena, buf_slice(&b));
    buf_release(&b);
    fixture_rules(f, text);
}

#define L(price, qty)      "{'sku': 'A', 'tags': ['in'], 'price': " #price ", 'qty': " #qty "}"
#define S(sku, price, qty) "{'sku': '" #sku "', 'tags': ['in'], 'price': " #price ", 'qty': " #qty "}"
#define CART(lines)        "{'lines': [" lines "]}"

static void any_three_for_99(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'n_for': {'n': 3, 'price': '99.00'}}");
    assert_int_equal(fixture_discount(f, CART(L(5900, 1) "," L(4900, 1) "," L(3900, 1) "," L(3500, 1))), 4800);
    assert_int_equal(f->result.total_minor, 13400);
    assert_int_equal(f->cart.lines[3].discount_minor, 0);
    assert_int_equal(f->cart.lines[0].discounts->units, 1);
    assert_int_equal(fixture_discount(f, CART(L(3000, 3))), 0); /* never raises a price */
    assert_string_equal(fixture_reason(f, "x"), "nothing_to_discount");
    assert_int_equal(fixture_discount(f, CART(L(5000, 7))), 2 * (15000 - 9900));
    assert_int_equal(fixture_discount(f, CART(L(5000, 2))), 0);
    assert_int_equal(fixture_param(f, "x", "needed"), 3);
    assert_int_equal(fixture_param(f, "x", "seen"), 2);
    rules(f, "{'n_for': {'n': 3, 'price': '99.00', 'max_sets': 1}}");
    assert_int_equal(fixture_discount(f, CART(L(5000, 7))), 15000 - 9900);
    assert_int_equal(fixture_discount(f, CART(L(5000, 1000000))), 15000 - 9900);
}

static void the_second_at_half_price(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'nth_unit': {'n': 2, 'percent': 50, 'among': 'same_sku'}}");
    assert_int_equal(fixture_discount(f, CART(L(10000, 3))), 5000);
    assert_int_equal(fixture_discount(f, CART(S(A, 10000, 1) "," S(B, 8000, 1))), 0);
    assert_string_equal(fixture_reason(f, "x"), "qty_below");
    assert_int_equal(fixture_discount(f, CART(S(A, 10000, 1) "," S(B, 8000, 3) "," S(A, 9000, 2))), 4500 + 4000);
    rules(f, "{'nth_unit': {'n': 2, 'percent': 50, 'among': 'scope'}}");
    assert_int_equal(fixture_discount(f, CART(S(A, 10000, 1) "," S(B, 8000, 1) "," S(C, 6000, 1) "," S(D, 4000, 1))), 6000);
    assert_int_equal(f->cart.lines[1].discount_minor, 4000);
    assert_int_equal(f->cart.lines[3].discount_minor, 2000);
    rules(f, "{'nth_unit': {'n': 2, 'percent': 50, 'among': 'scope', 'max_sets': 1}}");
    assert_int_equal(fixture_discount(f, CART(S(A, 10000, 1) "," S(B, 8000, 1) "," S(C, 6000, 1) "," S(D, 4000, 1))), 4000);
}

/* Of all SKUs together, the dearest reduced unit first: not the SKU whose name was met first, nor the line that comes first. */
static void so_many_second_ones_of_all_skus(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'nth_unit': {'n': 2, 'percent': 50, 'max_sets': 1}}");
    assert_int_equal(fixture_discount(f, CART(S(Z, 100, 2) "," S(Y, 5000, 2))), 2500);
    assert_int_equal(fixture_discount(f, CART(S(Y, 5000, 2) "," S(Z, 100, 2))), 2500);
    assert_int_equal(fixture_discount(f, CART(S(Z, 9000, 1) "," S(Y, 5000, 2) "," S(Z, 100, 1))), 2500);
    rules(f, "{'nth_unit': {'n': 2, 'percent': 50, 'max_sets': 3}}");
    assert_int_equal(fixture_discount(f, CART(S(Z, 100, 4) "," S(Y, 5000, 4))), 5000 + 50);
}

static void what_goes_off_a_bundles_line_is_rounded_once(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'bundle': {'items': [{'of': {'sku': ['A', 'C']}}, {'of': {'sku': 'B'}}], 'percent': 50}}");
    /* B lies in two different bundles; half of both together is 1, though half of each would be rounded up. */
    assert_int_equal(fixture_discount(f, CART(S(A, 100, 1) "," S(C, 90, 1) "," S(B, 1, 2))), 50 + 45 + 1);
}

static void the_cheapest_is_free(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'cheapest_free': {}}");
    assert_int_equal(fixture_discount(f, CART(L(1000, 2) "," L(300, 2) ",{'sku': 'OUT', 'price': 1}")), 300);
    rules(f, "{'cheapest_free': {'units': 3, 'percent': 50}}");
    assert_int_equal(fixture_discount(f, CART(L(1000, 2) "," L(300, 2))), 300 + 500);
}

static void a_flash_price_for_so_many_units(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'fixed_price': {'price': '9.90', 'max_units': 1}}");
    assert_int_equal(fixture_discount(f, CART(L(2990, 3))), 2000);
    assert_int_equal(f->cart.lines[0].discounts->units, 1);
    assert_int_equal(fixture_discount(f, CART(L(900, 3))), 0);
    rules(f, "{'fixed_price': {'price': '9.90'}}");
    assert_int_equal(fixture_discount(f, CART(L(2990, 3) "," L(500, 1) "," L(991, 2))), 6002);
}

static void a_bundle_of_this_and_that(void **state)
{
    struct fixture *f = *state;
    rules(f, "{'bundle': {'items': [{'of': {'sku': 'POT'}}, {'of': {'sku': ['CUP', 'MUG']}, 'qty': 2}], 'price': '100.00'}}");
    assert_int_equal(fixture_discount(f, CART(S(POT, 9000, 1) "," S(CUP, 2000, 1))), 0);
    assert_string_equal(fixture_reason(f, "x"), "bundle_incomplete");
    assert_int_equal(fixture_discount(f, CART(S(POT, 9000, 1) "," S(CUP, 2000, 1) "," S(MUG, 3000, 1))), 4000);
    assert_int_equal(f->cart.lines[0].discount_minor + f->cart.lines[1].discount_minor + f->cart.lines[2].discount_minor, 4000);
    assert_int_equal(fixture_discount(f, CART(S(POT, 9000, 3) "," S(CUP, 2000, 5) "," S(MUG, 3000, 1))), 4000 + 3000 + 3000);
    rules(f, "{'bundle': {'items': [{'of': {'sku': 'POT'}}, {'of': {'sku': 'CUP'}, 'qty': 2}], 'percent': 10, 'max_sets': 2}}");
    assert_int_equal(fixture_discount(f, CART(S(POT, 9000, 3) "," S(CUP, 2000, 9))), 2 * 1300);
    assert_int_equal(fixture_build(f, "[{'id': 'x', 'give': {'bundle': {'items': [{'of': {'sku': 'A'}}]}}}]", NULL, NULL), ERR_INVALID);
    assert_non_null(strstr(f->err.text, "neither a price nor a percent"));
}

static void the_more_the_more_off(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'x', 'scope': {'tag': 'in'}, 'give': {'tiered': {'by': 'qty', 'steps': [{'at': 2, 'give': "
                                   "{'percent_off': {'percent': 10}}},"
                                   "{'at': 3, 'give': {'percent_off': {'percent': 20}}}, {'at': 5, 'give': [{'percent_off': {'percent': "
                                   "30}}, {'free_shipping': {}}]}]}}}]",
                                   NULL, "[{'id': 'post', 'title': 'Post', 'rates': [{'price': '8.00'}]}]"),
                     0);
    assert_int_equal(fixture_discount(f, CART(L(5000, 1))), 0);
    assert_string_equal(fixture_reason(f, "x"), "qty_below");
    assert_int_equal(fixture_discount(f, CART(L(5000, 3))), 3000);
    assert_int_equal(fixture_discount(f, "{'lines': [" L(5000, 5) "], 'option': 'post'}"), 7500);
    assert_int_equal(f->result.shipping_discount_minor, 800);
    rules(f, "{'tiered': {'by': 'qty', 'mode': 'each', 'steps': [{'at': 3, 'give': {'percent_off': {'percent': 10}}}, {'at': 6, 'give': "
             "{'percent_off': {'percent': 20}}}]}}");
    assert_int_equal(fixture_discount(f, CART(L(1000, 2))), 0);
    assert_int_equal(fixture_discount(f, CART(L(1000, 7))), 300 + 400);
    assert_int_equal(fixture_discount(f, CART(L(1000, 2) "," L(500, 2))), 100);
    rules(f, "{'tiered': {'by': 'amount', 'mode': 'each', 'steps': [{'at': '100.00', 'give': {'percent_off': {'percent': 10}}}, {'at': "
             "'200.00', 'give': {'percent_off': {'percent': 20}}}]}}");
    assert_int_equal(fixture_discount(f, CART(L(25000, 1))), 1000 + 1000);
    assert_int_equal(fixture_discount(f, CART(L(10000, 1))), 0);
    rules(f, "{'tiered': {'by': 'amount', 'steps': [{'at': '100.00', 'give': {'amount_off': {'amount': '10.00'}}}, {'at': '200.00', "
             "'give': {'amount_off': {'amount': '30.00'}}}]}}");
    assert_int_equal(fixture_discount(f, CART(L(19999, 1))), 1000);
    assert_int_equal(fixture_discount(f, CART(L(20000, 1))), 3000);
}

static void steps_that_make_no_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *give, *sentence;
    } cases[] = {
        { "{'tiered': {'steps': [{'at': 3, 'give': {'free_shipping': {}}}, {'at': 3, 'give': {'free_shipping': {}}}]}}",
          "steps[2].at: is not above" },
        { "{'tiered': {'by': 'amount', 'steps': [{'at': 3, 'give': {'free_shipping': {}}}]}}", "steps[1].at" },
        { "{'tiered': {'steps': [{'at': 3, 'give': {'fn': 3}}]}}", "can't hold a function" },
        { "{'tiered': {'mode': 'each', 'steps': [{'at': 3, 'give': {'amount_off': {'amount': '1.00'}}}]}}", "one percent_off" },
        { "{'shipping_off': {}}", "neither a percent nor an amount" },
        { "{'n_for': {'n': 3}}", "price" },
        { "{'nth_unit': {'n': 1, 'percent': 50}}", "nth_unit.n" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text, "[{'id': 'x', 'give': %s}]", cases[i].give);
        assert_int_equal(fixture_build(f, text, NULL, NULL), ERR_INVALID);
        if (!strstr(f->err.text, cases[i].sentence))
            fail_msg("%s", f->err.text);
    }
    assert_int_equal(
        fixture_build(
            f, "[{'id': 'x', 'stage': 'shipping', 'give': {'tiered': {'steps': [{'at': 3, 'give': {'percent_off': {'percent': 3}}}]}}}]",
            NULL, NULL),
        ERR_INVALID);
}

static void shipping_costs_less(void **state)
{
    struct fixture *f = *state;
    const char *post = "[{'id': 'post', 'title': 'Post', 'rates': [{'price': '8.00'}]}]";
    assert_int_equal(fixture_build(f,
                                   "[{'id': 'half', 'priority': 2, 'give': {'shipping_off': {'percent': 50, 'cap': '3.00'}}},"
                                   "{'id': 'one', 'priority': 1, 'give': {'shipping_off': {'amount': '1.00'}}}, {'id': 'ten', 'give': "
                                   "{'shipping_off': {'percent': 10}}}]",
                                   NULL, post),
                     0);
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'post'}");
    assert_int_equal(f->result.shipping_discount_minor, 300 + 100 + 40);
    assert_int_equal(f->result.total_minor, 1000 + 360);
    assert_int_equal(
        fixture_build(f, "[{'id': 'x', 'give': [{'percent_off': {'percent': 10}}, {'shipping_off': {'amount': '9.00'}}]}]", NULL, post), 0);
    fixture_discount(f, "{'lines': [{'sku': 'A', 'price': 1000}], 'option': 'post'}");
    assert_int_equal(f->result.total_minor, 900);
}

/* --- a model of units ------------------------------------------------------------------------------------------------------- */

static uint64_t seed = 3;
static int below(int n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (unsigned)n);
}

enum { UNITS = 64 };

static int downwards(const void *a, const void *b)
{
    return *(const int *)b - *(const int *)a;
}

static int64_t model(int kind, int n, int64_t price, const int *units, int count, int sets)
{
    int64_t off = 0;
    if (kind == 0) /* n_for */
        for (int i = 0; i + n <= count && sets-- > 0; i += n) {
            int64_t sum = 0;
            for (int k = i; k < i + n; k++)
                sum += units[k];
            off += sum > price ? sum - price : 0;
        }
    if (kind == 1) /* nth_unit, half price of an even price */
        for (int i = n - 1; i < count && sets-- > 0; i += n)
            off += units[i] / 2;
    if (kind == 2) /* cheapest_free */
        for (int i = 0; i < n && i < count; i++)
            off += units[count - 1 - i];
    if (kind == 3) /* fixed_price */
        for (int i = 0; i < n && i < count; i++)
            off += units[i] > price ? units[i] - price : 0;
    return off;
}

static void units_of_lines_are_as_units_one_by_one(void **state)
{
    struct fixture *f = *state;
    for (int round = 0; round < 3000; round++) {
        arena_reset(&f->arena);
        int units[UNITS], count = 0, kind = below(4), n = 2 + below(4), price = 2 * below(3000), sets = 1 + below(6);
        struct buf b;
        buf_init(&b, NULL);
        buf_printf(&b, "{'lines': [");
        for (int i = 0, lines = 1 + below(5); i < lines; i++) {
            int unit = 2 * below(1500), qty = 1 + below(8);
            buf_printf(&b, "%s{'sku': 'A', 'tags': ['in'], 'price': %d, 'qty': %d}", i ? "," : "", unit, qty);
            for (int k = 0; k < qty && unit > 0; k++)
                units[count++] = unit;
        }
        buf_printf(&b, "]}");
        const char *cart = arena_strdup(&f->arena, buf_slice(&b));
        buf_release(&b);
        qsort(units, (size_t)count, sizeof *units, downwards);
        char give[200];
        if (kind == 0)
            snprintf(give, sizeof give, "{'n_for': {'n': %d, 'price': '%d.%02d', 'max_sets': %d}}", n, price / 100, price % 100, sets);
        else if (kind == 1)
            snprintf(give, sizeof give, "{'nth_unit': {'n': %d, 'percent': 50, 'among': 'scope', 'max_sets': %d}}", n, sets);
        else if (kind == 2)
            snprintf(give, sizeof give, "{'cheapest_free': {'units': %d}}", n);
        else
            snprintf(give, sizeof give, "{'fixed_price': {'max_units': %d, 'price': '%d.%02d'}}", n, price / 100, price % 100);
        rules(f, give);
        int64_t off = fixture_discount(f, cart), due = model(kind, n, price, units, count, sets);
        if (off != due)
            fail_msg("round %d: %lld, not %lld\n%s\n%s\n%s", round, (long long)off, (long long)due, give, cart, fixture_answer(f));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_three_for_99),
        TEST(the_second_at_half_price),
        TEST(the_cheapest_is_free),
        TEST(a_flash_price_for_so_many_units),
        TEST(a_bundle_of_this_and_that),
        TEST(so_many_second_ones_of_all_skus),
        TEST(what_goes_off_a_bundles_line_is_rounded_once),
        TEST(the_more_the_more_off),
        TEST(steps_that_make_no_sense_are_refused),
        TEST(shipping_costs_less),
        TEST(units_of_lines_are_as_units_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
