#include "cli/cli.h"
#include "base/json.h"

static int show(struct slice text, struct err *err)
{
    struct arena a;
    struct json_value *v;
    arena_init(&a, NULL, 0);
    int rc = json_parse(text, NULL, &a, &v, err);
    const struct json_value *items = rc == 0 ? json_get(v, "items") : NULL;
    for (const struct json_value *k = items ? items->first : NULL; k; k = k->next) {
        bool revoked = false;
        json_is_bool(json_get(k, "revoked"), &revoked);
        printf("%.*s  %.*s  %.*s%s", SLICE_FMT(json_get(k, "id")->string), SLICE_FMT(json_get(k, "kind")->string),
               SLICE_FMT(json_get(k, "label")->string), revoked ? "  (revoked)" : "");
        for (const struct json_value *s = json_get(k, "scopes")->first; s; s = s->next)
            printf("%s%.*s", s == json_get(k, "scopes")->first ? "  " : ",", SLICE_FMT(s->string));
        printf("\n");
    }
    if (items && items->count == 0)
        printf("There are no keys yet; make one with: feira keys SHOP --new sk --label TEXT\n");
    arena_release(&a);
    return rc;
}

static int make(const struct cli_args *a, struct buf *answer, struct err *err)
{
    struct buf body;
    struct json_writer w;
    struct arena arena;
    struct json_value *v;
    buf_init(&body, NULL);
    json_writer_init(&w, &body);
    json_object(&w);
    json_key(&w, "kind");
    json_str(&w, a->values[1]);
    json_key(&w, "label");
    json_str(&w, a->values[2] ? a->values[2] : "made by feira keys");
    if (a->values[3])
        cli_write_list(&w, "scopes", a->values[3]);
    json_object_end(&w);
    int rc = shop_ask_ok(a->positional[0], a->values[0], "POST", "/v1/keys", buf_slice(&body), answer, err);
    buf_release(&body);
    if (rc < 0)
        return rc;
    arena_init(&arena, NULL, 0);
    rc = json_parse(buf_slice(answer), NULL, &arena, &v, err);
    if (rc == 0)
        printf("%.*s\nThis is the only time the key is shown; its id is %.*s.\n", SLICE_FMT(json_get(v, "key")->string),
               SLICE_FMT(json_get(v, "id")->string));
    arena_release(&arena);
    return rc;
}

int cmd_keys(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf answer;
    int rc;
    buf_init(&answer, NULL);
    if (a->values[1]) {
        rc = make(a, &answer, &err);
    } else if (a->values[4]) {
        char target[256];
        snprintf(target, sizeof target, "/v1/keys/%s", a->values[4]);
        rc = shop_ask_ok(a->positional[0], a->values[0], "DELETE", target, (struct slice){ "", 0 }, &answer, &err);
        if (rc == 0)
            printf("%s is revoked.\n", a->values[4]);
    } else {
        rc = shop_ask_ok(a->positional[0], a->values[0], "GET", "/v1/keys", (struct slice){ "", 0 }, &answer, &err);
        if (rc == 0)
            rc = show(buf_slice(&answer), &err);
    }
    buf_release(&answer);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
