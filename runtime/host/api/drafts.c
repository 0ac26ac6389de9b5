/* Drafts over HTTP: looked at, approved, rejected, put off, withdrawn. Submitting is publishing: generations.c. */
#include "host/admin/drafts.h"
#include "base/zone.h"
#include "host/admin/act.h"
#include "host/api/routes.h"
#include "host/publish/publish.h"
#include "host/publish/revisions.h"
#include "host/worker.h"

static int nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static struct slice text_of(struct call *c, const char *key)
{
    struct slice s = { "", 0 };
    json_is_string(json_get(c->body, key), &s);
    return s;
}

static void begin(struct call *c, const char *action, int (*run)(struct call *c, struct store_conn *conn, struct err *err))
{
    struct act *a = arena_zalloc(c->arena, sizeof *a);
    if (!a) {
        nomem(&c->err);
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    *a = (struct act){ .action = action, .subject = c->req->params[0], .run = run };
    act_begin(c, a);
}

static struct slice kept(struct call *c, struct buf *b)
{
    struct slice out = b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b));
    buf_release(b);
    return out;
}

/* The draft as it is now; in the transaction that changed it. */
static int answer_draft(struct call *c, struct store_conn *conn, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    int rc = draft_write(conn, c->req->params[0], &w, err);
    struct slice body = kept(c, &b);
    c->answer = (struct bind_answer){ 200, body };
    return rc < 0 ? rc : body.data ? 0 : nomem(err);
}

/* An object of texts, for the log. */
static struct slice details(struct call *c, const char *const members[][2])
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    for (size_t i = 0; members[i][0]; i++) {
        json_key(&w, members[i][0]);
        json_str(&w, members[i][1]);
    }
    json_object_end(&w);
    return kept(c, &b);
}

static const char *copied(struct call *c, struct slice s)
{
    const char *text = arena_strdup(c->arena, s);
    return text ? text : "";
}

/* --- approve -------------------------------------------------------------------------------------------------------------------- */

static int approve(struct call *c, struct store_conn *conn, struct err *err)
{
    struct act *act = c->state;
    char step[40];
    bool last;
    if (c->who.is_local)
        return err_reason(err, ERR_DENIED, "person_needed", "People approve, each signed in: feira login SHOP NAME, then --as NAME.");
    struct edition *live = publisher_live(c->shop->publisher);
    struct approving a = { .draft = c->req->params[0],
                           .hash = text_of(c, "hash"),
                           .note = text_of(c, "note"),
                           .operator= c->who.id,
                           .factors = c->who.factors,
                           .live = generation_id(live->generation) };
    int rc = draft_approve(c->shop, conn, &a, c->arena, step, &last, err);
    edition_unref(live);
    if (rc < 0)
        return rc;
    const char *const members[][2] = { { "step", step }, { "hash", copied(c, a.hash) }, { "note", copied(c, a.note) }, { NULL, NULL } };
    act->details = details(c, members);
    return answer_draft(c, conn, err);
}

void handle_draft_approve(struct call *c)
{
    begin(c, "draft.approved", approve);
}

/* --- reject, withdraw -------------------------------------------------------------------------------------------------------------- */

static int put_back(struct call *c, struct store_conn *conn,
                    int (*how)(struct shop *s, struct store_conn *conn, struct slice draft, struct slice why, struct arena *arena,
                               struct err *err),
                    struct err *err)
{
    struct act *act = c->state;
    struct slice reason = text_of(c, "reason");
    int rc = how(c->shop, conn, c->req->params[0], reason, c->arena, err);
    if (rc < 0)
        return rc;
    const char *const members[][2] = { { "reason", copied(c, reason) }, { NULL, NULL } };
    act->details = details(c, members);
    return answer_draft(c, conn, err);
}

static int reject(struct call *c, struct store_conn *conn, struct err *err)
{
    return put_back(c, conn, draft_reject, err);
}

static int withdraw(struct call *c, struct store_conn *conn, struct err *err)
{
    return put_back(c, conn, draft_withdraw, err);
}

void handle_draft_reject(struct call *c)
{
    begin(c, "draft.rejected", reject);
}

void handle_draft_withdraw(struct call *c)
{
    begin(c, "draft.withdrawn", withdraw);
}

/* --- another time -------------------------------------------------------------------------------------------------------------------- */

int draft_time(const struct generation *g, struct slice text, int64_t *out, struct err *err)
{
    struct civil local;
    struct err why = { 0 };
    *out = 0;
    if (text.len == 0 || timestamp_parse(text, out, &why) == 0)
        return 0;
    if (civil_parse(text, &local, &why) < 0)
        return err_field(err, ERR_INVALID, "/at", "\"%.*s\" is no time; write 2026-11-20 20:00 (the shop's zone) or 2026-11-20T20:00:00Z.",
                         SLICE_FMT(text));
    *out = zone_resolve(generation_zone(g), &local);
    return 0;
}

static int schedule(struct call *c, struct store_conn *conn, struct err *err)
{
    struct act *act = c->state;
    int64_t at_ms;
    char at[TIMESTAMP_MAX] = "as soon as it is approved";
    const char *who = act_actor(c);
    int rc = who ? draft_time(c->seat->generation, text_of(c, "at"), &at_ms, err) : nomem(err);
    if (rc == 0)
        rc = draft_schedule(c->shop, conn, c->req->params[0], at_ms, who, c->arena, err);
    if (rc < 0)
        return rc;
    if (at_ms)
        at[timestamp_format(at_ms, at)] = '\0';
    const char *const members[][2] = { { "at", at }, { NULL, NULL } };
    act->details = details(c, members);
    return answer_draft(c, conn, err);
}

void handle_draft_schedule(struct call *c)
{
    begin(c, "draft.scheduled", schedule);
}

/* --- looking ----------------------------------------------------------------------------------------------------------------------------
 */

void handle_draft_list(struct call *c)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    c->rc = drafts_write(c->worker->conn, &w, &c->err);
    json_array_end(&w);
    json_object_end(&w);
    struct slice body = kept(c, &b);
    c->answer = (struct bind_answer){ 200, body };
    if (c->rc >= 0)
        c->rc = body.data ? 0 : nomem(&c->err);
    call_answer(c);
}

void handle_draft_get(struct call *c)
{
    c->rc = store_begin(c->worker->conn, &c->err);
    if (c->rc == 0) {
        c->rc = answer_draft(c, c->worker->conn, &c->err);
        store_rollback(c->worker->conn);
    }
    call_answer(c);
}

/* [{ "path", "before"?, "after"? }] of what differs: what people approve, word for word. */
static void write_files(const struct sources *before, const struct sources *after, struct json_writer *w)
{
    for (size_t i = 0; i < sources_count(after); i++) {
        const struct source_file *f = sources_at(after, i), *was = sources_find(before, f->path);
        if (was && slice_eq(was->text, f->text))
            continue;
        json_object(w);
        json_key(w, "path");
        json_string(w, f->path);
        if (was) {
            json_key(w, "before");
            json_string(w, was->text);
        }
        json_key(w, "after");
        json_string(w, f->text);
        json_object_end(w);
    }
    for (size_t i = 0; i < sources_count(before); i++) {
        const struct source_file *f = sources_at(before, i);
        if (sources_find(after, f->path))
            continue;
        json_object(w);
        json_key(w, "path");
        json_string(w, f->path);
        json_key(w, "before");
        json_string(w, f->text);
        json_object_end(w);
    }
}

void handle_draft_files(struct call *c)
{
    struct draft_row d;
    struct sources *before = NULL, *after = NULL;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    c->rc = draft_get(c->worker->conn, c->req->params[0], c->arena, &d, &c->err);
    if (c->rc == 0)
        c->rc = revision_load_kept(c->worker->conn, d.revision, &after, &c->err);
    if (c->rc == 0)
        c->rc = revision_load(c->worker->conn, slice_str(d.base), &before, &c->err);
    json_object(&w);
    json_key(&w, "hash");
    json_str(&w, c->rc == 0 ? d.hash : "");
    json_key(&w, "files");
    json_array(&w);
    if (c->rc == 0)
        write_files(before, after, &w);
    json_array_end(&w);
    json_object_end(&w);
    sources_free(before);
    sources_free(after);
    struct slice body = kept(c, &b);
    c->answer = (struct bind_answer){ 200, body };
    if (c->rc == 0)
        c->rc = body.data ? 0 : nomem(&c->err);
    call_answer(c);
}
