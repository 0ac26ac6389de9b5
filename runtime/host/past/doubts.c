#include "host/past/doubts.h"
#include "base/map.h"
#include "host/plugins/plugins.h"
#include "host/publish/publish.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>
#include <stdlib.h>

enum { GENERATIONS_MAX = 64, FACTS_MAX = 64, NAME_BYTES = 120 };

struct doubts {
    struct shop *shop;
    struct generation *candidate;
    struct map with_customers; /* generation → number of its orders that had a customer, as int64_t */
    char live[GENERATION_ID_MAX];
    int64_t under_others;   /* orders that were made under rules that are not live any more */
    int64_t wanted_to_sign; /* orders in which a rule asked for a signature */
};

struct doubts *doubts_new(struct shop *s, struct generation *candidate)
{
    struct doubts *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->shop = s;
    d->candidate = generation_ref(candidate);
    map_init(&d->with_customers, NULL);
    struct edition *live = publisher_live(s->publisher);
    snprintf(d->live, sizeof d->live, "%s", generation_id(live->generation));
    edition_unref(live);
    return d;
}

void doubts_free(struct doubts *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->with_customers.count; i++)
        free(d->with_customers.entries[i].value);
    map_release(&d->with_customers);
    generation_unref(d->candidate);
    free(d);
}

int doubts_add(struct doubts *d, const struct past_order *o, const struct quote_cart *cart, bool wanted_to_sign, struct err *err)
{
    d->wanted_to_sign += wanted_to_sign;
    d->under_others += !slice_is(o->generation, d->live);
    if (cart->customer.len == 0)
        return 0;
    int64_t *n = map_get(&d->with_customers, o->generation);
    if (!n) {
        n = calloc(1, sizeof *n);
        if (!n || !map_set(&d->with_customers, o->generation, n)) {
            free(n);
            return err_set(err, ERR_NOMEM, "Out of memory.");
        }
    }
    ++*n;
    return 0;
}

/* --- what rules ask of a customer ---------------------------------------------------------------------------------------------- */

struct names {
    char list[FACTS_MAX][NAME_BYTES];
    size_t count;
};

static void add_name(struct names *out, struct slice name)
{
    if (out->count < FACTS_MAX)
        snprintf(out->list[out->count++], NAME_BYTES, "%.*s", SLICE_FMT(name));
}

static void facts_of(const struct generation *g, struct names *out)
{
    size_t hooks = 0, wanted = 0;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_FACT, &hooks);
    const uint32_t *list = quote_rules_facts(generation_rules(g), false, &wanted);
    out->count = 0;
    for (size_t i = 0; i < wanted && list[i] < hooks; i++) {
        char name[NAME_BYTES];
        int n = snprintf(name, sizeof name, "%s.%s", refs[list[i]].plugin->name, refs[list[i]].hook->name);
        add_name(out, slice_of(name, n < NAME_BYTES ? (size_t)n : NAME_BYTES - 1));
    }
    size_t questions = 0;
    const struct quote_question *q = quote_rules_questions(generation_rules(g), false, &questions);
    for (size_t i = 0; i < questions; i++)
        add_name(out, symbols_name(quote_rules_symbols(generation_rules(g)), q[i].fact));
}

static bool has(const struct names *n, const char *name)
{
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->list[i], name) == 0)
            return true;
    return false;
}

static void doubt(struct json_writer *w, const char *code, int64_t orders, const char *text)
{
    json_object(w);
    json_key(w, "code");
    json_str(w, code);
    json_key(w, "text");
    json_str(w, text);
    if (orders >= 0) {
        json_key(w, "orders");
        json_int(w, orders);
    }
    json_object_end(w);
}

static int write_missing(struct doubts *d, struct past_rules *rules, struct store_conn *conn, struct json_writer *w, struct err *err)
{
    struct names *wanted = calloc(2, sizeof *wanted), *noted = wanted + 1;
    int64_t missing[FACTS_MAX] = { 0 };
    char text[400];
    if (!wanted)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    facts_of(d->candidate, wanted);
    for (size_t i = 0; wanted->count && i < d->with_customers.count && i < GENERATIONS_MAX; i++) {
        struct generation *g;
        struct err ignored = { 0 };
        noted->count = 0;
        if (past_rules_find(rules, conn, d->with_customers.entries[i].key, &g, &ignored) == 0) {
            facts_of(g, noted);
            generation_unref(g);
        }
        for (size_t k = 0; k < wanted->count; k++)
            if (!has(noted, wanted->list[k]))
                missing[k] += *(const int64_t *)d->with_customers.entries[i].value;
    }
    for (size_t k = 0; k < wanted->count; k++) {
        if (!missing[k])
            continue;
        snprintf(text, sizeof text,
                 "Nobody noted \"%s\" with %lld orders of known customers, because no rule of their time asked for it; they are priced as "
                 "if it were not there.",
                 wanted->list[k], (long long)missing[k]);
        doubt(w, "fact_not_noted", missing[k], text);
    }
    free(wanted);
    return 0;
}

int doubts_write(struct doubts *d, struct store_conn *conn, struct json_writer *w, struct err *err)
{
    struct past_rules *rules;
    int rc = past_rules_open(d->shop, &rules, err);
    if (rc < 0)
        return rc;
    json_key(w, "cannot_know");
    json_array(w);
    if (d->under_others)
        doubt(
            w, "other_rules_then", d->under_others,
            "Some orders were made under rules that are not live any more: the differences are those of today's rules and of the candidate "
            "together. feira backtest SHOP SHOP says what today's rules alone make of them.");
    doubt(w, "demand_is_held_fixed", -1,
          "The same people buy the same goods in the same orders. Who would have bought more, bought something else, or come for the "
          "offer, is not in it.");
    doubt(w, "customers_are_as_they_were", -1,
          "What was known of customers (tags, tiers, points, how many orders) is as it was. A rule that changes who reaches a tier changes "
          "later orders, and that is not in it.");
    doubt(w, "ends_are_as_they_were", -1,
          "Orders that were cancelled or expired are left out, and use up nothing. Refunds give nothing back to limits here; whoever would "
          "not have sent goods back at another price is unknown.");
    if (quote_rules_shares(generation_rules(d->candidate)))
        doubt(w, "shares_are_drawn", -1,
              "Which customers a share of them would have been is not known: orders name nobody. As many others, drawn by their "
              "pseudonyms, stand "
              "for them.");
    if (d->wanted_to_sign)
        doubt(
            w, "tried_rules_sign_nothing", d->wanted_to_sign,
            "A rule called plugin.sign(), which rules that are only being tried may not; it failed there, and did not apply. Compare with "
            "plugin.verify() instead: that answers here as it did then.");
    doubt(w, "gifts_are_in_stock", -1,
          "Goods that the candidate gives are as the catalogue has them today, and there are always enough of them.");
    doubt(w, "costs_are_todays", -1,
          "What goods cost is what the catalogue says today; margins are of orders whose every line has a cost.");
    rc = write_missing(d, rules, conn, w, err);
    json_array_end(w);
    past_rules_close(rules);
    return rc;
}
