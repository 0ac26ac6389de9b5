#include "store/writer.h"
#include "store/faultvfs.h"
#include "base/clock.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <cmocka.h>

static const struct store_migration schema[] = {
    { 1, "things", "CREATE TABLE things (id INTEGER PRIMARY KEY, cmd INTEGER, filler BLOB)" },
    { 0 },
};

enum { MAX = 512 };

struct cmd {
    struct writer_command base; /* first: the writer hands this back */
    struct bench *bench;
    int number, rows, answer;  /* what run() answers after writing its rows */
    bool reads_only, swallows; /* swallows: ignores errors of the store */
    int big;                   /* bytes per row */
    int runs, done_calls, rc;
    struct err err;
};

struct bench {
    struct faultvfs *disk;
    struct store *store;
    struct writer *writer;
    struct cmd cmds[MAX];
    char trace[4096]; /* s = savepoint, x = rollback_to, r = release, b = before_commit, C = committed, A = aborted, number = answered */
    int fail_before_commit;
    int seen_at_commit; /* rows that another connection sees inside committed() */
    struct store_conn *reader;
};

static void note(struct bench *b, const char *what)
{
    size_t n = strlen(b->trace);
    if (n + strlen(what) + 1 < sizeof b->trace)
        strcpy(b->trace + n, what);
}

static int64_t rows_seen(struct store_conn *c)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, "SELECT count(*) FROM things", &s, &err) < 0 || store_step(s, &err) != 1)
        return -1;
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static int run(struct writer_command *base, struct store_conn *conn, struct err *err)
{
    struct cmd *c = (struct cmd *)base;
    c->runs++;
    if (c->reads_only) {
        rows_seen(conn);
        return c->answer;
    }
    struct store_stmt *s;
    int rc = store_prepare(conn, "INSERT INTO things (cmd, filler) VALUES (?1, zeroblob(?2))", &s, err);
    for (int i = 0; rc == 0 && i < c->rows; i++) {
        store_bind_int(s, 1, c->number);
        store_bind_int(s, 2, c->big);
        rc = store_run(s, NULL, err);
        if (c->swallows)
            rc = 0;
    }
    if (rc == 0 && c->answer < 0)
        rc = err_set(err, c->answer, "as told");
    return rc;
}

static void done(struct writer_command *base, int rc, const struct err *err)
{
    struct cmd *c = (struct cmd *)base;
    c->done_calls++;
    c->rc = rc;
    c->err = *err;
    char text[16];
    snprintf(text, sizeof text, "%d", c->number);
    note(c->bench, text);
    /* The answer is given only when another connection can see the rows. */
    if (rc == 0 && !c->reads_only && c->bench->reader)
        c->bench->seen_at_commit = (int)rows_seen(c->bench->reader);
}

static void on_savepoint(void *b)
{
    note(b, "s");
}
static void on_rollback(void *b)
{
    note(b, "x");
}
static void on_release(void *b)
{
    note(b, "r");
}
static void on_committed(void *b)
{
    note(b, "C");
}
static void on_aborted(void *b)
{
    note(b, "A");
}
static int on_before(void *ctx, struct err *err)
{
    struct bench *b = ctx;
    note(b, "b");
    if (b->fail_before_commit == 0)
        return 0;
    b->fail_before_commit--;
    return err_set(err, ERR_NOMEM, "no memory, as told");
}

static struct bench *bench_open(const char *disk, size_t queue_max, size_t batch_max)
{
    struct bench *b = calloc(1, sizeof *b);
    struct err err;
    assert_non_null(b);
    assert_int_equal(faultvfs_open(disk, 7, &b->disk, &err), 0);
    if (store_open(&(struct store_options){ .path = "shop.db", .vfs = disk, .migrations = schema }, &b->store, &err) < 0)
        fail_msg("%s", err.text);
    struct writer_options o = {
        .store = b->store, .queue_max = queue_max, .batch_max = batch_max, .clock = clock_system(), .checkpoint_pages = 50
    };
    assert_int_equal(writer_open(&o, &b->writer, &err), 0);
    struct writer_hooks h = { b, on_savepoint, on_rollback, on_release, on_before, on_committed, on_aborted };
    writer_add_hooks(b->writer, &h);
    assert_int_equal(store_reader_open(b->store, &b->reader, &err), 0);
    for (int i = 0; i < MAX; i++)
        b->cmds[i] = (struct cmd){ .base = { .run = run, .done = done }, .bench = b, .number = i, .rows = 1 };
    return b;
}

static void bench_close(struct bench *b)
{
    writer_free(b->writer);
    store_reader_close(b->reader);
    store_close(b->store);
    faultvfs_close(b->disk);
    free(b);
}

static void submit(struct bench *b, int from, int to)
{
    struct err err;
    for (int i = from; i < to; i++)
        assert_int_equal(writer_submit(b->writer, &b->cmds[i].base, &err), 0);
}

static int64_t rows_of(struct bench *b, int number)
{
    struct store_stmt *s;
    struct err err;
    assert_int_equal(store_prepare(b->reader, "SELECT count(*) FROM things WHERE cmd = ?1", &s, &err), 0);
    store_bind_int(s, 1, number);
    assert_int_equal(store_step(s, &err), 1);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static void test_a_batch_is_answered_after_its_one_commit(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_batch", 0, 0);
    uint64_t syncs = faultvfs_counts(b->disk).syncs;
    submit(b, 0, 3);
    assert_int_equal(writer_step(b->writer), 3);
    assert_string_equal(b->trace, "srsrsrbC012");
    assert_int_equal(b->seen_at_commit, 3);
    struct writer_stats st;
    writer_stats(b->writer, &st);
    assert_int_equal(st.commands, 3);
    assert_int_equal(st.commits, 1);
    assert_true(faultvfs_counts(b->disk).syncs - syncs <= 2); /* the first commit also syncs the head of the log */
    assert_int_equal(writer_step(b->writer), 0);
    bench_close(b);
}

static void test_no_more_than_a_batch_is_taken_at_once(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_max", 0, 4);
    submit(b, 0, 10);
    assert_int_equal(writer_step(b->writer), 4);
    assert_int_equal(writer_step(b->writer), 4);
    assert_int_equal(writer_step(b->writer), 2);
    assert_int_equal(rows_seen(b->reader), 10);
    bench_close(b);
}

static void test_one_that_fails_is_undone_alone_and_answered_with_the_others(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_one", 0, 0);
    b->cmds[1].answer = ERR_CONFLICT;
    submit(b, 0, 3);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsxAsrsxsrbC012"); /* it had written: all again, with savepoints */
    assert_int_equal(b->cmds[1].rc, ERR_CONFLICT);
    assert_string_equal(b->cmds[1].err.text, "as told");
    assert_int_equal(rows_of(b, 0), 1);
    assert_int_equal(rows_of(b, 1), 0);
    assert_int_equal(rows_of(b, 2), 1);
    bench_close(b);
}

static void test_one_that_fails_before_it_writes_costs_the_others_nothing(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_clean", 0, 0);
    b->cmds[1].answer = ERR_CONFLICT;
    b->cmds[1].rows = 0;
    submit(b, 0, 3);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsxsrbC012");
    assert_int_equal(b->cmds[0].runs, 1);
    assert_int_equal(b->cmds[1].rc, ERR_CONFLICT);
    bench_close(b);
}

static void test_after_a_failure_that_had_written_the_next_batches_run_with_savepoints_at_once(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_guard", 0, 0);
    b->cmds[1].answer = b->cmds[4].answer = ERR_CONFLICT;
    submit(b, 0, 3);
    writer_step(b->writer);
    b->trace[0] = '\0';
    submit(b, 3, 6);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsxsrbC345");
    assert_int_equal(rows_seen(b->reader), 4);
    assert_int_equal(rows_of(b, 4), 0);
    bench_close(b);
}

static void test_a_batch_of_failures_and_one_of_readers_cost_no_sync(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_nosync", 0, 0);
    uint64_t syncs = faultvfs_counts(b->disk).syncs;
    for (int i = 0; i < 5; i++)
        b->cmds[i].answer = ERR_STATE;
    submit(b, 0, 4);
    writer_step(b->writer);
    assert_string_equal(b->trace, "sxAsxsxsxsxA0123");
    submit(b, 4, 5); /* alone */
    writer_step(b->writer);
    b->trace[0] = '\0';
    for (int i = 5; i < 8; i++)
        b->cmds[i].reads_only = true;
    submit(b, 5, 8);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsrsrbC567");
    struct writer_stats st;
    writer_stats(b->writer, &st);
    assert_int_equal(st.commits, 0);
    assert_int_equal(st.rolled_back, 5);
    assert_int_equal(faultvfs_counts(b->disk).syncs, syncs);
    bench_close(b);
}

static void test_a_full_queue_and_a_stopping_writer_refuse_at_once(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_full", 3, 0);
    struct err err;
    submit(b, 0, 3);
    assert_int_equal(writer_submit(b->writer, &b->cmds[3].base, &err), ERR_BUSY);
    assert_string_equal(err.reason, "queue_full");
    struct writer_stats st;
    writer_stats(b->writer, &st);
    assert_int_equal(st.refused_full, 1);
    assert_int_equal(st.queue_depth, 3);
    writer_step(b->writer);
    submit(b, 3, 4);
    writer_stop(b->writer);
    assert_int_equal(b->cmds[3].done_calls, 1); /* what was queued is finished */
    assert_int_equal(writer_submit(b->writer, &b->cmds[4].base, &err), ERR_BUSY);
    assert_string_equal(err.reason, "stopping");
    bench_close(b);
}

static void test_one_share_cannot_fill_the_queue(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_share", 8, 0);
    struct err err;
    for (int i = 0; i < 4; i++)
        b->cmds[i].base.share = 7;
    submit(b, 0, 2);
    assert_int_equal(writer_submit(b->writer, &b->cmds[2].base, &err), ERR_BUSY);
    assert_string_equal(err.reason, "share_full");
    b->cmds[4].base.share = 8;
    submit(b, 4, 7); /* others have room: another share, and nobody's */
    writer_step(b->writer);
    submit(b, 2, 4); /* and so has the first one, when its commands were taken */
    writer_step(b->writer);
    struct writer_stats st;
    writer_stats(b->writer, &st);
    assert_int_equal(st.refused_share, 1);
    assert_int_equal(st.refused_full, 0);
    bench_close(b);
}

static void test_a_commit_that_fails_resets_memory_and_each_runs_alone(void **state)
{
    (void)state;
    static const enum faultvfs_kind kinds[] = { FAULTVFS_FULL, FAULTVFS_WRITE, FAULTVFS_SYNC };
    for (size_t k = 0; k < 3; k++) {
        struct bench *b = bench_open("wt_commit", 0, 0);
        faultvfs_fail(b->disk, kinds[k], 1, 1);
        submit(b, 0, 3);
        writer_step(b->writer);
        assert_string_equal(b->trace, "srsrsrbAsrbCsrbCsrbC012");
        for (int i = 0; i < 3; i++) {
            assert_int_equal(b->cmds[i].rc, 0);
            assert_int_equal(b->cmds[i].runs, 2);
            assert_int_equal(b->cmds[i].done_calls, 1);
            assert_int_equal(rows_of(b, i), 1);
        }
        struct writer_stats st;
        writer_stats(b->writer, &st);
        assert_int_equal(st.retried_alone, 3);
        bench_close(b);
    }
}

static void test_while_the_disk_is_full_reads_go_on_and_writes_recover_when_there_is_space(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_space", 0, 0);
    submit(b, 0, 1);
    writer_step(b->writer);
    faultvfs_fail(b->disk, FAULTVFS_FULL, 1, 1000);
    b->cmds[2].reads_only = true;
    submit(b, 1, 4);
    writer_step(b->writer);
    assert_int_equal(b->cmds[1].rc, ERR_FULL);
    assert_string_equal(b->cmds[1].err.reason, "disk_full");
    assert_int_equal(b->cmds[2].rc, 0);
    assert_int_equal(b->cmds[3].rc, ERR_FULL);
    assert_int_equal(rows_seen(b->reader), 1);
    faultvfs_fail(b->disk, FAULTVFS_FULL, 0, 0);
    submit(b, 4, 6);
    writer_step(b->writer);
    assert_int_equal(b->cmds[4].rc, 0);
    assert_int_equal(rows_seen(b->reader), 3);
    bench_close(b);
}

/* Below the length at which it is usually done: what the log holds is room that nobody else can give. */
static void test_on_a_full_disk_the_log_is_moved_into_the_file_and_begins_anew(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_room", 0, 0);
    struct writer_stats before, after;
    for (int i = 0; i < 8; i++) {
        b->cmds[i].big = 6000;
        submit(b, i, i + 1);
        writer_step(b->writer);
    }
    writer_stats(b->writer, &before);
    assert_true(before.wal_pages > 10 && before.wal_pages < 50);
    faultvfs_fail(b->disk, FAULTVFS_FULL, 1, 1);
    submit(b, 8, 9);
    writer_step(b->writer);
    assert_int_equal(b->cmds[8].rc, ERR_FULL);
    faultvfs_fail(b->disk, FAULTVFS_FULL, 0, 0);
    submit(b, 9, 10);
    writer_step(b->writer);
    assert_int_equal(b->cmds[9].rc, 0);
    writer_stats(b->writer, &after);
    assert_true(after.wal_pages < before.wal_pages);
    assert_int_equal(rows_seen(b->reader), 9);
    bench_close(b);
}

/* A command that needs more pages than there are ends the whole transaction in the middle of the batch. */
static void full_in_the_middle(bool swallows)
{
    struct bench *b = bench_open("wt_middle", 0, 0);
    struct store_stmt *s;
    struct err err;
    assert_int_equal(store_prepare(store_writer_conn(b->store), "PRAGMA max_page_count=30", &s, &err), 0);
    assert_int_equal(store_step(s, &err), 1);
    store_reset(s);
    b->cmds[1].rows = 100;
    b->cmds[1].big = 3000;
    b->cmds[1].swallows = swallows;
    submit(b, 0, 3);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsAsrbCsAsrbC012");
    assert_int_equal(b->cmds[0].rc, 0);
    assert_int_equal(b->cmds[1].rc, swallows ? ERR_IO : ERR_FULL);
    assert_int_equal(b->cmds[2].rc, 0);
    assert_int_equal(rows_of(b, 0), 1);
    assert_int_equal(rows_of(b, 1), 0);
    assert_int_equal(rows_of(b, 2), 1);
    bench_close(b);
}

static void test_a_disk_that_runs_full_in_the_middle_fails_only_the_one_that_needs_the_space(void **state)
{
    (void)state;
    full_in_the_middle(false);
}

static void test_one_that_swallows_the_loss_of_the_transaction_writes_nothing_and_fails(void **state)
{
    (void)state;
    full_in_the_middle(true);
}

static void test_a_hook_that_fails_before_the_commit_is_a_failed_commit(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_hook", 0, 0);
    b->fail_before_commit = 2;
    submit(b, 0, 2);
    writer_step(b->writer);
    assert_string_equal(b->trace, "srsrbAsrbAsrbC01");
    assert_int_equal(b->cmds[0].rc, ERR_NOMEM);
    assert_int_equal(b->cmds[1].rc, 0);
    assert_int_equal(rows_of(b, 0), 0);
    assert_int_equal(rows_of(b, 1), 1);
    bench_close(b);
}

static void first_savepoint(void *t)
{
    strcat(t, "1s");
}
static void second_savepoint(void *t)
{
    strcat(t, "2s");
}
static void first_rollback(void *t)
{
    strcat(t, "1x");
}
static void second_rollback(void *t)
{
    strcat(t, "2x");
}
static void first_aborted(void *t)
{
    strcat(t, "1A");
}
static void second_aborted(void *t)
{
    strcat(t, "2A");
}

static void test_hooks_are_called_in_order_and_undone_in_reverse(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_order", 0, 0);
    char trace[64] = "";
    writer_add_hooks(b->writer, &(struct writer_hooks){
                                    .ctx = trace, .savepoint = first_savepoint, .rollback_to = first_rollback, .aborted = first_aborted });
    writer_add_hooks(
        b->writer,
        &(struct writer_hooks){ .ctx = trace, .savepoint = second_savepoint, .rollback_to = second_rollback, .aborted = second_aborted });
    b->cmds[0].answer = b->cmds[1].answer = ERR_STATE;
    b->cmds[0].rows = b->cmds[1].rows = 0;
    submit(b, 0, 2);
    writer_step(b->writer);
    assert_string_equal(trace, "1s2s2x1x1s2s2x1x2A1A");
    bench_close(b);
}

static void test_the_log_is_moved_into_the_file_while_nobody_waits(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_ckpt", 0, 0);
    int64_t largest = 0;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 50; i++) {
            b->cmds[i].rows = 5;
            b->cmds[i].big = 1000;
        }
        submit(b, 0, 50);
        writer_step(b->writer);
        int64_t size = faultvfs_size(b->disk, "shop.db-wal");
        largest = size > largest ? size : largest;
    }
    assert_int_equal(rows_seen(b->reader), 20 * 50 * 5);
    assert_true(faultvfs_size(b->disk, "shop.db") > 4000000);
    assert_true(largest < 2000000);
    bench_close(b);
}

/* --- with a thread ------------------------------------------------------------------------------------------------------- */

struct pool {
    struct bench *b;
    int from, to;
    _Atomic int *refused;
};

static void *submitter(void *arg)
{
    struct pool *p = arg;
    for (int i = p->from; i < p->to;) {
        if (writer_submit(p->b->writer, &p->b->cmds[i].base, NULL) == 0)
            i++;
        else
            (*p->refused)++;
    }
    return NULL;
}

static void *reading(void *arg)
{
    struct bench *b = arg;
    struct store_conn *r;
    int64_t last = 0;
    if (store_reader_open(b->store, &r, NULL) < 0)
        return (void *)1;
    struct writer_stats st;
    for (int i = 0; i < 200; i++) {
        int64_t n = rows_seen(r);
        writer_stats(b->writer, &st);
        if (n < last)
            return (void *)1;
        last = n;
    }
    store_reader_close(r);
    return NULL;
}

static int begin_ok(void *ctx, struct err *err)
{
    (void)err;
    ++*(int *)ctx;
    return 0;
}

static void end_ok(void *ctx)
{
    *(int *)ctx += 10;
}

static void test_threads_submit_while_readers_read_and_every_one_is_answered_once(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_threads", 8, 0);
    store_reader_close(b->reader);
    b->reader = NULL; /* done() runs on the writer's thread now */
    writer_free(b->writer);
    struct err err;
    int begun = 0;
    struct writer_options o = {
        .store = b->store, .queue_max = 8, .clock = clock_system(), .thread_begin = begin_ok, .thread_end = end_ok, .thread_ctx = &begun
    };
    assert_int_equal(writer_open(&o, &b->writer, &err), 0);
    assert_int_equal(writer_start(b->writer, &err), 0);
    assert_int_equal(begun, 1);
    _Atomic int refused = 0;
    pthread_t t[4], r[2];
    struct pool pools[4];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&r[i], NULL, reading, b), 0);
    for (int i = 0; i < 4; i++) {
        pools[i] = (struct pool){ b, i * 100, i * 100 + 100, &refused };
        assert_int_equal(pthread_create(&t[i], NULL, submitter, &pools[i]), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < 2; i++) {
        void *bad;
        pthread_join(r[i], &bad);
        assert_null(bad);
    }
    writer_stop(b->writer);
    assert_int_equal(begun, 11);
    for (int i = 0; i < 400; i++)
        assert_int_equal(b->cmds[i].done_calls, 1);
    assert_int_equal(rows_seen(store_writer_conn(b->store)), 400);
    struct writer_stats st;
    writer_stats(b->writer, &st);
    assert_int_equal(st.commands, 400);
    assert_int_equal(st.refused_full, (uint64_t)refused);
    assert_true(st.commits <= 400 && st.commit_ns_p99 >= st.commit_ns_p50);
    bench_close(b);
}

static int begin_bad(void *ctx, struct err *err)
{
    (void)ctx;
    return err_set(err, ERR_SCRIPT, "shop.lua:3: no");
}

static void test_a_thread_that_can_not_begin_is_reported_by_start(void **state)
{
    (void)state;
    struct bench *b = bench_open("wt_begin", 0, 0);
    writer_free(b->writer);
    struct err err;
    assert_int_equal(writer_open(&(struct writer_options){ .store = b->store, .thread_begin = begin_bad }, &b->writer, &err), 0);
    assert_int_equal(writer_start(b->writer, &err), ERR_SCRIPT);
    assert_string_equal(err.text, "shop.lua:3: no");
    assert_int_equal(writer_submit(b->writer, &b->cmds[0].base, &err), ERR_BUSY);
    bench_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_batch_is_answered_after_its_one_commit),
        cmocka_unit_test(test_no_more_than_a_batch_is_taken_at_once),
        cmocka_unit_test(test_one_that_fails_is_undone_alone_and_answered_with_the_others),
        cmocka_unit_test(test_one_that_fails_before_it_writes_costs_the_others_nothing),
        cmocka_unit_test(test_after_a_failure_that_had_written_the_next_batches_run_with_savepoints_at_once),
        cmocka_unit_test(test_a_batch_of_failures_and_one_of_readers_cost_no_sync),
        cmocka_unit_test(test_a_full_queue_and_a_stopping_writer_refuse_at_once),
        cmocka_unit_test(test_one_share_cannot_fill_the_queue),
        cmocka_unit_test(test_a_commit_that_fails_resets_memory_and_each_runs_alone),
        cmocka_unit_test(test_while_the_disk_is_full_reads_go_on_and_writes_recover_when_there_is_space),
        cmocka_unit_test(test_on_a_full_disk_the_log_is_moved_into_the_file_and_begins_anew),
        cmocka_unit_test(test_a_disk_that_runs_full_in_the_middle_fails_only_the_one_that_needs_the_space),
        cmocka_unit_test(test_one_that_swallows_the_loss_of_the_transaction_writes_nothing_and_fails),
        cmocka_unit_test(test_a_hook_that_fails_before_the_commit_is_a_failed_commit),
        cmocka_unit_test(test_hooks_are_called_in_order_and_undone_in_reverse),
        cmocka_unit_test(test_the_log_is_moved_into_the_file_while_nobody_waits),
        cmocka_unit_test(test_threads_submit_while_readers_read_and_every_one_is_answered_once),
        cmocka_unit_test(test_a_thread_that_can_not_begin_is_reported_by_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
