#include "store/store.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void path_make(char path[64])
{
    snprintf(path, 64, "/tmp/lock-test-%ld", (long)getpid());
    unlink(path);
}

static void test_the_second_is_told_who_was_first_and_gets_it_when_he_leaves(void **state)
{
    (void)state;
    char path[64], pid[32];
    path_make(path);
    struct store_lock *a, *b;
    struct err err;
    assert_int_equal(store_lock_take(path, &a, &err), 0);
    assert_int_equal(store_lock_take(path, &b, &err), ERR_LOCKED);
    assert_null(b);
    snprintf(pid, sizeof pid, "Process %ld ", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    store_lock_free(a);
    assert_int_equal(store_lock_take(path, &b, &err), 0);
    store_lock_free(b);
    unlink(path);
}

static void test_a_process_that_dies_leaves_no_lock_behind(void **state)
{
    (void)state;
    char path[64];
    path_make(path);
    int told[2];
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store_lock *l;
        char ok = store_lock_take(path, &l, NULL) == 0 ? 'y' : 'n';
        if (write(told[1], &ok, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    char ok = 0;
    struct store_lock *l;
    struct err err;
    char pid[32];
    assert_int_equal(read(told[0], &ok, 1), 1);
    assert_int_equal(ok, 'y');
    assert_int_equal(store_lock_take(path, &l, &err), ERR_LOCKED);
    snprintf(pid, sizeof pid, "Process %ld ", (long)child);
    assert_non_null(strstr(err.text, pid));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(store_lock_take(path, &l, &err), 0);
    store_lock_free(l);
    close(told[0]);
    close(told[1]);
    unlink(path);
}

static void test_a_folder_that_is_not_there_is_an_error_with_its_name(void **state)
{
    (void)state;
    struct store_lock *l;
    struct err err;
    assert_int_equal(store_lock_take("/nonexistent/data/lock", &l, &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/data/lock"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_is_told_who_was_first_and_gets_it_when_he_leaves),
        cmocka_unit_test(test_a_process_that_dies_leaves_no_lock_behind),
        cmocka_unit_test(test_a_folder_that_is_not_there_is_an_error_with_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
