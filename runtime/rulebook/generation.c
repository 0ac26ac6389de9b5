#include "base/buf.h"
#include "base/map.h"
#include "base/zone.h"
#include "crypto/crypto.h"
#include "rulebook/privacy.h"
#include "rulebook/rulebook_int.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct generation {
    atomic_uint refs;
    char id[2 + 16 + 1];
    struct rulebook_options options;
    struct sources *sources;
    struct arena arena; /* settings and specs, written once */
    struct shop_settings settings;
    struct privacy privacy;
    struct zone *zone;
    struct quote_rules *rules;
    struct live_plugins plugins;
    _Atomic(struct vm *) unclaimed;     /* the state it was built in; the first who opens one gets it */
    const struct json_value *campaigns; /* in the arena, and so are uses */
    const struct json_value *announcements;
    const struct campaign_use *uses;
    struct made_campaign *made; /* those of all uses, in the order of the campaigns */
    size_t made_count;
    struct map made_by_id;
    size_t function_count, plugin_function_count;
    struct limits campaign_limits;
    uint64_t specs_hash; /* of all specs as JSON: each state must load the same */
};

/* --- files to specs ----------------------------------------------------------------------------------------------- */

struct loading {
    const struct sources *sources;
    struct generation *generation;
    struct vm *vm;
    struct arena *arena;
    struct json_value *campaigns, *last;
    struct json_value *announcements, *last_announcement;
    struct campaign_use *uses;
    struct err *err;
};

static bool is_lua(struct slice path)
{
    return path.len > 4 && memcmp(path.data + path.len - 4, ".lua", 4) == 0;
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while loading the rules");
}

/* Runs one file; its value as a tree. */
static int load_file(struct loading *l, const struct source_file *f, const char *write_what, struct json_value **out)
{
    char *name = arena_strdup(l->arena, f->path);
    if (!name)
        return nomem(l->err);
    vm_ref ref = 0;
    int rc = vm_run(l->vm, f->text, name, &ref, l->err);
    if (rc < 0)
        return rc;
    if (!ref)
        return err_set(l->err, ERR_INVALID, "%s:1: the file returns nothing; end it with %s", name, write_what);
    rc = vm_to_json(l->vm, ref, l->arena, out, l->err);
    vm_release(l->vm, ref);
    /* "give[1].cap: ..." gets the file; a function that is at fault says its own line. */
    bool placed = strncmp(l->err->text, name, f->path.len) == 0 && l->err->text[f->path.len] == ':';
    return rc < 0 && !placed ? err_wrap(l->err, "%s:1", name) : rc;
}

static int add_campaigns(struct loading *l, const struct source_file *f, struct json_value *v);

/* promo.use "invite" { ... }: what the plugin makes of it stands in its place. */
static int add_used(struct loading *l, const struct source_file *f, const struct json_value *use)
{
    struct generation *g = l->generation;
    struct settle s = { .reader = { .arena = l->arena, .err = l->err }, .exponent = g->settings.currency.exponent, .zone = g->zone };
    struct json_value *made;
    struct campaign_use *kept = arena_alloc(l->arena, sizeof *kept);
    if (!kept)
        return nomem(l->err);
    *kept = (struct campaign_use){ .use = use, .first = l->campaigns->count, .next = l->uses };
    int rc = plugins_use(&g->plugins, l->vm, &s, kept, l->arena, &made, l->err);
    if (rc == 0)
        rc = add_campaigns(l, f, made);
    kept->end = l->campaigns->count;
    l->uses = kept;
    return rc;
}

static int add_campaign(struct loading *l, const struct source_file *f, struct json_value *c, size_t index)
{
    if (c->type != JSON_OBJECT) {
        if (index)
            return err_set(l->err, ERR_INVALID, "%.*s:1: element %zu of the list is %s, not a campaign; write promo.campaign { ... }",
                           SLICE_FMT(f->path), index, json_type_name(c->type));
        return err_set(l->err, ERR_INVALID, "%.*s:1: the file returns %s; end it with return promo.campaign { ... }, or a list of them",
                       SLICE_FMT(f->path), json_type_name(c->type));
    }
    if (json_get(c, "use"))
        return add_used(l, f, c);
    if (json_get(c, "announcement")) {
        json_append(l->announcements, l->last_announcement, c);
        l->last_announcement = c;
        return 0;
    }
    if (!json_get(c, "at")) { /* a plain table: only its file is known */
        struct json_value *at = json_new_string(l->arena, arena_printf(l->arena, "%.*s:1", SLICE_FMT(f->path)));
        if (!at || !at->string.data)
            return nomem(l->err);
        struct json_value *end = c->first;
        while (end && end->next)
            end = end->next;
        at->key = SLICE_LIT("at");
        json_append(c, end, at);
    }
    json_append(l->campaigns, l->last, c);
    l->last = c;
    return 0;
}

static int add_campaigns(struct loading *l, const struct source_file *f, struct json_value *v)
{
    int rc = 0;
    if (v->type != JSON_ARRAY) {
        bool empty = v->type == JSON_OBJECT && v->count == 0; /* return {}: no campaigns */
        return empty ? 0 : add_campaign(l, f, v, 0);
    }
    size_t i = 0;
    for (struct json_value *m = v->first, *next; m && rc == 0; m = next) {
        next = m->next; /* add_campaign() puts m into another list */
        m->next = NULL;
        rc = add_campaign(l, f, m, ++i);
    }
    return rc;
}

static int load_campaign_file(struct loading *l, const struct source_file *f)
{
    struct json_value *v;
    struct limits_hold hold;
    limits_hold(l->vm, &l->generation->campaign_limits.of[LIMIT_LOAD], &hold);
    int rc = load_file(l, f, "return promo.campaign { ... }", &v);
    rc = limits_let_go(l->vm, &hold, LIMITS_CAMPAIGNS, LIMIT_LOAD, rc, l->err);
    return rc < 0 ? rc : add_campaigns(l, f, v);
}

static int load_campaigns(struct loading *l)
{
    l->campaigns = json_new(l->arena, JSON_ARRAY);
    l->announcements = json_new(l->arena, JSON_ARRAY);
    l->last = l->last_announcement = NULL;
    if (!l->campaigns || !l->announcements)
        return nomem(l->err);
    vm_set_data(l->vm, table_read, (void *)(uintptr_t)l->sources);
    int rc = 0;
    for (size_t i = 0; i < sources_count(l->sources) && rc == 0; i++) {
        const struct source_file *f = sources_at(l->sources, i);
        if (f->path.len > 10 && memcmp(f->path.data, "campaigns/", 10) == 0 && is_lua(f->path))
            rc = load_campaign_file(l, f);
    }
    vm_set_data(l->vm, NULL, NULL);
    return rc;
}

static struct slice member_text(const struct json_value *object, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(object, key), &s);
    return s;
}

static int check_ids_of(const struct loading *l, struct map *seen, const struct json_value *list)
{
    int rc = 0;
    for (struct json_value *c = list->first; c && rc == 0; c = c->next) {
        struct slice id = member_text(c, "id"), at = member_text(c, "at");
        const struct json_value *other = id.len ? map_get(seen, id) : NULL;
        if (other) {
            struct slice there = member_text(other, "at");
            rc = err_set(l->err, ERR_INVALID, "%.*s: the id \"%.*s\" is taken by the campaign at %.*s; give each campaign its own",
                         SLICE_FMT(at), SLICE_FMT(id), SLICE_FMT(there));
        } else if (id.len && !map_set(seen, id, c)) {
            rc = nomem(l->err);
        }
    }
    return rc;
}

static int check_ids(const struct loading *l)
{
    struct map seen;
    map_init(&seen, NULL);
    int rc = check_ids_of(l, &seen, l->campaigns);
    if (rc == 0)
        rc = check_ids_of(l, &seen, l->announcements);
    map_release(&seen);
    return rc;
}

static int check_references(struct generation *g, struct loading *l)
{
    const struct source_file *shop = sources_find(g->sources, SLICE_LIT("shop.lua"));
    struct settle s = { .reader = { .arena = l->arena, .file = "shop.lua", .err = l->err, .source = shop->text },
                        .exponent = g->settings.currency.exponent,
                        .zone = g->zone };
    return g->options.partial ? 0 : references_check(&g->plugins, &s, json_get(g->settings.tree, "plugins"), l->uses, l->campaigns);
}

static const struct campaign_use *use_of(const struct campaign_use *uses, size_t i)
{
    for (; uses; uses = uses->next)
        if (i >= uses->first && i < uses->end)
            return uses;
    return NULL;
}

/* The last use is the first in its list: so both are gone through backwards. */
static int list_made(struct generation *g, struct err *err)
{
    size_t n = 0, i = 0;
    for (const struct campaign_use *u = g->uses; u; u = u->next)
        n += u->end - u->first;
    g->made = arena_array(&g->arena, n + 1, sizeof *g->made);
    g->made_count = n;
    const struct json_value **all = arena_array(&g->arena, g->campaigns->count + 1, sizeof *all);
    if (!g->made || !all)
        return nomem(err);
    for (const struct json_value *c = g->campaigns->first; c; c = c->next)
        all[i++] = c;
    for (const struct campaign_use *u = g->uses; u; u = u->next) {
        for (i = u->end; i-- > u->first;) {
            struct made_campaign *m = &g->made[--n];
            *m = (struct made_campaign){ .plugin = u->plugin, .type = u->type->name, .fields = u->fields };
            json_is_string(json_get(all[i], "id"), &m->id);
            if (!map_set(&g->made_by_id, m->id, m))
                return nomem(err);
        }
    }
    return 0;
}

static int hash_specs(const struct json_value *campaigns, uint64_t *out, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, campaigns);
    int rc = b.failed ? nomem(err) : 0;
    *out = hash_bytes(b.data, b.len);
    buf_release(&b);
    return rc;
}

/* --- building ------------------------------------------------------------------------------------------------------- */

/* --- policies: a table, the name of a profile, or a table with `like = NAME`, which says what is otherwise ------------------------ */

static int policies_wrong(const struct generation *g, struct loading *l, const char *fmt, struct slice name)
{
    char sentence[256];
    snprintf(sentence, sizeof sentence, fmt, SLICE_FMT(name));
    return err_field(l->err, ERR_INVALID, "policies", "shop.lua:%d: policies: %s", excerpt_line_of_key(g->sources, "shop.lua", "policies"),
                     sentence);
}

static const struct shipped_file *profile_find(struct slice name, char path[128])
{
    snprintf(path, 128, "stdlib/policies/%.*s.lua", (int)(name.len < 64 ? name.len : 64), name.data);
    for (const struct shipped_file *f = shipped_policies; f->path; f++)
        if (strcmp(f->path, path) == 0)
            return f;
    return NULL;
}

/* Members of `over` first, then those of `under` that it does not have; without `like`. */
static struct json_value *laid_over(struct arena *arena, const struct json_value *over, const struct json_value *under)
{
    struct json_value *out = json_new(arena, JSON_OBJECT), *last = NULL;
    for (int pass = 0; out && pass < 2; pass++) {
        const struct json_value *from = pass == 0 ? over : under;
        for (const struct json_value *m = from ? from->first : NULL; m; m = m->next) {
            char key[64];
            snprintf(key, sizeof key, "%.*s", SLICE_FMT(m->key));
            if (slice_is(m->key, "like") || (pass == 1 && json_get(over, key)))
                continue;
            struct json_value *copy = arena_alloc(arena, sizeof *copy);
            if (!copy)
                return NULL;
            *copy = *m;
            copy->next = NULL;
            json_append(out, last, copy);
            last = copy;
        }
    }
    return out;
}

enum { LIKES_MAX = 4 };

static int policies_load(struct generation *g, struct loading *l, const struct json_value *given, int depth, const struct json_value **out)
{
    struct slice name = slice_str("");
    const struct json_value *like = given && given->type == JSON_OBJECT ? json_get(given, "like") : given;
    *out = given;
    if (!like || given->type == JSON_ARRAY)
        return 0;
    if (!json_is_string(like, &name))
        return policies_wrong(g, l, "like names a profile, such as \"sylius\"%.*s", slice_str(""));
    char path[128];
    const struct shipped_file *f = depth < LIKES_MAX ? profile_find(name, path) : NULL;
    if (!f)
        return policies_wrong(g, l, "there is no profile \"%.*s\"; runtime/rulebook/SHOP.md lists them", name);
    struct source_file file = { .path = slice_str(f->path), .text = slice_of(f->text, f->len) };
    struct json_value *tree;
    const struct json_value *profile;
    int rc = load_file(l, &file, "return { ... }", &tree);
    if (rc == 0)
        rc = policies_load(g, l, tree, depth + 1, &profile);
    if (rc < 0)
        return rc;
    *out = laid_over(l->arena, given->type == JSON_OBJECT ? given : NULL, profile);
    return *out ? 0 : nomem(l->err);
}

static int load_settings(struct generation *g, struct loading *l)
{
    const struct source_file *f = sources_find(g->sources, SLICE_LIT("shop.lua"));
    if (!f)
        return err_set(l->err, ERR_NOT_FOUND, "there is no shop.lua; it names the shop and its currency");
    struct json_value *tree;
    int rc = load_file(l, f, "return { name = \"...\", currency = \"EUR\" }", &tree);
    if (rc == 0 && vm_function_count(l->vm) > 0)
        rc = err_set(l->err, ERR_INVALID, "shop.lua:1: settings are data; a function can't be one");
    if (rc == 0)
        rc = settings_check(g->sources, tree, l->arena, &g->settings, &g->zone, l->err);
    return rc;
}

/* "shop.lua: shipping[1].rates: ..." of quote/ gets a line. */
static void place_setting(const struct generation *g, struct err *err)
{
    static const char prefix[] = "shop.lua: ";
    size_t n = sizeof prefix - 1;
    if (strncmp(err->text, prefix, n) != 0)
        return;
    char rest[sizeof err->text];
    snprintf(rest, sizeof rest, "%s", err->text + n);
    static const char *const keys[] = { "policies", "tax", "watch", NULL };
    const char *key = "shipping";
    for (size_t i = 0; keys[i]; i++)
        if (strncmp(rest, keys[i], strlen(keys[i])) == 0)
            key = keys[i];
    int line = excerpt_line_of_key(g->sources, "shop.lua", key);
    err_field(err, err->code, err->field, "shop.lua:%d: %s", line, rest);
}

/* A grant to a plugin that is not there would be told to nobody. */
static int grants_check(const struct generation *g, struct err *err)
{
    struct slice to, at;
    for (uint32_t k = 0; k < quote_rules_count(g->rules); k++) {
        for (size_t i = 0; quote_campaign_grants(g->rules, k, i, &to, &at); i++) {
            const struct manifest *m = plugin_set_find(generation_plugins(g), to);
            if (m && manifest_hook(m, HOOK_SUBSCRIBER, SLICE_LIT("campaign.granted")))
                continue;
            struct slice id = quote_campaign_id(g->rules, k);
            return err_field(err, ERR_INVALID, "give.grant.to", "%.*s: campaign \"%.*s\": grant: %s \"%.*s\"%s", SLICE_FMT(at),
                             SLICE_FMT(id), m ? "the plugin" : "shop.lua turns on no plugin", SLICE_FMT(to),
                             m ? " does not hear campaign.granted, so it gives nothing" : "; add it to plugins");
        }
    }
    return 0;
}

static int compile(struct generation *g, struct loading *l)
{
    const struct json_value *policies;
    struct quote_rules_options o = { .currency = g->settings.currency,
                                     .zone = g->zone,
                                     .symbols = g->options.symbols,
                                     .shipping = json_get(g->settings.tree, "shipping"),
                                     .tax = json_get(g->settings.tree, "tax"),
                                     .watch = json_get(g->settings.tree, "watch") };
    int rc = policies_load(g, l, json_get(g->settings.tree, "policies"), 0, &policies);
    o.policies = policies;
    if (rc == 0)
        rc = plugins_rules(&g->plugins, HOOK_PRICING, &g->arena, &o.pricing, l->err);
    if (rc == 0)
        rc = plugins_rules(&g->plugins, HOOK_SHIPPING_RATES, &g->arena, &o.shipping_rates, l->err);
    if (rc == 0)
        rc = plugins_rules(&g->plugins, HOOK_TAX_RATES, &g->arena, &o.tax_rates, l->err);
    if (rc == 0)
        rc = plugins_facts(&g->plugins, g->sources, &g->arena, &o.facts, &o.fact_count, l->err);
    if (rc == 0)
        rc = quote_rules_build(l->campaigns, &o, &g->rules, l->err);
    if (rc == 0)
        rc = grants_check(g, l->err);
    if (rc < 0)
        place_setting(g, l->err);
    return rc;
}

uint64_t rulebook_policies_hash(void)
{
    uint64_t parts[2] = { 0, 0 };
    for (const struct shipped_file *f = shipped_policies; f->path; f++) {
        parts[1] = hash_bytes(f->text, f->len);
        parts[0] = hash_bytes(parts, sizeof parts);
    }
    return parts[0];
}

/* The same files under another kernel or stdlib may price otherwise, so versions are part of the name. */
static void name_generation(struct generation *g)
{
    char text[160];
    int n = snprintf(text, sizeof text, "%s kernel %d stdlib %s", sources_hash(g->sources), QUOTE_KERNEL_VERSION, FEIRA_VERSION);
    unsigned char digest[SHA256_BYTES];
    crypto_sha256(slice_of(text, (size_t)n), digest);
    memcpy(g->id, "g_", 2);
    hex_encode(digest, 8, g->id + 2);
    g->id[sizeof g->id - 1] = '\0';
}

static void close_vm(const struct generation *g, struct vm *v)
{
    if (g->options.close_vm)
        g->options.close_vm(g->options.ctx, v);
    else
        vm_close(v);
}

static void know_shop(const struct generation *g, struct vm *v)
{
    if (g->options.know_shop)
        g->options.know_shop(g->options.ctx, v, g);
}

static int build(struct generation *g, struct err *err)
{
    struct loading l = { .sources = g->sources, .generation = g, .arena = &g->arena, .err = err };
    int rc = g->options.open_vm(g->options.ctx, &l.vm, err);
    if (rc < 0)
        return rc;
    rc = load_settings(g, &l);
    if (rc == 0)
        limits_read(json_get(g->settings.tree, "limits"), LIMITS_CAMPAIGNS, &g->campaign_limits);
    if (rc == 0)
        know_shop(g, l.vm);
    if (rc == 0)
        rc = plugins_load(g->sources, &g->settings, g->zone, &g->options, &g->arena, &g->plugins, err);
    if (rc == 0)
        rc = plugins_open(&g->plugins, &g->options, g, l.vm, err);
    g->plugin_function_count = vm_function_count(l.vm);
    if (rc == 0)
        rc = privacy_make(json_get(g->settings.tree, "privacy"), g->plugins.set, &g->arena, &g->privacy, err);
    if (rc == 0)
        rc = load_campaigns(&l);
    if (rc == 0)
        rc = check_ids(&l);
    if (rc == 0)
        rc = check_references(g, &l);
    if (rc == 0)
        rc = hash_specs(l.campaigns, &g->specs_hash, err);
    if (rc == 0)
        rc = compile(g, &l);
    g->campaigns = l.campaigns;
    g->announcements = l.announcements;
    g->uses = l.uses;
    if (rc == 0)
        rc = list_made(g, err);
    g->function_count = vm_function_count(l.vm);
    atomic_init(&g->unclaimed, l.vm);
    return rc < 0 ? excerpt_add(g->sources, err) : 0;
}

static void destroy(struct generation *g)
{
    map_release(&g->made_by_id);
    struct vm *unclaimed = atomic_exchange(&g->unclaimed, NULL);
    if (unclaimed)
        close_vm(g, unclaimed);
    quote_rules_free(g->rules);
    plugins_free(&g->plugins);
    zone_free(g->zone);
    arena_release(&g->arena);
    sources_free(g->sources);
    free(g);
}

int generation_build(const struct rulebook_options *o, struct sources *src, struct generation **out, struct err *err)
{
    *out = NULL;
    struct err unused;
    if (!err)
        err = &unused; /* messages are put together from others */
    struct generation *g = calloc(1, sizeof *g);
    if (!g)
        return nomem(err);
    atomic_init(&g->refs, 1);
    arena_init(&g->arena, NULL, 0);
    map_init(&g->made_by_id, NULL);
    g->options = *o;
    g->sources = src;
    name_generation(g);
    int rc = build(g, err);
    if (rc < 0) {
        g->sources = NULL; /* still the caller's */
        destroy(g);
        return rc;
    }
    *out = g;
    return 0;
}

struct generation *generation_ref(struct generation *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

void generation_unref(struct generation *g)
{
    if (g && atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) == 1)
        destroy(g);
}

const char *generation_id(const struct generation *g)
{
    return g->id;
}

const struct shop_settings *generation_settings(const struct generation *g)
{
    return &g->settings;
}

const struct privacy *generation_privacy(const struct generation *g)
{
    return &g->privacy;
}

const struct quote_rules *generation_rules(const struct generation *g)
{
    return g->rules;
}

const struct zone *generation_zone(const struct generation *g)
{
    return g->zone;
}

const struct sources *generation_sources(const struct generation *g)
{
    return g->sources;
}

const struct limits *generation_campaign_limits(const struct generation *g)
{
    return &g->campaign_limits;
}

const struct plugin_set *generation_plugins(const struct generation *g)
{
    return g->plugins.set;
}

const struct generation_plugin *generation_plugin(const struct generation *g, const struct manifest *m)
{
    for (size_t i = 0; i < g->plugins.count; i++)
        if (g->plugins.list[i].manifest == m)
            return &g->plugins.list[i].pub;
    return NULL;
}

const struct json_value *generation_campaigns(const struct generation *g)
{
    return g->campaigns;
}

const struct json_value *generation_announcements(const struct generation *g)
{
    return g->announcements;
}

const struct made_campaign *generation_made(const struct generation *g, size_t *count)
{
    *count = g->made_count;
    return g->made;
}

const struct made_campaign *generation_find_made(const struct generation *g, struct slice id)
{
    return map_get(&g->made_by_id, id);
}

const struct json_value *generation_made_by(const struct generation *g, size_t i)
{
    const struct campaign_use *u = use_of(g->uses, i);
    return u ? u->use : NULL;
}

int generation_hook(const struct generation *g, const struct hook_ref *h)
{
    return plugins_fn(&g->plugins, h);
}

bool generation_hook_of(const struct generation *g, int fn, struct hook_ref *out)
{
    for (size_t i = 0; i < g->plugins.count; i++) {
        const struct generation_plugin *p = &g->plugins.list[i].pub;
        if (fn < p->first_fn || (size_t)(fn - p->first_fn) >= p->manifest->hook_count)
            continue;
        *out = (struct hook_ref){ p->manifest, &p->manifest->hooks[fn - p->first_fn] };
        return true;
    }
    return false;
}

/* --- states ---------------------------------------------------------------------------------------------------------- */

void generation_put_back_vm(struct generation *g, struct vm *vm)
{
    struct vm *other = atomic_exchange(&g->unclaimed, vm);
    if (other)
        close_vm(g, other);
}

/* Every file was run before, in the state that the generation was built in, so what differs is a fault of ours. */
static int loaded_otherwise(const struct generation *g, const struct vm *v, size_t expected, struct err *err)
{
    return err_set(err, ERR_INTERNAL, "generation %s loaded differently in another Lua state (%zu functions, not %zu)", g->id,
                   vm_function_count(v), expected);
}

static int open_campaigns(struct loading *l)
{
    struct generation *g = l->generation;
    uint64_t hash = 0;
    int rc = load_campaigns(l);
    if (rc == 0)
        rc = hash_specs(l->campaigns, &hash, l->err);
    if (rc == 0 && (vm_function_count(l->vm) != g->function_count || hash != g->specs_hash))
        rc = loaded_otherwise(g, l->vm, g->function_count, l->err);
    return rc;
}

static int open_state(struct generation *g, bool campaigns, struct vm **out, struct err *err)
{
    struct err unused;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    struct loading l = { .sources = g->sources, .generation = g, .arena = &arena, .err = err ? err : &unused };
    int rc = g->options.open_vm(g->options.ctx, &l.vm, l.err);
    *out = NULL;
    if (rc < 0)
        return rc;
    know_shop(g, l.vm);
    rc = plugins_open(&g->plugins, &g->options, g, l.vm, l.err);
    if (rc == 0 && vm_function_count(l.vm) != g->plugin_function_count)
        rc = loaded_otherwise(g, l.vm, g->plugin_function_count, l.err);
    if (rc == 0 && campaigns)
        rc = open_campaigns(&l);
    arena_release(&arena);
    if (rc < 0)
        close_vm(g, l.vm);
    else
        *out = l.vm;
    return rc;
}

int generation_open_vm(struct generation *g, struct vm **out, struct err *err)
{
    *out = atomic_exchange(&g->unclaimed, NULL);
    return *out ? 0 : open_state(g, true, out, err);
}

int generation_open_plugins_vm(struct generation *g, struct vm **out, struct err *err)
{
    return open_state(g, false, out, err);
}
