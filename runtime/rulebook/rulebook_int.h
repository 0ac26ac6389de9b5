/* rulebook/rulebook_int.h - shared by the files of rulebook/ only. */
#pragma once
#include "rulebook/rulebook.h"

/* Checks the table that shop.lua returned. What *out points to lives in the arena, with the tree. *zone is the shop's. */
int settings_check(const struct sources *src, const struct json_value *tree, struct arena *arena, struct shop_settings *out,
                   struct zone **zone, struct err *err);

/* data("flash.csv") of a campaign: the file of that name beside it, as a list of tables of strings. ctx is the sources; a vm_data_fn. */
int table_read(void *ctx, struct slice name, struct arena *arena, struct json_value **out, struct err *err);

/* Adds the line of the source that err->text begins with ("campaigns/tea.lua:7: ..."), when there is room. Returns err->code. */
int excerpt_add(const struct sources *src, struct err *err);

/* "campaigns/tea.lua:7: what" -> the path and 7. */
bool excerpt_place(const char *text, struct slice *path, long *line);
bool excerpt_line(struct slice text, long number, struct slice *out); /* from 1; false when it has fewer */

/* The line of `path` on which `key =` is written first, or 1. */
int excerpt_line_of_key(const struct sources *src, const char *path, const char *key);

/* A promo.use of a campaign file, and which of the generation's campaigns came of it: first .. end - 1. */
struct campaign_use {
    const struct json_value *use;    /* { use, fields, at, declares? } */
    const struct json_value *fields; /* in canonical form, with defaults */
    const struct hook *type;
    const struct manifest *plugin;
    size_t first, end;
    struct campaign_use *next;
};

/* --- plugins.c: what shop.lua turns on ------------------------------------------------------------------------------------ */
#include "rulebook/manifests.h"
#include "rulebook/plugin_set.h"
#include "vm/vm.h"

struct live_plugin {
    struct generation_plugin pub;
    struct manifest *manifest;
    struct vm_space_options space;
    const struct sources *sources;
    size_t prefix; /* of its paths: "plugins/invite/" */
};
struct live_plugins {
    struct plugin_set *set;
    struct live_plugin *list; /* as in the set */
    size_t count;
    struct manifests *shared;
};

/* Reads the manifests that shop.lua names, orders them, settles their settings. What it makes lives in the arena, but for manifests and
 * set. */
int plugins_load(const struct sources *src, const struct shop_settings *settings, const struct zone *zone, const struct rulebook_options *o,
                 struct arena *arena, struct live_plugins *out, struct err *err);
void plugins_free(struct live_plugins *p);
/* Loads their files into a state: every function that a manifest names is there, and numbered. */
int plugins_open(struct live_plugins *p, const struct rulebook_options *o, struct generation *g, struct vm *vm, struct err *err);
int plugins_fn(const struct live_plugins *p, const struct hook_ref *h); /* number of its function */
/* kind: HOOK_PRICING, HOOK_SHIPPING_RATES, HOOK_TAX_RATES. In their order. */
int plugins_rules(const struct live_plugins *p, enum hook_kind kind, struct arena *arena, struct quote_rule_list *out, struct err *err);
/* What rules may know of a customer, as plugin_set_hooks(HOOK_FACT) orders it. */
int plugins_facts(const struct live_plugins *p, const struct sources *src, struct arena *arena, const struct quote_fact_type **out,
                  size_t *count, struct err *err);
/* promo.use "invite" { ... } that stands in a campaign file, { use, fields, at }: the plugin's function makes campaigns of it, *out. */
int plugins_use(struct live_plugins *p, struct vm *vm, const struct settle *settle, struct campaign_use *use, struct arena *arena,
                struct json_value **out, struct err *err);

/* Checks what was settled before again, with everything that `settle` can ask now; nothing is kept. */
int plugins_settle_again(struct live_plugins *p, const struct settle *settle, const struct json_value *given,
                         const struct campaign_use *uses);

/* rules_revision.c: which rules a plugin has now, when it is one of those that go by revisions. */
int rules_revision(struct live_plugin *p, struct arena *arena, struct err *err);

/* references.c: the campaigns that settings and promo.use name are there. */
int references_check(struct live_plugins *p, const struct settle *settle, const struct json_value *given, const struct campaign_use *uses,
                     const struct json_value *campaigns);

/* Plugins that ship, from plugins/ of the source tree; the build makes the list. Ended by path NULL. */
struct shipped_file {
    const char *path; /* "plugins/volume-pricing/rules.lua" */
    const char *text;
    size_t len;
};
extern const struct shipped_file shipped_files[];
extern const struct shipped_file shipped_policies[]; /* "stdlib/policies/sylius.lua": what other systems do, as data */
