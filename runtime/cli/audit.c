/* feira audit: the log of what people and the shop did. */
#include "base/json.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <stdlib.h>

enum { DATA, AS, LIMIT, JSON, HEAD, COMPARE }; /* options, in the order of cli.c */
enum { PAGE = 200 };

static void say_details(const struct json_value *details)
{
    struct buf b;
    struct json_writer w;
    if (!details || !details->first)
        return;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, details);
    printf("  %.*s", SLICE_FMT(buf_slice(&b)));
    buf_release(&b);
}

static void say(const struct cli_args *a, const struct json_value *item)
{
    const struct json_value *e = json_get(item, "entry");
    if (a->values[JSON]) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_value_write(&w, item);
        printf("%.*s\n", SLICE_FMT(buf_slice(&b)));
        buf_release(&b);
        return;
    }
    printf("%5" PRId64 "  %-24.*s %-20.*s %-28.*s %.*s", cli_number(e, "seq"), SLICE_FMT(cli_text(e, "at")),
           SLICE_FMT(cli_text(e, "actor")), SLICE_FMT(cli_text(e, "action")), SLICE_FMT(cli_text(e, "subject")));
    say_details(json_get(e, "details"));
    printf("\n");
}

static int list(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[128];
    char *end = NULL;
    long left = a->values[LIMIT] ? strtol(a->values[LIMIT], &end, 10) : 50;
    int64_t before = INT64_MAX;
    int rc = 0;
    if (left < 1 || (end && *end))
        return err_set(err, ERR_INVALID, "--limit wants a number from 1 on, not \"%.40s\".", a->values[LIMIT]);
    while (rc == 0 && left > 0) {
        struct json_value *v = NULL;
        long page = left < PAGE ? left : PAGE, n = 0;
        snprintf(target, sizeof target, "/v1/admin/audit?limit=%ld&before=%" PRId64, page, before);
        rc = cli_ask_json(a, "GET", target, slice_str(""), arena, &v, NULL, err);
        const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
        for (const struct json_value *i = items ? items->first : NULL; i; i = i->next, n++) {
            say(a, i);
            before = cli_number(json_get(i, "entry"), "seq");
        }
        left = n < page ? 0 : left - n;
    }
    return rc;
}

static int head(const struct cli_args *a, struct arena *arena, struct err *err)
{
    struct json_value *v = NULL;
    int rc = cli_ask_json(a, "GET", "/v1/admin/audit/head", slice_str(""), arena, &v, NULL, err);
    if (rc == 0)
        printf("%.*s\n", SLICE_FMT(cli_text(v, "head")));
    return rc;
}

static int compare(const struct cli_args *a, struct arena *arena, struct err *err)
{
    struct buf file, body;
    struct json_writer w;
    struct json_value *v = NULL;
    buf_init(&file, NULL);
    buf_init(&body, NULL);
    int rc = cli_read_file(a->values[COMPARE], &file, err);
    struct slice text = buf_slice(&file);
    while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
        text.len--;
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, "head");
    json_string(&w, text);
    json_object_end(&w);
    if (rc == 0)
        rc = cli_ask_json(a, "POST", "/v1/admin/audit/compare", buf_slice(&body), arena, &v, NULL, err);
    if (rc == 0)
        printf("The log is as it was written and has all that it had then; %" PRId64 " entries now.\n", cli_number(v, "entries"));
    buf_release(&file);
    buf_release(&body);
    return rc;
}

int cmd_audit(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = a->values[COMPARE] ? compare(a, &arena, &err) : a->values[HEAD] ? head(a, &arena, &err) : list(a, &arena, &err);
    arena_release(&arena);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
