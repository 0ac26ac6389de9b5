/* The machine: clock, disk, folder; the shop, served by shop_serve() on a thread of its own until it is told to stop or the power fails. */
#include "tests/simulate/sim.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const int64_t BEGINS_MS = 1767603600000;

struct sim *sim_here(void)
{
    return sched_owner();
}

struct net *net_here(void)
{
    return sim_here()->net;
}

int64_t sim_wall_ms(const struct sim *s)
{
    return sched_now_ns() / 1000000 + s->wall_ahead_ms;
}

static int64_t wall_ms(void *ctx)
{
    return sim_wall_ms(ctx);
}

static int64_t mono_ns(void *ctx)
{
    (void)ctx;
    return sched_now_ns();
}

int sim_begin(struct sim *s, uint64_t seed, const char *dir, struct err *err)
{
    s->seed = seed;
    s->sched = sched_begin(seed, s);
    s->net = net_new();
    s->clock = (struct clock){ wall_ms, mono_ns, s };
    s->wall_ahead_ms = BEGINS_MS;
    s->open.last = &s->open.first;
    s->done.last = &s->done.first;
    random_seeded_init(&s->random, seed * 7 + 1);
    snprintf(s->disk_name, sizeof s->disk_name, "simulate-%d", (int)getpid());
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    snprintf(s->data, sizeof s->data, "%s/data", dir);
    return faultvfs_open(s->disk_name, seed, &s->disk, err);
}

void sim_end(struct sim *s)
{
    notes_drop(&s->open, NULL);
    notes_drop(&s->done, NULL);
    faultvfs_close(s->disk);
    net_free(s->net);
    sched_end(s->sched);
}

/* --- the server ----------------------------------------------------------------------------------------------------------------- */

static void on_ready(void *ctx, int port)
{
    struct sim *s = ctx;
    (void)port;
    s->ready = true;
    net_tell(s->net);
}

static void *serve(void *ctx)
{
    struct sim *s = ctx;
    struct handover handover;
    struct shop_options o = {
        .dir = s->dir,
        .data_dir = s->data,
        .vfs = s->disk_name,
        .unsafe_sync = s->breakage == BREAK_EARLY_ANSWER,
        .clock = &s->clock,
        .random = &s->random.face,
        .log = s->log,
        .outbound = { .may_be_local = true },
        .made_up_secrets = true,
    };
    s->rc = shop_open(&o, &s->shop, &s->err);
    if (s->rc == 0) {
        struct serve_options how = { .host = "127.0.0.1", .workers = s->workers, .ready = on_ready, .ctx = s };
        s->rc = shop_serve(s->shop, &how, &handover, &s->err);
        shop_close(s->shop);
        s->shop = NULL;
    }
    s->ended = true;
    net_tell(s->net);
    return NULL;
}

void sim_start(struct sim *s, int workers)
{
    s->workers = workers;
    s->ready = s->ended = false;
    s->serving = true;
    s->rc = 0;
    if (pthread_create(&s->server, NULL, serve, s) != 0)
        abort();
}

void sim_join(struct sim *s)
{
    if (!s->serving)
        return;
    pthread_join(s->server, NULL);
    s->serving = s->ready = false;
}

void sim_power_off(struct sim *s)
{
    faultvfs_cut_at(s->disk, 0);
    net_cut(s->net);
    net_signal(s->net, SIGTERM); /* the process is gone for the world; here it finds its way out, and nothing of it lasts */
}
