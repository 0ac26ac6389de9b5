/* feira backtest: what rules that are not live would have made of the orders that were. */
#include "cli/past.h"
#include "cli/backtest_html.h"
#include "base/money.h"
#include <limits.h>
#include <stdlib.h>

enum { DATA, SINCE, UNTIL, WITHOUT, THREADS, ORDERS, JSON, HTML };

static void text_member(struct json_writer *w, const char *key, const char *text)
{
    if (!text)
        return;
    json_key(w, key);
    json_str(w, text);
}

/* The server may stand in another folder, so it is told whole paths. */
static int write_candidates(const struct cli_args *a, struct json_writer *w, struct err *err)
{
    if (a->count < 2)
        return 0;
    json_key(w, "candidates");
    json_array(w);
    for (int i = 1; i < a->count; i++) {
        char path[PATH_MAX];
        if (!realpath(a->positional[i], path))
            return err_set(err, ERR_INVALID, "There is no %s.", a->positional[i]);
        json_str(w, path);
    }
    json_array_end(w);
    return 0;
}

static int write_body(const struct cli_args *a, struct buf *out, struct err *err)
{
    struct json_writer w;
    int64_t threads = 0;
    int rc = a->values[THREADS] ? cli_threads(a->values[THREADS], &threads, err) : 0;
    json_writer_init(&w, out);
    json_object(&w);
    if (rc == 0)
        rc = write_candidates(a, &w, err);
    if (rc < 0)
        return rc;
    if (a->values[WITHOUT])
        cli_write_list(&w, "without", a->values[WITHOUT]);
    text_member(&w, "since", a->values[SINCE]);
    text_member(&w, "until", a->values[UNTIL]);
    if (threads) {
        json_key(&w, "threads");
        json_int(&w, threads);
    }
    if (a->values[ORDERS]) {
        json_key(&w, "orders");
        json_bool(&w, true);
    }
    json_object_end(&w);
    return 0;
}

/* --- as text ---------------------------------------------------------------------------------------------------------------- */

static int exponent_of(const struct json_value *v)
{
    return (int)cli_number(v, "exponent");
}

/* "12,345.60", with a sign where it is a change. */
static const char *money(const struct json_value *v, int64_t minor, bool is_change, char out[48])
{
    return backtest_money(minor, exponent_of(v), is_change, out);
}

static void print_pair(const struct json_value *v, const struct json_value *of, const char *key, const char *title)
{
    char was[48], now[48], by[48];
    const struct json_value *pair = json_get(of, key);
    int64_t a = cli_number(pair, "was"), b = cli_number(pair, "now");
    if (pair)
        printf("  %-10s %16s %16s %16s\n", title, money(v, a, false, was), money(v, b, false, now), money(v, b - a, true, by));
}

static void print_totals(const struct json_value *v)
{
    const struct json_value *t = json_get(v, "total"), *n = json_get(v, "not_placed");
    printf("%lld orders, of which %lld would have come out otherwise (%.*s)\n\n", (long long)cli_number(t, "orders"),
           (long long)cli_number(t, "touched"), SLICE_FMT(cli_text(v, "currency")));
    printf("  %-10s %16s %16s %16s\n", "", "as it was", "candidate", "difference");
    print_pair(v, t, "revenue", "revenue");
    print_pair(v, t, "discount", "discounts");
    print_pair(v, t, "shipping", "shipping");
    print_pair(v, t, "tax", "tax");
    print_pair(v, t, "margin", "margin");
    if (json_get(t, "margin"))
        printf("  (margin: of the %lld orders whose goods' cost is known)\n", (long long)cli_number(t, "with_cost"));
    int64_t refused = cli_number(n, "gate"), failed = cli_number(n, "failed");
    char text[48];
    if (refused + failed)
        printf("\n%lld orders could not have been placed (%lld refused by a gate or limit, %lld because a rule fails); they brought %s, "
               "which is in neither column.\n",
               (long long)(refused + failed), (long long)refused, (long long)failed, money(v, cli_number(n, "revenue_was"), false, text));
}

static void print_campaigns(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "by_campaign");
    char was[48], now[48];
    printf("\n  %-32s %9s %9s %16s %16s\n", "campaign", "orders", "now", "took off", "now");
    for (const struct json_value *c = list ? list->first : NULL; c; c = c->next) {
        const struct json_value *orders = json_get(c, "orders"), *amount = json_get(c, "amount");
        printf("  %-32.*s %9lld %9lld %16s %16s\n", SLICE_FMT(cli_text(c, "id")), (long long)cli_number(orders, "was"),
               (long long)cli_number(orders, "now"), money(v, cli_number(amount, "was"), false, was),
               money(v, cli_number(amount, "now"), false, now));
    }
}

static void print_customers(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "by_customer");
    char revenue[48], discount[48];
    printf("\n  %-32s %9s %9s %16s %16s\n", "customers", "orders", "touched", "revenue by", "discounts by");
    for (const struct json_value *c = list ? list->first : NULL; c; c = c->next) {
        const struct json_value *r = json_get(c, "revenue"), *d = json_get(c, "discount");
        printf("  %-32.*s %9lld %9lld %16s %16s\n", SLICE_FMT(cli_text(c, "kind")), (long long)cli_number(c, "orders"),
               (long long)cli_number(c, "touched"), money(v, cli_number(r, "now") - cli_number(r, "was"), true, revenue),
               money(v, cli_number(d, "now") - cli_number(d, "was"), true, discount));
    }
}

static void print_limits(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "limits");
    for (const struct json_value *l = list ? list->first : NULL; l; l = l->next) {
        struct slice at = cli_text(l, "spent_at"), limit = cli_text(l, "limit");
        bool is_money = backtest_limit_is_money(limit);
        char used[48], max[48];
        long long periods = cli_number(l, "periods");
        if (l == list->first)
            printf("\n  limits\n");
        if (periods > 1) {
            printf("  %.*s, %.*s: %s in all; %lld of %lld periods used up, %s each\n", SLICE_FMT(cli_text(l, "campaign")), SLICE_FMT(limit),
                   backtest_money(cli_number(l, "used"), is_money ? exponent_of(v) : 0, false, used), (long long)cli_number(l, "spent"),
                   periods, backtest_money(cli_number(l, "max"), is_money ? exponent_of(v) : 0, false, max));
            continue;
        }
        printf("  %.*s, %.*s: %s of %s used%s%.*s\n", SLICE_FMT(cli_text(l, "campaign")), SLICE_FMT(limit),
               backtest_money(cli_number(l, "used"), is_money ? exponent_of(v) : 0, false, used),
               backtest_money(cli_number(l, "max"), is_money ? exponent_of(v) : 0, false, max), at.len ? ", the last at " : "",
               SLICE_FMT(at));
    }
}

static void print_changed(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "most_changed");
    char was[48], now[48];
    if (list && list->count)
        printf("\n  the most changed orders\n");
    for (const struct json_value *o = list ? list->first : NULL; o; o = o->next)
        printf("  %.*s  %s -> %s\n", SLICE_FMT(cli_text(o, "order")), money(v, cli_number(o, "was"), false, was),
               money(v, cli_number(o, "now"), false, now));
}

static void print_doubts(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "cannot_know");
    printf("\nWhat this can't know\n");
    for (const struct json_value *d = list ? list->first : NULL; d; d = d->next)
        printf("  - %.*s\n", SLICE_FMT(cli_text(d, "text")));
    if (cli_number(v, "damaged"))
        printf("  - %lld orders have no evidence that can be read, and are left out: feira replay names them.\n",
               (long long)cli_number(v, "damaged"));
}

static void print_text(const struct json_value *v)
{
    print_totals(v);
    print_campaigns(v);
    print_customers(v);
    print_limits(v);
    print_changed(v);
    print_doubts(v);
    printf("\n%lld.%03lld s on %lld threads, %lld orders/s; nothing was changed, and nothing is live. --html for a report with plots.\n",
           (long long)cli_number(v, "ms") / 1000, (long long)cli_number(v, "ms") % 1000, (long long)cli_number(v, "threads"),
           (long long)cli_number(v, "per_second"));
}

static int show(const struct cli_args *a, const struct json_value *v, struct err *err)
{
    struct buf b;
    struct json_writer w;
    if (!a->values[JSON] && !a->values[HTML]) {
        print_text(v);
        return 0;
    }
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    if (a->values[HTML])
        backtest_html(v, a->count > 1 ? a->positional[1] : a->values[WITHOUT], &b);
    else
        json_value_write(&w, v);
    bool ok = !b.failed && fwrite(b.data, 1, b.len, stdout) == b.len && putchar('\n') != EOF;
    buf_release(&b);
    return ok ? 0 : err_set(err, ERR_IO, "The report could not be written.");
}

int cmd_backtest(const struct cli_args *a)
{
    struct err err = { 0 };
    struct buf body;
    struct arena arena;
    struct json_value *v;
    if ((a->count < 2) == !a->values[WITHOUT] || (a->values[JSON] && a->values[HTML])) {
        if (a->count < 2 || (a->values[JSON] && a->values[HTML])) {
            fprintf(stderr,
                    "feira: backtest wants a CANDIDATE or --without, and one of --json and --html at most; see: feira help backtest\n");
            return EXIT_USAGE;
        }
    }
    buf_init(&body, NULL);
    arena_init(&arena, NULL, 0);
    int rc = write_body(a, &body, &err);
    if (rc == 0)
        rc = cli_follow(a, "/v1/backtest", "Priced again", buf_slice(&body), &arena, &v, &err);
    if (rc == 0)
        rc = show(a, v, &err);
    int code = rc < 0 ? cli_fail(&err) : EXIT_DONE;
    arena_release(&arena);
    buf_release(&body);
    return code;
}
