/* The back of the line: who was told that it is gone is served after the others, never forgotten. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/buf.h"
#include "http/http.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOSERS = 30, SEEN = 200 };

struct world {
    struct loop *loop;
    struct http_server *server;
    struct loop_timer *limit;
    char seen[SEEN]; /* first letter behind "/", in the order of service */
    int count, until;
    bool timed_out;
    int losers[LOSERS], other;
};

static void on_request(void *ctx, struct http_request *req)
{
    struct world *w = ctx;
    assert_true(w->count < SEEN);
    w->seen[w->count++] = req->path.data[1];
    if (req->path.data[1] == 'g')
        http_yield(req);
    http_respond(req, &(struct http_response){ .status = 200, .content_type = "text/plain", .body = req->path });
    if (w->count == w->until)
        loop_stop(w->loop);
}

static void on_limit(void *ctx)
{
    struct world *w = ctx;
    w->timed_out = true;
    loop_stop(w->loop);
}

/* Serves until so many requests were served in all, or a few more. */
static void serve(struct world *w, int until)
{
    if (w->count >= until)
        return;
    w->until = until;
    loop_timer_start(w->limit, 5000, 0);
    loop_run(w->loop);
    loop_timer_stop(w->limit);
    assert_false(w->timed_out);
    assert_true(w->count >= until); /* a turn is ended before the loop stops */
}

static int client(const struct world *w)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)http_server_port(w->server)) };
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void ask(int fd, const char *path)
{
    char text[80];
    snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: shop\r\n\r\n", path);
    say(fd, text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct http_server_options o = { .on_request = on_request, .ctx = w };
    struct err err;
    http_limits_default(&o.limits);
    assert_int_equal(loop_open(&w->loop, &err), 0);
    assert_int_equal(http_server_open(w->loop, &o, &w->server, &err), 0);
    assert_int_equal(http_server_listen(w->server, &(struct listen_options){ .host = "127.0.0.1" }, &err), 0);
    w->limit = loop_timer_new(w->loop, on_limit, w);
    for (int i = 0; i < LOSERS; i++)
        w->losers[i] = client(w);
    w->other = client(w);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < LOSERS; i++)
        close(w->losers[i]);
    close(w->other);
    http_server_close(w->server);
    loop_close(w->loop);
    free(w);
    return 0;
}

static void everybody_asks(struct world *w, const char *path)
{
    for (int i = 0; i < LOSERS; i++)
        ask(w->losers[i], path);
}

static void others_go_before_those_who_were_told_it_is_gone(void **state)
{
    struct world *w = *state;
    everybody_asks(w, "/gone");
    serve(w, LOSERS);
    everybody_asks(w, "/gone");
    ask(w->other, "/other");
    serve(w, 2 * LOSERS + 1);
    assert_int_equal(w->seen[LOSERS], 'o'); /* though it came last */
}

static void without_that_whoever_comes_first_is_served_first(void **state)
{
    struct world *w = *state;
    everybody_asks(w, "/here");
    serve(w, LOSERS);
    everybody_asks(w, "/here");
    ask(w->other, "/other");
    serve(w, 2 * LOSERS + 1);
    assert_int_equal(w->seen[LOSERS], 'h');
}

static void the_back_has_a_turn_between_those_of_the_others(void **state)
{
    struct world *w = *state;
    everybody_asks(w, "/gone");
    serve(w, LOSERS);
    everybody_asks(w, "/gone");
    ask(w->other, "/o");
    serve(w, LOSERS + 1);
    for (int i = 1; i <= 3; i++) { /* one request of the other in each turn: it never waits for all of the losers, nor they for ever */
        int before = w->count;
        ask(w->other, "/o");
        serve(w, before + 1);
        while (w->seen[w->count - 1] != 'o')
            serve(w, w->count + 1);
        assert_true(w->count - before <= 10);
    }
    serve(w, 2 * LOSERS + 4);
}

static void who_stood_at_the_back_once_and_was_served_is_one_of_the_others_again(void **state)
{
    struct world *w = *state;
    everybody_asks(w, "/gone");
    serve(w, LOSERS);
    everybody_asks(w, "/here");
    serve(w, 2 * LOSERS);
    everybody_asks(w, "/here");
    ask(w->other, "/other");
    serve(w, 3 * LOSERS + 1);
    assert_int_equal(w->seen[2 * LOSERS], 'h');
}

static void read_all(int fd, struct buf *out)
{
    char part[4096];
    ssize_t n;
    while ((n = recv(fd, part, sizeof part, MSG_DONTWAIT)) > 0)
        buf_add(out, part, (size_t)n);
}

static void what_is_sent_in_parts_while_it_stands_there_is_read_whole_and_in_order(void **state)
{
    struct world *w = *state;
    struct buf answers;
    ask(w->losers[0], "/gone");
    serve(w, 1);
    say(w->losers[0], "GET /a HTTP/1.1\r\nHost: sh");
    ask(w->other, "/o");
    serve(w, 2);
    say(w->losers[0], "op\r\n\r\nGET /b HTTP/1.1\r\nHost: shop\r\n\r\nGET /c HTTP/1.1\r\nHost: shop\r\n\r\n");
    shutdown(w->losers[0], SHUT_WR); /* and no more */
    serve(w, 5);
    assert_memory_equal(w->seen, "goabc", 5);
    ask(w->other, "/o"); /* the answers are written at the end of a turn */
    serve(w, 6);
    buf_init(&answers, NULL);
    read_all(w->losers[0], &answers);
    buf_add(&answers, "", 1);
    assert_non_null(strstr(answers.data, "/gone"));
    assert_non_null(strstr(strstr(strstr(answers.data, "/a"), "/b"), "/c"));
    buf_release(&answers);
}

static void who_leaves_while_standing_there_is_let_go(void **state)
{
    struct world *w = *state;
    everybody_asks(w, "/gone");
    serve(w, LOSERS);
    everybody_asks(w, "/gone");
    struct linger at_once = { .l_onoff = 1 };
    for (int i = 0; i < LOSERS; i += 2) {
        setsockopt(w->losers[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(w->losers[i]);
        w->losers[i] = client(w);
    }
    ask(w->other, "/o");
    serve(w, LOSERS + 1);
    int served = w->count;
    ask(w->other, "/o");
    serve(w, served + 1);
    /* teardown closes the server while the rest still stands there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(others_go_before_those_who_were_told_it_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(without_that_whoever_comes_first_is_served_first, setup, teardown),
        cmocka_unit_test_setup_teardown(the_back_has_a_turn_between_those_of_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(who_stood_at_the_back_once_and_was_served_is_one_of_the_others_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_sent_in_parts_while_it_stands_there_is_read_whole_and_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_while_standing_there_is_let_go, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
