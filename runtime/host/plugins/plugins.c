#include "host/webhooks/webhooks.h"
#include "host/plugins/plugins.h"
#include "bind/tasks.h"
#include "host/care/access.h"
#include "host/publish/pins.h"
#include "host/plugins/plugin_data.h"
#include "host/plugins/secrets.h"
#include "host/care/plugin_stops.h"
#include "host/worker.h"
#include "rulebook/catalogue.h"
#include "rulebook/privacy.h"
#include "rulebook/shop_data.h"
#include <stdio.h>
#include <stdlib.h>

enum { NAME_MAX_BYTES = 160 };

/* What is harmless wherever it is called, or asks for its moment itself. */
const char *const plugin_modules[] = { "feira.promo",      "feira.money", "feira.json",  "feira.time", "feira.log",
                                       "feira.fail",       "feira.ids",   "feira.check", "feira.vm",   "feira.crypto",
                                       "feira.signatures", "feira.law",   NULL };

struct plugin_state *plugin_state_new(void)
{
    struct plugin_state *s = calloc(1, sizeof *s);
    if (s)
        arena_init(&s->arena, NULL, 0);
    return s;
}

void plugin_state_free(struct plugin_state *s)
{
    if (!s)
        return;
    http_router_free(s->router);
    figures_close(s->figures);
    secrets_free(s->secrets);
    stops_view_close(&s->stops);
    arena_release(&s->arena);
    free(s);
}

struct plugin_state *plugin_state_of(struct vm *vm)
{
    return (struct plugin_state *)bind_context_of(vm); /* its first member */
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "Out of memory while loading the plugins.");
}

/* --- who may call and hear what -------------------------------------------------------------------------------------------- */

static int find_procedure(void *ctx, const struct bind_plugin *caller, struct slice name, struct bind_procedure *out, struct err *err)
{
    struct plugin_state *s = ctx;
    const struct manifest *from = caller->host, *m = from;
    const char *dot = memchr(name.data, '.', name.len);
    struct slice owner = dot ? slice_of(name.data, (size_t)(dot - name.data)) : slice_str(from->name);
    struct slice part = dot ? slice_of(dot + 1, (size_t)(name.data + name.len - dot - 1)) : name;
    if (!slice_is(owner, from->name)) {
        m = plugin_set_find(generation_plugins(s->generation), owner);
        if (!needs_procedure(from, owner, part))
            return err_set(err, ERR_SCRIPT, "the plugin %s may not call %.*s; add \"%.*s\" to needs.procedures in its plugin.lua",
                           from->name, SLICE_FMT(name), SLICE_FMT(name));
    }
    const struct shop_procedure *shops = m ? NULL : shop_procedure(owner, part);
    if (shops) {
        *out = (struct bind_procedure){ .stdlib = shops->stdlib, .args = shops->args };
        return 0;
    }
    if (m && m != from && plugin_stopped(s, m->name))
        return plugin_refuse(m->name, err);
    const struct hook *h = m ? manifest_hook(m, HOOK_PROCEDURE, part) : NULL;
    if (!h)
        return err_set(err, ERR_SCRIPT, "the plugin %.*s has no procedure \"%.*s\"", SLICE_FMT(owner), SLICE_FMT(part));
    *out = (struct bind_procedure){ .fn = generation_hook(s->generation, &(struct hook_ref){ m, h }), .args = h->schema };
    return 0;
}

static const struct plugin_event *own_event(const struct manifest *m, struct slice name)
{
    for (size_t i = 0; i < m->event_count; i++)
        if (slice_is(name, m->events[i].name))
            return &m->events[i];
    return NULL;
}

static int event_payload(const struct bind_plugin *from, struct slice name, const struct schema **out, const char **key, struct err *err)
{
    if (!from) {
        const struct catalogue_event *e = catalogue_event(name);
        *out = e ? e->payload : NULL;
        return e ? 0 : err_set(err, ERR_INTERNAL, "there is no event \"%.*s\" in the catalogue", SLICE_FMT(name));
    }
    const struct manifest *m = from->host;
    const struct plugin_event *e = own_event(m, name);
    *out = e ? e->payload : NULL;
    *key = e ? e->key : NULL;
    return e ? 0
             : err_set(err, ERR_SCRIPT, "the plugin %s has no event \"%.*s\"; add it to events in its plugin.lua", m->name,
                       SLICE_FMT(name));
}

static int find_event(void *ctx, const struct bind_plugin *from, struct slice name, struct arena *arena, struct bind_event *out,
                      struct err *err)
{
    struct plugin_state *s = ctx;
    struct slice whole = from ? arena_printf(arena, "%s.%.*s", from->name, SLICE_FMT(name)) : name;
    int rc = whole.data ? event_payload(from, name, &out->payload, &out->key, err) : nomem(err);
    if (rc < 0)
        return rc;
    out->published = webhooks_hear(s->webhooks, whole);
    const struct hook_ref *refs = plugin_set_subscribers(generation_plugins(s->generation), whole, &out->count);
    if (out->count == 0)
        return 0;
    struct bind_subscriber *list = arena_array(arena, out->count, sizeof *list);
    if (!list)
        return nomem(err);
    for (size_t i = 0; i < out->count && rc >= 0; i++) {
        bool later = refs[i].hook->when == WHEN_AFTER_COMMIT;
        const struct stop *stop = later ? NULL : plugin_stopped(s, refs[i].plugin->name);
        rc = stop ? plugin_defers(stop, &refs[i], err) : later;
        list[i] = (struct bind_subscriber){ generation_hook(s->generation, &refs[i]), refs[i].plugin->name, rc > 0 };
    }
    if (rc < 0)
        return rc;
    out->list = list;
    return 0;
}

static int publish(void *ctx, struct slice event, struct slice key, const struct json_value *payload, struct err *err)
{
    const struct plugin_state *s = ctx;
    const struct bind_context *b = &s->bind;
    return webhooks_tell(s->webhooks, b->conn, b->ids, &(struct webhook_news){ event, key, payload, b->now_ms }, err);
}

static int may_account(void *ctx, const struct bind_plugin *caller, struct slice name, bool write, struct err *err)
{
    const struct manifest *m = caller->host;
    const char *end = memchr(name.data, '/', name.len);
    struct slice first = slice_of(name.data, end ? (size_t)(end - name.data) : name.len);
    (void)ctx;
    if (needs_ledger(m, name, write))
        return 0;
    if (write && catalogue_is_core(first))
        return err_set(err, ERR_SCRIPT,
                       "the plugin %s may not move accounts of %.*s, which belong to the shop: its procedures move them, name those in "
                       "needs.procedures; or begin the name with %s/",
                       m->name, SLICE_FMT(first), m->name);
    return err_set(
        err, ERR_SCRIPT,
        "the plugin %s may not %s accounts of %.*s; add \"%.*s:%s\" to needs.ledger in its plugin.lua, or begin the name with %s/", m->name,
        write ? "move" : "read", SLICE_FMT(first), SLICE_FMT(first), write ? "write" : "read", m->name);
}

static int enter(void *ctx, int fn)
{
    const struct plugin_state *s = ctx;
    return s->tally ? tally_enter(s->tally, fn) : TALLY_SHOP;
}

static void leave(void *ctx, int before, bool failed, struct slice why)
{
    const struct plugin_state *s = ctx;
    if (s->tally)
        tally_leave(s->tally, before, failed, why);
}

static bool may_call(void *ctx, const struct bind_plugin *caller, struct slice host, int port)
{
    (void)ctx;
    return needs_http(caller->host, host, port);
}

static bool made(void *ctx, const struct bind_plugin *caller, struct slice id, struct bind_made *out)
{
    const struct plugin_state *s = ctx;
    const struct made_campaign *m = generation_find_made(s->generation, id);
    if (!m || m->plugin != caller->host)
        return false;
    *out = (struct bind_made){ m->id, m->type, m->fields };
    return true;
}

static bool next_made(void *ctx, const struct bind_plugin *caller, size_t *i, struct bind_made *out)
{
    const struct plugin_state *s = ctx;
    size_t n;
    const struct made_campaign *list = generation_made(s->generation, &n);
    while (*i < n && list[*i].plugin != caller->host)
        ++*i;
    if (*i == n)
        return false;
    *out = (struct bind_made){ list[*i].id, list[*i].type, list[*i].fields };
    return true;
}

static const struct bind_plugin_host plugin_host = { .procedure = find_procedure,
                                                     .event = find_event,
                                                     .publish = publish,
                                                     .input = plugin_input,
                                                     .looks_at_codes = plugin_looks_at_codes,
                                                     .facts = plugin_facts_of,
                                                     .enter = enter,
                                                     .leave = leave,
                                                     .may_call = may_call,
                                                     .made = made,
                                                     .next_made = next_made,
                                                     .account = may_account,
                                                     .checks = plugin_checks_at_runtime,
                                                     .rules = pins_rules };

/* --- a plugin in a state ------------------------------------------------------------------------------------------------------- */

static const char *const *timer_names(const struct manifest *m, struct arena *arena)
{
    size_t first = m->hook_first[HOOK_TIMER], end = m->hook_first[HOOK_TIMER + 1];
    const char **names = arena_array(arena, end - first + 1, sizeof *names);
    for (size_t i = first; names && i < end; i++)
        names[i - first] = m->hooks[i].name;
    return names;
}

static int give(struct vm *vm, const char *space, const char *module, vm_ref *value, struct err *err)
{
    vm_ref given = *value;
    *value = 0;
    return vm_space_give(vm, space, module, given, err);
}

void plugins_know_shop(void *ctx, struct vm *vm, const struct generation *g)
{
    struct bind_context *b = bind_context_of(vm);
    (void)ctx;
    b->currency = generation_settings(g)->currency;
    b->zone = generation_zone(g);
    b->complete_after_ms = generation_settings(g)->complete_after_ms;
    b->checkout_ttl_ms = generation_settings(g)->checkout_ttl_ms;
    b->stock_low = generation_settings(g)->stock_low;
    b->compared_days = generation_settings(g)->compared_days;
    b->compared_by_deals = generation_settings(g)->compared_by_deals;
}

void plugins_attach(struct vm *vm, struct generation *g, struct webhooks *webhooks)
{
    struct plugin_state *s = plugin_state_of(vm);
    s->generation = g;
    s->bind.plugins = &plugin_host;
    s->bind.plugins_ctx = s;
    s->webhooks = webhooks;
    s->bind.privacy = generation_privacy(g)->catalogue;
}

static struct field_reads *reads_of(void *ctx, const char *plugin, const char *field, const char *purpose)
{
    struct shop *s = ctx;
    return s && s->access ? access_reads(s->access, plugin, field, purpose) : NULL;
}

int plugins_open_one(void *shop, struct vm *vm, struct generation *g, const struct generation_plugin *plugin, vm_ref *settings,
                     struct err *err)
{
    struct plugin_state *s = plugin_state_of(vm);
    const struct manifest *m = plugin->manifest;
    struct bind_grants *grants = arena_zalloc(&s->arena, sizeof *grants);
    struct bind_plugin *p = arena_zalloc(&s->arena, sizeof *p);
    const char *const *timers = timer_names(m, &s->arena);
    vm_ref store = 0, self = 0, timers_of = 0, ledger = 0, http = 0, stream = 0, own_settings = 0;
    if (!grants || !p || !timers)
        return nomem(err);
    s->generation = g;
    s->bind.plugins = &plugin_host;
    s->bind.plugins_ctx = s;
    *p = (struct bind_plugin){ m->name, m->version_text, timers, m, plugin->revision, plugin_modules };
    struct shop_view view = { json_get(generation_settings(g)->tree, "privacy"), reads_of, shop };
    int rc = plugin_grants(generation_plugins(g), m, &view, &s->arena, grants, err);
    if (rc == 0)
        rc = secrets_settings(shop, vm, plugin, &own_settings, err);
    if (rc == 0) /* twice: what is given to a state is frozen, and both are */
        rc = secrets_settings(shop, vm, plugin, settings, err);
    if (rc == 0)
        rc = bind_store(vm, grants, &store, err);
    if (rc == 0)
        rc = bind_plugin_modules(vm, p, own_settings, &self, &timers_of, err);
    if (rc == 0)
        rc = bind_plugin_ledger(vm, p, &ledger, err);
    if (rc == 0)
        rc = bind_plugin_http(vm, p, &http, err);
    if (rc == 0)
        rc = bind_plugin_stream(vm, p, &stream, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.stream", &stream, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.http", &http, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.store", &store, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.plugin", &self, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.timers", &timers_of, err);
    if (rc == 0)
        rc = give(vm, plugin->space, "feira.ledger", &ledger, err);
    vm_release(vm, store);
    vm_release(vm, self);
    vm_release(vm, timers_of);
    vm_release(vm, ledger);
    vm_release(vm, http);
    vm_release(vm, stream);
    vm_release(vm, own_settings);
    return rc;
}

int plugins_grow(struct store_conn *conn, const struct generation *g, struct err *err)
{
    if (plugin_set_count(generation_plugins(g)) == 0)
        return 0;
    int rc = store_begin(conn, err);
    if (rc < 0)
        return rc;
    rc = plugin_tables_grow(conn, generation_plugins(g), NULL, NULL, err);
    if (rc == 0)
        rc = store_commit(conn, err);
    if (rc < 0)
        store_rollback(conn);
    return rc;
}

/* --- timers --------------------------------------------------------------------------------------------------------------------- */

bool plugin_timer_is(struct slice procedure)
{
    static const size_t n = sizeof BIND_PLUGIN_TIMER - 1;
    return procedure.len > n && memcmp(procedure.data, BIND_PLUGIN_TIMER, n) == 0;
}

struct slice plugin_timer_owner(struct slice procedure)
{
    struct slice name = slice_of(procedure.data + sizeof BIND_PLUGIN_TIMER - 1, procedure.len - (sizeof BIND_PLUGIN_TIMER - 1));
    size_t n = 0;
    while (n < name.len && name.data[n] != '.' && name.data[n] != '/')
        n++;
    return slice_of(name.data, n);
}

static struct json_value *timer_args(struct arena *arena, struct slice key, int64_t due_ms)
{
    struct json_value *args = json_new(arena, JSON_OBJECT), *k = json_new_string(arena, key), *due = json_new_int(arena, due_ms);
    if (!args || !k || !due)
        return NULL;
    k->key = SLICE_LIT("key");
    due->key = SLICE_LIT("due_ms");
    json_append(args, NULL, k);
    json_append(args, k, due);
    return args;
}

/* "plugin:invite.expire" → its timer; "plugin:stripe-payments/payments.query" → what of a provider is a job. */
bool plugin_timer_hook(const struct generation *g, struct slice procedure, struct hook_ref *out)
{
    struct slice plugin = plugin_timer_owner(procedure);
    size_t n = sizeof BIND_PLUGIN_TIMER - 1 + plugin.len;
    struct slice rest = n < procedure.len ? slice_of(procedure.data + n + 1, procedure.len - n - 1) : slice_str("");
    static const char payments[] = "payments.";
    static const size_t len = sizeof payments - 1;
    const struct manifest *m = plugin_set_find(generation_plugins(g), plugin);
    bool of_provider = n < procedure.len && procedure.data[n] == '/' && rest.len > len && memcmp(rest.data, payments, len) == 0;
    if (of_provider)
        rest = slice_of(rest.data + len, rest.len - len);
    *out = (struct hook_ref){ m, m ? manifest_hook(m, of_provider ? HOOK_PAYMENT : HOOK_TIMER, rest) : NULL };
    return out->hook != NULL;
}

int plugin_timer_run(struct vm *vm, struct slice procedure, struct slice key, int64_t due_ms, struct err *err)
{
    const struct plugin_state *s = plugin_state_of(vm);
    struct hook_ref ref;
    if (!s->generation || !plugin_timer_hook(s->generation, procedure, &ref) || ref.hook->kind != HOOK_TIMER)
        return err_set(err, ERR_NOT_FOUND, "The plugin that set the timer %.*s is not turned on, or has it no more; it waits.",
                       SLICE_FMT(procedure));
    const struct json_value *args = timer_args(s->bind.arena, key, due_ms);
    return args ? bind_call_function(vm, generation_hook(s->generation, &ref), args, NULL, err) : nomem(err);
}

/* --- events that are heard after the commit --------------------------------------------------------------------------------------- */

bool plugin_event_hook(const struct generation *g, struct slice subscriber, struct slice event, struct hook_ref *out)
{
    const struct manifest *m = plugin_set_find(generation_plugins(g), plugin_timer_owner(subscriber));
    *out = (struct hook_ref){ m, m ? manifest_hook(m, HOOK_SUBSCRIBER, event) : NULL };
    return out->hook != NULL;
}

int plugin_event_run(struct vm *vm, struct slice subscriber, struct slice event, struct slice payload, struct err *err)
{
    const struct plugin_state *s = plugin_state_of(vm);
    struct hook_ref ref;
    struct json_value *args;
    if (!s->generation || !plugin_event_hook(s->generation, subscriber, event, &ref))
        return 0;
    int rc = json_parse(payload, NULL, s->bind.arena, &args, err);
    return rc < 0 ? rc : bind_call_function(vm, generation_hook(s->generation, &ref), args, NULL, err);
}
