/* Care of the data: looked through, and copied. Both run beside the shop, on a thread of their own. */
#include "bind/bind.h"
#include "host/doctor.h"
#include "host/errand.h"
#include "host/routes.h"
#include "ledger/ledger.h"
#include <stdio.h>
#include <sys/stat.h>

static int keep_answer(struct call *c, struct buf *b, struct err *err)
{
    struct slice body = b->failed ? (struct slice){ 0 } : arena_copy(c->arena, buf_slice(b));
    buf_release(b);
    c->answer = (struct bind_answer){ 200, body };
    return body.data ? 0 : err_set(err, ERR_NOMEM, "The shop is short of memory; try again.");
}

static int examine(struct call *c, struct store_conn *conn, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    int rc = doctor_write(c->shop, conn, &w, err);
    if (rc < 0) {
        buf_release(&b);
        return rc;
    }
    json_object_end(&w);
    return keep_answer(c, &b, err);
}

void handle_doctor(struct call *c)
{
    errand_send(c, examine);
}

static int backup(struct call *c, struct store_conn *conn, struct err *err)
{
    char path[4096];
    struct slice given = json_get(c->body, "path")->string;
    struct stat st;
    int64_t began_ns = clock_mono_ns(c->shop->options.clock);
    snprintf(path, sizeof path, "%.*s", SLICE_FMT(given));
    int rc = store_backup(conn, path, bind_core_migrations(), ledger_verify, err);
    if (rc < 0)
        return rc;
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    json_object(&w);
    json_key(&w, "path");
    json_str(&w, path);
    json_key(&w, "bytes");
    json_int(&w, stat(path, &st) == 0 ? st.st_size : 0);
    json_key(&w, "took_ms");
    json_int(&w, (clock_mono_ns(c->shop->options.clock) - began_ns) / 1000000);
    json_object_end(&w);
    return keep_answer(c, &b, err);
}

/* The file is written as the server's user: only who works on this machine may say where. */
void handle_backup(struct call *c)
{
    struct slice path = json_get(c->body, "path")->string;
    if (!c->req->peer->local_socket)
        err_reason(&c->err, ERR_DENIED, "local_only", "A backup is asked for on the machine of the shop: feira backup SHOP FILE.");
    else if (path.data[0] != '/' || path.len >= 4000 || memchr(path.data, '\0', path.len))
        err_field(&c->err, ERR_INVALID, "/path", "Name the file by its whole path, from / on.");
    else {
        errand_send(c, backup);
        return;
    }
    call_fail(c, NULL, (struct slice){ 0 });
}
