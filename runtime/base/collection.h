/* base/collection.h - the shape of a plugin's collection as data. rulebook/ makes it from a manifest and turns it into tables; bind/
 * gives Lua a typed door to them. Immutable once made; whoever made it owns it. */
#pragma once
#include "base/slice.h"
#include <stdatomic.h>
#include <stdint.h>

enum field_type {
    FIELD_STRING,   /* TEXT; `max` characters */
    FIELD_INTEGER,  /* INTEGER; min..max */
    FIELD_MONEY,    /* INTEGER, minor units */
    FIELD_PERCENT,  /* INTEGER, parts per million */
    FIELD_BOOLEAN,  /* INTEGER 0 or 1 */
    FIELD_TIME,     /* INTEGER, ms UTC */
    FIELD_CUSTOMER, /* TEXT: an id */
    FIELD_ORDER,    /* TEXT: an id */
    FIELD_SKU,      /* TEXT */
    FIELD_CAMPAIGN, /* TEXT: an id */
    FIELD_JSON,     /* TEXT: any value that JSON can hold; `max` bytes */
    FIELD_REVISION, /* TEXT: of the plugin's own rules, "r_" and 16 hex digits */
    FIELD_TYPES
};

enum { COLLECTION_INDEX_FIELDS_MAX = 4, COLLECTION_FIELDS_MAX = 48, COLLECTION_INDEXES_MAX = 8, COLLECTIONS_MAX = 16 };

struct clock;
struct field_reads { /* how often rows were handed out with a field in them; any thread adds */
    const struct clock *clock;
    atomic_uint_fast64_t count;
    atomic_int_fast64_t last_ms;
};

struct collection_field {
    const char *name; /* a column; never "id" */
    enum field_type type;
    bool optional;    /* a row may lack it: nil in Lua, NULL in the table. Every column may be NULL there: hidden ones are not written */
    bool has_default; /* for rows that are inserted without it, and for those that were there before it was */
    int64_t default_int;
    struct slice default_text; /* FIELD_JSON: the text of it */
    /* Of a plugin's own field: what this of a person is kept for; emptied when he is erased. NULL = it says nothing of a person. */
    const char *personal;
    /* Of a personal field of the shop, as one plugin sees it: where its reads are counted (NULL: nowhere), and the consent without which a
     * row lacks it, in the version of now (NULL: none is needed). */
    struct field_reads *reads;
    const char *consent;
    struct slice consent_version;
    bool share;
    bool pseudonym; /* Lua gets a keyed hash of the text: equal for equal ones, and not to be turned back */
    int64_t min, max;
};

struct collection_index {
    uint16_t fields[COLLECTION_INDEX_FIELDS_MAX]; /* positions in `fields` */
    uint8_t count;
    bool unique;
};

/* Every row also has `id`, an integer that the store gives. */
struct collection {
    const char *name;                      /* "links" */
    const char *table;                     /* "p_invite__links" */
    const struct collection_field *fields; /* sorted by name */
    size_t field_count;
    const struct collection_index *indexes; /* the key first, then unique ones, then the others, each as they were written */
    size_t index_count;
    bool has_key;       /* indexes[0] is what get(), update() and delete() go by; otherwise it is `id` */
    bool erase;         /* rows that name a person go when he is erased; otherwise his id in them is replaced by one that nobody knows */
    uint16_t keep_from; /* with keep_ms: a field of the type time; rows go so long after it */
    int64_t keep_ms;    /* 0 = they stay */
};

static inline bool field_is_text(enum field_type t)
{
    return t == FIELD_STRING || t == FIELD_CUSTOMER || t == FIELD_ORDER || t == FIELD_SKU || t == FIELD_CAMPAIGN || t == FIELD_JSON ||
           t == FIELD_REVISION;
}

static inline const char *field_type_name(enum field_type t)
{
    static const char *const names[FIELD_TYPES] = { "string",   "integer", "money", "percent",  "boolean", "time",
                                                    "customer", "order",   "sku",   "campaign", "json",    "revision" };
    return names[t];
}
