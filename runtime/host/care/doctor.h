/* host/care/doctor.h - looks a shop's data through: is the file whole, do the books balance, does everything that is held or was paid
 * belong to an order, is nothing overdue, and can the disk be trusted. Reads only. */
#pragma once
#include "base/json.h"
#include "host/shop.h"

/* The members {"healthy": boolean, "findings": [{"check", "level": "ok" | "warning" | "error", "text", "advice"?}]} into an open object.
 * conn: a reader of this thread; it may take a second per GiB. Negative only when the store can't be read at all. */
int doctor_write(struct shop *s, struct store_conn *conn, struct json_writer *w, struct err *err);
