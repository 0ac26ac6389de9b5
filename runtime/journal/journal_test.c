#include "journal/journal.h"
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

static struct store_migration schema[] = { { 1, "journal", NULL }, { 0 } };
static const unsigned char hash_a[32] = { 1, 2, 3 }, hash_b[32] = { 3, 2, 1 };

#define S(text) slice_str(text)

static struct store *open_at(const char *path, const char *vfs)
{
    struct store *s;
    struct err err;
    schema[0].sql = journal_schema_sql();
    if (store_open(&(struct store_options){ .path = path, .vfs = vfs, .migrations = schema }, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static int64_t count(struct store_conn *c, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, sql, &s, &err) < 0 || store_step(s, &err) != 1)
        fail_msg("%s", err.text);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static void test_an_answer_is_found_byte_for_byte_under_its_key_scope_and_request(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct idempotency_answer a;
    struct err err;
    struct slice body = slice_of("{\"a\":\"\0\xff\"}", 11);
    assert_int_equal(idempotency_find(c, S("cus_1"), S("k"), hash_a, &a, &err), 0);
    assert_int_equal(idempotency_store(c, S("cus_1"), S("k"), hash_a, 201, body, 1000, &err), 0);
    assert_int_equal(idempotency_find(c, S("cus_1"), S("k"), hash_a, &a, &err), 1);
    assert_int_equal(a.status, 201);
    assert_true(slice_eq(a.body, body));
    assert_int_equal(idempotency_find(c, S("cus_1"), S("k"), hash_b, &a, &err), ERR_MISMATCH);
    assert_string_equal(err.field, "Idempotency-Key");
    assert_int_equal(idempotency_find(c, S("cus_2"), S("k"), hash_b, &a, &err), 0);
    assert_int_equal(idempotency_store(c, S("cus_2"), S("k"), hash_b, 200, S(""), 1000, &err), 0);
    assert_int_equal(idempotency_find(c, S("cus_2"), S("k"), hash_b, &a, &err), 1);
    assert_int_equal(a.body.len, 0);
    assert_int_equal(idempotency_store(c, S("cus_2"), S("k"), hash_b, 200, S(""), 1000, &err), ERR_CONFLICT);
    store_close(s);
}

static void test_a_key_has_one_to_255_bytes(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct idempotency_answer a;
    struct err err;
    char key[256];
    memset(key, 'k', sizeof key);
    assert_int_equal(idempotency_find(c, S("x"), slice_of(key, 256), hash_a, &a, &err), ERR_INVALID);
    assert_int_equal(idempotency_store(c, S("x"), slice_of(key, 256), hash_a, 200, S(""), 1, &err), ERR_INVALID);
    assert_int_equal(idempotency_find(c, S("x"), S(""), hash_a, &a, &err), ERR_INVALID);
    assert_int_equal(idempotency_store(c, S("x"), slice_of(key, 255), hash_a, 200, S(""), 1, &err), 0);
    assert_int_equal(idempotency_find(c, S("x"), slice_of(key, 255), hash_a, &a, &err), 1);
    store_close(s);
}

static void store_at(struct store_conn *c, const char *key, int64_t ms)
{
    struct err err;
    if (idempotency_store(c, S("x"), S(key), hash_a, 200, S("b"), ms, &err) < 0)
        fail_msg("%s", err.text);
}

static void test_the_oldest_are_swept_first_whatever_the_clock_did(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct idempotency_answer a;
    struct err err;
    int64_t removed = -1;
    store_at(c, "wrong-clock", 900000000000);
    store_at(c, "old-1", 1000);
    store_at(c, "old-2", 1000);
    store_at(c, "old-3", 1001);
    store_at(c, "new", 5000);
    assert_int_equal(idempotency_sweep(c, 2000, 2, &removed, &err), 0);
    assert_int_equal(removed, 2);
    assert_int_equal(idempotency_find(c, S("x"), S("old-3"), hash_a, &a, &err), 1);
    assert_int_equal(idempotency_sweep(c, 2000, 2, &removed, &err), 0);
    assert_int_equal(removed, 1);
    assert_int_equal(idempotency_sweep(c, 2000, 2, NULL, &err), 0);
    assert_int_equal(idempotency_find(c, S("x"), S("new"), hash_a, &a, &err), 1);
    assert_int_equal(idempotency_find(c, S("x"), S("wrong-clock"), hash_a, &a, &err), 1);
    assert_int_equal(idempotency_sweep(c, 900000000001, 100, &removed, &err), 0);
    assert_int_equal(removed, 2);
    store_close(s);
}

struct seen {
    int n, stop_at;
    int64_t id[8], due[8];
    char text[128];
};

static int see(void *ctx, const struct timer_due *t)
{
    struct seen *s = ctx;
    s->id[s->n] = t->id;
    s->due[s->n++] = t->due_ms;
    size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%.*s(%.*s) ", SLICE_FMT(t->procedure), SLICE_FMT(t->key));
    return s->n == s->stop_at ? 7 : 0;
}

static struct seen due(struct store_conn *c, int64_t now, int limit)
{
    struct seen s = { 0 };
    struct err err;
    assert_int_equal(timer_each_due(c, now, limit, see, &s, &err), 0);
    return s;
}

static void test_a_parked_timer_waits_and_comes_back_as_it_was(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    int64_t moved = 0, at = 0;
    assert_int_equal(timer_set(c, S("plugin:a.x"), S("1"), 1000, &err), 0);
    assert_int_equal(timer_set(c, S("plugin:ab.x"), S("1"), 1100, &err), 0);
    assert_int_equal(timer_set(c, S("orders.expire"), S("1"), 5000, &err), 0);
    assert_int_equal(timer_any_parked(c, &err), 0);
    struct seen first = due(c, 2000, 10);
    assert_int_equal(first.n, 2);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(timer_park(c, first.id[i], first.due[i], &err), 0);
    assert_int_equal(timer_park(c, first.id[0], first.due[0], &err), ERR_NOT_FOUND);
    assert_int_equal(timer_any_parked(c, &err), 1);
    assert_int_equal(due(c, INT64_MAX / 4096, 10).n, 1);
    assert_int_equal(timer_next_due(c, &at, &err), 1);
    assert_int_equal(at, 5000);
    assert_int_equal(timer_done(c, first.id[0], first.due[0], &err), ERR_NOT_FOUND); /* whoever had seen it due must not run it */
    assert_int_equal(timer_unpark(c, SLICE_LIT("plugin:a."), SLICE_LIT("plugin:a0"), 10, &moved, &err), 0);
    assert_int_equal(moved, 1);
    assert_string_equal(due(c, 2000, 10).text, "plugin:a.x(1) ");
    assert_int_equal(due(c, 2000, 10).due[0], 1000);
    /* Of several those come first that were due first. */
    assert_int_equal(timer_set(c, S("plugin:b.x"), S("later"), 1900, &err), 0);
    assert_int_equal(timer_set(c, S("plugin:b.x"), S("x-earlier"), 1800, &err), 0);
    struct seen both = due(c, 2000, 10);
    for (int i = 0; i < both.n; i++)
        assert_int_equal(timer_park(c, both.id[i], both.due[i], &err), 0);
    assert_int_equal(timer_unpark(c, SLICE_LIT("plugin:b."), SLICE_LIT("plugin:b0"), 1, &moved, &err), 0);
    assert_string_equal(due(c, 2000, 10).text, "plugin:b.x(x-earlier) ");
    assert_int_equal(timer_unpark(c, SLICE_LIT("plugin:"), SLICE_LIT("plugin:ab"), 10, &moved, &err), 0);
    assert_int_equal(timer_unpark(c, SLICE_LIT("plugin:b."), SLICE_LIT("plugin:b0"), 10, &moved, &err), 0);
    assert_int_equal(moved, 1);
    /* Setting one anew brings it back, too; nobody can set one as if it were parked. */
    assert_int_equal(timer_set(c, S("plugin:ab.x"), S("1"), INT64_MAX, &err), 0);
    assert_int_equal(timer_any_parked(c, &err), 0);
    store_close(s);
}

static void test_timers_come_due_earliest_first_and_up_to_the_limit(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    int64_t at = 0;
    assert_int_equal(timer_next_due(c, &at, &err), 0);
    assert_int_equal(timer_set(c, S("orders.expire"), S("2"), 2000, &err), 0);
    assert_int_equal(timer_set(c, S("orders.expire"), S("1"), 1000, &err), 0);
    assert_int_equal(timer_set(c, S("group.lapse"), S("1"), 1500, &err), 0);
    assert_int_equal(timer_next_due(c, &at, &err), 1);
    assert_int_equal(at, 1000);
    assert_int_equal(due(c, 999, 10).n, 0);
    assert_string_equal(due(c, 1500, 10).text, "orders.expire(1) group.lapse(1) ");
    assert_string_equal(due(c, 9000, 2).text, "orders.expire(1) group.lapse(1) ");
    struct seen stopped = { .stop_at = 1 };
    assert_int_equal(timer_each_due(c, 9000, 10, see, &stopped, &err), 7);
    assert_int_equal(stopped.n, 1);
    assert_int_equal(timer_cancel(c, S("orders.expire"), S("1"), &err), 0);
    assert_int_equal(timer_cancel(c, S("orders.expire"), S("1"), &err), 0);
    assert_string_equal(due(c, 9000, 10).text, "group.lapse(1) orders.expire(2) ");
    store_close(s);
}

static void test_a_timer_fires_once_and_not_when_it_was_moved_or_its_number_is_another_ones(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    assert_int_equal(timer_set(c, S("p"), S("k"), 1000, &err), 0);
    struct seen first = due(c, 1000, 10);
    assert_int_equal(timer_set(c, S("p"), S("k"), 3000, &err), 0); /* moved meanwhile */
    assert_int_equal(timer_done(c, first.id[0], first.due[0], &err), ERR_NOT_FOUND);
    assert_string_equal(err.reason, "timer_gone");
    struct seen second = due(c, 3000, 10);
    assert_int_equal(second.n, 1);
    assert_int_equal(timer_done(c, second.id[0], second.due[0], &err), 0);
    assert_int_equal(timer_done(c, second.id[0], second.due[0], &err), ERR_NOT_FOUND);
    assert_int_equal(timer_set(c, S("p"), S("k"), 3000, &err), 0); /* its procedure set it anew for the same time */
    assert_int_equal(timer_done(c, second.id[0], second.due[0], &err), ERR_NOT_FOUND);
    assert_int_equal(due(c, 3000, 10).n, 1);
    store_close(s);
}

static void test_what_is_next_is_found_at_once_among_very_many(void **state)
{
    (void)state;
    struct store *s = open_at(":memory:", NULL);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    struct store_stmt *fill;
    assert_int_equal(store_prepare(c,
                                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
                                   " INSERT INTO journal_timers (procedure, key, due_ms) SELECT 'p', 'k' || i, 1000000 + i FROM n",
                                   &fill, &err),
                     0);
    assert_int_equal(store_run(fill, NULL, &err), 0);
    int64_t at;
    for (int i = 0; i < 20000; i++) { /* would take minutes if it looked at them all */
        assert_int_equal(timer_next_due(c, &at, &err), 1);
        assert_int_equal(at, 1000001);
    }
    assert_int_equal(due(c, 0, 10).n, 0);
    store_close(s);
}

/* --- power cuts: the effect, the answer and the timer exist together or not at all -------------------------------------------- */

struct request {
    struct writer_command base;
    int number;
    bool answered;
    struct idempotency_answer replay;
};

static int serve(struct writer_command *base, struct store_conn *c, struct err *err)
{
    struct request *r = (struct request *)base;
    char key[16], body[32];
    snprintf(key, sizeof key, "k%d", r->number);
    snprintf(body, sizeof body, "{\"order\":%d}", r->number);
    int rc = idempotency_find(c, S("cus"), S(key), hash_a, &r->replay, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    rc = timer_set(c, S("orders.expire"), S(key), 1000 + r->number, err);
    return rc < 0 ? rc : idempotency_store(c, S("cus"), S(key), hash_a, 201, S(body), r->number / 5, err);
}

static void served(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct request *r = (struct request *)base;
    r->answered = r->answered || rc == 0;
}

enum { REQUESTS = 3000 };

static void check_request(struct store_conn *c, const struct request *r)
{
    char key[16], body[32];
    struct idempotency_answer a;
    struct err err;
    struct store_stmt *s;
    snprintf(key, sizeof key, "k%d", r->number);
    snprintf(body, sizeof body, "{\"order\":%d}", r->number);
    int found = idempotency_find(c, S("cus"), S(key), hash_a, &a, &err);
    assert_int_equal(store_prepare(c, "SELECT count(*) FROM journal_timers WHERE procedure = 'orders.expire' AND key = ?1", &s, &err), 0);
    store_bind_text(s, 1, S(key));
    assert_int_equal(store_step(s, &err), 1);
    assert_int_equal(store_column_int(s, 0), found);
    store_reset(s);
    if (r->answered && found != 1)
        fail_msg("request %d was answered and is forgotten", r->number);
    if (found)
        assert_true(slice_is(a.body, body));
}

static void test_after_a_power_cut_a_request_that_was_answered_is_answered_the_same(void **state)
{
    (void)state;
    struct random_seeded random;
    struct faultvfs *disk;
    struct request *all = calloc(REQUESTS, sizeof *all);
    int next = 0, answered = 0;
    assert_non_null(all);
    random_seeded_init(&random, 5);
    assert_int_equal(faultvfs_open("journal_cuts", 5, &disk, NULL), 0);
    store_close(open_at("shop.db", "journal_cuts"));
    while (next < REQUESTS - 40) {
        struct writer *w;
        struct store *s = open_at("shop.db", "journal_cuts");
        assert_int_equal(writer_open(&(struct writer_options){ .store = s, .checkpoint_pages = 25 }, &w, NULL), 0);
        faultvfs_cut_at(disk, 1 + random_seeded_next(&random) % 200);
        while (!faultvfs_is_cut(disk) && next < REQUESTS - 40) {
            for (uint64_t n = 1 + random_seeded_next(&random) % 20; n > 0; n--) {
                all[next] = (struct request){ .base = { .run = serve, .done = served }, .number = next };
                writer_submit(w, &all[next++].base, NULL);
            }
            writer_step(w);
            /* And an earlier one once more: it must find its answer, or be new because it never got one. */
            writer_submit(w, &all[random_seeded_next(&random) % (uint64_t)next].base, NULL);
            writer_step(w);
        }
        writer_free(w);
        store_close(s);
        faultvfs_restart(disk);
        s = open_at("shop.db", "journal_cuts");
        for (int i = 0; i < next; i++)
            check_request(store_writer_conn(s), &all[i]);
        store_close(s);
    }
    for (int i = 0; i < next; i++)
        answered += all[i].answered;
    struct store *s = open_at("shop.db", "journal_cuts");
    assert_true(count(store_writer_conn(s), "SELECT count(*) FROM journal_idempotency") >= answered);
    store_close(s);
    assert_true(answered > REQUESTS / 2 && faultvfs_counts(disk).cuts > 20);
    faultvfs_close(disk);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_found_byte_for_byte_under_its_key_scope_and_request),
        cmocka_unit_test(test_a_key_has_one_to_255_bytes),
        cmocka_unit_test(test_the_oldest_are_swept_first_whatever_the_clock_did),
        cmocka_unit_test(test_a_parked_timer_waits_and_comes_back_as_it_was),
        cmocka_unit_test(test_timers_come_due_earliest_first_and_up_to_the_limit),
        cmocka_unit_test(test_a_timer_fires_once_and_not_when_it_was_moved_or_its_number_is_another_ones),
        cmocka_unit_test(test_what_is_next_is_found_at_once_among_very_many),
        cmocka_unit_test(test_after_a_power_cut_a_request_that_was_answered_is_answered_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
