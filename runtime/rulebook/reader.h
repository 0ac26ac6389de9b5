/* rulebook/reader.h - inside rulebook/: reads a tree that came from a Lua table, and says in one sentence where it is wrong. Each
 * function that can fail returns 0 or a negative code, with file, path and what to write in the err. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

struct reader {
    struct arena *arena; /* what is read is copied here, or borrowed from the tree that lives here */
    const char *file;    /* "plugins/invite/plugin.lua" */
    struct err *err;
    struct slice source; /* the text of the file, for the line of a mistake; empty = not known */
};

/* Where we are: a chain on the C stack. Roots have no `up` and no name. */
struct place {
    const struct place *up;
    struct slice name; /* empty: `index`, from 1 */
    uint32_t index;
};
static inline struct place place_in(const struct place *up, const char *name)
{
    return (struct place){ .up = up, .name = slice_str(name) };
}
static inline struct place place_named(const struct place *up, struct slice name)
{
    return (struct place){ .up = up, .name = name };
}
static inline struct place place_nth(const struct place *up, uint32_t index)
{
    return (struct place){ .up = up, .index = index };
}

enum { PLACE_MAX = 128 };
void place_write(const struct place *at, char out[PLACE_MAX]); /* settings.friends.min, routes["POST /links"].auth, levels[2].name */

/* "FILE:LINE: PATH: sentence", without the line when it is not known; err->field is the path. Returns ERR_INVALID. */
int reader_fail(const struct reader *r, const struct place *at, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int reader_nomem(const struct reader *r);

/* A table with names. The second form also refuses names that are not in `known` (ended by NULL), with the nearest one. */
int reader_table(const struct reader *r, const struct place *at, const struct json_value *v);
int reader_known(const struct reader *r, const struct place *at, const struct json_value *v, const char *const *known);
/* A list of at most max values; the empty table is one, too. */
int reader_list(const struct reader *r, const struct place *at, const struct json_value *v, uint32_t max, const struct json_value **first,
                uint32_t *count);

/* Members. An absent one leaves *out as it was, unless it is required. */
int reader_text(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool required,
                const char **out);
int reader_bool(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool *out);
int reader_int(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool *given, int64_t *out);
/* A string that is one of `words`: its position. */
int reader_choice(const struct reader *r, const struct place *at, const struct json_value *v, const char *key, bool required,
                  const char *const *words, int *out);

/* The value itself as a sentence of at most 1,000 bytes without control characters. */
int reader_sentence(const struct reader *r, const struct place *at, const struct json_value *v, const char **out);

/* " (did you mean \"x\"?)" or "". */
const char *reader_hint(char out[64], struct slice word, const char *const *words);
/* words as: one, two or three. */
const char *reader_list_words(char *out, size_t cap, const char *const *words);

/* a-z, 0-9 and `joint` between them, beginning with a letter, at most max bytes. */
bool name_is(struct slice s, char joint, size_t max);
bool name_is_identifier(struct slice s); /* letters, digits and _, not a digit first, at most 64 */
