/* host/publish/revisions.h - which sources ran when, in the store. A revision is content-addressed and kept for ever, each file's text
 * once; the log has a row for each attempt to publish. What writes is for the writer, inside its transaction. */
#pragma once
#include "base/buf.h"
#include "rulebook/rulebook.h"
#include "store/store.h"

struct revision_entry {
    const char *generation;        /* NULL when it was refused before it had a name */
    const struct sources *sources; /* NULL when it was refused */
    const char *how, *author;
    const char *error; /* NULL when it went live */
    int64_t at_ms;
    const char *warrant; /* why it might go live where approvals are asked for; "" or NULL = nobody approved it */
};
/* Keeps the sources, unless they are there already, and logs. */
int revision_log(struct store_conn *conn, const struct revision_entry *e, struct err *err);

/* The number of the revision with these sources, made when there is none. */
int revision_keep(struct store_conn *conn, const struct sources *src, int64_t now_ms, int64_t *id, struct err *err);
int revision_load_kept(struct store_conn *conn, int64_t revision, struct sources **out, struct err *err);
/* Why the revision with this hash was let live when it was, the last time; "" = it was never approved. */
int revision_warrant(struct store_conn *conn, const char *hash, char out[40], struct err *err);

/* The number of the row with this text, made when there is none; inside of the caller's transaction. */
int revision_text(struct store_conn *conn, struct slice text, int64_t *id, struct err *err);

/* The sources of a generation that was live. ERR_NOT_FOUND. */
int revision_load(struct store_conn *conn, struct slice generation, struct sources **out, struct err *err);
/* The generation that was live last before `than`, into out. ERR_NOT_FOUND. */
int revision_before(struct store_conn *conn, const char *than, char out[32], struct err *err);
/* 1 when the last row says that this generation went live, 0 when not. */
int revision_is_last(struct store_conn *conn, const char *generation, struct err *err);
/* The log, newest first, as members of a JSON array that is open; `live` is marked at its newest row. */
int revisions_write(struct store_conn *conn, const char *live, int limit, struct json_writer *w, struct err *err);
