/* Moving rows of a plugin to the rules of another revision. */
#include "base/log.h"
#include "host/admin/act.h"
#include "host/admin/changes.h"
#include "host/publish/pins.h"
#include "host/publish/publish.h"
#include "host/api/routes.h"
#include "host/worker.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static const char *word(struct call *c, const char *key, bool *failed)
{
    struct slice s;
    if (!json_is_string(json_get(c->body, key), &s))
        return NULL;
    const char *text = arena_strdup(c->arena, s);
    *failed = *failed || !text;
    return text;
}

/* Each row is in plugin_repins; the log has the sum. */
static void tell(struct call *c, const struct repin *r, int64_t moved)
{
    log_info(c->shop->options.log, "plugin.repinned", "Rows of a plugin go by the rules of another revision from now on.",
             LOG_STR("plugin", r->plugin), LOG_STR("collection", r->collection ? r->collection : "all"),
             LOG_STR("from", r->from ? r->from : "any"), LOG_STR("to", r->to ? r->to : "live"), LOG_INT("rows", moved),
             LOG_STR("by", c->who.id));
}

static int move(struct call *c, struct store_conn *conn, struct err *err)
{
    struct repin *r = c->state;
    struct edition *live = publisher_live(c->shop->publisher);
    struct buf b;
    struct json_writer w;
    int64_t moved = 0;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    int rc = pins_move(conn, live->generation, r, clock_wall_ms(c->shop->options.clock), &w, &moved, err);
    edition_unref(live);
    if (rc == 0) {
        c->answer = (struct bind_answer){ 200, b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b)) };
        rc = c->answer.body.data ? 0 : nomem(err);
    }
    if (rc == 0 && moved)
        rc = act_note(c, conn, "repinned", slice_str(r->plugin), arena_printf(c->arena, "{\"rows\":%lld}", (long long)moved), err);
    if (rc == 0 && moved)
        tell(c, r, moved);
    buf_release(&b);
    return rc;
}

void handle_repin(struct call *c)
{
    struct repin *r = arena_zalloc(c->arena, sizeof *r);
    bool failed = !r;
    if (!failed) {
        *r = (struct repin){ .plugin = arena_strdup(c->arena, c->req->params[0]), .author = c->who.id };
        failed = !r->plugin;
        r->collection = word(c, "collection", &failed);
        r->from = word(c, "from", &failed);
        r->to = word(c, "to", &failed);
        json_is_bool(json_get(c->body, "dry_run"), &r->dry_run);
    }
    if (failed) {
        nomem(&c->err);
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (r->to && changes_are_gated(c->seat->generation)) {
        err_reason(&c->err, ERR_DENIED, "approval_needed",
                   "Where approvals are asked for, rows move to the live rules only, which were approved.");
        act_refuse(c);
        return;
    }
    c->state = r;
    call_write_native(c, move);
}
