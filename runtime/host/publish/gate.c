#include "host/publish/gate.h"
#include "base/log.h"
#include "host/admin/act.h"
#include "host/admin/drafts.h"
#include "host/publish/revisions.h"
#include <stdio.h>

/* --- who may pass ------------------------------------------------------------------------------------------------------------------ */

static int admit_rollback(struct store_conn *conn, const struct publish_job *job, const struct generation *next, char room[40],
                          struct err *err)
{
    int rc = revision_warrant(conn, sources_hash(generation_sources(next)), room, err);
    if (rc < 0 || room[0] || strcmp(job->how, "rescue") == 0)
        return rc;
    return err_reason(
        err, ERR_DENIED, "never_approved",
        "%s was never live with its approvals, so nobody goes back to it; submit its rules as a draft, or stop what does harm.",
        generation_id(next));
}

static int admit_change(const struct generation *live, const struct generation *next, char room[40], struct err *err)
{
    struct arena arena;
    struct slice changes;
    unsigned steps = 0;
    arena_init(&arena, NULL, 0);
    int rc = changes_find(live, next, &arena, &steps, &changes, err);
    arena_release(&arena);
    if (rc == 0 && steps)
        rc = err_reason(err, ERR_DENIED, "approval_needed", "This change has to be approved: feira submit SHOP.");
    snprintf(room, 40, "no-steps");
    return rc;
}

int gate_admit(struct shop *s, struct store_conn *conn, const struct publish_job *job, const struct generation *live,
               const struct generation *next, char room[40], struct err *err)
{
    room[0] = '\0';
    if (job->kind == PUBLISH_DRAFT) {
        snprintf(room, 40, "%s", job->draft);
        return draft_go_live(s, conn, slice_str(job->draft), next, generation_id(live), err);
    }
    int rc = !changes_are_gated(live)        ? 0
             : job->kind == PUBLISH_ROLLBACK ? admit_rollback(conn, job, next, room, err)
                                             : admit_change(live, next, room, err);
    return rc < 0 ? rc : drafts_end_live(conn, clock_wall_ms(s->options.clock), err);
}

#define FLAG "approvals" /* in the table meta: "1" or "0" */

int gate_remember(struct store_conn *conn, const struct generation *g, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, SLICE_LIT(FLAG));
    store_bind_text(q, 2, changes_are_gated(g) ? SLICE_LIT("1") : SLICE_LIT("0"));
    return store_run(q, NULL, err);
}

int gate_was_closed(struct store_conn *conn, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT 1 FROM meta WHERE name = '" FLAG "' AND value = '1'", &q, err);
    if (rc < 0)
        return rc;
    rc = store_step(q, err);
    store_reset(q);
    return rc;
}

/* --- drafts --------------------------------------------------------------------------------------------------------------------------- */

struct keeping {
    struct shop *shop;
    struct publish_job *job;
    struct draft_content content;
};

/* Saved again without a change, it is what it was. */
static int is_same(struct store_conn *conn, const char *draft, const struct draft_content *c, bool *same, struct err *err)
{
    struct draft_row d;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = draft_get(conn, slice_str(draft), &arena, &d, err);
    *same = rc == 0 && strcmp(d.generation, generation_id(c->next)) == 0 && strcmp(d.base, generation_id(c->live)) == 0;
    arena_release(&arena);
    return rc;
}

static int keep(void *ctx, struct store_conn *conn, struct err *err)
{
    struct keeping *k = ctx;
    struct publish_job *job = k->job;
    char draft[ID_MAX];
    bool same = false;
    snprintf(draft, sizeof draft, "%s", job->kind == PUBLISH_SUBMIT ? job->draft : "");
    int rc = draft[0] ? 0 : draft_find_open(conn, k->content.actor, draft, err);
    if (rc == 0 && draft[0] && !k->content.submitted)
        rc = is_same(conn, draft, &k->content, &same, err);
    if (rc == 0 && !same)
        rc = draft_save(k->shop, conn, &k->content, draft, err);
    if (rc < 0)
        return rc;
    snprintf(job->saved, sizeof job->saved, "%s", draft);
    return job->with ? job->with(job, conn, err) : 0;
}

int gate_save(struct publisher *p, struct shop *s, struct publish_job *job, const struct generation *live, const struct generation *next,
              unsigned steps, struct slice changes, struct err *err)
{
    char local[CALLER_ID_MAX];
    struct keeping k = { .shop = s, .job = job };
    act_local_name(local);
    k.content = (struct draft_content){ .next = next,
                                        .live = live,
                                        .steps = steps,
                                        .changes = changes,
                                        .findings = job->findings,
                                        .note = job->note,
                                        .go_live_ms = job->go_live_ms,
                                        .actor = job->actor[0] ? job->actor : local,
                                        .submitted = job->kind == PUBLISH_SUBMIT };
    snprintf(job->live, sizeof job->live, "%s", generation_id(live));
    snprintf(job->previous, sizeof job->previous, "%s", generation_id(live));
    job->campaigns = quote_rules_count(generation_rules(next));
    job->drafted = true;
    return publisher_write(p, keep, &k, err);
}

int gate_sources(struct store_conn *reader, const char *draft, struct sources **out, struct err *err)
{
    struct draft_row d;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = draft_get(reader, slice_str(draft), &arena, &d, err);
    if (rc == 0)
        rc = revision_load_kept(reader, d.revision, out, err);
    arena_release(&arena);
    return rc;
}

/* --- what could not go live
 * ----------------------------------------------------------------------------------------------------------------- */

struct falling {
    struct shop *shop;
    const char *draft;
    const struct err *why;
};

static int fall_back(void *ctx, struct store_conn *conn, struct err *err)
{
    struct falling *f = ctx;
    return draft_fall_back(f->shop, conn, slice_str(f->draft), f->why, err);
}

void gate_fall_back(struct publisher *p, struct shop *s, const char *draft, const struct err *why)
{
    struct err err = { 0 };
    struct falling f = { s, draft, why };
    if (publisher_write(p, fall_back, &f, &err) < 0)
        log_error(s->options.log, "draft.stuck", err.text, LOG_STR("draft", draft));
}
