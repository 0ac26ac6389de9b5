#include "journal/events.h"
#include "journal/tries.h"
#include "journal/journal.h"
#include "store/faultvfs.h"
#include "store/writer.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct store_migration schema[] = {
    { 1, "journal", NULL },
    { 2, "heard", "CREATE TABLE heard (n INTEGER PRIMARY KEY AUTOINCREMENT, line TEXT NOT NULL, payload TEXT NOT NULL);" },
    { 3, "events", NULL },
    { 0 },
};
static struct store_migration before[] = { { 1, "journal", NULL }, { 2, "heard", NULL }, { 0 } };

#define S(text) slice_str(text)

static struct store *open_with(const char *path, const char *vfs, const struct store_migration *list)
{
    struct store *s;
    struct err err;
    schema[0].sql = before[0].sql = journal_schema_sql();
    before[1].sql = schema[1].sql;
    schema[2].sql = journal_events_schema_sql();
    if (store_open(&(struct store_options){ .path = path, .vfs = vfs, .migrations = list }, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static int64_t number(struct store_conn *c, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, sql, &s, &err) < 0 || store_step(s, &err) != 1)
        fail_msg("%s", err.text);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static void change(struct store_conn *c, const char *sql)
{
    struct store_stmt *s;
    struct err err;
    if (store_prepare(c, sql, &s, &err) < 0 || store_run(s, NULL, &err) < 0)
        fail_msg("%s", err.text);
}

static void add(struct store_conn *c, const char *subscriber, const char *key, const char *payload, int64_t now_ms)
{
    struct err err;
    if (event_add(c, S(subscriber), S("order.paid"), S(key), S(payload), now_ms, &err) < 0)
        fail_msg("%s", err.text);
}

/* What is due, as "payload payload", and the last of it. */
struct found {
    char payloads[256];
    size_t len;
    int n;
    struct event_row last; /* without its texts: they are gone */
    char about[256];       /* its subscriber, event, key and why */
};

static int note(void *ctx, const struct event_row *e)
{
    struct found *f = ctx;
    int n = snprintf(f->payloads + f->len, sizeof f->payloads - f->len, "%s%.*s", f->len ? " " : "", SLICE_FMT(e->payload));
    f->len += n > 0 && (size_t)n < sizeof f->payloads - f->len ? (size_t)n : 0;
    f->n++;
    f->last = *e;
    snprintf(f->about, sizeof f->about, "%.*s|%.*s|%.*s|%.*s", SLICE_FMT(e->subscriber), SLICE_FMT(e->event), SLICE_FMT(e->key),
             SLICE_FMT(e->why));
    return 0;
}

static struct found due(struct store_conn *c, int64_t now_ms)
{
    struct found f = { 0 };
    struct err err;
    if (event_each_due(c, now_ms, 1000, note, &f, &err) < 0)
        fail_msg("%s", err.text);
    return f;
}

#define DUE(c, now, text) assert_string_equal(due(c, now).payloads, text)

static struct found dead(struct store_conn *c)
{
    struct found f = { 0 };
    assert_int_equal(event_each(c, true, 0, 1000, note, &f, NULL), 0);
    return f;
}

/* The first that is due is heard, or fails. */
static void hear(struct store_conn *c, int64_t now_ms)
{
    struct err err;
    struct found f = { 0 };
    event_each_due(c, now_ms, 1, note, &f, &err);
    assert_int_equal(f.n, 1);
    if (event_done(c, f.last.id, f.last.due_ms, now_ms, &err) < 0)
        fail_msg("%s", err.text);
}

static bool fails(struct store_conn *c, int64_t now_ms)
{
    struct err err;
    struct found f = { 0 };
    bool died;
    event_each_due(c, now_ms, 1, note, &f, &err);
    assert_int_equal(f.n, 1);
    if (event_failed(c, f.last.id, f.last.due_ms, now_ms, S("it broke"), &died, &err) < 0)
        fail_msg("%s", err.text);
    return died;
}

static void test_what_has_the_same_key_is_due_one_after_the_other(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    add(c, "plugin:a", "order 1", "1", 10);
    add(c, "plugin:a", "order 1", "2", 10);
    add(c, "plugin:a", "order 2", "3", 10);
    add(c, "plugin:b", "order 1", "4", 10); /* another subscriber: another line */
    add(c, "plugin:a", "", "5", 10);
    add(c, "plugin:a", "", "6", 10); /* in no line */
    DUE(c, 9, "");
    DUE(c, 10, "1 3 4 5 6");
    hear(c, 20);
    DUE(c, 20, "3 4 5 6 2");
    add(c, "plugin:a", "order 1", "7", 20);
    DUE(c, 20, "3 4 5 6 2");
    for (int i = 0; i < 5; i++)
        hear(c, 30);
    DUE(c, 30, "7");
    hear(c, 30);
    assert_int_equal(event_next_due(c, &(int64_t){ 0 }, NULL), 0);
    add(c, "plugin:a", "order 1", "8", 40); /* the line is empty again */
    DUE(c, 40, "8");
    store_close(s);
}

static void test_what_was_moved_meanwhile_is_left_alone_with_its_line(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    bool died;
    add(c, "plugin:a", "order 1", "1", 10);
    add(c, "plugin:a", "order 1", "2", 10);
    struct event_row first = due(c, 10).last;
    assert_int_equal(event_postpone(c, first.id, 10, 50, &err), 0);
    assert_int_equal(event_done(c, first.id, 10, 20, &err), ERR_NOT_FOUND);
    assert_string_equal(err.reason, "event_gone");
    assert_int_equal(event_failed(c, first.id, 10, 20, S("x"), &died, &err), ERR_NOT_FOUND);
    assert_int_equal(event_park(c, first.id, 10, &err), ERR_NOT_FOUND);
    DUE(c, 49, "");
    DUE(c, 50, "1");
    store_close(s);
}

static void test_it_is_tried_ten_times_ever_later_and_then_given_up(void **state)
{
    (void)state;
    static const int64_t after_s[] = { 5, 30, 120, 600, 1800, 3600, 10800, 21600, 43200 };
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    int64_t now = 1000;
    add(c, "plugin:a", "order 1", "1", now);
    add(c, "plugin:a", "order 1", "2", now);
    for (size_t i = 0; i < TRIES_MAX - 1; i++) {
        assert_false(fails(c, now));
        DUE(c, now + after_s[i] * 1000 - 1, "");
        now += after_s[i] * 1000;
        DUE(c, now, "1"); /* and who is behind it waits all that time */
        assert_int_equal(due(c, now).last.tries, i + 1);
        assert_string_equal(due(c, now).about, "plugin:a|order.paid|order 1|it broke");
    }
    assert_true(fails(c, now));
    DUE(c, now, "2");
    struct found f = dead(c);
    assert_int_equal(f.n, 1);
    assert_int_equal(f.last.tries, TRIES_MAX);
    assert_int_equal(f.last.standing, EVENT_DEAD);
    assert_int_equal(f.last.made_ms, 1000);
    assert_int_equal(f.last.due_ms, now);
    int64_t n;
    assert_int_equal(event_count(c, true, 10, &n, NULL), 0);
    assert_int_equal(n, 1);
    store_close(s);
}

static void test_what_is_parked_waits_with_its_line_and_no_try_is_lost(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    int64_t moved;
    add(c, "plugin:a", "order 1", "1", 10);
    add(c, "plugin:a", "order 1", "2", 10);
    add(c, "plugin:ab", "order 1", "3", 10);
    assert_int_equal(event_any_parked(c, &err), 0);
    assert_int_equal(event_park(c, 1, 10, &err), 0);
    assert_int_equal(event_park(c, 3, 10, &err), 0);
    assert_int_equal(event_any_parked(c, &err), 1);
    DUE(c, INT64_MAX >> 12, "");
    assert_int_equal(event_next_due(c, &moved, &err), 0);
    add(c, "plugin:a", "order 1", "4", 20);
    DUE(c, 20, "");
    assert_int_equal(event_replay(c, 1, 30, &err), ERR_STATE);
    assert_string_equal(err.reason, "event_parked");
    assert_int_equal(event_unpark(c, S("plugin:a"), 10, &moved, &err), 0);
    assert_int_equal(moved, 1);
    DUE(c, 20, "1");
    assert_int_equal(due(c, 20).last.tries, 0);
    assert_int_equal(due(c, 20).last.due_ms, 10);
    hear(c, 30);
    hear(c, 30);
    DUE(c, 30, "4");
    assert_int_equal(event_any_parked(c, &err), 1);
    /* Of several those come first that were due first. */
    hear(c, 40);
    add(c, "plugin:b", "order 2", "5", 42);
    add(c, "plugin:b", "order 1", "6", 41);
    assert_int_equal(event_park(c, 5, 42, &err), 0);
    assert_int_equal(event_park(c, 6, 41, &err), 0);
    assert_int_equal(event_unpark(c, S("plugin:b"), 1, &moved, &err), 0);
    assert_int_equal(moved, 1);
    DUE(c, 50, "6");
    store_close(s);
}

static void give_up_first(struct store_conn *c)
{
    change(c, "UPDATE journal_events SET tries = 9 WHERE due_ms = 10");
    assert_true(fails(c, 10));
    change(c, "UPDATE journal_events SET due_ms = 10 WHERE due_ms IS NOT NULL");
}

static void test_a_dead_letter_comes_back_before_all_that_still_wait(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    for (int i = 1; i <= 4; i++)
        add(c, "plugin:a", "order 1", (const char *[]){ "", "1", "2", "3", "4" }[i], 10);
    give_up_first(c);
    give_up_first(c);
    DUE(c, 10, "3");
    assert_string_equal(dead(c).payloads, "1 2");
    /* In whatever order they are replayed. */
    assert_int_equal(event_replay(c, 2, 50, &err), 0);
    DUE(c, 50, "2");
    assert_int_equal(event_replay(c, 1, 50, &err), 0);
    DUE(c, 50, "1");
    assert_int_equal(due(c, 50).last.tries, 0);
    assert_int_equal(due(c, 50).last.id, 1);
    assert_int_equal(dead(c).n, 0);
    for (int i = 1; i <= 4; i++) {
        char expected[2] = { (char)('0' + i), 0 };
        DUE(c, 60, expected);
        hear(c, 60);
    }
    /* One that was heard is none to replay; and its number is nobody else's. */
    assert_int_equal(event_replay(c, 1, 70, &err), ERR_NOT_FOUND);
    add(c, "plugin:a", "order 1", "5", 70);
    assert_int_equal(due(c, 70).last.id, 5);
    store_close(s);
}

static void test_a_younger_one_that_is_replayed_stays_behind_the_older(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    int64_t n;
    add(c, "plugin:a", "order 1", "1", 10);
    add(c, "plugin:a", "order 1", "2", 10);
    add(c, "plugin:a", "order 1", "3", 10);
    give_up_first(c);
    give_up_first(c);
    assert_int_equal(event_replay(c, 1, 50, &err), 0);
    assert_int_equal(event_replay(c, 2, 50, &err), 0);
    DUE(c, 50, "1");
    assert_int_equal(event_replay(c, 3, 50, &err), ERR_STATE);
    assert_string_equal(err.reason, "event_behind");
    assert_non_null(strstr(err.text, "event 1,"));
    hear(c, 50);
    DUE(c, 50, "2");
    hear(c, 50);
    hear(c, 50);
    /* All of them at once; up to the limit. */
    for (int i = 0; i < 5; i++)
        add(c, "plugin:a", "", "x", 10);
    for (int i = 0; i < 5; i++)
        give_up_first(c);
    assert_int_equal(event_replay_dead(c, 3, 60, &n, &err), 0);
    assert_int_equal(n, 3);
    assert_int_equal(event_replay_dead(c, 3, 60, &n, &err), 0);
    assert_int_equal(n, 2);
    assert_int_equal(event_replay_dead(c, 3, 60, &n, &err), 0);
    assert_int_equal(n, 0);
    assert_int_equal(due(c, 60).n, 5);
    store_close(s);
}

static void test_what_waits_after_a_failure_can_be_due_at_once_and_a_dead_letter_be_dropped(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    add(c, "plugin:a", "order 1", "1", 10);
    assert_false(fails(c, 10));
    DUE(c, 11, "");
    assert_int_equal(event_drop(c, 1, &err), ERR_NOT_FOUND); /* no dead letter */
    assert_int_equal(event_replay(c, 1, 11, &err), 0);
    DUE(c, 11, "1");
    assert_int_equal(due(c, 11).last.tries, 1);
    change(c, "UPDATE journal_events SET tries = 9");
    assert_true(fails(c, 11));
    assert_int_equal(event_drop(c, 1, &err), 0);
    assert_int_equal(event_drop(c, 1, &err), ERR_NOT_FOUND);
    assert_int_equal(event_replay(c, 1, 11, &err), ERR_NOT_FOUND);
    assert_int_equal(dead(c).n, 0);
    store_close(s);
}

static int note_timer(void *ctx, const struct timer_due *t)
{
    struct found *f = ctx;
    f->n++;
    snprintf(f->about, sizeof f->about, "%.*s|%.*s|%lld", SLICE_FMT(t->procedure), SLICE_FMT(t->key), (long long)t->due_ms);
    return 0;
}

static void test_a_job_that_was_given_up_is_a_dead_letter_whose_timer_comes_back(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    struct found timers = { 0 };
    add(c, "plugin:a", "order 1", "1", 10);
    assert_int_equal(event_bury_job(c, S("plugin:a.send"), S("order 1"), 20, 30, 10, S("it \n broke"), &err), 0);
    assert_int_equal(event_bury_job(c, S("plugin:a.send"), S(""), 21, 31, 10, S("too"), &err), 0);
    add(c, "plugin:a", "order 1", "2", 32);
    DUE(c, 50, "1"); /* it stands in no line of events, and before none */
    assert_int_equal(dead(c).n, 2);
    assert_string_equal(dead(c).about, "plugin:a.send|||too");
    assert_int_equal(dead(c).last.id, 3); /* a number of its own */
    assert_int_equal(dead(c).last.tries, 10);
    assert_int_equal(dead(c).last.made_ms, 21);
    assert_int_equal(dead(c).last.due_ms, 31);
    assert_int_equal(event_replay(c, 2, 60, &err), 0);
    assert_int_equal(timer_each_due(c, 60, 10, note_timer, &timers, &err), 0);
    assert_int_equal(timers.n, 1);
    assert_string_equal(timers.about, "plugin:a.send|order 1|60");
    assert_int_equal(event_replay(c, 2, 60, &err), ERR_NOT_FOUND);
    DUE(c, 60, "1"); /* nor does it come back as an event */
    int64_t n;
    assert_int_equal(event_replay_dead(c, 10, 70, &n, &err), 0);
    assert_int_equal(n, 1);
    timers = (struct found){ 0 };
    assert_int_equal(timer_each_due(c, 70, 10, note_timer, &timers, &err), 0);
    assert_int_equal(timers.n, 2);
    assert_string_equal(timers.about, "plugin:a.send||70");
    assert_int_equal(dead(c).n, 0);
    assert_int_equal(event_bury_job(c, S("plugin:a.send"), S("x"), 20, 30, 10, S("again"), &err), 0);
    assert_int_equal(event_drop(c, 5, &err), 0);
    assert_int_equal(dead(c).n, 0);
    store_close(s);
}

static void test_what_an_earlier_program_kept_as_timers_is_taken_over(void **state)
{
    (void)state;
    struct faultvfs *disk;
    struct err err;
    assert_int_equal(faultvfs_open("events_old", 1, &disk, NULL), 0);
    struct store *s = open_with("shop.db", "events_old", before);
    struct store_conn *c = store_writer_conn(s);
    assert_int_equal(timer_set(c, S("plugin:a/order.paid"), S("evt_1 {\"order\":\"x y\"}"), 10, &err), 0);
    assert_int_equal(timer_set(c, S("plugin:b/friends.came"), S("evt_2 {}"), 11, &err), 0);
    assert_int_equal(timer_set(c, S("plugin:a.ring"), S("a/b c"), 12, &err), 0);
    assert_int_equal(timer_set(c, S("orders.expire"), S("ord_1"), 13, &err), 0);
    assert_int_equal(timer_park(c, 2, 11, &err), 0);
    store_close(s);
    s = open_with("shop.db", "events_old", schema);
    c = store_writer_conn(s);
    struct found f = due(c, 100);
    assert_string_equal(f.payloads, "{\"order\":\"x y\"}");
    assert_string_equal(f.about, "plugin:a|order.paid||");
    assert_int_equal(event_unpark(c, S("plugin:b"), 10, &(int64_t){ 0 }, &err), 0);
    assert_string_equal(due(c, 100).payloads, "{\"order\":\"x y\"} {}");
    assert_string_equal(due(c, 100).about, "plugin:b|friends.came||");
    assert_int_equal(due(c, 100).last.due_ms, 11);
    assert_int_equal(due(c, 100).last.made_ms, 11);
    assert_int_equal(number(c, "SELECT count(*) FROM journal_timers"), 2);
    store_close(s);
    faultvfs_close(disk);
}

static void test_looking_costs_the_same_with_very_many_that_are_not_due(void **state)
{
    (void)state;
    struct store *s = open_with(":memory:", NULL, schema);
    struct store_conn *c = store_writer_conn(s);
    struct err err;
    int64_t at;
    change(c, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) INSERT INTO journal_events"
              " (subscriber, event, key, payload, made_ms, due_ms) SELECT 'plugin:a', 'e', 'k' || (i % 7), '{}', 0,"
              " CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN 1000000 + i ELSE (1 << 52) + i END FROM n");
    for (int i = 0; i < 3000; i++) { /* would take minutes if it looked at them all */
        assert_int_equal(event_next_due(c, &at, &err), 1);
        assert_int_equal(at, 1000001);
        assert_int_equal(due(c, 1000).n, 0);
        assert_int_equal(event_any_parked(c, &err), 1);
        assert_int_equal(event_unpark(c, S("plugin:b"), 500, &at, &err), 0);
        assert_int_equal(at, 0);
        assert_int_equal(event_count(c, false, 100, &at, &err), 0);
        assert_int_equal(at, 100);
    }
    store_close(s);
}

/* --- power cuts: nothing is lost, nothing is heard twice, and nothing before what came before it -------------------------------- */

enum { EMITTED = 3000, LINES = 5 };

struct step {
    struct writer_command base;
    int number;   /* to emit; 0: to hear what is due */
    bool emitted; /* acknowledged */
};

static int run_step(struct writer_command *base, struct store_conn *c, struct err *err)
{
    struct step *t = (struct step *)base;
    char payload[16], line[16];
    struct event_row e = { 0 };
    if (t->number) {
        snprintf(payload, sizeof payload, "%d", t->number);
        snprintf(line, sizeof line, "order %d", t->number % LINES);
        return event_add(c, S("plugin:a"), S("e"), S(line), S(payload), t->number, err);
    }
    struct store_stmt *s;
    int rc =
        store_prepare(c, "SELECT id, due_ms, key, payload FROM journal_events WHERE due_ms IS NOT NULL ORDER BY due_ms LIMIT 1", &s, err);
    if (rc < 0 || (rc = store_step(s, err)) <= 0)
        return rc;
    e.id = store_column_int(s, 0);
    e.due_ms = store_column_int(s, 1);
    snprintf(line, sizeof line, "%.*s", SLICE_FMT(store_column_text(s, 2)));
    snprintf(payload, sizeof payload, "%.*s", SLICE_FMT(store_column_text(s, 3)));
    store_reset(s);
    rc = event_done(c, e.id, e.due_ms, 1, err);
    if (rc < 0 || (rc = store_prepare(c, "INSERT INTO heard (line, payload) VALUES (?1, ?2)", &s, err)) < 0)
        return rc;
    store_bind_text(s, 1, S(line));
    store_bind_text(s, 2, S(payload));
    return store_run(s, NULL, err);
}

static void step_done(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct step *t = (struct step *)base;
    t->emitted = t->emitted || rc == 0;
}

static bool in_order(struct store_conn *c)
{
    return number(c, "SELECT count(*) FROM heard a JOIN heard b ON a.line = b.line AND a.n < b.n"
                     " AND CAST(a.payload AS INTEGER) > CAST(b.payload AS INTEGER)") == 0;
}

/* Each line has exactly one that is due, and that is its first. */
static bool lines_stand(struct store_conn *c)
{
    return number(c, "SELECT count(*) FROM (SELECT key, min(id) AS first, count(due_ms) AS due,"
                     " max(CASE WHEN due_ms IS NOT NULL THEN id END) AS who FROM journal_events WHERE key <> '' GROUP BY subscriber, key)"
                     " WHERE due <> 1 OR first <> who") == 0;
}

static void check_all(struct store_conn *c, const struct step *all, int next)
{
    assert_true(in_order(c));
    assert_true(lines_stand(c));
    assert_int_equal(number(c, "SELECT count(*) - count(DISTINCT payload) FROM heard"), 0);
    assert_int_equal(number(c, "SELECT count(*) FROM heard h JOIN journal_events e ON e.payload = h.payload"), 0);
    struct store_stmt *s;
    struct err err;
    char *there = calloc((size_t)next + 1, 1);
    assert_int_equal(store_prepare(c, "SELECT payload FROM heard UNION ALL SELECT payload FROM journal_events", &s, &err), 0);
    while (store_step(s, &err) == 1) {
        char text[16];
        snprintf(text, sizeof text, "%.*s", SLICE_FMT(store_column_text(s, 0)));
        there[atoi(text)] = 1;
    }
    for (int i = 1; i < next; i++)
        if (all[i].emitted && !there[i])
            fail_msg("event %d was acknowledged and is lost", i);
    free(there);
}

static void test_after_power_cuts_nothing_is_lost_or_heard_twice_or_too_early(void **state)
{
    (void)state;
    struct random_seeded random;
    struct faultvfs *disk;
    struct step *all = calloc(EMITTED + 1, sizeof *all), hearing[20];
    int next = 1;
    assert_non_null(all);
    random_seeded_init(&random, 7);
    assert_int_equal(faultvfs_open("events_cuts", 7, &disk, NULL), 0);
    store_close(open_with("shop.db", "events_cuts", schema));
    while (next < EMITTED - 40) {
        struct writer *w;
        struct store *s = open_with("shop.db", "events_cuts", schema);
        assert_int_equal(writer_open(&(struct writer_options){ .store = s, .checkpoint_pages = 25 }, &w, NULL), 0);
        faultvfs_cut_at(disk, 1 + random_seeded_next(&random) % 200);
        while (!faultvfs_is_cut(disk) && next < EMITTED - 40) {
            for (uint64_t n = 1 + random_seeded_next(&random) % 20; n > 0; n--, next++) {
                all[next] = (struct step){ .base = { .run = run_step, .done = step_done }, .number = next };
                writer_submit(w, &all[next].base, NULL);
            }
            size_t hear_now = random_seeded_next(&random) % 20;
            for (size_t i = 0; i < hear_now; i++) {
                hearing[i] = (struct step){ .base = { .run = run_step, .done = step_done } };
                writer_submit(w, &hearing[i].base, NULL);
            }
            writer_step(w);
        }
        writer_free(w);
        store_close(s);
        faultvfs_restart(disk);
        s = open_with("shop.db", "events_cuts", schema);
        check_all(store_writer_conn(s), all, next);
        store_close(s);
    }
    assert_true(faultvfs_counts(disk).cuts > 20);
    struct store *s = open_with("shop.db", "events_cuts", schema);
    struct store_conn *c = store_writer_conn(s);
    assert_true(number(c, "SELECT count(*) FROM heard") > 500);
    /* The checks see what they are there for. */
    change(c, "UPDATE journal_events SET due_ms = 5 WHERE id = (SELECT max(id) FROM journal_events WHERE due_ms IS NULL)");
    assert_false(lines_stand(c));
    change(c, "UPDATE heard SET payload = '999999' WHERE n = 1");
    assert_false(in_order(c));
    store_close(s);
    faultvfs_close(disk);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_the_same_key_is_due_one_after_the_other),
        cmocka_unit_test(test_what_was_moved_meanwhile_is_left_alone_with_its_line),
        cmocka_unit_test(test_it_is_tried_ten_times_ever_later_and_then_given_up),
        cmocka_unit_test(test_what_is_parked_waits_with_its_line_and_no_try_is_lost),
        cmocka_unit_test(test_a_dead_letter_comes_back_before_all_that_still_wait),
        cmocka_unit_test(test_a_younger_one_that_is_replayed_stays_behind_the_older),
        cmocka_unit_test(test_what_waits_after_a_failure_can_be_due_at_once_and_a_dead_letter_be_dropped),
        cmocka_unit_test(test_a_job_that_was_given_up_is_a_dead_letter_whose_timer_comes_back),
        cmocka_unit_test(test_what_an_earlier_program_kept_as_timers_is_taken_over),
        cmocka_unit_test(test_looking_costs_the_same_with_very_many_that_are_not_due),
        cmocka_unit_test(test_after_power_cuts_nothing_is_lost_or_heard_twice_or_too_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
