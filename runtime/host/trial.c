#include "host/trial.h"
#include "bind/bridge.h"
#include "host/edition.h"
#include "host/publish.h"
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEPS_MAX = 100000, LOOK_EVERY_MS = 1 };
static const int64_t TRIAL_BEGINS_MS = 1767603600000; /* Monday, 2026-01-05 09:00 UTC */
static const int64_t TRIAL_FUEL = 200000000;          /* a whole file of specs */

struct trial {
    const char *dir;
    const struct trial_events *events;
    struct log *log;
    char data[64];
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

/* Memory that looks like a disk where there is some, so that a commit costs nothing. */
static int make_data(struct trial *t, struct err *err)
{
    struct stat st;
    bool shm = stat("/dev/shm", &st) == 0 && S_ISDIR(st.st_mode) && access("/dev/shm", W_OK | X_OK) == 0;
    snprintf(t->data, sizeof t->data, "%s/feira-test-XXXXXX", shm ? "/dev/shm" : "/tmp");
    if (mkdtemp(t->data))
        return 0;
    t->data[0] = '\0';
    return err_set(err, ERR_IO, "A folder for the data of the tests can't be made in %s: %s.", shm ? "/dev/shm" : "/tmp", strerror(errno));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st;
    (void)kind;
    (void)where;
    remove(path);
    return 0;
}

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
    if (t->data[0])
        nftw(t->data, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    t->pump = NULL;
    t->until_idle = NULL;
    t->edition = NULL;
    t->conn = NULL;
    t->loop = NULL;
    t->shop = NULL;
    t->data[0] = '\0';
}

static int open_shop(struct trial *t, struct err *err)
{
    t->clock = (struct clock){ wall_ms, mono_ns, t };
    atomic_store(&t->passed_ms, 0);
    random_seeded_init(&t->random, 1); /* the same ids in every run */
    int rc = make_data(t, err);
    struct shop_options o = { .dir = t->dir, .data_dir = t->data, .clock = &t->clock, .random = &t->random.face, .log = t->log };
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
    t->edition = publisher_live(t->shop->publisher);
    t->bind.currency = generation_settings(t->edition->generation)->currency;
    t->bind.zone = generation_zone(t->edition->generation);
    return 0;
}

/* --- what specs can do ------------------------------------------------------------------------------------------------- */

static int fresh(void *ctx, struct err *err)
{
    struct trial *t = ctx;
    shut(t);
    arena_reset(&t->arena);
    return open_shop(t, err);
}

static int request(void *ctx, const char *method, const char *target, struct slice body, int *status, struct buf *answer, struct err *err)
{
    struct trial *t = ctx;
    return shop_request(t->shop, method, target, body, status, answer, err);
}

static void fire_due(struct trial *t)
{
    timer_pump_look(t->pump);
    loop_timer_start(t->until_idle, 0, LOOK_EVERY_MS);
    loop_run(t->loop);
    loop_timer_stop(t->until_idle);
}

/* From one due timer to the next, so that each sees the time it was set for. */
static int advance(void *ctx, int64_t ms, struct err *err)
{
    struct trial *t = ctx;
    int64_t due = 0, end = wall_ms(t) + ms;
    for (int steps = 0;; steps++) {
        int rc = timer_next_due(t->conn, &due, err);
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
    const struct trial_events *e = ((struct trial *)ctx)->events;
    e->result(e->ctx, name, passed, message);
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
    t->bind.phase = BIND_PHASE_LOAD;
    t->bridge = (struct bind_bridge){ t, &t->arena, request, advance, wall_ms, fresh, enter, leave, result };
    int rc = open_shop(t, err);
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
    return request(t, method, target, body, status, answer, err);
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
