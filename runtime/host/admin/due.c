#include "host/admin/due.h"
#include "base/log.h"
#include "host/admin/drafts.h"
#include "host/publish/publish.h"
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_EVERY_MS = 250, AGAIN_AFTER_MS = 5000 };

struct due {
    struct shop *shop;
    struct loop_timer *timer;
    struct store_conn *conn;
    struct publish_job job;
    atomic_bool busy;                  /* the publisher has the job */
    atomic_int_fast64_t not_before_ns; /* it failed for want of something: not at once again */
};

static void done(struct publish_job *job)
{
    struct due *d = (struct due *)((char *)job - offsetof(struct due, job));
    bool by_machine = job->rc == ERR_NOMEM || job->rc == ERR_IO || job->rc == ERR_BUSY || job->rc == ERR_FULL || job->rc == ERR_INTERNAL;
    if (by_machine) /* else it is not approved any more, and the next one may be due */
        atomic_store(&d->not_before_ns, clock_mono_ns(d->shop->options.clock) + AGAIN_AFTER_MS * INT64_C(1000000));
    atomic_store(&d->busy, false);
}

static void look(void *ctx)
{
    struct due *d = ctx;
    struct err err = { 0 };
    char draft[ID_MAX];
    const struct clock *clock = d->shop->options.clock;
    if (atomic_load(&d->busy) || clock_mono_ns(clock) < atomic_load(&d->not_before_ns) || atomic_load(&d->shop->draining))
        return;
    if (draft_due(d->conn, clock_wall_ms(clock), draft, &err) < 0) {
        log_error(d->shop->options.log, "draft.due", err.text);
        return;
    }
    if (!draft[0])
        return;
    d->job = (struct publish_job){ .kind = PUBLISH_DRAFT, .how = "draft", .author = "feira", .done = done };
    snprintf(d->job.draft, sizeof d->job.draft, "%s", draft);
    atomic_store(&d->busy, true);
    if (publisher_submit(d->shop->publisher, &d->job, &err) < 0)
        atomic_store(&d->busy, false); /* others publish; the next look tries again */
}

int due_open(struct shop *s, struct loop *loop, struct due **out, struct err *err)
{
    struct due *d = *out = calloc(1, sizeof *d);
    if (!d || !(d->timer = loop_timer_new(loop, look, d)))
        return err_set(err, ERR_NOMEM, "Out of memory.");
    d->shop = s;
    int rc = store_reader_open(s->store, &d->conn, err);
    if (rc == 0)
        loop_timer_start(d->timer, 0, LOOK_EVERY_MS);
    return rc;
}

void due_close(struct due *d)
{
    if (!d)
        return;
    loop_timer_free(d->timer);
    if (d->conn)
        store_reader_close(d->conn);
    free(d);
}
