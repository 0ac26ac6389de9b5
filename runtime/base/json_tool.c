/* json_tool FILE... - reads each file as strict JSON. One line per file on standard output: "accepted FILE" or
 * "refused FILE: why". Exits 1 when a file was refused, 2 when one could not be read. */
#include "base/json.h"
#include <stdio.h>
#include <string.h>

static int read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    buf_clear(out);
    size_t n;
    do {
        char *room = buf_reserve(out, 65536);
        n = room ? fread(room, 1, 65536, f) : 0;
        out->len += n;
    } while (n);
    int bad = ferror(f) || out->failed;
    fclose(f);
    return bad ? -1 : 0;
}

/* What was accepted must come out as JSON that reads the same again; anything else is a bug of ours. */
static int write_again(struct arena *arena, const struct json_value *v, struct err *err)
{
    struct buf first, second;
    struct json_writer w;
    struct json_value *again;
    buf_init(&first, NULL);
    buf_init(&second, NULL);
    json_writer_init(&w, &first);
    json_value_write(&w, v);
    int rc = json_parse(buf_slice(&first), NULL, arena, &again, err);
    if (rc == 0) {
        json_writer_init(&w, &second);
        json_value_write(&w, again);
        if (!slice_eq(buf_slice(&first), buf_slice(&second)))
            rc = err_set(err, ERR_INTERNAL, "what was written reads as another value");
    }
    buf_release(&first);
    buf_release(&second);
    return rc;
}

int main(int argc, char **argv)
{
    struct buf text;
    struct arena arena;
    int status = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: json_tool FILE...\n");
        return 2;
    }
    buf_init(&text, NULL);
    arena_init(&arena, NULL, 0);
    for (int i = 1; i < argc; i++) {
        struct json_value *v;
        struct err err;
        arena_reset(&arena);
        if (read_file(argv[i], &text) < 0) {
            fprintf(stderr, "json_tool: %s can't be read\n", argv[i]);
            status = 2;
            continue;
        }
        int rc = json_parse(buf_slice(&text), NULL, &arena, &v, &err);
        if (rc == 0 && write_again(&arena, v, &err) < 0) {
            fprintf(stderr, "json_tool: %s: %s\n", argv[i], err.text);
            status = 2;
            continue;
        }
        if (rc == 0)
            printf("accepted %s\n", argv[i]);
        else
            printf("refused %s: %s\n", argv[i], err.text);
        fflush(stdout); /* so that a crash in the next file can be told from one in this */
        if (rc < 0 && status == 0)
            status = 1;
    }
    arena_release(&arena);
    buf_release(&text);
    return status;
}
