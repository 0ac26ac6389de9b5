/* base/json.h - strict JSON (RFC 8259), read into a tree in an arena and written in one pass.
 *
 * Strict means: duplicate keys (after unescaping), bad UTF-8, lone surrogates, a byte-order mark, control characters,
 * numbers beyond int64 or beyond a finite double, nesting beyond the limit and anything after the value are errors that
 * name the byte, the line and what was expected. An integer is a number without fraction and exponent; "1.0" and "1e0"
 * are reals. \u0000 is a character like others here; schema.h refuses it, with the other control characters. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include <stdint.h>

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_INT, JSON_REAL, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_value {
    enum json_type type;
    uint32_t count;   /* members of an array or object */
    struct slice key; /* unescaped; set when the value is a member of an object */
    union {
        int64_t integer;          /* JSON_INT */
        struct slice string;      /* JSON_STRING: unescaped text. JSON_REAL: the number as it was written */
        struct json_value *first; /* JSON_ARRAY, JSON_OBJECT: members in their order */
    };
    struct json_value *next; /* next member of the same parent */
};

struct json_limits {
    unsigned depth; /* 0 = 64 */
    size_t nodes;   /* 0 = 1,000,000 */
};

/* Nothing recurses, and no text makes the time quadratic. ERR_INVALID with the reason "invalid_json",
 * "duplicate_key" or "too_deep"; ERR_TOO_LARGE beyond limits->nodes; ERR_NOMEM.
 * text must stay alive as long as the tree: strings without escapes point into it. *out is NULL on failure. */
int json_parse(struct slice text, const struct json_limits *limits, struct arena *arena, struct json_value **out, struct err *err);
/* The value that text begins with; *rest is what follows it, and was not looked at. */
int json_parse_first(struct slice text, const struct json_limits *limits, struct arena *arena, struct json_value **out, struct slice *rest,
                     struct err *err);

const struct json_value *json_get(const struct json_value *object, const char *key); /* NULL when absent or not an object */
bool json_is_int(const struct json_value *v, int64_t *out);                          /* false for NULL and other types */
bool json_is_string(const struct json_value *v, struct slice *out);
bool json_is_bool(const struct json_value *v, bool *out);
const char *json_type_name(enum json_type t); /* "an integer", "a string" ... for messages */

/* s in quotes, for a sentence: control characters shown as '?', cut with "..." when long. Returns out. */
enum { JSON_QUOTE_MAX = 96 };
const char *json_quote(char out[JSON_QUOTE_MAX], struct slice s);

/* Trees made by hand (specs, tests). NULL when out of memory. */
struct json_value *json_new(struct arena *a, enum json_type type);
struct json_value *json_new_int(struct arena *a, int64_t v);
struct json_value *json_new_string(struct arena *a, struct slice s);                            /* borrowed */
void json_append(struct json_value *parent, struct json_value *last, struct json_value *child); /* last = NULL for the first; O(1) */

/* The writer puts commas and quotes; asserts that keys and values alternate. Invalid UTF-8 in a string is replaced by
 * U+FFFD, so that output is always JSON. Check buf->failed once at the end. */
struct json_writer {
    struct buf *out;
    bool need_comma, after_key;
    int depth;
    uint64_t objects; /* which of the innermost 64 open levels are objects, for the asserts */
};
void json_writer_init(struct json_writer *w, struct buf *out);
void json_object(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key_plain(struct json_writer *w, const char *key, size_t len);
static inline void json_key(struct json_writer *w,
                            const char *key) /* key is a literal that needs no escaping; its length is known to the compiler */
{
    json_key_plain(w, key, strlen(key));
}
void json_key_slice(struct json_writer *w, struct slice key);
void json_int(struct json_writer *w, int64_t v);
void json_bool(struct json_writer *w, bool v);
void json_null(struct json_writer *w);
void json_string(struct json_writer *w, struct slice s);
void json_str(struct json_writer *w, const char *s);
void json_raw(struct json_writer *w, struct slice json); /* already JSON, trusted */
char *json_plain(struct json_writer *w,
                 size_t len); /* a string of len bytes, to be written there, none of which needs escaping; NULL: no memory */
void json_value_write(struct json_writer *w, const struct json_value *v); /* a tree; members in their order */
