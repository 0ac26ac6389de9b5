/* feira repin: rows of a plugin go by the rules of another revision. */
#include "base/json.h"
#include "cli/cli.h"
#include <inttypes.h>

enum { REPIN_DATA, REPIN_FROM, REPIN_TO, REPIN_COLLECTION, REPIN_DRY_RUN };

static void member(struct json_writer *w, const char *key, const char *value)
{
    if (!value)
        return;
    json_key(w, key);
    json_str(w, value);
}

static int say(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    const struct json_value *rows = json_get(v, "rows");
    int64_t found = 0;
    bool dry = false;
    json_is_int(json_get(v, "found"), &found);
    json_is_bool(json_get(v, "dry_run"), &dry);
    if (found == 0) {
        printf("There is nothing to move: no row goes by other rules than %.*s.\n", SLICE_FMT(cli_text(v, "to")));
        return EXIT_DONE;
    }
    printf("%" PRId64 " row%s %s by %.*s:\n", found, found == 1 ? "" : "s",
           dry          ? "would go"
           : found == 1 ? "goes"
                        : "go",
           SLICE_FMT(cli_text(v, "to")));
    for (const struct json_value *r = rows ? rows->first : NULL; r; r = r->next) {
        int64_t id = 0;
        json_is_int(json_get(r, "id"), &id);
        printf("  %.*s %" PRId64 ", by %.*s before\n", SLICE_FMT(cli_text(r, "collection")), id, SLICE_FMT(cli_text(r, "from")));
    }
    if (rows && found > rows->count)
        printf("  and %" PRId64 " more\n", found - rows->count);
    return EXIT_DONE;
}

static bool is_plugin(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-", *c))
            return false;
    return *name && strlen(name) <= 32;
}

int cmd_repin(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct json_writer w;
    char target[80];
    if (!is_plugin(a->positional[1])) {
        err_set(&err, ERR_NOT_FOUND, "\"%.60s\" is no name of a plugin.", a->positional[1]);
        return cli_fail(&err);
    }
    snprintf(target, sizeof target, "/v1/plugins/%s/repin", a->positional[1]);
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    member(&w, "from", a->values[REPIN_FROM]);
    member(&w, "to", a->values[REPIN_TO]);
    member(&w, "collection", a->values[REPIN_COLLECTION]);
    if (a->values[REPIN_DRY_RUN]) {
        json_key(&w, "dry_run");
        json_bool(&w, true);
    }
    json_object_end(&w);
    int code = cli_ask(a, "POST", target, buf_slice(&body), say);
    buf_release(&body);
    return code;
}
