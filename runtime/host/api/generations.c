/* Publishing over HTTP: the publisher does it, the call waits. */
#include "host/admin/act.h"
#include "host/admin/drafts.h"
#include "host/publish/gate.h"
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include "host/api/routes.h"
#include "host/care/status.h"
#include "host/worker.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { LISTED_MAX = 100 };

struct publishing {
    struct publish_job job;
    struct call *call;
};

/* --- answers ---------------------------------------------------------------------------------------------------------- */

/* took_ms < 0: not known yet. */
static struct slice document(struct call *c, const struct publish_job *job, int64_t took_ms)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "generation");
    json_str(&w, job->live);
    json_key(&w, "previous");
    json_str(&w, job->previous);
    json_key(&w, "result");
    json_str(&w, job->drafted ? "draft" : job->changed ? "live" : "unchanged");
    if (job->drafted) {
        json_key(&w, "draft");
        json_str(&w, job->saved);
    }
    json_key(&w, "campaigns");
    json_int(&w, (int64_t)job->campaigns);
    if (took_ms >= 0) {
        json_key(&w, "took_ms");
        json_int(&w, took_ms);
    }
    if (job->findings.data) {
        json_key(&w, "findings");
        json_raw(&w, job->findings);
    }
    json_object_end(&w);
    struct slice out = arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    return out;
}

/* "campaigns/tea.lua:7: what is wrong" → {"file": "campaigns/tea.lua", "line": 7}; nothing when the text names no place. */
static struct slice place(struct call *c, const char *text)
{
    for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
        char *end;
        if (!isdigit((unsigned char)colon[1]))
            continue;
        long line = strtol(colon + 1, &end, 10), column = 0;
        if (*end != ':' || memchr(text, ' ', (size_t)(colon - text)))
            return (struct slice){ 0 };
        if (isdigit((unsigned char)end[1]))
            column = strtol(end + 1, &end, 10);
        struct buf b;
        struct json_writer w;
        buf_init(&b, NULL);
        json_writer_init(&w, &b);
        json_object(&w);
        json_key(&w, "file");
        json_string(&w, slice_of(text, (size_t)(colon - text)));
        json_key(&w, "line");
        json_int(&w, line);
        if (column > 0) {
            json_key(&w, "column");
            json_int(&w, column);
        }
        json_object_end(&w);
        struct slice out = arena_copy(c->arena, buf_slice(&b));
        buf_release(&b);
        return out;
    }
    return (struct slice){ 0 };
}

static void answer(struct call *c)
{
    struct publishing *p = c->state;
    if (p->job.rc == 0) {
        call_answer_json(c, 200, document(c, &p->job, p->job.took_ms));
        return;
    }
    c->err = p->job.err;
    struct slice where = strcmp(c->err.reason, "rules_refused") == 0 ? place(c, c->err.text) : (struct slice){ 0 };
    const struct call_extra extra[] = { { where.data ? "place" : NULL, where },
                                        { p->job.findings.data ? "findings" : NULL, p->job.findings } };
    call_fail_with(c, extra, 2);
}

/* --- requests --------------------------------------------------------------------------------------------------------- */

static void published(struct publish_job *job)
{
    struct publishing *p = (struct publishing *)((char *)job - offsetof(struct publishing, job));
    if (job->findings.data)
        job->findings = arena_copy(p->call->arena, job->findings); /* the publisher's goes with this */
    p->call->done = answer;
    call_resume(p->call);
}

static int remember(struct publish_job *job, struct store_conn *conn, struct err *err)
{
    struct publishing *p = (struct publishing *)((char *)job - offsetof(struct publishing, job));
    p->call->answer = (struct bind_answer){ 200, document(p->call, job, -1) };
    return call_remember(p->call, conn, err);
}

static void submit(struct call *c, struct publishing *p)
{
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    struct err err;
    p->call = c;
    p->job.done = published;
    p->job.with = remember;
    const char *actor = act_actor(c);
    snprintf(p->job.author, sizeof p->job.author, "%s", c->who.id);
    snprintf(p->job.actor, sizeof p->job.actor, "%s", actor ? actor : "");
    call_wait(c);
    if (publisher_submit(c->shop->publisher, &p->job, &err) == 0)
        return;
    worker_let_go(w, seat);
    c->err = err;
    call_fail(c, NULL, (struct slice){ 0 });
}

static struct publishing *begin(struct call *c, enum publish_kind kind, const char *how)
{
    if (call_answer_again(c))
        return NULL;
    struct publishing *p = arena_zalloc(c->arena, sizeof *p);
    if (!p) {
        err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
        call_fail(c, NULL, (struct slice){ 0 });
        return NULL;
    }
    c->state = p;
    p->job.kind = kind;
    p->job.how = how;
    return p;
}

void handle_publish(struct call *c)
{
    struct publishing *p = begin(c, PUBLISH_FOLDER, "publish");
    if (p)
        submit(c, p);
}

/* Without approvals a draft is live as soon as it is due: so only who may publish may submit. */
static bool may_submit(struct call *c)
{
    if (changes_are_gated(c->seat->generation) || c->who.roles & ROLE_OWNER)
        return true;
    err_reason(&c->err, ERR_DENIED, "role_missing", "This shop asks for no approvals, so only an owner submits.");
    act_refuse(c);
    return false;
}

void handle_draft_submit(struct call *c)
{
    struct publishing *p = may_submit(c) ? begin(c, PUBLISH_SUBMIT, "submit") : NULL;
    struct slice text = { "", 0 };
    if (!p)
        return;
    json_is_string(json_get(c->body, "note"), &p->job.note);
    json_is_string(json_get(c->body, "at"), &text);
    if (draft_time(c->seat->generation, text, &p->job.go_live_ms, &c->err) < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (json_is_string(json_get(c->body, "draft"), &text))
        snprintf(p->job.draft, sizeof p->job.draft, "%.*s", SLICE_FMT(text));
    submit(c, p);
}

void handle_rollback(struct call *c)
{
    struct publishing *p = begin(c, PUBLISH_ROLLBACK, "rollback");
    struct slice to;
    if (!p)
        return;
    if (json_is_string(json_get(c->body, "to"), &to))
        snprintf(p->job.generation, sizeof p->job.generation, "%.*s", SLICE_FMT(to));
    submit(c, p);
}

void handle_generation_list(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    struct edition *live = publisher_live(c->shop->publisher);
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "live");
    json_str(&w, generation_id(live->generation));
    json_key(&w, "stopped");
    stops_write(c->shop, &w);
    json_key(&w, "items");
    json_array(&w);
    c->rc = revisions_write(c->worker->conn, generation_id(live->generation), LISTED_MAX, &w, &c->err);
    edition_unref(live);
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    json_array_end(&w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
