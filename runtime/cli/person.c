/* feira person: what is kept of somebody, and its end. */
#include "base/json.h"
#include "cli/cli.h"

enum { DATA, GIVE_UP, STATE, JSON };

static void say_hold(const struct json_value *h)
{
    const struct json_value *keeps = json_get(h, "keeps");
    struct slice until = cli_text(h, "until"), ends = cli_text(h, "ends"), by = cli_text(h, "blocked_by");
    printf("  %.*s %.*s", SLICE_FMT(cli_text(h, "kind")), SLICE_FMT(cli_text(h, "order")));
    if (by.len)
        printf(" (waits for %.*s)", SLICE_FMT(by));
    printf(" keeps");
    for (const struct json_value *k = keeps ? keeps->first : NULL; k; k = k->next)
        printf("%s %.*s", k == keeps->first ? "" : ",", SLICE_FMT(k->string));
    printf(", %s %.*s (%.*s)\n", until.len ? "until" : "", SLICE_FMT(until.len ? until : ends), SLICE_FMT(cli_text(h, "basis")));
}

static void say_holds(const struct json_value *v)
{
    const struct json_value *holds = json_get(v, "holds");
    for (const struct json_value *h = holds ? holds->first : NULL; h; h = h->next)
        say_hold(h);
}

static int show_export(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    (void)a;
    (void)v;
    printf("%.*s\n", SLICE_FMT(raw));
    return EXIT_DONE;
}

static int show_erased(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *holds = json_get(v, "holds"), *given = json_get(v, "given_up");
    if (a->values[JSON])
        return show_export(a, v, raw);
    printf("Erased, as %.*s.\n", SLICE_FMT(cli_text(v, "request")));
    if (holds && holds->count)
        printf("Held until it may go, without anything that says who it was, but for what an open order needs:\n");
    say_holds(v);
    for (const struct json_value *g = given ? given->first : NULL; g; g = g->next)
        printf("  given up: %lld %.*s of %.*s\n", (long long)cli_number(g, "balance"), SLICE_FMT(cli_text(g, "unit")),
               SLICE_FMT(cli_text(g, "account")));
    printf("Backups and snapshots of a second copy that were made before still have it, until you remove them or their time is over.\n");
    return EXIT_DONE;
}

static int show_requests(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    const struct json_value *items = json_get(v, "items");
    if (a->values[JSON])
        return show_export(a, v, raw);
    if (!items || items->count == 0)
        printf("Nobody has asked for anything.\n");
    for (const struct json_value *i = items ? items->first : NULL; i; i = i->next) {
        struct slice customer = cli_text(i, "customer");
        printf("%.*s  %.*s %.*s%s%.*s, asked %.*s by %.*s, due %.*s\n", SLICE_FMT(cli_text(i, "request")), SLICE_FMT(cli_text(i, "kind")),
               SLICE_FMT(cli_text(i, "state")), customer.len ? " of " : "", SLICE_FMT(customer), SLICE_FMT(cli_text(i, "asked_at")),
               SLICE_FMT(cli_text(i, "asked_by")), SLICE_FMT(cli_text(i, "due_at")));
        say_holds(i);
    }
    return EXIT_DONE;
}

static int usage(const char *problem)
{
    fprintf(stderr, "feira person: %s\nusage: feira person SHOP export|erase CUSTOMER, or SHOP requests [options]\n", problem);
    return EXIT_USAGE;
}

static bool is_id(const char *s)
{
    size_t n = strlen(s);
    return n >= 1 && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == n;
}

int cmd_person(const struct cli_args *a)
{
    char target[160];
    const char *what = a->positional[1], *customer = a->count > 2 ? a->positional[2] : NULL;
    if (strcmp(what, "requests") == 0 && !customer) {
        const char *state = a->values[STATE];
        if (state && strspn(state, "abcdefghijklmnopqrstuvwxyz") != strlen(state))
            return usage("--state is asked, held, done or withdrawn");
        snprintf(target, sizeof target, "/v1/persons/requests?limit=200%s%.40s", state ? "&state=" : "", state ? state : "");
        return cli_ask(a, "GET", target, slice_str(""), show_requests);
    }
    if (!customer || !is_id(customer))
        return usage(customer ? "that is no id of a customer" : "an argument is missing");
    bool export = strcmp(what, "export") == 0;
    if (!export && strcmp(what, "erase") != 0)
        return usage("it can export, erase, and list requests");
    snprintf(target, sizeof target, "/v1/customers/%s/%s", customer, export ? "export" : "erasure");
    return export ? cli_ask(a, "GET", target, slice_str(""), show_export)
                  : cli_ask(a, "POST", target, a->values[GIVE_UP] ? SLICE_LIT("{\"give_up\":true}") : SLICE_LIT("{}"), show_erased);
}
