/* host/past/crew.h - the threads that compute orders of the past: one for each core, with a reader each, and of low priority, so that a
 * shop that is being served goes first. */
#pragma once
#include "host/shop.h"

enum { CREW_MAX = 64 };

struct progress { /* read by whoever asks how far it is */
    atomic_uint_fast64_t done, of;
    atomic_bool cancelled;
};

struct crew {
    struct shop *shop;
    struct progress *progress;
    int threads;
};
/* 0 = one for each core. */
int crew_size(int wanted);
/* Runs work(ctx, number, conn, err) on each thread and waits for all. The first error is the whole's, and cancels the others. */
typedef int (*crew_work)(void *ctx, int number, struct store_conn *conn, struct err *err);
int crew_run(const struct crew *c, crew_work work, void *ctx, struct err *err);
