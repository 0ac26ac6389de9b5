/* The raw loop of scripts/bench: writes the rows that the shop wrote, with prepared statements, in batches of the given size, with nothing
 * before or around it. No HTTP, no Lua, no queries. Its connection is opened as the shop's writer opens its own, so the pragmas are the
 * same, and the log is moved into the file under the same conditions.
 *
 *   bench_replay STORE TRACE PASSES [WITHOUT]
 *
 * WITHOUT names a table that is left out, for the bench to see whether it would notice.
 *
 * TRACE is a store in which the shop worked under triggers (trace.h). Its rows are written to STORE again and again: each pass with row
 * numbers behind those that STORE has, and with ids of its own. A row of an account is written once a batch with its sum, as the ledger
 * does. PASSES keeps what was written already, so that another run can go on (pay the orders that were placed).
 *
 * Reads lines from the standard input: "run STAGE COMMANDS BATCH" (BATCH may have a fraction: sizes then take turns). Answers each with a
 * line of JSON. */
#include "tests/bench/trace.h"
#include "base/clock.h"
#include "ledger/ledger.h"
#include "store/store_int.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { UPDATES = 16, CHECKPOINT_PAGES = 16000 /* of a writer that always has something to do */, ID_STEP_BACK = 1600 };

struct statements {
    sqlite3_stmt *insert, *erase;
    struct {
        uint64_t changed;
        sqlite3_stmt *s;
    } update[UPDATES];
};

struct pass {
    size_t done[TRACE_STAGES]; /* commands */
    int64_t base[TRACE_STAGES][TRACE_TABLES];
};

struct account {
    int64_t debits_posted, credits_posted, debits_pending, credits_pending;
    bool dirty;
};

struct replay {
    struct store *store;
    struct store_conn *conn;
    struct trace trace;
    struct statements statements[TRACE_TABLES];
    int64_t next_row[TRACE_TABLES];
    struct pass *passes;
    size_t pass_count;
    const char *passes_path;

    int transfers, kind, debit, credit, amount; /* ledger_transfers and its columns */
    struct account *accounts;
    int64_t account_count, *dirty;
    size_t dirty_count;
    sqlite3_stmt *write_account;
    int64_t checkpointed_pages;
    int without;
    int id_top; /* the first four digits of an id that is made now, as a number */
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_replay: %s: %s\n", what, why);
    exit(1);
}

static void *need(void *p)
{
    if (!p)
        die("memory", "there is not enough");
    return p;
}

static sqlite3_stmt *prepared(struct replay *r, const char *sql)
{
    sqlite3_stmt *s;
    if (sqlite3_prepare_v3(r->conn->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK)
        die(sql, sqlite3_errmsg(r->conn->db));
    return s;
}

static void step(struct replay *r, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die(sqlite3_sql(s), sqlite3_errmsg(r->conn->db));
    sqlite3_reset(s);
}

static int64_t number_of(struct replay *r, const char *sql)
{
    sqlite3_stmt *s = prepared(r, sql);
    int64_t n = sqlite3_step(s) == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
    sqlite3_finalize(s);
    return n;
}

/* --- statements -------------------------------------------------------------------------------------------------------- */

static void add_keys(char *sql, size_t size, const struct trace_table *t)
{
    const char *between = " WHERE";
    for (int c = 0; c < t->columns; c++) {
        if (!t->is_key[c])
            continue;
        snprintf(sql + strlen(sql), size - strlen(sql), "%s \"%s\" = ?%d", between, t->column[c], c + 1);
        between = " AND";
    }
}

static sqlite3_stmt *insert_of(struct replay *r, const struct trace_table *t)
{
    char sql[4096];
    snprintf(sql, sizeof sql, "INSERT INTO \"%s\" VALUES (?1", t->name);
    for (int c = 1; c < t->columns; c++)
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), ", ?%d", c + 1);
    strcat(sql, ")");
    return prepared(r, sql);
}

static sqlite3_stmt *delete_of(struct replay *r, const struct trace_table *t)
{
    char sql[4096];
    snprintf(sql, sizeof sql, "DELETE FROM \"%s\"", t->name);
    add_keys(sql, sizeof sql, t);
    return prepared(r, sql);
}

static sqlite3_stmt *update_of(struct replay *r, const struct trace_table *t, uint64_t changed)
{
    char sql[4096];
    const char *between = "";
    snprintf(sql, sizeof sql, "UPDATE \"%s\" SET", t->name);
    for (int c = 0; c < t->columns; c++) {
        if (!(changed & 1ull << c))
            continue;
        if (t->is_key[c])
            die(t->name, "the shop changed a key; a replay can't do that");
        snprintf(sql + strlen(sql), sizeof sql - strlen(sql), "%s \"%s\" = ?%d", between, t->column[c], c + 1);
        between = ",";
    }
    add_keys(sql, sizeof sql, t);
    return prepared(r, sql);
}

/* NULL: nothing to do. */
static sqlite3_stmt *statement(struct replay *r, const struct trace_op *op)
{
    struct statements *of = &r->statements[op->table];
    const struct trace_table *t = &r->trace.tables[op->table];
    if (op->kind == 'I')
        return of->insert ? of->insert : (of->insert = insert_of(r, t));
    if (op->kind == 'D')
        return of->erase ? of->erase : (of->erase = delete_of(r, t));
    if (!op->changed)
        return NULL;
    for (int i = 0; i < UPDATES; i++) {
        if (!of->update[i].s) {
            of->update[i].s = update_of(r, t, op->changed);
            of->update[i].changed = op->changed;
        }
        if (of->update[i].changed == op->changed)
            return of->update[i].s;
    }
    die(t->name, "the shop changed it in too many ways");
    return NULL;
}

/* --- accounts ---------------------------------------------------------------------------------------------------------- */

static void load_accounts(struct replay *r)
{
    r->account_count = number_of(r, "SELECT coalesce(max(id), 0) + 1 FROM ledger_accounts");
    r->accounts = need(calloc((size_t)r->account_count, sizeof *r->accounts));
    r->dirty = need(calloc((size_t)r->account_count, sizeof *r->dirty));
    sqlite3_stmt *s = prepared(r, "SELECT id, debits_posted, credits_posted, debits_pending, credits_pending FROM ledger_accounts");
    while (sqlite3_step(s) == SQLITE_ROW)
        r->accounts[sqlite3_column_int64(s, 0)] = (struct account){ .debits_posted = sqlite3_column_int64(s, 1),
                                                                    .credits_posted = sqlite3_column_int64(s, 2),
                                                                    .debits_pending = sqlite3_column_int64(s, 3),
                                                                    .credits_pending = sqlite3_column_int64(s, 4) };
    sqlite3_finalize(s);
    r->write_account = prepared(r, "UPDATE ledger_accounts SET debits_posted = ?1, credits_posted = ?2, debits_pending = ?3, "
                                   "credits_pending = ?4 WHERE id = ?5");
    r->transfers = trace_table_named(&r->trace, "ledger_transfers");
    const struct trace_table *t = &r->trace.tables[r->transfers];
    r->kind = trace_column_named(t, "kind");
    r->debit = trace_column_named(t, "debit");
    r->credit = trace_column_named(t, "credit");
    r->amount = trace_column_named(t, "amount");
}

static struct account *touched(struct replay *r, int64_t id)
{
    if (id <= 0 || id >= r->account_count)
        die("ledger_transfers", "the shop made an account; let it make all of them before the trace begins");
    if (!r->accounts[id].dirty)
        r->dirty[r->dirty_count++] = id;
    r->accounts[id].dirty = true;
    return &r->accounts[id];
}

static void move(struct replay *r, const struct trace_value *v)
{
    struct account *d = touched(r, v[r->debit].i), *c = touched(r, v[r->credit].i);
    int64_t amount = v[r->amount].i, kind = v[r->kind].i;
    if (kind == LEDGER_TRANSFER || kind == LEDGER_POST) {
        d->debits_posted += amount;
        c->credits_posted += amount;
    }
    if (kind != LEDGER_TRANSFER) { /* holds are posted whole in a bench */
        int64_t held = kind == LEDGER_HOLD ? amount : -amount;
        d->debits_pending += held;
        c->credits_pending += held;
    }
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void write_accounts(struct replay *r)
{
    qsort(r->dirty, r->dirty_count, sizeof *r->dirty, by_number);
    for (size_t i = 0; i < r->dirty_count; i++) {
        struct account *a = &r->accounts[r->dirty[i]];
        sqlite3_stmt *s = r->write_account;
        sqlite3_bind_int64(s, 1, a->debits_posted);
        sqlite3_bind_int64(s, 2, a->credits_posted);
        sqlite3_bind_int64(s, 3, a->debits_pending);
        sqlite3_bind_int64(s, 4, a->credits_pending);
        sqlite3_bind_int64(s, 5, r->dirty[i]);
        step(r, s);
        a->dirty = false;
    }
    r->dirty_count = 0;
}

/* --- commands ---------------------------------------------------------------------------------------------------------- */

/* The first four of the ten digits of an id's time become those of the pass: each pass is later than the one before, and
 * all are earlier than what the shop makes now. */
static void stamp(struct replay *r, struct trace_value *v, size_t pass)
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char *at = v->bytes + v->id_at;
    int top = r->id_top - ID_STEP_BACK + (int)pass;
    if (pass >= ID_STEP_BACK)
        die(r->passes_path, "too many passes; take a longer trace");
    for (int i = 4; i-- > 0; top >>= 5)
        at[i] = digits[top & 31];
}

/* Times move with the ids: each pass is a minute later, so that what is sorted by time grows at its end, and all are in the past. */
static int64_t moment(const struct replay *r, const struct trace_value *v, const struct pass *p)
{
    enum { MINUTE_MS = 60000 };
    return v->is_time ? ((int64_t)(p - r->passes) - ID_STEP_BACK) * MINUTE_MS : 0;
}

static void bind(struct replay *r, sqlite3_stmt *s, int i, struct trace_value *v, const struct pass *p, int refers)
{
    switch (v->type) {
    case SQLITE_INTEGER:
        sqlite3_bind_int64(s, i, v->made_by == TRACE_NONE ? v->i + moment(r, v, p) : p->base[v->made_by][refers] + v->i);
        break;
    case SQLITE_TEXT:
        if (v->id_at >= 0)
            stamp(r, v, (size_t)(p - r->passes));
        sqlite3_bind_text64(s, i, v->bytes, (sqlite3_uint64)v->i, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case SQLITE_BLOB:
        sqlite3_bind_blob64(s, i, v->bytes, (sqlite3_uint64)v->i, SQLITE_STATIC);
        break;
    default:
        sqlite3_bind_null(s, i);
    }
}

static void do_op(struct replay *r, struct pass *p, const struct trace_op *op)
{
    const struct trace_table *t = &r->trace.tables[op->table];
    sqlite3_stmt *s = statement(r, op);
    if (!s || op->table == r->without)
        return;
    for (int c = 0; c < t->columns; c++)
        if (op->kind == 'I' || t->is_key[c] || (op->kind == 'U' && (op->changed & 1ull << c)))
            bind(r, s, c + 1, &op->values[c], p, t->refers[c]);
    step(r, s);
    if (op->table == r->transfers && op->kind == 'I')
        move(r, op->values);
}

static void begin_stage(struct replay *r, struct pass *p, int stage)
{
    for (int i = 0; i < r->trace.table_count; i++) {
        p->base[stage][i] = r->next_row[i];
        r->next_row[i] += (int64_t)r->trace.tables[i].made_count[stage];
    }
}

/* The pass in which the next command of the stage is due: the first that has the stage before, but not yet all of this one. */
static struct pass *pass_for(struct replay *r, int stage)
{
    for (size_t i = 0; i < r->pass_count; i++) {
        struct pass *p = &r->passes[i];
        if (p->done[stage] >= r->trace.stages[stage].commands)
            continue;
        if (stage > 0 && p->done[stage - 1] < r->trace.stages[stage - 1].commands)
            die(r->trace.stages[stage].name, "there is nothing left for it to be done to");
        return p;
    }
    if (stage > 0)
        die(r->trace.stages[stage].name, "there is nothing left for it to be done to");
    r->passes = need(realloc(r->passes, (r->pass_count + 1) * sizeof *r->passes));
    struct pass *p = &r->passes[r->pass_count++];
    *p = (struct pass){ 0 };
    return p;
}

static void checkpoint(struct replay *r)
{
    int64_t pages = r->conn->wal_pages;
    if (pages < r->checkpointed_pages)
        r->checkpointed_pages = 0; /* the log has started from its beginning */
    if (pages - r->checkpointed_pages < CHECKPOINT_PAGES)
        return;
    int left = 0;
    struct err err;
    if (store_checkpoint(r->conn, &left, &err) < 0)
        die("checkpoint", err.text);
    r->checkpointed_pages = pages - left;
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void run(struct replay *r, int stage, size_t commands, double batch)
{
    const struct trace_stage *st = &r->trace.stages[stage];
    struct pass *p = NULL;
    double due = 0;
    size_t commits = 0, done = 0;
    int64_t start = clock_mono_ns(clock_system());
    double cpu = cpu_seconds();
    while (done < commands) {
        step(r, r->conn->tx[TX_BEGIN]);
        for (due += batch; due >= 1 && done < commands; due--, done++) {
            if (!p || p->done[stage] == st->commands)
                p = pass_for(r, stage);
            size_t n = p->done[stage];
            if (n == 0)
                begin_stage(r, p, stage);
            for (size_t i = n ? st->ends[n - 1] : 0; i < st->ends[n]; i++)
                do_op(r, p, &st->ops[i]);
            p->done[stage]++;
        }
        write_accounts(r);
        step(r, r->conn->tx[TX_COMMIT]);
        commits++;
        checkpoint(r);
    }
    double seconds = (double)(clock_mono_ns(clock_system()) - start) / 1e9;
    printf("{\"commands\": %zu, \"commits\": %zu, \"seconds\": %.6f, \"rate\": %.1f, \"cpu\": %.6f}\n", done, commits, seconds,
           (double)done / seconds, cpu_seconds() - cpu);
    fflush(stdout);
}

/* --- passes ------------------------------------------------------------------------------------------------------------ */

static void load_passes(struct replay *r)
{
    FILE *f = fopen(r->passes_path, "rb");
    struct pass p;
    while (f && fread(&p, sizeof p, 1, f) == 1) {
        r->passes = need(realloc(r->passes, (r->pass_count + 1) * sizeof *r->passes));
        r->passes[r->pass_count++] = p;
    }
    if (f)
        fclose(f);
}

static void save_passes(struct replay *r)
{
    FILE *f = fopen(r->passes_path, "wb");
    if (!f || fwrite(r->passes, sizeof *r->passes, r->pass_count, f) != r->pass_count || fclose(f) != 0)
        die(r->passes_path, "it can't be written");
}

static void find_next_rows(struct replay *r)
{
    for (int i = 0; i < r->trace.table_count; i++) {
        const struct trace_table *t = &r->trace.tables[i];
        char sql[512];
        if (t->row_column == TRACE_NONE)
            continue;
        snprintf(sql, sizeof sql, "SELECT coalesce(max(\"%s\"), 0) + 1 FROM \"%s\"", t->column[t->row_column], t->name);
        r->next_row[i] = number_of(r, sql);
        snprintf(sql, sizeof sql, "SELECT seq + 1 FROM sqlite_sequence WHERE name = '%s'", t->name);
        int64_t after = number_of(r, sql);
        r->next_row[i] = after > r->next_row[i] ? after : r->next_row[i];
    }
}

int main(int argc, char **argv)
{
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "usage: bench_replay STORE TRACE PASSES [WITHOUT]\n");
        return 2;
    }
    struct replay r = { .passes_path = argv[3], .id_top = (int)(clock_wall_ms(clock_system()) >> 30) };
    struct store_migration none[] = { { 0 } };
    struct store_options o = { .path = argv[1], .migrations = none };
    struct err err;
    if (store_open(&o, &r.store, &err) < 0)
        die(argv[1], err.text);
    r.conn = store_writer_conn(r.store);
    trace_load(&r.trace, argv[2]);
    r.without = argc == 5 ? trace_table_named(&r.trace, argv[4]) : TRACE_NONE;
    load_accounts(&r);
    load_passes(&r);
    find_next_rows(&r);
    char line[256], name[64];
    size_t commands;
    double batch;
    while (fgets(line, sizeof line, stdin)) {
        int stage = 0;
        if (sscanf(line, "run %63s %zu %lf", name, &commands, &batch) != 3 || batch < 1)
            die(line, "say: run STAGE COMMANDS BATCH");
        while (stage < r.trace.stage_count && strcmp(r.trace.stages[stage].name, name) != 0)
            stage++;
        if (stage == r.trace.stage_count)
            die(name, "the trace has no such stage");
        run(&r, stage, commands, batch);
    }
    save_passes(&r);
    for (int i = 0; i < TRACE_TABLES; i++) {
        sqlite3_finalize(r.statements[i].insert);
        sqlite3_finalize(r.statements[i].erase);
        for (int k = 0; k < UPDATES; k++)
            sqlite3_finalize(r.statements[i].update[k].s);
    }
    sqlite3_finalize(r.write_account);
    store_close(r.store);
    return 0;
}
