/* host/admin/due.h - approved drafts go live when their time has come: looked for a few times a second while the shop is served, so one
 * whose time came while nobody served it goes live at the start. Whether it may is asked in the transaction that makes it live
 * (publish/gate.h), so it does so once. On the keeper's loop. */
#pragma once
#include "host/shop.h"
#include "loop/loop.h"

struct due;
int due_open(struct shop *s, struct loop *loop, struct due **out, struct err *err);
void due_close(struct due *d); /* after the publisher has stopped; NULL is fine */
