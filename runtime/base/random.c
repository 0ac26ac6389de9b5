#include "base/random.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

static void system_fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    unsigned char *p = out;
    while (len) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            abort(); /* guessable keys would be worse than no process */
        p += n;
        len -= (size_t)n;
    }
}

const struct random_source *random_system(void)
{
    static const struct random_source face = { system_fill, NULL };
    return &face;
}

static uint64_t rotl(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

uint64_t random_seeded_next(struct random_seeded *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

/* Low byte first, a fresh number for each run of up to eight bytes: the same bytes on every machine. */
static void seeded_fill(void *ctx, void *out, size_t len)
{
    unsigned char *p = out;
    while (len) {
        uint64_t v = random_seeded_next(ctx);
        for (size_t i = 0; i < 8 && len; i++, len--) {
            *p++ = (unsigned char)v;
            v >>= 8;
        }
    }
}

/* splitmix64 spreads the seed, so that the all-zero state can't occur. */
void random_seeded_init(struct random_seeded *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9E3779B97F4A7C15u;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
        z = (z ^ z >> 27) * 0x94D049BB133111EBu;
        r->s[i] = z ^ z >> 31;
    }
    r->face = (struct random_source){ seeded_fill, r };
}
