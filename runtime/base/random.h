/* base/random.h - randomness as something handed in: the system's for secrets, a seeded one for tests and rules. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct random_source {
    void (*fill)(void *ctx, void *out, size_t len);
    void *ctx;
};

const struct random_source *random_system(void); /* getrandom(2); aborts if the kernel has none */
static inline void random_fill(const struct random_source *r, void *out, size_t len)
{
    r->fill(r->ctx, out, len);
}

/* xoshiro256**: the same numbers in every process for the same seed. Not for secrets. */
struct random_seeded {
    uint64_t s[4];
    struct random_source face;
};
void random_seeded_init(struct random_seeded *r, uint64_t seed);
uint64_t random_seeded_next(struct random_seeded *r);
