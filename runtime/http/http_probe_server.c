/* http_probe_server - the real server with a trivial handler, for tests over sockets and for measuring. Prints the port it
 * listens on, then serves until SIGTERM, upon which it drains. Options are --NAME=NUMBER, the fields of http_limits and:
 *   --port=N --unix=PATH --grace=MS
 *   --delay=MS     answer that much later (from a timer), newest first among those that are due
 *   --constant     answer GET with a constant, as measured against other servers
 *   --big=BYTES    length of the body that GET /big gets
 *   --origin=O     allow this origin     --proxy=CIDR  trust this proxy */
#include "base/json.h"
#include "base/map.h"
#include "http/http.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct probe {
    struct loop *loop;
    struct http_server *server;
    int64_t delay_ms, grace_ms;
    size_t big_bytes;
    bool constant;
    char *big;
};

struct delayed {
    struct probe *probe;
    struct http_request *req;
    struct loop_timer *timer;
};

static void answer(struct probe *p, struct http_request *req)
{
    if (p->constant) {
        http_respond_json(req, 200, SLICE_LIT("{\"ok\":true}"));
        return;
    }
    if (slice_is(req->path, "/big")) {
        http_respond(req, &(struct http_response){ .status = 200, .content_type = "text/plain", .body = slice_of(p->big, p->big_bytes) });
        return;
    }
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "method");
    json_str(&w, http_method_name(req->method));
    json_key(&w, "path");
    json_string(&w, req->path);
    json_key(&w, "body_len");
    json_int(&w, (int64_t)req->body.len);
    json_key(&w, "client");
    json_string(&w, req->client_ip);
    if (req->body.len > 0) {
        json_key(&w, "body_hash");
        json_int(&w, (int64_t)(hash_bytes(req->body.data, req->body.len) >> 1));
    }
    json_object_end(&w);
    http_respond_json(req, 200, buf_slice(&b));
    buf_release(&b);
}

static void on_due(void *ctx)
{
    struct delayed *d = ctx;
    answer(d->probe, d->req);
    loop_timer_free(d->timer);
    free(d);
}

static void on_request(void *ctx, struct http_request *req)
{
    struct probe *p = ctx;
    struct delayed *d = p->delay_ms > 0 ? malloc(sizeof *d) : NULL;
    if (!d) {
        answer(p, req);
        return;
    }
    *d = (struct delayed){ p, req, loop_timer_new(p->loop, on_due, d) };
    loop_timer_start(d->timer, p->delay_ms, 0);
}

static void on_drained(void *ctx)
{
    struct probe *p = ctx;
    loop_stop(p->loop);
}

static void on_term(void *ctx, int signum)
{
    struct probe *p = ctx;
    (void)signum;
    http_server_drain(p->server, p->grace_ms, on_drained, p);
}

struct number_option {
    const char *name;
    size_t *size;
    int64_t *ms;
};

static bool read_number(const struct number_option *options, size_t n, const char *arg)
{
    const char *eq = strchr(arg, '=');
    for (size_t i = 0; eq && i < n; i++) {
        size_t len = strlen(options[i].name);
        if ((size_t)(eq - arg) != len || strncmp(options[i].name, arg, len) != 0)
            continue;
        long long v = strtoll(eq + 1, NULL, 10);
        if (options[i].size)
            *options[i].size = (size_t)v;
        else
            *options[i].ms = v;
        return true;
    }
    return false;
}

static const char *text_after(const char *arg, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(arg, prefix, n) == 0 ? arg + n : NULL;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "http_probe_server: %s\n", err->text);
    return 1;
}

int main(int argc, char **argv)
{
    struct probe p = { .grace_ms = 5000, .big_bytes = 1 << 20 };
    struct http_server_options o = { .on_request = on_request, .ctx = &p };
    http_limits_default(&o.limits);
    struct http_limits *l = &o.limits;
    int64_t port = 0;
    const char *unix_path = NULL, *origins[9] = { 0 }, *proxies[9] = { 0 };
    size_t origin_count = 0, proxy_count = 0;
    const struct number_option numbers[] = {
        { "--line_bytes", &l->line_bytes, NULL },
        { "--header_bytes", &l->header_bytes, NULL },
        { "--header_count", &l->header_count, NULL },
        { "--body_bytes", &l->body_bytes, NULL },
        { "--held_body_bytes", &l->held_body_bytes, NULL },
        { "--connections", &l->connections, NULL },
        { "--pipeline", &l->pipeline, NULL },
        { "--write_queue_bytes", &l->write_queue_bytes, NULL },
        { "--head_timeout_ms", NULL, &l->head_timeout_ms },
        { "--body_timeout_ms", NULL, &l->body_timeout_ms },
        { "--idle_timeout_ms", NULL, &l->idle_timeout_ms },
        { "--write_timeout_ms", NULL, &l->write_timeout_ms },
        { "--port", NULL, &port },
        { "--delay", NULL, &p.delay_ms },
        { "--grace", NULL, &p.grace_ms },
        { "--big", &p.big_bytes, NULL },
    };
    for (int i = 1; i < argc; i++) {
        const char *text;
        if (strcmp(argv[i], "--constant") == 0)
            p.constant = true;
        else if ((text = text_after(argv[i], "--unix=")))
            unix_path = text;
        else if ((text = text_after(argv[i], "--origin=")) && origin_count < 8)
            origins[origin_count++] = text;
        else if ((text = text_after(argv[i], "--proxy=")) && proxy_count < 8)
            proxies[proxy_count++] = text;
        else if (!read_number(numbers, sizeof numbers / sizeof numbers[0], argv[i])) {
            fprintf(stderr, "http_probe_server: %s is not an option\n", argv[i]);
            return 2;
        }
    }
    if (origin_count)
        o.cors_origins = origins;
    if (proxy_count)
        o.trusted_proxies = proxies;
    p.big = malloc(p.big_bytes + 1);
    if (!p.big)
        return 1;
    memset(p.big, 'x', p.big_bytes);

    struct err err = { 0 };
    struct listen_options tcp = { .host = "127.0.0.1", .port = (int)port }, local = { .path = unix_path, .mode = 0600 };
    if (loop_open(&p.loop, &err) < 0 || http_server_open(p.loop, &o, &p.server, &err) < 0 || http_server_listen(p.server, &tcp, &err) < 0 ||
        (unix_path && http_server_listen(p.server, &local, &err) < 0) || loop_on_signal(p.loop, SIGTERM, on_term, &p, &err) < 0)
        return fail(&err);
    printf("%d\n", http_server_port(p.server));
    fflush(stdout);
    loop_run(p.loop);
    http_server_close(p.server);
    loop_close(p.loop);
    free(p.big);
    return 0;
}
