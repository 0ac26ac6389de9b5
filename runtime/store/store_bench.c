/* How many durable commands of eight statements a second the writer makes, by size of the batch, beside a bare loop over
 * SQLite that writes the same rows with the same settings in the same run. Only the ratio means anything: the speed of a
 * machine swings. Usage: store_bench [FOLDER] (on the disk to be measured; default: the current one). */
#include "store/writer.h"
#include "base/clock.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 5, BATCH_MAX = 256, STATEMENTS = 8, PRODUCTS = 1000 };
static const double seconds_per_round = 0.4;

static const char schema_sql[] =
    "CREATE TABLE orders (id INTEGER PRIMARY KEY, body BLOB, state INTEGER);"
    "CREATE TABLE lines (id INTEGER PRIMARY KEY, order_id INTEGER, sku INTEGER, qty INTEGER, amount INTEGER);"
    "CREATE TABLE stock (sku INTEGER PRIMARY KEY, n INTEGER);"
    "CREATE TABLE keys (key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID;"
    "CREATE TABLE timers (id INTEGER PRIMARY KEY, due INTEGER, key TEXT);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO stock SELECT i, 0 FROM n;";
static const struct store_migration schema[] = { { 1, "bench", schema_sql }, { 0 } };

static const char *const statements[] = {
    "INSERT INTO orders VALUES (?1, zeroblob(300), ?2)",        "INSERT INTO lines (order_id, sku, qty, amount) VALUES (?1, ?2, 1, 100)",
    "UPDATE stock SET n = n - ?1 % 3 WHERE sku = ?2",           "INSERT INTO keys VALUES (printf('%016x', ?1), zeroblob(200 + ?2 % 2))",
    "INSERT INTO timers (due, key) VALUES (?1, 'order' || ?2)",
};
static const int sequence[STATEMENTS] = { 0, 1, 1, 1, 2, 2, 3, 4 };

struct command {
    struct writer_command base;
    int64_t number;
};

static int64_t product(int64_t number, int i)
{
    return 1 + (number * 7919 + i * 104729) % PRODUCTS;
}

static void die(const char *what)
{
    fprintf(stderr, "store_bench: %s\n", what);
    exit(1);
}

static int run(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    struct command *c = (struct command *)base;
    for (int i = 0; i < STATEMENTS; i++) {
        struct store_stmt *s;
        int rc = store_prepare(conn, statements[sequence[i]], &s, err);
        if (rc < 0)
            return rc;
        store_bind_int(s, 1, c->number);
        store_bind_int(s, 2, product(c->number, i));
        rc = store_run(s, NULL, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void done(struct writer_command *base, int rc, const struct err *err)
{
    (void)base;
    if (rc < 0)
        die(err->text);
}

static double now(void)
{
    return (double)clock_mono_ns(clock_system()) / 1e9;
}

static double writer_round(struct writer *w, int batch, int64_t *number)
{
    static struct command commands[BATCH_MAX];
    int64_t n = 0;
    double start = now(), end;
    do {
        for (int i = 0; i < batch; i++) {
            commands[i] = (struct command){ .base = { .run = run, .done = done }, .number = ++*number };
            if (writer_submit(w, &commands[i].base, NULL) < 0)
                die("the queue is full");
        }
        n += writer_step(w);
        end = now();
    } while (end - start < seconds_per_round);
    return (double)n / (end - start);
}

struct bare {
    sqlite3 *db;
    sqlite3_stmt *stmts[sizeof statements / sizeof statements[0]], *begin, *commit;
};

static void exec(sqlite3 *db, const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void bare_open(struct bare *b, const char *path)
{
    if (sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        die("can't open the bare file");
    exec(b->db,
         "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-262144; PRAGMA cache_spill=OFF; PRAGMA temp_store=MEMORY;"
         " PRAGMA wal_autocheckpoint=4000");
    exec(b->db, schema_sql);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        sqlite3_prepare_v3(b->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT, &b->stmts[i], NULL);
    sqlite3_prepare_v3(b->db, "BEGIN IMMEDIATE", -1, SQLITE_PREPARE_PERSISTENT, &b->begin, NULL);
    sqlite3_prepare_v3(b->db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &b->commit, NULL);
}

static void bare_step(struct bare *b, sqlite3_stmt *s)
{
    if (sqlite3_step(s) != SQLITE_DONE)
        die(sqlite3_errmsg(b->db));
    sqlite3_reset(s);
}

static double bare_round(struct bare *b, int batch, int64_t *number)
{
    int64_t n = 0;
    double start = now(), end;
    do {
        bare_step(b, b->begin);
        for (int i = 0; i < batch; i++) {
            ++*number;
            for (int k = 0; k < STATEMENTS; k++) {
                sqlite3_stmt *s = b->stmts[sequence[k]];
                sqlite3_bind_int64(s, 1, *number);
                sqlite3_bind_int64(s, 2, product(*number, k));
                bare_step(b, s);
            }
        }
        bare_step(b, b->commit);
        n += batch;
        end = now();
    } while (end - start < seconds_per_round);
    return (double)n / (end - start);
}

static void bare_close(struct bare *b)
{
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        sqlite3_finalize(b->stmts[i]);
    sqlite3_finalize(b->begin);
    sqlite3_finalize(b->commit);
    sqlite3_close(b->db);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static void forget_files(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[600];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        unlink(name);
    }
}

int main(int argc, char **argv)
{
    char ours[512], theirs[512];
    const char *folder = argc > 1 ? argv[1] : ".";
    snprintf(ours, sizeof ours, "%s/store-bench-%ld.db", folder, (long)getpid());
    snprintf(theirs, sizeof theirs, "%s/store-bench-%ld-bare.db", folder, (long)getpid());
    struct store *s;
    struct writer *w;
    struct bare b = { 0 };
    struct err err;
    if (store_open(&(struct store_options){ .path = ours, .migrations = schema }, &s, &err) < 0 ||
        writer_open(&(struct writer_options){ .store = s, .clock = clock_system() }, &w, &err) < 0)
        die(err.text);
    bare_open(&b, theirs);
    static const int batches[] = { 1, 8, 64, 256 };
    int64_t number = 0, bare_number = 0;
    double worst = 1e9;
    printf("durable commands of %d statements per second, medians of %d interleaved rounds\n%8s %12s %12s %8s\n", STATEMENTS, ROUNDS,
           "batch", "writer", "bare loop", "ratio");
    for (int i = 0; i < 4; i++) {
        double mine[ROUNDS], bare[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            mine[r] = writer_round(w, batches[i], &number);
            bare[r] = bare_round(&b, batches[i], &bare_number);
        }
        double m = median(mine), o = median(bare);
        worst = m / o < worst ? m / o : worst;
        printf("%8d %12.0f %12.0f %8.2f\n", batches[i], m, o, m / o);
    }
    printf("ratio %.2f\n", worst);
    writer_free(w);
    store_close(s);
    bare_close(&b);
    forget_files(ours);
    forget_files(theirs);
    return 0;
}
