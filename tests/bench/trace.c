#include "tests/bench/trace.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nothing else in a shop's rows is a number of this size: milliseconds, from 2020 to 2100. */
#define TIMES_FROM_MS 1577836800000
#define TIMES_TO_MS   4102444800000

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_replay: %s: %s\n", what, why);
    exit(1);
}

static void *grown(void *p, size_t count, size_t size)
{
    p = realloc(p, count * size);
    if (!p)
        die("memory", "there is not enough for the trace");
    return p;
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(db));
    return s;
}

static char *text_of(sqlite3_stmt *s, int i)
{
    return strdup((const char *)sqlite3_column_text(s, i));
}

int trace_table_named(const struct trace *t, const char *name)
{
    for (int i = 0; i < t->table_count; i++)
        if (strcmp(t->tables[i].name, name) == 0)
            return i;
    return TRACE_NONE;
}

int trace_column_named(const struct trace_table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++)
        if (strcmp(t->column[i], name) == 0)
            return i;
    return TRACE_NONE;
}

/* --- tables ----------------------------------------------------------------------------------------------------------- */

static void load_columns(sqlite3 *db, struct trace_table *t, int self, bool has_rows)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT name, type, pk FROM pragma_table_info('%s') ORDER BY cid", t->name);
    sqlite3_stmt *s = prepared(db, sql);
    int keys = 0, number = TRACE_NONE;
    while (sqlite3_step(s) == SQLITE_ROW) {
        int c = t->columns++;
        if (c == TRACE_COLUMNS)
            die(t->name, "it has more columns than a trace can hold");
        t->column[c] = text_of(s, 0);
        t->refers[c] = TRACE_NONE;
        t->is_key[c] = sqlite3_column_int(s, 2) > 0;
        keys += t->is_key[c];
        if (t->is_key[c] && strcmp((const char *)sqlite3_column_text(s, 1), "INTEGER") == 0)
            number = c;
    }
    sqlite3_finalize(s);
    t->row_column = has_rows && keys == 1 ? number : TRACE_NONE;
    if (t->row_column != TRACE_NONE)
        t->refers[t->row_column] = self;
}

static void load_references(sqlite3 *db, struct trace *t)
{
    for (int i = 0; i < t->table_count; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "SELECT \"from\", \"table\" FROM pragma_foreign_key_list('%s')", t->tables[i].name);
        sqlite3_stmt *s = prepared(db, sql);
        while (sqlite3_step(s) == SQLITE_ROW) {
            int c = trace_column_named(&t->tables[i], (const char *)sqlite3_column_text(s, 0));
            t->tables[i].refers[c] = trace_table_named(t, (const char *)sqlite3_column_text(s, 1));
        }
        sqlite3_finalize(s);
    }
    int transfers = trace_table_named(t, "ledger_transfers"); /* names a hold of its own, and says so nowhere */
    if (transfers != TRACE_NONE) {
        int pending = trace_column_named(&t->tables[transfers], "pending");
        if (pending != TRACE_NONE)
            t->tables[transfers].refers[pending] = transfers;
    }
}

static void load_tables(sqlite3 *db, struct trace *t)
{
    sqlite3_stmt *s =
        prepared(db, "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"
                     " AND name NOT LIKE 'bench_%' ORDER BY name");
    while (sqlite3_step(s) == SQLITE_ROW) {
        if (t->table_count == TRACE_TABLES)
            die("the store", "it has more tables than a trace can hold");
        struct trace_table *table = &t->tables[t->table_count];
        table->name = text_of(s, 0);
        load_columns(db, table, t->table_count, sqlite3_column_int(s, 1) == 0);
        t->table_count++;
    }
    sqlite3_finalize(s);
    load_references(db, t);
}

/* --- what was done ----------------------------------------------------------------------------------------------------- */

static int id_at(const char *text, int64_t len)
{
    int64_t i = 0;
    while (i < len && i < 5 && text[i] >= 'a' && text[i] <= 'z')
        i++;
    if (i < 2 || i == len || text[i] != '_' || len < i + 27)
        return TRACE_NONE;
    i++;
    for (int k = 0; k < 26; k++)
        if (!strchr("0123456789ABCDEFGHJKMNPQRSTVWXYZ", text[i + k]))
            return TRACE_NONE;
    return (int)i;
}

static struct trace_value value_of(sqlite3_stmt *s, int i)
{
    struct trace_value v = { .type = sqlite3_column_type(s, i), .id_at = TRACE_NONE, .made_by = TRACE_NONE };
    if (v.type == SQLITE_INTEGER) {
        v.i = sqlite3_column_int64(s, i);
        v.is_time = v.i > TIMES_FROM_MS && v.i < TIMES_TO_MS;
    } else if (v.type == SQLITE_TEXT || v.type == SQLITE_BLOB) {
        const void *bytes = sqlite3_column_blob(s, i);
        v.i = sqlite3_column_bytes(s, i);
        v.bytes = grown(NULL, (size_t)v.i + 1, 1);
        memcpy(v.bytes, bytes ? bytes : "", (size_t)v.i);
        if (v.type == SQLITE_TEXT)
            v.id_at = id_at(v.bytes, v.i);
    }
    return v;
}

static void load_op(struct trace *t, int stage, sqlite3_stmt *s)
{
    struct trace_stage *st = &t->stages[stage];
    if (st->op_count % 4096 == 0)
        st->ops = grown(st->ops, st->op_count + 4096, sizeof *st->ops);
    struct trace_op *op = &st->ops[st->op_count++];
    op->table = trace_table_named(t, (const char *)sqlite3_column_text(s, 0));
    op->kind = (char)*sqlite3_column_text(s, 1);
    op->changed = (uint64_t)sqlite3_column_int64(s, 2);
    struct trace_table *table = &t->tables[op->table];
    op->values = grown(NULL, (size_t)table->columns, sizeof *op->values);
    for (int c = 0; c < table->columns; c++)
        op->values[c] = value_of(s, 3 + c);
    int row = table->row_column;
    if (op->kind == 'I' && row != TRACE_NONE && table->refers[row] == op->table) {
        size_t n = table->made_count[stage]++;
        if (n % 4096 == 0)
            table->made[stage] = grown(table->made[stage], n + 4096, sizeof *table->made[stage]);
        table->made[stage][n] = op->values[row].i;
    }
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void resolve_value(const struct trace_table *t, int stage, struct trace_value *v)
{
    for (int i = stage; i >= 0 && v->made_by == TRACE_NONE; i--) {
        const int64_t *at = t->made_count[i] ? bsearch(&v->i, t->made[i], t->made_count[i], sizeof v->i, by_number) : NULL;
        if (at) {
            v->made_by = i;
            v->i = at - t->made[i];
        }
    }
}

static void resolve(struct trace *t, int stage)
{
    struct trace_stage *st = &t->stages[stage];
    for (size_t i = 0; i < st->op_count; i++) {
        const struct trace_table *table = &t->tables[st->ops[i].table];
        for (int c = 0; c < table->columns; c++)
            if (table->refers[c] != TRACE_NONE && st->ops[i].values[c].type == SQLITE_INTEGER)
                resolve_value(&t->tables[table->refers[c]], stage, &st->ops[i].values[c]);
    }
}

/* A command ends with the last op that it has of the kind that each has once: "I journal_idempotency". */
static void cut(struct trace *t, struct trace_stage *st, const char *mark)
{
    int table = trace_table_named(t, mark + 2);
    if (table == TRACE_NONE)
        die(mark, "the store has no such table");
    for (size_t i = 0; i < st->op_count; i++) {
        if (st->ops[i].table != table || st->ops[i].kind != *mark)
            continue;
        if (st->commands % 4096 == 0)
            st->ends = grown(st->ends, st->commands + 4096, sizeof *st->ends);
        st->ends[st->commands++] = i + 1;
    }
    if (st->commands == 0)
        die(st->name, "the trace has no command of this stage");
    if (st->ends[st->commands - 1] != st->op_count)
        st->ends[st->commands - 1] = st->op_count;
}

static void load_stage(sqlite3 *db, struct trace *t, const char *name, const char *mark, int64_t first, int64_t last)
{
    if (t->stage_count == TRACE_STAGES)
        die(name, "a trace has at most four stages");
    int stage = t->stage_count++;
    t->stages[stage].name = strdup(name);
    char sql[1024] = "SELECT tbl, op, changed";
    for (int c = 0; c < TRACE_COLUMNS; c++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ", c%d", c);
    strcat(sql, " FROM bench_trace WHERE seq > ?1 AND seq <= ?2 ORDER BY seq");
    sqlite3_stmt *s = prepared(db, sql);
    sqlite3_bind_int64(s, 1, first);
    sqlite3_bind_int64(s, 2, last);
    while (sqlite3_step(s) == SQLITE_ROW)
        load_op(t, stage, s);
    sqlite3_finalize(s);
    for (int i = 0; i < t->table_count; i++)
        if (t->tables[i].made_count[stage])
            qsort(t->tables[i].made[stage], t->tables[i].made_count[stage], sizeof(int64_t), by_number);
    resolve(t, stage);
    cut(t, &t->stages[stage], mark);
}

void trace_load(struct trace *t, const char *path)
{
    sqlite3 *db;
    memset(t, 0, sizeof *t);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        die(path, sqlite3_errmsg(db));
    load_tables(db, t);
    sqlite3_stmt *s = prepared(db, "SELECT name, mark, last FROM bench_stages ORDER BY last");
    int64_t first = 0;
    while (sqlite3_step(s) == SQLITE_ROW) {
        int64_t last = sqlite3_column_int64(s, 2);
        load_stage(db, t, (const char *)sqlite3_column_text(s, 0), (const char *)sqlite3_column_text(s, 1), first, last);
        first = last;
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
}
