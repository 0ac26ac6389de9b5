#include "host/publish/rescue.h"
#include "base/log.h"
#include "host/care/health.h"
#include "host/publish/publish.h"
#include <stdio.h>
#include <stdlib.h>

enum { KNOWN = 50, LAST_MAX = 320 };

struct counted {
    atomic_uint_fast64_t calls, failures; /* since it went live */
    struct rescue_counts before;          /* under the rules before */
};

struct rescue {
    struct health *health; /* by kind */
    struct counted of[RESCUE_KINDS];
    bool watched;
    char previous[GENERATION_ID_MAX];
    int64_t live_ms;
    atomic_bool decided; /* gone back, or said why not */
};

static int64_t now_ms(const struct edition *e)
{
    return clock_mono_ns(e->shop->options.clock) / 1000000;
}

/* --- the rule ----------------------------------------------------------------------------------------------------------------- */

/* Few calls say little: as if five more had been, of which none failed. */
static bool far_above(struct rescue_counts now, struct rescue_counts before)
{
    return now.failures * (before.calls + 5) > RESCUE_TIMES * before.failures * now.calls;
}

enum rescue_verdict rescue_judge(struct rescue_counts now, struct rescue_counts before)
{
    if (now.failures < RESCUE_FAILURES || now.failures * 100 < now.calls * RESCUE_PERCENT)
        return RESCUE_FINE;
    return far_above(now, before) ? RESCUE_BACK : RESCUE_AS_BEFORE;
}

/* --- life --------------------------------------------------------------------------------------------------------------------- */

int rescue_open(struct edition *e, struct err *err)
{
    struct rescue *r = calloc(1, sizeof *r);
    e->rescue = r;
    if (r)
        r->health = health_new(RESCUE_KINDS);
    return r && r->health ? 0 : err_set(err, ERR_NOMEM, "Out of memory while opening the rules.");
}

void rescue_close(struct edition *e)
{
    if (e->rescue)
        health_free(e->rescue->health);
    free(e->rescue);
    e->rescue = NULL;
}

/* What an edition knows of itself, or, where that is little, of those before it as well. */
static struct rescue_counts known_of(const struct edition *e, enum rescue_kind kind)
{
    const struct counted *of = &e->rescue->of[kind];
    struct rescue_counts c = { (int64_t)atomic_load(&of->calls), (int64_t)atomic_load(&of->failures) };
    struct health_sum recent = health_sum(e->rescue->health, kind, now_ms(e));
    /* What began to fail lately must not hide behind a long good life. */
    if (recent.calls >= KNOWN && recent.failures * c.calls > c.failures * recent.calls)
        return (struct rescue_counts){ recent.calls, recent.failures };
    if (c.calls < KNOWN) {
        c.calls += of->before.calls;
        c.failures += of->before.failures;
    }
    return c;
}

void rescue_watch(struct edition *e, const struct edition *before, bool published)
{
    struct rescue *r = e->rescue;
    for (enum rescue_kind k = 0; k < RESCUE_KINDS; k++)
        r->of[k].before = published ? known_of(before, k) : (struct rescue_counts){ 0, 0 };
    r->watched = published;
    r->live_ms = now_ms(e);
    snprintf(r->previous, sizeof r->previous, "%s", generation_id(before->generation));
}

void rescue_begin_again(struct edition *e)
{
    for (uint32_t k = 0; k < RESCUE_KINDS; k++)
        health_reset(e->rescue->health, k);
}

/* --- going back ------------------------------------------------------------------------------------------------------------------- */

struct going_back {
    struct publish_job job;
    const char *what;
    struct shop *shop;
    struct rescue_counts now, before;
    char last[LAST_MAX];
};

static void went_back(struct publish_job *job)
{
    struct going_back *b = (struct going_back *)((char *)job - offsetof(struct going_back, job));
    struct log *log = b->shop->options.log;
    if (job->rc < 0)
        log_error(
            log, "generation.failing",
            "Quotes and orders keep failing under the new rules, and the shop could not go back to those before. Mend them and publish, "
            "or: feira rollback.",
            LOG_STR("generation", job->only_from), LOG_STR("back_to", job->generation), LOG_STR("why_not", job->err.text),
            LOG_STR("last", b->last));
    else if (job->changed)
        log_error(log, "generation.rolled_back",
                  "Quotes and orders kept failing under the new rules, and the shop went back to those before. The folder still has the "
                  "new ones: "
                  "mend them and publish.",
                  LOG_STR("generation", job->only_from), LOG_STR("back_to", job->live), LOG_STR("what", b->what),
                  LOG_INT("failures", b->now.failures), LOG_INT("calls", b->now.calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000),
                  LOG_INT("failures_before", b->before.failures), LOG_INT("calls_before", b->before.calls), LOG_STR("last", b->last));
    if (job->rc == 0 && job->changed)
        metric_add(&b->shop->metrics.rescues, 1);
    free(b);
}

static const char *const kind_names[] = { "quotes", "orders" };

static void go_back(struct edition *e, enum rescue_kind kind, struct rescue_counts now, const char *last)
{
    struct err err;
    struct going_back *b = calloc(1, sizeof *b);
    if (!b)
        return;
    b->shop = e->shop;
    b->what = kind_names[kind];
    b->now = now;
    b->before = e->rescue->of[kind].before;
    b->job = (struct publish_job){ .kind = PUBLISH_ROLLBACK, .how = "rescue", .author = "feira", .done = went_back };
    snprintf(b->last, sizeof b->last, "%s", last);
    snprintf(b->job.generation, sizeof b->job.generation, "%s", e->rescue->previous);
    snprintf(b->job.only_from, sizeof b->job.only_from, "%s", generation_id(e->generation));
    if (publisher_submit(e->shop->publisher, &b->job, &err) < 0)
        free(b); /* the shop is stopping, or people are publishing already */
}

/* One rescue in a while, whatever is published meanwhile: 0 = never yet. */
static bool may_rescue(struct shop *s, int64_t now)
{
    int_fast64_t last = atomic_load(&s->rescued_ms);
    return (last == 0 || now - last >= RESCUE_PAUSE_MS) && atomic_compare_exchange_strong(&s->rescued_ms, &last, now ? now : 1);
}

static bool is_live(struct edition *e)
{
    struct edition *live = publisher_live(e->shop->publisher);
    bool same = live == e;
    edition_unref(live);
    return same;
}

/* NULL: back. */
static const char *why_not(struct edition *e, enum rescue_verdict verdict)
{
    const struct rescue *r = e->rescue;
    if (!r->watched)
        return "These rules are not new.";
    if (now_ms(e) - r->live_ms > RESCUE_WITHIN_MS)
        return "These rules are live for longer than ten minutes.";
    if (verdict == RESCUE_AS_BEFORE)
        return "It was so under the rules before, too.";
    return may_rescue(e->shop, now_ms(e)) ? NULL : "The shop went back by itself less than ten minutes ago.";
}

static void decide(struct edition *e, enum rescue_kind kind, struct rescue_counts now, enum rescue_verdict verdict, const struct err *err)
{
    bool no = false;
    char last[LAST_MAX];
    size_t n = err ? strcspn(err->text, "\n") : 0;
    snprintf(last, sizeof last, "%.*s", (int)n, err ? err->text : "");
    if (!is_live(e) || !atomic_compare_exchange_strong(&e->rescue->decided, &no, true))
        return;
    const char *not = why_not(e, verdict);
    if (!not )
        go_back(e, kind, now, last);
    else
        log_error(e->shop->options.log, "generation.failing",
                  "Quotes or orders keep failing. Mend the rules and publish, or: feira rollback.",
                  LOG_STR("generation", generation_id(e->generation)), LOG_STR("what", kind_names[kind]), LOG_INT("failures", now.failures),
                  LOG_INT("calls", now.calls), LOG_INT("window_s", HEALTH_WINDOW_MS / 1000), LOG_STR("why_not_rolled_back", not ),
                  LOG_STR("last", last));
}

void rescue_note(struct edition *e, enum rescue_kind kind, int rc, const struct err *err)
{
    struct rescue *r = e ? e->rescue : NULL;
    bool failed = rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
    struct health_sum sum;
    if (!r || (rc < 0 && !failed))
        return;
    atomic_fetch_add_explicit(&r->of[kind].calls, 1, memory_order_relaxed);
    health_note(r->health, kind, failed, now_ms(e), &sum);
    if (!failed)
        return;
    atomic_fetch_add_explicit(&r->of[kind].failures, 1, memory_order_relaxed);
    struct rescue_counts now = { sum.calls, sum.failures };
    enum rescue_verdict verdict = rescue_judge(now, r->of[kind].before);
    if (verdict != RESCUE_FINE && !atomic_load_explicit(&r->decided, memory_order_relaxed))
        decide(e, kind, now, verdict, err);
}
