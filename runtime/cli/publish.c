/* feira publish, rollback, generations: which rules are live. */
#include "base/json.h"
#include "cli/cli.h"

static struct slice text(const struct json_value *v, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(v, key), &s);
    return s;
}

/* What the plugins' checks found. */
static void say_findings(const struct json_value *list)
{
    for (const struct json_value *f = list ? list->first : NULL; f; f = f->next) {
        struct slice field = text(f, "field"), satisfy = text(f, "satisfy");
        printf("%.*s: %.*s: %.*s: %.*s%s%.*s\n", SLICE_FMT(text(f, "at")), SLICE_FMT(text(f, "level")), SLICE_FMT(text(f, "rule")),
               SLICE_FMT(field), field.len ? ": " : "", SLICE_FMT(text(f, "text")));
        if (satisfy.len)
            printf("    %.*s\n", SLICE_FMT(satisfy));
    }
}

static void say(const struct json_value *v)
{
    int64_t campaigns = 0, took_ms = -1;
    json_is_int(json_get(v, "campaigns"), &campaigns);
    json_is_int(json_get(v, "took_ms"), &took_ms);
    if (slice_is(text(v, "result"), "unchanged")) {
        printf("Nothing has changed; %.*s is live.\n", SLICE_FMT(text(v, "generation")));
        return;
    }
    printf("%.*s is live: %lld campaigns", SLICE_FMT(text(v, "generation")), (long long)campaigns);
    if (took_ms >= 0)
        printf(", after %lld ms", (long long)took_ms);
    printf(". Before: %.*s\n", SLICE_FMT(text(v, "previous")));
    say_findings(json_get(v, "findings"));
}

/* Asks, and shows the answer. */
static int ask(const struct cli_args *a, const char *method, const char *target, struct slice body,
               void (*show)(const struct json_value *v))
{
    struct err err = { 0 };
    struct buf answer;
    struct arena arena;
    struct json_value *v;
    buf_init(&answer, NULL);
    arena_init(&arena, NULL, 0);
    int rc = shop_ask_ok(a->positional[0], a->values[0], method, target, body, &answer, &err);
    if (rc == 0)
        rc = json_parse(buf_slice(&answer), NULL, &arena, &v, &err);
    if (rc == 0)
        show(v);
    arena_release(&arena);
    buf_release(&answer);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}

/* To be asked at all the shop was opened, with what is in the folder: so there is nothing left to publish. */
static void say_unserved(const struct json_value *v)
{
    int64_t campaigns = 0;
    json_is_int(json_get(v, "campaigns"), &campaigns);
    printf("Nobody serves the shop now; its next start takes what is in the folder: %.*s, %lld campaigns.\n",
           SLICE_FMT(text(v, "generation")), (long long)campaigns);
    say_findings(json_get(v, "findings"));
}

int cmd_publish(const struct cli_args *a)
{
    bool served = shop_is_served(a->positional[0], a->values[0]);
    return ask(a, "POST", "/v1/generations", SLICE_LIT("{}"), served ? say : say_unserved);
}

static void say_rollback(const struct json_value *v)
{
    say(v);
    if (slice_is(text(v, "result"), "live"))
        printf("The folder still has the other rules: the next publish, and the next start, take what is in it.\n");
}

int cmd_rollback(const struct cli_args *a)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    if (a->values[1]) {
        json_key(&w, "to");
        json_str(&w, a->values[1]);
    }
    json_object_end(&w);
    int rc = ask(a, "POST", "/v1/generations/rollback", buf_slice(&body), say_rollback);
    buf_release(&body);
    return rc;
}

static void list(const struct json_value *v)
{
    const struct json_value *items = json_get(v, "items"), *stopped = json_get(v, "stopped");
    for (const struct json_value *g = items ? items->first : NULL; g; g = g->next) {
        bool live = false;
        struct slice error = text(g, "error"), name = text(g, "generation");
        json_is_bool(json_get(g, "live"), &live);
        printf("%s %-18.*s  %.*s  %-8.*s  %.*s%s\n", live ? "*" : " ", SLICE_FMT(name), SLICE_FMT(text(g, "at")), SLICE_FMT(text(g, "how")),
               SLICE_FMT(text(g, "by")), error.len ? "  refused" : "");
        if (error.len)
            printf("    %.*s\n", SLICE_FMT(error));
    }
    for (const struct json_value *s = stopped ? stopped->first : NULL; s; s = s->next)
        cli_say_stop(s, "! ");
}

int cmd_generations(const struct cli_args *a)
{
    return ask(a, "GET", "/v1/generations", (struct slice){ "", 0 }, list);
}
