/* base/id.h - ids that sort by time: prefix, '_', 26 characters of Crockford base32 (48 bits of milliseconds, then 80
 * random bits). Ids made by one source in the same millisecond still increase (the random part is incremented). */
#pragma once
#include "base/clock.h"
#include "base/random.h"
#include "base/slice.h"
#include <stdbool.h>

enum { ID_MAX = 40 }; /* bytes with NUL; prefix is at most 8 characters */

struct id_source {
    const struct clock *clock;
    const struct random_source *random;
    int64_t last_ms;
    unsigned char last_random[10];
};

void id_source_init(struct id_source *s, const struct clock *clock, const struct random_source *random);
void id_make(struct id_source *s, const char *prefix, char out[ID_MAX]); /* one thread per source */
bool id_valid(struct slice id, const char *prefix);                      /* form only */
