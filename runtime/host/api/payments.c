/* Paying through a provider that is a plugin, and what it tells of its own accord.
 *
 *   POST .../payments     writer: the attempt is kept → worker: the plugin's create → writer: what the client needs to pay
 *   POST .../notify       worker: the plugin's notify, which checks the signature → writer: what it comes to → worker: the plugin's reply
 *
 * The plugin speaks with the outside and changes nothing; each step on the writer is whole by itself, so a crash between two of them leaves
 * a payment that the provider is asked about later. A provider that is built in needs none of this. */
#include "host/care/plugin_stops.h"
#include "host/plugins/providers.h"
#include "host/api/routes.h"
#include "host/plugins/signed.h"
#include "host/plugins/task.h"
#include "host/worker.h"
#include <stdio.h>

enum { WAITS_MS = 30000 };

struct dealing { /* of one call with a provider */
    struct hook_ref provider;
    struct json_value *args; /* of what runs on the writer next */
    struct json_value *told; /* of the payment: what create gets */
    struct slice value;      /* what came back from the plugin, or from the writer */
    const char *procedure;   /* that runs on the writer next */
    struct err why;          /* create failed */
};

static void out_of_memory(struct call *c)
{
    err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    call_fail(c, NULL, (struct slice){ 0 });
}

static bool add(struct json_value *to, struct json_value **last, const char *key, struct json_value *v)
{
    if (!to || !v)
        return false;
    v->key = slice_str(key);
    v->next = NULL;
    json_append(to, *last, v);
    *last = v;
    return true;
}

static struct json_value *last_of(struct json_value *object)
{
    struct json_value *last = object->first;
    while (last && last->next)
        last = last->next;
    return last;
}

/* Finds the provider and sees that it works; false: the call is answered. */
static bool find_provider(struct call *c, struct slice name, const char *what, struct hook_ref *out)
{
    if (!provider_hook(c->seat->generation, name, what, out)) {
        err_reason(&c->err, ERR_NOT_FOUND, "no_such_provider",
                   "No provider of this name calls this shop; the path has the name of its plugin, and shop.lua turns it on.");
    } else if (plugin_stopped(plugin_state_of(c->seat->vm), out->plugin->name)) {
        plugin_refuse(out->plugin->name, &c->err);
    } else {
        return true;
    }
    call_fail(c, NULL, (struct slice){ 0 });
    return false;
}

static struct task *run_plugin(struct call *c, const struct hook_ref *ref, const struct json_value *args, struct slice *value,
                               void (*done)(void *ctx, int rc, const struct err *err))
{
    return task_start(c->worker, c->seat,
                      &(struct task_options){ .plugin = ref->plugin->name,
                                              .fn = generation_hook(c->seat->generation, ref),
                                              .args = args,
                                              .value = value,
                                              .arena = c->arena,
                                              .within_ms = WAITS_MS,
                                              .done = done,
                                              .ctx = c });
}

/* Asks for a step, or the last one, on the writer. */
static void go_to_writer(struct call *c, int (*native)(struct call *c, struct store_conn *conn, struct err *err), bool is_step,
                         void (*done)(struct call *c))
{
    c->is_step = is_step;
    c->done = done;
    call_write_native(c, native);
}

/* --- paying ------------------------------------------------------------------------------------------------------------- */

static struct slice begin_scope(struct call *c)
{
    struct slice scope = call_key_scope(c);
    return scope.data ? arena_printf(c->arena, "begin:%.*s", SLICE_FMT(scope)) : scope;
}

/* The attempt that this request made when it came before: the same number goes to the provider again. */
static int begun_before(struct call *c, struct store_conn *conn, struct slice scope, struct err *err)
{
    struct idempotency_answer a;
    int rc = scope.data ? idempotency_find(conn, scope, c->idempotency_key, c->request_hash, &a, err) : ERR_NOMEM;
    if (rc == 1) {
        c->answer = (struct bind_answer){ a.status, arena_copy(c->arena, a.body) };
        if (!c->answer.body.data)
            rc = ERR_NOMEM;
    }
    return rc == ERR_NOMEM ? err_set(err, ERR_NOMEM, "The shop is short of memory; try again.") : rc;
}

/* Before the provider hears of it once more. */
static int begin_again(struct call *c, struct err *err)
{
    struct json_value *begun = NULL, *last = NULL, *args = json_new(c->arena, JSON_OBJECT);
    struct slice id = { 0 }, ignored;
    int rc = json_parse(c->answer.body, NULL, c->arena, &begun, err);
    if (rc < 0)
        return rc;
    json_is_string(json_get(begun, "payment"), &id);
    if (!add(args, &last, "payment", json_new_string(c->arena, id)))
        return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
    return bind_call_stdlib(c->shop->procedures.vm, SLICE_LIT("provider_calls.begin_again"), args, &ignored, err);
}

static int begin_on_writer(struct call *c, struct store_conn *conn, struct err *err)
{
    const struct dealing *d = c->state;
    struct slice scope = begin_scope(c);
    int rc = begun_before(c, conn, scope, err);
    if (rc != 0)
        return rc < 0 ? rc : begin_again(c, err);
    rc = bind_call(c->shop->procedures.vm, SLICE_LIT("provider_calls.begin"), d->args, &c->answer, err);
    return rc < 0 ? rc
                  : idempotency_store(conn, scope, c->idempotency_key, c->request_hash, c->answer.status, c->answer.body,
                                      clock_wall_ms(c->shop->options.clock), err);
}

static int end_on_writer(struct call *c, struct store_conn *conn, struct err *err)
{
    const struct dealing *d = c->state;
    (void)conn;
    return bind_call(c->shop->procedures.vm, slice_str(d->procedure), d->args, &c->answer, err);
}

static void say_not_created(struct call *c)
{
    const struct dealing *d = c->state;
    if (c->replayed) { /* sent twice at once, and the other one went well */
        call_answer(c);
        return;
    }
    if (c->rc == 0)
        c->err = d->why;
    call_fail(c, NULL, (struct slice){ 0 });
}

/* It may be under way all the same: nobody knows, unless the plugin says that it was refused. */
static void not_created(struct call *c, struct slice why, bool refused)
{
    struct dealing *d = c->state;
    struct json_value *last = NULL, *args = json_new(c->arena, JSON_OBJECT);
    const struct json_value *number = json_get(d->told, "payment");
    struct slice id = { 0 };
    json_is_string(number, &id);
    err_reason(&d->why, refused ? ERR_CONFLICT : ERR_BUSY, refused ? "payment_refused" : "provider_failed", "%s did not take it: %.*s %s",
               d->provider.plugin->name, SLICE_FMT(why), refused ? "Pay another way." : "Try again, or pay another way.");
    if (!add(args, &last, "payment", json_new_string(c->arena, id)) || !add(args, &last, "why", json_new_string(c->arena, why)) ||
        !add(args, &last, "refused", json_new(c->arena, refused ? JSON_TRUE : JSON_FALSE))) {
        out_of_memory(c);
        return;
    }
    d->args = args;
    d->procedure = "provider_calls.not_created";
    go_to_writer(c, end_on_writer, true, say_not_created);
}

/* The plugin's create has ended. */
static void created(void *ctx, int rc, const struct err *err)
{
    struct call *c = ctx;
    struct dealing *d = c->state;
    struct json_value *result = NULL, *last = NULL, *args = json_new(c->arena, JSON_OBJECT);
    struct slice why = SLICE_LIT("It gave no answer."), code, id = { 0 };
    if (rc < 0) {
        bool ours = rc == ERR_SCRIPT || rc == ERR_FUEL || rc == ERR_MEMORY_CAP;
        not_created(c, ours ? SLICE_LIT("Its plugin failed; the log has the cause.") : arena_copy(c->arena, slice_str(err->text)), false);
        return;
    }
    if (d->value.len && json_parse(d->value, NULL, c->arena, &result, &c->err) < 0)
        result = NULL;
    if (!result || result->type != JSON_OBJECT || json_is_string(json_get(result, "why"), &why)) {
        not_created(c, why, result && json_is_string(json_get(result, "code"), &code) && slice_is(code, "refused"));
        return;
    }
    json_is_string(json_get(d->told, "payment"), &id);
    if (!add(args, &last, "payment", json_new_string(c->arena, id)) || !add(args, &last, "result", result)) {
        out_of_memory(c);
        return;
    }
    d->args = args;
    d->procedure = "provider_calls.created";
    go_to_writer(c, end_on_writer, false, NULL);
}

/* The attempt is kept; now the provider hears of it. */
static void begun(struct call *c)
{
    struct dealing *d = c->state;
    const struct json_value *details = json_get(c->body, "details");
    if (c->rc < 0 || c->replayed) {
        call_answer(c);
        return;
    }
    if (json_parse(c->answer.body, NULL, c->arena, &d->told, &c->err) < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (details && details->type == JSON_OBJECT) {
        struct json_value *last = last_of(d->told), *copy = arena_alloc(c->arena, sizeof *copy);
        if (!copy) {
            out_of_memory(c);
            return;
        }
        *copy = *details;
        add(d->told, &last, "details", copy);
    }
    run_plugin(c, &d->provider, d->told, &d->value, created);
}

void handle_payment(struct call *c)
{
    struct slice name = { 0 };
    struct hook_ref ref;
    json_is_string(json_get(c->body, "provider"), &name);
    if (!provider_hook(c->seat->generation, name, "create", &ref)) {
        call_write(c); /* the provider that is built in; of any other it says that there is none */
        return;
    }
    if (!find_provider(c, name, "create", &ref))
        return;
    struct dealing *d = arena_zalloc(c->arena, sizeof *d);
    struct json_value *args = call_args(c);
    if (!args)
        return;
    if (!d || provider_add(c->seat->generation, ref.plugin, args, last_of(args), c->arena, &c->err) < 0) {
        out_of_memory(c);
        return;
    }
    d->provider = ref;
    d->args = args;
    c->state = d;
    c->share = (uint32_t)hash_bytes(ref.plugin->name, strlen(ref.plugin->name)) | 1;
    go_to_writer(c, begin_on_writer, true, begun);
}

/* --- what a provider tells --------------------------------------------------------------------------------------------------- */

static int notified_on_writer(struct call *c, struct store_conn *conn, struct err *err)
{
    struct dealing *d = c->state;
    (void)conn;
    c->answer = (struct bind_answer){ 200, slice_str("") };
    return bind_call_stdlib(c->shop->procedures.vm, SLICE_LIT("provider_calls.notified"), d->args, &d->value, err);
}

/* Without a reply of the plugin's own. */
static void reply_plainly(struct call *c)
{
    const struct dealing *d = c->state;
    bool ok = false;
    struct slice code = { 0 }, why = SLICE_LIT("This was not accepted.");
    json_is_bool(json_get(d->args, "ok"), &ok);
    json_is_string(json_get(d->args, "code"), &code);
    json_is_string(json_get(d->args, "why"), &why);
    if (ok) {
        call_answer_json(c, 200, SLICE_LIT("{\"received\":true}"));
        return;
    }
    int status = slice_is(code, "unknown_payment")      ? ERR_NOT_FOUND
                 : slice_is(code, "payment_mismatched") ? ERR_INVALID
                                                        : ERR_UNAUTHENTICATED;
    char reason[sizeof c->err.reason];
    snprintf(reason, sizeof reason, "%.*s", SLICE_FMT(code));
    err_reason(&c->err, status, reason[0] ? reason : "refused", "%.*s", SLICE_FMT(why));
    call_fail(c, NULL, (struct slice){ 0 });
}

/* { status, body }: a text as it is, anything else as JSON. */
static void replied(void *ctx, int rc, const struct err *err)
{
    struct call *c = ctx;
    struct dealing *d = c->state;
    struct json_value *v = NULL;
    const struct json_value *body;
    struct slice text;
    int64_t status = 0;
    (void)err; /* counted and logged already */
    if (rc < 0 || !d->value.len || json_parse(d->value, NULL, c->arena, &v, NULL) < 0 || v->type != JSON_OBJECT ||
        !json_is_int(json_get(v, "status"), &status) || status < 200 || status > 599) {
        reply_plainly(c);
        return;
    }
    body = json_get(v, "body");
    if (json_is_string(body, &text)) {
        http_respond(c->req, &(struct http_response){ (int)status, "text/plain; charset=utf-8", NULL, 0, text });
        return;
    }
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    if (body)
        json_value_write(&w, body);
    http_respond(c->req, &(struct http_response){ (int)status, body ? NULL : "text/plain; charset=utf-8", NULL, 0, buf_slice(out) });
}

/* d->args is what it came to. */
static void reply(struct call *c)
{
    struct dealing *d = c->state;
    struct hook_ref ref;
    if (provider_hook(c->seat->generation, slice_str(d->provider.plugin->name), "reply", &ref))
        run_plugin(c, &ref, d->args, &d->value, replied);
    else
        reply_plainly(c);
}

static void reply_refused(struct call *c, struct slice why, struct slice code, bool ignored)
{
    struct dealing *d = c->state;
    struct json_value *last = NULL;
    d->args = json_new(c->arena, JSON_OBJECT);
    if (!add(d->args, &last, "ok", json_new(c->arena, ignored ? JSON_TRUE : JSON_FALSE)) ||
        !add(d->args, &last, "why", json_new_string(c->arena, why)) || !add(d->args, &last, "code", json_new_string(c->arena, code))) {
        out_of_memory(c);
        return;
    }
    reply(c);
}

/* Its effect is on disk, or there is none. */
static void recorded(struct call *c)
{
    struct dealing *d = c->state;
    if (c->rc == 0)
        c->rc = json_parse(d->value, NULL, c->arena, &d->args, &c->err);
    if (c->rc < 0)
        call_fail(c, NULL, (struct slice){ 0 }); /* the provider will tell it again */
    else
        reply(c);
}

static void read_by_plugin(void *ctx, int rc, const struct err *err)
{
    struct call *c = ctx;
    struct dealing *d = c->state;
    struct json_value *event = NULL, *last = NULL;
    struct slice why, code = SLICE_LIT("forged");
    if (rc < 0) {
        c->err = *err;
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (!d->value.len || json_parse(d->value, NULL, c->arena, &event, &c->err) < 0 || event->type != JSON_OBJECT) {
        err_set(&c->err, ERR_SCRIPT, "notify of the plugin %s gave neither an event nor why there is none", d->provider.plugin->name);
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (json_is_string(json_get(event, "why"), &why)) {
        json_is_string(json_get(event, "code"), &code);
        reply_refused(c, why, code, slice_is(code, "ignored"));
        return;
    }
    d->args = json_new(c->arena, JSON_OBJECT);
    if (!add(d->args, &last, "event", event) ||
        provider_add(c->seat->generation, d->provider.plugin, d->args, last, c->arena, &c->err) < 0) {
        out_of_memory(c);
        return;
    }
    go_to_writer(c, notified_on_writer, true, recorded);
}

void handle_payment_notify(struct call *c)
{
    struct dealing *d = arena_zalloc(c->arena, sizeof *d);
    struct json_value *args = json_new(c->arena, JSON_OBJECT);
    if (!d || !args) {
        out_of_memory(c);
        return;
    }
    c->state = d;
    if (!find_provider(c, c->req->params[0], "notify", &d->provider))
        return;
    if (signed_args(c, args, NULL, &c->err) < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    c->share = (uint32_t)hash_bytes(d->provider.plugin->name, strlen(d->provider.plugin->name)) | 1;
    run_plugin(c, &d->provider, args, &d->value, read_by_plugin);
}
