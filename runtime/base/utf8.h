/* base/utf8.h - the one place that knows which byte sequences are UTF-8 (no overlong forms, no surrogates, nothing
 * above U+10FFFF). */
#pragma once
#include "base/slice.h"
#include <stdint.h>

/* Length (1..4) of the well-formed character at p, or 0 when there is none before end. */
static inline size_t utf8_at(const char *p, const char *end)
{
    const unsigned char *s = (const unsigned char *)p;
    size_t left = (size_t)(end - p);
    if (left == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || left < 2)
        return 0;
    if (s[0] < 0xE0)
        return (s[1] & 0xC0) == 0x80 ? 2 : 0;
    if (left < 3 || (s[2] & 0xC0) != 0x80)
        return 0;
    if (s[0] < 0xF0) {
        unsigned char low = s[0] == 0xE0 ? 0xA0 : 0x80, high = s[0] == 0xED ? 0x9F : 0xBF;
        return s[1] >= low && s[1] <= high ? 3 : 0;
    }
    unsigned char low = s[0] == 0xF0 ? 0x90 : 0x80, high = s[0] == 0xF4 ? 0x8F : 0xBF;
    return s[0] <= 0xF4 && left >= 4 && s[1] >= low && s[1] <= high && (s[3] & 0xC0) == 0x80 ? 4 : 0;
}

/* Writes a code point that is no surrogate; returns how many bytes (1..4). */
static inline size_t utf8_put(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The largest length <= max that does not end within a character of s. */
static inline size_t utf8_cut(struct slice s, size_t max)
{
    if (s.len <= max)
        return s.len;
    size_t n = max;
    while (n > 0 && max - n < 3 && ((unsigned char)s.data[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* Characters in well-formed UTF-8. */
static inline size_t utf8_count(struct slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.data[i] & 0xC0) != 0x80;
    return n;
}
