#include "base/money.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

typedef __int128 wide;

/* Numbers where things break: small ones, powers of two and ten and their neighbours, the ends of the range. */
static size_t edge_values(int64_t *out, size_t max)
{
    size_t n = 0;
    for (int64_t i = -12; i <= 12; i++)
        out[n++] = i;
    for (int bit = 4; bit < 63; bit += 3)
        for (int64_t d = -1; d <= 1; d++) {
            out[n++] = ((int64_t)1 << bit) + d;
            out[n++] = -((int64_t)1 << bit) + d;
        }
    for (int64_t ten = 100; ten <= 100000000000000000; ten *= 10)
        for (int64_t d = -1; d <= 1; d++) {
            out[n++] = ten / 2 + d;
            out[n++] = -ten + d;
        }
    for (int64_t d = 0; d < 3; d++) {
        out[n++] = INT64_MAX - d;
        out[n++] = INT64_MIN + d;
        out[n++] = INT64_MAX / 2 + d;
    }
    assert_true(n <= max);
    return n;
}

static int64_t any_int64(struct random_seeded *r)
{
    uint64_t v = random_seeded_next(r);
    return (int64_t)v >> (random_seeded_next(r) % 64); /* sizes of all magnitudes, both signs */
}

/* --- currencies -------------------------------------------------------------------------------------------------- */

static void currencies_have_the_digits_of_iso_4217(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int exponent;
    } known[] = { { "CNY", 2 }, { "USD", 2 }, { "EUR", 2 }, { "GBP", 2 }, { "AED", 2 }, { "ZWG", 2 }, { "XCG", 2 }, { "MRU", 2 },
                  { "MGA", 2 }, { "HUF", 2 }, { "ISK", 0 }, { "JPY", 0 }, { "KRW", 0 }, { "CLP", 0 }, { "VND", 0 }, { "XOF", 0 },
                  { "BIF", 0 }, { "UYI", 0 }, { "KWD", 3 }, { "BHD", 3 }, { "TND", 3 }, { "IQD", 3 }, { "CLF", 4 }, { "UYW", 4 } };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        struct currency c;
        assert_int_equal(currency_find(slice_str(known[i].code), &c, NULL), 0);
        assert_string_equal(c.code, known[i].code);
        assert_int_equal(c.exponent, known[i].exponent);
    }
}

static void exactly_165_codes_can_be_priced_in(void **state)
{
    (void)state;
    int found[5] = { 0 };
    char code[3];
    for (code[0] = 'A'; code[0] <= 'Z'; code[0]++)
        for (code[1] = 'A'; code[1] <= 'Z'; code[1]++)
            for (code[2] = 'A'; code[2] <= 'Z'; code[2]++) {
                struct currency c;
                if (currency_find(slice_of(code, 3), &c, NULL) == 0)
                    found[c.exponent]++;
            }
    assert_int_equal(found[0], 17);
    assert_int_equal(found[1], 0);
    assert_int_equal(found[2], 139);
    assert_int_equal(found[3], 7);
    assert_int_equal(found[4], 2);
}

static void what_is_no_currency_is_refused_with_the_reason(void **state)
{
    (void)state;
    struct currency c;
    struct err err;
    static const char *const bad[] = { "", "U", "US", "USDX", "usd", "US ", "D A", "XYZ", "AAA", "HRK", "BGN", "ANG", "DEM", "人民币" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(currency_find(slice_str(bad[i]), &c, &err), ERR_INVALID);
    assert_int_equal(currency_find(SLICE_LIT("XAU"), &c, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "no minor unit"));
}

/* --- arithmetic -------------------------------------------------------------------------------------------------- */

static void check_op(bool fits, int64_t got, wide expected)
{
    bool should = expected >= INT64_MIN && expected <= INT64_MAX;
    assert_int_equal(fits, should);
    assert_true(got == (should ? (int64_t)expected : 77)); /* untouched on overflow */
}

static void arithmetic_agrees_with_128_bits_or_reports_overflow(void **state)
{
    (void)state;
    static int64_t v[400];
    size_t n = edge_values(v, 400);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t r = 77;
            bool fits = money_add(v[i], v[j], &r);
            check_op(fits, r, (wide)v[i] + v[j]);
            r = 77;
            fits = money_sub(v[i], v[j], &r);
            check_op(fits, r, (wide)v[i] - v[j]);
            r = 77;
            fits = money_mul(v[i], v[j], &r);
            check_op(fits, r, (wide)v[i] * v[j]);
        }
}

/* --- ratios ------------------------------------------------------------------------------------------------------ */

static const enum rounding all_modes[] = { ROUND_HALF_AWAY, ROUND_HALF_EVEN, ROUND_HALF_DOWN, ROUND_DOWN,
                                           ROUND_UP,        ROUND_FLOOR,     ROUND_CEILING };

static wide floor_div(wide a, wide b)
{
    wide q = a / b;
    return a % b != 0 && a < 0 ? q - 1 : q;
}

/* By definition: between the integer below and the one above, which one does the mode name? */
static wide ratio_reference(wide product, wide den, enum rounding mode)
{
    wide below = floor_div(product, den);
    if (below * den == product)
        return below;
    wide above = below + 1;
    wide inner = product < 0 ? above : below, outer = product < 0 ? below : above;
    wide to_below = product - below * den, to_above = above * den - product;
    if (mode == ROUND_FLOOR)
        return below;
    if (mode == ROUND_CEILING)
        return above;
    if (mode == ROUND_DOWN)
        return inner;
    if (mode == ROUND_UP)
        return outer;
    if (to_below != to_above)
        return to_below < to_above ? below : above;
    if (mode == ROUND_HALF_AWAY)
        return outer;
    if (mode == ROUND_HALF_DOWN)
        return inner;
    return below % 2 == 0 ? below : above;
}

static void check_ratio(int64_t amount, int64_t num, int64_t den)
{
    for (size_t m = 0; m < sizeof(all_modes) / sizeof(all_modes[0]); m++) {
        int64_t r = 77;
        bool fits = money_ratio(amount, num, den, all_modes[m], &r);
        check_op(fits, r, ratio_reference((wide)amount * num, den, all_modes[m]));
    }
}

static void small_ratios_follow_the_definition_of_each_mode(void **state)
{
    (void)state;
    for (int64_t amount = -40; amount <= 40; amount++)
        for (int64_t num = -6; num <= 6; num++)
            for (int64_t den = 1; den <= 12; den++)
                check_ratio(amount, num, den);
}

static void large_ratios_follow_the_definition_of_each_mode(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 4217);
    for (int i = 0; i < 200000; i++) {
        int64_t den = any_int64(&r);
        if (den <= 0)
            den = den == INT64_MIN ? INT64_MAX : 1 - den;
        check_ratio(any_int64(&r), any_int64(&r), den);
    }
    check_ratio(INT64_MIN, INT64_MIN, INT64_MAX);
    check_ratio(INT64_MIN, 1, 1);
    check_ratio(INT64_MIN, -1, 1);
    check_ratio(INT64_MAX, INT64_MAX, INT64_MAX);
}

static void halves_round_as_their_mode_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t of[6]; /* -2.5 -1.5 -0.5 0.5 1.5 2.5 */
    } table[] = {
        { "half_away", { -3, -2, -1, 1, 2, 3 } }, { "half_even", { -2, -2, 0, 0, 2, 2 } }, { "half_down", { -2, -1, 0, 0, 1, 2 } },
        { "down", { -2, -1, 0, 0, 1, 2 } },       { "up", { -3, -2, -1, 1, 2, 3 } },       { "floor", { -3, -2, -1, 0, 1, 2 } },
        { "ceiling", { -2, -1, 0, 1, 2, 3 } },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        enum rounding mode;
        assert_int_equal(rounding_find(slice_str(table[i].name), &mode), 0);
        for (int k = 0; k < 6; k++) {
            int64_t r;
            assert_true(money_rate(-5 + 2 * k, 500000, mode, &r));
            assert_int_equal(r, table[i].of[k]);
        }
    }
    enum rounding mode;
    assert_int_equal(rounding_find(SLICE_LIT("nearest"), &mode), ERR_INVALID);
    assert_int_equal(rounding_find(SLICE_LIT(""), &mode), ERR_INVALID);
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void amounts_are_read_exactly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exponent;
        int64_t minor;
    } good[] = {
        { "50.00", 2, 5000 },
        { "50", 2, 5000 },
        { "50.5", 2, 5050 },
        { "0.05", 2, 5 },
        { "-0.05", 2, -5 },
        { "0", 2, 0 },
        { "-0", 2, 0 },
        { "007", 0, 7 },
        { "1.234", 3, 1234 },
        { "1.2", 4, 12000 },
        { "1980", 0, 1980 },
        { "-1.5", 1, -15 },
        { "0.1", 2, 10 },
        { "4.35", 2, 435 },
        { "1.005", 3, 1005 },
        { "92233720368547758.07", 2, INT64_MAX },
        { "-92233720368547758.08", 2, INT64_MIN },
        { "9223372036854775807", 0, INT64_MAX },
        { "-9223372036854775808", 0, INT64_MIN },
        { "000000000000000000000000000001", 2, 100 },
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        int64_t v = 77;
        assert_int_equal(money_parse(slice_str(good[i].text), good[i].exponent, &v, NULL), 0);
        assert_true(v == good[i].minor);
    }
}

static void what_is_no_amount_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int exponent, code;
    } bad[] = {
        { "", 2, ERR_INVALID },
        { "-", 2, ERR_INVALID },
        { ".", 2, ERR_INVALID },
        { ".5", 2, ERR_INVALID },
        { "5.", 2, ERR_INVALID },
        { "+5", 2, ERR_INVALID },
        { " 5", 2, ERR_INVALID },
        { "5 ", 2, ERR_INVALID },
        { "1,000", 2, ERR_INVALID },
        { "1e3", 2, ERR_INVALID },
        { "0x10", 2, ERR_INVALID },
        { "--5", 2, ERR_INVALID },
        { "5.0.0", 2, ERR_INVALID },
        { "5.001", 2, ERR_INVALID },
        { "5.000", 2, ERR_INVALID },
        { "5.0", 0, ERR_INVALID },
        { "NaN", 2, ERR_INVALID },
        { "inf", 2, ERR_INVALID },
        { "５", 2, ERR_INVALID },
        { "5-", 2, ERR_INVALID },
        { "92233720368547758.08", 2, ERR_OVERFLOW },
        { "-92233720368547758.09", 2, ERR_OVERFLOW },
        { "9223372036854775808", 0, ERR_OVERFLOW },
        { "92233720368547759", 2, ERR_OVERFLOW },
        { "99999999999999999999999999999999999999", 2, ERR_OVERFLOW },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t v = 77;
        struct err err = { 0 };
        assert_int_equal(money_parse(slice_str(bad[i].text), bad[i].exponent, &v, &err), bad[i].code);
        assert_int_equal(err.code, bad[i].code);
        assert_true(err.text[0] != '\0');
        assert_int_equal(v, 77);
    }
    int64_t v = 77;
    assert_int_equal(money_parse(slice_of("5\0", 2), 2, &v, NULL), ERR_INVALID);
}

static void amounts_are_written_and_read_back(void **state)
{
    (void)state;
    char text[32];
    assert_int_equal(money_format(-5, 2, text), 5);
    assert_string_equal(text, "-0.05");
    assert_int_equal(money_format(0, 0, text), 1);
    assert_string_equal(text, "0");
    assert_int_equal(money_format(123456, 3, text), 7);
    assert_string_equal(text, "123.456");
    money_format(INT64_MIN, 18, text);
    assert_string_equal(text, "-9.223372036854775808");

    static int64_t v[400];
    size_t n = edge_values(v, 400);
    for (size_t i = 0; i < n; i++)
        for (int exponent = 0; exponent <= 18; exponent++) {
            int64_t back = 0;
            size_t len = money_format(v[i], exponent, text);
            assert_true(len < sizeof(text) && text[len] == '\0');
            assert_int_equal(money_parse(slice_of(text, len), exponent, &back, NULL), 0);
            assert_true(back == v[i]);
        }
}

static void percentages_are_exact_or_refused(void **state)
{
    (void)state;
    int64_t ppm = 77;
    assert_int_equal(rate_parse_percent(SLICE_LIT("12.5"), &ppm, NULL), 0);
    assert_int_equal(ppm, 125000);
    assert_int_equal(rate_parse_percent(SLICE_LIT("0.0001"), &ppm, NULL), 0);
    assert_int_equal(ppm, 1);
    assert_int_equal(rate_parse_percent(SLICE_LIT("100"), &ppm, NULL), 0);
    assert_int_equal(ppm, RATE_ONE_PPM);
    assert_int_equal(rate_parse_percent(SLICE_LIT("250"), &ppm, NULL), 0);
    assert_int_equal(ppm, 2500000);
    static const char *const bad[] = { "", "-1", "-0", "12.50000", "0.00001", "12.", "12%", "1e1", " 1" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(rate_parse_percent(slice_str(bad[i]), &ppm, NULL), ERR_INVALID);
}

/* --- allocation -------------------------------------------------------------------------------------------------- */

/* Largest remainder, straight from its definition: start from the floors, then give what is left unit by unit to the
 * part that is furthest below its exact share, each part once. */
static void allocate_reference(int64_t total, const int64_t *weights, size_t n, int64_t *out)
{
    bool given[128] = { false };
    wide sum = 0, left = total < 0 ? -(wide)total : total;
    wide size = left;
    for (size_t i = 0; i < n; i++)
        sum += weights[i];
    for (size_t i = 0; i < n; i++) {
        out[i] = (int64_t)(size * weights[i] / sum * (total < 0 ? -1 : 1));
        left -= size * weights[i] / sum;
    }
    while (left-- > 0) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!given[i] && (best == n || size * weights[i] % sum > size * weights[best] % sum))
                best = i;
        given[best] = true;
        out[best] += total < 0 ? -1 : 1;
    }
}

static void check_allocation(int64_t total, const int64_t *weights, size_t n)
{
    int64_t got[128], expected[128];
    assert_true(n <= 128);
    allocate_reference(total, weights, n, expected);
    assert_int_equal(money_allocate(total, weights, n, got, NULL), 0);
    wide sum = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(got[i] == expected[i]);
        assert_true(weights[i] > 0 || got[i] == 0);
        sum += got[i];
    }
    assert_true(sum == total);
}

static void small_allocations_follow_the_definition(void **state)
{
    (void)state;
    for (int64_t total = -15; total <= 15; total++)
        for (int64_t code = 1; code < 6 * 6 * 6 * 6; code++) {
            int64_t w[4] = { code % 6, code / 6 % 6, code / 36 % 6, code / 216 };
            for (size_t n = 1; n <= 4; n++)
                if (w[0] + (n > 1 ? w[1] : 0) + (n > 2 ? w[2] : 0) + (n > 3 ? w[3] : 0) > 0)
                    check_allocation(total, w, n);
        }
}

static void large_allocations_follow_the_definition(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 99);
    for (int round = 0; round < 20000; round++) {
        int64_t w[128], top = 0;
        size_t n = 1 + random_seeded_next(&r) % 128;
        int bits = (int)(random_seeded_next(&r) % 57); /* 128 weights of 2^56 still have a sum that the reference can hold */
        for (size_t i = 0; i < n; i++) {
            w[i] = (int64_t)(random_seeded_next(&r) >> (63 - bits)) * (random_seeded_next(&r) % 4 > 0);
            top |= w[i];
        }
        w[n - 1] += top == 0;
        check_allocation(any_int64(&r), w, n);
    }
}

static void weights_may_add_up_beyond_64_bits(void **state)
{
    (void)state;
    int64_t w[3] = { INT64_MAX, INT64_MAX, INT64_MAX }, out[3];
    assert_int_equal(money_allocate(100, w, 3, out, NULL), 0);
    assert_int_equal(out[0], 34);
    assert_int_equal(out[1], 33);
    assert_int_equal(out[2], 33);
    assert_int_equal(money_allocate(INT64_MIN, w, 3, out, NULL), 0);
    assert_true((wide)out[0] + out[1] + out[2] == INT64_MIN);
    assert_true(out[0] == out[1] - 0 || out[0] == out[1] - 1);
    assert_int_equal(money_allocate(INT64_MIN, w, 1, out, NULL), 0);
    assert_true(out[0] == INT64_MIN);
    assert_int_equal(money_allocate(INT64_MAX, w, 1, out, NULL), 0);
    assert_true(out[0] == INT64_MAX);
}

static void ten_thousand_parts_add_up(void **state)
{
    (void)state;
    enum { PARTS = 10000 };
    static int64_t w[PARTS], out[PARTS];
    for (int i = 0; i < PARTS; i++)
        w[i] = 1;
    assert_int_equal(money_allocate(12345, w, PARTS, out, NULL), 0);
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(out[i], i < 2345 ? 2 : 1); /* equal remainders: the earlier ones */
    assert_int_equal(money_allocate(-12345, w, PARTS, out, NULL), 0);
    for (int i = 0; i < PARTS; i++)
        assert_int_equal(out[i], i < 2345 ? -2 : -1);
}

static void the_result_may_replace_the_weights(void **state)
{
    (void)state;
    int64_t v[3] = { 1, 1, 1 };
    assert_int_equal(money_allocate(100, v, 3, v, NULL), 0);
    assert_int_equal(v[0], 34);
    assert_int_equal(v[1], 33);
    assert_int_equal(v[2], 33);
}

static void nothing_to_split_over_is_an_error(void **state)
{
    (void)state;
    int64_t zero[2] = { 0, 0 }, negative[2] = { 5, -1 }, out[2];
    struct err err;
    assert_int_equal(money_allocate(5, zero, 0, out, &err), ERR_INVALID);
    assert_int_equal(money_allocate(5, zero, 2, out, &err), ERR_INVALID);
    assert_int_equal(money_allocate(0, zero, 1, out, &err), ERR_INVALID);
    assert_int_equal(money_allocate(5, negative, 2, out, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(currencies_have_the_digits_of_iso_4217),
        cmocka_unit_test(exactly_165_codes_can_be_priced_in),
        cmocka_unit_test(what_is_no_currency_is_refused_with_the_reason),
        cmocka_unit_test(arithmetic_agrees_with_128_bits_or_reports_overflow),
        cmocka_unit_test(small_ratios_follow_the_definition_of_each_mode),
        cmocka_unit_test(large_ratios_follow_the_definition_of_each_mode),
        cmocka_unit_test(halves_round_as_their_mode_is_named),
        cmocka_unit_test(amounts_are_read_exactly),
        cmocka_unit_test(what_is_no_amount_is_refused),
        cmocka_unit_test(amounts_are_written_and_read_back),
        cmocka_unit_test(percentages_are_exact_or_refused),
        cmocka_unit_test(small_allocations_follow_the_definition),
        cmocka_unit_test(large_allocations_follow_the_definition),
        cmocka_unit_test(weights_may_add_up_beyond_64_bits),
        cmocka_unit_test(ten_thousand_parts_add_up),
        cmocka_unit_test(the_result_may_replace_the_weights),
        cmocka_unit_test(nothing_to_split_over_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
