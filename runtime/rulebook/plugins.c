/* The plugins of a generation: those that shop.lua turns on, from their folders, in their order, with their settings; and their files in a
 * Lua state, each plugin in a space of its own. */
#include "base/schema.h"
#include "rulebook/rulebook_int.h"
#include <stdio.h>
#include <stdlib.h>

enum { PLUGINS_MAX = 1000 };

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory while loading the plugins");
}

/* --- which ---------------------------------------------------------------------------------------------------------------- */

/* "plugins/invite/plugin.lua" → invite; empty for other files. */
static struct slice plugin_of(struct slice path)
{
    static const char head[] = "plugins/", tail[] = "/plugin.lua";
    size_t h = sizeof head - 1, t = sizeof tail - 1;
    if (path.len <= h + t || memcmp(path.data, head, h) != 0 || memcmp(path.data + path.len - t, tail, t) != 0)
        return slice_str("");
    return slice_of(path.data + h, path.len - h - t);
}

static int no_plugin(const struct reader *r, const struct place *at, const struct sources *src, struct slice name)
{
    const char *words[PLUGINS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < sources_count(src) && n < PLUGINS_MAX; i++) {
        struct slice there = plugin_of(sources_at(src, i)->path);
        if (there.len && !(words[n] = arena_strdup(r->arena, there)))
            return reader_nomem(r);
        n += there.len > 0;
    }
    for (const struct shipped_file *f = shipped_files; f->path && n < PLUGINS_MAX; f++) {
        struct slice there = plugin_of(slice_str(f->path));
        if (there.len && !(words[n] = arena_strdup(r->arena, there)))
            return reader_nomem(r);
        n += there.len > 0;
    }
    words[n] = NULL;
    const char *near = nearest_word(name, words);
    if (near)
        return reader_fail(r, at, "there is no plugin of that name; did you mean \"%s\"?", near);
    return reader_fail(r, at, "there is no plugin of that name: neither a folder plugins/%.*s with a plugin.lua, nor one that ships",
                       SLICE_FMT(name));
}

static int read_one(const struct reader *r, const struct place *at, const struct sources *src, struct slice name,
                    const struct rulebook_options *o, struct live_plugin *out)
{
    static const char *const none[] = { NULL };
    char path[128];
    snprintf(path, sizeof path, "plugins/%.*s/plugin.lua", SLICE_FMT(name));
    const struct source_file *f = name.len < 64 ? sources_find(src, slice_str(path)) : NULL;
    if (!f)
        return no_plugin(r, at, src, name);
    out->pub.space = arena_strdup(r->arena, slice_of(path, name.len + sizeof "plugins/" - 1));
    if (!out->pub.space)
        return reader_nomem(r);
    int rc = manifests_take(o->manifests, f->text, path, &out->manifest, r->err);
    if (rc < 0)
        return rc;
    out->sources = src;
    out->pub.manifest = out->manifest;
    out->space = (struct vm_space_options){ .name = out->pub.space, .shared = o->plugin_modules ? o->plugin_modules : none };
    return 0;
}

/* require("rules") in a file of the plugin: plugins/invite/rules.lua. The manifest is no code. */
static int resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    const struct live_plugin *p = ctx;
    char path[160];
    if (!name_is_identifier(name) || slice_is(name, "plugin"))
        return ERR_NOT_FOUND;
    snprintf(path, sizeof path, "%s/%.*s.lua", p->pub.space, SLICE_FMT(name));
    const struct source_file *f = sources_find(p->sources, slice_str(path));
    if (!f)
        return err_set(err, ERR_NOT_FOUND, "there is no file %s", path);
    *source = f->text;
    *chunk = f->path;
    return 0;
}

/* --- their settings --------------------------------------------------------------------------------------------------------- */

static int settle_one(struct live_plugin *p, const struct settle *s, const struct json_value *given)
{
    struct buf text;
    buf_init(&text, NULL);
    int rc = manifest_settings(p->manifest, s, given, &text);
    struct json_value *tree = NULL;
    if (rc == 0) {
        struct slice kept = arena_copy(s->reader.arena, buf_slice(&text));
        rc = kept.data ? json_parse(kept, NULL, s->reader.arena, &tree, s->reader.err) : reader_nomem(&s->reader);
    }
    buf_release(&text);
    p->pub.settings = tree;
    return rc;
}

/* Into the order of the set. The functions of plugins are the first ones that a state numbers. */
static int settle_all(struct live_plugins *all, struct live_plugin *found, size_t n, const struct settle *s, const struct json_value *given)
{
    int next_fn = 1;
    for (size_t i = 0; i < n; i++) {
        const struct manifest *m = plugin_set_at(all->set, i);
        struct live_plugin *p = &all->list[i];
        size_t k = 0;
        while (found[k].manifest != m)
            k++;
        *p = found[k];
        p->space.resolve = resolve;
        p->space.ctx = p;
        p->pub.first_fn = next_fn;
        next_fn += (int)m->hook_count;
        int rc = settle_one(&all->list[i], s, json_get(given, m->name));
        if (rc == 0)
            rc = rules_revision(p, s->reader.arena, s->reader.err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int make_set(struct live_plugins *out, struct live_plugin *found, size_t n, struct arena *arena, struct err *err)
{
    const struct manifest **list = arena_array(arena, n + 1, sizeof *list);
    if (!list)
        return nomem(err);
    for (size_t i = 0; i < n; i++)
        list[i] = found[i].manifest;
    return plugin_set_make(list, n, NULL, &out->set, err);
}

static int read_limits(struct live_plugins *p, size_t n, const struct json_value *given, const struct reader *r)
{
    const char **owners = arena_array(r->arena, n + 1, sizeof *owners);
    if (!owners)
        return reader_nomem(r);
    for (size_t i = 0; i < n; i++)
        owners[i] = p->list[i].manifest->name;
    owners[n] = NULL;
    int rc = limits_check(r, given, owners);
    for (size_t i = 0; i < n && rc == 0; i++)
        limits_read(given, owners[i], &p->list[i].pub.limits);
    return rc;
}

int plugins_load(const struct sources *src, const struct shop_settings *settings, const struct zone *zone, const struct rulebook_options *o,
                 struct arena *arena, struct live_plugins *out, struct err *err)
{
    const struct json_value *given = json_get(settings->tree, "plugins");
    const struct source_file *shop = sources_find(src, SLICE_LIT("shop.lua"));
    struct settle s = { .reader = { .arena = arena, .file = "shop.lua", .err = err, .source = shop->text },
                        .exponent = settings->currency.exponent,
                        .zone = zone };
    const struct place root = { 0 };
    struct place here = place_in(&root, "plugins");
    size_t n = 0, count = given ? given->count : 0;
    int rc = given ? reader_table(&s.reader, &here, given) : 0;
    if (rc == 0 && count > PLUGINS_MAX)
        rc = reader_fail(&s.reader, &here, "turns on %zu plugins; a shop has at most %d", count, PLUGINS_MAX);
    if (rc < 0)
        return rc;
    struct live_plugin *found = arena_array(arena, count + 1, sizeof *found);
    out->list = arena_array(arena, count + 1, sizeof *out->list);
    out->shared = o->manifests;
    if (!found || !out->list)
        return nomem(err);
    for (const struct json_value *p = given ? given->first : NULL; p && rc == 0; p = p->next) {
        struct place at = place_named(&here, p->key);
        rc = reader_table(&s.reader, &at, p);
        if (rc == 0)
            rc = read_one(&s.reader, &at, src, p->key, o, &found[n]);
        n += rc == 0;
    }
    if (rc == 0)
        rc = make_set(out, found, n, arena, err);
    if (rc == 0)
        rc = settle_all(out, found, n, &s, given);
    if (rc == 0)
        rc = read_limits(out, n, json_get(settings->tree, "limits"), &s.reader);
    out->count = n;
    for (size_t i = 0; i < n; i++) /* the order of the set is not needed to free them */
        out->list[i].manifest = rc == 0 ? out->list[i].manifest : found[i].manifest;
    return rc;
}

void plugins_free(struct live_plugins *p)
{
    plugin_set_free(p->set);
    for (size_t i = 0; i < p->count; i++)
        manifests_give_back(p->shared, p->list[i].manifest);
}

/* --- in a state --------------------------------------------------------------------------------------------------------------- */

static int no_function(const struct live_plugin *p, const struct hook *h, struct err *err)
{
    char cause[sizeof err->text];
    if (strncmp(err->text, "plugins/", 8) == 0 && !strstr(err->text, "there is no f")) /* the file itself is broken, and says where */
        return err->code;
    snprintf(cause, sizeof cause, "%s", err->text);
    return err_set(err, ERR_INVALID, "%s: %s[\"%s\"] names %.*s.%.*s: %s", p->manifest->file, hook_section(h->kind), h->name,
                   SLICE_FMT(h->module), SLICE_FMT(h->function), cause);
}

static int open_one(struct live_plugin *p, const struct rulebook_options *o, struct generation *g, struct vm *vm, struct err *err)
{
    vm_ref settings = 0;
    struct limits_hold hold;
    limits_hold(vm, &p->pub.limits.of[LIMIT_LOAD], &hold);
    int rc = vm_space_open(vm, &p->space, err);
    if (rc == 0 && o->open_plugin)
        rc = o->open_plugin(o->ctx, vm, g, &p->pub, &settings, err);
    if (rc == 0 && !settings)
        rc = vm_keep_json(vm, p->pub.settings, &settings, err);
    for (size_t i = 0; i < p->manifest->hook_count && rc == 0; i++) {
        const struct hook *h = &p->manifest->hooks[i];
        int fn;
        rc = vm_space_function(vm, p->pub.space, h->module, h->function, settings, &fn, err);
        if (rc < 0)
            rc = no_function(p, h, err);
        else if (fn != p->pub.first_fn + (int)i)
            rc = err_set(err, ERR_INTERNAL, "%s: its functions have other numbers in another Lua state", p->pub.space);
    }
    vm_release(vm, settings);
    return limits_let_go(vm, &hold, p->manifest->name, LIMIT_LOAD, rc, err);
}

int plugins_open(struct live_plugins *p, const struct rulebook_options *o, struct generation *g, struct vm *vm, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; i < p->count && rc == 0; i++)
        rc = open_one(&p->list[i], o, g, vm, err);
    return rc;
}

int plugins_fn(const struct live_plugins *p, const struct hook_ref *h)
{
    size_t i = 0;
    while (p->list[i].manifest != h->plugin)
        i++;
    return p->list[i].pub.first_fn + (int)(h->hook - h->plugin->hooks);
}

int plugins_rules(const struct live_plugins *p, enum hook_kind kind, struct arena *arena, struct quote_rule_list *out, struct err *err)
{
    size_t count;
    const struct hook_ref *refs = plugin_set_hooks(p->set, kind, &count);
    struct quote_rule *list = arena_array(arena, count + 1, sizeof *list);
    if (!list)
        return nomem(err);
    for (size_t i = 0; i < count; i++) {
        struct slice name = arena_printf(arena, "%s.%s", refs[i].plugin->name, refs[i].hook->name);
        if (!name.data || !(list[i].name = arena_strdup(arena, name)))
            return nomem(err);
        struct slice owner = arena_printf(arena, PLUGIN_OWNER "%s", refs[i].plugin->name);
        if (!owner.data || !(list[i].owner = arena_strdup(arena, owner)))
            return nomem(err);
        list[i].fn = plugins_fn(p, &refs[i]);
        list[i].skip_on_failure = refs[i].hook->on_failure == FAILURE_SKIP;
    }
    *out = (struct quote_rule_list){ list, count };
    return 0;
}

/* --- promo.use ------------------------------------------------------------------------------------------------------------------ */

/* "invite" is its type "invite", "invite.big" its type "big". */
static const struct hook *find_type(const struct live_plugins *p, const struct reader *r, struct slice name, struct live_plugin **plugin)
{
    const char *dot = memchr(name.data, '.', name.len);
    struct slice owner = dot ? slice_of(name.data, (size_t)(dot - name.data)) : name;
    struct slice type = dot ? slice_of(dot + 1, (size_t)(name.data + name.len - dot - 1)) : name;
    const char *words[PLUGINS_MAX + 1];
    size_t n = 0;
    *plugin = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const struct manifest *m = p->list[i].manifest;
        if (slice_is(owner, m->name))
            *plugin = &p->list[i];
        if (m->hook_first[HOOK_CAMPAIGN] < m->hook_first[HOOK_CAMPAIGN + 1])
            words[n++] = m->name;
    }
    words[n] = NULL;
    const struct hook *h = *plugin ? manifest_hook((*plugin)->manifest, HOOK_CAMPAIGN, type) : NULL;
    if (h)
        return h;
    const char *near = nearest_word(owner, words);
    if (*plugin)
        err_set(r->err, ERR_INVALID,
                "%s: promo.use: the plugin %.*s makes no campaigns of the type \"%.*s\"; see campaigns in its plugin.lua", r->file,
                SLICE_FMT(owner), SLICE_FMT(type));
    else if (near)
        err_set(r->err, ERR_INVALID, "%s: promo.use: there is no plugin \"%.*s\"; did you mean \"%s\"?", r->file, SLICE_FMT(owner), near);
    else
        err_set(r->err, ERR_INVALID, "%s: promo.use: there is no plugin \"%.*s\"; turn it on in shop.lua: plugins = { [\"%.*s\"] = {} }",
                r->file, SLICE_FMT(owner), SLICE_FMT(owner));
    return NULL;
}

/* Whatever the plugin said itself. */
static bool set_member(const struct reader *r, struct json_value *object, const char *key, struct slice text)
{
    struct json_value *last = NULL, *value = json_new_string(r->arena, text);
    if (!value)
        return false;
    for (struct json_value *m = object->first; m; m = m->next) {
        if (slice_is(m->key, key)) {
            m->type = JSON_STRING;
            m->string = value->string;
            return true;
        }
        last = m;
    }
    value->key = slice_str(key);
    json_append(object, last, value);
    return true;
}

/* What the merchant declares beside the fields is his: the plugin's function does not see it. */
static int declare_made(const struct reader *r, struct json_value *made, const struct json_value *declares)
{
    struct json_value *last = NULL, *value = arena_alloc(r->arena, sizeof *value);
    if (!value)
        return reader_nomem(r);
    for (struct json_value *m = made->first; m; last = m, m = m->next)
        if (slice_is(m->key, "declares"))
            return err_set(r->err, ERR_INVALID, "%s: the plugin declares something of this campaign itself; leave declares out", r->file);
    *value = *declares;
    value->key = SLICE_LIT("declares");
    value->next = NULL;
    json_append(made, last, value);
    return 0;
}

/* Campaigns stand where the merchant wrote them, whatever file made them, and belong to the plugin. */
static int place_made(struct json_value *made, struct slice at, const char *plugin, const struct json_value *declares,
                      const struct reader *r)
{
    struct slice owner = arena_printf(r->arena, PLUGIN_OWNER "%s", plugin);
    if (!owner.data)
        return reader_nomem(r);
    struct json_value *list = made->type == JSON_ARRAY ? made->first : made;
    for (struct json_value *c = list; c; c = made->type == JSON_ARRAY ? c->next : NULL) {
        if (c->type != JSON_OBJECT || json_get(c, "use"))
            return err_set(r->err, ERR_INVALID,
                           "%s: the plugin's function gives %s; it must give promo.campaign { ... }, or a list of them", r->file,
                           json_type_name(c->type));
        if (!set_member(r, c, "at", at) || !set_member(r, c, "owner", owner))
            return reader_nomem(r);
        int rc = declares ? declare_made(r, c, declares) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The lists of two campaigns share nothing: a value stands in one place only. */
static bool append_copy(const struct reader *r, struct json_value *to, struct json_value **last, const struct json_value *v,
                        struct slice key)
{
    struct json_value *copy = arena_alloc(r->arena, sizeof *copy);
    if (!copy)
        return false;
    *copy = *v;
    copy->key = key;
    copy->next = NULL;
    json_append(to, *last, copy);
    *last = copy;
    return true;
}

static bool append_all(const struct reader *r, struct json_value *to, struct json_value **last, const struct json_value *conditions)
{
    bool list = conditions && conditions->type == JSON_ARRAY;
    bool good = true;
    for (const struct json_value *v = list ? conditions->first : conditions; v && good; v = list ? v->next : NULL)
        good = append_copy(r, to, last, v, slice_str(""));
    return good;
}

/* promo.campaign { coupon = { ... } }: the plugin gives { when = ... }, which must hold before what the campaign itself asks for. */
static int add_conditions(const struct json_value *campaign, const struct json_value *more, struct json_value **out, const struct reader *r)
{
    struct json_value *c = json_new(r->arena, JSON_OBJECT), *all = json_new(r->arena, JSON_ARRAY), *last = NULL;
    const struct json_value *when = more->type == JSON_OBJECT ? json_get(more, "when") : NULL;
    if (!when)
        return err_set(r->err, ERR_INVALID, "%s: the plugin's function must give { when = ... }, what has to hold for the campaign",
                       r->file);
    bool good = c && all && append_all(r, all, &last, when) && append_all(r, all, &last, json_get(campaign, "when"));
    last = NULL;
    for (const struct json_value *m = campaign->first; m && good; m = m->next)
        good = slice_is(m->key, "when") || append_copy(r, c, &last, m, m->key);
    if (!good || !append_copy(r, c, &last, all, slice_str("when")))
        return reader_nomem(r);
    *out = c;
    return 0;
}

static int settle_fields(const struct settle *s, const struct hook *h, const struct json_value *use, struct json_value **out)
{
    const struct place root = { 0 };
    struct buf text;
    struct json_writer w;
    buf_init(&text, NULL);
    json_writer_init(&w, &text);
    int rc = values_settle(s, &root, h->values, h->value_count, json_get(use, "fields"), &w);
    if (rc == 0) {
        struct slice kept = arena_copy(s->reader.arena, buf_slice(&text));
        rc = kept.data ? json_parse(kept, NULL, s->reader.arena, out, s->reader.err) : reader_nomem(&s->reader);
    }
    buf_release(&text);
    return rc;
}

static int settle_use_again(struct live_plugins *p, const struct settle *settle, const struct json_value *use)
{
    struct settle s = *settle;
    struct slice name = { "", 0 }, at = { "", 0 };
    struct live_plugin *plugin;
    struct json_value *fields;
    json_is_string(json_get(use, "use"), &name);
    json_is_string(json_get(use, "at"), &at);
    if (!(s.reader.file = arena_strdup(s.reader.arena, at)))
        return reader_nomem(&s.reader);
    const struct hook *h = find_type(p, &s.reader, name, &plugin);
    return h ? settle_fields(&s, h, use, &fields) : s.reader.err->code;
}

int plugins_settle_again(struct live_plugins *p, const struct settle *settle, const struct json_value *given,
                         const struct campaign_use *uses)
{
    int rc = 0;
    struct buf text;
    buf_init(&text, NULL);
    for (size_t i = 0; i < p->count && rc == 0; i++)
        rc = manifest_settings(p->list[i].manifest, settle, json_get(given, p->list[i].manifest->name), &text);
    buf_release(&text);
    for (; uses && rc == 0; uses = uses->next)
        rc = settle_use_again(p, settle, uses->use);
    return rc;
}

int plugins_use(struct live_plugins *p, struct vm *vm, const struct settle *settle, struct campaign_use *kept, struct arena *arena,
                struct json_value **out, struct err *err)
{
    const struct json_value *use = kept->use;
    struct settle s = *settle;
    struct slice name = { "", 0 }, at = { "", 0 };
    struct live_plugin *plugin;
    struct json_value *fields;
    vm_ref made = 0;
    json_is_string(json_get(use, "use"), &name);
    json_is_string(json_get(use, "at"), &at);
    if (!(s.reader.file = arena_strdup(arena, at)))
        return nomem(err);
    const struct hook *h = find_type(p, &s.reader, name, &plugin);
    if (!h)
        return err->code;
    int rc = settle_fields(&s, h, use, &fields);
    if (rc < 0)
        return rc;
    struct hook_ref ref = { plugin->manifest, h };
    kept->fields = fields;
    kept->type = h;
    kept->plugin = plugin->manifest;
    vm_push_json(vm, fields);
    struct limits_hold hold;
    limits_hold(vm, &plugin->pub.limits.of[LIMIT_LOAD], &hold);
    rc = vm_call_keep(vm, vm_function(vm, plugin->pub.first_fn + (int)(ref.hook - ref.plugin->hooks)), 1, &made, err);
    rc = limits_let_go(vm, &hold, plugin->manifest->name, LIMIT_LOAD, rc, err);
    if (rc < 0)
        err_wrap(err, "%s", s.reader.file); /* what the merchant wrote is where he can change it */
    if (rc == 0 && !made)
        rc = err_set(err, ERR_INVALID, "%s: the plugin's function gives nothing; it must give promo.campaign { ... }", s.reader.file);
    if (rc == 0)
        rc = vm_to_json(vm, made, arena, out, err);
    if (rc == 0 && json_get(use, "campaign"))
        rc = add_conditions(json_get(use, "campaign"), *out, out, &s.reader);
    vm_release(vm, made);
    return rc < 0 ? rc : place_made(*out, at, plugin->manifest->name, json_get(use, "declares"), &s.reader);
}
