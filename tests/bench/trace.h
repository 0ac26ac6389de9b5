/* tests/bench/trace.h - what a shop did to its rows, in order, as triggers wrote it down (feira_tools/trace.py): read into memory, cut into
 * commands, with every key known that the shop made. */
#pragma once
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TRACE_COLUMNS = 40, TRACE_TABLES = 64, TRACE_STAGES = 4, TRACE_NONE = -1 };

struct trace_value {
    int type;    /* SQLITE_INTEGER ... */
    int made_by; /* the stage that made the row that this integer is the number of; then i is its place among them; else TRACE_NONE */
    int id_at;   /* text that begins with an id of the shop: where its 26 digits begin; else TRACE_NONE */
    bool is_time;
    int64_t i;   /* the integer, or the length */
    char *bytes; /* text, blob */
};

struct trace_table {
    char *name;
    char *column[TRACE_COLUMNS];
    int columns;
    bool is_key[TRACE_COLUMNS];
    int refers[TRACE_COLUMNS];   /* the table whose row number the column holds, this one too; else TRACE_NONE */
    int row_column;              /* INTEGER PRIMARY KEY, or TRACE_NONE */
    int64_t *made[TRACE_STAGES]; /* row numbers that a stage made, sorted */
    size_t made_count[TRACE_STAGES];
};

struct trace_op {
    int table;
    char kind;        /* 'I', 'U', 'D' */
    uint64_t changed; /* 'U': columns, by bit */
    struct trace_value *values;
};

struct trace_stage {
    char *name;
    struct trace_op *ops;
    size_t op_count;
    size_t *ends; /* of each command: one past its last op */
    size_t commands;
};

struct trace {
    struct trace_table tables[TRACE_TABLES];
    int table_count;
    struct trace_stage stages[TRACE_STAGES];
    int stage_count;
};

/* Ends the program with a message when the file is not what it should be. */
void trace_load(struct trace *t, const char *path);
int trace_table_named(const struct trace *t, const char *name);
int trace_column_named(const struct trace_table *t, const char *name);
