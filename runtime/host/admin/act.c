#include "host/admin/act.h"
#include "base/log.h"
#include "host/admin/audit.h"
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

void act_local_name(char out[CALLER_ID_MAX])
{
    struct passwd p, *found = NULL;
    char room[2048];
    if (getpwuid_r(geteuid(), &p, room, sizeof room, &found) == 0 && found)
        snprintf(out, CALLER_ID_MAX, "local:%.60s", found->pw_name);
    else
        snprintf(out, CALLER_ID_MAX, "local:%lu", (unsigned long)geteuid());
}

const char *act_actor(struct call *c)
{
    char local[CALLER_ID_MAX];
    if (c->who.is_local) {
        act_local_name(local);
        return arena_strdup(c->arena, slice_str(local));
    }
    if (c->who.kind == CALLER_OPERATOR)
        return c->who.id;
    if (c->who.kind == CALLER_NOBODY)
        return "nobody";
    return arena_strdup(c->arena, arena_printf(c->arena, "key:%s", c->who.id));
}

static int no_memory(struct err *err)
{
    return err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

int act_note_by(struct shop *s, struct store_conn *conn, const char *actor, const char *action, struct slice subject, struct slice details,
                struct err *err)
{
    s->procedures.audit_changed = true;
    return audit_append(conn, &(struct audit_entry){ actor, action, subject, details, clock_wall_ms(s->options.clock) }, err);
}

int act_note(struct call *c, struct store_conn *conn, const char *action, struct slice subject, struct slice details, struct err *err)
{
    const char *actor = act_actor(c);
    return actor ? act_note_by(c->shop, conn, actor, action, subject, details, err) : no_memory(err);
}

void act_committed(struct shop *s, struct store_conn *conn)
{
    struct audit_head head;
    struct err err = { 0 };
    if (s->options.vfs || !s->procedures.audit_changed)
        return;
    int rc = audit_head(conn, &head, &err);
    if (rc == 0)
        rc = audit_head_save(s->auth, &head, s->audit_head_path, &err);
    if (rc < 0)
        log_error(s->options.log, "audit.head", err.text);
    else
        s->procedures.audit_changed = false;
}

/* --- an act --------------------------------------------------------------------------------------------------------------------------- */

/* {"why": "self_approval", "detail": "..."} */
static struct slice refusal(struct call *c, const struct err *why)
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
    json_object_end(&w);
    struct slice out = b.failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(&b));
    buf_release(&b);
    return out;
}

/* What is the caller's doing is logged; what is the machine's is not. */
static bool is_refusal(int rc)
{
    switch (rc) {
    case ERR_INVALID:
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_STATE:
        return true;
    default:
        return false;
    }
}

static int note(struct call *c, struct store_conn *conn, const struct act *a, const char *action, struct slice details, struct err *err)
{
    return a->actor ? act_note_by(c->shop, conn, a->actor, action, a->subject, details, err)
                    : act_note(c, conn, action, a->subject, details, err);
}

static int note_refusal(struct call *c, struct store_conn *conn, struct act *a, struct err *err)
{
    const char *action = arena_strdup(c->arena, arena_printf(c->arena, "%s.refused", a->action));
    struct slice details = refusal(c, &a->refused);
    return action && details.data ? note(c, conn, a, action, details, err) : no_memory(err);
}

static int carry_out(struct call *c, struct store_conn *conn, struct err *err)
{
    struct act *a = c->state;
    a->refused = (struct err){ 0 };
    a->details = (struct slice){ 0 };
    c->is_step = false;
    int rc = a->run(c, conn, err);
    if (rc == 0) {
        c->shop->procedures.keys_changed = c->shop->procedures.keys_changed || a->keys_changed;
        return note(c, conn, a, a->action, a->details, err);
    }
    if (!is_refusal(rc))
        return rc;
    a->refused = *err;
    err_clear(err);
    c->is_step = true; /* a refusal is not kept under the idempotency key: asked again, it may be fine */
    return note_refusal(c, conn, a, err);
}

static void finish(struct call *c)
{
    const struct act *a = c->state;
    if (c->rc == 0 && a->refused.code && !c->replayed) {
        c->err = a->refused;
        c->rc = c->err.code;
    }
    call_answer(c);
}

void act_begin(struct call *c, struct act *a)
{
    c->state = a;
    c->done = finish;
    call_write_native(c, carry_out);
}

static int only_refuse(struct call *c, struct store_conn *conn, struct err *err)
{
    struct act *a = c->state;
    c->is_step = true;
    return note_refusal(c, conn, a, err);
}

void act_refuse(struct call *c)
{
    struct act *a = arena_zalloc(c->arena, sizeof *a);
    struct slice route = arena_printf(c->arena, "%s %.*s", http_method_name(c->req->method), SLICE_FMT(c->req->path));
    if (!a || !route.data) {
        call_fail(c, NULL, (struct slice){ 0 });
        return;
    }
    *a = (struct act){ .action = "call", .subject = route, .refused = c->err };
    c->state = a;
    c->done = finish;
    call_write_native(c, only_refuse);
}
