/* host/care/errand.h - what takes long and changes nothing in the store (a check of all of it, a backup): on a thread of its own with a
 * reader of its own, while the call waits. One at a time; who comes meanwhile is answered 503. */
#pragma once
#include "host/api/call.h"

struct errands;
int errands_open(struct shop *s, struct errands **out, struct err *err);
void errands_finish(struct errands *e); /* waits for the one that is on its way; none begins after it. Before the workers stop */
void errands_close(struct errands *e);  /* NULL is fine */

/* fn fills c->answer; the call's arena is the thread's meanwhile. Ends the call. */
typedef int (*errand_fn)(struct call *c, struct store_conn *conn, struct err *err);
void errand_send(struct call *c, errand_fn fn);
