/* Events that wait to be heard after the commit, and dead letters (of jobs, too): listed, replayed, dropped. */
#include "base/log.h"
#include "base/zone.h"
#include "host/plugins/plugins.h"
#include "host/worker.h"
#include "journal/events.h"

enum { LIMIT = 50, LIMIT_MAX = 200, REPLAY_AT_ONCE = 500 };

struct listing {
    struct json_writer *w;
    int left; /* of the page */
    int64_t last;
    bool more;
};

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
    char at[TIMESTAMP_MAX];
    json_key(w, key);
    json_string(w, slice_of(at, timestamp_format(ms, at)));
}

static void write_text(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, key);
    json_string(w, text);
}

static int write_event(void *ctx, const struct event_row *e)
{
    static const char *const standings[] = {
        [EVENT_WAITS] = "waits", [EVENT_BEHIND] = "behind", [EVENT_PARKED] = "parked", [EVENT_DEAD] = "dead"
    };
    struct listing *l = ctx;
    struct json_writer *w = l->w;
    if (l->left-- == 0) {
        l->more = true;
        return 1;
    }
    l->last = e->id;
    json_object(w);
    json_key(w, "id");
    json_int(w, e->id);
    struct slice plugin = plugin_timer_owner(e->subscriber);
    const char *timer = plugin.data + plugin.len + 1; /* "plugin:invite.expire" */
    write_text(w, "plugin", plugin);
    if (e->event.len)
        write_text(w, "event", e->event);
    else
        write_text(w, "job", slice_of(timer, (size_t)(e->subscriber.data + e->subscriber.len - timer)));
    if (e->key.len)
        write_text(w, "key", e->key);
    write_text(w, "state", slice_str(standings[e->standing]));
    if (e->event.len) {
        json_key(w, "payload");
        json_raw(w, e->payload);
    }
    write_time(w, "made_at", e->made_ms);
    json_key(w, "tries");
    json_int(w, e->tries);
    if (e->why.len)
        write_text(w, "last_error", e->why);
    if (e->standing == EVENT_WAITS)
        write_time(w, "next_try_at", e->due_ms);
    if (e->standing == EVENT_DEAD)
        write_time(w, "given_up_at", e->due_ms);
    json_object_end(w);
    return 0;
}

static int query_dead(struct call *c, bool *dead)
{
    struct slice text = { 0 };
    int rc = http_query(c->req, "dead", &text, &c->err);
    if (rc <= 0)
        return rc;
    *dead = slice_is(text, "true");
    return *dead || slice_is(text, "false") ? 0 : err_field(&c->err, ERR_INVALID, "dead", "dead is true or false.");
}

static void fail(struct call *c)
{
    call_fail(c, NULL, (struct slice){ 0 });
}

void handle_event_list(struct call *c)
{
    struct json_writer w;
    struct buf *out = &c->worker->out;
    bool dead = false;
    int64_t limit = LIMIT, after = 0;
    c->rc = query_dead(c, &dead);
    if (c->rc == 0)
        c->rc = call_query_number(c, "limit", 1, LIMIT_MAX, &limit);
    if (c->rc == 0)
        c->rc = call_query_number(c, "cursor", 1, INT64_MAX / 2, &after);
    if (c->rc < 0) {
        fail(c);
        return;
    }
    struct listing l = { .w = &w, .left = (int)limit };
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    c->rc = event_each(c->worker->conn, dead, after, (int)limit + 1, write_event, &l, &c->err);
    json_array_end(&w);
    json_key(&w, "next_cursor");
    if (l.more) {
        struct slice next = arena_printf(c->arena, "%lld", (long long)l.last);
        json_string(&w, next.data ? next : slice_str("0"));
    } else {
        json_null(&w);
    }
    json_object_end(&w);
    if (c->rc >= 0 && out->failed)
        c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0)
        fail(c);
    else
        call_answer_json(c, 200, buf_slice(out));
}

/* --- by hand ------------------------------------------------------------------------------------------------------------------ */

static int answer(struct call *c, const char *what, int64_t count, struct err *err)
{
    c->answer = (struct bind_answer){ 200, arena_printf(c->arena, "{\"%s\":%lld}", what, (long long)count) };
    return c->answer.body.data ? 0 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int replay(struct call *c, struct store_conn *conn, struct err *err)
{
    const int64_t *id = c->state; /* 0: all */
    int64_t now_ms = clock_wall_ms(c->shop->options.clock), n = 1;
    int rc = *id ? event_replay(conn, *id, now_ms, err) : event_replay_dead(conn, REPLAY_AT_ONCE, now_ms, &n, err);
    if (rc < 0)
        return rc;
    log_info(c->shop->options.log, "event.replayed", "Events are brought to plugins again.", LOG_INT("id", *id), LOG_INT("events", n),
             LOG_STR("by", c->who.id));
    return answer(c, "replayed", n, err);
}

static int drop(struct call *c, struct store_conn *conn, struct err *err)
{
    const int64_t *id = c->state;
    int rc = event_drop(conn, *id, err);
    if (rc < 0)
        return rc;
    log_info(c->shop->options.log, "event.dropped", "A dead letter was dropped for ever.", LOG_INT("id", *id), LOG_STR("by", c->who.id));
    return answer(c, "dropped", 1, err);
}

static void on_writer(struct call *c, bool all, int (*native)(struct call *c, struct store_conn *conn, struct err *err))
{
    int64_t *id = arena_zalloc(c->arena, sizeof *id);
    c->state = id;
    if (!id)
        c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    else if (!(all && slice_is(c->req->params[0], "all")) && (call_read_number(c->req->params[0], INT64_MAX / 2, id) < 0 || *id == 0))
        c->rc = err_reason(&c->err, ERR_NOT_FOUND, "no_such_event", "There is no such event; GET /v1/events lists them.");
    if (c->rc < 0)
        fail(c);
    else
        call_write_native(c, native);
}

void handle_event_replay(struct call *c)
{
    on_writer(c, true, replay);
}

void handle_event_drop(struct call *c)
{
    on_writer(c, false, drop);
}
