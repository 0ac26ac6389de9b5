#include "base/alloc_fault.h"
#include "base/map.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct slice nth(char out[32], unsigned n)
{
    return slice_of(out, (size_t)snprintf(out, 32, "key-%u", n));
}

static void a_value_is_found_replaced_and_removed(void **state)
{
    (void)state;
    struct map m;
    int a, b;
    map_init(&m, NULL);
    assert_null(map_get(&m, SLICE_LIT("x")));
    assert_null(map_remove(&m, SLICE_LIT("x")));
    assert_true(map_set(&m, SLICE_LIT("x"), &a));
    assert_true(map_set(&m, slice_of(NULL, 0), &b));
    assert_ptr_equal(map_get(&m, SLICE_LIT("x")), &a);
    assert_ptr_equal(map_get(&m, SLICE_LIT("")), &b);
    assert_true(map_set(&m, SLICE_LIT("x"), &b));
    assert_int_equal(m.count, 2);
    assert_ptr_equal(map_remove(&m, SLICE_LIT("x")), &b);
    assert_null(map_get(&m, SLICE_LIT("x")));
    assert_int_equal(m.count, 1);
    map_release(&m);
}

static void entries_stand_in_the_order_of_insertion(void **state)
{
    (void)state;
    struct map m;
    char text[32];
    map_init(&m, NULL);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(map_set(&m, nth(text, i), NULL));
    for (unsigned i = 0; i < 1000; i++)
        assert_true(slice_eq(m.entries[i].key, nth(text, i)));
    map_clear(&m);
    assert_int_equal(m.count, 0);
    assert_true(map_set(&m, SLICE_LIT("again"), NULL));
    map_release(&m);
}

/* The reference is an array indexed by the number in the key. */
static void any_mix_of_changes_agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { KEYS = 300 };
    struct random_seeded r;
    struct map m;
    char text[32];
    static int values[KEYS];
    bool there[KEYS] = { false };
    size_t count = 0;
    random_seeded_init(&r, 7);
    map_init(&m, NULL);
    for (int step = 0; step < 50000; step++) {
        uint64_t draw = random_seeded_next(&r);
        unsigned n = (unsigned)(draw % KEYS);
        struct slice key = nth(text, n);
        if (draw >> 32 & 1) {
            assert_true(map_set(&m, key, &values[n]));
            count += !there[n];
            there[n] = true;
        } else {
            assert_ptr_equal(map_remove(&m, key), there[n] ? &values[n] : NULL);
            count -= there[n];
            there[n] = false;
        }
        assert_int_equal(m.count, count);
        n = (unsigned)(draw >> 40) % KEYS;
        assert_ptr_equal(map_get(&m, nth(text, n)), there[n] ? &values[n] : NULL);
    }
    map_release(&m);
}

static void a_refused_allocation_changes_nothing(void **state)
{
    (void)state;
    for (int after = 0; after <= 1; after++) {
        for (size_t k = 1;; k++) {
            struct alloc_fault f;
            struct map m;
            char text[32];
            size_t added = 0;
            alloc_fault_init(&f, k, after);
            map_init(&m, &f.face);
            for (unsigned i = 0; i < 100; i++) {
                struct slice key = nth(text, i);
                bool ok = map_set(&m, key, &f);
                added += ok;
                assert_ptr_equal(map_get(&m, key), ok ? &f : NULL);
                assert_int_equal(m.count, added);
            }
            assert_int_equal(added == 100, !f.refused);
            map_release(&m);
            assert_int_equal(f.live_bytes, 0);
            if (!f.refused) {
                assert_true(k > 100);
                break;
            }
        }
    }
}

static void hashes_differ_where_one_bit_differs(void **state)
{
    (void)state;
    unsigned char data[64] = { 0 };
    for (size_t len = 1; len <= sizeof data; len++) {
        uint64_t plain = hash_bytes(data, len);
        assert_true(plain != hash_bytes(data, len - 1));
        for (size_t bit = 0; bit < len * 8; bit++) {
            data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            uint64_t other = hash_bytes(data, len);
            data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_in_range(__builtin_popcountll(plain ^ other), 8, 56);
        }
    }
}

static void similar_keys_spread_over_the_low_and_the_high_bits(void **state)
{
    (void)state;
    enum { N = 65536, BINS = 4096 };
    static unsigned low[BINS], high[BINS];
    char text[32];
    for (unsigned i = 0; i < N; i++) {
        struct slice key = nth(text, i);
        uint64_t h = hash_bytes(key.data, key.len);
        low[h % BINS]++;
        high[h >> 52]++;
    }
    for (int i = 0; i < BINS; i++) { /* 16 expected; a deviation of five sigma is 20 */
        assert_in_range(low[i], 0, 40);
        assert_in_range(high[i], 0, 40);
    }
}

static void a_hash_is_the_same_in_every_process(void **state)
{
    (void)state;
    assert_true(hash_bytes("", 0) == UINT64_C(0x9FBD49003ADCA5EF));
    assert_true(hash_bytes("tea", 3) == UINT64_C(0x29F6A433C0785E0B));
    assert_true(hash_bytes("the quick brown fox jumps over it", 33) == UINT64_C(0x82C44C86EF226DB));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_found_replaced_and_removed),
        cmocka_unit_test(entries_stand_in_the_order_of_insertion),
        cmocka_unit_test(any_mix_of_changes_agrees_with_a_plain_array),
        cmocka_unit_test(a_refused_allocation_changes_nothing),
        cmocka_unit_test(hashes_differ_where_one_bit_differs),
        cmocka_unit_test(similar_keys_spread_over_the_low_and_the_high_bits),
        cmocka_unit_test(a_hash_is_the_same_in_every_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
