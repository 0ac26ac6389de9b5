/* feira ledger: units, accounts and statements; accounts are frozen and closed. */
#include "base/json.h"
#include "base/money.h"
#include "cli/cli.h"
#include <inttypes.h>
#include <string.h>

enum { DATA, FROM, TO, JSON, FREEZE, UNFREEZE, CLOSE, REOPEN };
enum { NAME_MAX_BYTES = 255, TARGET_MAX = 1600 };

typedef void (*show_fn)(const struct cli_args *a, const struct json_value *v, bool first);

static bool flag(const struct json_value *v, const char *key)
{
    bool yes = false;
    json_is_bool(json_get(v, key), &yes);
    return yes;
}

/* Money in major units, everything else as it is counted. */
static const char *amount(int64_t n, struct slice unit, char out[32])
{
    struct currency currency;
    if (currency_find(unit, &currency, NULL) == 0)
        money_format(n, currency.exponent, out);
    else
        snprintf(out, 32, "%" PRId64, n);
    return out;
}

/* One request; with --json the answer is printed as it came. */
static int ask(const struct cli_args *a, const char *method, const char *target, struct slice body, struct arena *arena,
               struct json_value **out, struct err *err)
{
    struct slice raw;
    int rc = cli_ask_json(a, method, target, body, arena, out, &raw, err);
    if (rc == 0 && a->values[JSON])
        printf("%.*s\n", SLICE_FMT(raw));
    return rc;
}

/* All pages of a list; target has its query already. */
static int pages(const struct cli_args *a, const char *target, show_fn show, struct err *err)
{
    char cursor[64] = "", whole[TARGET_MAX + 80];
    int rc;
    bool first = true;
    do {
        struct arena arena;
        struct json_value *v = NULL;
        arena_init(&arena, NULL, 0);
        snprintf(whole, sizeof whole, "%s%s%s", target, *cursor ? "&cursor=" : "", cursor);
        rc = ask(a, "GET", whole, slice_str(""), &arena, &v, err);
        if (rc == 0 && !a->values[JSON])
            show(a, v, first);
        snprintf(cursor, sizeof cursor, "%.*s", SLICE_FMT(rc == 0 ? cli_text(v, "next_cursor") : slice_str("")));
        first = false;
        arena_release(&arena);
    } while (rc == 0 && *cursor);
    return rc;
}

static const struct json_value *items(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "items");
    return list ? list->first : NULL;
}

/* --- units and accounts ------------------------------------------------------------------------------------------------------ */

static void show_units(const struct cli_args *a, const struct json_value *v, bool first)
{
    char debits[32], credits[32];
    (void)a;
    (void)first;
    for (const struct json_value *u = items(v); u; u = u->next) {
        struct slice unit = cli_text(u, "unit");
        printf("%-8.*s %8" PRId64 " accounts  debits %16s  credits %16s  %s\n", SLICE_FMT(unit), cli_number(u, "accounts"),
               amount(cli_number(u, "debits"), unit, debits), amount(cli_number(u, "credits"), unit, credits),
               flag(u, "balanced") ? "balanced" : "NOT BALANCED: run feira doctor");
    }
}

static void say_account(const struct json_value *v)
{
    char balance[32], held[32], available[32];
    struct slice unit = cli_text(v, "unit");
    printf("%-40.*s %16s %-6.*s  held %s, available %s%s%s\n", SLICE_FMT(cli_text(v, "account")),
           amount(cli_number(v, "balance"), unit, balance), SLICE_FMT(unit), amount(cli_number(v, "held"), unit, held),
           amount(cli_number(v, "available"), unit, available), flag(v, "frozen") ? "  frozen" : "", flag(v, "closed") ? "  closed" : "");
}

static void show_accounts(const struct cli_args *a, const struct json_value *v, bool first)
{
    const struct json_value *item = items(v);
    if (first && !item)
        printf("No account begins with %s.\n", a->positional[1]);
    for (; item; item = item->next)
        say_account(item);
}

/* --- a statement --------------------------------------------------------------------------------------------------------------- */

static void say_entry(const struct json_value *e, struct slice unit)
{
    char moved[32], balance[32];
    struct slice reference = cli_text(e, "reference");
    printf("  %-24.*s %16s %16s  %.*s  %.*s%s%.*s\n", SLICE_FMT(cli_text(e, "at")), amount(cli_number(e, "amount"), unit, moved),
           amount(cli_number(e, "balance"), unit, balance), SLICE_FMT(cli_text(e, "other")), SLICE_FMT(cli_text(e, "id")),
           reference.len ? "  for " : "", SLICE_FMT(reference));
}

static void show_statement(const struct cli_args *a, const struct json_value *v, bool first)
{
    char n[32], out[32], in[32];
    struct slice unit = cli_text(v, "unit");
    (void)a;
    if (first)
        printf("  %-24s %16s %16s\n", "opening", "", amount(cli_number(v, "opening"), unit, n));
    for (const struct json_value *e = items(v); e; e = e->next)
        say_entry(e, unit);
    if (cli_text(v, "next_cursor").len == 0)
        printf("  %-24s %16s %16s  out %s, in %s\n", "closing", "", amount(cli_number(v, "closing"), unit, n),
               amount(cli_number(v, "debits"), unit, out), amount(cli_number(v, "credits"), unit, in));
}

static void say_changes(const struct json_value *v)
{
    const struct json_value *list = json_get(v, "changes");
    for (const struct json_value *c = list ? list->first : NULL; c; c = c->next)
        printf("  %-24.*s %s by %.*s: %.*s\n", SLICE_FMT(cli_text(c, "at")),
               flag(c, "closed")   ? "closed"
               : flag(c, "frozen") ? "frozen"
                                   : "open again",
               SLICE_FMT(cli_text(c, "by")), SLICE_FMT(cli_text(c, "reason")));
}

static int one_account(const struct cli_args *a, const char *target, struct err *err)
{
    struct arena arena;
    struct json_value *v;
    char statement[TARGET_MAX + 16];
    arena_init(&arena, NULL, 0);
    int rc = ask(a, "GET", target, slice_str(""), &arena, &v, err);
    if (rc == 0 && !a->values[JSON]) {
        say_account(v);
        say_changes(v);
    }
    arena_release(&arena);
    size_t n = (size_t)snprintf(statement, sizeof statement, "%s/statement?limit=200", target);
    for (int i = FROM; i <= TO; i++) {
        if (!a->values[i])
            continue;
        n += (size_t)snprintf(statement + n, sizeof statement - n, i == FROM ? "&from=" : "&to=");
        n += cli_encode(a->values[i], statement + n, sizeof statement - n);
    }
    return rc < 0 ? rc : pages(a, statement, show_statement, err);
}

/* --- marks -------------------------------------------------------------------------------------------------------------------- */

static int mark(const struct cli_args *a, const char *target, struct err *err)
{
    static const struct {
        int option;
        const char *member;
        bool value;
        const char *said;
    } marks[] = { { FREEZE, "frozen", true, "is frozen: nothing can be taken from it" },
                  { UNFREEZE, "frozen", false, "is not frozen" },
                  { CLOSE, "closed", true, "is closed: nothing moves from or to it" },
                  { REOPEN, "closed", false, "is not closed" } };
    int rc = 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks && rc == 0; i++) {
        struct arena arena;
        struct buf body;
        struct json_writer w;
        struct json_value *v;
        if (!a->values[marks[i].option])
            continue;
        arena_init(&arena, NULL, 0);
        buf_init(&body, NULL);
        json_writer_init(&w, &body);
        json_object(&w);
        json_key(&w, marks[i].member);
        json_bool(&w, marks[i].value);
        json_key(&w, "reason");
        json_str(&w, a->values[marks[i].option]);
        json_object_end(&w);
        rc = ask(a, "PATCH", target, buf_slice(&body), &arena, &v, err);
        if (rc == 0 && !a->values[JSON])
            printf("%s %s.\n", a->positional[1], marks[i].said);
        buf_release(&body);
        arena_release(&arena);
    }
    return rc;
}

static bool wants_mark(const struct cli_args *a)
{
    return a->values[FREEZE] || a->values[UNFREEZE] || a->values[CLOSE] || a->values[REOPEN];
}

int cmd_ledger(const struct cli_args *a)
{
    struct err err = { 0 };
    const char *name = a->positional[1];
    char target[TARGET_MAX] = "/v1/ledger/accounts/";
    size_t n = strlen(target);
    int rc;
    if (name && strlen(name) > NAME_MAX_BYTES) {
        err_set(&err, ERR_INVALID, "The name of an account has at most %d bytes.", NAME_MAX_BYTES);
        return cli_fail(&err);
    }
    if (!name) {
        rc = pages(a, "/v1/ledger/units", show_units, &err);
    } else if (*name == '\0' || name[strlen(name) - 1] == '/') {
        n = (size_t)snprintf(target, sizeof target, "/v1/ledger/accounts?limit=200%s", *name ? "&prefix=" : "");
        cli_encode(name, target + n, sizeof target - n);
        rc = pages(a, target, show_accounts, &err);
    } else {
        cli_encode(name, target + n, sizeof target - n);
        rc = wants_mark(a) ? mark(a, target, &err) : one_account(a, target, &err);
    }
    return rc < 0 ? cli_fail(&err) : EXIT_DONE;
}
