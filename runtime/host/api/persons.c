/* Persons: what the stdlib can't do of their rights by itself. */
#include "bind/bind.h"
#include "host/admin/act.h"
#include "host/api/routes.h"
#include "host/care/access.h"
#include "host/care/sweep.h"
#include "host/worker.h"

void handle_access(struct call *c)
{
    struct buf *out = &c->worker->out;
    struct json_writer w;
    buf_clear(out);
    json_writer_init(&w, out);
    json_object(&w);
    json_key(&w, "items");
    c->rc = access_write(c->shop->access, c->worker->conn, &w, &c->err);
    json_key(&w, "complete");
    json_bool(&w, !access_overflowed(c->shop->access));
    json_object_end(&w);
    if (c->rc == 0 && out->failed)
        c->rc = err_set(&c->err, ERR_NOMEM, "The shop is short of memory; try again.");
    if (c->rc < 0)
        call_fail(c, NULL, (struct slice){ 0 });
    else
        call_answer_json(c, 200, buf_slice(out));
}

/* --- export ------------------------------------------------------------------------------------------------------------------------- */

void handle_person_export(struct call *c)
{
    struct json_value *args = call_args(c);
    if (!args)
        return;
    int64_t usual = vm_set_fuel(c->seat->vm, PERSON_FUEL);
    c->rc = call_ask(c, c->route->procedure, args);
    vm_set_fuel(c->seat->vm, usual);
    call_answer(c);
}

/* --- erasing ------------------------------------------------------------------------------------------------------------------------- */

/* The log of what was done names the request, never the person: who asked himself is "customer". */
static int note_erasure(struct call *c, struct store_conn *conn, struct err *err)
{
    struct json_value *answer;
    struct slice request = { "", 0 };
    int rc = json_parse(c->answer.body, NULL, c->arena, &answer, err);
    if (rc < 0)
        return rc;
    json_is_string(json_get(answer, "request"), &request);
    if (c->who.kind == CALLER_CUSTOMER)
        return act_note_by(c->shop, conn, "customer", "person.erased", request, (struct slice){ 0 }, err);
    return act_note(c, conn, "person.erased", request, (struct slice){ 0 }, err);
}

/* In one transaction. */
static int erase(struct call *c, struct store_conn *conn, struct err *err)
{
    vm_set_fuel(c->shop->procedures.vm, PERSON_FUEL); /* whoever runs it sets the usual again */
    int rc = bind_call(c->shop->procedures.vm, slice_str(c->route->procedure), c->args, &c->answer, err);
    if (rc < 0 || c->answer.status != 200)
        return rc;
    writer_forget(c->shop->writer);
    return note_erasure(c, conn, err);
}

/* The log is cut with the next commit: this is one. What stands in its way now is left to the sweep. */
static int commit_something(struct call *c, struct store_conn *conn, struct err *err)
{
    struct store_stmt *s;
    c->answer = *(struct bind_answer *)c->state;
    int rc = store_prepare(conn, "UPDATE meta SET value = '1' WHERE name = '" LOG_CUT_DUE "'", &s, err);
    return rc < 0 ? rc : store_run(s, NULL, err);
}

static void answer_erased(struct call *c)
{
    c->answer = *(struct bind_answer *)c->state; /* it is done, whatever became of the commit behind it */
    c->rc = 0;
    call_answer(c);
}

static void erased(struct call *c)
{
    struct bind_answer *kept = c->rc == 0 && c->answer.status == 200 ? arena_alloc(c->arena, sizeof *kept) : NULL;
    if (!kept) {
        call_answer(c);
        return;
    }
    *kept = c->answer;
    c->state = kept;
    c->native = commit_something;
    c->done = answer_erased;
    if (!call_submit(c, NULL, NULL))
        answer_erased(c);
}

void handle_person_erase(struct call *c)
{
    struct json_value *args = call_args(c);
    if (!args)
        return;
    c->native = erase;
    c->done = erased;
    if (!call_submit(c, NULL, args))
        call_fail(c, NULL, (struct slice){ 0 });
}
