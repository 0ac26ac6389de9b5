/* One request in-process, through the same routes as over HTTP: how commands change a shop that nobody serves. */
#include "host/worker.h"
#include <stdlib.h>

struct asking {
    struct worker *worker;
    struct buf *raw;
};

static void on_bytes(void *ctx, const char *data, size_t len)
{
    struct asking *a = ctx;
    buf_add(a->raw, data, len);
}

static void on_closed(void *ctx)
{
    struct asking *a = ctx;
    loop_stop(a->worker->loop); /* "Connection: close": the answer is whole */
}

/* "HTTP/1.1 201 Created\r\n...\r\n\r\nbody" */
static int split_answer(struct slice raw, int *status, struct buf *answer, struct err *err)
{
    const char *end = raw.len > 12 ? memmem(raw.data, raw.len, "\r\n\r\n", 4) : NULL;
    if (!end)
        return err_set(err, ERR_INTERNAL, "The shop gave no answer.");
    *status = atoi(raw.data + 9);
    buf_add(answer, end + 4, raw.len - (size_t)(end + 4 - raw.data));
    return answer->failed ? err_set(err, ERR_NOMEM, "Out of memory.") : 0;
}

static int ask(struct worker *w, struct slice as, const char *method, const char *target, struct slice body, struct buf *raw,
               struct err *err)
{
    static const struct peer operator= { .address = "local", .local_socket = true }, somebody = { .address = "127.0.0.1" };
    struct asking a = { w, raw };
    struct buf request;
    unsigned char key[16];
    char key_hex[33] = { 0 };
    random_fill(w->shop->options.random, key, sizeof key);
    hex_encode(key, sizeof key, key_hex);
    buf_init(&request, NULL);
    buf_printf(&request,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nIdempotency-Key: %s\r\n"
               "Content-Length: %zu\r\n",
               method, target, key_hex, body.len);
    if (as.len)
        buf_printf(&request, "Authorization: Bearer %.*s\r\n", SLICE_FMT(as));
    buf_add_str(&request, "\r\n");
    buf_add_slice(&request, body);
    struct http_conn *conn = request.failed ? NULL : http_conn_open_detached(w->server, on_bytes, on_closed, &a);
    if (conn) {
        http_conn_set_peer(conn, as.len ? &somebody : &operator);
        http_conn_feed(conn, request.data, request.len);
        loop_run(w->loop);
    }
    buf_release(&request);
    return conn ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
}

int shop_request(struct shop *s, const char *method, const char *target, struct slice body, int *status, struct buf *answer,
                 struct err *err)
{
    return shop_request_as(s, slice_str(""), method, target, body, status, answer, err);
}

int shop_request_as(struct shop *s, struct slice key, const char *method, const char *target, struct slice body, int *status,
                    struct buf *answer, struct err *err)
{
    struct worker *w;
    struct buf raw;
    int rc = worker_open(s, 0, &w, err);
    if (rc < 0)
        return rc;
    buf_init(&raw, NULL);
    rc = ask(w, key, method, target, body, &raw, err);
    if (rc == 0)
        rc = split_answer(buf_slice(&raw), status, answer, err);
    buf_release(&raw);
    worker_close(w);
    return rc;
}
