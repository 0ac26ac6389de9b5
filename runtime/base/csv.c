#include "base/csv.h"
#include "base/utf8.h"

int csv_open(struct csv_reader *r, struct slice text, struct arena *arena, struct err *err)
{
    if (text.len >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0)
        text = slice_of(text.data + 3, text.len - 3);
    *r = (struct csv_reader){ text, arena, 0, 1 };
    const char *end = text.data + text.len;
    int line = 1;
    for (const char *p = text.data; p < end;) {
        size_t n = utf8_at(p, end);
        if (n == 0)
            return err_set(err, ERR_INVALID, "line %d: this is not UTF-8; save the file as UTF-8 and try again.", line);
        line += *p == '\n';
        p += n;
    }
    return 0;
}

static bool at_end_of_record(const char *p, const char *end)
{
    return p == end || *p == '\n' || (*p == '\r' && (p + 1 == end || p[1] == '\n'));
}

/* p is behind the opening quote; gives the text with "" made ", and the place behind the closing one. */
static int quoted(struct csv_reader *r, const char *p, const char *end, struct slice *out, const char **after, struct err *err)
{
    const char *start = p;
    size_t doubled = 0;
    for (;; p++) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        if (!quote)
            return err_set(err, ERR_INVALID, "line %d: a quoted field is not closed; add the missing quote.", r->line);
        p = quote;
        if (p + 1 == end || p[1] != '"')
            break;
        doubled++;
        p++;
    }
    for (const char *n = start; n < p; n++)
        r->next_line += *n == '\n';
    *after = p + 1;
    *out = slice_of(start, (size_t)(p - start));
    if (doubled == 0)
        return 0;
    char *copy = arena_alloc(r->arena, out->len - doubled), *to = copy;
    if (!copy)
        return err_set(err, ERR_NOMEM, "Out of memory while reading line %d.", r->line);
    for (const char *from = start; from < p; from++) {
        *to++ = *from;
        from += *from == '"';
    }
    *out = slice_of(copy, (size_t)(to - copy));
    return 0;
}

static int field(struct csv_reader *r, const char *p, const char *end, struct slice *out, const char **after, struct err *err)
{
    if (p < end && *p == '"') {
        int rc = quoted(r, p + 1, end, out, after, err);
        if (rc < 0)
            return rc;
        if (*after < end && **after != ',' && !at_end_of_record(*after, end))
            return err_set(err, ERR_INVALID, "line %d: there is text behind a closing quote; quotes inside a field are doubled (\"\").",
                           r->line);
        return 0;
    }
    const char *q = p;
    while (q < end && *q != ',' && !at_end_of_record(q, end))
        q++;
    *out = slice_of(p, (size_t)(q - p));
    *after = q;
    return 0;
}

static const char *skip_empty_lines(struct csv_reader *r, const char *p, const char *end)
{
    while (p < end && at_end_of_record(p, end)) {
        r->next_line += *p == '\n';
        p++;
    }
    return p;
}

int csv_next(struct csv_reader *r, struct csv_record *out, struct err *err)
{
    const char *end = r->rest.data + r->rest.len, *p = skip_empty_lines(r, r->rest.data, end);
    struct slice fields[CSV_FIELDS_MAX];
    size_t n = 0;
    r->line = r->next_line;
    if (p == end)
        return 0;
    for (;; p++) {
        if (n == CSV_FIELDS_MAX)
            return err_set(err, ERR_INVALID, "line %d: there are more than %d fields; is a quote missing?", r->line, CSV_FIELDS_MAX);
        int rc = field(r, p, end, &fields[n], &p, err);
        if (rc < 0)
            return rc;
        n++;
        if (p == end || *p != ',')
            break;
    }
    p += p < end && *p == '\r';
    r->next_line += p < end;
    p += p < end;
    r->rest = slice_of(p, (size_t)(end - p));
    out->count = n;
    out->fields = arena_alloc(r->arena, n * sizeof *fields);
    if (!out->fields)
        return err_set(err, ERR_NOMEM, "Out of memory while reading line %d.", r->line);
    memcpy(out->fields, fields, n * sizeof *fields);
    return 1;
}
