#include "base/alloc_fault.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/map.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Read from an exact copy on the heap, so that the address sanitizer sees a read past the end. */
static int parse_copy(struct slice text, const struct json_limits *limits, struct arena *arena, char **copy, struct json_value **out,
                      struct err *err)
{
    *copy = malloc(text.len ? text.len : 1);
    assert_non_null(*copy);
    if (text.len)
        memcpy(*copy, text.data, text.len);
    return json_parse(slice_of(*copy, text.len), limits, arena, out, err);
}

static void assert_refused(struct slice text, const char *reason, const char *sentence)
{
    struct arena a;
    struct json_value *v;
    struct err err;
    char *copy;
    arena_init(&a, NULL, 0);
    assert_int_equal(parse_copy(text, NULL, &a, &copy, &v, &err), ERR_INVALID);
    assert_null(v);
    assert_string_equal(err.reason, reason);
    assert_string_equal(err.text, sentence);
    free(copy);
    arena_release(&a);
}

/* What is read and written again. */
static void assert_reads_as(struct slice text, const char *expected)
{
    struct arena a;
    struct json_value *v;
    struct err err = { 0 };
    struct buf out;
    struct json_writer w;
    char *copy;
    arena_init(&a, NULL, 0);
    buf_init(&out, NULL);
    json_writer_init(&w, &out);
    int rc = parse_copy(text, NULL, &a, &copy, &v, &err);
    if (rc < 0)
        fail_msg("%.*s was refused: %s", SLICE_FMT(text), err.text);
    json_value_write(&w, v);
    if (!slice_is(buf_slice(&out), expected))
        fail_msg("%.*s was read as %.*s", SLICE_FMT(text), SLICE_FMT(buf_slice(&out)));
    free(copy);
    buf_release(&out);
    arena_release(&a);
}

static void a_document_becomes_a_tree_in_its_order(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    int64_t n;
    bool flag;
    struct slice s;
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(SLICE_LIT(" {\"b\": [1, \"two\", null, {}], \"a\": true,\n\"n\":-7 , \"r\": 1.50} "), NULL, &a, &v, NULL),
                     0);
    assert_int_equal(v->type, JSON_OBJECT);
    assert_int_equal(v->count, 4);
    assert_null(v->key.data);
    const struct json_value *b = json_get(v, "b");
    assert_int_equal(b->count, 4);
    assert_null(b->first->key.data);
    assert_true(json_is_int(b->first, &n) && n == 1);
    assert_true(json_is_string(b->first->next, &s) && slice_is(s, "two"));
    assert_int_equal(b->first->next->next->type, JSON_NULL);
    assert_int_equal(b->first->next->next->next->count, 0);
    assert_null(b->first->next->next->next->next);
    assert_ptr_equal(b->next, json_get(v, "a"));
    assert_true(json_is_bool(json_get(v, "a"), &flag) && flag);
    assert_true(json_is_int(json_get(v, "n"), &n) && n == -7);
    assert_int_equal(json_get(v, "r")->type, JSON_REAL);
    assert_true(slice_is(json_get(v, "r")->string, "1.50"));
    assert_null(json_get(v, "c"));
    assert_null(json_get(b, "c"));
    assert_null(json_get(NULL, "c"));
    assert_false(json_is_int(json_get(v, "r"), &n));
    assert_false(json_is_int(NULL, &n) || json_is_string(NULL, &s) || json_is_bool(NULL, &flag));
    arena_release(&a);
}

static void strings_without_escapes_point_into_the_text(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    struct slice text = SLICE_LIT("[\"oolong tea\",\"\xE8\x8C\xB6\",\"a\\nb\"]");
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(text, NULL, &a, &v, NULL), 0);
    assert_ptr_equal(v->first->string.data, text.data + 2);
    assert_true(slice_is(v->first->next->string, "\xE8\x8C\xB6"));
    assert_true(slice_is(v->first->next->next->string, "a\nb"));
    arena_release(&a);
}

static void escapes_become_the_characters_they_mean(void **state)
{
    (void)state;
    assert_reads_as(SLICE_LIT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    assert_reads_as(SLICE_LIT("\"x\\u0041\\u00e9\\u8336\\uD83C\\uDF75y\""), "\"xA\xC3\xA9\xE8\x8C\xB6\xF0\x9F\x8D\xB5y\"");
    assert_reads_as(SLICE_LIT("\"\\u0000\\u001f\\u007f\""), "\"\\u0000\\u001f\x7F\"");
    assert_reads_as(SLICE_LIT("{\"\\u0061\":1,\"\":2}"), "{\"a\":1,\"\":2}");
    assert_reads_as(SLICE_LIT("\"\\uFFFF\\udbff\\udfff\""), "\"\xEF\xBF\xBF\xF4\x8F\xBF\xBF\"");
}

static void numbers_keep_their_kind_and_their_text(void **state)
{
    (void)state;
    assert_reads_as(SLICE_LIT("[0,-0,1,-1,9223372036854775807,-9223372036854775808]"),
                    "[0,0,1,-1,9223372036854775807,-9223372036854775808]");
    assert_reads_as(SLICE_LIT("[1.0,1e0,-0.0,1E+2,0.10,1e-400]"), "[1.0,1e0,-0.0,1E+2,0.10,1e-400]");
    assert_reads_as(SLICE_LIT("1.7976931348623158e308"), "1.7976931348623158e308"); /* rounds down to the largest double */
    assert_reads_as(SLICE_LIT("0.00017976931348623157e312"), "0.00017976931348623157e312");
    assert_reads_as(SLICE_LIT("0e99999999999999999999"), "0e99999999999999999999");
    assert_refused(SLICE_LIT("[1.7976931348623159e308]"), "invalid_json",
                   "line 1, column 2: the number is too large for a double; expected one below 1.8e308");
    assert_refused(SLICE_LIT("-1e99999999999999999999"), "invalid_json",
                   "line 1, column 1: the number is too large for a double; expected one below 1.8e308");
    assert_refused(SLICE_LIT("9223372036854775808"), "invalid_json",
                   "line 1, column 1: the integer does not fit 64 bits; expected -9223372036854775808 to 9223372036854775807");
    assert_refused(SLICE_LIT("-9223372036854775809"), "invalid_json",
                   "line 1, column 1: the integer does not fit 64 bits; expected -9223372036854775808 to 9223372036854775807");
    assert_refused(SLICE_LIT("18446744073709551617"), "invalid_json", /* 2^64 + 1: would wrap to 1 */
                   "line 1, column 1: the integer does not fit 64 bits; expected -9223372036854775808 to 9223372036854775807");
    assert_refused(SLICE_LIT("012"), "invalid_json",
                   "line 1, column 1: a number can't begin with 0; expected it without the leading zeros");
    assert_refused(SLICE_LIT("1."), "invalid_json", "line 1, column 3: expected a digit after the decimal point, but the text ends here");
    assert_refused(SLICE_LIT("1e+"), "invalid_json", "line 1, column 4: expected a digit in the exponent, but the text ends here");
    assert_refused(SLICE_LIT("-x"), "invalid_json", "line 1, column 2: expected a digit after the minus sign, got 'x'");
}

/* The edge between finite and infinite, against the C library on 309-digit numbers around it. */
static void the_largest_double_is_where_the_c_library_has_it(void **state)
{
    (void)state;
    struct random_seeded r;
    struct arena a;
    arena_init(&a, NULL, 0);
    random_seeded_init(&r, 3);
    char text[400];
    for (int i = 0; i < 2000; i++) {
        int n = snprintf(text, sizeof text, "%s%u",
                         i & 1 ? "17976931348623158079372897140530341507993413271003782693617377898044" : "1797693134862315",
                         (unsigned)(random_seeded_next(&r) % 1000));
        int digits = 309 + (int)(random_seeded_next(&r) % 3) - 1;
        n += snprintf(text + n, sizeof text - (size_t)n, "e%d", digits - n);
        struct json_value *v;
        arena_reset(&a);
        bool ours = json_parse(slice_of(text, (size_t)n), NULL, &a, &v, NULL) == 0;
        assert_int_equal(ours, strtod(text, NULL) < __builtin_inf());
    }
    arena_release(&a);
}

static void errors_name_the_line_the_column_and_what_was_expected(void **state)
{
    (void)state;
    assert_refused(SLICE_LIT("{\n  \"qty\": 1,\n  \"\xE8\x8C\xB6\": 1, \"qty\": 2\n}"), "duplicate_key",
                   "line 3, column 11: duplicate key \"qty\"; expected each name once in an object");
    assert_refused(SLICE_LIT(""), "invalid_json", "line 1, column 1: expected a value, but the text ends here");
    assert_refused(slice_of(NULL, 0), "invalid_json", "line 1, column 1: expected a value, but the text ends here");
    assert_refused(SLICE_LIT("[1,]"), "invalid_json", "line 1, column 4: expected a value, got ']'");
    assert_refused(SLICE_LIT("[1 2]"), "invalid_json", "line 1, column 4: expected ',' or ']' after an element, got '2'");
    assert_refused(SLICE_LIT("{\"a\":1,}"), "invalid_json", "line 1, column 8: expected a name in double quotes, got '}'");
    assert_refused(SLICE_LIT("{a:1}"), "invalid_json", "line 1, column 2: expected a name in double quotes, got 'a'");
    assert_refused(SLICE_LIT("{\"a\" 1}"), "invalid_json", "line 1, column 6: expected ':' after the name, got '1'");
    assert_refused(SLICE_LIT("{\"a\":1]"), "invalid_json", "line 1, column 7: expected ',' or '}' after a member, got ']'");
    assert_refused(SLICE_LIT("[1}"), "invalid_json", "line 1, column 3: expected ',' or ']' after an element, got '}'");
    assert_refused(SLICE_LIT("1 \n 2"), "invalid_json", "line 2, column 2: expected nothing after the value, got '2'");
    assert_refused(slice_of("1\0", 2), "invalid_json", "line 1, column 2: expected nothing after the value, got the byte 0x00");
    assert_refused(SLICE_LIT("tru"), "invalid_json", "line 1, column 1: expected a value; did you mean true?");
    assert_refused(SLICE_LIT("'a'"), "invalid_json",
                   "line 1, column 1: expected a value, got a single quote; strings stand in double quotes");
    assert_refused(SLICE_LIT("NaN"), "invalid_json", "line 1, column 1: expected a value, got 'N'");
    assert_refused(SLICE_LIT("\xEF\xBB\xBF{}"), "invalid_json",
                   "line 1, column 1: expected a value, got a byte-order mark; send plain UTF-8 without one");
    assert_refused(SLICE_LIT("[\"abc"), "invalid_json", "line 1, column 2: the string that begins here is never closed; expected '\"'");
    assert_refused(SLICE_LIT("[\"a\\\""), "invalid_json", "line 1, column 2: the string that begins here is never closed; expected '\"'");
    assert_refused(SLICE_LIT("[\"a\\"), "invalid_json", "line 1, column 2: the string that begins here is never closed; expected '\"'");
    assert_refused(SLICE_LIT("\"a\tb\""), "invalid_json",
                   "line 1, column 3: expected \\u0009 in place of the control byte 0x09 within a string");
    assert_refused(SLICE_LIT("\"\\q\""), "invalid_json",
                   "line 1, column 3: expected one of \" \\ / b f n r t u after the backslash, got 'q'");
    assert_refused(SLICE_LIT("\"\\u12g4\""), "invalid_json", "line 1, column 2: expected four hexadecimal digits after \\u");
    assert_refused(SLICE_LIT("\"\\ud800\""), "invalid_json",
                   "line 1, column 2: expected a low surrogate (\\udc00 to \\udfff) after the high one");
    assert_refused(SLICE_LIT("\"\\udc00\""), "invalid_json",
                   "line 1, column 2: a low surrogate without the high one before it is no character");
    assert_refused(SLICE_LIT("\"abc\xFF\""), "invalid_json",
                   "line 1, column 5: expected UTF-8, got the byte 0xFF, which is not part of a well-formed character");
    assert_refused(SLICE_LIT("\"\\n\xC0\x80\""), "invalid_json",
                   "line 1, column 4: expected UTF-8, got the byte 0xC0, which is not part of a well-formed character");
}

/* Every place of the special byte relative to the words that the scan looks at. */
static void a_bad_byte_is_found_wherever_it_stands(void **state)
{
    (void)state;
    static const struct {
        struct slice bytes;
        bool good;
    } cases[] = {
        { SLICE_LIT("\x1F"), false },         { SLICE_LIT("\x80"), false },
        { SLICE_LIT("\xC3\xA9"), true },      { SLICE_LIT("\\n"), true },
        { SLICE_LIT("\xED\xA0\x80"), false }, { SLICE_LIT("\xF0\x9F\x8D\xB5"), true },
        { SLICE_LIT("\xE2\x82"), false },     { SLICE_LIT("\xF4\x90\x80\x80"), false },
        { SLICE_LIT("\\u00e9"), true },       { SLICE_LIT("\x7F"), true },
        { SLICE_LIT("\xE0\x80\xAF"), false }, { SLICE_LIT("\xF5"), false },
    };
    struct arena a;
    arena_init(&a, NULL, 0);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t before = 0; before < 20; before++) {
            for (size_t after = 0; after < 20; after++) {
                char text[64], *copy;
                struct json_value *v;
                size_t n = 0;
                text[n++] = '"';
                memset(text + n, 'x', before);
                n += before;
                memcpy(text + n, cases[c].bytes.data, cases[c].bytes.len);
                n += cases[c].bytes.len;
                memset(text + n, 'y', after);
                n += after;
                text[n++] = '"';
                arena_reset(&a);
                assert_int_equal(parse_copy(slice_of(text, n), NULL, &a, &copy, &v, NULL), cases[c].good ? 0 : ERR_INVALID);
                free(copy);
            }
        }
    }
    arena_release(&a);
}

static struct slice nested(struct buf *b, size_t depth)
{
    buf_clear(b);
    for (size_t i = 0; i < depth; i++)
        buf_add_str(b, i % 2 ? "[" : "{\"a\":");
    buf_add_char(b, '1');
    for (size_t i = depth; i-- > 0;)
        buf_add_char(b, i % 2 ? ']' : '}');
    return buf_slice(b);
}

static void nesting_stops_at_the_limit_and_needs_no_stack(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    struct err err;
    struct buf b;
    buf_init(&b, NULL);
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(nested(&b, 64), NULL, &a, &v, &err), 0);
    assert_int_equal(json_parse(nested(&b, 65), NULL, &a, &v, &err), ERR_INVALID);
    assert_string_equal(err.reason, "too_deep");
    assert_int_equal(json_parse(nested(&b, 4), &(struct json_limits){ .depth = 3 }, &a, &v, &err), ERR_INVALID);
    /* A million levels would need some hundred megabytes of stack if the reader recursed. */
    assert_int_equal(json_parse(nested(&b, 1000000), &(struct json_limits){ .depth = 1000000, .nodes = 2000000 }, &a, &v, &err), 0);
    size_t depth = 0;
    for (const struct json_value *p = v; p->type == JSON_ARRAY || p->type == JSON_OBJECT; p = p->first)
        depth++;
    assert_int_equal(depth, 1000000);
    arena_release(&a);
    buf_release(&b);
}

static void siblings_do_not_count_as_depth(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    struct buf b;
    buf_init(&b, NULL);
    arena_init(&a, NULL, 0);
    buf_add_char(&b, '[');
    for (int i = 0; i < 1000; i++)
        buf_add_str(&b, "[[{}]],");
    buf_add_str(&b, "[]]");
    assert_int_equal(json_parse(buf_slice(&b), &(struct json_limits){ .depth = 4 }, &a, &v, NULL), 0);
    assert_int_equal(v->count, 1001);
    arena_release(&a);
    buf_release(&b);
}

static void too_many_values_are_refused(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    struct err err;
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(SLICE_LIT("[1,2,3]"), &(struct json_limits){ .nodes = 4 }, &a, &v, &err), 0);
    assert_int_equal(json_parse(SLICE_LIT("[1,2,3]"), &(struct json_limits){ .nodes = 3 }, &a, &v, &err), ERR_TOO_LARGE);
    arena_release(&a);
}

/* n members named by fill(i); then perhaps the last name once more. */
static int parse_members(struct buf *b, size_t n, void (*fill)(char *out, size_t i), bool again, struct err *err)
{
    struct arena a;
    struct json_value *v;
    char name[64];
    buf_clear(b);
    buf_add_char(b, '{');
    for (size_t i = 0; i < n + again; i++) {
        fill(name, i < n ? i : n - 1);
        buf_printf(b, "%s\"%s\":1", i ? "," : "", name);
    }
    buf_add_char(b, '}');
    arena_init(&a, NULL, 0);
    int rc = json_parse(buf_slice(b), NULL, &a, &v, err);
    if (rc == 0)
        assert_int_equal(v->count, n);
    arena_release(&a);
    return rc;
}

static void fill_plain(char *out, size_t i)
{
    sprintf(out, "name-%zu", i);
}

static void a_key_given_twice_is_found_in_objects_of_any_size(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, NULL);
    size_t sizes[] = { 1, 2, 15, 16, 17, 18, 100, 5000 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char name[64], expected[100];
        assert_int_equal(parse_members(&b, sizes[i], fill_plain, false, &err), 0);
        assert_int_equal(parse_members(&b, sizes[i], fill_plain, true, &err), ERR_INVALID);
        assert_string_equal(err.reason, "duplicate_key");
        fill_plain(name, sizes[i] - 1);
        /* Before the second one: its quotes, ":1}" and nothing else. */
        snprintf(expected, sizeof expected, "line 1, column %zu: duplicate key \"%s\";", b.len - strlen(name) - 4, name);
        assert_int_equal(strncmp(err.text, expected, strlen(expected)), 0);
    }
    buf_release(&b);
}

static void a_key_given_twice_is_found_behind_escapes(void **state)
{
    (void)state;
    assert_refused(SLICE_LIT("{\"a\":1,\"\\u0061\":2}"), "duplicate_key",
                   "line 1, column 8: duplicate key \"a\"; expected each name once in an object");
    assert_refused(SLICE_LIT("{\"\\u0000\":1, \"\\u0000\":2}"), "duplicate_key",
                   "line 1, column 14: duplicate key \"?\"; expected each name once in an object");
    assert_refused(
        SLICE_LIT(
            "{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"a\":0,\"b\":0,\"c\":0,\"d\":0,\"e\":0,"
            "\"f\":0,\"g\":0,\n \"\\u0061\":2}"),
        "duplicate_key", "line 2, column 2: duplicate key \"a\"; expected each name once in an object");
    assert_reads_as(SLICE_LIT("{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":4}]}"),
                    "{\"a\":1,\"b\":{\"a\":2},\"c\":[{\"a\":3},{\"a\":4}]}");
}

enum { COLLIDING = 1000 };
static uint32_t colliding[COLLIDING];

static void fill_colliding(char *out, size_t i)
{
    sprintf(out, "%08x", colliding[i]);
}

/* All names fall into one slot of the table (2,048 for a thousand members): half a million steps by hash, more than the
 * reader takes before it sorts instead. */
static void names_made_to_collide_are_still_told_apart(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    char name[16];
    size_t found = 0;
    for (uint32_t n = 0; found < COLLIDING; n++) {
        sprintf(name, "%08x", n);
        if ((hash_bytes(name, 8) & 2047) == 5)
            colliding[found++] = n;
    }
    buf_init(&b, NULL);
    assert_int_equal(parse_members(&b, COLLIDING, fill_colliding, false, &err), 0);
    assert_int_equal(parse_members(&b, COLLIDING, fill_colliding, true, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "duplicate key"));
    buf_release(&b);
}

static void a_hundred_thousand_names_are_read_in_linear_time(void **state)
{
    (void)state;
    struct buf b;
    struct err err;
    buf_init(&b, NULL);
    int64_t begin_ns = clock_mono_ns(clock_system());
    assert_int_equal(parse_members(&b, 100000, fill_plain, false, &err), 0);
    assert_int_equal(parse_members(&b, 100000, fill_plain, true, &err), ERR_INVALID);
    assert_true(clock_mono_ns(clock_system()) - begin_ns < INT64_C(5000000000)); /* in pairs: 10^10 comparisons */
    buf_release(&b);
}

static void the_writer_puts_commas_quotes_and_escapes(void **state)
{
    (void)state;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "a");
    json_array(&w);
    json_int(&w, -1);
    json_null(&w);
    json_bool(&w, true);
    json_bool(&w, false);
    json_array(&w);
    json_array_end(&w);
    json_object(&w);
    json_object_end(&w);
    json_array_end(&w);
    json_key_slice(&w, SLICE_LIT("b\n\""));
    json_str(&w, "\x01\x7F\\");
    json_key(&w, "c");
    json_raw(&w, SLICE_LIT("1.50"));
    json_key(&w, "d");
    json_string(&w, slice_of(NULL, 0));
    json_key(&w, "e");
    memcpy(json_plain(&w, 3), "xyz", 3);
    json_object_end(&w);
    assert_true(
        slice_is(buf_slice(&b), "{\"a\":[-1,null,true,false,[],{}],\"b\\n\\\"\":\"\\u0001\x7F\\\\\",\"c\":1.50,\"d\":\"\",\"e\":\"xyz\"}"));
    buf_release(&b);
}

static void broken_utf8_is_written_as_the_replacement_character(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "a\xFFz", "\"a\xEF\xBF\xBDz\"" },
        { "\xE8\x8C", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"" },
        { "long enough for a word \xC3\xA9 and one more \xED\xA0\x80.",
          "\"long enough for a word \xC3\xA9 and one more \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD.\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_str(&w, cases[i].in);
        assert_true(slice_is(buf_slice(&b), cases[i].out));
        buf_release(&b);
    }
}

/* Strings of every length with every kind of byte at every place come back as they were. */
static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    static const char *const specials[] = { "\"", "\\", "\n", "\x01", "\xC3\xA9", "\xF0\x9F\x8D\xB5", "x" };
    struct arena a;
    arena_init(&a, NULL, 0);
    for (size_t s = 0; s < sizeof specials / sizeof *specials; s++) {
        for (size_t before = 0; before < 30; before++) {
            for (size_t after = 0; after < 30; after++) {
                char text[80];
                struct buf b;
                struct json_writer w;
                struct json_value *v;
                int n = snprintf(text, sizeof text, "%.*s%s%s%.*s", (int)before, "abcdefghijklmnopqrstuvwxyz0123", specials[s], specials[s],
                                 (int)after, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123");
                buf_init(&b, NULL);
                json_writer_init(&w, &b);
                json_string(&w, slice_of(text, (size_t)n));
                arena_reset(&a);
                assert_int_equal(json_parse(buf_slice(&b), NULL, &a, &v, NULL), 0);
                assert_true(slice_eq(v->string, slice_of(text, (size_t)n)));
                buf_release(&b);
            }
        }
    }
    arena_release(&a);
}

static void trees_made_by_hand_are_written_like_those_that_were_read(void **state)
{
    (void)state;
    struct arena a;
    struct buf b;
    struct json_writer w;
    arena_init(&a, NULL, 0);
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    struct json_value *root = json_new(&a, JSON_OBJECT), *list = json_new(&a, JSON_ARRAY);
    list->key = SLICE_LIT("list");
    json_append(root, NULL, list);
    struct json_value *one = json_new_int(&a, 1), *two = json_new_string(&a, SLICE_LIT("two"));
    json_append(list, NULL, one);
    json_append(list, one, two);
    json_value_write(&w, root);
    assert_true(slice_is(buf_slice(&b), "{\"list\":[1,\"two\"]}"));
    buf_release(&b);
    arena_release(&a);
}

static void a_name_in_a_sentence_is_short_and_on_one_line(void **state)
{
    (void)state;
    char out[JSON_QUOTE_MAX], text[300];
    assert_string_equal(json_quote(out, SLICE_LIT("a\nb")), "\"a?b\"");
    for (size_t pad = 0; pad < 3; pad++) {
        memset(text, 'x', pad);
        for (size_t i = pad; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "\xE8\x8C\xB6", 4);
        json_quote(out, slice_str(text));
        size_t n = strlen(out);
        assert_in_range(n, JSON_QUOTE_MAX - 5, JSON_QUOTE_MAX - 1);
        assert_string_equal(out + n - 4, "...\"");
        assert_int_equal((n - 5 - pad) % 3, 0);
    }
}

static void a_refused_allocation_is_an_error_and_nothing_leaks(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, NULL);
    buf_add_str(&text, "{\"escaped \\u8336 key\":[");
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "\"a string \\n %d\",", i);
    buf_add_str(&text, "0],\"members\":{");
    for (int i = 0; i < 200; i++)
        buf_printf(&text, "%s\"m%d\":%d", i ? "," : "", i, i);
    buf_add_str(&text, "}}");
    for (int after = 0; after <= 1; after++) {
        for (size_t k = 1;; k++) {
            struct alloc_fault f;
            struct arena a;
            struct json_value *v;
            struct err err;
            alloc_fault_init(&f, k, after);
            arena_init(&a, &f.face, 0);
            int rc = json_parse(buf_slice(&text), NULL, &a, &v, &err);
            assert_int_equal(rc, f.refused ? ERR_NOMEM : 0);
            assert_int_equal(v == NULL, f.refused);
            if (rc == 0) {
                struct buf out;
                struct json_writer w;
                buf_init(&out, &f.face);
                json_writer_init(&w, &out);
                json_value_write(&w, v);
                assert_int_equal(out.failed, f.refused);
                buf_release(&out);
            }
            arena_release(&a);
            assert_int_equal(f.live_bytes, 0);
            if (!f.refused) {
                assert_true(k > 5);
                break;
            }
        }
    }
    /* The writer alone, refused in the middle. */
    for (size_t k = 1;; k++) {
        struct alloc_fault f;
        struct arena a;
        struct json_value *v;
        struct buf out;
        struct json_writer w;
        alloc_fault_init(&f, k, false);
        arena_init(&a, NULL, 0);
        buf_init(&out, &f.face);
        json_writer_init(&w, &out);
        assert_int_equal(json_parse(buf_slice(&text), NULL, &a, &v, NULL), 0);
        json_value_write(&w, v);
        assert_int_equal(out.failed, f.refused);
        buf_release(&out);
        arena_release(&a);
        assert_int_equal(f.live_bytes, 0);
        if (!f.refused)
            break;
    }
    buf_release(&text);
}

static void an_arena_with_a_limit_bounds_what_a_document_may_take(void **state)
{
    (void)state;
    struct arena a;
    struct json_value *v;
    struct err err;
    struct buf b;
    buf_init(&b, NULL);
    arena_init(&a, NULL, 10000);
    buf_add_char(&b, '[');
    for (int i = 0; i < 5000; i++)
        buf_add_str(&b, "1,");
    buf_add_str(&b, "1]");
    assert_int_equal(json_parse(buf_slice(&b), NULL, &a, &v, &err), ERR_NOMEM);
    arena_release(&a);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_becomes_a_tree_in_its_order),
        cmocka_unit_test(strings_without_escapes_point_into_the_text),
        cmocka_unit_test(escapes_become_the_characters_they_mean),
        cmocka_unit_test(numbers_keep_their_kind_and_their_text),
        cmocka_unit_test(the_largest_double_is_where_the_c_library_has_it),
        cmocka_unit_test(errors_name_the_line_the_column_and_what_was_expected),
        cmocka_unit_test(a_bad_byte_is_found_wherever_it_stands),
        cmocka_unit_test(nesting_stops_at_the_limit_and_needs_no_stack),
        cmocka_unit_test(siblings_do_not_count_as_depth),
        cmocka_unit_test(too_many_values_are_refused),
        cmocka_unit_test(a_key_given_twice_is_found_in_objects_of_any_size),
        cmocka_unit_test(a_key_given_twice_is_found_behind_escapes),
        cmocka_unit_test(names_made_to_collide_are_still_told_apart),
        cmocka_unit_test(a_hundred_thousand_names_are_read_in_linear_time),
        cmocka_unit_test(the_writer_puts_commas_quotes_and_escapes),
        cmocka_unit_test(broken_utf8_is_written_as_the_replacement_character),
        cmocka_unit_test(what_is_written_reads_the_same),
        cmocka_unit_test(trees_made_by_hand_are_written_like_those_that_were_read),
        cmocka_unit_test(a_name_in_a_sentence_is_short_and_on_one_line),
        cmocka_unit_test(a_refused_allocation_is_an_error_and_nothing_leaks),
        cmocka_unit_test(an_arena_with_a_limit_bounds_what_a_document_may_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
