#include "cli/cli.h"
#include "base/json.h"

static long long number(const struct json_value *v, const char *group, const char *key)
{
    int64_t n = 0;
    json_is_int(json_get(group ? json_get(v, group) : v, key), &n);
    return n;
}

/* What plugins and campaigns do, those that take the most time first. */
static void functions(const struct json_value *list)
{
    if (!list || list->count == 0)
        return;
    printf("\n  %-44s %9s %7s %10s %10s %10s\n", "function", "calls", "errors", "time", "each", "memory");
    for (const struct json_value *f = list->first; f; f = f->next) {
        char name[160];
        long long calls = number(f, NULL, "calls"), us = number(f, NULL, "time_us");
        snprintf(name, sizeof name, "%.*s %.*s %.*s", SLICE_FMT(cli_text(f, "owner")), SLICE_FMT(cli_text(f, "kind")),
                 SLICE_FMT(cli_text(f, "function")));
        printf("  %-44s %9lld %7lld %8.2f s %7lld us %6lld KiB\n", name, calls, number(f, NULL, "errors"), (double)us / 1000000,
               calls ? us / calls : 0, (number(f, NULL, "peak_bytes") + 1023) / 1024);
    }
    printf("\n");
}

static void second_copy(const struct json_value *v)
{
    bool following = false, restorable = false;
    long long lag_ms = number(v, NULL, "lag_ms");
    json_is_bool(json_get(v, "following"), &following);
    json_is_bool(json_get(v, "restorable"), &restorable);
    printf("  second copy    %.*s", SLICE_FMT(cli_text(v, "dir")));
    if (!following)
        printf(", when the shop is served\n");
    else if (!restorable)
        printf(", its snapshot is being written\n");
    else if (lag_ms)
        printf(", %.1f s and %.1f MiB behind\n", (double)lag_ms / 1000, (double)number(v, NULL, "lag_bytes") / (1024.0 * 1024.0));
    else
        printf(", nothing is missing\n");
}

static int screen(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    long long up = number(v, NULL, "uptime_s"), workers = number(v, NULL, "workers");
    printf("%.*s  (feira %.*s)\n", SLICE_FMT(cli_text(v, "shop")), SLICE_FMT(cli_text(v, "version")));
    if (workers)
        printf("  served by      %lld workers, up %lldd %02lldh %02lldm\n", workers, up / 86400, up / 3600 % 24, up / 60 % 60);
    else
        printf("  not being served\n");
    printf("  rules          %.*s, %lld campaigns\n", SLICE_FMT(cli_text(v, "generation")), number(v, NULL, "campaigns"));
    printf("  catalogue      %lld products\n", number(v, NULL, "products"));
    if (workers) {
        printf("  requests       %lld, now %lld a second; %lld connections; %lld refused, %lld timed out, %lld failed\n",
               number(v, "http", "requests"), number(v, "http", "per_second"), number(v, "http", "open_connections"),
               number(v, "http", "refused_by_strict_layer"), number(v, "http", "timeouts"), number(v, "http", "server_errors"));
        printf("  quotes         %lld\n", number(v, "work", "quotes"));
        printf("  orders         %lld placed, %lld refused\n", number(v, "work", "orders_placed"), number(v, "work", "orders_refused"));
        printf("  writer         %lld of %lld waiting; %lld commands in %lld commits; %lld undone\n", number(v, "writer", "queue_depth"),
               number(v, "writer", "queue_max"), number(v, "writer", "commands"), number(v, "writer", "commits"),
               number(v, "writer", "rolled_back"));
        printf("  commit time    %.1f ms median, %.1f ms at 99 %%\n", (double)number(v, "writer", "commit_us_p50") / 1000,
               (double)number(v, "writer", "commit_us_p99") / 1000);
    }
    if (number(v, "events", "waiting") || number(v, "events", "dead"))
        printf("  events         %lld to be heard, %lld dead letters\n", number(v, "events", "waiting"), number(v, "events", "dead"));
    if (number(v, "webhooks", "endpoints"))
        printf("  webhooks       %lld, of which %lld disabled and %lld failing; %lld messages wait (%lld s behind), %lld given up\n",
               number(v, "webhooks", "endpoints"), number(v, "webhooks", "disabled"), number(v, "webhooks", "failing"),
               number(v, "webhooks", "waiting"), number(v, "webhooks", "lag_seconds"), number(v, "webhooks", "given_up"));
    const struct json_value *copy = json_get(v, "second_copy");
    if (cli_text(copy, "dir").len)
        second_copy(copy);
    const struct json_value *rules = json_get(v, "rules"), *stopped = json_get(rules, "stopped");
    for (const struct json_value *s = stopped ? stopped->first : NULL; s; s = s->next)
        cli_say_stop(s, "  ");
    functions(json_get(v, "functions"));
    const struct json_value *alarms = json_get(rules, "alarms");
    for (const struct json_value *alarm = alarms ? alarms->first : NULL; alarm; alarm = alarm->next) {
        bool campaign = json_get(alarm, "campaign") != NULL;
        printf("  alarm since %.*s: %s%.*s: %.*s\n", SLICE_FMT(cli_text(alarm, "since")), campaign ? "campaign " : "the shop",
               SLICE_FMT(cli_text(alarm, "campaign")), SLICE_FMT(cli_text(alarm, "seen")));
    }
    const struct json_value *problems = json_get(v, "problems");
    if (!problems || problems->count == 0)
        printf("  nothing is wrong\n");
    for (const struct json_value *p = problems ? problems->first : NULL; p; p = p->next)
        printf("  ! %.*s\n", SLICE_FMT(p->string));
    return EXIT_DONE;
}

int cmd_status(const struct cli_args *a)
{
    return cli_ask(a, "GET", "/v1/status", slice_str(""), screen);
}
