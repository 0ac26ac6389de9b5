/* http/stream.c - answers that go on: the pieces of their bodies, framed. */
#include "http/http_int.h"
#include <stdio.h>
#include <stdlib.h>

void stream_is_over(struct http_conn *c)
{
    struct http_stream *s = c->endless;
    if (!s)
        return;
    c->endless = NULL;
    s->closed(s->ctx);
    free(s);
}

/* Nothing may follow: an answer to what follows could never be sent. (While a request is being read, it may itself lie in c->pending.) */
static bool is_last(const struct http_conn *c, const struct request *r)
{
    return c->first == r && !r->next && !c->reading && c->behind == 0 && (c->phase == CONN_IDLE || c->phase == CONN_LAST);
}

static struct http_stream *refuse(struct http_request *req, int status, const char *type, const char *detail)
{
    http_problem(req, status, type, "", detail);
    return NULL;
}

struct http_stream *http_stream_begin(struct http_request *req, const struct http_stream_options *o)
{
    struct request *r = request_of(req);
    struct http_conn *c = r->conn;
    struct http_response head = { .status = 200, .content_type = o->content_type, .headers = o->headers, .header_count = o->header_count };
    if (!c || req->method == HTTP_METHOD_HEAD) {
        http_respond(req, &head);
        return NULL;
    }
    if (!respond_is_sound(req, &head))
        return NULL;
    if (r->server->draining)
        return refuse(req, 503, "stopping", "The server is being stopped; ask again.");
    if (!is_last(c, r))
        return refuse(req, 400, "stream_not_last",
                      "A stream has a connection of its own: send nothing before it is answered, or behind it.");
    struct http_stream *s = malloc(sizeof *s);
    if (!s)
        return refuse(req, 503, "overloaded", "There is no memory for this stream now; try again.");
    *s = (struct http_stream){ .conn = c, .closed = o->closed, .ctx = o->ctx, .queue_bytes = o->queue_bytes, .chunked = !r->http10 };
    server_now(r->server);
    conn_enter(c);
    r->close_after = r->goes_on = true;
    respond_send_head(c, r, &head);
    bool open = c->phase != CONN_CLOSED;
    if (open)
        conn_begin_stream(c, s);
    else
        free(s);
    conn_leave(c);
    return open ? s : NULL;
}

static void send_piece(struct http_conn *c, const struct http_stream *s, struct slice data)
{
    char size[24];
    int n = snprintf(size, sizeof size, "%zx\r\n", data.len);
    if (s->chunked)
        conn_send(c, (struct slice[]){ slice_of(size, (size_t)n), data, SLICE_LIT("\r\n") }, 3);
    else
        conn_send(c, &data, 1);
}

bool http_stream_send(struct http_stream *s, struct slice data)
{
    struct http_conn *c = s->conn;
    size_t queue_bytes = s->queue_bytes;
    if (data.len == 0)
        return true; /* an empty chunk would be the end */
    server_now(c->server);
    conn_enter(c);
    send_piece(c, s, data); /* s is gone when that failed */
    bool sent = conn_keeps_up(c, queue_bytes);
    conn_leave(c);
    return sent;
}

void http_stream_end(struct http_stream *s)
{
    struct http_conn *c = s->conn;
    struct slice end = SLICE_LIT("0\r\n\r\n");
    conn_enter(c);
    if (s->chunked)
        conn_send(c, &end, 1);
    conn_end_stream(c);
    conn_leave(c);
}
