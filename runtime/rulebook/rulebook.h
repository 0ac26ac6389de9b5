/* rulebook/rulebook.h - sources in, an immutable generation out. A shop folder's shop.lua and campaigns are read into
 * memory, hashed, run in a fresh sandbox, checked, compiled. A broken file is refused with file, line and what to do, and
 * nothing changes. A generation is shared by all threads; each thread opens its own Lua state for it. */
#pragma once
#include "base/err.h"
#include "base/json.h"
#include "quote/quote.h"
#include "rulebook/approvals.h"
#include "rulebook/limits.h"
#include "vm/vm.h"

/* --- sources: a snapshot of files, content-addressed ---------------------------------------------------------- */
struct source_file {
    struct slice path; /* "campaigns/tea.lua", relative to the shop, '/' separated, sorted */
    struct slice text;
};
struct sources;
/* Reads shop.lua, campaigns/ (.lua and the data files beside them), plugins/NAME/ (.lua). A plugin that ships with the program is added
 * when shop.lua has its name in it and the folder has none of that name. Follows no link out of the folder; refuses files over 1 MiB, names
 * with control characters. */
int sources_read(const char *shop_dir, struct sources **out, struct err *err);
int sources_make(const struct source_file *files, size_t n, struct sources **out, struct err *err); /* tests; copies */
/* Other sources made of some: files that are added or replaced, and what goes: all whose path begins with one of `without`. Plugins that
 * ship are added as sources_read() does. base may be NULL. Copies. */
struct source_change {
    const struct source_file *files;
    size_t count;
    const struct slice *without;
    size_t without_count;
};
int sources_change(const struct sources *base, const struct source_change *c, struct sources **out, struct err *err);
void sources_free(struct sources *s);
size_t sources_count(const struct sources *s);
const struct source_file *sources_at(const struct sources *s, size_t i);
const struct source_file *sources_find(const struct sources *s, struct slice path);
/* The line on which `key =` is written first in a file, 0 when it is not there. */
int sources_line_of_key(const struct sources *s, const char *path, const char *key);
const char *sources_hash(const struct sources *s); /* 64 hex digits over paths and contents */

enum { SHOP_NEVER = 0 }; /* of a duration in shop.lua */

/* --- settings of the shop (shop.lua), checked --------------------------------------------------------------------- */
struct shop_settings {
    struct slice name;
    struct currency currency;
    struct slice zone_name;
    int64_t quote_ttl_ms;               /* how long a quote token is good; default 15 min */
    int64_t pay_within_ms;              /* how long an unpaid order keeps its holds; default 30 min */
    int64_t complete_after_ms;          /* how long after it was fulfilled an order is completed by itself; default 14 days; SHOP_NEVER */
    int64_t stock_low;                  /* pieces of a SKU at a place, under which stock.low is told; 0 = never */
    int64_t compared_days;              /* compare_at is shown as far as the history of so many days bears it out; 0 = always */
    bool compared_by_deals;             /* by what it was sold for, not by what it was offered for */
    int64_t code_guesses;               /* unknown codes that the guests of a storefront may type in an hour; default 1000 */
    int64_t checkout_ttl_ms;            /* how long a checkout lives after its last change; default 24 h */
    const char *const *trusted_proxies; /* NULL-terminated, may be NULL */
    const char *const *cors_origins;
    struct approval_rules approvals;
    const struct json_value *tree; /* the whole checked table */
};

/* --- plugins of a generation: those that shop.lua turns on ---------------------------------------------------------- */
struct plugin_set;
struct manifest;
struct manifests;
struct hook_ref;
struct generation;
#define PLUGIN_OWNER "plugin/" /* + its name: whose rules they are, in quote/ and where the shop stops them */
struct generation_plugin {
    const struct manifest *manifest;
    const struct json_value *settings; /* canonical */
    const char *space;                 /* "plugins/invite": of vm_space_open() */
    int first_fn;                      /* of its hooks' functions; hook i has first_fn + i */
    struct limits limits;
    /* Of its rules: rules.lua, the files of its own that this requires, and the settings. NULL: no collection has a field of the type
     * revision, so nothing goes by it. */
    const char *revision;
    const struct source_file *const *rules; /* those files, sorted by path */
    size_t rules_count;
};

/* --- generations ---------------------------------------------------------------------------------------------------- */
struct rulebook_options {
    struct symbols *symbols; /* must outlive all generations */
    int (*open_vm)(void *ctx, struct vm **out,
                   struct err *err);            /* bind/ supplies it, host/ installs it: a sandbox with feira.* and the stdlib resolver */
    void (*close_vm)(void *ctx, struct vm *vm); /* frees what open_vm made; NULL = vm_close() */
    /* shop.lua has been read, nothing else: a state of open_vm learns the shop's currency and zone. NULL = nothing. */
    void (*know_shop)(void *ctx, struct vm *vm, const struct generation *g);
    /* A state is about to load the files of a plugin: gives it what it may require besides the stdlib (vm_space_give()). *settings: what
     * its functions get as their last argument; 0 = the settings as they are. NULL = nothing. */
    int (*open_plugin)(void *ctx, struct vm *vm, struct generation *g, const struct generation_plugin *plugin, vm_ref *settings,
                       struct err *err);
    bool partial; /* campaign files are left out, to look at others alone: whether those that settings name are there is not asked */
    const char *const *plugin_modules; /* of the stdlib, that plugins may require; ended by NULL. NULL = none */
    struct manifests *manifests;       /* manifests.h: shared by the generations, which it must outlive. NULL = each reads its own */
    void *ctx;
};

/* counted */
int generation_build(const struct rulebook_options *o, struct sources *src /* taken on success */, struct generation **out,
                     struct err *err);
struct generation *generation_ref(struct generation *g);
void generation_unref(struct generation *g);           /* any thread; NULL is fine */
const char *generation_id(const struct generation *g); /* "g_" and the first 16 hex digits of the hash of sources and versions */
const struct shop_settings *generation_settings(const struct generation *g);
struct privacy; /* privacy.h */
const struct privacy *generation_privacy(const struct generation *g);
const struct quote_rules *generation_rules(const struct generation *g);
const struct zone *generation_zone(const struct generation *g);
const struct sources *generation_sources(const struct generation *g);

/* Of the policies that ship with the program (stdlib/policies). */
uint64_t rulebook_policies_hash(void);

/* The thread's own Lua state for this generation, with the functions of its campaigns at the numbers the rules name. */
int generation_open_vm(struct generation *g, struct vm **out, struct err *err);
/* The same without campaigns: for a thread that runs procedures of plugins and prices nothing. */
int generation_open_plugins_vm(struct generation *g, struct vm **out, struct err *err);

const struct plugin_set *generation_plugins(const struct generation *g); /* in their order; never NULL */
const struct generation_plugin *generation_plugin(const struct generation *g, const struct manifest *m);
const struct limits *generation_campaign_limits(const struct generation *g); /* of campaigns that no plugin made */
/* What the campaign files gave, in the order of the files: a JSON array of declarations, functions as {"fn": n}, `at` their place. */
const struct json_value *generation_campaigns(const struct generation *g);
/* What they gave with promo.announce: { id, title?, window?, declares, at }. */
const struct json_value *generation_announcements(const struct generation *g);
/* The promo.use ({ use, fields, at, declares? }) that made the i-th of them, or NULL. */
const struct json_value *generation_made_by(const struct generation *g, size_t i);
/* Those of them that promo.use made: what the merchant wrote, in canonical form. In the order of generation_campaigns(). */
struct made_campaign {
    struct slice id;
    const struct manifest *plugin;
    const char *type;
    const struct json_value *fields;
};
const struct made_campaign *generation_made(const struct generation *g, size_t *count);
const struct made_campaign *generation_find_made(const struct generation *g, struct slice id); /* NULL: there is none */
/* Gives a state back that generation_open_vm() gave and in which nothing has changed, so that the next one who asks need not wait. */
void generation_put_back_vm(struct generation *g, struct vm *vm);
int generation_hook(const struct generation *g, const struct hook_ref *h);         /* number of its function for vm_function() */
bool generation_hook_of(const struct generation *g, int fn, struct hook_ref *out); /* the other way; false: no plugin's */
