#include "host/plugins/jobs.h"
#include "base/log.h"
#include "host/care/plugin_stops.h"
#include "host/plugins/providers.h"
#include "host/publish/publish.h"
#include "host/plugins/task.h"
#include "host/worker.h"
#include "journal/events.h"
#include "journal/tries.h"
#include "rulebook/plugin_set.h"
#include <stdlib.h>

enum { AT_ONCE_MAX = 64, WAITS_MS = 300000, SOON_MS = 2000 };

enum job_end { JOB_ENDED_WELL, JOB_FAILED, JOB_CUT_OFF, JOB_NOT_NEEDED };

struct job {
    struct jobs *owner;
    struct job *next;
    struct arena arena;
    int64_t id, due_ms;
    struct slice procedure, key;
    bool begun, too_many;
    struct worker *worker;
    struct loop_post to_worker, to_keeper;
    struct writer_command command;
    enum job_end end;
    struct err why;
    int64_t tries, again_ms;
    bool given_up;
    /* of a provider of payments */
    bool of_provider;
    struct provider_job asked;
    struct edition *edition; /* whose procedures record the end */
    int unrecorded;          /* how often that could not be recorded */
};

struct jobs {
    struct shop *shop;
    struct loop *loop;
    struct job *list; /* also those that have not begun */
    size_t count;
    unsigned turn; /* whose turn it is among the workers */
};

/* --- the end of one ---------------------------------------------------------------------------------------------------------- */

static void forget(struct loop_post *post)
{
    struct job *job = (struct job *)((char *)post - offsetof(struct job, to_keeper));
    struct jobs *j = job->owner;
    struct job **at = &j->list;
    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    j->count--;
    edition_unref(job->edition);
    arena_release(&job->arena);
    free(job);
}

static void hand_back(struct job *job)
{
    job->to_keeper.fn = forget;
    loop_post(job->owner->loop, &job->to_keeper);
}

/* In one transaction: the timer goes, and what came of it is recorded, which may set the next one. */
static int record(struct job *job, struct store_conn *conn, struct err *err)
{
    int rc = timer_done(conn, job->id, job->due_ms, err);
    if (rc == 0 || rc == ERR_NOT_FOUND) /* moved meanwhile: what the provider says is no less true */
        rc = provider_job_done(job->owner->shop, job->edition, conn, &job->asked, &job->arena, err);
    return rc < 0 ? rc : tries_forget(conn, job->procedure, job->key, err);
}

/* It can't be recorded: the same again, later, for as long as that takes. */
static int put_off(struct job *job, struct store_conn *conn, struct err *err)
{
    int rc = timer_done(conn, job->id, job->due_ms, err);
    if (rc < 0)
        return rc == ERR_NOT_FOUND ? 0 : rc;
    rc = tries_add(conn, job->procedure, job->key, &job->tries, err);
    job->again_ms = clock_wall_ms(job->owner->shop->options.clock) + tries_again_after_ms(job->tries);
    return rc < 0 ? rc : timer_set(conn, job->procedure, job->key, job->again_ms, err);
}

/* Whatever the job set or cancelled itself counts more than what is planned here. */
static int run_end(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct job *job = (struct job *)((char *)cmd - offsetof(struct job, command));
    const struct clock *clock = job->owner->shop->options.clock;
    job->given_up = false;
    job->again_ms = 0;
    if (job->of_provider && job->end <= JOB_FAILED)
        return job->unrecorded > 1 ? put_off(job, conn, err) : record(job, conn, err);
    int rc = timer_done(conn, job->id, job->due_ms, err);
    if (rc < 0 && rc != ERR_NOT_FOUND)
        return rc;
    if (rc == ERR_NOT_FOUND || job->end == JOB_ENDED_WELL || job->end == JOB_NOT_NEEDED)
        return tries_forget(conn, job->procedure, job->key, err);
    rc = job->end == JOB_FAILED ? tries_add(conn, job->procedure, job->key, &job->tries, err) : 0;
    if (rc < 0)
        return rc;
    if (job->end == JOB_FAILED && job->tries >= TRIES_MAX) {
        job->given_up = true;
        rc = event_bury_job(conn, job->procedure, job->key, job->due_ms, clock_wall_ms(clock), job->tries, slice_str(job->why.text), err);
        return rc < 0 ? rc : tries_forget(conn, job->procedure, job->key, err);
    }
    job->again_ms = clock_wall_ms(clock) + (job->end == JOB_FAILED ? tries_again_after_ms(job->tries) : SOON_MS);
    return timer_set(conn, job->procedure, job->key, job->again_ms, err);
}

static void say_end(const struct job *job, int rc, const struct err *err)
{
    struct shop *s = job->owner->shop;
    struct log *log = s->options.log;
    if (rc < 0) {
        log_error(log, "job.failed", err->text, LOG_SLICE("procedure", job->procedure), LOG_SLICE("key", job->key));
        return;
    }
    if (job->end == JOB_ENDED_WELL)
        metric_add(&s->metrics.timers_fired, 1);
    if (job->end != JOB_FAILED)
        return;
    metric_add(&s->metrics.timers_failed, 1);
    metric_add(&s->metrics.jobs_given_up, job->given_up);
    if (job->given_up)
        log_error(log, "job.given_up", job->why.text, LOG_SLICE("procedure", job->procedure), LOG_SLICE("key", job->key),
                  LOG_INT("tries", job->tries));
    else
        log_warn(log, "job.failed", job->why.text, LOG_SLICE("procedure", job->procedure), LOG_SLICE("key", job->key),
                 LOG_INT("tries", job->tries), LOG_INT("again_ms", job->again_ms));
}

static void ended_on_writer(struct writer_command *cmd, int rc, const struct err *err)
{
    struct job *job = (struct job *)((char *)cmd - offsetof(struct job, command));
    say_end(job, rc, err);
    if (rc < 0 && job->of_provider && job->end <= JOB_FAILED && job->unrecorded < 2) {
        /* What the plugin's function gave may be what can't be recorded: then it gave nothing. */
        job->why = *err;
        job->asked.why = job->why.text;
        job->unrecorded++;
        if (writer_submit(job->owner->shop->writer, cmd, NULL) == 0)
            return;
    }
    hand_back(job);
}

static void finish(struct job *job, enum job_end end, const struct err *why)
{
    job->end = end;
    if (why)
        job->why = *why;
    if (job->of_provider) {
        job->asked.why = end == JOB_FAILED ? job->why.text : NULL;
        job->edition = publisher_live(job->owner->shop->publisher);
    }
    job->command = (struct writer_command){ .run = run_end, .done = ended_on_writer };
    if (writer_submit(job->owner->shop->writer, &job->command, NULL) < 0)
        hand_back(job); /* the timer is as it was, and the job runs again: at least once */
}

/* --- on the worker -------------------------------------------------------------------------------------------------------------- */

static void task_ended(void *ctx, int rc, const struct err *err)
{
    struct job *job = ctx;
    finish(job, rc == 0 ? JOB_ENDED_WELL : rc == ERR_BUSY ? JOB_CUT_OFF : JOB_FAILED, rc < 0 ? err : NULL);
}

/* A function of a provider is asked what the shop wants to know now; nothing any more: then the timer just goes. */
static void begin_with_provider(struct job *job, const struct hook_ref *ref)
{
    struct worker *w = job->worker;
    struct err err = { 0 };
    const struct json_value *args;
    job->of_provider = true;
    job->asked = (struct provider_job){ .plugin = plugin_timer_owner(job->procedure), .key = job->key };
    job->asked.what = arena_strdup(&job->arena, slice_str(ref->hook->name)); /* the rules may be gone before the job is */
    int rc = job->asked.what ? provider_job_ask(w, &job->asked, &job->arena, &args, &err) : err_set(&err, ERR_NOMEM, "Out of memory.");
    if (rc < 0 || !args) {
        if (rc < 0)
            log_error(w->shop->options.log, "job.failed", err.text, LOG_SLICE("procedure", job->procedure), LOG_SLICE("key", job->key));
        finish(job, rc < 0 ? JOB_CUT_OFF : JOB_NOT_NEEDED, NULL);
        return;
    }
    task_start(w, w->seat,
               &(struct task_options){ .plugin = ref->plugin->name,
                                       .fn = generation_hook(w->seat->generation, ref),
                                       .args = args,
                                       .value = &job->asked.value,
                                       .arena = &job->arena,
                                       .within_ms = WAITS_MS,
                                       .done = task_ended,
                                       .ctx = job });
}

static struct json_value *args_of(struct job *job)
{
    struct json_value *args = json_new(&job->arena, JSON_OBJECT), *key = json_new_string(&job->arena, job->key);
    struct json_value *due = json_new_int(&job->arena, job->due_ms), *attempt = json_new_int(&job->arena, job->tries + 1);
    if (!args || !key || !due || !attempt)
        return NULL;
    key->key = SLICE_LIT("key");
    due->key = SLICE_LIT("due_ms");
    attempt->key = SLICE_LIT("attempt");
    json_append(args, NULL, key);
    json_append(args, key, due);
    json_append(args, due, attempt);
    return args;
}

static void begin(struct job *job)
{
    struct worker *w = job->worker;
    struct err err = { 0 };
    struct hook_ref ref;
    struct seat *seat = w->seat;
    if (job->too_many || !plugin_timer_hook(seat->generation, job->procedure, &ref) ||
        (ref.hook->kind == HOOK_TIMER && ref.hook->as != AS_JOB) || plugin_stopped(plugin_state_of(seat->vm), ref.plugin->name)) {
        finish(job, JOB_CUT_OFF, NULL); /* what it is now is seen with the next look */
        return;
    }
    if (ref.hook->kind == HOOK_PAYMENT) {
        begin_with_provider(job, &ref);
        return;
    }
    int rc = tries_count(w->conn, job->procedure, job->key, &job->tries, &err);
    const struct json_value *args = rc == 0 ? args_of(job) : NULL;
    if (!args) {
        finish(job, JOB_CUT_OFF, NULL);
        return;
    }
    task_start(w, seat,
               &(struct task_options){ .plugin = ref.plugin->name,
                                       .fn = generation_hook(seat->generation, &ref),
                                       .args = args,
                                       .arena = &job->arena,
                                       .within_ms = WAITS_MS,
                                       .done = task_ended,
                                       .ctx = job });
}

static void begin_on_worker(struct loop_post *post)
{
    struct job *job = (struct job *)((char *)post - offsetof(struct job, to_worker));
    if (atomic_load(&job->owner->shop->draining))
        hand_back(job);
    else
        begin(job);
}

/* --- taking ---------------------------------------------------------------------------------------------------------------------- */

static bool is_job(struct jobs *j, struct slice procedure)
{
    struct edition *live = publisher_live(j->shop->publisher);
    struct stops_snapshot *stops = stops_acquire(j->shop->stops);
    struct hook_ref ref;
    bool is = plugin_timer_hook(live->generation, procedure, &ref) && (ref.hook->kind == HOOK_PAYMENT || ref.hook->as == AS_JOB) &&
              !stops_find(stops, STOP_PLUGIN, slice_str(ref.plugin->name)); /* a stopped one is parked like any other timer */
    stops_release(stops);
    edition_unref(live);
    return is;
}

bool jobs_take(struct jobs *j, const struct timer_due *t)
{
    if (!plugin_timer_is(t->procedure))
        return false;
    for (const struct job *job = j->list; job; job = job->next)
        if (job->id == t->id)
            return true;
    if (!is_job(j, t->procedure))
        return false;
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return true; /* with the next look */
    arena_init(&job->arena, NULL, 0);
    job->owner = j;
    job->id = t->id;
    job->due_ms = t->due_ms;
    job->procedure = arena_copy(&job->arena, t->procedure);
    job->key = arena_copy(&job->arena, t->key);
    job->too_many = j->count >= AT_ONCE_MAX; /* moved a little, so that it does not stand in the way of what is due behind it */
    if (!job->procedure.data || !job->key.data) {
        arena_release(&job->arena);
        free(job);
        return true;
    }
    job->next = j->list;
    j->list = job;
    j->count++;
    return true;
}

/* Nobody serves: a worker of its own, on this thread, until the job has ended. */
static void begin_here(struct job *job)
{
    struct err err = { 0 };
    if (worker_open(job->owner->shop, 0, WORKER_FOR_A_DESK, &job->worker, &err) < 0) {
        log_error(job->owner->shop->options.log, "job.failed", err.text);
        hand_back(job);
        return;
    }
    struct worker *w = job->worker;
    begin(job);
    tasks_wait(w); /* the job may be gone by now */
    worker_close(w);
}

void jobs_begin(struct jobs *j)
{
    struct shop *s = j->shop;
    for (struct job *job = j->list, *next; job; job = next) {
        next = job->next;
        if (job->begun)
            continue;
        job->begun = true;
        if (s->worker_count == 0) {
            begin_here(job);
            continue;
        }
        job->worker = s->workers[j->turn++ % (unsigned)s->worker_count];
        job->to_worker.fn = begin_on_worker;
        loop_post(job->worker->loop, &job->to_worker);
    }
}

size_t jobs_under_way(const struct jobs *j)
{
    return j->count;
}

int jobs_open(struct shop *s, struct loop *loop, struct jobs **out, struct err *err)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    (*out)->shop = s;
    (*out)->loop = loop;
    return 0;
}

void jobs_close(struct jobs *j)
{
    if (!j)
        return;
    while (j->list) /* what never got to a worker */
        forget(&j->list->to_keeper);
    free(j);
}
