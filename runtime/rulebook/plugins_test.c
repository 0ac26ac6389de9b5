#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "rulebook/rulebook.h"
#include "base/symbols.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>
#include <stdlib.h>

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

static int open_vm(void *ctx, struct vm **out, struct err *err)
{
    int rc = vm_open(&(struct vm_options){ .memory_soft_bytes = 16 << 20, .fuel = 5000000 }, out, err);
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
    static const char *const modules[] = { "feira.promo", NULL };
    static struct world w;
    memset(&w, 0, sizeof w);
    read_stdlib("stdlib/feira/promo.lua", w.promo, sizeof w.promo);
    read_stdlib("stdlib/feira/declares.lua", w.declares, sizeof w.declares);
    w.symbols = symbols_new(NULL);
    w.options = (struct rulebook_options){ .symbols = w.symbols, .open_vm = open_vm, .plugin_modules = modules, .ctx = &w };
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    symbols_free(((struct world *)*state)->symbols);
    return 0;
}

struct text {
    const char *path, *text;
};

static struct generation *build(struct world *w, const struct text *files)
{
    struct source_file list[16];
    size_t n = 0;
    for (; files[n].path; n++)
        list[n] = (struct source_file){ slice_str(files[n].path), slice_str(files[n].text) };
    struct sources *s;
    struct generation *g = NULL;
    w->err = (struct err){ 0 };
    assert_int_equal(sources_make(list, n, &s, &w->err), 0);
    if (generation_build(&w->options, s, &g, &w->err) < 0)
        sources_free(s);
    return g;
}

static void refuses(struct world *w, const struct text *files, const char *part)
{
    struct generation *g = build(w, files);
    if (g)
        fail_msg("was accepted; expected: %s", part);
    if (!strstr(w->err.text, part))
        fail_msg("\nexpected: %s\nsaid:     %s", part, w->err.text);
}

#define SHOP(plugins) "return { name = 'T', currency = 'EUR', plugins = { " plugins " } }"
#define HEAD(name)    "return { name = '" name "', version = '1.0.0', api = 1, title = 'X', "

static const char deal[] =
    HEAD("deal") "settings = { top = { type = 'percent', default = 10, about = 'The most.' } },\n"
                 "  campaigns = { deal = { run = 'rules.deal', fields = {\n"
                 "    tag = { type = 'string', about = 'On what.' }, off = { type = 'money', about = 'How much.' } } } } }";
static const char deal_rules[] = "local promo = require 'feira.promo'\nlocal R = {}\nfunction R.deal(fields, settings)\n"
                                 "  return promo.campaign { id = 'deal-' .. fields.tag, scope = promo.tag(fields.tag),\n"
                                 "    give = function(cart) cart:all():amount_off(fields.off) end, when = promo.percent_off and "
                                 "promo.tag(fields.tag) }\nend\nreturn R\n";

static void a_plugin_that_is_turned_on_makes_campaigns(void **state)
{
    struct world *w = *state;
    struct generation *g = build(w, (struct text[]){ { "shop.lua", SHOP("deal = { top = 20 }, other = {}") },
                                                     { "campaigns/a.lua", "local promo = require 'feira.promo'\nreturn {\n"
                                                                          "  promo.use 'deal' { tag = 'tea', off = '1.50' },\n"
                                                                          "  promo.use 'deal.deal' { tag = 'cup', off = '2.00' } }" },
                                                     { "plugins/deal/plugin.lua", deal },
                                                     { "plugins/deal/rules.lua", deal_rules },
                                                     { "plugins/other/plugin.lua", HEAD("other") "timers = { tick = 'events.tick' } }" },
                                                     { "plugins/other/events.lua", "return { tick = function() end }" },
                                                     { "plugins/off/plugin.lua", "not even Lua" },
                                                     { 0 } });
    if (!g)
        fail_msg("%s", w->err.text);
    assert_int_equal(quote_rules_count(generation_rules(g)), 2);
    const struct plugin_set *set = generation_plugins(g);
    assert_int_equal(plugin_set_count(set), 2);
    const struct manifest *m = plugin_set_find(set, slice_str("deal"));
    int64_t top = 0;
    assert_true(json_is_int(json_get(generation_plugin(g, m)->settings, "top"), &top));
    assert_int_equal(top, 200000);
    /* Other states have the same functions under the same numbers. */
    int (*const ways[])(struct generation *, struct vm **, struct err *) = { generation_open_vm, generation_open_vm,
                                                                             generation_open_plugins_vm };
    struct vm *vms[3];
    size_t n;
    const struct hook_ref *timers = plugin_set_hooks(set, HOOK_TIMER, &n);
    assert_int_equal(n, 1);
    for (int i = 0; i < 3; i++) {
        if (ways[i](g, &vms[i], &w->err) < 0)
            fail_msg("%s", w->err.text);
        assert_int_equal(vm_call(vms[i], vm_function(vms[i], generation_hook(g, &timers[0])), 0, NULL, NULL, &w->err), 0);
    }
    assert_int_equal(vm_function_count(vms[0]), vm_function_count(vms[1]));
    assert_true(vm_function_count(vms[0]) > 2); /* those of the campaigns come after those of the plugins */
    assert_int_equal(vm_function_count(vms[2]), 2);
    for (int i = 0; i < 3; i++)
        vm_close(vms[i]);
    generation_unref(g);
}

static void settings_are_part_of_the_generation(void **state)
{
    struct world *w = *state;
    struct text files[] = {
        { "shop.lua", SHOP("deal = {}") }, { "plugins/deal/plugin.lua", deal }, { "plugins/deal/rules.lua", deal_rules }, { 0 }
    };
    struct generation *g = build(w, files);
    assert_non_null(g);
    files[0].text = SHOP("deal = { top = 5 }");
    struct generation *other = build(w, files);
    assert_non_null(other);
    assert_string_not_equal(generation_id(g), generation_id(other));
    generation_unref(g);
    generation_unref(other);
}

#define DEAL                                                                                                                               \
    { "plugins/deal/plugin.lua", deal },                                                                                                   \
    {                                                                                                                                      \
        "plugins/deal/rules.lua", deal_rules                                                                                               \
    }
#define USE(text)                                                                                                                          \
    {                                                                                                                                      \
        "campaigns/a.lua", "local promo = require 'feira.promo'\n\nreturn " text                                                           \
    }

static void what_is_wrong_is_said_with_its_place(void **state)
{
    struct world *w = *state;
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deel = {}") }, DEAL, { 0 } },
            "there is no plugin of that name; did you mean \"deal\"?");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("zebra = {}") }, { 0 } }, "neither a folder plugins/zebra");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = true") }, DEAL, { 0 } }, "shop.lua:1: plugins.deal");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("\n deal = { tpo = 3 }") }, DEAL, { 0 } }, "did you mean \"top\"?");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = {}") }, { "plugins/deal/plugin.lua", deal }, { 0 } },
            "plugins/deal/plugin.lua: campaigns[\"deal\"] names rules.deal: ");
    refuses(w,
            (struct text[]){
                { "shop.lua", SHOP("deal = {}") }, { "plugins/deal/plugin.lua", deal }, { "plugins/deal/rules.lua", "return {}" }, { 0 } },
            "there is no function deal");
    refuses(
        w,
        (struct text[]){
            { "shop.lua", SHOP("deal = {}") }, { "plugins/deal/plugin.lua", deal }, { "plugins/deal/rules.lua", "return {\n!" }, { 0 } },
        "plugins/deal/rules.lua:2: unexpected symbol");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = {}") }, DEAL, USE("promo.use 'deal' { tag = 'x', of = '1.00' }"), { 0 } },
            "campaigns/a.lua:3: ");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = {}") }, DEAL, USE("promo.use 'deal' { tag = 'x', of = '1.00' }"), { 0 } },
            "did you mean \"off\"?");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = {}") }, DEAL, USE("promo.use 'dael' { tag = 'x' }"), { 0 } },
            "campaigns/a.lua:3: promo.use: there is no plugin \"dael\"; did you mean \"deal\"?");
    refuses(w, (struct text[]){ { "shop.lua", SHOP("") }, DEAL, USE("promo.use 'deal' { tag = 'x' }"), { 0 } }, "turn it on in shop.lua");
    /* What the plugin's own function has against it is said where the merchant wrote it. */
    refuses(w, (struct text[]){ { "shop.lua", SHOP("deal = {}") }, DEAL, USE("promo.use 'deal' { tag = 'a b', off = '1.00' }"), { 0 } },
            "campaigns/a.lua:3: plugins/deal/rules.lua:4: id: expected 1 to 64 letters");
}

static void a_plugin_requires_what_is_its_own(void **state)
{
    struct world *w = *state;
    static const char *const wrong[] = { "feira.sql", "feira.orders", "plugin", "../other/rules", "plugins/other/rules", "campaigns/a" };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char rules[200];
        snprintf(rules, sizeof rules, "require '%s'\nreturn {}", wrong[i]);
        refuses(w,
                (struct text[]){ { "shop.lua", SHOP("deal = {}, other = {}") },
                                 { "plugins/deal/plugin.lua", deal },
                                 { "plugins/deal/rules.lua", rules },
                                 { "plugins/other/plugin.lua", HEAD("other") "}" },
                                 { "plugins/other/rules.lua", "return {}" },
                                 { 0 } },
                "plugins/deal/rules.lua:1: plugins/deal ");
    }
}

#define WORLD(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD(a_plugin_that_is_turned_on_makes_campaigns),
        WORLD(settings_are_part_of_the_generation),
        WORLD(what_is_wrong_is_said_with_its_place),
        WORLD(a_plugin_requires_what_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
