#include "base/alloc.h"
#include "base/alloc_fault.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void no_allocator_means_malloc(void **state)
{
    (void)state;
    char *p = alloc_resize(NULL, NULL, 0, 10);
    assert_non_null(p);
    memcpy(p, "123456789", 10);
    p = alloc_resize(NULL, p, 10, 100000);
    assert_string_equal(p, "123456789");
    assert_null(alloc_resize(NULL, p, 100000, 0));
    assert_ptr_equal(alloc_default(), alloc_default());
}

static void the_faulty_allocator_refuses_exactly_the_request_it_was_told(void **state)
{
    (void)state;
    struct alloc_fault f;
    alloc_fault_init(&f, 2, false);
    char *a = alloc_resize(&f.face, NULL, 0, 10);
    assert_non_null(a);
    assert_null(alloc_resize(&f.face, a, 10, 20)); /* a refused resize leaves the old memory alone */
    assert_true(f.refused);
    a = alloc_resize(&f.face, a, 10, 20);
    assert_non_null(a);
    assert_int_equal(f.live_bytes, 20);
    alloc_resize(&f.face, a, 20, 0);
    assert_int_equal(f.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_allocator_means_malloc),
        cmocka_unit_test(the_faulty_allocator_refuses_exactly_the_request_it_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
