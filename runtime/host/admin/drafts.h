/* host/admin/drafts.h - changes on their way to going live, and who approved them.
 *
 *   draft ──submit──► submitted ──the last approval──► approved ──its time──► live ──another goes live──► ended
 *     ▲                  │ │                              │ │                         live is final but for `ended`
 *     └──reject, edit────┘ └─────an approval falls away───┘ └──its base is not live any more──► draft
 *   any of draft, submitted, approved ──► withdrawn
 *
 * People approve a hash: over the draft's id, its sources, the versions of kernel and stdlib, the generation it was compared with, the
 * steps, when it was submitted and when it goes live: so an approval is for one submission of one draft. Whatever of it changes, their
 * approvals are void. An approval counts while its operator is one, has a role of the step, had no hand in the draft, and approved no other
 * step of it; that is asked when the next one approves and again in the transaction that makes it live. All that writes is for the writer,
 * in its transaction. */
#pragma once
#include "base/id.h"
#include "base/json.h"
#include "host/shop.h"

enum draft_state { DRAFT_DRAFT, DRAFT_SUBMITTED, DRAFT_APPROVED, DRAFT_LIVE, DRAFT_ENDED, DRAFT_WITHDRAWN, DRAFT_STATES };
const char *draft_state_name(enum draft_state s);

enum { DRAFT_HASH_MAX = 65, DRAFT_ACTOR_MAX = 80 };

struct draft_row {
    int64_t id, revision, submitted_ms, go_live_ms; /* 0: as soon as it is approved */
    char draft[ID_MAX], generation[32], base[32], hash[DRAFT_HASH_MAX], author[DRAFT_ACTOR_MAX];
    enum draft_state state;
    bool second_factor;
    struct json_value *steps; /* in the arena */
};
/* ERR_NOT_FOUND. */
int draft_get(struct store_conn *conn, struct slice draft, struct arena *arena, struct draft_row *out, struct err *err);

struct draft_content { /* what was submitted, or saved */
    const struct generation *next, *live;
    unsigned steps; /* of live's */
    struct slice changes, findings, note;
    int64_t go_live_ms;
    const char *actor;
    bool submitted;
};
/* A new draft, or what `draft` ("" = a new one) says from now on. draft has the name afterwards. ERR_STATE: it is live or over. */
int draft_save(struct shop *s, struct store_conn *conn, const struct draft_content *c, char draft[ID_MAX], struct err *err);
/* The newest draft of this author's that was not submitted yet, for `--dev` and `publish`, which save often; "" = none. */
int draft_find_open(struct store_conn *conn, const char *actor, char draft[ID_MAX], struct err *err);

struct approving {
    struct slice draft, hash, note;
    const char *operator; /* his session: */
    int factors;
    const char *live; /* the generation that is live */
};
/* *last: it was the last one. ERR_DENIED, ERR_STATE, ERR_CONFLICT with a reason for each way in which this can be wrong. step: which one.
 */
int draft_approve(struct shop *s, struct store_conn *conn, const struct approving *a, struct arena *arena, char step[40], bool *last,
                  struct err *err);
/* Back to a draft. */
int draft_reject(struct shop *s, struct store_conn *conn, struct slice draft, struct slice why, struct arena *arena, struct err *err);
int draft_withdraw(struct shop *s, struct store_conn *conn, struct slice draft, struct slice why, struct arena *arena, struct err *err);
/* Another time, 0 = as soon as it is approved: it has to be approved again. `who` had a hand in it from now on. */
int draft_schedule(struct shop *s, struct store_conn *conn, struct slice draft, int64_t go_live_ms, const char *who, struct arena *arena,
                   struct err *err);

/* In the transaction that makes `next` live in place of `live`: whether this draft may, now. Then it is live, and what was is ended. */
int draft_go_live(struct shop *s, struct store_conn *conn, struct slice draft, const struct generation *next, const char *live,
                  struct err *err);
/* It could not go live: what does not hold any more falls away, and it is submitted or a draft again. */
int draft_fall_back(struct shop *s, struct store_conn *conn, struct slice draft, const struct err *why, struct err *err);
/* Another generation is live without a draft: what was live has ended. */
int drafts_end_live(struct store_conn *conn, int64_t now_ms, struct err *err);

/* The draft that is due now; "" = none. Any reader. */
int draft_due(struct store_conn *conn, int64_t now_ms, char draft[ID_MAX], struct err *err);
int drafts_write(struct store_conn *conn, struct json_writer *w, struct err *err); /* the newest 100, as members of an array */
int draft_write(struct store_conn *conn, struct slice draft, struct json_writer *w, struct err *err); /* one, with all that is known */
/* api/drafts.c: "2026-11-20 20:00" (the shop's zone) or RFC 3339; "" = 0. ERR_INVALID with the field /at. */
int draft_time(const struct generation *g, struct slice text, int64_t *out, struct err *err);
