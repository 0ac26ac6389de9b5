/* Requests in-process, through the same routes as over HTTP: how commands change a shop that nobody serves, and how harnesses ask one. */
#include "host/worker.h"
#include <stdlib.h>

struct asking {
    struct worker *worker;
    struct buf raw;
    size_t *open; /* how many of those that were asked together have no end yet */
};

static void on_bytes(void *ctx, const char *data, size_t len)
{
    struct asking *a = ctx;
    buf_add(&a->raw, data, len);
}

static void on_closed(void *ctx)
{
    struct asking *a = ctx;
    if (--*a->open == 0)
        loop_stop(a->worker->loop); /* "Connection: close": the answers are whole */
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

static void write_request(const struct desk_request *r, struct slice idempotency_key, struct buf *out)
{
    buf_printf(out,
               "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nIdempotency-Key: %.*s\r\n"
               "Content-Length: %zu\r\n",
               r->method, r->target, SLICE_FMT(idempotency_key), r->body.len);
    if (r->key.len)
        buf_printf(out, "Authorization: Bearer %.*s\r\n", SLICE_FMT(r->key));
    buf_add_slice(out, r->headers);
    buf_add_str(out, "\r\n");
    buf_add_slice(out, r->body);
}

/* Begins one; it goes on while the loop runs. */
static int begin(struct asking *a, const struct desk_request *r, struct err *err)
{
    static const struct peer operator= { .address = "local", .local_socket = true }, somebody = { .address = "127.0.0.1" };
    struct worker *w = a->worker;
    struct buf request;
    unsigned char key[16];
    char key_hex[33] = { 0 };
    random_fill(w->shop->options.random, key, sizeof key);
    hex_encode(key, sizeof key, key_hex);
    buf_init(&request, NULL);
    write_request(r, r->idempotency_key.len ? r->idempotency_key : slice_str(key_hex), &request);
    struct http_conn *conn = request.failed ? NULL : http_conn_open_detached(w->server, on_bytes, on_closed, a);
    if (conn) {
        ++*a->open;
        http_conn_set_peer(conn, r->key.len ? &somebody : &operator);
        http_conn_feed(conn, request.data, request.len);
    }
    buf_release(&request);
    return conn ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
}

/* --- desks ------------------------------------------------------------------------------------------------------------ */

struct desk {
    struct worker *worker;
};

int desk_open(struct shop *s, struct desk **out, struct err *err)
{
    *out = NULL;
    struct desk *d = calloc(1, sizeof *d);
    if (!d)
        return err_set(err, ERR_NOMEM, "Out of memory.");
    int rc = worker_open(s, 0, WORKER_FOR_A_DESK, &d->worker, err);
    if (rc < 0) {
        free(d);
        return rc;
    }
    *out = d;
    return 0;
}

int desk_ask_all(struct desk *d, const struct desk_request *requests, size_t count, int *status, struct buf *answers, struct err *err)
{
    struct asking *all = calloc(count, sizeof *all);
    size_t open = 1; /* this function itself, so that nothing stops the loop before all have begun */
    int rc = all ? 0 : err_set(err, ERR_NOMEM, "Out of memory.");
    for (size_t i = 0; i < count && rc == 0; i++) {
        all[i] = (struct asking){ .worker = d->worker, .open = &open };
        buf_init(&all[i].raw, NULL);
        rc = begin(&all[i], &requests[i], err);
    }
    if (--open > 0)
        loop_run(d->worker->loop);
    for (size_t i = 0; i < count && all; i++) {
        int split = rc < 0 ? rc : split_answer(buf_slice(&all[i].raw), &status[i], &answers[i], err);
        if (split < 0)
            status[i] = 0;
        buf_release(&all[i].raw);
    }
    free(all);
    return rc;
}

int desk_ask(struct desk *d, const struct desk_request *r, int *status, struct buf *answer, struct err *err)
{
    int rc = desk_ask_all(d, r, 1, status, answer, err);
    return rc == 0 && *status == 0 ? ERR_INTERNAL : rc;
}

struct store_conn *desk_conn(struct desk *d)
{
    return d->worker->conn;
}

void desk_close(struct desk *d)
{
    if (!d)
        return;
    worker_close(d->worker);
    free(d);
}

/* --- one request --------------------------------------------------------------------------------------------------------- */

int shop_request(struct shop *s, const char *method, const char *target, struct slice body, int *status, struct buf *answer,
                 struct err *err)
{
    return shop_request_as(s, slice_str(""), method, target, body, status, answer, err);
}

int shop_request_as(struct shop *s, struct slice key, const char *method, const char *target, struct slice body, int *status,
                    struct buf *answer, struct err *err)
{
    struct desk *d;
    int rc = desk_open(s, &d, err);
    if (rc < 0)
        return rc;
    rc = desk_ask(d, &(struct desk_request){ .method = method, .target = target, .key = key, .body = body }, status, answer, err);
    desk_close(d);
    return rc;
}
