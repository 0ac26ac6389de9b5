/* bind/collections_int.h - shared by collections.c (what Lua calls), collection_cells.c (values) and collection_sql.c (statements). */
#pragma once
#include "bind/bind_int.h"
#include "bind/collections.h"
#include "bind/facts.h"

/* A call under way: who asks for what, for checks and messages. */
struct door {
    lua_State *L;
    struct bind_context *ctx;
    const struct bind_grants *grants;
    const struct bind_grant *grant;
    const struct collection *shape; /* the grant's */
    const char *method;
    bool seeks; /* a value is looked for: one that no row can have is found in none */
};

/* Raises "links:insert: ..." */
int door_fail(const struct door *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *door_alloc(const struct door *d, size_t count, size_t size); /* in the call's arena, zeroed; raises */

/* A value as a column holds it. Text lives in the call's arena. */
struct cell {
    enum { CELL_NULL, CELL_INT, CELL_TEXT } kind;
    int64_t integer;
    struct slice text;
};

/* --- collection_cells.c ------------------------------------------------------------------------------------------------ */
const struct json_value *door_table(const struct door *d, int arg, const char *what); /* the argument as a tree: an object */
struct cell cell_check(const struct door *d, const struct collection_field *f, const struct json_value *v);
/* A value that is looked for, often what a client sent: of another type it is a mistake, but one that is too long or no id is just in no
 * row. It is a CELL_NULL then, which equals nothing. */
struct cell cell_sought(const struct door *d, const struct collection_field *f, const struct json_value *v);
int64_t cell_check_id(const struct door *d, const struct json_value *v);
/* Position of the field of that name; raises with the nearest one. */
size_t door_field(const struct door *d, struct slice name);
struct cell *cells_for_insert(const struct door *d, const struct json_value *row);
/* Changes named in `row` over `cells`, which is the row that is there. Returns how many differ, and the last of them. */
size_t cells_change(const struct door *d, const struct json_value *row, struct cell *cells, size_t *last);

/* Which row: the id, or the fields of the key or a unique, in their order. */
struct locator {
    const struct collection_index *index; /* NULL = id */
    struct cell cells[COLLECTION_INDEX_FIELDS_MAX];
};
void locate(const struct door *d, int arg, struct locator *out);

/* --- collection_facts.c ------------------------------------------------------------------------------------------------- */
/* A row is about to be inserted, changed or deleted, and then was: the customers whose facts are made of it have another version from then
 * on, and who hears fact.changed is told. */
struct facts_watch;
struct facts_named { /* what names customers in a row; none when no facts are made of these rows */
    struct cell *cells;
    size_t count;
};
struct facts_named facts_touched(const struct door *d, const struct cell *cells); /* copied */
struct facts_watch *facts_watch(const struct door *d, struct facts_named before, struct facts_named after);
void facts_done(const struct door *d, struct facts_watch *w); /* NULL is fine */
/* All rows whose field `by` is the customer, in order of id, on the stack; raises when there are more than max. */
void collection_push_rows(lua_State *L, struct bind_context *c, const struct collection *rows, const struct collection_field *by,
                          struct slice customer, int max);

/* --- facts.c: within a call of a procedure. false: there is none. A function that fails gives one of the kind FAILED. */
struct fact_about {
    struct slice customer;
    int64_t now_ms;
    const struct slice *tags;
    size_t tag_count;
};
bool fact_ask_inside(lua_State *L, struct bind_context *c, const struct bind_fact *f, const struct fact_about *about,
                     struct quote_fact *out);

/* --- collections.c: read_list() as run() wants it ------------------------------------------------------------------------ */
int door_list(struct door *d, struct store_stmt *s); /* pushes the list of its rows, and gives how many there are */

/* --- collection_sql.c --------------------------------------------------------------------------------------------------- */
/* The text of a query: columns id, then all fields, by an index from its front. */
struct query {
    const struct collection_index *index; /* NULL = by id */
    int equal;                            /* its first fields are equal to... */
    struct cell cells[COLLECTION_INDEX_FIELDS_MAX];
    struct cell from, to;                              /* bounds of the field behind them: from <= x < to; NULL kind = none */
    bool paged;                                        /* continues behind `last` */
    struct cell last[COLLECTION_INDEX_FIELDS_MAX + 1]; /* the other fields of the index, then the id */
    bool reverse;
    int64_t limit;
};
int query_rest(const struct query *q); /* how many fields of the index order the rows, besides the id */

struct store_stmt *query_statement(const struct door *d, const struct query *q);                                /* bound, ready to step */
struct store_stmt *owned_statement(const struct door *d, const char *by, struct slice customer, int64_t limit); /* by id */
struct store_stmt *locate_statement(const struct door *d, const struct locator *at);
struct store_stmt *insert_statement(const struct door *d, const struct cell *cells); /* gives one row: the id */
struct store_stmt *update_statement(const struct door *d, int64_t id, const struct cell *cells, size_t only /* SIZE_MAX = all */);
struct store_stmt *delete_statement(const struct door *d, int64_t id);
struct cell column_cell(const struct door *d, struct store_stmt *s, int column); /* copied */
void push_row(const struct door *d, struct store_stmt *s);                       /* { id = ..., field = ... } */
