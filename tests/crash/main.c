/* Cycles of work, power cut, restart, check. README.md says what is promised and printed. */
#include "tests/crash/crash.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CYCLES_PER_DISK = 20, CHANGES_MAX = 1500 };

struct shift {
    struct world *world;
    struct buyer *buyer;
    pthread_t thread;
};

static void *work(void *ctx)
{
    struct shift *s = ctx;
    struct desk *desk;
    struct err err;
    if (desk_open(s->world->shop, &desk, &err) < 0)
        return NULL; /* the power is gone already */
    for (int i = 0; i < DEEDS_MAX && !faultvfs_is_cut(s->world->disk); i++)
        buyer_step(s->world, s->buyer, desk);
    desk_close(desk);
    return NULL;
}

static void forget_deeds(struct buyer *b)
{
    for (size_t i = 0; i < b->deed_count; i++)
        free(b->deeds[i].answer);
    b->deed_count = 0;
}

/* Everything until the power is gone. */
static void live(struct world *w)
{
    struct shift shifts[BUYERS];
    struct err err;
    faultvfs_cut_at(w->disk, 1 + world_roll(&w->random, CHANGES_MAX));
    int rc = world_open(w, &err);
    if (rc < 0 && !faultvfs_is_cut(w->disk))
        complain(w, &w->tally->violated, "the shop does not open: %s", err.text);
    if (rc < 0)
        return;
    world_fire_timers(w, &err);
    for (int i = 0; i < BUYERS; i++) {
        shifts[i] = (struct shift){ .world = w, .buyer = &w->buyers[i] };
        if (pthread_create(&shifts[i].thread, NULL, work, &shifts[i]) != 0)
            abort();
    }
    for (int i = 0; i < BUYERS; i++)
        pthread_join(shifts[i].thread, NULL);
    w->tally->cuts += faultvfs_is_cut(w->disk);
    faultvfs_cut_at(w->disk, 0); /* who was quicker than the cut is cut now */
    world_close(w);
}

static void cycle(struct world *w)
{
    struct desk *desk;
    struct err err;
    atomic_fetch_add(&w->now_ms, (int64_t)world_roll(&w->random, 15 * 60 * 1000));
    live(w);
    faultvfs_restart(w->disk);
    w->tally->cycles++;
    if (world_open(w, &err) < 0 || world_fire_timers(w, &err) < 0 || desk_open(w->shop, &desk, &err) < 0) {
        complain(w, &w->tally->violated, "the shop does not open again: %s", err.text);
    } else {
        check_all(w, desk);
        desk_close(desk);
    }
    world_close(w);
    for (int i = 0; i < BUYERS; i++) {
        for (int k = 0; k < DEED_KINDS; k++) {
            w->tally->acknowledged[k] += w->buyers[i].acknowledged[k];
            w->buyers[i].acknowledged[k] = 0;
        }
        forget_deeds(&w->buyers[i]);
    }
}

static int run(struct world *w, uint64_t cycles, uint64_t seed)
{
    struct err err;
    while (w->tally->cycles < cycles) {
        if (world_begin(w, seed++, &err) < 0) {
            fprintf(stderr, "crash: %s\n", err.text);
            return 2;
        }
        for (int i = 0; i < CYCLES_PER_DISK && w->tally->cycles < cycles && !w->spoiled; i++)
            cycle(w);
        world_end(w);
    }
    return 0;
}

static void report(const struct tally *t)
{
    static const char *const kinds[DEED_KINDS] = { "orders", "payments", "cancels", "refunds", "deliveries" };
    uint64_t sum = 0;
    for (int i = 0; i < DEED_KINDS; i++)
        sum += t->acknowledged[i];
    printf("cycles %llu (%llu cut at work)\nacknowledged %llu (", (unsigned long long)t->cycles, (unsigned long long)t->cuts,
           (unsigned long long)sum);
    for (int i = 0; i < DEED_KINDS; i++)
        printf("%s%s %llu", i ? ", " : "", kinds[i], (unsigned long long)t->acknowledged[i]);
    printf("; %llu orders expired)\nlost %llu\ndoubled %llu\nviolated %llu\n", (unsigned long long)t->expired, (unsigned long long)t->lost,
           (unsigned long long)t->doubled, (unsigned long long)t->violated);
}

static int usage(void)
{
    fputs("usage: crash --cycles N [--seed S] [--sync full|normal]\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    struct tally tally = { 0 };
    static struct world w;
    uint64_t cycles = 0, seed = 1;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            return usage();
        if (strcmp(argv[i], "--cycles") == 0)
            cycles = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--sync") == 0 && strcmp(argv[i + 1], "normal") == 0)
            w.unsafe_sync = true;
        else if (strcmp(argv[i], "--sync") != 0 || strcmp(argv[i + 1], "full") != 0)
            return usage();
    }
    if (cycles == 0)
        return usage();
    w.tally = &tally;
    w.quiet = w.unsafe_sync;
    int rc = run(&w, cycles, seed * 1000003);
    if (rc)
        return rc;
    report(&tally);
    if (w.unsafe_sync && tally.lost == 0) {
        fputs("crash: nothing was lost although commits did not wait for the disk: the harness is blind\n", stderr);
        return 1;
    }
    return !w.unsafe_sync && tally.lost + tally.doubled + tally.violated > 0;
}
