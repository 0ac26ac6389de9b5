/* How many holds on one hot SKU a second the ledger makes through the writer, beside commands that write the same rows with
 * plain statements (an appended transfer, the rows of both accounts). Usage: ledger_bench [FOLDER] */
#include "ledger/ledger.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 5, BATCH_MAX = 256 };
static const double seconds_per_round = 0.4;

struct shop {
    struct store *store;
    struct ledger *ledger;
    struct writer *writer;
    int64_t stock, sold, next;
    char path[512];
};

struct buyer {
    struct writer_command base;
    struct shop *shop;
    char id[40];
};

static void die(const char *what)
{
    fprintf(stderr, "ledger_bench: %s\n", what);
    exit(1);
}

static int buy(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct buyer *b = (struct buyer *)base;
    struct ledger_op op = { .kind = LEDGER_HOLD,
                            .id = slice_str(b->id),
                            .debit = b->shop->stock,
                            .credit = b->shop->sold,
                            .amount = 1,
                            .reference = slice_str(b->id) };
    return ledger_apply(b->shop->ledger, &op, 1, 1700000000000, NULL, err);
}

static int plain(struct store_conn *c, const char *sql, const struct buyer *b, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(c, sql, &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, b->shop->stock);
    if (store_stmt_params(s) > 1) {
        store_bind_int(s, 2, b->shop->sold);
        store_bind_text(s, 3, slice_str(b->id));
    }
    return store_run(s, NULL, err);
}

static int buy_plainly(struct writer_command *base, struct store_conn *c, struct err *err)
{
    struct buyer *b = (struct buyer *)base;
    struct buyer other = *b;
    struct shop shop = *b->shop;
    shop.stock = b->shop->sold;
    other.shop = &shop;
    int rc = plain(
        c, "INSERT INTO ledger_transfers (id, kind, debit, credit, amount, at_ms, reference) VALUES (?3, 1, ?1, ?2, 1, 1700000000000, ?3)",
        b, err);
    if (rc == 0)
        rc = plain(c,
                   "UPDATE ledger_accounts SET debits_pending = debits_pending + 1 WHERE id = ?1"
                   " AND credits_posted - debits_posted - debits_pending >= 1",
                   b, err);
    return rc < 0 ? rc : plain(c, "UPDATE ledger_accounts SET credits_pending = credits_pending + 1 WHERE id = ?1", &other, err);
}

static void done(struct writer_command *base, int rc, const struct err *err)
{
    (void)base;
    if (rc < 0)
        die(err->text);
}

static int stock_up(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct shop *s = ((struct buyer *)base)->shop;
    int64_t supplier = 0;
    int rc = ledger_account(s->ledger, SLICE_LIT("stock/TEA"), SLICE_LIT("pcs"), LEDGER_NO_OVERDRAFT, &s->stock, err);
    if (rc == 0)
        rc = ledger_account(s->ledger, SLICE_LIT("sold/TEA"), SLICE_LIT("pcs"), 0, &s->sold, err);
    if (rc == 0)
        rc = ledger_account(s->ledger, SLICE_LIT("supplier"), SLICE_LIT("pcs"), 0, &supplier, err);
    struct ledger_op op = { .kind = LEDGER_TRANSFER, .id = SLICE_LIT("in"), .debit = supplier, .credit = s->stock, .amount = 1000000000 };
    return rc < 0 ? rc : ledger_apply(s->ledger, &op, 1, 0, NULL, err);
}

static void shop_open(struct shop *s, const char *folder, const char *name)
{
    struct err err;
    const struct store_migration schema[] = { { 1, "ledger", ledger_schema_sql() },
                                              { 2, "statements", ledger_statements_schema_sql() },
                                              { 0 } };
    snprintf(s->path, sizeof s->path, "%s/ledger-bench-%ld-%s.db", folder, (long)getpid(), name);
    if (store_open(&(struct store_options){ .path = s->path, .migrations = schema }, &s->store, &err) < 0 ||
        ledger_open(s->store, &s->ledger, &err) < 0 ||
        writer_open(&(struct writer_options){ .store = s->store, .clock = clock_system() }, &s->writer, &err) < 0)
        die(err.text);
    struct writer_hooks h = ledger_hooks(s->ledger);
    writer_add_hooks(s->writer, &h);
    struct buyer first = { .base = { .run = stock_up, .done = done }, .shop = s };
    if (writer_submit(s->writer, &first.base, &err) < 0)
        die(err.text);
    writer_step(s->writer);
}

static void shop_close(struct shop *s)
{
    static const char *const ends[] = { "", "-wal", "-shm" };
    char name[600];
    writer_free(s->writer);
    ledger_close(s->ledger);
    store_close(s->store);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", s->path, ends[i]);
        unlink(name);
    }
}

static double now(void)
{
    return (double)clock_mono_ns(clock_system()) / 1e9;
}

static double round_of(struct shop *s, int batch, int (*run)(struct writer_command *, struct store_conn *, struct err *))
{
    static struct buyer buyers[BATCH_MAX];
    int64_t n = 0;
    double start = now(), end;
    do {
        for (int i = 0; i < batch; i++) {
            buyers[i] = (struct buyer){ .base = { .run = run, .done = done }, .shop = s };
            snprintf(buyers[i].id, sizeof buyers[i].id, "ord_%020lld/1", (long long)++s->next);
            if (writer_submit(s->writer, &buyers[i].base, NULL) < 0)
                die("the queue is full");
        }
        n += writer_step(s->writer);
        end = now();
    } while (end - start < seconds_per_round);
    return (double)n / (end - start);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : ".";
    static const int batches[] = { 1, 8, 64, 256 };
    struct shop ledger = { 0 }, rows = { 0 };
    shop_open(&ledger, folder, "ledger");
    shop_open(&rows, folder, "rows");
    printf("durable holds of one hot SKU per second, medians of %d interleaved rounds\n%8s %12s %12s %8s\n", ROUNDS, "batch", "ledger",
           "plain rows", "ratio");
    for (int i = 0; i < 4; i++) {
        double a[ROUNDS], b[ROUNDS];
        for (int r = 0; r < ROUNDS; r++) {
            a[r] = round_of(&ledger, batches[i], buy);
            b[r] = round_of(&rows, batches[i], buy_plainly);
        }
        qsort(a, ROUNDS, sizeof a[0], by_value);
        qsort(b, ROUNDS, sizeof b[0], by_value);
        printf("%8d %12.0f %12.0f %8.2f\n", batches[i], a[ROUNDS / 2], b[ROUNDS / 2], a[ROUNDS / 2] / b[ROUNDS / 2]);
    }
    shop_close(&ledger);
    shop_close(&rows);
    return 0;
}
