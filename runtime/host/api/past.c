/* Orders of the past: why one cost what it cost, and all of them computed again. Neither holds up a loop: what takes long runs on threads
 * of its own, an explanation on the publisher's, because it may have to build rules. */
#include "host/api/routes.h"
#include "host/api/words.h"
#include "host/care/errand.h"
#include "host/past/backtest.h"
#include "host/past/explanation.h"
#include "host/past/replay.h"
#include "host/publish/publish.h"
#include "host/worker.h"

void handle_replay(struct call *c)
{
    errand_begin(c, "replay", replay_run);
}

void handle_replay_look(struct call *c)
{
    errand_look(c, "replay");
}

void handle_replay_cancel(struct call *c)
{
    errand_cancel(c, "replay");
}

/* Files of the machine are named by who works on it; others send them. */
void handle_backtest(struct call *c)
{
    if (!json_get(c->body, "candidates") || c->req->peer->local_socket) {
        errand_begin(c, "backtest", backtest_run);
        return;
    }
    err_field(&c->err, ERR_DENIED, "/candidates",
              "Paths are named on the machine of the shop: feira backtest SHOP CANDIDATE; from elsewhere send files.");
    call_fail(c, NULL, (struct slice){ 0 });
}

void handle_backtest_look(struct call *c)
{
    errand_look(c, "backtest");
}

void handle_backtest_cancel(struct call *c)
{
    errand_cancel(c, "backtest");
}

/* --- GET /v1/orders/{id}/explanation ------------------------------------------------------------------------------------------ */

struct explaining {
    struct publish_job job;
    struct call *call;
    const struct quote_words *words;
    struct buf text;
};

static void answer(struct call *c)
{
    struct explaining *x = c->state;
    int rc = x->job.rc;
    struct slice text = arena_copy(c->arena, buf_slice(&x->text));
    bool failed = x->text.failed || !text.data;
    buf_release(&x->text);
    c->err = x->job.err;
    if (rc == 0 && failed)
        rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else
        call_answer_json(c, 200, text);
}

static int explain(struct publish_job *job, struct store_conn *reader, struct err *err)
{
    struct explaining *x = (struct explaining *)((char *)job - offsetof(struct explaining, job));
    struct json_writer w;
    json_writer_init(&w, &x->text);
    return explanation_write(x->call->shop, reader, x->call->req->params[0], x->words, &w, err);
}

static void explained(struct publish_job *job)
{
    struct explaining *x = (struct explaining *)((char *)job - offsetof(struct explaining, job));
    x->call->done = answer;
    call_resume(x->call);
}

static int read_language(struct call *c, const struct quote_words **out)
{
    struct slice name, header = http_header(c->req, "Accept-Language");
    int rc = http_query(c->req, "lang", &name, &c->err);
    if (rc < 0)
        return rc;
    *out = rc ? words_of(c->shop->words, name) : header.data ? words_accepted(c->shop->words, header) : NULL;
    if (rc && !*out)
        return err_field(&c->err, ERR_INVALID, "lang", "lang is \"en\" or \"zh-CN\".");
    return 0;
}

void handle_explanation(struct call *c)
{
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    struct explaining *x = arena_zalloc(c->arena, sizeof *x);
    struct err err;
    c->rc = x ? read_language(c, &x->words) : err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    buf_init(&x->text, NULL);
    x->call = c;
    x->job = (struct publish_job){ .kind = PUBLISH_TASK, .how = "explain", .task = explain, .done = explained };
    c->state = x;
    call_wait(c);
    if (publisher_submit(c->shop->publisher, &x->job, &err) == 0)
        return;
    worker_let_go(w, seat);
    c->err = err;
    call_fail(c, NULL, (struct slice){ 0 });
}
