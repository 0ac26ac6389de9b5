/* host/trial.h - a shop for trying: the real one with its routes, writer and timers, under a clock that moves when it is told to, on a
 * store in memory that is gone afterwards. Specs run against it, in a sandbox that has feira.test. */
#pragma once
#include "host/host.h"

struct trial_events {
    void *ctx;
    void (*enter)(void *ctx, struct slice group);
    void (*leave)(void *ctx);
    void (*result)(void *ctx, struct slice name, bool passed, struct slice message);
};

/* Runs one file of specs against the shop in `dir`; log may be NULL. Failed tests are results; an error is that the file broke outside of
 * its tests, or that the shop could not be opened. */
int trial_run(const char *dir, struct slice source, const char *chunk_name, const struct trial_events *events, struct log *log,
              struct err *err);
