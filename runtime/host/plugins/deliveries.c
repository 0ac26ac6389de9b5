#include "host/plugins/deliveries.h"
#include "host/care/guard.h"
#include "host/plugins/plugins.h"
#include "host/publish/publish.h"
#include "journal/events.h"
#include "rulebook/plugin_set.h"
#include "base/log.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE_MAX = 200,
    WAKE_AT_ONCE = 500,     /* so that no commit takes long */
    NOT_ITS_FAULT_MS = 5000 /* until it is tried again when the shop was short of something */
};

struct delivery {
    struct writer_command command;
    struct loop_post post;
    struct deliveries *all;
    struct edition *edition; /* the rules it runs under */
    int64_t id, due_ms;
    struct slice subscriber, event, payload;
    struct tally tally;
    bool parked; /* its plugin is stopped: it waits until that works again */
    /* the second time it is with the writer: how it failed */
    int failed; /* a code; 0 = the first time */
    bool dead;
    char why[512];
    struct arena arena;
};

/* Events of plugins that work again are due again. */
struct waking {
    struct writer_command command;
    struct loop_post post;
    struct deliveries *all;
    struct edition *edition;
    int64_t moved;
};

struct deliveries {
    struct shop *shop;
    struct loop *loop;
    struct store_conn *conn;
    size_t under_way;
    bool more, stopped;
    struct waking waking;
    bool woken;     /* nothing is parked that could be due */
    bool woke_last; /* what is due has its turn now: many that wake hold up nobody */
    uint64_t stops_version;
    char generation[GENERATION_ID_MAX]; /* as of the last look */
};

static void free_delivery(struct delivery *d)
{
    edition_unref(d->edition);
    arena_release(&d->arena);
    free(d);
}

/* --- with the writer ------------------------------------------------------------------------------------------------------ */

static bool is_stopped(const struct delivery *d)
{
    struct stops_snapshot *now = stops_acquire(d->all->shop->stops);
    bool is = stops_find(now, STOP_PLUGIN, plugin_timer_owner(d->subscriber)) != NULL;
    stops_release(now);
    return is;
}

static int hear(struct delivery *d, struct store_conn *conn, struct err *err)
{
    struct shop *s = d->all->shop;
    struct plugin_state *state = plugin_state_of(s->procedures.vm);
    struct hook_ref ref;
    int owner = plugin_event_hook(d->edition->generation, d->subscriber, d->event, &ref) ? generation_hook(d->edition->generation, &ref)
                                                                                         : TALLY_SHOP;
    bind_begin(s->procedures.bind, BIND_PHASE_PROCEDURE, conn, &d->arena);
    tally_begin(&d->tally, s->options.clock, owner, d->command.queued_ns);
    state->tally = &d->tally;
    int rc = plugin_event_run(s->procedures.vm, d->subscriber, d->event, d->payload, err);
    bind_end(s->procedures.bind);
    state->tally = NULL;
    tally_end(&d->tally, rc < 0);
    return rc;
}

static int unless_gone(int rc)
{
    return rc == ERR_NOT_FOUND ? 0 : rc; /* heard, moved or given up meanwhile */
}

static int run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct delivery *d = (struct delivery *)((char *)cmd - offsetof(struct delivery, command));
    d->parked = is_stopped(d);
    if (d->parked)
        return unless_gone(event_park(conn, d->id, d->due_ms, err));
    int rc = event_done(conn, d->id, d->due_ms, clock_wall_ms(d->all->shop->options.clock), err);
    if (rc < 0)
        return unless_gone(rc);
    rc = procedures_enter(d->all->shop, d->edition, err);
    return rc < 0 ? rc : hear(d, conn, err);
}

/* What was no fault of the subscriber is no try. */
static bool was_its_fault(int rc)
{
    return rc != ERR_FULL && rc != ERR_IO && rc != ERR_CORRUPT && rc != ERR_BUSY && rc != ERR_NOMEM && rc != ERR_RETRY && rc != ERR_LOCKED;
}

static int run_failed(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct delivery *d = (struct delivery *)((char *)cmd - offsetof(struct delivery, command));
    int64_t now_ms = clock_wall_ms(d->all->shop->options.clock);
    if (was_its_fault(d->failed))
        return unless_gone(event_failed(conn, d->id, d->due_ms, now_ms, slice_str(d->why), &d->dead, err));
    return unless_gone(event_postpone(conn, d->id, d->due_ms, now_ms + NOT_ITS_FAULT_MS, err));
}

/* --- back on the keeper's loop ------------------------------------------------------------------------------------------------ */

static void over(struct deliveries *all)
{
    if (--all->under_way == 0 && all->more && !all->stopped)
        deliveries_look(all);
}

static void finish(struct loop_post *post)
{
    struct delivery *d = (struct delivery *)((char *)post - offsetof(struct delivery, post));
    struct deliveries *all = d->all;
    all->more = all->more || d->failed == 0; /* perhaps there is another behind it */
    free_delivery(d);
    over(all);
}

static void end(struct delivery *d)
{
    d->post.fn = finish;
    loop_post(d->all->loop, &d->post);
}

/* Not noted: it is due as it was, and is looked for again. */
static void done_failed(struct writer_command *cmd, int rc, const struct err *err)
{
    struct delivery *d = (struct delivery *)((char *)cmd - offsetof(struct delivery, command));
    struct shop *s = d->all->shop;
    if (rc < 0)
        log_error(s->options.log, "event.failed", err->text, LOG_SLICE("plugin", plugin_timer_owner(d->subscriber)), LOG_INT("id", d->id));
    if (rc == 0 && d->dead) {
        metric_add(&s->metrics.events_given_up, 1);
        log_error(s->options.log, "event.given_up",
                  "A plugin failed to hear an event time and again; it is kept as a dead letter. Mend the plugin, then: feira events SHOP "
                  "--replay ID",
                  LOG_SLICE("plugin", plugin_timer_owner(d->subscriber)), LOG_SLICE("event", d->event), LOG_INT("id", d->id),
                  LOG_STR("last", d->why));
    }
    end(d);
}

static void done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct delivery *d = (struct delivery *)((char *)cmd - offsetof(struct delivery, command));
    struct shop *s = d->all->shop;
    guard_writer(d->edition, &d->tally, rc, err);
    if (rc == 0 && !d->parked)
        metric_add(&s->metrics.events_heard, 1);
    if (rc < 0) {
        metric_add(&s->metrics.events_failed, 1);
        log_error(s->options.log, "event.failed", err->text, LOG_SLICE("plugin", plugin_timer_owner(d->subscriber)),
                  LOG_SLICE("event", d->event), LOG_INT("id", d->id));
        d->failed = rc;
        snprintf(d->why, sizeof d->why, "%s", err->text);
        d->command = (struct writer_command){ .run = run_failed, .done = done_failed };
        if (writer_submit(s->writer, cmd, NULL) == 0)
            return;
    }
    end(d);
}

static int begin(void *ctx, const struct event_row *e)
{
    struct deliveries *all = ctx;
    struct delivery *d = calloc(1, sizeof *d);
    if (!d)
        return 0;
    arena_init(&d->arena, NULL, 0);
    d->all = all;
    d->edition = publisher_live(all->shop->publisher);
    d->id = e->id;
    d->due_ms = e->due_ms;
    d->subscriber = arena_copy(&d->arena, e->subscriber);
    d->event = arena_copy(&d->arena, e->event);
    d->payload = arena_copy(&d->arena, e->payload);
    d->command = (struct writer_command){ .run = run, .done = done };
    all->under_way++; /* before the writer can answer */
    if (d->subscriber.data && d->event.data && d->payload.data && writer_submit(all->shop->writer, &d->command, NULL) == 0)
        return 0;
    all->under_way--;
    free_delivery(d); /* the queue is full: what is due waits for the next look */
    return 0;
}

/* --- events of plugins that were stopped -------------------------------------------------------------------------------------- */

static int wake(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct waking *w = (struct waking *)((char *)cmd - offsetof(struct waking, command));
    const struct plugin_set *set = generation_plugins(w->edition->generation);
    struct stops_snapshot *now = stops_acquire(w->all->shop->stops);
    int rc = 0;
    w->moved = 0;
    for (size_t i = 0; i < plugin_set_count(set) && rc == 0 && w->moved < WAKE_AT_ONCE; i++) {
        const char *name = plugin_set_at(set, i)->name;
        char subscriber[96];
        int64_t moved = 0;
        if (stops_find(now, STOP_PLUGIN, slice_str(name)))
            continue;
        snprintf(subscriber, sizeof subscriber, BIND_PLUGIN_TIMER "%s", name);
        rc = event_unpark(conn, slice_str(subscriber), WAKE_AT_ONCE, &moved, err);
        w->moved += moved;
    }
    stops_release(now);
    return rc;
}

static void wake_end(struct loop_post *post)
{
    struct waking *w = (struct waking *)((char *)post - offsetof(struct waking, post));
    w->all->woken = w->moved == 0;
    w->all->more = w->all->more || w->moved > 0;
    edition_unref(w->edition);
    over(w->all);
}

static void wake_done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct waking *w = (struct waking *)((char *)cmd - offsetof(struct waking, command));
    if (rc < 0) {
        log_error(w->all->shop->options.log, "event.failed", err->text);
        w->moved = -1; /* tried again with the next look */
    }
    w->post.fn = wake_end;
    loop_post(w->all->loop, &w->post);
}

/* What works again may have to do with a stop that ended, or with other rules: both are seen here. true: the writer is
 * asked. */
static bool wake_parked(struct deliveries *all)
{
    struct edition *live = publisher_live(all->shop->publisher);
    uint64_t version = stops_version(all->shop->stops);
    if (version != all->stops_version || strcmp(all->generation, generation_id(live->generation)) != 0)
        all->woken = false;
    all->stops_version = version;
    snprintf(all->generation, sizeof all->generation, "%s", generation_id(live->generation));
    struct err err = { 0 };
    int any = all->woken ? 0 : event_any_parked(all->conn, &err);
    if (any < 0)
        log_error(all->shop->options.log, "event.failed", err.text);
    all->woken = all->woken || any == 0;
    all->waking = (struct waking){ .command = { .run = wake, .done = wake_done }, .all = all, .edition = live };
    all->under_way += any > 0; /* before the writer can answer */
    if (any > 0 && writer_submit(all->shop->writer, &all->waking.command, NULL) == 0)
        return true;
    all->under_way -= any > 0;
    edition_unref(live);
    return false;
}

/* --- for the keeper ------------------------------------------------------------------------------------------------------------- */

void deliveries_look(struct deliveries *all)
{
    struct err err = { 0 };
    if (all->under_way)
        return;
    all->more = false;
    all->woke_last = !all->woke_last && wake_parked(all);
    if (all->woke_last)
        return;
    if (event_each_due(all->conn, clock_wall_ms(all->shop->options.clock), AT_ONCE_MAX, begin, all, &err) < 0)
        log_error(all->shop->options.log, "event.failed", err.text);
}

bool deliveries_are_under_way(const struct deliveries *all)
{
    return all->under_way > 0;
}

void deliveries_stop(struct deliveries *all)
{
    all->stopped = true;
}

int deliveries_open(struct shop *s, struct loop *loop, struct store_conn *conn, struct deliveries **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    (*out)->shop = s;
    (*out)->loop = loop;
    (*out)->conn = conn;
    return 0;
}

void deliveries_close(struct deliveries *all)
{
    free(all);
}
