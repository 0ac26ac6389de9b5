#include "host/webhooks/webhook_send.h"
#include "base/log.h"
#include "host/webhooks/webhooks.h"
#include "host/worker.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    LOOK_EVERY_MS = 200,
    AT_ONCE = 8,       /* requests to one endpoint */
    ANSWER_MAX = 4096, /* of its body: only what failed is kept, and little of it */
    QUOTED_MAX = 200,  /* of that */
    HEADERS = 5,
};
#define ANSWER_WITHIN_MS 15000

struct sending {
    struct webhook_sender *owner;
    struct sending *next;
    struct webhook_set *set; /* counted */
    const struct webhook *to;
    struct arena arena;
    int64_t message;
    struct slice message_id, body;
    struct worker *worker;
    struct outbound_call *call; /* while it is under way; the worker's */
    struct loop_post post;
    int64_t began_ns;
    struct webhook_attempt attempt; /* what is to be noted */
    bool answered;                  /* the worker's, until it hands it back: there is something to note */
    bool to_note, noting;           /* the keeper's: still to be noted; with the writer */
    char why[400];
    struct writer_command command;
    int noted; /* the writer's answer */
    struct webhook_result result;
};

struct webhook_sender {
    struct shop *shop;
    struct loop *loop;
    struct loop_timer *tick;
    struct store_conn *conn;
    struct sending *list;
    bool stopped;
};

static void look_at(struct webhook_sender *w, struct webhook_set *set, const struct webhook *one);

/* --- its end --------------------------------------------------------------------------------------------------------------- */

static void forget(struct sending *x)
{
    struct sending **at = &x->owner->list;
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    if (x->call)
        outbound_cancel(x->call);
    webhook_set_release(x->set);
    arena_release(&x->arena);
    free(x);
}

/* The endpoint as it is now, not as it was when this began. */
static void look_again(struct webhook_sender *w, const char *name)
{
    struct webhook_set *set = webhooks_acquire(w->shop->webhooks);
    const struct webhook *one = webhook_set_find(set, slice_str(name));
    if (one)
        look_at(w, set, one);
    webhook_set_release(set);
}

static void noted(struct loop_post *post)
{
    struct sending *x = (struct sending *)((char *)post - offsetof(struct sending, post));
    struct webhook_sender *w = x->owner;
    char name[WEBHOOK_ID_MAX];
    snprintf(name, sizeof name, "%s", x->to->name);
    x->noting = false;
    x->to_note = x->noted < 0;
    if (x->to_note)
        return; /* the tick tries again */
    forget(x);
    look_again(w, name);
}

/* --- noting what became of it ---------------------------------------------------------------------------------------------- */

static void say(const struct sending *x)
{
    struct shop *s = x->owner->shop;
    struct log *log = s->options.log;
    const struct webhook_result *r = &x->result;
    metric_add(x->attempt.taken ? &s->metrics.webhooks_taken : &s->metrics.webhooks_failed, 1);
    if (r->given_up) {
        metric_add(&s->metrics.webhooks_given_up, 1);
        log_warn(log, "webhook.given_up", "A message was refused too often and is not sent any more; see why: feira webhooks SHOP log ID.",
                 LOG_STR("webhook", x->to->name), LOG_SLICE("message", x->message_id), LOG_STR("last", x->why));
    }
    if (r->disabled)
        log_error(
            log, "webhook.disabled",
            "Nothing is sent to this endpoint any more; what it misses is kept for 14 days. Mend it, then: feira webhooks SHOP resume ID.",
            LOG_STR("webhook", x->to->name), LOG_SLICE("label", x->to->label), LOG_STR("last", x->why));
    else if (!x->attempt.taken && r->failures == WEBHOOK_RESTS_FROM)
        log_warn(log, "webhook.failed", "An endpoint fails again and again; between longer and longer rests one message tries it.",
                 LOG_STR("webhook", x->to->name), LOG_SLICE("message", x->message_id), LOG_STR("last", x->why));
}

static int note(struct writer_command *cmd, struct store_conn *conn, struct err *err)
{
    struct sending *x = (struct sending *)((char *)cmd - offsetof(struct sending, command));
    struct shop *s = x->owner->shop;
    int64_t now_ms = clock_wall_ms(s->options.clock);
    int rc = webhook_record(conn, &x->attempt, now_ms, &x->result, err);
    if (rc == ERR_NOT_FOUND)
        return 0; /* forgotten, or its endpoint was removed */
    if (rc == 0 && x->result.disabled)
        rc = timer_set(conn, SLICE_LIT("webhooks.disabled"), slice_str(x->to->name), now_ms, err);
    s->procedures.webhooks_changed = s->procedures.webhooks_changed || x->result.health_changed;
    return rc;
}

static void note_done(struct writer_command *cmd, int rc, const struct err *err)
{
    struct sending *x = (struct sending *)((char *)cmd - offsetof(struct sending, command));
    x->noted = rc;
    if (rc < 0)
        log_error(x->owner->shop->options.log, "webhook.not_noted", err->text, LOG_SLICE("message", x->message_id));
    else
        say(x);
    x->post.fn = noted;
    loop_post(x->owner->loop, &x->post);
}

static void note_now(struct sending *x)
{
    x->command = (struct writer_command){ .run = note, .done = note_done };
    x->noting = true;
    if (writer_submit(x->owner->shop->writer, &x->command, NULL) < 0)
        x->noting = false; /* the queue is full: with the next tick. Until then nothing else is sent in its place */
}

static void answered_on_keeper(struct loop_post *post)
{
    struct sending *x = (struct sending *)((char *)post - offsetof(struct sending, post));
    x->to_note = x->answered;
    if (x->to_note)
        note_now(x);
    else
        forget(x); /* it was not sent; the tick finds it again */
}

static void back_to_keeper(struct sending *x)
{
    x->post.fn = answered_on_keeper;
    loop_post(x->owner->loop, &x->post);
}

/* --- on the worker --------------------------------------------------------------------------------------------------------- */

static struct slice header(const struct outbound_answer *a, const char *name)
{
    for (size_t i = 0; i < a->header_count; i++)
        if (a->headers[i].name.len == strlen(name) && strncasecmp(a->headers[i].name.data, name, strlen(name)) == 0)
            return a->headers[i].value;
    return slice_str("");
}

/* What stands in an answer is anybody's text: one line of it, and nothing that is none. */
static void quote_answer(struct slice body, char out[QUOTED_MAX + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < body.len && n < QUOTED_MAX; i++) {
        unsigned char ch = (unsigned char)body.data[i];
        if (ch <= ' ' || ch >= 0x7f)
            ch = ' ';
        if (ch != ' ' || (n && out[n - 1] != ' '))
            out[n++] = (char)ch;
    }
    out[n] = '\0';
}

static void read_answer(struct sending *x, const struct outbound_answer *a)
{
    char quoted[QUOTED_MAX + 1];
    struct webhook_attempt *t = &x->attempt;
    t->status = a->status;
    t->taken = a->status >= 200 && a->status < 300;
    t->gone = a->status == 410;
    if (t->taken)
        return;
    t->not_before_ms = webhook_retry_after(header(a, "Retry-After"), clock_wall_ms(x->owner->shop->options.clock));
    quote_answer(a->body, quoted);
    snprintf(x->why, sizeof x->why, "It answered %d%s%s%s%s", a->status,
             a->status >= 300 && a->status < 400 ? ", and redirects are not followed" : "", t->gone ? " Gone" : "", *quoted ? ": " : ".",
             quoted);
}

static void attempt_over(struct sending *x)
{
    struct webhook_attempt *t = &x->attempt;
    uint16_t chance;
    random_fill(x->owner->shop->options.random, &chance, sizeof chance);
    t->took_ms = (clock_mono_ns(x->owner->shop->options.clock) - x->began_ns) / 1000000;
    t->chance_permille = chance % 1001;
    t->why = slice_str(x->why);
    x->answered = true;
    back_to_keeper(x);
}

static void on_answer(void *ctx, int rc, const struct outbound_answer *answer, const struct err *err)
{
    struct sending *x = ctx;
    x->call = NULL;
    if (rc == ERR_NOMEM) {
        back_to_keeper(x); /* no fault of the endpoint */
        return;
    }
    if (rc == 0)
        read_answer(x, answer);
    else
        snprintf(x->why, sizeof x->why, "%.390s.", err->text);
    attempt_over(x);
}

static int open_outbound(struct worker *w, struct err *err)
{
    if (w->webhooks)
        return 0;
    struct outbound_options o = w->shop->options.outbound;
    o.may_be_local = w->shop->options.webhooks_may_be_local;
    o.at_once = (size_t)WEBHOOKS_MAX * AT_ONCE; /* each endpoint has its share, so no other can take it */
    return outbound_open(w->loop, &o, &w->webhooks, err);
}

static int send_it(struct sending *x, struct err *err)
{
    char signatures[WEBHOOK_SIGNATURES_MAX], seconds[24];
    struct shop *s = x->owner->shop;
    x->attempt.at_ms = clock_wall_ms(s->options.clock);
    x->began_ns = clock_mono_ns(s->options.clock);
    snprintf(seconds, sizeof seconds, "%lld", (long long)(x->attempt.at_ms / 1000));
    int rc = open_outbound(x->worker, err);
    if (rc == 0)
        rc = webhook_sign(x->to, x->message_id, x->attempt.at_ms, x->body, signatures, err);
    if (rc < 0)
        return rc;
    struct http_header headers[HEADERS] = { { SLICE_LIT("Content-Type"), SLICE_LIT("application/json") },
                                            { SLICE_LIT("webhook-id"), x->message_id },
                                            { SLICE_LIT("webhook-timestamp"), slice_str(seconds) },
                                            { SLICE_LIT("webhook-signature"), slice_str(signatures) },
                                            { SLICE_LIT("User-Agent"), SLICE_LIT("feira/" FEIRA_VERSION) } };
    struct outbound_request r = { .method = "POST",
                                  .url = x->to->url,
                                  .headers = headers,
                                  .header_count = HEADERS,
                                  .body = x->body,
                                  .has_body = true,
                                  .timeout_ms = ANSWER_WITHIN_MS,
                                  .answer_bytes_max = ANSWER_MAX,
                                  .cut_long_answers = true };
    return outbound_send(x->worker->webhooks, &r, on_answer, x, &x->call, err);
}

static void begin_on_worker(struct loop_post *post)
{
    struct sending *x = (struct sending *)((char *)post - offsetof(struct sending, post));
    struct err err = { 0 };
    if (atomic_load(&x->owner->shop->draining)) {
        back_to_keeper(x);
        return;
    }
    int rc = send_it(x, &err);
    if (rc == ERR_INVALID) { /* the URL: without TLS, and that is not allowed (any more) */
        snprintf(x->why, sizeof x->why, "%.390s.", err.text);
        attempt_over(x);
    } else if (rc < 0) {
        back_to_keeper(x);
    }
}

/* --- looking --------------------------------------------------------------------------------------------------------------- */

struct looking {
    struct webhook_sender *sender;
    struct webhook_set *set;
    const struct webhook *one;
    size_t room;
};

static bool under_way(const struct webhook_sender *w, int64_t endpoint, int64_t message)
{
    for (const struct sending *x = w->list; x; x = x->next)
        if (x->to->id == endpoint && x->message == message)
            return true;
    return false;
}

static int begin(void *ctx, const struct webhook_delivery *d)
{
    struct looking *l = ctx;
    struct webhook_sender *w = l->sender;
    if (under_way(w, l->one->id, d->message))
        return 0;
    if (l->room == 0)
        return 1;
    struct sending *x = calloc(1, sizeof *x);
    if (!x)
        return 1;
    arena_init(&x->arena, NULL, 0);
    x->owner = w;
    x->set = webhook_set_ref(l->set);
    x->to = l->one;
    x->message = d->message;
    x->message_id = arena_copy(&x->arena, d->message_id);
    x->body = arena_copy(&x->arena, d->body);
    x->attempt = (struct webhook_attempt){ .endpoint = l->one->id, .message = d->message, .due_ms = d->due_ms };
    x->next = w->list;
    w->list = x;
    if (!x->message_id.data || !x->body.data) {
        forget(x);
        return 1;
    }
    l->room--;
    x->worker = w->shop->workers[l->one->id % w->shop->worker_count];
    x->post.fn = begin_on_worker;
    loop_post(x->worker->loop, &x->post);
    return 0;
}

static void look_at(struct webhook_sender *w, struct webhook_set *set, const struct webhook *one)
{
    int64_t now_ms = clock_wall_ms(w->shop->options.clock);
    size_t busy = 0, at_once = one->failures ? 1 : AT_ONCE; /* whoever fails is not run down */
    struct err err = { 0 };
    if (w->stopped || one->state != WEBHOOK_ACTIVE || one->rests_until_ms > now_ms)
        return;
    for (const struct sending *x = w->list; x; x = x->next)
        busy += x->to->id == one->id;
    if (busy >= at_once)
        return;
    struct looking l = { w, set, one, at_once - busy };
    /* What is under way is still due, so it is found, too. */
    if (webhook_each_due(w->conn, one->id, now_ms, (int)(l.room + busy), begin, &l, &err) < 0)
        log_error(w->shop->options.log, "webhook.failed", err.text);
}

static void look(void *ctx)
{
    struct webhook_sender *w = ctx;
    if (atomic_load(&w->shop->draining))
        return;
    for (struct sending *x = w->list; x; x = x->next)
        if (!x->noting && x->to_note)
            note_now(x);
    struct webhook_set *set = webhooks_acquire(w->shop->webhooks);
    for (size_t i = 0; i < webhook_set_count(set); i++)
        look_at(w, set, webhook_set_at(set, i));
    webhook_set_release(set);
}

/* --- life ------------------------------------------------------------------------------------------------------------------ */

int webhook_sender_open(struct shop *s, struct loop *loop, struct webhook_sender **out, struct err *err)
{
    struct webhook_sender *w = *out = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    w->shop = s;
    w->loop = loop;
    int rc = store_reader_open(s->store, &w->conn, err);
    if (rc == 0 && !(w->tick = loop_timer_new(loop, look, w)))
        rc = err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc < 0) {
        webhook_sender_close(w);
        *out = NULL;
        return rc;
    }
    loop_timer_start(w->tick, 0, LOOK_EVERY_MS);
    return 0;
}

void webhook_sender_stop(struct webhook_sender *w)
{
    w->stopped = true;
    loop_timer_stop(w->tick);
}

void webhook_sender_close(struct webhook_sender *w)
{
    if (!w)
        return;
    while (w->list)
        forget(w->list);
    loop_timer_free(w->tick);
    if (w->conn)
        store_reader_close(w->conn);
    free(w);
}
