#include "rulebook/manifests.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <pthread.h>

#define TEXT(version) "return { name = \"invite\", version = \"" version "\", api = 1, title = \"Invite\" }"
#define FILE_NAME     "plugins/invite/plugin.lua"

static struct manifest *take(struct manifests *all, const char *text, const char *file)
{
    struct manifest *m;
    struct err err;
    if (manifests_take(all, slice_str(text), file, &m, &err) < 0)
        fail_msg("%s", err.text);
    return m;
}

static void the_same_text_is_one_manifest_as_long_as_somebody_has_it(void **state)
{
    (void)state;
    struct manifests *all;
    assert_int_equal(manifests_open(&all, NULL), 0);
    struct manifest *a = take(all, TEXT("1.0.0"), FILE_NAME), *b = take(all, TEXT("1.0.0"), FILE_NAME);
    assert_ptr_equal(a, b);
    assert_int_equal(manifests_count(all), 1);
    manifests_give_back(all, a);
    assert_string_equal(b->version_text, "1.0.0");
    struct manifest *c = take(all, TEXT("1.0.0"), FILE_NAME);
    assert_ptr_equal(b, c);
    manifests_give_back(all, b);
    manifests_give_back(all, c);
    assert_int_equal(manifests_count(all), 0);
    manifests_give_back(all, NULL);
    manifests_close(all);
    manifests_close(NULL);
}

static void another_text_or_path_is_another_manifest(void **state)
{
    (void)state;
    struct manifests *all;
    assert_int_equal(manifests_open(&all, NULL), 0);
    struct manifest *a = take(all, TEXT("1.0.0"), FILE_NAME), *b = take(all, TEXT("1.0.1"), FILE_NAME);
    struct manifest *c = take(all, TEXT("1.0.0"), "plugin.lua");
    assert_ptr_not_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_string_equal(a->version_text, "1.0.0");
    assert_string_equal(b->version_text, "1.0.1");
    assert_string_equal(c->file, "plugin.lua"); /* the name in messages */
    assert_int_equal(manifests_count(all), 3);
    manifests_give_back(all, b);
    manifests_give_back(all, a);
    manifests_give_back(all, c);
    manifests_close(all);
}

static void a_refusal_is_not_kept(void **state)
{
    (void)state;
    struct manifests *all;
    struct manifest *m;
    struct err first, again;
    assert_int_equal(manifests_open(&all, NULL), 0);
    assert_int_equal(manifests_take(all, slice_str(TEXT("one")), FILE_NAME, &m, &first), ERR_INVALID);
    assert_null(m);
    assert_int_equal(manifests_take(all, slice_str(TEXT("one")), FILE_NAME, &m, &again), ERR_INVALID);
    assert_string_equal(first.text, again.text);
    assert_int_equal(manifests_count(all), 0);
    manifests_close(all);
}

static void nothing_is_shared_where_there_is_nothing_to_share_in(void **state)
{
    (void)state;
    struct manifest *a = take(NULL, TEXT("1.0.0"), FILE_NAME), *b = take(NULL, TEXT("1.0.0"), FILE_NAME);
    assert_ptr_not_equal(a, b);
    manifests_give_back(NULL, a);
    manifests_give_back(NULL, b);
}

static void *use_it(void *all)
{
    for (int i = 0; i < 100; i++) {
        struct manifest *m = take(all, i % 3 ? TEXT("1.0.0") : TEXT("2.0.0"), FILE_NAME);
        assert_string_equal(m->name, "invite");
        manifests_give_back(all, m);
    }
    return NULL;
}

static void threads_take_and_give_back(void **state)
{
    (void)state;
    struct manifests *all;
    pthread_t threads[4];
    assert_int_equal(manifests_open(&all, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_it, all), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(manifests_count(all), 0);
    manifests_close(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_text_is_one_manifest_as_long_as_somebody_has_it),
        cmocka_unit_test(another_text_or_path_is_another_manifest),
        cmocka_unit_test(a_refusal_is_not_kept),
        cmocka_unit_test(nothing_is_shared_where_there_is_nothing_to_share_in),
        cmocka_unit_test(threads_take_and_give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
