/* http_fuzz - whatever bytes come, the server must see the same requests and say the same answers whether they come whole or in
 * pieces, and whether the host answers at once or later. Run: http_fuzz -max_len=4096 CORPUS */
#include "base/map.h"
#include "base/clock.h"
#include "http/http.h"
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    struct buf requests, answers;
    bool closed;
    bool later; /* the host answers after the bytes, newest request first */
    struct http_request *waiting[64];
    size_t waiting_count;
};

static void on_out(void *ctx, const char *data, size_t len)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n"; /* is said only when the body did not come with the head */
    if (len == sizeof go_on - 1 && memcmp(data, go_on, len) == 0)
        return;
    buf_add(&((struct outcome *)ctx)->answers, data, len);
}

static void on_closed(void *ctx)
{
    ((struct outcome *)ctx)->closed = true;
}

static void answer(struct http_request *req)
{
    http_respond_json(req, 200, req->path);
}

static void answer_waiting(struct outcome *o)
{
    while (o->waiting_count > 0)
        answer(o->waiting[--o->waiting_count]);
}

static void check_request(struct http_request *req)
{
    for (size_t i = 0; i < req->path.len; i++)
        if ((unsigned char)req->path.data[i] < 0x20 || req->path.data[i] == 0x7f)
            abort();
    if (memmem(req->path.data, req->path.len, "/../", 4) && !memmem(req->raw_path.data, req->raw_path.len, "%2", 2))
        abort();
    if (req->body.len > 0 && (http_header(req, "content-length").data != NULL) == (http_header(req, "transfer-encoding").data != NULL))
        abort(); /* a body has exactly one reason */
}

static void on_request(void *ctx, struct http_request *req)
{
    struct outcome *o = *(struct outcome **)ctx;
    check_request(req);
    struct slice q;
    http_query(req, "q", &q, NULL);
    buf_printf(&o->requests, "%d %.*s %zu %llx %zu\n", (int)req->method, SLICE_FMT(req->path), req->header_count,
               (unsigned long long)hash_bytes(req->body.data ? req->body.data : "", req->body.len), req->body.len);
    if (!o->later) {
        answer(req);
        return;
    }
    o->waiting[o->waiting_count++] = req;
    if (o->waiting_count == 64)
        answer_waiting(o);
}

/* A refusal ends the answers. Which of two offences is named may depend on how the bytes came, the status may not. */
static void forget_sentence_of_refusal(struct buf *answers)
{
    char *refusal = answers->len > 0 ? memmem(answers->data, answers->len, "HTTP/1.1 4", 10) : NULL;
    if (refusal)
        answers->len = (size_t)(refusal - answers->data) + 12;
}

static void play(struct http_server *s, struct outcome **now, struct outcome *o, const uint8_t *data, size_t size, const uint8_t *steps,
                 size_t step_count)
{
    *now = o;
    struct http_conn *c = http_conn_open_detached(s, on_out, on_closed, o);
    if (!c)
        abort();
    size_t at = 0;
    for (size_t i = 0; at < size && !o->closed; i++) {
        size_t n = step_count > 0 ? (size_t)steps[i % step_count] % 64 + 1 : size;
        if (n > size - at)
            n = size - at;
        http_conn_feed(c, (const char *)data + at, n);
        at += n;
    }
    if (!o->closed)
        http_conn_feed(c, "", 0);
    answer_waiting(o);
    if (!o->closed)
        abort(); /* after FIN and with everything answered nothing may stay open */
    forget_sentence_of_refusal(&o->answers);
}

static void must_be_same(const struct outcome *a, const struct outcome *b)
{
    if (!slice_eq(buf_slice(&a->requests), buf_slice(&b->requests)) || !slice_eq(buf_slice(&a->answers), buf_slice(&b->answers))) {
        fprintf(stderr, "--- one way ---\n%.*s%.*s\n--- other way ---\n%.*s%.*s\n", SLICE_FMT(buf_slice(&a->requests)),
                SLICE_FMT(buf_slice(&a->answers)), SLICE_FMT(buf_slice(&b->requests)), SLICE_FMT(buf_slice(&b->answers)));
        abort();
    }
}

/* The last eight bytes say how the second copy is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { STEPS = 8 };
    if (size < STEPS)
        return 0;
    size -= STEPS;
    struct clock_virtual clock;
    clock_virtual_init(&clock, 1700000000000);
    struct outcome *now = NULL, ways[3];
    struct http_server_options o = { .on_request = on_request, .ctx = &now, .clock = &clock.face };
    http_limits_default(&o.limits);
    o.limits.line_bytes = 256;
    o.limits.header_bytes = 512;
    o.limits.header_count = 8;
    o.limits.body_bytes = 1024;
    struct loop *loop;
    struct http_server *server;
    if (loop_open(&loop, NULL) < 0 || http_server_open(loop, &o, &server, NULL) < 0)
        abort();
    for (size_t i = 0; i < 3; i++) {
        ways[i] = (struct outcome){ .later = i == 2 };
        buf_init(&ways[i].requests, NULL);
        buf_init(&ways[i].answers, NULL);
        play(server, &now, &ways[i], data, size, data + size, i == 0 ? 0 : STEPS);
    }
    must_be_same(&ways[0], &ways[1]);
    must_be_same(&ways[0], &ways[2]);
    for (size_t i = 0; i < 3; i++) {
        buf_release(&ways[i].requests);
        buf_release(&ways[i].answers);
    }
    http_server_close(server);
    loop_close(loop);
    return 0;
}
