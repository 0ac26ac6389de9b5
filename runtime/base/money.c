#include "base/money.h"
#include <assert.h>
#include <stdlib.h>

typedef __int128 wide;
typedef unsigned __int128 uwide;

/* ISO 4217, the codes in use in 2026, by the digits of their minor unit: codes of three letters, one space between.
 * Digits do not always match what coins a country still has (CLP has none, HUF is priced whole but has two). */
static const struct {
    int exponent;
    const char *codes;
} currencies[] = {
    { 2, "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP "
         "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD "
         "KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR "
         "PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU "
         "UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG" },
    { 0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF" },
    { 3, "BHD IQD JOD KWD LYD OMR TND" },
    { 4, "CLF UYW" },
};

/* In the standard, but without a minor unit: metals, units of account, "test" and "no currency". */
static const char codes_without_minor_unit[] = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";

static bool code_listed(const char *codes, const char *code)
{
    for (const char *p = codes; *p; p += p[3] ? 4 : 3)
        if (memcmp(p, code, 3) == 0)
            return true;
    return false;
}

int currency_find(struct slice code, struct currency *out, struct err *err)
{
    bool letters = code.len == 3;
    for (size_t i = 0; letters && i < 3; i++)
        letters = code.data[i] >= 'A' && code.data[i] <= 'Z';
    if (!letters)
        return err_set(err, ERR_INVALID, "a currency is three capital letters of ISO 4217, such as CNY or EUR; \"%.*s\" is not",
                       code.len > 20 ? 20 : (int)code.len, code.data);
    for (size_t i = 0; i < sizeof(currencies) / sizeof(currencies[0]); i++) {
        if (code_listed(currencies[i].codes, code.data)) {
            *out = (struct currency){ .exponent = currencies[i].exponent };
            memcpy(out->code, code.data, 3);
            return 0;
        }
    }
    if (code_listed(codes_without_minor_unit, code.data))
        return err_set(err, ERR_INVALID, "%.*s is in ISO 4217 but has no minor unit, so nothing can be priced in it; use a currency",
                       SLICE_FMT(code));
    return err_set(err, ERR_INVALID, "ISO 4217 has no currency %.*s; use a code that is in use, such as CNY or EUR", SLICE_FMT(code));
}

bool money_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool money_sub(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_sub_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool money_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

static const struct {
    const char *name;
    enum rounding mode;
} rounding_names[] = {
    { "half_away", ROUND_HALF_AWAY },
    { "half_even", ROUND_HALF_EVEN },
    { "half_down", ROUND_HALF_DOWN },
    { "down", ROUND_DOWN },
    { "up", ROUND_UP },
    { "floor", ROUND_FLOOR },
    { "ceiling", ROUND_CEILING },
};

int rounding_find(struct slice name, enum rounding *out)
{
    for (size_t i = 0; i < sizeof(rounding_names) / sizeof(rounding_names[0]); i++) {
        if (slice_is(name, rounding_names[i].name)) {
            *out = rounding_names[i].mode;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* Whether the quotient, cut towards zero, moves one away from zero. rest != 0 is what was cut off; it has the sign of the result. */
static bool rounds_outward(enum rounding mode, wide quotient, wide rest, int64_t den)
{
    uwide size = rest < 0 ? (uwide)-rest : (uwide)rest;
    uwide other = (uwide)den - size; /* compared instead of doubling */
    switch (mode) {
    case ROUND_HALF_AWAY:
        return size >= other;
    case ROUND_HALF_EVEN:
        return size > other || (size == other && (quotient & 1));
    case ROUND_HALF_DOWN:
        return size > other;
    case ROUND_DOWN:
        return false;
    case ROUND_UP:
        return true;
    case ROUND_FLOOR:
        return rest < 0;
    case ROUND_CEILING:
        return rest > 0;
    }
    assert(!"a rounding mode that does not exist");
    return false;
}

bool money_ratio(int64_t amount, int64_t num, int64_t den, enum rounding mode, int64_t *out)
{
    assert(den > 0);
    wide product = (wide)amount * num; /* at most 2^126 */
    wide quotient = product / den, rest = product % den;
    if (rest != 0 && rounds_outward(mode, quotient, rest, den))
        quotient += rest < 0 ? -1 : 1;
    if (quotient < INT64_MIN || quotient > INT64_MAX)
        return false;
    *out = (int64_t)quotient;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Appends a digit to a number that is kept negative, because there is one more negative number than positive ones. */
static bool push_digit(int64_t *negative, int digit)
{
    int64_t v;
    if (!money_mul(*negative, 10, &v) || !money_sub(v, digit, &v))
        return false;
    *negative = v;
    return true;
}

/* What was written, short enough for a sentence. */
static int shown(struct slice text)
{
    return text.len > 40 ? 40 : (int)text.len;
}

static int decimal_parse(struct slice text, int exponent, const char *what, int64_t *out, struct err *err)
{
    const char *p = text.data, *end = text.data + text.len;
    bool minus = p < end && *p == '-';
    int64_t v = 0;
    int decimals = 0;
    bool fits = true;
    p += minus;
    if (p == end || !is_digit(*p))
        goto malformed;
    for (; p < end && is_digit(*p); p++)
        fits = fits && push_digit(&v, *p - '0');
    if (p < end && *p == '.') {
        p++;
        if (p == end)
            goto malformed;
        for (; p < end && is_digit(*p); p++) {
            if (++decimals > exponent)
                return err_set(err, ERR_INVALID, "\"%.*s\" has more decimals than %s has here: at most %d", shown(text), text.data, what,
                               exponent);
            fits = fits && push_digit(&v, *p - '0');
        }
    }
    if (p != end)
        goto malformed;
    for (; decimals < exponent; decimals++)
        fits = fits && push_digit(&v, 0);
    if (!fits || (!minus && v == INT64_MIN))
        return err_set(err, ERR_OVERFLOW, "\"%.*s\" is larger than %s can be", shown(text), text.data, what);
    *out = minus ? v : -v;
    return 0;
malformed:
    return err_set(err, ERR_INVALID, "\"%.*s\" is not %s; write digits and at most one point, as in \"%s\"", shown(text), text.data, what,
                   exponent ? "12.5" : "12");
}

int money_parse(struct slice text, int exponent, int64_t *out, struct err *err)
{
    assert(exponent >= 0 && exponent <= 18);
    return decimal_parse(text, exponent, "an amount", out, err);
}

size_t money_format(int64_t minor, int exponent, char out[32])
{
    assert(exponent >= 0 && exponent <= 18);
    char reversed[32];
    size_t n = 0, len = 0;
    uint64_t rest = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    /* At least one digit stands before the point. */
    for (int digits = 0; rest > 0 || digits <= exponent; digits++, rest /= 10) {
        if (digits == exponent && exponent > 0)
            reversed[n++] = '.';
        reversed[n++] = (char)('0' + rest % 10);
    }
    if (minor < 0)
        out[len++] = '-';
    while (n > 0)
        out[len++] = reversed[--n];
    out[len] = '\0';
    return len;
}

int rate_parse_percent(struct slice text, int64_t *out_ppm, struct err *err)
{
    if (text.len > 0 && text.data[0] == '-')
        return err_set(err, ERR_INVALID, "a percentage can't be negative: \"%.*s\"", shown(text), text.data);
    return decimal_parse(text, 4, "a percentage", out_ppm, err);
}

/* --- allocation ------------------------------------------------------------------------------------------------- */

struct remainder {
    uwide size;
    size_t index;
};

enum { ON_STACK = 64 };

static int by_size_then_index(const void *a, const void *b)
{
    const struct remainder *x = a, *y = b;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* For few parts: marks the `count` largest one by one, the earliest of equals first. A used one becomes zero; since the
 * remainders add up to count times the divisor, more than `count` of them are not zero. */
static void award_by_scan(struct remainder *rest, size_t n, uint64_t count, int64_t step, int64_t *out)
{
    for (; count > 0; count--) {
        size_t best = 0;
        for (size_t i = 1; i < n; i++)
            if (rest[i].size > rest[best].size)
                best = i;
        assert(rest[best].size > 0);
        rest[best].size = 0;
        out[best] += step;
    }
}

static void award_by_sort(struct remainder *rest, size_t n, uint64_t count, int64_t step, int64_t *out)
{
    qsort(rest, n, sizeof(rest[0]), by_size_then_index);
    for (uint64_t i = 0; i < count; i++)
        out[rest[i].index] += step;
}

int money_allocate(int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err)
{
    uwide sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (weights[i] < 0)
            return err_set(err, ERR_INVALID, "an amount can't be split over a negative weight (number %zu)", i + 1);
        sum += (uint64_t)weights[i];
    }
    if (sum == 0)
        return err_set(err, ERR_INVALID, "an amount can't be split: there is nothing to split it over");

    struct remainder few[ON_STACK], *rest = few;
    if (n > ON_STACK) {
        rest = n > SIZE_MAX / sizeof(*rest) ? NULL : malloc(n * sizeof(*rest));
        if (!rest)
            return err_set(err, ERR_NOMEM, "out of memory while splitting an amount over %zu parts; try again", n);
    }
    uint64_t size = total < 0 ? 0 - (uint64_t)total : (uint64_t)total, left = size;
    for (size_t i = 0; i < n; i++) {
        uwide product = (uwide)size * (uint64_t)weights[i]; /* below 2^126 */
        uint64_t share = (uint64_t)(product / sum);         /* at most size, since the weight is at most the sum */
        rest[i] = (struct remainder){ product - share * sum, i };
        left -= share;
        out[i] = total < 0 ? (int64_t)(0 - share) : (int64_t)share;
    }
    assert(left < n);
    if (left > 0)
        (n > ON_STACK ? award_by_sort : award_by_scan)(rest, n, left, total < 0 ? -1 : 1, out);
    if (rest != few)
        free(rest);
    return 0;
}
