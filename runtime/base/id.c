#include "base/id.h"
#include <assert.h>

enum { BODY = 26, PREFIX_MAX = 8, RANDOM = 10 };
static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static const int64_t LAST_MS = ((int64_t)1 << 48) - 1;

void id_source_init(struct id_source *s, const struct clock *clock, const struct random_source *random)
{
    *s = (struct id_source){ .clock = clock, .random = random, .last_ms = -1 };
}

/* Moves to the next id of this source. A clock that steps back keeps the last millisecond, so ids never go back. */
static void step(struct id_source *s)
{
    int64_t now_ms = clock_wall_ms(s->clock);
    if (now_ms < 0)
        now_ms = 0;
    if (now_ms > LAST_MS)
        now_ms = LAST_MS;
    if (now_ms <= s->last_ms) {
        for (int i = RANDOM - 1; i >= 0; i--)
            if (++s->last_random[i] != 0)
                return;
        now_ms = s->last_ms + 1; /* all 80 bits were used up: borrow from the next millisecond */
        assert(now_ms <= LAST_MS);
    }
    s->last_ms = now_ms;
    random_fill(s->random, s->last_random, RANDOM);
}

void id_make(struct id_source *s, const char *prefix, char out[ID_MAX])
{
    size_t n = strlen(prefix);
    assert(n >= 1 && n <= PREFIX_MAX);
    step(s);
    unsigned char bytes[6 + RANDOM];
    for (int i = 0; i < 6; i++)
        bytes[i] = (unsigned char)(s->last_ms >> (40 - 8 * i));
    memcpy(bytes + 6, s->last_random, RANDOM);
    memcpy(out, prefix, n);
    out[n++] = '_';
    /* 128 bits in 26 digits of five: two zero bits lead. */
    unsigned acc = 0, bits = 2;
    size_t used = 0;
    for (int i = 0; i < BODY; i++) {
        if (bits < 5) {
            acc = acc << 8 | bytes[used++];
            bits += 8;
        }
        bits -= 5;
        out[n++] = alphabet[acc >> bits & 31];
    }
    assert(used == sizeof bytes && bits == 0);
    out[n] = '\0';
}

bool id_valid(struct slice id, const char *prefix)
{
    size_t n = strlen(prefix);
    if (id.len != n + 1 + BODY || memcmp(id.data, prefix, n) != 0 || id.data[n] != '_' || id.data[n + 1] > '7')
        return false;
    for (size_t i = n + 1; i < id.len; i++)
        if (id.data[i] == '\0' || !strchr(alphabet, id.data[i]))
            return false;
    return true;
}
