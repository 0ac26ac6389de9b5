#include "cli/report.h"
#include <stdio.h>
#include <unistd.h>

bool report_wants_tap(bool asked)
{
    return asked || !isatty(STDOUT_FILENO);
}

void report_begin(struct report *r, bool tap)
{
    *r = (struct report){ .tap = tap };
    if (tap)
        printf("TAP version 13\n");
}

static void print_lines(const char *prefix, struct slice text)
{
    while (text.len) {
        const char *end = memchr(text.data, '\n', text.len);
        size_t n = end ? (size_t)(end - text.data) : text.len;
        printf("%s%.*s\n", prefix, (int)n, text.data);
        text = slice_of(text.data + n + (end ? 1 : 0), text.len - n - (end ? 1 : 0));
    }
}

/* A test's name is one line, and in TAP "#" would begin a directive. */
static void print_name(struct slice s, bool tap)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c == '#' && tap)
            putchar('\\');
        putchar(c < 0x20 ? ' ' : c);
    }
}

void report_result(struct report *r, struct slice groups, struct slice name, bool passed, struct slice message)
{
    *(passed ? &r->passed : &r->failed) += 1;
    if (r->tap) {
        printf("%s %ld - %s: ", passed ? "ok" : "not ok", r->passed + r->failed, r->file);
    } else {
        if (r->said != r->file)
            printf("%s\n", r->file);
        r->said = r->file;
        fputs(passed ? "  passed  " : "  FAILED  ", stdout);
    }
    print_name(groups, r->tap);
    print_name(name, r->tap);
    putchar('\n');
    print_lines(r->tap ? "  # " : "            ", message);
    fflush(stdout);
}

void report_end(struct report *r)
{
    if (r->tap)
        printf("1..%ld\n", r->passed + r->failed);
    printf("%s%ld passed, %ld failed\n", r->tap ? "# " : "", r->passed, r->failed);
    fflush(stdout);
}
