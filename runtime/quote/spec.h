/* quote/spec.h - reads the JSON of a spec, value by value, each knowing its path, so that every mistake says where it is
 * and what to write instead. Only used while rules are built and when a function names a selector. */
#pragma once
#include "quote/quote.h"

struct spec {
    struct slice at;     /* "campaigns/tea.lua:3"; empty for selectors of functions */
    struct arena *arena; /* of what is compiled */
    struct symbols *symbols;
    bool find_only; /* a quote's selectors must not grow the table: unknown names match nothing */
    int exponent;   /* of the currency */
    const struct zone *zone;
    bool fold_codes; /* policy code_case */
    const struct quote_fact_type *facts;
    size_t fact_count;
    bool *facts_used;                 /* by position: a condition names it */
    bool functions;                   /* there is a function: it may ask for any fact */
    struct quote_question *questions; /* history.c: each once */
    size_t question_count;
    struct err *err;
};

struct spec_node { /* a value and the way to it; v is NULL when the member is absent */
    const struct spec_node *up;
    const struct json_value *v;
    const char *key; /* NULL: element `index` of a list, from 1 */
    size_t index;
    unsigned depth;
};

/* One of 64 bits for a symbol: if two sets' bits do not meet, neither do the sets. */
static inline uint64_t symbol_bit(symbol s)
{
    return (uint64_t)1 << (s * 0x9E3779B1u >> 26);
}

struct names { /* sorted, each once, no 0 */
    const symbol *items;
    uint32_t count;
    uint64_t bloom; /* OR of symbol_bit() */
};

void names_sort(symbol *items, uint32_t count, struct names *out); /* items: not 0, in any order; they are kept */

/* ERR_INVALID with "at: path: sentence"; the path is also the err's field. */
int spec_error(const struct spec *s, const struct spec_node *n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int spec_nomem(const struct spec *s);
void *spec_array(struct spec *s, size_t count, size_t size); /* zeroed; NULL with the error set */

struct spec_node spec_root(const struct json_value *v);
struct spec_node spec_member(const struct spec_node *object, const char *key);
struct spec_node spec_element(const struct spec_node *list, const struct json_value *v, size_t index);

int spec_object(const struct spec *s, const struct spec_node *n, const char *const *known); /* an object with no other keys, not too deep */
int spec_list(const struct spec *s, const struct spec_node *n);                             /* a list that is not empty */
int spec_money(const struct spec *s, const struct spec_node *n, int64_t least, int64_t *out);
int spec_int(const struct spec *s, const struct spec_node *n, int64_t min, int64_t max, int64_t *out);
int spec_percent(const struct spec *s, const struct spec_node *n, int64_t *out_ppm);
int spec_time(const struct spec *s, const struct spec_node *n, int64_t *out_ms); /* "2026-11-20 00:00", in the shop's zone */
int spec_choice(const struct spec *s, const struct spec_node *n, const char *const *choices, unsigned *out); /* *out: the index */
int spec_text(const struct spec *s, const struct spec_node *n, size_t max,
              struct slice *out); /* copied; no control characters, not empty */
int spec_names(struct spec *s, const struct spec_node *n, struct names *out);
int spec_codes(struct spec *s, const struct spec_node *n, struct names *out); /* each folded as the policy says */

enum { CODE_MAX = 64 };
/* A code as it is compared: outer spaces cut, ASCII letters made capital when fold. The text is in buf; empty when longer than CODE_MAX. */
struct slice code_normal(struct slice typed, bool fold, char buf[CODE_MAX]);
