#include "base/heap.h"
#include "base/alloc_fault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void *resize(struct heap *h, void *p, size_t old_size, size_t size)
{
    return alloc_resize(&h->face, p, old_size, size);
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

struct block {
    unsigned char *p;
    size_t size;
    unsigned char mark;
};

static void check(const struct block *b)
{
    for (size_t i = 0; i < b->size; i++)
        if (b->p[i] != b->mark)
            fail_msg("byte %zu of a block of %zu was overwritten", i, b->size);
}

/* Blocks of all sizes come, grow, shrink and go; none ever sees the bytes of another. */
static void run_blocks(size_t region, const struct alloc *outside, bool outside_expected)
{
    enum { BLOCKS = 300, STEPS = 20000 };
    static struct block blocks[BLOCKS];
    struct heap h;
    uint32_t seed = 7;
    bool was_outside = false;
    memset(blocks, 0, sizeof blocks);
    heap_open(&h, region, outside);
    for (int i = 0; i < STEPS; i++) {
        struct block *b = &blocks[next(&seed) % BLOCKS];
        static const size_t largest[] = { 64, 64, 64, 600, 600, 5000, 300000 };
        size_t size = next(&seed) % 4 == 0 ? 0 : 1 + next(&seed) % largest[next(&seed) % 7];
        check(b);
        unsigned char *p = resize(&h, b->p, b->size, size);
        assert_true(size == 0 ? p == NULL : p != NULL);
        assert_int_equal((uintptr_t)p % 16, 0);
        size_t kept = b->size < size ? b->size : size;
        for (size_t k = 0; k < kept; k++)
            assert_int_equal(p[k], b->mark);
        *b = (struct block){ p, size, (unsigned char)i };
        if (size)
            memset(p, b->mark, size);
        was_outside = was_outside || !heap_is_whole(&h);
    }
    assert_int_equal(was_outside, outside_expected);
    for (int i = 0; i < BLOCKS; i++) {
        check(&blocks[i]);
        resize(&h, blocks[i].p, blocks[i].size, 0);
    }
    assert_true(heap_is_whole(&h));
    heap_release(&h);
}

static void no_block_sees_another(void **state)
{
    (void)state;
    struct alloc_fault f;
    alloc_fault_init(&f, 0, false);
    run_blocks(1 << 20, &f.face, true);
    assert_int_equal(f.live_bytes, 0);
    assert_true(f.requests > 100);
}

static void a_region_that_is_missing_is_made_up_for(void **state)
{
    (void)state;
    struct heap h;
    heap_open(&h, SIZE_MAX / 2, NULL); /* the system has no such region */
    char *p = resize(&h, NULL, 0, 100);
    assert_non_null(p);
    assert_false(heap_is_whole(&h));
    p = resize(&h, p, 100, 20);
    assert_null(resize(&h, p, 20, 0));
    assert_true(heap_is_whole(&h));
    heap_release(&h);
    run_blocks(4096, NULL, true);
}

static void memory_that_came_back_is_used_again(void **state)
{
    (void)state;
    struct heap h;
    heap_open(&h, 1 << 20, NULL);
    for (size_t size = 1; size <= 100000; size += size / 3 + 1) {
        void *p = resize(&h, NULL, 0, size);
        resize(&h, p, size, 0);
        size_t taken = h.taken;
        for (int i = 0; i < 1000; i++) {
            assert_ptr_equal(resize(&h, NULL, 0, size), p);
            resize(&h, p, size, 0);
        }
        assert_int_equal(h.taken, taken);
    }
    assert_true(heap_is_whole(&h));
    heap_release(&h);
}

/* An owner that ends need not give back what is in the region. */
static void the_region_goes_back_whole(void **state)
{
    (void)state;
    for (int i = 0; i < 3000; i++) { /* 24 GB in all, would they stay */
        struct heap h;
        heap_open(&h, 8 << 20, NULL);
        for (int k = 0; k < 20; k++)
            memset(resize(&h, NULL, 0, 1000), k, 1000);
        assert_true(heap_is_whole(&h));
        heap_release(&h);
    }
}

static void what_is_refused_outside_leaves_the_block_as_it_was(void **state)
{
    (void)state;
    struct alloc_fault f;
    struct heap h;
    alloc_fault_init(&f, 1, true);
    heap_open(&h, 4096, &f.face);
    char *p = resize(&h, NULL, 0, 2000), *q = resize(&h, NULL, 0, 1000);
    assert_non_null(p);
    assert_non_null(q);
    strcpy(p, "still here");
    assert_null(resize(&h, p, 2000, 100000));
    assert_null(resize(&h, NULL, 0, 3000));
    assert_string_equal(p, "still here");
    char *less = resize(&h, p, 2000, 1500); /* less is never refused */
    assert_non_null(less);
    assert_string_equal(less, "still here");
    resize(&h, less, 1500, 0);
    resize(&h, q, 1000, 0);
    assert_true(heap_is_whole(&h));
    heap_release(&h);
    assert_int_equal(f.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_block_sees_another),
        cmocka_unit_test(a_region_that_is_missing_is_made_up_for),
        cmocka_unit_test(memory_that_came_back_is_used_again),
        cmocka_unit_test(the_region_goes_back_whole),
        cmocka_unit_test(what_is_refused_outside_leaves_the_block_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
