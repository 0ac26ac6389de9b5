#include "base/id.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void constant_fill(void *ctx, void *out, size_t len)
{
    memset(out, *(unsigned char *)ctx, len);
}

static void ids_have_their_form(void **state)
{
    (void)state;
    struct clock_virtual v;
    struct random_seeded r;
    struct id_source s;
    char id[ID_MAX];
    clock_virtual_init(&v, 1790000000000);
    random_seeded_init(&r, 1);
    id_source_init(&s, &v.face, &r.face);
    id_make(&s, "ord", id);
    assert_int_equal(strlen(id), 30);
    assert_true(id_valid(slice_str(id), "ord"));
    assert_false(id_valid(slice_str(id), "cus"));
    assert_false(id_valid(slice_of(id, 29), "ord"));
    id[10] = 'U';
    assert_false(id_valid(slice_str(id), "ord"));
    id[10] = '\0';
    assert_false(id_valid(slice_of(id, 30), "ord"));
    assert_false(id_valid(SLICE_LIT("ord_8ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "ord")); /* more than 128 bits */
    assert_true(id_valid(SLICE_LIT("ord_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"), "ord"));
}

static void the_bits_stand_where_the_header_says(void **state)
{
    (void)state;
    struct clock_virtual v;
    struct id_source s;
    char id[ID_MAX];
    unsigned char byte = 0;
    struct random_source zeros = { constant_fill, &byte };
    clock_virtual_init(&v, 1);
    id_source_init(&s, &v.face, &zeros);
    id_make(&s, "t", id);
    assert_string_equal(id, "t_00000000010000000000000000");
    id_make(&s, "t", id);
    assert_string_equal(id, "t_00000000010000000000000001");
    v.wall_now_ms = ((int64_t)1 << 48) - 2;
    byte = 0xFF;
    id_make(&s, "t", id);
    assert_string_equal(id, "t_7ZZZZZZZZYZZZZZZZZZZZZZZZZ");
}

static void ids_of_one_source_increase_even_when_the_clock_goes_back(void **state)
{
    (void)state;
    struct clock_virtual v;
    struct random_seeded r;
    struct id_source s;
    char last[ID_MAX] = "", id[ID_MAX];
    clock_virtual_init(&v, 1790000000000);
    random_seeded_init(&r, 5);
    id_source_init(&s, &v.face, &r.face);
    for (int i = 0; i < 10000; i++) {
        v.wall_now_ms += (int64_t)(random_seeded_next(&r) % 5) - 2;
        id_make(&s, "ord", id);
        assert_true(strcmp(id, last) > 0);
        strcpy(last, id);
    }
}

static void a_full_random_part_borrows_from_the_next_millisecond(void **state)
{
    (void)state;
    struct clock_virtual v;
    struct id_source s;
    char first[ID_MAX], second[ID_MAX], third[ID_MAX];
    unsigned char byte = 0xFF;
    struct random_source ones = { constant_fill, &byte };
    clock_virtual_init(&v, 1000);
    id_source_init(&s, &v.face, &ones);
    id_make(&s, "t", first);
    id_make(&s, "t", second);
    clock_virtual_advance(&v, 1);
    id_make(&s, "t", third);
    assert_true(strcmp(first, second) < 0 && strcmp(second, third) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_have_their_form),
        cmocka_unit_test(the_bits_stand_where_the_header_says),
        cmocka_unit_test(ids_of_one_source_increase_even_when_the_clock_goes_back),
        cmocka_unit_test(a_full_random_part_borrows_from_the_next_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
