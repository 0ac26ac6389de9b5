/* host/care/prune.h - drops what plugins' collections hold and the live rules name no more: tables and columns that were kept so that an
 * earlier generation could come back. On the publisher's thread, so that no publish comes in between. */
#pragma once
#include "base/json.h"
#include "host/shop.h"

/* Writes { "dropped", "items": [{ "what": "invite.links.note", "values": 12 }], "generations": [{ "generation", "at" }] }. values: rows of
 * a table, values of a column. generations: those that were live and name something of it: they come back without these values or, where
 * the field must be there, not at all. drop false: only says. ERR_CONFLICT while an earlier generation still has calls. */
int prune_tables(struct shop *s, struct store_conn *reader, bool drop, struct json_writer *w, struct err *err);
