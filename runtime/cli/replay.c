/* feira replay: orders computed again from their evidence. */
#include "cli/past.h"

enum { DATA, SINCE, UNTIL, THREADS, JSON };

static void text_member(struct json_writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    json_key(w, key);
    json_str(w, text);
}

static void write_body(const struct cli_args *a, int64_t threads, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_object(&w);
    text_member(&w, "since", a->values[SINCE]);
    text_member(&w, "until", a->values[UNTIL]);
    text_member(&w, "order", a->count == 2 ? a->positional[1] : NULL);
    if (threads) {
        json_key(&w, "threads");
        json_int(&w, threads);
    }
    json_object_end(&w);
}

static void print_versions(const struct json_value *list)
{
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next) {
        bool same = true;
        json_is_bool(json_get(v, "same"), &same);
        if (!same)
            printf("%lld orders were made by kernel %lld, stdlib %.*s, zone data %.*s, which are not those of today.\n",
                   (long long)cli_number(v, "orders"), (long long)cli_number(v, "kernel"), SLICE_FMT(cli_text(v, "stdlib")),
                   SLICE_FMT(cli_text(v, "zone")));
    }
}

static void print_differences(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "first");
    for (const struct json_value *d = list ? list->first : NULL; d; d = d->next)
        printf("%.*s  %.*s\n    was %.*s\n    now %.*s\n", SLICE_FMT(cli_text(d, "order")), SLICE_FMT(cli_text(d, "field")),
               SLICE_FMT(cli_text(d, "was")), SLICE_FMT(cli_text(d, "now")));
    if (list && (int64_t)list->count < cli_number(v, "differ"))
        printf("... and %lld more.\n", (long long)(cli_number(v, "differ") - (int64_t)list->count));
}

static void print_result(const struct json_value *v)
{
    print_differences(v);
    print_versions(json_get(v, "versions"));
    int64_t orders = cli_number(v, "orders"), differ = cli_number(v, "differ");
    printf("%lld order%s computed again, %lld difference%s; %lld.%03lld s on %lld threads, %lld orders/s\n", (long long)orders,
           orders == 1 ? "" : "s", (long long)differ, differ == 1 ? "" : "s", (long long)cli_number(v, "ms") / 1000,
           (long long)cli_number(v, "ms") % 1000, (long long)cli_number(v, "threads"), (long long)cli_number(v, "per_second"));
}

static void print_json(const struct json_value *v)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, v);
    printf("%.*s\n", SLICE_FMT(buf_slice(&b)));
    buf_release(&b);
}

int cmd_replay(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct arena arena;
    struct json_value *v;
    int64_t threads = 0;
    if (a->count == 2 && (a->values[SINCE] || a->values[UNTIL])) {
        fprintf(stderr, "feira: replay wants either an ORDER or a time; see: feira help replay\n");
        return EXIT_USAGE;
    }
    if (a->values[THREADS] && cli_threads(a->values[THREADS], &threads, &err) < 0) {
        cli_fail(&err);
        return EXIT_USAGE;
    }
    buf_init(&body, NULL);
    arena_init(&arena, NULL, 0);
    write_body(a, threads, &body);
    int rc = cli_follow(a, "/v1/replay", "Computed again", buf_slice(&body), &arena, &v, &err);
    int code = rc < 0 ? cli_fail(&err) : cli_number(v, "differ") ? EXIT_FAILED : EXIT_DONE;
    if (rc == 0 && a->values[JSON])
        print_json(v);
    else if (rc == 0)
        print_result(v);
    arena_release(&arena);
    buf_release(&body);
    return code;
}
