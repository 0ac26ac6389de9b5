/* Power cuts through the writer: what was answered is there after every restart, nothing is there by half. The same run
 * with NORMAL, and on a disk that lies, must find losses, or this test would prove nothing. */
#include "store/faultvfs.h"
#include "store/writer.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { PARTS = 3, CYCLES_PER_DISK = 40, COMMANDS_MAX = 20000, BATCH = 24 };

static const struct store_migration schema[] = {
    { 1, "parts",
      "CREATE TABLE parts (cmd INTEGER, part INTEGER, filler BLOB, PRIMARY KEY (cmd, part)) WITHOUT ROWID;"
      "CREATE TABLE total (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO total VALUES (1, 0)" },
    { 2, "index", "CREATE INDEX parts_part ON parts(part, cmd)" },
    { 0 },
};

struct command {
    struct writer_command base;
    struct world *world;
    int number;
    bool fails;
};

struct world {
    struct faultvfs *disk;
    const char *name;
    enum store_sync sync;
    struct random_seeded random;
    struct store *store;
    struct writer *writer;
    int next;                    /* number of the next command */
    bool answered[COMMANDS_MAX]; /* with success */
    bool refused[COMMANDS_MAX];  /* by itself: it must leave nothing, ever */
    struct command commands[BATCH];
    uint64_t answers, lost, half, refused_to_open;
};

static int write_parts(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    struct command *c = (struct command *)base;
    struct store_stmt *s;
    int rc = store_prepare(conn, "INSERT INTO parts VALUES (?1, ?2, zeroblob(?3))", &s, err);
    for (int part = 0; rc == 0 && part < PARTS; part++) {
        store_bind_int(s, 1, c->number);
        store_bind_int(s, 2, part);
        store_bind_int(s, 3, c->number % 7 == 0 ? 3000 : c->number % 50);
        rc = store_run(s, NULL, err);
    }
    if (rc == 0)
        rc = store_prepare(conn, "UPDATE total SET n = n + 1", &s, err);
    if (rc == 0)
        rc = store_run(s, NULL, err);
    return rc == 0 && c->fails ? err_set(err, ERR_STATE, "as told") : rc;
}

static void on_done(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct command *c = (struct command *)base;
    if (rc == 0) {
        c->world->answered[c->number] = true;
        c->world->answers++;
    }
    c->world->refused[c->number] = rc == ERR_STATE;
}

static uint64_t roll(struct world *w, uint64_t n)
{
    return random_seeded_next(&w->random) % n;
}

static bool world_open(struct world *w)
{
    struct err err;
    int rc =
        store_open(&(struct store_options){ .path = "shop.db", .vfs = w->name, .sync = w->sync, .migrations = schema }, &w->store, &err);
    if (rc < 0) {
        if (!faultvfs_is_cut(w->disk))
            w->refused_to_open++;
        return false;
    }
    struct writer_options o = { .store = w->store, .checkpoint_pages = 1 + (int64_t)roll(w, 30) };
    assert_int_equal(writer_open(&o, &w->writer, &err), 0);
    return true;
}

static void world_close(struct world *w)
{
    writer_free(w->writer);
    w->writer = NULL;
    store_close(w->store);
    w->store = NULL;
}

static void one_batch(struct world *w)
{
    int n = 1 + (int)roll(w, BATCH);
    for (int i = 0; i < n; i++) {
        w->commands[i] =
            (struct command){ .base = { .run = write_parts, .done = on_done }, .world = w, .number = w->next++, .fails = roll(w, 10) == 0 };
        writer_submit(w->writer, &w->commands[i].base, NULL);
    }
    writer_step(w->writer);
}

static int64_t number(struct store_conn *c, const char *sql, int64_t arg)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, sql, &s, &err) < 0)
        return -1;
    if (store_stmt_params(s))
        store_bind_int(s, 1, arg);
    int rc = store_step(s, &err);
    int64_t n = rc > 0 ? store_column_int(s, 0) : -1;
    if (rc > 0)
        store_reset(s);
    return n;
}

static void check(struct world *w)
{
    struct store_conn *c = store_writer_conn(w->store);
    struct err err;
    int64_t present = 0;
    for (int i = 0; i < w->next; i++) {
        int64_t parts = number(c, "SELECT count(*) FROM parts WHERE cmd = ?1", i);
        w->half += (parts != 0 && parts != PARTS) || (parts != 0 && w->refused[i]);
        w->lost += w->answered[i] && parts != PARTS;
        present += parts == PARTS;
    }
    w->half += number(c, "SELECT n FROM total", 0) != present;
    if (store_check(c, true, &err) < 0)
        w->half++;
}

static void cycle(struct world *w, bool faults)
{
    faultvfs_cut_at(w->disk, 1 + roll(w, 120));
    if (world_open(w)) {
        while (!faultvfs_is_cut(w->disk) && w->next < COMMANDS_MAX - BATCH) {
            if (faults && roll(w, 4) == 0)
                faultvfs_fail(w->disk, (enum faultvfs_kind)roll(w, FAULTVFS_READ), 1 + roll(w, 10), 1 + roll(w, 3));
            one_batch(w);
        }
        world_close(w);
    }
    faultvfs_restart(w->disk);
    if (!world_open(w))
        return;
    check(w);
    world_close(w);
}

struct outcome {
    uint64_t cycles, answers, lost, half, refused;
};

static struct outcome run_cycles(const char *name, uint64_t seed, int cycles, enum store_sync sync, bool lie, bool faults)
{
    struct outcome o = { 0 };
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    for (int i = 0; i < cycles; i++) {
        if (i % CYCLES_PER_DISK == 0) {
            faultvfs_close(w->disk);
            memset(w, 0, sizeof *w);
            random_seeded_init(&w->random, seed + (uint64_t)i);
            assert_int_equal(faultvfs_open(name, seed + (uint64_t)i, &w->disk, NULL), 0);
            faultvfs_lie(w->disk, lie);
            w->name = name;
            w->sync = sync;
        }
        uint64_t answers = w->answers, lost = w->lost, half = w->half, refused = w->refused_to_open;
        cycle(w, faults);
        o.cycles++;
        o.answers += w->answers - answers;
        o.lost += w->lost - lost;
        o.half += w->half - half;
        o.refused += w->refused_to_open - refused;
        if (w->lost > lost || w->half > half || w->refused_to_open > refused)
            i += CYCLES_PER_DISK - i % CYCLES_PER_DISK - 1; /* a new disk: one loss must not be counted again and again */
    }
    faultvfs_close(w->disk);
    free(w);
    return o;
}

static int cycles_wanted(int usual)
{
    const char *text = getenv("FEIRA_POWER_CUTS");
    return text ? atoi(text) : usual;
}

static void expect_nothing_lost(struct outcome o)
{
    print_message("%llu power cuts, %llu commands answered, %llu lost, %llu by half, %llu stores refused\n", (unsigned long long)o.cycles,
                  (unsigned long long)o.answers, (unsigned long long)o.lost, (unsigned long long)o.half, (unsigned long long)o.refused);
    assert_true(o.answers > o.cycles);
    assert_int_equal(o.lost, 0);
    assert_int_equal(o.half, 0);
    assert_int_equal(o.refused, 0);
}

static void test_what_was_answered_survives_every_power_cut(void **state)
{
    (void)state;
    expect_nothing_lost(run_cycles("cuts_full", 1, cycles_wanted(2000), STORE_SYNC_FULL, false, false));
}

static void test_what_was_answered_survives_power_cuts_on_a_disk_that_also_fails(void **state)
{
    (void)state;
    expect_nothing_lost(run_cycles("cuts_faults", 2, cycles_wanted(1500), STORE_SYNC_FULL, false, true));
}

static void test_without_a_sync_per_commit_the_same_run_finds_losses(void **state)
{
    (void)state;
    struct outcome o = run_cycles("cuts_normal", 3, 200, STORE_SYNC_NORMAL, false, false);
    assert_true(o.lost > 0);
    assert_int_equal(o.half, 0); /* it loses the last commits whole */
}

static void test_a_disk_that_lies_is_noticed(void **state)
{
    (void)state;
    struct outcome o = run_cycles("cuts_lie", 4, 200, STORE_SYNC_FULL, true, false);
    assert_true(o.lost + o.half + o.refused > 0);
}

static void test_a_copy_of_a_disk_is_as_good_and_has_a_life_of_its_own(void **state)
{
    (void)state;
    static struct world first, copy;
    struct err err;
    first.name = "copy_first";
    copy.name = "copy_second";
    assert_int_equal(faultvfs_open(first.name, 1, &first.disk, &err), 0);
    assert_int_equal(faultvfs_open(copy.name, 2, &copy.disk, &err), 0);
    assert_true(world_open(&first));
    one_batch(&first);
    world_close(&first);
    faultvfs_copy(copy.disk, first.disk);
    faultvfs_cut_at(copy.disk, 0); /* what was copied was synced */
    faultvfs_restart(copy.disk);
    copy.next = first.next;
    assert_true(world_open(&copy));
    assert_int_equal(number(store_writer_conn(copy.store), "SELECT n FROM total", 0), (int64_t)first.answers);
    one_batch(&copy);
    world_close(&copy);
    assert_true(world_open(&first)); /* of the other's batch it has nothing */
    assert_int_equal(number(store_writer_conn(first.store), "SELECT n FROM total", 0), (int64_t)first.answers);
    world_close(&first);
    faultvfs_close(copy.disk);
    faultvfs_close(first.disk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_answered_survives_every_power_cut),
        cmocka_unit_test(test_what_was_answered_survives_power_cuts_on_a_disk_that_also_fails),
        cmocka_unit_test(test_without_a_sync_per_commit_the_same_run_finds_losses),
        cmocka_unit_test(test_a_disk_that_lies_is_noticed),
        cmocka_unit_test(test_a_copy_of_a_disk_is_as_good_and_has_a_life_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
