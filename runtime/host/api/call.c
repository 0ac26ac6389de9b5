#include "host/api/call.h"
#include "host/api/door.h"
#include "base/log.h"
#include "host/care/discounts.h"
#include "host/admin/act.h"
#include "host/care/guard.h"
#include "host/plugins/plugins.h"
#include "host/publish/rescue.h"
#include "host/worker.h"
#include <stdio.h>

enum { PROCEDURE_FUEL = 10000000, FUEL_PER_BYTE = 200 };

/* --- answers ---------------------------------------------------------------------------------------------------- */

static int status_of(const struct err *e)
{
    switch (e->code) {
    case ERR_INVALID:
    case ERR_MISMATCH:
    case ERR_OVERFLOW:
        return 422;
    case ERR_UNAUTHENTICATED:
        return 401;
    case ERR_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
    case ERR_STATE:
    case ERR_RETRY:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_BUSY:
    case ERR_NOMEM:
    case ERR_IO:
        return 503;
    case ERR_FULL:
        return 507;
    default:
        return 500;
    }
}

static void log_failure(struct call *c, int status)
{
    if (status < 500 || status == 503)
        return;
    log_error(c->shop->options.log, "request.failed", c->err.text, LOG_STR("route", c->route ? c->route->pattern : ""),
              LOG_INT("status", status));
}

/* A fault of ours is logged with its cause; the caller learns only that it happened. */
static const char *public_text(const struct err *e, int status)
{
    return status == 500 ? "Something went wrong inside the shop. Nothing was changed; the log has the cause." : e->text;
}

/* A large request that did not fit into what one call may use is too large; a small one that did not is a fault of ours. */
static void say_too_large(struct call *c)
{
    enum { LARGE_BODY = 65536 };
    bool used_up = c->err.code == ERR_FUEL || c->err.code == ERR_MEMORY_CAP;
    if (!used_up || c->req->body.len < LARGE_BODY)
        return;
    log_warn(c->shop->options.log, "request.too_large", c->err.text, LOG_STR("route", c->route ? c->route->pattern : ""));
    err_reason(&c->err, ERR_TOO_LARGE, "too_much_at_once",
               "This is more than one request can carry; nothing was changed. Send it in parts.");
}

void call_fail(struct call *c, const char *extra_member, struct slice extra_json)
{
    call_fail_with(c, &(struct call_extra){ extra_member, extra_json }, 1);
}

int call_problem_write(struct call *c, int status, const struct call_extra *extra, size_t count, struct buf *out)
{
    struct json_writer w;
    if (status == 0)
        status = status_of(&c->err);
    log_failure(c, status);
    const char *type = status == 500 ? "internal" : c->err.reason[0] ? c->err.reason : err_name(c->err.code);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "type");
    json_string(&w, arena_printf(c->arena, "/problems/%s", type));
    json_key(&w, "title");
    json_str(&w, http_status_text(status));
    json_key(&w, "status");
    json_int(&w, status);
    json_key(&w, "detail");
    json_str(&w, public_text(&c->err, status));
    if (c->err.field[0]) {
        json_key(&w, "field");
        json_str(&w, c->err.field);
    }
    for (size_t i = 0; i < count; i++) {
        if (!extra[i].member)
            continue;
        json_key(&w, extra[i].member);
        json_raw(&w, extra[i].json);
    }
    json_object_end(&w);
    return status;
}

void call_fail_with(struct call *c, const struct call_extra *extra, size_t count)
{
    struct buf *out = &c->worker->out;
    say_too_large(c);
    buf_clear(out);
    int status = call_problem_write(c, 0, extra, count, out);
    struct http_header headers[2];
    size_t n = 0;
    if (status == 503)
        headers[n++] = (struct http_header){ SLICE_LIT("Retry-After"), SLICE_LIT("1") };
    if (status == 401)
        headers[n++] = (struct http_header){ SLICE_LIT("WWW-Authenticate"), SLICE_LIT("Bearer") };
    http_respond(c->req, &(struct http_response){ status, "application/problem+json", headers, n, buf_slice(out) });
}

void call_answer_json(struct call *c, int status, struct slice json)
{
    struct http_header headers[2];
    size_t n = 0;
    if (c->replayed)
        headers[n++] = (struct http_header){ SLICE_LIT("Idempotency-Replayed"), SLICE_LIT("true") };
    if (c->dropped.len)
        headers[n++] = (struct http_header){ SLICE_LIT("Dropped-Fields"), c->dropped };
    http_respond(c->req, &(struct http_response){ status, NULL, headers, n, json });
}

void call_answer(struct call *c)
{
    if (c->rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else
        call_answer_json(c, c->answer.status, c->answer.body);
}

bool call_may(const struct call *c, unsigned scope)
{
    return (c->who.kind == CALLER_OPERATOR || c->who.kind == CALLER_SERVER) && (c->who.scopes & scope) == scope;
}

/* --- arguments ---------------------------------------------------------------------------------------------------- */

struct members { /* of an object that is being made */
    struct arena *arena;
    struct json_value *object, *last;
    bool failed;
};

static void member_add(struct members *m, const char *key, struct json_value *v)
{
    if (!v || !m->object) {
        m->failed = true;
        return;
    }
    v->key = slice_str(key);
    json_append(m->object, m->last, v);
    m->last = v;
}

static void member_string(struct members *m, const char *key, struct slice s)
{
    member_add(m, key, json_new_string(m->arena, s));
}

static struct members members_of(struct arena *a)
{
    return (struct members){ a, json_new(a, JSON_OBJECT), NULL, false };
}

static struct json_value *principal(struct call *c)
{
    struct members m = members_of(c->arena);
    member_string(&m, "kind", slice_str(caller_kind_name(c->who.kind)));
    member_string(&m, "id", slice_str(c->who.id));
    if (c->who.customer[0])
        member_string(&m, "customer", slice_str(c->who.customer));
    return m.failed ? NULL : m.object;
}

/* Names of the parameters come from the pattern: "/v1/orders/{id}/payments" → id. */
static struct json_value *params(struct call *c)
{
    struct members m = members_of(c->arena);
    const char *p = c->route->pattern;
    for (size_t i = 0; i < c->req->param_count; i++) {
        const char *open = strchr(p, '{'), *close = strchr(open, '}');
        char *name = arena_strdup(c->arena, slice_of(open + 1, (size_t)(close - open - 1)));
        if (!name)
            return NULL;
        member_string(&m, name, c->req->params[i]);
        p = close + 1;
    }
    return m.failed ? NULL : m.object;
}

static struct json_value *query(struct call *c)
{
    struct members m = members_of(c->arena);
    for (const struct query_param *q = c->route->query; q && q->name; q++) {
        struct slice v;
        int rc = http_query(c->req, q->name, &v, &c->err);
        if (rc < 0)
            return NULL;
        if (rc == 1)
            member_string(&m, q->name, v);
    }
    return m.failed ? NULL : m.object;
}

/* What procedures may know of shop.lua. */
static struct json_value *shop_facts(struct call *c)
{
    const struct shop_settings *settings = generation_settings(c->seat->generation);
    struct members m = members_of(c->arena);
    bool test_payments = false;
    json_is_bool(json_get(settings->tree, "test_payments"), &test_payments);
    member_add(&m, "pay_within_ms", json_new_int(c->arena, settings->pay_within_ms));
    member_string(&m, "name", settings->name);
    member_add(&m, "test_payments", json_new(c->arena, test_payments ? JSON_TRUE : JSON_FALSE));
    return m.failed ? NULL : m.object;
}

struct json_value *call_args(struct call *c)
{
    return call_args_with(c, c->body);
}

struct json_value *call_args_with(struct call *c, struct json_value *body)
{
    err_clear(&c->err);
    struct members m = members_of(c->arena);
    member_add(&m, "principal", principal(c));
    member_add(&m, "params", params(c));
    member_add(&m, "query", query(c));
    member_add(&m, "shop", shop_facts(c));
    if (body)
        member_add(&m, "body", body);
    if (!m.failed)
        return m.object;
    if (c->err.code == 0)
        err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    call_fail(c, NULL, (struct slice){ 0 });
    return NULL;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

int call_ask(struct call *c, const char *procedure, const struct json_value *args)
{
    struct worker *w = c->worker;
    struct seat *seat = c->seat;
    int rc = store_begin(w->conn, &c->err);
    if (rc < 0)
        return rc;
    bind_begin(seat->bind, BIND_PHASE_HANDLER, w->conn, c->arena);
    seat->bind->quote = c->quote;
    rc = bind_call(seat->vm, slice_str(procedure), args, &c->answer, &c->err);
    bind_end(seat->bind);
    store_rollback(w->conn); /* a snapshot ends with the request; nothing was written */
    return rc;
}

void call_read(struct call *c)
{
    struct json_value *args = call_args(c);
    if (!args)
        return;
    c->rc = call_ask(c, c->route->procedure, args);
    call_answer(c);
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

/* On the way of every write, of which printf would be a tenth. data is NULL when memory is short. */
static struct slice joined(struct arena *a, const struct slice *parts, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += parts[i].len;
    char *text = arena_alloc(a, len + 1), *to = text;
    for (size_t i = 0; text && i < n; i++) {
        if (parts[i].len)
            memcpy(to, parts[i].data, parts[i].len);
        to += parts[i].len;
    }
    return slice_of(text, text ? len : 0);
}

struct slice call_key_scope(struct call *c)
{
    const struct slice parts[] = { slice_str(caller_kind_name(c->who.kind)), SLICE_LIT(":"), slice_str(c->who.id) };
    return joined(c->arena, parts, 3);
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int answer_again(struct call *c, struct store_conn *conn, struct err *err)
{
    struct idempotency_answer a;
    struct slice scope = call_key_scope(c);
    int rc = scope.data ? idempotency_find(conn, scope, c->idempotency_key, c->request_hash, &a, err) : no_memory(err);
    if (rc == 1) {
        c->answer = (struct bind_answer){ a.status, arena_copy(c->arena, a.body) };
        c->replayed = true;
        if (!c->answer.body.data)
            return no_memory(err);
        metric_add(&c->shop->metrics.idempotent_replays, 1);
    }
    if (rc == ERR_MISMATCH)
        err_reason(err, ERR_MISMATCH, "idempotency_mismatch",
                   "This Idempotency-Key was used before with another request. Repeat that request as it was, or use a new key.");
    return rc;
}

bool call_answer_again(struct call *c)
{
    if (!c->idempotency_key.data)
        return false;
    c->rc = answer_again(c, c->worker->conn, &c->err);
    if (c->rc == 0)
        return false;
    call_answer(c);
    return true;
}

int call_remember(struct call *c, struct store_conn *conn, struct err *err)
{
    if (!c->idempotency_key.data || c->is_step)
        return 0;
    struct slice scope = call_key_scope(c);
    if (!scope.data)
        return no_memory(err);
    return idempotency_store(conn, scope, c->idempotency_key, c->request_hash, c->answer.status, c->answer.body,
                             clock_wall_ms(c->shop->options.clock), err);
}

static int run_on_writer(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct call *c = (struct call *)((char *)cmd - offsetof(struct call, command));
    struct procedures *p = &c->shop->procedures;
    int rc = 0;
    c->replayed = false;
    if (c->idempotency_key.data && (rc = answer_again(c, conn, err)) != 0)
        return rc < 0 ? rc : 0;
    if ((rc = procedures_enter(c->shop, c->seat->edition, err)) < 0 || (c->still_true && (rc = c->still_true(c, err)) < 0))
        return rc;
    metric_add(&c->shop->metrics.procedures, 1);
    bind_begin(p->bind, BIND_PHASE_PROCEDURE, conn, c->arena);
    p->bind->quote = c->quote;
    /* Work in proportion to what was sent is no loop without end: an import of a whole catalogue, stock counted at every place. */
    vm_set_fuel(p->vm, PROCEDURE_FUEL + FUEL_PER_BYTE * (int64_t)c->req->body.len);
    tally_begin(&c->tally, c->shop->options.clock, c->owner, cmd->queued_ns);
    plugin_state_of(p->vm)->tally = &c->tally;
    rc = c->native ? c->native(c, conn, err) : bind_call(p->vm, slice_str(c->procedure), c->args, &c->answer, err);
    vm_set_fuel(p->vm, PROCEDURE_FUEL);
    bind_end(p->bind);
    plugin_state_of(p->vm)->tally = NULL;
    tally_end(&c->tally, rc < 0);
    if (rc == 0)
        rc = call_remember(c, conn, err);
    if (rc < 0)
        metric_add(&c->shop->metrics.procedure_errors, 1);
    return rc;
}

/* --- waiting for another thread ------------------------------------------------------------------------------------- */

void call_wait(struct call *c)
{
    worker_hold(c->seat);
    if (c->quote_seat)
        worker_hold(c->quote_seat);
}

static void stop_waiting(struct worker *w, struct seat *seat, struct seat *quote_seat)
{
    worker_let_go(w, seat);
    if (quote_seat)
        worker_let_go(w, quote_seat);
}

static void answer_on_worker(struct loop_post *post)
{
    struct call *c = (struct call *)((char *)post - offsetof(struct call, post));
    struct worker *w = c->worker;
    struct seat *seat = c->seat, *quote_seat = c->quote_seat; /* the call is gone when it is answered */
    if (c->done)
        c->done(c);
    else
        call_answer(c);
    stop_waiting(w, seat, quote_seat);
}

void call_resume(struct call *c)
{
    c->post.fn = answer_on_worker;
    loop_post(c->worker->loop, &c->post);
}

static void done_on_writer(struct writer_command *cmd, int rc, const struct err *err)
{
    struct call *c = (struct call *)((char *)cmd - offsetof(struct call, command));
    c->rc = rc;
    if (rc < 0 && err)
        c->err = *err;
    guard_writer(c->seat->edition, &c->tally, rc, err);
    if (c->procedure && (c->quote || strncmp(c->procedure, "orders.", 7) == 0))
        rescue_note(c->seat->edition, RESCUE_ORDER, rc, err);
    if (rc == 0 && c->quote && !c->replayed && c->answer.status == 201)
        discounts_note(c->shop, c->quote);
    call_resume(c);
}

bool call_submit(struct call *c, const char *procedure, const struct json_value *args)
{
    c->procedure = procedure;
    c->args = args;
    c->command = (struct writer_command){ .run = run_on_writer, .done = done_on_writer, .share = c->share };
    c->tally = (struct tally){ .clock = NULL }; /* an order may come here several times */
    struct err err;
    struct worker *w = c->worker;
    struct seat *seat = c->seat, *quote_seat = c->quote_seat;
    call_wait(c);
    int rc = writer_submit(c->shop->writer, &c->command, &err);
    if (rc == 0)
        return true; /* the call is the writer's now: not a byte of it may be touched here */
    stop_waiting(w, seat, quote_seat);
    c->rc = rc;
    c->err = err;
    metric_add(&c->shop->metrics.queue_refused, 1);
    return false;
}

void call_write(struct call *c)
{
    struct json_value *args = call_args(c);
    if (args && !call_submit(c, c->route->procedure, args))
        call_fail(c, NULL, (struct slice){ 0 });
}

void call_write_native(struct call *c, int (*native)(struct call *c, struct store_conn *conn, struct err *err))
{
    c->native = native;
    if (!call_submit(c, NULL, NULL))
        call_fail(c, NULL, (struct slice){ 0 });
}

/* --- from the request to the route's handler ----------------------------------------------------------------------- */

/* Who owns the machine may act as himself, or as an operator who has signed in. */
static bool is_local_owner(const struct call *c)
{
    struct slice header = http_header(c->req, "Authorization");
    return c->req->peer->local_socket && (header.len < 10 || memcmp(header.data + 7, "op_", 3) != 0);
}

static int check_roles(struct call *c)
{
    if (c->who.roles & (c->route->roles | ROLE_OWNER))
        return 0;
    return err_reason(&c->err, ERR_DENIED, "role_missing",
                      "%s has no role that may do this; an owner can give one: feira operators SHOP role.", c->who.id);
}

static int check_caller(struct call *c)
{
    if (is_local_owner(c)) {
        c->who = (struct caller){ .kind = CALLER_OPERATOR, .scopes = SCOPE_ALL, .id = "operator", .is_local = true, .roles = ROLE_OWNER };
        return 0;
    }
    int rc = auth_check(c->shop->auth, http_header(c->req, "Authorization"), &c->who, &c->err);
    if (rc < 0 || c->route->callers == 0)
        return c->route->callers == 0 ? 0 : rc;
    if (c->who.kind == CALLER_NOBODY && c->route->callers == CALLER_OPERATOR)
        return err_set(&c->err, ERR_UNAUTHENTICATED, "This is for operators; sign in: feira login, or POST /v1/admin/sessions.");
    if (c->who.kind == CALLER_NOBODY)
        return err_set(&c->err, ERR_UNAUTHENTICATED, "This needs a key: send \"Authorization: Bearer KEY\". See: feira keys SHOP");
    if (!(c->route->callers & c->who.kind))
        return err_reason(&c->err, ERR_DENIED, "wrong_key_kind", "A %s_ key may not call this; use %s.", caller_kind_name(c->who.kind),
                          c->route->callers == CALLER_OPERATOR  ? "the session of an operator (op_)"
                          : c->route->callers & CALLER_CUSTOMER ? "the customer's token (ct_) or a server's key (sk_)"
                                                                : "a server's key (sk_)");
    if (c->who.kind == CALLER_OPERATOR)
        return check_roles(c);
    if (c->who.kind == CALLER_SERVER && (c->route->scope & ~c->who.scopes)) {
        unsigned i = 0;
        while (!(c->route->scope & ~c->who.scopes & (1u << i)))
            i++;
        return err_reason(&c->err, ERR_DENIED, "scope_missing",
                          "This key lacks the scope \"%s\"; make one that has it: feira keys SHOP --new sk --scopes ...", scope_names[i]);
    }
    return 0;
}

static int check_key(struct call *c)
{
    struct slice key = http_header(c->req, "Idempotency-Key");
    if (!key.data)
        return c->route->key_required
                   ? err_field(&c->err, ERR_INVALID, "Idempotency-Key",
                               "This request needs an Idempotency-Key header: any text of your own that names this one attempt, "
                               "so that sending it twice does it once.")
                   : 0;
    if (key.len == 0 || key.len > IDEMPOTENCY_KEY_MAX)
        return err_field(&c->err, ERR_INVALID, "Idempotency-Key", "An Idempotency-Key has 1 to %d characters.", IDEMPOTENCY_KEY_MAX);
    for (size_t i = 0; i < key.len; i++)
        if (key.data[i] < 0x20 || key.data[i] > 0x7e)
            return err_field(&c->err, ERR_INVALID, "Idempotency-Key", "An Idempotency-Key is printable ASCII.");
    c->idempotency_key = key;
    const struct slice parts[] = { slice_str(http_method_name(c->req->method)), SLICE_LIT(" "), c->req->target, SLICE_LIT("\n"),
                                   c->req->body };
    struct slice all = joined(c->arena, parts, 5);
    if (!all.data)
        return err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    crypto_sha256(all, c->request_hash);
    return 0;
}

static bool is_mutating(const struct route *r)
{
    return r->method != HTTP_METHOD_GET;
}

/* JSON is UTF-8; another charset is refused rather than read as what it is not. */
bool call_says_json(const struct call *c)
{
    const struct http_request *req = c->req;
    struct slice type = http_header(req, "Content-Type");
    if (!http_content_type_is(req, "application/json"))
        return false;
    const char *charset = type.len ? memmem(type.data, type.len, "charset=", 8) : NULL;
    size_t left = charset ? type.len - (size_t)(charset + 8 - type.data) : 0;
    return !charset || (left >= 5 && strncasecmp(charset + 8, "utf-8", 5) == 0) ||
           (left >= 7 && strncasecmp(charset + 8, "\"utf-8\"", 7) == 0);
}

static int read_tree(struct call *c, const struct schema *schema)
{
    if (json_parse(c->req->body, NULL, c->arena, &c->body, &c->err) < 0)
        return 400;
    door_drop(c);
    return schema_check(schema, c->body, &c->err) < 0 ? 422 : 0;
}

/* Straight from the text. Where that does not go, the tree says what is wrong with it, or is read instead. */
static int read_said(struct call *c, const struct schema *schema)
{
    c->said = arena_zalloc(c->arena, schema->size);
    if (c->said && schema_fill(schema, c->req->body, c->arena, c->said))
        return 0;
    int status = c->said ? read_tree(c, schema) : 0;
    if (status)
        return status;
    if (c->said)
        memset(c->said, 0, schema->size);
    if (c->said && schema_fill_tree(schema, c->body, c->arena, c->said, &c->err) == 0)
        return 0;
    err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    return 503;
}

/* 400 for what is not JSON, 415 for what does not say it is, 422 for what has the wrong shape, 503 when memory is short. */
static int read_body(struct call *c)
{
    const struct schema *schema = plugin_body(plugin_state_of(c->seat->vm), c->route);
    if (!schema || c->route->apart)
        return 0;
    if (!call_says_json(c))
        return 415;
    return schema->size ? read_said(c, schema) : read_tree(c, schema);
}

static bool refuse(struct call *c, int status, const char *type)
{
    http_problem(c->req, status, type, c->err.field, c->err.text);
    return false;
}

static bool check_request(struct call *c)
{
    if (check_caller(c) < 0) {
        bool logged = c->who.kind == CALLER_OPERATOR || (c->route->audited && c->who.kind == CALLER_SERVER);
        if (logged && c->err.code == ERR_DENIED)
            act_refuse(c);
        else
            call_fail(c, NULL, (struct slice){ 0 });
        return false;
    }
    if (is_mutating(c->route) && !c->route->secret && check_key(c) < 0)
        return c->err.code == ERR_NOMEM
                   ? refuse(c, 503, "nomem")
                   : refuse(c, 400, http_header(c->req, "Idempotency-Key").data ? "idempotency_key_invalid" : "idempotency_key_required");
    int status = read_body(c);
    if (status == 415) {
        err_set(&c->err, ERR_INVALID, "Send the body as application/json.");
        return refuse(c, 415, "unsupported_media_type");
    }
    if (status == 400)
        return refuse(c, 400, "malformed_json");
    if (status == 503)
        return refuse(c, 503, "nomem");
    if (status == 422)
        return refuse(c, 422, c->err.reason[0] ? c->err.reason : "invalid");
    return true;
}

void call_begin(struct worker *w, struct http_request *req)
{
    char allow[64];
    int status = http_route(plugin_state_of(w->seat->vm)->router, req, allow);
    if (status == 404) {
        http_problem(req, 404, "no_such_path", "", "There is nothing at this path; GET /v1/openapi.json lists what there is.");
        return;
    }
    if (status == 405 || status == 204) {
        struct http_header h = { SLICE_LIT("Allow"), slice_str(allow) };
        struct slice detail = arena_printf(req->arena,
                                           "{\"type\":\"/problems/method_not_allowed\",\"title\":\"Method Not Allowed\",\"status\":405,"
                                           "\"detail\":\"This path answers %s.\"}",
                                           allow);
        http_respond(req, &(struct http_response){ status, status == 405 ? "application/problem+json" : NULL, &h, 1,
                                                   status == 405 ? detail : (struct slice){ 0 } });
        return;
    }
    struct call *c = arena_zalloc(req->arena, sizeof *c);
    if (!c) {
        http_problem_retry(req, 503, "nomem", "The shop is short of memory; try again.", 1);
        return;
    }
    c->req = req;
    c->worker = w;
    c->seat = w->seat;
    c->shop = w->shop;
    c->route = req->route;
    c->owner = TALLY_SHOP;
    c->arena = req->arena;
    if (check_request(c))
        c->route->handle(c);
}

/* --- numbers that a client writes ------------------------------------------------------------------------------------ */

int call_read_number(struct slice text, int64_t max, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || *out > max / 10)
            return ERR_INVALID;
        *out = *out * 10 + (text.data[i] - '0');
    }
    return text.len > 0 && *out <= max ? 0 : ERR_INVALID;
}

int call_query_number(struct call *c, const char *name, int64_t min, int64_t max, int64_t *out)
{
    struct slice text = { 0 };
    int64_t n;
    int rc = http_query(c->req, name, &text, &c->err);
    if (rc <= 0)
        return rc;
    if (call_read_number(text, max, &n) < 0 || n < min)
        return err_field(&c->err, ERR_INVALID, name, "%s is a whole number from %lld to %lld.", name, (long long)min, (long long)max);
    *out = n;
    return 0;
}
