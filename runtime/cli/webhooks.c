/* feira webhooks: endpoints of other systems, made, changed, tried, looked at, and sent to again. */
#include "base/json.h"
#include "base/zone.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <unistd.h>

enum { DATA, EVENTS, LABEL, PERSONAL, UNORDERED, ORDERED, URL, KEEP, STATE, SINCE, TAKEN }; /* options, in the order of cli.c */

/* --- the list -------------------------------------------------------------------------------------------------------------- */

static void say_names(const char *before, const struct json_value *list)
{
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
        printf("%s%.*s", v == list->first ? before : ",", SLICE_FMT(v->string));
}

static void say_webhook(const struct json_value *e)
{
    struct slice label = cli_text(e, "label"), why = cli_text(e, "why"), oldest = cli_text(e, "oldest_waiting");
    struct slice failing = cli_text(e, "failing_since"), until = cli_text(e, "earlier_secrets_until");
    int64_t waiting = cli_number(e, "waiting"), given_up = cli_number(e, "given_up");
    bool ordered = true;
    json_is_bool(json_get(e, "ordered"), &ordered);
    printf("%.*s  %.*s  %.*s%s%.*s\n", SLICE_FMT(cli_text(e, "id")), SLICE_FMT(cli_text(e, "state")), SLICE_FMT(cli_text(e, "url")),
           label.len ? "  " : "", SLICE_FMT(label));
    say_names("    hears ", json_get(e, "events"));
    say_names("; personal: ", json_get(e, "personal"));
    printf("%s\n", ordered ? "" : "; in any order");
    if (why.len)
        printf("    %.*s Mend it, then: feira webhooks SHOP resume %.*s\n", SLICE_FMT(why), SLICE_FMT(cli_text(e, "id")));
    if (waiting)
        printf("    %" PRId64 " wait%s, the oldest since %.*s\n", waiting, waiting == 1 ? "s" : "", SLICE_FMT(oldest));
    if (given_up)
        printf("    %" PRId64 " given up: feira webhooks SHOP log %.*s --state given_up\n", given_up, SLICE_FMT(cli_text(e, "id")));
    if (failing.len)
        printf("    failed %" PRId64 " time%s in a row, since %.*s\n", cli_number(e, "failures"), cli_number(e, "failures") == 1 ? "" : "s",
               SLICE_FMT(failing));
    if (until.len)
        printf("    earlier secrets sign until %.*s\n", SLICE_FMT(until));
}

static int list(const struct cli_args *a, struct arena *arena, struct err *err)
{
    struct json_value *v = NULL;
    int rc = cli_ask_json(a, "GET", "/v1/webhooks", slice_str(""), arena, &v, NULL, err);
    const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
    for (const struct json_value *e = items ? items->first : NULL; e; e = e->next)
        say_webhook(e);
    if (items && items->count == 0)
        printf("There are no webhooks; make one with: feira webhooks SHOP add https://example.com/hook --events 'order.*'\n");
    return rc;
}

/* --- made and changed -------------------------------------------------------------------------------------------------------- */

static void write_settings(struct json_writer *w, const struct cli_args *a, const char *url, const char *events)
{
    json_object(w);
    if (url) {
        json_key(w, "url");
        json_str(w, url);
    }
    if (events)
        cli_write_list(w, "events", events);
    if (a->values[LABEL]) {
        json_key(w, "label");
        json_str(w, a->values[LABEL]);
    }
    if (a->values[PERSONAL])
        cli_write_list(w, "personal", a->values[PERSONAL]);
    if (a->values[UNORDERED] || a->values[ORDERED]) {
        json_key(w, "ordered");
        json_bool(w, a->values[ORDERED] != NULL);
    }
    json_object_end(w);
}

static int send_settings(const struct cli_args *a, const char *method, const char *target, const char *url, const char *events,
                         struct arena *arena, struct json_value **out, struct err *err)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    write_settings(&w, a, url, events);
    int rc = cli_ask_json(a, method, target, buf_slice(&body), arena, out, NULL, err);
    buf_release(&body);
    return rc;
}

static void say_secret(const struct json_value *v)
{
    printf("%.*s\nThis is the only time the secret is shown; the webhook's id is %.*s.\n", SLICE_FMT(cli_text(v, "secret")),
           SLICE_FMT(cli_text(v, "id")));
}

static int add(const struct cli_args *a, struct arena *arena, struct err *err)
{
    struct json_value *v = NULL;
    int rc = send_settings(a, "POST", "/v1/webhooks", a->positional[2], a->values[EVENTS] ? a->values[EVENTS] : "*", arena, &v, err);
    if (rc == 0)
        say_secret(v);
    return rc;
}

/* "/v1/webhooks/ID/what"; ids hold nothing that a target can't. */
static int target_of(const struct cli_args *a, const char *what, char out[256], struct err *err)
{
    const char *id = a->positional[2];
    if (strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(id) || strlen(id) > 64 || !*id)
        return err_set(err, ERR_INVALID, "\"%.40s\" is no id of a webhook; feira webhooks SHOP lists them.", id);
    snprintf(out, 256, "/v1/webhooks/%s%s", id, what);
    return 0;
}

static int change(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256];
    struct json_value *v;
    int rc = target_of(a, "", target, err);
    if (rc == 0)
        rc = send_settings(a, "PATCH", target, a->values[URL], a->values[EVENTS], arena, &v, err);
    if (rc == 0)
        printf("%s is changed.\n", a->positional[2]);
    return rc;
}

static int rotate(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256], body[64];
    struct json_value *v;
    int64_t keep_ms = 86400000;
    const char *keep = a->values[KEEP];
    int rc = target_of(a, "/rotate", target, err);
    if (rc == 0 && keep && strcmp(keep, "0s") == 0)
        keep_ms = 0;
    else if (rc == 0 && keep)
        rc = duration_parse(slice_str(keep), &keep_ms, err);
    if (rc < 0)
        return rc;
    snprintf(body, sizeof body, "{\"keep_for\":%" PRId64 "}", keep_ms / 1000);
    rc = cli_ask_json(a, "POST", target, slice_str(body), arena, &v, NULL, err);
    if (rc < 0)
        return rc;
    say_secret(v);
    printf("Earlier secrets sign as well until %.*s.\n", SLICE_FMT(cli_text(v, "earlier_secrets_until")));
    return 0;
}

static int act(const struct cli_args *a, const char *method, const char *what, const char *said, struct arena *arena, struct err *err)
{
    char target[256];
    struct json_value *v;
    int rc = target_of(a, what, target, err);
    if (rc == 0)
        rc = cli_ask_json(a, method, target, slice_str(*what ? "{}" : ""), arena, &v, NULL, err);
    if (rc == 0)
        printf("%s %s\n", a->positional[2], said);
    return rc;
}

static int pause_it(const struct cli_args *a, struct arena *arena, struct err *err)
{
    return act(a, "POST", "/pause", "is paused; what happens meanwhile waits.", arena, err);
}

static int resume(const struct cli_args *a, struct arena *arena, struct err *err)
{
    return act(a, "POST", "/resume", "works again.", arena, err);
}

static int remove_it(const struct cli_args *a, struct arena *arena, struct err *err)
{
    return act(a, "DELETE", "", "is removed, with all that waited for it.", arena, err);
}

/* --- what was sent --------------------------------------------------------------------------------------------------------- */

static void say_message(const struct json_value *m)
{
    const struct json_value *attempts = json_get(m, "attempts");
    struct slice key = cli_text(m, "key"), next = cli_text(m, "next_try_at");
    printf("%.*s  %.*s  %.*s%s%.*s  %.*s%s%.*s\n", SLICE_FMT(cli_text(m, "id")), SLICE_FMT(cli_text(m, "made_at")),
           SLICE_FMT(cli_text(m, "event")), key.len ? "  " : "", SLICE_FMT(key), SLICE_FMT(cli_text(m, "state")),
           next.len ? ", next try " : "", SLICE_FMT(next));
    for (const struct json_value *t = attempts ? attempts->first : NULL; t; t = t->next) {
        struct slice why = cli_text(t, "why");
        int64_t status = cli_number(t, "status");
        printf("    %" PRId64 ". %.*s  ", cli_number(t, "number"), SLICE_FMT(cli_text(t, "at")));
        if (status)
            printf("%" PRId64, status);
        else
            printf("no answer");
        printf("  %" PRId64 " ms%s%.*s\n", cli_number(t, "took_ms"), why.len ? "  " : "", SLICE_FMT(why));
    }
}

static int show_log(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256], whole[512], cursor[32] = "";
    size_t n = 0;
    int rc = target_of(a, "/messages", target, err);
    if (rc == 0 && a->values[STATE] && strspn(a->values[STATE], "abcdefghijklmnopqrstuvwxyz_") != strlen(a->values[STATE]))
        rc = err_set(err, ERR_INVALID, "--state is waiting, taken or given_up.");
    while (rc == 0) {
        struct json_value *v = NULL;
        snprintf(whole, sizeof whole, "%s?limit=200%s%.40s%s%s", target, a->values[STATE] ? "&state=" : "",
                 a->values[STATE] ? a->values[STATE] : "", *cursor ? "&cursor=" : "", cursor);
        rc = cli_ask_json(a, "GET", whole, slice_str(""), arena, &v, NULL, err);
        const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
        for (const struct json_value *e = items ? items->first : NULL; e; e = e->next, n++)
            say_message(e);
        snprintf(cursor, sizeof cursor, "%.*s", SLICE_FMT(rc == 0 ? cli_text(v, "next_cursor") : slice_str("")));
        arena_reset(arena);
        if (!*cursor)
            break;
    }
    if (rc == 0 && n == 0)
        printf("There are no such messages.\n");
    return rc;
}

static int message_target(const struct cli_args *a, const char *id, const char *what, char out[256], struct err *err)
{
    char part[128];
    if (!id || strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(id) || strlen(id) > 64 || !*id)
        return err_set(err, ERR_INVALID, "\"%.40s\" is no id of a message; feira webhooks SHOP log ID lists them.", id ? id : "");
    snprintf(part, sizeof part, "/messages/%s%s", id, what);
    return target_of(a, part, out, err);
}

static int show_message(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256];
    struct json_value *v;
    int rc = message_target(a, a->positional[3], "", target, err);
    if (rc == 0)
        rc = cli_ask_json(a, "GET", target, slice_str(""), arena, &v, NULL, err);
    if (rc < 0)
        return rc;
    say_message(v);
    printf("%.*s\n", SLICE_FMT(cli_text(v, "body")));
    return 0;
}

/* --- tried and sent again -------------------------------------------------------------------------------------------------- */

enum { PING_LOOKS = 100, PING_EVERY_US = 200000 };

/* Until it was tried once; who serves the shop sends it. */
static int ping(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256], id[64];
    struct json_value *v;
    int rc = target_of(a, "/ping", target, err);
    if (rc == 0)
        rc = cli_ask_json(a, "POST", target, slice_str("{}"), arena, &v, NULL, err);
    if (rc < 0)
        return rc;
    snprintf(id, sizeof id, "%.*s", SLICE_FMT(cli_text(v, "message")));
    if (!shop_is_served(a->positional[0], a->values[DATA])) {
        printf("Nobody serves the shop; %s is sent when somebody does.\n", id);
        return 0;
    }
    rc = message_target(a, id, "", target, err);
    for (int i = 0; i < PING_LOOKS && rc == 0; i++) {
        arena_reset(arena);
        rc = cli_ask_json(a, "GET", target, slice_str(""), arena, &v, NULL, err);
        const struct json_value *attempts = rc == 0 ? json_get(v, "attempts") : NULL;
        if (attempts && attempts->count) {
            say_message(v);
            return slice_is(cli_text(v, "state"), "taken") ? 0
                                                           : err_set(err, ERR_IO, "The endpoint did not take it; it is tried again later.");
        }
        usleep(PING_EVERY_US);
    }
    return rc < 0 ? rc : err_set(err, ERR_IO, "%s is not sent yet; other messages may be before it: feira webhooks SHOP log ID.", id);
}

static int replay_since(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256], cursor[32] = "";
    int64_t sum = 0;
    int rc = target_of(a, "/replay", target, err);
    while (rc == 0) {
        struct json_value *v = NULL;
        struct buf body;
        struct json_writer w;
        buf_init(&body, NULL);
        json_writer_init(&w, &body);
        json_object(&w);
        json_key(&w, "since");
        json_str(&w, a->values[SINCE]);
        json_key(&w, "taken");
        json_bool(&w, a->values[TAKEN] != NULL);
        if (*cursor) {
            json_key(&w, "cursor");
            json_str(&w, cursor);
        }
        json_object_end(&w);
        rc = cli_ask_json(a, "POST", target, buf_slice(&body), arena, &v, NULL, err);
        buf_release(&body);
        sum += rc == 0 ? cli_number(v, "replayed") : 0;
        snprintf(cursor, sizeof cursor, "%.*s", SLICE_FMT(rc == 0 ? cli_text(v, "next_cursor") : slice_str("")));
        arena_reset(arena);
        if (!*cursor)
            break;
    }
    if (rc == 0)
        printf("%" PRId64 " message%s sent again.\n", sum, sum == 1 ? " is" : "s are");
    return rc;
}

static int replay(const struct cli_args *a, struct arena *arena, struct err *err)
{
    char target[256];
    struct json_value *v;
    if (a->values[SINCE] && a->count == 3)
        return replay_since(a, arena, err);
    if (a->values[SINCE] || a->count == 3)
        return err_set(err, ERR_INVALID, "Write which: feira webhooks SHOP replay ID MESSAGE, or ID --since TIME.");
    int rc = message_target(a, a->positional[3], "/replay", target, err);
    if (rc == 0)
        rc = cli_ask_json(a, "POST", target, slice_str("{}"), arena, &v, NULL, err);
    if (rc == 0)
        printf("%s is sent again.\n", a->positional[3]);
    return rc;
}

/* --- the command ----------------------------------------------------------------------------------------------------------- */

static const struct deed {
    const char *name;
    int least, most; /* positionals, the shop included */
    const char *form;
    int (*run)(const struct cli_args *a, struct arena *arena, struct err *err);
} deeds[] = {
    { "add", 3, 3, "add URL", add },
    { "change", 3, 3, "change ID", change },
    { "rotate", 3, 3, "rotate ID", rotate },
    { "ping", 3, 3, "ping ID", ping },
    { "pause", 3, 3, "pause ID", pause_it },
    { "resume", 3, 3, "resume ID", resume },
    { "remove", 3, 3, "remove ID", remove_it },
    { "log", 3, 3, "log ID", show_log },
    { "message", 4, 4, "message ID MESSAGE", show_message },
    { "replay", 3, 4, "replay ID MESSAGE, or replay ID --since TIME", replay },
};

static int run(const struct cli_args *a, struct arena *arena, struct err *err)
{
    if (a->count == 1)
        return list(a, arena, err);
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        if (strcmp(deeds[i].name, a->positional[1]) != 0)
            continue;
        if (a->count < deeds[i].least || a->count > deeds[i].most)
            return err_set(err, ERR_INVALID, "Write: feira webhooks SHOP %s", deeds[i].form);
        return deeds[i].run(a, arena, err);
    }
    return err_set(err, ERR_INVALID,
                   "There is no \"%.40s\"; write add, change, rotate, ping, pause, resume, remove, log, message or replay.",
                   a->positional[1]);
}

int cmd_webhooks(const struct cli_args *a)
{
    struct err err = { 0 };
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = run(a, &arena, &err);
    arena_release(&arena);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
