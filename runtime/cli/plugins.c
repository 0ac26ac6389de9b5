/* feira needs, prune: what plugins may touch, and what they have left behind. */
#include "base/json.h"
#include "cli/cli.h"

enum { NEEDS_DATA, NEEDS_JSON };
enum { PRUNE_DATA, PRUNE_DRY_RUN, PRUNE_YES };

static int show_needs(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    if (a->values[NEEDS_JSON])
        printf("%.*s\n", SLICE_FMT(raw));
    else
        printf("%.*s", SLICE_FMT(cli_text(v, "text")));
    return EXIT_DONE;
}

int cmd_needs(const struct cli_args *a)
{
    return cli_ask(a, "GET", "/v1/needs", slice_str(""), show_needs);
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
        bool field = slice_is(cli_text(i, "kind"), "field");
        json_is_int(json_get(i, "values"), &values);
        printf("  %-10s  %.*s: %lld %s%s\n", field ? "field" : "collection", SLICE_FMT(cli_text(i, "what")), (long long)values,
               field ? "value" : "row", values == 1 ? "" : "s");
    }
    if (!generations || generations->count == 0)
        return;
    printf("Earlier generations that had them %s without these values, or not at all where they must be there:\n",
           dropped ? "can come back only" : "could then come back only");
    for (const struct json_value *g = generations->first; g && n < SHOWN_GENERATIONS; g = g->next, n++)
        printf("  %.*s, live from %.*s\n", SLICE_FMT(cli_text(g, "generation")), SLICE_FMT(cli_text(g, "at")));
    if (generations->count > n)
        printf("  and %u more\n", generations->count - n);
}

static bool drops(const struct cli_args *a)
{
    return a->values[PRUNE_YES] && !a->values[PRUNE_DRY_RUN];
}

static int show_prune(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *items = json_get(v, "items");
    (void)raw;
    if (!items || items->count == 0) {
        printf("There is nothing to drop: the live rules name all that the plugins keep.\n");
        return EXIT_DONE;
    }
    print_items(v, drops(a));
    if (drops(a) || a->values[PRUNE_DRY_RUN])
        return EXIT_DONE;
    fprintf(stderr, "feira: nothing was dropped; what is dropped is gone for ever. When you mean it: feira prune %s --yes\n",
            a->positional[0]);
    return EXIT_FAILED;
}

int cmd_prune(const struct cli_args *a)
{
    return cli_ask(a, "POST", "/v1/prune", drops(a) ? SLICE_LIT("{}") : SLICE_LIT("{\"dry_run\":true}"), show_prune);
}
