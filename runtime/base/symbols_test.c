#include "base/alloc_fault.h"
#include "base/symbols.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <setjmp.h>
#include <cmocka.h>

static void a_name_has_one_symbol_and_keeps_it(void **state)
{
    (void)state;
    struct symbols *s = symbols_new(NULL);
    symbol tea = symbols_intern(s, SLICE_LIT("tea")), mug = symbols_intern(s, SLICE_LIT("mug"));
    assert_true(tea != 0 && mug != 0 && tea != mug);
    assert_int_equal(symbols_intern(s, SLICE_LIT("tea")), tea);
    assert_int_equal(symbols_find(s, SLICE_LIT("mug")), mug);
    assert_int_equal(symbols_find(s, SLICE_LIT("te")), 0);
    assert_string_equal(symbols_name(s, tea).data, "tea");
    assert_int_equal(symbols_name(s, 0).len, 0);
    symbols_free(s);
}

static void the_empty_name_and_names_with_nul_are_names(void **state)
{
    (void)state;
    struct symbols *s = symbols_new(NULL);
    symbol empty = symbols_intern(s, slice_of(NULL, 0)), a = symbols_intern(s, SLICE_LIT("a")), a0 = symbols_intern(s, slice_of("a\0", 2));
    assert_true(empty && a && a0 && a != a0 && a != empty);
    assert_int_equal(symbols_find(s, SLICE_LIT("")), empty);
    assert_int_equal(symbols_name(s, a0).len, 2);
    symbols_free(s);
}

static struct slice nth(char out[32], unsigned n)
{
    return slice_of(out, (size_t)snprintf(out, 32, "sku-%u", n));
}

static void names_stay_where_they_are_while_the_table_grows(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct symbols *s = symbols_new(NULL);
    char text[32];
    const char *first = symbols_name(s, symbols_intern(s, nth(text, 0))).data;
    for (unsigned i = 1; i < N; i++)
        assert_int_equal(symbols_intern(s, nth(text, i)), i + 1);
    assert_ptr_equal(symbols_name(s, 1).data, first);
    for (unsigned i = 0; i < N; i++) {
        struct slice name = nth(text, i);
        assert_int_equal(symbols_find(s, name), i + 1);
        assert_true(slice_eq(symbols_name(s, i + 1), name));
    }
    static char large[100000];
    memset(large, 'x', sizeof large);
    symbol sym = symbols_intern(s, slice_of(large, sizeof large));
    assert_int_equal(symbols_name(s, sym).len, sizeof large);
    symbols_free(s);
}

enum { THREADS = 4, NAMES = 3000 };

struct crowd {
    struct symbols *s;
    symbol seen[THREADS][NAMES];
};

struct member {
    struct crowd *crowd;
    unsigned number;
};

/* Each starts elsewhere, so that every name is new to somebody and known to somebody. */
static void *intern_all(void *arg)
{
    struct member *m = arg;
    char text[32];
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned n = (i + m->number * (NAMES / THREADS)) % NAMES;
        struct slice name = nth(text, n);
        symbol sym = symbols_intern(m->crowd->s, name);
        m->crowd->seen[m->number][n] = sym;
        if (!slice_eq(symbols_name(m->crowd->s, sym), name) || symbols_find(m->crowd->s, name) != sym)
            m->crowd->seen[m->number][n] = 0;
    }
    return NULL;
}

static void threads_that_intern_the_same_names_agree(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd.s = symbols_new(NULL);
    pthread_t threads[THREADS];
    struct member members[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        members[i] = (struct member){ &crowd, i };
        assert_int_equal(pthread_create(&threads[i], NULL, intern_all, &members[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned n = 0; n < NAMES; n++) {
        assert_true(crowd.seen[0][n] > 0 && crowd.seen[0][n] <= NAMES);
        for (unsigned i = 1; i < THREADS; i++)
            assert_int_equal(crowd.seen[i][n], crowd.seen[0][n]);
    }
    symbols_free(crowd.s);
}

/* Interns `n` names; whatever is refused, those that got a symbol keep it, and a second try gives the rest one. */
static bool sweep_step(struct alloc_fault *f, unsigned n)
{
    struct symbols *s = symbols_new(&f->face);
    if (!s)
        return false;
    bool all = true;
    char text[32];
    for (unsigned i = 0; i < n; i++) {
        struct slice name = nth(text, i);
        symbol sym = symbols_intern(s, name);
        all = all && sym;
        assert_int_equal(symbols_find(s, name), sym);
        if (!sym && !f->fail_after)
            assert_true(symbols_intern(s, name) != 0);
    }
    symbols_free(s);
    return all;
}

static void a_refused_allocation_loses_no_name_and_no_memory(void **state)
{
    (void)state;
    for (int after = 0; after <= 1; after++) {
        for (size_t k = 1;; k++) {
            struct alloc_fault f;
            alloc_fault_init(&f, k, after);
            bool all = sweep_step(&f, 2000);
            assert_int_equal(f.live_bytes, 0);
            assert_int_equal(all, !f.refused);
            if (!f.refused) {
                assert_true(k > 6);
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_has_one_symbol_and_keeps_it),
        cmocka_unit_test(the_empty_name_and_names_with_nul_are_names),
        cmocka_unit_test(names_stay_where_they_are_while_the_table_grows),
        cmocka_unit_test(threads_that_intern_the_same_names_agree),
        cmocka_unit_test(a_refused_allocation_loses_no_name_and_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
