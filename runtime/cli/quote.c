/* Prices a cart and prints it as a table: the lines, what came off and why, what did not apply and why not. */
#include "cli/cli.h"
#include "base/json.h"
#include "base/money.h"

struct printer {
    int exponent;
    const char *currency;
};

static const char *money(const struct printer *p, const struct json_value *v, char out[32])
{
    int64_t minor = 0;
    json_is_int(v, &minor);
    out[money_format(minor, p->exponent, out)] = '\0';
    return out;
}

static void print_discounts(const struct printer *p, const struct json_value *discounts)
{
    char m[32];
    for (const struct json_value *d = discounts ? discounts->first : NULL; d; d = d->next) {
        struct slice reason = cli_text(d, "reason");
        printf("      - %s  %.*s%s%.*s%s\n", money(p, json_get(d, "amount"), m), SLICE_FMT(cli_text(d, "campaign")), reason.len ? " (" : "",
               SLICE_FMT(reason), reason.len ? ")" : "");
    }
}

static void print_lines(const struct printer *p, const struct json_value *quote)
{
    char unit[32], total[32];
    const struct json_value *lines = json_get(quote, "lines");
    for (const struct json_value *l = lines ? lines->first : NULL; l; l = l->next) {
        int64_t qty = 0;
        json_is_int(json_get(l, "qty"), &qty);
        printf("%4lld x %-24.*s %10s  %10s  %.*s\n", (long long)qty, SLICE_FMT(cli_text(l, "sku")),
               money(p, json_get(l, "unit_price"), unit), money(p, json_get(l, "total"), total), SLICE_FMT(cli_text(l, "title")));
        print_discounts(p, json_get(l, "discounts"));
        if (json_get(l, "unavailable"))
            printf("      ! not for sale: %.*s\n", SLICE_FMT(cli_text(json_get(l, "unavailable"), "because")));
    }
}

static void print_reason(const struct json_value *reason)
{
    printf("%.*s", SLICE_FMT(cli_text(reason, "code")));
    for (const struct json_value *m = reason ? reason->first : NULL; m; m = m->next) {
        if (slice_is(m->key, "code"))
            continue;
        if (m->type == JSON_INT)
            printf(" %.*s=%lld", SLICE_FMT(m->key), (long long)m->integer);
        else if (m->type == JSON_STRING)
            printf(" %.*s=%.*s", SLICE_FMT(m->key), SLICE_FMT(m->string));
    }
}

static void print_campaigns(const struct printer *p, const struct json_value *quote)
{
    char m[32];
    const struct json_value *list = json_get(quote, "campaigns");
    for (const struct json_value *c = list ? list->first : NULL; c; c = c->next) {
        bool applied = false;
        json_is_bool(json_get(c, "applied"), &applied);
        printf("  %s %-20.*s ", applied ? "+" : " ", SLICE_FMT(cli_text(c, "id")));
        if (applied)
            printf("took off %s\n", money(p, json_get(c, "amount"), m));
        else
            print_reason(json_get(c, "reason")), printf("\n");
    }
}

static void print_gates(const struct json_value *quote)
{
    const struct json_value *list = json_get(quote, "gates");
    for (const struct json_value *g = list ? list->first : NULL; g; g = g->next) {
        bool open = false;
        json_is_bool(json_get(g, "open"), &open);
        printf("  %s %-20.*s %s", open ? " " : "!", SLICE_FMT(cli_text(g, "id")), open ? "open" : "closed");
        if (json_get(g, "reason"))
            printf(": "), print_reason(json_get(g, "reason"));
        printf("\n");
    }
}

static void print_tax(const struct printer *p, const struct json_value *tax)
{
    char m[32];
    bool included = true;
    if (!tax)
        return;
    json_is_bool(json_get(tax, "included"), &included);
    printf("%-41s %10s\n", included ? "tax, within the prices" : "tax", money(p, json_get(tax, "amount"), m));
}

static void print_quote(const struct json_value *quote)
{
    char m[32];
    struct currency currency = { "", 2 };
    currency_find(cli_text(quote, "currency"), &currency, NULL);
    struct printer p = { currency.exponent, currency.code };
    print_lines(&p, quote);
    printf("\n%-41s %10s\n", "subtotal", money(&p, json_get(quote, "subtotal"), m));
    printf("%-41s %10s\n", "discount", money(&p, json_get(quote, "discount"), m));
    const struct json_value *shipping = json_get(quote, "shipping");
    if (shipping && shipping->type == JSON_OBJECT)
        printf("%-41s %10s\n", "shipping", money(&p, json_get(shipping, "total"), m));
    print_tax(&p, json_get(quote, "tax"));
    printf("%-37s %s %10s\n\n", "total", p.currency, money(&p, json_get(quote, "total"), m));
    print_campaigns(&p, quote);
    print_gates(quote);
    printf("\nrules: %.*s\n", SLICE_FMT(cli_text(quote, "generation")));
}

static int show_quote(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    if (a->values[1])
        printf("%.*s\n", SLICE_FMT(raw));
    else
        print_quote(v);
    return EXIT_DONE;
}

int cmd_quote(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf cart;
    buf_init(&cart, NULL);
    int code = cli_read_file(a->positional[1], &cart, &err) < 0
                   ? cli_fail(&err)
                   : cli_ask(a, "POST", "/v1/quotes?explain=full", buf_slice(&cart), show_quote);
    buf_release(&cart);
    return code;
}
