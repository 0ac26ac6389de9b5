/* feira share: campaigns that are for a share of the customers. */
#include "base/json.h"
#include "cli/cli.h"

static int list(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)raw;
    const struct json_value *items = json_get(v, "items");
    for (const struct json_value *s = items ? items->first : NULL; s; s = s->next) {
        struct slice by = cli_text(s, "by");
        printf("%-24.*s %.*s %% of the customers (began with %.*s, may go up to %.*s)", SLICE_FMT(cli_text(s, "campaign")),
               SLICE_FMT(cli_text(s, "percent")), SLICE_FMT(cli_text(s, "first")), SLICE_FMT(cli_text(s, "up_to")));
        if (by.len)
            printf(", set by %.*s, %.*s", SLICE_FMT(by), SLICE_FMT(cli_text(s, "at")));
        printf("\n");
    }
    if (items && items->count == 0)
        printf("No live campaign is for a share of the customers; one is with share = { percent = 5, up_to = 50 }.\n");
    return EXIT_DONE;
}

static int say(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)raw;
    printf("%s is for %.*s %% of the customers now.\n", a->positional[1], SLICE_FMT(cli_text(v, "percent")));
    return EXIT_DONE;
}

int cmd_share(const struct cli_args *a)
{
    char target[256];
    struct err err = { 0 };
    struct buf body;
    struct json_writer w;
    if (a->count == 1)
        return cli_ask(a, "GET", "/v1/admin/shares", slice_str(""), list);
    const char *id = a->positional[1];
    if (a->count == 2 || strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") != strlen(id) ||
        strlen(id) > 64) {
        err_set(&err, ERR_INVALID, "Write: feira share SHOP CAMPAIGN PERCENT.");
        return cli_fail(&err);
    }
    snprintf(target, sizeof target, "/v1/admin/shares/%s", id);
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, "percent");
    json_str(&w, a->positional[2]);
    json_object_end(&w);
    int code = cli_ask(a, "PUT", target, buf_slice(&body), say);
    buf_release(&body);
    return code;
}
