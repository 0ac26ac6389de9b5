/* host/care/status.h - how a shop is, as one JSON document; `feira status` prints it as one screen. */
#pragma once
#include "base/json.h"

struct shop;
struct store_conn;
void status_write(struct shop *s, struct store_conn *conn, struct buf *out); /* conn: a reader */
void stops_write(struct shop *s, struct json_writer *w);                     /* the array of what is stopped or quarantined */
