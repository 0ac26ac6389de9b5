#include "host/care/stops.h"
#include "bind/bind.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct store *store;
    struct store_conn *conn;
    struct clock_virtual clock;
    struct stops *stops;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct store_options o = { .path = ":memory:", .migrations = bind_core_migrations() };
    assert_int_equal(store_open(&o, &f->store, &f->err), 0);
    f->conn = store_writer_conn(f->store);
    clock_virtual_init(&f->clock, 1700000000000);
    assert_int_equal(stops_open(f->conn, &f->clock.face, &f->stops, &f->err), 0);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    stops_close(f->stops);
    store_close(f->store);
    free(f);
    return 0;
}

static void stop(struct fixture *f, const char *campaign)
{
    assert_int_equal(
        stops_insert(f->conn, STOP_CAMPAIGN, slice_str(campaign), SLICE_LIT("why"), SLICE_LIT("key_1"), 1700000000000, &f->err), 0);
    assert_int_equal(stops_reload(f->stops, f->conn, &f->err), 0);
}

static bool stopped(struct fixture *f, const char *campaign)
{
    struct stops_snapshot *v = stops_acquire(f->stops);
    bool yes = stops_find(v, STOP_CAMPAIGN, slice_str(campaign)) != NULL;
    stops_release(v);
    return yes;
}

static void what_is_stopped_is_in_the_next_snapshot_and_not_in_those_before(void **state)
{
    struct fixture *f = *state;
    struct stops_snapshot *before = stops_acquire(f->stops);
    uint64_t version = stops_version(f->stops);
    assert_true(version > 0);
    stop(f, "tea");
    stop(f, "alpha");
    stop(f, "tea"); /* again changes nothing */
    assert_true(stopped(f, "tea") && stopped(f, "alpha") && !stopped(f, "te"));
    assert_int_not_equal(stops_version(f->stops), version);
    assert_int_equal(stops_count(before), 0);
    stops_release(before);
    struct stops_snapshot *now = stops_acquire(f->stops);
    assert_int_equal(stops_count(now), 2);
    assert_true(slice_is(stops_at(now, 0)->name, "alpha"));
    assert_true(slice_is(stops_at(now, 1)->reason, "why") && slice_is(stops_at(now, 1)->author, "key_1"));
    assert_null(stops_at(now, 2));
    stops_release(now);
    assert_int_equal(stops_delete(f->conn, STOP_CAMPAIGN, SLICE_LIT("tea"), &f->err), 0);
    assert_int_equal(stops_delete(f->conn, STOP_CAMPAIGN, SLICE_LIT("tea"), &f->err), ERR_NOT_FOUND);
    assert_int_equal(stops_reload(f->stops, f->conn, &f->err), 0);
    assert_false(stopped(f, "tea"));
}

static void stops_are_there_again_after_a_restart(void **state)
{
    struct fixture *f = *state;
    stop(f, "tea");
    stops_close(f->stops);
    assert_int_equal(stops_open(f->conn, &f->clock.face, &f->stops, &f->err), 0);
    assert_true(stopped(f, "tea"));
}

static void a_quarantine_ends_with_its_generation(void **state)
{
    struct fixture *f = *state;
    stops_set_generation(f->stops, "g_1");
    assert_true(stops_quarantine(f->stops, STOP_CAMPAIGN, SLICE_LIT("tea"), "g_1", "why not"));
    assert_false(stops_quarantine(f->stops, STOP_CAMPAIGN, SLICE_LIT("tea"), "g_1", "why not")); /* it is already */
    assert_false(stops_quarantine(f->stops, STOP_CAMPAIGN, SLICE_LIT("cup"), "g_0", "why not")); /* rules that are live no more */
    stop(f, "pot");
    assert_true(stopped(f, "tea") && stopped(f, "pot") && !stopped(f, "cup"));
    stops_set_generation(f->stops, "g_2");
    assert_true(!stopped(f, "tea") && stopped(f, "pot"));
}

static void a_quarantine_is_lifted_by_hand_but_a_stop_beside_it_stays(void **state)
{
    struct fixture *f = *state;
    stops_set_generation(f->stops, "g_1");
    stop(f, "tea");
    assert_true(stops_quarantine(f->stops, STOP_CAMPAIGN, SLICE_LIT("tea"), "g_1", "why not"));
    struct stops_snapshot *v = stops_acquire(f->stops);
    assert_int_equal(stops_count(v), 1);
    assert_false(stops_at(v, 0)->quarantined);
    stops_release(v);
    assert_true(stops_free(f->stops, STOP_CAMPAIGN, SLICE_LIT("tea")));
    assert_false(stops_free(f->stops, STOP_CAMPAIGN, SLICE_LIT("tea")));
    assert_true(stopped(f, "tea"));
}

static void a_plugin_and_a_campaign_of_one_name_are_two(void **state)
{
    struct fixture *f = *state;
    struct stops_view view = { .stops = f->stops };
    stops_set_generation(f->stops, "g_1");
    assert_null(stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("tea")));
    stop(f, "tea");
    assert_null(stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("tea")));
    assert_int_equal(stops_insert(f->conn, STOP_PLUGIN, SLICE_LIT("tea"), SLICE_LIT("slow"), SLICE_LIT("key_2"), 5, &f->err), 0);
    assert_int_equal(stops_reload(f->stops, f->conn, &f->err), 0);
    const struct stop *plugin = stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("tea"));
    assert_true(plugin && slice_is(plugin->name, "tea") && slice_is(plugin->reason, "slow") && !plugin->quarantined && plugin->at_ms == 5);
    assert_int_equal(stops_delete(f->conn, STOP_CAMPAIGN, SLICE_LIT("tea"), &f->err), 0);
    assert_int_equal(stops_reload(f->stops, f->conn, &f->err), 0);
    assert_true(!stopped(f, "tea") && stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("tea")));
    assert_true(stops_quarantine(f->stops, STOP_PLUGIN, SLICE_LIT("pot"), "g_1", "It failed."));
    plugin = stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("pot"));
    assert_true(plugin && plugin->quarantined && slice_is(plugin->reason, "It failed."));
    assert_true(stops_free(f->stops, STOP_PLUGIN, SLICE_LIT("pot")));
    assert_null(stops_find(stops_look(&view), STOP_PLUGIN, SLICE_LIT("pot")));
    stops_view_close(&view);
    struct stops_view nothing = { 0 };
    assert_null(stops_look(&nothing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_stopped_is_in_the_next_snapshot_and_not_in_those_before, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_are_there_again_after_a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quarantine_ends_with_its_generation, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quarantine_is_lifted_by_hand_but_a_stop_beside_it_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_plugin_and_a_campaign_of_one_name_are_two, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
