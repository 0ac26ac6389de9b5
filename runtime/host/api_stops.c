/* Stopping a campaign: one durable row, no build. Effective with the next quote of every worker. */
#include "host/health.h"
#include "host/publish.h"
#include "host/routes.h"
#include "host/status.h"
#include "host/stops.h"
#include "host/worker.h"

static void answer_text(struct call *c, int status, const char *what)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "campaign");
    json_string(&w, c->route->method == HTTP_METHOD_POST ? json_get(c->body, "campaign")->string : c->req->params[0]);
    json_key(&w, "stopped");
    json_bool(&w, what == NULL);
    json_object_end(&w);
    c->answer = (struct bind_answer){ status, arena_copy(c->arena, buf_slice(&b)) };
    buf_release(&b);
}

static int stop(struct call *c, struct store_conn *conn, struct err *err)
{
    struct slice reason = { "", 0 };
    json_is_string(json_get(c->body, "reason"), &reason);
    int rc =
        stops_insert(conn, json_get(c->body, "campaign")->string, reason, slice_str(c->who.id), clock_wall_ms(c->shop->options.clock), err);
    if (rc < 0)
        return rc;
    answer_text(c, 201, NULL);
    c->shop->procedures.stops_changed = true;
    return 0;
}

static int resume(struct call *c, struct store_conn *conn, struct err *err)
{
    bool quarantined = c->state != NULL;
    int rc = stops_delete(conn, c->req->params[0], err);
    if (rc == ERR_NOT_FOUND && quarantined)
        rc = 0; /* nothing but a quarantine, which is lifted already */
    if (rc < 0)
        return rc;
    answer_text(c, 200, "resumed");
    c->shop->procedures.stops_changed = true;
    return 0;
}

void handle_stop(struct call *c)
{
    uint32_t n;
    if (!quote_campaign_find(generation_rules(c->seat->generation), json_get(c->body, "campaign")->string, &n)) {
        err_reason(&c->err, ERR_NOT_FOUND, "no_such_campaign",
                   "There is no live campaign \"%.*s\"; its id is what promo.campaign { id = ... } says.",
                   SLICE_FMT(json_get(c->body, "campaign")->string));
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    call_write_native(c, stop);
}

void handle_resume(struct call *c)
{
    uint32_t n;
    if (stops_free(c->shop->stops, c->req->params[0])) {
        c->state = c; /* says that it was quarantined */
        if (quote_campaign_find(generation_rules(c->seat->generation), c->req->params[0], &n))
            health_reset(c->seat->edition->health, n); /* what failed before does not count against it any more */
    }
    call_write_native(c, resume);
}

void handle_stop_list(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    stops_write(c->shop, &w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
