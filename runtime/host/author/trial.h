/* host/author/trial.h - a shop for trying: the real one with its routes, writer and timers, under a clock that moves when it is told to, on
 * a store in memory that is gone afterwards. Specs run against it, in a sandbox that has feira.test. Of a plugin's folder the shop is made
 * up (stage.h). */
#pragma once
#include "base/money.h"
#include "host/host.h"

struct trial_events {
    void *ctx;
    void (*enter)(void *ctx, struct slice group);
    void (*leave)(void *ctx);
    void (*result)(void *ctx, struct slice name, bool passed, struct slice message);
};

struct trial;
/* dir: a shop's folder, or a plugin's. events NULL: nobody runs tests. log may be NULL. */
int trial_open(const char *dir, const struct trial_events *events, struct log *log, struct trial **out, struct err *err);
void trial_close(struct trial *t); /* NULL is fine */
struct currency trial_currency(const struct trial *t);
int trial_request(struct trial *t, const char *method, const char *target, struct slice body, int *status, struct buf *answer,
                  struct err *err);
/* What a person typed, see vm_eval(). */
int trial_eval(struct trial *t, struct slice source, struct buf *out, bool *incomplete, struct err *err);

/* Runs one file of specs against the shop in `dir`; log may be NULL. Failed tests are results; an error is that the file broke outside of
 * its tests, or that the shop could not be opened. */
int trial_run(const char *dir, struct slice source, const char *chunk_name, const struct trial_events *events, struct log *log,
              struct err *err);
