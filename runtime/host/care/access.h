/* host/care/access.h - who reads personal fields: each plugin's reads of each field of the shop, for the purpose that its manifest states,
 * counted where the rows are handed out (one addition to a number) and kept by day. Numbers only: not whose field it was. What was counted
 * since the last minute is lost with a crash. */
#pragma once
#include "base/clock.h"
#include "base/collection.h"
#include "base/json.h"
#include "store/store.h"

struct access_log;
struct access_log *access_new(const struct clock *clock); /* NULL: out of memory */
void access_free(struct access_log *a);                   /* NULL is fine */

/* Where reads of this field by this plugin are counted, as long as the log lives; any thread. NULL: no memory, or there are too many kinds
 * of them; then they are not counted, and access_overflowed() says so. Texts are copied. */
enum { ACCESS_KINDS_MAX = 4096 };
struct field_reads *access_reads(struct access_log *a, const char *plugin, const char *field, const char *purpose);
bool access_overflowed(struct access_log *a);

/* On the writer: adds what was counted to its day, and forgets days that are older than keep_ms. */
int access_keep(struct access_log *a, struct store_conn *c, int64_t now_ms, int64_t keep_ms, struct err *err);

/* An array of { plugin, field, purpose, day, reads, last_at }, the newest day first, with what is not kept yet. */
int access_write(struct access_log *a, struct store_conn *c, struct json_writer *w, struct err *err);
