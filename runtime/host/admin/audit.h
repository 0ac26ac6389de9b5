/* host/admin/audit.h - the audit log: who did what, and what was refused. Entries are only added, each with SHA-256(hash before || entry),
 * so that one which is removed, changed or moved is found; and so that a tail that is cut off is found, the number and the hash of the last
 * entry are kept outside of the store as well (data/audit.head, signed with the shop's secret; and printed by `feira audit --head`, for
 * whoever keeps it elsewhere).
 *
 * An entry is canonical JSON: {"seq":7,"at":"...","actor":"anna","action":"draft.approved","subject":"drf_...","details":{...}}. The time
 * of an entry is never before that of the entry before it, whatever the clock does. Names of operators stay in it after they have left:
 * what was done must stay explicable. No secret and no personal field of a customer belongs in it. */
#pragma once
#include "base/clock.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "store/store.h"

struct auth;

struct audit_entry {
    const char *actor;    /* an operator's name; "local:NAME", who has the machine; "key:ID"; "feira", the shop itself */
    const char *action;   /* "operator.added"; those that end in ".refused" changed nothing */
    struct slice subject; /* what it was done to; may be empty */
    struct slice details; /* a JSON object; data NULL = none */
    int64_t at_ms;
};

/* In the caller's transaction, on the writer. */
int audit_append(struct store_conn *conn, const struct audit_entry *e, struct err *err);

struct audit_head {
    int64_t count; /* 0: there is no entry */
    int64_t at_ms;
    unsigned char hash[SHA256_BYTES];
};
int audit_head(struct store_conn *conn, struct audit_head *out, struct err *err);

/* Entries with seq below `before`, the newest first, as members of an array that is open: the entries with their hash. */
int audit_write(struct store_conn *conn, int64_t before, int64_t limit, struct json_writer *w, struct err *err);

/* Recomputes the chain from its first entry. 0, or ERR_CORRUPT with the number of the first entry that is wrong. */
int audit_verify(struct store_conn *conn, struct audit_head *out, struct err *err);
/* Whether the log still has what it had when `earlier` was its head. ERR_CORRUPT. */
int audit_verify_head(struct store_conn *conn, const struct audit_head *earlier, struct err *err);

/* A head as a line of text, signed with the shop's secret: "feira-audit 7 2026-11-22T10:00:00Z HASH MAC". */
enum { AUDIT_HEAD_TEXT_MAX = 256 };
void audit_head_format(const struct auth *a, const struct audit_head *h, char out[AUDIT_HEAD_TEXT_MAX]);
int audit_head_parse(const struct auth *a, struct slice text, struct audit_head *out,
                     struct err *err); /* ERR_INVALID, ERR_DENIED: not ours */
/* The same in a file of mode 0600, replaced as a whole. ERR_NOT_FOUND. */
int audit_head_save(const struct auth *a, const struct audit_head *h, const char *path, struct err *err);
int audit_head_load(const struct auth *a, const char *path, struct audit_head *out, struct err *err);
