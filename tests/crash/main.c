/* Cycles of work, power cut, restart, check. README.md says what is promised and printed. */
#include "tests/crash/crash.h"
#include "vm/vm.h"
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CYCLES_PER_DISK = 10,
    CHANGES_MAX = 100,        /* of the disk, before the cut */
    CHANGES_OPENING_MAX = 60, /* before one that comes while the shop opens and closes */
    CUT_OPENING_ONE_IN = 8,
    CODE_MAX_BYTES = 32 << 20,
    HEAP_KEPT_BYTES = 256 << 20,
    KIND_ONE_IN = 8, /* the shop is closed as it should be, instead of a cut, */
    KIND_ROUNDS = 3, /* after about so many rounds of wishes */
};

struct arguments {
    uint64_t cycles, seed, from, progress; /* progress: the figures so far after every so many */
    bool unsafe_sync;
};

static void forget_deeds(struct buyer *b)
{
    for (size_t i = 0; i < b->deed_count; i++)
        free(b->deeds[i].answer);
    b->deed_count = 0;
}

/* Buyers at work, all at once, until the power is gone or all have had enough. */
static void live(struct world *w)
{
    struct errand errands[BUYERS];
    struct err err;
    bool kind = world_roll(&w->random, KIND_ONE_IN) == 0;
    if (!kind)
        faultvfs_cut_at(w->disk, 1 + world_roll(&w->random, CHANGES_MAX));
    world_fire_timers(w, &err);
    for (;;) {
        size_t count = 0;
        for (int i = 0; i < BUYERS; i++)
            count += buyer_wish(&w->buyers[i], &errands[count]);
        if (count == 0 || faultvfs_is_cut(w->disk))
            break;
        errands_send(w, errands, count);
        if (kind && world_roll(&w->random, KIND_ROUNDS) == 0)
            break;
    }
    w->tally->cuts += faultvfs_is_cut(w->disk);
    if (!kind)
        faultvfs_cut_at(w->disk, 0); /* who was quicker than the cut is cut now */
    world_close(w);
}

/* The power is back. It may fail again while the shop opens, or closes at once. */
static int get_up(struct world *w, struct err *err)
{
    faultvfs_restart(w->disk);
    if (world_roll(&w->random, CUT_OPENING_ONE_IN) == 0) {
        faultvfs_cut_at(w->disk, 1 + world_roll(&w->random, CHANGES_OPENING_MAX));
        int rc = world_open(w, err);
        bool cut = faultvfs_is_cut(w->disk);
        if (rc < 0 && !cut)
            return rc;
        world_close(w); /* moves the log into the file, if the power lasts */
        w->tally->cut_opening += faultvfs_is_cut(w->disk);
        faultvfs_restart(w->disk);
    }
    int rc = world_open(w, err);
    return rc < 0 ? rc : world_fire_timers(w, err);
}

/* The shop stands open at its beginning and at its end. */
static void cycle(struct world *w)
{
    struct err err;
    atomic_fetch_add(&w->now_ms, (int64_t)world_roll(&w->random, 15 * 60 * 1000));
    live(w);
    w->tally->cycles++;
    if (get_up(w, &err) < 0)
        complain(w, &w->tally->violated, "the shop does not open again: %s", err.text);
    else
        check_all(w);
    for (int i = 0; i < BUYERS; i++) {
        for (int k = 0; k < DEED_KINDS; k++) {
            w->tally->acknowledged[k] += w->buyers[i].acknowledged[k];
            w->buyers[i].acknowledged[k] = 0;
        }
        forget_deeds(&w->buyers[i]);
    }
}

static void report(const struct tally *t)
{
    static const char *const kinds[DEED_KINDS] = { "orders", "payments", "cancels", "refunds", "deliveries" };
    uint64_t sum = 0;
    for (int i = 0; i < DEED_KINDS; i++)
        sum += t->acknowledged[i];
    printf("cycles %llu (%llu cut at work, %llu again while it opened and closed)\nacknowledged %llu (", (unsigned long long)t->cycles,
           (unsigned long long)t->cuts, (unsigned long long)t->cut_opening, (unsigned long long)sum);
    for (int i = 0; i < DEED_KINDS; i++)
        printf("%s%s %llu", i ? ", " : "", kinds[i], (unsigned long long)t->acknowledged[i]);
    printf("; %llu orders expired)\nlost %llu\ndoubled %llu\nviolated %llu\n", (unsigned long long)t->expired, (unsigned long long)t->lost,
           (unsigned long long)t->doubled, (unsigned long long)t->violated);
}

/* Each disk has a seed of its own, so that a run can begin where another one ended. */
static int run(struct world *w, const struct arguments *a)
{
    struct err err;
    uint64_t disk = a->from / CYCLES_PER_DISK, progress = a->progress;
    while (w->tally->cycles < a->cycles) {
        if (world_begin(w, a->seed * 1000003 + disk++, &err) < 0) {
            fprintf(stderr, "crash: %s\n", err.text);
            return 2;
        }
        for (int i = 1; i <= CYCLES_PER_DISK && w->tally->cycles < a->cycles && !w->spoiled; i++) {
            w->thorough = i == CYCLES_PER_DISK || w->tally->cycles + 1 == a->cycles;
            cycle(w);
        }
        world_end(w);
        if (a->progress && w->tally->cycles >= progress) {
            report(w->tally);
            printf("to go on: --from %llu\n\n", (unsigned long long)disk * CYCLES_PER_DISK);
            fflush(stdout);
            progress += a->progress;
        }
    }
    return 0;
}

static int usage(void)
{
    fputs("usage: crash --cycles N [--seed S] [--sync full|normal] [--from CYCLE] [--progress N]\n", stderr);
    return 2;
}

static bool read_arguments(int argc, char **argv, struct arguments *a)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--cycles") == 0)
            a->cycles = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            a->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--from") == 0)
            a->from = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--progress") == 0)
            a->progress = strtoull(value, NULL, 10);
        else if (strcmp(argv[i], "--sync") == 0 && strcmp(value, "normal") == 0)
            a->unsafe_sync = true;
        else if (strcmp(argv[i], "--sync") != 0 || strcmp(value, "full") != 0)
            return false;
    }
    return a->cycles > 0;
}

int main(int argc, char **argv)
{
    struct tally tally = { 0 };
    static struct world w;
    struct arguments a = { .seed = 1 };
    struct err err;
    if (!read_arguments(argc, argv, &a))
        return usage();
    /* Disks and shops come and go; what they leave is used again rather than given back page by page. */
    mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
    w.tally = &tally;
    w.unsafe_sync = w.quiet = a.unsafe_sync;
    int rc = vm_code_open(CODE_MAX_BYTES, &w.code, &err);
    if (rc == 0)
        rc = world_make(&w, &err);
    if (rc < 0)
        fprintf(stderr, "crash: %s\n", err.text);
    rc = rc < 0 ? 2 : run(&w, &a);
    world_free(&w);
    vm_code_close(w.code);
    if (rc)
        return rc;
    report(&tally);
    if (w.unsafe_sync && tally.lost == 0) {
        fputs("crash: nothing was lost although commits did not wait for the disk: the harness is blind\n", stderr);
        return 1;
    }
    return !w.unsafe_sync && tally.lost + tally.doubled + tally.violated > 0;
}
