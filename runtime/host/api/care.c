/* Care of the data: looked through, and copied. Both run beside the shop, on a thread of their own. */
#include "bind/bind.h"
#include "host/care/doctor.h"
#include "host/care/errand.h"
#include "host/care/follower.h"
#include "host/api/routes.h"
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

/* Files are written as the server's user: only who works on this machine may say where. */
static bool may_name_files(struct call *c, const char *what)
{
    if (c->req->peer->local_socket)
        return true;
    err_reason(&c->err, ERR_DENIED, "local_only", "This is asked for on the machine of the shop: feira backup SHOP %s.", what);
    return false;
}

static bool is_whole_path(struct call *c, const char *field, struct slice path, size_t max)
{
    if (path.data[0] == '/' && path.len < max && !memchr(path.data, '\0', path.len))
        return true;
    err_field(&c->err, ERR_INVALID, field, "Name it by its whole path, from / on.");
    return false;
}

void handle_backup(struct call *c)
{
    if (may_name_files(c, "FILE") && is_whole_path(c, "/path", json_get(c->body, "path")->string, 4000))
        errand_send(c, backup);
    else
        call_fail(c, NULL, (struct slice){ 0 });
}

/* --- the second copy ----------------------------------------------------------------------------------------------------- */

static int keep_copy_answer(struct call *c, struct err *err)
{
    struct buf b;
    struct json_writer w;
    buf_init(&b, NULL);
    json_writer_init(&w, &b);
    follower_write(c->shop->follower, &w);
    return keep_answer(c, &b, err);
}

void handle_follow_look(struct call *c)
{
    c->rc = keep_copy_answer(c, &c->err);
    call_answer(c);
}

static int read_duration(struct call *c, const char *key, const char *field, int64_t *ms, struct err *err)
{
    struct slice text;
    if (!json_is_string(json_get(c->body, key), &text))
        return 0;
    struct err why = { 0 };
    return duration_parse(text, ms, &why) < 0 ? err_field(err, ERR_INVALID, field, "%s.", why.text) : 0;
}

static int set_follow(struct call *c, struct store_conn *conn, struct err *err)
{
    (void)conn;
    struct slice dir = json_get(c->body, "dir")->string;
    struct follower_terms t = { .keep_ms = FOLLOW_KEEP_MS, .snapshot_ms = FOLLOW_SNAPSHOT_MS };
    snprintf(t.dir, sizeof t.dir, "%.*s", SLICE_FMT(dir));
    int rc = read_duration(c, "keep", "/keep", &t.keep_ms, err);
    if (rc == 0)
        rc = read_duration(c, "snapshot_every", "/snapshot_every", &t.snapshot_ms, err);
    if (rc == 0)
        rc = follower_set(c->shop->follower, &t, err);
    return rc < 0 ? rc : keep_copy_answer(c, err);
}

void handle_follow_set(struct call *c)
{
    if (may_name_files(c, "--follow DIR") && is_whole_path(c, "/dir", json_get(c->body, "dir")->string, 3900))
        errand_send(c, set_follow);
    else
        call_fail(c, NULL, (struct slice){ 0 });
}

static int forget_follow(struct call *c, struct store_conn *conn, struct err *err)
{
    (void)conn;
    int rc = follower_forget(c->shop->follower, err);
    return rc < 0 ? rc : keep_copy_answer(c, err);
}

void handle_follow_forget(struct call *c)
{
    if (may_name_files(c, "--unfollow"))
        errand_send(c, forget_follow);
    else
        call_fail(c, NULL, (struct slice){ 0 });
}
