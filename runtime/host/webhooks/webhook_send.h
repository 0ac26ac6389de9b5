/* host/webhooks/webhook_send.h - brings messages to the endpoints of other systems, on the loops of the workers (http/outbound.h).
 *
 *   keeper: what is due → worker: signed and sent, waits for the answer → keeper → writer: what became of it, in one commit → the next
 *
 * What was sent and not noted (a crash, a stop) is sent again: at least once, with the same id and the same bytes. Each endpoint has a few
 * requests of its own under way at most, and one worker, so a slow one delays nobody else. All calls are for the keeper's thread. */
#pragma once
#include "host/shop.h"

struct webhook_sender;
/* Only while workers run. */
int webhook_sender_open(struct shop *s, struct loop *loop, struct webhook_sender **out, struct err *err);
void webhook_sender_stop(struct webhook_sender *w); /* nothing new begins; what waits for the writer comes back */
/* Once the threads of workers and writer have ended and what they posted was run: hangs up. NULL is fine. */
void webhook_sender_close(struct webhook_sender *w);
