/* host/care/sweep.h - forgets what need not be remembered any more: answers under idempotency keys older than ANSWERS_KEPT_MS; and keeps
 * what was counted of personal fields that were read (access.h). A
 * little at a time, through the writer, so that it never holds up an order. On the keeper's loop. */
#pragma once
#include "host/shop.h"

#define ANSWERS_KEPT_MS (INT64_C(7) * 24 * 3600 * 1000) /* a request may be repeated for seven days */

#define LOG_CUT_DUE "log_cut_due" /* in meta: who was erased is still in the log (store/writer.h) */

struct sweep;
int sweep_open(struct shop *s, struct loop *loop, struct sweep **out, struct err *err);
void sweep_close(struct sweep *w); /* once the writer has stopped and the loop took its last posts; NULL is fine */
