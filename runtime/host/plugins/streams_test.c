/* What procedures say: kept with the command, forgotten with it, handed over after the commit. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/buf.h"
#include "host/plugins/streams.h"
#include <stdlib.h>

struct fixture {
    struct loop *loop;
    struct streams *streams;
    struct writer_hooks hooks;
    struct stream_place place;
    struct buf heard; /* "serial:topic=text;" */
    struct stream_delivery *held;
    bool holds;
};

static struct fixture *of_place(struct stream_place *p)
{
    return (struct fixture *)((char *)p - offsetof(struct fixture, place));
}

static void done_with(struct stream_delivery *d)
{
    atomic_fetch_sub(&d->place->queued_bytes, d->batch->len);
    stream_batch_unref(d->batch);
    free(d);
}

static void deliver(struct loop_post *post)
{
    struct stream_delivery *d = (struct stream_delivery *)((char *)post - offsetof(struct stream_delivery, post));
    struct fixture *f = of_place(d->place);
    struct stream_message m;
    for (size_t at = 0; stream_message_at(d->batch, at, &m); at = m.next)
        buf_printf(&f->heard, "%llu:%.*s=%.*s%s;", (unsigned long long)d->batch->serial, SLICE_FMT(m.topic), SLICE_FMT(m.text),
                   m.last ? "!" : "");
    if (f->holds) {
        d->next = f->held;
        f->held = d;
    } else {
        done_with(d);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct err err = { 0 };
    assert_int_equal(loop_open(&f->loop, &err), 0);
    f->streams = streams_new();
    f->hooks = streams_hooks(f->streams);
    f->place.loop = f->loop;
    f->place.deliver = deliver;
    atomic_store(&f->place.listening, 1);
    streams_enter(f->streams, &f->place);
    buf_init(&f->heard, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    streams_leave(f->streams, &f->place);
    loop_close(f->loop);
    for (struct stream_delivery *next; f->held; f->held = next) {
        next = f->held->next;
        done_with(f->held);
    }
    streams_free(f->streams);
    buf_release(&f->heard);
    free(f);
    return 0;
}

static void say(struct fixture *f, const char *topic, const char *text)
{
    struct err err = { 0 };
    assert_int_equal(streams_say(f->streams, slice_str(topic), slice_str(text), false, &err), 0);
}

static void stop(struct loop_post *post)
{
    loop_stop(*(struct loop **)(post + 1));
}

static void heard(struct fixture *f, const char *text)
{
    struct {
        struct loop_post post;
        struct loop *loop;
    } end = { .post.fn = stop, .loop = f->loop };
    loop_post(f->loop, &end.post); /* behind what was handed over */
    loop_run(f->loop);
    buf_add_char(&f->heard, '\0');
    assert_string_equal(f->heard.data, text);
    buf_clear(&f->heard);
}

static void begin(struct fixture *f)
{
    f->hooks.savepoint(f->hooks.ctx);
}

static void commit(struct fixture *f)
{
    f->hooks.committed(f->hooks.ctx);
}

static void nothing_is_heard_before_the_commit(void **state)
{
    struct fixture *f = *state;
    begin(f);
    say(f, "p/a", "1");
    heard(f, "");
    say(f, "p/b", "2");
    assert_int_equal(streams_serial(f->streams), 0);
    commit(f);
    assert_int_equal(streams_serial(f->streams), 1);
    heard(f, "1:p/a=1;1:p/b=2;");
    commit(f); /* of others, who said nothing */
    heard(f, "");
    assert_int_equal(streams_serial(f->streams), 1);
}

static void a_command_that_fails_has_said_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    say(f, "p/a", "1");
    begin(f);
    say(f, "p/a", "2");
    f->hooks.rollback_to(f->hooks.ctx);
    begin(f);
    say(f, "p/a", "3");
    commit(f);
    heard(f, "1:p/a=1;1:p/a=3;");
}

/* The whole batch is run again then, command by command. */
static void an_aborted_transaction_has_said_nothing(void **state)
{
    struct fixture *f = *state;
    begin(f);
    say(f, "p/a", "1");
    f->hooks.aborted(f->hooks.ctx);
    begin(f);
    say(f, "p/a", "again");
    commit(f);
    heard(f, "1:p/a=again;");
}

static void where_nobody_listens_nothing_is_handed_over(void **state)
{
    struct fixture *f = *state;
    atomic_store(&f->place.listening, 0);
    begin(f);
    say(f, "p/a", "1");
    commit(f);
    heard(f, "");
    assert_false(atomic_load(&f->place.overrun));
    assert_int_equal(streams_serial(f->streams), 1); /* but it was said: whoever begins now finds it in the state */
}

/* A worker that does not come to it is not given more than it can hold, and knows that something is missing. */
static void a_worker_that_lags_is_told_to_begin_anew(void **state)
{
    struct fixture *f = *state;
    static char text[1 << 20];
    memset(text, 'x', sizeof text - 1);
    f->holds = true;
    size_t n = 0;
    while (!atomic_load(&f->place.overrun)) {
        begin(f);
        say(f, "p/a", text);
        commit(f);
        assert_true(++n < 20);
    }
    assert_int_equal(n, 9); /* eight times a little more than 1 MiB, then no more */
    assert_true(atomic_load(&f->place.queued_bytes) < (size_t)9 << 20);
}

static void one_commit_can_not_say_without_end(void **state)
{
    struct fixture *f = *state;
    static char text[1 << 20];
    struct err err = { 0 };
    int rc = 0, n = 0;
    memset(text, 'x', sizeof text - 1);
    begin(f);
    for (; rc == 0 && n < 100; n++)
        rc = streams_say(f->streams, SLICE_LIT("p/a"), slice_str(text), false, &err);
    assert_int_equal(rc, ERR_BUSY);
    assert_string_equal(err.reason, "streams_full");
    f->hooks.rollback_to(f->hooks.ctx);
    commit(f);
    heard(f, "");
}

static void specs_find_what_was_committed(void **state)
{
    struct fixture *f = *state;
    struct stream_message m;
    streams_keep(f->streams);
    assert_null(streams_kept(f->streams));
    begin(f);
    say(f, "p/a", "1");
    f->hooks.rollback_to(f->hooks.ctx);
    begin(f);
    say(f, "p/a", "2");
    commit(f);
    const struct stream_batch *b = streams_kept(f->streams);
    assert_true(stream_message_at(b, 0, &m));
    assert_true(slice_is(m.text, "2"));
    assert_false(stream_message_at(b, m.next, &m));
    assert_null(streams_kept(f->streams));
    heard(f, "1:p/a=2;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_is_heard_before_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_command_that_fails_has_said_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(an_aborted_transaction_has_said_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(where_nobody_listens_nothing_is_handed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(a_worker_that_lags_is_told_to_begin_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(one_commit_can_not_say_without_end, setup, teardown),
        cmocka_unit_test_setup_teardown(specs_find_what_was_committed, setup, teardown),
    };
    return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
