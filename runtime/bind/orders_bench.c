/* What an order costs in Lua beyond its SQL: orders.place against a C function that takes the same holds and writes the same rows, in
 * rounds that alternate, 64 orders a commit as the writer does under load. Last line: ratio of the two. */
#include "bind/fixture.h"
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 15, BATCHES = 20, BATCH = 64, SKUS = 100 };

static int64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void price_three(struct fixture *f, int n)
{
    char cart[512];
    snprintf(cart, sizeof cart,
             "{'lines':[{'sku':'SKU-%d','qty':1,'price':1000},{'sku':'SKU-%d','qty':2,'price':333},{'sku':'SKU-%d','qty':1,'price':450}],"
             "'option':'standard'}",
             n % SKUS, (n + 1) % SKUS, (n + 2) % SKUS);
    if (fixture_price(f, cart) < 0)
        fail_msg("%s", f->err.text);
    f->quote = (struct bind_quote){
        .rules = f->rules,
        .result = &f->result,
        .evidence = SLICE_LIT("{\"v\":1,\"lines\":[[1,1,1000],[2,2,333],[3,1,450]],\"at\":1763769600000}"),
        .generation = SLICE_LIT("g_0123456789abcdef"),
    };
    if (bind_quote_write(&f->quote, &f->arena, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void fine(struct fixture *f, int rc)
{
    if (rc < 0)
        fail_msg("%s", f->err.text);
}

static void place_in_lua(struct fixture *f)
{
    struct json_value *args = fixture_json(&f->arena, "{" SK ",'body':{'contact':{'name':'Ann Example','email':'ann@example.org'},"
                                                      "'address':{'line1':'1 High Street','city':'Leeds','country':'GB'}}}");
    int64_t start = cpu_ns();
    f->ctx.phase = BIND_PHASE_PROCEDURE;
    f->ctx.quote = &f->quote;
    fine(f, bind_call(f->vm, slice_str("orders.place"), args, &f->answer, &f->err));
    f->ctx.quote = NULL;
    f->ctx.phase = BIND_PHASE_LOAD;
    f->changed_skus += (size_t)(cpu_ns() - start); /* the counter is free here */
}

static struct store_stmt *prepare(struct fixture *f, const char *sql)
{
    struct store_stmt *s;
    fine(f, store_prepare(f->conn, sql, &s, &f->err));
    return s;
}

static void insert_order(struct fixture *f, struct slice id)
{
    struct store_stmt *s =
        prepare(f, "INSERT INTO orders (order_id, state, total, shipping, placed_at, expires_at, updated_at, generation, holds, "
                   "priced, lines) VALUES (?1, 1, ?2, ?3, ?4, ?5, ?4, ?6, ?7, ?8, ?9)");
    static char lines[560], priced[130], holds[60];
    memset(lines, 'l', sizeof lines);
    memset(priced, 'p', sizeof priced);
    memset(holds, 'h', sizeof holds);
    store_bind_text(s, 1, id);
    store_bind_int(s, 2, f->result.total_minor);
    store_bind_int(s, 3, f->result.shipping_minor);
    store_bind_int(s, 4, f->ctx.now_ms);
    store_bind_int(s, 5, f->ctx.now_ms + 1800000);
    store_bind_text(s, 6, f->quote.generation);
    store_bind_text(s, 7, slice_of(holds, sizeof holds));
    store_bind_text(s, 8, slice_of(priced, sizeof priced));
    store_bind_text(s, 9, slice_of(lines, sizeof lines));
    fine(f, store_run(s, NULL, &f->err));
}

static void hold_stock(struct fixture *f, struct slice id)
{
    struct ledger_op ops[3];
    char ids[3][64];
    int64_t sold;
    fine(f, ledger_account(f->ledger, SLICE_LIT("stock-sold"), SLICE_LIT("pcs"), 0, &sold, &f->err));
    for (int i = 0; i < 3; i++) {
        struct store_stmt *s =
            prepare(f, "SELECT p.track_stock, s.location, s.account FROM products p LEFT JOIN stock s ON s.product = p.id "
                       "WHERE p.sku = ?1");
        store_bind_text(s, 1, symbols_name(f->symbols, f->result.cart->lines[i].product.sku));
        assert_int_equal(store_step(s, &f->err), 1);
        ops[i] = (struct ledger_op){ .kind = LEDGER_HOLD,
                                     .debit = store_column_int(s, 2),
                                     .credit = sold,
                                     .amount = f->result.cart->lines[i].qty,
                                     .expires_ms = f->ctx.now_ms + 1800000,
                                     .reference = id };
        ops[i].id = slice_of(ids[i], (size_t)snprintf(ids[i], sizeof ids[i], "%.*s/%d", SLICE_FMT(id), i + 1));
        store_reset(s);
    }
    fine(f, ledger_apply(f->ledger, ops, 3, f->ctx.now_ms, NULL, &f->err));
}

static void place_in_c(struct fixture *f)
{
    int64_t start = cpu_ns();
    char id[ID_MAX];
    id_make(&f->ids, "ord", id);
    hold_stock(f, slice_str(id));
    insert_order(f, slice_str(id));
    struct store_stmt *s = prepare(f, "SELECT id FROM orders WHERE order_id = ?1");
    store_bind_text(s, 1, slice_str(id));
    assert_int_equal(store_step(s, &f->err), 1);
    int64_t row = store_column_int(s, 0);
    store_reset(s);
    s = prepare(f, "INSERT INTO order_evidence (order_id, evidence) VALUES (?1, ?2)");
    store_bind_int(s, 1, row);
    store_bind_text(s, 2, f->quote.evidence);
    fine(f, store_run(s, NULL, &f->err));
    s = prepare(f, "INSERT INTO order_contacts (order_id, contact, address, note) VALUES (?1, ?2, ?3, ?4)");
    store_bind_int(s, 1, row);
    store_bind_text(s, 2, SLICE_LIT("{\"email\":\"ann@example.org\",\"name\":\"Ann Example\"}"));
    store_bind_text(s, 3, SLICE_LIT("{\"city\":\"Leeds\",\"country\":\"GB\",\"line1\":\"1 High Street\"}"));
    store_bind_null(s, 4);
    fine(f, store_run(s, NULL, &f->err));
    fine(f, timer_set(f->conn, SLICE_LIT("orders.expire"), slice_str(id), f->ctx.now_ms + 1800000, &f->err));
    f->changed_skus += (size_t)(cpu_ns() - start);
}

/* CPU per order inside the procedure, and in all with savepoints and commits. */
static void round_of(struct fixture *f, void (*place)(struct fixture *), int64_t *inside_ns, int64_t *whole_ns)
{
    struct writer_hooks *h = &f->ledger_hooks;
    int64_t whole = 0;
    f->changed_skus = 0;
    for (int b = 0; b < BATCHES; b++) {
        int64_t start = cpu_ns(), apart = 0;
        fine(f, store_begin(f->conn, &f->err));
        for (int i = 0; i < BATCH; i++) {
            int64_t pricing = cpu_ns();
            arena_reset(&f->arena);
            price_three(f, b * BATCH + i);
            clock_virtual_advance(&f->clock, 1);
            f->ctx.now_ms = clock_wall_ms(&f->clock.face);
            apart += cpu_ns() - pricing;
            fine(f, store_savepoint(f->conn, &f->err));
            h->savepoint(h->ctx);
            place(f);
            fine(f, store_release(f->conn, &f->err));
            if (h->release)
                h->release(h->ctx);
        }
        fine(f, h->before_commit(h->ctx, &f->err));
        fine(f, store_commit(f->conn, &f->err));
        if (h->committed)
            h->committed(h->ctx);
        vm_collect_step(f->vm);
        whole += cpu_ns() - start - apart;
    }
    *inside_ns = (int64_t)f->changed_skus / (BATCHES * BATCH);
    *whole_ns = whole / (BATCHES * BATCH);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median(int64_t *v)
{
    qsort(v, ROUNDS, sizeof *v, by_value);
    return v[ROUNDS / 2];
}

static void undo(void *ctx) /* back to the savepoint, which stays */
{
    struct fixture *f = ctx;
    fine(f, store_rollback_to(f->conn, &f->err));
    fine(f, store_savepoint(f->conn, &f->err));
    f->ledger_hooks.rollback_to(f->ledger_hooks.ctx);
    f->ledger_hooks.savepoint(f->ledger_hooks.ctx);
}

int main(void)
{
    struct fixture f;
    char path[] = "/tmp/feira-bench-XXXXXX";
    int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    unlink(path);
    fixture_open(&f, path);
    f.ctx.undo = getenv("BENCH_COUNTED") ? NULL : undo;
    for (int i = 0; i < SKUS; i++) {
        char sku[32];
        snprintf(sku, sizeof sku, "SKU-%d", i);
        fixture_product(&f, sku, 1000, 1000000000);
    }
    int64_t lua[ROUNDS], c[ROUNDS], lua_whole[ROUNDS], c_whole[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
        round_of(&f, place_in_lua, &lua[r], &lua_whole[r]);
        round_of(&f, place_in_c, &c[r], &c_whole[r]);
    }
    int64_t l = median(lua), k = median(c), lw = median(lua_whole), kw = median(c_whole);
    printf("an order of 3 lines, CPU: in Lua %lld ns, its store and ledger work in C %lld ns, so Lua and bind/ %lld ns\n", (long long)l,
           (long long)k, (long long)(l - k));
    printf("with savepoint and commit of %d at once: in Lua %lld ns (%lld orders/s), in C %lld ns\n", BATCH, (long long)lw,
           (long long)(1000000000 / lw), (long long)kw);
    printf("ratio %.2f\n", (double)lw / (double)kw);
    fixture_close(&f);
    char extra[64];
    unlink(path);
    snprintf(extra, sizeof extra, "%s-wal", path);
    unlink(extra);
    snprintf(extra, sizeof extra, "%s-shm", path);
    unlink(extra);
    return 0;
}
