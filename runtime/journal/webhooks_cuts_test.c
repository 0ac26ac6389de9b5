/* Power cuts at any moment, and a receiver outside of the machine that remembers what it was sent: everything that was acknowledged reaches
 * it, with the same id and bytes each time, and of each line nothing before what came before it. */
#include "journal/webhooks.h"
#include "base/random.h"
#include "store/faultvfs.h"
#include "store/writer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define S(text) slice_str(text)
enum { EMITTED = 2500, LINES = 5, AT_ONCE = 20 };

struct step {
    struct writer_command base;
    int number; /* to emit; 0: to note this attempt */
    struct webhook_attempt attempt;
    bool acknowledged;
};

struct world {
    struct faultvfs *disk;
    struct random_seeded random;
    struct store *store;
    struct writer *writer;
    int64_t endpoint, now_ms;
    int next;
    struct step *all;        /* by number */
    unsigned char *received; /* how often, by number; 255 at most */
    struct step noting[AT_ONCE];
    int under_way, sent, again;
    bool overtaken, other_bytes; /* what must not be */
};

static struct store *open_store(void)
{
    static struct store_migration schema[] = { { 1, "webhooks", NULL }, { 0 } };
    struct store *s;
    struct err err;
    schema[0].sql = journal_webhooks_schema_sql();
    if (store_open(&(struct store_options){ .path = "shop.db", .vfs = "webhook_cuts", .migrations = schema }, &s, &err) < 0)
        fail_msg("%s", err.text);
    return s;
}

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)(random_seeded_next(&w->random) % n);
}

/* --- with the writer --------------------------------------------------------------------------------------------------------- */

static int run_step(struct writer_command *base, struct store_conn *c, struct err *err)
{
    struct step *t = (struct step *)base;
    struct webhook_result ignored;
    char id[24], line[24], body[40];
    int64_t message;
    if (t->number == 0) {
        int rc = webhook_record(c, &t->attempt, t->attempt.at_ms, &ignored, err);
        return rc == ERR_NOT_FOUND ? 0 : rc;
    }
    snprintf(id, sizeof id, "msg_%d", t->number);
    snprintf(line, sizeof line, "order %d", t->number % LINES);
    snprintf(body, sizeof body, "body of %d", t->number);
    int rc = webhook_message_add(c, S(id), S("order.paid"), S(body), t->attempt.at_ms, &message, err);
    return rc < 0 ? rc : webhook_delivery_add(c, t->attempt.endpoint, message, S(line), t->attempt.at_ms, err);
}

static void step_done(struct writer_command *base, int rc, const struct err *err)
{
    (void)err;
    struct step *t = (struct step *)base;
    t->acknowledged = t->acknowledged || rc == 0;
}

static void submit(struct world *w, struct step *t)
{
    t->base = (struct writer_command){ .run = run_step, .done = step_done };
    writer_submit(w->writer, &t->base, NULL);
}

/* --- the receiver --------------------------------------------------------------------------------------------------------------- */

/* It is sent, and perhaps taken; whether that is ever noted is another matter. */
static int send_one(void *ctx, const struct webhook_delivery *d)
{
    struct world *w = ctx;
    char body[40];
    int n = atoi(d->message_id.data + 4);
    bool takes = below(w, 4) > 0;
    snprintf(body, sizeof body, "body of %d", n);
    w->other_bytes = w->other_bytes || !slice_is(d->body, body);
    for (int before = n - LINES; before > 0; before -= LINES)
        w->overtaken = w->overtaken || (w->all[before].acknowledged && !w->received[before]);
    w->sent++;
    w->again += w->received[n] > 0;
    if (takes && w->received[n] < 255)
        w->received[n]++;
    struct step *t = &w->noting[w->under_way++];
    *t = (struct step){ .attempt = { .endpoint = w->endpoint,
                                     .message = d->message,
                                     .due_ms = d->due_ms,
                                     .at_ms = w->now_ms,
                                     .status = takes ? 200 : 500,
                                     .taken = takes,
                                     .why = S(takes ? "" : "It answered 500.") } };
    return w->under_way == AT_ONCE;
}

static void send_due(struct world *w)
{
    w->under_way = 0;
    w->now_ms += 3600000; /* so that what failed is due again, mostly */
    webhook_each_due(store_writer_conn(w->store), w->endpoint, w->now_ms, 1 + (int)below(w, AT_ONCE), send_one, w, NULL);
    for (int i = 0; i < w->under_way; i++)
        submit(w, &w->noting[i]);
}

/* --- the whole --------------------------------------------------------------------------------------------------------------------- */

static void begin(struct world *w)
{
    w->store = open_store();
    assert_int_equal(writer_open(&(struct writer_options){ .store = w->store, .checkpoint_pages = 25 }, &w->writer, NULL), 0);
}

static void end(struct world *w)
{
    writer_free(w->writer);
    store_close(w->store);
}

static void until_the_power_is_cut(struct world *w)
{
    while (!faultvfs_is_cut(w->disk) && w->next < EMITTED - 40) {
        for (unsigned n = 1 + below(w, 15); n > 0; n--, w->next++) {
            w->all[w->next] = (struct step){ .number = w->next, .attempt = { .endpoint = w->endpoint, .at_ms = w->now_ms } };
            submit(w, &w->all[w->next]);
        }
        send_due(w);
        writer_step(w->writer);
    }
}

static void drain(struct world *w)
{
    int64_t open = 1, oldest;
    for (int i = 0; open && i < 20000; i++) {
        send_due(w);
        writer_step(w->writer);
        assert_int_equal(webhook_backlog(store_writer_conn(w->store), w->endpoint, 10, &open, &oldest, NULL), 0);
    }
    assert_int_equal(open, 0);
}

static int make_endpoint(struct world *w)
{
    struct store *s = open_store();
    struct webhook_endpoint e = {
        .name = S("whk_1"), .url = S("https://example.com"), .label = S(""), .events = S("[]"), .personal = S("[]"), .ordered = true
    };
    int rc = webhook_endpoint_add(store_writer_conn(s), &e, &w->endpoint, NULL);
    store_close(s);
    return rc;
}

static void what_was_acknowledged_arrives_in_its_order_through_power_cuts(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->all = calloc(EMITTED + 1, sizeof *w->all);
    w->received = calloc(EMITTED + 1, 1);
    assert_true(w->all && w->received);
    w->next = 1;
    w->now_ms = 1000;
    random_seeded_init(&w->random, 11);
    assert_int_equal(faultvfs_open("webhook_cuts", 11, &w->disk, NULL), 0);
    assert_int_equal(make_endpoint(w), 0);
    while (w->next < EMITTED - 40) {
        begin(w);
        faultvfs_cut_at(w->disk, 1 + below(w, 200));
        until_the_power_is_cut(w);
        end(w);
        faultvfs_restart(w->disk);
    }
    assert_true(faultvfs_counts(w->disk).cuts > 20);
    begin(w);
    drain(w);
    int lost = 0, acknowledged = 0;
    for (int i = 1; i < w->next; i++) {
        acknowledged += w->all[i].acknowledged;
        lost += w->all[i].acknowledged && !w->received[i];
    }
    assert_int_equal(lost, 0);
    assert_true(acknowledged > 1000);
    assert_true(w->again > 5); /* cuts between delivery and record: the same comes again */
    assert_false(w->overtaken);
    assert_false(w->other_bytes);
    /* The control: the check of the order sees one that was not received. */
    struct step *last = &w->all[w->next - 1];
    while (!last->acknowledged)
        last--;
    char next[24];
    snprintf(next, sizeof next, "msg_%d", last->number + LINES);
    w->received[last->number] = 0;
    w->under_way = 0;
    send_one(w, &(struct webhook_delivery){ .message_id = S(next), .body = S("?") });
    assert_true(w->overtaken && w->other_bytes);
    end(w);
    faultvfs_close(w->disk);
    free(w->received);
    free(w->all);
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(what_was_acknowledged_arrives_in_its_order_through_power_cuts) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
