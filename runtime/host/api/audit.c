/* The audit log over HTTP: read, and held against a head that somebody kept elsewhere. */
#include "host/admin/audit.h"
#include "host/api/routes.h"
#include "host/care/errand.h"
#include "host/worker.h"

enum { LISTED_DEFAULT = 50, LISTED_MAX = 200 };

static int keep_answer(struct call *c, struct buf *b, struct err *err)
{
    struct slice body = b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b));
    buf_release(b);
    c->answer = (struct bind_answer){ 200, body };
    return body.data ? 0 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

void handle_audit_list(struct call *c)
{
    int64_t before = INT64_MAX, limit = LISTED_DEFAULT;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    c->rc = call_query_number(c, "before", 1, INT64_MAX, &before);
    if (c->rc >= 0)
        c->rc = call_query_number(c, "limit", 1, LISTED_MAX, &limit);
    json_object(&w);
    json_key(&w, "items");
    json_array(&w);
    if (c->rc >= 0)
        c->rc = audit_write(c->worker->conn, before, limit, &w, &c->err);
    json_array_end(&w);
    json_object_end(&w);
    if (c->rc >= 0)
        c->rc = keep_answer(c, &b, &c->err);
    else
        buf_release(&b);
    call_answer(c);
}

static int write_head(struct call *c, const struct audit_head *h, struct err *err)
{
    char text[AUDIT_HEAD_TEXT_MAX];
    struct buf b;
    struct json_writer w;
    audit_head_format(c->shop->auth, h, text);
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "head");
    json_str(&w, text);
    json_key(&w, "entries");
    json_int(&w, h->count);
    json_object_end(&w);
    return keep_answer(c, &b, err);
}

void handle_audit_head(struct call *c)
{
    struct audit_head h;
    c->rc = audit_head(c->worker->conn, &h, &c->err);
    if (c->rc >= 0)
        c->rc = write_head(c, &h, &c->err);
    call_answer(c);
}

/* All of it is read, so it runs beside the shop. */
static int compare(struct call *c, struct store_conn *conn, struct err *err)
{
    struct audit_head earlier, now;
    int rc = audit_head_parse(c->shop->auth, json_get(c->body, "head")->string, &earlier, err);
    if (rc == 0)
        rc = store_begin(conn, err);
    if (rc < 0)
        return rc;
    rc = audit_verify(conn, &now, err);
    if (rc == 0)
        rc = audit_verify_head(conn, &earlier, err);
    store_rollback(conn);
    if (rc == ERR_CORRUPT)
        err->code = rc = ERR_CONFLICT; /* it is an answer, not a fault of ours */
    return rc < 0 ? rc : write_head(c, &now, err);
}

void handle_audit_compare(struct call *c)
{
    errand_send(c, compare);
}
