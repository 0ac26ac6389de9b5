/* Looks the files of a shop, of a campaign or of a plugin through and lists everything that is wrong with them. */
#include "cli/cli.h"
#include "base/json.h"
#include "host/author/check.h"
#include "host/author/comply.h"

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

/* --- feira check --compliance ------------------------------------------------------------------------------------------------------ */

enum { JSON, COMPLIANCE, IN, DATA };

static void say_finding(const struct json_value *f)
{
    static const char *const members[][2] = { { "article", "article" }, { "value", "seen" }, { "satisfy", "do" } };
    struct slice field = cli_text(f, "field");
    printf("%.*s: %.*s\n", SLICE_FMT(cli_text(f, "at")), SLICE_FMT(cli_text(f, "subject")));
    printf("  %-5.*s %-8.*s %.*s\n", SLICE_FMT(cli_text(f, "level")), SLICE_FMT(cli_text(f, "rule")), SLICE_FMT(cli_text(f, "text")));
    if (field.len)
        printf("    %-8s %.*s\n", "field", SLICE_FMT(field));
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct slice text = cli_text(f, members[i][0]);
        if (text.len)
            printf("    %-8s %.*s\n", members[i][1], SLICE_FMT(text));
    }
}

static void say_compliance(const struct comply_report *r)
{
    for (const struct json_value *f = r->findings ? r->findings->first : NULL; f; f = f->next)
        say_finding(f);
    if (!r->findings) {
        print_report(&r->files);
        return;
    }
    printf("%s\n", r->history);
    if (r->checks == 0)
        printf(
            "No plugin of the shop checks anything; turn one on in shop.lua: plugins = { [\"compliance-cn\"] = {} }, or compliance-eu.\n");
    printf("%zu checks: %zu finding%s that block%s, %zu warning%s, %zu label%s\n", r->checks, r->blocks, r->blocks == 1 ? "" : "s",
           r->blocks == 1 ? "s" : "", r->warnings, r->warnings == 1 ? "" : "s", r->labels, r->labels == 1 ? "" : "s");
}

static int compliance_json(const struct comply_report *r, struct err *err)
{
    struct buf out;
    struct json_writer w;
    if (!r->findings)
        return print_json(&r->files, err);
    buf_init(&out, NULL);
    json_writer_init(&w, &out);
    json_object(&w);
    count(&w, "checks", (int64_t)r->checks);
    count(&w, "blocks", (int64_t)r->blocks);
    count(&w, "warnings", (int64_t)r->warnings);
    count(&w, "labels", (int64_t)r->labels);
    json_key(&w, "has_history");
    json_bool(&w, r->has_history);
    member(&w, "history", slice_str(r->history));
    json_key(&w, "findings");
    json_value_write(&w, r->findings);
    json_object_end(&w);
    bool failed = out.failed;
    if (!failed)
        printf("%.*s\n", SLICE_FMT(buf_slice(&out)));
    buf_release(&out);
    return failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
}

static int check_compliance(const struct cli_args *a)
{
    struct err err = { 0 };
    struct comply_report r;
    comply_report_init(&r);
    int rc = host_comply(a->positional[0], a->values[IN], a->values[DATA], &r, &err);
    if (rc == 0 && a->values[JSON])
        rc = compliance_json(&r, &err);
    else if (rc == 0)
        say_compliance(&r);
    bool broken = r.files.errors > 0 || r.blocks > 0;
    comply_report_release(&r);
    return rc < 0 ? cli_fail(&err) : broken ? EXIT_BROKEN : EXIT_DONE;
}

int cmd_check(const struct cli_args *a)
{
    struct err err = { 0 };
    struct check_report r;
    enum check_kind kind;
    if (a->values[COMPLIANCE])
        return check_compliance(a);
    if (a->values[IN] || a->values[DATA]) {
        err_set(&err, ERR_INVALID, "--in and --data are for feira check --compliance.");
        return cli_fail(&err);
    }
    check_report_init(&r);
    int rc = host_check(a->positional[0], &kind, &r, &err);
    if (rc == 0 && a->values[JSON])
        rc = print_json(&r, &err);
    else if (rc == 0)
        print_report(&r);
    bool broken = r.errors > 0;
    check_report_release(&r);
    return rc < 0 ? cli_fail(&err) : broken ? EXIT_BROKEN : EXIT_DONE;
}
