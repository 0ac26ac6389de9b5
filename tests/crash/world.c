#include "host/shop.h"
#include "journal/journal.h"
#include "loop/loop.h"
#include "tests/crash/crash.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t BEGINS_MS = 1767603600000;

static const char SETTINGS[] =
    "return { name = \"Crash\", currency = \"EUR\", zone = \"UTC\", test_payments = true, pay_within = \"30m\" }\n";
static const char CAMPAIGN[] =
    "local promo = require \"feira.promo\"\n"
    "return promo.campaign { id = \"tenth\", scope = promo.sku \"SKU-1\", give = promo.percent_off { percent = 10 } }\n";

uint64_t world_roll(struct random_seeded *r, uint64_t n)
{
    return random_seeded_next(r) % n;
}

static int64_t wall_ms(void *ctx)
{
    return atomic_load(&((struct world *)ctx)->now_ms);
}

static int64_t mono_ns(void *ctx)
{
    return atomic_load(&((struct world *)ctx)->now_ms) * 1000000;
}

static int write_file(const char *dir, const char *name, const char *text, struct err *err)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f)
        return err_set(err, ERR_IO, "%s can't be written", path);
    fputs(text, f);
    return fclose(f) == 0 ? 0 : err_set(err, ERR_IO, "%s can't be written", path);
}

static int make_folder(struct world *w, struct err *err)
{
    char campaigns[128];
    snprintf(w->dir, sizeof w->dir, "/tmp/feira-crash-XXXXXX");
    if (!mkdtemp(w->dir))
        return err_set(err, ERR_IO, "/tmp can't be written");
    snprintf(w->data, sizeof w->data, "%s/data", w->dir);
    snprintf(campaigns, sizeof campaigns, "%s/campaigns", w->dir);
    if (mkdir(campaigns, 0700) < 0)
        return err_set(err, ERR_IO, "%s can't be made", campaigns);
    int rc = write_file(w->dir, "shop.lua", SETTINGS, err);
    return rc < 0 ? rc : write_file(campaigns, "tenth.lua", CAMPAIGN, err);
}

static int stock_up(struct world *w, struct err *err)
{
    struct desk *desk = w->desk;
    struct buf answer;
    int rc = 0;
    buf_init(&answer, NULL);
    for (int i = 0; i < SKUS && rc == 0; i++) {
        char target[64], body[128];
        snprintf(target, sizeof target, "/v1/products/SKU-%d", i);
        snprintf(body, sizeof body, "{\"title\":\"Thing %d\",\"price\":%d}", i, PRICE_STEP * (i + 1));
        if (ask(desk, "PUT", target, body, "", &answer) != 201)
            rc = err_set(err, ERR_INTERNAL, "%s: %.*s", target, SLICE_FMT(buf_slice(&answer)));
        snprintf(body, sizeof body, "{\"sku\":\"SKU-%d\",\"delta\":%d,\"reason\":\"first\"}", i, INITIAL_STOCK);
        if (rc == 0 && ask(desk, "POST", "/v1/stock", body, "", &answer) != 200)
            rc = err_set(err, ERR_INTERNAL, "stock: %.*s", SLICE_FMT(buf_slice(&answer)));
    }
    buf_release(&answer);
    return rc;
}

int world_make(struct world *w, struct err *err)
{
    snprintf(w->disk_name, sizeof w->disk_name, "crash-%d-first", (int)getpid());
    atomic_store(&w->now_ms, BEGINS_MS);
    w->clock = (struct clock){ wall_ms, mono_ns, w };
    int rc = make_folder(w, err);
    if (rc == 0)
        rc = faultvfs_open(w->disk_name, 1, &w->first, err);
    if (rc == 0)
        rc = world_open(w, err);
    if (rc == 0)
        rc = stock_up(w, err);
    world_close(w);
    snprintf(w->disk_name, sizeof w->disk_name, "crash-%d", (int)getpid());
    return rc;
}

void world_free(struct world *w)
{
    char path[200];
    static const char *const files[] = { "shop.lua", "campaigns/tenth.lua", "campaigns", "data/lock", "data", "" };
    faultvfs_close(w->first);
    for (size_t i = 0; w->dir[0] && i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", w->dir, files[i]);
        remove(path);
    }
}

int world_begin(struct world *w, uint64_t seed, struct err *err)
{
    atomic_store(&w->now_ms, BEGINS_MS);
    w->spoiled = false;
    random_seeded_init(&w->random, seed);
    for (int i = 0; i < BUYERS; i++) {
        struct buyer *b = &w->buyers[i];
        *b = (struct buyer){ .number = i, .orders = calloc(ORDERS_MAX, sizeof *b->orders) };
        if (!b->orders)
            return err_set(err, ERR_NOMEM, "out of memory");
        random_seeded_init(&b->random, seed * 31 + (uint64_t)i);
    }
    int rc = faultvfs_open(w->disk_name, seed, &w->disk, err);
    if (rc < 0)
        return rc;
    faultvfs_copy(w->disk, w->first);
    return world_open(w, err);
}

void world_end(struct world *w)
{
    for (int i = 0; i < BUYERS; i++) {
        for (size_t k = 0; k < w->buyers[i].deed_count; k++)
            free(w->buyers[i].deeds[k].answer);
        free(w->buyers[i].orders);
        w->buyers[i] = (struct buyer){ 0 };
    }
    world_close(w);
    faultvfs_close(w->disk);
    w->disk = NULL;
}

int world_open(struct world *w, struct err *err)
{
    struct shop_options o = { .dir = w->dir,
                              .data_dir = w->data,
                              .vfs = w->disk_name,
                              .unsafe_sync = w->unsafe_sync,
                              .clock = &w->clock,
                              .random = random_system(),
                              .code = w->code };
    int rc = shop_open(&o, &w->shop, err);
    if (rc == 0)
        rc = desk_open(w->shop, &w->desk, err);
    if (rc == 0)
        rc = loop_open(&w->loop, err);
    if (rc == 0)
        rc = timer_pump_open(w->shop, w->loop, &w->pump, err);
    if (rc < 0)
        world_close(w);
    return rc;
}

void world_close(struct world *w)
{
    timer_pump_close(w->pump);
    if (w->loop)
        loop_close(w->loop);
    desk_close(w->desk);
    w->pump = NULL;
    w->loop = NULL;
    w->desk = NULL;
    shop_close(w->shop);
    w->shop = NULL;
}

/* --- timers ---------------------------------------------------------------------------------------------------------------- */

static bool something_is_due(struct world *w)
{
    int64_t due_ms;
    return timer_next_due(desk_conn(w->desk), &due_ms, NULL) > 0 && due_ms <= atomic_load(&w->now_ms) && !faultvfs_is_cut(w->disk);
}

/* Stops when nothing is due and nothing is on its way; also when the power is gone and nothing can become of it. */
static void look(void *ctx)
{
    struct world *w = ctx;
    if (timer_pump_is_busy(w->pump))
        return;
    if (something_is_due(w))
        timer_pump_look(w->pump);
    else
        loop_stop(w->loop);
}

int world_fire_timers(struct world *w, struct err *err)
{
    if (!something_is_due(w))
        return 0;
    struct loop_timer *again = loop_timer_new(w->loop, look, w);
    if (!again)
        return err_set(err, ERR_NOMEM, "out of memory");
    timer_pump_look(w->pump);
    loop_timer_start(again, 0, 1);
    loop_run(w->loop);
    loop_timer_free(again);
    return 0;
}
