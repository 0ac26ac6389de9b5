/* host/care/errand.h - what takes long and changes nothing in the store (a check of all of it, a backup): on a thread of its own with a
 * reader of its own, while the call waits. One at a time; who comes meanwhile is answered 503. What may take minutes (a replay, a backtest)
 * is begun by one call and asked about by others. */
#pragma once
#include "host/api/call.h"
#include "host/past/crew.h"

struct errands;
int errands_open(struct shop *s, struct errands **out, struct err *err);
void errands_finish(struct errands *e); /* waits for the one that is on its way; none begins after it. Before the workers stop */
void errands_close(struct errands *e);  /* NULL is fine */

/* fn fills c->answer; the call's arena is the thread's meanwhile. Ends the call. */
typedef int (*errand_fn)(struct call *c, struct store_conn *conn, struct err *err);
void errand_send(struct call *c, errand_fn fn);

/* kind: "replay". Writes one JSON value; p says how far it is, and whether it is wanted any more. */
typedef int (*errand_work)(struct shop *s, const struct json_value *body, struct progress *p, struct json_writer *w, struct err *err);
/* Begins it with the body of this call, and ends the call with 202; the result of what was begun before is gone. */
void errand_begin(struct call *c, const char *kind, errand_work work);
/* Ends the call with {"state": "none" | "running" | "done" | "failed" | "cancelled", "done", "of", "result" | "problem"} of the last one
 * of this kind. */
void errand_look(struct call *c, const char *kind);
void errand_cancel(struct call *c, const char *kind); /* the same, and it ends soon */
