#include "base/map.h"

/* Multiplies to 128 bits and folds: every bit of both inputs reaches every bit of the result. The inputs are folded in
 * too: without them an input of zero, which anyone can arrange, would swallow the other one. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 m = (unsigned __int128)a * b;
    return (uint64_t)m ^ (uint64_t)(m >> 64) ^ a ^ b;
}

/* Always little-endian, so that a hash written down on one machine means the same on another. */
static inline uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static inline uint64_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32(v);
#endif
    return v;
}

/* Odd constants with about half of their bits set: digits of the square roots of 2, 3 and 5. */
static const uint64_t K0 = 0x6A09E667F3BCC909u, K1 = 0xBB67AE8584CAA73Bu, K2 = 0x3C6EF372FE94F82Bu;

uint64_t hash_bytes(const void *data, size_t len)
{
    const unsigned char *p = data;
    uint64_t h = K0 ^ mix(len ^ K1, K2);
    size_t left = len;
    while (left > 16) {
        h = mix(load64(p) ^ K1, load64(p + 8) ^ h);
        p += 16;
        left -= 16;
    }
    /* The last 1..16 bytes as two words that overlap where there are fewer than 16. */
    uint64_t a = 0, b = 0;
    if (left >= 8) {
        a = load64(p);
        b = load64(p + left - 8);
    } else if (left >= 4) {
        a = load32(p);
        b = load32(p + left - 4);
    } else if (left) {
        a = (uint64_t)p[0] << 16 | (uint64_t)p[left / 2] << 8 | p[left - 1];
    }
    return mix(mix(a ^ K1, b ^ h), K2 ^ len);
}
