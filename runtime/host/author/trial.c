#include "host/author/trial.h"
#include "host/author/trial_world.h"
#include "bind/bridge.h"
#include "host/publish/edition.h"
#include "host/publish/publish.h"
#include "host/author/scratch.h"
#include "host/author/stage.h"
#include "host/plugins/streams.h"
#include "host/author/trial_call.h"
#include "journal/events.h"
#include <stdlib.h>

enum { STEPS_MAX = 100000, LOOK_EVERY_MS = 1 };
static const int64_t TRIAL_BEGINS_MS = 1767603600000; /* Monday, 2026-01-05 09:00 UTC */
static const int64_t TRIAL_FUEL = 200000000;          /* a whole file of specs */

struct trial {
    const char *dir;
    struct stage *stage; /* NULL: the shop is what lies in its folder */
    struct buf outside;  /* what the specs said of it outside of their tests, as JSON: each test begins with that */
    bool testing;        /* between fresh() and result() */
    const struct trial_events *events;
    struct log *log;
    char data[SCRATCH_MAX];
    struct clock clock;
    atomic_llong passed_ms; /* since TRIAL_BEGINS_MS; the writer and the publisher look at the clock, too */
    struct random_seeded random;
    struct shop *shop;
    struct loop *loop;
    struct timer_pump *pump;
    struct loop_timer *until_idle;
    struct store_conn *conn;
    struct arena arena;
    struct vm *vm; /* of the specs */
    vm_ref world;  /* a function of theirs that stands for the outside; 0 = nobody answers */
    struct bind_context bind;
    struct bind_bridge bridge;
    struct edition *edition; /* whose currency and zone the specs know */
};

/* --- the clock ----------------------------------------------------------------------------------------------------------- */

static int64_t wall_ms(void *ctx)
{
    return TRIAL_BEGINS_MS + atomic_load(&((struct trial *)ctx)->passed_ms);
}

static int64_t mono_ns(void *ctx)
{
    return atomic_load(&((struct trial *)ctx)->passed_ms) * 1000000;
}

/* --- the shop ----------------------------------------------------------------------------------------------------------- */

static void look_whether_idle(void *ctx)
{
    struct trial *t = ctx;
    if (!timer_pump_is_busy(t->pump))
        loop_stop(t->loop);
}

static void shut(struct trial *t)
{
    if (t->shop && t->shop->writer)
        writer_stop(t->shop->writer);
    if (t->pump)
        timer_pump_finish(t->pump);
    timer_pump_close(t->pump);
    loop_timer_free(t->until_idle);
    edition_unref(t->edition);
    if (t->conn)
        store_reader_close(t->conn);
    if (t->loop)
        loop_close(t->loop);
    shop_close(t->shop);
    scratch_remove(t->data);
    t->pump = NULL;
    t->until_idle = NULL;
    t->edition = NULL;
    t->conn = NULL;
    t->loop = NULL;
    t->shop = NULL;
    t->bind.zone = NULL;
    t->data[0] = '\0';
}

static int trial_outside(void *ctx, const struct outbound_request *r, struct outbound_answer *answer, struct err *err)
{
    struct trial *t = ctx;
    return trial_world_answer(t->vm, t->world, &t->arena, r, answer, err);
}

static int open_shop(struct trial *t, struct err *err)
{
    t->clock = (struct clock){ wall_ms, mono_ns, t };
    random_seeded_init(&t->random, 1); /* the same ids in every run */
    int rc = scratch_make(t->data, err);
    struct shop_options o = { .dir = t->dir,
                              .data_dir = t->data,
                              .clock = &t->clock,
                              .random = &t->random.face,
                              .log = t->log,
                              .made_up_secrets = true,
                              .outside = trial_outside,
                              .outside_ctx = t };
    if (rc == 0)
        rc = shop_open(&o, &t->shop, err);
    if (rc == 0)
        rc = loop_open(&t->loop, err);
    if (rc == 0)
        rc = timer_pump_open(t->shop, t->loop, &t->pump, err);
    if (rc == 0)
        rc = store_reader_open(t->shop->store, &t->conn, err);
    if (rc == 0 && !(t->until_idle = loop_timer_new(t->loop, look_whether_idle, t)))
        rc = err_set(err, ERR_NOMEM, "Out of memory.");
    if (rc < 0)
        return rc;
    streams_keep(t->shop->streams);
    t->edition = publisher_live(t->shop->publisher);
    t->bind.currency = generation_settings(t->edition->generation)->currency;
    t->bind.zone = generation_zone(t->edition->generation);
    return 0;
}

/* --- what specs can do ------------------------------------------------------------------------------------------------- */

static int make_up(struct trial *t, const struct json_value *shop, struct err *err)
{
    struct slice currency = SLICE_LIT("EUR");
    int rc = stage_set(t->stage, shop, err);
    json_is_string(json_get(shop, "currency"), &currency);
    return rc < 0 ? rc : currency_find(currency, &t->bind.currency, err);
}

static int restage(struct trial *t, struct err *err)
{
    struct json_value *shop = NULL;
    int rc = t->outside.len ? json_parse(buf_slice(&t->outside), NULL, &t->arena, &shop, err) : 0;
    return rc < 0 ? rc : make_up(t, shop, err);
}

static int remember_outside(struct trial *t, const struct json_value *shop, struct err *err)
{
    struct json_writer w;
    buf_clear(&t->outside);
    json_writer_init(&w, &t->outside);
    json_value_write(&w, shop);
    return t->outside.failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
}

static void set_world(void *ctx, vm_ref fn)
{
    struct trial *t = ctx;
    if (t->world)
        vm_release(t->vm, t->world);
    t->world = fn;
}

static int fresh(void *ctx, struct err *err)
{
    struct trial *t = ctx;
    shut(t);
    arena_reset(&t->arena);
    set_world(t, 0);
    atomic_store(&t->passed_ms, 0);
    t->testing = true;
    return t->stage ? restage(t, err) : open_shop(t, err);
}

/* The shop of a plugin's specs opens when it is first needed: until then they may say what it is. */
static int need_shop(struct trial *t, struct err *err)
{
    if (t->shop)
        return 0;
    int rc = open_shop(t, err);
    if (rc == 0)
        return 0;
    shut(t);
    return t->stage ? err_wrap(err, "the shop of these specs can't be; say what it is with t:shop { settings = { ... } }") : rc;
}

static int request(void *ctx, const char *method, const char *target, struct slice caller, struct slice body, int *status,
                   struct buf *answer, struct err *err)
{
    struct trial *t = ctx;
    int rc = need_shop(t, err);
    return rc < 0 ? rc : shop_request_as(t->shop, caller, method, target, body, status, answer, err);
}

static int raw(void *ctx, const char *method, const char *target, struct slice headers, struct slice body, int *status, struct buf *answer,
               struct err *err)
{
    struct trial *t = ctx;
    struct desk *d;
    int rc = need_shop(t, err);
    if (rc == 0)
        rc = desk_open(t->shop, &d, err);
    if (rc < 0)
        return rc;
    rc = desk_ask(d, &(struct desk_request){ .method = method, .target = target, .body = body, .headers = headers }, status, answer, err);
    desk_close(d);
    return rc;
}

static int call(void *ctx, struct slice name, const struct json_value *args, struct slice *value, struct err *err)
{
    struct trial *t = ctx;
    int rc = need_shop(t, err);
    if (rc < 0)
        return rc;
    struct edition *e = publisher_live(t->shop->publisher);
    rc = trial_call_procedure(e, t->loop, name, args, &t->arena, value, err);
    edition_unref(e);
    return rc;
}

/* "event: NAME\ndata: JSON\n\n", as bind/stream.c makes it. */
static void streamed_one(struct json_writer *w, const struct stream_message *m)
{
    static const char event[] = "event: ", data[] = "data: ";
    struct slice rest = m->text, name = { 0 };
    if (rest.len > sizeof event && memcmp(rest.data, event, sizeof event - 1) == 0) {
        const char *end = memchr(rest.data, '\n', rest.len);
        name = slice_of(rest.data + sizeof event - 1, (size_t)(end - rest.data) - (sizeof event - 1));
        rest = slice_of(end + 1, (size_t)(rest.data + rest.len - end - 1));
    }
    json_object(w);
    json_key(w, "topic");
    json_string(w, m->topic);
    if (name.data) {
        json_key(w, "event");
        json_string(w, name);
    }
    json_key(w, "data");
    json_raw(w, slice_of(rest.data + sizeof data - 1, rest.len - (sizeof data - 1) - 2));
    if (m->last) {
        json_key(w, "last");
        json_bool(w, true);
    }
    json_object_end(w);
}

static int streamed(void *ctx, struct buf *out, struct err *err)
{
    struct trial *t = ctx;
    struct json_writer w;
    struct stream_message m;
    int rc = need_shop(t, err);
    if (rc < 0)
        return rc;
    const struct stream_batch *b = streams_kept(t->shop->streams);
    json_writer_init(&w, out);
    json_array(&w);
    for (size_t at = 0; b && stream_message_at(b, at, &m); at = m.next)
        streamed_one(&w, &m);
    json_array_end(&w);
    return 0;
}

static int now(void *ctx, int64_t *ms, struct err *err)
{
    *ms = wall_ms(ctx);
    return need_shop(ctx, err); /* which local time that is, the shop says */
}

/* keep: only the files change, as when somebody saves them. */
static int set_stage(void *ctx, const struct json_value *shop, bool keep, struct err *err)
{
    struct trial *t = ctx;
    if (!t->stage)
        return err_set(err, ERR_STATE, "this shop is what its files say; only the specs of a plugin make one up");
    int rc = make_up(t, shop, err);
    if (rc == 0 && !t->testing)
        rc = remember_outside(t, shop, err);
    if (!keep)
        shut(t);
    return rc;
}

static void fire_due(struct trial *t)
{
    timer_pump_look(t->pump);
    loop_timer_start(t->until_idle, 0, LOOK_EVERY_MS);
    loop_run(t->loop);
    loop_timer_stop(t->until_idle);
}

/* Of timers and events. */
static int next_due(struct trial *t, int64_t *due, struct err *err)
{
    int64_t event = 0;
    int timers = timer_next_due(t->conn, due, err), events = timers < 0 ? timers : event_next_due(t->conn, &event, err);
    if (events > 0 && (timers == 0 || event < *due))
        *due = event;
    return events != 0 ? events : timers;
}

/* From one due timer to the next, so that each sees the time it was set for. */
static int advance(void *ctx, int64_t ms, struct err *err)
{
    struct trial *t = ctx;
    int64_t due = 0, end = wall_ms(t) + ms;
    int rc = need_shop(t, err);
    if (rc < 0)
        return rc;
    for (int steps = 0;; steps++) {
        rc = next_due(t, &due, err);
        if (rc < 0)
            return rc;
        if (rc == 0 || due > end)
            break;
        if (steps == STEPS_MAX)
            return err_set(err, ERR_STATE, "More than %d timers came due on the way; advance in smaller steps.", STEPS_MAX);
        if (due > wall_ms(t))
            atomic_store(&t->passed_ms, due - TRIAL_BEGINS_MS);
        fire_due(t);
    }
    atomic_store(&t->passed_ms, end - TRIAL_BEGINS_MS);
    return 0;
}

static void enter(void *ctx, struct slice name)
{
    const struct trial_events *e = ((struct trial *)ctx)->events;
    e->enter(e->ctx, name);
}

static void leave(void *ctx)
{
    const struct trial_events *e = ((struct trial *)ctx)->events;
    e->leave(e->ctx);
}

static void result(void *ctx, struct slice name, bool passed, struct slice message)
{
    struct trial *t = ctx;
    t->testing = false;
    t->events->result(t->events->ctx, name, passed, message);
}

/* --- the way in ----------------------------------------------------------------------------------------------------------- */

static void nobody_enters(void *ctx, struct slice name)
{
    (void)ctx;
    (void)name;
}

static void nobody_leaves(void *ctx)
{
    (void)ctx;
}

static void nobody_hears(void *ctx, struct slice name, bool passed, struct slice message)
{
    (void)ctx;
    (void)name;
    (void)passed;
    (void)message;
}

int trial_open(const char *dir, const struct trial_events *events, struct log *log, struct trial **out, struct err *err)
{
    static const struct trial_events nobody = { NULL, nobody_enters, nobody_leaves, nobody_hears };
    *out = NULL;
    struct trial *t = calloc(1, sizeof *t);
    if (!t)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    t->dir = dir;
    t->events = events ? events : &nobody;
    t->log = log;
    arena_init(&t->arena, NULL, 0);
    buf_init(&t->outside, NULL);
    t->bind.phase = BIND_PHASE_LOAD;
    t->bridge = (struct bind_bridge){ .ctx = t,
                                      .arena = &t->arena,
                                      .request = request,
                                      .raw = raw,
                                      .call = call,
                                      .outside = set_world,
                                      .streamed = streamed,
                                      .advance = advance,
                                      .now = now,
                                      .fresh = fresh,
                                      .stage = set_stage,
                                      .enter = enter,
                                      .leave = leave,
                                      .result = result };
    int rc = 0;
    if (stage_is_plugin(dir)) {
        rc = stage_open(dir, &t->stage, err);
        if (rc == 0)
            rc = make_up(t, NULL, err);
        t->dir = t->stage ? stage_dir(t->stage) : dir;
        t->bridge.plugin = t->stage ? stage_plugin(t->stage) : NULL;
    } else {
        rc = open_shop(t, err);
    }
    if (rc == 0)
        rc = bind_open(&(struct vm_options){ .memory_soft_bytes = 256 << 20 }, &t->bind, &t->vm, err);
    if (rc == 0)
        rc = bind_bridge_open(t->vm, &t->bridge, err);
    if (rc < 0) {
        trial_close(t);
        return rc;
    }
    vm_set_fuel(t->vm, TRIAL_FUEL);
    *out = t;
    return 0;
}

void trial_close(struct trial *t)
{
    if (!t)
        return;
    vm_close(t->vm);
    shut(t);
    stage_close(t->stage);
    buf_release(&t->outside);
    arena_release(&t->arena);
    free(t);
}

struct currency trial_currency(const struct trial *t)
{
    return t->bind.currency;
}

int trial_request(struct trial *t, const char *method, const char *target, struct slice body, int *status, struct buf *answer,
                  struct err *err)
{
    return request(t, method, target, slice_str(""), body, status, answer, err);
}

int trial_eval(struct trial *t, struct slice source, struct buf *out, bool *incomplete, struct err *err)
{
    int rc = vm_eval(t->vm, source, &t->arena, out, incomplete, err);
    arena_reset(&t->arena);
    return rc;
}

int trial_run(const char *dir, struct slice source, const char *chunk_name, const struct trial_events *events, struct log *log,
              struct err *err)
{
    struct trial *t;
    vm_ref ref = 0;
    int rc = trial_open(dir, events, log, &t, err);
    if (rc == 0)
        rc = vm_run(t->vm, source, chunk_name, &ref, err);
    trial_close(t);
    return rc;
}
