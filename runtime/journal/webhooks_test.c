#include "journal/webhooks.h"
#include "base/random.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#define S(text) slice_str(text)
enum { NOW = 1000000, MINUTE = 60000 };
#define HOUR (60 * INT64_C(60000))

static struct store_conn *c; /* of the test that runs */
static struct store *store;
static struct err err;

#define DO(call)                                                                                                                           \
    do {                                                                                                                                   \
        if ((call) < 0)                                                                                                                    \
            fail_msg("%s", err.text);                                                                                                      \
    } while (0)

static int open_store(void **state)
{
    struct store_migration migrations[] = { { 1, "webhooks", journal_webhooks_schema_sql() }, { 0, NULL, NULL } };
    (void)state;
    if (store_open(&(struct store_options){ .path = ":memory:", .migrations = migrations }, &store, &err) < 0)
        fail_msg("%s", err.text);
    c = store_writer_conn(store);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    store_close(store);
    return 0;
}

static int64_t endpoint(const char *name)
{
    int64_t id;
    struct webhook_endpoint e = { .name = S(name),
                                  .url = S("https://example.com/hook"),
                                  .label = S(""),
                                  .events = S("[\"*\"]"),
                                  .personal = S("[]"),
                                  .ordered = true,
                                  .created_ms = NOW };
    DO(webhook_endpoint_add(c, &e, &id, &err));
    DO(webhook_secret_add(c, id, S("0123456789abcdef0123456789abcdef"), NOW, 0, &err));
    return id;
}

/* A message with this id, for one endpoint. */
static int64_t add(int64_t to, const char *message_id, const char *line, int64_t now_ms)
{
    int64_t id;
    char body[64];
    snprintf(body, sizeof body, "body of %s", message_id);
    DO(webhook_message_add(c, S(message_id), S("order.paid"), S(body), now_ms, &id, &err));
    DO(webhook_delivery_add(c, to, id, S(line), now_ms, &err));
    return id;
}

struct found {
    char text[256];
    size_t len;
    struct webhook_delivery last;
};

static int note(void *ctx, const struct webhook_delivery *d)
{
    struct found *f = ctx;
    f->len += (size_t)snprintf(f->text + f->len, sizeof f->text - f->len, "%s%.*s", f->len ? " " : "", SLICE_FMT(d->message_id));
    f->last = *d;
    return 0;
}

static struct found due(int64_t to, int64_t now_ms)
{
    struct found f = { 0 };
    DO(webhook_each_due(c, to, now_ms, 100, note, &f, &err));
    return f;
}

static void is_due(int64_t to, int64_t now_ms, const char *ids)
{
    struct found f = due(to, now_ms);
    assert_string_equal(f.text, ids);
}

/* `more` says how it was due when it was begun, and whatever else the answer had. */
static struct webhook_result attempt(int64_t to, int64_t message, int64_t now_ms, int status, struct webhook_attempt more)
{
    struct webhook_result r;
    more.endpoint = to;
    more.message = message;
    more.at_ms = now_ms;
    more.took_ms = 7;
    more.status = status;
    more.taken = status >= 200 && status < 300;
    more.why = S(more.taken ? "" : "It answered badly.");
    more.gone = status == 410;
    DO(webhook_record(c, &more, now_ms, &r, &err));
    return r;
}

static int64_t due_of(const char *message_id, int64_t to)
{
    struct found f = { 0 };
    DO(webhook_find(c, to, S(message_id), note, &f, &err));
    return f.last.due_ms;
}

static enum webhook_standing standing_of(const char *message_id, int64_t to)
{
    struct found f = { 0 };
    DO(webhook_find(c, to, S(message_id), note, &f, &err));
    return f.last.standing;
}

static struct webhook_result try_it(int64_t to, const char *message_id, int64_t message, int64_t now_ms, int status)
{
    return attempt(to, message, now_ms, status, (struct webhook_attempt){ .due_ms = due_of(message_id, to) });
}

static int keep_endpoint(void *ctx, const struct webhook_endpoint *e)
{
    *(struct webhook_endpoint *)ctx = *e;
    return 0;
}

static struct webhook_endpoint only_endpoint(void)
{
    struct webhook_endpoint e = { 0 };
    DO(webhook_endpoint_each(c, keep_endpoint, &e, &err));
    return e;
}

/* --- tests ----------------------------------------------------------------------------------------------------------------- */

static void one_line_is_brought_in_its_order(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), a1 = add(to, "a1", "order a", NOW);
    add(to, "b1", "order b", NOW);
    add(to, "a2", "order a", NOW);
    add(to, "free", "", NOW);
    int64_t a3 = add(to, "a3", "order a", NOW);
    is_due(to, NOW - 1, "");
    is_due(to, NOW, "a1 b1 free");
    assert_int_equal(standing_of("a3", to), WEBHOOK_BEHIND);
    struct webhook_result r = try_it(to, "a1", a1, NOW, 500);
    assert_int_equal(r.tries, 1);
    is_due(to, NOW + 1000, "b1 free"); /* a2 waits for a1 all the same */
    is_due(to, NOW + 5000, "b1 free a1");
    try_it(to, "a1", a1, NOW + 5000, 204);
    assert_int_equal(standing_of("a1", to), WEBHOOK_TAKEN);
    is_due(to, NOW + 5000, "b1 free a2");
    try_it(to, "a2", a3 - 2, NOW + 6000, 200);
    is_due(to, NOW + 6000, "b1 free a3");
    assert_int_equal(due(to, NOW + 6000).last.message, a3);
}

static void tries_end_after_days_and_the_next_has_its_turn(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "order a", NOW), now_ms = NOW;
    add(to, "m2", "order a", NOW);
    struct webhook_result r = { 0 };
    for (int i = 1; i <= WEBHOOK_TRIES_MAX; i++) {
        assert_false(r.given_up);
        assert_int_equal(due_of("m1", to), now_ms);
        r = try_it(to, "m1", id, now_ms, 500);
        if (i < WEBHOOK_TRIES_MAX) {
            assert_int_equal(r.again_ms - now_ms, webhook_again_after_ms(i));
            now_ms = r.again_ms;
        }
    }
    assert_true(r.given_up);
    assert_true(now_ms - NOW > 3 * 24 * HOUR && now_ms - NOW < 4 * 24 * HOUR);
    assert_true(r.disabled); /* for three days nothing was taken */
    assert_int_equal(standing_of("m1", to), WEBHOOK_GIVEN_UP);
    assert_int_equal(standing_of("m2", to), WEBHOOK_WAITS);
    int64_t n;
    DO(webhook_given_up(c, to, 10, &n, &err));
    assert_int_equal(n, 1);
    struct webhook_endpoint e = only_endpoint();
    assert_int_equal(e.state, WEBHOOK_DISABLED);
    DO(webhook_endpoint_set_state(c, to, WEBHOOK_ACTIVE, S(""), now_ms, &err));
    e = only_endpoint();
    assert_int_equal(e.state, WEBHOOK_ACTIVE);
    assert_int_equal(e.failures, 0);
    assert_int_equal(e.rests_until_ms, 0);
}

static void chance_only_adds_to_the_wait(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "", NOW);
    struct webhook_attempt full = { .chance_permille = 1000, .due_ms = NOW };
    assert_int_equal(attempt(to, id, NOW, 500, full).again_ms, NOW + 6000);
}

static void an_endpoint_that_fails_rests_longer_each_time(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), now_ms = NOW, rests = 0;
    char name[16];
    for (int i = 1; i <= 12; i++) {
        snprintf(name, sizeof name, "m%d", i);
        int64_t id = add(to, name, "", now_ms);
        struct webhook_result r = try_it(to, name, id, now_ms, 503);
        struct webhook_endpoint e = only_endpoint();
        assert_int_equal(r.failures, i);
        assert_true(r.health_changed);
        assert_false(r.disabled);
        assert_int_equal(e.failing_since_ms, NOW);
        assert_int_equal(e.rests_until_ms, i < WEBHOOK_RESTS_FROM ? 0 : now_ms + webhook_rest_ms(++rests));
        if (i == 7) { /* one that was under way, too: no new rest */
            snprintf(name, sizeof name, "n%d", i);
            try_it(to, name, add(to, name, "", now_ms), now_ms + 1, 503);
            assert_int_equal(only_endpoint().rests_until_ms, e.rests_until_ms);
            DO(webhook_endpoint_set_state(c, to, WEBHOOK_ACTIVE, S(""), now_ms, &err)); /* by hand: all begins anew */
            assert_int_equal(only_endpoint().rests_until_ms, 0);
            break;
        }
        now_ms = e.rests_until_ms ? e.rests_until_ms : now_ms + MINUTE;
    }
    assert_int_equal(rests, 3);
    for (int64_t i = 1; i < 10; i++)
        assert_true(webhook_rest_ms(i) <= webhook_rest_ms(i + 1) && webhook_rest_ms(i) <= HOUR);
    int64_t id = add(to, "bad", "", now_ms);
    try_it(to, "bad", id, now_ms, 500);
    id = add(to, "good", "", now_ms);
    assert_true(try_it(to, "good", id, now_ms, 200).health_changed);
    struct webhook_endpoint e = only_endpoint();
    assert_int_equal(e.failures, 0);
    assert_int_equal(e.failing_since_ms, 0);
    id = add(to, "also", "", now_ms);
    assert_false(try_it(to, "also", id, now_ms, 200).health_changed); /* what works costs no reading again */
}

static void gone_disables_at_once_and_loses_nothing(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "order a", NOW);
    struct webhook_result r = try_it(to, "m1", id, NOW, 410);
    assert_true(r.disabled);
    assert_int_equal(only_endpoint().state, WEBHOOK_DISABLED);
    add(to, "m2", "order a", NOW);
    assert_false(try_it(to, "m1", id, NOW + 1, 410).disabled); /* said once */
    DO(webhook_endpoint_set_state(c, to, WEBHOOK_ACTIVE, S(""), NOW + 2, &err));
    is_due(to, NOW + 2, "m1"); /* at once, with all its tries */
    assert_int_equal(due(to, NOW + 2).last.tries, 0);
}

static void retry_after_is_kept(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "", NOW);
    struct webhook_attempt later = { .due_ms = NOW, .not_before_ms = NOW + HOUR };
    assert_int_equal(attempt(to, id, NOW, 429, later).again_ms, NOW + HOUR);
    assert_int_equal(only_endpoint().rests_until_ms, NOW + HOUR); /* it asked for all of its messages */
    id = add(to, "m2", "", NOW);
    attempt(to, id, NOW + 1, 500, (struct webhook_attempt){ .due_ms = NOW });
    assert_int_equal(only_endpoint().rests_until_ms, NOW + HOUR);
}

static void what_was_moved_by_hand_meanwhile_stays_where_it_is(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "", NOW);
    DO(webhook_replay(c, to, S("m1"), NOW + 50, &err));
    attempt(to, id, NOW + 60, 500, (struct webhook_attempt){ .due_ms = NOW }); /* begun before the replay */
    assert_int_equal(due_of("m1", to), NOW + 50);
    attempt(to, id, NOW + 70, 200, (struct webhook_attempt){ .due_ms = NOW }); /* taken is taken */
    assert_int_equal(standing_of("m1", to), WEBHOOK_TAKEN);
}

static void replayed_it_stands_in_its_line_again(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), a1 = add(to, "a1", "order a", NOW), a2 = add(to, "a2", "order a", NOW);
    try_it(to, "a1", a1, NOW, 200);
    is_due(to, NOW, "a2");
    DO(webhook_replay(c, to, S("a1"), NOW + 10, &err));
    is_due(to, NOW + 10, "a1"); /* a2 is newer */
    assert_int_equal(standing_of("a2", to), WEBHOOK_BEHIND);
    try_it(to, "a1", a1, NOW + 10, 200);
    is_due(to, NOW + 20, "a2");
    try_it(to, "a2", a2, NOW + 20, 200);
    is_due(to, NOW + 30, "");
    assert_int_equal(webhook_replay(c, to, S("nothing"), NOW, &err), ERR_NOT_FOUND);
    assert_int_equal(webhook_replay(c, to + 1, S("a1"), NOW, &err), ERR_NOT_FOUND);
}

static void all_since_a_time_come_again_in_pieces(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), after = 0, n, ids[6];
    char name[16];
    bool more;
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "m%d", i);
        ids[i] = add(to, name, i < 5 ? "" : "order a", NOW + i * MINUTE);
    }
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "m%d", i);
        try_it(to, name, ids[i], NOW + HOUR, 200);
    }
    DO(webhook_replay_since(c, to, NOW, false, &after, 10, NOW + HOUR, &n, &more, &err));
    assert_int_equal(n, 0); /* none was given up */
    after = 0;
    DO(webhook_replay_since(c, to, NOW + 2 * MINUTE, true, &after, 2, NOW + HOUR, &n, &more, &err));
    assert_int_equal(n, 2);
    assert_true(more);
    DO(webhook_replay_since(c, to, NOW + 2 * MINUTE, true, &after, 2, NOW + HOUR, &n, &more, &err));
    assert_int_equal(n, 1);
    assert_false(more);
    is_due(to, NOW + HOUR, "m5 m2 m3 m4");
    after = 0;
    DO(webhook_replay_since(c, to, NOW + 2 * HOUR, true, &after, 2, NOW + HOUR, &n, &more, &err));
    assert_int_equal(n, 0);
}

static int count_attempt(void *ctx, const struct webhook_attempt_row *a)
{
    char *text = ctx;
    size_t len = strlen(text);
    snprintf(text + len, 200 - len, "%lld:%d:%lld:%.*s;", (long long)a->number, a->status, (long long)a->took_ms, SLICE_FMT(a->why));
    return 0;
}

static void every_attempt_is_in_the_log(void **state)
{
    (void)state;
    char text[200] = "";
    int64_t to = endpoint("whk_a"), id = add(to, "m1", "", NOW);
    try_it(to, "m1", id, NOW, 500);
    try_it(to, "m1", id, NOW + 5000, 0);
    try_it(to, "m1", id, NOW + 400000, 200);
    DO(webhook_replay(c, to, S("m1"), NOW + 400001, &err));
    try_it(to, "m1", id, NOW + 400002, 200); /* numbers go on: nothing is written over */
    DO(webhook_attempt_each(c, to, id, count_attempt, text, &err));
    assert_string_equal(text, "1:500:7:It answered badly.;2:0:7:It answered badly.;3:200:7:;4:200:7:;");
}

static void lists_have_newest_first_and_pages(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), first = add(to, "m1", "", NOW), second = add(to, "m2", "", NOW);
    add(to, "m3", "order a", NOW);
    add(to, "m4", "order a", NOW);
    try_it(to, "m1", first, NOW, 200);
    struct found f = { 0 };
    DO(webhook_each(c, to, 0, 0, 2, note, &f, &err));
    assert_string_equal(f.text, "m4 m3");
    f = (struct found){ 0 };
    DO(webhook_each(c, to, 0, second + 1, 10, note, &f, &err));
    assert_string_equal(f.text, "m2 m1");
    f = (struct found){ 0 };
    DO(webhook_each(c, to, WEBHOOK_WAITS, 0, 10, note, &f, &err));
    assert_string_equal(f.text, "m4 m3 m2");
    f = (struct found){ 0 };
    DO(webhook_each(c, to, WEBHOOK_TAKEN, 0, 10, note, &f, &err));
    assert_string_equal(f.text, "m1");
    int64_t open, oldest;
    DO(webhook_backlog(c, to, 2, &open, &oldest, &err));
    assert_int_equal(open, 2);
    DO(webhook_backlog(c, to, 10, &open, &oldest, &err));
    assert_int_equal(open, 3);
    assert_int_equal(oldest, NOW);
}

static int64_t rows(const char *table)
{
    char sql[100];
    struct store_stmt *s;
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    if (store_prepare(c, sql, &s, &err) < 0 || store_step(s, &err) != 1)
        fail_msg("%s", err.text);
    int64_t n = store_column_int(s, 0);
    store_reset(s);
    return n;
}

static int keep_secret(void *ctx, struct slice secret, int64_t until_ms)
{
    char *text = ctx;
    size_t len = strlen(text);
    snprintf(text + len, 200 - len, "%.*s:%lld;", SLICE_FMT(secret), (long long)until_ms);
    return 0;
}

static void secrets_read(int64_t to, int64_t now_ms, const char *expected)
{
    char text[200] = "";
    DO(webhook_secret_each(c, to, now_ms, keep_secret, text, &err));
    assert_string_equal(text, expected);
}

static void earlier_secrets_sign_until_they_end(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a");
    DO(webhook_secret_add(c, to, S("one"), NOW, NOW, &err));
    secrets_read(to, NOW, "one:0;"); /* the first ended at once */
    DO(webhook_secret_add(c, to, S("two"), NOW, NOW + 100, &err));
    DO(webhook_secret_add(c, to, S("three"), NOW + 10, NOW + 50, &err));
    secrets_read(to, NOW + 20, "three:0;two:1000050;one:1000100;");
    secrets_read(to, NOW + 50, "three:0;one:1000100;");
    secrets_read(to, NOW + 100, "three:0;");
    int64_t missed;
    bool more;
    assert_int_equal(rows("webhook_secrets"), 3);
    DO(webhook_sweep(c, 0, 10, NOW + 50, &missed, &more, &err));
    assert_int_equal(rows("webhook_secrets"), 2); /* what has ended is not kept */
    DO(webhook_secret_add(c, to, S("two"), NOW + 10, NOW + 50, &err));
    DO(webhook_secret_add(c, to, S("four"), NOW + 20, NOW + 60, &err));
    assert_int_equal(webhook_secret_add(c, to, S("five"), NOW + 21, NOW + 70, &err), ERR_STATE);
}

static void the_old_are_forgotten_and_those_behind_go_on(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), other = endpoint("whk_b"), id = add(to, "old1", "order a", NOW);
    int64_t missed;
    bool more;
    DO(webhook_delivery_add(c, other, id, S("order a"), NOW, &err));
    try_it(to, "old1", id, NOW, 500);
    add(to, "old2", "order a", NOW + 1);
    add(to, "young", "order a", NOW + HOUR);
    DO(webhook_sweep(c, NOW + 2, 1, NOW + HOUR, &missed, &more, &err));
    assert_true(more);
    assert_int_equal(missed, 2); /* of both endpoints */
    DO(webhook_sweep(c, NOW + 2, 10, NOW + HOUR, &missed, &more, &err));
    assert_false(more);
    assert_int_equal(rows("webhook_messages"), 1);
    assert_int_equal(rows("webhook_deliveries"), 1);
    assert_int_equal(rows("webhook_attempts"), 0);
    is_due(to, NOW + HOUR, "young"); /* nobody stands before it any more */
    is_due(other, NOW + HOUR, "");
}

static void a_removed_endpoint_hears_nothing_and_is_cleared_away(void **state)
{
    (void)state;
    int64_t to = endpoint("whk_a"), id = 0, missed;
    bool more = true;
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        id = add(to, name, "order a", NOW);
    }
    struct webhook_attempt a = { .endpoint = to, .message = id, .at_ms = NOW, .why = S("") };
    struct webhook_result r;
    DO(webhook_endpoint_set_state(c, to, WEBHOOK_REMOVED, S(""), NOW, &err));
    assert_int_equal(rows("webhook_secrets"), 0);
    assert_int_equal(webhook_endpoint_id(c, S("whk_a"), &(int64_t){ 0 }, &err), ERR_NOT_FOUND);
    DO(webhook_delivery_add(c, to, id + 1, S(""), NOW, &err));
    assert_int_equal(rows("webhook_deliveries"), 5);
    assert_int_equal(webhook_record(c, &a, NOW, &r, &err), ERR_NOT_FOUND); /* an answer that comes late */
    for (int i = 0; more && i < 10; i++)
        DO(webhook_sweep(c, NOW - 1, 2, NOW, &missed, &more, &err));
    assert_false(more);
    assert_int_equal(rows("webhook_deliveries"), 0);
    assert_int_equal(rows("webhook_attempts"), 0);
    assert_int_equal(rows("webhook_endpoints"), 0);
    assert_int_equal(rows("webhook_messages"), 5); /* others may have them; they go with time */
    assert_int_not_equal(endpoint("whk_b"), to);   /* the number is not used again */
}

/* Looking costs what is due, not what waits: the number of rows that SQLite walks is what is asked for. */
static void very_many_that_wait_cost_nothing_to_whoever_looks(void **state)
{
    enum { MANY = 5000 };
    (void)state;
    int64_t to = endpoint("whk_a");
    DO(store_begin(c, &err));
    for (int i = 0; i < MANY; i++) {
        char name[32], line[32];
        snprintf(name, sizeof name, "m%d", i);
        snprintf(line, sizeof line, "order %d", i % 100);
        add(to, name, line, NOW);
    }
    DO(store_commit(c, &err));
    struct store_stmt *s;
    char plan[400] = "";
    DO(store_prepare(c,
                     "EXPLAIN QUERY PLAN SELECT m.id FROM webhook_deliveries d INDEXED BY webhook_due CROSS JOIN webhook_messages m"
                     " ON m.id = d.message WHERE d.endpoint = ?1 AND d.due_ms <= ?2 ORDER BY d.due_ms, d.message LIMIT ?3",
                     &s, &err));
    while (store_step(s, &err) == 1) {
        size_t len = strlen(plan);
        snprintf(plan + len, sizeof plan - len, "%.*s;", SLICE_FMT(store_column_text(s, 3)));
    }
    assert_non_null(strstr(plan, "webhook_due (endpoint=? AND due_ms<?)"));
    assert_null(strstr(plan, "TEMP B-TREE"));
    struct found f = { 0 };
    DO(webhook_each_due(c, to, NOW, 3, note, &f, &err));
    assert_string_equal(f.text, "m0 m1 m2");
    int64_t n = 0;
    DO(store_prepare(c, "SELECT count(*) FROM webhook_deliveries WHERE due_ms IS NOT NULL", &s, &err));
    if (store_step(s, &err) == 1)
        n = store_column_int(s, 0);
    store_reset(s);
    assert_int_equal(n, 100); /* one of each line */
}

/* --- what always holds ----------------------------------------------------------------------------------------------------- */

/* Of each line with something open the oldest waits, alone; what has ended has no time. */
static void check_lines(void)
{
    static const char *const wrong[] = {
        "SELECT count(*) FROM webhook_deliveries WHERE (standing = 1) <> (due_ms IS NOT NULL)",
        "SELECT count(*) FROM webhook_deliveries WHERE standing = 2 AND line = ''",
        "SELECT count(*) FROM webhook_deliveries d WHERE standing = 1 AND line <> '' AND EXISTS (SELECT 1 FROM webhook_deliveries e"
        " WHERE e.endpoint = d.endpoint AND e.line = d.line AND e.standing <= 2 AND e.message < d.message)",
        "SELECT count(*) FROM webhook_deliveries d WHERE standing = 2 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries e"
        " WHERE e.endpoint = d.endpoint AND e.line = d.line AND e.standing = 1 AND e.message < d.message)",
        "SELECT count(*) FROM webhook_deliveries d WHERE NOT EXISTS (SELECT 1 FROM webhook_messages m WHERE m.id = d.message)",
        "SELECT count(*) FROM webhook_attempts a WHERE NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint = a.endpoint"
        " AND d.message = a.message)",
        "SELECT count(*) FROM webhook_deliveries d WHERE attempts <> (SELECT count(*) FROM webhook_attempts a WHERE a.endpoint ="
        " d.endpoint AND a.message = d.message)",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct store_stmt *s;
        if (store_prepare(c, wrong[i], &s, &err) < 0 || store_step(s, &err) != 1)
            fail_msg("%s", err.text);
        int64_t n = store_column_int(s, 0);
        store_reset(s);
        if (n)
            fail_msg("%lld rows: %s", (long long)n, wrong[i]);
    }
}

static struct random_seeded chance;

static unsigned below(unsigned n)
{
    return (unsigned)(random_seeded_next(&chance) % n);
}

static void do_something(const int64_t to[2], int *made, int64_t *now_ms)
{
    static const int statuses[] = { 200, 200, 200, 204, 500, 503, 0, 429 };
    char name[24], line[24];
    struct webhook_result r;
    int64_t one = to[below(2)], after = 0, n, missed;
    bool more;
    switch (below(10)) {
    case 0:
    case 1:
    case 2:
        snprintf(name, sizeof name, "m%d", (*made)++);
        snprintf(line, sizeof line, "order %u", below(4));
        add(one, name, below(5) ? line : "", *now_ms);
        break;
    case 3:
    case 4:
    case 5:
    case 6: { /* one that is due, or was before it was moved */
        struct found f = { 0 };
        int status = statuses[below(8)];
        DO(webhook_each_due(c, one, *now_ms, 1 + (int)below(3), note, &f, &err));
        if (!f.len)
            break;
        struct webhook_attempt a = { .endpoint = one,
                                     .message = f.last.message,
                                     .due_ms = f.last.due_ms - !below(8),
                                     .at_ms = *now_ms,
                                     .status = status,
                                     .taken = status == 200 || status == 204,
                                     .why = S("why"),
                                     .not_before_ms = status == 429 ? *now_ms + HOUR : 0,
                                     .chance_permille = below(1001) };
        DO(webhook_record(c, &a, *now_ms, &r, &err));
        break;
    }
    case 7:
        snprintf(name, sizeof name, "m%u", below((unsigned)*made + 1));
        webhook_replay(c, one, S(name), *now_ms, &err); /* there may be none */
        break;
    case 8:
        DO(webhook_replay_since(c, one, *now_ms - (int64_t)below(1000) * MINUTE, below(2), &after, (int)below(5), *now_ms, &n, &more,
                                &err));
        break;
    default:
        if (below(4) == 0)
            DO(webhook_sweep(c, *now_ms - 40 * HOUR, 1 + (int)below(20), *now_ms, &missed, &more, &err));
        *now_ms += (int64_t)below(300) * MINUTE;
    }
}

static void whatever_happens_each_line_has_its_first(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 3; seed++) {
        char names[2][16];
        int64_t to[2], now_ms = NOW;
        int made = 0;
        random_seeded_init(&chance, seed);
        for (int i = 0; i < 2; i++) {
            snprintf(names[i], sizeof names[i], "whk_%u%d", seed, i);
            to[i] = endpoint(names[i]);
        }
        made = (int)seed * 10000; /* ids are nobody else's */
        for (int i = 0; i < 800; i++) {
            do_something(to, &made, &now_ms);
            if (i % 10 == 0)
                check_lines();
        }
        check_lines();
    }
    struct store_stmt *s; /* the control: one that is left behind alone is seen */
    DO(store_prepare(c, "UPDATE webhook_deliveries SET standing = 2, due_ms = NULL WHERE standing = 1", &s, &err));
    DO(store_run(s, NULL, &err));
    DO(store_prepare(c,
                     "SELECT count(*) FROM webhook_deliveries d WHERE standing = 2 AND NOT EXISTS (SELECT 1 FROM webhook_deliveries e"
                     " WHERE e.endpoint = d.endpoint AND e.line = d.line AND e.standing = 1)",
                     &s, &err));
    assert_int_equal(store_step(s, &err), 1);
    assert_true(store_column_int(s, 0) > 0);
    store_reset(s);
}

/* What is noted costs the line that it stands in, not all that waits or was taken: of processor time, against a table that is small. */
static double cpu_of_noting(int rows_before, const char *name)
{
    enum { NOTED = 200 };
    int64_t to = endpoint(name);
    DO(store_begin(c, &err));
    for (int i = 0; i < rows_before; i++) {
        char id[40], line[32];
        snprintf(id, sizeof id, "%s-%d", name, i);
        snprintf(line, sizeof line, "order %d", i / 3);
        add(to, id, line, NOW);
    }
    clock_t began = clock();
    for (int i = 0; i < NOTED; i++) {
        struct found f = { 0 };
        DO(webhook_each_due(c, to, NOW + 1, 1, note, &f, &err));
        struct webhook_result r;
        struct webhook_attempt a = {
            .endpoint = to, .message = f.last.message, .due_ms = f.last.due_ms, .at_ms = NOW, .status = 200, .taken = true, .why = S("")
        };
        DO(webhook_record(c, &a, NOW + 1, &r, &err));
    }
    double spent = (double)(clock() - began) / CLOCKS_PER_SEC;
    DO(store_commit(c, &err));
    return spent;
}

static void noting_costs_the_same_with_very_many(void **state)
{
    (void)state;
    double small = cpu_of_noting(300, "whk_small"), large = cpu_of_noting(8000, "whk_large");
    if (large > 5 * small + 0.02)
        fail_msg("200 were noted in %.3f s beside 8,000, in %.3f s beside 300", large, small);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(one_line_is_brought_in_its_order),
        UNIT(tries_end_after_days_and_the_next_has_its_turn),
        UNIT(chance_only_adds_to_the_wait),
        UNIT(an_endpoint_that_fails_rests_longer_each_time),
        UNIT(gone_disables_at_once_and_loses_nothing),
        UNIT(retry_after_is_kept),
        UNIT(what_was_moved_by_hand_meanwhile_stays_where_it_is),
        UNIT(replayed_it_stands_in_its_line_again),
        UNIT(all_since_a_time_come_again_in_pieces),
        UNIT(every_attempt_is_in_the_log),
        UNIT(lists_have_newest_first_and_pages),
        UNIT(earlier_secrets_sign_until_they_end),
        UNIT(the_old_are_forgotten_and_those_behind_go_on),
        UNIT(a_removed_endpoint_hears_nothing_and_is_cleared_away),
        UNIT(whatever_happens_each_line_has_its_first),
        UNIT(noting_costs_the_same_with_very_many),
        UNIT(very_many_that_wait_cost_nothing_to_whoever_looks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
