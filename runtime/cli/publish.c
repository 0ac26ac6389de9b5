/* feira publish, rollback, generations: which rules are live. */
#include "base/json.h"
#include "cli/cli.h"

/* What the plugins' checks found. */
static void say_findings(const struct json_value *list)
{
    for (const struct json_value *f = list ? list->first : NULL; f; f = f->next) {
        struct slice field = cli_text(f, "field"), satisfy = cli_text(f, "satisfy"), article = cli_text(f, "article");
        printf("%.*s: %.*s: %.*s: %.*s%s%.*s%s%.*s%s\n", SLICE_FMT(cli_text(f, "at")), SLICE_FMT(cli_text(f, "level")),
               SLICE_FMT(cli_text(f, "rule")), SLICE_FMT(field), field.len ? ": " : "", SLICE_FMT(cli_text(f, "text")),
               article.len ? " (" : "", SLICE_FMT(article), article.len ? ")" : "");
        if (satisfy.len)
            printf("    %.*s\n", SLICE_FMT(satisfy));
    }
}

static int say(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)raw;
    int64_t campaigns = 0, took_ms = -1;
    json_is_int(json_get(v, "campaigns"), &campaigns);
    json_is_int(json_get(v, "took_ms"), &took_ms);
    if (slice_is(cli_text(v, "result"), "unchanged")) {
        printf("Nothing has changed; %.*s is live.\n", SLICE_FMT(cli_text(v, "generation")));
        return EXIT_DONE;
    }
    if (slice_is(cli_text(v, "result"), "draft")) {
        printf("This has to be approved: it is draft %.*s now. Submit it: feira submit %s\n", SLICE_FMT(cli_text(v, "draft")),
               a->positional[0]);
        say_findings(json_get(v, "findings"));
        return EXIT_DONE;
    }
    printf("%.*s is live: %lld campaign%s", SLICE_FMT(cli_text(v, "generation")), (long long)campaigns, campaigns == 1 ? "" : "s");
    if (took_ms >= 0)
        printf(", after %lld ms", (long long)took_ms);
    printf(". Before: %.*s\n", SLICE_FMT(cli_text(v, "previous")));
    say_findings(json_get(v, "findings"));
    return EXIT_DONE;
}

/* To be asked at all the shop was opened, with what is in the folder: so there is nothing left to publish. */
static int say_unserved(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    if (slice_is(cli_text(v, "result"), "draft"))
        return say(a, v, raw);
    int64_t campaigns = 0;
    json_is_int(json_get(v, "campaigns"), &campaigns);
    printf("Nobody serves the shop now; its next start takes what is in the folder: %.*s, %lld campaign%s.\n",
           SLICE_FMT(cli_text(v, "generation")), (long long)campaigns, campaigns == 1 ? "" : "s");
    say_findings(json_get(v, "findings"));
    return EXIT_DONE;
}

int cmd_publish(const struct cli_args *a)
{
    bool served = shop_is_served(a->positional[0], a->values[0]);
    return cli_ask(a, "POST", "/v1/generations", SLICE_LIT("{}"), served ? say : say_unserved);
}

static int say_rollback(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    say(a, v, raw);
    if (slice_is(cli_text(v, "result"), "live"))
        printf("The folder still has the other rules: the next publish, and the next start, take what is in it.\n");
    return EXIT_DONE;
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
    int code = cli_ask(a, "POST", "/v1/generations/rollback", buf_slice(&body), say_rollback);
    buf_release(&body);
    return code;
}

static int list(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    const struct json_value *items = json_get(v, "items"), *stopped = json_get(v, "stopped");
    for (const struct json_value *g = items ? items->first : NULL; g; g = g->next) {
        bool live = false;
        struct slice error = cli_text(g, "error"), name = cli_text(g, "generation");
        json_is_bool(json_get(g, "live"), &live);
        printf("%s %-18.*s  %.*s  %-8.*s  %.*s%s\n", live ? "*" : " ", SLICE_FMT(name), SLICE_FMT(cli_text(g, "at")),
               SLICE_FMT(cli_text(g, "how")), SLICE_FMT(cli_text(g, "by")), error.len ? "  refused" : "");
        if (error.len)
            printf("    %.*s\n", SLICE_FMT(error));
    }
    for (const struct json_value *s = stopped ? stopped->first : NULL; s; s = s->next)
        cli_say_stop(s, "! ");
    return EXIT_DONE;
}

int cmd_generations(const struct cli_args *a)
{
    return cli_ask(a, "GET", "/v1/generations", slice_str(""), list);
}
