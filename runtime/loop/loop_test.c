/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "loop/loop.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS = 4, POSTS = 20000 };

struct posted {
    struct loop_post post; /* first */
    int thread, number;
    struct tally *tally;
};

struct tally {
    struct loop *loop;
    int last[THREADS];
    int count;
};

static void on_post(struct loop_post *item)
{
    struct posted *p = (struct posted *)(void *)item;
    assert_int_equal(p->number, p->tally->last[p->thread] + 1); /* posts of one thread keep their order */
    p->tally->last[p->thread] = p->number;
    if (++p->tally->count == THREADS * POSTS)
        loop_stop(p->tally->loop);
    free(p);
}

struct poster {
    struct tally *tally;
    int thread;
};

static void *post_many(void *ctx)
{
    struct poster *me = ctx;
    for (int i = 1; i <= POSTS; i++) {
        struct posted *p = calloc(1, sizeof *p);
        *p = (struct posted){ { on_post, NULL }, me->thread, i, me->tally };
        loop_post(me->tally->loop, &p->post);
    }
    return NULL;
}

static void posts_of_many_threads_all_run_and_keep_their_order(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct tally t = { 0 };
    struct poster posters[THREADS];
    pthread_t threads[THREADS];
    assert_int_equal(loop_open(&t.loop, &err), 0);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){ &t, i };
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    loop_run(t.loop);
    assert_int_equal(t.count, THREADS * POSTS);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    loop_close(t.loop);
}

static void a_post_that_came_before_the_end_is_run_by_the_close(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct tally t = { 0 };
    assert_int_equal(loop_open(&t.loop, &err), 0);
    struct posted *p = calloc(1, sizeof *p);
    *p = (struct posted){ { on_post, NULL }, 0, 1, &t };
    loop_post(t.loop, &p->post);
    loop_close(t.loop);
    assert_int_equal(t.count, 1);
}

struct ticking {
    struct loop *loop;
    int ticks, idles;
    int64_t first_ms;
};

static void on_tick(void *ctx)
{
    struct ticking *t = ctx;
    if (++t->ticks == 1)
        t->first_ms = loop_now_ms(t->loop);
    if (t->ticks == 3)
        loop_stop(t->loop);
}

static void never(void *ctx)
{
    (void)ctx;
    fail_msg("a timer that was stopped came");
}

static void on_idle(void *ctx)
{
    ((struct ticking *)ctx)->idles++;
}

static void timers_come_again_and_not_when_stopped(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct ticking t = { 0 };
    assert_int_equal(loop_open(&t.loop, &err), 0);
    int64_t start_ms = loop_now_ms(t.loop);
    struct loop_timer *a = loop_timer_new(t.loop, on_tick, &t), *b = loop_timer_new(t.loop, never, NULL),
                      *c = loop_timer_new(t.loop, never, NULL);
    loop_timer_start(a, 20, 5);
    loop_timer_start(b, 1, 0);
    loop_timer_stop(b);
    loop_timer_start(c, 1, 0);
    loop_timer_free(c);
    loop_on_idle(t.loop, on_idle, &t);
    loop_run(t.loop);
    assert_int_equal(t.ticks, 3);
    assert_true(t.first_ms - start_ms >= 20);
    assert_true(t.idles >= 1);
    loop_timer_free(NULL);
    loop_close(t.loop); /* frees a and b */
}

struct slicing {
    struct loop *loop;
    struct loop_slice *slice;
    int slices, ticks, ticks_before_last;
};

static void on_part(void *ctx)
{
    struct slicing *s = ctx;
    s->ticks_before_last = s->ticks;
    if (++s->slices < 50)
        loop_slice_want(s->slice);
    else
        loop_stop(s->loop);
}

static void on_tick_between(void *ctx)
{
    ((struct slicing *)ctx)->ticks++;
}

static void slices_run_one_in_each_turn_without_sleeping_and_others_have_theirs_in_between(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct slicing s = { 0 };
    assert_int_equal(loop_open(&s.loop, &err), 0);
    struct loop_timer *tick = loop_timer_new(s.loop, on_tick_between, &s);
    s.slice = loop_slice_new(s.loop, on_part, &s);
    loop_timer_start(tick, 0, 0);
    int64_t began_ms = loop_now_ms(s.loop);
    loop_slice_want(s.slice);
    loop_slice_want(s.slice); /* twice is once */
    loop_run(s.loop);
    assert_int_equal(s.slices, 50);
    assert_int_equal(s.ticks_before_last, 1);
    assert_true(loop_now_ms(s.loop) - began_ms < 1000);
    loop_slice_want(s.slice);
    loop_slice_free(s.slice); /* also while it is wanted */
    loop_slice_free(NULL);
    loop_slice_new(s.loop, on_part, &s); /* the loop frees it */
    loop_close(s.loop);
    assert_int_equal(s.slices, 50);
}

static void a_loop_can_be_stopped_before_it_runs_and_run_again(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct ticking t = { 0 };
    assert_int_equal(loop_open(&t.loop, &err), 0);
    loop_stop(t.loop);
    loop_run(t.loop);
    struct loop_timer *a = loop_timer_new(t.loop, on_tick, &t);
    loop_timer_start(a, 0, 1);
    loop_run(t.loop);
    assert_true(t.ticks >= 3);
    loop_close(t.loop);
}

static void on_signal(void *ctx, int signum)
{
    struct ticking *t = ctx;
    assert_int_equal(signum, SIGUSR1);
    loop_stop(t->loop);
    t->ticks++;
}

static void signals_arrive_in_the_loop(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct ticking t = { 0 };
    assert_int_equal(loop_open(&t.loop, &err), 0);
    assert_int_equal(loop_on_signal(t.loop, SIGUSR1, on_signal, &t, &err), 0);
    raise(SIGUSR1);
    loop_run(t.loop);
    assert_int_equal(t.ticks, 1);
    loop_close(t.loop);
}

/* --- streams: an echo whose client reads late ------------------------------------------------------------------- */

enum { BIG = 8 << 20 };

struct echo {
    struct loop *loop;
    struct stream *stream;
    char *big;
    bool drained, closed;
    size_t queued_at_first;
};

static void on_received(void *ctx, const char *data, size_t len)
{
    struct echo *e = ctx;
    if (len == 0) {
        stream_close(e->stream);
        return;
    }
    assert_memory_equal(data, "go", 2);
    struct slice parts[2] = { slice_of(e->big, BIG / 2), slice_of(e->big + BIG / 2, BIG / 2) };
    long queued = stream_write(e->stream, parts, 2);
    assert_true(queued > 0);
    e->queued_at_first = (size_t)queued;
    assert_int_equal(stream_sent_bytes(e->stream) + (size_t)queued, BIG);
}

static void on_drained(void *ctx)
{
    struct echo *e = ctx;
    e->drained = true;
    assert_int_equal(stream_queued(e->stream), 0);
    stream_shutdown(e->stream);
    struct slice more = SLICE_LIT("x");
    assert_int_equal(stream_write(e->stream, &more, 1), -1);
}

static void on_closed(void *ctx)
{
    struct echo *e = ctx;
    e->closed = true;
    loop_stop(e->loop);
}

static void on_accepted(void *ctx, struct stream *s)
{
    static const struct stream_events events = { on_received, on_drained, on_closed };
    struct echo *e = ctx;
    e->stream = s;
    assert_string_equal(stream_peer(s)->address, "127.0.0.1");
    assert_false(stream_peer(s)->local_socket);
    stream_start(s, &events, e);
}

static void *late_client(void *ctx)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t) * (int *)ctx), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (connect(fd, (struct sockaddr *)&a, sizeof a) != 0 || write(fd, "go", 2) != 2)
        return NULL;
    usleep(50000);
    size_t total = 0;
    static char block[1 << 16];
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0; total += (size_t)n)
        for (ssize_t i = 0; i < n; i++)
            if (block[i] != (char)((total + (size_t)i) % 251))
                total = SIZE_MAX / 2;
    close(fd);
    return (void *)(uintptr_t)total;
}

static void what_the_kernel_does_not_take_is_queued_and_arrives_whole(void **state)
{
    (void)state;
    struct err err = { 0 };
    struct echo e = { .big = malloc(BIG) };
    assert_non_null(e.big);
    for (size_t i = 0; i < BIG; i++)
        e.big[i] = (char)(i % 251);
    struct listener *listener;
    assert_int_equal(loop_open(&e.loop, &err), 0);
    assert_int_equal(listener_open(e.loop, &(struct listen_options){ .host = "127.0.0.1" }, on_accepted, &e, &listener, &err), 0);
    int port = listener_port(listener);
    assert_true(port > 0);
    pthread_t client;
    assert_int_equal(pthread_create(&client, NULL, late_client, &port), 0);
    loop_run(e.loop);
    void *total;
    pthread_join(client, &total);
    assert_int_equal((uintptr_t)total, BIG);
    assert_true(e.drained);
    assert_true(e.closed);
    listener_close(listener);
    loop_close(e.loop);
    free(e.big);
}

/* --- folders ------------------------------------------------------------------------------------------------------ */

static void on_change(void *ctx)
{
    loop_stop(ctx);
}

static void a_watched_folder_says_when_something_in_it_changes(void **state)
{
    (void)state;
    char dir[] = "/tmp/loop-test-XXXXXX", path[64];
    struct err err;
    struct loop *loop;
    struct loop_watch *watch;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(loop_open(&loop, &err), 0);
    assert_int_equal(loop_watch_open(loop, "/no/such/folder", on_change, loop, &watch, &err), ERR_IO);
    assert_int_equal(loop_watch_open(loop, dir, on_change, loop, &watch, &err), 0);
    snprintf(path, sizeof path, "%s/file", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    loop_run(loop); /* ends only when the change is seen */
    unlink(path);
    loop_run(loop);
    loop_watch_close(watch);
    loop_watch_close(NULL);
    loop_close(loop);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posts_of_many_threads_all_run_and_keep_their_order),
        cmocka_unit_test(a_post_that_came_before_the_end_is_run_by_the_close),
        cmocka_unit_test(timers_come_again_and_not_when_stopped),
        cmocka_unit_test(slices_run_one_in_each_turn_without_sleeping_and_others_have_theirs_in_between),
        cmocka_unit_test(a_loop_can_be_stopped_before_it_runs_and_run_again),
        cmocka_unit_test(signals_arrive_in_the_loop),
        cmocka_unit_test(a_watched_folder_says_when_something_in_it_changes),
        cmocka_unit_test(what_the_kernel_does_not_take_is_queued_and_arrives_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
