/* Fires what is due: looks a few times a second, hands each due timer to the writer as a command of its own, and looks
 * again when all of them are done. A timer whose procedure fails is set a minute later and logged. Jobs go
 * to the workers (jobs.h), events their own way (deliveries.h), holds of the ledger theirs (books.h), at the same pace. */
#include "host/books.h"
#include "host/plugins/deliveries.h"
#include "host/care/guard.h"
#include "host/plugins/jobs.h"
#include "host/plugins/plugins.h"
#include "host/publish/publish.h"
#include "host/care/stops.h"
#include "rulebook/plugin_set.h"
#include "base/log.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* More than a look takes are taken one look after the other: at once while nobody else wants the writer, else with a pause between. */
enum { LOOK_EVERY_MS = 200, NEXT_AFTER_MS = 20, AGAIN_AFTER_MS = 60000 };
/* So many at once as are done within some 20 ms: what comes after them waits so long. */
enum { AT_ONCE_FIRST = 200, AT_ONCE_MIN = 25, AT_ONCE_MAX = 1000, QUICK_MS = 10, SLOW_MS = 40 };

struct firing {
    struct writer_command command;
    struct timer_pump *pump;
    struct edition *edition; /* the rules it runs under */
    int64_t id, due_ms, set_again_ms;
    struct slice procedure, key; /* behind the struct, in the same allocation */
    struct tally tally;
    bool parked; /* its plugin is stopped: it waits until that works again */
    struct firing *next;
};

/* Timers of plugins that work again are due again. */
struct waking {
    struct writer_command command;
    struct loop_post post;
    struct timer_pump *pump;
    struct edition *edition;
    int64_t moved;
};

struct timer_pump {
    struct shop *shop;
    struct loop *loop;
    struct loop_timer *tick, *next;
    struct store_conn *conn;
    struct jobs *jobs;
    struct deliveries *deliveries;
    struct books *books;
    size_t in_flight;
    /* What one look found is done together: whoever brings `left` to zero, the writer with the last of them or the look when it ends, sends
     * all of it back at once. */
    _Atomic size_t left;
    struct firing *over;   /* the writer's, until then */
    struct loop_post back; /* on which it comes */
    struct arena running;  /* the writer's: of the procedure that runs */
    struct waking waking;
    int at_once;
    int64_t looked_ns;
    bool more;      /* are due than the last look took */
    bool woken;     /* nothing is parked that could be due */
    bool woke_last; /* what is due has its turn now: many that wake hold up nobody */
    uint64_t stops_version;
    char generation[GENERATION_ID_MAX]; /* as of the last look */
    struct loop_post last;
};

static void free_firing(struct firing *f)
{
    edition_unref(f->edition);
    free(f);
}

static int owner_of(const struct firing *f)
{
    struct hook_ref ref;
    const struct generation *g = f->edition->generation;
    return plugin_timer_is(f->procedure) && plugin_timer_hook(g, f->procedure, &ref) ? generation_hook(g, &ref) : TALLY_SHOP;
}

/* Of the shop itself, looking through all that is kept. */
static bool looks_through_all(const struct firing *f)
{
    return slice_is(f->procedure, "persons.finish") || slice_is(f->procedure, "retention.run");
}

static int run_procedure(struct firing *f, struct store_conn *conn, struct err *err)
{
    struct shop *s = f->pump->shop;
    struct arena *arena = &f->pump->running;
    arena_reset(arena);
    struct json_value *args = json_new(arena, JSON_OBJECT), *who = json_new(arena, JSON_OBJECT);
    struct json_value *kind = json_new_string(arena, SLICE_LIT("system")), *key = json_new_string(arena, f->key);
    if (!args || !who || !kind || !key)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    kind->key = SLICE_LIT("kind");
    who->key = SLICE_LIT("principal");
    key->key = SLICE_LIT("key");
    json_append(who, NULL, kind);
    json_append(args, NULL, who);
    json_append(args, who, key);
    bind_begin(s->procedures.bind, BIND_PHASE_PROCEDURE, conn, arena);
    struct bind_answer ignored;
    struct plugin_state *state = plugin_state_of(s->procedures.vm);
    tally_begin(&f->tally, s->options.clock, owner_of(f), f->command.queued_ns);
    state->tally = &f->tally;
    int64_t usual = looks_through_all(f) ? vm_set_fuel(s->procedures.vm, PERSON_FUEL) : 0;
    int rc = plugin_timer_is(f->procedure) ? plugin_timer_run(s->procedures.vm, f->procedure, f->key, f->due_ms, err)
                                           : bind_call(s->procedures.vm, f->procedure, args, &ignored, err);
    if (usual)
        vm_set_fuel(s->procedures.vm, usual);
    bind_end(s->procedures.bind);
    state->tally = NULL;
    tally_end(&f->tally, rc < 0);
    return rc;
}

static bool is_stopped(struct firing *f)
{
    f->parked = false;
    if (plugin_timer_is(f->procedure)) {
        struct stops_snapshot *now = stops_acquire(f->pump->shop->stops);
        f->parked = stops_find(now, STOP_PLUGIN, plugin_timer_owner(f->procedure)) != NULL;
        stops_release(now);
    }
    return f->parked;
}

static int run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct firing *f = (struct firing *)((char *)cmd - offsetof(struct firing, command));
    if (f->set_again_ms)
        return timer_set(conn, f->procedure, f->key, f->set_again_ms, err);
    int rc = is_stopped(f) ? timer_park(conn, f->id, f->due_ms, err) : timer_done(conn, f->id, f->due_ms, err);
    if (rc == ERR_NOT_FOUND)
        return 0; /* moved, cancelled or carried out meanwhile */
    if (f->parked)
        return rc;
    if (rc == 0)
        rc = procedures_enter(f->pump->shop, f->edition, err);
    return rc < 0 ? rc : run_procedure(f, conn, err);
}

static void pace(struct timer_pump *p)
{
    int64_t took_ms = (clock_mono_ns(p->shop->options.clock) - p->looked_ns) / 1000000;
    if (took_ms > SLOW_MS && p->at_once > AT_ONCE_MIN)
        p->at_once /= 2;
    else if (took_ms < QUICK_MS && p->more && p->at_once < AT_ONCE_MAX)
        p->at_once = p->at_once * 2 < AT_ONCE_MAX ? p->at_once * 2 : AT_ONCE_MAX;
}

static void all_back(struct loop_post *post)
{
    struct timer_pump *p = (struct timer_pump *)((char *)post - offsetof(struct timer_pump, back));
    for (struct firing *f = p->over, *next; f; f = next) {
        next = f->next;
        free_firing(f);
    }
    p->over = NULL;
    p->in_flight = 0;
    pace(p);
    if (p->more)
        loop_timer_start(p->next, writer_depth(p->shop->writer) ? NEXT_AFTER_MS : 0, 0);
}

static void one_less(struct timer_pump *p)
{
    if (atomic_fetch_sub_explicit(&p->left, 1, memory_order_acq_rel) != 1)
        return;
    p->back.fn = all_back;
    loop_post(p->loop, &p->back);
}

static void done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct firing *f = (struct firing *)((char *)cmd - offsetof(struct firing, command));
    struct shop *s = f->pump->shop;
    if (!f->set_again_ms)
        guard_writer(f->edition, &f->tally, rc, err);
    if (rc == 0 && !f->set_again_ms && !f->parked)
        metric_add(&s->metrics.timers_fired, 1);
    if (rc < 0 && !f->set_again_ms) {
        metric_add(&s->metrics.timers_failed, 1);
        log_error(s->options.log, "timer.failed", err->text, LOG_SLICE("procedure", f->procedure), LOG_SLICE("key", f->key));
        f->set_again_ms = clock_wall_ms(s->options.clock) + AGAIN_AFTER_MS;
        if (writer_submit(s->writer, cmd, NULL) == 0)
            return;
    }
    f->next = f->pump->over;
    f->pump->over = f;
    one_less(f->pump);
}

static int fire(void *ctx, const struct timer_due *t)
{
    struct timer_pump *p = ctx;
    if (jobs_take(p->jobs, t))
        return 0;
    struct firing *f = calloc(1, sizeof *f + t->procedure.len + t->key.len);
    if (!f)
        return 0;
    char *text = (char *)(f + 1);
    memcpy(text, t->procedure.data, t->procedure.len);
    memcpy(text + t->procedure.len, t->key.data, t->key.len);
    f->pump = p;
    f->edition = publisher_live(p->shop->publisher);
    f->id = t->id;
    f->due_ms = t->due_ms;
    f->procedure = slice_of(text, t->procedure.len);
    f->key = slice_of(text + t->procedure.len, t->key.len);
    f->command = (struct writer_command){ .run = run, .done = done };
    p->in_flight++; /* before the writer can answer */
    atomic_fetch_add_explicit(&p->left, 1, memory_order_relaxed);
    if (writer_submit(p->shop->writer, &f->command, NULL) == 0)
        return 0;
    p->in_flight--;
    atomic_fetch_sub_explicit(&p->left, 1, memory_order_relaxed); /* the look still has one */
    free_firing(f);                                               /* the queue is full: due timers wait for the next look */
    return 0;
}

/* --- timers of plugins that were stopped -------------------------------------------------------------------------------- */

enum { WAKE_AT_ONCE = 500 }; /* so that no commit takes long */

static int wake(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct waking *w = (struct waking *)((char *)cmd - offsetof(struct waking, command));
    const struct plugin_set *set = generation_plugins(w->edition->generation);
    struct stops_snapshot *now = stops_acquire(w->pump->shop->stops);
    int rc = 0;
    w->moved = 0;
    for (size_t i = 0; i < plugin_set_count(set) && rc == 0 && w->moved < WAKE_AT_ONCE; i++) {
        const char *name = plugin_set_at(set, i)->name;
        char from[96], end[96];
        int64_t moved = 0;
        if (stops_find(now, STOP_PLUGIN, slice_str(name)))
            continue;
        snprintf(from, sizeof from, BIND_PLUGIN_TIMER "%s.", name); /* '0' is behind '.', and no part of a name stands there */
        snprintf(end, sizeof end, BIND_PLUGIN_TIMER "%s0", name);
        rc = timer_unpark(conn, slice_str(from), slice_str(end), WAKE_AT_ONCE, &moved, err);
        w->moved += moved;
    }
    stops_release(now);
    return rc;
}

static void wake_end(struct loop_post *post)
{
    struct waking *w = (struct waking *)((char *)post - offsetof(struct waking, post));
    w->pump->in_flight--;
    w->pump->woken = w->moved == 0;
    edition_unref(w->edition);
}

static void wake_done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct waking *w = (struct waking *)((char *)cmd - offsetof(struct waking, command));
    if (rc < 0) {
        log_error(w->pump->shop->options.log, "timer.failed", err->text);
        w->moved = 1; /* tried again with the next look */
    }
    w->post.fn = wake_end;
    loop_post(w->pump->loop, &w->post);
}

/* What works again may have to do with a stop that ended, or with other rules: both are seen here. true: the writer is asked. */
static bool wake_parked(struct timer_pump *p)
{
    struct edition *live = publisher_live(p->shop->publisher);
    uint64_t version = stops_version(p->shop->stops);
    if (version != p->stops_version || strcmp(p->generation, generation_id(live->generation)) != 0)
        p->woken = false;
    p->stops_version = version;
    snprintf(p->generation, sizeof p->generation, "%s", generation_id(live->generation));
    struct err err = { 0 };
    int any = p->woken ? 0 : timer_any_parked(p->conn, &err);
    if (any < 0)
        log_error(p->shop->options.log, "timer.failed", err.text);
    p->woken = p->woken || any == 0;
    p->waking = (struct waking){ .command = { .run = wake, .done = wake_done }, .pump = p, .edition = live };
    p->in_flight += any > 0; /* before the writer can answer */
    if (any > 0 && writer_submit(p->shop->writer, &p->waking.command, NULL) == 0)
        return true;
    p->in_flight -= any > 0;
    edition_unref(live);
    return false;
}

static void look_for_timers(void *ctx)
{
    struct timer_pump *p = ctx;
    struct err err = { 0 };
    p->more = false;
    if (p->in_flight)
        return;
    p->woke_last = !p->woke_last && wake_parked(p);
    if (p->woke_last)
        return;
    p->looked_ns = clock_mono_ns(p->shop->options.clock);
    int limit = p->at_once + (int)jobs_under_way(p->jobs); /* whose timers stay due while they run */
    atomic_store_explicit(&p->left, 1, memory_order_relaxed);
    if (timer_each_due(p->conn, clock_wall_ms(p->shop->options.clock), limit, fire, p, &err) < 0)
        log_error(p->shop->options.log, "timer.failed", err.text);
    p->more = p->in_flight >= (size_t)p->at_once;
    if (p->in_flight)
        one_less(p);
    jobs_begin(p->jobs);
}

static void look(void *ctx)
{
    struct timer_pump *p = ctx;
    deliveries_look(p->deliveries);
    books_look(p->books);
    look_for_timers(p);
}

void timer_pump_look(struct timer_pump *p)
{
    look(p);
}

bool timer_pump_is_busy(const struct timer_pump *p)
{
    return p->in_flight > 0 || jobs_under_way(p->jobs) > 0 || deliveries_are_under_way(p->deliveries) || books_are_busy(p->books);
}

int timer_pump_open(struct shop *s, struct loop *loop, struct timer_pump **out, struct err *err)
{
    *out = NULL;
    struct timer_pump *p = calloc(1, sizeof *p);
    if (!p)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    p->shop = s;
    p->loop = loop;
    p->at_once = AT_ONCE_FIRST;
    arena_init(&p->running, NULL, 0);
    int rc = store_reader_open(s->store, &p->conn, err);
    if (rc == 0)
        rc = jobs_open(s, loop, &p->jobs, err);
    if (rc == 0)
        rc = deliveries_open(s, loop, p->conn, &p->deliveries, err);
    if (rc == 0)
        rc = books_open(s, loop, p->conn, &p->books, err);
    if (rc == 0) {
        p->tick = loop_timer_new(loop, look, p);
        p->next = loop_timer_new(loop, look_for_timers, p);
        rc = p->tick && p->next ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    }
    if (rc < 0) {
        timer_pump_close(p);
        return rc;
    }
    loop_timer_start(p->tick, 0, LOOK_EVERY_MS);
    *out = p;
    return 0;
}

static void stop_here(struct loop_post *post)
{
    struct timer_pump *p = (struct timer_pump *)((char *)post - offsetof(struct timer_pump, last));
    loop_stop(p->loop);
}

void timer_pump_finish(struct timer_pump *p)
{
    loop_timer_stop(p->tick);
    loop_timer_stop(p->next);
    p->more = false;
    deliveries_stop(p->deliveries);
    p->last.fn = stop_here;
    loop_post(p->loop, &p->last);
    loop_run(p->loop);
}

void timer_pump_close(struct timer_pump *p)
{
    if (!p)
        return;
    loop_timer_free(p->tick);
    loop_timer_free(p->next);
    jobs_close(p->jobs);
    deliveries_close(p->deliveries);
    books_close(p->books);
    if (p->conn)
        store_reader_close(p->conn);
    arena_release(&p->running);
    free(p);
}
