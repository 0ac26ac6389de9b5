/* Connections without sockets: what the host sees, in which order answers leave, when the server hangs up. */
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
#include <stdio.h>
#include <stdlib.h>

struct fixture {
    struct loop *loop;
    struct http_server *server;
    struct clock_virtual clock;
    struct http_conn *conn;
    struct buf out;
    bool closed, at_once, drained;
    struct http_request *waiting[100];
    size_t waiting_count, seen;
    char last_body[64];
};

static void on_out(void *ctx, const char *data, size_t len)
{
    buf_add(&((struct fixture *)ctx)->out, data, len);
}

static void on_closed(void *ctx)
{
    ((struct fixture *)ctx)->closed = true;
}

static void answer(struct http_request *req)
{
    char text[64];
    int n = snprintf(text, sizeof text, "[%.*s]", SLICE_FMT(req->path));
    http_respond(req, &(struct http_response){ .status = 200, .content_type = "text/plain", .body = slice_of(text, (size_t)n) });
}

static void on_request(void *ctx, struct http_request *req)
{
    struct fixture *f = ctx;
    f->seen++;
    snprintf(f->last_body, sizeof f->last_body, "%.*s", SLICE_FMT(req->body));
    if (f->at_once)
        answer(req);
    else
        f->waiting[f->waiting_count++] = req;
}

static void open_server(struct fixture *f, struct http_server_options *o)
{
    struct err err = { 0 };
    memset(f, 0, sizeof *f);
    clock_virtual_init(&f->clock, 1700000000000);
    buf_init(&f->out, NULL);
    o->on_request = on_request;
    o->ctx = f;
    o->clock = &f->clock.face;
    assert_int_equal(loop_open(&f->loop, &err), 0);
    assert_int_equal(http_server_open(f->loop, o, &f->server, &err), 0);
    f->conn = http_conn_open_detached(f->server, on_out, on_closed, f);
    assert_non_null(f->conn);
}

static void open_default(struct fixture *f)
{
    struct http_server_options o = { 0 };
    http_limits_default(&o.limits);
    open_server(f, &o);
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

static size_t count(struct fixture *f, const char *text)
{
    size_t n = 0, len = strlen(text);
    for (size_t i = 0; i + len <= f->out.len; i++)
        n += memcmp(f->out.data + i, text, len) == 0;
    return n;
}

static void ends_with(struct fixture *f, const char *text)
{
    size_t n = strlen(text);
    assert_true(f->out.len >= n && memcmp(f->out.data + f->out.len - n, text, n) == 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void answers_leave_in_the_order_of_their_requests(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") GET("/2") GET("/3"));
    assert_int_equal(f.waiting_count, 3);
    answer(f.waiting[2]);
    answer(f.waiting[1]);
    assert_int_equal(f.out.len, 0);
    answer(f.waiting[0]);
    const char *one = memmem(f.out.data, f.out.len, "[/1]", 4), *two = memmem(f.out.data, f.out.len, "[/2]", 4);
    assert_non_null(one);
    assert_true(one < two);
    ends_with(&f, "[/3]");
    close_all(&f);
}

static void requests_beyond_the_pipeline_wait_for_answers(void **state)
{
    (void)state;
    struct fixture f;
    struct http_server_options o = { 0 };
    http_limits_default(&o.limits);
    o.limits.pipeline = 2;
    open_server(&f, &o);
    feed(&f, GET("/1") GET("/2") GET("/3") GET("/4"));
    assert_int_equal(f.seen, 2);
    feed(&f, GET("/5"));
    answer(f.waiting[0]);
    assert_int_equal(f.seen, 3);
    for (size_t i = 1; i < 5; i++)
        answer(f.waiting[i]);
    assert_int_equal(f.seen, 5);
    ends_with(&f, "[/5]");
    close_all(&f);
}

static void a_request_of_a_client_that_left_may_still_be_answered(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") GET("/2"));
    http_server_close(f.server); /* hangs up on all */
    assert_true(f.closed);
    answer(f.waiting[1]);
    answer(f.waiting[0]);
    assert_int_equal(f.out.len, 0);
    loop_close(f.loop);
    buf_release(&f.out);
}

static void after_a_refusal_nothing_is_read(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    f.at_once = true;
    feed(&f, GET("/1") "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n" GET("/smuggled"));
    assert_int_equal(f.seen, 1);
    assert_true(f.closed);
    assert_int_equal(count(&f, "HTTP/1.1 "), 2);
    assert_true(said(&f, "HTTP/1.1 400 Bad Request"));
    assert_true(said(&f, "Connection: close\r\n"));
    assert_true(said(&f, "\"type\":\"/problems/malformed_request\""));
    close_all(&f);
}

static void a_refusal_waits_for_the_answers_before_it(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") "nonsense");
    assert_int_equal(f.out.len, 0);
    assert_false(f.closed);
    answer(f.waiting[0]);
    assert_true(f.closed);
    assert_true(said(&f, "[/1]HTTP/1.1 400 "));
    close_all(&f);
}

static void bodies_come_whole(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    f.at_once = true;
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
    assert_int_equal(f.seen, 0);
    feed(&f, "llo");
    assert_string_equal(f.last_body, "hello");
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n" GET("/next"));
    assert_int_equal(f.seen, 3);
    ends_with(&f, "[/next]");
    close_all(&f);
}

static void head_gets_the_length_and_no_body(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    f.at_once = true;
    feed(&f, "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(said(&f, "Content-Length: 4\r\n"));
    ends_with(&f, "\r\n\r\n");
    close_all(&f);
}

static void continue_is_said_once_and_in_turn(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(f.out.len, 0); /* /1 must be answered first */
    answer(f.waiting[0]);
    ends_with(&f, "[/1]HTTP/1.1 100 Continue\r\n\r\n");
    feed(&f, "he");
    feed(&f, "llo");
    assert_int_equal(count(&f, "100 Continue"), 1);
    assert_string_equal(f.last_body, "hello");
    answer(f.waiting[1]);
    close_all(&f);
}

static void continue_is_not_said_to_who_sends_the_body_at_once(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    f.at_once = true;
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\nhi");
    assert_false(said(&f, "100 Continue"));
    assert_int_equal(f.seen, 1);
    close_all(&f);
}

static void too_large_a_body_is_refused_before_it_comes(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
    assert_true(said(&f, "HTTP/1.1 413 "));
    assert_false(said(&f, "100 Continue"));
    assert_true(f.closed);
    close_all(&f);
}

static void bodies_beyond_the_servers_budget_are_shed(void **state)
{
    (void)state;
    struct fixture f;
    struct http_server_options o = { 0 };
    http_limits_default(&o.limits);
    o.limits.held_body_bytes = 8;
    open_server(&f, &o);
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    feed(&f, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
    assert_int_equal(f.seen, 1);
    answer(f.waiting[0]);
    assert_true(said(&f, "HTTP/1.1 503 "));
    assert_true(said(&f, "Retry-After: 1\r\n"));
    assert_true(f.closed);
    close_all(&f);
}

static void every_phase_has_its_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *sent;
        int64_t just_before_ms;
        const char *answer;
    } phases[] = {
        { "GET / HT", 9990, "HTTP/1.1 408 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", 29990, "HTTP/1.1 408 " },
        { "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n", 29990, "HTTP/1.1 408 " },
        { "", 59990, "" },
    };
    for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++) {
        struct fixture f;
        open_default(&f);
        if (*phases[i].sent)
            feed(&f, phases[i].sent);
        clock_virtual_advance(&f.clock, phases[i].just_before_ms);
        http_server_tick(f.server);
        assert_false(f.closed);
        clock_virtual_advance(&f.clock, 20);
        http_server_tick(f.server);
        assert_true(f.closed);
        assert_true(said(&f, phases[i].answer));
        close_all(&f);
    }
}

static void dripping_bytes_do_not_move_the_deadline_of_the_head(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < 9; i++) {
        clock_virtual_advance(&f.clock, 1000);
        feed(&f, "X: y\r\n");
        http_server_tick(f.server);
    }
    assert_false(f.closed);
    clock_virtual_advance(&f.clock, 1001);
    http_server_tick(f.server);
    assert_true(f.closed);
    close_all(&f);
}

static void a_slow_host_is_not_the_clients_fault(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1"));
    clock_virtual_advance(&f.clock, 1000000);
    http_server_tick(f.server);
    assert_false(f.closed);
    answer(f.waiting[0]);
    ends_with(&f, "[/1]");
    close_all(&f);
}

static void half_closed_clients_get_their_answers(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") GET("/2"));
    http_conn_feed(f.conn, "", 0);
    assert_false(f.closed);
    answer(f.waiting[0]);
    answer(f.waiting[1]);
    ends_with(&f, "[/2]");
    assert_true(f.closed);
    close_all(&f);
}

static void old_clients_are_closed_unless_they_ask_otherwise(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    f.at_once = true;
    feed(&f, "GET /1 HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n");
    assert_true(said(&f, "Connection: keep-alive\r\n"));
    assert_false(f.closed);
    feed(&f, "GET /2 HTTP/1.0\r\n\r\n" GET("/3"));
    assert_true(f.closed);
    assert_int_equal(f.seen, 2);
    close_all(&f);
}

static void headers_that_would_split_the_answer_make_it_a_500(void **state)
{
    (void)state;
    static const struct http_header bad[] = {
        { SLICE_LIT("X"), SLICE_LIT("a\r\nY: b") },
        { SLICE_LIT("X"), SLICE_LIT("a\nb") },
        { SLICE_LIT("X"), SLICE_LIT("a\0b") },
        { SLICE_LIT("X\r\n"), SLICE_LIT("a") },
        { SLICE_LIT("X Y"), SLICE_LIT("a") },
        { SLICE_LIT(""), SLICE_LIT("a") },
        { SLICE_LIT("Content-Length"), SLICE_LIT("3") },
        { SLICE_LIT("transfer-encoding"), SLICE_LIT("x") },
        { SLICE_LIT("X"), SLICE_LIT("\x7f") },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct fixture f;
        open_default(&f);
        feed(&f, GET("/1"));
        http_respond(f.waiting[0], &(struct http_response){ .status = 200, .headers = &bad[i], .header_count = 1 });
        assert_true(said(&f, "HTTP/1.1 500 "));
        assert_int_equal(count(&f, "HTTP/1.1 "), 1);
        close_all(&f);
    }
}

static void browsers_of_known_origins_are_answered(void **state)
{
    (void)state;
    static const char *const origins[] = { "https://shop.example", NULL };
    struct fixture f;
    struct http_server_options o = { .cors_origins = origins };
    http_limits_default(&o.limits);
    open_server(&f, &o);
    f.at_once = true;
    feed(&f, "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\nAccess-Control-Request-Method: "
             "PUT\r\nAccess-Control-Request-Headers: x-a, authorization\r\n\r\n");
    assert_int_equal(f.seen, 0);
    assert_true(said(&f, "HTTP/1.1 204 "));
    assert_true(said(&f, "Access-Control-Allow-Origin: https://shop.example\r\n"));
    assert_true(said(&f, "Access-Control-Allow-Headers: x-a, authorization\r\n"));
    assert_true(said(&f, "Vary: Origin\r\n"));
    buf_clear(&f.out);
    feed(&f, "GET /x HTTP/1.1\r\nHost: a\r\nOrigin: https://evil.example\r\n\r\n");
    assert_true(said(&f, "HTTP/1.1 200 "));
    assert_false(said(&f, "Access-Control-Allow-Origin"));
    feed(&f, "OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: null\r\nAccess-Control-Request-Method: PUT\r\n\r\n");
    assert_true(said(&f, "HTTP/1.1 403 "));
    close_all(&f);
}

static void on_drained(void *ctx)
{
    struct fixture *f = ctx;
    f->drained = true;
    loop_stop(f->loop);
}

static void drain_answers_what_has_begun(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") GET("/2"));
    http_server_drain(f.server, 60000, on_drained, &f);
    assert_false(f.closed);
    answer(f.waiting[0]);
    assert_false(f.drained);
    answer(f.waiting[1]);
    assert_true(f.closed);
    assert_true(f.drained);
    assert_int_equal(count(&f, "Connection: close\r\n"), 1);
    close_all(&f);
}

static void drain_does_not_wait_for_one_whose_last_answer_was_written_before(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1") GET("/2"));
    answer(f.waiting[1]);
    http_server_drain(f.server, 60000, on_drained, &f);
    assert_false(f.closed);
    answer(f.waiting[0]);
    ends_with(&f, "[/2]");
    assert_true(f.closed);
    assert_true(f.drained);
    close_all(&f);
}

static void drain_waits_a_moment_for_who_has_just_connected(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    http_server_drain(f.server, 60000, on_drained, &f);
    assert_false(f.closed);
    feed(&f, GET("/1"));
    answer(f.waiting[0]);
    assert_true(f.closed);
    assert_true(f.drained);
    assert_int_equal(count(&f, "Connection: close\r\n"), 1);
    close_all(&f);
}

static void drain_ends_after_its_grace(void **state)
{
    (void)state;
    struct fixture f;
    open_default(&f);
    feed(&f, GET("/1"));
    http_server_drain(f.server, 20, on_drained, &f);
    loop_run(f.loop);
    assert_true(f.drained);
    assert_true(f.closed);
    answer(f.waiting[0]);
    assert_int_equal(f.out.len, 0);
    close_all(&f);
}

static void a_thousand_requests_in_pieces_of_any_size(void **state)
{
    (void)state;
    struct buf in;
    buf_init(&in, NULL);
    for (int i = 0; i < 1000; i++)
        buf_printf(&in, "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", i);
    static const size_t steps[] = { 1, 7, 40, 4096, SIZE_MAX };
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        struct fixture f;
        open_default(&f);
        f.at_once = true;
        for (size_t at = 0; at < in.len;) {
            size_t n = in.len - at < steps[s] ? in.len - at : steps[s];
            http_conn_feed(f.conn, in.data + at, n);
            at += n;
        }
        assert_int_equal(f.seen, 1000);
        size_t at = 0;
        for (int i = 0; i < 1000; i++) {
            char want[16];
            int n = snprintf(want, sizeof want, "[/%d]", i);
            const char *found = memmem(f.out.data + at, f.out.len - at, want, (size_t)n);
            assert_non_null(found);
            at = (size_t)(found - f.out.data);
        }
        close_all(&f);
    }
    buf_release(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_leave_in_the_order_of_their_requests),
        cmocka_unit_test(requests_beyond_the_pipeline_wait_for_answers),
        cmocka_unit_test(a_request_of_a_client_that_left_may_still_be_answered),
        cmocka_unit_test(after_a_refusal_nothing_is_read),
        cmocka_unit_test(a_refusal_waits_for_the_answers_before_it),
        cmocka_unit_test(bodies_come_whole),
        cmocka_unit_test(head_gets_the_length_and_no_body),
        cmocka_unit_test(continue_is_said_once_and_in_turn),
        cmocka_unit_test(continue_is_not_said_to_who_sends_the_body_at_once),
        cmocka_unit_test(too_large_a_body_is_refused_before_it_comes),
        cmocka_unit_test(bodies_beyond_the_servers_budget_are_shed),
        cmocka_unit_test(every_phase_has_its_deadline),
        cmocka_unit_test(dripping_bytes_do_not_move_the_deadline_of_the_head),
        cmocka_unit_test(a_slow_host_is_not_the_clients_fault),
        cmocka_unit_test(half_closed_clients_get_their_answers),
        cmocka_unit_test(old_clients_are_closed_unless_they_ask_otherwise),
        cmocka_unit_test(headers_that_would_split_the_answer_make_it_a_500),
        cmocka_unit_test(browsers_of_known_origins_are_answered),
        cmocka_unit_test(drain_answers_what_has_begun),
        cmocka_unit_test(drain_does_not_wait_for_one_whose_last_answer_was_written_before),
        cmocka_unit_test(drain_waits_a_moment_for_who_has_just_connected),
        cmocka_unit_test(drain_ends_after_its_grace),
        cmocka_unit_test(a_thousand_requests_in_pieces_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
