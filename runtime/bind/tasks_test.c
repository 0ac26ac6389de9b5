/* Tasks as the host sees them: what they wait for, what they are told, and that they can be closed at any time. */
#include "bind/fixture.h"
#include "bind/secrets.h"
#include "bind/tasks.h"

static const struct bind_secret hush = { "HUSH", { "Jefe & co", 9 }, true };
static const struct bind_plugin caller = { .name = "caller", .version = "1.0.0" };

static bool may_call(void *ctx, const struct bind_plugin *p, struct slice host, int port)
{
    (void)ctx, (void)p;
    return slice_is(host, "api.example.com") && port == 443;
}

static int find_procedure(void *ctx, const struct bind_plugin *p, struct slice name, struct bind_procedure *out, struct err *err)
{
    (void)ctx, (void)p;
    *out = (struct bind_procedure){ .fn = 1 };
    return slice_is(name, "keep") ? 0 : err_set(err, ERR_SCRIPT, "the plugin caller may not call that");
}

static const struct bind_plugin_host host = { .procedure = find_procedure, .may_call = may_call };

struct run { /* a function of a plugin, made from text */
    struct fixture *f;
    struct bind_task *task;
    struct bind_answer answer;
};

static int open_shop(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    fixture_open(f, ":memory:");
    f->ctx.plugins = &host;
    *state = f;
    return 0;
}

static int close_shop(void **state)
{
    fixture_close(*state);
    free(*state);
    return 0;
}

static int resolve(void *ctx, struct slice name, struct slice *source, struct slice *chunk, struct err *err)
{
    if (!slice_is(name, "events"))
        return err_set(err, ERR_NOT_FOUND, "no such file");
    *source = slice_str(ctx);
    *chunk = SLICE_LIT("plugins/caller/events.lua");
    return 0;
}

/* The body of function run(args, settings); http and plugin are there. */
static void start(struct run *r, struct fixture *f, const char *body)
{
    static unsigned spaces;
    static const char *const shared[] = { "feira.json", NULL };
    const struct bind_secret_at at[] = { { "hush", &hush } };
    struct json_value *settings = fixture_json(&f->kept, "{'hush':'HUSH'}");
    char *name = arena_strdup(&f->kept, arena_printf(&f->kept, "plugins/caller%u", spaces++));
    char *source = arena_strdup(&f->kept, arena_printf(&f->kept,
                                                       "local http, plugin = require 'feira.http', require 'feira.plugin'\n"
                                                       "return { run = function(args, s) %s end }",
                                                       body));
    struct vm_space_options *space = arena_zalloc(&f->kept, sizeof *space);
    *space = (struct vm_space_options){ .name = name, .shared = shared, .resolve = resolve, .ctx = source };
    static const char *const no_timers[] = { NULL };
    struct bind_plugin *p = arena_zalloc(&f->kept, sizeof *p);
    *p = caller;
    p->timers = no_timers;
    vm_ref own = 0, module = 0, timers = 0, http = 0;
    int fn = 0;
    err_clear(&f->err);
    int rc = vm_space_open(f->vm, space, &f->err);
    if (rc == 0)
        rc = bind_settings(f->vm, settings, at, 1, &own, &f->err);
    if (rc == 0)
        rc = bind_plugin_modules(f->vm, p, own, &module, &timers, &f->err);
    if (rc == 0)
        rc = bind_plugin_http(f->vm, p, &http, &f->err);
    if (rc == 0)
        rc = vm_space_give(f->vm, name, "feira.plugin", module, &f->err);
    if (rc == 0)
        rc = vm_space_give(f->vm, name, "feira.http", http, &f->err);
    vm_release(f->vm, timers);
    vm_release(f->vm, own);
    if (rc == 0)
        rc = bind_settings(f->vm, settings, at, 1, &own, &f->err);
    if (rc == 0)
        rc = vm_space_function(f->vm, name, SLICE_LIT("events"), SLICE_LIT("run"), own, &fn, &f->err);
    vm_release(f->vm, own);
    *r = (struct run){ .f = f };
    if (rc == 0)
        rc = bind_task_open(f->vm, fn, fixture_json(&f->kept, "{'n':1}"), &r->answer, &r->task, &f->err);
    if (rc < 0)
        fail_msg("%s", f->err.text);
}

static int go(struct run *r)
{
    struct fixture *f = r->f;
    f->ctx.phase = BIND_PHASE_HANDLER;
    f->ctx.conn = f->conn;
    f->ctx.arena = &f->arena;
    f->ctx.now_ms = clock_wall_ms(&f->clock.face);
    err_clear(&f->err);
    int rc = bind_task_run(r->task, &f->err);
    f->ctx.phase = BIND_PHASE_LOAD;
    return rc;
}

static void waits_for(struct run *r, enum bind_wait what)
{
    if (go(r) < 0)
        fail_msg("%s", r->f->err.text);
    assert_int_equal(bind_task_waits(r->task), what);
}

static void answers(struct run *r, const char *body)
{
    waits_for(r, BIND_WAITS_FOR_NOTHING);
    assert_string_equal(arena_strdup(&r->f->arena, r->answer.body), body);
    bind_task_close(r->task);
}

static const char *header_of(const struct outbound_request *r, const char *name)
{
    static char value[256];
    for (size_t i = 0; i < r->header_count; i++) {
        snprintf(value, sizeof value, "%.*s", SLICE_FMT(r->headers[i].value));
        if (slice_is(r->headers[i].name, name))
            return value;
    }
    return "(none)";
}

static void a_request_is_what_the_host_sends_and_its_answer_comes_back(void **state)
{
    struct run r;
    const struct http_header headers[] = { { SLICE_LIT("X-One"), SLICE_LIT("1") }, { SLICE_LIT("x-one"), SLICE_LIT("2") } };
    start(&r, *state,
          "local a = http.post('https://api.example.com/x', { bearer = s.hush, query = { k = s.hush, a = 1 }, form = { f = 'x y' } })\n"
          "return { status = 200, body = { a.status, a.body, a.headers['x-one'] } }");
    waits_for(&r, BIND_WAITS_FOR_HTTP);
    const struct outbound_request *q = bind_task_request(r.task);
    assert_string_equal(q->method, "POST");
    assert_true(slice_is(q->url, "https://api.example.com/x?a=1&k=Jefe%20%26%20co"));
    assert_true(slice_is(q->body, "f=x%20y"));
    assert_string_equal(header_of(q, "Authorization"), "Bearer Jefe & co");
    assert_string_equal(header_of(q, "Content-Type"), "application/x-www-form-urlencoded");
    assert_int_equal(q->timeout_ms, 10000);
    bind_task_sent(r.task);
    bind_task_answered(r.task, 0, &(struct outbound_answer){ 404, headers, 2, SLICE_LIT("not there") }, NULL);
    answers(&r, "[404,\"not there\",\"1, 2\"]");
}

static void what_went_wrong_outside_is_no_error(void **state)
{
    struct run r;
    struct err err = { 0 };
    start(&r, *state, "local a, why, code = http.get 'https://api.example.com/' return { status = 200, body = { a == nil, why, code } }");
    waits_for(&r, BIND_WAITS_FOR_HTTP);
    err_reason(&err, ERR_IO, "timeout", "it took too long");
    bind_task_answered(r.task, err.code, NULL, &err);
    answers(&r, "[true,\"it took too long\",\"timeout\"]");
}

static void a_step_is_handed_to_the_host_and_its_failure_is_an_error(void **state)
{
    struct run r;
    struct err err = { 0 };
    start(&r, *state,
          "local x = plugin.call('keep', { a = { 1, 2 } }, { key = 'k' }) local ok, e = pcall(plugin.call, 'keep')\n"
          "return { status = 201, body = { x.id, ok, e.reason, e.text, plugin.call('keep') == nil } }");
    waits_for(&r, BIND_WAITS_FOR_PROCEDURE);
    const struct bind_step *step = bind_task_step(r.task);
    assert_true(slice_is(step->name, "keep") && slice_is(step->key, "k") && json_get(step->args, "a")->count == 2);
    bind_task_stepped(r.task, 0, SLICE_LIT("{\"id\":7}"), NULL);
    waits_for(&r, BIND_WAITS_FOR_PROCEDURE);
    assert_int_equal(bind_task_step(r.task)->key.len, 0);
    err_reason(&err, ERR_CONFLICT, "full", "There is no room.");
    bind_task_stepped(r.task, err.code, slice_str(""), &err);
    waits_for(&r, BIND_WAITS_FOR_PROCEDURE);
    bind_task_stepped(r.task, 0, slice_str(""), NULL);
    answers(&r, "[7,false,\"full\",\"There is no room.\",true]");
    assert_int_equal(r.answer.status, 201);
}

static void a_mistake_is_found_before_anything_is_sent(void **state)
{
    static const struct {
        const char *body, *why;
    } bad[] = {
        { "http.get 'https://other.example.com/'", "may not call other.example.com; add \"other.example.com\" to needs.http" },
        { "http.get 'https://api.example.com:8443/'", "may not call api.example.com:8443" },
        { "http.get 'https://api.example.com@evil.com/'", "has a user" },
        { "http.request { method = 'GET' }", "url is missing" },
        { "http.get('https://api.example.com/', { headers = { a = '1', A = '2' } })", "is there twice" },
        { "http.get('https://api.example.com/', { headers = { [1] = '1' } })", "names and values" },
        { "http.get('https://api.example.com/', { bearer = {} })", "bearer must be a string" },
        { "http.get('https://api.example.com/', { json = { s.hush } })", "userdata" },
        { "http.get('https://api.example.com/', { max_bytes = 0 })", "max_bytes" },
        { "http.get('https://api.example.com/', { timeout = '1h' })", "timeout is 1 to" },
        { "http.get('https://api.example.com/' .. ('x'):rep(9000))", "longer than" },
        { "http.get('https://api.example.com/', { body = ('x'):rep(1000001) })", "longer than" },
        { "plugin.call('other')", "may not call" },
        { "plugin.call('keep', {}, {})", "key is missing" },
        { "plugin.call('keep', {}, { key = '' })", "key has 1 to" },
        { "table.sort({ 1, 2 }, function() http.get 'https://api.example.com/' end)", "can't wait" },
        { "coroutine.wrap(function() plugin.call 'keep' end)()", "can't wait" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct run r;
        start(&r, *state, bad[i].body);
        assert_true(go(&r) < 0);
        if (!strstr(r.f->err.text, bad[i].why))
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].body, r.f->err.text, bad[i].why);
        assert_null(strstr(r.f->err.text, "Jefe"));
        assert_int_equal(bind_task_waits(r.task), BIND_WAITS_FOR_NOTHING);
        bind_task_close(r.task);
    }
}

/* Others run in between, and one that waits can be closed before, in the middle and after. */
static void tasks_go_side_by_side_and_are_closed_at_any_time(void **state)
{
    enum { MANY = 40 };
    struct run r[MANY];
    for (int i = 0; i < MANY; i++)
        start(&r[i], *state, "local a = http.get('https://api.example.com/', { bearer = s.hush }) plugin.call('keep', { a = a.body })");
    for (int i = 0; i < MANY; i++)
        if (i % 4 > 0)
            waits_for(&r[i], BIND_WAITS_FOR_HTTP);
    for (int i = MANY - 1; i >= 0; i--)
        if (i % 4 > 1) {
            bind_task_sent(r[i].task);
            bind_task_answered(r[i].task, 0, &(struct outbound_answer){ 200, NULL, 0, SLICE_LIT("x") }, NULL);
            waits_for(&r[i], BIND_WAITS_FOR_PROCEDURE);
        }
    for (int i = 0; i < MANY; i++)
        if (i % 4 > 2) {
            bind_task_stepped(r[i].task, 0, slice_str(""), NULL);
            waits_for(&r[i], BIND_WAITS_FOR_NOTHING);
        }
    for (int i = 0; i < MANY; i++)
        bind_task_close(r[i].task);
}

/* What a provider's functions give is wanted as it is: a value, or nil with a reason. */
static void a_value_or_why_there_is_none_comes_back_as_it_is(void **state)
{
    static const struct {
        const char *body, *gives;
    } runs[] = {
        { "return { state = 'paid', amount = 5 }", "{\"amount\":5,\"state\":\"paid\"}" },
        { "return nil, 'closed on Sundays', 'refused'", "{\"code\":\"refused\",\"why\":\"closed on Sundays\"}" },
        { "return nil, 'closed'", "{\"why\":\"closed\"}" },
        { "return nil, 7", "" },
        { "return nil", "" },
        { "return", "" },
        { "return { a = 1 }, 'what is behind a value is left alone', 'x'", "{\"a\":1}" },
        { "local a, why, code = http.get 'https://api.example.com/' return nil, why, code",
          "{\"code\":\"timeout\",\"why\":\"nobody answered\"}" },
    };
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        struct run r;
        struct slice value;
        struct err late = { 0 };
        start(&r, *state, runs[i].body);
        bind_task_want(r.task, &value);
        if (strstr(runs[i].body, "http")) {
            waits_for(&r, BIND_WAITS_FOR_HTTP);
            bind_task_sent(r.task);
            err_reason(&late, ERR_IO, "timeout", "nobody answered");
            bind_task_answered(r.task, ERR_IO, NULL, &late);
        }
        waits_for(&r, BIND_WAITS_FOR_NOTHING);
        if (!slice_is(value, runs[i].gives))
            fail_msg("%s gives %.*s", runs[i].body, SLICE_FMT(value));
        bind_task_close(r.task);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_what_the_host_sends_and_its_answer_comes_back),
        cmocka_unit_test(what_went_wrong_outside_is_no_error),
        cmocka_unit_test(a_step_is_handed_to_the_host_and_its_failure_is_an_error),
        cmocka_unit_test(a_mistake_is_found_before_anything_is_sent),
        cmocka_unit_test(tasks_go_side_by_side_and_are_closed_at_any_time),
        cmocka_unit_test(a_value_or_why_there_is_none_comes_back_as_it_is),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
