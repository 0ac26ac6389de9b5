/* base/schema.h - the shape of a JSON document as data. One description validates what comes in, names the field at
 * fault (as a JSON pointer), and is written out as JSON Schema for /v1/openapi.json, so the two can't differ. */
#pragma once
#include "base/json.h"
#include <stddef.h>

enum schema_type {
    SCHEMA_ANY,    /* any JSON value */
    SCHEMA_STRING, /* min..max counts Unicode characters; control characters are refused unless `multiline` (then \n \t) */
    SCHEMA_INT,    /* min..max inclusive, both 0 = the whole int64 */
    SCHEMA_BOOL,
    SCHEMA_ARRAY,  /* min..max items, each an `item` */
    SCHEMA_OBJECT, /* `fields`; unknown members are refused, with the nearest known name as a suggestion */
    SCHEMA_MAP,    /* any keys (1..64 characters), each value an `item`; min..max members */
};

struct schema {
    const char *name; /* member name within its object; NULL ends a `fields` list */
    enum schema_type type;
    bool required, nullable, multiline;
    int64_t min, max;   /* for strings, arrays, maps max = 0 means 1,000 */
    const char *format; /* STRING: NULL, "timestamp", "email", "id" ([A-Za-z0-9_.:-]+), "sku" (no leading or trailing space), "currency",
                           "country" */
    const char *const *choices;  /* STRING: NULL-terminated list of allowed values, or NULL */
    const struct schema *item;   /* ARRAY, MAP */
    const struct schema *fields; /* OBJECT: list ended by name == NULL */
    const char *about;           /* a sentence for the reference; may be NULL */
    /* For schema_fill(): where it goes. */
    uint16_t into; /* SCHEMA_INTO(struct, member) in the struct of the object around it; 0 = there is no place for it */
    uint16_t size; /* of an OBJECT's struct, when it is a whole body or the item of an ARRAY */
    bool as_tree;  /* kept as a tree, whatever the type */
};
#define SCHEMA_INTO(type, member) (1 + offsetof(type, member))

/* ERR_INVALID with err->field = pointer ("/lines/0/qty") and a sentence that says what was expected and what was seen. */
int schema_check(const struct schema *s, const struct json_value *v, struct err *err);
bool schema_takes_ascii(const struct schema *s, struct slice text); /* SCHEMA_STRING: whether schema_check() takes a text from ' ' to '~' */

/* --- straight into a struct of C, without a tree (schema_fill.c) -------------------------------------------------------
 * A STRING is a struct slice (data NULL = not there), INT and BOOL a struct schema_int, an ARRAY a struct schema_list (items NULL = not
 * there), an OBJECT with fields a struct within the struct, and whatever is `as_tree` a const struct json_value * (NULL = not there).
 * null, where it is allowed, is an empty text, a number that was not said, no items, no tree. */
struct schema_int {
    int64_t value;
    bool said;
};
struct schema_list {
    void *items;
    size_t count;
};

/* Reads an object's text into *out, which is zeroed. true: json_parse() and schema_check() would have taken it, and *out holds all of it.
 * false, with no reason: one of them refuses it and says why, or it is written in a way that only they read (a name with escapes, a member
 * without a place); *out is then worth nothing. text must stay alive as long as *out. Takes from the arena what the items are, in a few
 * pieces, and nothing per line. */
bool schema_fill(const struct schema *s, struct slice text, struct arena *arena, void *out);
/* The same from a tree; what s does not know, or has no place for, is passed over. ERR_NOMEM. */
int schema_fill_tree(const struct schema *s, const struct json_value *v, struct arena *arena, void *out, struct err *err);

/* Writes s as JSON Schema (the dialect of OpenAPI 3.1). */
void schema_write(const struct schema *s, struct json_writer *w);

/* The known word nearest to `word` within two edits, or one that begins with it, or NULL. `words` ends with NULL. Used in every "did you
 * mean". */
const char *nearest_word(struct slice word, const char *const *words);
