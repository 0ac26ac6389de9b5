/* feira stop, resume: what does not work any more, without a build. */
#include "base/json.h"
#include "cli/cli.h"

void cli_say_stop(const struct json_value *stop, const char *before)
{
    bool quarantined = false, plugin = json_get(stop, "plugin") != NULL;
    struct slice reason = cli_text(stop, "reason");
    json_is_bool(json_get(stop, "quarantined"), &quarantined);
    printf("%s%s %.*s is %s since %.*s, by %.*s%s%.*s\n", before, plugin ? "plugin" : "campaign",
           SLICE_FMT(cli_text(stop, plugin ? "plugin" : "campaign")), quarantined ? "quarantined" : "stopped",
           SLICE_FMT(cli_text(stop, "at")), SLICE_FMT(cli_text(stop, "by")), reason.len ? ": " : "", SLICE_FMT(reason));
}

static int say(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    bool stopped = false, plugin = json_get(v, "plugin") != NULL;
    const struct json_value *effects = json_get(v, "effects");
    json_is_bool(json_get(v, "stopped"), &stopped);
    printf("%.*s %s\n", SLICE_FMT(cli_text(v, plugin ? "plugin" : "campaign")),
           stopped ? "is stopped." : (plugin ? "works again." : "may apply again."));
    for (const struct json_value *e = effects ? effects->first : NULL; e; e = e->next)
        printf("  %.*s\n", SLICE_FMT(e->string));
    return EXIT_DONE;
}

enum { DATA, CAMPAIGN, PLUGIN, REASON }; /* options, in the order of cli.c */

int cmd_stop(const struct cli_args *a)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, a->values[PLUGIN] ? "plugin" : a->values[CAMPAIGN] ? "campaign" : "name");
    json_str(&w, a->positional[1]);
    if (a->values[REASON]) {
        json_key(&w, "reason");
        json_str(&w, a->values[REASON]);
    }
    json_object_end(&w);
    int code = cli_ask(a, "POST", "/v1/stops", buf_slice(&body), say);
    buf_release(&body);
    return code;
}

int cmd_resume(const struct cli_args *a)
{
    char target[256];
    /* An id is plain characters only, so nothing needs escaping; what is not one finds nothing. */
    for (const char *c = a->positional[1]; *c; c++) {
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-", *c)) {
            struct err err;
            err_set(&err, ERR_NOT_FOUND, "\"%.60s\" is neither the id of a campaign nor the name of a plugin.", a->positional[1]);
            return cli_fail(&err);
        }
    }
    snprintf(target, sizeof target, "/v1/stops/%s%s", a->positional[1],
             a->values[PLUGIN] ? "?kind=plugin" : (a->values[CAMPAIGN] ? "?kind=campaign" : ""));
    return cli_ask(a, "DELETE", target, slice_str(""), say);
}
