/* A libFuzzer target for the readers, the writer and the schemas. Built with clang and -DFEIRA_FUZZ=ON; run as
 * `json_fuzz CORPUS`. What must hold for any bytes: no crash, no leak; what was accepted is written as text that is
 * accepted again and written the same; and what schema_fill() takes the tree takes, and says the same. */
#include "base/schema.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct schema any_item = { .type = SCHEMA_ANY };
static const struct schema fields[] = {
    { .name = "lines", .type = SCHEMA_ARRAY, .item = &any_item },
    { .name = "email", .type = SCHEMA_STRING, .format = "email" },
    { .name = "at", .type = SCHEMA_STRING, .format = "timestamp" },
    { .name = "map", .type = SCHEMA_MAP, .item = &any_item },
    { .name = NULL },
};
static const struct schema document = { .type = SCHEMA_OBJECT, .fields = fields };

struct line {
    struct slice sku;
    struct schema_int qty;
};
struct cart {
    struct schema_list lines, codes;
    struct slice note;
    const struct json_value *map;
};
static const struct schema line_fields[] = {
    { .name = "sku", .into = SCHEMA_INTO(struct line, sku), .type = SCHEMA_STRING, .required = true, .min = 1, .max = 8, .format = "sku" },
    { .name = "qty", .into = SCHEMA_INTO(struct line, qty), .type = SCHEMA_INT, .required = true, .min = -3, .max = 1000000 },
    { .name = NULL },
};
static const struct schema line = { .type = SCHEMA_OBJECT, .fields = line_fields, .size = sizeof(struct line) };
static const struct schema code = { .type = SCHEMA_STRING, .nullable = true, .max = 6 };
static const struct schema cart_fields[] = {
    { .name = "lines", .into = SCHEMA_INTO(struct cart, lines), .type = SCHEMA_ARRAY, .required = true, .min = 1, .item = &line },
    { .name = "codes", .into = SCHEMA_INTO(struct cart, codes), .type = SCHEMA_ARRAY, .max = 3, .item = &code },
    { .name = "note", .into = SCHEMA_INTO(struct cart, note), .type = SCHEMA_STRING, .multiline = true },
    { .name = "map", .into = SCHEMA_INTO(struct cart, map), .as_tree = true, .type = SCHEMA_MAP, .item = &any_item },
    { .name = NULL },
};
static const struct schema cart = { .type = SCHEMA_OBJECT, .fields = cart_fields, .size = sizeof(struct cart) };

static bool same_text(struct slice a, struct slice b)
{
    return !a.data == !b.data && slice_eq(a, b);
}

static void compare_readers(struct slice text, const struct json_value *tree, struct arena *arena)
{
    struct cart a = { 0 }, b = { 0 };
    if (!schema_fill(&cart, text, arena, &a))
        return;
    if (!tree || schema_check(&cart, tree, NULL) < 0 || schema_fill_tree(&cart, tree, arena, &b, NULL) < 0 ||
        a.lines.count != b.lines.count || a.codes.count != b.codes.count || !a.codes.items != !b.codes.items ||
        !same_text(a.note, b.note) || !a.map != !b.map)
        abort();
    for (size_t i = 0; i < a.lines.count; i++) {
        const struct line *x = (const struct line *)a.lines.items + i, *y = (const struct line *)b.lines.items + i;
        if (!same_text(x->sku, y->sku) || x->qty.value != y->qty.value || x->qty.said != y->qty.said)
            abort();
    }
    for (size_t i = 0; i < a.codes.count; i++)
        if (!same_text(((const struct slice *)a.codes.items)[i], ((const struct slice *)b.codes.items)[i]))
            abort();
}

static void write_value(struct buf *out, const struct json_value *v)
{
    struct json_writer w;
    buf_init(out, NULL);
    json_writer_init(&w, out);
    json_value_write(&w, v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct json_value *v, *again;
    struct err err;
    arena_init(&arena, NULL, 64u << 20);
    if (json_parse(slice_of((const char *)data, size), NULL, &arena, &v, &err) == 0) {
        struct buf first, second;
        write_value(&first, v);
        if (json_parse(buf_slice(&first), NULL, &arena, &again, &err) < 0)
            abort();
        write_value(&second, again);
        if (!slice_eq(buf_slice(&first), buf_slice(&second)))
            abort();
        schema_check(&document, v, &err);
        buf_release(&first);
        buf_release(&second);
        compare_readers(slice_of((const char *)data, size), v, &arena);
    } else if (v || err.code >= 0 || err.text[0] == '\0') {
        abort();
    } else {
        compare_readers(slice_of((const char *)data, size), NULL, &arena);
    }
    arena_release(&arena);
    return 0;
}
