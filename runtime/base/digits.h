/* base/digits.h - an integer as decimal digits, fast: shared by buf and the JSON writer. */
#pragma once
#include <stdint.h>
#include <string.h>

enum { DIGITS_MAX = 20 }; /* "-9223372036854775808" */

/* Writes at most DIGITS_MAX bytes, no NUL; returns how many. */
static inline size_t digits_put(char *out, int64_t v)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354"
        "555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    char tmp[DIGITS_MAX];
    char *p = tmp + sizeof tmp;
    while (u >= 100) {
        p -= 2;
        memcpy(p, pairs + 2 * (u % 100), 2);
        u /= 100;
    }
    if (u >= 10) {
        p -= 2;
        memcpy(p, pairs + 2 * u, 2);
    } else {
        *--p = (char)('0' + u);
    }
    size_t n = (size_t)(tmp + sizeof tmp - p), sign = v < 0;
    out[0] = '-';
    memcpy(out + sign, p, n);
    return n + sign;
}
