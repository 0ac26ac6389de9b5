/* feira prices: what a product was offered for and sold for before a moment; what a "was" price is held against. */
#include "base/json.h"
#include "base/money.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <string.h>

enum { DATA, BEFORE, DAYS, CHANNEL, JSON };
enum { TARGET_MAX = 2000 };

static const char *amount(int64_t n, struct slice code, char out[32])
{
    struct currency currency;
    if (currency_find(code, &currency, NULL) == 0)
        money_format(n, currency.exponent, out);
    else
        snprintf(out, 32, "%" PRId64, n);
    return out;
}

static void say_amount(const char *before, const struct json_value *v, const char *key, struct slice currency)
{
    char text[32];
    int64_t n;
    if (json_is_int(json_get(v, key), &n))
        printf("%s%s", before, amount(n, currency, text));
}

static void say_deal(const char *what, const struct json_value *v, struct slice currency)
{
    struct slice channel;
    printf("  %-13s", what);
    if (!v || v->type != JSON_OBJECT) {
        printf("none\n");
        return;
    }
    say_amount("", v, "price", currency);
    printf("  %.*s  %.*s", SLICE_FMT(cli_text(v, "at")), SLICE_FMT(cli_text(v, "order")));
    if (json_is_string(json_get(v, "channel"), &channel))
        printf("  through %.*s", SLICE_FMT(channel));
    printf("\n");
}

static void say_offer(const struct json_value *o, struct slice currency)
{
    struct slice until = cli_text(o, "until");
    bool offered = true;
    json_is_bool(json_get(o, "offered"), &offered);
    printf("  %.*s  to  %-24.*s", SLICE_FMT(cli_text(o, "from")), SLICE_FMT(until.len ? until : SLICE_LIT("now")));
    say_amount("  ", o, "price", currency);
    say_amount("  compared with ", o, "compare_at", currency);
    printf("%s\n", offered ? "" : "  not offered");
}

static void say_hour(const struct json_value *d, struct slice currency)
{
    struct slice channel;
    printf("  %.*s ", SLICE_FMT(cli_text(d, "last_at")));
    say_amount(" ", d, "price", currency);
    printf("  %" PRId64 " unit%s  %.*s", cli_number(d, "units"), cli_number(d, "units") == 1 ? "" : "s", SLICE_FMT(cli_text(d, "order")));
    if (json_is_string(json_get(d, "channel"), &channel))
        printf("  through %.*s", SLICE_FMT(channel));
    printf("\n");
}

static int show(const struct cli_args *a, const struct json_value *v, struct slice raw)
{
    struct slice currency = cli_text(v, "currency");
    const struct json_value *offers = json_get(v, "offers"), *deals = json_get(json_get(v, "deals"), "items");
    if (a->values[JSON]) {
        printf("%.*s\n", SLICE_FMT(raw));
        return EXIT_DONE;
    }
    printf("%.*s: ", SLICE_FMT(cli_text(v, "sku")));
    say_amount("", v, "price", currency);
    say_amount(", compared with ", v, "compare_at", currency);
    printf("\nIn the %" PRId64 " days before %.*s:\n", cli_number(v, "days"), SLICE_FMT(cli_text(v, "before")));
    say_amount("  lowest offer ", v, "lowest_offer", currency);
    printf("%s\n", json_get(v, "lowest_offer") && json_get(v, "lowest_offer")->type == JSON_NULL ? "  lowest offer none" : "");
    say_deal("lowest deal", json_get(v, "lowest_deal"), currency);
    say_deal("last deal", json_get(v, "last_deal"), currency);
    printf("Offered:\n");
    for (const struct json_value *o = offers ? offers->first : NULL; o; o = o->next)
        say_offer(o, currency);
    printf("%s\n", deals && deals->first ? "Sold, after discounts, newest first:" : "Nothing was sold.");
    for (const struct json_value *d = deals ? deals->first : NULL; d; d = d->next)
        say_hour(d, currency);
    return EXIT_DONE;
}

int cmd_prices(const struct cli_args *a)
{
    static const struct {
        int option;
        const char *name;
    } members[] = { { BEFORE, "before" }, { DAYS, "days" }, { CHANNEL, "channel" } };
    char target[TARGET_MAX] = "/v1/products/";
    size_t n = strlen(target);
    n += cli_encode(a->positional[1], target + n, sizeof target - n);
    n += (size_t)snprintf(target + n, sizeof target - n, "/prices?limit=200");
    for (size_t i = 0; i < sizeof members / sizeof *members && n + 40 < sizeof target; i++) {
        if (!a->values[members[i].option])
            continue;
        n += (size_t)snprintf(target + n, sizeof target - n, "&%s=", members[i].name);
        n += cli_encode(a->values[members[i].option], target + n, sizeof target - n);
    }
    return cli_ask(a, "GET", target, slice_str(""), show);
}
