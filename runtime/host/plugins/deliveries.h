/* host/plugins/deliveries.h - brings events to the subscribers that hear them after the commit (journal/events.h). Looks for what is due,
 * hands each to the writer as a command of its own, and looks again when all of them are done. In the transaction in which its subscriber
 * ran, an event is removed; so what the subscriber wrote is written once. What fails is tried again, later each time, and in the end kept
 * as a dead letter. All calls are for the keeper's thread. */
#pragma once
#include "host/shop.h"

struct deliveries;
/* conn: a reader of the keeper's, which must stay as long. */
int deliveries_open(struct shop *s, struct loop *loop, struct store_conn *conn, struct deliveries **out, struct err *err);
void deliveries_look(struct deliveries *d); /* a few times a second; by itself again while there is more */
bool deliveries_are_under_way(const struct deliveries *d);
void deliveries_stop(struct deliveries *d);  /* from here on it does not look by itself; what is under way comes back */
void deliveries_close(struct deliveries *d); /* none may be under way; NULL is fine */
