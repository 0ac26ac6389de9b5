/* base/money.h - exact money. An amount is an int64_t in the currency's minor unit (fen, cent); its name ends in
 * _minor where a reader could doubt. Rates are parts per million. No binary floating point anywhere. Overflow is an
 * error, never a wrap: every function here that can overflow says so in its result. */
#pragma once
#include "base/err.h"
#include "base/slice.h"
#include <stdint.h>

struct currency {
    char code[4]; /* ISO 4217 */
    int exponent; /* digits after the point: JPY 0, CNY 2, KWD 3 */
};
int currency_find(struct slice code, struct currency *out, struct err *err); /* ERR_INVALID when ISO 4217 has no such code */

/* Checked arithmetic: true and *out when it fits, false on overflow (*out untouched). */
bool money_add(int64_t a, int64_t b, int64_t *out);
bool money_sub(int64_t a, int64_t b, int64_t *out);
bool money_mul(int64_t a, int64_t b, int64_t *out);

enum rounding {
    ROUND_HALF_AWAY, /* 0.5 -> 1, -0.5 -> -1: the default */
    ROUND_HALF_EVEN,
    ROUND_HALF_DOWN, /* 0.5 -> 0 */
    ROUND_DOWN,      /* towards zero */
    ROUND_UP,        /* away from zero */
    ROUND_FLOOR,
    ROUND_CEILING,
};
int rounding_find(struct slice name, enum rounding *out); /* "half_away" ...; ERR_INVALID */

#define RATE_ONE_PPM 1000000 /* 100 % */

/* amount * num / den, rounded, 128 bits inside. den > 0. false on overflow. */
bool money_ratio(int64_t amount, int64_t num, int64_t den, enum rounding mode, int64_t *out);
static inline bool money_rate(int64_t amount, int64_t rate_ppm, enum rounding mode, int64_t *out)
{
    return money_ratio(amount, rate_ppm, RATE_ONE_PPM, mode, out);
}

/* "50.00" -> 5000 for exponent 2. Accepts an optional '-', digits, and at most `exponent` digits after one point
 * ("50", "50.5"); nothing else (no '+', spaces, exponents, separators). ERR_INVALID or ERR_OVERFLOW. */
int money_parse(struct slice text, int exponent, int64_t *out, struct err *err);
size_t money_format(int64_t minor, int exponent, char out[32]); /* "-0.05"; returns the length */

/* "12.5" (percent) -> 125000 ppm; exact or ERR_INVALID (more than four decimals). Negative is ERR_INVALID. */
int rate_parse_percent(struct slice text, int64_t *out_ppm, struct err *err);

/* Splits total over weights: floor of each share, then what remains one unit each to the largest remainders, ties to
 * the earlier index. Σ out = total exactly; total may be negative (mirrored). weights >= 0. ERR_INVALID when n = 0, a
 * weight is negative or all are zero. Sum of weights may exceed int64. n is unbounded; scratch comes from malloc above 64. */
int money_allocate(int64_t total, const int64_t *weights, size_t n, int64_t *out, struct err *err);
