/* Webhooks: endpoints made, changed, paused and removed; their secrets; what was sent to them, and sent again. */
#include "base/log.h"
#include "base/zone.h"
#include "host/api/routes.h"
#include "host/webhooks/webhooks.h"
#include "host/worker.h"

enum { LIMIT = 50, LIMIT_MAX = 200, REPLAY_AT_ONCE = 500, COUNT_MAX = 10000, KEEP_DEFAULT_S = 86400, KEEP_MAX_S = 7 * 86400 };

static const char *const states[] = { [WEBHOOK_ACTIVE] = "active", [WEBHOOK_PAUSED] = "paused", [WEBHOOK_DISABLED] = "disabled" };
static const char *const standings[] = {
    [WEBHOOK_WAITS] = "waiting", [WEBHOOK_BEHIND] = "behind", [WEBHOOK_TAKEN] = "taken", [WEBHOOK_GIVEN_UP] = "given_up"
};

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static void fail(struct call *c)
{
    call_fail(c, NULL, (struct slice){ 0 });
}

static int no_such(struct err *err)
{
    return err_reason(err, ERR_NOT_FOUND, "no_such_webhook", "There is no such webhook; GET /v1/webhooks and feira webhooks list them.");
}

/* --- writing ---------------------------------------------------------------------------------------------------------------- */

static void write_text(struct json_writer *w, const char *key, struct slice text)
{
    json_key(w, key);
    json_string(w, text);
}

static void write_int(struct json_writer *w, const char *key, int64_t n)
{
    json_key(w, key);
    json_int(w, n);
}

static void write_time(struct json_writer *w, const char *key, int64_t ms)
{
    char at[TIMESTAMP_MAX];
    if (ms)
        write_text(w, key, slice_of(at, timestamp_format(ms, at)));
}

static void write_settings(struct json_writer *w, const struct webhook *one)
{
    write_text(w, "id", slice_str(one->name));
    write_text(w, "url", one->url);
    write_text(w, "label", one->label);
    json_key(w, "events");
    json_array(w);
    for (size_t i = 0; i < one->pick_count; i++)
        json_string(w, one->picks[i]);
    json_array_end(w);
    json_key(w, "personal");
    json_array(w);
    for (unsigned i = 0; webhook_personal(i); i++)
        if (one->personal & 1u << i)
            json_str(w, webhook_personal(i));
    json_array_end(w);
    json_key(w, "ordered");
    json_bool(w, one->ordered);
    write_text(w, "state", slice_str(states[one->state]));
    if (one->why.len)
        write_text(w, "why", one->why);
    write_time(w, "created_at", one->created_ms);
}

static int write_health(struct json_writer *w, struct store_conn *conn, const struct webhook *one, int64_t now_ms, struct err *err)
{
    int64_t open, oldest_ms, given_up;
    int rc = webhook_backlog(conn, one->id, COUNT_MAX, &open, &oldest_ms, err);
    if (rc == 0)
        rc = webhook_given_up(conn, one->id, COUNT_MAX, &given_up, err);
    if (rc < 0)
        return rc;
    write_int(w, "failures", one->failures);
    write_time(w, "failing_since", one->failing_since_ms);
    if (one->rests_until_ms > now_ms)
        write_time(w, "rests_until", one->rests_until_ms);
    write_int(w, "waiting", open);
    write_time(w, "oldest_waiting", oldest_ms);
    write_int(w, "given_up", given_up);
    int64_t secrets = 0, earlier_until_ms = 0;
    for (size_t i = 0; i < one->secret_count; i++) {
        bool signs = one->secrets[i].until_ms == 0 || one->secrets[i].until_ms > now_ms;
        secrets += signs;
        if (signs && one->secrets[i].until_ms > earlier_until_ms)
            earlier_until_ms = one->secrets[i].until_ms;
    }
    write_int(w, "secrets", secrets);
    write_time(w, "earlier_secrets_until", earlier_until_ms);
    return 0;
}

static int write_webhook(struct json_writer *w, struct store_conn *conn, const struct webhook *one, int64_t now_ms, struct err *err)
{
    json_object(w);
    write_settings(w, one);
    int rc = write_health(w, conn, one, now_ms, err);
    json_object_end(w);
    return rc;
}

static void finish(struct call *c, int status)
{
    struct buf *out = &c->worker->out;
    if (c->rc >= 0 && out->failed)
        c->rc = nomem(&c->err);
    if (c->rc < 0)
        fail(c);
    else
        call_answer_json(c, status, buf_slice(out));
}

static struct json_writer begin(struct call *c)
{
    struct json_writer w;
    buf_clear(&c->worker->out);
    json_writer_init(&w, &c->worker->out);
    return w;
}

void handle_webhook_list(struct call *c)
{
    struct json_writer w = begin(c);
    struct webhook_set *set = webhooks_acquire(c->shop->webhooks);
    int64_t now_ms = clock_wall_ms(c->shop->options.clock);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    for (size_t i = 0; i < webhook_set_count(set) && c->rc == 0; i++)
        c->rc = write_webhook(&w, c->worker->conn, webhook_set_at(set, i), now_ms, &c->err);
    json_array_end(&w);
    json_object_end(&w);
    webhook_set_release(set);
    finish(c, 200);
}

void handle_webhook_get(struct call *c)
{
    struct json_writer w = begin(c);
    struct webhook_set *set = webhooks_acquire(c->shop->webhooks);
    const struct webhook *one = webhook_set_find(set, c->req->params[0]);
    c->rc = one ? write_webhook(&w, c->worker->conn, one, clock_wall_ms(c->shop->options.clock), &c->err) : no_such(&c->err);
    webhook_set_release(set);
    finish(c, 200);
}

/* --- what an endpoint is to be ------------------------------------------------------------------------------------------------ */

static int check_picks(struct call *c, const struct json_value *list)
{
    int rc = 0;
    for (const struct json_value *v = list ? list->first : NULL; v && rc == 0; v = v->next)
        rc = webhook_check_pick(c->seat->generation, v->string, &c->err);
    return rc;
}

/* Whoever directs personal fields somewhere, or looks at them, must be allowed to read them himself. */
static int may_read(const struct call *c, unsigned personal, struct err *err)
{
    for (unsigned i = 0; webhook_personal(i); i++) {
        bool order = strncmp(webhook_personal(i), "order.", 6) == 0;
        if (personal & 1u << i && !call_may(c, order ? SCOPE_ORDERS_READ : SCOPE_CUSTOMERS_READ))
            return err_field(err, ERR_DENIED, "/personal", "This key may not read %s itself; it lacks the scope %s.", webhook_personal(i),
                             order ? "orders:read" : "customers:read");
    }
    return 0;
}

static int check_personal(struct call *c, const struct json_value *list)
{
    unsigned which, all = 0;
    int rc = 0;
    for (const struct json_value *v = list ? list->first : NULL; v && rc == 0; v = v->next) {
        rc = webhook_personal_find(v->string, &which, &c->err);
        all |= rc == 0 ? 1u << which : 0;
    }
    return rc < 0 ? rc : may_read(c, all, &c->err);
}

static int check_url(struct call *c, const struct json_value *url)
{
    struct outbound_options o = c->shop->options.outbound;
    struct err why = { 0 };
    o.may_be_local = c->shop->options.webhooks_may_be_local;
    if (!url || outbound_may_call(&o, url->string, &why) == 0)
        return 0;
    return err_field(&c->err, ERR_INVALID, "/url", "The %s%s.", why.text,
                     o.may_be_local ? "" : "; a shop served with --allow-private also takes http and private networks, for development");
}

static int check_body(struct call *c)
{
    int rc = check_url(c, json_get(c->body, "url"));
    if (rc == 0)
        rc = check_picks(c, json_get(c->body, "events"));
    return rc < 0 ? rc : check_personal(c, json_get(c->body, "personal"));
}

static struct slice list_text(struct arena *arena, const struct json_value *list)
{
    struct buf out;
    struct json_writer w;
    if (!list)
        return slice_str("[]");
    buf_init(&out, NULL);
    json_writer_init(&w, &out);
    json_value_write(&w, list);
    struct slice text = out.failed ? (struct slice){ 0 } : arena_copy(arena, buf_slice(&out));
    buf_release(&out);
    return text;
}

static struct slice text_of(const struct json_value *body, const char *name, struct slice otherwise)
{
    const struct json_value *v = json_get(body, name);
    return v ? v->string : otherwise;
}

static bool bool_of(const struct json_value *body, const char *name, bool otherwise)
{
    json_is_bool(json_get(body, name), &otherwise);
    return otherwise;
}

static void changed(struct call *c)
{
    c->shop->procedures.webhooks_changed = true;
}

/* --- secrets ------------------------------------------------------------------------------------------------------------------- */

/* A new one, and its text for the answer. */
static int make_secret(struct call *c, struct store_conn *conn, int64_t endpoint, int64_t now_ms, int64_t earlier_end_ms,
                       char text[WEBHOOK_SECRET_TEXT_MAX], struct err *err)
{
    unsigned char secret[WEBHOOK_SECRET_BYTES];
    random_fill(c->shop->options.random, secret, sizeof secret);
    webhook_secret_text(secret, text);
    int rc = webhook_secret_add(conn, endpoint, slice_of((const char *)secret, sizeof secret), now_ms, earlier_end_ms, err);
    crypto_wipe(secret, sizeof secret);
    return rc;
}

static int count_endpoints(void *ctx, const struct webhook_endpoint *e)
{
    (void)e;
    ++*(int *)ctx;
    return 0;
}

static int create(struct call *c, struct store_conn *conn, struct err *err)
{
    struct shop *s = c->shop;
    char name[WEBHOOK_ID_MAX], secret[WEBHOOK_SECRET_TEXT_MAX];
    int64_t id, now_ms = clock_wall_ms(s->options.clock);
    int there = 0;
    int rc = webhook_endpoint_each(conn, count_endpoints, &there, err);
    if (rc == 0 && there >= WEBHOOKS_MAX)
        rc = err_reason(err, ERR_STATE, "too_many_webhooks", "There are %d webhooks already; remove one that is not needed any more.",
                        there);
    if (rc < 0)
        return rc;
    id_make(&s->procedures.ids, "whk", name);
    struct webhook_endpoint e = { .name = slice_str(name),
                                  .url = text_of(c->body, "url", slice_str("")),
                                  .label = text_of(c->body, "label", slice_str("")),
                                  .events = list_text(c->arena, json_get(c->body, "events")),
                                  .personal = list_text(c->arena, json_get(c->body, "personal")),
                                  .ordered = bool_of(c->body, "ordered", true),
                                  .created_ms = now_ms };
    rc = e.events.data && e.personal.data ? webhook_endpoint_add(conn, &e, &id, err) : nomem(err);
    if (rc == 0)
        rc = make_secret(c, conn, id, now_ms, 0, secret, err);
    if (rc < 0)
        return rc;
    changed(c);
    log_info(s->options.log, "webhook.created", "A webhook was made.", LOG_STR("webhook", name), LOG_SLICE("label", e.label),
             LOG_SLICE("events", e.events), LOG_SLICE("personal", e.personal), LOG_STR("by", c->who.id));
    c->answer = (struct bind_answer){ 201, arena_printf(c->arena, "{\"id\":\"%s\",\"secret\":\"%s\"}", name, secret) };
    return c->answer.body.data ? 0 : nomem(err);
}

void handle_webhook_create(struct call *c)
{
    c->rc = check_body(c);
    if (c->rc < 0)
        fail(c);
    else
        call_write_native(c, create);
}

static int rotate(struct call *c, struct store_conn *conn, struct err *err)
{
    int64_t id, keep_s = KEEP_DEFAULT_S, now_ms = clock_wall_ms(c->shop->options.clock);
    char secret[WEBHOOK_SECRET_TEXT_MAX], until[TIMESTAMP_MAX];
    json_is_int(json_get(c->body, "keep_for"), &keep_s);
    int rc = webhook_endpoint_id(conn, c->req->params[0], &id, err);
    if (rc == 0)
        rc = make_secret(c, conn, id, now_ms, now_ms + keep_s * 1000, secret, err);
    if (rc < 0)
        return rc;
    changed(c);
    log_info(c->shop->options.log, "webhook.rotated", "A webhook has a new secret.", LOG_SLICE("webhook", c->req->params[0]),
             LOG_INT("keep_for", keep_s), LOG_STR("by", c->who.id));
    size_t n = timestamp_format(now_ms + keep_s * 1000, until);
    c->answer = (struct bind_answer){ 200, arena_printf(c->arena, "{\"id\":\"%.*s\",\"secret\":\"%s\",\"earlier_secrets_until\":\"%.*s\"}",
                                                        SLICE_FMT(c->req->params[0]), secret, (int)n, until) };
    return c->answer.body.data ? 0 : nomem(err);
}

void handle_webhook_rotate(struct call *c)
{
    call_write_native(c, rotate);
}

/* --- changes ------------------------------------------------------------------------------------------------------------------- */

struct found_endpoint {
    struct call *call;
    bool there;
    struct webhook_endpoint e; /* its texts in the call's arena */
};

static int find_endpoint(void *ctx, const struct webhook_endpoint *e)
{
    struct found_endpoint *f = ctx;
    struct arena *a = f->call->arena;
    if (!slice_eq(e->name, f->call->req->params[0]))
        return 0;
    f->there = true;
    f->e = *e;
    f->e.name = f->call->req->params[0];
    f->e.url = arena_copy(a, e->url);
    f->e.label = arena_copy(a, e->label);
    f->e.events = arena_copy(a, e->events);
    f->e.personal = arena_copy(a, e->personal);
    f->e.why = slice_str("");
    return f->e.url.data && f->e.label.data && f->e.events.data && f->e.personal.data ? 1 : ERR_NOMEM;
}

static int read_endpoint(struct call *c, struct store_conn *conn, struct webhook_endpoint *out, struct err *err)
{
    struct found_endpoint f = { .call = c };
    int rc = webhook_endpoint_each(conn, find_endpoint, &f, err);
    if (rc < 0)
        return rc == ERR_NOMEM ? nomem(err) : rc;
    *out = f.e;
    return f.there ? 0 : no_such(err);
}

/* The fields that a list in the table names; it was written by us, so no name stands in it but as one. */
static unsigned personal_of(struct slice list)
{
    unsigned all = 0;
    for (unsigned i = 0; webhook_personal(i); i++)
        if (memmem(list.data, list.len, webhook_personal(i), strlen(webhook_personal(i))))
            all |= 1u << i;
    return all;
}

static int answer_id(struct call *c, const char *what, struct err *err)
{
    c->answer = (struct bind_answer){ 200, arena_printf(c->arena, "{\"id\":\"%.*s\",\"%s\":true}", SLICE_FMT(c->req->params[0]), what) };
    return c->answer.body.data ? 0 : nomem(err);
}

static int change(struct call *c, struct store_conn *conn, struct err *err)
{
    struct webhook_endpoint e;
    int rc = read_endpoint(c, conn, &e, err);
    if (rc < 0)
        return rc;
    e.url = text_of(c->body, "url", e.url);
    e.label = text_of(c->body, "label", e.label);
    e.ordered = bool_of(c->body, "ordered", e.ordered);
    if (json_get(c->body, "events"))
        e.events = list_text(c->arena, json_get(c->body, "events"));
    if (json_get(c->body, "personal"))
        e.personal = list_text(c->arena, json_get(c->body, "personal"));
    rc = e.events.data && e.personal.data ? may_read(c, personal_of(e.personal), err) : nomem(err); /* it may go to another URL now */
    if (rc == 0)
        rc = webhook_endpoint_change(conn, e.id, &e, err);
    if (rc < 0)
        return rc;
    changed(c);
    log_info(c->shop->options.log, "webhook.changed", "A webhook was changed.", LOG_SLICE("webhook", e.name), LOG_SLICE("label", e.label),
             LOG_SLICE("events", e.events), LOG_SLICE("personal", e.personal), LOG_STR("by", c->who.id));
    return answer_id(c, "changed", err);
}

void handle_webhook_change(struct call *c)
{
    c->rc = check_body(c);
    if (c->rc < 0)
        fail(c);
    else
        call_write_native(c, change);
}

static int set_state(struct call *c, struct store_conn *conn, enum webhook_state state, const char *event, const char *text,
                     struct err *err)
{
    int64_t id;
    int rc = webhook_endpoint_id(conn, c->req->params[0], &id, err);
    if (rc == 0)
        rc = webhook_endpoint_set_state(conn, id, state, slice_str(""), clock_wall_ms(c->shop->options.clock), err);
    if (rc < 0)
        return rc;
    changed(c);
    log_info(c->shop->options.log, event, text, LOG_SLICE("webhook", c->req->params[0]), LOG_STR("by", c->who.id));
    return 0;
}

static int pause_it(struct call *c, struct store_conn *conn, struct err *err)
{
    int rc = set_state(c, conn, WEBHOOK_PAUSED, "webhook.paused", "A webhook was paused; what happens meanwhile waits for it.", err);
    return rc < 0 ? rc : answer_id(c, "paused", err);
}

static int resume(struct call *c, struct store_conn *conn, struct err *err)
{
    int rc = set_state(c, conn, WEBHOOK_ACTIVE, "webhook.resumed", "A webhook works again; what waited is sent.", err);
    return rc < 0 ? rc : answer_id(c, "resumed", err);
}

static int remove_it(struct call *c, struct store_conn *conn, struct err *err)
{
    int rc = set_state(c, conn, WEBHOOK_REMOVED, "webhook.removed", "A webhook was removed, with all that waited for it.", err);
    return rc < 0 ? rc : answer_id(c, "removed", err);
}

void handle_webhook_pause(struct call *c)
{
    call_write_native(c, pause_it);
}

void handle_webhook_resume(struct call *c)
{
    call_write_native(c, resume);
}

void handle_webhook_remove(struct call *c)
{
    call_write_native(c, remove_it);
}

/* --- a message to try it ------------------------------------------------------------------------------------------------------- */

static int ping(struct call *c, struct store_conn *conn, struct err *err)
{
    char message_id[WEBHOOK_ID_MAX];
    struct webhook_set *set = webhooks_acquire(c->shop->webhooks);
    const struct webhook *one = webhook_set_find(set, c->req->params[0]);
    struct json_value *payload = json_new(c->arena, JSON_OBJECT), *label = payload ? json_new_string(c->arena, c->req->params[0]) : NULL;
    int rc = one ? 0 : no_such(err);
    if (rc == 0 && one->state != WEBHOOK_ACTIVE)
        rc = err_reason(err, ERR_STATE, "webhook_not_active", "This webhook is %s: nothing is sent to it; resume it first.",
                        states[one->state]);
    if (rc == 0 && !label)
        rc = nomem(err);
    if (rc == 0) {
        label->key = SLICE_LIT("webhook");
        json_append(payload, NULL, label);
        rc = webhook_tell_one(one, conn, &c->shop->procedures.ids,
                              &(struct webhook_news){ .event = SLICE_LIT("webhook.ping"),
                                                      .key = slice_str(""),
                                                      .payload = payload,
                                                      .at_ms = clock_wall_ms(c->shop->options.clock) },
                              message_id, err);
    }
    webhook_set_release(set);
    if (rc < 0)
        return rc;
    c->answer = (struct bind_answer){ 202, arena_printf(c->arena, "{\"message\":\"%s\"}", message_id) };
    return c->answer.body.data ? 0 : nomem(err);
}

void handle_webhook_ping(struct call *c)
{
    call_write_native(c, ping);
}

/* --- what was sent ------------------------------------------------------------------------------------------------------------- */

struct listing {
    struct call *call;
    struct json_writer *w;
    int64_t endpoint;
    int left; /* of the page */
    bool more, bodies;
    int64_t last;
};

static int write_attempt(void *ctx, const struct webhook_attempt_row *a)
{
    struct json_writer *w = ctx;
    json_object(w);
    write_int(w, "number", a->number);
    write_time(w, "at", a->at_ms);
    if (a->status)
        write_int(w, "status", a->status);
    write_int(w, "took_ms", a->took_ms);
    if (a->why.len)
        write_text(w, "why", a->why);
    json_object_end(w);
    return 0;
}

static int write_delivery(void *ctx, const struct webhook_delivery *d)
{
    struct listing *l = ctx;
    struct json_writer *w = l->w;
    if (l->left-- == 0) {
        l->more = true;
        return 1;
    }
    l->last = d->message;
    json_object(w);
    write_text(w, "id", d->message_id);
    write_text(w, "event", d->event);
    if (d->line.len)
        write_text(w, "key", d->line);
    write_text(w, "state", slice_str(standings[d->standing]));
    write_time(w, "made_at", d->made_ms);
    write_int(w, "failed", d->tries);
    write_time(w, "next_try_at", d->due_ms);
    if (l->bodies)
        write_text(w, "body", d->body); /* as text: the very bytes that were signed */
    json_key(w, "attempts");
    json_array(w);
    int rc = webhook_attempt_each(l->call->worker->conn, l->endpoint, d->message, write_attempt, w, &l->call->err);
    json_array_end(w);
    json_object_end(w);
    return rc;
}

static int read_standing(struct call *c, enum webhook_standing *out)
{
    struct slice text = { 0 };
    int rc = http_query(c->req, "state", &text, &c->err);
    *out = 0;
    if (rc <= 0)
        return rc;
    for (enum webhook_standing s = WEBHOOK_WAITS; s <= WEBHOOK_GIVEN_UP; s++)
        if (s != WEBHOOK_BEHIND && slice_is(text, standings[s]))
            *out = s;
    return *out ? 0 : err_field(&c->err, ERR_INVALID, "state", "state is waiting, taken or given_up.");
}

void handle_webhook_messages(struct call *c)
{
    struct json_writer w = begin(c);
    int64_t limit = LIMIT, before = 0, id = 0;
    enum webhook_standing standing;
    c->rc = read_standing(c, &standing);
    if (c->rc == 0)
        c->rc = call_query_number(c, "limit", 1, LIMIT_MAX, &limit);
    if (c->rc == 0)
        c->rc = call_query_number(c, "cursor", 1, INT64_MAX / 2, &before);
    if (c->rc == 0)
        c->rc = webhook_endpoint_id(c->worker->conn, c->req->params[0], &id, &c->err);
    if (c->rc < 0) {
        fail(c);
        return;
    }
    struct listing l = { .call = c, .w = &w, .endpoint = id, .left = (int)limit };
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    c->rc = webhook_each(c->worker->conn, id, standing, before, (int)limit + 1, write_delivery, &l, &c->err);
    json_array_end(&w);
    json_key(&w, "next_cursor");
    struct slice next = l.more ? arena_printf(c->arena, "%lld", (long long)l.last) : (struct slice){ 0 };
    if (next.data)
        json_string(&w, next);
    else
        json_null(&w);
    json_object_end(&w);
    finish(c, 200);
}

void handle_webhook_message(struct call *c)
{
    struct json_writer w = begin(c);
    int64_t id = 0;
    struct webhook_set *set = webhooks_acquire(c->shop->webhooks);
    const struct webhook *one = webhook_set_find(set, c->req->params[0]);
    c->rc = one ? may_read(c, one->personal, &c->err) : no_such(&c->err);
    webhook_set_release(set);
    if (c->rc == 0)
        c->rc = webhook_endpoint_id(c->worker->conn, c->req->params[0], &id, &c->err);
    struct listing l = { .call = c, .w = &w, .endpoint = id, .left = 1, .bodies = true };
    if (c->rc == 0)
        c->rc = webhook_find(c->worker->conn, id, c->req->params[1], write_delivery, &l, &c->err);
    finish(c, 200);
}

/* --- sent again ---------------------------------------------------------------------------------------------------------------- */

static int replay_message(struct call *c, struct store_conn *conn, struct err *err)
{
    int64_t id;
    int rc = webhook_endpoint_id(conn, c->req->params[0], &id, err);
    if (rc == 0)
        rc = webhook_replay(conn, id, c->req->params[1], clock_wall_ms(c->shop->options.clock), err);
    if (rc < 0)
        return rc;
    log_info(c->shop->options.log, "webhook.replayed", "A message is sent again.", LOG_SLICE("webhook", c->req->params[0]),
             LOG_SLICE("message", c->req->params[1]), LOG_STR("by", c->who.id));
    c->answer = (struct bind_answer){ 200, SLICE_LIT("{\"replayed\":1}") };
    return 0;
}

void handle_webhook_replay_message(struct call *c)
{
    call_write_native(c, replay_message);
}

struct since {
    int64_t ms, after;
    bool all;
};

static int replay_since(struct call *c, struct store_conn *conn, struct err *err)
{
    struct since s = *(const struct since *)c->state; /* a copy: this may run twice */
    int64_t id, n = 0;
    bool more = false;
    int rc = webhook_endpoint_id(conn, c->req->params[0], &id, err);
    if (rc == 0)
        rc = webhook_replay_since(conn, id, s.ms, s.all, &s.after, REPLAY_AT_ONCE, clock_wall_ms(c->shop->options.clock), &n, &more, err);
    if (rc < 0)
        return rc;
    log_info(c->shop->options.log, "webhook.replayed", "Messages are sent again.", LOG_SLICE("webhook", c->req->params[0]),
             LOG_INT("messages", n), LOG_STR("by", c->who.id));
    struct slice cursor = more ? arena_printf(c->arena, "\"%lld\"", (long long)s.after) : slice_str("null");
    if (!cursor.data)
        return nomem(err);
    c->answer =
        (struct bind_answer){ 200, arena_printf(c->arena, "{\"replayed\":%lld,\"next_cursor\":%.*s}", (long long)n, SLICE_FMT(cursor)) };
    return c->answer.body.data ? 0 : nomem(err);
}

void handle_webhook_replay(struct call *c)
{
    struct since *s = arena_zalloc(c->arena, sizeof *s);
    struct slice cursor = text_of(c->body, "cursor", slice_str(""));
    c->state = s;
    if (!s)
        c->rc = nomem(&c->err);
    else
        c->rc = timestamp_parse(json_get(c->body, "since")->string, &s->ms, &c->err);
    if (c->rc == 0 && cursor.len)
        c->rc = call_read_number(cursor, INT64_MAX / 2, &s->after) == 0
                    ? 0
                    : err_field(&c->err, ERR_INVALID, "/cursor", "cursor is the next_cursor of the answer before.");
    if (c->rc < 0) {
        fail(c);
        return;
    }
    s->all = bool_of(c->body, "taken", false);
    call_write_native(c, replay_since);
}
