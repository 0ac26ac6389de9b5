/* feira events: what plugins are still to hear, and dead letters. */
#include "base/json.h"
#include "cli/cli.h"
#include <inttypes.h>

enum { EVENTS_DATA, EVENTS_DEAD, EVENTS_REPLAY, EVENTS_DROP };

static void say_event(const struct json_value *e)
{
    struct slice key = cli_text(e, "key"), state = cli_text(e, "state"), why = cli_text(e, "last_error");
    int64_t tries = cli_number(e, "tries");
    struct slice job = cli_text(e, "job");
    printf("%" PRId64 "  %.*s  %.*s  %s%.*s%s%.*s", cli_number(e, "id"), SLICE_FMT(cli_text(e, "made_at")),
           SLICE_FMT(cli_text(e, "plugin")), job.len ? "job " : "", SLICE_FMT(job.len ? job : cli_text(e, "event")), key.len ? "  " : "",
           SLICE_FMT(key));
    if (slice_is(state, "behind"))
        printf("  waits for an earlier one");
    else if (slice_is(state, "parked"))
        printf("  waits until the plugin is resumed");
    else if (slice_is(state, "dead"))
        printf("  given up %.*s", SLICE_FMT(cli_text(e, "given_up_at")));
    else
        printf("  next %.*s", SLICE_FMT(cli_text(e, "next_try_at")));
    if (tries)
        printf("  failed %" PRId64 " time%s", tries, tries == 1 ? "" : "s");
    printf("\n");
    if (why.len)
        printf("    %.*s\n", SLICE_FMT(why));
}

static int list(const struct cli_args *a, struct err *err)
{
    const char *dead = a->values[EVENTS_DEAD] ? "true" : "false";
    char target[128], cursor[32] = "";
    size_t n = 0;
    int rc;
    do {
        struct arena arena;
        struct json_value *v = NULL;
        arena_init(&arena, NULL, 0);
        snprintf(target, sizeof target, "/v1/events?dead=%s&limit=200%s%s", dead, *cursor ? "&cursor=" : "", cursor);
        rc = cli_ask_json(a, "GET", target, slice_str(""), &arena, &v, NULL, err);
        const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
        for (const struct json_value *e = items ? items->first : NULL; e; e = e->next, n++)
            say_event(e);
        snprintf(cursor, sizeof cursor, "%.*s", SLICE_FMT(rc == 0 ? cli_text(v, "next_cursor") : slice_str("")));
        arena_release(&arena);
    } while (rc == 0 && *cursor);
    if (rc == 0 && n == 0)
        printf(a->values[EVENTS_DEAD] ? "There are no dead letters.\n" : "No event waits to be heard.\n");
    return rc;
}

static bool is_id(const char *text)
{
    return *text && strlen(text) <= 18 && strspn(text, "0123456789") == strlen(text);
}

static int one(const struct cli_args *a, const char *method, const char *id, const char *what, struct err *err)
{
    char target[64];
    struct arena arena;
    struct json_value *v;
    if (!is_id(id))
        return err_set(err, ERR_INVALID, "\"%.40s\" is no number of an event; feira events SHOP and feira events SHOP --dead list them.",
                       id);
    arena_init(&arena, NULL, 0);
    snprintf(target, sizeof target, "/v1/events/%s%s", id, what);
    int rc = cli_ask_json(a, method, target, slice_str(strcmp(method, "POST") == 0 ? "{}" : ""), &arena, &v, NULL, err);
    arena_release(&arena);
    return rc;
}

static int replay_all(const struct cli_args *a, struct err *err)
{
    int64_t sum = 0, some = 1;
    int rc = 0;
    while (rc == 0 && some > 0) {
        struct arena arena;
        struct json_value *v = NULL;
        arena_init(&arena, NULL, 0);
        rc = cli_ask_json(a, "POST", "/v1/events/all/replay", SLICE_LIT("{}"), &arena, &v, NULL, err);
        some = rc == 0 ? cli_number(v, "replayed") : 0;
        sum += some;
        arena_release(&arena);
    }
    if (rc == 0)
        printf("%" PRId64 " dead letter%s brought to the plugins again.\n", sum, sum == 1 ? " is" : "s are");
    return rc;
}

int cmd_events(const struct cli_args *a)
{
    struct err err = { 0 };
    const char *again = a->values[EVENTS_REPLAY], *drop = a->values[EVENTS_DROP];
    int rc;
    if (again && strcmp(again, "all") == 0) {
        rc = replay_all(a, &err);
    } else if (again) {
        rc = one(a, "POST", again, "/replay", &err);
        if (rc == 0)
            printf("Event %s is brought to its plugin again.\n", again);
    } else if (drop) {
        rc = one(a, "DELETE", drop, "", &err);
        if (rc == 0)
            printf("Event %s is dropped.\n", drop);
    } else {
        rc = list(a, &err);
    }
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
