#include "host/publish/publish.h"
#include "base/log.h"
#include "host/admin/act.h"
#include "host/publish/gate.h"
#include "host/publish/pins.h"
#include "host/publish/price_history.h"
#include "host/plugins/plugin_data.h"
#include "host/publish/rescue.h"
#include "host/publish/revisions.h"
#include "host/care/stops.h"
#include "host/publish/publish_check.h"
#include "host/worker.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    WORKERS_MAX = 17, /* those that serve, and one for a request in this process */
    JOBS_MAX = 64,    /* waiting; beyond it callers are told to come again */
    DRAINING_MAX = 4, /* editions that still have calls; what waits under older ones is refused */
    /* Generations stay compiled for the quotes they gave and for a rollback: the last one, and older ones while all have no more campaigns
     * than that (some 150 MB). One that was forgotten is built again for whoever needs it. */
    RECENT_MAX = 8,
    RECENT_CAMPAIGNS = 100000,
    TAKEN_WITHIN_MS = 2000, /* how long an answer waits for all workers to have taken their seats */
};

struct recent {
    struct generation *generation; /* counted */
    int64_t replaced_ms;
};

struct publisher {
    struct shop *shop;
    pthread_t thread;
    bool running;

    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    bool stopping;
    struct edition *live;
    struct edition *draining[DRAINING_MAX]; /* not counted: an edition leaves when it is buried */
    size_t draining_count;
    struct publish_job *jobs, **jobs_tail;
    size_t job_count;
    struct seat *dead_seats;
    struct edition *dead_editions;
    struct worker *workers[WORKERS_MAX];
    size_t worker_count;
    uint64_t serial; /* of the last swap */
    struct publish_stats stats;

    /* the thread's own */
    struct store_conn *conn; /* reads revisions */
    struct recent recent[RECENT_MAX];
    size_t recent_count;
};

static int64_t now_ms(const struct publisher *p)
{
    return clock_wall_ms(p->shop->options.clock);
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* --- what nobody uses any more --------------------------------------------------------------------------------------- */

void publisher_bury_seat(struct publisher *p, struct seat *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&p->lock);
    s->next = p->dead_seats;
    p->dead_seats = s;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void publisher_bury_edition(struct publisher *p, struct edition *e)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->draining_count; i++) {
        if (p->draining[i] == e) {
            memmove(&p->draining[i], &p->draining[i + 1], (p->draining_count - i - 1) * sizeof p->draining[0]);
            p->draining_count--;
            break;
        }
    }
    e->next = p->dead_editions;
    p->dead_editions = e;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

/* With the lock, which it lets go of meanwhile. Closing a seat may bury its edition. */
static void close_dead(struct publisher *p)
{
    while (p->dead_seats || p->dead_editions) {
        struct seat *seats = p->dead_seats;
        struct edition *editions = p->dead_editions;
        p->dead_seats = NULL;
        p->dead_editions = NULL;
        pthread_mutex_unlock(&p->lock);
        for (struct seat *s = seats, *next; s; s = next) {
            next = s->next;
            seat_close(s);
        }
        for (struct edition *e = editions, *next; e; e = next) {
            next = e->next;
            edition_close(e);
        }
        pthread_mutex_lock(&p->lock);
    }
}

/* --- recent generations -------------------------------------------------------------------------------------------------- */

static void forget(struct publisher *p, size_t i)
{
    generation_unref(p->recent[i].generation);
    memmove(&p->recent[i], &p->recent[i + 1], (p->recent_count - i - 1) * sizeof p->recent[0]);
    p->recent_count--;
}

static size_t recent_campaigns(const struct publisher *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->recent_count; i++)
        n += quote_rules_count(generation_rules(p->recent[i].generation));
    return n;
}

static void remember(struct publisher *p, struct generation *g)
{
    int64_t now = now_ms(p);
    for (size_t i = 0; i < p->recent_count;) {
        const struct recent *r = &p->recent[i];
        bool again = strcmp(generation_id(r->generation), generation_id(g)) == 0;
        if (again || r->replaced_ms + generation_settings(r->generation)->quote_ttl_ms < now)
            forget(p, i);
        else
            i++;
    }
    if (p->recent_count == RECENT_MAX)
        forget(p, 0);
    p->recent[p->recent_count++] = (struct recent){ generation_ref(g), now };
    while (p->recent_count > 1 && recent_campaigns(p) > RECENT_CAMPAIGNS)
        forget(p, 0);
}

/* An earlier generation, counted: still compiled, or built again from its revision. */
static int find_generation(struct publisher *p, const char *id, struct generation **out, struct err *err)
{
    for (size_t i = 0; i < p->recent_count; i++) {
        if (strcmp(generation_id(p->recent[i].generation), id) == 0) {
            *out = generation_ref(p->recent[i].generation);
            return 0;
        }
    }
    struct sources *src;
    int rc = revision_load(p->conn, slice_str(id), &src, err);
    if (rc < 0)
        return rc;
    rc = generation_build(&p->shop->rulebook, src, out, err);
    if (rc < 0)
        sources_free(src);
    return rc;
}

/* --- the durable part ------------------------------------------------------------------------------------------------------ */

struct writing {
    struct writer_command command;
    struct publisher *publisher;
    int (*run)(void *ctx, struct store_conn *conn, struct err *err);
    void *ctx;
    int rc;
    struct err err;
    bool over;
};

static int writing_run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct writing *w = (struct writing *)((char *)cmd - offsetof(struct writing, command));
    return w->run(w->ctx, conn, err);
}

static void writing_done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct writing *w = (struct writing *)((char *)cmd - offsetof(struct writing, command));
    struct publisher *p = w->publisher;
    pthread_mutex_lock(&p->lock);
    w->rc = rc;
    if (rc < 0 && err)
        w->err = *err;
    w->over = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

int publisher_write(struct publisher *p, int (*run)(void *ctx, struct store_conn *conn, struct err *err), void *ctx, struct err *err)
{
    struct writing w = { .command = { .run = writing_run, .done = writing_done }, .publisher = p, .run = run, .ctx = ctx };
    int rc = writer_submit(p->shop->writer, &w.command, err);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&p->lock);
    while (!w.over)
        pthread_cond_wait(&p->wake, &p->lock);
    pthread_mutex_unlock(&p->lock);
    if (w.rc < 0 && err)
        *err = w.err;
    return w.rc;
}

struct recording {
    struct shop *shop;
    struct publish_job *job; /* NULL for the start */
    const struct revision_entry *entry;
    const struct generation *generation; /* whose plugins' tables are to be there; NULL = none */
    const struct generation *live;       /* whose are; NULL = nobody knows */
    const struct generation *next;       /* what goes live; NULL: nothing does */
};

/* What goes live, and what was refused, is in the audit log: who, how, which sources. */
static int note_entry(const struct recording *r, struct store_conn *conn, struct err *err)
{
    const struct revision_entry *e = r->entry;
    struct buf b;
    struct json_writer w;
    char local[CALLER_ID_MAX];
    const char *actor = r->job && r->job->actor[0] ? r->job->actor : e->author;
    if (strcmp(actor, "operator") == 0) {
        act_local_name(local);
        actor = local;
    }
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "how");
    json_str(&w, e->how);
    if (e->sources) {
        json_key(&w, "sources");
        json_str(&w, sources_hash(e->sources));
    }
    if (e->error) {
        json_key(&w, "why");
        json_str(&w, e->error);
    }
    json_object_end(&w);
    int rc = b.failed ? nomem(err)
                      : act_note_by(r->shop, conn, actor, e->error ? "published.refused" : "published", slice_str(e->generation),
                                    buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

static int record_run(void *ctx, struct store_conn *conn, struct err *err)
{
    struct recording *r = ctx;
    const struct plugin_set *live = r->live ? generation_plugins(r->live) : NULL;
    char warrant[40] = "";
    struct revision_entry entry = *r->entry;
    int rc = r->generation && r->job && r->live ? gate_admit(r->shop, conn, r->job, r->live, r->generation, warrant, err) : 0;
    if (warrant[0])
        entry.warrant = warrant;
    if (rc == 0 && r->generation)
        rc = plugin_tables_grow(conn, generation_plugins(r->generation), live, NULL, err);
    if (rc == 0 && r->generation)
        rc = pins_keep(conn, r->generation, r->entry->at_ms, err);
    if (rc == 0 && r->next)
        rc = price_history_keep(conn, r->next, r->entry->at_ms, err);
    if (rc == 0)
        rc = revision_log(conn, &entry, err);
    if (rc == 0 && r->next)
        rc = gate_remember(conn, r->next, err);
    if (rc == 0)
        rc = note_entry(r, conn, err);
    if (rc == 0 && r->job && r->job->with && r->entry->sources)
        rc = r->job->with(r->job, conn, err);
    return rc;
}

static int record(struct publisher *p, struct publish_job *job, const struct revision_entry *entry, const struct generation *g,
                  const struct generation *live, const struct generation *next, struct err *err)
{
    struct recording r = { p->shop, job, entry, g, live, next };
    return publisher_write(p, record_run, &r, err);
}

/* --- making one live --------------------------------------------------------------------------------------------------------- */

struct next { /* what is ready to go live */
    struct edition *edition;
    struct seat *seats[WORKERS_MAX];
    struct worker *workers[WORKERS_MAX]; /* whose they are; for comparing only */
    size_t count;
};

static void next_close(struct next *n)
{
    for (size_t i = 0; i < n->count; i++)
        seat_close(n->seats[i]);
    if (n->edition)
        edition_unref(n->edition);
}

static bool has_seat(const struct next *n, const struct worker *w)
{
    for (size_t i = 0; i < n->count; i++)
        if (n->workers[i] == w)
            return true;
    return false;
}

/* With the lock: a worker that has no seat yet, NULL when all have. */
static struct worker *without_seat(struct publisher *p, const struct next *n)
{
    for (size_t i = 0; i < p->worker_count; i++)
        if (!has_seat(n, p->workers[i]))
            return p->workers[i];
    return NULL;
}

/* Returns with the lock when all workers have one. */
static int open_seats(struct publisher *p, struct next *n, struct err *err)
{
    struct worker *w;
    pthread_mutex_lock(&p->lock);
    while ((w = without_seat(p, n)) != NULL) {
        pthread_mutex_unlock(&p->lock);
        if (n->count == WORKERS_MAX)
            return err_set(err, ERR_INTERNAL, "Workers come and go while rules are published.");
        int rc = seat_open(p->shop, n->edition, n->edition->generation, &n->seats[n->count], err);
        if (rc < 0)
            return rc;
        n->workers[n->count++] = w;
        pthread_mutex_lock(&p->lock);
    }
    return 0;
}

/* With the lock. */
static void drain(struct publisher *p, struct edition *old)
{
    if (p->draining_count == DRAINING_MAX) {
        atomic_store(&p->draining[0]->retired, true); /* what waits under it is refused, and so it ends soon */
        memmove(&p->draining[0], &p->draining[1], (DRAINING_MAX - 1) * sizeof p->draining[0]);
        p->draining_count--;
    }
    p->draining[p->draining_count++] = old;
    atomic_store(&old->replaced, true); /* before any worker prices by the new ones */
}

/* With the lock. The seats go to their workers; each takes its own between two calls. */
static void offer_seats(struct publisher *p, struct next *n)
{
    uint64_t serial = ++p->serial;
    for (size_t i = 0; i < n->count; i++) {
        bool here = false;
        for (size_t k = 0; k < p->worker_count; k++)
            here = here || p->workers[k] == n->workers[i];
        n->seats[i]->serial = serial;
        struct seat *unused = here ? worker_offer(n->workers[i], n->seats[i]) : n->seats[i];
        if (unused) {
            unused->next = p->dead_seats;
            p->dead_seats = unused;
        }
    }
    n->count = 0;
}

/* With the lock. */
static bool all_taken(const struct publisher *p)
{
    for (size_t i = 0; i < p->worker_count; i++)
        if (atomic_load(&p->workers[i]->seat_serial) < p->serial)
            return false;
    return true;
}

/* With the lock. A worker in the middle of a slow rule takes its seat a little later; nothing depends on it. */
static void await_taken(struct publisher *p)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TAKEN_WITHIN_MS / 1000;
    while (!all_taken(p) && !p->stopping)
        if (pthread_cond_timedwait(&p->wake, &p->lock, &until) == ETIMEDOUT)
            break;
}

void publisher_took(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

static int check_move(const struct generation *from, const struct generation *to, struct err *err)
{
    const struct shop_settings *a = generation_settings(from), *b = generation_settings(to);
    if (strcmp(a->currency.code, b->currency.code) != 0)
        return err_set(err, ERR_INVALID,
                       "shop.lua: the currency can't change from %s to %s while the shop is served: its prices and orders are in %s",
                       a->currency.code, b->currency.code, a->currency.code);
    return http_trust_check(b->trusted_proxies, err);
}

/* Everything that can fail, up to the row in the store. *out is ready to go live. */
static int make_ready(struct publisher *p, struct publish_job *job, const struct edition *old, struct generation *g, struct next *out,
                      struct err *err)
{
    int rc = check_move(old->generation, g, err);
    if (rc == 0)
        rc = edition_open(p->shop, g, &out->edition, err);
    if (rc < 0 || (rc = open_seats(p, out, err)) < 0)
        return rc;
    pthread_mutex_unlock(&p->lock);
    struct revision_entry entry = { generation_id(g), generation_sources(g), job->how, job->author, NULL, now_ms(p), NULL };
    snprintf(job->live, sizeof job->live, "%s", generation_id(g));
    snprintf(job->previous, sizeof job->previous, "%s", generation_id(old->generation));
    job->campaigns = quote_rules_count(generation_rules(g));
    job->changed = true;
    return record(p, job, &entry, g, old->generation, g, err);
}

static int go_live(struct publisher *p, struct publish_job *job, struct generation *g, struct err *err)
{
    struct next next = { .count = 0 };
    struct edition *old = publisher_live(p);
    int rc = make_ready(p, job, old, g, &next, err);
    if (rc == 0)
        rc = open_seats(p, &next, err); /* again: a worker may have come meanwhile */
    if (rc < 0) {
        next_close(&next);
        edition_unref(old);
        return rc;
    }
    rescue_watch(next.edition, old, job->kind != PUBLISH_ROLLBACK);
    p->live = next.edition;
    drain(p, old);
    offer_seats(p, &next);
    stops_set_generation(p->shop->stops, generation_id(g));
    p->stats.published++;
    p->stats.live_since_ms = now_ms(p);
    await_taken(p);
    pthread_mutex_unlock(&p->lock);
    remember(p, old->generation);
    edition_unref(old); /* of publisher_live() */
    edition_unref(old); /* of p->live */
    return 0;
}

/* --- jobs ---------------------------------------------------------------------------------------------------------------------- */

/* Whatever is wrong with the files is one kind of answer; what is wrong with the machine is not. */
static void refuse_as_rules(struct err *err)
{
    switch (err->code) {
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_INTERNAL:
    case ERR_BUSY:
    case ERR_FULL:
    case ERR_CORRUPT:
        return;
    default:
        break;
    }
    err->code = ERR_INVALID;
    snprintf(err->reason, sizeof err->reason, "rules_refused");
}

static bool same_as_live(struct publisher *p, const char *hash, struct publish_job *job)
{
    struct edition *live = publisher_live(p);
    bool same = strcmp(sources_hash(generation_sources(live->generation)), hash) == 0;
    if (same) {
        snprintf(job->live, sizeof job->live, "%s", generation_id(live->generation));
        snprintf(job->previous, sizeof job->previous, "%s", job->live);
        job->campaigns = quote_rules_count(generation_rules(live->generation));
        job->changed = false;
    }
    edition_unref(live);
    return same;
}

/* Checked, they go live, or become a draft. */
static int go_on(struct publisher *p, struct publish_job *job, struct generation *g, const struct generation *live, struct err *err)
{
    struct arena arena;
    struct slice changes = { "[]", 2 };
    unsigned steps = 0;
    arena_init(&arena, NULL, 0);
    int rc = changes_find(live, g, &arena, &steps, &changes, err);
    if (rc == 0 && (job->kind == PUBLISH_SUBMIT || steps))
        rc = gate_save(p, p->shop, job, live, g, steps, changes, err);
    arena_release(&arena);
    return rc < 0 || job->drafted ? rc : go_live(p, job, g, err);
}

static int publish_folder(struct publisher *p, struct publish_job *job, struct submission *found, struct err *err)
{
    struct sources *src;
    struct generation *g;
    int rc = sources_read(p->shop->dir, &src, err);
    if (rc < 0) {
        refuse_as_rules(err);
        return err->code;
    }
    if (same_as_live(p, sources_hash(src), job)) {
        sources_free(src);
        return job->kind == PUBLISH_SUBMIT
                   ? err_reason(err, ERR_STATE, "nothing_changed", "What is in the folder is live already; there is nothing to submit.")
                   : 0;
    }
    rc = generation_build(&p->shop->rulebook, src, &g, err);
    if (rc < 0) {
        sources_free(src);
        refuse_as_rules(err);
        return err->code;
    }
    struct edition *live = publisher_live(p);
    rc = publish_check(p->shop, p->conn, g, live->generation, found, &job->findings, err);
    if (rc < 0)
        refuse_as_rules(err);
    else if ((rc = go_on(p, job, g, live->generation, err)) < 0 && !job->drafted)
        refuse_as_rules(err);
    edition_unref(live);
    generation_unref(g);
    return rc < 0 ? err->code : 0;
}

/* An approved draft; from the store, whatever the folder has. */
static int publish_draft(struct publisher *p, struct publish_job *job, struct submission *found, struct err *err)
{
    struct sources *src;
    struct generation *g;
    int rc = gate_sources(p->conn, job->draft, &src, err);
    if (rc < 0)
        return rc;
    rc = generation_build(&p->shop->rulebook, src, &g, err);
    if (rc < 0) {
        sources_free(src);
        return rc;
    }
    struct edition *live = publisher_live(p);
    rc = publish_check(p->shop, p->conn, g, live->generation, found, &job->findings, err);
    edition_unref(live);
    if (rc == 0)
        rc = go_live(p, job, g, err);
    generation_unref(g);
    return rc;
}

static bool is_of_the_machine(int rc)
{
    return rc == ERR_NOMEM || rc == ERR_IO || rc == ERR_BUSY || rc == ERR_FULL;
}

static int roll_back(struct publisher *p, struct publish_job *job, struct err *err)
{
    char to[GENERATION_ID_MAX];
    struct edition *live = publisher_live(p);
    bool asked = !job->only_from[0] || strcmp(job->only_from, generation_id(live->generation)) == 0;
    snprintf(to, sizeof to, "%s", job->generation);
    int rc = to[0] ? 0 : revision_before(p->conn, generation_id(live->generation), to, err);
    edition_unref(live);
    struct generation *g;
    if (!asked)
        return 0; /* somebody was faster; nothing changes */
    if (rc == 0)
        rc = find_generation(p, to, &g, err);
    if (rc < 0)
        return rc;
    rc = same_as_live(p, sources_hash(generation_sources(g)), job) ? 0 : go_live(p, job, g, err);
    generation_unref(g);
    return rc;
}

static int reopen(struct publisher *p, struct publish_job *job, struct err *err)
{
    struct generation *g;
    int rc = find_generation(p, job->generation, &g, err);
    if (rc < 0)
        return rc;
    if (strcmp(generation_id(g), job->generation) != 0) /* built by a program whose kernel or stdlib differs */
        rc = err_set(err, ERR_NOT_FOUND, "These rules belong to another version of the program.");
    if (rc == 0)
        rc = seat_open(p->shop, NULL, g, &job->seat, err);
    generation_unref(g);
    return rc;
}

static void log_refused(struct publisher *p, struct publish_job *job)
{
    struct err ignored;
    bool by_gate = job->err.code == ERR_DENIED && strcmp(job->err.reason, "never_approved") == 0;
    if (job->err.code != ERR_INVALID && !by_gate)
        return; /* not the rules' fault: no part of their history */
    struct revision_entry entry = { .how = job->how, .author = job->author, .error = job->err.text, .at_ms = now_ms(p) };
    record(p, job, &entry, NULL, NULL, NULL, &ignored);
}

static void tell(struct publisher *p, const struct publish_job *job)
{
    struct log *log = p->shop->options.log;
    if (job->rc < 0)
        log_warn(log, "publish.refused", job->err.text, LOG_STR("how", job->how), LOG_STR("by", job->author));
    else if (job->drafted)
        log_info(log, "publish.draft", "The rules are a draft; they go live when they are approved.", LOG_STR("draft", job->saved),
                 LOG_STR("how", job->how), LOG_STR("by", job->author));
    else if (job->changed)
        log_info(log, "publish.live", "New rules are live.", LOG_STR("generation", job->live), LOG_STR("previous", job->previous),
                 LOG_INT("campaigns", (int64_t)job->campaigns), LOG_INT("took_ms", job->took_ms), LOG_STR("how", job->how),
                 LOG_STR("by", job->author));
}

static void run_job(struct publisher *p, struct publish_job *job)
{
    int64_t begin_ns = clock_mono_ns(p->shop->options.clock);
    struct submission found;
    submission_init(&found);
    err_clear(&job->err);
    job->findings = (struct slice){ 0 };
    job->drafted = false;
    bool of_folder = job->kind == PUBLISH_FOLDER || job->kind == PUBLISH_SUBMIT;
    job->rc = of_folder                       ? publish_folder(p, job, &found, &job->err)
              : job->kind == PUBLISH_DRAFT    ? publish_draft(p, job, &found, &job->err)
              : job->kind == PUBLISH_ROLLBACK ? roll_back(p, job, &job->err)
              : job->kind == PUBLISH_TASK     ? job->task(job, p->conn, &job->err)
                                              : reopen(p, job, &job->err);
    job->took_ms = (clock_mono_ns(p->shop->options.clock) - begin_ns) / 1000000;
    if (job->rc < 0 && job->kind == PUBLISH_DRAFT && !is_of_the_machine(job->rc))
        gate_fall_back(p, p->shop, job->draft, &job->err);
    if (of_folder || job->kind == PUBLISH_DRAFT || job->kind == PUBLISH_ROLLBACK) {
        if (job->rc < 0)
            log_refused(p, job);
        pthread_mutex_lock(&p->lock);
        p->stats.refused += job->rc < 0;
        p->stats.last_took_ms = job->took_ms;
        pthread_mutex_unlock(&p->lock);
        tell(p, job);
        vm_code_age(p->shop->code);
    }
    job->done(job);
    submission_release(&found);
}

static void *publisher_main(void *arg)
{
    struct publisher *p = arg;
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        close_dead(p);
        struct publish_job *job = p->jobs;
        if (!job) {
            if (!p->stopping && !p->dead_seats && !p->dead_editions)
                pthread_cond_wait(&p->wake, &p->lock);
            continue;
        }
        p->jobs = job->next;
        if (!p->jobs)
            p->jobs_tail = &p->jobs;
        p->job_count--;
        pthread_mutex_unlock(&p->lock);
        run_job(p, job);
        pthread_mutex_lock(&p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

int publisher_submit(struct publisher *p, struct publish_job *job, struct err *err)
{
    int rc = 0;
    job->next = NULL;
    pthread_mutex_lock(&p->lock);
    if (p->stopping || !p->running) {
        rc = err_reason(err, ERR_BUSY, "stopping", "The shop is stopping; try again in a moment.");
    } else if (p->job_count >= JOBS_MAX) {
        rc = err_reason(err, ERR_BUSY, "publisher_busy",
                        "Rules are being published faster than they can be checked; try again in a moment.");
    } else {
        *p->jobs_tail = job;
        p->jobs_tail = &job->next;
        p->job_count++;
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

/* --- who takes part ------------------------------------------------------------------------------------------------------------ */

struct edition *publisher_live(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    struct edition *e = edition_ref(p->live);
    pthread_mutex_unlock(&p->lock);
    return e;
}

int publisher_enter(struct publisher *p, struct worker *w, struct seat **seat, struct err *err)
{
    *seat = NULL;
    for (;;) {
        struct edition *e = publisher_live(p);
        int rc = seat_open(p->shop, e, e->generation, seat, err);
        pthread_mutex_lock(&p->lock);
        bool current = rc == 0 && p->live == e;
        if (current && p->worker_count < WORKERS_MAX) {
            atomic_store(&w->seat_serial, p->serial);
            p->workers[p->worker_count++] = w;
        } else if (current) {
            rc = err_set(err, ERR_INTERNAL, "There are too many workers.");
        }
        pthread_mutex_unlock(&p->lock);
        edition_unref(e);
        if (current && rc == 0)
            return 0;
        seat_close(*seat); /* something was published meanwhile */
        *seat = NULL;
        if (rc < 0)
            return rc;
    }
}

void publisher_leave(struct publisher *p, struct worker *w)
{
    pthread_mutex_lock(&p->lock);
    for (size_t i = 0; i < p->worker_count; i++) {
        if (p->workers[i] == w) {
            p->workers[i] = p->workers[--p->worker_count];
            break;
        }
    }
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void publisher_stats(struct publisher *p, struct publish_stats *out)
{
    pthread_mutex_lock(&p->lock);
    *out = p->stats;
    out->draining = p->draining_count;
    pthread_mutex_unlock(&p->lock);
}

/* --- life ------------------------------------------------------------------------------------------------------------------------ */

int publisher_open(struct shop *s, struct generation *first, struct publisher **out, struct err *err)
{
    *out = NULL;
    struct publisher *p = calloc(1, sizeof *p);
    if (!p)
        return nomem(err);
    pthread_condattr_t monotonic;
    p->shop = s;
    p->jobs_tail = &p->jobs;
    p->stats.live_since_ms = now_ms(p);
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = store_reader_open(s->store, &p->conn, err);
    if (rc == 0)
        rc = edition_open(s, first, &p->live, err);
    if (rc < 0) {
        publisher_free(p);
        return rc;
    }
    generation_unref(first); /* the edition has counted it */
    stops_set_generation(s->stops, generation_id(first));
    *out = p;
    return 0;
}

/* Orders name the generation they were priced under, so it must be in the store before the first one. */
static int record_start(struct publisher *p, struct err *err)
{
    const struct generation *g = p->live->generation;
    int rc = revision_is_last(p->conn, generation_id(g), err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    char warrant[40]; /* the same sources under another program are still those that were approved */
    rc = revision_warrant(p->conn, sources_hash(generation_sources(g)), warrant, err);
    if (rc < 0)
        return rc;
    struct revision_entry entry = { generation_id(g), generation_sources(g), "start", "operator", NULL, now_ms(p), warrant };
    return record(p, NULL, &entry, NULL, NULL, g, err);
}

int publisher_start(struct publisher *p, struct err *err)
{
    int rc = record_start(p, err);
    if (rc < 0)
        return rc;
    p->running = pthread_create(&p->thread, NULL, publisher_main, p) == 0;
    return p->running ? 0 : err_set(err, ERR_NOMEM, "The publisher's thread can't be started; raise the limit on threads.");
}

void publisher_stop(struct publisher *p)
{
    if (!p || !p->running)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    p->running = false;
    for (struct publish_job *job = p->jobs, *next; job; job = next) {
        next = job->next;
        job->rc = err_reason(&job->err, ERR_BUSY, "stopping", "The shop is stopping; try again in a moment.");
        job->done(job);
    }
    p->jobs = NULL;
}

void publisher_free(struct publisher *p)
{
    if (!p)
        return;
    publisher_stop(p);
    edition_unref(p->live);
    while (p->recent_count)
        forget(p, 0);
    pthread_mutex_lock(&p->lock);
    close_dead(p);
    pthread_mutex_unlock(&p->lock);
    if (p->conn)
        store_reader_close(p->conn);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
