/* For ops: is it alive, is it ready, counters, the description of the API, and one screen of how it is. */
#include "host/plugins/plugins.h"
#include "host/care/status.h"
#include "host/worker.h"

void handle_health(struct call *c)
{
    call_answer_json(c, 200, SLICE_LIT("{\"status\":\"ok\"}"));
}

void handle_ready(struct call *c)
{
    if (atomic_load(&c->shop->draining))
        http_problem_retry(c->req, 503, "draining", "This server is shutting down; another one takes over.", 1);
    else
        call_answer_json(c, 200, SLICE_LIT("{\"status\":\"ready\"}"));
}

static bool out_of_memory(struct call *c, const struct buf *out)
{
    if (!out->failed)
        return false;
    err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    call_fail(c, NULL, (struct slice){ 0 });
    return true;
}

void handle_metrics(struct call *c)
{
    struct buf *out = &c->worker->out;
    buf_clear(out);
    metrics_write(c->shop, c->worker->conn, out);
    if (!out_of_memory(c, out))
        http_respond(c->req, &(struct http_response){ 200, "text/plain; version=0.0.4", NULL, 0, buf_slice(out) });
}

void handle_openapi(struct call *c)
{
    struct buf *out = &c->worker->out;
    buf_clear(out);
    openapi_write(c->shop->routes, plugin_state_of(c->seat->vm), out);
    if (!out_of_memory(c, out))
        call_answer_json(c, 200, buf_slice(out));
}

void handle_status(struct call *c)
{
    struct buf *out = &c->worker->out;
    buf_clear(out);
    status_write(c->shop, c->worker->conn, out);
    if (!out_of_memory(c, out))
        call_answer_json(c, 200, buf_slice(out));
}
