#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The first outputs of xoshiro256** for the state 1, 2, 3, 4, worked out by hand from its definition. */
static void the_seeded_source_is_xoshiro256starstar(void **state)
{
    (void)state;
    struct random_seeded r;
    random_seeded_init(&r, 0);
    r.s[0] = 1;
    r.s[1] = 2;
    r.s[2] = 3;
    r.s[3] = 4;
    assert_true(random_seeded_next(&r) == 11520);
    assert_true(random_seeded_next(&r) == 0);
    assert_true(random_seeded_next(&r) == 1509978240);
}

static void a_seed_gives_the_same_bytes_and_another_seed_gives_others(void **state)
{
    (void)state;
    struct random_seeded a, b, c;
    unsigned char x[37], y[37], z[37];
    random_seeded_init(&a, 42);
    random_seeded_init(&b, 42);
    random_seeded_init(&c, 43);
    random_fill(&a.face, x, sizeof x);
    random_fill(&b.face, y, sizeof y);
    random_fill(&c.face, z, sizeof z);
    assert_memory_equal(x, y, sizeof x);
    assert_memory_not_equal(x, z, sizeof x);
}

static void the_system_source_fills_all_it_was_given_and_no_more(void **state)
{
    (void)state;
    unsigned char a[4096] = { 0 }, b[4096] = { 0 };
    random_fill(random_system(), a, sizeof a - 1);
    random_fill(random_system(), b, sizeof b - 1);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(a[sizeof a - 1], 0);
    unsigned seen[256] = { 0 }, kinds = 0;
    for (size_t i = 0; i < sizeof a - 1; i++)
        kinds += seen[a[i]]++ == 0;
    assert_true(kinds > 200);
    random_fill(random_system(), a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeded_source_is_xoshiro256starstar),
        cmocka_unit_test(a_seed_gives_the_same_bytes_and_another_seed_gives_others),
        cmocka_unit_test(the_system_source_fills_all_it_was_given_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
