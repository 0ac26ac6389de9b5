/* host/plugins/task.h - a function of a plugin at work on a worker, that may wait: for the outside (feira.http), or for a procedure on the
 * writer (plugin.call). While it waits, others run in the same Lua state; it keeps its seat, so it ends under the rules it began under.
 *
 * A task ends once: by itself, or given up, because its client has gone, its rules are retired, its plugin was stopped, it waited too long
 * or the server stops. What is with the writer then is carried out all the same. */
#pragma once
#include "host/publish/edition.h"

struct worker;
struct task;

struct task_options {
    const char *plugin; /* whose function it is */
    int fn;
    const struct json_value *args;
    struct bind_answer *answer; /* NULL = what it returns is left alone */
    struct slice *value;        /* instead: what it returns as it is, as bind_task_want() says; NULL = not wanted */
    struct arena *arena;        /* for as long as it lasts; the writer's while it waits for the writer */
    int64_t within_ms;          /* for all its waiting */
    void (*done)(void *ctx, int rc, const struct err *err);
    void *ctx;
};

/* Begins at once. NULL: done was called already. Worker's thread. */
struct task *task_start(struct worker *w, struct seat *seat, const struct task_options *o);
void task_give_up(struct task *t, const struct err *why); /* worker's thread; done is called, now or when the writer is through */

void tasks_retire(struct worker *w); /* gives up those whose edition is retired */
void tasks_wait(struct worker *w);   /* runs the loop until none is left, for a worker without a thread */
void tasks_end(struct worker *w);    /* gives up all; returns when none is left */
