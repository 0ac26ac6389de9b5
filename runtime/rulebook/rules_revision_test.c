/* Which rules a plugin has: what changes the revision, what does not, and which files belong to it. */
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
};

static int open_vm(void *ctx, struct vm **out, struct err *err)
{
    (void)ctx;
    return vm_open(&(struct vm_options){ .memory_soft_bytes = 16 << 20, .fuel = 5000000 }, out, err);
}

static int setup(void **state)
{
    static struct world w;
    memset(&w, 0, sizeof w);
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

struct shop {
    const char *settings, *manifest, *rules, *parts, *late, *events, *other; /* NULL: as in `plain` */
};

static const struct shop plain = {
    .settings = "off = 5",
    .manifest =
        "return { name = 'run', version = '1.0.0', api = 1, title = 'X', settings = { off = { type = 'integer', about = 'Off.' } },\n"
        "  collections = { runs = { fields = { rules = 'revision', more = 'string?' } } } }",
    .rules = "local parts = require 'parts'\nreturn { price = function() return require(\"late\").word, parts.base end }",
    .parts = "return { base = 1 }",
    .late = "return { word = 'x' }",
    .events = "local rules = require 'rules'\nreturn { run = function() return rules end }",
    .other = "return { name = 'other', version = '1.0.0', api = 1, title = 'Y' }",
};

#define OR(field) (s->field ? s->field : plain.field)

static struct generation *build(struct world *w, const struct shop *s)
{
    char shop[300];
    snprintf(shop, sizeof shop, "return { name = 'T', currency = 'EUR', plugins = { run = { %s }, other = {} } }", OR(settings));
    const struct source_file files[] = {
        { SLICE_LIT("plugins/other/plugin.lua"), slice_str(OR(other)) },  { SLICE_LIT("plugins/run/events.lua"), slice_str(OR(events)) },
        { SLICE_LIT("plugins/run/late.lua"), slice_str(OR(late)) },       { SLICE_LIT("plugins/run/parts.lua"), slice_str(OR(parts)) },
        { SLICE_LIT("plugins/run/plugin.lua"), slice_str(OR(manifest)) }, { SLICE_LIT("plugins/run/rules.lua"), slice_str(OR(rules)) },
        { SLICE_LIT("plugins/run/unused.lua"), SLICE_LIT("return {}") },  { SLICE_LIT("shop.lua"), slice_str(shop) },
    };
    struct sources *src;
    struct generation *g = NULL;
    assert_int_equal(sources_make(files, sizeof files / sizeof *files, &src, &w->err), 0);
    if (generation_build(&w->options, src, &g, &w->err) < 0) {
        sources_free(src);
        fail_msg("%s", w->err.text);
    }
    return g;
}

static const struct generation_plugin *plugin(const struct generation *g)
{
    return generation_plugin(g, plugin_set_find(generation_plugins(g), SLICE_LIT("run")));
}

static void name_of(struct world *w, const struct shop *s, char out[19])
{
    struct generation *g = build(w, s);
    const char *name = plugin(g)->revision;
    assert_non_null(name);
    assert_int_equal(strlen(name), 18);
    assert_memory_equal(name, "r_", 2);
    memcpy(out, name, 19);
    generation_unref(g);
}

static void is_same(struct world *w, const struct shop *s, bool same)
{
    char before[19], after[19];
    name_of(w, &(struct shop){ 0 }, before);
    name_of(w, s, after);
    assert_int_equal(strcmp(before, after) == 0, same);
}

static void rules_what_they_require_and_settings_make_a_revision(void **state)
{
    is_same(*state, &(struct shop){ 0 }, true);
    is_same(*state, &(struct shop){ .rules = "return { price = function() return 2, require 'parts', require 'late' end }" }, false);
    is_same(*state, &(struct shop){ .parts = "return { base = 2 }" }, false);
    is_same(*state, &(struct shop){ .late = "return { word = 'y' }" }, false); /* required only when it runs */
    is_same(*state, &(struct shop){ .settings = "off = 6" }, false);
}

static void nothing_else_does(void **state)
{
    is_same(*state, &(struct shop){ .events = "local rules = require 'rules'\nreturn { run = function() return 1, rules end }" }, true);
    is_same(*state, &(struct shop){ .other = "return { name = 'other', version = '2.0.0', api = 1, title = 'Z' }" }, true);
    is_same(*state,
            &(struct shop){ .manifest =
                                "return { name = 'run', version = '1.0.1', api = 1, title = 'Another title', settings = { off = { type = "
                                "'integer', about = 'Another sentence.' } },\n"
                                "  collections = { runs = { fields = { rules = 'revision', less = 'string?' } } } }" },
            true);
}

static bool has(const struct generation_plugin *p, const char *path)
{
    for (size_t i = 0; i < p->rules_count; i++)
        if (slice_is(p->rules[i]->path, path))
            return true;
    return false;
}

static void the_files_are_those_that_rules_require(void **state)
{
    struct world *w = *state;
    struct generation *g = build(w, &(struct shop){ 0 });
    assert_int_equal(plugin(g)->rules_count, 3);
    assert_true(has(plugin(g), "plugins/run/rules.lua") && has(plugin(g), "plugins/run/parts.lua") &&
                has(plugin(g), "plugins/run/late.lua"));
    generation_unref(g);
    /* in a circle, by way of another, in all ways to write it; not what only looks like it */
    g = build(w, &(struct shop){ .rules = "local parts = require( 'parts' )\nlocal unrequire = function() end\nunrequire 'unused'\n"
                                          "local required = function() end\nrequired \"unused\"\nreturn { parts = parts }",
                                 .parts = "return { late = function() return require  \"late\" end }",
                                 .late = "return { again = function() return require 'rules', 'require' end, odd = 'require' }" });
    assert_int_equal(plugin(g)->rules_count, 3);
    assert_false(has(plugin(g), "plugins/run/unused.lua") || has(plugin(g), "plugins/run/events.lua"));
    generation_unref(g);
}

static void who_goes_by_no_revision_has_none(void **state)
{
    struct world *w = *state;
    struct generation *g =
        build(w, &(struct shop){ .manifest = "return { name = 'run', version = '1.0.0', api = 1, title = 'X', settings = { "
                                             "off = { type = 'integer', about = 'Off.' } } }" });
    assert_null(plugin(g)->revision);
    assert_int_equal(plugin(g)->rules_count, 0);
    generation_unref(g);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(rules_what_they_require_and_settings_make_a_revision),
        TEST(nothing_else_does),
        TEST(the_files_are_those_that_rules_require),
        TEST(who_goes_by_no_revision_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
