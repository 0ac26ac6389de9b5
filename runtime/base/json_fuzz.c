/* A libFuzzer target for the reader, the writer and the schemas. Built with clang and -DFEIRA_FUZZ=ON; run as
 * `json_fuzz CORPUS`. What must hold for any bytes: no crash, no leak; and what was accepted is written as text that is
 * accepted again and written the same. */
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
    } else if (v || err.code >= 0 || err.text[0] == '\0') {
        abort();
    }
    arena_release(&arena);
    return 0;
}
