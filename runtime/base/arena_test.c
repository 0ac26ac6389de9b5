#include "base/alloc_fault.h"
#include "base/arena.h"
#include "base/buf.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void memory_is_aligned_and_apart(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    char *last = NULL;
    for (size_t size = 0; size < 200; size++) {
        char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 0xAB, size);
        assert_ptr_not_equal(p, last);
        last = p;
    }
    arena_release(&a);
}

static void a_warm_arena_does_not_allocate(void **state)
{
    (void)state;
    struct alloc_fault f;
    struct arena a;
    alloc_fault_init(&f, 0, false);
    arena_init(&a, &f.face, 0);
    for (int i = 0; i < 500; i++)
        assert_non_null(arena_alloc(&a, 100));
    size_t cold = f.requests;
    assert_true(cold > 1);
    for (int round = 0; round < 10; round++) {
        arena_reset(&a);
        assert_int_equal(a.used_bytes, 0);
        for (int i = 0; i < 500; i++)
            assert_non_null(arena_alloc(&a, 100));
    }
    assert_int_equal(f.requests, cold);
    arena_release(&a);
    assert_int_equal(f.live_bytes, 0);
}

static void a_reset_gives_back_what_is_above_256_kib(void **state)
{
    (void)state;
    struct alloc_fault f;
    struct arena a;
    alloc_fault_init(&f, 0, false);
    arena_init(&a, &f.face, 0);
    for (int i = 0; i < 100; i++)
        assert_non_null(arena_alloc(&a, 50000));
    assert_non_null(arena_alloc(&a, 10 << 20));
    arena_reset(&a);
    assert_in_range(f.live_bytes, 1, 257 * 1024);
    assert_non_null(arena_alloc(&a, 50000));
    arena_release(&a);
    assert_int_equal(f.live_bytes, 0);
}

static void a_rewind_takes_back_what_came_after_the_mark(void **state)
{
    (void)state;
    struct alloc_fault f;
    struct arena a;
    alloc_fault_init(&f, 0, false);
    arena_init(&a, &f.face, 0);
    struct arena_mark empty = arena_mark(&a);
    char *kept = arena_alloc(&a, 1000);
    memset(kept, 1, 1000);
    size_t warm = 0;
    for (int round = 0; round < 3; round++) {
        struct arena_mark outer = arena_mark(&a);
        char *first = arena_alloc(&a, 3000);
        memset(first, 2, 3000);
        struct arena_mark inner = arena_mark(&a);
        for (int i = 0; i < 40; i++)
            memset(arena_alloc(&a, 1000), 3, 1000);
        arena_rewind(&a, inner);
        assert_int_equal(first[2999], 2);
        assert_non_null(arena_alloc(&a, 16));
        arena_rewind(&a, outer);
        assert_int_equal(a.used_bytes, 1008);
        assert_ptr_equal(arena_alloc(&a, 3000), first);
        arena_rewind(&a, outer);
        if (round == 0)
            warm = f.requests;
    }
    assert_int_equal(f.requests, warm);
    assert_int_equal(kept[999], 1);
    arena_rewind(&a, empty);
    assert_int_equal(a.used_bytes, 0);
    assert_ptr_equal(arena_alloc(&a, 1000), kept);
    arena_release(&a);
    assert_int_equal(f.live_bytes, 0);
}

static void a_reset_keeps_as_much_as_it_is_told(void **state)
{
    struct alloc_fault f;
    struct arena a;
    (void)state;
    alloc_fault_init(&f, 0, false);
    arena_init(&a, &f.face, 0);
    for (int i = 0; i < 1000; i++)
        assert_non_null(arena_alloc(&a, 1000));
    size_t requests = f.requests, kept = arena_reset_keeping(&a, 4u << 20);
    assert_true(kept >= 1000000 && kept <= 4u << 20);
    for (int i = 0; i < 1000; i++)
        assert_non_null(arena_alloc(&a, 1000));
    assert_int_equal(f.requests, requests);
    kept = arena_reset_keeping(&a, 100000);
    assert_true(kept <= 100000);
    assert_true(f.live_bytes >= kept && f.live_bytes < kept + 10000);
    arena_release(&a);
    assert_int_equal(f.live_bytes, 0);
}

static void a_buf_can_live_in_an_arena(void **state)
{
    struct alloc_fault f;
    struct arena a;
    struct buf b;
    (void)state;
    alloc_fault_init(&f, 0, false);
    arena_init(&a, &f.face, 0);
    struct alloc in_arena = arena_as_alloc(&a);
    buf_init(&b, &in_arena);
    for (int i = 0; i < 1000; i++)
        buf_add_int(&b, i);
    assert_false(b.failed);
    assert_int_equal(b.len, 2890);
    assert_memory_equal(b.data, "0123456789101112", 16);
    assert_memory_equal(b.data + b.len - 6, "998999", 6);
    buf_release(&b);
    arena_release(&a);
    assert_int_equal(f.live_bytes, 0);
}

static void the_limit_holds_across_blocks_and_starts_again_at_a_reset(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 10000);
    assert_non_null(arena_alloc(&a, 9000));
    assert_null(arena_alloc(&a, 2000));
    assert_non_null(arena_alloc(&a, 900));
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_reset(&a);
    assert_non_null(arena_alloc(&a, 10000));
    assert_null(arena_alloc(&a, 1));
    arena_release(&a);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    assert_null(arena_array(&a, SIZE_MAX / 2, 3));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    char *zeros = arena_array(&a, 100, 3);
    for (int i = 0; i < 300; i++)
        assert_int_equal(zeros[i], 0);
    arena_release(&a);
}

static void copies_and_prints_end_with_nul(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, NULL, 0);
    assert_string_equal(arena_strdup(&a, slice_of("teapot", 3)), "tea");
    assert_string_equal(arena_strdup(&a, slice_of(NULL, 0)), "");
    struct slice c = arena_copy(&a, SLICE_LIT("mug"));
    assert_true(slice_is(c, "mug") && c.data[3] == '\0');
    struct slice p = arena_printf(&a, "%s-%d", "line", 42);
    assert_true(slice_is(p, "line-42") && p.data[7] == '\0');
    arena_release(&a);
}

static bool sweep_step(struct arena *a)
{
    bool all = true;
    for (size_t i = 1; i < 200; i++) {
        char *p = arena_alloc(a, i * 37);
        if (p)
            memset(p, (int)i, i * 37);
        all = all && p;
    }
    all = arena_strdup(a, SLICE_LIT("text")) && all;
    all = arena_printf(a, "%4000d", 1).data && all;
    return all;
}

static void a_refused_block_is_a_null_and_nothing_more(void **state)
{
    (void)state;
    for (int after = 0; after <= 1; after++) {
        for (size_t k = 1;; k++) {
            struct alloc_fault f;
            struct arena a;
            alloc_fault_init(&f, k, after);
            arena_init(&a, &f.face, 0);
            bool first = sweep_step(&a);
            assert_int_equal(first, !f.refused);
            arena_reset(&a);
            sweep_step(&a);
            arena_release(&a);
            assert_int_equal(f.live_bytes, 0);
            if (!f.refused) {
                assert_true(k > 5);
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_apart),
        cmocka_unit_test(a_warm_arena_does_not_allocate),
        cmocka_unit_test(a_reset_gives_back_what_is_above_256_kib),
        cmocka_unit_test(a_reset_keeps_as_much_as_it_is_told),
        cmocka_unit_test(a_buf_can_live_in_an_arena),
        cmocka_unit_test(a_rewind_takes_back_what_came_after_the_mark),
        cmocka_unit_test(the_limit_holds_across_blocks_and_starts_again_at_a_reset),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(copies_and_prints_end_with_nul),
        cmocka_unit_test(a_refused_block_is_a_null_and_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
