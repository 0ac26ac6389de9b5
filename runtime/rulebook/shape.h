/* rulebook/shape.h - inside rulebook/: what the tables of a plugin look like, as a record can say it. Lists are sorted by name, so that the
 * same tables give the same text. Everything lives in the arena it was made in. */
#pragma once
#include "rulebook/manifest.h"

struct shape_field {
    struct slice name;
    enum field_type type;
    bool optional;
};

struct shape_index {
    struct slice names[COLLECTION_INDEX_FIELDS_MAX];
    size_t count; /* 0 = no key */
};

struct shape_indexes {
    struct shape_index *list;
    size_t count;
};

struct shape_table {
    struct slice name; /* of the collection */
    struct shape_field *fields;
    size_t field_count;
    struct shape_index key;
    struct shape_indexes uniques, indexes;
};

struct shape {
    struct shape_table *tables;
    size_t table_count;
    struct slice *seen; /* hashes of shapes that were live */
    size_t seen_count;
};

enum { SHAPE_HASH = 16 };

int shape_of(const struct manifest *m, struct arena *a, struct shape *out, struct err *err);
int shape_parse(struct slice record, struct arena *a, struct shape *out, struct err *err); /* empty record: no tables */
int shape_write(const struct shape *s, struct arena *a, struct slice *out, struct err *err);
int shape_hash(const struct shape *s, struct arena *a, char out[SHAPE_HASH + 1], struct err *err); /* of the tables only */

struct shape_table *shape_find(const struct shape *s, struct slice name);
struct shape_field *shape_field(const struct shape_table *t, struct slice name);
bool shape_has(const struct shape_indexes *all, const struct shape_index *x);
bool shape_same_index(const struct shape_index *a, const struct shape_index *b);
bool shape_uses(const struct shape_index *x, struct slice field);
/* What is in either; types and keys are those of a. */
int shape_merge(const struct shape *a, const struct shape *b, struct arena *arena, struct shape *out, struct err *err);
