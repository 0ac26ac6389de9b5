#include "base/alloc_fault.h"
#include "base/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char *const channels[] = { "web", "store", "phone", NULL };

static const struct schema line_fields[] = {
    { .name = "sku", .type = SCHEMA_STRING, .required = true, .min = 1, .max = 64, .format = "sku" },
    { .name = "qty", .type = SCHEMA_INT, .required = true, .min = 1, .max = 1000000 },
    { .name = "gift", .type = SCHEMA_BOOL },
    { .name = NULL },
};
static const struct schema line = { .type = SCHEMA_OBJECT, .fields = line_fields };
static const struct schema tag = { .type = SCHEMA_STRING, .min = 1, .max = 10 };

static const struct schema order_fields[] = {
    { .name = "lines", .type = SCHEMA_ARRAY, .required = true, .min = 1, .max = 3, .item = &line, .about = "What is bought." },
    { .name = "channel", .type = SCHEMA_STRING, .choices = channels },
    { .name = "note", .type = SCHEMA_STRING, .multiline = true, .nullable = true },
    { .name = "placed_at", .type = SCHEMA_STRING, .format = "timestamp" },
    { .name = "email", .type = SCHEMA_STRING, .format = "email" },
    { .name = "id", .type = SCHEMA_STRING, .format = "id" },
    { .name = "currency", .type = SCHEMA_STRING, .format = "currency" },
    { .name = "country", .type = SCHEMA_STRING, .format = "country" },
    { .name = "attributes", .type = SCHEMA_MAP, .max = 2, .item = &tag },
    { .name = "extra", .type = SCHEMA_ANY },
    { .name = "delta", .type = SCHEMA_INT },
    { .name = "budget", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX },
    { .name = NULL },
};
static const struct schema order = { .type = SCHEMA_OBJECT, .fields = order_fields };

static int check(const struct schema *s, const char *text, struct err *err)
{
    struct arena a;
    struct json_value *v;
    arena_init(&a, NULL, 0);
    err_clear(err);
    assert_int_equal(json_parse(slice_str(text), NULL, &a, &v, err), 0);
    int rc = schema_check(s, v, err);
    arena_release(&a);
    return rc;
}

#define LINES "\"lines\":[{\"sku\":\"tea\",\"qty\":1}]"

static void assert_accepted(const char *text)
{
    struct err err;
    if (check(&order, text, &err) != 0)
        fail_msg("%s was refused: %s", text, err.text);
}

static void assert_refused(const char *text, const char *field, const char *sentence)
{
    struct err err;
    assert_int_equal(check(&order, text, &err), ERR_INVALID);
    assert_string_equal(err.field, field);
    assert_string_equal(err.text, sentence);
}

static void a_document_of_the_right_shape_is_accepted(void **state)
{
    (void)state;
    assert_accepted("{" LINES "}");
    assert_accepted("{" LINES ",\"channel\":\"web\",\"note\":\"two\\nlines\\tand a tab\",\"placed_at\":\"2026-11-20T08:00:00.5+08:00\","
                    "\"email\":\"a.b@example.co.uk\",\"id\":\"ord_1:a.b-c\",\"currency\":\"CNY\",\"country\":\"CN\",\"attributes\":{"
                    "\"colour\":\"red\"},"
                    "\"extra\":[{\"anything\":null}],\"delta\":-9223372036854775808,\"budget\":9223372036854775807}");
    assert_accepted("{" LINES ",\"note\":null}");
}

static void the_field_at_fault_is_named_with_what_was_expected_and_seen(void **state)
{
    (void)state;
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qty\":\"two\"}]}", "/lines/0/qty",
                   "/lines/0/qty: expected an integer from 1 to 1000000, got \"two\"");
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qty\":1},{\"sku\":\"mug\",\"qty\":0}]}", "/lines/1/qty",
                   "/lines/1/qty: expected an integer from 1 to 1000000, got 0");
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qty\":1.0}]}", "/lines/0/qty",
                   "/lines/0/qty: expected an integer from 1 to 1000000, got 1.0");
    assert_refused("{\"lines\":[{\"qty\":1}]}", "/lines/0/sku", "/lines/0/sku: is missing; expected a string");
    assert_refused("{\"lines\":[]}", "/lines", "/lines: expected 1 to 3 items, got 0");
    assert_refused("{\"lines\":[1,2,3,4]}", "/lines", "/lines: expected 1 to 3 items, got 4");
    assert_refused("{\"lines\":[null]}", "/lines/0", "/lines/0: expected an object, got null");
    assert_refused("[]", "", "the document: expected an object, got an array");
    assert_refused("{" LINES ",\"delta\":true}", "/delta", "/delta: expected an integer, got true");
    assert_refused("{" LINES ",\"budget\":0}", "/budget", "/budget: expected an integer of at least 1, got 0");
    assert_refused("{" LINES ",\"note\":5}", "/note", "/note: expected a string or null, got 5");
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qty\":1,\"gift\":0}]}", "/lines/0/gift", "/lines/0/gift: expected true or false, got 0");
}

static void an_unknown_member_is_refused_with_the_nearest_known_name(void **state)
{
    (void)state;
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qyt\":1}]}", "/lines/0/qyt",
                   "/lines/0/qyt: the member \"qyt\" is not known here; did you mean \"qty\"?");
    assert_refused("{\"lines\":[{\"sku\":\"tea\",\"qty\":1,\"total_price\":1}]}", "/lines/0/total_price",
                   "/lines/0/total_price: the member \"total_price\" is not known here; expected sku, qty or gift");
    assert_refused(
        "{" LINES ",\"a/b~c\":1}", "/a~1b~0c",
        "/a~1b~0c: the member \"a/b~c\" is not known here; expected lines, channel, note, placed_at, email, id, currency, country, "
        "attributes, extra, delta or budget");
}

static void strings_are_measured_in_characters_and_hold_no_control_characters(void **state)
{
    (void)state;
    assert_accepted(
        "{" LINES ",\"attributes\":{\"k\":"
        "\"\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\xE8\x8C\xB6\"}}");
    assert_refused("{" LINES ",\"attributes\":{\"k\":\"12345678901\"}}", "/attributes/k",
                   "/attributes/k: expected 1 to 10 characters, got 11");
    assert_refused("{" LINES ",\"attributes\":{\"k\":\"a\\u0000\"}}", "/attributes/k",
                   "/attributes/k: the control character U+0000 is not allowed here; expected text on one line");
    assert_refused("{" LINES ",\"attributes\":{\"k\":\"a\\nb\"}}", "/attributes/k",
                   "/attributes/k: the control character U+000A is not allowed here; expected text on one line");
    assert_refused("{" LINES ",\"attributes\":{\"k\":\"a\\u0085\"}}", "/attributes/k",
                   "/attributes/k: the control character U+0085 is not allowed here; expected text on one line");
    assert_refused("{" LINES ",\"note\":\"a\\rb\"}", "/note",
                   "/note: the control character U+000D is not allowed here; expected text, line breaks and tabs");
}

static void maps_bound_their_size_and_their_names(void **state)
{
    (void)state;
    assert_refused("{" LINES ",\"attributes\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}", "/attributes",
                   "/attributes: expected at most 2 members, got 3");
    assert_refused("{" LINES ",\"attributes\":{\"\":\"1\"}}", "/attributes/",
                   "/attributes/: expected a name of 1 to 64 characters without control characters");
    assert_refused("{" LINES ",\"attributes\":{\"a\\u0000\":\"1\"}}", "/attributes/a?",
                   "/attributes/a?: expected a name of 1 to 64 characters without control characters");
    struct err err;
    char text[400], name[70];
    memset(name, 'n', 65);
    name[65] = '\0';
    snprintf(text, sizeof text, "{" LINES ",\"attributes\":{\"%s\":\"1\"}}", name);
    assert_int_equal(check(&order, text, &err), ERR_INVALID);
}

static void each_format_refuses_what_is_not_of_it(void **state)
{
    (void)state;
    static const struct {
        const char *member, *bad[8];
    } cases[] = {
        { "placed_at",
          { "2026-11-20", "2026-11-20T08:00:00", "2026-02-30T08:00:00Z", "2026-11-20T24:00:00Z", "2026-11-20T08:00:60Z", "yesterday" } },
        { "email", { "a", "a@b", "@b.c", "a b@c.d", "a@b..c", "a@.b", "a@b.c@d.e", "a@b." } },
        { "id", { "", "a b", "a/b", "\xC3\xA9" } },
        { "currency", { "cny", "CN", "CNYX", "QQQ" } },
        { "country", { "cn", "CHN", "C", "C1" } },
        { "channel", { "Web", "", "fax" } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t k = 0; k < 8 && cases[i].bad[k]; k++) {
            char text[200], pointer[40];
            struct err err;
            snprintf(text, sizeof text, "{" LINES ",\"%s\":\"%s\"}", cases[i].member, cases[i].bad[k]);
            snprintf(pointer, sizeof pointer, "/%s", cases[i].member);
            if (check(&order, text, &err) != ERR_INVALID)
                fail_msg("%s took \"%s\"", cases[i].member, cases[i].bad[k]);
            assert_string_equal(err.field, pointer);
        }
    }
    assert_refused("{" LINES ",\"channel\":\"stor\"}", "/channel",
                   "/channel: expected one of web, store, phone; got \"stor\"; did you mean store?");
    assert_refused("{\"lines\":[{\"sku\":\" tea\",\"qty\":1}]}", "/lines/0/sku",
                   "/lines/0/sku: expected a SKU without spaces at its ends, got \" tea\"");
}

static void the_nearest_word_is_within_two_edits(void **state)
{
    (void)state;
    static const char *const words[] = { "percent_off", "amount_off", "buy_get", "id", "qty", NULL };
    assert_string_equal(nearest_word(SLICE_LIT("percent_of"), words), "percent_off");
    assert_string_equal(nearest_word(SLICE_LIT("precent_off"), words), "percent_off"); /* neighbours swapped: one edit */
    assert_string_equal(nearest_word(SLICE_LIT("amuont_of"), words), "amount_off");
    assert_string_equal(nearest_word(SLICE_LIT("qty"), words), "qty");
    assert_string_equal(nearest_word(SLICE_LIT("amount"), words), "amount_off"); /* begun */
    assert_null(nearest_word(SLICE_LIT("bu"), words));
    assert_null(nearest_word(SLICE_LIT("free_shipping"), words));
    assert_null(nearest_word(SLICE_LIT("no"), words)); /* two edits from "id", but nothing of it is left */
    assert_null(nearest_word(SLICE_LIT(""), words));
    char large[200];
    memset(large, 'x', sizeof large);
    assert_null(nearest_word(slice_of(large, sizeof large), words));
}

static void a_long_path_is_cut_and_still_text(void **state)
{
    (void)state;
    char text[600];
    struct err err;
    for (size_t pad = 0; pad < 3; pad++) {
        size_t n = (size_t)snprintf(text, sizeof text, "{" LINES ",\"%.*s", (int)pad, "xx");
        for (int i = 0; i < 60; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "\xE8\x8C\xB6");
        snprintf(text + n, sizeof text - n, "\":1}");
        assert_int_equal(check(&order, text, &err), ERR_INVALID);
        size_t len = strlen(err.field);
        assert_in_range(len, sizeof err.field - 6, sizeof err.field - 1);
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_str(&w, err.field); /* broken UTF-8 would become U+FFFD and grow */
        assert_int_equal(b.len, len + 2);
        buf_release(&b);
    }
}

static void a_schema_is_written_as_json_schema(void **state)
{
    (void)state;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    schema_write(&line, &w);
    assert_true(slice_is(buf_slice(&b),
                         "{\"type\":\"object\",\"properties\":{\"sku\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,"
                         "\"pattern\":\"^[^ ](.*[^ ])?$\"},\"qty\":{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1,"
                         "\"maximum\":1000000},\"gift\":{\"type\":\"boolean\"}},\"required\":[\"sku\",\"qty\"],"
                         "\"additionalProperties\":false}"));
    buf_clear(&b);
    json_writer_init(&w, &b);
    schema_write(&order, &w);
    struct arena a;
    struct json_value *v;
    arena_init(&a, NULL, 0);
    assert_int_equal(json_parse(buf_slice(&b), NULL, &a, &v, NULL), 0);
    const struct json_value *properties = json_get(v, "properties");
    assert_true(slice_is(json_get(json_get(properties, "lines"), "description")->string, "What is bought."));
    assert_int_equal(json_get(json_get(properties, "lines"), "maxItems")->integer, 3);
    assert_true(slice_is(json_get(json_get(properties, "placed_at"), "format")->string, "date-time"));
    assert_int_equal(json_get(json_get(properties, "note"), "type")->count, 2);
    assert_int_equal(json_get(json_get(properties, "channel"), "enum")->count, 3);
    assert_int_equal(json_get(json_get(properties, "extra"), "type") != NULL, 0);
    assert_non_null(json_get(json_get(properties, "attributes"), "additionalProperties"));
    arena_release(&a);
    buf_release(&b);
}

/* Checking allocates nothing; writing goes to a buffer that remembers. */
static void a_refused_allocation_while_writing_is_remembered(void **state)
{
    (void)state;
    for (size_t k = 1;; k++) {
        struct alloc_fault f;
        struct buf b;
        struct json_writer w;
        alloc_fault_init(&f, k, false);
        buf_init(&b, &f.face);
        json_writer_init(&w, &b);
        schema_write(&order, &w);
        assert_int_equal(b.failed, f.refused);
        buf_release(&b);
        assert_int_equal(f.live_bytes, 0);
        if (!f.refused) {
            assert_true(k > 3);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_of_the_right_shape_is_accepted),
        cmocka_unit_test(the_field_at_fault_is_named_with_what_was_expected_and_seen),
        cmocka_unit_test(an_unknown_member_is_refused_with_the_nearest_known_name),
        cmocka_unit_test(strings_are_measured_in_characters_and_hold_no_control_characters),
        cmocka_unit_test(maps_bound_their_size_and_their_names),
        cmocka_unit_test(each_format_refuses_what_is_not_of_it),
        cmocka_unit_test(the_nearest_word_is_within_two_edits),
        cmocka_unit_test(a_long_path_is_cut_and_still_text),
        cmocka_unit_test(a_schema_is_written_as_json_schema),
        cmocka_unit_test(a_refused_allocation_while_writing_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
