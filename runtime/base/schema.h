/* base/schema.h - the shape of a JSON document as data. One description validates what comes in, names the field at
 * fault (as a JSON pointer), and is written out as JSON Schema for /v1/openapi.json, so the two can't differ. */
#pragma once
#include "base/json.h"

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
};

/* ERR_INVALID with err->field = pointer ("/lines/0/qty") and a sentence that says what was expected and what was seen. */
int schema_check(const struct schema *s, const struct json_value *v, struct err *err);

/* Writes s as JSON Schema (the dialect of OpenAPI 3.1). */
void schema_write(const struct schema *s, struct json_writer *w);

/* The known word nearest to `word` within two edits, or one that begins with it, or NULL. `words` ends with NULL. Used in every "did you
 * mean". */
const char *nearest_word(struct slice word, const char *const *words);
