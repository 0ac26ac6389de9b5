#include "journal/tries.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void failures_are_counted_by_timer_and_forgotten(void **state)
{
    (void)state;
    struct store_migration migrations[] = { { 1, "tries", journal_tries_schema_sql() }, { 0, NULL, NULL } };
    struct store_options o = { .path = ":memory:", .migrations = migrations };
    struct store *store;
    struct err err = { 0 };
    assert_int_equal(store_open(&o, &store, &err), 0);
    struct store_conn *c = store_writer_conn(store);
    struct slice send = SLICE_LIT("plugin:sender.send"), a = SLICE_LIT("a"), b = SLICE_LIT("b");
    int64_t n = 9;
    assert_int_equal(tries_count(c, send, a, &n, &err), 0);
    assert_int_equal(n, 0);
    for (int64_t i = 1; i <= 3; i++) {
        assert_int_equal(tries_add(c, send, a, &n, &err), 0);
        assert_int_equal(n, i);
    }
    assert_int_equal(tries_add(c, send, b, &n, &err), 0);
    assert_int_equal(n, 1);
    assert_int_equal(tries_forget(c, send, a, &err), 0);
    assert_int_equal(tries_forget(c, send, a, &err), 0); /* twice is once */
    assert_int_equal(tries_count(c, send, a, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(tries_count(c, send, b, &n, &err), 0);
    assert_int_equal(n, 1);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(failures_are_counted_by_timer_and_forgotten) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
