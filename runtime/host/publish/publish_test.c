/* A whole shop in a folder of its own, one worker on the test's thread, the publisher on its. */
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include "host/care/stops.h"
#include "host/worker.h"
#include "rulebook/manifests.h"
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char dir[64];
    struct shop *shop;
    struct worker *worker;
    struct publish_job job;
    struct err err;
};

static void put(struct fixture *f, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void put_campaign(struct fixture *f, int percent)
{
    char text[300];
    snprintf(text, sizeof text,
             "local promo = require 'feira.promo'\nreturn promo.campaign { id = 'c', give = promo.percent_off { percent = %d } }\n",
             percent);
    put(f, "campaigns/c.lua", text);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[100];
    strcpy(f->dir, "/tmp/publish-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(path, sizeof path, "%s/campaigns", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    put(f, "shop.lua", "return { name = 'Test', currency = 'EUR' }\n");
    put_campaign(f, 1);
    struct shop_options o = { .dir = f->dir, .clock = clock_system(), .random = random_system() };
    if (shop_open(&o, &f->shop, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(worker_open(f->shop, 0, WORKER_FOR_CLIENTS, &f->worker, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char command[100];
    worker_close(f->worker);
    shop_close(f->shop);
    snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    int rc = system(command);
    free(f);
    return rc;
}

static void done(struct publish_job *job)
{
    struct fixture *f = (struct fixture *)((char *)job - offsetof(struct fixture, job));
    loop_stop(f->worker->loop);
}

/* The worker's loop runs until the job is done, and takes its seat meanwhile. */
static int run(struct fixture *f, enum publish_kind kind, const char *generation)
{
    f->job = (struct publish_job){ .kind = kind, .how = "test", .author = "test", .done = done };
    snprintf(f->job.generation, sizeof f->job.generation, "%s", generation);
    assert_int_equal(publisher_submit(f->shop->publisher, &f->job, &f->err), 0);
    loop_run(f->worker->loop);
    return f->job.rc;
}

static int publish(struct fixture *f, int percent)
{
    put_campaign(f, percent);
    return run(f, PUBLISH_FOLDER, "");
}

static uint64_t draining(struct fixture *f)
{
    struct publish_stats st;
    publisher_stats(f->shop->publisher, &st);
    return st.draining;
}

static void the_worker_has_its_seat_when_the_publisher_says_live(void **state)
{
    struct fixture *f = *state;
    struct seat *before = f->worker->seat;
    assert_int_equal(publish(f, 2), 0);
    assert_true(f->job.changed);
    assert_ptr_not_equal(f->worker->seat, before);
    assert_string_equal(generation_id(f->worker->seat->generation), f->job.live);
    assert_int_equal(publish(f, 2), 0);
    assert_false(f->job.changed);
}

static void a_broken_folder_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct seat *before = f->worker->seat;
    put(f, "campaigns/broken.lua", "return {\n");
    assert_int_equal(publish(f, 2), ERR_INVALID);
    assert_string_equal(f->job.err.reason, "rules_refused");
    assert_non_null(strstr(f->job.err.text, "campaigns/broken.lua:"));
    assert_ptr_equal(f->worker->seat, before);
    assert_int_equal(draining(f), 0);
}

static size_t manifests(const struct fixture *f)
{
    return manifests_count(f->shop->manifests);
}

/* However many generations are kept. */
static void a_manifest_that_did_not_change_is_read_once(void **state)
{
    struct fixture *f = *state;
    char path[100];
    snprintf(path, sizeof path, "%s/plugins", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/plugins/one", f->dir);
    assert_int_equal(mkdir(path, 0700), 0);
    put(f, "shop.lua", "return { name = 'Test', currency = 'EUR', plugins = { one = {} } }\n");
    put(f, "plugins/one/plugin.lua", "return { name = 'one', version = '1.0.0', api = 1, title = 'One' }\n");
    for (int percent = 2; percent < 6; percent++) {
        assert_int_equal(publish(f, percent), 0);
        assert_int_equal(manifests(f), 1);
    }
    put(f, "plugins/one/plugin.lua", "return { name = 'one', version = '1.0.1', api = 1, title = 'One' }\n");
    assert_int_equal(publish(f, 7), 0);
    assert_int_equal(manifests(f), 2); /* the old one can be gone back to */
    for (int percent = 8; percent < 20; percent++)
        assert_int_equal(publish(f, percent), 0);
    assert_int_equal(manifests(f), 1);
}

/* What a publish makes goes when its generation is forgotten. Sanitizers have their own malloc: they look for what nobody has any more. */
static void memory_does_not_grow_with_publishes(void **state)
{
    struct fixture *f = *state;
    enum {
        WARM = 60,
        TIMES = 200,
        MARKS = 12,
        GROWTH_MAX = 1000 * TIMES
    }; /* the store caches a row of its own for each, and one of the audit log */
    for (int i = 0; i < WARM; i++)
        assert_int_equal(publish(f, 1 + i % MARKS), 0);
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(publish(f, 1 + i % MARKS), 0);
    size_t after = mallinfo2().uordblks;
    print_message("%zu bytes before, %zu after\n", before, after);
    assert_true(after < before + GROWTH_MAX);
}

/* The files that are the same are not compiled again, nor is the stdlib, by whichever state. */
static void only_what_changed_is_compiled(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(publish(f, 2), 0);
    for (int percent = 3; percent < 15; percent++) {
        struct vm_code_stats before = vm_code_stats(f->shop->code);
        assert_int_equal(publish(f, percent), 0);
        struct vm_code_stats after = vm_code_stats(f->shop->code);
        assert_int_equal(after.misses - before.misses, 1);
        assert_true(after.hits - before.hits >= 4); /* shop.lua, the stdlib's promo in two states, the campaign in the other one */
        assert_true(after.entries <= before.entries + 1);
    }
    struct vm_code_stats stats = vm_code_stats(f->shop->code);
    for (int percent = 15; percent < 25; percent++)
        assert_int_equal(publish(f, percent), 0);
    assert_int_equal(vm_code_stats(f->shop->code).entries, stats.entries); /* old campaigns are forgotten */
}

static void an_error_says_where_also_in_code_that_was_not_compiled_again(void **state)
{
    struct fixture *f = *state;
    put(f, "campaigns/fails.lua", "local promo = require 'feira.promo'\nlocal t = {}\nlocal x = t.scope.first\nreturn {}\n");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(publish(f, 2 + i), ERR_INVALID);
        assert_non_null(strstr(f->job.err.text, "campaigns/fails.lua:3: attempt to index a nil value (field 'scope')"));
        assert_non_null(strstr(f->job.err.text, "local x = t.scope.first"));
    }
}

static void a_held_seat_keeps_its_edition_until_it_is_let_go(void **state)
{
    struct fixture *f = *state;
    struct seat *held = f->worker->seat;
    worker_hold(held);
    worker_hold(held);
    assert_int_equal(publish(f, 2), 0);
    assert_int_equal(draining(f), 1);
    assert_ptr_equal(f->worker->left, held);
    assert_int_equal(procedures_enter(f->shop, held->edition, &f->err), 0);
    assert_true(held->edition->bind->outdated);
    assert_int_equal(procedures_enter(f->shop, f->worker->seat->edition, &f->err), 0);
    assert_false(f->worker->seat->edition->bind->outdated);
    worker_let_go(f->worker, held);
    assert_ptr_equal(f->worker->left, held);
    worker_let_go(f->worker, held);
    assert_null(f->worker->left);
    assert_int_equal(publish(f, 3), 0); /* closes what was buried before */
    for (int i = 0; i < 500 && draining(f); i++)
        usleep(10000);
    assert_int_equal(draining(f), 0);
}

static void what_waits_under_the_fifth_from_last_is_refused(void **state)
{
    struct fixture *f = *state;
    struct seat *held[6];
    for (int i = 0; i < 6; i++) {
        held[i] = f->worker->seat;
        worker_hold(held[i]);
        assert_int_equal(publish(f, 10 + i), 0);
    }
    assert_int_equal(procedures_enter(f->shop, held[0]->edition, &f->err), ERR_BUSY);
    assert_int_equal(procedures_enter(f->shop, held[1]->edition, &f->err), ERR_BUSY);
    for (int i = 2; i < 6; i++)
        assert_int_equal(procedures_enter(f->shop, held[i]->edition, &f->err), 0);
    for (int i = 0; i < 6; i++)
        worker_let_go(f->worker, held[i]);
    assert_null(f->worker->left);
}

static void an_offer_that_was_not_taken_gives_way_to_the_next(void **state)
{
    struct fixture *f = *state;
    struct seat *first, *second;
    struct edition *e = publisher_live(f->shop->publisher);
    assert_int_equal(seat_open(f->shop, e, e->generation, &first, &f->err), 0);
    assert_int_equal(seat_open(f->shop, e, e->generation, &second, &f->err), 0);
    assert_null(worker_offer(f->worker, first));
    assert_ptr_equal(worker_offer(f->worker, second), first);
    seat_close(first);
    assert_int_equal(publish(f, 2), 0); /* the loop runs, and takes both that are left */
    edition_unref(e);
}

static void every_generation_can_be_reopened_and_rolled_back_to(void **state)
{
    struct fixture *f = *state;
    char names[20][GENERATION_ID_MAX];
    for (int i = 0; i < 20; i++) {
        assert_int_equal(publish(f, 10 + i), 0);
        memcpy(names[i], f->job.live, sizeof names[i]);
    }
    for (int i = 0; i < 20; i++) { /* the first ones are not compiled any more: built again from the store */
        assert_int_equal(run(f, PUBLISH_REOPEN, names[i]), 0);
        assert_string_equal(generation_id(f->job.seat->generation), names[i]);
        worker_add_seat(f->worker, f->job.seat);
        assert_ptr_equal(worker_find_seat(f->worker, slice_str(names[i])), i == 19 ? f->worker->seat : f->job.seat);
    }
    assert_null(worker_find_seat(f->worker, slice_str(names[0]))); /* only the last few are kept */
    assert_int_equal(run(f, PUBLISH_ROLLBACK, names[0]), 0);
    assert_string_equal(f->job.live, names[0]);
    assert_int_equal(run(f, PUBLISH_ROLLBACK, ""), 0);
    assert_string_equal(f->job.live, names[19]);
    assert_int_equal(run(f, PUBLISH_ROLLBACK, "g_never"), ERR_NOT_FOUND);
    assert_int_equal(run(f, PUBLISH_REOPEN, "g_never"), ERR_NOT_FOUND);
}

static void jobs_that_wait_at_the_end_are_answered(void **state)
{
    struct fixture *f = *state;
    publisher_stop(f->shop->publisher);
    assert_int_equal(publisher_submit(f->shop->publisher, &f->job, &f->err), ERR_BUSY);
}

static void a_revision_comes_back_from_the_store_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct sources *src;
    struct store_conn *conn;
    assert_int_equal(store_reader_open(f->shop->store, &conn, &f->err), 0);
    const struct generation *g = f->worker->seat->generation;
    assert_int_equal(revision_load(conn, slice_str(generation_id(g)), &src, &f->err), 0);
    assert_string_equal(sources_hash(src), sources_hash(generation_sources(g)));
    assert_int_equal(revision_is_last(conn, generation_id(g), &f->err), 1);
    sources_free(src);
    store_reader_close(conn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_worker_has_its_seat_when_the_publisher_says_live),
        TEST(a_broken_folder_changes_nothing),
        TEST(a_manifest_that_did_not_change_is_read_once),
        TEST(only_what_changed_is_compiled),
        TEST(memory_does_not_grow_with_publishes),
        TEST(an_error_says_where_also_in_code_that_was_not_compiled_again),
        TEST(a_held_seat_keeps_its_edition_until_it_is_let_go),
        TEST(what_waits_under_the_fifth_from_last_is_refused),
        TEST(an_offer_that_was_not_taken_gives_way_to_the_next),
        TEST(every_generation_can_be_reopened_and_rolled_back_to),
        TEST(jobs_that_wait_at_the_end_are_answered),
        TEST(a_revision_comes_back_from_the_store_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
