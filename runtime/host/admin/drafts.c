#include "host/admin/drafts.h"
#include "base/zone.h"
#include "host/admin/act.h"
#include "host/admin/operators.h"
#include "host/publish/revisions.h"
#include <stdio.h>

enum { LISTED_MAX = 100 };

static const char *const state_names[DRAFT_STATES] = { "draft", "submitted", "approved", "live", "ended", "withdrawn" };

/* The only moves there are. */
static const unsigned moves[DRAFT_STATES] = {
    [DRAFT_DRAFT] = 1u << DRAFT_DRAFT | 1u << DRAFT_SUBMITTED | 1u << DRAFT_APPROVED | 1u << DRAFT_WITHDRAWN,
    [DRAFT_SUBMITTED] = 1u << DRAFT_DRAFT | 1u << DRAFT_SUBMITTED | 1u << DRAFT_APPROVED | 1u << DRAFT_WITHDRAWN,
    [DRAFT_APPROVED] = 1u << DRAFT_DRAFT | 1u << DRAFT_SUBMITTED | 1u << DRAFT_APPROVED | 1u << DRAFT_LIVE | 1u << DRAFT_WITHDRAWN,
    [DRAFT_LIVE] = 1u << DRAFT_ENDED,
};

const char *draft_state_name(enum draft_state s)
{
    return state_names[s];
}

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int64_t now_ms(const struct shop *s)
{
    return clock_wall_ms(s->options.clock);
}

/* --- rows ------------------------------------------------------------------------------------------------------------------------- */

#define ROW                                                                                                                                \
    "SELECT id, draft, revision, generation, base, hash, state, author, steps, second_factor, ifnull(go_live_at, 0), submitted_at FROM "   \
    "drafts "

static void copy(char *out, size_t cap, struct slice s)
{
    snprintf(out, cap, "%.*s", SLICE_FMT(s));
}

static int read_row(struct store_stmt *q, struct arena *arena, struct draft_row *out, struct err *err)
{
    *out = (struct draft_row){ .id = store_column_int(q, 0),
                               .revision = store_column_int(q, 2),
                               .go_live_ms = store_column_int(q, 10),
                               .submitted_ms = store_column_int(q, 11) };
    copy(out->draft, sizeof out->draft, store_column_text(q, 1));
    copy(out->generation, sizeof out->generation, store_column_text(q, 3));
    copy(out->base, sizeof out->base, store_column_text(q, 4));
    copy(out->hash, sizeof out->hash, store_column_text(q, 5));
    copy(out->author, sizeof out->author, store_column_text(q, 7));
    while (out->state < DRAFT_STATES && !slice_is(store_column_text(q, 6), state_names[out->state]))
        out->state++;
    out->second_factor = store_column_int(q, 9) != 0;
    struct slice steps = arena_copy(arena, store_column_text(q, 8));
    if (!steps.data)
        return nomem(err);
    if (out->state == DRAFT_STATES || json_parse(steps, NULL, arena, &out->steps, NULL) < 0)
        return err_set(err, ERR_CORRUPT, "Draft %s can't be read; see: feira doctor.", out->draft);
    return 0;
}

/* 1: *q stands on the draft's row, and is the caller's to reset. Else below 0. */
static int find_row(struct store_conn *conn, const char *sql, struct slice draft, struct store_stmt **q, struct err *err)
{
    int rc = store_prepare(conn, sql, q, err);
    if (rc < 0)
        return rc;
    store_bind_text(*q, 1, draft);
    rc = store_step(*q, err);
    if (rc == 1)
        return rc;
    store_reset(*q);
    return rc < 0 ? rc
                  : err_reason(err, ERR_NOT_FOUND, "no_such_draft", "There is no draft \"%.*s\"; feira drafts SHOP lists them.",
                               SLICE_FMT(draft));
}

int draft_get(struct store_conn *conn, struct slice draft, struct arena *arena, struct draft_row *out, struct err *err)
{
    struct store_stmt *q;
    int rc = find_row(conn, ROW "WHERE draft = ?1", draft, &q, err);
    if (rc < 0)
        return rc;
    rc = read_row(q, arena, out, err);
    store_reset(q);
    return rc;
}

static int find_one(struct store_stmt *q, char draft[ID_MAX], struct err *err)
{
    draft[0] = '\0';
    int rc = store_step(q, err);
    if (rc == 1)
        copy(draft, ID_MAX, store_column_text(q, 0));
    store_reset(q);
    return rc < 0 ? rc : 0;
}

int draft_find_open(struct store_conn *conn, const char *actor, char draft[ID_MAX], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT draft FROM drafts WHERE state = 'draft' AND author = ?1 ORDER BY id DESC LIMIT 1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(actor));
    return find_one(q, draft, err);
}

int draft_due(struct store_conn *conn, int64_t now, char draft[ID_MAX], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn,
                           "SELECT draft FROM drafts WHERE state = 'approved' AND (go_live_at IS NULL OR go_live_at <= ?1) ORDER BY "
                           "go_live_at, id LIMIT 1",
                           &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, now);
    return find_one(q, draft, err);
}

/* --- the hash that people approve -------------------------------------------------------------------------------------------------------
 */

static void hash_of(const char *draft, const char *sources, const char *generation, const char *base, struct slice steps,
                    bool second_factor, int64_t go_live_ms, int64_t submitted_ms, char out[DRAFT_HASH_MAX])
{
    unsigned char hash[SHA256_BYTES];
    struct buf b;
    buf_init(&b, NULL);
    buf_printf(&b, "feira-draft 1\n%s\n%s\n%s\n%s\n%d\n%lld\n%lld\n", draft, sources, generation, base, second_factor,
               (long long)go_live_ms, (long long)submitted_ms);
    buf_add_slice(&b, steps);
    if (b.failed)
        out[0] = '\0'; /* equal to no hash that anybody approves */
    crypto_sha256(buf_slice(&b), hash);
    if (!b.failed) {
        hex_encode(hash, sizeof hash, out);
        out[2 * sizeof hash] = '\0';
    }
    buf_release(&b);
}

/* [{"name":"legal","roles":["legal"]}] */
static void write_steps(const struct approval_rules *rules, unsigned steps, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_array(&w);
    for (unsigned i = 0; i < rules->step_count; i++) {
        if (!(steps & 1u << i))
            continue;
        json_object(&w);
        json_key(&w, "name");
        json_str(&w, rules->steps[i].name);
        json_key(&w, "roles");
        json_array(&w);
        for (size_t k = 0; rules->steps[i].roles[k]; k++)
            json_str(&w, rules->steps[i].roles[k]);
        json_array_end(&w);
        json_object_end(&w);
    }
    json_array_end(&w);
}

/* As the row is now, from what the store has; what was written by hand into one of them shows. */
static int hash_again(struct store_conn *conn, const struct draft_row *d, int64_t go_live_ms, char out[DRAFT_HASH_MAX], struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT r.hash, d.steps FROM drafts d JOIN revisions r ON r.id = d.revision WHERE d.id = ?1", &q, err);
    if (rc < 0)
        return rc;
    char sources[DRAFT_HASH_MAX];
    store_bind_int(q, 1, d->id);
    rc = store_step(q, err);
    if (rc == 1) {
        copy(sources, sizeof sources, store_column_text(q, 0));
        hash_of(d->draft, sources, d->generation, d->base, store_column_text(q, 1), d->second_factor, go_live_ms, d->submitted_ms, out);
    }
    store_reset(q);
    return rc < 0 ? rc : rc == 1 ? 0 : err_set(err, ERR_CORRUPT, "Draft %s has no sources; see: feira doctor.", d->draft);
}

/* --- moves
 * -------------------------------------------------------------------------------------------------------------------------------- */

static int move(struct store_conn *conn, struct draft_row *d, enum draft_state to, struct slice why, int64_t now, struct err *err)
{
    struct store_stmt *q;
    if (!(moves[d->state] & 1u << to))
        return err_reason(err, ERR_STATE, "draft_state", "Draft %s is %s; it can't become %s.", d->draft, state_names[d->state],
                          state_names[to]);
    int rc = store_prepare(conn, "UPDATE drafts SET state = ?2, why = ?3, changed_at = ?4 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, d->id);
    store_bind_text(q, 2, slice_str(state_names[to]));
    store_bind_text(q, 3, why);
    store_bind_int(q, 4, now);
    d->state = to;
    return store_run(q, NULL, err);
}

static int void_all(struct store_conn *conn, int64_t id, const char *why, int64_t now, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE draft_approvals SET void_at = ?2, void_why = ?3 WHERE draft = ?1 AND void_at IS NULL", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_int(q, 2, now);
    store_bind_text(q, 3, slice_str(why));
    return store_run(q, NULL, err);
}

static int add_author(struct store_conn *conn, int64_t id, const char *actor, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "INSERT INTO draft_authors (draft, author) VALUES (?1, ?2) ON CONFLICT DO NOTHING", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    store_bind_text(q, 2, slice_str(actor));
    return store_run(q, NULL, err);
}

/* --- saved and submitted
 * --------------------------------------------------------------------------------------------------------------------- */

struct saving {
    const struct draft_content *c;
    int64_t revision, now;
    const char *draft, *hash;
    struct slice steps;
    enum draft_state state;
};

static int insert(struct store_conn *conn, const struct saving *s, int64_t *id, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn,
        "INSERT INTO drafts (draft, revision, generation, base, hash, state, author, steps, second_factor, changes, "
        "findings, note, go_live_at, submitted_at, created_at, changed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, "
        "?12, nullif(?13, 0), ?14, ?14, ?14) ON CONFLICT (draft) DO UPDATE SET revision = ?2, generation = ?3, base = ?4, hash = ?5, "
        "state = ?6, author = ?7, steps = ?8, second_factor = ?9, changes = ?10, findings = ?11, note = ?12, go_live_at = "
        "nullif(?13, 0), submitted_at = ?14, changed_at = ?14, why = ''",
        &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(s->draft));
    store_bind_int(q, 2, s->revision);
    store_bind_text(q, 3, slice_str(generation_id(s->c->next)));
    store_bind_text(q, 4, slice_str(generation_id(s->c->live)));
    store_bind_text(q, 5, slice_str(s->hash));
    store_bind_text(q, 6, slice_str(state_names[s->state]));
    store_bind_text(q, 7, slice_str(s->c->actor));
    store_bind_text(q, 8, s->steps);
    store_bind_int(q, 9, generation_settings(s->c->live)->approvals.second_factor);
    store_bind_text(q, 10, s->c->changes);
    store_bind_text(q, 11, s->c->findings.data ? s->c->findings : SLICE_LIT("[]"));
    store_bind_text(q, 12, s->c->note.data ? s->c->note : SLICE_LIT(""));
    store_bind_int(q, 13, s->c->go_live_ms);
    store_bind_int(q, 14, s->now);
    rc = store_run(q, NULL, err);
    if (rc == 0)
        rc = store_prepare(conn, "SELECT id FROM drafts WHERE draft = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_text(q, 1, slice_str(s->draft));
    rc = store_step(q, err);
    *id = rc == 1 ? store_column_int(q, 0) : 0;
    store_reset(q);
    return rc < 0 ? rc : 0;
}

static int may_be_edited(struct store_conn *conn, const char *draft, struct err *err)
{
    struct draft_row d;
    struct arena a;
    arena_init(&a, NULL, 0);
    int rc = draft_get(conn, slice_str(draft), &a, &d, err);
    if (rc == 0 && d.state > DRAFT_APPROVED)
        rc = err_reason(err, ERR_STATE, "draft_state", "Draft %s is %s; submit the change as a new one.", draft, state_names[d.state]);
    arena_release(&a);
    return rc;
}

/* {"hash": "...", "state": "...", "base": "..."} */
static int note_saved(struct shop *s, struct store_conn *conn, const struct saving *v, struct err *err)
{
    struct buf b;
    char at[TIMESTAMP_MAX];
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "hash");
    json_str(&w, v->hash);
    json_key(&w, "base");
    json_str(&w, generation_id(v->c->live));
    json_key(&w, "steps");
    json_raw(&w, v->steps);
    if (v->c->go_live_ms) {
        json_key(&w, "go_live_at");
        json_string(&w, slice_of(at, timestamp_format(v->c->go_live_ms, at)));
    }
    json_object_end(&w);
    int rc = b.failed ? nomem(err)
                      : act_note_by(s, conn, v->c->actor, v->c->submitted ? "draft.submitted" : "draft.saved", slice_str(v->draft),
                                    buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

int draft_save(struct shop *s, struct store_conn *conn, const struct draft_content *c, char draft[ID_MAX], struct err *err)
{
    char hash[DRAFT_HASH_MAX];
    struct buf steps;
    int64_t id = 0;
    struct saving v = { .c = c, .draft = draft, .hash = hash, .now = now_ms(s) };
    int rc = draft[0] ? may_be_edited(conn, draft, err) : 0;
    if (rc == 0)
        rc = revision_keep(conn, generation_sources(c->next), v.now, &v.revision, err);
    if (rc < 0)
        return rc;
    if (!draft[0])
        id_make(&s->procedures.ids, "drf", draft);
    buf_init(&steps, NULL);
    write_steps(&generation_settings(c->live)->approvals, c->steps, &steps);
    v.steps = buf_slice(&steps);
    v.state = !c->submitted ? DRAFT_DRAFT : c->steps ? DRAFT_SUBMITTED : DRAFT_APPROVED;
    hash_of(draft, sources_hash(generation_sources(c->next)), generation_id(c->next), generation_id(c->live), v.steps,
            generation_settings(c->live)->approvals.second_factor, c->go_live_ms, v.now, hash);
    rc = steps.failed ? nomem(err) : insert(conn, &v, &id, err);
    if (rc == 0)
        rc = add_author(conn, id, c->actor, err);
    if (rc == 0)
        rc = void_all(conn, id, "it was edited", v.now, err);
    if (rc == 0)
        rc = note_saved(s, conn, &v, err);
    buf_release(&steps);
    return rc;
}

/* --- who approved
 * --------------------------------------------------------------------------------------------------------------------------- */

struct approval {
    int64_t id;
    char step[40], operator[OPERATOR_NAME_MAX], hash[DRAFT_HASH_MAX];
};
enum { APPROVALS_MAX = 16 };

static int read_approvals(struct store_conn *conn, int64_t draft, struct approval list[APPROVALS_MAX], size_t *count, struct err *err)
{
    struct store_stmt *q;
    *count = 0;
    int rc = store_prepare(
        conn, "SELECT id, step, operator, hash FROM draft_approvals WHERE draft = ?1 AND void_at IS NULL ORDER BY id LIMIT 16", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, draft);
    while ((rc = store_step(q, err)) == 1) {
        struct approval *a = &list[(*count)++];
        a->id = store_column_int(q, 0);
        copy(a->step, sizeof a->step, store_column_text(q, 1));
        copy(a->operator, sizeof a->operator, store_column_text(q, 2));
        copy(a->hash, sizeof a->hash, store_column_text(q, 3));
    }
    return rc;
}

static int is_author(struct store_conn *conn, int64_t draft, const char *name, struct err *err) /* 1, 0 */
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT 1 FROM draft_authors WHERE draft = ?1 AND author = ?2", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, draft);
    store_bind_text(q, 2, slice_str(name));
    rc = store_step(q, err);
    store_reset(q);
    return rc;
}

static unsigned roles_of_step(const struct json_value *step)
{
    unsigned roles = 0;
    const struct json_value *list = json_get(step, "roles");
    for (const struct json_value *v = list ? list->first : NULL; v; v = v->next)
        roles |= roles_of_text(v->string);
    return roles;
}

static const struct json_value *step_named(const struct draft_row *d, const char *name)
{
    for (const struct json_value *s = d->steps->first; s; s = s->next)
        if (slice_is(json_get(s, "name")->string, name))
            return s;
    return NULL;
}

/* NULL: it counts. */
static int why_void(struct store_conn *conn, const struct draft_row *d, const struct approval *a, const char **why, struct err *err)
{
    struct operator_row o;
    const struct json_value *step = step_named(d, a->step);
    *why = NULL;
    int rc = operator_find(conn, slice_str(a->operator), &o, err);
    if (rc < 0)
        return rc;
    if (rc == 0 || o.removed)
        *why = "its operator was removed";
    else if (strcmp(a->hash, d->hash) != 0)
        *why = "it was for something else";
    else if (!step || !(o.roles & roles_of_step(step)))
        *why = "its operator lost the role";
    else if ((rc = is_author(conn, d->id, a->operator, err)) == 1)
        *why = "its operator had a hand in the draft";
    return rc < 0 ? rc : 0;
}

static int void_one(struct shop *s, struct store_conn *conn, const struct draft_row *d, const struct approval *a, const char *why,
                    struct err *err)
{
    struct store_stmt *q;
    char details[200];
    int rc = store_prepare(conn, "UPDATE draft_approvals SET void_at = ?2, void_why = ?3 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, a->id);
    store_bind_int(q, 2, now_ms(s));
    store_bind_text(q, 3, slice_str(why));
    rc = store_run(q, NULL, err);
    snprintf(details, sizeof details, "{\"step\":\"%s\",\"operator\":\"%s\",\"why\":\"%s\"}", a->step, a->operator, why);
    return rc < 0 ? rc : act_note_by(s, conn, "feira", "draft.approval_void", slice_str(d->draft), slice_str(details), err);
}

/* Those that count, in list; the others fall away when `settle`, else they are only left out. */
static int valid_approvals(struct shop *s, struct store_conn *conn, const struct draft_row *d, bool settle,
                           struct approval list[APPROVALS_MAX], size_t *count, struct err *err)
{
    size_t n, kept = 0;
    int rc = read_approvals(conn, d->id, list, &n, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *why;
        struct approval a = list[i];
        rc = why_void(conn, d, &a, &why, err);
        for (size_t k = 0; k < kept && !why; k++)
            if (strcmp(list[k].operator, a.operator) == 0 || strcmp(list[k].step, a.step) == 0)
                why = "the same person, or step, twice";
        if (rc == 0 && why && settle)
            rc = void_one(s, conn, d, &a, why, err);
        if (!why)
            list[kept++] = a;
    }
    *count = kept;
    return rc;
}

static bool has_step(const struct approval *list, size_t n, const struct json_value *step)
{
    for (size_t i = 0; i < n; i++)
        if (slice_is(json_get(step, "name")->string, list[i].step))
            return true;
    return false;
}

/* The first step that nobody approved; NULL: all are. */
static const struct json_value *next_step(const struct draft_row *d, const struct approval *list, size_t n)
{
    for (const struct json_value *s = d->steps->first; s; s = s->next)
        if (!has_step(list, n, s))
            return s;
    return NULL;
}

static int check_approver(struct store_conn *conn, const struct draft_row *d, const struct approving *a, const struct approval *list,
                          size_t n, const struct json_value *step, struct err *err)
{
    struct operator_row o;
    struct slice name = json_get(step, "name")->string;
    int rc = operator_get(conn, slice_str(a->operator), &o, err);
    if (rc == 0)
        rc = is_author(conn, d->id, a->operator, err);
    if (rc == 1)
        return err_reason(err, ERR_DENIED, "self_approval", "%s had a hand in this draft and can't approve it.", a->operator);
    for (size_t i = 0; i < n && rc == 0; i++)
        if (strcmp(list[i].operator, a->operator) == 0)
            return err_reason(err, ERR_DENIED, "approved_before", "%s has approved \"%s\" of this draft; each step needs another person.",
                              a->operator, list[i].step);
    if (rc == 0 && !(o.roles & roles_of_step(step)))
        return err_reason(err, ERR_DENIED, "role_missing", "The next step is \"%.*s\", and %s has no role that approves it.",
                          SLICE_FMT(name), a->operator);
    if (rc == 0 && !o.password_own)
        return err_reason(err, ERR_DENIED, "password_not_own",
                          "Somebody else has set %s's password and knows it; who approves sets one of his own first: feira operators SHOP "
                          "password %s --as %s",
                          a->operator, a->operator, a->operator);
    if (rc == 0 && d->second_factor && a->factors < 2)
        return err_reason(err, ERR_DENIED, "second_factor_needed",
                          "Approving asks for a session with a second factor; see: feira help operators");
    return rc;
}

static int insert_approval(struct store_conn *conn, const struct draft_row *d, const struct approving *a, const char *step, int64_t now,
                           struct err *err)
{
    struct store_stmt *q;
    int rc =
        store_prepare(conn, "INSERT INTO draft_approvals (draft, step, operator, hash, note, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, d->id);
    store_bind_text(q, 2, slice_str(step));
    store_bind_text(q, 3, slice_str(a->operator));
    store_bind_text(q, 4, slice_str(d->hash));
    store_bind_text(q, 5, a->note.data ? a->note : SLICE_LIT(""));
    store_bind_int(q, 6, now);
    return store_run(q, NULL, err);
}

static int check_draft(const struct draft_row *d, const struct approving *a, struct err *err)
{
    if (d->state != DRAFT_SUBMITTED)
        return err_reason(err, ERR_STATE, "draft_state", "Draft %s is %s; only a submitted one is approved.", d->draft,
                          state_names[d->state]);
    if (!slice_is(a->hash, d->hash))
        return err_reason(err, ERR_CONFLICT, "another_hash",
                          "This is not what draft %s says now; look at it again, and approve the hash that you see.", d->draft);
    if (strcmp(d->base, a->live) != 0)
        return err_reason(err, ERR_CONFLICT, "base_moved", "Draft %s was compared with %s, and %s is live now; submit it again.", d->draft,
                          d->base, a->live);
    return 0;
}

int draft_approve(struct shop *s, struct store_conn *conn, const struct approving *a, struct arena *arena, char step[40], bool *last,
                  struct err *err)
{
    struct draft_row d;
    struct approval list[APPROVALS_MAX];
    size_t n = 0;
    *last = false;
    int rc = draft_get(conn, a->draft, arena, &d, err);
    if (rc == 0)
        rc = check_draft(&d, a, err);
    if (rc == 0)
        rc = valid_approvals(s, conn, &d, false, list, &n, err); /* a refusal must write nothing */
    const struct json_value *next = rc == 0 ? next_step(&d, list, n) : NULL;
    if (rc == 0 && !next)
        rc = err_reason(err, ERR_STATE, "draft_state", "All steps of draft %s are approved.", d.draft);
    if (rc == 0)
        rc = check_approver(conn, &d, a, list, n, next, err);
    if (rc == 0)
        rc = valid_approvals(s, conn, &d, true, list, &n, err);
    if (rc < 0)
        return rc;
    copy(step, 40, json_get(next, "name")->string);
    rc = insert_approval(conn, &d, a, step, now_ms(s), err);
    copy(list[n].step, sizeof list[n].step, slice_str(step));
    *last = rc == 0 && !next_step(&d, list, n + 1);
    return *last ? move(conn, &d, DRAFT_APPROVED, SLICE_LIT(""), now_ms(s), err) : rc;
}

/* --- back, away, another time
 * ------------------------------------------------------------------------------------------------------------------ */

static int put_back(struct shop *s, struct store_conn *conn, struct slice draft, enum draft_state to, const char *what, struct slice why,
                    struct arena *arena, struct err *err)
{
    struct draft_row d;
    int rc = draft_get(conn, draft, arena, &d, err);
    if (rc == 0 && to == DRAFT_DRAFT && d.state == DRAFT_DRAFT)
        rc = err_reason(err, ERR_STATE, "draft_state", "Draft %s was not submitted.", d.draft);
    if (rc == 0)
        rc = move(conn, &d, to, why, now_ms(s), err);
    return rc < 0 ? rc : void_all(conn, d.id, what, now_ms(s), err);
}

int draft_reject(struct shop *s, struct store_conn *conn, struct slice draft, struct slice why, struct arena *arena, struct err *err)
{
    return put_back(s, conn, draft, DRAFT_DRAFT, "it was rejected", why, arena, err);
}

int draft_withdraw(struct shop *s, struct store_conn *conn, struct slice draft, struct slice why, struct arena *arena, struct err *err)
{
    return put_back(s, conn, draft, DRAFT_WITHDRAWN, "it was withdrawn", why, arena, err);
}

static int set_time(struct store_conn *conn, const struct draft_row *d, int64_t go_live_ms, const char *hash, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE drafts SET go_live_at = nullif(?2, 0), hash = ?3 WHERE id = ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, d->id);
    store_bind_int(q, 2, go_live_ms);
    store_bind_text(q, 3, slice_str(hash));
    return store_run(q, NULL, err);
}

int draft_schedule(struct shop *s, struct store_conn *conn, struct slice draft, int64_t go_live_ms, const char *who, struct arena *arena,
                   struct err *err)
{
    struct draft_row d;
    char hash[DRAFT_HASH_MAX];
    int rc = draft_get(conn, draft, arena, &d, err);
    if (rc == 0 && d.state != DRAFT_SUBMITTED && d.state != DRAFT_APPROVED)
        rc = err_reason(err, ERR_STATE, "draft_state", "Draft %s is %s; only a submitted or approved one has a time.", d.draft,
                        state_names[d.state]);
    if (rc == 0)
        rc = hash_again(conn, &d, go_live_ms, hash, err);
    if (rc < 0)
        return rc;
    rc = move(conn, &d, d.steps->count ? DRAFT_SUBMITTED : DRAFT_APPROVED, SLICE_LIT(""), now_ms(s), err);
    if (rc == 0)
        rc = set_time(conn, &d, go_live_ms, hash, err);
    if (rc == 0)
        rc = void_all(conn, d.id, "its time was changed", now_ms(s), err);
    return rc < 0 ? rc : add_author(conn, d.id, who, err);
}

/* --- going live
 * -------------------------------------------------------------------------------------------------------------------------------- */

int drafts_end_live(struct store_conn *conn, int64_t now, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "UPDATE drafts SET state = 'ended', changed_at = ?1 WHERE state = 'live'", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, now);
    return store_run(q, NULL, err);
}

static int check_due(struct shop *s, struct store_conn *conn, const struct draft_row *d, const struct generation *next, const char *live,
                     struct err *err)
{
    char hash[DRAFT_HASH_MAX];
    struct approval list[APPROVALS_MAX];
    size_t n = 0;
    if (d->state != DRAFT_APPROVED)
        return err_reason(err, ERR_STATE, "draft_state", "Draft %s is %s; only an approved one goes live.", d->draft,
                          state_names[d->state]);
    if (d->go_live_ms > now_ms(s))
        return err_reason(err, ERR_STATE, "not_yet", "The time of draft %s has not come.", d->draft);
    if (strcmp(d->base, live) != 0)
        return err_reason(err, ERR_CONFLICT, "base_moved", "It was approved as a change of %s, and %s is live now; submit it again.",
                          d->base, live);
    if (strcmp(d->generation, generation_id(next)) != 0)
        return err_reason(err, ERR_CONFLICT, "program_changed", "The program is another one than when it was approved; submit it again.");
    int rc = hash_again(conn, d, d->go_live_ms, hash, err);
    if (rc == 0 && strcmp(hash, d->hash) != 0)
        return err_reason(err, ERR_CONFLICT, "another_hash", "What is in the store is not what was approved; submit it again.");
    if (rc == 0)
        rc = valid_approvals(s, conn, d, false, list, &n, err);
    const struct json_value *open = rc == 0 ? next_step(d, list, n) : NULL;
    if (open)
        return err_reason(err, ERR_STATE, "approval_void", "The approval of step \"%.*s\" does not count any more.",
                          SLICE_FMT(json_get(open, "name")->string));
    return rc;
}

int draft_go_live(struct shop *s, struct store_conn *conn, struct slice draft, const struct generation *next, const char *live,
                  struct err *err)
{
    struct draft_row d;
    struct arena arena;
    arena_init(&arena, NULL, 0);
    int rc = draft_get(conn, draft, &arena, &d, err);
    if (rc == 0)
        rc = check_due(s, conn, &d, next, live, err);
    if (rc == 0)
        rc = drafts_end_live(conn, now_ms(s), err);
    if (rc == 0)
        rc = move(conn, &d, DRAFT_LIVE, SLICE_LIT(""), now_ms(s), err);
    arena_release(&arena);
    return rc;
}

static int note_fall_back(struct shop *s, struct store_conn *conn, const struct draft_row *d, const struct err *why, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "why");
    json_str(&w, why->reason[0] ? why->reason : err_name(why->code));
    json_key(&w, "detail");
    json_str(&w, why->text);
    json_key(&w, "hash");
    json_str(&w, d->hash);
    json_object_end(&w);
    int rc = b.failed ? nomem(err) : act_note_by(s, conn, "feira", "draft.live.refused", slice_str(d->draft), buf_slice(&b), err);
    buf_release(&b);
    return rc;
}

int draft_fall_back(struct shop *s, struct store_conn *conn, struct slice draft, const struct err *why, struct err *err)
{
    struct draft_row d;
    struct arena arena;
    struct approval list[APPROVALS_MAX];
    size_t n;
    arena_init(&arena, NULL, 0);
    int rc = draft_get(conn, draft, &arena, &d, err);
    if (rc == 0)
        rc = note_fall_back(s, conn, &d, why, err);
    bool only_approvals = strcmp(why->reason, "approval_void") == 0;
    if (rc == 0 && d.state == DRAFT_APPROVED && strcmp(why->reason, "not_yet") != 0) {
        rc = only_approvals ? valid_approvals(s, conn, &d, true, list, &n, err)
                            : void_all(conn, d.id, "it could not go live", now_ms(s), err);
        if (rc == 0)
            rc = move(conn, &d, only_approvals ? DRAFT_SUBMITTED : DRAFT_DRAFT, slice_str(why->text), now_ms(s), err);
    }
    arena_release(&arena);
    return rc;
}

/* --- for whoever looks
 * -------------------------------------------------------------------------------------------------------------------------- */

static void time_member(struct json_writer *w, const char *key, struct store_stmt *q, int column)
{
    char at[TIMESTAMP_MAX];
    if (store_column_type(q, column) == STORE_NULL)
        return;
    json_key(w, key);
    json_string(w, slice_of(at, timestamp_format(store_column_int(q, column), at)));
}

#define SHOWN                                                                                                                              \
    "SELECT draft, state, author, hash, base, generation, steps, note, why, go_live_at, created_at, changed_at, id, changes, findings, "   \
    "second_factor FROM drafts "

static void write_head(struct store_stmt *q, struct json_writer *w)
{
    static const char *const texts[] = { "id", "state", "author", "hash", "base", "generation" };
    for (int i = 0; i < 6; i++) {
        json_key(w, texts[i]);
        json_string(w, store_column_text(q, i));
    }
    json_key(w, "steps");
    json_raw(w, store_column_text(q, 6));
    json_key(w, "note");
    json_string(w, store_column_text(q, 7));
    if (store_column_text(q, 8).len) {
        json_key(w, "why");
        json_string(w, store_column_text(q, 8));
    }
    time_member(w, "go_live_at", q, 9);
    time_member(w, "created_at", q, 10);
    time_member(w, "changed_at", q, 11);
}

int drafts_write(struct store_conn *conn, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, SHOWN "ORDER BY id DESC LIMIT ?1", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, LISTED_MAX);
    while ((rc = store_step(q, err)) == 1) {
        json_object(w);
        write_head(q, w);
        json_object_end(w);
    }
    return rc;
}

static int write_approvals(struct store_conn *conn, int64_t id, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(
        conn, "SELECT step, operator, hash, note, at, void_at, void_why FROM draft_approvals WHERE draft = ?1 ORDER BY id", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    while ((rc = store_step(q, err)) == 1) {
        static const char *const texts[] = { "step", "operator", "hash", "note" };
        json_object(w);
        for (int i = 0; i < 4; i++) {
            json_key(w, texts[i]);
            json_string(w, store_column_text(q, i));
        }
        time_member(w, "at", q, 4);
        time_member(w, "void_at", q, 5);
        if (store_column_type(q, 6) != STORE_NULL) {
            json_key(w, "void_why");
            json_string(w, store_column_text(q, 6));
        }
        json_object_end(w);
    }
    return rc;
}

static int write_authors(struct store_conn *conn, int64_t id, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = store_prepare(conn, "SELECT author FROM draft_authors WHERE draft = ?1 ORDER BY author", &q, err);
    if (rc < 0)
        return rc;
    store_bind_int(q, 1, id);
    while ((rc = store_step(q, err)) == 1)
        json_string(w, store_column_text(q, 0));
    return rc;
}

int draft_write(struct store_conn *conn, struct slice draft, struct json_writer *w, struct err *err)
{
    struct store_stmt *q;
    int rc = find_row(conn, SHOWN "WHERE draft = ?1", draft, &q, err);
    if (rc < 0)
        return rc;
    int64_t id = store_column_int(q, 12);
    json_object(w);
    write_head(q, w);
    json_key(w, "second_factor");
    json_bool(w, store_column_int(q, 15) != 0);
    json_key(w, "changes");
    json_raw(w, store_column_text(q, 13));
    json_key(w, "findings");
    json_raw(w, store_column_text(q, 14));
    store_reset(q);
    json_key(w, "authors");
    json_array(w);
    rc = write_authors(conn, id, w, err);
    json_array_end(w);
    json_key(w, "approvals");
    json_array(w);
    if (rc == 0)
        rc = write_approvals(conn, id, w, err);
    json_array_end(w);
    json_object_end(w);
    return rc;
}
