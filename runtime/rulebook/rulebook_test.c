#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rulebook/rulebook.h"
#include "base/symbols.h"
#include "base/zone.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- a world: sandboxes whose stdlib is read from the source tree (tests run at its root) ------------------------------- */

struct world {
    struct symbols *symbols;
    struct rulebook_options options;
    struct err err;
    char promo[65536], declares[32768];
};

static int resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    struct world *w = ctx;
    bool promo = slice_is(name, "feira.promo");
    if (!promo && !slice_is(name, "feira.declares"))
        return err_set(err, ERR_NOT_FOUND, "there is no module \"%.*s\"", SLICE_FMT(name));
    *source = slice_str(promo ? w->promo : w->declares);
    *chunk = slice_str(promo ? "stdlib/feira/promo.lua" : "stdlib/feira/declares.lua");
    return 0;
}

/* Valgrind makes everything some fifty times slower, and says in the environment that it is there. */
static int patience(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload") ? 50 : 1;
}

static int open_vm(void *ctx, struct vm **out, struct err *err)
{
    int rc = vm_open(&(struct vm_options){ .memory_soft_bytes = 16 << 20, .fuel = 5000000, .patience = patience() }, out, err);
    if (rc == 0)
        vm_set_resolver(*out, resolve, ctx);
    return rc;
}

static void read_stdlib(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    size_t n = fread(out, 1, size, f);
    assert_true(n > 0 && n < size);
    fclose(f);
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
    read_stdlib("stdlib/feira/promo.lua", w.promo, sizeof w.promo);
    read_stdlib("stdlib/feira/declares.lua", w.declares, sizeof w.declares);
    w.symbols = symbols_new(NULL);
    w.options = (struct rulebook_options){ .symbols = w.symbols, .open_vm = open_vm, .ctx = &w };
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    symbols_free(((struct world *)*state)->symbols);
    return 0;
}

#define SHOP  "return { name = 'Tea', currency = 'CNY', zone = 'Asia/Shanghai' }"
#define PROMO "local promo = require 'feira.promo'\n"

struct text {
    const char *path, *text;
};

static struct sources *make(const struct text *files)
{
    struct source_file list[16];
    size_t n = 0;
    for (; files[n].path; n++)
        list[n] = (struct source_file){ slice_str(files[n].path), slice_str(files[n].text) };
    struct sources *s;
    struct err err = { 0 };
    if (sources_make(list, n, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static struct generation *build(struct world *w, const struct text *files)
{
    struct sources *s = make(files);
    struct generation *g;
    memset(&w->err, 0, sizeof w->err);
    if (generation_build(&w->options, s, &g, &w->err) < 0) {
        assert_null(g);
        assert_true(w->err.code < 0);
        sources_free(s);
        return NULL;
    }
    return g;
}

static void refuses(struct world *w, const struct text *files, const char *message)
{
    struct generation *g = build(w, files);
    if (g)
        fail_msg("was accepted; expected: %s", message);
    if (strncmp(w->err.text, message, strlen(message)) != 0)
        fail_msg("\nexpected: %s\nsaid:     %s", message, w->err.text);
}

/* One campaign file of these lines beside a good shop.lua. */
static void refuses_campaign(struct world *w, const char *text, const char *message)
{
    refuses(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/tea.lua", text }, { 0 } }, message);
}

static void refuses_shop(struct world *w, const char *text, const char *message)
{
    refuses(w, (struct text[]){ { "shop.lua", text }, { 0 } }, message);
}

/* --- tests ---------------------------------------------------------------------------------------------------------------- */

static const char tea[] = PROMO
    "return promo.campaign {\n  id = 'tea', title = 'Tea weekend',\n  window = { from = '2026-11-20 00:00', to = '2026-11-23 00:00' },\n"
    "  scope = promo.category 'tea',\n  when = { promo.subtotal { at_least = '100.00' }, promo.none { promo.customer_tag 'staff' } },\n"
    "  give = { promo.percent_off { percent = 20, cap = '50.00' }, promo.free_shipping() },\n  priority = 10,\n}\n";
static const char functions[] = PROMO
    "local list = {}\nfor i = 1, 20 do\n  list[i] = promo.campaign {\n    id = 'f' .. i, scope = promo.tag 'x',\n"
    "    when = function(cart) return cart.n == i end,\n    give = function(cart) return i * 100 + cart.n end,\n  }\nend\nreturn list\n";

static void a_shop_becomes_a_generation(void **state)
{
    struct world *w = *state;
    struct generation *g =
        build(w, (struct text[]){ { "campaigns/tea.lua", tea }, { "shop.lua", SHOP }, { "campaigns/f.lua", functions }, { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    const struct shop_settings *s = generation_settings(g);
    assert_true(slice_is(s->name, "Tea"));
    assert_string_equal(s->currency.code, "CNY");
    assert_string_equal(zone_name(generation_zone(g)), "Asia/Shanghai");
    assert_int_equal(s->quote_ttl_ms, 15 * 60 * 1000);
    assert_int_equal(s->pay_within_ms, 30 * 60 * 1000);
    assert_int_equal(s->complete_after_ms, 14 * INT64_C(86400000));
    assert_int_equal(s->checkout_ttl_ms, 86400000);
    assert_null(s->trusted_proxies);
    assert_int_equal(quote_rules_count(generation_rules(g)), 21);
    assert_int_equal(strlen(generation_id(g)), 18);
    assert_memory_equal(generation_id(g), "g_", 2);
    assert_true(slice_is(sources_at(generation_sources(g), 0)->path, "campaigns/f.lua"));
    generation_unref(g);
}

static void a_shop_without_campaigns_is_one(void **state)
{
    struct world *w = *state;
    struct generation *g = build(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/empty.lua", "return {}" }, { 0 } });
    assert_non_null(g);
    assert_int_equal(quote_rules_count(generation_rules(g)), 0);
    generation_unref(g);
}

static void all_settings_are_read(void **state)
{
    struct world *w = *state;
    struct generation *g = build(
        w,
        (struct text[]){
            { "shop.lua",
              "return { name = 'T', currency = 'GBP', zone = 'Europe/London', quote_ttl = '5m', pay_within = '2h', complete_after = "
              "'never', test_payments = true,\n"
              "policies = { rounding = 'half_even' }, trusted_proxies = { '10.0.0.0/8', '::1' }, cors_origins = { 'https://a.example' },\n"
              "shipping = { { id = 'standard', title = 'Standard', regions = { 'GB' }, rates = { { price = '4.95' } } } } }" },
            { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    const struct shop_settings *s = generation_settings(g);
    assert_int_equal(s->quote_ttl_ms, 300000);
    assert_int_equal(s->pay_within_ms, 7200000);
    assert_int_equal(s->complete_after_ms, SHOP_NEVER);
    assert_string_equal(s->trusted_proxies[1], "::1");
    assert_null(s->trusted_proxies[2]);
    assert_string_equal(s->cors_origins[0], "https://a.example");
    bool test = false;
    assert_true(json_is_bool(json_get(s->tree, "test_payments"), &test) && test);
    generation_unref(g);
}

static void a_broken_shop_file_is_refused_with_its_line(void **state)
{
    struct world *w = *state;
    refuses(w, (struct text[]){ { "campaigns/a.lua", "return {}" }, { 0 } }, "there is no shop.lua");
    refuses_shop(w, "return {", "shop.lua:1: unexpected symbol near <eof>");
    refuses_shop(w, "\nlocal x = nil\nreturn x.y", "shop.lua:3: attempt to index a nil value (local 'x')\n    3 | return x.y");
    refuses_shop(w, "local x = 1", "shop.lua:1: the file returns nothing; end it with return { name");
    refuses_shop(w, "return 'tea'", "shop.lua:1: it returns a string; end it with return { name");
    refuses_shop(w, "return {\n  name = 'T',\n  curency = 'CNY',\n}",
                 "shop.lua:3: curency: there is no such setting; did you mean currency?\n    3 | curency = 'CNY',");
    refuses_shop(w, "return { name = 'T' }", "shop.lua:1: currency: is missing; write an ISO 4217 code");
    refuses_shop(w, "return { currency = 'CNY' }", "shop.lua:1: name: is missing");
    refuses_shop(w, "return { name = 7, currency = 'CNY' }", "shop.lua:1: name: expected a string, got an integer");
    refuses_shop(w, "return { name = 'T',\n currency = 'QQQ' }", "shop.lua:2: currency: ");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n\n zone = 'Mars/Olympus' }", "shop.lua:3: zone: ");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', quote_ttl = 15 }",
                 "shop.lua:1: quote_ttl: expected a string, got an integer; write a duration");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', quote_ttl = '15 minutes' }",
                 "shop.lua:1: quote_ttl: \"15 minutes\" is no duration");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', complete_after = 'nevr' }",
                 "shop.lua:1: complete_after: \"nevr\" is no duration");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', complete_after = '400d' }", "shop.lua:1: complete_after: \"400d\" is too long");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', quote_ttl = '8w' }", "shop.lua:1: quote_ttl: \"8w\" is too long");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', trusted_proxies = '10.0.0.1' }",
                 "shop.lua:1: trusted_proxies: expected a list");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', trusted_proxies = { '10.0.0.1/40' } }",
                 "shop.lua:1: trusted_proxies: \"10.0.0.1/40\" is not what is expected");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', cors_origins = { 'shop.example' } }",
                 "shop.lua:1: cors_origins: \"shop.example\" is not what is expected");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', test_payments = 'yes' }", "shop.lua:1: test_payments: expected true or false");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n  shipping = { { id = 's', rates = { { price = 4 } } } } }",
                 "shop.lua:2: shipping[1].rates[1].price: a bare number");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n  policies = { stacking = 'priorty' } }",
                 "shop.lua:2: policies.stacking: there is no \"priorty\"; did you mean \"priority\"?");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n  policies = 'silius' }",
                 "shop.lua:2: policies: there is no profile \"silius\"; runtime/rulebook/SHOP.md lists them");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n  policies = { like = 3 } }",
                 "shop.lua:2: policies: like names a profile, such as \"sylius\"");
    refuses_shop(w, "return { name = 'T', currency = 'CNY',\n  policies = { like = 'sylius_unit_tax', round = 'never' } }",
                 "shop.lua:2: policies.round: there is no \"never\"; choose one of line, unit");
    refuses_shop(w, "return { name = 'T', currency = 'CNY', shipping = function() end }",
                 "shop.lua:1: settings are data; a function can't be one");
    refuses_shop(w, "while true do end", "shop.lua:1: it ran past its budget");
}

static void a_broken_campaign_is_refused_with_its_line(void **state)
{
    struct world *w = *state;
    refuses_campaign(w, "local x = \nreturn }", "campaigns/tea.lua:2: unexpected symbol near");
    refuses_campaign(w, "\n\nerror 'not today'", "campaigns/tea.lua:3: not today\n    3 | error 'not today'");
    refuses_campaign(w, "local x = 1", "campaigns/tea.lua:1: the file returns nothing; end it with return promo.campaign { ... }");
    refuses_campaign(w, "return 5", "campaigns/tea.lua:1: the file returns an integer; end it with return promo.campaign");
    refuses_campaign(w, "return { 5 }", "campaigns/tea.lua:1: element 1 of the list is an integer, not a campaign");
    refuses_campaign(w, "return require 'nothing'", "campaigns/tea.lua:1: there is no module \"nothing\"");
    refuses_campaign(w, "return { id = 'x', give = { fn = 3 } }", "campaigns/tea.lua:1: give.fn: the name fn is taken");
    refuses_campaign(w, "local t = {} t.give = { t } return t", "campaigns/tea.lua:1: give[1]: the table contains itself");
    refuses_campaign(w, "return { id = 'x', gvie = {} }", "campaigns/tea.lua:1: unknown key \"gvie\"; did you mean \"give\"?");
    refuses_campaign(w, "while true do end", "campaigns/tea.lua:1: it ran past its budget");
    refuses_campaign(w, "local s = 'x' while true do s = s .. s end", "campaigns/tea.lua:1: it makes a string of more than 1024 KiB");
    refuses_campaign(w, PROMO "local n = 0\nreturn promo.campaign { id = 'x', give = function(cart)\n  n = n + 1\nend }",
                     "campaigns/tea.lua:4: 'n' is assigned inside of a function");
    refuses_campaign(w, "return os.time()", "campaigns/tea.lua:1: attempt to index a nil value (global 'os')");
}

static void the_words_say_what_to_write(void **state)
{
    struct world *w = *state;
    refuses_campaign(w, PROMO "return promo.campaign {\n id = 'x',\n give = promo.percent_off { percent = 120 },\n}",
                     "campaigns/tea.lua:4: percent_off.percent: 120 is more than 100; write a number from 0 to 100\n    4 | give = "
                     "promo.percent_off { percent = 120 },");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.percnt_off { percent = 20 } }",
                     "campaigns/tea.lua:2: promo.percnt_off does not exist; did you mean percent_off?");
    refuses_campaign(w, PROMO "\nreturn promo.campaign { id = 'x', gvie = promo.free_shipping() }",
                     "campaigns/tea.lua:3: campaign \"x\": promo.campaign: unknown key gvie; did you mean give?");
    refuses_campaign(w, PROMO "return promo.campaign { give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: promo.campaign: id is missing; write promo.campaign { id = ... }");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x' }", "campaigns/tea.lua:2: campaign \"x\": promo.campaign: give is missing");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'a b', give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: id: expected 1 to 64 letters");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.amount_off { amount = 50 } }",
                     "campaigns/tea.lua:2: amount_off.amount: a bare number can't be money; write \"50.00\" in quotes");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.amount_off { amount = '5,00' } }",
                     "campaigns/tea.lua:2: amount_off.amount: \"5,00\" is no amount");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.amount_off '5.00' }",
                     "campaigns/tea.lua:2: amount_off: expected a table, got \"5.00\"; write amount_off { amount = ... }");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.buy_get { buy = 2 } }",
                     "campaigns/tea.lua:2: buy_get: get is missing");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.buy_get { buy = 2.5, get = 1 } }",
                     "campaigns/tea.lua:2: buy_get.buy: expected a whole number, got 2.5");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.category 'tea' }",
                     "campaigns/tea.lua:2: campaign \"x\": give: promo.category makes a set of lines, and this is the place for an action");
    refuses_campaign(
        w, PROMO "return promo.campaign { id = 'x', when = promo.free_shipping(), give = promo.free_shipping() }",
        "campaigns/tea.lua:2: campaign \"x\": when: promo.free_shipping makes an action, and this is the place for a condition");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', scope = promo.subtotal { at_least = '1' }, give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: campaign \"x\": scope: promo.subtotal makes a condition");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', scope = 'tea', give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: campaign \"x\": scope: expected a set of lines, got \"tea\"; write promo.category \"tea\"");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', when = promo.subtotal {}, give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: subtotal: it has no bound");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', when = promo.all {}, give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: all: expected a list of conditions");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', scope = promo.tag(7), give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: tag: expected a text in quotes, got 7");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', stage = 'itm', give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: campaign \"x\": stage: there is no \"itm\"; did you mean item?");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', window = { form = '2026-01-01' }, give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: campaign \"x\": window: unknown key form; did you mean from?");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', window = { from = '2026-02-30' }, give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: window.from: ");
    refuses_campaign(w, PROMO "return promo.campaign { id = 'x', give = promo.free_shipping { free = true } }",
                     "campaigns/tea.lua:2: free_shipping: it takes no fields");
}

static void gates_stand_beside_campaigns(void **state)
{
    struct world *w = *state;
    refuses_campaign(w, PROMO "return promo.gate { id = 'g', reason = 'No.' }",
                     "campaigns/tea.lua:2: gate \"g\": promo.gate: when is missing; write promo.gate { when = ... }");
    refuses_campaign(w, PROMO "return promo.gate { id = 'g', when = promo.channel 'app' }",
                     "campaigns/tea.lua:2: gate \"g\": promo.gate: reason is missing");
    refuses_campaign(w, PROMO "return promo.gate { id = 'g', when = promo.channel 'app', reason = 'No.', give = promo.free_shipping() }",
                     "campaigns/tea.lua:2: gate \"g\": promo.gate: unknown key give");
    refuses_campaign(w, PROMO "return promo.gate { id = 'g', when = promo.channel 'app', reason = 'No.', effect = 'hid' }",
                     "campaigns/tea.lua:2: gate \"g\": effect: there is no \"hid\"; did you mean hide?");
    struct generation *g = build(w, (struct text[]){ { "shop.lua", SHOP },
                                                     { "campaigns/gates.lua", PROMO
                                                       "return {\n  promo.gate { id = 'g', scope = promo.tag 'beta',\n"
                                                       "    when = { promo.customer_tag 'gold', function(cart) return cart.qty < 3 end },\n"
                                                       "    reason = 'Gold only.', effect = 'hide', on_failure = 'skip' },\n"
                                                       "  promo.campaign { id = 'c', give = promo.free_shipping() } }" },
                                                     { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    uint32_t number;
    assert_true(quote_campaign_find(generation_rules(g), slice_str("g"), &number));
    assert_false(quote_campaign_refuses(generation_rules(g), number));
    generation_unref(g);
    refuses(w,
            (struct text[]){ { "shop.lua", SHOP },
                             { "campaigns/a.lua", PROMO "return promo.gate { id = 'tea', when = promo.channel 'app', reason = 'No.' }" },
                             { "campaigns/b.lua", tea },
                             { 0 } },
            "campaigns/b.lua:2: the id \"tea\" is taken");
}

static void two_campaigns_with_one_id_are_refused_with_both_places(void **state)
{
    refuses(*state, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/a.lua", tea }, { "campaigns/b.lua", tea }, { 0 } },
            "campaigns/b.lua:2: the id \"tea\" is taken by the campaign at campaigns/a.lua:2; give each campaign its own\n    2 | return "
            "promo.campaign {");
}

static void a_table_of_data_becomes_campaigns(void **state)
{
    struct world *w = *state;
    const char *lua = PROMO "local list = {}\nfor i, row in ipairs(promo.data 'flash.csv') do\n  list[i] = promo.campaign { id = 'flash-' "
                            ".. row.sku, title = row.title,\n"
                            "    scope = promo.sku(row.sku), give = promo.amount_off { amount = row.off } }\nend\nreturn list";
    struct generation *g = build(w, (struct text[]){ { "shop.lua", SHOP },
                                                     { "campaigns/flash.lua", lua },
                                                     { "campaigns/flash.csv", "sku,off,title\nA-1,5.00,\"Green, 绿\"\nB-2,7.50,Red\n" },
                                                     { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    assert_int_equal(quote_rules_count(generation_rules(g)), 2);
    assert_true(slice_is(quote_campaign_id(generation_rules(g), 0), "flash-A-1") ||
                slice_is(quote_campaign_id(generation_rules(g), 1), "flash-A-1"));
    generation_unref(g);
    const struct {
        const char *csv, *message;
    } wrong[] = {
        { NULL, "campaigns/flash.lua:3: there is no table \"flash.csv\"" },
        { "", "campaigns/flash.lua:3: campaigns/flash.csv:1: the file is empty" },
        { "sku,sku\n", "campaigns/flash.lua:3: campaigns/flash.csv:1: there are two columns \"sku\"" },
        { "sku,off\nA\n", "campaigns/flash.lua:3: campaigns/flash.csv:2: 1 fields where the first line names 2 columns" },
        { "sku,off\nA,\"1\n", "campaigns/flash.lua:3: campaigns/flash.csv: line 2" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refuses(w,
                (struct text[]){ { "shop.lua", SHOP },
                                 { "campaigns/flash.lua", lua },
                                 { wrong[i].csv ? "campaigns/flash.csv" : NULL, wrong[i].csv },
                                 { 0 } },
                wrong[i].message);
    refuses(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/a.lua", PROMO "return promo.data '../shop.lua'" }, { 0 } },
            "campaigns/a.lua:2: there is no table \"../shop.lua\"");
}

static void call_all(struct world *w, struct vm *v)
{
    struct arena arena;
    arena_init(&arena, NULL, 0);
    assert_int_equal(vm_function_count(v), 40);
    struct json_value *cart, *result;
    assert_int_equal(json_parse(SLICE_LIT("{\"n\":3}"), NULL, &arena, &cart, &w->err), 0);
    for (int i = 1; i <= 20; i++) {
        /* Of one campaign `give` comes before `when`. */
        vm_push_json(v, cart);
        assert_int_equal(vm_call(v, vm_function(v, 2 * i - 1), 1, &arena, &result, &w->err), 0);
        assert_int_equal(result->integer, i * 100 + 3);
        vm_push_json(v, cart);
        assert_int_equal(vm_call(v, vm_function(v, 2 * i), 1, &arena, &result, &w->err), 0);
        assert_int_equal(result->type, i == 3 ? JSON_TRUE : JSON_FALSE);
    }
    arena_release(&arena);
}

static void functions_have_the_same_numbers_in_each_state(void **state)
{
    struct world *w = *state;
    struct generation *g =
        build(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/f.lua", functions }, { "campaigns/tea.lua", tea }, { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    struct vm *a, *b, *plugins_only;
    assert_int_equal(generation_open_vm(g, &a, &w->err), 0);
    assert_int_equal(generation_open_vm(g, &b, &w->err), 0);
    assert_int_equal(generation_open_plugins_vm(g, &plugins_only, &w->err), 0);
    call_all(w, a);
    call_all(w, b);
    assert_int_equal(vm_function_count(plugins_only), 0);
    vm_close(a);
    vm_close(b);
    vm_close(plugins_only);
    generation_unref(g);
}

struct shared {
    struct world *w;
    struct generation *g;
};

static void *use_in_thread(void *arg)
{
    struct shared *s = arg;
    struct world mine = { .options = s->w->options };
    struct generation *g = generation_ref(s->g);
    for (int i = 0; i < 3; i++) {
        struct vm *v;
        assert_int_equal(generation_open_vm(g, &v, &mine.err), 0);
        call_all(&mine, v);
        vm_close(v);
    }
    generation_unref(g);
    return NULL;
}

static void threads_share_a_generation(void **state)
{
    struct world *w = *state;
    struct shared s = { w, build(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/f.lua", functions }, { 0 } }) };
    assert_non_null(s.g);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, use_in_thread, &s), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    generation_unref(s.g);
    generation_unref(NULL);
}

static int open_other_vm(void *ctx, struct vm **out, struct err *err)
{
    struct world *w = ctx;
    strcpy(w->promo, "local promo = {} function promo.campaign(t) return { id = t.id, give = { free_shipping = {} } } end promo.tag = "
                     "function() end return promo");
    return open_vm(ctx, out, err);
}

static void a_state_that_loads_otherwise_is_a_bug_that_is_found(void **state)
{
    struct world *w = *state;
    w->options.open_vm = open_vm;
    struct generation *g = build(w, (struct text[]){ { "shop.lua", SHOP }, { "campaigns/f.lua", functions }, { 0 } });
    assert_non_null(g);
    struct vm *first, *v;
    open_other_vm(w, &v, &w->err);
    vm_close(v);                                                 /* from now on the stdlib is another one */
    assert_int_equal(generation_open_vm(g, &first, &w->err), 0); /* the one it was built in */
    assert_int_equal(generation_open_vm(g, &v, &w->err), ERR_INTERNAL);
    assert_null(v);
    vm_close(first);
    generation_unref(g);
}

static void the_hash_depends_on_names_and_contents_alone(void **state)
{
    (void)state;
    const struct text a[] = { { "shop.lua", "x" }, { "campaigns/a.lua", "1" }, { "campaigns/b.lua", "2" }, { 0 } };
    const struct text same[] = { { "campaigns/b.lua", "2" }, { "shop.lua", "x" }, { "campaigns/a.lua", "1" }, { 0 } };
    const struct text others[][4] = {
        { { "shop.lua", "x" }, { "campaigns/a.lua", "2" }, { "campaigns/b.lua", "1" }, { 0 } },
        { { "shop.lua", "x" }, { "campaigns/a.lua", "12" }, { "campaigns/b.lua", "" }, { 0 } },
        { { "shop.lua", "x" }, { "campaigns/a.lua", "1" }, { "campaigns/c.lua", "2" }, { 0 } },
        { { "shop.lua", "x" }, { "campaigns/a.lua", "1" }, { 0 } },
    };
    struct sources *s = make(a), *t = make(same);
    assert_string_equal(sources_hash(s), sources_hash(t));
    /* Written down: a change would rename every generation there is. */
    assert_string_equal(sources_hash(s), "9de297230c1c9cea2915ab83ef4597437e6f809251df9dda944518610a2aa456");
    sources_free(t);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        t = make(others[i]);
        assert_string_not_equal(sources_hash(s), sources_hash(t));
        sources_free(t);
    }
    assert_null(sources_find(s, SLICE_LIT("campaigns/z.lua")));
    assert_true(slice_is(sources_find(s, SLICE_LIT("campaigns/b.lua"))->text, "2"));
    sources_free(s);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void folder_refuses(const char *dir, int code, const char *part)
{
    struct sources *s;
    struct err err = { 0 };
    assert_int_equal(sources_read(dir, &s, &err), code);
    assert_null(s);
    if (!strstr(err.text, part))
        fail_msg("said: %s", err.text);
}

static void a_folder_is_read_and_nothing_outside_of_it(void **state)
{
    (void)state;
    char dir[] = "/tmp/feira-sources-XXXXXX", path[256], link_path[512];
    assert_non_null(mkdtemp(dir));
    folder_refuses("/nowhere/at/all", ERR_NOT_FOUND, "can't be opened");
    folder_refuses(dir, ERR_NOT_FOUND, "has no shop.lua");
    write_file(dir, "shop.lua", "return {}");
    snprintf(path, sizeof path, "%s/campaigns", dir);
    struct sources *s;
    struct err err = { 0 };
    assert_int_equal(sources_read(dir, &s, &err), 0);
    assert_int_equal(sources_count(s), 1);
    sources_free(s);
    assert_int_equal(mkdir(path, 0700), 0);
    write_file(dir, "campaigns/b.lua", "return {}");
    write_file(dir, "campaigns/a.csv", "x\n");
    write_file(dir, "campaigns/.b.lua.swp", "");
    write_file(dir, "campaigns/b.lua~", "");
    write_file(dir, "campaigns/notes.txt", "");
    write_file(dir, "campaigns/\xE8\x8C\xB6.lua", "return {}");
    snprintf(link_path, sizeof link_path, "%s/campaigns/c.lua", dir);
    assert_int_equal(symlink("b.lua", link_path), 0); /* stays inside */
    assert_int_equal(sources_read(dir, &s, &err), 0);
    assert_int_equal(sources_count(s), 5);
    assert_true(slice_is(sources_at(s, 0)->path, "campaigns/a.csv"));
    assert_true(slice_is(sources_at(s, 2)->text, "return {}"));
    assert_null(sources_at(s, 5));
    sources_free(s);

    unlink(link_path);
    assert_int_equal(symlink("/etc/passwd", link_path), 0);
    folder_refuses(dir, ERR_DENIED, "campaigns/c.lua is a link that leads out of the shop's folder");
    unlink(link_path);
    assert_int_equal(mkfifo(link_path, 0600), 0);
    folder_refuses(dir, ERR_INVALID, "campaigns/c.lua is not a regular file");
    unlink(link_path);
    write_file(dir, "campaigns/\xFF.lua", "");
    folder_refuses(dir, ERR_INVALID, "not plain UTF-8");
    snprintf(link_path, sizeof link_path, "%s/campaigns/\xFF.lua", dir);
    unlink(link_path);
    write_file(dir, "campaigns/a\nb.lua", "");
    folder_refuses(dir, ERR_INVALID, "control characters");
    snprintf(link_path, sizeof link_path, "%s/campaigns/a\nb.lua", dir);
    unlink(link_path);

    snprintf(link_path, sizeof link_path, "%s/campaigns/big.lua", dir);
    write_file(dir, "campaigns/big.lua", "");
    assert_int_equal(truncate(link_path, (1 << 20) + 1), 0);
    folder_refuses(dir, ERR_TOO_LARGE, "campaigns/big.lua: the file is larger than 1 MiB");
    snprintf(path, sizeof path, "rm -rf %s", dir);
    assert_int_equal(system(path), 0);
}

/* The example shops are what people copy from. */
static void the_example_shops_load(void **state)
{
    struct world *w = *state;
    static const char *const shops[] = { "examples/giftware", "examples/tea-shop" };
    for (size_t i = 0; i < sizeof shops / sizeof *shops; i++) {
        struct sources *s;
        if (access(shops[i], R_OK) != 0)
            continue;
        assert_int_equal(sources_read(shops[i], &s, &w->err), 0);
        struct generation *g;
        if (generation_build(&w->options, s, &g, &w->err) < 0)
            fail_msg("%s: %s", shops[i], w->err.text);
        assert_true(quote_rules_count(generation_rules(g)) >= 4);
        struct vm *v;
        assert_int_equal(generation_open_vm(g, &v, &w->err), 0);
        vm_close(v);
        generation_unref(g);
    }
}

int main(void)
{
#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        WORLD(a_shop_becomes_a_generation),
        WORLD(a_shop_without_campaigns_is_one),
        WORLD(all_settings_are_read),
        WORLD(a_broken_shop_file_is_refused_with_its_line),
        WORLD(a_broken_campaign_is_refused_with_its_line),
        WORLD(the_words_say_what_to_write),
        WORLD(gates_stand_beside_campaigns),
        WORLD(two_campaigns_with_one_id_are_refused_with_both_places),
        WORLD(a_table_of_data_becomes_campaigns),
        WORLD(functions_have_the_same_numbers_in_each_state),
        WORLD(threads_share_a_generation),
        WORLD(a_state_that_loads_otherwise_is_a_bug_that_is_found),
        cmocka_unit_test(the_hash_depends_on_names_and_contents_alone),
        cmocka_unit_test(a_folder_is_read_and_nothing_outside_of_it),
        WORLD(the_example_shops_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
