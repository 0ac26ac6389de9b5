#include "host/care/sweep.h"
#include "base/log.h"
#include "host/care/access.h"
#include "host/publish/edition.h"
#include "host/publish/publish.h"
#include "host/webhooks/webhooks.h"
#include "rulebook/privacy.h"
#include <stdlib.h>

#define RETENTION_TIMER "retention.run"
enum { RETENTION_FIRST_MS = 600000 /* a shop that starts has other things to do */ };
enum { CUTS_AT_ONCE_MAX = 30 /* somebody reads for long, or a second copy is far behind: once a minute then */ };
enum { LOOK_EVERY_MS = 60000, AGAIN_AT_ONCE_MS = 100, AT_ONCE_MAX = 500 };

struct sweep {
    struct shop *shop;
    struct loop *loop;
    struct loop_timer *tick;
    struct writer_command command;
    struct loop_post post;
    bool with_writer;
    bool began; /* it has looked once */
    int cuts;   /* commits in a row that were made to cut the log */
    bool more;
    int64_t access_kept_ms; /* of now; read on the keeper, which knows what is live */
    int64_t missed;         /* messages that endpoints had not taken */
};

/* Somebody was erased (LOG_CUT_DUE is there), and is still in the log: it is cut by a commit, so one is made, until that has come about.
 * "due": begin; anything else: it is on its way, or was in an earlier run. */
static int cut_log(struct sweep *w, struct store_conn *conn, int64_t now_ms, bool *cutting, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(conn, "SELECT value = 'due' FROM meta WHERE name = '" LOG_CUT_DUE "'", &s, err);
    if (rc == 0)
        rc = store_step(s, err);
    if (rc <= 0)
        return rc;
    bool begin = store_column_int(s, 0) || !w->began;
    store_reset(s);
    if (begin)
        writer_forget(w->shop->writer);
    *cutting = writer_forgets(w->shop->writer);
    rc = store_prepare(conn,
                       *cutting ? "UPDATE meta SET value = ?1 WHERE name = '" LOG_CUT_DUE "'"
                                : "DELETE FROM meta WHERE name = '" LOG_CUT_DUE "' AND ?1 > 0",
                       &s, err);
    if (rc < 0)
        return rc;
    store_bind_int(s, 1, now_ms);
    return store_run(s, NULL, err);
}

/* Its timer sets itself again each time (feira.retention); here it is set for the first time. */
static int begin_retention(struct store_conn *conn, int64_t now_ms, struct err *err)
{
    struct store_stmt *s;
    int rc = store_prepare(conn, "SELECT 1 FROM journal_timers WHERE procedure = '" RETENTION_TIMER "'", &s, err);
    if (rc == 0)
        rc = store_step(s, err);
    if (rc != 0) {
        store_reset(s);
        return rc < 0 ? rc : 0;
    }
    return timer_set(conn, SLICE_LIT(RETENTION_TIMER), SLICE_LIT("daily"), now_ms + RETENTION_FIRST_MS, err);
}

static int run(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct sweep *w = (struct sweep *)((char *)cmd - offsetof(struct sweep, command));
    int64_t now_ms = clock_wall_ms(w->shop->options.clock), removed = 0;
    bool more = false;
    w->missed = 0;
    int rc = idempotency_sweep(conn, now_ms - ANSWERS_KEPT_MS, AT_ONCE_MAX, &removed, err);
    if (rc == 0)
        rc = webhook_sweep(conn, now_ms - WEBHOOKS_KEPT_MS, AT_ONCE_MAX, now_ms, &w->missed, &more, err);
    if (rc == 0)
        rc = access_keep(w->shop->access, conn, now_ms, w->access_kept_ms, err);
    bool cutting = false;
    if (rc == 0 && !w->began)
        rc = begin_retention(conn, now_ms, err);
    if (rc == 0)
        rc = cut_log(w, conn, now_ms, &cutting, err);
    w->began = true;
    w->cuts = cutting ? w->cuts + 1 : 0;
    w->more = more || removed == AT_ONCE_MAX || (cutting && w->cuts < CUTS_AT_ONCE_MAX);
    return rc;
}

static void look(void *ctx);

static void rest(struct loop_post *post)
{
    struct sweep *w = (struct sweep *)((char *)post - offsetof(struct sweep, post));
    w->with_writer = false;
    loop_timer_start(w->tick, w->more ? AGAIN_AT_ONCE_MS : LOOK_EVERY_MS, 0);
}

static void done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct sweep *w = (struct sweep *)((char *)cmd - offsetof(struct sweep, command));
    if (rc < 0) {
        w->more = false;
        log_warn(w->shop->options.log, "sweep.failed", err->text);
    } else if (w->missed) {
        log_error(
            w->shop->options.log, "webhook.forgotten",
            "Messages that webhooks had not taken within 14 days are gone; see which are disabled, paused or behind: feira webhooks SHOP.",
            LOG_INT("messages", w->missed));
    }
    w->post.fn = rest;
    loop_post(w->loop, &w->post);
}

static int64_t access_kept_ms(struct shop *s)
{
    struct edition *live = publisher_live(s->publisher);
    int64_t ms = privacy_keep_ms(generation_privacy(live->generation), "access_ms");
    edition_unref(live);
    return ms;
}

static void look(void *ctx)
{
    struct sweep *w = ctx;
    if (w->with_writer)
        return;
    w->with_writer = true;
    w->more = false;
    w->missed = 0;
    w->access_kept_ms = access_kept_ms(w->shop);
    w->command = (struct writer_command){ .run = run, .done = done };
    if (writer_submit(w->shop->writer, &w->command, NULL) == 0)
        return;
    w->with_writer = false; /* the queue is full: orders first */
    loop_timer_start(w->tick, LOOK_EVERY_MS, 0);
}

int sweep_open(struct shop *s, struct loop *loop, struct sweep **out, struct err *err)
{
    *out = NULL;
    struct sweep *w = calloc(1, sizeof *w);
    if (!w || !(w->tick = loop_timer_new(loop, look, w))) {
        free(w);
        return err_set(err, ERR_NOMEM, "Out of memory.");
    }
    w->shop = s;
    w->loop = loop;
    loop_timer_start(w->tick, 1000, 0);
    *out = w;
    return 0;
}

void sweep_close(struct sweep *w)
{
    if (!w)
        return;
    loop_timer_free(w->tick);
    free(w);
}
