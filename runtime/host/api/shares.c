/* Campaigns for a share of the customers: how large each is now, made larger or smaller within what was approved. */
#include "host/admin/shares.h"
#include "base/money.h"
#include "host/admin/act.h"
#include "host/api/routes.h"
#include "host/publish/publish.h"
#include "host/worker.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int read_percent(struct call *c, int64_t *ppm, struct err *err)
{
    struct err why = { 0 };
    struct slice text = json_get(c->body, "percent")->string;
    if (rate_parse_percent(text, ppm, &why) == 0 && *ppm <= RATE_ONE_PPM)
        return 0;
    return err_field(err, ERR_INVALID, "/percent", "\"%.*s\" is no percentage from 0 to 100; write 12 or 12.5.", SLICE_FMT(text));
}

static int set(struct call *c, struct store_conn *conn, struct err *err)
{
    struct act *a = c->state;
    int64_t ppm = 0;
    const char *actor = act_actor(c);
    struct edition *live = publisher_live(c->shop->publisher);
    int rc = actor ? read_percent(c, &ppm, err) : nomem(err);
    if (rc == 0)
        rc = share_set(conn, generation_rules(live->generation), a->subject, ppm, actor, clock_wall_ms(c->shop->options.clock), err);
    edition_unref(live);
    if (rc < 0)
        return rc;
    c->shop->procedures.shares_changed = true;
    a->details = arena_printf(c->arena, "{\"percent\":\"%.*s\"}", SLICE_FMT(json_get(c->body, "percent")->string));
    c->answer = (struct bind_answer){ 200, a->details };
    return a->details.data ? 0 : nomem(err);
}

void handle_share_set(struct call *c)
{
    struct act *a = arena_zalloc(c->arena, sizeof *a);
    if (!a) {
        nomem(&c->err);
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    *a = (struct act){ .action = "share.set", .subject = c->req->params[0], .run = set };
    act_begin(c, a);
}

void handle_share_list(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    shares_write(c->shop->shares, generation_rules(c->seat->generation), &w);
    json_array_end(&w);
    json_object_end(&w);
    call_answer_json(c, 200, buf_slice(out));
}
