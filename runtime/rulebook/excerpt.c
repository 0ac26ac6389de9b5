/* The source line a message is about, under the message. */
#include "base/utf8.h"
#include "rulebook/rulebook_int.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE_MAX_BYTES = 100 };

bool excerpt_line(struct slice text, long number, struct slice *out)
{
    const char *p = text.data, *end = p + text.len;
    for (long n = 1; p <= end; n++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        if (!stop)
            stop = end;
        if (n == number) {
            *out = slice_of(p, (size_t)(stop - p));
            return true;
        }
        p = stop + 1;
    }
    return false;
}

static struct slice trimmed(struct slice s)
{
    while (s.len && isspace((unsigned char)*s.data)) {
        s.data++;
        s.len--;
    }
    while (s.len && isspace((unsigned char)s.data[s.len - 1]))
        s.len--;
    return s;
}

bool excerpt_place(const char *text, struct slice *path, long *line)
{
    for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
        char *end;
        if (!isdigit((unsigned char)colon[1]))
            continue;
        *line = strtol(colon + 1, &end, 10);
        *path = slice_of(text, (size_t)(colon - text));
        return *end == ':' && *line > 0;
    }
    return false;
}

int excerpt_add(const struct sources *src, struct err *err)
{
    struct slice path, line;
    long number;
    if (!excerpt_place(err->text, &path, &number))
        return err->code;
    const struct source_file *f = sources_find(src, path);
    if (!f || !excerpt_line(f->text, number, &line))
        return err->code;
    line = trimmed(line);
    line.len = utf8_cut(line, LINE_MAX_BYTES);
    size_t len = strlen(err->text);
    if (line.len && len + line.len + 16 < sizeof err->text)
        snprintf(err->text + len, sizeof err->text - len, "\n%5ld | %.*s", number, SLICE_FMT(line));
    return err->code;
}

int sources_line_of_key(const struct sources *src, const char *path, const char *key)
{
    const struct source_file *f = sources_find(src, slice_str(path));
    struct slice line;
    size_t len = strlen(key);
    for (int n = 1; f && excerpt_line(f->text, n, &line); n++) {
        struct slice code = trimmed(line);
        const char *comment = memmem(code.data, code.len, "--", 2);
        if (comment)
            code.len = (size_t)(comment - code.data);
        const char *end = code.data + code.len;
        for (const char *p = code.data; p && (size_t)(end - p) > len; p++) {
            p = memmem(p, (size_t)(end - p), key, len);
            if (!p)
                break;
            const char *after = p + len;
            bool whole = (p == code.data || !(isalnum((unsigned char)p[-1]) || p[-1] == '_'));
            while (after < end && *after == ' ')
                after++;
            if (whole && after < end && *after == '=')
                return n;
        }
    }
    return 0;
}

int excerpt_line_of_key(const struct sources *src, const char *path, const char *key)
{
    int line = sources_line_of_key(src, path, key);
    return line ? line : 1;
}
