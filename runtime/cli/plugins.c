/* feira needs, prune: what plugins may touch, and what they have left behind. */
#include "base/json.h"
#include "cli/cli.h"

enum { NEEDS_DATA, NEEDS_JSON };
enum { PRUNE_DATA, PRUNE_DRY_RUN, PRUNE_YES };

static struct slice text(const struct json_value *v, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(v, key), &s);
    return s;
}

int cmd_needs(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf answer;
    struct arena arena;
    struct json_value *v;
    buf_init(&answer, NULL);
    arena_init(&arena, NULL, 0);
    int rc = shop_ask_ok(a->positional[0], a->values[NEEDS_DATA], "GET", "/v1/needs", (struct slice){ "", 0 }, &answer, &err);
    if (rc == 0 && a->values[NEEDS_JSON])
        printf("%.*s\n", SLICE_FMT(buf_slice(&answer)));
    else if (rc == 0 && (rc = json_parse(buf_slice(&answer), NULL, &arena, &v, &err)) == 0)
        printf("%.*s", SLICE_FMT(text(v, "text")));
    arena_release(&arena);
    buf_release(&answer);
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}

/* --- prune ----------------------------------------------------------------------------------------------------------------- */

enum { SHOWN_GENERATIONS = 10 };

static void print_items(const struct json_value *v, bool dropped)
{
    const struct json_value *items = json_get(v, "items"), *generations = json_get(v, "generations");
    uint32_t n = 0;
    printf(dropped ? "Dropped:\n" : "No live rule names these any more; they would go:\n");
    for (const struct json_value *i = items->first; i; i = i->next) {
        int64_t values = 0;
        bool field = slice_is(text(i, "kind"), "field");
        json_is_int(json_get(i, "values"), &values);
        printf("  %-10s  %.*s: %lld %s%s\n", field ? "field" : "collection", SLICE_FMT(text(i, "what")), (long long)values,
               field ? "value" : "row", values == 1 ? "" : "s");
    }
    if (!generations || generations->count == 0)
        return;
    printf("Earlier generations that had them %s without these values, or not at all where they must be there:\n",
           dropped ? "can come back only" : "could then come back only");
    for (const struct json_value *g = generations->first; g && n < SHOWN_GENERATIONS; g = g->next, n++)
        printf("  %.*s, live from %.*s\n", SLICE_FMT(text(g, "generation")), SLICE_FMT(text(g, "at")));
    if (generations->count > n)
        printf("  and %u more\n", generations->count - n);
}

static int ask_prune(const struct cli_args *a, bool dry_run, struct arena *arena, struct buf *answer, struct json_value **v,
                     struct err *err)
{
    int rc = shop_ask_ok(a->positional[0], a->values[PRUNE_DATA], "POST", "/v1/prune",
                         dry_run ? SLICE_LIT("{\"dry_run\":true}") : SLICE_LIT("{}"), answer, err);
    return rc < 0 ? rc : json_parse(buf_slice(answer), NULL, arena, v, err);
}

int cmd_prune(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf answer;
    struct arena arena;
    struct json_value *v = NULL;
    bool drop = a->values[PRUNE_YES] && !a->values[PRUNE_DRY_RUN];
    int code = EXIT_DONE;
    buf_init(&answer, NULL);
    arena_init(&arena, NULL, 0);
    int rc = ask_prune(a, !drop, &arena, &answer, &v, &err);
    const struct json_value *items = json_get(v, "items");
    if (rc < 0) {
        code = cli_fail(&err);
    } else if (!items || items->count == 0) {
        printf("There is nothing to drop: the live rules name all that the plugins keep.\n");
    } else {
        print_items(v, drop);
        if (!drop && !a->values[PRUNE_DRY_RUN]) {
            fprintf(stderr, "feira: nothing was dropped; what is dropped is gone for ever. When you mean it: feira prune %s --yes\n",
                    a->positional[0]);
            code = EXIT_FAILED;
        }
    }
    arena_release(&arena);
    buf_release(&answer);
    return code;
}
