/* Looks the files of a shop, of a campaign or of a plugin through and lists everything that is wrong with them. */
#include "cli/cli.h"
#include "base/json.h"
#include "host/author/check.h"

static void print_problem(const struct check_problem *p)
{
    printf("%.*s", SLICE_FMT(p->path));
    if (p->line)
        printf(":%ld", p->line);
    printf(": %s: %.*s\n", p->is_warning ? "warning" : "error", SLICE_FMT(p->text));
    if (p->source_line.len)
        printf("%5ld | %.*s\n", p->line, SLICE_FMT(p->source_line));
}

static void print_report(const struct check_report *r)
{
    for (size_t i = 0; i < r->count; i++)
        print_problem(&r->list[i]);
    printf("%zu file%s checked: %zu error%s, %zu warning%s\n", r->files, r->files == 1 ? "" : "s", r->errors, r->errors == 1 ? "" : "s",
           r->warnings, r->warnings == 1 ? "" : "s");
}

static void member(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, key);
    json_string(w, text);
}

static void count(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_int(w, n);
}

static int print_json(const struct check_report *r, struct err *err)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, NULL);
    json_writer_init(&w, &out);
    json_object(&w);
    count(&w, "files", (int64_t)r->files);
    count(&w, "errors", (int64_t)r->errors);
    count(&w, "warnings", (int64_t)r->warnings);
    json_key(&w, "problems");
    json_array(&w);
    for (size_t i = 0; i < r->count; i++) {
        const struct check_problem *p = &r->list[i];
        json_object(&w);
        member(&w, "severity", p->is_warning ? SLICE_LIT("warning") : SLICE_LIT("error"));
        member(&w, "file", p->path);
        if (p->line)
            count(&w, "line", p->line);
        member(&w, "message", p->text);
        if (p->source_line.len)
            member(&w, "source", p->source_line);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
    bool failed = out.failed;
    if (!failed)
        printf("%.*s\n", SLICE_FMT(buf_slice(&out)));
    buf_release(&out);
    return failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
}

int cmd_check(const struct cli_args *a)
{
    struct err err = { 0 };
    struct check_report r;
    enum check_kind kind;
    check_report_init(&r);
    int rc = host_check(a->positional[0], &kind, &r, &err);
    if (rc == 0 && a->values[0])
        rc = print_json(&r, &err);
    else if (rc == 0)
        print_report(&r);
    bool broken = r.errors > 0;
    check_report_release(&r);
    return rc < 0 ? cli_fail(&err) : broken ? EXIT_BROKEN : EXIT_DONE;
}
