#include "host/api/guesses.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define HOUR 3600000

static void callers_count_for_themselves_and_an_hour_later_anew(void **state)
{
    (void)state;
    struct guesses *g = guesses_new();
    struct slice a = slice_str("pk_1"), b = slice_str("pk_2");
    assert_int_equal(guesses_of(g, a, 1000), 0);
    guesses_add(g, a, slice_str("X"), 1000);
    guesses_add(g, a, slice_str("Y"), 1000);
    guesses_add(g, a, slice_str("X"), 1000 + HOUR - 1); /* the same again */
    guesses_add(g, b, slice_str("X"), 2000);
    assert_int_equal(guesses_of(g, a, 1000 + HOUR - 1), 2);
    assert_int_equal(guesses_of(g, b, 2000), 1);
    assert_int_equal(guesses_of(g, a, 1000 + HOUR), 0);
    guesses_add(g, a, slice_str("X"), 1000 + HOUR);
    assert_int_equal(guesses_of(g, a, 1000 + HOUR), 1);
    guesses_free(g);
}

/* However many others come: who has guessed most stays. */
static void the_one_who_guesses_most_is_not_forgotten(void **state)
{
    (void)state;
    struct guesses *g = guesses_new();
    char name[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "code-%d", i);
        guesses_add(g, slice_str("pk_1"), slice_str(name), 5000);
    }
    int64_t most = guesses_of(g, slice_str("pk_1"), 5000);
    assert_in_range(most, 995, 1000); /* two may look the same */
    for (int i = 0; i < 200000; i++) {
        snprintf(name, sizeof name, "customer-%d", i);
        guesses_add(g, slice_str(name), slice_str("X"), 5000);
    }
    assert_int_equal(guesses_of(g, slice_str("pk_1"), 5000), most);
    guesses_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_count_for_themselves_and_an_hour_later_anew),
        cmocka_unit_test(the_one_who_guesses_most_is_not_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
