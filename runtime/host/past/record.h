/* host/past/record.h - the evidence of an order as it is kept: one small record that says what its quote saw, under which rules and
 * versions, what applied and why the rest did not. It names nobody. README.md has the form. */
#pragma once
#include "host/api/auth.h"
#include "quote/quote.h"
#include "rulebook/rulebook.h"

/* Whatever an amount depends on beside the rules and the cart. */
struct versions {
    char stdlib[40]; /* "0.1.0+1a2b3c4d": of the program, and of the texts it was built with */
    char zone[96];   /* "Europe/London+9f8e7d6c" */
};
void versions_of(const struct generation *g, struct versions *out);

struct record {
    struct slice generation, stdlib, zone;
    int64_t kernel;
    const struct json_value *evidence, *trace; /* trace NULL: kept before there were any */
    bool is_signed;                            /* the same */
};

/* On the thread that priced it; *out in the arena. */
int record_write(const struct auth *auth, const struct symbols *symbols, struct generation *g, const struct quote_result *q,
                 struct arena *arena, struct slice *out, struct err *err);

/* `generation` is that of the order's row, for records that do not say. ERR_CORRUPT when a single byte is not as it was written. */
int record_read(const struct auth *auth, struct slice bytes, struct slice generation, struct arena *arena, struct record *out,
                struct err *err);
/* The cart that was priced; of a customer it says only that he is one (QUOTE_SOMEBODY). */
int record_cart(const struct record *r, struct symbols *symbols, struct arena *arena, struct quote_cart *out, struct err *err);
