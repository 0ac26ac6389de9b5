/* Routes of plugins: mounted at /v1/x/PLUGIN, with the checks that every route has. */
#include "host/care/guard.h"
#include "host/left.h"
#include "host/plugins/listeners.h"
#include "host/care/plugin_stops.h"
#include "host/plugins/signed.h"
#include "host/plugins/streams.h"
#include "host/plugins/task.h"
#include "rulebook/plugin_set.h"
#include "host/worker.h"
#include "journal/journal.h"
#include <stdio.h>
#include <stdlib.h>

enum { WAITS_MS = 60000 }; /* a handler, for the outside, in all */

struct plugin_route {
    struct route route; /* first */
    const struct manifest *plugin;
    const struct hook *hook;
};

static unsigned callers_of(enum hook_auth auth)
{
    switch (auth) {
    case AUTH_CUSTOMER:
        return CALLER_CUSTOMER;
    case AUTH_SERVER:
        return CALLER_SERVER | CALLER_OPERATOR;
    case AUTH_OPERATOR:
        return CALLER_OPERATOR;
    case AUTH_SIGNED:
        return 0; /* a stranger, who shows by a signature who he is */
    case AUTH_ANYONE:
        break;
    }
    return CALLER_STOREFRONT | CALLER_CUSTOMER | CALLER_SERVER | CALLER_OPERATOR;
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

/* Words, not the prefixes of keys: plugins read them. */
static struct slice caller_word(enum caller_kind kind)
{
    switch (kind) {
    case CALLER_CUSTOMER:
        return SLICE_LIT("customer");
    case CALLER_SERVER:
        return SLICE_LIT("server");
    case CALLER_OPERATOR:
        return SLICE_LIT("operator");
    default:
        return SLICE_LIT("storefront");
    }
}

/* --- behind the ? ------------------------------------------------------------------------------------------------------- */

static int whole_number(struct slice text, int64_t *out)
{
    struct arena none;
    struct json_value *v;
    arena_init(&none, NULL, 0);
    int rc = json_parse(text, NULL, &none, &v, NULL) == 0 && json_is_int(v, out) ? 0 : ERR_INVALID;
    arena_release(&none);
    return rc;
}

/* Text as its description wants it; what can't be that is left as it is, and its check says what it should be. */
static void typed(struct json_value *v, const struct schema *s)
{
    int64_t n;
    if (s->type == SCHEMA_INT && whole_number(v->string, &n) == 0) {
        v->type = JSON_INT;
        v->integer = n;
    } else if (s->type == SCHEMA_BOOL && slice_is(v->string, "true")) {
        v->type = JSON_TRUE;
    } else if (s->type == SCHEMA_BOOL && slice_is(v->string, "false")) {
        v->type = JSON_FALSE;
    }
}

static int check_query(const struct schema *s, struct json_value *query, struct err *err)
{
    for (struct json_value *v = query->first; v; v = v->next)
        for (const struct schema *f = s->fields; f->name; f++)
            if (slice_is(v->key, f->name))
                typed(v, f);
    int rc = schema_check(s, query, err);
    if (rc < 0 && err->field[0] == '/') { /* a parameter, no place in a document */
        memmove(err->field, err->field + 1, strlen(err->field));
        if (err->text[0] == '/')
            memmove(err->text, err->text + 1, strlen(err->text));
    }
    return rc;
}

static const struct query_param *params_of(const struct schema *s, struct arena *arena)
{
    size_t n = 0, i = 0;
    while (s->fields[n].name)
        n++;
    struct query_param *list = arena_array(arena, n + 1, sizeof *list);
    for (; list && i < n; i++)
        list[i] = (struct query_param){ s->fields[i].name, s->fields[i].about, &s->fields[i] };
    return list;
}

/* --- calls ----------------------------------------------------------------------------------------------------------------- */

static const struct plugin_route *route_of(const struct call *c)
{
    return (const struct plugin_route *)c->route;
}

/* What the plugin's function gets: params, query and body as sent, the customer who calls, and what kind of caller it is. Keys, ids of keys
 * and what else the core knows of the caller are not for plugins. */
static struct json_value *args_of(struct call *c)
{
    struct json_value *all = call_args(c), *last = NULL;
    if (!all)
        return NULL; /* answered, and the call is gone */
    struct json_value *out = json_new(c->arena, JSON_OBJECT);
    const struct schema *described = route_of(c)->hook->query;
    struct json_value *query = (struct json_value *)(uintptr_t)json_get(all, "query");
    if (described && check_query(described, query, &c->err) < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return NULL;
    }
    const struct json_value *who = json_get(all, "principal");
    bool is_signed = route_of(c)->hook->auth == AUTH_SIGNED;
    struct json_value *const parts[] = { (struct json_value *)(uintptr_t)json_get(all, "params"),
                                         (struct json_value *)(uintptr_t)json_get(all, "body"),
                                         is_signed ? NULL : (struct json_value *)(uintptr_t)json_get(who, "customer"),
                                         described ? query : NULL,
                                         json_new_string(c->arena, is_signed ? SLICE_LIT("signed") : caller_word(c->who.kind)) };
    if (!out || !parts[4]) {
        nomem(&c->err);
        call_fail(c, NULL, (struct slice){ 0 });
        return NULL;
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!parts[i])
            continue;
        if (i == 4)
            parts[i]->key = SLICE_LIT("caller");
        parts[i]->next = NULL;
        json_append(out, last, parts[i]);
        last = parts[i];
    }
    if (c->idempotency_key.data && route_of(c)->hook->as == AS_HANDLER) { /* a handler keys its steps with it */
        struct json_value *key = json_new_string(c->arena, c->idempotency_key);
        if (!key) {
            nomem(&c->err);
            call_fail(c, NULL, (struct slice){ 0 });
            return NULL;
        }
        key->key = SLICE_LIT("idempotency_key");
        json_append(out, last, key);
        last = key;
    }
    if (is_signed && signed_args(c, out, last, &c->err) < 0) {
        call_fail(c, NULL, (struct slice){ 0 });
        return NULL;
    }
    return out;
}

static void handler_done(void *ctx, int rc, const struct err *err)
{
    struct call *c = ctx;
    c->rc = rc;
    if (rc < 0)
        c->err = *err;
    c->req->gone = NULL;
    if (route_of(c)->hook->auth == AUTH_SIGNED)
        signed_answer(c);
    else
        call_answer(c);
}

static void client_gone(struct http_request *req)
{
    struct err why = { 0 };
    err_reason(&why, ERR_BUSY, "client_gone", "The client has gone.");
    task_give_up(req->user, &why);
}

/* It may wait; the request is answered when it ends. */
static void run_handler(struct call *c, const struct json_value *args)
{
    const struct plugin_route *r = route_of(c);
    const struct plugin_state *s = plugin_state_of(c->seat->vm);
    struct http_request *req = c->req;
    struct task_options o = { .plugin = r->plugin->name,
                              .fn = generation_hook(s->generation, &(struct hook_ref){ r->plugin, r->hook }),
                              .args = args,
                              .answer = &c->answer,
                              .arena = c->arena,
                              .within_ms = WAITS_MS,
                              .done = handler_done,
                              .ctx = c };
    struct task *t = task_start(c->worker, c->seat, &o);
    if (!t)
        return; /* answered, and the call is gone */
    req->user = t;
    req->gone = client_gone;
}

/* --- answers that go on -------------------------------------------------------------------------------------------------------- */

/* A snapshot, and its place in the order of commits: since or, when one was committed at that very moment, the one behind it. A snapshot
 * is taken with the first thing that is read, and a worker may lose the processor at any time: so it is looked again. */
static int begin_at(struct call *c, uint64_t *since)
{
    enum { TRIES = 8 };
    struct store_conn *conn = c->worker->conn;
    int64_t due;
    for (int i = 1;; i++) {
        *since = streams_serial(c->shop->streams);
        int rc = store_begin(conn, &c->err);
        if (rc == 0)
            rc = timer_next_due(conn, &due, &c->err); /* any row will do */
        if (rc < 0) {
            store_rollback(conn);
            return rc;
        }
        if (i == TRIES || streams_serial(c->shop->streams) == *since)
            return 0;
        store_rollback(conn);
    }
}

/* In one snapshot, without waiting: what is committed after it is heard, and what it saw is not told twice. */
static int ask_what_first(struct call *c, const struct json_value *args, struct slice *topic, uint64_t *since)
{
    const struct plugin_route *r = route_of(c);
    struct worker *w = c->worker;
    int fn = generation_hook(c->seat->generation, &(struct hook_ref){ r->plugin, r->hook });
    int rc = begin_at(c, since);
    if (rc < 0)
        return rc;
    bind_begin(c->seat->bind, BIND_PHASE_HANDLER, w->conn, c->arena);
    rc = bind_call_stream(c->seat->vm, fn, args, &c->answer, topic, &c->err);
    bind_end(c->seat->bind);
    store_rollback(w->conn);
    guard_function(c->seat->edition, fn, rc, &c->err);
    return rc;
}

static void run_stream(struct call *c, const struct json_value *args)
{
    struct listeners *l = c->worker->listeners;
    const char *plugin = route_of(c)->plugin->name;
    struct slice topic;
    uint64_t since = 0;
    c->rc = l ? listeners_prepare(l, &c->err) : 0;
    if (c->rc < 0) {
        call_answer(c);
        return;
    }
    c->rc = ask_what_first(c, args, &topic, &since);
    if (l && c->rc == 0 && topic.len) {
        listeners_add(l, c->req, plugin, topic, c->answer.body.len ? c->answer.body : SLICE_LIT("null"), since);
        return;
    }
    if (l)
        listeners_never_mind(l);
    call_answer(c); /* at a desk nobody stays: he is told the state */
}

/* On the writer. Its rules may be a newer generation than those of the worker: the route is looked up by name. */
static int run_procedure(struct call *c, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct vm *vm = c->shop->procedures.vm;
    struct plugin_state *s = plugin_state_of(vm);
    const struct plugin_route *r = route_of(c);
    const struct manifest *m = s->generation ? plugin_set_find(generation_plugins(s->generation), slice_str(r->plugin->name)) : NULL;
    const struct hook *h = m ? manifest_hook(m, HOOK_ROUTE, slice_str(r->hook->name)) : NULL;
    if (!h)
        return err_reason(err, ERR_CONFLICT, "rules_changed", "The plugin behind this route was turned off meanwhile.");
    if (plugin_stopped(s, m->name))
        return plugin_refuse(m->name, err);
    return bind_call_function(vm, generation_hook(s->generation, &(struct hook_ref){ m, h }), c->state, &c->answer, err);
}

/* --- what is used up ------------------------------------------------------------------------------------------------------------ */

enum { ACCOUNT_MAX = 255 };

/* What the path has for "{name}"; its parameters are in the order of the pattern. */
static struct slice parameter(const struct call *c, struct slice name)
{
    size_t n = 0;
    for (const char *p = strchr(c->route->pattern, '{'); p && n < c->req->param_count; p = strchr(p + 1, '{'), n++)
        if (strncmp(p, name.data, name.len) == 0)
            return c->req->params[n];
    return slice_str("");
}

/* The account that the route names, with the path's parameters in it; its length, or 0 when no account can have such a name. */
static size_t account_of(const struct call *c, char out[ACCOUNT_MAX + 1])
{
    size_t n = 0;
    for (const char *p = route_of(c)->hook->unless_exhausted; *p;) {
        const char *end = *p == '{' ? strchr(p, '}') + 1 : p + 1;
        struct slice part = slice_of(p, (size_t)(end - p));
        if (*p == '{')
            part = parameter(c, part);
        if (part.len > ACCOUNT_MAX - n)
            return 0;
        memcpy(out + n, part.data, part.len);
        n += part.len;
        p = end;
    }
    return n;
}

/* The mark is looked at before the stored answers: whoever has used it up finds his own there. true: the call was answered, and is gone. */
static bool answer_exhausted(struct call *c)
{
    char account[ACCOUNT_MAX + 1];
    size_t n = route_of(c)->hook->unless_exhausted ? account_of(c, account) : 0;
    if (n == 0 || !left_exhausted(c->shop->left, slice_of(account, n), 1))
        return false;
    if (call_answer_again(c))
        return true;
    err_reason(&c->err, ERR_CONFLICT, "exhausted", "Nothing is left of %.*s.", (int)n, account);
    metric_add(&c->shop->metrics.exhausted, 1);
    http_yield(c->req);
    call_fail(c, NULL, (struct slice){ 0 });
    return true;
}

static void handle_plugin(struct call *c)
{
    const char *plugin = route_of(c)->plugin->name;
    if (plugin_stopped(plugin_state_of(c->seat->vm), plugin)) {
        plugin_refuse(plugin, &c->err);
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    if (answer_exhausted(c))
        return;
    struct json_value *args = args_of(c);
    if (!args)
        return;
    c->share = (uint32_t)hash_bytes(plugin, strlen(plugin)) | 1;
    if (route_of(c)->hook->stream) {
        run_stream(c, args);
        return;
    }
    if (route_of(c)->hook->as == AS_HANDLER) {
        run_handler(c, args);
        return;
    }
    c->state = args;
    c->done = route_of(c)->hook->auth == AUTH_SIGNED ? signed_answer : NULL;
    c->owner = generation_hook(c->seat->generation, &(struct hook_ref){ route_of(c)->plugin, route_of(c)->hook });
    call_write_native(c, run_procedure);
}

/* --- the table --------------------------------------------------------------------------------------------------------------- */

static int method_of(struct slice name, enum http_method *out)
{
    for (int m = 0; m < HTTP_METHODS; m++) {
        if (slice_is(name, http_method_name((enum http_method)m))) {
            *out = (enum http_method)m;
            return 0;
        }
    }
    return ERR_INVALID;
}

static int add_route(struct plugin_state *s, const struct hook_ref *ref, struct err *err)
{
    struct plugin_route *r = &s->routes[s->route_count];
    const struct hook *h = ref->hook;
    struct slice pattern = arena_printf(&s->arena, "/v1/x/%s%.*s", ref->plugin->name, SLICE_FMT(h->path));
    if (!pattern.data)
        return nomem(err);
    *r = (struct plugin_route){ .route = { .pattern = arena_strdup(&s->arena, pattern),
                                           .callers = callers_of(h->auth),
                                           .body = h->has_values ? h->schema : NULL,
                                           .query = h->query ? params_of(h->query, &s->arena) : NULL,
                                           .created = 200,
                                           .handle = handle_plugin,
                                           .summary = h->about ? h->about : ref->plugin->title },
                                .plugin = ref->plugin,
                                .hook = h };
    if (!r->route.pattern || (h->query && !r->route.query))
        return nomem(err);
    if (method_of(h->method, &r->route.method) < 0)
        return err_set(err, ERR_INVALID, "%s: routes[\"%s\"]: there is no such method", ref->plugin->file, h->name);
    s->route_count++;
    int rc = http_router_add(s->router, r->route.method, r->route.pattern, r, err);
    return rc < 0 ? err_wrap(err, "%s: routes[\"%s\"]", ref->plugin->file, h->name) : 0;
}

int plugin_routes_open(struct vm *vm, struct generation *g, struct err *err)
{
    struct plugin_state *s = plugin_state_of(vm);
    size_t n;
    const struct hook_ref *refs = plugin_set_hooks(generation_plugins(g), HOOK_ROUTE, &n);
    s->generation = g;
    s->routes = arena_array(&s->arena, n + 1, sizeof *s->routes);
    s->router = http_router_new();
    int rc = s->routes && s->router ? 0 : nomem(err);
    for (const struct route *r = core_routes; r->pattern && rc == 0; r++)
        rc = http_router_add(s->router, r->method, r->pattern, (void *)(uintptr_t)r, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = add_route(s, &refs[i], err);
    return rc;
}

bool plugin_route_streams(const struct route *r)
{
    return r->handle == handle_plugin && ((const struct plugin_route *)r)->hook->stream;
}

const struct route *plugin_route_at(const struct plugin_state *s, size_t i)
{
    return i < s->route_count ? &s->routes[i].route : NULL;
}
