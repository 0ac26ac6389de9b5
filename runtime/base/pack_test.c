#include "base/pack.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct json_value *parse(struct arena *a, const char *text)
{
    struct json_value *v;
    struct err err;
    if (json_parse(slice_str(text), NULL, a, &v, &err) < 0)
        fail_msg("%s in %s", err.text, text);
    return v;
}

static void packed(struct arena *a, const char *text, struct buf *out)
{
    buf_init(out, NULL);
    json_pack(parse(a, text), out);
    assert_false(out->failed);
}

/* From an exact copy on the heap, so that the address sanitizer sees a read past the end. */
static int unpack(struct slice bytes, struct arena *a, struct json_value **out, struct err *err)
{
    char *copy = malloc(bytes.len ? bytes.len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes.data, bytes.len);
    int rc = json_unpack(slice_of(copy, bytes.len), a, out, err);
    free(copy);
    return rc;
}

static void assert_comes_back(const char *text)
{
    struct arena a;
    struct buf b, again;
    struct json_writer w;
    struct json_value *v;
    struct err err = { 0 };
    arena_init(&a, NULL, 0);
    packed(&a, text, &b);
    if (unpack(buf_slice(&b), &a, &v, &err) < 0)
        fail_msg("%s of %s", err.text, text);
    buf_init(&again, NULL);
    json_writer_init(&w, &again);
    json_value_write(&w, v);
    buf_add_char(&again, '\0');
    assert_string_equal(again.data, text);
    buf_release(&again);
    buf_release(&b);
    arena_release(&a);
}

static void what_is_read_is_what_was_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "null",
        "[true,false,null,0,127,128,-1,-9223372036854775808,9223372036854775807,1.50]",
        "\"\"",
        "[\"a\",\"a\",\"ab\",\"ab\",\"\",\"abc\",\"ab\"]",
        "{\"k\":1,\"sku\":\"sku\",\"l\":[[1,2],[],{}],\"\":0}",
        "[\"a text that is longer than thirty-one bytes, so that its length does not fit\","
        "\"a text that is longer than thirty-one bytes, so that its length does not fit\"]",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32]",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,"
        "\"p\":"
        "16}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_comes_back(texts[i]);
}

/* More different texts than are remembered, each twice. */
static void texts_beyond_those_that_are_remembered_come_back_too(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, NULL);
    buf_add_char(&b, '[');
    for (int i = 0; i < 2400; i++)
        buf_printf(&b, "%s\"text %d\"", i ? "," : "", i % 1200);
    buf_add_str(&b, "]");
    buf_add_char(&b, '\0');
    assert_comes_back(b.data);
    buf_release(&b);
}

static void small_numbers_and_known_texts_take_a_byte(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    arena_init(&a, NULL, 0);
    packed(&a, "[7,\"tea\",\"tea\",\"tea\"]", &b);
    assert_int_equal(b.len, 1 + 1 + 4 + 1 + 1);
    assert_memory_equal(b.data, "\xa4\x07\x83tea\xd0\xd0", b.len);
    buf_release(&b);
    arena_release(&a);
}

static void what_is_nested_too_deep_is_not_written(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct json_value *v;
    arena_init(&a, NULL, 0);
    v = json_new_int(&a, 1);
    for (int i = 0; i < PACK_DEPTH_MAX; i++) {
        struct json_value *list = json_new(&a, JSON_ARRAY);
        json_append(list, NULL, v);
        v = list;
    }
    buf_init(&b, NULL);
    json_pack(v, &b);
    assert_true(b.failed);
    buf_release(&b);
    arena_release(&a);
}

/* Cut anywhere, with any byte changed, or made up: an answer, and nothing read that is not there. */
static void damage_is_an_answer(void **state)
{
    (void)state;
    static const char text[] =
        "{\"v\":[1,\"0.1.0\"],\"e\":{\"at\":1750000000123,\"codes\":[\"WELCOME\",\"WELCOME\"],\"l\":[[1,3,500,1.5,true]]}}";
    struct arena a;
    struct buf b;
    struct json_value *v;
    struct err err;
    struct random_seeded rng;
    random_seeded_init(&rng, 7);
    arena_init(&a, NULL, 0);
    packed(&a, text, &b);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(unpack(slice_of(b.data, n), &a, &v, &err), ERR_CORRUPT);
    for (size_t i = 0; i < b.len; i++) {
        for (int c = 0; c < 256; c++) {
            char was = b.data[i];
            b.data[i] = (char)c;
            int rc = unpack(buf_slice(&b), &a, &v, &err);
            assert_true(rc == 0 || rc == ERR_CORRUPT);
            b.data[i] = was;
        }
        arena_reset(&a);
    }
    buf_add_char(&b, 0);
    assert_int_equal(unpack(buf_slice(&b), &a, &v, &err), ERR_CORRUPT);
    assert_string_equal(err.text, "A packed record is damaged: something follows it.");
    for (int round = 0; round < 20000; round++) {
        char noise[64];
        random_fill(&rng.face, noise, sizeof noise);
        int rc = unpack(slice_of(noise, (size_t)round % sizeof noise), &a, &v, &err);
        assert_true(rc == 0 || rc == ERR_CORRUPT);
        arena_reset(&a);
    }
    buf_release(&b);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_what_was_written),
        cmocka_unit_test(texts_beyond_those_that_are_remembered_come_back_too),
        cmocka_unit_test(small_numbers_and_known_texts_take_a_byte),
        cmocka_unit_test(what_is_nested_too_deep_is_not_written),
        cmocka_unit_test(damage_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
