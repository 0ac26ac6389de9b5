/* Stopping a campaign or a plugin: one durable row, no build. Effective with the next quote or call of every worker. */
#include "base/log.h"
#include "host/admin/act.h"
#include "host/care/discounts.h"
#include "host/care/guard.h"
#include "host/care/plugin_stops.h"
#include "host/publish/publish.h"
#include "host/care/status.h"
#include "host/worker.h"
#include "rulebook/plugin_set.h"
#include <stdio.h>

struct stopping { /* call.state */
    enum stop_kind kind;
    struct slice name;
    bool was_quarantined;
};

static const char *word(enum stop_kind kind)
{
    return kind == STOP_PLUGIN ? "plugin" : "campaign";
}

static int answer(struct call *c, int status, bool stopped)
{
    const struct stopping *s = c->state;
    const struct generation *g = c->seat->generation;
    const struct manifest *m = s->kind == STOP_PLUGIN ? plugin_set_find(generation_plugins(g), s->name) : NULL;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, word(s->kind));
    json_string(&w, s->name);
    json_key(&w, "stopped");
    json_bool(&w, stopped);
    if (m && stopped) {
        json_key(&w, "effects");
        plugin_stop_effects(g, m, false, &w);
    }
    json_object_end(&w);
    c->answer = (struct bind_answer){ status, b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b)) };
    buf_release(&b);
    return c->answer.body.data ? 0 : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* When it is on disk; asked for again under the same key, it was said already. */
static void say(const struct call *c, const char *event, const char *text)
{
    const struct stopping *s = c->state;
    struct slice reason = { "", 0 };
    json_is_string(json_get(c->body, "reason"), &reason);
    if (c->rc < 0 || c->replayed)
        return;
    if (reason.len)
        log_warn(c->shop->options.log, event, text, LOG_SLICE(word(s->kind), s->name), LOG_STR("by", c->who.id), LOG_SLICE("why", reason));
    else
        log_warn(c->shop->options.log, event, text, LOG_SLICE(word(s->kind), s->name), LOG_STR("by", c->who.id));
}

static void stopped(struct call *c)
{
    const struct stopping *s = c->state;
    if (s->kind == STOP_PLUGIN)
        say(c, "plugin.stopped",
            "A plugin is stopped: its routes answer 503, its rules are left out or refuse, events and timers wait for it.");
    else
        say(c, "campaign.stopped", "A campaign is stopped and does not apply any more.");
    call_answer(c);
}

static void resumed(struct call *c)
{
    const struct stopping *s = c->state;
    if (s->kind == STOP_PLUGIN)
        say(c, "plugin.resumed", "A plugin works again; events and timers that waited for it come now.");
    else
        say(c, "campaign.resumed", "A campaign may apply again.");
    call_answer(c);
}

/* {"kind": "campaign", "reason": "..."} */
static int note(struct call *c, struct store_conn *conn, const char *action, struct slice reason, struct err *err)
{
    const struct stopping *s = c->state;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "kind");
    json_str(&w, word(s->kind));
    if (reason.len) {
        json_key(&w, "reason");
        json_string(&w, reason);
    }
    json_object_end(&w);
    int rc = b.failed ? err_set(err, ERR_NOMEM, "The shop is short of memory; try again.")
                      : act_note(c, conn, action, s->name, buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

static int stop(struct call *c, struct store_conn *conn, struct err *err)
{
    const struct stopping *s = c->state;
    struct slice reason = { "", 0 };
    json_is_string(json_get(c->body, "reason"), &reason);
    int rc = stops_insert(conn, s->kind, s->name, reason, slice_str(c->who.id), clock_wall_ms(c->shop->options.clock), err);
    if (rc == 0)
        rc = note(c, conn, "stopped", reason, err);
    if (rc == 0 && (rc = answer(c, 201, true)) < 0)
        *err = c->err;
    c->shop->procedures.stops_changed = c->shop->procedures.stops_changed || rc == 0;
    return rc;
}

static int resume(struct call *c, struct store_conn *conn, struct err *err)
{
    const struct stopping *s = c->state;
    int rc = stops_delete(conn, s->kind, s->name, err);
    if (rc == ERR_NOT_FOUND && s->was_quarantined)
        rc = 0; /* nothing but a quarantine, which is lifted already */
    if (rc == 0)
        rc = note(c, conn, "resumed", SLICE_LIT(""), err);
    if (rc == 0 && (rc = answer(c, 200, false)) < 0)
        *err = c->err;
    c->shop->procedures.stops_changed = c->shop->procedures.stops_changed || rc == 0;
    return rc;
}

/* --- what a name means -------------------------------------------------------------------------------------------------------- */

static bool has_campaign(const struct call *c, struct slice id)
{
    uint32_t n;
    return quote_campaign_find(generation_rules(c->seat->generation), id, &n);
}

static bool has_plugin(const struct call *c, struct slice name)
{
    return plugin_set_find(generation_plugins(c->seat->generation), name) != NULL;
}

static int ambiguous(struct call *c, struct slice name)
{
    return err_reason(&c->err, ERR_INVALID, "ambiguous",
                      "\"%.*s\" is a campaign and a plugin; say which of them is meant (--campaign or --plugin).", SLICE_FMT(name));
}

static int find_by_name(struct call *c, struct stopping *s)
{
    bool campaign = has_campaign(c, s->name), plugin = has_plugin(c, s->name);
    if (campaign && plugin)
        return ambiguous(c, s->name);
    s->kind = plugin ? STOP_PLUGIN : STOP_CAMPAIGN;
    return campaign || plugin
               ? 0
               : err_reason(
                     &c->err, ERR_NOT_FOUND, "no_such_campaign",
                     "There is neither a live campaign nor a plugin \"%.*s\"; a campaign's id is what promo.campaign { id = ... } says.",
                     SLICE_FMT(s->name));
}

static int find_to_stop(struct call *c, struct stopping *s)
{
    struct slice campaign = { 0 }, plugin = { 0 }, name = { 0 };
    int given = json_is_string(json_get(c->body, "campaign"), &campaign) + json_is_string(json_get(c->body, "plugin"), &plugin) +
                json_is_string(json_get(c->body, "name"), &name);
    if (given != 1)
        return err_field(&c->err, ERR_INVALID, "/campaign",
                         "Say what to stop: one of campaign, plugin, or name (whichever has that name).");
    if (name.data) {
        s->name = name;
        return find_by_name(c, s);
    }
    s->kind = plugin.data ? STOP_PLUGIN : STOP_CAMPAIGN;
    s->name = plugin.data ? plugin : campaign;
    if (s->kind == STOP_PLUGIN && !has_plugin(c, s->name))
        return err_reason(&c->err, ERR_NOT_FOUND, "no_such_plugin", "There is no live plugin \"%.*s\"; shop.lua names those that are on.",
                          SLICE_FMT(s->name));
    if (s->kind == STOP_CAMPAIGN && !has_campaign(c, s->name))
        return err_reason(&c->err, ERR_NOT_FOUND, "no_such_campaign",
                          "There is no live campaign \"%.*s\"; its id is what promo.campaign { id = ... } says.", SLICE_FMT(s->name));
    return 0;
}

static int find_to_resume(struct call *c, struct stopping *s)
{
    struct slice kind = { 0 };
    s->name = c->req->params[0];
    int rc = http_query(c->req, "kind", &kind, &c->err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        s->kind = slice_is(kind, "plugin") ? STOP_PLUGIN : STOP_CAMPAIGN;
        return slice_is(kind, "plugin") || slice_is(kind, "campaign")
                   ? 0
                   : err_field(&c->err, ERR_INVALID, "kind", "kind is campaign or plugin.");
    }
    struct stops_snapshot *now = stops_acquire(c->shop->stops);
    bool campaign = stops_find(now, STOP_CAMPAIGN, s->name), plugin = stops_find(now, STOP_PLUGIN, s->name);
    stops_release(now);
    s->kind = plugin ? STOP_PLUGIN : STOP_CAMPAIGN;
    return campaign && plugin ? ambiguous(c, s->name) : 0;
}

/* --- routes ------------------------------------------------------------------------------------------------------------------------ */

void handle_stop(struct call *c)
{
    struct stopping *s = arena_zalloc(c->arena, sizeof *s);
    c->state = s;
    c->rc = s ? find_to_stop(c, s) : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    c->done = stopped;
    call_write_native(c, stop);
}

void handle_resume(struct call *c)
{
    struct stopping *s = arena_zalloc(c->arena, sizeof *s);
    uint32_t n;
    c->state = s;
    c->rc = s ? find_to_resume(c, s) : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (s->kind == STOP_CAMPAIGN)
        discounts_forget(c->shop->discounts, s->name);
    s->was_quarantined = stops_free(c->shop->stops, s->kind, s->name);
    if (s->was_quarantined && s->kind == STOP_PLUGIN)
        guard_forget_plugin(c->seat->edition, s->name);
    else if (s->was_quarantined && quote_campaign_find(generation_rules(c->seat->generation), s->name, &n))
        guard_forget_campaign(c->seat->edition, n);
    c->done = resumed;
    call_write_native(c, resume);
}

void handle_stop_list(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    stops_write(c->shop, &w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
