#include "host/care/plugin_stops.h"
#include "host/api/pricing.h"
#include "host/publish/edition.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>

const struct stop *plugin_stopped(struct plugin_state *s, const char *plugin)
{
    const struct stops_snapshot *now = stops_look(&s->stops);
    return now ? stops_find(now, STOP_PLUGIN, slice_str(plugin)) : NULL;
}

int plugin_refuse(const char *plugin, struct err *err)
{
    return err_reason(err, ERR_BUSY, "plugin_stopped",
                      "The shop has stopped the plugin \"%s\" for now; nothing was changed. Try again later.", plugin);
}

int plugin_defers(const struct stop *stop, const struct hook_ref *subscriber, struct err *err)
{
    if (!subscriber->hook->refuse_stopped)
        return 1;
    return stop->quarantined ? 0 : plugin_refuse(subscriber->plugin->name, err);
}

/* --- prices -------------------------------------------------------------------------------------------------------------------- */

struct slice plugin_stop_mark(const struct stop *stop, struct arena *arena)
{
    return arena_printf(arena, PLUGIN_OWNER "%.*s%s", SLICE_FMT(stop->name), stop->quarantined ? "/skip" : "");
}

static bool gave_campaign(const struct pricing *p, struct slice owner)
{
    const struct quote_rules *rules = generation_rules(p->seat->generation);
    for (size_t i = 0; i < p->result.outcome_count; i++)
        if (p->result.outcomes[i].applied && slice_eq(quote_campaign_owner(rules, p->result.outcomes[i].campaign), owner))
            return true;
    return false;
}

/* Which of several pricing rules found a price is not kept: any of them may have. */
static bool gave_price(const struct pricing *p, const struct stop *stop)
{
    size_t n;
    bool asked = false, moved = false;
    const struct hook_ref *rules = plugin_set_hooks(generation_plugins(p->seat->generation), HOOK_PRICING, &n);
    for (size_t i = 0; i < n; i++)
        asked = asked || (slice_is(stop->name, rules[i].plugin->name) && (!stop->quarantined || rules[i].hook->on_failure == FAILURE_SKIP));
    for (size_t i = 0; asked && i < p->cart.line_count; i++)
        moved = moved || (!p->cart.lines[i].own_price && p->cart.lines[i].unit_price_minor != p->cart.lines[i].product.price_minor);
    return moved;
}

/* "PLUGIN.name": options, rates and facts are named so. */
static bool is_of(struct slice name, const struct stop *stop)
{
    size_t n = stop->name.len;
    return name.len > n && name.data[n] == '.' && memcmp(name.data, stop->name.data, n) == 0;
}

static bool gave_named(const struct pricing *p, const struct stop *stop)
{
    const struct quote_result *r = &p->result;
    const struct symbols *symbols = quote_rules_symbols(generation_rules(p->seat->generation));
    if (r->has_shipping && is_of(r->shipping_option, stop))
        return true;
    for (size_t i = 0; i < r->tax.sum_count; i++)
        if (is_of(r->tax.sums[i].title, stop))
            return true;
    for (size_t i = 0; i < p->cart.fact_count; i++)
        if (is_of(symbols_name(symbols, p->cart.facts[i].name), stop))
            return true;
    return false;
}

int plugin_check_stops(const struct pricing *p, const struct stops_snapshot *now, struct err *err)
{
    for (size_t i = 0; i < stops_count(now); i++) {
        const struct stop *stop = stops_at(now, i);
        char owner[128];
        if (stop->kind != STOP_PLUGIN)
            continue;
        snprintf(owner, sizeof owner, PLUGIN_OWNER "%.*s", SLICE_FMT(stop->name));
        if (quote_standing_of(&p->cart, slice_str(owner)) != QUOTE_WORKS)
            continue; /* it was stopped already, and had no say */
        if (gave_campaign(p, slice_str(owner)) || gave_price(p, stop) || gave_named(p, stop))
            return err_reason(err, ERR_CONFLICT, "plugin_stopped",
                              "The shop has stopped \"%.*s\" since this quote; see the fresh one beside this message.",
                              SLICE_FMT(stop->name));
    }
    return 0;
}

/* --- for whoever stops it --------------------------------------------------------------------------------------------------------- */

static void sentence(struct json_writer *w, size_t n, const char *one, const char *many)
{
    char text[256];
    if (n == 0)
        return;
    snprintf(text, sizeof text, n == 1 ? one : many, n);
    json_str(w, text);
}

static size_t hooks_of(const struct manifest *m, enum hook_kind kind)
{
    return m->hook_first[kind + 1] - m->hook_first[kind];
}

static void events_effects(const struct manifest *m, bool quarantined, struct json_writer *w)
{
    size_t later = 0, refused = 0;
    for (size_t i = m->hook_first[HOOK_SUBSCRIBER]; i < m->hook_first[HOOK_SUBSCRIBER + 1]; i++) {
        if (m->hooks[i].refuse_stopped && !quarantined)
            refused++;
        else
            later++;
    }
    sentence(w, later, "%zu kind of event is kept and heard when the plugin works again.",
             "%zu kinds of events are kept and heard when the plugin works again.");
    sentence(w, refused, "%zu kind of event may not happen without it: what emits it is answered 503.",
             "%zu kinds of events may not happen without it: what emits them is answered 503.");
}

static void rules_effects(const struct manifest *m, enum hook_kind kind, bool quarantined, struct json_writer *w)
{
    for (size_t i = m->hook_first[kind]; i < m->hook_first[kind + 1]; i++) {
        const struct hook *h = &m->hooks[i];
        char text[256];
        bool refuses = h->on_failure == FAILURE_REFUSE;
        if (refuses && quarantined)
            snprintf(text, sizeof text, "%s.%s goes on: its on_failure is \"refuse\", and without it there would be no quotes.",
                     hook_section(kind), h->name);
        else if (refuses)
            snprintf(
                text, sizeof text,
                "%s.%s may not be left out (on_failure = \"refuse\"): quotes and orders that need it are answered 503. To sell without "
                "it, publish without the plugin.",
                hook_section(kind), h->name);
        else
            snprintf(text, sizeof text, "%s.%s is left out.", hook_section(kind), h->name);
        json_str(w, text);
    }
}

static void campaign_effects(const struct generation *g, const struct manifest *m, bool quarantined, struct json_writer *w)
{
    const struct quote_rules *rules = generation_rules(g);
    char owner[128];
    size_t skipped = 0, refused = 0;
    snprintf(owner, sizeof owner, PLUGIN_OWNER "%s", m->name);
    for (uint32_t i = 0; i < quote_rules_count(rules); i++) {
        if (!slice_is(quote_campaign_owner(rules, i), owner))
            continue;
        if (quote_campaign_refuses(rules, i))
            refused++;
        else
            skipped++;
    }
    sentence(w, skipped, "%zu campaign of it does not apply.", "%zu campaigns of it do not apply.");
    if (!quarantined)
        sentence(w, refused, "%zu campaign of it may not be left out: quotes that need it are answered 503.",
                 "%zu campaigns of it may not be left out: quotes that need them are answered 503.");
}

void plugin_stop_effects(const struct generation *g, const struct manifest *m, bool quarantined, struct json_writer *w)
{
    static const enum hook_kind rules[] = { HOOK_PRICING, HOOK_SHIPPING_RATES, HOOK_TAX_RATES };
    json_array(w);
    sentence(w, hooks_of(m, HOOK_ROUTE), "%zu route answers 503.", "%zu routes answer 503.");
    sentence(w, hooks_of(m, HOOK_PROCEDURE), "Calls of its %zu procedure by other plugins fail.",
             "Calls of its %zu procedures by other plugins fail.");
    events_effects(m, quarantined, w);
    if (manifest_is_provider(m))
        json_str(w, "Nobody can pay through it; its callbacks are answered 503, its refunds wait.");
    sentence(w, hooks_of(m, HOOK_TIMER), "Timers of its %zu kind wait.", "Timers of its %zu kinds wait.");
    campaign_effects(g, m, quarantined, w);
    sentence(w, hooks_of(m, HOOK_FACT), "%zu fact of it is not there for rules that ask.",
             "%zu facts of it are not there for rules that ask.");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        rules_effects(m, rules[i], quarantined, w);
    json_array_end(w);
}
