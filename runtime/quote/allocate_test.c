#include "quote/fixture.h"
#include "quote/run_int.h"

static uint64_t draw(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void it_splits_as_money_allocate_does(void **state)
{
    (void)state;
    enum { MOST = 200 };
    int64_t weights[MOST], fast[MOST], slow[MOST], rests[MOST];
    uint32_t order[MOST];
    struct split_scratch scratch = { rests, order };
    uint64_t seed = 5;
    for (int round = 0; round < 20000; round++) {
        size_t n = 1 + draw(&seed) % (round % 10 ? 12 : MOST);
        unsigned shift = (unsigned)(draw(&seed) % 62) + 1;
        int64_t sum = 0;
        for (size_t i = 0; i < n; i++) {
            weights[i] = (int64_t)(draw(&seed) % 4 ? draw(&seed) >> 1 >> shift : 0);
            if (__builtin_add_overflow(sum, weights[i], &sum))
                sum = INT64_MAX;
        }
        int64_t total = sum > 0 ? (int64_t)(draw(&seed) % (uint64_t)sum) : 7;
        int rc = money_allocate(total, weights, n, slow, NULL);
        assert_int_equal(allocate(&scratch, total, weights, n, fast, NULL), rc);
        if (rc == 0)
            assert_memory_equal(fast, slow, n * sizeof fast[0]);
    }
}

static void nothing_to_split_over_is_an_error(void **state)
{
    (void)state;
    int64_t none[2] = { 0, 0 }, out[2], rests[2];
    uint32_t order[2];
    struct split_scratch scratch = { rests, order };
    struct err err;
    assert_int_equal(allocate(&scratch, 5, none, 2, out, &err), ERR_INVALID);
    int64_t negative[2] = { 5, -1 };
    assert_int_equal(allocate(&scratch, 5, negative, 2, out, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_splits_as_money_allocate_does),
        cmocka_unit_test(nothing_to_split_over_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
