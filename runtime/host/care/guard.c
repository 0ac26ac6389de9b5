#include "host/care/guard.h"
#include "base/log.h"
#include "host/care/health.h"
#include "host/publish/rescue.h"
#include "host/care/spending.h"
#include "host/care/stops.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>
#include <stdlib.h>

struct edition_guard {
    struct health *health;     /* campaigns, then plugins, then functions of plugins */
    struct spending *spending; /* of the writer, by plugin */
    uint32_t campaigns, plugins;
    uint32_t *first_hook;        /* subject of each plugin's first function */
    atomic_uint forget_spending; /* somebody was resumed: the writer's thread begins again */
};

enum { WHY_MAX = 600, LAST_MAX = 320 };

static bool is_failure(int rc)
{
    return rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
}

static int64_t now_ms(const struct edition *e)
{
    return clock_mono_ns(e->shop->options.clock) / 1000000;
}

int guard_open(struct edition *e, struct err *err)
{
    struct edition_guard *g = calloc(1, sizeof *g);
    e->guard = g;
    if (!g)
        return err_set(err, ERR_NOMEM, "Out of memory while opening the rules.");
    g->campaigns = (uint32_t)quote_rules_count(generation_rules(e->generation));
    g->plugins = (uint32_t)plugin_set_count(generation_plugins(e->generation));
    g->first_hook = calloc(g->plugins + 1, sizeof *g->first_hook);
    uint32_t subjects = g->campaigns + g->plugins;
    for (uint32_t i = 0; g->first_hook && i < g->plugins; i++) {
        g->first_hook[i] = subjects;
        subjects += (uint32_t)plugin_set_at(generation_plugins(e->generation), i)->hook_count;
    }
    g->health = health_new(subjects);
    g->spending = spending_new(g->plugins);
    return g->health && g->spending && g->first_hook ? 0 : err_set(err, ERR_NOMEM, "Out of memory while opening the rules.");
}

void guard_close(struct edition *e)
{
    if (!e->guard)
        return;
    health_free(e->guard->health);
    spending_free(e->guard->spending);
    free(e->guard->first_hook);
    free(e->guard);
    e->guard = NULL;
}

/* Its place in the set; the number of plugins when it is not there. */
static uint32_t number_of(const struct edition *e, struct slice plugin)
{
    const struct plugin_set *set = generation_plugins(e->generation);
    uint32_t i = 0;
    while (i < e->guard->plugins && !slice_is(plugin, plugin_set_at(set, i)->name))
        i++;
    return i;
}

/* The first line of what the function said: it has file and line. */
static const char *last_of(const struct err *err, char buf[LAST_MAX])
{
    size_t n = err ? strcspn(err->text, "\n") : 0;
    snprintf(buf, LAST_MAX, "%.*s", (int)n, err ? err->text : "");
    return buf;
}

/* what: "It", "Its routes[\"GET /links\"]" */
static void because(char why[WHY_MAX], const char *what, const struct health_sum *sum, const char *last)
{
    size_t n = strlen(last);
    bool ends = n && strchr(".!?", last[n - 1]);
    snprintf(why, WHY_MAX, "%s failed %lld of %lld times within %d s%s%s%s", what, (long long)sum->failures, (long long)sum->calls,
             HEALTH_WINDOW_MS / 1000, n ? ", last with: " : "", last, ends ? "" : ".");
}

/* --- campaigns --------------------------------------------------------------------------------------------------------------- */

static void campaign_failing(struct edition *e, uint32_t campaign, const struct health_sum *sum, const char *last)
{
    const struct quote_rules *rules = generation_rules(e->generation);
    struct slice id = quote_campaign_id(rules, campaign);
    struct log *log = e->shop->options.log;
    char why[WHY_MAX];
    because(why, "It", sum, last);
    if (quote_campaign_refuses(rules, campaign)) {
        /* Its author wants no quote without it; taking it out would do just that. */
        if (health_say(e->guard->health, campaign, now_ms(e)))
            log_error(
                log, "campaign.failing",
                "A campaign keeps failing, and quotes with it: its on_failure is \"refuse\". Mend it and publish, or stop it: feira stop.",
                LOG_SLICE("campaign", id), LOG_STR("generation", generation_id(e->generation)), LOG_INT("failures", sum->failures),
                LOG_INT("calls", sum->calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000), LOG_STR("last", last));
        return;
    }
    if (!stops_quarantine(e->shop->stops, STOP_CAMPAIGN, id, generation_id(e->generation), why))
        return; /* another worker was first, or other rules are live by now */
    rescue_begin_again(e);
    metric_add(&e->shop->metrics.quarantined, 1);
    log_error(log, "campaign.quarantined",
              "A campaign failed too often and does not apply any more. Mend it and publish, or give it another chance: feira resume.",
              LOG_SLICE("campaign", id), LOG_STR("generation", generation_id(e->generation)), LOG_INT("failures", sum->failures),
              LOG_INT("calls", sum->calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000), LOG_STR("last", last));
}

void guard_campaign(struct seat *seat, uint32_t campaign, int rc, const struct err *err)
{
    struct edition *e = seat->edition;
    struct health_sum sum;
    char last[LAST_MAX];
    if (rc == ERR_RETRY || !e)
        return;
    if (health_note(e->guard->health, campaign, is_failure(rc), now_ms(e), &sum))
        campaign_failing(e, campaign, &sum, last_of(err, last));
}

/* --- plugins ------------------------------------------------------------------------------------------------------------------- */

/* Rules and subscribers that must not be left out: a quarantine would not end their failures, and would end the rest of the plugin. */
static bool must_not_be_left_out(const struct hook *h)
{
    bool has_choice = h->kind == HOOK_PRICING || h->kind == HOOK_SHIPPING_RATES || h->kind == HOOK_TAX_RATES;
    return h->refuse_stopped || (has_choice && h->on_failure == FAILURE_REFUSE);
}

struct failing { /* too often */
    const char *plugin;
    char what[160]; /* "Its routes[...]" */
    struct health_sum sum;
    char last[LAST_MAX];
};

static void quarantine_plugin(struct edition *e, const struct failing *f)
{
    char why[WHY_MAX];
    because(why, f->what, &f->sum, f->last);
    if (!stops_quarantine(e->shop->stops, STOP_PLUGIN, slice_str(f->plugin), generation_id(e->generation), why))
        return;
    rescue_begin_again(e);
    metric_add(&e->shop->metrics.plugins_quarantined, 1);
    log_error(
        e->shop->options.log, "plugin.quarantined",
        "A plugin failed too often and is out of service; what it hears meanwhile is kept for it. Mend it and publish, or give it another "
        "chance: feira resume.",
        LOG_STR("plugin", f->plugin), LOG_STR("what", f->what), LOG_STR("generation", generation_id(e->generation)),
        LOG_INT("failures", f->sum.failures), LOG_INT("calls", f->sum.calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000),
        LOG_STR("last", f->last));
}

static void say_failing(struct edition *e, const struct failing *f)
{
    log_error(e->shop->options.log, "plugin.failing",
              "A part of a plugin keeps failing, and quotes or orders with it: it must not be left out. Mend it and publish, or publish "
              "without it.",
              LOG_STR("plugin", f->plugin), LOG_STR("what", f->what), LOG_STR("generation", generation_id(e->generation)),
              LOG_INT("failures", f->sum.failures), LOG_INT("calls", f->sum.calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000),
              LOG_STR("last", f->last));
}

/* A function is looked at by itself, so that one that always works does not hide one that fails, and with the others of its plugin. */
static void note_function(struct edition *e, const struct hook_ref *ref, bool failed, const struct err *err)
{
    struct edition_guard *g = e->guard;
    struct failing f = { .plugin = ref->plugin->name };
    uint32_t n = number_of(e, slice_str(f.plugin));
    uint32_t subject = g->first_hook[n] + (uint32_t)(ref->hook - ref->plugin->hooks);
    bool needed = must_not_be_left_out(ref->hook), too_often = health_note(g->health, subject, failed, now_ms(e), &f.sum);
    last_of(err, f.last);
    snprintf(f.what, sizeof f.what, "Its %s[\"%s\"]", hook_section(ref->hook->kind), ref->hook->name);
    if (needed && too_often && health_say(g->health, subject, now_ms(e)))
        say_failing(e, &f);
    if (needed)
        return;
    if (too_often)
        quarantine_plugin(e, &f);
    if (health_note(g->health, g->campaigns + n, failed, now_ms(e), &f.sum) && !too_often) {
        snprintf(f.what, sizeof f.what, "It");
        quarantine_plugin(e, &f);
    }
}

void guard_function(struct edition *e, int fn, int rc, const struct err *err)
{
    struct hook_ref ref;
    if (e && rc != ERR_RETRY && generation_hook_of(e->generation, fn, &ref))
        note_function(e, &ref, is_failure(rc), err);
}

/* --- the writer ------------------------------------------------------------------------------------------------------------------ */

static void note_spending(struct edition *e, const char *plugin, int64_t used_ns)
{
    struct spending_sum sum;
    char why[WHY_MAX];
    if (!spending_used(e->guard->spending, number_of(e, slice_str(plugin)), used_ns, now_ms(e), &sum))
        return;
    snprintf(why, sizeof why, "It used %lld of %d ms of the writer, and %lld commands of others waited longer than %d ms.",
             (long long)sum.used_ms, SPENDING_WINDOW_MS, (long long)sum.late, SPENDING_LATE_MS);
    if (!stops_quarantine(e->shop->stops, STOP_PLUGIN, slice_str(plugin), generation_id(e->generation), why))
        return;
    rescue_begin_again(e);
    metric_add(&e->shop->metrics.plugins_quarantined, 1);
    log_error(
        e->shop->options.log, "plugin.quarantined",
        "A plugin used most of the writer's time while others waited, and is out of service; what it hears meanwhile is kept for it. Make "
        "it do less at once and publish, or give it another chance: feira resume.",
        LOG_STR("plugin", plugin), LOG_STR("generation", generation_id(e->generation)), LOG_INT("used_ms", sum.used_ms),
        LOG_INT("window_ms", SPENDING_WINDOW_MS), LOG_INT("late_commands", sum.late), LOG_INT("late_ms", SPENDING_LATE_MS));
}

static void note_ran(struct edition *e, const struct tally_entry *one, bool failed, const struct err *err)
{
    struct hook_ref ref;
    if (!generation_hook_of(e->generation, one->fn, &ref))
        return;
    for (unsigned i = failed ? 1 : 0; i < one->calls; i++)
        note_function(e, &ref, false, NULL);
    if (failed)
        note_function(e, &ref, true, err);
    note_spending(e, ref.plugin->name, one->ns);
}

void guard_writer(struct edition *e, const struct tally *t, int rc, const struct err *err)
{
    struct hook_ref owner;
    if (!e || !t->clock)
        return;
    unsigned forget = atomic_exchange_explicit(&e->guard->forget_spending, 0, memory_order_relaxed);
    if (forget)
        spending_reset(e->guard->spending, forget - 1);
    struct err said = { .code = rc };
    snprintf(said.text, sizeof said.text, "%s", t->why);
    if (t->why[0])
        err = &said; /* a caller who went on says nothing of what happened */
    bool of_plugin = generation_hook_of(e->generation, t->owner, &owner);
    spending_waited(e->guard->spending, of_plugin ? number_of(e, slice_str(owner.plugin->name)) : SPENDING_NOBODY, t->waited_ms, now_ms(e));
    for (size_t i = 0; i < t->count; i++)
        note_ran(e, &t->of[i], is_failure(rc) && t->culprit == t->of[i].fn, err);
}

/* --- another chance ----------------------------------------------------------------------------------------------------------------- */

void guard_forget_campaign(struct edition *e, uint32_t campaign)
{
    health_reset(e->guard->health, campaign);
}

void guard_forget_plugin(struct edition *e, struct slice plugin)
{
    uint32_t n = number_of(e, plugin);
    if (n == e->guard->plugins)
        return;
    health_reset(e->guard->health, e->guard->campaigns + n);
    for (uint32_t i = 0; i < plugin_set_at(generation_plugins(e->generation), n)->hook_count; i++)
        health_reset(e->guard->health, e->guard->first_hook[n] + i);
    atomic_store_explicit(&e->guard->forget_spending, n + 1, memory_order_relaxed);
}
