/* Answers that go on: their framing, their end, who is cut off, and what one that listens costs. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/buf.h"
#include "base/clock.h"
#include "http/http.h"
#include <arpa/inet.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { QUEUE_BYTES = 65536 };

struct listener_at {
    struct fixture *fixture;
    struct http_stream *stream; /* NULL: over, or never begun */
    bool begun, over;
};

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct clock_virtual clock;
    struct http_conn *conn;
    struct buf out;
    bool closed, waits, drained;
    struct http_request *waiting;
    struct listener_at one;
};

static void on_out(void *ctx, const char *data, size_t len)
{
    buf_add(&((struct fixture *)ctx)->out, data, len);
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->closed = true;
}

static void stream_over(void *ctx)
{
    struct listener_at *l = ctx;
    assert_false(l->over); /* once */
    l->over = true;
    l->stream = NULL;
}

static void begin(struct listener_at *l, struct http_request *req)
{
    static const struct http_header header = { SLICE_LIT("Cache-Control"), SLICE_LIT("no-store") };
    struct http_stream_options o = { .content_type = "text/event-stream",
                                     .headers = &header,
                                     .header_count = 1,
                                     .queue_bytes = QUEUE_BYTES,
                                     .closed = stream_over,
                                     .ctx = l };
    l->begun = true;
    l->stream = http_stream_begin(req, &o);
}

static void on_request(void *ctx, struct http_request *req)
{
    struct fixture *f = ctx;
    if (!slice_is(req->path, "/listen"))
        http_respond(req, &(struct http_response){ .status = 200, .content_type = "text/plain", .body = SLICE_LIT("[plain]") });
    else if (f->waits)
        f->waiting = req;
    else
        begin(&f->one, req);
}

static void open_at(struct fixture *f)
{
    struct http_server_options o = { .on_request = on_request, .ctx = f };
    struct err err = { 0 };
    memset(f, 0, sizeof *f);
    clock_virtual_init(&f->clock, 1700000000000);
    buf_init(&f->out, NULL);
    http_limits_default(&o.limits);
    o.clock = &f->clock.face;
    assert_int_equal(loop_open(&f->loop, &err), 0);
    assert_int_equal(http_server_open(f->loop, &o, &f->server, &err), 0);
    f->conn = http_conn_open_detached(f->server, on_out, on_closed, f);
    assert_non_null(f->conn);
}

static void close_all(struct fixture *f)
{
    http_server_close(f->server);
    loop_close(f->loop);
    buf_release(&f->out);
}

static void feed(struct fixture *f, const char *text)
{
    http_conn_feed(f->conn, text, strlen(text));
}

static bool said(struct fixture *f, const char *text)
{
    return memmem(f->out.data ? f->out.data : "", f->out.len, text, strlen(text)) != NULL;
}

#define LISTEN "GET /listen HTTP/1.1\r\nHost: a\r\n\r\n"

static void pieces_leave_as_chunks_and_the_end_is_said(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, LISTEN);
    assert_non_null(f.one.stream);
    assert_true(said(&f, "HTTP/1.1 200 OK\r\n"));
    assert_true(said(&f, "Content-Type: text/event-stream\r\n"));
    assert_true(said(&f, "Transfer-Encoding: chunked\r\n"));
    assert_true(said(&f, "Connection: close\r\n"));
    assert_true(said(&f, "Cache-Control: no-store\r\n"));
    assert_false(said(&f, "Content-Length"));
    buf_clear(&f.out);
    assert_true(http_stream_send(f.one.stream, SLICE_LIT("data: 1\n\n")));
    assert_true(http_stream_send(f.one.stream, SLICE_LIT("")));
    assert_true(said(&f, "9\r\ndata: 1\n\n\r\n"));
    assert_int_equal(f.out.len, 14);
    http_stream_end(f.one.stream);
    assert_true(said(&f, "\r\n0\r\n\r\n"));
    assert_true(f.one.over);
    assert_true(f.closed);
    close_all(&f);
}

static void to_http10_it_goes_on_until_the_connection_ends(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, "GET /listen HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_non_null(f.one.stream);
    assert_false(said(&f, "Transfer-Encoding"));
    assert_true(said(&f, "Connection: close\r\n"));
    buf_clear(&f.out);
    http_stream_send(f.one.stream, SLICE_LIT("data: 1\n\n"));
    http_stream_end(f.one.stream);
    assert_int_equal(f.out.len, 9);
    assert_true(f.closed);
    close_all(&f);
}

static void head_gets_the_head(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, "HEAD /listen HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(f.one.begun);
    assert_null(f.one.stream);
    assert_true(said(&f, "HTTP/1.1 200 OK\r\n"));
    assert_false(f.closed);
    close_all(&f);
}

/* An answer that never ends would make liars of the answers behind it. */
static void nothing_may_stand_before_or_behind_it(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    f.waits = true;
    feed(&f, LISTEN "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    begin(&f.one, f.waiting);
    assert_null(f.one.stream);
    assert_true(said(&f, "HTTP/1.1 400 Bad Request\r\n"));
    assert_true(said(&f, "/problems/stream_not_last"));
    assert_true(said(&f, "[plain]")); /* the one behind is answered */
    for (int waits = 0; waits < 2; waits++) {
        buf_clear(&f.out);
        f.waits = waits;
        feed(&f, LISTEN "GET /half");
        if (f.waits)
            begin(&f.one, f.waiting);
        assert_null(f.one.stream);
        assert_true(said(&f, "HTTP/1.1 400 Bad Request\r\n"));
        feed(&f, " HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_true(said(&f, "[plain]"));
    }
    f.waits = false;
    feed(&f, LISTEN);
    assert_non_null(f.one.stream);
    close_all(&f);
}

static void a_request_may_come_in_pieces(void **state)
{
    (void)state;
    for (size_t cut = 1; cut < sizeof LISTEN - 1; cut++) {
        struct fixture f;
        open_at(&f);
        http_conn_feed(f.conn, LISTEN, cut);
        http_conn_feed(f.conn, LISTEN + cut, sizeof LISTEN - 1 - cut);
        assert_non_null(f.one.stream);
        assert_true(http_stream_send(f.one.stream, SLICE_LIT("data: 1\n\n")));
        close_all(&f);
    }
}

static void who_sends_more_is_hung_up_on(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, LISTEN);
    feed(&f, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(f.one.over);
    assert_true(f.closed);
    assert_false(said(&f, "[plain]"));
    close_all(&f);
}

static void a_client_that_goes_is_noticed(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, LISTEN);
    http_conn_feed(f.conn, "", 0);
    assert_true(f.one.over);
    assert_true(f.closed);
    close_all(&f);
}

static void one_that_went_before_the_answer_gets_none(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    f.waits = true;
    feed(&f, LISTEN);
    http_server_close(f.server);
    begin(&f.one, f.waiting);
    assert_null(f.one.stream);
    assert_false(f.one.over);
    loop_close(f.loop);
    buf_release(&f.out);
}

static void no_deadline_ends_a_stream(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, LISTEN);
    clock_virtual_advance(&f.clock, 3600 * 1000);
    http_server_tick(f.server);
    assert_false(f.one.over);
    assert_true(http_stream_send(f.one.stream, SLICE_LIT("data: 1\n\n")));
    close_all(&f);
    assert_true(f.one.over); /* the server went */
}

static void drained(void *ctx)
{
    ((struct fixture *)ctx)->drained = true;
}

static void a_drain_ends_it_in_good_order(void **state)
{
    (void)state;
    struct fixture f;
    open_at(&f);
    feed(&f, LISTEN);
    http_server_drain(f.server, 1000, drained, &f);
    assert_true(f.one.over);
    assert_true(said(&f, "\r\n0\r\n\r\n"));
    assert_true(f.closed);
    close_all(&f);
}

/* --- over sockets -------------------------------------------------------------------------------------------------- */

enum { MANY = 1000 };

struct served {
    struct fixture f;
    struct listener_at many[MANY];
    size_t came, want;
};

static void on_request_of_many(void *ctx, struct http_request *req)
{
    struct served *s = ctx;
    assert_true(s->came < MANY);
    begin(&s->many[s->came++], req);
    if (s->came == s->want)
        loop_stop(s->f.loop);
}

static void open_served(struct served *s, size_t want)
{
    struct http_server_options o = { .on_request = on_request_of_many, .ctx = s };
    struct err err = { 0 };
    memset(s, 0, sizeof *s);
    s->want = want;
    http_limits_default(&o.limits);
    assert_int_equal(loop_open(&s->f.loop, &err), 0);
    assert_int_equal(http_server_open(s->f.loop, &o, &s->f.server, &err), 0);
    assert_int_equal(http_server_listen(s->f.server, &(struct listen_options){ .host = "127.0.0.1" }, &err), 0);
}

static int connect_to(const struct served *s)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), small = 4096;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(s->f.server)) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, LISTEN, sizeof LISTEN - 1), sizeof LISTEN - 1);
    return fd;
}

/* What nobody reads is bounded, by us and in the kernel; whoever reads is not disturbed. */
static void a_client_that_does_not_read_is_cut_off(void **state)
{
    (void)state;
    static char piece[1000];
    struct served *s = calloc(1, sizeof *s);
    open_served(s, 2);
    int deaf = connect_to(s), good = connect_to(s);
    loop_run(s->f.loop);
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    getsockname(deaf, (struct sockaddr *)&at, &len);
    memset(piece, 'x', sizeof piece);
    size_t sent = 0, read_by_good = 0;
    struct listener_at *first = &s->many[0], *second = &s->many[1], *silent = NULL;
    while (!first->over && !second->over && sent < 10000000) {
        char in[8192];
        ssize_t n;
        http_stream_send(first->stream, slice_of(piece, sizeof piece));
        if (second->stream)
            http_stream_send(second->stream, slice_of(piece, sizeof piece));
        sent += sizeof piece;
        while ((n = recv(good, in, sizeof in, MSG_DONTWAIT)) > 0)
            read_by_good += (size_t)n;
    }
    silent = first->over ? first : second;
    assert_true(silent->over);
    assert_false((silent == first ? second : first)->over);
    assert_true(sent < 10 * QUEUE_BYTES);
    assert_true(read_by_good > 0);
    struct http_stats st;
    http_server_stats(s->f.server, &st);
    assert_int_equal(st.streams_cut, 1);
    close(deaf);
    close(good);
    http_server_close(s->f.server);
    loop_close(s->f.loop);
    free(s);
}

/* Figures of README.md: what a listener that keeps up costs in the heap. */
static void a_thousand_listen_for_little_memory(void **state)
{
    (void)state;
    struct served *s = calloc(1, sizeof *s);
    int fds[MANY];
    open_served(s, MANY);
    struct mallinfo2 before = mallinfo2();
    for (size_t i = 0; i < MANY; i += 100) { /* a backlog is not endless */
        s->want = i + 100;
        for (size_t j = i; j < i + 100; j++)
            fds[j] = connect_to(s);
        loop_run(s->f.loop);
    }
    struct mallinfo2 after = mallinfo2();
    size_t each = after.uordblks > before.uordblks ? (after.uordblks - before.uordblks) / MANY : 0;
    printf("a listener costs %zu bytes of heap in http/ and loop/\n", each);
    assert_true(each < 3000);
    for (size_t i = 0; i < MANY; i++)
        assert_true(http_stream_send(s->many[i].stream, SLICE_LIT("data: 1\n\n")));
    size_t heard = 0;
    for (size_t i = 0; i < MANY; i++) {
        char in[2048];
        ssize_t n = recv(fds[i], in, sizeof in, 0);
        heard += n > 0 && memmem(in, (size_t)n, "9\r\ndata: 1\n\n\r\n", 14) != NULL;
        close(fds[i]);
    }
    assert_int_equal(heard, MANY);
    http_server_close(s->f.server);
    loop_close(s->f.loop);
    size_t over = 0;
    for (size_t i = 0; i < MANY; i++)
        over += s->many[i].over;
    assert_int_equal(over, MANY);
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_leave_as_chunks_and_the_end_is_said),
        cmocka_unit_test(to_http10_it_goes_on_until_the_connection_ends),
        cmocka_unit_test(head_gets_the_head),
        cmocka_unit_test(nothing_may_stand_before_or_behind_it),
        cmocka_unit_test(a_request_may_come_in_pieces),
        cmocka_unit_test(who_sends_more_is_hung_up_on),
        cmocka_unit_test(a_client_that_goes_is_noticed),
        cmocka_unit_test(one_that_went_before_the_answer_gets_none),
        cmocka_unit_test(no_deadline_ends_a_stream),
        cmocka_unit_test(a_drain_ends_it_in_good_order),
        cmocka_unit_test(a_client_that_does_not_read_is_cut_off),
        cmocka_unit_test(a_thousand_listen_for_little_memory),
    };
    return cmocka_run_group_tests_name("answers that go on", tests, NULL, NULL);
}
