#include "base/alloc_fault.h"
#include "base/schema.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- a body with one of each ------------------------------------------------------------------------------------------- */

struct line {
    struct slice sku;
    struct schema_int qty, price;
};

struct body {
    struct schema_list lines, codes, numbers;
    struct slice customer, channel, note;
    struct schema_int gift;
    struct {
        struct slice option;
        struct schema_int days;
    } shipping;
    const struct json_value *inputs;
};

#define BODY(member)     .into = SCHEMA_INTO(struct body, member)
#define LINE(member)     .into = SCHEMA_INTO(struct line, member)
#define SHIPPING(member) .into = SCHEMA_INTO(struct body, shipping.member) - offsetof(struct body, shipping)

static const struct schema line_fields[] = {
    { .name = "sku", LINE(sku), .type = SCHEMA_STRING, .required = true, .min = 1, .max = 8, .format = "sku" },
    { .name = "qty", LINE(qty), .type = SCHEMA_INT, .required = true, .min = 1, .max = 1000000 },
    { .name = "price", LINE(price), .type = SCHEMA_INT },
    { .name = NULL },
};
static const struct schema line = { .type = SCHEMA_OBJECT, .fields = line_fields, .size = sizeof(struct line) };
static const struct schema code = { .type = SCHEMA_STRING, .min = 1, .max = 6 };
static const struct schema number = { .type = SCHEMA_INT, .nullable = true, .min = -5, .max = INT64_MAX };
static const struct schema shipping_fields[] = {
    { .name = "option", SHIPPING(option), .type = SCHEMA_STRING, .min = 1, .max = 10 },
    { .name = "days", SHIPPING(days), .type = SCHEMA_INT },
    { .name = NULL },
};
static const struct schema input_fields[] = { { .name = "wrap", .type = SCHEMA_BOOL },
                                              { .name = "text", .type = SCHEMA_STRING },
                                              { .name = NULL } };
static const char *const channels[] = { "web", "store", NULL };
static const struct schema body_fields[] = {
    { .name = "lines", BODY(lines), .type = SCHEMA_ARRAY, .required = true, .min = 1, .max = 200, .item = &line },
    { .name = "codes", BODY(codes), .type = SCHEMA_ARRAY, .max = 3, .item = &code },
    { .name = "numbers", BODY(numbers), .type = SCHEMA_ARRAY, .nullable = true, .max = 5, .item = &number },
    { .name = "customer", BODY(customer), .type = SCHEMA_STRING, .nullable = true, .min = 1, .max = 20, .format = "id" },
    { .name = "channel", BODY(channel), .type = SCHEMA_STRING, .choices = channels },
    { .name = "note", BODY(note), .type = SCHEMA_STRING, .multiline = true, .max = 40 },
    { .name = "gift", BODY(gift), .type = SCHEMA_BOOL },
    { .name = "shipping", BODY(shipping), .type = SCHEMA_OBJECT, .fields = shipping_fields },
    { .name = "inputs", BODY(inputs), .as_tree = true, .type = SCHEMA_OBJECT, .fields = input_fields },
    { .name = "elsewhere", .type = SCHEMA_STRING, .max = 5 }, /* no place for it */
    { .name = NULL },
};
static const struct schema schema = { .type = SCHEMA_OBJECT, .fields = body_fields, .size = sizeof(struct body) };

/* --- what a struct holds, as text ---------------------------------------------------------------------------------------- */

static void tell_text(struct buf *b, const char *name, struct slice s)
{
    if (s.data)
        buf_printf(b, "%s=<%.*s> ", name, SLICE_FMT(s));
}

static void tell_int(struct buf *b, const char *name, struct schema_int n)
{
    if (n.said)
        buf_printf(b, "%s=%lld ", name, (long long)n.value);
}

static void tell(struct buf *b, const struct body *body)
{
    for (size_t i = 0; i < body->lines.count; i++) {
        const struct line *l = (const struct line *)body->lines.items + i;
        tell_text(b, "sku", l->sku);
        tell_int(b, "qty", l->qty);
        tell_int(b, "price", l->price);
    }
    buf_printf(b, "codes %s ", body->codes.items ? "there" : "not");
    for (size_t i = 0; i < body->codes.count; i++)
        tell_text(b, "code", ((const struct slice *)body->codes.items)[i]);
    buf_printf(b, "numbers %s %zu ", body->numbers.items ? "there" : "not", body->numbers.count);
    for (size_t i = 0; i < body->numbers.count; i++)
        tell_int(b, "number", ((const struct schema_int *)body->numbers.items)[i]);
    tell_text(b, "customer", body->customer);
    tell_text(b, "channel", body->channel);
    tell_text(b, "note", body->note);
    tell_int(b, "gift", body->gift);
    tell_text(b, "option", body->shipping.option);
    tell_int(b, "days", body->shipping.days);
    if (body->inputs) {
        struct json_writer w;
        buf_add_str(b, "inputs=");
        json_writer_init(&w, b);
        json_value_write(&w, body->inputs);
    }
}

struct read {
    bool taken;
    struct buf told;
    struct err err;
};

static struct read by_fill(const char *text, size_t len)
{
    struct arena a;
    struct body body = { 0 };
    struct read r = { 0 };
    char *exact = malloc(len ? len : 1); /* nothing behind the text, so that a look beyond it is seen */
    memcpy(exact, text, len);
    arena_init(&a, NULL, 0);
    buf_init(&r.told, NULL);
    r.taken = schema_fill(&schema, slice_of(exact, len), &a, &body);
    if (r.taken)
        tell(&r.told, &body);
    arena_release(&a);
    free(exact);
    return r;
}

static struct read by_tree(const char *text, size_t len)
{
    struct arena a;
    struct body body = { 0 };
    struct json_value *v;
    struct read r = { 0 };
    arena_init(&a, NULL, 0);
    buf_init(&r.told, NULL);
    r.taken = json_parse(slice_of(text, len), NULL, &a, &v, &r.err) == 0 && schema_check(&schema, v, &r.err) == 0;
    if (r.taken) {
        assert_int_equal(schema_fill_tree(&schema, v, &a, &body, &r.err), 0);
        tell(&r.told, &body);
    }
    arena_release(&a);
    return r;
}

/* The two agree on what is taken and on what it says; an escape or a member without a place is the tree's alone. */
static bool compare(const char *text, size_t len)
{
    struct read fill = by_fill(text, len), tree = by_tree(text, len);
    if (fill.taken && !tree.taken)
        fail_msg("%.*s\nis refused by the tree (%s), and was taken", (int)len, text, tree.err.text);
    if (tree.taken && !fill.taken && !memchr(text, '\\', len) && !memmem(text, len, "elsewhere", 9))
        fail_msg("%.*s\nis good, and was left to the tree", (int)len, text);
    if (fill.taken && !slice_eq(buf_slice(&fill.told), buf_slice(&tree.told)))
        fail_msg("%.*s\nsays %.*s\n, and was read as %.*s", (int)len, text, SLICE_FMT(buf_slice(&tree.told)),
                 SLICE_FMT(buf_slice(&fill.told)));
    buf_release(&fill.told);
    buf_release(&tree.told);
    return fill.taken;
}

static void assert_told(const char *text, const char *expected)
{
    assert_true(compare(text, strlen(text)));
    struct read r = by_fill(text, strlen(text));
    buf_add_char(&r.told, '\0');
    assert_string_equal(r.told.data, expected);
    buf_release(&r.told);
}

static void assert_left(const char *text)
{
    if (compare(text, strlen(text)))
        fail_msg("%s was taken", text);
}

/* --- the tests ----------------------------------------------------------------------------------------------------------- */

#define LINES "\"lines\":[{\"sku\":\"tea\",\"qty\":1}]"

static void fills_what_a_body_says(void **state)
{
    (void)state;
    assert_told("{" LINES "}", "sku=<tea> qty=1 codes not numbers not 0 ");
    assert_told(" { \"codes\" : [ \"A\" , \"B\" ] ,\n\"lines\" : [ { \"qty\" : 2 , \"sku\" : \"a b\" , \"price\" : 0 } , "
                "{\"sku\":\"b\",\"qty\":1000000} ] } ",
                "sku=<a b> qty=2 price=0 sku=<b> qty=1000000 codes there code=<A> code=<B> numbers not 0 ");
    assert_told("{" LINES ",\"codes\":[],\"numbers\":[-5,null,9223372036854775807],\"gift\":true,\"customer\":\"c_1\",\"channel\":\"web\"}",
                "sku=<tea> qty=1 codes there numbers there 3 number=-5 number=9223372036854775807 customer=<c_1> channel=<web> gift=1 ");
    assert_told("{" LINES ",\"numbers\":null,\"customer\":null,\"shipping\":{\"option\":\"post\",\"days\":-0},\"inputs\":{\"wrap\":false,"
                "\"text\":\"\\u0041\"}}",
                "sku=<tea> qty=1 codes not numbers not 0 customer=<> option=<post> days=0 inputs={\"wrap\":false,\"text\":\"A\"}");
    assert_told("{" LINES ",\"shipping\":{},\"inputs\":{}}", "sku=<tea> qty=1 codes not numbers not 0 inputs={}");
    assert_told("{" LINES ",\"note\":\"gr\xC3\xBC\xC3\x9F\\n\\u4f60\"}",
                "sku=<tea> qty=1 codes not numbers not 0 note=<gr\xC3\xBC\xC3\x9F\n\xE4\xBD\xA0> ");
}

static void leaves_what_is_wrong_to_the_tree(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        "null",
        "[]",
        "\xEF\xBB\xBF{" LINES "}",
        "{}",
        "{" LINES,
        "{" LINES "}}",
        "{" LINES "} x",
        "{" LINES ",}",
        "{," LINES "}",
        "{" LINES "," LINES "}",
        "{" LINES ",\"linesx\":[]}",
        "{" LINES ",\"line\":[]}",
        "{" LINES ",\"codes\":[\"A\",]}",
        "{" LINES ",\"codes\":[\"A\" \"B\"]}",
        "{" LINES ",\"codes\":[\"A\",\"B\",\"C\",\"D\"]}",
        "{" LINES ",\"codes\":[\"\"]}",
        "{" LINES ",\"codes\":[\"1234567\"]}",
        "{" LINES ",\"codes\":[1]}",
        "{" LINES ",\"codes\":null}",
        "{" LINES ",\"codes\":\"A\"}",
        "{" LINES ",\"codes\":[\"A\x7F\"]}",
        "{" LINES ",\"codes\":[\"A\xC2\x85\"]}",
        "{" LINES ",\"codes\":[\"A\xFF\"]}",
        "{" LINES ",\"codes\":[\"A\tB\"]}",
        "{" LINES ",\"codes\":[\"A\\tB\"]}",
        "{" LINES ",\"note\":\"a\x01\"}",
        "{" LINES ",\"customer\":\"a b\"}",
        "{" LINES ",\"channel\":\"wep\"}",
        "{" LINES ",\"channel\":null}",
        "{" LINES ",\"gift\":1}",
        "{" LINES ",\"gift\":truely}",
        "{" LINES ",\"numbers\":[-6]}",
        "{" LINES ",\"numbers\":[9223372036854775808]}",
        "{" LINES ",\"numbers\":[1,2,3,4,5,6]}",
        "{" LINES ",\"shipping\":{\"days\":01}}",
        "{" LINES ",\"shipping\":{\"days\":1.0}}",
        "{" LINES ",\"shipping\":{\"days\":1e0}}",
        "{" LINES ",\"shipping\":{\"days\":--1}}",
        "{" LINES ",\"shipping\":{\"days\":1,\"days\":1}}",
        "{" LINES ",\"shipping\":{\"else\":1}}",
        "{" LINES ",\"shipping\":null}",
        "{" LINES ",\"inputs\":{\"wrap\":1}}",
        "{" LINES ",\"inputs\":null}",
        "{" LINES ",\"inputs\":{\"wrap\":true,\"wrap\":true}}",
        "{" LINES ",\"elsewhere\":\"x\"}",
        "{" LINES ",\"elsewhere\":1}",
        "{\"lines\":[]}",
        "{\"lines\":[{}]}",
        "{\"lines\":[{\"sku\":\"tea\"}]}",
        "{\"lines\":[{\"sku\":\" tea\",\"qty\":1}]}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":0}]}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":1000001}]}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":\"1\"}]}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":1,\"sku\":\"b\"}]}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":1}}",
        "{\"lines\":[{\"sku\":\"tea\",\"qty\":1]]",
        "{\"lines\":[{\"sku\":\"tea\" \"qty\":1}]}",
        "{\"lines\":[{\"sku\" \"tea\",\"qty\":1}]}",
        "{\"lines\":[{sku:\"tea\",\"qty\":1}]}",
        "{\"lines\":[[]]}",
        "{\"lines\":{}}",
        "{\"lines",
        "{\"lines\":[{\"sku\":\"tea",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_left(texts[i]);
    assert_left("{\"l\\u0069nes\":[{\"sku\":\"tea\",\"qty\":1}]}"); /* good, but for the tree */
    char nul[] = "{\"lines\":[{\"sku\":\"te\0\",\"qty\":1}]}";
    assert_false(compare(nul, sizeof nul - 1));
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static size_t injure(char *text, size_t len, size_t cap, uint64_t *seed)
{
    static const char *const pieces[] = { "\"",
                                          "{",
                                          "}",
                                          "[",
                                          "]",
                                          ",",
                                          ":",
                                          "\\",
                                          "\\u00e9",
                                          "\xC3\xBC",
                                          "\x7F",
                                          "\xC2\x80",
                                          " ",
                                          "null",
                                          "true",
                                          "0",
                                          "-",
                                          "1e1",
                                          ".5",
                                          "99999999999999999999",
                                          "\"sku\"",
                                          "\"qty\":1,",
                                          "\"codes\":[\"A\"],",
                                          "\"gift\":false,",
                                          "\"inputs\":{\"text\":\"x\"},",
                                          "\"numbers\":[1, 2],",
                                          "\"elsewhere\":\"x\",",
                                          "\n",
                                          "\0" };
    size_t at = next_random(seed) % (len + 1), n;
    switch (next_random(seed) % 4) {
    case 0: /* a byte changes */
        if (at < len)
            text[at] = (char)next_random(seed);
        return len;
    case 1: /* some go */
        n = next_random(seed) % 4 + 1;
        n = n > len - at ? len - at : n;
        memmove(text + at, text + at + n, len - at - n);
        return len - n;
    default: { /* something comes in between */
        const char *piece = pieces[next_random(seed) % (sizeof pieces / sizeof *pieces)];
        n = *piece ? strlen(piece) : 1;
        if (len + n > cap)
            return len;
        memmove(text + at + n, text + at, len - at);
        memcpy(text + at, piece, n);
        return len + n;
    }
    }
}

/* FEIRA_FILL_ROUNDS says how many bodies, FEIRA_FILL_SEED which. */
static void agrees_with_the_tree_on_injured_bodies(void **state)
{
    static const char *const bodies[] = {
        "{" LINES "}",
        "{\"lines\":[{\"sku\":\"a\",\"qty\":1},{\"sku\":\"b\",\"qty\":20,\"price\":100}],\"codes\":[\"A\",\"B\"],\"shipping\":{\"option\":"
        "\"post\",\"days\":3}}",
        "{ \"customer\" : \"c_1\", \"channel\": \"store\",\"note\":\"two\\nlines\",\"gift\":true," LINES
        ",\"numbers\":[1,-2,null],\"inputs\":{\"wrap\":true,\"text\":\"x\"} }",
    };
    const char *rounds = getenv("FEIRA_FILL_ROUNDS"), *given = getenv("FEIRA_FILL_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) * 2 + 1 : 0x5EED;
    size_t taken = 0, left = 0;
    (void)state;
    for (long i = rounds ? atol(rounds) : 60000; i > 0; i--) {
        char text[1024];
        const char *body = bodies[next_random(&seed) % 3];
        size_t len = strlen(body);
        memcpy(text, body, len);
        for (uint64_t k = next_random(&seed) % 3; k + 1 > 0; k--)
            len = injure(text, len, sizeof text, &seed);
        bool is_taken = compare(text, len);
        taken += is_taken;
        left += !is_taken;
    }
    assert_true(taken > 100 && left > 100); /* it is a test of both */
}

static void takes_as_many_items_as_are_allowed(void **state)
{
    (void)state;
    static const int counts[] = { 1, 2, 31, 32, 33, 64, 65, 128, 129, 199, 200, 201 };
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        struct buf b;
        int n = counts[k];
        buf_init(&b, NULL);
        buf_add_str(&b, "{\"lines\":[");
        for (int i = 0; i < n; i++)
            buf_printf(&b, "%s{\"sku\":\"s%d\",\"qty\":%d}", i ? "," : "", i, i + 1);
        buf_add_str(&b, "]}");
        assert_int_equal(compare(b.data, b.len), n <= 200);
        buf_release(&b);
    }
}

static void memory_that_is_short_is_left_to_the_tree(void **state)
{
    static const char text[] =
        "{\"lines\":[{\"sku\":\"te\\u0061\",\"qty\":1}],\"codes\":[\"A\"],\"numbers\":[1],\"inputs\":{\"wrap\":true}}";
    (void)state;
    for (size_t k = 1, taken = 0; !taken; k++) {
        struct alloc_fault f;
        struct arena a;
        struct body body = { 0 };
        alloc_fault_init(&f, k, false);
        arena_init(&a, &f.face, 0);
        taken = schema_fill(&schema, slice_str(text), &a, &body);
        assert_int_equal(taken, !f.refused);
        arena_release(&a);
        assert_int_equal(f.live_bytes, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_what_a_body_says),
        cmocka_unit_test(leaves_what_is_wrong_to_the_tree),
        cmocka_unit_test(agrees_with_the_tree_on_injured_bodies),
        cmocka_unit_test(takes_as_many_items_as_are_allowed),
        cmocka_unit_test(memory_that_is_short_is_left_to_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
