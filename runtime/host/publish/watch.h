/* host/publish/watch.h - looks after the shop's folder while somebody writes in it, and says when it has come to rest. Only what can be
 * part of the rules counts: editors' swap files, backups and the data folder do not. For the keeper's loop. */
#pragma once
#include "base/err.h"

struct loop;
struct watch;

/* fn runs some 150 to 300 ms after the last change. Changes are seen at once where the system tells, and within a second where it does not.
 */
int watch_open(struct loop *loop, const char *shop_dir, void (*fn)(void *ctx), void *ctx, struct watch **out, struct err *err);
void watch_close(struct watch *w);
