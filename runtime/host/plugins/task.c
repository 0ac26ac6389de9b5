#include "host/plugins/task.h"
#include "bind/tasks.h"
#include "host/care/guard.h"
#include "host/care/plugin_stops.h"
#include "host/worker.h"
#include <stdlib.h>

/* Of a worker. One plugin gets at most a part of each, so that a slow host which it calls is not everybody's. */
enum { TASKS_MAX = 256, TASKS_OF_ONE = 192, CALLS_OF_ONE = 64, STEP_STATUS = 200 };

struct task {
    struct worker *worker;
    struct seat *seat;
    struct task_options o;
    struct bind_task *lua;
    struct outbound_call *http; /* under way */
    int64_t ends_ms;            /* of the loop's clock */
    bool with_writer, given_up;
    bool *ended;        /* while it is being started */
    struct err why;     /* it was given up */
    struct tally tally; /* of the procedure */
    struct writer_command command;
    struct loop_post post;
    struct slice value; /* of the procedure */
    int rc;
    struct err err;
    struct task *next, *prev;
};

/* --- its end -------------------------------------------------------------------------------------------------------------- */

static void unlink_task(struct task *t)
{
    struct worker *w = t->worker;
    if (t->prev)
        t->prev->next = t->next;
    else
        w->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    w->task_count--;
}

static void finish(struct task *t, int rc, const struct err *err)
{
    struct task_options o = t->o;
    struct worker *w = t->worker;
    struct seat *seat = t->seat;
    struct err copy = { 0 };
    if (rc < 0)
        copy = *err;
    if (!t->given_up)
        guard_function(seat->edition, t->o.fn, rc, &copy);
    if (t->ended)
        *t->ended = true;
    bind_task_close(t->lua);
    unlink_task(t);
    free(t);
    o.done(o.ctx, rc, &copy); /* its arena may go with it */
    worker_let_go(w, seat);
    if (w->waited_for && !w->tasks)
        loop_stop(w->loop);
}

void task_give_up(struct task *t, const struct err *why)
{
    t->given_up = true;
    t->why = *why;
    if (t->with_writer)
        return; /* its arena is the writer's; it ends when that comes back */
    if (t->http)
        outbound_cancel(t->http);
    t->http = NULL;
    finish(t, why->code, why);
}

/* --- waiting for the writer ------------------------------------------------------------------------------------------------- */

static void go_on(struct task *t);

static void step_hash(const struct bind_step *step, struct arena *arena, unsigned char out[SHA256_BYTES])
{
    struct buf b;
    struct json_writer w;
    struct sha256 *h = sha256_new();
    (void)arena;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_value_write(&w, step->args);
    crypto_sha256(buf_slice(&b), out); /* when memory runs out, of less: another hash, and so a refusal */
    if (h) {
        sha256_add(h, step->name);
        sha256_add(h, slice_of((char *)out, SHA256_BYTES));
        sha256_end(h, out);
    }
    buf_release(&b);
}

/* The result of an earlier run under the same key: 1. */
static int done_before(struct task *t, struct store_conn *conn, struct slice scope, const unsigned char *hash, struct err *err)
{
    struct idempotency_answer a;
    int rc = idempotency_find(conn, scope, bind_task_step(t->lua)->key, hash, &a, err);
    if (rc == ERR_MISMATCH)
        return err_reason(
            err, ERR_MISMATCH, "idempotency_mismatch",
            "The key of this step was used before with another procedure or other arguments; use a key that tells them apart.");
    if (rc != 1)
        return rc;
    t->value = arena_copy(t->o.arena, a.body);
    return t->value.data ? 1 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int run_step(struct task *t, struct store_conn *conn, struct err *err)
{
    struct shop *s = t->worker->shop;
    struct procedures *p = &s->procedures;
    const struct bind_step *step = bind_task_step(t->lua);
    struct bind_procedure found = { 0 };
    if (plugin_stopped(plugin_state_of(p->vm), t->o.plugin))
        return plugin_refuse(t->o.plugin, err);
    int rc = p->bind->plugins->procedure(p->bind->plugins_ctx, step->plugin, step->name, &found, err);
    if (rc < 0)
        return rc;
    bind_begin(p->bind, BIND_PHASE_PROCEDURE, conn, t->o.arena);
    metric_add(&s->metrics.procedures, 1);
    tally_begin(&t->tally, s->options.clock, found.stdlib ? TALLY_SHOP : found.fn, t->command.queued_ns);
    plugin_state_of(p->vm)->tally = &t->tally;
    const struct json_value *args = found.stdlib ? bind_shop_call_args(step->plugin, step->args, t->o.arena) : step->args;
    if (!args)
        rc = err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    else
        rc = found.stdlib ? bind_call_stdlib(p->vm, slice_str(found.stdlib), args, &t->value, err)
                          : bind_call_value(p->vm, found.fn, args, &t->value, err);
    bind_end(p->bind);
    plugin_state_of(p->vm)->tally = NULL;
    tally_end(&t->tally, rc < 0);
    if (rc < 0)
        metric_add(&s->metrics.procedure_errors, 1);
    return rc;
}

static int run_on_writer(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct task *t = (struct task *)((char *)cmd - offsetof(struct task, command));
    const struct bind_step *step = bind_task_step(t->lua);
    struct slice scope = arena_printf(t->o.arena, "plugin:%s", t->o.plugin);
    unsigned char hash[SHA256_BYTES];
    int rc = scope.data ? 0 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    t->value = slice_str("");
    if (rc == 0 && step->key.len) {
        step_hash(step, t->o.arena, hash);
        rc = done_before(t, conn, scope, hash, err);
    }
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if ((rc = procedures_enter(t->worker->shop, t->seat->edition, err)) < 0)
        return rc;
    rc = run_step(t, conn, err);
    if (rc == 0 && step->key.len)
        rc = idempotency_store(conn, scope, step->key, hash, STEP_STATUS, t->value, clock_wall_ms(t->worker->shop->options.clock), err);
    return rc;
}

static void back_on_worker(struct loop_post *post)
{
    struct task *t = (struct task *)((char *)post - offsetof(struct task, post));
    t->with_writer = false;
    if (t->given_up) {
        finish(t, t->why.code, &t->why);
        return;
    }
    bind_task_stepped(t->lua, t->rc, t->value, &t->err);
    go_on(t);
}

static void done_on_writer(struct writer_command *cmd, int rc, const struct err *err)
{
    struct task *t = (struct task *)((char *)cmd - offsetof(struct task, command));
    t->rc = rc;
    err_clear(&t->err);
    if (rc < 0 && err)
        t->err = *err;
    guard_writer(t->seat->edition, &t->tally, rc, err);
    t->post.fn = back_on_worker;
    loop_post(t->worker->loop, &t->post);
}

/* false: it waits. true: it did not get that far, and goes on with the reason. */
static bool ask_writer(struct task *t)
{
    struct err err = { 0 };
    uint32_t share = (uint32_t)hash_bytes(t->o.plugin, strlen(t->o.plugin)) | 1;
    if (!t->seat->edition) {
        err_reason(&err, ERR_BUSY, "rules_retired", "The shop's rules have changed several times since this began; try again.");
        bind_task_stepped(t->lua, err.code, slice_str(""), &err);
        return true;
    }
    t->tally = (struct tally){ .clock = NULL };
    t->command = (struct writer_command){ .run = run_on_writer, .done = done_on_writer, .share = share };
    t->with_writer = true; /* before the writer can answer */
    int rc = writer_submit(t->worker->shop->writer, &t->command, &err);
    if (rc == 0)
        return false; /* the task is the writer's now: not a byte of it may be touched here */
    t->with_writer = false;
    metric_add(&t->worker->shop->metrics.queue_refused, 1);
    bind_task_stepped(t->lua, rc, slice_str(""), &err);
    return true;
}

/* --- waiting for the outside --------------------------------------------------------------------------------------------------- */

static void on_answer(void *ctx, int rc, const struct outbound_answer *answer, const struct err *err)
{
    struct task *t = ctx;
    t->http = NULL;
    metric_add(&t->worker->shop->metrics.outbound_failed, rc < 0);
    bind_task_answered(t->lua, rc, answer, err);
    go_on(t);
}

static size_t count_of(const struct worker *w, const char *plugin, bool calling)
{
    size_t n = 0;
    for (const struct task *t = w->tasks; t; t = t->next)
        n += strcmp(t->o.plugin, plugin) == 0 && (!calling || t->http);
    return n;
}

/* *kept: an answer that is there at once. */
static bool call_out(struct task *t, struct outbound_answer *kept)
{
    const struct shop *s = t->worker->shop;
    struct err err = { 0 };
    struct outbound_request r = *bind_task_request(t->lua);
    int64_t left_ms = t->ends_ms - loop_now_ms(t->worker->loop);
    int rc;
    if (r.timeout_ms > left_ms)
        r.timeout_ms = left_ms;
    if (left_ms <= 0)
        rc = err_reason(&err, ERR_IO, "timeout", "this call has waited for the outside for %lld s in all, and may no longer",
                        (long long)(t->o.within_ms / 1000));
    else if (count_of(t->worker, t->o.plugin, true) >= CALLS_OF_ONE)
        rc = err_reason(&err, ERR_BUSY, "busy", "the plugin %s has %d requests under way already; try again", t->o.plugin, CALLS_OF_ONE);
    else if (s->options.outside)
        rc = s->options.outside(s->options.outside_ctx, &r, kept, &err);
    else
        rc = outbound_send(t->worker->outbound, &r, on_answer, t, &t->http, &err);
    bind_task_sent(t->lua);
    metric_add(&t->worker->shop->metrics.outbound_requests, 1);
    metric_add(&t->worker->shop->metrics.outbound_failed, rc < 0);
    if (rc < 0 || s->options.outside)
        bind_task_answered(t->lua, rc, rc < 0 ? NULL : kept, &err);
    return rc < 0 || s->options.outside;
}

/* --- running ------------------------------------------------------------------------------------------------------------------- */

/* One stretch, in a snapshot of its own: none survives a wait. */
static int run_stretch(struct task *t, struct err *err)
{
    struct worker *w = t->worker;
    int rc = store_begin(w->conn, err);
    if (rc < 0)
        return rc;
    bind_begin(t->seat->bind, BIND_PHASE_HANDLER, w->conn, t->o.arena);
    rc = bind_task_run(t->lua, err);
    bind_end(t->seat->bind);
    store_rollback(w->conn);
    return rc;
}

static void go_on(struct task *t)
{
    struct err err = { 0 };
    struct outbound_answer made_up;
    bool at_once = true;
    int rc = 0;
    while (at_once && rc == 0) {
        rc = plugin_stopped(plugin_state_of(t->seat->vm), t->o.plugin) ? plugin_refuse(t->o.plugin, &err) : run_stretch(t, &err);
        if (rc < 0)
            break;
        switch (bind_task_waits(t->lua)) {
        case BIND_WAITS_FOR_HTTP:
            at_once = call_out(t, &made_up);
            break;
        case BIND_WAITS_FOR_PROCEDURE:
            at_once = ask_writer(t);
            break;
        case BIND_WAITS_FOR_NOTHING:
            finish(t, 0, NULL);
            return;
        }
    }
    if (rc < 0)
        finish(t, rc, &err);
}

static struct task *refuse(const struct task_options *o, const struct err *err)
{
    o->done(o->ctx, err->code, err);
    return NULL;
}

struct task *task_start(struct worker *w, struct seat *seat, const struct task_options *o)
{
    struct err err = { 0 };
    if (w->task_count >= TASKS_MAX || w->ending || (w->task_count >= TASKS_OF_ONE && count_of(w, o->plugin, false) >= TASKS_OF_ONE)) {
        err_reason(&err, ERR_BUSY, "busy", "Too many calls of plugins are under way already; try again.");
        return refuse(o, &err);
    }
    struct task *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(&err, ERR_NOMEM, "The shop is short of memory; try again.");
        return refuse(o, &err);
    }
    *t = (struct task){ .worker = w, .seat = seat, .o = *o, .ends_ms = loop_now_ms(w->loop) + o->within_ms, .next = w->tasks };
    seat->bind->arena = o->arena;
    if (bind_task_open(seat->vm, o->fn, o->args, o->answer, &t->lua, &err) < 0) {
        free(t);
        return refuse(o, &err);
    }
    if (o->value)
        bind_task_want(t->lua, o->value);
    if (w->tasks)
        w->tasks->prev = t;
    w->tasks = t;
    w->task_count++;
    worker_hold(seat);
    bool ended = false;
    t->ended = &ended;
    go_on(t);
    if (ended)
        return NULL;
    t->ended = NULL;
    return t;
}

static void give_up_some(struct worker *w, bool retired_only, const struct err *why)
{
    for (struct task *t = w->tasks, *next; t; t = next) {
        next = t->next;
        if (!t->given_up && (!retired_only || (t->seat->edition && atomic_load(&t->seat->edition->retired))))
            task_give_up(t, why);
    }
}

void tasks_retire(struct worker *w)
{
    struct err why = { 0 };
    err_reason(&why, ERR_BUSY, "rules_retired", "The shop's rules have changed several times since this request began; send it again.");
    give_up_some(w, true, &why);
}

void tasks_end(struct worker *w)
{
    struct err why = { 0 };
    err_reason(&why, ERR_BUSY, "stopping", "The shop is being stopped; send it again.");
    w->ending = true;
    give_up_some(w, false, &why);
    tasks_wait(w); /* until the writer has handed back the last one */
}

void tasks_wait(struct worker *w)
{
    w->waited_for = true;
    if (w->tasks)
        loop_run(w->loop);
    w->waited_for = false;
}
