/* Says of a cart what each campaign did, or why it did nothing: a table for whoever asks "why did my code do nothing?". */
#include "cli/cli.h"
#include "base/json.h"
#include "base/money.h"
#include <stdlib.h>

enum { OPTION_CAMPAIGN = 1, OPTION_LANG, OPTION_JSON };

struct table {
    struct currency currency;
    const struct json_value *lines;
};

static void print_money(const struct table *t, const struct json_value *v, const char *before)
{
    char text[32];
    int64_t minor = 0;
    json_is_int(v, &minor);
    text[money_format(minor, t->currency.exponent, text)] = '\0';
    printf("%s%s", before, text);
}

static struct slice sku_of(const struct table *t, int64_t line)
{
    const struct json_value *l = t->lines ? t->lines->first : NULL;
    while (l && line-- > 0)
        l = l->next;
    return cli_text(l, "sku");
}

static void print_shares(const struct table *t, const struct json_value *campaign)
{
    const struct json_value *shares = json_get(campaign, "lines");
    for (const struct json_value *s = shares ? shares->first : NULL; s; s = s->next) {
        int64_t line = 0, units = 0;
        json_is_int(json_get(s, "line"), &line);
        printf("        line %lld  %.*s", (long long)line + 1, SLICE_FMT(sku_of(t, line)));
        print_money(t, json_get(s, "amount"), "  -");
        if (json_is_int(json_get(s, "units"), &units))
            printf("  (%lld unit%s)", (long long)units, units == 1 ? "" : "s");
        printf("\n");
    }
    if (json_get(campaign, "shipping"))
        print_money(t, json_get(campaign, "shipping"), "        shipping  -"), printf("\n");
}

static void print_spent(const struct json_value *spent)
{
    int64_t calls = 0, ns = 0, fuel = 0;
    if (!spent)
        return;
    json_is_int(json_get(spent, "calls"), &calls);
    json_is_int(json_get(spent, "ns"), &ns);
    json_is_int(json_get(spent, "fuel"), &fuel);
    printf("        functions: %lld call%s, %lld us, fuel %lld\n", (long long)calls, calls == 1 ? "" : "s", (long long)ns / 1000,
           (long long)fuel);
}

static void print_reason(const struct json_value *of)
{
    const struct json_value *reason = json_get(of, "reason");
    struct slice text = cli_text(reason, "text"), at = cli_text(of, "at");
    if (text.len)
        printf("        %.*s\n", SLICE_FMT(text));
    printf("        %.*s%s%.*s\n", SLICE_FMT(cli_text(reason, "code")), at.len ? " at " : "", SLICE_FMT(at));
}

static void print_campaigns(const struct table *t, const struct json_value *list, bool applied)
{
    bool any = false;
    for (const struct json_value *c = list ? list->first : NULL; c; c = c->next) {
        bool did = false;
        json_is_bool(json_get(c, "applied"), &did);
        if (did != applied)
            continue;
        if (!any)
            printf(applied ? "\nApplied\n" : "\nDid not apply\n");
        any = true;
        printf("  %-24.*s", SLICE_FMT(cli_text(c, "id")));
        if (applied)
            print_money(t, json_get(c, "amount"), " -");
        printf("  %.*s\n", SLICE_FMT(cli_text(c, "title")));
        if (applied)
            print_shares(t, c);
        else
            print_reason(c);
        print_spent(json_get(c, "functions"));
    }
}

static void print_gates(const struct json_value *list)
{
    if (list && list->count)
        printf("\nGates\n");
    for (const struct json_value *g = list ? list->first : NULL; g; g = g->next) {
        bool open = false;
        json_is_bool(json_get(g, "open"), &open);
        printf("  %-24.*s %s  %.*s\n", SLICE_FMT(cli_text(g, "id")), open ? "open" : "closed", SLICE_FMT(cli_text(g, "title")));
        if (json_get(g, "reason"))
            print_reason(g);
    }
}

static void print_codes(const struct json_value *codes)
{
    if (!codes || codes->count == 0)
        return;
    printf("\nCodes\n");
    for (const struct json_value *c = codes->first; c; c = c->next) {
        struct slice campaign = cli_text(c, "campaign");
        printf("  %-24.*s %.*s%s%.*s  %.*s\n", SLICE_FMT(cli_text(c, "code")), SLICE_FMT(cli_text(c, "status")), campaign.len ? " at " : "",
               SLICE_FMT(campaign), SLICE_FMT(cli_text(c, "text")));
    }
}

static int show(const struct cli_args *a, const struct json_value *quote, struct slice raw)
{
    int64_t left_out = 0;
    if (a->values[OPTION_JSON]) {
        printf("%.*s\n", SLICE_FMT(raw));
        return EXIT_DONE;
    }
    struct table t = { .currency = { "", 2 }, .lines = json_get(quote, "lines") };
    currency_find(cli_text(quote, "currency"), &t.currency, NULL);
    print_money(&t, json_get(quote, "subtotal"), "Subtotal ");
    print_money(&t, json_get(quote, "discount"), ", discount ");
    print_money(&t, json_get(quote, "total"), ", total ");
    printf(" %s, under rules %.*s\n", t.currency.code, SLICE_FMT(cli_text(quote, "generation")));
    print_campaigns(&t, json_get(quote, "campaigns"), true);
    print_campaigns(&t, json_get(quote, "campaigns"), false);
    if (json_is_int(json_get(quote, "campaigns_left_out"), &left_out))
        printf("\n%lld more did not apply; --campaign ID explains one.\n", (long long)left_out);
    print_gates(json_get(quote, "gates"));
    print_codes(json_get(quote, "codes"));
    return EXIT_DONE;
}

/* As the terminal's language is. */
static const char *language(const struct cli_args *a)
{
    const char *lang = getenv("LC_ALL");
    if (a->values[OPTION_LANG])
        return a->values[OPTION_LANG];
    lang = lang && *lang ? lang : getenv("LANG");
    return lang && strncmp(lang, "zh", 2) == 0 ? "zh-CN" : "en";
}

static bool can_be_in_a_target(const char *text)
{
    return *text && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-")] == '\0';
}

/* What the rules saw of it, and whether it still comes out. */
static void print_order(const struct json_value *v)
{
    const struct json_value *seen = json_get(v, "seen"), *facts = json_get(seen, "facts"), *d = json_get(v, "difference");
    bool agrees = false;
    json_is_bool(json_get(v, "agrees"), &agrees);
    printf("Order %.*s of %.*s\n", SLICE_FMT(cli_text(v, "order")), SLICE_FMT(cli_text(v, "placed_at")));
    for (const struct json_value *f = facts ? facts->first : NULL; f; f = f->next) {
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_value_write(&w, f);
        printf("  saw %.*s = %.*s\n", SLICE_FMT(f->key), SLICE_FMT(buf_slice(&b)));
        buf_release(&b);
    }
    if (agrees)
        printf("Computed again, it comes to the same, to the byte.\n");
    else
        printf("Computed again, it does NOT come to the same: %.*s was %.*s, is now %.*s\n", SLICE_FMT(cli_text(d, "field")),
               SLICE_FMT(cli_text(d, "was")), SLICE_FMT(cli_text(d, "now")));
}

static int show_order(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    if (!a->values[OPTION_JSON])
        print_order(v);
    return show(a, v, raw);
}

static int explain_order(const struct cli_args *a, const char *lang)
{
    char target[256];
    snprintf(target, sizeof target, "/v1/orders/%s/explanation?lang=%s", a->positional[1], lang);
    return cli_ask(a, "GET", target, slice_str(""), show_order);
}

int cmd_explain(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf cart;
    char target[256];
    const char *campaign = a->values[OPTION_CAMPAIGN] ? a->values[OPTION_CAMPAIGN] : "full", *lang = language(a);
    if (!can_be_in_a_target(campaign) || strlen(campaign) > 64) {
        err_set(&err, ERR_INVALID, "There is no campaign with the id \"%s\".", campaign);
        return cli_fail(&err);
    }
    if (!can_be_in_a_target(lang) || strlen(lang) > 64) {
        err_set(&err, ERR_INVALID, "lang is \"en\" or \"zh-CN\".");
        return cli_fail(&err);
    }
    if (strncmp(a->positional[1], "ord_", 4) == 0 && can_be_in_a_target(a->positional[1]) && strlen(a->positional[1]) <= 64) {
        if (!a->values[OPTION_CAMPAIGN])
            return explain_order(a, lang);
        fprintf(stderr, "feira: --campaign goes with a cart; an order is explained whole.\n");
        return EXIT_USAGE;
    }
    snprintf(target, sizeof target, "/v1/quotes?explain=%s&lang=%s", campaign, lang);
    buf_init(&cart, NULL);
    int code = cli_read_file(a->positional[1], &cart, &err) < 0 ? cli_fail(&err) : cli_ask(a, "POST", target, buf_slice(&cart), show);
    buf_release(&cart);
    return code;
}
