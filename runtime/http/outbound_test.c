/* Requests to the outside against a small server of the test's own, which misbehaves when asked to. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/buf.h"
#include "http/outbound.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- name servers of somebody who means no good: each question is answered by the next of these ------------------------------- */

static const char *const *answers; /* "93.184.216.34 127.0.0.1": the addresses of one answer; NULL: whoever asks is told the truth */
static atomic_int questions;
static bool may_call_inside; /* the control */

int __real_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);

int __wrap_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list)
{
    if (!answers || !strstr(host, "evil"))
        return __real_getaddrinfo(host, service, hints, list);
    char text[200], *save = NULL;
    struct addrinfo numeric = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, **end = list;
    snprintf(text, sizeof text, "%s", answers[atomic_fetch_add(&questions, 1)]);
    for (char *one = strtok_r(text, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
        assert_int_equal(__real_getaddrinfo(one, service, &numeric, end), 0);
        while (*end)
            end = &(*end)->ai_next;
    }
    return 0;
}

/* And nothing leaves the machine: whoever is called while the name servers lie has no network. */
static atomic_int sockets;

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

int __wrap_socket(int family, int type, int protocol)
{
    if (!answers || may_call_inside)
        return __real_socket(family, type, protocol);
    atomic_fetch_add(&sockets, 1);
    errno = ENETUNREACH;
    return -1;
}

/* --- the server: what a path does ------------------------------------------------------------------------------------- */

static void say(int fd, const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void answer(int fd, const char *status, const char *headers, const char *body)
{
    char head[1024];
    snprintf(head, sizeof head, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n", status, headers, strlen(body));
    say(fd, head);
    say(fd, body);
}

static atomic_int resets; /* how many requests were cut off without an answer */

static void misbehave(int fd, const char *request)
{
    char path[64] = "", big[4096];
    sscanf(request, "%*s %63s", path);
    if (strcmp(path, "/ok") == 0)
        answer(fd, "201 Created", "X-One: 1\r\nx-two:   two words  \r\nX-Empty:\r\n", "hello");
    else if (strcmp(path, "/echo") == 0)
        answer(fd, "200 OK", "", request);
    else if (strcmp(path, "/moved") == 0)
        answer(fd, "302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    else if (strcmp(path, "/slow") == 0)
        sleep(1);
    else if (strcmp(path, "/cut") == 0)
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this");
    else if (strcmp(path, "/noise") == 0)
        say(fd, "what do you want\r\n\r\n");
    else if (strcmp(path, "/heads") == 0 || strcmp(path, "/huge") == 0) {
        memset(big, 'x', sizeof big - 1);
        big[sizeof big - 1] = '\0';
        say(fd, path[2] == 'e' ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
        for (int i = 0; i < 300; i++) {
            say(fd, path[2] == 'e' ? "X-Long: " : "");
            say(fd, big);
            say(fd, path[2] == 'e' ? "\r\n" : "");
        }
    } else if (strcmp(path, "/reset") == 0) {
        atomic_fetch_add(&resets, 1);
        struct linger hard = { 1, 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    }
}

static void *serve_one(void *arg)
{
    int fd = (int)(intptr_t)arg;
    char request[8192];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof request - 1 && (n = recv(fd, request + len, sizeof request - 1 - len, 0)) > 0) {
        len += (size_t)n;
        request[len] = '\0';
        if (request[0] == 0x16) /* a handshake of TLS, which it does not speak */
            break;
        const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
        if (!end || (length && strlen(end + 4) < (size_t)atoi(length + 16)))
            continue;
        misbehave(fd, request);
        if (!strstr(request, "/ok ") && !strstr(request, "/echo "))
            break;
        len = 0;
    }
    close(fd);
    return NULL;
}

struct fixture {
    int listener, port;
    pthread_t thread;
    struct loop *loop;
    struct outbound *outbound;
    char resolve[64];
    const char *resolves[2];
    atomic_int accepted; /* connections */
};

static void *serve(void *arg)
{
    enum { CONNECTIONS_MAX = 2000 };
    struct fixture *f = arg;
    pthread_t *threads = calloc(CONNECTIONS_MAX, sizeof *threads);
    int fd, n = 0;
    while (n < CONNECTIONS_MAX && (fd = accept(f->listener, NULL, NULL)) >= 0 && atomic_fetch_add(&f->accepted, 1) >= 0)
        assert_int_equal(pthread_create(&threads[n++], NULL, serve_one, (void *)(intptr_t)fd), 0);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    free(threads);
    return NULL;
}

static void open_outbound(struct fixture *f, bool may_be_local, size_t at_once)
{
    struct err err = { 0 };
    f->resolves[0] = f->resolve;
    struct outbound_options o = { .may_be_local = may_be_local, .resolve = f->resolves, .at_once = at_once };
    assert_int_equal(loop_open(&f->loop, &err), 0);
    assert_int_equal(outbound_open(f->loop, &o, &f->outbound, &err), 0);
}

static void close_outbound(struct fixture *f)
{
    outbound_close(f->outbound);
    loop_close(f->loop);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof a;
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->listener, 200), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&a, &len), 0);
    f->port = ntohs(a.sin_port);
    snprintf(f->resolve, sizeof f->resolve, "api.example.com:%d:127.0.0.1", f->port);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->listener);
    free(f);
    return 0;
}

/* --- one request ------------------------------------------------------------------------------------------------------- */

struct outcome {
    struct loop *loop;
    int left; /* that still have to end; the loop stops at 0 */
    int ended, rc, status;
    char body[8192], reason[64], text[600], headers[1024];
};

static void on_done(void *ctx, int rc, const struct outbound_answer *a, const struct err *err)
{
    struct outcome *o = ctx;
    o->ended++;
    o->rc = rc;
    if (rc == 0) {
        o->status = a->status;
        snprintf(o->body, sizeof o->body, "%.*s", SLICE_FMT(a->body));
        o->headers[0] = '\0';
        for (size_t i = 0; i < a->header_count; i++)
            snprintf(o->headers + strlen(o->headers), sizeof o->headers - strlen(o->headers), "%.*s=%.*s|", SLICE_FMT(a->headers[i].name),
                     SLICE_FMT(a->headers[i].value));
    } else {
        snprintf(o->reason, sizeof o->reason, "%s", err->reason);
        snprintf(o->text, sizeof o->text, "%s", err->text);
    }
    if (--o->left == 0)
        loop_stop(o->loop);
}

static int send_to(struct fixture *f, const char *url, struct outcome *o, struct outbound_call **call, struct err *err)
{
    struct outbound_request r = { .method = "GET", .url = slice_str(url), .timeout_ms = 3000, .answer_bytes_max = 100000 };
    o->loop = f->loop;
    return outbound_send(f->outbound, &r, on_done, o, call, err);
}

static struct slice url_of(const struct fixture *f, const char *path, char out[128])
{
    snprintf(out, 128, "http://api.example.com:%d%s", f->port, path);
    return slice_str(out);
}

static struct outcome ask(struct fixture *f, const struct outbound_request *r)
{
    struct outcome o = { .loop = f->loop, .left = 1 };
    struct outbound_call *call;
    struct err err = { 0 };
    if (outbound_send(f->outbound, r, on_done, &o, &call, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(o.ended, 0); /* never from inside */
    loop_run(f->loop);
    assert_int_equal(o.ended, 1);
    return o;
}

static struct outcome get(struct fixture *f, const char *path)
{
    char url[128];
    return ask(f,
               &(struct outbound_request){ .method = "GET", .url = url_of(f, path, url), .timeout_ms = 3000, .answer_bytes_max = 100000 });
}

static void fails_with(struct outcome o, const char *reason)
{
    assert_int_equal(o.rc, ERR_IO);
    assert_string_equal(o.reason, reason);
    assert_true(strlen(o.text) > 20);
}

/* --- tests -------------------------------------------------------------------------------------------------------------- */

static void the_answer_comes_with_its_headers(void **state)
{
    struct fixture *f = *state;
    open_outbound(f, true, 0);
    for (int i = 0; i < 3; i++) { /* the connection is used again */
        struct outcome o = get(f, "/ok");
        assert_int_equal(o.rc, 0);
        assert_int_equal(o.status, 201);
        assert_string_equal(o.body, "hello");
        assert_string_equal(o.headers, "X-One=1|x-two=two words|X-Empty=|Content-Length=5|");
    }
    close_outbound(f);
}

static void what_was_sent_arrives(void **state)
{
    struct fixture *f = *state;
    char url[128];
    const struct http_header headers[] = { { SLICE_LIT("Authorization"), SLICE_LIT("Bearer abc") },
                                           { SLICE_LIT("X-Empty"), SLICE_LIT("") } };
    open_outbound(f, true, 0);
    struct outcome o = ask(f, &(struct outbound_request){ .method = "PUT",
                                                          .url = url_of(f, "/echo", url),
                                                          .headers = headers,
                                                          .header_count = 2,
                                                          .body = SLICE_LIT("{\"a\":1}"),
                                                          .has_body = true,
                                                          .timeout_ms = 3000,
                                                          .answer_bytes_max = 10000 });
    assert_int_equal(o.status, 200);
    assert_int_equal(strncmp(o.body, "PUT /echo HTTP/1.1\r\n", 20), 0);
    assert_non_null(strstr(o.body, "\r\nAuthorization: Bearer abc\r\n"));
    assert_non_null(strstr(o.body, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(o.body, "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(o.body, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(o.body, "Expect"));
    close_outbound(f);
}

static void many_go_at_once_and_more_are_refused(void **state)
{
    struct fixture *f = *state;
    enum { MANY = 50 };
    char url[128];
    struct err err = { 0 };
    struct outbound_call *call;
    open_outbound(f, true, MANY);
    struct outcome o = { .loop = f->loop, .left = MANY };
    for (int i = 0; i < MANY; i++)
        assert_int_equal(send_to(f, url_of(f, i % 2 ? "/ok" : "/cut", url).data, &o, &call, &err), 0);
    assert_int_equal(send_to(f, url_of(f, "/ok", url).data, &o, &call, &err), ERR_BUSY);
    loop_run(f->loop);
    assert_int_equal(o.ended, MANY);
    assert_int_equal(get(f, "/ok").status, 201);
    close_outbound(f);
}

static void a_server_that_misbehaves_is_told_of(void **state)
{
    struct fixture *f = *state;
    open_outbound(f, true, 0);
    fails_with(get(f, "/cut"), "broken_off");
    fails_with(get(f, "/noise"), "broken_off");
    fails_with(get(f, "/reset"), "broken_off");
    fails_with(get(f, "/huge"), "too_large");
    fails_with(get(f, "/heads"), "too_large");
    assert_int_equal(get(f, "/moved").status, 302); /* and not followed: 127.0.0.1:1 would have been unreachable */
    char url[128];
    fails_with(
        ask(f, &(struct outbound_request){ .method = "GET", .url = url_of(f, "/slow", url), .timeout_ms = 100, .answer_bytes_max = 1000 }),
        "timeout");
    fails_with(ask(f,
                   &(struct outbound_request){
                       .method = "GET", .url = SLICE_LIT("http://127.0.0.1:1/"), .timeout_ms = 1000, .answer_bytes_max = 1000 }),
               "unreachable");
    fails_with(ask(f,
                   &(struct outbound_request){
                       .method = "GET", .url = SLICE_LIT("http://no-such-name.invalid/"), .timeout_ms = 5000, .answer_bytes_max = 1000 }),
               "name_unknown");
    snprintf(url, sizeof url, "https://api.example.com:%d/ok", f->port);
    fails_with(ask(f, &(struct outbound_request){ .method = "GET", .url = slice_str(url), .timeout_ms = 1000, .answer_bytes_max = 1000 }),
               "certificate");
    close_outbound(f);
}

/* On a connection that was kept, the server may have done it or not: whoever asked must hear of that, and decide. */
static void what_changes_something_is_sent_once(void **state)
{
    struct fixture *f = *state;
    char reset[128];
    open_outbound(f, true, 0);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get(f, "/ok").status, 201); /* leaves a connection behind */
        int before = atomic_load(&resets);
        struct outbound_request r = { .method = i % 2 ? "POST" : "PUT",
                                      .url = url_of(f, "/reset", reset),
                                      .body = SLICE_LIT("10.00"),
                                      .has_body = true,
                                      .timeout_ms = 3000,
                                      .answer_bytes_max = 1000 };
        struct outcome o = ask(f, &r);
        assert_int_equal(o.rc, ERR_IO);
        assert_string_equal(o.reason, "broken_off");
        assert_int_equal(atomic_load(&resets), before + 1);
    }
    /* The control: what changes nothing is sent again, so this server sees such things. */
    assert_int_equal(get(f, "/ok").status, 201);
    int before = atomic_load(&resets);
    assert_int_equal(get(f, "/reset").rc, ERR_IO);
    assert_true(atomic_load(&resets) > before + 1);
    close_outbound(f);
}

static void nothing_private_is_called(void **state)
{
    struct fixture *f = *state;
    static const char *const hosts[] = { "api.example.com", "localhost",  "127.0.0.1", "[::1]",    "[::ffff:127.0.0.1]", "127.1",
                                         "2130706433",      "0x7f000001", "0.0.0.0",   "10.0.0.1", "169.254.169.254" };
    open_outbound(f, false, 0);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char url[128];
        snprintf(url, sizeof url, "https://%s:%d/ok", hosts[i], f->port);
        fails_with(
            ask(f, &(struct outbound_request){ .method = "GET", .url = slice_str(url), .timeout_ms = 2000, .answer_bytes_max = 1000 }),
            "address_refused");
    }
    struct outcome o = { 0 };
    struct outbound_call *call;
    struct err err = { 0 };
    char url[128];
    assert_int_equal(send_to(f, url_of(f, "/ok", url).data, &o, &call, &err), ERR_INVALID); /* plain */
    assert_non_null(strstr(err.text, "is not https"));
    close_outbound(f);
}

static void fails_at(struct fixture *f, const char *host, const char *reason)
{
    char url[300];
    snprintf(url, sizeof url, "https://%s:%d/ok", host, f->port);
    fails_with(ask(f, &(struct outbound_request){ .method = "GET", .url = slice_str(url), .timeout_ms = 700, .answer_bytes_max = 1000 }),
               reason);
}

/* A name that is public when it is looked at and private when it is called: it is looked up once, and what was looked at is called. */
static void a_name_that_changes_its_mind_leads_nowhere_else(void **state)
{
    struct fixture *f = *state;
    static const char *const turns[] = { "1.2.3.4", "127.0.0.1", "::1", "::ffff:127.0.0.1", "127.0.0.1 10.0.0.1", "127.0.0.1" };
    atomic_store(&f->accepted, 0);
    atomic_store(&questions, 0);
    atomic_store(&sockets, 0);
    answers = turns;
    open_outbound(f, false, 0);
    fails_at(f, "evil.example.com", "unreachable"); /* the public one was called */
    assert_int_equal(atomic_load(&questions), 1);
    fails_at(f, "evil.example.com", "unreachable"); /* as it was known: not asked again */
    assert_int_equal(atomic_load(&questions), 1);
    assert_int_equal(atomic_load(&sockets), 2);
    for (int i = 1; i < 6; i++) { /* what is private is not remembered, and refused again */
        fails_at(f, "evil2.example.com", "address_refused");
        assert_int_equal(atomic_load(&questions), 1 + i);
    }
    assert_int_equal(atomic_load(&sockets), 2);
    close_outbound(f);
    assert_int_equal(atomic_load(&f->accepted), 0);
    answers = NULL;
}

/* One public address among private ones is called, the others are not, in whatever order they come. */
static void of_several_addresses_only_public_ones_are_called(void **state)
{
    struct fixture *f = *state;
    static const char *const turns[] = { "127.0.0.1 1.2.3.4 ::1", "1.2.3.4 127.0.0.1" };
    atomic_store(&f->accepted, 0);
    atomic_store(&questions, 0);
    atomic_store(&sockets, 0);
    answers = turns;
    open_outbound(f, false, 0);
    fails_at(f, "evil.example.com", "unreachable");
    fails_at(f, "evil2.example.com", "unreachable");
    assert_int_equal(atomic_load(&sockets), 2); /* one for each: the public one */
    close_outbound(f);
    assert_int_equal(atomic_load(&f->accepted), 0);
    open_outbound(f, true, 0); /* the control: where it is allowed, the same name leads to this machine */
    static const char *const inwards[] = { "127.0.0.1" };
    atomic_store(&questions, 0);
    answers = inwards;
    may_call_inside = true;
    fails_at(f, "evil.example.com", "certificate");
    close_outbound(f);
    assert_int_equal(atomic_load(&f->accepted), 1);
    may_call_inside = false;
    answers = NULL;
}

/* Whatever form an address has, it is refused before anything is sent; what leads to it by another reading is refused as no URL. */
static void no_way_of_writing_it_leads_inside(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = { "127.0.0.1",
                                             "127.1",
                                             "127.0.1",
                                             "2130706433",
                                             "017700000001",
                                             "0177.0.0.1",
                                             "0177.0.0.01",
                                             "0x7f.0.0.1",
                                             "0x7f.1",
                                             "0x7f000001",
                                             "0X7F000001",
                                             "0x7F.0x0.0x0.0x1",
                                             "0",
                                             "0.0.0.0",
                                             "10.0.0.1",
                                             "012.0.0.1",
                                             "172.16.0.1",
                                             "192.168.1.1",
                                             "0xc0.0xa8.1",
                                             "3232235777",
                                             "100.64.0.1",
                                             "169.254.169.254",
                                             "0xa9fea9fe",
                                             "2852039166",
                                             "0251.0376.0251.0376",
                                             "255.255.255.255",
                                             "[::1]",
                                             "[::]",
                                             "[0:0:0:0:0:0:0:1]",
                                             "[::ffff:127.0.0.1]",
                                             "[::ffff:7f00:1]",
                                             "[::FFFF:7F00:1]",
                                             "[0:0:0:0:0:ffff:127.0.0.1]",
                                             "[::ffff:169.254.169.254]",
                                             "[::127.0.0.1]",
                                             "[64:ff9b::127.0.0.1]",
                                             "[64:ff9b:1::7f00:1]",
                                             "[2002:7f00:1::1]",
                                             "[2001:0:7f00:1::]",
                                             "[fe80::1]",
                                             "[fd00:ec2::254]",
                                             "[ff02::1]",
                                             "localhost",
                                             "LOCALHOST",
                                             "localhost.localdomain" };
    static const char *const urls[] = { "https://127.0.0.1%%00.example.com:%d/",
                                        "https://example.com%%40127.0.0.1:%d/",
                                        "https://example.com@127.0.0.1:%d/",
                                        "https://a:b@127.0.0.1:%d/",
                                        "https://@127.0.0.1:%d/",
                                        "https://example.com:80@127.0.0.1:%d/",
                                        "https://example.com#@127.0.0.1:%d/",
                                        "https:\\127.0.0.1:%d/",
                                        "https://127.0.0.1\\@example.com:%d/",
                                        "https://example.com\\.127.0.0.1:%d/",
                                        "https:///127.0.0.1:%d/",
                                        "https:/127.0.0.1:%d/",
                                        "https:127.0.0.1:%d/",
                                        "//127.0.0.1:%d/",
                                        "https://[fe80::1%%25lo]:%d/",
                                        "https://[::1]x:%d/",
                                        "https://127.0.0.1.:%d/",
                                        "https://localhost.:%d/",
                                        "https://127。0。0。1:%d/",
                                        "https://①②⑦.0.0.1:%d/",
                                        "https://127.0.0.1\t:%d/",
                                        "https://127.0.0.1 :%d/",
                                        "https://exa\rmple.com:%d/",
                                        "gopher://127.0.0.1:%d/",
                                        "dict://127.0.0.1:%d/",
                                        "file://127.0.0.1/etc/passwd?%d",
                                        "http+unix://127.0.0.1:%d/",
                                        "https://example.com:%d:80/" };
    atomic_store(&f->accepted, 0);
    open_outbound(f, false, 0);
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        char url[200];
        struct err err = { 0 };
        snprintf(url, sizeof url, "https://%s:%d/ok", addresses[i], f->port);
        struct outcome o =
            ask(f, &(struct outbound_request){ .method = "GET", .url = slice_str(url), .timeout_ms = 2000, .answer_bytes_max = 1000 });
        if (o.rc != ERR_IO || (strcmp(o.reason, "address_refused") != 0 && strcmp(o.reason, "name_unknown") != 0))
            fail_msg("%s: %d %s", url, o.rc, o.reason);
        bool name = strncasecmp(addresses[i], "localhost", 9) == 0; /* only looking it up tells */
        assert_int_equal(outbound_may_call(&(struct outbound_options){ 0 }, slice_str(url), &err), name ? 0 : ERR_INVALID);
    }
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        char url[200];
        struct outcome o = { 0 };
        struct outbound_call *call;
        struct err err = { 0 };
        snprintf(url, sizeof url, urls[i], f->port);
        if (send_to(f, url, &o, &call, &err) != ERR_INVALID)
            fail_msg("%s is taken as a URL", url);
    }
    close_outbound(f);
    assert_int_equal(atomic_load(&f->accepted), 0);
}

static void stop_loop(void *loop)
{
    loop_stop(loop);
}

/* At once, while its name is looked up, and while its answer is awaited. */
static void a_call_can_be_given_up_at_any_time(void **state)
{
    struct fixture *f = *state;
    struct outcome given_up = { .left = 100 };
    struct err err = { 0 };
    char url[128];
    open_outbound(f, true, 0);
    struct loop_timer *tick = loop_timer_new(f->loop, stop_loop, f->loop);
    for (int turns = 0; turns < 6; turns++) {
        struct outbound_call *slow, *lookup;
        assert_int_equal(send_to(f, url_of(f, "/slow", url).data, &given_up, &slow, &err), 0);
        assert_int_equal(send_to(f, "http://api.example.com:1/", &given_up, &lookup, &err), 0); /* this port is not handed in */
        for (int t = 0; t < turns; t++) {
            loop_timer_start(tick, t > 3 ? 20 : 0, 0);
            loop_run(f->loop);
        }
        outbound_cancel(slow);
        if (given_up.ended == 0)
            outbound_cancel(lookup);
        given_up.ended = 0;
    }
    get(f, "/ok");
    assert_int_equal(given_up.ended, 0);
    loop_timer_free(tick);
    close_outbound(f);
}

static void headers_that_would_smuggle_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct http_header bad[] = { { SLICE_LIT("X-A"), SLICE_LIT("a\r\nX-B: b") },
                                              { SLICE_LIT("X-A"), SLICE_LIT("a\nb") },
                                              { SLICE_LIT("X-A"), SLICE_LIT("a\0b") },
                                              { SLICE_LIT("X A"), SLICE_LIT("a") },
                                              { SLICE_LIT(""), SLICE_LIT("a") },
                                              { SLICE_LIT("X:A"), SLICE_LIT("a") },
                                              { SLICE_LIT("HOST"), SLICE_LIT("other") },
                                              { SLICE_LIT("Content-Length"), SLICE_LIT("3") },
                                              { SLICE_LIT("Transfer-Encoding"), SLICE_LIT("chunked") } };
    char url[128];
    open_outbound(f, true, 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err err = { 0 };
        struct outbound_call *call;
        struct outbound_request r = {
            .method = "GET", .url = url_of(f, "/ok", url), .headers = &bad[i], .header_count = 1, .timeout_ms = 1000
        };
        assert_int_equal(outbound_send(f->outbound, &r, on_done, NULL, &call, &err), ERR_INVALID);
        assert_null(call);
    }
    close_outbound(f);
}

static void a_url_is_read_as_it_will_be_called(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        int port;
        bool tls;
    } good[] = {
        { "https://api.example.com", "api.example.com", 443, true },
        { "https://API.Example.com:8443/x?y=z", "api.example.com", 8443, true },
        { "http://api.example.com/", "api.example.com", 80, false },
        { "HTTPS://a.b?x", "a.b", 443, true },
    };
    static const char *const bad[] = { "",
                                       "api.example.com",
                                       "/path",
                                       "ftp://a.b/",
                                       "file:///etc/passwd",
                                       "https://",
                                       "https://user@a.b/",
                                       "https://user:pass@a.b/",
                                       "https://good.com@evil.com/",
                                       "https://good.com\\@evil.com/",
                                       "https://a.b/#frag",
                                       "https://a.b:99999/",
                                       "https://a.b:x/",
                                       "https://a b/",
                                       "https://a.b/\n",
                                       "https://a.b./",
                                       "https://\xc3\xa9.com/",
                                       "https://a%2eb/",
                                       "javascript:1" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct outbound_target t;
        struct err err = { 0 };
        assert_int_equal(outbound_target(slice_str(good[i].url), &t, &err), 0);
        assert_string_equal(t.host, good[i].host);
        assert_int_equal(t.port, good[i].port);
        assert_int_equal(t.tls, good[i].tls);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct outbound_target t;
        struct err err = { 0 };
        if (outbound_target(slice_str(bad[i]), &t, &err) == 0 && strcmp(bad[i], "https://a%2eb/") != 0)
            fail_msg("%s leads to %s", bad[i], t.host);
    }
    struct outbound_target t;
    struct err err = { 0 };
    if (outbound_target(SLICE_LIT("https://a%2eb/"), &t, &err) == 0)
        assert_string_equal(t.host, "a.b"); /* decoded as it will be called, so what is asked is what is meant */
}

static bool is_public(const char *text)
{
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return outbound_is_public((struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return outbound_is_public((struct sockaddr *)&v6);
}

static void public_addresses_are_told_from_the_others(void **state)
{
    (void)state;
    static const char *const open[] = { "1.1.1.1",          "8.8.8.8",         "9.255.255.255",   "11.0.0.0",      "100.63.255.255",
                                        "100.128.0.0",      "126.255.255.255", "128.0.0.1",       "169.253.255.1", "169.255.0.0",
                                        "172.15.255.255",   "172.32.0.0",      "192.167.255.255", "192.169.0.0",   "198.17.255.255",
                                        "198.20.0.0",       "223.255.255.255", "2606:4700::1111", "2a00:1450::1",  "::ffff:8.8.8.8",
                                        "64:ff9b::8.8.8.8", "2001:4860::8888" };
    static const char *const closed[] = { "0.0.0.0",
                                          "0.1.2.3",
                                          "10.0.0.0",
                                          "10.255.255.255",
                                          "100.64.0.0",
                                          "100.127.255.255",
                                          "127.0.0.1",
                                          "127.255.255.255",
                                          "169.254.169.254",
                                          "172.16.0.0",
                                          "172.31.255.255",
                                          "192.0.0.1",
                                          "192.0.2.1",
                                          "192.88.99.1",
                                          "192.168.0.0",
                                          "192.168.255.255",
                                          "198.18.0.0",
                                          "198.19.255.255",
                                          "198.51.100.7",
                                          "203.0.113.7",
                                          "224.0.0.1",
                                          "239.255.255.255",
                                          "240.0.0.1",
                                          "255.255.255.255",
                                          "::",
                                          "::1",
                                          "fe80::1",
                                          "fc00::1",
                                          "fd12:3456::1",
                                          "ff02::1",
                                          "::ffff:10.0.0.1",
                                          "::ffff:127.0.0.1",
                                          "64:ff9b::127.0.0.1",
                                          "2002:7f00:1::",
                                          "2001:db8::1",
                                          "2001::1",
                                          "::127.0.0.1",
                                          "fec0::1",
                                          "3fff::1",
                                          "100::1" };
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        if (!is_public(open[i]))
            fail_msg("%s is public", open[i]);
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)
        if (is_public(closed[i]))
            fail_msg("%s is not public", closed[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_read_as_it_will_be_called),
        cmocka_unit_test(public_addresses_are_told_from_the_others),
        cmocka_unit_test(the_answer_comes_with_its_headers),
        cmocka_unit_test(what_was_sent_arrives),
        cmocka_unit_test(many_go_at_once_and_more_are_refused),
        cmocka_unit_test(a_server_that_misbehaves_is_told_of),
        cmocka_unit_test(what_changes_something_is_sent_once),
        cmocka_unit_test(nothing_private_is_called),
        cmocka_unit_test(no_way_of_writing_it_leads_inside),
        cmocka_unit_test(a_name_that_changes_its_mind_leads_nowhere_else),
        cmocka_unit_test(of_several_addresses_only_public_ones_are_called),
        cmocka_unit_test(a_call_can_be_given_up_at_any_time),
        cmocka_unit_test(headers_that_would_smuggle_are_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
