/* A table of data beside the campaigns, part of their revision: the first record names the columns, each further one is
 * a table of strings. */
#include "base/csv.h"
#include "rulebook/rulebook_int.h"

enum { ROWS_MAX = 200000 };

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while reading a table of data");
}

static int check_columns(const struct csv_record *head, struct slice path, struct err *err)
{
    for (size_t i = 0; i < head->count; i++) {
        if (head->fields[i].len == 0)
            return err_set(err, ERR_INVALID, "%.*s:1: column %zu has no name; name every column in the first line", SLICE_FMT(path), i + 1);
        for (size_t k = 0; k < i; k++)
            if (slice_eq(head->fields[i], head->fields[k]))
                return err_set(err, ERR_INVALID, "%.*s:1: there are two columns \"%.*s\"; give each its own name", SLICE_FMT(path),
                               SLICE_FMT(head->fields[i]));
    }
    return 0;
}

static struct json_value *row_tree(const struct csv_record *head, const struct csv_record *row, struct arena *arena)
{
    struct json_value *out = json_new(arena, JSON_OBJECT), *last = NULL;
    for (size_t i = 0; out && i < head->count; i++) {
        struct json_value *cell = json_new_string(arena, row->fields[i]);
        if (!cell)
            return NULL;
        cell->key = head->fields[i];
        json_append(out, last, cell);
        last = cell;
    }
    return out;
}

static int read_rows(struct csv_reader *r, struct slice path, struct arena *arena, struct json_value *list, struct err *err)
{
    struct csv_record head, row;
    int rc = csv_next(r, &head, err);
    if (rc == 0)
        return err_set(err, ERR_INVALID, "%.*s:1: the file is empty; its first line names the columns", SLICE_FMT(path));
    if (rc < 0)
        return err_wrap(err, "%.*s", SLICE_FMT(path));
    struct slice *names = arena_array(arena, head.count, sizeof *names); /* the reader may use its array again */
    if (!names)
        return nomem(err);
    memcpy(names, head.fields, head.count * sizeof *names);
    head.fields = names;
    rc = check_columns(&head, path, err);
    if (rc < 0)
        return rc;
    struct json_value *last = NULL;
    while ((rc = csv_next(r, &row, err)) == 1) {
        if (row.count != head.count)
            return err_set(err, ERR_INVALID, "%.*s:%d: %zu fields where the first line names %zu columns; check the commas and quotes",
                           SLICE_FMT(path), r->line, row.count, head.count);
        if (list->count == ROWS_MAX)
            return err_set(err, ERR_TOO_LARGE, "%.*s:%d: more than %d rows; split the table", SLICE_FMT(path), r->line, ROWS_MAX);
        struct json_value *v = row_tree(&head, &row, arena);
        if (!v)
            return nomem(err);
        json_append(list, last, v);
        last = v;
    }
    return rc < 0 ? err_wrap(err, "%.*s", SLICE_FMT(path)) : 0;
}

int table_read(void *ctx, struct slice name, struct arena *arena, struct json_value **out, struct err *err)
{
    struct slice path = arena_printf(arena, "campaigns/%.*s", SLICE_FMT(name));
    if (!path.data)
        return nomem(err);
    const struct source_file *f = sources_find(ctx, path);
    bool is_csv = name.len > 4 && memcmp(name.data + name.len - 4, ".csv", 4) == 0;
    if (!f || !is_csv)
        return err_set(err, ERR_NOT_FOUND, "there is no table \"%.*s\"; put a .csv file of that name into campaigns/", SLICE_FMT(name));
    struct csv_reader r;
    struct json_value *list = json_new(arena, JSON_ARRAY);
    if (!list)
        return nomem(err);
    int rc = csv_open(&r, f->text, arena, err);
    rc = rc < 0 ? err_wrap(err, "%.*s", SLICE_FMT(path)) : read_rows(&r, path, arena, list, err);
    *out = rc < 0 ? NULL : list;
    return rc;
}
