/* The client against the server, over sockets and from other threads. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/buf.h"
#include "http/http.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct served {
    struct loop *loop;
    struct http_server *server;
    struct loop_post end;
    pthread_t thread;
    char dir[64], path[512];
    int port;
};

static void on_request(void *ctx, struct http_request *req)
{
    (void)ctx;
    struct slice body = req->body.len > 0 ? req->body : http_header(req, "x-echo");
    struct http_response res = { .status = 200, .content_type = "text/plain", .body = body };
    if (req->peer->local_socket)
        res.status = 202;
    http_respond(req, &res);
}

static void *serve(void *ctx)
{
    loop_run(((struct served *)ctx)->loop);
    return NULL;
}

static void on_drained(void *ctx)
{
    loop_stop(((struct served *)ctx)->loop);
}

static void on_end(struct loop_post *item)
{
    struct served *s = (struct served *)(void *)((char *)item - offsetof(struct served, end));
    http_server_drain(s->server, 1000, on_drained, s);
}

static void start(struct served *s)
{
    struct err err = { 0 };
    memset(s, 0, sizeof *s);
    snprintf(s->dir, sizeof s->dir, "/tmp/feira-client-test-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    /* longer than a socket's address may be */
    snprintf(s->path, sizeof s->path, "%s/%s", s->dir,
             "a-folder-with-a-name-so-long-that-the-path-of-a-socket-in-it-does-not-fit-into-an-address-of-108-bytes");
    assert_int_equal(mkdir(s->path, 0700), 0);
    strcat(s->path, "/feira.sock");
    struct http_server_options o = { .on_request = on_request };
    http_limits_default(&o.limits);
    assert_int_equal(loop_open(&s->loop, &err), 0);
    assert_int_equal(http_server_open(s->loop, &o, &s->server, &err), 0);
    assert_int_equal(http_server_listen(s->server, &(struct listen_options){ .host = "127.0.0.1" }, &err), 0);
    assert_int_equal(http_server_listen(s->server, &(struct listen_options){ .path = s->path, .mode = 0600 }, &err), 0);
    s->port = http_server_port(s->server);
    s->end.fn = on_end;
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct served *s)
{
    loop_post(s->loop, &s->end);
    pthread_join(s->thread, NULL);
    http_server_close(s->server);
    loop_close(s->loop);
    assert_int_equal(access(s->path, F_OK), -1); /* the socket is removed */
    *strrchr(s->path, '/') = '\0';
    rmdir(s->path);
    rmdir(s->dir);
}

static void calls_go_over_tcp_and_over_the_unix_socket(void **state)
{
    (void)state;
    struct served s;
    struct http_client_response res;
    struct err err = { 0 };
    char url[64];
    start(&s);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", s.port);
    const char *const headers[] = { "X-Echo: hello", NULL };
    assert_int_equal(http_call(NULL, "GET", url, headers, (struct slice){ 0 }, 5000, &res, &err), 0);
    assert_int_equal(res.status, 200);
    assert_true(slice_is(buf_slice(&res.body), "hello"));
    buf_release(&res.body);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    assert_int_equal(http_call(s.path, "PUT", "http://shop/x", NULL, SLICE_LIT("body"), 5000, &res, &err), 0);
    unsetenv("http_proxy");
    assert_int_equal(res.status, 202);
    assert_true(slice_is(buf_slice(&res.body), "body"));
    buf_release(&res.body);
    struct stat st;
    assert_int_equal(stat(s.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    stop(&s);
}

static void a_large_body_over_the_unix_socket_is_not_held_to_the_limit_of_strangers(void **state)
{
    (void)state;
    struct served s;
    struct http_client_response res;
    struct err err = { 0 };
    size_t size = 3 << 20;
    char *big = malloc(size), url[64];
    assert_non_null(big);
    memset(big, 'x', size);
    start(&s);
    assert_int_equal(http_call(s.path, "POST", "http://shop/x", NULL, slice_of(big, size), 10000, &res, &err), 0);
    assert_int_equal(res.status, 202);
    assert_int_equal(res.body.len, size);
    buf_release(&res.body);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/x", s.port);
    assert_int_equal(http_call(NULL, "POST", url, NULL, slice_of(big, size), 10000, &res, &err), 0);
    assert_int_equal(res.status, 413);
    buf_release(&res.body);
    free(big);
    stop(&s);
}

static void nobody_there_is_an_error_that_says_so(void **state)
{
    (void)state;
    struct http_client_response res;
    struct err err = { 0 };
    assert_int_equal(http_call("/nonexistent/feira.sock", "GET", "http://shop/", NULL, (struct slice){ 0 }, 1000, &res, &err), ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/feira.sock"));
}

/* What a server that was killed leaves behind. */
static void leave_dead_socket(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
}

static void the_second_server_on_an_address_is_refused_and_a_dead_ones_socket_replaced(void **state)
{
    (void)state;
    struct served s;
    struct err err = { 0 };
    start(&s);
    struct http_server_options o = { .on_request = on_request };
    http_limits_default(&o.limits);
    struct loop *loop;
    struct http_server *second;
    assert_int_equal(loop_open(&loop, &err), 0);
    assert_int_equal(http_server_open(loop, &o, &second, &err), 0);
    assert_int_equal(
        http_server_listen(second,
                           &(struct listen_options){ .host = "127.0.0.1", .port = s.port, .reuse_port = true, .must_be_free = true }, &err),
        ERR_LOCKED);
    assert_int_equal(http_server_listen(second, &(struct listen_options){ .path = s.path, .mode = 0600 }, &err), ERR_LOCKED);
    char stale[100];
    snprintf(stale, sizeof stale, "%s/stale.sock", s.dir);
    leave_dead_socket(stale);
    assert_int_equal(http_server_listen(second, &(struct listen_options){ .path = stale, .mode = 0600 }, &err), 0);
    http_server_close(second);
    loop_close(loop);
    assert_int_equal(access(stale, F_OK), -1);
    stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_over_tcp_and_over_the_unix_socket),
        cmocka_unit_test(a_large_body_over_the_unix_socket_is_not_held_to_the_limit_of_strangers),
        cmocka_unit_test(nobody_there_is_an_error_that_says_so),
        cmocka_unit_test(the_second_server_on_an_address_is_refused_and_a_dead_ones_socket_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
