/* host/books.h - what the ledger is asked for by the clock: holds whose time has come are given back, and sums by hours are caught up
 * with. Looks when timers are looked at, and costs two short queries when there is nothing to do. */
#pragma once
#include "host/shop.h"

struct books;
int books_open(struct shop *s, struct loop *loop, struct store_conn *reader, struct books **out, struct err *err);
void books_close(struct books *b); /* after the writer has stopped and the loop has run what it posted; NULL is fine */

void books_look(struct books *b);
bool books_are_busy(const struct books *b);
