/* loop/stream.c - byte streams. Writing tries the kernel first; only what it does not take is copied and queued. */
#include "loop/loop_int.h"
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct stream {
    union {
        uv_handle_t handle;
        uv_stream_t uv;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    struct loop *loop;
    const struct stream_events *events;
    void *ctx;
    uint64_t accepted_bytes; /* given to stream_write() and not refused */
    uv_shutdown_t shutdown;
    struct peer peer;
    bool shutting_down;
};

struct write_request {
    uv_write_t uv;
    char data[];
};

static void on_alloc(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    (void)suggested;
    struct stream *s = h->data;
    out->base = s->loop->read_buffer;
    out->len = sizeof s->loop->read_buffer;
}

static void on_read(uv_stream_t *h, ssize_t n, const uv_buf_t *buf)
{
    struct stream *s = h->data;
    if (n > 0)
        s->events->received(s->ctx, buf->base, (size_t)n);
    else if (n == UV_EOF) {
        uv_read_stop(h);
        s->events->received(s->ctx, "", 0);
    } else if (n < 0)
        stream_close(s);
}

struct stream *stream_adopt(struct loop *l, int fd, const struct peer *peer)
{
    struct stream *s = calloc(1, sizeof *s);
    if (!s) {
        close(fd);
        return NULL;
    }
    int rc;
    if (peer->local_socket) {
        uv_pipe_init(&l->uv, &s->pipe, 0);
        rc = uv_pipe_open(&s->pipe, fd);
    } else {
        uv_tcp_init(&l->uv, &s->tcp);
        rc = uv_tcp_open(&s->tcp, fd);
    }
    s->handle.data = s;
    s->loop = l;
    s->peer = *peer;
    if (rc < 0) {
        close(fd);
        stream_close(s);
        return NULL;
    }
    return s;
}

void stream_start(struct stream *s, const struct stream_events *events, void *ctx)
{
    assert(!s->events);
    s->events = events;
    s->ctx = ctx;
    stream_read_resume(s);
}

const struct peer *stream_peer(const struct stream *s)
{
    return &s->peer;
}

void stream_read_pause(struct stream *s)
{
    uv_read_stop(&s->uv);
}

void stream_read_resume(struct stream *s)
{
    if (!uv_is_closing(&s->handle))
        uv_read_start(&s->uv, on_alloc, on_read); /* fails only when it is already reading */
}

static void on_written(uv_write_t *w, int status)
{
    struct stream *s = w->handle->data;
    free(w->data);
    if (status < 0)
        stream_close(s);
    else if (!uv_is_closing(&s->handle) && uv_stream_get_write_queue_size(&s->uv) == 0)
        s->events->drained(s->ctx);
}

static int queue_rest(struct stream *s, const uv_buf_t *bufs, size_t n, size_t skip, size_t total)
{
    struct write_request *w = malloc(sizeof *w + total - skip);
    if (!w)
        return UV_ENOMEM;
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (skip >= bufs[i].len) {
            skip -= bufs[i].len;
            continue;
        }
        memcpy(w->data + len, bufs[i].base + skip, bufs[i].len - skip);
        len += bufs[i].len - skip;
        skip = 0;
    }
    w->uv.data = w;
    uv_buf_t rest = { .base = w->data, .len = len };
    int rc = uv_write(&w->uv, &s->uv, &rest, 1, on_written);
    if (rc < 0)
        free(w);
    return rc;
}

long stream_write(struct stream *s, const struct slice *parts, size_t n)
{
    enum { PARTS_MAX = 8 };
    assert(n <= PARTS_MAX);
    if (uv_is_closing(&s->handle) || s->shutting_down)
        return -1;
    uv_buf_t bufs[PARTS_MAX];
    size_t total = 0, used = 0;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].len == 0)
            continue;
        /* libuv takes a char * and only reads from it */
        bufs[used++] = (uv_buf_t){ .base = (char *)(uintptr_t)parts[i].data, .len = parts[i].len };
        total += parts[i].len;
    }
    if (total == 0)
        return (long)uv_stream_get_write_queue_size(&s->uv);
    int took = uv_try_write(&s->uv, bufs, (unsigned)used);
    if (took == UV_EAGAIN)
        took = 0;
    if (took >= 0 && (size_t)took < total) {
        int rc = queue_rest(s, bufs, used, (size_t)took, total);
        if (rc < 0)
            took = rc;
    }
    if (took < 0) {
        stream_close(s);
        return -1;
    }
    s->accepted_bytes += total;
    return (long)uv_stream_get_write_queue_size(&s->uv);
}

size_t stream_queued(const struct stream *s)
{
    return uv_stream_get_write_queue_size(&s->uv);
}

void stream_bound_kernel(struct stream *s, size_t bytes)
{
    int want = bytes > INT_MAX / 4 ? INT_MAX / 4 : (int)bytes / 2; /* Linux doubles it, for its own books */
    if (!uv_is_closing(&s->handle))
        uv_send_buffer_size(&s->handle, &want); /* where it can't be bounded, it is the kernel's default */
}

uint64_t stream_sent_bytes(const struct stream *s)
{
    return s->accepted_bytes - uv_stream_get_write_queue_size(&s->uv);
}

static void on_shutdown(uv_shutdown_t *req, int status)
{
    (void)status; /* a peer that is gone already shows itself in the next read */
    (void)req;
}

void stream_shutdown(struct stream *s)
{
    if (uv_is_closing(&s->handle) || s->shutting_down)
        return;
    s->shutting_down = true;
    if (uv_shutdown(&s->shutdown, &s->uv, on_shutdown) < 0)
        stream_close(s);
}

static void on_closed(uv_handle_t *h)
{
    struct stream *s = h->data;
    if (s->events)
        s->events->closed(s->ctx);
    free(s);
}

void stream_close(struct stream *s)
{
    if (!uv_is_closing(&s->handle))
        uv_close(&s->handle, on_closed);
}

void stream_reset(struct stream *s)
{
    uv_os_fd_t fd;
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    if (!uv_is_closing(&s->handle) && uv_fileno(&s->handle, &fd) == 0)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    stream_close(s);
}

void stream_close_handle(uv_handle_t *h)
{
    stream_close(h->data);
}
