/* base/word.h - looks at eight bytes of a string at once. Special = what JSON can't pass through unseen: control
 * characters, '"', '\\' and every byte from 0x80 on. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD_ONES 0x0101010101010101u
#define WORD_TOPS 0x8080808080808080u

/* The first byte in the lowest bits, whatever the machine. */
static inline uint64_t word_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* Top bit set in the lowest byte that is special; bits above it may be wrong (a borrow), bits below it are not. */
static inline uint64_t word_special(uint64_t w)
{
    uint64_t quote = w ^ WORD_ONES * '"', backslash = w ^ WORD_ONES * '\\';
    uint64_t control = w - WORD_ONES * 0x20;
    return (control | (quote - WORD_ONES) | (backslash - WORD_ONES) | w) & WORD_TOPS;
}

/* Bytes before the lowest marked one; 8 when none is. */
static inline size_t word_first(uint64_t marks)
{
    return marks ? (size_t)__builtin_ctzll(marks) / 8 : 8;
}

static inline bool byte_is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\' || c >= 0x80;
}
